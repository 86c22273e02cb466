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

from gemstream_widget import Chat
from gemstream_widget._engine.gemini import connect
from gemstream_widget.server import LocalGemini

from .local import eventually
from .network import TRUST, bare

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
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
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


def count(client: Any) -> str | None:
    async def main() -> int:
        return await Chat(model="demo", client=client).count(SECRET)

    assert client.models.count_tokens(model="demo", contents=SECRET).total_tokens
    return "hi" if asyncio.run(main()) else None


WAYS = [ask_now, ask_in_a_stream, ask_async, ask_async_in_a_stream, count]


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
    """In a process of its own, that finds the environment like this from the start; the doctor says the same there."""
    environment = surroundings(proxy.url.replace("http:", f"{by}:")) | dict.fromkeys(
        TRUST, "/nonexistent/certificates.pem"
    )
    program = (
        f"import os, asyncio; os.environ.update({environment!r})\n"
        "import gemstream_widget as gem\n"
        "chat = gem.Chat(model='demo', runner='thread')\n"
        f"print(chat.send('@say hello\\n{SECRET}').result(timeout_s=60).text, asyncio.run(chat.count('a b c')) > 0)\n"
        "print([found.level for found in gem.doctor() if found.topic == 'demo'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["hello True", "['ok']", ""], "")
    assert proxy.asked == []


TROUBLES = {
    "dead": dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
    "small letters": dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
    "SOCKS without a library for it": {"ALL_PROXY": "socks5://127.0.0.1:9"},
    "no address at all": {"HTTP_PROXY": "http://[::1:80"},
    "no such certificates": dict.fromkeys(TRUST, "/nonexistent/certificates.pem"),
    "no certificates": dict.fromkeys(TRUST, __file__),
    "an empty folder of them": {"SSL_CERT_DIR": "/nonexistent"},
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_nothing_that_the_environment_says_stands_in_the_way(
    server: LocalGemini, library: str, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare(monkeypatch)
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name, value in TROUBLES[trouble].items():
        monkeypatch.setenv(name, value)
    client = server.client()
    assert [ask(client) for ask in WAYS] == ["hi"] * len(WAYS)


@pytest.mark.parametrize("trouble", [name for name in TROUBLES if name != "an empty folder of them"])
def test_a_client_of_the_users_own_is_stopped_by_it(
    server: LocalGemini, trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control. A folder that is not there stops nobody before a certificate is shown."""
    bare(monkeypatch)
    monkeypatch.setitem(sys.modules, "socksio", None)
    for name, value in TROUBLES[trouble].items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Exception, match=r"refused|SOCKS|Invalid port|No such file|certificate"):
        ask_now(connect(base_url=server.url, api_key="local"))


def test_no_connection_outlives_its_answer() -> None:
    with LocalGemini(speed=1000) as server:
        client = server.client()
        assert [ask(client) for ask in WAYS[2:4]] == ["hi", "hi"]
        eventually(lambda: server.open_connections == 0, "the connections closed")
