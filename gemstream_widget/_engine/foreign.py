"""A client whose connections belong to another event loop than the one that asks.

A connection works only on the loop that opened it. Our own clients have a pool for each loop; so has google-genai from
3.4 on. Before, a client that a user made has one pool for all: on the next loop it fails, or waits for ever. Measured
on 1.60 and 3.6: of 60 runs on two loops at once 9 to 18 failed there and up to 2 hung, after each `asyncio.run` the
next one failed.
"""

from __future__ import annotations

from ..errors import ConnectionFailed

__all__ = ["foreign_loop"]

_WORDS = ("is bound to a different event loop", "attached to a different loop", "Event loop is closed")
"""Python's own, of asyncio's locks, its futures, and its transports."""


def foreign_loop(error: BaseException) -> ConnectionFailed | None:
    """The failure in words, where it is that; None where it is not. Asking again may work: what failed is closed."""
    if not isinstance(error, RuntimeError) or not any(words in str(error) for words in _WORDS):
        return None
    return ConnectionFailed(
        f"{type(error).__name__}: {error}",
        title="The client's connections belong to another event loop",
        hint="Make the client with genai.Client(http_options=gem.http_options()), which works on every loop, take "
        "google-genai 3.4 or newer, or make a client for each loop.",
    )
