"""What a wheel holds: all bundles, of one build, of these sources, or nothing is packed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hatch_build import build_id, fault_of

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("gemstream_widget", "js", "package.json", "package-lock.json", "pyproject.toml", "hatch_build.py")
TEXTS = ("README.md", "LICENSE")
BUNDLES = {"widget.js", "approval.js", "highlight.js", "math.js", "sources.js"}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with its bundles built in it."""
    root = tmp_path_factory.mktemp("checkout")
    for name in (*COPIED, *TEXTS):
        source = ROOT / name
        skip = shutil.ignore_patterns("static", "node_modules", "__pycache__")
        shutil.copytree(source, root / name, ignore=skip) if source.is_dir() else shutil.copy(source, root / name)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    assert fault_of(root) == "The bundles are not built, or not to the end."
    subprocess.run(["node", "js/build/build.mjs"], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def static(built: Path) -> Iterator[Path]:
    """Its bundles, put back as they were afterwards."""
    folder = built / "gemstream_widget" / "static"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield folder
    for path in folder.iterdir():
        path.unlink()
    for name, text in before.items():
        (folder / name).write_bytes(text)


def wheel(root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(root / "dist")]
    clean = {name: value for name, value in os.environ.items() if name != "SKIP_BUNDLE"}
    return subprocess.run(command, check=False, cwd=root, capture_output=True, text=True, env={**clean, **environment})


def test_a_wheel_holds_every_bundle(built: Path, static: Path) -> None:
    assert fault_of(built) is None
    assert json.loads((static / "build.json").read_text())["id"] == build_id(built)
    # No Node is on this path: what is there is packed as it is.
    done = wheel(built, PATH="")
    assert done.returncode == 0, done.stderr
    (path,) = (built / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    assert {Path(name).name for name in names if "/static/" in name and name.endswith(".js")} == BUNDLES
    assert {f"{folder.name}.js" for folder in (ROOT / "js/modules").iterdir() if folder.is_dir()} < BUNDLES


@pytest.mark.parametrize("name", sorted(BUNDLES))
def test_no_wheel_without_one_of_them(built: Path, static: Path, name: str) -> None:
    (static / name).unlink()
    assert fault_of(built) == f"The bundle {name} is missing."
    done = wheel(built, PATH="")
    assert done.returncode != 0
    assert f"The bundle {name} is missing. Building from a checkout needs Node 20" in done.stderr


def test_no_wheel_of_two_builds(built: Path, static: Path) -> None:
    with (static / "math.js").open("a") as bundle:
        bundle.write("// of another build\n")
    assert fault_of(built) == "The bundle math.js is of another build than its neighbours."


def test_no_wheel_with_a_module_that_is_gone(built: Path, static: Path) -> None:
    (static / "gone.js").write_text("export const css = ''\n")
    assert fault_of(built) == "The bundle gone.js is of another build than its neighbours."


@pytest.mark.parametrize("name", ["js/core.ts", "js/styles/tokens.css", "js/build/bundle.mjs"])
def test_no_wheel_older_than_its_sources(built: Path, name: str) -> None:
    source = built / name
    before = source.read_bytes()
    source.write_bytes(before + b"\n")
    assert fault_of(built) == "The bundles are older than their sources."
    source.write_bytes(before)
    assert fault_of(built) is None


def test_a_new_test_makes_no_bundle_old(built: Path) -> None:
    added = built / "js" / "markdown" / "added.test.ts"
    added.write_text("")
    assert fault_of(built) is None
    added.unlink()
