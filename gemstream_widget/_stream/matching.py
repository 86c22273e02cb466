"""Which function call a function response answers: the one rule, for what comes and for what goes.

A response means the call whose id it has. Ids are optional on both sides (Gemini 2 gives calls none, clients leave them
out or make up their own), so where not both have one the name decides: Gemini accepted recorded requests with ids on
neither side, and on the response alone. Where both have an id and the ids differ, an equal name does not help: of two
calls of one function, the response means the other. Ids may repeat (https://github.com/google/adk-python/issues/6761);
the name then tells which is meant.
https://ai.google.dev/api/caching#FunctionResponse
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from .._plain import Json

__all__ = ["Named", "match"]


class Named(NamedTuple):
    """What a function call and the response to it have in common."""

    name: Any
    """The function's, as it came: a string, if the model or the user kept to the form."""
    id: Any
    """The provider's, or None."""

    @classmethod
    def from_wire(cls, message: Json) -> Self:
        """Of a functionCall or functionResponse in wire form."""
        return cls(message.get("name"), message.get("id"))


def match(calls: Sequence[Named], responses: Sequence[Named]) -> list[int | None]:
    """For each response the place of the call it answers, or None where it answers none of them.

    First every response with the id of a call, then by name every one that is left, where not both have an id. Each
    call takes one response; of several that would do, calls and responses alike go in order. All calls count as asked
    before all responses: who reads a stream gives the calls so far, and one response at a time.

    >>> match([Named("f", "a"), Named("f", "b")], [Named("f", None), Named("f", "a"), Named("g", None)])
    [1, 0, None]
    """
    found: list[int | None] = [None] * len(responses)
    free = list(range(len(calls)))
    for fits in _RULES:
        for n, response in enumerate(responses):
            if found[n] is None and (place := next((i for i in free if fits(calls[i], response)), None)) is not None:
                found[n] = place
                free.remove(place)
    return found


_RULES: tuple[Callable[[Named, Named], bool], ...] = (
    lambda call, response: bool(call.id) and call == response,
    lambda call, response: bool(call.id) and bool(call.id == response.id),
    lambda call, response: not (call.id and response.id) and bool(call.name == response.name),
)
"""What makes a response the answer to a call, the surest first."""
