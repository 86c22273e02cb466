"""The conversation in rounds: what the model said and what the user replied, each call with its one response."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

from .._plain import Json, clean
from .._stream.matching import Named, match
from .conversation import Function, Speech, speeches
from .mends import Mended, replace
from .violation import Place, Violation
from .wire import short

__all__ = ["BEFORE", "UNKNOWN", "begin_with_user", "pair_responses"]


UNKNOWN = "No response to this call is known: it may have been run or not."
"""The error that answers a call without a response. Only who ran the tools could say more."""
BEFORE = "(The conversation began before this.)"
"""What the user says in front of a call that the conversation begins with, so that the call can stay."""


def begin_with_user(contents: list[Any], found: Sequence[Violation]) -> Mended:
    """Let the user say something before a call that the conversation begins with."""
    first = {"role": "user", "parts": [{"text": BEFORE}]}
    return [first, *contents], [f"Lets the conversation, which begins with a call, begin with {BEFORE!r}."]


def pair_responses(contents: list[Any], found: Sequence[Violation]) -> Mended:
    """Each call with its one response. One that stands elsewhere moves to its call; one without a call must go."""
    spoken: list[Speech | None] = [*speeches(contents)]
    if spoken[0] and spoken[0].role != "model":
        spoken.insert(0, None)
    wrong = {violation.place.content for violation in found}
    rounds = [_Round.of(said, reply, wrong) for said, reply in zip_longest(spoken[::2], spoken[1::2])]
    done: list[str] = []
    for n, one in enumerate(rounds):
        if not one.spare:
            continue
        for home in [*rounds[n::-1], *rounds[n + 1 :]]:  # the calls before it come first, the nearest of them
            if (one.wrong or home.wrong) and (moved := home.take(one.spare, match)):
                one.wrong = home.wrong = True
                done += [f"Moves the response {r.name} in {r.place} to its call." for r in moved]
        if one.wrong:
            done += [f"Removes {r.place}, which no call asked for: {short(clean(r.message))}." for r in one.spare]
            one.spare.clear()
    return [content for one in rounds for content in one.mend(done)], done


_Matching: TypeAlias = Callable[[Sequence[Named], Sequence[Named]], list[int | None]]
"""Says for each response which call it answers."""


def _match_names(calls: Sequence[Named], responses: Sequence[Named]) -> list[int | None]:
    """By name, whatever the ids say."""
    return match([call._replace(id=None) for call in calls], [response._replace(id=None) for response in responses])


def _match_places(calls: Sequence[Named], responses: Sequence[Named]) -> list[int | None]:
    """By their order, where there is one response for each call."""
    return [*range(len(calls))] if len(calls) == len(responses) else [None] * len(responses)


@dataclass(slots=True, eq=False)
class _Round:
    """What the model said and what the user said next (None where there is nothing): calls with their responses."""

    said: Speech | None
    reply: Speech | None
    calls: list[Function]
    responses: list[Function | None]
    """One for each call; None where it has none."""
    spare: list[Function]
    """Responses that no call of this round asked for."""
    wrong: bool
    """Whether Gemini would refuse something of it; else it stays as it is."""

    @classmethod
    def of(cls, said: Speech | None, reply: Speech | None, wrong: set[int | None]) -> _Round:
        calls = said.open_calls() if said else []
        spare = reply.functions("functionResponse") if reply else []
        places = {i for speech in (said, reply) if speech for i, _ in speech.contents}
        one = cls(said, reply, calls, [None] * len(calls), spare, bool(places & wrong))
        for matching in (match, _match_names, _match_places):  # what stands right after the calls is meant for them
            one.take(spare, matching)
        return one

    def take(self, spare: list[Function], matching: _Matching) -> list[Function]:
        """Move the spare responses that match to the calls that have none. Gives those that moved."""
        free = [n for n, response in enumerate(self.responses) if response is None]
        if not free:
            return []
        found = matching([self.calls[n].named for n in free], [response.named for response in spare])
        moved = {free[n]: response for n, response in zip(found, spare, strict=True) if n is not None}
        for n, response in moved.items():
            self.responses[n] = response
        spare[:] = [response for n, response in zip(found, spare, strict=True) if n is None]
        return list(moved.values())

    def mend(self, done: list[str]) -> list[Json]:
        """The contents, with one response to each call, in call order, in a content right after the calls."""
        if not self.wrong:
            return [content for speech in (self.said, self.reply) if speech for _, content in speech.contents]
        changed: dict[Place, Json | None] = {}
        answers, ids = [], set[str]()
        for call, response in zip(self.calls, self.responses, strict=True):
            call_id = None if call.id in ids else call.id
            ids.add(call_id or "")
            if call.id and not call_id:
                changed[call.place] = replace(call.part, "functionCall", replace(call.message, "id", None))
                done.append(f"Removes the id of the call {call.name} in {call.place}: another call has it.")
            answers.append(self._answer(call, call_id, response, done))
        if self.reply:
            changed |= {response.place: None for response in self.reply.functions("functionResponse")}
        changed |= {response.place: response.part for response in self.spare}
        answer = [{"role": "user", "parts": answers}] if answers else []
        return [*_with_parts(self.said, changed), *answer, *_with_parts(self.reply, changed)]

    def _answer(self, call: Function, call_id: str | None, response: Function | None, done: list[str]) -> Json:
        """The response as it goes with its call; one that says so where none is known."""
        if response is None:
            done.append(f"Answers the call {call.name} in {call.place} with {UNKNOWN!r}")
        elif (response.name, response.id) != (call.name, call_id):
            done.append(f"Gives the response in {response.place} the name and the id of its call {call.name}.")
        message = response.message if response else {"response": {"error": UNKNOWN}}
        message = replace(replace(message, "name", call.name), "id", call_id)
        return replace(response.part if response else {}, "functionResponse", message)


def _with_parts(speech: Speech | None, changed: Mapping[Place, Json | None]) -> Iterable[Json]:
    """The contents with other parts at these places, or none."""
    for i, content in speech.contents if speech else ():
        parts = [changed.get(Place(i, j), part) for j, part in enumerate(content["parts"])]
        if kept := [part for part in parts if part is not None]:
            yield {**content, "parts": kept}
