"""The shapes a Gemini request body may have: fields, roles, parts and values.

The first round of `rules.violations`: what can be said about each content by itself.

Sources of the error texts: public issue threads and recordings, named beside each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._plain import Json
from .media import LIMIT
from .violation import CONTENTS, Place, Violation
from .wire import DATA_FIELDS, FIELDS, camel, decode_base64, get, snake

__all__ = ["is_empty_system", "shape_violations", "unknown_name"]

_TOP_LEVEL: dict[str, type] = {
    "contents": list, "tools": list, "toolConfig": dict, "generationConfig": dict, "systemInstruction": dict,
    "safetySettings": list,
}  # fmt: skip
_MOST_IMAGES = {False: 3600, True: 3000}
"""In one request on the Developer API, and on Vertex (True):
https://ai.google.dev/gemini-api/docs/image-understanding and
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/image-understanding
"""
_PART_MESSAGES = tuple(name for name in DATA_FIELDS if name != "text")


def shape_violations(body: Json, *, vertex: bool) -> Iterator[Violation]:
    """What is wrong with the body's contents and settings, each looked at by itself."""
    for name, wanted in _TOP_LEVEL.items():
        if not isinstance(value := get(body, name), wanted | None):
            yield _wrong_type(Place(fields=(name,)), f"a JSON {'list' if wanted is list else 'object'}", value)
    contents = get(body, "contents")
    if not contents:
        yield Violation(  # wording ours
            "no_contents", CONTENTS, "* GenerateContentRequest.contents: contents is not specified\n",
            "Send at least one content with a part, for instance the user's question.",
        )  # fmt: skip
    for i, content in enumerate(contents if isinstance(contents, list) else ()):
        yield from _content(content, Place(i), vertex)
    yield from _system(get(body, "systemInstruction"))
    yield from _sizes(contents, vertex)
    if isinstance(config := get(body, "generationConfig"), dict):
        yield from _generation_config(config)


def is_empty_system(content: Any) -> bool:
    """Whether this is a system instruction that says nothing."""
    if not isinstance(content, dict):
        return False
    parts = get(content, "parts")
    listed = parts if isinstance(parts, list) else [parts]
    return not any(
        isinstance(part, dict) and any(get(part, name) not in (None, "") for name in DATA_FIELDS) for part in listed
    )


def _system(content: Any) -> Iterator[Violation]:
    if is_empty_system(content):
        yield Violation(  # wording ours, as of empty contents
            "empty_system", Place(fields=("system_instruction",)),
            "* GenerateContentRequest.system_instruction.parts: contents.parts must not be empty.\n",
            "Leave the system instruction out, or give it a text.",
        )  # fmt: skip


def _sizes(contents: Any, vertex: bool) -> Iterator[Violation]:
    """Of the files in all contents together. Wording ours."""
    files = list(_files(contents))
    sizes = [len(data) for _, message in files if isinstance(data := get(message, "data"), str)]
    if not vertex and sum(sizes) > LIMIT:
        place = max(files, key=lambda file: len(str(get(file[1], "data") or "")))[0]
        yield Violation(
            "too_large", place,
            f"Request payload size exceeds the limit: {LIMIT} bytes.",
            f"The files travel as {sum(sizes):,} characters of base64, most of them at {place}; a request takes "
            f"{LIMIT:,}. Give the file that client.files.upload(file=...) returns, or begin another chat.",
        )  # fmt: skip
    images = [place for place, message in files if str(get(message, "mimeType")).startswith("image/")]
    if len(images) > _MOST_IMAGES[vertex]:
        yield Violation(
            "too_many_images", images[_MOST_IMAGES[vertex]],
            f"Request contains {len(images)} images, more than the limit of {_MOST_IMAGES[vertex]}.",
            "Leave some of them out, or begin another chat.",
        )  # fmt: skip


def _files(contents: Any) -> Iterator[tuple[Place, Json]]:
    """The files in the contents, those in function responses too, each with the place of its part."""
    for i, content in enumerate(contents if isinstance(contents, list) else ()):
        parts = get(content, "parts") if isinstance(content, dict) else None
        for j, part in enumerate(parts if isinstance(parts, list) else ()):
            if isinstance(part, dict):
                answer = get(part, "functionResponse")
                inner = _inner_files(answer) if isinstance(answer, dict) else ()
                yield from ((Place(i, j), file) for file in (*_files_of(part), *inner))


def _inner_files(answer: Json) -> list[Json]:
    """The files that a function response brings along."""
    parts = get(answer, "parts")
    return [file for part in (parts if isinstance(parts, list) else ()) for file in _files_of(part)]


def _files_of(part: Any) -> list[Json]:
    held = [get(part, name) for name in ("inlineData", "fileData")] if isinstance(part, dict) else []
    return [file for file in held if isinstance(file, dict)]


def _content(content: Any, place: Place, vertex: bool) -> Iterator[Violation]:
    if not isinstance(content, dict):
        yield _wrong_type(place, "an object with role and parts", content)
        return
    yield from _unknown_fields(content, "content", place)
    if (role := get(content, "role")) not in (None, "user", "model"):  # recorded by opentelemetry-python-contrib
        yield Violation(
            "bad_role", place.at("role"), "Please use a valid role: user, model.",
            f"Change the role {role!r} to 'user' or 'model'; function responses are the user's.",
        )  # fmt: skip
    parts = get(content, "parts")
    if not parts:
        # https://github.com/vercel/ai/issues/3775; Vertex: https://github.com/genkit-ai/genkit/issues/3690
        message = (
            "Unable to submit request because it must include at least one parts field, which describes the prompt "
            "input. Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
            if vertex
            else f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n"
        )
        yield Violation("empty_content", place, message, "Remove this content, or give it a part.")
    elif not isinstance(parts, list):
        yield _wrong_type(place.at("parts"), "a list of parts", parts)
    else:
        for j, part in enumerate(parts):
            yield from _part(part, place._replace(part=j), vertex)
            if role != "model" and isinstance(part, dict) and isinstance(answer := get(part, "functionResponse"), dict):
                yield from _references(answer, Place(place.content, j).at("function_response", "response"))


def _part(part: Any, place: Place, vertex: bool) -> Iterator[Violation]:
    if not isinstance(part, dict):
        yield _wrong_type(place, "an object", part)
        return
    yield from _unknown_fields(part, "part", place)
    data = [name for name in DATA_FIELDS if get(part, name) is not None]
    signature = get(part, "thoughtSignature")
    if not data and signature is None:  # https://github.com/boldsoftware/sketch/issues/68
        yield Violation(
            "empty_part", place,
            f"* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n",
            "Remove the part: it holds nothing Gemini knows.",
        )  # fmt: skip
    if len(data) > 1:
        yield Violation(  # wording ours
            "several_kinds", place,
            f"Invalid value at '{place}' (oneof), oneof field 'data' is already set. Cannot set '{data[1]}'",
            f"Split it: one part for each of {', '.join(data)}.",
        )  # fmt: skip
    if not isinstance(text := get(part, "text"), str | None):
        yield _wrong_type(place.at("text"), "a string", text)
    if signature == "":  # counts as none: https://github.com/NousResearch/hermes-agent/issues/111559; wording ours
        at = place.at("thought_signature")
        yield Violation("empty_signature", at, f"Invalid value at '{at}': empty thought signature.", "Leave it out.")
    elif signature is not None and decode_base64(signature) is None:
        yield _not_base64(place.at("thought_signature"), "Send the signature exactly as it came.")
    for name in _PART_MESSAGES:
        if (message := get(part, name)) is not None:
            if not isinstance(message, dict):
                yield _wrong_type(place.at(snake(name)), "an object", message)
            elif name == "functionCall":
                yield from _function(message, name, "args", place.at("function_call"))
                yield from _streamed(message, place.at("function_call"), vertex)
            elif name == "functionResponse":
                yield from _function(message, name, "response", place.at("function_response"))
            elif name == "inlineData" and decode_base64(get(message, "data") or "") is None:
                yield _not_base64(place.at("inline_data", "data"), "Encode the file's bytes with base64.")


def _references(answer: Json, place: Place) -> Iterator[Violation]:
    """A `$ref` in a response names one of its files; any other is refused, with all that comes after it:
    https://github.com/vercel/ai/issues/14369
    """
    if not _has_ref(response := get(answer, "response")):
        return
    known = {name for file in _inner_files(answer) if isinstance(name := get(file, "displayName"), str)}
    named = next((name for name in _refs(response) if not (isinstance(name, str) and name in known)), None)
    if named is not None:
        yield Violation(
            "reference_in_response", place,
            f"The referenced name `{named}` in function_response.response does not match to a display_name in the "
            "function_response.parts.",
            "Give it as text: json.dumps(value).",
        )  # fmt: skip


def _has_ref(value: Any) -> bool:
    """Whether `_refs` finds any, in a fifth of its time."""
    if isinstance(value, dict):
        if "$ref" in value:
            return True
        value = value.values()
    elif not isinstance(value, list | tuple):
        return False
    for held in value:  # noqa: SIM110  # any() would cost a generator for each container
        if _has_ref(held):
            return True
    return False


def _refs(value: Any) -> Iterator[Any]:
    """What the keys `$ref` in it name."""
    if isinstance(value, dict):
        for key, held in value.items():
            if key == "$ref" and held is not None:
                yield held
            yield from _refs(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _refs(held)


def _function(message: Json, kind: str, payload: str, place: Place) -> Iterator[Violation]:
    yield from _unknown_fields(message, kind, place)
    for name in ("name", "id"):
        if not isinstance(value := get(message, name), str | None):
            yield _wrong_type(place.at(name), "a string", value)
    if not isinstance(value := get(message, payload), dict | None):  # wording ours
        yield _wrong_type(place.at(payload), 'an object; wrap it, as in {"result": ...}', value)


def _streamed(call: Json, place: Place, vertex: bool) -> Iterator[Violation]:
    for name in ("partialArgs", "willContinue"):
        if get(call, name) is not None and not vertex:  # wording ours
            hint = "Send the assembled args; only Vertex streams them."
            yield Violation("vertex_only", place, unknown_name(name, place), hint)


def _unknown_fields(message: Json, kind: str, place: Place) -> Iterator[Violation]:
    for name in message:
        if message[name] is not None and camel(name) not in FIELDS[kind]:
            # https://github.com/Chevey339/kelivo/issues/543
            yield Violation("unknown_field", place, unknown_name(name, place), f"Remove {name!r}.")


def _generation_config(config: Json) -> Iterator[Violation]:
    place = Place(fields=("generationConfig",))
    temperature = get(config, "temperature")
    if isinstance(temperature, int | float) and not 0 <= temperature < 2.0001:  # recorded, as bad_role
        yield Violation(
            "temperature", place.at("temperature"),
            f"Unable to submit request because it has a temperature value of {temperature:g} but the supported range "
            "is from 0 (inclusive) to 2.0001 (exclusive). Update the value and try again.",
            "Choose a temperature from 0 to 2.",
        )  # fmt: skip
    thinking = get(config, "thinkingConfig")
    if not isinstance(thinking, dict | None):
        yield _wrong_type(place.at("thinkingConfig"), "an object", thinking)
    elif thinking and None not in (get(thinking, "thinkingLevel"), get(thinking, "thinkingBudget")):  # wording ours
        yield Violation(
            "thinking_twice", place.at("thinkingConfig"),
            "You can only set one of thinking budget and thinking level.",
            "Remove thinking_budget (Gemini 3) or thinking_level (Gemini 2.5).",
        )  # fmt: skip


def unknown_name(name: str, place: object) -> str:
    """Gemini's words for a field it does not know."""
    return f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field."


def _wrong_type(place: Place, wanted: str, value: object) -> Violation:  # wording ours
    found = type(value).__name__
    return Violation("wrong_type", place, f"Invalid value at '{place}': {found} found.", f"{place} must be {wanted}.")


def _not_base64(place: Place, hint: str) -> Violation:  # wording ours
    return Violation("not_base64", place, f"Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed.", hint)
