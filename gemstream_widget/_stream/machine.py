"""The transition tables of the run and of the tool call, and `next_state`; nothing else.

Anything about which state may follow which must live here. A state without a row is terminal: it absorbs every event,
so that a late Stop, a late decision or a late result changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import IllegalTransition

__all__ = ["CALL_TABLE", "RUN_TABLE", "Table", "is_terminal", "next_state"]


Table = Mapping[str, Mapping[str, str]]

RUN_TABLE: Final[Table] = {
    "queued": {
        "turn": "pending",  # every run before it has ended
        "failed": "failed",  # its request cannot be made
        "stop": "cancelled",  # taken back
    },
    "pending": {
        "started": "streaming",
        "stop": "cancelled",
        "failed": "failed",
    },
    "streaming": {
        "chunk": "streaming",
        "ended": "completed",  # with a finish reason and no call
        "ended_with_calls": "acting",
        "limit": "completed",  # the next request would pass a limit of the chat
        "failed": "failed",  # no finish reason, blocked, or the source raised
        "stop": "cancelling",
    },
    "acting": {
        "calls_done": "streaming",  # all calls are terminal and another step may follow
        "handed_over": "completed",  # calls without a tool of ours wait for the caller's next send
        "max_steps": "completed",
        "failed": "failed",
        "stop": "cancelling",
    },
    "cancelling": {
        "stop": "cancelling",
        "children_ended": "cancelled",  # or the grace time is over
    },
    "completed": {},
    "failed": {},
    "cancelled": {},
}

CALL_TABLE: Final[Table] = {
    "streaming_args": {
        "more": "streaming_args",
        "end": "requested",
        "refused": "failed",  # the call has no name
        "stop": "cancelled",
    },
    "requested": {
        "refused": "failed",  # unknown tool or bad arguments: a response the model can read
        "answered": "succeeded",  # the stream itself brought the response (a tool on the model's side)
        "auto": "running",
        "ask": "awaiting_approval",
        "never": "denied",
        "stop": "cancelled",
    },
    "awaiting_approval": {
        "ask": "awaiting_approval",  # asked again, in the kernel that a saved chat was loaded into
        "approve": "running",
        "deny": "denied",
        "timeout": "denied",
        "stop": "cancelled",
    },
    "running": {
        "returned": "succeeded",
        "raised": "failed",
        "timeout": "failed",
        "stop": "cancelled",
    },
    "succeeded": {},
    "failed": {},
    "denied": {},
    "cancelled": {},
}

_NAMES = {id(RUN_TABLE): "run", id(CALL_TABLE): "tool call"}


def is_terminal(table: Table, state: str) -> bool:
    """Whether nothing can follow `state`."""
    return not table[state]


def next_state(table: Table, state: str, event: str) -> str:
    """The state that follows `state` on `event`. Terminal states absorb every event.

    Raises IllegalTransition where the table has no such row.
    """
    row = table[state]
    if not row:
        return state
    try:
        return row[event]
    except KeyError:
        raise IllegalTransition(_NAMES.get(id(table), "unnamed"), state, event) from None
