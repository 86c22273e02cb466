"""The models the local Gemini lists, and how they differ on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from .._plain import Json

__all__ = ["DEMO_MODELS", "METHODS", "describe"]

METHODS = ("generateContent", "streamGenerateContent", "countTokens")
"""What a model can be asked for."""


@dataclass(frozen=True, slots=True)
class Model:
    """A name the demo model answers to."""

    title: str
    call_ids: bool = True
    """Whether its calls have ids: Gemini 3 gives them, 2.x does not (as recorded)."""
    alias: bool = False
    """Whether it stands for the newest of its kind: v1 of the API has no such names."""

    def answers(self, version: str) -> bool:
        """Whether this version of the API (`v1`, `v1beta`) knows it."""
        return not (self.alias and version == "v1")


DEMO_MODELS = {
    "demo": Model("Demo"),
    "gemini-2.5-flash-lite": Model("Gemini 2.5 Flash-Lite (demo)", call_ids=False),
    "gemini-3.1-flash-lite": Model("Gemini 3.1 Flash-Lite (demo)"),
    "gemini-3.5-flash-lite": Model("Gemini 3.5 Flash-Lite (demo)"),
    "gemini-3.5-flash": Model("Gemini 3.5 Flash (demo)"),
    "gemini-3.6-flash": Model("Gemini 3.6 Flash (demo)"),
    "gemini-3.7-flash": Model("Gemini 3.7 Flash (demo)"),
    "gemini-3.8-flash": Model("Gemini 3.8 Flash (demo)"),
    "gemini-4-argon": Model("Gemini 4 Argon (demo)"),
    "gemini-4-hydrogen": Model("Gemini 4 Hydrogen (demo)"),
    "gemini-flash-latest": Model("Gemini Flash (demo)", alias=True),
    "gemini-pro-latest": Model("Gemini Pro (demo)", alias=True),
}
"""Those that Google lists in November 2026 without an announced end, and `demo`."""


def describe(name: str) -> Json:
    """A model as `GET /v1beta/models` shows it."""
    title = DEMO_MODELS[name].title if name in DEMO_MODELS else f"Recording {name}"
    return {
        "name": f"models/{name}",
        "version": "local",
        "displayName": title,
        "description": "Answered on this machine by gemstream_widget's local Gemini.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": [*METHODS],
    }
