"""How the local Gemini begins: from many threads at once, where it cannot, and in a forked process."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gemstream_widget.server import LocalGemini, local

from .local import play, said


def server_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "LocalGemini"]


def at_once(work: Any, count: int = 16) -> list[Any]:
    """What `work` gives on so many threads that begin together."""
    gate = threading.Barrier(count)

    def begin(_: int) -> Any:
        gate.wait(10)
        return work()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_many_threads_start_one_server() -> None:
    before = len(server_threads())
    server = LocalGemini(speed=math.inf)
    for _ in range(5):
        urls = at_once(lambda: server.start().url)
        assert len({*urls}) == 1
        assert len(server_threads()) == before + 1
        assert said(play(server, "@say hi")) == "hi"
        server.close()
        assert len(server_threads()) == before


def test_starts_and_closes_at_once_leave_nothing_behind() -> None:
    before = len(server_threads())
    server = LocalGemini(speed=math.inf)
    turns = iter(range(1000))

    def work() -> None:
        for _ in range(10):
            (server.start if next(turns) % 2 else server.close)()

    at_once(work, 8)
    server.close()
    assert len(server_threads()) == before
    with server:
        assert said(play(server, "@say hi")) == "hi"


def cannot_make_a_server(monkeypatch: pytest.MonkeyPatch) -> str:
    def broken(*args: object) -> None:
        raise RuntimeError("no server today")

    monkeypatch.setattr(local, "Server", broken)
    return "no server today"


def cannot_make_a_loop(monkeypatch: pytest.MonkeyPatch) -> str:
    def broken() -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(asyncio, "SelectorEventLoop", broken)
    return "too many open files"


def cannot_start_a_thread(monkeypatch: pytest.MonkeyPatch) -> str:
    def broken(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", broken)
    return "can't start new thread"


def is_interrupted(monkeypatch: pytest.MonkeyPatch) -> str:
    """As Ctrl-C does it, while the start waits for the thread."""

    class Interrupted(local.Future[None]):
        def result(self, timeout: float | None = None) -> None:
            raise KeyboardInterrupt("stopped by hand")

    monkeypatch.setattr(local, "Future", Interrupted)
    return "stopped by hand"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("trouble", [cannot_make_a_server, cannot_make_a_loop, cannot_start_a_thread, is_interrupted])
def test_a_start_that_fails_says_so_and_holds_nothing(monkeypatch: pytest.MonkeyPatch, trouble: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    before = len(server_threads())
    server = LocalGemini(speed=math.inf, port=port)
    with monkeypatch.context() as patched, pytest.raises(BaseException, match=trouble(patched)):
        server.start()
    assert not server.running
    assert len(server_threads()) == before
    server.close()
    with server:  # the port is free again, and it starts as if nothing had been
        assert server.url.endswith(f":{port}")
        assert said(play(server, "@say hi")) == "hi"


def test_a_taken_port_is_told() -> None:
    with LocalGemini() as first, pytest.raises(OSError, match="in use"):
        LocalGemini(port=int(first.url.rsplit(":", 1)[1])).start()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_has_a_server_of_its_own() -> None:
    """Also where the parent was just starting one on another thread: nobody in the child would let its lock go."""
    program = (
        "import os, signal, warnings\n"
        "from gemstream_widget.server import local\n"
        "from tests.local import play, said\n"
        "warnings.simplefilter('ignore')\n"
        "parent = local.shared()\n"
        "local._shared_lock.acquire()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(20)\n"
        "    assert not parent.running\n"
        "    own = local.shared()\n"
        "    assert own.url != parent.url and said(play(own, '@say child')) == 'child'\n"
        "    os._exit(7)\n"
        "local._shared_lock.release()\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said(play(local.shared(), '@say parent')))\n"
        "assert local.shared() is parent\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout.strip(), done.stderr) == ("7 parent", "")
