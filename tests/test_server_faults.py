"""What can go wrong on the way, on purpose."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Iterator

import aiohttp
import httpx
import httpx2
import pytest

from gemstream_widget.server import Fault, LocalGemini

from .clients import TRANSPORTS, client_of
from .local import Json, Raw, ask, eventually, frames, play, refusal, said


@pytest.fixture
def server() -> Iterator[LocalGemini]:
    """A server that never waits."""
    with LocalGemini(speed=math.inf) as running:
        yield running


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Neither asyncio nor tornado has anything to complain about, other than a slow machine in asyncio's debug mode."""
    yield
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [message for message in told if not message.startswith("Executing <")] == []


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
        async with client_of(server, transport) as client:
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
        async with client_of(server, transport) as client:

            async def read() -> None:
                stream = await client.aio.models.generate_content_stream(model="demo", contents="@repeat 9 word")
                async for chunk in stream:
                    received.append(chunk.text)

            with pytest.raises((httpx.HTTPError, httpx2.HTTPError, aiohttp.ClientError, OSError)):
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
