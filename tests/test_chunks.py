from __future__ import annotations

import pytest

from gemstream_widget._stream.chunks import Chunk, ChunkLog, Frame
from tests.wire import chunk, text


def filled(count: int) -> ChunkLog:
    log = ChunkLog()
    for n in range(count):
        if n % 100 == 0:
            log.begin_step()
        assert log.append(n / 10, chunk(text(f"part {n} \ud83d"))) == n
    return log


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 500])
def test_chunks_come_back_as_they_went_in(count: int) -> None:
    log = filled(count)
    assert len(log) == count
    assert list(log) == [Chunk(n, n // 100, n / 10, chunk(text(f"part {n} \ud83d"))) for n in range(count)]


def test_indexing_is_that_of_a_sequence() -> None:
    log = filled(130)
    assert log[-1].number == 129
    assert [c.number for c in log[60:70:3]] == [60, 63, 66, 69]
    with pytest.raises(IndexError, match="chunk 130 of 130"):
        log[130]


def test_full_blocks_take_little_more_memory_than_the_text() -> None:
    log = filled(64 * 50)
    kept = sum(map(len, log._full))
    assert len(log._block) == 0
    assert kept < sum(len(f"part {n} ") for n in range(64 * 50)) * 1.5


def test_what_is_no_json_is_kept_too() -> None:
    log = ChunkLog()
    odd = {(1, 2): object()}
    for n in range(130):
        log.append(n, odd if n == 5 else n)
    assert repr(log[5].wire) == repr(odd)
    assert [c.wire for c in log[64:]] == list(range(64, 130))


@pytest.mark.parametrize("count", [3, 64, 100])
def test_a_source_may_go_on_using_the_chunk_it_gave(count: int) -> None:
    log, one = ChunkLog(), chunk(text(""))
    for n in range(count):
        one["candidates"][0]["content"]["parts"][0]["text"] = str(n)
        log.append(n, one)
    one.clear()
    assert [c.wire["candidates"][0]["content"]["parts"][0]["text"] for c in log] == [str(n) for n in range(count)]


def test_texts_frames_and_what_is_no_json_come_back_as_what_they_are() -> None:
    log = ChunkLog()
    given = ["{}", Frame('data: {"a": 1}\r\n\r\n'), None, float("inf"), '"', {1, 2}]
    for n in range(130):
        log.append(n, given[n % len(given)] if n >= 64 else given[n % 4])
    for n, one in enumerate(log):
        wanted = given[n % len(given)] if n >= 64 else given[n % 4]
        assert (one.raw or one.wire) == wanted
        assert log[n] == one
