"""Showing runs: `ask`, `watch`, and what happens when a Run is displayed."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Unpack
from weakref import WeakKeyDictionary

from .._chat import Chat
from .._engine.loops import Runner
from .._engine.options import ChatOptions, takes_options
from .._engine.source import WatchedSource
from .._redact import words_of
from .._run import Run
from .._shell import kernel_shell, terminal_shell
from .cells import note_begun
from .terminal import is_terminal, print_run

if TYPE_CHECKING:
    from .card import Card

__all__ = ["ask", "bundle_of", "display_run", "shown", "watch"]


_cards: dict[Run, Card] = {}  # as long as a card is not closed: ipywidgets keeps it so long, too
_shown_in: WeakKeyDictionary[Run, int] = WeakKeyDictionary()  # the execution count of the cell that showed it last


@takes_options()
def ask(prompt: Any, *, keep: bool = False, **options: Unpack[ChatOptions]) -> Run:
    """Ask once, and show the answer live in this cell. Returns the Run at once. It is stopped when the cell runs again;
    `keep` lets it go on (`gem.runs()` lists what does).

    `await` the result for the finished run. In an IPython terminal and `jupyter console` the answer is printed as it
    comes; a script works the same and shows nothing. Raises as `Chat` and `Chat.send` do.

        ask("Explain CRDTs in three sentences", model="demo")
    """
    return _asked(Chat(**options), prompt, keep)


def watch(
    stream: AsyncIterator[Any], *, name: str = "watched stream", runner: Runner = "loop", keep: bool = False
) -> Run:
    """Show somebody else's stream: any async iterator of chunks, the SDK's objects or wire dicts. Returns the Run.

    Stop cancels the task that reads the iterator; whether that closes its connection is up to the iterator. `keep`: see
    `ask`. Raises
    TypeError for what cannot be iterated, such as a coroutine that was not awaited.
    """
    return _asked(Chat(model=name, source=WatchedSource(stream), runner=runner), name, keep)


def _asked(chat: Chat, prompt: Any, keep: bool) -> Run:
    """A run of this chat, shown. After a Ctrl+C in between nobody could stop it: whoever asked never gets it."""
    try:
        run = chat.send(prompt)
        if not keep:
            note_begun(run)
        return shown(run)
    except BaseException:
        for run in chat.runs:
            run.stop(by="interrupt")
        raise


def shown(run: Run) -> Run:
    """The run, displayed if there is a notebook, and printed as it comes in a terminal. A card that cannot be made
    leaves the run as it is, and says so.
    """
    if shell_here() is not None:
        try:
            show(run)
        except Exception as error:
            warnings.warn(
                f"Run {run.id} cannot be shown here ({words_of(error)}); it goes on without a card.", stacklevel=3
            )
    return run


def shell_here() -> Any:
    """The shell of whoever shows runs: of a kernel, or of an IPython terminal; or None."""
    return kernel_shell() or terminal_shell()


def show(run: Run) -> None:
    """Show a run in the cell that is running. A run already shown by this very cell is not shown twice."""
    shell = shell_here()
    if shell is None:
        print(repr(run))
    elif _shown_in.get(run) != shell.execution_count:
        _shown_in[run] = shell.execution_count
        if is_terminal():
            print_run(run)
        else:
            _display(_card_of(run))


def display_run(run: Run) -> None:
    """What IPython asks a run for that is displayed. Raises NotImplementedError where `bundle_of` is to be asked
    instead: only what goes through that has a display id, which `display(run, display_id=...)` updates by.
    """
    shell = kernel_shell()
    if shell is None or is_terminal() or _is_last_expression(shell):
        if terminal_shell() is not None:
            print()  # below what IPython has written: "Out[1]: "
        show(run)
    else:
        raise NotImplementedError


def bundle_of(run: Run, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The card of a run as MIME data and metadata, for `display(run)` and `handle.update(run)`; nothing where there is
    no page.
    """
    shell = kernel_shell()
    if shell is None or is_terminal():
        return {}, {}
    _shown_in[run] = shell.execution_count
    return _card_of(run)._repr_mimebundle_(**how)


def _is_last_expression(shell: Any) -> bool:
    """Whether a cell's value is shown, rather than what `display` was given: ipykernel's hook then has a message."""
    return getattr(shell.displayhook, "msg", None) is not None


def _card_of(run: Run) -> Card:
    from .card import Card

    for closed in [shown for shown, card in _cards.items() if card.comm is None]:
        del _cards[closed]
    card = _cards.get(run)
    if card is None:
        card = _cards[run] = Card([run])
    return card


def _display(card: Card) -> None:
    from IPython.display import display

    display(card)  # type: ignore[no-untyped-call]
