"""What of a request body is no JSON that may travel: a number that is none, half of a surrogate pair, a key that is no
text, nesting without end, and whatever else Python holds.

Python writes NaN, and half a pair as an escape that no text can hold; a reader of strict JSON refuses the whole body.
https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from .._plain import MAX_DEPTH, Json, clean
from .violation import Place, Violation
from .wire import DATA_FIELDS, camel, short, snake

__all__ = ["strict_violations"]

_Way: TypeAlias = tuple[str | int, ...]
_MESSAGES = {*DATA_FIELDS, "systemInstruction", "functionDeclarations", "thoughtSignature"}


def strict_violations(body: Json) -> Iterator[Violation]:
    """What in the body is no strict JSON, once for each kind of fault in each part. Wording of the messages ours."""
    if _is_strict(body, 0):  # as almost all are, of whatever length
        return
    seen: set[tuple[str, Place]] = set()
    for violation in _look(body, ()):
        place = violation.place if violation.place.content is None else violation.place.item
        if (violation.code, place) not in seen:
            seen.add((violation.code, place))
            yield violation


def _is_strict(value: Any, depth: int) -> bool:
    """Whether `_look` finds nothing, in a fifth of its time."""
    kind = type(value)
    if kind is str:
        return value.isascii() or clean(value) is value
    if kind is dict or kind is list:
        for held in value if kind is list else value.values():
            if not _is_strict(held, depth + 1):
                return False
        return depth < MAX_DEPTH and (kind is list or all(type(key) is str and clean(key) is key for key in value))
    return value is None or kind is bool or ((kind is int or kind is float) and clean(value) is value)


def _look(value: Any, way: _Way) -> Iterator[Violation]:
    if isinstance(value, str):
        if clean(value) is not value:
            yield _half(way)
    elif isinstance(value, dict | list | tuple):
        if len(way) >= MAX_DEPTH:
            yield Violation(
                "too_deep", _place(way), f"Invalid JSON payload received. Nested too deeply at '{_place(way)}'.",
                f"Nest at most {MAX_DEPTH} objects and lists, or write what is inside as a text of JSON.",
            )  # fmt: skip
        elif isinstance(value, dict):
            yield from _fields(value, way)
        else:
            for number, held in enumerate(value):
                yield from _look(held, (*way, number))
    elif not isinstance(value, bool | int | float | None) or clean(value) is not value:
        yield _no_json(way, "a number" if isinstance(value, int | float) else f"a {type(value).__name__}", value)


def _fields(value: dict[Any, Any], way: _Way) -> Iterator[Violation]:
    for key, held in value.items():
        if not isinstance(key, str):
            yield _no_json((*way, str(clean(key))), f"a key that is a {type(key).__name__}", key)
            continue
        if clean(key) is not key:
            yield _half((*way, key))
        yield from _look(held, (*way, key))


def _half(way: _Way) -> Violation:
    place = _place(way)
    return Violation(
        "lone_surrogate", place, f"Invalid JSON payload received. Half of a surrogate pair in the text at '{place}'.",
        "Put U+FFFD in its place: text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace').",
    )  # fmt: skip


def _no_json(way: _Way, what: str, value: Any) -> Violation:
    place = _place(way)
    return Violation(
        "not_json", place, f"Invalid JSON payload received. Unexpected token at '{place}'.",
        f"{place} is {what} that JSON does not have: {short(clean(value))}. Write it as text.",
    )  # fmt: skip


def _place(way: _Way) -> Place:
    """The way through the body as a place, spelled as Gemini's messages spell it."""
    content, part, rest = None, None, way
    if len(rest) > 1 and rest[0] == "contents" and isinstance(rest[1], int):
        content, rest = rest[1], rest[2:]
        if len(rest) > 1 and rest[0] == "parts" and isinstance(rest[1], int):
            part, rest = rest[1], rest[2:]
    fields: list[str] = []
    for step in rest:
        if isinstance(step, int) and fields:
            fields[-1] += f"[{step}]"
        else:
            name = clean(str(step))
            fields.append(snake(name) if camel(name) in _MESSAGES else name)
    return Place(content, part, tuple(fields))
