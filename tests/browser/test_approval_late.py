"""The form of a call that waits comes late: the card says how to decide meanwhile, and is a form when it comes."""

from __future__ import annotations

import pytest

from tests.browser.test_approval import approve, chip, click, rest
from tests.browser.test_card import Card, card, open_card

# The fixtures come from test_card.
__all__ = ["card", "open_card"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

START = """async ([name, views]) => {
  const kernel = new gem.FakeKernel();
  kernel.modules.clear();
  kernel.start(gem.states[name](), 2);
  const mounted = await gem.mount(kernel);
  window.card = { ...mounted, ...(await mounted.view()) };
  for (let i = 1; i < views; i++) await mounted.view();
}"""


def start(card: Card, name: str = "waiting", views: int = 1) -> None:
    """A card whose kernel has not sent the form yet, and says so."""
    card.page.evaluate(START, [name, views])
    for view in range(views):
        card.find(".decide .facts").nth(view).filter(has_text="run.approve(").wait_for()


@pytest.mark.parametrize("asked", [True, False])
def test_a_form_that_comes_late_takes_the_place_of_the_words(card: Card, asked: bool) -> None:
    start(card)
    assert card.find(".form").count() == 0
    before = len(card.sent("module"))
    card.js("card.kernel.modules.add('approval')" if asked else "card.kernel.sendModule('approval')")
    card.find(".form").wait_for()
    assert card.find(".decide .facts").filter(has_text="Decide in Python").count() == 0
    assert (len(card.sent("module")) > before) == asked
    rest(card)
    click(card, approve(card))
    chip(card, "Running")


def test_every_call_and_every_view_has_its_words_and_then_its_form(card: Card) -> None:
    card.page.evaluate(START, ["parallel", 2])
    card.page.wait_for_function(
        "[...document.querySelectorAll('.gemstream')].every(({shadowRoot}) =>"
        " shadowRoot.querySelectorAll('.decide .facts').length === 2)"
    )
    card.js("card.kernel.sendModule('approval')")
    card.page.wait_for_function(
        "[...document.querySelectorAll('.gemstream')].every(({shadowRoot}) =>"
        " shadowRoot.querySelectorAll('.form').length === 2 && !shadowRoot.querySelector('.decide > .facts'))"
    )


def test_words_go_with_the_question(card: Card) -> None:
    start(card)
    card.js("card.kernel.call('r1', card.kernel.runs.get('r1').state.parts.at(-1).call.id, { state: 'denied' })")
    card.find(".decide .facts").wait_for(state="detached")
    card.js("card.kernel.sendModule('approval')")
    card.page.wait_for_timeout(500)
    assert card.find(".form").count() == 0
