"""Events are cut out of bytes wherever these are cut, and no byte is lost."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemstream_widget._engine.sse import FrameReader
from gemstream_widget._stream.chunks import ChunkLog, Frame


def frames(*pieces: bytes) -> list[Frame]:
    reader = FrameReader()
    return [*(frame for piece in pieces for frame in reader.push(piece)), *reader.rest()]


def wires(data: bytes) -> list[object]:
    return [wire for frame in frames(data) if (wire := frame.wire) is not None]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'data: {"a": 1}\n\n', [{"a": 1}]),
        (b'data: {"a": 1}\r\n\r\ndata: {"a": 2}\r\n\r\n', [{"a": 1}, {"a": 2}]),
        (b'data: {"a": 1}\r\rdata: {"a": 2}\r\r', [{"a": 1}, {"a": 2}]),
        (b'data: {"a": 1}\n\r\n', [{"a": 1}]),
        (b'data: {"a": 1}\r\n\n', [{"a": 1}]),
        (b'data:{"a": 1}\n\n', [{"a": 1}]),
        (b'data: {\ndata: "a": 1\ndata\ndata:}\n\n', [{"a": 1}]),
        (b': hello\nevent: x\nid: 7\nretry: 5\ndata: {"a": 1}\n\n', [{"a": 1}]),
        (b': keep-alive\n\ndata: {"a": 1}\n\n', [{"a": 1}]),
        (b'data: {"a": 1}\n\ndata: [DONE]\n\n', [{"a": 1}]),
        (b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', [{"a": 1}]),
        (b'data: {"a": 1}', [{"a": 1}]),
        (b'data: {"a": 1}\r', [{"a": 1}]),
        (b'data: {"a": 1', ['{"a": 1']),
        (b"data: garbage\n\n", ["garbage"]),
        (b'\xef\xbb\xbfdata: {"a": 1}\n\n', [{"a": 1}]),
        (b'{"error": {"code": 500}}', [{"error": {"code": 500}}]),
        (b'data: {"a": "\xe2\x80\xa8\x0b"}\n\n', ['{"a": "\u2028\x0b"}']),  # a raw control character is no JSON
        (b'data: {"a": "\xe2\x80\xa8\xc2\x85"}\n\n', [{"a": "\u2028\x85"}]),
        (b"x-nobody: knows\n\n", []),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_what_an_event_says(data: bytes, found: list[object]) -> None:
    assert wires(data) == found
    assert all_bytes(frames(data)) == data


def all_bytes(found: list[Frame]) -> bytes:
    return "".join(found).encode("utf-8", "surrogateescape")


LINES = st.sampled_from(
    [
        b"data: {}",
        b'data:{"t":"\xf0\x9f\x98\x80"}',
        b": c",
        b"event: e",
        b"id: 1",
        b"",
        b"data: [DONE]",
        b"\xff\xfe",
        b"data",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=400)
@given(st.lists(st.tuples(LINES, ENDS), max_size=14), st.lists(st.integers(0, 120), max_size=12))
def test_no_byte_is_lost_and_no_meaning_depends_on_where_it_is_cut(
    lines: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    data = b"".join(line + end for line, end in lines)
    places = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    cut = frames(*pieces)
    assert all_bytes(cut) == data
    assert [f.wire for f in cut if f.wire is not None] == wires(data)
    one_by_one = frames(*(bytes([b]) for b in data))
    assert [f.wire for f in one_by_one if f.wire is not None] == wires(data)


def test_an_event_is_given_as_soon_as_it_is_whole() -> None:
    reader = FrameReader()
    assert list(reader.push(b'data: {"a": 1}\r\n\r')) == []
    assert [f.wire for f in reader.push(b"\n")] == [{"a": 1}]
    assert [f.wire for f in reader.push(b"data: 2\n\n")] == [2]
    assert [f.wire for f in reader.push(b"data: 3\r\r")] == [3]  # and does not wait for the next


def test_bytes_that_are_no_text_come_back_the_same() -> None:
    (frame,) = frames(b'data: {"a": "\xe2\x82"}\n\n')
    assert frame.wire == {"a": "\ufffd"}  # as everybody else reads it; the frame is the bytes
    log = ChunkLog()
    for _ in range(130):  # also when they are packed
        log.append(0.0, frame)
    assert {chunk.raw for chunk in log} == {frame}
    assert log[3].raw is not None
    assert log[3].raw.encode("utf-8", "surrogateescape") == b'data: {"a": "\xe2\x82"}\n\n'


def test_the_cost_follows_the_bytes_however_small_the_pieces_are() -> None:
    """A long event in small pieces: looking at all of it again for each would take the square of its length."""

    def cost(size: int) -> float:
        data = b"data: " + json.dumps({"text": "x" * size}).encode() + b"\n\n"
        reader = FrameReader()
        began = time.process_time()
        for at in range(0, len(data), 64):
            list(reader.push(data[at : at + 64]))
        return time.process_time() - began

    cost(10_000)
    small = min(cost(100_000) for _ in range(3))
    large = min(cost(800_000) for _ in range(3))
    assert large < 8 * small * 2.5
