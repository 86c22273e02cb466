"""A hundred runs at once in one process, each with a card on a comm that serialises and counts instead of sending.

The local Gemini answers over real HTTP from a thread of the same process, as with the demo model: 5 chunks a second
and run, 60 characters each. Stop: from time.perf_counter() before `run.stop()` on a thread that is not the run's, as a
kernel's shell thread does it, to the moment the server sees the client hang up, while 99 other runs stream.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comm
from comm.base_comm import BaseComm

import gemstream_widget as gem
from gemstream_widget.server import RequestRecord
from tests.clients import client_of

from .setting import Setting
from .streams import prose
from .table import Row, note, single, spread

__all__ = ["measure"]

_RUNS = 100
_SIZE = 60
_WINDOW_S = 3.0  # Jupyter's server drops what exceeds 1000 messages in this time
_LATEST_S = 5.0


class CountingComm(BaseComm):
    """Makes the bytes a kernel would send, and notes when."""

    sent_at: list[float] = []
    size = 0

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        CountingComm.size += len(json.dumps(data or {}))
        CountingComm.sent_at.append(time.monotonic())


@contextmanager
def _counting() -> Iterator[None]:
    before = comm.create_comm
    comm.create_comm = CountingComm
    CountingComm.sent_at.clear()
    try:
        yield
    finally:
        comm.create_comm = before


def measure(setting: Setting) -> list[Row]:
    """All finish; Stop of one p95 <= 100 ms."""
    with _counting(), gem.LocalGemini(keep=2000) as server:
        return asyncio.run(_measure(server, setting))


async def _measure(server: gem.LocalGemini, setting: Setting) -> list[Row]:
    async with client_of(server, "httpx2") as client:
        await gem.Chat(client=client).send("@every 0\n@say The SDK is loaded.")
        chunks = setting.count(40, 20)
        finishing = await _all_finish(client, chunks)
        count = setting.count(30, 10)
        times = await _stop_one_of_many(server, client, count)
    what = f"Stop of one of {_RUNS} runs to socket closed, 99 streaming"
    return [*finishing, spread(what, times, p95=100, whole=len(times) == count)]


def _send(client: Any, text: str, chunks: int) -> gem.Run:
    run = gem.Chat(client=client).send(f"@every 0.2\n@chunks {chunks} {text}")
    gem.Card([run])
    return run


async def _all_finish(client: Any, chunks: int) -> list[Row]:
    text = prose(_SIZE * chunks).replace("\n\n", ", ").strip()
    CountingComm.sent_at.clear()
    began, cpu = time.monotonic(), time.process_time()
    runs = [_send(client, text, chunks) for _ in range(_RUNS)]
    late = asyncio.create_task(_lateness_ms(runs))
    await asyncio.gather(*(run.wait() for run in runs))
    took, spent = time.monotonic() - began, time.process_time() - cpu
    whole = sum(run.status == "completed" and run.text == text for run in runs)
    sent = list(CountingComm.sent_at)
    where = f"{_RUNS} runs of {chunks} chunks at 5/s"
    return [
        note(
            f"{where}: {whole} finished with their whole text, in {took:.1f} s", f"all {_RUNS}", whole == _RUNS, _RUNS
        ),
        single(f"{where}: messages a second, on average", len(sent) / took, "messages/s"),
        single(f"{where}: most messages in any 3 s (the server drops above 1000)", _most(sent), "messages", most=1000),
        single(f"{where}: CPU of kernel and local Gemini together", 100 * spent / took, "% of a core"),
        spread(f"{where}: the loop's lateness, every 10 ms", await late),
    ]


async def _lateness_ms(runs: list[gem.Run]) -> list[float]:
    """How much later than asked the loop wakes, while any of the runs goes."""
    late = []
    while not all(run.done for run in runs):
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        late.append(1000 * (time.monotonic() - due))
    return late


def _most(sent_at: list[float]) -> int:
    """The most messages in any window of 3 seconds."""
    most = first = 0
    for last, at in enumerate(sent_at):
        while at - sent_at[first] > _WINDOW_S:
            first += 1
        most = max(most, last - first + 1)
    return most


async def _stop_one_of_many(server: gem.LocalGemini, client: Any, count: int) -> list[float]:
    pick = random.Random(3)
    text = prose(_SIZE * 500).replace("\n\n", ", ").strip()
    held = [await _started(server, client, text) for _ in range(_RUNS)]
    times = []
    for _ in range(count):
        await asyncio.sleep(pick.uniform(0.05, 0.25))
        run, record = held.pop(pick.randrange(_RUNS))
        asked = await asyncio.to_thread(_stop, run)
        await run.wait()
        if record.client_closed_at is None:
            await asyncio.to_thread(record.wait_closed, _LATEST_S)
        if record.client_closed_at is not None:
            times.append(1000 * (record.client_closed_at - asked))
        held.append(await _started(server, client, text))
    for run, _ in held:
        run.stop()
    await asyncio.gather(*(run.wait() for run, _ in held))
    return times


async def _started(server: gem.LocalGemini, client: Any, text: str) -> tuple[gem.Run, RequestRecord]:
    """A run that streams, and the server's record of it."""
    before = len(server.requests)
    run = _send(client, text, 500)
    async for _ in run:
        if run.chunks:
            break
    (record,) = server.requests[before:]
    return run, record


def _stop(run: gem.Run) -> float:
    asked = time.perf_counter()
    run.stop(by="button")
    return asked
