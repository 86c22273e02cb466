"""What one harness found, and the table of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.table import percentile

__all__ = ["Control", "Found", "Row", "broken", "markdown", "proven"]


@dataclass(frozen=True)
class Control:
    """Something broken on purpose, and whether the harness noticed: one that cannot fail proves nothing."""

    what: str
    noticed: bool


@dataclass(frozen=True)
class Row:
    """One claim, tried `n` times. `failures`: what went wrong, one entry each. `times_ms`: of each try, if timed."""

    what: str
    n: int
    failures: Sequence[str]
    control: Control
    times_ms: Sequence[float] = ()

    @property
    def holds(self) -> bool:
        return self.n > 0 and not self.failures and self.control.noticed


@dataclass(frozen=True)
class Found:
    """The rows of one group, and what it says beside them: `text` is Markdown for the report."""

    rows: Sequence[Row]
    text: str = ""
    skipped: Sequence[str] = field(default=())
    """What could not be tried on this machine, and why."""


def broken(group: str, error: BaseException) -> Row:
    """A group that could not be run counts as failed."""
    return Row(group, 0, [f"{type(error).__name__}: {error}"], Control("not reached", False))


def proven(found: Found) -> None:
    """Raise AssertionError with every failure in words; for tests."""
    faults = [f"{row.what}: {fault}" for row in found.rows for fault in _faults(row)]
    assert found.rows, "nothing was tried"
    assert not faults, "\n".join(faults)


def _faults(row: Row) -> list[str]:
    faults = list(row.failures)
    if not row.n:
        faults.append("never tried")
    if not row.control.noticed:
        faults.append(f"the control was not noticed: {row.control.what}")
    return faults


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | n | failures | p50 | p95 | control (broken on purpose) | holds |",
        "|---|--:|--:|--:|--:|---|---|",
    ]
    for row in rows:
        control = f"{row.control.what}: {'noticed' if row.control.noticed else '**not noticed**'}"
        timed = [_ms(median(row.times_ms)), _ms(percentile(row.times_ms, 0.95))] if row.times_ms else ["", ""]
        cells = [row.what, f"{row.n:,}", str(len(row.failures)), *timed, control, "yes" if row.holds else "**no**"]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _ms(value: float) -> str:
    return f"{value:,.{1 if value >= 10 else 2}f} ms"
