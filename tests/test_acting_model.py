"""Every order of decisions, tool ends, timeouts and Stop, against what must hold whatever happens.

For two parallel calls all orders are played, for three a seventh of those that differ by more than which call is which
(`make proof` plays all 17,793), and a sample of senseless ones (late, repeated, early) that hypothesis draws. Each
history that can come out is then sent to the local Gemini.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gemstream_widget as gem
from gemstream_widget._engine.gemini import GeminiSource
from gemstream_widget._engine.source import ListSource, Request
from gemstream_widget._plain import Wire
from gemstream_widget._request.rules import violations
from gemstream_widget.errors import IllegalTransition
from tests.clients import client_of
from tests.gates import until
from tests.wire import call, chunk, text

Token = tuple[Any, ...]
"""("decide", call, how), ("end", call, how), ("timeout",) or ("stop",)."""

TURNS = 6  # of the loop, after each token: enough for what it set off to come to rest


class Model:
    """What should have happened, told from the tokens alone: a second, simpler account to hold the product against."""

    def __init__(self, count: int) -> None:
        self.state = ["waiting"] * count
        self.edited = [False] * count
        self.stopped = False

    def take(self, token: Token) -> None:
        kind = token[0]
        if self.stopped:
            return
        if kind == "stop":
            self.stopped = any(s in ("waiting", "running") for s in self.state)
            self.state = ["cancelled" if s in ("waiting", "running") else s for s in self.state]
        elif kind == "timeout":
            self.state = ["denied" if s == "waiting" else s for s in self.state]
        elif kind == "decide" and self.state[token[1]] == "waiting":
            self.state[token[1]] = "denied" if token[2] == "deny" else "running"
            self.edited[token[1]] = token[2] == "edit"
        elif kind == "end" and self.state[token[1]] == "running":
            self.state[token[1]] = "succeeded" if token[2] == "returns" else "failed"


@dataclass
class Stage:
    """Which calls of the tool began, by number, and what each waits for."""

    started: list[int]
    gates: list[asyncio.Future[int]]


on_stage: ContextVar[Stage] = ContextVar("on_stage")


async def work(n: int) -> int:
    stage = on_stage.get()
    stage.started.append(n)
    return await stage.gates[n % 10]


WORK = gem.Tool(work)  # declared once: that takes longer than a play


async def play(count: int, tokens: list[Token]) -> list[Wire]:
    """Play the tokens, check all that must hold, and return the history."""
    stage = Stage([], [asyncio.get_running_loop().create_future() for _ in range(count)])
    started, gates = stage.started, stage.gates
    on_stage.set(stage)
    calls = [call("work", {"n": n}, id=f"k{n}") for n in range(count)]
    source = ListSource([chunk(*calls), chunk(finish="STOP")], [chunk(text("done"), finish="STOP")])
    chat = gem.Chat(source=source, tools=[WORK], approve="ask")
    run = chat.send("go")
    model = Model(count)
    await until(lambda: len(run.pending) == count, "all calls wait")

    rest: list[Token] = [("decide", n, "deny") for n in range(count)] + [("end", n, "returns") for n in range(count)]
    for taken, token in enumerate([*tokens, *rest]):
        if taken >= len(tokens) and not {"waiting", "running"} & {*model.state}:
            break
        before = list(started)
        over = run.status != "acting"
        model.take(token)
        if token[0] == "stop":
            run.stop()
        elif token[0] == "timeout" and (acting := run._driver._calls) is not None:
            for waiting in run.pending:
                part = run._record.state.calls.get(waiting.id)
                assert part is not None
                acting._record_decision(part, "timeout", "timeout")
        elif token[0] == "decide":
            n, how = token[1], token[2]
            with suppress(gem.DecisionRefused):
                if how == "deny":
                    run.deny(f"s0c{n}")
                else:
                    run.approve(f"s0c{n}", {"n": n + 10} if how == "edit" else None)
        elif token[0] == "end" and not gates[token[1]].done() and any(s % 10 == token[1] for s in started):
            if token[2] == "returns":
                gates[token[1]].set_result(token[1])
            else:
                gates[token[1]].set_exception(ValueError("no"))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if over or model.stopped:
            assert started == before, "a tool started after the Stop"
        states = [c.state for c in run.tool_calls]
        assert [{"waiting": "awaiting_approval"}.get(s, s) for s in model.state] == states, (token, states)

    await run.wait()
    if model.stopped or ("stop",) not in tokens:  # a Stop after the last call may still cut the model's next answer
        assert run.status == ("cancelled" if model.stopped else "completed")
    assert sorted(started) == sorted(set(started)), "a tool ran twice"
    for n in started:
        decision = run.tool_calls[n % 10].decision
        assert decision is not None
        assert decision.verdict == "approved"
        assert n >= 10 or not model.edited[n]
        assert n < 10 or model.edited[n % 10]
    assert len(run.decisions) == len({d.call for d in run.decisions})
    contents = chat.history
    responses = [p["functionResponse"] for c in contents for p in c["parts"] if "functionResponse" in p]
    assert [r["id"] for r in responses] == [f"k{n}" for n in range(count)]
    for state, response in zip(model.state, responses, strict=True):
        assert ("result" in response["response"]) == (state == "succeeded")
    for gate in gates:
        gate.cancel()
    return contents


FATES = [("deny",), *itertools.product(("approve", "edit"), ("returns", "raises"))]
"""What becomes of a call: denied, or approved and then ended one way or the other."""


def orders(count: int) -> Iterator[list[Token]]:
    """All ways to interleave what becomes of each call, with a Stop or a timeout at every place or none. Of orders
    that differ only in which call is which, one.
    """
    for fates in itertools.product(FATES, repeat=count):
        steps = [n for n, fate in enumerate(fates) for _ in fate]
        for order in sorted(set(itertools.permutations(steps))):
            first_seen = list(dict.fromkeys(order))
            if first_seen != sorted(first_seen):
                continue
            left = [[("decide", n, fate[0]), *(("end", n, end) for end in fate[1:])] for n, fate in enumerate(fates)]
            tokens: list[Token] = [left[n].pop(0) for n in order]
            yield tokens
            for what in ("stop", "timeout"):
                for place in range(len(tokens) + 1):
                    yield [*tokens[:place], (what,), *tokens[place:]]


@pytest.mark.slow
def test_orders_end_in_a_history_that_gemini_accepts() -> None:
    histories: dict[str, list[Wire]] = {}
    assert len(list(orders(2))) == 643

    async def main() -> None:
        for count, every in ((2, 1), (3, 7)):
            for tokens in itertools.islice(orders(count), 0, None, every):
                history = await play(count, tokens)
                histories[json.dumps(history)] = history

    asyncio.run(main())
    asyncio.run(accepted(list(histories.values())))
    assert len(histories) > 100


async def accepted(histories: list[list[Wire]]) -> None:
    """The local Gemini takes each of them with a next prompt, and refuses one with a response too few."""
    async with gem.LocalGemini() as server, client_of(server, "httpx2") as client:

        async def send(history: list[Wire]) -> None:
            contents = [*history, {"role": "user", "parts": [text("@say fine")]}]
            chunks = [c async for c in GeminiSource(client).stream(Request("gemini-2.5-flash-lite", contents))]
            assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"

        for history in histories:
            await send(history)
        prompt, calls, responses = next(h for h in histories if len(h[2]["parts"]) > 1)[:3]
        with pytest.raises(gem.RequestRefused, match="number of function response parts"):
            await send([prompt, calls, {**responses, "parts": responses["parts"][1:]}])


tokens_of_three = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.integers(0, 2), st.sampled_from(["approve", "edit", "deny"])),
        st.tuples(st.just("end"), st.integers(0, 2), st.sampled_from(["returns", "raises"])),
        st.sampled_from([("stop",), ("timeout",)]),
    ),
    max_size=9,
)


@given(tokens_of_three)
@settings(max_examples=400, deadline=None)
def test_sampled_senseless_orders_of_three_calls(tokens: list[Token]) -> None:
    contents = asyncio.run(play(3, tokens))
    body = {"contents": [*contents, {"role": "user", "parts": [text("next")]}]}
    assert not violations(body, model="gemini-2.5-flash-lite")


def test_the_model_can_fail() -> None:
    """A positive control: where a tool starts without its approval, the play says so."""

    async def main() -> None:
        await play(1, [("decide", 0, "approve")])

    asyncio.run(main())
    original = gem.Run.approve
    gem.Run.approve = lambda self, *args, **kw: self.deny(args[0])  # type: ignore[method-assign]
    try:
        with pytest.raises((AssertionError, IllegalTransition)):
            asyncio.run(main())
    finally:
        gem.Run.approve = original  # type: ignore[method-assign]
