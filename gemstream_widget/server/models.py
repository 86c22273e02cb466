"""The models the local Gemini lists, and how they differ on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from .._plain import Json

__all__ = ["DEMO_MODELS", "describe"]


@dataclass(frozen=True, slots=True)
class Model:
    """A name the demo model answers to."""

    title: str
    call_ids: bool = True
    """Whether its calls have ids: Gemini 3 gives them, 2.x does not (as recorded)."""


DEMO_MODELS = {
    "demo": Model("Demo"),
    "gemini-2.0-flash": Model("Gemini 2.0 Flash (demo)", call_ids=False),
    "gemini-2.5-flash": Model("Gemini 2.5 Flash (demo)", call_ids=False),
    "gemini-2.5-flash-lite": Model("Gemini 2.5 Flash-Lite (demo)", call_ids=False),
    "gemini-2.5-pro": Model("Gemini 2.5 Pro (demo)", call_ids=False),
    "gemini-3-flash-preview": Model("Gemini 3 Flash (demo)"),
    "gemini-3-pro-preview": Model("Gemini 3 Pro (demo)"),
    "gemini-3.5-flash": Model("Gemini 3.5 Flash (demo)"),
    "gemini-flash-latest": Model("Gemini Flash (demo)"),
    "gemini-pro-latest": Model("Gemini Pro (demo)"),
}


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
        "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
    }
