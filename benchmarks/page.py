"""What an answer costs in the page: the whole built widget in Chromium, with a scripted kernel (tests/browser/page).

CPU is that of the page's main thread (Performance.getMetrics in the threadTicks domain), from the first message to
400 ms after the last change of the card; tasks over 50 ms and frames are wall clock. `at once`: the whole text in one
patch, then the end. `reload`: an ended run in the snapshot trait, from mounting on. `live`: a flush each 33 ms.
Highlighting is loaded as a kernel would send it.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from . import page_markdown
from .setting import Setting, cpu_session, spent_s
from .table import Row, percentile, single

__all__ = ["measure"]

_PREPARE = """async ([text, reload]) => {
  const long = [], frames = [];
  const state = window.gem.run();
  const kernel = new window.gem.FakeKernel(), model = kernel.model;
  kernel.beats = false;
  const answer = model.onSent;
  model.onSent = async (message) => {
    if (message.op !== 'module') return answer(message);
    const source = await (await fetch(`/gemstream_widget/static/${message.name}.js`)).arrayBuffer();
    model.emit('msg:custom', {op: 'module', name: message.name, id: message.name}, [new DataView(source)]);
  };
  const part = (text) => ({...window.gem.parts({kind: 'text', text})[0], index: 0});
  if (reload) Object.assign(state, {status: 'completed', ended_s: 9, parts: [part(text)]});
  kernel.start(state, 2);
  let seq = 0;
  const patch = (...ops) => model.emit('msg:custom', {op: 'patch', run: 'r1', seq: ++seq, ops}, []);
  const end = () => patch(['=', ['ended_s'], 9], ['=', ['status'], 'completed']);
  let view, changed = performance.now(), going = true, last = 0;
  const mount = async () => {
    view = await (await window.gem.mount(kernel)).view();
    new MutationObserver(() => { changed = performance.now(); })
      .observe(view.el.querySelector('.gemstream').shadowRoot.querySelector('.card'), {subtree: true, childList: true});
  };
  const settled = async () => {
    while (performance.now() - changed < 400) await new Promise(r => setTimeout(r, 50));
    going = false;
    const shown = view.el.querySelector('.gemstream').shadowRoot;
    return {
      long, frames: frames.slice(3),
      length: [...shown.querySelectorAll('.prose')].reduce((sum, prose) => sum + prose.textContent.length, 0),
    };
  };
  const frame = (now) => {
    if (last) frames.push(now - last);
    last = now;
    if (going) requestAnimationFrame(frame);
  };
  if (!reload) {
    await mount();
    patch(['=', ['parts', 0], part('')], ['=', ['first_text_s'], 0.5]);
    await new Promise(r => setTimeout(r, 300));
  }
  new PerformanceObserver(list => long.push(...list.getEntries().map(e => e.duration)))
    .observe({entryTypes: ['longtask']});
  window.job = {
    async start() { requestAnimationFrame(frame); changed = performance.now(); },
    async once() {
      await this.start();
      patch(['+', ['parts', 0, 'text'], text]);
      end();
      return settled();
    },
    async reload() {
      await this.start();
      await mount();
      return settled();
    },
    async live(size) {
      await this.start();
      await new Promise((resolve) => {
        let at = 0;
        const timer = setInterval(() => {
          patch(['+', ['parts', 0, 'text'], text.slice(at, at + size)], ['=', ['tokens'], at]);
          at += size;
          if (at >= text.length) { clearInterval(timer); resolve(); }
        }, 33);
      });
      end();
      return settled();
    },
  };
}"""
_WARM = """() => import('/gemstream_widget/static/widget.js').then(() => 0)"""
_LIVE_CHARACTERS = 300


def measure(setting: Setting) -> list[Row]:
    """1 MB at once: CPU <= 1.5 s, at most 2 tasks over 50 ms, CPU(1 MB) / CPU(100 kB) < 13; live p95 frame <= 20 ms."""
    with tempfile.TemporaryDirectory() as folder:
        lab = page_markdown.Lab(setting.browser, page_markdown.bundle(Path(folder)))
        page = lab.page()
        small, large = (page.evaluate(f"gs.large.answer({size})") for size in (100_000, 1_000_000))
        page.close()
        rows = _card(setting, small, large)
        return rows + _markdown_alone(lab, setting.count(5, 2))


def _card(setting: Setting, small: str, large: str) -> list[Row]:
    runs = setting.count(5, 2)
    at_100 = [_run(setting, small, "once()") for _ in range(runs)]
    at_1000 = [_run(setting, large, "once()") for _ in range(runs)]
    reload = [_run(setting, large, "reload()") for _ in range(runs)]
    live_text = small if not setting.quick else small[:30_000]
    live = _run(setting, live_text, f"live({_LIVE_CHARACTERS})")
    cost_100, cost_1000 = _middle(at_100, "cpu_ms"), _middle(at_1000, "cpu_ms")
    lived = f"card, {len(live_text) // 1000} kB live, {_LIVE_CHARACTERS} characters each 33 ms"
    return [
        single("card, 100 kB at once, CPU", cost_100, "ms", n=runs),
        single("card, 1 MB at once, CPU", cost_1000, "ms", most=1500, n=runs),
        single("card, 1 MB at once, tasks over 50 ms", _middle(at_1000, "long"), "", most=2, n=runs),
        single("card, 1 MB at once, longest task", _middle(at_1000, "longest_ms"), "ms", n=runs),
        single("card, CPU(1 MB) / CPU(100 kB)", cost_1000 / cost_100, "", below=13, n=runs),
        single("card, 1 MB from a saved notebook (reload), CPU", _middle(reload, "cpu_ms"), "ms", n=runs),
        single("card, 1 MB from a saved notebook, tasks over 50 ms", _middle(reload, "long"), "", n=runs),
        single(f"{lived}, p95 frame", live["frame_p95_ms"], "ms", most=20, n=int(live["frames"])),
        single(f"{lived}, p50 frame", live["frame_p50_ms"], "ms", n=int(live["frames"])),
        single(f"{lived}, CPU", live["cpu_ms"], "ms"),
        single(f"{lived}, tasks over 50 ms", live["long"], ""),
    ]


def _run(setting: Setting, text: str, job: str) -> dict[str, float]:
    """One card in a fresh page."""
    with setting.card_page() as page:
        page.evaluate(_WARM)
        page.evaluate(_PREPARE, [text, job.startswith("reload")])
        cpu = cpu_session(page)
        before = spent_s(cpu)
        result: dict[str, Any] = page.evaluate(f"() => window.job.{job}")
        spent = spent_s(cpu) - before
    if result["length"] < 0.7 * len(text):
        raise RuntimeError(f"{result['length']} of {len(text)} characters were drawn")
    return {
        "cpu_ms": 1000 * spent,
        "long": len(result["long"]),
        "longest_ms": max(result["long"], default=0.0),
        "frames": len(result["frames"]),
        "frame_p50_ms": percentile(result["frames"], 0.5),
        "frame_p95_ms": percentile(result["frames"], 0.95),
    }


def _middle(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def _markdown_alone(lab: page_markdown.Lab, runs: int) -> list[Row]:
    """The renderer without the card."""
    cost = {}
    for name in ("answer 100 kB at once", "answer 1 MB at once"):
        cost[name] = page_markdown.medians([lab.measure(**page_markdown.cases()[name]) for _ in range(runs)])
    small, large = cost.values()
    return [
        single("markdown alone, 1 MB at once, CPU", large["cpu_ms"], "ms", most=1500, n=runs),
        single("markdown alone, 1 MB at once, tasks over 50 ms", large["long_tasks"], "", most=2, n=runs),
        single("markdown alone, CPU(1 MB) / CPU(100 kB)", large["cpu_ms"] / small["cpu_ms"], "", below=13, n=runs),
    ]
