"""python -m proof.forks COUNT [--blind]

Forks so many children at random moments of a process that asks, streams, stops and records on other threads all the
time. Each child asks for itself, waits for the run that its parent has going, goes on with its parent's chat, and ends.
Prints JSON: what went wrong, one entry each, and how long each child took. `--blind`: each child waits for a plain lock
that another thread of its parent holds.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from pathlib import Path

import gemstream_widget as gem

_LIMIT_S = 15
_BLIND_S = 1
_LONG = "@every 0.004\n@chunks 60 " + "word " * 120


class Parent:
    """Two threads that are busy until `over`: one has a chat whose last run is `run`, one asks, and stops."""

    def __init__(self, folder: str) -> None:
        self.over = threading.Event()
        self.faults: list[str] = []
        self.held = threading.Lock()
        self._folder = folder
        self.chat = gem.Chat(model="demo", runner="thread", record=folder)
        self.run = self.chat.send(_LONG)
        self._threads = [threading.Thread(target=work) for work in (self._converse, self._ask)]
        for thread in self._threads:
            thread.start()

    def _converse(self) -> None:
        while not self.over.is_set():
            run = self.run.result(_LIMIT_S)
            if run.text != "word " * 120:
                self.faults.append(f"the parent's run {run.id}: {run.status} {len(run.text)}")
            self.chat = gem.Chat(model="demo", runner="thread", record=self._folder)
            self.run = self.chat.send(_LONG)

    def _ask(self) -> None:
        while not self.over.is_set():
            with self.held:
                run = gem.Chat(model="demo", runner="thread").send(_LONG)
                time.sleep(0.01)
                run.stop()
                try:
                    run.result(_LIMIT_S)
                except gem.RunCancelled:
                    continue
                self.faults.append(f"the parent's run {run.id} was not stopped: {run.status}")

    def close(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self.run.result(_LIMIT_S)


def child(parent: Parent, chat: gem.Chat, run: gem.Run, number: int) -> None:
    """What each does; raises where it is not as it should be."""
    asked = gem.Chat(model="demo", runner="thread").send(f"@say {number}")
    assert asked.result(_LIMIT_S).text == str(number), asked
    try:
        run.result(_LIMIT_S)
    except gem.RunCancelled:
        assert run.receipt is not None
        assert run.receipt.by == "fork", run.receipt
    on = chat.send(f"@say on {number}")
    assert on.result(_LIMIT_S).text == f"on {number}", on
    assert chat.check() == []
    assert gem.runs() == []


def fork(parent: Parent, number: int, blind: bool) -> str | None:
    """One child; what went wrong."""
    chat = parent.chat
    run = chat.runs[-1]
    if blind:
        while not parent.held.locked():
            time.sleep(0.0001)
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_BLIND_S if blind else _LIMIT_S)
        code = 1
        try:
            if blind:
                parent.held.acquire()
            else:
                child(parent, chat, run, number)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return None if code == 0 else f"child {number} " + ("hung" if code == -signal.SIGALRM else f"ended with {code}")


def main(count: int, blind: bool) -> None:
    warnings.simplefilter("ignore", DeprecationWarning)
    pick = random.Random(count)
    faults: list[str] = []
    times_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        parent = Parent(folder)
        for number in range(count):
            time.sleep(pick.random() * 0.02)
            start = time.perf_counter()
            fault = fork(parent, number, blind)
            times_ms.append((time.perf_counter() - start) * 1000)
            faults += [fault] if fault else []
        parent.close()
        written = [path for path in Path(folder).iterdir() if not path.read_text().endswith("\n")]
        faults += parent.faults + [f"{path.name} is torn" for path in written]
    print(json.dumps({"faults": faults, "times_ms": times_ms}))


if __name__ == "__main__":
    main(int(sys.argv[1]), "--blind" in sys.argv)
