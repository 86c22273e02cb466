"""Gemini itself, through google-genai.

The one module that names the SDK, and only inside functions: importing it takes more than a second, so the first
request does it on a worker thread while the event loop goes on.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from importlib import import_module
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args

from .._plain import Wire, nearest
from .._process import unforked
from .._redact import KEY_VARIABLES, redact, remember_key
from .._request.prompt import contents_of
from .._request.wire import dumped
from .._stream.chunks import Frame
from ..errors import (
    ApiError,
    ConnectionFailed,
    GemstreamError,
    InvalidChunk,
    InvalidOption,
    MissingKey,
    SourceError,
    StreamTruncated,
)
from . import tap
from .foreign import foreign_loop
from .source import Request, wire_of
from .sse import FrameReader

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import CountTokensConfig, GenerateContentConfig, HttpOptions, Tool

__all__ = ["CLOUD_VARIABLES", "GeminiSource", "check_config", "connect", "http_options"]


# --------------------------------------------------------------------------------------------------------------------
# Gemini

CLOUD_VARIABLES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
"""What turns Vertex AI on, as the SDK reads it: the first that is set counts."""
_SETTINGS = (*KEY_VARIABLES, *CLOUD_VARIABLES, "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")
_clients: dict[tuple[str | None, ...], Client] = {}


def connect(*, base_url: str | None = None, api_key: str | None = None, direct: bool = False, **options: Any) -> Client:
    """A `google.genai.Client` whose bytes we see; `options` are the SDK's HttpOptions. Slow the first time: it imports
    the SDK.

    `direct` is for a server on this machine: no proxy is asked and no certificate file is read, whatever the
    environment says.
    """
    from google import genai

    if base_url is not None:
        options["base_url"] = base_url
    return genai.Client(api_key=api_key, http_options=http_options(**(_direct(options) if direct else options)))


def http_options(**options: Any) -> HttpOptions:
    """The SDK's HttpOptions for a client of yours whose bytes are seen as they come:
    `genai.Client(http_options=gem.http_options())`. Takes what HttpOptions takes; an `httpx_async_client`,
    `aiohttp_client` or transport among it stays, and the bytes unseen. With it the SDK uses no aiohttp, and sends no
    client certificate (mTLS).
    """
    from google.genai import types

    args = options.get("async_client_args") or {}
    is_own = options.get("httpx_async_client") or options.get("aiohttp_client") or "transport" in args
    return types.HttpOptions(**options if is_own else options | {"httpx_async_client": _tapped(args)})


_ONE_EACH = SimpleNamespace(max_connections=None, max_keepalive_connections=0, keepalive_expiry=None)
"""No connection outlives its answer: one that did would be shared with every process forked meanwhile. It is read like
the Limits of httpx and httpx2, and is of neither, since the SDK takes the library that it finds an object of.
"""


def _direct(options: dict[str, Any]) -> dict[str, Any]:
    """These HttpOptions, so that requests go straight to their address.

    Left alone, the SDK takes aiohttp where that is installed, and its sessions always ask the environment.
    """
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # the address is plain HTTP: there is nobody to trust
    # The SDK drops what its HTTP library does not know.
    ours = {"trust_env": False, "verify": nobody, "ssl": nobody, "limits": _ONE_EACH}
    return {**options, **{name: ours | (options.get(name) or {}) for name in ("client_args", "async_client_args")}}


def _tapped(args: dict[str, Any]) -> Any:
    """A tapped client of the SDK's own HTTP library with these settings, as far as it knows them (google-genai 1.60 to
    3.6). The SDK does not close a client that it was given, so no connection outlives its answer.
    """
    from google.genai import types

    accepted = get_args(types.HttpxAsyncClient) or (types.HttpxAsyncClient,)
    http = import_module(accepted[-1].__module__.split(".")[0])  # httpx2 where the SDK takes both
    known = signature(http.AsyncClient).parameters
    settings = {"timeout": None, "follow_redirects": True, "limits": _ONE_EACH}
    return tap.client_of(http, settings | {name: value for name, value in args.items() if name in known})


def _default_client() -> Client:
    """The client the environment describes, shared by all chats as long as the environment stays the same."""
    settings = tuple(os.environ.get(name) for name in _SETTINGS)
    if settings not in _clients:
        _clients[settings] = connect()
    return _clients[settings]


def _require_credentials() -> None:
    """Say what is missing before the SDK is imported: a wrong start should be told at once.

    The variables are those the SDK reads: https://googleapis.github.io/python-genai/#create-a-client
    """
    if not any(os.environ.get(name, "").strip() for name in (*KEY_VARIABLES, *CLOUD_VARIABLES)):
        raise MissingKey("Neither GEMINI_API_KEY nor GOOGLE_API_KEY is set, and no Vertex AI settings were found.")


class GeminiSource:
    """Streams from Gemini through google-genai.

    `client` is the user's own, or None for the one the environment describes. `connect` makes a client when the first
    request comes, on a worker thread (it may import the SDK or start a server).
    """

    def __init__(self, client: Client | None = None, *, connect: Callable[[], Client] | None = None) -> None:
        self._client = client
        self._connect = connect

    def _prepare(self, request: Request) -> tuple[Client, GenerateContentConfig, Wire]:
        """The client, the config in the SDK's types, and what of the body is ours. Runs on a worker thread."""
        client = self._have_client()
        return client, *_asked(request, client.vertexai)

    def _have_client(self) -> Client:
        """The client, made now where there is none. Runs on a worker thread."""
        client = self._client
        if client is None:
            if self._connect is None:
                _require_credentials()
            with unforked():
                client = self._client = self._connect() if self._connect else _default_client()
        remember_key(getattr(getattr(client, "_api_client", None), "api_key", None))
        return client

    async def prepare(self) -> None:
        """Have a client. Raises MissingKey, and what `connect` raises in our words."""
        try:
            await asyncio.to_thread(self._have_client)
        except (GemstreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise _translate(error, 0) from None

    async def stream(self, request: Request) -> AsyncIterator[Wire | Frame]:
        """What comes of one request: frames, the bytes as they came, or, of a client whose bytes are not seen, chunks
        as the SDK read them. See Source; raises errors.RunFailed subclasses.
        """
        received = 0
        try:
            client, config, body = await asyncio.to_thread(self._prepare, request)
            how = config.model_copy(update={"http_options": _options(config, body)})
            with tap.Tap() as tapped:
                chunks = await client.aio.models.generate_content_stream(
                    model=request.model, contents=_OURS, config=how
                )
                async for chunk in chunks:  # of a client whose bytes are not seen; else there are none
                    received += 1
                    yield wire_of(chunk)
            if tapped.response is not None:
                async for frame in _frames(tapped):
                    received += 1
                    yield frame
        except (GemstreamError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise _translate(error, received) from None  # its frames and texts may hold the key

    async def count(self, request: Request) -> int:
        """How many tokens Gemini counts for the request: its contents, system instruction and tools. Raises as `stream`
        does.
        """
        try:
            client, config, body = await asyncio.to_thread(self._prepare, request)
            how = await asyncio.to_thread(_count_config, client, request, config, body)
            counted = await client.aio.models.count_tokens(model=request.model, contents=_OURS, config=how)
        except (GemstreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise _translate(error, 0) from None
        if counted.total_tokens is None:
            raise InvalidChunk("Gemini answered without a count of tokens.")
        return counted.total_tokens


async def _frames(tapped: tap.Tap) -> AsyncIterator[Frame]:
    """The events of a body, the last of which may have lost its end together with the connection."""
    reader, lost = FrameReader(), None
    async with aclosing(tapped.bytes()) as pieces:
        try:
            async for piece in pieces:
                for frame in reader.push(piece):
                    yield frame
        except Exception as error:
            lost = error
    for frame in reader.rest():
        yield frame
    if lost is not None:
        raise lost


_OURS = "-"
"""The contents that the SDK is given: ours take their place in the body, as they are."""
_THINKING = re.compile(r"gemini-(?:2\.5|[3-9]|\d\d)(?!.*(?:image|tts|live|audio|embedding))|demo")


def _asked(request: Request, vertex: bool | None) -> tuple[GenerateContentConfig, Wire]:
    """What the SDK is told, and what is ours of the body: contents, tools and the token of a hop go out verbatim. The
    SDK would refuse what it has no name for, and Gemini may have sent that.
    """
    from google.genai import types

    given = request.config
    config = types.GenerateContentConfig() if given is None else types.GenerateContentConfig.model_validate(given)
    config = config.model_copy()
    # The SDK would run the tools itself, before it yields the chunk that holds the call: nobody could approve it.
    config.automatic_function_calling = types.AutomaticFunctionCallingConfig(disable=True)
    if "automatic_continuation" in types.GenerateContentConfig.model_fields:  # it would hide requests
        config.automatic_continuation = False
    if request.system is not None:
        config.system_instruction = request.system
    if config.thinking_config is None and _THINKING.match(request.model.removeprefix("models/")):
        # Without this Gemini reasons but does not tell. Older and special models refuse the setting.
        config.thinking_config = types.ThinkingConfig(include_thoughts=True)
    body: Wire = {"contents": list(request.contents)}
    if request.token is not None:
        body["continuationToken"] = request.token
    if config.tools or request.tools:
        body["tools"] = [*(dumped(_declared(tool, vertex)) for tool in config.tools or ()), *request.tools]
        config.tools = None
    return config, body


def _options(config: GenerateContentConfig, body: Wire) -> HttpOptions:
    """The options of one request: the config's own, and this in the body, in place of what the SDK would say."""
    from google.genai import types

    options = config.http_options or types.HttpOptions()
    return options.model_copy(update={"extra_body": {**(options.extra_body or {}), **body}})


def _count_config(client: Client, request: Request, config: GenerateContentConfig, body: Wire) -> CountTokensConfig:
    """How the SDK is to count with system instruction and tools.

    On Vertex it can. For the Developer API it refuses both (https://github.com/googleapis/python-genai/issues/432),
    which takes them as `generateContentRequest`, in place of the contents: https://ai.google.dev/api/tokens
    """
    from google.genai import types

    if client.vertexai:
        return types.CountTokensConfig(
            http_options=_options(config, body), system_instruction=config.system_instruction
        )
    is_whole = request.model.startswith(("models/", "tunedModels/"))
    asked: Wire = {
        "model": request.model if is_whole else f"models/{request.model}",
        "contents": body["contents"],
        "systemInstruction": contents_of(config.system_instruction)[0] if config.system_instruction else None,
        "tools": body.get("tools"),
        "toolConfig": config.tool_config and dumped(config.tool_config),
        "cachedContent": config.cached_content,
    }
    asked = {name: value for name, value in asked.items() if value}
    whole: Wire = {"contents": [], "generateContentRequest": asked}
    return types.CountTokensConfig(http_options=_options(config, whole))


def _declared(tool: Any, vertex: bool | None) -> Tool:
    """A tool of the SDK's config as a declaration; it also takes functions there."""
    from google.genai import types

    if not callable(tool):
        return types.Tool.model_validate(tool)
    api: Any = "VERTEX_AI" if vertex else "GEMINI_API"
    declaration = types.FunctionDeclaration.from_callable_with_api_option(callable=tool, api_option=api)
    return types.Tool(function_declarations=[declaration])


def check_config(config: Any) -> None:
    """Raise InvalidOption where `config` holds a setting that the SDK does not know, or a value that does not fit. A
    dict is checked by the SDK itself, which is imported for it.
    """
    if config is None or hasattr(config, "automatic_function_calling"):
        return
    if not isinstance(config, dict):
        raise InvalidOption(
            f"config is a GenerateContentConfig or a dict of its fields, not a {type(config).__name__}."
        )
    from google.genai import types
    from pydantic import ValidationError

    try:
        types.GenerateContentConfig.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        meant = nearest(name, types.GenerateContentConfig.model_fields)
        raise InvalidOption(f"config: {first['msg']} at {name!r}.{meant}") from None


# --------------------------------------------------------------------------------------------------------------------
# the SDK's errors, and its transports', in our words

_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError", "ProxyError"}
_TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio")


def _translate(error: Exception, received: int) -> GemstreamError:
    """What an exception of the SDK or of its HTTP library means.

    The library is one of httpx2, httpx and aiohttp, and none of them is imported here: their errors are told apart by
    the names of their classes.
    """
    from google.genai import errors

    if isinstance(error, errors.APIError):
        code = error.code if isinstance(error.code, int) else None
        status = None if error.status is None else str(error.status)  # of a proxy it may be anything
        return ApiError(code, status, str(error.message or "Gemini gave no message."), error.details)
    if isinstance(error, errors.UnknownApiResponseError | UnicodeDecodeError):
        return InvalidChunk(f"After {received} chunks came something that is not a Gemini chunk: {_brief(error)}")
    if (told := foreign_loop(error)) is not None:
        return told
    names = {cls.__name__ for cls in type(error).__mro__}
    if names & _UNREACHABLE:
        return ConnectionFailed(_brief(error))
    if type(error).__module__.split(".")[0] in _TRANSPORTS or isinstance(error, OSError | TimeoutError | EOFError):
        if received:
            return StreamTruncated(f"The connection was lost after {received} chunks: {_brief(error)}")
        return ConnectionFailed(f"The connection was lost before the answer began: {_brief(error)}")
    return SourceError(_brief(error))


def _brief(error: BaseException) -> str:
    text = redact(str(error)) or "no message"
    text = text if len(text) <= 300 else text[:297] + "..."
    return f"{type(error).__name__}: {text}"
