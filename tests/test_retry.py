"""Trying again: by itself before anything came, on request afterwards; and streams that fall silent."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.calls import Calls
from gemstream_widget._engine.retry import LONGEST_S, retry_wait_s
from gemstream_widget._engine.source import ListSource
from gemstream_widget._request.rules import violations
from gemstream_widget._stream.events import RetryScheduled, RunEnded, StepEnded, StepStarted
from gemstream_widget._stream.patch import apply_ops
from gemstream_widget.errors import RunFailed
from tests.clients import TRANSPORTS, client_of
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text

HELLO = [chunk(text("Hel")), chunk(text("lo"), finish="STOP")]


def api_error(code: int = 503, delay: str | None = "0.01s") -> gem.ApiError:
    details = {"error": {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}}
    return gem.ApiError(code, "UNAVAILABLE", "Try later.", details if delay else None)


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 20)

    asyncio.run(within())


# -- by itself ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "attempt", "least", "most"),
    [
        (api_error(429, "7.5s"), 1, 7.5, 7.5),
        (api_error(429, "7s"), 3, 7, 7),
        (api_error(503, None), 1, 0.8, 1),
        (api_error(500, "soon"), 3, 3.2, 4),
        (gem.ConnectionFailed("refused"), 2, 1.6, 2),
        (gem.StreamTruncated("cut"), 1, 0.8, 1),
        (gem.StreamStalled("silent"), 1, 0.8, 1),
        (api_error(503, None), 20, 0.8 * LONGEST_S, LONGEST_S),
    ],
)
def test_how_long_is_waited(error: RunFailed, attempt: int, least: float, most: float) -> None:
    waits = [retry_wait_s(error, attempt) or 0.0 for _ in range(50)]
    assert least <= min(waits) <= max(waits) <= most


def quota(message: str = "", **entry: Any) -> gem.ApiError:
    """A 429 as the SDK hands it over, whose body has one entry of details."""
    return gem.ApiError(429, "RESOURCE_EXHAUSTED", message, {"error": {"details": [entry] if entry else []}})


FAILURE = {"@type": "type.googleapis.com/google.rpc.QuotaFailure"}
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo"}


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (quota("You exceeded your current quota. Please retry in 28.4s."), 28.4),
        (quota("Quota exceeded for metric: x, limit: 10. Please retry in 520.5ms."), 0.5205),
        (quota("Please retry in 0m12s"), 12),
        (quota(metadata={"quotaResetDelay": "331.25ms"}), 0.33125),
        (quota("Please retry in 9s.", metadata={"quotaResetDelay": "41.5s"}), 41.5),
        (quota("Please retry in 9s.", **RETRY, retryDelay="7s"), 7),
        (quota("Please retry in 9s.", **RETRY, retryDelay="soon"), 9),
        (quota(violations=[{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}], **FAILURE), None),
        (quota("Please retry in a while."), None),
    ],
)
def test_gemini_says_how_long_to_wait_in_one_of_three_ways(error: RunFailed, wait_s: float | None) -> None:
    waited = retry_wait_s(error, 1)
    assert waited == pytest.approx(wait_s) if wait_s is not None else 0.8 <= (waited or 0) <= 1


@pytest.mark.parametrize(
    "error",
    [
        api_error(400),
        api_error(403),
        api_error(404),
        api_error(429, f"{LONGEST_S + 1:g}s"),
        gem.ApiError(None, None, "?"),
        gem.EmptyResponse("nothing"),
        gem.PromptBlocked("SAFETY", "no"),
        gem.MissingKey("none"),
        gem.InvalidChunk("<html>"),
        gem.EnvironmentFault("A proxy refuses.", variable="HTTPS_PROXY"),
        gem.InvalidCredentials("A line break."),
        quota("Please retry in 2h59m55.1s."),
        quota(metadata={"quotaResetDelay": "1m1s"}),
        quota("Please retry in 38s.", **FAILURE, violations=[{"quotaId": "RequestsPerDayPerProjectPerModel-FreeTier"}]),
        quota("Quota exceeded for metric: x, limit: 0, model: y. Please retry in 38s."),
    ],
)
def test_what_is_not_tried_again(error: RunFailed) -> None:
    assert retry_wait_s(error, 1) is None


def test_a_retry_is_a_step_of_its_own_and_the_answer_is_whole() -> None:
    async def main() -> None:
        source = ListSource([api_error(429)], [chunk(usage={"totalTokenCount": 3}), api_error(503)], HELLO)
        run = gem.Chat(source=source, retries=2, max_steps=1).send("hi")
        feed = run._feed()
        opening = feed.snapshot()["state"]
        events = [event async for event in run]
        assert (run.status, run.text, len(source.requests)) == ("completed", "Hello", 3)
        assert [s.outcome for s in run.steps] == ["error", "error", "completed"]
        told = [r.to_json() for r in run.retries]
        assert [(r["step"], r["attempt"], r["of"], r["title"]) for r in told] == [
            (0, 1, 3, "Too many requests (429)"),
            (1, 2, 3, "Gemini is not available (503)"),
        ]
        assert all(r["until_s"] == pytest.approx(r["failed_s"] + 0.01) for r in told)
        kinds = [type(e) for e in events if isinstance(e, StepStarted | StepEnded | RetryScheduled | RunEnded)]
        assert kinds == [StepStarted, StepEnded, RetryScheduled] * 2 + [StepStarted, StepEnded, RunEnded]
        for batch in feed.take():
            apply_ops(opening, batch["ops"])
        assert opening == run.snapshot()
        assert [c["role"] for c in run.contents()] == ["user", "model"]
        assert [type(e) async for e in run].count(RetryScheduled) == 2

    play(main)


def test_retries_are_bounded_and_the_error_says_how_often_it_was_tried() -> None:
    async def main() -> None:
        source = ListSource(*[[api_error()]] * 5)
        run = gem.Chat(source=source, retries=2).send("hi")
        with pytest.raises(gem.ApiError) as raised:
            await run
        assert len(source.requests) == 3
        assert raised.value.__notes__ == ["It was tried 3 times."]
        assert run.contents() == []

    play(main)


def test_a_loaded_error_says_as_well_how_often_it_was_tried(tmp_path: Path) -> None:
    told = {"error": {"code": 503, "message": "busy", "details": [{"retryDelay": "0.01s"}]}}

    async def main() -> None:
        for busy in (told, api_error()):
            chat = gem.Chat(source=ListSource([busy], [busy]), retries=1)
            run = await chat.send("hi").wait()
            async for _ in run:
                pass
            chat.save(tmp_path / "chat.jsonl")
            (loaded,) = gem.load_chat(tmp_path / "chat.jsonl").runs
            assert run.error is not None
            assert loaded.error is not None
            assert run.error.__notes__ == loaded.error.__notes__ == ["It was tried 2 times."]

    play(main)


def test_what_breaks_after_a_request_that_was_tried_again_was_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(calls: Calls) -> None:
        raise KeyError("on purpose")

    async def main() -> None:
        asked = [chunk(call("look", {}), finish="STOP")]
        run = await gem.Chat(source=ListSource([api_error()], asked), retries=1, tools=[look]).send("hi").wait()
        assert run.retries
        assert "on purpose" in str(run.error)
        assert not hasattr(run.error, "__notes__")

    monkeypatch.setattr(Calls, "wait", broken)
    play(main)


def test_each_request_of_a_run_has_its_own_attempts() -> None:
    def look() -> str:
        return "seen"

    async def main() -> None:
        asked = [chunk(call("look", {}), finish="STOP")]
        source = ListSource([api_error()], asked, [api_error()], HELLO)
        run = await gem.Chat(source=source, retries=1, tools=[look], max_steps=2).send("hi")
        assert (run.text, [r.attempt for r in run.retries]) == ("Hello", [1, 1])

    play(main)


@pytest.mark.parametrize("came", [chunk(text("Hel")), chunk(call("f", {}))], ids=["text", "call"])
def test_nothing_is_tried_again_once_content_came(came: Any) -> None:
    async def main() -> None:
        source = ListSource([came, api_error()], HELLO)
        run = await gem.Chat(source=source, retries=2).send("hi").wait()
        assert (run.status, len(source.requests), run.retries) == ("failed", 1, [])

    play(main)


def test_a_stop_ends_the_countdown_at_once() -> None:
    async def main() -> None:
        source = ListSource([api_error(429, "30s")], HELLO)
        chat = gem.Chat(source=source, retries=2)
        run = chat.send("hi")
        async for event in run:
            if isinstance(event, RetryScheduled):
                break
        began = time.monotonic()
        await asyncio.to_thread(run.stop)
        await run.wait()
        assert time.monotonic() - began < 1
        assert (run.status, len(source.requests)) == ("cancelled", 1)
        assert run.receipt is not None
        assert (run.receipt.when, run.receipt.closed_s, run.receipt.chunks_after) == ("between steps", None, 0)
        assert (await chat.send("again")).text == "Hello"

    play(main)


def test_cancelling_the_wait_ends_the_countdown() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource([api_error(429, "30s")], HELLO), retries=2).send("hi")

        async def waits() -> None:
            await run

        waiting = asyncio.create_task(waits())
        await until(lambda: bool(run.retries), "the countdown")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert run.status == "cancelled"

    play(main)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_gemini_is_asked_again_after_as_long_as_it_said(transport: str) -> None:
    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            server.next(status=429, retry_after_s=0.05)
            server.next(status=503, body="html")
            async with client_of(server, transport) as client:
                run = await gem.Chat(client=client).send("@say fine")
        assert run.text == "fine"
        waited = [round(r.until_s - r.failed_s, 6) for r in run.retries]
        assert waited[0] == 0.05
        assert 1.6 <= waited[1] <= 2
        assert [r.outcome for r in server.requests] == ["refused", "refused", "answered"]

    play(main)


def test_nobody_there_is_tried_again() -> None:
    async def main() -> None:
        server = gem.LocalGemini().start()
        async with client_of(server, "httpx") as client:  # aiohttp tries by itself first, for 7 s each time
            server.close()
            run = await gem.Chat(client=client, retries=1).send("hi").wait()
        assert isinstance(run.error, gem.ConnectionFailed)
        assert [r.title for r in run.retries] == ["Gemini could not be reached"]

    play(main)


# -- silence -----------------------------------------------------------------------------------------------------------


def test_a_stream_that_falls_silent_is_given_up_and_closed() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source, retries=2, idle_timeout_s=0.05).send("hi")
        source.give(HELLO[0])
        with pytest.raises(gem.StreamStalled, match=r"No chunk came for 0\.05 s"):
            await run
        assert (run.text, source.closed, len(source.requests)) == ("Hel", "cancelled", 1)

    play(main)


def test_silence_before_anything_came_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemstream_widget._engine.retry._FIRST_S", 0.01)

    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source, retries=1, idle_timeout_s=0.05).send("hi")
        async for event in run:
            if isinstance(event, StepStarted) and event.step == 1:
                break
        source.give(*HELLO)
        source.end()
        assert (await run).text == "Hello"

    play(main)


def test_chunks_that_keep_coming_are_no_silence() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source, idle_timeout_s=0.2).send("hi")
        for _ in range(6):
            await asyncio.sleep(0.05)
            source.give(chunk(text("x")))
        source.give(HELLO[1])
        source.end()
        assert (await run).text == "xxxxxxlo"

    play(main)


# -- on request --------------------------------------------------------------------------------------------------------


def accepted(chat: gem.Chat) -> bool:
    """Gemini takes this history with a next prompt."""
    contents = [*chat.history, {"role": "user", "parts": [{"text": "next"}]}]
    return not violations({"contents": contents}, model="gemini-2.5-flash")


def test_retry_asks_for_the_failed_answer_anew() -> None:
    async def main() -> None:
        source = ListSource([HELLO[0], api_error()], HELLO)
        chat = gem.Chat(source=source)
        failed = await chat.send("hi").wait()
        assert [c["role"] for c in chat.history] == ["user", "model"]
        run = await chat.again()
        assert run.text == "Hello"
        assert source.requests[1].contents == [{"role": "user", "parts": [{"text": "hi"}]}]
        assert [[p.get("text") for p in c["parts"]] for c in chat.history] == [["hi"], ["Hello"]]
        assert (failed.text, chat.runs) == ("Hel", [failed, run])
        assert accepted(chat)

    play(main)


def test_retry_does_not_run_again_what_tools_did() -> None:
    ran: list[int] = []

    def book(n: int) -> str:
        ran.append(n)
        return "booked"

    async def main() -> None:
        asked = [chunk(text("Booking."), call("book", {"n": 1}), finish="STOP")]
        source = ListSource(asked, [chunk(text("Boo")), api_error()], [chunk(text("Booked."), finish="STOP")])
        chat = gem.Chat(source=source, tools=[book])
        await chat.send("book it").wait()
        run = await chat.again()
        assert (run.text, ran) == ("Booked.", [1])
        assert [c["role"] for c in source.requests[2].contents] == ["user", "model", "user"]
        assert [c["role"] for c in chat.history] == ["user", "model", "user", "model"]
        assert accepted(chat)

    play(main)


def test_retry_keeps_the_step_of_which_a_tool_began() -> None:
    sent: list[str] = []

    def mail(to: str) -> str:
        sent.append(to)
        return "sent"

    @gem.tool(approve="ask")
    def rm(path: str) -> str:
        return path

    async def main() -> None:
        asked = [chunk(call("mail", {"to": "bob"}, id="k1"), call("rm", {"path": "/x"}, id="k2"), finish="STOP")]
        source = ListSource(asked, HELLO)
        chat = gem.Chat(source=source, tools=[mail, rm])
        run = chat.send("go")
        await run.next_pending()
        run.stop()
        await run.wait()
        again = await chat.again()
        assert (again.text, sent) == ("Hello", ["bob"])
        responses = [p["functionResponse"]["response"] for p in source.requests[1].contents[-1]["parts"]]
        assert responses[0] == {"result": "sent"}
        assert "Stopped by the user" in responses[1]["error"]
        assert accepted(chat)

    play(main)


def test_a_prompt_whose_retry_failed_too_is_not_doubled() -> None:
    async def main() -> None:
        source = ListSource([api_error(401)], [api_error(401)], HELLO)
        chat = gem.Chat(source=source)
        await chat.send("hi").wait()
        await chat.again().wait()
        assert chat.history == []
        await chat.send("hi")
        assert source.requests[2].contents == [{"role": "user", "parts": [{"text": "hi"}]}]

    play(main)


def test_a_retry_that_failed_keeps_what_tools_did_before() -> None:
    async def main() -> None:
        asked = [chunk(call("look", {}), finish="STOP")]
        source = ListSource(HELLO, asked, [api_error()], [api_error()], HELLO)
        chat = gem.Chat(source=source, tools=[look])
        await chat.send("first")
        await chat.send("go").wait()
        await chat.again().wait()
        await chat.send("and now")
        assert [c["role"] for c in source.requests[4].contents] == ["user", "model", "user", "model", "user", "user"]
        assert accepted(chat)

    play(main)


def look() -> str:
    return "seen"


def test_a_retry_that_cannot_start_changes_nothing() -> None:
    async def main() -> None:
        chat = gem.Chat(source=ListSource([HELLO[0], api_error()], HELLO))
        await chat.send("hi").wait()
        before = chat.history
        with pytest.raises(gem.NoRunningLoop):
            await asyncio.to_thread(chat.again)
        assert (chat.history, len(chat.runs)) == (before, 1)
        assert (await chat.again()).text == "Hello"

    play(main)


def test_a_held_up_loop_is_no_silence() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source, idle_timeout_s=0.05).send("hi")
        await source.waiting.wait()
        await asyncio.sleep(0)
        source.give(*HELLO)
        source.end()
        time.sleep(0.3)  # noqa: ASYNC251  # a cell that blocks, while everything has come
        assert (await run).text == "Hello"

    play(main)


def test_a_chat_saved_while_it_streamed_offers_to_try_again(tmp_path: Path) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        run = chat.send("hi")
        source.give(HELLO[0])
        await until(lambda: bool(run.text), "some text")
        chat.save(tmp_path / "chat.json")
        run.stop()
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(HELLO))
        assert loaded.runs[0].snapshot()["offers"] == ["continue", "anew"]
        assert (await loaded.runs[0].again("anew")).text == "Hello"
        assert [c["role"] for c in loaded.history] == ["user", "model"]

    play(main)


def test_retry_after_a_stop_while_a_call_waited_asks_the_model_again() -> None:
    def rm(path: str) -> str:
        return path

    async def main() -> None:
        source = ListSource([chunk(call("rm", {"path": "/x"}, id="k1"), finish="STOP")], HELLO, HELLO)
        chat = gem.Chat(source=source, tools=[rm], approve="ask")
        run = chat.send("go")
        await run.next_pending()
        run.stop()
        await run.wait()
        await chat.again()
        assert [c["role"] for c in chat.history] == ["user", "model"]
        await chat.send("and now")
        assert accepted(chat)

    play(main)


def test_resume_keeps_what_came_and_asks_for_the_rest() -> None:
    async def main() -> None:
        source = ListSource([HELLO[0], api_error()], [chunk(text("lo"), finish="STOP")])
        chat = gem.Chat(source=source)
        await chat.send("hi").wait()
        await chat.again("continue")
        sent = source.requests[1].contents
        assert [c["role"] for c in sent] == ["user", "model", "user"]
        assert sent[1]["parts"] == [{"text": "Hel"}]
        assert "Go on exactly where" in sent[2]["parts"][0]["text"]

    play(main)


@pytest.mark.parametrize(
    ("stream", "offers"),
    [
        (HELLO, []),
        ([api_error(400)], ["anew"]),
        ([HELLO[0], api_error()], ["continue", "anew"]),
        ([chunk({"text": "hm", "thought": True}), api_error()], ["anew"]),
        ([chunk(text("Hel"), finish="MAX_TOKENS")], ["continue"]),
        ([{"promptFeedback": {"blockReason": "SAFETY"}}], []),
    ],
    ids=["completed", "refused", "cut", "cut while thinking", "at the limit", "blocked"],
)
def test_what_is_offered_after_a_run(stream: Any, offers: list[str]) -> None:
    async def main() -> None:
        run = await gem.Chat(source=ListSource(stream, HELLO)).send("hi").wait()
        assert run.snapshot()["offers"] == offers
        for how in {"anew", "continue"} - set(offers):
            with pytest.raises(gem.NothingToRepeat, match=f"offers no '{how}'"):
                run.again(how)
        for how in offers[:1]:
            assert (await run.again(how)).text == "Hello"
            with pytest.raises(gem.NothingToRepeat, match="went on"):
                run.again(how)

    play(main)


def test_there_may_be_nothing_to_repeat() -> None:
    async def main() -> None:
        chat = gem.Chat(source=ListSource(HELLO))
        with pytest.raises(gem.NothingToRepeat, match="nothing was sent yet"):
            chat.again()
        with pytest.raises(gem.NothingToRepeat, match="nothing was sent yet"):
            chat.again("continue")
        run = chat.send("hi")
        with pytest.raises(gem.RunInProgress):
            chat.again()
        await run
        with pytest.raises(gem.NothingToRepeat, match="completed"):
            chat.again()

    play(main)


def test_a_watched_stream_offers_nothing_since_it_comes_once() -> None:
    async def stream() -> Any:
        yield HELLO[0]
        raise OSError("gone")

    async def main() -> None:
        run = await gem.watch(stream()).wait()
        assert (run.status, run.snapshot()["offers"]) == ("failed", [])

    play(main)


def test_a_saved_chat_keeps_retries_offers_and_what_was_asked_again(tmp_path: Path) -> None:
    async def main() -> None:
        source = ListSource([api_error()], [HELLO[0], api_error(400)], HELLO, [HELLO[0], api_error(400)])
        chat = gem.Chat(source=source, retries=1)
        await chat.send("hi").wait()
        await chat.again()
        await chat.send("more").wait()
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(HELLO))
        assert loaded.history == chat.history
        for before, after in zip(chat.runs, loaded.runs, strict=True):
            assert after.retries == before.retries
            assert after.snapshot()["offers"] == before.snapshot()["offers"]
            assert after.contents() == before.contents()
            assert type(after.error) is type(before.error)
        assert (await loaded.again()).text == "Hello"

    play(main)
