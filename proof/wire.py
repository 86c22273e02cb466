"""A wire that can be cut and bent: it stands between the SDK and a local Gemini, byte for byte.

Each request is passed on; the whole answer is read, and sent as the next plan says. So an answer can break at any byte,
the headers included, and the next send of the same chat meets a healthy server that knows Gemini's rules.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import gemstream_widget as gem

__all__ = ["Answer", "Plan", "Sent", "Wire"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes out in place of an answer, and how the connection ends. With `hold` it ends at `Wire.let_go`."""

    data: bytes
    ending: Literal["close", "reset"] = "close"
    hold: bool = False


Plan = Callable[[bytes], Sent]
"""From the bytes that the server answered to those that are sent."""


class Answer:
    """Where things are in an answer's bytes: `frames` are the (start, end) of each `data: ...` with its blank line."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.head_end = data.index(b"\r\n\r\n") + 4
        self.frames = [m.span() for m in re.finditer(rb"data: [^\r\n]*\r\n\r\n", data)]

    def whole_before(self, at: int) -> int:
        """How many frames are complete in the first `at` bytes."""
        return sum(end <= at for _, end in self.frames)

    @property
    def body(self) -> bytes:
        """The body without HTTP's chunks."""
        return b"".join(self.data[start:end] for start, end in self.frames)

    def with_body(self, body: bytes) -> bytes:
        """The same answer with another body, which ends with the connection."""
        head = re.sub(rb"Transfer-Encoding: chunked\r\n", b"", self.data[: self.head_end], flags=re.IGNORECASE)
        return head + body


class Wire:
    """Listens on 127.0.0.1, on a thread of its own, in front of `server`. Each request takes the first of `plans`."""

    def __init__(self, server: gem.LocalGemini) -> None:
        self.plans: list[Plan] = []
        host, _, port = server.url.removeprefix("http://").partition(":")
        self._upstream = (host, int(port))
        self._listening = threading.Event()
        self._let_go = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # connections that end in the middle are its job
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self.url = ""
        self.last_key = ""
        """The API key that the last request brought."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._over.cancel)
        self._thread.join()

    def client(self, **http_options: object) -> object:
        """As LocalGemini.client."""
        from gemstream_widget._engine.gemini import connect

        return connect(base_url=self.url, api_key="local", **http_options)

    def let_go(self) -> None:
        """Whatever is held may end. From any thread."""
        self._loop.call_soon_threadsafe(self._let_go.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._over = self._loop.create_task(self._main())
        self._loop.run_until_complete(asyncio.wait({self._over}))
        if serving := asyncio.all_tasks(self._loop):
            for task in serving:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(serving))
        self._loop.run_until_complete(asyncio.sleep(0.01))  # transports say goodbye
        self._loop.close()

    async def _main(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**26)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._listening.set()
        await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        key = re.search(rb"(?i)x-goog-api-key: *([^\r]*)", head)
        self.last_key = key[1].decode() if key else ""
        body = await reader.readexactly(int(length[1]) if length else 0)
        plan = self.plans.pop(0) if self.plans else Sent
        sent = plan(await self._ask(head, body))
        self._let_go.clear()
        writer.write(sent.data)
        await writer.drain()
        if sent.hold:
            await self._let_go.wait()
        if sent.ending == "reset":
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        """The local Gemini's whole answer, as it is on the wire."""
        reader, writer = await asyncio.open_connection(*self._upstream)
        head = re.sub(rb"(?i)connection: [^\r]*\r\n", b"", head).removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
        try:
            writer.write(head + body)
            return await reader.read()
        finally:
            writer.close()
