"""The line language in which a prompt says exactly what the demo model shall do.

A prompt is a script when its first line that is not blank starts with `@` and a letter, or any line starts with a
directive. Each directive is a line: `@name argument`. Other lines are for the reader and mean nothing to the model.

    What is the weather in Lisbon?
    @think They want the weather.
    @call get_weather {"city": "Lisbon"}
    @then
    @say It is sunny.

`parse` turns the text into sections, one for each time the model speaks within the turn; `play.play` plays a section.
The whole language, with examples, is in docs/local-gemini.md.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from ..._plain import Json
from ..._process import Portable
from ..faults import FRAMES, Ending, Fault

__all__ = ["Cue", "ScriptError", "Section", "is_script", "parse"]


MOST_REPEATS = 1_000_000

_LINE = re.compile(r"@(\+?)([a-z]+)(?: (.*))?", re.DOTALL)
_LOOKS_LIKE_A_SCRIPT = re.compile(r"\s*@\+?[A-Za-z]")


class ScriptError(Portable):
    """A line of a script that cannot be understood; says which one and what to write."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        super().__init__(f"Script line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Cue:
    """One directive, understood."""

    name: str
    value: Any
    """What the directive's reader in `DIRECTIVES` makes of the argument."""
    joined: bool = False
    """Whether its part goes into the chunk of the part before (`@+name`)."""


@dataclass(frozen=True, slots=True)
class Section:
    """What the model does when it speaks once."""

    cues: tuple[Cue, ...]
    faults: Mapping[int, Fault]
    """How each hop travels, by the place in `cues` where it begins: 0, and behind every `@hop`."""

    def fault(self, place: int = 0) -> Fault:
        """How what begins at this place travels. A hop that goes on from a checkpoint has its trouble behind it."""
        return self.faults.get(place, Fault())


def is_script(prompt: str) -> bool:
    """Whether the prompt is a script rather than something to answer."""
    lines = prompt.splitlines()
    return bool(_LOOKS_LIKE_A_SCRIPT.match(prompt)) or any(
        (match := _LINE.match(line)) is not None and match[2] in DIRECTIVES for line in lines
    )


def parse(prompt: str) -> list[Section]:
    """The sections of a script, at least one. Raises ScriptError for the first line it does not understand."""
    sections: list[Section] = []
    cues: list[Cue] = []
    faults = {0: Fault()}
    begin = 0
    lines = deque(enumerate(re.split(r"\r?\n", prompt), start=1))
    while lines:
        number, line = lines.popleft()
        if not line.startswith("@"):
            continue
        try:
            cue = _cue(line, lines)
        except ValueError as error:
            raise ScriptError(number, str(error)) from error
        if cue.name == "then":
            sections.append(Section(tuple(cues), faults))
            cues, faults, begin = [], {0: Fault()}, 0
        elif (change := _fault(cue)) is not None:
            if cue.name in ("fail", "headers") and any(earlier.name in _SENDS for earlier in cues[begin:]):
                raise ScriptError(number, f"@{cue.name} must come before anything that is sent.")
            faults[begin] = replace(faults[begin], **change)
        else:
            cues.append(cue)
        if cue.name == "hop":
            begin = len(cues)
            faults[begin] = Fault()
    return [*sections, Section(tuple(cues), faults)]


def _cue(line: str, following: deque[tuple[int, str]]) -> Cue:
    """The directive on this line, with its block taken out of the lines that follow. Raises ValueError."""
    match = _LINE.fullmatch(line)
    if not match or match[2] not in DIRECTIVES:
        raise ValueError(_unknown(line))
    name, argument = match[2], match[3]
    if argument is None and name in _BLOCKS:
        argument = _block(name, following)
    directive = DIRECTIVES[name]
    try:
        return Cue(name, directive.read(argument or ""), joined=bool(match[1]))
    except ValueError as error:
        raise ValueError(f"@{name} {error}. Write: @{name} {directive.usage}".rstrip()) from error


def _block(name: str, following: deque[tuple[int, str]]) -> str:
    """The lines up to `@end`, taken out of `following`, with nothing in them read as directives or escapes."""
    block: list[str] = []
    while following:
        _, line = following.popleft()
        if line.rstrip() == "@end":
            text = "\n".join(block)
            return text.replace("\\", "\\\\") if name in _TEXTS else text
        block.append(line)
    raise ValueError(f"@{name} without an argument opens a block, which needs a line @end")


def _unknown(line: str) -> str:
    written = line.split(maxsplit=1)[0]
    near = difflib.get_close_matches(written.lstrip("@+").lower(), DIRECTIVES, n=1)
    guess = f"Did you mean @{near[0]}?" if near else f"Directives: {' '.join('@' + name for name in DIRECTIVES)}."
    return f"unknown directive {written}. {guess} In a prompt that is no script, no line may start like this."


def _fault(cue: Cue) -> dict[str, Any] | None:
    """What a directive changes about how the section travels, if that is what it does."""
    match cue:
        case Cue(name="fail", value=(status, body)):
            return {"status": status, "body": body}
        case Cue(name="headers", value=seconds):
            return {"headers_after_s": seconds}
        case Cue(name="split", value=sizes):
            return {"split": sizes}
        case Cue(name="frames", value=words):
            return {"frames": words}
        case Cue(name="cut", value=(int(after), ending)):
            return {"cut_after_bytes": after, "ending": ending}
    return None


# --- arguments --------------------------------------------------------------------------------------------------------
# A reader takes the text after the name and gives the cue's value, or raises ValueError with what is wrong.


def _text(argument: str) -> str:
    r"""The text with its escapes resolved: \n \t \r \\ \uXXXX."""
    letters = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    pattern = r"\\(?:([ntr\\])|u([0-9a-fA-F]{4}))"
    resolved = re.sub(pattern, lambda found: letters[found[1]] if found[1] else chr(int(found[2], 16)), argument)
    return resolved.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # join surrogate pairs


def _seconds(argument: str) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ValueError(f"needs seconds from 0 to 3600, not {argument!r}")
    return seconds


def _number(argument: str, low: int = 0, high: int = MOST_REPEATS) -> int:
    if not re.fullmatch(r"\d{1,9}", argument) or not low <= int(argument) <= high:
        raise ValueError(f"needs a whole number from {low} to {high}, not {argument!r}")
    return int(argument)


def _status(argument: str) -> int:
    return _number(argument, 400, 599)


def _object(argument: str) -> Json:
    try:
        value = json.loads(argument)
    except ValueError as error:
        raise ValueError(f"needs a JSON object; this is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"needs a JSON object, not {argument!r}")
    return value


def _call(argument: str) -> tuple[str, Json | None]:
    name, _, args = argument.strip().partition(" ")
    if not name:
        raise ValueError("needs the name of a tool")
    return name, _object(args) if args.strip() else None


def _word(argument: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", argument):
        raise ValueError(f"needs a reason in capitals, not {argument!r}")
    return argument


def _reason(argument: str) -> tuple[str, str]:
    reason, _, message = argument.partition(" ")
    return _word(reason), _text(message)


def _failure(argument: str) -> tuple[int, str]:
    status, _, body = argument.partition(" ")
    if (body or "json") not in ("json", "html", "empty"):
        raise ValueError(f"knows the bodies json, html and empty, not {body!r}")
    return _status(status), body or "json"


def _error(argument: str) -> tuple[int, bool]:
    status, _, form = argument.partition(" ")
    if form not in ("", "raw"):
        raise ValueError(f"knows the form raw, not {form!r}")
    return _status(status), form == "raw"


def _cut(argument: str) -> tuple[int | None, Ending]:
    words = argument.split()
    after = _number(words.pop(0), high=10**9 - 1) if words and words[0].isdigit() else None
    endings = {ending: ending for ending in get_args(Ending)}
    if len(words) > 1 or (words and words[0] not in endings):
        raise ValueError(f"knows the endings {', '.join(endings)}, not {' '.join(words)!r}")
    return after, endings[words[0]] if words else "reset"


def _sizes(argument: str) -> tuple[int, ...]:
    return tuple(_number(word, 1, 10**9 - 1) for word in argument.split()) or (1,)


def _frames(argument: str) -> str:
    if not {*argument.split()} <= {*FRAMES} or not argument.strip():
        raise ValueError(f"knows the words {', '.join(FRAMES)}, not {argument!r}")
    return argument


def _chunks(argument: str) -> tuple[int, str]:
    count, _, text = argument.partition(" ")
    pieces, text = _number(count, 1), _text(text)
    if len(text) < pieces:
        raise ValueError(f"has {len(text)} characters, too few for {pieces} chunks")
    return pieces, text


def _repeat(argument: str) -> tuple[int, Cue]:
    count, _, rest = argument.partition(" ")
    times = _number(count)
    if not rest.startswith("@"):
        return times, Cue("say", _text(rest))
    cue = _cue(rest, deque())
    if cue.name not in _SENDS - _MARKS - {"repeat"} and cue.name != "pause":
        raise ValueError(f"cannot repeat @{cue.name}")
    return times, cue


def _nothing(argument: str) -> None:
    if argument.strip():
        raise ValueError(f"takes nothing, not {argument!r}")


@dataclass(frozen=True, slots=True)
class Directive:
    """How a directive is written, and what reads its argument."""

    read: Callable[[str], Any]
    usage: str


DIRECTIVES = {
    "think": Directive(_text, "what the model reasons"),
    "say": Directive(_text, "what it answers"),
    "call": Directive(_call, 'tool_name {"json": "arguments"}'),
    "partial": Directive(_call, 'tool_name {"json": "arguments"}'),
    "code": Directive(_text, "Python that the model runs"),
    "result": Directive(_text, "what the code printed"),
    "image": Directive(lambda argument: _number(argument or "64", 1, 512), "64"),
    "search": Directive(_text, "what was searched for"),
    "part": Directive(_object, '{"text": "a part as on the wire"}'),
    "raw": Directive(_object, '{"candidates": []}'),
    "chunks": Directive(_chunks, "3 a text sent in three chunks"),
    "repeat": Directive(_repeat, "40 text {n}, or 40 @call name"),
    "garbage": Directive(_text, "bytes sent as they are"),
    "error": Directive(_error, "503, or 503 raw"),
    "finish": Directive(_reason, "MAX_TOKENS"),
    "nofinish": Directive(_nothing, ""),
    "hop": Directive(lambda argument: _word(argument or "CONTINUATION"), "CONTINUATION, or MAX_TOKENS"),
    "checkpoint": Directive(_nothing, ""),
    "block": Directive(_word, "SAFETY"),
    "pause": Directive(_seconds, "0.5"),
    "every": Directive(_seconds, "0.02"),
    "chunk": Directive(_number, "40"),
    "stall": Directive(_nothing, ""),
    "cut": Directive(_cut, "120, or 120 close"),
    "fail": Directive(_failure, "429, or 503 html"),
    "headers": Directive(_seconds, "2"),
    "split": Directive(_sizes, "1 7 3"),
    "frames": Directive(_frames, "lf, or cr tight done"),
    "usage": Directive(_object, '{"candidatesTokenCount": 7}'),
    "then": Directive(_nothing, ""),
}
"""Every directive by its name, without the @."""

_TEXTS = {"think", "say", "code", "result"}
_BLOCKS = _TEXTS | {"part", "raw"}
_MARKS = {"hop", "checkpoint"}
_SENDS = _BLOCKS | _MARKS | {
    "call", "partial", "image", "search", "chunks", "repeat", "garbage", "error", "finish", "block",
}  # fmt: skip
