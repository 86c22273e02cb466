"""Stopping: the one Stop of a run, who asked for it and when, and the receipt for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from .._stream.record import Record
from .._stream.values import Receipt, StoppedBy
from .pump import Pump

__all__ = ["Stop", "Stopping"]


_QUEUED = "before its turn"


@dataclass(frozen=True, slots=True)
class Stop:
    """Who asked for it, when in seconds since the run's start, and at what point of the run."""

    by: StoppedBy
    asked_s: float
    when: str


class Stopping:
    """The Stop of the run that `record` tells of, once there is one: asked for from any thread, and for good."""

    def __init__(self, record: Record) -> None:
        self.event = threading.Event()
        """Set by the first Stop."""
        self.stop: Stop | None = None
        self._record = record

    def ask(self, by: StoppedBy) -> bool:
        """Ask for a Stop; False where one was asked for before, or the run has ended: then nothing changes."""
        with self._record.lock:
            if self.stop is not None or self._record.done:
                return False
            self.stop = Stop(by, self._record.now(), self._moment())
            self.event.set()
            return True

    @property
    def took_back(self) -> bool:
        """Whether it was asked for before the run had its turn: then nothing is sent, even if the turn comes now."""
        return self.stop is not None and self.stop.when == _QUEUED

    def _moment(self) -> str:
        if self._record.status == "queued":
            return _QUEUED
        steps = self._record.state.steps
        if not steps:
            return "before the request"
        if steps[-1].ended_s is not None:
            return "between steps"
        return "before the first chunk" if steps[-1].first_chunk_s is None else "mid-stream"

    def receipt(self, pump: Pump | None) -> Receipt:
        """How the Stop went. `pump` is the last there was."""
        assert self.stop is not None
        was_open = pump is not None and pump.began and self.stop.when != "between steps"
        return Receipt(
            by=self.stop.by,
            when=self.stop.when,
            asked_s=self.stop.asked_s,
            closed_s=pump.ended_s if pump is not None and was_open else None,
            chunks_after=self._record.chunks.arrived_since(self.stop.asked_s),
            tokens=self._record.state.usage.total_token_count,
        )
