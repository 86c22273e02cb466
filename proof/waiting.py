"""Every way of waiting: what is awaited or blocked for stops when it is interrupted, and else it says so.

Terminals are real ones, typed into (terminal.py); kernels are spoken to over their own sockets.
"""

from __future__ import annotations

import ast
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import nbformat
from nbclient import NotebookClient

from benchmarks.setting import ROOT, Setting

from .kernel_client import Kernel, kernel_of
from .kernels import environments
from .report import Control, Found, Row
from .terminal import Terminal, terminal_of

__all__ = ["measure"]

_BEGIN = "import gemstream_widget as gem; from proof import in_terminal as there"
_ASK, _WATCH = "await gem.ask(there.LONG, model='demo')", "await gem.watch(there.stream())"
_NOTHING = {"going": [], "open": 0}


def measure(setting: Setting) -> Found:
    """In short, one terminal and the kernel of this environment."""
    pythons, skipped = environments(setting)
    rows = list(_in_terminal(setting))
    tried: dict[str, list[tuple[list[str], bool]]] = {}
    for version, python in pythons.items():
        with kernel_of(python) as kernel:
            kernel.run(f"{_BEGIN}\nawait gem.Chat(model='demo').send('@every 0\\n@say ready')")
            for claim, (check, _) in _IN_KERNELS.items():
                for _ in range(setting.count(10, 1) if check is _interrupted_result else 1):
                    faults = [f"ipykernel {version}: {fault}" for fault in check(kernel, broken=False)]
                    tried.setdefault(claim, []).append((faults, bool(check(kernel, broken=True))))
    for claim, tries in tried.items():
        control = Control(_IN_KERNELS[claim][1], all(noticed for _, noticed in tries))
        rows.append(Row(claim, len(tries), [fault for faults, _ in tries for fault in faults], control))
    if not setting.quick:
        rows += [_in_script(), _time_limit()]
        if find_spec("jupyter_console") is not None:
            rows.append(_in_console())
        else:
            skipped = [*skipped, "jupyter console: install jupyter-console"]
    return Found(rows, skipped=skipped)


# -- an IPython terminal -----------------------------------------------------------------------------------------------


def _in_terminal(setting: Setting) -> Iterator[Row]:
    with terminal_of() as terminal:
        terminal.run(_BEGIN)
        terminal.run("r = await gem.Chat(model='demo').send('@every 0\\n@say ready')")  # what is imported first
        moments, n = random.Random(3), setting.count(150, 2)
        faults = []
        for number in range(n):
            awaits = _ASK if number % 3 else _WATCH
            faults += _interrupted(terminal, awaits, moments.uniform(0, 0.4))
        terminal.run("there.break_interrupts()")
        lost = [bool(_interrupted(terminal, awaits, 0.4)) for awaits in (_ASK, _WATCH)[: setting.count(2, 1)]]
        terminal.run("there.break_interrupts(broken=False)")
        what = "Ctrl+C in an IPython terminal, at random moments: run stopped, its connection closed, next cell works"
        yield Row(what, n, faults, Control("Python's own handler", all(lost)))
        yield _between_cells(terminal)
        yield _printed(terminal)


def _interrupted(terminal: Terminal, awaits: str, after_s: float) -> list[str]:
    """Interrupt a cell so many seconds after it began; what is wrong then."""
    terminal.type(f"print('be' + 'gun'); r = {awaits}")
    terminal.until("begun")
    time.sleep(after_s)
    terminal.interrupt()
    said = terminal.prompt()
    left = json.loads(terminal.value("await there.left(stop=True)"))
    wrong = [] if "KeyboardInterrupt" in said else ["no KeyboardInterrupt"]
    wrong += ["told as an error of the source"] if "SourceError" in said or "source raised" in said else []
    wrong += [f"left: {left}"] if left != _NOTHING else []
    if terminal.value("(await gem.Chat(model='demo').send('@every 0\\n@say ok')).text") != "ok":
        wrong.append("the next cell does not work")
    return [f"{awaits}, {after_s:.3f} s: {fault}" for fault in wrong]


def _between_cells(terminal: Terminal) -> Row:
    """A run on the terminal's own loop stands still between cells; one of `ask` does not."""
    faults = []
    terminal.run("import asyncio")
    terminal.run("w = gem.watch(there.stream()); await asyncio.sleep(0.3)")
    said = terminal.run("w.stop()")
    faults += [] if "StopDelayed" in said else ["no warning where the loop stands still"]
    faults += [] if terminal.value("w.status") == "streaming" else ["the status is not what is true"]
    terminal.run("await w.wait()")
    faults += [] if terminal.value("w.status") == "cancelled" else ["the Stop was not carried out"]
    terminal.run("a = gem.ask(there.LONG, model='demo')")
    said = terminal.run("a.stop()")
    noticed = "StopDelayed" not in said
    terminal.run("a.cancel_event.wait(1), asyncio.run(a.wait())")
    faults += [] if terminal.value("a.status") == "cancelled" else ["a run of ask does not stop between cells"]
    what = "a Stop between the cells of an IPython terminal: at once, or the warning StopDelayed"
    return Row(what, 2, faults, Control("a run whose loop goes on warns of nothing", noticed))


def _printed(terminal: Terminal) -> Row:
    said = terminal.run("r = await gem.ask('@think so\\n@say an\\x1b[31m answer', model='demo')")
    silent = terminal.run("r = await gem.Chat(model='demo').send('@say an answer')")
    shown = said.rpartition("model='demo')")[2].split()
    faults = [] if " ".join(shown).endswith("Reasoning: so an\u241b[31m answer") else [f"printed: {shown}"]
    control = Control("a run that is not shown", "answer" not in silent.rpartition("')")[2])
    return Row("an IPython terminal prints an answer as it comes, and obeys nothing in it", 1, faults, control)


def _in_console() -> Row:
    with terminal_of(("-m", "jupyter_console")) as terminal:
        terminal.run(_BEGIN)
        said = terminal.run("r = await gem.ask('@say an answer', model='demo')").rpartition("model='demo')")[2]
        silent = terminal.run("r = await gem.Chat(model='demo').send('@say an answer')").rpartition("')")[2]
    faults = [] if "an answer" in said and "Card" not in said else [f"printed: {said!r}"]
    return Row("jupyter console prints it too", 1, faults, Control("a run that is not shown", "answer" not in silent))


# -- a script ----------------------------------------------------------------------------------------------------------

_SCRIPT = """
import asyncio
import gemstream_widget as gem
from proof import in_terminal as there
gem.Chat(model="demo", runner="thread").send("@every 0\\n@say ready").result()
chat = gem.Chat(model="demo", runner="thread")
print("begun", flush=True)
try:
    chat.send(there.LONG).{wait}
except KeyboardInterrupt:
    print([run.status for run in chat.runs], asyncio.run(there.left()), chat.send("@every 0\\n@say ok").result().text)
"""


def _in_script() -> Row:
    n, moments = 30, random.Random(5)
    faults = [fault for _ in range(n) for fault in _interrupted_script("result()", moments.uniform(0.05, 0.4))]
    noticed = bool(_interrupted_script("cancel_event.wait()", 0.3))
    what = "Ctrl+C in run.result() of a script: run stopped, its connection closed, next send works"
    return Row(what, n, faults, Control("a wait that is not the run's", noticed))


def _interrupted_script(wait: str, after_s: float) -> list[str]:
    command = [sys.executable, "-c", _SCRIPT.replace("{wait}", wait)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        try:
            said = process.communicate(timeout=20)[0].strip()
        finally:
            process.kill()
    return [] if said == f"['cancelled'] {json.dumps(_NOTHING)} ok" else [f"{wait}, {after_s:.3f} s: {said!r}"]


# -- kernels -----------------------------------------------------------------------------------------------------------


def _interrupted_result(kernel: Kernel, *, broken: bool) -> list[str]:
    wait = "cancel_event.wait()" if broken else "result()"
    kernel.run("chat = gem.Chat(model='demo', runner='thread')")
    cell = kernel.start(f"run = chat.send(there.LONG)\nprint('begun', flush=True)\nrun.{wait}")
    kernel.wait(lambda: "begun" in cell.printed, "the cell to block")
    time.sleep(0.2)
    kernel.interrupt()
    kernel.finish(cell)
    faults = [] if cell.error == "KeyboardInterrupt" else [f"the cell shows {cell.error}"]
    said = kernel.run("print(run.status, run.receipt and run.receipt.by, await there.left(stop=True))").strip()
    faults += [] if said == f"cancelled interrupt {json.dumps(_NOTHING)}" else [said]
    sent = kernel.run("print(chat.send('@every 0\\n@say ok').result().text)").strip()
    return faults + ([] if sent == "ok" else [f"the next send gave {sent!r}"])


def _display_ids(kernel: Kernel, *, broken: bool) -> list[str]:
    """A display that is updated with another run; broken: never updated."""
    kernel.run("from IPython.display import display\nchat = gem.Chat(model='demo')")
    kernel.run("a = await chat.send('@every 0\\n@say one'); b = await chat.send('@every 0\\n@say two')")
    kernel.displays.clear()
    kernel.run("handle = display(a, display_id='shown')")
    kernel.run("pass" if broken else "handle.update(b)")
    kernel.run("h = display(a, display_id=True)\nprint(h.display_id)")
    texts = [text for id, text in kernel.displays if id == "shown"]
    faults = [] if texts == ["one", "two"] else [f"shown: {texts}"]
    return faults + ([] if len({id for id, _ in kernel.displays} - {None}) == 2 else ["no display id of its own"])


_IN_KERNELS = {
    "kernel interrupt in run.result(): run stopped, its connection closed, next send works": (
        _interrupted_result,
        "a wait that is not the run's",
    ),
    "display(run, display_id=...) gives a handle that shows another run": (_display_ids, "a handle that is not used"),
}


def _time_limit() -> Row:
    """nbclient interrupts a cell that takes too long."""
    cells = [
        f"{_BEGIN}\nimport asyncio\nawait gem.Chat(model='demo').send('@every 0\\n@say ready')",
        "limited = gem.Chat(model='demo').send(there.LONG)\nawait limited",
        "other = gem.Chat(model='demo').send(there.LONG)\nawait asyncio.sleep(2)  # limited",
        "print([(run.status, run.receipt and run.receipt.by) for run in (limited, other)])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(
        notebook,
        timeout_func=lambda cell: 1 if "await limited" in cell.source or "# limited" in cell.source else 60,
        interrupt_on_timeout=True,
        allow_errors=True,
        resources={"metadata": {"path": str(ROOT)}},
    )
    client.execute()
    stopped, other = ast.literal_eval(notebook.cells[-1].outputs[0]["text"])
    faults = [] if stopped == ("cancelled", "interrupt") else [f"the run is {stopped}"]
    what = "nbclient's time limit for a cell that awaits a run: run stopped"
    return Row(what, 1, faults, Control("a cell that awaits something else", other != stopped))
