"""The kernel matrix: Stop, decisions, text and the kernel's interrupt with four ipykernels, over their own sockets.

A kernel hears what a page sends on its shell socket. Who reads that socket, and when, differs from version to version;
what gemstream_widget does about it is in fastlane.py and loops.py.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version as installed
from itertools import product
from pathlib import Path

from benchmarks.setting import ROOT, Setting

from .kernel_cases import (
    AFTER,
    AT_ONCE,
    AT_ONCE_MS,
    NEVER,
    OPS,
    RUNNERS,
    SITUATIONS,
    Case,
    Try,
    attempt,
    interrupted,
    longest_silence_ms,
    middle_ms,
    verdicts,
)
from .kernel_client import Kernel, kernel_of
from .page import Page
from .report import Control, Found, Row

__all__ = ["ENVIRONMENTS", "environments", "measure", "number"]

ENVIRONMENTS = ROOT / ".kernels"
"""One environment per ipykernel, by its version: `make kernels`."""
_VERSIONS = ("6.31.0", "7.0.1", "7.3.0", "7.4.0")  # KERNELS in the Makefile
_RETURNED, _AWAITING, _BLOCKED, _DEAF, _FLOWS, _WHOLE, _INTERRUPTED = (
    "cell returned: Stop and decisions are heard at once",
    "cell awaiting: Stop and decisions are heard at once",
    'a cell blocks, ipykernel 7, runner="thread": Stop and decisions are heard at once',
    'a cell blocks, ipykernel 6 or runner="loop": they are heard when it ends, none is lost',
    'a cell blocks, runner="thread": text keeps flowing',
    "each run ended once, its page holds what the kernel holds, an approved call ran once",
    "kernel interrupt of an awaiting cell: run cancelled at once, CancelledError shown, kernel goes on",
)
_WHY = {
    "the cell has returned": "the kernel is idle and handles each message as it comes",
    "the cell awaits the run": "before 7.4 messages wait for the cell; the fast lane looks at them as they arrive",
    "another cell blocks": "7 reads its socket in a thread, where the fast lane looks; 6 does not read it until then",
    "the same cell blocks": "as above",
}
_WHY_LOOP = "the run lives on the loop that is blocked"


class _Tally:
    """Tries, failures and controls of each claim."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self.failures: defaultdict[str, list[str]] = defaultdict(list)
        self.times_ms: defaultdict[str, list[float]] = defaultdict(list)
        self.controls: defaultdict[str, list[Control]] = defaultdict(list)

    def add(self, claim: str, faults: Iterable[str], ms: float | None = None) -> None:
        self.counts[claim] += 1
        self.failures[claim] += faults
        if ms is not None:
            self.times_ms[claim].append(ms)

    def row(self, claim: str) -> Row:
        """All controls of a claim must be noticed."""
        controls = self.controls[claim]
        what = "; ".join(dict.fromkeys(control.what for control in controls))
        control = Control(what, bool(controls) and all(control.noticed for control in controls))
        return Row(claim, self.counts[claim], self.failures[claim], control, self.times_ms[claim])


def measure(setting: Setting) -> Found:
    """In short, only the kernel of this environment."""
    pythons, skipped = environments(setting)
    tally = _Tally()
    tries = {}
    for version, python in pythons.items():
        with kernel_of(python) as kernel:
            kernel.run("from proof import in_kernel as there\nawait there.begin()")
            for runner, op in product(RUNNERS, ("stop", "decide")):
                for _ in range(setting.count(3, 1)):
                    one = interrupted(kernel, runner, op)
                    late = [] if one.verdict == AT_ONCE else [f"{one.verdict}, {one.ms:.0f} ms"]
                    silent = "in silence" if op == "decide" else "mid-stream"
                    tally.add(_INTERRUPTED, _of(version, f"{runner}, {silent}", [*late, *one.faults]), one.ms)
            tries[version] = _cases(setting, kernel, version, tally)
            _controls(setting, kernel, version, tally)
            for _ in range(setting.count(3, 1)):
                silence = longest_silence_ms(kernel, "thread", setting.count(10, 6) / 10)
                slow = [f"silence for {silence:.0f} ms"] if silence > AT_ONCE_MS else []
                tally.add(_FLOWS, _of(version, "thread", slow), silence)
    claims = (_RETURNED, _AWAITING, _BLOCKED, _DEAF, _FLOWS, _WHOLE, _INTERRUPTED)
    return Found([tally.row(claim) for claim in claims], _table(tries), skipped)


def environments(setting: Setting) -> tuple[dict[str, Path], list[str]]:
    """The interpreter of each ipykernel, by its version, and those that are not there; in short, only our own."""
    if setting.quick:
        return {installed("ipykernel"): Path(sys.executable)}, []
    pythons = {version: ENVIRONMENTS / version / "bin" / "python" for version in _VERSIONS}
    missing = [version for version, python in pythons.items() if not python.exists()]
    skipped = [f"ipykernel {version}: build its environment with `make kernels`" for version in missing]
    return {version: python for version, python in pythons.items() if python.exists()}, skipped


def number(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, to compare."""
    return tuple(int(part) for part in version.split(".")[:2])


def _cases(setting: Setting, kernel: Kernel, version: str, tally: _Tally) -> dict[Case, list[Try]]:
    found = {}
    lanes = (False, True) if kernel.subshell else (False,)
    every = (Case(s, r, op, lane) for s in SITUATIONS for r in RUNNERS for op in OPS for lane in lanes)
    for case in (case for case in every if case.possible):
        claim, expected = _claim(case, version)
        patience_ms = AT_ONCE_MS if expected == AT_ONCE else setting.count(600, 150)
        found[case] = attempt(kernel, case, setting.count(5, 1), patience_s=patience_ms / 1000)
        for one in found[case]:
            wrong = [f"{one.verdict}, {one.ms:.0f} ms"] if one.verdict != expected else []
            tally.add(claim, _of(version, case, wrong), one.ms)
            tally.add(_WHOLE, _of(version, case, one.faults))
    return found


def _claim(case: Case, version: str) -> tuple[str, str]:
    """The claim a case belongs to, and when it must be heard."""
    if not case.blocks:
        return (_RETURNED if case.situation == SITUATIONS[0] else _AWAITING), AT_ONCE
    return (_BLOCKED, AT_ONCE) if case.runner == "thread" and number(version) >= (7, 0) else (_DEAF, AFTER)


def _of(version: str, what: object, faults: Iterable[str]) -> list[str]:
    return [f"ipykernel {version}, {what}: {fault}" for fault in faults]


def _controls(setting: Setting, kernel: Kernel, version: str, tally: _Tally) -> None:
    """What is broken on purpose in this kernel."""
    returned, awaiting, blocked = (Case(situation, "thread", "stop", False) for situation in SITUATIONS[:3])
    for claim, case in ((_RETURNED, returned), (_AWAITING, awaiting), (_DEAF, blocked)):
        unasked = attempt(kernel, case, 1, patience_s=0.0, sends=False, limit_s=0.3)
        tally.controls[claim].append(Control("no Stop sent", verdicts(unasked) == {NEVER}))
    kernel.run("there.fast_lane(False)")
    if number(version) < (7, 4):
        late = attempt(kernel, awaiting, 1, patience_s=0.6, limit_s=0.6)
        tally.controls[_AWAITING].append(Control("before 7.4 without the fast lane", AT_ONCE not in verdicts(late)))
    late = attempt(kernel, blocked, 1, patience_s=0.6)
    if number(version) >= (7, 0):
        tally.controls[_BLOCKED].append(Control("without the fast lane", verdicts(late) == {AFTER}))
    kernel.run("there.fast_lane(True)")
    silence = longest_silence_ms(kernel, "loop", 0.6)
    tally.controls[_FLOWS].append(Control('runner="loop"', silence > AT_ONCE_MS))
    let_be = interrupted(kernel, "loop", "stop", interrupts=False, limit_s=0.3)
    tally.controls[_INTERRUPTED].append(Control("no interrupt", let_be.verdict == NEVER and bool(let_be.faults)))
    tally.controls[_WHOLE].append(Control("a patch left out, an end told twice, text that differs", _pages_notice()))


def _pages_notice() -> bool:
    """Whether a page finds what is wrong in each of some broken streams, and nothing in a good one."""
    text, end = [["=", ["parts"], ["said"]]], [["=", ["status"], "completed"]]
    faults = []
    for patches in ({1: text, 2: end}, {2: end}, {1: text, 2: end, 3: end}, {1: end}, {1: text}):
        page = Page("", {"runs": [{"seq": 0, "state": {"status": "streaming", "parts": []}}]})
        for seq, ops in patches.items():
            page.take({"method": "custom", "content": {"op": "patch", "seq": seq, "ops": ops}}, 0.0)
        faults.append(page.faults({"status": "completed", "parts": ["said"]}))
    return not faults[0] and all(faults[1:])


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(tries: dict[str, dict[Case, list[Try]]]) -> str:
    lines = [
        "What a page sends to the kernel, and when it takes effect: Stop by message, Stop by trait and approvals, each "
        "with a subshell's id and without (6.31 has no subshells). Milliseconds are the median from sending to the "
        "run's end, or to the decision, by the machine's clock; the last number is how many were tried.",
        "",
        f"| situation | runner | {' | '.join(f'ipykernel {version}' for version in tries)} | why |",
        f"|---|---|{'---|' * len(tries)}---|",
    ]
    for situation in SITUATIONS:
        for runner in RUNNERS:
            cells = []
            for found in tries.values():
                cells.append(_cell({c: t for c, t in found.items() if (c.situation, c.runner) == (situation, runner)}))
            why = _WHY_LOOP if "blocks" in situation and runner == "loop" else _WHY[situation]
            lines.append(f"| {situation} | `{runner}` | {' | '.join(cells)} | {why} |")
    return "\n".join(lines)


def _cell(found: dict[Case, list[Try]]) -> str:
    """One verdict where all agree, else the verdict of each case."""
    if len(verdicts([one for tries in found.values() for one in tries])) > 1:
        return "; ".join(f"{c.op}{' (subshell)' if c.subshell else ''}: {_said(tries)}" for c, tries in found.items())
    return _said([one for tries in found.values() for one in tries])


def _said(tries: list[Try]) -> str:
    said = " or ".join(sorted(verdicts(tries)))
    return f"{said} ({middle_ms(tries):.0f} ms, {len(tries)})" if said == AT_ONCE else f"{said} ({len(tries)})"
