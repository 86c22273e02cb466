"""What cannot be sent is refused at once, in one line that names it and what would work; nothing goes out."""

from __future__ import annotations

import asyncio
import io
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._request.media import LIMIT, PDF_LIMIT
from gemstream_widget._request.prompt import Named, prompt_of
from tests.gates import GatedSource

PNG = b"\x89PNG\r\n\x1a\n\xff\xfe\x00"


async def nothing() -> None: ...


def module(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed")


def frame() -> Any:
    return module("pandas").DataFrame({"a": [1, 2]})


def closed_file(tmp_path: Path) -> Any:
    with (tmp_path / "open.txt").open("w") as file:
        return file


def truncated_image(tmp_path: Path) -> Any:
    image = module("PIL.Image")
    out = io.BytesIO()
    image.effect_noise((64, 64), 90).save(out, format="PNG")
    return image.open(io.BytesIO(out.getvalue()[: out.tell() // 2]))


def broken_figure() -> Any:
    figure = module("matplotlib.figure").Figure()
    figure.text(0, 0, "x").draw = lambda renderer: {}["no such color"]
    return figure


def round_part() -> dict[str, Any]:
    part: dict[str, Any] = {"text": "a"}
    part["videoMetadata"] = part
    return part


def written(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(tmp_path: Path) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def sparse(name: str, size: int) -> Callable[[Path], Path]:
    """A file of this size that takes no room on the disk."""

    def write(tmp_path: Path) -> Path:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        return tmp_path / name

    return write


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing": (lambda _: None, r"NoneType\): there is nothing to send"),
    "a number": (lambda _: 7, r"\(int\): a number is no prompt.*str\(value\)"),
    "a bool": (lambda _: True, r"\(bool\): a number"),
    "numpy's number": (lambda _: module("numpy").float64(1), r"\(float64\): a number"),
    "an array of no dimension": (lambda _: module("numpy").array(1), r"array without dimensions.*str\(value\)"),
    "a picture as an array": (lambda _: module("numpy").zeros((4, 5, 3)), r"3 dimensions, 4 x 5 x 3.*PIL\.Image\.from"),
    "a generator": (lambda _: (i for i in "ab"), r"generator.*list\(value\)"),
    "a map": (lambda _: map(str, "ab"), r"\(map\): it is no list.*list\(value\)"),
    "a range": (lambda _: range(3), r"list\(value\)"),
    "a set": (lambda _: {"a"}, r"\(set\).*sorted\(value\)"),
    "a function": (lambda _: nothing, r"\(function\).*Call it.*tools="),
    "a class": (lambda _: int, r"a class is no prompt"),
    "a module": (lambda _: math, r"\(module\): a module is no prompt"),
    "a method": (lambda _: "a".upper, r"a function is no prompt"),
    "plain data": (lambda _: {"a": 1}, r"\(dict\): it has no field of a part.*json\.dumps"),
    "an object": (lambda _: object(), r"\(object\): Gemini cannot read it\. Give text"),
    "a file that is open": (lambda _: io.BufferedReader(io.FileIO(os.devnull)), r"open file.*pathlib\.Path"),
    "a file that was closed": (closed_file, r"an open file.*pathlib\.Path"),
    "a buffer": (lambda _: io.BytesIO(PNG), r"\(BytesIO\).*getvalue\(\)"),
    "bytes of no type": (lambda _: b"abc", r"\(bytes\).*\(data, \"image/png\"\)"),
    "no bytes": (lambda _: b"", r"\(bytes\): it holds no bytes"),
    "no bytes of a type": (lambda _: (b"", "image/png"), r"holds no bytes"),
    "no base64": (lambda _: {"inlineData": {"data": "%%%"}}, r"neither bytes nor base64: '%%%'"),
    "bytes in a response": (
        lambda _: {"functionResponse": {"name": "f", "response": {"a": b"x"}}},
        r"functionResponse\.response is no JSON.*functionResponse\.parts",
    ),
    "a file in a response": (
        lambda _: {"functionResponse": {"name": "f", "response": {}, "parts": [PNG]}},
        r"functionResponse\.parts hold a bytes\. Give \{\"inlineData\"",
    ),
    "bytes in metadata": (lambda _: {"text": "a", "part_metadata": {"k": b"x"}}, r"its partMetadata is no JSON.*bytes"),
    "a lock in a part": (lambda _: {"text": "a", "later": threading.Lock()}, r"its later is no JSON.*lock"),
    "a part that holds itself": (lambda _: round_part(), r"its videoMetadata is no JSON: Circular"),
    "a blob with an object": (
        lambda _: {"inlineData": {"data": b"x", "mimeType": "a/b", "displayName": object()}},
        r"its inlineData is no JSON",
    ),
    "an empty part": (lambda _: {}, r"\(dict\): an empty part"),
    "a folder": (lambda tmp: tmp, r"is a folder.*iterdir"),
    "a missing file": (lambda tmp: tmp / "no.txt", r"there is no file .*no\.txt"),
    "a device": (lambda _: Path(os.devnull), r"no regular file"),
    "a path of no file": (lambda _: Path("a\0b"), r"embedded null|there is no file"),
    "an empty file": (written("a.txt", b""), r"a\.txt is empty"),
    "a file of no known type": (written("a.parquet", b"PAR1\x00\xff"), r"a\.parquet is neither.*pandas\.read_parquet"),
    "another one": (written("a.xyz", b"\x00\xff"), r"a\.xyz is neither.*read_bytes"),
    "a page named as a picture": (written("a.png", b"<html>"), r"a\.png has the name of image/png, but is text"),
    "nonsense named as a PDF": (
        written("a.pdf", b"\xff\xff\xff"),
        r"a\.pdf has the name of application/pdf, but begins",
    ),
    "a large file": (sparse("a.mp4", LIMIT), r"100 MB are more than the 75 MB.*client\.files\.upload"),
    "a large PDF": (sparse("a.pdf", PDF_LIMIT + 1), r"50 MB are more than the 50 MB of a PDF.*client\.files\.upload"),
    "large bytes": (lambda _: (bytes(LIMIT), "video/mp4"), r"100 MB are more than.*client\.files\.upload"),
    "an image of no size": (lambda _: module("PIL.Image").new("RGB", (0, 5)), r"0 x 5 pixels"),
    "an image of floats": (lambda _: module("PIL.Image").new("F", (5, 5)), r"mode 'F'.*convert"),
    "half an image": (truncated_image, r"\(PngImageFile\): PIL cannot read this image to its end \(.*truncated"),
    "a figure of no size": (
        lambda _: module("matplotlib.figure").Figure(figsize=(0, 0)),
        r"\(Figure\): a figure of 0 x 0 pixels",
    ),
    "a figure that breaks": (lambda _: broken_figure(), r"\(Figure\): matplotlib cannot draw it: KeyError"),
    "an array of axes": (lambda _: module("matplotlib.figure").Figure().subplots(2), r"an array of axes.*value\.flat"),
    "a lazy frame": (lambda _: module("polars").LazyFrame({"a": [1]}), r"\(LazyFrame\): it is not computed.*collect"),
    "an expression": (lambda _: module("polars").col("a"), r"\(Expr\): an expression"),
    "an index": (lambda _: frame().index, r"\(RangeIndex\): an index is no table.*to_series"),
    "groups": (lambda _: frame().groupby("a"), r"\(DataFrameGroupBy\): groups.*mean"),
    "a lazy table of a cluster": (
        lambda _: type("DataFrame", (), {"__module__": "dask.x"})(),
        r"not computed yet.*head",
    ),
    "a table of another library": (lambda _: type("DataFrame", (), {"__module__": "vaex.x"})(), r"table of a library"),
    "an image by address": (
        lambda _: module("IPython.display").Image(url="https://example.com/a.png"),
        r"\(Image\): it holds an address and no bytes",
    ),
    "a video of IPython": (lambda _: module("IPython.display").Video(url="a.mp4"), r"only its Image"),
    "a file that was not uploaded": (
        lambda _: module("google.genai.types").File(name="files/a"),
        r"a File that has no uri.*client\.files\.upload",
    ),
    "an upload that failed": (
        lambda _: module("google.genai.types").File(name="files/a", uri="https://x/a", state="FAILED"),
        r"upload of files/a failed",
    ),
    "an answer of the SDK": (
        lambda _: module("google.genai.types").GenerateContentResponse(),
        r"candidates\[0\]\.content",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_item_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    make, words = BAD[case]
    bad = make(tmp_path)
    with pytest.raises(gem.InvalidPrompt, match=words) as alone:
        prompt_of(bad)
    with pytest.raises(gem.InvalidPrompt, match=words) as second:
        prompt_of(["text", Named(bad, "it")])
    with pytest.raises(gem.InvalidPrompt, match=words) as inner:
        prompt_of([PNG, ["text", bad]])
    kind = type(bad).__name__
    assert str(alone.value).startswith(f"The prompt ({kind}): ")
    assert str(second.value).startswith(f"Item 2 of the prompt, it ({kind}): ")
    assert str(inner.value).startswith(f"Item 2.2 of the prompt ({kind}): ")
    for error in (alone, second, inner):
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 400


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written("a.txt", b"x")(tmp_path)
    assert prompt_of(path).attachments == ("a.txt, 1 byte",)

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(gem.InvalidPrompt, match=r"Path\): .*a\.txt cannot be read: Permission denied\.$"):
        prompt_of(path)


@pytest.mark.parametrize("given", ["", "  \n", ["", " "], Named("", "x"), [{"text": ""}]])
def test_a_prompt_that_says_nothing_is_refused(given: Any) -> None:
    with pytest.raises(gem.InvalidPrompt, match="The prompt is empty"):
        prompt_of(given)


def test_lists_go_one_level_deep() -> None:
    with pytest.raises(gem.InvalidPrompt, match=r"Item 1\.1 of the prompt \(list\): a list in a list of a list"):
        prompt_of([[["a"]]])
    for given, place in ((["a", []], "Item 2 of the prompt"), ([], "The prompt")):
        with pytest.raises(gem.InvalidPrompt, match=rf"^{place} \(list\): an empty list holds nothing to send"):
            prompt_of(given)
    with pytest.raises(gem.InvalidPrompt, match=r"Item 1\.2 of the prompt, xs\[1\] \(int\)"):
        prompt_of([Named(["a", 2], "xs")])


def test_contents_and_single_items_do_not_mix() -> None:
    with pytest.raises(gem.InvalidPrompt, match="mixes Contents with single parts"):
        prompt_of(["a", {"role": "user", "parts": [{"text": "b"}]}])
    with pytest.raises(gem.InvalidPrompt, match=r"Item 1 of the prompt, part 2 \(int\)"):
        prompt_of([{"role": "user", "parts": ["a", 7]}])


def test_a_coroutine_is_to_be_awaited_first() -> None:
    given = nothing()
    with pytest.raises(gem.InvalidPrompt, match=r"\(coroutine\): it is not there yet\. Await it first"):
        prompt_of(given)
    given.close()


def test_a_run_that_goes_on_is_refused_and_one_without_text_too() -> None:
    async def main() -> None:
        source = GatedSource()
        run = gem.Chat(model="gemini-test", source=source).send("hi")
        with pytest.raises(gem.InvalidPrompt, match=rf"\(Run\): run {run.id} is still pending\. Await it first"):
            prompt_of(["compare", run])
        run.stop()
        await run.wait()
        with pytest.raises(gem.InvalidPrompt, match=rf"run {run.id} is cancelled and has no text"):
            prompt_of(run)

    asyncio.run(main())


def test_a_prompt_is_too_large_as_a_whole() -> None:
    third = (bytes(LIMIT // 4), "video/mp4")  # a third of a request, as base64
    assert len(prompt_of([third, third, "x"]).attachments) == 2
    with pytest.raises(gem.InvalidPrompt, match=r"Item 2 of the prompt, film \(tuple\).*client\.files\.upload") as told:
        prompt_of([third, Named((bytes(LIMIT // 4 * 2), "video/mp4"), "film"), "x"])
    assert "67 MB are the most of a prompt that travels as 100 MB; one request takes 100 MB" in str(told.value)
    with pytest.raises(gem.InvalidPrompt, match="one request takes 100 MB"):
        prompt_of("x" * (LIMIT + 1))


def test_an_object_that_breaks_is_named() -> None:
    class Broken:
        def model_dump(self, **_: Any) -> Any:
            raise RuntimeError("a key AIzaSyA-1234567890-abcdefghijklmnop in\ntwo lines")

    with pytest.raises(gem.InvalidPrompt, match=r"Item 1 of the prompt \(Broken\): it cannot be read: Runt") as told:
        prompt_of([Broken(), "a"])
    assert "AIza" not in str(told.value)
    assert "\n" not in str(told.value)


def test_nothing_is_sent_of_a_bad_prompt_and_a_good_one_goes() -> None:
    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            chat = gem.Chat(model="demo", client=server.client())
            for bad in (["fine", 7], [PNG, Path("no such file")], {"a": 1}):
                with pytest.raises(gem.InvalidPrompt):
                    chat.send(bad)
                with pytest.raises(gem.InvalidPrompt):
                    gem.ask(bad, model="demo")
            assert (server.requests, chat.runs, chat.history) == ([], [], [])
            assert (await chat.send([PNG, "\n@say fine"])).text == "fine"
            assert len(server.requests) == 1

    asyncio.run(main())
