"""`%%gem` with each ipykernel, as a page sees it: cells that return at once, wait for their turn, or are wrong."""

from __future__ import annotations

import json
from collections import defaultdict

from benchmarks.setting import Setting

from .kernel_client import Cell, Kernel, kernel_of
from .kernels import environments
from .page import Page
from .report import Control, Found, Row

__all__ = ["measure"]

_AT_ONCE, _WAITS, _WRONG, _TAB, _GONE = (
    "magics: a cell of %%gem returns before its answer ends, and the answer goes on into its card",
    "magics: a second one waits for its turn, and is taken back by its button: nothing of it is sent",
    "magics: a cell that is wrong is one line, without a traceback, and opens no card",
    "magics: Tab completes options, models and tools",
    "magics: %unload_ext leaves nothing behind",
)
_LOAD = (
    "%load_ext gemstream_widget\n"
    "import gemstream_widget as gem\n"
    "def delete_file(path: str) -> str:\n    'Delete a file.'\n    return path"
)
_SLOW = "@chunk 1\n@every 0.02\n@say " + "word " * 20
_WRONG_CELLS = (
    "%%gem --modle demo\nhi",
    "%%gem\n   ",
    "%%gem --model demo\n{nowhere}",
    "%%gem --model demo\n{gem}",
    "%%gem --tools delete_fil\nhi",
    "%gem nonsense",
)
_COMPLETIONS = {
    "%%gem --mo": "--model",
    "%%gem --model gemini-3.8": "gemini-3.8-flash",
    "%%gem --tools del": "delete_file",
}


def measure(setting: Setting) -> Found:
    """In short, only the kernel of this environment."""
    pythons, skipped = environments(setting)
    failures: defaultdict[str, list[str]] = defaultdict(list)
    noticed: defaultdict[str, list[bool]] = defaultdict(list)
    for version, python in pythons.items():
        with kernel_of(python) as kernel:
            noticed[_TAB].append(not any(_offers(kernel, line, word) for line, word in _COMPLETIONS.items()))
            noticed[_GONE].append(_error(kernel, "%%gem\nhi") is not None)
            kernel.run(_LOAD)
            for claim, check in _CHECKS.items():
                faults, control = check(kernel)
                failures[claim] += [f"ipykernel {version}: {fault}" for fault in faults]
                noticed[claim].append(control)
    return Found(
        [
            Row(claim, len(pythons), failures[claim], Control(_CONTROLS[claim], all(noticed[claim])))
            for claim in _CHECKS
        ],
        skipped=skipped,
    )


_CONTROLS = {
    _AT_ONCE: "a cell that awaits its answer",
    _WAITS: "a second one that is left alone",
    _WRONG: "a cell of Python that raises",
    _TAB: "a kernel without the extension",
    _GONE: "the extension still there",
}


def _at_once(kernel: Kernel) -> tuple[list[str], bool]:
    faults = []
    cell, page = _ask(kernel, f"%%gem --model demo --as first\n{_SLOW}")
    if page.ended:
        faults.append("the cell returned after the answer")
    kernel.wait(lambda: page.ended, "the answer")
    faults += page.faults(_state_of(kernel, "first")) + _of(cell)
    _, awaited = _ask(kernel, f"_ = await gem.ask('''{_SLOW}''', model='demo')")
    return faults, awaited.ended


def _waits(kernel: Kernel) -> tuple[list[str], bool]:
    faults = []
    _, first = _ask(kernel, f"%%gem --new --model demo --as one\n{_SLOW}")
    _, second = _ask(kernel, "%%gem --as two\n@say second")
    _, third = _ask(kernel, "%%gem --as three\n@say third")
    if (told := (second.state["status"], third.state["status"])) != ("queued", "queued"):
        faults.append(f"told as {told}")
    stop = {"method": "custom", "content": {"op": "stop", "run": second.run}}
    kernel.send(second, stop, subshell=kernel.subshell is not None)
    kernel.wait(lambda: second.ended, "the end of what was taken back")
    if first.ended:
        faults.append("it was taken back only after the run before it")
    kernel.wait(lambda: third.ended, "the third answer")
    for page, name in ((first, "one"), (second, "two"), (third, "three")):
        faults += page.faults(_state_of(kernel, name))
    sent = kernel.run("print([request.body['contents'] for request in gem.server.local.shared().requests])")
    if "say second" in sent or second.state["steps"]:
        faults.append("it was sent all the same")
    return faults, "say third" in sent


def _wrong(kernel: Kernel) -> tuple[list[str], bool]:
    faults = []
    for source in _WRONG_CELLS:
        before = len(kernel.pages)
        cell = kernel.finish(kernel.start(source))
        if cell.error != "UsageError" and not cell.printed.startswith("UsageError: "):
            faults.append(f"{source!r}: {cell.error}, {cell.printed!r}")
        elif len(_lines(cell)) != 1:
            faults.append(f"{source!r}: {_lines(cell)}")
        if len(kernel.pages) != before:
            faults.append(f"{source!r} opened a card")
    return faults, len(_lines(kernel.finish(kernel.start("1 / 0")))) > 1


def _tab(kernel: Kernel) -> tuple[list[str], bool]:
    return [
        f"{line!r} does not offer {word!r}" for line, word in _COMPLETIONS.items() if not _offers(kernel, line, word)
    ], True


def _gone(kernel: Kernel) -> tuple[list[str], bool]:
    there = _error(kernel, "%gem status") is None
    kernel.run("%unload_ext gemstream_widget")
    faults = [f"{source!r} still runs" for source in ("%%gem\nhi", "%gem") if _error(kernel, source) is None]
    faults += [f"Tab still offers {word!r}" for line, word in _COMPLETIONS.items() if _offers(kernel, line, word)]
    faults += ["_gem is still there"] if kernel.run("print('_gem' in globals())").strip() == "True" else []
    return faults, there


_CHECKS = {_AT_ONCE: _at_once, _WAITS: _waits, _WRONG: _wrong, _TAB: _tab, _GONE: _gone}


def _ask(kernel: Kernel, source: str) -> tuple[Cell, Page]:
    """Run a cell that opens a card, to the cell's end."""
    known = set(kernel.pages)
    cell = kernel.finish(kernel.start(source))
    (page,) = (page for comm_id, page in kernel.pages.items() if comm_id not in known)
    return cell, page


def _of(cell: Cell) -> list[str]:
    return [] if cell.error is None else [f"the cell failed: {cell.error}"]


def _lines(cell: Cell) -> list[str]:
    """What a reader sees of a cell's error."""
    return "\n".join(cell.traceback or [cell.printed.rstrip()]).splitlines()


def _error(kernel: Kernel, source: str) -> str | None:
    cell = kernel.finish(kernel.start(source))
    return cell.error or (cell.printed if cell.printed.startswith("UsageError: ") else None)


def _offers(kernel: Kernel, line: str, word: str) -> bool:
    return word in kernel.completions(line)


def _state_of(kernel: Kernel, name: str) -> dict[str, object]:
    state: dict[str, object] = json.loads(kernel.run(f"import json; print(json.dumps({name}.snapshot()))"))
    return state
