"""The doctor with each ipykernel: whether a page answers, what this version can, and what is told of silence."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from benchmarks.setting import Setting

from .kernel_client import Kernel, kernel_of
from .kernels import environments, number
from .report import Control, Found, Row

__all__ = ["measure"]

_SETTLED_S = 20.0
_FORGET = "from gemstream_widget._notebook import card; card._heard.clear()"
_TELL = (
    "import json; report = await report.wait()\n"
    "print(json.dumps({found.topic: [found.level, found.words, found.advice] for found in report}))"
)
_ASK = "import time, gemstream_widget as gem\nreport = gem.doctor()\n"
_RETURNED, _AWAITING, _BLOCKED, _SILENT = (
    "doctor: a page that answers is told, the cell has returned",
    "doctor: the same while the cell awaits",
    "doctor: the same when a cell has blocked for longer than the page has to answer",
    "doctor: a page that says nothing is told, with what to do",
)
_VERSION = "doctor: what this ipykernel can is told, and that the fast lane is in place"
_CELLS = {_RETURNED: _ASK, _AWAITING: _ASK + "_ = await report.wait()", _BLOCKED: _ASK + "time.sleep(7)", _SILENT: _ASK}


class _Kernel(Kernel):
    """Its page shows no runs: it asks for the state of each card, as pages do, or says nothing at all."""

    answers = True

    def _take(self, message: dict[str, Any], at_s: float) -> None:
        content = message["content"]
        if message["msg_type"] != "comm_open":
            super()._take(message, at_s)
        elif self.answers and "snapshot" in content["data"].get("state", {}):
            resync = {"method": "custom", "content": {"op": "resync", "run": None, "have": 0}}
            said = {"comm_id": content["comm_id"], "data": resync}
            self._client.shell_channel.send(self._client.session.msg("comm_msg", said))


def measure(setting: Setting) -> Found:
    """In short, only the kernel of this environment, and no cell that blocks."""
    pythons, skipped = environments(setting)
    claims = (_RETURNED, _AWAITING, _SILENT) if setting.quick else (_RETURNED, _AWAITING, _BLOCKED, _SILENT)
    failures: defaultdict[str, list[str]] = defaultdict(list)
    unheard = []
    for version, python in pythons.items():
        with kernel_of(python, _Kernel) as kernel:
            for claim in claims:
                kernel.answers = claim != _SILENT
                found = _report(kernel, _CELLS[claim])
                wanted = "ok" if kernel.answers else "problem"
                failures[claim] += _unlike(version, found, "page", wanted)
                if not kernel.answers:
                    unheard.append(found["page"][0] != "ok" and "anywidget" in found["page"][2])
                if claim == _RETURNED:
                    can = "note" if number(version) < (7, 0) else "ok"
                    failures[_VERSION] += _unlike(version, found, "ipykernel", can)
                    failures[_VERSION] += _unlike(version, found, "fast lane", "ok")
                    deaf = _deaf(kernel)
                    failures[_VERSION] += [] if deaf == "note" else [f"ipykernel {version}, without the lane: {deaf}"]
    silence = Control("a page that says nothing", bool(unheard) and all(unheard))
    answer = Control("a page that answers", not failures[_RETURNED])
    rows = [Row(claim, len(pythons), failures[claim], answer if claim == _SILENT else silence) for claim in claims]
    lane = Control("the hook taken off", not [fault for fault in failures[_VERSION] if "without the lane" in fault])
    return Found([*rows, Row(_VERSION, len(pythons), failures[_VERSION], lane)], skipped=skipped)


def _report(kernel: _Kernel, source: str) -> dict[str, Any]:
    """What the doctor tells in a cell like this, by topic: level, words, what to do."""
    kernel.run(_FORGET)
    kernel.finish(kernel.start(source))
    found: dict[str, Any] = json.loads(kernel.run(_TELL))
    return found


def _deaf(kernel: _Kernel) -> str:
    """How the fast lane is told of once something else has taken its place."""
    kernel.run(
        "from gemstream_widget._notebook import fastlane\n"
        "stream, hook = fastlane.kernel().shell_stream, fastlane._hook\n"
        "stream._recv_callback = lambda frames: hook(frames)"
    )
    level = str(_report(kernel, _ASK)["fast lane"][0])
    kernel.run("stream._recv_callback = hook")
    return level


def _unlike(version: str, found: dict[str, Any], topic: str, level: str) -> list[str]:
    told, words, _ = found[topic]
    return [] if told == level else [f"ipykernel {version}, {topic}: {told} in place of {level}: {words}"]
