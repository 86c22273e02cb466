"""A chat in a file, and back: in another kernel, on another machine, pending approvals included.

The file is JSON. A run is kept as its own chunks with their arrivals and what was decided and returned for its calls;
reading it decodes the chunks again, so that parts, signatures and the history come out as they were. Functions,
policies, clients, rules, the config and the limits stay behind: they are given anew to `load_chat`. What was said is in
the file as it was said, a key in a prompt and the bytes of a picture included.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._plain import Json, clean
from .._stream.events import CallStateChanged, RetryScheduled, RunEnded, RunStateChanged
from .._stream.machine import CALL_TABLE, RUN_TABLE, is_terminal
from .._stream.parts import Decision
from .._stream.record import Record
from .._stream.values import NOT_SENT, TAKEN_BACK, Receipt, Retry
from ..errors import RecordingError, RunFailed

__all__ = ["not_a_chat", "read_document", "restore", "run_to_json", "write_document"]

FORMAT = "gemstream chat 3"
_CALL_FIELDS = (
    "state",
    "doc",
    "schema",
    "hash",
    "decision",
    "used_args",
    "started_s",
    "ended_s",
    "printed",
    "result",
    "display",
    "error",
    "traceback",
)
_LEFT_BEHIND = NOT_SENT | {"message": "The chat was saved while the prompt waited for its turn; it is in the file."}
_INTERRUPTED = "The kernel ended while the tool ran; nobody knows what it did."


def write_document(path: str | Path, about: Json, runs: Iterable[Json]) -> None:
    """Write a chat: `about` are its own fields, `runs` come from `run_to_json`."""
    document = {"format": FORMAT, **about, "runs": list(runs)}
    target = Path(path)
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        beside.write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(beside, target)  # whole or not at all: what was there before is not lost in the middle
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error  # the file that the caller knows of
    finally:
        beside.unlink(missing_ok=True)


def read_document(path: str | Path) -> Json:
    """The chat that `write_document` wrote. Raises RecordingError for any other file."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise RecordingError(f"{path} is {document['format']!r}; this version reads {FORMAT!r}.")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_a_chat(path, error) from error
    return dict(document)


def not_a_chat(path: str | Path, error: Exception) -> RecordingError:
    """The error for a file that turns out, at whatever depth, to be something else."""
    return RecordingError(f"{path} is not a saved chat: {type(error).__name__}: {error}.")


def run_to_json(record: Record, *, waiting: bool, repairs: list[str]) -> Json:
    """A run as it is now. `waiting`: its calls wait for decisions, and will do so again in another kernel. One that is
    streaming is written as stopped at this point, one that is queued as taken back.
    """
    state, now_s = record.snapshot(), record.now()
    if state["status"] == "queued":
        state |= {"status": "cancelled", "stopped_by": TAKEN_BACK, "notice": _LEFT_BEHIND, "ended_s": now_s}
    ended = is_terminal(RUN_TABLE, state["status"])
    steps = []
    for step in state["steps"]:
        chunks = [[c.at_s, _json_of(c.wire)] for c in record.chunks if c.step == step["index"]]
        open_step = step["ended_s"] is None
        ended_s = now_s if open_step else step["ended_s"]
        outcome = "stopped" if open_step else step["outcome"]
        about = {"index": step["index"], "started_s": step["started_s"], "ended_s": ended_s, "outcome": outcome}
        steps.append({**about, "chunks": chunks})
    calls = {}
    for part in state["parts"]:
        if part["kind"] == "call":
            fields = {name: part["call"][name] for name in _CALL_FIELDS}
            calls[part["call"]["id"]] = fields if ended else _as_left_behind(fields, waiting)
    return {
        "prompt": [_json_of(content) for content in record.state.prompt],  # bytes and all, unlike the snapshot's
        "attachments": state["attachments"],
        "started_at": record.state.timing.started_at,
        "now_s": now_s,
        "status": state["status"] if ended else "acting" if waiting else "cancelled",
        "stopped_by": state["stopped_by"],
        "ended_s": state["ended_s"] if ended or waiting else now_s,
        "notice": state["notice"],
        "error": state["error"],
        "receipt": state["receipt"],
        "retries": state["retries"],
        "offers": state["offers"] if ended else None,
        "opening": list(record.opening),
        "repairs": repairs,
        "steps": steps,
        "calls": calls,
    }


def _json_of(wire: Any) -> Any:
    """A chunk or a content as it is; of what is no JSON (somebody else's may hold anything), what was shown of it."""
    try:
        json.dumps(wire)
    except (TypeError, ValueError, RecursionError):
        return clean(wire)
    return wire


def _as_left_behind(fields: Json, waiting: bool) -> Json:
    """A call as another kernel can take it over: what was running has no result, what waited may go on waiting."""
    if fields["state"] == "running" or (not waiting and not is_terminal(CALL_TABLE, fields["state"])):
        ran = fields["state"] == "running"
        words = _INTERRUPTED if ran else None
        answer = {"error": words} if words else None
        return fields | {"state": "failed" if ran else "cancelled", "error": words, "result": answer}
    return fields


# -- reading ----------------------------------------------------------------------------------------------------------


def restore(saved: Json, record: Record, offers: Callable[[str], list[str]]) -> None:
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


def _restore_call(call_id: str, fields: Json, record: Record) -> None:
    part = record.state.call_part(call_id)
    if part is None:
        return
    decision = None if fields["decision"] is None else Decision(**fields["decision"])
    if decision is not None:
        record.state.count_on_from(decision.otid)
    record.publish([CallStateChanged(call_id, part.index, fields["state"], fields | {"decision": decision})])


def _restore_end(saved: Json, record: Record, offers: Callable[[str], list[str]]) -> None:
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
