"""Who may decide about a call: persons, policies, and the rules that decisions make."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeAlias, get_args

from .._interrupts import struck
from .._plain import Wire, shorten
from .._redact import words_of
from .._stream.parts import DecidedBy, Scope, ToolCall

__all__ = ["Choice", "Policy", "RuleBook", "Verdict", "fingerprint", "is_policy", "judge"]


Verdict: TypeAlias = Literal["auto", "ask", "never"]
Policy: TypeAlias = Verdict | Callable[[ToolCall], "Verdict | tuple[Verdict, str]"]
"""Whether a call may run: by itself, after someone approved it, or never; or a function of the call that says so, with
a reason if it likes."""


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


def judge(policy: Policy, call: ToolCall) -> tuple[Verdict, str | None]:
    """What a policy says of a call, with its reason. A policy that fails or says something else asks a person."""
    if isinstance(policy, str):
        return policy, None
    try:
        said = policy(call)
        verdict, reason = said if isinstance(said, tuple) and len(said) == 2 else (said, None)
        if not isinstance(verdict, str) or verdict not in get_args(Verdict):
            return "ask", f"The policy said {shorten(repr(verdict))}, which is none of auto, ask and never."
        return verdict, None if reason is None else str(reason)
    except BaseException as error:  # also SystemExit: a policy must not end the kernel
        if struck(error):
            raise
        return "ask", f"The policy failed: {words_of(error)}"


def is_policy(value: Any) -> bool:
    """A verdict, or a plain function: one that must be awaited would never be asked."""
    return value in get_args(Verdict) if isinstance(value, str) else callable(value) and not iscoroutinefunction(value)


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
        """What the rules say of a call of `tool` in `run`."""
        held = [r for r in self.of(run) if r.tool == tool]
        return held[-1].verdict if held else None

    def of(self, run: str) -> list[Rule]:
        """The rules that hold in a run, oldest first."""
        return [r for r in self._rules.values() if r.scope == "chat" or r.run == run]

    def shown_in(self, run: str) -> list[Wire]:
        """The rules that hold in a run, as the page shows them."""
        return [rule.to_json() for rule in self.of(run)]
