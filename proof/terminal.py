"""An IPython terminal or a Jupyter console on a pseudo-terminal, typed into as a person does."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pexpect

from benchmarks.setting import ROOT

__all__ = ["Terminal", "terminal_of"]

IPYTHON = ("-m", "IPython", "--no-banner", "--colors=nocolor", "--no-confirm-exit", "--HistoryManager.enabled=False")
_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\r|\x1b\][^\x07]*\x07")
_LATEST_S = 60.0


class Terminal:
    """One that has shown its prompt. Its text is what a person reads: without control sequences."""

    def __init__(self, child: pexpect.spawn[str]) -> None:
        self._child = child
        self._number = 0
        self.prompt()

    def prompt(self) -> str:
        """Wait for the next prompt, which is drawn anew while it is typed into; what came before it."""
        self._number += 1
        self._child.expect(rf"In \[{_COLOUR}{self._number}{_COLOUR}\]:", timeout=_LATEST_S)
        return _ESCAPES.sub("", str(self._child.before))

    def type(self, line: str) -> None:
        """A line and Enter."""
        self._child.send(f"{line}\r")

    def interrupt(self) -> None:
        """Ctrl+C, as the terminal makes a signal of it."""
        self._child.sendintr()

    def until(self, text: str, timeout_s: float = _LATEST_S) -> None:
        """Wait until this is on the screen."""
        self._child.expect_exact(text, timeout=timeout_s)

    def run(self, line: str) -> str:
        """Type a line; what is on the screen when the prompt is back, the line as it was typed included."""
        self.type(line)
        return self.prompt()

    def value(self, expression: str) -> str:
        """What `str()` of an expression gives."""
        said = self.run(f"print('<' + '<' + str({expression}) + '>' + '>')")
        return said.rpartition("<<")[2].partition(">>")[0]


@contextmanager
def terminal_of(arguments: Sequence[str] = IPYTHON, python: str = sys.executable) -> Iterator[Terminal]:
    """A terminal that runs Python with these arguments, in a place of its own. It ends with the context."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        places = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "HOME"), name)
        env = {**os.environ, **places, "PYTHONPATH": str(ROOT), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        child: pexpect.spawn[str] = pexpect.spawn(
            python, list(arguments), env=env, cwd=name, encoding="utf-8", codec_errors="replace", dimensions=(50, 160)
        )
        try:
            yield Terminal(child)
        finally:
            child.close(force=True)
