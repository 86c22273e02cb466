"""Helpers for tests that talk to the local Gemini: raw sockets, and waiting for what must happen."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from gemstream_widget._plain import Json
from gemstream_widget.server import LocalGemini, RequestRecord


def ask(*texts: str, **more: Any) -> Json:
    """A request body with these user texts."""
    return {"contents": [{"role": "user", "parts": [{"text": text}]} for text in texts], **more}


class Raw:
    """One TCP connection that speaks HTTP by hand. Blocking; every read has a time limit."""

    def __init__(self, server: LocalGemini, *, receive_buffer: int | None = None) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect((host, int(port)))
        self.received = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def post(
        self, body: Json | bytes, path: str = "/v1beta/models/demo:streamGenerateContent?alt=sse", key: str = "k"
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.request("POST", path, key, data)

    def request(self, method: str, path: str, key: str = "k", data: bytes = b"") -> None:
        secret = f"x-goog-api-key: {key}\r\n" if key else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: local\r\n{secret}Content-Length: {len(data)}\r\n\r\n"
        self.socket.sendall(head.encode() + data)

    def read_until(self, mark: bytes) -> bytes:
        """Read until the mark was seen, or the connection ended."""
        while mark not in self.received and (data := self.socket.recv(65536)):
            self.received += data
        return self.received

    def read_response(self) -> tuple[int, dict[str, str], list[bytes]]:
        """Status, headers and the HTTP chunks (or the one body) of a complete response."""
        head, _, rest = self.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        status_line, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status = int(status_line.split()[1])
        if "content-length" in headers:
            while len(rest) < int(headers["content-length"]):
                rest += self.socket.recv(65536)
            self.received = b""
            return status, headers, [rest]
        self.received = rest
        chunks: list[bytes] = []
        while True:
            while b"\r\n" not in self.received:
                self.received += self.socket.recv(65536)
            size, _, rest = self.received.partition(b"\r\n")
            length = int(size, 16)
            self.received = rest
            while len(self.received) < length + 2:
                self.received += self.socket.recv(1 << 20)
            chunk, self.received = self.received[:length], self.received[length + 2 :]
            if not length:
                return status, headers, chunks
            chunks.append(chunk)

    def close_gracefully(self) -> None:
        """FIN."""
        self.socket.close()

    def abort(self) -> None:
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def frames(body: bytes) -> list[Json]:
    """The JSON of server-sent events as Gemini frames them; fails on anything else."""
    found = []
    for frame in body.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n"):
        assert frame.startswith(b"data: "), frame
        assert b"\n" not in frame
        found.append(json.loads(frame[6:]))
    return found


def play(server: LocalGemini, prompt: str | Json, model: str = "demo", vertex: bool = False) -> list[Json]:
    """The chunks the server sends for a prompt (or body), read by hand."""
    place = "v1beta1/publishers/google/models" if vertex else "v1beta/models"
    with Raw(server) as raw:
        raw.post(ask(prompt) if isinstance(prompt, str) else prompt, f"/{place}/{model}:streamGenerateContent?alt=sse")
        status, _, chunks = raw.read_response()
    assert status == 200, chunks
    return frames(b"".join(chunks))


def refusal(server: LocalGemini, body: Json | bytes, **how: Any) -> Json:
    """The error the server answers with."""
    with Raw(server) as raw:
        raw.post(body, **how)
        status, headers, chunks = raw.read_response()
    assert headers["content-type"] == "application/json; charset=UTF-8"
    error: Json = json.loads(b"".join(chunks))["error"]
    assert error["code"] == status
    return error


def parts(chunks: list[Json]) -> list[Json]:
    """All parts of the first candidates, in order."""
    found = []
    for chunk in chunks:
        for candidate in chunk.get("candidates", []):
            found += candidate.get("content", {}).get("parts", [])
    return found


def said(chunks: list[Json], *, thought: bool = False) -> str:
    """The text of the answer, or of the reasoning."""
    return "".join(part["text"] for part in parts(chunks) if "text" in part and bool(part.get("thought")) is thought)


def eventually(happened: Callable[[], bool], what: str, timeout_s: float = 5.0) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end, f"did not happen within {timeout_s} s: {what}"
        time.sleep(0.002)


async def last_request(server: LocalGemini, chunks_sent: int = 0) -> RequestRecord:
    """The newest request, once it has sent so many chunks."""
    await asyncio.to_thread(
        eventually, lambda: bool(server.requests) and server.requests[-1].chunks_sent >= chunks_sent, "chunks sent"
    )
    return server.requests[-1]
