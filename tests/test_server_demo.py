"""The demo model, its made-up arguments, and recordings."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemstream_widget._request.prompt import Named, prompt_of
from gemstream_widget.server import LocalGemini
from gemstream_widget.server.demo.prose import compose
from gemstream_widget.server.example import example
from gemstream_widget.server.reply import fold
from gemstream_widget.server.signatures import Issuer

from .conftest import ROOT
from .local import Json, Raw, ask, frames, parts, play, refusal, said

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x03\x00\x00\x00\x02"
PROMPTS = [
    "Explain CRDTs in three sentences",
    "Why is the sky blue?",
    "Compare pandas and polars for CSV files",
    "Clean up the folder",
    "Write a function that computes the median",
    "Summarise this table in two lines.",
    "What is the capital of Mongolia?",
    "Hi",
    "Übersetze das bitte ins Englische: «Guten Tag»",
    "```python\nprint(1)\n``` what does | this | do?",
    "?",
    "",
    "x" * 5000,
    "\ud83d lone surrogate",
]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=math.inf) as running:
        yield running


def calls(chunks: list[Json]) -> list[tuple[str, Json]]:
    return [(call["name"], call["args"]) for part in parts(chunks) if (call := part.get("functionCall"))]


def declared(*declarations: Json) -> list[Json]:
    return [{"functionDeclarations": list(declarations)}]


def tool(name: str, description: str = "", **properties: Any) -> Json:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "parametersJsonSchema": schema}


WEATHER = tool("get_weather", "Current weather of a city.", city={"type": "string"})
DELETE = tool("delete_file", "Delete one file.", path={"type": "string"})


# --- prose ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS)
def test_prose_is_the_same_every_time_and_says_what_it_is(prompt: str) -> None:
    prose = compose(prompt)
    assert prose == compose(prompt)
    assert re.search(r"\bdemo model\b", prose.answer.replace("*", ""), re.IGNORECASE)
    assert prose.thoughts.count("**") == 4
    assert prose.answer.count("```") % 2 == 0


def test_prose_is_varied() -> None:
    prompts = [f"Tell me about {thing}" for thing in "rivers bridges lamps owls maps violins ferns clocks".split()]
    shapes = [re.findall(r"^(?:#+ .*|\||\d\.|- |> |```)", compose(prompt).answer, re.MULTILINE) for prompt in prompts]
    assert len({tuple(re.sub(r"## .*", "##", line) for line in shape) for shape in shapes}) >= 4
    for prompt in prompts:
        assert prompt.split()[-1] in compose(prompt).answer.lower()


def test_lengths_that_are_asked_for_are_kept() -> None:
    answer = compose("Explain CRDTs in three sentences").answer.split("\n\n")[0]
    assert len(re.findall(r"[.!?](?:\s|$)", answer)) == 3
    assert len(re.findall(r"[.!?](?:\s|$)", compose("Describe owls in two sentences").answer)) == 2


@pytest.mark.parametrize(
    "prompt",
    [
        "Explain how streaming works, with a table",
        "Explain CRDTs in three sentences and a table",
        "What is recursion? Use a table.",
        "How do I clean my bicycle, in tabular form?",
        "Write a function for primes, and a table of its results",
        "Compare owls and ferns in a table",
        "Describe owls in two sentences and a table",
    ],
)
def test_a_table_that_is_asked_for_is_there(prompt: str) -> None:
    rows = re.findall(r"^\|.*\|$", compose(prompt).answer, re.MULTILINE)
    assert len(rows) >= 4
    assert re.fullmatch(r"\|(?:-+:?\|)+", rows[1])
    assert len({row.count("|") for row in rows}) == 1


def test_the_first_example_gets_the_table_it_asks_for() -> None:
    """A table about streaming, not about the words of the prompt."""
    cells = json.loads((ROOT / "examples" / "01_first_answer.ipynb").read_text(encoding="utf-8"))["cells"]
    asked = next(found[1] for cell in cells if (found := re.search(r'gem\.ask\("([^"]+)"', "".join(cell["source"]))))
    assert "table" in asked
    assert "| `thought: true` | they are reasoning |" in compose(asked).answer


@given(st.text(max_size=200))
def test_any_prompt_is_answered(prompt: str) -> None:
    prose = compose(prompt)
    assert prose.answer
    assert prose.thoughts


# --- the stream -------------------------------------------------------------------------------------------------------


def test_plain_answer_has_the_shape_of_gemini_3(server: LocalGemini) -> None:
    chunks = play(server, "Why is the sky blue?")
    thoughts = [bool(part.get("thought")) for part in parts(chunks)]
    assert thoughts == sorted(thoughts, reverse=True)
    assert thoughts.count(True) >= 2
    assert 8 <= len(chunks) <= 60
    assert all(len(part["text"]) <= 120 for part in parts(chunks))
    assert said(chunks) == compose("Why is the sky blue?").answer
    assert parts(chunks)[-1].keys() == {"text", "thoughtSignature"}


def test_rhythm() -> None:
    """Measured with the waits ten times as short, so with ten times the machine's own noise."""
    with LocalGemini(speed=10) as server:
        started = time.perf_counter()
        play(server, "Why is the sky blue?")
        record = server.requests[0]
    first, last = record.sent_at[0] - started, record.sent_at[-1] - started
    assert 0.02 <= first < 0.2
    assert 0.2 <= last < 1.5


def test_pace_is_kept() -> None:
    with LocalGemini(pace_s=0) as server:
        started = time.perf_counter()
        play(server, "Why is the sky blue?")
        assert time.perf_counter() - started < 1


def test_settings_of_the_request_are_kept(server: LocalGemini) -> None:
    short = play(server, ask("Why is the sky blue?", generationConfig={"maxOutputTokens": 50}))
    assert short[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert short[-1]["usageMetadata"]["thoughtsTokenCount"] <= 50
    quiet = play(server, ask("Hi", generationConfig={"thinkingConfig": {"include_thoughts": False}}))
    assert said(quiet, thought=True) == ""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert json.loads(said(play(server, ask("Count to 12", generationConfig=config)))) == {"n": 12}


# --- tools ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What is the weather in Oslo?", [("get_weather", {"city": "Oslo"})]),
        ("Please delete file build/old.txt", [("delete_file", {"path": "build/old.txt"})]),
        ("Anything at all", [("get_weather", {"city": "Lisbon"})]),
        (
            "Get weather for Rome and delete file a.txt",
            [("get_weather", {"city": "Rome"}), ("delete_file", {"path": "a.txt"})],
        ),
    ],
)
def test_a_tool_is_chosen(server: LocalGemini, prompt: str, expected: list[tuple[str, Json]]) -> None:
    chunks = play(server, ask(prompt, tools=declared(WEATHER, DELETE)))
    assert calls(chunks) == expected
    assert said(chunks, thought=True)
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"


def test_calling_mode_is_kept(server: LocalGemini) -> None:
    def chosen(**calling: Any) -> list[str]:
        config = {"functionCallingConfig": calling}
        chunks = play(server, ask("weather?", tools=declared(WEATHER, DELETE), toolConfig=config))
        return [name for name, _ in calls(chunks)]

    assert chosen(mode="NONE") == []
    assert chosen(mode="ANY", allowedFunctionNames=["delete_file"]) == ["delete_file"]


def after(server: LocalGemini, response: Json, *more: str) -> list[Json]:
    """What comes after the weather tool answered this, and the user said more."""
    contents: list[Json] = [{"role": "user", "parts": [{"text": "What is the weather in Oslo?"}]}]
    called = parts(play(server, {"contents": contents, "tools": declared(WEATHER)}))
    call_id = next(part["functionCall"]["id"] for part in called if "functionCall" in part)
    answer = {"functionResponse": {"id": call_id, "name": "get_weather", "response": response}}
    contents += [{"role": "model", "parts": called}, {"role": "user", "parts": [answer]}]
    contents += [{"role": "user", "parts": [{"text": text}]} for text in more]
    return play(server, {"contents": contents, "tools": declared(WEATHER)})


@pytest.mark.parametrize(
    ("response", "shown"),
    [
        ({"result": "sunny"}, "**sunny**"),
        ({"sky": "clear", "degrees": 21}, "| sky | clear |\n| degrees | 21 |"),
        ({"result": [1, 2]}, "found 2:\n\n- 1\n- 2"),
        ({"result": list(range(99))}, "and 89 more"),
        ({"result": "a\nb"}, "````\na\nb\n````"),
        ({"result": {"a|b": "c\nd"}}, "| a\\|b | c d |"),
        ({"error": "denied by the user"}, "did not go through: denied by the user"),
        ({}, "**{}**"),
    ],
)
def test_answers_are_read_out(server: LocalGemini, response: Json, shown: str) -> None:
    chunks = after(server, response)
    assert shown in said(chunks)
    assert calls(chunks) == []


def test_a_tool_is_not_called_again_without_a_reason(server: LocalGemini) -> None:
    assert calls(after(server, {"result": 1}, "thanks")) == []
    assert calls(after(server, {"result": 1}, "and the weather in Rome?")) == [("get_weather", {"city": "Rome"})]


# --- arguments --------------------------------------------------------------------------------------------------------

SCHEMAS: list[Json] = [
    {"type": "object", "properties": {}},
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 9}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"a": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}},
        "required": ["a"],
    },
    {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 4}}, "required": ["a", "b"]},
    {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string"}, "minItems": 3}},
        "required": ["a"],
    },
    {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "boolean"}},
        "required": ["a", "b"],
    },
    {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"who": {"$ref": "#/$defs/Person"}},
        "required": ["who"],
        "$defs": {
            "Person": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "boss": {"$ref": "#/$defs/Person"}},
                "required": ["name"],
            }
        },
    },
    {
        "type": "object",
        "properties": {"p": {"type": "array", "prefixItems": [{"type": "number"}, {"type": "string"}], "minItems": 2}},
        "required": ["p"],
    },
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "string", "minLength": 30}}, "required": ["a"]},
            {"properties": {"b": {"type": "string", "maxLength": 3}}, "required": ["b"]},
        ]
    },
    {"type": "object", "properties": {"a": {"type": "string", "format": "date-time"}}, "required": ["a"]},
    {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
    {
        "type": "object",
        "properties": {"deep": {"type": "object", "properties": {"er": {"type": "null"}}, "required": ["er"]}},
        "required": ["deep"],
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
@pytest.mark.parametrize("prompt", ["", "take 7 of y.txt at 3 for Ada Lovelace"])
def test_arguments_fit_the_schema(schema: Json, prompt: str) -> None:
    jsonschema.validate(example(schema, prompt), schema)


@pytest.mark.parametrize(
    ("name", "schema", "prompt", "value"),
    [
        ("path", {"type": "STRING"}, "delete the file src/main.py now", "src/main.py"),
        ("url", {"type": "STRING"}, "open https://a.example/x?y=1.", "https://a.example/x?y=1"),
        ("email", {"type": "STRING"}, "write to bob@example.org please", "bob@example.org"),
        ("city", {"type": "STRING"}, "weather in New York today", "New York"),
        ("unit", {"type": "STRING", "enum": ["celsius", "fahrenheit"]}, "in Fahrenheit, please", "fahrenheit"),
        ("query", {"type": "STRING"}, "cheap flights to Rome", "cheap flights to Rome"),
        ("title", {"type": "STRING"}, 'call it "Big plans" now', "Big plans"),
        ("count", {"type": "INTEGER"}, "give me 12 of them", 12),
        ("count", {"type": "INTEGER", "maximum": 10}, "give me 12 or 8", 8),
        ("date", {"type": "STRING"}, "meet on 2027-01-31", "2027-01-31"),
        ("anything", {"type": "STRING"}, "", "example anything"),
        ("limit", {"type": "INTEGER", "default": 50}, "", 50),
        ("anything", {}, "", "example anything"),
    ],
)
def test_arguments_come_from_the_prompt(name: str, schema: Json, prompt: str, value: Any) -> None:
    whole = {"type": "OBJECT", "properties": {name: schema}, "required": [name]}
    assert example(whole, prompt) == {name: value}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["object", "array", "string", "#/x", "#"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "items", "$ref", "anyOf", "enum", "const", "x", "default"]), inner, max_size=3
            )
        ),
        max_leaves=12,
    )
)
def test_odd_schemas_get_a_value(schema: Any) -> None:
    json.dumps(example({"type": "object", "properties": {"a": schema}, "required": ["a"]}, "b 3"))


# --- signatures -------------------------------------------------------------------------------------------------------

PARTS = st.one_of(
    st.builds(lambda text, thought: {"text": text, "thought": thought}, st.text(), st.booleans()),
    st.builds(
        lambda name, args: {"functionCall": {"name": name, "args": args}},
        st.sampled_from("fg"),
        st.dictionaries(
            st.text(max_size=3),
            st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
            max_size=3,
        ),
    ),
)


@given(PARTS, PARTS)
def test_a_signature_holds_for_its_part_only(part: Json, other: Json) -> None:
    import base64

    signature = base64.b64decode(Issuer().signature(part))
    assert Issuer().issued(signature, {**part, "thoughtSignature": "any"})
    assert Issuer().issued(signature, json.loads(json.dumps(part)))
    assert Issuer().issued(signature, other) is (other == part)
    assert not Issuer().issued(signature[:-1], part)
    assert not Issuer().issued(b"", part)


# --- recordings -------------------------------------------------------------------------------------------------------


def write(folder: Path, name: str, *lines: Any) -> None:
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


def chunk(*content: Json, **more: Any) -> Json:
    return {"candidates": [{"content": {"role": "model", "parts": list(content)}}], **more}


def test_recordings_are_served_as_they_are(tmp_path: Path) -> None:
    lines = [chunk({"text": "Grüße"}), {"odd": None}, chunk({"hologram": 1}, modelVersion="gemini-2.5-flash")]
    write(tmp_path, "gruss", *lines)
    with LocalGemini(tmp_path, speed=math.inf) as server:
        assert "recordings/gruss" in server.models
        assert play(server, "go", model="recordings/gruss") == lines
        assert play(server, "go", model="gruss") == lines
        write(tmp_path, "gruss", lines[0])
        assert play(server, "go", model="gruss") == lines[:1]


def test_recorded_errors(tmp_path: Path) -> None:
    write(tmp_path, "first", {"$error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}})
    write(tmp_path, "later", chunk({"text": "a"}), {"$error": {"code": 503}})
    with LocalGemini(tmp_path, speed=math.inf) as server:
        error = refusal(server, ask("go"), path="/v1/models/recordings/first:streamGenerateContent?alt=sse")
        assert error == {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}
        assert play(server, "go", model="later")[1]["error"]["message"].startswith("The model is overloaded")


def test_broken_recordings_are_told_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n{"b"\n', encoding="utf-8")
    with LocalGemini(tmp_path) as server:
        error = refusal(server, ask("go"), path="/v1/models/broken:streamGenerateContent?alt=sse")
    assert error["message"] == "Line 2 of the recording broken.jsonl is not a JSON object."


def test_recordings_go_on_after_the_tools(tmp_path: Path) -> None:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "cmVjb3JkZWQ="}
    write(tmp_path, "tools", chunk(call, modelVersion="gemini-3.5-flash"))
    contents = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": 5}}}]},
    ]
    with LocalGemini(tmp_path, speed=math.inf) as server:
        refused = refusal(server, {"contents": contents}, path="/v1/models/tools:streamGenerateContent?alt=sse")
        assert refused["message"] == "Corrupted thought signature."
        play(server, "go", model="tools")
        assert "**5**" in said(play(server, {"contents": contents}, model="tools"))
        write(tmp_path, "tools.2", chunk({"text": "recorded end"}))
        assert said(play(server, {"contents": contents}, model="tools")) == "recorded end"


def test_recordings_stay_in_their_folder(tmp_path: Path) -> None:
    write(tmp_path, "outside", chunk({"text": "secret"}))
    inside = tmp_path / "inside"
    inside.mkdir()
    with LocalGemini(inside) as server:
        for name in ("../outside", "recordings/../outside", "..%2Foutside"):
            assert refusal(server, ask("go"), path=f"/v1/models/{name}:generateContent")["code"] == 404
    with pytest.raises(NotADirectoryError, match="no folder"):
        LocalGemini(tmp_path / "missing")


def test_real_recordings_are_served(corpus: Path) -> None:
    index = json.loads((corpus / "INDEX.json").read_text(encoding="utf-8"))
    files = [corpus / one["file"] for one in index if one["api"] == "generateContent"]
    with LocalGemini(corpus / "streams", speed=math.inf) as server, Raw(server) as raw:
        for path in files:
            raw.post(ask("go"), f"/v1/models/recordings/{path.stem}:streamGenerateContent?alt=sse")
            status, _, chunks = raw.read_response()
            lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
            assert (status, frames(b"".join(chunks))) == (200, lines), path.name
    assert len(files) > 100


def test_fold_joins_unsigned_text_only() -> None:
    chunks = [
        chunk({"text": "a"}),
        chunk({"text": "b"}, {"text": "c", "thought": True}),
        chunk({"text": "d", "thoughtSignature": "s"}),
        chunk({"text": "e"}),
    ]
    assert parts([fold(chunks)]) == [
        {"text": "ab"},
        {"text": "c", "thought": True},
        {"text": "d", "thoughtSignature": "s"},
        {"text": "e"},
    ]


def test_it_reads_out_a_table_and_tells_of_files() -> None:
    pandas = pytest.importorskip("pandas")
    from gemstream_widget.server.demo.given import read_out

    orders = pandas.DataFrame({"city": ["Oslo", "Ro|me"] * 15, "amount": [1.5, -2.0] * 15})
    prompt = prompt_of(["Which?", Named(orders, "orders"), (PNG, "image/png")])
    *texts, file = prompt.contents[0]["parts"]
    told = read_out("".join(part["text"] for part in texts), [file])
    assert told is not None
    assert "**orders** has 30 rows x 2 columns; 20 rows came with the prompt." in told.answer
    assert "| city | str | 2 different: Oslo, Ro\\|me |" in told.answer
    assert "| amount | float64 | -2 to 1.5, mean -0.25 |" in told.answer
    assert "`image/png`, 3 x 2 pixels, 24 bytes" in told.answer
    assert read_out("Which?", []) is None


@pytest.mark.parametrize(
    "text", ["Table x: 1 row", "Table : 3 rows.\n\n| a |\n", "Table x: 1 row x 1 column.\n\n| |\n| --- |\n"]
)
def test_a_text_that_looks_like_a_table_breaks_nothing(text: str) -> None:
    from gemstream_widget.server.demo.given import read_out

    read_out(text, [{"inlineData": {}}, {"fileData": {"fileUri": "x"}}])
