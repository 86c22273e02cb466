"""The functions that a request declares: their names and schemas, what Gemini would refuse in them, and the same
declared as it takes it.

`parameters` is a subset of OpenAPI's schemas and refuses what it has no name for; `parametersJsonSchema` takes JSON
Schema. What a user gave as the one and means as the other is sent as the other: it says the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .._plain import Json, nearest
from .schema import as_json_schema, inlined, json_schema_violations, openapi_violations
from .strict import strict_violations
from .violation import Place, Violation
from .wire import FUNCTION_NAME, PARAMETER_NAME, camel, get, short

__all__ = ["declaration_violations", "declared", "mended_tools", "refused_tools", "tools_of"]

_SCHEMAS = {"parameters": "parametersJsonSchema", "response": "responseJsonSchema"}
"""A declaration's schemas as OpenAPI's subset, and the fields that take them as JSON Schema."""
_FIELDS = {"name", "description", "behavior", *_SCHEMAS, *_SCHEMAS.values()}


def tools_of(body: Json) -> list[Json]:
    """The tools of a body that are objects."""
    return [tool for tool in get(body, "tools") or () if isinstance(tool, dict)]


def declared(body: Json) -> Iterator[tuple[Place, Json]]:
    """Every function declaration in the body, with its place."""
    for t, tool in enumerate(tools_of(body)):
        functions = get(tool, "functionDeclarations")
        for d, function in enumerate(functions if isinstance(functions, list) else ()):
            if isinstance(function, dict):
                yield Place(fields=(f"tools[{t}]", f"function_declarations[{d}]")), function


def declaration_violations(body: Json) -> Iterator[Violation]:
    """What Gemini would refuse in the functions that the body declares."""
    seen: Counter[str] = Counter()
    for place, function in declared(body):
        name = str(get(function, "name") or "")
        seen[name] += 1
        if not FUNCTION_NAME.fullmatch(name):  # https://github.com/kaitranntt/ccs/issues/25; the length: SDK text
            yield Violation(
                "bad_function_name", place.at("name"),
                f"* GenerateContentRequest.{place}.name: [FIELD_INVALID] Invalid function name. Must start with a "
                "letter or an underscore. Must be a-z, A-Z, 0-9, or contain underscores (_), dots (.), colons (:), or "
                "dashes (-), with a maximum length of 128.\n",
                f"Rename the tool {short(name)}.",
            )  # fmt: skip
        if seen[name] == 2:  # https://github.com/googleapis/dotnet-genai/issues/189
            yield Violation(
                "duplicate_function", place.at("name"), f"Duplicate function declaration found: {name}",
                "Declare each tool once.",
            )  # fmt: skip
        for field in function:
            if function[field] is not None and camel(field) not in _FIELDS:
                yield Violation(
                    "unknown_field", place,
                    f"Invalid JSON payload received. Unknown name \"{field}\" at '{place}': Cannot find field.",
                    f"Remove {field!r}.{nearest(field, _FIELDS)}",
                )  # fmt: skip
        yield from _schemas(function, place)


def refused_tools(tools: list[Json]) -> list[Violation]:
    """What Gemini would refuse in these tools for good: what is mended when they are sent is not in it."""
    if unread := [one for one in strict_violations({"tools": tools}) if one.code != "lone_surrogate"]:
        return unread
    return list(declaration_violations({"tools": mended_tools(tools)[0]}))


def _schemas(function: Json, place: Place) -> Iterator[Violation]:
    for field, other in _SCHEMAS.items():
        here = place.at(field)
        plain, schema = get(function, field), get(function, other)
        if plain is not None and schema is not None:  # the SDK's text: mutually exclusive; wording ours
            yield Violation(
                "schema_twice", here, f"Only one of {field} and {other} can be set at '{place}'.",
                f"Give one of {field} and {other}.",
            )  # fmt: skip
        if plain is not None:
            yield from openapi_violations(plain, here)
        if schema is not None:
            yield from json_schema_violations(schema, place.at(other))
    for field in ("parameters", "parametersJsonSchema"):
        yield from _parameter_names(get(function, field), place.at(field))


def _parameter_names(schema: Any, place: Place) -> Iterator[Violation]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name in properties if isinstance(properties, dict) else ():
        if not PARAMETER_NAME.fullmatch(str(name)):  # the SDK's text of FunctionDeclaration.parameters; wording ours
            yield Violation(
                "bad_parameter_name", place.at(f"properties[{name}]"),
                f"* GenerateContentRequest.{place}.properties[{name}]: Invalid parameter name. Must start with a "
                "letter or an underscore, and only contain a-z, A-Z, 0-9 and underscores, with a maximum length of "
                "64.\n",
                f"Rename the parameter {short(name)}.",
            )  # fmt: skip


# -- mending -----------------------------------------------------------------------------------------------------------


def mended_tools(tools: Any) -> tuple[Any, list[str]]:
    """The tools of a body, each function declared as Gemini takes it, where that says the same; and what was done, in
    words. What cannot be said otherwise stays as it is.
    """
    if not isinstance(tools, list):
        return tools, []
    done: list[str] = []
    return [_mended_tool(tool, done) for tool in tools], done


def _mended_tool(tool: Any, done: list[str]) -> Any:
    if not isinstance(tool, dict):
        return tool
    out: Json = {}
    for name, held in tool.items():
        is_several = camel(str(name)) == "functionDeclarations" and isinstance(held, list)
        out[name] = [_mended(one, done) for one in held] if is_several else held
    return out


def _mended(function: Any, done: list[str]) -> Any:
    if not isinstance(function, dict) or any(strict_violations(function)):
        return function
    for field, other in _SCHEMAS.items():
        plain, schema = get(function, field), get(function, other)
        if plain is not None and schema is None:
            function = _moved(function, field, other, done)
        elif plain is None and schema is not None:
            wrong = next(json_schema_violations(schema, place := Place(fields=(other,))), None)
            if wrong is not None and not any(json_schema_violations(instead := inlined(schema), place)):
                function = _with(function, other, other, instead)
                done.append(f"Says in {wrong.path} of {get(function, 'name')} what its $ref names: more stands beside.")
    return function


def _moved(function: Json, field: str, other: str, done: list[str]) -> Json:
    """The function with what it says in `field` as JSON Schema, where that is needed, and says the same."""
    place, schema = Place(fields=(field,)), get(function, field)
    wrong = list(openapi_violations(schema, place))
    if not wrong or any(violation.code != "json_schema_only" for violation in wrong):
        return function
    instead = inlined(as_json_schema(schema))
    if any(json_schema_violations(instead, place)):
        return function
    done.append(f"Declares the {field} of {get(function, 'name')} as {other}: {field} cannot hold {wrong[0].path}.")
    return _with(function, field, other, instead)


def _with(function: Json, field: str, other: str, schema: Any) -> Json:
    return {name: held for name, held in function.items() if camel(name) != field} | {other: schema}
