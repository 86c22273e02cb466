"""Chunk arrival to paint, in JupyterLab in Chromium.

From the time.time() at which a chunk is handed to the run in the kernel, to the moment the page has drawn its text.
Each chunk holds its number. A MutationObserver in the card's shadow root sees a number appear: that is the DOM change,
usually within the frame it is drawn in. It is taken as painted when the next animation frame begins, which is up to a
frame later than the screen may show it: the upper bound. Waits between chunks vary around 20 ms.
"""

from __future__ import annotations

import json

from .setting import Setting
from .table import Row, spread

__all__ = ["measure"]

_WATCH = """() => {
  const shadow = [...document.querySelectorAll('.gemstream')].at(-1).shadowRoot;
  const seen = window.seen = {changed: [], painted: []};
  const now = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    const text = [...shadow.querySelectorAll('.prose')].at(-1)?.textContent ?? '';
    const last = text.slice(-4000).match(/n\\d+(?= x)/g)?.at(-1);
    if (!last) return;
    const from = seen.changed.length, to = Number(last.slice(1)), at = now();
    for (let n = from; n <= to; n++) seen.changed[n] = at;
    if (to >= from) requestAnimationFrame(() => {
      const at = now();
      for (let n = from; n <= to; n++) seen.painted[n] = at;
    });
  }).observe(shadow, {subtree: true, childList: true, characterData: true});
}"""
_TAKE = "() => window.seen"


def measure(setting: Setting) -> list[Row]:
    """p50 at most 50 ms, p95 at most 100 ms."""
    count = setting.count(400, 60)
    with setting.notebook("paint") as notebook:
        page = notebook.page
        notebook.run(f"run = bench.numbered({count})\nrun")
        page.locator(".jp-OutputArea-output").get_by_role("button", name="Stop").last.wait_for()
        page.evaluate(_WATCH)
        page.wait_for_timeout(500)
        notebook.run("bench.go()")
        notebook.run("_ = await run.wait()")
        page.wait_for_function("count => window.seen.painted.length >= count", arg=count, timeout=20_000)
        seen = page.evaluate(_TAKE)
        given = [1000 * at_s for at_s in json.loads(notebook.run("print(bench.given())"))]
    changed, painted = (
        [at - since for since, at in zip(given, seen[name], strict=True)] for name in ("changed", "painted")
    )
    return [
        spread("chunk arrival to DOM change", changed),
        spread("chunk arrival to paint (the frame after the change)", painted, median=50, p95=100),
    ]
