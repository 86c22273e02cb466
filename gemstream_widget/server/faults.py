"""What can go wrong with an answer on its way, whatever it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["FRAMES", "Ending", "Fault"]


Ending = Literal["reset", "close", "end"]
"""How a connection is cut: TCP reset; closed in the middle of the body; the body ended as if it were complete."""

FRAMES = {
    "crlf": "lines end with CR LF, as Gemini's do; of several line ends each frame takes the next",
    "lf": "lines end with LF",
    "cr": "lines end with CR",
    "tight": "`data:` without the space",
    "spread": "the JSON of a chunk over several `data:` lines",
    "fields": "`event:` and `id:` before the data, `retry:` behind it",
    "comments": "a comment by itself before each frame, as proxies keep connections alive, and one within it",
    "done": "`data: [DONE]` at the end",
    "open": "the last frame without its blank line",
    "bare": "the last frame without its line end, too",
    "gzip": "content encoding gzip, if the client accepts it",
    "numbers": "finish and block reasons as numbers",
    "unknown": "a field nobody knows at every level of a chunk, and a part of a kind nobody knows",
}
"""Words for how chunks are put on the wire, and what each does. They go together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Trouble for one answer. Everything is off by default; what is on applies together.

    `Fault(status=429)` refuses, `Fault(silent_after_chunks=3)` sends three chunks and then nothing for ever,
    `Fault(cut_after_bytes=500)` resets the connection in the middle of a frame.
    """

    status: int | None = None
    """Answer with this HTTP error and nothing else."""
    body: Literal["json", "html", "empty"] = "json"
    """What the error looks like: Gemini's JSON, a proxy's HTML page, or nothing at all."""
    retry_after_s: float | None = None
    """Say in the error's RetryInfo to come back after so many seconds; None: as usual (429: 34.4 s)."""
    headers_after_s: float = 0.0
    """Seconds before the response headers; `math.inf` for never."""
    silent_after_chunks: int | None = None
    """Go silent for ever after so many chunks; 0 means headers and no chunk."""
    garbage_after_chunks: int | None = None
    """After so many chunks, send a frame that is not JSON."""
    cut_after_bytes: int | None = None
    """Cut the connection after so many bytes of the body."""
    ending: Ending = "reset"
    """How it is cut."""
    split: int | tuple[int, ...] | None = None
    """Bytes per HTTP chunk; a tuple is used in turn. Frames, lines and UTF-8 sequences are cut wherever that falls."""
    frames: str = ""
    """How chunks are framed: words of `FRAMES` with spaces between them."""

    def __post_init__(self) -> None:
        sizes = self.sizes
        if not sizes or min(sizes) < 1:
            raise ValueError(f"split must be sizes of at least 1 byte, not {self.split!r}")
        if self.status is not None and not 400 <= self.status <= 599:
            raise ValueError(f"status must be an HTTP error (400 to 599), not {self.status}")
        if unknown := {*self.frames.split()} - {*FRAMES}:
            raise ValueError(f"frames must be words of {', '.join(FRAMES)}, not {' '.join(sorted(unknown))!r}")
        if math.isnan(self.headers_after_s) or self.headers_after_s < 0:
            raise ValueError(f"headers_after_s must be 0 or more seconds, not {self.headers_after_s}")

    @property
    def sizes(self) -> tuple[float, ...]:
        """The sizes of the writes, used in turn."""
        if self.split is None:
            return (math.inf,)
        return (self.split,) if isinstance(self.split, int) else self.split
