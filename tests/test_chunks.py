from __future__ import annotations

import pytest

from gemstream_widget._stream.chunks import Chunk, ChunkLog, Frame
from gemstream_widget._stream.entries import End, Header
from gemstream_widget._stream.journal import Journal
from gemstream_widget._stream.record import Record
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


@pytest.mark.parametrize("count", [40, 3200])
def test_what_is_packed_takes_little_more_memory_than_the_text(count: int) -> None:
    log = filled(count)
    log.pack()
    kept = sum(map(len, log._full))
    assert len(log._block) == 0
    assert kept < sum(len(f"part {n} ") for n in range(count)) * 1.5


@pytest.mark.parametrize("every", [1, 3, 100, 300])
def test_chunks_come_back_wherever_they_were_packed_in_between(every: int) -> None:
    log = ChunkLog()
    for n in range(700):
        log.append(n / 10, n)
        if n % every == 0:
            log.pack()
    assert [c.wire for c in log] == [log[n].wire for n in range(700)] == list(range(700))
    assert [c.wire for c in log.fresh(350)][:1] == [350]


def test_a_chunk_that_another_thread_is_about_to_append_is_not_there_yet() -> None:
    log = filled(3)
    log._block.append(log._block[0])  # its arrival comes next
    assert [c.number for c in log.fresh(1)] == [1, 2]


def test_a_run_that_is_over_is_packed_and_what_comes_late_is_kept() -> None:
    record = Record(Journal(Header(run="r", model="m", demo=False, prompt=[], started_at=0.0)), "r1")
    for n in range(9):
        record.add_frame(n, n)
    assert len(record.chunks._block) == 9  # the control
    record.add(End(9.0, "failed"))
    assert len(record.chunks._block) == 0
    record.add_frame(9, 10.0)
    assert [c.wire for c in record.chunks] == list(range(10))
    loaded = Record(record.journal, "r2")
    loaded.replay()
    assert loaded.state.status == "failed"
    assert len(loaded.chunks._block) == 0


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
