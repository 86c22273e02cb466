from __future__ import annotations

import pytest

from gemstream_widget._stream.chunks import Chunk, ChunkLog
from tests.wire import chunk, text


def filled(count: int) -> ChunkLog:
    log = ChunkLog()
    for n in range(count):
        assert log.append(n // 100, n / 10, chunk(text(f"part {n} \ud83d"))) == n
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
        log.append(0, n, odd if n == 5 else n)
    assert repr(log[5].wire) == repr(odd)
    assert [c.wire for c in log[64:]] == list(range(64, 130))
