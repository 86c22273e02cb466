"""A prompt as wire Contents: what a reader gives to `send`, in Gemini's form. docs/prompts.md lists what it may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .._plain import Json, Wire, clean_text, shorten
from .._redact import words_of as words_of_error
from ..errors import InvalidPrompt
from .advice import advice
from .file import file
from .item import Item, Unsendable, in_words, is_a
from .media import LIMIT, attached, image_size, inline, is_bytes, type_of
from .picture import drawn, figure_of, image_bytes, shown_bytes
from .spelling import json_of, part_of, words_of
from .table import is_table, table
from .wire import FIELDS, camel, short

__all__ = ["Named", "Prompt", "contents_of", "joined", "prompt_of"]

_T = TypeVar("_T")

_TYPE = re.compile(r"([a-z]+/[\w.+-]+)(\s*;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent of what a reader gave: wire Contents, and in words what went in beside plain text, each with its
    size.
    """

    contents: list[Wire]
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """An item of a prompt that the reader knows by a name, as `{orders}` in a magic."""

    value: Any
    name: str


@dataclass(frozen=True, slots=True)
class _Given:
    """An item with its place in the prompt, for errors."""

    place: str
    value: Any
    name: str | None

    def refused(self, why: str) -> InvalidPrompt:
        named = f", {self.name}" if self.name else ""
        return InvalidPrompt(" ".join(f"{self.place}{named} ({type(self.value).__name__}): {why}".split()))


def contents_of(given: Any) -> list[Wire]:
    """The prompt's Contents alone."""
    return prompt_of(given).contents


def prompt_of(given: Any) -> Prompt:
    """What is sent of a text, an image, a figure, a table, an array, a path, bytes with their type, a finished run, a
    wire part or Content in either spelling, one of the SDK's, or of a list of these, which may hold lists of them.

    A Prompt is given back as it is; nothing else that was given is kept or changed. Raises InvalidPrompt, in one line,
    for what cannot be sent, naming it, its place and what would work. Blocks while files are read and pictures are
    made; of a table, only its head is read.
    """
    if isinstance(given, Prompt):
        return given
    items = list(_items(given))
    read = [(item, _content(item)) for item in items]
    if all(content is None for _, content in read):
        told = [(item, _guarded(item, _item, item.value, item.name)) for item in items]
        contents = [{"role": "user", "parts": [part for _, one in told for part in one.parts]}]
    elif any(content is None for _, content in read):
        raise InvalidPrompt("The prompt mixes Contents with single parts: give one kind.")
    else:
        told = [(item, one) for item, content in read for one in _told_parts(item, content or {})]
        contents = [_with_parts(item, content or {}, told) for item, content in read]
    _check_whole(told)
    return Prompt(contents, tuple(clean_text(one.words) for _, one in told if one.words))


def joined(parts: list[Wire], attachments: Iterable[str]) -> Prompt:
    """One prompt of parts that were read before. Raises InvalidPrompt where they say nothing, and where they are
    together more than a request takes.
    """
    content: Wire = {"role": "user", "parts": parts}
    whole = _Given("The prompt", content, None)
    _check_whole([(whole, Item([part])) for part in parts])
    return Prompt([content], tuple(attachments))


def _items(given: Any, above: tuple[int, ...] = (), name: str | None = None) -> Iterator[_Given]:
    """What is given, or the items of a list and of the lists in it. `above`: the numbers of the way here."""
    value, own = _unnamed(given)
    name = own or name
    place = f"Item {'.'.join(map(str, above))} of the prompt" if above else "The prompt"
    item = _Given(place, value, name)
    if not _is_list(value):
        yield item
        return
    if len(above) == 2:
        raise item.refused("a list in a list of a list. Give one flat list.")
    if not value:
        raise item.refused("an empty list holds nothing to send.")
    for number, held in enumerate(value):
        yield from _items(held, (*above, number + 1), f"{name}[{number}]" if name else None)


def _unnamed(given: Any) -> tuple[Any, str | None]:
    return (given.value, shorten(" ".join(given.name.split()))) if isinstance(given, Named) else (given, None)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and not _is_typed(value)


def _is_typed(value: Any) -> bool:
    """Whether this is `(bytes, "type/subtype")`."""
    if not isinstance(value, tuple) or len(value) != 2 or not is_bytes(value[0]):
        return False
    return isinstance(value[1], str) and _TYPE.fullmatch(value[1]) is not None


def _content(item: _Given) -> Json | None:
    """The fields of a Content; None for anything else."""
    given = None if isinstance(item.value, str) else _guarded(item, json_of, item.value)
    return given if given is not None and "parts" in given else None


def _told_parts(item: _Given, content: Json) -> Iterator[Item]:
    """What is sent of each part of a Content. Fields that are not known stay: a later Gemini may have said them."""
    parts = content["parts"]
    if not isinstance(parts, list) or not parts:
        raise item.refused(f"a Content that has no parts: {short(content)}.")
    for number, part in enumerate(parts, 1):
        held = _Given(f"{item.place}, part {number}", *_unnamed(part))
        yield _guarded(held, _item, held.value, held.name, False)


def _with_parts(item: _Given, content: Json, told: list[tuple[_Given, Item]]) -> Wire:
    parts = [part for owner, one in told if owner is item for part in one.parts]
    return {"role": content.get("role") or "user", "parts": parts}


def _guarded(item: _Given, read: Callable[..., _T], *given: Any) -> _T:
    """What `read` makes of the item, or why it cannot be sent, as InvalidPrompt."""
    try:
        return read(*given)
    except Unsendable as error:
        raise item.refused(str(error)) from None
    except Exception as error:  # other people's classes: a table whose index is broken, an image that was closed
        raise item.refused(f"it cannot be read: {shorten(words_of_error(error), 200)}.") from error


def _item(value: Any, name: str | None, strict: bool = True) -> Item:
    """What is sent of one item. Raises Unsendable."""
    if isinstance(value, str):
        return Item([{"text": clean_text(str(value))}])
    if is_bytes(value):
        return _bytes(bytes(value), None, name)
    if _is_typed(value):
        return _bytes(bytes(value[0]), value[1].partition(";")[0].strip().lower(), name)
    if isinstance(value, Path):
        return file(value)
    if _holds_axes(value):
        raise Unsendable("an array of axes. Give their figure: value.flat[0].figure.")
    if is_table(value):
        return table(value, name)
    if is_a(value, "PIL", "Image"):
        return _bytes(*image_bytes(value), name)
    if (figure := figure_of(value)) is not None:
        return _figure(drawn(figure), name)
    if is_a(value, "IPython", "Image"):
        return _bytes(*shown_bytes(value), name)
    if is_a(value, __name__.split(".", maxsplit=1)[0], "Run"):
        return _answer(value)
    given = json_of(value)
    unknown = strict and not any(isinstance(key, str) and camel(key) in FIELDS["part"] for key in given or {})
    if not given or unknown:
        raise Unsendable(advice(value))
    part = part_of(given)
    return Item([part], words_of(part))


def _bytes(data: bytes, kind: str | None, name: str | None) -> Item:
    kind = kind or type_of(data)
    if kind is None and data:
        raise Unsendable('the first bytes do not tell their type. Give it: (data, "image/png").')
    part = inline(data, kind or "")
    what = f"image {name}" if name and (kind or "").startswith("image/") else name or ""
    return Item([part], attached(data, kind or "", what=what))


def _figure(png: bytes, name: str | None) -> Item:
    width, height = image_size(png) or (0, 0)
    words = f"figure{f' {name}' if name else ''}, {width:,} x {height:,}, {in_words(len(png))}"
    return Item([inline(png, "image/png")], words)


def _holds_axes(array: Any) -> bool:
    """Whether this is what `plt.subplots` gives beside the figure."""
    is_array = is_a(array, "numpy", "ndarray") and array.dtype == object and array.size > 0
    return is_array and is_a(array.flat[0], "matplotlib", "Axes")


def _answer(run: Any) -> Item:
    """The text of a finished run."""
    if not run.done:
        raise Unsendable(f"run {run.id} is still {run.status}. Await it first.")
    if not run.text.strip():
        raise Unsendable(f"run {run.id} is {run.status} and has no text.")
    return Item([{"text": run.text}], f"answer of run {run.id}, {in_words(len(run.text.encode()))}")


def _check_whole(told: list[tuple[_Given, Item]]) -> None:
    """Refuse a prompt that says nothing, and one that is larger than a request may be."""
    parts = [part for _, one in told for part in one.parts]
    if all(isinstance(part.get("text"), str) and not part["text"].strip() and len(part) == 1 for part in parts):
        raise InvalidPrompt("The prompt is empty: give some text, or anything else that a notebook holds.")
    sizes = [sum(map(_size, one.parts)) for _, one in told]
    if sum(sizes) > LIMIT:
        largest, (item, _) = max(zip(sizes, told, strict=True), key=lambda pair: pair[0])
        raise item.refused(
            f"its {in_words(largest)} are the most of a prompt that travels as {in_words(sum(sizes))}; one request "
            f"takes {in_words(LIMIT)}. Give the file that client.files.upload(file=...) returns."
        )


def _size(part: Wire) -> int:
    """Characters of a part's text, or of its base64."""
    blob = part.get("inlineData")
    data = blob.get("data") if isinstance(blob, dict) else part.get("text")
    return len(data) if isinstance(data, str) else 0
