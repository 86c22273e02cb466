"""What Gemini would refuse in a request body, and how to mend it.

`violations(body, model=...)` is pure: no network, no state. Each rule gives the text Gemini answers with, so that a
refusal found here reads like the one the provider would send. Where the wording is our own, the rule says so.

Rules come in three rounds. `strict` asks whether the body is JSON. `shapes` looks at fields, roles, parts and values.
Only a body whose shapes hold is looked at as a whole: what it declares (`declarations`), and, here, which turn may
follow which, which call is answered, which signature is missing.

Sources: the error texts of public issue threads (named at each rule), recorded traffic, and
https://ai.google.dev/gemini-api/docs/thought-signatures and https://ai.google.dev/gemini-api/docs/function-calling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .._plain import Json
from .._stream.matching import match
from .conversation import Function, Speech, current_turn, speeches
from .declarations import declaration_violations, declared, tools_of
from .shapes import shape_violations, unknown_name
from .strict import strict_violations
from .violation import Place, Violation
from .wire import camel, decode_base64, get

__all__ = ["SKIPPED", "SKIP_SIGNATURE", "Issued", "needs_signatures", "violations"]


Issued = Callable[[bytes, Mapping[str, Any]], bool]
"""Says whether a signature (its bytes) was issued for this part (wire form, signature included)."""

SKIP_SIGNATURE = b"skip_thought_signature_validator"
"""The signature that asks Gemini 3 to skip the check, for calls that another model made."""

SKIPPED = (SKIP_SIGNATURE, decode_base64(SKIP_SIGNATURE.decode()))  # as SDKs send it, and as written in plain JSON
_BUILT_IN_TOOLS = {
    "googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps", "fileSearch",
    "enterpriseWebSearch", "computerUse", "retrieval",
}  # fmt: skip
_TOOL_CONFIG = Place(fields=("toolConfig",))
_CALLING = _TOOL_CONFIG.at("functionCallingConfig")


def violations(
    body: Json, *, model: str, vertex: bool = False, issued: Issued | None = None, conversation: bool = True
) -> list[Violation]:
    """What Gemini would refuse in this `generateContent` body; empty when it would be accepted.

    `body` is wire JSON, in camelCase, snake_case or a mix; null means absent. `model` decides about signatures (Gemini
    3 needs them). `issued` is for a server that knows which signatures it gave out. Without `conversation` nothing is
    said of which turn may follow which, and which tools go together: Gemini does not ask it of what it counts. Never
    raises, whatever is in the body.

    >>> refused = violations({"contents": [{"role": "bot", "parts": [{"text": "hi"}]}]}, model="gemini-3.8-flash")
    >>> refused[0].message
    'Please use a valid role: user, model.'
    """
    unread = list(strict_violations(body))
    if any(violation.code != "lone_surrogate" for violation in unread):  # the rules read JSON
        return unread
    if found := [*unread, *shape_violations(body, vertex=vertex)]:
        return found
    request = _Body(body, model, vertex, issued)
    rules = _CONVERSATION if conversation else ()
    return [*declaration_violations(body), *(violation for rule in rules for violation in rule(request))]


def needs_signatures(model: str) -> bool:
    """Whether this model refuses calls without a thought signature: Gemini 3 and newer, and `-latest` names."""
    name = model.rsplit("/", 1)[-1]
    if version := re.match(r"gemini-(\d{1,9})", name):
        return int(version[1]) >= 3
    return name == "demo" or re.fullmatch(r"gemini-.*-latest", name) is not None


@dataclass(frozen=True, slots=True)
class _Body:
    """A request body whose shapes hold, and what decides about it."""

    body: Json
    model: str
    vertex: bool
    issued: Issued | None

    @property
    def contents(self) -> list[Json]:
        found: list[Json] = get(self.body, "contents")
        return found

    @property
    def speeches(self) -> list[Speech]:
        return speeches(self.contents)


def _tool_config(request: _Body) -> Iterator[Violation]:
    has_functions = any(True for _ in declared(request.body))
    config = get(request.body, "toolConfig") or {}
    calling = _message(config, "functionCallingConfig")
    if get(calling, "mode") in ("ANY", "VALIDATED") and not has_functions:
        yield Violation(  # https://github.com/UKGovernmentBEIS/inspect_ai/issues/2462
            "no_functions", _CALLING,
            "Function calling config is set without function_declarations.",
            "Declare a tool, or set the mode to AUTO.",
        )  # fmt: skip
    if get(calling, "streamFunctionCallArguments") is not None and not request.vertex:  # wording ours
        yield Violation(
            "vertex_only", _CALLING,
            unknown_name("streamFunctionCallArguments", "tool_config.function_calling_config"),
            "Remove stream_function_call_arguments: only Vertex has it.",
        )  # fmt: skip
    names = {camel(name) for tool in tools_of(request.body) for name, value in tool.items() if value is not None}
    both = has_functions and names & _BUILT_IN_TOOLS and needs_signatures(request.model)
    if both and not get(config, "includeServerSideToolInvocations"):
        yield Violation(  # https://github.com/cloudwego/eino-ext/issues/761
            "built_in_and_functions", _TOOL_CONFIG,
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
            "calling.",
            "Set tool_config.include_server_side_tool_invocations, or use one kind of tools.",
        )  # fmt: skip


def _message(message: Json, name: str) -> Json:
    value = get(message, name)
    return value if isinstance(value, dict) else {}


def _calls_follow_the_user(request: _Body) -> Iterator[Violation]:
    first = request.speeches[0]
    if first.role == "model" and (calls := first.open_calls()):
        yield Violation(  # https://github.com/google-gemini/gemini-cli/issues/11814
            "call_first", calls[0].place,
            "Please ensure that function call turn comes immediately after a user turn or after a function response "
            "turn.",
            "Start the conversation with what the user said.",
        )  # fmt: skip


def _responses_follow_calls(request: _Body) -> Iterator[Violation]:
    calls: list[Function] = []
    for speech in request.speeches:
        if speech.role == "model":
            calls = speech.open_calls()
        elif (responses := speech.functions("functionResponse")) and not calls:
            yield Violation(  # https://github.com/langchain-ai/langchain/issues/27799
                "response_without_call", responses[0].place,
                "Please ensure that function response turn comes immediately after a function call turn.",
                "Put the responses right after the content with the calls, or remove them.",
            )  # fmt: skip


def _calls_are_answered(request: _Body) -> Iterator[Violation]:
    # Recorded traffic: only gemini-2.0 let a call pass that has no answer at all.
    lenient = request.model.rsplit("/", 1)[-1].startswith("gemini-2.0")
    for speech, following in pairwise(request.speeches):
        if speech.role != "model" or not (calls := speech.open_calls()):
            continue
        responses = following.functions("functionResponse")
        # Gemini counts, as its message says, before it asks which response is whose: so does this rule.
        if len(calls) == len(responses):
            yield from _responses_match(calls, responses)
        elif responses or not lenient:  # https://github.com/google-gemini/gemini-cli/issues/16415
            yield Violation(
                "unanswered_call", calls[0].place,
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn.",
                f"Answer every call once, right after the calls: here are {len(calls)} calls and {len(responses)} "
                "responses. A stopped or denied call needs a response too.",
            )  # fmt: skip


def _responses_match(calls: list[Function], responses: list[Function]) -> Iterator[Violation]:
    called = [call.id for call in calls if call.id]
    answered = [response.id for response in responses if response.id]
    if len({*called}) < len(called):  # Gemini itself gave such: https://github.com/google/adk-python/issues/6761
        again = next(call for n, call in enumerate(calls) if call.id and call.id in [one.id for one in calls[:n]])
        yield Violation(  # wording ours
            "duplicate_id", again.place, "functionCall.id is not unique in its turn",
            "Leave the id out of the later call and of its response.",
        )  # fmt: skip
        return
    unique = len({*answered}) == len(answered)
    if called and not (unique and {*answered} <= {*called}):
        yield Violation(  # wording from the title of https://github.com/router-for-me/CLIProxyAPI/issues/5199
            "id_mismatch", responses[0].place, "functionResponse.id does not match functionCall.id",
            "Give each response the id of its call, or leave ids out of both.",
        )  # fmt: skip
        return
    places = match([call.named for call in calls], [response.named for response in responses])
    if any(n is None or calls[n].name != response.name for n, response in zip(places, responses, strict=True)):
        yield Violation(  # an equal id does not help: https://github.com/google/adk-python/issues/6761; wording ours
            "name_mismatch", responses[0].place, "functionResponse.name does not match functionCall.name",
            "Give each response the name of the function that was called.",
        )  # fmt: skip


def _ends_with_user(request: _Body) -> Iterator[Violation]:
    ends_with_model = get(request.contents[-1], "role") == "model"
    if ends_with_model and get(request.body, "continuationToken") is None:
        yield Violation(  # https://github.com/crewAIInc/crewAI/pull/6973
            "ends_with_model", Place(len(request.contents) - 1),
            "Please ensure that multiturn requests ends with a user role or a function response.",
            "Append what the user says next, or the responses to the model's calls.",
        )  # fmt: skip


def _calls_are_signed(request: _Body) -> Iterator[Violation]:
    if not needs_signatures(request.model):
        return
    turn = current_turn(request.contents)
    for speech in request.speeches:
        calls = speech.functions("functionCall") if speech.role == "model" and speech.start >= turn else []
        if calls and not get(calls[0].part, "thoughtSignature"):  # https://github.com/1jehuang/jcode/issues/518
            yield Violation(
                "missing_signature", calls[0].place,
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{calls[0].name}` , position {speech.start + 1}. Please refer to "
                "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                "Send the call back with the signature it came with. A call that another model made may carry "
                f"{SKIP_SIGNATURE.decode()!r} instead.",
            )  # fmt: skip


def _signatures_are_ours(request: _Body) -> Iterator[Violation]:
    if request.issued is None:
        return
    for i, content in enumerate(request.contents):
        for j, part in enumerate(get(content, "parts")):
            signature = decode_base64(get(part, "thoughtSignature"))
            if signature and signature not in SKIPPED and not request.issued(signature, part):
                # https://github.com/google-gemini/gemini-cli/issues/13467; Vertex: decolua/9router#301
                message = (
                    "Unable to submit request because Thought signature is not valid.. Learn more: "
                    "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
                    if request.vertex
                    else "Corrupted thought signature."
                )
                yield Violation(
                    "corrupted_signature", Place(i, j), message,
                    "Send the part unchanged and unmerged, with the signature it came with, to the model that made it; "
                    "or drop the signatures.",
                )  # fmt: skip


_CONVERSATION = (
    _tool_config, _calls_follow_the_user, _responses_follow_calls, _calls_are_answered, _ends_with_user,
    _calls_are_signed, _signatures_are_ours,
)  # fmt: skip
