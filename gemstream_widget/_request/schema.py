"""Schemas of functions: what `parameters` may hold, which is a subset of OpenAPI's, and what `parametersJsonSchema`
may; how the one becomes the other, and how what stands beside a `$ref` is said without it.

Sources: the texts of google-genai's types.Schema and types.FunctionDeclaration, and the issue threads named at each
rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .._plain import Json, nearest
from .violation import Place, Violation
from .wire import camel, short

__all__ = ["as_json_schema", "inlined", "json_schema_violations", "openapi_violations"]

_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_OPENAPI = {
    "additionalProperties", "defs", "ref", "anyOf", "default", "description", "enum", "example", "format", "items",
    "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
    "nullable", "pattern", "properties", "propertyOrdering", "required", "title", "type",
}  # fmt: skip
_BESIDE = {"$ref", "description", "default"}
_BY_NAME = ("properties", "$defs", "defs", "definitions", "patternProperties", "dependentSchemas")
"""Keywords that hold schemas by names which are the user's."""
_SEVERAL = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = (
    "items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
    "unevaluatedProperties", "additionalItems",
)  # fmt: skip
_JSON_SCHEMA = {
    *_BY_NAME, *_SEVERAL, *_ONE, "$ref", "$schema", "$id", "$anchor", "$comment", "const", "examples", "deprecated",
    "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "dependentRequired", "minContains",
    "maxContains", "contentEncoding", "contentMediaType", "readOnly", "writeOnly",
}  # fmt: skip
"""What JSON Schema has and OpenAPI's subset has not."""


def openapi_violations(schema: Any, place: Place) -> Iterator[Violation]:
    """What Gemini would refuse in a schema given as `parameters` or `response`."""
    for at, node in _nodes(schema, place):
        if not isinstance(node, dict):
            if not isinstance(node, bool):
                yield _wrong(at, f"{type(node).__name__} found", "A schema is an object.")
            continue
        for name in node:
            if camel(name) not in _OPENAPI and node[name] is not None:
                # https://github.com/zed-extensions/mcp-server-brave-search/issues/12
                known = {*_OPENAPI, *_JSON_SCHEMA}
                message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."
                if name in known:
                    yield _elsewhere(at.at(name), message)
                else:
                    yield Violation("bad_schema", at, message, f"Remove {name!r}.{nearest(name, known)}")
        yield from _values(node, at)


def _values(node: Json, at: Place) -> Iterator[Violation]:
    kind = node.get("type")
    if isinstance(kind, list):  # https://github.com/zed-industries/zed/issues/53919
        message = f"Unknown name \"type\" at '{at}': Proto field is not repeating, cannot start list."
        yield _elsewhere(at.at("type"), f"Invalid JSON payload received. {message}")
    elif kind is not None and str(kind).lower() not in (*_TYPES, "type_unspecified"):
        yield _wrong(at.at("type"), f"(TYPE_ENUM), {short(kind)}", f"A type is one of {', '.join(_TYPES)}.")
    enum = node.get("enum")
    for number, one in enumerate(enum if isinstance(enum, list) else ()):
        if not isinstance(one, str):  # https://github.com/microsoft/azure-devops-mcp/issues/139
            place = at.at(f"enum[{number}]")
            yield _elsewhere(place, f"Invalid value at '{place}' (TYPE_STRING), {short(one)}")
    if str(kind).lower() == "array" and node.get("items") is None:  # https://github.com/cline/cline/issues/7339
        yield _elsewhere(at.at("items"), f"* GenerateContentRequest.{at}.items: missing field.\n")
    known, required = node.get("properties"), node.get("required")
    for number, name in enumerate(required if isinstance(required, list) else ()):
        if not isinstance(known, dict) or name not in known:
            # https://github.com/iBUHub/AIStudioToAPI/issues/154
            yield Violation(
                "bad_schema", at, f"* GenerateContentRequest.{at}.required[{number}]: property is not defined\n",
                f"Describe the property {name!r}, or do not require it.",
            )  # fmt: skip


def _elsewhere(place: Place, message: str) -> Violation:
    """Something that JSON Schema takes."""
    field = place.fields[2] if len(place.fields) > 2 else place.fields[0]
    return Violation("json_schema_only", place, message, f"Give it as {field}JsonSchema, which takes JSON Schema.")


def _wrong(place: Place, found: str, hint: str) -> Violation:
    return Violation("bad_schema", place, f"Invalid value at '{place}' {found}", hint)


def json_schema_violations(schema: Any, place: Place) -> Iterator[Violation]:
    """What Gemini would refuse in a schema given as `parametersJsonSchema`. What it does not know there, it ignores."""
    for at, node in _nodes(schema, place):
        if not isinstance(node, dict):
            if not isinstance(node, bool):
                yield _wrong(at, f"{type(node).__name__} found", "A schema is an object.")
            continue
        target = node.get("$ref")
        if target is None:
            continue
        if node.keys() - _BESIDE:  # https://github.com/anomalyco/opencode/issues/12295
            yield Violation(
                "reference_beside", at,
                f"$ref '{str(target).rpartition('/')[2]}' was set alongside unsupported fields. If a schema node has "
                "$ref set, then only description and default can be set alongside it",
                f"Say what {target!r} names in its place, or leave out {', '.join(sorted(node.keys() - _BESIDE))}.",
            )  # fmt: skip
        if _found(schema, target) is None:  # wording ours
            yield Violation(
                "unknown_reference", at.at("$ref"), f"Reference to undefined schema at '{at}': {short(target)}",
                "Define it under $defs of the same schema, as in #/$defs/Name.",
            )  # fmt: skip


def _nodes(schema: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """The schema and all that are in it, each with its place. Values of `default` and `enum` are no schemas."""
    yield place, schema
    if not isinstance(schema, dict):
        return
    for name, held in schema.items():
        spelled = camel(name) if not name.startswith("$") else name
        if spelled in _BY_NAME and isinstance(held, dict):
            for key, inner in held.items():
                yield from _nodes(inner, place.at(f"{name}[{key}]"))
        elif spelled in (*_SEVERAL, *_ONE) and isinstance(held, list):
            for number, inner in enumerate(held):
                yield from _nodes(inner, place.at(f"{name}[{number}]"))
        elif spelled in _ONE and held is not None:
            yield from _nodes(held, place.at(name))


# -- mending -----------------------------------------------------------------------------------------------------------


def as_json_schema(schema: Any) -> Any:
    """What says the same as JSON Schema as this does as OpenAPI's subset: types in small letters, `nullable` as a type,
    `ref` and `defs` by their names there.
    """
    if not isinstance(schema, dict):
        return schema
    out: Json = {}
    for name, held in schema.items():
        spelled = {"ref": "$ref", "defs": "$defs", "example": "examples"}.get(
            name, name if name[:1] == "$" else camel(name)
        )
        if spelled in _BY_NAME and isinstance(held, dict):
            out[spelled] = {key: as_json_schema(inner) for key, inner in held.items()}
        elif spelled in (*_SEVERAL, *_ONE):
            out[spelled] = [as_json_schema(one) for one in held] if isinstance(held, list) else as_json_schema(held)
        elif name == "example":
            out[spelled] = [held]
        elif name == "ref":
            out[spelled] = held.replace("#/defs/", "#/$defs/") if isinstance(held, str) else held
        elif name == "type" and isinstance(held, str):
            out[spelled] = held.lower()
        elif name != "nullable":
            out[spelled] = held
    if schema.get("nullable") is True:
        return _or_null(out)
    return out


def _or_null(schema: Json) -> Json:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def inlined(schema: Any) -> Any:
    """The schema as Gemini takes it: beside a `$ref` only a description and a default may stand, so what else is there
    is said with what the `$ref` names. Of one that is inside itself, it is left out.
    """
    return _inlined(schema, schema, ())


def _inlined(node: Any, root: Any, inside: tuple[str, ...]) -> Any:
    if not isinstance(node, dict):
        return node
    target = node.get("$ref")
    if isinstance(target, str) and node.keys() - _BESIDE:
        beside = {key: held for key, held in node.items() if key != "$ref"}
        named = _found(root, target)
        if isinstance(named, dict) and target not in inside:
            return _inlined({**named, **beside}, root, (*inside, target))
        node = {key: held for key, held in node.items() if key in _BESIDE}
    out: Json = {}
    for name, held in node.items():
        if name in _BY_NAME and isinstance(held, dict):
            out[name] = {key: _inlined(inner, root, inside) for key, inner in held.items()}
        elif name in (*_SEVERAL, *_ONE):
            many = isinstance(held, list)
            out[name] = [_inlined(one, root, inside) for one in held] if many else _inlined(held, root, inside)
        else:
            out[name] = held
    return out


def _found(root: Any, target: Any) -> Any:
    """What a reference names in the schema that it stands in; None for what is not there."""
    if target == "#":
        return root
    if not isinstance(target, str) or not target.startswith("#/"):
        return None
    node = root
    for step in target[2:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list) and re.fullmatch(r"\d{1,9}", key) and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node
