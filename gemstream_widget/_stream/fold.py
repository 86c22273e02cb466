"""The fold: a journal's entries to events, and with them to the state.

The one reading of a journal. A live run is folded as its entries come; a reader who comes late, a loaded chat and a
recording fold the same entries again, and come to the same events, otids and state.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ..errors import RunFailed
from . import entries
from .chunks import Chunk, Frame
from .decode import Decoder
from .events import (
    CallStateChanged,
    Event,
    HopStarted,
    Printed,
    PromptChanged,
    RetryScheduled,
    RulesChanged,
    RunEnded,
    RunStarted,
    RunStateChanged,
    StepDetail,
)
from .machine import CALL_TABLE, RUN_TABLE, next_state
from .outcome import failure_of, repairs_notice
from .parts import CallPart, Decision
from .reducer import apply
from .state import State
from .values import TAKEN_BACK, Receipt, Retry, StopAsked

__all__ = ["Fold"]

_BROKEN = ("failed", "cancelled")
_WELL = ("completed", "truncated", "calls")  # outcomes of a step after which its run goes on or ends well


class Fold:
    """A state that follows the entries of a journal. `take` them in order, and apply the events it gives one by one.

    `id` is what the run is called here: its number in this kernel, not the journal's own.
    """

    def __init__(self, header: entries.Header, id: str) -> None:
        self.state = State(
            run=id,
            model=header.model,
            demo=header.demo,
            prompt=header.prompt,
            started_at=header.started_at,
            attachments=header.attachments,
            status="queued" if header.queued else "pending",
        )
        self.error: RunFailed | None = None
        """What made the run fail."""
        self.repairs: tuple[str, ...] = ()
        """The codes of the repairs that the offer "repair" stands for."""
        self._decoder = Decoder()
        self._is_read = False  # frames mean something: a step is open, and no error object came
        self._failure: RunFailed | None = None
        self._offered: tuple[str, ...] = ()  # the names of the functions that the last request declared
        self._done: list[str] = []  # repairs of requests on their way out
        self._chunks_after = 0  # those that arrived after a Stop was asked for

    def opening(self) -> list[Event]:
        """What a reader of events is told before anything has happened."""
        return [RunStateChanged("queued")] if self.state.status == "queued" else []

    def events(self, entry: entries.Entry) -> list[Event]:
        """The events of the next entry. They are not applied yet."""
        read = _READ.get(type(entry))
        return [] if read is None else read(self, entry)

    def frame(self, wire: Any, number: int, at_s: float, raw: Frame | None = None) -> list[Event]:
        """The events of the next chunk. Where it holds an error object, that is `failure` from now on."""
        if self.state.stop is not None and at_s >= self.state.stop.asked_s:
            self._chunks_after += 1
        if not self._is_read or (raw is not None and wire is None):
            return []
        if raw is not None and isinstance(wire, str):
            return self._decoder.unreadable(wire)
        try:
            return self._decoder.push(wire, number, at_s)
        except RunFailed as error:
            self._failure, self._is_read = error, False
            return []

    def take(self, item: entries.Entry | Chunk) -> list[Event]:
        """The events of what a Cursor gave, applied."""
        if isinstance(item, Chunk):
            events = self.frame(item.wire, item.number, item.at_s, item.raw)
        else:
            events = self.events(item)
        apply(self.state, *events)
        return events

    @property
    def stream_error(self) -> RunFailed | None:
        """The error object that the stream of the step that is open brought."""
        return self._failure

    @property
    def failure(self) -> RunFailed | None:
        """What the last step's stream tells of a failure: an error object in it, or how it ended."""
        if self._failure is None and self.state.steps:
            step = self.state.steps[-1]
            called = [part.call.name for part in self.state.calls.values() if part.step == step.index]
            self._failure = failure_of(step, called, self._offered)
        return self._failure

    @property
    def calls(self) -> list[CallPart]:
        """The calls of the last step that its stream left to be answered, in order."""
        last = len(self.state.steps) - 1
        parts = (part for part in self.state.calls.values() if part.step == last)
        return [part for part in parts if part.call.name and not part.call.model_side]

    # -- entry by entry ---------------------------------------------------------------------------------------------

    def _turn(self, entry: entries.Turn) -> list[Event]:
        self.state.timing.started_at = entry.started_at
        changed = [] if entry.prompt is None else [PromptChanged(entry.prompt)]
        return [*changed, *self._moved("turn")]

    def _move(self, entry: entries.Move) -> list[Event]:
        begun: list[Event] = [RunStarted(entry.at_s)] if entry.event == "started" else []
        return [*begun, *self._moved(entry.event)]

    def _moved(self, event: str) -> list[Event]:
        return [RunStateChanged(next_state(RUN_TABLE, self.state.status, event))]

    def _request(self, entry: entries.Request) -> list[Event]:
        self._failure, self._is_read = None, True
        if entry.config is not None:  # None: as before
            self._offered = tuple(map(str, entry.config.get("tools") or ()))
        return self._decoder.begin(len(self.state.steps), entry.at_s)

    def _hop(self, entry: entries.Hop) -> list[Event]:
        self._decoder.hop()
        return [HopStarted(self.state.steps[-1].index, entry.at_s)]

    def _response(self, entry: entries.Response) -> list[Event]:
        return [StepDetail(self.state.steps[-1].index, "reading", entry.reading)]

    def _repair(self, entry: entries.Repair) -> list[Event]:
        self._done += entry.done
        return []

    def _stream_end(self, entry: entries.StreamEnd) -> list[Event]:
        self._is_read = False
        return self._decoder.end(entry.at_s, entry.outcome)

    def _retry(self, entry: entries.Retry) -> list[Event]:
        step = self.state.steps[-1].index
        attempt = self.state.attempts_before(step) + 1
        told = (entry.title, entry.message, entry.at_s, entry.until_s)
        return [RetryScheduled(Retry(step, attempt, entry.of, *told))]

    def _tool(self, entry: entries.Tool) -> list[Event]:
        part = self._part(entry.call)
        fields = {"doc": entry.doc, "schema": deepcopy(entry.schema)}
        return [CallStateChanged(entry.call, part.index, part.call.state, fields)]

    def _ask(self, entry: entries.Ask) -> list[Event]:
        fields = {"hash": entry.hash, "deadline_s": entry.deadline_s, "error": entry.reason}
        return self._call_moved(entry.call, "ask", fields)

    def _decide(self, entry: entries.Decide) -> list[Event]:
        call = self._part(entry.call).call
        approved = entry.event in ("approve", "auto")
        decision = Decision(
            call=entry.call,
            otid=self.state.last_otid + 1,  # which is given when the event is applied
            verdict="approved" if approved else "denied",
            by=entry.by,
            reason=entry.reason,
            edited=approved and entry.args is not None and entry.args != call.live_args,
            scope=entry.scope,
            at_s=entry.at_s,
        )
        fields: dict[str, Any] = {"decision": decision, "hash": None, "deadline_s": None}
        if approved:
            fields |= {"used_args": call.args if entry.args is None else deepcopy(entry.args), "started_s": entry.at_s}
        else:
            fields |= {"result": entry.result, "ended_s": entry.at_s}
        return self._call_moved(entry.call, entry.event, fields)

    def _refuse(self, entry: entries.Refuse) -> list[Event]:
        fields = {"error": entry.error, "result": entry.result, "ended_s": entry.at_s}
        return self._call_moved(entry.call, "refused", fields)

    def _result(self, entry: entries.Result) -> list[Event]:
        fields = {"error": entry.error, "result": entry.result, "ended_s": entry.at_s}
        more = {"display": entry.display, "traceback": entry.traceback}
        known = {name: value for name, value in more.items() if value is not None}
        return self._call_moved(entry.call, entry.event, fields | known)

    def _print(self, entry: entries.Print) -> list[Event]:
        return [Printed(entry.call, self._part(entry.call).index, entry.text)]

    def _rules(self, entry: entries.Rules) -> list[Event]:
        return [RulesChanged(entry.rules)]

    def _stop(self, entry: entries.Stop) -> list[Event]:
        self.state.stop = StopAsked(entry.by, entry.at_s, self.state.moment)
        return []

    def _end(self, entry: entries.End) -> list[Event]:
        state = self.state
        ended = next_state(RUN_TABLE, state.status, entry.event)
        if ended == "failed":
            self.error = entry.error or self.failure
            self._note_attempts()
        if self.error is not None and entry.offers.hint is not None:
            self.error.hint = entry.offers.hint
        self.repairs = tuple(entry.offers.repairs)
        closed = [
            CallStateChanged(p.call.id, p.index, next_state(CALL_TABLE, p.call.state, "stop"))
            for p in (state.open_calls() if ended in _BROKEN else ())  # no call stays open in a run that was cut
        ]
        error = None if self.error is None else self.error.to_json()
        receipt = self._receipt(entry) if ended == "cancelled" else None
        return [
            *closed,
            RunEnded(entry.at_s, ended, entry.stopped_by, self._notice(entry), error, receipt, entry.offers.names),
        ]

    def _notice(self, entry: entries.End) -> dict[str, str] | None:
        """What a reader should know of the run: how it ended, and what was mended in its requests."""
        mended = repairs_notice(self._done) if self._done else None
        if entry.notice is None or mended is None:
            return entry.notice or mended
        return {**entry.notice, "message": f"{entry.notice['message']} {mended['title']}: {mended['message']}"}

    def _note_attempts(self) -> None:
        """Where it was the last request that failed, the error says how often it was tried."""
        step = self.state.steps[-1] if self.state.steps else None
        if self.error is None or step is None or step.outcome in _WELL:
            return
        note = f"It was tried {self.state.attempts_before(step.index) + 1} times."
        is_new = note not in getattr(self.error, "__notes__", ())  # others who read the journal hold the same error
        if self.state.attempts_before(step.index) and is_new:
            self.error.add_note(note)

    def _receipt(self, entry: entries.End) -> Receipt | None:
        stop = self.state.stop
        if stop is None or entry.stopped_by == TAKEN_BACK:
            return None
        return Receipt(
            by=stop.by,
            when=stop.when,
            asked_s=stop.asked_s,
            closed_s=entry.closed_s,
            chunks_after=self._chunks_after,
            tokens=self.state.usage.total_token_count,
        )

    # -- one call ---------------------------------------------------------------------------------------------------

    def _part(self, call: str) -> CallPart:
        return self.state.calls[call]

    def _call_moved(self, call: str, event: str, fields: dict[str, Any]) -> list[Event]:
        part = self._part(call)
        return [CallStateChanged(call, part.index, next_state(CALL_TABLE, part.call.state, event), fields)]


_READ: dict[type, Callable[[Fold, Any], list[Event]]] = {
    entries.Turn: Fold._turn,
    entries.Move: Fold._move,
    entries.Request: Fold._request,
    entries.Hop: Fold._hop,
    entries.Repair: Fold._repair,
    entries.Response: Fold._response,
    entries.StreamEnd: Fold._stream_end,
    entries.Retry: Fold._retry,
    entries.Tool: Fold._tool,
    entries.Ask: Fold._ask,
    entries.Decide: Fold._decide,
    entries.Refuse: Fold._refuse,
    entries.Result: Fold._result,
    entries.Print: Fold._print,
    entries.Rules: Fold._rules,
    entries.Stop: Fold._stop,
    entries.End: Fold._end,
}
