"""What the notebooks of the benchmarks call in their kernel, as `bench`."""

from __future__ import annotations

import asyncio
import json
import random
import time

import gemstream_widget as gem
from gemstream_widget.server import shared
from gemstream_widget.server.account import RequestRecord

from .streams import SIZE, Paced, pieces

__all__ = ["begin", "closings", "given", "go", "long_prompt", "note_request", "numbered", "printing", "text"]

_records: list[RequestRecord] = []
long_prompt = "@every 0.02\n@chunks 2000 " + "word and word " * 4000


def begin() -> None:
    """Load what the first request would otherwise wait for."""
    gem.Chat(model="demo")
    shared().client()


# -- Stop --------------------------------------------------------------------------------------------------------------


def epoch_offset_s() -> float:
    """Add it to a time.perf_counter() to have a time.time(): the pair read closest together of many."""
    best = (1.0, 0.0)
    for _ in range(200):
        before = time.perf_counter()
        epoch = time.time()
        after = time.perf_counter()
        best = min(best, (after - before, epoch - (before + after) / 2))
    return best[1]


def note_request() -> None:
    """Keep what the server saw of the last request, for `closings`."""
    _records.append(shared().requests[-1])


def closings() -> str:
    """JSON: for each request noted, when the server saw the client close (time.time(), or null), and its outcome."""
    offset = epoch_offset_s()
    rows = [(None if r.client_closed_at is None else r.client_closed_at + offset, r.outcome) for r in _records]
    _records.clear()
    return json.dumps(rows)


# -- streams with known arrivals ---------------------------------------------------------------------------------------


def text(count: int, wait_s: float = 0.0) -> gem.Run:
    """A run of `count` chunks of 40 characters, `wait_s` apart."""
    return gem.Chat(model="bench", source=Paced(pieces(count), lambda: wait_s)).send("go")


_numbered: Paced | None = None


def numbered(count: int, wait_s: float = 0.02) -> gem.Run:
    """A run whose chunk number N holds the word `nN` and is 40 characters long. Waits vary, so that they do not beat
    with the flushes. It starts with `go`.
    """
    global _numbered  # noqa: PLW0603  # the notebook asks for one at a time
    pick = random.Random(7)

    def texts() -> list[str]:
        heads = [f"n{number} " for number in range(count)]
        return [
            head + ("x" * (SIZE - len(head) - 2)) + ("\n\n" if n % 5 == 4 else " .") for n, head in enumerate(heads)
        ]

    _numbered = Paced(texts(), lambda: pick.uniform(0.25, 1.75) * wait_s, is_open=False)
    return gem.Chat(model="bench", source=_numbered).send("go")


def go() -> None:
    """Start the stream of `numbered`."""
    assert _numbered is not None
    _numbered.open.set()


def given() -> str:
    """JSON: the time.time() at which each chunk of `numbered` was handed to the run."""
    assert _numbered is not None
    return json.dumps(_numbered.given_at)


async def printing(count: int, wait_s: float) -> None:
    """The same text as `text`, printed."""
    due = time.monotonic()
    for piece in pieces(count):
        due += wait_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        print(piece, end="", flush=True)
