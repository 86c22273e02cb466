"""Where a measurement runs: how thoroughly, and the browser and the JupyterLab that the groups share."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests.browser.conftest import FLAGS, chromium_path, serve
from tests.browser.notebook import Lab, Notebook

__all__ = ["ROOT", "Setting", "cpu_session", "python", "spent_s"]

ROOT = Path(__file__).resolve().parents[1]


class Setting:
    """Made once; `close` ends what was started. Browser, JupyterLab and harness page start when first asked for."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self._closing = ExitStack()

    def count(self, full: int, quick: int) -> int:
        """How often to measure."""
        return quick if self.quick else full

    def close(self) -> None:
        self._closing.close()

    @cached_property
    def browser(self) -> Browser:
        path = chromium_path()
        if path is None:
            raise RuntimeError("no Chromium found: run `make chromium`, or set GEMSTREAM_CHROMIUM")
        playwright = self._closing.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        self._closing.callback(browser.close)
        return browser

    @cached_property
    def lab(self) -> Lab:
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        lab = Lab(folder, env={"PYTHONPATH": str(ROOT)})
        self._closing.callback(lab.close)
        return lab

    @cached_property
    def harness_url(self) -> str:
        """The page of tests/browser/page, with the built widget in it."""
        subprocess.run(["node", "tests/browser/page/build.mjs"], cwd=ROOT, check=True, capture_output=True)
        server, url = serve()
        self._closing.callback(server.server_close)
        self._closing.callback(server.shutdown)
        return f"{url}/tests/browser/page/index.html"

    @contextmanager
    def notebook(self, name: str, watch: Any = None, python: Path | None = None) -> Iterator[Notebook]:
        """A fresh notebook in a fresh page; its kernel has benchmarks.in_kernel as `bench`. `watch(page)` is called
        before anything is loaded. The kernel is that of `python`, or of this environment.
        """
        context = self._context()
        try:
            page = context.new_page()
            if watch is not None:
                watch(page)
            kernel = "python3" if python is None else name.lower()
            if python is not None:
                self.lab.add_kernel(kernel, python)
            self.lab.new_notebook(f"{name}.ipynb", kernel=kernel)
            notebook = Notebook(self.lab, page, f"{name}.ipynb")
            notebook.run("import gemstream_widget as gem\nfrom benchmarks import in_kernel as bench\nbench.begin()")
            yield notebook
            notebook.shut_down()
        finally:
            context.close()

    @contextmanager
    def card_page(self) -> Iterator[Page]:
        """A fresh harness page."""
        context = self._context()
        try:
            page = context.new_page()
            page.goto(self.harness_url)
            page.wait_for_selector("html[data-ready]")
            yield page
        finally:
            context.close()

    def _context(self) -> BrowserContext:
        return self.browser.new_context(viewport={"width": 1100, "height": 900})


def cpu_session(page: Page) -> CDPSession:
    """A session that counts CPU seconds of the page's main thread, whatever else the machine does; see `spent_s`."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def spent_s(session: CDPSession) -> float:
    """CPU seconds of all tasks of the main thread so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))


def python(*arguments: str) -> list[str]:
    """A command line of this interpreter."""
    return [sys.executable, *arguments]
