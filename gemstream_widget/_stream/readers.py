"""Readers of a run: `EventReader` for `async for event in run`, `EventFeed` for a terminal, `PatchReader` for a card.

Neither has a transport. Operations are joined while they wait: text for one string becomes one append, and of several
values for one place only the last is sent. So the size of a batch follows the text, not the number of chunks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import deepcopy
from threading import RLock
from typing import Any

from .._plain import Json, with_digits
from .._process import Resident
from .chunks import Chunk
from .entries import Entry
from .events import Event, RunEnded
from .fold import Fold
from .journal import Cursor, Journal
from .patch import Op, Path

__all__ = ["EventFeed", "EventReader", "PatchReader"]


_CONTAINERS = (dict, list)

_SLICE_S = 0.008
"""How long a reader may go through a journal before others on its loop get their turn."""


class EventReader(Resident):
    """The events of a run, from its start to its end, for one reader on one event loop.

    It folds the journal for itself, at the pace it is read at: nothing waits in it, however late it comes or slow it
    is. The record holds its readers weakly: leaving the loop, or being cancelled in it, neither stops the run nor
    leaks.
    """

    _instead = (
        "A reader of events reads on one event loop: collect the events in a list, which can be pickled and copied."
    )

    def __init__(self, journal: Journal, fold: Fold) -> None:
        """On the running loop. `fold` has taken nothing yet."""
        self._loop = asyncio.get_running_loop()
        self._cursor = Cursor(journal)
        self._fold = fold
        self._events: deque[Event] = deque(fold.opening())
        self._news = asyncio.Event()
        self._is_waiting = False
        self._over = False
        self._busy_since = self._loop.time()

    def wake(self) -> None:
        """There may be more in the journal. From any thread."""
        if self._is_waiting:
            with suppress(RuntimeError):  # the reader's loop is closed, and nobody reads on
                self._loop.call_soon_threadsafe(self._news.set)

    def __aiter__(self) -> EventReader:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._over:
                raise StopAsyncIteration
            if self._loop.time() - self._busy_since > _SLICE_S:  # what is there never suspends: let others go on
                await asyncio.sleep(0)
                self._busy_since = self._loop.time()
            if (item := self._cursor.take()) is None:
                await self._wait()
            else:
                self._events.extend(self._fold.take(item if isinstance(item, Chunk) else _own(item)))
        event = self._events.popleft()
        self._over = isinstance(event, RunEnded)
        return event

    async def _wait(self) -> None:
        """Return when there may be more in the journal."""
        self._news.clear()
        self._is_waiting = True  # before the last look: whoever writes looks at it after
        try:
            if not self._cursor.is_at_end:
                return
            await self._news.wait()
            self._busy_since = self._loop.time()
        finally:
            self._is_waiting = False


class EventFeed:
    """The events of a run, from its start, for one who is told at once, on the thread on which they happen.

    `changed` is called when there may be more: on the run's loop, and for a Stop on any thread. The record holds it
    weakly.
    """

    def __init__(self, journal: Journal, fold: Fold) -> None:
        """`fold` has taken nothing yet; its state is that of the events taken."""
        self.changed: Callable[[], None] = lambda: None
        self.fold = fold
        self._cursor = Cursor(journal)
        self._events = fold.opening()

    def wake(self) -> None:
        """There may be more in the journal. From any thread."""
        self.changed()

    def take(self) -> list[Event]:
        """The events of the next entry; none where there is no more. By one thread at a time."""
        while not self._events and (item := self._cursor.take()) is not None:
            self._events = self.fold.take(item if isinstance(item, Chunk) else _own(item))
        events, self._events = self._events, []
        return events


def _own(entry: Entry) -> Entry:
    """A copy, whose containers are the reader's to change. An error may be anybody's, and stays what it is."""
    error = getattr(entry, "error", None)
    return deepcopy(entry, {id(error): error} if isinstance(error, BaseException) else None)


class PatchReader(Resident):
    """The batches of one run for one card. All methods may be called from any thread.

    `snapshot_of` gives the run's state and clock; `lock` is the record's, so that a snapshot and the batches that
    follow it never overlap or leave a gap.
    """

    _instead = "A reader of patches tells one card: the run's state is run.snapshot(), which can be pickled and copied."

    def __init__(self, run: str, lock: RLock, snapshot_of: Callable[[], tuple[Json, float]]) -> None:
        self.run = run
        self.changed: Callable[[bool], None] = lambda urgent: None
        self._lock = lock
        self._snapshot_of = snapshot_of
        self._seq = 0
        self._sealed: list[Json] = []  # messages
        self._waiting: list[list[Any]] = []  # [op, path, value]; of appends, the pieces
        self._latest: dict[Path, list[Any]] = {}  # the last waiting operation on a path, where joining it is safe

    @property
    def seq(self) -> int:
        """The number of the last batch that was closed."""
        return self._seq

    def push(self, ops: Iterable[Op]) -> None:
        """Add operations, in order. Called by the record, under its lock."""
        latest = self._latest
        for op, path, value in ops:
            if op == "=" and isinstance(value, _CONTAINERS):
                self._waiting.append([op, path, value])
                latest.clear()  # others may reach into this value: nothing joins across it
                continue
            held = latest.get(path)
            if held is None or held[0] != op:
                latest[path] = entry = [op, path, [value] if op == "+" else value]
                self._waiting.append(entry)
            elif op == "+":
                held[2].append(value)
            else:
                held[2] = value

    def _seal(self) -> None:
        if self._waiting:
            self._seq += 1
            ops = [
                (op, path, "".join(value)) if op == "+" else _exact(op, path, value)
                for op, path, value in self._waiting
            ]
            self._sealed.append({"op": "patch", "run": self.run, "seq": self._seq, "ops": ops})
            self._waiting.clear()
            self._latest.clear()

    def take(self) -> list[Json]:
        """Everything that waits, as patch messages in order."""
        with self._lock:
            self._seal()
            sealed, self._sealed = self._sealed, []
        return sealed

    def snapshot(self) -> Json:
        """`{"seq", "at_s", "state", "whole"?}`: the state after batch `seq`. Whatever waits is closed into that batch
        first, and is still sent: a page that already has the snapshot drops it by its number.
        """
        with self._lock:
            self._seal()
            state, at_s = self._snapshot_of()
            state, whole = with_digits(state)
            return {"seq": self._seq, "at_s": at_s, "state": state} | ({"whole": whole} if whole else {})


def _exact(op: str, path: Path, value: Any) -> Op | tuple[str, Path, Any, list[list[str | int]]]:
    """An operation whose whole numbers a page reads exactly (docs/protocol.md, Operations)."""
    value, whole = with_digits(value)
    return (op, path, value, whole) if whole else (op, path, value)
