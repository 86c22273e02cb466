"""Driver: carries one run out on its loop, until it has ended.

A run is two tasks. The *pump* (pump.py) reads the source and does nothing else. The *driver* takes the chunks from its
queue, has them recorded, has the calls they ask for run (calls.py), and decides when the run is over. Stop cancels the
pump, never the driver: the driver sees the pump end and writes the one terminal event. A cancellation that does reach
the driver comes from outside; it ends the run and is passed on.

The record changes on the run's loop only, save where that loop is closed: then whoever notices ends the run. `stop` may
be called from any thread at any time.
"""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import replace

from .._interrupts import pass_on
from .._plain import Json, Wire
from .._redact import words_of
from .._stream import entries
from .._stream.chunks import Frame
from .._stream.machine import CALL_TABLE, RUN_TABLE, is_terminal, next_state
from .._stream.outcome import PAUSED, notice_of
from .._stream.parts import ToolCall
from .._stream.record import Record
from .._stream.values import NOT_SENT, TAKEN_BACK, Offers, StoppedBy
from .._tools.policy import Choice, RuleBook
from ..errors import (
    DecisionRefused,
    GemstreamError,
    RunFailed,
    SourceError,
    StopDelayed,
    StreamStalled,
    StreamTruncated,
    TokenLimitReached,
)
from .attempts import Attempts
from .calls import Calls
from .loops import call_on, running_loop
from .options import Options
from .pump import Pump
from .source import BREATH_S, Request, Source
from .stopping import Stopping
from .turn import Turn

__all__ = ["Driver"]

_log = logging.getLogger(__name__)


class Driver:
    """Carries out the run that `record` tells of. Made anywhere; from `start` on it lives on one loop.

    `rules` are the chat's. `source` is asked with what `request` gives, after `check`, which raises TokenLimitReached
    where the request would pass the limit. `offers` gives what a reader is offered, of the state the run is about to
    end in and what made it fail. `turn` is what a run waits for that is queued.
    """

    def __init__(
        self,
        record: Record,
        options: Options,
        rules: RuleBook,
        source: Source,
        *,
        request: Callable[[], Request],
        check: Callable[[], None],
        offers: Callable[[str, RunFailed | None], Offers],
        turn: Turn | None = None,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        """The event loop the run lives on, once it is started."""
        self.stopping = Stopping(record)
        self._record = record
        self._options = options
        self._rules = rules
        self._source = source
        self._request = request
        self._check = check
        self._ask_offers = offers
        self._turn = turn
        self._attempts = Attempts(record, options.most_retries)
        self._task: asyncio.Task[None] | None = None
        self._pump: Pump | None = None
        self._calls: Calls | None = None
        self._is_ending = False
        self._config: Json | None = None  # of the last request
        self._lost_by: StoppedBy = "interrupt"
        self._grace_timer: asyncio.TimerHandle | None = None  # until the run goes on without a child that does not end

    # -- driving ----------------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on `loop`; called once, from any thread. What the run prints goes to the cell that called this."""
        self.loop = loop
        context = copy_context()

        def begin() -> None:
            self._task = loop.create_task(self._drive(), name=f"gemstream run {self._record.id}", context=context)
            self._task.add_done_callback(self._task_ended)

        if running_loop() is loop:
            begin()
        else:
            loop.call_soon_threadsafe(begin, context=context)

    async def _drive(self) -> None:
        record = self._record
        try:
            if self._turn is not None:
                await self._turn.wait()
                if self.stopping.stop is None:
                    self._turn.begin()
            if self.stopping.stop is None and record.status == "pending":
                self._move("started")
            while self.stopping.stop is None and not record.done:
                if record.status == "acting":  # a restored run begins with its calls
                    await self._run_calls()
                else:
                    await self._attempts.wait()
                    if self.stopping.stop is None:
                        await self._run_step()
            self._end_cancelled()
        except asyncio.CancelledError:
            self.stopping.ask("interrupt")
            await self._cancel_children()
            self._end_cancelled()
            raise
        except KeyboardInterrupt:
            self._interrupt()
            await self._cancel_children()
            self._end_cancelled()
        except Exception as error:  # a fault of ours must still end the run, in the open
            if record.done:  # its loop was closed under it, and it was ended from outside
                return
            if not (record.status == "queued" and isinstance(error, GemstreamError)):  # the prompt did not fit in
                _log.exception("run %s broke", record.id)
            await self._cancel_children()
            if self.stopping.stop is not None:
                self._end_cancelled()
            else:
                self._end_failed(_foreign(error, title="Something broke in the run"))

    def give_turn(self) -> None:
        """Every run before this one has ended. From any thread, as often as you like; of no effect once it goes on."""
        if self.loop is not None and self._turn is not None:
            with suppress(RuntimeError):  # the loop is closed
                self.loop.call_soon_threadsafe(self._turn.given.set)
        self.notice_closed_loop()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        broken = None if task.cancelled() else task.exception()
        if broken is not None and not self._record.done and self.stopping.stop is None:  # even telling what broke did
            self._end_failed(SourceError(type(broken).__name__, title="Something broke in the run"))
        self.stopping.ask("interrupt")  # a task cancelled before its first step never ran at all
        self._end_cancelled()

    async def _run_step(self) -> None:
        """One request and its stream, or several hops, and what follows from how they ended."""
        record = self._record
        try:
            self._check()
            request = self._request()
            record.add(entries.Request(record.now(), self._told(request)))
            error = await self._run_hop(request)
            for _ in range(1, self._options.max_hops):
                if (token := self._next_token(error)) is None:
                    break
                self._check()
                record.add(entries.Hop(record.now()))
                error = await self._run_hop(replace(request, token=token))
        except TokenLimitReached as reached:
            self._end_at_limit(reached)
            return
        self._end_step(error)

    async def _run_hop(self, request: Request) -> RunFailed | None:
        """One request and its stream, read to its end; what made it fail."""
        self._pump = pump = Pump(self._record.now, self._interrupt)
        pump.start(self._source, request, name=f"gemstream pump {self._record.id}")
        error = await self._read(pump)
        if error is not None:
            await self._cancel_children()
        return error or self._error_of(pump)

    def _next_token(self, error: RunFailed | None) -> str | None:
        """What the next hop of the step is asked for with; None where there is none to ask for."""
        step = self._record.state.steps[-1]
        is_paused = error is None and step.finish_reason == PAUSED and self._record.status == "streaming"
        return step.token if is_paused and self.stopping.stop is None else None

    def _told(self, request: Request) -> Json | None:
        """What the journal keeps of a request: what it asks for beside the contents, where that is new."""
        config = request.beside()
        if config == self._config:
            return None
        self._config = config
        return config

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
            if (error := self._take(at_s, chunk)) is not None:
                return error
            if time.monotonic() - began > BREATH_S:  # a full queue never suspends: let others have the loop
                await asyncio.sleep(0)
                began = time.monotonic()

    def _take(self, at_s: float, came: Wire | Frame | entries.Repair | entries.Response) -> RunFailed | None:
        """Keep what came of the last request; the failure that it tells of."""
        if isinstance(came, entries.Repair | entries.Response):
            self._record.add(replace(came, at_s=at_s))
            return None
        return self._record.add_frame(came, at_s)

    @property
    def _is_paused_for_good(self) -> bool:
        """A Stop came between two hops: nothing was going that it could have cut."""
        return self.stopping.stop is not None and self._record.state.steps[-1].finish_reason == PAUSED

    def _error_of(self, pump: Pump) -> RunFailed | None:
        """What the source raised, in our words; None where the stream ended by itself, or a Stop cut it."""
        raised = pump.raised
        if raised is None or self._record.status == "cancelling":
            return None
        if isinstance(raised, asyncio.CancelledError):
            return SourceError("The source cancelled its own stream.")
        return raised if isinstance(raised, RunFailed) else _foreign(raised)

    def _end_step(self, error: RunFailed | None) -> None:
        """Close the step, and decide what follows."""
        record = self._record
        if record.status == "cancelling" or self._is_paused_for_good:
            self._end_cancelled()
            return
        if isinstance(error, StreamTruncated) and record.state.steps[-1].finish_reason is not None:
            error = None  # the answer had ended, only its connection had not
        self._close_step(None if error is None else "error")
        step = record.state.steps[-1]
        error = error or record.failure
        if error is not None:
            if not self._attempts.schedule(error):
                self._end_failed(error)
            return
        if record.calls:
            self._move("ended_with_calls")
        elif step.finish_reason == PAUSED and len(step.hops) >= self._options.max_hops:
            self._end("limit", stopped_by="max_hops", notice=notice_of(step, content=True))
        else:
            self._end("ended", notice=notice_of(step, content=bool(record.state.parts_of(step.index))))

    async def _run_calls(self) -> None:
        """Have the calls of the step that just ended decided and run, and decide what follows."""
        record, options = self._record, self._options
        calls = record.calls
        theirs = [p for p in calls if options.tools.hands_over(p.call.name)]
        ours = [p for p in calls if p not in theirs and not is_terminal(CALL_TABLE, p.call.state)]
        if ours:
            stopped = self.stopping.event.is_set
            self._calls = Calls(ours, record, options, self._rules, stopped=stopped, interrupted=self._interrupt)
            self._calls.start()
            await self._calls.wait()
        if self.stopping.stop is not None:
            self._end_cancelled()
        elif theirs:
            self._end("handed_over", stopped_by="calls")
        elif len(record.state.steps) - len(record.state.retries) >= options.max_steps:
            self._end("max_steps", stopped_by="max_steps")
        else:
            self._move("calls_done")

    def _end_at_limit(self, reached: TokenLimitReached) -> None:
        """Before a request that is not sent. What those before it brought is an answer as far as it goes."""
        self._close_step(None)
        if self._record.state.steps:
            self._end("limit", stopped_by="max_tokens_total", notice=reached.notice)
        else:
            self._end_failed(reached)

    def _move(self, event: str) -> None:
        self._record.add(entries.Move(self._record.now(), event))

    # -- children: the pump while the run streams, the calls while it acts ------------------------------------------

    def _children(self) -> list[Pump | Calls]:
        """Those that are going."""
        begun = (c for c in (self._pump, self._calls) if c is not None and hasattr(c, "task"))
        return [child for child in begun if not child.task.done()]

    async def _cancel_children(self) -> None:
        """Cancel them, give them their time to end, and go on without those that do not."""
        children = self._children()
        for child in children:
            child.task.cancel()
        if children:
            await asyncio.wait({child.task for child in children}, timeout=self._options.grace_s)
        self._abandon_children()

    def _abandon_children(self) -> None:
        """The grace time is over: go on without the child that does not end."""
        for child in self._children():
            child.abandon()

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self, by: StoppedBy) -> bool:
        """Stop the run. From any thread; True if this was the first to ask and the run had not ended. Warns with
        StopDelayed where code asks and the loop does not run.
        """
        if not self.stopping.ask(by):
            self.notice_closed_loop()  # closed since the first Stop, which nobody will carry out then
            return False
        if self.loop is None:  # interrupted before it could begin
            self._end_cancelled()
        elif self._record.status == "queued" and running_loop() is self.loop:
            self._on_stop()  # there is nothing to wait for
        else:
            try:
                self.loop.call_soon_threadsafe(self._on_stop)
            except RuntimeError:  # the loop is closed, and with it every connection the run had
                self._end_cancelled()
        if by == "code" and self._stands_still and not self._record.done:
            warnings.warn(StopDelayed(self._record.id, self._record.status), stacklevel=3)
        return True

    @property
    def _stands_still(self) -> bool:
        """Nobody runs its loop: what is asked of it waits."""
        return self.loop is not None and not self.loop.is_running() and not self.loop.is_closed()

    def _interrupt(self) -> None:
        """On the run's loop: a Ctrl+C struck a task of the run, which ends it, and is not for the run alone."""
        pass_on()
        if self.stopping.ask("interrupt"):
            self._on_stop()

    def notice_closed_loop(self) -> None:
        """A loop that was closed under the run took its connection along: nobody else will end it."""
        if self.loop is not None and self.loop.is_closed() and not self._record.done:
            self.stopping.ask(self._lost_by)
            self._end_cancelled()

    def leave_behind(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a forked child, where `loop`, a closed one, stands for the run's: that, and the connection, stayed with
        the parent.
        """
        self.loop, self._lost_by, self._is_ending = loop, "fork", False
        self._record.leave_behind()

    def _on_stop(self) -> None:
        """On the run's loop: cut the stream or the tools that are going; without either the driver sees the Stop."""
        self._attempts.wake()
        if self._record.status == "queued" or self._task is None:  # which was interrupted before it could begin
            self._end_cancelled()
        if self._turn is not None:
            self._turn.given.set()
        children = self._children()
        if not children or self._record.status not in ("streaming", "acting"):
            return
        self._move("stop")
        for child in children:
            child.task.cancel()
        self._grace_timer = asyncio.get_running_loop().call_later(self._options.grace_s, self._abandon_children)

    # -- deciding ---------------------------------------------------------------------------------------------------

    @property
    def pending(self) -> list[ToolCall]:
        """The calls that wait for a decision. From any thread."""
        if self._calls is None or self.stopping.stop is not None:
            return []
        with self._record.lock:
            return [call for call in self._record.state.tool_calls if call.state == "awaiting_approval"]

    def decide(self, call_id: str, choice: Choice) -> None:
        """Do with a pending call what somebody chose. From any thread; raises DecisionRefused, and LoopBusy where the
        run's loop does not get to it: then nothing has changed, and nothing will.
        """

        def decide() -> None:
            record, refused = self._record, f"Call {call_id} is not waiting for a decision"
            self.notice_closed_loop()
            if self.stopping.stop is not None:
                raise DecisionRefused(f"{refused}: run {record.id} was stopped.")
            if self._calls is None or record.status != "acting":
                raise DecisionRefused(f"{refused}: run {record.id} is {record.status}.")
            self._calls.decide(call_id, choice)

        call_on(self.loop, decide)

    def revoke(self, rule_id: str) -> bool:
        """Take back a rule that a decision made; False where there is none. From any thread; raises LoopBusy."""

        def revoke() -> bool:
            record = self._record
            found = self._rules.revoke(rule_id)
            if found and not record.done:
                record.add(entries.Rules(record.now(), self._rules.shown_in(record.id)))
            return found

        return call_on(self.loop, revoke)

    # -- ending -----------------------------------------------------------------------------------------------------

    def _end_failed(self, error: RunFailed) -> None:
        with self._ending() as first:
            if not first:
                return
            self._leave_step("error")
            self._end("failed", error=error)

    def _end_cancelled(self) -> None:
        """End as cancelled, with the receipt; nothing where the run has ended. Also where the driver never ran."""
        record = self._record
        with self._ending() as first:
            if not first:
                return
            self._leave_step("stopped")
            if record.status in ("streaming", "acting"):
                self._move("stop")
            event = "stop" if record.status in ("queued", "pending") else "children_ended"
            if self.stopping.took_back:
                self._end(event, stopped_by=TAKEN_BACK, notice=NOT_SENT)
            else:
                self._end(event, closed_s=self.stopping.closed_s(self._pump))

    @contextmanager
    def _ending(self) -> Iterator[bool]:
        """Whether this is the first to end the run: where its loop is closed, any thread may notice."""
        with self._record.lock:
            first = not (self._is_ending or self._record.done)
            self._is_ending = self._is_ending or first
        try:
            yield first
        except BaseException:
            self._is_ending = self._is_ending and not first  # it has not ended: whoever comes next ends it
            raise

    def _close_step(self, outcome: str | None) -> None:
        """No step stays open. What its stream brought and nobody took is kept behind its end."""
        record = self._record
        if record.state.steps and record.state.steps[-1].ended_s is None:
            record.add(entries.StreamEnd(record.now(), outcome))
        for at_s, chunk in self._pump.rest() if self._pump is not None else ():
            self._take(at_s, chunk)

    def _leave_step(self, outcome: str) -> None:
        """Close it where the run ends early. What a Ctrl+C tore in the middle must not keep the run from ending."""
        try:
            self._close_step(outcome)
        except Exception:
            _log.exception("what the last step of run %s brought could not be told whole", self._record.id)

    def _end(
        self,
        event: str,
        *,
        stopped_by: str | None = None,
        notice: dict[str, str] | None = None,
        error: RunFailed | None = None,
        closed_s: float | None = None,
    ) -> None:
        """Write the one terminal entry."""
        record = self._record
        state = next_state(RUN_TABLE, record.status, event)
        offers = Offers() if stopped_by == TAKEN_BACK else self._offers(state, error)
        own = None if error is record.failure else error  # what the stream tells is not told twice
        if self._grace_timer is not None:
            self._grace_timer.cancel()
        record.add(entries.End(record.now(), event, stopped_by, notice, own, closed_s, offers))

    def _offers(self, state: str, error: RunFailed | None) -> Offers:
        """What a reader may ask for next. Whatever goes wrong with that must not keep the run from ending."""
        try:
            return self._ask_offers(state, error)
        except Exception:
            _log.exception("what may follow run %s could not be said", self._record.id)
            return Offers()


def _foreign(error: BaseException, title: str | None = None) -> RunFailed:
    """An error of somebody else's as one of ours."""
    if isinstance(error, GemstreamError):
        return SourceError(str(error), title="The request could not be made", hint="")
    return SourceError(words_of(error), title=title)
