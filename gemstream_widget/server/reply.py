"""The chunks of one answer, in the form Gemini gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .._plain import Json
from .signatures import Issuer
from .tokens import count_tokens

__all__ = ["Reply", "fold", "slices"]


@dataclass
class Reply:
    """Builds the chunks of one response: counts its tokens, signs its parts, gives its calls ids.

    Usage is cumulative within the response and is on every chunk; on Vertex only the last chunk has counters, the ones
    before name the traffic type alone (as recorded).
    """

    issuer: Issuer
    response_id: str
    model_version: str
    prompt_tokens: int
    """Of the request, and in a later hop of what was said before, too: Gemini reads both again."""
    token: Callable[[int, int], str]
    """Gives a continuation token for a place in what the model says, from how much this hop has said (`hops`)."""
    call_ids: bool = True
    """Whether calls get ids: Gemini 3 gives them, 2.x does not."""
    vertex: bool = False
    streams_arguments: bool = False
    """Whether calls come in fragments."""
    usage: Json = field(default_factory=dict)
    """Counters of the script's own, instead of counted ones."""
    finished: bool = False
    """Whether a finish reason has been sent."""
    _thought_tokens: int = 0
    _answer_tokens: int = 0
    _calls: int = 0

    def chunk(self, *parts: Json, finish: str | None = None, place: int | None = None, **candidate: Any) -> Json:
        """One GenerateContentResponse with these parts; without parts the candidate has no content.

        `place` is where the answer goes on, for a chunk with a continuation token.
        """
        for part in parts:
            self._count(part)
        if place is not None:
            candidate["continuationToken"] = self.token(place, self._answer_tokens + self._thought_tokens)
        content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
        ending = {"finishReason": finish} if finish else {}
        self.finished = self.finished or finish is not None
        return self.envelope(candidates=[{**content, **ending, "index": 0, **candidate}], last=finish is not None)

    def envelope(self, *, last: bool = False, **fields: Any) -> Json:
        """A response with these fields, usage, model and id."""
        return {
            **fields,
            "usageMetadata": self._usage(last),
            "modelVersion": self.model_version,
            "responseId": self.response_id,
        }

    def final(self, finish: str = "STOP", **candidate: Any) -> Json:
        """The last chunk. After a STOP an empty text carries the signature of what was said, as Gemini 3 sends it."""
        if finish != "STOP":
            return self.chunk(finish=finish, **candidate)
        last = {"text": ""} if self._calls else self.signed({"text": ""})
        return self.chunk(last, finish=finish, **candidate)

    def call(self, name: str, args: Json | None, **streaming: Any) -> Json:
        """A function call part. The first call of a response is signed; None leaves `args` out."""
        arguments = {} if args is None else {"args": args}
        identity = {"id": self.issuer.call_id(self.response_id, self._calls)} if self.call_ids else {}
        part = {"functionCall": {"name": name, **arguments, **streaming, **identity}}
        self._calls += 1
        return self.signed(part) if self._calls == 1 else part

    def streamed_call(self, name: str, args: Json) -> Iterator[Json]:
        """A call whose arguments arrive in fragments, as Vertex AI streams them.

        https://googleapis.github.io/js-genai/release_docs/interfaces/types.FunctionCall.html
        """
        yield self.call(name, None, willContinue=True)
        for path, value in _leaves("$", args):
            for fragment in _fragments(path, value):
                yield {"functionCall": {"partialArgs": [fragment], "willContinue": True}}
        yield {"functionCall": {}}

    def calling(self, name: str, args: Json) -> Iterator[Json]:
        """The parts of a call: one, or fragments where the request asked for them."""
        if self.streams_arguments:
            yield from self.streamed_call(name, args)
        else:
            yield self.call(name, args)

    def signed(self, part: Json) -> Json:
        """The part with a signature of its own."""
        return {**part, "thoughtSignature": self.issuer.signature(part)}

    def _count(self, part: Json) -> None:
        said = [value for name, value in part.items() if name not in ("thought", "thoughtSignature", "inlineData")]
        tokens = count_tokens("".join(map(str, said)))
        if part.get("thought") is True:
            self._thought_tokens += tokens
        else:
            self._answer_tokens += tokens

    def _usage(self, last: bool) -> Json:
        if self.vertex and not last:
            return {"trafficType": "ON_DEMAND"}
        counters = {
            "promptTokenCount": self.prompt_tokens,
            "candidatesTokenCount": self._answer_tokens,
            "totalTokenCount": self.prompt_tokens + self._answer_tokens + self._thought_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": self.prompt_tokens}],
        }
        if self._thought_tokens:
            counters["thoughtsTokenCount"] = self._thought_tokens
        return counters | self.usage


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            step = f".{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f"[{json.dumps(key)}]"
            yield from _leaves(path + step, item)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    elif path != "$":
        yield path, value


def _fragments(path: str, value: Any) -> Iterator[Json]:
    match value:
        case bool():
            yield {"jsonPath": path, "boolValue": value}
        case int() | float():
            yield {"jsonPath": path, "numberValue": value}
        case str():
            for piece in slices(value, 4, 24):
                yield {"jsonPath": path, "stringValue": piece, "willContinue": True}
            yield {"jsonPath": path, "stringValue": ""}
        case _:
            yield {"jsonPath": path, "nullValue": "NULL_VALUE"}


def slices(text: str, low: int = 20, high: int = 120) -> Iterator[str]:
    """The text in pieces as Gemini sends it: up to a sentence's end, `low` to `high` characters. Joined they are it."""
    start = 0
    while start < len(text):
        window = text[start : start + high]
        if len(window) == high or start + high < len(text):
            ends = [window.rfind(mark, low) + len(mark) for mark in ("\n", ". ", "! ", "? ", ": ", "; ")]
            cut = max(ends) if max(ends) > low else window.rfind(" ", low) + 1 or high
            window = window[:cut]
        yield window
        start += len(window)


def fold(chunks: list[Json]) -> Json:
    """One GenerateContentResponse that says what the chunks said: the answer of `generateContent`."""
    folded: Json = {}
    candidates: dict[int, Json] = {}
    for chunk in chunks:
        folded |= {name: value for name, value in chunk.items() if name != "candidates"}
        for candidate in chunk.get("candidates") or ():
            whole = candidates.setdefault(candidate.get("index", 0), {"content": {"parts": [], "role": "model"}})
            whole |= {name: value for name, value in candidate.items() if name != "content"}
            for part in (candidate.get("content") or {}).get("parts") or ():
                _append(whole["content"]["parts"], part)
    return ({"candidates": list(candidates.values())} if candidates else {}) | folded


def _append(parts: list[Json], part: Json) -> None:
    """Add a part; unsigned text joins the unsigned text of its kind before it."""
    last = parts[-1] if parts else {}
    joinable = all("text" in one and "thoughtSignature" not in one for one in (last, part))
    if joinable and last.get("thought") == part.get("thought"):
        parts[-1] = {**last, "text": last["text"] + part["text"]}
    else:
        parts.append(part)
