"""A chat in a file: closed here, opened there, nothing lost."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._request.prompt import Prompt
from gemstream_widget._request.rules import violations
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text, thought, tokens

DONE = [chunk(text("done"), finish="STOP")]
ran: list[str] = []


def rm(path: str) -> str:
    """Remove a file."""
    ran.append(path)
    return f"removed {path}"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


def comparable(run: gem.Run) -> Any:
    """A run's state without its id."""
    return json.loads(json.dumps(run.snapshot()).replace(f'"{run.id}"', '"run"'))


def test_finished_runs_come_back_as_they_were(tmp_path: Path) -> None:
    async def main() -> None:
        first = [chunk(thought("hm")), chunk(text("a \ud83d"), usage=tokens(7)), chunk(text("", "U0lH"), finish="STOP")]
        cut = [chunk(text("b")), {"error": {"code": 503, "message": "busy"}}]
        chat = gem.Chat(source=ListSource(first, cut), system="be kind")
        await chat.send("one")
        await chat.send("two").wait()
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(DONE))
        assert loaded.history == chat.history
        assert (loaded.system, loaded.model) == (chat.system, chat.model)
        assert [comparable(r) for r in loaded.runs] == [comparable(r) for r in chat.runs]
        assert [r.status for r in loaded.runs] == ["completed", "failed"]
        assert "503" in str(loaded.runs[1].error)
        assert [c.wire for c in loaded.runs[0].chunks] == [c.wire for c in chat.runs[0].chunks]
        assert (await loaded.send("three")).text == "done"

    asyncio.run(main())


def test_bytes_of_a_prompt_are_in_the_file_and_the_history_and_never_on_the_page(tmp_path: Path) -> None:
    picture = bytes(range(256)) * 8
    long = "row\n" * 20_000

    async def main() -> None:
        chat = gem.Chat(source=ListSource(DONE, DONE), history=[_with_picture(picture)])
        prompt = [{"text": long}, {"inline_data": {"mime_type": "image/png", "data": picture}}]
        await chat.send(prompt)
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(DONE))
        assert loaded.history == chat.history
        assert chat.history[1]["parts"][0] == {"text": long}
        data = [chat.history[place]["parts"][1]["inlineData"]["data"] for place in (0, 1)]
        assert [base64.b64decode(one) for one in data] == [picture, picture]
        assert comparable(loaded.runs[0]) == comparable(chat.runs[0])
        shown = loaded.runs[0].snapshot()["prompt"][0]["parts"]
        assert shown[0] == {"text": long[:8000], "cut": 72_000}
        assert shown[1] == {"inlineData": {"mimeType": "image/png", "size_bytes": 2048}}

    asyncio.run(main())


def _with_picture(picture: bytes) -> dict[str, Any]:
    data = base64.b64encode(picture).decode()
    return {"role": "user", "parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": data}}]}


def test_attachments_are_told_from_the_start_and_in_another_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("table orders, 12,408 x 7, first 20 rows, 3.1 kB", "figure.png, 41 kB")
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    monkeypatch.setattr("gemstream_widget._chat.prompt_of", lambda given: Prompt(contents, words if given else ()))

    async def main() -> None:
        chat = gem.Chat(source=ListSource(DONE, DONE, DONE))
        run, queued = chat.send("with"), chat.queue("with")
        assert run.attachments == queued.attachments == run.snapshot()["attachments"] == list(words)
        run.attachments.clear()
        await run
        await queued
        assert queued.attachments == run.attachments == list(words)
        assert (await chat.send("")).attachments == []
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json")
        assert [r.attachments for r in loaded.runs] == [list(words), list(words), []]

    asyncio.run(main())


def test_a_call_that_waits_for_the_callers_answer_still_does(tmp_path: Path) -> None:
    async def main() -> None:
        asked = [chunk(call("look", {"a": 1}, id="k1"), finish="STOP")]
        chat = gem.Chat(source=ListSource(asked), tools=[{"name": "look", "description": "d"}])
        await chat.send("one")
        chat.save(tmp_path / "chat.json")
        source = ListSource(DONE)
        loaded = gem.load_chat(tmp_path / "chat.json", source=source, tools=[{"name": "look", "description": "d"}])
        assert [c.state for c in loaded.runs[0].tool_calls] == ["requested"]
        assert comparable(loaded.runs[0]) == comparable(chat.runs[0])
        await loaded.send({"functionResponse": {"name": "look", "response": {"seen": True}}})
        assert source.requests[0].contents[2]["parts"][0]["functionResponse"]["id"] == "k1"

    asyncio.run(main())


def test_a_chunk_that_is_no_json_does_not_keep_a_chat_from_being_saved(tmp_path: Path) -> None:
    async def main() -> None:
        held: dict[Any, Any] = {(1, 2): 3, "n": 10**5000}
        held["itself"] = held
        chat = gem.Chat(source=ListSource([chunk(text("a")), held, chunk(finish="STOP")]))
        await chat.send("one")
        chat.save(tmp_path / "chat.json")
        (loaded,) = gem.load_chat(tmp_path / "chat.json").runs
        assert (loaded.status, loaded.text, len(loaded.chunks)) == ("completed", "a", 3)
        assert loaded.chunks[1].wire["itself"] == "(holds itself)"

    asyncio.run(main())


def test_a_pending_approval_is_decided_in_another_kernel_signature_intact(tmp_path: Path) -> None:
    asked = [
        chunk(call("rm", {"path": "/a"}, id="k1", signature="U0lH"), call("rm", {"path": "/b"}, id="k2")),
        chunk(finish="STOP"),
    ]

    async def before() -> None:
        chat = gem.Chat(source=ListSource(asked), tools=[rm], approve="ask")
        run = chat.send("clean up")
        assert len(await run.next_pending()) == 2
        run.deny("s0c1", "keep that")
        chat.save(tmp_path / "chat.json")
        run.stop()
        await run.wait()

    async def after() -> None:
        source = ListSource(DONE, DONE)
        chat = gem.load_chat(tmp_path / "chat.json", tools=[rm], source=source)  # whose own policy is "auto"
        run = chat.runs[-1]
        (waiting,) = await run.next_pending()
        assert (waiting.id, waiting.args) == ("s0c0", {"path": "/a"})
        assert ran == []
        run.approve("s0c0")
        await run
        assert (run.text, ran) == ("done", ["/a"])
        model, responses = source.requests[0].contents[1:]
        assert model["parts"][0] == call("rm", {"path": "/a"}, id="k1", signature="U0lH")
        told = [p["functionResponse"] for p in responses["parts"]]
        assert [t["id"] for t in told] == ["k1", "k2"]
        assert told[0]["response"] == {"result": "removed /a"}
        assert "keep that" in told[1]["response"]["error"]
        assert [(d.call, d.verdict) for d in run.decisions] == [("s0c1", "denied"), ("s0c0", "approved")]
        assert not violations({"contents": source.requests[0].contents}, model="gemini-3-pro")
        assert (await chat.send("more")).text == "done"

    asyncio.run(before())
    asyncio.run(after())


def test_a_run_saved_while_it_streams_is_kept_as_far_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        run = chat.send("hi")
        source.give(chunk(text("so far")))
        await until(lambda: len(run.chunks) == 1, "the chunk arrived")
        chat.save(tmp_path / "chat.json")
        run.stop()
        await run.wait()
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(DONE))
        assert [(r.status, r.text) for r in loaded.runs] == [("cancelled", "so far")]
        assert (await loaded.send("go on")).text == "done"

    asyncio.run(main())


def test_across_processes_with_the_demo_model(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    common = (
        "import asyncio, sys, gemstream_widget as gem\n"
        "def rm(path: str) -> str:\n    return 'removed ' + path\n"
        "async def main():\n"
    )
    save = (
        "    chat = gem.Chat(model='demo', tools=[rm], approve='ask')\n"
        '    run = chat.send(\'@call rm {"path": "/a"}\\n@then\\n@say all clean\')\n'
        "    await run.next_pending()\n"
        "    chat.save(sys.argv[1])\n"
    )
    load = (
        "    chat = gem.load_chat(sys.argv[1], tools=[rm])\n"
        "    run = chat.runs[-1]\n"
        "    for call in await run.next_pending():\n"
        "        run.approve(call.id)\n"
        "    print((await run).text, run.tool_calls[0].result)\n"
    )
    for body in (save, load):
        program = f"{common}{body}asyncio.run(main())"
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
        assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "all clean {'result': 'removed /a'}"


@pytest.mark.parametrize("held", ["", "[]", "{}", '{"format": "other"}', '{"format": "gemstream chat 1"}', "\x00"])
def test_what_is_no_saved_chat_is_refused(tmp_path: Path, held: str) -> None:
    path = tmp_path / "chat.json"
    path.write_text(held)
    with pytest.raises(gem.RecordingError, match=r"chat\.json"):
        gem.load_chat(path)


def test_no_key_is_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "a-planted-key-0123456789")

    async def main() -> None:
        chat = gem.Chat(source=ListSource([ValueError("a-planted-key-0123456789 is wrong")]))
        await chat.send("hi").wait()
        chat.save(tmp_path / "chat.json")

    asyncio.run(main())
    assert "a-planted-key" not in (tmp_path / "chat.json").read_text()
