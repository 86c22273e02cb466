"""The demo model: plays scripts, and answers everything else in the manner of Gemini."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..._plain import Json
from ..actions import Actions, Pause, Send
from ..example import example
from ..faults import Fault
from ..question import Question, ToolResponse
from ..reply import Reply, slices
from ..script.language import is_script, parse
from ..script.play import play
from ..tokens import count_tokens
from .given import read_out
from .prose import Seed, compose, keywords

__all__ = ["answer"]


def answer(question: Question, reply: Reply, pace_s: float | None = None, place: int = 0) -> tuple[Actions, Fault]:
    """What the demo model does with a request, and how it travels. Raises ScriptError.

    `pace_s` is the pause between chunks in seconds; None for Gemini's own rhythm. `place` is where a script goes on.
    """
    if is_script(question.prompt):
        sections = parse(question.prompt)
        if question.step < len(sections):
            section = sections[question.step]
            return play(section, question, reply, place), section.fault(place)
    return _paced(list(_chunks(question, reply)), Seed(question.prompt), pace_s), Fault()


def _chunks(question: Question, reply: Reply) -> Iterator[Json]:
    """Thoughts, then calls or an answer, within `max_tokens` as far as the request sets it."""
    calls = list(_choose_calls(question))
    if calls:
        thoughts, text = _thoughts_before(calls), ""
    elif question.responses:
        thoughts, text = "", _read_out(question)
    elif question.json_schema is not None:
        thoughts, text = "", json.dumps(example(question.json_schema, question.prompt), indent=2, ensure_ascii=False)
    else:
        prose = read_out(question.prompt, question.files) or compose(question.prompt)
        thoughts, text = prose.thoughts, prose.answer
    left = question.max_tokens if question.max_tokens is not None else 1_000_000
    for said, kind in ((thoughts, {"thought": True}), (text, {})):
        for piece in slices(said, high=Seed(said).pick((70, 90, 110), "chunk size")):
            if left < count_tokens(piece):
                yield reply.final("MAX_TOKENS")
                return
            left -= count_tokens(piece)
            if question.wants_thoughts or not kind:
                yield reply.chunk({"text": piece, **kind})
    for name in calls:
        for part in reply.calling(name, _arguments(question, name)):
            yield reply.chunk(part)
    yield reply.final()


def _arguments(question: Question, name: str) -> Json:
    made = example(question.tools[name], question.prompt)
    return made if isinstance(made, dict) else {}


def _choose_calls(question: Question) -> Iterator[str]:
    """The caller's tools to use now: those the prompt names, else the likeliest one, else none.

    A tool is called once in a turn; once the conversation has seen one at work, only when the prompt speaks of it.
    """
    if not question.tools or question.calling_mode == "NONE" or question.responses or question.step:
        return
    named = [name for name in question.tools if _words(name) <= _words(question.prompt)]
    if named:
        yield from named
        return
    topic = _words(" ".join(keywords(question.prompt)))
    related = {name: len(topic & _words(f"{name} {question.descriptions[name]}")) for name in question.tools}
    likeliest = max(related, key=lambda name: related[name])
    if related[likeliest] or not question.tools_used or question.calling_mode == "ANY":
        yield likeliest


def _words(text: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return {word.lower().rstrip("s") for word in re.split(r"[\W_]+", spaced) if word}


def _thoughts_before(calls: list[str]) -> str:
    names = " and ".join(f"`{name}`" for name in calls)
    return (
        f"**Choosing a tool**\n\nI cannot know this by myself, but {names} can help. I will fill the arguments from "
        "the question and wait for what comes back.\n"
    )


def _read_out(question: Question) -> str:
    """An answer that says what the tools answered."""
    told = "\n\n".join(_read_one(response) for response in question.responses)
    refused = all("error" in response.body for response in question.responses)
    ending = (
        "Nothing was changed. Tell me what you would like instead."
        if refused
        else "That is what came back. *I am the demo model: I repeat it and do not judge it.*"
    )
    return f"{told}\n\n{ending}\n"


def _read_one(response: ToolResponse) -> str:
    if "error" in response.body:
        return f"`{response.name}` did not go through: {_inline(response.body['error'])}"
    value = response.body.get("result", response.body.get("output", response.body))
    if isinstance(value, dict) and value:
        rows = "".join(f"| {_cell(key)} | {_cell(item)} |\n" for key, item in list(value.items())[:12])
        return f"`{response.name}` answered:\n\n| Field | Value |\n|---|---|\n{rows}"
    if isinstance(value, list) and value:
        more = f"\n\nand {len(value) - 10} more" if len(value) > 10 else ""
        items = "\n".join(f"- {_cell(item)}" for item in value[:10])
        return f"`{response.name}` found {len(value)}:\n\n{items}{more}"
    if isinstance(value, str) and "\n" in value:
        return f"`{response.name}` answered:\n\n````\n{value[:2000]}\n````"
    return f"`{response.name}` says **{_inline(value)}**."


def _inline(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> str:
    return " ".join(_inline(value).split())[:200].replace("|", "\\|")


def _paced(chunks: list[Json], seed: Seed, pace_s: float | None) -> Actions:
    """The chunks in Gemini's rhythm: a short wait, then three to six seconds in uneven steps."""
    total_s = min(seed.between(3.0, 5.5, "total"), 0.35 * len(chunks))
    for number, chunk in enumerate(chunks):
        if pace_s is not None:
            yield Pause(pace_s if number else 0.0)
        elif number == 0:
            yield Pause(seed.between(0.2, 0.35, "first"))
        else:
            yield Pause(total_s / len(chunks) * seed.between(0.5, 1.5, f"step {number}"))
        yield Send(chunk)
