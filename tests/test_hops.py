"""A step in several hops: each a request of its own, in the open, and the answer without a seam."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream.events import HopStarted, PartStarted, StepStarted, TextAdded
from tests.gates import GatedSource, until
from tests.told import state_of, told
from tests.wire import call, chunk, text, thought, tokens


def paused(*parts: Any, token: str, **more: Any) -> dict[str, Any]:
    """The last chunk of a hop that another is to follow."""
    out = chunk(*parts, finish="CONTINUATION", **more)
    out["candidates"][0]["continuationToken"] = token
    return out


HOPS = (
    [chunk(thought("hm ")), paused(thought("so"), token="t1", usage=tokens(10))],
    [chunk(text("Hel")), paused(text("lo "), token="t2", usage=tokens(20))],
    [chunk(text("world"), finish="STOP", usage=tokens(3))],
)


def play(main: Any) -> None:
    asyncio.run(main())


def test_hops_are_one_step_and_requests_in_the_open(tmp_path: Path) -> None:
    async def main() -> None:
        source = ListSource(*HOPS)
        chat = gem.Chat(source=source)
        run = await chat.send("hi")
        assert (run.thoughts, run.text, run.finish_reason) == ("hm so", "Hello world", "STOP")
        assert [part.kind for part in run.parts] == ["thought", "text"]  # joined without a seam
        (step,) = run.steps
        assert [hop.total_token_count for hop in step.hops] == [10, 20, 3]
        assert run.usage.total_token_count == step.usage.total_token_count == 33
        assert (run.snapshot()["steps"][0]["hops"], run.snapshot()["tokens"]) == (3, 33)
        assert [request.token for request in source.requests] == [None, "t1", "t2"]
        assert all(request.contents == source.requests[0].contents for request in source.requests)
        assert "t1" not in str(run.snapshot())  # opaque, and of no use to a page
        assert chat.history[1] == {"role": "model", "parts": [{"text": "Hello world"}]}
        events, fold = told(run)
        assert [type(e) for e in events if isinstance(e, HopStarted | StepStarted)] == [StepStarted] + [HopStarted] * 2
        assert fold.state.snapshot() == state_of(run, events).snapshot() == run.snapshot()
        chat.save(tmp_path / "chat.jsonl")
        (loaded,) = gem.load_chat(tmp_path / "chat.jsonl").runs
        assert loaded.snapshot() == run.snapshot() | {"id": loaded.id} | {"parts": loaded.snapshot()["parts"]}
        assert [hop.total_token_count for hop in loaded.steps[0].hops] == [10, 20, 3]

    play(main)


def test_a_call_may_come_in_a_later_hop() -> None:
    def look(place: str) -> str:
        """Look there."""
        return f"seen {place}"

    async def main() -> None:
        hops = [paused(text("I look."), token="t")], [chunk(call("look", {"place": "a"}, id="k"), finish="STOP")]
        source = ListSource(*hops, [chunk(text("done"), finish="STOP")])
        run = await gem.Chat(source=source, tools=[look]).send("go")
        assert (run.text, len(run.steps), run.tool_calls[0].result) == ("I look.done", 2, {"result": "seen a"})
        assert [request.token for request in source.requests] == [None, "t", None]

    play(main)


def test_a_limit_of_hops_ends_the_run_with_what_came() -> None:
    async def main() -> None:
        source = ListSource(*HOPS)
        chat = gem.Chat(source=source, max_hops=2)
        run = await chat.send("hi")
        assert (run.status, run.stopped_by, run.text, run.offers) == ("completed", "max_hops", "Hello ", ["continue"])
        assert run.notice is not None
        assert len(source.requests) == 2
        more = await run.again("continue")  # goes on right there
        assert (more.text, source.requests[2].token, more.steps[0].hops[0].total_token_count) == ("world", "t2", 3)
        assert source.requests[2].contents == source.requests[0].contents
        assert [content["role"] for content in chat.history] == ["user", "model", "model"]

    play(main)


def test_a_token_limit_holds_between_hops() -> None:
    async def main() -> None:
        source = ListSource(*HOPS)
        run = await gem.Chat(source=source, max_tokens_total=45).send("hi")
        assert (run.status, run.stopped_by, run.text) == ("completed", "max_tokens_total", "Hello ")
        assert len(source.requests) == 2

    play(main)


@pytest.mark.parametrize("hop", [0, 1])
def test_a_stop_in_any_hop_keeps_what_came(hop: int) -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        await source.waiting.wait()
        if hop:
            source.waiting.clear()
            source.give(paused(text("one "), token="t"))
            source.end()
            await source.waiting.wait()
        source.give(chunk(text("two")))
        await until(lambda: "two" in run.text, "it came")
        run.stop()
        await run.wait()
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert (run.receipt.when, run.text) == ("mid-stream", "one two" if hop else "two")
        assert len(source.requests) == hop + 1

    play(main)


def test_a_stop_as_a_hop_ends_asks_for_no_other() -> None:
    """The chunk that pauses the answer is the last thing that is read before the next request."""

    async def main() -> None:
        source = ListSource(*HOPS)
        run = gem.Chat(source=source).send("hi")
        async for event in run:
            if isinstance(event, PartStarted | TextAdded) and run.steps[0].finish_reason == "CONTINUATION":
                break
        if run.stop():
            await run.wait()
        assert len(source.requests) <= 2
        assert run.status == "cancelled"

    play(main)


def test_a_hop_that_is_cut_behind_its_token_goes_on_there() -> None:
    async def main() -> None:
        early = chunk(text("Hel"))
        early["candidates"][0]["continuationToken"] = "t1"
        lost = gem.StreamTruncated("lost")
        source = ListSource([early, lost], [chunk(text("lo"), finish="STOP")])
        chat = gem.Chat(source=source)
        run = await chat.send("hi").wait()
        assert (run.status, run.offers[0]) == ("failed", "continue")
        more = await chat.again("continue")
        assert (more.text, source.requests[1].token) == ("lo", "t1")
        assert source.requests[1].contents == source.requests[0].contents
        assert "".join(p["text"] for c in chat.history[1:] for p in c["parts"]) == "Hello"

    play(main)


def test_where_more_came_than_the_token_is_for_the_model_is_asked_in_words() -> None:
    async def main() -> None:
        early = chunk(text("Hel"))
        early["candidates"][0]["continuationToken"] = "t1"
        source = ListSource([early, chunk(text("lo")), gem.StreamTruncated("lost")], [chunk(text("."), finish="STOP")])
        chat = gem.Chat(source=source)
        await chat.send("hi").wait()
        await chat.again("continue")
        assert source.requests[1].token is None
        assert "Go on" in source.requests[1].contents[-1]["parts"][0]["text"]

    play(main)


def test_a_run_that_goes_on_and_fails_is_asked_anew_from_its_beginning() -> None:
    async def main() -> None:
        broken = gem.ApiError(500, None, "no")
        source = ListSource(HOPS[0], [broken], [broken], HOPS[2])
        chat = gem.Chat(source=source)
        await chat.send("hi").wait()
        await chat.again("continue").wait()
        assert [request.token for request in source.requests] == [None, "t1", "t1"]
        run = await chat.again("anew")
        assert (run.text, source.requests[3].token) == ("world", None)
        assert source.requests[3].contents == source.requests[0].contents

    play(main)


def test_a_pause_without_a_token_is_told() -> None:
    async def main() -> None:
        run = await gem.Chat(source=ListSource([chunk(text("a"), finish="CONTINUATION")])).send("hi")
        assert (run.status, run.offers) == ("completed", ["continue"])
        assert run.notice is not None
        assert "paused" in run.notice["message"]

    play(main)
