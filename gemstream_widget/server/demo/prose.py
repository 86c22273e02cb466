"""What the demo model says to a plain prompt: always the same for the same words, and honest about what it is.

It knows a handful of topics (`topics`). About anything else it says only what can be seen in the prompt.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from .topics import find_topic

__all__ = ["Prose", "Seed", "compose", "keywords"]


T = TypeVar("T")

_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "a": 1}
_LENGTH = re.compile(r"\bin (?:just |only )?(\d{1,3}|one|two|three|four|five|six|a)(?: short)? (?:sentence|line)s?")
_ASKS_FOR_A_TABLE = re.compile(r"\btables?\b|\btabular\b|\bcolumns\b", re.IGNORECASE)
_ASKING = re.compile(
    r"^(?:please |can you |could you |would you )*"
    r"(?:explain|describe|define|summari[sz]e|compare|list|show|write|draft|create|make|tell me about|tell me|give me|"
    r"what(?:'s| is| are)|why (?:is|are|do|does)|how (?:do|can|should) (?:i|we|you)|how (?:does|do|is|are)|"
    r"who (?:is|was))\s+(?:me\s+)?(?:an?\s+|the\s+)?",
    re.IGNORECASE,
)
_COMMON = {
    "a", "about", "all", "an", "and", "answer", "any", "are", "as", "at", "be", "but", "by", "can", "compare",
    "could", "describe", "do", "does", "each", "explain", "for", "from", "give", "has", "have", "hello", "how",
    "i", "if", "in", "into", "is", "it", "its", "just", "line", "lines", "list", "make", "me", "my", "of", "on",
    "one", "only", "or", "please", "sentence", "sentences", "short", "show", "so", "some", "summarise",
    "summarize", "tell", "thanks", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "three", "to", "two", "use", "using", "was", "we", "what", "when", "which", "who", "why", "will",
    "with", "words", "would", "write", "you", "your",
}  # fmt: skip


class Seed:
    """Choices that depend on the prompt and nothing else."""

    def __init__(self, text: str) -> None:
        self._text = text

    def pick(self, choices: Sequence[T], purpose: str) -> T:
        """One of the choices; another purpose may get another one."""
        return choices[self._number(purpose) % len(choices)]

    def between(self, low: float, high: float, purpose: str) -> float:
        """A number from `low` to `high`."""
        return low + (high - low) * (self._number(purpose) % 1000) / 999

    def _number(self, purpose: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{purpose}\0{self._text}".encode("utf-8", "surrogatepass")).digest()[:6])


@dataclass(frozen=True, slots=True)
class Prose:
    """Reasoning and answer, both markdown."""

    thoughts: str
    answer: str


def compose(prompt: str) -> Prose:
    """What the demo model thinks and says."""
    seed = Seed(prompt)
    topic = find_topic(prompt)
    limit = _limit(prompt)
    if topic:
        sentences = " ".join(topic.sentences[: limit or 3])
        whole = f"## {topic.title}\n\n{sentences}\n\n{topic.detail}\n{topic.table}\n{_note(seed)}"
        table = f"{topic.table}\n" if _ASKS_FOR_A_TABLE.search(prompt) else ""
        answer = f"{sentences}\n\n{table}*From the demo model, offline.*\n" if limit else whole
        plan = f"This is one of the few topics I know by heart, so I can be exact about {_subject(prompt)}."
    elif limit:
        answer = " ".join(_plain_sentences(prompt)[:limit])
        if _ASKS_FOR_A_TABLE.search(prompt):
            answer = f"{answer}\n\n{_table(prompt, seed)}"
        plan = f"They want it short, so I will keep to {limit}."
    elif not keywords(prompt):
        answer = _greeting(prompt, seed)
        plan = "There is no question in it yet, so I will say hello and offer something to try."
    else:
        answer = _tour(prompt, seed)
        plan = "I am the offline demo model and know nothing of this, so I will show what the words alone can give."
    return Prose(_thoughts(prompt, plan, seed), answer)


def keywords(prompt: str) -> list[str]:
    """The words of a prompt that carry its meaning, most frequent first, then in order."""
    words = [word for word in re.findall(r"[^\W\d_][\w'-]*", prompt) if word.lower() not in _COMMON and len(word) > 2]
    counted = Counter(word.lower() for word in words)
    unique = list({word.lower(): word for word in reversed(words)}.values())[::-1]
    return sorted(unique, key=lambda word: -counted[word.lower()])


def _limit(prompt: str) -> int | None:
    if match := _LENGTH.search(prompt.lower()):
        return min(_COUNTS.get(match[1]) or int(match[1]), 5) or 1
    return None


def _subject(prompt: str) -> str:
    plain = re.sub(r"[`|<>*#\[\]]", " ", prompt)
    first = next((line.strip() for line in plain.splitlines() if line.strip()), "this")
    core = re.split(r"(?<=\w)(?<!\bvs)[.?!;:](?:\s|$)|, | in (?:one|two|three|four|five|\d+) ", _ASKING.sub("", first))
    words = core[0].split()[:7]
    return " ".join(words).strip(" .?!,;:\"'`*#|") or "this"


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _thoughts(prompt: str, plan: str, seed: Seed) -> str:
    heading = seed.pick(("Reading the question", "Finding the point", "Sorting out what is asked"), "heading")
    words = ", ".join(f"*{word}*" for word in keywords(prompt)[:3])
    looking = f"The user asks about {_subject(prompt)}; what matters is {words}." if words else "This is a greeting."
    second = seed.pick(("Choosing the form", "Planning the answer", "Deciding what helps"), "second heading")
    form = seed.pick(
        ("Short paragraphs first, then something to try.", "The main point first, details after it.",
         "A reader will skim this, so the structure must carry it."),
        "form",
    )  # fmt: skip
    return f"**{heading}**\n\n{looking}\n\n**{second}**\n\n{plan} {form}\n"


def _plain_sentences(prompt: str) -> list[str]:
    subject = _subject(prompt)
    return [
        f"You asked about **{subject}**, and I am the demo model: a script on your machine that streams like Gemini.",
        "I know your words and nothing about the world, so I will not make up facts.",
        'Question a real model with `model="gemini-3.8-flash"` and a key, and the same cell shows its answer.',
        "Everything you see here, the reasoning, the chunks, the token counts and Stop, works the same with it.",
        "Start a line of the prompt with `@say` to write my answer yourself.",
    ]


def _greeting(prompt: str, seed: Seed) -> str:
    hello = seed.pick(("Hello", "Hi there", "Good to see you"), "hello")
    return (
        f"{hello}. I am the **demo model**: I live in this package, run offline and need no key.\n\n"
        "You could try one of these:\n\n"
        "- `Explain CRDTs in three sentences`\n- `Why is the sky blue?`\n- `How does streaming work?`\n\n"
        "Or give me a tool, and I will ask to use it. Press **Stop** at any time: it closes the connection at once.\n"
    )


def _tour(prompt: str, seed: Seed) -> str:
    blocks: list[tuple[str, Callable[[str, Seed], str]]] = [
        (r"\b(vs|versus|compare|difference|better)\b", _comparison),
        (r"\b(function|code|script|program|snippet)\b", _code),
        (r"\b(how|steps?|plan|guide|recipe|tutorial|clean|build|set up)\b", _steps),
        (r"\b(data|table|words?|count|summari[sz]e|text|analy[sz]e|numbers?)\b", _table),
    ]
    fitting = [block for pattern, block in blocks if re.search(pattern, prompt, re.IGNORECASE)]
    first = fitting[0] if fitting else seed.pick((_outline, _table, _steps), "first block")
    second = seed.pick([block for block in (_outline, _table, _real) if block is not first], "second block")
    if _ASKS_FOR_A_TABLE.search(prompt) and first not in (_table, _comparison):
        second = _table
    opening = seed.pick(
        (
            "Here is what I can do with **{subject}** without leaving your machine.",
            "You asked about **{subject}**. Let me be useful and honest at once.",
            "A question about **{subject}** is a good moment to watch an answer stream.",
        ),
        "opening",
    ).format(subject=_subject(prompt))
    head = f"## {_title(_subject(prompt))}\n\n{opening} {_identity(seed)}\n"
    return "\n".join((head, first(prompt, seed), second(prompt, seed), _note(seed)))


def _identity(seed: Seed) -> str:
    return seed.pick(
        (
            "I am the offline *demo model*: I see your words, but I know nothing about the world.",
            "I am the *demo model*, a script: what follows uses your words and invents no facts.",
            "As the demo model I run offline; I can show the shape of an answer, not look things up.",
        ),
        "identity",
    )


def _note(seed: Seed) -> str:
    return seed.pick(
        (
            "*This came from the demo model, offline. The [Gemini API documentation]"
            "(https://ai.google.dev/gemini-api/docs) says how to get a key for a real one.*\n",
            "> Demo model: no key, no network. For a real answer, get a key at "
            '[Google AI Studio](https://aistudio.google.com/apikey) and leave out `model="demo"`.\n',
        ),
        "note",
    )


def _outline(prompt: str, seed: Seed) -> str:
    subject = _subject(prompt)
    return (
        f"### What a full answer would cover\n\n1. What *{subject}* means here, in one sentence\n"
        "2. An example small enough to check by hand\n3. Where it goes wrong:\n"
        "   - what it is often confused with\n   - what it costs\n4. How you would know that the answer is right\n"
    )


def _steps(prompt: str, seed: Seed) -> str:
    words = keywords(prompt)
    subject = words[-1] if words else "it"
    return (
        "### A way to go about it\n\n"
        f"1. **Look first.** Write down what you know about {subject} and what you would accept as done.\n"
        "2. **Try the smallest case**, one that you can check yourself.\n"
        "3. **Change one thing at a time**, and keep the way back.\n"
        f"4. **Check the result** against step 1, not against how {subject} looks.\n"
    )


def _table(prompt: str, seed: Seed) -> str:
    words = keywords(prompt)[:4] or prompt.split()[:4]
    counted = Counter(re.findall(r"[\w'-]+", prompt.lower()))
    rows = "".join(f"| {word} | {len(word)} | {counted[word.lower()]} |\n" for word in words)
    return (
        f"### Your words, counted\n\nThe prompt has {len(prompt.split())} words and {len(prompt)} characters.\n\n"
        f"| Word | Letters | Times |\n|---|--:|--:|\n{rows}"
    )


def _comparison(prompt: str, seed: Seed) -> str:
    left, right = ([*keywords(prompt), "one", "the other"])[:2]
    return (
        "### Side by side\n\nThe rows are the questions to ask; a real model, or you, can fill them.\n\n"
        f"| Question | {left} | {right} |\n|---|---|---|\n"
        "| What does it need? | | |\n| What does it cost? | | |\n| When does it fail? | | |\n"
    )


def _code(prompt: str, seed: Seed) -> str:
    words = [re.sub(r"\W", "", word).lower() for word in keywords(prompt)]
    telling = [word for word in words if word.isascii() and word not in ("function", "python", "code", "script")]
    name = "_".join(telling[:2]) or "answer"
    asked = " ".join(prompt.split())[:70].translate(str.maketrans('"`\\', "''/"))
    return (
        "### A place to start\n\n"
        f'```python\ndef {name}(values: list[float]) -> float:\n    """{asked}"""\n    if not values:\n'
        f'        raise ValueError("{name} needs at least one value")\n    return sum(values) / len(values)\n```\n\n'
        f"The body of `{name}` is only a mean, to have something that runs. What should it return for an empty list?\n"
    )


def _real(prompt: str, seed: Seed) -> str:
    asked = " ".join(prompt.split())[:60].translate(str.maketrans('"`\\', "''/"))
    return (
        "### The same from a real model\n\nSet `GEMINI_API_KEY`, then:\n\n"
        "```python\nimport gemstream_widget as gem\n\n"
        f'run = await gem.ask("{asked}", model="gemini-3.8-flash")\nrun.usage\n```\n'
    )
