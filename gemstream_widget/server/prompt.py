"""A request body, read the way a model reads it: what was said, which tools there are, what they answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .._request.rules import current_turn
from .._request.wire import field, snake

__all__ = ["Answer", "Ask", "count_tokens", "read_ask"]


Json = dict[str, Any]

_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_FILE = 258  # what Gemini counts for an image of one tile


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered."""

    name: str
    response: Json


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the model."""

    prompt: str
    """The user's text that opened the current turn."""
    step: int
    """How often the model has spoken in this turn."""
    answers: tuple[Answer, ...]
    """What the tools answered to the model's last words, when that is what the request brings."""
    tools: dict[str, Json]
    """JSON schema of the arguments by tool name; declaration order."""
    descriptions: dict[str, str]
    tools_used: bool
    """Whether a tool has answered anywhere in the conversation."""
    calling_mode: str
    """AUTO, ANY, NONE or VALIDATED."""
    wants_thoughts: bool
    max_tokens: int | None
    json_schema: Json | None
    """The schema the answer must follow, `{}` for any JSON; None for prose."""
    prompt_tokens: int


def read_ask(body: Json) -> Ask:
    """Read a body whose shapes hold (`rules.violations` found nothing, or is off)."""
    contents: list[Json] = field(body, "contents") or []
    turn = contents[current_turn(contents) :]
    config = field(body, "generationConfig") or {}
    calling = field(field(body, "toolConfig") or {}, "functionCallingConfig") or {}
    declarations = {d["name"]: d for d in _declarations(body, field(calling, "allowedFunctionNames"))}
    runs = [(role, list(group)) for role, group in groupby(turn, key=lambda content: field(content, "role") or "user")]
    include_thoughts = field(field(config, "thinkingConfig") or {}, "includeThoughts")
    return Ask(
        prompt="".join(field(part, "text") or "" for part in _parts(turn[:1])),
        step=sum(role == "model" for role, _ in runs),
        answers=tuple(_answers(runs[-1][1])) if runs else (),
        tools={name: _parameters(declaration) for name, declaration in declarations.items()},
        descriptions={name: field(declaration, "description") or "" for name, declaration in declarations.items()},
        tools_used=any(True for _ in _answers(contents)),
        calling_mode=field(calling, "mode") or "AUTO",
        wants_thoughts=include_thoughts is not False,
        max_tokens=field(config, "maxOutputTokens"),
        json_schema=_json_schema(config),
        prompt_tokens=sum(map(_tokens, _parts([*contents, field(body, "systemInstruction") or {}]))),
    )


def count_tokens(text: str) -> int:
    """Roughly as many tokens as Gemini counts for this text."""
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _parts(contents: list[Json]) -> Iterator[Json]:
    for content in contents:
        yield from field(content, "parts") or ()


def _answers(contents: list[Json]) -> Iterator[Answer]:
    for part in _parts(contents):
        if response := field(part, "functionResponse"):
            yield Answer(field(response, "name") or "", field(response, "response") or {})


def _declarations(body: Json, allowed: list[str] | None) -> Iterator[Json]:
    for tool in field(body, "tools") or ():
        for declaration in field(tool, "functionDeclarations") or ():
            if declaration.get("name") and (not allowed or declaration["name"] in allowed):
                yield declaration


def _parameters(declaration: Json) -> Json:
    schema: Json = field(declaration, "parametersJsonSchema") or field(declaration, "parameters") or {}
    return schema


def _json_schema(config: Json) -> Json | None:
    if field(config, "responseMimeType") != "application/json":
        return None
    schema: Json = field(config, "responseJsonSchema") or field(config, "responseSchema") or {}
    return schema


def _tokens(part: Json) -> int:
    if field(part, "inlineData") or field(part, "fileData"):
        return _TOKENS_PER_FILE
    return count_tokens("".join(str(value) for name, value in part.items() if snake(name) != "thought_signature"))
