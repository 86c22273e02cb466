"""A decision that reported failure never runs, and what was shown is what runs."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

import gemstream_widget as gem
from gemstream_widget._engine import loops
from gemstream_widget._engine.source import ListSource
from gemstream_widget._tools.policy import RuleBook
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text


def chat_with(tools: Any, *calls: dict[str, Any], **options: Any) -> gem.Chat:
    answer = [chunk(*calls), chunk(finish="STOP")]
    return gem.Chat(source=ListSource(answer, [chunk(text("done"), finish="STOP")]), tools=tools, **options)


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 20)

    asyncio.run(within())


def in_thread(call: Callable[[], object]) -> Future[object]:
    """What a call on another thread gives, as a future that this thread may block on."""
    answer: Future[object] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work).start()
    return answer


@pytest.fixture
def _swept() -> Iterator[None]:
    """For tests that close a loop with tasks in it: these are collected here, where nobody else hears them complain."""
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        yield
        gc.collect()
    finally:
        sys.unraisablehook = hook


# -- a failure that was told is never followed by the deed -------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_a_decision_that_was_told_to_have_failed_never_takes_effect(
    verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop is blocked, as by a cell, until the thread that decides has given up; then it is free."""
    monkeypatch.setattr(loops, "_PATIENCE_S", 0.05)

    async def main() -> None:
        ran: list[int] = []

        def work(n: int) -> None:
            ran.append(n)

        run = chat_with(work, call("work", {"n": 1}), approve="ask").send("go")
        (asked,) = await run.next_pending()
        with pytest.raises(gem.LoopBusy, match="nothing was changed and nothing will be"):
            in_thread(lambda: getattr(run, verdict)(asked.id)).result(10)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (asked.state, asked.decision, ran) == ("awaiting_approval", None, [])
        run.approve(asked.id)  # positive control: a decision that is taken does run it
        await run
        assert ran == [1]

    play(main)


def test_a_call_on_a_loop_is_made_or_given_up_and_never_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop comes free at about the moment at which the waiter gives up: 300 times, at random offsets."""
    monkeypatch.setattr(loops, "_PATIENCE_S", 0.002)
    moments, made, told = random.Random(7), 0, 0
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        for _ in range(300):
            done: list[int] = []
            loop.call_soon_threadsafe(time.sleep, 0.002 + moments.uniform(-0.0015, 0.0015))
            try:
                loops.call_on(loop, lambda done=done: done.append(1))
            except gem.LoopBusy:
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
                assert done == []
                told += 1
            else:
                assert done == [1]
                made += 1
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert made, "the loop never came first"
    assert told, "the waiter never came first"


def test_what_a_call_on_a_loop_raises_is_its_own() -> None:
    async def main() -> None:
        def late() -> None:
            raise TimeoutError("of its own")

        with pytest.raises(TimeoutError, match="of its own"):
            await asyncio.to_thread(loops.call_on, asyncio.get_running_loop(), late)

    play(main)


# -- what was shown is what runs ---------------------------------------------------------------------------------------


def plans(ran: list[Any]) -> gem.Tool:
    def work(plan: Any) -> None:
        ran.append(plan)

    return gem.Tool(work)


PLAN = {"plan": {"n": 1}}


def test_arguments_changed_after_the_approval_are_not_those_that_run() -> None:
    async def main() -> None:
        ran: list[Any] = []
        run = chat_with(plans(ran), call("work", PLAN), approve="ask").send("go")
        (asked,) = await run.next_pending()
        given = {"plan": {"n": 2}}
        run.approve(asked, given)
        given["plan"]["n"] = 666
        await run
        assert ran == [{"n": 2}]
        assert asked.used_args == {"plan": {"n": 2}}
        assert run.decisions[0].edited

    play(main)


def test_a_tool_and_a_policy_change_nothing_that_was_shown() -> None:
    async def main() -> None:
        kept: list[Any] = []

        def policy(asked: Any) -> str:
            asked.args["plan"]["n"] = 7
            return "auto"

        def work(plan: dict[str, Any]) -> str:
            kept.append(dict(plan))
            plan["n"] = 99
            return "ok"

        run = await chat_with(work, call("work", PLAN), approve=policy).send("go")
        (asked,) = run.tool_calls
        assert kept == [{"n": 1}]
        assert (asked.args, asked.used_args) == (PLAN, PLAN)
        assert run.snapshot()["parts"][0]["call"]["used_args"] == PLAN
        assert run.decisions[0].edited is False

    play(main)


def test_whoever_holds_the_call_cannot_change_what_runs() -> None:
    async def main() -> None:
        ran: list[Any] = []
        run = chat_with(plans(ran), call("work", PLAN), approve="ask").send("go")
        (asked,) = await run.next_pending()
        asked.args["plan"]["n"] = 666
        run.approve(asked)
        await run
        assert ran == [{"n": 1}]

    play(main)


def test_what_is_handed_out_is_a_copy() -> None:
    async def main() -> None:
        chat = chat_with(plans([]), call("work", PLAN))
        run = await chat.send({"role": "user", "parts": [{"text": "go"}]})
        before = (run.snapshot(), run.contents(), chat.history)
        for copy in (run.snapshot(), run.contents(), chat.history):
            spoil(copy)
        assert (run.snapshot(), run.contents(), chat.history) == before

    play(main)


def spoil(value: Any) -> None:
    """Change every container in a value."""
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        spoil(held)
    if isinstance(value, dict):
        value["spoilt"] = True
    elif isinstance(value, list):
        value.append("spoilt")


# -- tools, chats and readers that misbehave ---------------------------------------------------------------------------


def test_a_validator_that_raises_anything_fails_its_call_and_nothing_else() -> None:
    def broken(value: str) -> str:
        raise KeyError(value)

    def work(name: Annotated[str, AfterValidator(broken)]) -> str:
        return name

    async def main() -> None:
        other = gem.Tool(lambda: "fine", name="other")
        run = await chat_with([work, other], call("work", {"name": "x"}), call("other", {})).send("go")
        failed, succeeded = run.tool_calls
        assert (run.status, failed.state, succeeded.state) == ("completed", "failed", "succeeded")
        assert "could not be checked: KeyError" in str(failed.error)

    work.__annotations__["name"] = Annotated[str, AfterValidator(broken)]
    play(main)


def test_a_tool_left_behind_by_a_stop_prints_into_no_cell(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        began, go_on, printed = threading.Event(), threading.Event(), threading.Event()

        def work() -> None:
            began.set()
            go_on.wait(10)
            print("late")
            printed.set()

        run = chat_with(work, call("work", {})).send("go")
        await asyncio.to_thread(began.wait, 10)
        run.stop()
        await run.wait()
        print("the cell's own")
        go_on.set()
        await asyncio.to_thread(printed.wait, 10)

    play(main)
    assert capsys.readouterr().out == "the cell's own\n"


def test_a_reader_or_a_chat_that_raises_does_not_keep_a_run_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        chat = chat_with((), text("hello"))
        monkeypatch.setattr(chat, "_offers", lambda run, ended, error: 1 / 0)
        run = chat.send("hi")
        reader = run.__aiter__()
        monkeypatch.setattr(reader, "wake", lambda: 1 / 0)
        assert (await run).status == "completed"

    play(main)


def test_raising_an_error_again_does_not_make_its_traceback_grow() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource([gem.ApiError(400, None, "no")])).send("hi")
        depths = []
        for _ in range(4):
            with pytest.raises(gem.ApiError) as caught:
                await run
            depths.append(len(caught.traceback))
        assert len(set(depths)) == 1

    play(main)


def test_rules_of_the_chat_replace_one_another_whichever_run_made_them() -> None:
    book = RuleBook()
    book.add("work", "chat", "auto", "r1")
    book.add("work", "chat", "never", "r2")
    (rule,) = book.of("r3")
    assert book.verdict("work", "r3") == "never"
    assert book.revoke(rule.id)
    assert book.verdict("work", "r3") is None


def test_an_interrupted_result_stops_the_run() -> None:
    program = """
import os, signal, threading, time, gemstream_widget as gem
server = gem.LocalGemini().start()
run = gem.Chat(client=server.client(), runner="thread").send("@say a\\n@stall")

def interrupt():
    while not run.text:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    run.result()
except KeyboardInterrupt:
    print(run.status, run.receipt.by, flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.strip() == "cancelled interrupt", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_has_a_thread_of_its_own_for_its_runs() -> None:
    program = """
import os, warnings, gemstream_widget as gem
warnings.simplefilter("ignore", DeprecationWarning)
source = lambda: gem.ListSource([{"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]}])
print(gem.Chat(source=source(), runner="thread").send("x").result(20).text, flush=True)
child = os.fork()
if child == 0:
    print(gem.Chat(source=source(), runner="thread").send("x").result(20).text, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.split() == ["hi", "hi"], done.stderr


def test_preparing_a_source_is_no_silence_of_its_stream() -> None:
    class Slow(ListSource):
        async def prepare(self) -> None:
            await asyncio.sleep(0.2)

    class Silent(ListSource):
        async def stream(self, request: Any) -> Any:
            await asyncio.sleep(0.2)
            yield {}

    async def main() -> None:
        slow = gem.Chat(source=Slow([chunk(text("hello"), finish="STOP")]), idle_timeout_s=0.05).send("hi")
        assert (await slow).text == "hello"
        silent = gem.Chat(source=Silent(), idle_timeout_s=0.05).send("hi")  # positive control
        assert isinstance((await silent.wait()).error, gem.StreamStalled)

    play(main)


# -- what a review found ----------------------------------------------------------------------------------------------


def test_a_call_of_another_run_is_not_this_ones() -> None:
    """Ids of calls are the same in every run."""

    async def main() -> None:
        ran: list[Any] = []
        runs = [chat_with(plans(ran), call("work", {"plan": n}), approve="ask").send("go") for n in (1, 2)]
        (first,), (second,) = [await run.next_pending() for run in runs]
        assert first.id == second.id
        with pytest.raises(gem.DecisionRefused, match="is no call of run"):
            runs[1].approve(first)
        for _ in range(50):
            await asyncio.sleep(0)
        assert ran == []
        runs[1].approve(second)
        runs[0].deny(first)
        await asyncio.gather(*runs)
        assert ran == [2]

    play(main)


def test_arguments_changed_while_they_stream_in_are_not_those_that_run() -> None:
    async def main() -> None:
        ran: list[Any] = []
        source = GatedSource()
        run = gem.Chat(source=source, tools=plans(ran)).send("go")
        source.give(chunk(call("work", PLAN)))
        await until(lambda: bool(run.tool_calls), "the call came")
        run.tool_calls[0].args["plan"]["n"] = 666
        source.give(chunk(finish="STOP"))
        source.end()
        await until(lambda: bool(ran), "the tool ran")
        run.stop()
        await run.wait()
        assert ran == [{"n": 1}]

    play(main)


def test_events_are_the_readers_own() -> None:
    async def main() -> None:
        chat = chat_with(plans([]), call("work", PLAN))
        run = chat.send("go")
        async for event in run:
            for name in ("raw", "fields", "offers", "notice"):
                spoil(getattr(event, name, None))
        assert "spoilt" not in json.dumps([run.snapshot(), chat.history, chat.tools.wire])

    play(main)


@pytest.mark.parametrize("args", [{"plan": float("inf")}, {"plan": object()}, {"plan": {1, 2}}])
def test_arguments_that_no_page_could_show_are_not_approved(args: Any) -> None:
    async def main() -> None:
        ran: list[Any] = []
        run = chat_with(plans(ran), call("work", PLAN), approve="ask").send("go")
        (asked,) = await run.next_pending()
        with pytest.raises(gem.DecisionRefused, match="are not JSON"):
            run.approve(asked, args)
        assert asked.state == "awaiting_approval"
        run.approve(asked)
        await run
        assert ran == [{"n": 1}]

    play(main)


@pytest.mark.parametrize("how", ["exits", "is odd", "has odd words"])
def test_a_policy_can_do_no_harm(how: str) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no truth")

        __hash__ = None  # type: ignore[assignment]

    def policy(asked: Any) -> Any:
        return sys.exit(3) if how == "exits" else Odd() if how == "is odd" else ("never", Odd())

    async def main() -> None:
        run = chat_with(plans([]), call("work", PLAN), approve=policy).send("go")
        if how == "has odd words":
            await run
            assert run.tool_calls[0].state == "denied"
        else:
            (asked,) = await run.next_pending()
            assert "The policy" in str(asked.error)
            run.deny(asked)
            await run
        assert run.status == "completed"
        json.dumps(run.snapshot(), allow_nan=False)

    play(main)


def test_a_policy_that_would_have_to_be_awaited_is_refused_where_it_is_given() -> None:
    async def policy(asked: Any) -> str:
        return "never"

    with pytest.raises(gem.InvalidOption, match="a plain function"):
        gem.Chat(approve=policy)
    with pytest.raises(gem.ToolError, match="a plain function"):
        gem.Tool(print, approve=policy)


@pytest.mark.usefixtures("_swept")
def test_a_decision_on_a_loop_that_was_closed_changes_nothing() -> None:
    loop = asyncio.new_event_loop()
    ran: list[Any] = []
    chat = chat_with(plans(ran), call("work", PLAN), approve="ask")

    async def main() -> gem.Run:
        run = chat.send("go")
        await run.next_pending()
        return run

    run = loop.run_until_complete(main())
    loop.close()
    with pytest.raises(gem.DecisionRefused, match="was stopped"):
        run.approve("s0c0", scope="chat")
    assert (run.status, run.tool_calls[0].state, ran) == ("cancelled", "cancelled", [])
    assert chat._rules.of("any") == []


@pytest.mark.usefixtures("_swept")
def test_a_stop_before_its_loop_closed_ends_at_the_next_look() -> None:
    loop = asyncio.new_event_loop()

    async def main() -> gem.Run:
        source = GatedSource()
        run = gem.Chat(source=source).send("go")
        await source.waiting.wait()
        return run

    run = loop.run_until_complete(main())
    with pytest.warns(gem.StopDelayed, match="stays streaming"):  # nobody runs its loop
        assert run.stop()
    loop.close()
    assert run.status == "streaming"
    assert not run.stop()
    assert run.status == "cancelled"


@pytest.mark.usefixtures("_swept")
def test_whoever_notices_a_closed_loop_the_run_ends_once() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(60):
            loop = asyncio.new_event_loop()
            ends: list[Any] = []

            async def main(ends: list[Any] = ends) -> gem.Run:
                source = GatedSource()
                run = gem.Chat(source=source).send("go")
                run._record.keep(lambda: ends.append(run.status))  # is called after each entry
                await source.waiting.wait()
                return run

            run = loop.run_until_complete(main())
            loop.close()
            barrier = threading.Barrier(3)
            looks = [in_thread(lambda run=run, b=barrier: (b.wait(), run.stop())) for _ in range(3)]
            for look in looks:
                look.result(10)
            assert ends.count("cancelled") == 1
    finally:
        sys.setswitchinterval(interval)


def test_a_request_that_cannot_be_made_is_told_as_what_it_is() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource()).send("hi")
        run._driver._request = lambda: 1 / 0
        await run.wait()
        assert run.status == "failed"
        assert "ZeroDivisionError" in str(run.error)

    play(main)


def test_chunks_that_came_are_kept_when_the_run_itself_is_cancelled() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        source.give(*(chunk(text("a")) for _ in range(50)))
        await until(lambda: run._driver._pump._inbox.qsize() >= 50 or len(run.chunks) > 0, "they are in the queue")
        run._driver._task.cancel()
        await run.wait()
        assert (run.status, len(run.chunks)) == ("cancelled", 50)

    play(main)


def test_a_tool_that_ran_is_not_told_as_one_that_did_not() -> None:
    async def main() -> None:
        began = asyncio.Event()

        async def work(plan: dict[str, Any]) -> None:
            began.set()
            await asyncio.Event().wait()

        chat = chat_with(work, call("work", PLAN))
        run = chat.send("go")
        await began.wait()
        run.stop()
        await run.wait()
        assert "while the call ran; what it did is not known" in json.dumps(chat.history)

    play(main)


def test_going_on_is_for_answers_that_were_cut() -> None:
    async def main() -> None:
        chat = chat_with((), text("x"))
        await chat.send("x")
        for how in ("continue", "repair"):
            with pytest.raises(gem.NothingToRepeat, match=f"Nothing calls for '{how}'"):
                chat.again(how)  # type: ignore[arg-type]

    play(main)
