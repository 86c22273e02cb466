"""Showing runs: `ask`, `watch`, and what happens when a Run is displayed."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Unpack

from .._chat import Chat
from .._engine.loops import Runner
from .._engine.options import ChatOptions, takes_options
from .._engine.source import WatchedSource
from .._redact import words_of
from .._run import Run
from .._shell import kernel_shell

if TYPE_CHECKING:
    from .card import Card

__all__ = ["ask", "display_run", "shown", "watch"]


_cards: dict[str, Card] = {}  # by run id, as long as it is not closed: ipywidgets keeps it so long, too
_shown_in: dict[str, int] = {}  # run id to the execution count of the cell that showed it last


@takes_options()
def ask(prompt: Any, **options: Unpack[ChatOptions]) -> Run:
    """Ask once, and show the answer live in this cell. Returns the Run at once.

    `await` the result for the finished run. Outside a notebook it works the same and shows nothing. Raises as `Chat`
    and `Chat.send` do.

        ask("Explain CRDTs in three sentences", model="demo")
    """
    return _asked(Chat(**options), prompt)


def watch(stream: AsyncIterator[Any], *, name: str = "watched stream", runner: Runner = "loop") -> Run:
    """Show somebody else's stream: any async iterator of chunks, the SDK's objects or wire dicts. Returns the Run.

    Stop cancels the task that reads the iterator; whether that closes its connection is up to the iterator. Raises
    TypeError for what cannot be iterated, such as a coroutine that was not awaited.
    """
    return _asked(Chat(model=name, source=WatchedSource(stream), runner=runner), name)


def _asked(chat: Chat, prompt: Any) -> Run:
    """A run of this chat, shown. After a Ctrl+C in between nobody could stop it: whoever asked never gets it."""
    try:
        return shown(chat.send(prompt))
    except BaseException:
        for run in chat.runs:
            run.stop(by="interrupt")
        raise


def shown(run: Run) -> Run:
    """The run, displayed if there is a notebook. A card that cannot be made leaves the run as it is, and says so."""
    if kernel_shell() is not None:
        try:
            display_run(run)
        except Exception as error:
            warnings.warn(
                f"Run {run.id} cannot be shown here ({words_of(error)}); it goes on without a card.", stacklevel=3
            )
    return run


def display_run(run: Run) -> None:
    """Show a run in the cell that is running. A run already shown by this very cell is not shown twice."""
    shell = kernel_shell()
    if shell is None:
        print(repr(run))
        return
    if _shown_in.get(run.id) == shell.execution_count:
        return
    from IPython.display import display

    from .card import Card

    for closed in [run_id for run_id, card in _cards.items() if card.comm is None]:
        del _cards[closed]
        _shown_in.pop(closed, None)
    card = _cards.get(run.id)
    if card is None:
        card = _cards[run.id] = Card([run])
    _shown_in[run.id] = shell.execution_count
    display(card)  # type: ignore[no-untyped-call]
