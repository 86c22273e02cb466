"""A table in a prompt: what is told of it, what is cut, and what that costs."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from gemstream_widget._request.prompt import Named, prompt_of
from gemstream_widget._request.table import CELL, COLUMNS, LETTERS, ROWS

np: Any = pytest.importorskip("numpy", reason="numpy is not installed")
pd: Any = pytest.importorskip("pandas", reason="pandas is not installed")

MILLION = 1_250_000


@pytest.fixture(scope="module")
def pl() -> Any:
    return pytest.importorskip("polars", reason="polars is not installed")


def told(given: Any) -> tuple[str, list[str], str]:
    """The heading, the lines of the table and the attachment."""
    prompt = prompt_of(given)
    ((part,),) = (content["parts"] for content in prompt.contents)
    empty, heading, gap, *lines, end = part["text"].split("\n")
    assert (empty, gap, end) == ("", "", "")
    assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].replace("\\|", "").count("|")}
    (words,) = prompt.attachments
    return heading, lines, words


def cells(line: str) -> list[str]:
    return line[2:-2].split(" | ")


def test_a_table_has_its_shape_types_and_index() -> None:
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, 1.5]}, index=pd.Index(["a", "b"], name="key"))
    heading, lines, words = told(Named(frame, "orders"))
    assert heading == "Table orders: 2 rows x 2 columns. The first column is the index."
    assert lines == ["| key | n (int64) | x (float64) |", "| --- | --- | --- |", "| a | 1 | 0.5 |", "| b | 2 | 1.5 |"]
    assert words == "table orders, 2 x 2, 153 bytes"


def test_both_axes_may_have_levels_and_names_of_any_kind() -> None:
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])
    columns = pd.MultiIndex.from_tuples([("x", 1), ("x", 1)])
    heading, lines, _ = told(pd.DataFrame([[1, 2], [3, 4]], index=index, columns=columns))
    assert heading.endswith("The first 2 columns are the index.")
    assert cells(lines[0]) == ["k", "", "('x', 1) (int64)", "('x', 1) (int64)"]
    assert [cells(line) for line in lines[2:]] == [["a", "1", "1", "2"], ["b", "2", "3", "4"]]
    _, lines, _ = told(pd.DataFrame([[1, 2, 3, 4]], columns=["1", 1, None, pd.Timestamp(0)]))
    assert [cell.rpartition(" ")[0] for cell in cells(lines[0])[1:]] == ["1", "1", "None", "1970-01-01 00:00:00"]


def test_what_was_left_out_is_said() -> None:
    heading, lines, words = told(Named(pd.DataFrame(np.zeros((MILLION, 40))), "w"))
    assert heading.startswith(
        "Table w: 1,250,000 rows x 40 columns. Shown: the first 20 of 1,250,000 rows and 30 of 40 columns."
    )
    assert (len(lines), len(cells(lines[0]))) == (ROWS + 2, COLUMNS + 1)
    assert words.startswith("table w, 1,250,000 x 40, first 20 rows, 30 of 40 columns, ")
    heading, lines, words = told(pd.DataFrame({"a": range(ROWS)}))
    assert "Shown" not in heading
    assert "first" not in words
    assert len(lines) == ROWS + 2


def test_rows_that_do_not_fit_are_left_out() -> None:
    frame = pd.DataFrame({f"c{i}": ["x" * CELL] * ROWS for i in range(COLUMNS)})
    heading, lines, words = told(frame)
    assert f"the first {len(lines) - 2} of {ROWS} rows" in heading
    assert f"first {len(lines) - 2} rows" in words
    length = sum(map(len, lines))
    assert 3 < len(lines) - 2 < ROWS
    assert LETTERS - 4000 < length <= LETTERS


def test_a_table_without_rows_says_so(pl: Any) -> None:
    heading, lines, words = told(pd.DataFrame({"a": pd.Series([], dtype="int64")}))
    assert heading.startswith("Table: 0 rows x 1 column.")
    assert lines == ["|  | a (int64) |", "| --- | --- |"]
    assert words.startswith("table, 0 x 1, ")
    assert told(pd.DataFrame())[0].startswith("Table: 0 rows x 0 columns.")
    assert told(pl.DataFrame({"a": []}))[2].startswith("table, 0 x 1, ")


def test_missing_values_differ_from_each_other_and_from_text(pl: Any) -> None:
    values = [float("nan"), pd.NaT, None, pd.NA, "NaN", "NaT", "None", "<NA>", "null", ""]
    _, lines, _ = told(pd.DataFrame({"a": pd.Series(values, dtype=object)}))
    shown = [cells(line)[1] for line in lines[2:]]
    assert shown == ["NaN", "NaT", "None", "<NA>", "'NaN'", "'NaT'", "'None'", "'<NA>'", "'null'", ""]
    assert [cells(line)[0] for line in told(pl.DataFrame({"a": [None, "null"]}))[1][2:]] == ["null", "'null'"]
    times = pd.DataFrame({"t": pd.to_datetime(["2026-01-02", None])})
    assert [cells(line)[1] for line in told(times)[1][2:]] == ["2026-01-02 00:00:00", "NaT"]


def test_nothing_in_a_cell_breaks_the_table() -> None:
    nasty = ["a|b", "a\nb", "`a`", "\\", "a\r\n\t\x00", "\u2028", "\ud800", "| --- |"]
    _, lines, _ = told(pd.DataFrame({"a|\n`": nasty}))
    assert lines[0] == "|  | a\\|\\n\\` (str) |" or lines[0] == "|  | a\\|\\n\\` (object) |"
    assert [line.split(" | ", 1)[1] for line in lines[2:]] == [
        "a\\|b |", "a\\nb |", "\\`a\\` |", "\\\\ |", "a\\r\\n\\t\\u0000 |", "\\u2028 |", "\ufffd |", "\\| --- \\| |",
    ]  # fmt: skip


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_values_of_any_kind_are_brief() -> None:
    values = [
        "x" * 5000, list(range(9)), {"a": {"b": {"c": [1]}}}, (1,), {1}, b"\x00\xff" * 999, np.arange(9), 10**5000,
        Unshowable(), np.float32(0.1), 0.1 + 0.2, True,
    ]  # fmt: skip
    _, lines, _ = told(pd.DataFrame({"a": pd.Series(values, dtype=object)}))
    shown = [line.split(" | ", 1)[1][:-2] for line in lines[2:]]
    assert shown[0] == "x" * (CELL - 1) + "…"
    assert shown[1:5] == ["[0, 1, 2, 3, 4, 5, …]", "{'a': {'b': {…}}}", "(1,)", "{1}"]
    assert shown[5].startswith("b'\\\\x00\\\\xff")
    assert shown[6] == "[0, 1, 2, 3, 4, 5, …]"
    assert shown[7] == "<int that cannot be shown: ValueError>"
    assert shown[8] == "<Unshowable that cannot be shown: RuntimeError>"
    assert shown[9:] == ["0.1", "0.30000000000000004", "True"]
    assert max(map(len, shown)) <= 2 * CELL


def test_polars_has_no_index(pl: Any) -> None:
    heading, lines, words = told(Named(pl.DataFrame({"a": [1], "l": [[1, 2]], "s": ["x" * 5000]}), "p"))
    assert heading == "Table p: 1 row x 3 columns."
    assert cells(lines[0]) == ["a (Int64)", "l (List(Int64))", "s (String)"]
    assert cells(lines[2]) == ["1", "[1, 2]", "x" * (CELL - 1) + "…"]
    assert words.startswith("table p, 1 x 3, ")
    letters = pl.Series("e", ["a"], dtype=pl.Enum([str(i) for i in range(1000)] + ["a"]))
    assert cells(told(letters)[1][0]) == ["e (Enum)"]


def test_a_name_stays_on_its_line(pl: Any) -> None:
    heading, _, words = told(Named(pl.DataFrame(), "f(\n  x" + "x" * 100 + ")"))
    assert heading.startswith("Table f( xxx")
    assert words.startswith("table f( xxx")
    assert len(heading) < 120


def test_a_series_is_told_by_its_name() -> None:
    heading, lines, words = told(pd.Series([1.5], name="price", index=["a"]))
    assert heading == "Series price: 1 row x 1 column. The first column is the index."
    assert lines[0] == "|  | price (float64) |"
    assert words.startswith("series price, 1, ")
    assert told(pd.Series([1]))[2].startswith("series, 1, ")


def test_an_array_is_told_by_its_numbers() -> None:
    heading, lines, words = told(Named(np.arange(4.0).reshape(2, 2), "m"))
    assert (heading, words) == ("Array m: 2 rows x 2 columns.", "array m, 2 x 2, 103 bytes")
    assert lines == ["| 0 (float64) | 1 (float64) |", "| --- | --- |", "| 0.0 | 1.0 |", "| 2.0 | 3.0 |"]
    assert told(np.arange(50))[2].startswith("array, 50, first 20 rows, ")
    grey = np.zeros((4, 4), dtype="uint8")
    assert told(grey)[1][0].startswith("| 0 (uint8) |")
    masked = np.ma.array([1, 2], mask=[True, False])
    assert told(masked)[1][2:] == ["| None |", "| 2 |"]
    records = np.array([(1, "a")], dtype=[("n", int), ("s", "U1")])
    assert told(records)[1] == ["| n (int64) | s (<U1) |", "| --- | --- |", "| 1 | a |"]


def large(kind: str) -> Any:
    """A table of 1,250,000 rows (the first of 200 MB), or with cells of many megabytes."""
    words = [f"text {i}" for i in range(MILLION)] if kind in ("text", "object", "category", "levels", "polars") else []
    match kind:
        case "numbers":
            return pd.DataFrame({f"c{i}": np.arange(MILLION, dtype="float64") for i in range(20)})
        case "text" | "object" | "category":
            return pd.DataFrame({"s": pd.Series(words, dtype="str" if kind == "text" else kind)})
        case "levels":
            return pd.DataFrame({"a": words, "b": range(MILLION), "c": 1}).set_index(["a", "b"])
        case "nested":
            return pd.DataFrame({"l": pd.Series([[1, 2, 3]] * MILLION, dtype=object)})
        case "wide":
            return pd.DataFrame(np.zeros((20, MILLION)))
        case "cells":
            held: list[Any] = ["x" * 50_000_000, list(range(1_000_000)), np.zeros(1_000_000), b"x" * 50_000_000]
            return pd.DataFrame({"a": pd.Series([*held, set(range(500_000)), dict.fromkeys(range(500_000))])})
        case "polars":
            return pytest.importorskip("polars", reason="polars is not installed").DataFrame(
                {"s": words, "n": range(MILLION)}
            )
    return np.zeros((MILLION, 20))


@pytest.mark.parametrize(
    "kind", ["numbers", "text", "object", "category", "levels", "nested", "wide", "cells", "polars", "array"]
)
def test_a_large_table_costs_no_more_than_a_small_one(kind: str) -> None:
    """Measured at 0.2 to 1.5 ms and below 50 kB; the bounds leave room for a busy machine. A pass over the smallest of
    these tables costs more than either: the control below.
    """
    table = large(kind)
    prompt_of(table)  # what is made once for a table (wide: its column names) is not counted
    tracemalloc.start()
    prompt_of(table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    started = time.process_time()
    prompt_of(table)
    took_s = time.process_time() - started
    assert peak < 200_000
    assert took_s < 0.1


def test_a_pass_over_a_large_table_would_be_seen() -> None:
    table = large("text")
    tracemalloc.start()
    table.memory_usage(deep=True)
    list(table["s"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 5_000_000
