"""python -m proof [quick] [GROUP ...]

Tries what docs/reliability.md claims, and prints one table; of all groups it is also written to proof/out/results.md.
`quick` tries less often, as the tests do. Exits with 1 where anything failed, or where a control was not noticed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback

from benchmarks import machine
from benchmarks.setting import ROOT, Setting

from .groups import GROUPS
from .report import Row, broken, markdown

_OUT = ROOT / "proof" / "out"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m proof", description="Reliability, tried.")
    parser.add_argument("what", nargs="*", metavar="quick | GROUP", help=f"groups: {', '.join(GROUPS)}; default: all")
    asked = parser.parse_args().what
    if unknown := set(asked) - {"quick", *GROUPS}:
        parser.error(f"no group {', '.join(sorted(unknown))}: there are {', '.join(GROUPS)}")
    quick = "quick" in asked
    names = [name for name in GROUPS if name in asked] or list(GROUPS)
    rows: list[Row] = []
    texts: list[str] = []
    skipped: list[str] = []
    took: list[str] = []
    setting = Setting(quick=quick)
    began = time.monotonic()
    try:
        for name in names:
            _say(f"{name} ...")
            start = time.monotonic()
            try:
                found = GROUPS[name](setting)
                rows += found.rows
                skipped += found.skipped
                texts += [found.text] if found.text else []
            except Exception as error:
                traceback.print_exc()
                rows.append(broken(name, error))
            took.append(f"{name} {time.monotonic() - start:.0f} s")
        browser = vars(setting).get("browser")  # where a group has started it
        chromium = {"chromium": browser.version} if browser is not None else {}
    finally:
        setting.close()
    about = {"date": time.strftime("%Y-%m-%d"), "mode": "quick" if quick else "full", **machine.describe(), **chromium}
    about["took"] = f"{time.monotonic() - began:.0f} s ({', '.join(took)})"
    lines = [f"- {name}: {value}" for name, value in about.items()] + [f"- not tried: {what}" for what in skipped]
    report = "\n".join([*lines, "", markdown(rows), *(f"\n{text}" for text in texts)])
    print(report)
    for row in rows:
        for failure in list(row.failures)[:5]:
            _say(f"FAILED {row.what}: {failure}")
    if len(names) == len(GROUPS):
        _OUT.mkdir(exist_ok=True)
        (_OUT / "results.md").write_text(report + "\n", encoding="utf-8")
    failed = [row for row in rows if not row.holds]
    _say(f"{len(rows) - len(failed)} of {len(rows)} hold")
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
