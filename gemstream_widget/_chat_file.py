"""A chat as the lines of a journal file, and back: what was said where, and the journals of its runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from ._archive.appender import Appender
from ._archive.journal_file import add_line, entry_line, first_line, header_of, read_lines, run_line
from ._archive.lines import encode
from ._branches import Branches, Node, Unfinished
from ._plain import Json, Wire, shorten
from ._process import lock
from ._request.prompt import contents_of
from ._run import Run
from ._stream.journal import Cursor, Journal
from .errors import RecordingError

__all__ = ["ChatFile", "ChatLines", "StoredChat", "copy_of"]


class ChatLines:
    """The lines of a chat's file, as they come: each call of `new` gives those that are new since the last one. For one
    thread at a time, which need not be the chat's. `about` gives the chat's own settings that are kept.
    """

    def __init__(self, branches: Branches, about: Callable[[], Json]) -> None:
        self._branches = branches
        self._about = about
        self._told: Json | None = None
        self._places: dict[int, int] = {}  # of the nodes that are written, by identity
        self._cursors: dict[int, tuple[Run, Cursor]] = {}  # of the runs that may have more to tell, by place
        self._runs: set[str | None] = set()  # the ids of those that are written
        self._head = -1

    def new(self) -> Iterator[Json]:
        if self._told is None:
            yield first_line()
        if (about := self._about()) != self._told:
            self._told = about
            yield {"kind": "chat", **about}
        head = self._branches.head  # before the nodes: it is among them
        for node in self._branches.nodes[len(self._places) :]:
            yield from self._entries()  # whatever came before the node is above it: a cut file lacks the end only
            place = self._places[id(node)] = self._head = len(self._places)
            yield self._node_line(place, node)
        yield from self._entries()
        if self._places[id(head)] != self._head:
            self._head = self._places[id(head)]
            yield {"kind": "head", "place": self._head}

    def _entries(self) -> Iterator[Json]:
        for place, (run, cursor) in list(self._cursors.items()):
            over = run.done  # before the last look
            for item in cursor:
                yield entry_line(place, item)
            if over:
                del self._cursors[place]

    def _node_line(self, place: int, node: Node) -> Json:
        parent = None if node.parent is None else self._places[id(node.parent)]
        if isinstance(node.said, Run):
            journal = node.said._record.journal
            self._cursors[place] = (node.said, Cursor(journal))
            prompt_told = journal.header.again in self._runs
            self._runs.add(journal.header.run)
            return run_line(place, parent, journal.header, prompt_told=prompt_told)
        if isinstance(node.said, Unfinished):
            of = self._branches.place(node.said.run)
            return {"kind": "left", "place": place, "parent": parent, "run": self._places[id(of)]}
        if node.parent is None:
            return {"kind": "history", "place": place, "contents": list(node.said)}
        return {"kind": "mend", "place": place, "parent": parent, **_changed(self._branches, node.parent, node.said)}


def _changed(branches: Branches, parent: Node, mended: tuple[Wire, ...]) -> Json:
    """What of the contents a repair changed; the same Contents before and behind it are only counted."""
    earlier = branches.contents(parent)
    most = min(len(earlier), len(mended))
    first = next((n for n in range(most) if earlier[n] != mended[n]), most)
    most -= first
    last = next((n for n in range(most) if earlier[-1 - n] != mended[-1 - n]), most)
    return {"first": first, "last": last, "contents": list(mended[first : len(mended) - last])}


def copy_of(branches: Branches, about: Json) -> StoredChat:
    """What a chat says, for another one to take over: what its file would hold, with nothing replaced."""
    lines = ChatLines(branches, lambda: about).new()
    next(lines)  # the format of a file
    return StoredChat("the chat", map(_parsed_anew, lines))


def _parsed_anew(line: Json) -> Json:
    encode(line, text := bytearray())
    parsed: Json = json.loads(text)
    return parsed


class ChatFile:
    """The file of a chat that is recorded in a folder, on a thread of its own."""

    def __init__(self, folder: Path, lines: Callable[[], ChatLines]) -> None:
        """`lines` gives those of the whole chat. In a forked child it goes on in another file: this one is its
        parent's.
        """
        self._folder = folder
        self._lines = lines
        self._beginning = lock()
        self._pid = os.getpid()
        self._appender = self._begin()

    def _begin(self) -> Appender:
        name = f"{time.strftime('%Y-%m-%d_%H-%M-%S')}-{uuid4().hex[:8]}.jsonl"
        lines = self._lines()
        return Appender(self._folder / name, lambda: list(lines.new()))

    @property
    def _own(self) -> Appender:
        if self._pid != os.getpid():
            with self._beginning:
                if self._pid != (pid := os.getpid()):
                    self._appender, self._pid = self._begin(), pid
        return self._appender

    @property
    def path(self) -> Path | None:
        """None where its disk failed."""
        return None if self._own.error is not None else self._own.path

    def wake(self) -> None:
        """There is something new. From any thread; never waits."""
        self._own.wake()

    def close(self) -> None:
        """Write what is left, and nothing more. Does not wait for it."""
        self._own.close(0)


class StoredChat:
    """What a journal file holds. Raises RecordingError for any other file, and OSError."""

    def __init__(self, path: str | Path, lines: Iterable[Json] | None = None) -> None:
        """`lines`: those after the first, where they are not to be read from the file."""
        self._path = path
        self.about: Json = {}
        """The chat's own settings, as they were last; of a file that holds one run, that run's model."""
        self.history: list[Wire] = []
        """The conversation from before the chat."""
        self._nodes: dict[int, Json] = {}  # their lines, by place
        self._journals: dict[int, Journal] = {}  # by the place of their run
        self._by_id: dict[str, Journal] = {}  # the same, by its id
        self._head: int | None = None
        for line in read_lines(path) if lines is None else lines:
            try:
                self._add(line)
            except Exception as error:  # whatever the values are that somebody wrote there
                raise self._unreadable(f"its line {shorten(str(line))}", error) from error

    def _add(self, line: Json) -> None:
        kind, place = line.get("kind"), line.get("place")
        if kind == "chat":
            self.about = {"model": _text(line["model"]), "system": line["system"] and _text(line["system"])}
        elif kind == "head":
            self._head = int(line["place"])
        elif kind == "history":
            self.history = contents_of(line["contents"]) if line["contents"] else []
            self._nodes[int(line["place"])] = line
        elif kind in ("run", "left", "mend"):
            self._head = int(line["place"])
            self._nodes[self._head] = line
            if kind == "run":
                header = header_of(line, self._by_id)
                self._journals[self._head] = self._by_id[header.run] = Journal(header)
                self.about = self.about or {"model": header.model, "system": None}
        elif place is None and "run" in line:  # one without is a chat's, of a kind not known here
            add_line(self._journals[int(line["run"])], line)

    def restore(self, branches: Branches, run_of: Callable[[Journal, Node], Run]) -> None:
        """Let the branches of a new chat say what this one said; they have its history already. `run_of` makes the run
        that a journal tells of, said after a node.
        """
        nodes: dict[int | None, Node] = {None: branches.root}
        for place, line in self._nodes.items():
            try:
                nodes[place] = self._node(branches, place, line, nodes[line.get("parent")], nodes, run_of)
            except Exception as error:
                raise self._unreadable(f"what was said at place {place}", error) from error
        if self._head not in nodes:
            raise RecordingError(f"{self._path} cannot be read: nothing was said at place {self._head}.")
        branches.head = nodes[self._head]

    def _node(
        self,
        branches: Branches,
        place: int,
        line: Json,
        parent: Node,
        nodes: dict[int | None, Node],
        run_of: Callable[[Journal, Node], Run],
    ) -> Node:
        if line["kind"] == "history":
            return branches.root
        if line["kind"] == "run":
            return branches.add(run_of(self._journals[place], parent), parent)
        if line["kind"] == "left":
            run = nodes[int(line["run"])].said
            if not isinstance(run, Run):
                raise ValueError(f"place {line['run']} is no run")
            return branches.put(Unfinished(run), parent)
        earlier = branches.contents(parent)
        first, last = int(line["first"]), int(line["last"])
        if not 0 <= first <= first + last <= len(earlier):
            raise ValueError(f"first {first} and last {last} of {len(earlier)} Contents")
        return branches.mend([*earlier[:first], *line["contents"], *earlier[len(earlier) - last :]], parent)

    def _unreadable(self, what: str, error: Exception) -> RecordingError:
        if isinstance(error, RecordingError):
            return error
        return RecordingError(f"{self._path} cannot be read: {what} does not fit. {type(error).__name__}: {error}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text belongs here, not {shorten(repr(value))}")
    return value
