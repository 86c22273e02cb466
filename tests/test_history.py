from __future__ import annotations

from typing import Any

import pytest

from gemstream_widget._request.pairing import OpenCall, answers_first, open_calls
from gemstream_widget._request.prompt import contents_of
from gemstream_widget._request.turns import model_turn
from gemstream_widget.errors import HistoryError, InvalidPrompt
from tests.play import Played
from tests.wire import answer, call, chunk, text, thought


class SdkPart:
    def model_dump(self, **_: Any) -> dict[str, Any]:
        return {"text": "from the SDK"}


@pytest.mark.parametrize(
    ("prompt", "contents"),
    [
        ("hi", [{"role": "user", "parts": [{"text": "hi"}]}]),
        ({"text": "hi"}, [{"role": "user", "parts": [{"text": "hi"}]}]),
        (["a", {"inlineData": {}}, SdkPart()], None),
        ({"parts": [{"text": "hi"}]}, [{"role": "user", "parts": [{"text": "hi"}]}]),
        ([{"role": "model", "parts": [{"text": "x"}]}], [{"role": "model", "parts": [{"text": "x"}]}]),
    ],
)
def test_prompts_become_contents(prompt: Any, contents: Any) -> None:
    made = contents_of(prompt)
    assert made == contents or made[0]["parts"][2] == {"text": "from the SDK"}


@pytest.mark.parametrize(
    "prompt", ["", "  \n", [], None, 7, b"x", {}, [{}], {"parts": []}, ["a", {"parts": [{}]}], [None]]
)
def test_what_is_no_prompt_is_refused_with_its_value(prompt: Any) -> None:
    with pytest.raises(InvalidPrompt, match=r"[Pp]rompt"):
        contents_of(prompt)


def test_the_models_turn_goes_back_whole_without_unsigned_thoughts() -> None:
    parts = Played(
        [
            chunk(thought("hm")),
            chunk(text("a")),
            chunk(call("f", {"x": 1}, id="k", signature="QQ==")),
            chunk(text("", "Qg==")),
        ]
    ).state.parts
    assert model_turn(parts) == {
        "role": "model",
        "parts": [
            {"text": "a"},
            {"functionCall": {"name": "f", "args": {"x": 1}, "id": "k"}, "thoughtSignature": "QQ=="},
            {"text": "", "thoughtSignature": "Qg=="},
        ],
    }
    assert model_turn(Played([chunk(thought("hm"))]).state.parts) is None


ASKED = [{"role": "model", "parts": [call("rm", {}, id="a"), call("rm", {}, id="b"), call("ls", {})]}]


def test_open_calls_are_those_without_a_response() -> None:
    assert open_calls(ASKED) == [OpenCall("rm", "a"), OpenCall("rm", "b"), OpenCall("ls", None)]
    answered = [*ASKED, {"role": "user", "parts": [answer("rm", {}, id="b"), answer("ls", {})]}]
    assert open_calls(answered) == [OpenCall("rm", "a")]


def test_responses_are_sent_in_call_order_with_real_names_and_ids() -> None:
    given = contents_of(
        [answer("", {"n": 3}, id="s0c2"), answer("rm", {"n": 2}, id="b"), answer("rm", {"n": 1}, id="a"), "and"]
    )
    ours = {f"s0c{n}": c for n, c in enumerate(open_calls(ASKED))}
    responses, rest = answers_first(open_calls(ASKED), given, ours)
    assert responses["parts"] == [
        answer("rm", {"n": 1}, id="a"),
        answer("rm", {"n": 2}, id="b"),
        answer("ls", {"n": 3}),
    ]
    assert rest == {"role": "user", "parts": [{"text": "and"}]}


def test_a_new_message_closes_open_calls() -> None:
    responses, rest = answers_first(open_calls(ASKED), contents_of("never mind"), {})
    assert [p["functionResponse"]["name"] for p in responses["parts"]] == ["rm", "rm", "ls"]
    assert all("error" in p["functionResponse"]["response"] for p in responses["parts"])
    assert rest["parts"] == [{"text": "never mind"}]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([answer("rm", {}, id="a")], r"missing: rm \(b\), ls"),
        ([answer("cat", {})], r"'cat'; open: rm \(a\), rm \(b\), ls"),
        ([answer("rm", "text", id="a")], "must be an object, not str"),  # type: ignore[arg-type]
    ],
)
def test_responses_that_do_not_fit_are_refused(given: Any, match: str) -> None:
    with pytest.raises(HistoryError, match=match):
        answers_first(open_calls(ASKED), contents_of(given), {})


def test_a_response_to_nothing_is_refused() -> None:
    with pytest.raises(HistoryError, match="open: none"):
        answers_first([], contents_of([answer("f", {})]), {})
