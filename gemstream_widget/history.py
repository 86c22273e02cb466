"""What the next request sends: turns made from runs, and the answers that open function calls still need.

Gemini refuses a history in which a function call is not answered, on this and on every later request, so a call that
goes into the history always brings its response along. A call that came only in part, or without a name, stays out.
Thoughts are left out unless they carry a signature: Gemini takes both ways, as long as it is one of them throughout.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .errors import HistoryError, InvalidPrompt
from .model import CallPart, Part, TextPart, ToolCall, Wire

__all__ = ["STOPPED", "answer", "answers_first", "contents_of", "model_turn", "open_calls"]

STOPPED = "Stopped by the user before the call was run."
SUPERSEDED = "The user sent a new message instead of answering this call."


def contents_of(prompt: Any) -> list[Wire]:
    """A prompt as wire Contents: text, one wire part or a list of them, a Content or a list of them, or the SDK's own
    objects of these kinds. Raises InvalidPrompt for anything else, and for a prompt that says nothing.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise InvalidPrompt("The prompt is empty: give some text, wire parts or a Content.")
        return [{"role": "user", "parts": [{"text": prompt}]}]
    items = list(prompt) if isinstance(prompt, list | tuple) else [prompt]
    if not items:
        raise InvalidPrompt("The prompt is an empty list: give some text, wire parts or a Content.")
    wires = [_as_wire(item) for item in items]
    if all("parts" in wire for wire in wires):
        for wire in wires:
            if not isinstance(wire["parts"], list) or not wire["parts"]:
                raise InvalidPrompt(f"A Content of the prompt has no parts: {_short(wire)}.")
        return [{"role": wire.get("role") or "user", "parts": list(wire["parts"])} for wire in wires]
    if any("parts" in wire for wire in wires):
        raise InvalidPrompt("The prompt mixes Contents with single parts: give one kind.")
    return [{"role": "user", "parts": wires}]


def _as_wire(item: Any) -> Wire:
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, dict):
        if not item:
            raise InvalidPrompt("The prompt holds an empty part: every part needs a field such as text.")
        return item
    dump = getattr(item, "model_dump", None)  # the SDK's Part and Content, without importing the SDK
    if callable(dump):
        wire = dump(mode="json", by_alias=True, exclude_none=True)
        if isinstance(wire, dict) and wire:
            return wire
    raise InvalidPrompt(
        f"A prompt is text, wire parts or a Content; this is {type(item).__name__}: {_short(item)}. "
        'Text goes in as it is, anything else as a wire part, for example {"text": "..."}.'
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def model_turn(parts: Iterable[Part]) -> Wire | None:
    """The model's Content of one step, or None where nothing of it can be sent back."""
    kept = []
    for part in parts:
        if part.thought and part.signature is None and isinstance(part, TextPart):
            continue
        wire = part.to_wire()
        if wire:
            kept.append(wire)
    return {"role": "model", "parts": kept} if kept else None


def sent_calls(parts: Iterable[Part]) -> list[ToolCall]:
    """The calls that `model_turn` of the same parts sends back and that no response of the model's side answers."""
    return [p.call for p in parts if isinstance(p, CallPart) and p.data() is not None and p.call.state != "succeeded"]


def answer(call: ToolCall, response: Wire) -> Wire:
    """The functionResponse part that answers a call: the real name, and the provider's id where there was one."""
    out: Wire = {"name": call.name, "response": response}
    if call.call_id:
        out["id"] = call.call_id
    return {"functionResponse": out}


def open_calls(contents: Sequence[Wire]) -> list[ToolCall]:
    """The calls of the last model Content that no response after it answers."""
    calls: list[ToolCall] = []
    for content in contents:
        for part in content["parts"]:
            if content.get("role") == "model" and "functionCall" in part:
                call = part["functionCall"]
                name, call_id = call.get("name", ""), call.get("id")
                opened = ToolCall(id="", otid=0, call_id=call_id, name=name, args={}, state="requested", step=0)
                calls.append(opened)
            elif "functionResponse" in part:
                given = part["functionResponse"]
                match = next((c for c in calls if _answers(given, c)), None)
                if match is not None:
                    calls.remove(match)
    return calls


def _answers(response: Wire, call: ToolCall) -> bool:
    if response.get("id") and call.call_id:
        return bool(response["id"] == call.call_id)
    return bool(response.get("name") == call.name)


def answers_first(opened: list[ToolCall], prompt: list[Wire], our_ids: dict[str, ToolCall]) -> list[Wire]:
    """`prompt` with the open calls answered in front: one Content of responses in call order, then the rest.

    Responses in the prompt may name a call by our id, by the provider's, or by name. When it holds some, it must hold
    one for every open call; when it holds none, the open calls are answered with "a new message came instead".
    Raises HistoryError for a response to no open call and for a missing one.
    """
    given = [p["functionResponse"] for c in prompt for p in c["parts"] if "functionResponse" in p]
    rest = [{**c, "parts": [p for p in c["parts"] if "functionResponse" not in p]} for c in prompt]
    rest = [c for c in rest if c["parts"]]
    if not opened:
        if given:
            names = ", ".join(str(r.get("name") or r.get("id")) for r in given)
            raise HistoryError(f"No function call is open, so there is nothing these responses answer: {names}.")
        return rest
    if not given:
        responses = [answer(call, {"error": SUPERSEDED}) for call in opened]
        return [{"role": "user", "parts": responses}, *rest]
    left = list(opened)
    found: dict[int, Wire] = {}
    for response in given:
        named = our_ids.get(str(response.get("id")))
        wanted = {**response, "id": named.call_id, "name": named.name} if named else response
        match = next((c for c in left if _answers(wanted, c)), None)
        if match is None:
            asked = ", ".join(_called(c) for c in opened)
            got = response.get("id") or response.get("name")
            raise HistoryError(f"No open call goes with the response {got!r}; open are: {asked}.")
        left.remove(match)
        body = response.get("response")
        if not isinstance(body, dict):
            raise HistoryError(
                f"The response to {_called(match)} must be an object, not {type(body).__name__}: "
                'wrap it, for example {"result": ...}.'
            )
        found[id(match)] = answer(match, body)
    if left:
        missing = ", ".join(_called(c) for c in left)
        raise HistoryError(f"Every open call needs its response in the same send; missing: {missing}.")
    return [{"role": "user", "parts": [found[id(call)] for call in opened]}, *rest]


def _called(call: ToolCall) -> str:
    return f"{call.name} ({call.call_id})" if call.call_id else call.name
