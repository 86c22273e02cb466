"""The server's rules: what the real Gemini accepted is accepted, every rule refuses its negatives, and what is refused
can be mended. Over HTTP, without the SDK, which would refuse some of it by itself.
"""

from __future__ import annotations

import asyncio
import copy
import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._request.repair import refusals, repaired
from gemstream_widget._request.rules import violations
from gemstream_widget.server.models import DEMO_MODELS
from tests import test_acting_model as orders
from tests.conftest import corpus_root
from tests.local import Raw
from tests.recorded_requests import recorded_requests
from tests.test_rules import ACCEPTED, REFUSED

from .report import Control, Found, Row

__all__ = ["measure"]

Json = dict[str, Any]
_MODEL = "gemini-3.5-flash"
_OLDER = "gemini-2.5-flash-lite"  # does not ask for signatures, which calls from memory have not


def measure(setting: Setting) -> Found:
    """The rules over HTTP, and every order of decisions."""
    recorded = list(_recorded())
    skipped = () if recorded else ("recorded request bodies: the folder of recordings is not here",)
    with gem.LocalGemini(speed=math.inf, check_signatures=False) as server:
        rows = [_accepted(server, recorded[:: setting.count(1, 5)])] if recorded else []
        rows += [_refused(server), _mended(server)]
        orders_row, histories = asyncio.run(_orders(setting))
        rows += [orders_row, _taken(server, histories)]
    return Found(rows, skipped=skipped)


def _answer(server: gem.LocalGemini, body: Json, model: str = _MODEL, vertex: bool = False) -> str:
    """What the server refuses the body with; "" where it accepts it."""
    place = "v1beta1/publishers/google/models" if vertex else "v1beta/models"
    with Raw(server) as raw:
        raw.post(body, f"/{place}/{model}:streamGenerateContent?alt=sse")
        status, _, chunks = raw.read_response()
    return "" if status == 200 else str(json.loads(b"".join(chunks))["error"]["message"])


def _recorded() -> Iterator[tuple[str, Json, str, bool]]:
    """Every recorded request, for a model that the server has."""
    root = corpus_root()
    for name, body, model, vertex in recorded_requests(root) if root else ():
        near = _near(model)
        ours = violations(body, model=near, vertex=vertex)
        if not ours or violations(body, model=model, vertex=vertex):  # else only a model that is gone took it
            yield name, body, near, vertex


def _near(model: str) -> str:
    """A model that the server has and that is judged by the same rules."""
    if model in DEMO_MODELS:
        return model
    version = re.match(r"gemini-(\d)", model)
    return {"2": "gemini-2.5-flash-lite", "3": "gemini-3.5-flash"}.get(
        version[1] if version else "", "gemini-flash-latest"
    )


def _accepted(server: gem.LocalGemini, recorded: list[tuple[str, Json, str, bool]]) -> Row:
    told = ((name, _answer(server, body, model, vertex)) for name, body, model, vertex in recorded)
    failures = [f"{name}: {message}" for name, message in told if message]
    spoilt = [{**body, "contents": [{**c, "role": "bot"} for c in body["contents"]]} for _, body, _, _ in recorded]
    noticed = all(_answer(server, body) for body in spoilt)
    return Row("recorded request bodies are accepted", len(recorded), failures, Control("other roles in them", noticed))


def _refused(server: gem.LocalGemini) -> Row:
    """Each negative is refused with the words that `violations` gives beforehand."""
    failures = []
    for number, (code, body) in enumerate(REFUSED):
        found = violations(body, model=_MODEL)
        told = _answer(server, body)
        if code not in [v.code for v in found] or told != found[0].message:
            failures.append(f"{number} {code}: {told or 'accepted'}")
    listed = [(body, model) for _, model, body in ACCEPTED if model in DEMO_MODELS]
    wellformed = [(body, model) for body, model in listed if "continuationToken" not in body]  # a token made up there
    noticed = not any(_answer(server, body, model) for body, model in wellformed)
    return Row("negatives of every rule are refused, as told before sending", len(REFUSED), failures,
               Control("bodies without a fault", noticed))  # fmt: skip


def _mended(server: gem.LocalGemini) -> Row:
    """What has a repair is accepted after it, with a next prompt where the model spoke last."""
    failures, count, unmended = [], 0, 0
    for number, (code, body) in enumerate(REFUSED):
        contents = body.get("contents")
        offered = refusals(contents, model=_MODEL) if isinstance(contents, list) and contents else []
        if not any(r.repair for r in offered):
            continue
        count += 1
        before = copy.deepcopy(contents)
        mended, _ = repaired(contents, model=_MODEL)
        unmended += bool(_answer(server, {"contents": _prompted(contents)}))
        if told := _answer(server, {"contents": _prompted(mended)}):
            failures.append(f"{number} {code}: {told}")
        if contents != before:
            failures.append(f"{number} {code}: what was given was changed")
    return Row("refused histories are accepted once repaired", count, failures,
               Control("the same without the repair", unmended == count))  # fmt: skip


def _prompted(contents: list[Any]) -> list[Any]:
    ends_with_user = bool(contents) and isinstance(contents[-1], dict) and contents[-1].get("role") != "model"
    return contents if ends_with_user else [*contents, {"role": "user", "parts": [{"text": "next"}]}]


async def _orders(setting: Setting) -> tuple[Row, list[list[Json]]]:
    """Every order of decisions, ends, timeout and Stop over three parallel calls (see tests/test_acting_model.py), and
    the different histories that came out.
    """
    failures: list[str] = []
    count = 0
    histories: dict[str, list[Json]] = {}
    for tokens in islice(orders.orders(3), 0, None, setting.count(1, 60)):
        count += 1
        try:
            history = await orders.play(3, tokens)
            histories[json.dumps(history)] = history
        except AssertionError as error:
            failures.append(f"{tokens}: {error}")
    noticed = await _blind(orders.play)
    what = (
        "orders of decisions, tool ends, timeout and Stop over three calls: one response each, nothing unapproved runs"
    )
    return Row(what, count, failures, Control("approve taken for deny", noticed)), list(histories.values())


def _taken(server: gem.LocalGemini, histories: list[list[Json]]) -> Row:
    """What came out of these orders, with a next prompt, over HTTP."""
    failures = [told for history in histories if (told := _answer(server, {"contents": _next(history)}, _OLDER))]
    short = next(h for h in histories if len(h[2]["parts"]) > 1)
    spoilt = [*short[:2], {**short[2], "parts": short[2]["parts"][1:]}]
    noticed = "number of function response parts" in _answer(server, {"contents": _next(spoilt)}, _OLDER)
    return Row("the histories of these orders are accepted", len(histories), failures,
               Control("one response left out", noticed))  # fmt: skip


def _next(history: list[Json]) -> list[Json]:
    return [*history, {"role": "user", "parts": [{"text": "next"}]}]


async def _blind(play: Callable[..., Any]) -> bool:
    """Whether the play notices an approval that does something else."""
    approve = gem.Run.approve
    gem.Run.approve = lambda self, call_id, *_, **__: self.deny(call_id)  # type: ignore[method-assign]
    try:
        await play(1, [("decide", 0, "approve")])
    except Exception:
        return True
    finally:
        gem.Run.approve = approve  # type: ignore[method-assign]
    return False
