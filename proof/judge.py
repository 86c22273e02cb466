"""What must hold after any Stop, whenever it came: one list of faults per claim of docs/reliability.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import gemstream_widget as gem
from gemstream_widget._request.rules import violations
from gemstream_widget._stream.events import Event, RunEnded
from gemstream_widget._stream.parts import TextPart
from gemstream_widget._stream.patch import apply_ops
from gemstream_widget._stream.readers import PatchReader
from gemstream_widget.server import RequestRecord

from .scenes import Scene

__all__ = ["LATEST_CLOSE_S", "Stopped", "Watcher", "answered_once", "closed", "kept", "once", "unstarted"]

LATEST_CLOSE_S = 1.0
_SLACK_S = 0.6  # two shared cores: for what should take milliseconds
_WHEN = ("before the request", "before the first chunk", "mid-stream", "between hops", "between steps")


class Watcher:
    """Follows a run as a card does: folds its patches over the first snapshot, and reads its events."""

    def __init__(self, run: gem.Run) -> None:
        self.run = run
        self.feed: PatchReader = run._feed()
        self.page = _plain(self.feed.snapshot()["state"])
        self.events: list[Event] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.run:
            self.events.append(event)

    async def over(self) -> None:
        """Wait for the last event, and take over what a page would have been told."""
        await asyncio.wait_for(self._reading, 5)
        self.fold()

    def fold(self) -> int:
        """Take what waits; how many patches that were."""
        messages = self.feed.take()
        for message in messages:
            apply_ops(self.page, _plain(message["ops"]))
        return len(messages)


@dataclass(slots=True)
class Stopped:
    """One run with its Stop. Moments are `time.perf_counter()` seconds; `said` is what each call of `stop` returned."""

    scene: Scene
    run: gem.Run
    watcher: Watcher
    asked: float
    asked_all: float
    ended: float
    said: Sequence[bool]
    by: str
    started: Sequence[float]
    records: Sequence[RequestRecord] = field(default=())


def once(s: Stopped) -> list[str]:
    """S1, S2, S7, S9: the run ended, once, as the last thing told, in time, and says how."""
    run, events = s.run, s.watcher.events
    faults = []
    ends = [n for n, event in enumerate(events) if isinstance(event, RunEnded)]
    if ends != [len(events) - 1]:
        faults.append(f"terminal events at {ends} of {len(events)}")
    if run.status not in ("cancelled", s.scene.ends):
        faults.append(f"the run is {run.status}: {run.error}")
    took = s.ended - s.asked_all
    if took > s.scene.grace_s + _SLACK_S:
        faults.append(f"the run ended {took:.2f} s after the Stop, with {s.scene.grace_s} s of grace")
    if s.said.count(True) > 1 or (run.status == "cancelled" and s.said.count(True) != 1):
        faults.append(f"a {run.status} run's calls of stop returned {list(s.said)}")
    receipt = run.receipt
    if run.status != "cancelled":
        return [*faults, "a receipt without a Stop"] if receipt is not None else faults
    ended_s = run.timing.ended_s
    if receipt is None or ended_s is None:
        return [*faults, "no receipt, or no end"]
    if receipt.by != s.by or receipt.when not in _WHEN:
        faults.append(f"receipt: by {receipt.by!r}, when {receipt.when!r}")
    if not 0 <= receipt.asked_s <= ended_s:
        faults.append(f"receipt: asked at {receipt.asked_s}, ended at {ended_s}")
    if receipt.closed_s is not None and not receipt.closed_s <= ended_s:
        faults.append(f"receipt: closed at {receipt.closed_s}, ended at {ended_s}")
    if not 0 <= receipt.chunks_after <= len(run.chunks) or receipt.tokens != run.usage.total_token_count:
        faults.append(f"receipt: {receipt.chunks_after} of {len(run.chunks)} chunks after, {receipt.tokens} tokens")
    return faults


def kept(s: Stopped) -> list[str]:
    """S4, S7, S8: what came is kept, is the beginning of what was to come, and is the same wherever it is read."""
    run = s.run
    faults = []
    for thought, whole, read in ((False, s.scene.text, run.text), (True, s.scene.thoughts, run.thoughts)):
        texts = {
            "text": read,
            "chunks": _said((c.wire for c in run.chunks), thought=thought),
            "parts": "".join(p.text for p in run.parts if isinstance(p, TextPart) and p.thought is thought),
            "snapshot": _shown(run.snapshot(), thought=thought),
            "page": _shown(s.watcher.page, thought=thought),
        }
        if not thought:
            texts["contents"] = _sent(run.contents())
        if len(set(texts.values())) != 1:
            faults.append(f"read differently: {texts}")
        if not whole.startswith(read) or (run.status != "cancelled" and read != whole):
            faults.append(f"kept {read[-40:]!r} of {whole!r}")
    if s.watcher.page != _plain(run.snapshot()):
        faults.append("the page's state differs from the snapshot")
    if run.contents()[0]["parts"] != run.snapshot()["prompt"][0]["parts"]:
        faults.append("the prompt is not kept")
    return faults


def unstarted(s: Stopped) -> list[str]:
    """S6: no tool began after the Stop."""
    if s.run.status != "cancelled":
        return []
    late = [at - s.asked_all for at in s.started if at > s.asked_all]
    return [f"a tool began {1000 * at:.2f} ms after the Stop" for at in late]


async def closed(records: Iterable[RequestRecord]) -> list[str]:
    """S1: the server saw the end of each request, and sent nothing after it saw the client hang up."""
    faults = []
    for record in records:
        if record.outcome is None:
            await asyncio.to_thread(record.wait_done, LATEST_CLOSE_S)
        if record.outcome not in ("client closed", "answered", "refused"):
            faults.append(f"request {record.number}: {record.outcome or 'still open'} after {LATEST_CLOSE_S} s")
        at = record.client_closed_at
        if record.chunks_after_close or (at is not None and record.chunks_since(at)):
            faults.append(f"request {record.number}: the server sent on after the client had hung up")
    return faults


def answered_once(chat: gem.Chat) -> list[str]:
    """S8: every call in the history has exactly one response, right after it, and Gemini's rules allow a next turn."""
    faults = []
    history = chat.history
    for place, content in enumerate(history):
        calls = _names(content, "functionCall")
        following = history[place + 1] if place + 1 < len(history) else {"parts": []}
        if calls and (answers := _names(following, "functionResponse")) != calls:
            faults.append(f"calls {calls} are answered by {answers}")
    asked = sum(len(_names(content, "functionCall")) for content in history)
    given = sum(len(_names(content, "functionResponse")) for content in history)
    if asked != given:
        faults.append(f"{asked} calls and {given} responses")
    body = {"contents": [*history, {"role": "user", "parts": [{"text": "next"}]}]}
    return faults + [f"Gemini would refuse: {violation.message}" for violation in violations(body, model=chat.model)]


def _names(content: Any, kind: str) -> list[str]:
    return [part[kind].get("name", "") for part in content["parts"] if kind in part]


def _said(chunks: Iterable[Any], *, thought: bool) -> str:
    parts = (p for c in chunks for x in c.get("candidates", ()) for p in x.get("content", {}).get("parts") or ())
    return "".join(p["text"] for p in parts if "text" in p and bool(p.get("thought")) is thought)


def _shown(state: Any, *, thought: bool) -> str:
    kind = "thought" if thought else "text"
    return "".join(part["text"] for part in state["parts"] if part["kind"] == kind)


def _sent(contents: Iterable[Any]) -> str:
    parts = (part for content in contents if content["role"] == "model" for part in content["parts"])
    return "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
