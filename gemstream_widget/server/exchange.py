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
from .account import RequestRecord
from .actions import Action, Actions, Cut, Pause, Raw, Send, Stall
from .faults import Ending, Fault
from .framing import GARBAGE, frame, to_json
from .reply import fold

__all__ = ["CutOff", "Exchange", "Output", "reset"]


class Output(Protocol):
    """What an exchange writes to; a tornado RequestHandler is one."""

    def write(self, chunk: bytes) -> None:
        """Add to what the next flush sends."""

    def flush(self) -> Awaitable[None]:
        """Send, and wait until the client's side has taken it: a slow client slows the model down."""


class CutOff(Exception):
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
        self._room = math.inf if fault.cut_after_bytes is None else fault.cut_after_bytes

    async def stream(self, actions: Actions) -> None:
        """Each chunk as a frame of its own, when its time has come."""
        await self.hold_headers()
        await self._output.flush()
        for action in actions:
            await self._check_silence()
            if isinstance(action, Send):
                if self._record.chunks_sent == self._fault.garbage_after_chunks:
                    await self.send(GARBAGE)
                self._sent(action.payload)
                await self.send(frame(action.payload), chunk=True)
            elif isinstance(action, Raw):
                await self.send(action.data)
            else:
                await self._wait(action)
        await self._check_silence()

    async def whole(self, actions: Actions) -> None:
        """The same answer in one piece of JSON, when all of it is there."""
        await self.hold_headers()
        chunks = []
        for action in actions:
            if isinstance(action, Send):
                chunks.append(action.payload)
            else:
                await self._wait(action)
        answer = fold(chunks)
        self._sent(answer)
        await self.send(to_json(answer), chunk=True)

    async def hold_headers(self) -> None:
        """Wait as long as the fault holds the response headers back."""
        await self._sleep(self._fault.headers_after_s)

    async def send(self, data: bytes, *, chunk: bool = False) -> None:
        """These bytes, in the writes and up to the byte that the fault says."""
        if chunk:
            self._record.note_chunk()
        start = 0
        while start < len(data):
            size = min(next(self._sizes), self._room, len(data) - start)
            piece = data[start : start + int(size)]
            if piece:
                self._output.write(piece)
                self._record.bytes_sent += len(piece)
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
