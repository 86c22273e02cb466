"""The groups by name, in the order they run: those without a browser first, since the browser's driver keeps an event
loop in the main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.setting import Setting

from . import (
    doctor,
    environment,
    faults,
    forms,
    fuzz,
    healing,
    history,
    hops,
    hostile,
    hosts,
    incoming,
    journal,
    kernels,
    leaks,
    magics,
    outgoing,
    processes,
    secrets,
    signatures,
    stop,
    waiting,
    watch,
)
from .report import Found

__all__ = ["GROUPS", "IN_BROWSER", "Group"]

Group = Callable[[Setting], Found]

GROUPS: dict[str, Group] = {
    "stop": stop.measure,
    "leaks": leaks.measure,
    "fuzz": fuzz.measure,
    "faults": faults.measure,
    "environment": environment.measure,
    "incoming": incoming.measure,
    "outgoing": outgoing.measure,
    "hops": hops.measure,
    "journal": journal.measure,
    "secrets": secrets.measure,
    "watch": watch.measure,
    "signatures": signatures.measure,
    "history": history.measure,
    "kernels": kernels.measure,
    "processes": processes.measure,
    "hosts": hosts.measure,
    "doctor": doctor.measure,
    "magics": magics.measure,
    "waiting": waiting.measure,
    "page": healing.measure,
    "hostile": hostile.measure,
    "forms": forms.measure,
}
IN_BROWSER: frozenset[str] = frozenset({"page", "hostile", "forms"})
"""Those that need Chromium."""
