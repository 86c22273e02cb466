"""Events to state and patches: the one reducer.

`apply` changes a run's state by one event and returns the operations that change a page's copy in the same way
(docs/protocol.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._plain import Wire, clean, clean_text
from .events import (
    ArgsChanged,
    CallStateChanged,
    Event,
    HopStarted,
    PartEnded,
    PartSigned,
    PartStarted,
    Printed,
    PromptChanged,
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
from .parts import (
    LIVE,
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
from .patch import Op, grow
from .preview import preview
from .state import State
from .values import STEP_LISTS, TOTAL, Step, count_of

__all__ = ["apply"]


def apply(state: State, *events: Event) -> list[Op]:
    """Take over events, in order. On the run's loop; the caller holds the record's lock."""
    ops: list[Op] = []
    for event in events:
        ops += _HANDLERS[type(event)](state, event)
    return ops


def _text_added(state: State, event: TextAdded) -> list[Op]:
    part = state.parts[event.part]
    assert isinstance(part, TextPart)
    part.buffer.append(event.text)
    part.touch(event.chunk, event.at_s)
    state.steps[-1].token = None  # it is for what came up to it
    return [("+", part.path, event.text)]


def _usage_reported(state: State, event: UsageReported) -> list[Op]:
    raw = event.raw
    if None in raw.values():  # reported empty, which takes back nothing
        raw = {name: value for name, value in raw.items() if value is not None}
    state.steps[event.step].reported[-1].update(raw)
    total = count_of(event.raw.get(TOTAL))
    if total is None or state.tokens == state.tokens_before + total:
        return []
    state.tokens = state.tokens_before + total
    return [("=", ("tokens",), state.tokens)]


def _part_started(state: State, event: PartStarted) -> list[Op]:
    ops = _first_content(state, event)
    state.steps[-1].token = None
    part = _make_part(state, event)
    state.parts.append(part)
    ops.append(("=", ("parts", event.index), part.to_json()))
    return ops


def _first_content(state: State, event: PartStarted) -> list[Op]:
    if event.kind != "text" or event.thought or not event.text or state.timing.first_text_s is not None:
        return []
    state.timing.first_text_s = event.at_s
    return [("=", ("first_text_s",), event.at_s)]


def _make_part(state: State, event: PartStarted) -> Part:
    common: dict[str, Any] = {
        "index": event.index,
        "otid": state.next_otid(),
        "step": event.step,
        "run": state.id,
        "first_s": event.at_s,
        "last_s": event.at_s,
        "chunks": [[event.chunk, event.chunk]],
        "signature": event.signature,
        "thought": event.thought,
        "extra": event.extra,
    }
    if event.kind == "text":
        path = ("parts", event.index, "text")
        return TextPart(**common, buffer=TextBuffer(event.text or ""), path=path, wire_text=event.text is not None)
    if event.kind == "call":
        return _make_call(state, event, common)
    if event.kind == "file":
        ((name, raw),) = event.raw.items()
        return FilePart(**common, field_name=name, raw=raw)
    if event.kind == "code":
        return CodePart(**common, raw=event.raw["executableCode"])
    if event.kind == "code_result":
        return CodeResultPart(**common, raw=event.raw["codeExecutionResult"])
    return OtherPart(**common, raw=event.raw)


def _make_call(state: State, event: PartStarted, common: dict[str, Any]) -> CallPart:
    raw: Wire = event.raw["functionCall"]
    args = raw.get("args")
    provider_id = raw.get("id")
    call = ToolCall(
        id=event.call_id or "",
        otid=state.next_otid(),
        call_id=str(provider_id) if provider_id else None,
        name=str(raw.get("name") or ""),
        live_args=clean(args) if isinstance(args, dict) else {},
        state="streaming_args" if event.streaming else "requested",
        step=event.step,
    )
    part = CallPart(**common, call=call, raw=None if event.streaming else raw, complete=not event.streaming)
    state.calls[call.id] = part
    return part


def _args_changed(state: State, event: ArgsChanged) -> list[Op]:
    part = state.parts[event.part]
    assert isinstance(part, CallPart)
    part.touch(event.chunk, event.at_s)
    state.steps[-1].token = None
    op, path, value = grow(part.call.live_args, event.path, event.value, event.append)
    return [(op, ("parts", event.part, "call", "args", *path), value)]


def _part_signed(state: State, event: PartSigned) -> list[Op]:
    part = state.parts[event.part]
    part.signature = event.signature
    part.touch(event.chunk, event.at_s)
    state.steps[-1].token = None
    signed: list[Op] = [("=", ("parts", event.part, "signature"), part.signature)]
    return [*signed, *_told_arrival(part)] if part.closed else signed


def _part_ended(state: State, event: PartEnded) -> list[Op]:
    part = state.parts[event.part]
    part.closed = True
    return _told_arrival(part)


def _told_arrival(part: Part) -> list[Op]:
    here = ("parts", part.index)
    return [("=", (*here, "last_s"), part.last_s), ("=", (*here, "chunks"), [list(r) for r in part.chunks])]


def _call_state_changed(state: State, event: CallStateChanged) -> list[Op]:
    part = state.calls[event.call_id]
    part.complete = part.complete or event.state == "requested"
    here = ("parts", part.index, "call")
    ops: list[Op] = []
    for name, value in {**event.fields, "state": event.state}.items():
        setattr(part.call, f"live_{name}" if name in LIVE else name, value)
        if name == "decision":
            state.next_otid()  # the decision's
        if name != "model_side":
            ops.append(("=", (*here, name), clean(value.to_json() if isinstance(value, Decision) else value)))
    return ops


def _printed(state: State, event: Printed) -> list[Op]:
    text = clean_text(event.text)
    state.calls[event.call_id].call.printed += text
    return [("+", ("parts", event.part, "call", "printed"), text)]


def _rules_changed(state: State, event: RulesChanged) -> list[Op]:
    state.rules = event.rules
    return [("=", ("rules",), event.rules)]


def _step_started(state: State, event: StepStarted) -> list[Op]:
    step = Step(index=event.step, started_s=event.at_s)
    state.tokens_before = state.tokens or 0
    state.steps.append(step)
    return [("=", ("steps", event.step), step.to_json())]


def _hop_started(state: State, event: HopStarted) -> list[Op]:
    step = state.steps[event.step]
    step.reported.append({})
    state.tokens_before = state.tokens or 0
    step.finish_reason = step.finish_message = None
    here = ("steps", event.step)
    ended: list[Op] = [("=", (*here, name), None) for name in ("finish_reason", "finish_message")]
    return [("=", (*here, "hops"), len(step.reported)), *ended]


def _step_detail(state: State, event: StepDetail) -> list[Op]:
    step = state.steps[event.step]
    here = ("steps", event.step, event.name)
    if event.name == "token":  # opaque, and no page needs it
        step.token = event.value
        return []
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
    if event.name == "first_chunk_s" and state.timing.first_chunk_s is None:
        state.timing.first_chunk_s = event.value
        ops.append(("=", ("first_chunk_s",), event.value))
    return ops


def _step_ended(state: State, event: StepEnded) -> list[Op]:
    step = state.steps[event.step]
    step.ended_s, step.outcome, step.chunk_count = event.at_s, event.outcome, event.chunk_count
    here = ("steps", event.step)
    return [
        ("=", (*here, "ended_s"), event.at_s),
        ("=", (*here, "outcome"), event.outcome),
        ("=", (*here, "chunk_count"), event.chunk_count),
        ("=", (*here, "usage"), step.usage.to_json()),
        ("=", ("usage",), state.ended_usage()),
    ]


def _run_started(state: State, event: RunStarted) -> list[Op]:
    return []


def _run_state_changed(state: State, event: RunStateChanged) -> list[Op]:
    state.status = event.state
    return [("=", ("status",), event.state)]


def _prompt_changed(state: State, event: PromptChanged) -> list[Op]:
    state.prompt = event.contents
    return [("=", ("prompt",), preview(event.contents))]


def _retry_scheduled(state: State, event: RetryScheduled) -> list[Op]:
    state.retries.append(event.retry)
    return [("=", ("retries", len(state.retries) - 1), event.retry.to_json())]


def _run_ended(state: State, event: RunEnded) -> list[Op]:
    state.status = event.state
    state.timing.ended_s = event.at_s
    state.stopped_by = event.stopped_by
    state.notice = dict(event.notice) if event.notice else None
    state.error = event.error
    state.receipt = event.receipt
    state.offers = list(event.offers)
    fields = {
        "ended_s": event.at_s,
        "stopped_by": state.stopped_by,
        "notice": state.notice,
        "error": state.error,
        "receipt": None if state.receipt is None else state.receipt.to_json(),
        "offers": state.offers or None,
    }
    ops: list[Op] = [("=", (name,), value) for name, value in fields.items() if value is not None]
    return [*ops, ("=", ("status",), event.state)]


_HANDLERS: dict[type, Callable[[State, Any], list[Op]]] = {
    TextAdded: _text_added,
    UsageReported: _usage_reported,
    PartStarted: _part_started,
    PartEnded: _part_ended,
    PartSigned: _part_signed,
    ArgsChanged: _args_changed,
    CallStateChanged: _call_state_changed,
    Printed: _printed,
    RulesChanged: _rules_changed,
    PromptChanged: _prompt_changed,
    RetryScheduled: _retry_scheduled,
    StepStarted: _step_started,
    HopStarted: _hop_started,
    StepDetail: _step_detail,
    StepEnded: _step_ended,
    RunStarted: _run_started,
    RunStateChanged: _run_state_changed,
    RunEnded: _run_ended,
}
