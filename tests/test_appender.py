"""Lines reach a file soon and in order, and neither a slow disk nor a dead one is anybody else's concern."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gemstream_widget import _redact
from gemstream_widget._archive import appender as module
from gemstream_widget._archive import lines
from gemstream_widget._archive.appender import Appender

KEY = "AIzaSyD3f4ult-Key_0123456789abcdefghijk"
Line = dict[str, Any]

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and FIFOs")


class Journal:
    """Lines in memory, and the appender that writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new: list[Line] = []
        self.appender = Appender(path, self._pull)

    def add(self, *lines: Line) -> None:
        self._new.extend(lines)
        self.appender.wake()

    def _pull(self) -> list[Line]:
        lines, self._new = self._new, []
        return lines

    def read(self) -> list[Line]:
        return [json.loads(line) for line in self.path.read_text("utf-8").split("\n")[:-1]]


class Disk:
    """A disk that hangs until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.free = threading.Event(), threading.Event()
        opened = module._open

        def hang(path: Path) -> BinaryIO:
            self.asked.set()
            assert self.free.wait(50)
            return opened(path)

        monkeypatch.setattr(module, "_open", hang)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(monkeypatch)
    yield disk
    disk.free.set()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "not" / "there yet" / "a.jsonl")
    yield journal
    journal.appender.close(10)


def frame(text: str) -> Line:
    return {"kind": "frame", "run": 1, "wire": {"candidates": [{"content": {"parts": [{"text": text}]}}]}}


def until(condition: Any, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


# -- what is written --------------------------------------------------------------------------------------------------


def test_all_lines_are_there_in_order(journal: Journal) -> None:
    lines = [frame(f"{n} é\n") for n in range(5000)]
    for line in lines:
        journal.add(line)
    assert journal.appender.close(10)
    assert journal.read() == lines
    assert journal.path.read_bytes().startswith(b'{"kind":"frame","run":1,"wire":{"candidates":[{"content"')
    assert "é".encode() in journal.path.read_bytes()


def test_nothing_is_made_before_the_first_line(journal: Journal) -> None:
    journal.appender.wake()
    assert journal.appender.close(10)
    assert not journal.path.parent.exists()


def test_half_a_surrogate_pair_survives(journal: Journal) -> None:
    lines = [frame("half \ud83d"), frame("whole \U0001f600 and \udc00"), frame("é")]
    journal.add(*lines)
    assert journal.appender.close(10)
    assert journal.read() == lines


def test_what_is_no_json_is_written_as_what_can_be_shown_of_it(journal: Journal) -> None:
    loop: Line = {"kind": "result"}
    loop["self"] = loop
    long = "x" * (lines._LONG + 1)
    journal.add({"n": float("nan"), "v": {1}}, loop, {"long": long, "v": {1}}, frame("after"))
    assert journal.appender.close(10)
    assert journal.read() == [
        {"n": "nan", "v": "{1}"},
        {"kind": "result", "self": "(holds itself)"},
        {"long": long, "v": "{1}"},
        frame("after"),
    ]


def test_very_long_texts_come_out_whole(journal: Journal) -> None:
    long = '\\"é\n\U0001f600\ud83d' * lines._LONG
    line = {"kind": "run", "n": [1, {"a": [long, "b", None], "c": {}}], long: True}
    journal.add(line, line)
    assert journal.appender.close(20)
    assert journal.read() == [line, line]


@pytest.mark.parametrize(("there", "before"), [("a\n", "a\n"), ('{"half', '{"half\n'), ("", "")])
def test_a_file_goes_on_with_a_new_line(tmp_path: Path, there: str, before: str) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.path.write_text(there)
    journal.add(frame("x"))
    assert journal.appender.close(10)
    assert journal.path.read_text() == before + json.dumps(frame("x"), separators=(",", ":")) + "\n"


def test_a_line_is_in_the_file_within_half_a_second(journal: Journal) -> None:
    worst = 0.0
    for n in range(20):
        journal.add(frame(str(n)))
        began = time.monotonic()
        until(lambda n=n: journal.path.exists() and len(journal.read()) == n + 1)
        worst = max(worst, time.monotonic() - began)
    assert worst < 0.5


def test_a_key_in_two_batches_never_reaches_the_file(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.add(frame(KEY))
    until(journal.path.exists)
    until(lambda: KEY in journal.path.read_text())  # the control: nobody knows it yet
    monkeypatch.setattr(_redact, "_known", {KEY})
    journal.path.unlink()
    journal.appender.close(10)
    journal.appender = Appender(journal.path, journal._pull)
    journal.add(frame("first"), frame(f"it is {KEY[:20]}"))
    until(lambda: journal.path.exists() and len(journal.read()) == 1)  # the other waits
    journal.add(frame(f"{KEY[20:]}."))
    until(lambda: len(journal.read()) == 3)
    assert journal.read() == [frame("first"), frame("it is [key]"), frame(".")]


def test_closing_writes_what_was_held_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_redact, "_known", {KEY})
    journal.add(frame(KEY[:20]))
    assert journal.appender.close(10)
    assert journal.read() == [frame(KEY[:20])]


# -- the thread -------------------------------------------------------------------------------------------------------


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("journal")}


def test_the_thread_starts_with_the_first_ring_and_ends_when_closed(journal: Journal) -> None:
    before = threads()
    assert before == set()
    journal.add(frame("x"))
    (thread,) = threads()
    assert thread.daemon
    assert journal.appender.close(10)
    assert threads() == set()
    assert journal.appender.close(0)
    journal.add(frame("too late"))
    assert threads() == set()
    assert journal.read() == [frame("x")]


def test_an_idle_thread_ends_and_the_next_ring_starts_another(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.05)
    monkeypatch.setattr(_redact, "_known", {KEY})
    journal.add(frame(KEY[:20]))
    until(lambda: not threads())
    assert journal.read() == [frame(KEY[:20])]  # written before it went
    journal.add(frame(KEY[20:]))
    assert journal.appender.close(10)
    assert journal.read() == [frame(KEY[:20]), frame("[key]")]


def test_a_chat_that_nobody_holds_is_not_held_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.05)
    journal = Journal(tmp_path / "a.jsonl")
    journal.add(frame("x"))
    gone = weakref.ref(journal)
    path = journal.path
    del journal
    until(lambda: not threads())
    gc.collect()
    assert gone() is None
    assert path.stat().st_size


def test_a_ring_while_the_thread_is_about_to_end_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.05)
    asked, new = [], [frame("first")]

    def pull() -> list[Line]:
        lines, new[:] = new[:], []
        asked.append([*lines])
        if len(asked) == 2:  # nothing came for a while, and now something does
            new.append(frame("second"))
            appender.wake()
        return lines

    appender = Appender(tmp_path / "a.jsonl", pull)
    appender.wake()
    until(lambda: not threads())
    assert asked[:3] == [[frame("first")], [], [frame("second")]]
    assert (tmp_path / "a.jsonl").read_text().count("\n") == 2


def test_no_ring_is_lost_while_threads_come_and_go(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IDLE_S", 0.0005)
    monkeypatch.setattr(module, "_GATHER_S", 0.0001)
    for n in range(300):
        journal.add(frame(str(n)))
        until(lambda: not journal._new)  # nothing but this ring would bring it
        time.sleep((n % 7) / 5000)  # where in the thread's life the next ring comes
    assert journal.appender.close(10)
    assert journal.read() == [frame(str(n)) for n in range(300)]


def test_a_ring_costs_microseconds(journal: Journal) -> None:
    journal.add(frame("x"))
    began = time.process_time()
    for _ in range(50_000):
        journal.appender.wake()
    assert (time.process_time() - began) / 50_000 < 10e-6


# -- disks ------------------------------------------------------------------------------------------------------------


async def largest_gap(while_: Any) -> float:
    """The longest time in seconds that this loop was held while something went on on it."""
    gap, last = 0.0, time.perf_counter()
    task = asyncio.ensure_future(while_)
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gap, last = max(gap, now - last), now
    await task
    return gap


@pytest.mark.timed
def test_a_disk_that_hangs_holds_nobody(journal: Journal, disk: Disk) -> None:
    async def ring() -> None:
        until_s = time.monotonic() + 1.0
        while time.monotonic() < until_s:
            journal.add(frame("x"))
            await asyncio.sleep(0.01)

    assert asyncio.run(largest_gap(ring())) < 0.1
    assert disk.asked.is_set()
    assert not journal.appender.close(0.01)
    assert not journal.path.exists()
    disk.free.set()
    until(lambda: not threads())
    assert len(journal.read()) > 20
    assert journal.appender.close(0)


def test_the_control_a_loop_that_is_held_is_noticed() -> None:
    async def hold() -> None:
        time.sleep(0.2)  # noqa: ASYNC251  # what must not happen

    assert asyncio.run(largest_gap(hold())) > 0.15


@pytest.mark.timed
def test_much_to_write_does_not_hold_the_loop(journal: Journal) -> None:
    """Many lines at once, and texts of megabytes."""
    picture = {"kind": "run", "prompt": [{"parts": [{"inlineData": {"data": "A" * 8_000_000}}]}]}
    lines = [picture, *(frame(f"{n}") for n in range(20_000)), picture]

    async def write() -> None:
        journal.add(*lines)
        await asyncio.to_thread(until, lambda: journal.path.exists() and journal.path.stat().st_size > 17_500_000, 30)

    assert asyncio.run(largest_gap(write())) < 0.05
    assert journal.appender.close(10)
    assert len(journal.read()) == len(lines)


def test_the_thread_rests_as_long_as_it_works_until_it_must_hurry(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests, sleep = [], time.sleep

    def watched(seconds: float) -> None:
        if threading.current_thread() in threads():
            rests.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", watched)
    journal.add(*(frame(str(n)) for n in range(5000)))
    until(lambda: journal.path.exists() and len(journal.read()) == 5000)
    assert len(rests) > 5
    assert min(rests) >= module._SLICE_S
    rests.clear()
    journal.add(*(frame(str(n)) for n in range(5000)))
    assert journal.appender.close(10)
    assert set(rests) == {0}


def test_lines_that_cannot_be_had_are_told_as_a_disk_that_fails_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def pull() -> list[Line]:
        raise KeyError("on purpose")

    appender = Appender(tmp_path / "a.jsonl", pull)
    appender.wake()
    until(lambda: not threads())
    appender.wake()
    assert not appender.close(1)
    assert isinstance(appender.error, KeyError)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "on purpose" in caplog.text
    assert not threads()


def test_a_disk_that_fails_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "a.jsonl")
    for _ in range(3):
        journal.add(frame("x"))
        until(lambda: not threads())
    assert isinstance(journal.appender.error, OSError)
    assert not journal.appender.close(1)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "a.jsonl cannot be written: " in record.getMessage()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_is_told_once_and_without_a_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redact, "_known", {KEY})
    (tmp_path / f"{KEY}.jsonl").symlink_to("/dev/full")
    journal = Journal(tmp_path / f"{KEY}.jsonl")
    journal.add(frame("x"))
    until(lambda: not threads())
    journal.add(frame("x"))
    assert not journal.appender.close(1)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "No space left" in caplog.text
    assert "[key].jsonl" in caplog.text
    assert KEY not in caplog.text


# -- processes --------------------------------------------------------------------------------------------------------

WRITER = """
import sys, time
from gemstream_widget._archive.appender import Appender
new = []
def pull():
    lines, new[:] = new[:], []
    return lines
appender = Appender(sys.argv[1], pull)
"""


@posix
def test_what_a_killed_kernel_said_is_in_the_file_but_for_half_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    program = WRITER + (
        "n = 0\n"
        "while True:\n"
        "    new.append({'kind': 'frame', 'n': n, 'at': time.time()})\n"
        "    appender.wake()\n"
        "    n += 1\n"
        "    time.sleep(0.001)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as child:
        until(lambda: path.exists() and path.stat().st_size > 50_000, 30)
        child.send_signal(signal.SIGKILL)
        killed = time.time()
    lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    assert [line["n"] for line in lines] == list(range(len(lines)))
    assert killed - lines[-1]["at"] < 0.5


@posix
def test_a_blocked_disk_does_not_keep_the_interpreter(tmp_path: Path) -> None:
    fifo = tmp_path / "a.jsonl"
    os.mkfifo(fifo)  # takes 64 kB that nobody reads, and then hangs
    program = WRITER + (
        "new.extend({'kind': 'print', 'run': 1, 'call': 'a', 'text': 'x' * 1000} for _ in range(1000))\n"
        "appender.wake()\n"
        "time.sleep(0.5)\n"
        "print('left', time.time())\n"
    )
    run = [sys.executable, "-c", program, str(fifo)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=30)
    took_s = time.time() - float(done.stdout.split()[1])
    assert 1.5 < took_s < 3  # the control: it did wait
    assert "a.jsonl was not written to its end" in done.stderr


@posix
def test_what_was_said_last_is_written_when_the_interpreter_ends(tmp_path: Path) -> None:
    program = WRITER + "new.append({'kind': 'end'})\nappender.wake()\n"
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.jsonl")], check=True, timeout=30)
    assert (tmp_path / "a.jsonl").read_text() == '{"kind":"end"}\n'


@posix
@pytest.mark.parametrize("before", ["new.append({'n': 0})\nappender.wake()\n", "new.append({'n': 0})\n"])
@pytest.mark.parametrize("leave", ["os._exit(0)", "sys.exit(0)"])
def test_a_forked_child_writes_nothing(tmp_path: Path, before: str, leave: str) -> None:
    """Whether or not the parent's thread goes when it forks. The parent's own lines are the control."""
    program = WRITER + (
        f"import os\n{before}"
        "if os.fork() == 0:\n"
        "    new.append({'n': 'of the child'})\n"
        "    appender.wake()\n"
        "    time.sleep(0.5)\n"
        "    assert appender.close(5)\n"
        f"    {leave}\n"
        "assert os.wait()[1] == 0\n"
        "new.append({'n': 1})\n"
        "appender.wake()\n"
    )
    run = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "a.jsonl")]
    subprocess.run(run, check=True, timeout=30)
    assert (tmp_path / "a.jsonl").read_text() == '{"n":0}\n{"n":1}\n'
