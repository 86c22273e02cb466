"""A page with the built widget and a scripted kernel, in the system's Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.notebook import Lab, Notebook

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser, and a run of its own: playwright keeps an event loop on the main thread."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Requests are not news."""


def build() -> None:
    """Bundles the widget and the harness; both are build products and never stale here."""
    for command in (["node", "js/build/build.mjs"], ["node", "tests/browser/page/build.mjs"]):
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def chromium_path() -> str | None:
    return os.environ.get("GEMSTREAM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def serve() -> tuple[ThreadingHTTPServer, str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture(scope="session")
def built() -> None:
    build()


@pytest.fixture(scope="session")
def page_url(built: None) -> Iterator[str]:
    server, url = serve()
    yield f"{url}/tests/browser/page/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def lab(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def jupyterlab(lab: Lab, browser: Browser) -> Iterator[Page]:
    """A page, for all notebooks one after the other: JupyterLab takes longer to load than most tests to run."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def notebook(lab: Lab, jupyterlab: Page, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A fresh notebook with a kernel of its own, with the package and its own server at hand."""
    complaints: list[str] = []

    def complain(error: object) -> None:
        complaints.append(str(error))

    jupyterlab.on("pageerror", complain)
    name = re.sub(r"\W+", "-", request.node.name).strip("-") + ".ipynb"
    lab.new_notebook(name)
    notebook = Notebook(lab, jupyterlab, name)
    notebook.run(
        "import asyncio, time\n"
        "import gemstream_widget as gem\n"
        "from gemstream_widget.server import shared\n"
        "server = shared()"
    )
    yield notebook
    notebook.close()
    jupyterlab.remove_listener("pageerror", complain)
    assert not [c for c in complaints if "ResizeObserver" not in c], complaints
