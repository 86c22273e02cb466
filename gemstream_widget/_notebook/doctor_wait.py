"""Waiting that a held event loop does not shorten."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

__all__ = ["rest", "within"]

_TICK_S = 0.25


async def within(seconds: float, answer: Future[Any] | asyncio.Future[Any]) -> bool:
    """Whether the answer comes within so many seconds, not counting those in which the event loop was held: what had
    come by then is heard when it goes on, and a timer alone would be first.
    """
    awaited = asyncio.wrap_future(answer) if isinstance(answer, Future) else answer
    for _ in range(max(1, round(seconds / _TICK_S))):
        await asyncio.wait({awaited}, timeout=min(_TICK_S, seconds))
        if awaited.done():
            return True
    return False


async def rest(seconds: float) -> None:
    """Let so many seconds pass in which the event loop is free."""
    await within(seconds, Future())
