"""A chat in files: what is recorded as it happens, and what is read of files that others touched."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._branches import Branches
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
