"""Texts without keys: whatever is shown, saved or logged of an error passes here."""

from __future__ import annotations

import os
import re
from typing import Any

__all__ = ["KEY_VARIABLES", "redact", "redact_all"]

KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")

_KEY_SHAPES = re.compile(r"AIza[\w-]{20,}|AQ\.[\w-]{20,}|(?<=[?&]key=)[^&\s\"']+|ya29\.[\w-]+")


def redact(text: str) -> str:
    """`text` without API keys: those of the environment, and whatever has the shape of a Google key or token."""
    for name in KEY_VARIABLES:
        key = os.environ.get(name, "")
        if len(key) >= 8:
            text = text.replace(key, "[key]")
    return _KEY_SHAPES.sub("[key]", text)


def redact_all(value: Any) -> Any:
    """Plain JSON without keys in any of its texts."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {k: redact_all(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redact_all(v) for v in value]
    return value
