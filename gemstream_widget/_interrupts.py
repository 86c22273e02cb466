"""Ctrl+C where a run is awaited, and where it strikes a task of ours.

Python's own handler raises KeyboardInterrupt wherever the main thread is, which with an event loop is mostly in the
loop itself: it ends, and no task is told, so that what was awaited goes on. `asyncio.run` and ipykernel therefore
cancel the task that they run instead. An IPython terminal and `loop.run_until_complete` do not; there whoever awaits a
run takes the interrupt, for as long as it awaits, and the loop lives to carry out the Stop.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Interruptible", "pass_on", "struck"]

_waits: list[Interruptible] = []
"""Those that are open. Of the main thread alone, as signals are."""


def struck(error: BaseException) -> bool:
    """Whether this is a Ctrl+C that struck here. On any other thread it is somebody's own exception."""
    return isinstance(error, KeyboardInterrupt) and _is_main()


def pass_on() -> None:
    """Hand on a Ctrl+C that struck a task of ours, to whoever it would have reached elsewhere: raised in the task it
    would end the loop, and in a kernel all there is. On the running loop.
    """
    if _is_main():
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)


class Interruptible:
    """Entered by a task while it awaits: Ctrl+C then cancels the task that the loop runs for, as `asyncio.run` does.
    Where that is this very task, leaving raises KeyboardInterrupt, in the line that awaits. A second Ctrl+C is raised
    at once. Of no effect on other threads and where somebody else has taken the interrupt (`asyncio.run`, a kernel).
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._is_open = False
        self._heard = False
        self._raises = False

    def __enter__(self) -> Self:
        if _is_main() and signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _hear):
            _waits.append(self)
            self._is_open = True
            signal.signal(signal.SIGINT, _hear)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        __tracebackhide__ = True  # what the reader awaits is what IPython is to show
        if not self._is_open:
            return
        self._is_open = False
        _waits.remove(self)
        if not _waits and signal.getsignal(signal.SIGINT) is _hear:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._raises:
            if self._task is not None and isinstance(error, asyncio.CancelledError):
                self._task.uncancel()
            raise KeyboardInterrupt from None

    def _interrupt(self, root: asyncio.Future[Any] | None) -> None:
        self._heard = True
        if root is None or root is self._task:
            self._raises = True
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._is_open and self._task is not None:  # else leaving has raised
            self._task.cancel()


def _hear(signum: int, frame: FrameType | None) -> None:
    """In place of Python's own handler. Runs between two instructions of the main thread: it only hands over."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    waits = [wait for wait in _waits if wait._loop is loop]
    if loop is None or not waits or any(wait._heard for wait in waits):
        for wait in waits:
            wait._raises = False  # what is raised here is not raised again when the loop goes on
        signal.default_int_handler(signum, frame)
        return
    root = _root(frame)
    for wait in waits:
        wait._interrupt(root)
    if root is not None and all(wait._task is not root for wait in waits):
        loop.call_soon_threadsafe(root.cancel)


def _root(frame: FrameType | None) -> asyncio.Future[Any] | None:
    """The task that the loop runs for: `run_until_complete` is further down the stack, and knows it. None where the
    loop is of another make.
    """
    code = asyncio.BaseEventLoop.run_until_complete.__code__
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    found = None if frame is None else frame.f_locals.get("future")
    return found if isinstance(found, asyncio.Future) else None


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
