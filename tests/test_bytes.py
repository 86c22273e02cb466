"""The bytes that came: kept as the server sent them, whatever their form, and sent back as they came.

The server's own log of what it sent (`RequestRecord.sent`) is what everything is held against. Every claim has a
control: the same answer through a client of the user's, as the SDK reads it, loses or fails what ours keeps.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget.server.faults import FRAMES

from .clients import OURS, client_of

ANSWER = "@think Grüße\n@say 😀 und\n@say  漢字"


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=math.inf, keep=50, keep_sent=1_000_000) as running:
        yield running


def ask(server: gem.LocalGemini, *prompts: str, transport: str = OURS, **options: Any) -> gem.Chat:
    """A chat in which these were sent, one after the other."""

    async def main() -> gem.Chat:
        async with client_of(server, transport) as client:
            chat = gem.Chat(client=client, model="demo", retries=0, **options)
            for prompt in prompts:
                await chat.send(prompt).wait()
            return chat

    return asyncio.run(main())


def joined(run: gem.Run) -> bytes:
    return b"".join(run.frames)


# -- what comes --------------------------------------------------------------------------------------------------------

FORMS = [*sorted(FRAMES), "lf tight spread comments fields done", "cr lf crlf open numbers", "bare done gzip unknown"]


@pytest.mark.parametrize("words", FORMS)
def test_the_frames_are_what_the_server_sent(server: gem.LocalGemini, words: str) -> None:
    run = ask(server, f"@frames {words}\n{ANSWER}").runs[0]
    record = server.requests[-1]
    assert (run.status, run.thoughts, run.text, run.finish_reason) == ("completed", "Grüße", "😀 und 漢字", "STOP")
    assert record.sent
    assert joined(run) == record.sent
    assert "".join(chunk.raw or "" for chunk in run.chunks).encode() == record.sent
    assert run.steps[0].reading == "bytes"


def test_a_byte_more_or_less_is_noticed(server: gem.LocalGemini) -> None:
    run = ask(server, ANSWER).runs[0]
    sent = server.requests[-1].sent
    assert sent
    assert joined(run) != sent.replace(b"\r\n\r\n", b"\n\n")
    assert joined(run) != sent + b":\r\n\r\n"


@pytest.mark.parametrize(
    ("words", "fate"),
    [("done", "failed"), ("comments", "failed"), ("fields", "failed"), ("numbers", "failed"), ("unknown", "lost")],
)
def test_as_the_sdk_reads_it_the_same_fails_or_loses(server: gem.LocalGemini, words: str, fate: str) -> None:
    """The control: what a form costs where the bytes are not ours to read, and that this is said."""
    run = ask(server, f"@frames {words}\n{ANSWER}", transport="httpx2").runs[0]
    assert (run.status == "failed") == (fate == "failed")
    assert joined(run) == b""
    assert all(chunk.raw is None for chunk in run.chunks)
    assert "brandNew" not in json.dumps([chunk.wire for chunk in run.chunks])
    if run.chunks:
        assert run.steps[0].reading == "sdk"


@pytest.mark.parametrize("size", [1, 100, 333, 450, 600])
def test_a_body_that_ends_anywhere_is_kept_to_its_last_byte(server: gem.LocalGemini, size: int) -> None:
    run = ask(server, f"@say half\n@say  漢字漢字漢字\n@cut {size} end").runs[0]
    sent = server.requests[-1].sent
    assert sent is not None
    assert len(sent) == size
    assert joined(run) == sent


@pytest.mark.parametrize("fault", ["@error 503", "@garbage", "@nofinish"])
def test_what_came_before_a_fault_is_whole(server: gem.LocalGemini, fault: str) -> None:
    run = ask(server, f"@say half\n{fault}").runs[0]
    sent = server.requests[-1].sent
    assert sent
    assert run.text == "half"
    assert sent.startswith(joined(run))
    assert len(joined(run)) > 100


def test_a_source_of_ones_own_is_neither() -> None:
    chunk = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}

    async def main() -> gem.Run:
        return await gem.Chat(source=gem.ListSource([chunk])).send("go")

    run = asyncio.run(main())
    assert (run.steps[0].reading, run.frames, run.chunks[0].raw) == (None, [], None)


# -- what goes back ----------------------------------------------------------------------------------------------------

ODD = {
    "a part of a kind that has no name": {"hologram": {"depth": 3}, "thoughtSignature": "c2ln"},
    "a field that has no name": {"text": "seen", "brandNew": {"since": 2027}},
    "a field of a call that has no name": {"functionCall": {"name": "f", "args": {}, "mood": "odd"}},
    "a signature that is no base64": {"text": "seen", "thoughtSignature": "no base64!"},
    "a signature in the other alphabet": {"text": "seen", "thoughtSignature": "-_-_"},
    "a signature that is no text": {"text": "seen", "thoughtSignature": 7},
}


@pytest.mark.parametrize("part", ODD.values(), ids=ODD)
def test_what_nobody_knows_goes_back_as_it_came(server: gem.LocalGemini, tmp_path: Path, part: Any) -> None:
    chat = ask(server, f"@part {json.dumps(part)}\n@+finish STOP", "@say thanks")
    first, second = chat.runs
    came = first.chunks[0].wire["candidates"][0]["content"]["parts"]
    assert came == [part]
    body = server.requests[-1].body
    assert body is not None
    assert body["contents"][1] == {"role": "model", "parts": came}
    assert second.text == "thanks"
    assert chat.check() == []
    assert chat.repair() == []
    chat.save(tmp_path / "chat.jsonl")
    assert gem.load_chat(tmp_path / "chat.jsonl", model="demo").check() == []


def test_of_others_it_is_refused(server: gem.LocalGemini) -> None:
    """The control: the same part, which no model sent in this chat."""
    part = ODD["a field that has no name"]
    history = [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [part]}]
    chat = ask(server, history=history)
    assert [violation.code for violation in chat.check()] == ["unknown_field"]
    chat = ask(server, f"@part {json.dumps(part)}\n@+finish STOP")
    assert chat.repair() == []
    assert chat.repair("unknown_field") != []
    assert chat.history[1]["parts"] == [{"text": "seen"}]


# -- what the journal says of it ---------------------------------------------------------------------------------------


def test_the_response_tells_what_was_sent_and_no_secret(server: gem.LocalGemini, tmp_path: Path) -> None:
    chat = ask(server, "@headers 0\n@say hi")
    chat.save(tmp_path / "chat.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "chat.jsonl").read_text(encoding="utf-8").splitlines()]
    (told,) = [line for line in lines if line["kind"] == "response"]
    assert told["reading"] == "bytes"
    assert told["headers"]["content-type"].startswith("text/event-stream")
    assert not any("key" in name or "cookie" in name or "auth" in name for name in told["headers"])
    body = server.requests[-1].body
    assert body is not None
    assert told["sent_sha256"] == hashlib.sha256(json.dumps(body).encode()).hexdigest()  # as the SDK writes JSON
    assert gem.load_chat(tmp_path / "chat.jsonl", model="demo").runs[0].steps[0].reading == "bytes"
