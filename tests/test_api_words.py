"""Gemini's errors in words: what happened, and what to do about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._api_words import meaning_of

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
    (429, "Quota of requests per minute. Please retry in 48.9s.", None, "Too many requests (429)", "Wait 49 s"),
    (
        429,
        "Slow down.",
        [{"metadata": {"quotaResetDelay": "61m0.5s"}}],
        "Too many requests (429)",
        "Wait 1 h 1 min 1 s",
    ),
    (429, "Your quota will reset after 2h0m3s.", None, "Too many requests (429)", "Wait 2 h 3 s"),
    (429, "Slow down.", [{"retryDelay": "1s"}, {"quotaResetDelay": f"{10**400}s"}], "Too many", "Wait a little"),
    (429, f"Please retry in {10**400}h.", None, "Too many requests (429)", "Wait a little"),
    (429, "No.", [{"quota_limit_value": "0"}], "no quota for this model", "Waiting does not help"),
    (429, "Resource exhausted. See https://x/docs/error-code-429", None, "Too many requests (429)", "for anybody"),
    (429, "Your prepayment credits are depleted.", None, "money is used up", "add credit"),
    (503, "This model is currently experiencing high demand.", None, "overloaded (503)", "another model"),
    (503, "The service is currently unavailable.", None, "not available (503)", "Wait a little"),
    (404, "models/gemini-flash-latest is not found for API version v1, or", None, "alias", "_API_VERSION=v1beta"),
    (404, "models/gemini-9 is not found for API version v1, or", None, "No such model", "typing error. Aliases"),
    (404, "models/gemini-9 is not found for API version v1beta, or", None, "No such model", "typing error."),
    (401, "Request had invalid authentication credentials.", None, "these credentials", "gcloud auth"),
    (401, "Bad.", [{"reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED"}], "of another kind", "neither works"),
    (401, "Bad.", [{"reason": "ACCESS_TOKEN_EXPIRED"}], "no valid login", "gcloud auth"),
    (400, "Multiple authentication credentials received. Please pass only one.", None, "Two credentials", "not both"),
    (403, "Method doesn't allow unregistered callers. Please use API Key", None, "No key arrived", "GEMINI_API_KEY"),
    (403, "Bad.", [{"reason": "API_KEY_SERVICE_BLOCKED"}], "not made for this API", "restrictions"),
    (403, "Requests from referer <empty> are blocked.", None, "other callers", "web sites"),
    (403, "X API has not been used in project 1 before or it is disabled.", None, "turned off", "few minutes"),
    (403, "Permission 'aiplatform.endpoints.predict' denied", None, "lacks a permission", "Vertex AI User"),
    (403, "CachedContent not found (or permission denied)", None, "no such cached content", "cached_content"),
    (403, "You do not have permission to access the File abc or it may not exist.", None, "file cannot", "two days"),
    (404, "This model models/m is no longer available to new users.", None, "retired", "DEFAULT_MODEL"),
    (404, "Publisher Model `projects/p/models/m` was not found", None, "project and location", '"global"'),
    (404, "Requested entity was not found.", None, "no such thing", "address"),
    (400, "Invalid thought signature.", None, "thought signature", "chat.check()"),
    (400, "Please ensure that function call turn comes immediately after a user turn", None, "history", "chat.check()"),
    (400, "Unknown name \"id\" at 'contents[1].parts[0]': Cannot find field.", None, "a field", "v1beta"),
    (400, "The input token count (9) exceeds the maximum number of tokens allowed (8).", None, "too long", "new chat"),
    (400, "Request payload size exceeds the limit: 20971520 bytes.", None, "too large", "files.upload"),
    (400, "Request contains an invalid argument.", None, "refused the request", "one by one"),
    (302, "Unknown Error.", None, "points elsewhere", "BASE_URL"),
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


CAUSELESS = {
    "Request contains an invalid argument.",
    "Unknown Error.",
    "Resource has been exhausted (e.g. check quota).",
}
"""What recorded errors say that tell no cause: all that can be told of them is what their code means."""


def recorded_errors(corpus: Path) -> Iterator[tuple[int, dict[str, Any], Any]]:
    """Code, error and body of each."""
    for path in sorted((corpus / "errors").glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        for one in told if isinstance(told, list) else [told]:
            body = one["body"][0] if isinstance(one["body"], list) else one["body"]
            yield body["error"].get("code") or one["http_status"], body["error"], one["body"]


def test_every_recorded_error_has_words_of_its_cause(corpus: Path) -> None:
    """What says its cause is never told by its code alone; some say it in the details only."""
    by_code = {meaning_of(code, "", None).hint for code in (302, 400, 401, 403, 404, 429, 500, 503)}
    recorded = [(error["message"], meaning_of(code, error["message"], body)) for code, error, body in
                recorded_errors(corpus)]  # fmt: skip
    assert len(recorded) > 50
    assert all("{" not in meaning.title + meaning.hint for _, meaning in recorded)
    assert {message for message, meaning in recorded if meaning.hint in by_code} == CAUSELESS
