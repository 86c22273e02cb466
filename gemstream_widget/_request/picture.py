"""What a notebook shows as a picture, as the bytes of one: PIL images, matplotlib figures, IPython's Image."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from .item import Unsendable, is_a
from .media import type_of

__all__ = ["drawn", "figure_of", "image_bytes", "shown_bytes"]

_KEPT = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
"""Modes of PIL that a PNG holds."""
_CONVERTED = {
    "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB", "RGBa": "RGBA", "La": "LA", "PA": "RGBA",
}  # fmt: skip


def image_bytes(image: Any) -> tuple[bytes, str]:
    """A PIL image's bytes and their type. A JPEG, or an MPO of a phone, becomes a JPEG again, since a photo is five
    times as large as PNG; all else is a PNG. Of an animation, the frame that it stands at.
    """
    if not image.width or not image.height:
        raise Unsendable(f"an image of {image.width} x {image.height} pixels holds nothing.")
    is_photo = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
    if image.mode not in _KEPT and image.mode not in _CONVERTED:
        raise Unsendable(f'an image of mode {image.mode!r} has no picture format: give image.convert("L").')
    out = BytesIO()
    try:
        if is_photo:
            colours = image.info.get("icc_profile")
            image.save(out, format="JPEG", quality=95, icc_profile=colours, comment=b"")  # it would keep the comment
        else:
            ready = image if image.mode in _KEPT else image.convert(_CONVERTED[image.mode])
            ready.save(out, format="PNG")
    except (OSError, ValueError, SyntaxError) as error:  # how PIL tells of a file that is broken, or closed
        raise Unsendable(f"PIL cannot read this image to its end ({error}). Open the file again.") from error
    return out.getvalue(), "image/jpeg" if is_photo else "image/png"


def figure_of(value: Any) -> Any:
    """The matplotlib figure that this is, or is part of (Axes, a subfigure, seaborn's grids); None for others."""
    for _ in range(4):
        if is_a(value, "matplotlib", "Figure"):
            return value
        if not (is_a(value, "matplotlib", "Artist") or is_a(value, "seaborn", "Grid", "JointGrid")):
            return None
        value = value.figure
    return None


def drawn(figure: Any) -> bytes:
    """A matplotlib figure as PNG, as a notebook shows it. It is drawn on a canvas of its own: neither the figure nor
    pyplot's current one changes.
    """
    width, height = figure.bbox.width, figure.bbox.height
    if width < 1 or height < 1:
        raise Unsendable(f"a figure of {width:g} x {height:g} pixels shows nothing. Give it a size: set_size_inches.")
    out = BytesIO()
    try:
        figure.savefig(out, format="png", dpi=figure.dpi, bbox_inches="tight")
    except Exception as error:  # whatever is in the figure draws itself
        raise Unsendable(f"matplotlib cannot draw it: {type(error).__name__}: {error}.") from error
    return out.getvalue()


def shown_bytes(image: Any) -> tuple[bytes, str]:
    """The bytes of IPython's Image, and their type."""
    data = image.data
    if not isinstance(data, bytes):
        raise Unsendable("it holds an address and no bytes. Download the image, and give its bytes or its path.")
    kind = type_of(data)
    if kind is None:
        raise Unsendable(f'its bytes are of no known type: give (image.data, "image/{image.format or "..."}").')
    return data, kind
