"""What comes is kept byte for byte, and goes back as it came: held against the local Gemini's own log of what it sent.

Recordings of public projects are played where they are there; every form that a frame may have always is.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget.server.faults import FRAMES
from tests.clients import OURS, client_of
from tests.conftest import corpus_root

from .report import Control, Found, Row

__all__ = ["measure"]

_KEEP = 64_000_000
_TEXT = "Grüße, 漢字 und 😀: alles kommt an."
_ODD: list[Any] = [
    {"hologram": {"depth": 3}},
    {"hologram": {"depth": 3}, "thoughtSignature": "c2lnbmVk", "since": [2027, None, False]},
    {"text": "seen", "brandNew": {"since": 2027}},
    {"text": "seen", "thought": True, "thoughtSignature": "c2lnbmVk", "brandNew": "yes"},
    {"functionCall": {"name": "f", "args": {"a": 1}, "mood": "odd"}, "brandNew": []},
    {"inlineData": {"mimeType": "image/png", "data": "AAAA", "dpi": 72}},
    {"text": "seen", "thoughtSignature": "no base64!"},
    {"text": "seen", "thoughtSignature": "-_-_"},
    {"text": "seen", "thoughtSignature": 7},
    {"executableCode": {"language": "PYTHON", "code": "1", "id": "x"}},
]


def measure(setting: Setting) -> Found:
    """All recordings; forms of frames in all their pairs, cut into pieces and broken off anywhere; odd parts."""
    found = asyncio.run(_measure(setting))
    skipped = [] if corpus_root() else ["recorded streams: they are not there"]
    return Found(found, skipped=skipped)


async def _measure(setting: Setting) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        names = list(_recordings(Path(folder)))[:: 8 if setting.quick else 1]
        with gem.LocalGemini(folder, pace_s=0, speed=math.inf, keep=8, keep_sent=_KEEP) as server:
            async with client_of(server, OURS) as client:
                changed = Control("one byte of the log changed", await _is_change_noticed(server, client))
                if names:
                    faults = [fault for name in names for fault in await _played(server, client, name, "play")]
                    rows.append(Row("bytes: recorded streams are kept as they were sent", len(names), faults, changed))
                prompts = list(_forms(setting.count(400, 30)))
                faults = [fault for prompt in prompts for fault in await _played(server, client, "demo", prompt)]
                rows.append(
                    Row("bytes: every form of frames, in any pieces, cut anywhere", len(prompts), faults, changed)
                )
                faults = [fault for part in _ODD for fault in await _sent_back(server, client, part)]
                async with client_of(server, "httpx2") as theirs:
                    lost = [bool(await _sent_back(server, theirs, part)) for part in _ODD[:3]]
                control = Control("the same as the SDK reads it: lost", all(lost))
                rows.append(Row("bytes: what has no name goes back as it came", len(_ODD), faults, control))
        rows.append(await _closes_on_error(setting.count(60, 8)))
    return rows


def _recordings(folder: Path) -> Iterator[str]:
    """The names under which the recordings can be played from now on."""
    root = corpus_root()
    paths = (
        sorted(p for kind in ("streams", "synthetic", "minimal") for p in (root / kind).glob("*.jsonl")) if root else []
    )
    for number, path in enumerate(paths):
        os.symlink(path, folder / f"{path.parent.name}-{number}.jsonl")
        yield f"{path.parent.name}-{number}"


def _forms(count: int) -> Iterator[str]:
    """Scripts: pairs of words, in random pieces, and every third ends somewhere in its body."""
    pick = random.Random("forms")
    pairs = itertools.cycle([*itertools.combinations(sorted(FRAMES), 2)])
    for number, pair in zip(range(count), pairs, strict=False):
        pieces = " ".join(str(pick.randint(1, 40)) for _ in range(3))
        end = f"\n@cut {pick.randint(1, 700)} end" if number % 3 == 2 and "gzip" not in pair else ""
        yield f"@frames {' '.join(pair)}\n@split {pieces}\n@think {_TEXT}\n@chunks 3 {_TEXT}{end}"


async def _played(server: gem.LocalGemini, client: Any, model: str, prompt: str) -> list[str]:
    """One answer; what is not as it was sent. Behind an error object nothing is read."""
    run = await gem.Chat(client=client, model=model, retries=0, max_hops=1).send(prompt).wait()
    record = server.requests[-1]
    await asyncio.to_thread(record.wait_done, 5)
    sent, came = record.sent, b"".join(run.frames)
    about = f"{model}, {prompt[:60]!r}: "
    if record.status != 200:  # no stream
        return []
    if sent is None:
        return [f"{about}the server has no log of it"]
    is_whole = came == sent or (isinstance(run.error, gem.ApiError) and sent.startswith(came) and bool(came))
    faults = [] if is_whole else [f"{about}{len(came)} bytes kept of {len(sent)}, or others"]
    if b"".join((chunk.raw or "").encode("utf-8", "surrogateescape") for chunk in run.chunks) != came:
        faults.append(f"{about}the chunks are not the frames")
    if "@cut" not in prompt and model == "demo" and (run.status, run.thoughts, run.text) != ("completed", _TEXT, _TEXT):
        faults.append(f"{about}{run.status}, {run.text!r}, {run.error}")
    return faults


async def _is_change_noticed(server: gem.LocalGemini, client: Any) -> bool:
    healthy = not await _played(server, client, "demo", f"@think {_TEXT}\n@say {_TEXT}")
    record = server.requests[-1]
    log = record._sent
    log[len(log) // 2] ^= 1
    run = await gem.Chat(client=client, model="demo").send("@say other")
    return healthy and b"".join(run.frames) != bytes(log)


async def _sent_back(server: gem.LocalGemini, client: Any, part: Any) -> list[str]:
    """A part that comes, and whether the next request says it as it came."""
    chat = gem.Chat(client=client, model="demo", retries=0)
    await chat.send(f"@part {json.dumps(part)}\n@+finish STOP").wait()
    faults = [f"{part}: check() says {violation.message}" for violation in chat.check()]
    await chat.send("@say thanks").wait()
    body = server.requests[-1].body or {}
    said = [content["parts"] for content in body.get("contents", ()) if content.get("role") == "model"]
    return faults + ([] if said[:1] == [[part]] else [f"{part} went back as {said}"])


async def _closes_on_error(count: int) -> Row:
    """An error object in mid-stream: the server goes on sending, and sees us hang up."""
    faults, times_ms = [], []
    prompt = "@say a\n@error 503\n@every 0.05\n@repeat 60 more {n}\n"
    with gem.LocalGemini() as server:
        async with client_of(server, OURS) as client:
            for _ in range(count):
                run = await gem.Chat(client=client, model="demo", retries=0).send(prompt).wait()
                record = server.requests[-1]
                await asyncio.to_thread(record.wait_closed, 1)
                if record.client_closed_at is None:
                    faults.append("still open after 1 s")
                elif not isinstance(run.error, gem.ApiError) or run.text != "a":
                    faults.append(f"{run.status}: {run.error}")
                else:
                    times_ms.append(1000 * max(0.0, record.client_closed_at - record.sent_at[:2][-1]))
            stream = await client.aio.models.generate_content_stream(model="demo", contents="@say a\n@stall")
            async for _ in stream:
                break
            record = server.requests[-1]
            control = Control(
                "a stream that is left with `break`", not await asyncio.to_thread(record.wait_closed, 0.3)
            )
            await stream.aclose()
    return Row("bytes: an error in mid-stream closes the connection", count, faults, control, times_ms)
