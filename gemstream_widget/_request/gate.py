"""The gate: the finished body of a request, looked at before it is sent. What Gemini would refuse is mended where that
loses and changes nothing that is meant, and else told; the local Gemini asks the same rules on arrival.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from .._plain import Json
from .origin import without_odd
from .repair import BY_ITSELF, mended_settings, repaired
from .rules import violations
from .violation import Violation
from .wire import get

__all__ = ["Passage", "passage"]


class Passage(NamedTuple):
    """A body at the gate: as it may be sent, what was mended for that, in words, and what it is refused for."""

    body: Json
    done: list[str]
    refused: list[Violation]


def passage(
    body: Json, *, model: str, vertex: bool = False, sent: Container[bytes] = (), conversation: bool = True
) -> Passage:
    """What becomes of a body in Gemini's own form (`contents`, and what is beside them) at the gate. `sent`: the
    digests of odd parts that the model itself sent, which pass as they are (`origin`); `conversation`: see violations.
    Never raises, and changes nothing that it is given.
    """

    def refused(body: Json) -> list[Violation]:
        known = {**body, "contents": without_odd(get(body, "contents"), sent)}
        return violations(known, model=model, vertex=vertex, conversation=conversation)

    if not (found := refused(body)):
        return Passage(body, [], [])
    settings, done = mended_settings({name: held for name, held in body.items() if name != "contents"})
    contents, words = repaired(get(body, "contents"), model=model, only=BY_ITSELF, vertex=vertex, sent=sent)
    if not done and not words:
        return Passage(body, [], found)
    mended = {**settings, "contents": contents}
    return Passage(mended, [*done, *words], refused(mended))
