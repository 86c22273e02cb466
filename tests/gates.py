"""A source that a test holds in its hand: it gives a chunk, or an end, only when told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from gemstream_widget._engine.source import Request

END = object()


class GatedSource:
    """`give` a chunk, `end` or `fail` the stream. `closed` tells how the reader left: None, "ended" or "cancelled".

    `stubborn` sources swallow the cancellation and go on: what a careless library does.
    """

    def __init__(self, *, stubborn: bool = False) -> None:
        self.requests: list[Request] = []
        self.closed: str | None = None
        self.waiting = asyncio.Event()
        self._stubborn = stubborn
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def give(self, *chunks: Any) -> None:
        for chunk in chunks:
            self._queue.put_nowait(chunk)

    def end(self) -> None:
        self._queue.put_nowait(END)

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        self.requests.append(request)
        self.closed = None
        try:
            while True:
                self.waiting.set()
                try:
                    item = await self._queue.get()
                except asyncio.CancelledError:
                    if not self._stubborn:
                        raise
                    continue
                if item is END:
                    break
                if isinstance(item, BaseException):
                    raise item
                yield item
            self.closed = "ended"
        except asyncio.CancelledError:
            self.closed = "cancelled"
            raise


async def until(condition: Any, what: str) -> None:
    """Give the loop turns until `condition()` holds. Bounded, and not by time."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"never came true: {what}")
