"""The page heals by itself: over a connection that loses messages, and under what people do to a notebook."""

from __future__ import annotations

from benchmarks.setting import Setting

from . import jupyterlab, lossy
from .report import Found

__all__ = ["measure"]


def measure(setting: Setting) -> Found:
    return Found([lossy.row(setting), *jupyterlab.rows(setting)])
