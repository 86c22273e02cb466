"""The journal is the one truth about a run: live, late, in a file and in another kernel it reads the same."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream.chunks import Frame
from proof import journal
from proof.judge import Watcher
from proof.sessions import frame
from tests.conftest import corpus_streams
from tests.gates import GatedSource
from tests.told import state_of, told
from tests.wire import call, chunk, text, tokens

DONE = [chunk(text("done"), finish="STOP")]
BUSY = {"error": {"code": 503, "message": "busy", "details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "0s"}]}}


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def add(a: int, b: int = 1) -> int:
    """Add."""
    print("adding")
    return a + b


# -- the same, however it is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(16))
def test_a_session_reads_the_same_live_late_saved_loaded_and_recorded(seed: int, tmp_path: Path) -> None:
    assert asyncio.run(journal._session(seed, tmp_path)) == []


def test_the_control_readers_that_lose_something_are_noticed(tmp_path: Path) -> None:
    assert journal._control(tmp_path).noticed


def test_every_recorded_stream_reads_the_same(corpus: Path, tmp_path: Path) -> None:
    streams = corpus_streams()
    faults = [fault for path in streams for fault in journal._stream(path, tmp_path, raw=False)]
    faults += [fault for path in streams[::4] for fault in journal._stream(path, tmp_path, raw=True)]
    assert len(streams) > 100
    assert faults == []


def test_events_alone_lead_to_the_same_numbers() -> None:
    async def main() -> None:
        chat = gem.Chat(
            source=ListSource([chunk(call("add", {"a": 1}), call("add", {"a": 2}), finish="STOP")], DONE), tools=[add]
        )
        run = await chat.send("go")
        assert state_of(run, told(run)[0]).snapshot() == run.snapshot()
        assert [decision.otid for decision in run.decisions] == [5, 6]  # behind two parts and their calls

    asyncio.run(main())


def test_how_often_a_failed_request_was_tried_is_told_wherever_it_is_read(tmp_path: Path) -> None:
    async def main() -> None:
        chat = gem.Chat(source=ListSource([BUSY], [BUSY], [BUSY]), retries=2)
        run = await chat.send("go").wait()
        chat.save(tmp_path / "chat.jsonl")
        errors = [
            run.error,
            told(run)[1].error,
            told(run)[1].error,
            gem.load_chat(tmp_path / "chat.jsonl").runs[0].error,
        ]
        assert [error.__notes__ for error in errors if error] == [["It was tried 3 times."]] * 4

    asyncio.run(main())


def test_a_run_taken_back_before_its_turn_comes_back(tmp_path: Path) -> None:
    async def main() -> None:
        chat = gem.Chat(source=GatedSource())
        going, queued = chat.queue("a"), chat.queue("b")
        queued.stop()
        chat.save(tmp_path / "chat.jsonl")  # its end is at 0.0 s
        going.stop()
        await going.wait()
        loaded = gem.load_chat(tmp_path / "chat.jsonl")
        assert [run.stopped_by for run in loaded.runs] == [None, "taken_back"]

    asyncio.run(main())


def test_half_a_surrogate_pair_reaches_no_page(tmp_path: Path) -> None:
    """JSON may escape one; a message that holds one breaks the comm of every widget in the kernel."""
    half = "half \ud83d"

    def say(a: str) -> str:
        """Say."""
        print(half)
        return half

    async def main() -> None:
        asked = [chunk(*(call("say", {"a": "x"}) for _ in range(2)), finish="STOP")]
        chat = gem.Chat(source=ListSource(asked, [ValueError(half)]), tools=[say], approve="ask")
        run = chat.send([half, {"text": half}])
        watcher = Watcher(run)
        denied, approved = await run.next_pending()
        run.deny(denied, half)
        run.approve(approved, {"a": half})
        await run.wait()
        await watcher.over()
        assert watcher.page == json.loads(json.dumps(run.snapshot()))
        for state in (watcher.page, run.snapshot(), run.contents(), list(watcher.feed.take())):
            json.dumps(state, ensure_ascii=False).encode()
        assert "half \ufffd" in watcher.page["parts"][1]["call"]["printed"]
        assert "half \ufffd" in str(run.error)

    asyncio.run(main())


def test_only_an_event_streams_own_line_ends_end_a_line_of_a_frame() -> None:
    said = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
    for end in ("\n", "\r\n", "\r"):
        raw = Frame(f"\ufeff: note{end}data: {json.dumps({'text': said}, ensure_ascii=False)}{end}{end}")
        assert raw.wire == {"text": said}
    assert Frame('data: {"a":\rdata: 1}\r\r').wire == {"a": 1}
    assert Frame("data: {no json\n\n").wire == "{no json"
    assert Frame(": keep-alive\n\n").wire is Frame("data: [DONE]\n\n").wire is None


def test_raw_text_and_its_objects_lead_to_the_same_run() -> None:
    async def main() -> None:
        wires = [chunk(text("a\u2028b")), chunk(text("c\x85d"), usage=tokens(3)), chunk(finish="STOP")]
        raw = gem.Chat(source=ListSource([frame(wire) for wire in wires]))
        run = await raw.send("go")
        assert (run.text, run.usage.total_token_count, run.finish_reason) == ("a\u2028bc\x85d", 3, "STOP")
        assert [one.wire for one in run.chunks] == wires
        assert run.chunks[0].raw == frame(wires[0])

    asyncio.run(main())


def test_a_loaded_chat_that_records_makes_one_file(tmp_path: Path) -> None:
    async def main() -> None:
        chat = gem.Chat(source=ListSource(DONE, DONE))
        await chat.send("one")
        await chat.send("two")
        chat.save(tmp_path / "chat.jsonl")
        loaded = gem.load_chat(tmp_path / "chat.jsonl", record=tmp_path / "folder")
        assert loaded._file is not None
        assert await asyncio.to_thread(loaded._file._appender.close, 5)
        (only,) = (tmp_path / "folder").iterdir()
        assert only == loaded.recording
        assert lines_of(only)[1:] == lines_of(tmp_path / "chat.jsonl")[1:]

    asyncio.run(main())
