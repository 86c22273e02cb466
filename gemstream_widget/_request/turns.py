"""What a run adds to the conversation, in wire form: its prompt, what the model said, and the responses to its calls.

A call that goes into the history always brings its response along: without one, Gemini refuses this and every later
request. A call that came only in part, or without a name, stays out. Thoughts are left out unless they carry a
signature: Gemini takes both ways, as long as it is one of them throughout.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from .._plain import Json, Wire
from .._stream.outcome import TORN
from .._stream.parts import CallPart, Part, TextPart, ToolCall
from .._stream.state import State
from .._stream.values import Step
from .pairing import OpenCall
from .rules import SKIP_SIGNATURE
from .wire import get

__all__ = ["contents", "is_unanswered", "model_turn", "sent_calls", "unfinished", "without_prompt"]


STOPPED = "Stopped by the user before the call was run."
FAILED = "The run failed before the call was run."
STOPPED_LATE = "Stopped by the user while the call ran; what it did is not known."
FAILED_LATE = "The run failed while the call ran; what it did is not known."
NAMELESS = "A function call in your last answer had no name, so nothing was run for it."


def contents(state: State) -> list[Wire]:
    """The prompt, and what the model said.

    A run that was stopped answers its open calls, so that Gemini accepts the next request. One that had no turn, or
    failed before the model said anything, adds nothing: its prompt is most likely sent again.
    """
    return [] if is_unanswered(state) else [*state.prompt, *_turns(state, state.steps)]


def is_unanswered(state: State) -> bool:
    """Whether the run's prompt is no part of the conversation, for want of a turn or of an answer."""
    return not state.had_turn or (state.status == "failed" and not _turns(state, state.steps))


def unfinished(state: State) -> list[Wire]:
    """`contents` without the step that did not end well, which stays only where a tool of it began."""
    steps = state.steps
    began = steps and any(c.started_s is not None for c in state.tool_calls if c.step == steps[-1].index)
    return [*state.prompt, *_turns(state, steps if began else steps[:-1])]


def without_prompt(contents: list[Wire]) -> list[Wire]:
    """The contents without what the user said last, if the model has not answered it; its own calls' responses stay."""
    end = len(contents)
    while end and contents[end - 1].get("role") != "model" and not _responds(contents[end - 1]):
        end -= 1
    return contents[:end]


def _turns(state: State, steps: Iterable[Step]) -> list[Wire]:
    """What the model said in these steps, and the responses to its calls."""
    turns: list[Wire] = []
    for step in steps:
        parts = state.parts_of(step.index)
        if step.finish_reason in TORN:
            parts = _without_fragment(parts)
        calls, turn = sent_calls(parts), model_turn(parts)
        responses = _responses(calls, state.status)
        turns += [turn, *responses] if turn is not None else []
        nameless = any(isinstance(p, CallPart) and not p.call.name for p in parts)
        if nameless and (responses or not calls):  # responses come right after their calls, and this after them
            turns.append({"role": "user", "parts": [{"text": NAMELESS}]})
    return turns


def _without_fragment(parts: list[Part]) -> list[Part]:
    """The parts without the text at their end, which is what is left of a call that could not be read, and no answer:
    sent back as one, it would be an example. Nothing, where they say nothing else.
    """
    end = len(parts)
    while end and isinstance(parts[end - 1], TextPart) and not parts[end - 1].thought and not parts[end - 1].signature:
        end -= 1
    kept = parts[:end]
    return [] if all(isinstance(part, TextPart) and (part.thought or not part.text) for part in kept) else kept


def model_turn(parts: Iterable[Part]) -> Wire | None:
    """The model's Content of one step, or None where nothing of it can be sent back."""
    kept: list[Wire] = []
    orphaned = False  # a call that stays out carried the step's signature
    for part in parts:
        if part.thought and not part.signature and isinstance(part, TextPart):
            continue
        wire = part.to_wire()
        if wire:
            if orphaned and "functionCall" in wire and "thoughtSignature" not in wire:
                wire["thoughtSignature"] = base64.b64encode(SKIP_SIGNATURE).decode("ascii")
                orphaned = False
            kept.append(wire)
        elif isinstance(part, CallPart) and part.signature:
            orphaned = True
    return {"role": "model", "parts": kept} if kept else None


def sent_calls(parts: Iterable[Part]) -> list[ToolCall]:
    """The calls that `model_turn` of the same parts sends back, without those the model's own side answered."""
    calls = [p.call for p in parts if isinstance(p, CallPart) and p.data() is not None]
    return [call for call in calls if not call.model_side]


def _responses(calls: list[ToolCall], status: str) -> list[Wire]:
    """The Content that answers the calls of one step, in call order; none while some are still to be answered."""
    if not calls:
        return []
    if status not in ("cancelled", "failed") and any(call.live_result is None for call in calls):
        return []
    responses = [OpenCall.of(c).answer(_cut_off(c, status) if c.live_result is None else c.result) for c in calls]
    return [{"role": "user", "parts": responses}]


def _cut_off(call: ToolCall, status: str) -> Json:
    """The response to a call whose run ended before it had one."""
    stopped, failed = (STOPPED, FAILED) if call.started_s is None else (STOPPED_LATE, FAILED_LATE)
    return {"error": stopped if status == "cancelled" else failed}


def _responds(content: Wire) -> bool:
    return any(get(part, "functionResponse") is not None for part in content["parts"])
