"""What a docstring says: of the function, and of each parameter. Google's, NumPy's and Sphinx's forms."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["described"]


def described(function: Any) -> tuple[str, dict[str, str]]:
    """All paragraphs before the sections, and what is said of each parameter, by its name, on one line."""
    from docstring_parser import ParseError, parse

    doc = (inspect.getdoc(function) or "").strip()
    try:
        said = parse(doc)
    except (ParseError, ValueError):  # half a section: then all of it is for the model
        return doc, {}
    head = [text for text in (said.short_description, said.long_description) if text]
    gap = "\n\n" if said.blank_after_short_description else "\n"
    words = {
        name.strip().lstrip("*"): " ".join(param.description.split())
        for param in said.params
        if param.description
        for name in param.arg_name.split(",")  # NumPy's "x, y : float"
    }
    return gap.join(head), words
