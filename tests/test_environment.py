"""The way to Gemini, as the environment says it at that moment: proxies, certificates, addresses, keys.

Nobody on the internet is asked: the proxy connects every address to a local Gemini behind TLS, whose certificate is for
Gemini's name.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.environment import fault_of, trust
from gemstream_widget._engine.retry import retry_wait_s
from gemstream_widget._redact import redact
from tests.network import Authority, Relay, ask, bare, dead_port, play

GEMINI = "generativelanguage.googleapis.com"
KEY = "AIzaSyPLANTED0123456789abcdefghijklmno-"
PASSWORD = "pass#word:of/mine"
"""With letters that an address cannot carry as they are."""


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=1000) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), GEMINI, "localhost")


@pytest.fixture(scope="module")
def gemini(server: gem.LocalGemini, authority: Authority) -> Iterator[Relay]:
    """A local Gemini behind TLS."""
    with Relay(int(server.url.rpartition(":")[2]), context=authority.context) as relay:
        yield relay


@pytest.fixture
def proxy(gemini: Relay) -> Iterator[Relay]:
    with Relay(gemini.port, proxy=True) as relay:
        yield relay


@pytest.fixture
def dead() -> Iterator[str]:
    with dead_port() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    bare(monkeypatch)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)


def fault(run: gem.Run) -> gem.EnvironmentFault:
    """The fault that a run ended with, after one attempt."""
    assert type(run.error) is gem.EnvironmentFault, run.error
    assert not run.retries
    return run.error


# -- the environment of now --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"api_key": "a-key-of-mine-0123456789"}], ids=["environment", "api_key"])
def test_one_chat_follows_what_the_environment_says_from_request_to_request(
    given: dict[str, Any], proxy: Relay, authority: Authority, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = gem.Chat(model="gemini-3.8-flash", **given)

    async def main() -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{dead}")
        assert fault(await ask(chat)).variable == "HTTPS_PROXY"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        assert fault(await ask(chat)).variable == "SSL_CERT_FILE"
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert (await ask(chat)).text == "hi"
        assert [head.split()[1] for head in proxy.asked] == [f"{GEMINI}:443".encode()] * 2
        monkeypatch.setenv("HTTPS_PROXY", f"http://{dead}")
        fault(await ask(chat))
        assert len(proxy.asked) == 2

    play(main)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")

    async def again() -> None:
        assert (await ask(chat)).text == "hi"
        assert await chat.count("hi")

    play(again)  # on another event loop
    assert len(proxy.asked) == 4


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_each_spelling_of_a_proxy_is_taken_and_named(
    name: str, proxy: Relay, authority: Authority, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    async def main() -> None:
        monkeypatch.setenv(name, f"http://{proxy.address}")
        assert (await ask()).text == "hi"
        assert proxy.asked
        monkeypatch.setenv(name, dead)  # without http:// before it
        assert fault(await ask()).variable == name

    play(main)


def test_an_address_of_plain_http_goes_by_http_proxy(
    server: gem.LocalGemini, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{dead}")

    async def main() -> None:
        assert (await ask()).text == "hi"
        monkeypatch.setenv("HTTP_PROXY", f"http://{dead}")
        assert fault(await ask()).variable == "HTTP_PROXY"
        with Relay(int(server.url.rpartition(":")[2]), proxy=True) as proxy:
            monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
            assert (await ask()).text == "hi"
            assert proxy.asked[0].startswith(f"POST {server.url}/".encode())

    play(main)


def test_no_proxy_exempts(gemini: Relay, authority: Authority, dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://localhost:{gemini.port}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{dead}")

    async def main() -> None:
        fault(await ask())
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert (await ask()).text == "hi"

    play(main)


def test_a_folder_of_certificates_is_read_also_beside_a_file(
    gemini: Relay, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://localhost:{gemini.port}")
    other = Authority(tmp_path, "elsewhere", name="Another").file

    async def main() -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(other))
        told = fault(await ask())
        assert told.variable == "SSL_CERT_FILE"
        assert str(other) in str(told)
        monkeypatch.setenv("SSL_CERT_DIR", str(authority.folder))
        assert (await ask()).text == "hi"
        monkeypatch.delenv("SSL_CERT_FILE")
        assert (await ask()).text == "hi"
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nowhere"))
        assert fault(await ask()).variable == "SSL_CERT_DIR"

    play(main)


def test_a_file_of_certificates_that_was_mended_is_read_anew(
    gemini: Relay, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://localhost:{gemini.port}")
    file = tmp_path / "company.pem"
    (tmp_path / "other").mkdir()
    file.write_bytes(Authority(tmp_path / "other", "elsewhere").file.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    async def main() -> None:
        fault(await ask())
        file.write_bytes(authority.file.read_bytes())
        assert (await ask()).text == "hi"

    play(main)


def test_a_key_that_was_corrected_is_used(server: gem.LocalGemini, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", server.url)
    chat = gem.Chat(model="gemini-3.8-flash")

    async def main() -> None:
        monkeypatch.setenv("GEMINI_API_KEY", "invalid")
        assert isinstance((await ask(chat)).error, gem.ApiError)
        monkeypatch.setenv("GEMINI_API_KEY", KEY)
        assert (await ask(chat)).text == "hi"

    play(main)


def test_a_clients_own_settings_come_before_the_environments(
    server: gem.LocalGemini, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google import genai

    monkeypatch.setenv("HTTP_PROXY", f"http://{dead}")

    async def main() -> None:
        for args, text in (({"trust_env": False}, "hi"), ({}, "")):
            options = gem.http_options(base_url=server.url, async_client_args=args)
            client = genai.Client(api_key=KEY, http_options=options)
            run = await ask(gem.Chat(model="gemini-3.8-flash", client=client, retries=0))
            assert run.text == text
        assert fault(run).variable == "HTTP_PROXY"  # the control

    play(main)


# -- a variable that is at fault is named ------------------------------------------------------------------------------


def answering(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("407 Proxy Authentication Required", "asks for a login"),
        ("403 Forbidden", "refused the request"),
        ("405 Method Not Allowed", "refused the request"),
        ("502 Bad Gateway", "could not reach Gemini"),
        ("504 Gateway Timeout", "could not reach Gemini"),
    ],
)
def test_a_proxy_that_answers_no_is_named_and_asked_again_only_where_it_may_pass(
    status: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        with Relay(proxy=True, answer=answering(status)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://me:{'s3cretS'}@{proxy.address}")
            run = await ask(gem.Chat(model="gemini-3.8-flash", retries=0))
            assert f"HTTPS_PROXY is http://{proxy.address}, which answered {status[:3]}" in str(run.error)
            assert told in str(run.error)
            assert isinstance(run.error, gem.ConnectionFailed)
            assert (retry_wait_s(run.error, 1) is None) is isinstance(run.error, gem.EnvironmentFault)
            assert isinstance(run.error, gem.EnvironmentFault) is status.startswith("4")
            assert "s3cretS" not in str(run.error)

    play(main)


@pytest.mark.parametrize(
    ("environment", "variable", "told"),
    [
        ({"HTTPS_PROXY": "https://{live}"}, "HTTPS_PROXY", "Write HTTPS_PROXY with http://"),
        ({"HTTPS_PROXY": "ftp://{dead}"}, "HTTPS_PROXY", "no address of a proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:port"}, "HTTPS_PROXY", "no address of a proxy"),
        ({"ALL_PROXY": "http://[::1:80"}, "ALL_PROXY", "no address of a proxy"),
        (
            {"SSL_CERT_FILE": "/nonexistent/certificates.pem"},
            "SSL_CERT_FILE",
            "/nonexistent/certificates.pem: No such file",
        ),
        ({"SSL_CERT_FILE": __file__}, "SSL_CERT_FILE", "holds no certificates"),
        ({"SSL_CERT_FILE": os.path.dirname(__file__)}, "SSL_CERT_FILE", "Is a directory"),
        ({"GOOGLE_GEMINI_BASE_URL": "gate.example.org"}, "GOOGLE_GEMINI_BASE_URL", "Write GOOGLE_GEMINI_BASE_URL as"),
    ],
)
def test_a_variable_at_fault_is_named_with_what_to_do(
    environment: dict[str, str], variable: str, told: str, proxy: Relay, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("{live}", proxy.address).replace("{dead}", dead))

    async def main() -> None:
        error = fault(await ask())
        assert error.variable == variable
        assert told in str(error)
        with pytest.raises(gem.EnvironmentFault):
            await gem.Chat(model="gemini-3.8-flash").count("hi")

    play(main)


def test_socks_needs_a_package_that_is_named(dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://{dead}")
    monkeypatch.setitem(sys.modules, "socksio", None)  # importing it fails

    async def main() -> None:
        error = fault(await ask())
        assert error.variable == "ALL_PROXY"
        assert "pip install socksio" in error.hint

    play(main)


def test_certificates_that_are_read_elsewhere_are_named_as_not_read_here(
    gemini: Relay, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://localhost:{gemini.port}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))

    async def main() -> None:
        error = fault(await ask())
        assert error.variable == "SSL_CERT_FILE"
        assert "REQUESTS_CA_BUNDLE is not read" in error.hint

    play(main)


def test_a_certificate_of_another_host_is_no_fault_of_the_environment(
    gemini: Relay, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"https://127.0.0.1:{gemini.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))

    async def main() -> None:
        run = await ask(gem.Chat(model="gemini-3.8-flash", retries=0))
        assert type(run.error) is gem.ConnectionFailed
        assert "127.0.0.1" in str(run.error)

    play(main)


@pytest.mark.parametrize("transport", ["aiohttp", "sdk"])
@pytest.mark.parametrize(
    ("by", "variable", "told"),
    [
        ("dead", "HTTPS_PROXY", "where nothing takes connections"),
        ("closed", "HTTPS_PROXY", "which answered 407"),
        ("certificate", "SSL_CERT_FILE", "localhost showed a certificate"),
    ],
)
def test_a_client_of_the_users_own_is_told_the_variable_too(
    transport: str, by: str, variable: str, told: str, gemini: Relay, dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google import genai
    from google.genai import _api_client

    monkeypatch.setattr(_api_client, "has_aiohttp", transport == "aiohttp")
    base = f"https://localhost:{gemini.port}"

    async def main() -> None:
        with Relay(proxy=True, answer=answering("407 Proxy Authentication Required")) as closed:
            if by != "certificate":
                monkeypatch.setenv("HTTPS_PROXY", f"http://{dead if by == 'dead' else closed.address}")
            client = genai.Client(api_key=KEY, http_options={"base_url": base, "retry_options": {"attempts": 1}})
            error = fault(await ask(gem.Chat(model="gemini-3.8-flash", client=client)))
        assert error.variable == variable
        assert told in str(error)
        await client.aio.aclose()

    play(main)


def test_a_file_that_stands_in_the_way_of_a_new_client_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent/keys")

    async def main() -> None:
        error = fault(await ask(gem.Chat(model="gemini-3.8-flash", api_key="a-key-that-no-client-has-yet")))
        assert error.variable == "SSLKEYLOGFILE"
        assert "/nonexistent/keys: No such file" in str(error)

    play(main)


def test_a_proxy_whose_name_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    told = fault_of(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), f"https://{GEMINI}")
    assert isinstance(told, gem.EnvironmentFault)
    assert "HTTPS_PROXY is http://proxy.example:3128, a host that is not found" in str(told)


def test_a_network_that_is_lost_is_no_fault_of_a_proxy_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    lost = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    told = fault_of(lost, f"https://{GEMINI}")
    assert type(told) is gem.ConnectionFailed
    assert "HTTPS_PROXY" in str(told)
    assert retry_wait_s(told, 1)
    assert fault_of(ConnectionResetError(errno.ECONNRESET, "reset"), f"https://{GEMINI}") is None
    assert fault_of(lost, None) is None


def test_a_connection_lost_behind_the_proxy_is_not_the_proxys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        with Relay(proxy=True) as proxy:  # it connects, to nobody
            monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
            run = await ask(gem.Chat(model="gemini-3.8-flash", retries=0))
        assert proxy.asked
        assert type(run.error) is gem.ConnectionFailed
        assert "HTTPS_PROXY" not in str(run.error)

    play(main)


def test_a_proxy_that_takes_no_notice_is_named_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:3128")
    for late in (httpx2.ConnectTimeout(""), httpx2.ConnectError("No route to host")):
        told = fault_of(late, f"https://{GEMINI}")
        assert type(told) is gem.ConnectionFailed
        assert f"HTTPS_PROXY is http://127.0.0.1:3128: {type(late).__name__}" in str(told)
        assert retry_wait_s(told, 1)
    assert fault_of(httpx2.ReadTimeout(""), f"https://{GEMINI}") is None


def test_an_error_with_its_variable_can_be_saved_and_sent_to_another_process() -> None:
    import pickle

    from gemstream_widget.errors import error_from_json, error_to_json

    error = gem.EnvironmentFault("X is wrong.", variable="X", title="A fault", hint="Mend it.")
    for other in (pickle.loads(pickle.dumps(error)), error_from_json(json.loads(json.dumps(error_to_json(error))))):
        assert type(other) is gem.EnvironmentFault
        assert (str(other), other.variable) == (str(error), "X")


# -- a proxy's password ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelled",
    ["http://me:pass%23word%3Aof%2Fmine@{}", "http://me:pass#word:of/mine@{}", "me:pass%23word%3Aof%2Fmine@{}"],
)
def test_a_password_is_never_told_or_saved(
    spelled: str, dead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its address can be read or not."""
    value = spelled.format(dead)
    written = value.split("://")[-1].partition(":")[2].rpartition("@")[0]

    chat = gem.Chat(model="gemini-3.8-flash", retries=0)
    monkeypatch.setenv("HTTPS_PROXY", value)
    run = asyncio.run(_sent(chat, f"my proxy is {value}"))
    assert isinstance(run.error, gem.EnvironmentFault)
    chat.save(tmp_path / "chat.jsonl")
    run.save(tmp_path / "run.jsonl")
    told = str(run.error) + json.dumps(run.error.to_json())
    for text in (told, *(path.read_text() for path in tmp_path.iterdir())):
        assert PASSWORD not in text
        assert written not in text
    monkeypatch.delenv("HTTPS_PROXY")
    chat.save(tmp_path / "control.jsonl")  # the control: nobody knows it any more
    assert written in (tmp_path / "control.jsonl").read_text()


async def _sent(chat: gem.Chat, prompt: str) -> gem.Run:
    return await chat.send(prompt).wait()


def test_who_logs_in_at_an_address_is_taken_out_of_errors() -> None:
    assert redact("http://me:pw@h:1 and https://h/a?b=me:c@d") == "http://[key]@h:1 and https://h/a?b=me:c@d"


# -- certificates as such ----------------------------------------------------------------------------------------------


def test_without_a_variable_the_usual_ones_are_trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust() is True
    monkeypatch.setenv("SSL_CERT_FILE", "")
    assert trust() is True
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = trust()
    assert isinstance(context, ssl.SSLContext)
    assert len(context.get_ca_certs()) == 1
