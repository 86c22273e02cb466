"""Tables that tools return: DataFrames and Series of pandas and polars, numpy arrays. They keep their labels, and are
cut to their first rows and columns before anything is made of them: what is left out costs nothing.

None of the libraries is imported: a value tells by its class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .._request.item import is_a

__all__ = ["Table", "array_of", "table_of"]

ROWS = 200
COLUMNS = 100
CELL = 2_000
"""Characters of one cell."""
ELEMENTS = 5_000
"""Of an array."""


@dataclass(frozen=True, slots=True)
class Table:
    """The first rows and columns of a table. The first `index` columns are its index; `levels` are the names of the
    levels of its columns, where they have any.
    """

    columns: list[str]
    rows: list[list[Any]]
    row_count: int
    column_count: int
    index: int = 0
    levels: tuple[str, ...] = ()

    def left_out(self, rows: int) -> str | None:
        """What is missing where the first `rows` are told, in words."""
        shown = len(self.columns) - self.index
        cut = [f"the first {rows:,} of {self.row_count:,} rows"] if rows < self.row_count else []
        cut += [f"{shown:,} of {self.column_count:,} columns"] if shown < self.column_count else []
        return " and ".join(cut) or None


def table_of(value: Any) -> Table | None:
    """The value as a table; None where it is none."""
    if is_a(value, "pandas", "DataFrame", "Series"):
        return _pandas(value)
    if is_a(value, "polars", "DataFrame", "Series"):
        return _polars(value)
    return None


def _pandas(value: Any) -> Table:
    frame = value.to_frame(_label(value.name) or "value") if value.ndim == 1 else value
    held = frame.iloc[:ROWS, :COLUMNS]
    names = [] if _is_count(frame.index) else _level_names(held.index)
    labels: Callable[[Any], Sequence[Any]] = tuple if held.index.nlevels > 1 else lambda label: (label,)
    cells = (
        zip(*(held.iloc[:, n].tolist() for n in range(held.shape[1])), strict=True)
        if held.shape[1]
        else [()] * len(held)
    )
    rows = [
        [*map(cell, labels(label) if names else ()), *map(cell, row)]
        for label, row in zip(held.index, cells, strict=True)
    ]
    levels = tuple(_label(name) for name in frame.columns.names) if any(frame.columns.names) else ()
    columns = [*names, *map(_label, held.columns)]
    height, width = map(int, frame.shape)
    return Table(columns, rows, height, width, len(names), levels)


def _is_count(index: Any) -> bool:
    """Whether it only numbers the rows."""
    return is_a(index, "pandas", "RangeIndex") and (index.start, index.step, index.name) == (0, 1, None)


def _level_names(index: Any) -> list[str]:
    if index.nlevels == 1:
        return [_label(index.name) or "index"]
    return [_label(name) or f"level_{n}" for n, name in enumerate(index.names)]


def _polars(value: Any) -> Table:
    frame = value.to_frame(value.name or "value") if is_a(value, "polars", "Series") else value
    held = frame[:ROWS, :COLUMNS]
    rows = [[cell(one) for one in row] for row in held.rows()]
    height, width = map(int, frame.shape)
    return Table([_label(name) for name in held.columns], rows, height, width)


def array_of(value: Any) -> dict[str, Any] | None:
    """A numpy array with its shape and type, and its values as far as there is room: whole rows of its first axis, or
    the first values of a row that is too long. None where it is no array, or one number.
    """
    if not is_a(value, "numpy", "ndarray") or value.ndim == 0:
        return None
    about = {"shape": list(value.shape), "dtype": str(value.dtype)}
    if value.size <= ELEMENTS:
        return {"result": _listed(value), **about}
    row = value.size // value.shape[0]
    if row <= ELEMENTS:
        rows = ELEMENTS // row
        return {
            "result": _listed(value[:rows]),
            **about,
            "cut": f"the first {rows:,} of {value.shape[0]:,} along axis 0",
        }
    values = value.reshape(-1)[:ELEMENTS] if value.flags.c_contiguous else value.flat[:ELEMENTS]
    return {"result": _listed(values), **about, "cut": f"the first {ELEMENTS:,} of {value.size:,} values, row by row"}


def _listed(array: Any) -> Any:
    def plain(held: Any) -> Any:
        return [plain(one) for one in held] if isinstance(held, list) else cell(held)

    return plain(array.tolist())


def _label(name: Any) -> str:
    if name is None:
        return ""
    return " / ".join(map(_label, name)) if isinstance(name, tuple) else str(name)


def cell(value: Any) -> Any:
    """One value as JSON has it: what is missing is null, and what is neither a number nor a truth is text."""
    item = getattr(value, "item", None)  # a numpy scalar
    if callable(item) and not isinstance(value, str | bytes):
        value = item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else repr(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    text = str(value)
    return text if len(text) <= CELL else f"{text[:CELL]}... ({len(text):,} characters)"
