"""Build hook: the wheel and the sdist carry the built bundles, all of one build, so that installing needs no Node."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PACKAGES = ("esbuild", "highlight.js", "marked", "temml", "terser")
_KINDS = (".ts", ".css", ".mjs")
_NOT_BUNDLED = (".test.ts", ".d.ts")


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Build the bundles unless those of these very sources are there: an sdist brings them along. SKIP_BUNDLE leaves
    static/ as it is, for an editable install whose bundles are built later.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if os.environ.get("SKIP_BUNDLE") or fault_of(root) is None:
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                f"{fault_of(root)} Building from a checkout needs Node 20 or newer; an installed wheel does not."
            )
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=root, check=True)
        subprocess.run([npm, "run", "build"], cwd=root, check=True)
        if fault := fault_of(root):
            raise RuntimeError(fault)


def fault_of(root: Path) -> str | None:
    """Why the bundles below `root` may not be packed, in a sentence; None when they are whole and of its sources."""
    static = root / "gemstream_widget" / "static"
    try:
        stamp = json.loads((static / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "The bundles are not built, or not to the end."
    wanted = {"widget.js", *(f"{path.name}.js" for path in (root / "js" / "modules").iterdir() if path.is_dir())}
    for name in sorted(wanted | set(stamp["files"]) | {path.name for path in static.glob("*.js")}):
        path = static / name
        if not path.exists():
            return f"The bundle {name} is missing."
        if hashlib.sha256(path.read_bytes()).hexdigest() != stamp["files"].get(name):
            return f"The bundle {name} is of another build than its neighbours."
    return None if stamp["id"] == build_id(root) else "The bundles are older than their sources."


def build_id(root: Path) -> str:
    """What js/build/bundle.mjs computes: a hash of the sources and of the packages that make bundles of them."""
    found = hashlib.sha256()
    js = root / "js"
    sources = {
        path.relative_to(js).as_posix(): path
        for path in js.rglob("*")
        if path.name.endswith(_KINDS) and not path.name.endswith(_NOT_BUNDLED) and "node_modules" not in path.parts
    }
    for name in sorted(sources):
        found.update(name.encode() + b"\0" + sources[name].read_bytes() + b"\0")
    lock = json.loads((root / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name in _PACKAGES:
        found.update(f"{name}@{lock[f'node_modules/{name}']['version']}\0".encode())
    return found.hexdigest()[:12]
