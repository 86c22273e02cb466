"""The errors Gemini answers with, as bodies: `{"error": {"code", "message", "status", "details"}}`.

The texts of 400, 429, 503, the invalid key and the unknown model are recorded from the real service or quoted in public
threads. The wording of the others is ours.
"""

from __future__ import annotations

import json

from .._plain import Json
from .._process import Portable

__all__ = ["Refusal", "error_body", "error_status"]


_RPC = "type.googleapis.com/google.rpc."
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ABORTED",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_MESSAGES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    429: "You exceeded your current quota, please check your plan.",
    499: "The operation was cancelled.",
    500: "Internal error encountered.",
    503: "The model is overloaded. Please try again later.",
    504: "Deadline expired before operation could complete.",
}
_DETAILS: dict[int, list[Json]] = {
    429: [
        {
            "@type": _RPC + "QuotaFailure",
            "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
        },
        {"@type": _RPC + "RetryInfo", "retryDelay": "34.4s"},
    ],
}


def error_status(code: int) -> str:
    """The status word of an HTTP code, such as RESOURCE_EXHAUSTED for 429."""
    return _STATUS.get(code, "UNKNOWN")


def error_body(code: int, message: str | None = None, *, details: list[Json] | None = None) -> Json:
    """The body of an error; without a message, the usual one for the code, with its details."""
    words = message or _MESSAGES.get(code, "Unknown error.")
    error: Json = {"code": code, "message": words, "status": error_status(code)}
    if details is None and message is None:
        details = _DETAILS.get(code)
    return {"error": error | ({"details": details} if details else {})}


class Refusal(Portable):
    """The request is answered with an HTTP error instead of a model's answer."""

    def __init__(
        self,
        code: int,
        message: str | None = None,
        *,
        details: list[Json] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.code = code
        if retry_after_s is not None:
            details = [*(details or ()), {"@type": _RPC + "RetryInfo", "retryDelay": f"{retry_after_s:g}s"}]
        self.body = error_body(code, message, details=details)
        super().__init__(self.body["error"]["message"])

    @classmethod
    def missing_key(cls) -> Refusal:
        """No key was sent (wording ours)."""
        return cls(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
        )

    @classmethod
    def invalid_key(cls) -> Refusal:
        """A key was sent that does not exist."""
        message = "API key not valid. Please pass a valid API key."
        return cls(
            400,
            message,
            details=[
                {
                    "@type": _RPC + "ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                    "metadata": {"service": "generativelanguage.googleapis.com"},
                },
                {"@type": _RPC + "LocalizedMessage", "locale": "en-US", "message": message},
            ],
        )

    @classmethod
    def unknown_model(cls, model: str, version: str, place: str | None = None) -> Refusal:
        """There is no such model; `place` is where Vertex was asked for it, `projects/p/locations/l/publishers/google`.

        Vertex's words: https://github.com/genkit-ai/genkit/issues/4688
        """
        if place is not None:
            return cls(
                404,
                f"Publisher Model `{place}/models/{model}` was not found or your project does not have access to it. "
                "Please ensure you are using a valid model version. For more information, see: "
                "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
            )
        return cls(
            404,
            f"models/{model} is not found for API version {version}, or is not supported for generateContent. Call "
            "ModelService.ListModels to see the list of available models and their supported methods.",
        )

    def json(self) -> bytes:
        """The body as Gemini prints it: indented by two."""
        return json.dumps(self.body, indent=2, ensure_ascii=False).encode() + b"\n"
