"""The doctor's report: how it comes about, how it reads, and what is never in it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import comm
import pytest

import gemstream_widget as gem
from gemstream_widget._notebook import card as card_module
from gemstream_widget._notebook import doctor as doctor_module
from gemstream_widget._notebook import doctor_kernel, doctor_look, doctor_page
from gemstream_widget._notebook.doctor import Report
from gemstream_widget._notebook.doctor_words import TOPICS, Finding
from tests.test_widget import PageComm

KEY = "AIzaSyPLANTED0123456789abcdefghijklmno-"


class Output:
    """A cell's outputs, as a page keeps them: the last bundle of each display."""

    def __init__(self) -> None:
        self.shown: dict[Any, Any] = {}
        self.order: list[Any] = []
        self.every: list[str] = []

    def display(self, shown: Any, *, raw: bool = False, display_id: Any = None, update: bool = False) -> Any:
        place = f"p{len(self.order)}" if display_id is True else display_id
        assert update == (place in self.order), "only what was shown is updated"
        if not update:
            self.order.append(place)
        self.shown[place] = shown if raw else shown._repr_mimebundle_()[0]
        self.every.append(json.dumps(self.shown[place]))
        output = self

        class Handle:
            def update(self, shown: Any, **how: Any) -> None:
                output.display(shown, display_id=place, update=True, **how)

        return Handle()

    @property
    def reports(self) -> list[str]:
        """The texts of the reports that are shown."""
        return [bundle["text/plain"] for bundle in self.shown.values() if "text/html" in bundle]

    @property
    def probes(self) -> int:
        """How many cards are shown."""
        return sum("application/vnd.jupyter.widget-view+json" in bundle for bundle in self.shown.values())


class Shell:
    kernel = object()
    execution_count = 1


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[Output]:
    """A kernel whose page is in the test's hand: `PageComm.opened` are its comms, this is what it shows."""
    output = Output()
    monkeypatch.setattr(comm, "create_comm", PageComm)
    monkeypatch.setattr("IPython.display.display", output.display)
    monkeypatch.setattr(doctor_kernel, "shell", Shell)
    monkeypatch.setattr(doctor_kernel, "host_here", lambda: "kernel")
    monkeypatch.setattr(card_module, "_heard", type(card_module._heard)())
    monkeypatch.setattr(doctor_module, "_LINGER_S", 0.0)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    PageComm.opened.clear()
    return output


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is told soon, and heard into for long."""
    monkeypatch.setattr(doctor_module, "SILENCE_S", 0.1)


def page() -> PageComm:
    """The page's end of the probe; a widget's layout has a comm of its own."""
    return next(opened for opened in PageComm.opened if "snapshot" in opened.state)


def by_topic(report: Report, topic: str) -> Finding:
    (found,) = [found for found in report if found.topic == topic]
    return found


# -- how it comes about ------------------------------------------------------------------------------------------------


def test_a_page_that_answers_makes_the_report_whole_and_the_probe_vanish(output: Output) -> None:
    async def main() -> None:
        report = gem.doctor()
        assert not report.ok
        assert by_topic(report, "page").level == "unknown"
        assert output.probes == 1
        assert len(output.reports) == 1
        page().say(op="resync", run=None, have=0)
        assert await report.wait() is report
        assert by_topic(report, "page").level == "ok", report
        assert by_topic(report, "extensions").level == "ok"
        assert report.ok, report
        assert output.reports == [repr(report)]
        assert output.probes == 0
        await report._work
        assert page().sent[-1][0] == "comm_close"

    asyncio.run(main())


def test_a_question_that_the_page_repeats_finds_the_probe_open(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's log complains of a message to a comm that is closed."""
    monkeypatch.setattr(doctor_module, "_LINGER_S", 0.5)

    async def main() -> None:
        report = gem.doctor()
        page().say(op="resync", run=None, have=0)
        assert (await report.wait()).ok
        assert "comm_close" not in [kind for kind, *_ in page().sent]
        page().say(op="resync", run=None, have=0)
        await report._work
        assert page().sent[-1][0] == "comm_close"

    asyncio.run(main())


def test_silence_is_told_with_its_usual_cause_and_a_late_word_corrects_it(output: Output, short: None) -> None:
    async def main() -> None:
        report = await gem.doctor().wait()
        found = by_topic(report, "page")
        assert (found.level, report.ok) == ("problem", False)
        assert "pip install anywidget ipywidgets" in str(found.advice)
        assert output.reports == [repr(report)]
        assert output.probes == 0
        page().say(op="resync", run=None, have=0)
        await report._work
        assert by_topic(report, "page").level == "note"
        assert report.ok
        assert output.reports == [repr(report)]

    asyncio.run(main())


def test_a_loop_that_is_held_is_no_silence(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "SILENCE_S", 0.5)

    def say(rounds: int) -> None:
        """The loop comes to the kernel's socket a few rounds after it was let go."""
        if rounds:
            asyncio.get_running_loop().call_soon(say, rounds - 1)
        else:
            page().say(op="resync", run=None, have=0)

    async def main() -> None:
        report = gem.doctor()
        for _ in range(5):
            await asyncio.sleep(0)  # it waits, by now
        asyncio.get_running_loop().call_soon(say, 9)
        time.sleep(0.7)  # noqa: ASYNC251  # a cell that blocks, for longer than the page has to answer
        await report.wait()
        assert by_topic(report, "page").level == "ok"
        await report._work

    asyncio.run(main())


def test_a_page_that_was_heard_before_is_not_asked_again(output: Output) -> None:
    async def main() -> None:
        other = gem.Card([])
        page().say(op="resync", run=None, have=0)
        PageComm.opened.clear()
        report = await gem.doctor().wait()
        assert by_topic(report, "page").level == "ok"
        assert PageComm.opened == []
        assert list(output.order) == report._places
        other.close()

    asyncio.run(main())


def test_the_cell_that_shows_it_does_not_show_it_twice_and_another_does(
    output: Output, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        report = gem.doctor()
        report._ipython_display_()  # the last expression of its cell
        assert len(output.reports) == 1
        monkeypatch.setattr(Shell, "execution_count", 2)
        report._ipython_display_()
        assert len(output.reports) == 2
        await report.wait()
        assert output.reports == [repr(report)] * 2
        report._work.cancel()

    asyncio.run(main())


def test_where_no_card_can_be_made_the_rest_is_told(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def unmade(self: Any) -> None:
        raise FileNotFoundError("widget.js")

    monkeypatch.setattr(doctor_page.Probe, "__init__", unmade)

    async def main() -> None:
        report = await gem.doctor().wait()
        found = by_topic(report, "page")
        assert (found.level, "FileNotFoundError" in found.words) == ("problem", True)
        assert output.reports == [repr(report)]

    asyncio.run(main())


def test_a_kernel_that_cannot_show_anything_has_the_report_all_the_same(
    output: Output, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*shown: Any, **how: Any) -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr("IPython.display.display", broken)

    async def main() -> None:
        report = await gem.doctor().wait()
        assert by_topic(report, "page").level == "problem"
        report._work.cancel()

    asyncio.run(main())


def test_from_a_thread_without_a_loop_of_its_own(output: Output) -> None:
    report = gem.doctor()  # pytest runs this where no loop runs
    assert by_topic(report, "event loop").level == "note"
    page().say(op="resync", run=None, have=0)
    asyncio.run(report.wait())
    assert by_topic(report, "page").level == "ok"
    report._work.result(20)


def test_a_reader_that_is_interrupted_leaves_the_report_to_others(output: Output) -> None:
    async def main() -> None:
        report = gem.doctor()
        reader = asyncio.create_task(report.wait())
        await asyncio.sleep(0)  # it waits
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        page().say(op="resync", run=None, have=0)
        assert (await report.wait()).ok
        await report._work

    asyncio.run(main())


def test_a_script_gets_it_finished_and_loads_no_jupyter() -> None:
    program = (
        "import sys, gemstream_widget as gem\n"
        "report = gem.doctor()\n"
        "print(report)\n"
        "print([m for m in ('google.genai', 'anywidget', 'ipywidgets', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    *report, modules = done.stdout.splitlines()
    assert modules == "[]"
    assert "Unknown" not in "\n".join(report)
    assert "Python without a notebook" in "\n".join(report)
    assert done.stderr == ""


def test_where_a_loop_runs_and_nothing_is_shown_the_report_says_how_to_have_it() -> None:
    async def main() -> None:
        report = gem.doctor()
        assert by_topic(report, "demo").words == "Being tried: `await report.wait()` waits for it."
        assert by_topic(await report.wait(), "demo").level == "ok"

    asyncio.run(main())


# -- checks that fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", [*doctor_module._NOW, *doctor_module._LATER])
def test_a_check_that_fails_is_a_finding_that_names_it(
    topic: str, output: Output, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Any:
        raise ZeroDivisionError(f"of {KEY}")

    for checks in (doctor_module._NOW, doctor_module._LATER):
        if topic in checks:
            monkeypatch.setitem(checks, topic, broken)

    async def main() -> None:
        report = await gem.doctor().wait()
        found = by_topic(report, topic)
        assert (found.level, "ZeroDivisionError" in found.words) == ("unknown", True)
        assert KEY not in repr(report)
        assert not report.ok
        report._work.cancel()

    asyncio.run(main())


def test_a_host_that_cannot_be_told_is_taken_for_a_script(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor_kernel, "host_here", broken)
    report = gem.doctor()
    assert by_topic(report, "host").level == "unknown"
    assert by_topic(report, "page").words == "There is none here."


# -- what is never in it -----------------------------------------------------------------------------------------------


def _everything(output: Output, report: Report, logged: str) -> str:
    """All that the doctor made: what was ever shown, sent and logged, and the report in each of its forms."""
    sent = [repr(message) for opened in PageComm.opened for message in opened.sent]
    forms = [repr(report), report._repr_html_(), json.dumps(report._repr_mimebundle_()), repr(report.findings)]
    return "\n".join([*output.every, *sent, *forms, logged])


SECRETS = {
    "a key": {"GEMINI_API_KEY": KEY, "GOOGLE_API_KEY": KEY},
    "a key that does not fit": {"GEMINI_API_KEY": f'"{KEY}\u200b"'},
    "one in two lines": {"GEMINI_API_KEY": f"{KEY}\n{KEY}"},
    "a key with a project": {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": KEY, "GOOGLE_CLOUD_PROJECT": KEY},
    "where it does not belong": dict.fromkeys(
        (
            "GOOGLE_GENAI_USE_VERTEXAI",
            "GOOGLE_GENAI_USE_ENTERPRISE",
            "GOOGLE_CLOUD_LOCATION",
            "HTTPS_PROXY",
            "NO_PROXY",
        ),
        KEY,
    )
    | dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR", "GOOGLE_APPLICATION_CREDENTIALS"), f"/{KEY}"),
    "as a host": {"GOOGLE_GEMINI_BASE_URL": f"https://{KEY}/", "HTTPS_PROXY": f"http://{KEY}:9"},
    "a proxy's password": {"HTTPS_PROXY": f"http://user:{KEY}@127.0.0.1:9"},
    "one that breaks its address": {"HTTPS_PROXY": f"http://user:{KEY}/@127.0.0.1:9"},
}


@pytest.mark.parametrize("planted", SECRETS.values(), ids=SECRETS)
def test_a_planted_key_is_nowhere(
    planted: dict[str, str],
    output: Output,
    short: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, value in planted.items():
        monkeypatch.setenv(name, value)

    async def main() -> Report:
        asyncio.get_running_loop().set_debug(True)
        report = await gem.doctor().wait()
        report._work.cancel()
        return report

    found = _everything(output, asyncio.run(main()), caplog.text + "".join(capfd.readouterr()))
    assert "credentials" in found
    assert not [part for part in (KEY, KEY.lower(), KEY[:10], KEY[-10:]) if part in found]


def test_a_key_that_is_told_would_be_found(output: Output, short: None) -> None:
    async def main() -> Report:
        report = await gem.doctor().wait()
        report._put("page", [Finding("page", "ok", KEY)])
        report._work.cancel()
        return report

    report = asyncio.run(main())
    assert KEY in _everything(output, report, "")
    assert all(KEY in form for form in (repr(report), report._repr_html_(), output.every[-1]))


# -- how it reads ------------------------------------------------------------------------------------------------------

FOUND = [
    Finding("versions", "ok", "Python 3.11.7, " + ", ".join(f"package-number-{n} 1.{n}" for n in range(30)) + "."),
    Finding("page", "problem", "No page <b>answered</b> & so on.", 'Run `pip install "a<b"`, then restart.'),
    Finding("credentials", "note", "Both are set.", None),
    Finding("demo", "unknown", "Being tried."),
]


def test_the_text_is_aligned_and_wrapped() -> None:
    lines = doctor_look.text(FOUND).splitlines()
    assert lines[0] == "gemstream_widget doctor: 1 problem, 1 note, 1 unknown"
    assert max(map(len, lines)) <= 100
    starts = {re.match(r"  \w+ +\w+ +", line).end() for line in lines if re.match(r"  \w", line)}  # type: ignore[union-attr]
    assert len(starts) == 1
    assert all(line[: starts.copy().pop()].isspace() for line in lines[1:] if not re.match(r"  \w", line))
    assert "\x1b" not in "".join(lines)
    assert [line.split()[0] for line in lines[1:] if re.match(r"  \w", line)] == ["OK", "Problem", "Note", "Unknown"]


class Reader(HTMLParser):
    """The words of a page, its elements in order, and whether each that was opened was closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words = ""
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("path", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] != "style":
            self.words += data


def test_the_html_says_the_same_in_words_and_escapes_all_of_it() -> None:
    read = Reader(doctor_look.html(FOUND))
    assert read.open == []
    assert set(read.tags) == {"style", "section", "p", "b", "span", "ul", "li", "svg", "path", "circle", "div", "code"}
    assert read.tags.count("b") == 1
    for found in FOUND:
        assert found.words in read.words
    for word in ("OK", "Problem", "Note", "Unknown", 'Run pip install "a<b", then restart.', "1 problem, 1 note"):
        assert word in read.words


def test_a_report_is_in_the_order_of_its_topics() -> None:
    topics = [found.topic for found in gem.doctor()]
    assert topics == sorted(topics, key=[*TOPICS].index)
    assert {"versions", "credentials", "proxy", "demo"} <= set(topics)
    assert [*gem.doctor()._repr_mimebundle_()] == ["text/plain", "text/html"]
