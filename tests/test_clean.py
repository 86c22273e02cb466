"""Whatever comes becomes plain JSON, or a note where it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gemstream_widget._plain import MAX_DEPTH, clean


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


def test_the_largest_numbers_and_the_deepest_nesting_that_are_kept_stay_as_they_are() -> None:
    assert clean(2**1023) == 2**1023
    assert clean(2**1024) == hex(2**1024)
    assert clean(deep(MAX_DEPTH)) == deep(MAX_DEPTH)
    assert "too deeply" in json.dumps(clean(deep(MAX_DEPTH + 1)))
