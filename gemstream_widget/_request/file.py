"""Files as items: text goes as text with its name, what Gemini reads as it is goes as bytes."""

from __future__ import annotations

import codecs
import mimetypes
import re
from pathlib import Path

from .._plain import clean_text
from .item import Item, Unsendable, in_words
from .media import check_size, inline, type_of

__all__ = ["file"]

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_READERS = {
    ".parquet": "pandas.read_parquet(path)",
    ".feather": "pandas.read_feather(path)",
    ".xls": "pandas.read_excel(path)",
    ".npy": "numpy.load(path)",
    ".gz": "the file that is in it",
    ".zip": "the files that are in it",
    ".doc": "it saved as .docx or .pdf",
    ".ppt": "it saved as .pptx or .pdf",
}
"""What to give in place of files that Gemini does not read."""
_FENCE = re.compile(r"^ *(`{3,})", re.MULTILINE)


def file(path: Path) -> Item:
    """The file at this path. Raises Unsendable for a folder, for none, and for one that cannot be read or sent."""
    path = path.expanduser()
    try:
        if path.is_dir():
            raise Unsendable(f"{path} is a folder. Give the files in it: [*path.iterdir()].")
        if not path.exists():
            raise Unsendable(f"there is no file {path} (the working folder is {Path.cwd()}).")
        if not path.is_file():  # a pipe or a device may have no end
            raise Unsendable(f"{path} is no regular file.")
        size = path.stat().st_size
        check_size(size, "application/pdf" if path.suffix.lower() == ".pdf" else None)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise Unsendable(f"{path} cannot be read: {reason}.") from error
    if not data:
        raise Unsendable(f"{path} is empty.")
    words = f"{path.name}, {in_words(len(data))}"
    kind, named = type_of(data), mimetypes.guess_type(path.name)[0] or ""
    # Notes on decision trees may begin with "ID3", as an MP3 does.
    by_name = named.startswith("text/") and kind != "text/rtf"
    text = _text(data) if kind is None or by_name else None
    if kind is None or text is not None:
        return Item([{"text": _quoted(path, named, data, text)}], words)
    return Item([inline(data, kind)], words)


def _quoted(path: Path, named: str, data: bytes, text: str | None) -> str:
    """The text of a file whose name is one of the type `named`, with the name in front, in a fence that nothing in it
    closes.
    """
    is_media = named.split("/", maxsplit=1)[0] in ("image", "audio", "video") or named == "application/pdf"
    if is_media and named != "image/svg+xml":
        begins = "is text" if text is not None else f"begins with {data[:8]!r}"
        raise Unsendable(f"{path} has the name of {named}, but {begins}: it is no such file.")
    if text is None:
        instead = _READERS.get(path.suffix.lower(), '(path.read_bytes(), "type/subtype")')
        raise Unsendable(f"{path} is neither text nor of a type that is known by its first bytes. Give {instead}.")
    fence = "`" * max([3, *(len(run) + 1 for run in _FENCE.findall(text))])
    return f"\n{clean_text(path.name)}:\n\n{fence}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n"


def _text(data: bytes) -> str | None:
    """The text that these bytes are, in UTF-8 or with a mark of their encoding; None where they are none."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.replace("\r\n", "\n")
