"""Stop click to socket closed: a real mouse click in JupyterLab in Chromium.

From the click event's own time stamp in the page (performance.timeOrigin + event.timeStamp: before any script heard of
it) to the moment the local Gemini in the kernel sees the client hang up. Page and kernel share the machine's clock; the
record's time.perf_counter() is turned into time.time() in the kernel.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.browser.notebook import Notebook

from .setting import Setting
from .table import Row, spread

__all__ = ["LISTEN", "TAKE", "measure", "require_one_clock"]

# Notes each click: when it was, by the machine's clock, and how much later its first listener heard of it, in ms.
LISTEN = """() => {
  window.clicked = [];
  document.addEventListener('click', ({timeStamp}) => {
    window.clicked.push([performance.timeOrigin + timeStamp, performance.now() - timeStamp]);
  }, {capture: true});
}"""
TAKE = "() => window.clicked.splice(0)"
_NOW = "() => performance.timeOrigin + performance.now()"
_ASK = "run = gem.ask(bench.long_prompt, model='demo')"
_CLEAR = "() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }"
_WARM_UP = 2
_SKEW_MS = 2.0


def measure(setting: Setting) -> list[Row]:
    """p95 at most 50 ms, with the cell returned and with the cell awaiting the run."""
    count = setting.count(30, 5)
    rows = []
    with setting.notebook("stop-click") as notebook:
        require_one_clock(notebook)
        notebook.page.evaluate(LISTEN)
        for cell, tail in (("returned", ""), ("awaiting", "\n_ = await run.wait()")):
            times, waits = _clicks(notebook, _ASK + tail, _WARM_UP + count)
            what = f"Stop click to socket closed, JupyterLab, cell {cell}"
            rows.append(spread(what, times, p95=50, whole=len(times) == count))
            rows.append(spread("of that, click to the page's first listener", waits))
    return rows


def require_one_clock(notebook: Notebook) -> None:
    """The page's epoch time must lie between two readings of ours."""
    before = 1000 * time.time()
    there: float = notebook.page.evaluate(_NOW)
    after = 1000 * time.time()
    if not before - _SKEW_MS <= there <= after + _SKEW_MS:
        raise RuntimeError(f"the page's clock is off by {there - before:.1f} to {there - after:.1f} ms")


def _clicks(notebook: Notebook, source: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each click that closed its connection, and of each click until a listener heard of it. The first
    ones, which load things, are left out.
    """
    page = notebook.page
    outputs = page.locator(".jp-OutputArea-output")
    moment = random.Random(source)
    clicks: list[tuple[float, float]] = []
    for _ in range(count):
        index = notebook.start(source)
        stop = outputs.get_by_role("button", name="Stop").last
        stop.wait_for()
        outputs.get_by_text("word and word").last.wait_for()
        page.wait_for_timeout(moment.uniform(20, 200))
        stop.click()
        outputs.get_by_text("Stopped by you").last.wait_for()
        notebook.wait_done(index)
        notebook.run("await run.wait()\nbench.note_request()")
        clicks += page.evaluate(TAKE)[-1:]
        page.evaluate(_CLEAR)
    closed: list[tuple[float | None, Any]] = json.loads(notebook.run("print(bench.closings())"))
    pairs = list(zip(clicks, closed, strict=True))[_WARM_UP:]
    times = [1000 * at_s - click for (click, _), (at_s, _) in pairs if at_s is not None]
    return times, [wait for (_, wait), _ in pairs]
