"""One page with the markdown renderer alone, served from a made-up origin.

Every request that is not for that origin is logged and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "gemstream_widget/static"
BUILT = ROOT / "tests/out/page"
ORIGIN = "http://notebook.test"
PAGE = "<!doctype html><meta charset=utf-8><style>%s</style><body><div id=box></div><script src=/markdown.js></script>"


@pytest.fixture(scope="module")
def files(built: None) -> dict[str, bytes]:
    """What the made-up origin serves, by path: the renderer and the modules as they ship, beside a naive page."""
    modules = ("approval.js", "highlight.js", "math.js", "sources.js")
    folders = {"markdown.js": BUILT, "naive.js": BUILT, **dict.fromkeys(modules, STATIC)}
    served = {f"/{name}": (folder / name).read_bytes() for name, folder in folders.items()}
    styles = ("markdown/markdown.css", "modules/highlight/highlight.css", "modules/math/math.css")
    served["/"] = (PAGE % "".join((ROOT / "js" / path).read_text() for path in styles)).encode()
    served["/naive"] = served["/"] + b"<script src=/naive.js></script>"
    return served


class Bench:
    """One page. `outside` lists the requests that tried to leave the origin."""

    def __init__(self, page: Any, files: dict[str, bytes], policy: str = "", path: str = "/") -> None:
        self.page = page
        self.outside: list[Any] = []
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

        def answer(route: Any) -> None:
            url = route.request.url
            wanted = url.removeprefix(ORIGIN)
            if wanted in files and url.startswith(ORIGIN):
                headers = {"content-type": "text/javascript" if wanted.endswith(".js") else "text/html"}
                if policy and wanted == path:
                    headers["content-security-policy"] = policy
                route.fulfill(body=files[wanted], headers=headers)
                return
            if not url.startswith(ORIGIN):
                self.outside.append(route.request)
            route.abort()

        page.route("**/*", answer)
        page.goto(ORIGIN + path)

    def js(self, code: str, argument: object = None) -> Any:
        return self.page.evaluate(code, argument)

    def html(self, *pieces: str) -> str:
        return self.js("pieces => gs.tree(gs.render(pieces))", list(pieces))


Open = Callable[..., Bench]


@pytest.fixture
def open_page(browser: Any, files: dict[str, bytes]) -> Iterator[Open]:
    contexts = []

    def open_(policy: str = "", path: str = "/", **options: Any) -> Bench:
        context = browser.new_context(**options)
        contexts.append(context)
        return Bench(context.new_page(), files, policy, path)

    yield open_
    for context in contexts:
        context.close()


@pytest.fixture
def bench(open_page: Open) -> Iterator[Bench]:
    opened = open_page()
    yield opened
    assert opened.errors == []
