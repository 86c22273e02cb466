"""Known keys kept out of the lines of a journal file, also where a key comes in pieces.

Models write a few characters a chunk, so a key that one repeats is split over frames, over parts of a frame, over
pieces of streamed arguments; a tool prints it piece by piece. Here the texts of a line are leaves of streams. A stream
has the run, the path of names to the leaf (without places in lists) and what tells neighbours apart: whether a part is
thought, the `jsonPath` of a streamed argument, the `index` of a candidate, the call that prints. Each stream is read as
one text. Where a key spans leaves, the first piece becomes the mark and the others go.

A line whose text ends in what may become a key waits, and all lines after it wait with it. The first few characters of
a key wait for nothing: they are the same for all of Google's keys, and a line that waited for them would be lost where
an answer ends in a capital A and the kernel dies while somebody thinks about an approval. They may stand before a mark.

Only known keys count, never what merely looks like one. The `thoughtSignature` of a part and the base64 `data` of its
`inlineData` go back to Gemini as they came and are not read at all.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from .._plain import MAX_DEPTH, Json, clean
from .._redact import KEY_MARK, known_keys

__all__ = ["KeyFilter"]

_TELLS_APART = {"parts": "thought", "partialArgs": "jsonPath", "candidates": "index"}
"""The field that says which of the streams an object in this list belongs to."""
_SOMEBODYS = frozenset({"args", "response", "result"})
"""What a model or a tool filled as it liked: nothing in it is a part, whatever its names are."""
_STREAMED = frozenset({"frame", "print"})
"""Kinds of lines whose texts go on in the next line of the kind."""
_LISTS = (list, tuple)

_MOST_FREE = 6  # AIzaSy
_SHARE_FREE = 6  # of a key, one character in so many
_MOST_WAITING = 1000  # lines: a text that ends in half a key and is never continued must not keep all others
_MOST_NAMES = 4096

_LINES = re.compile(r"([^\r\n]+)(\r\n|\r|\n|\Z)|(\r\n|\r|\n)")


class KeyFilter:
    """Passes the lines of one file on, in order and without known keys. Not thread-safe.

    A line is an object of plain JSON with its `kind` and `run`. A frame holds `wire`, or `raw`: the text of one
    server-sent event, of which the JSON is read. A raw text without a key stays as it is, byte for byte; otherwise its
    `data` is written anew and the line has `"redacted": true`. What is given is never changed, but copied where needed.
    """

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()  # as they were told last
        self._forms: frozenset[str] = frozenset()  # whatever was told so far: a key stays one when its variable goes
        self._free = 0
        self._longest = 0
        self._names: set[str] = set()  # of objects, without keys in them
        self._runs: dict[Any, _Place] = {}
        self._open: set[_Place] = set()  # whose text waits
        self._waiting: deque[_Line] = deque()

    def push(self, line: Json) -> list[Json]:
        """The lines that may be written now that this one has come."""
        if (known := known_keys()) is not self._known:
            self._learn(known)
        if not self._forms:
            return [line]
        kind, run = line.get("kind"), line.get("run")
        entry = _Line(line, run)
        try:
            self._object(entry.body, self._root(kind, run, line), entry)
        except RecursionError:  # deeper than anybody reads it back: such a line is searched by itself
            self._settle(lambda held: held is entry)
            entry.body = clean(line)
            entry.renewed = True
            self._object(entry.body, _Place(), entry)
        if kind not in _STREAMED:
            self._settle(lambda held: held is entry or (kind == "end" and held.run == run))
        if kind == "end":
            self._runs.pop(run, None)
        if not entry.waits and not self._waiting:
            return [self._written(entry)]
        self._waiting.append(entry)
        if len(self._waiting) > _MOST_WAITING:
            self._settle(lambda held: held is self._waiting[0])
        return self._ready()

    def flush(self) -> list[Json]:
        """All lines that wait. A key of which only the beginning was among them is still known: what comes of it later
        becomes the mark.
        """
        self._settle(lambda held: True)
        return self._ready()

    # -- what is searched for -------------------------------------------------------------------------------------

    def _learn(self, known: frozenset[str]) -> None:
        self._known, self._forms = known, self._forms | known
        if not self._forms:
            return
        forms = sorted(self._forms, key=len, reverse=True)  # one key may be the beginning of another
        starts = {re.escape(form[:3]) for form in forms}
        ends = {re.escape(form[:size]) for form in forms for size in (1, 2)}
        self._hint = re.compile(rf"{'|'.join(sorted(starts))}|(?:{'|'.join(sorted(ends))})\Z").search
        self._whole = re.compile("|".join(map(re.escape, forms)))
        self._first = re.compile("|".join(sorted({re.escape(form[0]) for form in forms})))
        self._longest, shortest = len(forms[0]), len(forms[-1])
        self._free = min(_MOST_FREE, shortest // _SHARE_FREE)
        self._names.clear()

    def _keys_in(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """Where whole keys stand, and from where on the text may be a key's beginning: nothing is known of that yet."""
        found: list[tuple[int, int]] = []
        undecided = self._undecided(text, 0)
        for match in self._whole.finditer(text):
            start, end = match.span()
            if start >= undecided:
                break
            found.append((start, end))
            if end > undecided:
                undecided = self._undecided(text, end)
        return found, undecided

    def _undecided(self, text: str, at: int) -> int:
        for match in self._first.finditer(text, max(at, len(text) - self._longest + 1)):
            rest = text[match.start() :]
            for form in self._forms:
                if form.startswith(rest) and len(form) > len(rest):
                    return match.start()
        return len(text)

    # -- reading --------------------------------------------------------------------------------------------------

    def _root(self, kind: Any, run: Any, line: Json) -> _Place:
        if kind not in _STREAMED:
            return _Place()
        place = self._runs.get(run)
        if place is None:
            place = self._runs[run] = _Place()
        place = place.within.get(kind) or place.add(kind)
        call = line.get("call")
        return place if call is None else place.within.get((call,)) or place.add(call, apart=True)

    def _object(self, value: Json, place: _Place, line: _Line) -> None:
        if place.told_by is not None:
            told = value.get(place.told_by)
            told = told if isinstance(told, str | int) and told else None
            place = place.within.get((told,)) or place.add(told, apart=True)
        within, names = place.within, self._names
        for name, held in value.items():
            if name not in names:
                self._name(name, line)
            if isinstance(held, str):
                inner = within.get(name) or place.add(name)
                if not inner.spared and (inner.tail or self._hint(held)):
                    self._text(held, inner, line, value, name)
            elif isinstance(held, dict):
                self._object(held, within.get(name) or place.add(name), line)
            elif isinstance(held, _LISTS):
                self._list(held, within.get(name) or place.add(name), line)

    def _list(self, value: list[Any] | tuple[Any, ...], place: _Place, line: _Line) -> None:
        for index, held in enumerate(value):
            if isinstance(held, dict):
                self._object(held, place, line)
            elif isinstance(held, str):
                if place.tail or self._hint(held):
                    self._text(held, place, line, value, index)
            elif isinstance(held, _LISTS):
                self._list(held, place.within.get(None) or place.add(None), line)

    def _name(self, name: Any, line: _Line) -> None:
        if isinstance(name, str) and self._whole.search(name):
            line.renewed = True
        elif len(self._names) < _MOST_NAMES:
            self._names.add(name)

    def _text(self, text: str, place: _Place, line: _Line, holder: Any, name: Any) -> None:
        """Read the next leaf of a stream."""
        whole = place.tail + text
        pieces = [*place.pieces, _Piece(line, holder, name, len(place.tail), len(whole))]
        found, undecided = self._keys_in(whole)
        for start, end in found:
            _cut(pieces, start, end)
        place.tail = whole[undecided:]
        held = len(place.tail) > self._free
        self._hold(place, [piece.moved(undecided) for piece in pieces if held and piece.end > undecided])

    def _hold(self, place: _Place, pieces: list[_Piece]) -> None:
        for piece in pieces:
            piece.line.waits += 1
        for piece in place.pieces:
            piece.line.waits -= 1
        place.pieces = pieces
        if pieces:
            self._open.add(place)
        else:
            self._open.discard(place)

    def _settle(self, which: Callable[[_Line], bool]) -> None:
        """Let the texts of these lines wait no more: what is no key so far is none."""
        for place in [place for place in self._open if any(which(piece.line) for piece in place.pieces)]:
            for match in self._whole.finditer(place.tail):
                _cut(place.pieces, *match.span())
            self._hold(place, [])

    # -- writing --------------------------------------------------------------------------------------------------

    def _ready(self) -> list[Json]:
        ready = []
        while self._waiting and not self._waiting[0].waits:
            ready.append(self._written(self._waiting.popleft()))
        return ready

    def _written(self, line: _Line) -> Json:
        if not line.cuts and not line.renewed:
            return line.source
        copy: Json = self._copy(line.body, line.cuts)
        if isinstance(event := line.body.get("raw"), dict):
            if copy["raw"] == event:
                return copy | {"raw": line.source["raw"]}
            return copy | {"raw": _event(line.source["raw"], copy["raw"]), "redacted": True}
        return copy

    def _copy(self, value: Any, cuts: _Cuts) -> Any:
        if isinstance(value, dict):
            copy: Json = {}
            for name, held in value.items():
                if name not in self._names and isinstance(name, str):
                    name = self._whole.sub(KEY_MARK, name)
                while name in copy:  # two keys, one mark: neither value is lost
                    name += "'"
                copy[name] = held
            return {
                name: self._leaf(held, cuts.get((id(value), old)), cuts)
                for (name, held), old in zip(copy.items(), value, strict=True)
            }
        if isinstance(value, _LISTS):
            return [self._leaf(held, cuts.get((id(value), index)), cuts) for index, held in enumerate(value)]
        return value

    def _leaf(self, value: Any, spans: list[tuple[int, int, str]] | None, cuts: _Cuts) -> Any:
        if spans is None:
            return self._copy(value, cuts)
        text, at = "", 0
        for start, end, mark in sorted(spans):
            text += value[at:start] + mark
            at = max(at, end)
        return text + value[at:]


_Cuts = dict[tuple[int, Any], list[tuple[int, int, str]]]
"""Where leaves are cut: (identity of the container, name or index) to (from, to, what comes instead)."""


class _Line:
    """A line on its way. `body` is what is read of it: itself, with the JSON of an event in place of its raw text."""

    __slots__ = ("body", "cuts", "renewed", "run", "source", "waits")

    def __init__(self, source: Json, run: Any) -> None:
        self.source = source
        self.run = run
        self.waits = 0  # leaves of this line that may end in a key's beginning
        self.cuts: _Cuts = {}
        self.renewed = False  # has names that change
        raw = source.get("raw")
        event = _read_event(raw) if isinstance(raw, str) else None
        self.body = source if event is None else {**source, "raw": event}


class _Place:
    """Where texts of one stream stand, and the places inside it, by name."""

    __slots__ = ("blob", "depth", "part", "pieces", "somebodys", "spared", "tail", "told_by", "within")

    def __init__(self, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise RecursionError
        self.depth = depth
        self.within: dict[Any, _Place] = {}
        self.tail = ""  # the end of the text so far that may be the beginning of a key
        self.pieces: list[_Piece] = []  # the leaves it stands on, as far as they wait
        self.told_by: str | None = None
        self.somebodys = self.part = self.blob = self.spared = False

    def add(self, name: Any, *, apart: bool = False) -> _Place:
        """The place of a name in here. `apart`: of one of the streams in a list, which are all alike."""
        place = _Place(self.depth + (not apart))
        if apart:
            place.somebodys, place.part = self.somebodys, self.part
            self.within[(name,)] = place
            return place
        place.somebodys = self.somebodys or name in _SOMEBODYS
        if not place.somebodys:
            place.part = name == "parts"
            place.blob = name == "inlineData" and self.part
            place.spared = (name == "thoughtSignature" and self.part) or (name == "data" and self.blob)
            place.told_by = _TELLS_APART.get(name)
        self.within[name] = place
        return place


class _Piece:
    """One leaf of a stream, from `begin` to `end` in the text that is being looked at."""

    __slots__ = ("begin", "end", "holder", "line", "name")

    def __init__(self, line: _Line, holder: Any, name: Any, begin: int, end: int) -> None:
        self.line, self.holder, self.name, self.begin, self.end = line, holder, name, begin, end

    def moved(self, by: int) -> _Piece:
        return _Piece(self.line, self.holder, self.name, self.begin - by, self.end - by)


def _cut(pieces: list[_Piece], start: int, end: int) -> None:
    """Take a key out of the leaves that it spans: the first gets the mark."""
    mark = KEY_MARK
    for piece in pieces:
        first, last = max(start, piece.begin) - piece.begin, min(end, piece.end) - piece.begin
        if first < last:
            piece.line.cuts.setdefault((id(piece.holder), piece.name), []).append((first, last, mark))
            mark = ""


# -- server-sent events -----------------------------------------------------------------------------------------------


def _read_event(raw: str) -> Json | None:
    """The JSON of an event, and its other lines (comments, names, ids). None where its data is no JSON: a text."""
    others: list[str] = []
    data = raw[5:].rstrip("\r\n") if raw.startswith("data:") else None
    if data is None or "\n" in data or "\r" in data:
        lines = [content for content, _ in _lines(raw)]
        data = "\n".join(content[5:] for content in lines if content.startswith("data:"))
        others = [content for content in lines if not content.startswith("data:")]
    try:
        return {"wire": json.loads(data), "others": others}
    except (ValueError, RecursionError):
        return None


def _event(raw: str, read: Json) -> str:
    """The event with the data that `read` holds, on one line; its other lines and all its line ends stay."""
    others, out, data = iter(read["others"]), "", json.dumps(read["wire"], ensure_ascii=False, separators=(",", ":"))
    told = False
    for content, end in _lines(raw):
        if not content.startswith("data:"):
            out += next(others, content) + end
        elif not told:
            out += f"data: {data}{end}"
            told = True
    return out


def _lines(raw: str) -> Iterator[tuple[str, str]]:
    """Each line and its end. A mark of the byte order before the first is no part of it."""
    for match in _LINES.finditer(raw.removeprefix("\ufeff")):
        yield match[1] or "", match[2] or match[3] or ""
