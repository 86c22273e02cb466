"""What people do to a notebook while a run goes: tabs, views, reloads, clearing, many at once, a bad connection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Error, Page, expect

from benchmarks.setting import Setting
from tests.browser.notebook import Notebook

from .report import Control, Row

__all__ = ["FRESH", "rows"]

_SOON_MS = 20_000
_MANY = 20
_MOST_MESSAGES = 800
"""In 3 seconds, at the page. Jupyter's server drops what comes above 1000 a second, averaged over as long."""

# Counts what the kernel tells the page, and loses what `lose` names: each word is a kind of message.
_SOCKET = """() => {
  const heard = window.heard = [];
  window.lose = [];
  window.lost = 0;
  const read = (data) => typeof data === 'string' ? data : new TextDecoder('latin1').decode(data);
  const kinds = {
    patch: (text) => text.includes('"op": "patch"') || text.includes('"op":"patch"'),
    end: (text) => kinds.patch(text) && /"(completed|cancelled|failed)"/.test(text),
    trait: (text) => /"method": ?"update"/.test(text) && text.includes('"snapshot"'),
    beat: (text) => /"op": ?"beat"/.test(text),
    snap: (text) => /"op": ?"snap"/.test(text),
  };
  window.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      if (!this.url.includes('/channels')) return;
      this.binaryType = 'arraybuffer';
      this.addEventListener('message', (event) => {
        heard.push(performance.now());
        if (window.lose.length === 0) return;
        const text = read(event.data);
        if (!window.lose.some((kind) => kinds[kind](text))) return;
        window.lost++;
        event.stopImmediatePropagation();
      });
    }
  };
}"""
# The cards in their order, each as [what it says about its state, its answer].
_CARDS = """() => [...document.querySelectorAll('.jp-OutputArea-output .gemstream')].map(({shadowRoot}) => [
  shadowRoot.querySelector('.state')?.textContent ?? '',
  [...shadowRoot.querySelectorAll('.flow > .prose')].map((prose) => prose.textContent).join(' ').trim(),
])"""
_ALL_SHOW = f"""(wanted) => {{
  const cards = ({_CARDS})();
  return cards.length === wanted.length && cards.every((card, n) => wanted[n].every((word, i) => card[i] === word));
}}"""
_BUSIEST = """() => {
  let most = 0, first = 0;
  heard.forEach((at, last) => {
    while (heard[first] < at - 3000) first++;
    most = Math.max(most, last - first + 1);
  });
  return most;
}"""
FRESH = """() => {
  const cells = window.panel.content.model.sharedModel;
  cells.deleteCellRange(0, cells.cells.length);
  cells.insertCell(0, {cell_type: 'code', source: ''});
}"""
_SETUP = '''
import json
ran = []

@gem.tool(approve="ask")
def keep(word: str) -> str:
    """Keep a word."""
    ran.append(word)
    return word
'''
_TEXT = "@every 0.03\n@think Let me see.\n@chunks {chunks} " + "".join(f"word{n} " for n in range(60)).strip()
_CALL = '@say May I?\n@call keep {"word": "yes"}\n@then\n@say Kept.'


def _prompt(chunks: int = 40) -> str:
    return repr(_TEXT.format(chunks=chunks))


def _ask(notebook: Notebook, chunks: int = 40) -> None:
    notebook.run(f"run = gem.ask({_prompt(chunks)}, model='demo')")
    _streams(notebook.page)


def _streams(page: Page) -> None:
    page.locator(".gemstream .prose", has_text="word5 ").last.wait_for(timeout=_SOON_MS)


def _cards(page: Page, *wanted: tuple[str, str]) -> str | None:
    """Wait until the page shows exactly these cards; what it shows instead, if it does not."""
    try:
        page.wait_for_function(_ALL_SHOW, arg=list(wanted), timeout=_SOON_MS)
    except Error:
        return f"the page shows {str(page.evaluate(_CARDS))[:300]} for {str(wanted)[:300]}"
    return None


def _done(notebook: Notebook, *pages: Page, cards: int = 1, word: str = "Done") -> list[str]:
    """Wait for the run; then every page has all of it."""
    text = json.loads(notebook.run("_ = await run.wait()\nprint(json.dumps(run.text.strip()))"))
    found = [_cards(page, *[(word, text)] * cards) for page in pages or (notebook.page,)]
    return [fault for fault in found if fault]


# -- what is tried ----------------------------------------------------------------------------------------------------


def _second_tab(notebook: Notebook) -> list[str]:
    notebook.run("pass")
    _ask(notebook, 120)
    notebook.save()
    with _tab(notebook) as tab:
        _streams(tab.page)
        return _done(notebook, notebook.page, tab.page)


@contextmanager
def _tab(notebook: Notebook) -> Iterator[Notebook]:
    """The same notebook in a second tab, as somebody has who opens its address once more."""
    page = notebook.page.context.new_page()
    try:
        page.add_init_script(f"({_SOCKET})()")
        page.goto(notebook.page.url.replace("/workspaces/", "/workspaces/second-"), wait_until="domcontentloaded")
        other = Notebook.__new__(Notebook)
        other.lab, other.page = notebook.lab, page
        other.wait_ready()
        yield other
    finally:
        page.close()


def _second_view(notebook: Notebook) -> list[str]:
    _ask(notebook)
    notebook.run("run")
    return _done(notebook, cards=2)


def _clear(notebook: Notebook) -> list[str]:
    _ask(notebook, 80)
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    notebook.page.wait_for_function("() => !document.querySelector('.jp-OutputArea-output .gemstream')")
    notebook.run("run")
    return _done(notebook)


def _close(notebook: Notebook) -> list[str]:
    _ask(notebook)
    notebook.run(f"other = gem.Chat(model='demo').send({_prompt(200)})\ncard = gem.Card([other])\ncard")
    notebook.page.locator(".gemstream").nth(1).wait_for(timeout=_SOON_MS)
    receipt = notebook.run("card.close()\n_ = await other.wait()\nprint(other.status, other.receipt.by)")
    faults = [] if receipt == "cancelled closed" else [f"its run ended {receipt}"]
    return faults + _done(notebook)


def _reload(notebook: Notebook) -> list[str]:
    _ask(notebook, 400)
    notebook.reload()
    _streams(notebook.page)
    notebook.page.locator(".gemstream").get_by_role("button", name="Stop").click()
    return _done(notebook, word="Stopped")


def _reload_while_a_call_waits(notebook: Notebook) -> list[str]:
    notebook.run(f"ran.clear()\nrun = gem.ask({_CALL!r}, model='demo', tools=[keep])")
    button = notebook.page.locator(".gemstream").get_by_role("button", name="Approve", exact=True)
    button.wait_for(timeout=_SOON_MS)
    notebook.reload()
    button.wait_for(timeout=_SOON_MS)
    expect(button).not_to_have_attribute("aria-disabled", "true")  # not in the first half second
    button.click()
    notebook.run("_ = await run.wait()")
    used = notebook.run("print(ran)")
    faults = [] if used == "['yes']" else [f"the tool ran with {used}"]
    fault = _cards(notebook.page, ("Done", "May I? Kept."))
    return [*faults, fault] if fault else faults


def _lost_end(notebook: Notebook) -> list[str]:
    notebook.page.evaluate("() => { window.lose = ['end', 'trait']; window.lost = 0 }")
    _ask(notebook)
    faults = _done(notebook)
    return faults if notebook.page.evaluate("() => window.lost") >= 2 else [*faults, "nothing was lost"]


def _many(notebook: Notebook) -> list[str]:
    notebook.page.evaluate("() => { heard.length = 0 }")
    notebook.run(f"runs = [gem.ask({_prompt(110)}, model='demo') for _ in range({_MANY})]")
    texts = json.loads(
        notebook.run("for run in runs: await run.wait()\nprint(json.dumps([r.text.strip() for r in runs]))")
    )
    fault = _cards(notebook.page, *[("Done", text) for text in texts])
    return [fault] if fault else []


# -- and what must be noticed -----------------------------------------------------------------------------------------


def _deaf(notebook: Notebook) -> bool:
    """A page that hears nothing of its run is seen to be wrong."""
    notebook.page.evaluate("() => { window.lose = ['patch', 'trait', 'beat', 'snap'] }")
    notebook.run(f"run = gem.ask({_prompt(10)}, model='demo')\n_ = await run.wait()")
    text = json.loads(notebook.run("print(json.dumps(run.text.strip()))"))
    notebook.page.locator(".gemstream .state").wait_for(timeout=_SOON_MS)
    return not notebook.page.evaluate(_ALL_SHOW, [("Done", text)])


def _flood(notebook: Notebook) -> bool:
    """More messages than allowed are counted. In small lots: a thousand at once may overrun the kernel's socket, and
    then the end of the cell is lost too.
    """
    notebook.page.evaluate("() => { heard.length = 0 }")
    notebook.run(
        "import asyncio\ncard = gem.Card()\n"
        f"for n in range({_MOST_MESSAGES + 50}):\n"
        "    card.send({'op': 'nothing', 'n': n})\n"
        "    if n % 50 == 0: await asyncio.sleep(0.02)"
    )
    return bool(notebook.page.evaluate(_BUSIEST) > _MOST_MESSAGES)


def rows(setting: Setting) -> list[Row]:
    """Each thing tried again and again in one notebook. In short: what tests/browser/test_jupyterlab.py leaves out."""
    tries: dict[str, tuple[Callable[[Notebook], list[str]], int]] = {
        "two tabs of one notebook show all of a run": (_second_tab, setting.count(5, 1)),
        "a second view of a run": (_second_view, setting.count(8, 0)),
        "outputs cleared in mid-run, shown again": (_clear, setting.count(8, 0)),
        "a card closed from code stops its run, the other card goes on": (_close, setting.count(8, 1)),
        "reload in mid-run, then Stop": (_reload, setting.count(6, 0)),
        "reload while a call waits, then Approve": (_reload_while_a_call_waits, setting.count(6, 0)),
        "the last patch and the snapshot are lost in the socket": (_lost_end, setting.count(8, 1)),
    }
    found: dict[str, list[str]] = {}
    complaints: list[str] = []

    def watch(page: Page) -> None:
        page.add_init_script(f"({_SOCKET})()")
        page.on("pageerror", lambda error: complaints.append(str(error)))

    with setting.notebook("healing", watch) as notebook:
        notebook.run(_SETUP)
        for what, (attempt, count) in tries.items():
            found[what] = [fault for _ in range(count) for fault in _once(notebook, attempt)]
        rates, turns = [], setting.count(4, 1)
        stuck: list[str] = []
        for _ in range(turns):
            stuck += _once(notebook, _many)
            rates.append(notebook.page.evaluate(_BUSIEST))
        deaf = _controlled(notebook, _deaf)
        flood = _controlled(notebook, _flood)
    stuck += [complaint for complaint in complaints if "ResizeObserver" not in complaint]
    over = [f"{rate} messages in 3 s" for rate in rates if rate > _MOST_MESSAGES]
    what = f"{_MANY} runs at once, each whole on the page"
    rate = f"messages in any 3 s of {_MANY} runs at once ({max(rates)} at most, limit {_MOST_MESSAGES})"
    unheard = Control("a page that hears nothing", deaf)
    return [
        *(Row(name, tries[name][1], faults, unheard) for name, faults in found.items() if tries[name][1]),
        Row(what, _MANY * turns, stuck, unheard),
        Row(rate, turns, over, Control(f"{_MOST_MESSAGES + 50} sent", flood)),
    ]


def _once(notebook: Notebook, attempt: Callable[[Notebook], list[str]]) -> list[str]:
    _clean(notebook)
    try:
        return attempt(notebook)
    except (Error, AssertionError) as error:
        return [f"{type(error).__name__}: {str(error)[:300]}"]


def _controlled(notebook: Notebook, control: Callable[[Notebook], bool]) -> bool:
    _clean(notebook)
    return control(notebook)


def _clean(notebook: Notebook) -> None:
    notebook.page.evaluate("() => { window.lose = [] }")
    notebook.page.evaluate(FRESH)
