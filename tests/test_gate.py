"""The gate: what is mended on its way out, what is refused before it is sent; and the local Gemini says the same."""

from __future__ import annotations

import asyncio
import copy
import json
import math
import re
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

import gemstream_widget as gem
from gemstream_widget._engine import admission
from gemstream_widget._plain import Json
from gemstream_widget._request import shapes
from gemstream_widget._request.gate import passage
from gemstream_widget._request.schema import inlined
from gemstream_widget._tools.results import readable
from gemstream_widget.server.errors import Refusal
from gemstream_widget.server.service import read_body
from tests.recorded_requests import recorded_requests
from tests.test_rules import SIGNATURE, answer, beside, body, call, declare, model, nest, text, user

MODEL = "gemini-3.8-flash"
SERVICE = gem.LocalGemini(check_signatures=False)._service


def arrives(sent: Json, vertex: bool = False) -> str:
    """What the local Gemini refuses a body with, as it travels; "" where it takes it."""
    try:
        SERVICE._check(read_body(json.dumps(sent).encode()), MODEL, vertex)
    except Refusal as refusal:
        return str(refusal)
    return ""


def round_of(response: Any, **signed: Any) -> Json:
    return body(user(text()), model(call(**signed)), user(answer(response)))


def tools(**fields: Any) -> Json:
    return body(user(text()), tools=declare(**fields))


def one_int(**schema: Any) -> Json:
    return {"type": "object", "properties": {"n": schema}}


F = "tools[0].function_declarations[0]"
RESPONSES: list[tuple[str, Any, Any]] = [
    (
        "a schema",
        schema := {"properties": {"to": {"$ref": "#/$defs/Addr"}}, "$defs": {}},
        {"result": json.dumps(schema)},
    ),
    ("under result", {"result": {"$ref": "#/x"}}, {"result": '{"$ref": "#/x"}'}),
    ("in a list, of an error", {"error": [1, {"$ref": "a.yaml#/y"}]}, {"error": '[1, {"$ref": "a.yaml#/y"}]'}),
    ("of a database", {"$ref": "users", "$id": 7}, {"result": '{"$ref": "users", "$id": 7}'}),
    ("that is no name", {"a": {"$ref": {"b": "é"}}}, {"result": '{"a": {"$ref": {"b": "é"}}}'}),
    ("half a pair", {"result": "caf\ud83d end"}, {"result": "caf\ufffd end"}),
    ("half a pair in a key", {"\udc00": [1]}, {"\ufffd": [1]}),
    ("nested too deeply", {"result": nest(99)}, {"result": json.dumps(nest(99))}),
]


@pytest.mark.parametrize(("what", "given", "sent"), RESPONSES, ids=[what for what, _, _ in RESPONSES])
def test_a_response_goes_as_gemini_takes_it_and_loses_nothing(what: str, given: Any, sent: Any) -> None:
    whole = round_of(given)
    before = copy.deepcopy(whole)
    passed = passage(whole, model=MODEL)
    assert passed.refused == []
    assert len(passed.done) == 1
    assert passed.body["contents"][2] == user(answer(sent))
    assert whole == before
    assert arrives(before)
    assert arrives(passed.body) == ""


LIKE_REFERENCES = [
    {"ref": "#/x"},
    {"note": "$ref: #/x"},
    {"$ref": None},
    {"$refs": ["x"]},
]


@pytest.mark.parametrize("response", LIKE_REFERENCES, ids=str)
def test_what_only_looks_like_a_reference_stays(response: Any) -> None:
    whole = round_of(response)
    assert passage(whole, model=MODEL) == (whole, [], [])
    assert arrives(whole) == ""


DECLARATIONS: list[tuple[str, Any, Any]] = [
    ("whole numbers to choose from", one_int(type="integer", enum=[1, 2]), one_int(type="integer", enum=[1, 2])),
    ("a constant", one_int(const="a"), one_int(const="a")),
    (
        "a reference",
        {"type": "OBJECT", "properties": {"n": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "STRING"}}},
        {"type": "object", "properties": {"n": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}},
    ),
    ("several types", one_int(type=["string", "null"]), one_int(type=["string", "null"])),
    ("a list of anything", one_int(type="ARRAY"), one_int(type="array")),
    (
        "null beside a constant",
        one_int(any_of=[{"type": "INTEGER", "nullable": True}, {"const": 1}]),
        one_int(anyOf=[{"type": ["integer", "null"]}, {"const": 1}]),
    ),
    (
        "null among others",
        one_int(enum=["a", None], nullable=True),
        one_int(anyOf=[{"enum": ["a", None]}, {"type": "null"}]),
    ),
    (
        "definitions by their other name",
        {"defs": {"A": {"const": 1}}, "properties": {"n": {"ref": "#/defs/A"}}},
        {"$defs": {"A": {"const": 1}}, "properties": {"n": {"$ref": "#/$defs/A"}}},
    ),
    ("an example", one_int(const=1, example=1), one_int(const=1, examples=[1])),
]


@pytest.mark.parametrize(("what", "given", "sent"), DECLARATIONS, ids=[what for what, _, _ in DECLARATIONS])
def test_parameters_that_only_json_schema_takes_go_as_json_schema(what: str, given: Any, sent: Any) -> None:
    passed = passage(tools(parameters=given), model=MODEL)
    assert passed.refused == []
    assert "parametersJsonSchema" in passed.done[0]
    assert passed.body["tools"] == declare(parametersJsonSchema=sent)
    assert arrives(tools(parameters=given))
    assert arrives(passed.body) == ""


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (beside(examples=["a"])["properties"]["a"], {"enum": ["a", "b"], "examples": ["a"]}),
        (
            beside(title="A", description="which")["properties"]["a"],
            {"enum": ["a", "b"], "title": "A", "description": "which"},
        ),
        (beside(minLength=1)["properties"]["a"], {"enum": ["a", "b"], "minLength": 1}),
        (beside(default="a")["properties"]["a"], {"$ref": "#/$defs/A", "default": "a"}),
    ],
    ids=str,
)
def test_beside_a_reference_stand_only_description_and_default(given: Any, sent: Any) -> None:
    schema = {"type": "object", "properties": {"a": given}, "$defs": {"A": {"enum": ["a", "b"]}}}
    passed = passage(tools(parametersJsonSchema=schema), model=MODEL)
    assert passed.refused == []
    (declared,) = passed.body["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"]["properties"]["a"] == sent
    assert bool(arrives(tools(parametersJsonSchema=schema))) == (sent != given) == bool(passed.done)
    assert arrives(passed.body) == ""


def test_a_definition_inside_itself_is_said_once() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Tree", "title": "Next"}}}
    schema = {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}}
    mended = inlined(schema)
    assert mended["properties"] == mended["$defs"]["Tree"]["properties"] == {"next": {"$ref": "#/$defs/Tree"}}
    assert arrives(tools(parametersJsonSchema=schema))
    assert arrives(tools(parametersJsonSchema=mended)) == ""


REFUSED: list[tuple[str, Json, str]] = [
    ("not_json", body(user(text()), generationConfig={"temperature": math.nan}), "generationConfig.temperature"),
    ("not_json", round_of({"x": [1, math.inf]}), "contents[2].parts[0].function_response.response.x[1]"),
    ("not_json", tools(parameters=one_int(default=-math.inf)), f"{F}.parameters.properties.n.default"),
    ("too_deep", tools(parameters=nest(100)), f"{F}.parameters"),
    ("bad_function_name", tools(name="mcp/search"), f"{F}.name"),
    ("bad_function_name", tools(name="größe"), f"{F}.name"),
    ("bad_function_name", tools(name=""), f"{F}.name"),
    ("bad_function_name", tools(name="a" * 129), f"{F}.name"),
    (
        "bad_parameter_name",
        tools(parametersJsonSchema={"properties": {"a-b": {}}}),
        f"{F}.parametersJsonSchema.properties[a-b]",
    ),
    ("bad_schema", tools(parameters=one_int(type="int")), f"{F}.parameters.properties[n].type"),
    ("bad_schema", tools(parameters=one_int(descripton="x")), f"{F}.parameters.properties[n]"),
    ("bad_schema", tools(parameters={"properties": {}, "required": ["n"]}), f"{F}.parameters"),
    ("bad_schema", tools(parameters=[]), f"{F}.parameters"),
    ("schema_twice", tools(parameters={}, parametersJsonSchema={}), f"{F}.parameters"),
    (
        "unknown_reference",
        tools(parametersJsonSchema=one_int(**{"$ref": "#/$defs/B"})),
        f"{F}.parametersJsonSchema.properties[n].$ref",
    ),
    (
        "duplicate_function",
        body(user(text()), tools=[*declare(), *declare()]),
        "tools[1].function_declarations[0].name",
    ),
    ("missing_signature", round_of({}, signature=None), "contents[1].parts[0]"),
]


@pytest.mark.parametrize(
    ("code", "refused", "place"), REFUSED, ids=[f"{n}-{code}" for n, (code, _, _) in enumerate(REFUSED)]
)
def test_what_cannot_be_mended_is_told_with_its_place_and_the_local_gemini_says_the_same(
    code: str, refused: Json, place: str
) -> None:
    passed = passage(refused, model=MODEL)
    first = passed.refused[0]
    assert first.code == code
    assert first.path.startswith(place)
    assert first.hint
    assert passed.body == refused
    assert arrives(refused) == first.message


@pytest.mark.parametrize(
    "odd",
    [{7: "x"}, {"a": {1, 2}}, {"a": b"x"}, {"a": object()}, {"a": 10**5000}],
    ids=["key", "set", "bytes", "object", "digits"],
)
def test_what_is_no_json_at_all_is_told_before_anything_is_written(odd: Any) -> None:
    for whole in (round_of(odd), tools(parameters=one_int(default=odd)), body(user(text()), generationConfig=odd)):
        (first, *_) = passage(whole, model=MODEL).refused
        assert first.code == "not_json"
        assert "Write it as text" in first.hint


def test_an_empty_signature_is_left_out_and_counts_as_missing() -> None:
    torn = round_of({}, signature=None)
    torn["contents"][1]["parts"][0]["thoughtSignature"] = ""
    assert [v.code for v in passage(torn, model=MODEL).refused] == ["missing_signature"]
    passed = passage(torn, model="gemini-2.5-flash-lite")
    assert passed.refused == []
    assert "thoughtSignature" not in passed.body["contents"][1]["parts"][0]
    for empty in ({"text": "a", "thoughtSignature": ""}, {"text": "", "thought": True, "thought_signature": ""}):
        whole = body(user(text()), model(empty), user(text()))
        assert arrives(whole)
        assert arrives(passage(whole, model=MODEL).body) == ""


def test_of_calls_with_one_id_the_first_keeps_it() -> None:
    twice = [call("f", "a"), call("f", "a", None), call("g", "a", None)]
    answers = [{"functionResponse": {"name": n, "id": "a", "response": {"n": i}}} for i, n in enumerate("ffg")]
    whole = body(user(text()), model(*twice), user(*answers))
    passed = passage(whole, model=MODEL)
    assert passed.refused == []
    calls, sent = (content["parts"] for content in passed.body["contents"][1:])
    assert [part["functionCall"].get("id") for part in calls] == ["a", None, None]
    assert [part["functionResponse"].get("id") for part in sent] == ["a", None, None]
    assert [part["functionResponse"]["response"]["n"] for part in sent] == [0, 1, 2]
    assert arrives(whole)
    assert arrives(passed.body) == ""


def test_empty_parts_contents_and_system_texts_are_left_out() -> None:
    whole = body(
        user(text()), model({}), user(text("b"), {"thought": True}), systemInstruction={"parts": [{"text": ""}]}
    )
    passed = passage(whole, model=MODEL)
    assert passed.body == body(user(text()), user(text("b")))
    assert len(passed.done) >= 3
    assert passage(body(user({})), model=MODEL).refused[0].code == "no_contents"  # nothing is left to say


def test_files_have_a_weight_and_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "LIMIT", 100)
    monkeypatch.setattr(shapes, "_MOST_IMAGES", {False: 3, True: 2})
    image = {"inlineData": {"mimeType": "image/png", "data": "A" * 48}}
    inside = {"functionResponse": {"name": "f", "response": {}, "parts": [image]}}
    assert passage(body(user(image, image)), model=MODEL).refused == []
    (heavy,) = passage(
        body(
            user(text()),
            model(call()),
            user(inside),
            user(image, {**image, "inlineData": {**image["inlineData"], "data": "A" * 80}}),
        ),
        model=MODEL,
    ).refused
    assert (heavy.code, heavy.path) == ("too_large", "contents[3].parts[1]")
    far = {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a"}}
    (many,) = passage(body(user(*[far] * 4)), model=MODEL).refused
    assert (many.code, many.path) == ("too_many_images", "contents[0].parts[3]")
    assert passage(body(user(*[far] * 3)), model=MODEL).refused == []
    assert passage(body(user(*[far] * 3)), model=MODEL, vertex=True).refused


def test_what_has_no_name_here_passes() -> None:
    new = {"hologram": {"depth": 3}}
    for whole in (
        body(user({"text": "a", "fresh": 1})),
        body(user(text()), model(new), user(text())),
        tools(fresh=True),
    ):
        assert passage(whole, model=MODEL) == (whole, [], [])


def test_recorded_requests_pass_as_they_are(corpus: Path) -> None:
    count = 0
    for name, recorded, asked, vertex in recorded_requests(corpus):
        assert passage(recorded, model=asked, vertex=vertex) == (recorded, [], []), name
        count += 1
    assert count > 200


# -- anything ---------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.sampled_from("ab é\ud83d\udc00\U0001f600"), max_size=4)
KEYS = st.sampled_from(["$ref", "ref", "a", "\ud83d", "result", "error", "properties"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "INTEGER", "array", "object", ["string", "null"], "int"]),
            "enum": st.lists(st.sampled_from(["a", 1, None, 2.5]), max_size=2),
            "const": VALUES,
            "$ref": st.sampled_from(["#/$defs/A", "#/$defs/B", "#"]),
            "description": TEXTS,
            "nullable": st.booleans(),
            "required": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b", "größe"]), inner, max_size=2),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.fixed_dictionaries({"A": inner}),
            "title": TEXTS,
        },
    ),
    max_leaves=5,
)
PARTS = st.one_of(
    TEXTS.map(text),
    st.just({}),
    st.builds(
        lambda name, mark: {**call(name), "thoughtSignature": mark},
        st.sampled_from("fg"),
        st.sampled_from(["", SIGNATURE]),
    ),
    st.builds(lambda name, held: {"functionResponse": {"name": name, "response": held}}, st.sampled_from("fg"), VALUES),
)
BODIES = st.builds(
    lambda contents, field, schema, system: body(
        user(text()),
        *contents,
        user(text()),
        tools=declare(**{field: schema}),
        systemInstruction={"parts": [{"text": system}]},
    ),
    st.lists(
        st.builds(
            lambda role, parts: {"role": role, "parts": parts},
            st.sampled_from(["user", "model"]),
            st.lists(PARTS, max_size=3),
        ),
        max_size=4,
    ),
    st.sampled_from(["parameters", "parametersJsonSchema"]),
    SCHEMAS,
    TEXTS,
)


@given(BODIES)
@settings(max_examples=300, deadline=None)
def test_each_body_is_mended_or_told_and_what_passes_is_taken(whole: Json) -> None:
    before = json.dumps(whole)
    passed = passage(whole, model=MODEL)
    assert json.dumps(whole) == before
    assert bool(passed.done) == (passed.body is not whole)
    if passed.refused:
        assert all(one.path and one.hint and one.message for one in passed.refused)
        assert arrives(passed.body) == passed.refused[0].message
    else:
        json.dumps(passed.body, allow_nan=False, ensure_ascii=False).encode()
        assert arrives(passed.body) == ""
        assert passage(passed.body, model=MODEL) == (passed.body, [], [])
    if arrives(whole):
        assert passed.done or passed.refused
    else:  # two halves one after the other are written as escapes, and read as a pair
        assert not passed.refused
        assert all("surrogate" in words for words in passed.done)


# -- in a chat --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=math.inf) as server:
        yield server


def play(server: gem.LocalGemini, main: Callable[[Any], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(server.client()), 20)

    asyncio.run(within())


def sent(server: gem.LocalGemini) -> Any:
    return server.requests[-1].body


def test_a_schema_that_a_tool_returns_goes_as_text_told_once(server: gem.LocalGemini) -> None:
    schema = {"properties": {"to": {"$ref": "#/$defs/Addr"}}, "$defs": {"Addr": {"type": "string"}}}

    def describe() -> Any:
        return schema

    async def main(client: Any) -> None:
        chat = gem.Chat(model="demo", client=client, tools=[describe])
        run = await chat.send("@call describe {}\n@then\n@say fine")
        assert run.text == "fine"
        (part,) = sent(server)["contents"][-1]["parts"]
        assert json.loads(part["functionResponse"]["response"]["result"]) == schema
        assert run.notice is not None
        assert "describe" in run.notice["message"]
        assert (await chat.send("@say on")).notice is None
        (told,) = chat.check()
        assert (told.code, told.is_mended) == ("reference_in_response", True)
        assert chat.repair()
        assert chat.check() == []
        assert (await chat.send("@say further")).text == "further"

    play(server, main)


class Kind(Enum):
    A = "a"
    B = "b"


def test_declarations_go_as_gemini_takes_them(server: gem.LocalGemini) -> None:
    def pick(kind: Annotated[Kind, Field(examples=["a"])]) -> str:
        """Pick."""
        return kind.value

    given = {"name": "pick2", "description": "Pick.", "parameters": one_int(type="integer", enum=[1, 2])}

    async def main(client: Any) -> None:
        chat = gem.Chat(model="demo", client=client, tools=[pick, given, {"name": "mcp:search", "description": "d"}])
        run = await chat.send("@say fine")
        assert run.text == "fine"
        first, second, third = sent(server)["tools"][0]["functionDeclarations"]
        assert first["parametersJsonSchema"]["properties"]["kind"]["enum"] == ["a", "b"]
        assert second == {"name": "pick2", "description": "Pick.", "parametersJsonSchema": given["parameters"]}
        assert third["name"] == "mcp:search"
        assert run.notice is not None
        assert "pick2" in run.notice["message"]
        assert [v.code for v in chat.check() if v.is_mended] == ["json_schema_only"] * 2

    play(server, main)


@pytest.mark.parametrize(
    ("declaration", "told"),
    [
        ({"name": "pick", "parameters": one_int(type="int")}, r"'pick', parameters\.properties\[n\]\.type,"),
        ({"name": "pick", "parameters": one_int(type="string", enum={"a"})}, "'pick'.*a set"),
        ({"name": "mcp/search"}, "'mcp/search', name,"),
        ({"name": "pick", "parametersJsonSchema": {"$ref": "#/$defs/Gone"}}, r"'pick', parametersJsonSchema\.\$ref,"),
        ({"name": "pick", "parameters": {"properties": {"größe": {}}}}, "Rename the parameter 'größe'"),
    ],
)
def test_a_declaration_that_nobody_could_mend_is_told_where_it_is_given(declaration: Json, told: str) -> None:
    with pytest.raises(gem.ToolError, match=told):
        gem.Chat(model="demo", tools=[{"name": "fine"}, declaration])


def test_a_refused_request_is_not_sent_nor_counted_and_the_run_names_place_and_mend(server: gem.LocalGemini) -> None:
    lost = [user(text("a")), {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}, user(text("b"))]

    async def main(client: Any) -> None:
        chat = gem.Chat(model="demo", client=client, history=lost)
        before = len(server.requests)
        run = await chat.send("@say fine").wait()
        assert isinstance(run.error, gem.RequestRefused)
        assert isinstance(run.error, gem.HistoryError)
        assert (run.error.place, run.error.code) == ("contents[1].parts[0]", "unanswered_call")
        assert "was not sent" in str(run.error)
        assert run.offers == ["repair"]
        with pytest.raises(gem.RequestRefused, match="temperature"):
            await gem.Chat(model="demo", client=client, config={"temperature": 9}).send("a")
        nan = {"functionCall": {"name": "f", "args": {"x": math.nan}}}
        with pytest.raises(gem.RequestRefused, match=r"args\.x"):
            await gem.Chat(model="demo", client=client).count(nan)
        assert len(server.requests) == before
        assert (await run.again("repair")).text == "fine"
        assert len(server.requests) > before  # the control

    play(server, main)


def test_each_step_hop_and_count_passes_the_gate(server: gem.LocalGemini, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Json] = []

    def watched(given: Json, **how: Any) -> Any:
        seen.append(given)
        return passage(given, **how)

    monkeypatch.setattr(admission, "passage", watched)

    def look() -> str:
        return "seen"

    async def main(client: Any) -> None:
        chat = gem.Chat(model="demo", client=client, tools=[look])
        before = len(server.requests)
        run = await chat.send("@call look {}\n@then\n@say Hel\n@hop\n@say lo")
        assert (run.text, len(run.steps)) == ("Hello", 2)
        await chat.count("more")
        arrived: list[Any] = [record.body for record in server.requests[before:]]
        assert [one.get("continuationToken") is not None for one in seen] == [False, False, True, False]
        assert [one.get("generateContentRequest", one)["contents"] for one in arrived] == [
            one["contents"] for one in seen
        ]

    play(server, main)


def test_the_config_is_seen_as_it_is_given() -> None:
    from google.genai import types

    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    forms: list[Any] = [
        {"tool_config": {"function_calling_config": calling}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        types.GenerateContentConfig(tool_config=types.ToolConfig(function_calling_config=calling)),
    ]
    for config in forms:
        assert [one.code for one in gem.Chat(model="demo", config=config).check()] == ["no_functions"]
        assert gem.Chat(model="demo", config=config, tools=[{"name": "f"}]).check() == []
    twice = {"tools": [types.Tool(function_declarations=[types.FunctionDeclaration(name="f")]), print]}
    assert [one.code for one in gem.Chat(model="demo", config=twice, tools=[{"name": "f"}]).check()] == [
        "duplicate_function"
    ]


def test_docs_name_the_rules() -> None:
    page = (Path(__file__).parent.parent / "docs" / "outgoing.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", page.partition("## Refused")[2].partition("## What")[0]))
    room = Path(shapes.__file__).parent
    rules = {
        code
        for file in room.glob("*.py")
        for code in re.findall(r'Violation\(\s*(?:#[^\n]*\n\s*)?"(\w+)", ', file.read_text())
    }
    assert named
    assert named <= rules


@pytest.mark.parametrize(
    ("returned", "sent_as"),
    [
        ("caf\ud83d end", {"result": "caf\ufffd end"}),
        ({"a": ["caf\ud83d"], "\udc00": 1}, {"a": ["caf\ufffd"], "\ufffd": 1}),
        (("\ud83d\ude00",), {"result": ["\U0001f600"]}),
        ([math.nan, -math.inf], {"result": ["nan", "-inf"]}),
    ],
)
def test_what_a_tool_returns_is_json_before_the_gate(returned: Any, sent_as: Json) -> None:
    assert readable(returned)[0] == sent_as
    assert passage(round_of(sent_as), model=MODEL).done == []


def test_half_a_pair_is_whole_on_the_wire(server: gem.LocalGemini) -> None:
    async def main(client: Any) -> None:
        history = [
            user(text("a")),
            model({"functionCall": {"name": "f"}, "thoughtSignature": SIGNATURE}),
            user(answer({"a": "caf\ud83d end"})),
            model(text("b")),
        ]
        chat = gem.Chat(model="gemini-2.5-flash-lite", client=client, history=history, system="be\ud83d brief")
        run = await chat.send("@say \ud83dhi").wait()
        assert isinstance(run.error, gem.ApiError)  # the signature is nobody's: it arrived
        arrived = json.dumps(sent(server), ensure_ascii=False)
        arrived.encode()
        assert arrived.count("\ufffd") == 3
        assert run.notice is not None

    play(server, main)
