"""A request's contents as a conversation: who spoke when, which functions were called and which calls were answered.

Of contents whose shapes hold, in either spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from .._plain import Json
from .._stream.matching import Named, match
from .violation import Place
from .wire import get

__all__ = ["Function", "Speech", "current_turn", "speeches"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function call or response, and where it stands."""

    place: Place
    part: Json
    message: Json

    @property
    def name(self) -> str | None:
        value: str | None = get(self.message, "name")
        return value

    @property
    def id(self) -> str | None:
        value: str | None = get(self.message, "id")
        return value

    @property
    def named(self) -> Named:
        return Named.from_wire(self.message)


@dataclass(frozen=True, slots=True)
class Speech:
    """What one side says until the other does: neighbouring contents of one role, which Gemini reads as one."""

    role: str
    contents: tuple[tuple[int, Json], ...]
    """Each with its index in the request."""

    @property
    def start(self) -> int:
        return self.contents[0][0]

    def functions(self, kind: str) -> list[Function]:
        """The calls (`functionCall`) or responses (`functionResponse`) in it, in order."""
        return [
            Function(Place(i, j), part, message)
            for i, content in self.contents
            for j, part in enumerate(get(content, "parts"))
            if (message := get(part, kind)) is not None
        ]

    @property
    def only_responds(self) -> bool:
        """Whether it holds function responses and nothing else."""
        return all(get(part, "functionResponse") is not None for _, c in self.contents for part in get(c, "parts"))

    def open_calls(self) -> list[Function]:
        """The calls of the model, without those the provider answered itself (server-side MCP).

        Its responses are matched as they came, one by one with the calls before them: so the stream was read, and who
        read it ran the others.
        """
        calls = self.functions("functionCall")
        for response in self.functions("functionResponse"):
            before = [call.named for call in calls if call.place < response.place]
            (answered,) = match(before, [response.named])
            if answered is not None:
                del calls[answered]
        return calls

    def unanswered(self, reply: Speech) -> list[Function]:
        """The open calls that no response in the reply answers."""
        calls, responses = self.open_calls(), reply.functions("functionResponse")
        answered = match([call.named for call in calls], [response.named for response in responses])
        return [call for place, call in enumerate(calls) if place not in answered]


def speeches(contents: Sequence[Json]) -> list[Speech]:
    """The contents by who speaks: whoever is not the model is the user."""
    numbered = groupby(enumerate(contents), key=lambda item: "model" if get(item[1], "role") == "model" else "user")
    return [Speech(role, tuple(group)) for role, group in numbered]


def current_turn(contents: Sequence[Json]) -> int:
    """Index of the content the current turn starts with: the user's last that is not only function responses."""
    for i in range(len(contents) - 1, -1, -1):
        parts = get(contents[i], "parts")
        if get(contents[i], "role") != "model" and any(get(part, "functionResponse") is None for part in parts):
            return i
    return 0
