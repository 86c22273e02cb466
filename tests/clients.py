"""SDK clients for a local server, one per HTTP library the SDK may use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.gemini import connect

TRANSPORTS = ["httpx2", "httpx", "aiohttp"]


@asynccontextmanager
async def client_of(server: gem.LocalGemini, transport: str) -> AsyncIterator[Any]:
    """A client that uses this library for async requests, closed at the end.

    The client is one as users make it, not the server's own, which never takes aiohttp: the SDK takes that when it is
    installed, and httpx or httpx2 when a transport of theirs is given.
    """
    options: dict[str, Any] = {}
    if transport == "httpx2":
        import httpx2

        options["async_client_args"] = {"transport": httpx2.AsyncHTTPTransport()}
    elif transport == "httpx":
        import httpx

        options["async_client_args"] = {"transport": httpx.AsyncHTTPTransport()}
    client = connect(base_url=server.url, api_key="local", **options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()
