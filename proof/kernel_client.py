"""One kernel of one environment, spoken to as JupyterLab does: cells, comm messages by a subshell, interrupts."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, TypeVar

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from benchmarks.setting import ROOT
from gemstream_widget._plain import Wire

from .page import Page

__all__ = ["Cell", "Kernel", "kernel_of"]

_START_S = 60.0
_LATEST_S = 20.0


@dataclass
class Cell:
    """What one cell brought so far."""

    printed: str = ""
    error: str | None = None
    """The name of the exception."""
    traceback: list[str] = field(default_factory=list)
    done: bool = False
    replied: bool = False


class Kernel:
    """A running kernel. Not for several threads; see `kernel_of`."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient, folder: Path) -> None:
        self.folder = folder
        """Its working directory."""
        self.pages: dict[str, Page] = {}
        """By comm id, in the order their cards were made."""
        self.displays: list[tuple[str | None, str]] = []
        """Display id and text of what was displayed or updated, in order."""
        self._manager = manager
        self._client = client
        self._cells: dict[str, Cell] = {}
        self.subshell: str | None = None
        """The id of a subshell, where the kernel has subshells."""
        if "kernel subshells" in self._answer("kernel_info_request").get("supported_features", []):
            self.subshell = str(self._answer("create_subshell_request")["subshell_id"])

    def _answer(self, msg_type: str) -> Wire:
        """The content of the reply to a control request without content."""
        message = self._client.session.msg(msg_type, {})
        self._client.control_channel.send(message)
        while True:
            reply = self._client.get_control_msg(timeout=_START_S)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    # -- cells ------------------------------------------------------------------------------------------------------

    def start(self, source: str) -> Cell:
        """Run a cell, without waiting for it."""
        cell = self._cells[self._client.execute(source)] = Cell()
        return cell

    def finish(self, cell: Cell) -> Cell:
        """Wait for a cell's end and its reply: ipykernel before 7.4 may miss what reaches it while it sends one
        (https://github.com/ipython/ipykernel/issues/1554).
        """
        self.wait(lambda: cell.done, "the end of a cell")
        while not cell.replied:
            reply = self._client.get_shell_msg(timeout=_LATEST_S)
            if (replied := self._cells.get(reply["parent_header"].get("msg_id", ""))) is not None:
                replied.replied = True
        return cell

    def run(self, source: str) -> str:
        """Run a cell to its end; what it printed. Fails where the cell fails."""
        cell = self.finish(self.start(source))
        if cell.error is not None:
            raise RuntimeError("\n".join(["a cell of the harness failed", *cell.traceback]))
        return cell.printed

    def completions(self, code: str) -> list[str]:
        """What Tab offers at the end of `code`."""
        reply = self._client.complete(code, len(code), reply=True, timeout=_LATEST_S)
        return list(reply["content"]["matches"])

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    # -- messages ---------------------------------------------------------------------------------------------------

    def send(self, page: Page, data: Wire, *, subshell: bool) -> float:
        """A comm message from a page, with or without the subshell's id; time.time() when it went out."""
        message = self._client.session.msg("comm_msg", {"comm_id": page.comm_id, "data": data})
        if subshell:
            message["header"]["subshell_id"] = self.subshell
        sent_at = time.time()
        self._client.shell_channel.send(message)
        return sent_at

    def wait(self, enough: Callable[[], bool], what: str) -> None:
        """Hear until it is enough; TimeoutError where that never comes."""
        if not self.hear(enough, _LATEST_S):
            raise TimeoutError(f"waited {_LATEST_S} s for {what}")

    def hear(self, enough: Callable[[], bool], timeout_s: float) -> bool:
        """Take what the kernel publishes until it is enough; False when the time ran out."""
        until = time.monotonic() + timeout_s
        while not enough():
            left = until - time.monotonic()
            if left <= 0:
                return False
            try:
                message = self._client.get_iopub_msg(timeout=min(left, 1.0))
            except Empty:
                if not self._manager.is_alive():
                    raise RuntimeError("the kernel died") from None
                continue
            self._take(message, time.time())
        return True

    def _take(self, message: dict[str, Any], at_s: float) -> None:
        content = message["content"]
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        match message["msg_type"]:
            case "comm_open" if "snapshot" in content["data"].get("state", {}):
                self.pages[content["comm_id"]] = Page(content["comm_id"], content["data"]["state"]["snapshot"])
            case "comm_msg" if content["comm_id"] in self.pages:
                self.pages[content["comm_id"]].take(content["data"], at_s)
            case "display_data" | "update_display_data":
                self.displays.append((content["transient"].get("display_id"), content["data"].get("text/plain", "")))
            case "stream" if cell is not None:
                cell.printed += content["text"]
            case "error" if cell is not None:
                cell.error, cell.traceback = content["ename"], content["traceback"]
            case "status" if cell is not None and content["execution_state"] == "idle":
                cell.done = True


K = TypeVar("K", bound=Kernel)


class _OneSpec(KernelSpecManager):
    """Knows the kernel of one interpreter, started as that kernel's own specification does."""

    def __init__(self, python: Path) -> None:
        super().__init__()
        self._python = python

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [str(self._python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=kernel_name, language="python")


@contextmanager
def kernel_of(python: Path, kind: type[K] = Kernel) -> Iterator[K]:
    """A kernel of that interpreter, on 127.0.0.1, with settings and a working directory of its own. It ends with the
    context, whatever happens. `kind` is a Kernel, or does more with what the kernel publishes.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, open(f"{name}/kernel.log", "w") as log:
        folder = Path(name)
        manager = KernelManager(kernel_spec_manager=_OneSpec(python), connection_file=str(folder / "kernel.json"))
        places = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"), name)
        manager.start_kernel(env={**os.environ, **places, "PYTHONPATH": str(ROOT)}, cwd=name, stdout=log, stderr=log)
        client = manager.blocking_client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=_START_S)
            yield kind(manager, client, folder)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
