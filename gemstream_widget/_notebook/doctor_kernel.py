"""What the doctor looks at on this side of the page: versions, the bundle, the host, ipykernel and the fast lane."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias

from .._engine.loops import running_loop
from .._shell import shell, terminal_shell
from . import fastlane
from .doctor_words import Finding, finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Host", "bundle", "event_loop", "fast_lane", "host", "host_here", "shell", "versions"]

Host: TypeAlias = Literal["kernel", "other", "marimo", "terminal", "script"]

_PACKAGE = "gemstream_widget"
_WITHOUT_IPYKERNEL: tuple[Host, ...] = ("marimo", "terminal", "script")
_MODULES = {"google-genai": "google.genai"}
"""Where a module is not called as its package."""
_HOOK_S = 2.0


def versions() -> Iterator[Finding]:
    """Each package that ours declares, and the one that is loaded where that is another."""
    python = platform.python_version()
    declared = _declared()
    held = {name: version for name in (_PACKAGE, *declared, "IPython") if (version := _version(name))}
    fits = True
    for name, requirement in declared.items():
        version, wanted = held.get(name), str(requirement)
        if version is None and name == "ipykernel" and host_here() in _WITHOUT_IPYKERNEL:
            yield finding("versions.unneeded", package=name)
            continue
        if version is None:
            yield finding("versions.missing", package=name, wanted=wanted)
        elif not requirement.specifier.contains(version, prereleases=True):
            spelled = str(requirement.specifier)
            yield finding("versions.range", package=name, version=version, range=spelled, wanted=wanted)
        else:
            continue
        fits = False
    for told in (*_python(python), *_stale(held)):
        fits = False
        yield told
    packages = ", ".join(f"{name} {version}" for name, version in held.items())
    if _PACKAGE not in held:
        yield finding("versions.unpacked", python=python, packages=packages or "nothing of what it needs")
    elif fits:
        yield finding("versions.fit", python=python, packages=packages)


def _declared() -> dict[str, Requirement]:
    """What this package needs to run, by name."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires(_PACKAGE) or []
    except metadata.PackageNotFoundError:
        return {}
    wanted = [Requirement(line) for line in lines]
    return {one.name: one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _python(version: str) -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    try:
        wanted = metadata.metadata(_PACKAGE)["Requires-Python"]
    except metadata.PackageNotFoundError:
        return
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        yield finding("versions.python", version=version, range=wanted)


def _stale(held: dict[str, str]) -> Iterator[Finding]:
    """Packages that were installed anew since this process loaded them."""
    for name, version in held.items():
        loaded = getattr(sys.modules.get(_MODULES.get(name, name)), "__version__", version)
        if isinstance(loaded, str) and loaded != version:
            yield finding("versions.loaded", package=name, version=version, loaded=loaded)


def bundle() -> Iterator[Finding]:
    """Whether all that was built together is there."""
    folder = files(_PACKAGE) / "static"
    built = folder / "build.json"
    names = list(json.loads(built.read_text(encoding="utf-8"))["files"]) if built.is_file() else ["widget.js"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        yield finding("bundle.missing", names=", ".join(missing))
    else:
        yield finding("bundle.whole", names=", ".join(names))


# -- the host ----------------------------------------------------------------------------------------------------------


def host_here() -> Host:
    """What runs this Python."""
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return "marimo"
    if fastlane.kernel() is not None:
        return "kernel"
    running = shell()
    if running is None:
        return "script"
    return "other" if hasattr(running, "kernel") else "terminal"


def host() -> Iterator[Finding]:
    yield finding(f"host.{host_here()}")


def event_loop() -> Iterator[Finding]:
    if terminal_shell() is not None:
        yield finding("loop.terminal")
    else:
        yield finding("loop.none" if running_loop() is None else "loop.runs")


# -- Stop --------------------------------------------------------------------------------------------------------------


async def fast_lane() -> list[Finding]:
    """The fast lane as it is, and what that means with this ipykernel. The kernel's thread may be about to take it."""
    state = fastlane.state()
    if state == "late":
        await asyncio.to_thread(fastlane.placed.wait, _HOOK_S)
        state = fastlane.state()
    told = [finding(f"lane.{state}", wanted="ipykernel>=7.4")]
    if state != "no kernel":
        told.insert(0, _ipykernel(state in ("hooked", "idle")))
    return told


def _ipykernel(hears_early: bool) -> Finding:
    """What works when, by version: docs/reliability.md has how often that was tried."""
    version = str(getattr(sys.modules["ipykernel"], "__version__", ""))
    number = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    family = "old" if number < (6, 31) else "6" if number < (7, 0) else "7"
    if family == "old" or hears_early:
        return finding(f"ipykernel.{family}", version=version)
    return finding(f"ipykernel.{'7.4' if number >= (7, 4) else family}.deaf", version=version)
