"""LocalGemini: the server on a thread of its own, as an object to start, use and close."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tornado.netutil import bind_sockets

from .account import RequestRecord
from .app import Server, application
from .faults import Fault
from .recordings import Recordings
from .service import Service

if TYPE_CHECKING:
    from collections import deque

    from google.genai import Client

__all__ = ["LocalGemini", "shared"]


_BACKLOG = 1024


class LocalGemini:
    """A Gemini on this machine: real HTTP on 127.0.0.1 for the real SDK, scripted, recorded or faulty.

    >>> with LocalGemini(speed=20) as server:
    ...     client = server.client()
    ...     answer = client.models.generate_content(model="demo", contents="@say Hello")
    >>> answer.text
    'Hello'

    `streams` is a folder of recordings (`recordings`), `pace_s` the seconds between chunks of recordings and of plain
    prompts (None: as recorded traffic has them), `check_history` whether to refuse what Gemini would refuse (`rules`),
    `check_signatures` whether that includes thought signatures that this server did not give out, `speed` divides every
    wait (`math.inf`: no waiting), `port` 0 means any free one, `keep` is how many request records are kept.

    It runs on a thread and a loop of its own, so that a busy kernel does not slow the model. Every method may be
    called from any thread.
    """

    def __init__(
        self,
        streams: str | Path | None = None,
        pace_s: float | None = None,
        check_history: bool = True,
        speed: float = 1.0,
        *,
        check_signatures: bool = True,
        port: int = 0,
        keep: int = 1000,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}; 2 is twice as fast, math.inf does not wait at all.")
        if pace_s is not None and not pace_s >= 0:
            raise ValueError(f"pace_s must be 0 or more seconds, not {pace_s}.")
        self._service = Service(Recordings(streams), pace_s, check_history, check_signatures, speed, keep)
        self._port = port
        self._address: tuple[str, int] | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen; returns at once when it already does. Raises OSError when the port is taken."""
        if not self.running:
            sockets = bind_sockets(self._port, "127.0.0.1", backlog=_BACKLOG)
            self._address = sockets[0].getsockname()[:2]
            self._service.closing = False
            self._ready.clear()
            self._thread = threading.Thread(target=self._serve, args=(sockets,), name="LocalGemini", daemon=True)
            self._thread.start()
            self._ready.wait()
        return self

    def close(self) -> None:
        """End every stream, close every connection and end the thread. Harmless when closed."""
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive() or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._thread is not None and self._thread.is_alive()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"<LocalGemini {self.url if self.running else 'closed'}>"

    # --- use ----------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base URL, such as `http://127.0.0.1:49152`. Raises RuntimeError before the start."""
        if self._address is None:
            raise RuntimeError("This LocalGemini is not running; use `with LocalGemini() as server:` or `.start()`.")
        return f"http://{self._address[0]}:{self._address[1]}"

    def client(self, *, api_key: str = "local", **http_options: Any) -> Client:
        """A google-genai client for this server; `http_options` are the SDK's HttpOptions."""
        from .._engine.gemini import connect

        client: Client = connect(base_url=self.url, api_key=api_key, **http_options)
        return client

    @property
    def models(self) -> list[str]:
        """The names of the models it answers as."""
        return self._service.model_names()

    @property
    def requests(self) -> list[RequestRecord]:
        """The latest requests, oldest first, each with its account."""
        return self._service.requests

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open, idle ones included."""
        return self._service.open_connections

    @property
    def faults(self) -> deque[Fault]:
        """What is to go wrong: each generating request takes the first one, if there is one."""
        return self._service.faults

    def next(self, **fault: Any) -> Fault:
        """Queue a fault for the next generating request that has none yet: `server.next(status=429)`."""
        queued = Fault(**fault)
        self._service.faults.append(queued)
        return queued

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _serve(self, sockets: list[Any]) -> None:
        # The selector loop, since tornado needs add_reader, which Windows' default loop does not have.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._main(sockets))

    async def _main(self, sockets: list[Any]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = Server(application(self._service), self._service)
        server.add_sockets(sockets)
        self._ready.set()
        await self._stop.wait()
        self._service.closing = True
        server.stop()
        await server.close_all_connections()


_shared: dict[int, LocalGemini] = {}
"""By process id: a forked process has no thread of its parent's."""
_shared_lock = threading.Lock()


def shared() -> LocalGemini:
    """The process's own server, started on first use and closed at exit. Any thread."""
    with _shared_lock:
        server = _shared.get(os.getpid())
        if server is None:
            server = _shared[os.getpid()] = LocalGemini(keep=20)
            atexit.register(server.close)
        return server.start()
