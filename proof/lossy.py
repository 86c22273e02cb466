"""A page that is told badly: messages of real cards, lost, repeated, reordered and late, to the built widget.

The page's clock is ours, so that seconds of retries and beats pass in no time and a seed does the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

from benchmarks.setting import Setting

from .recorded import record
from .report import Control, Row

__all__ = ["row"]

_AT_ONCE = 30
_MOST_S = 60
_QUIET_S = 9
"""Silence for so long, and the page has asked for whatever it still misses."""
_STANDS = {"completed": "Done", "cancelled": "Stopped", "failed": "Failed", "acting": "Waiting for approval"}

# `expected` by recording: what a page shows that starts with the state the kernel holds at the end.
_PREPARE = """async (recordings) => {
  window.recordings = recordings;
  window.expected = [];
  for (const {state} of recordings) {
    const kernel = new gem.FakeKernel();
    kernel.start(state);
    const mounted = await gem.mount(kernel);
    expected.push({kernel, ...(await mounted.view())});
  }
}"""
_EXPECT = """() => window.expected = expected.map(({el, remove}) => {
  const lines = gem.shown(el);
  remove();
  return lines;
})"""
_START = """async ([seeds, mute]) => {
  window.tried = [];
  for (const seed of seeds) {
    const index = seed % recordings.length;
    const kernel = new gem.LossyKernel(recordings[index], seed, mute);
    const mounted = await gem.mount(kernel);
    tried.push({seed, index, ...mounted, ...(await mounted.view())});
    kernel.start();
  }
}"""
_QUIET = "() => tried.every(({kernel}) => kernel.quiet)"
_RESULT = """() => tried.map(({seed, index, kernel, el, remove, destroy}) => {
  const lines = gem.shown(el), wanted = expected[index];
  const at = lines.findIndex((line, number) => line !== wanted[number]);
  const same = at < 0 && lines.length === wanted.length;
  const lost = kernel.lost;
  remove();
  destroy();
  const place = at < 0 ? lines.length : at;
  return {seed, same, lost, name: recordings[index].name, log: kernel.log.slice(-12),
    shows: lines.slice(place, place + 3), wanted: wanted.slice(place, place + 3)};
})"""


def row(setting: Setting) -> Row:
    """Kind of run times seed: after the last beat the card shows what a fresh page would."""
    recordings = record()
    errors: list[str] = []
    with setting.card_page() as page:
        page.on("pageerror", lambda error: errors.append(f"an error in the page: {error}"))
        page.clock.install()
        page.evaluate(_PREPARE, recordings)
        for _ in range(8):  # modules load in real time
            page.clock.run_for(500)
        shown = page.evaluate(_EXPECT)
        untold = [_untold(recording, lines) for recording, lines in zip(recordings, shown, strict=True)]
        muted = _try(page, range(_AT_ONCE), mute=True)
        results: list[Any] = []
        count = setting.count(600, 30)
        for first in range(0, count, _AT_ONCE):
            results += _try(page, range(first, min(first + _AT_ONCE, count)))
    wrong = [f"{r['name']}, seed {r['seed']}: {r['shows']} for {r['wanted']}, after {r['log']}" for r in results]
    wrong = [words for words, result in zip(wrong, results, strict=True) if not result["same"]]
    lost = [result for result in muted if result["lost"]]
    noticed = bool(lost) and sum(not result["same"] for result in lost) >= len(lost) // 2
    return Row(
        f"a page whose messages are lost, repeated, reordered, late ({sum(r['lost'] for r in results)} lost)",
        len(results),
        [*wrong, *(fault for fault in untold if fault), *errors],
        Control("no beats, no answers, no trait", noticed),
    )


def _try(page: Page, seeds: Sequence[int], *, mute: bool = False) -> list[Any]:
    page.evaluate(_START, [list(seeds), mute])
    quiet_s = 0
    for _ in range(_MOST_S):
        page.clock.run_for(1000)
        quiet_s = quiet_s + 1 if page.evaluate(_QUIET) else 0
        if quiet_s == _QUIET_S:
            break
    found: list[Any] = page.evaluate(_RESULT)
    return found


def _untold(recording: Any, lines: Sequence[str]) -> str | None:
    """What is expected of a page is itself right: how the run stands, and every word of its answer, are on it."""
    said = " ".join(lines)
    wanted = [_STANDS[recording["state"]["status"]], *filter(str.isalpha, recording["text"].split())]
    missing = [word for word in wanted if word not in said]
    return f"{recording['name']}: {missing[:5]} are not shown" if missing else None
