"""What a page would hold of one card with one run, and what it saw that must not be."""

from __future__ import annotations

from typing import Any

from gemstream_widget._plain import Wire
from gemstream_widget._stream.machine import RUN_TABLE, is_terminal
from gemstream_widget._stream.patch import apply_ops

__all__ = ["Page"]


class Page:
    """Starts from the snapshot a card was opened with, and takes what the kernel tells it, in order."""

    def __init__(self, comm_id: str, snapshot: Wire) -> None:
        (held,) = snapshot["runs"]
        self.comm_id = comm_id
        self.state: Wire = held["state"]
        self.patched_at: list[float] = []
        """time.time() of each patch."""
        self._seq = self._opened_with = int(held["seq"])
        self._ends = int(self.ended)
        self._faults: list[str] = []

    @property
    def run(self) -> str:
        return str(self.state["id"])

    @property
    def ended(self) -> bool:
        return is_terminal(RUN_TABLE, self.state["status"])

    @property
    def streams(self) -> bool:
        """Text has come."""
        return any(part.get("text") for part in self.state["parts"])

    @property
    def pending(self) -> Wire | None:
        """The call that waits for a decision."""
        return next((call for call in self._calls if call["state"] == "awaiting_approval"), None)

    @property
    def decided(self) -> bool:
        """A decision was made and shown, or the run is over."""
        return self.ended or any(call["decision"] for call in self._calls)

    @property
    def _calls(self) -> list[Wire]:
        return [part["call"] for part in self.state["parts"] if part["kind"] == "call"]

    def take(self, data: Wire, at_s: float) -> None:
        """One comm message; docs/protocol.md."""
        content: Any = data.get("content")
        if data.get("method") != "custom":
            return
        if content["op"] == "refused":
            self._faults.append(f"a decision was refused: {content['message']}")
        elif content["op"] == "patch" and content["seq"] > self._opened_with:
            if content["seq"] != self._seq + 1:
                self._faults.append(f"patch {content['seq']} came after patch {self._seq}")
                return
            self._seq = content["seq"]
            self.patched_at.append(at_s)
            apply_ops(self.state, content["ops"])
            told = [value for _, path, value in content["ops"] if path == ["status"]]
            self._ends += sum(is_terminal(RUN_TABLE, status) for status in told)

    def faults(self, state: Wire) -> list[str]:
        """What went wrong, given the state that the kernel holds at the end."""
        faults = list(self._faults)
        if self._ends != 1:
            faults.append(f"the run ended {self._ends} times")
        if self.state != state:
            faults.append("the page does not hold what the kernel holds")
        return faults
