"""A run on sources that tests hold in their hands: no network, no sleeping."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream.events import PartStarted, RunEnded, RunStarted, TextAdded
from tests.gates import GatedSource, until
from tests.wire import answer, call, chunk, text, thought, tokens

HELLO = [chunk(thought("hm")), chunk(text("Hel"), usage=tokens(7)), chunk(text("lo"), finish="STOP", usage=tokens(9))]


def chat_of(*streams: Any, **options: Any) -> gem.Chat:
    return gem.Chat(source=ListSource(*streams), **options)


def test_a_run_is_awaited_to_its_end() -> None:
    async def main() -> None:
        run = chat_of(HELLO).send("hi")
        assert run.status == "pending"
        assert await run is run
        assert (run.status, run.text, run.thoughts, run.finish_reason) == ("completed", "Hello", "hm", "STOP")
        assert run.usage.total_token_count == 9
        assert [c.wire for c in run.chunks] == HELLO
        assert run.timing.first_chunk_s is not None
        assert run.timing.ended_s is not None
        assert run.timing.first_chunk_s <= run.chunks[1].at_s <= run.timing.ended_s
        assert run.error is None
        assert run.receipt is None
        assert run.snapshot()["status"] == "completed"

    asyncio.run(main())


def test_events_come_in_order_with_one_terminal_event_last() -> None:
    async def main() -> None:
        run = chat_of(HELLO).send("hi")
        events = [event async for event in run]
        assert isinstance(events[0], RunStarted)
        assert [type(e) for e in events].count(RunEnded) == 1
        assert isinstance(events[-1], RunEnded)
        said = "".join(e.text or "" for e in events if isinstance(e, TextAdded | PartStarted))
        assert said == "hmHello"
        assert [event async for event in run] == events  # a late reader is told the same

    asyncio.run(main())


def test_leaving_the_event_loop_neither_stops_nor_leaks() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        source.give(*HELLO)
        reader = aiter(run)
        held = weakref.ref(reader)
        async for _ in reader:
            break
        del reader
        gc.collect()
        assert held() is None
        source.end()
        assert (await run).text == "Hello"

    asyncio.run(main())


def test_a_conversation_sends_what_was_said() -> None:
    async def main() -> None:
        source = ListSource(HELLO, [chunk(text("fine"), finish="STOP")])
        chat = gem.Chat(source=source, system="be kind")
        await chat.send("hi")
        await chat.send("how are you?")
        said = [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"text": "Hello"}]},
            {"role": "user", "parts": [{"text": "how are you?"}]},
        ]
        assert source.requests[1].contents == said
        assert source.requests[1].system == "be kind"
        assert chat.history == [*said, {"role": "model", "parts": [{"text": "fine"}]}]

    asyncio.run(main())


def test_calls_wait_for_the_callers_next_send() -> None:
    async def main() -> None:
        source = ListSource([chunk(call("f", {"a": 1}, id="k"), finish="STOP")], HELLO)
        chat = gem.Chat(source=source, tools=[{"name": "f"}])
        run = await chat.send("do")
        assert (run.status, run.snapshot()["stopped_by"]) == ("completed", "calls")
        assert [(c.name, c.state) for c in run.tool_calls] == [("f", "requested")]
        await chat.send(answer("f", {"n": 1}, id="s0c0"))
        assert source.requests[1].contents[-1] == {"role": "user", "parts": [answer("f", {"n": 1}, id="k")]}
        assert source.requests[1].tools == [{"functionDeclarations": [{"name": "f"}]}]

    asyncio.run(main())


# -- stopping ---------------------------------------------------------------------------------------------------------


async def stopped_run(source: GatedSource, given: list[Any], **options: Any) -> gem.Run:
    """A run stopped after `given` arrived."""
    run = gem.Chat(source=source, **options).send("hi")
    source.give(*given)
    await until(lambda: len(run.chunks) == len(given) and source.waiting.is_set(), "the chunks arrived")
    assert run.stop()
    await run.wait()
    return run


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_stop_keeps_what_came_and_cancels_the_source(count: int) -> None:
    async def main() -> None:
        source = GatedSource()
        run = await stopped_run(source, HELLO[:count])
        assert run.status == "cancelled"
        assert source.closed == "cancelled"
        assert run.text == ["", "", "Hel", "Hello"][count]
        assert run.receipt is not None
        assert run.receipt.when == ("mid-stream" if count else "before the first chunk")
        assert run.receipt.closed_s is not None
        assert run.receipt.closed_s >= run.receipt.asked_s
        assert run.receipt.chunks_after == 0
        assert run.receipt.tokens == [None, None, 7, 9][count]
        with pytest.raises(gem.RunCancelled) as caught:
            await run
        assert caught.value.run is run

    asyncio.run(main())


def test_stop_before_the_first_request_asks_for_nothing() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        run = chat.send("hi")
        run.stop()
        assert run.cancel_event.is_set()
        await run.wait()
        assert (run.status, source.requests) == ("cancelled", [])
        assert run.receipt is not None
        assert (run.receipt.when, run.receipt.closed_s) == ("before the request", None)
        assert chat.history == [{"role": "user", "parts": [{"text": "hi"}]}]

    asyncio.run(main())


def test_stop_is_idempotent_and_says_so() -> None:
    async def main() -> None:
        source = GatedSource()
        run = await stopped_run(source, HELLO[:1])
        receipt = run.receipt
        assert not run.stop()
        assert run.receipt is receipt
        done = await chat_of(HELLO).send("hi")
        assert not done.stop()
        assert (done.status, done.receipt) == ("completed", None)

    asyncio.run(main())


def test_a_stop_that_comes_after_the_streams_end_cuts_nothing() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        source.give(*HELLO)
        source.end()
        await until(lambda: source.closed == "ended", "the stream ended")
        run.stop()
        await run.wait()
        assert (run.status, run.text, run.receipt) == ("completed", "Hello", None)

    asyncio.run(main())


def test_after_a_stop_the_conversation_goes_on() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        run = chat.send("hi")
        asked = chunk(text("I will"), call("rm", {"p": "/"}, id="k", signature="QQ=="))
        source.give(asked)
        await until(lambda: len(run.chunks) == 1, "the chunk arrived")
        run.stop()
        await run.wait()
        assert [c.state for c in run.tool_calls] == ["cancelled"]
        again = chat.send("no, wait")
        source.give(chunk(text("ok"), finish="STOP"))
        source.end()
        assert (await again).text == "ok"
        model, responses, user = source.requests[1].contents[1:]
        assert model["parts"] == asked["candidates"][0]["content"]["parts"]
        assert responses["parts"][0]["functionResponse"]["id"] == "k"
        assert "Stopped by the user" in responses["parts"][0]["functionResponse"]["response"]["error"]
        assert user["parts"] == [{"text": "no, wait"}]

    asyncio.run(main())


def test_a_source_that_ignores_cancellation_is_left_after_the_grace_time() -> None:
    async def main() -> None:
        source = GatedSource(stubborn=True)
        run = await stopped_run(source, HELLO[:1], grace_s=0.01)
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert run.receipt.closed_s is None
        source.give(chunk(text("too late")))
        pump = run._driver._pump
        assert pump is not None
        await until(pump.task.done, "the pump left it")
        assert run.text == ""
        assert len(run.chunks) == 1

    asyncio.run(main())


def test_stop_from_another_thread_wakes_a_silent_loop() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        threading.Thread(target=run.stop).start()
        await run.wait()
        assert (run.status, source.closed) == ("cancelled", "cancelled")

    asyncio.run(main())


def test_shown_is_kept_at_every_stop() -> None:
    """What a reader was told before the terminal event is what the run holds and the history sends."""

    async def main() -> None:
        for count in range(4):
            source = GatedSource()
            chat = gem.Chat(source=source)
            run = chat.send("hi")
            shown: list[str] = []

            async def read(run: gem.Run = run, shown: list[str] = shown) -> None:
                async for event in run:
                    if isinstance(event, PartStarted | TextAdded):
                        shown.append(event.text or "")

            reading = asyncio.create_task(read())
            source.give(*HELLO[:count])
            await until(lambda: len(run.chunks) == count, "the chunks arrived")  # noqa: B023
            run.stop()
            await reading
            assert "".join(shown) == run.thoughts + run.text
            sent = [p["text"] for c in chat.history if c["role"] == "model" for p in c["parts"]]
            assert "".join(sent) == run.text

    asyncio.run(main())


# -- cancellation from outside ----------------------------------------------------------------------------------------


def test_cancelling_who_awaits_a_run_stops_it_and_passes_on() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")

        async def waits() -> None:
            await run

        task = asyncio.create_task(waits())
        await source.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await run.wait()
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert run.receipt.by == "interrupt"
        assert source.closed == "cancelled"

    asyncio.run(main())


@pytest.mark.parametrize("how", ["wait", "events", "next_pending"])
def test_a_look_that_is_cancelled_leaves_the_run_alone(how: str) -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")

        async def looks() -> None:
            if how == "wait":
                await run.wait()
            elif how == "next_pending":
                await run.next_pending()
            else:
                async for _ in run:
                    pass

        await source.waiting.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(looks(), 0.01)
        source.give(chunk(text("hello"), finish="STOP"))
        source.end()
        assert (await run).text == "hello"

    asyncio.run(main())


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_a_loop_that_shuts_down_ends_its_runs(turns: int) -> None:
    """asyncio.run cancels all tasks at its end: also one that has not begun."""

    async def main() -> gem.Run:
        run = gem.Chat(source=GatedSource()).send("hi")
        for _ in range(turns):
            await asyncio.sleep(0)
        return run

    run = asyncio.run(main())
    assert run.status == "cancelled"
    assert run.done


# -- failing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "kind", "kept"),
    [
        ([], gem.EmptyResponse, ""),
        ([chunk(text("a"))], gem.StreamTruncated, "a"),
        ([chunk(text("a"), finish="SAFETY")], gem.ResponseBlocked, "a"),
        ([chunk(finish="MALFORMED_FUNCTION_CALL")], gem.MalformedCall, ""),
        ([{"promptFeedback": {"blockReason": "OTHER"}}], gem.PromptBlocked, ""),
        ([chunk(text("a")), {"error": {"code": 503, "message": "busy"}}, chunk(text("b"))], gem.ApiError, "a"),
        ([chunk(text("a")), gem.ConnectionFailed("gone")], gem.ConnectionFailed, "a"),
        ([chunk(text("a")), KeyError("odd")], gem.SourceError, "a"),
    ],
)
def test_failures_raise_their_type_keep_what_came_and_end_once(stream: list[Any], kind: type, kept: str) -> None:
    async def main() -> None:
        chat = chat_of(stream, HELLO)
        run = chat.send("hi")
        events = [event async for event in run]
        assert [type(e) for e in events].count(RunEnded) == 1
        with pytest.raises(kind) as caught:
            await run
        assert caught.value.run is run
        assert (run.status, run.text, run.error) == ("failed", kept, caught.value)
        shown = run.snapshot()["error"]
        assert shown["title"]
        assert shown["hint"] or kind is gem.SourceError
        assert chat.history == (
            [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": kept}]}] if kept else []
        )
        assert (await chat.send("again")).text == "Hello"

    asyncio.run(main())


def test_an_error_in_the_stream_ends_the_source() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        source.give({"error": {"code": 500, "message": "x"}})
        await run.wait()
        assert (run.status, source.closed) == ("failed", "cancelled")

    asyncio.run(main())


def test_sending_while_a_run_goes_is_refused_by_its_name() -> None:
    async def main() -> None:
        chat = gem.Chat(source=GatedSource())
        run = chat.send("hi")
        with pytest.raises(gem.RunInProgress, match=f"Run {run.id} of this chat is still pending"):
            chat.send("and?")
        run.stop()
        await run.wait()
        with pytest.raises(gem.InvalidPrompt):
            chat.send(" ")
        assert len(chat.runs) == 1

    asyncio.run(main())


def test_without_a_loop_the_error_says_what_to_do() -> None:
    with pytest.raises(gem.NoRunningLoop, match=r'runner="thread"'):
        chat_of(HELLO).send("hi")


@pytest.mark.parametrize("options", [{"model": ""}, {"model": None}, {"runner": "process"}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not"):
        gem.Chat(**options)


# -- the other runner -------------------------------------------------------------------------------------------------


def test_a_run_in_a_thread_needs_no_loop_and_blocks_for_its_result() -> None:
    chat = chat_of(HELLO, [chunk(text("a"))], runner="thread")
    assert chat.send("hi").result(timeout_s=10).text == "Hello"
    with pytest.raises(gem.StreamTruncated):
        chat.send("again").result(timeout_s=10)


def test_a_run_in_a_thread_can_be_awaited_iterated_and_stopped_from_another_loop() -> None:
    async def main() -> None:
        run = chat_of(HELLO, runner="thread").send("hi")
        events = [event async for event in run]
        assert isinstance(events[-1], RunEnded)
        assert (await run).text == "Hello"

    asyncio.run(main())


def test_result_on_the_runs_own_loop_is_refused_instead_of_hanging() -> None:
    async def main() -> None:
        run = gem.Chat(source=GatedSource()).send("hi")
        with pytest.raises(gem.GemstreamError, match="await the run instead"):
            run.result()
        run.stop()
        await run.wait()

    asyncio.run(main())


def test_result_gives_up_after_its_time() -> None:
    run = gem.Chat(source=GatedSource(), runner="thread").send("hi")
    with pytest.raises(TimeoutError):
        run.result(timeout_s=0.01)
    run.stop()
    with pytest.raises(gem.RunCancelled):
        run.result(timeout_s=10)


def test_nothing_holds_a_run_that_has_ended() -> None:
    async def main() -> weakref.ref[gem.Run]:
        return weakref.ref(await chat_of(HELLO).send("hi"))

    held = asyncio.run(main())
    gc.collect()
    assert held() is None


# -- what must not decide how a run goes -------------------------------------------------------------------------------


@pytest.mark.parametrize("fails_at", ["always", "at the end"])
def test_a_card_that_cannot_be_told_changes_nothing(fails_at: str) -> None:
    async def main() -> None:
        run = chat_of(HELLO).send("hi")
        broken, healthy = run._feed(), run._feed()

        def fail(urgent: bool) -> None:
            if fails_at == "always" or run.done:
                raise RuntimeError("the comm is gone")

        told: list[bool] = []
        broken.changed = fail
        healthy.changed = told.append
        events = [event async for event in run]
        assert [type(e) for e in events].count(RunEnded) == 1
        assert (await run).text == "Hello"
        assert told

    asyncio.run(main())


@pytest.mark.parametrize("raised", [SystemExit, MemoryError, asyncio.CancelledError, GeneratorExit])
def test_whatever_a_source_raises_ends_the_run_and_not_the_loop(raised: type[BaseException]) -> None:
    async def main() -> None:
        run = chat_of([chunk(text("a")), raised("odd")]).send("hi")
        await asyncio.wait_for(run.wait(), 5)
        assert run.status == "failed"
        assert run.text == "a"
        await asyncio.sleep(0)  # the loop goes on

    asyncio.run(main())


@pytest.mark.parametrize(
    "odd",
    [
        {"novel": "\ud83d"},
        {"candidates": [{"content": {"parts": [{"text": "half \ud83d"}, {"hologram": {"\ud83d": float("nan")}}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"x": object()}}}]}}]},
        {"novel": {(1, 2): {3: float("inf")}}},
    ],
)
def test_what_cannot_be_encoded_reaches_the_state_in_a_form_that_can(odd: Any) -> None:
    import json

    async def main() -> None:
        run = chat_of([odd, chunk(text("fine"), finish="STOP")]).send("hi")
        await run.wait()
        assert run.error is None
        json.dumps(run.snapshot(), ensure_ascii=False, allow_nan=False).encode("utf-8")
        assert repr(run.chunks[0].wire) == repr(odd)

    asyncio.run(main())


@pytest.mark.parametrize("depth", [50, 600, 5000])
def test_endless_nesting_ends_in_a_note(depth: int) -> None:
    nested: Any = "core"
    for _ in range(depth):
        nested = {"in": nested}

    async def main() -> None:
        many = [chunk(call("f", {"x": nested})), *(chunk(text("a")) for _ in range(100)), chunk(finish="STOP")]
        run = await chat_of(many, tools=[{"name": "f"}]).send("hi").wait()
        assert run.error is None
        assert len(run.chunks) == len(list(run.chunks)) == 102
        assert ("nested too deeply" in str(run.snapshot())) == (depth > 100)

    asyncio.run(main())


def test_keys_in_an_error_object_are_shown_nowhere() -> None:
    key = "AIza" + "Sy" * 17

    async def main() -> None:
        error = {"error": {"code": 400, "message": f"key {key}", "details": [{"url": f"https://x?key={key}"}]}}
        run = await chat_of([error]).send("hi").wait()
        assert isinstance(run.error, gem.ApiError)
        for shown in (str(run.error), str(run.error.details), str(run.snapshot()), repr(run.error)):
            assert key not in shown

    asyncio.run(main())


def test_a_flood_leaves_the_loop_to_others_and_can_be_stopped() -> None:
    class Flood:
        async def stream(self, request: Any) -> Any:
            for n in range(60_000):
                if n % 500 == 0:
                    await asyncio.sleep(0)
                yield chunk(text(f"{n} "))

    async def main() -> None:
        run = gem.Chat(source=Flood()).send("hi")
        async for _ in run:
            if len(run.chunks):
                break
        run.stop()
        await run.wait()
        assert run.status == "cancelled"
        assert len(run.chunks) < 60_000

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore")  # the loop's own complaints are not the point
def test_a_loop_closed_under_a_run_does_not_hang_who_waits() -> None:
    loop = asyncio.new_event_loop()

    async def begin() -> gem.Run:
        run = gem.Chat(source=GatedSource()).send("hi")
        await asyncio.sleep(0)
        return run

    run = loop.run_until_complete(begin())
    loop.close()
    with pytest.raises(gem.RunCancelled):
        run.result(timeout_s=5)
    del run
    gc.collect()


def test_an_answer_by_our_id_can_be_sent_again_after_a_failure() -> None:
    async def main() -> None:
        source = ListSource([chunk(call("f", {}), finish="STOP")], [gem.ApiError(429, None, "slow down")], HELLO)
        chat = gem.Chat(source=source, tools=[{"name": "f"}])
        await chat.send("do")
        response = answer("f", {"n": 1}, id="s0c0")
        await chat.send(response).wait()
        assert (await chat.send(response)).text == "Hello"

    asyncio.run(main())


def test_a_prompt_may_bring_its_own_calls_and_responses() -> None:
    async def main() -> None:
        source = ListSource(HELLO)
        shots = [
            {"role": "user", "parts": [{"text": "weather?"}]},
            {"role": "model", "parts": [call("f", {})]},
            {"role": "user", "parts": [answer("f", {"n": 1})]},
        ]
        await gem.Chat(source=source).send(shots)
        assert source.requests[0].contents == shots

    asyncio.run(main())


def test_a_signature_that_came_on_an_unreadable_call_does_not_leave_its_sibling_without() -> None:
    async def main() -> None:
        nameless = {"functionCall": {"args": {}}, "thoughtSignature": "QQ=="}
        source = ListSource([chunk(nameless, call("f", {})), chunk(finish="STOP")], HELLO)
        chat = gem.Chat(source=source, tools=[{"name": "f"}], model="gemini-3-pro")
        await chat.send("do")
        await chat.send(answer("f", {}))
        from gemstream_widget._request.rules import violations

        assert not violations({"contents": source.requests[1].contents}, model="gemini-3-pro")

    asyncio.run(main())
