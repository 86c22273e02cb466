"""A function's signature and docstring as the JSON schema that the model reads, by pydantic."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._plain import Wire
from ..errors import ToolError

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["docstring_of", "fields_of", "model_of", "schema_of"]


def fields_of(function: Callable[..., Any]) -> dict[str, str]:
    """Parameter name to the name of its field: pydantic keeps names with a leading underscore for itself."""
    return {name: name.lstrip("_") or "arg" for name in inspect.signature(function).parameters}


def model_of(function: Callable[..., Any], name: str, described: dict[str, str]) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise ToolError(
            f"The type hints of {name} cannot be read: {error}. Import or define what they name."
        ) from error
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ToolError(
                f"Parameter {parameter.name!r} of {name} cannot be declared to the model: "
                "give each parameter its own name, and let it be passed by that name."
            )
        hint = hints.get(parameter.name, Any if parameter.default is parameter.empty else type(parameter.default))
        default = ... if parameter.default is parameter.empty else parameter.default
        words = described.get(parameter.name)
        alias = parameter.name
        fields[fields_of(function)[parameter.name]] = (hint, Field(default, description=words, alias=alias))
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)
    except (PydanticUserError, TypeError) as error:
        raise ToolError(f"{name} has no JSON schema: {_which(function, hints, error)}") from error


def _which(function: Callable[..., Any], hints: dict[str, Any], error: Exception) -> str:
    """Which parameter has no schema, and what to do."""
    from pydantic import TypeAdapter

    for parameter in inspect.signature(function).parameters:
        try:
            TypeAdapter(hints.get(parameter, Any)).json_schema()
        except Exception:
            hint = hints[parameter]
            shown = getattr(hint, "__name__", str(hint))
            return (
                f"parameter {parameter!r} is a {shown}, which the model cannot write as JSON. "
                "Use str, numbers, bool, list, dict, Literal, Enum, a dataclass or a pydantic model."
            )
    return str(error)


def schema_of(model: type[BaseModel]) -> Wire:
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        schema: Wire = model.model_json_schema(by_alias=True)
    except PydanticInvalidForJsonSchema as error:
        raise ToolError(f"{model.__name__} has a parameter without a JSON schema: {error.message}.") from error
    schema.pop("title", None)
    for held in schema.get("properties", {}).values():
        held.pop("title", None)
    return schema


def docstring_of(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The docstring's text before its sections, and what its "Args" or "Parameters" section says of each parameter."""
    doc = inspect.getdoc(function) or ""
    head, _, rest = doc.partition("\n\n")
    names = "|".join(map(re.escape, inspect.signature(function).parameters))
    if not names:
        return doc.strip(), {}
    found = re.findall(
        rf"^\s*:?(?:param\s+)?({names})\s*(?:\([^)]*\))?\s*:\s*(.+(?:\n\s{{6,}}.+)*)", rest or doc, re.MULTILINE
    )
    text = doc if not found else head
    return text.strip(), {name: " ".join(words.split()) for name, words in found}
