"""What an answer is made of, in the order it happens.

The demo model, scripts and recordings all say what they do as a stream of these actions; the server performs them.
Times are seconds before the server's `speed` is applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .._plain import Json
from .faults import Ending

__all__ = ["Action", "Actions", "Cut", "Frame", "Pause", "Raw", "Send", "Stall"]


@dataclass(frozen=True, slots=True)
class Send:
    """Send one GenerateContentResponse (or error object) as one frame."""

    payload: Json


@dataclass(frozen=True, slots=True)
class Frame:
    """Send one frame that is no chunk: its data, which need not be JSON."""

    data: bytes


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


Action = Send | Frame | Raw | Pause | Stall | Cut
Actions = Iterator[Action]
