"""Hostile answers in a real browser: nothing runs and nothing leaves, and on a naive page the same answers do."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.markdown_bench import ORIGIN, ROOT, Open, bench, files, open_page

# The fixtures come from markdown_bench.
__all__ = ["bench", "files", "open_page"]

pytestmark = pytest.mark.timeout(120)

PAYLOADS = json.loads((ROOT / "tests/data/payloads.json").read_text())
TRUSTED_TYPES = "require-trusted-types-for 'script'"


RENDER_ALL = """async ([payloads, load]) => {
  window.ran = [];
  window.alert = text => ran.push(text);
  const roots = [];
  for (const text of payloads) {
    for (const pieces of [[text], gs.cut(text, 1, 7), [...text]]) {
      const root = document.createElement('div');
      document.getElementById('box').append(root);
      const stream = gs.stream(root, load ? {loadModule: gs.loader(true).load} : {});
      for (const piece of pieces) { stream.write(piece); stream.flush(); }
      stream.end();
      stream.flush();
      roots.push(root);
    }
    if (load) await gs.settled();
  }
  await new Promise(resolve => setTimeout(resolve, 300));
  for (const root of roots) gs.poke(root);
  await new Promise(resolve => setTimeout(resolve, 300));
  return {ran, found: [...new Set(roots.flatMap(root => [...root.querySelectorAll('*')].flatMap(element =>
    [element.localName, ...element.getAttributeNames().map(name => '@' + name)])))].sort()};
}"""

# Everything a hostile answer may put on the page.
ELEMENTS = set(
    "a b blockquote br button code div em h1 hr input li ol p pre span strong sub kbd mark table tbody td th thead "
    "tr ul del q i math mrow mi mo mn mtext mspace mpadded mtable mtr mtd msub msup mfrac menclose merror".split()
)
ATTRIBUTES = {
    f"@{name}"
    for name in (
        "aria-hidden aria-label checked class dir disabled display href rel role scope start style tabindex target "
        "title type colspan displaystyle scriptlevel mathvariant form stretchy lspace rspace width height mathcolor "
        "separator"
    ).split()
}


@pytest.mark.parametrize("load", [False, True], ids=["plain", "with modules"])
@pytest.mark.parametrize("policy", ["", TRUSTED_TYPES], ids=["no policy", "trusted types"])
@pytest.mark.timeout(300)
def test_nothing_hostile_runs(open_page: Open, policy: str, load: bool) -> None:
    bench = open_page(policy)
    result = bench.js(RENDER_ALL, [PAYLOADS["xss"], load])
    assert result["ran"] == []
    assert set(result["found"]) <= ELEMENTS | ATTRIBUTES
    assert bench.errors == []
    assert bench.outside == []
    assert len(bench.page.context.pages) == 1
    assert bench.page.url == f"{ORIGIN}/"


@pytest.mark.timeout(300)
def test_nothing_leaves_before_a_click(open_page: Open) -> None:
    bench = open_page()
    result = bench.js(RENDER_ALL, [PAYLOADS["exfil"], False])
    assert "img" not in result["found"]
    assert bench.outside == []


def test_there_are_enough_hostile_answers() -> None:
    assert len(set(PAYLOADS["xss"])) >= 100
    assert len(set(PAYLOADS["exfil"])) >= 28


NAIVE_RUN = """async payloads => {
  const frames = payloads.map(text => {
    const frame = document.createElement('iframe');
    document.body.append(frame);
    frame.ran = 0;
    frame.contentWindow.alert = () => frame.ran++;
    try { frame.contentDocument.body.innerHTML = naive(text); } catch (error) { frame.refused = true; }
    return frame;
  });
  await new Promise(resolve => setTimeout(resolve, 800));
  for (const frame of frames) try { gs.poke(frame.contentDocument.body); } catch {}
  await new Promise(resolve => setTimeout(resolve, 300));
  return {ran: frames.filter(frame => frame.ran > 0).length, refused: frames.filter(frame => frame.refused).length};
}"""


def test_the_same_answers_run_on_a_naive_page(open_page: Open) -> None:
    """The positive control: these payloads do run, and do fetch, where HTML strings reach the page."""
    bench = open_page(path="/naive")
    assert bench.js(NAIVE_RUN, PAYLOADS["xss"])["ran"] >= 60
    leaking = open_page(path="/naive")
    leaking.js(NAIVE_RUN, PAYLOADS["exfil"])
    fetched = {re.sub(r"[a-d]?([?#].*)?$", "", request.url) for request in leaking.outside}
    assert len(fetched) >= 30


def test_trusted_types_refuse_the_naive_page(open_page: Open) -> None:
    assert open_page(TRUSTED_TYPES, "/naive").js(NAIVE_RUN, PAYLOADS["xss"][:5])["refused"] == 5


def test_an_image_loads_on_click_only_and_without_a_referrer(open_page: Open) -> None:
    bench = open_page()
    bench.js(
        """() => {
          const stream = gs.stream(document.getElementById('box'));
          stream.write('[![a](https://img.test/1.png?q=x)](https://link.test) ![b](https://img.test/2.png)\\n\\nend\\n\\n');
          stream.end();
          stream.flush();
        }"""
    )
    page = bench.page
    assert page.locator("a button").count() == 0
    assert page.locator(".gs-image-url").first.inner_text() == "https://img.test/1.png?q=x"
    first = page.get_by_role("button", name="Load image from img.test").first
    assert first.get_attribute("title") == "https://img.test/1.png?q=x"
    assert bench.outside == []
    with page.expect_event("requestfailed"):
        first.click()
    assert [request.url for request in bench.outside] == ["https://img.test/1.png?q=x"]
    assert "referer" not in bench.outside[0].headers
    assert page.get_by_role("button", name="Load image from img.test").count() == 1


def test_the_source_never_parses_html() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|\beval\("
    )
    sources = [path for path in (ROOT / "js").rglob("*.ts") if not path.name.endswith(".test.ts")]
    assert len(sources) > 20
    assert [path.name for path in sources if forbidden.search(path.read_text())] == []
