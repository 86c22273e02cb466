"""The journal is the one truth about a run: live, late, in a file and in another kernel it reads the same."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget import _redact
from gemstream_widget._archive import appender
from gemstream_widget._archive.key_filter import KeyFilter
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream.chunks import Frame
from gemstream_widget._stream.state import State
from proof import growth, journal, spoiled
from proof.judge import Watcher
from proof.sessions import frame
from tests.conftest import corpus_streams
from tests.gates import GatedSource, until
from tests.test_branches import Echo, said
from tests.told import state_of, told
from tests.wire import call, chunk, text, thought, tokens

DONE = [chunk(text("done"), finish="STOP")]
BUSY = {"error": {"code": 503, "message": "busy", "details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "0s"}]}}


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


def add(a: int, b: int = 1) -> int:
    """Add."""
    print("adding")
    return a + b


# -- the same, however it is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
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
        kept = [entry for _, entry in run._record.journal.entries if entry.kind == "print"]
        assert "half \ufffd" in str(kept)  # as it is read from a file

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


# -- files that were cut or edited ------------------------------------------------------------------------------------


def _conversation(path: Path) -> None:
    """A short chat with all that a file holds: thoughts, a call, a print, usage, an error, another branch."""

    async def main() -> None:
        first = [frame(chunk(text("é\U0001f600 one", "U2ln"), usage=tokens(5))), frame(chunk(finish="STOP"))]
        asked = [chunk(call("add", {"a": 1}, id="k"), finish="STOP", usage=tokens(7))]
        chat = gem.Chat(source=ListSource(first, asked, DONE, [chunk(text("half")), BUSY], DONE), tools=[add])
        one = await chat.send("1")
        await chat.send("2")
        await chat.send("3", after=one).wait()
        await chat.again("anew")
        chat.switch(one)
        chat.save(path)

    asyncio.run(main())


def test_a_file_cut_anywhere_reads_up_to_its_last_whole_line(tmp_path: Path) -> None:
    _conversation(tmp_path / "chat.jsonl")
    data = (tmp_path / "chat.jsonl").read_bytes()
    ends = {at + by for at in range(len(data)) if data[at] == 10 for by in (-1, 0, 1, 2)}
    halves = {at for at in range(len(data)) if data[at] >= 0x80}  # in the middle of a character
    places = sorted(ends | halves | set(range(0, len(data) + 1, 5)))  # every byte: python -m proof journal
    assert spoiled.cut_faults(data, places, tmp_path / "cut.jsonl") == []


def test_files_edited_at_random_give_a_chat_or_a_recording_error(tmp_path: Path) -> None:
    _conversation(tmp_path / "chat.jsonl")
    lines, chance = lines_of(tmp_path / "chat.jsonl"), random.Random(3)
    for _ in range(400):
        spoiled.write(spoiled.edited(lines, chance), tmp_path / "edited.jsonl")
        assert spoiled.reading_faults(tmp_path / "edited.jsonl") == []


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "head", "place": 77},
        {"kind": "head", "place": float("inf")},
        {"kind": "left", "place": 9, "parent": [], "run": 1},
        {
            "kind": "run",
            "place": 9,
            "parent": 8,
            "run": "x",
            "model": "m",
            "demo": False,
            "prompt": [],
            "started_at": 0,
        },
        {
            "kind": "run",
            "place": 9,
            "parent": 1,
            "run": "x",
            "model": "m",
            "demo": False,
            "again": "y",
            "started_at": 0,
        },
        {"kind": "run", "place": 9, "parent": 1, "run": "x", "model": "m", "demo": False, "started_at": 0},
        {"kind": "chat", "model": "", "system": 1},
        {"kind": "move", "run": 1, "at_s": 1e999, "event": "started"},
    ],
    ids=[
        "a head nowhere",
        "no number",
        "a parent that is none",
        "a parent nowhere",
        "a prompt nowhere",
        "no prompt",
        "options",
        "a time without end",
    ],
)
def test_lines_that_do_not_fit_are_refused(more: Any, tmp_path: Path) -> None:
    _conversation(tmp_path / "chat.jsonl")
    with (tmp_path / "chat.jsonl").open("a") as file:
        file.write(json.dumps(more) + "\n")
    with pytest.raises(gem.RecordingError, match=r"chat\.jsonl"):
        gem.load_chat(tmp_path / "chat.jsonl")


def test_a_file_sets_no_option_but_model_and_system(tmp_path: Path) -> None:
    _conversation(tmp_path / "chat.jsonl")
    with (tmp_path / "chat.jsonl").open("a") as file:
        line = {"kind": "chat", "model": "m", "system": "s", "record": str(tmp_path / "x"), "approve": "never"}
        file.write(json.dumps(line) + "\n")
    options = gem.load_chat(tmp_path / "chat.jsonl").options
    assert (options.model, options.system, options.record, options.approve) == ("m", "s", None, "auto")


def test_a_run_that_ends_without_an_end_is_refused(tmp_path: Path) -> None:
    """Whoever waited for it would wait for ever."""
    _conversation(tmp_path / "chat.jsonl")
    lines = [line for line in lines_of(tmp_path / "chat.jsonl") if line.get("run") != 1 or line["kind"] == "move"]
    lines.append({"kind": "move", "run": 1, "at_s": 1.0, "event": "failed"})
    spoiled.write(lines, tmp_path / "chat.jsonl")
    with pytest.raises(gem.RecordingError, match="nothing tells of its end"):
        gem.load_chat(tmp_path / "chat.jsonl")


def test_what_an_error_in_a_file_holds_is_no_method_of_it(tmp_path: Path) -> None:
    _conversation(tmp_path / "chat.jsonl")
    lines = lines_of(tmp_path / "chat.jsonl")
    (end,) = [line for line in lines if line["kind"] == "end" and line["event"] == "failed"]
    end["error"] = {"type": "ApiError", "message": "m", "to_json": 1, "with_traceback": 2, "__notes__": 3, "code": 4}
    spoiled.write(lines, tmp_path / "chat.jsonl")
    error = gem.load_chat(tmp_path / "chat.jsonl").runs[2].error
    assert isinstance(error, gem.ApiError)
    assert (error.code, error.message) == (4, "m")
    with pytest.raises(gem.ApiError):
        raise error.with_traceback(None)


# -- no second truth --------------------------------------------------------------------------------------------------


def _edit(lines: list[Any], old: str, new: str) -> list[Any]:
    """The lines with a word in their frames changed, and in nothing else; it is there once."""
    frames = [line for line in lines if line["kind"] == "frame"]
    assert sum(json.dumps(line).count(old) for line in frames) == 1
    return [json.loads(json.dumps(line).replace(old, new)) if line["kind"] == "frame" else line for line in lines]


@pytest.mark.parametrize("raw", [False, True], ids=["objects", "raw text"])
def test_a_frame_edited_in_a_file_changes_text_history_snapshot_and_events_alike(raw: bool, tmp_path: Path) -> None:
    def given(*wires: Any) -> list[Any]:
        return [frame(wire) for wire in wires] if raw else list(wires)

    async def main() -> None:
        call_ = call("missing", {"where": "ARGUMENT"}, id="k")
        streams = [
            given(chunk(text("a WORD")), chunk(finish="STOP", usage=tokens(4321))),
            given(chunk(text("b")), chunk(finish="STOP", finishMessage="x"), chunk(finish="REASON")),
            given(chunk(call_, finish="STOP")),
            given(chunk(text("so"), finish="STOP")),
            given(chunk(text("c")), {"error": {"code": 500, "message": "MESSAGE", "status": "INTERNAL"}}),
        ]
        chat = gem.Chat(source=ListSource(*streams), tools=[add])
        for prompt in "1234":
            await chat.send(prompt).wait()
        chat.save(tmp_path / "chat.jsonl")

    async def stopped() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        run = chat.send("5")
        source.give(*given(chunk(text("d"), usage=tokens(777))))
        await until(lambda: len(run.chunks) == 1, "the chunk arrived")
        run.stop()
        await run.wait()
        chat.save(tmp_path / "stopped.jsonl")

    asyncio.run(main())
    asyncio.run(stopped())

    def changed(old: str, new: str, name: str = "chat.jsonl") -> gem.Chat:
        spoiled.write(_edit(lines_of(tmp_path / name), old, new), tmp_path / "edited.jsonl")
        return gem.load_chat(tmp_path / "edited.jsonl")

    def everywhere(run: gem.Run) -> list[Any]:
        return [run.snapshot(), state_of(run, told(run)[0]).snapshot(), told(run)[1].state.snapshot()]

    chat = changed("WORD", "PLACE")
    assert chat.runs[0].text == "a PLACE"
    assert said(chat.history)[1] == "a PLACE"
    assert [state["parts"][0]["text"] for state in everywhere(chat.runs[0])] == ["a PLACE"] * 3

    run = changed("4321", "1234").runs[0]
    assert run.usage.total_token_count == 1234
    assert [state["tokens"] for state in everywhere(run)] == [1234] * 3
    run = changed("777", "666", "stopped.jsonl").runs[0]
    assert run.receipt is not None
    assert run.receipt.tokens == 666
    assert [state["receipt"]["tokens"] for state in everywhere(run)] == [666] * 3

    run = changed("REASON", "OTHER").runs[1]
    assert (run.finish_reason, run.steps[-1].outcome) == ("OTHER", "truncated")
    assert [state["steps"][0]["finish_reason"] for state in everywhere(run)] == ["OTHER"] * 3

    chat = changed("ARGUMENT", "ELSEWHERE")
    assert chat.runs[2].tool_calls[0].args == {"where": "ELSEWHERE"}
    assert "ELSEWHERE" in json.dumps(chat.history)
    assert [state["parts"][0]["call"]["args"] for state in everywhere(chat.runs[2])] == [{"where": "ELSEWHERE"}] * 3

    run = changed("MESSAGE", "OTHERWISE").runs[3]
    assert run.error is not None
    assert run.error.message == "OTHERWISE"
    assert [state["error"]["message"] for state in everywhere(run)] == ["OTHERWISE"] * 3


def test_tokens_are_counted_without_a_look_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sum over all steps, for each chunk, made a chunk of the tenth step cost twice as much."""

    async def main() -> None:
        asked = [chunk(call("add", {"a": 1}), finish="STOP", usage=tokens(10))]
        last = [chunk(text("x"), usage=tokens(3)), chunk(text("y"), finish="STOP", usage=tokens(5))]
        chat = gem.Chat(source=ListSource(asked, asked, last), tools=[add])
        looks: list[int] = []
        usage = State.usage.fget
        monkeypatch.setattr(State, "usage", property(lambda state: looks.append(1) or usage(state)))  # type: ignore[misc]
        run = chat.send("go")
        await run.wait()
        assert not looks
        assert run.snapshot()["tokens"] == 25 == run.usage.total_token_count
        assert looks  # the control

    asyncio.run(main())


# -- size -------------------------------------------------------------------------------------------------------------


def test_file_and_memory_grow_with_what_is_said(tmp_path: Path) -> None:
    assert growth.growth_faults(100, tmp_path / "chat.jsonl") == []
    (fault,) = growth.growth_faults(50, tmp_path / "chat.jsonl", keep=True)  # the control
    assert "memory grows" in fault


def test_asking_anew_and_repairs_do_not_repeat_the_history(tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(range(256)) * 400).decode()

    async def main() -> None:
        before = [
            {"role": "user", "parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": picture}}]},
            {"role": "model", "parts": [text("EARLIER" * 100)]},
            {"role": "model", "parts": [text("twice the model")]},
        ]
        chat = gem.Chat(source=ListSource(*([chunk(text("a"), finish="STOP")] for _ in range(22))), history=before)
        run = await chat.send("1")
        for _ in range(20):
            await chat.again(run, "anew")
        mended = [dict(content) for content in chat.history]
        mended[2] = {"role": "user", "parts": [text("MENDED")]}
        chat._branches.mend(mended, chat._branches.head)
        await chat.send("2")
        chat.save(tmp_path / "chat.jsonl")
        data = (tmp_path / "chat.jsonl").read_text()
        assert (data.count(picture), data.count("EARLIER" * 100), data.count("MENDED")) == (1, 1, 1)
        assert gem.load_chat(tmp_path / "chat.jsonl").history == chat.history
        assert len(data) < len(picture) + 30_000

    asyncio.run(main())


# -- elsewhere --------------------------------------------------------------------------------------------------------

ELSEWHERE = """
import asyncio, json, sys
import gemstream_widget as gem

async def main():
    with gem.LocalGemini(check_history=False) as server:
        chat = gem.load_chat(sys.argv[1], client=server.client(), retries=0)
        chat.switch(chat.runs[int(sys.argv[2])])
        history = chat.history
        await chat.send("@say next").wait()
        (body,) = [record.body for record in server.requests if record.body]
        print(json.dumps([history, body["contents"]]))

asyncio.run(main())
"""


def test_two_branches_and_back_in_a_new_process_the_request_is_the_chosen_branch(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    histories: list[Any] = []

    async def main() -> None:
        chat = gem.Chat(source=Echo(), model="demo")
        a = await chat.send("a")
        b = await chat.send("b \u2028 \U0001f600")
        await chat.send("c")
        d = await chat.send(["d", (b"\x89PNG", "image/png")], after=a)
        chat.switch(b)
        for run in (b, d):
            chat.switch(run)
            histories.append(chat.history)
        chat.save(path)
        for run, history in zip((b, d), histories, strict=True):
            source = ListSource(DONE)
            loaded = gem.load_chat(path, source=source)
            loaded.switch(loaded.runs[chat.runs.index(run)])
            await loaded.send("next")
            assert source.requests[0].contents == [*history, {"role": "user", "parts": [{"text": "next"}]}]

    asyncio.run(main())
    assert histories[0] != histories[1]
    for place, history in zip((1, 3), histories, strict=True):
        program = [sys.executable, "-c", ELSEWHERE, str(path), str(place)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=50, check=False)
        assert done.returncode == 0, done.stderr
        there, sent = json.loads(done.stdout)
        assert there == history
        assert sent == [*history, {"role": "user", "parts": [{"text": "@say next"}]}]


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planted", ["environment", "client"])
@pytest.mark.parametrize("raw", [False, True], ids=["objects", "raw text"])
def test_a_key_is_in_no_file_and_nothing_else_is_changed(
    planted: str, raw: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "AIzaPLANTED0123456789abcdefghijklmnoPQR"
    blob = base64.b64encode(b"signed").decode() + key + "AAAA"  # base64 may hold anything
    monkeypatch.setattr(_redact, "_known", set())
    if planted == "environment":
        monkeypatch.setenv("GEMINI_API_KEY", key)
    else:
        _redact.remember_key(key)

    def tell(a: str) -> Any:
        """Tell."""
        print(key[:9], key[9:], sep="", end="")
        if a == "fail":
            raise ValueError(f"no {key}")
        return {"told": key, key: 1}

    def given(*wires: Any) -> list[Any]:
        return [frame(wire) for wire in wires] if raw else list(wires)

    def streams() -> list[list[Any]]:
        picture = {"inlineData": {"mimeType": "image/png", "data": blob}}
        split = [chunk(text(piece)) for piece in (f"it is {key[:20]}", f"{key[20:]}.")]
        letters = [chunk(thought(letter)) for letter in f"<{key}>"]
        return [
            given(chunk(text(f"said {key}", blob)), *split, *letters, chunk(picture), chunk(finish="STOP")),
            given(chunk(call("tell", {"a": key}), call("tell", {"a": "fail"}), finish="STOP")),
            given(chunk(text("ok"), finish="STOP")),
            given(chunk(text("x")), {"error": {"code": 500, "message": f"bad {key}", "status": key}}),
            [ValueError(f"worse {key}")],
        ]

    async def main() -> None:
        chat = gem.Chat(
            source=ListSource(*streams()),
            tools=[tell],
            system=f"system {key}",
            config={"labels": {"who": key}},
            history=[{"role": "user", "parts": [text(f"history {key}"), text("", blob)]}],
            record=tmp_path / "folder",
        )
        for prompt in range(4):
            run = await chat.send(f"prompt {prompt} {key}").wait()
            run.save(tmp_path / f"run {prompt}.jsonl")
        chat.save(tmp_path / "chat.jsonl")
        assert chat._file is not None
        assert await asyncio.to_thread(chat._file._appender.close, 10)
        await asyncio.sleep(0)

    def paths() -> list[Path]:
        return sorted(tmp_path.rglob("*.jsonl"))

    def leaks(path: Path) -> list[str]:
        """Where the key is in a file, also over neighbours, beside the two kinds of text that go back as they came."""
        data = path.read_text("utf-8").replace(blob, "(blob)")
        texts = [data] + [_said(path, name) for name in ("text", "thought", "print")]
        return [text for text in texts if key in text]

    asyncio.run(main())
    assert len(paths()) == 6
    for path in paths():
        assert leaks(path) == [], path
        if not path.name.startswith(("run 1", "run 2", "run 3")):
            blobs = path.read_text("utf-8").count(blob)
            assert blobs == (2 if path.name == "run 0.jsonl" else 3)
    loaded = gem.load_chat(tmp_path / "chat.jsonl")
    assert loaded.runs[0].text == "said [key]it is [key]."
    assert (
        loaded.runs[0].thoughts == f"<{key[:6]}[key]>"
    )  # letter by letter: what all keys begin with waits for nothing
    assert loaded.runs[0].parts[0].signature == blob

    monkeypatch.setattr(KeyFilter, "push", lambda self, line: [line])  # the control: without the filter it is found
    monkeypatch.setattr(KeyFilter, "flush", lambda self: [])
    for path in paths():
        path.unlink()
    asyncio.run(main())
    assert len(paths()) == 6
    for path in paths():
        assert leaks(path), path


def _said(path: Path, what: str) -> str:
    """The texts of one kind in a file, joined."""
    pieces = []
    for line in lines_of(path):
        if line["kind"] == "print" and what == "print":
            pieces.append(line["text"])
        if line["kind"] == "frame":
            wire = Frame(line["raw"]).wire if "raw" in line else line["wire"]
            for candidate in wire.get("candidates", ()) if isinstance(wire, dict) else ():
                for part in candidate["content"]["parts"]:
                    if "text" in part and bool(part.get("thought")) is (what == "thought"):
                        pieces.append(part["text"])
    return "".join(pieces)


# -- recorded as it happens -------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")


@posix
def test_a_disk_that_blocks_for_the_whole_run_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    opened: list[Path] = []

    def block(path: Path) -> Any:
        opened.append(path)
        return fifo.open("wb", buffering=0)  # until somebody reads

    monkeypatch.setattr(appender, "_open", block)

    async def main() -> tuple[float, gem.Chat]:
        chunks = [chunk(text("x" * 200)) for _ in range(3000)]
        gated = GatedSource()
        chat = gem.Chat(source=gated, record=tmp_path / "folder")
        gap = 0.0

        async def tick() -> None:
            nonlocal gap
            last = time.perf_counter()
            while True:
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                gap, last = max(gap, now - last), now

        ticking = asyncio.create_task(tick())
        run = chat.send("go")
        for start in range(0, len(chunks), 30):
            gated.give(*chunks[start : start + 30])
            await asyncio.sleep(0.01)
        gated.give(chunk(finish="STOP"))
        gated.end()
        await asyncio.wait_for(run.wait(), 2)
        assert len(run.text) == 600_000
        assert opened  # and it hangs there
        second = chat.send("again")
        gated.give(chunk(text("y")))
        await until(lambda: len(second.chunks) == 1, "the chunk arrived")
        began = time.perf_counter()
        second.stop()
        await second.wait()
        assert time.perf_counter() - began < 0.2
        assert second.status == "cancelled"
        ticking.cancel()
        return gap, chat

    gap, chat = asyncio.run(main())
    assert gap < 0.1
    assert chat._file is not None
    with fifo.open("rb") as read:  # let go: all of it comes
        thread = threading.Thread(target=chat._file._appender.close, args=(10,))
        thread.start()
        data = read.read()
        thread.join()
    (tmp_path / "read.jsonl").write_bytes(data)
    assert [run.text for run in gem.load_chat(tmp_path / "read.jsonl").runs] == [run.text for run in chat.runs]


KILLED = """
import asyncio, sys, time
import gemstream_widget as gem

class Source:
    async def stream(self, request):
        n = 0
        while True:
            await asyncio.sleep(0.002)
            yield {"candidates": [{"index": 0, "content": {"parts": [{"text": f"{n} "}]}}]}
            n += 1

async def main():
    run = gem.Chat(source=Source(), record=sys.argv[1]).send("go")
    while True:
        await asyncio.sleep(0.01)
        print(time.time(), len(run.text), flush=True)

asyncio.run(main())
"""


@posix
def test_a_kernel_killed_in_mid_stream_loses_half_a_second(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        shown = []
        while not shown or shown[-1][1] < 4000:
            at, length = child.stdout.readline().split()
            shown.append((float(at), int(length)))
        child.send_signal(signal.SIGKILL)
        killed = time.time()
        shown += [(float(at), int(n)) for at, n in (line.split() for line in child.stdout if line.count(" ") == 1)]
    (path,) = tmp_path.glob("*.jsonl")
    (run,) = gem.load_chat(path).runs
    assert run.status == "cancelled"
    assert run.text == "".join(f"{n} " for n in range(len(run.chunks)))
    before = [length for at, length in shown if at < killed - 0.5]
    assert len(run.text) >= before[-1] > 1000


def test_a_recorded_chat_that_goes_on_reads_as_its_saved_one(tmp_path: Path) -> None:
    def pairs(chat: gem.Chat, path: Path) -> None:
        chat.save(tmp_path / "saved.jsonl")
        recorded, saved = gem.load_chat(path), gem.load_chat(tmp_path / "saved.jsonl")
        assert recorded.history == saved.history == chat.history
        assert _entries(path) == _entries(tmp_path / "saved.jsonl")
        for one, other in zip(recorded.runs, saved.runs, strict=True):
            assert journal._renamed(one.snapshot(), one.id, "r") == journal._renamed(other.snapshot(), other.id, "r")

    async def written(chat: gem.Chat) -> Path:
        assert chat._file is not None
        path = chat.recording
        assert path is not None
        assert await asyncio.to_thread(chat._file._appender.close, 10)
        return path

    async def main() -> None:
        before = [{"role": "user", "parts": [text("q")]}, {"role": "model", "parts": [text("a", "U2ln")]}]
        answers = [[chunk(text(f"{n}"), finish="STOP")] for n in range(20)]
        chat = gem.Chat(source=ListSource(*answers), tools=[add], record=tmp_path / "one", history=before)
        first = await chat.send("a")
        queued = [chat.queue("b"), chat.queue("c")]
        queued[1].stop()
        await queued[0]
        await asyncio.sleep(0.5)  # a part of it is written by now: what follows is appended
        await chat.again(first, "anew")
        assert chat.repair("corrupted_signature")
        chat.switch(queued[0])
        await chat.send("d")
        old = chat._file
        chat.change(record=tmp_path / "two")
        await chat.send("e")
        assert old is not None
        assert await asyncio.to_thread(old._appender.close, 10)
        second = await written(chat)
        pairs(chat, second)
        loaded = gem.load_chat(second, source=ListSource(*answers), record=tmp_path / "three")
        await loaded.send("f")
        loaded.switch(loaded.runs[0])
        await loaded.send("g")
        pairs(loaded, await written(loaded))
        (one,), (two,), (three,) = ((tmp_path / name).iterdir() for name in ("one", "two", "three"))
        assert [run.text for run in gem.load_chat(one).runs] == [run.text for run in chat.runs][:-1]
        assert len(lines_of(three)) > len(lines_of(two)) > len(lines_of(one))

    asyncio.run(main())


def _entries(path: Path) -> dict[int, list[Any]]:
    """The entries of each run in a file, in order."""
    return spoiled._by_run(path.read_bytes().splitlines())
