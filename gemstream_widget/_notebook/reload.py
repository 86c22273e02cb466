"""A page that is loaded anew gets its cards back while a cell awaits.

It asks for the kernel's widgets over a comm of its own. Before ipykernel 7.4 that question waits for the cell, and for
ever where the cell awaits a decision. So it is answered as it arrives, by ipywidgets' own handlers, as long as a run
goes on. It takes its usual way as well: the second answer is for a page that has hung up by then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import comm
from anywidget import AnyWidget

from . import fastlane

__all__ = ["watch"]

_TARGET = "jupyter.widget.control"


def watch(needed: Callable[[], bool]) -> None:
    """Answer pages while it is `needed`. Called where a card is made: what is published has that cell as its parent."""
    context = copy_context()

    def opened(comm_id: str, message: dict[str, Any]) -> None:
        if not needed():
            return
        control = comm.create_comm(comm_id=comm_id, target_name=_TARGET, primary=False)
        # The class keeps it until the next page asks: a comm that is collected tells its page to hang up.
        AnyWidget.handle_control_comm_opened(control, message)

        def answer(data: dict[str, Any]) -> None:
            fastlane.unwatch(comm_id)
            context.copy().run(control.handle_msg, {"content": {"comm_id": comm_id, "data": data}})

        fastlane.watch(comm_id, answer)

    fastlane.watch_target(_TARGET, opened)
