"""Stop at random moments of everything a run does, over real HTTP, through the real SDK: half of them where we read the
bytes, the others where the SDK does, with each of its libraries.

The garbage collector is off while it is tried: a connection that only a collection closes would stay open. After each
Stop the same chat sends again, to a server that refuses what Gemini would refuse.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._engine.loops import Runner, loop_for
from gemstream_widget._stream.events import RunEnded
from gemstream_widget._stream.parts import TextPart
from gemstream_widget.server import RequestRecord
from tests.clients import OURS, TRANSPORTS, client_of
from tests.gates import GatedSource

from . import judge
from .judge import Stopped, Watcher
from .report import Control, Found, Row
from .scenes import SCENES, Scene, Workshop

__all__ = ["collector_off", "measure"]

T = TypeVar("T")

_SENDS_PER_CHAT = 5  # several Stops in one history
_MODELS = ("demo", "gemini-2.5-flash-lite")  # with ids and required signatures, and without
_WAYS = ("loop", "thread", "twice")
_RUNNERS: tuple[Runner, ...] = ("loop", "thread")
_PIECE = 50  # moments between two collections
_FINE = "@every 0\n@say fine"


@dataclass
class _Tally:
    """What all moments found, by claim."""

    once: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    unstarted: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    goes_on: list[str] = field(default_factory=list)
    tried: int = 0
    cut: int = 0
    to_end_ms: list[float] = field(default_factory=list)
    to_close_ms: list[float] = field(default_factory=list)
    where: Counter[tuple[str, str]] = field(default_factory=Counter)


def measure(setting: Setting) -> Found:
    """What design and docs promise of every Stop; `grace` scenes end within their grace time."""
    tally = _Tally()
    count = setting.count(2000, 60)
    lanes = [(OURS, -(-count // 2)), *((transport, -(-count // 6)) for transport in TRANSPORTS)]
    with collector_off(), gem.LocalGemini(keep=200) as server:
        for transport, share in lanes:
            for runner in _RUNNERS:
                asyncio.run(_lane(server, transport, runner, -(-share // len(_RUNNERS)), tally))
        controls = asyncio.run(_controls(server))
    n = tally.tried
    rows = [
        Row("Stop: ends once, as the last thing told, with a receipt", n, tally.once, controls[0], tally.to_end_ms),
        Row("Stop: what came is kept, and reads the same everywhere", n, tally.kept, controls[1]),
        Row("Stop: no tool begins after it", tally.cut, tally.unstarted, controls[2]),
        Row("Stop: connection closed, nothing sent after", n, tally.closed, controls[3], tally.to_close_ms),
        Row("Stop: each call answered once, next send accepted", n, tally.goes_on, controls[4]),
    ]
    return Found(rows, _table(tally))


@contextmanager
def collector_off() -> Iterator[None]:
    """No garbage collection inside."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


# -- one lane: one HTTP library, one runner ----------------------------------------------------------------------------


async def _lane(server: gem.LocalGemini, transport: str, runner: Runner, count: int, tally: _Tally) -> None:
    pick = random.Random(f"{transport} {runner}")
    if transport != OURS:
        asyncio.get_running_loop().set_exception_handler(_without_left_open)
    with ThreadPoolExecutor(6) as others:
        async with _client(server, transport, runner) as client:
            chat, sends = _chat(client, runner, SCENES[0], Workshop()), 0
            await chat.send(_FINE)  # the SDK is loaded, a connection is open
            for number in range(count):
                scene = pick.choice(SCENES)
                workshop = Workshop()
                earlier, sends = (chat, sends + 1) if sends < _SENDS_PER_CHAT else (None, 0)
                chat = _chat(client, runner, scene, workshop, earlier, model=pick.choice(_MODELS))
                try:
                    await asyncio.wait_for(_moment(server, chat, scene, workshop, pick, others, tally), 30)
                except Exception as error:  # one moment's trouble is a finding, not the end of the others
                    tally.once.append(f"{scene.name}, {transport}, {runner}: {type(error).__name__}: {error}")
                    sends = _SENDS_PER_CHAT
                finally:
                    workshop.release.set()
                if number % _PIECE == _PIECE - 1:
                    gc.collect()


def _without_left_open(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """After an error in mid-stream the SDK leaves its response open, and closing the loop tells so."""
    if "asyncgen" not in context:
        loop.default_exception_handler(context)


def _chat(
    client: Any, runner: Runner, scene: Scene, workshop: Workshop, earlier: gem.Chat | None = None, model: str = "demo"
) -> gem.Chat:
    """A chat for this scene, with the history of an earlier one."""
    return gem.Chat(
        client=client,
        model=earlier.model if earlier else model,
        tools=workshop.tools(),
        approve=scene.approve,
        grace_s=scene.grace_s,
        runner=runner,
        **{"history": earlier.history if earlier else (), **dict(scene.options)},
    )


async def _moment(
    server: gem.LocalGemini,
    chat: gem.Chat,
    scene: Scene,
    workshop: Workshop,
    pick: random.Random,
    others: ThreadPoolExecutor,
    tally: _Tally,
) -> None:
    since = _last_number(server)
    run = chat.send(scene.script)
    watcher = Watcher(run)
    meddling = asyncio.get_running_loop().run_in_executor(others, _approve_all, run) if scene.decides else None
    place = pick.random()
    if place > 0.3 and scene.speaks:
        await _first_chunk(run)
    if place > 0.05:  # else: before anything has happened
        await asyncio.sleep(pick.uniform(0, scene.lasts_s))
    by = pick.choice(("code", "button"))
    asked, asked_all, said = await _stop(run, pick.choice(_WAYS), by, others)
    await run.wait()
    ended = time.perf_counter()
    await watcher.over()
    workshop.release.set()
    if meddling is not None:
        await meddling
    records = _since(server, since)
    s = Stopped(scene, run, watcher, asked, asked_all, ended, said, by, workshop.started, records)
    about = f"{scene.name}, {run.model}, after {1000 * (run.timing.ended_s or 0):.1f} ms: "
    tally.tried += 1
    tally.cut += run.status == "cancelled"
    tally.where[scene.name, run.receipt.when if run.receipt else run.status] += 1
    tally.once += [about + fault for fault in judge.once(s)]
    tally.kept += [about + fault for fault in judge.kept(s)]
    tally.unstarted += [about + fault for fault in judge.unstarted(s)]
    tally.closed += [about + fault for fault in await judge.closed(records)]
    if run.status == "cancelled":
        if scene.grace_s > 1:  # else: grace is what the scene is about
            tally.to_end_ms.append(1000 * (ended - asked))
        tally.to_close_ms += [1000 * (r.client_closed_at - asked) for r in records if r.client_closed_at is not None]
    tally.goes_on += [about + fault for fault in await _goes_on(server, chat)]
    if late := watcher.fold():
        tally.once.append(f"{about}{late} patches after the end")
    late_requests = [r for r in _since(server, since) if r not in records and not _is_fine(r)]
    tally.closed += [about + fault for fault in await judge.closed(late_requests)]


async def _stop(run: gem.Run, way: str, by: Any, others: ThreadPoolExecutor) -> tuple[float, float, list[bool]]:
    """Stop from the run's loop, from another thread, or from two at once: moments around it, what was returned."""

    def stop() -> tuple[float, float, bool]:
        before = time.perf_counter()
        said = run.stop(by=by)
        return before, time.perf_counter(), said

    here = asyncio.get_running_loop()
    if way == "loop" and run.loop is not None:
        found = [stop() if run.loop is here else await _on(run.loop, _call(stop))]
    else:
        found = await asyncio.gather(*(here.run_in_executor(others, stop) for _ in range(1 + (way == "twice"))))
    first = next((f for f in found if f[2]), found[0])
    return first[0], first[1], [f[2] for f in found]


async def _first_chunk(run: gem.Run) -> None:
    async for _ in run:
        if run.chunks:
            return


def _approve_all(run: gem.Run) -> None:
    """Approve whatever waits, at once and from another thread, until the run is over."""
    due = time.monotonic() + 10
    while not run.done and time.monotonic() < due:
        for call in run.pending:
            with suppress(gem.DecisionRefused):
                run.approve(call.id)
        run.cancel_event.wait(0.001)


async def _goes_on(server: gem.LocalGemini, chat: gem.Chat) -> list[str]:
    """The next send of the same chat is accepted by the server's history rules, and runs to its end."""
    since = _last_number(server)
    faults = judge.answered_once(chat)
    run = await chat.send(_FINE).wait()
    if (run.status, run.text) != ("completed", "fine"):
        faults.append(f"the next send is {run.status} with {run.text!r}: {run.error}")
    asked = [r for r in _since(server, since) if _is_fine(r)]
    outcomes = [r.outcome if await asyncio.to_thread(r.wait_done, 1) else None for r in asked]
    if outcomes != ["answered"]:
        faults.append(f"the next send was {outcomes} by the server")
    return faults


def _is_fine(record: RequestRecord) -> bool:
    contents = (record.body or {}).get("contents") or [{}]
    return contents[-1].get("parts", [{}])[-1].get("text") == _FINE


def _last_number(server: gem.LocalGemini) -> int:
    return server.requests[-1].number if server.requests else 0


def _since(server: gem.LocalGemini, number: int) -> list[RequestRecord]:
    return [record for record in server.requests if record.number > number]


# -- clients and loops -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _client(server: gem.LocalGemini, transport: str, runner: Runner) -> AsyncIterator[Any]:
    """A client that is opened and closed on the loop its runs live on."""
    manager = client_of(server, transport)
    client = await _on(loop_for(runner), manager.__aenter__())
    try:
        yield client
    finally:
        await _on(loop_for(runner), manager.__aexit__(None, None, None))


async def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    if loop is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def _call(function: Any) -> Any:
    return function()


# -- broken on purpose -------------------------------------------------------------------------------------------------


async def _controls(server: gem.LocalGemini) -> list[Control]:
    """Each detector shown something that it must notice."""
    scene = replace(SCENES[2], grace_s=0.05)
    async with client_of(server, "httpx2") as client:
        chat = _chat(client, "loop", scene, Workshop())
        run = chat.send(scene.script)
        watcher = Watcher(run)
        await _first_chunk(run)
        before = time.perf_counter()
        said = [run.stop()]
        asked_all = time.perf_counter()
        await run.wait()
        await watcher.over()
        s = Stopped(scene, run, watcher, before, asked_all, time.perf_counter(), said, "code", [])
        healthy = not (judge.once(s) or judge.kept(s) or judge.unstarted(s) or judge.answered_once(chat))
        watcher.events.append(RunEnded(9.0, "cancelled"))
        twice = bool(judge.once(s))
        part = next(p for p in run.parts if isinstance(p, TextPart))
        part.buffer.append("!")
        changed = bool(judge.kept(s))
        late = bool(judge.unstarted(replace(s, started=[asked_all + 0.001])))
        leaks = await _leak_is_seen(server, client) and await _stubborn_is_seen()
        refused = await _unanswered_is_refused(client)
    return [
        Control("a second terminal event", healthy and twice),
        Control("text changed in one place", healthy and changed),
        Control("a tool begun 1 ms after the Stop", healthy and late),
        Control("a client left with `break`; a source that swallows cancellation", leaks),
        Control("a history with an unanswered call", healthy and refused),
    ]


async def _leak_is_seen(server: gem.LocalGemini, client: Any) -> bool:
    """The SDK's stream left with `break`, as people do: its socket stays open, and the detector says so."""
    stream = await client.aio.models.generate_content_stream(model="demo", contents="@say a\n@stall")
    async for _ in stream:
        break
    faults = await judge.closed(server.requests[-1:])
    reading = asyncio.ensure_future(anext(stream))  # what does close it: cancelling whoever waits inside it
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait({reading})
    return bool(faults) and not await judge.closed(server.requests[-1:])


async def _stubborn_is_seen() -> bool:
    """A source that swallows its cancellation: the run ends without it, and its receipt claims no closed connection."""
    source = GatedSource(stubborn=True)
    run = gem.Chat(source=source, grace_s=0.05).send("go")
    await source.waiting.wait()
    run.stop()
    await run.wait()
    seen = run.receipt is not None and run.receipt.closed_s is None and source.closed is None
    source.end()
    return seen


async def _unanswered_is_refused(client: Any) -> bool:
    history = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
    ]
    chat = gem.Chat(client=client, model="demo", history=history)
    found = bool(judge.answered_once(chat))
    # `send` would close the call; asked past it, the server itself refuses
    contents = [*history, {"role": "user", "parts": [{"text": _FINE}]}]
    try:
        await client.aio.models.generate_content(model="demo", contents=contents)
    except Exception as error:
        return found and getattr(error, "code", None) == 400
    return False


def _table(tally: _Tally) -> str:
    """Where the Stops fell."""
    columns = sorted({where for _, where in tally.where})
    lines = ["### Where the Stops fell", "", "| | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for scene in SCENES:
        counts = [str(tally.where[scene.name, where] or "") for where in columns]
        lines.append(f"| {scene.name} | " + " | ".join(counts) + " |")
    return "\n".join(lines)
