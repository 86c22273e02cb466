"""Branches of a conversation: another prompt, another answer, and the way back."""

from __future__ import annotations

import asyncio
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource, Request
from tests.gates import GatedSource
from tests.wire import call, chunk, text


class Echo:
    """Answers each prompt with its number and the prompt; holds the requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> Any:
        self.requests.append(request)
        await asyncio.sleep(0)
        yield chunk(text(f"{len(self.requests)}:{said(request.contents)[-1]}"), finish="STOP")


def said(contents: Any) -> list[str]:
    return ["".join(part.get("text", "") for part in content["parts"]) for content in contents]


def test_a_prompt_after_an_earlier_run_begins_another_branch() -> None:
    async def main() -> None:
        source = Echo()
        chat = gem.Chat(source=source, history=[{"role": "user", "parts": [{"text": "before"}]}])
        a = await chat.send("a")
        b = await chat.send("b")
        c = await chat.send("c", after=a)
        assert said(source.requests[-1].contents) == ["before", "a", "1:a", "c"]
        assert said(chat.history) == ["before", "a", "1:a", "c", "3:c"]
        assert chat.branches(b) == chat.branches(c) == [b, c]
        assert [chat.parent(run) for run in (a, b, c)] == [None, a, a]
        assert chat.runs == [a, b, c]
        first = await chat.send("z", after=None)
        assert said(source.requests[-1].contents) == ["before", "z"]
        assert chat.branches(first) == [a, first]
        chat.switch(b)
        assert said(chat.history) == ["before", "a", "1:a", "b", "2:b"]
        d = await chat.send("d")
        assert chat.parent(d) is b
        chat.switch(a)  # as far as it went last
        assert said(chat.history)[-1] == "5:d"
        chat.switch(c)
        assert said(chat.history)[-1] == "3:c"

    asyncio.run(main())


def test_what_a_source_or_a_reader_does_to_contents_changes_nothing_that_was_said() -> None:
    class Vandal(Echo):
        async def stream(self, request: Request) -> Any:
            async for given in super().stream(request):
                yield given
            spoil(request.contents)

    def spoil(contents: Any) -> None:
        for content in contents:
            content["role"] = "spoilt"
            for part in content["parts"]:
                for held in part.values():
                    if isinstance(held, dict):
                        held.clear()
                part.clear()

    async def main() -> None:
        before = [{"role": "user", "parts": [{"text": "before"}]}]
        picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
        chat = gem.Chat(source=Vandal(), history=before)
        run = await chat.send(["a", picture])
        wanted = [*before, {"role": "user", "parts": [{"text": "a"}, picture]}, *chat.history[2:]]
        again = await chat.again(run, "anew")
        for contents in (chat.history, run.contents(), again.contents()):
            spoil(contents)
            assert contents != wanted[-len(contents) :]  # the control
        chat.switch(run)
        assert chat.history == wanted
        assert again.contents()[0] == wanted[1]

    asyncio.run(main())


def test_a_history_is_copied_once_a_turn_for_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        chat = gem.Chat(source=Echo())
        for number in range(20):
            await chat.send(f"{number}")
        copied.clear()
        await chat.send("last")
        assert sorted(copied) == [1, 41]  # the prompt, and what is sent
        assert len(chat.history) == 42 == copied[-1]  # the control

    def copy(value: Any) -> Any:
        copied.append(len(value))
        return deepcopy(value)

    copied: list[int] = []
    for module in ("_chat", "_run"):
        monkeypatch.setattr(f"gemstream_widget.{module}.deepcopy", copy)
    asyncio.run(main())


def test_anew_gives_another_answer_to_the_same_prompt() -> None:
    async def main() -> None:
        source = Echo()
        chat = gem.Chat(source=source)
        a = await chat.send("a")
        b = await chat.send(["b", (b"\x89PNG", "image/png")])
        c = await chat.send("c")
        again = await chat.again(b, "anew")
        assert source.requests[-1].contents == source.requests[1].contents
        assert again.attachments == b.attachments != []
        assert chat.branches(b) == [b, again]
        assert said(chat.history) == ["a", "1:a", "b", "4:b"]
        chat.switch(c)
        assert said(chat.history) == ["a", "1:a", "b", "2:b", "c", "3:c"]
        first = await chat.again(a)
        assert chat.branches(a) == [a, first]
        with pytest.raises(gem.NothingToRepeat):  # of the last run, unnamed, nothing calls for it
            chat.again()

    asyncio.run(main())


def test_a_run_that_failed_and_was_asked_anew_is_a_branch() -> None:
    async def main() -> None:
        broken = [chunk(text("half")), {"error": {"code": 503, "message": "busy"}}]
        source = ListSource([chunk(text("one"), finish="STOP")], broken, [chunk(text("whole"), finish="STOP")])
        chat = gem.Chat(source=source)
        first = await chat.send("1")
        failed = await chat.send("2").wait()
        new = await chat.again("anew")
        assert said(source.requests[-1].contents) == ["1", "one", "2"]
        assert said(chat.history) == ["1", "one", "2", "whole"]
        assert chat.branches(new) == [failed, new]
        assert chat.parent(new) is first
        chat.switch(failed)
        assert said(chat.history) == ["1", "one", "2", "half"]

    asyncio.run(main())


def test_no_tool_runs_twice_where_a_failed_run_is_asked_anew_from_elsewhere() -> None:
    ran: list[int] = []

    def count() -> int:
        """Count."""
        ran.append(1)
        return len(ran)

    async def main() -> None:
        source = ListSource(
            [chunk(call("count", {}), finish="STOP")], [{"error": {"code": 503, "message": "busy"}}],
            [chunk(text("other"), finish="STOP")], [chunk(text("one"), finish="STOP")],
        )  # fmt: skip
        chat = gem.Chat(source=source, tools=[count])
        failed = await chat.send("count").wait()
        await chat.send("other", after=None)
        again = await chat.again(failed)
        assert (again.text, ran) == ("one", [1])
        assert chat.branches(failed)[-1] is again
        assert "functionResponse" in str(source.requests[-1].contents)

    asyncio.run(main())


def test_there_is_one_way_to_go_on() -> None:
    async def main() -> None:
        chat = gem.Chat(source=Echo())
        await chat.send("a")
        with pytest.raises(gem.InvalidOption, match="one way to go on: 'anew' or 'repair'"):
            chat.again("anew", "repair")

    asyncio.run(main())


def test_a_repair_stays_with_the_run_that_it_is_behind() -> None:
    async def main() -> None:
        source = Echo()
        chat = gem.Chat(source=source)
        a = await chat.send("a")
        b = await chat.send("b")
        chat._branches.mend([{"role": "user", "parts": [{"text": "mended"}]}], chat._branches.head)
        assert said(chat.history) == ["mended"]
        c = await chat.send("c")
        assert chat.parent(c) is b
        d = await chat.send("d", after=b)  # what was mended behind it would be refused again
        assert said(chat.history) == ["mended", "d", "4:d"]
        await chat.send("e", after=a)
        assert said(chat.history) == ["a", "1:a", "e", "5:e"]
        chat.switch(c)
        assert said(chat.history) == ["mended", "c", "3:c"]
        assert chat.branches(c) == [c, d]
        assert chat.parent(b) is a

    asyncio.run(main())


def test_what_was_taken_back_is_no_place_in_the_conversation() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        a, b, c = (chat.queue(name) for name in "abc")
        b.stop()
        for _ in range(2):
            source.give(chunk(text("ok"), finish="STOP"))
            source.end()
        await c
        assert chat.parent(c) is a
        assert chat.branches(c) == [c]
        assert said(chat.history) == ["a", "ok", "c", "ok"]

    asyncio.run(main())


def test_while_a_run_goes_on_no_branch_is_begun_or_switched_to() -> None:
    async def main() -> None:
        chat, other = gem.Chat(source=GatedSource()), gem.Chat(source=ListSource([]))
        going = chat.send("a")
        for begin in (
            lambda: chat.switch(going), lambda: chat.send("b", after=going), lambda: chat.again(going, "anew"),
        ):  # fmt: skip
            with pytest.raises(gem.RunInProgress):
                begin()
        going.stop()
        await going.wait()
        elsewhere = other.send("x")
        for ask in (chat.switch, chat.branches, chat.parent, lambda run: chat.send("b", after=run), chat.again):
            with pytest.raises(gem.InvalidOption, match="is no run of this chat"):
                ask(elsewhere)
        await elsewhere.wait()

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(30))
def test_any_tree_is_saved_and_loaded_with_the_very_request_that_would_follow(seed: int, tmp_path: Path) -> None:
    """Two branches and back, in a random order: the next request is the chosen branch, here and in another chat."""

    async def main() -> None:
        chance = random.Random(seed)
        chat = gem.Chat(source=Echo(), history=[{"role": "user", "parts": [{"text": "before"}]}])
        ways: dict[str, list[str]] = {}  # by run id: what was said up to it, kept by hand
        for number in range(12):
            kind = chance.choice(["send", "after", "again", "switch", "first"]) if ways else "send"
            known = chance.choice(chat.runs) if ways else None
            if kind == "switch" and known is not None:
                chat.switch(known)
                continue
            if kind == "again" and known is not None:
                run = await chat.again(known)
                way = ways[known.id][:-1]
            elif kind == "send":
                way = [*said(chat.history), f"p{number}"]
                run = await chat.send(f"p{number}")
            else:
                after = known if kind == "after" else None
                way = [*(["before"] if after is None else ways[after.id]), f"p{number}"]
                run = await chat.send(f"p{number}", after=after)
            ways[run.id] = [*way, run.text]
            assert said(chat.history) == ways[run.id]
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=Echo())
        assert loaded.history == chat.history
        pairs = list(zip(chat.runs, loaded.runs, strict=True))
        for here, there in pairs:
            assert [one.text for one in loaded.branches(there)] == [one.text for one in chat.branches(here)]
        for here, there in pairs:
            for one, run in ((chat, here), (loaded, there)):
                one.switch(run)
            assert loaded.history == chat.history
            assert said(chat.history)[: len(ways[here.id])] == ways[here.id]
            sources = []
            for one, run in ((chat, here), (loaded, there)):
                await one.send("next", after=run)
                sources.append(one._source.requests[-1].contents)
            assert sources[0] == sources[1]
            assert said(sources[0]) == [*ways[here.id], "next"]

    asyncio.run(main())
