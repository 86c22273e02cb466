"""Record: everything that has happened in one run, and who is told of it.

A chunk is kept before it is decoded, and what it means is in the state before anyone is told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakSet

from .._plain import Json, Wire
from ..errors import RunFailed
from .chunks import ChunkLog
from .decode import Decoder
from .events import ArgsChanged, Event, PromptChanged, RunEnded, RunStateChanged, StepDetail, TextAdded, UsageReported
from .machine import RUN_TABLE, is_terminal, next_state
from .parts import CallPart
from .readers import EventReader, PatchReader
from .reducer import apply
from .state import State

__all__ = ["Record"]


_QUIET = (TextAdded, ArgsChanged, UsageReported, StepDetail)  # events that may wait for the next flush

_log = logging.getLogger(__name__)


class Record:
    """The chunks of one run, the state they have led to, and its readers: feeds of cards, and streams of events.

    `prompt` and `opening` are wire Contents; `opening` is the conversation so far, where the run asks again, its own
    prompt included. `attachments` are the words for what went into the prompt. `clock` counts seconds, from now on, or
    from `begin_turn` where the run is `queued`. Changed on the run's loop only; read from any thread, under `lock`
    where a change must not come in between.
    """

    def __init__(
        self,
        *,
        run: str,
        model: str,
        demo: bool,
        prompt: list[Wire],
        attachments: Sequence[str] = (),
        opening: Sequence[Wire] = (),
        queued: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.opening = list(opening)
        self.state = State(
            run=run,
            model=model,
            demo=demo,
            prompt=prompt,
            started_at=time.time(),
            attachments=attachments,
            status="queued" if queued else "pending",
        )
        self.chunks = ChunkLog()
        self.error: RunFailed | None = None
        """What made the run fail."""
        self.ended: Future[None] = Future()
        """Done once the terminal event is told."""
        self.lock = threading.RLock()
        self._decoder = Decoder()
        self._clock = clock
        self._t0 = clock()
        self._feeds: list[PatchReader] = []
        self._readers: WeakSet[EventReader] = WeakSet()

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

    @contextmanager
    def reading(self) -> Iterator[State]:
        """The state, while nothing changes in it. From any thread."""
        with self.lock:
            yield self.state

    def snapshot(self) -> Json:
        """The state as docs/protocol.md describes it, at one moment. From any thread."""
        with self.lock:
            return self.state.snapshot()

    def now(self) -> float:
        """Seconds since the run's start; stands still at its end, and at 0 before its turn."""
        if self.state.status == "queued":
            return 0.0
        ended_s = self.state.timing.ended_s
        return round(self._clock() - self._t0, 6) if ended_s is None else ended_s

    def go_on_from(self, started_at: float, now_s: float) -> None:
        """The run began before this record, at `started_at` (Unix time); `now_s` seconds of it are over."""
        self.state.timing.started_at = started_at
        self._t0 -= now_s

    def begin_turn(self, prompt: list[Wire]) -> None:
        """The run waited for its turn, and starts now, with this prompt."""
        self.state.timing.started_at, self._t0 = time.time(), self._clock()
        changed = [PromptChanged(prompt)] if prompt != self.state.prompt else []
        self.publish([*changed, RunStateChanged(next_state(RUN_TABLE, self.status, "turn"))])

    # -- what happens -----------------------------------------------------------------------------------------------

    def begin_step(self, at_s: float) -> None:
        """The next request goes out."""
        self.publish(self._decoder.begin(len(self.state.steps), at_s))

    def add_chunk(self, chunk: Any, at_s: float) -> None:
        """A chunk of the step came. Raises ApiError for an error object, which is kept all the same."""
        number = self.chunks.append(self.state.steps[-1].index, at_s, chunk)
        self.publish(self._decoder.push(chunk, number, at_s))

    def keep_chunk(self, chunk: Any, at_s: float) -> None:
        """A chunk of the step came after it was given up: it is kept, and means nothing any more."""
        self.chunks.append(self.state.steps[-1].index, at_s, chunk)

    def end_step(self, at_s: float, outcome: str | None = None) -> None:
        """The step is over. `outcome` is given where its stream did not end by itself."""
        self.publish(self._decoder.end(at_s, outcome))

    @property
    def calls(self) -> list[CallPart]:
        """The calls of the last step that its stream left to be answered, in order."""
        return [part for call in self._decoder.calls if (part := self.state.call_part(call)) is not None]

    def end(self, event: RunEnded) -> None:
        """The run is over, and whoever waits for that goes on."""
        try:
            self.publish([event])
        finally:
            if not self.ended.done():
                self.ended.set_result(None)

    # -- who is told ------------------------------------------------------------------------------------------------

    def publish(self, events: Iterable[Event]) -> None:
        """Record, then tell: what a reader is told of is already in the state."""
        urgent = False
        told = list(events)
        with self.lock:
            for event in told:
                ops = apply(self.state, event)
                urgent = urgent or not isinstance(event, _QUIET)
                for feed in self._feeds:
                    feed.push(ops)
            readers, feeds = list(self._readers), list(self._feeds)
        for tell in [*(partial(r.put, told) for r in readers), *(partial(f.changed, urgent) for f in feeds)]:
            try:
                tell()
            except Exception:  # who cannot be told must not decide how the run goes
                _log.exception("a reader of run %s could not be told", self.id)

    def events(self) -> EventReader:
        """All events, for a reader on the loop that is running: what came before is summed up (State.recap)."""
        with self.lock:
            reader = EventReader(self.state.recap())
            self._readers.add(reader)
        return reader

    def feed(self) -> PatchReader:
        """A new feed of patches for a card. From any thread."""
        with self.lock:
            feed = PatchReader(self.id, self.lock, lambda: (self.state.snapshot(), self.now()))
            self._feeds.append(feed)
        return feed

    def drop_feed(self, feed: PatchReader) -> None:
        """Stop telling a feed. From any thread."""
        with self.lock:
            self._feeds = [f for f in self._feeds if f is not feed]
