"""Runs as text: what is printed where there is no page."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._notebook import terminal
from gemstream_widget._notebook.terminal import print_run
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text, thought


def printed(
    source: Any, then: Callable[[gem.Run], Awaitable[None]] | None = None, *, ended: bool = False, **options: Any
) -> str:
    """What a run prints that is shown from its start, or after its end."""
    out = StringIO()

    async def main() -> None:
        run = gem.Chat(source=source, **options).send("hi")
        if ended:
            await run.wait()
        print_run(run)
        if then is not None:
            await then(run)
        await run.wait()

    with redirect_stdout(out):
        asyncio.run(main())
    return out.getvalue()


def streams(*chunks: Any) -> gem.ListSource:
    return gem.ListSource(list(chunks))


def calls(name: str, **args: Any) -> gem.ListSource:
    return gem.ListSource([chunk(call(name, args), finish="STOP")], [chunk(text("done"), finish="STOP")])


@pytest.mark.parametrize("ended", [False, True], ids=["as it comes", "afterwards"])
def test_reasoning_and_answer_are_told_apart(ended: bool) -> None:
    source = streams(
        chunk(thought("so ")), chunk(thought("so")), chunk(text("an ")), chunk(text("answer"), finish="STOP")
    )
    assert printed(source, ended=ended) == "Reasoning:\nso so\n\nAnswer:\nan answer\n"


def test_pieces_are_printed_when_they_come() -> None:
    source, out = GatedSource(), StringIO()

    async def main() -> None:
        run = gem.Chat(source=source).send("hi")
        print_run(run)
        for number in range(1, 4):
            source.give(chunk(text("a")))
            await until(lambda: len(run.chunks) == number, "it came")  # noqa: B023
            await until(lambda: out.getvalue() == "a" * number, "it is on the screen")  # noqa: B023
        source.give(chunk(finish="STOP"))
        source.end()
        await run.wait()
        assert out.getvalue() == "aaa\n"  # before who awaits it goes on

    with redirect_stdout(out):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]52;c;ZXZpbA==\x07", "␛]52;c;ZXZpbA==␇"),
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("safe\rhidden", "safehidden"),
        ("\x9b2J", "\ufffd2J"),
        ("a\x00\x08b\x7f", "a␀␈b␡"),
        ("tab\tand\nline, grün 日本 👩🏽\u200d💻", "tab\tand\nline, grün 日本 👩🏽\u200d💻"),
    ],
)
@pytest.mark.parametrize("where", ["text", "thought", "result"])
def test_the_terminal_obeys_no_model(said: str, shown: str, where: str) -> None:
    def say() -> str:
        return said

    if where == "result":
        said_by_tool = printed(calls("say"), tools=[say])
        assert not any(c in said_by_tool for c in "\x1b\x07\x9b\x00\x08\x7f\r")
    else:
        part = text(said) if where == "text" else thought(said)
        out = printed(streams(chunk(part, finish="STOP"), chunk(text("end"))))
        assert shown in out


def test_a_call_is_a_line_for_each_state_and_its_prints_are_printed_once() -> None:
    def add(a: int) -> int:
        print("adding")
        return a + 1

    assert printed(calls("add", a=1), tools=[add]) == ('[add(a=1) runs]\nadding\n[add returned {"result": 2}]\ndone\n')


def test_what_waits_is_shown_whole_and_can_be_decided_by_what_is_printed() -> None:
    ran: list[str] = []

    def shell(command: str) -> None:
        ran.append(command)

    command = "echo ok" + " " * 300 + "\u202e\n&& rm -r /"

    async def decide(run: gem.Run) -> None:
        await run.next_pending()
        (line,) = [line for line in sys.stdout.getvalue().splitlines() if "waits for you" in line]  # type: ignore[attr-defined]
        assert "rm -r /" in line
        assert "\\u202e" in line
        assert "\u202e" not in line
        told = line.partition("At the prompt: ")[2].partition(" or ")[0]
        eval(told, {"gem": gem})

    out = printed(calls("shell", command=command), decide, tools=[shell], approve="ask")
    assert ran == [command]
    assert out.index("waits for you") < out.index(" runs]") < out.index("returned")


def test_a_denied_a_failed_and_an_unknown_call_say_so() -> None:
    def fail() -> None:
        raise ValueError("out of cheese")

    assert "[fail failed: ValueError: out of cheese]" in printed(calls("fail"), tools=[fail])
    assert "[fail() was denied]" in printed(calls("fail"), tools=[fail], approve="never")
    assert "[other failed: There is no tool named 'other'" in printed(calls("other"), tools=[fail])


def test_a_stop_and_a_failure_say_what_is_kept() -> None:
    async def stop(run: gem.Run) -> None:
        await source.waiting.wait()
        source.give(chunk(text("part")))
        await until(lambda: run.text == "part", "it came")
        run.stop(by="interrupt")

    source = GatedSource()
    assert printed(source, stop) == "part\n[stopped by Ctrl+C: 4 characters of text kept]\n"
    failed = printed(streams(chunk(text("part")), gem.StreamTruncated("gone")))
    assert failed.startswith("part\n[failed: The answer is incomplete. gone What came is kept.")


def test_runs_that_print_at_once_are_told_apart() -> None:
    out = StringIO()

    async def main() -> list[gem.Run]:
        sources = [GatedSource(), GatedSource()]
        runs = [gem.Chat(source=source).send("hi") for source in sources]
        for run in runs:
            print_run(run)
        for word in ("a", "b"):
            for source, run in zip(sources, runs, strict=True):
                before = run.text
                source.give(chunk(text(word)))
                await until(lambda: run.text == before + word, "it came")  # noqa: B023
        for source in sources:
            source.give(chunk(finish="STOP"))
            source.end()
        await asyncio.gather(*(run.wait() for run in runs))
        return runs

    with redirect_stdout(out):
        one, two = asyncio.run(main())
    lines = out.getvalue().split()
    assert lines[:7] == ["a", f"[{two.id}]", "a", f"[{one.id}]", "b", f"[{two.id}]", "b"]


def test_a_run_that_is_shown_again_goes_on_there_alone() -> None:
    async def again(run: gem.Run) -> None:
        await source.waiting.wait()
        source.give(chunk(text("one ")))
        await until(lambda: run.text, "it came")
        print_run(run)
        source.give(chunk(text("two"), finish="STOP"))
        source.end()

    source = GatedSource()
    assert printed(source, again) == "one \none two\n"


def test_what_goes_on_does_not_depend_on_the_screen() -> None:
    class Broken(StringIO):
        def write(self, text: str) -> int:
            raise OSError("the screen is gone")

    async def main() -> None:
        run = gem.Chat(source=streams(chunk(text("a"), finish="STOP"))).send("hi")
        run_printed.append(run)
        print_run(run)
        await run.wait()

    run_printed: list[gem.Run] = []
    with redirect_stdout(Broken()):
        asyncio.run(main())
    assert run_printed[0].status == "completed"


def test_a_script_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    gem.ask("hi", source=streams(chunk(text("a"), finish="STOP")), runner="thread").result(timeout_s=5)
    assert capsys.readouterr() == ("", "")
    assert "a" in printed(streams(chunk(text("a"), finish="STOP")))  # the positive control


@pytest.mark.parametrize(
    ("command", "is_console"),
    [("/usr/bin/jupyter-console", True), ("jupyter-qtconsole", True), ("jupyter-lab", False), ("consoled", False)],
)
def test_a_console_is_known_by_the_process_that_asks(
    monkeypatch: pytest.MonkeyPatch, command: str, is_console: bool
) -> None:
    waits = "print('up', flush=True); input()"
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([command, "-c", waits], executable=sys.executable, **pipes) as process:
        process.stdout.readline()  # it is what it was asked to be
        parent = {"header": {"msg_id": f"1f2e-a5_{process.pid}_17"}}
        monkeypatch.setattr(terminal, "kernel_shell", lambda: SimpleNamespace(get_parent=lambda: parent))
        found = terminal.is_terminal()
        process.kill()
    assert found is is_console


@pytest.mark.parametrize("msg_id", ["3a0b2d4e-6c1f-4a57-9d0e-1b2c3d4e5f60", "", "abc_999999999_1", None])
def test_whoever_cannot_be_seen_gets_a_card(monkeypatch: pytest.MonkeyPatch, msg_id: str | None) -> None:
    """A page, and a client on another machine."""
    parent = {} if msg_id is None else {"header": {"msg_id": msg_id}}
    monkeypatch.setattr(terminal, "kernel_shell", lambda: SimpleNamespace(get_parent=lambda: parent))
    assert not terminal.is_terminal()
