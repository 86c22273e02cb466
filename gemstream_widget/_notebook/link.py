"""One run shown by one card: flushes its patches in time, beats, and sends the whole state at the end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._plain import Json
from .._run import Run
from .._stream.readers import PatchReader
from .._tools.policy import Choice
from ..errors import DecisionRefused
from .pacer import Pacer

if TYPE_CHECKING:
    from .card import Card

__all__ = ["Link", "goes_on"]

_LAST_BEATS_S = (1.0, 3.0, 8.0)  # after a run's end: the last message may be the lost one
_pacer = Pacer()


def goes_on() -> bool:
    """Whether any run that a card shows has not ended."""
    return _pacer.going > 0


class Link:
    """One run shown by one card: flushes its feed in time, beats, and sends the whole state at the end."""

    def __init__(self, card: Card, run: Run) -> None:
        self.run = run
        self.feed: PatchReader = run._feed()
        self._card = card
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._flushed_s = 0.0
        self._open = False
        self._going = False  # counted by the pacer

    def open(self) -> None:
        """Start telling the card about the run."""
        self._open = True
        if not self.run.done:
            self._going = True
            _pacer.begin()
            self.feed.changed = self._changed
            self.hand_over(self._catch_up)

    def close(self) -> None:
        """Stop telling. From any thread."""
        self._open = False
        self.run._drop_feed(self.feed)
        self._rest()
        self.hand_over(self._cancel_timers)

    def hand_over(self, call: Callable[[], None]) -> None:
        """Do something on the run's loop, or here where that loop is gone."""
        loop = self.run.loop
        if loop is None or loop.is_closed():
            call()
            return
        loop.call_soon_threadsafe(call)

    def _catch_up(self) -> None:
        """What happened while the card was made; the run may even have ended."""
        if self.run.done:
            self._ended()
        else:
            self._flush()
        self._beat()

    # -- on the run's loop ------------------------------------------------------------------------------------------

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._beating):
            if timer is not None:
                timer.cancel()

    def _changed(self, urgent: bool) -> None:
        if self.run.done:
            self._ended()
        elif self.run.loop is None or self.run.loop.is_closed() or (urgent and _pacer.may_hurry()):
            self._flush()
        elif self._timer is None:
            self._timer = self.run.loop.call_later(_pacer.wait_s(self._flushed_s), self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._flushed_s = time.monotonic()
        if self._open:
            if self.run.pending:
                self._card.offer_module("approval")
            self._card.tell(self.feed.take())

    def _ended(self) -> None:
        self._flush()
        if not self._going:
            return
        self._rest()
        self.feed.changed = lambda urgent: None
        if self._open:
            self._card.tell_snapshot()

    def _rest(self) -> None:
        if self._going:
            self._going = False
            _pacer.end()

    def decide(self, content: Json) -> None:
        """What somebody decided in the page. One that changes nothing is answered with the reason."""
        call, verdict, scope = content.get("call"), content.get("verdict"), content.get("scope", "once")
        args, reason = content.get("args"), content.get("reason")
        try:
            args = _parsed(args)
            if verdict not in ("approve", "deny") or scope not in ("once", "run", "chat") or not isinstance(call, str):
                raise DecisionRefused(f"This is no decision: {verdict!r} in scope {scope!r} about call {call!r}.")
            if not isinstance(content.get("hash"), str):
                raise DecisionRefused(f"A decision about call {call} names what was shown.")
            said = str(reason) if reason else None
            chosen = Choice(verdict=verdict, by="button", args=args, reason=said, scope=scope, shown=content["hash"])
            self.run._decide(call, chosen)
        except DecisionRefused as refused:
            if self._open:
                self._card.tell([{"op": "refused", "run": self.run.id, "call": call, "message": str(refused)}])

    def revoke(self, rule: str) -> None:
        self.run.revoke(rule)

    def resync(self) -> None:
        if self._open:
            self._card.tell([{"op": "snap", "run": self.run.id, **self.feed.snapshot()}])

    def _beat(self, left: tuple[float, ...] = _LAST_BEATS_S) -> None:
        """Say which patch was the last, so that a page that missed it can tell."""
        if not self._open:
            return
        if self.feed.seq or self.run.status == "queued":  # which says nothing else for as long as it waits
            message = {"op": "beat", "run": self.run.id, "seq": self.feed.seq, "at_s": self.run.now_s}
            self._card.tell([{**message, "status": self.run.status}])
        loop = asyncio.get_running_loop()
        if not self.run.done:
            self._beating = loop.call_later(_pacer.beat_s(), self._beat)
        elif left:
            self._beating = loop.call_later(left[0], self._beat, left[1:])


def _parsed(args: Any) -> Json | None:
    """Edited arguments: JSON text, so that every digit of a number arrives. Raises DecisionRefused."""
    if args is None:
        return None
    try:
        value = json.loads(args, parse_constant=_refuse)
    except (TypeError, ValueError, RecursionError):
        raise DecisionRefused("The edited arguments cannot be read: they are JSON text, of an object.") from None
    if not isinstance(value, dict):
        raise DecisionRefused(f"The edited arguments are an object, not {args:.80}.")
    return value


def _refuse(name: str) -> None:
    """NaN and the infinities, which Python's reader would take."""
    raise ValueError(f"{name} is no JSON")
