"""What the doctor looks at on the way to Gemini: key or Vertex settings, proxies, certificates, the local Gemini.

Of what the environment says, only names of variables leave this module, and a proxy's scheme, host and port.
The variables are those the SDK reads: https://googleapis.github.io/python-genai/#create-a-client
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from .._engine.environment import BASE_VARIABLES, REQUESTS_VARIABLES, TRUST_VARIABLES, unread
from .._engine.gemini import CLOUD_VARIABLES
from .._engine.key import flaw_of
from .._engine.proxy import Target, proxy_setting, read_proxy, read_target
from .._redact import KEY_VARIABLES
from .doctor_wait import within
from .doctor_words import Finding, finding

__all__ = ["certificates", "credentials", "demo", "proxy"]

_PATIENCE_S = 2.0

# -- credentials -------------------------------------------------------------------------------------------------------

_YES, _NO = ("true", "1"), ("false", "0", "")
_QUOTES = set("\"'`")


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
    what = flaw_of(key) or ("quotation marks" if {key[0], key[-1]} & _QUOTES else None)
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


async def proxy() -> list[Finding]:
    """The proxy that requests to Gemini take, and whether it takes connections."""
    target = _target()
    if target is None:
        return [finding("proxy.target", name=BASE_VARIABLES[_switch() is not None])]
    said = proxy_setting(target)
    if said is None:
        return [finding("proxy.none", host=target.host)]
    if said.exempt:
        return [finding("proxy.exempt", host=target.host)]
    way = read_proxy(said.value)
    if way is None:
        return [finding("proxy.unreadable", host=target.host, variable=said.variable)]
    told = {"host": target.host, "variable": said.variable, "proxy": way, "seconds": _PATIENCE_S, "wanted": "socksio"}
    if way.scheme.startswith("socks") and find_spec("socksio") is None:
        return [finding("proxy.socks", **told)]
    knock = asyncio.get_running_loop().run_in_executor(None, _knock, way.host, way.port)
    if not await within(_PATIENCE_S, knock):
        return [finding("proxy.silent", **told)]
    error = knock.result()
    return [finding("proxy.refused", error=error, **told) if error else finding("proxy.open", **told)]


def _target() -> Target | None:
    """Who would be asked; None where an address of the user's own cannot be read."""
    cloud = _switch() is not None
    if own := os.environ.get(BASE_VARIABLES[cloud]):
        return read_target(own)
    if not cloud:
        return Target("https", "generativelanguage.googleapis.com")
    location = os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
    regional = f"{location}-aiplatform.googleapis.com"
    special = {"global": "aiplatform.googleapis.com"}
    special |= {area: f"aiplatform.{area}.rep.googleapis.com" for area in ("us", "eu")}
    return Target("https", special.get(location, regional))


def _knock(host: str, port: int) -> str | None:
    """Open a TCP connection, and close it; the class of the error where that fails. On a worker thread."""
    try:
        socket.create_connection((host, port), _PATIENCE_S).close()
    except (OSError, UnicodeError) as error:
        return type(error).__name__
    return None


def certificates(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """The files and folders that the SDK reads certificates from."""
    named = {name: environment[name] for name in TRUST_VARIABLES if environment.get(name)}
    wrong = {name: why for name, path in named.items() if (why := unread(name, path)) is not None}
    for name, why in wrong.items():
        yield finding("certificates.unread", name=name, why=why)
    others = [name for name in REQUESTS_VARIABLES if environment.get(name)]
    if not named and others:
        yield finding("certificates.elsewhere", names=", ".join(others))
    elif not named:
        yield finding("certificates.unnamed")
    elif there := [name for name in named if name not in wrong]:
        yield finding("certificates.there", names=", ".join(there))


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
