"""What `make matrix` tries, and what it takes for a failure."""

from __future__ import annotations

import tomllib

import pytest

from proof.matrix import ROOT, Combination, Result, bounds, combinations, table


def test_every_dependency_has_a_lower_bound_that_is_tried_alone_and_with_all_others() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [f"{name}>={bound}" for name, bound in bounds().items()] == project["dependencies"]
    tried = {one.name: one for one in combinations(["/somewhere/python3.99"])}
    lowest = tuple(f"{name}=={bound}" for name, bound in bounds().items())
    assert tried["lowest"].requirements == lowest
    assert {tried[f"lowest {name}"].requirements for name in bounds()} == {(one,) for one in lowest}
    assert tried["newest"].requirements == ()
    assert tried["newest on python3.99"].python == "/somewhere/python3.99"
    assert [one.name for one in tried.values() if one.is_control] == ["below the bound"]


@pytest.mark.parametrize(
    ("is_control", "passed", "holds"),
    [(False, True, True), (False, False, False), (True, True, False), (True, False, True)],
)
def test_a_control_that_passes_is_a_failure(is_control: bool, passed: bool, holds: bool) -> None:
    combination = Combination("one", is_control=is_control)
    assert Result(combination, {}, "9 passed", passed, {}, 1.0).holds is holds


def test_the_table_tells_versions_and_loops() -> None:
    newest = Result(Combination("newest"), {"a": "2", "b": "3"}, "10 passed in 3.2s", True, {}, 1.0)
    loops = {"ours": {"one": {"whole": 60}}, "a user's own": {"one": {"whole": 55, "hung": 5}}}
    low = Result(Combination("lowest a"), {"a": "1", "b": "3"}, "10 passed in 4.2s", True, loops, 1.0)
    assert table([newest, low]).splitlines()[2:] == [
        "| newest | nothing | 10 passed | not tried | not tried |",
        "| lowest a | a 1 | 10 passed | 60 of 60 | 55 of 60 |",
    ]
