"""Tool declarations in wire form, from what a user gives.

Only declarations so far: a call is shown as requested, and the caller answers it with the next `send`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import ToolError
from .model import Wire

__all__ = ["declarations"]


def declarations(tools: Iterable[Any]) -> list[Wire]:
    """Wire Tools from wire Tools (`{"functionDeclarations": [...]}`, `{"googleSearch": {}}`), single declarations
    (`{"name": ..., "description": ..., "parameters": ...}`), or the SDK's own objects of both kinds.

    Raises ToolError for anything else and for two declarations of one name.
    """
    functions: list[Wire] = []
    others: list[Wire] = []
    for tool in tools:
        wire = _as_wire(tool)
        if "name" in wire:
            functions.append(wire)
            continue
        held = wire.get("functionDeclarations") or wire.get("function_declarations")
        if held:
            functions.extend(_as_wire(f) for f in held)
        else:
            others.append(wire)
    names = [f.get("name") for f in functions]
    for name in names:
        if names.count(name) > 1:
            raise ToolError(f"Two tools are named {name!r}: give each its own name.")
    return ([{"functionDeclarations": functions}] if functions else []) + others


def _as_wire(tool: Any) -> Wire:
    if isinstance(tool, dict) and tool:
        return tool
    dump = getattr(tool, "model_dump", None)  # the SDK's Tool and FunctionDeclaration, without importing the SDK
    if dump is not None and not isinstance(tool, type):
        wire: Wire = dump(mode="json", by_alias=True, exclude_none=True)
        return wire
    raise ToolError(
        f"A tool is a declaration, for example {{'name': 'get_weather', 'description': '...', 'parameters': {{...}}}}; "
        f"this is {type(tool).__name__}: {tool!r}."
    )
