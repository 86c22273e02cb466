"""`gem.watch` on whatever people call a stream: it ends in a known state, Stop ends it, nothing else is disturbed."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._engine.loops import Runner
from gemstream_widget._stream.events import RunEnded
from tests.wire import chunk, text

from .report import Control, Found, Row
from .stop import collector_off

__all__ = ["measure"]

_GRACE_S = 2.0  # what watch gives a stream to end in
_SLACK_S = 1.0
_BUSY_MS = 400.0  # what one stream may make the loop's thread compute without a break
_LATE_MS = 4000.0  # and how long it may hold it at all, on a machine that others use too
_A = chunk(text("a"))
_END = chunk(text("."), finish="STOP")


# -- streams -----------------------------------------------------------------------------------------------------------


async def _fine(count: int = 5) -> AsyncIterator[Any]:
    for _ in range(count):
        await asyncio.sleep(0.002)
        yield _A
    yield _END


async def _deaf(over: asyncio.Event) -> AsyncIterator[Any]:
    """Ignores its cancellation, until the proof is over."""
    yield _A
    while not over.is_set():
        with suppress(asyncio.CancelledError):
            await over.wait()


async def _silent() -> AsyncIterator[Any]:
    await asyncio.Event().wait()
    yield _A


def _raising(error: Callable[[], BaseException], count: int = 2) -> AsyncIterator[Any]:
    async def stream() -> AsyncIterator[Any]:
        for _ in range(count):
            await asyncio.sleep(0.002)
            yield _A
        raise error()

    return stream()


def _giving(*items: Any) -> AsyncIterator[Any]:
    async def stream() -> AsyncIterator[Any]:
        yield _A
        for item in items:
            await asyncio.sleep(0)
            yield item
        yield _END

    return stream()


class _Steps:
    """An async iterator that is no generator: `steps` are given, raised where they are exceptions, then the end."""

    def __init__(self, *steps: Any) -> None:
        self._steps = iter(steps)

    def __aiter__(self) -> _Steps:
        return self

    async def __anext__(self) -> Any:
        await asyncio.sleep(0)
        step = next(self._steps, StopAsyncIteration())
        if isinstance(step, BaseException):
            raise step
        return step


class _AiterRaises:
    def __aiter__(self) -> Any:
        raise ValueError("no iterator today")


class _AiterGives:
    """`__aiter__` gives something else, perhaps no async iterator."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def __aiter__(self) -> Any:
        return self._given


class _NextGives:
    """`__anext__` is no coroutine."""

    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return _A


class _CloseRaises(_Steps):
    async def aclose(self) -> None:
        raise OSError("cannot be closed")


async def _cleanup_raises() -> AsyncIterator[Any]:
    try:
        yield _A
        await asyncio.Event().wait()
    finally:
        raise OSError("cleanup failed")


async def _cleanup_takes_long() -> AsyncIterator[Any]:
    try:
        yield _A
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.3)


async def _blocking() -> AsyncIterator[Any]:
    for _ in range(3):
        time.sleep(0.05)  # noqa: ASYNC251  # what the stream does wrong
        yield _A
        await asyncio.sleep(0)
    yield _END


async def _flood(count: int) -> AsyncIterator[Any]:
    for _ in range(count):
        yield _A
    yield _END


async def _endless() -> AsyncIterator[Any]:
    """Never awaits. It would never end either, but a proof has to."""
    due = time.monotonic() + 0.8
    while time.monotonic() < due:
        yield {}


def _exhausted() -> Any:
    stream: Any = _fine()
    with suppress(StopIteration):
        stream.aclose().__await__().send(None)
    return stream


def _running() -> Any:
    """A generator that somebody else is in the middle of."""
    stream = _silent()
    reading: Any = anext(stream)
    reading.send(None)
    _others_reading.append(reading)
    return _AiterGives(stream)


_others_reading: list[Any] = []


def _others_end() -> None:
    for reading in _others_reading:
        with suppress(asyncio.CancelledError):
            reading.throw(asyncio.CancelledError())
    _others_reading.clear()


class _OwnBaseError(BaseException):
    pass


class _Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")

    __str__ = __repr__


class _Awaitable:
    def __await__(self) -> Iterator[Any]:
        yield


class _FalseDump:
    """Looks like the SDK's objects and is none."""

    def model_dump(self, **options: Any) -> Any:
        return 7


class _BadDump:
    def model_dump(self, **options: Any) -> Any:
        raise ValueError("cannot be dumped")


def _cycle() -> Any:
    held: dict[str, Any] = {"candidates": [{"content": {"parts": [{"text": "b"}]}}]}
    held["self"] = held
    held["candidates"].append(held)
    part: dict[str, Any] = {"inlineData": {}}
    part["inlineData"]["a"] = part
    part["inlineData"]["b"] = [part, part]
    held["candidates"][0]["content"]["parts"].append(part)
    return held


def _of_the_sdk() -> Any:
    from google.genai import types

    return types.GenerateContentResponse.model_validate(_A)


_GARBAGE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a str": lambda: "text",
    "bytes": lambda: b"\xff\x00",
    "an int": lambda: 7,
    "a large int": lambda: 10**5000,
    "NaN": lambda: float("nan"),
    "an object": object,
    "an object that cannot be shown": _Unshowable,
    "a class": lambda: dict,
    "a dict that holds itself": _cycle,
    "keys that are no text": lambda: {1: 2, None: 3, (1, 2): 4, "candidates": {5: 6}},
    "a list of chunks": lambda: [_A, _A],
    "wrong shapes": lambda: {"candidates": {"content": []}, "usageMetadata": [], "promptFeedback": 3},
    "wrong shapes inside": lambda: {"candidates": [None, 1, {"content": 2}, {"content": {"parts": "abc"}}]},
    "an error object": lambda: {"error": {"code": "x", "message": {"a": 1}, "status": []}},
    "SDK objects": _of_the_sdk,
    "a false SDK object": _FalseDump,
    "an SDK object that raises": _BadDump,
    "something to await": _Awaitable,
    "an exception": lambda: ValueError("given, not raised"),
    "deep nesting": lambda: _nested(3000),
    "a lone surrogate": lambda: chunk(text("\ud83d")),
}


def _nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": [value]}
    return value


_ERRORS: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("late"),
    "an error without words": _Mute,
    "OSError": lambda: OSError(5, "late"),
    "one of ours": lambda: gem.ApiError(500, "INTERNAL", "late"),
    "RunCancelled's base": lambda: gem.GemstreamError("late"),
    "StopIteration": StopIteration,
    "StopAsyncIteration": StopAsyncIteration,
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": lambda: SystemExit(3),
    "a BaseException": lambda: _OwnBaseError("late"),
    "an ExceptionGroup": lambda: ExceptionGroup("several", [ValueError("a"), OSError("b")]),
    "a BaseExceptionGroup": lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]),
}


@dataclass(frozen=True)
class _Kind:
    """`make` gets the event that tells the stream the proof is over. `ends`: by itself, without a Stop. `rough` ones
    hold the loop, and are tried one after another.
    """

    name: str
    make: Callable[[asyncio.Event], Any]
    ends: bool = True
    rough: bool = False


_KINDS = [
    _Kind("a fine stream", lambda over: _fine()),
    _Kind("ignores its cancellation", _deaf, ends=False),
    _Kind("never yields", lambda over: _silent(), ends=False),
    *(_Kind(f"raises {name}", lambda over, e=error: _raising(e)) for name, error in _ERRORS.items()),
    *(_Kind(f"no generator, raises {name}", lambda over, e=error: _Steps(_A, e())) for name, error in _ERRORS.items()),
    *(_Kind(f"yields {name}", lambda over, g=given: _giving(g())) for name, given in _GARBAGE.items()),
    _Kind("yields after its end", lambda over: _Steps(_A, StopAsyncIteration(), _A)),
    _Kind("is empty", lambda over: _Steps()),
    _Kind("is exhausted", lambda over: _exhausted()),
    _Kind("is read by somebody else", lambda over: _running()),
    _Kind("__aiter__ raises", lambda over: _AiterRaises()),
    _Kind("__aiter__ gives None", lambda over: _AiterGives(None)),
    _Kind("__aiter__ gives a list", lambda over: _AiterGives([_A])),
    _Kind("__anext__ is no coroutine", lambda over: _NextGives()),
    _Kind("aclose raises", lambda over: _CloseRaises(_A, _END)),
    _Kind("its cleanup raises", lambda over: _cleanup_raises(), ends=False),
    _Kind("its cleanup takes long", lambda over: _cleanup_takes_long(), ends=False),
    _Kind("holds the loop for a moment", lambda over: _blocking(), rough=True),
    _Kind("10,000 chunks without awaiting", lambda over: _flood(10_000), rough=True),
    _Kind("chunks without awaiting and without an end", lambda over: _endless(), ends=False, rough=True),
]


# -- trying them -------------------------------------------------------------------------------------------------------


def measure(setting: Setting) -> Found:
    """Every kind, with a Stop at several moments and without, on the running loop and on the thread's."""
    asyncio.run(_warm())
    rounds = setting.count(8, 1)
    tried = _Tried()
    late: list[_Late] = []
    for number in range(rounds):
        runner: Runner = "thread" if number % 4 == 3 else "loop"
        with collector_off():  # of a large heap, as of a test run, a collection alone holds the loop for half a second
            asyncio.run(_round(number, runner, tried, late))
    control = asyncio.run(_control())
    lateness = Control("a stream that holds the loop for 0.6 s", asyncio.run(_held_is_noticed()))
    return Found(
        [
            Row(
                "watch: ends in a known state, Stop ends it in time",
                tried.count,
                tried.failures,
                control,
                tried.stop_ms,
            ),
            Row(
                "watch: the loop goes on, another run is not disturbed",
                len(late),
                _held(late) + tried.disturbed,
                lateness,
                [x.ms for x in late],
            ),
        ]
    )


class _Late(NamedTuple):
    """How late the loop woke, and what its thread computed meanwhile: the machine is shared."""

    ms: float
    busy_ms: float


def _held(late: list[_Late]) -> list[str]:
    too_long = [x for x in late if x.busy_ms > _BUSY_MS or x.ms > _LATE_MS]
    return [f"the loop woke {x.ms:.0f} ms late, {x.busy_ms:.0f} ms of it at work" for x in too_long]


class _Tried:
    def __init__(self) -> None:
        self.count = 0
        self.failures: list[str] = []
        self.disturbed: list[str] = []
        self.stop_ms: list[float] = []


async def _warm() -> None:
    """Load what the first run would hold the loop for, the SDK's types included."""
    _of_the_sdk()
    await gem.watch(_fine())


async def _round(number: int, runner: Runner, tried: _Tried, late: list[_Late]) -> None:
    """All kinds side by side, beside a healthy run and a heartbeat."""
    pick = random.Random(number)
    loop = asyncio.get_running_loop()
    complaints: list[str] = []
    loop.set_exception_handler(lambda loop, context: complaints.append(str(context.get("message"))))
    over = asyncio.Event()
    beating = asyncio.create_task(_beat(late))
    healthy = gem.watch(_fine(200))
    await asyncio.gather(*(_one(kind, runner, pick, over, tried) for kind in _KINDS if not kind.rough))
    over.set()
    for kind in _KINDS:
        if kind.rough:
            await _one(kind, runner, pick, over, tried)
    await healthy.wait()
    if (healthy.status, healthy.text) != ("completed", "a" * 200 + "."):
        tried.disturbed.append(f"the healthy run is {healthy.status}")
    beating.cancel()
    _others_end()
    await asyncio.wait({beating})
    tried.disturbed += [f"the loop complains: {words}" for words in complaints]


async def _one(kind: _Kind, runner: Runner, pick: random.Random, over: asyncio.Event, tried: _Tried) -> None:
    """One stream: with a Stop at a random moment, or, where it ends by itself, without."""
    stops = not kind.ends or pick.random() < 0.5
    place, delay_s, from_thread = pick.random() + kind.rough, pick.uniform(0, 0.03), pick.random() < 0.5
    tried.count += 1
    about = f"{kind.name}, {runner}, {'stopped' if stops else 'left alone'}: "
    try:
        run = gem.watch(kind.make(over if runner == "loop" else _ThreadsEvent(over)), runner=runner)
        events: list[Any] = []
        reading = asyncio.create_task(_read(run, events))
        if stops:
            if place > 0.2:  # else: before anything has happened
                await asyncio.sleep(delay_s)
            asked = time.perf_counter()
            said = await asyncio.to_thread(run.stop) if from_thread else run.stop()
        await asyncio.wait_for(asyncio.shield(run.wait()), _GRACE_S + _SLACK_S)
        if stops and said:
            tried.stop_ms.append(1000 * (time.perf_counter() - asked))
        await asyncio.wait_for(reading, _SLACK_S)
        tried.failures += [about + fault for fault in _faults(run, events)]
    except Exception as error:
        tried.failures.append(f"{about}{type(error).__name__}: {error}")


class _ThreadsEvent(asyncio.Event):
    """An event for a stream on another loop: it looks."""

    def __init__(self, real: asyncio.Event) -> None:
        super().__init__()
        self._real = real

    def is_set(self) -> bool:
        return self._real.is_set()

    async def wait(self) -> Any:
        while not self.is_set():  # noqa: ASYNC110  # there is no event for two loops
            await asyncio.sleep(0.02)


async def _read(run: gem.Run, events: list[Any]) -> None:
    async for event in run:
        events.append(event)


def _faults(run: gem.Run, events: list[Any]) -> list[str]:
    """What is wrong with a run that has ended."""
    faults = []
    if run.status not in ("completed", "failed", "cancelled"):
        faults.append(f"the run is {run.status}")
    if run.status == "failed" and not isinstance(run.error, gem.RunFailed):
        faults.append(f"failed with {run.error!r}")
    elif run.error is not None and "broke" in run.error.title:
        faults.append(f"a fault of our own: {run.error}")
    if run.status == "cancelled" and run.receipt is None:
        faults.append("stopped without a receipt")
    ends = [n for n, event in enumerate(events) if isinstance(event, RunEnded)]
    if ends != [len(events) - 1]:
        faults.append(f"terminal events at {ends} of {len(events)}")
    try:
        json.dumps(run.snapshot(), allow_nan=False, ensure_ascii=False).encode()
        json.dumps(run.contents())
        repr(run), str(run.error)
    except Exception as error:
        faults.append(f"cannot be shown: {type(error).__name__}: {str(error)[:200]}")
    return faults


async def _beat(late: list[_Late]) -> None:
    """Note how late the loop wakes, every 10 ms, and for how much of it our own thread was busy."""
    while True:
        due, spent = time.perf_counter() + 0.01, time.thread_time()
        await asyncio.sleep(0.01)
        late.append(_Late(1000 * (time.perf_counter() - due), 1000 * (time.thread_time() - spent)))


async def _control() -> Control:
    """A run that does not end, and one whose error is somebody else's."""
    run = gem.watch(_silent())
    events: list[Any] = []
    reading = asyncio.create_task(_read(run, events))
    await asyncio.sleep(0)
    unfinished = bool(_faults(run, events))
    run.stop()
    await run.wait()
    await reading
    fine = not _faults(run, events)
    run._record.state.status = "failed"
    run._record._fold.error = KeyError("on purpose")  # type: ignore[assignment]
    noticed = unfinished and fine and bool(_faults(run, events))
    return Control("a run that goes on; one that failed with a KeyError", noticed)


async def _held_is_noticed() -> bool:
    late: list[_Late] = []
    beating = asyncio.create_task(_beat(late))
    await asyncio.sleep(0.02)
    began = time.thread_time()
    while time.thread_time() - began < 0.6:
        pass
    await asyncio.sleep(0.02)
    beating.cancel()
    await asyncio.wait({beating})
    return bool(_held(late))
