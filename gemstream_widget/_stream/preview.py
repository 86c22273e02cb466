"""A prompt as a page sees it: whole in its words, without its bytes.

What is sent, kept and saved is the prompt itself. A page shows it in a line, and a picture of 10 MB, or a table of
50 kB, would travel with every snapshot and be saved in every notebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .._plain import Json, Wire, clean
from .parts import bytes_in

__all__ = ["MOST_TEXT", "preview"]


MOST_TEXT = 8_000
"""Characters of one part that a page is sent."""


def preview(contents: Iterable[Wire]) -> list[Json]:
    """Contents as docs/protocol.md has them in a state: inline data by its size, long texts cut, saying by how much."""
    return [{**_but(content, "parts"), "parts": _parts(content.get("parts"))} for content in contents]


def _parts(parts: Any) -> list[Json]:
    return [_part(part) if isinstance(part, dict) else clean(part) for part in parts or ()]


def _part(part: Wire) -> Json:
    shown = _but(part, "text", "inlineData", "functionResponse")
    if isinstance(text := part.get("text"), str):
        shown |= _cut("text", text)
    if isinstance(data := part.get("inlineData"), dict):
        shown["inlineData"] = _but(data, "data") | {"size_bytes": bytes_in(data.get("data"))}
    if isinstance(answer := part.get("functionResponse"), dict):
        shown["functionResponse"] = _but(answer, "response", "parts") | _response(clean(answer.get("response")))
        if answer.get("parts"):
            shown["functionResponse"]["parts"] = _parts(answer["parts"])
    return shown


def _response(response: Any) -> Json:
    """Where it is too long, the beginning of its JSON text."""
    text = json.dumps(response, ensure_ascii=False)
    return {"response": response} if len(text) <= MOST_TEXT else _cut("response", text)


def _cut(name: str, text: str) -> Json:
    shown = {name: clean(text[:MOST_TEXT])}
    return shown if len(text) <= MOST_TEXT else shown | {"cut": len(text) - MOST_TEXT}


def _but(message: Wire, *names: str) -> Json:
    return dict(clean({name: value for name, value in message.items() if name not in names}))
