"""What an error of the SDK, of its login or of its HTTP library means, in our words."""

from __future__ import annotations

from typing import Any

from .._redact import redact
from ..errors import (
    ApiError,
    ConnectionFailed,
    GemstreamError,
    InvalidChunk,
    InvalidCredentials,
    SourceError,
    StreamTruncated,
)
from .environment import LOGIN_ADDRESS, fault_of
from .foreign import foreign_loop

__all__ = ["failure_of"]

_UNREACHABLE = {"ConnectError", "ConnectTimeout", "ClientConnectorError", "ConnectionRefusedError", "ProxyError"}
_NO_LOGIN = "Could not resolve "
"""How the SDK itself says that it found no token, or no project (google-genai 3.6)."""
_TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "anyio")


def failure_of(error: Exception, received: int, address: str | None) -> GemstreamError:
    """What an exception means that ended a request after `received` chunks. `address`: see fault_of.

    The library is one of httpx2, httpx and aiohttp, and none of them is imported here: their errors are told apart by
    the names of their classes. The SDK is not either: it may be what could not be imported.
    """
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__]
    if "google.genai.errors.APIError" in kinds:
        return _api_error(error)
    if "google.genai.errors.UnknownApiResponseError" in kinds or isinstance(error, UnicodeDecodeError):
        return InvalidChunk(f"After {received} chunks came something that is not a Gemini chunk: {_brief(error)}")
    if (told := foreign_loop(error)) is not None:
        return told
    is_login = any(kind.startswith("google.auth.") for kind in kinds) or str(error).startswith(_NO_LOGIN)
    fault = fault_of(error, LOGIN_ADDRESS if is_login else address)
    if fault is not None and not received:
        return fault
    if is_login:
        return _login_error(error, kinds)
    if _UNREACHABLE & {kind.rpartition(".")[2] for kind in kinds}:
        return ConnectionFailed(_brief(error))
    if kinds[0].split(".")[0] in _TRANSPORTS or isinstance(error, OSError | TimeoutError | EOFError):
        if received:
            return StreamTruncated(f"The connection was lost after {received} chunks: {_brief(error)}")
        return ConnectionFailed(f"The connection was lost before the answer began: {_brief(error)}")
    return SourceError(_brief(error))


def _api_error(error: Any) -> ApiError:
    code = error.code if isinstance(error.code, int) else None
    status = None if error.status is None else str(error.status)  # of a proxy it may be anything
    return ApiError(code, status, str(error.message or "Gemini gave no message."), error.details)


def _login_error(error: Exception, kinds: list[str]) -> GemstreamError:
    """What google-auth says: it was not reached, or it gives no token."""
    if "google.auth.exceptions.TransportError" in kinds:
        return ConnectionFailed(f"The login's server was not reached: {_brief(error)}")
    return InvalidCredentials(
        f"Google Cloud gives no token for it: {_brief(error)}",
        title="The login cannot be used",
        hint="Run `gcloud auth application-default login`, or give the client new credentials; then send it again.",
    )


def _brief(error: BaseException) -> str:
    text = redact(str(error)) or "no message"
    text = text if len(text) <= 300 else text[:297] + "..."
    return f"{type(error).__name__}: {text}"
