"""What a user holds and tries to pickle or copy: it works, or one sentence says what to use."""

from __future__ import annotations

import asyncio
import copy
import itertools
import pickle
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget import _chat
from gemstream_widget._engine.source import ListSource

from .gates import GatedSource, until
from .wire import call, chunk, text


@gem.tool(approve="ask")
def look(path: str) -> str:
    """Look."""
    return path


def chat_of(*answers: str, **options: Any) -> gem.Chat:
    source = ListSource(*([chunk(text(answer), finish="STOP")] for answer in answers))
    return gem.Chat(source=source, runner="thread", **options)


async def holders() -> dict[str, tuple[Any, str]]:
    """Each with what its sentence must name."""
    run = chat_of("hi").send("x")
    await run.wait()
    with gem.LocalGemini() as server:
        await gem.Chat(client=server.client()).send("@say hi").wait()
        record = server.requests[-1]
    return {
        "chat": (chat_of(), "chat.save"),
        "options": (chat_of().options, "save the chat"),
        "run": (run, "run.save"),
        "events": (aiter(run), "in a list"),
        "card": (gem.Card([run]), "display(run)"),
        "server": (server, "server.url"),
        "request": (record, "record.body"),
        "tool": (gem.Tool(lambda path: path, name="made_here"), "gem.tool(function)"),
    }


def test_what_lives_in_its_process_says_what_to_use() -> None:
    async def main() -> None:
        for name, (held, instead) in (await holders()).items():
            for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
                with pytest.raises(TypeError) as told:
                    pickle.dumps(held, protocol)
                assert instead in str(told.value), name
                assert str(told.value).count(". ") == 0, "one sentence"
            if name in ("chat", "tool"):
                continue
            for copied in (copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="neither pickled nor copied" if name != "events" else "list"):
                    copied(held)

    asyncio.run(main())


def test_a_tool_travels_as_its_function_would() -> None:
    assert pickle.loads(pickle.dumps(look)) is look
    assert copy.copy(look) is copy.deepcopy([look])[0] is look


def test_what_a_run_gives_travels() -> None:
    """Its parts, calls, steps, chunks, events and counters are values."""

    async def main() -> None:
        source = ListSource([chunk(text("let me"), call("look", {"path": "x"}), finish="STOP")], [chunk(text("so"))])
        chat = gem.Chat(source=source, tools=[gem.Tool(look.function)], approve="auto")
        run = chat.send("x")
        values = {
            "events": [event async for event in run], "parts": run.parts, "steps": run.steps, "usage": run.usage,
            "chunks": list(run.chunks), "calls": run.tool_calls, "timing": run.timing, "snapshot": run.snapshot(),
            "history": chat.history, "error": run.error,
        }  # fmt: skip
        for name, value in values.items():
            assert value, name
            assert repr(pickle.loads(pickle.dumps(value))) == repr(value), name

    asyncio.run(main())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copied_chat_says_the_same_and_goes_on_by_itself(copied: Any, tmp_path: Path) -> None:
    chat = chat_of(
        "one",
        "two",
        "three",
        "mine",
        history=[{"role": "user", "parts": [{"text": "before"}]}, {"role": "model", "parts": [{"text": "yes"}]}],
        system="short",
        record=tmp_path,
        max_steps=3,
    )
    first = chat.send("count").result(20)
    second = chat.send("on").result(20)
    other = chat.again(first).result(20)
    twin = copied(chat)
    assert twin.history == chat.history
    assert [run.text for run in twin.runs] == ["one", "two", "three"]
    assert [run.id for run in twin.runs] != [run.id for run in chat.runs]
    assert len(twin.branches(twin.runs[0])) == len(chat.branches(first)) == 2
    assert twin.options.max_steps == 3
    assert twin.system == "short"

    held = [*chat.history]
    mine = twin.send("only there").result(20)
    assert (mine.text, chat.history, len(chat.runs)) == ("mine", held, 3)
    twin.change(max_steps=5)
    assert chat.options.max_steps == 3
    twin.switch(twin.runs[1])
    assert chat.parent(other) is None
    assert chat.history == held
    assert chat.runs[1] is second
    with pytest.raises(gem.InvalidOption, match="no run of this chat"):
        twin.switch(second)
    assert twin.recording not in (None, chat.recording)


def test_the_copy_holds_a_known_key_that_a_file_would_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "AIza-a-key-that-is-known-0123456789"
    monkeypatch.setenv("GEMINI_API_KEY", key)
    chat = chat_of("ok")
    chat.send(f"mine is {key}").result(20)
    assert copy.copy(chat).history == chat.history
    chat.save(tmp_path / "chat.jsonl")  # the control
    assert key not in (tmp_path / "chat.jsonl").read_text()


def test_rules_and_runs_that_go_on_stay_behind() -> None:
    async def main() -> None:
        asked = [chunk(call("look", {"path": "x"}), finish="STOP")]
        source = ListSource(asked, [chunk(text("so"), finish="STOP")], asked)
        chat = gem.Chat(source=source, tools=[look])
        run = chat.send("x")
        (waiting,) = await run.next_pending()
        with pytest.raises(gem.RunInProgress):
            copy.copy(chat)
        run.approve(waiting, scope="chat")
        await run
        again = copy.copy(chat).send("x")
        assert await again.next_pending()  # asked anew
        assert chat.runs == [run]
        again.stop()
        await again.wait()

    asyncio.run(main())


def test_a_stopped_and_a_failed_run_are_copied_with_what_may_follow() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source, retries=0)
        run = chat.send("x")
        source.give(chunk(text("half")))
        await until(lambda: run.text, "text")
        run.stop()
        await run.wait()
        failed = chat.send("y")
        source.give(gem.ApiError(503, "UNAVAILABLE", "busy"))
        await failed.wait()
        twin = copy.deepcopy(chat)
        for one, other in zip(twin.runs, chat.runs, strict=True):
            assert (one.status, one.text, one.offers) == (other.status, other.text, other.offers)
            assert (one.receipt, type(one.error)) == (other.receipt, type(other.error))
            assert one.error is None or one.error.run is one

    asyncio.run(main())


def test_runs_of_one_number_are_both_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the module that counts them was loaded again."""

    async def main() -> None:
        sources = [GatedSource(), GatedSource()]
        runs = []
        for source in sources:
            monkeypatch.setattr(_chat, "_run_numbers", itertools.count(77_000))
            runs.append(gem.Chat(source=source).send("x"))
        assert [run.id for run in runs] == ["r77000"] * 2
        assert set(runs) <= set(gem.runs())
        runs[1].stop()
        await runs[1].wait()
        assert runs[0] in gem.runs()
        assert runs[1] not in gem.runs()
        runs[0].stop()
        await runs[0].wait()
        headers = [run._record.journal.header.run for run in runs]
        assert len(set(headers)) == 2  # their own names, in files, are no numbers

    asyncio.run(main())
