"""Server-sent events, taken apart without I/O: bytes in, whole events out, and not one byte is lost.

The rules of lines and events are those of https://html.spec.whatwg.org/multipage/server-sent-events.html: a line ends
with CR LF, LF or CR, an event with an empty line. What an event means is told by its Frame; here it is only cut out,
comments and line ends included, so that all frames together are what the server sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .._stream.chunks import Frame

__all__ = ["FrameReader"]

_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")


class FrameReader:
    """Cuts one stream into its events. `push` the pieces as they come, and at its end `rest`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._looked = 0  # how far the buffer was searched: each byte is looked at once, however small the pieces

    def push(self, piece: bytes) -> Iterator[Frame]:
        """The events that this piece ends."""
        buffer = self._buffer
        buffer += piece
        start = 0
        while (end := _EVENT_END.search(buffer, max(start, self._looked))) is not None:
            stop = end.end()
            if stop == len(buffer) and end[0] in (b"\n\r", b"\r\n\r"):
                break  # a line feed follows, which belongs to the same line's end
            yield _frame(buffer[start:stop])
            start = self._looked = stop
        del buffer[:start]
        self._looked = max(0, len(buffer) - 3)

    def rest(self) -> Iterator[Frame]:
        """What is left when the stream is over: an event whose empty line never came."""
        if self._buffer:
            yield _frame(self._buffer)
            self._buffer = bytearray()


def _frame(event: bytes | bytearray) -> Frame:
    """Bytes that are no UTF-8 become lone surrogates, and are the same bytes again when they are encoded so."""
    return Frame(event.decode("utf-8", "surrogateescape"))
