"""A chat in files: what is recorded as it happens, and what is read of files that others touched."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._branches import Branches
from gemstream_widget._chat_file import ChatLines
from gemstream_widget._engine.source import ListSource
from tests.wire import chunk, text

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
