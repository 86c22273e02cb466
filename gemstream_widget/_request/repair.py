"""What Gemini would refuse in a conversation, and the repair on offer.

`rules` finds what is wrong and where; here is a table from its codes to repairs of the contents. A repair loses as
little as it can, says in plain words what it does, and leaves alone what is not refused. Settings have no repair: which
tools or what temperature is meant, only the user knows.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

from .._plain import Wire, clean
from .pairing import OpenCall
from .rules import SKIP_SIGNATURE, SKIPPED, Body, Function, RoleRun, violations
from .shapes import Violation
from .wire import DATA_FIELDS, FIELDS, camel, decode_base64, get

__all__ = ["BEFORE", "UNKNOWN", "Refusal", "refusals", "repaired"]


UNKNOWN = "No response to this call is known: it may have been run or not."
"""The error that answers a call without a response. Only who ran the tools could say more."""
BEFORE = "(The conversation began before this.)"
"""What the user says in front of a call that the conversation begins with, so that the call can stay."""

_NEXT_PROMPT: Wire = {"role": "user", "parts": [{"text": "What the user says next."}]}
_MODEL_ROLES = ("assistant", "bot", "ai", "model")
_SKIP = base64.b64encode(SKIP_SIGNATURE).decode("ascii")
_LEFT_BEHIND = {"empty_part", "empty_content", "missing_signature"}  # what repairs of other codes may leave
_ROUNDS = 100  # each mends one code wherever it is; conversations need a few

_Mended: TypeAlias = tuple[list[Any], list[str]]
"""What takes the place of something, and what that means, in words."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing Gemini would refuse (as rules.Violation), and the repair on offer."""

    code: str
    path: str
    message: str
    hint: str
    repair: str | None
    """What the repair would do to the conversation, in words; None where only the user can mend it (`hint`)."""


def refusals(
    contents: Sequence[Wire], *, model: str, body: Mapping[str, Any] | None = None, vertex: bool = False
) -> list[Refusal]:
    """What a request with these contents would be refused for; `body` holds its other fields.

    Where the contents end with the model's turn, the user's next prompt is taken to follow. Never raises for JSON.
    """
    plain = _plain(contents)
    found = _found(plain, model, vertex, body)
    return [Refusal(v.code, v.path, v.message, v.hint, _offer(plain, v)) for v in found]


def repaired(
    contents: Sequence[Wire], *, model: str, only: Collection[str] | None = None, vertex: bool = False
) -> tuple[list[Wire], list[str]]:
    """The contents with the repairs of these codes (None: of all), and what was done, in words and in order.

    What a repair leaves behind, such as a content without parts, is mended along. Paths in the words are those of the
    moment. "corrupted_signature" must be named: only Gemini can tell that a signature is not its own. What is given is
    not changed, and what was well is shared with the result. Never raises for JSON.
    """
    mended, done = _plain(contents), list[str]()
    if only is not None and "corrupted_signature" in only:
        mended, done = _unsigned(mended)
    for _ in range(_ROUNDS):
        wanted = {*(_REPAIRS if only is None else only), *(_LEFT_BEHIND if done else ())}
        found = [v for v in _found(mended, model, vertex) if v.code in wanted and _repairable(v)]
        code = next((code for code in _REPAIRS if any(v.code == code for v in found)), None)
        if code is None:
            break
        mended, words = _REPAIRS[code](mended, [v for v in found if v.code == code])
        done += words
    return mended, done


def _plain(contents: Any) -> Any:
    return list(contents or ()) if isinstance(contents, list | tuple | None) else contents


def _found(contents: Any, model: str, vertex: bool, body: Mapping[str, Any] | None = None) -> list[Violation]:
    request = {**(body or {}), "contents": contents}
    found = violations(request, model=model, vertex=vertex)
    if any(v.code == "ends_with_model" for v in found):
        found = violations({**request, "contents": [*contents, _NEXT_PROMPT]}, model=model, vertex=vertex)
    return found


def _repairable(violation: Violation) -> bool:
    return violation.code in _REPAIRS and violation.path.startswith("contents")


def _offer(contents: Any, violation: Violation) -> str | None:
    return " ".join(_REPAIRS[violation.code](contents, [violation])[1]) if _repairable(violation) else None


def _place(path: str) -> tuple[int, int, str]:
    """`contents[2].parts[0].text` as (2, 0, "text"); the part is -1 where the path leads to a content."""
    match = re.fullmatch(r"contents\[(\d+)\](?:\.parts\[(\d+)\])?\.?(.*)", path)
    assert match is not None
    return int(match[1]), int(match[2] or -1), match[3]


def _with(message: Wire, name: str, value: Any) -> Wire:
    """The message with this field in place of its own, in either spelling; without it for None."""
    others = {k: v for k, v in message.items() if camel(k) != name}
    return others if value is None else {**others, name: value}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(clean(value), ensure_ascii=False)


def _short(value: Any) -> str:
    text = repr(clean(value))
    return text if len(text) <= 80 else text[:77] + "..."


# --------------------------------------------------------------------------------------------------------------------
# shapes: contents and parts by themselves


def _each(mend: Callable[[Any, Violation], _Mended]) -> _Repair:
    """Mend each content or part by itself, once: what else is wrong with it is for the next round."""

    def repair(contents: list[Any], found: Sequence[Violation]) -> _Mended:
        out, done = list(contents), list[str]()
        places = {_place(v.path)[:2]: v for v in found}
        for i, j in sorted(places, reverse=True):  # from the back, so that the places in front stay where they are
            if j < 0:
                out[i : i + 1], words = mend(out[i], places[i, j])
            else:
                parts = list(out[i]["parts"])
                parts[j : j + 1], words = mend(parts[j], places[i, j])
                out[i] = {**out[i], "parts": parts}
            done = words + done
        return out, done

    return repair


def _without(value: Any, violation: Violation) -> _Mended:
    kind = violation.code.removeprefix("empty_")
    return [], [f"Removes the empty {kind} {violation.path}" + (f": {_short(value)}." if value else ".")]


def _with_role(content: Wire, violation: Violation) -> _Mended:
    said, parts = content["role"], get(content, "parts")
    calls = isinstance(parts, list) and any(isinstance(p, dict) and get(p, "functionCall") for p in parts)
    role = "model" if calls or str(said).lower() in _MODEL_ROLES else "user"
    return [{**content, "role": role}], [f"Changes the role {_short(said)} of {violation.path[:-5]} to {role!r}."]


def _with_known_fields(value: Wire, violation: Violation) -> _Mended:
    _, j, name = _place(violation.path)
    kind = camel(name) or ("part" if j >= 0 else "content")
    message = get(value, kind) if name else value
    unknown = {k: v for k, v in message.items() if v is not None and camel(k) not in FIELDS[kind]}
    known = {k: v for k, v in message.items() if k not in unknown}
    done = []
    if kind == "content" and isinstance(unknown.get("content"), str) and not get(value, "parts"):
        known["parts"] = [{"text": unknown.pop("content")}]  # as other providers write a message
        done = [f"Makes the text of {violation.path} a part: {_short(known['parts'][0]['text'])}."]
    if unknown:
        done += [f"Removes what Gemini does not know from {violation.path}: {_short(unknown)}."]
    return [_with(value, kind, known) if name else known], done


def _split(part: Wire, violation: Violation) -> _Mended:
    kinds = [name for name in DATA_FIELDS if get(part, name) is not None]
    home = "functionCall" if "functionCall" in kinds else kinds[0]  # of the signature: calls need one
    rest = {k: v for k, v in part.items() if camel(k) not in DATA_FIELDS}
    thought = {k: v for k, v in rest.items() if k == "thought"}
    parts = [{**(rest if name == home else thought), name: get(part, name)} for name in kinds]
    return parts, [f"Splits {violation.path}: one part for each of {', '.join(kinds)}."]


def _with_right_types(contents: Any, found: Sequence[Violation]) -> _Mended:
    if found[0].path == "contents":
        whole = contents if isinstance(contents, dict) else {"role": "user", "parts": [{"text": _text(contents)}]}
        return [whole], ["Makes a list of the contents."]
    return _each(_with_right_type)(contents, found)


def _with_right_type(value: Any, violation: Violation) -> _Mended:
    _, j, place = _place(violation.path)
    outer, _, name = place.rpartition(".")
    message = get(value, camel(outer)) if outer else value
    wrong = get(message, camel(name)) if name else value
    done = [f"Makes {violation.path} a text: {_short(wrong)}."]
    new: Any = _text(wrong)
    if not place:  # a content or part
        text = {"text": new} if j >= 0 else {"role": "user", "parts": [{"text": new}]}
        return ([], [f"Removes {violation.path}: it is null."]) if wrong is None else ([text], done)
    if name in ("args", "response"):
        new, done = {"result": wrong}, [f'Wraps {violation.path}, as in {{"result": ...}}.']
    elif name == "parts":
        new, done = [wrong if isinstance(wrong, dict) else {"text": new}], [f"Makes a list of {violation.path}."]
    elif name not in ("text", "name", "id"):  # a call, response or file that is no object
        return [part for part in (_with(value, camel(name), None), {"text": new}) if part], done
    message = _with(message, name, new)
    return [_with(value, camel(outer), message) if outer else message], done


def _with_base64(part: Wire, violation: Violation) -> _Mended:
    i, j, place = _place(violation.path)
    where = f"contents[{i}].parts[{j}]"
    if place == "thought_signature":
        return [_with(part, "thoughtSignature", None)], [f"Removes the signature of {where}: it cannot be read."]
    note = f"(Here was a file of type {get(get(part, 'inlineData'), 'mimeType')}. Its data could not be read.)"
    others = {k: v for k, v in part.items() if camel(k) in DATA_FIELDS and camel(k) != "inlineData"}
    words = f"Replaces the file {where}, whose data cannot be read, by the text {note!r}."
    return [*([others] if others else []), {"text": note}], [words]


def _without_streaming(part: Wire, violation: Violation) -> _Mended:
    call = _with(_with(get(part, "functionCall"), "partialArgs", None), "willContinue", None)
    return [_with(part, "functionCall", call)], [f"Removes partialArgs and willContinue from {violation.path}."]


# --------------------------------------------------------------------------------------------------------------------
# the conversation: signatures, calls and responses


def _skipping(part: Wire, violation: Violation) -> _Mended:
    name = get(get(part, "functionCall"), "name")
    words = f"Marks the call {name}, whose signature is lost, with the value that asks Gemini to skip the check."
    return [_with(part, "thoughtSignature", _SKIP)], [words]


def _unsigned(contents: Any) -> _Mended:
    """Without the signatures, of which Gemini refused one: whose they are, and which are good, it does not say."""
    signed = [
        Violation("corrupted_signature", f"contents[{i}].parts[{j}]", "", "")
        for i, content in enumerate(contents if isinstance(contents, list) else ())
        if isinstance(content, dict) and isinstance(parts := content.get("parts"), list)
        for j, part in enumerate(parts)
        if isinstance(part, dict) and decode_base64(get(part, "thoughtSignature")) not in (None, *SKIPPED)
    ]
    if not signed:
        return contents, []
    mended, _ = _each(lambda part, _: ([_with(part, "thoughtSignature", None)], []))(contents, signed)
    return mended, [f"Removes the signatures of {len(signed)} parts: Gemini did not accept one of them."]


def _opened(contents: list[Any], found: Sequence[Violation]) -> _Mended:
    first = {"role": "user", "parts": [{"text": BEFORE}]}
    return [first, *contents], [f"Lets the conversation, which begins with a call, begin with {BEFORE!r}."]


@dataclass(slots=True, eq=False)
class _Turn:
    """What the model said and what the user said next (None where there is nothing): calls with their responses."""

    said: RoleRun | None
    reply: RoleRun | None
    calls: list[Function]
    responses: list[Function | None]
    """One for each call; None where it has none."""
    spare: list[Function]
    """Responses that no call of this turn asked for."""
    wrong: bool

    @classmethod
    def of(cls, said: RoleRun | None, reply: RoleRun | None, wrong: set[int]) -> _Turn:
        calls = said.open_calls() if said else []
        spare = reply.functions("functionResponse") if reply else []
        places = {i for run in (said, reply) if run for i, _ in run.contents}
        turn = cls(said, reply, calls, [None] * len(calls), spare, bool(places & wrong))
        turn.take(spare, lambda call, response: bool(call.id) and call.id == response.id)
        turn.take(spare, lambda call, response: call.name == response.name)
        if len(spare) == turn.responses.count(None):
            turn.take(spare, lambda call, response: True)
        return turn

    def take(self, spare: list[Function], fits: Callable[[Function, Function], bool]) -> list[Function]:
        """Move the spare responses that fit to the calls that have none. Gives those that moved."""
        taken = []
        for n, call in enumerate(self.calls):
            if not self.responses[n] and (response := next((r for r in spare if fits(call, r)), None)):
                self.responses[n] = response
                spare.remove(response)
                taken.append(response)
        return taken

    def mended(self, done: list[str]) -> list[Wire]:
        """The contents, with one response to each call, in call order, in a content right after the calls."""
        if not self.wrong:
            return [content for run in (self.said, self.reply) if run for _, content in run.contents]
        changed: dict[str, Wire | None] = {}
        answers, ids = [], set[str]()
        for call, response in zip(self.calls, self.responses, strict=True):
            call_id = None if call.id in ids else call.id
            ids.add(call_id or "")
            if call.id and not call_id:
                changed[call.path] = _with(call.part, "functionCall", _with(call.message, "id", None))
                done.append(f"Removes the id of the call {call.name} in {call.path}: another call has it.")
            if response is None:
                done.append(f"Answers the call {call.name} in {call.path} with {UNKNOWN!r}")
            elif (response.name, response.id) != (call.name, call_id):
                done.append(f"Gives the response in {response.path} the name and the id of its call {call.name}.")
            message = response.message if response else {"response": {"error": UNKNOWN}}
            message = _with(_with(message, "name", call.name), "id", call_id)
            answers.append(_with(response.part if response else {}, "functionResponse", message))
        if self.reply:
            changed |= {response.path: None for response in self.reply.functions("functionResponse")}
        changed |= {response.path: response.part for response in self.spare}
        answer = [{"role": "user", "parts": answers}] if answers else []
        return [*_replaced(self.said, changed), *answer, *_replaced(self.reply, changed)]


def _replaced(run: RoleRun | None, changed: Mapping[str, Wire | None]) -> Iterable[Wire]:
    """The contents of the run with other parts at these paths, or none."""
    for i, content in run.contents if run else ():
        parts = [changed.get(f"contents[{i}].parts[{j}]", part) for j, part in enumerate(content["parts"])]
        if kept := [part for part in parts if part is not None]:
            yield {**content, "parts": kept}


def _answered(contents: list[Any], found: Sequence[Violation]) -> _Mended:
    """Each call with its one response. One that stands elsewhere moves to its call; one without a call must go."""
    runs: list[RoleRun | None] = [*Body({"contents": contents}, "", False, None).runs()]
    if runs[0] and runs[0].role != "model":
        runs.insert(0, None)
    wrong = {_place(v.path)[0] for v in found}
    turns = [_Turn.of(said, reply, wrong) for said, reply in zip_longest(runs[::2], runs[1::2])]
    done: list[str] = []
    for turn in (turn for turn in turns if turn.spare):
        n = turns.index(turn)
        for home in [*turns[n::-1], *turns[n + 1 :]]:  # the calls before it come first, the nearest of them
            if (turn.wrong or home.wrong) and (moved := home.take(turn.spare, _answers)):
                turn.wrong = home.wrong = True
                done += [f"Moves the response {r.name} in {r.path} to its call." for r in moved]
        if turn.wrong:
            done += [f"Removes {r.path}, which no call asked for: {_short(r.message)}." for r in turn.spare]
            turn.spare.clear()
    return [content for turn in turns for content in turn.mended(done)], done


def _answers(call: Function, response: Function) -> bool:
    return OpenCall(call.name or "", call.id).answered_by(response.message)


_Repair: TypeAlias = Callable[[list[Any], Sequence[Violation]], _Mended]
"""Mends these violations, all of one code. Changes nothing that it is given."""

_REPAIRS: dict[str, _Repair] = {  # in the order of repair: what keeps more goes first
    "wrong_type": _with_right_types,
    "bad_role": _each(_with_role),
    "unknown_field": _each(_with_known_fields),
    "several_kinds": _each(_split),
    "not_base64": _each(_with_base64),
    "vertex_only": _each(_without_streaming),
    "empty_part": _each(_without),
    "empty_content": _each(_without),
    "call_first": _opened,
    "response_without_call": _answered,
    "unanswered_call": _answered,
    "id_mismatch": _answered,
    "name_mismatch": _answered,
    "missing_signature": _each(_skipping),
}
