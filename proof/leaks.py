"""What runs leave behind in their process: tasks, threads, open files and sockets, registries, memory.

Runs of every ending go through the real SDK in one process; once they are dropped, all of it must be as before.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import random
import socket
import threading
import tracemalloc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import linear_regression
from typing import Any

import comm
from comm.base_comm import BaseComm

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget import _run
from gemstream_widget._engine.source import ListSource
from gemstream_widget._notebook import fastlane, link
from tests.clients import client_of
from tests.local import eventually
from tests.wire import call, chunk, text

from .report import Control, Found, Row

__all__ = ["Census", "measure"]

_FLAT_BYTES = (2_000, 15_000)
"""Kept per run, at most: what a run holds is several times as much. In short, few runs are looked at."""

_PIECES = 5
"""How often memory is looked at: a collection takes its time."""

_ENDINGS = {
    "completed": "@every 0\n@think so\n@chunks 6 " + "a longer answer " * 6,
    "with tools": '@every 0\n@call work {"n": 1}\n@+call work {"n": 2}\n@then\n@say done',
    "truncated": "@every 0\n@say a\n@nofinish",
    "refused": "@fail 400",
    "broken": "@every 0\n@say a\n@garbage",
    "reset": "@every 0\n@say a\n@cut",
    "stopped": "@every 0\n@say a\n@stall",
    "stopped early": "@headers 30\n@say never",
}


class Census:
    """What is alive in this process, counted by name. `more_than` names what there is now and was not before."""

    def __init__(self, registries: dict[str, Callable[[], int]] | None = None) -> None:
        gc.collect()
        gc.collect()
        self._registries = registries or {}
        self.counts: Counter[str] = Counter(
            f"task {getattr(task.get_coro(), '__qualname__', '?')}" for task in asyncio.all_tasks()
        )
        self.counts += Counter(f"thread {_family(thread.name)}" for thread in threading.enumerate())
        self.counts += Counter(f"open {kind}" for kind in _open_files())
        self.counts += Counter({f"kept in {name}": count() for name, count in self._registries.items()})

    def more_than(self, before: Census) -> list[str]:
        return [f"{count} x {what} left" for what, count in (self.counts - before.counts).items()]


def _family(name: str) -> str:
    """Pools number their threads."""
    return name.rstrip("0123456789-_ ")


def _open_files() -> Iterator[str]:
    """What each file descriptor is, as far as the system tells."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(entry)
        except OSError:  # the one that lists the folder
            continue
        yield "socket" if target.startswith("socket:") else target.split(":")[0]


def measure(setting: Setting) -> Found:
    """Nothing left after `count` runs, memory flat, many runs at once all end, endless tools hold up none."""
    count, crowd = setting.count(1000, 40), setting.count(200, 20)
    skipped = () if Path("/proc/self/fd").is_dir() else ("open files and sockets: this system has no /proc/self/fd",)
    with _silent_comms(), gem.LocalGemini(speed=math.inf, keep=10) as server:
        rows, slope = asyncio.run(_all(server, count, crowd, setting.count(*_FLAT_BYTES)))
    return Found(rows, f"Memory grew by {slope:,.0f} bytes a run over the second half of {count} runs.", skipped)


class _SilentComm(BaseComm):
    """A comm that sends nowhere."""

    def publish_msg(self, *told: Any, **more: Any) -> None:
        return None


@contextmanager
def _silent_comms() -> Iterator[None]:
    before = comm.create_comm
    comm.create_comm = _SilentComm
    try:
        yield
    finally:
        comm.create_comm = before


async def _all(server: gem.LocalGemini, count: int, crowd: int, most: int) -> tuple[list[Row], float]:
    kept: list[weakref.ref[gem.Run]] = []
    registries: dict[str, Callable[[], int]] = {
        "_run._live": lambda: len(_run._live),
        "fastlane._handlers": lambda: len(fastlane._handlers),
        "link._pacer": lambda: link._pacer._going,
        "ipywidgets": lambda: len(_widgets()),
        "memory: runs": lambda: sum(ref() is not None for ref in kept),
    }
    await _fill_the_pool()
    async with _client(server) as client:
        crowded = await _crowd(client, crowd)
        await _go(client, max(20, count // 16), [])
    before = Census(registries)
    async with _client(server) as client:
        slope = await _growth(client, count, kept)
    left = Census(registries).more_than(before)
    async with _client(server) as client:
        await _go(client, cards := count // 5, kept, with_cards=True)
    left_of_cards = Census(registries).more_than(before)
    async with _client(server) as client:
        hoard: list[gem.Run] = []
        hoarded = await _growth(client, max(40, count // 16), [], hoard)
        kept.append(weakref.ref(hoard[0]))
    census = Control("a task, a thread, a socket and a run kept on purpose", _census_control(registries, before))
    flat = [f"{slope:,.0f} bytes a run"] if slope > most else []
    lost = Control("one of them is missing", bool(_lost(["a"] * (crowd - 1), crowd)))
    endless = (os.cpu_count() or 1) + 6
    rows = [
        Row("runs dropped: tasks, threads, files, sockets, registries as before", count, left, census),
        Row("cards closed: the same, and nothing of them kept", cards, left_of_cards, census),
        Row("memory: flat", count, flat, Control("a list that keeps every run", hoarded > most)),
        Row("runs at once: all end, none is lost", crowd, crowded, lost),
        Row("tools that never end hold up no other run", endless, *await _after_endless_tools(endless)),
    ]
    return rows, slope


@asynccontextmanager
async def _client(server: gem.LocalGemini) -> AsyncIterator[Any]:
    """A client, and at the end the server has seen all its connections close: none may hide in a pool."""
    async with client_of(server, "httpx2") as client:
        yield client
    await asyncio.to_thread(eventually, lambda: server.open_connections == 0, "all connections are closed")


def _widgets() -> Any:
    from ipywidgets.widgets import widget as ipywidgets_widget

    return ipywidgets_widget._instances


async def _fill_the_pool() -> None:
    """Let the executor start all the threads it will ever have."""
    gate = threading.Event()
    loop = asyncio.get_running_loop()
    held = [loop.run_in_executor(None, gate.wait, 0.05) for _ in range(min(32, (os.cpu_count() or 1) + 4))]
    await asyncio.gather(*held)


async def _go(
    client: Any,
    count: int,
    refs: list[weakref.ref[gem.Run]],
    hoard: list[gem.Run] | None = None,
    *,
    with_cards: bool = False,
) -> None:
    """`count` runs one after another, each dropped at its end."""
    pick = random.Random(count)
    for _ in range(count):
        run = await _one(client, pick, with_cards)
        refs.append(weakref.ref(run))
        if hoard is not None:
            hoard.append(run)
        del run


async def _growth(
    client: Any, count: int, refs: list[weakref.ref[gem.Run]], hoard: list[gem.Run] | None = None
) -> float:
    """The same, measured: bytes a run that are kept, over the second half."""
    grown: list[float] = []
    await _go(client, count // 2, refs, hoard)
    tracemalloc.start()
    try:
        for _ in range(_PIECES):
            await _go(client, count // 2 // _PIECES, refs, hoard)
            gc.collect()
            grown.append(float(tracemalloc.get_traced_memory()[0]))
    finally:
        tracemalloc.stop()
    return linear_regression([n * (count / 2 / _PIECES) for n in range(_PIECES)], grown).slope


def _work(n: int) -> int:
    """A tool."""
    print(n)
    return n


async def _one(client: Any, pick: random.Random, with_card: bool) -> gem.Run:
    """A run of any ending, read by somebody or by nobody."""
    ending = pick.choice(list(_ENDINGS))
    chat = gem.Chat(client=client, model="demo", tools=[gem.Tool(_work, name="work")], retries=0)
    run = chat.send(_ENDINGS[ending])
    card = gem.Card([run]) if with_card else None
    if ending == "stopped":
        async for _ in run:
            if run.chunks:
                break
    elif ending == "stopped early":
        await asyncio.sleep(0.002)
    if ending.startswith("stopped"):
        run.stop()
    await run.wait()
    if card is not None:
        card.close()
    return run


async def _crowd(client: Any, count: int) -> list[str]:
    """Many runs at once: each has its own whole text."""
    text = "word " * 40
    started = [gem.Chat(client=client).send(f"@every 0.02\n@say {n}: \n@chunks 10 {text}") for n in range(count)]
    await asyncio.wait({asyncio.ensure_future(run.wait()) for run in started}, timeout=60)
    whole = [r.text for n, r in enumerate(started) if r.status == "completed" and r.text == f"{n}: {text}"]
    odd = Counter(f"{r.status}: {r.error}" for r in started if r.status != "completed")
    return _lost(whole, count) + [f"{times} x {what}" for what, times in odd.items()]


def _lost(whole: list[str], count: int) -> list[str]:
    return [] if len(whole) == count else [f"{count - len(whole)} of {count} did not end with their whole text"]


async def _after_endless_tools(count: int) -> tuple[list[str], Control]:
    """Stop runs whose tools, on threads, go on for ever; then another run has a tool, and time enough."""
    gate, started = threading.Event(), threading.Semaphore(0)

    def endless() -> None:
        """Work until the proof is over."""
        started.release()
        gate.wait(60)

    def soon() -> str:
        """Work."""
        return "done"

    async def goes_on() -> bool:
        chat = gem.Chat(source=_calling("soon"), tools=[soon])
        run = chat.send("go")
        ending = asyncio.ensure_future(run.wait())
        await asyncio.wait({ending}, timeout=3)
        if not ending.done():
            run.stop()
            await ending
        return run.status == "completed"

    def hold() -> None:
        gate.wait(60)

    pool = min(32, (os.cpu_count() or 1) + 4)
    loop = asyncio.get_running_loop()
    try:
        for _ in range(count):
            run = gem.Chat(source=_calling("endless"), tools=[endless], grace_s=0.05).send("go")
            for _ in range(200):
                if any(call.state == "running" for call in run.tool_calls):
                    break
                await asyncio.sleep(0.001)
            run.stop()
            await run.wait()
        failures = [] if await goes_on() else [f"after {count} tools that never ended, a run with a tool does not end"]
    finally:
        gate.set()
    gate.clear()
    held = [loop.run_in_executor(None, hold) for _ in range(pool)]
    waiting = loop.run_in_executor(None, soon)
    await asyncio.wait({waiting}, timeout=0.2)
    noticed = not waiting.done()
    gate.set()
    await asyncio.gather(*held, waiting)
    return failures, Control("a pool whose every thread is held", noticed)


def _calling(name: str) -> ListSource:
    """A model that calls this tool, and then says so."""
    return ListSource([chunk(call(name, {}), finish="STOP")], [chunk(text("so"), finish="STOP")])


def _census_control(registries: dict[str, Callable[[], int]], before: Census) -> bool:
    """Everything of which one is kept on purpose is named; a run is kept already."""
    gate = threading.Event()
    task = asyncio.create_task(asyncio.Event().wait())
    thread = threading.Thread(target=gate.wait, args=(10,), name="kept on purpose")
    thread.start()
    with socket.socket():
        named = " ".join(Census(registries).more_than(before))
    gate.set()
    thread.join()
    task.cancel()
    return all(what in named for what in ("task Event.wait", "thread kept on purpose", "open socket", "memory: runs"))
