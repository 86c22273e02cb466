"""A streaming Gemini answer, alive in a notebook cell.

    import gemstream_widget as gem
    gem.ask("Explain CRDTs in three sentences", model="demo")

Public names are loaded when first used: importing the package loads neither the Gemini SDK nor Jupyter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors as errors
    from . import events as events
    from . import server as server
    from ._chat import Chat as Chat
    from ._chat import load_chat as load_chat
    from ._engine.gemini import http_options as http_options
    from ._engine.options import DEFAULT_MODEL as DEFAULT_MODEL
    from ._engine.source import ListSource as ListSource
    from ._notebook.card import Card as Card
    from ._notebook.display import ask as ask
    from ._notebook.display import watch as watch
    from ._notebook.doctor import doctor as doctor
    from ._run import Run as Run
    from ._run import runs as runs
    from ._run import stop_all as stop_all
    from ._stream.parts import ToolCall as ToolCall
    from ._tools.tool import Tool as Tool
    from ._tools.tool import tool as tool
    from .server import LocalGemini as LocalGemini

__version__ = "0.1.0"

_ERRORS = (
    "ApiError ConnectionFailed DecisionRefused EmptyResponse EnvironmentFault GemstreamError HistoryError "
    "IllegalTransition InvalidChunk InvalidCredentials InvalidOption InvalidPrompt LoopBusy MalformedCall MissingKey "
    "NoRunningLoop NothingToRepeat PromptBlocked RecordingError RequestRefused ResponseBlocked RunCancelled RunFailed "
    "RunInProgress SourceError StopDelayed StreamStalled StreamTruncated TokenLimitReached ToolError ToolTimedOut"
).split()

_MODULES = ("errors", "events", "server")
"""Public modules."""

_HOMES = {
    "Card": "_notebook.card",
    "Chat": "_chat",
    "DEFAULT_MODEL": "_engine.options",
    "ListSource": "_engine.source",
    "LocalGemini": "server",
    "Run": "_run",
    "Tool": "_tools.tool",
    "ToolCall": "_stream.parts",
    "ask": "_notebook.display",
    "doctor": "_notebook.doctor",
    "http_options": "_engine.gemini",
    "load_chat": "_chat",
    "runs": "_run",
    "stop_all": "_run",
    "tool": "_tools.tool",
    "watch": "_notebook.display",
    **dict.fromkeys(_ERRORS, "errors"),
}
"""Public name to the module that holds it."""

__all__ = [*sorted((*_HOMES, *_MODULES)), "__version__"]  # noqa: PLE0604  # the table above is the one list of public names


if not TYPE_CHECKING:  # a checker knows the names above, and tells of any other

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{home}", __name__), name)
        globals()[name] = value
        return value


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext gemstream_widget`: adds `%%gem` and `%gem`."""
    import_module("._notebook.extension", __name__).load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext gemstream_widget`: takes them back."""
    import_module("._notebook.extension", __name__).unload(shell)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
