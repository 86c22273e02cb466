"""What a tool returned, twice: as the JSON that the model reads, and as the card shows it.

Both are cut at a stated size, never silently: what was cut says so, with the full size.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any

from .._plain import Wire, clean
from .._request.item import Unsendable
from .._request.picture import drawn, figure_of

__all__ = ["MODEL_LIMIT", "error_response", "readable"]


MODEL_LIMIT = 50_000
"""Characters of JSON that the model reads of one result."""

SHOWN_ROWS = 20
SENT_ROWS = 200
SHOWN_CHARS = 20_000
MAX_IMAGE_BYTES = 4_000_000


def readable(value: Any) -> tuple[Wire, Wire]:
    """`value` as (response, display).

    The response is an object, as Gemini wants it: a dict goes as it is, anything else under "result". The display is
    `{"kind": "table", "columns", "rows", "row_count"}`, `{"kind": "image", "mime_type", "data"}`,
    `{"kind": "text", "text", "cut"}` or `{"kind": "json", "text", "cut"}`. Raises TypeError where JSON cannot hold it.
    """
    if (table := _table(value)) is not None:
        columns, rows, count = table
        response: Wire = {"columns": columns, "rows": rows[:SENT_ROWS], "row_count": count}
        display: Wire = {"kind": "table", "columns": columns, "rows": rows[:SHOWN_ROWS], "row_count": count}
        return _cut_response(response), display
    if (image := _image(value)) is not None:
        return {"result": f"an image ({len(image) // 1024 + 1} kB), shown to the user"}, {
            "kind": "image",
            "mime_type": "image/png",
            "data": base64.b64encode(image).decode("ascii"),
        }
    if isinstance(value, str):
        return _cut_response({"result": value}), _shown("text", value)
    plain = _plain(value)
    response = plain if isinstance(plain, dict) else {"result": plain}
    return _cut_response(response), _rows(plain) or _shown("json", json.dumps(plain, ensure_ascii=False, indent=2))


def error_response(message: str) -> Wire:
    """How the model is told that a call did not work."""
    return {"error": message if len(message) <= 2000 else message[:2000] + " (cut)"}


def _cut_response(response: Wire) -> Wire:
    response = clean(response)  # a request cannot hold what JSON in UTF-8 cannot
    text = json.dumps(response, ensure_ascii=False)
    if len(text) <= MODEL_LIMIT:
        return response
    held = response.get("result")
    start = held if isinstance(held, str) else text
    note = f"The result has {len(text)} characters; this is its beginning."
    return {"result": start[:MODEL_LIMIT], "cut": note}


def _shown(kind: str, text: str) -> Wire:
    return {"kind": kind, "text": text[:SHOWN_CHARS], "cut": max(0, len(text) - SHOWN_CHARS)}


def _rows(plain: Any) -> Wire | None:
    """A list of flat objects with the same keys, as a table."""
    if not isinstance(plain, list) or not plain or not all(isinstance(r, dict) and r for r in plain):
        return None
    columns = list(plain[0])
    flat = all(list(r) == columns and not any(isinstance(v, dict | list) for v in r.values()) for r in plain)
    if not flat:
        return None
    rows = [list(r.values()) for r in plain[:SHOWN_ROWS]]
    return {"kind": "table", "columns": columns, "rows": rows, "row_count": len(plain)}


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


def _table(value: Any) -> tuple[list[str], list[list[Any]], int] | None:
    """Columns, first rows and row count of a DataFrame (pandas or polars), without importing either."""
    kind = type(value)
    root = kind.__module__.split(".")[0]
    if kind.__name__ == "Series" and root == "pandas":
        value = value.to_frame().reset_index()
    elif kind.__name__ != "DataFrame" or root not in ("pandas", "polars"):
        return None
    head = value.head(SENT_ROWS)
    rows = head.rows() if root == "polars" else head.itertuples(index=False, name=None)
    return [str(c) for c in value.columns], [[_cell(v) for v in row] for row in rows], int(value.shape[0])


def _cell(value: Any) -> Any:
    item = getattr(value, "item", None)  # a numpy scalar
    if callable(item):
        value = item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


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
