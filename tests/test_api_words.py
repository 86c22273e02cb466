"""Gemini's errors in words: what happened, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import gemstream_widget as gem

TELLING: list[tuple[int, str, Any, str, str]] = [
    (400, "API key not valid. Please pass a valid API key.", None, "was refused", "typing error"),
    (400, "Bad.", [{"reason": "API_KEY_INVALID"}], "was refused", "typing error"),
    (403, "Your API key was reported as leaked. Please use another API key.", None, "leaked", "aistudio.google.com"),
    (400, "API key expired. Please renew the API key.", None, "has expired", "aistudio.google.com"),
    (401, "API keys are not supported by this API. Expected OAuth2 access token", None, "No API key", "gcloud auth"),
    (400, "User location is not supported for the API use.", None, "location (400)", "available-regions"),
    (429, "Slow down.", [{"violations": [{"quotaId": "RequestsPerDayPerProject"}]}], "quota of the day", "midnight"),
    (429, "Quota exceeded for 'Generate requests per day'.", None, "quota of the day", "midnight"),
    (429, "Quota exceeded, limit: 0, model: m", None, "no quota for this model", "billing"),
    (429, "Quota exceeded, limit: 05", [{"quotaId": "PerMinute"}], "Too many requests (429)", "Wait a little"),
    (404, "models/gemini-flash-latest is not found for API version v1, or", None, "alias", "_API_VERSION=v1beta"),
    (404, "models/gemini-9 is not found for API version v1, or", None, "No such model", "typing error. Aliases"),
    (404, "models/gemini-9 is not found for API version v1beta, or", None, "No such model", "typing error."),
    (401, "Request had invalid authentication credentials.", None, "these credentials", "gcloud auth"),
    (418, "Teapot.", None, "an error (418)", "again"),
]


@pytest.mark.parametrize(("code", "message", "details", "title", "hint"), TELLING)
def test_an_error_says_what_to_do(code: int, message: str, details: Any, title: str, hint: str) -> None:
    error = gem.ApiError(code, None, message, details and {"error": {"details": details}})
    assert title in error.title
    assert hint in error.hint
    assert "{" not in error.title + error.hint
    assert str(error).startswith(f"{error.title}. {message.rstrip('.')}")


def test_an_alias_is_asked_of_the_version_that_knows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the error advises, and without a new chat."""
    with gem.LocalGemini(speed=1000) as server:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", "a-key-of-mine-0123456789")
        chat = gem.Chat(model="gemini-flash-latest")

        async def main() -> None:
            run = await chat.send("@say hi").wait()
            assert "GOOGLE_GENAI_API_VERSION=v1beta" in str(run.error)
            monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v1beta")
            assert (await chat.send("@say hi")).text == "hi"

        asyncio.run(main())
