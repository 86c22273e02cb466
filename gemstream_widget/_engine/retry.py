"""Whether a request that failed is sent again, and when. Only before anything of the answer came: a second answer must
never be mixed with the first.

The codes are those the SDK's own retries know (google-genai, HttpRetryOptions), which are off unless the client sets
them. RetryInfo: https://cloud.google.com/apis/design/errors#error_payloads
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from .._api_words import meaning_of
from ..errors import ApiError, ConnectionFailed, EnvironmentFault, RunFailed, StreamStalled, StreamTruncated

__all__ = ["LONGEST_S", "retry_wait_s"]


LONGEST_S = 60.0
"""Nobody is kept waiting longer than this for one attempt: a quota that needs more is told as an error."""

_CODES = {408, 429, 500, 502, 503, 504}
_PASSING = (ConnectionFailed, StreamTruncated, StreamStalled)
_FIRST_S = 1.0
_JITTER = 0.2  # so that many runs that failed together do not come back together


def retry_wait_s(error: RunFailed, attempt: int) -> float | None:
    """Seconds to wait after `attempt` (1 for the first) failed with `error`, or None where trying again is no use.

    What Gemini asks for counts, in a RetryInfo, as `quotaResetDelay` or in words; otherwise 1, 2, 4 ... seconds, up to
    a fifth less. A quota of the day is not waited for, whatever is asked, nor what the environment is the cause of.
    """
    if isinstance(error, ApiError):
        if error.code not in _CODES or meaning_of(error.code, error.message, error.details).lasts:
            return None
    elif isinstance(error, EnvironmentFault) or not isinstance(error, _PASSING):
        return None
    wait_s = _asked_s(error.details, error.message) if isinstance(error, ApiError) else None
    if wait_s is None:
        wait_s = min(_FIRST_S * 2 ** (attempt - 1), LONGEST_S) * random.uniform(1 - _JITTER, 1)
    return wait_s if wait_s <= LONGEST_S else None


_IN_WORDS = re.compile(r"retry in ((?:[\d.]+(?:ms|[hms]))+)", re.IGNORECASE)
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def _asked_s(details: Any, message: str) -> float | None:
    """The wait that an error asks for, or None."""
    entries = list(_entries(details))
    infos = [
        entry.get("retryDelay") for entry in entries if str(entry.get("@type", "")).endswith("google.rpc.RetryInfo")
    ]
    said = (*infos, *(entry.get("quotaResetDelay") for entry in entries), *_IN_WORDS.findall(message))
    return next((wait_s for text in said if (wait_s := _seconds(text)) is not None), None)


def _seconds(duration: Any) -> float | None:
    """What protobuf and Go write as `28.4s`, `331.2ms` or `2h59m55.1s`; None for anything else."""
    pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|[hms])", str(duration))
    if not pieces or "".join(map("".join, pieces)) != duration:
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in pieces)


def _entries(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Every object in the body: the SDK hands it over whole, Vertex wraps it in a list."""
    if depth > 6:
        return
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for held in value:
            yield from _entries(held, depth + 1)
