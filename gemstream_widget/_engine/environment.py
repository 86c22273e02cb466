"""What the environment says of the way to Gemini, and which of its variables stands in that way.

Proxies and certificates are read when a request is made: whoever corrects a variable in a notebook asks again, and does
not restart the kernel. An error that a variable is the cause of names it, without the password of a proxy.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from .._redact import PROXY_VARIABLES, redact
from ..errors import ConnectionFailed, EnvironmentFault
from .proxy import Proxy, Target, proxy_setting, read_proxy, read_target

__all__ = [
    "BASE_VARIABLES",
    "LOGIN_ADDRESS",
    "REQUESTS_VARIABLES",
    "TRUST_VARIABLES",
    "fault_of",
    "network",
    "trust",
    "unread",
]

TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Where certificates to trust are: a file of them, folders of them."""
BASE_VARIABLES = ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL")
"""Another address than Google's: the SDK reads the first, and with Vertex AI the second."""
LOGIN_ADDRESS = "https://oauth2.googleapis.com"
"""Where tokens come from. google-auth asks for them through requests, which has variables of its own."""

REQUESTS_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Where requests finds them, and with it the login of Google Cloud; the SDK's HTTP libraries do not read these."""

_NETWORK = (*PROXY_VARIABLES, "NO_PROXY", "no_proxy", *TRUST_VARIABLES)


def network() -> tuple[str | None, ...]:
    """What the environment says now of the way to a server: one that was made by the same may be used again."""
    return tuple(map(os.environ.get, _NETWORK))


def trust() -> ssl.SSLContext | bool:
    """Whom to trust, as `verify` of an HTTP client: those that the environment names in a file, in folders or in both,
    as the SDK's own requests do, or True, the usual ones. Raises OSError where a file cannot be read.
    """
    file, folder = (os.environ.get(name) or None for name in TRUST_VARIABLES)
    return ssl.create_default_context(cafile=file, capath=folder) if file or folder else True


# -- which variable is at fault ----------------------------------------------------------------------------------------


class _Case(NamedTuple):
    """How a fault is told. `passes`: it may be over in a moment, so the request is sent again by itself."""

    title: str
    words: str
    hint: str
    passes: bool = False


_CORRECT = "Correct {variable}, unset it, or exempt {host} by NO_PROXY; then send the prompt again."
_SPELLING = "Write {variable} as http://host:port, with anything unusual in a user name and password as %XX."
_UNREACHED = "The proxy could not be reached"
_UNTRUSTED = "Gemini's certificate is not trusted"
_SIGNER = "whoever signed it: your company, where its proxy looks into connections"

_CASES = {
    "proxy.unreadable": _Case("The proxy's address cannot be read", "{variable} is no address of a proxy.", _SPELLING),
    "proxy.package": _Case(
        "The proxy needs a package",
        "{variable} is {proxy}, and SOCKS needs the package socksio.",
        "Install socksio (`pip install socksio`) and restart the kernel, or correct {variable}.",
    ),
    "proxy.refused": _Case(_UNREACHED, "{variable} is {proxy}, where nothing takes connections.", _CORRECT),
    "proxy.unknown": _Case(_UNREACHED, "{variable} is {proxy}, a host that is not found.", _CORRECT),
    "proxy.silent": _Case(_UNREACHED, "{variable} is {proxy}: {error}.", "Check the network. " + _CORRECT, True),
    "proxy.plain": _Case(
        "The proxy speaks no TLS",
        "{variable} is {proxy}, and what answers there is not HTTPS.",
        "Write {variable} with http://, as most proxies want it, for https addresses too.",
    ),
    "proxy.login": _Case(
        "The proxy asks for a login",
        "{variable} is {proxy}, which answered {error}.",
        "Write {variable} as http://USER:PASSWORD@host:port, with anything unusual in them as %XX.",
    ),
    "proxy.refuses": _Case(
        "The proxy refused the request",
        "{variable} is {proxy}, which answered {error} when it was asked for {host}.",
        "Ask whoever runs it to allow {host}, or exempt {host} by NO_PROXY; then send the prompt again.",
    ),
    "proxy.trouble": _Case(
        "The proxy could not reach Gemini",
        "{variable} is {proxy}, which answered {error} when it was asked for {host}.",
        "Send the prompt again in a moment. If it stays so, ask whoever runs the proxy, or exempt {host} by NO_PROXY.",
        True,
    ),
    "trust.unreadable": _Case(
        "A file cannot be used",
        "{variable} is {value}: {error}.",
        "Correct {variable}, or unset it; then send the prompt again.",
    ),
    "trust.unknown": _Case(
        _UNTRUSTED,
        "{host} showed a certificate that nobody in {variable} ({value}) vouches for: {error}.",
        f"Add to {{variable}} the certificate of {_SIGNER}. Or correct it, or unset it.",
    ),
    "trust.unnamed": _Case(
        _UNTRUSTED,
        "{host} showed a certificate that nobody known here vouches for, and {variable} is not set: {error}.",
        f"Set {{variable}} to a file with the certificate of {_SIGNER}. {{note}}",
    ),
    "address": _Case(
        "The address cannot be read", "{variable} is no address.", "Write {variable} as https://host, or unset it."
    ),
    "descriptors": _Case(
        "Too many files are open",
        "This process may open no further file or connection: {error}.",
        "Close some (files, sockets, clients of the SDK), or raise the limit (`ulimit -n`); then send it again.",
        True,
    ),
}
"""By what is wrong, how it is told."""

_NOT_MADE = {"ConnectTimeout", "ConnectError", "ClientProxyConnectionError", "ProxyError"}
_IN_TUNNEL = {"SSLError", "EndOfStream", "BrokenResourceError"}
"""What HTTP libraries call a connection that was not made, and what is in one that was lost behind the proxy."""
_UNKNOWN_SIGNER = {18, 19, 20, 21}  # X509_V_ERR_*: self-signed, also in the chain, and an issuer that is not there
_HTTP_ERROR = re.compile(r"(?:^|failed: )([45]\d\d)\b")  # as httpx says it, and http.client


def fault_of(error: BaseException, address: str | None) -> ConnectionFailed | None:
    """What is wrong around this process, where that made a request to `address` fail: an EnvironmentFault that names
    the variable to correct, or a ConnectionFailed where it may pass. None where it is something else.

    `address` is None where the environment was not asked about the way, as the local Gemini's client does not.
    """
    chain = list(_chain(error))
    full = [e for e in chain if isinstance(e, OSError) and e.errno in (errno.EMFILE, errno.ENFILE)]
    if full:
        return _told("descriptors", None, error=os.strerror(full[0].errno or 0))
    if address is None:
        return None
    target = read_target(address)
    return (
        _trust_fault(error, chain, address)
        or _setting_fault(chain)
        or (_proxy_fault(chain, target) if target is not None else None)
    )


def _told(case: str, variable: str | None, **values: object) -> ConnectionFailed:
    how = _CASES[case]
    title, words, hint = (
        redact(text.format(variable=variable, **values)).strip() for text in (how.title, how.words, how.hint)
    )
    if variable is None or how.passes:
        return ConnectionFailed(words, title=title, hint=hint)
    return EnvironmentFault(words, variable=variable, title=title, hint=hint)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, those of a group too."""
    seen: set[int] = set()  # somebody may have tied a knot
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        for one in getattr(error, "exceptions", ()):
            yield from _chain(one)
        error = error.__cause__ or error.__context__


def _names(chain: list[BaseException]) -> set[str]:
    return {kind.__name__ for one in chain for kind in type(one).__mro__}


# -- certificates ------------------------------------------------------------------------------------------------------


def _trust_fault(error: BaseException, chain: list[BaseException], address: str) -> ConnectionFailed | None:
    by_requests = address == LOGIN_ADDRESS
    variables = REQUESTS_VARIABLES if by_requests else TRUST_VARIABLES
    named = [name for name in variables if os.environ.get(name)]
    refused = next((one for one in chain if type(one) is ssl.SSLCertVerificationError), None)  # not a class upon it
    if refused is not None:
        if refused.verify_code not in _UNKNOWN_SIGNER:
            return None
        target = read_target(address)
        told = {"host": target.host if target else "The server", "error": refused.verify_message}
        if named:
            return _told("trust.unknown", named[0], value=" and ".join(os.environ[name] for name in named), **told)
        others = TRUST_VARIABLES if by_requests else REQUESTS_VARIABLES
        elsewhere = ", ".join(name for name in others if os.environ.get(name))
        note = f"{elsewhere} is not read for this." if elsewhere else ""
        return _told("trust.unnamed", variables[0], note=note, **told)
    if isinstance(error, OSError):  # as such: what an HTTP library raises of a connection has a class of its own
        for name in (*TRUST_VARIABLES, *REQUESTS_VARIABLES, "SSLKEYLOGFILE"):
            value = os.environ.get(name)
            if value and (wrong := unread(name, value)) is not None:
                return _told("trust.unreadable", name, value=value, error=wrong)
    return None


def unread(name: str, value: str) -> str | None:
    """Why what this variable names cannot be read, or, of the log of keys, not be written; None where it can."""
    is_log = name == "SSLKEYLOGFILE"
    try:
        if name == "SSL_CERT_DIR":
            return None if any(map(os.path.isdir, value.split(os.pathsep))) else "there is no such folder"
        if name in REQUESTS_VARIABLES and os.path.isdir(value):
            return None
        with open(value, "ab" if is_log else "rb"):  # ssl itself, with many threads, loses why it could not
            pass
        if not is_log:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
    except ssl.SSLError:
        return "it holds no certificates"
    except OSError as error:
        return os.strerror(error.errno or 0)
    return None


# -- addresses ---------------------------------------------------------------------------------------------------------


def _setting_fault(chain: list[BaseException]) -> ConnectionFailed | None:
    """What an HTTP library says of a setting before it asks anybody, of whichever address it is."""
    names = _names(chain)
    if not names & {"InvalidURL", "ValueError", "ImportError", "UnsupportedProtocol"}:
        return None
    for variable in PROXY_VARIABLES:
        value = os.environ.get(variable)
        proxy = read_proxy(value) if value else None
        if value and proxy is None:
            return _told("proxy.unreadable", variable)
        if proxy is not None and proxy.scheme.startswith("socks") and "ImportError" in names:
            return _told("proxy.package", variable, proxy=proxy)
    if names & {"InvalidURL", "UnsupportedProtocol"}:
        for variable in BASE_VARIABLES:
            if (base := os.environ.get(variable)) and read_target(base) is None:
                return _told("address", variable)
    return None


# -- proxies -----------------------------------------------------------------------------------------------------------


def _proxy_fault(chain: list[BaseException], target: Target) -> ConnectionFailed | None:
    said = proxy_setting(target)
    proxy = read_proxy(said.value) if said is not None and not said.exempt else None
    if said is None or proxy is None:
        return None
    code = _answered(chain)
    case = _case_of(chain, proxy, code)
    if case is None:
        return None
    told = code or f"{type(chain[0]).__name__}: {chain[0]}".rstrip(": .")
    return _told(case, said.variable, proxy=proxy, host=target.host, error=told)


def _answered(chain: list[BaseException]) -> str | None:
    """The status with which the proxy refused to make a connection, where it is that."""
    names = _names(chain)
    if not names & {"ProxyError", "ClientHttpProxyError"}:
        return None
    texts = (str(getattr(one, "status", "") or one) for one in chain)
    return next((found[1] for text in texts if (found := _HTTP_ERROR.search(text))), None)


def _case_of(chain: list[BaseException], proxy: Proxy, code: str | None) -> str | None:
    names = _names(chain)
    if code is not None:
        return "proxy.login" if code == "407" else "proxy.trouble" if code.startswith("5") else "proxy.refuses"
    if "ConnectionRefusedError" in names:
        return "proxy.refused"
    lost = next((one for one in chain if isinstance(one, socket.gaierror)), None)
    if lost is not None:
        return "proxy.silent" if lost.errno == socket.EAI_AGAIN else "proxy.unknown"
    if proxy.scheme == "https" and any(isinstance(one, ssl.SSLError) for one in chain):
        return "proxy.plain"
    return "proxy.silent" if names & _NOT_MADE and not names & _IN_TUNNEL else None
