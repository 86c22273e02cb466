"""The socket that connections come in at. Where this process may open nothing more, it rests instead of failing."""

from __future__ import annotations

import errno
import logging
import os
from socket import socket
from typing import Any

from tornado.ioloop import IOLoop

__all__ = ["PAUSE_S", "Listener"]

PAUSE_S = 1.0
"""How long it takes no connection then, as asyncio's own servers. Whoever connects waits in the backlog."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_log = logging.getLogger(__name__)


class Listener(socket):
    """A bound and listening socket, which it takes over.

    Left to itself, a loop calls `accept` again at once where it fails for want of descriptors, and logs a traceback
    each time: gigabytes in an hour. This one says so in one line, and is not asked again before the pause is over.
    """

    def __init__(self, bound: socket) -> None:
        super().__init__(fileno=bound.detach())
        self._told = False

    def accept(self) -> tuple[socket, Any]:
        """The next connection. Raises BlockingIOError where none waits or can be taken now."""
        try:
            return super().accept()
        except BlockingIOError:  # all that waited are in
            self._told = False
            raise
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._rest(error)
            raise BlockingIOError(error.errno, os.strerror(error.errno)) from error

    def _rest(self, error: OSError) -> None:
        loop = IOLoop.current()
        loop.update_handler(self, 0)
        loop.call_later(PAUSE_S, self._wake)
        if not self._told:
            self._told = True
            _log.warning(
                "The local Gemini takes no connections: %s. It tries again every %g s.", error.strerror, PAUSE_S
            )

    def _wake(self) -> None:
        if self.fileno() != -1:  # it was not closed in the meantime
            IOLoop.current().update_handler(self, IOLoop.READ)
