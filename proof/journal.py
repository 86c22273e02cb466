"""The journal is the one truth: a run reads the same live, late, from a file, in another chat and on a page.

Recorded streams and made-up sessions are played; then every way to read a run is compared with what it has shown.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._archive.journal_file import add_line, header_of, read_lines
from gemstream_widget._engine.source import ListSource
from gemstream_widget._plain import Json
from gemstream_widget._redact import KEY_VARIABLES
from gemstream_widget._stream.fold import Fold
from gemstream_widget._stream.journal import Cursor, Journal
from gemstream_widget.errors import RunFailed
from tests.conftest import corpus_streams
from tests.told import state_of, told

from .growth import growth_faults
from .judge import Watcher
from .report import Control, Found, Row
from .sessions import Session, frame
from .spoiled import cut_faults, edited, reading_faults, write

__all__ = ["differences", "folds_of", "measure"]

_LATEST_S = 20.0
_KEY = "a-key-that-nothing-says"
_NO_CORPUS = "recorded streams: set GEMSTREAM_CORPUS to their folder"


def measure(setting: Setting) -> Found:
    """Live state, late and early readers, pages, saved, loaded and recorded chats agree; broken files are refused."""
    known = {KEY_VARIABLES[0]: _KEY}  # so that each line of each file is searched for it
    with patch.dict(os.environ, known), tempfile.TemporaryDirectory() as folder:
        rows = [_sessions(setting, Path(folder)), _spoiled(setting, Path(folder)), _cut(setting, Path(folder))]
        rows.append(_long(setting, Path(folder)))
        if corpus_streams():
            rows.append(_recorded(setting, Path(folder)))
    return Found(rows, skipped=() if corpus_streams() else (_NO_CORPUS,))


# -- one run, read in every way ---------------------------------------------------------------------------------------


def folds_of(path: Path, names: dict[str, str]) -> dict[str, Fold]:
    """The runs of a file, each folded by itself from its lines; by the journal's own id. `names`: what each is called
    in this kernel.
    """
    journals: dict[int, Journal] = {}
    for line in read_lines(path):
        if line["kind"] == "run":
            journals[line["place"]] = Journal(header_of(line, {one.header.run: one for one in journals.values()}))
        elif "run" in line and line["kind"] != "left":
            add_line(journals[line["run"]], line)
    folds: dict[str, Fold] = {}
    for journal in journals.values():
        fold = Fold(journal.header, names[journal.header.run])
        for item in Cursor(journal):
            fold.take(item)
        folds[journal.header.run] = fold
    return folds


def _names(chat: gem.Chat) -> dict[str, str]:
    return {run._record.journal.header.run: run.id for run in chat.runs}


def differences(chat: gem.Chat, watchers: dict[str, Watcher], *paths: Path) -> list[str]:
    """What is read differently of a chat whose runs have ended: late and early readers, pages, and each file of it."""
    faults = []
    for run in chat.runs:
        events, fold = told(run)
        ways = {"a late reader": state_of(run, events).snapshot(), "a late fold": fold.state.snapshot()}
        if (watcher := watchers.get(run.id)) is not None:
            ways["an early reader"] = state_of(run, watcher.events).snapshot()
            ways["a page"] = watcher.page
        faults += _unlike(run, ways)
        faults += _unlike_error(run, "a late fold", fold.error)
    for path in paths:
        faults += _differences_in(chat, path)
    return faults


def _differences_in(chat: gem.Chat, path: Path) -> list[str]:
    """What a file tells differently: its lines folded, and the chat that they are loaded into."""
    faults = _unlike_lines(chat, path)
    loaded = gem.load_chat(path, source=ListSource())
    if _plain(loaded.history) != _plain(chat.history):
        faults.append("history: the loaded chat goes on elsewhere")
    pairs = list(zip(chat.runs, loaded.runs, strict=True))
    for run, there in pairs:
        faults += _unlike(run, {"a loaded chat": _renamed(there.snapshot(), there.id, run.id)})
        faults += _unlike_error(run, "a loaded chat", there.error)
        for name in ("contents", "_unfinished"):
            if _plain(getattr(there, name)()) != _plain(getattr(run, name)()):
                faults.append(f"{run!r}: {name} of the loaded run differ")
        if [_plain(c) for c in there.chunks] != [_plain(c) for c in run.chunks]:
            faults.append(f"{run!r}: its chunks came back different")
        if [n.text for n in loaded.branches(there)] != [n.text for n in chat.branches(run)]:
            faults.append(f"{run!r}: its branches came back different")
    for run, there in pairs:
        chat.switch(run)
        loaded.switch(there)
        if _plain(loaded.history) != _plain(chat.history):
            faults.append(f"{run!r}: the history of its branch came back different")
    return faults


def _unlike_lines(chat: gem.Chat, path: Path) -> list[str]:
    """Runs that the lines of a file, folded, tell differently from what they show now, ended or not."""
    folds, faults = folds_of(path, _names(chat)), []
    for run in chat.runs:
        fold = folds.get(run._record.journal.header.run)
        if fold is None:
            faults.append(f"{run!r} is not in the file")
            continue
        faults += _unlike(run, {"the lines of the file": fold.state.snapshot()})
        faults += _unlike_error(run, "the lines of the file", fold.error)
    return faults


def _unlike(run: gem.Run, ways: dict[str, Json]) -> list[str]:
    live = _shown(run.snapshot())
    read = {way: _shown(state) for way, state in ways.items()}
    return [f"{run.status} run, {way}: {at}" for way, state in read.items() for at in _apart(state, live)]


def _apart(a: Any, b: Any, path: str = "") -> Iterator[str]:
    """Where and how two values of plain JSON differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            yield from _apart(a.get(name, "(nothing)"), b.get(name, "(nothing)"), f"{path}.{name}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for place, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _apart(one, other, f"{path}[{place}]")
    elif a != b:
        yield f"{path} is {a!r:.100}, not {b!r:.100}"


def _unlike_error(run: gem.Run, way: str, error: RunFailed | None) -> list[str]:
    live, read = _about(run.error), _about(error)
    return [] if live == read else [f"{run.status} run, {way}: error {read}, not {live}"]


def _about(error: RunFailed | None) -> Any:
    """All that an error is."""
    if error is None:
        return None
    held = {name: value for name, value in vars(error).items() if name not in ("run", "__notes__")}
    return _plain([type(error).__name__, str(error), held, getattr(error, "__notes__", [])])


def _renamed(state: Json, before: str, after: str) -> Any:
    return json.loads(json.dumps(state).replace(f'"{before}"', f'"{after}"'))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _shown(state: Json) -> Any:
    """As a page gets it: JSON without NaN, in UTF-8. Raises for anything that is not."""
    return json.loads(json.dumps(state, allow_nan=False, ensure_ascii=False).encode())


# -- sessions ---------------------------------------------------------------------------------------------------------


async def _played(seed: int, folder: Path) -> tuple[Session, list[str]]:
    """A session with a recording, and what was read differently in the middle of it."""
    faults: list[str] = []

    def look(session: Session) -> None:
        session.chat.save(folder / "midway.jsonl")
        faults.extend(_unlike_lines(session.chat, folder / "midway.jsonl"))

    session = Session(seed, between=look, record=folder / "recorded")
    await session.play()
    return session, faults


async def _session(seed: int, folder: Path) -> list[str]:
    """What is read differently of the session that a seed makes, in the middle of it and at its end."""
    try:
        session, faults = await _played(seed, folder)
        chat, file = session.chat, session.chat._file
        chat.save(folder / "saved.jsonl")
        assert file is not None
        appender = file._appender
        if not await asyncio.to_thread(appender.close, _LATEST_S):
            return [*faults, f"the recording was not written: {appender.error}"]
        faults += differences(chat, session.watchers, folder / "saved.jsonl", appender.path)
        appender.path.unlink()
    except Exception as error:
        return [f"seed {seed}: {type(error).__name__}: {error!s:.300}"]
    return [f"seed {seed}: {fault}" for fault in faults]


def _sessions(setting: Setting, folder: Path) -> Row:
    failures: list[str] = []
    count = setting.count(1500, 15)
    for seed in range(count):
        failures += asyncio.run(_session(seed, folder))
    return Row("whole sessions read the same live, late, saved, loaded, recorded", count, failures, _control(folder))


def _control(folder: Path) -> Control:
    """Folds that forget, or invent: live they all do it alike, so only those that read again are broken."""
    noticed = []
    for broken in (_deaf_to_prints, _late_by_a_chunk, _without_hints, _with_other_edits):
        with broken():
            noticed.append(any(asyncio.run(_session(seed, folder)) for seed in range(30)))  # until one does
    return Control("readers that lose prints, chunks, hints and edited arguments", all(noticed))


@contextmanager
def _deaf_to_prints() -> Iterator[None]:
    with _reading(lambda item: None if getattr(item, "kind", "") == "print" else item):
        yield


@contextmanager
def _late_by_a_chunk() -> Iterator[None]:
    with _reading(lambda item: item._replace(number=item.number + 1) if hasattr(item, "number") else item):
        yield


@contextmanager
def _without_hints() -> Iterator[None]:
    with patch("gemstream_widget._archive.journal_file.error_from_json", lambda told: RunFailed(str(told["message"]))):
        yield


@contextmanager
def _with_other_edits() -> Iterator[None]:
    def altered(item: Any) -> Any:
        if getattr(item, "kind", "") == "decide" and item.args is not None:
            item.args = {}
        return item

    with _reading(altered):
        yield


@contextmanager
def _reading(change: Callable[[Any], Any]) -> Iterator[None]:
    """Whoever reads a journal again gets what `change` makes of each item; None: the next one."""
    take = Cursor.take

    def changed(self: Cursor) -> Any:
        while (item := take(self)) is not None:
            if (item := change(item)) is not None:
                return item
        return None

    with patch.object(Cursor, "take", changed):
        yield


# -- files that were spoiled ------------------------------------------------------------------------------------------


def _files(count: int, folder: Path) -> list[bytes]:
    """Sessions as files."""
    files = []
    for seed in range(count):
        session, _ = asyncio.run(_played(seed, folder))
        session.chat.save(folder / "saved.jsonl")
        files.append((folder / "saved.jsonl").read_bytes())
    return sorted(files, key=len)


def _spoiled(setting: Setting, folder: Path) -> Row:
    chance = random.Random(13)
    files = [[json.loads(line) for line in data.splitlines()] for data in _files(setting.count(60, 8), folder)]
    failures: list[str] = []
    count = setting.count(20_000, 200)
    path = folder / "spoiled.jsonl"
    for _ in range(count):
        write(edited(chance.choice(files), chance), path)
        failures += reading_faults(path)
    write(files[0], path)
    with patch("gemstream_widget.load_chat", side_effect=KeyError("on purpose")):
        noticed = bool(reading_faults(path))
    counted = [f"{times} x {what}" for what, times in Counter(failures).most_common()]
    control = Control("a reader that raises KeyError", noticed and not reading_faults(path))
    return Row("files edited at random: a chat or a RecordingError, and the same once more", count, counted, control)


def _cut(setting: Setting, folder: Path) -> Row:
    files = _files(setting.count(30, 4), folder)
    files = files[: setting.count(10, 1)]
    path = folder / "cut.jsonl"
    failures: list[str] = []
    for data in files:
        failures += cut_faults(data, range(0, len(data) + 1, setting.count(1, 5)), path)
    data = files[0]
    with patch("gemstream_widget._chat_file.read_lines", lambda path: list(read_lines(path))[:-1]):
        noticed = bool(cut_faults(data, range(len(data) - 200, len(data), 20), path))
    count = sum(len(data) + 1 for data in files) // setting.count(1, 5)
    return Row(
        "files cut at every byte: read up to the last whole line",
        count,
        failures,
        Control("a reader that gives one line less", noticed),
    )


def _long(setting: Setting, folder: Path) -> Row:
    turns, path = setting.count(500, 50), folder / "long.jsonl"
    noticed = bool(growth_faults(50, path, keep=True))
    control = Control("a list that keeps every history", noticed)
    return Row(
        "turns, the first with a picture: file and memory grow linearly", turns, growth_faults(turns, path), control
    )


# -- recorded streams -------------------------------------------------------------------------------------------------


def _stream(path: Path, folder: Path, *, raw: bool) -> list[str]:
    """What is read differently of one recorded stream."""
    wires = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    given = [frame(wire) for wire in wires] if raw else wires
    return [f"{path.parent.name}/{path.name}: {fault}" for fault in asyncio.run(_given(given, folder))]


async def _given(chunks: list[Any], folder: Path) -> list[str]:
    chat = gem.Chat(source=ListSource(chunks), max_steps=1)
    try:
        run = chat.send("go")
        watcher = Watcher(run)
        await asyncio.wait_for(run.wait(), _LATEST_S)
        await watcher.over()
        chat.save(folder / "saved.jsonl")
        return differences(chat, {run.id: watcher}, folder / "saved.jsonl")
    except Exception as error:
        return [f"{type(error).__name__}: {error!s:.300}"]


def _recorded(setting: Setting, folder: Path) -> Row:
    streams = corpus_streams()
    streams = streams if not setting.quick else streams[::12]
    failures = [fault for path in streams for raw in (False, True) for fault in _stream(path, folder, raw=raw)]
    with _late_by_a_chunk():
        noticed = bool(_stream(streams[0], folder, raw=False))
    control = Control("a reader that is a chunk late", noticed)
    return Row("recorded streams read the same, as objects and as raw text", 2 * len(streams), failures, control)
