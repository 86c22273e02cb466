"""The doctor in a healthy JupyterLab, without a key, with a proxy that refuses, and with a server without anywidget."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.notebook import Lab, Notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

KEY = "AIzaSyPLANTED0123456789abcdefghijklmno-"
CLEAN = f"""
import os
for name in list(os.environ):
    if name.startswith(("GOOGLE_", "GEMINI_", "SSL_CERT", "REQUESTS_CA", "CURL_CA")) or name.lower().endswith("_proxy"):
        del os.environ[name]
os.environ["GEMINI_API_KEY"] = {KEY!r}
"""
FOUND = "import json; print(json.dumps([[f.topic, f.level, f.words, f.advice] for f in await report.wait()]))"

HEIGHTS = """(index) => {
  const outputs = window.panel.content.widgets[index].node.querySelectorAll('.jp-OutputArea-child');
  return [...outputs].map((output) => output.offsetHeight);
}"""


def doctor(notebook: Notebook, before: str = "") -> int:
    """Show a report as the last expression of a cell, too, and wait until all is known; the cell's index."""
    index = notebook.start(f"{before}\nreport = gem.doctor()\nreport")
    notebook.wait_done(index)
    return index


def findings(notebook: Notebook) -> dict[str, list[tuple[str, str, str | None]]]:
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for topic, *rest in json.loads(notebook.run(FOUND)):
        found.setdefault(topic, []).append(tuple(rest))
    return found


def levels(notebook: Notebook) -> dict[str, str]:
    return {topic: rest[0][0] for topic, rest in findings(notebook).items()}


def shown(page: Page) -> Any:
    return page.locator(".jp-OutputArea-output .gsd").last


def test_a_healthy_jupyterlab_then_no_key_then_a_proxy_that_refuses(notebook: Notebook) -> None:
    index = doctor(notebook, CLEAN)
    healthy = levels(notebook)
    assert set(healthy.values()) == {"ok"}, healthy
    assert notebook.run("print(report.ok)") == "True"
    report = shown(notebook.page)
    expect(report).to_contain_text("A page of this kernel answers.")
    expect(report.get_by_role("listitem")).to_have_count(len(healthy))
    assert report.count() == 1  # shown by itself, and not again as the last expression
    views = [output["data"] for output in notebook.outputs(index)]
    assert not [data for data in views if "application/vnd.jupyter.widget-view+json" in data]
    assert [height > 0 for height in notebook.page.evaluate(HEIGHTS, index)] == [True, False]  # nothing of the probe

    doctor(notebook, "del os.environ['GEMINI_API_KEY']")
    found = levels(notebook)
    assert [topic for topic, level in found.items() if level != "ok"] == ["credentials"]
    assert found["credentials"] == "problem"
    expect(shown(notebook.page)).to_contain_text("Set GEMINI_API_KEY in the kernel's environment")

    with socket.create_server(("127.0.0.1", 0)) as once:
        dead = once.getsockname()[1]
    proxy = f"http://user:{KEY}@127.0.0.1:{dead}"
    doctor(notebook, f"os.environ['GEMINI_API_KEY'] = {KEY!r}\nos.environ['HTTPS_PROXY'] = {proxy!r}")
    refused = findings(notebook)
    assert [topic for topic, found in refused.items() if found[0][0] != "ok"] == ["proxy"]
    assert f"http://127.0.0.1:{dead}" in refused["proxy"][0][1]
    expect(shown(notebook.page)).to_contain_text("takes no connection")
    made = [output for place in range(index, index + 6) for output in notebook.outputs(place)]
    assert "gemstream_widget doctor" in json.dumps(made)
    assert KEY not in json.dumps(made)


@pytest.fixture
def lab_without_anywidget(built: None, tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab whose server has the widgets manager and no anywidget to serve; its kernel has both."""
    manager = Path("@jupyter-widgets") / "jupyterlab-manager"
    extensions = tmp_path / "labextensions"
    (extensions / manager.parent).mkdir(parents=True)
    (extensions / manager).symlink_to(Path(sys.prefix) / "share" / "jupyter" / "labextensions" / manager)
    config = tmp_path / "lab" / "jupyter_config_dir"
    config.mkdir(parents=True)
    (config / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": {"labextensions_path": [str(extensions)]}}))
    lab = Lab(tmp_path / "lab")
    yield lab
    lab.close()


def test_a_server_without_anywidget_is_told_after_five_seconds(lab_without_anywidget: Lab, browser: Browser) -> None:
    lab = lab_without_anywidget
    page = browser.new_page()
    lab.new_notebook("lacking.ipynb")
    notebook = Notebook(lab, page, "lacking.ipynb")
    index = doctor(notebook, f"import gemstream_widget as gem\n{CLEAN}")
    found = findings(notebook)
    assert [topic for topic, told in found.items() if told[0][0] != "ok"] == ["page"]
    level, words, advice = found["page"][0]
    assert (level, words) == ("problem", "No page answered within 5 s.")
    assert "pip install anywidget ipywidgets" in str(advice)
    expect(shown(page)).to_contain_text("No page answered within 5 s.")
    assert ["text/html" in output["data"] for output in notebook.outputs(index)] == [True, False]
    expect(page.get_by_text("javascript error")).to_have_count(0)  # what stood in the probe's place
    page.close()
