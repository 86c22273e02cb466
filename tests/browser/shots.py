"""Pictures of every scripted state, light beside dark, wide and narrow.

python -m tests.browser.shots FOLDER [NAME ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, build, chromium_path, serve

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


# What a reader has typed in some pictures, which are of another state.
TYPED = {
    "edited": ("waiting", {"where": "id in (1042, 1077)"}),
    "invalid": ("waiting", {"limit": "300", "where": ""}),
    "edited_everything": ("waiting_everything", {"tags": '["duplicate"', "content": "# Report\n\nRevenue fell."}),
}
TYPE = """values => {
  for (const { shadowRoot } of document.querySelectorAll(".gemstream"))
    for (const label of shadowRoot.querySelectorAll(".fields > label")) {
      const value = values[label.firstChild.textContent];
      if (value === undefined) continue;
      const control = shadowRoot.getElementById(label.htmlFor);
      control.value = value;
      control.dispatchEvent(new Event("input"));
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
            for name in wanted or [*page.evaluate("window.gem.names"), *TYPED]:
                state, typed = TYPED.get(name, (name, {}))
                page.evaluate(SHOW, [state, width])
                page.wait_for_timeout(700)
                page.evaluate(TYPE, typed)
                page.locator("#cells").screenshot(path=str(folder / f"{name}-{width}.png"))
            page.close()
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
