"""What the server saw of one request: its account of who sent what, and who hung up when."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from .._plain import Json
from .._process import Resident

__all__ = ["Outcome", "RequestRecord"]


Outcome = Literal["answered", "refused", "cut", "client closed", "server closed"]


@dataclass(eq=False)
class RequestRecord(Resident):
    """One request. Written on the server's thread, readable from any.

    Times are `time.perf_counter()` seconds.
    """

    _instead = (
        "A RequestRecord is written by the thread of its server, and is neither pickled nor copied: take the values "
        "you need, such as record.body and record.outcome."
    )

    number: int
    """Counts the server's requests from 1."""
    connection: int
    """The client's port: the same for requests that share a connection."""
    method: str
    path: str
    """Path and query, without the key."""
    headers: dict[str, str] = field(repr=False)
    """Lower-case names; the key is left out."""
    model: str | None = None
    body: Json | None = field(default=None, repr=False)
    """The request's JSON."""
    started: float = field(default_factory=time.perf_counter)
    status: int | None = None
    """The HTTP status sent."""
    bytes_sent: int = 0
    """Bytes of the body handed to the socket."""
    sent_at: list[float] = field(default_factory=list, repr=False)
    """When each chunk was handed to the socket."""
    chunks_after_close: int = 0
    """Chunks handed to the socket after the client's close was noticed. The server stops, so it stays 0."""
    finished: float | None = None
    """When the answer was over, in whatever way."""
    outcome: Outcome | None = None
    keep_sent: int = field(default=0, repr=False)
    """How many bytes of the answer `sent` may hold."""
    client_closed_at: float | None = None
    """When the client was seen to close (FIN or RST) before the answer was complete."""
    _sent: bytearray = field(default_factory=bytearray, repr=False)
    _said: int = 0
    _done: threading.Event = field(default_factory=threading.Event, repr=False)
    _closed: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def chunks_sent(self) -> int:
        """How many chunks were handed to the socket."""
        return len(self.sent_at)

    @property
    def sent(self) -> bytes | None:
        """The body handed to the socket, byte for byte, before content encoding; of a cut gzip stream, what can be read
        of it. None when it is longer than `keep_sent`: LocalGemini(keep_sent=...) says how much is kept.
        """
        return bytes(self._sent) if 0 < self.keep_sent >= self._said else None

    def chunks_since(self, at: float) -> int:
        """How many chunks were handed to the socket after this `time.perf_counter()` moment."""
        return sum(1 for sent in self.sent_at if sent > at)

    def wait_done(self, timeout_s: float | None = None) -> bool:
        """Block until the answer is over; False when the time ran out first."""
        return self._done.wait(timeout_s)

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Block until the client was seen to close before the answer was complete; False when time ran out first."""
        return self._closed.wait(timeout_s)

    def note_chunk(self) -> None:
        """A chunk went out."""
        self.sent_at.append(time.perf_counter())
        if self.client_closed_at is not None:
            self.chunks_after_close += 1

    def note_bytes(self, size: int, said: bytes) -> None:
        """So many bytes went out, and they say this."""
        self.bytes_sent += size
        self._said += len(said)
        if self._said <= self.keep_sent:
            self._sent += said
        else:
            self._sent.clear()

    def note_closed(self) -> None:
        """The client is gone."""
        if self.client_closed_at is None and self.outcome is None:
            self.client_closed_at = time.perf_counter()
            self._closed.set()

    def note_end(self, outcome: Outcome) -> None:
        """The answer is over; the first word counts."""
        if self.outcome is None:
            self.outcome = outcome
            self.finished = time.perf_counter()
            self._done.set()
