"""Random signatures: what a function receives is what was approved, or it is refused where the tool is made."""

from __future__ import annotations

import keyword
import math
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typing_extensions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import gemstream_widget as gem
from gemstream_widget._tools.tool import Tool
from tests.test_signature import Color, Point


class Old(typing.TypedDict):
    a: int


class New(typing_extensions.TypedDict, total=False):
    b: str


class Kind(typing.NamedTuple):
    """One kind of hint: values as JSON has them, and what the function gets for each."""

    hint: Any
    values: st.SearchStrategy[Any]
    got: Callable[[Any], Any] = lambda value: value


_INTS = st.integers(-(2**70), 2**70)
_TEXTS = st.text(max_size=5)
_POINTS = st.fixed_dictionaries({"x": _INTS}, optional={"y": _INTS})
KINDS = [
    Kind(int, _INTS),
    Kind(str, _TEXTS),
    Kind(bool, st.booleans()),
    Kind(float, st.floats(allow_nan=False, allow_infinity=False)),
    Kind(Any, st.recursive(_INTS | _TEXTS | st.none(), lambda held: st.lists(held, max_size=2), max_leaves=3)),
    Kind(int | None, _INTS | st.none()),
    Kind(Literal["a", 2], st.sampled_from(["a", 2])),
    Kind(Color, st.sampled_from(["red", "blue"]), Color),
    Kind(list[Color], st.lists(st.sampled_from(["red"]), max_size=2), lambda held: [Color(one) for one in held]),
    Kind(Point, _POINTS, lambda held: Point(**held)),
    Kind(
        dict[str, Point], st.dictionaries(_TEXTS, _POINTS, max_size=2), lambda h: {k: Point(**v) for k, v in h.items()}
    ),
    Kind(Old, st.fixed_dictionaries({"a": _INTS})),
    Kind(New, st.fixed_dictionaries({}, optional={"b": _TEXTS})),
    Kind(Annotated[int, Field(ge=3, description="some")], st.integers(3, 9)),
]

_ODD_NAMES = [
    *(name for name in dir(BaseModel) if name.isidentifier()), "model_config", "self", "cls", "p0", "p1", "args",
    "kwargs", "_", "__", "_a", "a", "default", "title", "type", "ref", "größe", "数", "x" * 64, "x" * 65,
]  # fmt: skip
NAMES = (
    st.sampled_from(_ODD_NAMES) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
).filter(lambda name: not keyword.iskeyword(name) and name != "__debug__")  # fmt: skip
LEFT_OUT, SENTINEL = object(), object()


class Parameter(typing.NamedTuple):
    name: str
    kind: str  # "/", "" or "*", and "*args"
    hint: Kind
    default: Any
    value: Any  # as JSON, or LEFT_OUT
    gets: Any


@st.composite
def parameters(draw: st.DrawFn) -> list[Parameter]:
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    ranks = sorted(draw(st.sampled_from(["/", "", "args", "*"])) for _ in names)
    ranks = sorted(ranks, key=["/", "", "args", "*"].index)
    made: list[Parameter] = []
    optional = False
    for name, rank in zip(names, ranks, strict=True):
        kind = rank if rank != "args" or not any(p.kind == "args" for p in made) else "*"
        hint = draw(st.sampled_from(KINDS))
        value = draw(hint.values)
        got = hint.got(value)
        if kind == "args":
            values = draw(st.lists(hint.values, max_size=3))
            made.append(Parameter(name, kind, hint, LEFT_OUT, values, tuple(map(hint.got, values))))
            continue
        has_default = optional or draw(st.booleans())
        optional = has_default and kind != "*"
        default = LEFT_OUT
        if has_default:
            default = draw(st.sampled_from([got, None, SENTINEL, math.nan, "field"]))
            if default == "field" and type(default) is str:
                default = Field(got, description="a field")
            if draw(st.booleans()):
                value, got = LEFT_OUT, (got if type(default).__name__ == "FieldInfo" else default)
        made.append(Parameter(name, kind, hint, default, value, got))
    return made


def function_of(made: list[Parameter]) -> Callable[..., Any]:
    """A function with these parameters that gives back what it got."""
    parts, scope = [], dict[str, Any]()
    kinds = [p.kind for p in made]
    for n, p in enumerate(made):
        if p.kind == "*" and "*" not in kinds[:n] and "args" not in kinds:
            parts.append("*")
        default = "" if p.default is LEFT_OUT else f" = d{n}"
        scope |= {f"h{n}": p.hint.hint, f"d{n}": p.default}
        parts.append(f"{'*' if p.kind == 'args' else ''}{p.name}: h{n}{default}")
        if p.kind == "/" and "/" not in kinds[n + 1 :]:
            parts.append("/")
    exec(f"def tried({', '.join(parts)}):\n    return [{', '.join(p.name for p in made)}]", scope)
    function: Callable[..., Any] = scope["tried"]
    return function


def same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and one == other)


def faults_of(made: list[Parameter]) -> list[str]:
    """What is wrong with a tool of this signature, called with these values."""
    shown = ", ".join(f"{p.kind} {p.name}: {p.hint.hint} = {p.default!r}" for p in made)
    is_refused = any(not p.name.isascii() or len(p.name) > 64 for p in made)
    try:
        tool = Tool(function_of(made))
    except gem.ToolError as error:
        told = "cannot be declared to the model" in str(error)
        return [] if is_refused and told else [f"{shown}: refused, {error}"]
    if is_refused:
        return [f"{shown}: not refused"]
    faults = []
    if {*tool.parameters.get("properties", {})} != {p.name for p in made}:
        faults.append(f"{shown}: declared as {tool.parameters}")
    args = {p.name: p.value for p in made if p.value is not LEFT_OUT}
    got = tool._signature.call(tool.check(args))
    pairs = zip(made, got, strict=True)
    return faults + [f"{shown}: {p.name} was {one!r}, not {p.gets!r}" for p, one in pairs if not same(one, p.gets)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(parameters())
def test_what_it_receives_is_what_was_approved_or_it_is_refused(made: list[Parameter]) -> None:
    assert not faults_of(made)


def test_another_value_would_be_noticed() -> None:
    p = Parameter("a", "", KINDS[0], LEFT_OUT, 1, 1)
    assert not faults_of([p])
    assert faults_of([p._replace(gets=1.0)])
    assert faults_of([p._replace(gets=2)])
    assert not faults_of([p._replace(name="größe")])
