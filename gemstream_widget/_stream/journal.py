"""The journal of a run: everything that happened in it, in order, each entry with its time.

It is the one truth about a run. What a run has shown is worked out from it (fold.py), live and whenever it is read
again: by a reader who comes late, from a file, in another kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._plain import Wire
from .chunks import Chunk, ChunkLog
from .entries import Entry, Header, Request, Turn

__all__ = ["Cursor", "Journal"]


class Journal:
    """The entries of one run, and among them, packed, its frames. Written under the record's lock; read from any
    thread, through a Cursor. What came of the last request is appended to `chunks`, everything else here.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.chunks = ChunkLog()
        self.entries: list[tuple[int, Entry]] = []
        """Each with the number of frames before it."""

    @property
    def prompt(self) -> list[Wire]:
        """What it sent first, as wire Contents: of a queued run, what it sent at its turn."""
        turns = (entry.prompt for _, entry in self.entries if isinstance(entry, Turn) and entry.prompt is not None)
        return next(turns, self.header.prompt)

    def append(self, entry: Entry) -> None:
        if isinstance(entry, Request):
            self.chunks.begin_step()
        self.entries.append((len(self.chunks), entry))


class Cursor:
    """Reads a journal from its beginning, at its reader's own pace. For one thread at a time. Iterating gives what is
    there now, and goes on later where it ended.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entry = 0
        self._frame = 0
        self._chunks: Iterator[Chunk] = iter(())  # those of the block that is being read

    def __iter__(self) -> Iterator[Entry | Chunk]:
        while (item := self.take()) is not None:
            yield item

    def take(self) -> Entry | Chunk | None:
        """The next entry or chunk; None where there is none yet. Entries are the journal's own, chunks are a copy."""
        frames, entries = len(self._journal.chunks), self._journal.entries  # in this order, since others may append
        if self._entry < len(entries):
            before, entry = entries[self._entry]
            if before <= self._frame:
                self._entry += 1
                return entry
        if self._frame < frames:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._chunks = iter(self._journal.chunks.fresh(self._frame))
                chunk = next(self._chunks)
            self._frame += 1
            return chunk
        return None

    @property
    def is_at_end(self) -> bool:
        """Whether `take` would give nothing now."""
        return self._frame == len(self._journal.chunks) and self._entry == len(self._journal.entries)
