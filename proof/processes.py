"""Several processes and several loops: errors that arrive, forks at random moments, pools, a Stop while a child lives,
and one client on loop after loop. Each in processes of its own: one that forks should have nothing else going.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.setting import ROOT, Setting

from .report import Control, Found, Row
from .two_loops import tried

__all__ = ["measure"]

_WAYS = ("fork", "forkserver", "spawn")

_POOL = """
import multiprocessing, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import gemstream_widget as gem

class Careless(Exception):
    def __init__(self, one, two):
        super().__init__(one)

def work(number):
    answer = gem.Chat(model="demo", runner="thread").send(f"@say {number}").result(20)
    assert answer.text == str(number)
    kinds = (gem.ApiError(429, "RESOURCE_EXHAUSTED", "slow"), gem.PromptBlocked("SAFETY", "no"), gem.LoopBusy(1.0))
    raise Careless(1, 2) if number < 0 else kinds[number % 3]

if __name__ == "__main__":
    way, count = sys.argv[1], int(sys.argv[2])
    gem.Chat(model="demo", runner="thread").send("@say parent").result(20)
    arrived = 0
    with multiprocessing.get_context(way).Pool(2) as pool:
        answers = [pool.apply_async(work, [number]) for number in (range(count) if count > 0 else [-1])]
        for number, answer in enumerate(answers):
            try:
                answer.get(20 if count > 0 else 1)
            except (gem.ApiError, gem.PromptBlocked, gem.LoopBusy) as error:
                arrived += type(error) is (gem.ApiError, gem.PromptBlocked, gem.LoopBusy)[number % 3]
            except multiprocessing.TimeoutError:
                os._exit(0)  # such a pool cannot even be closed
    print(arrived)
"""

_STOP = """
import os, sys, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import gemstream_widget as gem
from gemstream_widget._engine import tap

closed = []
with gem.LocalGemini() as server:
    for number in range(int(sys.argv[1])):
        run = gem.Chat(client=server.client(), runner="thread").send("@every 0.01\\n@chunks 900 " + "word " * 900)
        while not run.text:
            time.sleep(0.001)
        if "blind" in sys.argv:
            tap._answers.clear()
        come, go = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(come, 1)
            os._exit(0)
        start = time.perf_counter()
        run.stop()
        closed.append((time.perf_counter() - start) * 1000 if server.requests[-1].wait_closed(2) else None)
        os.close(go)
        os.waitpid(pid, 0)
        os.close(come)
print(closed)
"""


def measure(setting: Setting) -> Found:
    """No error, child, Stop or loop is lost."""
    rows = [_loops(setting.count(60, 6))]
    skipped: tuple[str, ...] = ("forks: this system has none",)
    with tempfile.TemporaryDirectory() as folder:
        if hasattr(os, "fork"):
            skipped = ()
            rows += [_forks(setting.count(150, 8)), _stop(Path(folder), setting.count(40, 4))]
        ways = ("spawn",) if not hasattr(os, "fork") else ("fork",) if setting.quick else _WAYS
        rows.append(_pools(Path(folder), setting.count(30, 3), ways))
    return Found(rows, skipped=skipped)


def _forks(count: int) -> Row:
    found = json.loads(_said(["-m", "proof.forks", str(count)]))
    blind = json.loads(_said(["-m", "proof.forks", "1", "--blind"]))
    control = Control("a child that waits for a lock nobody holds there", blind["faults"] == ["child 0 hung"])
    what = "forks at random moments of a busy process: each child asks, goes on and ends, the parent too"
    return Row(what, count, found["faults"], control, found["times_ms"])


def _stop(folder: Path, count: int) -> Row:
    (folder / "stop.py").write_text(_STOP)
    closed = json.loads(_said([str(folder / "stop.py"), str(count)]).replace("None", "null"))
    blind = json.loads(_said([str(folder / "stop.py"), "1", "blind"]).replace("None", "null"))
    open_ones = [f"the connection of try {n} stayed open" for n, ms in enumerate(closed) if ms is None]
    control = Control("a child that keeps its copy of the socket", blind == [None])
    times_ms = [ms for ms in closed if ms is not None]
    return Row("Stop while a forked child lives: connection closed", count, open_ones, control, times_ms)


def _pools(folder: Path, count: int, ways: tuple[str, ...]) -> Row:
    (folder / "pool.py").write_text(_POOL)
    arrived = {way: int(_said([str(folder / "pool.py"), way, str(count)])) for way in ways}
    faults = [f"{way}: {count - n} of {count} did not arrive" for way, n in arrived.items() if n != count]
    lost = _said([str(folder / "pool.py"), ways[0], "0"], "Careless.__init__() missing")
    control = Control("an exception that Python cannot rebuild", lost == "")
    what = f"workers ask and raise our errors, which arrive ({', '.join(ways)})"
    return Row(what, count * len(ways), faults, control)


def _loops(runs: int) -> Row:
    seen = tried(runs)
    faults = [f"{way}: {dict(ended)}" for way, ended in seen["ours"].items() if ended["whole"] != runs]
    broken = [way for way, ended in seen["one pool for all"].items() if ended["whole"] != runs]
    control = Control("a client with one pool for all loops", bool(broken))
    return Row("one client on several loops: every answer is whole", runs * len(seen["ours"]), faults, control)


def _said(arguments: list[str], noise: str = "") -> str:
    """What a program prints; it has to end well, and to say nothing else but what has this `noise` in it."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode or (done.stderr if not noise else noise not in done.stderr):
        raise RuntimeError(f"{arguments[:3]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
