"""What the next request adds to the history: the prompt, and the answers that open function calls still need.

Gemini refuses a history in which a function call is not answered, on this and on every later request. The fields of
parts are read in either spelling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from .._plain import Json, Wire
from .._stream.matching import Named, match
from .._stream.parts import ToolCall
from ..errors import HistoryError
from .conversation import speeches
from .wire import get

__all__ = ["SUPERSEDED", "OpenCall", "answers_first", "open_calls"]


SUPERSEDED = "The user sent a new message instead of answering this call."


class OpenCall(Named):
    """A function call in the history that nothing answers yet."""

    __slots__ = ()

    @classmethod
    def of(cls, call: ToolCall) -> OpenCall:
        return cls(call.name, call.call_id)

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.id else str(self.name)

    def answer(self, response: Json) -> Wire:
        """The functionResponse part: the real name, and the provider's id where there was one."""
        out: Wire = {"name": self.name, "response": response}
        if self.id:
            out["id"] = self.id
        return {"functionResponse": out}


def open_calls(contents: Sequence[Json]) -> list[OpenCall]:
    """The function calls at the end that no response after them answers, in order. Of one further back it is too late:
    Gemini takes a response only right after its call.
    """
    *_, before, last = None, None, *speeches(contents)
    if last and last.role == "model":
        calls = last.open_calls()
    elif last and before and last.only_responds:
        calls = before.unanswered(last)
    else:
        calls = []
    return [OpenCall(call.name or "", call.id) for call in calls]


def answers_first(
    opened: Sequence[OpenCall],
    prompt: list[Wire],
    ours: Mapping[str, OpenCall],
    known: Sequence[Wire | None] = (),
) -> list[Wire]:
    """`prompt` with the open calls answered in front: one Content of responses in call order, then the rest.

    Responses in the prompt, before any model Content of its own, may name a call by our id (`ours`), by the
    provider's, or by name. `known` are the responses to `opened` that are there already (our tools'), by place. When
    the prompt holds some, it must hold one for every call left; when it holds none, those are answered with "a new
    message came instead".
    Raises HistoryError for a response to no open call and for a missing one.
    """
    own = next((n for n, c in enumerate(prompt) if c.get("role") == "model"), len(prompt))
    head, tail = prompt[:own], prompt[own:]
    given = [answer for c in head for part in c["parts"] if (answer := get(part, "functionResponse")) is not None]
    rest = [{**c, "parts": [part for part in c["parts"] if get(part, "functionResponse") is None]} for c in head]
    rest = [*(c for c in rest if c["parts"]), *tail]
    if not opened and not given:
        return rest
    responses = [r and c.answer(r) for c, r in zip_longest(opened, known)] if opened else []
    free = [place for place, response in enumerate(responses) if response is None]
    for response, place in zip(given, _places(opened, free, given, ours), strict=True):
        if place is None:
            got = response.get("id") or response.get("name")
            asked = ", ".join(map(str, opened)) or "none"
            raise HistoryError(f"No open function call goes with the response {got!r}; open: {asked}.")
        body = response.get("response")
        if not isinstance(body, dict):
            raise HistoryError(
                f"The response to {opened[place]} must be an object, not {type(body).__name__}: "
                'wrap it, for example {"result": ...}.'
            )
        responses[place] = opened[place].answer(body)
    if given and None in responses:
        missing = ", ".join(str(c) for c, r in zip(opened, responses, strict=True) if r is None)
        raise HistoryError(f"Every open function call needs its response in the same send; missing: {missing}.")
    answers = [r or c.answer({"error": SUPERSEDED}) for c, r in zip(opened, responses, strict=True)]
    return [{"role": "user", "parts": answers}, *rest]


def _places(
    opened: Sequence[OpenCall], free: Sequence[int], given: Sequence[Json], ours: Mapping[str, OpenCall]
) -> list[int | None]:
    """For each given response the place of the call it goes with, of those that are free.

    Our own id tells calls apart that have the same name and no other id. It says which, where the calls we know are the
    open ones; where not, it says the call's name and the provider's id.
    """
    own = {our_id: place for place, our_id in enumerate(ours)} if [*ours.values()] == [*opened] else {}
    ids = [str(response.get("id")) for response in given]
    found: list[int | None] = [None] * len(given)
    for n, our_id in enumerate(ids):
        if (place := own.get(our_id)) in free and place not in found:
            found[n] = place
    left = [place for place in free if place not in found]
    others = [n for n, our_id in enumerate(ids) if our_id not in own]
    matched = match([opened[place] for place in left], [ours.get(ids[n]) or Named.from_wire(given[n]) for n in others])
    for n, at in zip(others, matched, strict=True):
        found[n] = None if at is None else left[at]
    return found
