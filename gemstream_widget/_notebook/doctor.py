"""`doctor`: what stands between this kernel and a working card, in words, each with what to do."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._engine.loops import loop_for, running_loop
from . import doctor_access, doctor_kernel, doctor_look
from .doctor_wait import rest
from .doctor_words import TOPICS, Finding, finding

if TYPE_CHECKING:
    from .doctor_page import Probe

__all__ = ["Report", "doctor"]

SILENCE_S = 5.0
"""After so long without a word from the page the report says so."""
_LATE_S = 60.0
"""So long a word that comes late still corrects it."""
_LINGER_S = 10.0
"""A page repeats its question for some seconds. The kernel's log complains of one to a card that is closed."""

_NOW: dict[str, Callable[[], Iterable[Finding]]] = {
    "versions": doctor_kernel.versions,
    "bundle": doctor_kernel.bundle,
    "host": doctor_kernel.host,
    "event loop": doctor_kernel.event_loop,
    "credentials": doctor_access.credentials,
    "certificates": doctor_access.certificates,
}
"""By topic, what is looked at before the report is shown."""
_LATER: dict[str, Callable[[], Awaitable[Iterable[Finding]]]] = {
    "fast lane": doctor_kernel.fast_lane,
    "proxy": doctor_access.proxy,
    "demo": doctor_access.demo,
}
"""What takes a moment, and is put into the report when it is known."""


def doctor() -> Report:
    """Look at what stands between this kernel and a working card: versions, page, fast lane, credentials, proxies.
    Returns the Report at once, shown in this cell; what takes a moment (the page has 5 s to answer) is added to it.

    Nothing of a key is read out, and nothing is sent to Gemini. Never raises. Outside a notebook it shows nothing,
    returns the finished report after at most a few seconds where no event loop runs, and at once where one does.

        gem.doctor()
        report = await gem.doctor().wait()     # in code, once all is known
    """
    report = Report()
    report._begin()
    return report


class Report:
    """What the doctor found: iterate over it, or read `findings`. It shows itself, and changes as more is known."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Finding, ...]] = {}
        self._settled: Future[None] = Future()
        self._places: list[str] = []  # ids of its displays
        self._shown_in: Any = None  # the execution count of the cell that showed it last
        self._work: Any = None  # asyncio keeps no task alive

    # -- what was found ------------------------------------------------------------------------------------------------

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings so far, in the order of their topics."""
        order = [*TOPICS]
        every = [told for found in list(self._found.values()) for told in found]
        return tuple(sorted(every, key=lambda told: order.index(told.topic)))

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def ok(self) -> bool:
        """Whether every finding is "ok" or a "note"; False while something is not known yet."""
        return all(found.level in ("ok", "note") for found in self.findings)

    async def wait(self) -> Report:
        """The report itself, once all is known. On any event loop; never raises but for its own cancellation."""
        await asyncio.shield(asyncio.wrap_future(self._settled))
        return self

    # -- how it is shown -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return doctor_look.text(self.findings)

    def _repr_html_(self) -> str:
        return doctor_look.html(self.findings)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _ipython_display_(self) -> None:
        """Displayed by the cell that shows it already, it is not shown twice."""
        running = doctor_kernel.shell()
        if not hasattr(running, "kernel"):
            print(repr(self))
        elif self._shown_in != running.execution_count:
            self._show(running)

    def _show(self, running: Any) -> None:
        self._shown_in = running.execution_count
        self._places.append(uuid.uuid4().hex)
        self._publish(self._places[-1])

    def _publish(self, place: str, update: bool = False) -> None:
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True, display_id=place, update=update)  # type: ignore[no-untyped-call]

    def _put(self, topic: str, found: Iterable[Finding]) -> None:
        """What is known of a topic from now on, also where the report is shown."""
        self._found[topic] = tuple(found)
        self._refresh()

    def _refresh(self) -> None:
        for place in self._places:
            with suppress(Exception):  # a kernel that ends cannot show anything
                self._publish(place, update=True)

    # -- how it comes about --------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        for topic, check in _NOW.items():
            self._found[topic] = _guarded(topic, check)
        host = _host()
        has_page = host in ("kernel", "other")
        for topic in _LATER:
            self._found[topic] = (finding("pending" if has_page else "pending.unshown", topic),)
        probe = None
        if not has_page:
            self._found["page"] = (finding("page.untried" if host == "marimo" else "page.none"),)
        else:
            probe = self._ask_page()
            with suppress(Exception):
                self._ipython_display_()
                if probe is not None:
                    probe.show()
        loop = running_loop()
        if loop is not None:
            self._work = loop.create_task(self._go_on(probe))
        else:
            self._work = asyncio.run_coroutine_threadsafe(self._go_on(probe), loop_for("thread"))
            if not has_page:
                self._work.result()

    def _ask_page(self) -> Probe | None:
        """A card that asks the page, unless one has answered already or none can be made."""
        try:
            from .card import was_heard
            from .doctor_page import Probe

            if not was_heard():
                probe = Probe()
                self._found["page"] = (finding("page.asked", seconds=SILENCE_S),)
                return probe
            self._know_page("page.answers")
        except Exception as error:
            self._found["page"] = (finding("page.unmade", error=type(error).__name__),)
        return None

    def _know_page(self, case: str) -> None:
        from .doctor_page import extensions

        answers = case != "page.silent"
        self._found["page"] = (finding(case, seconds=SILENCE_S),)
        self._put("extensions", _guarded("extensions", lambda: extensions(answers)))

    async def _go_on(self, probe: Probe | None) -> None:
        try:
            checks = [self._know(topic, check) for topic, check in _LATER.items()]
            await asyncio.gather(self._hear(probe), *checks)
        finally:
            with suppress(InvalidStateError):
                self._settled.set_result(None)
        if probe is not None:
            if not probe.heard and await probe.answered(_LATE_S):
                self._know_page("page.late")
            await rest(_LINGER_S)
            with suppress(Exception):
                probe.close()

    async def _know(self, topic: str, check: Callable[[], Awaitable[Iterable[Finding]]]) -> None:
        try:
            found = tuple(await check())
        except Exception as error:
            found = (_failed(topic, error),)
        self._put(topic, found)

    async def _hear(self, probe: Probe | None) -> None:
        """What the page says in time, or its silence."""
        if probe is None:
            return
        answers = await probe.answered(SILENCE_S)
        with suppress(Exception):
            probe.vanish()
        self._know_page("page.answers" if answers else "page.silent")


def _host() -> doctor_kernel.Host:
    try:
        return doctor_kernel.host_here()
    except Exception:  # somebody else's module; the report says that this check failed
        return "script"


def _guarded(topic: str, check: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What a check finds, or that it failed."""
    try:
        return tuple(check())
    except Exception as error:
        return (_failed(topic, error),)


def _failed(topic: str, error: Exception) -> Finding:
    """By its class only: what it says may quote what the check read."""
    return finding("failed", topic, error=type(error).__name__)
