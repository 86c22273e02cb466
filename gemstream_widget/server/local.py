"""LocalGemini: the server on a thread of its own, as an object to start, use and close."""

from __future__ import annotations

import asyncio
import atexit
import threading
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from tornado.netutil import bind_sockets

from .._process import Resident, in_forked_child, lock
from .account import RequestRecord
from .app import Server, application
from .faults import Fault
from .listener import Listener
from .recordings import Recordings
from .service import Service

if TYPE_CHECKING:
    from collections import deque

    from google.genai import Client

__all__ = ["LocalGemini", "shared"]


_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class _Life:
    """One time of listening, from `start` to `close`."""

    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    end: asyncio.Event
    server: Server
    sockets: list[Listener]

    def close(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the thread ends, or has ended
            self.loop.call_soon_threadsafe(self.end.set)
        if self.thread.is_alive():
            self.thread.join()
        self.loop.close()  # where the thread could not be started

    def drop_copies(self) -> None:
        """In a forked child, which has no such thread: let go of its copies of the sockets."""
        for one in self.sockets:
            one.close()
        self.server.drop_copies()


class LocalGemini(Resident):
    """A Gemini on this machine: real HTTP on 127.0.0.1 for the real SDK, scripted, recorded or faulty.

    >>> with LocalGemini(speed=20) as server:
    ...     client = server.client()
    ...     answer = client.models.generate_content(model="demo", contents="@say Hello")
    >>> answer.text
    'Hello'

    `streams` is a folder of recordings (`recordings`), `pace_s` the seconds between chunks of recordings and of plain
    prompts (None: as recorded traffic has them), `check_history` whether to refuse what Gemini would refuse (`rules`),
    `check_signatures` whether that includes thought signatures that this server did not give out, `speed` divides every
    wait (`math.inf`: no waiting), `port` 0 means any free one, `keep` is how many request records are kept, and
    `keep_sent` how many bytes of its answer each of them may keep (0: none; a longer answer is not kept at all).

    It runs on a thread and a loop of its own, so that a busy kernel does not slow the model. Every method may be
    called from any thread.
    """

    _instead = (
        "A LocalGemini serves from a thread of its own process, and is neither pickled nor copied: give others its "
        "address, server.url."
    )

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
        keep_sent: int = 0,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed}; 2 is twice as fast, math.inf does not wait at all.")
        if pace_s is not None and not pace_s >= 0:
            raise ValueError(f"pace_s must be 0 or more seconds, not {pace_s}.")
        self._service = Service(Recordings(streams), pace_s, check_history, check_signatures, speed, keep, keep_sent)
        self._port = port
        self._address: tuple[str, int] | None = None
        self._life: _Life | None = None
        self._lock = lock()  # one thread at a time begins a life or ends it

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen; returns at once when it already does. Raises OSError when the port is taken, and whatever else keeps
        the server's thread from listening.
        """
        with self._lock:
            if not self.running:
                self._life = self._begin()
        return self

    def close(self) -> None:
        """End every stream, close every connection and end the thread. Harmless when closed."""
        with self._lock:
            life, self._life = self._life, None
            if life is not None:
                life.close()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        life = self._life
        return life is not None and life.thread.is_alive()

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
        """A google-genai client for this server; `http_options` are the SDK's HttpOptions.

        Its requests go straight to the server: a proxy or certificates that the environment names are not asked.
        """
        from .._engine.gemini import connect

        client: Client = connect(base_url=self.url, api_key=api_key, direct=True, **http_options)
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

    def _drop(self) -> None:
        """In a forked child: it does not run here, and its address stays that of the parent's."""
        life, self._life = self._life, None
        if life is not None:
            life.drop_copies()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _begin(self) -> _Life:
        with ExitStack() as undo:
            sockets = [Listener(one) for one in bind_sockets(self._port, "127.0.0.1", backlog=_BACKLOG)]
            for one in sockets:
                undo.callback(one.close)
            # The selector loop, since tornado needs add_reader, which Windows' default loop does not have.
            server = Server(application(self._service), self._service)
            loop, end, ready = asyncio.SelectorEventLoop(), asyncio.Event(), Future[None]()
            work = (server, sockets, loop, end, ready)
            thread = threading.Thread(target=self._serve, args=work, name="LocalGemini", daemon=True)
            life = _Life(thread, loop, end, server, sockets)
            undo.callback(life.close)
            self._service.closing = False
            life.thread.start()
            ready.result()
            self._address = sockets[0].getsockname()[:2]
            _begun.add(self)
            undo.pop_all()
        return life

    def _serve(
        self,
        server: Server,
        sockets: list[Listener],
        loop: asyncio.AbstractEventLoop,
        end: asyncio.Event,
        ready: Future[None],
    ) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._main(server, sockets, end, ready))
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)  # `start` is waiting, and raises it

    async def _main(self, server: Server, sockets: list[Listener], end: asyncio.Event, ready: Future[None]) -> None:
        server.add_sockets(sockets)
        ready.set_result(None)
        await end.wait()
        self._service.closing = True
        server.stop()
        await server.close_all_connections()


_begun: WeakSet[LocalGemini] = WeakSet()
_shared: LocalGemini | None = None
_shared_lock = lock()


def shared() -> LocalGemini:
    """The process's own server, started on first use and closed at exit. Any thread."""
    global _shared  # noqa: PLW0603
    with _shared_lock:
        if _shared is None:
            _shared = LocalGemini(keep=20)
            atexit.register(_shared.close)
        return _shared.start()


def _leave_behind() -> None:
    """In a process just forked: the servers' threads stayed with the parent, which goes on serving."""
    global _shared  # noqa: PLW0603
    _shared = None
    for server in _begun:
        server._drop()


in_forked_child(_leave_behind)
