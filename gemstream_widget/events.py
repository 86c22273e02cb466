"""`async for event in run`: a reader's own queue of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from .model import Event, RunEnded

__all__ = ["EventStream"]


class EventStream:
    """The events of a run, from its start to its end, for one reader on one event loop.

    The record holds its readers weakly: leaving the loop neither stops the run nor leaks. Cancelling a task that waits
    for the next event stops the run (`on_cancel`), as cancelling `await run` does.
    """

    def __init__(self, so_far: Sequence[Event], on_cancel: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Event] = asyncio.Queue()
        self._on_cancel = on_cancel
        self._over = False
        for event in so_far:
            self._queue.put_nowait(event)

    def put(self, events: Sequence[Event]) -> None:
        """Hand over events; from any thread."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._extend, events)

    def _extend(self, events: Sequence[Event]) -> None:
        for event in events:
            self._queue.put_nowait(event)

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        if self._over:
            raise StopAsyncIteration
        try:
            event = await self._queue.get()
        except asyncio.CancelledError:
            self._on_cancel()
            raise
        self._over = isinstance(event, RunEnded)
        return event
