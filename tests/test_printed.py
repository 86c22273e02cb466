"""What tools print, and whoever else redirects `sys.stdout` meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import copy_context
from io import StringIO
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._tools.printed import captured
from tests.wire import call, chunk, text


class Tool:
    """Prints in a context of its own, from `begin` to `end`."""

    def __init__(self) -> None:
        self.printed = ""
        self._capturing = captured(self._take)
        self._context = copy_context()

    def _take(self, words: str) -> None:
        self.printed += words

    def begin(self) -> None:
        self._context.run(self._capturing.__enter__)

    def say(self, words: str) -> None:
        self._context.run(print, words, end="")

    def end(self) -> None:
        self._context.run(self._capturing.__exit__, None, None, None)


@contextmanager
def a_cell() -> Iterator[StringIO]:
    """What a cell prints; it has its own `sys.stdout` when it ends."""
    before, sys.stdout = sys.stdout, StringIO()
    cell = sys.stdout
    try:
        yield cell
        assert sys.stdout is cell
    finally:
        sys.stdout = before


@pytest.mark.parametrize(
    ("order", "printed"),
    [
        ("tool+ mine tool mine tool-", {"tool": "t", "cell": "mm", "mine": ""}),
        ("mine+ tool+ tool mine tool- mine mine-", {"tool": "t", "cell": "", "mine": "mm"}),
        ("tool+ mine+ mine mine- tool tool-", {"tool": "t", "cell": "", "mine": "m"}),
        ("tool+ tool mine+ mine tool- mine mine- mine", {"tool": "t", "cell": "m", "mine": "mm"}),
        ("mine+ tool+ tool mine mine- mine tool tool- mine", {"tool": "t", "cell": "mtm", "mine": "m"}),
        ("tool+ mine+ other+ tool other- tool- mine- mine", {"tool": "t", "cell": "m", "mine": ""}),
    ],
)
def test_whatever_is_redirected_meanwhile_nothing_is_lost(order: str, printed: dict[str, str]) -> None:
    tool, other, mine = Tool(), Tool(), StringIO()
    redirected = redirect_stdout(mine)
    steps: dict[str, Any] = {
        "tool+": tool.begin,
        "tool": lambda: tool.say("t"),
        "tool-": tool.end,
        "other+": other.begin,
        "other-": other.end,
        "mine+": redirected.__enter__,
        "mine": lambda: print("m", end=""),
        "mine-": lambda: redirected.__exit__(None, None, None),
    }
    with a_cell() as cell:
        for step in order.split():
            steps[step]()
    assert {"tool": tool.printed, "cell": cell.getvalue(), "mine": mine.getvalue()} == printed


def test_lines_that_are_written_at_once_are_the_tools_too() -> None:
    tool = Tool()
    with a_cell() as cell:
        tool.begin()
        tool._context.run(lambda: sys.stdout.writelines(["a\n", "b\n"]))
        sys.stdout.writelines(["mine\n"])
        tool.end()
    assert (tool.printed, cell.getvalue()) == ("a\nb\n", "mine\n")


def test_a_tool_that_a_stop_left_to_itself_prints_into_no_cell() -> None:
    began, freed = threading.Event(), threading.Event()

    def work() -> None:
        print("before")
        began.set()
        freed.wait(10)
        print("after")

    async def main() -> None:
        source = gem.ListSource([chunk(call("work"), finish="STOP")], [chunk(text("x"), finish="STOP")])
        run = gem.Chat(source=source, tools=[work], grace_s=0.05).send("hi")
        await asyncio.to_thread(began.wait, 10)
        run.stop()
        await run.wait()
        print("cell")
        (thread,) = (t for t in threading.enumerate() if t.name == "gemstream tool")
        freed.set()
        await asyncio.to_thread(thread.join, 10)
        assert run.tool_calls[0].printed == "before\n"

    with a_cell() as cell:
        asyncio.run(main())
    assert cell.getvalue() == "cell\n"


def test_a_stream_that_is_taken_out_while_it_is_printed_to_is_not_freed() -> None:
    """CPython 3.11 crashes where it is: print() writes the text and then the end of the line."""
    ended = False

    class Word:
        def __str__(self) -> str:
            nonlocal ended
            tool.end()
            ended = True
            return "word"

    tool = Tool()
    with a_cell() as cell:
        tool.begin()
        print("a", Word(), "b")
    assert ended
    assert cell.getvalue() == "a word b\n"
