"""Tables as Markdown: DataFrames and Series of pandas and polars, numpy arrays of one or two dimensions.

A table is told by its shape, its types and its first rows, with its index. Only the cells that are shown are looked at,
one by one: to list the index of a slice of a MultiIndex costs as much as the whole of it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from .._plain import clean_text, counted, shorten
from .item import Item, Unsendable, in_words, is_a

__all__ = ["CELL", "COLUMNS", "LETTERS", "ROWS", "is_table", "table"]

ROWS = 20
"""Rows that are shown, from the first."""
COLUMNS = 30
CELL = 100
"""Characters of one cell, or of a column's name."""
LETTERS = 20_000
"""Characters of the whole table: rows that do not fit are left out."""

_FEW = 6
"""Members of a value in a cell that are shown, at each of two depths."""
_BRACKETS: tuple[tuple[type, str], ...] = (
    (dict, "{}"), (list, "[]"), (deque, "[]"), (tuple, "()"), (set, "{}"), (frozenset, "{}"),
)  # fmt: skip
_MISSING = {"NaN", "nan", "NaT", "None", "<NA>", "null"}
_ESCAPES = {"\\": "\\\\", "|": "\\|", "`": "\\`", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r"[\\|`\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table as far as it is shown. `cell(row, column)` and `label(row)` look one up."""

    kind: str
    shape: tuple[int, ...]
    names: Sequence[Any]
    types: Sequence[str]
    cell: Callable[[int, int], Any]
    levels: Sequence[Any] = ()
    """The names of the index's levels."""
    label: Callable[[int], Sequence[Any]] = lambda row: ()

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def columns(self) -> int:
        return self.shape[1] if len(self.shape) > 1 else len(self.names)


def is_table(value: Any) -> bool:
    """Whether `table` takes this value. An array of more dimensions is one as well, and refused with a reason."""
    return is_a(value, "pandas", "DataFrame", "Series") or is_a(value, "polars", "DataFrame", "Series") or (
        is_a(value, "numpy", "ndarray") and value.ndim > 0
    )  # fmt: skip


def table(value: Any, name: str | None) -> Item:
    """The table as a text part. Takes time and memory for the rows that are shown, whatever the table's size."""
    grid = _grid(value)
    if grid.kind == "series" and name is None and value.name is not None:
        name = _escape(_name(value.name)) or None
    head = [_header(name, kind) for name, kind in zip(grid.names, grid.types, strict=True)]
    top = [
        _line([*(_escape(_name(level)) for level in grid.levels), *head]),
        _line(["---"] * (len(grid.levels) + len(head))),
    ]
    lines: list[str] = []
    room = LETTERS - sum(map(len, top))
    for row in range(min(grid.rows, ROWS)):
        cells = [*grid.label(row), *(grid.cell(row, column) for column in range(len(head)))]
        lines.append(_line([_escape(_brief(cell, depth=2, quoted=False)) for cell in cells]))
        room -= len(lines[-1]) + 1
        if room < 0:
            lines.pop()
            break
    shown = len(lines)
    text = "\n".join(["", _heading(grid, name, shown), "", *top, *lines, ""])
    return Item([{"text": text}], ", ".join([*_words(grid, name, shown), in_words(len(text.encode()))]))


def _grid(value: Any) -> _Grid:
    if is_a(value, "numpy", "ndarray"):
        return _array(value)
    return _pandas(value) if is_a(value, "pandas", "DataFrame", "Series") else _polars(value)


def _pandas(value: Any) -> _Grid:
    index = value.index
    if value.ndim == 1:
        kind, names, columns = "series", ["value" if value.name is None else value.name], [value.array]
    else:
        shown = range(min(value.shape[1], COLUMNS))
        kind, names, columns = "table", [value.columns[j] for j in shown], [value.iloc[:, j].array for j in shown]
    levels = ["" if level is None else level for level in index.names]
    return _Grid(
        kind, value.shape, names, [shorten(str(column.dtype), 40) for column in columns],
        lambda row, column: columns[column][row], levels,
        lambda row: index[row] if len(levels) > 1 else (index[row],),
    )  # fmt: skip


def _polars(value: Any) -> _Grid:
    if is_a(value, "polars", "Series"):
        kind, columns = "series", [value.head(ROWS)]
    else:
        kind, columns = "table", value.head(ROWS)[:, :COLUMNS].get_columns()
    types = [_polars_type(column.dtype) for column in columns]
    # a text of 100 MB would be copied whole for its first letters
    columns = [c.str.head(CELL + 1) if is_a(c.dtype, "polars", "String") else c for c in columns]
    names = [column.name or "value" if kind == "series" else column.name for column in columns]
    return _Grid(kind, value.shape, names, types, lambda row, column: _polars_cell(columns[column][row]))


def _polars_type(dtype: Any) -> str:
    name = type(dtype).__name__
    return name if name in ("Enum", "Categorical") else shorten(str(dtype), 40)  # the others would list all they hold


def _polars_cell(value: Any) -> Any:
    return _Null() if value is None else value


class _Null:
    """What polars calls None."""

    def __str__(self) -> str:
        return "null"


def _array(value: Any) -> _Grid:
    if value.ndim > 2:
        raise Unsendable(
            f"an array of {value.ndim} dimensions, {_by(value.shape)}. Give an image as PIL.Image.fromarray(array), "
            "and numbers as one or two dimensions of it."
        )
    fields = value.dtype.names
    if fields and value.ndim == 1:
        shown = fields[:COLUMNS]
        types = [shorten(str(value.dtype[field]), 40) for field in shown]
        return _Grid("array", (len(value), len(fields)), shown, types, lambda row, column: value[row][shown[column]])
    kind = shorten(str(value.dtype), 40)
    if value.ndim == 1:
        return _Grid("array", value.shape, ["value"], [kind], lambda row, column: value[row])
    columns = range(min(value.shape[1], COLUMNS))
    return _Grid("array", value.shape, columns, [kind] * len(columns), lambda row, column: value[row, column])


def _heading(grid: _Grid, name: str | None, shown: int) -> str:
    """What is below, and what was left out."""
    size = f"{counted(grid.rows, 'row')} x {counted(grid.columns, 'column')}"
    said = [f"{grid.kind.capitalize()}{f' {name}' if name else ''}: {size}."]
    if cut := _cut(grid, shown):
        said.append(f"Shown: {' and '.join(cut)}.")
    if len(grid.levels) == 1:
        said.append("The first column is the index.")
    elif grid.levels:
        said.append(f"The first {len(grid.levels)} columns are the index.")
    return " ".join(said)


def _cut(grid: _Grid, shown: int) -> list[str]:
    """What of the table is shown, where that is not all."""
    rows = [f"the first {shown} of {grid.rows:,} rows"] if shown < grid.rows else []
    return [*rows, *([f"{len(grid.names)} of {grid.columns:,} columns"] if len(grid.names) < grid.columns else [])]


def _words(grid: _Grid, name: str | None, shown: int) -> list[str]:
    rows = [f"first {shown} rows"] if shown < grid.rows else []
    columns = [f"{len(grid.names)} of {grid.columns:,} columns"] if len(grid.names) < grid.columns else []
    return [f"{grid.kind} {name}" if name else grid.kind, _by(grid.shape), *rows, *columns]


def _by(shape: Sequence[int]) -> str:
    return " x ".join(f"{size:,}" for size in shape)


def _header(name: Any, kind: str) -> str:
    return f"{_escape(_name(name))} ({_escape(kind)})"


def _name(name: Any) -> str:
    """A column's name: text as it is, anything else as Python writes it, so that 1 is not "1"."""
    return _brief(name, depth=2, quoted=not isinstance(name, str))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    text = clean_text(text if len(text) <= CELL else text[: CELL - 1] + "…")
    return _SPECIAL.sub(lambda match: _ESCAPES.get(match[0], f"\\u{ord(match[0]):04x}"), text)


def _brief(value: Any, *, depth: int, quoted: bool) -> str:
    """The value in words of which the first CELL + 1 characters are right, without a look at more of it than that.
    `quoted`: text as Python writes it; it also is where it would read as a missing value.
    """
    if isinstance(value, str):
        text = str(value[: CELL + 1])
        return repr(text) if quoted or text in _MISSING else text
    if isinstance(value, bytes | bytearray):
        return repr(bytes(value[: CELL + 1]))
    if isinstance(value, float):
        return "NaN" if value != value else float.__repr__(value)
    if is_a(value, "numpy", "ndarray") and value.ndim == 0:  # what is masked is an array of its own
        return _brief(value.tolist(), depth=depth, quoted=quoted)
    if is_a(value, "numpy", "ndarray"):
        return _brief(value.flat[: _FEW + 1].tolist(), depth=depth, quoted=True)
    if is_a(value, "polars", "Series"):
        return _brief(value.head(_FEW + 1).to_list(), depth=depth, quoted=True)
    for kind, brackets in _BRACKETS:
        if isinstance(value, kind):
            return _members(value, brackets, depth)
    try:
        return str(value)
    except Exception as error:  # somebody else's class, or a number of too many digits
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _members(value: Any, brackets: str, depth: int) -> str:
    if not depth:
        return brackets[0] + ("…" if value else "") + brackets[1]
    few = [_brief(member, depth=depth - 1, quoted=True) for member in islice(value, _FEW)]
    if isinstance(value, dict):
        held = islice(value.values(), _FEW)
        few = [f"{key}: {_brief(one, depth=depth - 1, quoted=True)}" for key, one in zip(few, held, strict=True)]
    more = ["…"] if len(value) > _FEW else [""] if isinstance(value, tuple) and len(value) == 1 else []
    return brackets[0] + ", ".join([*few, *more]).rstrip(" ") + brackets[1]
