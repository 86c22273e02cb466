"""The demo model: plays scripts, and answers everything else in the manner of Gemini."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..example import example
from ..faults import Fault
from ..prompt import Answer, Ask, count_tokens
from ..reply import Reply, slices
from ..script.actions import Actions, Chunk, Pause
from ..script.language import is_script, parse
from ..script.play import perform
from .prose import Seed, compose, keywords

__all__ = ["answer"]


Json = dict[str, Any]


def answer(ask: Ask, reply: Reply, pace_s: float | None = None) -> tuple[Actions, Fault]:
    """What the demo model does with a request, and how it travels. Raises ScriptError.

    `pace_s` is the pause between chunks in seconds; None for Gemini's own rhythm.
    """
    if is_script(ask.prompt):
        sections = parse(ask.prompt)
        if ask.step < len(sections):
            section = sections[ask.step]
            return perform(section, ask, reply), section.fault
    return _paced(list(_chunks(ask, reply)), Seed(ask.prompt), pace_s), Fault()


def _chunks(ask: Ask, reply: Reply) -> Iterator[Json]:
    """Thoughts, then calls or an answer, within `max_tokens` as far as the request sets it."""
    calls = list(_choose_calls(ask))
    if calls:
        thoughts, text = _thoughts_before(calls), ""
    elif ask.answers:
        thoughts, text = "", _read_out(ask)
    elif ask.json_schema is not None:
        thoughts, text = "", json.dumps(example(ask.json_schema, ask.prompt), indent=2, ensure_ascii=False)
    else:
        prose = compose(ask.prompt)
        thoughts, text = prose.thoughts, prose.answer
    left = ask.max_tokens if ask.max_tokens is not None else 1_000_000
    for said, kind in ((thoughts, {"thought": True}), (text, {})):
        for piece in slices(said, high=Seed(said).pick((70, 90, 110), "chunk size")):
            if left < count_tokens(piece):
                yield reply.final("MAX_TOKENS")
                return
            left -= count_tokens(piece)
            if ask.wants_thoughts or not kind:
                yield reply.chunk({"text": piece, **kind})
    for name in calls:
        yield reply.chunk(reply.call(name, _arguments(ask, name)))
    yield reply.final()


def _arguments(ask: Ask, name: str) -> Json:
    made = example(ask.tools[name], ask.prompt)
    return made if isinstance(made, dict) else {}


def _choose_calls(ask: Ask) -> Iterator[str]:
    """The caller's tools to use now: those the prompt names, else the likeliest one, else none.

    A tool is called once in a turn; once the conversation has seen one at work, only when the prompt speaks of it.
    """
    if not ask.tools or ask.calling_mode == "NONE" or ask.answers or ask.step:
        return
    named = [name for name in ask.tools if _words(name) <= _words(ask.prompt)]
    if named:
        yield from named
        return
    topic = _words(" ".join(keywords(ask.prompt)))
    related = {name: len(topic & _words(f"{name} {ask.descriptions[name]}")) for name in ask.tools}
    likeliest = max(related, key=lambda name: related[name])
    if related[likeliest] or not ask.tools_used or ask.calling_mode == "ANY":
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


def _read_out(ask: Ask) -> str:
    """An answer that says what the tools answered."""
    told = "\n\n".join(_read_one(answer) for answer in ask.answers)
    refused = all("error" in answer.response for answer in ask.answers)
    ending = (
        "Nothing was changed. Tell me what you would like instead."
        if refused
        else "That is what came back. *I am the demo model: I repeat it and do not judge it.*"
    )
    return f"{told}\n\n{ending}\n"


def _read_one(answer: Answer) -> str:
    if "error" in answer.response:
        return f"`{answer.name}` did not go through: {_inline(answer.response['error'])}"
    value = answer.response.get("result", answer.response.get("output", answer.response))
    if isinstance(value, dict) and value:
        rows = "".join(f"| {_cell(key)} | {_cell(item)} |\n" for key, item in list(value.items())[:12])
        return f"`{answer.name}` answered:\n\n| Field | Value |\n|---|---|\n{rows}"
    if isinstance(value, list) and value:
        more = f"\n\nand {len(value) - 10} more" if len(value) > 10 else ""
        return f"`{answer.name}` found {len(value)}:\n\n" + "\n".join(f"- {_cell(item)}" for item in value[:10]) + more
    if isinstance(value, str) and "\n" in value:
        return f"`{answer.name}` answered:\n\n````\n{value[:2000]}\n````"
    return f"`{answer.name}` says **{_inline(value)}**."


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
        yield Chunk(chunk)
