"""Who decides about a call: the order of docs/tools.md, line by line."""

from __future__ import annotations

import asyncio
import itertools
from typing import Annotated, Any

import pytest
from pydantic import PlainSerializer

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._stream.parts import ToolCall
from gemstream_widget._tools.policy import Policy, RuleBook, Verdict, decide, judge
from gemstream_widget._tools.tool import Tool
from tests.wire import call, chunk, text


def asked(name: str, args: dict[str, Any] | None = None, **properties: Any) -> ToolCall:
    schema = {"type": "object", "properties": properties}
    return ToolCall(
        id="s0c0", otid=1, call_id=None, name=name, live_args=args or {}, state="requested", step=0, schema=schema
    )


VERDICTS: tuple[Verdict, ...] = ("auto", "ask", "never")
LISTS: dict[Verdict, Policy] = {verdict: [("f", verdict)] for verdict in VERDICTS}


@pytest.mark.parametrize("ruled", [None, "auto", "never"])
@pytest.mark.parametrize("own", [None, *VERDICTS])
@pytest.mark.parametrize(("chat", "is_list"), [*itertools.product(VERDICTS, (False, True))])
def test_the_order(ruled: Verdict | None, own: Verdict | None, chat: Verdict, is_list: bool) -> None:
    verdict, by, _ = decide(asked("f"), own=own, chat=LISTS[chat] if is_list else chat, ruled=ruled)
    applies = own or chat
    if ruled == "never":
        assert (verdict, by) == ("never", "rule")
    elif applies == "never" or (is_list and chat == "never"):
        assert (verdict, by) == ("never", "policy")
    elif applies == "auto":
        assert (verdict, by) == ("auto", "policy")
    elif ruled == "auto":
        assert (verdict, by) == ("auto", "rule")
    else:
        assert (verdict, by) == ("ask", "policy")


LINES: Policy = [
    ("read_*", {"path": "/tmp/*"}, "auto"),
    ("read_*", "ask"),
    ("send", {"to.domain": "example.com", "n": "[1-3]"}, "auto"),
    ("list", "auto"),
    ("*", {"path": "/etc/*"}, "never"),
]


@pytest.mark.parametrize(
    ("name", "args", "verdict"),
    [
        ("read_file", {"path": "/tmp/a"}, "auto"),
        ("read_file", {"path": "/home/a"}, "ask"),
        ("read_file", {}, "ask"),
        ("read_file", {"path": "/etc/passwd"}, "never"),
        ("list", {"path": "/etc/x"}, "never"),
        ("list", {}, "auto"),
        ("Read_file", {"path": "/tmp/a"}, "ask"),
        ("send", {"to": {"domain": "example.com"}, "n": 2}, "auto"),
        ("send", {"to": {"domain": "example.org"}, "n": 2}, "ask"),
        ("send", {"to": {"domain": "example.com"}, "n": 4}, "ask"),
        ("send", {"to": "example.com", "n": 2}, "ask"),
        ("other", {}, "ask"),
    ],
)
def test_lines(name: str, args: dict[str, Any], verdict: Verdict) -> None:
    assert judge(LINES, asked(name, args))[0] == verdict


def force(path: str, force: bool = False, n: int = 0) -> Any:
    """Remove."""
    return path, force, n


@pytest.mark.parametrize(
    ("args", "verdict"),
    [
        ({"force": True}, "never"),
        ({"force": "yes"}, "never"),
        ({"force": 1}, "never"),
        ({"force": "true"}, "never"),
        ({"force": False}, "ask"),
        ({"n": "007"}, "never"),
        ({"n": 7.0}, "never"),
        ({"n": 8}, "auto"),
        ({"n": "008"}, "ask"),  # as it came it is no 8: not for a line that lets it run
    ],
)
def test_lines_see_what_came_and_what_the_function_gets(args: dict[str, Any], verdict: Verdict) -> None:
    lines: Policy = [("f", {"force": "true"}, "never"), ("f", {"n": "7"}, "never"), ("f", {"n": "8"}, "auto")]
    tool = Tool(force, name="f")
    args = {"path": "x", **args}
    call = asked("f", args, **tool.parameters["properties"])
    assert decide(call, own=None, chat=lines, ruled=None, gets=lambda: tool.converted(args))[0] == verdict


def odd(n: Annotated[int, PlainSerializer(lambda value: 1 // 0)]) -> int:
    """Take what can be read and not be written."""
    return n


@pytest.mark.parametrize(("approve", "state"), [("auto", "succeeded"), ([("odd", {"n": "1"}, "auto")], "waiting")])
def test_what_the_function_gets_is_asked_of_by_lists_only_and_may_not_be_told(approve: Policy, state: str) -> None:
    """The run goes on: a list that cannot be read asks a person, and nothing else looks."""

    async def main() -> None:
        source = ListSource([chunk(call("odd", {"n": 1}), finish="STOP")], [chunk(text("ok"), finish="STOP")])
        run = gem.Chat(source=source, tools=[odd], approve=approve).send("go")
        for waiting in await run.next_pending():
            assert state == "waiting"
            assert "The policy failed" in str(waiting.error)
            run.approve(waiting)
        await run
        assert (run.status, run.tool_calls[0].state) == ("completed", "succeeded")

    asyncio.run(asyncio.wait_for(main(), 10))


def test_an_argument_that_was_left_out_is_its_default() -> None:
    lines: Policy = [("rm", {"path": "/"}, "never"), ("rm", "auto")]
    assert judge(lines, asked("rm", {}, path={"type": "string", "default": "/"}))[0] == "never"
    assert judge(lines, asked("rm", {"path": "/a"}, path={"type": "string", "default": "/"}))[0] == "auto"


def test_a_dot_in_the_name_of_an_argument_is_a_dot() -> None:
    lines: Policy = [("f", {"a.b": "x"}, "auto")]
    assert judge(lines, asked("f", {"a.b": "x"}))[0] == "auto"
    assert judge(lines, asked("f", {"a": {"b": "x"}}))[0] == "auto"
    assert judge(lines, asked("f", {"a": {"b": "y"}}))[0] == "ask"


def read_file(path: str) -> str:
    """Read."""
    return path


@pytest.mark.parametrize(
    ("approve", "said"),
    [
        ([("read_file", "allways")], "ends with none of"),
        ([("read_file", "nevr")], "Did you mean 'never'?"),
        ([("read_fiel", "never")], "no tool here. Did you mean 'read_file'?"),
        (["never"], "no line of a policy"),
        ([("read_file", {"path": 1}, "never")], "dict of texts"),
        ([("read_file", "never", "never")], "dict of texts"),
        ([("read_file",)], "no line of a policy"),
        ({"read_file": "never"}, "approve is"),
        ("always", "approve is"),
    ],
)
def test_what_is_no_policy_is_told_where_it_is_given(approve: Any, said: str) -> None:
    with pytest.raises(gem.InvalidOption) as told:
        gem.Chat(tools=[read_file], approve=approve)
    assert said in str(told.value)
    if isinstance(approve, list) and "no tool" not in said:
        with pytest.raises(gem.ToolError):
            gem.tool(approve=approve)(read_file)


def test_lines_in_a_run() -> None:
    """The first call runs by itself, the second is denied with the line that says so, the third waits."""

    async def main() -> None:
        paths = ("/tmp/a", "/etc/b", "/home/c")
        calls = [call("read_file", {"path": path}, id=path) for path in paths]
        source = ListSource([chunk(*calls, finish="STOP")], [chunk(text("ok"), finish="STOP")])
        chat = gem.Chat(source=source, tools=[read_file], approve=LINES)
        run = chat.send("go")
        (waiting,) = await run.next_pending()
        assert waiting.args == {"path": "/home/c"}
        run.approve(waiting, scope="chat")
        await run
        assert [(d.verdict, d.by) for d in run.decisions] == [
            ("approved", "policy"), ("denied", "policy"), ("approved", "code")
        ]  # fmt: skip
        assert "('*', {'path': '/etc/*'}, 'never')" in str(run.tool_calls[1].result)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_denial_wins_over_a_later_approval_of_another_scope() -> None:
    rules = RuleBook()
    rules.add("f", "run", "never", "r1")
    rules.add("f", "chat", "auto", "r1")
    assert (rules.verdict("f", "r1"), rules.verdict("f", "r2")) == ("never", "auto")
    rules.add("f", "run", "auto", "r1")
    assert rules.verdict("f", "r1") == "auto"
