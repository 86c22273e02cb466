"""Chunks through decoder and reducer, the way a run does it, with a clock that counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gemstream_widget._stream.decode import Decoder
from gemstream_widget._stream.events import Event
from gemstream_widget._stream.patch import Op
from gemstream_widget._stream.reducer import apply
from gemstream_widget._stream.state import State
from gemstream_widget.errors import ApiError


class Played:
    """`events`, `batches` (the operations of each event group) and `state` after all chunks.

    `snapshots[n]` is the state after batch n, as JSON gives it back; `opening` the one before any.
    """

    def __init__(self, chunks: Iterable[Any], *, snapshots: bool = False) -> None:
        self.state = State(run="r1", model="m", demo=False, prompt=[], started_at=0.0)
        self.opening = self._json()
        self.events: list[Event] = []
        self.batches: list[list[Op]] = []
        self.snapshots: list[Any] = []
        self.error: ApiError | None = None
        self._keep = snapshots
        decoder = Decoder()
        self._apply(decoder.begin(0, 0.0))
        number = -1
        for number, chunk in enumerate(chunks):
            try:
                self._apply(decoder.push(chunk, number, (number + 1) / 10))
            except ApiError as error:
                self.error = error
                break
        self._apply(decoder.end((number + 2) / 10, "error" if self.error else None))
        self.step = self.state.steps[0]

    def _json(self) -> Any:
        return json.loads(json.dumps(self.state.snapshot()))

    def _apply(self, events: list[Event]) -> None:
        self.events += events
        self.batches.append([op for event in events for op in apply(self.state, event)])
        if self._keep:
            self.snapshots.append(self._json())
