"""What goes out is what Gemini takes: random conversations, results and declarations pass the gate and arrive, or are
told, with place and mend, before anything is sent.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._plain import clean
from gemstream_widget._request.gate import Passage, passage
from gemstream_widget._tools.results import readable
from tests.clients import OURS, client_of
from tests.test_gate import BODIES, MODEL, REFUSED, SCHEMAS, VALUES, arrives
from tests.test_rules import REFUSED as RULED

from .report import Control, Found, Row

__all__ = ["measure"]


def measure(setting: Setting) -> Found:
    """Bodies against the rules of the local Gemini; results and declarations in runs, over HTTP."""
    return Found([_bodies(setting.count(2000, 100)), *asyncio.run(_runs(setting))])


def _drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many random values, the same ones each time."""
    drawn: list[Any] = []

    @given(strategy)
    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None, phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip
    def draw(value: Any) -> None:
        drawn.append(value)

    draw()
    return drawn


# -- bodies ------------------------------------------------------------------------------------------------------------


def _bodies(count: int) -> Row:
    bodies = _drawn(BODIES, count)
    failures = [fault for body in bodies for fault in _faults(body, passage(body, model=MODEL))]
    open_gate = [fault for body in bodies for fault in _faults(body, Passage(body, [], []))]
    control = Control("a gate that lets everything pass", bool(open_gate))
    return Row("outgoing: random conversations are mended or told, and what passes is taken", len(bodies), failures,
               control)  # fmt: skip


def _faults(body: Any, passed: Passage) -> Iterator[str]:
    told = arrives(passed.body)
    if passed.refused:
        if told != passed.refused[0].message:
            yield f"refused with other words than the local Gemini's: {told!r}, {passed.refused[0].message!r}"
        if not all(one.path and one.hint for one in passed.refused):
            yield f"refused without place or mend: {passed.refused}"
        return
    if told:
        yield f"let pass, and refused on arrival: {told}"
    try:
        json.dumps(passed.body, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        yield f"no strict JSON: {error}"
    needed = bool(arrives(body))
    if needed != bool(passed.done) and (needed or not all("surrogate" in words for words in passed.done)):
        yield f"mended what needs it not, or without a word: {passed.done}"


# -- runs --------------------------------------------------------------------------------------------------------------


async def _runs(setting: Setting) -> list[Row]:
    with gem.LocalGemini(pace_s=0, speed=math.inf, keep=4) as server:
        async with client_of(server, OURS) as client:
            return [
                await _results(server, client, _drawn(VALUES, setting.count(300, 20))),
                await _declarations(client, _drawn(SCHEMAS, setting.count(300, 20))),
                await _refused(server, client),
            ]


@contextmanager
def _open_gate() -> Iterator[None]:
    with patch("gemstream_widget._engine.admission.passage", lambda body, **_: Passage(body, [], [])):
        yield


async def _results(server: gem.LocalGemini, client: Any, values: list[Any]) -> Row:
    values = [{"$ref": "#/$defs/A"}, *values]
    failures = [fault for value in values if (fault := await _result_fault(server, client, value))]
    with _open_gate():
        noticed = bool(await _result_fault(server, client, values[0]))
    what = "outgoing: what tools return is taken, and says what they returned"
    return Row(what, len(values), failures, Control("a $ref past an open gate", noticed))


async def _result_fault(server: gem.LocalGemini, client: Any, value: Any) -> str:
    def look() -> Any:
        return value

    run = await gem.Chat(client=client, model="demo", tools=[look]).send("@call look {}\n@then\n@say fine").wait()
    if run.text != "fine":
        return f"{value!r}: {run.error}"
    sent: Any = server.requests[-1].body
    held = sent["contents"][-1]["parts"][0]["functionResponse"]["response"]
    wanted = clean(readable(value)[0])
    return "" if held == wanted or _in_full(held) in (wanted, _in_full(wanted)) else f"{value!r} arrived as {held!r}"


def _in_full(response: Any) -> Any:
    """What a response says that has one value, which may be a text of JSON."""
    (only, *more) = response.values() or [None]
    try:
        return json.loads(only) if isinstance(only, str) and not more else response if more else only
    except ValueError:
        return only


async def _declarations(client: Any, schemas: list[Any]) -> Row:
    faults, told = [], 0
    for schema in schemas:
        for field in ("parameters", "parametersJsonSchema"):
            try:
                chat = gem.Chat(client=client, model="demo", tools=[{"name": "pick", field: schema}])
            except gem.ToolError as error:
                told += "pick" in str(error)
                faults += [] if "pick" in str(error) else [str(error)]
                continue
            run = await chat.send("@say fine").wait()
            faults += [] if run.text == "fine" else [f"{schema!r}: {run.error}"]
    with _open_gate():
        whole = {"type": "object", "properties": {"n": {"type": "integer", "enum": [1]}}}
        chat = gem.Chat(client=client, model="demo", tools=[{"name": "pick", "parameters": whole}])
        noticed = isinstance((await chat.send("@say fine").wait()).error, gem.ApiError)
    what = f"outgoing: what Chat(tools=) takes is taken, the rest is told there ({told} of these)"
    return Row(what, 2 * len(schemas), faults, Control("whole numbers to choose from, past an open gate", noticed))


def _histories() -> Iterator[list[Any]]:
    """Those among the negatives of all rules that are refused as the beginning of a conversation, too."""
    for body in (*(body for _, body in RULED), *(body for _, body, _ in REFUSED)):
        contents = body.get("contents")
        if not isinstance(contents, list) or not all(isinstance(one, dict) and one.get("parts") for one in contents):
            continue
        with suppress(gem.InvalidOption):
            told = gem.Chat(model="demo", history=contents).check()
            if any(not one.is_mended and one.code != "unknown_field" for one in told):
                yield contents


async def _refused(server: gem.LocalGemini, client: Any) -> Row:
    """Histories that nothing but the user can mend: a run says so, and nothing is sent."""
    faults, histories = [], [*_histories()]
    for history in histories:
        before = len(server.requests) and server.requests[-1].number
        run = await gem.Chat(client=client, model="demo", history=history).send("@say fine").wait()
        if not isinstance(run.error, gem.RequestRefused) or not run.error.place or not run.error.hint:
            faults.append(f"{history}: {run.error}")
        if server.requests[-1].number != before:
            faults.append(f"{history}: it was sent")
    before = server.requests[-1].number
    await gem.Chat(client=client, model="demo").send("@say fine").wait()
    control = Control("a prompt that is fine: sent", server.requests[-1].number != before)
    return Row("outgoing: nothing is sent of a request that is refused", len(histories), faults, control)
