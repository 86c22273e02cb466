"""What the doctor can say: one table, from which findings and docs/doctor.md are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from .._plain import clean_text
from .._redact import redact

__all__ = ["CASES", "TOPICS", "Case", "Finding", "Level", "finding"]

Level: TypeAlias = Literal["ok", "note", "problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `level`: "ok", "note" (works, with something to know), "problem", or "unknown"
    (not known yet, or the check itself failed). `advice`: what to do, or None. Code stands between backticks.
    """

    topic: str
    level: Level
    words: str
    advice: str | None = None


class Case(NamedTuple):
    """How a finding is told; names in braces are filled in."""

    topic: str
    level: Level
    words: str
    advice: str | None = None


TOPICS = {
    "versions": "Python, this package and what it needs, as this kernel has them.",
    "bundle": "The code that a page runs, which comes with the package.",
    "host": "What runs this Python.",
    "event loop": "Where runs live.",
    "ipykernel": "When Stop and approvals are heard, which differs from version to version.",
    "fast lane": "Hears what a page asks as it arrives, also while a cell awaits.",
    "page": "Whether a page that shows cards answers this kernel: a small card asks, and vanishes.",
    "extensions": "What JupyterLab needs to show widgets, in this kernel's environment. The server may run in another.",
    "credentials": "What Gemini would be asked with. Values are never shown.",
    "proxy": "The way to Gemini. A proxy's user name and password are never shown.",
    "certificates": "Certificates that the environment names.",
    "demo": "The local Gemini, which needs no key and no internet.",
}
"""Topic to what it is about, in the order of a report."""

_RESTART = '`%pip install "{wanted}"` in a cell, then restart the kernel.'
_SERVER = (
    "The usual cause is a server (JupyterHub, or a kernel of another environment) whose own environment lacks what "
    "shows widgets: `pip install anywidget ipywidgets` there, restart the server and load the page anew. Else the page "
    "is closed or disconnected, or there is none (nbconvert, papermill)."
)
_TRIED = "Stop works as the line on ipykernel says. For the fast lane: " + _RESTART
_DEMO = '`model="demo"` needs none.'
_DIRECT = '`model="demo"` never asks a proxy.'

CASES: dict[str, Case] = {
    "pending": Case("", "unknown", "Being tried; this line changes by itself."),
    "pending.unshown": Case("", "unknown", "Being tried: `await report.wait()` waits for it."),
    "failed": Case("", "unknown", "This check failed itself, with {error}: what it looks at is not known."),
    # -- this environment ----------------------------------------------------------------------------------------------
    "versions.fit": Case("versions", "ok", "Python {python}, {packages}."),
    "versions.python": Case(
        "versions",
        "problem",
        "Python is {version}, and gemstream_widget needs {range}.",
        "Make an environment with such a Python, and install gemstream_widget there.",
    ),
    "versions.missing": Case("versions", "problem", "{package} is not installed in this environment.", _RESTART),
    "versions.unneeded": Case("versions", "ok", "{package} is not installed, and nothing needs it here."),
    "versions.range": Case(
        "versions", "problem", "{package} is {version}, and gemstream_widget needs {range}.", _RESTART
    ),
    "versions.loaded": Case(
        "versions",
        "note",
        "{package} {version} is installed, but this process still runs {loaded}.",
        "Restart the kernel.",
    ),
    "versions.unpacked": Case(
        "versions",
        "note",
        "gemstream_widget is imported from a folder and is not installed, so what it needs is not known. Python "
        "{python}, {packages}.",
        "`%pip install -e FOLDER`, with the folder of its pyproject.toml.",
    ),
    "bundle.whole": Case("bundle", "ok", "The page's code is here: {names}."),
    "bundle.missing": Case(
        "bundle",
        "problem",
        "The page's code is not whole: {names} missing.",
        "Install a wheel, or run `make build` in the checkout.",
    ),
    # -- the host ------------------------------------------------------------------------------------------------------
    "host.kernel": Case("host", "ok", "A kernel of ipykernel."),
    "host.other": Case("host", "note", "A kernel that is not ipykernel's: cards depend on what its page can do."),
    "host.marimo": Case("host", "ok", "A marimo notebook: cards work there, without ipykernel."),
    "host.terminal": Case("host", "note", "An IPython terminal: answers are printed as they come."),
    "host.script": Case("host", "note", "Python without a notebook: runs work, and no card is shown."),
    "loop.runs": Case("event loop", "ok", "It runs here, and so do runs."),
    "loop.terminal": Case(
        "event loop", "ok", "A terminal's stands still between cells, so runs live on one of our own, in a thread."
    ),
    "loop.none": Case(
        "event loop",
        "note",
        "None runs here, and runs need one.",
        'Give `runner="thread"`, as in `gem.ask("...", runner="thread")`.',
    ),
    "ipykernel.6": Case(
        "ipykernel",
        "note",
        "{version}: Stop and approvals are heard while a cell awaits. While a cell blocks they wait for its end; the "
        "kernel's own interrupt works.",
        'To be heard while a cell blocks: `%pip install "ipykernel>=7"`, restart the kernel, and `runner="thread"`.',
    ),
    "ipykernel.6.deaf": Case(
        "ipykernel",
        "note",
        "{version} without the fast lane: Stop and approvals wait for the end of a cell that awaits or blocks; the "
        "kernel's own interrupt works.",
        'To be heard: `%pip install "ipykernel>=7.4"`, then restart the kernel.',
    ),
    "ipykernel.7": Case(
        "ipykernel",
        "ok",
        '{version}: Stop and approvals are heard while a cell awaits and, with `runner="thread"`, while one blocks.',
    ),
    "ipykernel.7.deaf": Case(
        "ipykernel",
        "note",
        '{version} without the fast lane: while a cell awaits or, with `runner="thread"`, blocks, Stop and approvals '
        "are heard only from pages that use subshells, as JupyterLab 4.6 and Notebook 7.6 do.",
        'To be heard from others while a cell awaits: `%pip install "ipykernel>=7.4"`, then restart the kernel.',
    ),
    "ipykernel.7.4.deaf": Case(
        "ipykernel",
        "note",
        "{version} without the fast lane: Stop and approvals are heard while a cell awaits. While a cell blocks they "
        "wait for its end; the kernel's own interrupt works.",
    ),
    "ipykernel.old": Case("ipykernel", "note", "Whether Stop is heard with {version} was never tried."),
    "lane.hooked": Case("fast lane", "ok", "In place."),
    "lane.idle": Case("fast lane", "note", "Not in place yet: it comes with the first card that can be made."),
    "lane.no kernel": Case("fast lane", "note", "There is none without ipykernel."),
    "lane.no stream": Case("fast lane", "note", "Not in place: this ipykernel has no `shell_stream`.", _TRIED),
    "lane.no callback": Case("fast lane", "note", "Not in place: this pyzmq has no `_recv_callback`.", _TRIED),
    "lane.late": Case(
        "fast lane", "note", "Not in place: the kernel's thread for messages did not take it.", "Restart the kernel."
    ),
    "lane.replaced": Case(
        "fast lane",
        "note",
        "It was in place; something else listens at the kernel's socket now.",
        "Restart the kernel, and show a card after whatever else listens there.",
    ),
    # -- the page ------------------------------------------------------------------------------------------------------
    "page.asked": Case("page", "unknown", "A small card asks the page; it has {seconds:.0f} s to answer."),
    "page.answers": Case("page", "ok", "A page of this kernel answers."),
    "page.late": Case("page", "note", "A page of this kernel answers, but took longer than {seconds:.0f} s."),
    "page.silent": Case("page", "problem", "No page answered within {seconds:.0f} s.", _SERVER),
    "page.unmade": Case("page", "problem", "No card can be made here: {error}.", "See versions and bundle."),
    "page.none": Case("page", "note", "There is none here."),
    "page.untried": Case("page", "note", "Not tried here: show a card, as in `gem.Card([run])`."),
    "extensions.here": Case("extensions", "ok", "In this environment: {names}."),
    "extensions.elsewhere": Case(
        "extensions", "ok", "Not in this environment: {names}. The page answers, so its server has them elsewhere."
    ),
    "extensions.missing": Case(
        "extensions",
        "note",
        "Not in this environment: {names}. That matters if JupyterLab runs in it.",
        "`pip install anywidget ipywidgets` where JupyterLab runs, restart it and load the page anew.",
    ),
    # -- credentials ---------------------------------------------------------------------------------------------------
    "key.set": Case("credentials", "ok", "{name} is set."),
    "key.none": Case(
        "credentials",
        "problem",
        "Neither GOOGLE_API_KEY nor GEMINI_API_KEY is set, and no Vertex AI settings were found: Gemini cannot be "
        "asked.",
        "Set GEMINI_API_KEY in the kernel's environment, or give `api_key=`; " + _DEMO,
    ),
    "key.blank": Case("credentials", "problem", "{name} is set, but blank.", "Set it to a key, or unset it; " + _DEMO),
    "key.shadow": Case(
        "credentials",
        "problem",
        "GOOGLE_API_KEY is blank, and the SDK takes it before GEMINI_API_KEY.",
        "Unset GOOGLE_API_KEY.",
    ),
    "key.both": Case(
        "credentials",
        "note",
        "GOOGLE_API_KEY and GEMINI_API_KEY are both set; the SDK takes GOOGLE_API_KEY.",
        "Unset the one that is not meant.",
    ),
    "key.edges": Case(
        "credentials",
        "note",
        "{name} begins or ends with a space or a line break, which the SDK takes off.",
        "Set it without.",
    ),
    "key.unfit": Case(
        "credentials",
        "problem",
        "{name} holds {what}, which no key does.",
        "Copy the key again, and nothing around it.",
    ),
    "cloud.on": Case("credentials", "ok", "Vertex AI, by {switch}, with {given}."),
    "cloud.word": Case(
        "credentials",
        "note",
        "{switch} is set to a word that the SDK takes for no.",
        "Set it to `true`, or unset it.",
    ),
    "cloud.conflict": Case(
        "credentials",
        "note",
        "GOOGLE_GENAI_USE_ENTERPRISE and GOOGLE_GENAI_USE_VERTEXAI say different things; the first counts.",
        "Unset one of them.",
    ),
    "cloud.unused": Case(
        "credentials",
        "note",
        "{name} is not used: the SDK takes the project and location first.",
        "Unset GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION if the key is meant.",
    ),
    "cloud.project": Case(
        "credentials",
        "note",
        "GOOGLE_CLOUD_PROJECT is not set: the login in use must name a project.",
        "Set GOOGLE_CLOUD_PROJECT.",
    ),
    "login.file": Case("credentials", "ok", "The application default credentials are a file, which is there."),
    "login.gone": Case(
        "credentials",
        "problem",
        "GOOGLE_APPLICATION_CREDENTIALS names a file that is not there.",
        "Correct it, or unset it and run `gcloud auth application-default login`.",
    ),
    "login.none": Case(
        "credentials",
        "note",
        "There is no file of application default credentials: only a machine of Google Cloud does without.",
        "Elsewhere, run `gcloud auth application-default login`.",
    ),
    # -- the way to Gemini ---------------------------------------------------------------------------------------------
    "proxy.none": Case("proxy", "ok", "None is set for {host}."),
    "proxy.exempt": Case("proxy", "ok", "One is set, and NO_PROXY exempts {host} from it."),
    "proxy.open": Case("proxy", "ok", "{host} is asked through {proxy}, which takes connections. " + _DIRECT),
    "proxy.refused": Case(
        "proxy",
        "problem",
        "{host} would be asked through {proxy}, which takes no connection: {error}.",
        "Correct {variable}, or exempt {host} by NO_PROXY. " + _DIRECT,
    ),
    "proxy.silent": Case(
        "proxy",
        "problem",
        "{host} would be asked through {proxy}, which did not take a connection within {seconds:.0f} s.",
        "Correct {variable}, or exempt {host} by NO_PROXY. " + _DIRECT,
    ),
    "proxy.target": Case("proxy", "problem", "{name} cannot be read as an address.", "Write it as `https://host`."),
    "proxy.unreadable": Case(
        "proxy",
        "problem",
        "The proxy for {host} cannot be read as an address.",
        "Write {variable} as `http://host:port`, with anything unusual in the user name "
        "and password as %XX. " + _DIRECT,
    ),
    "proxy.socks": Case(
        "proxy", "problem", "{host} would be asked through {proxy}, which needs the package socksio.", _RESTART
    ),
    "certificates.unnamed": Case("certificates", "ok", "The environment names none: the usual ones count."),
    "certificates.elsewhere": Case(
        "certificates",
        "note",
        "{names} is not read for Gemini: the usual ones count.",
        "Set SSL_CERT_FILE to the same file, if your company's proxy signs connections anew.",
    ),
    "certificates.there": Case("certificates", "ok", "{names}: there."),
    "certificates.unread": Case(
        "certificates",
        "problem",
        "{name} cannot be used: {why}. Gemini cannot be asked then.",
        "Correct it, or unset it. " + _DEMO,
    ),
    "demo.works": Case(
        "demo", "ok", 'The local Gemini starts and listens on 127.0.0.1: `model="demo"` works, and asks no proxy.'
    ),
    "demo.fails": Case(
        "demo",
        "problem",
        "The local Gemini cannot listen on 127.0.0.1 here: {error}.",
        "A sandbox or a firewall may forbid it: allow this Python to listen on 127.0.0.1.",
    ),
}
"""Every finding there is, by a name of its own."""


def finding(case: str, topic: str = "", /, **values: object) -> Finding:
    """The finding of this name in CASES, with `values` in its words. Whatever they hold, no key is in them."""
    told = CASES[case]

    def fill(text: str) -> str:
        return redact(clean_text(text.format(**values)))

    return Finding(topic or told.topic, told.level, fill(told.words), told.advice and fill(told.advice))
