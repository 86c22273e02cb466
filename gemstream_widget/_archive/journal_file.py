"""Journals in a file, and back: JSON lines, the one format of recordings and of saved chats.

The first line names the format. After it come a chat's own lines (what was said where: `chat`, `history`, `run`,
`left`, `mend`, `head`) and, each with the place of the run it belongs to, the entries of runs. docs/journal.md tells
of each. A line of a kind that this version does not know is kept in its run, and changes nothing.

A file is written whole and swapped in, or appended to (appender.py). One that was cut anywhere reads up to its last
whole line. Known keys are not in it (key_filter.py); bytes and signatures are, as they came.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, get_args

from .._plain import Json, clean, shorten
from .._stream import entries
from .._stream.chunks import Chunk, Frame
from .._stream.entries import Entry, Header
from .._stream.journal import Journal
from ..errors import RecordingError, error_from_json, error_to_json
from .key_filter import KeyFilter
from .lines import encode

__all__ = [
    "FORMAT",
    "add_line",
    "entry_line",
    "first_line",
    "header_of",
    "read_lines",
    "run_line",
    "write_lines",
]

FORMAT = "gemstream journal 1"

_KINDS: dict[str, type] = {kind.kind: kind for kind in get_args(Entry) if kind is not entries.Unknown}


# -- writing ----------------------------------------------------------------------------------------------------------


def first_line() -> Json:
    from importlib.metadata import version

    return {"kind": "journal", "format": FORMAT, "package": version("gemstream-widget")}


def run_line(place: int, parent: int | None, header: Header, *, prompt_told: bool = False) -> Json:
    """A run begins, said at `place` after what is said at `parent`. `prompt_told`: by the run that `again` names."""
    told = {f.name: getattr(header, f.name) for f in fields(header)}
    if header.again is None:
        del told["again"]
    if prompt_told:
        del told["prompt"]
    return {"kind": "run", "place": place, "parent": parent, **told}


def entry_line(run: int, item: Entry | Chunk) -> Json:
    """An entry of the run that is said at the place `run`, or a frame."""
    if isinstance(item, Chunk):
        came = {"wire": item.wire} if item.raw is None else {"raw": str(item.raw)}
        return {"kind": "frame", "run": run, "at_s": item.at_s, **came}
    if isinstance(item, entries.Unknown):
        return {**item.fields, "run": run}
    told: Json = {}
    for f in fields(item):
        value = getattr(item, f.name)
        if (f.default is MISSING and f.default_factory is MISSING) or value != f.default:
            told[f.name] = value
    if isinstance(item, entries.End):
        offers = {name: value for name, value in told.pop("offers")._asdict().items() if value}
        told |= {"offers": offers} if offers else {}
        told |= {} if item.error is None else {"error": error_to_json(item.error)}
    return {"kind": item.kind, "run": run, **told}


def write_lines(path: str | Path, lines: Iterable[Json]) -> None:
    """Write a file whole, or not at all: what was there before is not lost in the middle. Who may read a file that is
    there may read the new one, and nobody else; a link goes on to lead there. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            with suppress(FileNotFoundError):
                shutil.copymode(target, beside)  # before anything is in it
            for ready in _without_keys(lines):
                encode(ready, text := bytearray())
                file.write(text)
        os.replace(beside, target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # the file that the caller knows of
    finally:
        beside.unlink(missing_ok=True)


def _without_keys(lines: Iterable[Json]) -> Iterator[Json]:
    keys = KeyFilter()
    for line in lines:
        yield from keys.push(line)
    yield from keys.flush()


# -- reading ----------------------------------------------------------------------------------------------------------


def read_lines(path: str | Path) -> Iterator[Json]:
    """The lines after the first, up to the last whole one. Raises RecordingError for any other file, and OSError."""
    with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
        began = False
        for number, text in enumerate(file, 1):
            if text.isspace():  # an editor left it
                continue
            line = _parsed(text)
            if not began:
                _require_format(path, line)
            elif line is not None:
                yield line
            elif text.endswith("\n"):
                raise RecordingError(f"{path} cannot be read: line {number} is no JSON object.")
            began = True
        if not began:
            raise RecordingError(f"{path} is empty.")


def _parsed(text: str) -> Json | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _require_format(path: str | Path, line: Json | None) -> None:
    if line is None:
        raise RecordingError(f'{path} is no journal: its first line is not {{"format": {FORMAT!r}, ...}}.')
    if line.get("format") != FORMAT:
        raise RecordingError(f"{path} is {line.get('format')!r}; this version reads {FORMAT!r}.")


def header_of(line: Json, above: Mapping[str, Journal]) -> Header:
    """The header that a run's line gives; `above` are the journals of the runs above it, by id. Raises ValueError, and
    KeyError where it sends the prompt once more of a run that is not among them.
    """
    known = {f.name for f in fields(Header)}
    told = clean({name: value for name, value in line.items() if name in known})
    if "prompt" in told or told.get("again") is None:
        header: Header = _made(Header, told)
    else:
        header = _made(Header, {**told, "prompt": []})
        header.prompt = above[told["again"]].prompt
    return header


def add_line(journal: Journal, line: Json) -> None:
    """Add the entry or the frame that a line holds. Raises ValueError where it does not fit its kind."""
    name = line.get("kind")
    if not isinstance(name, str):
        raise ValueError(f"kind is a text, not {name!r}")
    if name == "frame":
        raw = line.get("raw")
        journal.chunks.append(_seconds(line), Frame(raw) if isinstance(raw, str) else line.get("wire"))
    elif (kind := _KINDS.get(name)) is None:
        journal.append(entries.Unknown(_seconds(line), line))
    else:
        told = {name: value for name, value in line.items() if name not in ("kind", "run")}
        told = clean(told)  # a run that this was written of had nothing else in it
        if kind is entries.End:
            told["error"] = error_from_json(told["error"]) if isinstance(told.get("error"), dict) else None
            told["offers"] = told.get("offers") or {}
        journal.append(_made(kind, told))


def _seconds(told: Json) -> float:
    at_s = told.get("at_s")
    if not isinstance(at_s, int | float) or isinstance(at_s, bool) or not math.isfinite(at_s):
        raise ValueError(f"at_s is a number of seconds, not {at_s!r}")
    return float(at_s)


def _made(kind: type, told: Json) -> Any:
    """One of a kind. Raises ValueError where a field does not fit."""
    made = _checked(kind)(told)
    if any(isinstance(value := getattr(made, f.name), float) and not math.isfinite(value) for f in fields(kind)):
        raise ValueError(f"a time without end in {shorten(str(told))}")
    return made


@cache
def _checked(kind: type) -> Any:
    """What makes one of a dict, and raises pydantic's ValidationError, a ValueError, where a field does not fit."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind).validate_python
