"""What is asked of the local Gemini stays on this machine: no proxy of the environment sees it.

Each test has its control in `test_a_client_of_the_users_own_does_ask_the_proxy`: the same request, in the same
environment, reaches the proxy when the client is a plain one.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gemstream_widget._engine.gemini import connect
from gemstream_widget.server import LocalGemini

from .local import eventually

SECRET = "the prompt that must not leave"
LIBRARIES = ["aiohttp", "httpx2", "httpx"]


class Proxy:
    """An HTTP proxy on 127.0.0.1 that writes down what it is asked, and refuses."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """(address, body) of each request."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def refuse(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.asked.append((self.path, body.decode()))
                self.send_error(502)

            do_GET = do_POST = do_CONNECT = refuse

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def surroundings(proxy: str) -> dict[str, str]:
    """An environment in which everything goes by this proxy, 127.0.0.1 too."""
    names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    return {**dict.fromkeys(names, proxy), "NO_PROXY": "example.com", "no_proxy": "example.com"}


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy()
    for name, value in surroundings(proxy.url).items():
        monkeypatch.setenv(name, value)
    yield proxy
    proxy.close()


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The HTTP library that the SDK takes for async requests when it is left to choose."""
    name: str = request.param
    if name != "aiohttp":
        from google.genai import _api_client

        monkeypatch.setattr(_api_client, "has_aiohttp", False)
        monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", name)
    return name


@pytest.fixture(scope="module")
def server() -> Iterator[LocalGemini]:
    with LocalGemini(speed=1000) as server:
        yield server


def ask_now(client: Any) -> str | None:
    text: str | None = client.models.generate_content(model="demo", contents=f"@say hi\n{SECRET}").text
    return text


def ask_in_a_stream(client: Any) -> str | None:
    chunks = client.models.generate_content_stream(model="demo", contents=f"@say hi\n{SECRET}")
    return "".join(chunk.text or "" for chunk in chunks)


def ask_async(client: Any) -> str | None:
    async def main() -> str | None:
        answer = await client.aio.models.generate_content(model="demo", contents=f"@say hi\n{SECRET}")
        text: str | None = answer.text
        return text

    return asyncio.run(main())


def ask_async_in_a_stream(client: Any) -> str | None:
    async def main() -> str | None:
        chunks = await client.aio.models.generate_content_stream(model="demo", contents=f"@say hi\n{SECRET}")
        return "".join([chunk.text or "" async for chunk in chunks])

    return asyncio.run(main())


WAYS = [ask_now, ask_in_a_stream, ask_async, ask_async_in_a_stream]


@pytest.mark.parametrize("ask", WAYS)
def test_a_client_of_the_servers_asks_no_proxy(
    server: LocalGemini, library: str, ask: Callable[[Any], str | None], proxy: Proxy
) -> None:
    client = server.client()
    assert [ask(client), ask(client)] == ["hi", "hi"]  # the async ones on two event loops
    assert proxy.asked == []


@pytest.mark.parametrize("ask", WAYS)
def test_a_client_of_the_users_own_does_ask_the_proxy(
    server: LocalGemini, library: str, ask: Callable[[Any], str | None], proxy: Proxy
) -> None:
    """Control: the proxy is there, and the environment sends to it what is not told otherwise."""
    with pytest.raises(Exception, match="502"):
        ask(connect(base_url=server.url, api_key="local"))
    (address, body), *_ = proxy.asked
    assert address.startswith(server.url)
    assert SECRET in body


def test_options_of_the_users_own_keep_their_place(server: LocalGemini, proxy: Proxy) -> None:
    import httpx

    seen: list[str] = []

    class Watched(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["x-own"])
            return await super().handle_async_request(request)

    client = server.client(headers={"x-own": "yes"}, async_client_args={"transport": Watched()})
    assert ask_async(client) == "hi"
    assert seen == ["yes"]
    assert ask_now(client) == "hi"
    assert proxy.asked == []


def test_settings_of_the_users_own_are_kept(server: LocalGemini, library: str, proxy: Proxy) -> None:
    settings = {"headers": {"x-own": "yes"}}
    client = server.client(client_args=settings, async_client_args=settings)
    for ask in WAYS:
        assert ask(client) == "hi"
        assert server.requests[-1].headers["x-own"] == "yes"
    assert proxy.asked == []


@pytest.mark.parametrize("by", ["http", "socks5"])
def test_the_demo_model_asks_neither_proxy_nor_certificates(proxy: Proxy, by: str) -> None:
    """In a process of its own, that finds the environment like this from the start."""
    environment = surroundings(proxy.url.replace("http:", f"{by}:")) | {"SSL_CERT_FILE": "/nonexistent.pem"}
    program = (
        f"import os; os.environ.update({environment!r})\n"
        "import gemstream_widget as gem\n"
        f"run = gem.Chat(model='demo', runner='thread').send('@say hello\\n{SECRET}')\n"
        "print(run.result(timeout_s=60).text)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)
    assert (done.stdout.strip(), done.stderr) == ("hello", "")
    assert proxy.asked == []


def test_a_client_of_the_servers_reads_no_certificates(
    server: LocalGemini, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    client = server.client()
    assert [ask(client) for ask in WAYS] == ["hi"] * len(WAYS)
    with pytest.raises(FileNotFoundError):  # control: a plain client cannot even be made
        connect(base_url=server.url, api_key="local")


def test_no_connection_outlives_its_answer() -> None:
    with LocalGemini(speed=1000) as server:
        client = server.client()
        assert [ask(client) for ask in WAYS[2:]] == ["hi", "hi"]
        eventually(lambda: server.open_connections == 0, "the connections closed")
