"""A chat in files: what is recorded as it happens, and what is read of files that others touched."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._branches import Branches
from gemstream_widget._chat_file import ChatLines
from gemstream_widget._engine.source import ListSource
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text

DONE = [chunk(text("done"), finish="STOP")]


def saved(path: Path, runs: int = 2) -> Path:
    """A chat in a file there."""

    async def main() -> None:
        chat = gem.Chat(source=ListSource(*[DONE] * runs))
        for _ in range(runs):
            await chat.send("hi")
        chat.save(path)

    asyncio.run(main())
    return path


def closed(chat: gem.Chat) -> None:
    """Everything of its recording is written."""
    assert chat._file is not None
    assert chat._file._appender.close(10)


def test_a_loaded_chat_that_is_recorded_has_one_file_with_all_of_it(tmp_path: Path) -> None:
    async def main() -> gem.Chat:
        chat = gem.load_chat(path, record=tmp_path / "folder", source=ListSource(DONE))
        await chat.send("more")
        return chat

    path = saved(tmp_path / "chat.jsonl")
    chat = asyncio.run(main())
    closed(chat)
    assert list((tmp_path / "folder").iterdir()) == [chat.recording]
    assert chat.recording is not None
    assert [run.text for run in gem.load_chat(chat.recording).runs] == ["done"] * 3


def test_a_chunk_is_noted_without_a_look_at_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        chat = gem.Chat(record=tmp_path, source=ListSource([chunk(text("a"))] * 200 + DONE, DONE))
        await chat.send("hi")
        assert len(looks) < 100
        looks.clear()
        assert len(chat.runs) == len(looks) == 1
        closed(chat)

    looks: list[int] = []
    runs: Any = Branches.runs
    monkeypatch.setattr(Branches, "runs", property(lambda self: looks.append(1) or runs.fget(self)))
    asyncio.run(main())


@pytest.mark.parametrize(
    "touch",
    [
        lambda held: held + b"\n",
        lambda held: b"\xef\xbb\xbf" + held.replace(b"\n", b"\r\n"),
        lambda held: held.replace(b"\n", b"\n\n", 3),
        lambda held: held + b'{"kind":"queue","of":1}\n',
    ],
    ids=["an empty line at its end", "as another system writes text", "empty lines", "a line of a later version"],
)
def test_what_an_editor_or_a_later_version_leaves_in_a_file_changes_nothing(
    touch: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = saved(tmp_path / "chat.jsonl")
    path.write_bytes(touch(path.read_bytes()))
    assert [run.text for run in gem.load_chat(path).runs] == ["done"] * 2


def test_a_head_that_is_nowhere_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "chat.jsonl")
    path.write_bytes(path.read_bytes() + b'{"kind":"head","place":77}\n')
    with pytest.raises(gem.RecordingError, match=r"chat\.jsonl cannot be read: nothing was said at place 77"):
        gem.load_chat(path)


@pytest.mark.parametrize("counts", [{"first": -1, "last": 0}, {"first": 0, "last": 9}, {"first": 2, "last": 1}])
def test_a_repair_that_counts_what_is_not_there_is_told(tmp_path: Path, counts: dict[str, int]) -> None:
    path = saved(tmp_path / "chat.jsonl", runs=1)
    mend = {"kind": "mend", "place": 2, "parent": 1, "contents": [], **counts}
    path.write_text(path.read_text(encoding="utf-8") + json.dumps(mend) + "\n", encoding="utf-8")
    with pytest.raises(gem.RecordingError, match="of 2 Contents"):
        gem.load_chat(path)


def test_a_chat_that_is_saved_can_be_used_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes its time holds no run up."""
    written, go_on = threading.Event(), threading.Event()

    def slow(path: Path, lines: Iterator[Any]) -> None:
        kept.extend(lines)
        written.set()
        assert go_on.wait(10)

    async def main() -> None:
        chat = gem.Chat(source=ListSource(DONE, DONE))
        await chat.send("hi")
        saving = asyncio.create_task(asyncio.to_thread(chat.save, tmp_path / "chat.jsonl"))
        await asyncio.to_thread(written.wait, 10)
        assert (await asyncio.wait_for(chat.send("more").wait(), 5)).text == "done"
        go_on.set()
        await saving

    kept: list[Any] = []
    monkeypatch.setattr("gemstream_widget._chat.write_lines", slow)
    asyncio.run(main())
    assert sum(line["kind"] == "run" for line in kept) == 1


def test_a_line_whose_kind_is_no_word_is_told_when_it_is_read_and_not_when_it_is_saved_again(tmp_path: Path) -> None:
    path = saved(tmp_path / "chat.jsonl")
    path.write_bytes(path.read_bytes() + b'{"kind":["end"],"run":1,"at_s":1}\n')
    with pytest.raises(gem.RecordingError, match=r"kind is a text, not \['end'\]"):
        gem.load_chat(path)


def test_what_came_before_a_place_stands_above_it() -> None:
    async def main() -> list[str]:
        chat = gem.Chat(source=ListSource(DONE, DONE))
        lines = ChatLines(chat._branches, dict)
        first = chat.send("one")
        told = [*lines.new()]
        await first
        await chat.send("two")
        return [line["kind"] for line in [*told, *lines.new()]]

    kinds = asyncio.run(main())
    assert kinds.index("end") < [place for place, kind in enumerate(kinds) if kind == "run"][1]


def test_a_chat_is_loaded_on_another_thread_and_goes_on_here(tmp_path: Path) -> None:
    async def main() -> None:
        asked = [chunk(call("look", {"path": "/a"}), finish="STOP")]
        chat = gem.Chat(source=ListSource(DONE, asked), tools=[look], approve="ask")
        await chat.send("hi")
        run = chat.send("look")
        await run.next_pending()
        chat.save(tmp_path / "chat.jsonl")
        run.stop()
        await run.wait()
        options: Any = {"source": ListSource(DONE, DONE), "tools": [look], "runner": "thread"}
        loaded = await asyncio.to_thread(gem.load_chat, tmp_path / "chat.jsonl", **options)
        (waiting,) = await loaded.runs[-1].next_pending()
        loaded.runs[-1].approve(waiting)
        assert (await loaded.runs[-1]).text == (await loaded.send("more")).text == "done"

    def look(path: str) -> str:
        """Look."""
        return path

    asyncio.run(main())


def test_a_prompt_that_is_asked_anew_is_kept_and_written_once(tmp_path: Path) -> None:
    """Also one that waited for its turn, and one asked anew of a run that asked anew itself."""
    pictures = [base64.b64encode(bytes([n]) * 300_000).decode() for n in range(2)]
    prompts = [{"inlineData": {"mimeType": "image/png", "data": picture}} for picture in pictures]

    async def main() -> None:
        chat = gem.Chat(source=ListSource(*[DONE] * 22))
        runs = [chat.queue(prompt) for prompt in prompts]
        await runs[1]
        again = runs[0]
        for _ in range(10):
            again = await chat.again(again, "anew")
            await chat.again(runs[1], "anew")
        chat.save(tmp_path / "chat.jsonl")
        tracemalloc.start()
        loaded = gem.load_chat(tmp_path / "chat.jsonl")
        assert tracemalloc.get_traced_memory()[0] < 4 * len(pictures[0])
        tracemalloc.stop()
        assert [run.contents() for run in loaded.runs] == [run.contents() for run in chat.runs]
        assert len(loaded.runs) == 22
        loaded.save(tmp_path / "loaded.jsonl")
        again.save(tmp_path / "run.jsonl")
        assert gem.load_chat(tmp_path / "run.jsonl").history == again.contents()

    asyncio.run(main())
    written = [(tmp_path / name).read_text() for name in ("chat.jsonl", "loaded.jsonl", "run.jsonl")]
    assert [[text.count(picture) for picture in pictures] for text in written] == [[1, 1], [1, 1], [1, 0]]


def test_a_prompt_that_answers_calls_at_its_turn_is_asked_anew_as_it_was_sent(tmp_path: Path) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source, tools=[{"name": "look", "description": "d"}])
        chat.send("one")
        queued = chat.queue("two")
        source.give(chunk(call("look", {}, id="k"), finish="STOP"))
        source.end()
        await until(lambda: queued.status == "streaming", "its turn has come")
        source.give(*DONE)
        source.end()
        await queued
        again = chat.again(queued, "anew")
        source.give(*DONE)
        source.end()
        await again
        chat.save(tmp_path / "chat.jsonl")
        loaded = gem.load_chat(tmp_path / "chat.jsonl")
        sent = [part for content in loaded.runs[2].contents() for part in content["parts"]]
        assert "functionResponse" in sent[0]
        assert loaded.history == chat.history

    asyncio.run(main())


@pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")
def test_saving_over_a_private_file_keeps_it_private_and_a_link_a_link(tmp_path: Path) -> None:
    path, link = saved(tmp_path / "chat.jsonl", 1), tmp_path / "link.jsonl"
    path.chmod(0o600)
    link.symlink_to(path)
    saved(link, 2)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(gem.load_chat(path).runs) == 2
    assert sorted(tmp_path.iterdir()) == [path, link]
