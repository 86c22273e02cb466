"""How a step ended, in one word and in words a person understands.

Outcomes: `completed`, `calls` (ended well and asked for function calls), `truncated` (cut at a limit), `blocked`,
`malformed` (an unreadable function call), `incomplete` (no finish reason came), `empty` (nothing came at all),
`error` (the source raised), `stopped`.

Finish and block reasons: https://ai.google.dev/api/generate-content#FinishReason and #BlockReason. A reason that is not
in the table is taken as an ordinary end and named to the reader: new ones appear before libraries know them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from .._plain import Wire, shorten
from ..errors import (
    EmptyResponse,
    InvalidChunk,
    MalformedCall,
    PromptBlocked,
    ResponseBlocked,
    RunFailed,
    StreamTruncated,
)
from .values import Step

__all__ = [
    "BLOCK_REASONS",
    "FINISH_REASONS",
    "NOT_JSON",
    "NUMBERS",
    "PAUSED",
    "TORN",
    "failure_of",
    "notice_of",
    "outcome_of",
    "repairs_notice",
]


class Finish(NamedTuple):
    outcome: str
    words: str


_RIGHTS = "It repeats a source too closely."
_SAFETY = "It was judged unsafe."

PAUSED: Final = "CONTINUATION"
"""The finish reason of a hop that another one is to follow."""

UNEXPECTED: Final = "UNEXPECTED_TOOL_CALL"
TORN: Final = ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE")
"""Finish reasons after which the text that came last may be the end of a call that nobody could read."""

FINISH_REASONS: Final[Mapping[str, Finish]] = {
    "STOP": Finish("completed", ""),
    "MAX_TOKENS": Finish("truncated", "The answer reached the output limit. Raise max_output_tokens, or ask to go on."),
    "SAFETY": Finish("blocked", _SAFETY),
    "RECITATION": Finish("blocked", _RIGHTS),
    "LANGUAGE": Finish("blocked", "It is in a language the model does not support."),
    "BLOCKLIST": Finish("blocked", "It holds a blocked term."),
    "PROHIBITED_CONTENT": Finish("blocked", "It may hold prohibited content."),
    "SPII": Finish("blocked", "It may hold sensitive personal information."),
    "IMAGE_SAFETY": Finish("blocked", "The image was judged unsafe."),
    "IMAGE_PROHIBITED_CONTENT": Finish("blocked", "The image may hold prohibited content."),
    "IMAGE_RECITATION": Finish("blocked", "The image repeats a source too closely."),
    "MODEL_ARMOR": Finish("blocked", "Model Armor refused it."),
    "MALFORMED_FUNCTION_CALL": Finish("malformed", "The call is not valid."),
    "MALFORMED_RESPONSE": Finish("malformed", "The response is not valid."),
    "UNEXPECTED_TOOL_CALL": Finish("malformed", "It called a tool that it may not call."),
    "TOO_MANY_TOOL_CALLS": Finish("malformed", "It called tools too many times in a row."),
    "MISSING_THOUGHT_SIGNATURE": Finish("malformed", "A thought signature is missing from the history."),
    "IMAGE_OTHER": Finish("truncated", "The image could not be made, for a reason Gemini does not name."),
    "NO_IMAGE": Finish("truncated", "The model was to make an image and made none."),
    "OTHER": Finish("truncated", "Gemini ended the answer for a reason it does not name."),
    "FINISH_REASON_UNSPECIFIED": Finish("truncated", "Gemini ended the answer without saying why."),
    PAUSED: Finish("truncated", "Gemini paused the answer; ask to go on."),
}

BLOCK_REASONS: Final[Mapping[str, str]] = {
    "SAFETY": "It was judged unsafe.",
    "BLOCKLIST": "It holds a blocked term.",
    "PROHIBITED_CONTENT": "It may hold prohibited content.",
    "IMAGE_SAFETY": "Its image was judged unsafe.",
    "MODEL_ARMOR": "Model Armor refused it.",
    "JAILBREAK": "It looks like an attempt to get around the model's rules.",
    "OTHER": "Gemini does not say why.",
}


NUMBERS: Final = {"1": "STOP", "2": "MAX_TOKENS", "3": "SAFETY", "4": "RECITATION", "5": "OTHER"}
"""Finish reasons that came as numbers, as far as the Developer API and Vertex number them alike:
https://github.com/googleapis/googleapis/blob/master/google/ai/generativelanguage/v1beta/generative_service.proto
"""

NOT_JSON: Final = "not JSON"
"""Where a step's `other` holds what came and could not be read."""


def _block_reason(feedback: Wire | None) -> str | None:
    reason = (feedback or {}).get("blockReason")
    return str(reason) if reason else None


def outcome_of(feedback: Wire | None, finish_reason: str | None, *, content: bool, calls: bool) -> str:
    """The outcome of a step whose stream was read to its end. `content`: any part came; `calls`: some wait."""
    if _block_reason(feedback) and not content:
        return "blocked"
    if finish_reason is None:
        return "incomplete" if content else "empty"
    known = FINISH_REASONS.get(finish_reason)
    outcome = known.outcome if known else "completed"
    return "calls" if calls and outcome in ("completed", "truncated") else outcome


def failure_of(step: Step, called: Sequence[str] = (), offered: Sequence[str] = ()) -> RunFailed | None:
    """The error a step's outcome means for its run, or None where the run may go on or end well. `called` are the names
    of the functions that it called, `offered` those that its request declared.
    """
    reason = step.finish_reason or ""
    words = FINISH_REASONS[reason].words if reason in FINISH_REASONS else ""
    detail = f" Gemini adds: {step.finish_message}" if step.finish_message else ""
    if step.outcome == "blocked":
        block = _block_reason(step.prompt_feedback)
        if block and not step.finish_reason:
            message = (step.prompt_feedback or {}).get("blockReasonMessage")
            told = f" Gemini adds: {message}" if message else ""
            return PromptBlocked(block, f"{BLOCK_REASONS.get(block, '')} Reason given: {block}.{told}".strip())
        return ResponseBlocked(reason, f"{words} Finish reason: {reason}.{detail}")
    if reason == UNEXPECTED:
        return _uninvited(step.finish_message or "", called, offered, f" Finish reason: {reason}.{detail}")
    if step.outcome == "malformed":
        return MalformedCall(reason, f"{words} Finish reason: {reason}.{detail}")
    if step.outcome in ("incomplete", "empty") and NOT_JSON in step.other:
        return InvalidChunk(
            f"Among {step.chunk_count} chunks came something that is not a Gemini chunk, and no finish reason: "
            f"{shorten(str(step.other[NOT_JSON]), 200)}"
        )
    if step.outcome == "incomplete":
        return StreamTruncated(
            f"The stream ended after {step.chunk_count} chunks without a finish reason; "
            "Gemini sends one with every whole answer."
        )
    if step.outcome == "empty":
        return EmptyResponse(
            f"The stream ended after {step.chunk_count} chunks that held no content and no finish reason."
        )
    return None


def _uninvited(message: str, called: Sequence[str], offered: Sequence[str], told: str) -> MalformedCall:
    """A call of a tool that was not offered, or of one where the settings allow none. Gemini may name it in its message
    only: https://github.com/epam/ai-dial-adapter-vertexai/issues/325
    """
    named = re.search(r"undeclared function:\s*([\w.:-]*\w)", message)
    names = [name for name in (*called, *([named[1]] if named else [])) if name not in offered]
    if not names and called:
        words = f"It called {called[0]}, which is offered; the tool configuration of the request allows no call."
        return MalformedCall(UNEXPECTED, words + told, title="The model called a tool that it may not call")
    what = f"It called {names[0]}, which was not offered." if names else "It called a tool that was not offered."
    known = f" Offered: {', '.join(offered)}." if offered else " No tool was offered."
    hint = "Send the prompt again: models often get it right the second time. Or give the tool, in tools=[...]."
    return MalformedCall(
        UNEXPECTED, what + known + told, title="The model called a tool that was not offered", hint=hint
    )


def repairs_notice(done: list[str]) -> dict[str, str]:
    """What a reader should know of requests that were mended on their way out; `done`: how, in sentences."""
    return {"level": "info", "title": "Mended before it was sent", "message": " ".join(done)}


def notice_of(step: Step, *, content: bool) -> dict[str, str] | None:
    """What a reader should know of a step that ended well: {"level", "title", "message"}, or None."""
    reason = step.finish_reason or ""
    if step.outcome == "truncated":
        title = "Cut at the output limit" if reason == "MAX_TOKENS" else "The answer may be incomplete"
        return {"level": "warn", "title": title, "message": f"{FINISH_REASONS[reason].words} Finish reason: {reason}."}
    if step.outcome == "completed" and reason not in FINISH_REASONS:
        message = f"This version does not know the finish reason {reason}."
        return {"level": "info", "title": "Ended for a new reason", "message": message}
    if step.outcome == "completed" and not content:
        message = f"The model ended without saying anything. Finish reason: {reason}."
        return {"level": "warn", "title": "Nothing was said", "message": message}
    return None
