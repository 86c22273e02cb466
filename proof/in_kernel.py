"""What the kernels of the matrix are told to do, as `there`. Times are time.time(), which harness and kernel share."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import gemstream_widget as gem
from gemstream_widget._engine.loops import Runner
from gemstream_widget._notebook import fastlane
from gemstream_widget.server import shared

if TYPE_CHECKING:
    from google.genai import Client

__all__ = ["ask", "begin", "block", "ended", "fast_lane", "report", "runs"]

_EVERY_S = 0.02
_watch = fastlane.watch
_uses: dict[int, int] = {}
_freed_at: float | None = None
_client: Client | None = None
runs: list[gem.Run] = []
"""Those of the last `ask`."""


@gem.tool(approve="ask")
def note(number: int) -> int:
    """Count that this was called."""
    _uses[number] = _uses.get(number, 0) + 1
    return number


async def begin() -> None:
    """Load what the first run would otherwise wait for. Shows nothing: a card's timers would wake the kernel's loop."""
    global _client  # noqa: PLW0603  # one for all: what a client does when it is collected is not tried here
    _client = shared().client()
    runner: Runner
    for runner in ("loop", "thread"):
        await gem.Chat(model="demo", client=_client, runner=runner).send("@every 0\n@say ready")


def fast_lane(on: bool) -> None:
    """Cards made from here on have the fast lane, or not."""
    fastlane.watch = _watch if on else lambda comm_id, handler: False


def ask(wants: str, runner: Runner, count: int, limit_s: float) -> None:
    """Show runs that stream, or wait for a decision where they want one; each ends by itself after `limit_s`."""
    global _freed_at  # noqa: PLW0603  # one harness asks for one thing at a time
    _freed_at = None
    runs.clear()
    _uses.clear()
    chunks = round(limit_s / _EVERY_S)
    text = f"@every {_EVERY_S}\n@chunks {chunks} " + "word and word " * chunks
    for number in range(count):
        prompt = f'@call note {{"number": {number}}}\n@then\n@say noted' if wants == "decision" else text
        runs.append(
            gem.ask(prompt, model="demo", client=_client, runner=runner, tools=[note], approval_timeout_s=limit_s)
        )


async def ended() -> None:
    """Await the runs."""
    for run in runs:
        await run.wait()


def block(until: str, most_s: float) -> None:
    """Keep the kernel's main thread until that file is there."""
    global _freed_at  # noqa: PLW0603  # see ask
    print("blocked", flush=True)
    began = time.monotonic()
    while not Path(until).exists() and time.monotonic() - began < most_s:
        time.sleep(0.02)
    _freed_at = time.time()


async def report() -> None:
    """Print, as JSON, what became of the runs, once they have ended."""
    await ended()
    rows = [
        {
            "run": run.id,
            "status": run.status,
            "by": run.receipt.by if run.receipt else None,
            "stopped_at": _stopped_at(run),
            "decided_at": _decided_at(run),
            "uses": _uses.get(number, 0),
            "state": run.snapshot(),
        }
        for number, run in enumerate(runs)
    ]
    print(json.dumps({"freed_at": _freed_at, "runs": rows}))


def _stopped_at(run: gem.Run) -> float | None:
    ended_s = run.timing.ended_s
    return run.timing.started_at + ended_s if run.status == "cancelled" and ended_s is not None else None


def _decided_at(run: gem.Run) -> float | None:
    made = [decision for decision in run.decisions if decision.by == "button"]
    return run.timing.started_at + made[0].at_s if made else None
