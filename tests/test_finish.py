from __future__ import annotations

from typing import Any

import pytest

from gemstream_widget._stream.outcome import BLOCK_REASONS, FINISH_REASONS, failure_of, notice_of
from gemstream_widget.errors import EmptyResponse, MalformedCall, PromptBlocked, ResponseBlocked, StreamTruncated
from tests.play import Played
from tests.wire import chunk, text


@pytest.mark.parametrize("reason", FINISH_REASONS)
def test_every_finish_reason_ends_well_with_words_or_fails_with_words(reason: str) -> None:
    step = Played([chunk(text("a"), finish=reason)]).step
    failure, notice = failure_of(step), notice_of(step, content=True)
    if reason == "STOP":
        assert (failure, notice) == (None, None)
    else:
        told = str(failure) if failure else str(notice)
        assert reason in told
        assert (failure is None) != (notice is None)


@pytest.mark.parametrize("reason", BLOCK_REASONS)
def test_every_block_reason_is_told_in_words(reason: str) -> None:
    failure = failure_of(Played([{"promptFeedback": {"blockReason": reason}}]).step)
    assert isinstance(failure, PromptBlocked)
    assert BLOCK_REASONS[reason] in str(failure)
    assert reason in str(failure)


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([chunk(text("a"), finish="SAFETY")], ResponseBlocked),
        ([chunk(finish="MALFORMED_FUNCTION_CALL")], MalformedCall),
        ([chunk(text("a"))], StreamTruncated),
        ([], EmptyResponse),
    ],
)
def test_failures_have_their_own_type(chunks: list[Any], kind: type) -> None:
    assert type(failure_of(Played(chunks).step)) is kind


def test_an_unknown_reason_and_an_empty_answer_are_noticed() -> None:
    new = Played([chunk(text("a"), finish="SOMETHING_NEW")]).step
    assert "SOMETHING_NEW" in str(notice_of(new, content=True))
    silent = Played([chunk(finish="STOP")]).step
    assert "without saying anything" in str(notice_of(silent, content=False))
