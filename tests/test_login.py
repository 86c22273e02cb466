"""Vertex AI's login in the middle of a chat: a token that expires, is refused, or cannot be had."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from google import genai
from google.auth import exceptions
from google.auth.credentials import Credentials

import gemstream_widget as gem
from gemstream_widget._engine.retry import retry_wait_s
from tests.network import Relay, bare, dead_port


class Login(Credentials):  # type: ignore[misc]
    """Credentials that count how often a token is asked for. `trouble` is raised instead of giving one."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.refreshed = 0
        self.trouble: Exception | None = None

    def refresh(self, request: Any) -> None:
        self.refreshed += 1
        if self.trouble is not None:
            raise self.trouble
        self.token = f"token-number-{self.refreshed}"
        self.expiry = _now() + datetime.timedelta(hours=1)

    def expire(self) -> None:
        """The hour is over."""
        self.expiry = _now() - datetime.timedelta(seconds=1)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)  # google-auth compares naive times


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=1000) as server:
        yield server


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Login:
    bare(monkeypatch)
    return Login()


@pytest.fixture(params=["seen", "unseen"])
def chat(server: gem.LocalGemini, login: Login, request: pytest.FixtureRequest) -> gem.Chat:
    """A chat with Vertex, whose bytes are seen or not."""
    options = {"base_url": server.url}
    client = genai.Client(
        vertexai=True,
        project="p",
        location="us-central1",
        credentials=login,
        http_options=gem.http_options(**options) if request.param == "seen" else options,
    )
    return gem.Chat(model="demo", client=client, retries=0)


def play(chat: gem.Chat, main: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        await asyncio.wait_for(main(), 20)
        await chat.options.client.aio.aclose()

    asyncio.run(within())


async def failed(chat: gem.Chat) -> gem.RunFailed:
    error = (await chat.send("@say no").wait()).error
    assert error is not None
    return error


def test_a_token_that_expires_within_a_chat_is_renewed(chat: gem.Chat, login: Login) -> None:
    async def main() -> None:
        assert (await chat.send("@say one")).text == "one"
        assert (await chat.send("@say two")).text == "two"
        assert login.refreshed == 1
        login.expire()
        assert (await chat.send("@say three")).text == "three"
        assert await chat.count("hi")
        assert login.refreshed == 2

    play(chat, main)


def test_a_login_that_is_over_says_so_and_the_next_request_after_a_new_one_works(chat: gem.Chat, login: Login) -> None:
    async def main() -> None:
        assert (await chat.send("@say one")).text == "one"
        login.expire()
        login.trouble = exceptions.RefreshError("Reauthentication is needed.")  # type: ignore[no-untyped-call]
        error = await failed(chat)
        assert type(error) is gem.InvalidCredentials
        assert "The login cannot be used" in str(error)
        assert "Reauthentication is needed" in str(error)
        assert "gcloud auth application-default login" in str(error)
        assert retry_wait_s(error, 1) is None
        with pytest.raises(gem.InvalidCredentials):
            await chat.count("hi")
        login.trouble = None
        assert (await chat.send("@say two")).text == "two"

    play(chat, main)


def test_a_token_that_is_refused_before_its_time_is_told(chat: gem.Chat, login: Login, server: gem.LocalGemini) -> None:
    async def main() -> None:
        assert (await chat.send("@say one")).text == "one"
        server.next(status=401)
        error = await failed(chat)
        assert isinstance(error, gem.ApiError)
        assert "gcloud auth application-default login" in error.hint
        assert (await chat.send("@say two")).text == "two"

    play(chat, main)


def test_a_network_that_is_lost_while_a_token_is_renewed_is_tried_again(chat: gem.Chat, login: Login) -> None:
    async def main() -> None:
        login.trouble = exceptions.TransportError("Connection aborted.")  # type: ignore[no-untyped-call]
        error = await failed(chat)
        assert type(error) is gem.ConnectionFailed
        assert retry_wait_s(error, 1)

    play(chat, main)


@pytest.mark.parametrize(
    ("status", "told"),
    [(None, "nothing takes connections"), (407, "asks for a login"), (403, "refused"), (502, "could not reach")],
)
def test_a_proxy_in_the_way_of_a_token_is_named(
    status: int | None, told: str, chat: gem.Chat, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As google-auth itself asks for one, through requests."""
    monkeypatch.setattr(login, "refresh", lambda request: request("https://oauth2.googleapis.com/token", method="POST"))

    async def main() -> None:
        with (
            dead_port() as port,
            Relay(proxy=True, answer=f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cretS@127.0.0.1:{proxy.port if status else port}")
            error = await failed(chat)
        assert isinstance(error, gem.ConnectionFailed)
        assert isinstance(error, gem.EnvironmentFault) is (status != 502)
        assert "HTTPS_PROXY is http://127.0.0.1:" in str(error)
        assert told in str(error)
        assert "s3cretS" not in str(error)

    play(chat, main)


def test_certificates_in_the_way_of_a_token_are_named(
    chat: gem.Chat, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "refresh", lambda request: request("https://oauth2.googleapis.com/token", method="POST"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/certificates.pem")

    async def main() -> None:
        error = await failed(chat)
        assert type(error) is gem.EnvironmentFault
        assert error.variable == "REQUESTS_CA_BUNDLE"

    play(chat, main)


def test_without_any_login_the_error_says_how_to_get_one(
    server: gem.LocalGemini, login: Login, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "gone.json"))

    async def main() -> None:
        error = await failed(gem.Chat(model="demo-of-nobody", retries=0))
        assert type(error) is gem.InvalidCredentials
        assert "gone.json" in str(error)
        assert "gcloud auth application-default login" in str(error)

    asyncio.run(main())
