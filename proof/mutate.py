"""Recorded streams, made wrong: one or a few changes that know what a chunk looks like, or changes of bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["bend_bytes", "mutate"]

_NAMES = (
    "candidates content parts text thought thoughtSignature functionCall name args id partialArgs jsonPath stringValue "
    "numberValue boolValue nullValue willContinue inlineData mimeType data fileData fileUri executableCode code "
    "language codeExecutionResult outcome output functionResponse response finishReason finishMessage index "
    "usageMetadata totalTokenCount promptTokenCount modelVersion responseId promptFeedback blockReason "
    "groundingMetadata citationMetadata citationSources citations urlContextMetadata urlMetadata error $error "
    "createTime role"
).split()

_PATHS = [
    "$", "$.", "$..a", "$.a[", "$[0]", "$.a[-1]", "$.a[999999999999]", "$.a[9999]", "$['']", "$.a.b.c", "$.a['b]']",
    "$.a[0][0][0].x", "a.b", "", "$" + ".a" * 200, "$.a" + "[0]" * 200, "$.\ud83d", "$.a\x00b", "@", "$.a[*]", "$.*",
    "$.__class__", "$.length", "$.a[1.5]", "$.\n",
]  # fmt: skip

Path = tuple[str | int, ...]


def _deep(value: Any, levels: int = 1200) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def _hostile(pick: random.Random) -> Any:
    """A value of any kind, the worst of its kind included."""
    return pick.choice(
        [
            lambda: None, lambda: True, lambda: False, lambda: 0, lambda: -1, lambda: 10**12, lambda: -(2**70),
            lambda: 10**5000, lambda: 1.5, lambda: float("nan"), lambda: float("-inf"), lambda: "", lambda: "a",
            lambda: "\ud83d", lambda: "a\udc00\ud83d", lambda: "\x00\x1b[31m", lambda: "x" * 100_000, lambda: [],
            lambda: {}, lambda: [None], lambda: [[]], lambda: {"": None}, lambda: [1, "a", {}], lambda: {"a": "b"},
            lambda: {"text": "a"}, lambda: [{"text": "a"}] * 500, lambda: _deep(1), lambda: _deep("x", 3000),
            lambda: {"k" * 50_000: 1}, lambda: {"\ud83d": "\ud83d"}, lambda: "STOP", lambda: pick.choice(_PATHS),
            lambda: {"functionCall": {"name": "f", "willContinue": True}}, lambda: {"code": "x", "message": None},
        ]
    )()  # fmt: skip


def mutate(chunks: list[Any], pick: random.Random) -> tuple[list[Any], set[int]]:
    """Change `chunks`, which are the caller's to lose; the chunks now, and the numbers of the changed ones."""
    touched: set[int] = set()
    for _ in range(pick.choice((1, 1, 1, 2, 4))):
        if not chunks or pick.random() < 0.1:
            touched |= _shuffle(chunks, pick)
        else:
            number = pick.randrange(len(chunks))
            chunks[number] = _change(chunks[number], pick)
            touched.add(number)
    return chunks, {number for number in touched if number < len(chunks)}


def _shuffle(chunks: list[Any], pick: random.Random) -> set[int]:
    """Change the order and number of chunks."""
    at = pick.randrange(len(chunks) + 1)
    kind = pick.choice(("drop", "repeat", "swap", "insert", "error"))
    if kind == "drop" and chunks:
        del chunks[at - 1]
    elif kind == "repeat" and chunks:
        chunks.insert(at, chunks[at - 1])
    elif kind == "swap" and chunks:
        other = pick.randrange(len(chunks))
        chunks[at - 1], chunks[other] = chunks[other], chunks[at - 1]
    elif kind == "error":
        chunks.insert(at, {"error": _hostile(pick)})
    else:
        chunks.insert(at, _hostile(pick))
    return {max(0, at - 1), at}


def _change(chunk: Any, pick: random.Random) -> Any:
    """Change one place of a chunk."""
    places = list(_places(chunk))
    path = pick.choice(places) if places else ()
    parent, value = _reach(chunk, path)
    change = pick.choice(_CHANGES)
    if parent is None:
        return change(value, pick)
    key = path[-1]
    kind = pick.random()
    if kind < 0.12:
        del parent[key]
    elif kind < 0.24 and isinstance(parent, dict):
        parent[pick.choice(_NAMES)] = parent.pop(key) if pick.random() < 0.5 else value
    elif kind < 0.3 and isinstance(parent, list):
        parent.insert(pick.randrange(len(parent) + 1), value)
    elif kind < 0.4:
        other, _ = _reach(chunk, pick.choice(places))
        if isinstance(other, dict):
            other[pick.choice(_NAMES)] = _hostile(pick)
    elif key == "jsonPath":
        parent[key] = pick.choice(_PATHS)
    else:
        parent[key] = change(value, pick)
    return chunk


def _longer(value: Any, pick: random.Random) -> Any:
    if isinstance(value, str):
        return value * pick.choice((2, 1000)) if len(value) < 1000 else value * 2
    return value * 50 if isinstance(value, list) and len(value) < 100 else [value]


def _broken_text(value: Any, pick: random.Random) -> Any:
    if not isinstance(value, str):
        return _hostile(pick)
    at = pick.randrange(len(value) + 1)
    return (
        value[:at] + pick.choice(("\ud83d", "\udc00", "\x00", "\u2028", "﻿", "\U0010ffff", "e\u0301" * 99)) + value[at:]
    )


_CHANGES: list[Callable[[Any, random.Random], Any]] = [
    lambda value, pick: _hostile(pick),
    lambda value, pick: [value],
    lambda value, pick: {pick.choice(_NAMES): value},
    lambda value, pick: _deep(value, pick.choice((3, 99, 101, 1200))),
    lambda value, pick: value.encode("utf-8", "replace").hex() if isinstance(value, str) else "7",
    _longer,
    _broken_text,
]


def _places(value: Any, path: Path = (), depth: int = 0) -> Iterator[Path]:
    """The path of everything in a value; of what is deep or long, only the beginning."""
    if depth > 12:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value[:40]) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key), depth + 1)


def _reach(value: Any, path: Path) -> tuple[Any, Any]:
    """The container at the end of a path, and what it holds there."""
    parent = None
    for key in path:
        parent, value = value, value[key]
    return parent, value


# -- bytes -------------------------------------------------------------------------------------------------------------

_INSERTS = [
    b"\x00", b"\xff\xfe", b"\xc3", b"\xe6\xbc", b"\xf0\x9f", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n\r\n", b"data: ",
    b"data:", b": ping\r\n\r\n", b"event: error\r\n", b"data: [DONE]\r\n\r\n", b"data: {}\r\n\r\n",
    b"data: null\r\n\r\n", b"data: []\r\n\r\n", b"data: 1\r\n\r\n", b'data: "a"\r\n\r\n',
    b'data: {"candidates": null}\r\n\r\n',
    b'data: {"candidates": 7}\r\n\r\n', b'{"error": {"code": 500}}', b"data: NaN\r\n\r\n", b"\\ud83d", b"\\u0000",
    b'data: {"error": "words"}\r\n\r\n', b"data: " + b"[" * 5000 + b"\r\n\r\n", b"<html>", b"0\r\n\r\n",
    b"data: " + b"9" * 6000 + b"\r\n\r\n", b'data: {"usageMetadata": {"totalTokenCount": "many"}}\r\n\r\n',
    b'data: {"candidates": [{"finishReason": 1}]}\r\n\r\n',
    b'data: {"candidates": [{"content": {"parts": [{"thoughtSignature": "!"}]}}]}\r\n\r\n',
]  # fmt: skip


def bend_bytes(data: bytes, pick: random.Random) -> bytes:
    """A few changes of bytes: flips, holes, repetitions, insertions, cuts, other line ends."""
    for _ in range(pick.choice((1, 1, 2, 3))):
        at, length = pick.randrange(len(data) + 1), pick.choice((1, 2, 7, 60, 400))
        kind = pick.randrange(7)
        if kind == 0 and data:
            at = min(at, len(data) - 1)
            data = data[:at] + bytes([data[at] ^ (1 << pick.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[: at + length] + data[at:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data.replace(b"\r\n", pick.choice((b"\n", b"\r", b"\r\n\r\n")), pick.choice((1, 2, -1)))
        elif kind == 5:
            data = data[:at] + pick.randbytes(length) + data[at:]
        else:
            data = data[:at] + pick.choice(_INSERTS) + data[at:]
    return data
