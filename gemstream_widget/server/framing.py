"""Framing: how chunks are put on the wire, as Gemini does it and as others may."""

from __future__ import annotations

import itertools
import json
import re
import zlib
from collections.abc import Sequence
from typing import Any

from .._plain import Json

__all__ = ["GARBAGE", "Framing", "Gzip", "accepts_gzip", "to_json"]


GARBAGE = b'{"candidates": [{"content": {"par'
"""The data of a frame that is not JSON."""

_LINE_ENDS = {"crlf": b"\r\n", "lf": b"\n", "cr": b"\r"}
_NUMBERS = {
    "finishReason": {
        "FINISH_REASON_UNSPECIFIED": 0, "STOP": 1, "MAX_TOKENS": 2, "SAFETY": 3, "RECITATION": 4, "OTHER": 5,
        "LANGUAGE": 6, "BLOCKLIST": 7, "PROHIBITED_CONTENT": 8, "SPII": 9, "MALFORMED_FUNCTION_CALL": 10,
        "IMAGE_SAFETY": 11, "UNEXPECTED_TOOL_CALL": 12,
    },
    "blockReason": {"SAFETY": 1, "OTHER": 2, "BLOCKLIST": 3, "PROHIBITED_CONTENT": 4, "IMAGE_SAFETY": 5},
}  # fmt: skip
"""As google.ai.generativelanguage.v1beta numbers them. CONTINUATION's number is not public: it stays a word."""
_NEW_FIELD = {"brandNew": {"since": 2027}}
_NEW_PART = {"hologram": {"depth": 3}}


class Framing:
    """Puts chunks into server-sent events, in the ways that words of `faults.FRAMES` ask for.

    Without any it is as recorded: `data: `, JSON on one line, CRLF CRLF; no event, id or comment lines.
    """

    def __init__(self, words: Sequence[str] = ()) -> None:
        self._words = frozenset(words)
        self._ends = itertools.cycle([_LINE_ENDS[word] for word in words if word in _LINE_ENDS] or [b"\r\n"])
        self._numbers = itertools.count(1)
        self.done = "done" in words
        """Whether the stream ends with `[DONE]`."""

    def payload(self, payload: Json) -> Json:
        """What this chunk says, with numbers for words, and with what nobody knows yet."""
        if "numbers" in self._words:
            payload = _numbered(payload)
        return _from_tomorrow(payload) if "unknown" in self._words else payload

    def data(self, payload: Json) -> bytes:
        """The chunk as JSON, on several lines where several `data:` lines are asked for."""
        return to_json(payload, indent=0 if "spread" in self._words else None)

    def frame(self, data: bytes) -> tuple[bytes, bytes]:
        """One event around this data: what is sent at once, and what only when something follows."""
        if not self._words:
            return b"data: " + data + b"\r\n\r\n", b""
        end, number = next(self._ends), str(next(self._numbers)).encode()
        name = b"data:" if "tight" in self._words else b"data: "
        lines = [name + line for line in data.split(b"\n")]
        if "fields" in self._words:
            lines = [b"event: message", b"id: " + number, *lines, b"retry: 3000"]
        if "comments" in self._words:
            lines = [b": keep-alive", b"", b": chunk " + number, *lines]
        whole = end.join(lines)
        if "bare" in self._words:
            return whole, end + end
        return (whole + end, end) if "open" in self._words else (whole + end + end, b"")


class Gzip:
    """A gzip stream that a client can read frame by frame."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(wbits=31)
        self._reader = zlib.decompressobj(wbits=31)

    def pack(self, data: bytes) -> bytes:
        """The bytes on the wire for this data, all of it."""
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """The bytes that end the stream."""
        return self._packer.flush()

    def read(self, piece: bytes) -> bytes:
        """What a client can read once this next piece of the wire has come."""
        return self._reader.decompress(piece)


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` allows gzip.

    >>> accepts_gzip("gzip, br"), accepts_gzip("gzip;q=0, br"), accepts_gzip("")
    (True, False, False)
    """
    return re.search(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))", header) is not None


def to_json(payload: Any, *, indent: int | None = None) -> bytes:
    """UTF-8 JSON, compact or on several lines. Lone surrogates, which UTF-8 cannot hold, make it escape everything."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), indent=indent).encode()
    except UnicodeEncodeError:
        return json.dumps(payload, separators=(",", ":"), indent=indent).encode()


def _numbered(payload: Json) -> Json:
    def number(message: Json, name: str) -> Json:
        word = message.get(name)
        return message if word is None else {**message, name: _NUMBERS[name].get(word, word)}

    changed = {**payload}
    if candidates := payload.get("candidates"):
        changed["candidates"] = [number(candidate, "finishReason") for candidate in candidates]
    if feedback := payload.get("promptFeedback"):
        changed["promptFeedback"] = number(feedback, "blockReason")
    return changed


def _from_tomorrow(payload: Json) -> Json:
    """The chunk with a field nobody knows at every level, and behind its parts one of a kind nobody knows."""
    candidates = [{**candidate, **_NEW_FIELD} for candidate in payload.get("candidates") or ()]
    for candidate in candidates:
        if parts := (candidate.get("content") or {}).get("parts"):
            new = [*({**part, **_NEW_FIELD} for part in parts), _NEW_PART]
            candidate["content"] = {**candidate["content"], "parts": new}
    return {**payload, **({"candidates": candidates} if candidates else {}), **_NEW_FIELD}
