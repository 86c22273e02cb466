"""`{expression}` in the text of a %%gem cell."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gemstream_widget as gem
from gemstream_widget._notebook.braces import Expression, filled, pieces
from gemstream_widget._request.prompt import Prompt
from gemstream_widget.errors import InvalidPrompt
from tests.wire import chunk, text


def fill(written: str, /, **names: Any) -> Prompt:
    return filled(written, lambda code: eval(code, {"Path": Path, **names}))


def said(written: str, /, **names: Any) -> str:
    """The one text that a prompt is."""
    (content,) = fill(written, **names).contents
    (part,) = content["parts"]
    assert set(part) == {"text"}
    return str(part["text"])


def refusal(written: str, /, **names: Any) -> str:
    with pytest.raises(InvalidPrompt) as caught:
        fill(written, **names)
    words = str(caught.value)
    assert "\n" not in words
    return words


@dataclass
class Town:
    name: str


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain, } alone", "plain, } alone"),
        ("{{x}} and {{}}", "{x} and {}"),
        ("{name}!", "Ada!"),
        ("{ name }", "Ada"),
        ("{name!r} {name:>5} {name!s:*^5}", "'Ada'   Ada *Ada*"),
        ("{pi:.2f} {1 + len(name)}", "3.14 4"),
        ("{d['k']} {d['{']}", "1 2"),
        ("{ {k: v for k, v in d.items()} }", '{"k": 1, "{": 2}'),
        ("{{{name}}}", "{Ada}"),
        ("{[x for x in\n   (1, 2) if x == len(name) - 2]}", "[1]"),
        ("{nothing} {true}", "None True"),
        ("{day} {stamp}", "2026-11-25 2026-11-25 08:30:00"),
        ("{d2}", '{"at": "2026-11-25", "set": [1]}'),
        ("{some}", '[1, "ü", null]'),
        ("{row}", '{"text": "great", "label": 1}'),
        ("{[row]}", '[{"text": "great", "label": 1}]'),
        ("{car}", '{"parts": ["wheel"], "price": 3}'),
        ("{town}", "Town(name='Oslo')"),
        ("{ident}", "12345678-1234-5678-1234-567812345678"),
    ],
)
def test_text_numbers_and_plain_data_become_part_of_the_text(written: str, expected: str) -> None:
    names: dict[str, Any] = {
        "name": "Ada",
        "pi": 3.14159,
        "d": {"k": 1, "{": 2},
        "nothing": None,
        "true": True,
        "day": dt.date(2026, 11, 25),
        "stamp": dt.datetime(2026, 11, 25, 8, 30),
        "d2": {"at": dt.date(2026, 11, 25), "set": {1}},
        "some": [1, "ü", None],
        "town": Town("Oslo"),
        "row": {"text": "great", "label": 1},
        "car": {"parts": ["wheel"], "price": 3},
        "ident": uuid.UUID("12345678123456781234567812345678"),
    }
    assert said(written, **names) == expected


def test_what_is_no_text_goes_in_as_parts_in_its_place() -> None:
    prompt = fill("Before {data} between {part} after\n", data=(b"\x89PNG", "image/png"), part={"inline_data": {
        "mime_type": "text/plain", "data": b"abc"}})  # fmt: skip
    (content,) = prompt.contents
    assert content["role"] == "user"
    assert [part.get("text") or part["inlineData"]["mimeType"] for part in content["parts"]] == [
        "Before ", "image/png", " between ", "text/plain", " after\n",
    ]  # fmt: skip
    assert content["parts"][1]["inlineData"]["data"] == "iVBORw=="
    assert prompt.attachments[0].startswith("image data, image/png, 4 bytes")


def test_a_table_carries_the_name_it_has_in_the_notebook() -> None:
    pandas = pytest.importorskip("pandas")
    prompt = fill("Summarise {orders} and {orders.head(1)}", orders=pandas.DataFrame({"a": [1, 2]}))
    assert [words.rpartition(",")[0] for words in prompt.attachments] == [
        "table orders, 2 x 1", "table orders.head(1), 1 x 1",
    ]  # fmt: skip


def test_a_number_of_numpy_is_a_number() -> None:
    numpy = pytest.importorskip("numpy")
    assert said("{x} {flag} {d}", x=numpy.float64(2.5), flag=numpy.bool_(True), d={"n": numpy.int64(3)}) == (
        '2.5 True {"n": 3}'
    )


def test_a_long_text_is_told_with_its_size() -> None:
    assert fill("{log}", log="x" * 2_001).attachments == ("log, 2,001 characters",)
    assert fill("{log}", log="x" * 2_000).attachments == ()


@pytest.mark.parametrize(
    ("written", "telling"),
    [
        ("{who}", "{who} asks for what is not there: name 'who' is not defined"),
        ("\\frac{a}{b}", "{a} asks for what is not there"),
        ("{1 / (zero)}", "{1 / (zero)} raised ZeroDivisionError"),
        ("{zero.x}", "{zero.x} raised AttributeError"),
        ("{}", "Line 1 has a brace that begins no expression: {}"),
        ("one\ntwo {", "Line 2 has a brace that begins no expression: {"),
        ('{"a": 1}', "begins no expression"),
        ("{3}", "begins no expression"),
        ("{zero:nonsense}", "{zero} cannot be written out: ValueError"),
        ("{zero:{width}}", "Line 1 has a brace that begins no expression: {zero:{width}}"),
        ("{day:{form}}", "Line 1 has a brace that begins no expression: {day:{form}}"),
        ("{silent}", "cannot be written out: RuntimeError: no words"),
        ("{module}", "The prompt, module (module): a module is no prompt"),
        ("{function}", "a function is no prompt"),
        ("{plain}", "The prompt, plain (object)"),
        ("{data}", "The prompt, data (bytes): the first bytes do not tell their type"),
        ("{Path('not there.csv')}", "not there.csv"),
        ("{turn}", "{turn} is a turn of the model"),
        ("{round}", "Item 2.2 of the prompt, round[1][1] (list): a list in a list of a list"),
        ("{empty}", "The prompt is empty"),
        ("{empty} {empty}", "The prompt is empty"),
    ],
)
def test_what_cannot_be_sent_is_one_line_that_names_it(written: str, telling: str) -> None:
    names = {
        "zero": 0,
        "day": dt.date(2026, 11, 25),
        "width": 10,
        "form": "%Y",
        "silent": Silent(),
        "module": ModuleType("m"),
        "function": lambda: 1,
        "plain": object(),
        "data": b"\x00\x01",
        "turn": {"role": "model", "parts": [{"text": "hi"}]},
        "empty": "",
        "round": ["a"],
    }
    names["round"].append(names["round"])  # type: ignore[attr-defined]
    assert telling in refusal(written, **names)


def test_an_answer_is_its_text_and_one_that_is_written_is_refused() -> None:
    async def main() -> None:
        source = gem.ListSource([chunk(text("Paris"), finish="STOP")], [])
        run = await gem.Chat(source=source).send("Where?")
        assert fill("{run}", run=run).contents[0]["parts"] == [{"text": "Paris"}]
        going = gem.Chat(source=source).send("Where?")
        assert "still pending" in refusal("{run}", run=going)
        going.stop()
        await going.wait()

    asyncio.run(main())


@given(st.text(alphabet="ab{}\n :!", max_size=30))
def test_any_text_is_pieces_or_one_line(written: str) -> None:
    try:
        found = list(pieces(written))
    except InvalidPrompt as error:
        assert "\n" not in str(error)  # noqa: PT017  # either outcome is right
        return
    plain = "".join(piece for piece in found if isinstance(piece, str))
    assert all(piece.source for piece in found if isinstance(piece, Expression))
    assert len(plain) <= len(written)


@pytest.mark.parametrize("unit", ["{x} ", "{{}} ", "{(:", "{x:", ":}", '{a["', "{("])
def test_a_prompt_of_any_length_is_read_in_time_like_its_length(unit: str) -> None:
    def steps(count: int) -> int:
        tried = 0

        def note(*_: object) -> None:
            nonlocal tried
            tried += 1

        sys.setprofile(note)
        try:
            filled(unit * count + "}" * 100, lambda code: 1)
        except InvalidPrompt:
            pass
        finally:
            sys.setprofile(None)
        return tried

    assert steps(4_000) < 6 * steps(1_000) + 10_000


@given(st.text(max_size=60))
def test_a_text_whose_braces_are_doubled_is_itself(written: str) -> None:
    if written.strip():
        doubled = written.replace("{", "{{").replace("}", "}}")
        assert "".join(str(piece) for piece in pieces(doubled)) == written


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_a_list_of_json_is_its_json(value: Any) -> None:
    if isinstance(value, list):
        assert json.loads(said("{value}", value=value)) == value
