"""What the next request adds to the history: the prompt, and the answers that open function calls still need.

Gemini refuses a history in which a function call is not answered, on this and on every later request. The fields of
parts are read in either spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from .._plain import Json, Wire
from .._stream.parts import ToolCall
from ..errors import HistoryError
from .wire import get

__all__ = ["SUPERSEDED", "OpenCall", "answers_first", "open_calls"]


SUPERSEDED = "The user sent a new message instead of answering this call."


class OpenCall(NamedTuple):
    """A function call in the history that nothing answers yet. `call_id` is the provider's, or None."""

    name: str
    call_id: str | None

    @classmethod
    def of(cls, call: ToolCall) -> OpenCall:
        return cls(call.name, call.call_id)

    def __str__(self) -> str:
        return f"{self.name} ({self.call_id})" if self.call_id else self.name

    def answered_by(self, response: Json) -> bool:
        """Whether a functionResponse goes with this call: by id where both have one, else by name."""
        if response.get("id") and self.call_id:
            return bool(response["id"] == self.call_id)
        return bool(response.get("name") == self.name)

    def answer(self, response: Json) -> Wire:
        """The functionResponse part: the real name, and the provider's id where there was one."""
        out: Wire = {"name": self.name, "response": response}
        if self.call_id:
            out["id"] = self.call_id
        return {"functionResponse": out}


def open_calls(contents: Iterable[Json]) -> list[OpenCall]:
    """The function calls at the end that no response after them answers, in order. Of one further back it is too late:
    Gemini takes a response only right after its call.
    """
    calls: list[OpenCall] = []
    was_user = False
    for content in contents:
        is_user, parts = content.get("role") != "model", content["parts"]
        if (was_user and not is_user) or (is_user and any(get(part, "functionResponse") is None for part in parts)):
            calls.clear()
        was_user = is_user
        for part in parts:
            if (call := get(part, "functionCall")) is not None and not is_user:
                calls.append(OpenCall(call.get("name", ""), call.get("id")))
            elif (response := get(part, "functionResponse")) is not None:
                match = next((c for c in calls if c.answered_by(response)), None)
                if match is not None:
                    calls.remove(match)
    return calls


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
    for response in given:
        call = ours.get(str(response.get("id")))
        wanted = {"name": call.name, "id": call.call_id} if call else response
        place = next((i for i, c in enumerate(opened) if responses[i] is None and c.answered_by(wanted)), None)
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
