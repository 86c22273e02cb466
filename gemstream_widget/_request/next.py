"""A history judged and mended for the next request: what `send` would put behind it is thought of, and left out."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any

from .._plain import Wire
from .pairing import answers_first, open_calls
from .prompt import contents_of
from .repair import refusals, repaired
from .violation import Violation

__all__ = ["refused_before", "repaired_before"]


def refused_before(
    history: list[Wire], *, model: str, vertex: bool, sent: Container[bytes], body: Mapping[str, Any] | None = None
) -> list[Violation]:
    """What Gemini would refuse of a history when the next prompt is sent. `sent` and `body`: see refusals."""
    return refusals([*history, *_following(history)], model=model, vertex=vertex, sent=sent, body=body)


def repaired_before(
    history: list[Wire], *, model: str, only: Collection[str] | None, vertex: bool, sent: Container[bytes]
) -> tuple[list[Wire], list[str]]:
    """The history as Gemini would take it before the next prompt, and what was done, in words. `only`: these codes."""
    following = _following(history)
    mended, done = repaired([*history, *following], model=model, only=only, vertex=vertex, sent=sent)
    while following and mended[-1:] == following[-1:]:
        mended, following = mended[:-1], following[:-1]
    return mended, done


def _following(history: list[Wire]) -> list[Wire]:
    """What `send` would put after the history: the answers to calls that are open at its end, and a prompt."""
    prompt = contents_of("What the user says next.")
    try:
        return answers_first(open_calls(history), prompt, {})
    except (KeyError, TypeError, AttributeError):  # the history's shapes have to be mended first
        return prompt
