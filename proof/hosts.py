"""Other hosts: a script, asyncio and marimo, each in a process of its own in which ipykernel cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import indent

from benchmarks.setting import ROOT, Setting

from .kernels import ENVIRONMENTS
from .report import Control, Found, Row

__all__ = ["measure"]

_LATEST_S = 60.0
_NO_KERNEL = """import sys

class NoKernel:
    def find_spec(name, path=None, target=None):
        if name.partition('.')[0] == 'ipykernel':
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoKernel)
"""
_LONG = "@every 0.02\\n@chunks 500 ' + 'word ' * 500"

_SCRIPT = f"""{_NO_KERNEL}
import gemstream_widget as gem

print(gem.ask('@say hello', model='demo', runner='thread').result(timeout_s=30).text)
run = gem.ask('{_LONG}, model='demo', runner='thread')
run.stop()
try:
    run.result(timeout_s=30)
except gem.RunCancelled:
    print(run.status)
"""
_ASYNCIO = f"""{_NO_KERNEL}
import asyncio
import gemstream_widget as gem

async def main():
    print((await gem.ask('@say hello', model='demo')).text)
    run = gem.ask('{_LONG}, model='demo')
    async for _ in run:
        if run.text:
            run.stop()
    print(run.status)

asyncio.run(main())
"""
_MARIMO = f"""
import marimo

app = marimo.App()

@app.cell
def _():
{indent(_NO_KERNEL, "    ")}
    import gemstream_widget as gem
    return (gem,)

@app.cell
async def _(gem):
    said = await gem.ask('@say hello', model='demo')
    print(said.text)
    return (said,)

@app.cell
async def _(gem, said):
    run = gem.ask('{_LONG}, model='demo')
    async for _event in run:
        if run.text:
            run.stop()
    print(run.status)
    return (run,)

@app.cell
def _(gem, run, said):
    gem.Card([said, run])
    return

if __name__ == "__main__":
    app.run()
"""
_EXPECTED = "hello\ncancelled\n"
_BLIND = _NO_KERNEL + "import ipykernel"


def measure(setting: Setting) -> Found:
    """In short, only what this environment has."""
    marimo = ENVIRONMENTS / "marimo" / "bin" / "python"
    here = Path(sys.executable)
    times = setting.count(3, 1)
    rows = [
        _row("a script without ipykernel: ask, result, Stop", here, _SCRIPT, times),
        _row("asyncio without ipykernel: ask, await, Stop", here, _ASYNCIO, times),
    ]
    skipped = []
    if marimo.exists() and not setting.quick:
        rows.append(_row("a marimo app without ipykernel: ask, await, Stop, a card", marimo, _MARIMO, times))
    elif not setting.quick:
        skipped.append("marimo: `make kernels` builds its environment")
    return Found(rows, skipped=skipped)


def _row(what: str, python: Path, source: str, times: int) -> Row:
    failures = [fault for _ in range(times) if (fault := _fault(python, source)) is not None]
    control = Control("one that imports ipykernel", _fault(python, _BLIND) is not None)
    return Row(what, times, failures, control)


def _fault(python: Path, source: str) -> str | None:
    """Run a program; what it did that it should not, or None."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.py"
        program.write_text(source, encoding="utf-8")
        command = [str(python), str(program)]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(),
                capture_output=True,
                text=True,
                timeout=_LATEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it did not end within {_LATEST_S} s"
    if done.returncode == 0 and done.stdout == _EXPECTED and not done.stderr:
        return None
    return f"exit {done.returncode}, printed {done.stdout!r}, and {done.stderr[-400:]!r}"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
