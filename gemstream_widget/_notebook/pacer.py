"""When a card may send: one pacer for all cards of a kernel, without any transport.

Jupyter's server drops messages silently above 1000 in 3 seconds, and a page follows about 500 a second. So the whole
kernel stays far below, however many runs are going: flushes take turns, and a burst of urgent ones has a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .._process import lock

__all__ = ["FLUSH_S", "Pacer"]


FLUSH_S = 0.033
"""A card's own rhythm: seconds between two flushes."""

_FLUSHES_PER_S = 120.0
_URGENT_PER_S = 40.0
_URGENT_BURST = 40.0
_BEATS_PER_S = 20.0
_BEAT_S = 2.0


class Pacer:
    """Gives out turns. All methods may be called from any thread; `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = lock()
        self._turn = 0.0
        self._urgent = _URGENT_BURST
        self._urgent_at = clock()
        self._going = 0

    def wait_s(self, last_s: float) -> float:
        """Take the next turn: how long to wait before flushing a card whose last flush was at `last_s`."""
        with self._lock:
            now = self._clock()
            turn = max(self._turn, last_s + FLUSH_S, now)
            self._turn = max(self._turn, now) + 1 / _FLUSHES_PER_S
            return turn - now

    def may_hurry(self) -> bool:
        """Whether an urgent flush may go now, out of turn."""
        with self._lock:
            now = self._clock()
            self._urgent = min(_URGENT_BURST, self._urgent + (now - self._urgent_at) * _URGENT_PER_S)
            self._urgent_at = now
            if self._urgent < 1:
                return False
            self._urgent -= 1
            return True

    @property
    def going(self) -> int:
        """How many runs send."""
        return self._going

    def begin(self) -> None:
        """A run starts to send."""
        with self._lock:
            self._going += 1

    def end(self) -> None:
        """A run has sent its last."""
        with self._lock:
            self._going -= 1

    def beat_s(self) -> float:
        """Seconds between two beats of one run."""
        return max(_BEAT_S, self._going / _BEATS_PER_S)
