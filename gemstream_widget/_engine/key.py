"""What keeps a key from being one: it travels as a header, which carries ASCII letters in one line."""

from __future__ import annotations

import unicodedata

__all__ = ["flaw_of"]

_LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def flaw_of(key: str) -> str | None:
    """What is in this key that no key holds, and where, counted from 1 after the space around it; None where there is
    nothing. Nothing of the key itself is told. Space and line breaks around a key are none of it: they come with
    copying, the SDK takes them off, and so do we.
    """
    return next((f"{what} at character {n}" for n, c in enumerate(key.strip(), 1) if (what := _kind(c))), None)


def _kind(letter: str) -> str | None:
    if letter in _LINE_BREAKS:
        return "a line break"
    if letter.isascii() and letter.isprintable():
        return "a space" if letter == " " else None
    named = f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip()
    match unicodedata.category(letter):
        case "Cf":
            return f"an invisible character ({named})"
        case "Zs":
            return f"an unusual space ({named})"
        case "Cc":
            return f"a control character ({named})"
        case "Cs":
            return "a byte that is no text"
    return "a character that is not ASCII"
