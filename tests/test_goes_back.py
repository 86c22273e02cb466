"""What came of the model and goes back: a late signature with its call, a torn call not at all."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._plain import Json
from gemstream_widget._stream.events import PartSigned
from tests.test_rules import SIGNATURE
from tests.told import told
from tests.wire import call, chunk, text

MODEL = "gemini-3.8-flash"


async def asked_again(*chunks: Any, **options: Any) -> tuple[gem.Run, gem.Chat]:
    source = ListSource(list(chunks), [chunk(text("fine"), finish="STOP")])
    chat = gem.Chat(source=source, model=MODEL, **options)
    return await chat.send("go").wait(), chat


def piece(signature: str | None = None, **fields: Any) -> Json:
    return {"functionCall": fields} | ({"thoughtSignature": signature} if signature is not None else {})


LATE = [
    (
        "on the last piece",
        [piece(name="f", willContinue=True), piece(SIGNATURE, partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}])],
    ),
    (
        "on a keep-alive",
        [
            piece(name="f", willContinue=True),
            piece(SIGNATURE, willContinue=True),
            piece(partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}]),
        ],
    ),
    (
        "on the piece after the end",
        [
            piece(name="f", partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}], willContinue=True),
            piece(),
            piece(SIGNATURE),
        ],
    ),
    ("behind a whole call", [piece(name="f", args={"a": "x"}), piece(SIGNATURE)]),
]


@pytest.mark.parametrize(("what", "pieces"), LATE, ids=[what for what, _ in LATE])
@pytest.mark.parametrize("together", [True, False])
def test_a_signature_that_comes_later_is_the_calls(what: str, pieces: list[Json], together: bool) -> None:
    async def main() -> None:
        came = [chunk(*pieces)] if together else [chunk(one) for one in pieces]
        run, chat = await asked_again(*came, chunk(finish="STOP"), tools=[{"name": "f"}])
        (part,) = run.parts
        assert part.signature == run.snapshot()["parts"][0]["signature"] == SIGNATURE
        assert chat.history[-1]["parts"][0]["thoughtSignature"] == SIGNATURE
        assert chat.history[-1]["parts"][0]["functionCall"]["args"] == {"a": "x"}
        events, fold = told(run)
        assert [e.signature for e in events if isinstance(e, PartSigned)] == [SIGNATURE]
        assert fold.state.snapshot() == run.snapshot()

    asyncio.run(main())


def test_a_signature_without_a_call_is_a_part_of_its_own() -> None:
    async def main() -> None:
        run, chat = await asked_again(chunk(text("a")), chunk(piece(SIGNATURE)), chunk(finish="STOP"))
        assert [part.signature for part in run.parts] == [None, SIGNATURE]
        assert chat.history[-1]["parts"] == [{"text": "a"}, {"thoughtSignature": SIGNATURE}]

    asyncio.run(main())


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"])
@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([text("call:default_api:f{a:"), text("1}")], []),
        ([{"text": "hm", "thought": True}, text("```tool_code\nprint(")], []),
        ([{"executableCode": {"code": "1"}}, text("f(")], [{"executableCode": {"code": "1"}}]),
        ([text("Well.", SIGNATURE), text("f(")], [text("Well.", SIGNATURE)]),
    ],
)
def test_a_torn_call_is_no_answer(reason: str, parts: list[Json], kept: list[Json]) -> None:
    async def main() -> None:
        run, chat = await asked_again(chunk(*parts), chunk(finish=reason))
        assert isinstance(run.error, gem.MalformedCall)
        assert run.text.endswith(parts[-1]["text"])  # the card shows it
        assert [c["parts"] for c in chat.history[1:]] == ([kept] if kept else [])
        assert run.offers[-1] == "anew"
        assert "continue" not in run.offers
        assert (await chat.again()).text == "fine"
        assert parts[-1]["text"] not in json.dumps(chat.history)

    asyncio.run(main())


def test_text_before_an_ordinary_end_stays() -> None:
    async def main() -> None:
        run, chat = await asked_again(chunk(text("f(")), chunk(finish="MAX_TOKENS"))
        assert chat.history[-1]["parts"] == [{"text": "f("}]
        assert run.offers == ["continue"]

    asyncio.run(main())


def test_an_empty_signature_that_came_does_not_go_back() -> None:
    async def main() -> None:
        came = chunk({"functionCall": {"name": "f"}, "thoughtSignature": ""}, finish="STOP")
        _, chat = await asked_again(came, tools=[{"name": "f"}])
        assert chat.history[-1]["parts"] == [call("f")]

    asyncio.run(main())
