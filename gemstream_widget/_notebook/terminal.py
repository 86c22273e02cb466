"""Showing a run where there is no page: in an IPython terminal and in a console of a kernel, as plain text.

A kernel does not know who shows its output. The ids of the messages of jupyter_client, in which consoles are written,
name the process that sent them; if that is a console of this machine, it shows text and no widgets. Any other frontend
gets a card.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from contextvars import copy_context
from functools import cache
from typing import Any

from .._plain import counted, shorten
from .._process import lock, rlock
from .._run import Run, runs
from .._shell import kernel_shell, message_of, terminal_shell
from .._stream.events import (
    CallStateChanged,
    Event,
    PartStarted,
    Printed,
    RetryScheduled,
    RunEnded,
    StepStarted,
    TextAdded,
)
from .._stream.parts import CallPart, ToolCall

__all__ = ["Transcript", "is_terminal", "print_run"]

_SENDER = re.compile(r"[\w-]+_(\d+)_\d+")
"""How jupyter_client makes the id of a message: session, process, number."""
_CONSOLES = ("jupyter-console", "jupyter_console", "qtconsole")
_CONTROLS = {**{c: 0x2400 + c for c in range(32)}, 127: 0x2421, **dict.fromkeys(range(128, 160), 0xFFFD), 13: None}
_SHOWN = {code: told for code, told in _CONTROLS.items() if code not in (9, 10)}
"""Control characters of a model would be the terminal's orders: each becomes its picture."""
_MOST = 200
"""Characters of arguments and results in a line; what waits for a decision is shown whole."""


def is_terminal() -> bool:
    """Whether whoever runs the current cell shows text, and no cards."""
    return terminal_shell() is not None or _is_console()


def _is_console() -> bool:
    sender = _SENDER.fullmatch(str(message_of(kernel_shell())["header"].get("msg_id", "")))
    return sender is not None and _names_console(int(sender[1]))


@cache
def _names_console(pid: int) -> bool:
    """Whether a process of this machine is a console. Where it cannot be seen, it is none."""
    try:
        import psutil  # type: ignore[import-untyped]  # ipykernel brings it

        command = psutil.Process(pid).cmdline()[:3]
    except Exception:
        return False
    return any(name in os.path.basename(word) for word in command for name in _CONSOLES)


_going: dict[Run, Transcript] = {}  # the record holds whoever reads it weakly


def print_run(run: Run) -> None:
    """Print a run as it comes, from its start; returns at once. One that is printed already goes on here."""
    if (before := _going.get(run)) is not None:
        before.end()
    transcript = _going[run] = Transcript(run)
    transcript.begin()


class _Desk:
    """What was printed last, and by whom: several runs may print at once, on several threads."""

    def __init__(self) -> None:
        self.lock = rlock()
        self.writer: Transcript | None = None
        self.is_in_line = False


_desk = _Desk()


class Transcript:
    """One run as text. Prints on the thread on which things happen, as the cell that it was made in."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._feed = run._event_feed()
        self._context = copy_context()  # what a tool prints would else be printed by the tool, again
        self._printing = lock()
        self._has_news = False
        self._kind = ""  # of what was printed last: "thought", "text" or "line"
        is_styled = kernel_shell() is not None or sys.stdout.isatty()
        self._is_styled = is_styled and not os.environ.get("NO_COLOR")

    def begin(self) -> None:
        """Print what there is, and go on with what comes."""
        if self._feed.fold.state.demo:
            self._line("(demo: the local Gemini answers)")
        self._feed.changed = self._print
        self._print()

    def end(self) -> None:
        """Print no more."""
        self._feed.changed = lambda: None
        _going.pop(self.run, None)

    def _print(self) -> None:
        """Whoever comes while another thread prints leaves it to that."""
        self._has_news = True
        while self._has_news and self._printing.acquire(blocking=False):
            try:
                self._has_news = False
                while events := self._feed.take():
                    for event in events:
                        if (told := _TOLD.get(type(event))) is not None:
                            told(self, event)
            finally:
                self._printing.release()

    # -- event by event ---------------------------------------------------------------------------------------------

    def _step_started(self, event: StepStarted) -> None:
        self._kind = ""

    def _part_started(self, event: PartStarted) -> None:
        if event.kind == "text":
            self._text("thought" if event.thought else "text", event.text or "")
        elif event.kind != "call":
            held = (value for value in event.raw.values() if isinstance(value, dict))
            told = [str(value[name]).rstrip() for value in held for name in ("code", "output") if value.get(name)]
            self._line("\n".join([f"[{event.kind.replace('_', ' ')}]", *told]))

    def _text_added(self, event: TextAdded) -> None:
        part = self._feed.fold.state.parts[event.part]
        self._text("thought" if part.thought else "text", event.text)

    def _call_changed(self, event: CallStateChanged) -> None:
        part = self._feed.fold.state.parts[event.part]
        words = _CALLS.get(event.state)
        if words is not None and isinstance(part, CallPart):
            self._line(words(self.run, part.call))

    def _printed(self, event: Printed) -> None:
        self._put(event.text, dim=True)
        self._kind = "line"

    def _retry(self, event: RetryScheduled) -> None:
        retry = event.retry
        self._line(f"[attempt {retry.attempt} of {retry.of} failed: {retry.title}; it is sent again]")

    def _ended(self, event: RunEnded) -> None:
        self.end()
        if event.error is not None:
            self._line(f"[failed: {event.error['title']}. {event.error['message']} {event.error['hint']}]")
        elif event.receipt is not None:
            by = "Ctrl+C" if event.receipt.by == "interrupt" else event.receipt.by
            kept = counted(len(self.run.text), "character")
            self._line(f"[stopped by {by}: {kept} of text kept]")
        elif event.notice is not None:
            self._line(f"[{event.notice['title']}. {event.notice['message']}]")
        self._end_line()

    # -- on the screen ----------------------------------------------------------------------------------------------

    def _text(self, kind: str, text: str) -> None:
        """A piece of text or reasoning, which goes on in the same line."""
        if not text:
            return
        if kind != self._kind:
            if self._kind:
                self._end_line()
                self._put("\n")
            if kind == "thought":
                self._put("Reasoning:\n", dim=True)
            elif self._kind == "thought" and not self._is_styled:
                self._put("Answer:\n")
        self._kind = kind
        self._put(text, dim=kind == "thought")

    def _line(self, words: str) -> None:
        """Words of ours, in a line of their own."""
        self._end_line()
        self._put(f"{words}\n", dim=True)
        self._kind = "line"

    def _end_line(self) -> None:
        if _desk.is_in_line and _desk.writer is self:
            self._put("\n")

    def _put(self, text: str, *, dim: bool = False) -> None:
        shown = text.translate(_SHOWN)
        with _desk.lock:
            if _desk.writer is not self:
                last = None if _desk.writer is None else _desk.writer.run
                others = last is not None and last is not self.run and last in _going
                before = "\n" if _desk.is_in_line else ""
                shown = f"{before}[{self.run.id}]\n{shown}" if others else f"{before}{shown}"
                _desk.writer = self
            _desk.is_in_line = not shown.endswith("\n")
            styled = f"\x1b[2m{shown}\x1b[0m" if dim and self._is_styled else shown
            self._context.copy().run(_write, styled)


def _write(text: str) -> None:
    """To wherever output goes now. Above a prompt only whole lines can stand: there it is not flushed in between."""
    out = sys.stdout
    out.write(text)
    prompts = sys.modules.get("prompt_toolkit.patch_stdout")
    if prompts is None or not isinstance(out, prompts.StdoutProxy):
        out.flush()


def _signed(call: ToolCall, most: int | None = _MOST) -> str:
    """A call as it is written in Python, each character to be seen."""
    args = call.args if call.used_args is None else call.used_args
    said = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in args.items())
    said = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in f"{call.name}({said})")
    return said if most is None else shorten(said, most)


def _asks(run: Run, call: ToolCall) -> str:
    going = runs()
    place = going.index(run) - len(going) if run in going else -1
    return (
        f"[{_signed(call, None)} waits for you. At the prompt: gem.runs()[{place}].approve({call.id!r}) or "
        f'.deny({call.id!r}, "why"). Where a cell awaits the run there is none: Ctrl+C stops it; ask without await.]'
    )


def _returned(run: Run, call: ToolCall) -> str:
    return f"[{call.name} returned {shorten(json.dumps(call.result, ensure_ascii=False, default=str), _MOST)}]"


_CALLS: dict[str, Callable[[Run, ToolCall], str]] = {
    "awaiting_approval": _asks,
    "running": lambda run, call: f"[{_signed(call)} runs]",
    "succeeded": _returned,
    "failed": lambda run, call: f"[{call.name} failed: {call.error or 'no reason given'}]",
    "denied": lambda run, call: f"[{_signed(call)} was denied]",
    "cancelled": lambda run, call: f"[{_signed(call)} was stopped]",
}
"""What is told of a call, by the state it came to."""

_TOLD: dict[type[Event], Callable[[Transcript, Any], None]] = {
    StepStarted: Transcript._step_started,
    PartStarted: Transcript._part_started,
    TextAdded: Transcript._text_added,
    CallStateChanged: Transcript._call_changed,
    Printed: Transcript._printed,
    RetryScheduled: Transcript._retry,
    RunEnded: Transcript._ended,
}
