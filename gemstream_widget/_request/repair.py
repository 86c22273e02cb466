"""What Gemini would refuse in a conversation, and the repair on offer.

`rules` finds what is wrong and where; here is a table from its codes to repairs of the contents (`mends`, `rounds`). A
repair loses as little as it can, says in plain words what it does, and leaves alone what is not refused. Settings have
no repair: which tools or what temperature is meant, only the user knows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from .._plain import Json, clean
from . import mends, rounds
from .declarations import mended_tools
from .mends import Mended
from .origin import without_odd
from .rounds import BEFORE, UNKNOWN
from .rules import SKIPPED, violations
from .shapes import is_empty_system
from .strict import strict_violations
from .violation import CONTENTS, Place, Violation
from .wire import decode_base64, get

__all__ = ["BEFORE", "BY_ITSELF", "UNKNOWN", "mended_settings", "refusals", "repaired"]


_NEXT_PROMPT: Json = {"role": "user", "parts": [{"text": "What the user says next."}]}
_LEFT_BEHIND = {"empty_part", "empty_content", "missing_signature"}  # what repairs of other codes may leave
_MOST_PASSES = 100  # each mends one code wherever it is; conversations need a few

_Repair: TypeAlias = Callable[[list[Any], Sequence[Violation]], Mended]
"""Mends these violations, all of one code. Changes nothing that it is given."""


def each(mend: Callable[[Any, Violation], Mended]) -> _Repair:
    """Mend each content or part by itself, once: what else is wrong with it is for the next pass."""

    def repair(contents: list[Any], found: Sequence[Violation]) -> Mended:
        out, done = list(contents), list[str]()
        wrong = {violation.place.item: violation for violation in found}
        for place in sorted(wrong, key=_order, reverse=True):  # from the back: the places in front stay where they are
            i, j, _ = place
            assert i is not None
            if j is None:
                out[i : i + 1], words = mend(out[i], wrong[place])
            else:
                parts = list(out[i]["parts"])
                parts[j : j + 1], words = mend(parts[j], wrong[place])
                out[i] = {**out[i], "parts": parts}
            done = words + done
        return out, done

    return repair


def _order(place: Place) -> tuple[int, int]:
    """A content comes before its parts."""
    return (-1 if place.content is None else place.content, -1 if place.part is None else place.part)


def change_types(contents: Any, found: Sequence[Violation]) -> Mended:
    if found[0].place == CONTENTS:
        return mends.list_contents(contents)
    return each(mends.change_type)(contents, found)


def clean_values(contents: Any, found: Sequence[Violation]) -> Mended:
    if any(violation.place.content is None for violation in found):  # they are no list
        return clean(contents), [f"Writes what is no JSON in {CONTENTS} as text."]
    return each(mends.clean_values)(contents, found)


_REPAIRS: dict[str, _Repair] = {  # in the order of repair: what keeps more goes first
    "not_json": clean_values,
    "too_deep": each(mends.as_text),
    "lone_surrogate": clean_values,
    "wrong_type": change_types,
    "bad_role": each(mends.fix_role),
    "unknown_field": each(mends.drop_unknown),
    "several_kinds": each(mends.split_kinds),
    "not_base64": each(mends.drop_unreadable),
    "empty_signature": each(mends.drop_nothing),
    "reference_in_response": each(mends.as_text),
    "vertex_only": each(mends.drop_streaming),
    "empty_part": each(mends.drop_empty),
    "empty_content": each(mends.drop_empty),
    "call_first": rounds.begin_with_user,
    "response_without_call": rounds.pair_responses,
    "unanswered_call": rounds.pair_responses,
    "duplicate_id": rounds.pair_responses,
    "id_mismatch": rounds.pair_responses,
    "name_mismatch": rounds.pair_responses,
    "missing_signature": each(mends.skip_signature),
}

BY_ITSELF = frozenset({
    "too_deep", "lone_surrogate", "empty_signature", "reference_in_response", "empty_part", "empty_content",
    "duplicate_id",
})  # fmt: skip
"""The repairs that are made of each request on its way out: they lose and change nothing that is meant."""


def refusals(
    contents: Sequence[Json],
    *,
    model: str,
    body: Mapping[str, Any] | None = None,
    vertex: bool = False,
    sent: Container[bytes] = (),
) -> list[Violation]:
    """What a request with these contents would be refused for; `body` holds its other fields, and `sent` the digests of
    odd parts that the model itself sent (`origin`).

    Where the contents end with the model's turn, the user's next prompt is taken to follow. Never raises for JSON.
    """
    plain, settings = _plain(contents), dict(body or {})
    mended, done = mended_settings(settings)
    words = " ".join(done)
    left = {(v.code, v.place) for v in _found(plain, model, vertex, sent, mended)} if done else set()
    found = []
    for violation in _found(plain, model, vertex, sent, settings):
        offer = _offer(plain, violation)
        if offer is not None:
            found.append(replace(violation, repair=offer, is_mended=violation.code in BY_ITSELF))
        elif done and (violation.code, violation.place) not in left:
            found.append(replace(violation, repair=words, is_mended=True))
        else:
            found.append(violation)
    return found


def mended_settings(settings: Mapping[str, Any]) -> tuple[Json, list[str]]:
    """What a body holds beside the contents, without what Gemini would refuse where that loses and changes nothing
    that is meant; and what was done, in words. Nothing that is given is changed.
    """
    out, done = dict(settings), list[str]()
    codes = {violation.code for violation in strict_violations(out)}
    if codes == {"lone_surrogate"}:
        done.append("Writes halves of surrogate pairs beside the contents as the page shows them: alone as U+FFFD.")
        out = clean(out)
    if not codes - {"lone_surrogate"}:
        if is_empty_system(get(out, "systemInstruction")):
            out = mends.replace(out, "systemInstruction", None)
            done.append("Leaves out the system instruction: it is empty.")
        tools, words = mended_tools(get(out, "tools"))
        if words:
            out, done = mends.replace(out, "tools", tools), [*done, *words]
    return out, done


def repaired(
    contents: Sequence[Json],
    *,
    model: str,
    only: Collection[str] | None = None,
    vertex: bool = False,
    sent: Container[bytes] = (),
) -> tuple[list[Json], list[str]]:
    """The contents with the repairs of these codes (None: of all), and what was done, in words and in order.

    What a repair leaves behind, such as a content without parts, is mended along. Paths in the words are those of the
    moment. "corrupted_signature" must be named: only Gemini can tell that a signature is not its own. What is given is
    not changed, and what was well is shared with the result. `sent`: see refusals. Never raises for JSON.
    """
    mended, done = _plain(contents), list[str]()
    if only is not None and "corrupted_signature" in only:
        mended, done = _drop_signatures(mended)
    behind = () if only is not None and BY_ITSELF.issuperset(only) else _LEFT_BEHIND
    for _ in range(_MOST_PASSES):
        wanted = {*(_REPAIRS if only is None else only), *(behind if done else ())}
        found = [v for v in _found(mended, model, vertex, sent) if v.code in wanted and _repairable(v)]
        code = next((code for code in _REPAIRS if any(v.code == code for v in found)), None)
        if code is None:
            break
        mended, words = _REPAIRS[code](mended, [v for v in found if v.code == code])
        done += words
    return mended, done


def _plain(contents: Any) -> Any:
    return list(contents or ()) if isinstance(contents, list | tuple | None) else contents


def _found(
    contents: Any, model: str, vertex: bool, sent: Container[bytes] = (), body: Mapping[str, Any] | None = None
) -> list[Violation]:
    contents = without_odd(contents, sent)
    request = {**(body or {}), "contents": contents}
    found = violations(request, model=model, vertex=vertex)
    if any(v.code == "ends_with_model" for v in found):
        found = violations({**request, "contents": [*contents, _NEXT_PROMPT]}, model=model, vertex=vertex)
    return found


def _repairable(violation: Violation) -> bool:
    place = violation.place
    if violation.code == "too_deep":  # only a response means the same as a text
        return place.part is not None and place.fields[:2] == ("function_response", "response")
    is_said = place.content is not None or place.fields[:1] == CONTENTS.fields
    return is_said and violation.code in _REPAIRS


def _offer(contents: Any, violation: Violation) -> str | None:
    return " ".join(_REPAIRS[violation.code](contents, [violation])[1]) if _repairable(violation) else None


def _drop_signatures(contents: Any) -> Mended:
    """Without the signatures, of which Gemini refused one: whose they are, and which are good, it does not say."""
    signed = [
        Violation("corrupted_signature", Place(i, j), "", "")
        for i, content in enumerate(contents if isinstance(contents, list) else ())
        if isinstance(content, dict) and isinstance(parts := content.get("parts"), list)
        for j, part in enumerate(parts)
        if isinstance(part, dict) and decode_base64(get(part, "thoughtSignature")) not in (None, *SKIPPED)
    ]
    if not signed:
        return contents, []
    mended, _ = each(mends.drop_signature)(contents, signed)
    return mended, [f"Removes the signatures of {len(signed)} parts: Gemini did not accept one of them."]
