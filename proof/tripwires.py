"""What a hostile text must not do to a page, noticed: a detector per kind of harm, and each harm on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import Error, Page, Request

from benchmarks.setting import Setting

from .report import Control

__all__ = ["Seen", "collect", "controls", "painted", "watched"]

_OURS = {
    "/tests/browser/page/index.html",
    "/tests/out/page/harness.js",
    "/favicon.ico",
    *(f"/gemstream_widget/static/{name}.js" for name in ("widget", "approval", "highlight", "math", "sources")),
}


@dataclass
class Seen:
    """What a page did that it must not, by detector."""

    ran: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    painted: list[str] = field(default_factory=list)


@contextmanager
def watched(setting: Setting) -> Iterator[tuple[Page, Seen]]:
    """A harness page whose every request, dialog, window and address is noted; nothing gets out of it."""
    with setting.card_page() as page:
        seen = Seen()
        origin, home = page.evaluate("() => [location.origin, location.href]")

        def asked(request: Request) -> None:
            url = request.url
            inside = url.startswith(f"{origin}/") and url.removeprefix(origin) in _OURS
            if not inside and not url.startswith(f"blob:{origin}/"):
                seen.fetched.append(url)

        context = page.context
        context.route(lambda url: not url.startswith(f"{origin}/"), lambda route: route.abort())
        context.on("request", asked)
        context.on("page", lambda other: seen.moved.append(f"a window: {other.url}"))
        page.on("websocket", lambda socket: seen.fetched.append(socket.url))
        page.on("framenavigated", lambda frame: seen.moved.append(f"from {home} to {frame.url}"))
        page.on("dialog", lambda dialog: (seen.ran.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: seen.ran.append(f"an error: {error}"))
        page.evaluate("() => gem.watch()")
        yield page, seen


def collect(page: Page, seen: Seen) -> None:
    """What the page itself noted."""
    there = page.evaluate("() => ({ran: gem.seen.ran.splice(0), changed: gem.seen.changed.splice(0)})")
    seen.ran += there["ran"]
    seen.changed += there["changed"]


# Room around the card, and nothing around it that clips. `covered`: the card itself lies under a lid.
_SPACE = """() => {
  const style = document.createElement('style');
  style.textContent = '.output { overflow: visible !important } #cells { padding: 260px 180px }';
  document.head.append(style);
}"""
_COVER = """([bottom, visible]) => {
  const host = document.querySelector('.gemstream');
  document.querySelector('#lid')?.remove();
  document.querySelector('#notebook').scrollTop = bottom ? 1e9 : 0;
  const {x, y, width, height} = host.getBoundingClientRect();
  const lid = document.createElement('div');
  lid.id = 'lid';
  lid.style = `position: fixed; z-index: 9; background: #888; left: ${x - 1}px; top: ${y - 1}px; ` +
    `width: ${width + 2}px; height: ${height + 2}px`;
  document.body.append(lid);
  host.style.visibility = visible ? '' : 'hidden';
}"""


def painted(page: Page, show: Callable[[], object]) -> list[str]:
    """Show one card with `show`; where it draws outside its own box, with room around it."""
    page.evaluate(_SPACE)
    show()
    found = []
    for bottom in (False, True):
        shots = []
        for visible in (True, False):
            page.evaluate(_COVER, [bottom, visible])
            shots.append(page.screenshot(animations="disabled", caret="hide"))
        if shots[0] != shots[1]:
            found.append(f"drawn outside the card, seen from its {'end' if bottom else 'start'}")
    return found


# -- controls ---------------------------------------------------------------------------------------------------------

_MARK = "<b style='position:absolute;top:-60px'>escaped</b>"
_PILE = f"<style>.card {{ overflow: visible !important }}</style><b>Z{chr(0x301) * 400}</b>"
_ADDRESS = re.compile(r"leak\.test/\d+|none\.png")
# Detector: what is put on the page on purpose, as HTML into a card or as a script, one after the other.
_HARM: dict[str, Sequence[str]] = {
    "ran": (
        "html:<img src=/favicon.ico?x onerror=alert(1)>",
        "html:<b id=tip onclick=alert(1)>x</b>",
        "js:void setTimeout('throw new Error(1)')",
        "html:<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    ),
    "fetched": (
        "html:<img src=http://leak.test/1>",
        "html:<img src=/tests/none.png>",
        "html:<div style='background:url(http://leak.test/2)'>x</div>",
        "html:<style>@import 'http://leak.test/3';</style>",
        "html:<svg><image href=http://leak.test/4 /></svg>",
        "html:<video poster=http://leak.test/5></video>",
        "head:<link rel=prefetch href=http://leak.test/6>",
        "head:<link rel=icon href=http://leak.test/7>",
        "head:<link rel=preload as=image href=http://leak.test/8>",
        "js:void fetch('http://leak.test/9').catch(() => 0)",
        "js:void navigator.sendBeacon('http://leak.test/10')",
        "js:void new WebSocket('ws://leak.test/11')",
        "html:<a id=tip href='#' ping=http://leak.test/12>x</a>",
    ),
    "moved": (
        "html:<a id=tip href=about:blank target=_blank>x</a>",
        "html:<a id=tip href='#elsewhere'>x</a>",
        "html:<form action='#there'><button id=tip>x</button></form>",
    ),
    "changed": (
        "js:document.body.append('escaped')",
        "js:void (document.title = 'escaped')",
        "head:<link rel=dns-prefetch href=//leak.test>",
        "head:<base href=http://leak.test/>",
    ),
    "built": (
        "html:<a href='javascript:void 0'>x</a>",
        "html:<a href='data:text/html,x'>x</a>",
        "html:<a href='/api'>x</a>",
        "html:<b onclick=''>x</b>",
        *(f"html:<{name}></{name}>" for name in "script style iframe object embed form link base meta".split()),
        "html:<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>",
        "html:<div style='position:fixed'>x</div>",
        "html:<div style='background:url(x)'>x</div>",
        "html:<b class='x&quot;'>x</b>",
        "html:<b id=body>x</b>",
        "html:<button formaction=x>x</button>",
        "html:<input name=x>",
        "html:<a href=https://leak.test target=_blank>x</a>",
    ),
    "hidden": (
        "html:<b>a\u202eb</b>",
        "html:<b>a\u200bb</b>",
        "html:<b title='a\u202eb'>x</b>",
        "html:<input value='a\u202eb'>",
    ),
    "painted": (f"html:{_MARK}", f"html:{_PILE}"),
}  # fmt: skip
_LASTING = {"ran", "moved", "painted"}
"""Where one harm hides the next: each needs a page of its own."""
_PUT = """([place, code]) => {
  const root = document.querySelector('.gemstream').shadowRoot;
  root.querySelector('.harm')?.remove();
  if (place === 'js') return void (0, eval)(code);
  if (place === 'head') return document.head.insertAdjacentHTML('beforeend', code);
  const holder = document.createElement('div');
  holder.className = 'harm';
  root.querySelector('.card').prepend(holder);
  holder.innerHTML = code;
  root.getElementById('tip')?.click();
}"""


def controls(setting: Setting) -> dict[str, Control]:
    """What each detector made of its own harms; one that missed any is none."""
    found = {}
    for detector, harms in _HARM.items():
        if detector in _LASTING:
            missed = [fault for harm in harms for fault in _unnoticed(setting, detector, [harm])]
        else:
            missed = _unnoticed(setting, detector, harms)
        found[detector] = Control(
            f"{len(harms)} done on purpose" + (f", missed {[harm[:40] for harm in missed]}" if missed else ""),
            not missed,
        )
    return found


def _unnoticed(setting: Setting, detector: str, harms: Sequence[str]) -> list[str]:
    """Those of the harms, done one after the other in a fresh page, that nobody sees."""
    with watched(setting) as (page, seen):
        page.evaluate("async () => { window.shown = await gem.show('done') }")
        if detector == "painted":
            page.add_style_tag(content=".output { overflow: visible !important }")
        return [harm for harm in harms if not _noticed(page, seen, detector, harm)]


def _noticed(page: Page, seen: Seen, detector: str, harm: str) -> bool:
    if detector == "painted":
        return bool(painted(page, lambda: page.evaluate(_PUT, harm.split(":", 1))))
    address = _ADDRESS.findall(harm)[-1] if detector == "fetched" else ""  # not one that was asked for before
    setattr(seen, detector, [])
    page.evaluate(_PUT, harm.split(":", 1))
    for _ in range(40):
        with suppress(Error):  # the page may be on its way elsewhere
            collect(page, seen)
            if detector in ("built", "hidden"):
                seen.built = page.evaluate("() => gem.audit(shown.el)")
                seen.hidden = page.evaluate("() => gem.unspelled(shown.el)")
        if any(address in fault for fault in getattr(seen, detector)):
            return True
        page.wait_for_timeout(25)
    return False
