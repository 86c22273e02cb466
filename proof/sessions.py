"""Whole sessions with a chat, made up by a seed: everything that can happen in a run, and between runs.

Text, thoughts, calls under every policy, approvals with other arguments, denials, prints, tools that fail or take too
long, retries, errors in mid-stream, streams that fall silent, Stops at any moment, runs that were queued and taken
back, branches, again, repairs. The same seed asks for the same things; on which turn of the loop a thread answers
differs.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.source import Request
from gemstream_widget._stream.chunks import Frame
from gemstream_widget.errors import GemstreamError
from tests.wire import call, chunk, text, thought

from .judge import Watcher

__all__ = ["Session", "frame"]

_SOON_S = 0.02
_LATEST_S = 20.0
_SILENCE = object()
_RETRY = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0s"}]
_PICTURE = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
_WORDS = (
    "plain ",
    "**bold** ",
    "\n\n",
    "\u2028 ",
    "\x85",
    "émile ",
    "\U0001f600",
    "half \ud83d",
    '"quoted\\" ',
    "data: ",
)


def frame(wire: Any) -> Frame:
    """A chunk in the text that it could have come in."""
    return Frame(f": comment\r\nevent: x\r\ndata: {json.dumps(wire, ensure_ascii=False)}\r\n\r\n")


class _Model:
    """A source that answers whatever comes to its mind."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        chance = self._chance
        raw = chance.random() < 0.5
        for item in _answer(chance):
            if item is _SILENCE:
                await asyncio.Event().wait()
            if isinstance(item, BaseException):
                raise item
            if chance.random() < 0.7:
                await asyncio.sleep(0)
            yield frame(item) if raw else item


def _answer(chance: random.Random) -> list[Any]:
    """What comes of one request."""
    first = chance.random()
    if first < 0.08:  # refused before anything came: perhaps sent again
        error = {"code": chance.choice([503, 429, 400]), "message": "busy", "status": "NO", "details": _RETRY}
        return [{"error": error}]
    if first < 0.12:
        return [gem.ConnectionFailed("no way \ud83d there")]
    if first < 0.15:
        return [{"promptFeedback": {"blockReason": chance.choice(["SAFETY", "NEW"])}}]
    if first < 0.17:
        return []
    said = [_part(chance, n) for n in range(chance.randint(1, 8))]
    if chance.random() < 0.4:
        said += [chunk(*(_call(chance) for _ in range(chance.randint(1, 3))))]
    if chance.random() < 0.15:
        said += _call_in_pieces(chance)
    return [*said, *_ending(chance)]


def _part(chance: random.Random, number: int) -> Any:
    words = "".join(chance.choices(_WORDS, k=3))
    usage = {"promptTokenCount": 7, "totalTokenCount": 10 * number}
    return chance.choice([
        chunk(text(words)),
        chunk(text(words), usage=usage),
        chunk(thought(words)),
        chunk(text(words), thought(words), text(words, "U2lnbmF0dXJl")),
        chunk({"executableCode": {"code": words, "language": "PYTHON"}}, {"codeExecutionResult": {"output": "1"}}),
        chunk(_PICTURE, groundingMetadata={"x": number}),
        chunk({"hologram": number}, usage={"totalTokenCount": None, "new": 10**20}),
        {"candidates": [{"index": 1, "content": {"parts": [text("another")]}}], "modelVersion": "m", "responseId": "r"},
        {"candidates": None, "odd": [1.5, None]}, "no object", 7, None, {},
    ])  # fmt: skip


def _call(chance: random.Random) -> Any:
    name = chance.choice(["add", "ask_first", "never_run", "fail", "slow", "by_policy", "no_such_tool", "picture"])
    args: Any = {"a": 1, "b": chance.choice([2, "two", 3])} if name == "add" else {"a": chance.randint(0, 9)}
    return call(
        name, args, id=chance.choice([None, f"k{chance.randint(0, 99)}"]), signature=chance.choice([None, "U2c="])
    )


def _call_in_pieces(chance: random.Random) -> list[Any]:
    pieces = [{"jsonPath": "$.a", "numberValue": 3}, {"jsonPath": "$.b", "numberValue": 4}]
    told = [chunk({"functionCall": {"name": "add", "willContinue": True}})]
    told += [chunk({"functionCall": {"partialArgs": [piece], "willContinue": True}}) for piece in pieces]
    return told if chance.random() < 0.3 else [*told, chunk({"functionCall": {}})]


def _ending(chance: random.Random) -> list[Any]:
    how = chance.random()
    if how < 0.62:
        return [chunk(finish="STOP", usage={"totalTokenCount": chance.randint(1, 99)})]
    if how < 0.72:
        reason = chance.choice(["MAX_TOKENS", "SAFETY", "MALFORMED_FUNCTION_CALL", "NEW_REASON", "OTHER"])
        return [chunk(finish=reason, finishMessage="so")]
    if how < 0.78:
        return [
            {"error": {"code": 500, "message": "broke", "status": "INTERNAL", "details": [{"x": 1}]}},
            chunk(text("late")),
        ]
    if how < 0.84:
        return [ValueError("a library \ud83d broke")]
    if how < 0.90:
        return [gem.StreamTruncated("it says", hint="A hint of its own.")]
    return [_SILENCE] if how < 0.95 else []


# -- tools -----------------------------------------------------------------------------------------------------------


def _tools() -> list[Any]:
    @gem.tool(approve="auto")
    def add(a: int, b: int) -> int:
        """Add two numbers.

        And say so.
        """
        print("adding", a, b)
        return a + b

    @gem.tool(approve="ask")
    async def ask_first(a: int) -> dict[str, Any]:
        """Needs a yes."""
        print("asked \ud83d")
        await asyncio.sleep(0)
        return {"given": a, "odd": float("nan"), "deep": [{"x": (1, 2)}]}

    @gem.tool(approve="never")
    def never_run(a: int) -> int:
        """Is never run."""
        return a

    @gem.tool(approve="auto")
    async def fail(a: int) -> None:
        """Fails."""
        print("failing")
        raise FileNotFoundError(f"no file {a}")

    @gem.tool(approve="ask")
    async def slow(a: int) -> None:
        """Takes too long."""
        await asyncio.sleep(60)

    @gem.tool(approve=lambda call: ("auto", "ask", "never")[call.args["a"] % 3])
    async def by_policy(a: int) -> str:
        """As its argument says."""
        return "x" * a

    @gem.tool
    async def picture(a: int) -> bytes:
        """Gives bytes."""
        return bytes(range(a))

    return [add, ask_first, never_run, fail, slow, by_policy, picture]


# -- what people do ---------------------------------------------------------------------------------------------------


class Session:
    """One session: `play` it, then look at its `chat`; `watchers` followed each run from its start.

    `between` is called at moments in the middle of things, on the loop, and must not wait.
    """

    def __init__(self, seed: int, *, between: Callable[[Session], None] = lambda _: None, **options: Any) -> None:
        chance = self._chance = random.Random(seed)
        given = chance.choice(
            [(), [{"role": "user", "parts": [text("before")]}, {"role": "model", "parts": [text("yes")]}]]
        )
        self._asleep = chance.random() < 0.2  # nobody decides
        self.chat = gem.Chat(
            source=_Model(random.Random(seed + 1)),
            tools=_tools(),
            history=given,
            approve=chance.choice(["auto", "ask"]),
            system=chance.choice([None, "be kind"]),
            max_steps=3,
            retries=chance.choice([0, 2]),
            idle_timeout_s=_SOON_S,
            tool_timeout_s=_SOON_S,
            approval_timeout_s=_SOON_S if self._asleep else chance.choice([None, _SOON_S]),
            max_tokens_total=chance.choice([None, None, 300]),
            grace_s=0.5,
            **options,
        )
        self.watchers: dict[str, Watcher] = {}
        self.refused = 0
        self._between = between

    async def play(self) -> None:
        """Raises TimeoutError where anything hangs."""
        async with asyncio.timeout(_LATEST_S):
            for number in range(self._chance.randint(1, 4)):
                for run in self._next(f"prompt {number} \ud83d"):
                    self._watch(run)
                await self._meddle()
            for watcher in self.watchers.values():
                await watcher.over()

    def _watch(self, run: gem.Run) -> None:
        if run.id not in self.watchers:
            self.watchers[run.id] = Watcher(run)

    def _next(self, prompt: str) -> list[gem.Run]:
        """What is asked for next; what the chat refuses is no matter."""
        chat, chance = self.chat, self._chance
        known = chance.choice(chat.runs) if chat.runs else None
        asked: list[Callable[[], Any]] = [
            lambda: chat.send(prompt),
            lambda: [chat.queue([prompt, (b"\x89PNG", "image/png")]), chat.queue("and"), chat.queue("so")],
        ]
        if known is not None:
            asked += [
                lambda: chat.send(prompt, after=known),
                lambda: chat.again(known, chance.choice(known.offers or ["anew"])),
                lambda: chat.again(known, "anew"),
                lambda: chat.again(chance.choice(["anew", "continue"])),
                lambda: [chat.switch(known), chat.send(prompt)],
                lambda: [chat.repair(), chat.repair("corrupted_signature"), chat.send(prompt)],
                lambda: chat.send(prompt, after=None),
            ]
        try:
            given = chance.choice(asked)()
        except GemstreamError:
            self.refused += 1
            given = chat.send(prompt, after=None)
        return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, gem.Run)]

    async def _meddle(self) -> None:
        """Until all runs have ended: decide, stop, take back, look."""
        chance = self._chance
        stops = chance.random() < 0.4
        while going := [run for run in self.chat.runs if not run.done]:
            await asyncio.sleep(0 if chance.random() < 0.8 else 0.002)
            what = chance.random()
            if what < 0.03:
                self._between(self)
            elif what < 0.08 and stops:
                chance.choice(going).stop(by=chance.choice(["button", "code", "interrupt"]))
                stops = chance.random() < 0.3
            elif what < 0.5 and not self._asleep:
                for run in going:
                    self._decide(run)

    def _decide(self, run: gem.Run) -> None:
        chance = self._chance
        for waiting in run.pending[:1]:
            scope = chance.choice(["once", "once", "run", "chat"])
            try:
                if chance.random() < 0.4:
                    run.deny(waiting, chance.choice([None, "not \ud83d this one"]), scope=scope)
                else:
                    edited = {**waiting.args, "a": 8}
                    run.approve(waiting, chance.choice([None, edited]), scope=scope)
                for rule in run.snapshot()["rules"] if chance.random() < 0.3 else ():
                    run.revoke(rule["id"])
            except GemstreamError:  # it was decided in the meantime
                self.refused += 1
