"""Pictures of every scripted state, light beside dark, wide and narrow.

python tests/browser/shots.py FOLDER [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import FLAGS, build, chromium_path, serve
from playwright.sync_api import sync_playwright

SHOW = """async ([name, width]) => {
  const cells = document.querySelector("#cells");
  cells.replaceChildren();
  document.querySelectorAll("h1, h2").forEach((heading) => heading.remove());
  cells.style.gridTemplateColumns = `${width}px ${width}px`;
  for (const dark of [false, true]) {
    const pane = document.createElement("div");
    pane.style.cssText = `padding: 16px; background: ${dark ? "#111418" : "#ffffff"}`;
    cells.append(pane);
    await window.gem.show(name, 2.1, pane);
  }
}"""


def main(folder: Path, wanted: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    build()
    server, url = serve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        for width in (720, 360):
            page = browser.new_page(viewport={"width": width * 2 + 120, "height": 1000})
            page.goto(f"{url}/tests/browser/page/index.html")
            page.wait_for_selector("html[data-ready]")
            page.add_style_tag(content="#notebook { height: auto; overflow: visible }")
            for name in wanted or page.evaluate("window.gem.names"):
                page.evaluate(SHOW, [name, width])
                page.wait_for_timeout(500)
                page.locator("#cells").screenshot(path=str(folder / f"{name}-{width}.png"))
            page.close()
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
