"""Hanging up, load, and the life of the local Gemini."""

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

import pytest

from gemstream_widget.server import LocalGemini, shared

from .clients import TRANSPORTS, client_of
from .local import Json, Raw, ask, eventually, last_request, play, said


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


@pytest.mark.parametrize("how", ["close_gracefully", "abort"])
def test_client_close_is_noticed_while_it_does_not_read(server: LocalGemini, how: str) -> None:
    with Raw(server, receive_buffer=4096) as raw:
        raw.post(ask("@chunk 0\n@every 0\n@repeat 100000 " + "word " * 2000))
        eventually(lambda: bool(server.requests) and server.requests[0].chunks_sent > 0, "it starts")
        record = server.requests[0]
        before = -1
        while before != record.chunks_sent:  # until both buffers are full
            before = record.chunks_sent
            record.wait_done(0.2)
        getattr(raw, how)()
        assert record.wait_closed(2)
        assert record.outcome == "client closed"


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
        async with LocalGemini() as server, client_of(server, transport) as client:

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
        async with LocalGemini() as server, client_of(server, transport) as client:
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@say a\n@stall")
            async for _ in stream:
                break
            record = await last_request(server, 1)
            assert not await asyncio.to_thread(record.wait_closed, 0.2)
            del stream

    asyncio.run(main())


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
    before = set(threading.enumerate())
    server = LocalGemini().start()
    (thread,) = {one for one in threading.enumerate() if one.name == "LocalGemini"} - before
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
