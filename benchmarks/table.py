"""One measured line, and the table of all of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

__all__ = ["Row", "as_json", "failure", "markdown", "note", "percentile", "single", "spread"]


@dataclass(frozen=True)
class Row:
    """`met` is None where no budget was set. `unit` belongs to `median` and `p95`."""

    what: str
    budget: str
    median: float | None
    p95: float | None
    unit: str
    n: int
    met: bool | None


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0.0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def spread(
    what: str,
    values: Sequence[float],
    unit: str = "ms",
    *,
    median: float | None = None,
    p95: float | None = None,
    whole: bool = True,
) -> Row:
    """Many measurements of one thing against the most its median and its p95 may be. `whole`: none is missing."""
    limits = [f"{name} <= {most:g} {unit}" for name, most in (("p50", median), ("p95", p95)) if most is not None]
    middle = statistics.median(values) if values else None
    high = percentile(values, 0.95) if values else None
    kept = [got is not None and got <= most for got, most in ((middle, median), (high, p95)) if most is not None]
    met = all(kept) and whole and bool(values) if kept else None
    return Row(what, ", ".join(limits), middle, high, unit, len(values), met)


def single(
    what: str, value: float, unit: str, *, most: float | None = None, below: float | None = None, n: int = 1
) -> Row:
    """One number (or a median of `n`) against the most it may be."""
    if below is not None:
        return Row(what, f"< {below:g} {unit}".strip(), value, None, unit, n, value < below)
    budget = "" if most is None else f"<= {most:g} {unit}".strip()
    return Row(what, budget, value, None, unit, n, None if most is None else value <= most)


def note(what: str, budget: str, met: bool, n: int = 1) -> Row:
    """Something that holds or does not."""
    return Row(what, budget, None, None, "", n, met)


def failure(group: str, error: BaseException) -> Row:
    """A group that could not be measured."""
    said = str(error).strip().splitlines()
    return Row(
        f"{group}: {type(error).__name__}: {said[0] if said else ''}"[:160], "to be measured", None, None, "", 0, False
    )


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | budget | median | p95 | n | met? |", "|---|---|--:|--:|--:|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        cells = [row.what, row.budget, _number(row.median, row.unit), _number(row.p95, row.unit), str(row.n), met]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def as_json(rows: Iterable[Row]) -> list[dict[str, object]]:
    """The rows as plain JSON."""
    return [asdict(row) for row in rows]
