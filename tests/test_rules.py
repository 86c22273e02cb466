"""What Gemini refuses: one negative per rule, and the accepted neighbours that a rule must let pass."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemstream_widget._plain import Json
from gemstream_widget._request.rules import needs_signatures, violations
from gemstream_widget._request.wire import DATA_FIELDS, camel, decode_base64, get, snake
from tests.recorded_requests import recorded_requests

SIGNATURE = "c2lnbmF0dXJl"


def user(*parts: Json) -> Json:
    return {"role": "user", "parts": list(parts)}


def model(*parts: Json) -> Json:
    return {"role": "model", "parts": list(parts)}


def text(words: str = "hi") -> Json:
    return {"text": words}


def call(name: str = "f", call_id: str | None = None, signature: str | None = SIGNATURE) -> Json:
    part: Json = {"functionCall": {"name": name, "args": {}} | ({"id": call_id} if call_id else {})}
    return part | ({"thoughtSignature": signature} if signature else {})


def response(name: str = "f", call_id: str | None = None) -> Json:
    return {"functionResponse": {"name": name, "response": {"ok": True}} | ({"id": call_id} if call_id else {})}


def body(*contents: Json, **more: Any) -> Json:
    return {"contents": list(contents), **more}


def functions(*names: str) -> list[Json]:
    return [{"functionDeclarations": [{"name": name} for name in names]}]


def declare(**fields: Any) -> list[Json]:
    return [{"functionDeclarations": [{"name": "f", **fields}]}]


def beside(**more: Any) -> Json:
    properties = {"a": {"$ref": "#/$defs/A", **more}}
    return {"type": "object", "properties": properties, "$defs": {"A": {"enum": ["a", "b"]}}}


def answer(value: Any) -> Json:
    return {"functionResponse": {"name": "f", "response": value}}


def nest(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def config(**settings: Any) -> Json:
    return body(user(text()), generationConfig=settings)


REFUSED = [
    ("no_contents", {}),
    ("no_contents", {"contents": []}),
    ("wrong_type", {"contents": "hi"}),
    ("wrong_type", body("hi")),  # type: ignore[arg-type]
    ("wrong_type", body(user(text()), tools={})),
    ("wrong_type", body({"role": "user", "parts": "hi"})),
    ("wrong_type", body(user("hi"))),  # type: ignore[arg-type]
    ("wrong_type", body(user({"text": 3}))),
    ("wrong_type", body(user({"functionCall": "f"}))),
    ("wrong_type", body(user(text()), model({"functionCall": {"name": "f", "args": []}}), user(response()))),
    ("wrong_type", body(user(text()), model(call()), user({"functionResponse": {"name": "f", "response": "ok"}}))),
    ("bad_role", body({"role": "function", "parts": [text()]})),
    ("empty_content", body({"role": "user"})),
    ("empty_content", body(user())),
    ("empty_part", body(user({}))),
    ("empty_part", body(user({"text": None}))),
    ("empty_part", body(user({"thought": True}))),
    ("several_kinds", body(user({"text": "a", "inlineData": {"mimeType": "image/png", "data": ""}}))),
    ("unknown_field", body(user({"text": "a", "id": "x"}))),
    ("unknown_field", body({**user(text()), "index": 0})),
    ("unknown_field", body(user(text()), model({"functionCall": {"name": "f", "kind": 1}}), user(response()))),
    ("not_base64", body(user({"inlineData": {"mimeType": "image/png", "data": "not base64!"}}))),
    ("not_base64", body(user(text()), model(call(signature="???")), user(response()))),
    ("temperature", config(temperature=1000.0)),
    ("temperature", config(temperature=-0.1)),
    ("not_json", body(user({"text": "a", "videoMetadata": {"fps": float("nan")}}))),
    ("not_json", body(user(text()), generationConfig={"temperature": float("inf")})),
    ("too_deep", body(user(text()), model(call()), user(answer(nest(110))))),
    ("too_deep", body(user(text()), generationConfig=nest(120))),
    ("lone_surrogate", body(user(text("caf\ud83d end")))),
    ("empty_signature", body(user(text()), model(call(signature=None) | {"thoughtSignature": ""}), user(response()))),
    ("empty_system", body(user(text()), systemInstruction={"parts": []})),
    ("reference_in_response", body(user(text()), model(call()), user(answer({"a": {"$ref": "#/$defs/A"}})))),
    ("schema_twice", body(user(text()), tools=declare(parameters={}, parametersJsonSchema={}))),
    ("bad_parameter_name", body(user(text()), tools=declare(parameters={"properties": {"größe": {}}}))),
    ("bad_schema", body(user(text()), tools=declare(parameters={"type": "text"}))),
    ("json_schema_only", body(user(text()), tools=declare(parameters={"properties": {"n": {"const": 1}}}))),
    ("reference_beside", body(user(text()), tools=declare(parametersJsonSchema=beside(examples=["a"])))),
    ("unknown_reference", body(user(text()), tools=declare(parametersJsonSchema={"$ref": "#/$defs/Gone"}))),
    (
        "unknown_reference",
        body(user(text()), tools=declare(parametersJsonSchema={"anyOf": [{"$ref": f"#/anyOf/{'1' * 5000}"}]})),
    ),
    ("thinking_twice", config(thinkingConfig={"thinkingLevel": "LOW", "thinking_budget": 3})),
    ("vertex_only", body(user(text()), model({"functionCall": {"name": "f", "partialArgs": []}}), user(response()))),
    (
        "vertex_only",
        body(user(text()), toolConfig={"functionCallingConfig": {"streamFunctionCallArguments": True}}),
    ),
    ("bad_function_name", body(user(text()), tools=functions("2fast"))),
    ("bad_function_name", body(user(text()), tools=functions("x" * 129))),
    ("duplicate_function", body(user(text()), tools=functions("f", "f"))),
    ("no_functions", body(user(text()), tool_config={"function_calling_config": {"mode": "ANY"}})),
    ("built_in_and_functions", body(user(text()), tools=[*functions("f"), {"googleSearch": {}}])),
    ("call_first", body(model(call()), user(response()))),
    ("response_without_call", body(user(response()))),
    ("response_without_call", body(user(text()), model(text()), user(response()))),
    ("unanswered_call", body(user(text()), model(call()), user(text("never mind")))),
    ("unanswered_call", body(user(text()), model(call("f"), call("g", None, None)), user(response("f")))),
    ("unanswered_call", body(user(text()), model(call()), user(response(), response()))),
    ("unanswered_call", body(user(text()), model(call()), user(text()), model(text()), user(text()))),
    ("id_mismatch", body(user(text()), model(call("f", "a")), user(response("f", "b")))),
    ("id_mismatch", body(user(text()), model(call("f", "a"), call("f", "b")), user(*[response("f", "a")] * 2))),
    ("duplicate_id", body(user(text()), model(call("f", "a"), call("f", "a")), user(*[response("f", "a")] * 2))),
    ("name_mismatch", body(user(text()), model(call("f")), user(response("g")))),
    ("ends_with_model", body(user(text()), model(text()))),
    ("ends_with_model", body(user(text()), model(call()))),
    ("missing_signature", body(user(text()), model(call(signature=None)), user(response()))),
    (
        "missing_signature",
        body(user(text()), model(call()), user(response()), model(call(signature=None)), user(response())),
    ),
]


SIZES = {"too_large", "too_many_images"}
"""Rules whose negatives are large: tests/test_gate.py."""


@pytest.mark.parametrize(("code", "refused"), REFUSED, ids=[f"{n}-{code}" for n, (code, _) in enumerate(REFUSED)])
def test_refused(code: str, refused: Json) -> None:
    found = violations(refused, model="gemini-3.5-flash")
    assert code in [violation.code for violation in found]
    violation = next(one for one in found if one.code == code)
    assert violation.message
    assert violation.hint


def test_every_rule_has_a_negative() -> None:
    room = Path(__file__).parent.parent / "gemstream_widget" / "_request"
    written = {
        code
        for source in room.glob("*.py")
        for code in re.findall(r'Violation\(\s*(?:#[^\n]*\n\s*)?"(\w+)", ', source.read_text())
    }
    assert written == {code for code, _ in REFUSED} | {"corrupted_signature", *SIZES}


NAMED: Json = {
    "functionResponse": {
        "name": "f",
        "response": {"image": {"$ref": "a.png"}},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA", "displayName": "a.png"}}],
    }
}
ACCEPTED = [
    ("one question", "gemini-3.5-flash", body(user(text()))),
    ("role left out", "gemini-3.5-flash", body({"parts": [text()]})),
    ("null is absent", "gemini-3.5-flash", body({"role": None, "parts": [{"text": "a", "thought": None, "id": None}]})),
    ("empty text", "gemini-3.5-flash", body(user(text("")))),
    ("signature alone", "gemini-3.5-flash", body(user(text()), model({"thoughtSignature": SIGNATURE}), user(text()))),
    ("thoughts sent back", "gemini-3.5-flash", body(user(text()), model({"text": "a", "thought": True}), user(text()))),
    ("two user contents", "gemini-3.5-flash", body(user(text()), user(text()))),
    ("two model contents", "gemini-3.5-flash", body(user(text()), model(text()), model(text()), user(text()))),
    (
        "answers in several contents",
        "gemini-3.5-flash",
        body(user(text()), model(call("f")), model(call("g", None, None)), user(response("f")), user(response("g"))),
    ),
    ("text after the answer", "gemini-3.5-flash", body(user(text()), model(call()), user(response()), user(text()))),
    ("text beside the answer", "gemini-2.5-flash", body(user(text()), model(call()), user(response(), text()))),
    ("id in the response only", "gemini-3.5-flash", body(user(text()), model(call()), user(response("f", "id")))),
    ("no signature in 2.5", "gemini-2.5-flash", body(user(text()), model(call(signature=None)), user(response()))),
    ("unanswered in 2.0", "gemini-2.0-flash", body(user(text()), model(call(signature=None)), user(text()))),
    (
        "no signature in an older turn",
        "gemini-3.5-flash",
        body(user(text()), model(call(signature=None)), user(response()), model(text()), user(text())),
    ),
    (
        "signature in the other alphabet",
        "gemini-3.5-flash",
        body(user(text()), model(call(signature="-_8Ac2ln")), user(response())),
    ),
    (
        "only the first of parallel calls is signed",
        "gemini-3.5-flash",
        body(user(text()), model(call("f"), call("g", None, None)), user(response("f"), response("g"))),
    ),
    (
        "a call the provider answered",
        "gemini-2.5-flash",
        body(user(text()), model(call(signature=None), response(), text()), user(text())),
    ),
    ("continuation", "gemini-3.5-flash", body(user(text()), model(text()), continuationToken="dG9rZW4=")),
    (
        "snake case",
        "gemini-3.5-flash",
        body(
            user(text()),
            model({"function_call": {"name": "f"}, "thought_signature": SIGNATURE}),
            user({"function_response": {"name": "f", "response": {}}}),
        ),
    ),
    (
        "built-in tools with functions, allowed",
        "gemini-3.5-flash",
        body(
            user(text()),
            tools=[*functions("f"), {"googleSearch": {}}],
            toolConfig={"includeServerSideToolInvocations": True},
        ),
    ),
    ("a name as MCP has it", "gemini-3.5-flash", body(user(text()), tools=functions("mcp:search", "a.b-c", "x" * 128))),
    ("a reference alone", "gemini-3.5-flash", body(user(text()), tools=declare(parametersJsonSchema=beside()))),
    (
        "a described reference",
        "gemini-3.5-flash",
        body(user(text()), tools=declare(parametersJsonSchema=beside(description="which", default="a"))),
    ),
    (
        "a property named $ref",
        "gemini-3.5-flash",
        body(user(text()), tools=declare(parameters={"properties": {"ref": {"type": "STRING"}}})),
    ),
    ("a file named in a response", "gemini-3.5-flash", body(user(text()), model(call()), user(NAMED))),
    (
        "a reference from the model's side",
        "gemini-2.5-flash",
        body(user(text()), model(call(), answer({"$ref": "#/x"}), text()), user(text())),
    ),
    ("halves that make a pair", "gemini-3.5-flash", body(user(text("\U0001f600")))),
    ("a null built-in tool", "gemini-3.5-flash", body(user(text()), tools=[*functions("f"), {"codeExecution": None}])),
]


@pytest.mark.parametrize(("name", "accepting", "accepted"), ACCEPTED, ids=[name for name, _, _ in ACCEPTED])
def test_accepted(name: str, accepting: str, accepted: Json) -> None:
    assert violations(accepted, model=accepting) == []


@pytest.mark.parametrize(("name", "accepting", "accepted"), ACCEPTED, ids=[name for name, _, _ in ACCEPTED])
def test_rules_do_not_change_the_body(name: str, accepting: str, accepted: Json) -> None:
    before = copy.deepcopy(accepted)
    violations(accepted, model=accepting)
    assert accepted == before


def test_recorded_requests_are_accepted(corpus: Path) -> None:
    """Every recorded request to generateContent was answered with 200. (The rules were written knowing these.)"""
    checked = 0
    for name, recorded, asked, vertex in recorded_requests(corpus):
        assert violations(recorded, model=asked, vertex=vertex) == [], name
        checked += 1
    assert checked > 200


def test_vertex_streams_arguments_and_has_words_of_its_own() -> None:
    streamed = body(user(text()), model({"functionCall": {"name": "f", "partialArgs": []}}), user(response()))
    assert violations(streamed, model="gemini-2.5-flash", vertex=True) == []
    assert violations(body(user()), model="gemini-2.5-flash", vertex=True)[0].message.startswith("Unable to submit")


def test_message_names_the_place_as_gemini_does() -> None:
    at = violations(body(user(text()), user(text(), {})), model="demo")[0]
    assert at.path == "contents[1].parts[1]"
    assert at.message == (
        "* GenerateContentRequest.contents[1].parts[1].data: "
        "required oneof field 'data' must have one initialized field\n"
    )
    unknown = violations(body(user(text()), user({"text": "a", "id": 1})), model="demo")[0]
    assert unknown.message == (
        "Invalid JSON payload received. Unknown name \"id\" at 'contents[1].parts[0]': Cannot find field."
    )


def test_shapes_are_told_before_the_conversation() -> None:
    found = violations(body(user(text()), model(call()), user({})), model="demo")
    assert [violation.code for violation in found] == ["empty_part"]


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("gemini-3.5-flash", True),
        ("models/gemini-3-pro-preview", True),
        ("gemini-10-flash", True),
        ("gemini-flash-latest", True),
        ("demo", True),
        ("gemini-2.5-pro", False),
        ("gemini-2.0-flash", False),
        ("recording", False),
        ("tunedModels/mine", False),
    ],
)
def test_who_needs_signatures(name: str, needed: bool) -> None:
    assert needs_signatures(name) is needed


def test_signatures_are_checked_against_the_issuer() -> None:
    signed = body(user(text()), model(call()), user(response()))
    seen: list[bytes] = []

    def issued(signature: bytes, part: Any) -> bool:
        seen.append(signature)
        return bool(part["functionCall"]["name"] == "g")

    assert [v.code for v in violations(signed, model="demo", issued=issued)] == ["corrupted_signature"]
    assert seen == [b"signature"]
    assert violations(signed, model="demo", vertex=True, issued=issued)[0].message.startswith("Unable to submit")


@pytest.mark.parametrize("skip", ["skip_thought_signature_validator", "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="])
def test_skip_signature_passes_as_text_and_as_base64(skip: str) -> None:
    skipped = body(user(text()), model(call(signature=skip)), user(response()))
    assert violations(skipped, model="demo", issued=lambda signature, part: False) == []


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [("c2ln", b"sig"), ("-_8", b"\xfb\xff"), ("+/8=", b"\xfb\xff"), ("", b""), ("a", None), ("a b=", None), (3, None)],
)
def test_base64_in_both_alphabets(encoded: object, decoded: bytes | None) -> None:
    assert decode_base64(encoded) == decoded


@given(st.sampled_from([*DATA_FIELDS, "thoughtSignature", "includeServerSideToolInvocations"]))
def test_spelling_goes_there_and_back(name: str) -> None:
    assert camel(snake(name)) == name
    assert get({snake(name): 1}, name) == 1
    assert get({name: 1}, name) == 1


NAMES = st.sampled_from(
    "contents parts role text tools toolConfig generationConfig functionCallingConfig functionDeclarations name args "
    "id mode temperature thinkingConfig functionCall functionResponse thoughtSignature inlineData data".split()
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["user", "model", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, ANY_JSON, max_size=5))
def test_any_json_gets_an_answer(anything: Json) -> None:
    assert isinstance(violations(anything, model="demo"), list)


@given(
    st.lists(
        st.builds(
            lambda role, part: {"role": role, "parts": [part]},
            st.sampled_from(["user", "model"]),
            st.sampled_from([text(), call(), response()]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_conversation_gets_an_answer(contents: list[Json]) -> None:
    assert isinstance(violations({"contents": contents}, model="demo"), list)
