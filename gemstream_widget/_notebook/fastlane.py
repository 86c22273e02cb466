"""The fast lane: hear our own comm messages as soon as the kernel's shell socket is read.

While a cell awaits, ipykernel 6 and 7.0 to 7.3 keep comm messages queued behind it, and 7.4 does so while a cell
blocks; a Stop that waits for the cell it should stop is no Stop. So a hook looks at what arrives and calls the handler.
It only looks: the message takes its usual way afterwards, and is handled a second time, which must change nothing.

The hook rests on internals (`shell_stream` of the kernel, `_recv_callback` of pyzmq's ZMQStream; ipykernel 6.31 to 7.4,
pyzmq 27). Where any of it is missing it steps aside, and messages take their usual way only. Related:
https://github.com/ipython/ipykernel/issues/65 and https://github.com/ipython/ipykernel/pull/1565.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from threading import Event
from typing import Any, Literal, TypeAlias

from .._process import lock

__all__ = ["State", "kernel", "placed", "state", "unwatch", "watch", "watch_target"]

State: TypeAlias = Literal["hooked", "idle", "late", "replaced", "no kernel", "no stream", "no callback"]


_log = logging.getLogger(__name__)
_handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
_openings: dict[str, Callable[[str, dict[str, Any]], None]] = {}
_lock = lock()
_hooked: Any = None  # the stream that carries the hook
_hook: Any = None  # what was put on it
placed = Event()
"""Set once the hook is on the stream, which on ipykernel 7 another thread does."""


def watch(comm_id: str, handler: Callable[[dict[str, Any]], None]) -> bool:
    """Call `handler` with the data of each comm message for `comm_id` as it arrives; False where that cannot be.

    The handler runs on the thread that reads the socket (the main thread on ipykernel 6, the shell channel's on 7): it
    may only hand over.
    """
    with _lock:
        _handlers[comm_id] = handler
        return _install()


def watch_target(name: str, opened: Callable[[str, dict[str, Any]], None]) -> None:
    """Call `opened` with the comm's id and the message of each comm that a page opens under this name; as `watch`."""
    with _lock:
        _openings[name] = opened
        _install()


def unwatch(comm_id: str) -> None:
    """Stop watching."""
    with _lock:
        _handlers.pop(comm_id, None)


def kernel() -> Any:
    """The running ipykernel, or None; without importing it, as another host may be running this."""
    module = sys.modules.get("ipykernel.kernelbase")
    kernel_class = getattr(module, "Kernel", None)
    return kernel_class.instance() if kernel_class is not None and kernel_class.initialized() else None


def state() -> State:
    """How the hook is: on the stream ("hooked"), not needed yet ("idle"), about to be put there ("late"), taken off by
    somebody else ("replaced"), or why there cannot be one. From any thread.
    """
    running = kernel()
    stream = getattr(running, "shell_stream", None)
    if stream is None:
        return "no kernel" if running is None else "no stream"
    callback = getattr(stream, "_recv_callback", None)
    if callback is None:
        return "no callback"
    if _hooked is not stream:
        return "idle"
    if callback is _hook:
        return "hooked"
    return "replaced" if placed.is_set() else "late"


def _install() -> bool:
    global _hooked, _hook  # noqa: PLW0603  # one kernel per process
    running = kernel()
    stream = getattr(running, "shell_stream", None)
    if stream is None:
        return False
    if _hooked is stream:
        return True
    dispatch = getattr(stream, "_recv_callback", None)
    if dispatch is None:
        return False

    def look_and_pass_on(frames: Any) -> Any:
        _look(running, frames)
        return dispatch(frames)

    def install() -> None:
        stream.on_recv(look_and_pass_on, copy=False)
        placed.set()

    placed.clear()
    _hook = look_and_pass_on
    thread = getattr(running, "shell_channel_thread", None)
    if thread is None:
        install()
    else:
        thread.io_loop.add_callback(install)  # a ZMQStream belongs to the thread that reads it
    _hooked = stream
    return True


def _look(kernel: Any, frames: Any) -> None:
    if not _handlers:
        return
    try:
        _, parts = kernel.session.feed_identities(frames, copy=False)
        # Without content the signature is not taken down, so the kernel's own reading is not taken for a repetition.
        message = kernel.session.deserialize(parts, content=False, copy=False)
        kind = message["header"]["msg_type"]
        if kind not in ("comm_open", "comm_msg"):
            return
        content = kernel.session.unpack(message["content"])
        comm_id = content.get("comm_id", "")
        if kind == "comm_open" and (opened := _openings.get(content.get("target_name", ""))) is not None:
            opened(comm_id, message)
        elif kind == "comm_msg" and (handler := _handlers.get(comm_id)) is not None:
            handler(content.get("data") or {})
    except Exception:  # nothing here may keep a message from its usual way
        _log.debug("the fast lane could not read a message", exc_info=True)
