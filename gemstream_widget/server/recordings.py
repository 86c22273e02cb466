"""Recorded streams as models: a folder of JSONL files, one chunk per line, the file's stem as the model's name.

A line `{"$error": {"code": 503, "message": ..., "status": ...}}` is an error: of the HTTP request when it comes first,
in the middle of the stream otherwise. A chunk with `finishReason: CONTINUATION` and a `continuationToken` ends the HTTP
stream; the same request with that token gets the lines behind it. When the conversation comes back with what the tools
answered, `stem.2.jsonl` goes on, then `stem.3.jsonl`; where there is none, the demo model answers.
"""

from __future__ import annotations

import json
from pathlib import Path

from .._plain import Json
from .._request.wire import decode_base64
from .actions import Actions, Pause, Send
from .errors import Refusal, error_body

__all__ = ["DEFAULT_PACE_S", "Recordings", "read_lines", "recorded_model", "replay"]


DEFAULT_PACE_S = 0.05
_PREFIX = "recordings/"


class Recordings:
    """The recordings in a folder. Files are read when they are asked for, so they can be edited meanwhile."""

    def __init__(self, folder: str | Path | None) -> None:
        self._folder = Path(folder) if folder is not None else None
        if self._folder is not None and not self._folder.is_dir():
            raise NotADirectoryError(f"There is no folder {str(folder)!r} with recordings; give one with .jsonl files.")

    def names(self) -> list[str]:
        """The models' names: the stems of the files."""
        return sorted(path.stem for path in self._folder.glob("*.jsonl")) if self._folder else []

    def find(self, model: str, step: int = 0) -> Path | None:
        """The file for the model `stem` or `recordings/stem`, of the step 0, 1, ... of a turn; None without one."""
        stem = model.removeprefix(_PREFIX)
        if step:
            stem = f"{stem}.{step + 1}"
        return self._folder / f"{stem}.jsonl" if self._folder and stem in self.names() else None


def read_lines(path: Path) -> list[Json]:
    """The lines of a recording. Raises Refusal when one is not a JSON object."""
    lines = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise Refusal(500, f"Line {number} of the recording {path.name} is not a JSON object.")
            lines.append(value)
    return lines


def recorded_model(lines: list[Json]) -> str:
    """The model that made the recording, as far as it says so."""
    return next((line["modelVersion"] for line in lines if line.get("modelVersion")), "recording")


def replay(lines: list[Json], pace_s: float | None, token: str | None = None) -> Actions:
    """The lines as they were, `pace_s` seconds apart, up to the next continuation token; behind `token` if it is given.

    Raises Refusal at once when the first one is an error, and for a token that is not in the recording.
    """
    lines = _hop(lines, token)
    if lines and "$error" in lines[0]:
        error = _error(lines[0])
        raise Refusal(error["code"], error["message"], details=error.get("details"))
    return _replay(lines, DEFAULT_PACE_S if pace_s is None else pace_s)


def _hop(lines: list[Json], token: str | None) -> list[Json]:
    """The lines of one HTTP stream, of a recording that holds those of a whole answer."""
    ends = [number for number, line in enumerate(lines, 1) if _token(line) is not None]
    begin = 0
    if token is not None:
        given = [end for end in ends if _token(lines[end - 1]) == decode_base64(token) and end < len(lines)]
        if not given:  # wording ours, as in `hops`
            raise Refusal(400, "Invalid continuation token: the recording has nothing behind it.")
        begin = given[0]
    return lines[begin : min((end for end in ends if end > begin), default=len(lines))]


def _token(line: Json) -> bytes | None:
    """The token of a chunk that ends a hop."""
    candidates = line.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else {}
    ends = isinstance(first, dict) and first.get("finishReason") == "CONTINUATION"
    return decode_base64(first.get("continuationToken")) if ends else None


def _replay(lines: list[Json], pace_s: float) -> Actions:
    for number, line in enumerate(lines):
        if number:
            yield Pause(pace_s)
        yield Send({"error": _error(line)} if "$error" in line else line)


def _error(line: Json) -> Json:
    given = line["$error"] if isinstance(line["$error"], dict) else {}
    usual: Json = error_body(given.get("code", 500), given.get("message"))["error"]
    return usual | given
