"""Nothing that a model, a server or a proxy could send breaks the decoder, the reducer or a run.

Three ways: chunks that hypothesis makes up, recorded streams with changes that know what a chunk looks like, and
recorded streams with changed bytes, over real HTTP through the real SDK.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import marshal
import math
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import gemstream_widget as gem
from benchmarks.setting import Setting
from gemstream_widget._engine.source import ListSource
from gemstream_widget._plain import clean_text
from gemstream_widget._request.turns import model_turn
from gemstream_widget._stream.chunks import ChunkLog
from gemstream_widget._stream.decode import Decoder
from gemstream_widget._stream.outcome import failure_of, notice_of
from gemstream_widget._stream.parts import TextPart
from gemstream_widget._stream.patch import apply_ops
from gemstream_widget._stream.reducer import apply
from gemstream_widget._stream.state import State
from gemstream_widget.errors import GemstreamError
from tests.clients import TRANSPORTS, client_of
from tests.conftest import corpus_root, corpus_streams
from tests.test_decode import names, odd_chunks

from .mutate import bend_bytes, mutate
from .report import Control, Found, Row
from .wire import Answer, Plan, Sent, Wire

__all__ = ["faults_of", "measure"]

_LIMIT_S = 3.0  # for one stream; what is decoded in milliseconds
_LATEST_S = 15.0  # for one run over HTTP: aiohttp in the SDK waits up to 10 s before it asks again by itself
_NO_CORPUS = "recorded streams: set GEMSTREAM_CORPUS to their folder"


def measure(setting: Setting) -> Found:
    """Errors are ours or none, nothing hangs, nothing is lost, patches fold to the snapshot, and that is JSON."""
    with _watchdog() as limit:
        rows = [_made_up(setting, limit)]
        if corpus_streams():
            rows.append(_mutated(setting, limit))
            rows.append(_saved(setting))
            rows.append(_over_http(setting))
    return Found(rows, skipped=() if corpus_streams() else (_NO_CORPUS,))


# -- one stream, without I/O -------------------------------------------------------------------------------------------


def faults_of(chunks: list[Any], touched: set[int], decoder: Decoder) -> list[str]:
    """What goes wrong with these chunks. The state is looked at after each touched chunk and at the end."""
    state = State(run="r1", model="m", demo=False, prompt=[], started_at=0.0)
    page = _plain(state.snapshot())
    log = ChunkLog()
    said: list[str] = []
    raised = False
    faults: list[str] = []

    def take(events: list[Any], look: bool) -> None:
        for event in events:
            apply_ops(page, _plain(apply(state, event)))
        if look and page != _plain(state.snapshot()):
            faults.append("the patches do not fold to the snapshot")

    take(decoder.begin(0, 0.0), False)
    for number, chunk in enumerate(chunks):
        log.append(number / 10, chunk)
        try:
            take(decoder.push(chunk, number, number / 10), number in touched)
        except GemstreamError:
            raised = True
            break
        said += _texts(chunk)
    take(decoder.end(len(chunks) / 10, "error" if raised else None), True)
    step = state.steps[0]
    failure_of(step)
    notice_of(step, content=bool(state.parts))
    _plain(model_turn(state.parts))
    if "".join(p.text for p in state.parts if isinstance(p, TextPart)) != "".join(said) and not raised:
        faults.append("text was lost")
    if any(_differ(chunk.wire, chunks[chunk.number]) for chunk in log):
        faults.append("the log of chunks does not hold what came")
    return faults


def _plain(value: Any) -> Any:
    """As a page gets it: JSON without NaN, in UTF-8. Raises for anything that is not."""
    return json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())


def _texts(chunk: Any) -> Iterator[str]:
    """The texts of the first candidate's parts: a second, simpler account of what was said."""
    candidates = chunk.get("candidates") if isinstance(chunk, dict) else None
    for place, candidate in enumerate(candidates if isinstance(candidates, list) else ()):
        if isinstance(candidate, dict) and candidate.get("index", place) in (0, None):
            content = candidate.get("content")
            parts = content.get("parts") if isinstance(content, dict) else None
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and isinstance(part.get("text"), str):
                    yield clean_text(part["text"])


def _differ(a: Any, b: Any) -> bool:
    """However deep or large they are. In a form of Python's own that tells no strings apart by identity."""
    return a is not b and marshal.dumps(a, 0) != marshal.dumps(b, 0)


def _no_json(value: Any) -> bool:
    """Whether it cannot be written as JSON: too deep, too large a number, or none at all (NaN)."""
    try:
        json.dumps(value, allow_nan=False)
    except (RecursionError, ValueError):
        return True
    return False


# -- never too long ----------------------------------------------------------------------------------------------------


class _TooLong(BaseException):
    """Raised in the main thread in the middle of what takes too long."""


class _Limit:
    """`with limit(): ...` raises _TooLong after `_LIMIT_S`, wherever Python code then is."""

    def __init__(self) -> None:
        self._due = math.inf
        self._lock = threading.Lock()
        self._thread = threading.get_ident()

    @contextmanager
    def __call__(self, seconds: float = _LIMIT_S) -> Iterator[None]:
        self._due = time.monotonic() + seconds
        try:
            yield
        finally:
            with self._lock:
                self._due = math.inf

    def look(self) -> None:
        with self._lock:
            if time.monotonic() > self._due:
                self._due = math.inf
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(_TooLong))


@contextmanager
def _watchdog() -> Iterator[_Limit]:
    limit, over = _Limit(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            limit.look()

    thread = threading.Thread(target=watch, name="watchdog", daemon=True)
    thread.start()
    try:
        yield limit
    finally:
        over.set()
        thread.join()


def _tried(chunks: list[Any], touched: set[int], limit: _Limit, decoder: Decoder | None = None) -> list[str]:
    """`faults_of`, with whatever it raises, and its time, as faults."""
    try:
        with limit():
            return faults_of(chunks, touched, decoder or Decoder())
    except _TooLong:
        return [f"still at it after {_LIMIT_S} s"]
    except Exception as error:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        code = place.tb_frame.f_code if place else None
        return [f"{type(error).__name__}: {str(error)[:200]} (in {code.co_qualname if code else '?'})"]


class _Raising(Decoder):
    def push(self, chunk: Any, number: int, at_s: float) -> list[Any]:
        raise KeyError("on purpose")


class _Looping(Decoder):
    def push(self, chunk: Any, number: int, at_s: float) -> list[Any]:
        while True:
            pass


class _Forgetful(Decoder):
    def push(self, chunk: Any, number: int, at_s: float) -> list[Any]:
        return []


def _control(limit: _Limit) -> Control:
    chunks = [{"candidates": [{"index": 0, "content": {"parts": [{"text": "a"}]}}]}]
    noticed = all(_tried(chunks, {0}, limit, broken()) for broken in (_Raising, _Looping, _Forgetful))
    return Control("decoders that raise KeyError, loop, and forget", noticed and not _tried(chunks, {0}, limit))


# -- three ways --------------------------------------------------------------------------------------------------------

_worse = st.one_of(
    st.floats(allow_nan=True),
    st.integers(),
    st.builds(lambda: 10**5000),
    st.text(st.characters(), max_size=5),
    st.just("\ud83d"),
)
_worse_chunks = st.recursive(
    _worse, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=30
)


def _made_up(setting: Setting, limit: _Limit) -> Row:
    """Chunks from nowhere."""
    failures: list[str] = []
    tried = [0]

    @given(st.lists(st.one_of(odd_chunks, _worse_chunks), max_size=6))
    @settings(
        max_examples=setting.count(1500, 100),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def one(chunks: list[Any]) -> None:
        tried[0] += 1
        failures.extend(_tried(chunks, set(range(len(chunks))), limit))

    one()
    return Row("chunks made up by hypothesis", tried[0], _counted(failures), _control(limit))


def _mutated(setting: Setting, limit: _Limit) -> Row:
    """Every recorded stream, changed in many ways."""
    pick = random.Random(11)
    streams = [path.read_text(encoding="utf-8").splitlines() for path in corpus_streams()]
    each = setting.count(-(-20_000 // len(streams)), 1)
    failures: list[str] = []
    tried = 0
    for lines in streams:
        for _ in range(each):
            chunks, touched = mutate([json.loads(line) for line in lines], pick)
            failures += _tried(chunks, touched, limit)
            tried += 1
    return Row("recorded streams, changed where it hurts", tried, _counted(failures), _control(limit))


def _saved(setting: Setting) -> Row:
    """The same, as whole runs: they end with a typed error or complete, and a saved chat comes back as it was."""
    pick = random.Random(12)
    streams = [path.read_text(encoding="utf-8").splitlines() for path in corpus_streams()]
    failures: list[str] = []
    count = setting.count(2000, 40)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.json"
        for _ in range(count):
            chunks, _ = mutate([json.loads(line) for line in pick.choice(streams)], pick)
            failures += asyncio.run(_save_and_load(chunks, path))
    return Row("the same as runs, saved and loaded", count, _counted(failures), _run_control())


async def _save_and_load(chunks: list[Any], path: Path) -> list[str]:
    try:
        chat = gem.Chat(source=ListSource(chunks))
        run = await asyncio.wait_for(chat.send("go").wait(), _LATEST_S)
        faults = _untyped(run)
        _plain(run.snapshot())
        chat.save(path)
        (loaded,) = gem.load_chat(path).runs
        same = _plain(loaded.snapshot()) | {"id": run.id}
        for part in same["parts"]:
            part["run"] = run.id
        if _no_json(chunks):  # a file holds what can be shown of it
            return faults
        if same != _plain(run.snapshot()):
            faults.append("the saved chat came back different")
        if _plain(loaded.contents()) != _plain(run.contents()):
            faults.append("the saved chat's history came back different")
        return faults
    except Exception as error:
        return [f"{type(error).__name__}: {str(error)[:200]}"]


def _run_control() -> Control:
    """A run that fails with somebody else's error, and one by a fault of our own."""
    foreign = SimpleNamespace(status="failed", error=KeyError("on purpose"))
    broke = SimpleNamespace(status="failed", error=gem.SourceError("on purpose", title="Something broke in the run"))
    return Control("runs that fail with a KeyError, and by our own fault", bool(_untyped(foreign) and _untyped(broke)))


def _untyped(run: gem.Run | SimpleNamespace) -> list[str]:
    """A run that ended neither well nor with one of our errors, or by a fault of our own."""
    if run.status == "completed" and run.error is None:
        return []
    if run.status == "failed" and isinstance(run.error, gem.RunFailed) and "broke" not in run.error.title:
        return []
    return [f"{run.status} with {type(run.error).__name__}: {str(run.error)[:200]}"]


def _over_http(setting: Setting) -> Row:
    """Changed bytes, over each HTTP library."""
    root = corpus_root()
    assert root is not None
    failures: list[str] = []
    times: list[float] = []
    count = setting.count(510, 30)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        streams = sorted(path for kind in ("streams", "minimal", "synthetic") for path in (root / kind).glob("*.jsonl"))
        for number, path in enumerate(streams):
            os.symlink(path, folder / f"s{number}.jsonl")
        server = stack.enter_context(gem.LocalGemini(folder, pace_s=0, speed=math.inf, keep=5, check_history=False))
        wire = stack.enter_context(Wire(server))
        for transport in TRANSPORTS:
            asyncio.run(_bent(wire, transport, len(streams), count // len(TRANSPORTS), failures, times))
        control = asyncio.run(_silence_is_noticed(wire))
    return Row("changed bytes over HTTP: typed error or complete, in time", count, _counted(failures), control, times)


async def _bent(wire: Wire, transport: str, streams: int, count: int, failures: list[str], times: list[float]) -> None:
    # Where the SDK raises in mid-stream it leaves its response open; closing the loop then logs a complaint.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    pick = random.Random(f"bytes {transport}")
    async with client_of(wire, transport) as client:
        for _ in range(count):
            wire.plans[:] = [_bend(pick)]
            run = gem.Chat(client=client, model=f"s{pick.randrange(streams)}", retries=0).send("go")
            began = time.perf_counter()
            failures += await _ends_typed(run)
            times.append(1000 * (time.perf_counter() - began))


def _bend(pick: random.Random) -> Plan:
    seed = pick.random()

    def plan(data: bytes) -> Sent:
        own = random.Random(seed)
        answer = Answer(data)
        if own.random() < 0.15 and b" 200 " in data[:20]:  # HTTP itself, its chunks and headers
            return Sent(bend_bytes(data, own))
        return Sent(answer.with_body(bend_bytes(answer.body, own)))

    return plan


async def _ends_typed(run: gem.Run, latest_s: float = _LATEST_S) -> list[str]:
    await asyncio.wait({ending := asyncio.ensure_future(run.wait())}, timeout=latest_s)
    if not ending.done():
        run.stop()
        await ending
        return [f"still going after {latest_s} s"]
    _plain(run.snapshot())
    return _untyped(run)


async def _silence_is_noticed(wire: Wire) -> Control:
    async with client_of(wire, "httpx2") as client:
        faults = await _ends_typed(gem.Chat(client=client, model="demo").send("@say a\n@stall"), 0.3)
    return Control("an answer that never ends", bool(faults))


def _counted(failures: list[str]) -> list[str]:
    return [f"{times} x {what}" for what, times in Counter(failures).most_common()]
