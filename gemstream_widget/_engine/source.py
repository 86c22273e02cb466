"""Where chunks come from: the Source protocol, a list, and a stream that somebody else made.

How a stream is left, measured on google-genai 3.4 with its three HTTP transports: `break`, `aclose()` or an exception
thrown in leave the socket open until a garbage collection; cancelling a task that is suspended inside the SDK's
`__anext__` closes it at once (https://github.com/googleapis/python-genai/issues/2425). So whoever reads a source must
do it in a task whose only awaits are the source's, and cancel that task to stop.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from .._plain import Json, Wire, clean
from .._redact import redact, words_of
from .._request.wire import camel, dumped, get, snake
from .._stream.chunks import Frame
from .._stream.entries import Repair, Response
from ..errors import SourceError

__all__ = ["BREATH_S", "ListSource", "Request", "Source", "WatchedSource", "headers_of", "response_of", "wire_of"]


@dataclass(frozen=True)
class Request:
    """What one step asks for. `contents` and `tools` are wire JSON; `config` is the SDK's GenerateContentConfig, or a
    dict of its fields, as the user gave it. `token` is that of a further hop of the same step (docs/protocol.md).
    `sent` gives the digests of odd parts that models sent in this conversation (`_request.origin`).
    """

    model: str
    contents: Sequence[Wire]
    system: str | None = None
    tools: Sequence[Wire] = ()
    config: Any = None
    token: str | None = None
    sent: Callable[[], Container[bytes]] = field(default=frozenset, repr=False, compare=False)

    def settings(self) -> Json:
        """What its body holds beside the contents, in wire form, as far as that can be told without the SDK."""
        system = _setting(self.config, "system_instruction") if self.system is None else self.system
        generation = {name: _setting(self.config, snake(name)) for name in ("temperature", "thinkingConfig")}
        out = {
            "systemInstruction": {"parts": [{"text": system}]} if isinstance(system, str) else None,
            "generationConfig": {name: value for name, value in generation.items() if value is not None},
            "toolConfig": _setting(self.config, "tool_config"),
            "tools": [*_declared(self.config), *self.tools],
        }
        return {name: value for name, value in out.items() if value}

    def beside(self) -> Json:
        """What it asks for beside the contents, for the journal: plain JSON, without the settings of connections, also
        of Gemini's own to somebody else's server: they may hold keys that nobody here knows.
        """
        names = [declared.get("name") for tool in self.tools for declared in tool.get("functionDeclarations") or ()]
        return {"model": self.model, "system": self.system, "tools": clean(names), "config": _fields(self.config)}


def _setting(config: Any, name: str) -> Any:
    """One setting of the SDK's config as plain JSON; None where it is none, or not set."""
    held = get(config, camel(name)) if isinstance(config, dict) else getattr(config, name, None)
    if isinstance(held, dict):  # in which the SDK's objects may be, too
        held = {key: dumped(inner) if hasattr(inner, "model_dump") else inner for key, inner in held.items()}
    held = dumped(held) if hasattr(held, "model_dump") else held
    return held if isinstance(held, dict | list | str | int | float) else None


def _declared(config: Any) -> list[Json]:
    """The tools of the SDK's config, without the functions, which only the SDK can declare."""
    held = get(config, "tools") if isinstance(config, dict) else getattr(config, "tools", None)
    tools = (dumped(tool) if hasattr(tool, "model_dump") else tool for tool in held or ())
    return [tool for tool in tools if isinstance(tool, dict)]


def _fields(config: Any) -> Json:
    try:
        fields = dumped(config) if hasattr(config, "model_dump") else config or {}
        return dict(_without_secrets(clean(fields)))
    except Exception as error:  # somebody else's objects
        return {"unreadable": words_of(error)}


_SECRET = frozenset({"httpOptions", "headers", "authConfig", "apiAuth", "apiKeyConfig"})
"""Fields of the SDK's config, at any depth, that hold keys: of an MCP server, of maps, of an external API."""
_SCHEMAS = frozenset({"functionDeclarations", "responseSchema", "responseJsonSchema"})
"""What the user calls as he likes: there is no such field in it."""


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        named = {name: camel(name) for name in value}
        return {
            name: held if named[name] in _SCHEMAS else _without_secrets(held)
            for name, held in value.items()
            if named[name] not in _SECRET
        }
    return [_without_secrets(held) for held in value] if isinstance(value, list) else value


class Source(Protocol):
    """Gives the chunks of a request in order: as wire dicts, or as Frames where the bytes are seen. Before the first of
    them may come a Repair, which tells what was mended in the request, and a Response, which tells who read them; their
    `at_s` is filled in.

    Cancelling the task that awaits the next chunk must end the stream and close what it holds. Errors should be ours
    (errors.RunFailed); others are shown as SourceError.

    A source may also have an `async def prepare(self)`: what it does before its first request (import a library, start
    a server) is no silence of the stream, and no `idle_timeout_s` counts it. And an `async def count(self, request)`,
    which gives the request's tokens: `chat.count` asks for it.
    """

    def stream(self, request: Request) -> AsyncIterator[Wire | Frame | Repair | Response]: ...


class ListSource:
    """Chunks from memory, one list per request: for tests, teaching and replay without timing.

    An item may be an exception, which is raised in its place.
    """

    def __init__(self, *streams: Iterable[Any]) -> None:
        self._streams = [list(s) for s in streams]
        self.requests: list[Request] = []

    async def stream(self, request: Request) -> AsyncIterator[Wire]:
        self.requests.append(request)
        number = len(self.requests)
        if number > len(self._streams):
            raise SourceError(f"This ListSource holds {len(self._streams)} streams; request {number} has none.")
        for item in self._streams[number - 1]:
            await asyncio.sleep(0)
            if isinstance(item, BaseException):
                raise item
            yield item


BREATH_S = 0.008
"""How long a task may work through what is there before others on the loop get their turn."""


class WatchedSource:
    """Chunks from an async iterator that somebody else made: the SDK's objects, or wire dicts. Read once."""

    def __init__(self, stream: AsyncIterator[Any]) -> None:
        if inspect.iscoroutine(stream):
            stream.close()
            raise TypeError(
                f"watch() was given the coroutine {stream.__name__}() itself: await it first, as in "
                "watch(await client.aio.models.generate_content_stream(...))."
            )
        if not hasattr(stream, "__aiter__"):
            raise TypeError(f"watch() takes an async iterator of chunks, not {type(stream).__name__}")
        self._stream = stream

    async def stream(self, request: Request) -> AsyncIterator[Wire | Response]:
        held_since, cancelled, begun = time.monotonic(), False, False
        async for chunk in self._stream:
            is_read = hasattr(chunk, "model_dump")
            if is_read and not begun:
                yield response_of(chunk)
            begun = True
            yield wire_of(chunk) if is_read else chunk
            if time.monotonic() - held_since > BREATH_S:  # a stream that never waits: let others have the loop
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    if cancelled:
                        raise
                    cancelled = True  # once more, inside the stream, where it closes what it holds; or never there
                    cast(asyncio.Task[Any], asyncio.current_task()).cancel()
                held_since = time.monotonic()


_TOLD = ("content-type", "content-encoding", "date", "server", "server-timing", "via", "retry-after", "x-gemini-")
"""Headers that say how an answer was made and brought, or what they begin with. Others may hold a secret."""


def headers_of(headers: Any) -> dict[str, str]:
    """Those of a response's headers that may be kept."""
    return {name.lower(): redact(str(value)) for name, value in headers.items() if name.lower().startswith(_TOLD)}


def response_of(chunk: Any) -> Response:
    """What is known of the response that a chunk of the SDK's came in."""
    held = getattr(chunk, "sdk_http_response", None)
    return Response(0.0, "sdk", headers_of(getattr(held, "headers", None) or {}))


def wire_of(chunk: Any) -> Wire:
    """A chunk of the SDK as a wire dict. The SDK has dropped what it does not know, and decoded base64: it is written
    back in the standard alphabet, as Gemini sends it.
    """
    wire: Wire = dumped(chunk)
    wire.pop("sdkHttpResponse", None)
    for candidate in wire.get("candidates") or ():
        for part in (candidate.get("content") or {}).get("parts") or ():
            if "thoughtSignature" in part:
                part["thoughtSignature"] = _standard_base64(part["thoughtSignature"])
            blob = part.get("inlineData")
            if blob and "data" in blob:
                blob["data"] = _standard_base64(blob["data"])
    return wire


def _standard_base64(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")
