"""What the doctor finds in one environment after the other, each made up around one check."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

import certifi
import pytest

import gemstream_widget as gem
from gemstream_widget._notebook import doctor_access, doctor_kernel, fastlane
from gemstream_widget._notebook.doctor_page import EXTENSIONS, extensions
from gemstream_widget._notebook.doctor_words import CASES, Finding, finding
from tests.make_doctor import PAGE, page

KEY = "AIzaSyPLANTED0123456789abcdefghijklmno-"


def names(found: Iterable[Finding]) -> list[str]:
    """Which cases of the table these are; where several fit, the one with the most words of its own."""
    own = {name: len(re.sub(r"{[^}]*}", "", case.words)) for name, case in CASES.items()}
    return [max((name for name, case in CASES.items() if _is(told, case)), key=own.__getitem__) for told in found]


def _is(told: Finding, case: Any) -> bool:
    pattern = "(.+)".join(re.escape(piece) for piece in re.split(r"{[^}]*}", case.words))
    return told.topic == case.topic and told.level == case.level and re.fullmatch(pattern, told.words) is not None


def said(found: Iterable[Finding]) -> str:
    return "\n".join(f"{told.words} {told.advice}" for told in found)


def test_the_page_of_the_docs_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.make_doctor"


def test_every_case_can_be_told_and_a_problem_comes_with_what_to_do() -> None:
    values = dict.fromkeys(re.findall(r"{(\w+)", "".join(f"{c.words}{c.advice}" for c in CASES.values())), 1)
    for name, case in CASES.items():
        told = finding(name, **values)
        assert "{" not in f"{told.words}{told.advice}", name
        assert told.advice or case.level != "problem", name


# -- versions and bundle -----------------------------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed, by name; a test changes it. Nothing of it is loaded."""
    held = {"gemstream_widget": "0.1.0", "anywidget": "0.11.0", "ipykernel": "7.4.0", "IPython": "9.18.1"}

    def version(name: str) -> str:
        if name not in held:
            raise metadata.PackageNotFoundError(name)
        return held[name]

    needs = ["anywidget>=0.9.18", "ipykernel>=6.31", 'jupyterlab>=4.4; extra == "demo"']
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(metadata, "requires", lambda name: version(name) and needs)
    monkeypatch.setattr(metadata, "metadata", lambda name: version(name) and {"Requires-Python": ">=3.11"})
    for name in ("anywidget", "ipykernel", "IPython"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return held


def test_versions_that_fit_are_told_in_one_line(installed: dict[str, str]) -> None:
    found = list(doctor_kernel.versions())
    assert names(found) == ["versions.fit"]
    assert "gemstream_widget 0.1.0, anywidget 0.11.0, ipykernel 7.4.0, IPython 9.18.1" in said(found)


def test_a_version_before_a_release_fits_as_one(installed: dict[str, str]) -> None:
    installed["anywidget"] = "0.12.0rc1"
    assert names(doctor_kernel.versions()) == ["versions.fit"]


def test_what_is_missing_or_too_old_is_named_with_what_to_install(installed: dict[str, str]) -> None:
    del installed["anywidget"]
    installed["ipykernel"] = "6.29.5"
    found = list(doctor_kernel.versions())
    assert names(found) == ["versions.missing", "versions.range"]
    assert '"anywidget>=0.9.18"' in str(found[0].advice)
    assert '"ipykernel>=6.31"' in str(found[1].advice)


@pytest.mark.parametrize(
    ("host", "cases"),
    [
        ("marimo", ["versions.unneeded", "versions.fit"]),
        ("script", ["versions.unneeded", "versions.fit"]),
        ("kernel", ["versions.missing"]),
        ("other", ["versions.missing"]),
    ],
)
def test_ipykernel_is_needed_where_it_is_the_host(
    host: str, cases: list[str], installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_kernel, "host_here", lambda: host)
    del installed["ipykernel"]
    assert names(doctor_kernel.versions()) == cases


def test_a_python_that_is_too_old(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_kernel.platform, "python_version", lambda: "3.10.1")
    assert names(doctor_kernel.versions()) == ["versions.python"]


def test_a_package_installed_after_it_was_loaded(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    old = types.ModuleType("anywidget")
    old.__version__ = "0.9.18"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "anywidget", old)
    found = list(doctor_kernel.versions())
    assert names(found) == ["versions.loaded"]
    assert "0.11.0" in said(found)
    assert "0.9.18" in said(found)


def test_a_checkout_that_is_not_installed(installed: dict[str, str]) -> None:
    installed.clear()
    assert names(doctor_kernel.versions()) == ["versions.unpacked"]


def test_the_real_versions_are_within_what_the_package_declares() -> None:
    assert names(doctor_kernel.versions()) == ["versions.fit"]


@pytest.mark.parametrize(
    ("files", "case"),
    [
        (["build.json", "widget.js", "math.js"], "bundle.whole"),
        (["build.json", "widget.js"], "bundle.missing"),
        ([], "bundle.missing"),
    ],
)
def test_the_bundle(files: list[str], case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "static").mkdir()
    for name in files:
        (tmp_path / "static" / name).write_text('{"files": {"widget.js": "", "math.js": ""}}')
    monkeypatch.setattr(doctor_kernel, "files", lambda package: tmp_path)
    assert names(doctor_kernel.bundle()) == [case]


# -- host and fast lane ------------------------------------------------------------------------------------------------


class Terminal:
    """An IPython shell without a kernel."""


class KernelShell:
    kernel = object()


class Marimo:
    @staticmethod
    def running_in_notebook() -> bool:
        return True


@pytest.mark.parametrize(
    ("shell", "kernel", "modules", "case"),
    [
        (None, None, {}, "host.script"),
        (Terminal(), None, {}, "host.terminal"),
        (KernelShell(), None, {}, "host.other"),
        (KernelShell(), object(), {}, "host.kernel"),
        (None, None, {"marimo": Marimo}, "host.marimo"),
    ],
)
def test_the_host(shell: Any, kernel: Any, modules: dict[str, Any], case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_kernel, "shell", lambda: shell)
    monkeypatch.setattr(fastlane, "kernel", lambda: kernel)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert names(doctor_kernel.host()) == [case]


def test_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[str]:
        return names(doctor_kernel.event_loop())

    assert names(doctor_kernel.event_loop()) == ["loop.none"]
    assert asyncio.run(main()) == ["loop.runs"]
    monkeypatch.setattr(doctor_kernel, "terminal_shell", object)
    assert asyncio.run(main()) == ["loop.terminal"]


class Stream:
    """A socket's stream as pyzmq has it."""

    def __init__(self) -> None:
        self._recv_callback: Any = lambda frames: None

    def on_recv(self, callback: Any, copy: bool = True) -> None:
        self._recv_callback = callback


class Thread:
    """The kernel's thread that reads the socket: it does what it is asked to when `go` is called."""

    def __init__(self) -> None:
        self.io_loop = self
        self._asked: list[Callable[[], None]] = []

    def add_callback(self, call: Callable[[], None]) -> None:
        self._asked.append(call)

    def go(self) -> None:
        for call in self._asked:
            call()


def kernel(**parts: Any) -> Any:
    return types.SimpleNamespace(**parts)


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], None]]:
    """Put this process into a kernel, of some version of ipykernel."""
    held = threading.Event()
    monkeypatch.setattr(fastlane, "_hooked", None)
    monkeypatch.setattr(fastlane, "_hook", None)
    monkeypatch.setattr(fastlane, "placed", held)
    monkeypatch.setattr(doctor_kernel, "_HOOK_S", 0.05)

    def enter(running: Any, version: str = "7.4.0") -> None:
        monkeypatch.setattr(fastlane, "kernel", lambda: running)
        module = types.ModuleType("ipykernel")
        module.__version__ = version  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ipykernel", module)

    yield enter
    fastlane.unwatch("c1")


def cases_of_the_lane() -> list[str]:
    return names(asyncio.run(doctor_kernel.fast_lane()))


def test_without_ipykernel_there_is_no_fast_lane(lane: Any) -> None:
    lane(None)
    assert cases_of_the_lane() == ["lane.no kernel"]


def test_a_kernel_that_the_hook_does_not_fit_says_why(lane: Any) -> None:
    lane(kernel())
    assert cases_of_the_lane() == ["ipykernel.7.4.deaf", "lane.no stream"]
    lane(kernel(shell_stream=object()), "7.1.0")
    assert cases_of_the_lane() == ["ipykernel.7.deaf", "lane.no callback"]
    lane(kernel(shell_stream=object()), "6.31.0")
    assert cases_of_the_lane() == ["ipykernel.6.deaf", "lane.no callback"]


@pytest.mark.parametrize(
    ("version", "case"),
    [("6.31.0", "ipykernel.6"), ("7.0.1", "ipykernel.7"), ("7.4.0", "ipykernel.7"), ("6.29.5", "ipykernel.old")],
)
def test_a_hook_that_is_in_place(lane: Any, version: str, case: str) -> None:
    lane(kernel(shell_stream=Stream()), version)
    assert cases_of_the_lane() == [case, "lane.idle"]
    assert fastlane.watch("c1", print)
    assert cases_of_the_lane() == [case, "lane.hooked"]


def test_a_hook_that_the_kernels_thread_has_not_taken(lane: Any) -> None:
    thread = Thread()
    lane(kernel(shell_stream=Stream(), shell_channel_thread=thread))
    fastlane.watch("c1", print)
    assert cases_of_the_lane() == ["ipykernel.7.4.deaf", "lane.late"]
    thread.go()
    assert cases_of_the_lane() == ["ipykernel.7", "lane.hooked"]


def test_a_hook_that_something_else_took_the_place_of(lane: Any) -> None:
    stream = Stream()
    lane(kernel(shell_stream=stream))
    fastlane.watch("c1", print)
    stream.on_recv(print)
    assert cases_of_the_lane() == ["ipykernel.7.4.deaf", "lane.replaced"]


# -- JupyterLab's side -------------------------------------------------------------------------------------------------


def test_the_extensions_of_jupyterlab(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    for folder in EXTENSIONS.values():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "package.json").write_text("{}")
    assert names(extensions(False, [str(empty), str(tmp_path)])) == ["extensions.here"]
    assert names(extensions(False, [str(empty)])) == ["extensions.missing"]
    assert names(extensions(True, [str(empty)])) == ["extensions.elsewhere"]
    (tmp_path / "anywidget" / "package.json").unlink()
    found = list(extensions(False, [str(tmp_path)]))
    assert "anywidget. " in said(found)
    assert "manager" not in said(found)


def test_the_extensions_of_this_environment() -> None:
    assert names(extensions(False)) == ["extensions.here"]


# -- credentials -------------------------------------------------------------------------------------------------------

GOOD = {"GEMINI_API_KEY": KEY}
ON = {"GOOGLE_GENAI_USE_VERTEXAI": "true"}


@pytest.mark.parametrize(
    ("environment", "cases"),
    [
        ({}, ["key.none"]),
        (GOOD, ["key.set"]),
        ({"GOOGLE_API_KEY": KEY}, ["key.set"]),
        ({"GOOGLE_API_KEY": KEY, "GEMINI_API_KEY": "other"}, ["key.both", "key.set"]),
        ({"GOOGLE_API_KEY": "", "GEMINI_API_KEY": KEY}, ["key.set"]),
        ({"GEMINI_API_KEY": ""}, ["key.blank"]),
        ({"GEMINI_API_KEY": " \n"}, ["key.blank"]),
        ({"GOOGLE_API_KEY": " ", "GEMINI_API_KEY": KEY}, ["key.shadow"]),
        ({"GEMINI_API_KEY": f"{KEY}\n"}, ["key.edges"]),
        ({"GEMINI_API_KEY": f"\u00a0{KEY}"}, ["key.edges"]),
        ({"GEMINI_API_KEY": f"{KEY[:9]}\n{KEY[9:]}"}, ["key.unfit"]),
        ({"GEMINI_API_KEY": f"{KEY[:9]} {KEY[9:]}"}, ["key.unfit"]),
        ({"GEMINI_API_KEY": f'"{KEY}"'}, ["key.unfit"]),
        ({"GEMINI_API_KEY": f"{KEY}\u200b"}, ["key.unfit"]),
        ({"GEMINI_API_KEY": f"{KEY}\u00e9"}, ["key.unfit"]),
        ({**GOOD, "GOOGLE_GENAI_USE_VERTEXAI": "false"}, ["key.set"]),
        ({**GOOD, "GOOGLE_GENAI_USE_VERTEXAI": "yes"}, ["cloud.word", "key.set"]),
        ({"GOOGLE_GENAI_USE_VERTEXAI": "0"}, ["key.none"]),
        ({**ON, **GOOD}, ["cloud.on", "key.set"]),
        ({**ON, "GEMINI_API_KEY": f"{KEY}\u200b"}, ["cloud.on", "key.unfit"]),
        ({**ON, "GOOGLE_CLOUD_PROJECT": "p"}, ["cloud.on", "login.none"]),
        ({**ON, "GOOGLE_CLOUD_LOCATION": "us-central1"}, ["cloud.on", "cloud.project", "login.none"]),
        ({**ON, **GOOD, "GOOGLE_CLOUD_PROJECT": "p"}, ["cloud.on", "cloud.unused", "login.none"]),
        ({**ON, **GOOD, "GOOGLE_GENAI_USE_ENTERPRISE": "0"}, ["cloud.conflict", "key.set"]),
        (
            {"GOOGLE_GENAI_USE_ENTERPRISE": "1", "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/no"},
            ["cloud.on", "login.gone"],
        ),
        (
            {**ON, "GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": __file__},
            ["cloud.on", "login.file"],
        ),
    ],
)
def test_credentials(
    environment: dict[str, str], cases: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = list(doctor_access.credentials())
    assert names(found) == cases
    assert not [part for part in (KEY, KEY[:9], KEY[-9:]) if part in said(found)]


def test_the_login_of_gcloud_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ON, "GOOGLE_CLOUD_PROJECT": "p", "CLOUDSDK_CONFIG": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "application_default_credentials.json").write_text("{}")
    assert names(doctor_access.credentials()) == ["cloud.on", "login.file"]


@pytest.mark.parametrize(
    "environment",
    [
        GOOD,
        {"GOOGLE_API_KEY": KEY, "GEMINI_API_KEY": "other"},
        {"GOOGLE_API_KEY": "", "GEMINI_API_KEY": KEY},
        {"GEMINI_API_KEY": f" {KEY}\n"},
        {**GOOD, "GOOGLE_GENAI_USE_VERTEXAI": "yes"},
        {**ON, **GOOD},
        {**ON, **GOOD, "GOOGLE_GENAI_USE_ENTERPRISE": "0"},
        {**ON, **GOOD, "GOOGLE_CLOUD_PROJECT": "p"},
    ],
)
def test_the_sdk_reads_the_environment_as_the_doctor_says(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from google import genai

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    cases = names(doctor_access.credentials())
    with pytest.warns(match="conflicting") if "cloud.conflict" in cases else nullcontext():
        client = genai.Client()
    assert client.vertexai == ("cloud.on" in cases)
    assert client._api_client.api_key == (None if "cloud.unused" in cases else KEY)


# -- the way to Gemini -------------------------------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def dead() -> int:
    """A port of this machine at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def proxy_cases(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[list[str], str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = asyncio.run(doctor_access.proxy())
    return names(found), said(found)


def test_no_proxy(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    assert proxy_cases(monkeypatch)[0] == ["proxy.none"]
    assert proxy_cases(monkeypatch, HTTP_PROXY=f"http://127.0.0.1:{dead}")[0] == ["proxy.none"]  # Gemini is HTTPS


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("form", ["http://planted:s3cret%40x@127.0.0.1:{}", "planted:s3cret@127.0.0.1:{}/"])
def test_a_proxy_that_takes_connections_and_one_that_refuses(
    monkeypatch: pytest.MonkeyPatch, name: str, form: str, port: int, dead: int
) -> None:
    cases, words = proxy_cases(monkeypatch, **{name: form.format(port)})
    assert cases == ["proxy.open"]
    assert f"http://127.0.0.1:{port}" in words
    cases, refused = proxy_cases(monkeypatch, **{name: form.format(dead)})
    assert cases == ["proxy.refused"]
    assert f"Correct {name}, or" in refused
    assert "planted" not in words + refused
    assert "s3cret" not in words + refused


def test_a_proxy_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(doctor_access, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(doctor_access, "_knock", lambda host, port: str(let_go.wait(20)))

    async def main() -> list[str]:
        try:
            return names(await doctor_access.proxy())
        finally:
            let_go.set()

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert asyncio.run(main()) == ["proxy.silent"]


def test_a_host_that_is_exempt(monkeypatch: pytest.MonkeyPatch, dead: int) -> None:
    there = {"HTTPS_PROXY": f"http://127.0.0.1:{dead}"}
    assert proxy_cases(monkeypatch, **there, NO_PROXY="localhost,.googleapis.com")[0] == ["proxy.exempt"]
    assert proxy_cases(monkeypatch, **there, NO_PROXY="localhost")[0] == ["proxy.refused"]


@pytest.mark.parametrize(
    "address",
    [
        "http://planted:s3cret/x@127.0.0.1:3128",
        "http://planted:8080/s3cret@127.0.0.1:3128",
        "http://planted:s3#cret@127.0.0.1:3128",
        "http://planted:s3cret?@127.0.0.1:3128",
        "http://planted:s3cret",
        "http://[planted",
        "ftp://planted:s3cret@127.0.0.1",
        "http://",
    ],
)
def test_a_proxy_that_cannot_be_read_is_not_quoted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    cases, words = proxy_cases(monkeypatch, HTTPS_PROXY=address)
    assert cases == ["proxy.unreadable"]
    assert not any(piece in words for piece in ("planted", "s3", "cret"))


def test_a_socks_proxy_needs_a_package(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    there = {"ALL_PROXY": f"socks5://127.0.0.1:{port}"}
    monkeypatch.setattr(doctor_access, "find_spec", lambda name: None)
    assert proxy_cases(monkeypatch, **there)[0] == ["proxy.socks"]
    monkeypatch.setattr(doctor_access, "find_spec", lambda name: name)
    assert proxy_cases(monkeypatch, **there)[0] == ["proxy.open"]


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({}, "generativelanguage.googleapis.com"),
        ({**ON}, "aiplatform.googleapis.com"),
        ({**ON, "GOOGLE_CLOUD_LOCATION": "europe-west4"}, "europe-west4-aiplatform.googleapis.com"),
        ({**ON, "GOOGLE_CLOUD_LOCATION": "eu"}, "aiplatform.eu.rep.googleapis.com"),
        ({"GOOGLE_GEMINI_BASE_URL": "https://user:s3cret@gate.example.org/v1"}, "gate.example.org"),
    ],
)
def test_the_host_is_the_one_that_the_sdk_asks(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], host: str
) -> None:
    cases, words = proxy_cases(monkeypatch, **environment)
    assert cases == ["proxy.none"]
    assert host in words
    assert "s3cret" not in words


def test_an_address_of_ones_own_that_cannot_be_read_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    cases, words = proxy_cases(monkeypatch, GOOGLE_GEMINI_BASE_URL="https://planted:s3/cret@gate.example.org")
    assert cases == ["proxy.target"]
    assert "planted" not in words


@pytest.mark.parametrize(
    ("environment", "cases"),
    [
        ({}, ["certificates.unnamed"]),
        ({"REQUESTS_CA_BUNDLE": "/nowhere.pem"}, ["certificates.elsewhere"]),
        ({"REQUESTS_CA_BUNDLE": "/nowhere.pem", "SSL_CERT_FILE": certifi.where()}, ["certificates.there"]),
        ({"SSL_CERT_FILE": certifi.where()}, ["certificates.there"]),
        ({"SSL_CERT_FILE": __file__}, ["certificates.unread"]),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, ["certificates.unread"]),
        ({"SSL_CERT_DIR": "/nowhere"}, ["certificates.unread"]),
        ({"SSL_CERT_DIR": f"/nowhere{os.pathsep}{Path(__file__).parent}"}, ["certificates.there"]),
        (
            {"SSL_CERT_FILE": "/nowhere.pem", "SSL_CERT_DIR": str(Path(__file__).parent)},
            ["certificates.unread", "certificates.there"],
        ),
    ],
)
def test_certificates(environment: dict[str, str], cases: list[str]) -> None:
    found = list(doctor_access.certificates(environment))
    assert names(found) == cases
    assert "nowhere" not in said(found)


def test_the_local_gemini_listens_and_is_closed_again() -> None:
    before = threading.active_count()
    assert names(asyncio.run(doctor_access.demo())) == ["demo.works"]
    assert threading.active_count() <= before


def test_a_machine_that_lets_nobody_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: gem.LocalGemini) -> gem.LocalGemini:
        raise PermissionError(13, "not allowed")

    monkeypatch.setattr(gem.LocalGemini, "start", forbidden)
    assert names(asyncio.run(doctor_access.demo())) == ["demo.fails"]
