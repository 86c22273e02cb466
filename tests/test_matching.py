"""One rule says which call a response answers; all who ask for it agree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemstream_widget._plain import Wire
from gemstream_widget._request.conversation import speeches
from gemstream_widget._request.pairing import OpenCall, answers_first, open_calls
from gemstream_widget._request.repair import UNKNOWN, refusals, repaired
from gemstream_widget._request.rules import violations
from gemstream_widget._request.turns import model_turn, sent_calls
from gemstream_widget._stream.matching import Named, match
from tests.play import Played
from tests.wire import answer, call, chunk, text

Key = tuple[str | None, str | None]


@pytest.mark.parametrize(
    ("calls", "responses", "places"),
    [
        pytest.param([], [("f", None)], [None], id="nothing was asked"),
        pytest.param([("f", "a")], [], [], id="nothing was answered"),
        pytest.param([("f", "a"), ("g", "b")], [("g", "b"), ("f", "a")], [1, 0], id="ids"),
        pytest.param([("f", None), ("g", None)], [("g", None), ("f", None)], [1, 0], id="no ids"),
        pytest.param([("f", None), ("f", None)], [("f", None), ("f", None)], [0, 1], id="a name twice, in order"),
        pytest.param([("f", "a"), ("f", "b")], [("f", "b"), ("f", "a")], [1, 0], id="one name, out of order"),
        pytest.param([("f", "a"), ("f", "b")], [("f", None), ("f", "a")], [1, 0], id="ids before names"),
        pytest.param([("f", None), ("f", "a")], [("f", "a"), ("f", None)], [1, 0], id="mixed"),
        pytest.param([("f", "a")], [("f", None)], [0], id="an id on the call alone"),
        pytest.param([("f", None)], [("f", "z")], [0], id="an id on the response alone"),
        pytest.param([("f", "")], [("f", "z")], [0], id="an empty id is none"),
        pytest.param([("f", "a")], [("f", "z")], [None], id="a foreign id"),
        pytest.param([("f", "a"), ("f", None)], [("f", "z")], [1], id="a foreign id, and a call without one"),
        pytest.param([("f", "a")], [("", "a")], [0], id="an id without a name"),
        pytest.param([("f", "a")], [("g", "a")], [0], id="an id with another name"),
        pytest.param([("f", "a"), ("g", "a")], [("g", "a"), ("f", "a")], [1, 0], id="an id twice: the name tells"),
        pytest.param([("f", None)], [("g", None)], [None], id="another name"),
        pytest.param([("f", None)], [("f", None), ("f", None)], [0, None], id="a call is answered once"),
        pytest.param([("f", None), ("f", None)], [("f", None)], [0], id="a response answers once"),
    ],
)
def test_a_response_answers(calls: list[Key], responses: list[Key], places: list[int | None]) -> None:
    assert match([Named(*one) for one in calls], [Named(*one) for one in responses]) == places


def test_a_response_before_its_call_does_not_answer_it() -> None:
    turn = {"role": "model", "parts": [answer("f", {}), call("f")]}
    assert open_calls([USER, turn]) == [OpenCall("f", None)]
    assert open_calls([USER, {"role": "model", "parts": turn["parts"][::-1]}]) == []


def test_our_own_id_tells_calls_of_one_name_apart() -> None:
    opened = [OpenCall("f", None), OpenCall("f", None)]
    ours = dict(zip(["s0c0", "s0c1"], opened, strict=True))
    prompt: list[Wire] = [{"role": "user", "parts": [answer("f", {"n": 2}, id="s0c1"), answer("f", {"n": 1})]}]
    assert answers_first(opened, prompt, ours) == [{"role": "user", "parts": [answer("f", {"n": n}) for n in (1, 2)]}]


@pytest.mark.parametrize("responses", [[("g", "a"), ("f", "b")], [("g", "a"), ("f", None)]])
def test_a_response_has_the_name_of_the_call_whose_id_it_has(responses: list[Key]) -> None:
    asked = {"role": "model", "parts": [call("f", {}, "a"), call("g", {}, "b")]}
    told = {"role": "user", "parts": [answer(name or "", {}, id) for name, id in responses]}
    assert [v.code for v in violations({"contents": [USER, asked, told]}, model=MODEL)] == ["name_mismatch"]
    mended, _ = repaired([USER, asked, told], model=MODEL)
    assert violations({"contents": mended}, model=MODEL) == []


def test_a_repair_goes_by_name_where_the_ids_say_nothing_and_by_order_where_the_names_do_not() -> None:
    asked = {"role": "model", "parts": [call("f", {}, "a"), call("g", {}, "b"), call("h", {}, "c")]}
    told = {"role": "user", "parts": [answer("x", {"n": 3}, "k"), answer("g", {"n": 2}, "l"), answer("f", {"n": 1})]}
    assert repaired([USER, asked, told], model=MODEL)[0][2]["parts"] == [
        answer("f", {"n": 1}, "a"),
        answer("g", {"n": 2}, "b"),
        answer("h", {"n": 3}, "c"),
    ]
    told["parts"] = [answer("g", {"n": 2}, "l")]
    assert repaired([USER, asked, told], model=MODEL)[0][2]["parts"][1] == answer("g", {"n": 2}, "b")


# --------------------------------------------------------------------------------------------------------------------
# any conversation

MODEL = "gemini-2.5-flash"  # asks for no signatures
USER: Wire = {"role": "user", "parts": [text("hi")]}
NAMES = st.sampled_from("fg")
IDS = st.sampled_from([None, None, "a", "b", "c", "z"])


@st.composite
def keys(draw: st.DrawFn, most: int) -> list[Key]:
    """Names and ids; an id once at most."""
    drawn = draw(st.lists(st.tuples(NAMES, IDS), max_size=most))
    seen = Counter[str | None]()
    for _, id in drawn:
        seen[id] += 1
    return [(name, id if seen[id] == 1 else None) for name, id in drawn]


def said(kind: Any, of: list[Key]) -> list[Wire]:
    return [kind(name, {}, id) for name, id in of]


@st.composite
def turns(draw: st.DrawFn) -> list[Wire]:
    """What the model says: calls, responses of its own side, text, in any order."""
    parts = said(call, draw(keys(4))) + said(answer, draw(keys(2))) + [text("so")] * draw(st.integers(0, 2))
    return draw(st.permutations(parts)) or [text("so")]


def added(contents: list[Wire]) -> list[Key]:
    """Name and id of what a repair answered because nobody had."""
    mended, _ = repaired(contents, model=MODEL)
    told = [part["functionResponse"] for c in mended for part in c["parts"] if "functionResponse" in part]
    return [(r["name"], r.get("id")) for r in told if r["response"] == {"error": UNKNOWN}]


def cuts(draw: st.DrawFn, parts: list[Wire]) -> list[Wire]:
    """The parts in one content or several."""
    at = draw(st.integers(0, len(parts)))
    return [{"role": "user", "parts": half} for half in (parts[:at], parts[at:]) if half]


CODES = {"unanswered_call", "id_mismatch", "name_mismatch", "response_without_call"}


@given(turns(), keys(5), st.data())
@settings(max_examples=500, deadline=None)
def test_what_is_open_is_what_is_refused_and_what_a_repair_answers(
    turn: list[Wire], responses: list[Key], data: st.DataObject
) -> None:
    asked = [USER, {"role": "model", "parts": turn}]
    contents = [*asked, *cuts(data.draw, said(answer, responses))]
    opened = open_calls(contents)
    following = [*contents, USER] if contents[-1]["role"] == "model" else contents
    refused = {v.code for v in refusals(following, model=MODEL)}
    assert refused <= CODES
    calls = [one.named for one in speeches(asked)[-1].open_calls()]
    spare = None in match(calls, [Named(*one) for one in responses])
    if spare:
        assert refused
        assert len(added(following)) <= len(opened)
    else:
        assert ("unanswered_call" in refused) == bool(opened)
        assert added(following) == opened
    if not refused:
        assert opened == []


@given(turns(), keys(4))
@settings(max_examples=300, deadline=None)
def test_what_the_prompt_is_given_in_front_closes_what_is_open(turn: list[Wire], responses: list[Key]) -> None:
    contents = [USER, {"role": "model", "parts": turn}]
    opened = open_calls(contents)
    assert violations({"contents": [*contents, *answers_first(opened, [USER], {})]}, model=MODEL) == []
    places = match(opened, [Named(*one) for one in responses])
    if responses and sorted(n for n in places if n is not None) == [*range(len(opened))] and None not in places:
        prompt = [{"role": "user", "parts": said(answer, responses)}]
        (given,) = answers_first(opened, prompt, {})
        assert [part["functionResponse"]["name"] for part in given["parts"]] == [one.name for one in opened]
        assert violations({"contents": [*contents, given]}, model=MODEL) == []


@given(turns(), st.data())
@settings(max_examples=500, deadline=None)
def test_the_decoder_leaves_open_what_the_conversation_leaves_open(turn: list[Wire], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(turn)))
    played = Played([chunk(*turn[:at]), chunk(*turn[at:], finish="STOP")])
    sent = model_turn(played.state.parts)
    assert sent is not None
    left = open_calls([USER, sent])
    assert [OpenCall.of(one) for one in sent_calls(played.state.parts)] == left
    assert [one.id for one in sent_calls(played.state.parts)] == [
        c.id for c in played.state.tool_calls if c.state != "succeeded"
    ]
    assert (played.step.outcome == "calls") == bool(left)
