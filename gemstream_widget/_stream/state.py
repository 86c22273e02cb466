"""Events to state and patches: the one reducer.

`State` holds what a run has shown so far. `apply` changes it and returns the operations that change a page's copy in
the same way (docs/protocol.md), so that folding all operations over the opening snapshot gives `snapshot()` at every
moment. `apply_ops` is that fold; the page has the same in js/patch.ts, and golden files hold the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._plain import Wire, clean
from .events import (
    ArgsChanged,
    CallStateChanged,
    Event,
    PartEnded,
    PartStarted,
    Printed,
    RetryScheduled,
    RulesChanged,
    RunEnded,
    RunStarted,
    RunStateChanged,
    StepDetail,
    StepEnded,
    StepStarted,
    TextAdded,
    UsageReported,
)
from .machine import CALL_TABLE, RUN_TABLE, is_terminal
from .parts import (
    CallPart,
    CodePart,
    CodeResultPart,
    Decision,
    FilePart,
    OtherPart,
    Part,
    TextBuffer,
    TextPart,
    ToolCall,
)
from .patch import Op, Path, _grow
from .values import STEP_LISTS, Receipt, Retry, Step, Timing, Usage

__all__ = ["State"]


class State:
    """What one run has shown. Changed by `apply` on the run's loop only; `prompt` is in wire form."""

    def __init__(self, *, run: str, model: str, demo: bool, prompt: list[Wire], started_at: float) -> None:
        self.id = run
        self.model = model
        self.demo = demo
        self.prompt = prompt
        self.status = "pending"
        self.stopped_by: str | None = None
        self.parts: list[Part] = []
        self.steps: list[Step] = []
        self.timing = Timing(started_at)
        self.notice: dict[str, str] | None = None
        self.error: Wire | None = None
        self.receipt: Receipt | None = None
        self.rules: list[Wire] = []
        self.retries: list[Retry] = []
        self.offers: list[str] = []
        self._tokens: int | None = None
        self._otid = 0
        self._text_paths: list[Path | None] = []  # one tuple per text part, made once: appends are the hot path
        self._calls: dict[str, CallPart] = {}

    # -- reading ------------------------------------------------------------------------------------------------

    @property
    def usage(self) -> Usage:
        """Counters over all steps."""
        return sum((step.usage for step in self.steps), start=Usage())

    @property
    def tool_calls(self) -> list[ToolCall]:
        return [part.call for part in self._calls.values()]

    def call_part(self, call_id: str) -> CallPart | None:
        """The part of a call, by our id."""
        return self._calls.get(call_id)

    def parts_of(self, step: int) -> list[Part]:
        return [part for part in self.parts if part.step == step]

    def text(self, *, thought: bool) -> str:
        """All text, or all thoughts, of all steps, joined."""
        return "".join(p.text for p in self.parts if isinstance(p, TextPart) and p.thought is thought)

    def snapshot(self) -> Wire:
        """The state as docs/protocol.md describes it: plain JSON that shares no container with the state."""
        ended = is_terminal(RUN_TABLE, self.status)
        return {
            "id": self.id,
            "model": self.model,
            "demo": self.demo,
            "prompt": clean(self.prompt),
            "status": self.status,
            "stopped_by": self.stopped_by,
            "tokens": self._tokens,
            "parts": [part.to_json() for part in self.parts],
            "steps": [step.to_json() for step in self.steps],
            "usage": self._ended_usage(),
            "first_chunk_s": self.timing.first_chunk_s,
            "first_text_s": self.timing.first_text_s,
            "ended_s": self.timing.ended_s if ended else None,
            "notice": self.notice,
            "error": self.error,
            "receipt": None if self.receipt is None else self.receipt.to_json(),
            "rules": list(self.rules),
            "retries": [retry.to_json() for retry in self.retries],
            "offers": list(self.offers),
        }

    def _ended_usage(self) -> dict[str, int]:
        ended = (step.usage for step in self.steps if step.ended_s is not None)
        return sum(ended, start=Usage()).to_json()

    def recap(self) -> list[Event]:
        """Events that lead to this state, for a reader who comes late: each part whole, as far as it is."""
        if self.status == "pending":
            return []
        events: list[Event] = [RunStarted(0.0)]
        for step in self.steps:
            events.append(StepStarted(step.index, step.started_s))
            for part in self.parts_of(step.index):
                events.append(_start_of(part))
                if part.closed:
                    events.append(PartEnded(part.index))
            if step.usage.raw is not None:
                events.append(UsageReported(step.index, step.usage.raw))
            if step.ended_s is not None:
                events.append(StepEnded(step.index, step.ended_s, step.outcome or "", step.chunk_count))
            events += [RetryScheduled(retry) for retry in self.retries if retry.step == step.index]
        events.append(RunStateChanged(self.status))
        if is_terminal(RUN_TABLE, self.status):
            at_s = self.timing.ended_s or 0.0
            events[-1] = RunEnded(
                at_s, self.status, self.stopped_by, self.notice, self.error, self.receipt, self.offers
            )
        return events

    # -- changing -----------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> list[Op]:
        """Take over one event; the operations that do the same to a page's copy."""
        handler = _HANDLERS[type(event)]
        return handler(self, event)

    def _text_added(self, event: TextAdded) -> list[Op]:
        part = self.parts[event.part]
        assert isinstance(part, TextPart)
        part.buffer.append(event.text)
        part.touch(event.chunk, event.at_s)
        path = self._text_paths[event.part]
        assert path is not None
        return [("+", path, event.text)]

    def _usage_reported(self, event: UsageReported) -> list[Op]:
        self.steps[event.step].usage.report(event.raw)
        tokens = self.usage.total_token_count if len(self.steps) > 1 else self.steps[0].usage.total_token_count
        if tokens == self._tokens:
            return []
        self._tokens = tokens
        return [("=", ("tokens",), tokens)]

    def _part_started(self, event: PartStarted) -> list[Op]:
        ops = self._first_content(event)
        part = self._make_part(event)
        self.parts.append(part)
        is_text = isinstance(part, TextPart)
        self._text_paths.append(("parts", event.index, "text") if is_text else None)
        ops.append(("=", ("parts", event.index), part.to_json()))
        return ops

    def _first_content(self, event: PartStarted) -> list[Op]:
        if event.kind != "text" or event.thought or not event.text or self.timing.first_text_s is not None:
            return []
        self.timing.first_text_s = event.at_s
        return [("=", ("first_text_s",), event.at_s)]

    def count_on_from(self, otid: int) -> None:
        """Numbers from before a chat was saved are not given out again."""
        self._otid = max(self._otid, otid)

    def next_otid(self) -> int:
        """The next number of the one row that parts, calls and decisions share."""
        self._otid += 1
        return self._otid

    def _make_part(self, event: PartStarted) -> Part:
        common: dict[str, Any] = {
            "index": event.index,
            "otid": self.next_otid(),
            "step": event.step,
            "run": self.id,
            "first_s": event.at_s,
            "last_s": event.at_s,
            "chunks": [[event.chunk, event.chunk]],
            "signature": event.signature,
            "thought": event.thought,
            "extra": event.extra,
        }
        if event.kind == "text":
            return TextPart(**common, buffer=TextBuffer(event.text or ""), wire_text=event.text is not None)
        if event.kind == "call":
            return self._make_call(event, common)
        if event.kind == "file":
            ((name, raw),) = event.raw.items()
            return FilePart(**common, field_name=name, raw=raw)
        if event.kind == "code":
            return CodePart(**common, raw=event.raw["executableCode"])
        if event.kind == "code_result":
            return CodeResultPart(**common, raw=event.raw["codeExecutionResult"])
        return OtherPart(**common, raw=event.raw)

    def _make_call(self, event: PartStarted, common: dict[str, Any]) -> CallPart:
        raw: Wire = event.raw["functionCall"]
        args = raw.get("args")
        provider_id = raw.get("id")
        call = ToolCall(
            id=event.call_id or "",
            otid=self.next_otid(),
            call_id=str(provider_id) if provider_id else None,
            name=str(raw.get("name") or ""),
            args=clean(args) if isinstance(args, dict) else {},
            state="streaming_args" if event.streaming else "requested",
            step=event.step,
        )
        part = CallPart(**common, call=call, raw=None if event.streaming else raw, complete=not event.streaming)
        self._calls[call.id] = part
        return part

    def _args_changed(self, event: ArgsChanged) -> list[Op]:
        part = self.parts[event.part]
        assert isinstance(part, CallPart)
        part.touch(event.chunk, event.at_s)
        op, path, value = _grow(part.call.args, event.path, event.value, event.append)
        return [(op, ("parts", event.part, "call", "args", *path), value)]

    def _part_ended(self, event: PartEnded) -> list[Op]:
        part = self.parts[event.part]
        part.closed = True
        here = ("parts", event.part)
        return [("=", (*here, "last_s"), part.last_s), ("=", (*here, "chunks"), [list(r) for r in part.chunks])]

    def _call_state_changed(self, event: CallStateChanged) -> list[Op]:
        part = self._calls[event.call_id]
        part.complete = part.complete or event.state == "requested"
        here = ("parts", part.index, "call")
        ops: list[Op] = []
        for name, value in {**event.fields, "state": event.state}.items():
            setattr(part.call, name, value)
            if name != "model_side":
                ops.append(("=", (*here, name), value.to_json() if isinstance(value, Decision) else value))
        return ops

    def _printed(self, event: Printed) -> list[Op]:
        self._calls[event.call_id].call.printed += event.text
        return [("+", ("parts", event.part, "call", "printed"), event.text)]

    def _rules_changed(self, event: RulesChanged) -> list[Op]:
        self.rules = event.rules
        return [("=", ("rules",), event.rules)]

    def _step_started(self, event: StepStarted) -> list[Op]:
        step = Step(index=event.step, started_s=event.at_s)
        self.steps.append(step)
        return [("=", ("steps", event.step), step.to_json())]

    def _step_detail(self, event: StepDetail) -> list[Op]:
        step = self.steps[event.step]
        here = ("steps", event.step, event.name)
        if event.name == "other":
            assert event.key is not None
            if step.other.get(event.key) == event.value:
                return []
            step.other[event.key] = event.value
            return [("=", (*here, event.key), event.value)]
        if event.name in STEP_LISTS:
            entries: list[Wire] = getattr(step, event.name)
            entries.append(event.value)
            return [("=", (*here, len(entries) - 1), event.value)]
        setattr(step, event.name, event.value)
        ops: list[Op] = [("=", here, event.value)]
        if event.name == "first_chunk_s" and self.timing.first_chunk_s is None:
            self.timing.first_chunk_s = event.value
            ops.append(("=", ("first_chunk_s",), event.value))
        return ops

    def _step_ended(self, event: StepEnded) -> list[Op]:
        step = self.steps[event.step]
        step.ended_s, step.outcome, step.chunk_count = event.at_s, event.outcome, event.chunk_count
        here = ("steps", event.step)
        return [
            ("=", (*here, "ended_s"), event.at_s),
            ("=", (*here, "outcome"), event.outcome),
            ("=", (*here, "chunk_count"), event.chunk_count),
            ("=", (*here, "usage"), step.usage.to_json()),
            ("=", ("usage",), self._ended_usage()),
        ]

    def _run_started(self, event: RunStarted) -> list[Op]:
        return []

    def _run_state_changed(self, event: RunStateChanged) -> list[Op]:
        self.status = event.state
        return [("=", ("status",), event.state)]

    def _retry_scheduled(self, event: RetryScheduled) -> list[Op]:
        self.retries.append(event.retry)
        return [("=", ("retries", len(self.retries) - 1), event.retry.to_json())]

    def _run_ended(self, event: RunEnded) -> list[Op]:
        self.status = event.state
        self.timing.ended_s = event.at_s
        self.stopped_by = event.stopped_by
        self.notice = dict(event.notice) if event.notice else None
        self.error = event.error
        self.receipt = event.receipt
        self.offers = list(event.offers)
        fields = {
            "ended_s": event.at_s,
            "stopped_by": self.stopped_by,
            "notice": self.notice,
            "error": self.error,
            "receipt": None if self.receipt is None else self.receipt.to_json(),
            "offers": self.offers or None,
        }
        ops: list[Op] = [("=", (name,), value) for name, value in fields.items() if value is not None]
        return [*ops, ("=", ("status",), event.state)]

    def open_calls(self) -> list[CallPart]:
        """Calls that are neither answered nor refused."""
        return [p for p in self._calls.values() if not is_terminal(CALL_TABLE, p.call.state)]


_HANDLERS: dict[type, Callable[[State, Any], list[Op]]] = {
    TextAdded: State._text_added,
    UsageReported: State._usage_reported,
    PartStarted: State._part_started,
    PartEnded: State._part_ended,
    ArgsChanged: State._args_changed,
    CallStateChanged: State._call_state_changed,
    Printed: State._printed,
    RulesChanged: State._rules_changed,
    RetryScheduled: State._retry_scheduled,
    StepStarted: State._step_started,
    StepDetail: State._step_detail,
    StepEnded: State._step_ended,
    RunStarted: State._run_started,
    RunStateChanged: State._run_state_changed,
    RunEnded: State._run_ended,
}


def _start_of(part: Part) -> PartStarted:
    data = part.raw if isinstance(part, OtherPart) else part.data() or {}
    is_text = isinstance(part, TextPart)
    return PartStarted(
        index=part.index,
        step=part.step,
        kind="text" if is_text else part.kind,
        at_s=part.first_s,
        chunk=part.chunks[0][0],
        text=part.text if isinstance(part, TextPart) else "",
        raw={} if is_text else data,
        signature=part.signature,
        thought=part.thought,
        extra=part.extra,
        call_id=part.call.id if isinstance(part, CallPart) else None,
    )
