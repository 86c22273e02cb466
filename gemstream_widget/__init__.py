"""A streaming Gemini answer, alive in a notebook cell.

    import gemstream_widget as gem
    gem.ask("Explain CRDTs in three sentences", model="demo")

Public names are loaded when first used: importing the package loads neither the Gemini SDK nor Jupyter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .chat import Chat as Chat
    from .model import ToolCall as ToolCall
    from .run import Run as Run
    from .saved import load_chat as load_chat
    from .server import LocalGemini as LocalGemini
    from .show import ask as ask
    from .show import watch as watch
    from .source import ListSource as ListSource
    from .tools import Tool as Tool
    from .tools import tool as tool
    from .widget import Card as Card

__version__ = "0.1.0"

_ERRORS = (
    "ApiError ConnectionFailed DecisionRefused EmptyResponse GemstreamError HistoryError IllegalTransition "
    "InvalidChunk InvalidPrompt MalformedCall MissingKey NoRunningLoop NothingToRepeat PromptBlocked RecordingError "
    "ResponseBlocked RunCancelled RunFailed RunInProgress SourceError StreamStalled StreamTruncated ToolError "
    "ToolTimedOut"
).split()

_HOMES = {
    "Card": "widget",
    "Chat": "chat",
    "ListSource": "source",
    "LocalGemini": "server",
    "Run": "run",
    "Tool": "tools",
    "ToolCall": "model",
    "ask": "show",
    "load_chat": "saved",
    "tool": "tools",
    "watch": "show",
    **dict.fromkeys(_ERRORS, "errors"),
}
"""Public name to the module that holds it."""

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: PLE0604  # the table above is the one list of public names


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
