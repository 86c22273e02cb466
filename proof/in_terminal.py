"""What the terminals and kernels of the waiting group are told to do, as `there`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import gemstream_widget as gem
from gemstream_widget import _interrupts
from gemstream_widget._engine.sources import _connect_demo
from gemstream_widget.server import shared

__all__ = ["LONG", "break_interrupts", "left", "stream"]

LONG = "@think so\n@every 0.01\n@chunks 20 " + "word and word " * 20 + "\n@stall"
"""A prompt of the demo model whose answer does not end."""


async def stream() -> AsyncIterator[Any]:
    """The same from a stream that is not ours."""
    client = _connect_demo()
    async for chunk in await client.aio.models.generate_content_stream(model="demo", contents=LONG):
        yield chunk


def break_interrupts(*, broken: bool = True) -> None:
    """Leave Ctrl+C to Python, or do not."""
    _interrupts._waits.clear()
    _interrupts._is_main = _main if not broken else lambda: False


_main = _interrupts._is_main


async def left(*, stop: bool = False) -> str:
    """What goes on, and how many requests the server still answers, as JSON; then stopped, if asked for."""
    going = [run.status for run in gem.runs()]
    answered = [record.wait_done(0 if going else 1.0) for record in shared().requests]
    if stop:
        for run in gem.stop_all():
            await run.wait()
    return json.dumps({"going": going, "open": answered.count(False)})
