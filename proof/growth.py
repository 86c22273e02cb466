"""Whether a chat's file and memory grow with what is said, and no faster."""

from __future__ import annotations

import asyncio
import base64
import gc
import math
import tracemalloc
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.source import Request
from tests.wire import chunk, text

__all__ = ["grown", "growth_faults"]

_PICTURE = bytes(range(256)) * 4096
_MOST_EXPONENT = 1.05


class _Forgetful:
    """A source that holds no request: their histories would grow faster than the chat."""

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        yield chunk(text("x" * 400), finish="STOP")


def grown(turns: int, path: Path, *, keep: bool = False) -> tuple[list[int], list[int]]:
    """The bytes of the file and of Python's memory after each fifth of the turns, of which the first has a picture of
    1 MB. `keep`: a list keeps every history, which has to be noticed.
    """
    sizes: list[int] = []
    memory: list[int] = []
    kept: list[Any] = []

    async def talk() -> None:
        chat = gem.Chat(source=_Forgetful())
        for turn in range(1, turns + 1):
            await chat.send(["see", (_PICTURE, "image/png")] if turn == 1 else "y" * 200)
            if keep:
                kept.append(chat.history)
            if turn % (turns // 5) == 0:
                sizes.append(_saved(chat, path))
                gc.collect()
                memory.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        asyncio.run(talk())
    finally:
        tracemalloc.stop()
    return sizes, memory


def _saved(chat: gem.Chat, path: Path) -> int:
    chat.save(path)
    return path.stat().st_size


def growth_faults(turns: int, path: Path, *, keep: bool = False) -> list[str]:
    """What grew faster than the text, and how often the picture is in the file where that is not once."""
    faults = []
    for what, points in zip(("file", "memory"), grown(turns, path, keep=keep), strict=True):
        steps = [later - earlier for earlier, later in pairwise(points)]
        exponent = math.log(sum(steps) / steps[0]) / math.log(len(steps))
        if exponent > _MOST_EXPONENT:
            faults.append(f"the {what} grows with an exponent of {exponent:.3f}: {points}")
    if (times := path.read_bytes().count(base64.b64encode(_PICTURE))) != 1:
        faults.append(f"the picture is {times} times in the file")
    return faults
