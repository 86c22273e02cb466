"""Where the recorded streams are, and what every test may rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(__file__).parent / "data"


def corpus_root() -> Path | None:
    """The folder of recorded streams: GEMSTREAM_CORPUS, or shared/corpus beside the checkout; None where absent."""
    named = os.environ.get("GEMSTREAM_CORPUS")
    places = [Path(named)] if named else [ROOT.parent / "shared" / "corpus"]
    return next((p for p in places if (p / "INDEX.json").exists()), None)


@pytest.fixture(scope="session")
def corpus() -> Path:
    root = corpus_root()
    if root is None:
        pytest.skip("the recorded streams are not here: set GEMSTREAM_CORPUS to their folder")
    return root


def corpus_streams() -> list[Path]:
    root = corpus_root()
    return sorted(root.glob("*/*.jsonl")) if root else []


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may find a key, a Google project or a proxy in the environment."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "GEMINI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
