"""What a prompt holds, from `send` to the bytes the model gets, and through a file."""

from __future__ import annotations

import asyncio
import base64
import math
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import gemstream_widget as gem
from gemstream_widget._request.item import in_words
from gemstream_widget._request.media import image_size, type_of
from gemstream_widget._request.prompt import Named, contents_of, prompt_of
from gemstream_widget._request.wire import decode_base64, get

PNG = b"\x89PNG\r\n\x1a\n\xff\xfe\x00"
LOOK = {"name": "look", "description": "Look something up."}


def sent(server: gem.LocalGemini, n: int = -1) -> list[Any]:
    """The contents of a request, as the server got them."""
    body = server.requests[n].body
    assert body is not None
    contents: list[Any] = body["contents"]
    return contents


def data_of(part: Any) -> tuple[bytes | None, str]:
    """The bytes of a part that arrived, and their type; the SDK spells what is in it in its own way."""
    return decode_base64(part["inlineData"]["data"]), get(part["inlineData"], "mimeType")


@pytest.fixture(scope="module")
def server() -> Iterator[gem.LocalGemini]:
    with gem.LocalGemini(speed=math.inf) as server:
        yield server


def arrives(server: gem.LocalGemini, given: Any, tmp_path: Path) -> list[Any]:
    """The parts that the model gets for this prompt, which are the same from a chat that was saved and loaded."""

    async def main() -> list[Any]:
        chat = gem.Chat(model="demo", client=server.client())
        assert (await chat.send([*given, "\n@say seen"] if isinstance(given, list) else [given, "\n@say seen"])).text
        parts: list[Any] = sent(server)[0]["parts"][:-1]
        chat.save(tmp_path / "chat.json")
        loaded = gem.load_chat(tmp_path / "chat.json", client=server.client())
        assert loaded.history == chat.history
        assert loaded.runs[0].snapshot()["prompt"] == chat.runs[0].snapshot()["prompt"]
        await loaded.send("@say again")
        assert sent(server)[0]["parts"][:-1] == parts
        return parts

    return asyncio.run(main())


@pytest.mark.parametrize("spelling", ["camelCase", "snake_case"])
@pytest.mark.parametrize("by", ["name", "our id"])
def test_a_response_in_either_spelling_answers_its_call(spelling: str, by: str) -> None:
    async def main() -> None:
        with gem.LocalGemini(speed=math.inf) as server:
            chat = gem.Chat(model="demo", client=server.client(), tools=[LOOK])
            (call,) = (await chat.send('@call look {"a": 1}\n@then\n@say seen')).tool_calls
            named = {"name": "look"} if by == "name" else {"id": call.id}
            kind = "functionResponse" if spelling == "camelCase" else "function_response"
            run = await chat.send({kind: {**named, "response": {"file_uri": "as it is"}}})
            assert run.text == "seen"
            answer = sent(server)[2]["parts"]
            assert [part["functionResponse"]["response"] for part in answer] == [{"file_uri": "as it is"}]
            assert len(sent(server)) == 3
            assert chat.check() == []

    asyncio.run(main())


# -- bytes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        PNG,
        bytearray(PNG),
        memoryview(PNG),
        base64.b64encode(PNG).decode(),
        base64.urlsafe_b64encode(PNG).decode(),
        base64.urlsafe_b64encode(PNG).decode().rstrip("="),
        base64.encodebytes(PNG).decode(),
    ],
    ids=["bytes", "bytearray", "memoryview", "standard", "urlsafe", "unpadded", "lines"],
)
@pytest.mark.parametrize("spelling", ["camelCase", "snake_case"])
def test_bytes_in_a_wire_part_reach_the_model(
    server: gem.LocalGemini, tmp_path: Path, data: Any, spelling: str
) -> None:
    named = ("inlineData", "mimeType") if spelling == "camelCase" else ("inline_data", "mime_type")
    part = {named[0]: {named[1]: "image/png", "data": data}}
    assert [data_of(p) for p in arrives(server, part, tmp_path)] == [(PNG, "image/png")]
    (made,) = contents_of(part)[0]["parts"]
    assert made == {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}


def test_numpys_bytes_are_bytes() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    part = {"inlineData": {"mimeType": "image/png", "data": numpy.bytes_(PNG)}}
    assert contents_of(part)[0]["parts"][0]["inlineData"]["data"] == base64.b64encode(PNG).decode()


def office(*names: str, mimetype: str = "") -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if mimetype:
            archive.writestr("mimetype", mimetype)
        for name in names:
            archive.writestr(name, "<x/>")
    return out.getvalue()


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
BEGINNINGS = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "image/gif": b"GIF89a\x02\x00\x01\x00",
    "image/webp": b"RIFF\x1a\x00\x00\x00WEBPVP8L",
    "image/heic": b"\x00\x00\x00\x18ftypheic",
    "application/pdf": b"%PDF-1.7\n",
    "audio/wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "audio/mp3": b"ID3\x04\x00",
    "audio/aac": b"\xff\xf1\x50\x80",
    "audio/ogg": b"OggS\x00\x02",
    "audio/flac": b"fLaC\x00\x00",
    "audio/aiff": b"FORM\x00\x00\x00\x10AIFF",
    "audio/m4a": b"\x00\x00\x00\x20ftypM4A \x00",
    "video/mp4": b"\x00\x00\x00\x20ftypisom\x00",
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  ",
    "video/webm": b"\x1aE\xdf\xa3\x01",
    "video/mpeg": b"\x00\x00\x01\xba\x44",
    "video/avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "text/rtf": b"{\\rtf1 a}",
    WORD: office("[Content_Types].xml", "word/document.xml"),
    SHEET: office("[Content_Types].xml", "xl/workbook.xml"),
    ODT: office("content.xml", mimetype=ODT),
}


@pytest.mark.parametrize("kind", BEGINNINGS, ids=lambda kind: kind.rpartition(".")[2])
def test_bytes_tell_their_type_and_files_too(kind: str, tmp_path: Path) -> None:
    data = BEGINNINGS[kind]
    (tmp_path / "thing.bin").write_bytes(data)
    expected = {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}}
    assert contents_of(data)[0]["parts"] == [expected]
    assert contents_of(tmp_path / "thing.bin")[0]["parts"] == [expected]
    assert prompt_of(tmp_path / "thing.bin").attachments == (f"thing.bin, {in_words(len(data))}",)


def test_a_type_that_is_said_counts(server: gem.LocalGemini, tmp_path: Path) -> None:
    parts = arrives(server, [(b"abc", "audio/pcm"), bytearray(PNG)], tmp_path)
    assert [data_of(part) for part in parts] == [(b"abc", "audio/pcm"), (PNG, "image/png")]
    assert contents_of((b"abc", "Audio/PCM; rate=16000"))[0]["parts"][0]["inlineData"]["mimeType"] == "audio/pcm"
    assert prompt_of((b"abc", "audio/pcm")).attachments == ("audio/pcm, 3 bytes",)
    assert prompt_of([PNG, "image/png"]).contents[0]["parts"][1] == {"text": "image/png"}  # a list is no pair


def test_an_archive_is_no_document() -> None:
    assert type_of(office("readme.txt")) is None
    assert type_of(b"PK\x03\x04 broken") is None
    assert type_of(b"plain text") is None


# -- files -------------------------------------------------------------------------------------------------------------


def test_a_text_file_goes_as_text_with_its_name(server: gem.LocalGemini, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_bytes("# Größe\r\n````\nx\n````\n".encode())
    (part,) = arrives(server, tmp_path / "notes.md", tmp_path)
    assert part == {"text": "\nnotes.md:\n\n`````\n# Größe\n````\nx\n````\n`````\n"}
    assert prompt_of(tmp_path / "notes.md").attachments == ("notes.md, 23 bytes",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_text_file_may_have_a_mark_of_its_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("a,ö\n".encode(encoding))
    assert contents_of(tmp_path / "a.csv")[0]["parts"] == [{"text": "\na.csv:\n\n```\na,ö\n```\n"}]


@pytest.mark.parametrize("begins", ["ID3 makes trees", "GIF89a is a format", "%PDF-1.7 begins a PDF", "The ftyp box"])
def test_a_text_file_may_begin_like_something_else(begins: str, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(begins)
    assert contents_of(tmp_path / "a.md")[0]["parts"] == [{"text": f"\na.md:\n\n```\n{begins}\n```\n"}]
    (tmp_path / "a.txt").write_bytes(begins.encode() + b"\0\xff")  # the control: these are no text, whatever their name
    assert "inlineData" in contents_of(tmp_path / "a.txt")[0]["parts"][0]


def test_a_picture_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg/>")
    assert contents_of(tmp_path / "a.svg")[0]["parts"] == [{"text": "\na.svg:\n\n```\n<svg/>\n```\n"}]


# -- pictures ----------------------------------------------------------------------------------------------------------


def pil(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> Any:
    return pytest.importorskip("PIL.Image", reason="pillow is not installed").new(mode, size)


def test_an_image_goes_as_png(server: gem.LocalGemini, tmp_path: Path) -> None:
    (part,) = arrives(server, pil(), tmp_path)
    data, kind = data_of(part)
    assert kind == "image/png"
    assert data is not None
    assert image_size(data) == (64, 48)
    assert prompt_of(pil()).attachments == (f"image, 64 x 48, image/png, {in_words(len(data))}",)
    assert prompt_of(Named(pil(), "cat")).attachments == (f"image cat, 64 x 48, image/png, {in_words(len(data))}",)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK", "YCbCr", "HSV", "LAB", "RGBX", "La"])
def test_an_image_of_any_mode_is_a_picture(mode: str) -> None:
    (part,) = contents_of(pil(mode))[0]["parts"]
    assert type_of(base64.b64decode(part["inlineData"]["data"])) == "image/png"


@pytest.mark.parametrize(
    ("save", "kind"), [("JPEG", "image/jpeg"), ("MPO", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/png")]
)
def test_a_photo_stays_a_photo(save: str, kind: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    several: Any = {"save_all": True, "append_images": [pil()]} if save == "MPO" else {}
    pil(size=(100, 50)).save(tmp_path / "a", format=save, **several)
    with image.open(tmp_path / "a") as opened:
        (part,) = contents_of(opened)[0]["parts"]
    data, found = data_of(part)
    assert data is not None
    assert (found, image_size(data)) == (kind, (100, 50))


@pytest.mark.parametrize("save", ["JPEG", "PNG", "TIFF"])
def test_the_metadata_of_an_image_stays_behind(save: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    taken = image.Exif()
    taken[0x010E] = "at home"  # the description
    pil().save(tmp_path / "a", format=save, exif=taken, **({"comment": b"by me"} if save == "JPEG" else {}))
    assert b"at home" in (tmp_path / "a").read_bytes()
    with image.open(tmp_path / "a") as opened:
        data, _ = data_of(contents_of(opened)[0]["parts"][0])
    assert data is not None
    assert b"at home" not in data
    assert b"by me" not in data


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}])
def test_the_size_of_a_webp_is_read(options: dict[str, Any]) -> None:
    out = BytesIO()
    pil(size=(70, 30)).save(out, format="WEBP", **options)
    assert image_size(out.getvalue()) == (70, 30)
    assert image_size(out.getvalue()[:14]) is None


def figure(**options: Any) -> Any:
    """A figure with one line, made without pyplot."""
    made = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed").Figure(**options)
    made.subplots().plot([1, 2, 3])
    return made


def test_a_figure_goes_as_it_is_shown(server: gem.LocalGemini, tmp_path: Path) -> None:
    made = figure(figsize=(4, 3), dpi=80)
    (part,) = arrives(server, made, tmp_path)
    data, kind = data_of(part)
    assert kind == "image/png"
    assert data is not None
    width, height = image_size(data) or (0, 0)
    shown = BytesIO()
    made.savefig(shown, format="png", dpi=80, bbox_inches="tight")
    assert data == shown.getvalue()
    assert prompt_of(made).attachments == (f"figure, {width} x {height}, {in_words(len(data))}",)
    for piece in (made.axes[0], made.axes[0].lines[0]):
        assert prompt_of(piece) == prompt_of(made)


def test_drawing_a_figure_changes_neither_it_nor_pyplot(monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setattr(matplotlib, "rcParams", matplotlib.rcParams)
    matplotlib.use("agg")
    from matplotlib import pyplot

    current, axes = pyplot.subplots()
    made = figure(figsize=(4, 3), dpi=80)

    def looks(one: Any) -> Any:
        box = one.axes[0].get_position().bounds
        return (
            one.dpi,
            tuple(one.get_size_inches()),
            one.get_facecolor(),
            type(one.canvas),
            box,
            one.axes[0].viewLim.bounds,
        )

    before = looks(made), looks(current), pyplot.get_fignums()
    assert prompt_of([made, current]).attachments
    assert (looks(made), looks(current), pyplot.get_fignums()) == before
    assert pyplot.gcf() is current
    assert pyplot.gca() is axes
    pyplot.close(current)


def test_ipythons_image_goes_with_its_bytes(server: gem.LocalGemini, tmp_path: Path) -> None:
    from IPython.display import Image

    assert [data_of(part) for part in arrives(server, Image(data=PNG), tmp_path)] == [(PNG, "image/png")]


# -- tables, runs, the SDK's objects, lists ----------------------------------------------------------------------------


def test_tables_arrive_as_markdown(server: gem.LocalGemini, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    frame = pandas.DataFrame({"n": [1, 2]}, index=["a", "b"])
    tables = [frame, frame["n"], polars.DataFrame({"n": [1]}), polars.Series("n", [1]), numpy.ones(2), numpy.eye(2)]
    parts = arrives(server, tables, tmp_path)
    assert parts[0]["text"] == (
        "\nTable: 2 rows x 1 column. The first column is the index.\n\n"
        "|  | n (int64) |\n| --- | --- |\n| a | 1 |\n| b | 2 |\n"
    )
    assert [part["text"].split()[0] for part in parts] == ["Table:", "Series", "Table:", "Series", "Array:", "Array:"]


def test_a_finished_run_is_what_it_said(server: gem.LocalGemini, tmp_path: Path) -> None:
    async def main() -> gem.Run:
        return await gem.Chat(model="demo", client=server.client()).send("@say the answer")

    run = asyncio.run(main())
    assert arrives(server, run, tmp_path) == [{"text": "the answer"}]
    assert prompt_of(run).attachments == (f"answer of run {run.id}, 10 bytes",)


def test_an_uploaded_file_is_named_to_the_model(server: gem.LocalGemini, tmp_path: Path) -> None:
    from google.genai import types

    uri = "https://example.com/files/a"
    uploaded = types.File(name="files/a", uri=uri, mime_type="application/pdf")
    wire = {"file_data": {"file_uri": uri, "mime_type": "application/pdf"}}
    given = [uploaded, wire, types.FileData(file_uri=uri, mime_type="application/pdf")]
    for part in arrives(server, given, tmp_path):
        assert get(part["fileData"], "fileUri") == uri
        assert get(part["fileData"], "mimeType") == "application/pdf"
    assert prompt_of(given).attachments == (f"file {uri}, application/pdf",) * 3


def test_the_sdks_parts_and_contents_arrive(server: gem.LocalGemini, tmp_path: Path) -> None:
    from google.genai import types

    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    blob = types.Blob(data=PNG, mime_type="image/png")
    said = types.Part(text="hi")
    parts = arrives(server, [picture, blob, said, "plain"], tmp_path)
    assert [data_of(part) for part in parts[:2]] == [(PNG, "image/png")] * 2
    assert parts[2:] == [{"text": "hi"}, {"text": "plain"}]
    content = types.Content(role="user", parts=[picture, said])
    made = prompt_of(content)
    assert made.contents == contents_of([picture, said])
    assert made.attachments == ("image, image/png, 11 bytes",)
    (mixed,) = contents_of({"role": "model", "parts": ["look", PNG, Named(PNG, "x"), {"newer": 1}]})
    assert mixed["role"] == "model"
    assert [next(iter(part)) for part in mixed["parts"]] == ["text", "inlineData", "inlineData", "newer"]


def test_a_list_holds_lists(server: gem.LocalGemini, tmp_path: Path) -> None:
    parts = arrives(server, ["a", ["b", PNG], ("c", (b"d", "audio/pcm"))], tmp_path)
    assert [part.get("text") or data_of(part)[0] for part in parts] == ["a", "b", PNG, "c", b"d"]


def test_what_was_given_may_change_afterwards(server: gem.LocalGemini) -> None:
    async def main() -> None:
        chat = gem.Chat(model="demo", client=server.client())
        given = [{"text": "@say hi"}, {"inlineData": {"mimeType": "image/png", "data": bytearray(PNG)}}]
        run = chat.send(given)
        given[0]["text"] = "changed"
        given[1]["inlineData"]["data"][:] = b""  # type: ignore[index]
        assert (await run).text == "hi"
        assert data_of(chat.history[0]["parts"][1]) == (PNG, "image/png")

    asyncio.run(main())


def test_half_a_letter_does_not_go_out(server: gem.LocalGemini, tmp_path: Path) -> None:
    """A lone surrogate cannot be written as UTF-8: the model gets what the page shows."""
    for part in arrives(server, ["caf\ud83d end", {"text": "caf\ud83d end"}], tmp_path):
        assert part == {"text": "caf\ufffd end"}


def test_a_name_that_is_no_utf8_is_told_in_letters(tmp_path: Path) -> None:
    """Half a letter in a state breaks the page's every message."""
    named = os.fsdecode(b"caf\xe9.txt")
    try:
        (tmp_path / named).write_text("hi")
    except OSError:
        pytest.skip("this file system takes no such name")
    prompt = prompt_of([tmp_path / named, {"fileData": {"fileUri": "https://x/\ud83d"}}])
    assert prompt.attachments == ("caf\ufffd.txt, 2 bytes", "file https://x/\ufffd")
    assert prompt.contents[0]["parts"][0]["text"].startswith("\ncaf\ufffd.txt:\n")


def test_plain_text_has_no_attachment() -> None:
    for given in ("a", ["a", "b"], {"text": "a"}, [{"role": "user", "parts": [{"text": "a"}]}], Named("a", "x")):
        assert prompt_of(given).attachments == ()


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (3149, "3.1 kB"), (41_000, "41 kB"),
     (999_499, "999 kB"), (999_500, "1.0 MB"), (2_100_000, "2.1 MB"), (75_000_000, "75 MB")],
)  # fmt: skip
def test_sizes_are_told_as_people_read_them(size: int, words: str) -> None:
    assert in_words(size) == words


def test_no_library_of_a_prompts_items_is_imported_for_it() -> None:
    """Positive control: the names are modules where one is used."""
    program = (
        "import sys, gemstream_widget\n"
        "from gemstream_widget._request.prompt import prompt_of\n"
        "prompt_of(['a', b'%PDF-', {'text': 'b'}])\n"
        "names = ('pandas', 'polars', 'numpy', 'PIL', 'matplotlib')\n"
        "print([name for name in names if name in sys.modules])\n"
        "import numpy\n"
        "prompt_of(numpy.ones(2))\n"
        "print([name for name in names if name in sys.modules])"
    )
    pytest.importorskip("numpy", reason="numpy is not installed")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['numpy']"]
