"""A cell that runs again stops what it began, in a real kernel: its card is gone with its output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

pytestmark = pytest.mark.timeout(120)


class Notebook:
    """Cells by id, run as JupyterLab runs them."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        )
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, cell: str | None = None) -> str:
        """What it prints."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        metadata = {} if cell is None else {"cellId": cell}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        printed = ""
        while True:
            told: Any = self.client.get_iopub_msg(timeout=60)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if told["msg_type"] == "stream":
                printed += told["content"]["text"]
            if told["msg_type"] == "error":
                raise AssertionError("\n".join(told["content"]["traceback"]))
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return printed.strip()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    made = Notebook()
    try:
        made.run("%load_ext gemstream_widget\nimport gemstream_widget as gem\nkept = []")
        made.run("server = gem.LocalGemini().start(); client = server.client()")
        yield made
    finally:
        made.close()


ASK = "run = gem.ask('@say a\\n@stall', client=client{keep}); kept.append(run)"
STATES = "print([(r.status, r.receipt and r.receipt.by) for r in kept], len(gem.runs()))"


def test_running_a_cell_again_stops_what_it_began(notebook: Notebook) -> None:
    cell = ASK.format(keep="")
    notebook.run(cell, "a")
    notebook.run(cell, "b")
    notebook.run("pass", "c")
    assert notebook.run(STATES) == "[('streaming', None), ('streaming', None)] 2"
    notebook.run(f"{cell}\nawait kept[0].wait()", "a")
    assert notebook.run(STATES) == "[('cancelled', 'rerun'), ('streaming', None), ('streaming', None)] 2"
    notebook.run("1 / 1\nawait kept[2].wait()", "a")  # also where it begins nothing any more
    assert notebook.run(STATES).startswith("[('cancelled', 'rerun'), ('streaming', None), ('cancelled', 'rerun')] 1")
    notebook.run("gem.stop_all(); await kept[1].wait(); kept.clear()")


def test_what_is_to_be_kept_goes_on_and_so_does_what_a_cell_runs_within(notebook: Notebook) -> None:
    notebook.run(ASK.format(keep=", keep=True"), "a")
    notebook.run(ASK.format(keep="") + "\nget_ipython().run_cell('1')", "b")
    notebook.run("pass", "a")
    assert notebook.run(STATES) == "[('streaming', None), ('streaming', None)] 2"
    notebook.run("gem.stop_all(); kept.clear()")


def test_a_magic_cell_is_one_too(notebook: Notebook) -> None:
    cell = "%%gem --model demo --as answer\n@say a\n@stall"
    notebook.run(cell, "m")
    notebook.run("first = answer")
    notebook.run(cell, "m")
    notebook.run("await first.wait()")
    assert notebook.run("print(first.receipt.by, answer.status != 'cancelled', answer is first)") == "rerun True False"
    notebook.run("gem.stop_all()")


def test_without_an_id_nothing_is_stopped(notebook: Notebook) -> None:
    notebook.run(ASK.format(keep=""))
    notebook.run(ASK.format(keep=""))
    assert notebook.run("print([r.status for r in kept[-2:]])") == "['streaming', 'streaming']"
    notebook.run("gem.stop_all(); kept.clear()")
