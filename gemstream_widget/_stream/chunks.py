"""The log of every chunk a run received, with its arrival: nothing the model sent is ever lost.

A parsed chunk takes many times the memory of its text, so full blocks are packed: compact JSON, compressed. They are
unpacked when someone reads them.
"""

from __future__ import annotations

import json
import threading
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

__all__ = ["Chunk", "ChunkLog"]


class Chunk(NamedTuple):
    """One chunk as it came: its number in the run, its step, seconds since the run's start, and the wire dict."""

    number: int
    step: int
    at_s: float
    wire: Any


class ChunkLog(Sequence[Chunk]):
    """A growing sequence of chunks. Appended on the run's loop; safe to read from any thread."""

    _BLOCK = 64

    def __init__(self) -> None:
        self._full: list[bytes | list[Any]] = []  # packed; as they are where they cannot be written as JSON
        self._block: list[Any] = []
        self._at_s = array("d")
        self._steps = array("L")
        self._unpacked: tuple[int, list[Any]] = (-1, [])
        self._lock = threading.Lock()

    def append(self, step: int, at_s: float, wire: Any) -> int:
        """Keep a chunk; its number."""
        with self._lock:
            self._block.append(wire)
            self._steps.append(step)
            self._at_s.append(at_s)
            if len(self._block) == self._BLOCK:
                self._full.append(_pack(self._block))
                self._block = []
            return len(self._at_s) - 1

    def arrived_since(self, at_s: float) -> int:
        """How many chunks arrived at `at_s` or later."""
        return len(self._at_s) - bisect_left(self._at_s, at_s)

    def __len__(self) -> int:
        return len(self._at_s)

    def _wire(self, number: int) -> Any:
        block, place = divmod(number, self._BLOCK)
        with self._lock:
            if block >= len(self._full):
                return self._block[place]
            full = self._full[block]
            if isinstance(full, list):
                return full[place]
            held, wires = self._unpacked
            if held != block:  # reading in order unpacks each block once
                wires = json.loads(zlib.decompress(full).decode("utf-8", "surrogatepass"))
                self._unpacked = (block, wires)
            return wires[place]

    @overload
    def __getitem__(self, index: int) -> Chunk: ...
    @overload
    def __getitem__(self, index: slice) -> list[Chunk]: ...
    def __getitem__(self, index: int | slice) -> Chunk | list[Chunk]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"chunk {index} of {len(self)}")
        return Chunk(number, self._steps[number], self._at_s[number], self._wire(number))

    def __iter__(self) -> Iterator[Chunk]:
        return (self[i] for i in range(len(self)))


def _pack(wires: list[Any]) -> bytes | list[Any]:
    """Compressed JSON that reads back as the same; `wires` themselves where there is none."""
    try:
        text = json.dumps(wires, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return wires
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)
