"""`%%gem` by keyboard: what a person types in a real JupyterLab, and what then stands there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

NEW_CELL = """async () => {
  const { commands } = window.jupyterapp;
  window.panel.content.activeCellIndex = window.panel.content.widgets.length - 1;
  await commands.execute("notebook:insert-cell-below");
  await commands.execute("notebook:enter-edit-mode");
  return window.panel.content.activeCellIndex;
}"""
SOURCE = "index => window.panel.content.model.cells.get(index).sharedModel.getSource()"
SLOW = "@every 0.05\n@chunks 1000 " + "word " * 1000  # longer than the test, which stops it

WRITTEN = "() => window.panel.content.activeCell.model.sharedModel.getSource()"
TAKEN_OR_OFFERED = f"""word => {{
  const shown = [...document.querySelectorAll(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-match")];
  if (({WRITTEN})().endsWith(word)) return "taken";
  return shown.some((one) => one.textContent === word) && "offered";
}}"""


def typed(notebook: Notebook, *keys: str) -> int:
    """A new cell with this typed into it, key by key; what stands in angle brackets is pressed: `<Tab>`. Its index."""
    index = int(notebook.page.evaluate(NEW_CELL))
    for key in keys:
        if key.startswith("<"):
            notebook.page.keyboard.press(key.strip("<>"))
        else:
            notebook.page.keyboard.type(key)
    return index


def complete(notebook: Notebook, word: str) -> None:
    """Press Tab, and take what is offered; JupyterLab may take a single offer by itself."""
    page = notebook.page
    page.keyboard.press("Tab")
    if page.wait_for_function(TAKEN_OR_OFFERED, arg=word).json_value() == "offered":
        page.keyboard.press("Enter")
    page.wait_for_function(f"word => ({WRITTEN})().endsWith(word)", arg=word)


def card(notebook: Notebook, index: int) -> Any:
    return notebook.page.locator(".jp-Cell").nth(index).locator(".gemstream")


def test_a_prompt_is_typed_completed_and_answered(notebook: Notebook) -> None:
    notebook.run("import pandas as pd\norders = pd.DataFrame({'month': ['May', 'June'], 'sales': [3, 5]})")
    load = typed(notebook, "%load_ext gemstream_widget", "<Shift+Enter>")
    notebook.wait_done(load)
    cell = typed(notebook, "%%gem --mod")
    complete(notebook, "--model")
    notebook.page.keyboard.type(" dem")
    complete(notebook, "demo")
    notebook.page.keyboard.type(" --as answer\nWhich month was better? {orders}")
    assert notebook.page.evaluate(SOURCE, cell) == "%%gem --model demo --as answer\nWhich month was better? {orders}"
    notebook.page.keyboard.press("Shift+Enter")
    notebook.wait_done(cell)
    assert notebook.run("print(answer.done, answer is _gem)") == "False True"
    expect(card(notebook, cell).get_by_text("table orders, 2 x 2")).to_be_visible()
    expect(card(notebook, cell).get_by_text("Done", exact=True)).to_be_visible(timeout=20_000)
    expect(card(notebook, cell).get_by_text("3 to 5, mean 4")).to_be_visible()
    assert card(notebook, cell).count() == 1


def test_a_cell_waits_and_is_taken_back_and_a_wrong_one_is_one_line(notebook: Notebook) -> None:
    notebook.run("%load_ext gemstream_widget")
    first = notebook.start(f"%%gem --model demo --as first\n{SLOW}")
    second = typed(notebook, "%%gem --as second\n@say the second answer", "<Shift+Enter>")
    notebook.wait_done(second)
    expect(card(notebook, second).get_by_text("Waiting for its turn")).to_be_visible()
    button = card(notebook, second).get_by_role("button", name="Take back")
    button.focus()
    notebook.page.keyboard.press("Enter")
    expect(card(notebook, second).get_by_text("Nothing was sent")).to_be_visible()
    assert notebook.run("print(first.status, second.status, second.stopped_by)") == "streaming cancelled taken_back"

    wrong = typed(notebook, "%%gem --modle demo\nHello", "<Shift+Enter>")
    notebook.wait_done(wrong)
    assert notebook.text(wrong) == "UsageError: %%gem has no option '--modle'. Did you mean '--model'?"
    assert card(notebook, wrong).count() == 0
    assert [output["output_type"] for output in notebook.outputs(wrong)] == ["stream"]  # no traceback

    stop = typed(notebook, "%gem stop", "<Shift+Enter>")
    notebook.wait_done(stop)
    assert notebook.text(stop).startswith("Stopped: r")
    expect(card(notebook, first).get_by_text("Stopped", exact=True)).to_be_visible()
