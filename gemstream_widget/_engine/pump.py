"""Pump: reads the stream of one request into a queue, and does nothing else.

Its task awaits only the source, so that cancelling it always lands inside the source, where it closes the connection
(source.py tells why). Whoever takes the chunks out decides what they mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from .._interrupts import struck
from .._redact import words_of
from ..errors import SourceError
from .source import Request, Source

__all__ = ["Pump"]


class _Asked:
    """In the queue when the source is prepared: from here on, silence is the stream's."""


class _End:
    """In the queue after the last chunk."""


_Item: TypeAlias = tuple[float, Any] | _Asked | _End

_LATE_S = 0.1
"""A timer that comes later than this was held up together with its loop, and so was the reading."""


class Pump:
    """One stream and its queue, on one loop. `now` gives the arrival of each chunk; `interrupted` is called where a
    Ctrl+C strikes the reading.
    """

    task: asyncio.Task[None]
    """Reads the source, from `start` on. Cancel it to close the connection."""

    def __init__(self, now: Callable[[], float], interrupted: Callable[[], None]) -> None:
        self.began = False
        """It asked its source: there may be a connection to close."""
        self.ended_s: float | None = None
        self._now = now
        self._interrupted = interrupted
        self._abandoned = False
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._asked = False

    def start(self, source: Source, request: Request, *, name: str) -> None:
        """Begin to read, on the running loop."""
        self.task = asyncio.get_running_loop().create_task(self._read(source, request), name=name)
        self.task.add_done_callback(self._ended)

    async def _read(self, source: Source, request: Request) -> None:
        self.began = True
        try:
            if (prepare := getattr(source, "prepare", None)) is not None:
                await prepare()
            self._inbox.put_nowait(_Asked())
            async for chunk in source.stream(request):
                self._inbox.put_nowait((self._now(), chunk))
                if self._abandoned:  # the source ignored its cancellation
                    return
        except (KeyboardInterrupt, SystemExit) as error:  # would end the loop, and with it the kernel
            if not struck(error):
                raise SourceError(words_of(error)) from None
            self._interrupted()
            raise asyncio.CancelledError from None

    def _ended(self, task: asyncio.Task[None]) -> None:
        try:
            self.ended_s = self._now()
            if not task.cancelled():
                task.exception()  # seen: it is judged by the driver, or no longer matters
        finally:  # also where a Ctrl+C strikes here: whoever takes would wait for ever
            self._inbox.put_nowait(_End())

    async def take(self, timeout_s: float | None) -> tuple[float, Any] | None:
        """The next chunk with its arrival, or None after the last. Raises TimeoutError where none comes in time, not
        counting time in which the source was prepared or the loop itself was held up.
        """
        loop = asyncio.get_running_loop()
        while True:
            began, limit_s = loop.time(), timeout_s if self._asked else None
            try:
                async with asyncio.timeout(limit_s):
                    item = await self._inbox.get()
            except TimeoutError:
                if limit_s is None or loop.time() - began < limit_s + _LATE_S:
                    raise
                continue
            if isinstance(item, _Asked):
                self._asked = True
                continue
            return None if isinstance(item, _End) else item

    def abandon(self) -> None:
        """Let whoever waits in `take` go on, although the source has not ended."""
        self._abandoned = True
        self._inbox.put_nowait(_End())

    def rest(self) -> list[tuple[float, Any]]:
        """The chunks that arrived and were not taken."""
        items = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        return [item for item in items if isinstance(item, tuple)]

    @property
    def raised(self) -> BaseException | None:
        """What ended the source: CancelledError where it was cancelled, None where it ended by itself, or has not."""
        if not self.task.done():
            return None
        return asyncio.CancelledError() if self.task.cancelled() else self.task.exception()
