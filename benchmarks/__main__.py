"""python -m benchmarks [quick] [GROUP ...]

Measures all groups, or those named, and prints one table; of all groups it is also written to benchmarks/out/results.md
and results.json. `quick` takes fewer measurements, for a first look. Exits with 1 where a group could not be measured,
not where a budget is missed: that is what the table is for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable

from . import machine, many, page, paint, pipeline, reading, static, stop_click, stop_headless, wire
from .setting import ROOT, Setting
from .table import Row, as_json, failure, markdown

_GROUPS: dict[str, Callable[[Setting], list[Row]]] = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (static, pipeline, reading, stop_headless, many, stop_click, paint, wire, page)
}
"""By name, in order: those without a browser first, since the browser's driver keeps an event loop in this thread."""
_OUT = ROOT / "benchmarks" / "out"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The budgets, measured.")
    parser.add_argument("what", nargs="*", metavar="quick | GROUP", help=f"groups: {', '.join(_GROUPS)}; default: all")
    asked = parser.parse_args().what
    if unknown := set(asked) - {"quick", *_GROUPS}:
        parser.error(f"no group {', '.join(sorted(unknown))}: there are {', '.join(_GROUPS)}")
    quick = "quick" in asked
    names = [name for name in _GROUPS if name in asked] or list(_GROUPS)
    about = {"date": time.strftime("%Y-%m-%d"), "mode": "quick" if quick else "full", **machine.describe()}
    rows: list[Row] = []
    busy: list[str] = []
    failed = 0
    setting = Setting(quick=quick)
    began = time.monotonic()
    try:
        for name in names:
            _say(f"{name} ...")
            busy.append(f"{name} {machine.load():.1f} ({machine.wake_up_ms():.1f})")
            try:
                rows += _GROUPS[name](setting)
            except Exception as error:
                traceback.print_exc()
                failed += 1
                rows.append(failure(name, error))
        about["chromium"] = setting.browser.version
    finally:
        setting.close()
    about["load of the machine before each group (and p95 lateness of a sleep of 1 ms, in ms)"] = ", ".join(busy)
    about["took"] = f"{time.monotonic() - began:.0f} s"
    report = "\n".join([*(f"- {name}: {value}" for name, value in about.items()), "", markdown(rows)])
    print(report)
    if len(names) == len(_GROUPS):
        _OUT.mkdir(exist_ok=True)
        found = {"about": about, "rows": as_json(rows)}
        (_OUT / "results.md").write_text(report + "\n", encoding="utf-8")
        (_OUT / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    missed = [row.what for row in rows if row.met is False]
    _say(f"{len(missed)} of {sum(row.met is not None for row in rows)} budgets missed")
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
