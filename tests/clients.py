"""SDK clients for a local server: one per HTTP library the SDK may use by itself, and one whose bytes are seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import gemstream_widget as gem
from gemstream_widget._engine.gemini import connect

TRANSPORTS = ["httpx2", "httpx", "aiohttp"]
OURS = "ours"


@asynccontextmanager
async def client_of(server: gem.LocalGemini, transport: str) -> AsyncIterator[Any]:
    """A client that uses this library for async requests, closed at the end. `OURS` is one as `connect` makes it.

    The others are as users make them: the SDK takes aiohttp when it is installed, and httpx or httpx2 when a transport
    of theirs is given.
    """
    client = connect(base_url=server.url, api_key="local") if transport == OURS else _users_own(server, transport)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


def _users_own(server: gem.LocalGemini, transport: str) -> Any:
    from google import genai
    from google.genai import types

    options: dict[str, Any] = {}
    if transport == "httpx2":
        import httpx2

        options["async_client_args"] = {"transport": httpx2.AsyncHTTPTransport()}
    elif transport == "httpx":
        import httpx

        options["async_client_args"] = {"transport": httpx.AsyncHTTPTransport()}
    return genai.Client(api_key="local", http_options=types.HttpOptions(base_url=server.url, **options))
