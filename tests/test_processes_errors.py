"""Errors that travel: to another process and back, by copy, and none that is forgotten."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.source import ListSource

from .wire import chunk, text

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def kinds() -> list[type[BaseException]]:
    """Every exception class of the package, wherever it is written."""
    for module in pkgutil.walk_packages(gem.__path__, f"{gem.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = [kind for kind in below(BaseException) if kind.__module__.split(".")[0] == gem.__name__]
    return sorted(set(found), key=lambda kind: (kind.__module__, kind.__name__))


def below(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


VALUES: dict[str, Any] = {
    "code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"a": {"b": 1}}], "reason": "SAFETY", "message": "no",
    "finish_reason": "SAFETY", "waited_s": 10.0, "machine": "run", "state": "pending", "event": "chunk", "line": 3,
    "problem": "none", "ending": "close",
}  # fmt: skip
"""What the classes ask for, by the names of their parameters, where that is no text."""


@pytest.fixture(scope="module")
def run() -> gem.Run:
    source = ListSource([chunk(text("hi"), finish="STOP")])
    return gem.Chat(source=source, runner="thread").send("hi").result(20)


def made(kind: type[BaseException], run: gem.Run) -> BaseException:
    """One of the class as it is raised: with a run, notes, and a cause that cannot travel."""
    if inspect.isfunction(kind.__init__):
        wanted = [p.name for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
        error = kind(**{name: run if name == "run" else VALUES.get(name, "a text") for name in wanted})
    else:
        error = kind("what happened")
    error.add_note("a note")
    error.__cause__ = Unportable(1)
    if hasattr(error, "run"):
        error.run = run
    if hasattr(error, "hint"):
        error.hint = "a hint of this one's own"
    return error


class Unportable(Exception):
    def __init__(self, one: int, two: int = 0) -> None:
        super().__init__(one, two, (lambda: None))


def held(error: BaseException) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if name != "run"} | {"args": error.args}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_an_error_arrives_as_it_was(kind: type[BaseException], run: gem.Run) -> None:
    error = made(kind, run)
    for protocol in PROTOCOLS:
        again = pickle.loads(pickle.dumps(error, protocol))
        assert (type(again), str(again), held(again)) == (kind, str(error), held(error))
        assert getattr(again, "run", None) is None
    shallow, deep = copy.copy(error), copy.deepcopy(error)
    for again in (shallow, deep):
        assert (type(again), str(again), held(again)) == (kind, str(error), held(error))
        assert getattr(again, "run", run) is run  # it is the same process
    assert shallow.__notes__ is error.__notes__
    assert deep.__notes__ is not error.__notes__


def test_the_walk_finds_them_all() -> None:
    named = {kind.__name__ for kind in kinds()}
    assert {*gem._ERRORS, "Refusal", "ScriptError", "CutOff", "Unsendable", "TokenLimitReached"} <= named


def test_one_of_a_users_own_that_python_cannot_rebuild_is_the_control() -> None:
    class Careless(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} {two}")

    globals()["Careless"] = Careless
    Careless.__qualname__ = "Careless"
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Careless(1, 2)))


WORKERS = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
import gemstream_widget as gem


def fails(kind):
    if kind == "api":
        raise gem.ApiError(429, "RESOURCE_EXHAUSTED", "slow down", [{"a": 1}])
    if kind == "blocked":
        raise gem.PromptBlocked("SAFETY", "no")
    asked = gem.Chat(model="demo", runner="thread", retries=0).send("@say of the worker").result(20)
    assert asked.text == "of the worker"
    gem.Chat(model="demo", runner="thread", retries=0).send("@fail 503").result(20)


def told(error):
    seen = type(error).__name__, getattr(error, "code", None), getattr(error, "reason", None), error.run
    print(*seen, "from the other process:" if error.__cause__ else "as it is:", error, flush=True)


if __name__ == "__main__":
    way = sys.argv[1]
    gem.Chat(model="demo", runner="thread").send("@say of the parent").result(20)
    for kind in ("api", "blocked", "run"):
        try:
            if way == "joblib":
                import joblib
                joblib.Parallel(n_jobs=2)(joblib.delayed(fails)(one) for one in [kind])
            elif way == "executor":
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                    pool.submit(fails, kind).result(20)
            else:
                with multiprocessing.get_context(way).Pool(1) as pool:
                    pool.map_async(fails, [kind]).get(20)
        except gem.RunFailed as error:
            told(error)
"""


@pytest.mark.timeout(100)
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "executor", "joblib"])
def test_an_error_of_a_worker_is_raised_where_it_is_waited_for(way: str, tmp_path: Any) -> None:
    if way == "joblib":
        pytest.importorskip("joblib", reason="joblib is not installed")
    elif way in ("fork", "forkserver") and sys.platform == "win32":
        pytest.skip("nothing forks here")
    (tmp_path / "workers.py").write_text(WORKERS)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "workers.py", way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=80, check=False, cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["ApiError", "429", "None", "None"],
        ["PromptBlocked", "None", "SAFETY", "None"],
        ["ApiError", "503", "None", "None"],
    ], done.stderr
    assert all("from the other process: " in line for line in lines), lines
