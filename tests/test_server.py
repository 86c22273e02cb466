"""The local Gemini over real HTTP: framing, errors, hanging up, faults, lifetime."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
from google.genai import errors, types

from gemstream_widget.server import Fault, LocalGemini, shared

from .local import TRANSPORTS, Json, Raw, ask, eventually, frames, last_request, parts, play, refusal, said, sdk

# The SDK subclasses aiohttp's session, which aiohttp says not to do.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")


@pytest.fixture
def server() -> Iterator[LocalGemini]:
    """A server that never waits."""
    with LocalGemini(speed=math.inf) as running:
        yield running


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Neither asyncio nor tornado has anything to complain about."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


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
    client = server.client()
    names = [model.name for model in client.models.list()]
    assert names[0] == "models/demo"
    assert {f"models/{name}" for name in server.models} == set(names)
    assert client.models.get(model="gemini-2.5-flash").name == "models/gemini-2.5-flash"
    client.close()


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
        async with sdk(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@say one \n@say two")
            return [chunk.text async for chunk in stream]

    assert asyncio.run(main()) == ["one ", "two", ""]


def test_the_two_transports_are_two(server: LocalGemini) -> None:
    """Control: what the tests call aiohttp is aiohttp. It writes header names its own way."""

    async def main(transport: str) -> dict[str, str]:
        async with sdk(server, transport) as client:
            await client.aio.models.generate_content(model="demo", contents="@say hi")
        return server.requests[-1].headers

    assert asyncio.run(main("httpx2"))["connection"] == "keep-alive"
    assert "connection" not in asyncio.run(main("aiohttp"))


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
        async with sdk(server, transport) as client:
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
        async with sdk(server, transport) as client:
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
        async with LocalGemini(tmp_path) as server, sdk(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="recordings/large", contents="go")
            return "".join([chunk.text or "" async for chunk in stream])

    assert asyncio.run(main()) == words


# --- hanging up -------------------------------------------------------------------------------------------------------

MOMENTS = {
    "while text flows": ("@every 0.01\n@repeat 1000 word", 3),
    "in silence after chunks": ("@say a\n@say b\n@stall", 2),
    "in silence before the first chunk": ("@stall", 0),
    "before the headers": ("@headers 3600\n@say never", 0),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("how", ["close_gracefully", "abort"])
def test_client_close_is_noticed(moment: str, how: str) -> None:
    prompt, chunks = MOMENTS[moment]
    with LocalGemini() as server, Raw(server) as bystander, Raw(server) as raw:
        bystander.post(ask("@say a\n@stall"))
        bystander.read_until(b'"a"')
        raw.post(ask(prompt))
        eventually(lambda: len(server.requests) == 2 and server.requests[1].chunks_sent >= chunks, "request is there")
        closed_at = time.perf_counter()
        getattr(raw, how)()
        other, record = server.requests
        assert record.wait_closed(2)
        assert record.client_closed_at is not None
        assert 0 <= record.client_closed_at - closed_at < 0.5
        assert record.outcome == "client closed"
        assert record.chunks_after_close == 0
        eventually(lambda: server.open_connections == 1, "the connection is gone")
        assert other.client_closed_at is None  # control: the live one is not seen as closed
        assert not other.wait_closed(0.05)


def test_close_after_the_end_is_not_a_hang_up(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@say hi"))
        raw.read_response()
    eventually(lambda: server.open_connections == 0, "the connection is closed")
    assert server.requests[0].outcome == "answered"
    assert server.requests[0].client_closed_at is None


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_cancelling_the_sdk_is_seen(moment: str, transport: str) -> None:
    prompt, chunks = MOMENTS[moment]

    async def main() -> None:
        async with LocalGemini() as server, sdk(server, transport) as client:

            async def read() -> None:
                async for _ in await client.aio.models.generate_content_stream(model="demo", contents=prompt):
                    pass

            task = asyncio.create_task(read())
            record = await last_request(server, chunks)
            task.cancel()
            await asyncio.wait([task])
            assert await asyncio.to_thread(record.wait_closed, 2)
            sent = record.chunks_sent
            assert record.client_closed_at is not None
            assert record.chunks_since(record.client_closed_at) == 0
            assert sent == record.chunks_sent

    asyncio.run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_leaving_the_loop_is_not_seen(transport: str) -> None:
    """Control, and the reason this package cancels: `break` leaves the SDK's connection open."""

    async def main() -> None:
        async with LocalGemini() as server, sdk(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@say a\n@stall")
            async for _ in stream:
                break
            record = await last_request(server, 1)
            assert not await asyncio.to_thread(record.wait_closed, 0.2)
            del stream

    asyncio.run(main())


# --- faults -----------------------------------------------------------------------------------------------------------


def test_status_faults_are_used_once(server: LocalGemini) -> None:
    server.next(status=503)
    server.faults.append(Fault(status=429))
    assert refusal(server, ask("@say hi"))["message"] == "The model is overloaded. Please try again later."
    assert refusal(server, ask("@say hi"))["details"][1]["retryDelay"] == "34.4s"
    assert said(play(server, "@say hi")) == "hi"


@pytest.mark.parametrize(("body", "kind"), [("html", "text/html"), ("empty", "text/html")])
def test_status_with_a_proxys_body(server: LocalGemini, body: str, kind: str) -> None:
    server.next(status=503, body=body)
    with Raw(server) as raw:
        raw.post(ask("@say hi"))
        status, headers, chunks = raw.read_response()
    assert (status, headers["content-type"]) == (503, kind)
    assert bool(b"".join(chunks)) is (body == "html")


@pytest.mark.parametrize("size", [1, 2, 3, 7, (1, 50), (5, 1, 1)])
def test_frames_are_split_anywhere(server: LocalGemini, size: int | tuple[int, ...]) -> None:
    server.next(split=size)
    with Raw(server) as raw:
        raw.post(ask("@say Grüße 😀 漢字"))
        _, _, chunks = raw.read_response()
    sizes = (size,) if isinstance(size, int) else size
    assert {len(chunk) for chunk in chunks[:-1]} <= set(sizes) | {min(sizes)} | set(range(1, max(sizes)))
    assert len(chunks) > 10
    assert said(frames(b"".join(chunks))) == "Grüße 😀 漢字"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_sdk_reads_single_bytes(server: LocalGemini, transport: str) -> None:
    async def main() -> str:
        async with sdk(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@split 1\n@say Grüße 😀")
            return "".join([chunk.text or "" async for chunk in stream])

    assert asyncio.run(main()) == "Grüße 😀"


@pytest.mark.parametrize("ending", ["reset", "close", "end"])
def test_cut_after_bytes(server: LocalGemini, ending: str) -> None:
    server.next(cut_after_bytes=120, ending=ending)
    with Raw(server) as raw:
        raw.post(ask("@say a long enough answer"))
        if ending == "end":
            _, _, chunks = raw.read_response()
            assert len(b"".join(chunks)) == 120
        else:
            body, reset = b"", False
            try:
                while data := raw.socket.recv(65536):
                    body += data
            except ConnectionResetError:
                reset = True
            assert reset is (ending == "reset")
            assert not body.endswith(b"0\r\n\r\n")
    record = server.requests[0]
    assert record.wait_done(2)
    assert (record.bytes_sent, record.outcome, record.client_closed_at) == (120, "cut", None)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("ending", ["reset", "close"])
def test_sdk_notices_a_cut(server: LocalGemini, transport: str, ending: str) -> None:
    async def main() -> None:
        server.next(cut_after_bytes=400, ending=ending)
        received = []
        async with sdk(server, transport) as client:

            async def read() -> None:
                stream = await client.aio.models.generate_content_stream(model="demo", contents="@repeat 9 word")
                async for chunk in stream:
                    received.append(chunk.text)

            with pytest.raises((httpx2.HTTPError, aiohttp.ClientError, OSError)):
                await read()
        assert received[:1] == ["word"]

    asyncio.run(main())


def test_silence_and_garbage_after_chunks(server: LocalGemini) -> None:
    server.next(silent_after_chunks=2)
    server.next(silent_after_chunks=0)
    server.next(garbage_after_chunks=1)
    with Raw(server) as first, Raw(server) as second, Raw(server) as third:
        first.post(ask("@repeat 9 word"))
        first.read_until(b"word")
        second.post(ask("@repeat 9 word"))
        second.read_until(b"\r\n\r\n")
        third.post(ask("@say a\n@say b"))
        _, _, chunks = third.read_response()
        assert [record.chunks_sent for record in server.requests] == [2, 0, 3]
        assert not server.requests[0].wait_done(0.05)
    with pytest.raises(json.JSONDecodeError):
        frames(chunks[1])
    assert said(frames(chunks[0] + chunks[2])) == "ab"


def test_headers_may_never_come(server: LocalGemini) -> None:
    server.next(headers_after_s=math.inf)
    with Raw(server) as raw:
        raw.post(ask("@say hi"))
        eventually(lambda: len(server.requests) == 1, "request is there")
        raw.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            raw.socket.recv(1)


@pytest.mark.parametrize("wrong", [{"split": 0}, {"split": ()}, {"status": 200}, {"headers_after_s": -1}])
def test_impossible_faults_are_told_at_once(wrong: Json) -> None:
    with pytest.raises(ValueError, match="must be"):
        Fault(**wrong)


# --- load -------------------------------------------------------------------------------------------------------------


def test_200_streams_at_once() -> None:
    async def one(url: str, prompt: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps(ask(prompt)).encode()
        head = "POST /v1/models/demo:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: x\r\nx-goog-api-key: k\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await reader.readuntil(b"first")
        return reader, writer

    async def main() -> None:
        async with LocalGemini(speed=math.inf) as server:
            prompts = ["@say first\n@stall"] * 100 + ["@say first\n@repeat 20 word"] * 100
            opened = await asyncio.gather(*(one(server.url, prompt) for prompt in prompts))
            assert server.open_connections == 200
            bodies = await asyncio.gather(*(reader.readuntil(b"\r\n0\r\n\r\n") for reader, _ in opened[100:]))
            assert {body.count(b"word") for body in bodies} == {20}
            for _, writer in opened:
                writer.close()
            stalled = [record for record in server.requests if record.chunks_sent == 1]
            assert len(stalled) == 100
            assert await asyncio.to_thread(lambda: all(record.wait_closed(5) for record in stalled))
            await asyncio.to_thread(eventually, lambda: server.open_connections == 0, "all are closed")

    asyncio.run(main())


def test_a_slow_client_slows_the_model_down(server: LocalGemini) -> None:
    with Raw(server, receive_buffer=4096) as raw:
        raw.post(ask("@chunk 0\n@every 0\n@repeat 3000 " + "word " * 2000))
        eventually(lambda: bool(server.requests) and server.requests[0].chunks_sent > 0, "it starts")
        record = server.requests[0]
        before = -1
        while before != record.chunks_sent:  # until nothing moves any more
            before = record.chunks_sent
            record.wait_done(0.2)
        assert record.chunks_sent < 3000
        _, _, chunks = raw.read_response()
        assert len(chunks) == 3001
        assert record.outcome == "answered"


def test_chunks_arrive_when_they_are_sent() -> None:
    with LocalGemini() as server, Raw(server) as raw:
        raw.post(ask("@say first\n@stall"))
        raw.read_until(b"first")  # would run into the time limit if it were held back


def test_a_blocked_loop_does_not_slow_the_model() -> None:
    async def main() -> None:
        async with LocalGemini() as server:
            with Raw(server) as raw:
                raw.post(ask("@every 0.01\n@repeat 500 word"))
                record = await last_request(server, 1)
                before = record.chunks_sent
                time.sleep(0.3)  # noqa: ASYNC251 - the loop is to be blocked
                assert record.chunks_sent >= before + 5

    asyncio.run(main())


def test_speed_divides_every_wait() -> None:
    started = time.perf_counter()
    with LocalGemini(speed=1000) as server:
        play(server, "@headers 20\n@pause 100\n@every 3\n@repeat 10 word")
    assert time.perf_counter() - started < 5


# --- lifetime ---------------------------------------------------------------------------------------------------------


def test_close_ends_every_stream() -> None:
    server = LocalGemini().start()
    thread = server._thread
    with Raw(server) as first, Raw(server) as second:
        first.post(ask("@say a\n@stall"))
        first.read_until(b'"a"')
        second.post(ask("@headers 3600"))
        eventually(lambda: len(server.requests) == 2, "both are there")
        started = time.perf_counter()
        server.close()
        assert time.perf_counter() - started < 2
        assert not first.read_until(b"nothing more").endswith(b"0\r\n\r\n")
        assert second.socket.recv(1) == b""
    assert thread is not None
    assert not thread.is_alive()
    assert [record.outcome for record in server.requests] == ["server closed"] * 2
    assert [record.client_closed_at for record in server.requests] == [None, None]
    assert server.open_connections == 0
    server.close()


def test_start_and_close_leave_nothing_behind() -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not Path("/proc/self/fd").exists():
        pytest.skip("counts open files in /proc, which this system does not have")
    with LocalGemini() as server:
        play(server, "@say hi")
    before = descriptors(), threading.active_count()
    for _ in range(5):
        with LocalGemini() as server, Raw(server) as raw:
            raw.post(ask("@say a\n@stall"))
            raw.read_until(b'"a"')
    assert (descriptors(), threading.active_count()) == before


def test_a_server_can_start_again() -> None:
    server = LocalGemini(speed=math.inf)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url
    for _ in range(2):
        with server:
            assert server.start() is server
            assert said(play(server, "@say hi")) == "hi"
    assert repr(server) == "<LocalGemini closed>"


def test_shared_is_one_server() -> None:
    server = shared()
    assert shared() is server
    assert said(play(server, "@say hi")) == "hi"
    server.close()
    assert shared() is server
    assert server.running


def test_records_are_let_go_and_hold_no_key() -> None:
    with LocalGemini(speed=math.inf, keep=3) as server:
        for _ in range(5):
            with Raw(server) as raw:
                raw.post(ask("@say hi"), key="very-secret")
                raw.read_response()
        assert [record.number for record in server.requests] == [3, 4, 5]
        assert "very-secret" not in repr([vars(record) for record in server.requests])
        assert server.requests[0].body == ask("@say hi")
        assert server.requests[0].model == "demo"


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"speed": math.nan}, {"pace_s": -1}])
def test_impossible_settings_are_told_at_once(wrong: Json) -> None:
    with pytest.raises(ValueError, match="must be"):
        LocalGemini(**wrong)


def test_command_line() -> None:
    command = [sys.executable, "-m", "gemstream_widget.server", "--speed", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("Local Gemini at http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert "Closed." in rest
    assert "Traceback" not in rest


def test_importing_the_server_loads_neither_sdk_nor_aiohttp() -> None:
    code = (
        "import sys, gemstream_widget.server; "
        "print([name for name in ('google.genai', 'aiohttp', 'httpx', 'ipykernel') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
