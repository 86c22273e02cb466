"""What a Stop may cut: scripts for the local Gemini, tools of every temper, and the text that was to come."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gemstream_widget._tools.policy import Policy

__all__ = ["SCENES", "Scene", "Workshop"]

_ANSWER = "0123456789 " * 22
_REASONS = "because and thus "
_PATIENCE_S = 30.0


class Workshop:
    """The tools of one run. `started` tells when each body began; `release` ends those that end for nothing else."""

    def __init__(self) -> None:
        self.started: list[float] = []
        self.release = threading.Event()

    def sync(self, n: int) -> int:
        """Work for a moment, on a thread."""
        self.started.append(time.perf_counter())
        self.release.wait(0.01)
        return n

    async def soon(self, n: int) -> int:
        """Work for a moment, on the loop."""
        self.started.append(time.perf_counter())
        await asyncio.sleep(0.01)
        return n

    def endless(self, n: int) -> int:
        """Work on a thread until released: nothing can end it."""
        self.started.append(time.perf_counter())
        self.release.wait(_PATIENCE_S)
        return n

    async def deaf(self, n: int) -> int:
        """Work on the loop, and swallow every cancellation until released."""
        self.started.append(time.perf_counter())
        due = time.monotonic() + _PATIENCE_S
        while not self.release.is_set() and time.monotonic() < due:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return n

    def tools(self) -> list[Callable[..., Any]]:
        return [self.sync, self.soon, self.endless, self.deaf]


@dataclass(frozen=True, slots=True)
class Scene:
    """`text` and `thoughts` are all that would be said if nobody stopped it; moments are drawn from `lasts_s`."""

    name: str
    script: str
    lasts_s: float
    text: str = ""
    thoughts: str = ""
    approve: Policy = "auto"
    decides: bool = False
    """Somebody else approves what waits, over and over, while the Stop comes."""
    grace_s: float = 2.0
    speaks: bool = True
    """Whether a chunk ever comes: most moments are counted from it, the others from `send`."""
    ends: str = "completed"
    """The run's status where no Stop cut it."""
    options: tuple[tuple[str, Any], ...] = ()
    """More of the chat's own."""


_CALLS = '@call sync {"n": 1}\n@+call soon {"n": 2}\n@call sync {"n": 3}\n'

SCENES = [
    Scene(
        "reasoning and text",
        f"@every 0.003\n@chunk 17\n@think {_REASONS * 8}\n@chunks 22 {_ANSWER}",
        0.1,
        _ANSWER,
        _REASONS * 8,
    ),
    Scene("before the headers", "@headers 30\n@say never", 0.06, speaks=False),
    Scene("silence after a word", "@say word\n@stall", 0.03, "word"),
    Scene("silence after a call", '@think hm\n@call sync {"n": 1}\n@stall', 0.03, "", "hm"),
    Scene("parallel calls", f"@every 0.003\n{_CALLS}@then\n@every 0.003\n@chunks 22 {_ANSWER}", 0.13, _ANSWER),
    Scene("approvals that wait", f"@every 0.003\n@say Well.\n{_CALLS}@then\n@say no", 0.06, "Well.no", approve="ask"),
    Scene(
        "approvals decided meanwhile",
        f'@every 0.002\n{_CALLS}@then\n@say So\n@call soon {{"n": 4}}\n@then\n@say it is.',
        0.08,
        "Soit is.",
        approve="ask",
        decides=True,
    ),
    Scene(
        "tools without an end",
        '@call endless {"n": 1}\n@+call deaf {"n": 2}\n@+call soon {"n": 3}',
        0.06,
        grace_s=0.05,
    ),
    Scene(
        "several steps",
        '@every 0.002\n@say One.\n@call soon {"n": 1}\n@then\n@say Two.\n@call soon {"n": 2}\n@+call sync {"n": 3}\n'
        '@then\n@think hm\n@say Three.\n@call soon {"n": 4}\n@then\n@say Four.',
        0.14,
        "One.Two.Three.Four.",
        "hm",
    ),
    Scene(
        "several hops",
        f"@every 0.003\n@think {_REASONS}\n@chunks 4 {_ANSWER[:44]}\n@hop\n@chunks 4 {_ANSWER[44:88]}\n@hop\n"
        f"@chunks 4 {_ANSWER[88:132]}\n@hop\n@chunks 4 {_ANSWER[132:]}",
        0.12,
        _ANSWER,
        _REASONS,
    ),
    Scene(
        "an error in mid-stream",
        f"@every 0.003\n@chunks 8 {_ANSWER[:88]}\n@error 503",
        0.05,
        _ANSWER[:88],
        ends="failed",
    ),
    Scene("the wait for another attempt", "@fail 503", 0.15, speaks=False, options=(("retries", 2),)),
]
