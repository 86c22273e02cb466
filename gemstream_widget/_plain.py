"""Values from the wire, made fit for JSON, UTF-8 and the page.

A chunk is kept as it came; what enters the state passes here. Lone surrogates (Gemini's JSON may escape half a pair)
cannot be encoded and would break the comm of every widget in the kernel; NaN is no JSON; nesting without end would
exhaust the stack of whoever copies it, and so would a value that holds itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Real
from typing import Any, TypeAlias

__all__ = [
    "MAX_DEPTH", "Json", "Wire", "clean", "clean_text", "counted", "from_digits", "is_seconds", "nearest", "shorten",
    "with_digits",
]  # fmt: skip

Json: TypeAlias = dict[str, Any]
"""An object of plain JSON."""
Wire: TypeAlias = dict[str, Any]
"""JSON in Gemini's own wire form: camelCase names, base64 text for bytes."""

MAX_DEPTH = 100
"""Containers inside containers that are kept; what is deeper becomes a note."""

_MOST_BITS = 14_000
"""From 4300 digits on Python refuses to write an integer; this is a little below."""

_EXACT = 2**53 - 1
"""JavaScript rounds whole numbers above this."""


def clean_text(text: str) -> str:
    """`text` without lone surrogates: each becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean(value: Any, above: tuple[int, ...] = ()) -> Any:
    """`value` as plain JSON that shares no container with it. `above`: the containers it is in, by identity."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict | list | tuple):
        if len(above) >= MAX_DEPTH:
            return "(nested too deeply to show)"
        if id(value) in above:
            return "(holds itself)"
        above = (*above, id(value))
        if isinstance(value, dict):
            return {clean_text(k if isinstance(k, str) else _words(k)): clean(v, above) for k, v in value.items()}
        return [clean(v, above) for v in value]
    return clean_text(_words(value))


def is_seconds(value: Any) -> bool:
    """Whether this is a number of seconds above 0 that a clock can count, or without end."""
    return isinstance(value, Real) and not isinstance(value, bool) and (0 < value < 1e9 or value == math.inf)  # type: ignore[operator]


def shorten(text: str, limit: int = 80) -> str:
    """`text`, cut to `limit` characters with three dots where it is longer."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def counted(number: int, word: str) -> str:
    """`1 row`, `1,250 rows`: a number of things whose plural ends in s."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A sentence that asks for the nearest right word, with a space before it; nothing where none is near, or where
    the word itself is right.
    """
    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close and close[0] != word else ""


def with_digits(value: Any) -> tuple[Any, list[list[str | int]]]:
    """Plain JSON as a page can read it exactly: each whole number that JavaScript would round is a text of its digits,
    and the paths to these texts. A value without any is given back as it is.
    """
    if not _has_large(value):
        return value, []
    paths: list[list[str | int]] = []
    return _written_out(value, (), paths), paths


def from_digits(value: Any, paths: list[list[str | int]]) -> Any:
    """What `with_digits` was given."""
    for path in paths:
        if not path:
            return int(value)
        *way, last = path
        target = value
        for key in way:
            target = target[key]
        target[last] = int(target[last])
    return value


def _is_large(value: Any) -> bool:
    return isinstance(value, int) and not -_EXACT <= value <= _EXACT


def _has_large(value: Any) -> bool:
    if isinstance(value, int):
        return _is_large(value)
    if isinstance(value, dict):
        return any(map(_has_large, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_large, value))


def _written_out(value: Any, path: tuple[str | int, ...], paths: list[list[str | int]]) -> Any:
    if isinstance(value, dict):
        return {key: _written_out(held, (*path, key), paths) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_written_out(held, (*path, place), paths) for place, held in enumerate(value)]
    if _is_large(value):
        paths.append(list(path))
        return str(value)
    return value


def _words(value: Any) -> str:
    """`str(value)`, whatever its class makes of that."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
