"""Pictures of cards in a real JupyterLab, light and dark, for the README and for looking at.

python -m tests.browser.screenshots FOLDER [SCENE ...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, build, chromium_path
from tests.browser.notebook import Lab, Notebook

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
ANSWER = """@every 0.12
@think The table has one row per order, so revenue per month is a sum grouped by month.
@think \\n\\nRefunds are negative rows: a plain sum is right, but duplicates would count twice.
@say ### Revenue by month\\n\\n
@say Refunds are **negative rows**, so a plain `sum` is right:\\n\\n
@say | month | revenue | orders |\\n|---|---:|---:|\\n| August | 41,207 | 312 |\\n| September | 44,910 | 340 |\\n\\n
@say ```sql\\nselect strftime('%Y-%m', ordered_at) as month, sum(amount)\\nfrom orders group by 1\\n```\\n\\n
@say Three orders look duplicated. I would like to see them first:
@call run_sql {"query": "select id, count(*) from orders group by id having count(*) > 1", "limit": 20}
"""
TOOL = [{"name": "run_sql", "description": "Run a read-only query on the orders."}]
ASKED = """@every 0.01
@think The later three are copies.
@say Three orders were entered twice. I would delete the copies and tell the customer.
@call delete_orders {"where": "id in (1207, 1311, 1402)", "table": "orders", "limit": 3}
@call send_mail {"to": "ada@example.org", "body": "Dear Ada,\\n\\nthree of your orders were entered twice."}
"""
TOOLS = """
from typing import Literal

@gem.tool(approve="ask")
def delete_orders(where: str, table: Literal["orders", "refunds"], limit: int = 100) -> int:
    'Delete rows of one table for good.'

@gem.tool(approve="ask")
def send_mail(to: str, body: str) -> str:
    'Send a mail to a customer.'
"""
ORDERS = """
%load_ext gemstream_widget
import pandas as pd
months = pd.period_range("2026-01", periods=24, freq="M").astype(str)
numbers = range(24)
orders = pd.DataFrame({
    "month": months,
    "sales": [2911 + 37 * n % 900 for n in numbers],
    "refunds": [180 + 1409 * n % 3200 for n in numbers],
})
"""
SCENES = {
    "streaming": ('gem.ask("Explain how streaming works, with a table", model="demo")', 2600),
    "done": ("answer = gem.ask(question, model='demo', tools=tools)", 4200),
    "approval": ("gem.ask(asked, model='demo', tools=[delete_orders, send_mail], approval_timeout_s=300)", 2200),
    "stopped": ('run = gem.ask("Write a long essay about tides", model="demo")', 3400),
    "magics": ("%%gem --model demo --as answer\nDescribe these {len(orders)} months: {orders}", 5200),
    "failed": ('gem.ask("Explain CRDTs in three sentences")', 1200),
}


def main(folder: Path, wanted: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build()
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        lab = Lab(Path(place))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            for theme, name in THEMES.items():
                for scene in wanted or SCENES:
                    source, wait_ms = SCENES[scene]
                    page = browser.new_page(viewport={"width": 1000, "height": 900}, device_scale_factor=2)
                    notebook_name = f"{scene}-{theme}.ipynb"
                    lab.new_notebook(notebook_name)
                    notebook = Notebook(lab, page, notebook_name)
                    page.evaluate(
                        "(t) => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})", name
                    )
                    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
                    texts = f"question, tools, asked = {ANSWER!r}, {TOOL!r}, {ASKED!r}"
                    notebook.run(f"import gemstream_widget as gem\n{texts}\n{TOOLS}{ORDERS}")
                    notebook.run("await gem.Chat(model='demo').send('@say warm')\nNone")
                    notebook.start(source)
                    page.wait_for_timeout(wait_ms)
                    if scene == "stopped":
                        page.locator(".jp-OutputArea-output").get_by_role("button", name="Stop").last.click()
                        page.wait_for_timeout(1500)
                    if scene == "approval":
                        page.get_by_label("where").first.fill("id in (1207, 1311)")
                    cell = page.locator(".jp-Cell").last
                    cell.scroll_into_view_if_needed()
                    if scene == "approval":  # buttons that moved take no click for half a second, and look so
                        page.wait_for_timeout(1000)
                    cell.screenshot(path=str(folder / f"{scene}-{theme}.png"))
                    notebook.shut_down()
                    page.close()
        finally:
            browser.close()
            lab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
