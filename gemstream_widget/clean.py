"""Values from the wire, made fit for JSON, UTF-8 and the page.

A chunk is kept as it came; what enters the state passes here. Lone surrogates (Gemini's JSON may escape half a pair)
cannot be encoded and would break the comm of every widget in the kernel; NaN is no JSON; nesting without end would
exhaust the stack of whoever copies it.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["MAX_DEPTH", "clean", "clean_text"]

MAX_DEPTH = 100
"""Containers inside containers that are kept; what is deeper becomes a note."""


def clean_text(text: str) -> str:
    """`text` without lone surrogates: each becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean(value: Any, depth: int = 0) -> Any:
    """`value` as plain JSON that shares no container with it."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, dict | list | tuple) and depth >= MAX_DEPTH:
        return "(nested too deeply to show)"
    if isinstance(value, dict):
        return {clean_text(str(k)): clean(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v, depth + 1) for v in value]
    return clean_text(str(value))
