"""Deciding about a call in a real JupyterLab, while the kernel does this or that. Nothing here knows what to expect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, Locator, expect

from benchmarks.stop_click import TAKE
from tests.browser.notebook import Notebook

from .form_cells import PROMPT, Way
from .jupyterlab import FRESH
from .kernel_cases import AFTER, AT_ONCE, AT_ONCE_MS, LATE, NEVER

__all__ = ["AWAITING", "BLOCKS", "RETURNED", "Case", "Desk", "Try"]

RETURNED, AWAITING, BLOCKS = "has returned", "awaits the run", "blocks the kernel"
_LIMIT_S = 40.0
"""A call that nobody decides is denied then, and a cell that sleeps ends."""
_RESULT_S = 6.0
"""How long a cell waits in `run.result()`; on ipykernel 6 for nothing, as the decision waits for the cell."""
_FORM_MS, _RELOAD_MS, _HEARD_MS, _ABSENT_MS = 4_000, 12_000, 1_500, 3_000
_SUBSHELLS = "(how) => { window.jupyterapp.serviceManager.kernels.commsOverSubshells = how }"
# As a page that has met no form yet, for cards made from here on.
_FORGET = """() => {
  const modules = ({description}) => description?.startsWith('gemstream/modules');
  for (const key of Object.getOwnPropertySymbols(globalThis).filter(modules)) delete globalThis[key];
}"""
# Without waiting for the kernel to say who it is, which on ipykernel 6 waits for the cell.
_PANEL = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (panel?.sessionContext?.session?.kernel) window.panel = panel;
  return window.panel !== undefined;
}"""
# A page that was loaded anew knows of the cell only what the kernel publishes.
_LISTEN_FOR_END = """() => {
  window.ended = false;
  window.panel.sessionContext.session.kernel.iopubMessage.connect((_, {header, parent_header, content}) => {
    if (header.msg_type !== 'status' || parent_header.msg_type !== 'execute_request') return;
    if (content.execution_state === 'idle') window.ended = true;
  });
}"""
_ENDED = "() => window.ended"


@dataclass(frozen=True)
class Case:
    """What the cell does; how the form's code comes to the page; whether the page is loaded anew meanwhile; whether it
    uses subshells; and in what a cell that blocks does so, "sleep" or "result".
    """

    cell: str
    way: Way
    anew: bool = False
    subshells: bool = True
    blocks_in: str = "sleep"

    @property
    def situation(self) -> str:
        return f"the cell {self.cell}{', the page is loaded anew' if self.anew else ''}"

    def __str__(self) -> str:
        lane = "" if self.subshells else ", without subshells"
        return f"{self.situation}{f' in {self.blocks_in}' if self.cell == BLOCKS else ''}, {self.way}{lane}"


@dataclass(frozen=True)
class Try:
    """When the form was there, and when the decision took effect: `ms` after the click or, where it had to wait for the
    cell, after that.
    """

    form: str
    decision: str
    ms: float | None = None
    faults: Sequence[str] = ()


class Desk:
    """One notebook on one kernel, where calls are decided. `folder` is for a file that ends a blocking cell."""

    def __init__(self, notebook: Notebook, folder: Path) -> None:
        self._notebook = notebook
        self._page = notebook.page
        self._free = folder / "free"
        self._card = self._page.locator(".jp-OutputArea-output .gemstream")
        self._approval = self._card.locator(".form").get_by_role("button", name="Approve", exact=True)
        notebook.run("from proof import form_cells as there\nawait there.warm_up()")

    def attempt(self, case: Case) -> Try:
        """Ask, look for the form, approve, and learn from the kernel when that took effect."""
        index = self._start(case)
        patience_ms = _FORM_MS
        if case.anew:
            if not _comes(self._approval, _FORM_MS):
                return self._broken_off(case, index)
            self._load_anew()
            patience_ms = _RELOAD_MS
        form = AT_ONCE
        if not _comes(self._approval, patience_ms):
            form = AFTER
            self._free.touch()
            if case.cell != BLOCKS or not _comes(self._approval, _RELOAD_MS):
                return self._broken_off(case, index)
        clicked_at = self._approve()
        if not _comes(self._card.get_by_text("Approved by you"), _HEARD_MS):
            self._free.touch()
        if not _comes(self._card.locator(".prose", has_text="Kept."), 1000 * _RESULT_S):
            return self._broken_off(case, index, form)
        self._free.touch()
        if case.anew:
            self._notebook.wait_ready()
        else:
            self._notebook.wait_done(index)
        return self._judged(form, clicked_at)

    def is_absent(self, case: Case) -> bool:
        """Whether no form comes while the call waits and, where the page is loaded anew, none comes back."""
        index = self._start(case)
        call = self._card.locator(".call")
        call.wait_for(timeout=_FORM_MS)
        if case.anew:
            self._load_anew()
            _comes(call, _RELOAD_MS)
        absent = not _comes(self._approval, _ABSENT_MS)
        self._broken_off(case, index)
        return absent

    def _start(self, case: Case) -> int:
        self._free.unlink(missing_ok=True)
        self._page.evaluate(FRESH)
        self._page.evaluate(_FORGET)
        self._page.evaluate(_SUBSHELLS, "perCommTarget" if case.subshells else "disabled")
        self._notebook.run(f"run = None\nthere.begin({case.way!r})")
        self._page.evaluate(TAKE)
        return self._notebook.start(self._source(case))

    def _source(self, case: Case) -> str:
        ask = f"gem.ask({PROMPT!r}, model='demo', tools=[there.keep], approve='ask', approval_timeout_s={_LIMIT_S}"
        if case.cell == RETURNED:
            return f"run = {ask})"
        if case.cell == AWAITING:
            return f"run = await {ask})"
        sleep = f"there.sleep({str(self._free)!r}, {_LIMIT_S})"
        does = f"run.result({_RESULT_S})" if case.blocks_in == "result" else sleep
        return f"run = {ask}, runner='thread')\nwith there.held(): {does}"

    def _load_anew(self) -> None:
        self._notebook.save()
        self._page.reload(wait_until="domcontentloaded")
        self._page.wait_for_function(_PANEL)

    def _approve(self) -> float:
        """Click; time.time() when that was."""
        expect(self._approval).not_to_have_attribute("aria-disabled", "true")  # not in the first half second
        self._approval.click()
        ((clicked_ms, _),) = self._page.evaluate(TAKE)
        return float(clicked_ms) / 1000

    def _broken_off(self, case: Case, index: int, form: str = NEVER) -> Try:
        """End what waits for a decision that does not come; what was sent before its end would go down with it."""
        unseen = case.anew and case.cell != RETURNED
        if unseen:
            self._page.evaluate(_LISTEN_FOR_END)
        if case.cell == AWAITING:
            self._notebook.interrupt()
        self._free.touch()
        if unseen:
            self._page.wait_for_function(_ENDED)
        self._notebook.wait_ready()
        if not case.anew:
            self._notebook.wait_done(index)
        self._notebook.run("if run is not None: run.stop()")
        return Try(form, NEVER)

    def _judged(self, form: str, clicked_at: float) -> Try:
        said = json.loads(self._notebook.run("await there.report(run)"))
        faults = [] if said["kept"] == ["yes"] else [f"the tool ran with {said['kept']}"]
        faults += [] if said["status"] == "completed" else [f"the run is {said['status']}"]
        at, freed_at = said["decided_at"], said["freed_at"]
        if at is None:
            return Try(form, NEVER, None, faults)
        waited = freed_at is not None and clicked_at < freed_at <= at
        ms = 1000 * (at - (freed_at if waited else clicked_at))
        return Try(form, LATE if ms > AT_ONCE_MS else AFTER if waited else AT_ONCE, ms, faults)


def _comes(what: Locator, timeout_ms: float) -> bool:
    try:
        what.first.wait_for(timeout=timeout_ms)
    except Error:
        return False
    return True
