"""The event loop a run lives on: the caller's own, or one in a thread that goes on while a cell blocks the kernel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Literal, TypeAlias, TypeVar

from .._interrupts import pass_on, struck
from .._process import in_forked_child, lock
from .._shell import terminal_shell
from ..errors import LoopBusy, NoRunningLoop

__all__ = ["Runner", "call_on", "loop_for", "running_loop"]

Runner: TypeAlias = Literal["loop", "thread"]
T = TypeVar("T")

_PATIENCE_S = 10.0
_STILL_S = 0.5
"""How long a loop may stand still between two that run it, before it counts as one that nobody runs."""

_lock = lock()
_thread: tuple[threading.Thread, asyncio.AbstractEventLoop] | None = None


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs on this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def call_on(loop: asyncio.AbstractEventLoop | None, call: Callable[[], T]) -> T:
    """Call something on a loop, or here where that loop is this thread's, closed or None. From any thread; returns and
    raises what the call does. Raises LoopBusy where the loop does not get to it within 10 s, or nobody runs it: then
    the call is never made, however late the loop comes to it.
    """
    if loop is None or loop.is_closed() or running_loop() is loop:
        return call()
    answer: Future[T] = Future()

    def make() -> None:
        # The future is the one claim: the loop takes it before it calls, the waiter when its patience is over, and
        # whoever comes second gives way. A failure that was told is then never followed by the deed.
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)
            if struck(error):
                pass_on()

    try:
        loop.call_soon_threadsafe(make)
    except RuntimeError:  # closed in between
        return call()
    late = False
    try:
        wait({answer}, timeout=min(_STILL_S, _PATIENCE_S))
        if loop.is_running() and _PATIENCE_S > _STILL_S:
            wait({answer}, timeout=_PATIENCE_S - _STILL_S)
    finally:  # an interrupt of the wait gives up as well
        late = answer.cancel()
    if late:
        raise LoopBusy(_PATIENCE_S) if loop.is_running() else LoopBusy(_STILL_S, is_running=False)
    return answer.result()


def loop_for(runner: Runner | None) -> asyncio.AbstractEventLoop:
    """The loop for a run. "loop": the running one, else NoRunningLoop is raised. "thread": one loop for all such runs,
    on a daemon thread that starts on first use. None: the running one, and "thread" in an IPython terminal, whose own
    stands still between cells, and with it would the answer and every Stop.
    """
    if runner == "thread" or (runner is None and terminal_shell() is not None):
        return _loop_in_thread()
    loop = running_loop()
    if loop is None:
        raise NoRunningLoop
    return loop


def _loop_in_thread() -> asyncio.AbstractEventLoop:
    global _thread  # noqa: PLW0603  # one per process, guarded by the lock
    with _lock:
        if _thread is None or not _thread[0].is_alive():  # something of the user's may have ended it
            loop = asyncio.new_event_loop()
            running = threading.Event()
            loop.call_soon(running.set)
            _thread = threading.Thread(target=loop.run_forever, name="gemstream", daemon=True), loop
            _thread[0].start()
            running.wait()  # whoever looks at it takes one that does not run for one that stands still
        return _thread[1]


def _forget_thread() -> None:
    """A forked child has the loop of its parent, but not the thread that ran it."""
    global _thread  # noqa: PLW0603
    _thread = None


in_forked_child(_forget_thread)
