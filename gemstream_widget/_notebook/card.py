"""The card: an anywidget that tells a page about runs and hears what the page asks.

Patches go out as custom messages, a few per second (pacer.py); what the page does comes in by message or by trait, on
whichever thread the kernel chooses, and is only handed over to the run. docs/protocol.md describes both directions.

Nothing secret may be a synced trait: traits and the bundle are saved in notebooks.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import anywidget
import traitlets

from .._plain import Json
from .._process import Resident, lock
from .._redact import words_of
from .._run import Again, Run
from .._stream.values import StoppedBy
from . import fastlane, reload
from .link import Link, goes_on

__all__ = ["Card", "was_heard"]


_STATIC = Path(__file__).parent.parent / "static"
_FAST = ("stop", "decide", "resync", "module")
"""What is heard as it arrives: what must not wait for the cell it is about, and whatever a decision needs first."""
_sent: set[str] = set()  # the modules that some page of this kernel has been sent
_heard = threading.Event()  # some page of this kernel has said something


@cache
def _bundle() -> str:
    path = _STATIC / "widget.js"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not built: run `make build` in the checkout, or install a wheel.")
    return path.read_text(encoding="utf-8")


@cache
def _modules() -> frozenset[str]:
    """The names of the second JavaScript modules: whatever was built beside the bundle."""
    return frozenset(path.stem for path in _STATIC.glob("*.js")) - {"widget"}


@cache
def _module(name: str) -> tuple[str, bytes]:
    """A second JavaScript module that the page asks for when it first needs it: content hash and source."""
    source = (_STATIC / f"{name}.js").read_bytes()
    return hashlib.sha256(source).hexdigest()[:16], source


def was_heard() -> bool:
    """Whether a page of this kernel has said anything to any card."""
    return _heard.is_set()


class Card(Resident, anywidget.AnyWidget):
    """Shows runs, live. Closing it stops them."""

    _instead = (
        "A Card speaks with the pages of its kernel, and is neither pickled nor copied: show its run again with "
        "display(run)."
    )

    _esm = traitlets.Unicode().tag(sync=True)
    snapshot = traitlets.Any().tag(sync=True, to_json=lambda _, card: card._snapshot())
    stop_run = traitlets.Unicode("").tag(sync=True)

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._links: dict[str, Link] = {}
        self._sending = lock()
        self._context = copy_context()
        self._heard_early: list[Json] = []  # by the fast lane, and still to come by the usual way
        bundle = _bundle()  # before anything is made: without it there is no card
        for run in runs:
            self._links[run.id] = Link(self, run)
        super().__init__(_esm=bundle)
        self.on_msg(self._on_message)
        self.observe(self._on_stop_trait, "stop_run")
        comm = self.comm
        if comm is not None:
            fastlane.watch(comm.comm_id, self._on_fast_lane)
            reload.watch(goes_on)
        for link in list(self._links.values()):
            link.open()

    def close(self) -> None:
        """Close the card in every page and stop its runs. From any thread. One that could not be made, which Python
        closes as it collects it, has shown nothing: its runs go on.
        """
        shown = self.comm is not None
        if shown:
            fastlane.unwatch(self.comm.comm_id)
        for link in list(vars(self).get("_links", {}).values()):  # there are none where the arguments were wrong
            if shown:
                link.run.stop(by="closed")
            link.close()
        if self.trait_has_value("layout"):
            self._as_its_cell(self.layout.close)  # a widget of its own, which ipywidgets keeps until then
        if shown:
            self._as_its_cell(super().close)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data["text/plain"] = "\n\n".join(link.run.text or repr(link.run) for link in list(self._links.values()))
        return data, metadata

    def _snapshot(self) -> Json:
        return {"runs": [link.feed.snapshot() for link in list(self._links.values())]}

    def tell(self, messages: Iterable[Json], buffers: list[bytes] | None = None) -> None:
        """Send messages in order. From any thread: Jupyter's publishing socket takes them from all."""
        with self._sending:
            for message in messages:
                self._as_its_cell(partial(self.send, message, buffers))

    def tell_snapshot(self) -> None:
        """Send the whole state. From any thread."""
        self._as_its_cell(lambda: self.send_state("snapshot"))

    def _as_its_cell(self, call: Callable[[], None]) -> None:
        """Publish with the cell that made the card as the parent. ipykernel 7.0 cannot publish where there is none: in
        what the fast lane or a thread of the user's hands over, and that is what tells of a Stop.
        """
        self._context.copy().run(call)

    # -- what the page asks; on any thread, and some of it twice -----------------------------------------------------

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        if content in self._heard_early:
            self._heard_early.remove(content)
        elif isinstance(content, dict):
            self._hear(content)

    def _hear(self, content: Json) -> None:
        _heard.set()
        op = content.get("op")
        if op == "stop":
            self._stop(content.get("run"))
        elif op == "resync":
            wanted = content.get("run")
            for link in list(self._links.values()):
                if wanted is None or wanted == link.run.id:
                    link.hand_over(link.resync)
        elif op == "decide" and content.get("run") in self._links:
            link = self._links[content["run"]]
            link.hand_over(lambda: link.decide(content))
        elif op == "revoke" and content.get("run") in self._links and isinstance(content.get("rule"), str):
            link = self._links[content["run"]]
            link.hand_over(lambda: link.revoke(content["rule"]))
        elif op == "again" and content.get("run") in self._links and content.get("how") in get_args(Again):
            link = self._links[content["run"]]
            link.hand_over(lambda: self._again(link, content["how"]))
        elif op == "module" and isinstance(content.get("name"), str):
            self.send_module(content["name"])

    def _on_stop_trait(self, change: Any) -> None:
        self._stop(change["new"])

    def _on_fast_lane(self, data: dict[str, Any]) -> None:
        """A comm message as it arrives, before the kernel handles it (_FAST). `_on_message` gets it too, and must not
        take it for a second one.
        """
        content = data.get("content")
        if data.get("method") == "custom" and isinstance(content, dict) and content.get("op") in _FAST:
            self._heard_early.append(content)
            self._hear(content)
        elif data.get("method") == "update" and (run := (data.get("state") or {}).get("stop_run")):
            self._stop(run)

    def _stop(self, run_id: Any, by: StoppedBy = "button") -> None:
        link = self._links.get(run_id) if isinstance(run_id, str) else None
        if link is not None:
            link.run.stop(by=by)

    def _again(self, link: Link, how: Again) -> None:
        """Start the run that goes on after one of ours, and show it below."""
        if self.comm is None:  # closed meanwhile
            return
        try:
            run = link.run.again(how)
        except Exception as error:
            self.tell([{"op": "refused", "run": link.run.id, "call": None, "message": words_of(error)}])
            return
        self.add(run)

    def add(self, run: Run) -> None:
        """Show one more run, below the others. On the run's loop."""
        link = self._links[run.id] = Link(self, run)
        link.open()

    def send_module(self, name: str) -> None:
        """Send a second module to the page. From any thread; nothing where there is none of this name."""
        if name in _modules():
            _sent.add(name)
            content_id, source = _module(name)
            self.tell([{"op": "module", "name": name, "id": content_id}], [source])

    def offer_module(self, name: str) -> None:
        """Send a module unasked, once in this kernel: a page whose question could not be heard has it all the same. A
        page that has it from another card needs it no more, and one that was loaded anew asks.
        """
        if name not in _sent:
            self.send_module(name)
