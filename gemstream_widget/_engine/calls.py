"""Calls: the calls of one step, decided and run side by side, each to exactly one response.

Everything happens on the run's loop, so that of approve, deny, timeout and Stop one wins: whoever comes first changes
the call's state, and the state refuses the others. A tool starts only in a task that has seen its approval; a Stop
cancels that task, and a task that was cancelled before its tool began never begins it.

What was shown is what runs: arguments are copied when the call is taken up, when a decision names its own, and again
for the tool, so that nobody who holds one of them changes another.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from .._interrupts import struck
from .._plain import Json, clean_text
from .._redact import redact, redact_all, words_of
from .._stream.entries import Ask, Decide, Print, Refuse, Result, Rules
from .._stream.entries import Tool as ToolEntry
from .._stream.parts import CallPart, DecidedBy, Scope
from .._stream.record import Record
from .._tools.policy import Choice, RuleBook, Verdict, decide, fingerprint
from .._tools.results import error_response
from .._tools.tool import Tool
from ..errors import DecisionRefused, ToolError, ToolTimedOut
from .options import Options

__all__ = ["Calls"]

MAX_PRINTED = 20_000
"""Characters of a tool's output that its card keeps."""


class Calls:
    """The calls of one step, on one loop. `stopped` tells whether a Stop came; `rules` are the chat's; `interrupted`
    is called where a Ctrl+C strikes a call.
    """

    task: asyncio.Task[None]
    """Runs them all, from `start` on. Cancelling it ends what can be ended."""

    def __init__(
        self,
        parts: Sequence[CallPart],
        record: Record,
        options: Options,
        rules: RuleBook,
        stopped: Callable[[], bool],
        interrupted: Callable[[], None],
    ) -> None:
        self._parts = {p.call.id: p for p in parts}
        self._args = {p.call.id: p.call.args for p in parts}  # as the model sent them, and as they are shown
        self._record = record
        self._options = options
        self._rules = rules
        self._stopped = stopped
        self._interrupted = interrupted
        self._decided: dict[str, asyncio.Future[None]] = {}

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        self._abandoned: asyncio.Future[None] = loop.create_future()
        self.task = loop.create_task(self._guard(self._run_all), name=f"gemstream calls {self._record.id}")

    async def wait(self) -> None:
        """Return when each call has its response, or after `abandon`. Raises what broke in between."""
        await asyncio.wait({self.task, self._abandoned}, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done() and not self.task.cancelled():
            self.task.result()

    def abandon(self) -> None:
        """Let whoever is in `wait` go on, although a tool has not ended."""
        if not self._abandoned.done():
            self._abandoned.set_result(None)

    def decide(self, call_id: str, choice: Choice) -> None:
        """Approve or deny a call that waits. Raises DecisionRefused, and then nothing has changed."""
        part = self._parts.get(call_id)
        if part is None or part.call.state != "awaiting_approval":
            state = f"it is {part.call.state}" if part else "there is no such call in this step"
            raise DecisionRefused(f"Call {call_id} is not waiting for a decision: {state}.")
        call = part.call
        if choice.shown is not None and choice.shown != call.hash:
            raise DecisionRefused(f"Call {call_id} is not what was shown any more: look at it again, then decide.")
        args = None if choice.args is None else deepcopy(choice.args)
        if choice.verdict == "approve":
            used = deepcopy(self._args[call_id] if args is None else args)
            _require_json(call_id, used)
            try:
                self._options.tools.ours[call.name].check(used)
            except ToolError as error:
                raise DecisionRefused(f"{error} Nothing was run; the call still waits.") from error
        if choice.scope != "once":
            verdict: Verdict = "auto" if choice.verdict == "approve" else "never"
            self._rules.add(call.name, choice.scope, verdict, self._record.id)
            self._record.add(Rules(self._record.now(), self._rules.shown_in(self._record.id)))
        self._record_decision(part, choice.verdict, choice.by, choice.reason, choice.scope, args)

    def _record_decision(
        self,
        part: CallPart,
        event: Literal["approve", "deny", "timeout", "auto", "never"],
        by: DecidedBy,
        reason: str | None = None,
        scope: Scope = "once",
        args: Json | None = None,
    ) -> None:
        """The one place where a call is decided: state, decision and, for a denial, the response change together."""
        call, reason = part.call, clean_text(reason or "") or None
        approved = event in ("approve", "auto")
        used = args if approved and args is not None else None
        denied = None if approved else error_response(_denied(by, reason))
        self._record.add(Decide(self._record.now(), call.id, event, by, reason, scope, deepcopy(used), denied))
        if used is not None:
            self._args[call.id] = used
        future = self._decided.get(call.id)
        if future is not None and not future.done():
            future.set_result(None)

    # -- one call after another step: known and fitting, decided, run ------------------------------------------------

    async def _run_all(self) -> None:
        tasks = [self._task(part) for part in self._parts.values()]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def _task(self, part: CallPart) -> asyncio.Task[None]:
        name = f"gemstream {self._record.id} {part.call.id}"
        return asyncio.get_running_loop().create_task(self._guard(partial(self._run, part)), name=name)

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """What a task does, which a Ctrl+C may strike: raised in a task it would end the loop. The coroutine is made
        here: one that was made before is never awaited where the task is cancelled before it begins.
        """
        try:
            await work()
        except KeyboardInterrupt:
            self._interrupted()
            raise asyncio.CancelledError from None

    async def _run(self, part: CallPart) -> None:
        call, ours = part.call, self._options.tools.ours
        tool = ours.get(call.name)
        if tool is None:
            self._refuse(part, f"There is no tool named {call.name!r}; tools are: {', '.join(ours) or 'none'}.")
            return
        try:
            tool.check(deepcopy(self._args[call.id]))
        except ToolError as error:
            self._refuse(part, str(error))
            return
        await self._await_decision(part, tool)
        if call.state == "running":
            result = await self._outcome(part, tool)
            if call.state == "running":  # else it was stopped, and went on regardless: too late for the history
                self._record.add(result)

    def _refuse(self, part: CallPart, words: str) -> None:
        self._record.add(Refuse(self._record.now(), part.call.id, words, error_response(words)))

    async def _await_decision(self, part: CallPart, tool: Tool) -> None:
        """Return when the call is decided: by a rule, by its policy, by a person, or by the time that ran out."""
        call, timeout_s = part.call, self._options.approval_timeout_s
        if call.decision is not None:  # of a restored run: decided before it was asked about again
            return
        ruled = self._rules.verdict(call.name, self._record.id)
        args, schema = deepcopy(self._args[call.id]), deepcopy(tool.parameters)
        seen = replace(call, live_args=args, schema=schema)  # a policy may keep it, and change it
        gets = partial(tool.converted, deepcopy(args))
        verdict, by, reason = decide(seen, own=tool.approve, chat=self._options.approve, ruled=ruled, gets=gets)
        if call.state == "awaiting_approval":  # somebody was asked before the chat was saved: no policy takes that back
            verdict, reason = "ask", call.error
        doc = tool.doc.partition("\n")[0]
        self._record.add(ToolEntry(self._record.now(), call.id, doc, deepcopy(tool.parameters)))
        if verdict != "ask":
            self._record_decision(part, verdict, by, reason)
            return
        self._decided[call.id] = decided = asyncio.get_running_loop().create_future()
        now, shown = self._record.now(), fingerprint(call.name, self._args[call.id])
        self._record.add(Ask(now, call.id, shown, None if timeout_s is None else now + timeout_s, reason))
        await asyncio.wait({decided}, timeout=timeout_s)
        if not decided.done():
            self._record_decision(part, "timeout", "timeout", f"nobody decided within {timeout_s:g} s")

    async def _outcome(self, part: CallPart, tool: Tool) -> Result:
        """Run the tool, and tell how it ended."""
        now, call = self._record.now, part.call.id
        try:
            values = tool.check(deepcopy(self._args[call]))
            limit_s, printed = self._options.tool_timeout_s, self._printer(part)
            result, display = await tool.run(values, limit_s, stopped=self._stopped, printed=printed)
            if display["kind"] != "image":  # that is no text, and large
                display = redact_all(display, addresses=False)
            return Result(now(), call, "returned", redact_all(result, addresses=False), display)
        except ToolTimedOut as error:
            words = str(error)
            return Result(now(), call, "timeout", error_response(words), error=words)
        except BaseException as error:  # also SystemExit: a tool must not end the kernel
            if isinstance(error, asyncio.CancelledError) and (self._stopped() or _cancelled()):  # not by the tool
                raise
            if struck(error):
                raise
            words, shown = words_of(error), redact("".join(traceback.format_exception(error)))
            return Result(now(), call, "raised", error_response(words), error=words, traceback=shown)

    def _printer(self, part: CallPart) -> Callable[[str], None]:
        """What takes the tool's output, a piece at a time and on any thread, as far as the card has room for it."""
        loop, room = asyncio.get_running_loop(), MAX_PRINTED

        def printed(text: str) -> None:
            nonlocal room
            if text and room > 0:
                text = redact(clean_text(text), addresses=False)
                text, room = text[:room], room - len(text)
                text = text if room > 0 else f"{text}\n(more output is not kept)"
                with suppress(RuntimeError):  # a tool that was abandoned outlives even its loop
                    loop.call_soon_threadsafe(self._tell_printed, part, text)

        return printed

    def _tell_printed(self, part: CallPart, text: str) -> None:
        if part.call.state == "running":
            self._record.add(Print(self._record.now(), part.call.id, text))


def _require_json(call_id: str, args: Json) -> None:
    """What no page could be shown is not approved."""
    try:
        json.dumps(args, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DecisionRefused(
            f"The arguments for call {call_id} are not JSON: {error}. Nothing was run; the call still waits."
        ) from None


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _denied(by: DecidedBy, reason: str | None) -> str:
    who = {"policy": "a policy", "rule": "a rule of the user"}.get(by, "the user")
    said = f" Reason: {reason}" if reason else ""
    return f"The call was not run: nobody approved it in time.{said}" if by == "timeout" else f"Denied by {who}.{said}"
