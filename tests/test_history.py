from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from gemstream_widget._request.pairing import OpenCall, answers_first, open_calls
from gemstream_widget._request.prompt import contents_of
from gemstream_widget._request.turns import model_turn
from gemstream_widget._request.wire import decode_base64
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


PNG = b"\x89PNG\xff\xfe"
ENCODED = base64.b64encode(PNG).decode("ascii")
PICTURE = {"inlineData": {"mimeType": "image/png", "data": ENCODED}}


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": PNG}}, PICTURE),
        ({"inline_data": {"mime_type": "image/png", "data": PNG}}, PICTURE),
        ({"inline_data": {"mime_type": "image/png", "data": ENCODED}}, PICTURE),
        ({"file_data": {"file_uri": "gs://a", "mime_type": "text/plain"}},
         {"fileData": {"fileUri": "gs://a", "mimeType": "text/plain"}}),
        ({"text": "a", "thought_signature": PNG}, {"text": "a", "thoughtSignature": ENCODED}),
        ({"function_response": {"name": "f", "response": {"a_b": 1}, "parts": [{"inline_data": {"data": PNG}}]}},
         {"functionResponse": {"name": "f", "response": {"a_b": 1}, "parts": [{"inlineData": {"data": ENCODED}}]}}),
        ({"function_call": {"name": "f", "args": {"file_uri": {"mime_type": 1}}}},
         {"functionCall": {"name": "f", "args": {"file_uri": {"mime_type": 1}}}}),
        ({"text": "a", "no_such_field": 1}, {"text": "a", "no_such_field": 1}),
        ({"inline_data": None, "text": "a"}, {"inlineData": None, "text": "a"}),
    ],
)  # fmt: skip
def test_wire_parts_enter_in_geminis_form(given: Any, part: Any) -> None:
    before = copy.deepcopy(given)
    assert contents_of(given) == [{"role": "user", "parts": [part]}]
    assert contents_of(["a", given])[0]["parts"] == [{"text": "a"}, part]
    assert contents_of({"role": "model", "parts": ["a", given]}) == [{"role": "model", "parts": [{"text": "a"}, part]}]
    assert given == before
    assert contents_of(part) == contents_of(given)


def test_the_sdks_own_objects_enter_in_geminis_form() -> None:
    from google.genai import types

    uploaded = types.File(name="files/a", uri="https://x/files/a", mime_type="application/pdf", size_bytes=3)
    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    (made,) = contents_of([uploaded, picture, picture.model_dump(exclude_none=True), "summarise"])
    assert made["parts"][0] == {"fileData": {"fileUri": "https://x/files/a", "mimeType": "application/pdf"}}
    for part in made["parts"][1:3]:
        assert decode_base64(part["inlineData"]["data"]) == PNG
        assert isinstance(part["inlineData"]["data"], str)
    assert types.Content.model_validate(made).parts[0].file_data.file_uri == uploaded.uri  # type: ignore[index, union-attr]
    assert contents_of(types.Content(role="user", parts=[picture]))[0]["parts"] == [made["parts"][1]]
    with pytest.raises(InvalidPrompt, match=r"no uri.*client\.files\.upload"):
        contents_of([types.File(name="files/a"), "summarise"])


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


SNAKE = {"functionCall": "function_call", "functionResponse": "function_response"}


def in_snake_case(contents: Any) -> Any:
    return [{**c, "parts": [{SNAKE.get(k, k): v for k, v in part.items()} for part in c["parts"]]} for c in contents]


def test_calls_and_responses_are_read_in_either_spelling() -> None:
    answered = [*ASKED, {"role": "user", "parts": [answer("rm", {}, id="b"), answer("ls", {})]}]
    for contents in (ASKED, answered, [*answered, {"role": "user", "parts": [{"text": "and"}]}]):
        assert open_calls(in_snake_case(contents)) == open_calls(contents)
    given = [{"role": "user", "parts": [answer("rm", {"n": 1}, id="a"), {"text": "and"}]}]
    assert answers_first([OpenCall("rm", "a")], in_snake_case(given), {}) == [
        {"role": "user", "parts": [answer("rm", {"n": 1}, id="a")]},
        {"role": "user", "parts": [{"text": "and"}]},
    ]


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
