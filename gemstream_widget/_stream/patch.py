"""Patches: two operations, set a value and append text, that change a page's copy of the state.

Folding all operations over the opening snapshot gives `State.snapshot()` at every moment. `apply_ops` is that fold; the
page has the same in js/state/patch.ts, and golden files hold the two together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

from .._plain import Wire, clean, from_digits

__all__ = ["Op", "Path", "apply_ops", "grow"]


Path: TypeAlias = tuple[str | int, ...]
Op: TypeAlias = tuple[str, Path, Any]
"""("+", path, text) appends to a string; ("=", path, value) sets a value, or appends to an array at its length."""

MAX_ARRAY_INDEX = 10_000
"""An array index above this in streamed arguments is taken as a key: one short path must not fill the memory."""


def apply_ops(document: Any, ops: Iterable[Op | Sequence[Any]]) -> None:
    """Change a snapshot in place by operations, with or without the places of large whole numbers; what the page does,
    for tests, replay and readers of recordings.
    """
    for op, path, value, *whole in ops:
        *way, last = path
        target = document
        for key in way:
            target = target[key]
        if op == "+":
            target[last] += value
        elif isinstance(target, list) and last == len(target):
            target.append(from_digits(deepcopy(value), *whole or [[]]))
        else:
            target[last] = from_digits(deepcopy(value), *whole or [[]])


def grow(args: Wire, path: Path, value: Any, append: bool) -> Op:
    """Set or append at `path` in `args`, making containers on the way; the one operation that does the same.

    An array shorter than the index asked for is filled with nulls, and a scalar in the way is replaced.
    """
    target: Any = args
    for depth, key in enumerate(path):
        here, rest = path[:depth], path[depth + 1 :]
        if isinstance(target, dict):
            key = str(key)
            held = target.get(key)
        else:
            key = key if isinstance(key, int) and key <= MAX_ARRAY_INDEX else len(target)
            if key > len(target):
                target.extend([None] * (key - len(target)))
                target.append(_build(rest, value))
                return ("=", here, clean(target))
            held = target[key] if key < len(target) else None
        path = (*here, key, *rest)
        if rest and isinstance(held, dict | list):
            target = held
            continue
        if append and not rest and isinstance(held, str):
            target[key] = held + value
            return ("+", path, value)
        grown = _build(rest, value)
        if isinstance(target, list) and key == len(target):
            target.append(grown)
        else:
            target[key] = grown
        return ("=", (*here, key), clean(grown))
    raise AssertionError("a path has at least one key")


def _build(path: Path, value: Any) -> Any:
    """`value` wrapped in the containers that `path` implies."""
    for key in reversed(path):
        in_array = isinstance(key, int) and key <= MAX_ARRAY_INDEX
        value = [None] * int(key) + [value] if in_array else {str(key): value}
    return value
