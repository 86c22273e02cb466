"""Whether a request that failed is sent again, and when. Only before anything of the answer came: a second answer must
never be mixed with the first.

The codes are those the SDK's own retries know (google-genai, HttpRetryOptions), which are off unless the client sets
them. RetryInfo: https://cloud.google.com/apis/design/errors#error_payloads
"""

from __future__ import annotations

import random

from .._api_words import asked_wait_s, meaning_of
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
    wait_s = asked_wait_s(error.message, error.details) if isinstance(error, ApiError) else None
    if wait_s is None:
        wait_s = min(_FIRST_S * 2 ** (attempt - 1), LONGEST_S) * random.uniform(1 - _JITTER, 1)
    return wait_s if wait_s <= LONGEST_S else None
