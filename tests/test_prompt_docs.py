"""docs/prompts.md: every row is tried, and every limit is the one in the code."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._request.item import in_words
from gemstream_widget._request.media import LIMIT, PDF_LIMIT
from gemstream_widget._request.prompt import prompt_of
from gemstream_widget._request.table import CELL, COLUMNS, LETTERS, ROWS
from tests.gates import GatedSource
from tests.test_prompt import office

PAGE = (Path(__file__).parent.parent / "docs" / "prompts.md").read_text(encoding="utf-8")
_SIZE = re.compile(r"[\d.]+ (?:bytes|kB|MB)$")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below this header row."""
    table = PAGE.partition(heading + "\n")[2].partition("\n\n")[0]
    lines = table.split("\n")[1:]
    return [[cell.strip() for cell in re.split(r" \|", line.removeprefix("|").removesuffix("|"))] for line in lines]


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page's rows name, in a folder with its files."""
    pd: Any = pytest.importorskip("pandas", reason="pandas is not installed")
    pl: Any = pytest.importorskip("polars", reason="polars is not installed")
    np: Any = pytest.importorskip("numpy", reason="numpy is not installed")
    image: Any = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    figures: Any = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    import IPython
    from google.genai import types

    monkeypatch.chdir(tmp_path)
    image.new("RGB", (64, 48)).save("cat.png")
    image.new("RGB", (64, 48)).save("cat.jpg")
    files = {"report.pdf": b"%PDF-1.7\n", "talk.mp3": b"ID3", "notes.md": b"# Notes", "plan.docx": office("word/a.xml")}
    for name, data in files.items():
        Path(name).write_bytes(data)
    names = ("city", "price", "c", "d", "e", "f", "g")
    figure = figures.Figure()
    figure.subplots().plot([1, 2])
    return {
        "df": pd.DataFrame({name: range(12_408) for name in names}),
        "polars_frame": pl.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}),
        "np": np, "Image": image, "figure": figure, "axes": figure.axes[0], "IPython": IPython, "Path": Path,
        "pdf": b"%PDF-1.7\n", "pcm": b"abc", "types": types,
        "client_file": types.File(name="files/a", uri="https://example.com/files/a", mime_type="application/pdf"),
    }  # fmt: skip


async def runs(held: dict[str, Any]) -> None:
    """Add a finished run, and one that goes on."""
    with gem.LocalGemini(speed=math.inf) as server:
        held["run"] = await gem.Chat(model="demo", client=server.client()).send("@say the answer")
    held["going"] = gem.Chat(model="gemini-test", source=GatedSource()).send("hi")


def kinds(part: Any) -> str:
    return str((part.get("inlineData") or part.get("fileData") or {"mimeType": "text"})["mimeType"])


def test_each_row_is_what_gemini_gets(held: dict[str, Any]) -> None:
    async def main() -> None:
        await runs(held)
        for given, gets, told in rows("| you give | Gemini gets | told as |"):
            prompt = prompt_of(eval(given.strip("`"), held))
            (content,) = prompt.contents
            arrived = ", ".join(map(kinds, content["parts"]))
            assert re.fullmatch(rf"{re.escape(arrived)}([:;] .*)?", gets), given
            words = [
                re.sub(r"run r\d+", "run r1", re.sub(r"figure, \d+ x \d+", "figure, 547 x 413", one))
                for one in prompt.attachments
            ]
            assert [_SIZE.sub("", one) for one in words] == ([_SIZE.sub("", told.strip("`"))] if told else []), given
        held["going"].stop()
        await held["going"].wait()

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_each_refusal_says_so(held: dict[str, Any]) -> None:
    async def main() -> None:
        await runs(held)
        for given, said in rows("| you give | what is said |"):
            with pytest.raises(gem.InvalidPrompt, match=re.escape(said)):
                prompt_of(eval(given.strip("`"), held))
        held["going"].stop()
        await held["going"].wait()

    asyncio.run(main())


def test_the_rows_are_there() -> None:
    assert len(rows("| you give | Gemini gets | told as |")) > 20
    assert len(rows("| you give | what is said |")) > 10


@pytest.mark.parametrize(
    "line",
    [
        f"| rows | {ROWS} |",
        f"| columns | {COLUMNS} |",
        f"| characters in a cell or a name | {CELL} |",
        f"| characters in all | {LETTERS:,}: ",
        f"| of a prompt, as it travels | {in_words(LIMIT)}, which is {in_words(LIMIT // 4 * 3)} of bytes",
        f"| of a PDF | {in_words(PDF_LIMIT)} |",
    ],
)
def test_each_limit_is_the_one_in_the_code(line: str) -> None:
    assert line in PAGE
