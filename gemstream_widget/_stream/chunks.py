"""The log of every chunk a run received, with its arrival: nothing the model sent is ever lost.

A parsed chunk takes many times the memory of its text, so full blocks are packed and compressed. They are
unpacked when someone reads them. What is read is the reader's own: changing it changes nothing here.
"""

from __future__ import annotations

import json
import marshal
import re
import threading
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

__all__ = ["Chunk", "ChunkLog", "Frame"]

_LINE_END = re.compile(r"\r\n|\r|\n")
"""Of an event stream, where no other character ends a line: https://html.spec.whatwg.org/multipage/server-sent-events.html"""


def _data_of(event: str) -> str:
    first = event[5:].rstrip("\r\n") if event.startswith("data:") else "\n"
    if "\n" not in first and "\r" not in first:  # one line, as nearly always
        return first.strip()
    lines = _LINE_END.split(event.removeprefix("\ufeff"))
    data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:")).strip()
    bare = event.strip()
    return bare if not data and bare[:1] in ("{", "[") else data


class Frame(str):
    """The text of one server-sent event as it came, comments and line ends included."""

    __slots__ = ()

    @property
    def wire(self) -> Any:
        """The JSON of its data; None where it holds none, its data as text where that is no JSON. Some errors come as
        JSON without the form of an event.
        """
        data = _data_of(self)
        if data in ("", "[DONE]"):
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return data


class Chunk(NamedTuple):
    """One chunk as it came: its number in the run, its step, seconds since the run's start, the wire dict, and the text
    it came in, where that is known: a `Frame`, or None for what somebody else had read before.
    """

    number: int
    step: int
    at_s: float
    wire: Any
    raw: Frame | None = None


class ChunkLog(Sequence[Chunk]):
    """A growing sequence of chunks. Appended to by one thread at a time; safe to read from any thread."""

    _BLOCK = 128

    def __init__(self) -> None:
        self._full: list[bytes | list[Any]] = []  # packed; as they are where they cannot be written as JSON
        self._block: list[Any] = []
        self._at_s = array("d")
        self._steps = array("L")
        self._unpacked: tuple[int, list[Any]] = (-1, [])
        self._lock = threading.Lock()

    def append(self, step: int, at_s: float, chunk: Any) -> int:
        """Keep a chunk, a wire dict or a Frame; its number."""
        block, number = self._block, len(self._at_s)
        block.append(chunk)
        self._steps.append(step)
        self._at_s.append(at_s)  # last: from now on it is there
        if len(block) == self._BLOCK:
            packed = _pack(block)
            with self._lock:
                self._full.append(packed)
                self._block = []
        return number

    def __len__(self) -> int:
        return len(self._at_s)

    def fresh(self, number: int) -> list[Chunk]:
        """The chunks from this one on, as far as its block goes; the caller's own."""
        block, place = divmod(number, self._BLOCK)
        with self._lock:
            is_full = block < len(self._full)
            held = self._full[block] if is_full else self._block[place:]
        chunks = _unpack(held)[place:] if is_full else [_copy(chunk) for chunk in held]
        return [self._chunk(number + n, chunk) for n, chunk in enumerate(chunks)]

    def _held(self, number: int) -> Any:
        block, place = divmod(number, self._BLOCK)
        with self._lock:
            if block >= len(self._full):
                return _copy(self._block[place])
            held, chunks = self._unpacked
            if held != block:  # reading in order unpacks each block once
                chunks = _unpack(self._full[block])
                self._unpacked = (block, chunks)
            return _copy(chunks[place])

    def _chunk(self, number: int, held: Any) -> Chunk:
        wire, raw = (held.wire, held) if isinstance(held, Frame) else (held, None)
        return Chunk(number, self._steps[number], self._at_s[number], wire, raw)

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
        return self._chunk(number, self._held(number))

    def __iter__(self) -> Iterator[Chunk]:
        number = 0
        while number < len(self):
            chunks = self.fresh(number)
            number += len(chunks)
            yield from chunks


def _copy(chunk: Any) -> Any:
    """A copy that shares nothing with it; the chunk itself where it is nothing that can be packed."""
    if isinstance(chunk, Frame):
        return chunk
    try:
        return marshal.loads(_dumped(chunk))
    except (TypeError, ValueError, RecursionError):
        return chunk


def _dumped(value: Any) -> bytes:
    """In Python's own form, which costs a fraction of JSON's: it stays in this process."""
    try:
        return marshal.dumps(value)
    except ValueError:  # of a class of somebody's, perhaps a kind of dict
        return marshal.dumps(json.loads(json.dumps(value)))


def _pack(chunks: list[Any]) -> bytes | list[Any]:
    """What reads back as the same; the chunks themselves where they cannot be packed."""
    try:
        return zlib.compress(_dumped([str(c) if isinstance(c, Frame) else [c] for c in chunks]), 1)
    except (TypeError, ValueError, RecursionError):
        return chunks


def _unpack(packed: bytes | list[Any]) -> list[Any]:
    if isinstance(packed, list):
        return [_copy(chunk) for chunk in packed]
    return [Frame(one) if isinstance(one, str) else one[0] for one in marshal.loads(zlib.decompress(packed))]
