"""A prompt as wire Contents: what a reader gives to `send`, in Gemini's form."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from .._plain import Json, Wire
from ..errors import InvalidPrompt
from .wire import FIELDS, camel, short

__all__ = ["Named", "Prompt", "contents_of", "prompt_of"]


_MESSAGES = ("functionCall", "functionResponse", "inlineData", "fileData")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent of what a reader gave: wire Contents, and in words what went in beside plain text, each with its
    size.
    """

    contents: list[Wire]
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """An item of a prompt that the reader knows by a name, as `{orders}` in a magic."""

    value: Any
    name: str


def prompt_of(given: Any) -> Prompt:
    """The prompt, with its attachments told. Raises InvalidPrompt as `contents_of` does."""
    return Prompt(contents_of(given))


def contents_of(prompt: Any) -> list[Wire]:
    """A prompt as wire Contents: text, one wire part or a list of them, a Content or a list of them, or the SDK's own
    objects of these kinds and its uploaded Files.

    Wire dicts may be in either spelling and hold bytes where Gemini has base64; the Contents are in Gemini's form.
    Raises InvalidPrompt for anything else, and for a prompt that says nothing.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InvalidPrompt("The prompt is empty: give some text, wire parts or a Content.")
        return [{"role": "user", "parts": [{"text": prompt}]}]
    items = list(prompt) if isinstance(prompt, list | tuple) else [prompt]
    if not items:
        raise InvalidPrompt("The prompt is an empty list: give some text, wire parts or a Content.")
    given = [_json_of(item) for item in items]
    if not any("parts" in one for one in given):
        return [{"role": "user", "parts": list(map(_part, given))}]
    if not all("parts" in one for one in given):
        raise InvalidPrompt("The prompt mixes Contents with single parts: give one kind.")
    return list(map(_content, given))


def _content(given: Json) -> Wire:
    parts = given["parts"]
    if not isinstance(parts, list) or not parts:
        raise InvalidPrompt(f"A Content of the prompt has no parts: {short(given)}.")
    return {"role": given.get("role") or "user", "parts": [_part(_json_of(part)) for part in parts]}


def _json_of(item: Any) -> Json:
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, dict):
        if not item:
            raise InvalidPrompt("The prompt holds an empty part: every part needs a field such as text.")
        return item
    dump = getattr(item, "model_dump", None)  # the SDK's Part, Content and File, without importing the SDK
    if callable(dump):
        wire = dump(mode="json", by_alias=True, exclude_none=True)
        if hasattr(item, "uri"):
            return _file(wire)
        if isinstance(wire, dict) and wire:
            return wire
    raise InvalidPrompt(
        f"A prompt is text, wire parts or a Content; this is {type(item).__name__}: {short(item)}. "
        'Text goes in as it is, anything else as a wire part, for example {"text": "..."}.'
    )


def _file(file: Json) -> Wire:
    """The part that names a file which was uploaded before."""
    if not file.get("uri"):
        raise InvalidPrompt(
            f"A File of the prompt has no uri: {short(file)}. Give the File that client.files.upload(...) returned."
        )
    named = {"fileUri": file["uri"], "mimeType": file.get("mimeType")}
    return {"fileData": {name: value for name, value in named.items() if value}}


def _part(given: Json) -> Wire:
    """The part in Gemini's spelling, with base64 for bytes; arguments and responses stay as they are."""
    part = _spelled(given, "part")
    for name in _MESSAGES:
        if isinstance(message := part.get(name), dict):
            part[name] = _spelled(message, name)
    response = part.get("functionResponse")
    if isinstance(response, dict) and isinstance(response.get("parts"), list):
        response["parts"] = [_part(_json_of(file)) for file in response["parts"]]
    for message, name in ((part, "thoughtSignature"), (part.get("inlineData"), "data")):
        if isinstance(message, dict) and isinstance(message.get(name), bytes | bytearray):
            message[name] = base64.b64encode(message[name]).decode("ascii")
    return part


def _spelled(message: Json, kind: str) -> Wire:
    """A copy with the fields that Gemini knows in its own spelling."""
    out: Wire = {}
    for key, value in message.items():
        name = camel(key) if camel(key) in FIELDS[kind] else key
        if out.get(name) is None:
            out[name] = value
    return out
