"""The log of every chunk a run received, with its arrival: nothing the model sent is ever lost.

A parsed chunk takes many times the memory of its text, so it is kept in Python's own packed form, compressed in full
blocks, and parsed when someone reads it. So a source may go on using the chunk it gave, and what is read is the
reader's own: changing either changes nothing here.
"""

from __future__ import annotations

import json
import marshal
import re
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, overload

from .._process import lock

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


def _readable(text: str) -> str:
    """The text with U+FFFD for what was no UTF-8, as everybody else decodes it; a frame keeps the bytes themselves."""
    try:
        text.encode()
    except UnicodeEncodeError:
        with suppress(UnicodeEncodeError):  # half a surrogate pair, which somebody wrote into a file
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text


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
            return json.loads(data if data.isascii() else _readable(data))
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

    _BLOCK = 256

    def __init__(self) -> None:
        self._full: list[bytes | list[Any]] = []  # blocks, packed; as they are where one cannot be packed
        self._block: list[Any] = []  # the one that grows: what `_kept` makes of each
        self._firsts = [0]  # the number of the first chunk of each, that one included
        self._at_s = array("d")
        self._steps: list[int] = []  # the number of the first chunk of each
        self._unpacked: tuple[int, list[Any]] = (-1, [])
        self._lock = lock()

    def begin_step(self) -> None:
        """What is appended from now on belongs to the next step; before the first, to that one."""
        self._steps.append(len(self._at_s))

    def append(self, at_s: float, chunk: Any) -> int:
        """Keep a chunk, a wire dict or a Frame; its number."""
        block, number = self._block, len(self._at_s)
        block.append(_kept(chunk))
        self._at_s.append(at_s)  # last: from now on it is there
        if len(block) == self._BLOCK:
            self.pack()
        return number

    def pack(self) -> None:
        """Pack what came since the last full block: no more is to come soon."""
        if self._block:
            packed = _pack(self._block)
            with self._lock:
                self._full.append(packed)
                self._firsts.append(len(self._at_s))
                self._block = []

    def __len__(self) -> int:
        return len(self._at_s)

    def fresh(self, number: int) -> list[Chunk]:
        """The chunks from this one on, as far as its block goes; the caller's own."""
        with self._lock:
            block, place = self._place(number)
            is_full = block < len(self._full)
            held = self._full[block] if is_full else self._block[place:]
        kept = _unpack(held)[place:] if is_full else held
        there = len(self) - number  # of the last one, the arrival may not be
        return [self._chunk(number + n, one) for n, one in enumerate(kept[:there])]

    def _place(self, number: int) -> tuple[int, int]:
        """The block that a chunk is in, and where."""
        block = bisect_right(self._firsts, number) - 1
        return block, number - self._firsts[block]

    def _held(self, number: int) -> Any:
        with self._lock:
            block, place = self._place(number)
            if block >= len(self._full):
                return self._block[place]
            held, kept = self._unpacked
            if held != block:  # reading in order unpacks each block once
                kept = _unpack(self._full[block])
                self._unpacked = (block, kept)
            return kept[place]

    def _chunk(self, number: int, kept: Any) -> Chunk:
        step, at_s = max(0, bisect_right(self._steps, number) - 1), self._at_s[number]
        if isinstance(kept, bytes):
            return Chunk(number, step, at_s, marshal.loads(kept))
        if isinstance(kept, str):
            frame = Frame(kept)
            return Chunk(number, step, at_s, frame.wire, frame)
        return Chunk(number, step, at_s, kept)

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


def _kept(chunk: Any) -> Any:
    """A Frame as its text, which is packed; anything else packed, in a form that costs a fraction of JSON's and stays
    in this process; and as it is where it cannot be.
    """
    if isinstance(chunk, Frame):
        return str(chunk)
    try:
        return marshal.dumps(chunk)
    except ValueError:  # of a class of somebody's, perhaps a kind of dict
        return _kept_as_json(chunk)


def _kept_as_json(chunk: Any) -> Any:
    try:
        return marshal.dumps(json.loads(json.dumps(chunk)))
    except (TypeError, ValueError, RecursionError):
        return chunk  # neither text nor bytes: those can be packed


def _pack(block: list[Any]) -> bytes | list[Any]:
    """What is kept of a block, compressed; as it is where one of it cannot be packed."""
    try:
        return zlib.compress(marshal.dumps(block), 1)
    except ValueError:
        return block


def _unpack(packed: bytes | list[Any]) -> list[Any]:
    return packed if isinstance(packed, list) else marshal.loads(zlib.decompress(packed))
