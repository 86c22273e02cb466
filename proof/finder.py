"""Finds a secret in anything: as it is, and in the forms that texts, addresses, JSON and bytes give it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["Finder"]


class Finder:
    """Looks for these secrets, given by name."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._forms = [(f"{name}, {form}", bytes_) for name, key in secrets.items() for form, bytes_ in _forms(key)]

    def found_in(self, *places: Any) -> list[str]:
        """Which secrets are there, and in which form: in texts, in bytes, in everything else as JSON and as text."""
        data = b"\n".join(_bytes(place) for place in places)
        return [name for name, form in self._forms if form in data]


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return "\n".join(_texts(value, set())).encode("utf-8", "surrogatepass")


def _texts(value: Any, seen: set[int]) -> Iterator[str]:
    """Every text in a value: keys, items, attributes, bytes as they are."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value).decode("latin-1")
    elif isinstance(value, dict | list | tuple | set | frozenset):
        if id(value) not in seen:
            seen.add(id(value))
            items: Iterable[Any] = [*value, *value.values()] if isinstance(value, dict) else value
            for item in items:
                yield from _texts(item, seen)
    else:
        yield repr(value)


def _forms(key: str) -> list[tuple[str, bytes]]:
    """Each form once; what looks like another is left out."""
    raw = key.encode()
    texts = {
        "plain": key,
        "in a URL": quote(key, safe=""),
        "in a URL, lower case": _lower_hex(quote(key, safe="")),
        "in a form": quote_plus(key),
        "in a path": quote(key),
        "in JSON": json.dumps(key)[1:-1],
        "in HTML": html.escape(key),
        "in hex": raw.hex(),
        "as Python": repr(key)[1:-1],
        "backwards": key[::-1],
    }
    for shift in range(3):  # base64 looks different at each offset: the edges, which depend on neighbours, are left out
        padded = base64.b64encode(b"\0" * shift + raw + b"\0" * (-(shift + len(raw)) % 3)).decode()
        inner = padded[4 * bool(shift) : -4]
        texts[f"in base64 at {shift}"] = inner
        texts[f"in URL-safe base64 at {shift}"] = inner.replace("+", "-").replace("/", "_")
    found: dict[str, str] = {}
    for form, text in texts.items():
        found.setdefault(text, form)
    return [(form, text.encode()) for text, form in found.items()]


def _lower_hex(text: str) -> str:
    first, *others = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in others)])
