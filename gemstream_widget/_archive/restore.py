"""A run that was kept, taken over: its journal is replayed, and what it broke off in the middle of has ended."""

from __future__ import annotations

from collections.abc import Callable

from .._stream import entries
from .._stream.machine import RUN_TABLE, next_state
from .._stream.record import Record
from .._stream.values import NOT_SENT, TAKEN_BACK, Offers
from ..errors import RunFailed

__all__ = ["restore"]

_LEFT_BEHIND = NOT_SENT | {"message": "The chat was saved while the prompt waited for its turn; it is in the file."}
_INTERRUPTED = "The kernel ended while the tool ran; nobody knows what it did."


def restore(record: Record, offers: Callable[[str, RunFailed | None], Offers]) -> None:
    """Let a new record tell what its journal holds. Where that stops while calls wait for decisions, the run is left
    "acting", for a driver to go on with; anything else that was going has ended. `offers` says what may follow then.
    Raises ValueError, IllegalTransition and others where the entries are not those of a run.
    """
    now_s = record.replay()
    record.restart_clock(now_s)
    state = record.state
    if record.done:
        if not record.ended.done():  # somebody else wrote that: whoever waits for it would wait for ever
            raise ValueError(f"the run is {state.status}, and nothing tells of its end")
        return
    if state.status == "queued":
        record.add(entries.End(now_s, "stop", TAKEN_BACK, _LEFT_BEHIND))
        return
    for part in state.open_calls():
        if part.call.state == "running":
            words = _INTERRUPTED
            record.add(entries.Result(now_s, part.call.id, "raised", {"error": words}, error=words))
    waits = state.status == "acting" and any(p.call.state == "awaiting_approval" for p in state.open_calls())
    if waits and state.stop is None:
        if state.rules:
            record.add(entries.Rules(now_s, []))  # they stay behind
        return
    if state.steps and state.steps[-1].ended_s is None:
        record.add(entries.StreamEnd(now_s, "stopped"))
    if state.status in ("streaming", "acting"):
        record.add(entries.Move(now_s, "stop"))
    event = "stop" if state.status == "pending" else "children_ended"
    ended = next_state(RUN_TABLE, state.status, event)
    record.add(entries.End(now_s, event, offers=offers(ended, None)))
