"""What a chunk of text costs in the kernel, from parsed JSON to the bytes of a patch, and what stays in memory.

CPU time of the process, for chunks of 40 characters with usage: decode, reduce, push, and every second chunk take and
json.dumps, as at 50 chunks a second and a flush each 33 ms. Not in it: the SDK's parsing, the log of chunks (measured
on its own), sending.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import tracemalloc
from threading import RLock
from typing import Any

from gemstream_widget._stream.chunks import ChunkLog
from gemstream_widget._stream.decode import Decoder
from gemstream_widget._stream.events import RunStarted, RunStateChanged
from gemstream_widget._stream.readers import PatchReader
from gemstream_widget._stream.reducer import apply
from gemstream_widget._stream.state import State

from .setting import Setting
from .streams import SIZE, chunk, pieces
from .table import Row, single, spread

__all__ = ["measure"]

_BLOCK = 500
_COUNTS = (1_000, 10_000, 100_000)


class Pipeline:
    """The way of a run's chunks, without loop and source."""

    def __init__(self) -> None:
        self.state = State(run="r1", model="m", demo=False, prompt=[], started_at=0.0)
        self.feed = PatchReader("r1", RLock(), lambda: (self.state.snapshot(), 0.0))
        self.decoder = Decoder()
        self.bytes = 0
        for event in (RunStarted(0.0), RunStateChanged("streaming"), *self.decoder.begin(0, 0.0)):
            self.feed.push(apply(self.state, event))

    def push(self, wire: Any, number: int) -> None:
        """One chunk; every second one flushes."""
        for event in self.decoder.push(wire, number, number * 0.02):
            self.feed.push(apply(self.state, event))
        if number % 2:
            for message in self.feed.take():
                self.bytes += len(json.dumps(message))


def measure(setting: Setting) -> list[Row]:
    """At most 10 us a chunk, flat up to 100,000 chunks; memory about the text's size."""
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
    state, log = _kept(count)
    rows.append(single(f"memory kept by the state, {count:,} chunks, x the text", state, "x", most=1.25))
    rows.append(single(f"memory kept by the log of all chunks, {count:,} chunks, x the text", log, "x", most=1.25))
    rows.append(spread("ChunkLog.append with packing, per chunk", _append_us(setting.count(50_000, 10_000)), "us"))
    return rows


def _blocks(count: int) -> Any:
    """Fresh chunks by the block, as parsing would make them."""
    texts = pieces(count)
    for start in range(0, count, _BLOCK):
        yield start, [chunk(next(texts), n) for n in range(start, min(count, start + _BLOCK))]


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


def _append_us(count: int) -> list[float]:
    """Per chunk, averaged over blocks of 500, which hold 7 or 8 packings each."""
    log = ChunkLog()
    costs = []
    for start, wires in _blocks(count):
        began = time.process_time_ns()
        for number, wire in enumerate(wires, start):
            log.append(0, number * 0.02, wire)
        costs.append((time.process_time_ns() - began) / len(wires) / 1000)
    return costs


def _kept(count: int) -> tuple[float, float]:
    """Bytes of Python memory that the state with its feed, and the log, still hold after `count` chunks; x the text."""
    kept = []
    for use in ("state", "log"):
        gc.collect()
        tracemalloc.start()
        pipeline, log = Pipeline(), ChunkLog()
        for start, wires in _blocks(count):
            for number, wire in enumerate(wires, start):
                if use == "state":
                    pipeline.push(wire, number)
                else:
                    log.append(0, number * 0.02, wire)
        del wires, wire
        gc.collect()
        kept.append(tracemalloc.get_traced_memory()[0] / (count * SIZE))
        tracemalloc.stop()
        del pipeline, log
    return kept[0], kept[1]
