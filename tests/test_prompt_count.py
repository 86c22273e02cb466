"""`chat.count`: what Gemini is asked to count, by both of its addresses, and what the local Gemini answers."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Iterator
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.gemini import connect
from gemstream_widget._request.wire import camel
from gemstream_widget.server.tokens import count_tokens, tokens_of
from tests.clients import TRANSPORTS, client_of
from tests.local import ask, refusal

LOOK = {"name": "look", "description": "Look up.", "parameters": {"type": "object", "properties": {"user_id": {}}}}


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=math.inf) as server:
        yield server


def count(server: gem.LocalGemini, prompt: Any, **options: Any) -> int:
    return asyncio.run(gem.Chat(**{"model": "demo", "client": server.client()} | options).count(prompt))


def body_of(server: gem.LocalGemini) -> Any:
    record = server.requests[-1]
    assert record.path.endswith(":countTokens")
    assert record.body is not None
    return record.body


def vertex_client(server: gem.LocalGemini) -> Any:
    from google import genai

    return genai.Client(vertexai=True, api_key="local", http_options={"base_url": server.url})


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_text_is_counted_through_each_http_library(server: gem.LocalGemini, transport: str) -> None:
    async def main() -> int:
        async with client_of(server, transport) as client:
            return await gem.Chat(model="demo", client=client).count("x" * 41)

    assert asyncio.run(main()) == 11


@pytest.mark.parametrize("vertex", [False, True], ids=["developer", "vertex"])
def test_what_is_counted_is_what_is_sent(server: gem.LocalGemini, vertex: bool) -> None:
    client = vertex_client(server) if vertex else server.client()
    bare = count(server, "hello", client=client)

    async def main() -> int:
        chat = gem.Chat(model="demo", client=client, system="Be kind.", tools=[LOOK, multiply])
        await chat.send("@say hi")
        counted = await chat.count(["@say hello", (png(800, 800), "image/png")])
        await chat.send(["@say hello", (png(800, 800), "image/png")])
        return counted

    whole = asyncio.run(main())
    counted, sent = (record.body for record in server.requests[-2:])
    assert counted is not None
    assert sent is not None
    assert server.requests[-2].path.endswith("models/demo:countTokens")
    if vertex:
        assert "publishers/google" in server.requests[-2].path
        assert "generateContentRequest" not in counted
    else:
        assert counted["contents"] == []
        counted = counted["generateContentRequest"]
        assert counted["model"] == "models/demo"
    for name in ("systemInstruction", "tools"):
        assert alike(counted[name]) == alike(sent[name])
    assert [alike(content["parts"]) for content in counted["contents"]] == [alike(c["parts"]) for c in sent["contents"]]
    assert (bare, whole) == (2, tokens_of(sent).total())


def alike(value: Any) -> Any:
    """JSON in one spelling, without what the SDK adds: roles, and types in capitals."""
    if isinstance(value, dict):
        return {camel(k): alike(v) for k, v in value.items() if k != "role"}
    if isinstance(value, list):
        return [alike(v) for v in value]
    return value.replace("-", "+").replace("_", "/").lower() if isinstance(value, str) else value


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def test_what_the_sdks_config_holds_counts_too(server: gem.LocalGemini) -> None:
    from google.genai import types

    config = types.GenerateContentConfig(
        system_instruction=types.Part(text="Be brief."),
        tools=[multiply, types.Tool(google_search=types.GoogleSearch())],
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")),  # type: ignore[arg-type]
        cached_content="cachedContents/a",
        http_options=types.HttpOptions(headers={"x-mine": "1"}),
    )
    for client in (server.client(), vertex_client(server)):
        count(server, "hello", config=config, client=client)
        body = body_of(server)
        asked = body.get("generateContentRequest", body)
        assert asked["systemInstruction"]["parts"] == [{"text": "Be brief."}]
        declarations, search = asked["tools"]
        assert declarations["functionDeclarations"][0]["name"] == "multiply"
        assert "googleSearch" in search
        assert server.requests[-1].headers["x-mine"] == "1"
        if asked is not body:
            assert asked["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
            assert asked["cachedContent"] == "cachedContents/a"


def test_the_count_is_what_the_next_request_reports(server: gem.LocalGemini) -> None:
    async def main() -> None:
        chat = gem.Chat(model="demo", client=server.client(), system="Be kind.", tools=[multiply])
        image = (png(800, 800), "image/png")
        for prompt in ("@say one", [image, "\n@say two"], '@call multiply {"a": 2, "b": 3}\n@then\n@say six'):
            history = chat.history
            counted = await chat.count(prompt)
            assert chat.history == history
            run = await chat.send(prompt)
            assert run.steps[0].usage.prompt_token_count == counted
        assert await chat.count() > counted
        assert len(chat.runs) == 3

    asyncio.run(main())


def test_open_calls_are_answered_as_in_a_send(server: gem.LocalGemini) -> None:
    async def main() -> None:
        chat = gem.Chat(model="demo", client=server.client(), tools=[LOOK])
        (call,) = (await chat.send('@call look {"user_id": 1}')).tool_calls
        await chat.count({"function_response": {"id": call.id, "response": {"a": 1}}})
        asked = body_of(server)["generateContentRequest"]["contents"]
        assert [next(iter(c["parts"][0])) for c in asked] == ["text", "functionCall", "functionResponse"]
        with pytest.raises(gem.HistoryError, match="No open function call"):
            await chat.count({"function_response": {"name": "other", "response": {}}})

    asyncio.run(main())


@pytest.mark.parametrize(
    ("size", "tiles"), [((384, 384), 1), ((385, 10), 1), ((768, 768), 1), ((769, 768), 2), ((1600, 1600), 9)]
)
def test_an_image_costs_its_tiles(server: gem.LocalGemini, size: tuple[int, int], tiles: int) -> None:
    assert count(server, [png(*size)]) == 258 * tiles


def test_every_kind_is_counted_by_its_name() -> None:
    files = [
        {"inlineData": {"mimeType": kind, "data": "AAAA"}} for kind in ("audio/wav", "application/pdf", "image/png")
    ]
    response = {"functionResponse": {"name": "f", "response": {}, "parts": [files[2]]}, "thoughtSignature": "A" * 400}
    tokens = tokens_of({"contents": [{"parts": [*files, {"text": "abcd"}, response]}]})
    said = count_tokens(str({"name": "f", "response": {}}))
    assert tokens == {"AUDIO": 258, "DOCUMENT": 258, "IMAGE": 516, "TEXT": 1 + said}


def test_without_a_prompt_what_was_said_is_counted(server: gem.LocalGemini) -> None:
    assert count(server, None, history=[{"role": "user", "parts": [{"text": "x" * 40}]}]) == 10
    with pytest.raises(gem.InvalidPrompt, match="nothing to count yet"):
        count(server, None)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_sent_cannot_be_counted(server: gem.LocalGemini) -> None:
    seen = len(server.requests)
    with pytest.raises(gem.InvalidPrompt, match=r"\(int\)"):
        count(server, 7)
    assert len(server.requests) == seen
    assert count(server, "seven") == 2
    assert len(server.requests) == seen + 1


def test_errors_are_those_of_a_run(server: gem.LocalGemini) -> None:
    with pytest.raises(gem.ApiError, match="No such model") as unknown:
        count(server, "hi", model="no-such-model")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    with pytest.raises(gem.ApiError, match="The API key was refused"):
        count(server, "hi", client=connect(base_url=server.url, api_key="invalid"))
    with pytest.raises(gem.MissingKey):
        asyncio.run(gem.Chat().count("hi"))
    with gem.LocalGemini() as gone:
        client = gone.client()
    with pytest.raises(gem.ConnectionFailed):
        count(server, "hi", client=client)


def test_a_source_that_cannot_count_says_so() -> None:
    from gemstream_widget._engine.source import ListSource

    chat = gem.Chat(source=ListSource([]))
    with pytest.raises(gem.InvalidOption, match="source: a ListSource cannot count tokens; Gemini can"):
        asyncio.run(chat.count("hi"))
    with pytest.raises(gem.InvalidPrompt):
        chat.send(7)

    class Counting(ListSource):
        async def count(self, request: Any) -> int:
            return len(request.contents)

    assert asyncio.run(gem.Chat(source=Counting()).count("hi")) == 1


def test_while_a_run_goes_on_nothing_is_counted(server: gem.LocalGemini) -> None:
    async def main() -> None:
        chat = gem.Chat(model="demo", client=server.client())
        run = chat.send("@stall")
        with pytest.raises(gem.RunInProgress):
            await chat.count("hi")
        run.stop()
        await run.wait()
        assert await chat.count("hi") > 0

    asyncio.run(main())


def test_the_local_gemini_refuses_what_gemini_would(server: gem.LocalGemini) -> None:
    def refused(body: Any, place: str = "v1beta/models") -> str:
        return str(refusal(server, body, path=f"/{place}/demo:countTokens")["message"])

    vertex = "v1beta1/publishers/google/models"
    assert refused({}) == "CountTokens requires generate_content_request or contents to be set."
    whole = {"generateContentRequest": {"systemInstruction": {"parts": [{"text": "a"}]}}}
    assert refused(whole).count("is not specified") == 2
    assert 'Unknown name "systemInstruction"' in refused({**ask("a"), "systemInstruction": {}})
    assert 'Unknown name "generateContentRequest"' in refused({"generateContentRequest": ask("a")}, vertex)
    assert "contents[0]" in refused({"contents": [7]})
    assert "generate_content_request" in refused({"generateContentRequest": 7})
    assert "no method embedContent" in str(
        refusal(server, ask("a"), path="/v1beta/models/demo:embedContent")["message"]
    )
