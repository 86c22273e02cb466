"""The event loop a run lives on: the caller's own, or one in a thread that goes on while a cell blocks the kernel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from ..errors import NoRunningLoop

__all__ = ["Runner", "call_on", "loop_for", "running_loop"]


Runner: TypeAlias = Literal["loop", "thread"]
T = TypeVar("T")

_lock = threading.Lock()
_thread_loop: asyncio.AbstractEventLoop | None = None


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs on this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def call_on(loop: asyncio.AbstractEventLoop | None, call: Callable[[], T]) -> T:
    """Call something on a loop, or here where that loop is this thread's, closed or None. From any thread; returns and
    raises what the call does, and TimeoutError where the loop does not get to it within 10 s.
    """
    if loop is None or loop.is_closed() or running_loop() is loop:
        return call()

    async def there() -> T:
        return call()

    return asyncio.run_coroutine_threadsafe(there(), loop).result(timeout=10)


def loop_for(runner: Runner) -> asyncio.AbstractEventLoop:
    """The loop for a run. "loop": the running one, else NoRunningLoop is raised. "thread": one loop for all such runs,
    on a daemon thread that starts on first use.
    """
    if runner == "loop":
        loop = running_loop()
        if loop is None:
            raise NoRunningLoop
        return loop
    if runner == "thread":
        return _loop_in_thread()
    raise ValueError(f'runner is "loop" or "thread", not {runner!r}')


def _loop_in_thread() -> asyncio.AbstractEventLoop:
    global _thread_loop  # noqa: PLW0603  # one per process, guarded by the lock
    with _lock:
        if _thread_loop is None:
            _thread_loop = asyncio.new_event_loop()
            threading.Thread(target=_thread_loop.run_forever, name="gemstream", daemon=True).start()
        return _thread_loop
