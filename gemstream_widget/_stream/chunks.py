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

    _BLOCK = 128

    def __init__(self) -> None:
        self._full: list[bytes | list[Any]] = []  # packed; as they are where they cannot be written as JSON
        self._block: list[Any] = []  # what `_kept` makes of each
        self._at_s = array("d")
        self._steps = array("L")
        self._unpacked: tuple[int, list[Any]] = (-1, [])
        self._lock = lock()

    def append(self, step: int, at_s: float, chunk: Any) -> int:
        """Keep a chunk, a wire dict or a Frame; its number."""
        block, number = self._block, len(self._at_s)
        block.append(_kept(chunk))
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
        kept = _unpack(held)[place:] if is_full else held
        return [self._chunk(number + n, _read(one)) for n, one in enumerate(kept)]

    def _held(self, number: int) -> Any:
        block, place = divmod(number, self._BLOCK)
        with self._lock:
            if block >= len(self._full):
                return _read(self._block[place])
            held, kept = self._unpacked
            if held != block:  # reading in order unpacks each block once
                kept = _unpack(self._full[block])
                self._unpacked = (block, kept)
            return _read(kept[place])

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


def _kept(chunk: Any) -> Any:
    """A chunk's packed form, which costs a fraction of JSON's and stays in this process; a Frame, and what cannot be
    packed, as it is.
    """
    if isinstance(chunk, Frame):
        return chunk
    try:
        return marshal.dumps(chunk)
    except ValueError:  # of a class of somebody's, perhaps a kind of dict
        return _kept_as_json(chunk)


def _kept_as_json(chunk: Any) -> Any:
    try:
        return marshal.dumps(json.loads(json.dumps(chunk)))
    except (TypeError, ValueError, RecursionError):
        return chunk  # no bytes: those can be packed


def _read(kept: Any) -> Any:
    """The chunk that `_kept` was given."""
    return marshal.loads(kept) if isinstance(kept, bytes) else kept


def _pack(block: list[Any]) -> bytes | list[Any]:
    """What is kept of a block, compressed; as it is where not all of it is packed."""
    if not all(isinstance(kept, bytes | Frame) for kept in block):
        return block
    return zlib.compress(marshal.dumps([str(kept) if isinstance(kept, Frame) else kept for kept in block]), 1)


def _unpack(packed: bytes | list[Any]) -> list[Any]:
    if isinstance(packed, list):
        return packed
    return [Frame(one) if isinstance(one, str) else one for one in marshal.loads(zlib.decompress(packed))]
