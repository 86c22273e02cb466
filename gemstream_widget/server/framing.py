"""Framing: how Gemini puts chunks on the wire."""

from __future__ import annotations

import json
from typing import Any

from .._plain import Json

__all__ = ["GARBAGE", "frame", "to_json"]


GARBAGE = b'data: {"candidates": [{"content": {"par\r\n\r\n'
"""A frame that is not JSON."""


def frame(payload: Json) -> bytes:
    """One server-sent event: `data: `, JSON on one line, CRLF CRLF. No event, id or comment lines (as recorded)."""
    return b"data: " + to_json(payload) + b"\r\n\r\n"


def to_json(payload: Any) -> bytes:
    """Compact UTF-8 JSON. Lone surrogates, which UTF-8 cannot hold, make it escape everything."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":")).encode()
