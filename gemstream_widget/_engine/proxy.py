"""The proxy that the environment names for an address, without its user name and password."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._redact import PROXY_VARIABLES

__all__ = ["Proxy", "Target", "proxy_setting", "read_proxy", "read_target"]

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class Target(NamedTuple):
    """The server that is asked."""

    scheme: str
    host: str


class Proxy(NamedTuple):
    """Where a proxy is: as text, an address that holds nothing secret."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Setting(NamedTuple):
    """What is said about a proxy, and where. `value` may hold a password; `exempt`: NO_PROXY leaves the host out."""

    variable: str
    value: str
    exempt: bool


def proxy_setting(target: Target) -> Setting | None:
    """What the environment, or the system's own settings where it has such, say of the proxy for this server."""
    proxies = getproxies()
    kind = target.scheme if proxies.get(target.scheme) else "all"
    value = proxies.get(kind)
    if not value:
        return None
    named = (name for name in PROXY_VARIABLES if name.lower() == f"{kind}_proxy" and os.environ.get(name) == value)
    return Setting(next(named, "the system's settings"), value, bool(proxy_bypass(target.host)))


def read_target(address: str) -> Target | None:
    """Who is asked at this address; None where it cannot be read."""
    parts = _split(address)
    return parts and Target(parts.scheme, _host(parts))


def read_proxy(value: str) -> Proxy | None:
    """Where the proxy is. None where that is not certain: a piece of a password must not be taken for a host."""
    parts = _split(value if "://" in value else f"http://{value}")
    if parts is None or parts.path.strip("/") or parts.query or parts.scheme not in _PORTS:
        return None
    return Proxy(parts.scheme, _host(parts), parts.port or _PORTS[parts.scheme])


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
