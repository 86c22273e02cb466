"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version

from .table import percentile

__all__ = ["describe", "load", "wake_up_ms"]

_PACKAGES = ("gemstream_widget", "google-genai", "httpx2", "aiohttp", "ipykernel", "jupyterlab", "anywidget")


def describe() -> dict[str, str]:
    """Versions and the platform."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["platform"] = f"{platform.system()} {platform.machine()}"
    found["cpus"] = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    return found


def load() -> float:
    """The load average over the last minute."""
    return os.getloadavg()[0]


def wake_up_ms() -> float:
    """p95 of how late a sleep of 1 ms ends: no wall-clock figure below can be better than the machine's own rest."""
    late = []
    for _ in range(200):
        began = time.perf_counter()
        time.sleep(0.001)
        late.append(1000 * (time.perf_counter() - began) - 1)
    return percentile(late, 0.95)
