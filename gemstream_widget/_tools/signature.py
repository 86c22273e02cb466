"""A function's signature as the JSON schema that the model reads, and as the check of what it writes.

Pydantic knows what each type looks like in JSON. What it makes of names, defaults and methods of its own stays inside:
each parameter is a field `p<n>` of its model, known outside by the parameter's own name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from inspect import BoundArguments, Parameter
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Optional, get_args, get_origin

from .._interrupts import struck
from .._plain import Json, Wire
from .._redact import words_of
from .._request.schema import inlined
from .._request.strict import strict_violations
from .._request.wire import PARAMETER_NAME
from ..errors import ToolError
from .hints import hints_of

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.json_schema import GenerateJsonSchema

__all__ = ["Signature"]


class Signature:
    """The parameters of a function, as somebody may give them who writes JSON.

    Keyword, positional-only and `*args` parameters, with and without defaults, described by `words`. Raises ToolError
    for what cannot be declared: which parameter, why, and what to write instead. `schema` is JSON Schema; a `*args` is
    a list.
    """

    def __init__(self, function: Callable[..., Any], name: str, words: dict[str, str]) -> None:
        self._function = function
        self._name = name
        self._signature = _signature_of(function, name)
        parameters = list(self._signature.parameters.values())
        hints = hints_of(function, parameters, name)
        self._fields = {f"p{number}": parameter for number, parameter in enumerate(parameters)}
        self._model, schema = self._make_model(hints, words)
        self.schema: Wire = _without_titles(schema)

    def check(self, args: Wire) -> BoundArguments:
        """The arguments as the types that the function declares; of those left out, its defaults. Raises ToolError with
        words that the model can act on.
        """
        from pydantic.fields import FieldInfo

        checked = self._validated(args)
        bound = BoundArguments(self._signature, {})
        for field, parameter in self._fields.items():
            if field in checked.model_fields_set or isinstance(parameter.default, FieldInfo):
                bound.arguments[parameter.name] = getattr(checked, field)
        bound.apply_defaults()
        return bound

    def _validated(self, args: Wire) -> BaseModel:
        from pydantic import ValidationError

        try:
            return self._model.model_validate(args)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
            raise ToolError(f"The arguments do not fit {self._name}: {'; '.join(faults)}.") from error
        except BaseException as error:  # a validator of the user's, which may raise anything
            if struck(error):
                raise
            raise ToolError(f"The arguments of {self._name} could not be checked: {words_of(error)}.") from error

    def converted(self, args: Wire) -> Json:
        """The arguments as the function gets them, as JSON, by the model's names for them. Raises as `check` does."""
        from pydantic_core import to_jsonable_python

        checked = self._validated(args).model_dump(by_alias=True, exclude_unset=True, warnings=False)
        return dict(to_jsonable_python(checked, fallback=repr))

    def call(self, bound: BoundArguments) -> Any:
        """What the function gives back for checked arguments."""
        return self._function(*bound.args, **bound.kwargs)

    # -- the model --------------------------------------------------------------------------------------------------

    def _make_model(self, hints: dict[str, Any], words: dict[str, str]) -> tuple[type[BaseModel], Wire]:
        """The model, and its schema as pydantic tells it."""
        hinted = {field: _hint(parameter, hints) for field, parameter in self._fields.items()}
        try:
            fields = {f: _field(p, hinted[f], words.get(p.name)) for f, p in self._fields.items()}
            model = _model_of(self._name, fields)
            schema = _schema_of(model)
        except Exception as error:  # pydantic's own, and what a hint of the user's raises when it is looked at
            raise self._unfit(hinted, error) from error
        self._check_names(model)
        return model, schema

    def _unfit(self, hinted: dict[str, Any], error: Exception) -> ToolError:
        """Which parameter it is that has no schema."""
        for field, parameter in self._fields.items():
            try:
                _schema_of(_model_of("one", {field: _field(parameter, hinted[field], None)}))
            except Exception as its:
                return self._refused(parameter, _why(hinted[field], its))
        return ToolError(f"{self._name} cannot be declared to the model: {words_of(error)}.")

    def _check_names(self, model: type[BaseModel]) -> None:
        seen: set[str] = set()
        for field, parameter in self._fields.items():
            name = model.model_fields[field].validation_alias
            if not isinstance(name, str):
                raise self._refused(parameter, "its alias is no single name. Give Field(alias=...) a text.")
            if not PARAMETER_NAME.fullmatch(name):
                odd = "".join(sorted({letter for letter in name if not PARAMETER_NAME.fullmatch(f"a{letter}")}))
                what = (
                    f"{name!r} holds {odd!r}" if odd else f"{name!r} has {len(name)} characters or begins with a digit"
                )
                raise self._refused(
                    parameter,
                    f"{what}. Gemini takes ASCII letters, digits and underscores, at most 64: rename it, or give it "
                    "another name for the model with Annotated[..., pydantic.Field(alias=...)].",
                )
            if name in seen:
                raise self._refused(parameter, f"{name!r} is the name of another one, too. Give each its own.")
            seen.add(name)

    def _refused(self, parameter: Parameter, why: str) -> ToolError:
        return ToolError(f"Parameter {parameter.name!r} of {self._name} cannot be declared to the model: {why}")


def _model_of(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    from pydantic import ConfigDict, create_model

    model: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return model


def _schema_of(model: type[BaseModel]) -> Wire:
    schema: Wire = model.model_json_schema(by_alias=True, schema_generator=_generator())
    return schema


@cache
def _generator() -> type[GenerateJsonSchema]:
    from pydantic.json_schema import GenerateJsonSchema
    from pydantic_core import PydanticSerializationError

    class Quiet(GenerateJsonSchema):
        """Leaves out defaults that are no JSON, without a word: they are the function's own business."""

        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

        def encode_default(self, dft: Any) -> Any:
            told = super().encode_default(dft)
            if any(strict_violations(told)):
                raise PydanticSerializationError("no JSON")
            return told

    return Quiet


def _without_titles(schema: Wire) -> Wire:
    """The schema as the model is told: the titles that pydantic makes of names say nothing."""
    schema.pop("title", None)
    for held in schema.get("properties", {}).values():
        held.pop("title", None)
    tidy: Wire = inlined(schema)
    return tidy


def _signature_of(function: Callable[..., Any], name: str) -> inspect.Signature:
    """The signature that a caller sees, without what a partial has given already."""
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError) as error:
        raise ToolError(
            f"{name} does not tell its parameters ({error}). Write a function around it, with type hints."
        ) from error
    given = set(_given(function))
    parameters = [p for p in signature.parameters.values() if p.name not in given]
    for parameter in parameters:
        if parameter.kind is Parameter.VAR_KEYWORD:
            raise ToolError(
                f"Parameter '**{parameter.name}' of {name} cannot be declared to the model, which has to be told every "
                "name. Give each parameter its own name, or take one dict."
            )
    return signature.replace(parameters=parameters)


def _given(function: Any) -> Iterator[str]:
    """The keywords that partials have given."""
    while (keywords := getattr(function, "keywords", None)) is not None and hasattr(function, "func"):
        yield from keywords
        function = function.func


def _hint(parameter: Parameter, hints: dict[str, Any]) -> Any:
    """The parameter's hint; without one the type of its default, where that is plain."""
    default = parameter.default
    if parameter.name in hints:
        hint = hints[parameter.name]
    else:
        hint = type(default) if isinstance(default, bool | int | float | str) else Any
    is_several = parameter.kind is Parameter.VAR_POSITIONAL
    return GenericAlias(list, (hint,)) if is_several else hint


def _field(parameter: Parameter, hint: Any, words: str | None) -> tuple[Any, Any]:
    """A field of pydantic's. What the user's own Field says comes last, and wins."""
    from pydantic import Field

    hint, metadata = (get_args(hint)[0], get_args(hint)[1:]) if get_origin(hint) is Annotated else (hint, ())
    if parameter.default is None and not _takes_none(hint):
        hint = Optional[hint]  # as people write it  # noqa: UP045
    said = next((text for m in metadata if isinstance(text := getattr(m, "documentation", None), str)), words)
    ours = Field(alias=parameter.name, description=said)
    default: Any = parameter.default
    if parameter.kind is Parameter.VAR_POSITIONAL:
        default = Field(default_factory=list)
    return Annotated[(hint, ours, *metadata)], ... if default is parameter.empty else default


def _takes_none(hint: Any) -> bool:
    return hint is Any or hint is None or hint is object or type(None) in get_args(hint)


def _why(hint: Any, error: Exception) -> str:
    from pydantic.errors import PydanticUserError

    shown = getattr(hint, "__name__", str(hint))
    said = "" if isinstance(error, PydanticUserError | TypeError) else f" ({words_of(error)})"
    return (
        f"it is a {shown}, which the model cannot write as JSON{said}. Use str, numbers, bool, list, dict, Literal, "
        "Enum, a TypedDict, a dataclass or a pydantic model."
    )
