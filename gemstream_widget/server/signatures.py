"""What must be unique in Gemini's answers: thought signatures, response ids, call ids.

Nothing here is random: the same requests to a fresh server give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Mapping
from typing import Any

from .._plain import Json
from .._request.origin import canonical, digest_of, is_odd, without_odd
from .._request.wire import DATA_FIELDS, decode_base64, get

__all__ = ["Issuer"]


_MARK = b"gemstream_widget.server"
_NONCE_BYTES = 8
_SIGNATURE_BYTES = 180
_ID_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Issuer:
    """Makes signatures and ids, and knows its own signatures again.

    A signature holds a number and a digest of the part it was made for. So it can be checked without remembering it,
    and a conversation that was saved is still accepted after the process that signed it is gone. Signatures of others
    that went out (from recordings and raw parts) are remembered.

    Used on the server's thread only.
    """

    def __init__(self) -> None:
        self._signatures = itertools.count(1)
        self._responses = itertools.count(1)
        self._foreign: set[tuple[bytes, bytes]] = set()
        self._odd: set[bytes] = set()

    def signature(self, part: Mapping[str, Any]) -> str:
        """A new signature for this part (wire form), as base64 text."""
        nonce = next(self._signatures).to_bytes(_NONCE_BYTES)
        return base64.b64encode(_sign(nonce, _fingerprint(part))).decode()

    def remember(self, chunk: Mapping[str, Any]) -> None:
        """Accept the signatures in this chunk from now on, on the parts they are on, and parts that hold what the
        rules do not know, as they are.
        """
        for candidate in chunk.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                signature = decode_base64(get(part, "thoughtSignature"))
                if signature and not self.issued(signature, part):
                    self._foreign.add((signature, _fingerprint(part)))
                if is_odd(part):
                    self._odd.add(digest_of(part))

    def plain(self, body: Json) -> Json:
        """The body for the rules: of a part that went out from here, only what they know. A server takes back what it
        gave, unchanged, whatever it is.
        """
        return {**body, "contents": without_odd(get(body, "contents"), self._odd)} if self._odd else body

    def issued(self, signature: bytes, part: Mapping[str, Any]) -> bool:
        """Whether this signature was given out with this part, or with the beginning of this streamed call."""
        return any(
            _sign(signature[:_NONCE_BYTES], fingerprint) == signature or (signature, fingerprint) in self._foreign
            for fingerprint in {_fingerprint(part), _fingerprint(part, streamed=True)}
        )

    def response_id(self, request: bytes) -> str:
        """A new response id; it depends on the request too, so that ids differ after a restart."""
        number = next(self._responses).to_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(hashlib.sha256(number + request).digest()[:16]).decode().rstrip("=")

    @staticmethod
    def call_id(response_id: str, index: int) -> str:
        """Id of the call number `index` of a response: 8 letters and digits, as Gemini 3 writes them."""
        digest = hashlib.sha256(f"{response_id}/{index}".encode()).digest()
        return "".join(_ID_LETTERS[byte % 36] for byte in digest[:8])


def _sign(nonce: bytes, fingerprint: bytes) -> bytes:
    return nonce + hashlib.shake_256(_MARK + nonce + fingerprint).digest(_SIGNATURE_BYTES - _NONCE_BYTES)


def _fingerprint(part: Mapping[str, Any], *, streamed: bool = False) -> bytes:
    """What a signature vouches for: the part without its signature, however it is spelled.

    Of a call the name and the arguments; of a call whose arguments are streamed the name, since the signature goes out
    before them. A part that holds nothing but its signature is an empty text.
    """
    if call := get(part, "functionCall"):
        streamed = streamed or get(call, "partialArgs") is not None or get(call, "willContinue") is not None
        return canonical(["functionCall", get(call, "name"), None if streamed else get(call, "args") or {}])
    data = {name: get(part, name) for name in DATA_FIELDS if get(part, name) is not None}
    if blob := data.get("inlineData"):
        data["inlineData"] = hashlib.sha256(decode_base64(get(blob, "data")) or b"").hexdigest()
    return canonical([data or {"text": ""}, bool(get(part, "thought"))])
