"""Turn: what a run that was queued waits for, on its own loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from .._plain import Wire
from .._stream import entries
from .._stream.record import Record

__all__ = ["Turn"]

_LOOK_S = 1.0
"""How often whoever waits looks at the run ahead: of one whose loop was closed under it, nobody else may tell."""


class Turn:
    """The turn of the run that `record` tells of; made anywhere, given from any thread.

    `prompt` gives what the run sends, once every run before it has ended. `look` gives the turn to whoever has it.
    """

    def __init__(self, record: Record, *, prompt: Callable[[], list[Wire]], look: Callable[[], None]) -> None:
        self.given = asyncio.Event()
        """Set on the run's loop: the turn has come, or the run is over without it."""
        self._record = record
        self._prompt = prompt
        self._look = look

    async def wait(self) -> None:
        """Return when it is given."""
        while not self.given.is_set():
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self.given.wait()
            except TimeoutError:
                self._look()

    def begin(self) -> None:
        """Let the run start. Raises what stands against its prompt now that the conversation is known."""
        prompt = self._prompt()
        self._record.restart_clock()
        self._record.add(entries.Turn(0.0, time.time(), None if prompt == self._record.state.prompt else prompt))
