"""Reading wire JSON: its fields in either spelling, base64 in either alphabet, and the names it takes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "DATA_FIELDS",
    "FIELDS",
    "FUNCTION_NAME",
    "PARAMETER_NAME",
    "camel",
    "decode_base64",
    "dumped",
    "get",
    "short",
    "snake",
]


DATA_FIELDS = (
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
)  # fmt: skip
"""The fields of a part that say what it is. A part has one of them."""

FIELDS = {
    "content": {"role", "parts"},
    "part": {
        *DATA_FIELDS, "thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata",
        "audioTranscription", "mediaProcessing", "speechMetadata", "documentMetadata", "spreadsheetMetadata",
        "audioMetadata",
    },
    "functionCall": {"id", "name", "args", "partialArgs", "willContinue"},
    "functionResponse": {"id", "name", "response", "parts", "willContinue", "scheduling"},
    "inlineData": {"mimeType", "data", "displayName"},
    "fileData": {"mimeType", "fileUri", "displayName"},
}  # fmt: skip

FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
"""The whole name of a function, as the text of google-genai's types.FunctionDeclaration has it."""

PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""The whole name of a parameter, as the text of google-genai's types.Schema has it."""


def get(message: Mapping[str, Any], name: str) -> Any:
    """The field `name` (camelCase) of a wire message in either spelling; None when absent or null."""
    value = message.get(name)
    return value if value is not None else message.get(snake(name))


def camel(name: str) -> str:
    """`thought_signature` to `thoughtSignature`."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def snake(name: str) -> str:
    """`thoughtSignature` to `thought_signature`."""
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def decode_base64(text: object) -> bytes | None:
    """The bytes of base64 text in either alphabet, padded or not; None when it is not base64."""
    if isinstance(text, bytes):  # as the SDK takes them, which encodes them itself
        return text
    if not isinstance(text, str):
        return None
    standard = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def dumped(value: Any) -> Any:
    """One of the SDK's objects as it travels. The SDK is not imported: the value brings its own way."""
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


def short(value: Any) -> str:
    """The value in at most 80 characters, for messages."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
