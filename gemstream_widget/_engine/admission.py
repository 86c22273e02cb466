"""A request at the gate, right before it is sent: each step, each hop, and each count."""

from __future__ import annotations

from .._plain import Wire, counted
from .._request.gate import Passage, passage
from ..errors import RequestRefused
from .source import Request

__all__ = ["admitted"]


def admitted(request: Request, ours: Wire, vertex: bool, is_counted: bool) -> Passage:
    """The body as it may be sent. The gate sees what is `ours` of it (contents, tools, the token of a hop), and of the
    rest what the request's config says; what else the SDK or the user's own client puts into it, nobody sees here. May
    take a while for a long conversation. Raises RequestRefused.
    """
    body = {**request.settings(), **ours}
    passed = passage(body, model=request.model, vertex=vertex, sent=request.sent, conversation=not is_counted)
    if passed.refused:
        first, more = passed.refused[0], len(passed.refused) - 1
        told = f"{first.path}: {' '.join(first.message.split())}"
        message = f"{told} chat.check() tells {counted(more, 'more fault')}." if more else told
        raise RequestRefused(message, place=first.path, code=first.code, hint=first.hint)
    return passed
