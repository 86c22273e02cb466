"""Driver: carries one run out on its loop, until it has ended.

A run is two tasks. The *pump* (pump.py) reads the source and does nothing else. The *driver* takes the chunks from its
queue, has them recorded, lets the calls they ask for be settled (calls.py), and decides when the run is over. Stop
cancels the pump, never the driver: the driver sees the pump end and writes the one terminal event. A cancellation that
does reach the driver comes from outside; it ends the run and is passed on.

The record changes on the run's loop only. `stop` may be called from any thread at any time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass

from .._redact import words_of
from .._stream.events import CallStateChanged, RetryScheduled, RulesChanged, RunEnded, RunStarted, RunStateChanged
from .._stream.machine import CALL_TABLE, RUN_TABLE, is_terminal, next_state
from .._stream.outcome import failure_of, notice_of
from .._stream.parts import ToolCall
from .._stream.record import Record
from .._stream.values import Receipt, Retry, StoppedBy
from .._tools.policy import Choice, Policy, RuleBook
from .._tools.tool import ToolSet
from ..errors import DecisionRefused, GemstreamError, RunFailed, SourceError, StreamStalled
from .calls import Acting
from .loops import call_on, running_loop
from .pump import Pump
from .retry import retry_wait_s
from .source import Request, Source

__all__ = ["Driver", "Options"]


_log = logging.getLogger(__name__)
_going: set[Driver] = set()  # a task nobody holds may be collected in the middle of its work

_BREATH_S = 0.008
"""How long the driver may work through a full queue before others on the loop get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run is carried out: whom it asks, what it may call, and its limits. Chat's docstring tells of each."""

    source: Source
    tools: ToolSet
    rules: RuleBook
    approve: Policy
    approval_timeout_s: float | None
    tool_timeout_s: float | None
    max_steps: int
    retries: int
    idle_timeout_s: float | None
    grace_s: float


@dataclass(frozen=True, slots=True)
class _Stop:
    by: StoppedBy
    asked_s: float
    when: str


class Driver:
    """Carries out the run that `record` tells of. Made anywhere; from `start` on it lives on one loop.

    `request` gives the next request. `about_to_end` is told the state the run is about to end in, with the record's
    `error` in place, and gives what a reader is offered then.
    """

    def __init__(
        self,
        record: Record,
        options: Options,
        *,
        request: Callable[[], Request],
        about_to_end: Callable[[str], list[str]],
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop the run lives on, once it is started."""
        self.cancel_event = threading.Event()
        """Set by the first `stop`, for good."""
        self._record = record
        self._options = options
        self._request = request
        self._about_to_end = about_to_end
        self._task: asyncio.Task[None] | None = None
        self._pump: Pump | None = None
        self._acting: Acting | None = None
        self._failed_attempts = 0  # of the request that is going
        self._resting: asyncio.Future[None] | None = None  # until the next attempt
        self._stop: _Stop | None = None
        self._patience: asyncio.TimerHandle | None = None  # until the run goes on without a child that does not end

    # -- driving ----------------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on `loop`; called once, from any thread. What the run prints goes to the cell that called this."""
        self.loop = loop
        _going.add(self)
        context = copy_context()

        def begin() -> None:
            self._task = loop.create_task(self._drive(), name=f"gemstream run {self._record.id}", context=context)
            self._task.add_done_callback(self._over)

        if running_loop() is loop:
            begin()
        else:
            loop.call_soon_threadsafe(begin, context=context)

    async def _drive(self) -> None:
        record = self._record
        try:
            if self._stop is not None:
                self._end_cancelled()
                return
            if record.status == "pending":
                record.publish([RunStarted(record.now())])
                self._move("started")
            while record.status in ("streaming", "acting"):  # a restored run begins with its calls
                if record.status == "acting":
                    await self._act()
                elif self._failed_attempts and not await self._rested():
                    self._end_cancelled()
                else:
                    await self._step()
        except asyncio.CancelledError:
            if self._stop is None:
                self._stop = self._asked_by("interrupt")
                self.cancel_event.set()
            await self._leave_children()
            self._end_cancelled()
            raise
        except Exception as error:  # a fault of ours must still end the run, in the open
            _log.exception("run %s broke", record.id)
            await self._leave_children()
            if self._stop is not None:
                self._end_cancelled()
            else:
                self._end_failed(_foreign(error, title="Something broke in the run"))

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # seen: it was logged where it was raised
        self._end_cancelled()  # a task cancelled before its first step never ran at all

    async def _step(self) -> None:
        """One request and its stream, and what follows from how it ended."""
        record = self._record
        record.begin_step(record.now())
        name = f"gemstream pump {record.id}"
        self._pump = Pump(self._options.source, self._request(), now=record.now, name=name)
        error = await self._read(self._pump)
        if error is not None:
            await self._leave_children()
        self._end_step(self._pump, error)

    async def _read(self, pump: Pump) -> RunFailed | None:
        """Take chunks until the pump has ended."""
        idle_timeout_s = self._options.idle_timeout_s
        began = time.monotonic()
        while True:
            try:
                item = await pump.take(idle_timeout_s)
            except TimeoutError:
                return StreamStalled(f"No chunk came for {idle_timeout_s:g} s.")
            if item is None:
                return None
            at_s, chunk = item
            try:
                self._record.add_chunk(chunk, at_s)
            except RunFailed as error:  # an error object in the stream
                return error
            if time.monotonic() - began > _BREATH_S:  # a full queue never suspends: let others have the loop
                await asyncio.sleep(0)
                began = time.monotonic()

    def _end_step(self, pump: Pump, error: RunFailed | None) -> None:
        """Close the step, and decide what follows."""
        record = self._record
        cut = record.status == "cancelling"
        if error is None and not cut and (raised := pump.raised) is not None:
            if isinstance(raised, asyncio.CancelledError):
                error = SourceError("The source cancelled its own stream.")
            else:
                error = raised if isinstance(raised, RunFailed) else _foreign(raised)
        record.end_step(record.now(), "stopped" if cut else "error" if error is not None else None)
        step = record.state.steps[-1]
        error = error or (None if cut else failure_of(step))
        if cut:
            self._end_cancelled()
        elif error is not None:
            if not self._will_retry(error):
                self._end_failed(error)
            return
        elif record.calls:
            self._move("ended_with_calls")
        else:
            self._end("ended", notice=notice_of(step, content=bool(record.state.parts_of(step.index))))
        self._failed_attempts = 0

    def _will_retry(self, error: RunFailed) -> bool:
        """Decide for another attempt, where nothing of the answer came and it is of use; and tell when it begins."""
        record, retries = self._record, self._options.retries
        step, attempt = record.state.steps[-1].index, self._failed_attempts + 1
        if attempt > retries or record.state.parts_of(step):
            return False
        wait_s = retry_wait_s(error, attempt)
        if wait_s is None:
            return False
        self._failed_attempts = attempt
        now = record.now()
        retry = Retry(step, attempt, retries + 1, error.title, error.message, now, round(now + wait_s, 6))
        record.publish([RetryScheduled(retry)])
        return True

    async def _rested(self) -> bool:
        """Wait for the next attempt; False where a Stop came first."""
        self._resting = resting = asyncio.get_running_loop().create_future()
        if self._stop is None:
            until_s = self._record.state.retries[-1].until_s
            await asyncio.wait({resting}, timeout=max(0.0, until_s - self._record.now()))
        return self._stop is None

    async def _act(self) -> None:
        """Have the calls of the step that just ended settled, and decide what follows."""
        record, options = self._record, self._options
        calls = record.calls
        theirs = [p for p in calls if options.tools.hands_over(p.call.name)]
        ours = [p for p in calls if p not in theirs and not is_terminal(CALL_TABLE, p.call.state)]
        if ours and self._stop is None:
            self._acting = Acting(
                ours,
                run=record.id,
                tools=options.tools.ours,
                policy=options.approve,
                rules=options.rules,
                approval_timeout_s=options.approval_timeout_s,
                tool_timeout_s=options.tool_timeout_s,
                stopped=self.cancel_event.is_set,
                publish=record.publish,
                now=record.now,
                otid=record.state.next_otid,
            )
            await self._acting.settled()
        if self._stop is not None:
            self._end_cancelled()
        elif theirs:
            self._end("handed_over", stopped_by="calls")
        elif len(record.state.steps) - len(record.state.retries) >= options.max_steps:
            self._end("max_steps", stopped_by="max_steps")
        else:
            self._move("calls_done")

    def _move(self, event: str) -> None:
        self._record.publish([RunStateChanged(next_state(RUN_TABLE, self._record.status, event))])

    # -- children: the pump while the run streams, the calls while it acts ------------------------------------------

    def _children(self) -> list[Pump | Acting]:
        """Those that are going."""
        return [child for child in (self._pump, self._acting) if child is not None and not child.task.done()]

    async def _leave_children(self) -> None:
        """Cancel them, give them their time to end, and go on without those that do not."""
        children = self._children()
        for child in children:
            child.task.cancel()
        if children:
            await asyncio.wait({child.task for child in children}, timeout=self._options.grace_s)
        self._give_up()

    def _give_up(self) -> None:
        """The grace time is over: go on without the child that does not end."""
        for child in self._children():
            child.leave()

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self, by: StoppedBy) -> bool:
        """Stop the run. From any thread; True if this was the first to ask and the run had not ended."""
        with self._record.lock:
            if self._stop is not None or self._record.done:
                return False
            self._stop = self._asked_by(by)
            self.cancel_event.set()
        if self.loop is not None:
            try:
                self.loop.call_soon_threadsafe(self._on_stop)
            except RuntimeError:  # the loop is closed, and with it every connection the run had
                self._end_cancelled()
        return True

    def notice_closed_loop(self) -> None:
        """A loop that was closed under the run took its connection along: nobody else will end it."""
        if self.loop is not None and self.loop.is_closed():
            self._end_cancelled()

    def _asked_by(self, by: StoppedBy) -> _Stop:
        return _Stop(by, self._record.now(), self._moment())

    def _moment(self) -> str:
        steps = self._record.state.steps
        if not steps:
            return "before the request"
        if steps[-1].ended_s is not None:
            return "between steps"
        return "before the first chunk" if steps[-1].first_chunk_s is None else "mid-stream"

    def _on_stop(self) -> None:
        """On the run's loop: cut the stream or the tools that are going. Before them the driver sees `_stop` itself."""
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)
        children = self._children()
        if not children or self._record.status not in ("streaming", "acting"):
            return
        self._move("stop")
        for child in children:
            child.task.cancel()
        self._patience = asyncio.get_running_loop().call_later(self._options.grace_s, self._give_up)

    # -- deciding ---------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> list[ToolCall]:
        """The calls that wait for a decision. From any thread."""
        if self._acting is None or self._stop is not None:
            return []
        with self._record.lock:
            return [call for call in self._record.state.tool_calls if call.state == "awaiting_approval"]

    def decide(self, call_id: str, choice: Choice) -> None:
        """Do with a pending call what somebody chose. From any thread; raises DecisionRefused."""

        def decide() -> None:
            record, refused = self._record, f"Call {call_id} is not waiting for a decision"
            if self._stop is not None:
                raise DecisionRefused(f"{refused}: run {record.id} was stopped.")
            if self._acting is None or record.status != "acting":
                raise DecisionRefused(f"{refused}: run {record.id} is {record.status}.")
            self._acting.decide(call_id, choice)

        call_on(self.loop, decide)

    def revoke(self, rule_id: str) -> bool:
        """Take back a rule that a decision made; False where there is none. From any thread."""

        def revoke() -> bool:
            record, rules = self._record, self._options.rules
            found = rules.revoke(rule_id)
            if found and not record.done:
                record.publish([RulesChanged(rules.shown_in(record.id))])
            return found

        return call_on(self.loop, revoke)

    # -- ending -----------------------------------------------------------------------------------------------------

    def _end_failed(self, error: RunFailed) -> None:
        record = self._record
        if record.done:
            return
        self._close_step("error")
        record.error = error
        if self._failed_attempts:
            error.add_note(f"It was tried {self._failed_attempts + 1} times.")
        self._close_calls()
        self._end("failed", error=error)

    def _end_cancelled(self) -> None:
        """End as cancelled, with the receipt. Also where the driver never got to run."""
        record = self._record
        if record.done:
            return
        stop = self._stop or self._asked_by("interrupt")
        self._close_step("stopped")
        if record.status in ("streaming", "acting"):
            self._move("stop")
        self._close_calls()
        pump = self._pump
        receipt = Receipt(
            by=stop.by,
            when=stop.when,
            asked_s=stop.asked_s,
            closed_s=pump.ended_s if pump is not None and pump.began and stop.when != "between steps" else None,
            chunks_after=record.chunks.arrived_since(stop.asked_s),
            tokens=record.state.usage.total_token_count,
        )
        self._end("stop" if record.status == "pending" else "children_ended", receipt=receipt)

    def _close_step(self, outcome: str) -> None:
        """No step stays open in a run that was cut."""
        steps = self._record.state.steps
        if steps and steps[-1].ended_s is None:
            self._record.end_step(self._record.now(), outcome)

    def _close_calls(self) -> None:
        """No call stays open in a run that was cut."""
        self._record.publish(
            CallStateChanged(p.call.id, p.index, next_state(CALL_TABLE, p.call.state, "stop"))
            for p in self._record.state.open_calls()
        )

    def _end(
        self,
        event: str,
        *,
        stopped_by: str | None = None,
        notice: dict[str, str] | None = None,
        error: RunFailed | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        """Write the one terminal event."""
        record = self._record
        state = next_state(RUN_TABLE, record.status, event)
        offers = self._about_to_end(state)  # which may also give the error a better hint
        told = None if error is None else error.to_json()
        _going.discard(self)
        if self._patience is not None:
            self._patience.cancel()
        record.end(RunEnded(record.now(), state, stopped_by, notice, told, receipt, offers))


def _foreign(error: BaseException, title: str | None = None) -> RunFailed:
    """An error of somebody else's as one of ours."""
    if isinstance(error, GemstreamError):
        return SourceError(str(error), title="The request could not be made", hint="")
    return SourceError(words_of(error), title=title)
