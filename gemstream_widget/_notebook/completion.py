"""Tab in a `%%gem` or `%gem` line: options, models, tools, chats, and what `%gem` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

from .._chat import Chat
from .._engine.loops import Runner
from .._tools.policy import Verdict
from .cell_options import KNOWN_MODELS, tool_names, written_names

if TYPE_CHECKING:
    from .magic import Magic

__all__ = ["add", "offered", "remove"]

_LINE = re.compile(r"\s*(%%?)gem(\s.*)")


def add(magic: Magic) -> Any:
    """Offer completions in the magic's shell; gives what `remove` takes. Nothing where IPython (before 8.6) has no way
    to add a matcher that sees the whole line.
    """
    try:
        from IPython.core.completer import SimpleCompletion, context_matcher
    except ImportError:
        return None

    @context_matcher(identifier="gemstream_widget.completion")  # type: ignore[untyped-decorator]
    def matcher(context: Any) -> dict[str, Any]:
        word, words = offered(context.text_until_cursor, context.cursor_line, magic)
        found = [SimpleCompletion(one, type="magic") for one in words if one.startswith(word)]
        return {"completions": found, "matched_fragment": word, "suppress": bool(found)}

    magic.shell.Completer.custom_matchers.append(matcher)
    return matcher


def remove(shell: Any, matcher: Any) -> None:
    """Offer them no more."""
    held = getattr(shell.Completer, "custom_matchers", [])
    if matcher in held:
        held.remove(matcher)


def offered(line: str, number: int, magic: Magic) -> tuple[str, Iterable[str]]:
    """The word that is being written at the end of `line` (of this number in its cell), and what it may become."""
    found = _LINE.fullmatch(line)
    if found is None or (found[1] == "%%" and number > 0):
        return "", ()
    *before, word = re.split(r"\s+|=", found[2].lstrip())
    if found[1] == "%" and before[:1] != ["new"]:
        return _after_command(before, word, magic)
    names = magic.shell.user_ns
    values = _VALUES.get(before[-1]) if before else None
    if values is not None:
        word = word.rpartition(",")[2]
        return word, values(names)
    return word, [name for name in written_names(magic.cell) if name not in before]


def _after_command(before: list[str], word: str, magic: Magic) -> tuple[str, Iterable[str]]:
    from .magic import COMMANDS

    if not before:
        return word, COMMANDS
    if before == ["stop"]:
        return word, [run.id for run in magic.runs if not run.done]
    option = {"model": "--model", "tools": "--tools"}.get(before[0])
    return word.rpartition(",")[2], _VALUES[option](magic.shell.user_ns) if option else ()


def _chat_names(names: Mapping[str, Any]) -> list[str]:
    return [name for name, value in names.items() if isinstance(value, Chat) and not name.startswith("_")]


_VALUES: dict[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
    "--model": lambda names: KNOWN_MODELS,
    "--tools": tool_names,
    "--approve": lambda names: get_args(Verdict),
    "--runner": lambda names: get_args(Runner),
    "--chat": _chat_names,
}
"""What may stand behind an option, from what the notebook holds."""
