"""Tools and approvals on streams from memory: what runs, what the model reads, and who wins."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import random
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._request.rules import violations
from gemstream_widget._tools.policy import Choice
from tests.gates import until
from tests.wire import call, chunk, text

DONE = [chunk(text("done"), finish="STOP")]


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
    """
    print(f"adding {a}")
    return a + b


def asks(*calls: dict[str, Any]) -> list[Any]:
    return [chunk(*calls), chunk(finish="STOP")]


class Case:
    """A chat on a source that asks for `calls` and then says "done"."""

    def __init__(self, *calls: dict[str, Any], tools: Any = (add,), steps: Any = (), **options: Any) -> None:
        self.source = ListSource(asks(*calls), *steps, DONE, DONE)
        self.chat = gem.Chat(source=self.source, tools=tools, **options)

    def responses(self, request: int = 1) -> list[dict[str, Any]]:
        """What the model read of the calls, in order."""
        contents = self.source.requests[request].contents
        return [p["functionResponse"] for c in contents for p in c["parts"] if "functionResponse" in p]


def play(main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 40)  # a guard, and no limit of what is tried

    asyncio.run(within())


def test_a_tool_runs_and_the_model_reads_its_result() -> None:
    async def main() -> None:
        case = Case(call("add", {"a": "2", "b": 3}, id="k"))
        run = await case.chat.send("2 + 3?")
        assert (run.status, run.text) == ("completed", "done")
        (asked,) = run.tool_calls
        assert (asked.state, asked.result, asked.used_args) == ("succeeded", {"result": 5}, {"a": "2", "b": 3})
        asked.result["result"] = 6  # a copy: what the model read is what it read
        assert "'result': 5" in str(run.contents())
        assert asked.result == {"result": 5}
        assert asked.printed == "adding 2\n"
        assert asked.doc == "Add two numbers."
        assert case.responses() == [{"name": "add", "response": {"result": 5}, "id": "k"}]
        assert [(d.verdict, d.by) for d in run.decisions] == [("approved", "policy")]
        declared = case.source.requests[0].tools[0]["functionDeclarations"][0]
        assert declared["description"] == "Add two numbers."
        assert declared["parametersJsonSchema"]["properties"]["a"] == {"type": "integer", "description": "The first."}
        assert declared["parametersJsonSchema"]["required"] == ["a"]

    play(main)
    assert type(sys.stdout).__name__ != "_Switch"


def test_parallel_calls_run_side_by_side_and_are_answered_in_call_order() -> None:
    async def main() -> None:
        second_began = asyncio.Event()

        async def first() -> str:
            await second_began.wait()  # only ends if the second runs meanwhile
            return "1"

        async def second() -> str:
            second_began.set()
            return "2"

        case = Case(call("first", {}, id="x"), call("second", {}, id="y"), tools=[first, second])
        await case.chat.send("go")
        assert [(r["id"], r["response"]) for r in case.responses()] == [("x", {"result": "1"}), ("y", {"result": "2"})]

    play(main)


@pytest.mark.parametrize(
    ("args", "told"),
    [({}, "a: Field required"), ({"a": "x"}, "valid integer"), ({"a": 1, "c": 2}, "c: Extra inputs")],
)
def test_arguments_that_do_not_fit_are_told_to_the_model_and_nothing_runs(args: Any, told: str) -> None:
    async def main() -> None:
        case = Case(call("add", args))
        run = await case.chat.send("go")
        (asked,) = run.tool_calls
        assert asked.state == "failed"
        assert asked.printed == ""
        assert told in case.responses()[0]["response"]["error"]

    play(main)


def test_an_unknown_tool_is_told_and_a_declared_one_is_the_callers() -> None:
    async def main() -> None:
        case = Case(call("nope", {}))
        run = await case.chat.send("go")
        assert "no tool named 'nope'; tools are: add" in case.responses()[0]["response"]["error"]
        assert run.text == "done"

        mixed = Case(call("add", {"a": 1}, id="x"), call("remote", {}, id="y"), tools=[add, {"name": "remote"}])
        run = await mixed.chat.send("go")
        assert [c.state for c in run.tool_calls] == ["succeeded", "requested"]
        assert run.snapshot()["stopped_by"] == "calls"
        await mixed.chat.send({"functionResponse": {"id": "s0c1", "response": {"n": 2}}})
        assert [r["response"] for r in mixed.responses()] == [{"result": 2}, {"n": 2}]

    play(main)


def boom() -> None:
    raise ValueError("out of cheese")


def leave() -> None:
    sys.exit(3)


@pytest.mark.parametrize(("broken", "told"), [(boom, "ValueError: out of cheese"), (leave, "SystemExit: 3")])
def test_a_tool_that_raises_is_told_briefly_and_shown_with_its_traceback(broken: Any, told: str) -> None:
    async def main() -> None:
        case = Case(call(broken.__name__, {}), tools=[broken])
        run = await case.chat.send("go")
        (asked,) = run.tool_calls
        assert (asked.state, asked.error) == ("failed", told)
        assert f"in {broken.__name__}" in str(asked.traceback)
        assert case.responses()[0]["response"] == {"error": told}

    play(main)


def test_a_tool_that_never_returns_is_left_after_its_time() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        case = Case(call("never", {}), tools=[gem.tool(timeout_s=0.01)(never)])
        run = await case.chat.send("go")
        assert run.tool_calls[0].state == "failed"
        assert "did not end within 0.01 s" in case.responses()[0]["response"]["error"]

    play(main)


@pytest.mark.parametrize(
    ("own_s", "chats_s", "limit"), [(0.01, 60, "0.01"), (None, 0.02, "0.02"), (float("inf"), 0.01, None)]
)
def test_a_tools_own_time_limit_comes_before_the_chats(own_s: float, chats_s: float, limit: str | None) -> None:
    async def slow() -> str:
        await asyncio.sleep(0.05 if limit is None else 60)
        return "done at last"

    async def main() -> None:
        case = Case(call("slow", {}), tools=[gem.tool(timeout_s=own_s)(slow)], tool_timeout_s=chats_s)
        await case.chat.send("go")
        told = case.responses()[0]["response"]
        expected = {"error": f"The tool did not end within {limit} s."} if limit else {"result": "done at last"}
        assert told == expected

    play(main)


def test_a_timeout_that_the_tool_raises_itself_is_the_tools() -> None:
    def ask_elsewhere() -> None:
        raise TimeoutError("the database did not answer")

    async def main() -> None:
        case = Case(call("ask_elsewhere", {}), tools=[ask_elsewhere], tool_timeout_s=60)
        run = await case.chat.send("go")
        assert run.tool_calls[0].error == "TimeoutError: the database did not answer"

    play(main)


def test_results_are_readable_for_the_model_and_for_people() -> None:
    from gemstream_widget._tools.results import MODEL_LIMIT, readable

    rows = [{"id": 1, "n": None}, {"id": 2, "n": 1.5}]
    assert readable(rows) == (
        {"result": rows},
        {"kind": "table", "columns": ["id", "n"], "rows": [[1, None], [2, 1.5]], "row_count": 2},
    )
    assert readable([{"id": [1]}])[1]["kind"] == "json"

    class Numpyish:
        def tolist(self) -> Any:
            return [1, 2]

    assert readable({"n": Numpyish()})[0] == {"n": [1, 2]}
    assert readable({"a": (1, 2)})[0] == {"a": [1, 2]}
    assert readable([1.5, float("inf")])[0] == {"result": [1.5, "inf"]}
    long, shown = readable("x" * 100_000)
    assert len(long["result"]) == MODEL_LIMIT
    assert "100" in long["cut"]
    assert shown["cut"] == 80_000
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        readable(object())


# -- approvals --------------------------------------------------------------------------------------------------------


async def waiting(case: Case, prompt: str = "go") -> gem.Run:
    """A run whose calls wait for decisions."""
    run = case.chat.send(prompt)
    assert await run.next_pending()
    return run


def test_approve_edit_and_deny_from_code() -> None:
    async def main() -> None:
        calls = [call("add", {"a": n}, id=f"k{n}") for n in (1, 2, 3)]
        case = Case(*calls, approve="ask")
        run = await waiting(case)
        assert [c.id for c in run.pending] == ["s0c0", "s0c1", "s0c2"]
        assert run.pending[0].hash != run.pending[1].hash
        run.deny("s0c2", "not that one")
        run.approve("s0c1", {"a": 20})
        run.approve("s0c0")
        await run
        assert [r["response"] for r in case.responses()][:2] == [{"result": 2}, {"result": 21}]
        assert "not that one" in case.responses()[2]["response"]["error"]
        assert [(d.call, d.verdict, d.by, d.edited) for d in run.decisions] == [
            ("s0c2", "denied", "code", False),
            ("s0c1", "approved", "code", True),
            ("s0c0", "approved", "code", False),
        ]
        assert run.tool_calls[1].args == {"a": 2}
        assert run.tool_calls[1].used_args == {"a": 20}

    play(main)


def test_a_refused_decision_changes_nothing_and_says_why() -> None:
    async def main() -> None:
        case = Case(call("add", {"a": 1}), approve="ask")
        run = await waiting(case)
        (asked,) = run.pending
        with pytest.raises(gem.DecisionRefused, match="still waits"):
            run.approve("s0c0", {"a": "x"})
        with pytest.raises(gem.DecisionRefused, match="no such call"):
            run.approve("s0c7")
        with pytest.raises(gem.DecisionRefused, match="not what was shown"):
            run._decide("s0c0", Choice(verdict="approve", by="button", shown="something else"))
        assert run.pending == [asked]
        run._decide("s0c0", Choice(verdict="deny", by="button", shown=asked.hash))
        with pytest.raises(gem.DecisionRefused, match="it is denied"):
            run.approve("s0c0")
        await run
        with pytest.raises(gem.DecisionRefused, match="is completed"):
            run.approve("s0c0")
        assert len(run.decisions) == 1

    play(main)


def test_nobody_deciding_in_time_is_a_denial() -> None:
    async def main() -> None:
        case = Case(call("add", {"a": 1}), approve="ask", approval_timeout_s=0.01)
        run = await case.chat.send("go")
        assert [(d.verdict, d.by) for d in run.decisions] == [("denied", "timeout")]
        assert "nobody" in case.responses()[0]["response"]["error"]

    play(main)


def test_policies_of_tool_and_chat_and_their_reasons() -> None:
    def small(asked: gem.ToolCall) -> Any:
        return "auto" if asked.args["a"] < 10 else ("never", "too large")

    def broken(asked: gem.ToolCall) -> Any:
        raise KeyError("oops")

    async def main() -> None:
        case = Case(call("add", {"a": 1}), call("add", {"a": 50}), approve=small)
        run = await case.chat.send("go")
        assert [(c.state, c.decision and c.decision.reason) for c in run.tool_calls] == [
            ("succeeded", None),
            ("denied", "too large"),
        ]
        strict = Case(call("add", {"a": 1}), tools=[gem.tool(approve="never")(add)], approve="auto")
        assert [c.state for c in (await strict.chat.send("go")).tool_calls] == ["denied"]
        run = await waiting(Case(call("add", {"a": 1}), approve=broken))
        assert "policy failed: KeyError" in str(run.pending[0].error)
        run.stop()
        await run.wait()

    play(main)


@pytest.mark.parametrize(("scope", "asked_again"), [("once", True), ("run", False), ("chat", False)])
def test_scopes_make_rules_that_hold_and_can_be_revoked(scope: Any, asked_again: bool) -> None:
    async def main() -> None:
        case = Case(call("add", {"a": 1}), steps=[asks(call("add", {"a": 2}))], approve="ask")
        run = await waiting(case)
        run.approve("s0c0", scope=scope)
        if asked_again:
            await until(lambda: [c.id for c in run.pending] == ["s1c0"], "the second call waits")
            run.deny("s1c0")
        await run
        assert run.text == "done"
        assert run.tool_calls[1].decision is not None
        assert run.tool_calls[1].decision.by == ("code" if asked_again else "rule")
        rules = run.snapshot()["rules"]
        assert len(rules) == (0 if asked_again else 1)
        if scope == "chat":
            assert "in this chat" in rules[0]["words"]
            assert run.revoke(rules[0]["id"])
            assert not run.revoke(rules[0]["id"])

    play(main)


def test_max_steps_ends_a_run_that_goes_round_in_circles() -> None:
    async def main() -> None:
        again = [asks(call("add", {"a": n})) for n in range(5)]
        case = Case(call("add", {"a": 9}), steps=again, max_steps=3)
        run = await case.chat.send("go")
        assert len(run.snapshot()["steps"]) == 3
        assert run.snapshot()["stopped_by"] == "max_steps"
        assert not violations({"contents": case.chat.history}, model="gemini-2.5-flash")

    play(main)


# -- Stop -------------------------------------------------------------------------------------------------------------


def accepted(case: Case) -> None:
    """Whatever happened, every call has exactly one response and Gemini accepts the next request."""
    contents = [*case.chat.history, {"role": "user", "parts": [{"text": "next"}]}]
    assert not violations({"contents": contents}, model="gemini-2.5-flash")


@pytest.mark.parametrize("kind", ["pending", "async tool", "thread tool", "stubborn tool"])
def test_stop_while_a_call_waits_or_runs(kind: str) -> None:
    async def main() -> None:
        began, release = threading.Event(), threading.Event()
        cancelled: list[bool] = []

        async def slow() -> str:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                if kind == "stubborn tool":
                    await asyncio.Event().wait()
                raise
            return ""

        def blocking() -> str:
            began.set()
            release.wait(5)
            return "late"

        function = {"pending": add, "thread tool": blocking}.get(kind, slow)
        policy = "ask" if kind == "pending" else "auto"
        args = {"a": 1} if kind == "pending" else {}
        case = Case(call(function.__name__, args, id="k"), tools=[function], approve=policy, grace_s=0.05)
        run = case.chat.send("go")
        if kind == "pending":
            await run.next_pending()
        else:
            await until(began.is_set, "the tool began") if kind != "thread tool" else await asyncio.to_thread(
                began.wait
            )
        run.stop()
        await run.wait()
        release.set()
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert run.receipt.when == "between steps"
        assert [c.state for c in run.tool_calls] == ["cancelled"]
        assert bool(cancelled) == (kind in ("async tool", "stubborn tool"))
        accepted(case)
        again = await case.chat.send("and now?")
        assert again.text == "done"
        assert "late" not in str(case.chat.history)

    play(main)


EVENTS = ("approve", "edit", "deny", "stop")


@pytest.mark.parametrize("order", [o for n in (1, 2, 3) for o in itertools.product(EVENTS, repeat=n)])
def test_every_order_of_decisions_over_two_calls_has_one_winner_and_one_response_each(order: tuple[str, ...]) -> None:
    """Decisions alternate between two calls; whatever comes late is refused, and no tool starts without approval."""

    async def main() -> None:
        started: list[int] = []

        async def work(n: int) -> int:
            started.append(n)
            await asyncio.sleep(0)
            return n

        calls = [call("work", {"n": n}, id=f"k{n}") for n in (0, 1)]
        case = Case(*calls, tools=[work], approve="ask")
        run = await waiting(case)
        approved: set[int] = set()
        for turn, what in enumerate(order):
            n = turn % 2
            try:
                if what == "stop":
                    run.stop()
                elif what == "deny":
                    run.deny(f"s0c{n}")
                else:
                    run.approve(f"s0c{n}", {"n": n + 10} if what == "edit" else None)
                    approved.add(n)
            except gem.DecisionRefused:
                pass
            if turn == 1:
                await asyncio.sleep(0)
        for left in run.pending:
            run.deny(left.id)
        await run.wait()
        assert {n % 10 for n in started} <= approved
        if order[0] == "stop":
            assert started == []
            assert run.decisions == []
        accepted(case)
        responses = [
            p["functionResponse"]["id"] for c in case.chat.history for p in c["parts"] if "functionResponse" in p
        ]
        assert responses == ["k0", "k1"]
        assert len(run.decisions) == len({d.call for d in run.decisions})
        assert all(c.state in ("succeeded", "denied", "cancelled") for c in run.tool_calls)

    play(main)


def test_approve_and_stop_racing_from_two_threads_have_one_winner() -> None:
    async def main() -> None:
        moments = random.Random(3)
        for _ in range(1000):
            ran: list[int] = []
            offset = moments.randrange(3000)

            case = Case(
                call("work", {"n": 1}, id="k"),
                tools=[gem.Tool(lambda n, ran=ran: ran.append(n) or n, name="work")],
                approve="ask",
            )
            run = await waiting(case)
            barrier = threading.Barrier(2)

            def approve(run: gem.Run = run, barrier: threading.Barrier = barrier, offset: int = offset) -> None:
                barrier.wait()
                for _ in range(offset):
                    pass
                with suppress(gem.DecisionRefused):
                    run.approve("s0c0")

            def stop(run: gem.Run = run, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                run.stop()

            threads = [threading.Thread(target=approve), threading.Thread(target=stop)]
            for thread in threads:
                thread.start()
            await run.wait()
            await asyncio.gather(*(asyncio.to_thread(t.join) for t in threads))
            (asked,) = run.tool_calls
            assert asked.state in ("succeeded", "cancelled")
            if asked.state == "succeeded":
                assert ran == [1]
            if asked.decision is None:
                assert ran == []
            accepted(case)

    play(main)


# -- declarations -----------------------------------------------------------------------------------------------------


def test_a_signature_without_a_schema_names_the_parameter_and_what_to_do() -> None:
    class Odd:
        pass

    def takes(odd: Odd) -> None: ...

    takes.__annotations__["odd"] = Odd
    with pytest.raises(gem.ToolError, match=r"Parameter 'odd' of takes .* it is a Odd.*Use str"):
        gem.tool(takes)

    with pytest.raises(gem.ToolError, match="Two tools are named 'add'"):
        gem.Chat(tools=[add, add])
    with pytest.raises(gem.ToolError, match="A tool is a function"):
        gem.Chat(tools=[7])
    with pytest.raises(gem.ToolError, match="no name for a tool"):
        gem.tool(lambda: None)
    with pytest.raises(gem.ToolError, match="approve is"):
        gem.Tool(add, approve="sometimes")  # type: ignore[arg-type]


def test_a_decorated_tool_is_still_the_function() -> None:
    @gem.tool(approve="ask")
    def double(n: int) -> int:
        """Double it."""
        return 2 * n

    assert double(4) == 8
    assert (double.name, double.doc, double.__doc__) == ("double", "Double it.", "Double it.")


def test_odd_tools_and_huge_arguments_end_in_a_response() -> None:
    def holds() -> object:
        return object()

    def count(words: str) -> int:
        return len(words)

    async def main() -> None:
        case = Case(call("holds", {}), call("count", {"words": "x" * 1_000_000}), call("count", {"words": "x"}),
                    call("count", {"words": "x"}), tools=[holds, count])  # fmt: skip
        run = await case.chat.send("go")
        assert [c.state for c in run.tool_calls] == ["failed", "succeeded", "succeeded", "succeeded"]
        responses = [r["response"] for r in case.responses()]
        assert "cannot be written as JSON" in responses[0]["error"]
        assert responses[1:] == [{"result": 1_000_000}, {"result": 1}, {"result": 1}]

    play(main)


@pytest.mark.parametrize("sibling", [False, True])
def test_the_model_is_told_of_a_call_without_a_name(sibling: bool) -> None:
    async def main() -> None:
        nameless = {"functionCall": {"args": {"a": 1}}}
        case = Case(*([nameless, call("add", {"a": 1})] if sibling else [nameless]))
        run = await case.chat.send("go")
        assert [c.state for c in run.tool_calls] == (["failed", "succeeded"] if sibling else ["failed"])
        await case.chat.send("and now?")
        contents = case.source.requests[-1].contents
        told = [
            p["text"] for c in contents for p in c["parts"] if c["role"] == "user" and "no name" in p.get("text", "")
        ]
        assert len(told) == 1
        assert not violations({"contents": contents}, model="gemini-2.5-flash")

    play(main)


def test_a_sync_tool_keeps_the_context_of_who_sent() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    def asks_who() -> str:
        return f"{who.get()} in {threading.current_thread().name != threading.main_thread().name}"

    async def main() -> None:
        who.set("me")
        case = Case(call("asks_who", {}), tools=[asks_who])
        await case.chat.send("go")
        assert case.responses()[0]["response"] == {"result": "me in True"}

    play(main)


def test_tools_that_never_end_hold_up_no_later_run() -> None:
    """More of them than a default thread pool has threads."""
    release = threading.Event()

    def hang() -> None:
        release.wait(20)

    async def main() -> None:
        for _ in range(40):
            run = Case(call("hang", {}), tools=[hang]).chat.send("go")
            await until_running(run)
            run.stop()
            await run.wait()
        assert (await Case(call("add", {"a": 1})).chat.send("go")).text == "done"

    try:
        play(main)
    finally:
        release.set()


async def until_running(run: gem.Run) -> None:
    async for _ in run:
        if any(c.state == "running" for c in run.tool_calls):
            return


def test_an_async_tool_that_goes_on_after_the_stop_changes_nothing() -> None:
    let_go = asyncio.Event()

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await let_go.wait()
        return "too late"

    async def main() -> None:
        case = Case(call("stubborn", {}), tools=[stubborn], grace_s=0.01)
        run = case.chat.send("go")
        await until_running(run)
        run.stop()
        await run.wait()
        before, told = run.snapshot(), run.contents()
        let_go.set()
        acting = run._driver._calls
        assert acting is not None
        await until(acting.task.done, "the tool ended")
        assert (run.snapshot(), run.contents()) == (before, told)
        assert run.tool_calls[0].state == "cancelled"

    play(main)


def test_a_tool_that_cancels_something_of_its_own_has_failed() -> None:
    async def confused() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    async def main() -> None:
        case = Case(call("confused", {}, id="k1"), call("add", {"a": 1}, id="k2"), tools=[confused, add])
        run = await case.chat.send("go")
        assert [c.state for c in run.tool_calls] == ["failed", "succeeded"]
        assert [r["id"] for r in case.responses()] == ["k1", "k2"]
        assert case.responses()[0]["response"]["error"].startswith("CancelledError")

    play(main)


@pytest.mark.parametrize("said", [("auto",), ("auto", "a", "b"), (), 7])
def test_a_policy_that_says_something_else_asks_a_person(said: Any) -> None:
    async def main() -> None:
        run = Case(call("add", {"a": 1}), approve=lambda call: said).chat.send("go")
        (held,) = await run.next_pending()
        assert "which is none of auto, ask and never" in str(held.error)
        run.deny(held.id)
        await run

    play(main)
