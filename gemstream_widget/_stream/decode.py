"""Wire chunk to events, without I/O: the one place that knows what a Gemini chunk means.

A Decoder reads one run: `begin` a step, `push` its chunks in order, `end` it. It never raises for what a model or a
server sent, however odd: what it does not understand becomes an `other` part or a step detail, and the chunk itself is
kept by the run. The single exception is an error object in the stream, which is raised as ApiError.

Rules that come from recorded traffic:
- A finish reason is not the end of the stream: streams with code execution send STOP, go on, and send STOP again. The
  last one counts, and calls are judged only when the stream has ended.
- A signature belongs to exactly the part it came on, which is therefore never joined with a neighbour.
- Candidates are told apart by `index`, not by position.
- Function call arguments may come in pieces (Vertex): see `_call`.
  https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
"""

from __future__ import annotations

import re
from typing import Any

from .._plain import Wire, clean, clean_text
from .._redact import redact
from ..errors import ApiError
from .events import (
    ArgsChanged,
    CallStateChanged,
    Event,
    PartEnded,
    PartSigned,
    PartStarted,
    StepDetail,
    StepEnded,
    StepStarted,
    TextAdded,
    UsageReported,
)
from .machine import CALL_TABLE, next_state
from .matching import Named, match
from .outcome import NOT_JSON, NUMBERS, outcome_of
from .parts import PART_KINDS

__all__ = ["Decoder"]


_PART_MARKS = frozenset({"thought", "thoughtSignature"})
_TEXT_FIELDS = frozenset({"text", *_PART_MARKS})
_PLAIN_DETAILS = {"modelVersion": "model_version", "responseId": "response_id", "promptFeedback": "prompt_feedback"}
_CANDIDATE_DETAILS = {
    "finishReason": "finish_reason",
    "finishMessage": "finish_message",
}
_CANDIDATE_LISTS = {
    "citationMetadata": ("citations", ("citationSources", "citations")),
    "urlContextMetadata": ("url_context", ("urlMetadata",)),
}
_NO_NAME = "The function call has no name, so nothing could be run."


class Decoder:
    """Reads the chunks of one run. Not thread-safe: call it on the run's loop."""

    def __init__(self) -> None:
        self._parts = 0  # parts so far: the next index
        self._open: int | None = None  # index of the text part that may still grow
        self._open_thought = False
        self._streaming: PartStarted | None = None  # the call whose arguments still come
        self._last_call: PartStarted | None = None  # where no part came after it: its signature may still come
        self._calls: dict[str, PartStarted] = {}  # calls of this step that nobody has answered yet, by our id
        self._call_count = 0
        self._content = False
        self._chunks = 0
        self._step = -1
        self._seen: Wire = {}  # of this step, so that what later chunks repeat is told once
        self._events: list[Event] = []  # of the chunk that is being read, whose number and arrival follow
        self._token: str | None = None  # that it brought
        self._number = -1
        self._at_s = 0.0

    @property
    def calls(self) -> list[str]:
        """Our ids of the calls that wait for an answer, in order."""
        return list(self._calls)

    def begin(self, step: int, at_s: float) -> list[Event]:
        """Start a step. `step` counts from 0."""
        self._step = step
        self._seen = {}
        self._calls = {}
        self._last_call = None
        self._call_count = 0
        self._content = False
        self._chunks = 0
        return [StepStarted(step, at_s)]

    def hop(self) -> None:
        """The step goes on in another stream: what is open stays open, and how the last one ended counts no more."""
        for name in ("finish_reason", "finish_message"):
            self._seen.pop(name, None)

    def unreadable(self, text: str) -> list[Event]:
        """The event of a frame whose data is no JSON: it says nothing, and somebody in between may have written it."""
        self._events = []
        self._chunks += 1
        self._detail("other", redact(text), NOT_JSON)
        return self._events

    def push(self, chunk: Any, number: int, at_s: float) -> list[Event]:
        """The events of one chunk; `number` counts the chunks of the run. Raises ApiError for an error object."""
        self._events, self._number, self._at_s = [], number, at_s
        if self._chunks == 0:
            self._detail("first_chunk_s", at_s)
        self._chunks += 1
        if not isinstance(chunk, dict):
            self._detail("other", chunk, "not an object")
            return self._events
        self._token = None
        for name, value in chunk.items():
            if name == "candidates":
                if isinstance(value, list):
                    for position, candidate in enumerate(value):
                        self._candidate(candidate, position)
                elif value is not None:
                    self._detail("other", value, name)
            elif name == "usageMetadata" and isinstance(value, dict):
                self._events.append(UsageReported(self._step, value))
            elif value and value == self._seen.get(_PLAIN_DETAILS.get(name, "")):
                continue  # most chunks tell their model and response anew
            elif name in ("error", "$error") and isinstance(value, dict) and "candidates" not in chunk:
                raise _api_error(clean(value))
            else:
                self._plain(str(name), value)
        if self._token is not None:  # last: it is for what came up to it, and with it
            self._detail("token", self._token)
        return self._events

    def end(self, at_s: float, outcome: str | None = None) -> list[Event]:
        """Close what is open and end the step. `outcome` is given where the stream did not end by itself."""
        self._events = []
        self._close_text()
        self._close_call(whole=outcome is None)
        if outcome is None:
            feedback, reason = self._seen.get("prompt_feedback"), self._seen.get("finish_reason")
            outcome = outcome_of(feedback, reason, content=self._content, calls=bool(self._calls))
        self._events.append(StepEnded(self._step, at_s, outcome, self._chunks))
        return self._events

    # -- chunk and candidate ------------------------------------------------------------------------------------

    def _plain(self, name: str, value: Any) -> None:
        field = _PLAIN_DETAILS.get(name)
        if field is None or not isinstance(value, dict if field == "prompt_feedback" else str):
            if name != "createTime":
                self._detail("other", value, name)
        elif value:  # an empty id never replaces one reported before
            self._fact(field, clean(value))

    def _detail(self, name: str, value: Any, key: str | None = None) -> None:
        self._events.append(StepDetail(self._step, name, clean(value), None if key is None else clean_text(key)))

    def _fact(self, name: str, value: Any) -> None:
        """A detail of which the last value counts."""
        if self._seen.get(name) != value:
            self._seen[name] = value
            self._detail(name, value)

    def _candidate(self, candidate: Any, position: int) -> None:
        if not isinstance(candidate, dict):
            self._detail("other", candidate, "candidates")
            return
        if candidate.get("index", position) not in (0, None):
            self._detail("candidates", candidate)
            return
        for name, value in candidate.items():
            if name == "content":
                self._parts_of(value)
            elif name == "index":
                continue
            elif name in _CANDIDATE_DETAILS:
                field, text = _CANDIDATE_DETAILS[name], value if isinstance(value, str) else str(clean(value))
                if name == "finishReason":
                    text = NUMBERS.get(text, text)
                if value is not None:
                    self._fact(field, text)
            elif name == "continuationToken" and isinstance(value, str):
                self._token = value
            elif name == "groundingMetadata" and isinstance(value, dict):
                if value:
                    self._fact("grounding", clean(value))
            elif name in _CANDIDATE_LISTS and isinstance(value, dict):
                self._entries(name, value)
            else:
                self._detail("other", value, name)

    def _entries(self, name: str, value: Wire) -> None:
        """Collect the entries of a metadata list that later chunks repeat."""
        field, keys = _CANDIDATE_LISTS[name]
        kept: list[Wire] = self._seen.setdefault(field, [])
        for key in keys:
            entries = value.get(key)
            for entry in clean(entries) if isinstance(entries, list) else ():
                if isinstance(entry, dict) and entry not in kept:
                    kept.append(entry)
                    self._detail(field, entry)

    def _parts_of(self, content: Any) -> None:
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if not isinstance(part, dict):
                self._whole("other", {"value": clean(part)}, {})
            elif isinstance(text := part.get("text"), str) and (text or part.keys() <= _TEXT_FIELDS):
                self._text(clean_text(text), part)
            else:
                self._data(clean(part))

    # -- text -----------------------------------------------------------------------------------------------------

    def _text(self, text: str, part: Wire) -> None:
        thought = part.get("thought") is True
        if len(part) == 1 or (len(part) == 2 and "thought" in part):  # nothing but text, and perhaps its mark
            if not text:
                return
            if self._open is not None and self._open_thought is thought:
                self._events.append(TextAdded(self._open, text, self._number, self._at_s))
                return
            self._start("text", {}, part, text=text)
            self._open, self._open_thought = self._parts - 1, thought
            return
        self._whole("text", {}, clean(part), text=text)

    def _close_text(self) -> None:
        if self._open is not None:
            self._events.append(PartEnded(self._open))
            self._open = None

    # -- everything else ------------------------------------------------------------------------------------------

    def _data(self, part: Wire) -> None:
        for name, kind in PART_KINDS.items():
            value = part.get(name)
            if isinstance(value, dict):
                if kind == "call":
                    self._call(value, part)
                else:
                    self._whole(kind, {name: value}, part)
                return
        if part.get("thoughtSignature") is not None and not (part.keys() - _PART_MARKS):
            self._whole("text", {}, part, text=None)
        else:
            self._whole("other", {k: v for k, v in part.items() if k not in _PART_MARKS}, part)

    def _start(
        self,
        kind: str,
        raw: Wire,
        part: Wire,
        *,
        text: str | None = "",
        call_id: str | None = None,
    ) -> PartStarted:
        """Open a part. `raw` holds its data, `part` the whole wire part with its marks and whatever else it has."""
        self._close_text()
        self._close_call()
        self._last_call = None
        signature = part.get("thoughtSignature")
        extra = {}
        if kind != "other" and len(part) > 1:
            extra = {k: v for k, v in part.items() if k not in _TEXT_FIELDS and k not in PART_KINDS}
        if signature is not None and not isinstance(signature, str):  # no signature, but it came
            extra["thoughtSignature"] = signature
        started = PartStarted(
            index=self._parts,
            step=self._step,
            kind=kind,
            at_s=self._at_s,
            chunk=self._number,
            text=text,
            raw=raw,
            signature=signature if isinstance(signature, str) else None,
            thought=part.get("thought") is True,
            extra=extra,
            call_id=call_id,
        )
        self._events.append(started)
        self._parts += 1
        self._content = True
        return started

    def _whole(self, kind: str, raw: Wire, part: Wire, *, text: str | None = "") -> None:
        """A part that comes in one piece. `text` is None where a text part has no text field, only a signature."""
        started = self._start(kind, raw, part, text=text)
        self._events.append(PartEnded(started.index))
        answer = raw.get("functionResponse")
        if isinstance(answer, dict):
            self._answered(answer)

    # -- function calls -------------------------------------------------------------------------------------------

    def _call(self, call: Wire, part: Wire) -> None:
        """A functionCall, whole or in pieces.

        A piece with a name opens a call; pieces without one belong to the open call. A piece without `willContinue`
        ends it, and so do a new name, another part and the end of the stream. `{"willContinue": true}` alone is a
        keep-alive, `{}` the terminator.
        """
        name = call.get("name")
        more = call.get("willContinue") is True
        pieces = call.get("partialArgs")
        pieces = pieces if isinstance(pieces, list) else []
        if not name and self._streaming is not None and call.get("args") is None:
            self._pieces(self._streaming, pieces)
            self._sign(self._streaming, part)
            if not more:
                self._close_call()
            return
        if not name and call.get("args") is None and not pieces and call.get("id") is None:
            self._sign(self._last_call, part)  # a keep-alive or a terminator with no call open
            return
        if name and not more and not pieces:
            self._last_call = started = self._open_call(call, part)
            self._events.append(PartEnded(started.index))
            return
        started = self._open_call(call, part)
        started.streaming = True
        self._streaming = started
        self._pieces(started, pieces)
        if not more or not name:
            self._close_call()

    def _sign(self, started: PartStarted | None, part: Wire) -> None:
        """Keep the signature that a piece of a call brings on the call itself. Where that has one it stays; where there
        is no call, it is a part of its own.
        """
        signature = part.get("thoughtSignature")
        if not isinstance(signature, str) or not signature:
            return
        if started is None:
            self._whole("text", {}, {"thoughtSignature": signature}, text=None)
        elif not started.signature:
            started.signature = signature
            self._events.append(PartSigned(started.index, signature, self._number, self._at_s))

    def _open_call(self, call: Wire, part: Wire) -> PartStarted:
        call_id = f"s{self._step}c{self._call_count}"
        self._call_count += 1
        started = self._start("call", {"functionCall": call}, part, call_id=call_id)
        self._calls[call_id] = started
        return started

    def _pieces(self, started: PartStarted, pieces: list[Any]) -> None:
        for piece in pieces:
            if not isinstance(piece, dict):
                continue
            path = _json_path(piece.get("jsonPath"))
            for name in ("stringValue", "numberValue", "boolValue", "nullValue"):
                if name in piece:
                    value = None if name == "nullValue" else piece[name]
                    append = name == "stringValue" and isinstance(value, str)
                    self._events.append(ArgsChanged(started.index, path, value, append, self._number, self._at_s))

    def _close_call(self, *, whole: bool = True) -> None:
        """End the call whose arguments were coming. Not `whole`: the stream was cut in the middle of them."""
        started, self._streaming = self._streaming, None
        if started is None:
            return
        call_id = started.call_id or ""
        named = bool(started.raw.get("functionCall", {}).get("name"))
        if not named:
            self._calls.pop(call_id, None)
            state = next_state(CALL_TABLE, "streaming_args", "refused")
            self._events.append(CallStateChanged(call_id, started.index, state, {"error": _NO_NAME}))
        elif whole:
            state = next_state(CALL_TABLE, "streaming_args", "end")
            self._events.append(CallStateChanged(call_id, started.index, state))
        self._events.append(PartEnded(started.index))
        self._last_call = started

    def _answered(self, answer: Wire) -> None:
        """A functionResponse from the model's own side: the call it answers is not ours to run."""
        asked = list(self._calls.items())
        (place,) = match(
            [Named.from_wire(started.raw["functionCall"]) for _, started in asked], [Named.from_wire(answer)]
        )
        if place is not None:
            call_id, started = asked[place]
            del self._calls[call_id]
            state = next_state(CALL_TABLE, "requested", "answered")
            fields = {"result": answer.get("response"), "model_side": True}
            self._events.append(CallStateChanged(call_id, started.index, state, fields))


_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,4})\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_MAX_DEPTH = 64


def _json_path(path: Any) -> tuple[str | int, ...]:
    """The keys of an RFC 9535 path such as `$.recipe.ingredients[0].amount`. What is no such path is one plain key."""
    if not isinstance(path, str) or not path.startswith("$"):
        return (str(path),)
    keys: list[str | int] = []
    at = 1
    while at < len(path) and len(keys) < _MAX_DEPTH:
        step = _STEP.match(path, at)
        if step is None:
            return (path,)
        name, index, single, double = step.groups()
        keys.append(int(index) if index is not None else next(k for k in (name, single, double) if k is not None))
        at = step.end()
    return tuple(keys) if keys and at >= len(path) and isinstance(keys[0], str) else (path,)


def _api_error(error: Wire) -> ApiError:
    code = error.get("code")
    return ApiError(
        code if isinstance(code, int) else None,
        str(error["status"]) if error.get("status") else None,
        str(error.get("message") or "Gemini sent an error without a message"),
        error.get("details"),
    )
