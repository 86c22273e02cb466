"""What a chunk of text costs in the kernel, from parsed JSON to the bytes of a patch, and what stays in memory.

CPU time of the process, for chunks of 40 characters with usage, the way they go in a run: kept in the journal, folded
(decoded and reduced), told to a card's feed, and of every second chunk the patches are taken and written as JSON, as at
50 chunks a second and a flush each 33 ms. Not in it: parsing what the network brought, sending.

Then what reading the journal again costs: a reader who comes late, a chat that is saved and loaded.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream import entries
from gemstream_widget._stream.journal import Journal
from gemstream_widget._stream.record import Record

from .setting import Setting
from .streams import SIZE, chunk, pieces
from .table import Row, single, spread

__all__ = ["measure"]

_BLOCK = 500
_COUNTS = (1_000, 10_000, 100_000)
_TURNS = 400


class Pipeline:
    """The way of a run's chunks, without loop and source."""

    def __init__(self) -> None:
        header = entries.Header(run="benchmark", model="m", demo=False, prompt=[], started_at=0.0)
        self.record = Record(Journal(header), "r1")
        self.feed = self.record.feed()
        self.bytes = 0
        self.record.keep(lambda: None)  # as a chat does
        self.record.add(entries.Move(0.0, "started"))
        self.record.add(entries.Request(0.0))

    def push(self, wire: Any, number: int) -> None:
        """One chunk; every second one flushes."""
        self.record.add_frame(wire, number * 0.02)
        if number % 2:
            for message in self.feed.take():
                self.bytes += len(json.dumps(message))


def measure(setting: Setting) -> list[Row]:
    """At most 10 us a chunk, flat up to 100,000 chunks; memory about the text's size; readers hold nobody up."""
    rows = []
    cost: dict[int, float] = {}
    _cost_us(1_000)
    for count in _COUNTS:
        repeats = max(1, min(setting.count(20, 5), setting.count(300_000, 100_000) // count))
        costs = [_cost_us(count) for _ in range(repeats)]
        cost[count] = statistics.median(costs)
        rows.append(spread(f"decode + reduce + patch + serialise, per chunk, {count:,} chunks", costs, "us", median=10))
    flat = cost[_COUNTS[-1]] / cost[_COUNTS[0]]
    rows.append(single("the same, cost at 100,000 chunks / at 1,000 (flat: 1)", flat, "x", most=1.25))
    count = setting.count(100_000, 20_000)
    kept = _kept(count)
    rows.append(single(f"memory kept by the journal, packed, {count:,} chunks, x the text", kept[0], "x", most=1.25))
    rows.append(single(f"memory kept by journal and state, {count:,} chunks, x the text", kept[1], "x", most=2.5))
    rows += _late(count)
    rows += _saved_and_loaded(setting.count(5, 2))
    return rows


def _blocks(count: int) -> Iterator[tuple[int, list[Any]]]:
    """Fresh chunks by the block, as parsing makes them."""
    texts = pieces(count)
    for start in range(0, count, _BLOCK):
        told = [json.dumps(chunk(next(texts), n)) for n in range(start, min(count, start + _BLOCK))]
        yield start, [json.loads(text) for text in told]


def _filled(count: int) -> Pipeline:
    pipeline = Pipeline()
    for start, wires in _blocks(count):
        for number, wire in enumerate(wires, start):
            pipeline.push(wire, number)
    return pipeline


def _cost_us(count: int) -> float:
    pipeline = Pipeline()
    spent = 0
    gc.collect()
    for start, wires in _blocks(count):
        began = time.process_time_ns()
        for number, wire in enumerate(wires, start):
            pipeline.push(wire, number)
        spent += time.process_time_ns() - began
    return spent / count / 1000


def _kept(count: int) -> tuple[float, float]:
    """Bytes of Python memory that the journal alone, and with it the state and its feed, still hold after `count`
    chunks; x the text.
    """
    gc.collect()
    tracemalloc.start()
    pipeline = _filled(count)
    gc.collect()
    both = tracemalloc.get_traced_memory()[0]
    pipeline.record.journal.chunks._full.clear()
    gc.collect()
    packed = both - tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return packed / (count * SIZE), both / (count * SIZE)


# -- read again -------------------------------------------------------------------------------------------------------


def _late(count: int) -> list[Row]:
    """A reader who comes when all is there."""
    pipeline = _filled(count)
    pipeline.record.add(entries.StreamEnd(count * 0.02))
    pipeline.record.add(entries.End(count * 0.02, "failed"))
    cost_us, holds_ms = asyncio.run(_read(pipeline.record, count))
    return [
        single(f"a late reader's fold, per chunk, {count:,} chunks", cost_us, "us"),
        spread("the loop held by it at once (longer: the garbage collector)", holds_ms, "ms", median=9),
    ]


async def _read(record: Record, count: int) -> tuple[float, list[float]]:
    """Per chunk, and how long each of its turns on the loop was."""
    holds_ms: list[float] = []

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            holds_ms.append((now - last) * 1000)
            last = now

    ticking = asyncio.create_task(tick())
    began = time.process_time_ns()
    async for _ in record.events():
        pass
    spent = time.process_time_ns() - began
    ticking.cancel()
    return spent / count / 1000, [held for held in holds_ms if held > 1]


def _saved_and_loaded(repeats: int) -> list[Row]:
    """A chat of many turns, ten chunks each."""
    saved: list[float] = []
    loaded: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.jsonl"
        chat = asyncio.run(_turns(_TURNS))
        for _ in range(repeats):
            began = time.perf_counter()
            chat.save(path)
            saved.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            again = gem.load_chat(path)
            loaded.append((time.perf_counter() - began) * 1000)
            assert again.history == chat.history
        size = path.stat().st_size
    return [
        spread(f"a chat of {_TURNS} turns of 10 chunks ({size / 1e6:.1f} MB), saved", saved),
        spread("the same, loaded", loaded),
    ]


async def _turns(count: int) -> gem.Chat:
    texts = pieces(10 * count)
    streams = [[chunk(next(texts), n, last=n == 9) for n in range(10)] for _ in range(count)]
    chat = gem.Chat(source=ListSource(*streams))
    for number in range(count):
        await chat.send(f"prompt {number}")
    return chat
