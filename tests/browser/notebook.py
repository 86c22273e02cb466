"""A real JupyterLab on 127.0.0.1, and one notebook of it open in a page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError

READY = """async () => {
  const panel = window.jupyterapp?.shell.currentWidget;
  if (!panel?.sessionContext) return false;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session?.kernel?.info;
  window.panel = panel;
  return panel.sessionContext.session?.kernel?.connectionStatus === 'connected';
}"""

OPEN = """async (path) => {
  await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
}"""
CLOSE = """async () => {
  await window.panel.sessionContext.shutdown();
  window.panel.dispose();
}"""

RUN = """(source) => {
  const notebook = window.panel.content, cells = notebook.model.sharedModel;
  let index = cells.cells.length - 1;
  if (cells.cells[index].getSource() === '') cells.cells[index].setSource(source);
  else cells.insertCell(++index, {cell_type: 'code', source});
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  window.jupyterapp.commands.execute('notebook:run-cell').catch(() => 0);
  return index;
}"""

IDLE = """(index) => {
  const cell = window.panel.content.model.cells.get(index);
  return cell.sharedModel.execution_count !== null && (cell.executionState ?? 'idle') === 'idle';
}"""

# What the page knows of a cell that does not end.
STUCK = """(index) => {
  const kernel = window.panel.sessionContext.session?.kernel;
  const cells = [...Array(window.panel.content.model.cells.length).keys()].map((n) => {
    const cell = window.panel.content.model.cells.get(n);
    return [cell.sharedModel.getSource().slice(0, 60), cell.sharedModel.execution_count, cell.executionState];
  });
  const dialog = document.querySelector('.jp-Dialog')?.textContent;
  return {index, kernel: kernel?.status, connection: kernel?.connectionStatus, dialog, cells};
}"""

# Run in each kernel as it starts: SIGUSR1 writes what its threads do.
STACKS = """
import faulthandler as _f, os as _os, signal as _s
_f.register(_s.SIGUSR1, file=open(f"{_os.environ['IPYTHONDIR']}/stacks-{_os.getpid()}", "w"), all_threads=True)
del _f, _os, _s
"""


class Lab:
    """JupyterLab with settings, runtime and notebooks of its own, in `folder`."""

    def __init__(self, folder: Path, *, env: dict[str, str] | None = None) -> None:
        self.root = folder / "notebooks"
        self.root.mkdir(parents=True)
        self._kernels = folder / "jupyter_data_dir" / "kernels"
        self.token = "test"
        places = {
            name: str(folder / name.lower())
            for name in (
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_DATA_DIR",
                "JUPYTER_RUNTIME_DIR",
                "JUPYTERLAB_SETTINGS_DIR",
                "JUPYTERLAB_WORKSPACES_DIR",
                "IPYTHONDIR",
            )
        }
        self._ipython = folder / "ipythondir"
        startup = self._ipython / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "stacks.py").write_text(STACKS)
        self._log = (folder / "jupyterlab.log").open("w")
        settings = folder / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
            *("--ServerApp.port=0", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={self.root}"),
            "--LabApp.expose_app_in_browser=True",
        ]
        environment = {**os.environ, **places, **(env or {})}
        self.process = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
        self.url = self._wait_for_url(Path(places["JUPYTER_RUNTIME_DIR"]))

    def _wait_for_url(self, runtime: Path) -> str:
        """The server writes its address to its runtime folder; it answers soon after."""
        until = time.monotonic() + 120
        while time.monotonic() < until:
            for info in runtime.glob("jpserver-*.json"):
                url = json.loads(info.read_text())["url"].rstrip("/")
                try:
                    urllib.request.urlopen(f"{url}/api?token={self.token}", timeout=5).close()
                    return url
                except OSError:
                    pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start: see {self._log.name}")

    def api(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method, data=b"" if method == "POST" else None
        )
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def add_kernel(self, name: str, python: Path) -> None:
        """Offer the kernel of another interpreter, to pages that are loaded from now on."""
        command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        folder = self._kernels / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {"argv": command, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))

    def new_notebook(self, name: str, sources: list[str] | None = None, kernel: str = "python3") -> Path:
        cells = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"c{n}",
                "metadata": {},
                "outputs": [],
                "source": source,
            }
            for n, source in enumerate(sources or [""])
        ]
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        path = self.root / name
        metadata = {"kernelspec": spec, "language_info": {"name": "python"}}
        path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))
        return path

    def stacks(self) -> str:
        """What the threads of the kernels do now."""
        found = []
        for path in self._ipython.glob("stacks-*"):
            written = path.stat().st_size
            try:
                os.kill(int(path.name.removeprefix("stacks-")), signal.SIGUSR1)
            except ProcessLookupError:
                continue
            until = time.monotonic() + 2
            while path.stat().st_size == written and time.monotonic() < until:
                time.sleep(0.05)
            found.append(f"-- {path.name} --\n{path.read_text()[written:]}")
        return "\n".join(found)

    def close(self) -> None:
        for kernel in self.api("kernels"):
            self.api(f"kernels/{kernel['id']}", "DELETE")
        self.process.terminate()
        self.process.wait(20)
        self._log.close()


class Notebook:
    """One notebook in one page: run cells, read outputs, reload."""

    def __init__(self, lab: Lab, page: Any, name: str) -> None:
        """Opens the notebook in the JupyterLab that `page` shows, or loads JupyterLab first."""
        self.lab = lab
        self.page = page
        if page.url.startswith(lab.url):
            page.evaluate(OPEN, name)
        else:
            workspace = name.removesuffix(".ipynb")  # of its own: JupyterLab opens again what a workspace held
            url = f"{lab.url}/lab/workspaces/{workspace}/tree/{name}?token={lab.token}"
            page.goto(url, wait_until="domcontentloaded")
        self.wait_ready()

    def wait_ready(self) -> None:
        self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext", timeout=90_000)
        self.page.wait_for_function(READY, timeout=90_000)

    def start(self, source: str) -> int:
        """Run `source` in a new last cell, without waiting; its index."""
        return int(self.page.evaluate(RUN, source))

    def wait_done(self, index: int, timeout_s: float = 60) -> None:
        try:
            self.page.wait_for_function(IDLE, arg=index, timeout=timeout_s * 1000)
        except TimeoutError as error:
            kernels = [(kernel["execution_state"], kernel["last_activity"]) for kernel in self.lab.api("kernels")]
            error.add_note(f"the page: {self.page.evaluate(STUCK, index)}\nthe kernels: {kernels}\n{self.lab.stacks()}")
            raise

    def run(self, source: str, timeout_s: float = 60) -> str:
        """Run `source` to its end; what it printed, or its value. Fails where the cell fails."""
        index = self.start(source)
        self.wait_done(index, timeout_s)
        assert not any(o["output_type"] == "error" for o in self.outputs(index)), self.text(index)
        return self.text(index)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate(
            "(i) => window.panel.content.model.cells.get(i).outputs.toJSON()", index
        )
        return found

    def text(self, index: int) -> str:
        said = []
        for output in self.outputs(index):
            if output["output_type"] == "stream":
                said.append("".join(output["text"]))
            elif output["output_type"] == "error":
                said.append(f"{output['ename']}: {output['evalue']}")
            elif "text/plain" in output.get("data", {}):
                said.append("".join(output["data"]["text/plain"]))
        return "".join(said).strip()

    def save(self) -> None:
        self.page.evaluate("() => window.panel.context.save()")

    def reload(self) -> None:
        self.save()
        self.page.reload(wait_until="domcontentloaded")
        self.wait_ready()

    def _kernel(self) -> str:
        return str(self.page.evaluate("() => window.panel.sessionContext.session.kernel.id"))

    def interrupt(self) -> None:
        self.lab.api(f"kernels/{self._kernel()}/interrupt", "POST")

    def shut_down(self) -> None:
        """End the kernel."""
        self.lab.api(f"kernels/{self._kernel()}", "DELETE")

    def close(self) -> None:
        """End the kernel and take the notebook out of the page, unsaved."""
        self.page.evaluate(CLOSE)
