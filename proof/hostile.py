"""Hostile texts in every field of a card, whole and by character: nothing runs, nothing leaves, nothing lies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from playwright.sync_api import Page

from benchmarks.setting import ROOT, Setting

from .report import Found, Row
from .tripwires import Seen, collect, controls, painted, watched

__all__ = ["measure"]

_AT_ONCE = 12

# Cards of every kind for some texts; `streamed`: with all of their text yet to come.
_MOUNT = """async ([texts, streamed]) => {
  const sheet = new CSSStyleSheet();  // many cards in one page must not lay each other out
  sheet.replaceSync('.output { contain: strict; height: 300px } .output.later { display: none }');
  document.adoptedStyleSheets = [sheet];
  window.cards = [];
  for (const text of texts) for (const [name, made] of Object.entries(gem.hostile)) {
    const {start, steps} = gem.grown(made, text);
    const kernel = new gem.FakeKernel();
    for (const module of ['highlight', 'math']) kernel.modules.add(module);
    kernel.start(streamed ? start : made(text), 2);
    const mounted = await gem.mount(kernel);
    const view = await mounted.view();
    const output = view.el.parentElement;
    output.classList.toggle('later', !streamed || name !== 'typed');  // seen once all of it is there
    cards.push({text, name, steps: streamed ? steps : [], kernel, output, ...mounted, ...view});
  }
}"""
_STREAM = """async () => {
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  const longest = Math.max(0, ...cards.map(({steps}) => steps.length));
  for (let at = 0; at < longest; at++) {
    for (const {name, steps, kernel} of cards) if (steps[at]?.length) kernel.patch(name, steps[at]);
    await frame();
  }
  for (const {name, text, kernel} of cards) {
    if (gem.endings[name].length) kernel.patch(name, gem.endings[name]);
    const calls = kernel.runs.get(name).state.parts.flatMap(({call}) => call?.id ?? []);
    for (const call of [null, ...calls])
      kernel.model.emit('msg:custom', {op: 'refused', run: name, call, message: text});
  }
  await frame();
  await frame();
}"""
_UNTRIED = "() => Object.values(gem.hostile).flatMap(made => gem.untried(made, '<text>'))"
_FIELDS = "() => Object.values(gem.hostile).flatMap(made => gem.fields(made, '<text>')).length"
_ONE = """async (text) => {
  window.cards = [];
  const kernel = new gem.FakeKernel();
  for (const module of ['highlight', 'math']) kernel.modules.add(module);
  for (const made of Object.values(gem.hostile)) kernel.start(made(text), 2);
  const {view} = await gem.mount(kernel);
  const {el} = await view();
  const idle = () => new Promise(resolve => requestIdleCallback(resolve, {timeout: 1000}));
  for (let turn = 0; turn < 5; turn++) await idle();
}"""
# As it came and, of what came whole, after everything a reader might do; what is drawn in idle time is drawn.
_LOOK = """async (streamed) => {
  const idle = () => new Promise(resolve => requestIdleCallback(resolve, {timeout: 500}));
  const found = [];
  const look = () => {
    for (const {text, name, el} of cards) {
      const what = text.slice(0, 60);
      for (const fault of gem.audit(el)) found.push(['built', `${name}, ${what}: ${fault}`]);
      for (const fault of gem.unspelled(el)) found.push(['hidden', `${name}, ${what}: ${fault}`]);
    }
  };
  for (const {output} of cards) output.classList.remove('later');
  for (const {name, el} of cards) {
    if (streamed || name !== 'told') continue;
    el.scrollIntoView();
    await new Promise(resolve => requestAnimationFrame(resolve));
  }
  await idle();
  look();
  if (!streamed) {
    for (const {el} of cards) gem.poke(el);
    await idle();
    look();
  }
  const drawn = cards.reduce((sum, {el}) => sum + el.querySelector('.gemstream').shadowRoot.textContent.length, 0);
  for (const {remove, destroy} of cards) { remove(); destroy(); }
  return [found, drawn];
}"""


def measure(setting: Setting) -> Found:
    payloads: dict[str, list[str]] = json.loads((ROOT / "tests/data/payloads.json").read_text(encoding="utf-8"))
    texts = [text for name in ("xss", "exfil", "fields", "spoof") for text in payloads[name]]
    if setting.quick:
        texts = [text for text in texts if len(text) < 100][::20]
    with watched(setting) as (page, seen):
        for streamed in (False, True):
            for batch in _batches(texts):
                _show(page, seen, batch, streamed=streamed)
        seen.built += [f"not tried: {field}" for field in page.evaluate(_UNTRIED)]
        fields = page.evaluate(_FIELDS)
    drawn = payloads["spoof"][:: setting.count(1, 9)]
    for text in drawn:
        with watched(setting) as (page, _):
            faults = painted(page, lambda page=page, text=text: page.evaluate(_ONE, text))
            seen.painted += [f"{text[:40]!r}: {fault}" for fault in faults]
    known = controls(setting)
    count = 2 * len(texts) * fields
    words = {
        "ran": "hostile texts in every field, whole and streamed: nothing runs",
        "fetched": "nothing is fetched",
        "moved": "no navigation, no window",
        "built": "no element, attribute, address or style of theirs",
        "changed": "nothing outside the card changes",
        "hidden": "names, arguments and results: what cannot be seen is spelled out",
    }
    rows = [Row(what, count, getattr(seen, name), known[name]) for name, what in words.items()]
    rows.append(Row("nothing is drawn outside the card", len(drawn), seen.painted, known["painted"]))
    return Found(rows)


def _show(page: Page, seen: Seen, texts: Sequence[str], *, streamed: bool) -> None:
    page.evaluate(_MOUNT, [list(texts), streamed])
    page.evaluate(_STREAM)
    found, drawn = page.evaluate(_LOOK, streamed)
    for detector, fault in found:
        getattr(seen, detector).append(f"{'streamed' if streamed else 'whole'}: {fault}")
    if drawn < sum(len(text) for text in texts):
        seen.built.append(f"only {drawn} characters were drawn of {texts}")
    collect(page, seen)


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Texts of about one length together: a batch takes as long as its longest."""
    ordered = sorted(texts, key=len)
    for first in range(0, len(ordered), _AT_ONCE):
        yield ordered[first : first + _AT_ONCE]
