"""State: what one run has shown so far, and how it is read.

The reducer changes it (reducer.py); everybody else reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from .._plain import Json, Wire
from .machine import CALL_TABLE, RUN_TABLE, is_terminal
from .outcome import PAUSED
from .parts import CallPart, Part, TextPart, ToolCall
from .preview import preview
from .values import BEFORE_TURN, TAKEN_BACK, Receipt, Retry, Step, StopAsked, Timing, Usage

__all__ = ["State"]


class State:
    """What one run has shown. Changed by `apply` on the run's loop only. `prompt` is in wire form, `attachments` are
    the words for what went into it beside plain text.
    """

    def __init__(
        self,
        *,
        run: str,
        model: str,
        demo: bool,
        prompt: list[Wire],
        started_at: float,
        attachments: Sequence[str] = (),
        status: str = "pending",
    ) -> None:
        self.id = run
        self.model = model
        self.demo = demo
        self.prompt = prompt
        self.attachments = list(attachments)
        self.status = status
        self.stop: StopAsked | None = None
        self.stopped_by: str | None = None
        self.parts: list[Part] = []
        self.steps: list[Step] = []
        self.timing = Timing(started_at)
        self.notice: dict[str, str] | None = None
        self.error: Json | None = None
        self.receipt: Receipt | None = None
        self.rules: list[Json] = []
        self.retries: list[Retry] = []
        self.offers: list[str] = []
        self.tokens: int | None = None
        self.tokens_before = 0  # those of the hops before this one
        self.last_otid = 0
        self.calls: dict[str, CallPart] = {}

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def had_turn(self) -> bool:
        """Whether its prompt is part of the conversation: not while it is queued, not where it was taken back from
        there, and not where its turn brought no request.
        """
        taken_back = self.stopped_by == TAKEN_BACK
        return not (self.status == "queued" or taken_back or (self.status == "failed" and not self.steps))

    @property
    def moment(self) -> str:
        """The point of the run, in words for the receipt of a Stop."""
        if self.status == "queued":
            return BEFORE_TURN
        if not self.steps:
            return "before the request"
        if self.steps[-1].ended_s is not None:
            return "between steps"
        if self.steps[-1].finish_reason == PAUSED:
            return "between hops"
        return "before the first chunk" if self.steps[-1].first_chunk_s is None else "mid-stream"

    def attempts_before(self, step: int) -> int:
        """How many attempts at what this step asks for failed before it."""
        last = self.retries[-1] if self.retries else None
        return last.attempt if last is not None and last.step == step - 1 else 0

    @property
    def usage(self) -> Usage:
        """Counters over all steps."""
        return sum((step.usage for step in self.steps), start=Usage())

    @property
    def tool_calls(self) -> list[ToolCall]:
        return [part.call for part in self.calls.values()]

    def parts_of(self, step: int) -> list[Part]:
        return [part for part in self.parts if part.step == step]

    def text(self, *, thought: bool) -> str:
        """All text, or all thoughts, of all steps, joined."""
        return "".join(p.text for p in self.parts if isinstance(p, TextPart) and p.thought is thought)

    def snapshot(self) -> Json:
        """The state as docs/protocol.md describes it: plain JSON that shares no container with the state."""
        ended = is_terminal(RUN_TABLE, self.status)
        return {
            "id": self.id,
            "model": self.model,
            "demo": self.demo,
            "prompt": preview(self.prompt),
            "attachments": list(self.attachments),
            "status": self.status,
            "stopped_by": self.stopped_by,
            "tokens": self.tokens,
            "parts": [part.to_json() for part in self.parts],
            "steps": [step.to_json() for step in self.steps],
            "usage": self.ended_usage(),
            "first_chunk_s": self.timing.first_chunk_s,
            "first_text_s": self.timing.first_text_s,
            "ended_s": self.timing.ended_s if ended else None,
            "notice": deepcopy(self.notice),
            "error": deepcopy(self.error),
            "receipt": None if self.receipt is None else self.receipt.to_json(),
            "rules": deepcopy(self.rules),
            "retries": [retry.to_json() for retry in self.retries],
            "offers": list(self.offers),
        }

    def ended_usage(self) -> dict[str, int]:
        ended = (step.usage for step in self.steps if step.ended_s is not None)
        return sum(ended, start=Usage()).to_json()

    def open_calls(self) -> list[CallPart]:
        """Calls that are neither answered nor refused."""
        return [p for p in self.calls.values() if not is_terminal(CALL_TABLE, p.call.state)]

    def next_otid(self) -> int:
        """The next number of the one row that parts, calls and decisions share."""
        self.last_otid += 1
        return self.last_otid
