"""What Gemini's errors mean, and what to do: one table, by code and by what the body says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["Meaning", "asked_wait_s", "meaning_of"]


class Meaning(NamedTuple):
    """How an error is told. `codes`: empty for whichever; `said`: a pattern for its message and details. `{code}` and
    `{wait}`, the time that Gemini asks to wait, stand for what the error has.
    `lasts`: it will not be over in a moment, whatever the body asks to wait.
    """

    codes: tuple[int, ...]
    said: str
    title: str
    hint: str
    lasts: bool = False


_NEW_KEY = "make a new one at https://aistudio.google.com/apikey"
_V1BETA = (
    "set GOOGLE_GENAI_API_VERSION=v1beta, or give "
    'client=genai.Client(http_options=gem.http_options(api_version="v1beta"))'
)
_LOGIN = "`gcloud auth application-default login`"
_HISTORY = 'chat.check() says what is wrong and where, and chat.repair() or run.again("repair") mends it.'
_CACHE = "make it again, or leave cached_content out."

_KEYS = (
    Meaning(
        (),
        r"reported as leaked",
        "The API key was leaked, and is blocked ({code})",
        f"It stays blocked: {_NEW_KEY}, and put it where the old one was.",
    ),
    Meaning((), r"API key expired|API_KEY_EXPIRED", "The API key has expired ({code})", f"Renew it, or {_NEW_KEY}."),
    Meaning(
        (),
        r"Multiple authentication credentials",
        "Two credentials were sent ({code})",
        "Give a key or a login, not both. The headers and the address of a client of yours, or a gateway on the way, "
        "may add one.",
    ),
    Meaning(
        (401,),
        r"API keys are not supported",
        "No API key is taken here (401)",
        f"Vertex AI with a project wants a login: run {_LOGIN}, and give no key. A key from AI Studio is for the "
        "Gemini API, without project, location and vertexai.",
    ),
    Meaning(
        (401,),
        r"ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "These credentials are of another kind than was asked for (401)",
        "A key goes into api_key or GEMINI_API_KEY, a login's token into the credentials of a client of yours; neither "
        f"works in the other's place. Keys of the old kind (AIza...) are being refused as well: {_NEW_KEY}.",
    ),
    Meaning(
        (401,),
        r"ACCESS_TOKEN_EXPIRED|CREDENTIALS_MISSING|missing required authentication",
        "There is no valid login (401)",
        f"Run {_LOGIN}, or give the client new credentials.",
    ),
    Meaning(
        (401, 403),
        r"unregistered callers",
        "No key arrived ({code})",
        "A key was not sent, or a gateway on the way dropped it: check GEMINI_API_KEY, and GOOGLE_GEMINI_BASE_URL or "
        "the client's address and headers.",
    ),
    Meaning(
        (),
        r"API key not|API_KEY_INVALID",
        "The API key was refused",
        "Check GEMINI_API_KEY or GOOGLE_API_KEY for a typing error. A login's token (ya29...) is no key: it belongs "
        "into the credentials of a client of yours.",
    ),
    Meaning(
        (403,),
        r"API_KEY_SERVICE_BLOCKED|Requests to this API \S+ method \S+ are blocked",
        "The API key is not made for this API (403)",
        f"Add the Generative Language API to the key's restrictions, or {_NEW_KEY}.",
    ),
    Meaning(
        (403,),
        r"API_KEY_\w+_BLOCKED|Requests from .* are blocked|IP address restriction",
        "The API key is restricted to other callers (403)",
        f"Take away its restriction to web sites, addresses or apps, or {_NEW_KEY}.",
    ),
)

_ACCOUNT = (
    Meaning(
        (400,),
        r"free tier is not available",
        "There is no free tier at this location ({code})",
        "Turn on billing for the key's project in AI Studio; what counts is where the request comes from.",
    ),
    Meaning(
        (400,),
        r"location is not supported",
        "Gemini is not offered at this location ({code})",
        "What counts is where the request comes from, a proxy or VPN included: "
        "https://ai.google.dev/gemini-api/docs/available-regions lists where. Vertex AI takes a location of its own.",
    ),
    Meaning(
        (403,),
        r"SERVICE_DISABLED|has not been used in project|it is disabled",
        "The project has this API turned off (403)",
        "Turn it on at the address that the message names, and try again a few minutes later.",
    ),
    Meaning(
        (400, 403),
        r"BILLING_DISABLED|requires billing",
        "The project has no billing ({code})",
        "Turn on billing for it, or use the key of another project.",
    ),
    Meaning(
        (403,),
        r"CONSUMER_SUSPENDED|has been (?:suspended|denied access|disabled in this account)|violation of Terms",
        "The account or the key's project is suspended (403)",
        "Nothing here can change that: ask Google's support, or use another project.",
    ),
    Meaning((403, 404), r"(?i)cached ?content|cache content", "There is no such cached content ({code})",
            f"It has expired, was deleted, or belongs to another project: {_CACHE}"),
    Meaning(
        (403, 404),
        r"\bfiles/[\w-]+|the File ",
        "The file cannot be had ({code})",
        "Uploaded files are kept for two days, and belong to the project of their key: upload it again, or give the "
        "file itself.",
    ),
    Meaning(
        (403,),
        r"IAM_PERMISSION_DENIED|Permission '",
        "The login lacks a permission (403)",
        "The message names it; the role Vertex AI User holds it. Check project, location and the model's name, too.",
    ),
)  # fmt: skip

_MODELS = (
    Meaning(
        (404,),
        r"no longer available",
        "This model is retired ({code})",
        "Ask a newer one: gem.DEFAULT_MODEL, or one of https://ai.google.dev/gemini-api/docs/models. Some are kept "
        "for those who used them before.",
    ),
    Meaning(
        (404,),
        r"models/\S+-latest is not found for API version v1,",
        "An alias that v1 of the API does not know ({code})",
        f"Name a model, or ask v1beta, which knows it: {_V1BETA}.",
    ),
    Meaning(
        (404,),
        r"for API version v1,",
        "No such model ({code})",
        f"Check the model's name for a typing error. Aliases and some previews are known to v1beta only: {_V1BETA}.",
    ),
    Meaning(
        (404,),
        r"Publisher Model",
        "No such model for this project and location (404)",
        "Check the model's name for a typing error, and the client's location: \"global\" has the most models.",
    ),
    Meaning(
        (404,),
        r"models/",
        "No such model (404)",
        "Check the model's name for a typing error. Models are retired, too: "
        "https://ai.google.dev/gemini-api/docs/models lists those there are.",
    ),
)

_REQUESTS = (
    Meaning(
        (400,),
        r"Unknown name",
        "Gemini does not know a field of the request (400)",
        f"The message names it. Some are known to v1beta or to Vertex AI only: {_V1BETA}.",
    ),
    Meaning(
        (400,),
        r"[Tt]hought.?signature",
        "Gemini refused a thought signature (400)",
        f"It is missing, or of another model, or not as it came. {_HISTORY}",
    ),
    Meaning(
        (400,),
        r"function (?:response|call) (?:parts|turn)|functionResponse\.id|valid role|multiturn requests|contents\["
        r"|'contents|contents\.parts|contents is not specified|at least one parts field|single.?turn requests",
        "Gemini refused the history (400)",
        _HISTORY,
    ),
    Meaning(
        (400,),
        r"include_server_side_tool_invocations",
        "Gemini does not take these tools together (400)",
        "Offer functions or built-in tools, not both, or turn on include_server_side_tool_invocations in tool_config.",
    ),
    Meaning(
        (400,),
        r"function_?[dD]eclaration|[Ff]unction declaration|function name|Function calling config",
        "Gemini refused the tools (400)",
        "The message names the one: change its name, its parameters or tool_config.",
    ),
    Meaning(
        (400,),
        r"token count .*exceeds|exceeds the maximum number of tokens",
        "This is too long for the model (400)",
        "Send less: a new chat or an earlier branch, a shorter prompt, smaller files. chat.count() tells the tokens.",
    ),
    Meaning(
        (400, 413),
        r"payload size exceeds|too large",
        "The request is too large ({code})",
        "Upload large files with the client's files.upload and give what it returns, or send less.",
    ),
    Meaning(
        (400,),
        r"Responsible AI|sensitive words",
        "Gemini refused what the prompt says (400)",
        "Change the prompt; the message may say why.",
    ),
    Meaning(
        (400,),
        r"fetch content|URL_|Unsupported file ur",
        "Gemini could not fetch a file (400)",
        "Its address must be open to Google, robots.txt included. Give the file itself, as a path or as bytes.",
    ),
    Meaning(
        (400,),
        r"thumbnailer|process input image|[Uu]nsupported MIME|image is not valid|document has no pages",
        "Gemini could not read a file (400)",
        "Check that the file is whole, and that its type is what it is said to be.",
    ),
    Meaning((400,), r"(?i)cached ?content", "The cached content does not fit (400)",
            f"The message says why. If it is another model's or too small, {_CACHE}"),
    Meaning((400,), r"model name format|\.model:", "Gemini does not take this model's name (400)",
            "Write it as in gem.DEFAULT_MODEL, with or without models/ before it."),
    Meaning(
        (400,),
        r"is not (?:enabled|supported)|supported range|not supported by the model|only works in|[Bb]udget|generation_?"
        r"[cC]onfig",
        "A setting does not fit this model (400)",
        "The message says which: change it in config=, or ask another model.",
    ),
)  # fmt: skip

_QUOTAS = (
    Meaning(
        (429,),
        r'limit: 0(?!\d)|"quota_?(?:limit_)?[vV]alue": "0"',
        "There is no quota for this model ({code})",
        "Waiting does not help: ask another model, or another location of Vertex AI, or turn on billing for the key's "
        "project.",
        lasts=True,
    ),
    Meaning(
        (429,),
        r"PerDay|per day",
        "The quota of the day is used up ({code})",
        "It is renewed at midnight Pacific time (https://ai.google.dev/gemini-api/docs/rate-limits). Until then ask "
        "another model, or raise the quota.",
        lasts=True,
    ),
    Meaning(
        (429,),
        r"credits are depleted|spending (?:cap|limit)",
        "The project's money is used up ({code})",
        "Waiting does not help: add credit or raise the limit in AI Studio, or use the key of another project.",
        lasts=True,
    ),
    Meaning(
        (429,),
        r"PerMinute|per minute",
        "Too many requests (429)",
        "The quota of a minute is used up. Wait {wait} and send the prompt again, send fewer or shorter ones, or raise "
        "the quota.",
    ),
    Meaning(
        (429,),
        r"error-code-429",
        "Too many requests (429)",
        "Vertex AI has no room at the moment, for anybody. Wait {wait} and send the prompt again, or ask at the "
        'location "global".',
    ),
    Meaning((429,), "", "Too many requests (429)", "Wait {wait} and send the prompt again, or check the quota."),
    Meaning(
        (503,),
        r"overloaded|high demand",
        "Gemini is overloaded (503)",
        "Nothing of yours is wrong. Wait {wait} and send the prompt again, or ask another model.",
    ),
)

_BY_CODE = (
    Meaning(
        (400,),
        "",
        "Gemini refused the request (400)",
        "chat.check() looks through the history. If it finds nothing, leave out what is special, one by one: settings, "
        "tools, files.",
    ),
    Meaning(
        (401,),
        "",
        "Gemini does not know these credentials (401)",
        f"Check the key. A login may have expired: {_LOGIN}, or new credentials for the client.",
    ),
    Meaning((403,), "", "Not allowed (403)", "Check that the key or account may use this model."),
    Meaning((404,), "", "There is no such thing (404)", "Check the model's name, and the address that is asked."),
    Meaning((407,), "", "The proxy asks for a login (407)", "Give HTTP_PROXY a user name and password, or correct it."),
    Meaning((408, 504), "", "Gemini took too long ({code})", "Send the prompt again, or shorten it."),
    Meaning((499,), "", "Gemini cancelled the request (499)", "Send the prompt again."),
    Meaning((500,), "", "Gemini had an internal error (500)", "Send the prompt again in a moment."),
    Meaning((503,), "", "Gemini is not available (503)", "Wait {wait} and send the prompt again."),
    Meaning(
        (301, 302, 303, 307, 308),
        "",
        "The address points elsewhere ({code})",
        "Check GOOGLE_GEMINI_BASE_URL or the client's base_url.",
    ),
    Meaning((), "", "Gemini answered with an error ({code})", "Send the prompt again."),
)

_MEANINGS = _KEYS + _ACCOUNT + _MODELS + _REQUESTS + _QUOTAS + _BY_CODE
"""The first that fits counts. What messages say is recorded or quoted in public threads, and may change."""


def meaning_of(code: int | None, message: str, details: Any) -> Meaning:
    """What an error means: its `title` and `hint` are complete."""
    text = f"{message}\n{json.dumps(details, default=str)}"
    found = next(m for m in _MEANINGS if (not m.codes or code in m.codes) and re.search(m.said, text))
    wait_s = asked_wait_s(message, details) if "{wait}" in found.hint else None
    hint = found.hint.replace("{wait}", "a little" if wait_s is None else _in_words(wait_s))
    return found._replace(title=found.title.replace("{code}", str(code or "no code")), hint=hint)


def _in_words(wait_s: float) -> str:
    """A time in whole seconds, rounded up."""
    seconds = math.ceil(wait_s)
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    pieces = ((hours, "h"), (minutes, "min"), (seconds % 60, "s"))
    return " ".join(f"{number} {unit}" for number, unit in pieces if number) or "a moment"


# -- the wait that an error asks for -----------------------------------------------------------------------------------

_IN_WORDS = re.compile(r"(?:retry|try again|reset) (?:in|after) ((?:[\d.]+(?:ms|[hms]))+)", re.IGNORECASE)
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def asked_wait_s(message: str, details: Any) -> float | None:
    """The seconds that an error asks to wait, in a RetryInfo, as `quotaResetDelay` or in words; None where it does not.
    RetryInfo: https://cloud.google.com/apis/design/errors#error_payloads
    """
    entries = list(_entries(details))
    infos = [
        entry.get("retryDelay") for entry in entries if str(entry.get("@type", "")).endswith("google.rpc.RetryInfo")
    ]
    said = (*infos, *(entry.get("quotaResetDelay") for entry in entries), *_IN_WORDS.findall(message))
    return next((wait_s for text in said if (wait_s := _seconds(text)) is not None), None)


def _seconds(duration: Any) -> float | None:
    """What protobuf and Go write as `28.4s`, `331.2ms` or `2h59m55.1s`; None for anything else, a time that no number
    holds included.
    """
    pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|[hms])", str(duration))
    if not pieces or "".join(map("".join, pieces)) != duration:
        return None
    wait_s = sum(float(number) * _UNITS_S[unit] for number, unit in pieces)
    return wait_s if math.isfinite(wait_s) else None


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
