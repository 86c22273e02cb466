"""Bytes: the content of our messages, and what crosses JupyterLab's kernel websocket.

Counted in the page, from the frames of the websocket (Jupyter's binary protocol, without the 2 to 10 bytes of a
websocket header): every comm message of the card, while one run streams and until the state of its end has arrived.
`content` is the JSON of the custom messages; `on the websocket` the whole frames. Messages that carry the whole state
(the answer to the page's first resync, and the snapshot that a run's end sends) are in `everything`, and also shown
apart; comm_open, which carries the bundle, is only shown apart. Compared with the `stream` messages of
`print(text, end="", flush=True)`: the same text at the same rate in the same notebook.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, WebSocket

from tests.browser.notebook import Notebook

from .setting import Setting
from .streams import SIZE
from .table import Row, single

__all__ = ["measure"]

_WAIT_S = 0.02


@dataclass(frozen=True)
class Frame:
    """One message from the kernel. `content` is the bytes of a custom message's JSON, else 0."""

    kind: str
    size: int
    content: int
    count: int = 1


class Meter:
    """What a page's websockets receive."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def watch(self, page: Page) -> None:
        """Call before the page loads."""
        page.on("websocket", self._opened)

    def _opened(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", self._received)

    def _received(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            raise RuntimeError("this JupyterLab speaks Jupyter's text protocol, which is not measured here")
        kind, content = _read(payload)
        own = 0
        if kind == "comm_msg":
            data = content["data"]
            kind = data.get("method", "")
            if kind == "custom":
                own = len(json.dumps(data["content"], ensure_ascii=False).encode())
                kind = str(data["content"].get("op"))
        self.frames.append(Frame(kind, len(payload), own))

    def take(self, *kinds: str) -> Frame:
        """The sum of all frames of these kinds since the last call of `clear`."""
        held = [f for f in self.frames if f.kind in kinds]
        return Frame("", sum(f.size for f in held), sum(f.content for f in held), len(held))


def _read(payload: bytes) -> tuple[str, dict[str, Any]]:
    """Type and content of a message in `v1.kernel.websocket.jupyter.org`: offsets, channel, header, parent, metadata,
    content, buffers.
    """
    (count,) = struct.unpack_from("<Q", payload)
    at = struct.unpack_from(f"<{count}Q", payload, 8)
    header = json.loads(payload[at[1] : at[2]])
    return header["msg_type"], json.loads(payload[at[4] : at[5]])


def measure(setting: Setting) -> list[Row]:
    """Content <= 1.5 x the text; live <= 0.75 x print; 1 MB at once <= 1.2 x; growth exponent <= 1.05."""
    meter = Meter()
    with setting.notebook("wire", meter.watch) as notebook:
        rows = _live(notebook, meter, round(setting.count(20, 5) / _WAIT_S))
        rows += _at_once(notebook, meter)
    return rows


_LIVE = ("patch", "beat")
_WHOLE = ("snap", "update")
_ALL = (*_LIVE, *_WHOLE)


def _stream(notebook: Notebook, meter: Meter, count: int, wait_s: float) -> int:
    """Show one run to its end; the length of its text."""
    meter.frames.clear()
    notebook.run(f"run = bench.text({count}, {wait_s})\nrun")
    notebook.run("_ = await run.wait()", timeout_s=60 + count * wait_s)
    outputs = notebook.page.locator(".jp-OutputArea-output")
    outputs.get_by_text("Done").last.wait_for(timeout=30_000)
    for _ in range(100):
        if meter.take("update").count:
            break
        notebook.page.wait_for_timeout(50)
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
    return count * SIZE


def _live(notebook: Notebook, meter: Meter, count: int) -> list[Row]:
    text = _stream(notebook, meter, count, _WAIT_S)
    patches, ours, whole, opening = (meter.take(*kinds) for kinds in (_LIVE, _ALL, _WHOLE, ("comm_open",)))
    meter.frames.clear()
    notebook.run(f"await bench.printing({count}, {_WAIT_S})", timeout_s=60 + count * _WAIT_S)
    printed = meter.take("stream")
    where = f"live at 50 x 40 characters/s for {count * _WAIT_S:.0f} s"
    return [
        single(f"content of patches and beats, {where}", patches.content / text, "x the text", most=1.5),
        single(f"on the websocket, {where}, everything", ours.size / text, "x the text"),
        single(
            "of that, whole states: answer to the page's first resync, snapshot at the end",
            whole.size / text,
            "x the text",
        ),
        single(f"print(flush=True) on the websocket, {where}", printed.size / text, "x the text"),
        single("ours / print, everything", ours.size / printed.size, "x", most=0.75),
        single("ours / print, patches and beats only", patches.size / printed.size, "x"),
        single("patches and beats a second", patches.count / (count * _WAIT_S), "messages/s"),
        single("an envelope (frame less content)", (patches.size - patches.content) / patches.count, "bytes"),
        single("opening a card, once: bundle and first state", opening.size / 1000, "kB"),
    ]


def _at_once(notebook: Notebook, meter: Meter) -> list[Row]:
    """Chunks of 40 characters without any wait, 10 kB to 1 MB."""
    sums: dict[int, Frame] = {}
    for size in (10_000, 31_600, 100_000, 316_000, 1_000_000):
        text = _stream(notebook, meter, size // SIZE, 0.0)
        sums[text] = meter.take(*_ALL)
        patches, snap, end = meter.take(*_LIVE), meter.take("snap"), meter.take("update")
    return [
        single("content of patches and beats, 1 MB at once", patches.content / text, "x the text", most=1.5),
        single("1 MB at once on the websocket, patches and beats", patches.size / text, "x the text"),
        single("1 MB at once, the answer to the page's first resync", snap.size / text, "x the text"),
        single("1 MB at once, the snapshot at the end", end.size / text, "x the text"),
        single("1 MB at once on the websocket, everything", sums[text].size / text, "x the text", most=1.2),
        single("growth exponent of bytes, 10 kB to 1 MB at once", _slope(sums), "", most=1.05),
    ]


def _slope(sums: dict[int, Frame]) -> float:
    """Least squares of log bytes over log text."""
    points = [(math.log(text), math.log(frame.size)) for text, frame in sums.items()]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
