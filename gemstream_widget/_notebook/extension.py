"""The kernel extension: which shell has the magics."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from .magic import Magic

__all__ = ["load", "unload"]

_loaded = WeakKeyDictionary[Any, Magic]()


def load(shell: Any) -> None:
    """Add the magics to a shell that does not have them."""
    if shell not in _loaded:
        magic = Magic(shell)
        magic.load()
        _loaded[shell] = magic


def unload(shell: Any) -> None:
    """Take them back; nothing where they are not."""
    if (magic := _loaded.pop(shell, None)) is not None:
        magic.unload()
