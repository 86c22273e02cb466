"""What is wrong with a request, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["CONTENTS", "Place", "Violation"]


class Place(NamedTuple):
    """Where in a request body; prints as `contents[2].parts[0].function_call.args`."""

    content: int | None = None
    """The content's index; None for what is outside the contents."""
    part: int | None = None
    """The part's index in its content; None for the content itself."""
    fields: tuple[str, ...] = ()
    """The way from there, as Gemini's messages spell it."""

    def at(self, *fields: str) -> Place:
        """The place of a field further in."""
        return self._replace(fields=(*self.fields, *fields))

    @property
    def item(self) -> Place:
        """The content or the part that it is in."""
        return self._replace(fields=())

    def __str__(self) -> str:
        content = () if self.content is None else (f"contents[{self.content}]",)
        part = () if self.part is None else (f"parts[{self.part}]",)
        return ".".join((*content, *part, *self.fields))


CONTENTS = Place(fields=("contents",))
"""The contents as a whole."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing Gemini would refuse."""

    code: str
    """Short stable name of the rule, such as `unanswered_call`."""
    place: Place
    message: str
    """What Gemini answers (400 INVALID_ARGUMENT)."""
    hint: str
    """What to change, in plain words."""
    repair: str | None = None
    """What the repair on offer would do to the conversation, in words; None where none was looked for, or where only
    the user can mend it (`hint`)."""
    is_mended: bool = False
    """Whether that is done by itself when the request is sent: it loses and changes nothing that is meant."""

    @property
    def path(self) -> str:
        """The place as text, such as `contents[1].parts[0]`."""
        return str(self.place)
