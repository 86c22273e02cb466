"""`{expression}` in a prompt: which expressions a text holds, and the prompt with their values in place.

As in an f-string: `{name}`, `{a + b}`, `{x:.2f}`, `{x!r}`; `{{` and `}}` are braces. Unlike there, what is
no text goes in as what it is: a table, an image, a file.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from numbers import Number
from types import CodeType
from typing import Any

from .._plain import Wire, clean_text, nearest, shorten
from .._redact import words_of
from .._request.advice import OTHERS
from .._request.prompt import Named, Prompt, joined, prompt_of
from .._request.wire import DATA_FIELDS, FIELDS, camel
from ..errors import InvalidPrompt

__all__ = ["Expression", "filled", "pieces"]

Evaluate = Callable[[CodeType], Any]

_MARK = re.compile(r"\{\{|\}\}|\{")
_CONVERSION = re.compile(r"(?s)(.*)!([rsa])")
_CONVERT: dict[str, Callable[[Any], Any]] = {"": lambda value: value, "r": repr, "s": str, "a": ascii}
_NO_WORDS = re.compile(r"(?s)<.* at 0x[0-9a-fA-F]+.*>|<[^<>]*>")
"""How Python writes what has no words of its own: `<function f at 0x7f...>`, `<module 'sys' (built-in)>`."""
_MOST_TRIED = 32
"""Closing braces that are tried for one opening brace, and colons in between."""
_LONG = 2_000
"""Characters from which on a text that came out of a value is told with its size."""
_WRITE = "Write {{ and }} for braces that are text, or %%gem --raw for a cell without expressions."


@dataclass(frozen=True, slots=True)
class Expression:
    """One `{...}`: its source, and the f-string's conversion ("r", "s", "a" or "") and format spec (None: none)."""

    source: str
    code: CodeType
    conversion: str = ""
    spec: str | None = None


def pieces(text: str) -> Iterator[str | Expression]:
    """The texts and expressions of a prompt, in order. Raises InvalidPrompt for a brace that is neither."""
    place = 0
    while mark := _MARK.search(text, place):
        yield text[place : mark.start()]
        if mark[0] == "{":
            found, place = _expression(text, mark.end())
            yield found
        else:
            yield mark[0][0]
            place = mark.end()
    yield text[place:]


def _expression(text: str, start: int) -> tuple[Expression, int]:
    """The expression that begins at `start`, right after its brace, and where the text goes on. It ends at the first
    closing brace that leaves a whole one.
    """
    end = start - 1
    for _ in range(_MOST_TRIED):
        end = text.find("}", end + 1)
        if end < 0:
            break
        if (found := _parsed(text[start:end])) is not None:
            return found, end + 1
    shown = shorten(text[start - 1 :].splitlines()[0], 40)
    line = text.count("\n", 0, start) + 1
    raise InvalidPrompt(f"Line {line} has a brace that begins no expression: {shown} {_WRITE}")


def _parsed(inside: str) -> Expression | None:
    """What stands between two braces, as an f-string reads it; None where that is no expression."""
    colons = (place.start() for place in re.finditer(":", inside))
    for colon in [len(inside), *islice(colons, _MOST_TRIED)]:
        source, spec = inside[:colon], inside[colon + 1 :] if colon < len(inside) else None
        if "{" in (spec or ""):  # a spec that is computed, which an f-string fills and `format` does not
            continue
        converted = _CONVERSION.fullmatch(source)
        for candidate, conversion in [(source, ""), *([(converted[1], converted[2])] if converted else [])]:
            if (code := _compiled(candidate)) is not None:
                return Expression(candidate.strip(), code, conversion, spec)
    return None


def _compiled(source: str) -> CodeType | None:
    """The code of an expression that asks for a name; a constant, as in pasted JSON, is none of ours."""
    try:
        tree = ast.parse(source.strip(), "<prompt>", "eval")
        if any(isinstance(node, ast.Name) for node in ast.walk(tree)):
            return compile(tree, "<prompt>", "eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return None


def filled(text: str, evaluate: Evaluate, known: Iterable[str] = ()) -> Prompt:
    """The prompt that `text` is, with each expression as what `evaluate` makes of it. `known` are the names it knows.

    Text, numbers, dates, plain dicts and lists become part of the text; anything else goes in as `Chat.send` takes it.
    Raises InvalidPrompt, which names the expression, for what cannot be evaluated or sent.
    """
    parts: list[Wire] = []
    attachments: list[str] = []
    said = ""
    for piece in pieces(text):
        if isinstance(piece, str):
            said += piece
            continue
        held = _held(piece, _value_of(piece, evaluate, known))
        if isinstance(held, str):
            said += held
            attachments += [f"{piece.source}, {len(held):,} characters"] if len(held) > _LONG else []
            continue
        parts += [{"text": clean_text(said)}] if said.strip() else []
        said = ""
        parts += [part for content in held.contents for part in content["parts"]]
        attachments += held.attachments
    parts += [{"text": clean_text(said)}] if said.strip() else []
    if not parts:
        raise InvalidPrompt("The prompt is empty: its expressions gave no text.")
    return joined(parts, attachments)


def _value_of(piece: Expression, evaluate: Evaluate, known: Iterable[str]) -> Any:
    try:
        return evaluate(piece.code)
    except NameError as error:
        meant = nearest(error.name or "", (name for name in known if not name.startswith("_")))
        raise InvalidPrompt(f"{_shown(piece)} asks for what is not there: {error}.{meant} {_WRITE}") from error
    except Exception as error:
        raise InvalidPrompt(f"{_shown(piece)} raised {words_of(error)}.") from error


def _held(piece: Expression, value: Any) -> str | Prompt:
    """A value as part of the text, or as parts of their own where it is more than text."""
    if piece.conversion or piece.spec is not None:
        return _written(piece, lambda: format(_CONVERT[piece.conversion](value), piece.spec or ""))
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Number | Set):
        return _written(piece, lambda: str(value))
    if isinstance(value, dict | list | tuple):
        with suppress(TypeError, ValueError, RecursionError):  # what is no JSON may be a list of images, or hold itself
            if not _is_part(value):
                return json.dumps(value, ensure_ascii=False, default=_as_json)
    try:
        prompt = prompt_of(Named(value, shorten(piece.source, 40)))
    except InvalidPrompt as error:
        words = _written(piece, lambda: str(value)) if str(error).endswith(OTHERS) else ""
        if not words.strip() or _NO_WORDS.fullmatch(words):
            raise
        return words
    if any(content["role"] != "user" for content in prompt.contents):
        raise InvalidPrompt(f"{_shown(piece)} is a turn of the model: give it to Chat(history=[...]).")
    parts = [part for content in prompt.contents for part in content["parts"]]
    plain = not prompt.attachments and all(set(part) == {"text"} for part in parts)
    return "".join(part["text"] for part in parts) if plain else prompt


def _as_json(value: Any) -> Any:
    """A number of numpy's, a date, a set, inside data that is otherwise JSON."""
    if isinstance(value, Set):
        return list(value)
    for name in ("item", "isoformat"):
        if callable(write := getattr(value, name, None)) and not isinstance(value, type):
            return write()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _written(piece: Expression, write: Callable[[], str]) -> str:
    try:
        return write()
    except Exception as error:  # whatever a class of the user's makes of it
        raise InvalidPrompt(f"{_shown(piece)} cannot be written out: {words_of(error)}.") from error


def _is_part(value: Any) -> bool:
    """Whether a dict is a wire part or a Content, or a list holds one. A row with a column named text is neither."""
    if isinstance(value, list | tuple):
        return any(map(_is_part, value))
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return False
    names = {camel(key) for key in value}
    is_part = names <= FIELDS["part"] and not names.isdisjoint(DATA_FIELDS)
    return is_part or ("parts" in names and names <= FIELDS["content"])


def _shown(piece: Expression) -> str:
    return "{" + shorten(piece.source, 40) + "}"
