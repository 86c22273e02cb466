"""Bytes that Gemini reads as they are (images, PDF, audio, video, office documents): their type by how they begin, the
size of an image, and the part that carries them.
"""

from __future__ import annotations

import base64
import struct
import zipfile
from io import BytesIO
from typing import Any

from .._plain import Wire
from .item import Unsendable, in_words

__all__ = ["LIMIT", "PDF_LIMIT", "attached", "check_size", "image_size", "inline", "is_bytes", "type_of"]

LIMIT = 100_000_000
"""Characters of base64 in one request: https://ai.google.dev/gemini-api/docs/file-input-methods, and since January 2026
(20 MB before): https://blog.google/innovation-and-ai/technology/developers-tools/gemini-api-new-file-limits
"""
PDF_LIMIT = 50_000_000
"""Bytes of one PDF, on the same page."""

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mp3"),
    (b"\xff\xfb", "audio/mp3"),
    (b"\xff\xf3", "audio/mp3"),
    (b"\xff\xf2", "audio/mp3"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"\x00\x00\x01\xb3", "video/mpeg"),
    (b"FLV\x01", "video/x-flv"),
    (b"0&\xb2u\x8ef\xcf\x11", "video/wmv"),
    (b"{\\rtf", "text/rtf"),
)
_CONTAINERS = {  # four bytes, the length, and then what is in it
    (b"RIFF", b"WEBP"): "image/webp",
    (b"RIFF", b"WAVE"): "audio/wav",
    (b"RIFF", b"AVI "): "video/avi",
    (b"FORM", b"AIFF"): "audio/aiff",
    (b"FORM", b"AIFC"): "audio/aiff",
}
_BRANDS = {  # of a file that begins with "ftyp" after its length
    b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heif", b"msf1": "image/heif", b"M4A ": "audio/m4a",
    b"qt  ": "video/quicktime", b"3gp4": "video/3gpp", b"3gp5": "video/3gpp", b"3g2a": "video/3gpp",
    b"avif": "image/avif",
}  # fmt: skip
_OFFICE = "application/vnd.openxmlformats-officedocument."
_DOCUMENTS = {
    "word/": _OFFICE + "wordprocessingml.document",
    "xl/": _OFFICE + "spreadsheetml.sheet",
    "ppt/": _OFFICE + "presentationml.presentation",
}
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def is_bytes(value: Any) -> bool:
    return isinstance(value, bytes | bytearray | memoryview)


def type_of(data: bytes) -> str | None:
    """The MIME type that these bytes begin like, as Gemini spells it; None for text and for what is not known."""
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    if data.startswith(b"PK\x03\x04"):
        return _document(data)
    return _CONTAINERS.get((data[:4], data[8:12]))


def _document(data: bytes) -> str | None:
    """The type of an office document, which is a zip archive; None for any other archive."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            names = archive.namelist()
            if names[:1] == ["mimetype"] and archive.getinfo("mimetype").file_size < 100:  # OpenDocument
                said = archive.read("mimetype").decode("ascii")
                return said if said.startswith("application/vnd.oasis.opendocument.") else None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, OSError):
        return None
    return next((kind for folder, kind in _DOCUMENTS.items() if any(name.startswith(folder) for name in names)), None)


def inline(data: bytes, kind: str) -> Wire:
    """The part that carries these bytes. Raises Unsendable for none, and for more than a request takes."""
    if not data:
        raise Unsendable("it holds no bytes.")
    check_size(len(data), kind)
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode("ascii")}}


def check_size(size: int, kind: str | None) -> None:
    """Raise Unsendable for more bytes than one request takes."""
    most = PDF_LIMIT if kind == "application/pdf" else LIMIT // 4 * 3
    if size > most:
        raise Unsendable(
            f"{in_words(size)} are more than the {in_words(most)} {'of a PDF ' if most == PDF_LIMIT else ''}that one "
            "request takes. Give the file that client.files.upload(file=...) returns."
        )


def attached(data: bytes, kind: str, *, what: str = "", size: int | None = None) -> str:
    """Bytes in words: `image, 640 x 480, image/png, 41 kB`. `data` may be their beginning, where `size` says how many
    they are; `what` is what they show.
    """
    pixels = image_size(data)
    shown = what or ("image" if kind.startswith("image/") else "")
    told = [
        shown,
        f"{pixels[0]:,} x {pixels[1]:,}" if pixels else "",
        kind,
        in_words(len(data) if size is None else size),
    ]
    return ", ".join(filter(None, told))


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, JPEG or WebP; None where its beginning does not tell."""
    try:
        if data.startswith(b"\x89PNG"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"GIF8"):
            return struct.unpack("<HH", data[6:10])
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        pass
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header, which comes after segments that each tell their length."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Of the three kinds of WebP: lossy, lossless, extended."""
    match data[12:16]:
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack("<I", data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None
