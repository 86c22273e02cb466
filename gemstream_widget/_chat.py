"""Chat: a conversation with one model, made of runs."""

from __future__ import annotations

import atexit
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._archive.saved import not_a_chat, read_document, write_document
from ._engine.driver import Options
from ._engine.gemini import GeminiSource
from ._engine.loops import Runner, loop_for
from ._engine.source import Request, Source, WatchedSource
from ._plain import Json, Wire
from ._request.pairing import OpenCall, answers_first, open_calls
from ._request.prompt import contents_of
from ._request.repair import Refusal, refusals, repaired
from ._request.turns import sent_calls
from ._run import Run
from ._stream.parts import TextPart, ToolCall
from ._stream.record import Record
from ._tools.policy import Policy, RuleBook
from ._tools.tool import ToolSet
from .errors import ApiError, NothingToRepeat, PromptBlocked, RunFailed, RunInProgress

if TYPE_CHECKING:
    from google.genai import Client

__all__ = ["DEFAULT_MODEL", "DEMO_MODEL", "Chat", "load_chat"]


DEFAULT_MODEL = "gemini-2.5-flash"
DEMO_MODEL = "demo"

GO_ON = "Go on exactly where your last answer was cut off. Do not repeat anything."

_run_numbers = itertools.count(1)  # counted, not random: a replay of the same session has the same ids


class Chat:
    """A conversation. `send` starts a run and returns at once; the history follows from the runs.

    `model`: a Gemini model, or "demo" for the local Gemini (no key, no internet). `system`: the system instruction.
    `tools`: functions, which are run here when the model asks and their policy allows, and declarations, whose calls
    are answered by the next send (tool.ToolSet). `approve`: the policy of tools that have none of their own: "auto",
    "ask", "never", or a function of the call. `approval_timeout_s`: after this time an undecided call is denied.
    `tool_timeout_s`: how long a tool without a time limit of its own may run.
    `max_steps`: requests per run, those sent again not counted. `retries`: how often a request that failed before
    anything of the answer came (429, 5xx, no connection) is sent again, after as long as Gemini asks for, up to a
    minute (default 2; 0 where `source` is given). `idle_timeout_s`: a stream that brings nothing for so long is given
    up; None waits for ever. `config`: the SDK's GenerateContentConfig or a dict of its fields; the SDK's automatic
    function calling is always off. `client`: a `google.genai.Client`; without one, the environment's key or Vertex
    settings are used. `source`: chunks from elsewhere (source.Source). `runner`: "loop" (the running event loop) or
    "thread" (see loops.py); policies and async tools run on that loop, other tools on threads of their own.
    `grace_s`: how long a stopped stream may take to end before the run ends without it.

    Use a chat from one thread; its runs may be stopped from any, and its card's buttons may begin a run on theirs.
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        system: str | None = None,
        tools: Iterable[Any] = (),
        config: Any = None,
        client: Client | None = None,
        source: Source | None = None,
        approve: Policy = "auto",
        approval_timeout_s: float | None = None,
        tool_timeout_s: float | None = None,
        max_steps: int = 10,
        retries: int | None = None,
        idle_timeout_s: float | None = None,
        runner: Runner = "loop",
        grace_s: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise ValueError(f'model is the name of a model, such as "{DEFAULT_MODEL}" or "demo", not {model!r}')
        if runner not in ("loop", "thread"):
            raise ValueError(f'runner is "loop" or "thread", not {runner!r}')
        self.model = model
        self.system = system
        self.tools = ToolSet(tools)
        self.approve = approve
        self.approval_timeout_s = approval_timeout_s
        self.tool_timeout_s = tool_timeout_s
        self.max_steps = max_steps
        self.retries = (2 if source is None else 0) if retries is None else retries
        self.idle_timeout_s = idle_timeout_s
        self.rules = RuleBook()
        self.config = config
        self.runner: Runner = runner
        self.grace_s = grace_s
        self._clock = clock
        self._vertex = getattr(client, "vertexai", None) is True
        self._demo = model == DEMO_MODEL and client is None and source is None
        if source is not None:
            self._source = source
        elif self._demo:
            self._source = GeminiSource(connect=_connect_demo)
        else:
            self._source = GeminiSource(client)
        self._runs: list[Run] = []
        self.earlier: list[Wire] = []
        """Wire Contents from before the runs that the history still reads: see `repair`."""
        self._first = 0
        self._lock = threading.RLock()  # the card's buttons begin runs on the runs' own loop

    @property
    def runs(self) -> list[Run]:
        """The runs so far, in order."""
        return list(self._runs)

    @property
    def history(self) -> list[Wire]:
        """Wire Contents: what the next request sends before its own prompt."""
        return [*self.earlier, *(content for run in self._runs[self._first :] for content in run.contents())]

    def save(self, path: str | Path) -> None:
        """Write the conversation to a file, pending approvals included; `load_chat` reads it."""
        about = {"model": self.model, "system": self.system, "history": self.earlier, "first": self._first}
        write_document(path, about, [run._to_json() for run in self._runs])

    def _restore(self, document: Json) -> None:
        """Take over what saved.py read: earlier turns, and runs. The last one goes on, where it waits for decisions."""
        self.earlier, self._first = document["history"], document["first"]
        for saved in document["runs"]:
            run = self._new_run(saved["prompt"], saved["opening"])
            run._restore(saved)
            self._runs.append(run)
        if self._runs and not self._runs[-1].done:
            self._runs[-1]._start(loop_for(self.runner))

    def send(self, prompt: Any) -> Run:
        """Start a run: `prompt` is text, wire parts or a Content (prompt.contents_of). Returns at once, shows nothing.

        Function calls that the last run left open are answered by `functionResponse` parts in the prompt, all of them
        at once, by our id, the provider's or the name; a prompt without any closes them unanswered.
        Raises InvalidPrompt, HistoryError, RunInProgress, NoRunningLoop; everything later is told by the run.
        """
        contents = contents_of(prompt)
        with self._lock:
            self._none_going()
            opened = open_calls(self.history)
            asked = self._asked()
            known = [call.result for call in asked] if len(asked) == len(opened) else []
            return self._start(answers_first(opened, contents, {c.id: OpenCall.of(c) for c in asked}, known))

    def retry(self) -> Run:
        """Ask again for what the last run did not bring to its end, after a failure or a Stop. Returns the new run.

        The step that failed or was stopped is asked for anew and leaves the history; it is still in `runs`. Steps
        before it stay, and so does a step of which a tool began: nothing is run twice. Raises NothingToRepeat where the
        last run ended well, or there is none, and what `send` raises.
        """
        return self._ask_again(())

    def resume(self) -> Run:
        """Ask the model to go on where its last answer was cut: what came of it stays in the history. Returns the new
        run. Raises NothingToRepeat where nothing came of it, and what `send` raises.
        """
        with self._lock:
            self._none_going()
            if not self._runs or not any(content["role"] == "model" for content in self._runs[-1].contents()):
                raise NothingToRepeat("There is no answer to go on with: send a prompt instead.")
            return self.send(GO_ON)

    def _ask_again(self, repairs: Collection[str]) -> Run:
        """A run that takes the conversation over from the last one, mended by these repairs, without its loose end."""
        with self._lock:
            self._none_going()
            last = self._runs[-1] if self._runs else None
            if last is None or last.status not in ("failed", "cancelled"):
                ended = f"run {last.id} is {last.status}" if last else "nothing was sent yet"
                raise NothingToRepeat(f"There is nothing to try again: {ended}. Send a prompt instead.")
            if self._first == len(self._runs) and last.contents():
                raise NothingToRepeat("The repaired history holds what came of the answer: use resume, or send.")
            earlier = [*self.earlier, *(content for run in self._runs[self._first : -1] for content in run.contents())]
            opening, _ = repaired([*earlier, *last._unfinished()], model=self.model, only=repairs, vertex=self._vertex)
            loop_for(self.runner)  # before anything is changed
            self.earlier, self._first = [], len(self._runs)
            return self._start([], opening)

    def check(self) -> list[Refusal]:
        """What Gemini would refuse in the history when the next prompt is sent, and the repair on offer for each; empty
        when it would be accepted. Calls that are open at its end are no refusal: `send` answers them.
        """
        history = self.history
        return refusals([*history, *_following(history)], model=self.model, vertex=self._vertex)

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
                self.earlier, self._first = mended, len(self._runs)
            return done

    def _none_going(self) -> None:
        if self._runs and not self._runs[-1].done:
            raise RunInProgress(self._runs[-1])

    def _start(self, prompt: list[Wire], opening: Sequence[Wire] = ()) -> Run:
        loop = loop_for(self.runner)
        run = self._new_run(prompt, opening)
        self._runs.append(run)
        run._start(loop)
        return run

    def _new_run(self, prompt: list[Wire], opening: Sequence[Wire]) -> Run:
        """A run that goes on after the history as it is now."""
        history = self.history
        record = Record(
            run=f"r{next(_run_numbers)}",
            model=self.model,
            demo=self._demo,
            prompt=prompt,
            opening=opening,
            clock=self._clock,
        )
        return Run(
            record,
            self._options(),
            request=lambda contents: self._request([*history, *contents]),
            offers=self._offers,
            again=self._again,
        )

    def _options(self) -> Options:
        """How a run of this chat is carried out, as the chat is set now."""
        return Options(
            source=self._source,
            tools=self.tools,
            rules=self.rules,
            approve=self.approve,
            approval_timeout_s=self.approval_timeout_s,
            tool_timeout_s=self.tool_timeout_s,
            max_steps=self.max_steps,
            retries=self.retries,
            idle_timeout_s=self.idle_timeout_s,
            grace_s=self.grace_s,
        )

    def _offers(self, run: Run, ended: str) -> list[str]:
        """What a reader may ask for after `run`, which is about to end as `ended`; the best first."""
        if isinstance(self._source, WatchedSource):  # gives its stream once
            return []
        step = run.steps[-1] if run.steps else None
        if ended == "completed":
            return ["continue"] if step is not None and step.outcome == "truncated" else []
        if mendable := self._mendable(run.error):
            assert run.error is not None
            run.repairs = list(mendable)
            run.error.hint = f"The repair on offer, also as run.again('repair'): {' '.join(mendable.values())}"
            return ["repair"]
        offers = [] if isinstance(run.error, PromptBlocked) else ["retry"]
        said = step is not None and any(
            isinstance(p, TextPart) and p.text and not p.thought and p.step == step.index for p in run.parts
        )
        return ["continue", *offers] if said else offers

    def _again(self, run: Run, how: str) -> Run:
        if run is not self._runs[-1]:
            raise NothingToRepeat(f"The conversation went on after run {run.id}: send a prompt instead.")
        return self.resume() if how == "continue" else self._ask_again(run.repairs if how == "repair" else ())

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

    def _request(self, contents: list[Wire]) -> Request:
        return Request(self.model, contents, self.system, self.tools.wire, self.config)

    def __repr__(self) -> str:
        return f"<Chat {self.model} {len(self._runs)} runs>"


def load_chat(path: str | Path, *, tools: Iterable[Any] = (), **options: Any) -> Chat:
    """The chat that `Chat.save` wrote; `tools` and `options` are those of Chat. Where its last run waited for decisions
    it waits again, which needs a running event loop or `runner="thread"`. Raises RecordingError for any other file.
    """
    document = read_document(path)
    try:
        chat = Chat(**{"model": document["model"], "system": document["system"], "tools": tools} | options)
        chat._restore(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise not_a_chat(path, error) from error
    return chat


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
