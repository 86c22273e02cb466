"""Attempts: how often the request of a step was sent, and the wait before it is sent again."""

from __future__ import annotations

import asyncio

from .._stream.events import RetryScheduled
from .._stream.record import Record
from .._stream.values import Retry
from ..errors import RunFailed
from .retry import retry_wait_s

__all__ = ["Attempts"]


class Attempts:
    """The attempts at one step after another, on the run's loop. `retries`: how many may follow the first."""

    def __init__(self, record: Record, retries: int) -> None:
        self.failed = 0
        """Attempts at the step that is going that failed, and that another was to follow."""
        self._record = record
        self._retries = retries
        self._waiting: asyncio.Future[None] | None = None

    def schedule(self, error: RunFailed) -> bool:
        """After an attempt failed: whether there is another, which is then told. Only where nothing of the answer came
        and it is of use.
        """
        record = self._record
        step, attempt = record.state.steps[-1].index, self.failed + 1
        if attempt > self._retries or record.state.parts_of(step):
            return False
        wait_s = retry_wait_s(error, attempt)
        if wait_s is None:
            return False
        self.failed = attempt
        now = record.now()
        retry = Retry(step, attempt, self._retries + 1, error.title, error.message, now, round(now + wait_s, 6))
        record.publish([RetryScheduled(retry)])
        return True

    def begin_next(self) -> None:
        """A step ended well: the next one starts with a first attempt."""
        self.failed = 0

    async def wait(self) -> None:
        """Return when the next attempt is due, or at `wake`."""
        if not self.failed:
            return
        self._waiting = asyncio.get_running_loop().create_future()
        until_s = self._record.state.retries[-1].until_s
        await asyncio.wait({self._waiting}, timeout=max(0.0, until_s - self._record.now()))

    def wake(self) -> None:
        """End a wait that is going."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
