"""Arguments that fit a JSON schema and look sensible, with values from the prompt where it has some."""

from __future__ import annotations

import re
from operator import ge, gt, le, lt
from typing import Any

from .._plain import Json
from .._request.wire import camel, get, snake

__all__ = ["example"]


_DEEPEST = 8
_COMPARISONS = {"minimum": ge, "maximum": le, "exclusiveMinimum": gt, "exclusiveMaximum": lt}
_URL = re.compile(r"https?://[^\s<>\"')]+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
_PATH = re.compile(r"(?<![\w/])(?:[\w.~-]*/[\w./~-]*\w|[\w-]+\.[A-Za-z]\w{0,4})(?!\w)")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_QUOTED = re.compile(r"[\"'`“]([^\"'`”]+)[\"'`”]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\d)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]+(?: [A-Z][\w-]+)*")

_BY_FORMAT = {
    "date-time": "2026-11-22T09:30:00Z", "date": "2026-11-22", "time": "09:30:00", "email": "ada@example.com",
    "uri": "https://example.com/", "uuid": "6f1d3c52-8f0b-4f3e-9c59-2d1b6a7e4c10", "ipv4": "192.0.2.1",
}  # fmt: skip
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("url", "uri", "link", "website"), _URL, "https://example.com/"),
    (("email", "mail", "recipient"), _EMAIL, "ada@example.com"),
    (("path", "file", "filename", "folder", "directory", "dir"), _PATH, "notes/draft.txt"),
    (("date", "day", "since", "until", "deadline"), _DATE, "2026-11-22"),
    (("city", "location", "place", "country", "town"), _NAME, "Lisbon"),
    (("name", "person", "user", "author", "customer"), _NAME, "Ada"),
)
"""Words in a property's name, what to look for in the prompt, and the value when there is none."""
_WHOLE_PROMPT = {
    "query", "question", "q", "prompt", "text", "message", "content", "input", "topic", "body", "description",
}  # fmt: skip
_FIXED = {
    "id": "a1", "title": "Notes", "language": "en", "currency": "EUR", "unit": "celsius", "units": "metric",
    "color": "teal", "colour": "teal", "code": "print('hello')", "expression": "2 + 2", "command": "ls",
}  # fmt: skip


def example(schema: Json, prompt: str = "") -> Any:
    """A value for this JSON schema (Gemini's upper-case dialect or standard JSON schema).

    Required properties are always there, others when the prompt has something for them. `$ref`, `anyOf`, `allOf`,
    `enum`, `const`, `default`, lengths and bounds are honoured; `pattern` is not.

    >>> example({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}, "Sun in Oslo?")
    {'city': 'Oslo'}
    """
    return _Maker(schema, prompt).value(schema, "", _DEEPEST)


class _Maker:
    def __init__(self, root: Json, prompt: str) -> None:
        self._root = root
        self._prompt = prompt
        self._numbers = [float(number) for number in _NUMBER.findall(prompt)]

    def value(self, schema: Any, name: str, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if choices := _listed(schema, "enum"):
            return self._choice(choices)
        for example_name in ("default", "example"):
            if schema.get(example_name) is not None:
                return schema[example_name]
        match self._kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return int(self._number(schema, 3.0, whole=True))
            case "number":
                number = self._number(schema, 1.5, whole=False)
                return int(number) if number.is_integer() else number
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: Any) -> Json:
        """The schema with its references followed and its alternatives decided."""
        for _ in range(_DEEPEST):
            if not isinstance(schema, dict):
                return {}
            if isinstance(reference := schema.get("$ref"), str):
                schema = self._look_up(reference)
            elif options := _schemas(schema, "anyOf") or _schemas(schema, "oneOf"):
                chosen = next((one for one in options if self._kind(one) != "null"), {})
                schema = _without(schema, "anyOf", "oneOf") | chosen
            elif several := _schemas(schema, "allOf"):
                schema = _merged([_without(schema, "allOf"), *(self._resolved(one) for one in several)])
            else:
                return schema
        return {}

    def _look_up(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) else {}
        return found

    @staticmethod
    def _kind(schema: Any) -> str:
        kind = schema.get("type") if isinstance(schema, dict) else None
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind is None and isinstance(schema, dict):
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
        return str(kind or "string").lower()

    def _object(self, schema: Json, depth: int) -> Json:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        wanted = {name for name in _listed(schema, "required") if isinstance(name, str)}
        mentioned = {name for name, one in properties.items() if self._has_value_for(name, one)}
        chosen: list[str] = [name for name in properties if name in wanted | mentioned] or list(properties)[:1]
        if depth <= 0:
            chosen = [name for name in chosen if self._kind(self._resolved(properties[name])) != "object"]
        return {name: self.value(properties[name], name, depth - 1) for name in chosen}

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        if depth <= 0:
            return []
        fixed = _listed(schema, "prefixItems")
        count = min(max(int(get(schema, "minItems") or 1), len(fixed)), int(get(schema, "maxItems") or 1_000))
        singular = name.removesuffix("s")
        items = [*fixed, *[schema.get("items") or {}] * (count - len(fixed))][:count]
        return [self.value(item, singular, depth - 1) for item in items]

    def _has_value_for(self, name: str, schema: Any) -> bool:
        schema = self._resolved(schema)
        choices = _listed(schema, "enum")
        if any(isinstance(choice, str) and _mentions(self._prompt, choice) for choice in choices):
            return True
        if self._kind(schema) in ("integer", "number"):
            return _mentions(self._prompt, name) and bool(self._numbers)
        return self._kind(schema) == "string" and self._found(name) is not None

    def _choice(self, choices: list[Any]) -> Any:
        return next((one for one in choices if isinstance(one, str) and _mentions(self._prompt, one)), choices[0])

    def _number(self, schema: Json, usual: float, *, whole: bool) -> float:
        """The first number that fits: from the prompt, the usual one, the bounds, the middle between them."""
        bounds = {name: _float(get(schema, name)) for name in _COMPARISONS}
        low, high = bounds["minimum"], bounds["maximum"]
        above, below = bounds["exclusiveMinimum"], bounds["exclusiveMaximum"]
        lower, upper = (
            [one for one in (low, above) if one is not None],
            [one for one in (high, below) if one is not None],
        )
        middle = [(max(lower) + min(upper)) / 2] if lower and upper else []
        inside = [bound + 1 for bound in lower] + [bound - 1 for bound in upper]
        for number in (*self._numbers, usual, *lower, *upper, *inside, *middle):
            allowed = all(bound is None or _COMPARISONS[name](number, bound) for name, bound in bounds.items())
            if allowed and (number.is_integer() or not whole):
                return number
        return usual

    def _string(self, schema: Json, name: str) -> str:
        text = _BY_FORMAT.get(str(schema.get("format") or "")) or self._found(name) or self._usual(name)
        longest = int(get(schema, "maxLength") or len(text))
        return text[:longest].ljust(int(get(schema, "minLength") or 0), "x")

    def _found(self, name: str) -> str | None:
        """What the prompt says for a property of this name."""
        words = _words(name)
        for keys, pattern, _ in _PATTERNS:
            if words & set(keys) and (found := pattern.search(self._prompt)):
                return found[0].rstrip(".,;:!?")
        if quoted := _QUOTED.search(self._prompt):
            return quoted[1]
        return None

    def _usual(self, name: str) -> str:
        words = _words(name)
        if words & _WHOLE_PROMPT and self._prompt:
            return self._prompt.strip().splitlines()[0][:120]
        usual = (value for keys, _, value in _PATTERNS if words & set(keys))
        fixed = (value for key, value in _FIXED.items() if key in words)
        return next(usual, None) or next(fixed, None) or f"example {name}".strip()


def _words(name: str) -> set[str]:
    return set(re.split(r"[_\W]+", snake(name).lower()))


def _listed(schema: Json, name: str) -> list[Any]:
    listed = get(schema, name)
    return listed if isinstance(listed, list) else []


def _schemas(schema: Json, name: str) -> list[Json]:
    return [one for one in _listed(schema, name) if isinstance(one, dict)]


def _without(schema: Json, *names: str) -> Json:
    return {name: value for name, value in schema.items() if camel(name) not in names}


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mentions(prompt: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None


def _merged(schemas: list[Json]) -> Json:
    """One schema that asks for what all of these ask."""
    merged: Json = {}
    for schema in schemas:
        properties = (merged.get("properties") or {}) | (schema.get("properties") or {})
        required = [*_listed(merged, "required"), *_listed(schema, "required")]
        merged |= schema
        merged |= {name: both for name, both in (("properties", properties), ("required", required)) if both}
    return merged
