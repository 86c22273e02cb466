"""Events: the decoder and the run make them, the reducer applies them, `async for event in run` yields them.

All times are seconds since the run's start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from .._plain import Json, Wire
from .values import Receipt, Retry

__all__ = [
    "ArgsChanged",
    "CallStateChanged",
    "Event",
    "HopStarted",
    "PartEnded",
    "PartSigned",
    "PartStarted",
    "Printed",
    "PromptChanged",
    "RetryScheduled",
    "RulesChanged",
    "RunEnded",
    "RunStarted",
    "RunStateChanged",
    "StepDetail",
    "StepEnded",
    "StepStarted",
    "TextAdded",
    "UsageReported",
]


# --------------------------------------------------------------------------------------------------------------------
# events; the decoder and the run make them, the reducer applies them, `async for event in run` yields them


@dataclass(slots=True)
class RunStarted:
    at_s: float


@dataclass(slots=True)
class RunStateChanged:
    state: str


@dataclass(slots=True)
class PromptChanged:
    """At the turn of a run that was queued: what it sends, now that it is known which calls are open."""

    contents: list[Wire]


@dataclass(slots=True)
class RunEnded:
    """The terminal event: exactly one per run, always the last."""

    at_s: float
    state: str
    stopped_by: str | None = None
    notice: Mapping[str, str] | None = None
    error: Json | None = None
    receipt: Receipt | None = None
    offers: Sequence[str] = ()
    """What the reader may ask for next: "repair", "anew", "continue"."""


@dataclass(slots=True)
class RetryScheduled:
    retry: Retry


@dataclass(slots=True)
class StepStarted:
    step: int
    at_s: float


@dataclass(slots=True)
class HopStarted:
    """The step goes on in another request: Gemini had paused its answer (finish reason CONTINUATION)."""

    step: int
    at_s: float


@dataclass(slots=True)
class StepDetail:
    """A field of the step became known: `Step`'s lists get `value` appended, `other` gets it by `key`."""

    step: int
    name: str
    value: Any
    key: str | None = None


@dataclass(slots=True)
class StepEnded:
    step: int
    at_s: float
    outcome: str
    chunk_count: int


@dataclass(slots=True)
class PartStarted:
    """A part began. `raw` holds its wire fields, `text` its first text (None: a text part that has no text field)."""

    index: int
    step: int
    kind: str
    at_s: float
    chunk: int
    text: str | None = ""
    raw: Wire = field(default_factory=dict)
    signature: str | None = None
    thought: bool = False
    extra: Wire = field(default_factory=dict)
    call_id: str | None = None  # our id, for a call
    streaming: bool = False  # a call whose arguments come in pieces


@dataclass(slots=True)
class TextAdded:
    part: int
    text: str
    chunk: int
    at_s: float


@dataclass(slots=True)
class ArgsChanged:
    """An argument of a streaming call grew. `path` leads into its args; with `append`, `value` is text to append."""

    part: int
    path: tuple[str | int, ...]
    value: Any
    append: bool
    chunk: int
    at_s: float


@dataclass(slots=True)
class PartSigned:
    """The signature of a part that came on a later piece of it."""

    part: int
    signature: str
    chunk: int
    at_s: float


@dataclass(slots=True)
class PartEnded:
    part: int


@dataclass(slots=True)
class CallStateChanged:
    """A tool call moved along machine.CALL_TABLE; `fields` are those of ToolCall that changed with it."""

    call_id: str
    part: int
    state: str
    fields: Json = field(default_factory=dict)


@dataclass(slots=True)
class Printed:
    """A running tool printed something."""

    call_id: str
    part: int
    text: str


@dataclass(slots=True)
class RulesChanged:
    """The rules that decisions made, as the page shows them."""

    rules: list[Json]


@dataclass(slots=True)
class UsageReported:
    step: int
    raw: Wire


Event: TypeAlias = (
    RunStarted
    | RunStateChanged
    | RunEnded
    | RetryScheduled
    | StepStarted
    | HopStarted
    | StepDetail
    | StepEnded
    | PartStarted
    | TextAdded
    | ArgsChanged
    | PartEnded
    | PartSigned
    | CallStateChanged
    | Printed
    | PromptChanged
    | RulesChanged
    | UsageReported
)
