"""The gate: the finished body of a request, looked at before it is sent. What Gemini would refuse is mended where that
loses and changes nothing that is meant, and else told; the local Gemini asks the same rules on arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import NamedTuple

from .._plain import Json
from .origin import without_odd, without_unknown
from .repair import BY_ITSELF, mended_settings, repaired
from .rules import violations
from .strict import strict_violations
from .violation import Violation
from .wire import get

__all__ = ["Passage", "passage"]


class Passage(NamedTuple):
    """A body at the gate: as it may be sent, what was mended for that, in words, and what it is refused for."""

    body: Json
    done: list[str]
    refused: list[Violation]


def passage(
    body: Json,
    *,
    model: str,
    vertex: bool = False,
    sent: Callable[[], Container[bytes]] = frozenset,
    conversation: bool = True,
) -> Passage:
    """What becomes of a body in Gemini's own form (`contents`, and what is beside them) at the gate. `sent` gives the
    digests of odd parts that the model itself sent, which pass as they are (`origin`); it is asked only where there is
    something to refuse. A field that has no name here passes, too: a later Gemini may know it. `conversation`: see
    violations. Never raises, and changes nothing that it is given.
    """

    def refused(body: Json, odd: Container[bytes] = ()) -> list[Violation]:
        contents = without_odd(get(body, "contents"), odd)
        known = without_unknown(contents)
        found = violations({**body, "contents": known}, model=model, vertex=vertex, conversation=conversation)
        if known is not contents:  # what has no name here is JSON all the same
            unread = list(strict_violations(body))
            is_read = all(violation.code == "lone_surrogate" for violation in unread)
            found = [*unread, *(v for v in found if v.code != "lone_surrogate")] if is_read else unread
        return [violation for violation in found if violation.code != "unknown_field"]

    if not refused(body):
        return Passage(body, [], [])
    odd = sent()
    settings, done = mended_settings({name: held for name, held in body.items() if name != "contents"})
    contents, words = repaired(get(body, "contents"), model=model, only=BY_ITSELF, vertex=vertex, sent=odd)
    if not done and not words:
        return Passage(body, [], refused(body, odd))
    mended = {**settings, "contents": contents}
    return Passage(mended, [*done, *words], refused(mended, odd))
