"""Ctrl+C at whichever point of our code it strikes: who waits is interrupted, and what was waited for stops."""

from __future__ import annotations

import asyncio
import linecache
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, field_validator

import gemstream_widget as gem
from gemstream_widget._interrupts import Interruptible
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text

PACKAGE = str(Path(gem.__file__).parent)


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def end(loop: asyncio.AbstractEventLoop) -> None:
    """End what is left on it, and close it."""
    for task in (left := asyncio.all_tasks(loop)):
        task.cancel()
    if left:
        with suppress(KeyboardInterrupt):
            loop.run_until_complete(asyncio.wait(left))
    loop.close()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that somebody runs by hand, as an IPython terminal does."""
    made = asyncio.new_event_loop()
    yield made
    end(made)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def struck(source: GatedSource, awaiting: Coroutine[Any, Any, Any]) -> Any:
    """Await this, and press Ctrl+C once the source is read."""

    async def press() -> None:
        await source.waiting.wait()
        asyncio.get_running_loop().call_soon(ctrl_c)

    pressing = asyncio.create_task(press())
    try:
        return await awaiting
    finally:
        await pressing


def test_an_interrupted_await_stops_its_run_and_the_loop_lives(loop: asyncio.AbstractEventLoop) -> None:
    source = GatedSource()
    chat = gem.Chat(source=source)

    async def cell() -> None:
        await chat.send("hi")

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(struck(source, cell()))
    (run,) = chat.runs
    assert (run.status, source.closed) == ("cancelled", "cancelled")
    assert run.receipt is not None
    assert run.receipt.by == "interrupt"

    async def next_cell() -> str:
        source.give(chunk(text("ok"), finish="STOP"))
        source.end()
        return (await chat.send("again")).text

    assert loop.run_until_complete(next_cell()) == "ok"


@pytest.mark.parametrize("way", ["gather", "wait_for", "a task", "a group"])
def test_runs_awaited_by_a_detour_stop_too(loop: asyncio.AbstractEventLoop, way: str) -> None:
    source, other = GatedSource(), GatedSource()
    chats = [gem.Chat(source=source), gem.Chat(source=other)]

    async def one(chat: gem.Chat) -> gem.Run:
        return await chat.send("hi")

    async def cell() -> None:
        if way == "gather":
            await asyncio.gather(*(one(chat) for chat in chats), return_exceptions=True)
        elif way == "wait_for":
            await asyncio.wait_for(one(chats[0]), 60)
        elif way == "a task":
            await asyncio.create_task(one(chats[0]))
        else:
            async with asyncio.TaskGroup() as group:
                for chat in chats:
                    group.create_task(one(chat))

    with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
        loop.run_until_complete(struck(source, cell()))
    assert [run.status for chat in chats for run in chat.runs] == ["cancelled"] * sum(len(c.runs) for c in chats)
    assert source.closed == "cancelled"


@pytest.mark.parametrize("look", ["wait", "next_pending", "events"])
def test_an_interrupted_look_leaves_its_run_alone(look: str) -> None:
    """A thread's loop goes on when the one that was looked from does not."""
    source = GatedSource()
    run = gem.Chat(source=source, runner="thread").send("hi")

    async def cell() -> None:
        if look == "events":
            async for _ in run:
                pass
        else:
            await getattr(run, look)()

    async def looks() -> None:
        asyncio.get_running_loop().call_later(0.01, ctrl_c)
        await cell()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(looks())
    assert run.receipt is None
    assert run.status in ("pending", "streaming")
    assert run.loop is not None
    run.loop.call_soon_threadsafe(source.give, chunk(text("ok"), finish="STOP"))
    run.loop.call_soon_threadsafe(source.end)
    assert run.result(timeout_s=5).text == "ok"


def test_an_interrupt_of_something_else_stops_nothing(loop: asyncio.AbstractEventLoop) -> None:
    source = GatedSource()
    run: list[gem.Run] = []

    async def waits() -> None:
        await run[0]

    async def cell() -> None:
        run.append(gem.Chat(source=source).send("hi"))
        asyncio.create_task(waits())  # noqa: RUF006  # the loop holds it
        await source.waiting.wait()
        asyncio.get_running_loop().call_soon(ctrl_c)
        await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(cell())
    assert run[0].receipt is None
    assert run[0].status == "streaming"


def test_a_second_interrupt_does_not_wait_for_a_source_that_does_not_end(loop: asyncio.AbstractEventLoop) -> None:
    source = GatedSource(stubborn=True)
    chat = gem.Chat(source=source, grace_s=60)

    async def cell() -> None:
        run = chat.send("hi")
        await source.waiting.wait()
        running = asyncio.get_running_loop()
        running.call_soon(ctrl_c)
        running.call_later(0.05, ctrl_c)
        await run

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    (run,) = chat.runs
    assert run.status == "cancelling"
    source.end()
    loop.run_until_complete(run.wait())


def test_asyncio_run_keeps_its_own_way() -> None:
    source = GatedSource()
    chat = gem.Chat(source=source)

    async def cell() -> None:
        await chat.send("hi")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(struck(source, cell()))
    assert chat.runs[0].status == "cancelled"
    assert source.closed == "cancelled"


def test_nobody_elses_handler_is_replaced(loop: asyncio.AbstractEventLoop) -> None:
    heard: list[int] = []

    async def enters() -> Any:
        with Interruptible():
            return signal.getsignal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, lambda signum, frame: heard.append(signum))
    try:
        own = signal.getsignal(signal.SIGINT)
        assert loop.run_until_complete(enters()) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert loop.run_until_complete(enters()) is not before  # the positive control: Python's own is


# -- where it strikes a task of the run --------------------------------------------------------------------------------


class Checked(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def strike(cls, n: int) -> int:
        ctrl_c()
        return n


async def on_the_loop() -> str:
    ctrl_c()
    return "done"


def validated(x: Checked) -> str:
    return "done"


def policy(call: gem.ToolCall) -> Any:
    ctrl_c()
    return "auto"


class Striking:
    """A source that Ctrl+C strikes in the middle."""

    async def stream(self, request: Any) -> Any:
        yield chunk(text("a"))
        ctrl_c()
        yield chunk(text("b"), finish="STOP")


def asking(name: str, **args: Any) -> gem.ListSource:
    return gem.ListSource([chunk(call(name, args), finish="STOP")], [chunk(text("end"), finish="STOP")])


@pytest.mark.parametrize(
    "options",
    [
        {"source": Striking()},
        {"source": asking("on_the_loop"), "tools": [on_the_loop]},
        {"source": asking("validated", x={"n": 1}), "tools": [validated]},
        {"source": asking("on_the_loop"), "tools": [on_the_loop], "approve": policy},
    ],
    ids=["source", "tool", "validator", "policy"],
)
def test_one_that_strikes_a_task_of_the_run_stops_it_and_goes_on(
    loop: asyncio.AbstractEventLoop, options: dict[str, Any]
) -> None:
    """Nobody awaits the run: with Python's own handler, it is raised in our task."""
    chat = gem.Chat(**options)

    async def cell() -> None:
        chat.send("hi")
        await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(cell())
    (run,) = chat.runs
    loop.run_until_complete(run.wait())
    assert run.status == "cancelled", run.error
    assert run.receipt is not None
    assert run.receipt.by == "interrupt"
    assert "KeyboardInterrupt" not in str(run.snapshot())


def test_on_another_thread_it_is_what_the_source_raised() -> None:
    """No signal is delivered there, so nobody pressed Ctrl+C."""

    class Raising:
        async def stream(self, request: Any) -> Any:
            yield chunk(text("a"))
            raise KeyboardInterrupt("odd")

    run = gem.Chat(source=Raising(), runner="thread").send("hi")
    with pytest.raises(gem.SourceError, match="odd"):
        run.result(timeout_s=5)


# -- at each line of ours ----------------------------------------------------------------------------------------------


_LEAVES = re.compile(r"\s*(async )?with ")
"""A tracer comes to such a line once more before the block is left, where Python lets no signal in."""


class Strike:
    """Presses Ctrl+C at the n-th line of the package that the main thread comes to."""

    def __init__(self, at: int) -> None:
        self.count = 0
        self.where = ""
        self._at = at

    def __enter__(self) -> Strike:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not _LEAVES.match(linecache.getline(frame.f_code.co_filename, frame.f_lineno)):
            self.count += 1
            if self.count == self._at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
                ctrl_c()
        return self._trace


def apart(work: Callable[[], object]) -> None:
    """Do it with an exception state of its own, as a generator has: where a tracer raises in a handler, Python 3.11
    leaves what was handled behind, as the context of whatever is raised later.
    """

    def alone() -> Iterator[object]:
        yield work()

    next(alone())


AFTER = 40
"""More lines than what comes after the end of an answer."""


def await_it(server: gem.LocalGemini, client: Any, prompt: str) -> None:
    made = asyncio.new_event_loop()

    async def cell() -> None:
        await gem.ask(prompt, client=client, model="demo", runner="thread")

    try:
        made.run_until_complete(cell())
    finally:
        end(made)


def block_for_it(server: gem.LocalGemini, client: Any, prompt: str) -> None:
    gem.ask(prompt, client=client, model="demo", runner="thread").result()


@pytest.mark.parametrize("way", [await_it, block_for_it])
def test_it_is_never_lost_wherever_it_strikes(way: Callable[..., None]) -> None:
    """At every so manieth line between the call and the end of the answer; proof tries all of them."""
    with gem.LocalGemini(speed=float("inf")) as server:
        client = server.client()
        way(server, client, "@say hello")  # what is imported first is not struck
        with Strike(0) as none:
            way(server, client, "@say hello")
        until_it_waits = none.count - AFTER
        assert until_it_waits > 500
        for at in range(1, until_it_waits, until_it_waits // 40):
            with Strike(at) as strike, pytest.raises((KeyboardInterrupt, asyncio.CancelledError)):
                apart(lambda: way(server, client, "@say hello\n@stall"))
            assert strike.count >= at
            for run in gem.runs():
                run.cancel_event.wait(1) or pytest.fail(f"{strike.where}: {run!r} goes on")
                with suppress(gem.RunCancelled):
                    run.result(timeout_s=5)
            assert all(record.wait_done(2) for record in server.requests), strike.where


# -- a loop that nobody runs, and no loop at all -----------------------------------------------------------------------


def still(source: Any, loop: asyncio.AbstractEventLoop, **options: Any) -> gem.Run:
    """A run on a loop that ran until its source was read, and stands still since."""

    async def cell() -> gem.Run:
        run = gem.Chat(source=source, **options).send("hi")
        await until(lambda: run.pending or getattr(source, "waiting", asyncio.Event()).is_set(), "it waits")
        return run

    return loop.run_until_complete(cell())


def test_a_stop_on_a_loop_that_nobody_runs_says_so(loop: asyncio.AbstractEventLoop) -> None:
    source = GatedSource()
    run = still(source, loop)
    with pytest.warns(gem.StopDelayed, match=f"Run {run.id} stays streaming for now: its event loop does not run"):
        assert run.stop()
    assert (run.status, source.closed) == ("streaming", None)
    assert not run.stop()
    loop.run_until_complete(run.wait())
    assert (run.status, source.closed) == ("cancelled", "cancelled")


def test_a_stop_on_a_loop_that_runs_warns_of_nothing() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        assert await asyncio.to_thread(run.stop)  # a warning is an error in these tests
        await run.wait()

    asyncio.run(main())
    assert gem.Chat(source=GatedSource(), runner="thread").send("hi").stop()


def test_a_decision_on_a_loop_that_nobody_runs_is_refused_at_once(loop: asyncio.AbstractEventLoop) -> None:
    run = still(asking("on_the_loop"), loop, tools=[on_the_loop], approve="ask")
    with pytest.raises(gem.LoopBusy, match=r"within 0\.5 s.*nobody runs it"):
        run.approve(run.pending[0])
    loop.run_until_complete(asyncio.sleep(0))
    assert [call.state for call in run.pending] == ["awaiting_approval"]  # and nothing was done later


def test_the_result_of_a_run_whose_loop_nobody_runs_is_not_waited_for(loop: asyncio.AbstractEventLoop) -> None:
    run = still(GatedSource(), loop)
    with pytest.raises(gem.GemstreamError, match="stays streaming: its event loop does not run"):
        run.result()


@pytest.mark.parametrize("how", ["await", "wait", "next_pending", "events"])
def test_under_trio_one_sentence_says_what_to_use(how: str) -> None:
    run = gem.Chat(source=GatedSource(), runner="thread").send("hi")

    async def main() -> None:
        if how == "await":
            await run
        elif how == "events":
            async for _ in run:
                pass
        else:
            await getattr(run, how)()

    with pytest.raises(gem.NoRunningLoop, match=r"write: await trio\.to_thread\.run_sync\(run\.result\)") as raised:
        main().send(None)  # as any loop but asyncio's begins it
    assert raised.value.__context__ is None
    run.stop()


def test_a_scope_of_anyio_around_an_await_stops_the_run() -> None:
    """It cancels again and again until its task has left, so the end comes after."""
    source = GatedSource()

    async def main() -> None:
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        with anyio.move_on_after(0.01) as scope:
            await run
        assert scope.cancelled_caught
        await asyncio.wait_for(run.wait(), 5)
        assert (run.status, source.closed) == ("cancelled", "cancelled")

    asyncio.run(main())


@pytest.mark.parametrize("around", [asyncio.timeout, anyio.move_on_after])
def test_a_time_limit_around_a_look_stops_nothing(around: Any) -> None:
    source = GatedSource()

    async def main() -> None:
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        for look in (run.wait, run.next_pending):
            with suppress(TimeoutError):
                async with AsyncExitStack() as stack:
                    limit = around(0.01)
                    if around is asyncio.timeout:
                        await stack.enter_async_context(limit)
                    else:
                        stack.enter_context(limit)
                    await look()
        assert (run.status, run.receipt) == ("streaming", None)
        run.stop()
        await run.wait()

    asyncio.run(main())


def test_a_time_limit_around_an_await_stops_the_run() -> None:
    source = GatedSource()

    async def main() -> None:
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run
        assert (run.status, source.closed) == ("cancelled", "cancelled")

    asyncio.run(main())


class Steps:
    """Two steps with calls, and a third one that stalls; where asked to, none does."""

    def __init__(self, *, stalls: bool) -> None:
        self._stalls = stalls
        self._step = 0

    async def stream(self, request: Any) -> Any:
        self._step += 1
        yield chunk(text("so"))
        await asyncio.sleep(0)
        if self._step < 3:
            yield chunk(call(("on_a_thread", "on_this_loop")[self._step - 1], {"a": 1}), finish="STOP")
        else:
            if self._stalls:
                await asyncio.Event().wait()
            yield chunk(text("end"), finish="STOP")


def on_a_thread(a: int) -> int:
    return a


async def on_this_loop(a: int) -> int:
    await asyncio.sleep(0)
    return a


def test_wherever_it_strikes_a_run_that_nobody_awaits_the_run_ends() -> None:
    """On the loop of the main thread: in each task of the run, at every so manieth line. The interrupt goes on to who
    waits for something else, and nothing is told as an error.
    """

    async def cell(chat: gem.Chat, strikes: bool) -> None:
        if not chat.send("hi")._record.ended.done():
            await asyncio.wait({asyncio.wrap_future(chat.runs[0]._record.ended)})
        if strikes:  # an interrupt that is handed on comes out here, after the run's end
            await asyncio.wait_for(asyncio.Event().wait(), 5)

    def tried(at: int) -> tuple[Strike, gem.Chat, asyncio.AbstractEventLoop]:
        made = asyncio.new_event_loop()
        chat = gem.Chat(source=Steps(stalls=at > 0), runner="loop", tools=[on_a_thread, on_this_loop])
        with Strike(at) as strike, pytest.raises(KeyboardInterrupt) if at else nullcontext():
            apart(lambda: made.run_until_complete(cell(chat, at > 0)))
        return strike, chat, made

    tried(0)[2].close()
    strike, _, made = tried(0)
    made.close()
    until_it_stalls = strike.count * 2 // 3
    for at in range(1, until_it_stalls, until_it_stalls // 30):
        strike, chat, made = tried(at)
        for run in chat.runs:
            made.run_until_complete(asyncio.wait_for(run.wait(), 5))
            assert run.status == "cancelled", (strike.where, run.error)
        end(made)
