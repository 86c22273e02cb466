"""Carries one answer to one client: performs its actions under its fault, and keeps the request's account."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from tornado.iostream import IOStream

from .._plain import Json
from .._process import Portable
from .account import RequestRecord
from .actions import Action, Actions, Cut, Frame, Pause, Raw, Send, Stall
from .faults import Ending, Fault
from .framing import GARBAGE, Framing, Gzip, accepts_gzip, to_json
from .reply import fold

__all__ = ["CutOff", "Exchange", "Output", "reset"]


class Output(Protocol):
    """What an exchange writes to; a tornado RequestHandler is one."""

    def set_header(self, name: str, value: str) -> None:
        """Before the first flush."""

    def write(self, chunk: bytes) -> None:
        """Add to what the next flush sends."""

    def flush(self) -> Awaitable[None]:
        """Send, and wait until the client's side has taken it: a slow client slows the model down."""


class CutOff(Portable):
    """The answer ends here, in this way, though it is not complete."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending


class Exchange:
    """One answer on its way. Every await in it is cancelled when the client hangs up."""

    def __init__(
        self, output: Output, record: RequestRecord, fault: Fault, speed: float, sent: Callable[[Json], None]
    ) -> None:
        self._output = output
        self._record = record
        self._fault = fault
        self._speed = speed
        self._sent = sent
        self._sizes = itertools.cycle(fault.sizes)
        words = fault.frames.split()
        self._framing = Framing(words)
        self._gzip = Gzip() if "gzip" in words and accepts_gzip(record.headers.get("accept-encoding", "")) else None
        self._owed = b""
        self._room = math.inf if fault.cut_after_bytes is None else fault.cut_after_bytes

    async def stream(self, actions: Actions) -> None:
        """Each chunk as a frame of its own, when its time has come."""
        await self._begin()
        await self._output.flush()
        for action in actions:
            if self._owed:
                await self._close_frame()
            await self._check_silence()
            if isinstance(action, Send):
                if self._record.chunks_sent == self._fault.garbage_after_chunks:
                    await self._frame(GARBAGE)
                payload = self._framing.payload(action.payload)
                self._sent(payload)
                await self._frame(self._framing.data(payload), chunk=True)
            elif isinstance(action, Frame):
                await self._frame(action.data)
            elif isinstance(action, Raw):
                await self._send(action.data)
            else:
                await self._wait(action)
        await self._check_silence()
        if self._framing.done:
            await self._frame(b"[DONE]")
        await self._end()

    async def whole(self, actions: Actions) -> None:
        """The same answer in one piece of JSON, when all of it is there."""
        await self._begin()
        chunks = []
        for action in actions:
            if isinstance(action, Send):
                chunks.append(action.payload)
            else:
                await self._wait(action)
        answer = self._framing.payload(fold(chunks))
        self._sent(answer)
        await self._send(to_json(answer), chunk=True)
        await self._end()

    async def hold_headers(self) -> None:
        """Wait as long as the fault holds the response headers back."""
        await self._sleep(self._fault.headers_after_s)

    async def _begin(self) -> None:
        await self.hold_headers()
        if self._gzip is not None:
            self._output.set_header("Content-Encoding", "gzip")

    async def _frame(self, data: bytes, *, chunk: bool = False) -> None:
        """This data as a frame, but for the end of it that may be missing when it is the last."""
        if self._owed:
            await self._close_frame()
        now, self._owed = self._framing.frame(data)
        await self._send(now, chunk=chunk)

    async def _close_frame(self) -> None:
        """There is more to do: the frame before is not the last."""
        owed, self._owed = self._owed, b""
        await self._send(owed)

    async def _send(self, data: bytes, *, chunk: bool = False) -> None:
        """These bytes of the body, packed if the client takes that, in the writes and up to the byte the fault says."""
        if chunk:
            self._record.note_chunk()
        if self._gzip is not None:
            data = self._gzip.pack(data)
        await self._write(data)

    async def _end(self) -> None:
        if self._gzip is not None:
            await self._write(self._gzip.end())

    async def _write(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            size = min(next(self._sizes), self._room, len(data) - start)
            piece = data[start : start + int(size)]
            if piece:
                self._output.write(piece)
                self._record.note_bytes(len(piece), piece if self._gzip is None else self._gzip.read(piece))
                await self._output.flush()
            start += len(piece)
            self._room -= len(piece)
            if self._room <= 0:
                raise CutOff(self._fault.ending)

    async def _wait(self, action: Action) -> None:
        match action:
            case Pause(seconds):
                await self._sleep(seconds)
            case Stall():
                await self._for_ever()
            case Cut(ending):
                raise CutOff(ending)

    async def _check_silence(self) -> None:
        after = self._fault.silent_after_chunks
        if after is not None and self._record.chunks_sent >= after:
            await self._for_ever()

    async def _sleep(self, seconds: float) -> None:
        if math.isinf(seconds):
            await self._for_ever()
        elif seconds:
            await asyncio.sleep(seconds / self._speed)

    @staticmethod
    async def _for_ever() -> None:
        await asyncio.get_running_loop().create_future()


def reset(stream: IOStream) -> None:
    """Close a connection with a TCP reset: lingering for no time throws the connection away."""
    layout = "hh" if sys.platform == "win32" else "ii"
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(layout, 1, 0))
    stream.close()
