"""Acting: the calls of one step, decided and run side by side, each to exactly one response.

Everything happens on the run's loop, so that of approve, deny, timeout and Stop one wins: whoever comes first changes
the call's state, and the state refuses the others. A tool starts only in a task that has seen its approval; a Stop
cancels that task, and a task that was cancelled before its tool began never begins it.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from .._plain import Wire
from .._redact import redact, redact_all, words_of
from .._stream.events import CallStateChanged, Event, Printed, RulesChanged
from .._stream.machine import CALL_TABLE, next_state
from .._stream.parts import CallPart, DecidedBy, Decision, Scope
from .._tools.policy import Choice, Policy, RuleBook, Verdict, fingerprint, judge
from .._tools.printed import captured
from .._tools.results import error_response, readable
from .._tools.tool import Tool
from ..errors import DecisionRefused, ToolError, ToolTimedOut

__all__ = ["Acting"]


MAX_PRINTED = 20_000
"""Characters of a tool's output that its card keeps."""


class Acting:
    """The calls of one step, decided and run at once, on the running loop. Cancelling `task` ends what can be ended.

    `publish` records and tells events, `now` is the run's clock, `otid` the next number.
    """

    def __init__(
        self,
        parts: Sequence[CallPart],
        *,
        run: str,
        tools: dict[str, Tool],
        policy: Policy,
        rules: RuleBook,
        approval_timeout_s: float | None,
        tool_timeout_s: float | None,
        stopped: Callable[[], bool],
        publish: Callable[[Iterable[Event]], None],
        now: Callable[[], float],
        otid: Callable[[], int],
    ) -> None:
        self._parts = {p.call.id: p for p in parts}
        self._run = run
        self._tools = tools
        self._policy = policy
        self._rules = rules
        self._approval_timeout_s = approval_timeout_s
        self._tool_timeout_s = tool_timeout_s
        self._stopped = stopped
        self._publish = publish
        self._now = now
        self._otid = otid
        self._decided: dict[str, asyncio.Future[None]] = {}
        loop = asyncio.get_running_loop()
        self._left: asyncio.Future[None] = loop.create_future()
        self.task = loop.create_task(self._settle(), name=f"gemstream acting {run}")

    async def settled(self) -> None:
        """Wait until each call has its response, or until `leave`. Raises what broke in between."""
        await asyncio.wait({self.task, self._left}, return_when=asyncio.FIRST_COMPLETED)
        if self.task.done() and not self.task.cancelled():
            self.task.result()

    def leave(self) -> None:
        """Let whoever waits in `settled` go on, although a tool has not ended."""
        if not self._left.done():
            self._left.set_result(None)

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        tasks = [
            loop.create_task(self._one(p), name=f"gemstream {self._run} {p.call.id}") for p in self._parts.values()
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def decide(self, call_id: str, choice: Choice) -> None:
        """Approve or deny a call that waits. Raises DecisionRefused, and then nothing has changed."""
        part = self._parts.get(call_id)
        if part is None or part.call.state != "awaiting_approval":
            state = f"it is {part.call.state}" if part else "there is no such call in this step"
            raise DecisionRefused(f"Call {call_id} is not waiting for a decision: {state}.")
        call = part.call
        if choice.shown is not None and choice.shown != call.hash:
            raise DecisionRefused(f"Call {call_id} is not what was shown any more: look at it again, then decide.")
        used = call.args if choice.args is None else choice.args
        if choice.verdict == "approve":
            try:
                self._tools[call.name].check(used)
            except ToolError as error:
                raise DecisionRefused(f"{error} Nothing was run; the call still waits.") from error
        if choice.scope != "once":
            verdict: Verdict = "auto" if choice.verdict == "approve" else "never"
            self._rules.add(call.name, choice.scope, verdict, self._run)
            self._publish([RulesChanged(self._rules.shown_in(self._run))])
        self._settled(part, choice.verdict, choice.by, choice.reason, choice.scope, used)

    def _settled(
        self,
        part: CallPart,
        event: Literal["approve", "deny", "timeout", "auto", "never"],
        by: DecidedBy,
        reason: str | None = None,
        scope: Scope = "once",
        used: Wire | None = None,
    ) -> None:
        """The one place where a call is decided: state, decision and, for a denial, the response change together."""
        call = part.call
        approved = event in ("approve", "auto")
        used = call.args if used is None else used
        decision = Decision(
            call=call.id,
            otid=self._otid(),
            verdict="approved" if approved else "denied",
            by=by,
            reason=reason or None,
            edited=approved and used != call.args,
            scope=scope,
            at_s=self._now(),
        )
        fields: Wire = {"decision": decision, "hash": None, "deadline_s": None}
        if approved:
            fields |= {"used_args": used, "started_s": self._now()}
        else:
            fields |= {"result": error_response(_denied(by, reason)), "ended_s": self._now()}
        self._change(part, event, fields)
        future = self._decided.get(call.id)
        if future is not None and not future.done():
            future.set_result(None)

    def _change(self, part: CallPart, event: str, fields: Wire) -> None:
        state = next_state(CALL_TABLE, part.call.state, event)
        self._publish([CallStateChanged(part.call.id, part.index, state, fields)])

    async def _one(self, part: CallPart) -> None:
        call = part.call
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            self._refuse(part, f"There is no tool named {call.name!r}; tools are: {known}.")
            return
        try:
            tool.check(call.args)
        except ToolError as error:
            self._refuse(part, str(error))
            return
        await self._approval(part, tool)
        if call.state == "running":
            await self._execute(part, tool)

    def _refuse(self, part: CallPart, words: str) -> None:
        self._change(part, "refused", {"error": words, "result": error_response(words), "ended_s": self._now()})

    async def _approval(self, part: CallPart, tool: Tool) -> None:
        """Return when the call is decided: by a rule, by its policy, by a person, or by the time that ran out."""
        call = part.call
        ruled = self._rules.verdict(call.name, self._run)
        verdict, reason = (ruled, None) if ruled else judge(tool.approve or self._policy, call)
        if call.state == "awaiting_approval":  # somebody was asked before the chat was saved: no policy takes that back
            ruled, verdict, reason = None, "ask", call.error
        described: Wire = {"doc": tool.doc.partition("\n")[0], "schema": tool.parameters}
        if verdict != "ask":
            self._publish([CallStateChanged(call.id, part.index, call.state, described)])
            self._settled(part, verdict, "rule" if ruled else "policy", reason)
            return
        self._decided[call.id] = decided = asyncio.get_running_loop().create_future()
        deadline = None if self._approval_timeout_s is None else self._now() + self._approval_timeout_s
        asked = {"hash": fingerprint(call.name, call.args), "deadline_s": deadline, "error": reason}
        self._change(part, "ask", described | asked)
        await asyncio.wait({decided}, timeout=self._approval_timeout_s)
        if not decided.done():
            self._settled(part, "timeout", "timeout", f"nobody decided within {self._approval_timeout_s:g} s")

    async def _execute(self, part: CallPart, tool: Tool) -> None:
        loop = asyncio.get_running_loop()
        room = MAX_PRINTED

        def printed(text: str) -> None:
            nonlocal room
            if text and room > 0:
                text = redact(text, addresses=False)
                text, room = text[:room], room - len(text)
                event = Printed(part.call.id, part.index, text if room > 0 else f"{text}\n(more output is not kept)")
                loop.call_soon_threadsafe(self._tell_print, part, event)

        fields: Wire = {"error": None}
        event = "returned"
        try:
            values = tool.check(part.call.used_args or {})
            with captured(printed):
                value = await tool.run(values, self._tool_timeout_s, stopped=self._stopped)
            result, display = readable(value)
            fields["result"] = redact_all(result, addresses=False)
            is_image = display["kind"] == "image"  # no text, and large
            fields["display"] = display if is_image else redact_all(display, addresses=False)
        except ToolTimedOut as error:
            event, words = "timeout", str(error)
            fields |= {"error": words, "result": error_response(words)}
        except BaseException as error:  # also SystemExit: a tool must not end the kernel
            if isinstance(error, asyncio.CancelledError) and (self._stopped() or _cancelled()):  # not by the tool
                raise
            event, words = "raised", words_of(error)
            shown = redact("".join(traceback.format_exception(error)))
            fields |= {"error": words, "traceback": shown, "result": error_response(words)}
        if part.call.state == "running":  # else it was stopped, and went on regardless: too late for the history
            self._change(part, event, fields | {"ended_s": self._now()})

    def _tell_print(self, part: CallPart, event: Printed) -> None:
        if part.call.state == "running":
            self._publish([event])


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _denied(by: DecidedBy, reason: str | None) -> str:
    who = {"policy": "a policy", "rule": "a rule of the user", "timeout": "nobody in time"}.get(by, "the user")
    said = f" Reason: {reason}" if reason else ""
    return (
        f"The call was not run: it was not approved by {who}.{said}" if by == "timeout" else f"Denied by {who}.{said}"
    )
