"""What the local Gemini answers, without how it travels: from a request's parts to actions, or a Refusal."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from .._plain import Json
from .._request import rules
from .._request.wire import camel, get
from .account import RequestRecord
from .actions import Actions
from .demo import answer as demo
from .errors import Refusal
from .faults import Fault
from .hops import Hops, Place, digest
from .models import DEMO_MODELS, SUCCESSORS
from .question import Question, read_question
from .recordings import Recordings, read_lines, recorded_model, replay
from .reply import Reply
from .script.language import ScriptError
from .signatures import Issuer
from .tokens import tokens_of

__all__ = ["Address", "Service", "read_body"]


_UNREADABLE = ("no_contents", "wrong_type", "empty_content")
_COUNTED = {
    False: {"contents", "generateContentRequest", "model"},
    True: {"contents", "systemInstruction", "tools", "generationConfig", "model"},
}
"""What a `countTokens` body may hold, on the Developer API and on Vertex (True)."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a request's address says."""

    version: str
    model: str
    method: str
    place: str | None = None
    """On Vertex, what stands before `/models`: `projects/p/locations/l/publishers/google`."""

    @property
    def vertex(self) -> bool:
        """Whether Vertex is asked, not the Developer API."""
        return self.place is not None


@dataclass
class Service:
    """The state all requests share. Used on the server's thread; `faults` and `requests` from any."""

    recordings: Recordings
    pace_s: float | None
    check_history: bool
    check_signatures: bool
    speed: float
    keep: int
    """How many request records are kept."""
    keep_sent: int = 0
    """How many bytes of its answer each of them may keep."""
    issuer: Issuer = field(default_factory=Issuer)
    hops: Hops = field(default_factory=Hops)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[RequestRecord] = field(default_factory=list)
    open_connections: int = 0
    closing: bool = False
    _count: int = 0

    def open_record(self, **known: Any) -> RequestRecord:
        """The account of a new request; the oldest ones are let go."""
        self._count += 1
        record = RequestRecord(number=self._count, keep_sent=self.keep_sent, **known)
        self.requests.append(record)
        del self.requests[: -self.keep]
        return record

    def model_names(self, version: str = "v1beta") -> list[str]:
        """All models of this version of the API, demo and recordings."""
        demo_models = (name for name, model in DEMO_MODELS.items() if model.answers(version))
        return [*demo_models, *(f"recordings/{name}" for name in self.recordings.names())]

    def check_model(self, address: Address) -> None:
        """Raises Refusal when requests to this model are not answered."""
        model = address.model
        if not ((model in DEMO_MODELS and DEMO_MODELS[model].answers(address.version)) or self.recordings.find(model)):
            raise Refusal.unknown_model(model, address.version, address.place)

    def answering(self, address: Address) -> Address:
        """The address of the model that answers: the one asked for, or its successor. Raises Refusal."""
        if not address.vertex and address.model in SUCCESSORS and not self.recordings.find(address.model):
            return replace(address, model=SUCCESSORS[address.model])
        self.check_model(address)
        return address

    def answer(self, body: Json, address: Address) -> tuple[Actions, Fault]:
        """What is answered to a `generateContent` body, and how it travels. Raises Refusal."""
        address = self.answering(address)
        model = address.model
        recorded = self.recordings.find(model)
        lines = read_lines(recorded) if recorded else []
        self._check(body, recorded_model(lines) if recorded else model, address.vertex)
        question = read_question(body)
        token, request = get(body, "continuationToken"), digest(body, model)
        if recorded and (part := self.recordings.find(model, question.step)):
            return replay(read_lines(part) if question.step else lines, self.pace_s, token), Fault()
        place = Place() if token is None else self.hops.place(token, request)
        reply = self._reply(question, request, address, place)
        try:
            actions, fault = demo.answer(question, reply, self.pace_s, place.cue)
        except ScriptError as error:
            raise Refusal(400, str(error)) from error
        return actions if token is None else self.hops.once(token, actions), fault

    def count(self, body: Json, address: Address) -> Json:
        """What is answered to a `countTokens` body. Raises Refusal.

        The Developer API takes the contents, or a whole request as `generateContentRequest`, whose contents count then;
        Vertex takes system instruction and tools beside the contents.
        """
        address = self.answering(address)
        for name in body:
            if body[name] is not None and camel(name) not in _COUNTED[address.vertex]:
                raise Refusal(400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        asked = get(body, "generateContentRequest")
        if asked is None and not get(body, "contents"):  # https://github.com/zed-industries/zed/issues/17343
            raise Refusal(400, "CountTokens requires generate_content_request or contents to be set.")
        if asked is not None and not isinstance(asked, dict):
            raise Refusal(400, f"Invalid value at 'generate_content_request': {type(asked).__name__} found.")
        if asked is not None:  # https://github.com/googleapis/python-genai/issues/432
            missing = [name for name in ("contents", "model") if not get(asked, name)]
            said = (
                f"* CountTokensRequest.generate_content_request.{name}: {name} is not specified\n" for name in missing
            )
            if missing:
                raise Refusal(400, "".join(said))
            body = {name: value for name, value in asked.items() if name != "model"}
        found = [v for v in rules.violations(body, model=address.model, vertex=address.vertex) if v.code in _UNREADABLE]
        if found:
            raise Refusal(400, found[0].message)
        tokens = tokens_of(body)
        details = [{"modality": kind, "tokenCount": count} for kind, count in tokens.items()]
        return {"totalTokens": tokens.total(), "promptTokensDetails": details}

    def _check(self, body: Json, model: str, vertex: bool) -> None:
        """Refuse what Gemini would refuse; without `check_history`, only what cannot be read at all."""
        issued = self.issuer.issued if self.check_signatures else None
        found = rules.violations(self.issuer.plain(body), model=model, vertex=vertex, issued=issued)
        if not self.check_history:
            found = [violation for violation in found if violation.code in _UNREADABLE]
        if found:
            raise Refusal(400, found[0].message)

    def _reply(self, question: Question, request: bytes, address: Address, place: Place) -> Reply:
        known = DEMO_MODELS.get(address.model, DEMO_MODELS["demo"])
        return Reply(
            issuer=self.issuer,
            response_id=self.issuer.response_id(request),
            model_version=address.model,
            prompt_tokens=question.prompt_tokens + place.tokens,
            token=lambda cue, said: self.hops.token(request, Place(cue, place.tokens + said)),
            call_ids=known.call_ids,
            vertex=address.vertex,
            streams_arguments=address.vertex and question.streams_arguments and address.method != "generateContent",
        )


def read_body(data: bytes) -> Json:
    """The JSON object in a request's body. Raises Refusal."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"Invalid JSON payload received. {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Invalid JSON payload received. Expected an object.")
    return body
