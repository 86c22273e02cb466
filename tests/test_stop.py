"""Stop against the local Gemini over real HTTP: what the server sees is what counts.

The garbage collector is off in all of this: a connection that only a collection closes would be found open.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import socket
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

import gemstream_widget as gem
from gemstream_widget._stream.events import RunEnded
from gemstream_widget.server import RequestRecord
from tests.clients import TRANSPORTS, client_of
from tests.gates import GatedSource

CHUNKS = 40
STREAM = f"@every 0.004\n@chunks {CHUNKS} " + "0123456789 " * 40
LATEST_CLOSE_S = 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def settled(record: RequestRecord) -> None:
    """The server has seen the end of this request: closed by us, or complete."""
    if record.outcome is None:
        await asyncio.to_thread(record.wait_done, LATEST_CLOSE_S)


async def stop_at(
    server: gem.LocalGemini, chat: gem.Chat, prompt: str, moment: Callable[[gem.Run], Awaitable[None]]
) -> gem.Run:
    """Send, stop at the moment, and check everything that holds after any Stop, whenever it came."""
    before = len(server.requests)
    run = chat.send(prompt)
    events: list[object] = []

    async def read() -> None:
        async for event in run:
            events.append(event)

    reading = asyncio.create_task(read())
    await moment(run)
    stopped = run.stop()
    await run.wait()
    await reading
    assert [type(e) for e in events].count(RunEnded) == 1
    assert isinstance(events[-1], RunEnded)
    assert run.text == "".join(
        p["text"] for c in run.contents() if c["role"] == "model" for p in c["parts"] if "text" in p
    )
    if run.status == "cancelled":
        assert stopped
        assert run.receipt is not None
        for record in server.requests[before:]:
            await settled(record)
            assert record.outcome in ("client closed", "answered"), record
            assert record.chunks_after_close == 0
        assert run.text == ("0123456789 " * 40)[: len(run.text)]
    else:
        assert run.status == "completed"
    return run


async def accepted(chat: gem.Chat) -> None:
    """The next send of the same chat is accepted by the server's history rules."""
    run = await chat.send("@every 0\n@say fine")
    assert run.text == "fine"


async def after_chunks(run: gem.Run, count: int) -> None:
    async for _ in run:
        if len(run.chunks) >= count:
            return


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_stop_at_every_chunk(server: gem.LocalGemini, transport: str) -> None:
    async def main() -> None:
        async with client_of(server, transport) as client:
            chat = gem.Chat(client=client)
            for count in range(1, CHUNKS + 1):
                run = await stop_at(server, chat, f"{STREAM}\n@stall", lambda run, n=count: after_chunks(run, n))
                assert run.status == "cancelled"
                assert run.receipt is not None
                assert run.receipt.when == "mid-stream"
                assert server.requests[-1].outcome == "client closed"
                await accepted(chat)

    asyncio.run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("prompt", "when"),
    [
        ("@headers 30\n@say never", "before the first chunk"),
        ("@stall", "before the first chunk"),
        ("@say a\n@stall", "mid-stream"),
        ("@think a\n@stall", "mid-stream"),
        ('@call f {"a": 1}\n@stall', "mid-stream"),
    ],
)
def test_stop_during_silence(server: gem.LocalGemini, transport: str, prompt: str, when: str) -> None:
    async def main() -> None:
        async with client_of(server, transport) as client:
            chat = gem.Chat(client=client, tools=[{"name": "f", "description": "d"}])
            before = len(server.requests)

            async def silence(run: gem.Run) -> None:
                await asyncio.to_thread(wait_for_request, server, before)
                if when == "mid-stream":
                    await after_chunks(run, 1)

            run = chat.send(prompt)
            await silence(run)
            run.stop()
            await run.wait()
            record = server.requests[before]
            assert await asyncio.to_thread(record.wait_closed, LATEST_CLOSE_S)
            assert run.status == "cancelled"
            assert run.receipt is not None
            assert run.receipt.when == when
            await accepted(chat)

    asyncio.run(main())


def wait_for_request(server: gem.LocalGemini, count: int) -> None:
    """Block until the server has taken more than `count` requests."""
    for _ in range(2000):
        if len(server.requests) > count:
            return
        time.sleep(0.005)
    raise AssertionError("no request came")


def test_stop_before_the_first_request_sends_none(server: gem.LocalGemini) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client)
            before = len(server.requests)
            run = chat.send(STREAM)
            run.stop()
            await run.wait()
            assert run.status == "cancelled"
            await accepted(chat)
            assert len(server.requests) == before + 1  # the accepted one only: a detector that saw it would see others

    asyncio.run(main())


def test_stop_after_the_end_changes_nothing(server: gem.LocalGemini) -> None:
    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            chat = gem.Chat(client=client)
            run = await chat.send("@every 0\n@say all of it")
            assert not run.stop()
            assert (run.status, run.text, run.receipt) == ("completed", "all of it", None)
            await accepted(chat)

    asyncio.run(main())


@pytest.mark.parametrize(("transport", "count"), [("httpx2", 150), ("aiohttp", 100), ("httpx", 50)])
def test_stop_at_random_moments(server: gem.LocalGemini, transport: str, count: int) -> None:
    random_moment = random.Random(transport)

    async def main() -> None:
        async with client_of(server, transport) as client:
            chat = gem.Chat(client=client)
            await accepted(chat)
            statuses = set()
            for _ in range(count):
                delay_s = random_moment.uniform(0, 0.3 if random_moment.random() < 0.1 else 0.12)
                run = await stop_at(server, chat, STREAM, lambda run, d=delay_s: asyncio.sleep(d))
                statuses.add(run.status)
            await accepted(chat)
            assert "cancelled" in statuses

    asyncio.run(main())


def test_many_stops_leave_no_connection_open(server: gem.LocalGemini) -> None:
    """Also the positive control: a stream that nobody stops is seen open until it is closed."""

    async def main() -> None:
        async with client_of(server, "httpx2") as client:
            runs = [gem.Chat(client=client).send("@stall") for _ in range(20)]
            before = len(server.requests)
            await asyncio.to_thread(wait_for_request, server, before + 19)
            records = server.requests[before : before + 20]
            assert not any(r.wait_closed(0) for r in records)
            kept = runs.pop()
            for run in runs:
                run.stop()
            await asyncio.gather(*(run.wait() for run in runs))
            closed = [r for r in records if await asyncio.to_thread(r.wait_closed, LATEST_CLOSE_S)]
            assert len(closed) == 19
            assert not kept.done
            kept.stop()
            await kept.wait()

    asyncio.run(main())


def test_the_servers_eye_sees_both_ways_of_hanging_up(server: gem.LocalGemini) -> None:
    """The detector's positive control: FIN and RST of a raw socket, in the silence of a stream."""
    for reset in (False, True):
        before = len(server.requests)
        body = b'{"contents":[{"role":"user","parts":[{"text":"@stall"}]}]}'
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as raw:
            head = "POST /v1/models/demo:streamGenerateContent?alt=sse HTTP/1.1\r\nHost: x\r\nx-goog-api-key: k\r\n"
            raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            wait_for_request(server, before)
            record = server.requests[-1]
            assert not record.wait_closed(0.05)
            if reset:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        assert record.wait_closed(LATEST_CLOSE_S)


def test_a_flood_is_stopped_too() -> None:
    """A server that sends everything at once: what had arrived is kept, and the run ends."""

    async def main(server: gem.LocalGemini) -> None:
        async with client_of(server, "httpx2") as client:
            run = gem.Chat(client=client).send("@chunks 5000 " + "x" * 100_000)
            await after_chunks(run, 1)
            run.stop()
            await run.wait()
            assert run.status in ("cancelled", "completed")
            assert run.text == "x" * len(run.text)

    with gem.LocalGemini(speed=math.inf) as server:
        asyncio.run(main(server))


def test_a_run_whose_end_cannot_even_be_told_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What broke is told as an error; where telling it breaks as well, the run still ends as failed, not as stopped."""
    from gemstream_widget._engine import driver

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no words")

    async def main() -> None:
        monkeypatch.setattr(driver, "_foreign", broken)
        monkeypatch.setattr(driver.Driver, "_run_step", broken)
        run = gem.Chat(source=GatedSource()).send("x")
        await run.wait()
        assert run.status == "failed"
        assert "Something broke in the run. RuntimeError" in str(run.error)

    asyncio.run(main())
