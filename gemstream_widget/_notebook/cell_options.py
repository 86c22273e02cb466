"""The options of `%%gem`, through IPython's magic arguments: those of a chat, as far as a line of text can give them,
and the magic's own. What is written is read here; whether it fits is the chat's to say.
"""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, get_args

from IPython.core import magic_arguments as ipython
from IPython.core.error import UsageError

from .._engine.options import DEFAULT_MODEL, DEMO_MODEL, OPTIONS
from .._plain import nearest
from .._tools.policy import Verdict
from .._tools.tool import Tool

__all__ = [
    "KNOWN_MODELS", "find", "options_of", "takes_cell_options", "tool_names", "tools_of", "written", "written_names",
]  # fmt: skip

_argument: Callable[..., Any] = ipython.argument  # IPython tells no types
_magic_arguments: Callable[..., Any] = ipython.magic_arguments

KNOWN_MODELS = (
    DEFAULT_MODEL, DEMO_MODEL, "gemini-3.7-flash", "gemini-3.6-flash", "gemini-3.5-flash", "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite", "gemini-4-argon", "gemini-4-hydrogen",
)  # fmt: skip
"""What completion offers after --model; Google's list on 2026-11-24: https://ai.google.dev/gemini-api/docs/models"""

NAMED = ("tools", "config", "client")
"""Options whose values are names in the notebook."""
_UNWRITTEN = ("api_key", "history", "source", "clock")
"""Options that a line cannot give; a key in a cell would be saved with the notebook."""
_OPTIONS = {name: option for name, option in OPTIONS.items() if name not in _UNWRITTEN}


def takes_cell_options(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Give a magic its arguments, its parser and its help."""
    own = [
        _argument("--as", metavar="NAME", dest="bound_to", help="The variable that holds the Run, from the start."),
        _argument("--new", action="store_true", help="Start a new conversation, with the options as they are."),
        _argument("--chat", metavar="NAME", help="A Chat of the notebook, for this cell."),
        _argument("--keep", action="store_true", help="Let it go on when the cell runs again."),
        _argument("--raw", action="store_true", help="Braces are text: no expressions."),
    ]
    chats = [
        _argument(f"--{name.replace('_', '-')}", metavar=name.upper(), help=_help(name, option.doc))
        for name, option in _OPTIONS.items()
    ]
    for one in reversed([*own, *chats]):
        magic = one(magic)
    magic = _magic_arguments("%gem")(magic)  # IPython puts one more before it
    magic.parser.allow_abbrev = False  # type: ignore[attr-defined]  # a typo is told, not guessed
    return magic


def _help(name: str, doc: str) -> str:
    kind = {"tools": " Names in the notebook: a,b.", "config": " A name in the notebook.", "client": " A name."}
    return (doc + kind.get(name, "")).replace("%", "%%")


def written_names(magic: Callable[..., Any]) -> list[str]:
    """The options that a magic takes, as they are written."""
    return [name for action in magic.parser._actions for name in action.option_strings]  # type: ignore[attr-defined]


def written(magic: Callable[..., Any], line: str) -> Namespace:
    """The arguments of a line, as they are written. Raises UsageError."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%%gem: {error}. Put a value with spaces between quotes that close.") from None
    given, rest = magic.parser.parse_known_args(words)  # type: ignore[attr-defined]
    if rest:
        _refuse(rest[0], magic)
    out: Namespace = given
    return out


def _refuse(word: str, magic: Callable[..., Any]) -> NoReturn:
    if not word.startswith("-"):
        raise UsageError(f"%%gem does not know {word!r}: the prompt goes on the lines below, options begin with --.")
    known = written_names(magic)
    meant = nearest(word.partition("=")[0], known)
    raise UsageError(f"%%gem has no option {word!r}.{meant or ' Options: ' + ', '.join(known) + '.'}")


def options_of(given: Namespace, names: Mapping[str, Any]) -> dict[str, Any]:
    """The chat options among these arguments, with the notebook's own values for `NAMED`. Raises UsageError."""
    out: dict[str, Any] = {}
    for name in _OPTIONS:
        text = getattr(given, name)
        if text is None:
            continue
        if name == "tools":
            out[name] = tools_of(text, names)
        elif name in NAMED:
            out[name] = None if text == "none" else find(text, names, "value")
        elif name in ("model", "runner"):
            out[name] = text
        elif name == "system":
            out[name] = None if text == "none" else text
        elif name == "approve":
            out[name] = text if text in get_args(Verdict) else find(text, names, "policy")
        else:
            out[name] = _number(text)
    return out


def tools_of(text: str, names: Mapping[str, Any]) -> list[Any]:
    """The tools that a list of names with commas stands for; none for "none". Raises UsageError."""
    return [find(one, names, "tool") for one in map(str.strip, text.split(",")) if one not in ("", "none")]


def _number(text: str) -> Any:
    """The number that a text writes; None for "none", and the text itself where it is neither."""
    if text == "none":
        return None
    for read in (int, float):
        with suppress(ValueError):
            return read(text)
    return text


def find(path: str, names: Mapping[str, Any], kind: str) -> Any:
    """What a name of the notebook stands for, or a name with dots. Raises UsageError."""
    first, *rest = path.split(".")
    if first not in names:
        raise UsageError(f"%%gem: no {kind} {path!r} in this notebook.{nearest(first, _public(names, kind))}")
    value = names[first]
    for name in rest:
        try:
            value = getattr(value, name)
        except Exception:
            raise UsageError(f"%%gem: no {kind} {path!r} in this notebook: {first} has no {name!r}.") from None
    if not _FITS.get(kind, _anything)(value):
        raise UsageError(f"%%gem: {path!r} is no {kind} but a {type(value).__name__}: give the name of a function.")
    return value


def _anything(value: Any) -> bool:
    return True


_FITS: Mapping[str, Callable[[Any], bool]] = {
    "tool": lambda value: callable(value) or isinstance(value, dict),
    "policy": lambda value: callable(value) or isinstance(value, dict | list | tuple),
}
"""What a name may stand for, by kind; whatever else is wrong with it the chat says."""


def _public(names: Mapping[str, Any], kind: str) -> list[str]:
    fits = _FITS.get(kind, _anything)
    return [name for name, value in names.items() if not name.startswith("_") and fits(value)]


def tool_names(names: Mapping[str, Any]) -> list[str]:
    """The names in the notebook that are tools, or functions written in it."""
    return [
        name
        for name, value in names.items()
        if not name.startswith("_")
        and (isinstance(value, Tool) or (callable(value) and getattr(value, "__module__", "") == "__main__"))
        and not isinstance(value, type)
    ]
