"""What real cards tell a page of real runs, kept message by message, to be played again over a worse connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

from comm.base_comm import BaseComm

import gemstream_widget as gem
from gemstream_widget._plain import Wire
from gemstream_widget.server import LocalGemini

__all__ = ["record"]

_PACE = "@every 0.02\n"
_PROSE = (
    "# A long answer\n\nSome *words* about `it`, **each** of them counted.\n\n- one\n- two\n  - deeper\n\n"
    "| a | b |\n|---|--:|\n| x | 1 |\n| y | 2 |\n\n```python\ndef f(x):\n    return x\n```\n\n> said once\n\n"
)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    print("adding")
    return a + b


def fail(path: str) -> str:
    """Fail."""
    raise FileNotFoundError(path)


async def _nothing(run: gem.Run) -> None:
    """A run that goes its way."""


async def _stop(run: gem.Run) -> None:
    async for _ in run:
        if len(run.text) > 300:
            run.stop()
            return


def _decide(*verdicts: str) -> Callable[[gem.Run], Awaitable[None]]:
    async def decide(run: gem.Run) -> None:
        for verdict in verdicts:
            (call, *_) = await run.next_pending()
            if verdict == "deny":
                run.deny(call.id, "not this one")
            else:
                run.approve(call.id, {"a": 1, "b": 1} if verdict == "edit" else None)

    return decide


_SUMS = '@call add {"a": 1, "b": 2}\n@+call add {"a": 3, "b": 4}\n'
_SCRIPTS: dict[str, tuple[str, str, Callable[[gem.Run], Awaitable[None]]]] = {
    "reasoning": ("@think First this. Then that, which takes longer to say.\n@say So *it* is.", "auto", _nothing),
    "long text": (f"@chunks 60 {json.dumps(_PROSE * 12)[1:-1]}", "auto", _nothing),
    "parallel calls": (f"@say Both:\n{_SUMS}@+call fail {{}}\n@then\n@say Three and seven.", "auto", _nothing),
    "arguments in pieces": ('@partial add {"a": 12, "b": 34}\n@then\n@say Done.', "auto", _nothing),
    "approvals": (f"@say May I?\n{_SUMS}@then\n@say I could.", "ask", _decide("edit", "deny")),
    "waiting": (f"@think Hm.\n@say May I?\n{_SUMS}", "ask", _nothing),
    "error": ("@think Hm.\n@say This will not\n@pause 0.2\n@error 503", "auto", _nothing),
    "cut off": ("@repeat 20 word {n} and \n@finish MAX_TOKENS", "auto", _nothing),
    "stopped": ("@repeat 400 word {n} and \n", "auto", _stop),
    "many kinds": (
        "@think Look.\n@code print(1)\n@result 1\n@image 8\n@search who\n@say Found.\n@part {\"hologram\": 1}",
        "auto",
        _nothing,
    ),
}  # fmt: skip


class _Comm(BaseComm):
    """Keeps what is sent, as JSON gives it back, with the state that a resync would be answered with at that moment."""

    opened: list[_Comm] = []
    card: gem.Card | None = None

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        said = json.loads(json.dumps(data or {}))
        if msg_type == "comm_open":
            if "snapshot" not in said["state"]:  # a card's layout has a comm too
                return
            self.opened.append(self)
            self.opening: Wire = said["state"]["snapshot"]
            self.closing: Wire | None = None
            self.sent: list[Wire] = []
            self.beat = asyncio.Event()
        elif said.get("method") == "custom":
            message = said["content"]
            entry = {"at_ms": time.monotonic() * 1000, "message": message}
            if message["op"] == "patch" and self.card is not None:
                (snap,) = json.loads(json.dumps(self.card.get_state("snapshot")))["snapshot"]["runs"]
                entry["snap"] = {"op": "snap", "run": message["run"], **snap}
            self.sent.append(entry)
            if message["op"] == "beat":
                self.beat.set()
        elif "snapshot" in said.get("state", {}):
            self.closing = said["state"]["snapshot"]

    async def beat_after(self, run: gem.Run) -> None:
        """Wait for the beat that follows the last patch."""
        while True:
            self.beat.clear()
            await self.beat.wait()
            snaps = [entry["snap"] for entry in self.sent if "snap" in entry]
            if snaps[-1]["state"] == json.loads(json.dumps(run.snapshot())):
                return


async def _one(name: str, server: LocalGemini) -> Wire:
    script, approve, meanwhile = _SCRIPTS[name]
    chat = gem.Chat(model="demo", client=server.client(), tools=[add, fail], approve=approve)
    run = chat.send(_PACE + script)
    before = len(_Comm.opened)
    card = gem.Card([run])
    page = _Comm.opened[before]
    page.card = card
    await meanwhile(run)
    if name == "waiting":
        await run.next_pending()
    else:
        await run.wait()
    await page.beat_after(run)
    began = page.sent[0]["at_ms"]
    told = {"sent": [{**e, "at_ms": e["at_ms"] - began} for e in page.sent]}
    told |= {"opening": page.opening, "closing": page.closing, "state": json.loads(json.dumps(run.snapshot()))}
    run.stop()
    await run.wait()
    card.close()
    return {"name": name, "run": run.id, "text": run.text, "ends": name != "waiting", **told}


async def _all() -> list[Wire]:
    with LocalGemini() as server:
        return list(await asyncio.gather(*(_one(name, server) for name in _SCRIPTS)))


def record() -> list[Wire]:
    """One recording per kind of run, as tests/browser/page/lossy.ts takes them.

    In a thread of its own: the browser's driver keeps a loop in this one.
    """
    with patch("comm.create_comm", _Comm), ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _all()).result()
