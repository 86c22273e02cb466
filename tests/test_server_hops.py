"""An answer in several HTTP streams: `@hop`, its tokens, and the SDK that follows them."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.genai import types

from gemstream_widget.server import LocalGemini
from gemstream_widget.server.script.language import ScriptError, parse

from .local import Json, Raw, ask, eventually, parts, play, refusal, said


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=math.inf) as running:
        yield running


def token(chunks: list[Json]) -> str:
    """The token of the last chunk that has one."""
    found = [candidate.get("continuationToken") for chunk in chunks for candidate in chunk.get("candidates", [])]
    return str([one for one in found if one][-1])


def reasons(chunks: list[Json]) -> list[str]:
    found = [candidate.get("finishReason") for chunk in chunks for candidate in chunk.get("candidates", [])]
    return [one for one in found if one]


def hops(server: LocalGemini, prompt: str, **how: Any) -> list[list[Json]]:
    """The chunks of each hop, asked for as a client would: as long as the reason is CONTINUATION."""
    heard = [play(server, ask(prompt), **how)]
    while reasons(heard[-1])[-1:] == ["CONTINUATION"]:
        heard.append(play(server, ask(prompt, continuationToken=token(heard[-1])), **how))
    return heard


@pytest.mark.parametrize("vertex", [False, True], ids=["developer", "vertex"])
def test_an_answer_in_three_hops(server: LocalGemini, vertex: bool) -> None:
    heard = hops(server, "@say Once upon a ti\n@hop\n@say me there\n@hop\n@say  was", vertex=vertex)
    assert [reasons(hop) for hop in heard] == [["CONTINUATION"], ["CONTINUATION"], ["STOP"]]
    assert [said(hop) for hop in heard] == ["Once upon a ti", "me there", " was"]
    last = [hop[-1]["candidates"][0] for hop in heard]
    assert [set(one) for one in last[:2]] == [{"index", "finishReason", "continuationToken"}] * 2
    assert "continuationToken" not in last[2]
    assert base64.b64decode(token(heard[0]))
    assert token(heard[0]) != token(heard[1])
    assert [any("thoughtSignature" in part for part in parts(hop)) for hop in heard] == [False, False, True]


def test_each_hop_counts_its_own_tokens(server: LocalGemini) -> None:
    heard = hops(server, '@say aaaa\n@hop\n@say bbbbbbbb\n@hop\n@usage {"candidatesTokenCount": 70}\n@say c')
    usage = [hop[-1]["usageMetadata"] for hop in heard]
    assert [one["candidatesTokenCount"] for one in usage] == [1, 2, 70]
    first = usage[0]["promptTokenCount"]
    assert [one["promptTokenCount"] for one in usage] == [first, first + 1, first + 3]


def test_what_was_said_up_to_a_token_counts_wherever_the_token_is(server: LocalGemini) -> None:
    prompt = "@say aaaa\n@+checkpoint\n@think bbbb\n@+hop\n@say cccc"
    whole = play(server, prompt)
    before = whole[-1]["usageMetadata"]["promptTokenCount"]
    later = [play(server, ask(prompt, continuationToken=token(whole[:end])))[-1] for end in (1, 2)]
    assert [chunk["usageMetadata"]["promptTokenCount"] - before for chunk in later] == [1, 2]


def test_a_spent_budget_has_a_token_too(server: LocalGemini) -> None:
    prompt = "@say a\n@hop MAX_TOKENS\n@say b"
    first = play(server, prompt)
    assert reasons(first) == ["MAX_TOKENS"]
    assert said(play(server, ask(prompt, continuationToken=token(first)))) == "b"


@pytest.mark.parametrize(
    ("script", "thoughts", "text", "calls"),
    [
        ("@think one \n@hop\n@think two\n@say a", "one two", "a", []),
        ("@think t\n@hop\n@say a", "t", "a", []),
        ("@say a\n@hop\n@call f {}", "", "a", ["f"]),
        ("@call f {}\n@hop\n@call g {}\n@say a", "", "a", ["f", "g"]),
        ("@say a\n@garbage data: {}\\r\\n\\r\\n\n@error 503\n@say b\n@hop\n@say c", "", "abc", []),
        ("@hop\n@hop\n@say a", "", "a", []),
        ("@say a\n@hop", "", "a", []),
    ],
)
def test_where_a_hop_may_be(server: LocalGemini, script: str, thoughts: str, text: str, calls: list[str]) -> None:
    heard = [chunk for hop in hops(server, script) for chunk in hop]
    assert (said(heard, thought=True), said(heard)) == (thoughts, text)
    assert [part["functionCall"]["name"] for part in parts(heard) if "functionCall" in part] == calls


def test_a_hop_on_the_last_text_and_within_a_streamed_call(server: LocalGemini) -> None:
    heard = hops(server, "@say a\n@+hop\n@say b\n@+finish STOP")
    assert [len(hop) for hop in heard] == [1, 1]
    begun, rest = '{"functionCall": {"name": "f", "willContinue": true}}', '{"functionCall": {}}'
    heard = hops(server, f"@part {begun}\n@hop\n@part {rest}", vertex=True)
    assert [parts(hop)[0] for hop in heard] == [json.loads(begun), json.loads(rest)]


def test_settings_hold_over_hops(server: LocalGemini) -> None:
    _, second = hops(server, "@chunk 2\n@say abcd\n@hop\n@say efgh")
    assert [part["text"] for part in parts(second)][:-1] == ["ef", "gh"]


def test_a_hop_after_the_tools_have_answered(server: LocalGemini) -> None:
    prompt = "@call f {}\n@then\n@say a\n@hop\n@say b"
    called = parts(play(server, prompt))
    response = {"id": called[0]["functionCall"]["id"], "name": "f", "response": {}}
    contents = [*ask(prompt)["contents"], {"role": "model", "parts": called}]
    body: Json = {"contents": [*contents, {"role": "user", "parts": [{"functionResponse": response}]}]}
    first = play(server, body)
    second = play(server, body | {"continuationToken": token(first)})
    assert (said(first), said(second)) == ("a", "b")


def test_one_piece_has_its_token_too(server: LocalGemini) -> None:
    def whole(**more: Any) -> Json:
        with Raw(server) as raw:
            raw.post(ask("@say a\n@say b\n@hop\n@say c", **more), "/v1/models/demo:generateContent")
            answer: Json = json.loads(b"".join(raw.read_response()[2]))
            return answer

    first = whole()
    assert (said([first]), reasons([first])) == ("ab", ["CONTINUATION"])
    assert said([whole(continuation_token=token([first]))]) == "c"


# --- tokens -----------------------------------------------------------------------------------------------------------


PROMPT = "@say a\n@hop\n@say b\n@hop\n@say c"


def told(server: LocalGemini, prompt: str, token: Any, **how: Any) -> str:
    error = refusal(server, ask(prompt, continuationToken=token), **how)
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    return str(error["message"])


def test_foreign_tokens_are_refused(server: LocalGemini) -> None:
    real = token(play(server, PROMPT))
    changed = base64.b64encode(bytes([*base64.b64decode(real)[:11], 99, *base64.b64decode(real)[12:]])).decode()
    for foreign in ("dG9rZW4tMQ==", "", "no base64!", 7, real[:-8], real + "AAAA", changed):
        assert told(server, PROMPT, foreign).startswith("Invalid continuation token"), foreign
    assert told(server, "Why is the sky blue?", "dG9rZW4tMQ==").startswith("Invalid continuation token")
    assert said(play(server, ask(PROMPT, continuationToken=real))) == "b"  # control


def test_a_token_is_for_the_contents_and_the_model_it_was_given_for(server: LocalGemini) -> None:
    real = token(play(server, PROMPT))
    assert "another request" in told(server, PROMPT + " ", real)
    other = "/v1/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
    assert "another request" in told(server, PROMPT, real, path=other)
    url_safe = base64.urlsafe_b64encode(base64.b64decode(real)).decode()
    assert said(play(server, ask(PROMPT, continuationToken=url_safe))) == "b"


def test_a_token_is_used_up_when_its_hop_was_sent_to_its_end(server: LocalGemini) -> None:
    first, second, _ = hops(server, PROMPT)
    assert "has been used" in told(server, PROMPT, token(first))
    assert "has been used" in told(server, PROMPT, token(second))


def test_a_token_outlives_a_fault_and_a_cut(server: LocalGemini) -> None:
    real = token(play(server, PROMPT))
    server.next(status=503)
    assert refusal(server, ask(PROMPT, continuationToken=real))["code"] == 503
    server.next(cut_after_bytes=20, ending="end")
    with Raw(server) as raw:
        raw.post(ask(PROMPT, continuationToken=real))
        assert len(b"".join(raw.read_response()[2])) == 20
    server.next(silent_after_chunks=1)
    with Raw(server) as raw:
        raw.post(ask(PROMPT, continuationToken=real))
        raw.read_until(b'"b"')
    eventually(lambda: server.requests[-1].outcome == "client closed", "the client hung up")
    assert said(play(server, ask(PROMPT, continuationToken=real))) == "b"


def test_a_token_outlives_the_server(server: LocalGemini) -> None:
    real = token(play(server, PROMPT))
    with LocalGemini(speed=math.inf) as another:
        assert said(play(another, ask(PROMPT, continuationToken=real))) == "b"


def test_each_hop_has_its_own_trouble(server: LocalGemini) -> None:
    prompt = "@say a\n@hop\n@fail 429\n@hop\n@say c"
    real = token(play(server, prompt))
    assert refusal(server, ask(prompt, continuationToken=real))["code"] == 429
    first, second = parse("@split 3\n@say a\n@hop\n@headers 1\n@cut 9 close\n@say b\n@then\n@say c")
    assert (first.fault().split, first.fault().cut_after_bytes) == ((3,), None)
    assert (first.fault(2).split, first.fault(2).cut_after_bytes, first.fault(2).headers_after_s) == (None, 9, 1.0)
    assert second.fault().split is None
    for wrong in (
        "@say a\n@hop\n@say b\n@fail 429",
        "@repeat 2 @hop",
        "@hop 3",
        "@hop later",
        "@checkpoint\n@headers 1",
    ):
        with pytest.raises(ScriptError):
            parse(wrong)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_a_token_without_an_end(server: LocalGemini) -> None:
    prompt = "@say a\n@checkpoint\n@say b\n@+checkpoint\n@say c"
    whole = play(server, prompt)
    assert (said(whole), reasons(whole)) == ("abc", ["STOP"])
    tokens = [chunk["candidates"][0].get("continuationToken") for chunk in whole]
    assert [one is not None for one in tokens] == [False, True, True, False, False]
    assert said(play(server, ask(prompt, continuationToken=tokens[1]))) == "bc"
    assert said(play(server, ask(prompt, continuationToken=tokens[2]))) == "c"


def test_what_broke_is_mended_behind_a_checkpoint(server: LocalGemini) -> None:
    prompt = "@say a\n@checkpoint\n@say b\n@cut end\n@say c\n@error 503\n@stall\n@hop\n@say d"
    broken = play(server, prompt)
    assert (said(broken), reasons(broken)) == ("ab", [])
    resumed = play(server, ask(prompt, continuationToken=token(broken)))
    assert (said(resumed), reasons(resumed)) == ("bc", ["CONTINUATION"])
    assert said(play(server, ask(prompt, continuationToken=token(resumed)))) == "d"


# --- recordings -------------------------------------------------------------------------------------------------------


def test_a_recording_of_several_hops_is_played_hop_by_hop(tmp_path: Path) -> None:
    def chunk(text: str, **candidate: Any) -> str:
        return json.dumps({"candidates": [{"content": {"parts": [{"text": text}]}, **candidate}]})

    lines = [
        chunk("a", finishReason="CONTINUATION", continuationToken="b25l"),
        chunk("b"),
        chunk("c", finishReason="CONTINUATION", continuationToken="dHdv"),
    ]
    (tmp_path / "long.jsonl").write_text("\n".join([*lines, chunk("d", finishReason="STOP")]), encoding="utf-8")
    (tmp_path / "torn.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with LocalGemini(tmp_path, speed=math.inf) as server:
        heard = hops(server, "go", model="long")
        assert [said(hop) for hop in heard] == ["a", "bc", "d"]
        assert [said(hop) for hop in [play(server, "go", model="torn")]] == ["a"]
        path = "/v1/models/torn:streamGenerateContent?alt=sse"
        assert "nothing behind it" in told(server, "go", "dHdv", path=path)
        assert "nothing behind it" in told(server, "go", "Zm9yZWlnbg==", path=path)


# --- the SDK ----------------------------------------------------------------------------------------------------------


def asked(server: LocalGemini, prompt: str, **config: Any) -> tuple[list[Any], list[Json]]:
    """The SDK's chunks for a prompt, and the bodies of the requests it made."""
    before = len(server.requests)

    async def main() -> list[Any]:
        client = server.client()
        stream = await client.aio.models.generate_content_stream(
            model="demo", contents=prompt, config=types.GenerateContentConfig(**config)
        )
        heard = [chunk async for chunk in stream]
        await client.aio.aclose()
        client.close()
        return heard

    chunks = asyncio.run(main())
    return chunks, [record.body or {} for record in server.requests[before:]]


def test_the_sdk_follows_by_itself(server: LocalGemini) -> None:
    chunks, bodies = asked(server, PROMPT, automatic_continuation=True)
    assert "".join(chunk.text or "" for chunk in chunks) == "abc"
    assert len(bodies) == 3
    assert ["continuationToken" in body for body in bodies] == [False, True, True]
    assert len({json.dumps(body["contents"]) for body in bodies}) == 1
    ends = [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates[0].finish_reason]
    assert ends == [types.FinishReason.STOP]
    assert chunks[-1].usage_metadata.candidates_token_count == 3  # summed by the SDK: one a hop


def test_the_sdk_hands_the_token_over(server: LocalGemini) -> None:
    chunks, bodies = asked(server, PROMPT, automatic_continuation=False)
    assert (len(bodies), "".join(chunk.text or "" for chunk in chunks)) == (1, "a")
    last = chunks[-1].candidates[0]
    assert last.finish_reason == types.FinishReason.CONTINUATION
    more, _ = asked(server, PROMPT, automatic_continuation=False, continuation_token=last.continuation_token)
    assert "".join(chunk.text or "" for chunk in more) == "b"


def test_the_sdk_joins_the_pieces_of_a_whole_answer(server: LocalGemini) -> None:
    client = server.client()
    before = len(server.requests)
    answer = client.models.generate_content(model="demo", contents=PROMPT)
    assert (answer.text, len(server.requests) - before) == ("abc", 3)
    client.close()


def test_the_sdk_goes_on_from_a_checkpoint_after_a_cut(server: LocalGemini) -> None:
    chunks, bodies = asked(server, "@say a\n@+checkpoint\n@cut close\n@say b")
    assert ("".join(chunk.text or "" for chunk in chunks), len(bodies)) == ("ab", 2)
