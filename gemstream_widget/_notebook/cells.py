"""Which runs a cell began. When it runs again, its output is replaced: those that still go on would go on unseen, so
they are stopped, unless whoever began them wants to keep them.

A cell is known by the id that JupyterLab, Notebook and VS Code send along with what they run; elsewhere nothing is
stopped. Output that is only cleared tells the kernel nothing: such runs go on, and `gem.runs()` lists them.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet, ref

from .._run import Run
from .._shell import kernel_shell, message_of

__all__ = ["note_begun"]

_begun: dict[str, list[tuple[str, ref[Run]]]] = {}  # by cell; each with the message that began it
_heard: WeakSet[Any] = WeakSet()  # the shells whose cells tell when they begin


def note_begun(run: Run) -> None:
    """This run was begun by the cell that is running, and is to be stopped when that runs again."""
    shell = kernel_shell()
    cell, message = _running(shell)
    if cell is None:
        return
    if shell not in _heard:
        _heard.add(shell)
        shell.events.register("pre_run_cell", _on_cell)
    _begun.setdefault(cell, []).append((message, ref(run)))


def _on_cell(*info: Any) -> None:
    cell, message = _running(kernel_shell())
    if cell is None:
        return
    held = _begun.pop(cell, [])
    if own := [(by, run) for by, run in held if by == message]:  # the cell runs code of its own, as %run does
        _begun[cell] = own
    for by, begun in held:
        run = begun()
        if by != message and run is not None and not run.done:
            run.stop(by="rerun")


def _running(shell: Any) -> tuple[str | None, str]:
    """The id of the cell that is running, where the page tells it, and of the message that runs it."""
    message = message_of(shell)
    return message["metadata"].get("cellId"), message["header"].get("msg_id", "")
