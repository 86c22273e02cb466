"""What Gemini would refuse in a request body, and how to mend it.

`violations(body, model=...)` is pure: no network, no state. Each rule names the text Gemini answers with, so that a
refusal found here reads like the one the provider would send. Where the wording is our own, the rule says so.

Rules come in two rounds. The first looks at shapes: fields, roles, parts, values. Only a body whose shapes hold is
looked at as a conversation: which turn may follow which, which call is answered, which signature is missing.

Sources: the error texts of public issue threads (named at each rule), recorded traffic, and
https://ai.google.dev/gemini-api/docs/thought-signatures and https://ai.google.dev/gemini-api/docs/function-calling.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

__all__ = ["SKIP_SIGNATURE", "Issued", "Violation", "decode_base64", "field", "needs_signatures", "violations"]

Json = dict[str, Any]
Issued = Callable[[bytes, Mapping[str, Any]], bool]
"""Says whether a signature (its bytes) was issued for this part (wire form, signature included)."""

SKIP_SIGNATURE = b"skip_thought_signature_validator"
"""The signature that asks Gemini 3 to skip the check, for calls another model made."""

DATA_FIELDS = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
)  # fmt: skip
FIELDS = {
    "content": {"role", "parts"},
    "part": {
        *DATA_FIELDS, "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata",
        "audioTranscription", "mediaProcessing", "speechMetadata", "documentMetadata", "spreadsheetMetadata",
        "audioMetadata",
    },
    "functionCall": {"id", "name", "args", "partialArgs", "willContinue"},
    "functionResponse": {"id", "name", "response", "parts", "willContinue", "scheduling"},
}  # fmt: skip
BUILT_IN_TOOLS = {
    "googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps", "fileSearch",
    "enterpriseWebSearch", "computerUse", "retrieval",
}  # fmt: skip
FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing Gemini would refuse."""

    code: str
    """Short stable name of the rule, such as `unanswered_call`."""
    path: str
    """Where in the body, such as `contents[1].parts[0]`."""
    message: str
    """What Gemini answers (400 INVALID_ARGUMENT)."""
    hint: str
    """What to change, in plain words."""


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring contents of one role, which Gemini counts as one turn."""

    role: str
    contents: tuple[tuple[int, Json], ...]

    def parts(self, name: str) -> list[tuple[str, Json, Json]]:
        """(path, part, value) of every part that has the field `name`."""
        found = []
        for i, content in self.contents:
            for j, part in enumerate(field(content, "parts")):
                if (value := field(part, name)) is not None:
                    found.append((f"contents[{i}].parts[{j}]", part, value))
        return found

    @property
    def path(self) -> str:
        return f"contents[{self.contents[0][0]}]"


@dataclass(frozen=True, slots=True)
class _Request:
    body: Json
    model: str
    vertex: bool
    issued: Issued | None

    @property
    def contents(self) -> list[Json]:
        return field(self.body, "contents") or []

    def parts(self) -> Iterator[tuple[str, Json]]:
        for i, content in enumerate(self.contents):
            for j, part in enumerate(field(content, "parts") or ()):
                yield f"contents[{i}].parts[{j}]", part

    def runs(self) -> list[_Run]:
        numbered = groupby(enumerate(self.contents), key=lambda item: field(item[1], "role") or "user")
        return [_Run(role, tuple(group)) for role, group in numbered]

    def current_turn(self) -> int:
        """Index of the content the current turn starts with: the last one that is not only function responses."""
        for i in range(len(self.contents) - 1, -1, -1):
            content = self.contents[i]
            answers = [field(part, "functionResponse") is not None for part in field(content, "parts")]
            if (field(content, "role") or "user") == "user" and not all(answers):
                return i
        return 0


def violations(body: Json, *, model: str, vertex: bool = False, issued: Issued | None = None) -> list[Violation]:
    """What Gemini would refuse in this `generateContent` body; empty when it would be accepted.

    `body` is wire JSON, in camelCase, snake_case or a mix; null means absent. `model` decides about signatures (Gemini 3
    needs them). `issued` is only for a server that knows which signatures it gave out. Never raises for a dict.
    """
    request = _Request(body, model, vertex, issued)
    found = [violation for rule in _SHAPE_RULES for violation in rule(request)]
    return found or [violation for rule in _CONVERSATION_RULES for violation in rule(request)]


def field(message: Mapping[str, Any], name: str) -> Any:
    """The field `name` (camelCase) of a wire message in either spelling; None when absent or null."""
    value = message.get(name)
    return value if value is not None else message.get(_snake(name))


def needs_signatures(model: str) -> bool:
    """Whether this model refuses calls without a thought signature: Gemini 3 and newer, and `-latest` names."""
    name = model.rsplit("/", 1)[-1]
    if version := re.match(r"gemini-(\d+)", name):
        return int(version[1]) >= 3
    return name == "demo" or bool(re.fullmatch(r"gemini-.*-latest", name))


def decode_base64(text: object) -> bytes | None:
    """The bytes of base64 text in either alphabet, padded or not; None when it is not base64."""
    if not isinstance(text, str):
        return None
    standard = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


# --- shapes -----------------------------------------------------------------------------------------------------------


def _contents_present(request: _Request) -> Iterator[Violation]:
    contents = field(request.body, "contents")
    if not contents:
        yield Violation(
            "no_contents", "contents", "* GenerateContentRequest.contents: contents is not specified\n",
            "Send at least one content with a part, for instance the user's question.",
        )  # fmt: skip
    elif not isinstance(contents, list):
        yield _wrong_type("contents", "a list of contents", contents)


def _contents_well_formed(request: _Request) -> Iterator[Violation]:
    if not isinstance(request.contents, list):
        return
    for i, content in enumerate(request.contents):
        path = f"contents[{i}]"
        if not isinstance(content, dict):
            yield _wrong_type(path, "an object with role and parts", content)
            continue
        yield from _unknown_fields(content, "content", path)
        # otel-contrib recordings of Vertex AI
        if (field(content, "role") or "user") not in ("user", "model"):
            yield Violation(
                "bad_role", f"{path}.role", "Please use a valid role: user, model.",
                f"Change the role {content['role']!r} to 'user' or 'model'; function responses are the user's.",
            )  # fmt: skip
        parts = field(content, "parts")
        if not parts:
            # https://github.com/vercel/ai/issues/3775, Vertex: https://github.com/genkit-ai/genkit/issues/3690
            message = (
                "Unable to submit request because it must include at least one parts field, which describes the prompt "
                "input. Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
                if request.vertex
                else f"* GenerateContentRequest.contents[{i}].parts: contents.parts must not be empty.\n"
            )
            yield Violation("empty_content", path, message, "Remove this content, or give it a part.")
        elif not isinstance(parts, list):
            yield _wrong_type(f"{path}.parts", "a list of parts", parts)
        else:
            for j, part in enumerate(parts):
                yield from _part(part, i, j, request.vertex)


def _part(part: Any, i: int, j: int, vertex: bool) -> Iterator[Violation]:
    path = f"contents[{i}].parts[{j}]"
    if not isinstance(part, dict):
        yield _wrong_type(path, "an object", part)
        return
    yield from _unknown_fields(part, "part", path)
    data = [name for name in DATA_FIELDS if field(part, name) is not None]
    if not data and field(part, "thoughtSignature") is None:
        # https://github.com/boldsoftware/sketch/issues/68
        yield Violation(
            "empty_part", path,
            f"* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized field\n",
            "Remove the part: it holds nothing Gemini knows. An unknown part must not be sent back.",
        )  # fmt: skip
    if len(data) > 1:
        yield Violation(
            "several_kinds", path,
            f"Invalid value at '{path}' (oneof), oneof field 'data' is already set. Cannot set '{data[1]}'",
            f"Split it: one part for each of {', '.join(data)}.",
        )  # fmt: skip
    if (signature := field(part, "thoughtSignature")) is not None and decode_base64(signature) is None:
        yield _not_base64(f"{path}.thought_signature", "Send the signature exactly as it came.")
    for name, value_name in (("functionCall", "args"), ("functionResponse", "response")):
        if (call := field(part, name)) is not None:
            yield from _call(call, name, value_name, f"{path}.{_snake(name)}", vertex)
    if isinstance(blob := field(part, "inlineData"), dict) and decode_base64(field(blob, "data") or "") is None:
        yield _not_base64(f"{path}.inline_data.data", "Encode the file's bytes with base64.")


def _call(call: Any, name: str, value_name: str, path: str, vertex: bool) -> Iterator[Violation]:
    if not isinstance(call, dict):
        yield _wrong_type(path, "an object", call)
        return
    yield from _unknown_fields(call, name, path)
    if not isinstance(value := field(call, value_name), dict | None):  # wording ours
        yield _wrong_type(f"{path}.{value_name}", 'an object; wrap it, as in {"result": ...}', value)
    for streamed in ("partialArgs", "willContinue"):
        if not vertex and name == "functionCall" and field(call, streamed) is not None:  # wording ours
            yield Violation(
                "vertex_only", path, _unknown_name(streamed, path), "Send the assembled args; only Vertex streams them."
            )


def _unknown_fields(message: Json, kind: str, path: str) -> Iterator[Violation]:
    for name in message:
        if message[name] is not None and _camel(name) not in FIELDS[kind]:
            # https://github.com/Chevey339/kelivo/issues/543
            yield Violation("unknown_field", path, _unknown_name(name, path), f"Remove {name!r}.")


def _generation_config(request: _Request) -> Iterator[Violation]:
    config = field(request.body, "generationConfig") or {}
    temperature = field(config, "temperature")
    if isinstance(temperature, int | float) and not 0 <= temperature < 2.0001:  # otel-contrib recording
        yield Violation(
            "temperature", "generationConfig.temperature",
            f"Unable to submit request because it has a temperature value of {temperature:g} but the supported range is "
            "from 0 (inclusive) to 2.0001 (exclusive). Update the value and try again.",
            "Choose a temperature from 0 to 2.",
        )  # fmt: skip
    thinking = field(config, "thinkingConfig") or {}
    if field(thinking, "thinkingLevel") is not None and field(thinking, "thinkingBudget") is not None:  # wording ours
        yield Violation(
            "thinking_twice", "generationConfig.thinkingConfig",
            "You can only set one of thinking budget and thinking level.",
            "Remove thinking_budget (Gemini 3) or thinking_level (Gemini 2.5).",
        )  # fmt: skip


def _tools(request: _Request) -> Iterator[Violation]:
    tools = field(request.body, "tools") or []
    config = field(request.body, "toolConfig") or {}
    tools = tools if isinstance(tools, list) else [tools]
    names: Counter[str] = Counter()
    for t, tool in enumerate(tools):
        for d, declaration in enumerate(field(tool, "functionDeclarations") or ()):
            name = field(declaration, "name") or ""
            names[name] += 1
            path = f"tools[{t}].function_declarations[{d}].name"
            if not FUNCTION_NAME.fullmatch(name):  # https://github.com/google-gemini/gemini-cli/issues/7869
                yield Violation(
                    "bad_function_name", path,
                    f"* GenerateContentRequest.{path}: Invalid function name. Must start with a letter or an underscore."
                    " Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.) or dashes (-), with a maximum length"
                    " of 64.\n",
                    f"Rename the tool {name!r}.",
                )  # fmt: skip
            if names[name] == 2:  # https://github.com/googleapis/dotnet-genai/issues/189
                yield Violation(
                    "duplicate_function", path, f"Duplicate function declaration found: {name}",
                    "Declare each tool once.",
                )  # fmt: skip
    calling = field(config, "functionCallingConfig") or {}
    if field(calling, "mode") in ("ANY", "VALIDATED") and not names:  # UKGovernmentBEIS/inspect_ai#2462
        yield Violation(
            "no_functions", "toolConfig.functionCallingConfig",
            "Function calling config is set without function_declarations.",
            "Declare a tool, or set the mode to AUTO.",
        )  # fmt: skip
    if field(calling, "streamFunctionCallArguments") is not None and not request.vertex:  # wording ours
        yield Violation(
            "vertex_only", "toolConfig.functionCallingConfig",
            _unknown_name("streamFunctionCallArguments", "tool_config.function_calling_config"),
            "Remove stream_function_call_arguments: only Vertex has it.",
        )  # fmt: skip
    built_in = any(_camel(name) in BUILT_IN_TOOLS and tool[name] is not None for tool in tools for name in tool)
    if names and built_in and needs_signatures(request.model):  # https://github.com/cloudwego/eino-ext/issues/761
        if not field(config, "includeServerSideToolInvocations"):
            yield Violation(
                "built_in_and_functions", "toolConfig",
                "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function "
                "calling.",
                "Set tool_config.include_server_side_tool_invocations, or use one kind of tools.",
            )  # fmt: skip


# --- conversation -----------------------------------------------------------------------------------------------------


def _ends_with_user(request: _Request) -> Iterator[Violation]:
    last = request.contents[-1]
    if field(last, "role") == "model" and field(request.body, "continuationToken") is None:  # crewAIInc/crewAI#6973
        yield Violation(
            "ends_with_model", f"contents[{len(request.contents) - 1}]",
            "Please ensure that multiturn requests ends with a user role or a function response.",
            "Append what the user says next, or the responses to the model's calls.",
        )  # fmt: skip


def _calls_and_responses(request: _Request) -> Iterator[Violation]:
    runs = request.runs()
    for before, run, after in zip([None, *runs], runs, [*runs[1:], None], strict=False):
        if run.role == "model" and (calls := _open_calls(run)):
            if before is None:  # https://github.com/google-gemini/gemini-cli/issues/11814
                yield Violation(
                    "call_first", calls[0][0],
                    "Please ensure that function call turn comes immediately after a user turn or after a function "
                    "response turn.",
                    "Start the conversation with what the user said.",
                )  # fmt: skip
            yield from _answered(request.model, calls, after.parts("functionResponse") if after else [], run.path)
        elif run.role == "user" and (responses := run.parts("functionResponse")):
            if before is None or not _open_calls(before):  # https://github.com/langchain-ai/langchain/issues/27799
                yield Violation(
                    "response_without_call", responses[0][0],
                    "Please ensure that function response turn comes immediately after a function call turn.",
                    "Put the responses right after the content with the calls, or remove them.",
                )  # fmt: skip


def _open_calls(run: _Run) -> list[tuple[str, Json, Json]]:
    """The calls of a model run, without those the provider answered itself (server-side MCP)."""
    answered = Counter(field(response, "name") for _, _, response in run.parts("functionResponse"))
    calls = []
    for call in run.parts("functionCall"):
        name = field(call[2], "name")
        if answered[name]:
            answered[name] -= 1
        else:
            calls.append(call)
    return calls


def _answered(
    model: str, calls: list[tuple[str, Json, Json]], responses: list[tuple[str, Json, Json]], path: str
) -> Iterator[Violation]:
    if len(responses) != len(calls):
        # https://github.com/google-gemini/gemini-cli/issues/16415. Recordings: only 2.0 let an unanswered call pass.
        if responses or not model.rsplit("/", 1)[-1].startswith("gemini-2.0"):
            yield Violation(
                "unanswered_call", path,
                "Please ensure that the number of function response parts is equal to the number of function call parts "
                "of the function call turn.",
                f"Answer each of the {len(calls)} calls once, in the contents right after them; there are "
                f"{len(responses)} responses. A stopped or denied call needs one too.",
            )  # fmt: skip
        return
    call_ids = [field(call, "id") for _, _, call in calls]
    response_ids = [field(response, "id") for _, _, response in responses]
    known = [call_id for call_id in call_ids if call_id]
    answered = [response_id for response_id in response_ids if response_id]
    if len({*known}) != len(known) or len({*answered}) != len(answered) or not {*answered} <= {*known}:
        yield Violation(  # wording from the title of https://github.com/router-for-me/CLIProxyAPI/issues/5199
            "id_mismatch", responses[0][0], "functionResponse.id does not match functionCall.id",
            "Give each response the id of its call, or leave ids out of both.",
        )  # fmt: skip
    elif Counter(field(c, "name") for _, _, c in calls) != Counter(field(r, "name") for _, _, r in responses):
        yield Violation(  # wording ours
            "name_mismatch", responses[0][0], "functionResponse.name does not match functionCall.name",
            "Give each response the name of the function that was called.",
        )  # fmt: skip


def _signatures(request: _Request) -> Iterator[Violation]:
    if not needs_signatures(request.model):
        return
    start = request.current_turn()
    for run in request.runs():
        if run.role != "model" or run.contents[0][0] < start or not (calls := run.parts("functionCall")):
            continue
        path, part, call = calls[0]
        if field(part, "thoughtSignature") is None:  # https://github.com/1jehuang/jcode/issues/518
            yield Violation(
                "missing_signature", path,
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work "
                "correctly, and missing thought_signature may lead to degraded model performance. Additional data, "
                f"function call `default_api:{field(call, 'name')}` , position {run.contents[0][0] + 1}. Please refer to "
                "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                "Send the call back with the signature it came with. A call of another model may carry "
                f"{SKIP_SIGNATURE.decode()!r} instead.",
            )  # fmt: skip


def _provenance(request: _Request) -> Iterator[Violation]:
    if request.issued is None:
        return
    for path, part in request.parts():
        signature = decode_base64(field(part, "thoughtSignature"))
        skipped = signature in (SKIP_SIGNATURE, decode_base64(SKIP_SIGNATURE.decode()))
        if signature and not skipped and not request.issued(signature, part):
            # https://github.com/google-gemini/gemini-cli/issues/13467, Vertex: decolua/9router#301
            message = (
                "Unable to submit request because Thought signature is not valid.. Learn more: "
                "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
                if request.vertex
                else "Corrupted thought signature."
            )
            yield Violation(
                "corrupted_signature", path, message,
                "Send the part unchanged and unmerged with the signature it came with, to the model that made it; or "
                "drop the signatures.",
            )  # fmt: skip


_SHAPE_RULES = (_contents_present, _contents_well_formed, _generation_config, _tools)
_CONVERSATION_RULES = (_calls_and_responses, _ends_with_user, _signatures, _provenance)


# --- wording and spelling ---------------------------------------------------------------------------------------------


def _unknown_name(name: str, path: str) -> str:
    return f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."


def _wrong_type(path: str, wanted: str, value: Any) -> Violation:  # wording ours
    return Violation(
        "wrong_type", path, f"Invalid value at '{path}': {type(value).__name__} found.", f"{path} must be {wanted}."
    )


def _not_base64(path: str, hint: str) -> Violation:
    return Violation("not_base64", path, f"Invalid value at '{path}' (TYPE_BYTES), Base64 decoding failed.", hint)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)
