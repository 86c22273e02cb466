"""Run: one prompt until it ends.

A run is two tasks. The *pump* (pump.py) reads the source and does nothing else. The *driver* takes the chunks from its
queue, decodes them, keeps them, and decides when the run is over. Stop cancels the pump, never the driver: the driver
sees the pump end and writes the one terminal event. A cancellation that does reach the driver comes from outside; it
ends the run and is passed on.

State changes on the run's loop only. `stop` may be called from any thread at any time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from .acting import Acting
from .approval import Choice, RuleBook
from .chunks import ChunkLog
from .decode import Decoder
from .errors import (
    DecisionRefused,
    GemstreamError,
    NothingToRepeat,
    RunCancelled,
    RunFailed,
    SourceError,
    StreamStalled,
)
from .events import EventStream
from .feed import Feed
from .finish import failure_of, notice_of
from .history import NAMELESS, STOPPED, OpenCall, model_turn, sent_calls, without_prompt
from .machine import CALL_TABLE, RUN_TABLE, is_terminal, next_state
from .model import (
    ArgsChanged,
    CallPart,
    CallStateChanged,
    Decision,
    Event,
    Part,
    Receipt,
    Retry,
    RetryScheduled,
    RulesChanged,
    RunEnded,
    RunStarted,
    RunStateChanged,
    Scope,
    Step,
    StepDetail,
    StoppedBy,
    TextAdded,
    Timing,
    ToolCall,
    Usage,
    UsageReported,
    Wire,
)
from .pump import Pump
from .redact import words_of
from .reducer import State
from .retry import retry_wait_s
from .runner import running_loop
from .source import Request, Source
from .tools import Policy, ToolSet

__all__ = ["Run"]

_QUIET = (TextAdded, ArgsChanged, UsageReported, StepDetail)  # events that may wait for the next flush

_log = logging.getLogger(__name__)
_going: set[Run] = set()  # a task nobody holds may be collected in the middle of its work


@dataclass(frozen=True, slots=True)
class _Stop:
    by: StoppedBy
    asked_s: float
    when: str


_INTERRUPT_S = 0.2
"""ipykernel hears an interrupt only when its loop wakes, so a cell that awaits wakes it. Measured on 6.31 to 7.4:
https://github.com/ipython/ipykernel/issues/881
"""

_BREATH_S = 0.008
"""How long the driver may work through a full queue before others on the loop get their turn."""


class Run:
    """One prompt on its way, and everything that came back. Made by `Chat.send`, `ask` and `watch`.

    Await it for the finished run (raises RunFailed or RunCancelled), iterate it for its events, `stop` it anywhere.
    Everything here may be read from any thread; only the run's own loop changes it.
    """

    def __init__(
        self,
        *,
        run_id: str,
        source: Source,
        model: str,
        demo: bool,
        prompt: list[Wire],
        opening: list[Wire] | None = None,
        request: Callable[[Run], Request],
        tools: ToolSet | None = None,
        approve: Policy = "auto",
        approval_timeout_s: float | None = None,
        tool_timeout_s: float | None = None,
        rules: RuleBook | None = None,
        max_steps: int = 10,
        retries: int = 0,
        idle_timeout_s: float | None = None,
        offers: Callable[[Run, str], list[str]] | None = None,
        again: Callable[[Run, str], Run] | None = None,
        grace_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._tools = tools if tools is not None else ToolSet(())
        self._approve = approve
        self._approval_timeout_s = approval_timeout_s
        self._tool_timeout_s = tool_timeout_s
        self._rules = rules if rules is not None else RuleBook()
        self._max_steps = max_steps
        self._retries = retries
        self._failed_attempts = 0  # of the request that is going
        self._resting: asyncio.Future[None] | None = None  # until the next attempt
        self._idle_timeout_s = idle_timeout_s
        self._offers = offers
        self._again = again
        self._opening = opening or []
        self.repairs: list[str] = []
        """The codes of the repairs that the offer "repair" would make."""
        self._acting: Acting | None = None
        self._acting_task: asyncio.Task[None] | None = None
        self._acting_done: asyncio.Future[None]
        self._patience: asyncio.TimerHandle | None = None  # until the run goes on without a child that does not end
        self._request = request
        self._grace_s = grace_s
        self._clock = clock
        self._t0 = clock()
        self._state = State(run=run_id, model=model, demo=demo, prompt=prompt, started_at=time.time())
        self._chunks = ChunkLog()
        self._decoder = Decoder()
        self._lock = threading.RLock()
        self._feeds: list[Feed] = []
        self._readers: WeakSet[EventStream] = WeakSet()
        self._stop: _Stop | None = None
        self._error: RunFailed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._pump: Pump | None = None
        self._done: Future[Run] = Future()
        self.cancel_event = threading.Event()
        """Set by the first `stop`, for good. A tool that runs in a thread may look at it."""

    @classmethod
    def restored(cls, saved: Wire, **options: Any) -> Run:
        """A run as `saved` (see saved.py) tells it: decoded again from its own chunks. Where calls were waiting, it can
        be started, and waits for the same decisions; anything else that was going has ended.
        """
        run = cls(prompt=saved["prompt"], **options)
        run._state.timing.started_at = saved["started_at"]
        run._t0 -= saved["now_s"]
        for step in saved["steps"]:
            run._publish(run._decoder.begin(step["index"], step["started_s"]))
            for at_s, wire in step["chunks"]:
                number = run._chunks.append(step["index"], at_s, wire)
                with suppress(RunFailed):  # an error object: the run's own error tells it
                    run._publish(run._decoder.push(wire, number, at_s))
            run._publish(run._decoder.end(step["ended_s"], step["outcome"]))
        run._publish(RetryScheduled(Retry(**retry)) for retry in saved["retries"])
        run._opening, run.repairs = saved["opening"], saved["repairs"]
        for call_id, fields in saved["calls"].items():
            part = run._state.call_part(call_id)
            if part is not None:
                decision = fields.pop("decision")
                held = None if decision is None else Decision(**decision)
                run._state.count_on_from(held.otid if held else 0)
                state = fields.pop("state")
                run._publish([CallStateChanged(call_id, part.index, state, {**fields, "decision": held})])
        if saved["status"] == "acting":
            run._publish([RunStateChanged("acting")])
        else:
            run._restore_end(saved)
        return run

    def _restore_end(self, saved: Wire) -> None:
        receipt = saved["receipt"] and Receipt(**saved["receipt"])
        error = saved["error"]
        if error is not None:
            self._error = RunFailed(error["message"], title=error["title"], hint=error["hint"])
            self._error.run = self
        end = RunEnded(saved["ended_s"], saved["status"], saved["stopped_by"], saved["notice"], error, receipt)
        end.offers = self._offered(end.state) if saved["offers"] is None else saved["offers"]
        self._finish(end)

    # -- what it holds ----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._state.id

    @property
    def model(self) -> str:
        return self._state.model

    @property
    def status(self) -> str:
        """A state of machine.RUN_TABLE."""
        return self._state.status

    @property
    def done(self) -> bool:
        return is_terminal(RUN_TABLE, self._state.status)

    @property
    def text(self) -> str:
        """All text of all steps, joined."""
        with self._lock:
            return self._state.text(thought=False)

    @property
    def thoughts(self) -> str:
        """All thoughts of all steps, joined."""
        with self._lock:
            return self._state.text(thought=True)

    @property
    def parts(self) -> list[Part]:
        return list(self._state.parts)

    @property
    def steps(self) -> list[Step]:
        """The requests so far, each with its outcome, finish reason and usage."""
        return list(self._state.steps)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls the model asked for, in order, each with its state."""
        with self._lock:
            return self._state.tool_calls

    @property
    def pending(self) -> list[ToolCall]:
        """The calls that wait for a decision: see `approve` and `deny`."""
        if self._acting is None or self._stop is not None:
            return []
        return [call for call in self.tool_calls if call.state == "awaiting_approval"]

    @property
    def decisions(self) -> list[Decision]:
        """Who decided what, in order."""
        return sorted((c.decision for c in self.tool_calls if c.decision is not None), key=lambda d: d.otid)

    @property
    def usage(self) -> Usage:
        """Gemini's counters over all steps; None where never reported."""
        return self._state.usage

    @property
    def timing(self) -> Timing:
        return self._state.timing

    @property
    def finish_reason(self) -> str | None:
        """The last step's finish reason, as Gemini spells it."""
        return self._state.steps[-1].finish_reason if self._state.steps else None

    @property
    def error(self) -> RunFailed | None:
        """What made the run fail, or None."""
        return self._error

    @property
    def receipt(self) -> Receipt | None:
        """How the Stop went, or None where nothing was cut."""
        return self._state.receipt

    @property
    def retries(self) -> list[Retry]:
        """The attempts that failed before anything of the answer came, so that another was to follow."""
        return list(self._state.retries)

    @property
    def chunks(self) -> ChunkLog:
        """Every chunk as it came, with its arrival in seconds since the run's start."""
        return self._chunks

    @property
    def now_s(self) -> float:
        """Seconds since the run's start, on the run's clock; stands still at its end."""
        return self._state.timing.ended_s if self._state.timing.ended_s is not None else self._now()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop the run lives on, once it is started."""
        return self._loop

    def snapshot(self) -> Wire:
        """The state as plain JSON (docs/protocol.md); signatures as base64 text, as they came."""
        with self._lock:
            return self._state.snapshot()

    def contents(self) -> list[Wire]:
        """What this run adds to the conversation, in wire form: the prompt, and what the model said.

        A run that was stopped answers its open calls, so that Gemini accepts the next request. A run that failed before
        the model said anything adds no prompt: it is most likely sent again.
        """
        with self._lock:
            added = self._turns(self._state.steps)
            if self._state.status == "failed" and not added:
                return without_prompt(self._opening)
            return [*self._opening, *self._state.prompt, *added]

    def unfinished(self) -> list[Wire]:
        """What a run that ended too early leaves for one that asks again: `contents` without the step that did not end
        well, which stays only where a tool of it began. What a tool did is never asked for twice.
        """
        with self._lock:
            steps = self._state.steps
            began = steps and any(c.started_s is not None for c in self.tool_calls if c.step == steps[-1].index)
            return [*self._opening, *self._state.prompt, *self._turns(steps if began else steps[:-1])]

    def _turns(self, steps: Iterable[Step]) -> list[Wire]:
        """What the model said in these steps, and the responses to its calls."""
        turns: list[Wire] = []
        for step in steps:
            parts = self._state.parts_of(step.index)
            calls, turn = sent_calls(parts), model_turn(parts)
            responses = self._responses(calls)
            turns += [turn, *responses] if turn is not None else []
            nameless = any(isinstance(p, CallPart) and not p.call.name for p in parts)
            if nameless and (responses or not calls):  # responses come right after their calls, and this after them
                turns.append({"role": "user", "parts": [{"text": NAMELESS}]})
        return turns

    def _responses(self, calls: list[ToolCall]) -> list[Wire]:
        """The Content that answers the calls of one step, in call order; none while some are still to be answered."""
        if not calls:
            return []
        reason = {"cancelled": STOPPED, "failed": "The run failed before the call was run."}.get(self.status)
        if reason is None and any(call.result is None for call in calls):
            return []
        responses = [OpenCall.of(c).answer(c.result if c.result is not None else {"error": reason}) for c in calls]
        return [{"role": "user", "parts": responses}]

    def _ipython_display_(self) -> None:
        """Displayed, a run is its card. The one import upwards: who displays it asks the run."""
        from .show import display_run

        display_run(self)

    def __repr__(self) -> str:
        said = self.text
        said = said if len(said) <= 60 else said[:57] + "..."
        return f"<Run {self.id} {self.status} {said!r}>"

    @property
    def opening(self) -> list[Wire]:
        """The conversation so far, where this run asks again: its own prompt is in it."""
        return list(self._opening)

    def again(self, how: str) -> Run:
        """Go on after a run that did not end well: `how` is one of the state's `offers`. The new run of the same chat,
        started. Raises NothingToRepeat, and what `Chat.send` raises.
        """
        if self._again is None or how not in self._state.offers:
            raise NothingToRepeat(f"Run {self.id} is {self.status} and offers no {how!r}: send a prompt instead.")
        return self._again(self, how)

    # -- waiting ----------------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Run]:
        return self._outcome().__await__()

    async def _outcome(self) -> Run:
        __tracebackhide__ = True  # IPython leaves such frames out: the reader's own line is what matters
        await self.wait()
        return self._raise_or_self()

    async def wait(self) -> Run:
        """The run, when it has ended; never raises for how it ended. May be awaited on any loop.

        Cancelling this wait (a kernel interrupt does) stops the run, waits for its end, and passes the cancellation on.
        """
        try:
            self._notice_closed_loop()
            done = asyncio.wrap_future(self._done)
            while not (await asyncio.wait({done}, timeout=_INTERRUPT_S))[0]:
                pass
            return self
        except asyncio.CancelledError:
            self.stop(by="interrupt")
            await asyncio.wait({asyncio.wrap_future(self._done)}, timeout=self._grace_s + 1)
            raise

    def result(self, timeout_s: float | None = None) -> Run:
        """Block until the run has ended; for scripts with `runner="thread"`. Raises as `await run` does, and
        TimeoutError after `timeout_s` seconds.
        """
        here = running_loop()
        if here is not None and here is self._loop and not self.done:
            raise GemstreamError(
                f"run.result() would block the event loop that run {self.id} needs: await the run instead, "
                'or use Chat(runner="thread").'
            )
        __tracebackhide__ = True
        self._notice_closed_loop()
        self._done.result(timeout_s)
        return self._raise_or_self()

    def _raise_or_self(self) -> Run:
        __tracebackhide__ = True
        if self._error is not None:
            raise self._error
        if self.status == "cancelled":
            raise RunCancelled(self)
        return self

    def __aiter__(self) -> EventStream:
        """Events (model.py) from the run's start, however late this is asked for: what came before is summed up as
        whole parts.
        """
        with self._lock:
            reader = EventStream(self._state.recap(), lambda: self.stop(by="interrupt"))
            self._readers.add(reader)
        return reader

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self, *, by: StoppedBy = "code") -> bool:
        """Stop the run: from any thread, at any moment, as often as you like. Returns at once.

        True if this call asked first, False if the run had ended or a Stop had been asked for: then nothing changes.
        """
        with self._lock:
            if self._stop is not None or self.done:
                return False
            self._stop = _Stop(by, self._now(), self._moment())
            self.cancel_event.set()
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._on_stop)
            except RuntimeError:  # the loop is closed, and with it every connection the run had
                self._end_cancelled()
        return True

    def _notice_closed_loop(self) -> None:
        """A loop that was closed under the run took its connection along: nobody else will end it."""
        if self._loop is not None and self._loop.is_closed():
            self._end_cancelled()

    def _moment(self) -> str:
        if not self._state.steps:
            return "before the request"
        step = self._state.steps[-1]
        if step.ended_s is not None:
            return "between steps"
        return "before the first chunk" if step.first_chunk_s is None else "mid-stream"

    def _on_stop(self) -> None:
        """On the run's loop: cut the stream or the tools that are going. Before them the driver sees `_stop` itself."""
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)
        pump = self._pump.task if self._pump is not None else None
        child = self._acting_task if self._state.status == "acting" else pump
        if child is None or child.done() or self._state.status not in ("streaming", "acting"):
            return
        self._move("stop")
        child.cancel()
        if self._loop is not None:
            self._patience = self._loop.call_later(self._grace_s, self._give_up)

    def _give_up(self) -> None:
        """The grace time is over: go on without the child that does not end."""
        if self._pump is not None:
            self._pump.leave()
        if self._acting_task is not None and not self._acting_done.done():
            self._acting_done.set_result(None)

    # -- deciding ---------------------------------------------------------------------------------------------------

    def approve(self, call_id: str, args: Wire | None = None, *, scope: Scope = "once") -> None:
        """Let a pending call run, with its own arguments or with `args`; from any thread.

        `scope` "run" or "chat" makes a rule: later calls of the same tool run without asking. Raises DecisionRefused,
        and changes nothing, where the call does not wait any more or the arguments do not fit.
        """
        self.decide(call_id, Choice(verdict="approve", by="code", args=args, scope=scope))

    def deny(self, call_id: str, reason: str | None = None, *, scope: Scope = "once") -> None:
        """Deny a pending call; the model reads the reason. From any thread; raises DecisionRefused like `approve`."""
        self.decide(call_id, Choice(verdict="deny", by="code", reason=reason, scope=scope))

    def decide(self, call_id: str, choice: Choice) -> None:
        """Do with a pending call what somebody chose. From any thread; raises DecisionRefused like `approve`."""

        def decide() -> None:
            if self._stop is not None:
                raise DecisionRefused(f"Call {call_id} is not waiting for a decision: run {self.id} was stopped.")
            if self._acting is None or self._state.status != "acting":
                raise DecisionRefused(f"Call {call_id} is not waiting for a decision: run {self.id} is {self.status}.")
            self._acting.decide(call_id, choice)

        self._on_loop(decide)

    def revoke(self, rule_id: str) -> bool:
        """Take back a rule that a decision made; False where there is none. From any thread."""
        found = False

        def revoke() -> None:
            nonlocal found
            found = self._rules.revoke(rule_id)
            if found and not self.done:
                self._publish([RulesChanged(self._rules.shown_in(self.id))])

        self._on_loop(revoke)
        return found

    async def next_pending(self) -> list[ToolCall]:
        """Wait until a call waits for a decision; the calls that do, or none when the run ends first."""
        async for _ in self:
            if held := self.pending:
                return held
        return self.pending

    def _on_loop(self, call: Callable[[], None]) -> None:
        """Do something on the run's loop, and raise here what it raises."""
        if self._loop is None or self._loop.is_closed() or running_loop() is self._loop:
            call()
            return

        async def there() -> None:
            call()

        asyncio.run_coroutine_threadsafe(there(), self._loop).result(timeout=10)

    # -- driving ----------------------------------------------------------------------------------------------------

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on `loop`; called once, from any thread. What the run prints goes to the cell that called this."""
        self._loop = loop
        _going.add(self)
        context = copy_context()

        def begin() -> None:
            self._task = loop.create_task(self._drive(), name=f"gemstream run {self.id}", context=context)
            self._task.add_done_callback(self._driver_over)

        if running_loop() is loop:
            begin()
        else:
            loop.call_soon_threadsafe(begin, context=context)

    def _now(self) -> float:
        return round(self._clock() - self._t0, 6)

    async def _drive(self) -> None:
        try:
            if self._stop is not None:
                self._end_cancelled()
                return
            if self._state.status == "pending":
                self._publish([RunStarted(self._now())])
                self._move("started")
            while self._state.status in ("streaming", "acting"):  # a restored run begins with its calls
                if self._state.status == "acting":
                    await self._act()
                elif self._failed_attempts and not await self._rested():
                    self._end_cancelled()
                else:
                    await self._step()
        except asyncio.CancelledError:
            if self._stop is None:
                self._stop = _Stop("interrupt", self._now(), self._moment())
                self.cancel_event.set()
            await self._leave_children()
            self._end_cancelled()
            raise
        except Exception as error:  # a fault of ours must still end the run, in the open
            _log.exception("run %s broke", self.id)
            await self._leave_children()
            if self._stop is not None:
                self._end_cancelled()
            else:
                self._end_failed(_foreign(error, title="Something broke in the run"))

    def _driver_over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # seen: it was logged where it was raised
        self._end_cancelled()  # a task cancelled before its first step never ran at all

    async def _leave_children(self) -> None:
        """Cancel pump and tools, as far as they are going, and give them their time to end."""
        tasks = (self._pump.task if self._pump is not None else None, self._acting_task)
        children = {task for task in tasks if task is not None and not task.done()}
        for child in children:
            child.cancel()
        if children:
            await asyncio.wait(children, timeout=self._grace_s)
        if self._pump is not None:
            self._pump.leave()

    async def _step(self) -> None:
        """One request and its stream, and what follows from how it ended."""
        step = len(self._state.steps)
        self._publish(self._decoder.begin(step, self._now()))
        self._pump = Pump(self._source, self._request(self), now=self._now, name=f"gemstream pump {self.id}")
        error = await self._read(step, self._pump)
        if error is not None:
            await self._leave_children()
        self._end_step(self._pump, error)

    async def _read(self, step: int, pump: Pump) -> RunFailed | None:
        """Take chunks until the pump has ended. Each is kept before it is published."""
        began = time.monotonic()
        while True:
            try:
                item = await pump.take(self._idle_timeout_s)
            except TimeoutError:
                return StreamStalled(f"No chunk came for {self._idle_timeout_s:g} s.")
            if item is None:
                return None
            at_s, chunk = item
            number = self._chunks.append(step, at_s, chunk)
            try:
                self._publish(self._decoder.push(chunk, number, at_s))
            except RunFailed as error:  # an error object in the stream
                return error
            if time.monotonic() - began > _BREATH_S:  # a full queue never suspends: let others have the loop
                await asyncio.sleep(0)
                began = time.monotonic()

    def _end_step(self, pump: Pump, error: RunFailed | None) -> None:
        """Close the step, and decide what follows: the one place where a run's end is chosen."""
        cut = self._state.status == "cancelling"
        if error is None and not cut and (raised := pump.raised) is not None:
            if isinstance(raised, asyncio.CancelledError):
                error = SourceError("The source cancelled its own stream.")
            else:
                error = raised if isinstance(raised, RunFailed) else _foreign(raised)
        outcome = "stopped" if cut else "error" if error is not None else None
        self._publish(self._decoder.end(self._now(), outcome))
        step = self._state.steps[-1]
        error = error or (None if cut else failure_of(step))
        if cut:
            self._end_cancelled()
        elif error is not None:
            if not self._will_retry(error):
                self._end_failed(error)
            return
        elif self._decoder.calls:
            self._move("ended_with_calls")
        else:
            self._end_completed("ended", notice=notice_of(step, content=self._decoder.content))
        self._failed_attempts = 0

    def _will_retry(self, error: RunFailed) -> bool:
        """Decide for another attempt, where nothing of the answer came and it is of use; and tell when it begins."""
        step, attempt = self._state.steps[-1].index, self._failed_attempts + 1
        if attempt > self._retries or self._state.parts_of(step):
            return False
        wait_s = retry_wait_s(error, attempt)
        if wait_s is None:
            return False
        self._failed_attempts = attempt
        now = self._now()
        retry = Retry(step, attempt, self._retries + 1, error.title, error.message, now, round(now + wait_s, 6))
        self._publish([RetryScheduled(retry)])
        return True

    async def _rested(self) -> bool:
        """Wait for the next attempt; False where a Stop came first."""
        self._resting = resting = asyncio.get_running_loop().create_future()
        if self._stop is None:
            await asyncio.wait({resting}, timeout=max(0.0, self._state.retries[-1].until_s - self._now()))
        return self._stop is None

    async def _act(self) -> None:
        """Decide and run the calls of the step that just ended, and decide what follows."""
        parts = [p for c in self._decoder.calls if (p := self._state.call_part(c)) is not None]
        theirs = [p for p in parts if self._tools.hands_over(p.call.name)]
        ours = [p for p in parts if p not in theirs and not is_terminal(CALL_TABLE, p.call.state)]
        if ours and self._stop is None:
            loop = asyncio.get_running_loop()
            self._acting = Acting(
                ours,
                run=self.id,
                tools=self._tools.ours,
                policy=self._approve,
                rules=self._rules,
                approval_timeout_s=self._approval_timeout_s,
                tool_timeout_s=self._tool_timeout_s,
                stopped=self.cancel_event.is_set,
                publish=self._publish,
                now=self._now,
                otid=self._state.next_otid,
            )
            self._acting_done = done = loop.create_future()
            self._acting_task = task = loop.create_task(self._acting.settle(), name=f"gemstream acting {self.id}")
            task.add_done_callback(lambda _: None if done.done() else done.set_result(None))
            await done
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
        if self._stop is not None:
            self._end_cancelled()
        elif theirs:
            self._end_completed("handed_over", stopped_by="calls")
        elif len(self._state.steps) - len(self._state.retries) >= self._max_steps:
            self._end_completed("max_steps", stopped_by="max_steps")
        else:
            self._move("calls_done")

    # -- ending -----------------------------------------------------------------------------------------------------

    def _end_completed(
        self, event: str, *, stopped_by: str | None = None, notice: dict[str, str] | None = None
    ) -> None:
        state = self._next(event)
        self._finish(RunEnded(self._now(), state, stopped_by, notice, offers=self._offered(state)))

    def _end_failed(self, error: RunFailed) -> None:
        if self.done:
            return
        if self._state.steps and self._state.steps[-1].ended_s is None:
            self._publish(self._decoder.end(self._now(), "error"))
        error.run = self
        self._error = error
        if self._failed_attempts:
            error.add_note(f"It was tried {self._failed_attempts + 1} times.")
        self._close_calls()
        state = self._next("failed")
        offers = self._offered(state)  # which may also give the error a better hint
        self._finish(RunEnded(self._now(), state, error=error.to_json(), offers=offers))

    def _end_cancelled(self) -> None:
        """End as cancelled, with the receipt. Also where the driver never got to run."""
        if self.done:
            return
        stop = self._stop or _Stop("interrupt", self._now(), self._moment())
        if self._state.steps and self._state.steps[-1].ended_s is None:
            self._publish(self._decoder.end(self._now(), "stopped"))
        if self._state.status in ("streaming", "acting"):
            self._move("stop")
        self._close_calls()
        pump = self._pump
        receipt = Receipt(
            by=stop.by,
            when=stop.when,
            asked_s=stop.asked_s,
            closed_s=pump.ended_s if pump is not None and pump.began and stop.when != "between steps" else None,
            chunks_after=self._chunks.arrived_since(stop.asked_s),
            tokens=self.usage.total_token_count,
        )
        state = self._next("stop" if self._state.status == "pending" else "children_ended")
        self._finish(RunEnded(self._now(), state, receipt=receipt, offers=self._offered(state)))

    def _offered(self, state: str) -> list[str]:
        return self._offers(self, state) if self._offers is not None else []

    def _close_calls(self) -> None:
        """No call stays open in a run that was cut."""
        self._publish(
            CallStateChanged(p.call.id, p.index, next_state(CALL_TABLE, p.call.state, "stop"))
            for p in self._state.open_calls()
        )

    def _finish(self, end: RunEnded) -> None:
        try:
            self._publish([end])
        finally:
            _going.discard(self)
            if self._patience is not None:
                self._patience.cancel()
            if not self._done.done():
                self._done.set_result(self)

    # -- publishing -------------------------------------------------------------------------------------------------

    def _next(self, event: str) -> str:
        return next_state(RUN_TABLE, self._state.status, event)

    def _move(self, event: str) -> None:
        self._publish([RunStateChanged(self._next(event))])

    def _publish(self, events: Iterable[Event]) -> None:
        """Record, then tell: what a reader is told of is already in the state."""
        urgent = False
        told = list(events)
        with self._lock:
            for event in told:
                ops = self._state.apply(event)
                urgent = urgent or not isinstance(event, _QUIET)
                for feed in self._feeds:
                    feed.push(ops)
            readers, feeds = list(self._readers), list(self._feeds)
        for reader in readers:
            reader.put(told)
        for feed in feeds:
            try:
                feed.changed(urgent)
            except Exception:  # a card that cannot be told must not decide how the run goes
                _log.exception("a card of run %s could not be told", self.id)

    def feed(self) -> Feed:
        """A new feed of patches for a card. From any thread."""
        with self._lock:
            feed = Feed(self.id, self._lock, lambda: (self._state.snapshot(), self.now_s))
            self._feeds.append(feed)
        return feed

    def drop_feed(self, feed: Feed) -> None:
        """Stop telling a feed. From any thread."""
        with self._lock:
            self._feeds = [f for f in self._feeds if f is not feed]


def _foreign(error: BaseException, title: str | None = None) -> RunFailed:
    """An error of somebody else's as one of ours."""
    if isinstance(error, GemstreamError):
        return SourceError(str(error), title="The request could not be made", hint="")
    return SourceError(words_of(error), title=title)
