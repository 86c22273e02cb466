"""Attempts: the request of a step is sent again where it failed before anything came, after a wait."""

from __future__ import annotations

import asyncio

from .._stream.entries import Retry
from .._stream.record import Record
from ..errors import RunFailed
from .retry import retry_wait_s

__all__ = ["Attempts"]


class Attempts:
    """The attempts at one step after another, on the run's loop. `retries`: how many may follow the first."""

    def __init__(self, record: Record, retries: int) -> None:
        self._record = record
        self._retries = retries
        self._waiting: asyncio.Future[None] | None = None

    @property
    def failed(self) -> int:
        """Attempts at what the last step asked for that failed before it."""
        steps = self._record.state.steps
        return self._record.state.attempts_before(steps[-1].index) if steps else 0

    def schedule(self, error: RunFailed) -> bool:
        """After an attempt failed: whether there is another, which is then told. Only where nothing of the answer came
        and it is of use.
        """
        record, attempt = self._record, self.failed + 1
        if attempt > self._retries or record.state.parts_of(record.state.steps[-1].index):
            return False
        wait_s = retry_wait_s(error, attempt)
        if wait_s is None:
            return False
        now = record.now()
        record.add(Retry(now, round(now + wait_s, 6), self._retries + 1, error.title, error.message))
        return True

    async def wait(self) -> None:
        """Return when the next attempt is due, where one was told, or at `wake`."""
        state = self._record.state
        if not state.attempts_before(len(state.steps)):
            return
        self._waiting = asyncio.get_running_loop().create_future()
        until_s = state.retries[-1].until_s
        await asyncio.wait({self._waiting}, timeout=max(0.0, until_s - self._record.now()))

    def wake(self) -> None:
        """End a wait that is going."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
