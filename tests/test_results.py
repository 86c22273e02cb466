"""What the model and the person are told of a result: its labels, what was cut of it, and never by holding the loop."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._tools.results import MODEL_LIMIT, readable
from tests.wire import call, chunk, text

CITIES = pd.DataFrame({"city": ["Oslo", "Rome", "Oslo"], "t": [1, 4, 1], "u": [1.5, None, 2.5]})


def response(value: Any) -> Any:
    """What the model reads: JSON, whatever came."""
    told = readable(value)[0]
    json.dumps(told, allow_nan=False)
    return told


# -- labels ------------------------------------------------------------------------------------------------------------

TABLES: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "a plain frame",
        CITIES[["city", "t"]],
        {"columns": ["city", "t"], "rows": [["Oslo", 1], ["Rome", 4], ["Oslo", 1]]},
    ),
    (
        "sums by a group",
        CITIES.groupby("city")[["t"]].sum(),
        {"columns": ["city", "t"], "rows": [["Oslo", 2], ["Rome", 4]], "index": ["city"]},
    ),
    (
        "a filtered frame",
        CITIES[CITIES.t > 1][["t"]],
        {"columns": ["index", "t"], "rows": [[1, 4]], "index": ["index"]},
    ),
    (
        "an index named as a column",
        CITIES.set_index("city", drop=False)[["city"]].head(1),
        {"columns": ["city", "city"], "rows": [["Oslo", "Oslo"]], "index": ["city"]},
    ),
    (
        "two levels of rows",
        CITIES.groupby(["city", "t"])[["u"]].max(),
        {"columns": ["city", "t", "u"], "rows": [["Oslo", 1, 2.5], ["Rome", 4, None]], "index": ["city", "t"]},
    ),
    (
        "levels without names",
        pd.DataFrame({"v": [1]}, index=pd.MultiIndex.from_tuples([("a", 2)])),
        {"columns": ["level_0", "level_1", "v"], "rows": [["a", 2, 1]], "index": ["level_0", "level_1"]},
    ),
    (
        "two levels of columns",
        CITIES.groupby("city").agg({"t": ["min", "max"]}),
        {"columns": ["city", "t / min", "t / max"], "rows": [["Oslo", 1, 1], ["Rome", 4, 4]], "index": ["city"]},
    ),
    (
        "a pivot",
        CITIES.drop_duplicates("city").pivot(index="city", columns="t", values="u"),
        {
            "columns": ["city", "1", "4"],
            "rows": [["Oslo", 1.5, None], ["Rome", None, None]],
            "index": ["city"],
            "column_levels": ["t"],
        },
    ),
    (
        "counts",
        CITIES.city.value_counts(),
        {"columns": ["city", "count"], "rows": [["Oslo", 2], ["Rome", 1]], "index": ["city"]},
    ),
    (
        "a series without a name",
        pd.Series([1, 2], index=["a", "b"]),
        {"columns": ["index", "value"], "rows": [["a", 1], ["b", 2]], "index": ["index"]},
    ),
    ("a plain series", pd.Series([1, 2], name="n"), {"columns": ["n"], "rows": [[1], [2]]}),
    (
        "times and what is missing",
        pd.DataFrame({"at": [pd.Timestamp("2026-11-25"), pd.NaT], "n": pd.array([1, None], dtype="Int64")}),
        {"columns": ["at", "n"], "rows": [["2026-11-25 00:00:00", 1], [None, None]]},
    ),
    ("no rows", CITIES[["t"]].head(0), {"columns": ["t"], "rows": []}),
    ("no columns", pd.DataFrame(index=["a"]), {"columns": ["index"], "rows": [["a"]], "index": ["index"]}),
    ("columns of one name", pd.DataFrame([[1, 2]], columns=["a", "a"]), {"columns": ["a", "a"], "rows": [[1, 2]]}),
    ("polars", pl.DataFrame({"city": ["Oslo"], "t": [None]}), {"columns": ["city", "t"], "rows": [["Oslo", None]]}),
    ("a series of polars", pl.Series("t", [1, 2]), {"columns": ["t"], "rows": [[1], [2]]}),
]


@pytest.mark.parametrize(("value", "told"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_tables_keep_their_labels(value: Any, told: dict[str, Any]) -> None:
    model, person = readable(value)
    assert model == {**told, "row_count": len(told["rows"])}
    assert person == {
        "kind": "table", "columns": told["columns"], "rows": told["rows"], "row_count": len(told["rows"])
    }  # fmt: skip
    json.dumps(model, allow_nan=False)


def test_tables_inside_others_keep_them_too() -> None:
    told = response({"sums": CITIES.groupby("city")[["t"]].sum(), "all": [np.array([1, 2])]})
    assert told["sums"]["index"] == ["city"]
    assert told["all"] == [{"result": [1, 2], "shape": [2], "dtype": "int64"}]


def test_arrays_keep_their_shape() -> None:
    assert response(np.arange(6).reshape(2, 3)) == {"result": [[0, 1, 2], [3, 4, 5]], "shape": [2, 3], "dtype": "int64"}
    assert response(np.array([1.5, np.nan, np.inf])) == {"result": [1.5, None, "inf"], "shape": [3], "dtype": "float64"}
    assert response(np.float64(1.5)) == response(np.array(1.5)) == {"result": 1.5}
    assert response(np.array([], dtype=float))["shape"] == [0]


# -- what is cut -------------------------------------------------------------------------------------------------------


def test_what_is_cut_of_a_table_says_so() -> None:
    frame = pd.DataFrame({f"c{n}": range(1000) for n in range(300)}, index=[f"r{n}" for n in range(1000)])
    model, person = readable(frame)
    assert len(json.dumps(model)) <= MODEL_LIMIT
    assert model["row_count"] == 1000
    rows = len(model["rows"])
    assert model["cut"] == f"These are the first {rows:,} of 1,000 rows and 100 of 300 columns."
    assert (person["row_count"], len(person["rows"]), person["columns"][-1]) == (1000, 20, "271 more columns")
    assert {len(row) for row in person["rows"]} == {31}
    wide = response(pd.DataFrame({"text": ["x" * 100_000] * 3}))
    assert wide["rows"][0][0].endswith("... (100,000 characters)")


LARGE: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (lambda: list(range(3_000_000)), "of 3,000,000 members of a list"),
    "a dict": (lambda: dict.fromkeys(range(3_000_000), 1), "of 3,000,000 members of a dict"),
    "lists in a list": (lambda: [list(range(1000))] * 3000, "of 3,000 members of a list"),
    "a text": (lambda: "x" * 30_000_000, "30,000,000 characters"),
    "a text inside": (lambda: {"a": "x" * 30_000_000}, "of 30,000,000 characters of a str"),
    "bytes": (lambda: {"a": b"x" * 30_000_000}, "of 30,000,000 characters of a bytes"),
    "an array": (lambda: np.zeros(3_000_000), "of 3,000,000 along axis 0"),
    "an array of rows": (lambda: np.zeros((3, 1_000_000)), "of 3,000,000 values"),
    "a frame": (lambda: pd.DataFrame({"a": np.arange(3_000_000)}), "of 3,000,000 rows"),
    "a frame of polars": (lambda: pl.DataFrame({"a": np.arange(3_000_000)}), "of 3,000,000 rows"),
    "a series": (lambda: pd.Series(np.arange(3_000_000), index=np.arange(3_000_000)[::-1]), "of 3,000,000 rows"),
}  # fmt: skip


@pytest.mark.timed
@pytest.mark.parametrize("name", LARGE)
def test_large_results_are_cut_say_so_and_hold_nobody(name: str) -> None:
    make, said = LARGE[name]
    value = make()
    began = time.perf_counter()
    model, person = readable(value)
    took_s = time.perf_counter() - began
    assert said in model["cut"]
    assert len(json.dumps(model)) < MODEL_LIMIT * 2
    assert took_s < 0.5
    cut = person.get("cut") or person["row_count"] > len(person.get("rows", ())) or "These are" in person["text"]
    assert cut or "the first" in person["text"]


@pytest.mark.timed
def test_a_result_is_made_readable_beside_the_loop() -> None:
    """Also where it takes long: the class of somebody that is slow to tell what it is."""

    class Slow(dict[str, Any]):
        def items(self) -> Any:
            time.sleep(0.3)
            return super().items()

    def slow() -> Any:
        return Slow(a=1)

    async def main() -> float:
        source = ListSource([chunk(call("slow", {}), finish="STOP")], [chunk(text("ok"), finish="STOP")])
        run = gem.Chat(source=source, tools=[slow]).send("go")
        worst = 0.0
        while not run.done:
            before = time.perf_counter()
            await asyncio.sleep(0.005)
            worst = max(worst, time.perf_counter() - before)
        assert run.tool_calls[0].result == {"a": 1}
        return worst

    assert asyncio.run(main()) < 0.2
