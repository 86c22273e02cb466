"""What a prompt holds, from `send` to the bytes the model gets, and through a file."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._request.wire import decode_base64, get

PNG = b"\x89PNG\r\n\x1a\n\xff\xfe\x00"
LOOK = {"name": "look", "description": "Look something up."}


def sent(server: gem.LocalGemini, n: int = -1) -> list[Any]:
    """The contents of a request, as the server got them."""
    body = server.requests[n].body
    assert body is not None
    contents: list[Any] = body["contents"]
    return contents


@pytest.mark.parametrize("spelling", ["camelCase", "snake_case"])
@pytest.mark.parametrize("by", ["name", "our id"])
def test_a_response_in_either_spelling_answers_its_call(spelling: str, by: str) -> None:
    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            chat = gem.Chat(model="demo", client=server.client(), tools=[LOOK])
            (call,) = (await chat.send('@call look {"a": 1}\n@then\n@say seen')).tool_calls
            named = {"name": "look"} if by == "name" else {"id": call.id}
            kind = "functionResponse" if spelling == "camelCase" else "function_response"
            run = await chat.send({kind: {**named, "response": {"file_uri": "as it is"}}})
            assert run.text == "seen"
            answer = sent(server)[2]["parts"]
            assert [part["functionResponse"]["response"] for part in answer] == [{"file_uri": "as it is"}]
            assert len(sent(server)) == 3
            assert chat.check() == []

    asyncio.run(main())


def test_bytes_reach_the_model_also_after_the_chat_was_saved(tmp_path: Path) -> None:
    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            chat = gem.Chat(model="demo", client=server.client())
            await chat.send([{"inline_data": {"mime_type": "image/png", "data": PNG}}, "@say seen"])
            chat.save(tmp_path / "chat.json")
            loaded = gem.load_chat(tmp_path / "chat.json", client=server.client())
            assert loaded.history == chat.history
            assert (await loaded.send("@say again")).text == "again"
            for n in (0, 1):
                blob = sent(server, n)[0]["parts"][0]["inlineData"]  # the SDK spells what is in it in its own way
                assert (decode_base64(blob["data"]), get(blob, "mimeType")) == (PNG, "image/png")
            assert len(server.requests) == 2

    asyncio.run(main())


def test_an_uploaded_file_is_named_to_the_model() -> None:
    from google.genai import types

    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            chat = gem.Chat(model="demo", client=server.client())
            uploaded = types.File(name="files/a", uri="https://example.com/files/a", mime_type="application/pdf")
            assert (await chat.send([uploaded, "@say read"])).text == "read"
            file, text = sent(server)[0]["parts"]
            assert get(file["fileData"], "fileUri") == "https://example.com/files/a"
            assert get(file["fileData"], "mimeType") == "application/pdf"
            assert text == {"text": "@say read"}

    asyncio.run(main())
