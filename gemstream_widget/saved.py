"""A chat in a file, and back: in another kernel, on another machine, pending approvals included.

The file is JSON. A run is kept as its own chunks with their arrivals and what was decided and returned for its calls;
reading it (restore.py) decodes the chunks again, so that parts, signatures and the history come out as they were.
Functions, policies, clients and rules stay behind: they are given anew to `load_chat`. No key is ever in the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .chat import Chat
from .clean import clean
from .errors import RecordingError
from .machine import CALL_TABLE, RUN_TABLE, is_terminal
from .model import Wire
from .run import Run

__all__ = ["load_chat", "save_chat"]

FORMAT = "gemstream chat 2"
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
_INTERRUPTED = "The kernel ended while the tool ran; nobody knows what it did."


def save_chat(chat: Chat, path: str | Path) -> None:
    """Write a chat to a file. A run that is streaming is written as stopped at this point; one whose calls wait for a
    decision goes on waiting when it is loaded.
    """
    document = {
        "format": FORMAT,
        "model": chat.model,
        "system": chat.system,
        "history": chat.earlier,
        "first": chat.first,
        "runs": [_run_to_json(run) for run in chat.runs],
    }
    Path(path).write_text(json.dumps(document, indent=1, default=str) + "\n", encoding="utf-8")


def load_chat(path: str | Path, *, tools: Iterable[Any] = (), **options: Any) -> Chat:
    """The chat that `Chat.save` wrote; `tools` and `options` are those of Chat. Where its last run waited for decisions
    it waits again, which needs a running event loop or `runner="thread"`. Raises RecordingError for any other file.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise RecordingError(f"{path} is {document['format']!r}; this version reads {FORMAT!r}.")
        chat = Chat(**{"model": document["model"], "system": document["system"], "tools": tools} | options)
        chat.restore(document["history"], document["runs"], document["first"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path} is not a saved chat: {type(error).__name__}: {error}.") from error
    return chat


def _run_to_json(run: Run) -> Wire:
    state = run.snapshot()
    waiting = state["status"] == "acting" and bool(run.pending)
    ended = is_terminal(RUN_TABLE, state["status"])
    steps = []
    for step in state["steps"]:
        chunks = [[c.at_s, _json_of(c.wire)] for c in run.chunks if c.step == step["index"]]
        open_step = step["ended_s"] is None
        ended_s = run.now_s if open_step else step["ended_s"]
        outcome = "stopped" if open_step else step["outcome"]
        about = {"index": step["index"], "started_s": step["started_s"], "ended_s": ended_s, "outcome": outcome}
        steps.append({**about, "chunks": chunks})
    calls = {}
    for part in state["parts"]:
        if part["kind"] == "call":
            fields = {name: part["call"][name] for name in _CALL_FIELDS}
            calls[part["call"]["id"]] = fields if ended else _settled(fields, waiting)
    return {
        "prompt": state["prompt"],
        "started_at": run.timing.started_at,
        "now_s": run.now_s,
        "status": state["status"] if ended else "acting" if waiting else "cancelled",
        "stopped_by": state["stopped_by"],
        "ended_s": state["ended_s"] if ended or waiting else run.now_s,
        "notice": state["notice"],
        "error": state["error"],
        "receipt": state["receipt"],
        "retries": state["retries"],
        "offers": state["offers"] if ended else None,
        "opening": run.opening,
        "repairs": run.repairs,
        "steps": steps,
        "calls": calls,
    }


def _json_of(wire: Any) -> Any:
    """A chunk as it came; of what is no JSON (somebody else's stream may hold anything), what was shown of it."""
    try:
        json.dumps(wire)
    except (TypeError, ValueError, RecursionError):
        return clean(wire)
    return wire


def _settled(fields: Wire, waiting: bool) -> Wire:
    """A call as another kernel can take it over: what was running has no result, what waited may go on waiting."""
    if fields["state"] == "running" or (not waiting and not is_terminal(CALL_TABLE, fields["state"])):
        ran = fields["state"] == "running"
        words = _INTERRUPTED if ran else None
        answer = {"error": words} if words else None
        return fields | {"state": "failed" if ran else "cancelled", "error": words, "result": answer}
    return fields
