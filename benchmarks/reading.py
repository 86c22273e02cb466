"""Our reading of the bytes beside the SDK's own, in one call: what a chunk costs, how soon the first one comes, how
fast a Stop is, and what stays in memory. Over real HTTP, the same answers through the same code; only the client
differs.

A chunk's cost is the CPU time of the run's own thread, from the socket to the journal and the state: HTTP, frames and
JSON included, the server's thread not. The two take turns, and the garbage collector is off where a Stop is timed: a
connection that only a collection closes would stay open.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import statistics
import time
import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import gemstream_widget as gem
from tests.clients import OURS, client_of

from .setting import Setting
from .stop_headless import CASES, stop_ms
from .table import Row, single, spread

__all__ = ["measure"]

_THEIRS = "httpx2"
_NAMES = {OURS: "our reading", _THEIRS: "the SDK's"}
_WARM = "@every 0\n@say The SDK is loaded."
_CHUNKS = 5_000
_LONG = f"@every 0\n@repeat {_CHUNKS} word {{n}} of a long text that goes on\n"


def measure(setting: Setting) -> list[Row]:
    """At most 0.45 times the SDK's objects for a chunk, and 1 ms at p95 for a Stop."""
    return asyncio.run(_measure(setting))


async def _measure(setting: Setting) -> list[Row]:
    async with AsyncExitStack() as stack:
        fast = stack.enter_context(gem.LocalGemini(speed=math.inf))
        paced = stack.enter_context(gem.LocalGemini())
        clients: dict[Any, Any] = {
            (server, name): await stack.enter_async_context(client_of(server, name))
            for server in (fast, paced)
            for name in _NAMES
        }
        for client in clients.values():
            await gem.Chat(client=client).send(_WARM)
        rows = await _chunks({name: clients[fast, name] for name in _NAMES}, setting.count(7, 2))
        rows += await _first({name: clients[paced, name] for name in _NAMES}, setting.count(100, 10))
        rows += await _stops(paced, {name: clients[paced, name] for name in _NAMES}, setting.count(200, 20))
        return rows


async def _chunks(clients: dict[str, Any], count: int) -> list[Row]:
    cost: dict[str, list[float]] = {name: [] for name in clients}
    kept: dict[str, float] = {}
    for _ in range(count):
        for name, client in clients.items():
            chat = gem.Chat(client=client)
            began = time.thread_time()
            run = await chat.send(_LONG)
            cost[name].append(1e6 * (time.thread_time() - began) / len(run.chunks))
    for name, client in clients.items():
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        run = await gem.Chat(client=client).send(_LONG)
        gc.collect()
        kept[name] = (tracemalloc.get_traced_memory()[0] - before) / len(run.text)
        tracemalloc.stop()
    what = f"socket to state, per chunk, {_CHUNKS:,} chunks"
    rows = [spread(f"{what}, {_NAMES[name]}", times, "us") for name, times in cost.items()]
    ratio = statistics.median(cost[OURS]) / statistics.median(cost[_THEIRS])
    rows.append(single("the same, ours / the SDK's", ratio, "x", most=0.45, n=count))
    for name, size in kept.items():
        rows.append(single(f"memory kept by the run and its chat, x the text, {_NAMES[name]}", size, "x"))
    return rows


async def _first(clients: dict[str, Any], count: int) -> list[Row]:
    times: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(count):
        for name, client in clients.items():
            began = time.perf_counter()
            run = gem.Chat(client=client).send("@every 0\n@say first\n@stall")
            async for _ in run:
                if run.chunks:
                    break
            times[name].append(1000 * (time.perf_counter() - began))
            run.stop()
            await run.wait()
    return [spread(f"send to first chunk, {_NAMES[name]}", values) for name, values in times.items()]


async def _stops(server: gem.LocalGemini, clients: dict[str, Any], count: int) -> list[Row]:
    moment = random.Random("reading")
    times: dict[tuple[str, str], list[float]] = {(name, case): [] for case in CASES for name in clients}
    gc.collect()
    gc.disable()
    try:
        for _ in range(count):
            for name, case in times:
                took = await stop_ms(server, clients[name], CASES[case], moment.uniform(0, 0.06))
                times[name, case] += [] if took is None else [took]
    finally:
        gc.enable()
    rows = []
    for (name, case), values in times.items():
        limit = 1.0 if name == OURS else None
        what = f"Stop to socket closed, headless, {_NAMES[name]}, {case}"
        rows.append(spread(what, values, p95=limit, whole=len(values) == count))
    return rows
