"""Many cards on one page: what they cost it at rest, what they share, and that none keeps another from working."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.test_card import Card, card, open_card

# The fixtures come from test_card.
__all__ = ["card", "open_card"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

# Counts what costs a page that should be at rest: timers and frames that fire, and layout that is read.
COUNT = """
window.counts = {};
window.reset = () => Object.assign(counts, { timers: 0, beats: 0, frames: 0, reads: 0 });
reset();
const kinds = { setTimeout: "timers", setInterval: "beats", requestAnimationFrame: "frames" };
for (const [name, what] of Object.entries(kinds)) {
  const original = window[name];
  window[name] = (call, ...rest) => original(function (...args) {
    counts[what]++;
    return call.apply(this, args);
  }, ...rest);
}
const count = (holder, name) => {
  const found = Object.getOwnPropertyDescriptor(holder, name);
  const counted = (original) => function (...args) {
    counts.reads++;
    return original.apply(this, args);
  };
  if (found.get) Object.defineProperty(holder, name, { ...found, get: counted(found.get) });
  else Object.defineProperty(holder, name, { ...found, value: counted(found.value) });
};
for (const name of ["clientHeight", "clientWidth", "clientTop", "scrollHeight", "scrollWidth", "scrollTop"])
  count(Element.prototype, name);
for (const name of ["offsetHeight", "offsetWidth", "offsetTop"]) count(HTMLElement.prototype, name);
count(Element.prototype, "getBoundingClientRect");
count(Element.prototype, "getClientRects");
const style = window.getComputedStyle;
window.getComputedStyle = (...args) => {
  counts.reads++;
  return style(...args);
};
"""
# Half of them come finished, as after a reload; the others have been seen to stream and end.
FINISHED = """async count => {
  const text = "A line of the answer.\\n\\n".repeat(6);
  for (let i = 0; i < count; i++) {
    const kernel = new gem.FakeKernel();
    const done = { status: "completed", ended_s: 2, parts: gem.parts({ kind: "text", text, last_s: 2 }) };
    kernel.start({ ...gem.run(), ...(i % 2 ? done : { parts: gem.parts({ kind: "text", text }) }) });
    const mounted = await gem.mount(kernel);
    await mounted.view();
    if (i % 2) continue;
    kernel.append("r1", 0, "The end.");
    kernel.patch("r1", [["=", ["status"], "completed"], ["=", ["ended_s"], 2]]);
  }
}"""


NOTHING = {"timers": 0, "beats": 0, "frames": 0, "reads": 0}


def costs(card: Card, seconds: float = 2) -> dict[str, int]:
    """What happens while a reader scrolls through the page and then looks at it."""
    card.page.mouse.move(300, 300)
    card.js("reset()")
    for distance in (600, 2000, -900):
        card.page.mouse.wheel(0, distance)
        card.page.wait_for_timeout(100)
    card.page.wait_for_timeout(seconds * 1000)
    counts: dict[str, int] = card.js("counts")
    return counts


@pytest.fixture
def counted(open_card: Callable[..., Card]) -> Card:
    made = open_card()
    made.page.add_init_script(COUNT)
    made.page.reload()
    made.page.wait_for_selector("html[data-ready]")
    return made


def test_a_hundred_finished_cards_cost_a_page_nothing(counted: Card) -> None:
    counted.page.evaluate(FINISHED, 100)
    assert counted.page.locator(".gemstream").count() == 100
    counted.page.wait_for_timeout(2500)
    assert costs(counted) == NOTHING
    counted.start()
    counted.part("text", "One that goes on.")
    counted.page.wait_for_timeout(300)
    running = costs(counted)
    assert running["beats"] > 15, "the control: a running card has a clock"
    assert running["reads"] > 0, "and is looked for where it scrolls"
    counted.patch(["=", ["status"], "completed"], ["=", ["ended_s"], 5])
    counted.page.wait_for_timeout(2500)
    assert costs(counted) == NOTHING


def test_a_finished_card_wakes_for_the_next_run(counted: Card) -> None:
    counted.start({"status": "completed", "ended_s": 2})
    counted.page.wait_for_timeout(2500)
    assert costs(counted, 0.5) == NOTHING
    counted.js("card.kernel.start({ ...gem.run(), id: 'r2' })")
    counted.js("card.kernel.patch('r2', [['=', ['tokens'], 3]])")
    counted.find(".run").nth(1).wait_for()
    first = counted.find(".run").nth(1).locator(".facts-line").inner_text()
    counted.page.wait_for_timeout(300)
    assert counted.find(".run").nth(1).locator(".facts-line").inner_text() != first


def test_running_cards_share_one_clock_and_one_frame(counted: Card) -> None:
    counted.page.evaluate(
        """async () => {
          window.kernels = [];
          for (let i = 0; i < 20; i++) {
            const kernel = new gem.FakeKernel();
            kernel.beats = false;
            kernel.start({ ...gem.run(), parts: gem.parts({ kind: "text", text: "A" }) });
            await (await gem.mount(kernel)).view();
            kernels.push(kernel);
          }
        }"""
    )
    counted.page.wait_for_timeout(1000)
    counted.js("reset()")
    counted.page.wait_for_timeout(1000)
    assert 5 <= counted.js("counts.beats") <= 11, "ten a second, for all of them"
    frames = counted.js(
        """async () => {
          reset();
          kernels.forEach(kernel => kernel.append("r1", 0, "more"));
          await new Promise(done => setTimeout(done, 300));
          return counts.frames;
        }"""
    )
    assert 1 <= frames <= 3


def test_a_view_that_fails_does_not_keep_others_from_drawing(open_card: Callable[..., Card]) -> None:
    card = open_card()
    card.start(views=2)
    card.part("text", "First.")
    card.page.wait_for_function(
        "[...document.querySelectorAll('.gemstream')].every(({shadowRoot}) => shadowRoot.querySelector('.prose'))"
    )
    card.js(
        """() => {
          const flow = document.querySelector(".gemstream").shadowRoot.querySelector(".flow");
          flow.append = () => { throw new Error("this view is broken"); };
        }"""
    )
    card.patch(["=", ["parts", 1], card.js("({...gem.parts({kind: 'code', code: 'x', language: ''})[0], index: 1})")])
    card.find(".code-run").wait_for()
    assert card.find(".code-run").count() == 1
    assert [error for error in card.errors if "broken" not in error] == []
    assert card.errors != [], "what failed is told"


# -- following -----------------------------------------------------------------------------------------------------

GAP = """() => {
  const notebook = document.querySelector("#notebook");
  return Math.round(notebook.scrollHeight - notebook.clientHeight - notebook.scrollTop);
}"""


@pytest.mark.parametrize("gesture", ["wheel", "key"])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_only_gestures_inside_the_own_scroller_end_following(card: Card, gesture: str, elsewhere: bool) -> None:
    card.js(
        """() => {
          const pane = document.createElement("div");
          pane.id = "pane";
          pane.tabIndex = 0;
          pane.style = "position: fixed; top: 0; right: 0; width: 200px; height: 300px; overflow: auto; z-index: 9";
          pane.innerHTML = "<div style='height: 3000px'>another pane</div>";
          document.body.append(pane);
          pane.scrollTop = 1000;
        }"""
    )
    card.start()
    card.part("text", "Start.\n\n")
    card.page.wait_for_timeout(200)
    card.append("A line of text.\n\n" * 60)
    card.page.wait_for_timeout(400)
    assert card.js(GAP) <= 30
    if gesture == "wheel":
        card.page.mouse.move(800 if elsewhere else 300, 150)
        card.page.mouse.wheel(0, -300)
    else:
        card.page.locator("#pane" if elsewhere else "#notebook").focus()
        card.page.keyboard.press("ArrowUp")
    card.page.wait_for_timeout(200)
    card.append("Another line of text.\n\n" * 60)
    card.page.wait_for_timeout(600)
    assert (card.js(GAP) <= 30) == elsewhere


# -- nobody listens ------------------------------------------------------------------------------------------------

SILENT = """async name => {
  const kernel = new gem.FakeKernel();
  kernel.answersResync = kernel.beats = false;
  kernel.start(gem.states[name](), 2);
  const mounted = await gem.mount(kernel);
  window.card = { ...mounted, ...(await mounted.view()) };
}"""


def said(card: Card) -> str:
    return " ".join(card.find("[role=status], [role=alert]").all_inner_texts()).strip()


@pytest.mark.parametrize("name", ["writing", "waiting"])
def test_a_state_that_was_saved_in_mid_run_says_so_and_offers_nothing(card: Card, name: str) -> None:
    card.page.evaluate(SILENT, name)
    card.state("Saved while it was written")
    assert card.find("button.stop").count() == 0
    assert not card.find(".trouble").is_visible()
    assert card.find(".caret").count() == 0
    assert card.find("[aria-busy=true]").count() == 0
    asked = len(card.sent("resync"))
    assert asked in (5, 6)
    assert card.sent("module") == []
    assert card.find(".form").count() == 0
    assert "Decide in Python" not in card.text
    assert said(card) == ""
    time: Any = card.find(".facts-line").inner_text()
    card.find(".card").focus()
    card.page.keyboard.press("Escape")
    card.page.wait_for_timeout(8000)
    assert card.find(".facts-line").inner_text() == time
    # The connection may come back, so the page asks on, every 6 s: once or twice in the 8 s of this look.
    assert len(card.sent("resync")) - asked in (1, 2)
    assert card.sent("stop") == []


def test_a_kernel_that_speaks_after_all_is_heard(card: Card) -> None:
    card.page.evaluate(SILENT, "waiting")
    card.state("Saved while it was written")
    card.js("card.kernel.beats = card.kernel.answersResync = true")
    card.state("Waiting for approval")
    card.find(".form").wait_for()
    card.find("button.stop").click()
    card.state("Stopped")
