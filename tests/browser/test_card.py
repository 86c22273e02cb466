"""The card in a real browser: Stop, keys, focus, scrolling, themes, lost messages, several views."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

# Everything a test does in the page goes through one card, kept in window.card.
SHOW = "async ([name, at_s]) => { window.card = await gem.show(name, at_s) }"
START = """async ([state, views]) => {
  const kernel = new gem.FakeKernel();
  kernel.start({ ...gem.run(), ...state });
  const mounted = await gem.mount(kernel);
  const shown = [];
  for (let i = 0; i < views; i++) shown.push(await mounted.view());
  window.card = { ...mounted, el: shown[0].el, views: shown };
}"""

# Notes every sentence that a screen reader is given.
HEAR = """() => {
  const root = document.querySelector(".gemstream").shadowRoot;
  window.said = [];
  for (const region of root.querySelectorAll("[role=status], [role=alert]"))
    new MutationObserver(records => records.forEach(record => record.addedNodes.forEach(
      node => said.push(node.textContent)))).observe(region, {childList: true});
}"""


class Card:
    """One page with one card (or several views of it)."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def show(self, name: str, at_s: float = 2.1) -> None:
        self.page.evaluate(SHOW, [name, at_s])

    def start(self, state: dict[str, Any] | None = None, views: int = 1) -> None:
        self.page.evaluate(START, [state or {}, views])

    def js(self, code: str) -> Any:
        return self.page.evaluate(code)

    def patch(self, *ops: Any) -> None:
        self.page.evaluate("ops => card.kernel.patch('r1', ops)", list(ops))

    def part(self, kind: str, text: str, index: int = 0, **more: Any) -> None:
        """A new part of text or thought, first seen now."""
        code = """([kind, text, index, more]) => {
          const [part] = gem.parts({ kind, text, ...more });
          card.kernel.patch("r1", [["=", ["parts", index], { ...part, ...more, index }]]);
        }"""
        self.page.evaluate(code, [kind, text, index, {"first_s": more.pop("first_s", 1.0), **more}])

    def append(self, text: str, index: int = 0) -> None:
        self.patch(["+", ["parts", index, "text"], text])

    def find(self, selector: str) -> Any:
        return self.page.locator(f".gemstream {selector}")

    def sent(self, op: str) -> list[dict[str, Any]]:
        return [message for message in self.js("card.kernel.model.sent") if message["op"] == op]

    @property
    def text(self) -> str:
        return self.find(".body").first.inner_text()

    def wait_text(self, text: str) -> None:
        self.page.wait_for_function(
            "text => document.querySelector('.gemstream').shadowRoot.querySelector('.body').innerText.includes(text)",
            arg=text,
        )

    def state(self, text: str) -> None:
        self.find(".state").first.filter(has_text=text).wait_for()


@pytest.fixture
def open_card(browser: Any, page_url: str) -> Iterator[Callable[..., Card]]:
    contexts = []

    def make(**options: Any) -> Card:
        context = browser.new_context(viewport={"width": 900, "height": 600}, **options)
        contexts.append(context)
        page = context.new_page()
        card = Card(page)
        page.goto(page_url)
        page.wait_for_selector("html[data-ready]")
        return card

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def card(open_card: Callable[..., Card]) -> Iterator[Card]:
    made = open_card()
    yield made
    assert made.errors == []


# -- drawing -------------------------------------------------------------------------------------------------------


def test_every_scripted_state_is_drawn(card: Card) -> None:
    for name in card.js("gem.names"):
        card.show(name)
    assert card.page.locator(".gemstream .bar").count() == len(card.js("gem.names"))


def test_text_arrives_as_it_streams(card: Card) -> None:
    card.start()
    card.part("text", "Hel")
    card.wait_text("Hel")
    card.append("lo **wor")
    card.append("ld**")
    card.wait_text("Hello world")
    assert card.find("strong").inner_text() == "world"


def test_parts_of_one_kind_are_one_flow_even_when_a_word_is_cut(card: Card) -> None:
    card.start()
    card.part("text", "un")
    card.part("text", "", index=1)
    card.part("text", "broken", index=2)
    card.wait_text("unbroken")
    assert card.find(".prose").count() == 1


def test_model_text_is_never_markup(card: Card) -> None:
    card.start()
    card.part(
        "text", "<img src=x onerror='window.hit=1'> [x](javascript:window.hit=1) ![i](https://example.com/p.png)\n\n"
    )
    evil = "<img src=x onerror=window.hit=1>"
    card.page.evaluate(
        "evil => card.kernel.patch('r1', [['=', ['parts', 1], gem.parts({kind: 'text', text: ''}, "
        "{kind: 'call', call: {id: 'c', otid: 1, call_id: null, name: evil, args: {[evil]: evil}, used_args: null,"
        " state: 'failed', result: null, error: evil}})[1]]])",
        evil,
    )
    card.find(".call").wait_for()
    card.page.wait_for_timeout(200)
    assert card.js("window.hit") is None
    assert card.find("img").count() == 0
    assert card.find("a[href^=javascript]").count() == 0


def test_invisible_characters_in_arguments_are_spelled_out(card: Card) -> None:
    card.show("asked")
    assert card.find(".odd").all_inner_texts() == ["U+202E", "U+200B"]


def test_long_argument_is_clipped_and_can_be_shown(card: Card) -> None:
    card.start()
    card.page.evaluate(
        "card.kernel.patch('r1', [['=', ['parts', 0], {...gem.parts({kind: 'call'})[0], call: {id: 'c', otid: 1,"
        " call_id: null, name: 'write', args: {text: 'x'.repeat(5000)}, used_args: null, state: 'requested',"
        " result: null, error: null}}]])"
    )
    more = card.find("button.more")
    more.wait_for()
    assert more.inner_text() == "Show all, 5,000 characters"
    assert len(card.find(".args dd").inner_text()) < 700
    more.click()
    assert "x" * 5000 in card.find(".args dd").inner_text()


def test_arguments_grow_while_they_stream(card: Card) -> None:
    card.show("streaming_args")
    card.patch(
        ["+", ["parts", 1, "call", "args", "query"], "th from orders"], ["=", ["parts", 1, "call", "args", "limit"], 3]
    )
    card.wait_text("as month from orders")
    assert card.find(".args dt").all_inner_texts() == ["query", "limit"]


def test_image_is_shown_from_memory_and_links_are_checked(card: Card) -> None:
    requests: list[str] = []
    card.page.on("request", lambda request: requests.append(request.url))
    card.show("files")
    image = card.find(".file img")
    image.wait_for()
    card.page.wait_for_function(
        "document.querySelector('.gemstream').shadowRoot.querySelector('.file img').naturalWidth > 0"
    )
    assert image.get_attribute("src").startswith("blob:")
    card.show("sources")
    card.find(".sources").first.wait_for()
    assert card.find(".sources a").count() == 4
    assert [url for url in requests if "example" in url or "wikipedia" in url] == []


# -- Stop ----------------------------------------------------------------------------------------------------------


def stopped(card: Card) -> None:
    card.state("Stopped")
    assert card.find(".receipt b").inner_text().startswith("Stopped by you at")
    assert len(card.sent("stop")) >= 1
    assert card.js("card.kernel.model.saved")[0] == {"stop_run": "r1"}


def test_stop_is_there_from_the_first_paint(card: Card) -> None:
    card.show("connecting", 0)
    assert card.find("button.stop").is_enabled()


def test_stop_by_click(card: Card) -> None:
    card.show("writing")
    card.find("button.stop").click()
    stopped(card)


def test_stop_is_answered_on_the_page_before_the_kernel(card: Card) -> None:
    card.show("writing")
    card.js("card.kernel.answersStop = false")
    card.find("button.stop").click()
    assert card.find(".state").inner_text() == "Stopping…"


def test_stop_by_keyboard_keeps_the_focus_in_the_card(card: Card) -> None:
    card.show("writing")
    card.find("button.stop").focus()
    card.page.keyboard.press("Enter")
    stopped(card)
    active = "document.querySelector('.gemstream').shadowRoot.activeElement?.className"
    assert card.js(active) == "card single"


def test_stop_by_escape_and_escape_again_gives_the_notebook_its_keys(card: Card) -> None:
    card.show("writing")
    card.find(".card").focus()
    card.page.keyboard.press("Escape")
    stopped(card)
    assert card.js("document.activeElement.className") == "gemstream"
    card.page.keyboard.press("Escape")
    assert card.js("document.activeElement.id") == "notebook"


WATCH_CLIPBOARD = "void (navigator.clipboard.writeText = () => { window.copied = true; return Promise.resolve() })"


@pytest.mark.parametrize("lines", [1, 60], ids=["short", "long"])
def test_second_click_on_stop_hits_nothing(card: Card, lines: int) -> None:
    card.start()
    card.part("text", "A line.\n\n" * lines)
    card.page.wait_for_timeout(300)
    box = card.find("button.stop").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    card.js(WATCH_CLIPBOARD)
    card.page.mouse.click(x, y)
    card.state("Stopped")
    for _ in range(20):
        card.page.mouse.click(x, y)
        card.page.wait_for_timeout(100)
    assert card.js("window.copied") is None
    if lines > 1:
        assert card.find("button.copy").count() == 0, "the bar is still under the pointer, which may mean Stop"
        card.page.mouse.move(10, 10)
    card.find("button.copy").click()
    assert card.js("window.copied") is True


def test_copy_does_not_come_while_a_second_click_may_be_on_its_way(card: Card) -> None:
    card.show("writing")
    card.find("button.stop").press("Enter")
    card.state("Stopped")
    assert card.find("button.copy").count() == 0
    card.find("button.copy").wait_for()


def test_stop_does_not_move_while_text_streams_above_it(card: Card) -> None:
    card.start()
    card.part("text", "")
    card.find("button.stop").wait_for()
    before = card.find("button.stop").bounding_box()
    card.append("a few words")
    card.patch(["=", ["tokens"], 1234])
    card.state("Writing")
    after = card.find("button.stop").bounding_box()
    assert (before["x"], before["width"]) == (after["x"], after["width"])


def test_silent_kernel_is_said_in_words_and_stop_stays_usable(card: Card) -> None:
    card.show("writing")
    card.patch(["=", ["tokens"], 77])
    card.js("card.kernel.answersStop = card.kernel.beats = card.kernel.answersResync = false")
    card.find("button.stop").click()
    card.find(".trouble").filter(has_text="has not answered the Stop").wait_for()
    before = len(card.sent("stop"))
    card.find("button.stop").click()
    assert len(card.sent("stop")) > before
    card.find(".trouble").filter(has_text="No word from the kernel for 7 s").wait_for()


def test_a_stop_that_nobody_hears_is_said_so_before_anybody_spoke(card: Card) -> None:
    card.js("window.kernel = new gem.FakeKernel(); kernel.answersStop = kernel.beats = kernel.answersResync = false")
    card.page.evaluate(
        "async () => { kernel.start(gem.states.writing(), 2); const m = await gem.mount(kernel);"
        " window.card = {...m, ...(await m.view())} }"
    )
    card.find("button.stop").click()
    card.find(".trouble").filter(has_text="has not answered the Stop").wait_for()


def test_hosts_without_messages_or_traits_still_draw(card: Card) -> None:
    card.js("window.kernel = new gem.FakeKernel(); kernel.model.broken = {send: true, save: true}")
    card.page.evaluate(
        "async () => { kernel.start(gem.states.writing(), 2); const m = await gem.mount(kernel);"
        " window.card = {...m, ...(await m.view())} }"
    )
    card.find("button.stop").click()
    assert card.find(".state").inner_text() == "Stopping…"


# -- transport -----------------------------------------------------------------------------------------------------


def test_dropped_message_is_asked_for_and_nothing_is_missing(card: Card) -> None:
    card.start()
    card.part("text", "one ")
    card.js("card.kernel.lose.add(2)")
    card.append("two ")
    card.append("three")
    card.wait_text("one two three")
    assert card.sent("resync")[-1]["have"] == 1


def test_two_views_show_the_same_and_one_may_go(card: Card) -> None:
    card.start(views=2)
    card.part("text", "shared")
    card.wait_text("shared")
    assert card.find(".body").all_inner_texts() == ["shared", "shared"]
    card.js("card.views[0].remove()")
    card.append(" text")
    card.wait_text("shared text")
    assert card.page.locator(".gemstream").count() == 1


def test_late_view_shows_what_came_before_it(card: Card) -> None:
    card.start()
    card.part("text", "early")
    card.wait_text("early")
    card.js("card.view()")
    card.page.wait_for_function("document.querySelectorAll('.gemstream').length === 2")
    card.page.wait_for_timeout(100)
    assert card.find(".body").all_inner_texts() == ["early", "early"]


def test_render_alone_draws_for_hosts_that_skip_initialize(card: Card) -> None:
    card.page.evaluate(
        """async () => {
          const { default: widget } = await import("/gemstream_widget/static/widget.js");
          const kernel = new gem.FakeKernel();
          kernel.start(gem.states.done(), 2);
          const el = document.querySelector("#cells");
          widget.render({ model: kernel.model, el });
        }"""
    )
    card.state("Done")


def test_destroyed_model_leaves_no_listener(card: Card) -> None:
    card.start(views=2)
    assert card.js("card.kernel.model.listenerCount") > 0
    card.js("card.views.forEach(view => view.remove()); card.destroy()")
    assert card.js("card.kernel.model.listenerCount") == 0


def test_several_runs_show_their_prompts_in_order(card: Card) -> None:
    card.start({"status": "completed", "ended_s": 1.0})
    assert not card.find(".prompt").is_visible()
    card.js("card.kernel.start({...gem.run(), id: 'r2', prompt: [{role: 'user', parts: [{text: 'And then?'}]}]})")
    card.js("card.kernel.patch('r2', [['=', ['tokens'], 5]])")
    card.find(".run").nth(1).wait_for()
    assert [text.split("\n")[-1] for text in card.find(".prompt").all_inner_texts()] == [
        "How did revenue develop?",
        "And then?",
    ]


# -- reasoning -----------------------------------------------------------------------------------------------------


def is_open(card: Card) -> bool:
    return bool(card.find("details.reasoning").evaluate("details => details.open"))


def test_reasoning_counts_and_closes_itself_when_the_answer_starts(card: Card) -> None:
    card.show("reasoning", 2.1)
    card.find(".reasoning summary").filter(has_text="Reasoning, ").wait_for()
    assert is_open(card)
    bar = card.find(".bar").bounding_box()
    card.part("text", "So", index=1, first_s=3.6)
    card.find(".reasoning summary").filter(has_text="Reasoned for 3.2 s").wait_for()
    assert not is_open(card)
    assert card.find(".bar").bounding_box()["y"] == pytest.approx(bar["y"], abs=1)


def test_room_left_by_reasoning_is_given_back_after_the_end(card: Card) -> None:
    card.start()
    card.part("thought", "\n\n".join(["A thought."] * 8))
    card.wait_text("A thought.")
    high = card.find(".card").bounding_box()["height"]
    card.part("text", "Short.", index=1)
    card.wait_text("Short.")
    assert card.find(".card").bounding_box()["height"] == pytest.approx(high, abs=1)
    card.patch(["=", ["status"], "completed"], ["=", ["ended_s"], 2])
    card.find("button.copy").wait_for()
    card.page.wait_for_timeout(300)
    assert card.find(".card").bounding_box()["height"] < high - 100


def test_reasoning_the_reader_opened_stays_open(card: Card) -> None:
    card.show("reasoning")
    card.find(".reasoning summary").click()
    card.find(".reasoning summary").click()
    card.part("text", "So", index=1)
    card.wait_text("So")
    assert is_open(card)


def test_reasoning_is_closed_when_a_finished_answer_is_opened(card: Card) -> None:
    card.show("done")
    assert not is_open(card)


# -- keys, focus, words for screen readers -------------------------------------------------------------------------


def test_keys_stay_in_the_card(card: Card) -> None:
    card.show("asked")
    card.js("window.leaked = []; document.body.addEventListener('keydown', event => leaked.push(event.key))")
    for selector in ("button.copy", "button.fact", ".reasoning summary", ".card"):
        card.find(selector).first.focus()
        for key in "adxz0":
            card.page.keyboard.press(key)
        card.page.keyboard.press("Enter")
    assert card.js("leaked") == []
    assert card.page.locator(".gemstream").get_attribute("data-lm-suppress-shortcuts") == "true"
    card.page.keyboard.press("Control+s")
    assert card.js("leaked") == ["Control", "s"] or card.js("leaked") == ["s"]


def test_every_button_is_reachable_by_tab(card: Card) -> None:
    card.show("done")
    card.find(".copy").first.wait_for()
    seen = set()
    for _ in range(14):
        card.page.keyboard.press("Tab")
        name = card.js("document.querySelector('.gemstream').shadowRoot.activeElement?.className")
        seen.add(name)
    assert {"quiet copy", "fact", "gs-copy"} <= seen


def test_boundaries_are_announced_once_and_busy_ends(card: Card) -> None:
    card.start()
    card.js(HEAR)
    assert card.find(".body").get_attribute("aria-busy") == "true"
    card.part("thought", "Hm")
    card.state("Reasoning")
    card.part("text", "Yes", index=1)
    card.state("Writing")
    card.append(", and more")
    card.patch(["=", ["status"], "completed"], ["=", ["tokens"], 340], ["=", ["ended_s"], 2])
    card.state("Done")
    assert card.js("said") == ["Reasoning.", "Writing.", "Answer finished, 340 tokens."]
    assert card.find(".body").get_attribute("aria-busy") == "false"


def test_failure_is_an_alert(card: Card) -> None:
    card.start()
    error = {
        "type": "ApiError",
        "title": "Too many requests (429)",
        "message": "Slow down.",
        "hint": "Wait.",
        "code": 429,
        "status": None,
    }
    card.patch(["=", ["error"], error], ["=", ["status"], "failed"], ["=", ["ended_s"], 1])
    card.find("[role=alert]").filter(has_text="Too many requests (429). Slow down. Wait.").wait_for(state="attached")


def test_copy_gives_the_answer_as_markdown(open_card: Callable[..., Card]) -> None:
    card = open_card(permissions=["clipboard-read", "clipboard-write"])
    card.show("done")
    card.find("button.copy").click()
    card.find("button.copy").filter(has_text="Copied").wait_for()
    copied = card.js("navigator.clipboard.readText()")
    assert copied.startswith("Revenue grew by **9 %**")
    assert "```sql" in copied


def test_copy_works_without_the_clipboard_api(open_card: Callable[..., Card]) -> None:
    card = open_card(permissions=["clipboard-read"])
    card.show("stopped")
    card.js("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    card.find("button.copy").click()
    card.find("button.copy").filter(has_text="Copied").wait_for()
    card.js("delete navigator.clipboard")
    assert card.js("navigator.clipboard.readText()") == "The three largest customers are Acme, Globex and"


def test_token_breakdown_opens_on_demand(card: Card) -> None:
    card.show("done")
    card.find("button.fact").click()
    assert card.find(".usage dt").all_inner_texts() == [
        "prompt",
        "of it cached",
        "reasoning",
        "output",
        "total",
        "model",
    ]


# -- scrolling -----------------------------------------------------------------------------------------------------

TOP = "document.querySelector('#notebook').scrollTop"
GAP = """() => {
  const end = document.querySelector('.gemstream').getBoundingClientRect().bottom;
  return Math.round(end - document.querySelector('#notebook').getBoundingClientRect().bottom);
}"""
LINES = "".join(f"Line {number} of a long answer.\n\n" for number in range(60))


def grow(card: Card, text: str = LINES) -> None:
    card.append(text)
    card.page.wait_for_timeout(250)


def test_reader_at_the_end_stays_there(card: Card) -> None:
    card.start()
    card.part("text", "Start.\n\n")
    card.page.wait_for_timeout(200)
    grow(card)
    assert card.js(GAP) <= 0
    assert card.js(TOP) > 500
    grow(card)
    assert card.js(GAP) <= 0


def test_reader_who_scrolled_up_is_left_alone_and_can_jump_back(card: Card) -> None:
    card.start()
    card.part("text", "Start.\n\n")
    card.page.wait_for_timeout(200)
    grow(card)
    assert not card.find("button.jump").is_visible()
    card.page.mouse.move(300, 300)
    card.page.mouse.wheel(0, -400)
    card.page.wait_for_timeout(200)
    top = card.js(TOP)
    grow(card)
    assert card.js(TOP) == top
    assert card.find("button.stop").bounding_box()["y"] < 600, "Stop stays in view"
    card.find("button.jump").click()
    card.page.wait_for_timeout(200)
    assert card.js(GAP) <= 0
    grow(card)
    assert card.js(GAP) <= 0
    assert not card.find("button.jump").is_visible()


def test_selecting_text_stops_the_scrolling(card: Card) -> None:
    card.start()
    card.part("text", "Start.\n\n")
    card.page.wait_for_timeout(200)
    grow(card)
    card.find(".prose p").last.dblclick()
    top = card.js(TOP)
    grow(card)
    assert card.js(TOP) == top


def test_typing_in_another_cell_is_not_disturbed(card: Card) -> None:
    card.start()
    card.part("text", "Start.\n\n")
    card.js("document.querySelector('#cells').append(document.createElement('textarea'))")
    card.page.locator("textarea").focus()
    card.page.wait_for_timeout(200)
    grow(card)
    assert card.js(TOP) == 0


def test_long_reasoning_closes_without_moving_the_bar(card: Card) -> None:
    card.start()
    card.part("thought", "Start.\n\n")
    card.page.wait_for_timeout(200)
    grow(card)
    bar = card.find(".bar").bounding_box()
    card.part("text", "Answer.", index=1)
    card.wait_text("Answer.")
    card.page.wait_for_timeout(200)
    assert not is_open(card)
    assert card.find(".bar").bounding_box()["y"] == pytest.approx(bar["y"], abs=2)
    answer = card.find(".flow > .prose").bounding_box()
    assert 0 <= answer["y"] < 600


# -- themes --------------------------------------------------------------------------------------------------------


def colours(card: Card) -> tuple[str, str]:
    return tuple(
        card.find(".card").evaluate("card => [getComputedStyle(card).backgroundColor, getComputedStyle(card).color]")
    )


def test_theme_follows_the_host(card: Card) -> None:
    card.show("done")
    assert colours(card) == ("rgb(255, 255, 255)", "rgb(27, 31, 36)")
    card.js("document.body.classList.add('dark')")
    card.page.wait_for_timeout(50)
    assert colours(card) == ("rgb(21, 25, 30)", "rgb(230, 232, 235)")


def test_host_tokens_win_over_what_is_painted_behind(card: Card) -> None:
    card.page.add_style_tag(
        content=":root { --vscode-editor-background: #1e1e1e; --vscode-editor-foreground: #d4d4d4 }"
    )
    card.show("done")
    assert colours(card) == ("rgb(30, 30, 30)", "rgb(212, 212, 212)")
    assert card.page.locator(".gemstream").evaluate("host => host.style.colorScheme") == "dark"


# What the markdown renderer is known to leave: unlabelled boxes of task lists, regions with the same name.
OF_MARKDOWN = [("label", '<input type="checkbox" disabled'), ("landmark-unique", "<pre tabindex")]


def assert_axe_finds_nothing(card: Card) -> None:
    card.page.add_script_tag(path=str(ROOT / "node_modules" / "axe-core" / "axe.min.js"))
    found = card.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    faults = [
        (fault["id"], node["target"], node["html"][:120], node["failureSummary"])
        for fault in found["violations"]
        for node in fault["nodes"]
        if not any(fault["id"] == rule and node["html"].startswith(start) for rule, start in OF_MARKDOWN)
    ]
    assert faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(card: Card, theme: str) -> None:
    card.js(f"document.body.classList.toggle('dark', {json.dumps(theme == 'dark')})")
    for name in card.js("gem.names"):
        card.show(name)
    card.page.wait_for_timeout(400)
    card.find("details").evaluate_all("all => all.forEach(details => { details.open = true })")
    assert_axe_finds_nothing(card)


def test_axe_looks_into_the_card(card: Card) -> None:
    card.show("done")
    card.find(".bar").evaluate("bar => bar.append(document.createElement('button'))")
    with pytest.raises(AssertionError, match="button-name"):
        assert_axe_finds_nothing(card)


def test_narrow_card_does_not_overflow(card: Card) -> None:
    card.page.set_viewport_size({"width": 320, "height": 700})
    for name in card.js("gem.names"):
        card.show(name)
    card.page.wait_for_timeout(200)
    assert card.js("document.querySelector('#notebook').scrollWidth <= 320") is True
