"""Who may decide about a call: persons, policies, and the rules that decisions make.

They are asked in this order, and the first that says so decides (`decide`):
1. "never": a person's rule, the tool's own policy, a line of the chat's list;
2. "auto": the tool's own policy, or the chat's for tools that have none;
3. "auto": a person's rule;
4. a person is asked.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeAlias, TypeGuard, get_args

from .._interrupts import struck
from .._plain import Json, Wire, nearest, shorten
from .._redact import words_of
from .._stream.parts import DecidedBy, Scope, ToolCall

__all__ = [
    "Choice", "Line", "Policy", "RuleBook", "Verdict", "decide", "fingerprint", "flaw_in", "is_policy", "judge",
]  # fmt: skip


Verdict: TypeAlias = Literal["auto", "ask", "never"]
Line: TypeAlias = tuple[str, Verdict] | tuple[str, Mapping[str, str], Verdict]
"""A line of a list: the tools it is about, then what their arguments have to be, then what it says of such a call.
Names and arguments are patterns of shell style (`*`, `?`, `[abc]`), and capitals count. An argument is a text as it
stands, and else its JSON; `"to.city"` is one inside another. All of them have to fit."""
Policy: TypeAlias = Verdict | Callable[[ToolCall], "Verdict | tuple[Verdict, str]"] | Sequence[Line]
"""Whether a call may run: by itself, after someone approved it, or never; or a function of the call that says so, with
a reason if it likes; or a list of lines. A line that says "never" always wins; of the others the first that fits
counts, and where none does, someone is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody wants done with a call that waits. `args`: edited arguments, or None for those the model sent.
    `shown` is the hash of what the chooser saw; None: whatever is asked now.
    """

    verdict: Literal["approve", "deny"]
    by: DecidedBy
    args: Wire | None = None
    reason: str | None = None
    scope: Scope = "once"
    shown: str | None = None


def fingerprint(name: str, args: Wire) -> str:
    """A short hash of a tool's name and its arguments as shown; a decision names it, so that it is about these."""
    text = json.dumps([name, args], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def judge(policy: Policy, call: ToolCall, gets: Callable[[], Json] | None = None) -> tuple[Verdict, str | None]:
    """What a policy says of a call, with its reason. A policy that fails or says something else asks a person."""
    if isinstance(policy, str):
        return policy, None
    try:
        said = policy(call) if callable(policy) else _by_lines(policy, call, gets)
        verdict, reason = said if isinstance(said, tuple) and len(said) == 2 else (said, None)
        if not isinstance(verdict, str) or verdict not in get_args(Verdict):
            return "ask", f"The policy said {shorten(repr(verdict))}, which is none of auto, ask and never."
        return verdict, None if reason is None else str(reason)
    except BaseException as error:  # also SystemExit: a policy must not end the kernel
        if struck(error):
            raise
        return "ask", f"The policy failed: {words_of(error)}"


def decide(
    call: ToolCall,
    *,
    own: Policy | None,
    chat: Policy,
    ruled: Verdict | None,
    gets: Callable[[], Json] | None = None,
) -> tuple[Verdict, DecidedBy, str | None]:
    """What is done with a call, who says so, and why. `own` is its tool's policy, `chat` that of the chat, `ruled` what
    the rules say that a person made. `gets` gives the arguments as the function gets them, where that may not be as
    they came; it is asked by lists only, and may raise.
    """
    if ruled == "never":
        return ruled, "rule", None
    verdict, reason = judge(chat if own is None else own, call, gets)
    if own is not None and verdict != "never" and _is_list(chat):
        denying = [line for line in chat if line[-1] == "never"]
        said, why = judge(denying, call, gets) if denying else ("ask", None)
        if said == "never" or why is not None:  # or nobody can tell
            verdict, reason = said, why
    if verdict == "ask" and ruled == "auto":
        return ruled, "rule", None
    return verdict, "policy", reason


def _by_lines(lines: Sequence[Line], call: ToolCall, gets: Callable[[], Json] | None) -> tuple[Verdict, str | None]:
    """What the first line says that fits; those that say "never" come first. Types convert what the model sent ("yes"
    is True): what is to run by itself has to fit both ways, and anything else either way.
    """
    about = [line for line in lines if fnmatchcase(call.name, line[0])]
    if not about:
        return "ask", None
    ways = [call.live_args] if gets is None else [call.live_args, gets()]
    for line in sorted(about, key=lambda line: line[-1] != "never"):
        fits = all if line[-1] == "auto" else any
        if fits(_fits(line, call, args) for args in ways):
            return line[-1], f"The policy has the line {line!r}." if line[-1] == "never" else None
    return "ask", None


def _fits(line: Line, call: ToolCall, args: Json) -> bool:
    """Whether the arguments are as the line wants them."""
    wanted = line[1] if len(line) == 3 else {}
    properties = (call.schema or {}).get("properties", {})  # what was left out is the default that is told
    held = {key: schema["default"] for key, schema in properties.items() if "default" in schema} | args
    return all(_fits_argument(held, name, wanted[name]) for name in wanted)


def _fits_argument(held: Any, name: str, pattern: str) -> bool:
    for key in [name] if name in held else name.split("."):
        if not isinstance(held, dict) or key not in held:
            return False
        held = held[key]
    return fnmatchcase(held if isinstance(held, str) else json.dumps(held, ensure_ascii=False, default=str), pattern)


def _is_list(policy: Policy) -> TypeGuard[Sequence[Line]]:
    return not isinstance(policy, str) and not callable(policy)


def is_policy(value: Any) -> bool:
    """A verdict, a plain function (one that must be awaited would never be asked), or a list: see `flaw_in`."""
    if isinstance(value, str):
        return value in get_args(Verdict)
    return isinstance(value, list | tuple) or (callable(value) and not iscoroutinefunction(value))


def flaw_in(policy: Any, tools: Collection[str] = ()) -> str | None:
    """What is wrong with a list of lines, in words; None where nothing is, and for other policies. A name that is
    nearly one of `tools` is meant to be it.
    """
    for line in policy if isinstance(policy, list | tuple) else ():
        shown = shorten(repr(line))
        if not (isinstance(line, tuple) and len(line) in (2, 3) and isinstance(line[0], str)):
            return f'{shown} is no line of a policy: give ("tool_*", "ask") or ("tool", {{"path": "/tmp/*"}}, "auto").'
        if line[-1] not in get_args(Verdict):
            return f'{shown} ends with none of "auto", "ask" and "never".{nearest(str(line[-1]), get_args(Verdict))}'
        wanted = line[1] if len(line) == 3 else {}
        if not isinstance(wanted, Mapping) or not all(isinstance(one, str) for pair in wanted.items() for one in pair):
            return f"{shown}: what the arguments have to be is a dict of texts, name to pattern."
        is_name = not any(letter in line[0] for letter in "*?[")
        if is_name and line[0] not in tools and (meant := nearest(line[0], tools)):
            return f"{shown} is about {line[0]!r}, which is no tool here.{meant}"
    return None


@dataclass(frozen=True, slots=True)
class Rule:
    """Made by a decision with a scope: later calls of the same tool are decided the same way."""

    id: str
    tool: str
    scope: Scope
    verdict: Verdict
    run: str

    def to_json(self) -> Wire:
        what = "runs" if self.verdict == "auto" else "is denied"
        where = "chat" if self.scope == "chat" else "run"
        words = f"Every call of {self.tool} {what} without asking, in this {where}."
        return {"id": self.id, "tool": self.tool, "scope": self.scope, "words": words}


class RuleBook:
    """The rules of one chat. Changed on the loops of its runs only, one run at a time."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._numbers = itertools.count(1)

    def add(self, tool: str, scope: Scope, verdict: Verdict, run: str) -> None:
        """Make a rule; the last one for a tool counts."""
        rule = Rule(f"x{next(self._numbers)}", tool, scope, verdict, run)
        of = (tool, scope, None if scope == "chat" else run)
        self._rules = {
            k: r for k, r in self._rules.items() if (r.tool, r.scope, None if r.scope == "chat" else r.run) != of
        }
        self._rules[rule.id] = rule

    def revoke(self, rule_id: str) -> bool:
        """Take a rule back; False where there is none."""
        return self._rules.pop(rule_id, None) is not None

    def verdict(self, tool: str, run: str) -> Verdict | None:
        """What the rules say of a call of `tool` in `run`: the last one counts, and a denial before all."""
        said = [rule.verdict for rule in self.of(run) if rule.tool == tool]
        return "never" if "never" in said else said[-1] if said else None

    def of(self, run: str) -> list[Rule]:
        """The rules that hold in a run, oldest first."""
        return [r for r in self._rules.values() if r.scope == "chat" or r.run == run]

    def shown_in(self, run: str) -> list[Wire]:
        """The rules that hold in a run, as the page shows them."""
        return [rule.to_json() for rule in self.of(run)]
