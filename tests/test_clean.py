"""Whatever comes becomes plain JSON, or a note where it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gemstream_widget._plain import MAX_DEPTH, clean, with_digits


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def itself() -> Any:
    held: dict[str, Any] = {"a": 1}
    held["b"] = [held, {"c": held}]
    return held


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**5000), float("nan"), "\ud83d", {1: {None: (1, 2)}}, itself(), deep(3000), Unshowable(), b"\xff"],
    ids=["int", "negative int", "NaN", "surrogate", "keys", "itself", "deep", "unshowable", "bytes"],
)
def test_anything_becomes_json_that_a_page_takes(value: Any) -> None:
    json.dumps(clean({"value": value, Unshowable: value}), allow_nan=False, ensure_ascii=False).encode()


def test_a_value_that_holds_itself_is_cut_where_it_does() -> None:
    assert clean(itself()) == {"a": 1, "b": ["(holds itself)", {"c": "(holds itself)"}]}


def test_a_value_that_is_held_twice_is_kept_twice() -> None:
    shared = {"a": 1}
    assert clean([shared, shared]) == [shared, shared]


@pytest.mark.parametrize("number", [2**53, -(2**53), 7310582946120375811, 10**30, -(10**300)])
def test_numbers_that_a_page_would_round_go_there_as_digits_with_their_places(number: int) -> None:
    value = {"a": number, "b": [1, {"c": number}], "d": str(number), "e": number - number, "f": 1e300}
    shown, paths = with_digits(value)
    assert paths == [["a"], ["b", 1, "c"]]
    assert shown == {**value, "a": str(number), "b": [1, {"c": str(number)}]}
    assert with_digits(number) == (str(number), [[]])


def test_numbers_that_a_page_reads_exactly_stay_numbers() -> None:
    value = {"a": 2**53 - 1, "b": [-(2**53) + 1, True, None, 0.5]}
    assert with_digits(value) == (value, [])
    assert with_digits(value)[0] is value


def test_the_largest_numbers_and_the_deepest_nesting_that_are_kept_stay_as_they_are() -> None:
    assert clean(2**13_999) == 2**13_999
    assert json.dumps(clean(-(2**13_999)))
    assert clean(2**14_000) == hex(2**14_000)
    assert clean(deep(MAX_DEPTH)) == deep(MAX_DEPTH)
    assert "too deeply" in json.dumps(clean(deep(MAX_DEPTH + 1)))
