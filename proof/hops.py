"""Answers in several hops: what the model says is cut into them anywhere, over real HTTP.

The local Gemini gives each token out for one request and checks it, so that an answer comes whole only where each hop
was asked for as it should be.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import math
import random
from collections.abc import Sequence
from typing import Any

import gemstream_widget as gem
from benchmarks.setting import Setting
from tests.clients import OURS, client_of

from . import judge
from .report import Control, Found, Row
from .stop import collector_off

__all__ = ["measure"]

_WORDS = "Grüße aus Köln 漢字 und 😀 also noch ein Wort mehr ".split(" ")


def double(n: int) -> int:
    """Double it."""
    return 2 * n


def measure(setting: Setting) -> Found:
    """Random answers in 1 to 6 hops: whole, stopped anywhere, and broken off behind a token."""
    return Found(asyncio.run(_measure(setting)))


async def _measure(setting: Setting) -> list[Row]:
    pick = random.Random("hops")
    with collector_off(), gem.LocalGemini(speed=math.inf, keep=400) as server:
        async with client_of(server, OURS) as client:
            n = setting.count(120, 12)
            whole = [fault for _ in range(n) for fault in await _whole(server, client, _Answer(pick))]
            seam = await _whole(server, client, _Answer(pick), change=lambda run: "x" + run.text)
            rows = [Row("hops: one answer without a seam, each asked for with the last token", n, whole,
                        Control("a letter more than was said", bool(seam)))]  # fmt: skip
            n = setting.count(60, 6)
            mended = [fault for _ in range(n) for fault in await _goes_on(server, client, pick)]
            control = Control("a token of another question", await _is_foreign_refused(client))
            rows.append(Row("hops: broken off behind a token, it goes on right there", n, mended, control))
    with collector_off(), gem.LocalGemini(keep=400) as server:
        async with client_of(server, OURS) as client:
            n = setting.count(200, 12)
            tried = [await _stopped(server, client, pick) for _ in range(n)]
            gc.collect()
    faults = [fault for found, _ in tried for fault in found]
    between = sum(when == "between hops" for _, when in tried)
    control = Control("a request after the Stop", _asked_after(["request", "stop", "hop"]) == 1)
    rows.append(Row(f"hops: Stop in any of them asks for no other ({between} fell between two)", n, faults, control))
    return rows


class _Answer:
    """What a model says in several hops: reasoning and text, cut anywhere, and perhaps a call at its end."""

    def __init__(self, pick: random.Random) -> None:
        self.thoughts, self.text = "", ""
        self.hops = pick.randint(1, 6)
        self.calls = pick.random() < 0.3
        lines, thinking = ["@every 0.002"], True
        for hop in range(self.hops):
            if hop:
                lines.append("@hop")
            for _ in range(pick.randint(1, 3)):
                thinking = thinking and pick.random() < 0.4
                word = pick.choice(_WORDS) or "-"
                lines += ["@think" if thinking else "@say", word, "@end"]
                self.thoughts += word if thinking else ""
                self.text += "" if thinking else word
        if self.calls:
            lines.append('@call double {"n": 2}\n@then\n@say done')
        self.script = "\n".join(lines)


def _chat(client: Any, **options: Any) -> gem.Chat:
    return gem.Chat(client=client, model="demo", tools=[double], retries=0, **options)


async def _whole(
    server: gem.LocalGemini, client: Any, answer: _Answer, change: Any = lambda run: run.text
) -> list[str]:
    since = server.requests[-1].number if server.requests else 0
    chat = _chat(client)
    run = await chat.send(answer.script).wait()
    asked = [record for record in server.requests if record.number > since]
    about = f"{answer.script!r}: "
    faults = [] if run.status == "completed" else [f"{about}{run.status}: {run.error}"]
    if (run.thoughts, change(run)) != (answer.thoughts, answer.text + ("done" if answer.calls else "")):
        faults.append(f"{about}said {run.thoughts!r} and {run.text!r}")
    if len(asked) != answer.hops + answer.calls or len(run.steps[0].hops) != answer.hops:
        faults.append(f"{about}{len(asked)} requests, {len(run.steps[0].hops)} hops")
    first = asked[: answer.hops]
    tokens = [(record.body or {}).get("continuationToken") for record in first]
    if tokens[0] is not None or None in tokens[1:] or len({*tokens}) != len(tokens):
        faults.append(f"{about}asked with {tokens}")
    if len({json.dumps((record.body or {})["contents"]) for record in first}) != 1:
        faults.append(f"{about}the hops asked for different contents")
    if run.usage.total_token_count != sum(hop.total_token_count or 0 for step in run.steps for hop in step.hops):
        faults.append(f"{about}usage is not the sum of the hops")
    shown = [p for p in run.parts if p.step == 0 and getattr(p, "text", "-")]  # a lone signature shows nothing
    joined = list(itertools.pairwise(part.kind for part in shown))
    if any(a == b and a != "call" for a, b in joined):
        faults.append(f"{about}a seam: {[part.kind for part in run.parts]}")
    return faults


async def _goes_on(server: gem.LocalGemini, client: Any, pick: random.Random) -> list[str]:
    """A stream that breaks right behind a token is asked for again with it."""
    before, after = (" ".join(pick.sample(_WORDS, 3)) for _ in range(2))
    chat = _chat(client)
    script = f"@say\n{before}\n@end\n@checkpoint\n@cut end\n@say\n{after}\n@end"
    run = await chat.send(script).wait()
    if run.status != "failed" or run.offers[:1] != ["continue"]:
        return [f"{script!r}: {run.status}, {run.offers}"]
    more = await chat.again("continue").wait()
    said = "".join(part.get("text", "") for content in chat.history[1:] for part in content["parts"])
    token = (server.requests[-1].body or {}).get("continuationToken")
    if more.status != "completed" or said != before + after or token is None:
        return [f"{script!r}: {more.status}: {more.error}, {said!r}, token {token!r}"]
    return []


async def _is_foreign_refused(client: Any) -> bool:
    """The detector of `_goes_on`: the server takes a token for the question only that it was given for."""
    from google.genai import errors, types

    body = {"contents": [{"role": "user", "parts": [{"text": "@say a"}]}], "continuationToken": "bm9uZQ=="}
    config = types.GenerateContentConfig(http_options=types.HttpOptions(extra_body=body))
    try:
        await client.aio.models.generate_content(model="demo", contents="-", config=config)
    except errors.APIError as error:
        return error.code == 400
    return False


async def _stopped(server: gem.LocalGemini, client: Any, pick: random.Random) -> tuple[list[str], str]:
    """One answer, stopped at a random moment; what is wrong, and where the Stop fell."""
    answer = _Answer(pick)
    since = server.requests[-1].number if server.requests else 0
    chat = _chat(client)
    run = chat.send(answer.script)
    if pick.random() < 0.5:  # right as a hop ends
        async for _ in run:
            if run.steps and run.steps[-1].finish_reason == "CONTINUATION":
                break
    else:
        await asyncio.sleep(pick.uniform(0, 0.05))
    stopped = run.stop()
    await run.wait()
    records = [record for record in server.requests if record.number > since and _asks(record.body, answer.script)]
    about = f"{answer.script!r}: "
    faults = [about + fault for fault in await judge.closed(records)]
    if run.status not in ("cancelled", "completed") or (run.status == "cancelled" and not stopped):
        faults.append(f"{about}{run.status}, where stop() gave {stopped}")
    kinds = [entry.kind for _, entry in run._record.journal.entries]
    if late := _asked_after(kinds):
        faults.append(f"{about}{late} requests after the Stop")
    if len(records) > sum(map(kinds.count, _ASKING)):
        faults.append(f"{about}{len(records)} requests, of which the run knows less: {kinds}")
    if not (answer.text + "done").startswith(run.text) or not answer.thoughts.startswith(run.thoughts):
        faults.append(f"{about}kept {run.thoughts!r} and {run.text!r}")
    return faults, run.receipt.when if run.receipt else run.status


def _asks(body: Any, script: str) -> bool:
    """Whether it is a request of this run: one of the run before may come late to the server's log."""
    return bool(body) and body["contents"][0]["parts"] == [{"text": script}]


_ASKING = ("request", "hop")


def _asked_after(kinds: Sequence[str]) -> int:
    """How many requests the journal has behind a Stop."""
    behind = kinds[kinds.index("stop") :] if "stop" in kinds else ()
    return sum(map(behind.count, _ASKING))
