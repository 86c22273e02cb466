"""One item of a prompt: what is sent of it, what it is in words, and why it cannot be sent.

Nothing of pandas, polars, numpy, PIL or matplotlib is imported for a prompt: a value of theirs tells by its class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .._plain import Wire, counted
from .._process import Portable

__all__ = ["Item", "Unsendable", "in_words", "is_a"]


class Item(NamedTuple):
    """What is sent of one item, and in words what it is beside plain text, with its size."""

    parts: list[Wire]
    words: str | None = None


class Unsendable(Portable):
    """Why an item cannot be sent, and what would work: a sentence that goes after the item's name."""


def is_a(value: Any, library: str, *names: str) -> bool:
    """Whether the value is of one of these classes of a library, or of one made from them."""
    return any(c.__name__ in names and c.__module__.split(".")[0] == library for c in type(value).__mro__)


def in_words(size: int) -> str:
    """A number of bytes as people read it: `640 bytes`, `3.1 kB`, `41 kB`, `2.1 MB` (1 kB is 1000 bytes)."""
    if size < 1000:
        return counted(size, "byte")
    value, unit = (size / 1e3, "kB") if size < 999_500 else (size / 1e6, "MB")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"
