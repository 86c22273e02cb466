"""`%%gem` and `%gem`: asking from a cell that holds the prompt and nothing else.

    %load_ext gemstream_widget

A cell that begins with `%%gem` sends its text and returns at once; the answer streams below it, and the conversation
goes on from cell to cell. What is wrong with a cell is told in one line, and then nothing is sent.
"""

from __future__ import annotations

import keyword
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import expanduser  # Path's raises for a user that is not there
from typing import Any

from IPython.core.error import UsageError

from .._chat import Chat
from .._plain import counted, nearest, shorten
from .._redact import redact, words_of
from .._request.prompt import Prompt
from .._run import Run, runs
from ..errors import GemstreamError, InvalidPrompt
from . import completion
from .braces import filled
from .cell_options import find, options_of, takes_cell_options, tools_of, written
from .cells import note_begun
from .display import shown
from .doctor import Report, doctor

__all__ = ["COMMANDS", "Magic"]

_LAST = "_gem"
"""The variable that holds the last run."""
_IPYTHONS = ("get_ipython", "__builtins__", "__name__", "In", "Out")
"""Variables without which no magic, or no cell, runs any more."""
_ABSENT = object()

COMMANDS = {
    "status": "What the conversation is set to, and what goes on.",
    "stop": "Stop everything that goes on and take back what is queued; or one run: %gem stop r3",
    "new": "Start a new conversation: %gem new [options]",
    "model": "The model, or another from here on: %gem model NAME",
    "tools": "The tools, or others from here on: %gem tools a,b (none: without)",
    "save": "Write the conversation to a file: %gem save chat.json",
    "runs": "The runs of these cells, and all others that go on in this kernel.",
    "doctor": "What stands between this kernel and a working card.",
    "help": "This, and the options of %%gem.",
}
"""What `%gem` does, by its first word."""


class Magic:
    """`%%gem` and `%gem` in one shell, from `load` to `unload`."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.chat: Chat | None = None
        """The conversation of the cells that name none."""
        self.runs: list[Run] = []
        """What the cells sent, in order."""
        self._tool_names: str | None = None  # as a line gave them: a function may be written anew in between
        self._before: dict[str, Any] = {}  # what was called so before
        self._last_before: Any = _ABSENT
        self._complete: Any = None

    # -- there, and gone again --------------------------------------------------------------------------------------

    def load(self) -> None:
        """Add the magics and their completion to the shell."""
        magics = self.shell.magics_manager.magics
        self._before = {kind: magics[kind].get("gem", _ABSENT) for kind in ("line", "cell")}
        self._last_before = self.shell.user_ns.get(_LAST, _ABSENT)
        self.shell.register_magic_function(self.line, "line", "gem")
        self.shell.register_magic_function(self.cell, "cell", "gem")
        self._complete = completion.add(self)

    def unload(self) -> None:
        """Take it all back. Runs that go on go on: they are the notebook's."""
        for kind, before in self._before.items():
            _put_back(self.shell.magics_manager.magics[kind], "gem", before)
        _put_back(self.shell.user_ns, _LAST, self._last_before)
        completion.remove(self.shell, self._complete)

    # -- %%gem ------------------------------------------------------------------------------------------------------

    @takes_cell_options
    def cell(self, line: str, cell: str) -> None:
        """Send the text of this cell to Gemini and show the answer below, live; the cell returns at once.

        {name} and {expression} take values of the notebook: tables, images, files, anything that `gem.ask` takes;
        {{ is a brace. The conversation goes on from cell to cell, with the options of before. While an answer is being
        written the next cell waits behind it. The last run is in `_gem`.
        """
        given = written(self.cell, line)
        name = given.bound_to
        if name is not None and (not name.isidentifier() or keyword.iskeyword(name) or name in _IPYTHONS):
            raise UsageError(f"%%gem --as {name}: that is no name for a variable.")
        with _in_one_line("%%gem"):
            prompt = self._prompt(cell, raw=given.raw)
            run = self._queued(given, prompt)
        self.runs.append(run)
        self.shell.push({_LAST: run}, interactive=False)
        if name is not None:
            self.shell.push({name: run})
        if not given.keep:
            note_begun(run)
        shown(run)

    def _prompt(self, cell: str, *, raw: bool) -> Prompt | str:
        text = cell.strip()
        if not text:
            raise InvalidPrompt("The cell is empty: write the prompt below the line that begins with %%gem.")
        return text if raw else filled(text, self._evaluate, self.shell.user_ns)

    def _evaluate(self, code: Any) -> Any:
        return eval(code, self.shell.user_global_ns, self.shell.user_ns)

    def _queued(self, given: Namespace, prompt: Prompt | str) -> Run:
        """The run of a cell. What its line sets stays only where it is sent: a cell that is refused changes nothing."""
        named = None if given.chat is None else self._named_chat(given)
        chat = named or self.chat
        before, options = (self.chat, self._tool_names, self.runs), None if chat is None else chat.options
        try:
            return self._chat_for(given, named).queue(prompt)
        except BaseException:
            self.chat, self._tool_names, self.runs = before
            if chat is not None and options is not None and chat.options is not options:
                chat._set(options)
            raise

    def _named_chat(self, given: Namespace) -> Chat:
        chat = find(given.chat, self.shell.user_ns, "chat")
        if not isinstance(chat, Chat):
            raise UsageError(f"%%gem --chat {given.chat}: that is a {type(chat).__name__}, not a Chat.")
        if given.new:
            raise UsageError("%%gem: --new starts a conversation of its own, and --chat goes on with yours.")
        return chat

    def _chat_for(self, given: Namespace, named: Chat | None) -> Chat:
        """The conversation that a line asks for, with the options it sets."""
        options = options_of(given, self.shell.user_ns)
        if named is None:
            return self._own_chat(options, tools=given.tools, new=given.new)
        if options:
            named.change(**options)
        return named

    def _own_chat(self, options: dict[str, Any], *, tools: str | None = None, new: bool = False) -> Chat:
        """The cells' own conversation, with these options changed."""
        names = self._tool_names if tools is None else tools
        if names is not None:
            options = options | {"tools": tools_of(names, self.shell.user_ns)}
        chat = self.chat
        if chat is None or new:
            chat = Chat(**({} if chat is None else chat.options.given) | options)
            self.runs = [run for run in self.runs if not run.done]  # what is over went with its conversation
        elif options:
            chat.change(**options)
        self.chat, self._tool_names = chat, names
        return chat

    # -- %gem -------------------------------------------------------------------------------------------------------

    def line(self, line: str) -> Report | None:
        """See and steer the conversation of the %%gem cells. Alone: its status."""
        command, _, rest = line.strip().partition(" ")
        if (command or "status") not in COMMANDS:
            raise UsageError(
                f"%gem has no {shorten(command, 40)!r}.{nearest(command, COMMANDS)} It takes {', '.join(COMMANDS)}; a "
                "prompt goes into a cell that begins with %%gem."
            )
        with _in_one_line(f"%gem {command}".strip()):
            answer: Report | None = getattr(self, f"_{command or 'status'}")(rest.strip())
        return answer

    def _status(self, _: str) -> None:
        if self.chat is None:
            print("Nothing was asked yet. %gem help tells how.")
            return
        names = ", ".join(self.chat.tools.ours) or "none"
        print(f"{self.chat.model}, {counted(len(self.chat.runs), 'run')}, tools: {names}.")
        going = [run for run in self.chat.runs if not run.done]
        for run in going or self.chat.runs[-1:]:
            print(_words(run))

    def _stop(self, rest: str) -> None:
        going = [run for run in [*self.runs, *runs()] if not run.done] if rest else [r for r in self.runs if not r.done]
        chosen = list({run.id: run for run in going if rest in ("", run.id)}.values())
        if not chosen:
            print(f"No run {rest} goes on." if rest else "Nothing goes on.")
        for run in reversed(chosen):  # what is queued first: it must not begin because the one before it ends
            queued = run.status == "queued"
            run.stop()
            print(f"{'Taken back' if queued else 'Stopped'}: {run.id}.")

    def _new(self, rest: str) -> None:
        given = written(self.cell, rest)
        if given.chat is not None or given.bound_to is not None:
            raise UsageError("%gem new takes the options of a chat: --model, --system, --tools, --approve ...")
        chat = self._own_chat(options_of(given, self.shell.user_ns), tools=given.tools, new=True)
        print(f"A new conversation with {chat.model}.")

    def _model(self, rest: str) -> None:
        name = _unquoted(rest)
        if len(name.split()) > 1:
            raise UsageError(f"%gem model: one name, and nothing behind it, not {shorten(rest, 60)!r}.")
        chat = self._own_chat({"model": name} if name else {})
        print(f"{chat.model} from here on." if name else chat.model)

    def _tools(self, rest: str) -> None:
        chat = self._own_chat({}, tools=",".join(rest.split()) if rest else None)
        print(", ".join(chat.tools.ours) or "No tools.")

    def _save(self, rest: str) -> None:
        if not rest:
            raise UsageError("%gem save: name a file, such as %gem save chat.json")
        if self.chat is None or not self.chat.runs:
            raise UsageError("%gem save: there is no conversation yet.")
        path = expanduser(_unquoted(rest))
        self.chat.save(path)
        print(f"Saved {counted(len(self.chat.runs), 'run')} to {path}. gemstream_widget.load_chat reads it.")

    def _runs(self, _: str) -> None:
        every = {run.id: run for run in [*self.runs, *runs()]}
        print("\n".join(map(_words, every.values())) or "No runs.")

    def _doctor(self, _: str) -> Report:
        return doctor()

    def _help(self, _: str) -> None:
        print("\n".join(f"%gem {name:<8}{words}" for name, words in COMMANDS.items()))
        print(f"\n{(self.cell.__doc__ or '').removeprefix('::').strip()}")


def _words(run: Run) -> str:
    """A run in one line."""
    tokens = run.usage.total_token_count
    ended = f" ({run.stopped_by.replace('_', ' ')})" if run.stopped_by else ""
    facts = [f"{run.status}{ended}", f"{run.now_s:.1f} s", *([] if tokens is None else [f"{tokens:,} tokens"])]
    return f"{run.id:<5} {run.model}, {', '.join(facts)}: {shorten(' '.join(run.text.split()), 60) or '(no text yet)'}"


def _unquoted(word: str) -> str:
    return word.strip("'\"")


def _put_back(names: dict[str, Any], name: str, before: Any) -> None:
    if before is _ABSENT:
        names.pop(name, None)
    else:
        names[name] = before


@contextmanager
def _in_one_line(magic: str) -> Iterator[None]:
    """What is wrong, as IPython tells a usage error: one line, no traceback."""
    try:
        yield
    except (GemstreamError, OSError) as error:
        said = str(error) if isinstance(error, GemstreamError) else words_of(error)
        raise UsageError(f"{magic}: {redact(' '.join(said.split()))}") from None
