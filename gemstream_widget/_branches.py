"""The branches of a conversation: what was said after what, and which branch is current.

A tree of nodes. Each is a run; or what an earlier run left for the one that takes it over; or a list of Contents that
stands for everything before it: the history that a chat was given, or one that was mended. The history is what the
current branch says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ._plain import Wire
from ._request.origin import digest_of, is_odd
from ._request.turns import is_unanswered, model_turn, without_prompt
from ._run import Run
from .errors import NothingToRepeat

__all__ = ["Branches", "Node", "Unfinished"]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a run leaves that ended too early: its prompt, and its steps without the one that did not end well."""

    run: Run


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What was said at one place. `parent` is the place before it, as a reader sees it."""

    said: Run | Unfinished | tuple[Wire, ...]
    parent: Node | None

    @property
    def opens(self) -> bool:
        """Whether it has in it all that was said before."""
        return isinstance(self.said, tuple)


class Branches:
    """All that was said in one chat. Changed under the chat's lock only. `given` is the history from before it."""

    def __init__(self, given: Sequence[Wire] = ()) -> None:
        self.root = self.head = Node(tuple(given), None)
        self.nodes = [self.root]
        """In the order they were made, parents first."""
        self._places: dict[str, Node] = {}  # of the runs, by id

    # -- growing ----------------------------------------------------------------------------------------------------

    def add(self, run: Run, parent: Node) -> Node:
        """A run is said there, and its branch is current."""
        self._places[run.id] = node = self._grow(Node(run, parent))
        return node

    def leave(self, node: Node, end: Node) -> Node:
        """In place of the run at this node, what it leaves is said, for another to take over. `end` is where its branch
        ends: there may be a repair behind it. Raises NothingToRepeat where that has in it what came of the answer.
        """
        run, before = node.said, node.parent
        assert isinstance(run, Run)
        assert before is not None  # a run has a place before it, if only the root
        if end.opens:
            if run._said() or not run._record.state.prompt:
                raise NothingToRepeat(
                    "The repaired history holds what came of the answer: use again('continue'), or send."
                )
            before = self.mend(self.contents(end), before)
        return self.put(Unfinished(run), before)

    def put(self, left: Unfinished, parent: Node) -> Node:
        """What a run leaves is said there."""
        return self._grow(Node(left, parent))

    def mend(self, contents: Sequence[Wire], parent: Node) -> Node:
        """In place of all that is said up to there, a branch says this, and is current."""
        return self._grow(Node(tuple(contents), parent))

    def _grow(self, node: Node) -> Node:
        self.nodes.append(node)
        self.head = node
        return node

    def switch(self, run: Run) -> None:
        """Make the branch of this run current, as far as it went last."""
        place = self._places[run.id]
        self.head = next(node for node in reversed(self.nodes) if place in _way(node))

    # -- reading ----------------------------------------------------------------------------------------------------

    @property
    def began(self) -> bool:
        """Whether there is any run."""
        return bool(self._places)

    @property
    def runs(self) -> list[Run]:
        """The runs of all branches, in the order they were begun in."""
        return [node.said for node in self.nodes if isinstance(node.said, Run)]

    def place(self, run: Run) -> Node | None:
        """Where a run was said; None for one of another chat."""
        node = self._places.get(run.id)
        return node if node is not None and node.said is run else None

    def end(self, node: Node) -> Node:
        """The last repair right behind this place; the place itself, where there is none."""
        for one in self.nodes:  # parents first
            if one.parent is node and one.opens:
                node = one
        return node

    def path(self, node: Node | None) -> Iterator[Run]:
        """The runs up to here, the last first."""
        return (one.said for one in _way(node) if isinstance(one.said, Run))

    def contents(self, node: Node) -> list[Wire]:
        """What is said up to here, as Contents, for reading only: they are the runs' own."""
        read: list[Node] = []
        for one in _way(node):
            read.append(one)
            if one.opens:
                break
        said: list[Wire] = []
        for one in reversed(read):
            state = one.said._record.state if isinstance(one.said, Run) else None
            if state is not None and not state.prompt and is_unanswered(state):
                said = without_prompt(said)  # it took over a prompt, and brought no answer either
            said += _contents(one)
        return said

    def odd(self) -> set[bytes]:
        """The digests of the parts that models sent here, and in which there is something that has no name here."""
        turns = (model_turn(run._record.state.parts_of(step.index)) for run in self.runs for step in run.steps)
        return {digest_of(part) for turn in turns if turn is not None for part in turn["parts"] if is_odd(part)}

    def asked(self, node: Node) -> list[Wire]:
        """What the last request of the run at this node said, for reading only."""
        run, before = node.said, _continued(node)
        assert isinstance(run, Run)
        assert node.parent is not None
        if before is not None and len(run.steps) == 1:  # it asked for the same answer
            return self.asked(before)
        return [*self.contents(node.parent), *run._unfinished()]

    def beginning(self, node: Node) -> Node:
        """Where the answer begins that the run at this node goes on with; the node itself, where it began one."""
        while (before := _continued(node)) is not None:
            node = before
        return node

    def parent(self, run: Run) -> Run | None:
        """The run that this one goes on after; None at the beginning."""
        return next((one for one in self.path(self._places[run.id].parent) if one._record.state.had_turn), None)

    def siblings(self, run: Run) -> list[Run]:
        """The runs that go on after the same one, itself among them, in the order they were begun in."""
        parent = self.parent(run)
        return [one for one in self.runs if one is run or (one._record.state.had_turn and self.parent(one) is parent)]


def _way(node: Node | None) -> Iterator[Node]:
    """From here up to the root."""
    while node is not None:
        yield node
        node = node.parent


def _continued(node: Node) -> Node | None:
    """Where the run is that the one at this node goes on with right where its answer stands."""
    is_rest = isinstance(node.said, Run) and not node.said._record.state.prompt
    return node.parent if is_rest and node.parent is not None and isinstance(node.parent.said, Run) else None


def _contents(node: Node) -> list[Wire]:
    if isinstance(node.said, Run):
        return node.said._said()
    if isinstance(node.said, Unfinished):
        return node.said.run._unfinished()
    return list(node.said)
