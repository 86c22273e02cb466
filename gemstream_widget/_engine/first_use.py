"""What the SDK needs when it is first used: no fork in the middle of its import and of its types, what it would import
on the event loop imported before, and no warning that is an error where nobody can mend it.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any, TypeVar

from .._process import unforked

__all__ = ["first", "import_rest", "on_a_worker", "spare_sdk"]

T = TypeVar("T")


def spare_sdk() -> None:
    """Where warnings are errors, those about the SDK's own code are none: nobody who reads them could mend it, and the
    first request of a client that uses aiohttp would fail by one (https://github.com/googleapis/python-genai/issues/1989).
    """
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.filterwarnings("ignore", module=r"google\.(genai|auth|oauth2)(\.|$)")


def import_rest() -> None:
    """What the HTTP library would import within the first request, on the event loop, where a fork may come in between
    (anyio 4: see `unforked`).
    """
    with suppress(ImportError):
        for name in ("anyio._backends._asyncio", "anyio.streams.tls"):
            import_module(name)


_sent: set[str] = set()


@contextmanager
def first(what: str) -> Iterator[None]:
    """While the first request of its kind is sent no process is forked: pydantic makes the SDK's types for it, on the
    event loop and under locks of its own. Later ones hold up nobody.
    """
    with nullcontext() if what in _sent else unforked():
        yield
    _sent.add(what)


async def on_a_worker(call: Callable[..., T], *given: Any) -> T:
    """Call it on a worker thread, with no fork in the middle: it imports the SDK, and has pydantic make its types."""

    def whole() -> T:
        with unforked():
            return call(*given)

    return await asyncio.to_thread(whole)
