"""What the doctor looks at beyond the kernel: whether a page that shows cards answers, and why it may not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Any

from .._plain import Json
from .card import Card
from .doctor_wait import within
from .doctor_words import Finding, finding

__all__ = ["EXTENSIONS", "Probe", "extensions"]

EXTENSIONS = {"anywidget": "anywidget", "the widgets manager": "@jupyter-widgets/jupyterlab-manager"}
"""JupyterLab's extensions that a card needs, and their folders."""


class Probe(Card):
    """A card without runs. It shows nothing; a page that can show cards asks for its state."""

    def __init__(self) -> None:
        self._answer: Future[None] = Future()
        self._place: Any = None
        super().__init__()

    def show(self) -> None:
        """Show it in the cell that is running: some hosts load what shows widgets when the first one is shown."""
        from IPython.display import display

        self._place = display(self, display_id=True)  # type: ignore[no-untyped-call]

    def vanish(self) -> None:
        """Leave nothing of it in the output. What a page without widgets put there in its place goes, too."""
        place, self._place = self._place, None
        if place is not None:
            self._as_its_cell(lambda: place.update({"text/plain": ""}, raw=True))

    @property
    def heard(self) -> bool:
        """Whether a page has said something."""
        return self._answer.done()

    async def answered(self, seconds: float) -> bool:
        """Whether a page says something within so many seconds, or has done so."""
        return await within(seconds, self._answer)

    def _hear(self, content: Json) -> None:
        super()._hear(content)
        with suppress(InvalidStateError):  # said before, or heard twice
            self._answer.set_result(None)


def extensions(answers: bool, folders: Iterable[str] | None = None) -> Iterator[Finding]:
    """What of JupyterLab's side is in this environment. A page that `answers` has it from wherever its server runs."""
    if folders is None:
        from jupyter_core.paths import jupyter_path

        folders = jupyter_path("labextensions")
    places = [Path(folder) for folder in folders]
    missing = [
        name
        for name, folder in EXTENSIONS.items()
        if not any((place / folder / "package.json").is_file() for place in places)
    ]
    if not missing:
        yield finding("extensions.here", names=" and ".join(EXTENSIONS))
    else:
        yield finding("extensions.elsewhere" if answers else "extensions.missing", names=" and ".join(missing))
