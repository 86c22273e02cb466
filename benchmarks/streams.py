"""The text that is streamed, and a source that streams it at a pace. Also imported by the notebooks' kernels."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from gemstream_widget._engine.source import Request

__all__ = ["SIZE", "Paced", "chunk", "pieces", "prose"]

SIZE = 40
"""Characters per chunk."""

_WORDS = (
    "the model answers with text that grows while you read it and each block is drawn once when it is complete so "
    "nothing moves under your pointer even if a table is long or some list holds thousands of entries in many rows"
).split()


def prose(size: int, seed: int = 1) -> str:
    """Paragraphs of `size` characters."""
    pick = random.Random(seed)
    held: list[str] = []
    length = 0
    while length < size:
        word = pick.choice(_WORDS) + ("\n\n" if pick.random() < 0.02 else " ")
        held.append(word)
        length += len(word)
    return "".join(held)[:size]


def pieces(count: int, seed: int = 1) -> Iterator[str]:
    """`count` pieces of SIZE characters."""
    block = 1000
    for start in range(0, count, block):
        text = prose(min(block, count - start) * SIZE, seed + start)
        yield from (text[at : at + SIZE] for at in range(0, len(text), SIZE))


def chunk(text: str, number: int, *, last: bool = False) -> dict[str, Any]:
    """A chunk as Gemini sends it: one text part, and the counters so far."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    tokens = 10 * (number + 1)
    usage = {"promptTokenCount": 12, "candidatesTokenCount": tokens, "totalTokenCount": 12 + tokens}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "demo", "responseId": "r"}


class Paced:
    """A source that gives each text as a chunk, `wait_s()` seconds after the one before, once `open` is set.

    `given_at` holds the `time.time()` at which each chunk was handed to the run.
    """

    def __init__(
        self, texts: Iterable[str], wait_s: Callable[[], float] = lambda: 0.0, *, is_open: bool = True
    ) -> None:
        self._texts = list(texts)
        self._wait_s = wait_s
        self.given_at: list[float] = []
        self.open = asyncio.Event()
        if is_open:
            self.open.set()

    async def stream(self, request: Request) -> AsyncIterator[dict[str, Any]]:
        await self.open.wait()
        due = time.monotonic()
        for number, text in enumerate(self._texts):
            due += self._wait_s()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            given = chunk(text, number, last=number == len(self._texts) - 1)
            self.given_at.append(time.time())
            yield given
