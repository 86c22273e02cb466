"""What a reader is told who comes to a run now, and the state that leads to."""

from __future__ import annotations

from typing import Any

import gemstream_widget as gem
from gemstream_widget._stream.events import Event
from gemstream_widget._stream.fold import Fold
from gemstream_widget._stream.journal import Cursor
from gemstream_widget._stream.reducer import apply
from gemstream_widget._stream.state import State


def told(run: gem.Run) -> tuple[list[Event], Fold]:
    """The events so far, folded anew from the run's journal, and that fold."""
    journal = run._record.journal
    fold = Fold(journal.header, run.id)
    events = fold.opening()
    for item in Cursor(journal):
        events += fold.take(item)
    return events, fold


def state_of(run: gem.Run, events: list[Any]) -> State:
    """A state that these events alone have led to."""
    header = run._record.journal.header
    state = State(
        run=run.id,
        model=header.model,
        demo=header.demo,
        prompt=header.prompt,
        started_at=header.started_at,
        attachments=header.attachments,
    )
    for event in events:
        apply(state, event)
    return state
