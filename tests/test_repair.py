"""Repairs: every refused conversation becomes one that Gemini takes, with as little lost as can be."""

from __future__ import annotations

import asyncio
import base64
import copy
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gemstream_widget as gem
from gemstream_widget._engine.gemini import GeminiSource
from gemstream_widget._engine.source import Request
from gemstream_widget._plain import Wire
from gemstream_widget._request import repair
from gemstream_widget._request.repair import BEFORE, UNKNOWN, refusals, repaired
from gemstream_widget._request.rules import SKIP_SIGNATURE, violations
from tests.clients import client_of
from tests.local import refusal
from tests.recorded_requests import recorded_requests
from tests.test_rules import (
    ACCEPTED,
    ANY_JSON,
    REFUSED,
    SIGNATURE,
    body,
    call,
    model,
    response,
    text,
    user,
)

MODEL = "gemini-3.5-flash"


def asked(contents: list[Wire]) -> list[Wire]:
    """The next request with this history: the user speaks, where it is the user's turn."""
    return [*contents, user(text("and?"))] if not contents or contents[-1].get("role") == "model" else contents


def refused_codes(contents: Any, model: str = MODEL) -> list[str]:
    return [one.code for one in refusals(contents, model=model)]


def whole(contents: Any, model: str = MODEL) -> list[Wire]:
    """The repaired contents, after what holds for every repair was checked."""
    before = copy.deepcopy(contents)
    mended, done = repaired(contents, model=model)
    assert contents == before
    assert bool(done) == (list(contents or ()) != mended if isinstance(contents, list | None) else True)
    assert all(re.fullmatch(r"[A-Z].*[.']", words, re.DOTALL) for words in done), done
    assert violations(body(*asked(mended)), model=model) == []
    assert repaired(mended, model=model) == (mended, [])
    return mended


BROKEN = [
    (n, code, refused["contents"])
    for n, (code, refused) in enumerate(REFUSED)
    if any(v.path.startswith("contents") and v.code != "no_contents" for v in violations(refused, model=MODEL))
]


@pytest.mark.parametrize(("n", "code", "contents"), BROKEN, ids=[f"{n}-{code}" for n, code, _ in BROKEN])
def test_what_is_refused_is_offered_a_repair_that_is_accepted(n: int, code: str, contents: Any) -> None:
    if code != "ends_with_model":
        found = refusals(contents, model=MODEL)
        assert code in [one.code for one in found]
        assert all(one.repair and one.hint and one.message for one in found)
        mended, done = repaired(contents, model=MODEL, only={code})
        assert done
        assert code not in refused_codes(mended)
    whole(contents)


def test_every_code_of_contents_has_a_repair() -> None:
    assert {code for _, code, _ in BROKEN} - {"ends_with_model"} == set(repair._REPAIRS)


SETTINGS = [(code, refused) for n, (code, refused) in enumerate(REFUSED) if n not in [place for place, _, _ in BROKEN]]


MENDED_SETTINGS = {"empty_system", "json_schema_only", "reference_beside"}
"""What has another spelling that says the same, and is sent in it."""


@pytest.mark.parametrize(("code", "refused"), SETTINGS, ids=[f"{n}-{code}" for n, (code, _) in enumerate(SETTINGS)])
def test_settings_are_told_and_mended_only_where_they_say_the_same(code: str, refused: dict[str, Any]) -> None:
    contents = refused.get("contents", [])
    found = {one.code: one for one in refusals(contents, model=MODEL, body=refused)}
    assert (found[code].repair is not None) == found[code].is_mended == (code in MENDED_SETTINGS)
    assert found[code].hint
    assert repaired(contents, model=MODEL) == (contents, [])


@pytest.mark.parametrize(("name", "accepting", "accepted"), ACCEPTED, ids=[name for name, _, _ in ACCEPTED])
def test_what_is_accepted_stays(name: str, accepting: str, accepted: dict[str, Any]) -> None:
    assert refusals(accepted["contents"], model=accepting) == []
    assert repaired(accepted["contents"], model=accepting) == (accepted["contents"], [])


def test_recorded_requests_stay(corpus: Path) -> None:
    checked = 0
    for name, recorded, asked, vertex in recorded_requests(corpus):
        contents = recorded["contents"]
        assert repaired(contents, model=asked, vertex=vertex) == (contents, []), name
        checked += 1
    assert checked > 200


HI = user(text())
LOST = {"error": UNKNOWN}
SKIP = base64.b64encode(SKIP_SIGNATURE).decode()
LONG = user({"functionResponse": {"name": "f", "response": {"rows": ["x" * 100]}}})
UNANSWERED = {"functionResponse": {"name": "f", "response": LOST, "id": "a"}}
BECOMES = [
    ("an open call is answered", [HI, model(call("f", "a"))], [HI, model(call("f", "a")), user(UNANSWERED)]),
    (
        "answers come right after the calls, in their order",
        [HI, model(call("f", "a"), call("g", "b", None)), user(text("later"), response("g", "b"))],
        [
            HI,
            model(call("f", "a"), call("g", "b", None)),
            user(UNANSWERED, response("g", "b")),
            user(text("later")),
        ],
    ),
    (
        "a response moves back to its call",
        [HI, model(call()), user(text("so?")), model(text()), user(response(), text("now"))],
        [HI, model(call()), user(response()), user(text("so?")), model(text()), user(text("now"))],
    ),
    (
        "a response moves on to its call",
        [HI, user(response()), model(call()), user(text("so?"))],
        [HI, model(call()), user(response()), user(text("so?"))],
    ),
    (
        "the nearest call before is the one that is meant",
        [HI, model(call()), HI, model(call()), HI, model(text()), user(response())],
        [
            *(HI, model(call()), user({"functionResponse": {"name": "f", "response": LOST}})),
            *(HI, model(call()), user(response()), HI, model(text())),
        ],
    ),
    ("a second response goes", [HI, model(call()), user(*[response()] * 2)], [HI, model(call()), user(response())]),
    ("a response to nothing goes", [HI, model(text()), user(response())], [HI, model(text())]),
    (
        "a response gets name and id of its call",
        [HI, model(call("f", "a"), call("g", "b", None)), user(response("x", "y"), response("f", "z"))],
        [HI, model(call("f", "a"), call("g", "b", None)), user(response("f", "a"), response("g", "b"))],
    ),
    (
        "an id is there once",
        [HI, model(call("f", "a"), call("f", "a", None)), user(response("f", "a"), response("f", "a"))],
        [HI, model(call("f", "a"), call("f", None, None)), user(response("f", "a"), response("f"))],
    ),
    (
        "a first call and its response stay",
        [model(call()), user(response())],
        [user(text(BEFORE)), model(call()), user(response())],
    ),
    (
        "an empty part takes an empty content along",
        [HI, model({"thought": True}, {}), HI],
        [HI, HI],
    ),
    (
        "a part of two kinds becomes two",
        [HI, model({"text": "a", "thoughtSignature": SIGNATURE, "functionCall": {"name": "f"}}), user(response())],
        [HI, model(text("a"), {"functionCall": {"name": "f"}, "thoughtSignature": SIGNATURE}), user(response())],
    ),
    (
        "roles of others",
        [
            {"role": "human", "parts": [text("a")]},
            {"role": "Assistant", "parts": [text("b")]},
            {"role": 7, "parts": [call()]},
            {"role": "tool", "parts": [response()]},
        ],
        [user(text("a")), model(text("b")), model(call()), user(response())],
    ),
    (
        "messages of others",
        [{"role": "user", "content": "hi", "index": 0}, {"role": "assistant", "content": "ho"}],
        [user(text("hi")), model(text("ho"))],
    ),
    (
        "values of the wrong type keep what they say",
        ["a", None, {"role": "user", "parts": "b"}, user("c", None, {"text": 3}, {"inlineData": "d"})],
        [user(text("a")), user(text("b")), user(text("c"), text("3"), text("d"))],
    ),
    (
        "arguments and responses are objects",
        [
            HI,
            model(call() | {"functionCall": {"name": 3, "args": [1]}}),
            user({"functionResponse": {"name": "3", "response": "ok"}}),
        ],
        [
            HI,
            model(call() | {"functionCall": {"name": "3", "args": {"result": [1]}}}),
            user({"functionResponse": {"name": "3", "response": {"result": "ok"}}}),
        ],
    ),
    (
        "a file that cannot be read leaves a word",
        [user(text(), {"inline_data": {"mime_type": "image/png", "data": "not base64!"}})],
        [user(text(), text("(Here was a file of type image/png. Its data could not be read.)"))],
    ),
    (
        "a signature that cannot be read",
        [HI, model(call(signature="???")), user(response())],
        [HI, model(call(signature=SKIP)), user(response())],
    ),
    (
        "only the first call of a step is marked",
        [HI, model(call("f", None, None), call("g", None, None)), user(response("f"), response("g"))],
        [
            HI,
            model(call("f", None, SKIP), call("g", None, None)),
            user(response("f"), response("g")),
        ],
    ),
    ("a text in place of contents", "hi", [HI]),
    ("a content in place of contents", HI, [HI]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after"), BECOMES, ids=[name for name, _, _ in BECOMES])
def test_repairs(name: str, before: Any, after: list[Wire]) -> None:
    assert whole(before) == after


def test_words_say_what_a_repair_would_do() -> None:
    def words(*contents: Any) -> list[str | None]:
        return [one.repair for one in refusals(list(contents), model=MODEL)]

    assert words(HI, model(call("run_sql"))) == [f"Answers the call run_sql in contents[1].parts[0] with {UNKNOWN!r}"]
    assert words({"role": "bot", "parts": [text()]}) == ["Changes the role 'bot' of contents[0] to 'model'."]
    assert words(HI, user(text(), {})) == ["Removes the empty part contents[1].parts[1]."]
    assert words(HI, user(text() | {"id": 1})) == [
        "Removes what Gemini does not know from contents[1].parts[0]: {'id': 1}."
    ]
    assert words(HI, model(call(signature=None)), user(response())) == [
        "Marks the call f, whose signature is lost, with the value that asks Gemini to skip the check."
    ]
    (removes,) = words(HI, model(text()), LONG)
    assert removes is not None
    assert removes.startswith("Removes contents[2].parts[0], which no call asked for: {'name': 'f', ")
    assert len(removes) < 160
    assert words(HI, model(call()), user(text("so?")), user(response("g"), response("h")))[0] == (
        f"Removes contents[3].parts[0], which no call asked for: {response('g')['functionResponse']}. "
        f"Removes contents[3].parts[1], which no call asked for: {response('h')['functionResponse']}. "
        f"Answers the call f in contents[1].parts[0] with {UNKNOWN!r}"
    )


def test_the_next_prompt_is_taken_to_follow() -> None:
    assert refusals([HI, model(text())], model=MODEL) == []
    assert refused_codes([HI, model(call())]) == ["unanswered_call"]
    assert refused_codes([HI, model(call(signature=None)), user(response()), model(text())]) == []
    continued = {"continuationToken": "dG9rZW4="}
    assert refusals([HI, model(text())], model=MODEL, body=continued) == []


def test_only_the_chosen_codes_are_repaired() -> None:
    both = [HI, model(call("f", "a", None)), user(response("f", "b"))]
    assert refused_codes(both) == ["id_mismatch", "missing_signature"]
    named, done = repaired(both, model=MODEL, only={"missing_signature"})
    assert refused_codes(named) == ["id_mismatch"]
    assert len(done) == 1
    assert repaired(both, model=MODEL, only=set()) == (both, [])
    astray = [HI, model(call()), HI, model(text()), user(response())]
    assert all(
        repaired(astray, model=MODEL, only={code}) == repaired(astray, model=MODEL) for code in refused_codes(astray)
    )
    assert repaired([HI, user()], model=MODEL, only={"temperature"}) == ([HI, user()], [])


def test_streamed_arguments_pass_on_vertex_only() -> None:
    streamed = [
        HI,
        model(call() | {"functionCall": {"name": "f", "partialArgs": [], "willContinue": True}}),
        user(response()),
    ]
    assert repaired(streamed, model=MODEL, vertex=True) == (streamed, [])
    assert whole(streamed) == [HI, model(call() | {"functionCall": {"name": "f"}}), user(response())]


def test_signatures_that_gemini_did_not_accept_are_dropped_when_it_says_so() -> None:
    told = [
        *(HI, model(text() | {"thoughtSignature": SIGNATURE}), HI),
        *(model(call(), call("g", None, None)), user(response(), response("g"))),
        *(model({"thoughtSignature": SIGNATURE}), user(text())),
        *(model(call(signature=SKIP)), user(response())),
        *(model(call()), user(response())),
    ]
    assert repaired(told, model=MODEL) == (told, [])
    mended, done = repaired(told, model=MODEL, only={"corrupted_signature"})
    assert mended == [
        *(HI, model(text()), HI, model(call(signature=None), call("g", None, None)), user(response(), response("g"))),
        *(user(text()), model(call(signature=SKIP)), user(response()), model(call(signature=SKIP)), user(response())),
    ]
    assert done[0] == "Removes the signatures of 4 parts: Gemini did not accept one of them."
    assert repaired(mended, model=MODEL, only={"corrupted_signature"}) == (mended, [])
    unsigned, _ = repaired(told, model="gemini-2.5-flash", only={"corrupted_signature"})
    assert unsigned[-2] == model(call(signature=None))


# --------------------------------------------------------------------------------------------------------------------
# any conversation

HISTORY = [
    user(text("one")),
    model(text("thought") | {"thought": True}, call("f", "a"), call("g", "b", None)),
    user(response("f", "a"), response("g", "b")),
    model(call("h")),
    user(response("h")),
    user({"inlineData": {"mimeType": "image/png", "data": ""}}, text("two")),
    model(text("fine"), text("") | {"thoughtSignature": SIGNATURE}),
    user(text("three")),
    model(call("f", "c")),
    user(response("f", "c")),
]
ODD = st.sampled_from([None, 3, "x", "", [], {}, ["x"], {"text": "x"}, "model", "user", "tool", "???"])
FIELDS = st.sampled_from(
    "role parts text name id args response thoughtSignature functionCall functionResponse inlineData data odd".split()
)


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """The history with contents, parts and fields dropped, doubled, moved and retagged, or also given odd values."""
    history: list[Any] = copy.deepcopy(HISTORY)
    ways = ["drop", "double", "swap", "move", "retag", "strip"] + ["replace", "field", "field"] * draw(st.booleans())
    for _ in range(draw(st.integers(1, 6))):
        lists = [history, *(c["parts"] for c in history if isinstance(c, dict) and isinstance(c.get("parts"), list))]
        place = draw(st.sampled_from(lists))
        if not place:
            continue
        i, j = (draw(st.integers(0, len(place) - 1)) for _ in "ij")
        how = draw(st.sampled_from(ways))
        if how == "drop":
            del place[i]
        elif how == "double":
            place.insert(j, copy.deepcopy(place[i]))
        elif how == "swap":
            place[i], place[j] = place[j], place[i]
        elif how == "move":
            draw(st.sampled_from(lists)).append(place.pop(i))
        elif how == "replace":
            place[i] = copy.deepcopy(draw(ODD))
        elif isinstance(place[i], dict):
            inner = draw(st.sampled_from([place[i], *(v for v in place[i].values() if isinstance(v, dict))]))
            if how == "field":
                inner[draw(FIELDS)] = copy.deepcopy(draw(ODD))
            elif how == "strip":
                inner.pop(draw(st.sampled_from(["id", "name", "thoughtSignature"])), None)
            elif "parts" in inner:
                inner["role"] = {"model": "user"}.get(str(inner.get("role")), "model")
            elif "name" in inner:
                inner |= draw(st.sampled_from([{"name": "f"}, {"name": "x"}, {"id": "a"}, {"id": "b"}, {"id": "y"}]))
    return history


def said(contents: list[Any]) -> Counter[str]:
    """The texts of the parts that have one, and the names of calls that have one."""
    parts = [p for c in contents if isinstance(c, dict) and isinstance(c.get("parts"), list) for p in c["parts"]]
    values = [value for p in parts if isinstance(p, dict) for value in (p.get("text"), p.get("functionCall"))]
    return Counter(
        value if isinstance(value, str) else f"call {value['name']}"
        for value in values
        if isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("name"), str))
    )


@given(histories(), st.sampled_from([MODEL, "gemini-2.5-flash", "gemini-2.0-flash"]))
@settings(max_examples=500, deadline=None)
def test_any_broken_history_is_mended(history: list[Any], model: str) -> None:
    mended = whole(history, model)
    assert said(history) <= said(mended)
    for one in refusals(history, model=model):
        assert one.repair
        assert one.code not in refused_codes(repaired(history, model=model, only={one.code})[0], model)


@given(ANY_JSON | st.lists(st.dictionaries(st.sampled_from(["role", "parts"]), ANY_JSON)))
def test_any_json_is_mended(anything: Any) -> None:
    whole(anything)
    repaired(anything, model=MODEL, only={"corrupted_signature"})


def test_long_histories_are_mended_in_reasonable_time() -> None:
    calls = [HI, model(call("f", "a", None)), user(response("f", "b"), {}, text())] * 300
    strays = (
        [user(response(f"g{n}")) for n in range(300)] + [model(text())] + [model(call(f"g{n}")) for n in range(300)]
    )
    whole([*calls, *strays])


# --------------------------------------------------------------------------------------------------------------------
# over HTTP


def test_the_local_gemini_refuses_the_broken_and_takes_the_mended() -> None:
    asyncio.run(sent())


async def sent() -> None:
    async with gem.LocalGemini() as server, client_of(server, "httpx2") as client:

        async def refused(contents: Any) -> str:
            return str((await asyncio.to_thread(refusal, server, body(*contents)))["message"])

        for _, code, contents in BROKEN:
            if isinstance(contents, str) or code == "ends_with_model":
                continue
            assert await refused(contents_sent(contents)) == refusals(contents, model="demo")[0].message
            mended, _ = repaired(contents, model="demo")
            if SIGNATURE in str(mended):  # which the server did not give out
                assert await refused(asked(mended)) == "Corrupted thought signature."
                mended, _ = repaired(mended, model="demo", only={"corrupted_signature"})
            request = Request("demo", [*asked(mended), user(text("@say fine"))])
            chunks = [chunk async for chunk in GeminiSource(client).stream(request)]
            assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def contents_sent(contents: Any) -> list[Any]:
    ends = contents[-1]
    return [*contents, user(text())] if isinstance(ends, dict) and ends.get("role") == "model" else contents
