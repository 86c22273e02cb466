"""A request body, read the way a model reads it: what was said, which tools there are, what they answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from .._plain import Json
from .._request.conversation import current_turn
from .._request.wire import get
from .tokens import tokens_of

__all__ = ["Question", "ToolResponse", "read_question"]


@dataclass(frozen=True, slots=True)
class ToolResponse:
    """What a tool answered: a functionResponse, read."""

    name: str
    body: Json


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the model: a request body, read as it reads it."""

    prompt: str
    """The user's text that opened the current turn."""
    files: tuple[Json, ...]
    """The parts beside it that hold data, or name a file."""
    step: int
    """How often the model has spoken in this turn."""
    responses: tuple[ToolResponse, ...]
    """What the tools answered to the model's last words, when that is what the request brings."""
    tools: dict[str, Json]
    """JSON schema of the arguments by tool name; declaration order."""
    descriptions: dict[str, str]
    tools_used: bool
    """Whether a tool has answered anywhere in the conversation."""
    calling_mode: str
    """AUTO, ANY, NONE or VALIDATED."""
    streams_arguments: bool
    """Whether calls shall come in fragments (Vertex has that)."""
    wants_thoughts: bool
    max_tokens: int | None
    json_schema: Json | None
    """The schema the answer must follow, `{}` for any JSON; None for prose."""
    prompt_tokens: int


def read_question(body: Json) -> Question:
    """Read a body whose shapes hold (`rules.violations` found nothing, or is off)."""
    contents: list[Json] = get(body, "contents") or []
    turn = contents[current_turn(contents) :]
    config = get(body, "generationConfig") or {}
    calling = get(get(body, "toolConfig") or {}, "functionCallingConfig") or {}
    declarations = {d["name"]: d for d in _declarations(body, get(calling, "allowedFunctionNames"))}
    runs = [(role, list(group)) for role, group in groupby(turn, key=lambda content: get(content, "role") or "user")]
    include_thoughts = get(get(config, "thinkingConfig") or {}, "includeThoughts")
    return Question(
        prompt="".join(get(part, "text") or "" for part in _parts(turn[:1])),
        files=tuple(part for part in _parts(turn[:1]) if get(part, "inlineData") or get(part, "fileData")),
        step=sum(role == "model" for role, _ in runs),
        responses=tuple(_responses(runs[-1][1])) if runs else (),
        tools={name: _parameters(declaration) for name, declaration in declarations.items()},
        descriptions={name: get(declaration, "description") or "" for name, declaration in declarations.items()},
        tools_used=any(True for _ in _responses(contents)),
        calling_mode=get(calling, "mode") or "AUTO",
        streams_arguments=get(calling, "streamFunctionCallArguments") is True,
        wants_thoughts=include_thoughts is not False,
        max_tokens=get(config, "maxOutputTokens"),
        json_schema=_json_schema(config),
        prompt_tokens=tokens_of(body).total(),
    )


def _parts(contents: list[Json]) -> Iterator[Json]:
    for content in contents:
        yield from get(content, "parts") or ()


def _responses(contents: list[Json]) -> Iterator[ToolResponse]:
    for part in _parts(contents):
        if response := get(part, "functionResponse"):
            yield ToolResponse(get(response, "name") or "", get(response, "response") or {})


def _declarations(body: Json, allowed: list[str] | None) -> Iterator[Json]:
    for tool in get(body, "tools") or ():
        for declaration in get(tool, "functionDeclarations") or ():
            if declaration.get("name") and (not allowed or declaration["name"] in allowed):
                yield declaration


def _parameters(declaration: Json) -> Json:
    schema: Json = get(declaration, "parametersJsonSchema") or get(declaration, "parameters") or {}
    return schema


def _json_schema(config: Json) -> Json | None:
    if get(config, "responseMimeType") != "application/json":
        return None
    schema: Json = get(config, "responseJsonSchema") or get(config, "responseSchema") or {}
    return schema
