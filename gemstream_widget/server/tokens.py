"""How many tokens a request has, by a rule of thumb: four characters of text are one, an image costs what Gemini asks
for its tiles. https://ai.google.dev/gemini-api/docs/tokens
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from .._plain import Json
from .._request.media import image_size
from .._request.wire import camel, decode_base64, get, snake

__all__ = ["count_tokens", "tokens_of"]


_CHARACTERS_PER_TOKEN = 4
_TILE_TOKENS = 258
_ONE_TILE = 384
"""Pixels up to which, both ways, an image is one tile."""
_TILE = 768
_DOCUMENTS = ("application", "text")


def count_tokens(text: str) -> int:
    """Roughly as many tokens as Gemini counts for this text."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def tokens_of(body: Json) -> Counter[str]:
    """The tokens of a body's contents, system instruction and tools, by Gemini's names of what they are."""
    tokens = Counter[str]()
    for content in [*(get(body, "contents") or ()), get(body, "systemInstruction") or {}]:
        for part in get(content, "parts") or ():
            for kind, count in _of_part(part):
                tokens[kind] += count
    for tool in get(body, "tools") or ():
        tokens["TEXT"] += count_tokens(camel(json.dumps(tool, ensure_ascii=False)))  # the same in either spelling
    return tokens


def _of_part(part: Json) -> Iterator[tuple[str, int]]:
    if file := get(part, "inlineData") or get(part, "fileData"):
        yield _of_file(file)
        return
    response = get(part, "functionResponse")
    if isinstance(response, dict) and get(response, "parts"):
        for held in get(response, "parts"):
            yield from _of_part(held)
        part = {**part, "functionResponse": {name: value for name, value in response.items() if name != "parts"}}
    said = (str(value) for name, value in part.items() if snake(name) != "thought_signature")
    yield "TEXT", count_tokens("".join(said))


def _of_file(file: Json) -> tuple[str, int]:
    """An image by its tiles; any other file as one tile, since its length is not looked into."""
    kind = (get(file, "mimeType") or "").split("/")[0]
    size = image_size(decode_base64(get(file, "data") or "") or b"") if kind == "image" else None
    tiles = 1 if size is None or max(size) <= _ONE_TILE else -(-size[0] // _TILE) * -(-size[1] // _TILE)
    return "DOCUMENT" if kind in _DOCUMENTS else kind.upper() or "DOCUMENT", tiles * _TILE_TOKENS
