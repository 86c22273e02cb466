"""What is tried in a kernel: a page asks for something in some situation, and the kernel's own times tell when it was
heard. Nothing here knows what to expect.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from gemstream_widget._plain import Wire

from .kernel_client import Cell, Kernel
from .page import Page

__all__ = [
    "AFTER",
    "AT_ONCE",
    "AT_ONCE_MS",
    "NEVER",
    "OPS",
    "RUNNERS",
    "SITUATIONS",
    "Case",
    "Try",
    "attempt",
    "interrupted",
    "longest_silence_ms",
    "middle_ms",
    "verdicts",
]

AT_ONCE_MS = 500.0
AT_ONCE, AFTER, LATE, NEVER = "at once", "after the cell", "late", "not heard"
RETURNED, AWAITING = "the cell has returned", "the cell awaits the run"
ANOTHER_BLOCKS, SAME_BLOCKS = "another cell blocks", "the same cell blocks"
SITUATIONS = (RETURNED, AWAITING, ANOTHER_BLOCKS, SAME_BLOCKS)
RUNNERS = ("loop", "thread")
OPS = ("stop", "stop_run", "decide")
_LIMIT_S = 10.0


@dataclass(frozen=True)
class Case:
    """`op`: the Stop as a message or as the trait `stop_run`, or a decision. `subshell`: the message names one."""

    situation: str
    runner: str
    op: str
    subshell: bool

    @property
    def blocks(self) -> bool:
        return self.situation in (ANOTHER_BLOCKS, SAME_BLOCKS)

    @property
    def begins_later(self) -> bool:
        """The runs begin only when the cell has ended."""
        return self.situation == SAME_BLOCKS and self.runner == "loop"

    @property
    def possible(self) -> bool:
        """A run that has not begun has nothing to decide."""
        return not (self.begins_later and self.op == "decide")

    def __str__(self) -> str:
        return f"{self.op} while {self.situation}, runner {self.runner}{', by a subshell' if self.subshell else ''}"


@dataclass(frozen=True)
class Try:
    """When one request took effect: milliseconds after it was sent or, where it had to wait, after the cell."""

    verdict: str
    ms: float
    faults: Sequence[str]


def verdicts(tries: Sequence[Try]) -> set[str]:
    return {one.verdict for one in tries}


def middle_ms(tries: Sequence[Try]) -> float:
    return median(one.ms for one in tries)


def attempt(
    kernel: Kernel, case: Case, count: int, *, patience_s: float, sends: bool = True, limit_s: float = _LIMIT_S
) -> list[Try]:
    """`count` runs at once, each asked for one thing. Where nothing is heard, the situation lasts `patience_s`; a run
    to which nothing is sent ends by itself after `limit_s`.
    """
    cell, pages = _begin(kernel, case, count, limit_s)
    sent_at = []
    patience = patience_s
    for page in pages:
        sent_at.append(kernel.send(page, _request(case.op, page), subshell=case.subshell) if sends else time.time())
        if len(sent_at) < count and not kernel.hear(lambda page=page: _heard(case, page), patience):  # type: ignore[misc]
            patience = 0.0  # it lasts once more, below
    kernel.hear(lambda: all(_heard(case, page) for page in pages), patience_s)
    freed_at, rows = _finish(kernel, cell)
    tries = []
    for page, at, row in zip(pages, sent_at, rows, strict=True):
        effect_at, faults = _result(case, row)
        faults += page.faults(row["state"])
        if cell.error is not None:
            faults.append(f"the cell shows {cell.error}")
        tries.append(_judge(at, effect_at, freed_at, faults))
    return tries


def interrupted(kernel: Kernel, runner: str, op: str, *, interrupts: bool = True, limit_s: float = _LIMIT_S) -> Try:
    """Interrupt a cell that awaits a run: one that streams or, with `op` "decide", one in silence."""
    cell, (page,) = _begin(kernel, Case(AWAITING, runner, op, False), 1, limit_s, awaits="there.runs[0]")
    sent_at = time.time()
    if interrupts:
        kernel.interrupt()
    _, (row,) = _finish(kernel, cell)
    faults = page.faults(row["state"])
    if (row["status"], row["by"]) != ("cancelled", "interrupt"):
        faults.append(f"the run is {row['status']}, by {row['by']}")
    if cell.error != "CancelledError":
        faults.append(f"the cell shows {cell.error}")
    if kernel.run("print(1 + 1)").strip() != "2":
        faults.append("the kernel does not go on")
    return _judge(sent_at, row["stopped_at"], None, faults)


def longest_silence_ms(kernel: Kernel, runner: str, window_s: float) -> float:
    """How long a page that shows a stream heard nothing of it, at most, while a cell blocked."""
    case = Case(ANOTHER_BLOCKS, runner, "stop", False)
    cell, (page,) = _begin(kernel, case, 1, _LIMIT_S)
    began_at = time.time()
    kernel.hear(lambda: False, window_s)
    times = [began_at, *(at for at in page.patched_at if at > began_at), time.time()]
    kernel.send(page, _request("stop", page), subshell=False)
    _finish(kernel, cell)
    return max(1000 * (after - before) for before, after in pairwise(times))


def _begin(
    kernel: Kernel, case: Case, count: int, limit_s: float, awaits: str = "there.ended()"
) -> tuple[Cell, list[Page]]:
    """Make the runs and the situation; the cell that is, or was, the situation, and a page for each run."""
    kernel.pages.clear()
    free = kernel.folder / "free"
    free.unlink(missing_ok=True)
    wants = "decision" if case.op == "decide" else "text"
    ask = f"there.ask({wants!r}, {case.runner!r}, {count}, {limit_s})"
    block = f"there.block({str(free)!r}, {limit_s})"

    def ready() -> bool:
        pages = kernel.pages.values()
        came = all(case.begins_later or page.pending or page.streams for page in pages)
        return len(pages) == count and came

    cell = kernel.start({AWAITING: f"{ask}\nawait {awaits}", SAME_BLOCKS: f"{ask}\n{block}"}.get(case.situation, ask))
    kernel.wait(ready, f"the runs to stream, or to ask: {case}")
    if case.situation in (RETURNED, ANOTHER_BLOCKS):
        kernel.finish(cell)
    if case.situation == ANOTHER_BLOCKS:
        cell = kernel.start(block)
    if case.blocks:
        kernel.wait(lambda: "blocked" in cell.printed, f"the cell to block: {case}")
    return cell, list(kernel.pages.values())


def _finish(kernel: Kernel, cell: Cell) -> tuple[float | None, list[Wire]]:
    """End the situation: when a blocking cell was over, and what became of each run."""
    (kernel.folder / "free").touch()
    kernel.finish(cell)
    report = json.loads(kernel.run("await there.report()"))
    return report["freed_at"], report["runs"]


def _request(op: str, page: Page) -> Wire:
    """What the page sends; docs/protocol.md."""
    if op == "stop_run":
        return {"method": "update", "state": {"stop_run": page.run}, "buffer_paths": []}
    if op == "stop":
        return {"method": "custom", "content": {"op": "stop", "run": page.run}}
    call = page.pending or {}
    decision = {"verdict": "approve", "args": None, "reason": None, "scope": "once"}
    content = {"op": "decide", "run": page.run, "call": call.get("id"), "hash": call.get("hash"), **decision}
    return {"method": "custom", "content": content}


def _heard(case: Case, page: Page) -> bool:
    return page.decided if case.op == "decide" else page.ended


def _result(case: Case, row: Wire) -> tuple[float | None, list[str]]:
    """When the request took effect, if it did, and what else it did."""
    at, status, uses = (
        (row["decided_at"], "completed", 1) if case.op == "decide" else (row["stopped_at"], "cancelled", 0)
    )
    if at is None or row["by"] not in ("button", None):
        return None, []
    faults = [f"the tool ran {row['uses']} times"] if row["uses"] != uses else []
    return at, faults + ([f"the run is {row['status']}"] if row["status"] != status else [])


def _judge(sent_at: float, effect_at: float | None, freed_at: float | None, faults: list[str]) -> Try:
    if effect_at is None:
        return Try(NEVER, 1000 * (time.time() - sent_at), faults)
    waited = freed_at is not None and effect_at >= freed_at
    ms = 1000 * (effect_at - (freed_at if waited and freed_at is not None else sent_at))
    return Try(LATE if ms > AT_ONCE_MS else AFTER if waited else AT_ONCE, ms, faults)
