"""A person at a notebook: a real JupyterLab, a real kernel, real clicks in Chromium, the local Gemini.

What happens and in which order is asserted here; how fast, benchmarks/stop_click.py measures.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

LONG = "@every 0.03\n@think Let me see.\n@chunks 400 " + "word " * 400
RECORD = "server.requests[-1]"
SHOWN = """() => [...document.querySelectorAll('.gemstream')]
  .flatMap(host => [...host.shadowRoot.querySelectorAll('.prose')]).map(prose => prose.textContent).join(' ')"""
CLOSED = f"print({RECORD}.outcome, {RECORD}.chunks_after_close)"


def outputs(notebook: Notebook) -> Any:
    return notebook.page.locator(".jp-OutputArea-output")


def stop_button(notebook: Notebook) -> Any:
    return outputs(notebook).get_by_role("button", name="Stop").last


def ask(notebook: Notebook, prompt: str = LONG, *, variable: str = "run", options: str = "") -> None:
    notebook.run(f"{variable} = gem.ask({prompt!r}, model='demo'{options})")


def text_shows(notebook: Notebook, text: str, timeout_s: float = 30) -> None:
    """`text` shows in an output; not in a cell's source, which holds the prompt."""
    outputs(notebook).get_by_text(text).last.wait_for(timeout=timeout_s * 1000)


def test_one_cell_shows_reasoning_text_and_calls_and_the_next_cell_runs(notebook: Notebook) -> None:
    prompt = (
        "@every 0.05\n@think Reading the **question**.\n@say # A head\\n\\n- one\\n- two\\n\\n| a | b |\\n|---|---|\\n"
        '@say | 1 | 2 |\\n\n@call get_weather {"city": "Oslo"}'
    )
    tools = [{"name": "get_weather", "description": "The weather of a city."}]
    notebook.run(f"run = gem.ask({prompt!r}, model='demo', tools={tools!r})\nrun")
    assert notebook.run("6 * 7") == "42"  # the cell has returned
    text_shows(notebook, "get_weather")
    text_shows(notebook, "Oslo")
    notebook.run("_ = await run.wait()")
    for tag in ("h3, h4, h5", "li", "table", "strong"):
        assert outputs(notebook).locator(tag).count() >= 1, tag
    assert notebook.run("print(run.status, run.snapshot()['stopped_by'])") == "completed calls"
    assert outputs(notebook).locator(".gemstream").count() == 1  # although the cell also ends with `run`


def test_the_whole_demo_answer_is_on_the_page_as_it_is_in_the_kernel(notebook: Notebook) -> None:
    notebook.run('run = gem.ask("Explain how streaming works", model="demo")')
    stop_button(notebook).wait_for()
    notebook.run("_ = await run")
    text_shows(notebook, "Done")
    said = json.loads(notebook.run("import json; print(json.dumps(run.text))"))
    shown = notebook.page.evaluate(SHOWN)
    words = [w for line in said.splitlines() for w in line.split() if w.isalpha()]
    assert len(words) > 30
    assert [w for w in words if w not in shown] == []


@pytest.mark.parametrize("cell", ["returned", "awaiting"])
def test_twenty_clicks_stop_twenty_runs(notebook: Notebook, cell: str) -> None:
    for turn in range(20):
        if cell == "returned":
            ask(notebook)
        else:
            index = notebook.start(f"run = gem.ask({LONG!r}, model='demo')\n_ = await run.wait()\nprint('cell ended')")
        stop_button(notebook).wait_for()
        if turn % 4:  # the others are stopped before anything came
            text_shows(notebook, "word word")
        stop_button(notebook).click()
        if cell == "awaiting":
            notebook.wait_done(index, 20)
            assert "cell ended" in notebook.text(index)
        else:
            notebook.run("_ = await run.wait()")
        told = notebook.run("print(run.status, run.receipt.by, run.receipt.chunks_after <= 2)")
        assert told == "cancelled button True", f"turn {turn}"
        if turn % 4:
            assert notebook.run(f"{RECORD}.wait_done(1)\n{CLOSED}") == "client closed 0", f"turn {turn}"
        text_shows(notebook, "Stopped by you")
        notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")


def test_after_a_stop_the_conversation_goes_on(notebook: Notebook) -> None:
    notebook.run("chat = gem.Chat(model='demo')")
    notebook.run(f"run = chat.send({LONG!r})\nrun")
    text_shows(notebook, "word word")
    stop_button(notebook).click()
    text_shows(notebook, "Stopped by you")
    assert notebook.run('again = await chat.send("@say still here")\nprint(again.text, again.status)') == (
        "still here completed"
    )


def test_prompts_wait_for_their_turn_and_one_is_taken_back_while_a_cell_awaits(notebook: Notebook) -> None:
    notebook.run("chat = gem.Chat(model='demo')")
    notebook.run(f"first = chat.send({LONG!r})\nfirst")
    for name in ("second", "third"):
        notebook.run(f"{name} = chat.queue('@say the {name} answer')\n{name}")
    assert outputs(notebook).get_by_text("Waiting for its turn").count() == 2
    index = notebook.start("_ = await third.wait()\nprint('cell ended')")
    text_shows(notebook, "word word")
    outputs(notebook).get_by_role("button", name="Take back").last.click()
    notebook.wait_done(index, 20)
    text_shows(notebook, "Nothing was sent.")
    assert notebook.run("print(first.status, second.status, third.stopped_by)") == "streaming queued taken_back"
    outputs(notebook).get_by_role("button", name="Stop", exact=True).click()
    text_shows(notebook, "the second answer")
    told = "print(second.text, len(chat.history), third.contents())"
    assert notebook.run(f"await second\n{told}") == "the second answer 4 []"


def test_escape_in_the_card_stops_and_bare_keys_do_not_reach_the_notebook(notebook: Notebook) -> None:
    ask(notebook)
    text_shows(notebook, "word word")
    cells = notebook.page.evaluate("() => window.panel.content.model.cells.length")
    stop_button(notebook).focus()
    for key in ("a", "b", "d", "d", "x", "m"):
        notebook.page.keyboard.press(key)
    assert notebook.page.evaluate("() => window.panel.content.model.cells.length") == cells
    notebook.page.keyboard.press("Escape")
    text_shows(notebook, "Stopped by you")
    assert notebook.run("print(run.status)") == "cancelled"


def test_a_reload_in_mid_stream_shows_everything_and_stop_still_works(notebook: Notebook) -> None:
    ask(notebook)
    text_shows(notebook, "word word")
    notebook.reload()
    stop_button(notebook).wait_for(timeout=60_000)
    text_shows(notebook, "word word")
    before = int(notebook.run("print(len(run.text))"))
    time.sleep(0.3)
    assert int(notebook.run("print(len(run.text))")) > before  # it goes on
    stop_button(notebook).click()
    text_shows(notebook, "Stopped by you")
    kept = int(notebook.run("print(len(run.text.split()))"))
    shown = notebook.page.evaluate(SHOWN)
    assert shown.count("word") == kept


def test_two_views_show_the_same_and_either_stops(notebook: Notebook) -> None:
    ask(notebook)
    notebook.run("run")
    stops = outputs(notebook).get_by_role("button", name="Stop")
    stops.nth(1).wait_for()
    assert stops.count() == 2
    stops.nth(1).click()
    outputs(notebook).get_by_text("Stopped by you").nth(1).wait_for()
    assert outputs(notebook).get_by_text("Stopped by you").count() == 2


def test_without_a_key_the_card_and_the_await_say_what_to_set(notebook: Notebook) -> None:
    index = notebook.start('await gem.ask("hi")')
    notebook.wait_done(index)
    assert "MissingKey" in notebook.text(index)
    assert "GEMINI_API_KEY" in notebook.text(index)
    text_shows(notebook, "No API key")
    assert outputs(notebook).get_by_text('model="demo"').count() >= 1


def test_a_kernel_interrupt_of_an_awaiting_cell_stops_the_run(notebook: Notebook) -> None:
    index = notebook.start(f"run = gem.ask({LONG!r}, model='demo')\nawait run")
    text_shows(notebook, "word word")
    notebook.interrupt()
    notebook.wait_done(index)
    assert "CancelledError" in notebook.text(index)
    text_shows(notebook, "Stopped by interrupting")
    assert notebook.run(f"{RECORD}.wait_done(1)\nprint(run.status, run.receipt.by, {RECORD}.outcome)") == (
        "cancelled interrupt client closed"
    )


def test_a_run_in_a_thread_streams_and_stops_while_a_cell_blocks_the_kernel(notebook: Notebook) -> None:
    ask(notebook, options=', runner="thread"')
    text_shows(notebook, "word word")
    index = notebook.start("time.sleep(4); print(run.status)")
    length = "() => [...document.querySelectorAll('*')].map(e => e.shadowRoot?.textContent ?? '').join('').length"
    before = notebook.page.evaluate(length)
    notebook.page.wait_for_function(f"(n) => ({length})() > n + 20", arg=before, timeout=3000)
    stop_button(notebook).click()
    text_shows(notebook, "Stopped by you", timeout_s=2.5)
    notebook.wait_done(index)
    assert notebook.text(index) == "cancelled"


def test_clearing_the_output_leaves_the_run_going_and_shows_again(notebook: Notebook) -> None:
    ask(notebook)
    text_shows(notebook, "word word")
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    assert notebook.run("print(run.status)") == "streaming"
    notebook.run("run")
    text_shows(notebook, "word word")
    notebook.run("run.stop()")
    text_shows(notebook, "Stopped from code")


def test_saved_with_widget_state_the_answer_is_in_the_file_and_no_key_is(notebook: Notebook, lab: Lab) -> None:
    notebook.run("import os; os.environ['GEMINI_API_KEY'] = 'planted-' + 'secret-key'")
    notebook.run('run = await gem.ask("@say Kept for later.", model="demo")')
    text_shows(notebook, "Kept for later.")
    state = notebook.page.evaluate(
        """async () => {
          const manager = await window.panel.content.rendermime;
          await window.panel.context.save();
          return JSON.stringify(window.panel.context.model.toJSON());
        }"""
    )
    assert "planted-secret-key" not in state
    for path in Path(lab.root).glob("*.ipynb"):
        assert "planted-secret-key" not in path.read_text()


# -- approvals ---------------------------------------------------------------------------------------------------------

TOOLS = '''
ran = []

@gem.tool(approve="ask")
def delete_rows(where: str, limit: int = 1) -> str:
    """Delete rows that match a condition."""
    ran.append((where, limit))
    return f"deleted where {where}"
'''
ASKS = '@say I would like to clean up:\n@call delete_rows {"where": "id = 7", "limit": 3}\n@then\n@say All clean.'


def asks(notebook: Notebook, prompt: str = ASKS, options: str = "") -> None:
    notebook.run(TOOLS)
    notebook.run(f"run = gem.ask({prompt!r}, model='demo', tools=[delete_rows]{options})")
    button(notebook, "Approve").wait_for()


def button(notebook: Notebook, name: str) -> Any:
    return outputs(notebook).get_by_role("button", name=name, exact=True).last


def press(notebook: Notebook, name: str) -> None:
    """Click as a person does who has seen the button: in the half second after it came or moved a click is ignored,
    and bringing it into view moves it.
    """
    target = button(notebook, name)
    target.scroll_into_view_if_needed()
    notebook.page.wait_for_timeout(800)
    expect(target).to_be_enabled()
    target.click()


def decided(notebook: Notebook) -> str:
    return notebook.run(
        "_ = await run.wait()\n"
        "print(ran, [(d.verdict, d.by, d.reason, d.edited) for d in run.decisions], run.status, run.text[-10:])"
    )


def test_approve_by_click_runs_exactly_what_is_shown(notebook: Notebook) -> None:
    asks(notebook)
    assert notebook.run("print(ran, run.status, [c.args for c in run.pending])") == (
        "[] acting [{'where': 'id = 7', 'limit': 3}]"
    )
    press(notebook, "Approve")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == "[('id = 7', 3)] [('approved', 'button', None, False)] completed All clean."
    text_shows(notebook, "Approved by you")


def test_edit_and_approve_runs_what_was_edited(notebook: Notebook) -> None:
    asks(notebook)
    outputs(notebook).get_by_label("where").fill("id = 8")
    press(notebook, "Approve edited")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == "[('id = 8', 3)] [('approved', 'button', None, True)] completed All clean."


def test_deny_with_a_reason_runs_nothing(notebook: Notebook) -> None:
    asks(notebook)
    outputs(notebook).get_by_placeholder("Reason").fill("keep them")
    press(notebook, "Deny")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == "[] [('denied', 'button', 'keep them', False)] completed All clean."


def test_stop_while_a_call_waits_runs_nothing_and_the_conversation_goes_on(notebook: Notebook) -> None:
    notebook.run(TOOLS + "\nchat = gem.Chat(model='demo', tools=[delete_rows])")
    notebook.run(f"run = chat.send({ASKS!r})\nrun")
    button(notebook, "Approve").wait_for()
    stop_button(notebook).click()
    text_shows(notebook, "Stopped by you")
    assert notebook.run("print(ran, run.status, [c.state for c in run.tool_calls])") == "[] cancelled ['cancelled']"
    assert notebook.run("print((await chat.send('@say still here')).text)") == "still here"


def test_a_decision_is_heard_while_a_cell_awaits_the_run(notebook: Notebook) -> None:
    notebook.run(TOOLS)
    index = notebook.start(f"run = await gem.ask({ASKS!r}, model='demo', tools=[delete_rows])\nprint(ran)")
    button(notebook, "Approve").wait_for()
    press(notebook, "Approve")
    notebook.wait_done(index)
    assert notebook.text(index).endswith("[('id = 7', 3)]")


def test_a_reload_shows_a_pending_call_again_and_it_works(notebook: Notebook) -> None:
    asks(notebook)
    notebook.reload()
    button(notebook, "Approve").wait_for(timeout=60_000)
    press(notebook, "Approve")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == "[('id = 7', 3)] [('approved', 'button', None, False)] completed All clean."


def test_nobody_deciding_denies_in_time(notebook: Notebook) -> None:
    asks(notebook, options=", approval_timeout_s=3")
    text_shows(notebook, "All clean.")
    told = decided(notebook)
    assert told.startswith("[] [('denied', 'timeout'")


def test_approving_by_keyboard_alone(notebook: Notebook) -> None:
    asks(notebook)
    outputs(notebook).get_by_label("where").focus()
    notebook.page.keyboard.press("End")
    notebook.page.keyboard.type("0")
    expect(button(notebook, "Approve edited")).to_be_enabled()  # not in the first half second after it moved
    for _ in range(2):
        notebook.page.keyboard.press("Tab")
    notebook.page.wait_for_timeout(800)  # see press(): coming to a button may have moved it
    notebook.page.keyboard.press("Enter")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == "[('id = 70', 3)] [('approved', 'button', None, True)] completed All clean."


def test_approve_all_runs_each_call_with_its_own_arguments(notebook: Notebook) -> None:
    both = '@call delete_rows {"where": "id = 1"}\n@call delete_rows {"where": "id = 2"}\n@then\n@say All clean.'
    asks(notebook, both)
    expect(button(notebook, "Approve all")).to_be_enabled()  # not in the first half second after it came
    press(notebook, "Approve all")
    text_shows(notebook, "All clean.")
    assert decided(notebook) == (
        "[('id = 1', 1), ('id = 2', 1)] "
        "[('approved', 'button', None, False), ('approved', 'button', None, False)] completed All clean."
    )


def test_a_busy_gemini_is_asked_again_with_a_countdown_that_stop_ends(notebook: Notebook) -> None:
    notebook.run("server.next(status=429, retry_after_s=1)")
    ask(notebook, "@say fine", variable="patient")
    text_shows(notebook, "Too many requests (429): attempt 2 of 3 in 1 s")
    notebook.run("_ = await patient")
    text_shows(notebook, "1 attempt failed: Too many requests (429).")
    notebook.run("server.next(status=503, retry_after_s=50)")
    ask(notebook, "@say never", variable="hasty")
    text_shows(notebook, "attempt 2 of 3")
    stop_button(notebook).click()
    text_shows(notebook, "No connection was open.")
    assert notebook.run("print(patient.text, hasty.status, server.requests[-1].outcome)") == "fine cancelled refused"


def test_an_answer_that_broke_is_continued_or_asked_for_again_in_its_card(notebook: Notebook) -> None:
    notebook.run("chat = gem.Chat(model='demo')")
    notebook.run("run = chat.send('@say The tides follow\\n@error 503')\nrun")
    outputs(notebook).get_by_role("button", name="Continue").wait_for()
    outputs(notebook).get_by_role("button", name="Try again").click()
    notebook.run("_ = await chat.runs[-1].wait()")
    assert notebook.run("print(len(chat.runs), chat.runs[-1].status)") == "2 failed"
    outputs(notebook).get_by_role("button", name="Continue").click()  # one: the first run's are gone
    text_shows(notebook, "Go on exactly where")
    notebook.run("_ = await chat.runs[-1].wait()")
    told = "print([r.status for r in chat.runs], [c['role'] for c in chat.history])"
    assert notebook.run(told) == "['failed', 'failed', 'completed'] ['user', 'model', 'user', 'model']"
    assert outputs(notebook).locator(".gemstream").count() == 1
    expect(outputs(notebook).get_by_role("button", name="Try again")).to_have_count(0)


def test_a_refused_history_is_repaired_from_its_card(notebook: Notebook) -> None:
    notebook.run(
        "chat = gem.Chat(model='demo', history=[{'role': 'user', 'parts': [{'text': 'Look'}]},\n"
        "  {'role': 'model', 'parts': [{'functionCall': {'name': 'look', 'args': {}}}]},\n"
        "  {'role': 'user', 'parts': [{'text': 'And?'}]}, {'role': 'model', 'parts': [{'text': 'So'}]}])\n"
        "run = chat.send('@say fine')\nrun"
    )
    text_shows(notebook, "Answers the call look in contents[1].parts[0]")
    outputs(notebook).get_by_role("button", name="Repair and try again").click()
    text_shows(notebook, "fine")
    notebook.run("_ = await chat.runs[-1].wait()")
    assert notebook.run("print(chat.runs[-1].text, chat.check())") == "fine []"
