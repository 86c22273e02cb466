"""The type hints of a function's parameters, each read by itself: what another one, or the return, names is no matter
of theirs.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin

from ..errors import ToolError

__all__ = ["body_of", "hints_of"]


def body_of(function: Callable[..., Any]) -> Any:
    """The plain function that a call of this one ends in: that of a partial, of a method, of an object's `__call__`,
    of a class's `__init__`, of a decorator that names what it wraps.
    """
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isclass(function):
            return function.__init__
        elif not inspect.isroutine(function) and inspect.isroutine(type(function).__call__):
            function = type(function).__call__
        else:
            return function


def hints_of(function: Callable[..., Any], parameters: list[inspect.Parameter], name: str) -> dict[str, Any]:
    """The hint of each parameter that has one. Raises ToolError for one that cannot be read."""
    body = body_of(function)
    scope = {**getattr(body, "__globals__", {}), **_enclosed(body)}
    hints = {}
    for parameter in parameters:
        if parameter.annotation is not parameter.empty:
            hints[parameter.name] = _shared(_read(parameter, scope, name))
    return hints


def _enclosed(body: Any) -> dict[str, Any]:
    """The names that the function took from the one around it, as far as they are set."""
    code, cells = getattr(body, "__code__", None), getattr(body, "__closure__", None) or ()
    found = {}
    for free, cell in zip(getattr(code, "co_freevars", ()), cells, strict=True):
        try:
            found[free] = cell.cell_contents
        except ValueError:  # not set yet
            continue
    return found


def _read(parameter: inspect.Parameter, scope: dict[str, Any], name: str) -> Any:
    held = types.SimpleNamespace(__annotations__={"hint": parameter.annotation})
    try:
        return typing.get_type_hints(held, scope, scope, include_extras=True)["hint"]
    except Exception as error:  # whatever it is that stands there
        raise ToolError(
            f"The type hint of parameter {parameter.name!r} of {name} cannot be read: {error}. Import or define what "
            "it names where the function is, and not under TYPE_CHECKING only."
        ) from error


def _shared(hint: Any) -> Any:
    """The hint with typing's TypedDict as that of typing_extensions: before Python 3.12 pydantic takes only that."""
    if sys.version_info >= (3, 12):
        return hint
    if typing.is_typeddict(hint) and type(hint).__module__ == "typing":
        return _typed_dict(hint)
    origin, held = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return Annotated[(_shared(held[0]), *held[1:])]
    if origin in (typing.Union, types.UnionType):
        return reduce(or_, map(_shared, held))
    if origin in (list, dict, tuple, set, frozenset) and held:
        return origin[tuple(map(_shared, held))]
    return hint


def _typed_dict(hint: Any) -> Any:
    from typing_extensions import TypedDict

    fields = {}
    for key, held in typing.get_type_hints(hint, include_extras=True).items():
        is_required = key in hint.__required_keys__
        while (mark := get_origin(held)) in (Required, NotRequired):
            is_required = mark is Required  # what stands as text is not in __required_keys__
            (held,) = get_args(held)
        fields[key] = Required[_shared(held)] if is_required else NotRequired[_shared(held)]
    made: Any = TypedDict(hint.__name__, fields)  # type: ignore[misc]
    made.__doc__ = hint.__doc__
    return made
