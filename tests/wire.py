"""Short ways to write wire chunks."""

from __future__ import annotations

from typing import Any


def chunk(*parts: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None, **more: Any) -> dict:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    out: dict[str, Any] = {"candidates": [candidate]}
    if usage is not None:
        out["usageMetadata"] = usage
    return out | more


def text(value: str, signature: str | None = None) -> dict[str, Any]:
    return {"text": value} | ({"thoughtSignature": signature} if signature else {})


def thought(value: str) -> dict[str, Any]:
    return {"text": value, "thought": True}


def call(name: str, args: dict[str, Any] | None = None, id: str | None = None, signature: str | None = None) -> dict:
    held: dict[str, Any] = {"name": name}
    if args is not None:
        held["args"] = args
    if id is not None:
        held["id"] = id
    return {"functionCall": held} | ({"thoughtSignature": signature} if signature else {})


def answer(name: str, response: dict[str, Any], id: str | None = None) -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": response} | ({"id": id} if id else {})}


def tokens(total: int, **more: int) -> dict[str, int]:
    return {"totalTokenCount": total} | more
