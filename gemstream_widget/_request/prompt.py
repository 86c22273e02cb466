"""A prompt as wire Contents: what a reader gives to `send`, in Gemini's form."""

from __future__ import annotations

from typing import Any

from .._plain import Wire
from ..errors import InvalidPrompt

__all__ = ["contents_of"]


def contents_of(prompt: Any) -> list[Wire]:
    """A prompt as wire Contents: text, one wire part or a list of them, a Content or a list of them, or the SDK's own
    objects of these kinds. Raises InvalidPrompt for anything else, and for a prompt that says nothing.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InvalidPrompt("The prompt is empty: give some text, wire parts or a Content.")
        return [{"role": "user", "parts": [{"text": prompt}]}]
    items = list(prompt) if isinstance(prompt, list | tuple) else [prompt]
    if not items:
        raise InvalidPrompt("The prompt is an empty list: give some text, wire parts or a Content.")
    wires = [_as_wire(item) for item in items]
    if all("parts" in wire for wire in wires):
        for wire in wires:
            if not isinstance(wire["parts"], list) or not wire["parts"]:
                raise InvalidPrompt(f"A Content of the prompt has no parts: {_short(wire)}.")
        return [{"role": wire.get("role") or "user", "parts": list(wire["parts"])} for wire in wires]
    if any("parts" in wire for wire in wires):
        raise InvalidPrompt("The prompt mixes Contents with single parts: give one kind.")
    return [{"role": "user", "parts": wires}]


def _as_wire(item: Any) -> Wire:
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, dict):
        if not item:
            raise InvalidPrompt("The prompt holds an empty part: every part needs a field such as text.")
        return item
    dump = getattr(item, "model_dump", None)  # the SDK's Part and Content, without importing the SDK
    if callable(dump):
        wire = dump(mode="json", by_alias=True, exclude_none=True)
        if isinstance(wire, dict) and wire:
            return wire
    raise InvalidPrompt(
        f"A prompt is text, wire parts or a Content; this is {type(item).__name__}: {_short(item)}. "
        'Text goes in as it is, anything else as a wire part, for example {"text": "..."}.'
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
