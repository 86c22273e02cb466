"""Options: how a chat asks and how its runs are carried out. One list, checked where an option is given.

`OPTIONS` is that list: name, default, what fits, and what it means. `Chat`, `ask` and `load_chat` take these options,
their docstrings and docs/options.md are written from them, and `ChatOptions` repeats the names for editors.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from operator import index
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar

from .._plain import Wire, is_seconds, nearest, shorten
from .._process import Resident
from .._redact import redact, remember_key
from .._request.prompt import contents_of
from .._tools.policy import Policy, flaw_in, is_policy
from .._tools.tool import ToolSet
from ..errors import InvalidOption, InvalidPrompt
from .gemini import check_config
from .key import flaw_of
from .loops import Runner
from .source import Source

if TYPE_CHECKING:
    from google.genai import Client

__all__ = ["DEFAULT_MODEL", "DEMO_MODEL", "OPTIONS", "ChatOptions", "Options", "takes_options"]

DEFAULT_MODEL = "gemini-3.8-flash"
"""Generally available since 2026-09-02, with no date of shutdown named on 2026-11-24:
https://ai.google.dev/gemini-api/docs/deprecations
"""
DEMO_MODEL = "demo"


class ChatOptions(TypedDict, total=False):
    """The options of `Chat`, `ask` and `load_chat`; docs/options.md tells of each."""

    model: str
    system: str | None
    tools: Iterable[Any] | Callable[..., Any]
    config: Any
    client: Client | None
    api_key: str | None
    source: Source | None
    history: Iterable[Any]
    approve: Policy
    approval_timeout_s: float | None
    tool_timeout_s: float | None
    max_steps: int
    max_hops: int
    max_tokens_total: int | None
    retries: int | None
    idle_timeout_s: float | None
    grace_s: float
    runner: Runner | None
    record: str | PathLike[str] | None
    clock: Callable[[], float]


class Option(NamedTuple):
    """One option: its default, what it takes, whether a value fits, what it means."""

    default: Any
    takes: str
    fits: Callable[[Any], bool]
    doc: str


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: Any) -> bool:
    """A whole number from 0 on, also one of numpy's."""
    return hasattr(value, "__index__") and not isinstance(value, bool) and index(value) >= 0


def _is_positive(value: Any) -> bool:
    return _is_count(value) and index(value) > 0


def _is_list_of_contents(value: Any) -> bool:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return False
    return not isinstance(value, Collection) or all(_is_content(held) for held in value)


def _is_content(value: Any) -> bool:
    return "parts" in value if isinstance(value, Mapping) else hasattr(value, "parts")


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _anything(value: Any) -> bool:
    return True


OPTIONS: Mapping[str, Option] = {
    "model": Option(
        DEFAULT_MODEL,
        f'the name of a model, such as "{DEFAULT_MODEL}" or "{DEMO_MODEL}"',
        _is_text,
        f'A Gemini model, or "{DEMO_MODEL}" for the local Gemini: no key, no internet.',
    ),
    "system": Option(
        None,
        "a text or None; config={'system_instruction': ...} takes the SDK's other forms",
        lambda value: value is None or isinstance(value, str),
        "The system instruction.",
    ),
    "tools": Option(
        (),
        "a function, a declaration, or several of them",
        _anything,
        "Functions, which are run here when the model asks and their policy allows, and declarations, whose calls are "
        "answered by the next send.",
    ),
    "config": Option(
        None,
        "a GenerateContentConfig, a dict of its fields, or None",
        _anything,
        "The SDK's GenerateContentConfig, or a dict of its fields. The SDK's automatic function calling is always off. "
        "A dict is checked at once, which imports the SDK where nothing did before (one to two seconds).",
    ),
    "client": Option(
        None,
        "a google.genai.Client or None",
        lambda value: value is None or hasattr(value, "aio"),
        "A `google.genai.Client`. Without one, the environment's key or Vertex settings are used.",
    ),
    "api_key": Option(
        None,
        "a Gemini API key or None",
        lambda value: value is None or _is_text(value),
        "A Gemini API key, in place of the environment's. Space and line breaks around it are taken off. It is never "
        "shown, synced or saved.",
    ),
    "source": Option(
        None,
        "an object with a `stream` method, or None",
        lambda value: value is None or (hasattr(value, "stream") and not isinstance(value, type)),
        "Chunks from elsewhere, in place of Gemini.",
    ),
    "history": Option(
        (),
        "a list of Contents",
        _is_list_of_contents,
        "The conversation so far: wire Contents or the SDK's.",
    ),
    "approve": Option(
        "auto",
        '"auto", "ask", "never", a plain function of the call, or a list of lines such as ("delete_*", "never")',
        is_policy,
        'The policy of tools that have none of their own. "auto" runs whatever the model asks for (docs/tools.md).',
    ),
    "approval_timeout_s": Option(
        None,
        "a number of seconds above 0, or None",
        _or_none(is_seconds),
        "Seconds after which a call that nobody decided about is denied; None waits for ever.",
    ),
    "tool_timeout_s": Option(
        None,
        "a number of seconds above 0, or None",
        _or_none(is_seconds),
        "Seconds that a tool without a limit of its own may run; None: as long as it likes.",
    ),
    "max_steps": Option(
        10,
        "a whole number from 1 on",
        _is_positive,
        "Requests per run, those sent again not counted; then the run ends.",
    ),
    "max_hops": Option(
        16,
        "a whole number from 1 on",
        _is_positive,
        "Requests per step: Gemini gives a long answer in several (finish reason CONTINUATION). Then the run ends.",
    ),
    "max_tokens_total": Option(
        None,
        "a whole number from 1 on, or None",
        _or_none(_is_positive),
        "Tokens that all runs of a chat may use together, as Gemini reports them (total_token_count). A request that "
        "would pass it is not sent, judged by what was used and by the size of the last one, which the next repeats.",
    ),
    "retries": Option(
        None,
        "a whole number from 0 on, or None",
        _or_none(_is_count),
        "How often a request that failed before anything of the answer came (429, 5xx, no connection) is sent again, "
        "after as long as Gemini asks for, up to a minute. None: 2, and 0 where `source` is given.",
    ),
    "idle_timeout_s": Option(
        None,
        "a number of seconds above 0, or None",
        _or_none(is_seconds),
        "Seconds after which a stream that brings nothing is given up; None waits for ever.",
    ),
    "grace_s": Option(
        2.0,
        "a number of seconds above 0",
        is_seconds,
        "Seconds that a stopped stream or tool may take to end before the run ends without it.",
    ),
    "runner": Option(
        None,
        '"loop", "thread" or None',
        lambda value: value in ("loop", "thread", None),
        'Where runs live: "loop" is the running event loop; "thread" is one of our own, which goes on while a cell '
        'blocks the kernel. Policies and async tools run there, other tools on threads of their own. None: "loop", and '
        '"thread" in an IPython terminal, whose loop stands still between cells.',
    ),
    "record": Option(
        None,
        "a folder or None",
        lambda value: value is None or (isinstance(value, str | PathLike) and bool(str(value).strip())),
        "A folder that gets a file for this chat, which grows as things happen: a kernel that dies loses half a second "
        "of it. `load_chat` reads it (docs/journal.md).",
    ),
    "clock": Option(time.monotonic, "a function that counts seconds", callable, "Counts seconds; for tests."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Resident):
    """The options of one chat, checked. Made by `of` and `changed`; docs/options.md tells of each."""

    _instead = "The options of a chat hold its client and key, and are neither pickled nor copied: save the chat."

    model: str
    system: str | None
    tools: ToolSet
    config: Any = field(repr=False)
    client: Any = field(repr=False)
    api_key: str | None = field(repr=False)
    source: Source | None
    history: tuple[Wire, ...] = field(repr=False)
    approve: Policy
    approval_timeout_s: float | None
    tool_timeout_s: float | None
    max_steps: int
    max_hops: int
    max_tokens_total: int | None
    retries: int | None
    idle_timeout_s: float | None
    grace_s: float
    runner: Runner | None
    record: Path | None
    clock: Callable[[], float] = field(repr=False)

    @property
    def most_retries(self) -> int:
        """How often a request may be sent again."""
        return (2 if self.source is None else 0) if self.retries is None else self.retries

    @classmethod
    def of(cls, caller: str, given: Mapping[str, Any]) -> Options:
        """Options from what `caller` was given. Raises InvalidOption, ToolError and InvalidPrompt (of a history)."""
        return cls(**_checked(caller, {name: option.default for name, option in OPTIONS.items()} | dict(given)))

    @property
    def given(self) -> dict[str, Any]:
        """What would give another chat the same options."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def changed(self, caller: str, given: Mapping[str, Any]) -> Options:
        """These options with others in some places. Raises as `of` does."""
        checked = _checked(caller, self.given | dict(given))
        return replace(self, **{name: checked[name] for name in given})


def _checked(caller: str, given: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        option = OPTIONS.get(name)
        if option is None:
            known = ", ".join(OPTIONS)
            raise InvalidOption(f"{caller} has no option {name!r}.{nearest(name, OPTIONS)} Options: {known}.")
        if not option.fits(value):
            raise InvalidOption(f"{name} is {option.takes}, not {_told(name, value)}.")
    if given["source"] is not None and given["client"] is not None:
        raise InvalidOption("source and client are two places to ask: give one of them.")
    if given["api_key"] is not None and given["client"] is not None:
        raise InvalidOption("client has a key of its own: give api_key or client, not both.")
    check_config(given["config"])
    key = given["api_key"] and given["api_key"].strip()
    if key and (flaw := flaw_of(key)):
        raise InvalidOption(f"api_key holds {flaw}, which no key does: copy it again, and nothing around it.")
    remember_key(key)
    tools, config = given["tools"], given["config"]
    tools = tools if isinstance(tools, ToolSet) else ToolSet(tools)
    if (flaw := flaw_in(given["approve"], tools.names)) is not None:
        raise InvalidOption(f"approve: {flaw}")
    return given | {
        "api_key": key,
        "system": given["system"] or None,
        "tools": tools,
        "approve": tuple(given["approve"]) if isinstance(given["approve"], list) else given["approve"],
        "config": config.model_copy(deep=True) if hasattr(config, "model_copy") else deepcopy(config),
        "history": _contents(given["history"]),
        "record": None if given["record"] is None else Path(given["record"]).expanduser().absolute(),
        "max_steps": index(given["max_steps"]),
        "max_hops": index(given["max_hops"]),
        "max_tokens_total": None if given["max_tokens_total"] is None else index(given["max_tokens_total"]),
        "retries": None if given["retries"] is None else index(given["retries"]),
    }


def _contents(history: Iterable[Any]) -> tuple[Wire, ...]:
    held = list(history)
    if not all(map(_is_content, held)):
        raise InvalidOption(f"history is {OPTIONS['history'].takes}; one of these is none.")
    try:
        return tuple(deepcopy(contents_of(held))) if held else ()
    except InvalidPrompt as error:
        raise InvalidOption(f"history: {error}") from error


def _told(name: str, value: Any) -> str:
    """A value that does not fit, as its error tells it: by its type, where it may be or hold a key."""
    if name in ("api_key", "client", "source", "config", "history") or not isinstance(value, str | int | float | None):
        return f"a {type(value).__name__} like this" if name == "api_key" else f"a {type(value).__name__}"
    return redact(shorten(repr(value)))


_F = TypeVar("_F", bound=Callable[..., Any])


def takes_options(*without: str) -> Callable[[_F], _F]:
    """Give a function that takes `**options: Unpack[ChatOptions]` a signature that names them, for Shift-Tab and Tab
    in a notebook, and a docstring that tells of each; of all but those named here.
    """
    return lambda function: _documented(function, {"clock", *without})


def _documented(function: _F, without: set[str]) -> _F:
    signature = inspect.signature(function)
    kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=_annotation(name))
        for name, option in OPTIONS.items()
        if name not in without and name not in signature.parameters
    ]
    function.__signature__ = signature.replace(parameters=[*kept, *named])  # type: ignore[attr-defined]
    lines = [f"    {p.name}: {OPTIONS[p.name].doc} Default: {p.default!r}." for p in named]
    function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", *lines])
    return function


def _annotation(name: str) -> str:
    return str(ChatOptions.__annotations__[name].__forward_arg__)
