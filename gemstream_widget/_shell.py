"""The IPython that runs here, found without importing it, as a script need not have it loaded."""

from __future__ import annotations

import os
import sys
from typing import Any

__all__ = ["kernel_shell", "message_of", "shell", "terminal_shell"]


def shell() -> Any:
    """The running IPython shell, or None."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def kernel_shell() -> Any:
    """The running shell of a kernel, or None, also in a process forked from a kernel's, which has no pages."""
    running = shell()
    session = getattr(getattr(running, "kernel", None), "session", None)
    return None if session is None or getattr(session, "pid", os.getpid()) != os.getpid() else running


def message_of(shell: Any) -> dict[str, dict[str, Any]]:
    """The header and the metadata of the message that this shell of a kernel runs a cell for; empty where there is
    none.
    """
    get_parent = getattr(shell, "get_parent", None)
    parent = (None if get_parent is None else get_parent()) or {}
    return {name: parent.get(name) or {} for name in ("header", "metadata")}


def terminal_shell() -> Any:
    """The running shell of an IPython terminal, or None. Its event loop runs only while a cell awaits: between cells,
    and in a cell that awaits nothing, it stands still.
    """
    module = sys.modules.get("IPython.terminal.interactiveshell")
    running = shell()
    return running if module is not None and isinstance(running, module.TerminalInteractiveShell) else None
