"""The groups by name, in the order they run: those without a browser first, since the browser's driver keeps an event
loop in the main thread.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.setting import Setting

from .report import Found

__all__ = ["GROUPS", "IN_BROWSER", "Group"]

Group = Callable[[Setting], Found]

GROUPS: dict[str, Group] = {}
IN_BROWSER: frozenset[str] = frozenset()
"""Those that need Chromium."""
