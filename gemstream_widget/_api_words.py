"""What Gemini's errors mean, and what to do: one table, by code and by what the body says."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

__all__ = ["Meaning", "meaning_of"]


class Meaning(NamedTuple):
    """How an error is told. `code` None: whichever; `said`: a pattern for its message and details.
    `lasts`: it will not be over in a moment, whatever the body asks to wait.
    """

    code: int | None
    said: str
    title: str
    hint: str
    lasts: bool = False


_NEW_KEY = "make a new one at https://aistudio.google.com/apikey"
_V1BETA = (
    "set GOOGLE_GENAI_API_VERSION=v1beta, or give "
    'client=genai.Client(http_options=gem.http_options(api_version="v1beta"))'
)

_MEANINGS = (
    Meaning(
        None,
        r"reported as leaked",
        "The API key was leaked, and is blocked ({code})",
        f"It stays blocked: {_NEW_KEY}, and put it where the old one was.",
    ),
    Meaning(None, r"API key expired|API_KEY_EXPIRED", "The API key has expired ({code})", f"Renew it, or {_NEW_KEY}."),
    Meaning(
        401,
        r"API keys are not supported",
        "No API key is taken here (401)",
        "Vertex AI with a project wants a login: run `gcloud auth application-default login`, and give no key.",
    ),
    Meaning(
        None,
        r"API key|API_KEY_INVALID",
        "The API key was refused",
        "Check GEMINI_API_KEY or GOOGLE_API_KEY for a typing error.",
    ),
    Meaning(
        400,
        r"location is not supported",
        "Gemini is not offered at this location ({code})",
        "What counts is where the request comes from, a proxy or VPN included: "
        "https://ai.google.dev/gemini-api/docs/available-regions lists where. Vertex AI takes a location of its own.",
    ),
    Meaning(
        429,
        r"limit: 0(?!\d)",
        "There is no quota for this model ({code})",
        "Waiting does not help: ask another model, or turn on billing for the key's project.",
        lasts=True,
    ),
    Meaning(
        429,
        r"PerDay|per day",
        "The quota of the day is used up ({code})",
        "It is renewed at midnight Pacific time (https://ai.google.dev/gemini-api/docs/rate-limits). Until then ask "
        "another model, or raise the quota.",
        lasts=True,
    ),
    Meaning(
        404,
        r"models/\S+-latest is not found for API version v1,",
        "An alias that v1 of the API does not know ({code})",
        f"Name a model, or ask v1beta, which knows it: {_V1BETA}.",
    ),
    Meaning(
        404,
        r"for API version v1,",
        "No such model ({code})",
        f"Check the model's name for a typing error. Aliases and some previews are known to v1beta only: {_V1BETA}.",
    ),
    Meaning(400, "", "Gemini refused the request (400)", "Check the model's name, the settings and the history."),
    Meaning(
        401,
        "",
        "Gemini does not know these credentials (401)",
        "Check the key. A login may have expired: `gcloud auth application-default login`, or new credentials for the "
        "client.",
    ),
    Meaning(403, "", "Not allowed (403)", "Check that the key or account may use this model."),
    Meaning(404, "", "No such model (404)", "Check the model's name for a typing error."),
    Meaning(407, "", "The proxy asks for a login (407)", "Give HTTP_PROXY a user name and password, or correct it."),
    Meaning(429, "", "Too many requests (429)", "Wait a little and send the prompt again, or check the quota."),
    Meaning(499, "", "Gemini cancelled the request (499)", "Send the prompt again."),
    Meaning(500, "", "Gemini had an internal error (500)", "Send the prompt again in a moment."),
    Meaning(503, "", "Gemini is overloaded (503)", "Send the prompt again in a moment."),
    Meaning(504, "", "Gemini took too long (504)", "Send the prompt again, or shorten it."),
    Meaning(None, "", "Gemini answered with an error ({code})", "Send the prompt again."),
)
"""The first that fits counts. What messages say is recorded or quoted in public threads, and may change."""


def meaning_of(code: int | None, message: str, details: Any) -> Meaning:
    """What an error means: its `title` and `hint` are complete."""
    text = f"{message}\n{json.dumps(details, default=str)}"
    found = next(m for m in _MEANINGS if m.code in (None, code) and re.search(m.said, text))
    return found._replace(title=found.title.format(code=code or "no code"))
