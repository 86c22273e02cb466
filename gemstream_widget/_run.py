"""Run: one prompt until it ends, as its user sees it.

What has happened is in its Record (record.py), what is going on is its Driver's (driver.py); here it is read, awaited,
stopped and decided about.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent import futures
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from ._archive.journal_file import entry_line, first_line, run_line, write_lines
from ._archive.restore import restore
from ._engine.driver import Driver
from ._engine.loops import running_loop
from ._engine.options import Options
from ._engine.source import Request, Source
from ._engine.turn import Turn
from ._interrupts import Interruptible
from ._plain import Json, Wire, shorten
from ._process import Resident, in_forked_child
from ._request import turns
from ._stream.chunks import ChunkLog
from ._stream.journal import Cursor
from ._stream.parts import Decision, Part, Scope, ToolCall
from ._stream.readers import EventFeed, EventReader, PatchReader
from ._stream.record import Record
from ._stream.values import Offers, Receipt, Retry, Step, StoppedBy, Timing, Usage
from ._tools.policy import Choice, RuleBook
from .errors import (
    DecisionRefused,
    GemstreamError,
    InvalidOption,
    NoRunningLoop,
    NothingToRepeat,
    RunCancelled,
    RunFailed,
)

__all__ = ["Again", "Run", "runs", "stop_all"]

Again: TypeAlias = Literal["anew", "continue", "repair"]
"""How to go on after a run that did not end well: see Chat.again."""


_LOOK_S = 1.0
"""How often whoever blocks looks whether the run's loop is still there."""

_STILL = 'its event loop does not run, so its end never comes. Await the run, or use runner="thread".'

_INTERRUPT_S = 0.2
"""ipykernel hears an interrupt only when its loop wakes, so a cell that awaits wakes it. Measured on 6.31 to 7.4:
https://github.com/ipython/ipykernel/issues/881
"""


_live: dict[Run, None] = {}  # also because a task nobody holds may be collected in the middle of its work


def runs() -> list[Run]:
    """The runs of this process that have not ended, whoever began them, in the order they were begun in. From any
    thread.
    """
    return list(_live)


def _leave_runs_behind() -> None:
    """A forked child has the runs of its parent, and none of the loops they go on: whoever waits for one there finds
    that it has ended with what had come by then.
    """
    if _live:
        (closed := asyncio.new_event_loop()).close()
        for run in _live:
            run._driver.leave_behind(closed)
        _live.clear()


in_forked_child(_leave_runs_behind)


def stop_all() -> list[Run]:
    """Stop them all, and take back what is queued. Returns at once, with the runs it asked to stop. From any thread."""
    return [run for run in reversed(runs()) if run.stop()]  # the last first: what is queued must not begin meanwhile


class Run(Resident):
    """One prompt on its way, and everything that came back. Made by `Chat.send`, `Chat.queue`, `ask` and `watch`.

    Await it for the finished run (raises RunFailed or RunCancelled), iterate it for its events, `stop` it anywhere.
    Everything here may be read from any thread; only the run's own loop changes it.
    """

    _instead = (
        "A Run lives on the event loop of its process, and is neither pickled nor copied: keep it with run.save(path), "
        "or its chat with chat.save(path), and read the file with gem.load_chat(path)."
    )

    def __init__(
        self,
        record: Record,
        options: Options,
        rules: RuleBook,
        source: Source,
        *,
        request: Callable[[list[Wire]], Request],
        check: Callable[[], None],
        offers: Callable[[Run, str, RunFailed | None], Offers],
        again: Callable[[Run, Again], Run],
        turn: Turn | None = None,
    ) -> None:
        """`check` stands before each request, which `request` makes from the run's own contents; `offers`, `again` and
        `turn` are the chat's.
        """
        self._record = record
        self._offers_after = offers
        self._again = again
        self._grace_s = options.grace_s
        self._driver = Driver(
            record,
            options,
            rules,
            source,
            request=lambda: request(self._said()),
            check=check,
            offers=self._next_offers,
            turn=turn,
        )
        self.cancel_event = self._driver.stopping.event
        """Set by the first `stop`, for good. A tool that runs in a thread may look at it."""

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on `loop`; called once, from any thread. What the run prints goes to the cell that called this."""
        _live[self] = None
        self._record.ended.add_done_callback(lambda _: _live.pop(self, None))
        self._driver.start(loop)

    def _give_turn(self) -> None:
        self._driver.give_turn()

    def _restore(self) -> None:
        """Take over what its journal holds, before anything else. Where calls were waiting, the run can be started,
        and waits for the same decisions; anything else that was going has ended.
        """
        restore(self._record, self._next_offers)
        if self.error is not None:
            self.error.run = self

    def _next_offers(self, state: str, error: RunFailed | None) -> Offers:
        """Just before the end as `state`: what a reader may ask for then."""
        if error is not None:
            error.run = self
        return self._offers_after(self, state, error)

    @property
    def _token(self) -> str | None:
        """What Gemini gave to go on with right behind what came of an answer that was cut."""
        steps = self._record.state.steps
        return steps[-1].token if steps else None

    @property
    def _repairs(self) -> tuple[str, ...]:
        """The codes of the repairs that the offer "repair" would make."""
        return self._record.repairs

    # -- what it holds ----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def model(self) -> str:
        return self._record.state.model

    @property
    def status(self) -> str:
        """A state of machine.RUN_TABLE: "queued", "pending", "streaming", "acting", "cancelling", or how it ended:
        "completed", "failed", "cancelled".
        """
        return self._record.status

    @property
    def done(self) -> bool:
        return self._record.done

    @property
    def attachments(self) -> list[str]:
        """What went into the prompt beside plain text, each in words and with its size."""
        return list(self._record.state.attachments)

    @property
    def text(self) -> str:
        """All text of all steps, joined."""
        with self._record.reading() as state:
            return state.text(thought=False)

    @property
    def thoughts(self) -> str:
        """All thoughts of all steps, joined."""
        with self._record.reading() as state:
            return state.text(thought=True)

    @property
    def parts(self) -> list[Part]:
        """The parts of all steps, in order."""
        with self._record.reading() as state:
            return list(state.parts)

    @property
    def steps(self) -> list[Step]:
        """The requests so far, each with its outcome, finish reason and usage."""
        with self._record.reading() as state:
            return list(state.steps)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The calls the model asked for, in order, each with its state."""
        with self._record.reading() as state:
            return state.tool_calls

    @property
    def pending(self) -> list[ToolCall]:
        """The calls that wait for a decision: see `approve` and `deny`."""
        return self._driver.pending

    @property
    def decisions(self) -> list[Decision]:
        """Who decided what, in order."""
        return sorted((c.decision for c in self.tool_calls if c.decision is not None), key=lambda d: d.otid)

    @property
    def usage(self) -> Usage:
        """Gemini's counters over all steps; None where never reported."""
        with self._record.reading() as state:
            return state.usage

    @property
    def timing(self) -> Timing:
        """When it began (Unix time; for a queued run that is its turn), and seconds from then to the first chunk, the
        first text and the end.
        """
        return self._record.state.timing

    @property
    def finish_reason(self) -> str | None:
        """The last step's finish reason, as Gemini spells it."""
        with self._record.reading() as state:
            return state.steps[-1].finish_reason if state.steps else None

    @property
    def stopped_by(self) -> str | None:
        """What ended a run before the model had said all: "max_steps", "max_hops", "max_tokens_total", "calls" (they
        are the caller's to answer), "taken_back" (stopped while it was queued: nothing was sent), or None.
        """
        return self._record.state.stopped_by

    @property
    def notice(self) -> dict[str, str] | None:
        """What a reader should know of a run that ended well: {"level", "title", "message"}, or None."""
        with self._record.reading() as state:
            return None if state.notice is None else dict(state.notice)

    @property
    def offers(self) -> list[Again]:
        """What may be asked for next, as `again` takes it; the best first."""
        with self._record.reading() as state:
            return cast("list[Again]", list(state.offers))

    @property
    def error(self) -> RunFailed | None:
        """What made the run fail, or None."""
        return self._record.error

    @property
    def receipt(self) -> Receipt | None:
        """How the Stop went, or None where nothing was cut, as in a run that was taken back from the queue."""
        return self._record.state.receipt

    @property
    def retries(self) -> list[Retry]:
        """The attempts that failed before anything of the answer came, so that another was to follow."""
        with self._record.reading() as state:
            return list(state.retries)

    @property
    def chunks(self) -> ChunkLog:
        """Every chunk as it came: its arrival in seconds since the run's start, its `wire` JSON, and `raw`, the text of
        its event, which is None where only the SDK's reading is known. They are exact: a key that a server echoes is in
        them, and in no file.
        """
        return self._record.chunks

    @property
    def frames(self) -> list[bytes]:
        """The server-sent events as they came, comments and line ends included: together they are what the server sent,
        content encodings undone. None of a client or source whose bytes are not seen (docs/journal.md).
        """
        raws = (chunk.raw for chunk in self._record.chunks)
        return [raw.encode("utf-8", "surrogateescape") for raw in raws if raw is not None]

    @property
    def now_s(self) -> float:
        """Seconds since the run's start, on the run's clock; stands still at its end, and at 0 before its turn."""
        return self._record.now()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop the run lives on, once it is started."""
        return self._driver.loop

    def snapshot(self) -> Json:
        """The state as plain JSON (docs/protocol.md); signatures as base64 text, as they came. A copy: what is done to
        it changes nothing here.
        """
        return self._record.snapshot()

    def contents(self) -> list[Wire]:
        """What this run adds to the conversation, in wire form: the prompt, and what the model said. One that takes
        over an earlier run adds no prompt: that is the earlier run's.

        A run that was stopped answers its open calls, so that Gemini accepts the next request. A run that failed before
        the model said anything adds no prompt: it is most likely sent again. One that is queued or was taken back adds
        nothing.
        """
        return deepcopy(self._said())

    def _said(self) -> list[Wire]:
        """`contents`, for reading only: what is in it is the run's own."""
        with self._record.reading() as state:
            return turns.contents(state)

    def _unfinished(self) -> list[Wire]:
        """What a run that ended too early leaves for one that asks again: `contents` without the step that did not end
        well, which stays only where a tool of it began. What a tool did is never asked for twice. For reading only.
        """
        with self._record.reading() as state:
            return turns.unfinished(state)

    def again(self, how: Again) -> Run:
        """Go on after a run that did not end well: `how` is one of the state's `offers`. The new run of the same chat,
        started. Raises NothingToRepeat, and what `Chat.send` raises.
        """
        if how not in self._record.state.offers:
            raise NothingToRepeat(f"Run {self.id} is {self.status} and offers no {how!r}: send a prompt instead.")
        return self._again(self, how)

    # -- waiting ----------------------------------------------------------------------------------------------------

    def __await__(self) -> Generator[Any, None, Run]:
        try:
            __tracebackhide__ = True  # IPython leaves such frames out: the reader's own line is what matters
            self._require_loop()
            return self._outcome().__await__()
        except KeyboardInterrupt:
            self.stop(by="interrupt")
            raise

    async def _outcome(self) -> Run:
        try:
            __tracebackhide__ = True
            with Interruptible():
                try:
                    await self.wait()
                except asyncio.CancelledError:
                    self.stop(by="interrupt")
                    await asyncio.wait({asyncio.wrap_future(self._record.ended)}, timeout=self._grace_s + 1)
                    raise
        except KeyboardInterrupt:
            self.stop(by="interrupt")
            raise
        return self._raise_or_self()

    def _require_loop(self) -> None:
        if running_loop() is None:
            raise NoRunningLoop(
                f"Run {self.id} can only be awaited on an asyncio event loop, and none runs here; under trio ask with "
                'runner="thread" and write: await trio.to_thread.run_sync(run.result)'
            )

    async def wait(self) -> Run:
        """The run, when it has ended; never raises for how it ended. May be awaited on any asyncio loop.

        A look only: cancelling it (as `asyncio.wait_for` does) leaves the run alone. Cancelling `await run`, which is
        what a kernel interrupt and a time limit around it do, stops the run, waits for its end, and passes the
        cancellation on. So does Ctrl+C in `await run`, which raises KeyboardInterrupt. A scope of anyio cancels again
        and again: under it the end is not waited for.
        """
        self._require_loop()
        done = asyncio.wrap_future(self._record.ended)
        self._driver.notice_closed_loop()
        while not (await asyncio.wait({done}, timeout=_INTERRUPT_S))[0]:
            self._driver.notice_closed_loop()
        return self

    def result(self, timeout_s: float | None = None) -> Run:
        """Block until the run has ended; for scripts with `runner="thread"`. Raises as `await run` does, and
        TimeoutError after `timeout_s` seconds. Interrupted (Ctrl-C), it stops the run as `await run` does.
        """
        try:
            __tracebackhide__ = True
            here = running_loop()
            if here is not None and here is self.loop and not self.done:
                raise GemstreamError(
                    f"run.result() would block the event loop that run {self.id} needs: await the run instead, "
                    'or use Chat(runner="thread").'
                )
            until_s = None if timeout_s is None else time.monotonic() + timeout_s
            while not self.done:
                self._driver.notice_closed_loop()
                still = self.loop is not None and not self.loop.is_running()
                left_s = _LOOK_S if until_s is None else min(_LOOK_S, until_s - time.monotonic())
                if left_s <= 0:
                    raise TimeoutError(f"Run {self.id} is still {self.status} after {timeout_s:g} s; it goes on.")
                futures.wait({self._record.ended}, timeout=left_s)
                if still and not self.done and self.loop is not None and not self.loop.is_running():
                    raise GemstreamError(f"Run {self.id} stays {self.status}: {_STILL}")
        except KeyboardInterrupt:
            self.stop(by="interrupt")
            futures.wait({self._record.ended}, timeout=self._grace_s + 1)
            raise
        return self._raise_or_self()

    def _raise_or_self(self) -> Run:
        __tracebackhide__ = True
        if self.error is not None:
            raise self.error.with_traceback(None)  # raised each time it is asked for: its frames must not pile up
        if self.status == "cancelled":
            raise RunCancelled(self)
        return self

    def __aiter__(self) -> EventReader:
        """Events (events.py) from the run's start, however late this is asked for. Leaving the loop, or being cancelled
        in it, neither stops the run nor leaks.
        """
        self._require_loop()
        self._driver.notice_closed_loop()
        return self._record.events()

    # -- stopping ---------------------------------------------------------------------------------------------------

    def stop(self, *, by: StoppedBy = "code") -> bool:
        """Stop the run: from any thread, at any moment, as often as you like. Returns at once. One that is queued is
        taken back: nothing is sent. Where a cell blocks the run's event loop, the Stop takes effect when it is free
        again; where nobody runs that loop, the warning StopDelayed says so, and the status stays what it is.

        True if this call asked first, False if the run had ended or a Stop had been asked for: then nothing changes.
        True is no promise that something was cut: where everything had arrived the run completes, without a receipt.
        """
        return self._driver.stop(by)

    # -- deciding ---------------------------------------------------------------------------------------------------

    def approve(self, call: str | ToolCall, args: Json | None = None, *, scope: Scope = "once") -> None:
        """Let a pending call (or the call of this id) run, with its own arguments or with `args`; from any thread.

        `scope` "run" or "chat" makes a rule: later calls of the same tool run without asking. Raises DecisionRefused
        where the call does not wait any more or the arguments do not fit, and LoopBusy where the run's loop is held up;
        then nothing has changed, and nothing will.
        """
        self._decide(call, Choice(verdict="approve", by="code", args=args, scope=scope))

    def deny(self, call: str | ToolCall, reason: str | None = None, *, scope: Scope = "once") -> None:
        """Deny a pending call; the model reads the reason. From any thread; raises like `approve`."""
        self._decide(call, Choice(verdict="deny", by="code", reason=reason, scope=scope))

    def _decide(self, call: str | ToolCall, choice: Choice) -> None:
        if choice.scope not in get_args(Scope):
            raise InvalidOption(f'scope is "once", "run" or "chat", not {choice.scope!r}.')
        own = replace(choice, args=deepcopy(choice.args))  # whoever gave them may go on changing them
        if not isinstance(call, ToolCall):
            self._driver.decide(call, own)
        elif any(call is known for known in self.tool_calls):  # ids of calls are the same in every run
            self._driver.decide(call.id, own)
        else:
            raise DecisionRefused(f"{call!r} is no call of run {self.id}: decide about it in its own run.")

    def revoke(self, rule_id: str) -> bool:
        """Take back a rule that a decision made; False where there is none. From any thread; raises LoopBusy."""
        return self._driver.revoke(rule_id)

    async def next_pending(self) -> list[ToolCall]:
        """Wait until a call waits for a decision; the calls that do, or none when the run ends first."""
        async for _ in self:
            if held := self.pending:
                return held
        return self.pending

    # -- keeping ----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the run's journal to a file, whole: `load_chat` reads it as a chat of this one run. What was said
        before it stays behind. Raises OSError.
        """
        journal = self._record.journal
        entries = (entry_line(0, item) for item in Cursor(journal))
        write_lines(path, chain([first_line(), run_line(0, None, journal.header)], entries))

    # -- showing ----------------------------------------------------------------------------------------------------

    def _feed(self) -> PatchReader:
        """A new feed of patches for a card. From any thread."""
        return self._record.feed()

    def _event_feed(self) -> EventFeed:
        """A new feed of events for a terminal. From any thread."""
        return self._record.event_feed()

    def _drop_feed(self, feed: PatchReader) -> None:
        """Stop telling a feed. From any thread."""
        self._record.drop_feed(feed)

    def _ipython_display_(self) -> None:
        """Displayed, a run is its card. The one import upwards: who displays it asks the run."""
        from ._notebook.display import display_run

        display_run(self)

    def _repr_mimebundle_(self, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from ._notebook.display import bundle_of

        return bundle_of(self, **how)

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status} {shorten(self.text, 60)!r}>"
