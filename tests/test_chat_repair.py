"""A history that Gemini refuses: told before sending, mended on request, and offered in the run that was refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._branches import Branches
from gemstream_widget._engine.source import ListSource
from gemstream_widget._plain import Wire
from tests.clients import client_of
from tests.wire import call, chunk, text

USER: Wire = {"role": "user", "parts": [{"text": "Look at the orders."}]}
CALL: Wire = {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}, "id": "k1"}}]}
ANSWER: Wire = {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"n": 1}}}]}
SAID: Wire = {"role": "model", "parts": [{"text": "Looking."}]}
UNANSWERED = [USER, CALL, {"role": "user", "parts": [{"text": "And?"}]}, SAID]
BROKEN = {
    "unanswered_call": UNANSWERED,
    "several_kinds": [USER, {"role": "model", "parts": [{"text": "Hi", "executableCode": {"code": "1"}}]}],
    "bad_role": [USER, {"role": "assistant", "parts": [{"text": "Hi"}]}],
    "response_without_call": [ANSWER, SAID],
}


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=math.inf) as server:
        yield server


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 20)

    asyncio.run(within())


@pytest.mark.parametrize("code", BROKEN)
def test_what_is_refused_is_told_before_mended_on_request_and_then_accepted(server: gem.LocalGemini, code: str) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client)
            chat._branches = Branches(BROKEN[code])
            (refusal,) = chat.check()
            assert refusal.code == code
            assert refusal.repair
            sent = len(server.requests)
            run = await chat.send("@say fine").wait()
            assert isinstance(run.error, gem.RequestRefused)
            assert run.error.place == refusal.path
            assert " ".join(refusal.message.split()) in run.error.message
            assert len(server.requests) == sent
            assert chat.repair()
            assert chat.check() == []
            assert (await chat.again()).text == "fine"
            assert (await chat.send("@say good")).text == "good"
            assert chat.runs[0] is run

    play(main)


@pytest.mark.parametrize("code", BROKEN)
def test_the_refused_run_offers_the_repair_in_words(server: gem.LocalGemini, code: str) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client)
            chat._branches = Branches(BROKEN[code])
            (refusal,) = chat.check()
            run = await chat.send("@say fine").wait()
            state = run.snapshot()
            assert state["offers"] == ["repair"]
            assert refusal.repair in state["error"]["hint"]
            again = await run.again("repair")
            assert again.text == "fine"
            assert [p["text"] for p in chat.history[-2]["parts"]] == ["@say fine"]

    play(main)


def test_a_call_that_came_without_its_signature_is_marked(server: gem.LocalGemini) -> None:
    looked: list[int] = []

    def look() -> str:
        looked.append(1)
        return "seen"

    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client, model="gemini-3.8-flash", tools=[look])
            prompt = '@part {"functionCall": {"name": "look", "args": {}}}\n@then\n@say fine'
            run = await chat.send(prompt).wait()
            assert run.snapshot()["offers"] == ["repair"]
            assert "missing a thought_signature" in run.snapshot()["error"]["message"]
            assert (await run.again("repair")).text == "fine"
            assert looked == [1]

    play(main)


def test_signatures_that_gemini_takes_for_corrupted_are_dropped(server: gem.LocalGemini) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client, model="gemini-3.8-flash")
            foreign = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "Zm9yZWlnbg=="}
            chat._branches = Branches([USER, {"role": "model", "parts": [foreign]}, ANSWER, SAID])
            assert chat.check() == []
            run = await chat.send("@say fine").wait()
            assert run.snapshot()["offers"] == ["repair"]
            assert "Drops the thought signatures" in run.snapshot()["error"]["hint"]
            assert (await run.again("repair")).text == "fine"

    play(main)


def test_a_repair_may_be_chosen_after_the_chat_was_loaded(server: gem.LocalGemini, tmp_path: Path) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            model = "gemini-3.8-flash"
            chat = gem.Chat(client=client, model=model)
            foreign = {"functionCall": {"name": "look", "args": {}}, "thoughtSignature": "Zm9yZWlnbg=="}
            chat._branches = Branches([USER, {"role": "model", "parts": [foreign]}, ANSWER, SAID])
            await chat.send("@say fine").wait()
            chat.save(tmp_path / "chat.json")
            loaded = gem.load_chat(tmp_path / "chat.json", client=client, model=model)
            assert (await loaded.runs[0].again("repair")).text == "fine"
            assert loaded.history[-2]["parts"] == [{"text": "@say fine"}]

    play(main)


def test_a_repair_of_ones_own_before_the_offered_one_loses_no_prompt(server: gem.LocalGemini) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client)
            chat._branches = Branches(UNANSWERED)
            run = await chat.send("@say fine").wait()
            chat.repair()
            assert (await run.again("repair")).text == "fine"
            assert [c["role"] for c in chat.history][-2:] == ["user", "model"]
            assert chat.history[-2]["parts"] == [{"text": "@say fine"}]

    play(main)


def test_after_a_repair_a_partial_answer_is_resumed_not_retried() -> None:
    async def main() -> None:
        broken = [chunk(text("Hel")), gem.ApiError(503, "UNAVAILABLE", "Later.")]
        chat = gem.Chat(source=ListSource(broken, [chunk(text("lo"), finish="STOP")]))
        chat._branches = Branches(UNANSWERED)
        await chat.send("hi").wait()
        chat.repair()
        with pytest.raises(gem.NothingToRepeat, match="use again"):
            chat.again()
        assert (await chat.again("continue")).text == "lo"

    play(main)


def test_a_refusal_without_a_repair_offers_none(server: gem.LocalGemini) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client, config={"temperature": 7}, model="gemini-2.5-flash-lite")
            run = await chat.send("hi").wait()
            assert isinstance(run.error, gem.RequestRefused)
            assert run.snapshot()["offers"] == ["anew"]

    play(main)


def test_only_what_was_chosen_is_mended() -> None:
    chat = gem.Chat(source=ListSource())
    chat._branches = Branches(
        [{"role": "bot", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Yes", "x": 1}]}]
    )
    assert {r.code for r in chat.check()} == {"bad_role", "unknown_field"}
    (done,) = chat.repair("bad_role")
    assert "bot" in done
    assert {r.code for r in chat.check()} == {"unknown_field"}
    chat.repair()
    assert chat.check() == []
    assert chat.repair() == []


def test_calls_that_wait_at_the_end_are_no_refusal_and_stay_open() -> None:
    async def main() -> None:
        source = ListSource([chunk(call("look", {}, id="k1"), finish="STOP")], [chunk(text("ok"), finish="STOP")])
        chat = gem.Chat(source=source, tools=[{"name": "look", "description": "d"}])
        chat._branches = Branches(UNANSWERED)
        await chat.send("go")
        assert {r.code for r in chat.check()} == {"unanswered_call"}
        chat.repair()
        assert chat.check() == []
        await chat.send({"functionResponse": {"name": "look", "response": {"n": 3}}})
        assert source.requests[1].contents[-1]["parts"][0]["functionResponse"] == {
            "name": "look",
            "id": "k1",
            "response": {"n": 3},
        }

    play(main)


def test_a_repaired_chat_is_saved_repaired(tmp_path: Path) -> None:
    async def main() -> None:
        hello: list[Any] = [chunk(text("Hello"), finish="STOP")]
        chat = gem.Chat(source=ListSource(hello, hello))
        chat._branches = Branches(UNANSWERED)
        await chat.send("hi")
        chat.repair()
        await chat.send("more")
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(hello))
        assert loaded.history == chat.history
        assert loaded.check() == []
        assert [r.text for r in loaded.runs] == ["Hello", "Hello"]

    play(main)


def test_garbage_in_the_history_is_told_not_raised() -> None:
    chat = gem.Chat(source=ListSource())
    for garbage in (
        [3],
        [{"parts": 3}],
        [{"role": "model"}],
        [None],
        [{"role": "model", "parts": [{"functionCall": 1}]}],
    ):
        chat._branches = Branches(garbage)
        assert chat.check()
        chat.repair()
        assert not chat.check()
