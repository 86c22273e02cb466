"""The models that are named: none that is being shut down, and what is new passes."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._notebook.cell_options import KNOWN_MODELS
from gemstream_widget.server.models import DEMO_MODELS, SUCCESSORS
from tests.conftest import ROOT

SHOWN = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.ipynb")])
MODEL = re.compile(r"\bgemini-\d[\w.-]*\w")


def named(text: str) -> set[str]:
    return set(MODEL.findall(text))


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.name)
def test_no_text_asks_a_model_that_is_shut_down(path: Path) -> None:
    assert named(path.read_text(encoding="utf-8")) <= {*DEMO_MODELS}
    assert named('ask("hi", model="gemini-2.5-flash")') == {*SUCCESSORS} - {"gemini-2.5-pro"}  # it would be seen


def test_the_default_and_what_is_completed_are_models_of_now() -> None:
    assert gem.DEFAULT_MODEL in DEMO_MODELS
    assert gem.DEFAULT_MODEL not in SUCCESSORS
    assert {*KNOWN_MODELS} <= {*DEMO_MODELS}


@pytest.mark.parametrize("model", [gem.DEFAULT_MODEL, "gemini-4-hydrogen"])
def test_every_thinking_level_passes(model: str) -> None:
    async def main(server: gem.LocalGemini, level: str) -> Any:
        config = {"thinking_config": {"thinking_level": level, "include_thoughts": True}}
        run = await gem.Chat(client=server.client(), model=model, config=config).send("@think hm\n@say hi")
        body = server.requests[-1].body
        assert body is not None
        return run.thoughts, run.text, body["generationConfig"]["thinkingConfig"]

    with gem.LocalGemini(speed=math.inf) as server:
        for level in ("LOW", "MEDIUM", "HIGH", "XHIGH"):
            thoughts, text, sent = asyncio.run(main(server, level))
            assert (thoughts, text) == ("hm", "hi")
            assert {value for name, value in sent.items() if "level" in name.lower()} == {level}
