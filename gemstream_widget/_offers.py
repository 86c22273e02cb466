"""What a reader is offered after a run that ended: a value, made of the run and of what Gemini would refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ._request.violation import Violation
from ._run import Run
from ._stream.outcome import TORN
from ._stream.parts import TextPart
from ._stream.values import Offers
from .errors import ApiError, PromptBlocked, RequestRefused, RunFailed

__all__ = ["offers_after"]

Refusals = Callable[[], Sequence[Violation]]


def offers_after(run: Run, ended: str, error: RunFailed | None, refusals: Refusals) -> Offers:
    """What may be asked for after `run`, which is about to end as `ended`, with `error`; the best first. `refusals`
    tells what Gemini would refuse in the history, and is called only where it just refused something.
    """
    if ended == "failed" and not run.steps:  # its prompt did not fit the conversation
        return Offers()
    step = run.steps[-1] if run.steps else None
    if ended == "completed":
        return Offers(("continue",) if step is not None and step.outcome == "truncated" else ())
    if repairs := _repairs(error, refusals):
        hint = f"The repair on offer, also as run.again('repair'): {' '.join(repairs.values())}"
        return Offers(("repair",), tuple(repairs), hint)
    said = step is not None and (
        step.token is not None
        or (
            step.finish_reason not in TORN
            and any(isinstance(p, TextPart) and p.text and not p.thought and p.step == step.index for p in run.parts)
        )
    )
    anew = not isinstance(error, PromptBlocked)
    return Offers((*(("continue",) if said else ()), *(("anew",) if anew else ())))


def _repairs(error: RunFailed | None, refusals: Refusals) -> dict[str, str]:
    """What can be mended of what Gemini just refused: the codes of the repairs, and what each would do."""
    if isinstance(error, RequestRefused):
        return {one.code: one.repair for one in refusals() if one.repair and not one.is_mended}
    if not isinstance(error, ApiError) or error.code != 400:
        return {}
    if "thought signature" in error.message.lower():
        return {"corrupted_signature": "Drops the thought signatures, and asks Gemini to go without."}
    return {refusal.code: refusal.repair for refusal in refusals() if refusal.repair}
