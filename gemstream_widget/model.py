"""Values: parts, tool calls, steps, usage, timing, receipts; and the events that change them.

A *chunk* is one GenerateContentResponse as a dict in Gemini's wire form. A *part* is one item of content, a *step* one
request with its stream, a *run* one prompt until it ends. All times are seconds since the run's start.

The values belong to the run that made them: they change on the run's loop only, and are for reading everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from .clean import clean

__all__ = [
    "ArgsChanged",
    "CallPart",
    "CallStateChanged",
    "CodePart",
    "CodeResultPart",
    "DecidedBy",
    "Decision",
    "Event",
    "FilePart",
    "OtherPart",
    "Part",
    "PartEnded",
    "PartStarted",
    "Printed",
    "Receipt",
    "Retry",
    "RetryScheduled",
    "RulesChanged",
    "RunEnded",
    "RunStarted",
    "RunStateChanged",
    "Scope",
    "Step",
    "StepDetail",
    "StepEnded",
    "StepStarted",
    "TextAdded",
    "TextBuffer",
    "TextPart",
    "Timing",
    "ToolCall",
    "Usage",
    "UsageReported",
    "Wire",
]

Wire: TypeAlias = dict[str, Any]
"""JSON in Gemini's own wire form: camelCase names, base64 text for bytes."""

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
        self._tail: list[str] = []  # readers on other threads hold the run's lock: the two change together

    def append(self, text: str) -> None:
        tail = self._tail
        tail.append(text)
        if len(tail) >= self._TAIL_LENGTH:
            self._blocks.append("".join(tail))
            self._tail = []

    def __str__(self) -> str:
        return "".join(self._blocks) + "".join(self._tail)

    def __bool__(self) -> bool:
        return bool(self._blocks or self._tail)


# --------------------------------------------------------------------------------------------------------------------
# parts


@dataclass(slots=True, kw_only=True)
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
        if self.signature is not None:
            data["thoughtSignature"] = self.signature
        return data

    def fields(self) -> Wire:
        """The fields of this kind, as the page gets them."""
        raise NotImplementedError

    def to_json(self) -> Wire:
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


@dataclass(slots=True, kw_only=True)
class TextPart(Part):
    """Text, or a thought when `thought` is True. Empty where the part carried only a signature."""

    buffer: TextBuffer
    wire_text: bool = True  # False: the part had no `text` field at all, only a signature

    @property
    def kind(self) -> str:  # type: ignore[override]  # the one kind that depends on a mark of the part
        return "thought" if self.thought else "text"

    @property
    def text(self) -> str:
        return str(self.buffer)

    def data(self) -> Wire:
        return {"text": self.text} if self.wire_text else {}

    def fields(self) -> Wire:
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

    def to_json(self) -> Wire:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, kw_only=True)
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
    args: Wire
    state: str
    step: int
    doc: str = ""
    schema: Wire | None = None
    hash: str | None = None
    deadline_s: float | None = None
    decision: Decision | None = None
    used_args: Wire | None = None
    started_s: float | None = None
    ended_s: float | None = None
    printed: str = ""
    result: Any = None
    display: Wire | None = None
    error: str | None = None
    traceback: str | None = None
    model_side: bool = False  # answered within the stream, by a tool on the model's side

    def to_json(self) -> Wire:
        out = {name: clean(getattr(self, name)) for name in self.__slots__ if name not in ("step", "model_side")}
        return out | {"decision": None if self.decision is None else self.decision.to_json()}


@dataclass(slots=True, kw_only=True)
class CallPart(Part):
    kind: ClassVar[str] = "call"
    call: ToolCall
    raw: Wire | None = None  # the functionCall as it came whole, so that it goes back unchanged
    complete: bool = True  # False while arguments still come, and for ever if the stream was cut before their end

    def data(self) -> Wire | None:
        if not self.complete or not self.call.name:
            return None
        if self.raw is not None:
            return {"functionCall": dict(self.raw)}
        call: Wire = {"name": self.call.name, "args": self.call.args}
        if self.call.call_id:
            call["id"] = self.call.call_id
        return {"functionCall": call}

    def fields(self) -> Wire:
        return {"call": self.call.to_json()}


@dataclass(slots=True, kw_only=True)
class CodePart(Part):
    """Code that the model ran on its own side."""

    kind: ClassVar[str] = "code"
    raw: Wire

    def data(self) -> Wire:
        return {"executableCode": dict(self.raw)}

    def fields(self) -> Wire:
        return {"code": _text(self.raw.get("code")), "language": _text(self.raw.get("language"))}


@dataclass(slots=True, kw_only=True)
class CodeResultPart(Part):
    """What the code of the part before it printed. `outcome` is as spelled on the wire."""

    kind: ClassVar[str] = "code_result"
    raw: Wire

    def data(self) -> Wire:
        return {"codeExecutionResult": dict(self.raw)}

    def fields(self) -> Wire:
        return {"output": _text(self.raw.get("output")), "outcome": _text(self.raw.get("outcome"))}


@dataclass(slots=True, kw_only=True)
class FilePart(Part):
    """Inline data (`inlineData`) or a reference to a file (`fileData`)."""

    kind: ClassVar[str] = "file"
    field_name: str
    raw: Wire

    def data(self) -> Wire:
        return {self.field_name: dict(self.raw)}

    def fields(self) -> Wire:
        data = self.raw.get("data")
        data = data if isinstance(data, str) else None
        size = None if data is None else len(data) * 3 // 4 - data[-2:].count("=")
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


SENDABLE_OTHERS = ("functionResponse", "toolCall", "toolResponse")
"""Kinds of part that are shown raw here and that Gemini takes back as they came."""


@dataclass(slots=True, kw_only=True)
class OtherPart(Part):
    """A part of a kind this package does not know by name: kept and shown raw."""

    kind: ClassVar[str] = "other"
    raw: Wire

    def data(self) -> Wire | None:
        return dict(self.raw) if any(name in self.raw for name in SENDABLE_OTHERS) else None

    def fields(self) -> Wire:
        return {"raw": clean(self.raw)}


# --------------------------------------------------------------------------------------------------------------------
# counters, steps, receipts

USAGE_FIELDS: dict[str, str] = {
    "promptTokenCount": "prompt_token_count",
    "candidatesTokenCount": "candidates_token_count",
    "thoughtsTokenCount": "thoughts_token_count",
    "toolUsePromptTokenCount": "tool_use_prompt_token_count",
    "cachedContentTokenCount": "cached_content_token_count",
    "totalTokenCount": "total_token_count",
}
"""Gemini's counters: wire name to the name used here."""


@dataclass(slots=True)
class Usage:
    """Token counters under Gemini's names. None is "never reported", 0 is "reported 0".

    Within a step each counter holds its last reported value (they are cumulative, and may fall); over steps they add
    up. `raw` is the last usageMetadata object as it came.
    """

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    total_token_count: int | None = None
    raw: Wire | None = None

    def report(self, raw: Wire) -> None:
        """Take over what one usageMetadata object reports."""
        self.raw = raw
        for wire_name, name in USAGE_FIELDS.items():
            value = raw.get(wire_name)
            if isinstance(value, int):
                setattr(self, name, value)

    def __add__(self, other: Usage) -> Usage:
        total = Usage(raw=other.raw if other.raw is not None else self.raw)
        for name in USAGE_FIELDS.values():
            a, b = getattr(self, name), getattr(other, name)
            setattr(total, name, b if a is None else a if b is None else a + b)
        return total

    def to_json(self) -> dict[str, int]:
        """The reported counters only."""
        return {n: v for n in USAGE_FIELDS.values() if (v := getattr(self, n)) is not None}


@dataclass(slots=True)
class Timing:
    """`started_at` is Unix time in seconds; the others are seconds since then, None while not reached."""

    started_at: float
    first_chunk_s: float | None = None
    first_text_s: float | None = None
    ended_s: float | None = None


STEP_LISTS = ("grounding", "citations", "url_context", "candidates")


@dataclass(slots=True)
class Step:
    """One request and its stream. `outcome`: see finish.py; `other` holds whatever else came, by wire name."""

    index: int
    started_s: float
    first_chunk_s: float | None = None
    ended_s: float | None = None
    chunk_count: int = 0
    outcome: str | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: Wire | None = None
    grounding: list[Wire] = field(default_factory=list)
    citations: list[Wire] = field(default_factory=list)
    url_context: list[Wire] = field(default_factory=list)
    candidates: list[Wire] = field(default_factory=list)
    other: Wire = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def to_json(self) -> Wire:
        ended = self.ended_s is not None
        return {
            "index": self.index,
            "started_s": self.started_s,
            "first_chunk_s": self.first_chunk_s,
            "ended_s": self.ended_s,
            "chunk_count": self.chunk_count if ended else None,
            "outcome": self.outcome,
            "finish_reason": self.finish_reason,
            "finish_message": self.finish_message,
            "model_version": self.model_version,
            "response_id": self.response_id,
            "usage": self.usage.to_json() if ended else {},
            "prompt_feedback": self.prompt_feedback,
            "grounding": list(self.grounding),
            "citations": list(self.citations),
            "url_context": list(self.url_context),
            "candidates": list(self.candidates),
            "other": dict(self.other),
        }


StoppedBy: TypeAlias = Literal["button", "code", "interrupt", "closed"]


@dataclass(slots=True, frozen=True)
class Receipt:
    """How a Stop went.

    `by` tells who asked, `when` at what point of the run; `asked_s` is when Stop was asked for, `closed_s` when the
    connection was closed (None where none was open, or where it had not ended within the grace time); `chunks_after`
    counts the chunks that arrived in between (they are kept); `tokens` is the last reported total.
    """

    by: StoppedBy
    when: str
    asked_s: float
    closed_s: float | None
    chunks_after: int
    tokens: int | None

    def to_json(self) -> Wire:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True, frozen=True)
class Retry:
    """A request that failed before anything of the answer came, and is sent again at `until_s`.

    `step` is the step it failed in, `attempt` its number among those that are tried (1 to `of`), `title` and `message`
    are its error's.
    """

    step: int
    attempt: int
    of: int
    title: str
    message: str
    failed_s: float
    until_s: float

    def to_json(self) -> Wire:
        return {name: getattr(self, name) for name in self.__slots__}


# --------------------------------------------------------------------------------------------------------------------
# events; the decoder and the run make them, the reducer applies them, `async for event in run` yields them


@dataclass(slots=True)
class RunStarted:
    at_s: float


@dataclass(slots=True)
class RunStateChanged:
    state: str


@dataclass(slots=True)
class RunEnded:
    """The terminal event: exactly one per run, always the last."""

    at_s: float
    state: str
    stopped_by: str | None = None
    notice: Mapping[str, str] | None = None
    error: Wire | None = None
    receipt: Receipt | None = None
    offers: Sequence[str] = ()
    """What the reader may ask for next: "repair", "retry", "continue"."""


@dataclass(slots=True)
class RetryScheduled:
    retry: Retry


@dataclass(slots=True)
class StepStarted:
    step: int
    at_s: float


@dataclass(slots=True)
class StepDetail:
    """A field of the step became known: `Step`'s lists get `value` appended, `other` gets it by `key`."""

    step: int
    name: str
    value: Any
    key: str | None = None


@dataclass(slots=True)
class StepEnded:
    step: int
    at_s: float
    outcome: str
    chunk_count: int


@dataclass(slots=True)
class PartStarted:
    """A part began. `raw` holds its wire fields, `text` its first text (None: a text part that has no text field)."""

    index: int
    step: int
    kind: str
    at_s: float
    chunk: int
    text: str | None = ""
    raw: Wire = field(default_factory=dict)
    signature: str | None = None
    thought: bool = False
    extra: Wire = field(default_factory=dict)
    call_id: str | None = None  # our id, for a call
    streaming: bool = False  # a call whose arguments come in pieces


@dataclass(slots=True)
class TextAdded:
    part: int
    text: str
    chunk: int
    at_s: float


@dataclass(slots=True)
class ArgsChanged:
    """An argument of a streaming call grew. `path` leads into its args; with `append`, `value` is text to append."""

    part: int
    path: tuple[str | int, ...]
    value: Any
    append: bool
    chunk: int
    at_s: float


@dataclass(slots=True)
class PartEnded:
    part: int


@dataclass(slots=True)
class CallStateChanged:
    """A tool call moved along machine.CALL_TABLE; `fields` are those of ToolCall that changed with it."""

    call_id: str
    part: int
    state: str
    fields: Wire = field(default_factory=dict)


@dataclass(slots=True)
class Printed:
    """A running tool printed something."""

    call_id: str
    part: int
    text: str


@dataclass(slots=True)
class RulesChanged:
    """The rules that decisions made, as the page shows them."""

    rules: list[Wire]


@dataclass(slots=True)
class UsageReported:
    step: int
    raw: Wire


Event: TypeAlias = (
    RunStarted
    | RunStateChanged
    | RunEnded
    | RetryScheduled
    | StepStarted
    | StepDetail
    | StepEnded
    | PartStarted
    | TextAdded
    | ArgsChanged
    | PartEnded
    | CallStateChanged
    | Printed
    | RulesChanged
    | UsageReported
)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
