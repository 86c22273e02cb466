"""Plays a section of a script: cues to actions."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from ..._plain import Json
from ..actions import Actions, Cut, Frame, Pause, Raw, Send, Stall
from ..errors import error_body
from ..example import example
from ..framing import GARBAGE, to_json
from ..question import Question
from ..reply import Reply, slices
from .language import Cue, Section

__all__ = ["play", "png"]


DEFAULT_EVERY_S = 0.02
_SETTINGS = {"every", "chunk", "usage"}
"""What holds from its line on, in later hops too."""
_BREAKS = {"cut", "stall", "error"}
"""What is over and done with once the answer goes on from a checkpoint."""


def play(section: Section, question: Question, reply: Reply, place: int = 0) -> Actions:
    """The actions of a section, up to the next `@hop`. Lazy: a script of a million chunks needs no memory.

    `place` is where in its cues to begin: 0, or behind the `@hop` or `@checkpoint` that a token stands for.
    """
    return _Player(question, reply).play(section.cues, place)


class _Player:
    """What a script has set so far, and the chunk that still waits for parts to join it."""

    def __init__(self, question: Question, reply: Reply) -> None:
        self._question = question
        self._reply = reply
        self._every_s = DEFAULT_EVERY_S
        self._size: int | None = None
        self._waiting: list[Json] = []
        self._candidate: Json = {}
        self._sent = 0
        self._ends_itself = False

    def play(self, cues: tuple[Cue, ...], place: int) -> Actions:
        for cue in cues[:place]:
            if cue.name in _SETTINGS:
                yield from self._cue(cue)
        mended = place > 0 and cues[place - 1].name == "checkpoint"
        for behind, cue in enumerate(cues[place:], place + 1):
            if cue.name == "hop":
                yield from self._finish(cue.value, cue.joined, place=behind)
                return
            if cue.name == "checkpoint":
                yield from self._checkpoint(cue.joined, behind)
            elif not (mended and cue.name in _BREAKS):
                yield from self._cue(cue)
        if not self._reply.finished and not self._ends_itself:
            yield from self._flush()
            yield from self._send(self._reply.final(**self._candidate))
        yield from self._flush()

    def _cue(self, cue: Cue) -> Actions:
        match cue:
            case Cue("think", text):
                yield from self._parts(({"text": piece, "thought": True} for piece in self._pieces(text)), cue.joined)
            case Cue("say", text):
                yield from self._parts(({"text": piece} for piece in self._pieces(text)), cue.joined)
            case Cue("chunks", (count, text)):
                yield from self._parts(({"text": piece} for piece in _equal(text, count)), cue.joined)
            case Cue("repeat", (count, repeated)):
                for n in range(1, count + 1):
                    yield from self._cue(_numbered(repeated, n))
            case Cue("call", (name, args)):
                yield from self._parts(self._reply.calling(name, self._args(name, args)), cue.joined)
            case Cue("partial", (name, args)):
                yield from self._parts(self._reply.streamed_call(name, self._args(name, args)), cue.joined)
            case Cue("code", text):
                yield from self._parts([{"executableCode": {"language": "PYTHON", "code": text}}], cue.joined)
            case Cue("result", text):
                result = {"outcome": "OUTCOME_OK", "output": text}
                yield from self._parts([{"codeExecutionResult": result}], cue.joined)
            case Cue("image", size):
                data = base64.b64encode(png(size)).decode()
                yield from self._parts([{"inlineData": {"mimeType": "image/png", "data": data}}], cue.joined)
            case Cue("part", part):
                yield from self._parts([part], cue.joined)
            case Cue("search", query):
                self._candidate["groundingMetadata"] = _grounding(query)
            case Cue("usage", counters):
                self._reply.usage = counters
            case Cue("finish", (reason, message)):
                yield from self._finish(reason, cue.joined, **({"finishMessage": message} if message else {}))
            case Cue("every", seconds):
                self._every_s = seconds
            case Cue("chunk", size):
                self._size = size
            case Cue("nofinish"):
                self._ends_itself = True
            case _:
                yield from self._flush()
                yield from self._alone(cue)

    def _alone(self, cue: Cue) -> Actions:
        """Cues that are no part of a candidate: nothing can join them."""
        match cue:
            case Cue("raw", payload):
                yield from self._send(payload)
            case Cue("block", reason):
                self._ends_itself = True
                yield from self._send(self._reply.envelope(promptFeedback={"blockReason": reason}, last=True))
            case Cue("error", (status, raw)):
                self._ends_itself = True
                body = error_body(status)
                yield Raw(json.dumps(body, indent=2).encode() + b"\n") if raw else Frame(to_json(body))
            case Cue("garbage", text):
                yield Raw(text.encode("utf-8", "surrogatepass")) if text else Frame(GARBAGE)
            case Cue("pause", seconds):
                yield Pause(seconds)
            case Cue("stall"):
                yield Stall()
            case Cue("cut", (_, ending)):
                self._ends_itself = True
                yield Cut(ending)
            case _:
                raise AssertionError(f"no action for {cue}")

    def _finish(self, reason: str, joined: bool, **candidate: Any) -> Actions:
        candidate, self._candidate = self._candidate | candidate, {}
        if joined and self._waiting:
            parts, self._waiting = self._waiting, []
            yield from self._send(self._reply.chunk(*parts, finish=reason, **candidate))
        else:
            yield from self._flush()
            yield from self._send(self._reply.final(reason, **candidate))

    def _checkpoint(self, joined: bool, place: int) -> Actions:
        if not joined:
            yield from self._flush()
        parts, self._waiting = self._waiting, []
        yield from self._send(self._reply.chunk(*parts, place=place))

    def _parts(self, parts: Iterator[Json] | list[Json], joined: bool) -> Actions:
        """Each part in a chunk of its own, the first with the parts before it when it is joined."""
        for part in parts:
            if not joined:
                yield from self._flush()
            self._waiting.append(part)
            joined = False

    def _flush(self) -> Actions:
        if self._waiting:
            parts, self._waiting = self._waiting, []
            yield from self._send(self._reply.chunk(*parts))

    def _send(self, payload: Json) -> Actions:
        if self._sent and self._every_s:
            yield Pause(self._every_s)
        self._sent += 1
        yield Send(payload)

    def _pieces(self, text: str) -> Iterator[str]:
        if self._size is None:
            return slices(text)
        size = self._size or len(text)
        return (text[start : start + size] for start in range(0, len(text), size))

    def _args(self, name: str, args: Json | None) -> Json:
        if args is not None:
            return args
        told = "\n".join(line for line in self._question.prompt.splitlines() if not line.startswith("@"))
        made = example(self._question.tools.get(name, {}), told)
        return made if isinstance(made, dict) else {}


def _numbered(cue: Cue, n: int) -> Cue:
    """The cue with `{n}` in its text replaced by the number of the repetition."""
    return Cue(cue.name, cue.value.replace("{n}", str(n)), cue.joined) if isinstance(cue.value, str) else cue


def _equal(text: str, count: int) -> Iterator[str]:
    """The text in exactly `count` pieces of nearly the same length."""
    for n in range(count):
        yield text[len(text) * n // count : len(text) * (n + 1) // count]


def _grounding(query: str) -> Json:
    """Grounding metadata of a Google search, with addresses that are only examples."""
    return {
        "webSearchQueries": [query],
        "groundingChunks": [
            {"web": {"uri": "https://example.com/first", "title": "example.com"}},
            {"web": {"uri": "https://example.org/second", "title": "example.org"}},
        ],
        "groundingSupports": [
            {"segment": {"endIndex": 10, "text": query}, "groundingChunkIndices": [0, 1]},
        ],
        "searchEntryPoint": {"renderedContent": "<div>Google Search</div>"},
    }


def png(size: int) -> bytes:
    """A square PNG of this many pixels a side: a soft diagonal gradient."""
    ramp = b"".join(bytes((66, 90 + 80 * step // size, 190)) for step in range(2 * size))
    rows = b"".join(b"\0" + ramp[3 * y : 3 * (y + size)] for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    blocks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in blocks
    )
