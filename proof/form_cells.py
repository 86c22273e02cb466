"""What the notebooks of `forms` call in their kernel, as `there`. Times are time.time(), shared with page and proof."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import gemstream_widget as gem
from gemstream_widget._engine.loops import Runner
from gemstream_widget._notebook import card, fastlane, reload

__all__ = ["PROMPT", "Way", "begin", "held", "keep", "report", "sleep", "warm_up"]

Way = Literal["as it is", "sent unasked", "by the fast lane", "as it was", "unanswered", "never"]
"""How the form's code comes to the page: unasked with the first call that waits, and on a request that the fast lane
hears; by one of these alone; on a request that takes the usual way only, as it was before there was either; and not at
all. "unanswered": as it is, but a page that is loaded anew asks for its cards by the usual way only.
"""

PROMPT = '@say May I?\n@call keep {"word": "yes"}\n@then\n@say Kept.'
_HEARD = card._FAST
_HEARD_ONCE = ("stop", "decide")
_watch_pages = reload.watch
_offer, _send = card.Card.offer_module, card.Card.send_module
_kept: list[str] = []
_freed_at: float | None = None


def keep(word: str) -> str:
    """Keep a word."""
    _kept.append(word)
    return word


async def warm_up() -> None:
    """Load what the first run would otherwise wait for."""
    runner: Runner
    for runner in ("loop", "thread"):
        await gem.Chat(model="demo", runner=runner).send("@every 0\n@say ready")


def begin(way: Way) -> None:
    """Forget what was; the form's code comes that way from here on."""
    global _freed_at  # noqa: PLW0603  # one notebook tries one thing at a time
    _freed_at = None
    _kept.clear()
    card._sent.clear()
    card._FAST = _HEARD if way in ("as it is", "by the fast lane", "unanswered") else _HEARD_ONCE
    offers, sends = way in ("as it is", "sent unasked", "unanswered"), way != "never"
    card.Card.offer_module = _offer if offers else _nothing  # type: ignore[method-assign]
    card.Card.send_module = _send if sends else _nothing  # type: ignore[method-assign]
    answers = way not in ("as it was", "unanswered")
    reload.watch = _watch_pages if answers else lambda needed: None
    if not answers:
        fastlane._openings.clear()


def _nothing(self: card.Card, name: str) -> None:
    """In place of a method that sends a module."""


@contextmanager
def held() -> Iterator[None]:
    """The cell is held by what is done in here; TimeoutError ends it well."""
    global _freed_at  # noqa: PLW0603  # see begin
    with suppress(TimeoutError):
        yield
    _freed_at = time.time()


def sleep(until: str, most_s: float) -> None:
    """Keep the kernel's main thread until that file is there."""
    began = time.monotonic()
    while not Path(until).exists() and time.monotonic() - began < most_s:
        time.sleep(0.02)


async def report(run: gem.Run) -> None:
    """Print, as JSON, what became of the run, once it has ended."""
    await run.wait()
    made = [decision for decision in run.decisions if decision.by == "button"]
    decided_at = run.timing.started_at + made[0].at_s if made else None
    said = {"status": run.status, "decided_at": decided_at, "freed_at": _freed_at, "kept": _kept}
    print(json.dumps(said))
