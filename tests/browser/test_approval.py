"""Calls that wait for a decision, in a real browser: the form, the decision, what goes wrong, keys and focus."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.test_card import Card, assert_axe_finds_nothing, card, open_card

# The fixtures come from test_card.
__all__ = ["card", "open_card"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(60)]

ACTIVE = "document.querySelector('.gemstream').shadowRoot.activeElement"
CALLS = "card.kernel.runs.get('r1').state.parts.filter(part => part.kind === 'call').map(part => part.call)"


def show(card: Card, name: str) -> None:
    """A card with its form, past the moment in which its buttons do not count."""
    card.show(name)
    card.find(".form").first.wait_for()
    rest(card)


def rest(card: Card) -> None:
    card.page.wait_for_function(
        "[...document.querySelectorAll('.gemstream')].every(({shadowRoot}) =>"
        " !shadowRoot.querySelector('.form .acts button:not(.primary)[aria-disabled]:not(:disabled)'))"
    )


def click(card: Card, button: Any) -> None:
    """A click like a person's: not in the moment in which something moved."""
    button.evaluate("button => button.scrollIntoView({ block: 'center' })")
    card.page.wait_for_timeout(150)
    rest(card)
    button.click()


def field(card: Card, name: str, nth: int = 0) -> Any:
    return card.find(".form").nth(nth).get_by_label(name, exact=False).first


def approve(card: Card, nth: int = 0) -> Any:
    return card.find("button.primary").nth(nth)


def deny(card: Card, nth: int = 0) -> Any:
    return card.find(".form").nth(nth).get_by_role("button", name="Deny")


def chip(card: Card, word: str) -> None:
    card.find(".chip").first.filter(has_text=word).wait_for()


# -- deciding ------------------------------------------------------------------------------------------------------


def test_the_form_is_asked_for_when_a_call_waits_and_not_before(card: Card) -> None:
    card.start({"status": "acting"})
    card.page.wait_for_timeout(200)
    assert card.sent("module") == []
    card.js("card.kernel.patch('r1', [['=', ['parts', 0], gem.parts(gem.waits('delete_rows', {table: 'a'}))[0]]])")
    card.find(".form").wait_for()
    assert [message["name"] for message in card.sent("module")] == ["approval"]
    card.state("Waiting for approval")
    assert card.find(".chip").inner_text() == "Waiting for you"
    assert card.find(".doc").inner_text() == "Delete rows of one table that match a condition."


def test_approve_sends_the_hash_that_is_shown(card: Card) -> None:
    show(card, "waiting")
    shown = card.js(f"{CALLS}[0].hash")
    click(card, approve(card))
    card.find(".decision").filter(has_text="Approved by you").wait_for()
    chip(card, "Running")
    card.state("Running delete_rows")
    [decision] = card.sent("decide")
    assert decision["hash"] == shown
    assert [decision[name] for name in ("verdict", "args", "reason", "scope")] == ["approve", None, None, "once"]
    assert card.find(".form").count() == 0
    assert card.find(".args dd").first.is_visible()


def test_edited_arguments_show_what_the_model_asked_and_are_sent_whole(card: Card) -> None:
    show(card, "waiting")
    field(card, "where").fill("id in (1042, 1077)")
    assert approve(card).inner_text() == "Approve edited"
    was = card.find(".form .was:visible")
    assert was.inner_text() == "model asked: id in (1042, 1077, 1078)"
    assert was.locator("del").inner_text() == ", 1078"
    field(card, "limit").fill("2")
    click(card, approve(card))
    card.find(".decision").filter(has_text="Approved by you, arguments edited").wait_for()
    assert json.loads(card.sent("decide")[0]["args"]) == {"table": "orders", "where": "id in (1042, 1077)", "limit": 2}
    assert card.find(".args .was:visible").first.locator("del").inner_text() == ", 1078"


def test_typing_back_what_the_model_sent_is_no_edit(card: Card) -> None:
    show(card, "waiting")
    field(card, "limit").fill("4")
    field(card, "limit").fill("3")
    assert approve(card).inner_text() == "Approve"
    click(card, approve(card))
    chip(card, "Running")
    assert card.sent("decide")[0]["args"] is None


def test_invalid_edit_blocks_approval_and_says_why(card: Card) -> None:
    show(card, "waiting")
    limit = field(card, "limit")
    limit.fill("300")
    assert approve(card).is_disabled()
    assert limit.get_attribute("aria-invalid") == "true"
    described = limit.get_attribute("aria-describedby").split()
    texts = [card.find(f"#{name}").inner_text() for name in described]
    assert "Must be at most 100" in texts
    limit.press("Control+Enter")
    assert card.sent("decide") == []
    limit.fill("30")
    click(card, approve(card))
    chip(card, "Running")


def test_every_kind_of_argument_has_its_control(card: Card) -> None:
    show(card, "waiting_everything")
    kinds = (
        card.find(".form .fields")
        .first.locator("input, textarea, select")
        .evaluate_all("all => all.map(control => control.type)")
    )
    text = "textarea"  # never an input of one line
    assert kinds == [text, text, "select-one", text, "checkbox", text, text, text]
    card.find("summary").filter(has_text="3 more, not set").click()
    assert field(card, "retries").get_attribute("placeholder") == "not set"
    assert field(card, "encoding").get_attribute("placeholder") == 'not set: "utf-8"'
    assert card.find(".form .odd").all_inner_texts() == ["U+202E"]
    assert "The policy asks before anything is written." in card.find(".form").inner_text()
    field(card, "dry_run").uncheck()
    field(card, "mode").select_option("replace")
    field(card, "tags").fill('["dup"]')
    field(card, "retries").fill("2")
    click(card, approve(card))
    chip(card, "Running")
    assert json.loads(card.sent("decide")[0]["args"]) == {
        "path": "report\u202etxt.exe",
        "content": "# Report\n\nRevenue grew by 9 %.\nRefunds are negative rows.",
        "mode": "replace",
        "ratio": 0.5,
        "dry_run": False,
        "owner": None,
        "tags": ["dup"],
        "force": True,
        "retries": 2,
    }


def test_deny_with_a_reason(card: Card) -> None:
    show(card, "waiting")
    card.find(".acts input").fill("row 1078 is not a duplicate")
    click(card, deny(card))
    card.find(".decision").filter(has_text="Denied by you: row 1078 is not a duplicate").wait_for()
    chip(card, "Denied")
    [decision] = card.sent("decide")
    assert [decision[name] for name in ("verdict", "args", "reason")] == ["deny", None, "row 1078 is not a duplicate"]


@pytest.mark.parametrize("scope", ["run", "chat"])
def test_a_scope_says_which_rule_it_makes_and_the_rule_can_be_revoked(card: Card, scope: str) -> None:
    show(card, "waiting")
    card.find(".acts select").select_option(scope)
    words = card.find(".form .facts:visible").inner_text()
    assert f"every later call of delete_rows runs without asking, in this {scope}." in words
    click(card, approve(card))
    rule = card.find(".rules li")
    rule.filter(has_text=f"Every call of delete_rows runs without asking, in this {scope}.").wait_for()
    assert card.sent("decide")[0]["scope"] == scope
    rule.get_by_role("button", name="Revoke").click()
    rule.wait_for(state="detached")
    assert card.sent("revoke") == [{"op": "revoke", "run": "r1", "rule": "x1"}]


def test_approve_all_decides_each_call_by_its_own_hash_and_edits(card: Card) -> None:
    show(card, "parallel")
    assert "2 calls wait for you" in card.find(".all").inner_text()
    field(card, "where", 1).fill("amount = 1")
    assert "2 calls wait for you, 1 edited" in card.find(".all").inner_text()
    field(card, "limit", 0).fill("x")
    assert card.find(".all button").first.is_disabled()
    field(card, "limit", 0).fill("3")
    rest(card)
    hashes = [call["hash"] for call in card.js(CALLS)[:2]]
    card.find(".all button").first.scroll_into_view_if_needed()
    card.page.wait_for_timeout(700)
    card.find(".all button").first.click()
    card.find(".form").first.wait_for(state="detached")
    sent = card.sent("decide")
    assert [message["hash"] for message in sent] == hashes
    assert sent[0]["args"] is None
    assert json.loads(sent[1]["args"]) == {"table": "refunds", "where": "amount = 1"}
    assert not card.find(".all").is_visible()


def test_deny_all(card: Card) -> None:
    show(card, "parallel")
    card.find(".all button").nth(1).scroll_into_view_if_needed()
    card.page.wait_for_timeout(700)
    card.find(".all button").nth(1).click()
    card.find(".form").first.wait_for(state="detached")
    assert [message["verdict"] for message in card.sent("decide")] == ["deny", "deny"]


def test_a_call_that_comes_meanwhile_is_not_approved_with_the_others(card: Card) -> None:
    show(card, "parallel")
    card.page.wait_for_timeout(600)
    button = card.find(".all button").first
    card.js(
        """() => {
          const state = card.kernel.runs.get("r1").state;
          const [part] = gem.parts(gem.waits("drop_table", { table: "orders" }));
          card.kernel.patch("r1", [["=", ["parts", state.parts.length], { ...part, index: state.parts.length }]]);
        }"""
    )
    card.find(".form").nth(2).wait_for()
    card.page.wait_for_timeout(50)
    button.click(force=True)
    card.page.wait_for_timeout(100)
    assert card.sent("decide") == []


def test_countdown_runs_without_moving_anything(card: Card) -> None:
    show(card, "countdown")
    card.find(".deadline").filter(has_text="Denied in 2").wait_for()
    before = card.find(".card").bounding_box()
    first = card.find(".deadline").inner_text()
    card.page.wait_for_function(
        "first => document.querySelector('.gemstream').shadowRoot.querySelector('.deadline').textContent !== first",
        arg=first,
    )
    assert card.find(".card").bounding_box() == before
    assert card.find(".deadline").inner_text().endswith("s if nobody decides")


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_while_the_kernel_is_silent_the_form_is_locked(card: Card) -> None:
    show(card, "waiting")
    card.js("card.kernel.answersDecide = false")
    click(card, approve(card))
    assert approve(card).inner_text() == "Sending…"
    assert approve(card).is_disabled()
    assert deny(card).is_disabled()
    assert field(card, "where").is_disabled()
    assert len(card.sent("decide")) == 1


def test_a_refused_decision_is_said_in_words_and_can_be_made_again(card: Card) -> None:
    show(card, "waiting")
    card.js("card.kernel.refuses = 'The arguments do not fit delete_rows: limit.'")
    field(card, "limit").fill("2")
    click(card, approve(card))
    message = card.find(".message-line")
    message.wait_for()
    assert message.inner_text() == "The arguments do not fit delete_rows: limit."
    card.find("[role=alert]").filter(has_text="The arguments do not fit").wait_for(state="attached")
    assert field(card, "limit").input_value() == "2"
    card.js("card.kernel.refuses = null")
    click(card, approve(card))
    chip(card, "Running")


def test_a_changed_question_gets_a_new_form(card: Card) -> None:
    show(card, "waiting")
    field(card, "limit").fill("99")
    card.js(f"card.kernel.call('r1', {CALLS}[0].id, {{ args: {{ table: 'all', where: '1' }}, hash: 'h2' }})")
    card.page.wait_for_function(
        "document.querySelector('.gemstream').shadowRoot.querySelector('.form textarea').value === 'all'"
    )
    assert field(card, "limit").input_value() == ""
    assert card.find(".card").evaluate("card => card.querySelectorAll('.form').length") == 1
    click(card, approve(card))
    chip(card, "Running")
    assert card.sent("decide")[0]["hash"] == "h2"


@pytest.mark.parametrize("answers", ["nothing", "garbage"])
def test_without_the_form_the_card_says_how_to_decide(card: Card, answers: str) -> None:
    if answers == "garbage":
        card.page.route("**/approval.js", lambda route: route.fulfill(body="throw new Error('broken')"))
    else:
        card.page.route("**/approval.js", lambda route: None)
    card.show("waiting")
    facts = card.find(".decide .facts")
    facts.wait_for()
    identity = card.js(f"{CALLS}[0].id")
    assert f'run.approve("{identity}") or run.deny("{identity}")' in facts.inner_text()
    assert card.find(".args dd").first.is_visible()
    card.js(f"card.kernel.call('r1', '{identity}', {{ state: 'denied', hash: null }})")
    facts.wait_for(state="detached")
    if answers == "garbage":  # and the page's console has it
        assert card.errors == ["The module approval came, but does not load: Error: broken"]
        card.errors.clear()


def test_two_views_show_the_same_question_and_the_same_answer(card: Card) -> None:
    card.js("void 0")
    card.page.evaluate("async () => { window.card = await gem.show('waiting', 2); await card.view() }")
    card.page.wait_for_function(
        "document.querySelectorAll('.gemstream').length === 2 && [...document.querySelectorAll('.gemstream')]"
        ".every(({shadowRoot}) => shadowRoot.querySelector('.form'))"
    )
    card.js("card.kernel.answersDecide = false")
    click(card, approve(card, 0))
    card.find("button.primary").nth(1).filter(has_text="Sending…").wait_for()
    card.js("card.kernel.answersDecide = true")
    card.js(f"card.kernel.call('r1', {CALLS}[0].id, {{ state: 'denied', hash: null }})")
    card.page.wait_for_function(
        "[...document.querySelectorAll('.gemstream')].every(host => !host.shadowRoot.querySelector('.form'))"
    )


def test_a_reload_shows_the_question_again(card: Card) -> None:
    show(card, "waiting")
    state = card.js("card.kernel.runs.get('r1').state")
    card.page.reload()
    card.page.wait_for_selector("html[data-ready]")
    card.start(state)
    card.find(".form").wait_for()
    click(card, approve(card))
    chip(card, "Running")


def test_stop_ends_the_question(card: Card) -> None:
    show(card, "waiting")
    card.find("button.stop").click()
    card.state("Stopped")
    card.find(".form").wait_for(state="detached")
    assert card.sent("decide") == []


# -- clicks that were meant for something else ---------------------------------------------------------------------


def test_a_click_where_a_button_has_just_appeared_does_not_count(card: Card) -> None:
    card.show("waiting")
    card.find(".form").wait_for()
    approve(card).click(force=True)
    assert card.sent("decide") == []
    click(card, approve(card))
    chip(card, "Running")


def test_a_click_right_after_the_buttons_moved_does_not_count(card: Card) -> None:
    show(card, "waiting")
    card.js("""() => {
      const above = document.createElement("div");
      above.style.height = "40px";
      document.querySelector("#cells").prepend(above);
    }""")
    approve(card).click(force=True)
    deny(card).click(force=True)
    assert card.sent("decide") == []
    card.page.wait_for_timeout(700)
    click(card, approve(card))
    chip(card, "Running")


# -- keys, focus, words for screen readers -------------------------------------------------------------------------


def test_the_focus_stays_where_it_is_when_a_call_starts_to_wait(card: Card) -> None:
    show(card, "waiting")
    assert card.js("document.activeElement === document.body")


def test_by_keyboard_alone(card: Card) -> None:
    show(card, "waiting")
    field(card, "table").focus()
    seen = []
    for _ in range(7):
        seen.append(card.js(f"{ACTIVE}.value || {ACTIVE}.textContent || {ACTIVE}.placeholder"))
        card.page.keyboard.press("Tab")
    assert seen == [
        "orders",
        "id in (1042, 1077, 1078)",
        "3",
        "Approve",
        "Deny",
        "Reason the model will read (optional)",
        "once",
    ]
    for name in ("where", "limit"):
        field(card, name).focus()
        card.page.keyboard.press("Enter")
        card.page.keyboard.press("Shift+Enter")
    assert card.sent("decide") == []
    assert approve(card).inner_text() == "Approve", "one line stays one line"
    card.page.keyboard.press("Control+Enter")
    chip(card, "Running")
    assert card.js(f"{ACTIVE}.className") == "call", "the focus is on the call that was decided"


def test_the_focus_goes_on_to_the_next_call_and_a_held_key_does_not_decide_it(card: Card) -> None:
    show(card, "parallel")
    field(card, "limit", 0).focus()
    card.page.keyboard.press("Control+Enter")
    card.page.wait_for_function(f"{ACTIVE}?.className === 'form'")
    card.page.keyboard.press("Control+Enter")
    card.page.wait_for_timeout(100)
    assert len(card.sent("decide")) == 1
    assert card.find(".form").count() == 1


def test_what_gets_the_focus_is_not_under_the_bar(card: Card) -> None:
    show(card, "waiting_everything")
    card.find("summary").filter(has_text="3 more, not set").click()
    field(card, "path").focus()
    for _ in range(16):
        card.page.keyboard.press("Tab")
        card.page.wait_for_timeout(60)
        covered = card.js(
            f"""() => {{
              const active = {ACTIVE};
              if (!active?.closest(".form")) return null;
              const focus = active.getBoundingClientRect();
              const bar = active.getRootNode().querySelector(".bar").getBoundingClientRect();
              return focus.bottom > bar.top && focus.top < bar.bottom ? active.outerHTML : null;
            }}"""
        )
        assert covered is None


def test_escape_leaves_the_input_first_and_stops_then(card: Card) -> None:
    show(card, "waiting")
    field(card, "limit").focus()
    card.page.keyboard.press("Escape")
    assert card.js(f"{ACTIVE}.className") == "form"
    card.state("Waiting for approval")
    card.page.keyboard.press("Escape")
    card.state("Stopped")


def test_keys_typed_in_the_form_stay_there(card: Card) -> None:
    show(card, "waiting_everything")
    card.js("window.leaked = []; document.body.addEventListener('keydown', event => leaked.push(event.key))")
    for name in ("path", "content", "mode", "dry_run", "tags"):
        field(card, name).focus()
        for key in ("a", "d", "x", "Enter", "ArrowUp", "Control+a", "Shift+Enter", "Alt+Enter", "Control+z"):
            card.page.keyboard.press(key)
    assert card.js("leaked") == []
    assert card.sent("decide") == []


def test_waiting_is_announced_once_also_with_two_views(card: Card) -> None:
    card.start()
    card.js("card.view()")
    card.page.wait_for_function("document.querySelectorAll('.gemstream').length === 2")
    card.js(
        """() => {
          window.said = [];
          for (const { shadowRoot } of document.querySelectorAll(".gemstream"))
            for (const region of shadowRoot.querySelectorAll("[role=status], [role=alert]"))
              new MutationObserver(records => records.forEach(record => record.addedNodes.forEach(
                node => said.push([region.getAttribute("role"), node.textContent])
              ))).observe(region, {childList: true});
        }"""
    )
    card.js(
        "card.kernel.patch('r1', [['=', ['status'], 'acting'],"
        " ['=', ['parts', 0], gem.parts(gem.waits('delete_rows', {table: 'a'}))[0]]])"
    )
    card.find(".form").first.wait_for()
    card.page.wait_for_timeout(100)
    assert card.js("said") == [["alert", "delete_rows waits for your approval."]]
    assert card.find(".form").first.get_attribute("aria-label") == "Approval for delete_rows"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_forms_that_were_used(card: Card, theme: str) -> None:
    card.js(f"document.body.classList.toggle('dark', {json.dumps(theme == 'dark')})")
    for name in ("waiting", "waiting_everything", "parallel", "countdown"):
        show(card, name)
    for nth, text in enumerate(["300", "x"]):
        field(card, "limit", nth if nth == 0 else 2).fill(text)
    field(card, "tags", 1).fill("[")
    card.find(".acts select").first.select_option("chat")
    card.find("details").evaluate_all("all => all.forEach(details => { details.open = true })")
    card.page.wait_for_timeout(200)
    assert_axe_finds_nothing(card)


# -- what came back ------------------------------------------------------------------------------------------------


def test_output_grows_while_a_tool_runs(card: Card) -> None:
    card.show("running")
    card.state("Running train")
    printed = card.find(".call-printed")
    assert printed.inner_text().splitlines() == ["epoch 1: loss 0.81", "epoch 2: loss 0.52"]
    card.patch(["+", ["parts", 2, "call", "printed"], "epoch 3: loss 0.31\n"])
    printed.filter(has_text="epoch 3").wait_for()


def test_results_are_shown_as_what_they_are(card: Card) -> None:
    card.show("table")
    assert card.find("th").all_inner_texts() == ["month", "revenue", "orders", "note"]
    assert card.find("tbody tr").nth(1).locator("td").all_inner_texts() == ["2026-09", "44910", "340", "<b>best</b>"]
    assert "12 more rows" in card.find(".call-end").inner_text()
    card.show("image")
    image = card.find(".call img")
    image.wait_for()
    assert image.get_attribute("src").startswith("blob:")
    assert image.get_attribute("alt") == "Image from plot"


def test_long_results_say_how_much_is_missing(card: Card) -> None:
    card.show("shown_text")
    assert "81,200 more characters" in card.find(".call-end").first.inner_text()
    assert card.find(".call-end").nth(1).inner_text() == '{\n  "a": 1\n}'


def test_failure_shows_the_error_and_the_traceback_on_demand(card: Card) -> None:
    card.show("tool_failed")
    assert card.find(".call-error").inner_text() == "OperationalError: no such table: nothing"
    trace = card.find("details").filter(has_text="Traceback")
    assert not trace.evaluate("details => details.open")
    trace.locator("summary").click()
    trace.get_by_text("Traceback (most recent call last)").wait_for()


def test_an_argument_that_was_taken_out_is_shown_as_such(card: Card) -> None:
    card.show("ran_edited")
    limit = card.find(".args dd").nth(2)
    assert limit.inner_text().splitlines() == ["not set", "model asked: 3"]
    card.find(".args del").wait_for()


def test_old_calls_that_the_caller_answers_have_no_form(card: Card) -> None:
    card.show("asked")
    card.page.wait_for_timeout(300)
    assert card.sent("module") == []
    assert card.find(".form").count() == 0
