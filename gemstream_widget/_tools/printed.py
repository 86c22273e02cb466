"""What a tool prints goes to its card, not to some cell.

While a tool runs, `sys.stdout` is a switch: text written in the tool's own context (its task, or its thread) goes to
the tool's sink, everything else where it went before. It is taken out when the last tool has ended.

`contextlib.redirect_stdout` puts back what it found, whatever has happened since. One that began while a tool ran puts
back a switch whose tools have ended: it takes itself out as soon as it is used. One that ends while a tool runs takes
the switch out, and what that tool prints then goes to the cell: nothing is lost.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .._process import in_forked_child, lock

__all__ = ["captured"]


_sink: ContextVar[Callable[[str], None] | None] = ContextVar("gemstream_tool_output", default=None)
_lock = lock()
_users = 0
_held = deque["_Switch"](maxlen=64)
"""The last that were put in: `print` of CPython 3.11 holds no reference of its own to the stream it writes to, and goes
on with one that was freed meanwhile (https://github.com/python/cpython/issues/130163).
"""


class _Switch:
    def __init__(self, usual: Any) -> None:
        self.usual = usual

    def write(self, text: str) -> int:
        sink = _sink.get()
        if sink is None:
            return int(_taken_out(self).write(text) or 0)
        sink(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(_taken_out(self), name)


def _taken_out(switch: _Switch) -> Any:
    """What is behind a switch, which is in its place again where no tool runs."""
    with _lock:
        if _users == 0 and sys.stdout is switch:
            sys.stdout = switch.usual
    return switch.usual


def _leave_card() -> None:
    """In a process that a tool forked: its card is the parent's."""
    _sink.set(None)


in_forked_child(_leave_card)


@contextmanager
def captured(sink: Callable[[str], None] | None) -> Iterator[None]:
    """Send what this context prints to `sink`, which may be called on any thread; None: let it go its usual way."""
    if sink is None:
        yield
        return
    global _users  # noqa: PLW0603  # sys.stdout is one per process
    with _lock:
        _users += 1
        if not isinstance(sys.stdout, _Switch):
            sys.stdout = _Switch(sys.stdout)
            _held.append(sys.stdout)
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
        with _lock:
            _users -= 1
            if _users == 0 and isinstance(sys.stdout, _Switch):
                sys.stdout = sys.stdout.usual
