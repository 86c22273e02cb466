"""A planted key is found nowhere: not on the page, not in files, notebooks, logs, errors, tracebacks or reprs.

Keys of several shapes are planted as the environment's and as a client's, and a server that says whatever key it was
sent, in every way a server could, tells it back.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import logging
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import comm
import httpx2
import nbformat
from comm.base_comm import BaseComm
from IPython.core.ultratb import VerboseTB
from nbclient import NotebookClient

import gemstream_widget as gem
from benchmarks.setting import ROOT, Setting
from gemstream_widget._engine.gemini import connect

from .finder import Finder
from .report import Control, Found, Row
from .wire import Answer, Plan, Sent, Wire

__all__ = ["measure"]

_KEYS = {
    "a key of Google's shape": "AIzaSyPLANTED0123456789abcdefghijklmno-",
    "a key of the new shape": "AQ.Ab8RN6PLANTED_0123456789-abcdefghijklmnopq",
    "a key with letters of addresses": "planted/k+y=?&#%25~$:'s\"ecret@end",
}

_MODEL = "gemini-3.8-flash"  # "demo" would take its own client in place of the environment's


def measure(setting: Setting) -> Found:
    """Each key in each place it may be planted, looked for in everything that is shown, saved, logged or printed."""
    finder = Finder(_KEYS)
    rows = _Rows(finder)
    with _everything_logged() as logged, gem.LocalGemini(speed=math.inf) as server, Wire(server) as wire:
        for name, key in _KEYS.items():
            for planted in ("in the environment", "in the client"):
                with _planted(wire, key if planted == "in the environment" else None):
                    about = f"{name}, {planted}"
                    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
                        asyncio.run(_all(wire, key, planted, about, rows))
                    rows.look("printed", about, out.getvalue())
        rows.look("server", "the local Gemini's records", [vars(r) for r in server.requests], repr(server))
    rows.look("logged", "every logger at DEBUG", "\n".join(logged))
    rows.look("server", "the local Gemini's output", _output_of_the_server())
    rows.look("notebook", "a notebook run by nbclient", _notebook())
    return Found(rows.done(finder, len(logged)))


_PLACES = {
    "page": "the card: traits, state, messages",
    "file": "saved chats",
    "run": "a run: snapshot, contents, parts, events",
    "error": "error texts, and what errors carry",
    "traceback": "tracebacks, and IPython's with locals",
    "repr": "reprs of every object",
    "tools": "what tools print and return, and policies say",
    "logged": "logs of every logger at DEBUG",
    "printed": "what is printed",
    "server": "the local server's records and output",
    "notebook": "a notebook run by nbclient, with its widgets' state",
}


class _Rows:
    """What was looked at, by place."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._failures: dict[str, list[str]] = {place: [] for place in _PLACES}
        self._count = dict.fromkeys(_PLACES, 0)
        self._place = ""

    def look(self, place: str, about: str, *what: Any) -> None:
        self._count[self._place or place] += 1
        self._failures[place] += [f"{about}, {place}: found {form}" for form in self._finder.found_in(*what)]

    def as_one(self, place: str) -> _Rows:
        """The same rows, where all that is looked at counts for one place."""
        rows = _Rows(self._finder)
        rows._failures = dict.fromkeys(_PLACES, self._failures[place])
        rows._count = self._count
        rows._place = place
        return rows

    def done(self, finder: Finder, logged: int) -> list[Row]:
        control = Control("keys written on purpose, in every form", _control(finder) and logged > 0)
        return [
            Row(f"no key in {words}", self._count[place], self._failures[place], control)
            for place, words in _PLACES.items()
        ]


# -- planting ----------------------------------------------------------------------------------------------------------


@contextmanager
def _planted(wire: Wire, key: str | None) -> Iterator[None]:
    """The environment with this key and the wire's address, or with neither."""
    names = ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL")
    with patch.dict(os.environ):
        for name in names:
            os.environ.pop(name, None)
        if key is not None:
            os.environ["GEMINI_API_KEY"] = key
            os.environ["GOOGLE_GEMINI_BASE_URL"] = wire.url
        yield


class _PageComm(BaseComm):
    """Keeps everything a page would be sent."""

    sent: list[Any] = []

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        _PageComm.sent.append((msg_type, data, metadata, [bytes(b) for b in buffers or ()]))


@contextmanager
def _everything_logged() -> Iterator[list[str]]:
    """All loggers there are and will be, at DEBUG, as a user's handler would print them."""
    told: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith("httpcore") and "response_headers" in record.getMessage():
                return  # the HTTP library's own account, at DEBUG, of what a server answered
            told.append(f"{self.format(record)} {record.args!r}")

    handler = Keeping()
    root = logging.getLogger()
    before = {logger: logger.level for logger in (root, *_loggers())}
    root.addHandler(handler)
    for logger in before:
        logger.setLevel(logging.DEBUG)
    try:
        yield told
    finally:
        root.removeHandler(handler)
        for logger, level in before.items():
            logger.setLevel(level)


def _loggers() -> list[logging.Logger]:
    return [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]


# -- servers that tell the key back ------------------------------------------------------------------------------------


def _refusing(words: Callable[[str], str], status: str = "400 Bad Request", body: str = "json") -> Plan:
    """An HTTP error whose message holds what `words` makes of the key that was sent."""

    def plan(data: bytes, key: str) -> Sent:
        said = words(key)
        text = said if body == "html" else json.dumps(_error(said))
        kind = "text/html" if body == "html" else "application/json"
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nx-echo: {quote(said)}\r\n\r\n"
        return Sent(head.encode() + text.encode())

    return _with_key(plan)


def _error(said: str) -> Any:
    info = "type.googleapis.com/google.rpc."
    details: list[Any] = [{"@type": f"{info}ErrorInfo", "metadata": {"consumer": said, said: "x"}}]
    details.append({"@type": f"{info}RetryInfo", "retryDelay": "0s"})
    return {"error": {"code": 400, "message": said, "status": f"INVALID_{said}", "details": details}}


def _mid_stream(frame: Callable[[str], bytes]) -> Plan:
    """Something with the key after the first frame of a good answer."""

    def plan(data: bytes, key: str) -> Sent:
        answer = Answer(data)
        start, end = answer.frames[0]
        return Sent(answer.with_body(data[start:end] + frame(key)))

    return _with_key(plan)


def _with_key(plan: Callable[[bytes, str], Sent]) -> Plan:
    def with_key(data: bytes) -> Sent:
        return plan(data, with_key.wire.last_key)  # type: ignore[attr-defined]

    return with_key


_ECHOES: dict[str, Plan] = {
    "the key in words": _refusing(lambda key: f"API key not valid: {key}. Pass a valid one."),
    "an address with the key": _refusing(
        lambda key: f"POST https://host/v1/m?key={quote(key, safe='')}&alt=sse failed"
    ),
    "headers as JSON": _refusing(lambda key: json.dumps({"x-goog-api-key": key}), "403 Forbidden"),
    "overloaded, and tried again": _refusing(lambda key: f"{key} is too much", "503 Service Unavailable"),
    "a proxy's page with the key": _refusing(lambda key: f"<p>{key}</p>", "407 Proxy Authentication Required", "html"),
    "an error in the middle": _mid_stream(lambda key: b"data: " + json.dumps(_error(key)).encode() + b"\r\n\r\n"),
    "a raw error in the middle": _mid_stream(lambda key: json.dumps(_error(key)).encode()),
    "a frame that is no JSON": _mid_stream(lambda key: f"data: {{{key}\r\n\r\n".encode()),
    "a line that is no frame": _mid_stream(lambda key: f"x-goog-api-key: {key}\r\n\r\n".encode()),
}


# -- everything that is shown ------------------------------------------------------------------------------------------


async def _all(wire: Wire, key: str, planted: str, about: str, rows: _Rows) -> None:
    before = comm.create_comm
    comm.create_comm = _PageComm
    try:
        await _runs(wire, key, planted, about, rows)
    finally:
        comm.create_comm = before


def leak() -> str:
    """Fail with the key in the message."""
    raise RuntimeError(f"cannot connect with {_current[0]}")


def tell() -> str:
    """Fail on an address that holds the key."""
    raise RuntimeError(f"GET https://host/x?key={quote(_current[0], safe='')} failed")


def show() -> None:
    """Print the key."""
    print(f"connecting with {_current[0]} ...")


def give() -> dict[str, str]:
    """Return the key."""
    return {"connected": "yes", "key": _current[0]}


def _policy(call: gem.ToolCall) -> Any:
    raise ValueError(f"cannot ask https://host/?key={quote(_current[0], safe='')}")


_current: list[str] = []  # not in a local of any frame that a traceback shows


async def _runs(wire: Wire, key: str, planted: str, about: str, rows: _Rows) -> None:
    _current[:] = [key]
    client = connect(base_url=wire.url, api_key=key) if planted == "in the client" else None
    good = {
        "an answer": "@think hm\n@say hello",
        "tools that fail": "@call leak {}\n@+call tell {}\n@then\n@say so",
        "a refusal": "@fail 429",
        "a stop": "@stall",
    }
    for name, prompt in good.items():
        await _one(_chat(client, tools=[leak, tell]), prompt, f"{about}, {name}", rows)
    telling = {"a tool prints it": "@call show {}", "a tool returns it": "@call give {}"}
    for name, prompt in telling.items():
        await _one(
            _chat(client, tools=[show, give]), f"{prompt}\n@then\n@say so", f"{about}, {name}", rows.as_one("tools")
        )
    asking = _chat(client, tools=[show], approve=_policy, approval_timeout_s=0.01)
    await _one(asking, "@call show {}\n@then\n@say so", f"{about}, a policy fails", rows.as_one("tools"))
    for name, plan in _ECHOES.items():
        plan.wire = wire  # type: ignore[attr-defined]
        wire.plans[:] = [plan, plan]
        await _one(_chat(client, retries=1), "@say hello", f"{about}, {name}", rows)
        wire.plans.clear()
    address = f"http://127.0.0.1:{_free_port()}/?key={quote(key, safe='')}"
    nowhere = connect(base_url=address, api_key=key, async_client_args={"transport": httpx2.AsyncHTTPTransport()})
    await _one(_chat(nowhere), "hi", f"{about}, nobody listens", rows)
    odd = connect(base_url="no-such-scheme://host", api_key=key)
    await _one(_chat(odd), "hi", f"{about}, no such address", rows)
    try:
        _chat(client, config={"temperature": key})
    except gem.InvalidOption as error:
        rows.look("run", f"{about}, config", str(error), repr(error))


def _chat(client: Any, **options: Any) -> gem.Chat:
    """The one place where the chats of this module are made."""
    return gem.Chat(client=client, model=_MODEL, **{"retries": 0} | options)


async def _one(chat: gem.Chat, prompt: str, about: str, rows: _Rows) -> None:
    """One run with a card, and all that can be seen of it."""
    _PageComm.sent.clear()
    run = chat.send(prompt)
    card = gem.Card([run])
    events = []
    async for event in run:
        events.append(event)
        if prompt == "@stall":
            run.stop()
    await run.wait()
    rows.look("page", about, _PageComm.sent, card.get_state(), json.dumps(card.get_state(), default=str))
    card.close()
    rows.look("run", about, run.snapshot(), run.contents(), run.parts, events, run.text)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.json"
        chat.save(path)
        rows.look("file", about, path.read_bytes())  # of the bytes that came, which a run itself holds as they came
        run.save(path)
        rows.look("file", about, path.read_bytes())
    objects: list[Any] = [
        chat,
        card,
        chat._source,
        run,
        run.error,
        run.receipt,
        run.usage,
        run.timing,
        run.chunks,
        *run.parts,
    ]
    objects += [*run.tool_calls, *events, chat.tools, *chat.tools.ours.values(), *run.decisions]
    rows.look("repr", about, *(repr(thing) for thing in objects), *(str(thing) for thing in objects))
    if run.error is not None:
        error = run.error
        rows.look("error", about, str(error), repr(error), error.args, _carried(error), error.to_json())
    if run.error is not None or run.status == "cancelled":
        rows.look("traceback", about, *await _tracebacks(run))


def _carried(error: BaseException) -> dict[str, Any]:
    return {name: value for name, value in vars(error).items() if name != "run"}


async def _tracebacks(run: gem.Run) -> list[str]:
    """As Python prints it, and as IPython does in its most talkative mode."""
    try:
        await run
    except gem.GemstreamError as error:
        shown = "".join(traceback.format_exception(error))
        verbose = VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)
        return [shown, verbose]
    return []


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


# -- other processes ---------------------------------------------------------------------------------------------------


def _output_of_the_server() -> bytes:
    """All that `python -m gemstream_widget.server` prints while it is asked with keys, well and badly."""
    command = [sys.executable, "-m", "gemstream_widget.server"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_quiet_env())
    assert process.stdout is not None
    head = process.stdout.readline()
    found = re.search(rb"http://127\.0\.0\.1:(\d+)", head)
    assert found, head
    for key in _KEYS.values():
        for request in _requests(key):
            with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as raw:
                raw.sendall(request)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    while raw.recv(65536):
                        pass
    process.terminate()
    return head + process.communicate(timeout=10)[0]


def _requests(key: str) -> Iterator[bytes]:
    """Requests with the key in the header and in the address, some of which no server expects."""
    bodies = ['{"contents":[{"parts":[{"text":"@say hi"}]}]}', "{", "[]", '{"contents":{"parts":[]}}', '{"contents":7}']
    address = f"/v1/models/demo:streamGenerateContent?alt=sse&key={quote(key, safe='')}"
    for body in bodies:
        for path in (address, f"/nothing?key={quote(key, safe='')}", "/v1/models/demo:streamGenerateContent?alt=sse"):
            head = f"POST {path} HTTP/1.1\r\nHost: h\r\nx-goog-api-key: {key}\r\nConnection: close\r\n"
            yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
    yield f"POST {address} HTTP/1.1\r\nx-goog-api-key {key}\r\nno header at all\r\n\r\n".encode()
    yield f"GET {address} HTTP/9.9\r\nHost: h\r\nContent-Length: x\r\n\r\n".encode()


def _quiet_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "GEMINI_"))} | {
        "PYTHONPATH": str(ROOT)
    }


_CELLS = [
    "import os\nimport gemstream_widget as gem\nserver = gem.LocalGemini(speed=1000).start()\n"
    "os.environ['GOOGLE_GEMINI_BASE_URL'] = server.url",
    "await gem.ask('@think hm\\n@say hello', model='demo', client=server.client(api_key=os.environ['PLANTED']))",
    "chat = gem.Chat(model='demo', client=server.client(api_key=os.environ['PLANTED']))\nrun = chat.send('@say hi')\n"
    "run",
    "await run\nchat, chat.runs, run.parts, run.snapshot(), server, server.requests",
    "await gem.ask('@fail 403', model='gemini-3.8-flash')",
    "def leak():\n    '''Fail.'''\n    raise RuntimeError(os.environ['GEMINI_API_KEY'])\n"
    "await gem.ask('@call leak {}\\n@then\\n@say so', tools=[leak])",
    "run = gem.ask('@stall')\nrun.stop()\nawait run.wait()",
]


def _notebook() -> str:
    """The text of a notebook whose kernel has keys in its environment, as nbclient runs it: widgets' state included."""
    google, _, odd = _KEYS.values()
    cells = [nbformat.v4.new_code_cell(cell) for cell in _CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    env = _quiet_env() | {"GEMINI_API_KEY": google, "PLANTED": odd}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": folder}}, store_widget_state=True
        )
        client.execute(env=env)
    text: str = nbformat.writes(notebook)
    assert "application/vnd.jupyter.widget-state+json" in text, "the widgets' state was not saved"
    return text


# -- broken on purpose -------------------------------------------------------------------------------------------------


def _control(finder: Finder) -> bool:
    """Every key, in a trait, a log, a file and bytes, in every form, is found; and nothing where there is none."""
    for name, key in _KEYS.items():
        with _everything_logged() as logged:
            logging.getLogger("planted.on.purpose").debug("a key: %s", key)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file.json"
            path.write_text(json.dumps({"prompt": f"my key is {key}."}), encoding="utf-8")
            planted = [
                logged, path.read_bytes(), {"state": {"snapshot": [{"text": key}]}}, quote(key, safe=""),
                [key.encode()], _base64(f"x{key}"), _base64(f"xy {key} z"), json.dumps(key), repr(RuntimeError(key)),
            ]  # fmt: skip
        if not all(any(found.startswith(name) for found in finder.found_in(place)) for place in planted):
            return False
    return not finder.found_in("AIza is how they begin", b"planted", {"key": "[key]"})


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
