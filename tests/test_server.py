"""The local Gemini over real HTTP: framing, refusals, the real SDK."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.genai import errors, types

from gemstream_widget._request.wire import get
from gemstream_widget.server import LocalGemini

from .clients import TRANSPORTS, client_of
from .local import Json, Raw, ask, eventually, frames, parts, play, refusal, said


@pytest.fixture
def server() -> Iterator[LocalGemini]:
    """A server that never waits."""
    with LocalGemini(speed=math.inf) as running:
        yield running


# --- the wire ---------------------------------------------------------------------------------------------------------


def test_framing_is_as_recorded(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@say Grüße\n@say two"))
        status, headers, chunks = raw.read_response()
    assert status == 200
    assert headers["content-type"] == "text/event-stream"
    assert headers["transfer-encoding"] == "chunked"
    assert [len(frames(chunk)) for chunk in chunks] == [1, 1, 1]
    assert "Grüße".encode() in chunks[0]


def test_chunks_have_usage_model_and_id(server: LocalGemini) -> None:
    chunks = play(server, "@think one two three\n@say four five\n@say six")
    totals = [chunk["usageMetadata"]["totalTokenCount"] for chunk in chunks]
    assert totals == sorted(totals)
    assert {chunk["modelVersion"] for chunk in chunks} == {"demo"}
    assert len({chunk["responseId"] for chunk in chunks}) == 1
    last = chunks[-1]
    usage = last["usageMetadata"]
    assert usage["totalTokenCount"] == sum(
        usage[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["candidates"][0]["content"]["parts"][0]["text"] == ""
    assert last["candidates"][0]["content"]["parts"][0]["thoughtSignature"]


def test_vertex_counts_at_the_end_only(server: LocalGemini) -> None:
    chunks = play(server, "@say one\n@say two", vertex=True)
    assert [set(chunk["usageMetadata"]) for chunk in chunks[:-1]] == [{"trafficType"}] * 2
    assert chunks[-1]["usageMetadata"]["totalTokenCount"] > 0


@pytest.mark.parametrize(
    "place", ["v1", "v1beta", "v1beta1/publishers/google", "v1beta1/projects/p/locations/l/publishers/google"]
)
def test_paths(server: LocalGemini, place: str) -> None:
    with Raw(server) as raw:
        raw.post(ask("@say hi"), f"/{place}/models/demo:streamGenerateContent?alt=sse")
        status, _, chunks = raw.read_response()
    assert (status, said(frames(b"".join(chunks)))) == (200, "hi")


def test_generate_content_is_the_same_in_one_piece(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@think a\n@think b\n@say c\n@say d\n@call f {}"), "/v1/models/demo:generateContent")
        status, _, chunks = raw.read_response()
    answer = json.loads(b"".join(chunks))
    assert status == 200
    assert [(part.get("text"), "functionCall" in part) for part in parts([answer])] == [
        ("ab", False),
        ("cd", False),
        (None, True),
        ("", False),
    ]
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert answer["usageMetadata"]["totalTokenCount"] > 0


def test_snake_case_is_understood(server: LocalGemini) -> None:
    body = ask("please", generation_config={"response_mime_type": "application/json"})
    assert json.loads(said(play(server, body))) is not None


def test_models_are_listed(server: LocalGemini) -> None:
    client = server.client(api_version="v1beta")
    names = [model.name for model in client.models.list()]
    assert names[0] == "models/demo"
    assert {f"models/{name}" for name in server.models} == set(names)
    assert client.models.get(model="gemini-3.8-flash").name == "models/gemini-3.8-flash"
    client.close()


def test_aliases_are_known_on_v1beta_only(server: LocalGemini) -> None:
    path = "/{}/models/gemini-flash-latest:streamGenerateContent?alt=sse"
    with Raw(server) as raw:
        raw.post(ask("@say hi"), path.format("v1beta"))
        assert raw.read_response()[0] == 200
    told = refusal(server, ask("@say hi"), path=path.format("v1"))
    assert (told["code"], told["status"]) == (404, "NOT_FOUND")
    assert told["message"].startswith("models/gemini-flash-latest is not found for API version v1, or is not supported")
    listed = {}
    for version in ("v1", "v1beta"):
        with Raw(server) as raw:
            raw.request("GET", f"/{version}/models")
            listed[version] = {model["name"] for model in json.loads(raw.read_response()[2][0])["models"]}
    assert listed["v1beta"] - listed["v1"] == {"models/gemini-flash-latest", "models/gemini-pro-latest"}
    assert listed["v1"] < listed["v1beta"]


def test_a_model_that_is_shut_down_has_a_successor(server: LocalGemini) -> None:
    for asked, answers in (("gemini-2.5-flash", "gemini-3.5-flash-lite"), ("gemini-2.5-pro", "gemini-3.8-flash")):
        chunks = play(server, "@call f {}", model=asked)
        assert {chunk["modelVersion"] for chunk in chunks} == {answers}
        assert "id" in parts(chunks)[0]["functionCall"]
        assert asked not in server.models
        with Raw(server) as raw:
            raw.request("GET", f"/v1beta/models/{asked}")
            assert raw.read_response()[0] == 404
        vertex = f"/v1/publishers/google/models/{asked}:generateContent"
        assert refusal(server, ask("@say hi"), path=vertex)["code"] == 404
    assert refusal(server, ask("hi"), path="/v1/models/gemini-2.0-flash:generateContent")["code"] == 404


@pytest.mark.parametrize("model", ["gemini-4-argon", "gemini-4-hydrogen"])
def test_gemini_4_thinks_extra_high(server: LocalGemini, model: str) -> None:
    client = server.client()
    thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel.XHIGH)
    answer = client.models.generate_content(
        model=model, contents="@say hi", config=types.GenerateContentConfig(thinking_config=thinking)
    )
    assert (answer.text, answer.model_version) == ("hi", model)
    assert get((server.requests[-1].body or {})["generationConfig"]["thinkingConfig"], "thinkingLevel") == "XHIGH"
    assert client.models.get(model=model).output_token_limit == client.models.get(model=model).input_token_limit
    client.close()


def test_gemini_4_needs_signatures(server: LocalGemini) -> None:
    called = play(server, "@call f {}", model="gemini-4-hydrogen")
    call = {key: value for key, value in parts(called)[0].items() if key != "thoughtSignature"}
    response = {"id": call["functionCall"]["id"], "name": "f", "response": {}}
    contents = [
        {"role": "user", "parts": [{"text": "@call f {}"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [{"functionResponse": response}]},
    ]
    path = "/v1/models/gemini-4-hydrogen:generateContent"
    assert "missing a thought_signature" in refusal(server, {"contents": contents}, path=path)["message"]


def test_connections_are_reused(server: LocalGemini) -> None:
    with Raw(server) as raw:
        for _ in range(3):
            raw.post(ask("@say hi"))
            raw.read_response()
        assert {record.connection for record in server.requests} == {raw.socket.getsockname()[1]}
        assert server.open_connections == 1
    eventually(lambda: server.open_connections == 0, "the idle connection is seen to close")


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_errors_are_printed_as_recorded(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("hi"), key="invalid")
        status, _, chunks = raw.read_response()
    body = b"".join(chunks)
    assert status == 400
    assert body.startswith(b'{\n  "error": {\n    "code": 400,')
    error = json.loads(body)["error"]
    assert error["message"] == "API key not valid. Please pass a valid API key."
    assert error["details"][0]["reason"] == "API_KEY_INVALID"


def test_key_is_required_but_any_will_do(server: LocalGemini) -> None:
    assert refusal(server, ask("hi"), key="")["status"] == "PERMISSION_DENIED"
    with Raw(server) as raw:
        raw.post(ask("@say hi"), "/v1/models/demo:generateContent?key=secret", key="")
        assert raw.read_response()[0] == 200
    assert server.requests[-1].path == "/v1/models/demo:generateContent"


def test_unknown_model(server: LocalGemini) -> None:
    error = refusal(server, ask("hi"), path="/v1beta/models/gemini-9:streamGenerateContent?alt=sse")
    assert error["message"].startswith("models/gemini-9 is not found for API version v1beta, or is not supported for")
    assert error["status"] == "NOT_FOUND"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff"])
def test_body_must_be_a_json_object(server: LocalGemini, body: bytes) -> None:
    assert refusal(server, body)["message"].startswith("Invalid JSON payload received.")


@pytest.mark.parametrize(
    "path", ["/", "/v1/models/demo", "/v1/models/demo:embedContent", "/v9/models/demo:generateContent"]
)
def test_other_addresses(server: LocalGemini, path: str) -> None:
    with Raw(server) as raw:
        raw.post(ask("hi"), path)
        assert raw.read_response()[0] in (404, 405)


def test_stream_without_sse_is_refused_with_the_repair(server: LocalGemini) -> None:
    assert "alt=sse" in refusal(server, ask("hi"), path="/v1/models/demo:streamGenerateContent")["message"]


def test_history_is_checked(server: LocalGemini) -> None:
    called = play(server, "@call f {}")
    history = [{"role": "user", "parts": [{"text": "@call f {}"}]}, {"role": "model", "parts": parts(called)}]
    error = refusal(server, {"contents": [*history, {"role": "user", "parts": [{"text": "never mind"}]}]})
    assert error["message"].startswith("Please ensure that the number of function response parts is equal")


def test_history_check_can_be_turned_off() -> None:
    with LocalGemini(speed=math.inf, check_history=False) as lenient:
        assert said(play(lenient, {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]}]}))


def tool_turn(called: list[Json], **change: Any) -> Json:
    """The request that follows a call: the model's parts, and a response for each call."""
    given = parts(called)
    responses = [
        {"functionResponse": {**part["functionCall"], "response": {"result": 7}}}
        for part in given
        if "functionCall" in part
    ]
    for one in responses:
        one["functionResponse"].pop("args", None)
    contents = [
        {"role": "user", "parts": [{"text": '@call f {"a": 1}\n@then\n@say done'}]},
        {"role": "model", "parts": [{**part, **change} if "functionCall" in part else part for part in given]},
        {"role": "user", "parts": responses},
    ]
    return {"contents": contents}


def test_signatures_are_known_again(server: LocalGemini) -> None:
    called = play(server, '@call f {"a": 1}\n@then\n@say done')
    assert said(play(server, tool_turn(called))) == "done"
    url_safe = parts(called)[0]["thoughtSignature"].replace("+", "-").replace("/", "_")
    assert said(play(server, tool_turn(called, thoughtSignature=url_safe))) == "done"
    changed = tool_turn(called, functionCall={**parts(called)[0]["functionCall"], "args": {"a": 2}})
    assert refusal(server, changed)["message"] == "Corrupted thought signature."
    foreign = tool_turn(called, thoughtSignature="c2lnbmF0dXJl")
    assert refusal(server, foreign)["message"] == "Corrupted thought signature."


def test_signatures_outlive_the_server(server: LocalGemini) -> None:
    called = play(server, '@call f {"a": 1}')
    with LocalGemini(speed=math.inf) as another:
        assert said(play(another, tool_turn(called))) == "done"


def test_a_signature_does_not_move_to_merged_text(server: LocalGemini) -> None:
    answered = parts(play(server, "@say hello"))
    first = {"role": "user", "parts": [{"text": "@say hello"}]}
    again = {"role": "user", "parts": [{"text": "@say again"}]}
    kept = {"role": "model", "parts": answered}
    merged = {"role": "model", "parts": [{"text": "hello", "thoughtSignature": answered[-1]["thoughtSignature"]}]}
    assert said(play(server, {"contents": [first, kept, again]})) == "again"
    assert refusal(server, {"contents": [first, merged, again]})["message"] == "Corrupted thought signature."


# --- the real SDK -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sdk_streams(server: LocalGemini, transport: str) -> None:
    async def main() -> list[str | None]:
        async with client_of(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@say one \n@say two")
            return [chunk.text async for chunk in stream]

    assert asyncio.run(main()) == ["one ", "two", ""]


def test_the_transports_differ(server: LocalGemini) -> None:
    """Control: what the tests call aiohttp is aiohttp, which alone leaves the header `connection` out."""

    async def main(transport: str) -> dict[str, str]:
        async with client_of(server, transport) as client:
            await client.aio.models.generate_content(model="demo", contents="@say hi")
        return server.requests[-1].headers

    assert [t for t in TRANSPORTS if "connection" not in asyncio.run(main(t))] == ["aiohttp"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sdk_tool_turn(server: LocalGemini, transport: str) -> None:
    """The SDK decodes signatures to bytes and writes them back in the other base64 alphabet."""
    declared = types.FunctionDeclaration(
        name="get_weather",
        parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    )
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )

    async def main() -> tuple[Any, str | None]:
        contents: list[Any] = [types.Content(role="user", parts=[types.Part(text="What is the weather in Oslo?")])]
        async with client_of(server, transport) as client:
            chosen = await client.aio.models.generate_content(model="demo", contents=contents, config=config)
            assert chosen.candidates
            assert chosen.candidates[0].content
            contents.append(chosen.candidates[0].content)
            call = next(part.function_call for part in contents[-1].parts if part.function_call)
            response = types.FunctionResponse(id=call.id, name=call.name, response={"sky": "clear"})
            contents.append(types.Content(role="user", parts=[types.Part(function_response=response)]))
            answer = await client.aio.models.generate_content(model="demo", contents=contents, config=config)
            return call.args, answer.text

    args, answer = asyncio.run(main())
    assert args == {"city": "Oslo"}
    assert answer is not None
    assert "| sky | clear |" in answer


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sdk_raises_the_recorded_errors(server: LocalGemini, transport: str) -> None:
    async def main() -> None:
        async with client_of(server, transport) as client:
            with pytest.raises(errors.ClientError, match="429 RESOURCE_EXHAUSTED") as refused:
                await client.aio.models.generate_content(model="demo", contents="@fail 429")
            assert refused.value.details["error"]["details"][-1]["retryDelay"].endswith("s")
            with pytest.raises(errors.ServerError, match="503 UNAVAILABLE"):
                async for _ in await client.aio.models.generate_content_stream(
                    model="demo", contents="@say a\n@error 503"
                ):
                    pass

    asyncio.run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sdk_reads_a_chunk_of_9_megabytes(tmp_path: Path, transport: str) -> None:
    words = "word " * 1_800_000
    chunk = {"candidates": [{"content": {"role": "model", "parts": [{"text": words}]}, "finishReason": "STOP"}]}
    (tmp_path / "large.jsonl").write_text(json.dumps(chunk), encoding="utf-8")

    async def main() -> str:
        async with LocalGemini(tmp_path) as server, client_of(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="recordings/large", contents="go")
            return "".join([chunk.text or "" async for chunk in stream])

    assert asyncio.run(main()) == words
