"""Build hook: the wheel and the sdist carry the built bundle, so that installing a wheel needs no Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Build the bundle unless it is there (an sdist brings it along) or SKIP_BUNDLE is set (make builds it itself)."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if os.environ.get("SKIP_BUNDLE") or (root / "gemstream_widget" / "static" / "widget.js").exists():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("Building from a checkout needs Node 20 or newer; an installed wheel does not.")
        subprocess.run([npm, "install", "--no-save", "--no-audit", "--no-fund"], cwd=root, check=True)
        subprocess.run([npm, "run", "build"], cwd=root, check=True)
