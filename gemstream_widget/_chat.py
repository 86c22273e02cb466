"""Chat: a conversation with one model, made of runs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Collection
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Unpack, get_args
from uuid import uuid4

from ._archive.journal_file import write_lines
from ._branches import Branches, Node
from ._chat_file import ChatFile, ChatLines, StoredChat, copy_of
from ._engine.loops import loop_for
from ._engine.options import OPTIONS, ChatOptions, Options, takes_options
from ._engine.source import Request, WatchedSource
from ._engine.sources import asks_alike, is_demo, source_of
from ._engine.turn import Turn
from ._offers import offers_after
from ._plain import Json, Wire
from ._process import Resident, rlock
from ._request.next import refused_before, repaired_before
from ._request.pairing import OpenCall, answers_first, open_calls
from ._request.prompt import Prompt, contents_of, prompt_of
from ._request.repair import refusals, repaired
from ._request.turns import sent_calls
from ._request.violation import Violation
from ._run import Again, Run
from ._stream.entries import Header
from ._stream.journal import Journal
from ._stream.parts import ToolCall
from ._stream.record import Record
from ._stream.values import Offers
from ._tools.policy import RuleBook
from ._tools.tool import ToolSet
from .errors import (
    InvalidOption,
    InvalidPrompt,
    NothingToRepeat,
    RecordingError,
    RequestRefused,
    RunFailed,
    RunInProgress,
    TokenLimitReached,
)

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


__all__ = ["Chat", "load_chat"]

GO_ON = "Go on exactly where your last answer was cut off. Do not repeat anything."

_run_numbers = itertools.count(1)  # counted, not random: a replay of the same session has the same ids


class Chat(Resident):
    """A conversation. `send` starts a run and returns at once, `queue` lets it wait behind the one that goes on; the
    history follows from the runs.

    The options are read at each send, and checked when they are given: InvalidOption says what does not fit. Use a chat
    from one thread; its runs may be stopped from any, its card's buttons may begin a run on theirs, and `queue` may be
    called from any thread that has a loop for it. `copy.copy(chat)` is another chat that says the same, and goes on by
    itself.
    """

    _instead = (
        "A Chat holds its client and its runs, and is not pickled: write it with chat.save(path), and read it in the "
        "other process with gem.load_chat(path)."
    )

    @takes_options()
    def __init__(self, **options: Unpack[ChatOptions]) -> None:
        self.options = Options.of("Chat", options)
        """As they are set now, checked (docs/options.md). `change` sets others."""
        self._source = source_of(self.options)
        self._rules = RuleBook()
        self._branches = Branches(self.options.history)
        self._file: ChatFile | None = None
        self._record_anew()
        self._advancer = 0  # the thread that goes through the runs
        self._lock = rlock()  # the card's buttons begin runs on the runs' own loop

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OPTIONS:  # set like this it would be no option at all, and nobody would know
            raise AttributeError(
                f"Set an option with chat.change({name}=...), which checks it, and read it in chat.options."
            )
        super().__setattr__(name, value)

    def _set(self, options: Options) -> None:
        if not asks_alike(options, self.options):
            self._source = source_of(options)
        is_elsewhere = options.record != self.options.record
        self.options = options
        if is_elsewhere:
            self._record_anew()

    def _record_anew(self) -> None:
        """Go on in a file of its own, where one is asked for: the whole chat is in it."""
        if self._file is not None:
            self._file.close()
        folder = self.options.record
        self._file = None if folder is None else ChatFile(folder, lambda: ChatLines(self._branches, self._kept))
        self._note()

    def _note(self) -> None:
        """Something is new in the chat. From any thread."""
        if self._file is not None and self._branches.began:  # for every chunk: the runs are not listed for it
            self._file.wake()

    @property
    def recording(self) -> Path | None:
        """The file that `record` asks for, once something was said; None without, and where its disk failed, which is
        told as a warning.
        """
        return None if self._file is None or not self._branches.began else self._file.path

    @property
    def _vertex(self) -> bool:
        return getattr(self.options.client, "vertexai", None) is True

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
        """The runs so far, of all branches, in the order they were begun in."""
        return self._branches.runs

    @property
    def history(self) -> list[Wire]:
        """Wire Contents: what the current branch says, which the next request sends before its own prompt."""
        return deepcopy(self._said)

    @property
    def _said(self) -> list[Wire]:
        """The history, for reading only."""
        return self._branches.contents(self._branches.head)

    def branches(self, run: Run) -> list[Run]:
        """The runs that were asked for at the same place, this one among them: after the same run, in the order they
        were begun in. Raises InvalidOption for a run of another chat.
        """
        self._place(run)
        return self._branches.siblings(run)

    def parent(self, run: Run) -> Run | None:
        """The run that this one goes on after; None where it was the first. Raises as `branches` does."""
        self._place(run)
        return self._branches.parent(run)

    def switch(self, run: Run) -> None:
        """Make the branch of this run current, to where it went last: the history is what it says, and `send` goes on
        there. Raises RunInProgress, and as `branches` does.
        """
        with self._lock:
            self._none_going()
            self._place(run)
            self._branches.switch(run)
            self._note()

    def _place(self, run: Run) -> Node:
        place = self._branches.place(run) if isinstance(run, Run) else None
        if place is None:
            raise InvalidOption(f"{run!r} is no run of this chat: give one of chat.runs.")
        return place

    def save(self, path: str | Path) -> None:
        """Write the conversation to a file, all branches and pending approvals included; `load_chat` reads it. Known
        keys are not in it (docs/journal.md). Raises OSError, and then what was there before still is.
        """
        write_lines(path, ChatLines(self._branches, self._kept).new())  # without the lock: a disk may be slow

    def __copy__(self) -> Chat:
        """Another chat with the same options that has said the same, in all branches. They share nothing that either
        could change; rules that decisions made stay behind, and where `record` asks for a file, the copy has its own.
        Raises RunInProgress.
        """
        with self._lock:
            self._none_going()
            stored = copy_of(self._branches, self._kept())
        chat = type(self)(**self.options.given | {"history": stored.history})
        chat._restore(stored)
        return chat

    def _kept(self) -> Json:
        """The settings that a file keeps."""
        return {"model": self.model, "system": self.system}

    def _restore(self, stored: StoredChat) -> None:
        """Take over earlier turns and runs. Those that wait for decisions go on."""
        self._branches = Branches(stored.history)
        self._file = None  # until all of it is there
        stored.restore(self._branches, self._restored_run)
        self._record_anew()
        for run in self.runs:
            if not run.done:
                self._start(run, loop_for(self.options.runner))

    def _restored_run(self, journal: Journal, parent: Node) -> Run:
        run = self._new_run(journal, parent)
        run._restore()
        return run

    def send(self, prompt: Any, *, after: Run | EllipsisType | None = ...) -> Run:
        """Start a run: `prompt` is what a notebook holds (docs/prompts.md). Returns at once, shows nothing.

        `after` begins another branch of the conversation after that run, as it was repaired, or, None, at its
        beginning; without it the current one goes on.

        Function calls that the last run left open are answered by `functionResponse` parts in the prompt, all of them
        at once, by our id, the provider's or the name; a prompt without any closes them unanswered.
        Raises InvalidPrompt, HistoryError, RunInProgress, NoRunningLoop; everything later is told by the run.
        """
        given = _copied(prompt_of(prompt))
        with self._lock:
            self._none_going()
            return self._ask(given, self._at(after))

    def queue(self, prompt: Any) -> Run:
        """The same as `send`, but where a run of this chat goes on, or is queued, the new one waits behind it, with the
        options of now. It is "queued" until every run before it has ended, however they ended; what `send` would raise
        about the history then, makes it fail. `run.stop()` takes it back: nothing is sent, and the history knows
        nothing of it. A tool that awaits what it queued behind its own run waits for ever. Raises InvalidPrompt and
        NoRunningLoop, and HistoryError where nothing goes on.
        """
        given = _copied(prompt_of(prompt))
        with self._lock:
            if self._going is None:
                return self._ask(given, self._branches.head)
            # whoever ends the run before it waits for the lock
            return self._begin(given, parent=self._branches.head, queued=True)

    def _at(self, after: Run | EllipsisType | None) -> Node:
        """The place that a prompt goes on after."""
        if isinstance(after, EllipsisType):
            return self._branches.head
        return self._branches.root if after is None else self._branches.end(self._place(after))

    def _ask(self, given: Prompt, parent: Node) -> Run:
        """Start a run with this prompt there."""
        return self._begin(replace(given, contents=self._answered(given.contents, parent)), parent=parent)

    def _answered(self, contents: list[Wire], parent: Node) -> list[Wire]:
        """A prompt with the answers that the calls still need which are open there."""
        opened = open_calls(self._branches.contents(parent))
        asked = self._asked(parent) if opened else []
        known = [call.result for call in asked] if len(asked) == len(opened) else []
        return answers_first(opened, contents, {c.id: OpenCall.of(c) for c in asked}, known)

    def again(self, run: Run | Again = "anew", how: Again | None = None) -> Run:
        """Go on after a run that did not end well, or ask for another answer in its place: the new run, started.

        `again(how)` is about the last run of the current branch, `again(run, how)` about any; `how` is "anew" where it
        is left out. "anew": ask again for what it did not bring to its end. The step that failed or was stopped is
        asked for anew and leaves the history; steps before it stay, and so does a step of which a tool began: nothing
        is run twice. Of a run that is named and ended well, the prompt is asked once more. Either way the new run is
        another branch, and the old one is still there (`branches`, `switch`). "repair": as "anew", after the repairs of
        the history that the run's error tells of. "continue": ask the model to go on where its answer was cut; what
        came of it stays in the history. Where Gemini gave a token for that (an answer in several hops), it goes on
        without a seam. Raises NothingToRepeat where the run gives no cause for it, and what `send`
        raises.
        """
        if isinstance(run, str) and how is not None:
            raise InvalidOption(f"again() takes one way to go on: {run!r} or {how!r}.")
        given, wanted = (None, run) if isinstance(run, str) else (run, how or "anew")
        if wanted not in get_args(Again):
            raise InvalidOption(f'how is "anew", "continue" or "repair", not {wanted!r}.')
        with self._lock:
            self._none_going()
            last = self._last if given is None else given
            if last is None:
                raise NothingToRepeat("There is nothing to try again: nothing was sent yet. Send a prompt instead.")
            place = self._place(last)
            if wanted == "anew":
                return self._ask_anew(self._branches.beginning(place), named=given is not None)
            if wanted not in last.offers:
                raise NothingToRepeat(
                    f"Nothing calls for {wanted!r}: run {last.id} is {last.status} and offers {last.offers}. Send a "
                    "prompt instead."
                )
            if wanted == "repair":
                return self._take_over(self._branches.beginning(place), last._repairs)
            if (token := last._token) is not None:
                return self._begin(Prompt([]), parent=place, token=token)
            return self.send(GO_ON) if given is None else self.send(GO_ON, after=last)

    def _ask_anew(self, place: Node, *, named: bool) -> Run:
        last = place.said
        assert isinstance(last, Run)
        if last.status in ("failed", "cancelled") and last._record.state.had_turn:
            return self._take_over(place, ())
        if not named or isinstance(self._source, WatchedSource):
            raise NothingToRepeat(
                f"There is nothing to try again: run {last.id} is {last.status}. Send a prompt instead."
            )
        state, header = last._record.state, last._record.journal.header
        prompt = Prompt(state.prompt, tuple(state.attachments))  # its own, which nobody changes
        assert place.parent is not None  # a run has a place before it, if only the root
        return self._begin(prompt, parent=place.parent, again=header.again or header.run)

    def _take_over(self, place: Node, repairs: Collection[str]) -> Run:
        """A run that takes the conversation over from the one at this place, mended by these repairs, without its loose
        end.
        """
        loop_for(self.options.runner)  # before anything is changed
        before = self._branches.leave(place, self._branches.end(place))
        if repairs:
            contents = self._branches.contents(before)
            mended, _ = repaired(contents, model=self.model, only=repairs, vertex=self._vertex)
            before = self._branches.mend(mended, before)
        return self._begin(Prompt([]), parent=before)

    def check(self) -> list[Violation]:
        """What Gemini would refuse in the next request: in the history, the tools, the system instruction and the
        settings, as far as they can be seen; and the repair on offer for each. Empty when it would be accepted. Of what
        `is_mended` the request is mended by itself when it is sent; anything else, save a field that has no name here,
        makes the run fail, and nothing is sent. Calls that are open at the end of the history are no refusal: `send`
        answers them.
        """
        how: Any = {"model": self.model, "vertex": self._vertex, "sent": self._branches.odd()}
        return refused_before(self._said, **how, body=self._request([], []).settings())

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
            request = self._request(self._said, self._answered(given, self._branches.head))
        if not request.contents:
            raise InvalidPrompt("There is nothing to count yet: give count() the prompt.")
        return await count(request)

    def repair(self, *codes: str) -> list[str]:
        """Mend the history: every refusal that has a repair, or those of these codes. What was done, in words.

        Later requests send the mended history; the runs themselves stay as they were. "corrupted_signature" has to be
        named: only Gemini can tell that a signature is not its own. So does what is odd in the parts that it sent.
        """
        with self._lock:
            self._none_going()
            sent = () if codes else self._branches.odd()
            how: Any = {"model": self.model, "only": codes or None, "vertex": self._vertex, "sent": sent}
            mended, done = repaired_before(self._said, **how)
            if done:
                self._branches.mend(mended, self._branches.head)
                self._note()
            return done

    def _check_tokens(self) -> None:
        """Raise TokenLimitReached where the next request would pass the limit."""
        limit = self.options.max_tokens_total
        if limit is None:
            return
        runs = self.runs
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
        return next((run for run in self.runs if not run.done), None)

    @property
    def _last(self) -> Run | None:
        """The last run of the current branch that is part of the conversation."""
        return next((run for run in self._branches.path(self._branches.head) if run._record.state.had_turn), None)

    def _none_going(self) -> None:
        self._advance()  # which also notices a run whose loop was closed under it
        if (going := self._going) is not None:
            raise RunInProgress(going)

    def _advance(self, _: object = None) -> None:
        """Give the first run that has not ended its turn. From any thread, as often as you like: after every end."""
        with self._lock:
            if self._advancer == get_ident():  # further up on this thread, where it goes on
                return
            self._advancer = get_ident()
            try:
                for run in self.runs:
                    if not run.done:
                        run._give_turn()
                    if not run.done:
                        return
            finally:
                self._advancer = 0

    def _begin(
        self,
        given: Prompt,
        *,
        parent: Node,
        queued: bool = False,
        token: str | None = None,
        again: str | None = None,
    ) -> Run:
        """Start a run. With `token` it has no prompt, and goes on with its parent's answer right where that stands.
        `again`: its prompt is that of the run with this id.
        """
        loop = loop_for(self.options.runner)  # before anything is changed
        header = Header(
            run=uuid4().hex,
            model=self.model,
            demo=is_demo(self.options),
            prompt=given.contents,
            started_at=time.time(),
            attachments=given.attachments,
            queued=queued,
            again=again,
        )
        run = self._new_run(Journal(header), parent, token)
        self._branches.add(run, parent)
        try:
            self._start(run, loop)
        except BaseException:  # a Ctrl+C: nobody else has the run to stop it
            run.stop(by="interrupt")
            raise
        return run

    def _start(self, run: Run, loop: AbstractEventLoop) -> None:
        run._record.keep(self._note)  # of a run that is restored and over, nothing is new
        run._start(loop)
        run._record.ended.add_done_callback(self._advance)

    def _new_run(self, journal: Journal, parent: Node, token: str | None = None) -> Run:
        """A run that goes on after what is said up to `parent`. That is over by its first request, and changes no
        more.
        """
        options, branches, header = self.options, self._branches, journal.header
        record = Record(journal, f"r{next(_run_numbers)}", clock=options.clock)

        def request(said: list[Wire]) -> Request:
            if token is not None and not said:  # what its answer goes on with was asked for without that answer
                return replace(self._request(branches.asked(parent), [], options), token=token)
            return self._request(branches.contents(parent), said, options)

        def prompt_at_its_turn() -> list[Wire]:
            with self._lock:
                return self._answered(header.prompt, parent)

        return Run(
            record,
            options,
            self._rules,
            self._source,
            request=request,
            check=self._check_tokens,
            offers=self._offers,
            again=self._again,
            turn=Turn(record, prompt=prompt_at_its_turn, look=self._advance) if header.queued else None,
        )

    def _offers(self, run: Run, ended: str, error: RunFailed | None) -> Offers:
        if isinstance(self._source, WatchedSource):  # gives its stream once
            return Offers()
        odd = self._branches.odd() if isinstance(error, RequestRefused) else ()  # which was judged knowing of them
        how: Any = {"model": self.model, "vertex": self._vertex, "sent": odd}
        return offers_after(run, ended, error, lambda: refusals(self._said, **how))

    def _request(self, history: list[Wire], said: list[Wire], options: Options | None = None) -> Request:
        """What is asked. Its contents are a copy: a source is somebody else's, and may do with them what it likes."""
        o, contents = options or self.options, deepcopy([*history, *said])
        return Request(o.model, contents, o.system, o.tools.wire, o.config, sent=self._branches.odd)

    def _again(self, run: Run, how: Again) -> Run:
        if run is not self._last:
            raise NothingToRepeat(f"The conversation went on after run {run.id}: send a prompt instead.")
        return self.again(how)

    def _asked(self, place: Node) -> list[ToolCall]:
        """The calls of the last step up to there that asked for any: those that may be open."""
        for run in self._branches.path(place):
            if calls := sent_calls(run.parts):
                return [call for call in calls if call.step == calls[-1].step]
        return []

    def __repr__(self) -> str:
        return f"<Chat {self.model} {len(self.runs)} runs>"


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
    stored = StoredChat(path)
    try:
        chat = Chat(**stored.about | given)
    except InvalidOption as error:  # what was given is checked
        raise RecordingError(f"{path} cannot be read: {error}") from error
    chat._restore(stored)
    return chat


def _copied(prompt: Prompt) -> Prompt:
    """Whoever gave it may go on changing it."""
    return replace(prompt, contents=deepcopy(prompt.contents))
