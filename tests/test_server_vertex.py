"""The local Gemini as Vertex AI: its addresses, its words, arguments that stream, the real SDK."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.genai import Client, errors, types
from google.oauth2.credentials import Credentials

from gemstream_widget.server import LocalGemini

from .local import Json, Raw, ask, frames, parts, refusal, said

PLACE = "projects/p/locations/us-central1/publishers/google/models"
TOOL = {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}}}
STREAMED = {"functionCallingConfig": {"streamFunctionCallArguments": True}}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=math.inf) as running:
        yield running


@pytest.fixture
def client(server: LocalGemini) -> Iterator[Client]:
    """A client as users of Vertex make it."""
    made = Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=Credentials(token="local"),  # type: ignore[no-untyped-call]
        http_options=types.HttpOptions(base_url=server.url),
    )
    yield made
    made.close()


def answered(server: LocalGemini, method: str, body: Json, version: str = "v1") -> bytes:
    with Raw(server) as raw:
        raw.post(body, f"/{version}/{PLACE}/demo:{method}")
        status, _, chunks = raw.read_response()
    assert status == 200, chunks
    return b"".join(chunks)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_every_method_has_its_address(server: LocalGemini, version: str) -> None:
    chunks = frames(answered(server, "streamGenerateContent?alt=sse", ask("@say hi"), version))
    assert said(chunks) == "hi"
    assert chunks[0]["usageMetadata"] == {"trafficType": "ON_DEMAND"}
    assert said([json.loads(answered(server, "generateContent", ask("@say hi"), version))]) == "hi"
    assert json.loads(answered(server, "countTokens", ask("@say hi"), version))["totalTokens"] > 0


def test_its_refusals_have_its_words(server: LocalGemini) -> None:
    path = f"/v1/{PLACE}/gemini-9:generateContent"
    assert refusal(server, ask("hi"), path=path)["message"].startswith(
        "Publisher Model `projects/p/locations/us-central1/publishers/google/models/gemini-9` was not found or your"
    )
    empty = {"contents": [{"role": "user", "parts": []}]}
    words = [refusal(server, empty, path=f"/v1/{place}/demo:generateContent")["message"] for place in (PLACE, "models")]
    assert words[0].startswith("Unable to submit request because it must include at least one parts field")
    assert words[1].startswith("* GenerateContentRequest.contents[0].parts")


def test_the_sdk_streams_answers_and_counts(server: LocalGemini, client: Client) -> None:
    stream = client.models.generate_content_stream(model="demo", contents="@say a\n@hop\n@say b")
    assert "".join(chunk.text or "" for chunk in stream) == "ab"
    record = server.requests[-1]
    assert record.path == f"/v1beta1/{PLACE}/demo:streamGenerateContent?alt=sse"
    assert "authorization" not in record.headers
    assert client.models.generate_content(model="demo", contents="@say a").text == "a"
    assert client.models.count_tokens(model="demo", contents="@say a").total_tokens
    with pytest.raises(errors.ClientError, match="Publisher Model `projects/p/"):
        client.models.generate_content(model="gemini-9", contents="a")


def test_a_credential_of_some_kind_is_needed(server: LocalGemini) -> None:
    path = f"/v1/{PLACE}/demo:generateContent"
    assert refusal(server, ask("@say a"), path=path, key="")["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("prompt", ['@call f {"city": "Lisbon"}', "Use f in Lisbon"])
def test_calls_stream_where_the_request_asks_for_it(server: LocalGemini, prompt: str) -> None:
    tools = [{"functionDeclarations": [TOOL]}]

    def calls(method: str, **more: Any) -> list[Json]:
        body = answered(server, method, ask(prompt, tools=tools, **more))
        chunks = [json.loads(body)] if method == "generateContent" else frames(body)
        return [part["functionCall"] for part in parts(chunks) if "functionCall" in part]

    streamed = calls("streamGenerateContent?alt=sse", toolConfig=STREAMED)
    assert (streamed[0]["name"], streamed[0]["willContinue"], "args" in streamed[0]) == ("f", True, False)
    assert "".join(one["partialArgs"][0]["stringValue"] for one in streamed[1:-1]) == "Lisbon"
    assert streamed[-1] == {}
    for whole in (calls("streamGenerateContent?alt=sse"), calls("generateContent", toolConfig=STREAMED)):
        assert [one["args"] for one in whole] == [{"city": "Lisbon"}]


def test_the_sdk_reads_streamed_arguments(client: Client) -> None:
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(stream_function_call_arguments=True)
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    stream = client.models.generate_content_stream(model="demo", contents='@call f {"city": "Lisbon"}', config=config)
    calls = [call for chunk in stream for call in chunk.function_calls or ()]
    assert [call.name for call in calls][:1] == ["f"]
    fragments = [argument.string_value or "" for call in calls for argument in call.partial_args or ()]
    assert "".join(fragments) == "Lisbon"


def test_the_developer_api_refuses_to_stream_arguments(server: LocalGemini) -> None:
    body = ask("@call f {}", tools=[{"functionDeclarations": [TOOL]}], toolConfig=STREAMED)
    assert "streamFunctionCallArguments" in refusal(server, body)["message"]
