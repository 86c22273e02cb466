"""The branches of a conversation: what was said after what, and which branch is current.

A tree of nodes. Each is a run, or a list of Contents that stands for everything before it: the history that a chat was
given, or one that was mended. The history is what the current branch says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

from ._plain import Json, Wire
from ._run import Run

__all__ = ["Branches", "Node"]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What was said at one place. `parent` is the place before it, as a reader sees it. A node that `opens` has in it
    all that was said before: a list of Contents, or a run that asks again with the conversation so far.
    """

    said: Run | tuple[Wire, ...]
    parent: Node | None
    opens: bool


class Branches:
    """All that was said in one chat. Changed under the chat's lock only. `given` is the history from before it."""

    def __init__(self, given: Sequence[Wire] = ()) -> None:
        self.root = self.head = Node(tuple(given), None, opens=True)
        self._nodes = [self.root]  # in the order they were made, parents first
        self._places: dict[str, Node] = {}  # of the runs, by id

    # -- growing ----------------------------------------------------------------------------------------------------

    def add(self, run: Run, parent: Node, *, opens: bool) -> None:
        """A run is said there, and its branch is current."""
        self._places[run.id] = self._grow(Node(run, parent, opens))

    def mend(self, contents: Sequence[Wire], parent: Node) -> None:
        """In place of all that is said up to there, a branch says this, and is current."""
        self._grow(Node(tuple(contents), parent, opens=True))

    def _grow(self, node: Node) -> Node:
        self._nodes.append(node)
        self.head = node
        return node

    def switch(self, run: Run) -> None:
        """Make the branch of this run current, as far as it went last."""
        place = self._places[run.id]
        self.head = next(node for node in reversed(self._nodes) if place in _way(node))

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> list[Run]:
        """The runs of all branches, in the order they were begun in."""
        return [node.said for node in self._nodes if isinstance(node.said, Run)]

    def place(self, run: Run) -> Node | None:
        """Where a run was said; None for one of another chat."""
        node = self._places.get(run.id)
        return node if node is not None and node.said is run else None

    def path(self, node: Node | None) -> Iterator[Run]:
        """The runs up to here, the last first."""
        return (one.said for one in _way(node) if isinstance(one.said, Run))

    def contents(self, node: Node, *, without: Run | None = None) -> list[Wire]:
        """What is said up to here, as Contents; `without` what one of the runs said."""
        read: list[Node] = []
        for one in _way(node):
            if one.said is not without:
                read.append(one)
            if one.opens:
                break
        return [content for one in reversed(read) for content in _contents(one)]

    def parent(self, run: Run) -> Run | None:
        """The run that this one goes on after; None at the beginning."""
        return next((one for one in self.path(self._places[run.id].parent) if one._record.state.had_turn), None)

    def siblings(self, run: Run) -> list[Run]:
        """The runs that go on after the same one, itself among them, in the order they were begun in."""
        parent = self.parent(run)
        return [one for one in self.runs if one is run or (one._record.state.had_turn and self.parent(one) is parent)]

    # -- keeping ----------------------------------------------------------------------------------------------------

    def to_json(self) -> Json:
        """For a file: the nodes without their runs, which are told in order elsewhere."""
        numbers = {id(node): number for number, node in enumerate(self._nodes)}
        nodes = [
            {
                "contents": None if isinstance(node.said, Run) else list(node.said),
                "parent": None if node.parent is None else numbers[id(node.parent)],
                "opens": node.opens,
            }
            for node in self._nodes
        ]
        return {"nodes": nodes, "head": numbers[id(self.head)]}


def _way(node: Node | None) -> Iterator[Node]:
    """From here up to the root."""
    while node is not None:
        yield node
        node = node.parent


def _contents(node: Node) -> list[Wire]:
    return node.said.contents() if isinstance(node.said, Run) else deepcopy(list(node.said))
