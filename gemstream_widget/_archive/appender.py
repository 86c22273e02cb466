"""Lines appended to a file on a thread of its own: a home may be a network disk, and nobody waits for that.

Whoever has new lines rings (`wake`); the thread gathers for a moment, takes what is new (`pull`), keeps the keys out of
it and writes. So at most half a second is lost when the kernel dies. The thread works in short slices and rests as long
as it worked: the event loop, which needs the interpreter too, never waits more than a few milliseconds for it. It lives
while there is something to write, so that a chat which nobody holds any more is not held by its file.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from .._plain import Json
from .._process import lock
from .._redact import redact, words_of
from .key_filter import KeyFilter
from .lines import encode

__all__ = ["Appender"]

_GATHER_S = 0.2  # what comes in this time is written together
_IDLE_S = 5.0  # after which the thread ends, until the next ring
_SLICE_S = 0.001  # of work in one go
_EXIT_S = 2.0  # for all files together, when the interpreter ends
_BATCH = 1 << 18  # bytes that are written at once

_log = logging.getLogger(__name__)
_at_work: set[Appender] = set()


class Appender:
    """Appends what `pull` gives to the file at `path`, one line of JSON each. Folder and file are made with the first
    line; a file that is there goes on, on a new line.

    `pull` gives the lines that are new since it was last asked, `[]` where none is; the list is the appender's from
    then on. It is called on the thread of the appender only. A disk or `pull` that fails is told once, as a
    warning; nothing more is written then, and nobody is disturbed. A forked child writes nothing.
    """

    def __init__(self, path: str | Path, pull: Callable[[], list[Json]]) -> None:
        self.path = Path(path)
        self.error: Exception | None = None
        """Why nothing is written any more."""
        self._pull = pull
        self._pid = os.getpid()
        self._filter = KeyFilter()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = False
        self._closed = False
        self._starts = lock()
        self._thread: threading.Thread | None = None
        self._file: BinaryIO | None = None  # the thread's own, like the pace
        self._pace = _Pace()

    def wake(self) -> None:
        """Say that there are new lines. From any thread; takes about a microsecond (the first time in a while it starts
        the thread) and never waits for the disk. Does nothing once the disk has failed or the file was closed.
        """
        if self._rung or self._closed or self._pid != os.getpid():
            return
        self._rung = True  # before the thread is looked for: see `_leave`
        if self._thread is None:
            self._start()
        self._bell.put(None)

    def close(self, timeout_s: float) -> bool:
        """Write what is left, and end the thread. False where not everything was written in time, or the disk failed;
        a disk that is only late is waited for by the thread. From any other thread than `pull`'s.
        """
        self._hurry()
        return self._pid != os.getpid() or self._joined(timeout_s)

    def _hurry(self) -> None:
        self._closed = self._pace.hurry = True
        if self._pid == os.getpid():
            self._bell.put(None)

    def _joined(self, timeout_s: float) -> bool:
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return self._thread is None and self.error is None

    def _start(self) -> None:
        with self._starts:
            if self._thread is not None:
                return
            _at_work.add(self)
            _close_with_worker(self._pid)
            self._thread = threading.Thread(target=self._work, name=f"journal {self.path.name}", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as error:  # no more threads can be had
                self._thread = None
                _at_work.discard(self)
                self._fail(OSError(errno.EAGAIN, str(error), str(self.path)))

    # -- on the thread --------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while True:
                rung = self._rings(_IDLE_S)
                if rung and not self._closed:
                    self._rings(_GATHER_S)  # cut short where the file is closed
                last = self._closed or not rung
                self._rung = False  # before the lines are taken: whoever rings from here on is heard
                try:
                    self._append(self._pull(), last)
                except Exception as error:  # also a fault of ours: a thread that ended for it would say nothing
                    self._fail(error)
                    return
                if last and self._leave():
                    return
        finally:
            if self._thread is threading.current_thread():  # not where it left, and another may have taken over
                _at_work.discard(self)

    def _rings(self, timeout_s: float) -> bool:
        try:
            self._bell.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def _leave(self) -> bool:
        """Whether the thread may end. One that rings now either is seen here, or sees that there is no thread."""
        with self._starts:
            self._thread = None
            if self._rung:
                self._thread = threading.current_thread()
                return False
            _at_work.discard(self)
            return True

    def _append(self, lines: list[Json], last: bool) -> None:
        self._pace.begin()
        batch = bytearray()
        for line in self._ready(lines, last):
            encode(line, batch, self._pace.rest)
            if len(batch) >= _BATCH:
                self._write(batch)
                batch = bytearray()
        self._write(batch)
        if last and self._file is not None:
            self._file.close()
            self._file = None

    def _ready(self, lines: list[Json], last: bool) -> Iterator[Json]:
        lines.reverse()
        while lines:  # let go one by one: to free a hundred thousand at once would hold the interpreter
            yield from self._filter.push(lines.pop())
            self._pace.rest()
        if last:
            yield from self._filter.flush()

    def _write(self, batch: bytearray) -> None:
        if not batch:
            return
        if self._file is None:
            self._file = _open(self.path)
        left = memoryview(batch)
        while left:  # without a buffer of Python's a write may take less than it is given
            left = left[self._file.write(left) :]
        self._pace.begin()  # the disk is waited for without the interpreter

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._closed = True
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        told = redact(str(self.path)), words_of(error)
        _log.warning("%s cannot be written: %s. What is said from now on is not kept in it.", *told)


class _Pace:
    """Work in slices, with as much rest between them."""

    def __init__(self) -> None:
        self.hurry = False
        self._began = 0.0

    def begin(self) -> None:
        self._began = time.perf_counter()

    def rest(self) -> None:
        worked_s = time.perf_counter() - self._began
        if worked_s >= _SLICE_S:
            time.sleep(0 if self.hurry else worked_s)  # even the shortest sleep lets others have the interpreter
            self.begin()


def _open(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open(path, "a+b", buffering=0)  # noqa: SIM115  # closed where it is written
    if os.fstat(file.fileno()).st_size:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":  # a kernel died in the middle of a line
            file.write(b"\n")
    return file


def _close_all() -> None:
    """When the interpreter ends: one wait for all files, however slow their disks are."""
    until = time.monotonic() + _EXIT_S
    at_work = [appender for appender in list(_at_work) if appender._pid == os.getpid()]
    for appender in at_work:
        appender._hurry()
    for appender in at_work:
        if not appender._joined(max(0.0, until - time.monotonic())) and appender.error is None:
            _log.warning("%s was not written to its end: the disk is too slow.", redact(str(appender.path)))


atexit.register(_close_all)


@cache
def _close_with_worker(pid: int) -> None:
    """Have them closed at the end of a process of multiprocessing, too, where nothing that `atexit` knows is called."""
    workers: Any = sys.modules.get("multiprocessing.util")
    if workers is not None:
        workers.Finalize(None, _close_all, exitpriority=0)
