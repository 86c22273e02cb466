"""A prompt as a page sees it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gemstream_widget._stream.preview import MOST_TEXT, preview


def shown(part: Any) -> Any:
    (content,) = preview([{"role": "user", "parts": [part]}])
    assert content["role"] == "user"
    return content["parts"][0]


def base64_of(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_bytes_are_told_by_their_number(size: int) -> None:
    part = {"inlineData": {"mimeType": "image/png", "displayName": "a", "data": base64_of(size)}}
    assert shown(part) == {"inlineData": {"mimeType": "image/png", "displayName": "a", "size_bytes": size}}
    assert part["inlineData"]["data"] == base64_of(size)


def test_bytes_inside_a_response_are_told_by_their_number_too() -> None:
    file = {"inlineData": {"mimeType": "image/png", "data": base64_of(9)}}
    part = {"functionResponse": {"name": "f", "id": "k", "response": {"n": [1]}, "parts": [file]}}
    assert shown(part)["functionResponse"] == {
        "name": "f",
        "id": "k",
        "response": {"n": [1]},
        "parts": [{"inlineData": {"mimeType": "image/png", "size_bytes": 9}}],
    }


def test_what_is_no_base64_has_no_size() -> None:
    assert shown({"inlineData": {"data": 7}}) == {"inlineData": {"size_bytes": None}}


@pytest.mark.parametrize("over", [0, 1, 40_000])
def test_long_texts_are_cut_and_say_by_how_much(over: int) -> None:
    cut = {"cut": over} if over else {}
    assert shown({"text": "x" * (MOST_TEXT + over)}) == {"text": "x" * MOST_TEXT} | cut
    answer = {"a": "x" * (MOST_TEXT - len('{"a": ""}') + over)}
    told = shown({"functionResponse": {"name": "f", "response": answer}})["functionResponse"]
    assert told == {"name": "f", "response": json.dumps(answer)[:MOST_TEXT] if over else answer} | cut


def test_all_else_is_there_as_plain_json_of_its_own() -> None:
    part = {"fileData": {"fileUri": "u"}, "newField": {"n": [float("nan")]}, "thought": True}
    told = shown(part)
    assert told == {"fileData": {"fileUri": "u"}, "newField": {"n": ["nan"]}, "thought": True}
    told["fileData"]["fileUri"] = "other"
    assert part["fileData"] == {"fileUri": "u"}
    assert shown({"text": "a \ud83d"}) == {"text": "a \ufffd"}
    assert preview([{"role": "user"}]) == [{"role": "user", "parts": []}]
