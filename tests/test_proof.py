"""The short form of `make proof`: every group without a browser, and what makes a row fail."""

from __future__ import annotations

import pytest

from benchmarks.setting import Setting
from proof.groups import GROUPS, IN_BROWSER
from proof.report import Control, Found, Row, markdown, proven

NOTICED = Control("a broken one", True)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", [name for name in GROUPS if name not in IN_BROWSER])
def test_it_holds_in_short(name: str) -> None:
    setting = Setting(quick=True)
    try:
        proven(GROUPS[name](setting))
    finally:
        setting.close()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("it ends", 3, ["the second did not"], NOTICED), "it ends: the second did not"),
        (Row("it ends", 0, [], NOTICED), "it ends: never tried"),
        (Row("it ends", 3, [], Control("one that hangs", False)), "control was not noticed: one that hangs"),
    ],
    ids=["failed", "never tried", "blind"],
)
def test_a_row_fails_by_its_failures_and_by_being_blind(row: Row, said: str) -> None:
    assert not row.holds
    with pytest.raises(AssertionError, match=said):
        proven(Found([row]))
    assert "**no**" in markdown([row])


def test_a_row_that_holds() -> None:
    row = Row("it ends", 3, [], NOTICED, times_ms=[1.0, 2.0, 30.0])
    proven(Found([row]))
    assert markdown([row]).splitlines()[2] == ("| it ends | 3 | 0 | 2.00 ms | 30.0 ms | a broken one: noticed | yes |")


def test_a_group_that_tried_nothing_does_not_hold() -> None:
    with pytest.raises(AssertionError, match="nothing was tried"):
        proven(Found([]))
