"""python -m proof.live [--model NAME] [--out FOLDER]

What only the real Gemini can show, tried once with your key: an answer, a count, a picture, a Stop, a tool that waits
for approval, an unknown model, a long answer. Prints one table, and writes what came over the wire, without keys, to a
folder that it names. It costs a few thousand tokens. Without a key or Vertex settings it is skipped: no failure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gemstream_widget as gem
from benchmarks import machine
from benchmarks.setting import ROOT
from gemstream_widget._engine.gemini import GeminiSource
from gemstream_widget._redact import redact, redact_all, words_of

_LIMIT_S = 180.0
"""Seconds that one case may take."""


@dataclass(frozen=True)
class Seen:
    """What a case showed, in words, and whether it is what was expected."""

    words: str
    holds: bool


@dataclass(frozen=True)
class Row:
    what: str
    expected: str
    seen: Seen
    seconds: float


async def answer(chat: gem.Chat) -> Seen:
    run = await chat.send("Say hello, in one sentence.").wait()
    return Seen(_told(run), run.status == "completed" and bool(run.text) and run.usage.total_token_count is not None)


async def count(chat: gem.Chat) -> Seen:
    chat.change(system="Be brief.", tools=[delete_rows])
    counted = await chat.count("What is two and two?")
    run = await chat.send("What is two and two?").wait()
    asked = run.steps[0].usage.prompt_token_count if run.steps else None
    return Seen(f"counted {counted}, reported {asked}", counted == asked)


async def picture(chat: gem.Chat) -> Seen:
    run = await chat.send(["What colour is this? One word.", _png(32, 32, b"\xff\0\0")]).wait()
    return Seen(f"{_told(run)}: {' '.join(run.text.split())[:40]}", run.status == "completed")


async def stop(chat: gem.Chat) -> Seen:
    run = chat.send("Tell the history of tide tables in 800 words.")
    async for _ in run:
        if run.text:
            break
    run.stop()
    await run.wait()
    then = await chat.send("Say hello, in one sentence.").wait()
    receipt = run.receipt
    if receipt is None or receipt.closed_s is None:
        return Seen(f"{_told(run)}, no receipt of a close", False)
    took = f"closed after {(receipt.closed_s - receipt.asked_s) * 1000:.1f} ms"
    words = f"{run.status} {receipt.when}, {took}, {receipt.chunks_after} chunks after; the next send {then.status}"
    return Seen(words, (run.status, receipt.chunks_after, then.status) == ("cancelled", 0, "completed"))


def delete_rows(table: str, where: str) -> str:
    """Delete the rows of a table for which a condition holds."""
    return f"0 rows of {table} deleted"


async def approval(chat: gem.Chat) -> Seen:
    chat.change(tools=[delete_rows], approve="ask")
    run = chat.send("Call delete_rows for the table 'orders', where 'total = 0'. Then say how many were deleted.")
    calls = await run.next_pending()
    waited = [call.state for call in calls]
    for call in calls:
        run.approve(call)
    await run.wait()
    states = [call.state for call in run.tool_calls]
    holds = run.status == "completed" and "awaiting_approval" in waited and set(states) == {"succeeded"}
    return Seen(f"{_told(run)}; calls {', '.join(waited) or 'none'}, then {', '.join(states) or 'none'}", holds)


async def unknown_model(chat: gem.Chat) -> Seen:
    chat.change(model="no-such-model")
    run = await chat.send("Hello").wait()
    error = run.error
    return Seen(_told(run), isinstance(error, gem.ApiError) and error.code == 404)


async def long_answer(chat: gem.Chat) -> Seen:
    run = await chat.send("Explain how tides work, in 1,500 words, with headings.").wait()
    said = "".join(
        part.get("text", "")
        for chunk in run.chunks
        for candidate in chunk.wire.get("candidates") or ()
        for part in (candidate.get("content") or {}).get("parts") or ()
        if not part.get("thought")
    )
    return Seen(f"{_told(run)}, {len(run.chunks)} chunks", run.status == "completed" and said == run.text != "")


Case = tuple[str, Callable[[gem.Chat], Awaitable[Seen]], str]
CASES: tuple[Case, ...] = (
    ("an answer", answer, "completed, with text and a count of tokens"),
    ("a count", count, "as many tokens as the request then reports"),
    ("a picture", picture, "completed (it is red)"),
    ("a Stop", stop, "cancelled, connection closed, nothing after it, and the chat goes on"),
    ("an approval", approval, "the call waits, and runs once approved"),
    ("an unknown model", unknown_model, "ApiError 404"),
    ("a long answer", long_answer, "completed, and its text is what the chunks said"),
)


async def attempt(case: Case, folder: Path, **options: Any) -> Row:
    """Try one case in a chat of its own, and keep what came."""
    what, try_it, expected = case
    chat, began = gem.Chat(**options), time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_S):
            seen = await try_it(chat)
    except Exception as error:
        seen = Seen(words_of(error), False)
        for run in chat.runs:
            run.stop()
            await run.wait()
    seconds = time.monotonic() - began
    record(chat.runs, folder / f"{what.replace(' ', '-')}.jsonl")
    return Row(what, expected, seen, seconds)


def record(runs: Iterable[gem.Run], path: Path) -> None:
    """Write the chunks of these runs, one a line, each with its run, its step and the seconds since the run's start,
    and how each run ended. No key is in it.
    """
    with path.open("w", encoding="utf-8") as file:
        for run in runs:
            lines = [{"run": run.id, "step": c.step, "at_s": round(c.at_s, 4), "chunk": c.wire} for c in run.chunks]
            ended = {
                "run": run.id,
                "model": run.model,
                "status": run.status,
                "error": run.error and run.error.to_json(),
            }
            file.writelines(json.dumps(redact_all(line)) + "\n" for line in [*lines, ended])


def table(rows: Iterable[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| what | expected | seen | seconds | holds |", "|---|---|---|--:|---|"]
    for row in rows:
        seen = " ".join(redact(row.seen.words).replace("|", "\\|").split())
        holds = "yes" if row.seen.holds else "**no**"
        lines.append(f"| {row.what} | {row.expected} | {seen} | {row.seconds:.1f} | {holds} |")
    return "\n".join(lines)


def _told(run: gem.Run) -> str:
    if run.error is not None:
        return f"{type(run.error).__name__}: {run.error.title}"
    return f"{run.status} ({run.finish_reason}), {len(run.text):,} characters, {run.usage.total_token_count} tokens"


def _png(width: int, height: int, colour: bytes) -> bytes:
    """A picture of one colour (three bytes), made without a library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + colour * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


async def live(folder: Path, **options: Any) -> list[Row]:
    """All cases, one after the other, with a client and a model as a Chat takes them. The folder exists."""
    return [await attempt(case, folder, **options) for case in CASES]


def main(arguments: list[str] | None = None, *, client: Any = None) -> int:
    """0 where everything holds and where there is no key, 1 otherwise. `client` is one to ask in place of the
    environment's.
    """
    parser = argparse.ArgumentParser(prog="python -m proof.live", description="The real Gemini, tried once.")
    parser.add_argument("--model", default=gem.DEFAULT_MODEL, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=ROOT / "proof" / "out" / "live", help="where recordings go")
    asked = parser.parse_args(arguments)
    try:
        asyncio.run(GeminiSource(client).prepare())
    except gem.MissingKey:
        print("Skipped: no key. Set GEMINI_API_KEY (or GOOGLE_API_KEY), or the settings of Vertex AI, to try it.")
        return 0
    folder = asked.out / time.strftime("%Y-%m-%d-%H%M%S")
    folder.mkdir(parents=True)
    rows = asyncio.run(live(folder, client=client, model=asked.model))
    about = {"date": time.strftime("%Y-%m-%d"), "model": asked.model, **machine.describe()}
    report = "\n".join([*(f"- {name}: {value}" for name, value in about.items()), "", table(rows)])
    (folder / "results.md").write_text(report + "\n", encoding="utf-8")
    print(f"{report}\n\nWhat came over the wire, without keys: {folder}")
    return 0 if all(row.seen.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
