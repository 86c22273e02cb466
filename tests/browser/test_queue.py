"""A run that waits for its turn, on the page: what it says, that it can be taken back, and what is sent with it."""

from __future__ import annotations

import pytest

from tests.browser.test_card import HEAR, Card, card, open_card
from tests.browser.test_page import SILENT

# The fixtures come from test_card.
__all__ = ["card", "open_card"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]


def facts(card: Card) -> str:
    return str(card.find(".facts-line").inner_text())


def test_a_queued_run_waits_without_a_clock_and_is_taken_back_by_keyboard(card: Card) -> None:
    card.show("queued", 0)
    card.page.evaluate(HEAR)
    assert card.find(".state").inner_text() == "Waiting for its turn"
    assert card.find(".state .icon-clock").count() == 1
    assert card.find(".icon-spin").count() == 0
    assert not card.find(".prompt").is_visible(), "the cell above says it"
    chips = card.page.get_by_role("list", name="Sent with the prompt").get_by_role("listitem")
    assert chips.all_inner_texts() == ["table orders, 12,408 x 7, first 20 rows, 3.1 kB", "figure.png, 41 kB"]
    button = card.page.get_by_role("button", name="Take back", exact=True)
    card.page.wait_for_timeout(2500)  # a beat came, and the clock of the page went on
    assert facts(card) == "Waiting for its turn"
    button.focus()
    card.page.keyboard.press("Enter")
    card.state("Taken back")
    assert card.sent("stop")[0]["run"] == "r1"
    assert card.text.strip() == "Nothing was sent. The prompt was taken back while it waited for its turn."
    assert facts(card) == "Taken back"
    assert card.js("said") == ["Stopping.", "Taken back."]
    active = "document.querySelector('.gemstream').shadowRoot.activeElement?.className"
    assert card.js(active) == "card single"
    assert chips.count() == 2


def test_at_its_turn_the_clock_starts_and_the_button_stops(card: Card) -> None:
    card.show("queued", 0)
    card.page.evaluate(HEAR)
    card.find("button.stop").filter(has_text="Take back").wait_for()
    card.page.wait_for_timeout(2500)
    card.js("card.kernel.turn('r1')")
    prompt = [{"role": "user", "parts": [{"text": "Answered first", "cut": 12}]}]
    card.patch(["=", ["prompt"], prompt])
    card.state("Connecting")
    card.page.get_by_role("button", name="Stop", exact=True).wait_for()
    assert facts(card).splitlines()[-1] in ("0.0 s", "0.1 s", "0.2 s", "0.3 s"), "it counts from the turn"
    assert card.js("said") == ["Connecting."]
    card.patch(["=", ["steps", 0], card.js("gem.step(0)")], ["=", ["status"], "streaming"])
    card.part("text", "Only February.")
    card.state("Writing")
    card.js("card.kernel.start({ ...gem.states.queued(), id: 'r2' })")
    card.js("card.kernel.patch('r2', [['=', ['tokens'], null]])")
    card.find(".run").nth(1).wait_for()
    first, second = card.find(".prompt").all_inner_texts()
    assert first.splitlines()[-1] == "Answered first … and 12 more characters"
    assert second.splitlines()[-2:] == ["Which months lost money?", "File, image/png, 41 kB"]
    assert card.find("button.stop").all_inner_texts() == ["Stop", "Take back"]


def test_a_queued_run_in_a_saved_notebook_is_at_rest(card: Card) -> None:
    card.page.evaluate(SILENT, "queued")
    card.state("Saved before its turn")
    assert card.find(".icon-spin").count() == 0
    assert card.find("button.stop").count() == 0
    assert facts(card) == "Saved before its turn"
    assert card.find("li").count() == 2
