"""What a page that is loaded anew asks for, as it arrives in the kernel."""

from __future__ import annotations

import asyncio
from typing import Any

import comm
import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._notebook import fastlane
from tests.gates import GatedSource, until
from tests.test_widget import HELLO, PageComm


class Control(PageComm):
    """A comm that keeps what is sent, also where the page has opened it."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        self.sent = []
        super().__init__(*args, **keys)
        if self.target_name == "jupyter.widget.control":
            controls.append(self)


controls: list[Control] = []


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", Control)
    controls.clear()


def page_opens(comm_id: str) -> None:
    message = {"metadata": {"version": "1.0.0"}, "content": b"not read yet"}
    fastlane._openings["jupyter.widget.control"](comm_id, message)


def test_while_a_run_goes_on_the_widgets_are_told_at_once() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        card = gem.Card([run])
        source.give(HELLO[1])
        await until(lambda: run.text == "Hel", "the text")
        page_opens("p1")
        fastlane._handlers["p1"]({"method": "request_states"})
        ((kind, data, _),) = controls[0].sent
        assert (kind, data["method"]) == ("comm_msg", "update_states")
        (held,) = data["states"][card.model_id]["state"]["snapshot"]["runs"]
        assert held["state"]["parts"][0]["text"] == "Hel"
        assert "p1" not in fastlane._handlers
        card.close()
        await run.wait()

    asyncio.run(main())


def test_without_one_the_question_takes_its_usual_way_only() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource(HELLO)).send("hi")
        card = gem.Card([run])
        await run
        page_opens("p2")
        assert controls == []
        assert "p2" not in fastlane._handlers
        card.close()

    asyncio.run(main())
