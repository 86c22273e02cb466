"""The short form of `make proof`: the groups that need a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.setting import Setting
from proof.groups import GROUPS, IN_BROWSER
from proof.report import proven

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def setting(browser: Any) -> Iterator[Setting]:
    """With the browser of the other tests: one driver per process."""
    setting = Setting(quick=True)
    setting.browser = browser
    yield setting
    setting.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", [name for name in GROUPS if name in IN_BROWSER])
def test_it_holds_in_short(name: str, setting: Setting) -> None:
    proven(GROUPS[name](setting))
