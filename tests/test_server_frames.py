"""Frames as Gemini does not send them, and the server's own log of what it sent."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gemstream_widget.server import Fault, LocalGemini
from gemstream_widget.server.faults import FRAMES
from gemstream_widget.server.script.language import ScriptError, parse

from .local import Json, Raw, ask, eventually, frames, parts, play, refusal, said

DOCS = Path(__file__).parent.parent / "docs" / "local-gemini.md"
TEXT = "@say Grüße 😀\n@say  und 漢字"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=math.inf, keep=50, keep_sent=1_000_000) as running:
        yield running


def body_of(server: LocalGemini, prompt: str, accept: str = "") -> bytes:
    """The body for a prompt, as on the wire."""
    with Raw(server) as raw:
        data = json.dumps(ask(prompt)).encode()
        head = "POST /v1/models/demo:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: local\r\nx-goog-api-key: k\r\n"
        encoding = f"Accept-Encoding: {accept}\r\n" if accept else ""
        raw.socket.sendall(f"{head}{encoding}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        status, headers, chunks = raw.read_response()
    assert status == 200, chunks
    assert headers.get("content-encoding") == ("gzip" if accept == "gzip" and "gzip" in prompt else None)
    return b"".join(chunks)


def events(body: bytes) -> list[str]:
    """The data of each event, read by the letter of the standard; what the end leaves open is an event too."""
    found: list[str] = []
    data: list[str] = []
    for line in re.split(r"\r\n|\n|\r", body.decode()):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            found.append("\n".join(data))
            data = []
    return found + (["\n".join(data)] if data else [])


def chunks_of(body: bytes) -> list[Json]:
    return [json.loads(event) for event in events(body) if event != "[DONE]"]


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [*sorted({*FRAMES} - {"gzip"}), "cr lf crlf", "lf tight spread fields comments open"])
def test_whatever_the_frames_the_chunks_are_the_same(server: LocalGemini, words: str) -> None:
    plain = chunks_of(body_of(server, TEXT))
    body = body_of(server, f"@frames {words}\n{TEXT}")
    heard = chunks_of(body)
    assert said(heard) == said(plain) == "Grüße 😀 und 漢字"
    assert len(heard) == len(plain) == 3
    assert server.requests[-1].sent == body


def test_line_ends(server: LocalGemini) -> None:
    def ends(words: str) -> list[bytes]:
        return re.findall(rb"(?:\r\n|\r|\n)+", body_of(server, f"@frames {words}\n{TEXT}"))

    assert ends("lf") == [b"\n\n"] * 3
    assert ends("cr") == [b"\r\r"] * 3
    assert ends("lf cr crlf") == [b"\n\n", b"\r\r", b"\r\n\r\n"]
    assert ends("open lf") == [b"\n\n", b"\n\n", b"\n"]
    assert ends("bare") == [b"\r\n\r\n"] * 2
    assert ends("bare done") == [b"\r\n\r\n"] * 3
    assert body_of(server, f"@frames bare done\n{TEXT}").endswith(b"data: [DONE]")


def test_lines_of_a_frame(server: LocalGemini) -> None:
    def lines(words: str) -> list[bytes]:
        return body_of(server, f"@frames {words}\n@say a\n@+finish STOP").split(b"\r\n")

    (data,) = [line for line in lines("tight") if line]
    assert data.startswith(b'data:{"')
    assert [line.partition(b" ")[0] for line in lines("fields")] == [b"event:", b"id:", b"data:", b"retry:", b"", b""]
    assert [line[:6] for line in lines("comments")] == [b": keep", b"", b": chun", b"data: ", b"", b""]
    spread = lines("spread")
    assert len(spread) > 10
    assert {line[:6] for line in spread} == {b"data: ", b""}


def test_an_open_frame_is_closed_as_soon_as_more_happens(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@frames open lf\n@say a\n@stall"))
        assert raw.read_until(b"\n\n").endswith(b"\n\n\r\n")
    assert body_of(server, "@frames open\n@say a\n@garbage\n@say b").count(b"\r\n\r\n") == 3


def test_numbers(server: LocalGemini) -> None:
    def ends(script: str) -> list[Any]:
        chunks = chunks_of(body_of(server, f"@frames numbers\n{script}"))
        return [candidate["finishReason"] for candidate in chunks[-1]["candidates"]]

    assert [ends(script) for script in ("@say a", "@finish MAX_TOKENS", "@say a\n@hop")] == [[1], [2], ["CONTINUATION"]]
    (blocked,) = chunks_of(body_of(server, "@frames numbers\n@block SAFETY"))
    assert blocked["promptFeedback"] == {"blockReason": 1}


def test_what_nobody_knows_comes_back_unchanged(server: LocalGemini) -> None:
    """The rules refuse it from others, and a changed one: a server takes back what it gave."""
    prompt = "@frames unknown\n@say a"
    heard = chunks_of(body_of(server, prompt))
    new = heard[0]["brandNew"]
    assert heard[0]["candidates"][0]["brandNew"] == new
    text, hologram = parts(heard[:1])
    assert (text, hologram) == ({"text": "a", "brandNew": new}, {"hologram": {"depth": 3}})
    first, again = ask(prompt)["contents"][0], ask("@say again")["contents"][0]

    def body(*given: Json) -> Json:
        return {"contents": [first, {"role": "model", "parts": [*given]}, again]}

    assert said(play(server, body(*parts(heard)))) == "again"
    assert 'Unknown name "brandNew"' in refusal(server, body({**text, "brandNew": 5}))["message"]
    assert "hologram" in refusal(server, body({"hologram": {"depth": 4}}))["message"]


def test_odd_parts_of_a_script_come_back_too(server: LocalGemini) -> None:
    odd = {"functionCall": {"name": "f", "mood": "odd"}, "thoughtSignature": "no base64!"}
    prompt = f"@part {json.dumps(odd)}\n@then\n@say done"
    called = parts(play(server, prompt))
    answer = {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}
    contents = [ask(prompt)["contents"][0], {"role": "model", "parts": called}, answer]
    assert said(play(server, {"contents": contents})) == "done"
    contents[1] = {"role": "model", "parts": [{**odd, "thoughtSignature": "not base64!"}, *called[1:]]}
    assert refusal(server, {"contents": contents})["code"] == 400


def test_words_are_told_when_they_are_wrong() -> None:
    for wrong in ("@frames", "@frames lf wide", "@frames LF"):
        with pytest.raises(ScriptError, match=r"@frames knows the words crlf, lf, .* Write: @frames lf, or cr tight"):
            parse(wrong)
    with pytest.raises(ValueError, match=r"frames must be words of crlf, .*, not 'wide'"):
        Fault(frames="lf wide")


def test_words_may_be_queued(server: LocalGemini) -> None:
    server.next(frames="lf done")
    assert body_of(server, TEXT).endswith(b"\n\ndata: [DONE]\n\n")
    assert body_of(server, TEXT).endswith(b"}\r\n\r\n")


def test_documentation_has_every_word() -> None:
    table = DOCS.read_text(encoding="utf-8").partition("| Word |")[2].partition("\n\n")[0]
    assert [word for row in table.split("\n")[2:] for word in re.findall(r"`([a-z]+)`", row.split("|")[1])] == [*FRAMES]


# --- gzip -------------------------------------------------------------------------------------------------------------


def test_gzip_where_it_is_accepted(server: LocalGemini) -> None:
    prompt = f"@frames gzip\n{TEXT}"
    packed = body_of(server, prompt, accept="gzip")
    assert said(frames(gzip.decompress(packed))) == "Grüße 😀 und 漢字"
    assert server.requests[-1].sent == gzip.decompress(packed)
    assert server.requests[-1].bytes_sent == len(packed)
    for accept in ("", "br", "gzip;q=0"):
        assert said(frames(body_of(server, prompt, accept=accept))) == "Grüße 😀 und 漢字"
    assert frames(body_of(server, TEXT, accept="gzip"))


def test_gzip_can_be_read_frame_by_frame_and_cut(server: LocalGemini) -> None:
    whole = body_of(server, "@frames gzip\n@say a\n@say b", accept="gzip")
    cut = body_of(server, f"@frames gzip\n@say a\n@say b\n@cut {len(whole) // 2} end", accept="gzip")
    said_so_far = zlib.decompressobj(wbits=31).decompress(cut)
    assert server.requests[-1].sent == said_so_far
    assert 0 < len(said_so_far) < len(gzip.decompress(whole))
    assert b"\r\n\r\n" in said_so_far


def test_gzip_is_not_for_refusals(server: LocalGemini) -> None:
    server.next(frames="gzip", status=429)
    client = server.client()
    with pytest.raises(Exception, match="429 RESOURCE_EXHAUSTED"):
        client.models.generate_content(model="demo", contents="@say a")
    server.next(frames="gzip")
    assert client.models.generate_content(model="demo", contents="@say a").text == "a"
    client.close()


# --- errors that are no end -------------------------------------------------------------------------------------------


def test_an_error_may_be_followed_by_more(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@frames lf\n@say a\n@error 503\n@repeat 1000000 word"))
        body = raw.read_until(b"word")
    first, error, more = events(body.partition(b"\r\n\r\n")[2])[:3]
    assert ("UNAVAILABLE" in error, '"a"' in first, "word" in more) == (True, True, True)
    eventually(lambda: server.requests[-1].outcome == "client closed", "the server sent until the client hung up")


def test_pieces_of_single_bytes(server: LocalGemini) -> None:
    """Every place is cut: within a character, and between CR and LF."""
    with Raw(server) as raw:
        raw.post(ask(f"@split 1\n@frames comments fields\n{TEXT}"))
        pieces = raw.read_response()[2]
    assert {len(piece) for piece in pieces} == {1}
    assert said(chunks_of(b"".join(pieces))) == "Grüße 😀 und 漢字"
    assert server.requests[-1].sent == b"".join(pieces)


# --- the log ----------------------------------------------------------------------------------------------------------


def test_what_was_sent_is_kept_when_asked_for() -> None:
    with LocalGemini(speed=math.inf) as forgetful:
        assert forgetful.requests == []
        body_of(forgetful, "@say a")
        assert forgetful.requests[0].sent is None
    with LocalGemini(speed=math.inf, keep_sent=2000) as bounded:
        refused = refusal(bounded, ask("@fail 503"))
        short, long = body_of(bounded, "@say a"), body_of(bounded, "@repeat 99 word")
        assert len(short) < 2000 < len(long)
        assert [record.sent for record in bounded.requests][1:] == [short, None]
        assert json.loads(bounded.requests[0].sent or b"")["error"] == refused


def test_a_recording_is_logged_byte_for_byte(tmp_path: Path) -> None:
    line = json.dumps({"candidates": [{"content": {"parts": [{"text": "漢" * 5000}]}}]})
    (tmp_path / "one.jsonl").write_text(f"{line}\n{line}", encoding="utf-8")
    with LocalGemini(tmp_path, speed=math.inf, keep_sent=10**6) as server:
        server.next(split=777, frames="cr comments")
        with Raw(server) as raw:
            raw.post(ask("go"), "/v1/models/one:streamGenerateContent?alt=sse")
            body = b"".join(raw.read_response()[2])
        assert server.requests[0].sent == body
        assert said(chunks_of(body)) == "漢" * 10_000
