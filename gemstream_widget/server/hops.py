"""Continuation tokens: where an answer that takes several HTTP streams (hops) goes on.

Gemini ends a long stream with `finishReason: CONTINUATION` and a token; the same request with that token gets what
comes next. https://ai.google.dev/gemini-api/docs/generate-content/long-decode

What is refused here, and in which words, is ours: nobody has published what Gemini says to a bad token.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from typing import Any, NamedTuple

from .._plain import Json
from .._request.origin import canonical
from .._request.wire import decode_base64, get
from .actions import Actions
from .errors import Refusal

__all__ = ["Hops", "Place", "digest"]


_MARK = b"gemstream_widget.server/hop"
_NONCE_BYTES = 8
_COUNT_BYTES = 4
_TAG_BYTES = 16
_HEAD_BYTES = _NONCE_BYTES + 2 * _COUNT_BYTES


class Place(NamedTuple):
    """Where an answer goes on."""

    cue: int = 0
    """The place in the script's section."""
    tokens: int = 0
    """What was said before it."""


def digest(body: Json, model: str) -> bytes:
    """What a token is given for: the model and the contents, however they are spelled."""
    return hashlib.sha256(canonical([model, get(body, "contents")])).digest()


class Hops:
    """Makes tokens, and knows its own again.

    A token holds a number, the place where the answer goes on, and two digests: one that only this server makes, and
    one of the request it was given for. So nothing need be remembered but which tokens are used up, and a token that
    was saved is good for another server too. Used on the server's thread only.
    """

    def __init__(self) -> None:
        self._nonces = itertools.count(1)
        self._spent: set[bytes] = set()

    def token(self, request: bytes, place: Place) -> str:
        """A new token, as base64 text: the answer to this request (its `digest`) goes on at this place."""
        numbers = b"".join(number.to_bytes(_COUNT_BYTES) for number in place)
        head = next(self._nonces).to_bytes(_NONCE_BYTES) + numbers
        return base64.b64encode(head + _tag(head) + _tag(head + request)).decode()

    def place(self, token: Any, request: bytes) -> Place:
        """Where the answer to this request goes on. Raises Refusal for a token that is not good for it."""
        data = decode_base64(token) or b""  # in either alphabet: the SDK writes the other one
        head = data[:_HEAD_BYTES]
        if not data.startswith(head + _tag(head)):
            raise Refusal(400, "Invalid continuation token: it was not given out here.")
        if data != head + _tag(head) + _tag(head + request):
            raise Refusal(
                400,
                "Invalid continuation token: it was given for another request. Send it with the model and the contents "
                "of the request it answered.",
            )
        if data in self._spent:
            raise Refusal(
                400,
                "Invalid continuation token: it has been used, and what it stood for was sent to its end. Ask with the "
                "newest one.",
            )
        cue, tokens = head[_NONCE_BYTES:-_COUNT_BYTES], head[-_COUNT_BYTES:]
        return Place(int.from_bytes(cue), int.from_bytes(tokens))

    def once(self, token: Any, actions: Actions) -> Actions:
        """The actions of the hop this token opened; the token is used up when the last of them is done.

        A hop that broke off, on whichever side, may be asked for again: so does google-genai where nothing had come.
        """
        yield from actions
        self._spent.add(decode_base64(token) or b"")


def _tag(data: bytes) -> bytes:
    return hashlib.shake_256(_MARK + data).digest(_TAG_BYTES)
