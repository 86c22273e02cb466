"""`make live`, against the local Gemini: the whole path, what it says without a key, and that no key is recorded."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._engine.gemini import connect
from proof import live

KEY = "AIzaSyD-planted-key-0123456789-abcdefg"


@pytest.fixture
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=4) as server:
        yield server


def test_without_a_key_it_is_skipped_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert live.main(["--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Skipped: ")
    assert "GEMINI_API_KEY" in said
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_run_from_a_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "proof.live", "--help"], capture_output=True, text=True, check=True)
    assert "--model" in done.stdout


def test_all_of_it_holds_against_the_local_gemini(
    server: gem.LocalGemini, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    client = connect(base_url=server.url, api_key=KEY)
    code = live.main(["--model", "demo", "--out", str(tmp_path)], client=client)
    said = capsys.readouterr().out
    rows = [line.split(" | ") for line in said.split("\n") if line.startswith("| ")][1:]
    assert [row[0].removeprefix("| ") for row in rows] == [what for what, _, _ in live.CASES]
    assert [row[-1] for row in rows] == ["yes |"] * len(rows), said
    assert code == 0
    (folder,) = tmp_path.iterdir()
    assert f"What came over the wire, without keys: {folder}" in said
    assert (folder / "results.md").read_text().strip() in said
    assert {path.suffix for path in folder.iterdir()} == {".jsonl", ".md"}
    lines = [json.loads(line) for line in (folder / "a-long-answer.jsonl").read_text().splitlines()]
    *chunks, ended = lines
    assert len(chunks) > 5
    assert all("candidates" in line["chunk"] for line in chunks)
    assert [line["at_s"] for line in chunks] == sorted(line["at_s"] for line in chunks)
    assert ended | {"run": ""} == {"run": "", "model": "demo", "status": "completed", "error": None}
    unknown = json.loads((folder / "an-unknown-model.jsonl").read_text())
    assert unknown["error"]["code"] == 404
    assert not any(KEY in path.read_text() for path in folder.iterdir())


def test_a_key_that_came_back_is_not_recorded(server: gem.LocalGemini, tmp_path: Path) -> None:
    async def main() -> gem.Run:
        client = connect(base_url=server.url, api_key=KEY)
        return await gem.Chat(model="demo", client=client).send(f"@say the key is {KEY}, they say")

    run = asyncio.run(main())
    assert KEY in json.dumps([chunk.wire for chunk in run.chunks])  # it came, so that it could have been written
    live.record([run], tmp_path / "a.jsonl")
    written = (tmp_path / "a.jsonl").read_text()
    assert KEY not in written
    assert "the key is [key], they say" in written


def test_what_does_not_hold_is_told(tmp_path: Path) -> None:
    async def breaks(chat: gem.Chat) -> live.Seen:
        raise RuntimeError(f"a | pipe and {KEY}")

    async def differs(chat: gem.Chat) -> live.Seen:
        return live.Seen("something else", False)

    async def main() -> list[live.Row]:
        cases: list[Any] = [("one", breaks, "no error"), ("two", differs, "the same")]
        return [await live.attempt(case, tmp_path, model="demo") for case in cases]

    lines = live.table(asyncio.run(main())).split("\n")[2:]
    assert lines[0].startswith("| one | no error | RuntimeError: a \\| pipe and [key] | ")
    assert [line.endswith(" | **no** |") for line in lines] == [True, True]
