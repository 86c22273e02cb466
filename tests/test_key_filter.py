"""Known keys do not reach a journal file, in one piece or in many, and nothing else of it changes."""

from __future__ import annotations

import copy
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemstream_widget import _redact
from gemstream_widget._archive.key_filter import KeyFilter

KEY = "AIzaSyD3f4ult-Key_0123456789abcdefghijk"
OTHER = "AQ.Ab8RN6Kxyz0123456789abcdefghijklmnopqr"
FREE = 6
Line = dict[str, Any]


@contextmanager
def knowing(*keys: str) -> Iterator[None]:
    with mock.patch.object(_redact, "_known", set(keys)), mock.patch.dict(os.environ):
        for name in _redact.KEY_VARIABLES:
            os.environ.pop(name, None)
        yield


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    with knowing(KEY):
        yield


def part_frame(*parts: Line, run: int = 1, raw: bool = False, index: int | None = None) -> Line:
    candidate: Line = {"content": {"parts": list(parts), "role": "model"}}
    if index is not None:
        candidate["index"] = index
    wire = {"candidates": [candidate]}
    line = {"kind": "frame", "run": run, "at_s": 0.5}
    return line | ({"raw": f"data: {json.dumps(wire)}\r\n\r\n"} if raw else {"wire": wire})


def frame(text: str, **more: Any) -> Line:
    return part_frame({"text": text}, **more)


def printed(text: str, call: str = "s0c0") -> Line:
    return {"kind": "print", "run": 1, "at_s": 0.5, "call": call, "text": text}


def passed(lines: list[Line], sieve: KeyFilter | None = None) -> list[Line]:
    """What is written of these lines in the end."""
    sieve = sieve or KeyFilter()
    before = copy.deepcopy(lines)
    out = [written for line in lines for written in sieve.push(line)] + sieve.flush()
    assert lines == before
    assert len(out) == len(lines)
    return out


def parts_of(line: Line) -> list[Line]:
    wire = line["wire"] if "wire" in line else json.loads(line["raw"].removeprefix("data:"))
    return list(wire["candidates"][0]["content"]["parts"])


def said(lines: list[Line], thought: bool = False) -> str:
    frames = [line for line in lines if line["kind"] == "frame"]
    return "".join(p["text"] for line in frames for p in parts_of(line) if p.get("thought", False) is thought)


def plain(text: str, keys: tuple[str, ...]) -> str:
    """With marks for keys, and without the free beginnings of keys that may stand before a mark."""
    text = re.sub("|".join(map(re.escape, sorted(keys, key=len, reverse=True))), "[key]", text)
    free = min(FREE, min(map(len, keys)) // 6)
    starts = sorted({key[:size] for key in keys for size in range(1, free + 1)}, key=len, reverse=True)
    return re.sub(f"(?:{'|'.join(map(re.escape, starts))})*{re.escape('[key]')}", "[key]", text)


# -- one line -----------------------------------------------------------------------------------------------------


def test_without_a_key_every_line_is_given_on_as_it_is() -> None:
    lines = [frame("AIzaSyD3f4 is none"), frame("x", raw=True), printed("out"), {"kind": "end", "run": 1}]
    for line, written in zip(lines, passed(lines), strict=True):
        assert written is line


def test_a_key_is_found_wherever_it_stands() -> None:
    header = {"kind": "run", "run": 1, "prompt": [{"parts": [{"text": f"my key: {KEY}!"}]}], "list": [[KEY]], "n": 1}
    result = {"kind": "result", "run": 1, "result": {KEY: {"deep": [{"er": f"<{KEY}>"}]}, "n": None}}
    assert KEY in json.dumps([header, result])  # the control
    assert passed([header, result]) == [
        header | {"prompt": [{"parts": [{"text": "my key: [key]!"}]}], "list": [["[key]"]]},
        result | {"result": {"[key]": {"deep": [{"er": "<[key]>"}]}, "n": None}},
    ]


def test_two_keys_as_names_lose_no_value() -> None:
    with knowing(KEY, OTHER):
        assert passed([{"kind": "result", "run": 1, "value": {KEY: 1, OTHER: 2, "[key]": 3}}])[0]["value"] == {
            "[key]": 1,
            "[key]'": 2,
            "[key]''": 3,
        }


def test_what_only_looks_like_a_key_stays() -> None:
    line = frame("AIza" + "x" * 35)
    assert passed([line]) == [line]


def test_a_key_of_the_environment_stays_known_when_its_variable_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    sieve = KeyFilter()
    assert sieve.push(frame(OTHER)) == [frame(OTHER)]  # the control
    monkeypatch.setenv("GEMINI_API_KEY", OTHER)
    assert sieve.push(frame(OTHER)) == [frame("[key]")]
    monkeypatch.delenv("GEMINI_API_KEY")
    assert sieve.push(frame(OTHER)) == [frame("[key]")]


def test_signatures_and_bytes_are_never_touched() -> None:
    parts = [
        {"text": "a", "thoughtSignature": KEY},
        {"inlineData": {"mimeType": "image/png", "data": f"AA{KEY}AA"}},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": KEY[:20]},
    ]
    prompt = {"kind": "run", "run": 1, "prompt": [{"role": "user", "parts": parts}]}
    lines = [prompt, part_frame(*parts), part_frame(*parts, raw=True), part_frame({"text": KEY[20:]})]
    assert passed(lines) == lines


def test_signatures_stay_where_the_text_beside_them_changes() -> None:
    line = part_frame({"text": f"a {KEY}", "thoughtSignature": KEY}, raw=True)
    assert parts_of(passed([line])[0]) == [{"text": "a [key]", "thoughtSignature": KEY}]


@pytest.mark.parametrize("names", [{"thoughtSignature": KEY}, {"inlineData": {"data": KEY}}])
@pytest.mark.parametrize("where", ["args", "response"])
def test_what_a_model_or_a_tool_calls_a_signature_is_none(names: Line, where: str) -> None:
    wrapped = {"functionCall" if where == "args" else "functionResponse": {where: {"parts": [names]}}}
    assert KEY in json.dumps(wrapped)  # the control
    assert KEY not in json.dumps(passed([part_frame(wrapped), part_frame(wrapped, raw=True)]))


# -- raw frames -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n\r\n", "\n\n", "\r\r", ""])
def test_a_raw_frame_with_a_key_is_written_anew_with_its_own_end(end: str) -> None:
    line = {"kind": "frame", "run": 1, "at_s": 0.5, "raw": f'data: {{"a": "é {KEY}",  "b": 1}}{end}', "hop": 0}
    assert passed([line]) == [line | {"raw": f'data: {{"a":"é [key]","b":1}}{end}', "redacted": True}]


def test_a_key_in_escapes_is_found() -> None:
    escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
    line = {"kind": "frame", "run": 1, "at_s": 0.5, "raw": f'data: {{"a":"{escaped}"}}\n\n'}
    assert json.loads(line["raw"][5:]) == {"a": KEY}  # the control
    assert passed([line])[0]["raw"] == 'data: {"a":"[key]"}\n\n'


def test_several_data_lines_are_read_as_one_and_the_other_lines_stay() -> None:
    raw = f'\ufeff: a comment\rdata: {{"a":\r\ndata:"{KEY}"}}\nid: {KEY}\r\n\r\n'
    (line,) = passed([{"kind": "frame", "run": 1, "raw": raw}])
    assert line["raw"] == ': a comment\rdata: {"a":"[key]"}\r\nid: [key]\r\n\r\n'
    clean = raw.replace(KEY, "none")
    assert passed([{"kind": "frame", "run": 1, "raw": clean}]) == [{"kind": "frame", "run": 1, "raw": clean}]


@pytest.mark.parametrize("raw", ["data: [DONE {}\r\n\r\n", "{}", 'data: {{"a": "{}\n\n'])
def test_a_raw_frame_that_is_no_json_is_searched_as_a_text(raw: str) -> None:
    line = {"kind": "frame", "run": 1, "raw": raw.replace("{}", KEY)}
    assert passed([line]) == [line | {"raw": raw.replace("{}", "[key]")}]


def test_what_is_nested_without_end_is_searched_too() -> None:
    deep: Any = KEY
    for _ in range(300):
        deep = {"a": [deep]}
    wire, raw = (
        {"kind": "frame", "run": 1, "wire": deep},
        {"kind": "frame", "run": 1, "raw": f"data: {json.dumps(deep)}"},
    )
    sieve = KeyFilter()
    out = sieve.push(wire) + sieve.push(raw) + sieve.push(frame("after"))
    assert len(out) == 3
    assert KEY not in json.dumps(out)
    assert "[key]" in out[1]["raw"]
    assert out[2] == frame("after")


# -- keys in pieces ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("size", [1, 2, 7, 10, 38])
def test_a_key_over_frames_leaves_one_mark(size: int, raw: bool) -> None:
    text = f"Your key is {KEY}, keep it."
    lines = [frame(text[at : at + size], raw=raw) for at in range(0, len(text), size)]
    assert said(lines) == text  # the control
    out = said(passed(lines))
    assert plain(out, (KEY,)) == "Your key is [key], keep it."
    assert KEY[: FREE + 1] not in out


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_the_first_piece_becomes_the_mark_and_the_others_go(cut: int) -> None:
    out = passed([frame(f"a{KEY[:cut]}"), frame(f"{KEY[cut:]}b")])
    free = cut <= FREE  # too little to wait for
    assert [parts_of(line) for line in out] == [
        [{"text": f"a{KEY[:cut]}" if free else "a[key]"}],
        [{"text": "[key]b" if free else "b"}],
    ]


def test_a_key_over_the_parts_of_one_frame() -> None:
    pieces = [{"text": "a" + KEY[:10]}, {"text": "thinking", "thought": True}, {"text": KEY[10:20]}, {"text": KEY[20:]}]
    assert parts_of(passed([part_frame(*pieces)])[0]) == [
        {"text": "a[key]"},
        {"text": "thinking", "thought": True},
        {"text": ""},
        {"text": ""},
    ]


def test_thoughts_and_candidates_are_streams_of_their_own() -> None:
    lines = [
        frame(KEY[:9], index=0),
        frame("between", index=1),
        part_frame({"text": KEY[:12], "thought": True}),
        frame(KEY[9:]),
        part_frame({"text": KEY[12:], "thought": True}),
    ]
    texts = [parts_of(line)[0]["text"] for line in passed(lines)]
    assert texts == ["[key]", "between", "[key]", "", ""]


def test_runs_and_calls_are_streams_of_their_own() -> None:
    lines = [frame(KEY[:9]), frame(KEY[9:], run=2), printed(KEY[:9], "s0c0"), printed(KEY[9:], "s0c1")]
    assert passed(lines) == lines
    lines = [printed(KEY[:9]), printed("between", "s0c1"), printed(KEY[9:20]), printed(KEY[20:] + "\n")]
    assert [line["text"] for line in passed(lines)] == ["[key]", "between", "", "\n"]


def test_a_key_over_pieces_of_arguments() -> None:
    def piece(text: str, path: str = "$.key") -> Line:
        return part_frame({"functionCall": {"partialArgs": [{"jsonPath": path, "stringValue": text}]}})

    out = passed([piece(KEY[:8]), piece("other", "$.b"), piece(KEY[8:])])
    args = [parts_of(line)[0]["functionCall"]["partialArgs"][0]["stringValue"] for line in out]
    assert args == ["[key]", "other", ""]


def test_a_line_waits_only_until_it_is_known_and_all_others_behind_it() -> None:
    sieve = KeyFilter()
    first, decision, no_key = frame("x " + KEY[:8]), {"kind": "decision", "run": 1}, frame("no key")
    assert sieve.push(first) == []
    assert sieve.push(decision) == []
    assert sieve.push(no_key) == [first, decision, no_key]


def test_an_answer_that_ends_like_a_key_begins_waits_for_nobody() -> None:
    sieve = KeyFilter()
    for text in ("Take option A", "AI", "AIzaSy"):
        assert sieve.push(frame(text)) == [frame(text)]


@pytest.mark.parametrize("last", [{"kind": "end", "run": 1}, None])
def test_the_end_of_the_run_or_a_flush_lets_a_beginning_go(last: Line | None) -> None:
    sieve, held = KeyFilter(), frame(KEY[:-1])
    assert sieve.push(held) == []
    assert (sieve.push(last) if last else sieve.flush()) == [held, *([last] if last else [])]
    assert sieve.flush() == []


def test_the_end_of_another_run_does_not() -> None:
    sieve = KeyFilter()
    assert sieve.push(frame(KEY[:-1])) == []
    assert sieve.push({"kind": "end", "run": 2}) == []
    assert len(sieve.push(frame(KEY[-1]))) == 3


def test_after_a_flush_a_key_is_still_not_whole() -> None:
    sieve = KeyFilter()
    out = sieve.push(frame(KEY[:20])) + sieve.flush() + sieve.push(frame(KEY[20:] + " and"))
    assert said(out) == KEY[:20] + "[key] and"


def test_of_two_keys_that_begin_alike_the_longer_counts() -> None:
    short, long = "abcdefghijkl", "abcdefghijkl-and-more"
    with knowing(short, long):
        sieve = KeyFilter()
        assert sieve.push(frame(f"x {short}")) == []
        assert said(sieve.push(frame("-and-more!"))) == "x [key]!"
        assert sieve.push(frame(short)) == []
        assert said(sieve.push(frame("-and-less"))) == "[key]-and-less"
        assert sieve.push(frame(short)) == []
        assert said(sieve.flush()) == "[key]"


@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        (["AAAAAAAAB"], "A[key]"),
        (["AAAAAAAA", "B"], "A[key]"),
        (["AAA", "AAA", "AAAB"], "AA[key]"),
        (["A"] * 8, "A" * 8),
    ],
)
def test_a_key_that_begins_like_what_stands_before_it(pieces: list[str], left: str) -> None:
    with knowing("AAAAAAAB"):
        assert said(passed([frame(piece) for piece in pieces])) == left


def test_half_a_key_that_never_goes_on_does_not_keep_all_others() -> None:
    sieve, thought = KeyFilter(), part_frame({"text": KEY[:20], "thought": True})
    out = [line for line in [thought, *(frame(str(n)) for n in range(3000))] for line in sieve.push(line)]
    assert len(out) == 3001
    assert out[0] == thought


@st.composite
def journals(draw: st.DrawFn) -> tuple[tuple[str, ...], list[Line]]:
    """Keys, and lines in which they may stand, cut anywhere."""
    keys = draw(st.lists(st.text("AB1", min_size=8, max_size=14), min_size=1, max_size=2, unique=True))
    if draw(st.booleans()):
        keys.append(keys[0] + draw(st.text("AB1", min_size=1, max_size=4)))
    starts = [key[:size] for key in keys for size in range(1, len(key))]
    snippet = st.sampled_from(keys) | st.sampled_from(starts) | st.text("AB1 é\n", max_size=4)
    lines: list[Line] = []
    streams = [draw(st.lists(snippet, max_size=8).map("".join)) for _ in range(2)]
    while any(streams):
        parts = []
        for _ in range(draw(st.integers(1, 3))):
            which = draw(st.integers(0, 1))
            size = draw(st.integers(0, 9))
            text, streams[which] = streams[which][:size], streams[which][size:]
            parts.append({"text": text} | ({"thought": True} if which else {}))
        lines.append(part_frame(*parts))
        if draw(st.integers(0, 5)) == 0:
            lines.append({"kind": "decision", "run": 1})
    raw = draw(st.booleans())
    if raw:
        lines = [part_frame(*parts_of(line), raw=True) if "wire" in line else line for line in lines]
    return tuple(keys), [line | {"n": n} for n, line in enumerate(lines)]


@settings(max_examples=400, deadline=None)
@given(journals())
def test_any_key_cut_anywhere_is_gone_and_all_else_is_there(journal: tuple[tuple[str, ...], list[Line]]) -> None:
    keys, lines = journal
    with knowing(*keys):
        out = passed(lines)
    assert [line["n"] for line in out] == [line["n"] for line in lines]
    for thought in (False, True):
        before, after = said(lines, thought), said(out, thought)
        assert not any(key in after for key in keys)
        assert plain(after, keys) == plain(before, keys)
    if not any(key in said(lines, thought) for key in keys for thought in (False, True)):
        assert out == lines


# -- cost -------------------------------------------------------------------------------------------------------------


def test_the_cost_of_a_frame_does_not_grow() -> None:
    def seconds(count: int) -> float:
        sieve, lines = KeyFilter(), [frame(f"{KEY[n % 39]}{n % 7}", raw=True) for n in range(count)]
        began = time.process_time()
        for line in lines:
            assert sieve.push(line)
        return time.process_time() - began

    with knowing(KEY, OTHER):
        few, many = min(seconds(2_000) for _ in range(3)), seconds(40_000)
    assert many < few * 20 * 2


def test_a_key_said_over_and_over_costs_no_more() -> None:
    sieve = KeyFilter()
    began = time.process_time()
    for n in range(20_000):
        sieve.push(frame(KEY[n % 39]))
    assert (time.process_time() - began) / 20_000 < 500e-6
