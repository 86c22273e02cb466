"""Stop to socket closed, without a notebook.

From `time.perf_counter()` right before `run.stop()`, called on the run's loop, to the moment the local Gemini sees the
client hang up (`RequestRecord.client_closed_at`, the same clock of the same process, over real HTTP). The garbage
collector is off: a connection that only a collection closes would stay open.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from typing import Any

import gemstream_widget as gem
from gemstream_widget.server import RequestRecord
from tests.clients import client_of

from .setting import Setting
from .table import Row, spread

__all__ = ["CASES", "measure", "stop_ms"]

CASES = {
    "mid-stream": "@every 0.004\n@chunks 2000 " + "0123456789 " * 2000,
    "in silence": "@say one\n@stall",
}
_LATEST_S = 3.0


def measure(setting: Setting) -> list[Row]:
    """p95 at most 2 ms, over each library as the SDK reads it (our reading: reading.py)."""
    rows = []
    gc.disable()
    try:
        with gem.LocalGemini() as server:
            for transport in ("httpx2", "aiohttp"):
                for name, prompt in CASES.items():
                    count = setting.count(200, 30)
                    times = asyncio.run(_stops(server, transport, prompt, count))
                    rows.append(
                        spread(
                            f"Stop to socket closed, headless, {transport}, {name}",
                            times,
                            p95=2,
                            whole=len(times) == count,
                        )
                    )
                    gc.collect()
    finally:
        gc.enable()
    return rows


async def _stops(server: gem.LocalGemini, transport: str, prompt: str, count: int) -> list[float]:
    """Milliseconds of each Stop that closed its connection."""
    moment = random.Random(f"{transport} {prompt[:9]}")
    async with client_of(server, transport) as client:
        await gem.Chat(client=client).send("@every 0\n@say The SDK is loaded.")
        times = [await stop_ms(server, client, prompt, moment.uniform(0, 0.06)) for _ in range(count)]
    return [took for took in times if took is not None]


async def stop_ms(server: gem.LocalGemini, client: Any, prompt: str, after_s: float) -> float | None:
    """Milliseconds from a Stop, so long after the first chunk, to the connection closed; None where it stayed open."""
    run = gem.Chat(client=client).send(prompt)
    async for _ in run:
        if run.chunks:
            break
    record: RequestRecord = server.requests[-1]
    await asyncio.sleep(after_s)
    asked = time.perf_counter()
    run.stop()
    await run.wait()
    if record.client_closed_at is None:
        await asyncio.to_thread(record.wait_closed, _LATEST_S)
    return None if record.client_closed_at is None else 1000 * (record.client_closed_at - asked)
