"""Record: the journal of one run as it grows, the state it has led to, and who is told of it.

An entry is kept before it is told, and what it means is in the state before anyone is told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from weakref import ref

from .._plain import Json
from .._process import rlock
from ..errors import RunFailed
from .chunks import Chunk, ChunkLog, Frame
from .entries import End, Entry
from .events import ArgsChanged, Event, StepDetail, TextAdded, UsageReported
from .fold import Fold
from .journal import Cursor, Journal
from .machine import RUN_TABLE, is_terminal
from .parts import CallPart
from .readers import EventFeed, EventReader, PatchReader
from .reducer import apply
from .state import State

__all__ = ["Record"]


_QUIET = frozenset({TextAdded, ArgsChanged, UsageReported, StepDetail})  # events that may wait for the next flush

_log = logging.getLogger(__name__)


class Record:
    """The journal of a run, the state it has led to, and its readers: feeds of cards, streams of events, and whoever
    keeps it in a file. What `journal` holds already is taken over by `replay`.

    `id` is what the run is called in this kernel. `clock` counts seconds, from now on, or from the turn where the run
    is queued. Changed on the run's loop only, save for a Stop; read from any thread, under `lock` where a change must
    not come in between.
    """

    def __init__(self, journal: Journal, id: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.journal = journal
        self.ended: Future[None] = Future()
        """Done once the terminal event is told."""
        self.lock = rlock()
        self._fold = Fold(journal.header, id)
        self.state = self._fold.state
        self._clock = clock
        self._t0 = clock()
        self._feeds: tuple[PatchReader, ...] = ()  # replaced, never changed, as the readers: nobody locks to read them
        self._readers: tuple[ref[EventReader | EventFeed], ...] = ()
        self._keeper: Callable[[], None] | None = None

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def status(self) -> str:
        """A state of machine.RUN_TABLE."""
        return self.state.status

    @property
    def done(self) -> bool:
        return is_terminal(RUN_TABLE, self.state.status)

    @property
    def chunks(self) -> ChunkLog:
        return self.journal.chunks

    @property
    def error(self) -> RunFailed | None:
        """What made the run fail."""
        return self._fold.error

    @property
    def repairs(self) -> tuple[str, ...]:
        """The codes of the repairs that the offer "repair" stands for."""
        return self._fold.repairs

    @property
    def failure(self) -> RunFailed | None:
        """What the stream of the last step tells of a failure: an error object in it, or how it ended."""
        return self._fold.failure

    @property
    def calls(self) -> list[CallPart]:
        """The calls of the last step that its stream left to be answered, in order."""
        return self._fold.calls

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The state, while nothing changes in it. From any thread."""
        with self.lock:
            yield self.state

    def snapshot(self) -> Json:
        """The state as docs/protocol.md describes it, at one moment. From any thread."""
        with self.lock:
            return self.state.snapshot()

    # -- its clock --------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the run's start; stands still at its end, and at 0 before its turn."""
        if self.state.status == "queued":
            return 0.0
        ended_s = self.state.timing.ended_s
        return round(self._clock() - self._t0, 6) if ended_s is None else ended_s

    def restart_clock(self, now_s: float = 0.0) -> None:
        """Count from `now_s` on: a queued run has its turn, or the run began before this record."""
        self._t0 = self._clock() - now_s

    # -- what happens -----------------------------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Something happened. On the run's loop, and from any thread for a Stop and where that loop is closed. Raises
        IllegalTransition where it cannot happen now, and then nothing has.
        """
        try:
            with self.lock:
                events = self._fold.events(entry)
                self.journal.append(entry)
                self._take(events)
            self._tell(events)
        finally:
            self._note_end(entry)

    def add_frame(self, chunk: Any, at_s: float) -> RunFailed | None:
        """A chunk of the last request came, a wire dict or a Frame. Gives `failure` where it holds an error object."""
        wire, raw = (chunk.wire, chunk) if isinstance(chunk, Frame) else (chunk, None)
        with self.lock:
            number = self.journal.chunks.append(at_s, chunk)
            events = self._fold.frame(wire, number, at_s, raw)
            self._take(events)
        self._tell(events)
        return self._fold.stream_error

    def replay(self) -> float:
        """Take over what the journal holds, before anything else happens and anybody is told; the time of the last of
        it. Raises IllegalTransition and others where these are not the entries of a run.
        """
        now_s = 0.0
        with self.lock:
            for item in Cursor(self.journal):
                now_s = max(now_s, item.at_s)
                self._fold.take(item)
                self._note_end(item)
        return now_s

    def _note_end(self, item: Entry | Chunk) -> None:
        if isinstance(item, End) and self.done and not self.ended.done():
            with self.lock:
                self.chunks.pack()
            self.ended.set_result(None)  # whoever waits goes on

    def _take(self, events: list[Event]) -> None:
        ops = apply(self.state, *events)
        for feed in self._feeds:
            feed.push(ops)

    # -- who is told ------------------------------------------------------------------------------------------------

    def _tell(self, events: list[Event]) -> None:
        if self._keeper is not None:
            self._call(self._keeper)
        for held in self._readers:
            if (reader := held()) is not None:
                self._call(reader.wake)
        if self._feeds and events:
            urgent = _is_urgent(events)
            for feed in self._feeds:
                self._call(feed.changed, urgent)

    def _call(self, tell: Callable[..., None], *told: bool) -> None:
        try:
            tell(*told)
        except Exception:  # who cannot be told must not decide how the run goes
            _log.exception("a reader of run %s could not be told", self.id)

    def keep(self, keeper: Callable[[], None]) -> None:
        """Call this, on whatever thread, after each entry. It must return at once."""
        self._keeper = keeper

    def events(self) -> EventReader:
        """All events from the run's start, for a reader on the loop that is running."""
        reader = EventReader(self.journal, Fold(self.journal.header, self.id))
        self._admit(reader)
        return reader

    def event_feed(self) -> EventFeed:
        """All events from the run's start, for one who is told at once. From any thread."""
        feed = EventFeed(self.journal, Fold(self.journal.header, self.id))
        self._admit(feed)
        return feed

    def _admit(self, reader: EventReader | EventFeed) -> None:
        with self.lock:
            self._readers = (*(held for held in self._readers if held() is not None), ref(reader))

    def feed(self) -> PatchReader:
        """A new feed of patches for a card. From any thread."""
        with self.lock:
            feed = PatchReader(self.id, self.lock, lambda: (self.state.snapshot(), self.now()))
            self._feeds = (*self._feeds, feed)
        return feed

    def drop_feed(self, feed: PatchReader) -> None:
        """Stop telling a feed. From any thread."""
        with self.lock:
            self._feeds = tuple(f for f in self._feeds if f is not feed)

    def leave_behind(self) -> None:
        """In a forked child: whoever was told or waited until now is with the parent, and so may be a thread that was
        just about to tell of the end.
        """
        self._feeds, self._readers, self.ended = (), (), Future()
        if self.done:
            self.ended.set_result(None)


def _is_urgent(events: list[Event]) -> bool:
    for event in events:  # noqa: SIM110  # for every chunk, and any() takes twice the time
        if type(event) not in _QUIET:
            return True
    return False
