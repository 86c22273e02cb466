"""What the doctor looks at on the way to Gemini: key or Vertex settings, proxies, certificates, the local Gemini.

Of what the environment says, only names of variables leave this module, and a proxy's scheme, host and port.
The variables are those the SDK reads: https://googleapis.github.io/python-genai/#create-a-client
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._engine.gemini import CLOUD_VARIABLES
from .._redact import KEY_VARIABLES
from .doctor_wait import within
from .doctor_words import Finding, finding

__all__ = ["certificates", "credentials", "demo", "proxy"]

_PATIENCE_S = 2.0

# -- credentials -------------------------------------------------------------------------------------------------------

_YES, _NO = ("true", "1"), ("false", "0", "")
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"

_UNFIT: dict[str, Callable[[str], bool]] = {
    "a line break": lambda key: len(key.splitlines()) > 1,
    "a space": lambda key: any(map(str.isspace, key)),
    "quotation marks": lambda key: key[0] in _QUOTES or key[-1] in _QUOTES,
    "an invisible character": lambda key: any(unicodedata.category(letter)[0] == "C" for letter in key),
    "a character that is not ASCII": lambda key: not key.isascii(),
}
"""What no key holds within, and whether this one does."""


def credentials() -> Iterator[Finding]:
    """What the SDK would take from the environment for a client, and what is wrong with it."""
    said = {name: os.environ[name].lower() for name in CLOUD_VARIABLES if name in os.environ}
    for name, word in said.items():
        if word not in (*_YES, *_NO):
            yield finding("cloud.word", switch=name)
    if len({word in _YES for word in said.values()}) > 1:
        yield finding("cloud.conflict")
    switch = _switch()
    yield from _key() if switch is None else _cloud(switch)


def _switch() -> str | None:
    """The variable by which Vertex AI is on, or None."""
    name = next((name for name in CLOUD_VARIABLES if name in os.environ), None)
    return name if name is not None and os.environ[name].lower() in _YES else None


def _key() -> Iterator[Finding]:
    held = {name: value for name in KEY_VARIABLES if (value := os.environ.get(name))}
    if not held:
        empty = next((name for name in KEY_VARIABLES if name in os.environ), None)
        yield finding("key.none") if empty is None else finding("key.blank", name=empty)
        return
    name, value = next(iter(held.items()))
    if not value.strip():
        yield finding("key.shadow") if len(held) > 1 else finding("key.blank", name=name)
        return
    if len(held) > 1:
        yield finding("key.both")
    yield from _shape(name, value)


def _shape(name: str, value: str) -> Iterator[Finding]:
    """The SDK strips a key, and sends it as a header."""
    key = value.strip()
    what = next((what for what, found in _UNFIT.items() if found(key)), None)
    if what is not None:
        yield finding("key.unfit", name=name, what=what)
    elif key != value:
        yield finding("key.edges", name=name)
    else:
        yield finding("key.set", name=name)


def _cloud(switch: str) -> Iterator[Finding]:
    project, location = (bool(os.environ.get(f"GOOGLE_CLOUD_{what}")) for what in ("PROJECT", "LOCATION"))
    key = next((name for name in KEY_VARIABLES if os.environ.get(name)), None)
    if key is not None and not project and not location:
        yield finding("cloud.on", switch=switch, given=key)
        yield from _shape(key, os.environ[key])
        return
    where = "GOOGLE_CLOUD_LOCATION" if location else "the location global"
    yield finding("cloud.on", switch=switch, given=f"GOOGLE_CLOUD_PROJECT and {where}" if project else where)
    if key is not None:
        yield finding("cloud.unused", name=key)
    if not project:
        yield finding("cloud.project")
    yield from _login()


def _login() -> Iterator[Finding]:
    """Application default credentials: https://cloud.google.com/docs/authentication/application-default-credentials"""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if named:
        yield finding("login.file" if Path(named).is_file() else "login.gone")
        return
    settings = os.environ.get("CLOUDSDK_CONFIG")
    roaming = os.environ.get("APPDATA") if sys.platform == "win32" else None
    usual = Path(roaming) / "gcloud" if roaming else Path.home() / ".config" / "gcloud"
    file = (Path(settings) if settings else usual) / "application_default_credentials.json"
    yield finding("login.file" if file.is_file() else "login.none")


# -- the way to Gemini -------------------------------------------------------------------------------------------------


class _Target(NamedTuple):
    """The server that would be asked."""

    scheme: str
    host: str


class _Proxy(NamedTuple):
    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


_BASES = ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL")
"""Another address than Google's: the SDK reads the first, and with Vertex AI the second."""
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


async def proxy() -> list[Finding]:
    """The proxy that requests to Gemini take, and whether it takes connections."""
    target = _target()
    if target is None:
        return [finding("proxy.target", name=_BASES[_switch() is not None])]
    proxies = getproxies()
    said = proxies.get(target.scheme) or proxies.get("all")
    if not said:
        return [finding("proxy.none", host=target.host)]
    if proxy_bypass(target.host):
        return [finding("proxy.exempt", host=target.host)]
    way = _read(said)
    if way is None:
        return [finding("proxy.unreadable", host=target.host)]
    told = {"host": target.host, "proxy": way, "seconds": _PATIENCE_S, "wanted": "socksio"}
    if way.scheme.startswith("socks") and find_spec("socksio") is None:
        return [finding("proxy.socks", **told)]
    knock = asyncio.get_running_loop().run_in_executor(None, _knock, way.host, way.port)
    if not await within(_PATIENCE_S, knock):
        return [finding("proxy.silent", **told)]
    error = knock.result()
    return [finding("proxy.refused", error=error, **told) if error else finding("proxy.open", **told)]


def _target() -> _Target | None:
    """Who would be asked; None where an address of the user's own cannot be read."""
    cloud = _switch() is not None
    if own := os.environ.get(_BASES[cloud]):
        parts = _split(own)
        return _Target(parts.scheme, _host(parts)) if parts else None
    if not cloud:
        return _Target("https", "generativelanguage.googleapis.com")
    location = os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
    regional = f"{location}-aiplatform.googleapis.com"
    special = {"global": "aiplatform.googleapis.com"}
    special |= {area: f"aiplatform.{area}.rep.googleapis.com" for area in ("us", "eu")}
    return _Target("https", special.get(location, regional))


def _read(said: str) -> _Proxy | None:
    """Where the proxy is. None where that is not certain: a piece of a password must not be taken for a host."""
    parts = _split(said if "://" in said else f"http://{said}")
    if parts is None or parts.path.strip("/") or parts.query or parts.scheme not in _PORTS:
        return None
    return _Proxy(parts.scheme, _host(parts), parts.port or _PORTS[parts.scheme])


def _host(parts: SplitResult) -> str:
    """The host as it is written. In small letters, a key that was put there by mistake would not be known as one."""
    name = parts.hostname or ""
    written = parts.netloc.rpartition("@")[2]
    start = written.lower().find(name)
    return written[start : start + len(name)]


def _split(address: str) -> SplitResult | None:
    """The parts of an address with a host, or None."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    name = _host(parts)
    whole = "@" not in parts.path + parts.query and not parts.fragment
    return parts if whole and name and all(letter.isalnum() or letter in ".-_:%" for letter in name) else None


def _knock(host: str, port: int) -> str | None:
    """Open a TCP connection, and close it; the class of the error where that fails. On a worker thread."""
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except (OSError, UnicodeError) as error:
        return type(error).__name__
    return None


def certificates(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """The files and folders that the SDK reads certificates from."""
    named = {name: environment[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(name)}
    there = [name for name, path in named.items() if _is_there(name, path)]
    for name in named:
        if name not in there:
            yield finding("certificates.gone", name=name)
    if not named:
        yield finding("certificates.unnamed")
    elif there:
        yield finding("certificates.there", names=", ".join(there))


def _is_there(name: str, path: str) -> bool:
    if name == "SSL_CERT_FILE":
        return Path(path).is_file()
    return any(Path(folder).is_dir() for folder in path.split(os.pathsep))


# -- the local Gemini --------------------------------------------------------------------------------------------------


async def demo() -> list[Finding]:
    """Whether a local Gemini of its own listens; it is closed afterwards."""
    error = await asyncio.to_thread(_listen)
    return [finding("demo.fails", error=error) if error else finding("demo.works")]


def _listen() -> str | None:
    from ..server import LocalGemini

    try:
        with LocalGemini(keep=1) as server:
            return _knock("127.0.0.1", urlsplit(server.url).port or 0)
    except OSError as error:
        return type(error).__name__
