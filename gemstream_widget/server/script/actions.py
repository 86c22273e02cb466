"""What an answer is made of, in the order it happens.

The demo model, scripts and recordings all say what they do as a stream of these actions; the server performs them.
Times are seconds before the server's `speed` is applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Action", "Actions", "Chunk", "Cut", "Ending", "Pause", "Raw", "Stall"]


Ending = Literal["reset", "close", "end"]
"""How a connection is cut: TCP reset; closed in the middle of the body; the body ended as if it were complete."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Send one GenerateContentResponse (or error object) as one frame."""

    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Raw:
    """Send these bytes as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for a while."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing for ever."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut the connection."""

    ending: Ending = "reset"


Action = Chunk | Raw | Pause | Stall | Cut
Actions = Iterator[Action]
