"""What a tool prints goes to its card, not to some cell.

While a tool runs, `sys.stdout` is a switch: text written in the tool's own context (its task, or its thread) goes to
the tool's sink, everything else where it went before. It is taken out when the last tool has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .._process import in_forked_child, lock

__all__ = ["captured"]


_sink: ContextVar[Callable[[str], None] | None] = ContextVar("gemstream_tool_output", default=None)
_lock = lock()
_users = 0


class _Switch:
    def __init__(self, usual: Any) -> None:
        self.usual = usual

    def write(self, text: str) -> int:
        sink = _sink.get()
        if sink is None:
            return int(self.usual.write(text) or 0)
        sink(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.usual, name)


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
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)
        with _lock:
            _users -= 1
            if _users == 0 and isinstance(sys.stdout, _Switch):
                sys.stdout = sys.stdout.usual
