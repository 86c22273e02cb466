"""Request bodies that the real Gemini answered with 200, as the recordings hold them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Recorded(NamedTuple):
    name: str
    body: dict[str, Any]
    model: str
    vertex: bool


def recorded_requests(root: Path) -> Iterator[Recorded]:
    """Every recorded request to generateContent."""
    for path in sorted((root / "requests").glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        if asked := re.search(r"models/([^:?]+):", recorded["url"] or ""):
            _restore_cut_data(recorded["body"])
            vertex = "aiplatform" in recorded["url"] or "publishers" in recorded["url"]
            yield Recorded(path.name, recorded["body"], asked[1], vertex)


def _restore_cut_data(recorded: dict[str, Any]) -> None:
    """Long inline data is cut in the recordings, with a note in its place; cut it where base64 may end."""
    for content in recorded["contents"]:
        for part in content["parts"]:
            data, cut, _ = ((part.get("inlineData") or {}).get("data") or "").partition("...<truncated")
            if cut:
                part["inlineData"]["data"] = data[: len(data) // 4 * 4]
