"""A run as saved.py wrote it, told again.

Its chunks are decoded anew, so that parts, signatures and the history come out as they were; what was decided and
returned for its calls follows them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from .errors import RunFailed
from .model import CallStateChanged, Decision, Receipt, Retry, RetryScheduled, RunEnded, RunStateChanged, Wire
from .record import Record

__all__ = ["restore"]


def restore(saved: Wire, record: Record, offers: Callable[[str], list[str]]) -> None:
    """Let a new record tell what the saved one did. Where calls were waiting the run is left "acting", for a driver to
    go on with; anything else that was going has ended. `offers` says what may follow a run that ends only now.
    """
    record.go_on_from(saved["started_at"], saved["now_s"])
    for step in saved["steps"]:
        record.begin_step(step["started_s"])
        for at_s, chunk in step["chunks"]:
            with suppress(RunFailed):  # an error object: the run's own error tells it
                record.add_chunk(chunk, at_s)
        record.end_step(step["ended_s"], step["outcome"])
    record.publish(RetryScheduled(Retry(**retry)) for retry in saved["retries"])
    for call_id, fields in saved["calls"].items():
        _restore_call(call_id, fields, record)
    if saved["status"] == "acting":
        record.publish([RunStateChanged("acting")])
    else:
        _restore_end(saved, record, offers)


def _restore_call(call_id: str, fields: Wire, record: Record) -> None:
    part = record.state.call_part(call_id)
    if part is None:
        return
    decision = None if fields["decision"] is None else Decision(**fields["decision"])
    if decision is not None:
        record.state.count_on_from(decision.otid)
    record.publish([CallStateChanged(call_id, part.index, fields["state"], fields | {"decision": decision})])


def _restore_end(saved: Wire, record: Record, offers: Callable[[str], list[str]]) -> None:
    error = saved["error"]
    if error is not None:
        record.error = RunFailed(error["message"], title=error["title"], hint=error["hint"])
    record.end(
        RunEnded(
            at_s=saved["ended_s"],
            state=saved["status"],
            stopped_by=saved["stopped_by"],
            notice=saved["notice"],
            error=error,
            receipt=saved["receipt"] and Receipt(**saved["receipt"]),
            offers=offers(saved["status"]) if saved["offers"] is None else saved["offers"],
        )
    )
