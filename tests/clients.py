"""SDK clients for a local server, one per HTTP library the SDK may use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import gemstream_widget as gem

TRANSPORTS = ["httpx2", "httpx", "aiohttp"]


@asynccontextmanager
async def client_of(server: gem.LocalGemini, transport: str) -> AsyncIterator[Any]:
    """A client that uses this library for async requests, closed at the end.

    The SDK takes aiohttp when it is installed, and httpx or httpx2 when a transport of theirs is given.
    """
    options: dict[str, Any] = {}
    if transport == "httpx2":
        import httpx2

        options["async_client_args"] = {"transport": httpx2.AsyncHTTPTransport()}
    elif transport == "httpx":
        import httpx

        options["async_client_args"] = {"transport": httpx.AsyncHTTPTransport()}
    client = server.client(**options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()
