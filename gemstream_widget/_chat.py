"""Chat: a conversation with one model, made of runs."""

from __future__ import annotations

import atexit
import itertools
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, get_args

from ._archive.saved import not_a_chat, read_document, write_document
from ._engine.gemini import GeminiSource, connect
from ._engine.loops import loop_for
from ._engine.options import DEMO_MODEL, OPTIONS, ChatOptions, Options, takes_options
from ._engine.source import Request, Source, WatchedSource
from ._engine.turn import Turn
from ._plain import Json, Wire
from ._request.pairing import OpenCall, answers_first, open_calls
from ._request.prompt import Prompt, contents_of, prompt_of
from ._request.repair import refusals, repaired
from ._request.turns import sent_calls
from ._request.violation import Violation
from ._run import Again, Run
from ._stream.parts import TextPart, ToolCall
from ._stream.record import Record
from ._tools.policy import RuleBook
from ._tools.tool import ToolSet
from .errors import (
    ApiError,
    InvalidOption,
    InvalidPrompt,
    NothingToRepeat,
    PromptBlocked,
    RunFailed,
    RunInProgress,
    TokenLimitReached,
)

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from google.genai import Client

__all__ = ["Chat", "load_chat"]

GO_ON = "Go on exactly where your last answer was cut off. Do not repeat anything."

_run_numbers = itertools.count(1)  # counted, not random: a replay of the same session has the same ids


class Chat:
    """A conversation. `send` starts a run and returns at once, `queue` lets it wait behind the one that goes on; the
    history follows from the runs.

    The options are read at each send, and checked when they are given: InvalidOption says what does not fit. Use a chat
    from one thread; its runs may be stopped from any, its card's buttons may begin a run on theirs, and `queue` may be
    called from any thread that has a loop for it.
    """

    @takes_options()
    def __init__(self, **options: Unpack[ChatOptions]) -> None:
        self._set(Options.of("Chat", options))
        self._rules = RuleBook()
        self._runs: list[Run] = []
        self._earlier: list[Wire] = list(self.options.history)  # from before the runs that the history still reads
        self._first = 0  # of the runs that the history still reads; those before it are in `_earlier`
        self._is_advancing = False
        self._lock = threading.RLock()  # the card's buttons begin runs on the runs' own loop

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OPTIONS:  # set like this it would be no option at all, and nobody would know
            raise AttributeError(
                f"Set an option with chat.change({name}=...), which checks it, and read it in chat.options."
            )
        super().__setattr__(name, value)

    def _set(self, options: Options) -> None:
        self.options = options
        """As they are set now, checked (docs/options.md). `change` sets others."""
        self._demo = options.model == DEMO_MODEL and options.client is None and options.source is None
        self._source = _source_of(options, self._demo)
        self._vertex = getattr(options.client, "vertexai", None) is True

    def change(self, **options: Unpack[ChatOptions]) -> None:
        """Set options for the sends that follow; those not named stay. Raises InvalidOption, and then changes nothing.
        The history is what was said: it is no option of a chat that has begun.
        """
        given = dict(options)
        if "history" in given:
            raise InvalidOption("history is given once, to Chat(history=...): later it follows from the runs.")
        self._set(self.options.changed("Chat.change", given))

    @property
    def model(self) -> str:
        return self.options.model

    @property
    def system(self) -> str | None:
        return self.options.system

    @property
    def tools(self) -> ToolSet:
        return self.options.tools

    @property
    def runs(self) -> list[Run]:
        """The runs so far, in order."""
        return list(self._runs)

    @property
    def history(self) -> list[Wire]:
        """Wire Contents: what the next request sends before its own prompt."""
        said = (content for run in self._runs[self._first :] for content in run.contents())
        return [*deepcopy(self._earlier), *said]

    def save(self, path: str | Path) -> None:
        """Write the conversation to a file, pending approvals included; `load_chat` reads it."""
        about = {"model": self.model, "system": self.system, "history": self._earlier, "first": self._first}
        write_document(path, about, [run._to_json() for run in self._runs])

    def _restore(self, document: Json) -> None:
        """Take over what saved.py read: earlier turns, and runs. The last one goes on, where it waits for decisions."""
        self._earlier, self._first = document["history"], document["first"]
        for saved in document["runs"]:
            run = self._new_run(Prompt(saved["prompt"], tuple(saved.get("attachments", ()))), saved["opening"])
            run._restore(saved)
            self._runs.append(run)
        if (waiting := self._going) is not None:
            self._start(waiting, loop_for(self.options.runner))

    def send(self, prompt: Any) -> Run:
        """Start a run: `prompt` is what a notebook holds (docs/prompts.md). Returns at once, shows nothing.

        Function calls that the last run left open are answered by `functionResponse` parts in the prompt, all of them
        at once, by our id, the provider's or the name; a prompt without any closes them unanswered.
        Raises InvalidPrompt, HistoryError, RunInProgress, NoRunningLoop; everything later is told by the run.
        """
        given = _copied(prompt_of(prompt))
        with self._lock:
            self._none_going()
            return self._begin(replace(given, contents=self._answered(given.contents, self.history)))

    def queue(self, prompt: Any) -> Run:
        """The same as `send`, but where a run of this chat goes on, or is queued, the new one waits behind it, with the
        options of now. It is "queued" until every run before it has ended, however they ended; what `send` would raise
        about the history then, makes it fail. `run.stop()` takes it back: nothing is sent, and the history knows
        nothing of it. Raises InvalidPrompt and NoRunningLoop, and HistoryError where nothing goes on.
        """
        given = _copied(prompt_of(prompt))
        with self._lock:
            if self._going is None:
                return self._begin(replace(given, contents=self._answered(given.contents, self.history)))
            return self._begin(given, queued=True)  # whoever ends the one before it waits for the lock

    def _answered(self, contents: list[Wire], history: list[Wire]) -> list[Wire]:
        """A prompt with the answers that the history's open calls still need."""
        opened = open_calls(history)
        asked = self._asked()
        known = [call.result for call in asked] if len(asked) == len(opened) else []
        return answers_first(opened, contents, {c.id: OpenCall.of(c) for c in asked}, known)

    def again(self, how: Again = "anew") -> Run:
        """Go on after a last run that did not end well. Returns the new run, started.

        "anew": ask again for what it did not bring to its end. The step that failed or was stopped is asked for anew
        and leaves the history; it is still in `runs`. Steps before it stay, and so does a step of which a tool began:
        nothing is run twice. "repair": the same, after the repairs of the history that the run's error tells of.
        "continue": ask the model to go on where its answer was cut; what came of it stays in the history.
        Raises NothingToRepeat where the last run gives no cause for it, and what `send` raises.
        """
        if how not in get_args(Again):
            raise InvalidOption(f'how is "anew", "continue" or "repair", not {how!r}.')
        with self._lock:
            self._none_going()
            last = self._last
            if how == "anew":
                return self._ask_again(())
            if last is None or how not in last.offers:
                ended = f"run {last.id} is {last.status} and offers {last.offers}" if last else "nothing was sent yet"
                raise NothingToRepeat(f"Nothing calls for {how!r}: {ended}. Send a prompt instead.")
            return self._ask_again(last._repairs) if how == "repair" else self.send(GO_ON)

    def _ask_again(self, repairs: Collection[str]) -> Run:
        """A run that takes the conversation over from the last one, mended by these repairs, without its loose end."""
        with self._lock:
            self._none_going()
            last = self._last
            if last is None or last.status not in ("failed", "cancelled"):
                ended = f"run {last.id} is {last.status}" if last else "nothing was sent yet"
                raise NothingToRepeat(f"There is nothing to try again: {ended}. Send a prompt instead.")
            if self._runs.index(last) < self._first and last.contents():
                raise NothingToRepeat(
                    "The repaired history holds what came of the answer: use again('continue'), or send."
                )
            before = (run for run in self._runs[self._first :] if run is not last)
            earlier = [*self._earlier, *(content for run in before for content in run.contents())]
            opening, _ = repaired([*earlier, *last._unfinished()], model=self.model, only=repairs, vertex=self._vertex)
            loop_for(self.options.runner)  # before anything is changed
            self._earlier, self._first = [], len(self._runs)
            return self._begin(Prompt([]), opening)

    def check(self) -> list[Violation]:
        """What Gemini would refuse in the history when the next prompt is sent, and the repair on offer for each; empty
        when it would be accepted. Calls that are open at its end are no refusal: `send` answers them.
        """
        history = self.history
        return refusals([*history, *_following(history)], model=self.model, vertex=self._vertex)

    async def count(self, prompt: Any = None) -> int:
        """The tokens of the next request, as Gemini counts them: history, prompt, system instruction and tools, as
        `send` would send them. Nothing is added to the conversation. Raises InvalidOption where the chat's source
        cannot count, what `send` raises, and what a run would fail with (MissingKey, ApiError, ...).
        """
        count: Callable[[Request], Awaitable[int]] | None = getattr(self._source, "count", None)
        if count is None:
            raise InvalidOption(f"source: a {type(self._source).__name__} cannot count tokens; Gemini can.")
        given = [] if prompt is None else contents_of(prompt)
        with self._lock:
            self._none_going()
            history = self.history
            added = self._answered(given, history)
        if not history and not added:
            raise InvalidPrompt("There is nothing to count yet: give count() the prompt.")
        options = self.options
        return await count(
            Request(options.model, [*history, *added], options.system, options.tools.wire, options.config)
        )

    def repair(self, *codes: str) -> list[str]:
        """Mend the history: every refusal that has a repair, or those of these codes. What was done, in words.

        Later requests send the mended history; the runs themselves stay as they were. "corrupted_signature" has to be
        named: only Gemini can tell that a signature is not its own.
        """
        with self._lock:
            self._none_going()
            following = _following(self.history)
            contents = [*self.history, *following]
            mended, done = repaired(contents, model=self.model, only=codes or None, vertex=self._vertex)
            while following and mended[-1:] == following[-1:]:
                mended, following = mended[:-1], following[:-1]
            if done:
                self._earlier, self._first = mended, len(self._runs)
            return done

    def _check_tokens(self) -> None:
        """Raise TokenLimitReached where the next request would pass the limit."""
        limit = self.options.max_tokens_total
        if limit is None:
            return
        runs = list(self._runs)
        used = sum(run.usage.total_token_count or 0 for run in runs)
        reported = (step.usage.total_token_count for run in reversed(runs) for step in reversed(run.steps))
        last = next((count for count in reported if count), 0)
        if used + last >= limit:
            raise TokenLimitReached(
                f"The chat has used {used:,} of {limit:,} tokens, and the next request would use about {last:,}."
            )

    @property
    def _going(self) -> Run | None:
        """The first run that has not ended: the one that goes on, or whose turn comes now."""
        return next((run for run in self._runs if not run.done), None)

    @property
    def _last(self) -> Run | None:
        """The last run that is part of the conversation."""
        return next((run for run in reversed(self._runs) if run._record.state.had_turn), None)

    def _none_going(self) -> None:
        if (going := self._going) is not None:
            raise RunInProgress(going)

    def _advance(self, _: object = None) -> None:
        """Give the first run that has not ended its turn. From any thread, as often as you like: after every end."""
        with self._lock:
            if self._is_advancing:  # further up on this thread, where it goes on
                return
            self._is_advancing = True
            try:
                for run in self._runs:
                    if not run.done:
                        run._give_turn()
                    if not run.done:
                        return
            finally:
                self._is_advancing = False

    def _begin(self, given: Prompt, opening: Sequence[Wire] = (), *, queued: bool = False) -> Run:
        loop = loop_for(self.options.runner)
        run = self._new_run(given, opening, queued=queued)
        self._runs.append(run)
        self._start(run, loop)
        return run

    def _start(self, run: Run, loop: AbstractEventLoop) -> None:
        run._start(loop)
        run._record.ended.add_done_callback(self._advance)

    def _new_run(self, given: Prompt, opening: Sequence[Wire] = (), *, queued: bool = False) -> Run:
        """A run that goes on after the history as it is now, or, where it is `queued`, as it is at its turn."""
        history = [] if queued else self.history
        record = Record(
            run=f"r{next(_run_numbers)}",
            model=self.model,
            demo=self._demo,
            prompt=given.contents,
            attachments=given.attachments,
            opening=opening,
            queued=queued,
            clock=self.options.clock,
        )
        options = self.options

        def request(said: list[Wire]) -> Request:
            self._check_tokens()
            return Request(options.model, [*history, *said], options.system, options.tools.wire, options.config)

        def prompt_at_its_turn() -> list[Wire]:
            with self._lock:
                history[:] = self.history
                return self._answered(given.contents, history)

        return Run(
            record,
            options,
            self._rules,
            self._source,
            request=request,
            offers=self._offers,
            again=self._again,
            turn=Turn(record, prompt=prompt_at_its_turn, look=self._advance) if queued else None,
        )

    def _offers(self, run: Run, ended: str) -> list[str]:
        """What a reader may ask for after `run`, which is about to end as `ended`; the best first."""
        if isinstance(self._source, WatchedSource):  # gives its stream once
            return []
        if ended == "failed" and not run.steps:  # its prompt did not fit the conversation
            return []
        step = run.steps[-1] if run.steps else None
        if ended == "completed":
            return ["continue"] if step is not None and step.outcome == "truncated" else []
        if mendable := self._mendable(run.error):
            assert run.error is not None
            run._repairs = list(mendable)
            run.error.hint = f"The repair on offer, also as run.again('repair'): {' '.join(mendable.values())}"
            return ["repair"]
        offers = [] if isinstance(run.error, PromptBlocked) else ["anew"]
        said = step is not None and any(
            isinstance(p, TextPart) and p.text and not p.thought and p.step == step.index for p in run.parts
        )
        return ["continue", *offers] if said else offers

    def _again(self, run: Run, how: Again) -> Run:
        if run is not self._last:
            raise NothingToRepeat(f"The conversation went on after run {run.id}: send a prompt instead.")
        return self.again(how)

    def _mendable(self, error: RunFailed | None) -> dict[str, str]:
        """What can be mended of what Gemini just refused: the codes of the repairs, and what each would do."""
        if not isinstance(error, ApiError) or error.code != 400:
            return {}
        if "thought signature" in error.message.lower():
            return {"corrupted_signature": "Drops the thought signatures, and asks Gemini to go without."}
        found = refusals(self.history, model=self.model, vertex=self._vertex)
        return {refusal.code: refusal.repair for refusal in found if refusal.repair}

    def _asked(self) -> list[ToolCall]:
        """The calls of the last step that asked for any: those that may be open."""
        for run in reversed(self._runs):
            if calls := sent_calls(run.parts):
                return [call for call in calls if call.step == calls[-1].step]
        return []

    def __repr__(self) -> str:
        return f"<Chat {self.model} {len(self._runs)} runs>"


@takes_options("history")
def load_chat(path: str | Path, **options: Unpack[ChatOptions]) -> Chat:
    """The chat that `Chat.save` wrote, with its own model and system instruction where none are given. Where its last
    run waited for decisions it waits again, which needs a running event loop or `runner="thread"`. Raises
    RecordingError for any other file, and InvalidOption.
    """
    given: dict[str, Any] = dict(options)
    if "history" in given:
        raise InvalidOption("history is in the file: load_chat takes none.")
    given["tools"] = Options.of("load_chat", given).tools  # what does not fit is no fault of the file's
    document = read_document(path)
    try:
        chat = Chat(**{"model": document["model"], "system": document["system"]} | given)
        chat._restore(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_a_chat(path, error) from error
    return chat


def _copied(prompt: Prompt) -> Prompt:
    """Whoever gave it may go on changing it."""
    return replace(prompt, contents=deepcopy(prompt.contents))


def _source_of(options: Options, demo: bool) -> Source:
    """Where the chunks of a chat with these options come from."""
    if options.source is not None:
        return options.source
    if demo:
        return GeminiSource(connect=_connect_demo)
    if options.api_key is not None:
        return GeminiSource(connect=partial(connect, api_key=options.api_key))
    return GeminiSource(options.client)


def _following(history: list[Wire]) -> list[Wire]:
    """What `send` would put after the history: the answers to calls that are open at its end, and a prompt."""
    prompt = contents_of("What the user says next.")
    try:
        return answers_first(open_calls(history), prompt, {})
    except (KeyError, TypeError, AttributeError):  # the history's shapes have to be mended first
        return prompt


_demo_clients: dict[str, Client] = {}
"""By the server's address. One for all chats, never dropped: a client that is collected while others stream may close
a connection of theirs, since the number of its socket was given out again."""


def _connect_demo() -> Client:
    """The client for this process's own local Gemini, which starts on first use."""
    from .server import shared

    server = shared()
    if server.url not in _demo_clients:
        atexit.register(_demo_clients.clear)  # while what their finalizers need is still there
        _demo_clients[server.url] = server.client()
    return _demo_clients[server.url]
