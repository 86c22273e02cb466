"""Writes docs/options.md from the one list of options; `python -m tests.make_options`. A test compares them."""

from __future__ import annotations

from pathlib import Path

from gemstream_widget._engine.options import OPTIONS

PAGE = Path(__file__).parent.parent / "docs" / "options.md"

HEAD = """\
# Options

`Chat(...)`, `ask(prompt, ...)` and `load_chat(path, ...)` take the same options, all by name. They are checked where
they are given: a name, a value or a setting of the SDK's config that does not fit raises `gem.InvalidOption`, with the
nearest right name. `chat.options` holds them as they are set; `chat.change(...)` sets others. Each is read when a run
is sent, and a run that is going keeps those it was sent with; `history` is read once, by `Chat`.

| option | takes | default | what it means |
|---|---|---|---|
"""


def page() -> str:
    """The page, whole."""
    rows = [
        f"| `{name}` | {option.takes} | `{option.default!r}` | {option.doc} |"
        for name, option in OPTIONS.items()
        if name != "clock"
    ]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
