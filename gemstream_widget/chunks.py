"""The log of every chunk a run received, with its arrival: nothing the model sent is ever lost.

A parsed chunk takes many times the memory of its text, so full blocks are packed: compact JSON, compressed. They are
unpacked when someone reads them.
"""

from __future__ import annotations

import json
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
    """A growing sequence of chunks. Appended on the run's loop; safe to read from any thread.

    Readers see whole chunks only: a chunk is in its block before the length says so.
    """

    _BLOCK = 64

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._block: list[Any] = []
        self._at_s = array("d")
        self._steps = array("L")
        self._unpacked: tuple[int, list[Any]] = (-1, [])

    def append(self, step: int, at_s: float, wire: Any) -> int:
        """Keep a chunk; its number."""
        self._block.append(wire)
        if len(self._block) == self._BLOCK:
            text = json.dumps(self._block, separators=(",", ":"), default=str)
            self._packed.append(zlib.compress(text.encode("utf-8", "surrogatepass"), 1))
            self._block = []
        self._steps.append(step)
        self._at_s.append(at_s)
        return len(self._at_s) - 1

    def arrived_since(self, at_s: float) -> int:
        """How many chunks arrived at `at_s` or later."""
        return len(self._at_s) - bisect_left(self._at_s, at_s)

    def __len__(self) -> int:
        return len(self._at_s)

    def _wire(self, number: int) -> Any:
        block, place = divmod(number, self._BLOCK)
        if block >= len(self._packed):
            return self._block[place]
        held, wires = self._unpacked
        if held != block:
            wires = json.loads(zlib.decompress(self._packed[block]).decode("utf-8", "surrogatepass"))
            self._unpacked = (block, wires)  # reading in order unpacks each block once
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
