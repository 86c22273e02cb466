"""What is paid before anything streams: the bundle's size, and importing the package.

The bundle is sent with every widget and saved with every notebook, uncompressed. Importing is a fresh process that
imports, less a fresh process that does nothing, taken in turns.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import time

from .setting import ROOT, Setting, python
from .table import Row, note, single, spread

__all__ = ["measure"]

_STATIC = ROOT / "gemstream_widget" / "static"
_HEAVY = "google.genai ipykernel IPython ipywidgets anywidget traitlets tornado jupyter_client pydantic httpx".split()
_LOADED = f"import gemstream_widget, json, sys; print(json.dumps([n for n in {_HEAVY!r} if n in sys.modules]))"


def measure(setting: Setting) -> list[Row]:
    """Bundle <= 150 kB and 46 kB gzipped; import <= 30 ms without SDK and Jupyter."""
    return [*_sizes(), *_import(setting.count(20, 7))]


def _sizes() -> list[Row]:
    rows = []
    for name in ("widget.js", "highlight.js", "math.js"):
        source = (_STATIC / name).read_bytes()
        raw, packed = len(source) / 1000, len(gzip.compress(source, 9)) / 1000
        core = name == "widget.js"
        what = "bundle" if core else f"{name}, loaded when first needed"
        rows.append(single(f"{what}, minified", raw, "kB", most=150 if core else None))
        rows.append(single(f"{what}, gzipped", packed, "kB", most=46 if core else None))
    return rows


def _import(count: int) -> list[Row]:
    codes = {"bare": "pass", "package": "import gemstream_widget", "ask": "from gemstream_widget import ask"}
    times: dict[str, list[float]] = {name: [] for name in codes}
    for turn in range(count + 1):
        for name, code in codes.items():
            began = time.perf_counter()
            subprocess.run(python("-c", code), cwd=ROOT, check=True)
            if turn:  # the first may have to compile
                times[name].append(1000 * (time.perf_counter() - began))
    package, ask = ([t - b for t, b in zip(times[n], times["bare"], strict=True)] for n in ("package", "ask"))
    loaded = json.loads(subprocess.run(python("-c", _LOADED), cwd=ROOT, check=True, capture_output=True).stdout)
    return [
        spread("import gemstream_widget, less a bare interpreter", package, median=30),
        spread("from gemstream_widget import ask, less a bare interpreter", ask),
        note(
            "import loads no SDK and no Jupyter" + (f": found {', '.join(loaded)}" if loaded else ""),
            "none",
            not loaded,
        ),
    ]
