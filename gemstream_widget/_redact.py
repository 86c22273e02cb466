"""Texts without keys: whatever is shown, saved or logged of an error passes here."""

from __future__ import annotations

import json
import os
import re
from functools import cache, lru_cache
from typing import Any

from ._plain import clean_text

__all__ = [
    "KEY_MARK",
    "KEY_VARIABLES",
    "PROXY_VARIABLES",
    "known_keys",
    "redact",
    "redact_all",
    "remember_key",
    "words_of",
]


KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
"""Where the SDK finds a key: the first that is set counts."""
PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
"""Where a proxy is named, perhaps with its password: of each pair the first that is set counts."""
KEY_MARK = "[key]"
"""What stands where a key stood."""

_SHORTEST = 8  # what is shorter would take pieces out of ordinary words
_KEY_SHAPES = re.compile(r"(?<![\w-])(?:AIza[\w-]{20,}|AQ\.[\w-]{20,}|ya29\.[\w-]+)")
_IN_ADDRESS = re.compile(r"(?<=[?&]key=)[^&\s\"']+|(?<=://)[^/?#@\s\"']*:[^/?#@\s\"']*(?=@)")
_PASSWORD = re.compile(r"^(?:[\w+.-]+://)?[^:@]*:(.+)@", re.DOTALL)
_known: set[str] = set()


def remember_key(key: Any) -> None:
    """A key that no text may show from now on: the one a client was made with need be in no variable."""
    if isinstance(key, str) and len(key) >= _SHORTEST:
        _known.add(key)


def known_keys() -> frozenset[str]:
    """The keys of the environment and of clients, and the passwords of its proxies, now, in every form that a text may
    give them. From any thread; asking again costs a few microseconds and gives the same object while nothing has
    changed.
    """
    keys = {key for name in KEY_VARIABLES if len(key := os.environ.get(name, "")) >= _SHORTEST} | _known
    for name in PROXY_VARIABLES:
        if value := os.environ.get(name):
            keys |= _passwords(value)
    return _all_forms(frozenset(keys))


@lru_cache(maxsize=16)
def _passwords(proxy: str) -> frozenset[str]:
    """What gives away the password in a proxy's address, as it is written and as it is meant. Also where the address
    cannot be read, since a letter of the password is the usual cause of that. A word, such as `password`, counts in an
    address only: texts would lose it.
    """
    from urllib.parse import unquote

    found = _PASSWORD.search(proxy)
    if found is None:
        return frozenset()
    passwords = {found[1], unquote(found[1])}
    marks = {f":{one}@" if one.isalpha() and one[1:].islower() else one for one in passwords}
    return frozenset(mark for mark in marks if len(mark) >= _SHORTEST)


def redact(text: str, *, addresses: bool = True) -> str:
    """`text` without API keys: those of the environment and of clients, as they are, in addresses and in JSON, and
    whatever has the shape of a Google key or token. `addresses`: also whatever an address gives as its `key`, which in
    an error is one, and in what a tool returns need not be, or as user name and password.
    """
    for form in sorted(known_keys(), key=len, reverse=True):  # one key may be the beginning of another
        text = text.replace(form, KEY_MARK)
    text = _KEY_SHAPES.sub(KEY_MARK, text)
    return _IN_ADDRESS.sub(KEY_MARK, text) if addresses else text


@lru_cache(maxsize=8)
def _all_forms(keys: frozenset[str]) -> frozenset[str]:
    return frozenset(form for key in keys for form in _forms(key))


@cache
def _forms(key: str) -> set[str]:
    """How a key may be written."""
    from urllib.parse import quote, quote_plus

    raw = key.encode("utf-8", "surrogatepass")  # a byte of the environment that is no UTF-8 is half a pair in Python
    return {key, clean_text(key), quote(raw, safe=""), quote(raw), quote_plus(raw), json.dumps(key)[1:-1]}


def redact_all(value: Any, *, addresses: bool = True) -> Any:
    """Plain JSON without keys in any of its texts."""
    if isinstance(value, str):
        return redact(value, addresses=addresses)
    if isinstance(value, dict):
        return {redact_all(k, addresses=addresses): redact_all(v, addresses=addresses) for k, v in value.items()}
    if isinstance(value, list):
        return [redact_all(v, addresses=addresses) for v in value]
    return value


def words_of(error: BaseException) -> str:
    """An exception's class and message, without keys."""
    try:
        said = str(error)
    except Exception:  # somebody else's class
        said = "it cannot be shown"
    return redact(clean_text(f"{type(error).__name__}: {said}"))
