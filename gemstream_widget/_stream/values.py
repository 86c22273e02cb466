"""Values of a run that are not parts: usage, timing, steps, receipts, retries.

All times are seconds since the run's start."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from .._plain import Json, Wire, clean

__all__ = ["Receipt", "Retry", "Step", "Timing", "Usage"]


# --------------------------------------------------------------------------------------------------------------------
# counters, steps, receipts

USAGE_FIELDS: dict[str, str] = {
    "promptTokenCount": "prompt_token_count",
    "candidatesTokenCount": "candidates_token_count",
    "thoughtsTokenCount": "thoughts_token_count",
    "toolUsePromptTokenCount": "tool_use_prompt_token_count",
    "cachedContentTokenCount": "cached_content_token_count",
    "totalTokenCount": "total_token_count",
}
"""Gemini's counters: wire name to the name used here."""

TOTAL: Final = "totalTokenCount"

_LARGEST_COUNT = 2**53
"""Above it a page's numbers are not exact, and far above it Python refuses to write them: no count is as large."""


def count_of(value: Any) -> int | None:
    """The value of a counter, None where it is no count."""
    return value if isinstance(value, int) and -_LARGEST_COUNT <= value <= _LARGEST_COUNT else None


@dataclass(slots=True, repr=False)
class Usage:
    """Token counters under Gemini's names. None is "never reported", 0 is "reported 0".

    Within a step each counter holds its last reported value (they are cumulative, and may fall); over steps they add
    up. `raw` is usageMetadata as it came: of each name the last value, and of several steps the last one's.
    """

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    total_token_count: int | None = None
    raw: Wire | None = None

    @classmethod
    def of(cls, raw: Wire) -> Usage:
        """What usageMetadata tells."""
        return cls(
            **{name: count_of(raw.get(wire_name)) for wire_name, name in USAGE_FIELDS.items()}, raw=dict(raw) or None
        )

    def __add__(self, other: Usage) -> Usage:
        total = Usage(raw=other.raw if other.raw is not None else self.raw)
        for name in USAGE_FIELDS.values():
            a, b = getattr(self, name), getattr(other, name)
            setattr(total, name, b if a is None else a if b is None else a + b)
        return total

    def __repr__(self) -> str:
        return f"<Usage {' '.join(f'{name}={count}' for name, count in self.to_json().items()) or 'not reported'}>"

    def to_json(self) -> dict[str, int]:
        """The reported counters only."""
        return {n: v for n in USAGE_FIELDS.values() if (v := getattr(self, n)) is not None}


TAKEN_BACK: Final = "taken_back"
"""What ended a run that was stopped while it was queued, as `stopped_by` tells it."""


BEFORE_TURN: Final = "before its turn"
"""When such a Stop was asked for, as a receipt would tell it."""


NOT_SENT: Final = {
    "level": "info",
    "title": "Nothing was sent",
    "message": "The prompt was taken back while it waited for its turn.",
}
"""What a reader should know of such a run."""


class Offers(NamedTuple):
    """What a reader may ask for after a run, the best first; the codes of the repairs that "repair" stands for, and
    what the error's hint says of them.
    """

    names: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    hint: str | None = None


@dataclass(slots=True)
class Timing:
    """`started_at` is Unix time in seconds; the others are seconds since then, None while not reached. A run that was
    queued starts with its turn; until then `started_at` is when it was queued.
    """

    started_at: float
    first_chunk_s: float | None = None
    first_text_s: float | None = None
    ended_s: float | None = None


STEP_LISTS = ("grounding", "citations", "url_context", "candidates")


@dataclass(slots=True, repr=False)
class Step:
    """One answer of the model, in one hop or several, each a request with a stream of its own. `outcome`: see
    outcome.py; `reported` holds the usageMetadata of each hop, of each name the last value; `token` is what Gemini gave
    to go on with right behind what came, None where more came since; `reading` is who made the chunks of what the
    server sent: "bytes", nobody; "sdk", google-genai; None, a source of the user's; `other` holds whatever else came,
    by wire name.
    """

    index: int
    started_s: float
    first_chunk_s: float | None = None
    ended_s: float | None = None
    chunk_count: int = 0
    outcome: str | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    model_version: str | None = None
    response_id: str | None = None
    reading: Literal["bytes", "sdk"] | None = None
    token: str | None = None
    prompt_feedback: Wire | None = None
    grounding: list[Wire] = field(default_factory=list)
    citations: list[Wire] = field(default_factory=list)
    url_context: list[Wire] = field(default_factory=list)
    candidates: list[Wire] = field(default_factory=list)
    other: Wire = field(default_factory=dict)
    reported: list[Wire] = field(default_factory=lambda: [{}])

    @property
    def hops(self) -> list[Usage]:
        """The usage of each."""
        return [Usage.of(raw) for raw in self.reported]

    @property
    def usage(self) -> Usage:
        """Their sum."""
        return sum(self.hops, start=Usage())

    def __repr__(self) -> str:
        how = " ".join(str(value) for value in (self.outcome or "going", self.finish_reason) if value)
        return f"<Step {self.index} {how}, {self.chunk_count} chunks>"

    def to_json(self) -> Json:
        ended = self.ended_s is not None
        return {
            "index": self.index,
            "started_s": self.started_s,
            "first_chunk_s": self.first_chunk_s,
            "ended_s": self.ended_s,
            "chunk_count": self.chunk_count if ended else None,
            "outcome": self.outcome,
            "finish_reason": self.finish_reason,
            "finish_message": self.finish_message,
            "model_version": self.model_version,
            "response_id": self.response_id,
            "reading": self.reading,
            "hops": len(self.reported),
            "usage": self.usage.to_json() if ended else {},
            "prompt_feedback": deepcopy(self.prompt_feedback),
            "grounding": deepcopy(self.grounding),
            "citations": deepcopy(self.citations),
            "url_context": deepcopy(self.url_context),
            "candidates": deepcopy(self.candidates),
            "other": deepcopy(self.other),
        }


StoppedBy: TypeAlias = Literal["button", "code", "interrupt", "closed", "rerun", "fork"]


@dataclass(slots=True, frozen=True)
class StopAsked:
    """The one Stop of a run: who asked for it, when, and at what point of the run."""

    by: StoppedBy
    asked_s: float
    when: str


@dataclass(slots=True, frozen=True)
class Receipt:
    """How a Stop went.

    `by` tells who asked, `when` at what point of the run; `asked_s` is when Stop was asked for, `closed_s` when the
    connection was closed (None where none was open, or where it had not ended within the grace time); `chunks_after`
    counts the chunks that arrived in between (they are kept); `tokens` is the last reported total.
    """

    by: StoppedBy
    when: str
    asked_s: float
    closed_s: float | None
    chunks_after: int
    tokens: int | None

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, frozen=True)
class Retry:
    """A request that failed before anything of the answer came, and is sent again at `until_s`.

    `step` is the step it failed in, `attempt` its number among those that are tried (1 to `of`), `title` and `message`
    are its error's.
    """

    step: int
    attempt: int
    of: int
    title: str
    message: str
    failed_s: float
    until_s: float

    def to_json(self) -> Json:
        return {name: clean(getattr(self, name)) for name in self.__slots__}
