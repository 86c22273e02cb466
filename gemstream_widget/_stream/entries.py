"""Entries: what happened in a run, one by one, as the journal keeps it (journal.py).

An entry tells what was asked, decided, answered or cut, and nothing that follows from it: states, otids and counters
are worked out by whoever reads (fold.py). `at_s` is in seconds since the run's start, and at a queued run's turn, which
starts its clock, 0. Calls are named by our id, `s<step>c<n>`.

The names of fields are those of the lines in a file; docs/journal.md is the list of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from .._plain import Json, Wire
from ..errors import RunFailed
from .parts import DecidedBy, Scope
from .values import Offers, StoppedBy

__all__ = [
    "Ask",
    "Decide",
    "End",
    "Entry",
    "Header",
    "Hop",
    "Move",
    "Print",
    "Refuse",
    "Repair",
    "Request",
    "Response",
    "Result",
    "Retry",
    "Rules",
    "Stop",
    "StreamEnd",
    "Tool",
    "Turn",
    "Unknown",
]


@dataclass(slots=True, kw_only=True)
class Header:
    """What stands over the entries of a run. `run` is its id among all runs anywhere; `prompt` is what it sent first,
    as wire Contents; `attachments` are the words for what went into that; `started_at` is Unix time in seconds. `again`
    is the id of the run whose prompt this one sends once more: it is that run's own, and a file tells it once.
    """

    run: str
    model: str
    demo: bool
    prompt: list[Wire]
    started_at: float
    attachments: Sequence[str] = ()
    queued: bool = False
    again: str | None = None


@dataclass(slots=True)
class Turn:
    """Every run before it has ended: a queued run starts. `prompt` is what it sends, now that open calls are known;
    None where that is what its header says.
    """

    kind: ClassVar[str] = "turn"
    at_s: float
    started_at: float
    prompt: list[Wire] | None = None


@dataclass(slots=True)
class Move:
    """An event of machine.RUN_TABLE that nothing else here tells of."""

    kind: ClassVar[str] = "move"
    at_s: float
    event: str


@dataclass(slots=True)
class Request:
    """A step begins: its request goes out. `config` is what was asked for beside the contents, as plain JSON: model,
    system instruction, the names of tools, and the fields of the SDK's config; None where it is what the request before
    it had. What it sent is what the conversation says up to here: it is not told again.
    """

    kind: ClassVar[str] = "request"
    at_s: float
    config: Json | None = None


@dataclass(slots=True)
class Hop:
    """The step goes on in another request, with the token that its stream gave last."""

    kind: ClassVar[str] = "hop"
    at_s: float


@dataclass(slots=True)
class Repair:
    """The last request is not sent as the conversation says it: what was mended in it on its way out, in sentences."""

    kind: ClassVar[str] = "repair"
    at_s: float
    done: list[str]


@dataclass(slots=True)
class Response:
    """The last request is answered, and its frames follow. `reading` is who made them of what the server sent: "bytes",
    nobody: they are the text as it came; "sdk", google-genai, which drops what it has no name for and writes base64
    anew. `headers` are some of the response's, none that may hold a secret. `sent_sha256` is that of the request's body
    as it went out, in hex, where that was seen.
    """

    kind: ClassVar[str] = "response"
    at_s: float
    reading: Literal["bytes", "sdk"]
    headers: dict[str, str] = field(default_factory=dict)
    sent_sha256: str | None = None


@dataclass(slots=True)
class StreamEnd:
    """A step's stream is over. `outcome` is None where it was read to its end, and else "error" or "stopped". Frames
    after it are kept, and mean nothing any more.
    """

    kind: ClassVar[str] = "stream_end"
    at_s: float
    outcome: str | None = None


@dataclass(slots=True)
class Retry:
    """The step failed before anything of the answer came, and is asked for again at `until_s`; up to `of` times."""

    kind: ClassVar[str] = "retry"
    at_s: float
    until_s: float
    of: int
    title: str
    message: str


@dataclass(slots=True)
class Tool:
    """The tool of ours that a call names: the first line of its description, and its parameters' schema."""

    kind: ClassVar[str] = "tool"
    at_s: float
    call: str
    doc: str
    schema: Json | None


@dataclass(slots=True)
class Ask:
    """A call waits for a person. `hash` names tool and arguments as shown, `reason` is the policy's."""

    kind: ClassVar[str] = "ask"
    at_s: float
    call: str
    hash: str
    deadline_s: float | None = None
    reason: str | None = None


@dataclass(slots=True)
class Decide:
    """A call was decided about. `event` is one of machine.CALL_TABLE; `args` are those that run, where they are not the
    model's; `result` is what the model reads where it was denied.
    """

    kind: ClassVar[str] = "decide"
    at_s: float
    call: str
    event: Literal["approve", "deny", "timeout", "auto", "never"]
    by: DecidedBy
    reason: str | None = None
    scope: Scope = "once"
    args: Json | None = None
    result: Json | None = None


@dataclass(slots=True)
class Refuse:
    """A call that no tool of ours can carry out."""

    kind: ClassVar[str] = "refuse"
    at_s: float
    call: str
    error: str
    result: Json


@dataclass(slots=True)
class Result:
    """A tool ended. `event` is one of machine.CALL_TABLE; `result` is what the model reads, `display` is for people."""

    kind: ClassVar[str] = "result"
    at_s: float
    call: str
    event: Literal["returned", "raised", "timeout"]
    result: Any = None
    display: Json | None = None
    error: str | None = None
    traceback: str | None = None


@dataclass(slots=True)
class Print:
    """A running tool printed something."""

    kind: ClassVar[str] = "print"
    at_s: float
    call: str
    text: str


@dataclass(slots=True)
class Rules:
    """The rules that decisions made, as a page shows them."""

    kind: ClassVar[str] = "rules"
    at_s: float
    rules: list[Json]


@dataclass(slots=True)
class Stop:
    """Somebody asked for a Stop."""

    kind: ClassVar[str] = "stop"
    at_s: float
    by: StoppedBy


@dataclass(slots=True)
class End:
    """The run is over; always the last. `event` is one of machine.RUN_TABLE. `error` is what made it fail, where the
    stream itself does not tell; `closed_s` is when a Stop had closed the connection.
    """

    kind: ClassVar[str] = "end"
    __pydantic_config__: ClassVar[Json] = {
        "arbitrary_types_allowed": True
    }  # an error is one already when it is checked
    at_s: float
    event: str
    stopped_by: str | None = None
    notice: dict[str, str] | None = None
    error: RunFailed | None = None
    closed_s: float | None = None
    offers: Offers = field(default_factory=Offers)


@dataclass(slots=True)
class Unknown:
    """An entry of a kind that this version does not know. It is kept, and changes nothing."""

    at_s: float
    fields: Json


Entry: TypeAlias = (
    Turn
    | Move
    | Request
    | Hop
    | Repair
    | Response
    | StreamEnd
    | Retry
    | Tool
    | Ask
    | Decide
    | Refuse
    | Result
    | Print
    | Rules
    | Stop
    | End
    | Unknown
)
