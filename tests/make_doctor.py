"""Writes docs/doctor.md from the one table of what the doctor can say; `python -m tests.make_doctor`. A test compares
them.
"""

from __future__ import annotations

import re
from pathlib import Path

from gemstream_widget._notebook.doctor_words import CASES, TOPICS, Case

PAGE = Path(__file__).parent.parent / "docs" / "doctor.md"

HEAD = """\
# The doctor

`gem.doctor()` says in words what stands between this kernel and a working card. In a notebook the report shows itself
at once, and its lines change as more is known: the page has 5 seconds to answer, counted while the event loop is free,
and a word that comes later still corrects the line. `await gem.doctor().wait()` is the report once all is known; where
no event loop runs, as in a script, `gem.doctor()` returns it finished. Iterate over it, or read `.findings`: each has
`topic`, `level`, `words` and `advice`. `.ok` is true when every finding is "ok" or a "note".

| level | means |
|---|---|
| ok | works |
| note | works, with something to know |
| problem | stands in the way |
| unknown | not known yet, or the check itself failed |

Nothing is sent to Gemini. Of keys and of a proxy's user name and password nothing is shown, not even how long they are.
Below is all that it can say; what stands in braces is filled in.
"""


TABLE = "| level | finding | what to do |\n|---|---|---|"


def page() -> str:
    """The page, whole."""
    lines = [HEAD]
    for topic, about in {**TOPICS, "": "Any topic may say:"}.items():
        rows = [_row(case) for case in CASES.values() if case.topic == topic]
        lines += [f"## {topic or 'all of them'}\n", f"{about}\n", TABLE, *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(case: Case) -> str:
    words = f"| {case.level} | {case.words} | {case.advice or ''} |"
    return re.sub(r":[^{}\s]+}", "}", words)  # without how a number is rounded


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
