"""The card without a page: what it sends over its comm, and what it does with what comes back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource
from gemstream_widget._notebook import card as card_module
from gemstream_widget._notebook import fastlane, link
from gemstream_widget._notebook.pacer import Pacer
from gemstream_widget._stream.patch import apply_ops
from tests.gates import GatedSource, until
from tests.wire import call, chunk, text, thought


class PageComm(BaseComm):
    """A comm that keeps what is sent, as JSON gives it back."""

    sent: list[tuple[str, dict[str, Any], list[bytes]]]
    opened: list[PageComm] = []

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        if msg_type == "comm_open":
            self.sent = []
            PageComm.opened.append(self)
        self.sent.append((msg_type, json.loads(json.dumps(data or {})), buffers or []))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The custom messages, in order."""
        return [d["content"] for _, d, _ in self.sent if d.get("method") == "custom"]

    @property
    def state(self) -> dict[str, Any]:
        """The synced traits as a page holds them."""
        held: dict[str, Any] = {}
        for _, data, _ in self.sent:
            if data.get("method", "update") == "update":
                held |= data.get("state", {})
        return held

    def receive(self, data: dict[str, Any]) -> None:
        self.handle_msg({"content": {"comm_id": self.comm_id, "data": data}, "buffers": []})

    def say(self, **content: Any) -> None:
        self.receive({"method": "custom", "content": content})


@pytest.fixture(autouse=True)
def _page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", PageComm)
    monkeypatch.setattr(link, "_pacer", Pacer())
    PageComm.opened.clear()


HELLO = [chunk(thought("hm")), chunk(text("Hel")), chunk(text("lo"), finish="STOP")]


def page_of(card: gem.Card) -> PageComm:
    assert isinstance(card.comm, PageComm)
    return card.comm


class Page:
    """What js/source/kernel.ts does, in short: start from the snapshot, apply patches by number."""

    def __init__(self, page: PageComm) -> None:
        (held,) = page.state["snapshot"]["runs"]
        self.seq, self.state = held["seq"], held["state"]
        for message in page.messages:
            if message["op"] == "patch" and message["seq"] > self.seq:
                assert message["seq"] == self.seq + 1
                self.seq += 1
                apply_ops(self.state, message["ops"])


def test_a_page_that_follows_has_the_runs_state() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource(HELLO)).send("hi")
        card = gem.Card([run])
        page = page_of(card)
        opening = json.loads(json.dumps(page.sent[0][1]["state"]["snapshot"]["runs"][0]))
        await run
        patches = [m for m in page.messages if m["op"] == "patch"]
        assert [m["seq"] for m in patches] == list(range(1, len(patches) + 1))
        for message in patches:
            apply_ops(opening["state"], message["ops"])
        assert opening["state"] == json.loads(json.dumps(run.snapshot()))
        assert page.state["snapshot"]["runs"][0]["state"] == opening["state"]

    asyncio.run(main())


def test_a_card_made_late_and_a_second_card_show_the_same() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        first = gem.Card([run])
        source.give(HELLO[0])
        await until(lambda: len(run.chunks) == 1, "the chunk arrived")
        second = gem.Card([run])
        source.give(*HELLO[1:])
        source.end()
        await run
        states = [Page(page_of(card)).state for card in (first, second, gem.Card([run]))]
        assert states == [json.loads(json.dumps(run.snapshot()))] * 3

    asyncio.run(main())


@pytest.mark.parametrize("way", ["message", "trait", "both", "fast lane", "fast lane trait"])
def test_the_page_stops_a_run_in_every_way_once(way: str) -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        card = gem.Card([run])
        page = page_of(card)
        await source.waiting.wait()
        if way in ("message", "both"):
            page.say(op="stop", run=run.id)
        if way in ("trait", "both"):
            page.receive({"method": "update", "state": {"stop_run": run.id}, "buffer_paths": []})
        if way == "fast lane":
            card._on_fast_lane({"method": "custom", "content": {"op": "stop", "run": run.id}})
            page.say(op="stop", run=run.id)
        if way == "fast lane trait":
            card._on_fast_lane({"method": "update", "state": {"stop_run": run.id}})
        await run.wait()
        assert run.status == "cancelled"
        assert run.receipt is not None
        assert run.receipt.by == "button"
        assert Page(page).state["status"] == "cancelled"

    asyncio.run(main())


def test_a_stop_from_a_strange_thread_or_for_a_strange_run_is_safe() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        page = page_of(gem.Card([run]))
        await source.waiting.wait()
        for wrong in ("r0", None, 7, ["r1"], ""):
            page.say(op="stop", run=wrong)
        page.say(op="unheard of")
        page.receive({"method": "custom", "content": "not an object"})
        await asyncio.sleep(0)
        assert run.status == "streaming"
        thread = threading.Thread(target=page.say, kwargs={"op": "stop", "run": run.id})
        thread.start()
        await run.wait()
        thread.join()
        assert run.status == "cancelled"

    asyncio.run(main())


def test_a_card_publishes_as_the_cell_that_made_it_whoever_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cell: ContextVar[str] = ContextVar("cell")
    heard: list[str] = []

    class NeedsItsCell(PageComm):
        """As in ipykernel 7.0: without a parent in the context there is only a LookupError."""

        def publish_msg(self, *args: Any, **keys: Any) -> None:
            heard.append(cell.get())
            super().publish_msg(*args, **keys)

    monkeypatch.setattr(comm, "create_comm", NeedsItsCell)

    async def main() -> None:
        source = GatedSource()
        cell.set("first")
        run = gem.Chat(source=source).send("hi")
        card = gem.Card([run])
        cell.set("second")
        await source.waiting.wait()
        stopping = threading.Thread(target=run.stop)  # its context is empty, and so is that of what it hands over
        stopping.start()
        await run.wait()
        stopping.join()
        assert Page(page_of(card)).state["status"] == "cancelled"
        closing = threading.Thread(target=card.close)
        closing.start()
        closing.join()
        assert set(heard) == {"first"}
        assert PageComm.opened[-1].sent[-1][0] == "comm_close"

    asyncio.run(main())


def test_a_resync_answers_with_the_state_and_its_number() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        page = page_of(gem.Card([run]))
        source.give(*HELLO[:2])
        await until(lambda: len(run.chunks) == 2, "the chunks arrived")
        page.say(op="resync", run=run.id, have=0)
        await until(lambda: any(m["op"] == "snap" for m in page.messages), "the answer")
        (snap,) = [m for m in page.messages if m["op"] == "snap"]
        assert snap["state"] == json.loads(json.dumps(run.snapshot()))
        assert snap["run"] == run.id
        run.stop()
        await run.wait()

    asyncio.run(main())


def test_a_finished_run_answers_a_resync_after_its_loop_is_gone() -> None:
    async def main() -> gem.Card:
        return gem.Card([await gem.Chat(source=ListSource(HELLO)).send("hi")])

    page = page_of(asyncio.run(main()))
    page.say(op="resync", run=None, have=0)
    assert page.messages[-1]["state"]["status"] == "completed"


def test_closing_the_card_stops_its_run_and_ends_the_messages() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        card = gem.Card([run])
        page = page_of(card)
        await source.waiting.wait()
        card.close()
        sent = len(page.sent)
        await run.wait()
        assert run.receipt is not None
        assert run.receipt.by == "closed"
        assert len(page.sent) == sent

    asyncio.run(main())


@pytest.mark.parametrize("way", ["button", "closed"])
def test_a_queued_run_is_shown_as_waiting_and_is_taken_back_by_the_page(way: str) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        going, queued = chat.send("one"), chat.queue("two")
        card = gem.Card([queued])
        page = page_of(card)
        await until(lambda: going.steps, "the one before it goes")
        (shown,) = page.state["snapshot"]["runs"]
        assert (shown["at_s"], shown["state"]["status"]) == (0.0, "queued")
        (beat,) = page.messages
        assert beat == {"op": "beat", "run": queued.id, "seq": 0, "at_s": 0.0, "status": "queued"}
        if way == "button":
            page.say(op="stop", run=queued.id)
            await until(lambda: page.state["snapshot"]["runs"][0]["seq"] == 1, "the page was told")
            last = Page(page).state
            assert (last["status"], last["stopped_by"]) == ("cancelled", "taken_back")
            assert (last["receipt"], last["offers"]) == (None, [])
        else:
            card.close()
        assert (queued.status, queued.stopped_by, going.status) == ("cancelled", "taken_back", "streaming")
        source.give(*HELLO)
        source.end()
        await going
        assert len(source.requests) == 1

    asyncio.run(main())


def test_a_page_follows_a_queued_run_through_its_turn() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        going, queued = chat.send("one"), chat.queue("two")
        page = page_of(gem.Card([queued]))
        opening = json.loads(json.dumps(page.state["snapshot"]["runs"][0]["state"]))
        for run in (going, queued):
            source.give(*HELLO)
            source.end()
            await run
        patches = [m for m in page.messages if m["op"] == "patch"]
        statuses = [op[2] for m in patches for op in m["ops"] if op[1] == ["status"]]
        assert statuses[-2:] == ["streaming", "completed"]
        for message in patches:
            apply_ops(opening, message["ops"])
        assert opening == json.loads(json.dumps(queued.snapshot()))

    asyncio.run(main())


async def in_time(condition: Callable[[], bool]) -> None:
    """Wait for something that a timer does, a few seconds at most."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come in time")


def test_beats_name_the_last_patch_also_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gemstream_widget._notebook.pacer._BEAT_S", 0.01)
    monkeypatch.setattr(link.Link._beat, "__defaults__", ((0.01, 0.01),))

    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(source=source).send("hi")
        page = page_of(gem.Card([run]))
        source.give(*HELLO)

        def beats() -> list[dict[str, Any]]:
            return [m for m in page.messages if m["op"] == "beat"]

        await in_time(lambda: len(beats()) >= 2)
        source.end()
        await run
        await in_time(lambda: sum(b["status"] == "completed" for b in beats()) >= 2)
        last = max(m["seq"] for m in page.messages if m["op"] == "patch")
        assert beats()[-1]["seq"] == last
        assert beats()[-1]["at_s"] == run.timing.ended_s

    asyncio.run(main())


def test_a_thread_run_sends_every_patch_in_order() -> None:
    many = [chunk(text(f"{n} ")) for n in range(300)] + [chunk(finish="STOP")]
    run = gem.Chat(source=ListSource(many), runner="thread").send("hi")
    page = page_of(gem.Card([run]))
    run.result(timeout_s=20)
    ended = threading.Event()
    assert run.loop is not None
    run.loop.call_soon_threadsafe(ended.set)
    assert ended.wait(10)
    assert Page(page).state["parts"][0]["text"] == run.text


def test_second_modules_are_sent_by_name_only() -> None:
    async def main() -> None:
        run = await gem.Chat(source=ListSource(HELLO)).send("hi")
        page = page_of(gem.Card([run]))
        for name in ("highlight", "../widget", "math", None):
            page.say(op="module", name=name)
        answers = [(d["content"], b) for _, d, b in page.sent if d.get("content", {}).get("op") == "module"]
        assert [a["name"] for a, _ in answers] == ["highlight", "math"]
        assert all(len(b) == 1 and a["id"] for a, b in answers)

    asyncio.run(main())


def test_no_key_is_in_anything_that_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a-planted-key-0123456789"
    monkeypatch.setenv("GEMINI_API_KEY", secret)

    async def main() -> None:
        for source in ([ValueError(f"key {secret} is wrong")], HELLO):
            run = await gem.Chat(source=ListSource(source)).send("hi").wait()
            page = page_of(gem.Card([run]))
            assert secret not in json.dumps([d for _, d, _ in page.sent])
            assert secret not in str(run.error)
            assert secret not in repr(run)

    asyncio.run(main())


def test_the_bundle_for_pages_without_widgets_holds_the_text() -> None:
    async def main() -> None:
        run = await gem.Chat(source=ListSource(HELLO)).send("hi")
        data, _ = gem.Card([run])._repr_mimebundle_()
        assert data["text/plain"] == "Hello"
        assert "application/vnd.jupyter.widget-view+json" in data

    asyncio.run(main())


# -- decisions ---------------------------------------------------------------------------------------------------------


def rm(path: str) -> str:
    """Remove a file."""
    return f"removed {path}"


async def card_that_waits() -> tuple[gem.Run, PageComm]:
    asked = chunk({"functionCall": {"name": "rm", "args": {"path": "/x"}}}, finish="STOP")
    run = gem.Chat(source=ListSource([asked], HELLO), tools=[rm], approve="ask").send("go")
    page = page_of(gem.Card([run]))
    await run.next_pending()
    return run, page


def shown_call(page: PageComm) -> dict[str, Any]:
    held: dict[str, Any] = next(p for p in Page(page).state["parts"] if p["kind"] == "call")["call"]
    return held


@pytest.mark.parametrize("lane", ["usual", "fast", "both"])
def test_a_decision_in_the_page_runs_what_was_shown_once(lane: str) -> None:
    async def main() -> None:
        run, page = await card_that_waits()
        await in_time(lambda: shown_call(page)["state"] == "awaiting_approval")
        call = shown_call(page)
        assert (call["state"], call["doc"]) == ("awaiting_approval", "Remove a file.")
        assert call["schema"]["properties"]["path"]["type"] == "string"
        decision = {"op": "decide", "run": run.id, "call": call["id"], "verdict": "approve", "hash": call["hash"]}
        decision |= {"args": '{"path": "/y"}', "reason": None, "scope": "once"}
        if lane in ("fast", "both"):
            fastlane._handlers[page.comm_id]({"method": "custom", "content": decision})
        if lane in ("usual", "both"):
            page.say(**decision)
        await run
        assert run.tool_calls[0].used_args == {"path": "/y"}
        assert [(d.by, d.edited) for d in run.decisions] == [("button", True)]
        assert not [m for m in page.messages if m["op"] == "refused"]
        assert shown_call(page)["result"] == {"result": "removed /y"}

    asyncio.run(main())


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_a_decision_that_comes_by_both_ways_is_one_and_a_second_click_is_told_so(verdict: str) -> None:
    async def main() -> None:
        run, page = await card_that_waits()
        (call,) = run.pending
        decision = {"op": "decide", "run": run.id, "call": call.id, "verdict": verdict, "hash": call.hash}
        decision |= {"args": None, "reason": None, "scope": "once"}
        for _ in range(2):
            fastlane._handlers[page.comm_id]({"method": "custom", "content": dict(decision)})
            page.say(**decision)
            await run
        await in_time(lambda: any(m["op"] == "refused" for m in page.messages))
        (refused,) = [m for m in page.messages if m["op"] == "refused"]
        assert f"it is {run.tool_calls[0].state}" in refused["message"] or "completed" in refused["message"]
        assert len(run.decisions) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"hash": "0000"}, "not what was shown"),
        ({"hash": None}, "names what was shown"),
        ({"verdict": "perhaps"}, "This is no decision"),
        ({"scope": "forever"}, "This is no decision"),
        ({"args": '{"path": 7, "x": 1}'}, "still waits"),
        ({"args": "rm -rf"}, "cannot be read: they are JSON text"),
        ({"args": {"path": "/y"}}, "cannot be read: they are JSON text"),
        ({"args": '{"path": NaN}'}, "cannot be read: they are JSON text"),
        ({"args": '{"n": ' + "9" * 5000 + "}"}, "cannot be read: they are JSON text"),
        ({"args": "[1]"}, "are an object"),
        ({"call": "s9c9"}, "no such call"),
    ],
)
def test_a_decision_that_does_not_fit_is_refused_and_told(wrong: dict[str, Any], told: str) -> None:
    async def main() -> None:
        run, page = await card_that_waits()
        call = run.pending[0]
        good = {
            "op": "decide",
            "run": run.id,
            "call": call.id,
            "verdict": "approve",
            "hash": call.hash,
            "scope": "once",
        }
        page.say(**(good | wrong))
        await until(lambda: any(m["op"] == "refused" for m in page.messages), "the refusal")
        (refused,) = [m for m in page.messages if m["op"] == "refused"]
        assert told in refused["message"]
        assert run.pending == [call]
        page.say(**good)
        await run
        page.say(**(good | {"verdict": "deny"}))  # late, and another verdict
        await until(lambda: sum(m["op"] == "refused" for m in page.messages) == 2, "the second refusal")
        assert len(run.decisions) == 1

    asyncio.run(main())


def test_a_rule_made_in_the_page_can_be_revoked_there() -> None:
    async def main() -> None:
        run, page = await card_that_waits()
        call = run.pending[0]
        page.say(op="decide", run=run.id, call=call.id, verdict="approve", hash=call.hash, scope="chat")
        await until(lambda: bool(run.snapshot()["rules"]), "the rule")
        (rule,) = run.snapshot()["rules"]
        page.say(op="revoke", run=run.id, rule=rule["id"])
        await until(lambda: not run.snapshot()["rules"] or run.done, "the rule is gone")
        await run

    asyncio.run(main())


def test_a_run_that_failed_is_asked_for_again_in_the_same_card() -> None:
    async def main() -> None:
        broken = [HELLO[0], gem.ApiError(503, "UNAVAILABLE", "Try later.")]
        run = gem.Chat(source=ListSource(broken, HELLO)).send("hi")
        page = page_of(gem.Card([run]))
        await run.wait()
        await in_time(lambda: Page(page).state["status"] == "failed")
        page.say(op="again", run=run.id, how="repair")
        await in_time(lambda: any(m["op"] == "refused" for m in page.messages))
        page.say(op="again", run=run.id, how="anew")
        ended = ["=", ["status"], "completed"]
        await in_time(lambda: any(m["op"] == "patch" and ended in m["ops"] for m in page.messages))
        (new,) = {m["run"] for m in page.messages if m["op"] == "patch"} - {run.id}
        page.say(op="resync", run=new, have=None)
        await in_time(lambda: any(m["op"] == "snap" for m in page.messages))
        snaps = [m["state"] for m in page.messages if m["op"] == "snap" and m["run"] == new]
        assert [(s["prompt"], s["parts"][0]["kind"]) for s in snaps] == [([], "thought")]

    asyncio.run(main())


ORDER = 7310582946120375811


def test_whole_numbers_of_any_size_are_shown_and_edited_to_the_digit() -> None:
    async def main() -> None:
        found: list[int] = []

        def find(order_id: int, note: str) -> None:
            found.append(order_id)

        calls = chunk(call("find", {"order_id": ORDER, "note": "x"}), finish="STOP")
        run = gem.Chat(source=ListSource([calls], HELLO), tools=[find], approve="ask").send("go")
        page = page_of(gem.Card([run]))
        (asked,) = await run.next_pending()
        page.say(op="resync", run=run.id)
        await until(lambda: any(m["op"] == "snap" for m in page.messages), "the state")
        ops = [op for m in page.messages if m["op"] == "patch" for op in m["ops"]]
        shown = next(op for op in ops if op[1] == ["parts", 0])
        assert shown[2]["call"]["args"] == {"order_id": str(ORDER), "note": "x"}
        assert shown[3] == [["call", "args", "order_id"]]
        assert Page(page).state["parts"][0]["call"]["args"]["order_id"] == ORDER
        snap = next(m for m in page.messages if m["op"] == "snap")
        place = ["parts", 0, "call", "args", "order_id"]
        assert snap["whole"] == [place]
        assert page.state["snapshot"]["runs"][0].get("whole") in (None, [place])  # as it was when the card was made
        edited = json.dumps({"order_id": ORDER + 1, "note": "x"})
        decision = {"run": run.id, "call": asked.id, "verdict": "approve", "hash": asked.hash, "scope": "once"}
        page.say(op="decide", args=edited, **decision)
        await run
        assert found == [ORDER + 1]
        assert run.tool_calls[0].args["order_id"] == ORDER

    asyncio.run(main())


def test_what_a_decision_needs_is_heard_as_it_arrives() -> None:
    """The form's code and the state, while the kernel keeps messages behind the cell that awaits; and only once."""

    async def main() -> None:
        run, page = await card_that_waits()
        before = len(page.messages)
        for message in ({"op": "module", "name": "approval"}, {"op": "resync", "run": run.id, "have": 0}):
            fastlane._handlers[page.comm_id]({"method": "custom", "content": dict(message)})
        await until(lambda: any(m["op"] == "snap" for m in page.messages[before:]), "the state")
        assert [m["op"] for m in page.messages[before:] if m["op"] in ("module", "snap")] == ["module", "snap"]
        for message in ({"op": "module", "name": "approval"}, {"op": "resync", "run": run.id, "have": 0}):
            page.say(**message)
        for _ in range(50):
            await asyncio.sleep(0)
        assert [m["op"] for m in page.messages[before:] if m["op"] in ("module", "snap")] == ["module", "snap"]
        run.stop()
        await run.wait()

    asyncio.run(main())


def test_the_form_comes_unasked_with_the_first_call_that_waits_in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.setattr(card_module, "_sent", set())
        for expected in (1, 0):
            run, page = await card_that_waits()
            await until(lambda page=page: shown_call(page)["state"] == "awaiting_approval", "the call is shown")
            kinds = [m["op"] for m in page.messages]
            assert kinds.count("module") == expected
            if expected:
                shows = [m["op"] == "patch" and "awaiting_approval" in json.dumps(m) for m in page.messages]
                assert kinds.index("module") < shows.index(True)
            run.stop()
            await run.wait()

    asyncio.run(main())
