"""A call of a tool that nobody offered is told by its name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from tests.wire import call, chunk


def mail(to: str) -> str:
    """Send."""
    return to


def ended(*parts: Any, message: str | None = None, tools: Any = (mail,)) -> gem.Chat:
    """A chat whose model ended so."""
    last = chunk(*parts, finish="UNEXPECTED_TOOL_CALL")
    if message is not None:
        last["candidates"][0]["finishMessage"] = message

    async def main() -> gem.Chat:
        chat = gem.Chat(source=ListSource([last]), tools=list(tools))
        await chat.send("go").wait()
        return chat

    return asyncio.run(main())


FAX = call("send_fax", {"to": "x"})
SAID = "Unexpected tool call: Model tried to call an undeclared function: send_fax"


@pytest.mark.parametrize(
    ("parts", "message", "tools", "told"),
    [
        ([FAX], None, [mail], "It called send_fax, which was not offered. Offered: mail."),
        ([], SAID, [mail], "It called send_fax, which was not offered. Offered: mail."),
        ([], SAID + ".", [mail], "It called send_fax, which was not offered."),
        ([FAX], None, [], "It called send_fax, which was not offered. No tool was offered."),
        ([], None, [mail], "It called a tool that was not offered. Offered: mail."),
        ([call("mail", {"to": "x"})], None, [mail], "It called mail, which is offered; the tool configuration"),
    ],
)
def test_the_call_is_told_by_its_name(
    parts: list[Any], message: str | None, tools: list[Any], told: str, tmp_path: Path
) -> None:
    chat = ended(*parts, message=message, tools=tools)
    error = chat.runs[0].error
    assert isinstance(error, gem.MalformedCall)
    assert told in str(error)
    assert "could not be read" not in str(error)
    chat.save(tmp_path / "chat.jsonl")
    assert str(gem.load_chat(tmp_path / "chat.jsonl").runs[0].error) == str(error)
