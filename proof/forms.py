"""The form about a call that waits, in a real JupyterLab: it comes and can be used whatever the kernel does meanwhile.

Whether a kernel hears what a page asks for, such as the form's code, depends on its version, on what the cell does and
on whether the page uses subshells. So the code comes in two ways, each of which is tried alone: unasked with the first
call that waits in a kernel, and on request, by the fast lane.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from statistics import median

from playwright.sync_api import Page

from benchmarks.setting import Setting
from benchmarks.stop_click import LISTEN, require_one_clock

from .form_cells import Way
from .form_desk import AWAITING, BLOCKS, RETURNED, Case, Desk, Try
from .kernel_cases import AFTER, AT_ONCE
from .kernels import environments, number
from .report import Control, Found, Row

__all__ = ["measure"]

_WAYS: tuple[Way, ...] = ("as it is", "sent unasked", "by the fast lane")
# What returns is tried in tests/browser/test_approval_jupyterlab.py.
_SHORT = [
    Case(AWAITING, "sent unasked"),
    Case(BLOCKS, "by the fast lane", blocks_in="result"),
    Case(AWAITING, "as it is", anew=True),
]
Tries = dict[Case, list[Try]]


def measure(setting: Setting) -> Found:
    """In short, only the kernel of this environment."""
    pythons, skipped = environments(setting)
    rows: list[Row] = []
    found: dict[str, Tries] = {}
    for version, python in pythons.items():
        with _desk(setting, version, python) as desk:
            cases = _SHORT if setting.quick else list(_cases(version))
            tries = found[version] = {}
            for case in cases:
                tries.setdefault(case, []).append(desk.attempt(case))
            for situation in dict.fromkeys(case.situation for case in cases):
                some = {case: of_it for case, of_it in tries.items() if case.situation == situation}
                rows.append(_row(version, situation, some, _control(desk, version, next(iter(some)))))
    return Found(rows, _table(found), skipped)


@contextmanager
def _desk(setting: Setting, version: str, python: Path) -> Iterator[Desk]:
    def watch(page: Page) -> None:
        page.add_init_script(f"({LISTEN})()")

    name = "forms-" + version.replace(".", "-")
    with setting.notebook(name, watch, python) as notebook, tempfile.TemporaryDirectory() as folder:
        require_one_clock(notebook)
        yield Desk(notebook, Path(folder))


def _cases(version: str) -> Iterator[Case]:
    lanes = (True, False) if number(version) >= (7, 0) else (True,)  # 6 has no subshells
    for way in _WAYS:
        yield Case(RETURNED, way)
    for way, lane in product(_WAYS, lanes):
        yield Case(AWAITING, way, subshells=lane)
    for way, lane, does in product(_WAYS, lanes, ("sleep", "result")):
        yield Case(BLOCKS, way, subshells=lane, blocks_in=does)
    for _ in range(2):
        yield Case(AWAITING, "as it is", anew=True)
    yield Case(BLOCKS, "as it is", anew=True)


def _is_deaf(version: str, case: Case) -> bool:
    """Nothing reads the kernel's socket while the cell goes on."""
    return case.cell == BLOCKS and number(version) < (7, 0)


def _expected(version: str, case: Case) -> tuple[str, str]:
    """When the form must be there, and when the decision must take effect. A form that was sent before it was asked
    for can be decided in while the kernel is deaf; one that had to wait is decided in afterwards.
    """
    if not _is_deaf(version, case):
        return AT_ONCE, AT_ONCE
    return (AFTER, AT_ONCE) if case.anew or case.way == "by the fast lane" else (AT_ONCE, AFTER)


def _row(version: str, situation: str, tries: Tries, control: Control) -> Row:
    faults = []
    for case, some in tries.items():
        form, decision = _expected(version, case)
        for one in some:
            said = [] if one.form == form else [f"the form is there {one.form}"]
            said += [] if one.decision == decision else [f"the decision takes effect {one.decision}, {one.ms} ms"]
            faults += [f"{case}: {fault}" for fault in (*said, *one.faults)]
    first = next(iter(tries))
    what = "form and decision at once"
    if _is_deaf(version, first):
        what = (
            "the form when the cell ends" if first.anew else "a form that was sent at once, the decision when it ends"
        )
    every = [one for some in tries.values() for one in some]
    times = [one.ms for one in every if one.ms is not None]
    return Row(f"ipykernel {version}, {situation}: {what}", len(every), faults, control, times)


def _control(desk: Desk, version: str, like: Case) -> Control:
    """What a kernel hears in the usual way needs no fast lane: there, no form is sent at all."""
    hears = like.cell == RETURNED or (like.cell == AWAITING and number(version) >= (7, 4))
    if hears:
        return Control("no form is sent", desk.is_absent(Case(like.cell, "never")))
    if like.anew and _is_deaf(version, like):
        return Control("no form is sent", desk.is_absent(Case(RETURNED, "never", anew=True)))
    if like.anew:
        absent = desk.is_absent(Case(like.cell, "unanswered", anew=True))
        return Control("the page that asks for its cards is not answered meanwhile", absent)
    absent = desk.is_absent(Case(like.cell, "as it was", subshells=False))
    return Control("what the page asks for queues, and nothing is sent unasked", absent)


# -- the table ---------------------------------------------------------------------------------------------------------


def _table(found: dict[str, Tries]) -> str:
    lines = [
        "When the form about a call is there, and when a click on Approve takes effect, in JupyterLab: the form's code "
        "comes unasked with the first call that waits in a kernel, on request, or both. Milliseconds are the median "
        "from the click to the decision or, where it had to wait, from the end of the cell; then how many were tried.",
        "",
        f"| the situation | the form's code | {' | '.join(f'ipykernel {version}' for version in found)} |",
        f"|---|---|{'---|' * len(found)}",
    ]
    for situation, way in dict.fromkeys((case.situation, case.way) for tries in found.values() for case in tries):
        cells = []
        for tries in found.values():
            some = [
                one for case, of_it in tries.items() if (case.situation, case.way) == (situation, way) for one in of_it
            ]
            cells.append(_cell(some))
        lines.append(f"| {situation} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(tries: Sequence[Try]) -> str:
    form, decision = (" or ".join(sorted({getattr(one, what) for one in tries})) for what in ("form", "decision"))
    times = [one.ms for one in tries if one.ms is not None]
    ms = f"{median(times):.0f} ms, " if times else ""
    return f"form {form}, decision {decision} ({ms}{len(tries)})"
