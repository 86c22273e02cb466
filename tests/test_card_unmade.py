"""A card whose making fails half-way: it closes in silence and leaves nothing behind, and its runs go on."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import comm
import pytest
from ipywidgets.widgets import widget

import gemstream_widget as gem
from gemstream_widget._notebook import card as card_module
from tests.gates import GatedSource, until
from tests.test_widget import HELLO, PageComm


class DeafComm(PageComm):
    """A comm that a card cannot open; other widgets can."""

    def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **keys: Any) -> None:
        if "snapshot" in (data or {}).get("state", {}):
            raise OSError("the kernel's socket is closed")
        super().publish_msg(msg_type, data, *args, **keys)


def without_bundle(monkeypatch: pytest.MonkeyPatch, run: gem.Run) -> None:
    monkeypatch.setattr(card_module, "_STATIC", Path("nowhere"))
    card_module._bundle.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"widget\.js is not built"):
        gem.Card([run])


def without_comm(monkeypatch: pytest.MonkeyPatch, run: gem.Run) -> None:
    monkeypatch.setattr(comm, "create_comm", DeafComm)
    with pytest.raises(OSError, match="socket is closed"):
        gem.Card([run])


def without_run(monkeypatch: pytest.MonkeyPatch, run: gem.Run) -> None:
    runs: Any = [run, "no run"]
    with pytest.raises(AttributeError, match="no attribute"):
        gem.Card(runs)


def without_sense(monkeypatch: pytest.MonkeyPatch, run: gem.Run) -> None:
    make: Any = gem.Card
    with pytest.raises(TypeError, match="argument"):
        make([run], "and more")


FAILURES = (without_bundle, without_comm, without_run, without_sense)


@pytest.fixture
def ignored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What Python could not raise, since it came while something was collected."""
    found: list[Any] = []
    monkeypatch.setattr(comm, "create_comm", PageComm)
    monkeypatch.setattr(sys, "unraisablehook", lambda told: found.append(told.exc_value))
    yield found
    card_module._bundle.cache_clear()


@pytest.mark.parametrize("fails", FAILURES)
def test_it_closes_in_silence_and_its_run_goes_on(
    fails: Callable[[pytest.MonkeyPatch, gem.Run], None], ignored: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        gc.collect()
        before = set(widget._instances)
        fails(monkeypatch, run)
        gc.collect()
        assert ignored == []
        assert set(widget._instances) == before
        assert not run._record._feeds
        source.give(*HELLO)
        source.end()
        await run
        assert (run.status, run.text) == ("completed", "Hello")

    asyncio.run(main())


def test_a_fault_while_a_card_is_collected_is_noticed(ignored: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: this is how it would be seen."""

    def close(card: gem.Card) -> None:
        raise KeyError("on purpose")

    monkeypatch.setattr(gem.Card, "close", close)
    with suppress(TypeError):
        make: Any = gem.Card
        make((), "and more")
    gc.collect()
    assert [type(fault) for fault in ignored] == [KeyError]


def test_a_card_that_was_made_stops_its_runs(ignored: list[Any]) -> None:
    async def main() -> None:
        run = gem.Chat(source=GatedSource()).send("hi")
        card = gem.Card([run])
        card.close()
        await until(lambda: run.done, "the end")
        assert run.receipt is not None
        assert run.receipt.by == "closed"
        card.close()
        assert ignored == []

    asyncio.run(main())
