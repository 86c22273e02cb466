"""A line of a journal file as it is written: compact JSON in UTF-8, in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from .._plain import Json, clean

__all__ = ["encode"]

_LONG = 1 << 18  # characters: about a millisecond to encode


def encode(line: Json, out: bytearray, rest: Callable[[], None] = lambda: None) -> None:
    """Add the line and its end. A long text is added in pieces, and `rest` called between them: one call of the encoder
    would keep the interpreter to itself for as long. What is no JSON (somebody else's chunk may hold anything) is
    written as what can be shown of it, and half a surrogate pair escaped.
    """
    start = len(out)
    try:
        for piece in _in_slices(line):
            out += piece
            rest()
    except (TypeError, ValueError, RecursionError):
        del out[start:]
        out += _dumped(clean(line))
    out += b"\n"


def _dumped(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _has_long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _LONG
    if isinstance(value, dict):
        return any(map(_has_long, value.values()))
    return isinstance(value, list | tuple) and any(map(_has_long, value))


def _in_slices(value: Any) -> Iterator[bytes]:
    """A value in one piece, or in several where texts in it are so long that one call of the encoder would keep the
    interpreter to itself.
    """
    if not _has_long(value):
        yield _dumped(value)
    elif isinstance(value, str):
        yield b'"'
        yield from (_dumped(value[at : at + _LONG])[1:-1] for at in range(0, len(value), _LONG))
        yield b'"'
    elif isinstance(value, dict):
        for number, (name, held) in enumerate(value.items()):
            yield (b"," if number else b"{") + _dumped(str(name)) + b":"
            yield from _in_slices(held)
        yield b"}"
    else:
        for number, held in enumerate(value):
            yield b"," if number else b"["
            yield from _in_slices(held)
        yield b"]"
