"""Everything that can break on the way: each case ends with the right error, keeps what came, and the chat goes on."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget.errors import RunFailed
from tests.clients import OURS, TRANSPORTS, client_of

from .report import Control, Found, Row
from .wire import Answer, Plan, Sent, Wire

__all__ = ["measure"]

_TEXT = "Grüße, 漢字 und 😀: alles kommt an. " * 3
_PROMPT = f"@every 0\n@chunks 6 {_TEXT}"
_LATEST_S = 20.0

Ending = Literal["close", "reset", "end"]
_ENDINGS: tuple[Ending, ...] = ("close", "reset", "end")


def _chat(client: Any) -> gem.Chat:
    """The one place where the chats of this module are made: what is tried is one request, without retries."""
    return gem.Chat(client=client, model="demo", retries=0)


# -- cut at every kind of byte -----------------------------------------------------------------------------------------

_BEFORE_CONTENT: dict[str, Callable[[Answer], int]] = {
    "before the status line": lambda a: 0,
    "in the status line": lambda a: 7,
    "in the headers": lambda a: a.head_end // 2,
}
_PLACES: dict[str, Callable[[Answer], int]] = _BEFORE_CONTENT | {
    "after the headers": lambda a: a.head_end,
    "in the size of an HTTP chunk": lambda a: a.frames[2][0] - 3,
    "in the word data": lambda a: a.frames[2][0] + 3,
    "in a data line": lambda a: sum(a.frames[2]) // 2,
    "in a UTF-8 character": lambda a: a.data.index("漢".encode(), a.frames[1][0]) + 1,
    "between a frame's line ends": lambda a: a.frames[2][1] - 2,
    "between frames": lambda a: a.frames[2][1],
    "before the last frame": lambda a: a.frames[-1][0],
    "after the last frame": lambda a: a.frames[-1][1],
}
_IN_A_FRAME = ("in the word data", "in a data line", "in a UTF-8 character")


def _expected(place: str, ending: Ending, transport: str) -> tuple[type[RunFailed] | None, ...]:
    """The errors that tell the truth about this cut; None: it completes."""
    if place in _BEFORE_CONTENT:  # over aiohttp the SDK itself asks once more, after 1 to 10 seconds
        return (gem.ConnectionFailed, None) if transport == "aiohttp" else (gem.ConnectionFailed,)
    if place == "after the headers":
        return (gem.EmptyResponse,) if ending == "end" else (gem.ConnectionFailed,)
    if place == "after the last frame":  # finish reason included: only HTTP's own last line is missing
        return (None,) if ending == "end" else (gem.StreamTruncated, None)
    if transport == OURS and place == "in the word data":  # what is left is no field of an event
        return (gem.StreamTruncated,)
    return (gem.InvalidChunk,) if ending == "end" and place in _IN_A_FRAME else (gem.StreamTruncated,)


def _cut(place: str, ending: Ending) -> Plan:
    def plan(data: bytes) -> Sent:
        answer = Answer(data)
        at = _PLACES[place](answer)
        if ending != "end":
            return Sent(data[:at], ending, hold=True)
        whole = [data[start : min(end, at)] for start, end in answer.frames if start < at]
        return Sent(answer.with_body(b"".join(whole)))  # without HTTP's chunks its end looks whole

    return plan


def _whole(answer: Answer, place: str, ending: Ending) -> int:
    """How many chunks come whole. A body's end also ends its last line."""
    return answer.whole_before(_PLACES[place](answer) + (2 if ending == "end" else 0))


# -- everything else ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Case:
    """`expected` is the error's class, or None where the run completes; `code` the HTTP code it carries; `text` what is
    kept; `plan` bends the answer's bytes.
    """

    name: str
    prompt: str
    expected: type[RunFailed] | None
    text: str = ""
    code: int | None = None
    plan: Plan = Sent
    replaced: str | None = None
    """What is shown with U+FFFD for bytes that are no UTF-8, as we and some HTTP libraries read them: it completes."""
    passed: bool = False
    """Where we read, it is kept and told, and the answer, which ended well, completes."""

    def ends(self, transport: str) -> tuple[type[RunFailed] | None, ...]:
        """The errors that tell the truth; None: it completes."""
        if transport == OURS and (self.passed or self.replaced is not None):
            return (None,)
        return (self.expected,) if self.replaced is None else (self.expected, None)


def _in_frame(number: int, change: Callable[[bytes], bytes]) -> Plan:
    """Change the bytes of one frame."""

    def plan(data: bytes) -> Sent:
        answer = Answer(data)
        frames = [data[start:end] for start, end in answer.frames]
        frames[number] = change(frames[number])
        return Sent(answer.with_body(b"".join(frames)))

    return plan


_AB = "@every 0\n@say a\n"

_CASES = [
    _Case("half a UTF-8 character", "@every 0\n@chunk 2\n@say ab漢字", gem.InvalidChunk, "ab", plan=_in_frame(
        1, lambda frame: frame.replace("漢".encode(), "漢".encode()[:2]), ), replaced="ab\ufffd字"),
    _Case("bytes that are no UTF-8", "@every 0\n@chunk 2\n@say ab漢字", gem.InvalidChunk, "ab", plan=_in_frame(
        1, lambda frame: frame.replace("漢".encode(), b"\xff\xfe")), replaced="ab\ufffd\ufffd字"),
    _Case("invalid JSON", f"{_AB}@garbage", gem.InvalidChunk, "a", passed=True),
    _Case("an error frame in the middle", f"{_AB}@error 503", gem.ApiError, "a", 503),
    _Case("a raw error in the middle", f"{_AB}@error 500 raw", gem.ApiError, "a", 500),
    _Case("no finish reason", f"{_AB}@nofinish", gem.StreamTruncated, "a"),
    _Case("429 with RetryInfo", "@fail 429", gem.ApiError, code=429),
    _Case("500, JSON", "@fail 500", gem.ApiError, code=500),
    _Case("500, no body", "@fail 500 empty", gem.ApiError, code=500),
    _Case("503, JSON", "@fail 503", gem.ApiError, code=503),
    _Case("503, HTML", "@fail 503 html", gem.ApiError, code=503),
    _Case("200, HTML", _AB, gem.InvalidChunk, plan=lambda data: Sent(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><body>Log in</body></html>")),
    _Case("no HTTP at all", _AB, gem.ConnectionFailed, plan=lambda data: Sent(b"SSH-2.0-OpenSSH_9.6\r\n")),
    _Case("a chunk of 9 MB", "@every 0\n@say seed", None, "x" * 9_000_000, plan=_in_frame(
        0, lambda frame: frame.replace(b"seed", b"x" * 9_000_000))),
    _Case("10,000 chunks", f"@every 0\n@chunks 10000 {'0123456789' * 1000}", None, "0123456789" * 1000),
]  # fmt: skip


def measure(setting: Setting) -> Found:
    """Each case where we read the bytes, and over each HTTP library where the SDK does; in short the former."""
    transports = [OURS] if setting.quick else [OURS, *TRANSPORTS]
    cuts, others = _Tried(), _Tried()
    with gem.LocalGemini(speed=math.inf, keep=50) as server, Wire(server) as wire:
        for transport in transports:
            asyncio.run(_cuts(server, wire, transport, cuts))
            asyncio.run(_others(wire, transport, others))
            asyncio.run(_refused(transport, others))
        control = asyncio.run(_control(wire))
    what = "typed error, what came is kept, next send works"
    return Found(
        [
            Row(f"cut at every kind of byte: {what}", cuts.count, cuts.failures, control, cuts.times_ms),
            Row(f"bad bytes, HTTP errors, floods: {what}", others.count, others.failures, control),
        ]
    )


@dataclass
class _Tried:
    count: int = 0
    failures: list[str] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    """From the cut to the run's end."""

    def note(self, about: str, faults: list[str]) -> None:
        self.count += 1
        self.failures += [f"{about}: {fault}" for fault in faults]


async def _cuts(server: gem.LocalGemini, wire: Wire, transport: str, tried: _Tried) -> None:
    async with client_of(wire, transport) as client:
        slow = []  # the SDK's own second attempt over aiohttp takes seconds: these are tried at once
        for place in _PLACES:
            for ending in _ENDINGS if place not in _BEFORE_CONTENT else _ENDINGS[:2]:
                if place in _BEFORE_CONTENT and transport == "aiohttp":
                    slow.append(_cut_alone(server, place, ending, tried))
                else:
                    tried.note(
                        f"{place}, {ending}, {transport}",
                        await _cut_once(wire, client, transport, place, ending, tried),
                    )
        await asyncio.gather(*slow)


async def _cut_alone(server: gem.LocalGemini, place: str, ending: Ending, tried: _Tried) -> None:
    with Wire(server) as wire:
        async with client_of(wire, "aiohttp") as client:
            tried.note(f"{place}, {ending}, aiohttp", await _cut_once(wire, client, "aiohttp", place, ending, None))


async def _cut_once(
    wire: Wire, client: Any, transport: str, place: str, ending: Ending, timed: _Tried | None
) -> list[str]:
    cut = _cut(place, ending)
    whole: list[int] = []

    def plan(data: bytes) -> Sent:
        whole.append(_whole(Answer(data), place, ending))
        return cut(data)

    wire.plans.append(plan)
    chat = _chat(client)
    run = chat.send(_PROMPT)
    await _until(lambda: bool(whole) or run.done)
    came = whole[0] if whole else 0
    await _until(lambda: len(run.chunks) >= came or run.done)
    began = time.perf_counter()
    wire.let_go()
    faults = await _ended(run, _expected(place, ending, transport))
    if run.status == "completed":
        came = len(run.chunks) if run.text == _TEXT else came
    if timed is not None:
        timed.times_ms.append(1000 * (time.perf_counter() - began))
    torn = place in (*_IN_A_FRAME, *([] if ending == "end" else ["between a frame's line ends"]))
    if len(run.chunks) != came + (transport == OURS and torn):  # where we read, what is torn is kept, too
        faults.append(f"{len(run.chunks)} chunks kept of the {came} that came whole")
    if run.text != _TEXT[: len(run.text)] or (came > 1 and not run.text):
        faults.append(f"kept {run.text!r}")
    return faults + await _goes_on(chat)


async def _others(wire: Wire, transport: str, tried: _Tried) -> None:
    async with client_of(wire, transport) as client:
        for case in _CASES:
            tried.note(f"{case.name}, {transport}", await _try(wire, client, case, transport))


async def _try(wire: Wire, client: Any, case: _Case, transport: str = "") -> list[str]:
    wire.plans.append(case.plan)
    chat = _chat(client)
    run = chat.send(case.prompt)
    faults = await _ended(run, case.ends(transport))
    if run.text not in (case.text, case.replaced):
        faults.append(f"kept {run.text[:60]!r} ({len(run.text)} characters), not {case.text[:60]!r}")
    if case.code is not None and getattr(run.error, "code", None) != case.code:
        faults.append(f"the error carries the code {getattr(run.error, 'code', None)}")
    if case.code == 429 and "retryDelay" not in json.dumps(getattr(run.error, "details", None)):
        faults.append("the error's details do not tell when to try again")
    return faults + await _goes_on(chat)


async def _refused(transport: str, tried: _Tried) -> None:
    """Nobody listens; then somebody does, at the same address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = held.getsockname()[1]
        later = gem.LocalGemini(port=port, speed=math.inf)
        later._address = ("127.0.0.1", port)
        async with client_of(later, transport) as client:
            chat = _chat(client)
            faults = await _ended(chat.send(_PROMPT), (gem.ConnectionFailed,))
            held.close()
            with later:
                faults += await _goes_on(chat)
    tried.note(f"a refused connection, {transport}", faults)


async def _ended(run: gem.Run, expected: tuple[type[RunFailed] | None, ...]) -> list[str]:
    """Wait for the end; what is wrong with it."""
    try:
        await asyncio.wait_for(run.wait(), _LATEST_S)
    except TimeoutError:
        return [f"still {run.status} after {_LATEST_S} s"]
    kind = None if run.error is None else type(run.error)
    if kind not in expected or run.status != ("completed" if kind is None else "failed"):
        names = " or ".join("completed" if e is None else e.__name__ for e in expected)
        return [f"{run.status} with {kind.__name__ if kind else 'no error'} ({run.error}), not {names}"]
    return []


async def _goes_on(chat: gem.Chat) -> list[str]:
    run = await chat.send("@every 0\n@say fine").wait()
    return [] if run.text == "fine" and run.error is None else [f"the next send is {run.status}: {run.error}"]


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.002)


async def _control(wire: Wire) -> Control:
    """What was cut does not pass for complete, and what did not come is missed."""
    async with client_of(wire, "httpx2") as client:
        wire.plans.append(_cut("in a data line", "end"))
        mistaken = await _ended(_chat(client).send(_PROMPT), (None,))
        missed = await _try(wire, client, _Case("missed", _AB, None, "abc"))
    return Control("a cut that is expected to complete; text that did not come", bool(mistaken and missed))
