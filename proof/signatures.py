"""Random signatures as tools: what a function receives is what was approved, or it is refused where it is made."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings

from benchmarks.setting import Setting
from tests.test_signature_random import KINDS, LEFT_OUT, Parameter, faults_of, parameters

from .report import Control, Found, Row

__all__ = ["measure"]


def measure(setting: Setting) -> Found:
    """Names of pydantic's own, all kinds of parameters, defaults that are no JSON, fourteen kinds of hints."""
    faults: list[str] = []
    tried = 0

    @settings(
        max_examples=setting.count(3000, 100),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(parameters())
    def each(made: list[Parameter]) -> None:
        nonlocal tried
        tried += 1
        faults.extend(faults_of(made))

    each()
    one = Parameter("a", "", KINDS[0], LEFT_OUT, 1, 1)
    noticed = not faults_of([one]) and bool(faults_of([one._replace(gets=2)]))
    what = "tools: a function receives what was approved, or is refused where it is made"
    return Found([Row(what, tried, faults, Control("a function that gets another value", noticed))])
