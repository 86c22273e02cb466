"""The few things the demo model really knows, so that the usual first questions get a true answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Topic", "find_topic"]


@dataclass(frozen=True, slots=True)
class Topic:
    """Something known."""

    title: str
    sentences: tuple[str, ...]
    """In order of importance: the first few are an answer by themselves."""
    detail: str
    """A block of markdown that shows it."""
    table: str
    """The same as a table."""


def find_topic(prompt: str) -> Topic | None:
    """The topic a prompt is about, if it is one of these."""
    return next((topic for pattern, topic in _TOPICS if re.search(pattern, prompt, re.IGNORECASE)), None)


_CRDT = Topic(
    "CRDTs: merging without asking",
    (
        "A **CRDT** (conflict-free replicated data type) is a data structure that several people can change at the "
        "same time, each on their own copy, without asking anyone first.",
        "Its merge is commutative, associative and idempotent, so copies that have seen the same changes are equal, in "
        "whatever order the changes came.",
        "You pay with extra bookkeeping, and with rules for the case that *two people changed the same thing*.",
        "Shared editors, offline notes and JupyterLab's collaborative mode are built on them.",
        "When a rule must never be broken, such as a balance below zero, you still need coordination.",
    ),
    "The smallest one is a counter that only grows: each copy counts for itself, and merging takes the larger number "
    "of each.\n\n"
    "```python\n"
    "def merge(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:\n"
    "    return {copy: max(a.get(copy, 0), b.get(copy, 0)) for copy in a | b}\n\n\n"
    'merge({"ada": 2}, {"ada": 1, "bob": 3})  # {"ada": 2, "bob": 3}\n'
    "```\n",
    "| Property | Why it matters |\n|---|---|\n"
    "| commutative | messages may arrive in any order |\n"
    "| associative | they may arrive in batches |\n"
    "| idempotent | they may arrive twice |\n",
)

_SKY = Topic(
    "Why the sky is blue",
    (
        "Sunlight holds all colours, and the molecules of the air scatter **short waves much more than long ones**.",
        "The strength of this Rayleigh scattering goes with the inverse fourth power of the wavelength, so blue at "
        "450 nm is scattered about four times as much as red at 650 nm.",
        "That scattered blue reaches your eye from every direction, which is why the whole sky looks blue.",
        "Violet is scattered even more, but the sun sends less of it and our eyes are less sensitive to it.",
        "At sunset the light crosses far more air, the blue is gone by the time it arrives, and red is left.",
    ),
    "The ratio is a short calculation:\n\n"
    "```python\nblue, red = 450, 650  # nm\nprint((red / blue) ** 4)  # about 4.35\n```\n\n"
    "$$I \\propto \\frac{1}{\\lambda^4}$$\n",
    "| Colour | Wavelength | Scattered, relative to red |\n|---|--:|--:|\n"
    "| blue | 450 nm | 4.4 |\n| green | 550 nm | 2.0 |\n| red | 650 nm | 1.0 |\n",
)

_STREAMING = Topic(
    "How an answer streams",
    (
        "A language model writes its answer **token by token**, so the server can send each piece once it exists.",
        "Gemini sends them as *server-sent events*: one HTTP response that stays open, with one line of JSON after "
        "`data:` for each chunk.",
        "A chunk holds parts (text, reasoning, function calls) and the token counts so far; the last one says why "
        "the model stopped.",
        "The first words are there in a fraction of a second, however long the whole answer takes.",
        "Closing the connection is how a client says stop; a client that only looks away lets the server go on.",
    ),
    "On the wire a chunk looks like this:\n\n"
    "```json\n"
    '{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}],\n'
    ' "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "totalTokenCount": 5}}\n'
    "```\n",
    "| In a chunk | Means |\n|---|---|\n"
    "| `text` | the next words of the answer |\n"
    "| `thought: true` | they are reasoning |\n"
    "| `functionCall` | the caller is asked to run something |\n"
    "| `usageMetadata` | the tokens so far |\n"
    "| `finishReason` | this chunk is the last, and why |\n",
)

_TOOLS = Topic(
    "How function calling works",
    (
        "You declare **functions** with a name, a description and a JSON schema; the model never runs anything itself.",
        "When it wants one, its answer holds a `functionCall` with arguments, and the turn ends.",
        "Your program decides: run it, ask a person first, or refuse, and send back a `functionResponse`.",
        "Every call needs exactly one response, a refused one too, or the next request is an error.",
        "Gemini 3 signs its first call of a step, and wants the signature back unchanged.",
    ),
    "```python\nimport gemstream_widget as gem\n\n\n"
    '@gem.tool(approve="ask")\n'
    "def delete_file(path: str) -> str:\n"
    '    """Delete one file."""\n'
    "```\n",
    "| Who | Does |\n|---|---|\n| model | asks for a call |\n| you | decide |\n| your code | runs it |\n"
    "| model | reads the result and goes on |\n",
)

_RECURSION = Topic(
    "Recursion",
    (
        "A function is **recursive** when it solves a problem by solving a smaller one of the same kind.",
        "It needs a *base case* that is answered directly, and a step that brings every other case closer to it.",
        "Each call keeps its own variables on the call stack, which is why Python stops at a depth of about 1000.",
        "Trees, nested JSON and directories are recursive themselves, so recursion fits them best.",
        "Anything recursive can be written as a loop with a stack of your own.",
    ),
    "```python\ndef depth(value: object) -> int:\n"
    "    if not isinstance(value, dict):\n        return 0\n"
    "    return 1 + max(map(depth, value.values()), default=0)\n\n\n"
    'depth({"a": {"b": 1}})  # 2\n```\n',
    "| Part | In this function |\n|---|---|\n"
    "| base case | anything that is not a dict has depth 0 |\n"
    "| step | one level, and the deepest of what is below |\n",
)

_TOPICS = (
    (r"\bcrdts?\b|conflict.free", _CRDT),
    (r"\bsky\b.*\bblue\b|\bblue\b.*\bsky\b", _SKY),
    (r"\bstream(s|ed|ing)?\b|server.sent|\bsse\b", _STREAMING),
    (r"function calling|tool (call|use)|\btools\b.*\bwork", _TOOLS),
    (r"\brecurs(ion|ive)\b", _RECURSION),
)
