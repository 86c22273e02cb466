"""Repairs of one content or one part, by itself.

Each takes the content or part and what is wrong with it, and gives what goes in its place (nothing, one or several) and
what that means, in words. None changes what it is given.
"""

from __future__ import annotations

import base64
import json
from typing import Any, TypeAlias

from .._plain import Json, clean
from .rules import SKIP_SIGNATURE
from .violation import Violation
from .wire import DATA_FIELDS, FIELDS, camel, get, short

__all__ = [
    "Mended",
    "as_text",
    "change_type",
    "clean_values",
    "drop_empty",
    "drop_nothing",
    "drop_signature",
    "drop_streaming",
    "drop_unknown",
    "drop_unreadable",
    "fix_role",
    "list_contents",
    "replace",
    "skip_signature",
    "split_kinds",
]


Mended: TypeAlias = tuple[list[Any], list[str]]
"""What takes the place of something, and what that means, in words."""

_MODEL_ROLES = ("assistant", "bot", "ai", "model")
_SPOKEN = ("result", "output", "error")
"""What Gemini reads a response under: https://ai.google.dev/api/caching#FunctionResponse"""
_SKIP = base64.b64encode(SKIP_SIGNATURE).decode("ascii")


def replace(message: Json, name: str, value: Any) -> Json:
    """The message with this field in place of its own, in either spelling; without it for None."""
    others = {k: v for k, v in message.items() if camel(str(k)) != name}
    return others if value is None else {**others, name: value}


def drop_empty(value: Any, violation: Violation) -> Mended:
    kind = "content" if violation.place.part is None else "part"
    return [], [f"Removes the empty {kind} {violation.place}" + (f": {_shown(value)}." if value else ".")]


def fix_role(content: Json, violation: Violation) -> Mended:
    said, parts = content["role"], get(content, "parts")
    calls = isinstance(parts, list) and any(isinstance(p, dict) and get(p, "functionCall") for p in parts)
    role = "model" if calls or str(said).lower() in _MODEL_ROLES else "user"
    return [{**content, "role": role}], [f"Changes the role {_shown(said)} of {violation.place.item} to {role!r}."]


def drop_unknown(value: Json, violation: Violation) -> Mended:
    place = violation.place
    inside = bool(place.fields)  # in a call or response of the part
    kind = camel(place.fields[0]) if inside else "content" if place.part is None else "part"
    message = get(value, kind) if inside else value
    unknown = {k: v for k, v in message.items() if v is not None and camel(k) not in FIELDS[kind]}
    known = {k: v for k, v in message.items() if k not in unknown}
    done = []
    if kind == "content" and isinstance(unknown.get("content"), str) and not get(value, "parts"):
        known["parts"] = [{"text": unknown.pop("content")}]  # as other providers write a message
        done = [f"Makes the text of {place} a part: {_shown(known['parts'][0]['text'])}."]
    if unknown:
        done += [f"Removes what Gemini does not know from {place}: {_shown(unknown)}."]
    return [replace(value, kind, known) if inside else known], done


def split_kinds(part: Json, violation: Violation) -> Mended:
    kinds = [name for name in DATA_FIELDS if get(part, name) is not None]
    home = "functionCall" if "functionCall" in kinds else kinds[0]  # of the signature: calls need one
    rest = {k: v for k, v in part.items() if camel(k) not in DATA_FIELDS}
    thought = {k: v for k, v in rest.items() if k == "thought"}
    parts = [{**(rest if name == home else thought), name: get(part, name)} for name in kinds]
    return parts, [f"Splits {violation.place}: one part for each of {', '.join(kinds)}."]


def list_contents(contents: Any) -> Mended:
    """Of contents that are no list."""
    whole = contents if isinstance(contents, dict) else {"role": "user", "parts": [{"text": _text(contents)}]}
    return [whole], ["Makes a list of the contents."]


def change_type(value: Any, violation: Violation) -> Mended:
    place = violation.place
    if not place.fields:
        return _change_item(value, violation)
    *way, name = place.fields
    outer = camel(way[0]) if way else ""  # the call or response that the field is in
    message = get(value, outer) if outer else value
    wrong = get(message, camel(name))
    done = [f"Makes {place} a text: {_shown(wrong)}."]
    new: Any = _text(wrong)
    if name in ("args", "response"):
        new, done = {"result": wrong}, [f'Wraps {place}, as in {{"result": ...}}.']
    elif name == "parts":
        new, done = [wrong if isinstance(wrong, dict) else {"text": new}], [f"Makes a list of {place}."]
    elif name not in ("text", "name", "id"):  # a call, response or file that is no object
        return [part for part in (replace(value, camel(name), None), {"text": new}) if part], done
    message = replace(message, name, new)
    return [replace(value, outer, message) if outer else message], done


def _change_item(value: Any, violation: Violation) -> Mended:
    """Of a content or part that is no object."""
    if value is None:
        return [], [f"Removes {violation.place}: it is null."]
    part = {"text": _text(value)}
    item = {"role": "user", "parts": [part]} if violation.place.part is None else part
    return [item], [f"Makes {violation.place} a text: {_shown(value)}."]


def drop_unreadable(part: Json, violation: Violation) -> Mended:
    """Of a signature or file whose base64 cannot be read."""
    if violation.place.fields == ("thought_signature",):
        return drop_signature(part, violation)
    item = violation.place.item
    note = f"(Here was a file of type {get(get(part, 'inlineData'), 'mimeType')}. Its data could not be read.)"
    others = {k: v for k, v in part.items() if camel(k) in DATA_FIELDS and camel(k) != "inlineData"}
    words = f"Replaces the file {item}, whose data cannot be read, by the text {note!r}."
    return [*([others] if others else []), {"text": note}], [words]


def drop_streaming(part: Json, violation: Violation) -> Mended:
    call = replace(replace(get(part, "functionCall"), "partialArgs", None), "willContinue", None)
    return [replace(part, "functionCall", call)], [f"Removes partialArgs and willContinue from {violation.place}."]


def drop_signature(part: Json, violation: Violation) -> Mended:
    words = f"Removes the signature of {violation.place.item}: it cannot be read."
    return [replace(part, "thoughtSignature", None)], [words]


def drop_nothing(part: Json, violation: Violation) -> Mended:
    """Of a signature that is an empty text."""
    return [replace(part, "thoughtSignature", None)], [f"Leaves out the empty signature of {violation.place.item}."]


def as_text(part: Json, violation: Violation) -> Mended:
    """Of a response that Gemini would read something into: as a text of JSON, so that nothing is lost."""
    answer = get(part, "functionResponse")
    held = get(answer, "response")
    key = next(iter(held)) if len(held) == 1 else "result"
    response = {key: _text(held[key])} if len(held) == 1 and key in _SPOKEN else {"result": _text(held)}
    deep = violation.code == "too_deep"
    why = "it is nested too deeply" if deep else "Gemini would look for a file by the name in its $ref"
    words = f"Sends the response of {get(answer, 'name')} in {violation.place.item} as a text of JSON: {why}."
    return [replace(part, "functionResponse", replace(answer, "response", response))], [words]


def clean_values(value: Any, violation: Violation) -> Mended:
    """Of what no strict JSON can hold: half of a surrogate pair, a number that is none, a value of Python's."""
    words = f"Writes what is no JSON in {violation.place.item} as text."
    if violation.code == "lone_surrogate":
        words = f"Writes halves of surrogate pairs in {violation.place.item} as the page shows them: alone as U+FFFD."
    return [clean(value)], [words]


def skip_signature(part: Json, violation: Violation) -> Mended:
    name = get(get(part, "functionCall"), "name")
    words = f"Marks the call {name}, whose signature is lost, with the value that asks Gemini to skip the check."
    return [replace(part, "thoughtSignature", _SKIP)], [words]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(clean(value), ensure_ascii=False)


def _shown(value: Any) -> str:
    return short(clean(value))
