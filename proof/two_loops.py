"""python -m proof.two_loops [RUNS]

One client on several event loops, with the google-genai that is installed: after one `asyncio.run` another, on two
threads at once, and `runner="thread"` beside a loop. Ours, and one as users make it. Prints JSON: for each client and
way what became of the runs, by how often. Needs nothing but the package.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import typing
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gemstream_widget as gem

__all__ = ["CLIENTS", "CONTROL", "WAYS", "tried"]

_LIMIT_S = 5.0
Ask = Callable[[int, Counter[str]], Any]


def ours(server: gem.LocalGemini) -> Any:
    return server.client()


def users_own(server: gem.LocalGemini) -> Any:
    from google import genai
    from google.genai import types

    return genai.Client(api_key="local", http_options=types.HttpOptions(base_url=server.url))


def one_pool(server: gem.LocalGemini) -> Any:
    """Which is what a transport of a user's own makes of it."""
    from google import genai
    from google.genai import types

    accepted = typing.get_args(types.HttpxAsyncClient) or (types.HttpxAsyncClient,)
    http = import_module(accepted[-1].__module__.split(".")[0])
    options = types.HttpOptions(base_url=server.url, async_client_args={"transport": http.AsyncHTTPTransport()})
    return genai.Client(api_key="local", http_options=options)


async def ask(client: Any, number: int, seen: Counter[str], runner: str = "loop") -> None:
    """One run, and in `seen` how it ended: "whole", "hung" or the error's title."""
    words = [f"{number}-{n} " for n in range(4)]
    run = gem.Chat(client=client, retries=0, runner=runner).send(f"@every 0.002\n@chunks 4 {''.join(words)}")
    try:
        await asyncio.wait_for(run.wait(), _LIMIT_S)
    except TimeoutError:
        run.stop()
        seen["hung"] += 1
        return
    whole = run.status == "completed" and run.text.split() == "".join(words).split()
    seen["whole" if whole else getattr(run.error, "title", f"{run.status} {run.text!r}")] += 1


def one_after_another(client: Any, runs: int, seen: Counter[str]) -> None:
    async def some(first: int) -> None:
        for number in range(first, min(first + 3, runs)):
            await ask(client, number, seen)

    for first in range(0, runs, 3):
        asyncio.run(some(first))


def at_once(client: Any, runs: int, seen: Counter[str]) -> None:
    mine: list[Counter[str]] = [Counter(), Counter()]

    async def half(which: int) -> None:
        for number in range(which, runs, 2):
            await ask(client, number, mine[which])

    threads = [threading.Thread(target=lambda n=n: asyncio.run(half(n))) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for part in mine:
        seen.update(part)


def beside_a_thread(client: Any, runs: int, seen: Counter[str]) -> None:
    async def both() -> None:
        for number in range(0, runs, 2):
            await asyncio.gather(ask(client, number, seen), ask(client, number + 1, seen, "thread"))

    asyncio.run(both())


CLIENTS: dict[str, Callable[[gem.LocalGemini], Any]] = {"ours": ours, "a user's own": users_own}
CONTROL = {"one pool for all": one_pool}
WAYS: dict[str, Callable[[Any, int, Counter[str]], None]] = {
    "one asyncio.run after another": one_after_another,
    "two loops at once": at_once,
    'runner="thread" beside a loop': beside_a_thread,
}


def tried(runs: int) -> dict[str, dict[str, Counter[str]]]:
    """What became of so many runs, for each client and way."""
    seen: dict[str, dict[str, Counter[str]]] = {}
    with gem.LocalGemini() as server:
        for name, make in {**CLIENTS, **CONTROL}.items():
            seen[name] = {}
            for way, go in WAYS.items():
                go(make(server), runs, counted := Counter[str]())
                seen[name][way] = counted
    return seen


if __name__ == "__main__":
    print(json.dumps(tried(int(sys.argv[1]) if len(sys.argv) > 1 else 60), indent=1))
