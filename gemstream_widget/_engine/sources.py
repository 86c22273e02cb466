"""Where the chunks of a chat come from, by its options."""

from __future__ import annotations

import atexit
from functools import partial
from typing import TYPE_CHECKING

from .gemini import GeminiSource, environment_client
from .options import DEMO_MODEL, Options
from .source import Source

if TYPE_CHECKING:
    from google.genai import Client

__all__ = ["asks_alike", "is_demo", "source_of"]


def is_demo(options: Options) -> bool:
    """Whether this process's own local Gemini answers."""
    return options.model == DEMO_MODEL and options.client is None and options.source is None


def source_of(options: Options) -> Source:
    """The source that these options ask for."""
    if options.source is not None:
        return options.source
    if is_demo(options):
        return GeminiSource(connect=_connect_demo, direct=True)
    if options.api_key is not None:
        return GeminiSource(connect=partial(environment_client, options.api_key))
    return GeminiSource(options.client)


def asks_alike(one: Options, other: Options) -> bool:
    """Whether these ask the same source, which keeps its client, and with it the connections."""
    same = one.client is other.client and one.source is other.source and one.api_key is other.api_key
    return same and is_demo(one) == is_demo(other)


_demo_clients: dict[str, Client] = {}
"""By the server's address. One for all chats, never dropped: a client that is collected while others stream may close
a connection of theirs, since the number of its socket was given out again."""


def _connect_demo() -> Client:
    """The client for this process's own local Gemini, which starts on first use."""
    from ..server import shared

    server = shared()
    if server.url not in _demo_clients:
        atexit.register(_demo_clients.clear)  # while what their finalizers need is still there
        _demo_clients[server.url] = server.client()
    return _demo_clients[server.url]
