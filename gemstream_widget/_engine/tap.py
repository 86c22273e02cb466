"""The tap: the bytes of Gemini's event streams, taken from underneath the SDK.

The SDK gives address, headers and credentials, and raises its errors for what is no answer. What is an answer it would
read into objects of its own: fields it has no name for are dropped, base64 is written anew, and numbers for enums, odd
signatures, comments or `data: [DONE]` fail it (measured on google-genai 1.60 to 3.6). So an HTTP client of ours, given
to the SDK as `HttpOptions.httpx_async_client`, hands a 200 event stream to whoever waits for it, and an empty one to
the SDK. It is not given as a transport: that would switch off the environment's proxies and certificates.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from contextvars import ContextVar
from functools import cache
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from .._process import in_forked_child, lock
from .._stream.entries import Response
from .environment import network, trust
from .source import headers_of

__all__ = ["Tap", "client_of"]

_tap: ContextVar[Tap | None] = ContextVar("gemstream tap", default=None)


class Tap:
    """Waits, in the task that enters it, for the response to the next request of a tapped client. `response` is that
    of the HTTP library, unread, and whoever holds the tap closes it; None where there was none, or no event stream.
    """

    def __init__(self) -> None:
        self.response: Any = None
        self._waits = True

    def __enter__(self) -> Tap:
        _tap.set(self)  # and never reset: a generator may be left in another context
        return self

    def __exit__(self, *error: object) -> None:
        self._waits = False

    def take(self, response: Any) -> bool:
        """Whether it waits for a response, and has it now."""
        waited, self._waits = self._waits, False
        if waited:
            self.response = response
            _answers.add(response)
        return waited

    def told(self) -> Response:
        """What the journal keeps of the response, and of the request that it answers."""
        sent = sha256(self.response.request.content).hexdigest()
        return Response(0.0, "bytes", headers_of(self.response.headers), sent)

    async def bytes(self) -> AsyncGenerator[bytes, None]:
        """The body, content encodings undone. Cancelled or left in any other way, it closes the connection."""
        try:
            # left open, the response's own iterator would be the collector's to close
            async with aclosing(self.response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await self.response.aclose()


_answers: WeakSet[Any] = WeakSet()
"""The responses that are read, or were."""


def _let_go() -> None:
    """In a forked child: give up its copies of the connections. As long as it had them, Gemini would not see that the
    parent closes one. Their file descriptors stay taken: transports that nobody uses any more will close them.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for response in _answers:
        stream = response.extensions.get("network_stream")
        connection = None if stream is None else stream.get_extra_info("socket")
        if connection is not None and connection.fileno() >= 0:
            os.dup2(nothing, connection.fileno(), inheritable=False)
    os.close(nothing)


in_forked_child(_let_go)


def client_of(http: Any, settings: dict[str, Any]) -> Any:
    """A tapped async client of this HTTP library (httpx or httpx2) with these settings.

    It has a pool of connections for each event loop, since a connection works only on the loop that opened it. May be
    used on several loops at once. Proxies and certificates are those that the environment names when a request is made,
    and are read anew after one that failed: files may have been mended.
    """
    return _client_class(http)(settings)


@cache
def _client_class(http: Any) -> Any:
    class Nothing(http.AsyncByteStream):  # type: ignore[misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            return
            yield b""

    class TappedClient(http.AsyncClient):  # type: ignore[misc]
        def __init__(self, settings: dict[str, Any]) -> None:
            super().__init__(**settings)
            self._settings = settings
            self._by_loop = WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Any, Any]]()
            self._lock = lock()

        def _inner(self) -> Any:
            loop, surroundings = asyncio.get_running_loop(), network()
            with self._lock:
                known, inner = self._by_loop.get(loop, (None, None))
                if inner is None or known != surroundings:
                    asks = self._settings.get("trust_env", True) and "verify" not in self._settings
                    inner = http.AsyncClient(**self._settings, **({"verify": trust()} if asks else {}))
                    self._by_loop[loop] = surroundings, inner
            return inner

        async def send(self, request: Any, *, stream: bool = False, **how: Any) -> Any:
            try:
                response = await self._inner().send(request, stream=stream, **how)
            except Exception:
                with self._lock:
                    self._by_loop.pop(asyncio.get_running_loop(), None)
                raise
            tap, kind = _tap.get(), response.headers.get("content-type", "")
            is_answer = stream and response.status_code == 200 and "text/event-stream" in kind
            if tap is None or not is_answer or not tap.take(response):
                return response
            return http.Response(200, headers={"content-type": kind}, stream=Nothing(), request=request)

    return TappedClient
