"""A function is its signature: what it receives is what was approved, or it is refused where the tool is made."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import math
import typing
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
import typing_extensions
from pydantic import BaseModel, Field

import gemstream_widget as gem
from gemstream_widget._tools.tool import Tool

if TYPE_CHECKING:
    import nowhere


def received(function: Callable[..., Any], args: dict[str, Any]) -> Any:
    """What the function gives back for these arguments."""
    made = Tool(function)
    return made._signature.call(made.check(args))


def told(function: Callable[..., Any], args: dict[str, Any]) -> Any:
    """What the model is told of that."""
    made = Tool(function)
    return asyncio.run(made.run(made.check(args)))[0]["result"]


def shown(function: Callable[..., Any], name: str) -> Any:
    """The schema of one of its parameters."""
    return Tool(function).parameters["properties"][name]


# -- names -------------------------------------------------------------------------------------------------------------

NAMES = [
    "model_extra", "model_config", "model_fields", "model_dump", "schema", "json", "copy", "dict", "validate", "self_",
    "construct", "_private", "__dunder__", "_", "p0", "p1", "cls", "fields", "type", "id", "default", "x" * 64,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_reaches_the_function(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def plan(query: str, {name}: str = 'none'):\n    return query, {name}", scope)
    assert received(scope["plan"], {"query": "q", name: "given"}) == ("q", "given")
    assert received(scope["plan"], {"query": "q"}) == ("q", "none")
    assert shown(scope["plan"], name)["type"] == "string"


def test_names_that_differ_by_an_underscore_are_two() -> None:
    def both(_a: int, a: int, __a: int = 0) -> tuple[int, ...]:
        return _a, a, __a

    assert received(both, {"_a": 1, "a": 2, "__a": 3}) == (1, 2, 3)


@pytest.mark.parametrize(("name", "odd"), [("größe", "öß"), ("数", "数"), ("x" * 65, "65 characters")])
def test_a_name_that_gemini_does_not_take_is_refused_where_the_tool_is_made(name: str, odd: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def size({name}: int): ...", scope)
    with pytest.raises(gem.ToolError, match=f"Parameter '{name}' of size .*{odd}.*rename it"):
        Tool(scope["size"])


def test_another_name_for_the_model() -> None:
    def size(größe: Annotated[int, Field(alias="groesse")]) -> int:  # noqa: PLC2401
        return größe

    assert received(size, {"groesse": 3}) == 3
    assert Tool(size).parameters["required"] == ["groesse"]

    def twice(a: int, b: Annotated[int, Field(alias="a")]) -> int:
        return a + b

    with pytest.raises(gem.ToolError, match=r"'b' of twice .* name of another one"):
        Tool(twice)


# -- defaults ----------------------------------------------------------------------------------------------------------


def test_fields_as_defaults() -> None:
    def plan(city: str = Field("Oslo", description="which town"), days: int = Field(3, ge=1, le=9)) -> tuple[str, int]:
        return city, days

    assert received(plan, {}) == ("Oslo", 3)
    assert received(plan, {"days": 9}) == ("Oslo", 9)
    assert shown(plan, "city") == {"default": "Oslo", "description": "which town", "type": "string"}
    assert (shown(plan, "days")["minimum"], shown(plan, "days")["maximum"]) == (1, 9)
    with pytest.raises(gem.ToolError, match="days: Input should be less than or equal to 9"):
        Tool(plan).check({"days": 99})

    def lists(tags: list[str] = Field(default_factory=lambda: ["a"]), must: int = Field(...)) -> Any:  # noqa: B008
        return tags, must

    assert received(lists, {"must": 1}) == (["a"], 1)
    assert Tool(lists).parameters["required"] == ["must"]


def test_fields_in_annotated() -> None:
    def plan(
        city: Annotated[str, Field(description="which town", min_length=2)],
        days: Annotated[int, Field(ge=1)] = 3,
        doc: Annotated[str, typing_extensions.Doc("said so")] = "",
    ) -> tuple[str, int]:
        """Plan.

        Args:
            city: not this
            days: how many
        """
        return city, days

    assert received(plan, {"city": "Oslo"}) == ("Oslo", 3)
    assert shown(plan, "city")["description"] == "which town"
    assert shown(plan, "days")["description"] == "how many"
    assert shown(plan, "doc")["description"] == "said so"
    with pytest.raises(gem.ToolError, match="at least 2 characters"):
        Tool(plan).check({"city": "O"})


@pytest.mark.parametrize("hint", [str, str | None, str | int, list[str], Annotated[int, Field(ge=3)], Any])
def test_none_as_default_is_taken(hint: Any) -> None:
    def place(city: Any = None) -> Any:
        return city

    place.__annotations__["city"] = hint
    assert received(place, {}) is None
    assert received(place, {"city": None}) is None
    assert shown(place, "city")["default"] is None


def test_a_limit_holds_where_none_is_the_default() -> None:
    def place(days: Annotated[int, Field(ge=3, description="how many")] = None) -> Any:  # type: ignore[assignment]  # noqa: RUF013
        return days

    assert shown(place, "days")["description"] == "how many"
    with pytest.raises(gem.ToolError, match="greater than or equal to 3"):
        Tool(place).check({"days": 1})


SENTINEL = object()


@pytest.mark.parametrize(
    ("hint", "default"),
    [(int, SENTINEL), (float, math.nan), (float, math.inf), (str, len), (list[int], {1, 2}), (dict[str, int], {1: 2})],
)
def test_a_default_that_is_no_json_is_the_functions_own_business(hint: Any, default: Any) -> None:
    def take(value: Any = default, other: int = 0) -> Any:
        return value

    take.__annotations__["value"] = hint
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Tool(take)
    assert received(take, {}) is default
    assert "default" not in made.parameters["properties"]["value"] or made.parameters["properties"]["value"][
        "default"
    ] in ([1, 2], {"1": 2})
    assert "value" not in made.parameters.get("required", ())


def test_without_hints() -> None:
    def guess(a, b=3, c=SENTINEL, d="x"):  # type: ignore[no-untyped-def]
        return a, b, c, d

    assert received(guess, {"a": [1], "b": 4}) == ([1], 4, SENTINEL, "x")
    assert shown(guess, "b")["type"] == "integer"
    assert "type" not in shown(guess, "c")


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_positional_only_and_star() -> None:
    def pick(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int = 4) -> Any:
        return a, b, c, rest, d

    assert received(pick, {"a": 1}) == (1, 2, 3, (), 4)
    assert received(pick, {"a": 1, "c": 5, "rest": [6, 7], "d": 8}) == (1, 2, 5, (6, 7), 8)
    assert shown(pick, "rest") == {"items": {"type": "integer"}, "type": "array"}
    with pytest.raises(gem.ToolError, match=r"rest\.1"):
        Tool(pick).check({"a": 1, "rest": [1, "x"]})


def test_open_keywords_are_refused() -> None:
    def pick(a: int, **more: int) -> None: ...

    with pytest.raises(gem.ToolError, match=r"'\*\*more' of pick .* Give each parameter its own name"):
        Tool(pick)


def test_builtins_without_a_signature_are_refused() -> None:
    with pytest.raises(gem.ToolError, match="does not tell its parameters"):
        Tool(dict)


def test_generators_are_refused() -> None:
    def count() -> Any:
        yield 1

    async def later() -> Any:
        yield 1

    for function in (count, later, functools.partial(count)):
        with pytest.raises(gem.ToolError, match="is a generator"):
            Tool(function)


def weather(city: str, unit: str = "F", *, exact: bool = False) -> Any:
    """The weather.

    Args:
        city: which town
    """
    return city, unit, exact


class Station:
    """A station."""

    def __init__(self, unit: str = "K") -> None:
        self.unit = unit

    def __call__(self, city: str) -> Any:
        """Measure there."""
        return self.unit, city

    def at(self, city: str) -> Any:
        return self.unit, city

    @classmethod
    def of(cls, city: str) -> Any:
        return cls.__name__, city

    @staticmethod
    def plain(city: str) -> Any:
        return city


class Later:
    async def __call__(self, city: str) -> Any:
        await asyncio.sleep(0)
        return city


def test_partials() -> None:
    made = Tool(functools.partial(functools.partial(weather, unit="C"), exact=True))
    assert (made.name, made.doc, [*made.parameters["properties"]]) == ("weather", "The weather.", ["city"])
    assert made.parameters["properties"]["city"]["description"] == "which town"
    assert received(functools.partial(weather, unit="C"), {"city": "Oslo"}) == ("Oslo", "C", False)
    assert received(functools.partial(weather, "Oslo"), {"unit": "C"}) == ("Oslo", "C", False)


def test_objects_and_methods() -> None:
    made = Tool(Station())
    assert (made.name, made.doc) == ("Station", "Measure there.")
    assert received(Station("C"), {"city": "Oslo"}) == ("C", "Oslo")
    assert received(Station("C").at, {"city": "Oslo"}) == ("C", "Oslo")
    assert received(Station.of, {"city": "Oslo"}) == ("Station", "Oslo")
    assert received(Station.plain, {"city": "Oslo"}) == "Oslo"
    assert told(Later(), {"city": "Oslo"}) == "Oslo"


def plain_around(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def bare_around(function: Any) -> Any:
    def wrapper(city: str) -> Any:
        return function(city)

    return wrapper


async def look(city: str) -> str:
    await asyncio.sleep(0)
    return city.upper()


@pytest.mark.parametrize(
    "function",
    [plain_around(look), bare_around(look), functools.partial(plain_around(look)), plain_around(bare_around(look))],
)
def test_async_functions_under_plain_decorators_are_awaited(function: Any) -> None:
    assert told(function, {"city": "oslo"}) == "OSLO"


def test_a_plain_function_under_a_plain_decorator_keeps_its_signature() -> None:
    made = Tool(plain_around(weather))
    assert [*made.parameters["properties"]] == ["city", "unit", "exact"]
    assert received(plain_around(weather), {"city": "Oslo", "exact": True}) == ("Oslo", "F", True)


# -- hints -------------------------------------------------------------------------------------------------------------


def test_only_the_hints_of_parameters_are_read() -> None:
    def table(city: str) -> nowhere.DataFrame:  # type: ignore[name-defined]
        return city

    assert received(table, {"city": "Oslo"}) == "Oslo"

    def bad(frame: nowhere.DataFrame, city: str) -> None: ...  # type: ignore[name-defined]

    with pytest.raises(
        gem.ToolError, match=r"'frame' of bad cannot be read: name 'nowhere' is not defined.*TYPE_CHECK"
    ):
        Tool(bad)


def test_hints_may_name_what_is_around_the_function() -> None:
    class Local(enum.Enum):
        A = "a"

    def pick(kind: Local) -> Any:
        return kind, Local.A

    assert received(pick, {"kind": "a"}) == (Local.A, Local.A)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Order(BaseModel):
    item: str
    count: int = 1


class Old(typing.TypedDict, total=False):
    a: typing.Required[int]
    b: str


class Older(typing.TypedDict):
    old: Old
    more: typing.NotRequired[list[Old]]


class New(typing_extensions.TypedDict):
    a: int


@pytest.mark.parametrize(
    ("hint", "given", "got"),
    [
        (Color, "red", Color.RED),
        (Point, {"x": 1}, Point(1)),
        (Order, {"item": "tea"}, Order(item="tea")),
        (Old, {"a": 1}, {"a": 1}),
        (Older, {"old": {"a": 1, "b": "x"}, "more": [{"a": 2}]}, {"old": {"a": 1, "b": "x"}, "more": [{"a": 2}]}),
        (list[Old], [{"a": 1}], [{"a": 1}]),
        (Old | None, None, None),
        (dict[str, Old], {"k": {"a": 1}}, {"k": {"a": 1}}),
        (New, {"a": 1}, {"a": 1}),
        (Literal["a", 2], 2, 2),
        (tuple[int, str], [1, "a"], (1, "a")),
        (list[Point], [{"x": 1}], [Point(1)]),
    ],
)
def test_types_of_every_kind(hint: Any, given: Any, got: Any) -> None:
    def take(value: Any) -> Any:
        return value

    take.__annotations__["value"] = hint
    assert received(take, {"value": given}) == got


def test_a_key_that_has_to_be_there_is_asked_for() -> None:
    def take(value: Older) -> Any:
        return value

    with pytest.raises(gem.ToolError, match=r"value\.old\.a: Field required"):
        Tool(take).check({"value": {"old": {"b": "x"}}})


class Odd:
    pass


@pytest.mark.parametrize("hint", [Odd, list[Odd], Callable[[int], int], type(lambda: 0)])
def test_a_type_without_json_is_refused_by_its_parameter(hint: Any) -> None:
    def take(fine: int, value: Any) -> Any: ...

    take.__annotations__["value"] = hint
    with pytest.raises(gem.ToolError, match="Parameter 'value' of take cannot be declared to the model: it is a"):
        Tool(take)


# -- words -------------------------------------------------------------------------------------------------------------

DOCS = {
    "google": """Delete rows.

    Never call this before list_rows.

    Args:
        table (str): which table,
            on two lines
        count: how many. Note: at most 9

    Returns:
        count: how many were deleted
    """,
    "numpy": """Delete rows.

    Never call this before list_rows.

    Parameters
    ----------
    table : str
        which table,
        on two lines
    count : int, optional
        how many. Note: at most 9

    Returns
    -------
    count : int
        how many were deleted
    """,
    "sphinx": """Delete rows.

    Never call this before list_rows.

    :param table: which table,
        on two lines
    :param int count: how many. Note: at most 9
    :returns: how many were deleted
    :rtype: int
    """,
}


@pytest.mark.parametrize("doc", DOCS.values(), ids=DOCS)
def test_every_paragraph_before_the_sections_and_each_description(doc: str) -> None:
    def delete(table: str, count: int = 1) -> int: ...  # type: ignore[empty-body]

    delete.__doc__ = doc
    made = Tool(delete)
    assert made.doc == "Delete rows.\n\nNever call this before list_rows."
    assert made.parameters["properties"]["table"]["description"] == "which table, on two lines"
    assert made.parameters["properties"]["count"]["description"] == "how many. Note: at most 9"
    assert made.declaration["description"] == made.doc


@pytest.mark.parametrize(
    "doc",
    [
        "One line.",
        "One line: with a colon.\n\nA second one.\n\n    indented: as it is",
        "",
        "Head.\n\nNote:\n    first this",
    ],
)
def test_a_docstring_without_sections_is_all_words(doc: str) -> None:
    def delete(table: str) -> None: ...

    delete.__doc__ = doc
    assert Tool(delete).doc == doc
    assert "description" not in Tool(delete).parameters["properties"]["table"]


# -- what goes on the wire ---------------------------------------------------------------------------------------------


def test_beside_a_reference_stands_what_gemini_takes() -> None:
    def take(
        color: Annotated[Color, Field(examples=["red"], description="which")],
        plain: Color = Color.RED,
        default: int = 1,
    ) -> None: ...

    schema = Tool(take).parameters
    color = schema["properties"]["color"]
    assert (color["enum"], color["description"], color["examples"]) == (["red", "blue"], "which", ["red"])
    assert "$ref" not in color
    assert schema["properties"]["plain"] == {"$ref": "#/$defs/Color", "default": "red"}
    assert schema["properties"]["default"] == {"default": 1, "type": "integer"}


@pytest.mark.parametrize("raised", [KeyError("k"), ValueError("v"), SystemExit(1), RuntimeError("r"), AssertionError()])
def test_a_validator_that_raises_anything_fails_that_call(raised: BaseException) -> None:
    from pydantic import AfterValidator

    def check(value: int) -> int:
        raise raised

    def take(value: Annotated[int, AfterValidator(check)]) -> None: ...

    with pytest.raises(gem.ToolError, match="take"):
        Tool(take).check({"value": 1})
