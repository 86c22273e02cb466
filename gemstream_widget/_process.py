"""What crosses from one process to another, and what stays: exceptions that arrive as they were, objects that say what
to use instead, and what a forked child has to be given anew.

A forked child has its parent's memory and one thread, the one that forked: whatever another thread was in the middle
of there stays so for good.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401
import logging  # noqa: F401
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, ClassVar, NoReturn, TypeVar
from weakref import WeakSet

__all__ = ["Portable", "Resident", "in_forked_child", "lock", "rebuilt", "rlock", "unforked"]

E = TypeVar("E", bound=BaseException)


class Portable(Exception):
    """An exception that arrives in another process as it was, whatever its `__init__` takes, and can be copied.

    Python's own way is to call the class with `args`. Where that fails, multiprocessing's Pool waits for ever for the
    answer that held it. `_stays` names attributes that do not travel: on the other side they are None.
    """

    _stays: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        held = {name: None if name in self._stays else value for name, value in self.__dict__.items()}
        return rebuilt, (type(self), self.args, held)

    def __copy__(self) -> Portable:
        return rebuilt(type(self), self.args, self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Portable:
        held = {name: value if name in self._stays else deepcopy(value, memo) for name, value in self.__dict__.items()}
        return rebuilt(type(self), deepcopy(self.args, memo), held)


def rebuilt(kind: type[E], args: tuple[Any, ...], held: dict[str, Any]) -> E:
    """An exception of this kind that holds this, without asking its `__init__`."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(held)
    return error


class Resident:
    """What lives in one process, with loops, threads or connections of it: it is neither pickled nor copied."""

    __slots__ = ()
    _instead: ClassVar[str]
    """One sentence for who tries: what to use."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(self._instead)

    def __copy__(self) -> Any:
        raise TypeError(self._instead)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.__copy__()


_locks: WeakSet[Any] = WeakSet()


def lock() -> threading.Lock:
    """A `threading.Lock` that a forked child finds free: whoever held it stayed with the parent."""
    return _renewed_in_child(threading.Lock())


def rlock() -> threading.RLock:
    """The same, of a `threading.RLock`."""
    return _renewed_in_child(threading.RLock())


L = TypeVar("L")


def _renewed_in_child(made: L) -> L:
    _locks.add(made)
    return made


def _renew_locks() -> None:
    for held in list(_locks):
        held._at_fork_reinit()  # as logging and concurrent.futures do it


def in_forked_child(forget: Callable[[], None]) -> None:
    """Call this in every process forked from this one, before anything else there. Not on Windows, where nothing forks.
    What was registered first is called first.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


in_forked_child(_renew_locks)


_PATIENCE_S = 20.0  # of a fork; longer than the slowest import


class _Own(threading.local):
    """How much of it is this thread's, which may fork in the middle."""

    count = 0


_gate = threading.Condition(rlock())
_inside = 0
_own = _Own()


@contextmanager
def unforked() -> Iterator[None]:
    """Forks wait until this is over, for 20 s at most. For what a library does under locks of its own on our threads,
    above all the import of one: in a child that was forked in the middle, nobody would ever let go of its lock.
    """
    _enter(1)
    try:
        yield
    finally:
        _enter(-1)


def _enter(step: int) -> None:
    global _inside  # noqa: PLW0603
    with _gate:
        _own.count += step
        _inside += step
        _gate.notify_all()


def _before_fork() -> None:
    _gate.acquire()
    _gate.wait_for(lambda: _inside <= _own.count, _PATIENCE_S)


def _after_fork() -> None:
    _gate.release()


def _begin_anew() -> None:
    global _gate, _inside
    _gate, _inside = threading.Condition(rlock()), _own.count


in_forked_child(_begin_anew)
if hasattr(os, "register_at_fork"):
    # Called before what was registered earlier: logging and concurrent.futures, which are imported here for it. They
    # take locks at a fork that the import needs, so whoever forks has to wait before.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork)
