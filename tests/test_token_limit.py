"""max_tokens_total: a chat that stops before it costs more than it may."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from tests.wire import call, chunk, text


def said(words: str, tokens: int | None) -> list[Any]:
    usage = {} if tokens is None else {"usage": {"totalTokenCount": tokens}}
    return [chunk(text(words), finish="STOP", **usage)]


def asks(tokens: int) -> list[Any]:
    return [chunk(call("look", {}), finish="STOP", usage={"totalTokenCount": tokens})]


def look() -> str:
    """Look."""
    return "seen"


def test_a_prompt_that_would_pass_the_limit_is_not_sent() -> None:
    async def main() -> None:
        source = ListSource(said("one", 40), said("two", 70), said("three", 5))
        chat = gem.Chat(source=source, max_tokens_total=100)
        await chat.send("1")
        history = chat.history
        failed = chat.send("2")  # 40 used, and 40 to send again: it may go
        assert (await failed).text == "two"
        refused = chat.send("3")  # 110 used
        with pytest.raises(gem.TokenLimitReached, match=r"110 of 100 tokens.*about 70.*max_tokens_total"):
            await refused
        assert len(source.requests) == 2
        assert chat.history[: len(history)] == history
        assert [content["parts"][0]["text"] for content in chat.history] == ["1", "one", "2", "two"]
        assert (refused.offers, refused.steps, refused.retries) == ([], [], [])
        chat.change(max_tokens_total=None)
        assert (await chat.send("3")).text == "three"

    asyncio.run(main())


def test_what_the_next_request_repeats_counts_before_it_is_sent() -> None:
    async def main() -> None:
        source = ListSource(said("one", 60), said("two", 5))
        chat = gem.Chat(source=source, max_tokens_total=119)
        await chat.send("1")
        with pytest.raises(gem.TokenLimitReached):  # 60 used, and the next would send 60 again
            await chat.send("2")
        chat.change(max_tokens_total=121)
        assert (await chat.send("2")).text == "two"

    asyncio.run(main())


def test_between_steps_the_run_ends_with_what_came() -> None:
    async def main() -> None:
        source = ListSource(asks(60), said("never asked", 5), said("after all", 5))
        chat = gem.Chat(source=source, tools=[look], max_tokens_total=100)
        run = await chat.send("Look")
        assert (run.status, run.stopped_by) == ("completed", "max_tokens_total")
        assert run.tool_calls[0].result == {"result": "seen"}
        assert run.notice is not None
        assert "60 of 100 tokens" in run.notice["message"]
        assert len(source.requests) == 1
        assert run.snapshot()["notice"] == run.notice
        chat.change(max_tokens_total=1000)
        assert (await chat.send("Go on")).text == "never asked"  # the same history is accepted
        assert chat.check() == []

    asyncio.run(main())


def test_without_a_limit_or_a_count_nothing_is_held_up() -> None:
    async def main() -> None:
        counted = gem.Chat(source=ListSource(said("one", 10**9), said("two", 1)))
        uncounted = gem.Chat(source=ListSource(said("one", None), said("two", None)), max_tokens_total=1)
        for chat in (counted, uncounted):
            await chat.send("1")
            assert (await chat.send("2")).text == "two"

    asyncio.run(main())


def test_a_loaded_chat_has_used_what_was_used(tmp_path: Path) -> None:
    async def main() -> None:
        chat = gem.Chat(source=ListSource(said("one", 60)))
        await chat.send("1")
        chat.save(tmp_path / "chat.json")
        source = ListSource(said("two", 1))
        loaded = gem.load_chat(tmp_path / "chat.json", source=source, max_tokens_total=100)
        with pytest.raises(gem.TokenLimitReached):
            await loaded.send("2")
        assert source.requests == []

    asyncio.run(main())


def test_a_queued_prompt_meets_the_limit_at_its_turn_and_the_next_its_own() -> None:
    async def main() -> None:
        source = ListSource(said("one", 60), said("three", 1))
        chat = gem.Chat(source=source, max_tokens_total=100)
        runs = [chat.queue(prompt) for prompt in "123"]
        await asyncio.gather(*(run.wait() for run in runs))
        assert [run.status for run in runs] == ["completed", "failed", "failed"]
        assert all(isinstance(run.error, gem.TokenLimitReached) for run in runs[1:])

    asyncio.run(main())


@pytest.mark.parametrize("value", [0, -1, 1.5, "many", True])
def test_it_is_a_whole_number_from_1_on(value: Any) -> None:
    with pytest.raises(gem.InvalidOption, match="max_tokens_total is a whole number from 1 on, or None"):
        gem.Chat(max_tokens_total=value)
