"""docs/journal.md names every kind of line and every field."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from gemstream_widget._archive.journal_file import FORMAT
from gemstream_widget._stream import entries

TEXT = (Path(__file__).parent.parent / "docs" / "journal.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, flags=re.MULTILINE))
KINDS = [kind for kind in get_args(entries.Entry) if kind is not entries.Unknown]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
def test_every_field_of_an_entry_is_told(kind: type) -> None:
    told = set(re.findall(r"`(\w+)`", ROWS[kind.kind]))  # type: ignore[attr-defined]
    assert {f.name for f in fields(kind)} - {"at_s"} <= told


def test_the_header_of_a_run_and_the_format_are_told() -> None:
    assert {f.name for f in fields(entries.Header)} <= set(re.findall(r"`(\w+)`", ROWS["run"]))
    assert f'"{FORMAT}"' in ROWS["journal"]
    chats = {"journal", "chat", "history", "run", "left", "mend", "head", "frame"}
    assert set(ROWS) == chats | {kind.kind for kind in KINDS}
