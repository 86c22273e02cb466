"""Stopping: the one Stop of a run, asked for from any thread, and for good."""

from __future__ import annotations

import threading

from .._stream.entries import Stop
from .._stream.record import Record
from .._stream.values import BEFORE_TURN, StopAsked, StoppedBy
from .pump import Pump

__all__ = ["Stopping"]


class Stopping:
    """The Stop of the run that `record` tells of, once there is one."""

    def __init__(self, record: Record) -> None:
        self.event = threading.Event()
        """Set by the first Stop."""
        self._record = record

    @property
    def stop(self) -> StopAsked | None:
        return self._record.state.stop

    def ask(self, by: StoppedBy) -> bool:
        """Ask for a Stop; False where one was asked for before, or the run has ended: then nothing changes."""
        record = self._record
        with record.lock:
            if self.stop is not None or record.done:
                return False
            record.add(Stop(record.now(), by))
            self.event.set()
            return True

    @property
    def took_back(self) -> bool:
        """Whether it was asked for before the run had its turn: then nothing is sent, even if the turn comes now."""
        return self.stop is not None and self.stop.when == BEFORE_TURN

    def closed_s(self, pump: Pump | None) -> float | None:
        """When it had closed the connection of `pump`, the last there was; None where none was open, or still is."""
        was_open = pump is not None and pump.began and self.stop is not None and "between" not in self.stop.when
        return pump.ended_s if pump is not None and was_open else None
