"""Runs that wait for their turn: in order, one at a time, taken back at any moment, none lost and none sent twice."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource, Request
from gemstream_widget._engine.turn import Turn
from gemstream_widget._stream.events import PromptChanged, RunEnded, RunStarted, RunStateChanged, StepStarted
from tests.gates import GatedSource, until
from tests.told import state_of, told
from tests.wire import answer, call, chunk, text

DONE = [chunk(text("done"), finish="STOP")]


def user(words: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": words}]}


def model(words: str) -> dict[str, Any]:
    return {"role": "model", "parts": [{"text": words}]}


def asked(requests: list[Request]) -> list[str]:
    """The text that each request asks last."""
    return [request.contents[-1]["parts"][-1]["text"] for request in requests]


async def finish(source: GatedSource, run: gem.Run, words: str = "ok") -> None:
    """Let the run that asks the source end well."""
    await until(lambda: run.steps, "its request went out")
    source.give(chunk(text(words), finish="STOP"))
    source.end()
    await run


# -- order and time ---------------------------------------------------------------------------------------------------


def test_a_queued_run_waits_behind_the_one_that_goes_and_follows_it() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        await until(lambda: first.steps, "the first goes")
        assert (second.status, second.done, second.pending, second.contents()) == ("queued", False, [], [])
        assert chat.runs == [first, second]
        await finish(source, first, "yes")
        await finish(source, second)
        assert source.requests[1].contents == [user("one"), model("yes"), user("two")]
        assert chat.history == [user("one"), model("yes"), user("two"), model("ok")]

    asyncio.run(main())


def test_where_nothing_goes_on_queue_is_send() -> None:
    async def main() -> None:
        run = gem.Chat(source=ListSource(DONE)).queue("hi")
        assert run.status == "pending"
        assert (await run).text == "done"
        with pytest.raises(gem.InvalidPrompt):
            gem.Chat(source=ListSource(DONE)).queue(" ")
        with pytest.raises(gem.HistoryError):
            gem.Chat(source=ListSource(DONE)).queue(answer("f", {}))

    asyncio.run(main())


def test_send_is_refused_while_a_run_is_queued_and_names_the_way() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second, third = chat.send("one"), chat.queue("two"), chat.queue("three")
        third.stop()
        assert third.status == "cancelled"
        for refused in (lambda: chat.send("x"), chat.again, chat.repair):
            with pytest.raises(gem.RunInProgress, match=rf"Run {first.id} .*chat\.queue\(prompt\)"):
                refused()
        await finish(source, first)
        with pytest.raises(gem.RunInProgress, match=f"Run {second.id}"):
            chat.send("x")
        await finish(source, second)
        await finish(source, chat.send("x"))

    asyncio.run(main())


def test_time_counts_from_its_turn() -> None:
    now = [100.0]

    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source, clock=lambda: now[0])
        first, second = chat.send("one"), chat.queue("two")
        queued_at = second.timing.started_at
        now[0] += 60
        assert (first.now_s, second.now_s) == (60.0, 0.0)
        await finish(source, first)
        await until(lambda: second.steps, "its turn came")
        assert second.timing.started_at > queued_at
        now[0] += 2
        assert second.now_s == 2.0
        await finish(source, second)
        assert (second.timing.first_chunk_s, second.timing.ended_s) == (2.0, 2.0)

    asyncio.run(main())


def test_the_options_are_those_of_the_moment_it_was_queued() -> None:
    async def main() -> None:
        source, other = GatedSource(), ListSource(DONE)
        chat = gem.Chat(source=source, system="be kind")
        first, second = chat.send("one"), chat.queue("two")
        chat.change(system="be brief", source=other, model="other")
        await finish(source, first)
        await finish(source, second)
        assert [r.system for r in source.requests] == ["be kind", "be kind"]
        assert other.requests == []
        assert (second.model, (await chat.send("three")).model) == (gem.DEFAULT_MODEL, "other")

    asyncio.run(main())


def test_it_lives_in_the_cell_that_queued_it() -> None:
    cell: ContextVar[str] = ContextVar("cell", default="none")
    seen: list[str] = []

    class Seeing:
        async def stream(self, request: Request) -> AsyncIterator[Any]:
            seen.append(cell.get())
            await asyncio.sleep(0)
            yield DONE[0]

    async def main() -> None:
        chat = gem.Chat(source=Seeing())
        for number in ("1", "2", "3"):
            cell.set(number)
            run = chat.queue(number)
        await run
        assert seen == ["1", "2", "3"]

    asyncio.run(main())


@pytest.mark.parametrize("how", ["fails", "stops", "stops before it starts"])
def test_the_next_one_has_its_turn_however_the_one_before_ends(how: str) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        if how != "stops before it starts":
            await until(lambda: first.steps, "the first goes")
        if how == "fails":
            source.give(ValueError("gone"))
        else:
            first.stop()
        await first.wait()
        assert first.status == ("failed" if how == "fails" else "cancelled")
        await finish(source, second)

    asyncio.run(main())


# -- what its turn makes of it ----------------------------------------------------------------------------------------


def test_open_calls_are_answered_at_its_turn_and_readers_are_told() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source, tools=[{"name": "f"}])
        first, second = chat.send("one"), chat.queue("two")
        feed = second._feed()
        feed.snapshot()
        await until(lambda: first.steps, "the first goes")
        source.give(chunk(call("f", {}, id="k"), finish="STOP"))
        source.end()
        await first
        await until(lambda: second.steps, "its turn came")
        responses, prompt = source.requests[1].contents[-2:]
        assert "new message" in responses["parts"][0]["functionResponse"]["response"]["error"]
        assert prompt == user("two")
        (patch,) = feed.take()
        assert ("=", ("prompt",), [responses, prompt]) in patch["ops"]
        assert second.snapshot()["prompt"] == [responses, prompt]
        await finish(source, second)

    asyncio.run(main())


def test_a_prompt_that_does_not_fit_fails_in_the_open_and_the_next_one_has_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        runs = [chat.send("one"), chat.queue(answer("f", {"n": 1})), chat.queue("three")]
        await finish(source, runs[0])
        with pytest.raises(gem.RunFailed, match="No open function call goes with the response 'f'"):
            await runs[1]
        assert (runs[1].status, runs[1].offers, runs[1].steps, runs[1].contents()) == ("failed", [], [], [])
        await finish(source, runs[2])
        assert asked(source.requests) == ["one", "three"]
        assert [type(e) for e in [e async for e in runs[1]]] == [RunStateChanged, RunEnded]

    asyncio.run(main())
    assert not caplog.records


def test_again_is_about_the_last_run_that_had_its_turn() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        await until(lambda: first.steps, "the first goes")
        second.stop()
        with pytest.raises(gem.NothingToRepeat, match=f"Run {second.id} is cancelled and offers no 'anew'"):
            second.again("anew")
        source.give(ValueError("gone"))
        await first.wait()
        assert first.offers == ["anew"]
        again = first.again("anew")
        await finish(source, again)
        assert source.requests[1].contents == [user("one")]
        assert chat.history == [user("one"), model("ok")]

    asyncio.run(main())


def test_check_and_repair_know_nothing_of_a_queued_prompt() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        await until(lambda: first.steps, "the first goes")
        assert chat.history == [user("one")]
        assert chat.check() == gem.Chat(history=[user("one")]).check()
        await finish(source, first)
        await finish(source, second)
        assert chat.check() == []

    asyncio.run(main())


# -- taken back -------------------------------------------------------------------------------------------------------


def test_a_stop_takes_it_back_at_once_and_nothing_is_sent() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second, third = chat.send("one"), chat.queue("two"), chat.queue("three")
        await until(lambda: first.steps, "the first goes")
        assert second.stop()
        assert not second.stop()
        assert (second.status, second.stopped_by, second.receipt) == ("cancelled", "taken_back", None)
        assert second.offers == []
        assert second.notice is not None
        assert second.notice["title"] == "Nothing was sent"
        assert (second.timing.ended_s, second.contents()) == (0.0, [])
        assert third.status == "queued"
        with pytest.raises(gem.RunCancelled, match="taken back before its turn; nothing was sent"):
            await second
        await finish(source, first)
        await finish(source, third)
        assert source.requests[1].contents == [user("one"), model("ok"), user("three")]
        assert (await aiter_all(second))[-1].stopped_by == "taken_back"

    asyncio.run(main())


async def aiter_all(run: gem.Run) -> list[Any]:
    return [event async for event in run]


def test_a_stop_that_crosses_its_turn_takes_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Turn.begin

    def crossed(turn: Turn) -> None:
        stopping = threading.Thread(target=runs[1].stop)
        stopping.start()
        stopping.join()
        begin(turn)

    monkeypatch.setattr(Turn, "begin", crossed)
    runs: list[gem.Run] = []

    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        runs.extend([chat.send("one"), chat.queue("two")])
        await finish(source, runs[0])
        await runs[1].wait()
        assert (runs[1].stopped_by, runs[1].receipt, runs[1].contents()) == ("taken_back", None, [])
        assert len(source.requests) == 1

    asyncio.run(main())


def test_interrupting_a_cell_that_awaits_a_queued_run_takes_back_that_run_alone() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        cell = asyncio.ensure_future(second._outcome())
        await until(lambda: first.steps, "the first goes")
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell
        assert (second.stopped_by, first.status) == ("taken_back", "streaming")
        await finish(source, first)

    asyncio.run(main())


def test_decisions_about_a_queued_run_are_refused() -> None:
    async def main() -> None:
        chat = gem.Chat(source=GatedSource())
        first, second = chat.send("one"), chat.queue("two")
        with pytest.raises(gem.DecisionRefused, match="is queued"):
            second.approve("s0c0")
        first.stop()
        second.stop()
        await first.wait()

    asyncio.run(main())


# -- readers ----------------------------------------------------------------------------------------------------------


def test_events_tell_of_the_queue_and_of_the_turn() -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        early = asyncio.ensure_future(aiter_all(second))
        await until(lambda: first.steps, "the first goes")
        assert told(second)[0] == [RunStateChanged("queued")]
        await finish(source, first)
        await until(lambda: second.status == "streaming", "its turn came")
        assert second.timing.started_at > first.timing.started_at
        await finish(source, second)
        events = await early
        assert events[:2] == [RunStateChanged("queued"), RunStateChanged("pending")]
        assert [type(e) for e in events[2:5]] == [RunStarted, RunStateChanged, StepStarted]
        assert not any(isinstance(e, PromptChanged) for e in events)
        assert state_of(second, events).snapshot() == second.snapshot()

    asyncio.run(main())


def test_late_readers_of_every_state_are_told_that_state() -> None:
    async def main() -> None:
        chat = gem.Chat(source=GatedSource())
        first, second = chat.send("one"), chat.queue("two")
        for run, status in ((first, "pending"), (second, "queued")):
            assert state_of(run, told(run)[0]).status == run.status == status
        second.stop()
        first.stop()
        await first.wait()
        for run in (first, second):
            events, fold = told(run)
            assert isinstance(events[-1], RunEnded)
            assert fold.state.snapshot() == state_of(run, events).snapshot() == run.snapshot()

    asyncio.run(main())


# -- in a file --------------------------------------------------------------------------------------------------------


def test_queued_runs_of_a_saved_chat_come_back_as_taken_back(tmp_path: Path) -> None:
    async def main() -> None:
        source = GatedSource()
        chat = gem.Chat(source=source)
        first, second = chat.send("one"), chat.queue("two")
        await until(lambda: first.steps, "the first goes")
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", source=ListSource(DONE))
        back = loaded.runs[1]
        assert (back.status, back.stopped_by, back.offers, back.timing.ended_s) == ("cancelled", "taken_back", [], 0.0)
        assert back.notice is not None
        assert "chat was saved" in back.notice["message"]
        assert back.snapshot()["prompt"] == [user("two")]
        assert (second.status, loaded.history) == ("queued", chat.history)
        assert (await loaded.send("three")).text == "done"
        second.stop()
        first.stop()
        await first.wait()

    asyncio.run(main())


def test_a_run_that_waits_for_a_decision_goes_on_although_others_waited_behind_it(tmp_path: Path) -> None:
    def rm() -> str:
        """Remove."""
        return "gone"

    async def main() -> None:
        chat = gem.Chat(source=ListSource([chunk(call("rm", {}), finish="STOP")]), tools=[rm], approve="ask")
        first, second = chat.send("one"), chat.queue("two")
        await first.next_pending()
        chat.save(tmp_path / "chat.json")
        second.stop()
        first.stop()
        await first.wait()
        loaded = gem.load_chat(tmp_path / "chat.json", tools=[rm], source=ListSource(DONE, DONE))
        going, taken_back = loaded.runs
        assert (going.status, taken_back.stopped_by) == ("acting", "taken_back")
        behind = loaded.queue("three")
        assert behind.status == "queued"
        (waiting,) = await going.next_pending()
        going.approve(waiting)
        assert ((await going).text, (await behind).text) == ("done", "done")

    asyncio.run(main())


# -- loops and threads ------------------------------------------------------------------------------------------------


class Meter:
    """A source that answers at once, and knows how many streams were open at the same time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = self.most_open = 0
        self._lock = threading.Lock()

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        with self._lock:
            self.asked.append(request.contents[-1]["parts"][0]["text"])
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
                yield chunk(text("a"))
            yield chunk(text("b"), finish="STOP")
        finally:
            with self._lock:
                self.open -= 1


@pytest.mark.parametrize("seed", range(12))
def test_many_threads_that_queue_and_stop_lose_no_turn_and_start_none_twice(seed: int) -> None:
    source = Meter()
    chat = gem.Chat(source=source, runner="thread")
    made: list[gem.Run] = []
    lock = threading.Lock()
    start = threading.Barrier(6)

    def work(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        start.wait()
        for turn in range(15):
            run = chat.queue(f"{number}.{turn}")
            with lock:
                made.append(run)
                other = chance.choice(made)
            if chance.random() < 0.4:
                other.stop()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in chat.runs:
        try:
            run.result(timeout_s=30)
        except gem.RunCancelled:
            continue
    assert source.most_open == 1
    order = [run.snapshot()["prompt"][0]["parts"][0]["text"] for run in chat.runs]
    sent = [words for run, words in zip(chat.runs, order, strict=True) if run.steps]
    assert source.asked == [words for words in sent if words in source.asked]  # a Stop may come before the source asks
    assert len(source.asked) == len(set(source.asked))
    for run in chat.runs:
        assert run.done
        if run.status == "completed":
            assert run.text == "aaab"
        else:
            assert run.status == "cancelled"
            assert run.stopped_by == "taken_back" or run.receipt is not None
    for number in range(6):
        turns = [int(words.split(".")[1]) for words in order if words.startswith(f"{number}.")]
        assert turns == sorted(turns)
    said = [run for run in chat.runs if run.contents()]
    assert chat.history == [content for run in said for content in run.contents()]
    assert chat.send("last").result(timeout_s=30).text == "aaab"


class LoopThread:
    """An event loop in a thread, which a test may close in the middle of anything."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, call: Any) -> Any:
        async def there() -> Any:
            return call()

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(timeout=10)

    def close(self) -> None:
        """As a careless program does: nothing is cancelled first."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)
        self.loop.close()


def test_runs_on_two_loops_follow_one_another() -> None:
    one, two = LoopThread(), LoopThread()
    source = Meter()
    chat = gem.Chat(source=source)
    runs = [(one, two)[n % 2].call(lambda n=n: chat.queue(str(n))) for n in range(20)]
    for run in runs:
        run.result(timeout_s=30)
    assert {run.loop for run in runs} == {one.loop, two.loop}
    assert (source.asked, source.most_open) == ([str(n) for n in range(20)], 1)
    one.close()
    two.close()


@pytest.mark.filterwarnings("ignore")  # the loop's own complaints are not the point
def test_queued_runs_whose_loop_was_closed_are_taken_back_and_the_next_one_has_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def play() -> None:
        closed, alive = LoopThread(), LoopThread()
        gate, source = GatedSource(), Meter()
        chat = gem.Chat(source=gate)
        first = alive.call(lambda: chat.send("one"))
        chat.change(source=source)
        lost = [closed.call(lambda: chat.queue("lost")) for _ in range(300)]
        last = alive.call(lambda: chat.queue("last"))
        closed.close()
        alive.call(lambda: gate.give(chunk(text("ok"), finish="STOP")))
        alive.call(gate.end)
        assert last.result(timeout_s=30).text == "aaab"
        assert first.status == "completed"
        assert {run.stopped_by for run in lost} == {"taken_back"}
        assert source.asked == ["last"]
        assert not [r for r in caplog.records if r.name == "concurrent.futures"]  # nobody ran out of stack
        alive.close()

    play()
    gc.collect()


@pytest.mark.filterwarnings("ignore")  # the loop's own complaints are not the point
def test_a_run_ahead_whose_loop_was_closed_does_not_hold_the_queue_up() -> None:
    def play() -> None:
        closed, alive = LoopThread(), LoopThread()
        source = Meter()
        chat = gem.Chat(source=GatedSource())
        first = closed.call(lambda: chat.send("one"))
        chat.change(source=source)
        second = alive.call(lambda: chat.queue("two"))
        closed.close()
        assert second.result(timeout_s=30).text == "aaab"
        assert first.status == "cancelled"
        alive.close()

    play()
    gc.collect()


def test_leaving_the_loop_ends_what_goes_on_and_takes_back_what_waits() -> None:
    runs: list[gem.Run] = []
    source = GatedSource()

    async def main() -> None:
        chat = gem.Chat(source=source)
        runs.extend([chat.send("one"), chat.queue("two"), chat.queue("three")])
        await until(lambda: runs[0].steps, "the first goes")

    asyncio.run(main())
    assert [(run.status, run.stopped_by) for run in runs] == [
        ("cancelled", None),
        ("cancelled", "taken_back"),
        ("cancelled", "taken_back"),
    ]
    assert len(source.requests) == 1


def test_a_run_whose_loop_was_closed_under_it_holds_up_no_send() -> None:
    chat = gem.Chat(source=GatedSource())

    async def begin() -> gem.Run:
        return chat.send("left behind")

    left = asyncio.run(begin())

    async def go_on() -> None:
        run = chat.send("next")  # at once: no RunInProgress of a run that nobody can end any more
        run.stop()
        await run.wait()

    asyncio.run(go_on())
    assert left.status == "cancelled"
