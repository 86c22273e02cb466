"""The exception tree.

    GemstreamError
    ├── RunFailed                 a run ended badly; raised by `await run`, carries `.run`
    │   ├── MissingKey            no key and no client to ask Gemini with
    │   ├── InvalidCredentials    a key that cannot be sent, or a login that gives no token
    │   ├── ApiError              Gemini answered with an error (`.code`, `.status`, `.details`)
    │   ├── ConnectionFailed      Gemini could not be reached
    │   │   └── EnvironmentFault  a variable of the environment stands in the way (`.variable`)
    │   ├── StreamTruncated       the stream ended without a finish reason
    │   ├── StreamStalled         nothing came for `idle_timeout_s`
    │   ├── InvalidChunk          bytes came that are not a Gemini chunk
    │   ├── EmptyResponse         the stream ended and held nothing
    │   ├── PromptBlocked         Gemini refused the prompt
    │   ├── ResponseBlocked       Gemini cut its answer for safety or rights
    │   ├── MalformedCall         the model wrote a function call that cannot be read
    │   ├── RequestRefused        Gemini would refuse the request, so it was not sent (`.place`); a HistoryError, too
    │   ├── TokenLimitReached     the chat may use no more tokens (`max_tokens_total`)
    │   └── SourceError           the source of the chunks raised something else
    ├── RunCancelled              a run was stopped; raised by `await run`, carries `.run`
    ├── InvalidOption             an option that does not exist, or a value that does not fit it
    ├── InvalidPrompt             what was given to `send` is not a prompt
    ├── RunInProgress             `send` while another run of the chat is going
    ├── NoRunningLoop             nothing could run the stream
    ├── LoopBusy                  the run's event loop is held up; nothing was changed
    ├── NothingToRepeat           `again` where nothing calls for it
    ├── HistoryError              the history would be refused by Gemini
    ├── ToolError                 a tool cannot be declared or called
    │   └── ToolTimedOut          it did not end in the time it was given
    ├── DecisionRefused           an approval or denial that changes nothing
    ├── RecordingError            a recording cannot be read
    └── IllegalTransition         our own state machine was misused: a bug here

    StopDelayed (a UserWarning)   a Stop that waits, since the run's event loop does not run

Every message says what happened, with which value, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._api_words import meaning_of
from ._plain import clean, clean_text
from ._process import Portable, rebuilt
from ._redact import redact, redact_all

if TYPE_CHECKING:
    from ._run import Run

__all__ = [
    "ApiError",
    "ConnectionFailed",
    "DecisionRefused",
    "EmptyResponse",
    "EnvironmentFault",
    "GemstreamError",
    "HistoryError",
    "IllegalTransition",
    "InvalidChunk",
    "InvalidCredentials",
    "InvalidOption",
    "InvalidPrompt",
    "LoopBusy",
    "MalformedCall",
    "MissingKey",
    "NoRunningLoop",
    "NothingToRepeat",
    "PromptBlocked",
    "RecordingError",
    "RequestRefused",
    "ResponseBlocked",
    "RunCancelled",
    "RunFailed",
    "RunInProgress",
    "SourceError",
    "StopDelayed",
    "StreamStalled",
    "StreamTruncated",
    "TokenLimitReached",
    "ToolError",
    "ToolTimedOut",
]


class GemstreamError(Portable):
    """Base of all errors of this package. They can be pickled, so that a worker process can raise them, and copied; the
    run that an error carries stays in its process: on the other side `.run` is None.
    """

    _stays = ("run",)


class RunFailed(GemstreamError):
    """A run ended badly. What came before the failure is kept in `.run`.

    `title` says what happened in a few words, `message` gives the value, `hint` what to do next.
    `run` is set when the run ends; it is None while the error is still on its way there.
    """

    title = "The run failed"
    hint = "Send the prompt again."

    def __init__(self, message: str = "", *, title: str | None = None, hint: str | None = None) -> None:
        message = clean_text(message)  # it may be somebody else's words, and goes to the page
        self.message = message
        self.title = type(self).title if title is None else title
        self.hint = type(self).hint if hint is None else hint
        self.run: Run | None = None
        super().__init__(message)

    def __str__(self) -> str:
        sentences = (s if s[-1:] in ".!?" else s + "." for s in (self.title, self.message, self.hint) if s)
        return " ".join(sentences)

    def to_json(self) -> dict[str, Any]:
        """The error as the page shows it: type, title, message, hint, code, status."""
        told = {
            "type": type(self).__name__,
            "title": self.title,
            "message": self.message,
            "hint": self.hint,
            "code": getattr(self, "code", None),
            "status": getattr(self, "status", None),
        }
        return {name: clean(value) for name, value in told.items()}


class MissingKey(RunFailed):
    """There is no key and no client to ask Gemini with."""

    title = "No API key"
    hint = 'Set GEMINI_API_KEY (or GOOGLE_API_KEY) and run the cell again, or use model="demo" to try without one.'


class InvalidCredentials(RunFailed):
    """The key cannot be sent, or the login gives no token: Gemini was not asked."""

    title = "The key cannot be sent"
    hint = "Copy the key again, and nothing around it."


class ApiError(RunFailed):
    """Gemini answered with an error.

    `code` is the HTTP status or the code in the error body, `status` its name (`RESOURCE_EXHAUSTED`), `details` the
    body's details as they came.
    """

    def __init__(self, code: int | None, status: str | None, message: str, details: Any = None) -> None:
        message, details = redact(message), redact_all(details)
        meaning = meaning_of(code, message, details)
        super().__init__(message, title=meaning.title, hint=meaning.hint)
        self.code = code
        self.status = status and redact(status)
        self.details = details


class ConnectionFailed(RunFailed):
    """Gemini could not be reached, or the connection was lost before the answer began."""

    title = "Gemini could not be reached"
    hint = "Check the network, a proxy and the base URL, then send the prompt again."


class EnvironmentFault(ConnectionFailed):
    """Gemini could not be reached because of a variable of the environment: a proxy, certificates, an address.
    `variable` is the one to correct, set or unset; "the system's settings" where they name the proxy.
    """

    def __init__(self, message: str, *, variable: str, title: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, title=title, hint=hint)
        self.variable = variable


class StreamTruncated(RunFailed):
    """The stream ended, or its connection was lost, without a finish reason."""

    title = "The answer is incomplete"
    hint = "What came is kept. Send a new prompt to go on, or the same one to try again."


class TokenLimitReached(RunFailed):
    """The next request would pass the chat's `max_tokens_total`. It was not sent."""

    title = "The chat's token limit is reached"
    hint = "Nothing was sent. chat.change(max_tokens_total=...) sets another limit, or None."

    @property
    def notice(self) -> dict[str, str]:
        """The same about a run that had begun, and ends before its next request."""
        kept = "What came is kept, and nothing more was sent."
        return {"level": "warn", "title": self.title, "message": f"{self.message} {kept}"}


class StreamStalled(RunFailed):
    """Nothing came for `idle_timeout_s` seconds."""

    title = "Gemini fell silent"
    hint = "What came is kept. Try again, or give it more time with idle_timeout_s."


class InvalidChunk(RunFailed):
    """Bytes came that are not a Gemini chunk."""

    title = "The stream could not be read"
    hint = "What came before is kept. Send the prompt again; if it happens again, a proxy may change the stream."


class EmptyResponse(RunFailed):
    """The stream ended and held nothing."""

    title = "The answer is empty"
    hint = "Send the prompt again."


class PromptBlocked(RunFailed):
    """Gemini refused the prompt. `reason` is its block reason as spelled on the wire."""

    title = "Gemini blocked this prompt"
    hint = "Change the prompt. It is left out of the conversation."

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ResponseBlocked(RunFailed):
    """Gemini cut its own answer. `finish_reason` is as spelled on the wire."""

    title = "Gemini cut this answer"
    hint = "What came is kept. Change the prompt and send it again."

    def __init__(self, finish_reason: str, message: str) -> None:
        super().__init__(message)
        self.finish_reason = finish_reason


class MalformedCall(RunFailed):
    """The model wrote a function call that cannot be read. `finish_reason` is as spelled on the wire."""

    title = "The model's function call could not be read"
    hint = "Send the prompt again: models often get it right the second time."

    def __init__(self, finish_reason: str, message: str, *, title: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, title=title, hint=hint)
        self.finish_reason = finish_reason


class SourceError(RunFailed):
    """The source of the chunks raised something that is none of these."""

    title = "The stream's source raised an error"


class RunCancelled(GemstreamError):
    """A run was stopped. What came before is kept in `.run`; `.run.receipt` tells how the Stop went."""

    def __init__(self, run: Run) -> None:
        self.run = run
        is_left = run.receipt is not None and run.receipt.by == "fork"
        how = "left to the process that this one was forked from, where it goes on" if is_left else "stopped"
        words = f"{how}; what came before is in .run (text: {len(run.text)} characters)"
        if run.stopped_by == "taken_back":
            words = "taken back before its turn; nothing was sent"
        super().__init__(f"Run {run.id} was {words}.")


class InvalidOption(GemstreamError, TypeError, ValueError):
    """An option that does not exist, or a value that does not fit it; told where it was given."""


class InvalidPrompt(GemstreamError, ValueError):
    """What was given to `send` is not a prompt."""


class RunInProgress(GemstreamError):
    """`send` while another run of the same chat is going. `.run` is that run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        super().__init__(
            f"Run {run.id} of this chat is still {run.status}: await it or stop it (run.stop()) before sending again, "
            "or let the prompt wait for its turn with chat.queue(prompt)."
        )


class NoRunningLoop(GemstreamError, RuntimeError):
    """There is no asyncio event loop to run the stream on, or to await a run on."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message
            or "No event loop is running here. In a notebook or an async function send() works as it is and can be "
            'awaited; in a plain script use Chat(runner="thread") and run.result().'
        )


class LoopBusy(GemstreamError, TimeoutError):
    """The event loop of a run did not get to what was asked of it, which is therefore never done."""

    def __init__(self, waited_s: float, *, is_running: bool = True) -> None:
        self.waited_s = waited_s
        why = "something blocks it. Ask again when it is free" if is_running else "nobody runs it. Ask while it runs"
        super().__init__(
            f"The run's event loop did not answer within {waited_s:g} s, so nothing was changed and nothing will be: "
            f'{why}, or use runner="thread".'
        )


class StopDelayed(Portable, UserWarning):
    """A Stop was asked for, and waits: the run's event loop does not run at the moment, as that of an IPython terminal
    between cells. Until it does, the connection stays open and the run's status what it was.
    """

    def __init__(self, run_id: str, status: str) -> None:
        super().__init__(
            f"Run {run_id} stays {status} for now: its event loop does not run, and stops it when it runs again. "
            'Await something on it, such as run.wait(), or use runner="thread", whose loop always runs.'
        )


class NothingToRepeat(GemstreamError):
    """`again` where the last run gives no cause for it."""


class HistoryError(GemstreamError):
    """The conversation's history would be refused by Gemini."""


class RequestRefused(RunFailed, HistoryError):
    """Gemini would refuse the request, so it was not sent. `place` is where in its body, such as
    `contents[2].parts[0]`, and `code` the rule's name, as `chat.check()` tells them; `message` is what Gemini would
    answer, and `hint` what to change.
    """

    title = "Gemini would refuse this request, so it was not sent"

    def __init__(self, message: str, *, place: str, code: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.place = place
        self.code = code


class ToolError(GemstreamError):
    """A tool cannot be declared or called."""


class ToolTimedOut(ToolError):
    """A tool did not end in the time it was given."""


class DecisionRefused(GemstreamError):
    """An approval or denial that came too late, a second time, for other arguments, or with ones that do not fit."""


class RecordingError(GemstreamError):
    """A recording cannot be read."""


class IllegalTransition(GemstreamError):
    """A state machine was given an event its state does not allow: a bug in this package."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"The {machine} machine has no transition from {state!r} on {event!r}.")


# -- errors in a file -------------------------------------------------------------------------------------------------


def error_to_json(error: RunFailed) -> dict[str, Any]:
    """The error with all that it holds, so that `error_from_json` makes the same of it; not the run."""
    held = {name: value for name, value in vars(error).items() if name not in ("run", "__notes__")}
    return {"type": type(error).__name__, **held, "notes": list(getattr(error, "__notes__", ()))}


def error_from_json(told: dict[str, Any]) -> RunFailed:
    """The error that `error_to_json` was given. One of a class that is not ours comes back as a RunFailed."""
    kind = globals().get(str(told.get("type")))
    kind = kind if isinstance(kind, type) and issubclass(kind, RunFailed) else RunFailed
    texts = {"message": "", "title": kind.title, "hint": kind.hint}
    held = {name: value for name, value in told.items() if name in texts or not hasattr(kind, name)}
    held = {name: value for name, value in held.items() if name not in ("type", "notes", "__notes__")}
    texts = {name: str(held.get(name, value)) for name, value in texts.items()}
    error = rebuilt(kind, (texts["message"],), {**held, **texts, "run": None})
    for note in told.get("notes") or ():
        error.add_note(str(note))
    return error


def __dir__() -> list[str]:
    return __all__
