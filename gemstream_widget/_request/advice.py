"""What to give in place of a value that cannot be sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterable, Mapping, Set
from numbers import Number
from types import ModuleType
from typing import Any

from .item import is_a

__all__ = ["OTHERS", "advice"]


def _of(library: str, *names: str) -> Callable[[Any], bool]:
    return lambda value: is_a(value, library, *names)


def _named(*endings: str) -> Callable[[Any], bool]:
    """A class of one of these names, of whatever library."""
    return lambda value: any(c.__name__.endswith(endings) for c in type(value).__mro__)


def _kind(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


_CASES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda value: value is None, "there is nothing to send. Give a text."),
    (lambda value: isinstance(value, dict) and not value, "an empty part: every part needs a field such as text."),
    (_kind(bool, Number), "a number is no prompt. Write it as text: str(value)."),
    (inspect.isawaitable, "it is not there yet. Await it first."),
    (lambda value: isinstance(value, type), "a class is no prompt. Give a value, or inspect.getsource(...) of it."),
    (inspect.isroutine, "a function is no prompt. Call it, give inspect.getsource(...), or give it as one of tools=."),
    (_kind(ModuleType), "a module is no prompt. Give inspect.getsource(...) of it, or a value of it."),
    (_kind(Generator), "a generator can be read only once. Give a list: list(value)."),
    (lambda value: hasattr(value, "getvalue"), "a buffer is no prompt. Give value.getvalue()."),
    (lambda value: hasattr(value, "readable"), "an open file is no prompt. Give pathlib.Path(name)."),
    (_of("numpy", "ndarray"), "an array without dimensions. Write it as text: str(value)."),
    (_of("polars", "LazyFrame"), "it is not computed yet. Give value.collect(), or value.head(20).collect()."),
    (_of("pandas", "Index"), "an index is no table. Give value.to_series(), or its frame."),
    (_of("pandas", "Styler"), "a styled table. Give value.data."),
    (_of("polars", "Expr"), "an expression holds no values. Give the frame it is selected from."),
    (_named("GroupBy", "Resampler", "Rolling"), "groups are no table. Give what is computed of them: value.mean()."),
    (_of("dask", "DataFrame", "Series", "Array", "FrameBase"), "it is not computed yet. Give value.head(20)."),
    (_of("pyarrow", "Table", "RecordBatch"), "give value.slice(0, 20).to_pandas()."),
    (_named("DataFrame", "Series", "LazyFrame"), "a table of a library unknown here. Give it in pandas or polars."),
    (_named("Tensor"), "a tensor is no prompt. Give value.numpy(), or a text about it."),
    (_of("IPython", "DisplayObject"), "only its Image holds bytes that can be sent. Give the file's pathlib.Path."),
    (lambda value: hasattr(value, "to_image"), 'give its picture: (value.to_image("png"), "image/png").'),
    (_kind(Mapping), "it has no field of a part, such as text or inlineData. Data goes as text: json.dumps(value)."),
    (_kind(Set), "a set has no order. Give a list: sorted(value)."),
    (lambda value: hasattr(value, "candidates"), "give what it said: value.text, or value.candidates[0].content."),
    (_kind(Iterable), "it is no list. Give one: list(value)."),
)  # fmt: skip
OTHERS = "Gemini cannot read it. Give text (str(value)), an image, a figure, a table, a path, typed bytes or a part."
"""Of a value whose kind nothing here knows."""


def advice(value: Any) -> str:
    """Why this value is no item of a prompt, and what to give in its place."""
    return next((words for fits, words in _CASES if fits(value)), OTHERS)
