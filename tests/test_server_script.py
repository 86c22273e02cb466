"""The script language: every directive, every mistake."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemstream_widget.server import Fault, LocalGemini
from gemstream_widget.server.reply import slices
from gemstream_widget.server.script.language import DIRECTIVES, Cue, ScriptError, is_script, parse

from .local import Json, Raw, ask, eventually, frames, parts, play, refusal, said

DOCS = Path(__file__).parent.parent / "docs" / "local-gemini.md"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=math.inf) as running:
        yield running


def texts(chunks: list[Json]) -> list[str]:
    return [part["text"] for part in parts(chunks) if "text" in part][:-1]


def finishes(chunks: list[Json]) -> list[str]:
    candidates = [candidate for chunk in chunks for candidate in chunk.get("candidates", [])]
    return [candidate["finishReason"] for candidate in candidates if "finishReason" in candidate]


# --- what is a script -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "script"),
    [
        ("Hello", False),
        ("mail ada@say.com", False),
        ("a\n @say indented", False),
        ("@say hi", True),
        ("\n@say hi", True),
        ("What is it?\n@say hi", True),
        ("@nonsense", True),
        ("What is it?\n@someone", False),
        ("@ alone", False),
        ("@", False),
        ("", False),
    ],
)
def test_what_is_a_script(prompt: str, script: bool) -> None:
    assert is_script(prompt) is script


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("@sya hi", r"Script line 1: unknown directive @sya\. Did you mean @say\?"),
        ("@say a\n\n@xyzzyx", r"Script line 3: unknown directive @xyzzyx\. Directives: @think @say"),
        ("@Say hi", r"line 1: unknown directive @Say\. Did you mean @say\?"),
        ("@say\nnever closed", r"line 1: @say without an argument opens a block, which needs a line @end"),
        ("@pause long", r"@pause needs seconds from 0 to 3600, not 'long'\. Write: @pause 0\.5"),
        ("@pause -1", "needs seconds"),
        ("@pause nan", "needs seconds"),
        ("@call", "needs the name of a tool"),
        ("@call f {", "this is not JSON"),
        ("@call f [1]", "needs a JSON object"),
        ("@part []", "needs a JSON object"),
        ("@chunk x", "needs a whole number"),
        ("@chunks 0 text", "needs a whole number from 1"),
        ("@chunks 9 text", "has 4 characters, too few for 9 chunks"),
        ("@repeat 2000000 a", "needs a whole number"),
        ("@repeat 2 @finish STOP x\n@repeat 2 @stall", r"line 2: @repeat cannot repeat @stall"),
        ("@say a\n@repeat 2 @nope", r"line 2: @repeat unknown directive @nope"),
        ("@finish stop", "needs a reason in capitals, not 'stop'"),
        ("@block", "needs a reason in capitals"),
        ("@fail 200", "needs a whole number from 400 to 599"),
        ("@fail 503 pdf", "knows the bodies json, html and empty"),
        ("@error 503 soon", "knows the form raw"),
        ("@cut 3 gently", "knows the endings reset, close, end"),
        ("@split 0", "needs a whole number from 1"),
        ("@stall now", "takes nothing, not 'now'"),
        ("@say a\n@fail 429", r"line 2: @fail must come before anything that is sent"),
        ("@say a\n@headers 1", "must come before"),
        ("@image 5000", "needs a whole number from 1 to 512"),
    ],
)
def test_mistakes_are_told_with_the_line(server: LocalGemini, prompt: str, told: str) -> None:
    with pytest.raises(ScriptError, match=told):
        parse(prompt)
    error = refusal(server, ask(prompt))
    assert error["status"] == "INVALID_ARGUMENT"
    assert re.search(told, error["message"])


@given(st.text(alphabet='@+abcefhilnopstuy {}"1:\\\n', max_size=60))
def test_any_text_is_parsed_or_refused(prompt: str) -> None:
    try:
        sections = len(parse(prompt))
    except ScriptError as error:
        sections = error.line
    assert 1 <= sections <= prompt.count("\n") + 1


def test_every_usage_is_right() -> None:
    for name, directive in DIRECTIVES.items():
        for example in directive.usage.split(", or "):
            assert parse(f"@{name} {example}".rstrip()), name


def test_sections_and_faults() -> None:
    first, second = parse("hello\n@headers 2\n@say a\n@cut 120 close\n@then\n@fail 429\n")
    assert first.cues == (Cue("say", "a"),)
    assert first.fault() == Fault(headers_after_s=2, cut_after_bytes=120, ending="close")
    assert second.fault() == Fault(status=429)


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_text_and_thoughts(server: LocalGemini) -> None:
    chunks = play(server, "@think a\n@think b\n@say c \n@say d\\ne\\t\\u00e9\\\\n")
    assert said(chunks, thought=True) == "ab"
    assert said(chunks) == "c d\ne\té\\n"
    assert len(chunks) == 5


def test_blocks_are_taken_as_they_are(server: LocalGemini) -> None:
    chunks = play(server, "@say\n# Title\n\n@think is no directive here\\n\n@end\n@say !")
    assert said(chunks) == "# Title\n\n@think is no directive here\\n!"


def test_windows_lines(server: LocalGemini) -> None:
    assert said(play(server, "@say a\r\n@say b\r\n")) == "ab"


def test_json_blocks(server: LocalGemini) -> None:
    chunks = play(server, '@part\n{"text":\n "x\\ny"}\n@end')
    assert said(chunks) == "x\ny"


def test_surrogates(server: LocalGemini) -> None:
    assert said(play(server, "@say \\ud83d\\ude00")) == "😀"
    assert said(play(server, "@say \\ud83d")) == "\ud83d"


def test_chunk_sizes(server: LocalGemini) -> None:
    long = "One sentence is here. Another sentence is there! " * 10
    natural = texts(play(server, f"@say {long}"))
    assert "".join(natural) == long
    assert all(20 <= len(piece) <= 120 for piece in natural[:-1])
    assert texts(play(server, "@chunk 4\n@say abcdefghij")) == ["abcd", "efgh", "ij"]
    assert texts(play(server, f"@chunk 0\n@say {long}")) == [long]
    assert texts(play(server, "@chunks 3 abcdefgh")) == ["ab", "cde", "fgh"]
    assert len(texts(play(server, f"@chunks 40 {long}"))) == 40
    assert texts(play(server, "@repeat 3 n{n}\\n")) == ["n1\n", "n2\n", "n3\n"]
    assert texts(play(server, "@repeat 2 @think t{n}")) == ["t1", "t2"]


def test_many_chunks(server: LocalGemini) -> None:
    assert len(texts(play(server, "@every 0\n@repeat 5000 x"))) == 5000


def test_parts_share_a_chunk(server: LocalGemini) -> None:
    chunks = play(server, "@say a\n@+think b\n@+call f {}\n@say c\n@+finish STOP")
    assert [len(parts([chunk])) for chunk in chunks] == [3, 1]
    assert finishes(chunks) == ["STOP"]


def test_calls(server: LocalGemini) -> None:
    declared = {"name": "g", "parameters": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}}}
    body = ask('@call f {"a": [1, {"b": null}]}\n@call g\n@call unknown', tools=[{"functionDeclarations": [declared]}])
    chunks = play(server, body)
    calls = [part["functionCall"] for part in parts(chunks) if "functionCall" in part]
    assert [(call["name"], call["args"]) for call in calls] == [
        ("f", {"a": [1, {"b": None}]}),
        ("g", {"n": 3}),
        ("unknown", {}),
    ]
    assert len({call["id"] for call in calls}) == 3
    assert all(re.fullmatch("[a-z0-9]{8}", call["id"]) for call in calls)
    assert ["thoughtSignature" in part for part in parts(chunks)] == [True, False, False, False]
    assert finishes(chunks) == ["STOP"]


def test_calls_of_older_models_have_no_id(server: LocalGemini) -> None:
    call = parts(play(server, "@call f {}", model="gemini-2.5-flash-lite"))[0]["functionCall"]
    assert call == {"name": "f", "args": {}}


def test_ids_and_signatures_are_unique(server: LocalGemini) -> None:
    both = [parts(play(server, "@call f {}"))[0] for _ in range(2)]
    assert both[0]["functionCall"]["id"] != both[1]["functionCall"]["id"]
    assert both[0]["thoughtSignature"] != both[1]["thoughtSignature"]


def test_same_requests_to_a_fresh_server_give_the_same_bytes() -> None:
    def run() -> list[bytes]:
        with LocalGemini(speed=math.inf) as fresh, Raw(fresh) as raw:
            bodies = []
            for prompt in ("@think a\n@call f {}", "Explain CRDTs"):
                raw.post(ask(prompt))
                bodies.append(b"".join(raw.read_response()[2]))
            return bodies

    assert run() == run()


def test_streamed_arguments(server: LocalGemini) -> None:
    args = '{"name": "a long name that is streamed in pieces", "n": 3, "yes": true, "no": null, "list": [{"x y": 1.5}]}'
    fragments = [part["functionCall"] for part in parts(play(server, f"@partial f {args}", vertex=True))[:-1]]
    assert fragments[0] == {"name": "f", "willContinue": True} | {"id": fragments[0]["id"]}
    assert fragments[-1] == {}
    assert all(fragment["willContinue"] for fragment in fragments[:-1])
    leaves = [fragment["partialArgs"][0] for fragment in fragments[1:-1]]
    name = [leaf for leaf in leaves if leaf["jsonPath"] == "$.name"]
    assert "".join(leaf["stringValue"] for leaf in name) == "a long name that is streamed in pieces"
    assert [leaf.get("willContinue", False) for leaf in name] == [True] * (len(name) - 1) + [False]
    assert leaves[len(name) :] == [
        {"jsonPath": "$.n", "numberValue": 3},
        {"jsonPath": "$.yes", "boolValue": True},
        {"jsonPath": "$.no", "nullValue": "NULL_VALUE"},
        {"jsonPath": '$.list[0]["x y"]', "numberValue": 1.5},
    ]


def test_a_streamed_call_may_come_back_whole(server: LocalGemini) -> None:
    prompt = {"role": "user", "parts": [{"text": '@partial f {"a": "b"}\n@then\n@say done'}]}
    start = parts(play(server, {"contents": [prompt]}, vertex=True))[0]
    call = {"functionCall": {"name": "f", "args": {"a": "b"}}, "thoughtSignature": start["thoughtSignature"]}
    answer = {"functionResponse": {"name": "f", "response": {}}}
    contents = [prompt, {"role": "model", "parts": [call]}, {"role": "user", "parts": [answer]}]
    assert said(play(server, {"contents": contents}, vertex=True)) == "done"
    call["functionCall"]["name"] = answer["functionResponse"]["name"] = "g"
    error = refusal(server, {"contents": contents})
    assert error["message"] == "Corrupted thought signature."


def test_code_image_search(server: LocalGemini) -> None:
    chunks = play(server, "@code print(1)\n@result 1\\n\n@image 8\n@search weather\n@say ok")
    code, result, image = parts(chunks)[:3]
    assert code == {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    assert result == {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    assert base64.b64decode(image["inlineData"]["data"]).startswith(b"\x89PNG\r\n\x1a\n")
    grounding = chunks[-1]["candidates"][0]["groundingMetadata"]
    assert grounding["webSearchQueries"] == ["weather"]
    assert finishes(chunks) == ["STOP"]


def test_raw_part_chunk_and_usage(server: LocalGemini) -> None:
    chunks = play(
        server, '@part {"hologram": {"x": 1}}\n@raw {"usageMetadata": null}\n@usage {"candidatesTokenCount": 7}\n@say a'
    )
    assert parts(chunks)[0] == {"hologram": {"x": 1}}
    assert chunks[1] == {"usageMetadata": None}
    assert chunks[2]["usageMetadata"]["candidatesTokenCount"] == 7


def test_signatures_of_raw_parts_are_accepted(server: LocalGemini) -> None:
    prompt = '@part {"functionCall": {"name": "f"}, "thoughtSignature": "b3duIHNpZw=="}\n@then\n@say done'
    called = parts(play(server, prompt))
    contents = [
        {"role": "user", "parts": [{"text": prompt}]},
        {"role": "model", "parts": called},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
    ]
    assert said(play(server, {"contents": contents})) == "done"


@pytest.mark.parametrize(
    ("script", "reasons"),
    [
        ("@say a", ["STOP"]),
        ("@say a\n@finish MAX_TOKENS", ["MAX_TOKENS"]),
        ("@say a\n@finish STOP\n@say b\n@finish STOP", ["STOP", "STOP"]),
        ("@say a\n@nofinish", []),
        ("@block SAFETY", []),
    ],
)
def test_finishes(server: LocalGemini, script: str, reasons: list[str]) -> None:
    assert finishes(play(server, script)) == reasons


def test_finish_forms(server: LocalGemini) -> None:
    last = play(server, "@say a\n@finish MALFORMED_FUNCTION_CALL bad: print(1)")[-1]["candidates"][0]
    assert last == {"finishReason": "MALFORMED_FUNCTION_CALL", "index": 0, "finishMessage": "bad: print(1)"}


def test_block(server: LocalGemini) -> None:
    (chunk,) = play(server, "@block PROHIBITED_CONTENT")
    assert chunk["promptFeedback"] == {"blockReason": "PROHIBITED_CONTENT"}
    assert "candidates" not in chunk


def test_then_goes_on_after_the_answers(server: LocalGemini) -> None:
    contents: list[Json] = [{"role": "user", "parts": [{"text": "@call f {}\n@then\n@call g {}\n@then\n@say end"}]}]
    for name in ("f", "g"):
        called = parts(play(server, {"contents": contents}))
        assert called[0]["functionCall"]["name"] == name
        response = {"id": called[0]["functionCall"]["id"], "name": name, "response": {"result": 1}}
        contents += [
            {"role": "model", "parts": called},
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]
    assert said(play(server, {"contents": contents})) == "end"
    contents += [{"role": "model", "parts": [{"text": "end"}]}, {"role": "user", "parts": [{"text": "@say next"}]}]
    assert said(play(server, {"contents": contents})) == "next"


def test_a_script_without_a_next_section_reads_out_the_answer(server: LocalGemini) -> None:
    called = parts(play(server, "@call f {}"))
    response = {"id": called[0]["functionCall"]["id"], "name": "f", "response": {"result": 42}}
    contents = [
        {"role": "user", "parts": [{"text": "@call f {}"}]},
        {"role": "model", "parts": called},
        {"role": "user", "parts": [{"functionResponse": response}]},
    ]
    assert "**42**" in said(play(server, {"contents": contents}))


def body_of(server: LocalGemini, prompt: str) -> bytes:
    """Everything that comes for a prompt, to the end of the connection or the body."""
    with Raw(server) as raw:
        raw.post(ask(prompt))
        _, _, chunks = raw.read_response()
        return b"".join(chunks)


def test_error_frames(server: LocalGemini) -> None:
    framed = frames(body_of(server, "@say a\n@error 503"))
    assert framed[1]["error"]["message"] == "The model is overloaded. Please try again later."
    assert len(framed) == 2
    raw = body_of(server, "@say a\n@error 500 raw").partition(b"\r\n\r\n")[2]
    assert raw.startswith(b'{\n  "error": {\n    "code": 500')


@pytest.mark.parametrize(
    ("status", "word"), [(400, "INVALID_ARGUMENT"), (429, "RESOURCE_EXHAUSTED"), (503, "UNAVAILABLE")]
)
def test_fail(server: LocalGemini, status: int, word: str) -> None:
    error = refusal(server, ask(f"@fail {status}"))
    assert (error["code"], error["status"], "details" in error) == (status, word, status == 429)


def test_garbage(server: LocalGemini) -> None:
    assert body_of(server, "@garbage").startswith(b'data: {"candidates": [{"content": {"par\r\n\r\n')
    assert body_of(server, "@garbage data:{}\\n\\n\n@nofinish") == b"data:{}\n\n"


def test_cut_here_and_later(server: LocalGemini) -> None:
    for script, ending in (("@say a\n@cut", ConnectionResetError), ("@repeat 99 a\n@cut 500 close", None)):
        with Raw(server) as raw:
            raw.post(ask(script))
            seen: Any = None
            try:
                while raw.socket.recv(65536):
                    pass
            except ConnectionResetError:
                seen = ConnectionResetError
            assert seen is ending
        eventually(lambda: server.requests[-1].outcome == "cut", "noted")
    assert server.requests[-1].bytes_sent == 500


def test_stall_headers_pause(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@headers 9\n@say a\n@pause 9\n@say b\n@stall\n@say c"))
        raw.read_until(b'"b"')
        raw.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            raw.socket.recv(1)


def test_split(server: LocalGemini) -> None:
    with Raw(server) as raw:
        raw.post(ask("@split 3 1\n@say Grüße"))
        _, _, chunks = raw.read_response()
    assert {len(chunk) for chunk in chunks} <= {1, 2, 3}
    assert said(frames(b"".join(chunks))) == "Grüße"


# --- helpers and documentation ----------------------------------------------------------------------------------------


@given(st.text(alphabet="ab .!?:\nü😀", max_size=600), st.sampled_from([(20, 120), (4, 24), (20, 70)]))
def test_slices_lose_nothing(text: str, sizes: tuple[int, int]) -> None:
    low, high = sizes
    pieces = list(slices(text, low, high))
    assert "".join(pieces) == text
    assert all(low < len(piece) <= high for piece in pieces[:-1])
    assert all(0 < len(piece) <= high for piece in pieces)


def test_documentation_names_every_directive() -> None:
    documented = set(re.findall(r"`@\+?([a-z]+)", DOCS.read_text(encoding="utf-8")))
    assert documented - {"end", "name"} == set(DIRECTIVES)


def test_scripts_in_the_documentation_are_scripts() -> None:
    scripts = re.findall(r"```script\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(scripts) >= 3
    for script in scripts:
        assert is_script(script)
        assert any(section.cues for section in parse(script))
