"""What stands around the process: proxies, certificates, descriptors. The local Gemini asks none of them, and for
Gemini they count from request to request.

Nobody on the internet is asked: the proxy connects every address to a local Gemini behind TLS, whose certificate is for
Gemini's name.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gemstream_widget as gem
from benchmarks.setting import Setting
from tests.network import TRUST, VARIABLES, Authority, Relay, dead_port
from tests.test_server_direct import WAYS
from tests.test_server_listener import PROGRAM

from .finder import Finder
from .report import Control, Found, Row

__all__ = ["measure"]

_GEMINI = "generativelanguage.googleapis.com"
_PASSWORD = "proxy-pass-planted"
_MODEL = "gemini-3.8-flash"


def measure(setting: Setting) -> Found:
    """The local Gemini's clients and a chat with Gemini, in one environment after the other."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(gem.LocalGemini(speed=1000))
        authority = Authority(place, _GEMINI)
        port = int(server.url.rpartition(":")[2])
        behind = stack.enter_context(Relay(port, context=authority.context))
        around = _Around(
            authority,
            living=stack.enter_context(Relay(behind.port, proxy=True)),
            refusing=stack.enter_context(Relay(proxy=True, answer=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")),
            dead=stack.enter_context(dead_port()),
            place=place,
        )
        rows = [
            _direct(server, around, setting.count(20, 1)),
            *_followed(around, setting.count(120, 12)),
            _descriptors(setting.count(5, 1)),
        ]
    return Found(rows)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """This and a key, and nothing else of proxies and certificates."""
    names = {*VARIABLES, *TRUST, "SSLKEYLOGFILE"}
    others = {name: value for name, value in os.environ.items() if name.upper() not in names}
    with patch.dict(os.environ, {**others, "GEMINI_API_KEY": "a-key-of-nobody-0123456789", **values}, clear=True):
        yield


# -- the local Gemini --------------------------------------------------------------------------------------------------


def _direct(server: gem.LocalGemini, around: _Around, rounds: int) -> Row:
    """Every way to ask, with every proxy that may be named."""
    failures, n = [], 0
    proxies = (f"http://{around.living.address}", f"http://127.0.0.1:{around.dead}", "socks5://127.0.0.1:9", "http://[")
    before = len(around.living.asked)
    for proxy, _ in itertools.product(proxies, range(rounds)):
        named = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "all_proxy"), proxy)
        with _environment({**named, **dict.fromkeys(TRUST, "/nonexistent/certificates.pem")}):
            client = server.client()
            for ask in WAYS:
                n += 1
                try:
                    if ask(client) != "hi":
                        failures.append(f"{ask.__name__} by {proxy}: another answer")
                except Exception as error:
                    failures.append(f"{ask.__name__} by {proxy}: {type(error).__name__}: {error}")
    failures += [f"the proxy was asked: {head[:60]!r}" for head in around.living.asked[before:]]
    with Relay(int(server.url.rpartition(":")[2]), proxy=True) as proxy:
        with _environment({"HTTP_PROXY": f"http://{proxy.address}"}):
            from google import genai

            plain = genai.Client(api_key="local", http_options={"base_url": server.url})
            seen = WAYS[0](plain) == "hi" and b"POST" in b"".join(proxy.asked)
        control = Control("a client that is not the server's own", seen)
    return Row("environment: what is asked of the local Gemini passes no proxy and needs no certificate", n, failures,
               control)  # fmt: skip


# -- Gemini ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Around:
    """What an environment can name."""

    authority: Authority
    living: Relay
    refusing: Relay
    dead: int
    place: Path

    def cases(self) -> dict[str, tuple[dict[str, str], str | None]]:
        """Environments by name, and the variable that is at fault in each; None where Gemini answers."""
        living, trusted = f"http://me:{_PASSWORD}@{self.living.address}", str(self.authority.file)
        unread = self.place / "nothing.pem"
        unread.write_text("no certificate")
        dead, refusing = f"127.0.0.1:{self.dead}", self.refusing.address
        return {
            "all is well": ({"HTTPS_PROXY": living, "SSL_CERT_FILE": trusted}, None),
            "in small letters, a folder": ({"https_proxy": living, "SSL_CERT_DIR": str(self.authority.folder)}, None),
            "nobody trusted": ({"HTTPS_PROXY": living}, "SSL_CERT_FILE"),
            "no certificate in the file": ({"HTTPS_PROXY": living, "SSL_CERT_FILE": str(unread)}, "SSL_CERT_FILE"),
            "no such file": ({"HTTPS_PROXY": living, "SSL_CERT_FILE": f"{unread}.gone"}, "SSL_CERT_FILE"),
            "nobody there": ({"ALL_PROXY": f"http://me:{_PASSWORD}@{dead}", "SSL_CERT_FILE": trusted}, "ALL_PROXY"),
            "refused": ({"HTTPS_PROXY": f"http://me:{_PASSWORD}@{refusing}"}, "HTTPS_PROXY"),
            "unreadable": ({"HTTPS_PROXY": f"http://me:{_PASSWORD}/@{dead}", "SSL_CERT_FILE": trusted}, "HTTPS_PROXY"),
            "by TLS": ({"HTTPS_PROXY": living.replace("http:", "https:")}, "HTTPS_PROXY"),
        }


def _followed(around: _Around, n: int) -> list[Row]:
    return asyncio.run(_follow(around, n))


async def _follow(around: _Around, n: int) -> list[Row]:
    pick, cases = random.Random("environment"), around.cases()
    order = [*cases, *pick.choices([*cases], k=max(0, n - len(cases)))]
    chat = gem.Chat(model=_MODEL)
    wrong: list[str] = []
    told: list[str] = []
    finder = Finder({"the proxy's password": _PASSWORD})
    for name in order:
        environment, variable = cases[name]
        with _environment(environment):
            run = await chat.send("@say hi").wait()
            run.save(around.place / "run.jsonl")
            wrong += [f"{name}: {fault}" for fault in _unlike(run, variable)]
            file = await asyncio.to_thread((around.place / "run.jsonl").read_bytes)
            told += [f"{name}: {found}" for found in finder.found_in(str(run.error), run.snapshot(), file)]
    frozen = Control("a client that keeps what it was made with", await _is_frozen_noticed(cases))
    planted = Control("the password in a text", bool(finder.found_in(f"by http://me:{_PASSWORD}@h")))
    return [
        Row("environment: a chat follows proxies and certificates; who is at fault is named, and tried once",
            len(order), wrong, frozen),
        Row("environment: a proxy's password is in no error, state or file", len(order), told, planted),
    ]  # fmt: skip


def _unlike(run: gem.Run, variable: str | None) -> Iterator[str]:
    if variable is None:
        if run.text != "hi":
            yield f"{run.status}: {run.error}"
    elif not isinstance(run.error, gem.EnvironmentFault) or run.error.variable != variable or run.retries:
        yield f"not the fault of {variable}, tried {len(run.retries) + 1} times: {run.error}"


async def _is_frozen_noticed(cases: dict[str, tuple[dict[str, str], str | None]]) -> bool:
    """A client that the SDK gives its own HTTP library, used where all is well and then where nobody is there."""
    from google import genai
    from google.genai import _api_client

    with _environment(cases["all is well"][0]), patch.object(_api_client, "has_aiohttp", False):
        client: Any = genai.Client()
        chat = gem.Chat(model=_MODEL, client=client, retries=0)
        await chat.send("@say hi").wait()
    environment, variable = cases["nobody there"]
    with _environment(environment), patch.object(_api_client, "has_aiohttp", False):
        run = await chat.send("@say hi").wait()
    await client.aio.aclose()
    return bool([*_unlike(run, variable)])


# -- descriptors -------------------------------------------------------------------------------------------------------


def _descriptors(times: int) -> Row:
    failures = [fault for _ in range(times) for fault in _storm(PROGRAM)]
    plain = PROGRAM.replace("local.Listener = Rested", "local.Listener = lambda bound: bound")
    control = Control("a listener that fails each time", any("lines" in fault for fault in _storm(plain)))
    what = "environment: without descriptors the local Gemini says so in one line, and serves again"
    return Row(what, times, failures, control)


def _storm(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return [f"exit {done.returncode}: {done.stderr[-300:]}"]
    first, full, demo, *after = found["told"]
    faults = [] if len(found["lines"]) == 1 else [f"{len(found['lines'])} lines in the log"]
    faults += [] if {first, *after} == {"hi"} else [f"answers: {found['told']}"]
    return faults + [error for error in (full, demo) if not error.startswith("ConnectionFailed: Too many files")]
