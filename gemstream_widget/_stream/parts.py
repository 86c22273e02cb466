"""Parts: one item of content each; and the tool calls and decisions that some of them hold.

The values belong to the run that made them: they change on the run's loop only, and are for reading everywhere else.
All times are seconds since the run's start."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from .._plain import Json, Wire, clean, shorten
from .patch import Path

__all__ = [
    "LIVE",
    "PART_KINDS",
    "CallPart",
    "CodePart",
    "CodeResultPart",
    "DecidedBy",
    "Decision",
    "FilePart",
    "OtherPart",
    "Part",
    "Scope",
    "TextBuffer",
    "TextPart",
    "ToolCall",
    "bytes_in",
]


MAX_INLINE_BYTES = 8_000_000
"""Inline data above this size is kept in the run but not sent to the page."""


class TextBuffer:
    """A text that only grows. Appending costs the same however long the text is; memory stays about the text's size.

    Fragments gather in a short tail, which is joined into a block when it is full: joining everything each time would
    cost the square of the text.
    """

    __slots__ = ("_blocks", "_tail")
    _TAIL_LENGTH = 256

    def __init__(self, text: str = "") -> None:
        self._blocks: list[str] = [text] if text else []
        # How many blocks there are, and the tail after them: one value, so that a reader on another thread, who takes
        # no lock, never sees a fragment in both or in neither.
        self._tail: tuple[int, list[str]] = (len(self._blocks), [])

    def append(self, text: str) -> None:
        count, tail = self._tail
        tail.append(text)
        if len(tail) >= self._TAIL_LENGTH:
            self._blocks.append("".join(tail))
            self._tail = (count + 1, [])

    def __str__(self) -> str:
        count, tail = self._tail
        return "".join(self._blocks[:count]) + "".join(tail)

    def __bool__(self) -> bool:
        count, tail = self._tail
        return bool(count or tail)


# --------------------------------------------------------------------------------------------------------------------
# parts

PART_KINDS = {
    "text": "text",
    "functionCall": "call",
    "executableCode": "code",
    "codeExecutionResult": "code_result",
    "inlineData": "file",
    "fileData": "file",
}
"""Wire name of a part's data to the kind of part it makes; anything else is `other`."""


@dataclass(slots=True, kw_only=True, repr=False)
class Part:
    """What every part has. `index` never changes; `otid` rises with order and is distinct for every part and call.

    `chunks` are the numbers of the chunks that brought the part, as inclusive ranges; `first_s` and `last_s` the
    arrival of the first and last of them. `signature` is the thought signature as it came (base64 text). `thought` is
    True where the model marked the part as a thought. `extra` holds wire fields of the part that have no name here.
    """

    kind: ClassVar[str]

    index: int
    otid: int
    step: int
    run: str
    first_s: float
    last_s: float
    chunks: list[list[int]]
    signature: str | None = None
    thought: bool = False
    extra: Wire = field(default_factory=dict)
    closed: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.index} {shorten(self.gist())}>"

    def gist(self) -> str:
        """The part in a few words, for whoever prints it."""
        return str(self.fields())

    def touch(self, chunk: int, at_s: float) -> None:
        """Note that `chunk` brought something for this part."""
        self.last_s = at_s
        last = self.chunks[-1]
        if chunk > last[1] + 1:
            self.chunks.append([chunk, chunk])
        else:
            last[1] = chunk

    def data(self) -> Wire | None:
        """The part's own wire fields, without signature and thought mark; None where it cannot be sent again."""
        raise NotImplementedError

    def to_wire(self) -> Wire | None:
        """The part as the next request sends it, its signature in place; None where Gemini would not take it."""
        data = self.data()
        if data is None:
            return None
        if self.thought:
            data["thought"] = True
        data |= self.extra
        if self.signature:  # an empty text is none, and Gemini would not take it
            data["thoughtSignature"] = self.signature
        return data

    def fields(self) -> Json:
        """The fields of this kind, as the page gets them."""
        raise NotImplementedError

    def to_json(self) -> Json:
        """The part as docs/protocol.md describes it."""
        out: Wire = {
            "index": self.index,
            "otid": self.otid,
            "kind": self.kind,
            "step": self.step,
            "run": self.run,
            "first_s": self.first_s,
            "last_s": self.last_s if self.closed else None,
            "chunks": [list(r) for r in self.chunks] if self.closed else None,
            "signature": self.signature,
            "thought": self.thought,
        }
        if self.extra:
            out["extra"] = clean(self.extra)
        return out | self.fields()


@dataclass(slots=True, kw_only=True, repr=False)
class TextPart(Part):
    """Text, or a thought when `thought` is True. Empty where the part carried only a signature."""

    buffer: TextBuffer
    path: Path  # of its text, made once: appends are the hot path
    wire_text: bool = True  # False: the part had no `text` field at all, only a signature

    @property
    def kind(self) -> str:  # type: ignore[override]  # the one kind that depends on a mark of the part
        return "thought" if self.thought else "text"

    @property
    def text(self) -> str:
        return str(self.buffer)

    def gist(self) -> str:
        return repr(self.text)

    def data(self) -> Wire:
        return {"text": self.text} if self.wire_text else {}

    def fields(self) -> Json:
        return {"text": self.text}


DecidedBy: TypeAlias = Literal["button", "code", "policy", "rule", "timeout", "stop"]
Scope: TypeAlias = Literal["once", "run", "chat"]


@dataclass(slots=True, frozen=True)
class Decision:
    """Who decided about a call, how and when. `edited`: the arguments that ran are not those the model sent."""

    call: str
    otid: int
    verdict: Literal["approved", "denied"]
    by: DecidedBy
    reason: str | None
    edited: bool
    scope: Scope
    at_s: float

    def to_json(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__}


LIVE = frozenset({"args", "used_args", "result", "display"})
"""Fields of a call that are handed out as copies; as they are they have the prefix `live_`."""


@dataclass(slots=True, kw_only=True, repr=False)
class ToolCall:
    """A function call the model asked for, with a state (machine.CALL_TABLE).

    `id` is ours (`s<step>c<n>`), `call_id` the provider's or None. `args` are the arguments as the model sent them,
    `used_args` those that ran, `result` the response the model reads back, `display` the result for people. `hash`
    names tool and arguments as shown while a decision is awaited; `schema` and `doc` are the tool's, where it is ours.
    """

    id: str
    otid: int
    call_id: str | None
    name: str
    live_args: Json
    state: str
    step: int
    doc: str = ""
    schema: Json | None = None
    hash: str | None = None
    deadline_s: float | None = None
    decision: Decision | None = None
    live_used_args: Json | None = None
    started_s: float | None = None
    ended_s: float | None = None
    printed: str = ""
    live_result: Any = None
    live_display: Json | None = None
    error: str | None = None
    traceback: str | None = None
    model_side: bool = False  # answered within the stream, by a tool on the model's side

    @property
    def args(self) -> Json:
        """A copy: what somebody does to it changes neither what is shown nor what runs."""
        return deepcopy(self.live_args)

    @property
    def used_args(self) -> Json | None:
        """A copy, as `args`."""
        return deepcopy(self.live_used_args)

    @property
    def result(self) -> Any:
        """A copy, as `args`: what is changed in it does not reach the model."""
        return deepcopy(self.live_result)

    @property
    def display(self) -> Json | None:
        """A copy, as `args`."""
        return deepcopy(self.live_display)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"<ToolCall {self.id} {self.name}({shorten(given)}) {self.state}>"

    def to_json(self) -> Json:
        names = (name for name in self.__slots__ if name not in ("step", "model_side"))
        out = {name.removeprefix("live_"): clean(getattr(self, name)) for name in names}
        return out | {"decision": None if self.decision is None else clean(self.decision.to_json())}


@dataclass(slots=True, kw_only=True, repr=False)
class CallPart(Part):
    kind: ClassVar[str] = "call"
    call: ToolCall
    raw: Wire | None = None  # the functionCall as it came whole, so that it goes back unchanged
    complete: bool = True  # False while arguments still come, and for ever if the stream was cut before their end

    def gist(self) -> str:
        return repr(self.call)

    def data(self) -> Wire | None:
        if not self.complete or not self.call.name:
            return None
        if self.raw is not None:
            return {"functionCall": dict(self.raw)}
        call: Wire = {"name": self.call.name, "args": self.call.args}
        if self.call.call_id:
            call["id"] = self.call.call_id
        return {"functionCall": call}

    def fields(self) -> Json:
        return {"call": self.call.to_json()}


@dataclass(slots=True, kw_only=True, repr=False)
class CodePart(Part):
    """Code that the model ran on its own side."""

    kind: ClassVar[str] = "code"
    raw: Wire

    def data(self) -> Wire:
        return {"executableCode": dict(self.raw)}

    def fields(self) -> Json:
        return {"code": _text(self.raw.get("code")), "language": _text(self.raw.get("language"))}


@dataclass(slots=True, kw_only=True, repr=False)
class CodeResultPart(Part):
    """What the code of the part before it printed. `outcome` is as spelled on the wire."""

    kind: ClassVar[str] = "code_result"
    raw: Wire

    def data(self) -> Wire:
        return {"codeExecutionResult": dict(self.raw)}

    def fields(self) -> Json:
        return {"output": _text(self.raw.get("output")), "outcome": _text(self.raw.get("outcome"))}


@dataclass(slots=True, kw_only=True, repr=False)
class FilePart(Part):
    """Inline data (`inlineData`) or a reference to a file (`fileData`)."""

    kind: ClassVar[str] = "file"
    field_name: str
    raw: Wire

    def data(self) -> Wire:
        return {self.field_name: dict(self.raw)}

    def fields(self) -> Json:
        data = self.raw.get("data")
        data = data if isinstance(data, str) else None
        size = bytes_in(data)
        cut = size is not None and size > MAX_INLINE_BYTES
        uri = self.raw.get("fileUri")
        return {
            "mime_type": _text(self.raw.get("mimeType")),
            "size_bytes": size,
            "data": None if cut else data,
            "cut": cut,
            "uri": uri if isinstance(uri, str) else None,
            "name": self.raw.get("displayName") if isinstance(self.raw.get("displayName"), str) else None,
        }


def bytes_in(data: Any) -> int | None:
    """How many bytes base64 text stands for; None for anything else."""
    return len(data) * 3 // 4 - data[-2:].count("=") if isinstance(data, str) else None


@dataclass(slots=True, kw_only=True, repr=False)
class OtherPart(Part):
    """A part of a kind this package does not know by name: kept, shown raw, and sent back as it came. Not one of a kind
    it does know, in a shape that it cannot have: nobody would take that.
    """

    kind: ClassVar[str] = "other"
    raw: Wire

    def data(self) -> Wire | None:
        return None if not self.raw or self.raw.keys() & PART_KINDS.keys() else dict(self.raw)

    def fields(self) -> Json:
        return {"raw": clean(self.raw)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
