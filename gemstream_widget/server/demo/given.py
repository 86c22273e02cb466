"""What the demo model says of tables and files that came with a prompt: what arrived of them, and no more.

It reads the tables that `_request.table` writes. Of a picture it sees the size, as anybody does who has its bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..._plain import Json, counted
from ..._request.item import in_words
from ..._request.media import image_size
from ..._request.wire import decode_base64, get
from .prose import Prose

__all__ = ["read_out"]

_TABLE = re.compile(
    r"^(?:Table|Series|Array)(?: (?P<name>[^:\n]+))?: (?P<size>[\d,]+ rows?[^.\n]*)\.(?P<told>[^\n]*)\n\n"
    r"(?P<head>\|.*)\n\| ?---.*\n(?P<rows>(?:\|.*\n?)*)",
    re.MULTILINE,
)
_CELLS = re.compile(r"(?<!\\)\|")
_HEAD = re.compile(r"(?P<name>.+) \((?P<type>[^()]*(?:\([^()]*\))?[^()]*)\)")
_MOST_COLUMNS = 8
_ENDING = "*I am the demo model: I describe what came with a prompt, and leave the thinking to Gemini.*\n"


def read_out(prompt: str, files: Sequence[Json]) -> Prose | None:
    """What can be said of the tables in a prompt and of the files beside it; None where there are none."""
    tables = list(map(_table, _TABLE.finditer(prompt)))
    told = [*tables, *map(_file, files)]
    if not told:
        return None
    things = ((len(tables), "table"), (len(files), "file"))
    came = " and ".join(f"a {word}" if number == 1 else counted(number, word) for number, word in things if number)
    thoughts = (
        f"**Looking at what came**\n\nThere is {came} beside the words. I will say what I can read of it before "
        "anything else, column by column.\n"
    )
    return Prose(thoughts, "\n\n".join([*told, _ENDING]))


def _table(found: re.Match[str]) -> str:
    rows = [_cells(line) for line in found["rows"].splitlines()]
    heads = [_HEAD.fullmatch(cell) for cell in _cells(found["head"])]
    columns = [(place, head["name"], head["type"]) for place, head in enumerate(heads) if head]
    lines = [
        f"| {name} | {kind} | {_summary([row[place] for row in rows if place < len(row)])} |\n"
        for place, name, kind in columns[:_MOST_COLUMNS]
    ]
    more = f"\nand {len(columns) - _MOST_COLUMNS} more columns.\n" if len(columns) > _MOST_COLUMNS else ""
    return (
        f"**{found['name'] or 'A table'}** has {found['size']}; {counted(len(rows), 'row')} came with the prompt.\n\n"
        f"| Column | Type | In these rows |\n|---|---|---|\n{''.join(lines)}{more}"
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELLS.split(line)[1:-1]]


def _summary(values: list[str]) -> str:
    """The range of numbers; of anything else, how many different ones there are and the first of them."""
    numbers: list[float] = []
    with suppress(ValueError):
        numbers = [float(value.replace(",", "")) for value in values]
    if numbers and len(numbers) == len(values):
        mean = sum(numbers) / len(numbers)
        return f"{min(numbers):,g} to {max(numbers):,g}, mean {mean:,.4g}"
    distinct = list(dict.fromkeys(values))
    return f"{len(distinct)} different: {', '.join(distinct[:3])}{', …' if len(distinct) > 3 else ''}" if values else ""


def _file(part: Json) -> str:
    return f"A file came along: {', '.join(_facts(part))}. I cannot look inside."


def _facts(part: Json) -> Iterator[str]:
    blob = get(part, "inlineData") or get(part, "fileData") or {}
    yield f"`{get(blob, 'mimeType') or 'of no type'}`"
    data = decode_base64(get(blob, "data") or "")
    if data:
        if pixels := image_size(data):
            yield f"{pixels[0]:,} x {pixels[1]:,} pixels"
        yield in_words(len(data))
