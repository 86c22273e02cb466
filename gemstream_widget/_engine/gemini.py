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
from contextlib import ExitStack, aclosing
from dataclasses import replace
from importlib import import_module
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from .._plain import Wire, nearest
from .._redact import KEY_VARIABLES, remember_key
from .._request.prompt import contents_of
from .._request.wire import dumped
from .._stream.chunks import Frame
from .._stream.entries import Repair, Response
from ..errors import GemstreamError, InvalidChunk, InvalidCredentials, InvalidOption, MissingKey
from . import tap
from .admission import admitted
from .failure import failure_of
from .first_use import first, import_rest, on_a_worker, spare_sdk
from .key import flaw_of
from .source import Request, response_of, wire_of
from .sse import FrameReader

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import CountTokensConfig, GenerateContentConfig, HttpOptions, Tool

__all__ = ["CLOUD_VARIABLES", "GeminiSource", "check_config", "connect", "environment_client", "http_options"]


# --------------------------------------------------------------------------------------------------------------------
# Gemini

CLOUD_VARIABLES = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")
"""What turns Vertex AI on, as the SDK reads it: the first that is set counts."""
_SETTINGS = ("GOOGLE_", "GEMINI_", "CLOUDSDK_")
"""How the variables begin that the SDK and its login make a client of: key, project, address, version of the API."""
_clients: dict[tuple[object, ...], Client] = {}


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


def environment_client(api_key: str | None = None) -> Client:
    """The client that the environment describes now, with this key in place of its own; shared by all chats as long as
    that stays the same. Slow the first time. Raises MissingKey before the SDK is imported: a wrong start should be told
    at once.

    The variables are those the SDK reads: https://googleapis.github.io/python-genai/#create-a-client
    """
    if api_key is None and not any(os.environ.get(name, "").strip() for name in (*KEY_VARIABLES, *CLOUD_VARIABLES)):
        raise MissingKey("Neither GEMINI_API_KEY nor GOOGLE_API_KEY is set, and no Vertex AI settings were found.")
    settings = (api_key, *sorted(held for held in os.environ.items() if held[0].startswith(_SETTINGS)))
    if settings not in _clients:
        _clients[settings] = connect(api_key=api_key)
    return _clients[settings]


def _check_key(client: Client) -> None:
    """Raise InvalidCredentials where the client's key cannot be sent. No text may show it from now on."""
    key = getattr(getattr(client, "_api_client", None), "api_key", None)
    remember_key(key)
    if not isinstance(key, str) or (flaw := flaw_of(key)) is None:
        return
    held = (name for name in KEY_VARIABLES if os.environ.get(name, "").strip() == key.strip())
    raise InvalidCredentials(f"{next(held, 'The key of the client')} holds {flaw}, which no key does.")


class _Prepared(NamedTuple):
    """The client, the config in the SDK's types, what of the body is ours, and what was mended, in sentences."""

    client: Client
    config: GenerateContentConfig
    body: Wire
    done: list[str]


class GeminiSource:
    """Streams from Gemini through google-genai.

    `client` is the user's own. Without one, `connect` is asked for one before each request, on a worker thread (it may
    import the SDK or start a server); by default for the one that the environment describes. `direct`: what it makes
    goes straight to its address, as in `connect`.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        connect: Callable[[], Client] = environment_client,
        direct: bool = False,
    ) -> None:
        self._client = client
        self._connect = connect
        self._direct = direct
        self._told: set[str] = set()  # what was mended in a part goes out mended in each request after

    def _prepare(self, request: Request, is_counted: bool = False) -> _Prepared:
        """What one request needs, once it has passed the gate. Runs on a worker thread. Raises RequestRefused."""
        client = self._have_client()
        config, ours = _asked(request, client.vertexai)
        passed = admitted(replace(request, config=config), ours, bool(client.vertexai), is_counted)
        if isinstance(config.system_instruction, str):
            system = passed.body.get("systemInstruction")
            config.system_instruction = system and system["parts"][0]["text"]
        return _Prepared(client, config, {name: passed.body[name] for name in ours}, passed.done)

    def _have_client(self) -> Client:
        """The client, made now where there is none. Runs on a worker thread."""
        spare_sdk()
        client = self._client or self._connect()
        import_rest()
        _check_key(client)
        return client

    def _translated(self, error: Exception, client: Client | None, received: int = 0) -> GemstreamError:
        address = None if client is None and self._direct else _address(client)
        return failure_of(error, received, address)

    async def prepare(self) -> None:
        """Have a client. Raises MissingKey, InvalidCredentials, and what `connect` raises in our words."""
        try:
            await on_a_worker(self._have_client)
        except (GemstreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise self._translated(error, self._client) from None

    def _repair(self, done: list[str]) -> Repair | None:
        """What is to be told of these repairs: each once."""
        new = [words for words in done if words not in self._told]
        self._told.update(new)
        return Repair(0.0, new) if new else None

    async def stream(self, request: Request) -> AsyncIterator[Wire | Frame | Repair | Response]:
        """What comes of one request: frames, the bytes as they came, or, of a client whose bytes are not seen, chunks
        as the SDK read them. See Source; raises errors.RunFailed subclasses.
        """
        received, asked = 0, self._client
        try:
            client, config, body, done = await on_a_worker(self._prepare, request)
            asked = client
            if (repair := self._repair(done)) is not None:
                yield repair
            how = config.model_copy(update={"http_options": _options(config, body)})
            with tap.Tap() as tapped, ExitStack() as sending:
                sending.enter_context(first("stream"))
                chunks = await client.aio.models.generate_content_stream(
                    model=request.model, contents=_OURS, config=how
                )
                async for chunk in chunks:  # of a client whose bytes are not seen; else there are none
                    if not received:
                        sending.close()
                        yield response_of(chunk)
                    received += 1
                    yield wire_of(chunk)
            if tapped.response is not None:
                yield tapped.told()
                async for frame in _frames(tapped):
                    received += 1
                    yield frame
        except (GemstreamError, asyncio.CancelledError, GeneratorExit):
            raise
        except Exception as error:
            raise self._translated(error, asked, received) from None  # its frames and texts may hold the key

    async def count(self, request: Request) -> int:
        """How many tokens Gemini counts for the request: its contents, system instruction and tools. Raises as `stream`
        does.
        """
        asked = self._client
        try:
            client, config, body, _ = await on_a_worker(self._prepare, request, True)
            asked = client
            how = await on_a_worker(_count_config, client, request, config, body)
            with first("count"):
                counted = await client.aio.models.count_tokens(model=request.model, contents=_OURS, config=how)
        except (GemstreamError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise self._translated(error, asked) from None
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


def _address(client: Client | None) -> str | None:
    """Who was asked: Google's address where that is not known, None where the environment had no say in the way."""
    options = getattr(getattr(client, "_api_client", None), "_http_options", None)
    args = getattr(options, "async_client_args", None) or {}
    http = getattr(options, "httpx_async_client", None)
    asks = getattr(http, "trust_env", True) and args.get("trust_env", True)
    if not asks or args.keys() & {"transport", "proxy", "mounts"}:
        return None
    return getattr(options, "base_url", None) or "https://generativelanguage.googleapis.com"
