"""What drawing markdown costs in a real browser.

    python -m benchmarks.page_markdown [--runs 5] [--json out.json]

Needs node (esbuild bundles the renderer), playwright and a system Chromium. CPU is the page's main thread
(`Performance.getMetrics` in the threadTicks domain), so other load on the machine hardly counts; frames and long
tasks are wall clock. Each run gets a fresh page.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.browser.conftest import FLAGS, ROOT, chromium_path

from .table import percentile

TOKENS = (
    ":root{--gs-fg:#1b1f24;--gs-muted:#626b76;--gs-faint:#e4e7eb;--gs-bg:#fff;--gs-sunk:#f6f7f9;--gs-accent:#1a66d6;"
    "--gs-warn:#9a5b00;--gs-bad:#b3261e;--gs-good:#1d7a3e;--gs-mono:monospace;--gs-font:sans-serif}"
)
PAGE = """<!doctype html><meta charset=utf-8><style>{css}
#box{{width:720px;height:600px;overflow:auto}}</style><div id=box><div id=root></div></div>"""

# Sticks to the bottom as the card does: one scroll write per frame.
RUN = """async ({text, pieces, perFrame}) => {
  const root = document.getElementById('root'), box = document.getElementById('box');
  const long = [], frames = [];
  new PerformanceObserver(list => long.push(...list.getEntries().map(e => e.duration)))
    .observe({entryTypes: ['longtask']});
  await new Promise(r => setTimeout(r, 200));
  long.length = 0;
  const {stream, idle} = gs.live(root);
  const began = performance.now();
  let at = 0, done = false, last = began;
  const stick = now => {
    frames.push(now - last);
    last = now;
    box.scrollTop = box.scrollHeight;
    if (!done) requestAnimationFrame(stick);
  };
  requestAnimationFrame(stick);
  if (!pieces) { stream.write(text); stream.end(); }
  else await new Promise(resolve => {
    const feed = () => {
      for (let n = 0; n < perFrame && at < text.length; n++, at += pieces) stream.write(text.slice(at, at + pieces));
      if (at < text.length) requestAnimationFrame(feed); else { stream.end(); resolve(); }
    };
    requestAnimationFrame(feed);
  });
  await idle();
  await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
  done = true;
  const wall = performance.now() - began;
  await new Promise(r => setTimeout(r, 120));
  return {wall, long, frames: frames.slice(2), nodes: root.getElementsByTagName('*').length};
}"""


def bundle(folder: Path) -> Path:
    """The renderer as it ships, and the sample texts, as one script."""
    command = ["node", str(ROOT / "tests/browser/page/build.mjs"), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "markdown.js"


class Lab:
    """Fresh pages with the renderer in them."""

    def __init__(self, browser: Browser, script: Path) -> None:
        self.browser = browser
        self.script = script
        self.css = TOKENS + (ROOT / "js/markdown/markdown.css").read_text()

    def page(self) -> Page:
        page = self.browser.new_page()
        page.set_content(PAGE.format(css=self.css))
        page.add_script_tag(path=str(self.script))
        # The first lines of any text compile the parser's regular expressions; that is not the text's cost.
        page.evaluate("gs.render([gs.large.answer(3000)])")
        return page

    def measure(self, text: str, pieces: int = 0, per_frame: int = 2) -> dict[str, float]:
        """One text, drawn at once or fed in pieces. `text` is a JavaScript expression."""
        page = self.page()
        try:
            argument = {"text": page.evaluate(text), "pieces": pieces, "perFrame": per_frame}
            cdp = page.context.new_cdp_session(page)
            cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
            before = self.metrics(cdp)
            result = page.evaluate(RUN, argument)
            after = self.metrics(cdp)
        finally:
            page.close()
        cost = {
            name: 1000 * (after[name] - before[name]) for name in ("TaskDuration", "ScriptDuration", "LayoutDuration")
        }
        return {
            "cpu_ms": cost["TaskDuration"],
            "script_ms": cost["ScriptDuration"],
            "layout_ms": cost["LayoutDuration"],
            "wall_ms": result["wall"],
            "long_tasks": len(result["long"]),
            "longest_ms": max(result["long"], default=0.0),
            "frame_p50_ms": percentile(result["frames"], 0.5),
            "frame_p95_ms": percentile(result["frames"], 0.95),
            "nodes": result["nodes"],
        }

    @staticmethod
    def metrics(cdp: CDPSession) -> dict[str, float]:
        return {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 1) for name in rows[0]}


def cases() -> dict[str, dict[str, Any]]:
    """The arguments of `Lab.measure`, by what they measure."""
    found: dict[str, dict[str, Any]] = {
        "answer 100 kB at once": {"text": "gs.large.answer(100_000)"},
        "answer 1 MB at once": {"text": "gs.large.answer(1_000_000)"},
        "answer 100 kB, 2 x 30 characters a frame": {"text": "gs.large.answer(100_000)", "pieces": 30},
        "fence 200 kB at once": {"text": "gs.large.fence(200_000)"},
        "fence 200 kB, 8 x 60 a frame": {"text": "gs.large.fence(200_000)", "pieces": 60, "per_frame": 8},
        "5 kB of >": {"text": "'>'.repeat(5000)"},
    }
    for name in ("list", "loose list", "nested list", "table", "paragraph", "one line", "quote", "html"):
        found[f"{name} 100 kB at once"] = {"text": f"gs.large['{name}'](100_000)"}
        found[f"{name} 100 kB, 8 x 60 a frame"] = {"text": f"gs.large['{name}'](100_000)", "pieces": 60, "per_frame": 8}
    return found


def hard_inputs(lab: Lab) -> list[dict[str, Any]]:
    """CPU of every input that is hard on parsers, 20 kB each, in pieces of up to 2 kB."""
    page = lab.page()
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    rows = []
    for unit in page.evaluate("Object.keys(gs.hard)"):
        before = lab.metrics(cdp)["TaskDuration"]
        page.evaluate("unit => { gs.render(gs.cut(gs.hard[unit](20_000), 3, 2000)) }", unit)
        rows.append({"unit": unit, "cpu_ms": round(1000 * (lab.metrics(cdp)["TaskDuration"] - before), 1)})
    page.close()
    return sorted(rows, key=lambda row: -row["cpu_ms"])


def growth(lab: Lab) -> list[dict[str, Any]]:
    """CPU of every construct at 16, 64 and 256 kB, in pieces of up to 600 characters."""
    page = lab.page()
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    rows = []
    for name in page.evaluate("Object.keys(gs.constructs)"):
        costs = []
        for size in (16_000, 64_000, 256_000):
            before = lab.metrics(cdp)["TaskDuration"]
            page.evaluate("([name, size]) => { gs.render(gs.cut(gs.constructs[name](size), 3, 600)) }", [name, size])
            costs.append(round(1000 * (lab.metrics(cdp)["TaskDuration"] - before), 1))
        rows.append({"construct": name, "cpu_ms": costs, "growth": round(costs[2] / max(costs[1], 1.0), 1)})
    page.close()
    return sorted(rows, key=lambda row: -row["cpu_ms"][2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chromium = chromium_path() or sys.exit("no Chromium found")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        lab = Lab(browser, bundle(Path(folder)))
        report: dict[str, Any] = {"chromium": browser.version, "runs": options.runs, "load": os.getloadavg()}
        results = {}
        for name, case in cases().items():
            if options.only not in name:
                continue
            results[name] = medians([lab.measure(**case) for _ in range(options.runs)])
            row = results[name]
            print(
                f"{name:40} CPU {row['cpu_ms']:5.0f} ms (script {row['script_ms']:4.0f}, "
                f"layout {row['layout_ms']:4.0f}), wall {row['wall_ms']:5.0f}, {row['long_tasks']:2.0f} long, "
                f"max {row['longest_ms']:3.0f}, frame p50 {row['frame_p50_ms']:4.1f} p95 {row['frame_p95_ms']:5.1f}",
                flush=True,
            )
        report["cases"] = results
        small, whole = results.get("answer 100 kB at once"), results.get("answer 1 MB at once")
        if small and whole:
            report["growth"] = round(whole["cpu_ms"] / small["cpu_ms"], 2)
            print(f"CPU(1 MB) / CPU(100 kB) = {report['growth']}")
        if not options.only:
            report["hard"] = hard_inputs(lab)
            worst = ", ".join(f"{row['unit']!r} {row['cpu_ms']}" for row in report["hard"][:5])
            print(f"20 kB of hard input, CPU ms, worst of {len(report['hard'])}: {worst}")
            report["constructs"] = growth(lab)
            worst = ", ".join(f"{row['construct']} {row['cpu_ms'][2]:.0f}" for row in report["constructs"][:5])
            print(f"256 kB of one construct, CPU ms, worst of {len(report['constructs'])}: {worst}")
            slow = [row for row in report["constructs"] if row["cpu_ms"][2] > 150]
            steepest = max(slow, key=lambda row: float(row["growth"]), default=None)
            print(f"CPU(256 kB) / CPU(64 kB) of those above 150 ms, the largest: {steepest}")
        browser.close()
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
