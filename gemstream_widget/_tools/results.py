"""What a tool returned, twice: as the JSON that the model reads, and as the card shows it.

Both are cut at a stated size, never silently: what was cut says so, with the full size.
"""

from __future__ import annotations

import base64
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TypeVar

from .._plain import Wire, clean, clean_text
from .._request.item import Unsendable
from .._request.picture import drawn, figure_of
from .tables import Table, array_of, table_of

__all__ = ["MODEL_LIMIT", "error_response", "is_small", "readable"]


T = TypeVar("T")

MODEL_LIMIT = 50_000
"""Characters of JSON that the model reads of one result."""

SHOWN_ROWS = 20
SHOWN_COLUMNS = 30
SHOWN_CHARS = 20_000
MAX_IMAGE_BYTES = 4_000_000


def readable(value: Any) -> tuple[Wire, Wire]:
    """`value` as (response, display). Takes time for what is sent and shown, whatever the size of the rest.

    The response is an object, as Gemini wants it: a dict goes as it is, anything else under "result". The display is
    `{"kind": "table", "columns", "rows", "row_count"}`, `{"kind": "image", "mime_type", "data"}`,
    `{"kind": "text", "text", "cut"}` or `{"kind": "json", "text", "cut"}`. Raises TypeError where JSON cannot hold it.
    """
    if (table := table_of(value)) is not None:
        return _table_response(table), _table_display(table)
    if (image := _image(value)) is not None:
        return {"result": f"an image ({len(image) // 1024 + 1} kB), shown to the user"}, {
            "kind": "image",
            "mime_type": "image/png",
            "data": base64.b64encode(image).decode("ascii"),
        }
    if (array := array_of(value)) is not None:
        return _cut_response(array), _shown("json", _dumped(array))
    if isinstance(value, str):
        return _cut_response({"result": value[: MODEL_LIMIT + 1]}, len(value)), _shown("text", value)
    few = Few()
    plain = _plain(few.of(value))
    response = plain if isinstance(plain, dict) else {"result": plain}
    response = response | ({"cut": few.words} if few.words else {})
    display = _rows(plain, few) or _shown("json", _dumped(response if few.words else plain))
    return _cut_response(response), display


_PLAIN = (str, int, float, bool, type(None))
_SMALL = 1_000


def is_small(value: Any) -> bool:
    """Whether it is made readable in no time: plain values, not many."""
    if type(value) in _PLAIN:
        return not isinstance(value, str) or len(value) <= MODEL_LIMIT
    if type(value) not in (list, tuple, dict) or len(value) > _SMALL:
        return False
    held = value.values() if isinstance(value, dict) else value
    return all(type(one) in _PLAIN or (type(one) in (list, tuple, dict) and not one) for one in held)


def error_response(message: str) -> Wire:
    """How the model is told that a call did not work."""
    return {"error": message if len(message) <= 2000 else message[:2000] + " (cut)"}


def _table_response(table: Table) -> Wire:
    """As many rows as there is room for; what is left out is said."""
    rows = len(table.rows)
    while True:
        about: Wire = {"columns": table.columns, "rows": table.rows[:rows], "row_count": table.row_count}
        if table.index:
            about["index"] = table.columns[: table.index]
        if table.levels:
            about["column_levels"] = list(table.levels)
        if (cut := table.left_out(rows)) is not None:
            about["cut"] = f"These are {cut}."
        if len(_dumped(about, indent=None)) <= MODEL_LIMIT or rows <= 1:
            return _cut_response(about)
        rows //= 2


def _table_display(table: Table) -> Wire:
    columns, rows = table.columns, table.rows[:SHOWN_ROWS]
    more = table.column_count + table.index - SHOWN_COLUMNS
    if more > 0:
        columns = [*columns[:SHOWN_COLUMNS], f"{more:,} more columns"]
        rows = [[*row[:SHOWN_COLUMNS], "..."] for row in rows]
    return {"kind": "table", "columns": columns, "rows": rows, "row_count": table.row_count}


def _cut_response(response: Wire, size: int | None = None) -> Wire:
    """The response, or the beginning of it. `size`: the characters of a text that was cut before."""
    response = clean(response)  # a request cannot hold what JSON in UTF-8 cannot
    text = _dumped(response, indent=None)
    if len(text) <= MODEL_LIMIT:
        return response
    held = response.get("result")
    start = held if isinstance(held, str) else text
    note = response.get("cut") or f"The result has {size or len(text):,} characters; this is its beginning."
    return {"result": start[:MODEL_LIMIT], "cut": note}


def _dumped(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _shown(kind: str, text: str) -> Wire:
    return {"kind": kind, "text": text[:SHOWN_CHARS], "cut": max(0, len(text) - SHOWN_CHARS)}


def _rows(plain: Any, few: Few) -> Wire | None:
    """A list of flat objects with the same keys, as a table."""
    if not isinstance(plain, list) or not plain or not all(isinstance(r, dict) and r for r in plain):
        return None
    columns = list(plain[0])
    flat = all(list(r) == columns and not any(isinstance(v, dict | list) for v in r.values()) for r in plain)
    if not flat:
        return None
    rows = [list(r.values()) for r in plain[:SHOWN_ROWS]]
    return {"kind": "table", "columns": columns, "rows": rows, "row_count": few.size or len(plain)}


class Few:
    """The beginning of a value: as many of its members as could be sent at all, and of a text its first characters.
    To make JSON of millions would keep the interpreter to itself for seconds, on whatever thread.
    """

    def __init__(self) -> None:
        self._room = MODEL_LIMIT // 2  # a member takes two characters at least
        self.words = ""
        """What was left out, the outermost last."""
        self.size: int | None = None
        """The members of the outermost value, where some were left out."""

    def of(self, value: Any) -> Any:
        if isinstance(value, str | bytes | bytearray):
            self._room -= len(value) // 2
            kept = value if len(value) <= MODEL_LIMIT else self._cut(value[:MODEL_LIMIT], value, "characters")
            return clean_text(kept) if isinstance(kept, str) else kept  # half of a surrogate pair is no JSON
        if type(value) in (list, tuple, set, frozenset, deque):
            held = [self.of(one) for one in self._fitting(value)]
            return held if len(held) == len(value) else self._cut(held, value, "members")
        if type(value) is dict:
            fitting = self._fitting(value)
            pairs = {clean_text(key) if isinstance(key, str) else key: self.of(value[key]) for key in fitting}
            return pairs if len(pairs) == len(value) else self._cut(pairs, value, "members")
        if (table := table_of(value)) is not None:
            return _table_response(table)
        array = array_of(value)
        return value if array is None else array

    def _fitting(self, value: Iterable[T]) -> Iterator[T]:
        """The first members, as long as there is room; one at least."""
        for number, one in enumerate(value):
            if self._room <= 0 and number:
                return
            self._room -= 1
            yield one

    def _cut(self, held: Any, whole: Sized, of: str) -> Any:
        self.words = f"These are the first {len(held):,} of {len(whole):,} {of} of a {type(whole).__name__}."
        self.size = len(whole)
        return held


def _plain(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    try:
        plain = to_jsonable_python(value, inf_nan_mode="constants", bytes_mode="base64", fallback=_listed)
    except ValueError as error:  # pydantic's serialisation error is one
        raise TypeError(
            f"The result cannot be written as JSON: {error}. Return text, numbers, lists or dicts."
        ) from error
    return _finite(plain)


def _listed(value: Any) -> Any:
    """A numpy number or array, without importing numpy."""
    tolist = getattr(value, "tolist", None)
    if not callable(tolist):
        raise ValueError(f"{type(value).__name__} is not JSON")
    return tolist()


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN: they become their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value


def _image(value: Any) -> bytes | None:
    """PNG bytes of what a notebook would show as a picture: a PIL image, a matplotlib figure, IPython's Image."""
    painter: Callable[[], Any] | None = getattr(value, "_repr_png_", None)
    if painter is None and (figure := figure_of(value)) is not None:
        return _png_of(figure)
    data = painter() if callable(painter) and not isinstance(value, type) else None
    if isinstance(data, tuple):
        data = data[0]
    if isinstance(data, str):
        data = base64.b64decode(data)
    return data if isinstance(data, bytes) and len(data) <= MAX_IMAGE_BYTES else None


def _png_of(figure: Any) -> bytes | None:
    try:
        png = drawn(figure)
    except Unsendable as error:
        raise TypeError(f"The figure cannot be shown: {error}") from error
    return png if len(png) <= MAX_IMAGE_BYTES else None
