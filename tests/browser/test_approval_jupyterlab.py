"""Approvals in a real JupyterLab with a real kernel: what the page decides is what runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.notebook import Notebook
from tests.browser.test_jupyterlab import outputs, text_shows

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SETUP = '''
ran = []

@gem.tool(approve="ask")
def delete_rows(table: str, where: str, limit: int = 10) -> str:
    """Delete rows of one table that match a condition."""
    print("deleting from", table)
    ran.append((table, where, limit))
    return f"{limit} rows deleted"

chat = gem.Chat(model="demo", tools=[delete_rows])
'''
CALL = '@call delete_rows {"table": "orders", "where": "id in (1, 2, 3)", "limit": 3}'


def ask(notebook: Notebook, prompt: str = CALL) -> Any:
    notebook.run(SETUP)
    notebook.run(f"run = chat.send({prompt!r})\nrun")
    form = outputs(notebook).locator(".form").first
    form.wait_for()
    notebook.page.wait_for_timeout(800)
    return form


def test_edited_arguments_run_and_are_shown(notebook: Notebook) -> None:
    form = ask(notebook)
    form.get_by_label("where").fill("id in (1, 2)")
    form.get_by_label("limit").fill("2")
    form.get_by_label("limit").press("d")  # neither deletes a cell nor leaves the input
    assert form.get_by_label("limit").input_value() == "2d"
    form.get_by_label("limit").fill("2")
    notebook.page.wait_for_timeout(800)
    form.get_by_role("button", name="Approve edited").click()
    text_shows(notebook, "Approved by you, arguments edited")
    text_shows(notebook, "2 rows deleted")
    text_shows(notebook, "deleting from orders")
    notebook.run("_ = await run.wait()")
    assert notebook.run("print(ran, run.status)") == "[('orders', 'id in (1, 2)', 2)] completed"


def test_a_denial_reaches_the_model_with_its_reason_and_nothing_runs(notebook: Notebook) -> None:
    form = ask(notebook)
    form.get_by_label("Reason the model will read").fill("not these")
    form.get_by_role("button", name="Deny", exact=True).click()
    text_shows(notebook, "Denied by you: not these")
    notebook.run("_ = await run.wait()")
    assert notebook.run("print(ran, 'not these' in str(run.tool_calls[0].result))") == "[] True"
    assert outputs(notebook).get_by_text("not waiting for a decision").count() == 0


def test_a_decision_from_code_takes_the_form_away(notebook: Notebook) -> None:
    form = ask(notebook)
    notebook.run("run.approve(run.pending[0].id)")
    text_shows(notebook, "Approved from code")
    notebook.run("_ = await run.wait()")
    assert notebook.run("print(len(ran))") == "1"
    assert form.count() == 0


def test_the_keyboard_approves_and_the_notebook_keeps_its_cells(notebook: Notebook) -> None:
    form = ask(notebook)
    cells = notebook.page.locator(".jp-Cell").count()
    form.get_by_label("table").focus()
    for key in ("Enter", "Shift+Enter", "Control+z", "Escape"):
        notebook.page.keyboard.press(key)
    form.get_by_label("limit").focus()
    notebook.page.keyboard.press("Control+Enter")
    text_shows(notebook, "3 rows deleted")
    assert notebook.page.locator(".jp-Cell").count() == cells
    notebook.run("_ = await run.wait()")
    assert notebook.run("print(ran)") == "[('orders', 'id in (1, 2, 3)', 3)]"


# -- what was told to have failed, and what was shown; each with a control that takes the mend out again ---------------

BLOCKED = """
import threading
from gemstream_widget._engine import driver, loops
loops._PATIENCE_S = 0.3
told = []

def decide():
    try:
        run.approve(run.pending[0].id)
    except TimeoutError as error:
        told.append(type(error).__name__)

thread = threading.Thread(target=decide)
thread.start()
thread.join()  # holds the loop, as any long computation does
print(told)
"""
CLAIMLESS = """
import asyncio
from gemstream_widget._engine import driver, loops

def call_on(loop, call):
    async def there():
        return call()
    if loop is loops.running_loop():
        return call()
    return asyncio.run_coroutine_threadsafe(there(), loop).result(loops._PATIENCE_S)

driver.call_on = call_on
"""


@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "control"])
def test_an_approval_that_failed_while_a_cell_blocked_never_runs(notebook: Notebook, claimed: bool) -> None:
    if not claimed:
        notebook.run(CLAIMLESS)
    form = ask(notebook)
    failed = "['LoopBusy']" if claimed else "['TimeoutError']"
    assert notebook.run(BLOCKED) == failed
    notebook.run("import asyncio\nfor _ in range(100): await asyncio.sleep(0)")
    if not claimed:
        text_shows(notebook, "3 rows deleted")
        assert notebook.run("print(len(ran))") == "1"
        return
    assert notebook.run("print(ran, run.pending[0].state)") == "[] awaiting_approval"
    notebook.page.wait_for_timeout(800)  # the form takes no click just after it has moved
    form.get_by_role("button", name="Approve", exact=True).click()
    text_shows(notebook, "3 rows deleted")
    notebook.run("_ = await run.wait()")
    assert notebook.run("print(len(ran))") == "1"


PLAN = '''
ran = []

@gem.tool(approve="ask")
def plan(steps: dict) -> str:
    """Carry out some steps."""
    ran.append(dict(steps))
    steps["n"] = 99
    return "carried out"

run = gem.Chat(model="demo", tools=plan).send('@call plan {"steps": {"n": 1}}')
run
'''
CHANGED = """
given = {"steps": {"n": 2}}
run.approve(run.pending[0], given)
given["steps"]["n"] = 666
_ = await run.wait()
print(ran, run.tool_calls[0].used_args)
"""
COPYLESS = """
from gemstream_widget import _run
from gemstream_widget._engine import calls
_run.deepcopy = calls.deepcopy = lambda value: value
"""


@pytest.mark.parametrize("copied", [True, False], ids=["copied", "control"])
def test_the_card_shows_the_arguments_that_ran(notebook: Notebook, copied: bool) -> None:
    if not copied:
        notebook.run(COPYLESS)
    notebook.run(PLAN)
    outputs(notebook).locator(".form").first.wait_for()
    ran = notebook.run(CHANGED)
    text_shows(notebook, "carried out")
    if copied:
        assert ran == "[{'n': 2}] {'steps': {'n': 2}}"
        shown = outputs(notebook).locator(".gemstream").first.inner_text()
        assert "666" not in shown
        assert "99" not in shown
    else:
        assert ran.startswith("[{'n': 666}]")
