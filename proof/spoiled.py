"""Journal files that were cut, edited or mixed up: each gives a chat or a RecordingError, and never anything else."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource

__all__ = ["cut_faults", "edited", "reading_faults", "write"]

_LATEST_S = 10.0
_ODD: list[Any] = [
    None, True, -1, 0, 1.5, 10**30, float("inf"), float("nan"), "", "half \ud83d", "end", [], [[]], [None], {},
    {"a": {}}, {"error": {"code": 503}}, [{"role": "user", "parts": "x"}], [{"parts": [None]}],
    {"message": 1, "type": "ApiError"},
]  # fmt: skip


def _loaded(path: Path) -> gem.Chat | None:
    """The chat of a file, used a little; None where it is refused as it should be."""
    try:
        chat = gem.load_chat(path, source=ListSource(), retries=0)
    except gem.RecordingError as error:
        str(error)
        return None
    _ = chat.history, chat.check(), repr(chat)
    for run in chat.runs:
        json.dumps(run.snapshot(), allow_nan=False, ensure_ascii=False).encode()
        _ = repr(run), run.text, run.contents(), run.usage, run.decisions, str(run.error), chat.branches(run)
    return chat


async def _whole(path: Path) -> gem.Chat | None:
    """The same, until all its runs have ended."""
    chat = _loaded(path)
    for run in () if chat is None else chat.runs:
        run.stop()
        await asyncio.wait_for(run.wait(), _LATEST_S)
    return chat


def reading_faults(path: Path) -> list[str]:
    """What goes wrong where this file is read, and the chat in it used, saved and read once more."""
    began = time.monotonic()
    try:
        chat = asyncio.run(_whole(path))
        if chat is not None:
            again = path.with_name("again.jsonl")
            chat.save(again)
            loaded = asyncio.run(_whole(again))
            if loaded is None or [run.text for run in loaded.runs] != [run.text for run in chat.runs]:
                return ["what was read does not read the same once more"]
    except Exception as error:
        return [_told(error)]
    took = time.monotonic() - began
    return [f"it took {took:.1f} s"] if took > _LATEST_S else []


def cut_faults(data: bytes, places: Iterable[int], path: Path) -> list[str]:
    """What goes wrong with the file `data` cut at each of these bytes: it is read up to its last whole line."""
    return [f"cut at {place}: {fault}" for place in places for fault in _cut_faults(data, place, path)]


def _cut_faults(data: bytes, place: int, path: Path) -> list[str]:
    path.write_bytes(data[:place])
    try:
        chat = asyncio.run(_whole(path))
        if (chat is None) != (place < data.index(b"\n")):
            return ["refused" if chat is None else "read without a whole first line"]
        if chat is None:
            return []
        chat.save(path)
    except Exception as error:
        return [_told(error)]
    whole = data[:place].count(b"\n") + (data[place : place + 1] == b"\n")
    given, read = _by_run(data.splitlines()[:whole]), _by_run(path.read_bytes().splitlines())
    faults = [f"{run!r} has no end" for run in chat.runs if not run.done]
    if given.keys() != read.keys():
        return [*faults, f"runs {list(read)} of {list(given)}"]
    return faults + [f"run {run} has other entries" for run, lines in given.items() if read[run][: len(lines)] != lines]


def _by_run(lines: list[bytes]) -> dict[int, list[Any]]:
    """The lines of each run, with the one it begins with, by its place."""
    runs: dict[int, list[Any]] = {}
    for line in map(json.loads, lines):
        if line["kind"] == "run":
            runs[line["place"]] = [line]
        elif "run" in line and "place" not in line:
            runs[line["run"]].append(line)
    return runs


# -- edited -----------------------------------------------------------------------------------------------------------


def edited(lines: list[Any], chance: random.Random) -> list[Any]:
    """The lines of a file with one to three edits; what is no JSON afterwards is a text."""
    lines = deepcopy(lines)
    for _ in range(chance.randint(1, 3)):
        chance.choice(_EDITS)(lines, chance)
    return lines


def _drop(lines: list[Any], chance: random.Random) -> None:
    if len(lines) > 2:
        del lines[chance.randrange(1, len(lines))]


def _double(lines: list[Any], chance: random.Random) -> None:
    lines.insert(chance.randrange(1, len(lines) + 1), deepcopy(chance.choice(lines)))


def _move(lines: list[Any], chance: random.Random) -> None:
    lines.insert(chance.randrange(1, len(lines)), lines.pop(chance.randrange(1, len(lines))))


def _swap(lines: list[Any], chance: random.Random) -> None:
    """Values of two lines change places."""
    one, other = (_leaf(chance.choice(lines), chance) for _ in range(2))
    if one is not None and other is not None:
        (a, i), (b, j) = one, other
        a[i], b[j] = deepcopy(b[j]), deepcopy(a[i])


def _odd_value(lines: list[Any], chance: random.Random) -> None:
    if (found := _leaf(chance.choice(lines[1:]), chance)) is not None:
        holder, name = found
        holder[name] = deepcopy(chance.choice(_ODD))


def _without(lines: list[Any], chance: random.Random) -> None:
    if (found := _leaf(chance.choice(lines[1:]), chance)) is not None:
        holder, name = found
        del holder[name]


_NAMES = ("record", "api_key", "source", "run", "place", "error", "to_json", "raw", "kind", "offers", "parent")


def _with(lines: list[Any], chance: random.Random) -> None:
    line = chance.choice(lines)
    if isinstance(line, dict):
        line[chance.choice(_NAMES)] = deepcopy(chance.choice(_ODD))


def _garble(lines: list[Any], chance: random.Random) -> None:
    place = chance.randrange(1, len(lines))
    text = lines[place] if isinstance(lines[place], str) else json.dumps(lines[place])
    at = chance.randrange(len(text) or 1)
    lines[place] = text[:at] + chance.choice(["", "\x00", "[" * 2000, "\udcff", "}", "\n", "9" * 5000]) + text[at + 1 :]


_EDITS: list[Callable[[list[Any], random.Random], None]] = [
    _drop, _double, _move, _swap, _odd_value, _odd_value, _odd_value, _without, _with, _garble,
]  # fmt: skip


def _leaf(value: Any, chance: random.Random) -> tuple[Any, Any] | None:
    """A place somewhere in a value: its container, and its name or index there."""
    if not isinstance(value, dict | list) or not value:
        return None
    name = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
    deeper = _leaf(value[name], chance) if chance.random() < 0.6 else None
    return deeper or (value, name)


def write(lines: list[Any], path: Path) -> None:
    """Lines as a file, whatever they are."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_bytes("".join(f"{text}\n" for text in texts).encode("utf-8", "surrogateescape"))


def _told(error: Exception) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return f"{type(error).__name__}: {error!s:.200} (in {place.tb_frame.f_code.co_qualname if place else '?'})"
