"""The models the local Gemini lists, and how they differ on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from .._plain import Json

__all__ = ["DEMO_MODELS", "METHODS", "SUCCESSORS", "describe"]

METHODS = ("generateContent", "streamGenerateContent", "countTokens")
"""What a model can be asked for."""

_WINDOW = 1_048_576


@dataclass(frozen=True, slots=True)
class Model:
    """A name the demo model answers to."""

    title: str
    call_ids: bool = True
    """Whether its calls have ids: Gemini 3 gives them, 2.x does not (as recorded)."""
    alias: bool = False
    """Whether it stands for the newest of its kind: v1 of the API has no such names."""
    output_tokens: int = 65_536
    """The most it says in one answer. Gemini 4 shares one window among input, thinking and output (its guide; how
    Google lists that is not recorded)."""

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
    "gemini-4-argon": Model("Gemini 4 Argon (demo)", output_tokens=_WINDOW),
    "gemini-4-hydrogen": Model("Gemini 4 Hydrogen (demo)", output_tokens=_WINDOW),
    "gemini-flash-latest": Model("Gemini Flash (demo)", alias=True),
    "gemini-pro-latest": Model("Gemini Pro (demo)", alias=True),
}
"""Those that Google lists in November 2026 without an end that is near, and `demo`.

Every thinking level passes: Gemini 4's guides name LOW, MEDIUM, HIGH and (Hydrogen's) XHIGH, and what a model says to a
level it has not is not public. By hearsay only: Gemini 4 refuses explicit caching, and Carbon and Neon will follow.
"""

SUCCESSORS = {"gemini-2.5-flash": "gemini-3.5-flash-lite", "gemini-2.5-pro": "gemini-3.8-flash"}
"""Who answers for a model that is shut down. On 2026-12-01 Google begins to route requests so on the Developer API, by
its page on deprecations (https://ai.google.dev/gemini-api/docs/deprecations, read in November 2026); that the answer
names the successor is our guess. Models that were shut down before are unknown, as they are at Google.
"""


def describe(name: str) -> Json:
    """A model as `GET /v1beta/models` shows it."""
    model = DEMO_MODELS.get(name) or Model(f"Recording {name}")
    return {
        "name": f"models/{name}",
        "version": "local",
        "displayName": model.title,
        "description": "Answered on this machine by gemstream_widget's local Gemini.",
        "inputTokenLimit": _WINDOW,
        "outputTokenLimit": model.output_tokens,
        "supportedGenerationMethods": [*METHODS],
    }
