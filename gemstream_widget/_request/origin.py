"""Parts that Gemini itself sent. It takes them back unchanged, whatever they are: no rule of ours is about what in them
has no name here. They are known again by a digest, however their JSON is spelled and ordered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from operator import is_
from typing import Any

from .._plain import Json
from .rules import SKIP_SIGNATURE
from .wire import DATA_FIELDS, FIELDS, camel, decode_base64, get, snake

__all__ = ["canonical", "digest_of", "is_odd", "without_odd", "without_unknown"]


def is_odd(part: Json) -> bool:
    """Whether there is something in the part that the rules do not know."""
    return not part.keys() <= {"text", "thought"} and _known(part) != part


def digest_of(part: Mapping[str, Any]) -> bytes:
    """What the part is known by."""
    return hashlib.sha256(canonical(part)).digest()


def without_odd(contents: Any, sent: Container[bytes]) -> Any:
    """The contents for the rules: of the parts with these digests only what the rules know, each at its place."""
    if not sent or not isinstance(contents, list):
        return contents
    return [_content(content, sent) for content in contents]


def without_unknown(contents: Any) -> Any:
    """The contents for the rules, without fields that have no name here: a later Gemini may know them. The same, where
    there are none.
    """
    if not isinstance(contents, list):
        return contents
    known = [_with_names(content) for content in contents]
    return contents if all(map(is_, known, contents)) else known


def _with_names(content: Any) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return content
    named = [_named(part) if isinstance(part, dict) else part for part in parts]
    if all(map(is_, named, parts)) and content.keys() <= FIELDS["content"]:
        return content
    return {**_fields(content, "content"), "parts": named}


def _named(part: Json) -> Json:
    """The part without fields that have no name here; what is left of an unknown kind is an empty text. The same, where
    there are none.
    """
    if part.keys() <= FIELDS["part"] and not any(_has_unknown(part, name) for name in part.keys() & FIELDS.keys()):
        return part
    named = _fields(part, "part")
    for name, value in named.items():
        if name in FIELDS and isinstance(value, dict):
            named[name] = _fields(value, name)
    is_lost = len(named) < len(part) and get(named, "thoughtSignature") is None and _is_empty(named)
    return {**named, "text": ""} if is_lost else named


def _has_unknown(part: Json, name: str) -> bool:
    return isinstance(part[name], dict) and not part[name].keys() <= FIELDS[name]


def _is_empty(part: Json) -> bool:
    return all(get(part, name) is None for name in DATA_FIELDS)


def _content(content: Any, sent: Container[bytes]) -> Any:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        return content
    known = [_known(part) if isinstance(part, dict) and digest_of(part) in sent else part for part in parts]
    return {**content, "parts": known}


def _known(part: Json) -> Json:
    """The part without what the rules do not know. What is left of an unknown kind is an empty text, and of a signature
    that is no base64 the one that asks not to be checked.
    """
    known = dict(_named(part))
    signature = get(known, "thoughtSignature")
    if signature is not None and decode_base64(signature) is None:
        known["thoughtSignature"] = SKIP_SIGNATURE.decode()
    elif signature is None and _is_empty(known):
        known["text"] = ""
    return known


def _fields(message: Json, kind: str) -> Json:
    return {name: value for name, value in message.items() if name in FIELDS[kind] or camel(str(name)) in FIELDS[kind]}


def canonical(value: Any) -> bytes:
    """The JSON value as bytes that do not depend on how its keys are spelled and ordered."""
    return json.dumps(_normal(value), sort_keys=True, separators=(",", ":")).encode()


def _normal(value: Any) -> Any:
    """The value with 2.0 written as 2 and keys in snake_case: JSON tools change both on the way."""
    if isinstance(value, dict):
        return {snake(str(key)): _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
