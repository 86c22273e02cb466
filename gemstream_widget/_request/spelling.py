"""Parts and Contents that are given as dicts or as the SDK's objects, in Gemini's spelling: camelCase names, and base64
in the standard alphabet for bytes.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from .._plain import Json, Wire, clean_text
from .._stream.parts import bytes_in
from .item import Unsendable, is_a
from .media import attached, is_bytes
from .wire import FIELDS, camel, decode_base64, dumped, short

__all__ = ["json_of", "part_of", "words_of"]

_MESSAGES = ("functionCall", "functionResponse", "inlineData", "fileData")
_READ = ("data", "args", "response", "parts")
"""Fields of these that are looked at one by one."""
_WRAPPED = {"Blob": "inlineData", "FileData": "fileData", "FunctionResponse": "functionResponse"}
_HEAD = 200_000
"""Characters of base64 in which an image tells its size: a photo's preview may stand before it."""


def json_of(item: Any) -> Json | None:
    """The fields of a dict, or of one of the SDK's objects without an import of the SDK; None for anything else."""
    if isinstance(item, dict):
        return item
    if not callable(getattr(item, "model_dump", None)) or isinstance(item, type):
        return None
    wire = dumped(item)
    if not isinstance(wire, dict):
        return None
    if hasattr(item, "uri"):
        return _file(wire)
    wrapper = next((name for kind, name in _WRAPPED.items() if is_a(item, "google", kind)), None)
    return {wrapper: wire} if wrapper else wire


def _file(file: Json) -> Wire:
    """The part that names a file which was uploaded before."""
    if not file.get("uri"):
        raise Unsendable(f"a File that has no uri: {short(file)}. Give the one that client.files.upload(...) returned.")
    if file.get("state") == "FAILED":
        raise Unsendable(f"the upload of {file.get('name')} failed. Upload the file again.")
    named = {"fileUri": file["uri"], "mimeType": file.get("mimeType")}
    return {"fileData": {name: value for name, value in named.items() if value}}


def part_of(given: Json) -> Wire:
    """The part in Gemini's spelling; the arguments of calls and the bodies of responses stay as they are."""
    part = _spelled(given, "part")
    if isinstance(part.get("text"), str):
        part["text"] = clean_text(part["text"])
    for name in _MESSAGES:
        if isinstance(message := part.get(name), dict):
            part[name] = _spelled(message, name)
    response = part.get("functionResponse")
    if isinstance(response, dict) and isinstance(response.get("parts"), list):
        response["parts"] = [part_of(_fields(file)) for file in response["parts"]]
    for message, name in ((part, "thoughtSignature"), (part.get("inlineData"), "data")):
        if isinstance(message, dict) and message.get(name) is not None:
            message[name] = _base64(message[name], required=name == "data")
    for name, held in (("functionCall", "args"), ("functionResponse", "response")):
        if isinstance(message := part.get(name), dict):
            _check_json(message.get(held), f"{name}.{held}")
    for key, value in part.items():
        if key in _MESSAGES and isinstance(value, dict):
            value = {name: held for name, held in value.items() if name not in _READ}
        if not isinstance(value, str):  # a text may be long
            _check_json(value, key)
    return part


def _fields(file: Any) -> Json:
    given = json_of(file)
    if given is None:
        raise Unsendable(f'its functionResponse.parts hold a {type(file).__name__}. Give {{"inlineData": ...}} parts.')
    return given


def words_of(part: Wire) -> str | None:
    """What the part is, with its size; None for text and for calls and their responses."""
    file = part.get("fileData")
    if isinstance(file, dict):
        return ", ".join(filter(None, (f"file {file.get('fileUri')}", file.get("mimeType"))))
    blob = part.get("inlineData")
    if not isinstance(blob, dict) or not isinstance(data := blob.get("data"), str):
        return None
    kind = blob.get("mimeType") or "bytes"
    what = "" if kind.startswith("image/") else str(blob.get("displayName") or "")
    return attached(base64.b64decode(data[:_HEAD]), kind, what=what, size=bytes_in(data))


def _spelled(message: Json, kind: str) -> Wire:
    """A copy with the fields that Gemini knows in its own spelling."""
    out: Wire = {}
    for key, value in message.items():
        name = camel(key) if isinstance(key, str) and camel(key) in FIELDS[kind] else key
        if out.get(name) is None:
            out[name] = value
    return out


def _base64(value: Any, *, required: bool) -> Any:
    """Bytes of any kind as base64, and base64 in its standard alphabet. What is neither stays, unless it is required:
    a signature goes back as it came, and Gemini judges it.
    """
    if is_bytes(value):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, str):
        if not set(value) & set("-_ \n") and not len(value) % 4:
            return value if not required or decode_base64(value) is not None else _not_base64(value)
        data = decode_base64("".join(value.split()))
        if data is not None:
            return base64.b64encode(data).decode("ascii")
    return _not_base64(value) if required else value


def _not_base64(value: Any) -> Any:
    raise Unsendable(f"its inlineData.data is neither bytes nor base64: {short(value)}. Give the bytes themselves.")


def _check_json(value: Any, place: str) -> None:
    """All but inline data is JSON. Bytes would be saved, and in what tools are called with and answer sent, as Python
    writes them; much else can be neither copied nor sent.
    """
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        hint = " Files go into functionResponse.parts." if place == "functionResponse.response" else ""
        raise Unsendable(f"its {place} is no JSON: {error}.{hint}") from error
