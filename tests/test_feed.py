from __future__ import annotations

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemstream_widget._stream.patch import Op, apply_ops
from gemstream_widget._stream.readers import PatchReader


class Owner:
    """A document, and a feed that tells of its changes."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = {"n": 0, "parts": []}
        self.lock = threading.RLock()
        self.feed = PatchReader(
            "r1", self.lock, lambda: ({**self.document, "parts": [dict(p) for p in self._parts()]}, 1.5)
        )

    def _parts(self) -> list[dict[str, Any]]:
        return list(self.document["parts"])

    def change(self, *ops: Op) -> None:
        with self.lock:
            apply_ops(self.document, ops)
            self.feed.push(ops)


def new_part(index: int) -> Op:
    return ("=", ("parts", index), {"text": "", "last": None})


def test_text_joins_values_replace_and_order_is_kept() -> None:
    owner = Owner()
    owner.change(new_part(0))
    for n, letter in enumerate("abc"):
        owner.change(("+", ("parts", 0, "text"), letter), ("=", ("n",), n))
    (message,) = owner.feed.take()
    assert message == {
        "op": "patch",
        "run": "r1",
        "seq": 1,
        "ops": [
            ("=", ("parts", 0), {"text": "", "last": None}),
            ("+", ("parts", 0, "text"), "abc"),
            ("=", ("n",), 2),
        ],
    }
    assert owner.feed.take() == []


def test_nothing_joins_across_a_new_container() -> None:
    owner = Owner()
    owner.change(new_part(0), ("+", ("parts", 0, "text"), "a"), ("=", ("parts", 0), {"text": "", "last": None}))
    owner.change(("+", ("parts", 0, "text"), "b"))
    document: dict[str, Any] = {"n": 0, "parts": []}
    apply_ops(document, owner.feed.take()[0]["ops"])
    assert document["parts"] == [{"text": "b", "last": None}]


def test_a_snapshot_closes_the_waiting_batch_which_is_still_sent() -> None:
    owner = Owner()
    owner.change(new_part(0), ("+", ("parts", 0, "text"), "a"))
    held = owner.feed.snapshot()
    assert held == {"seq": 1, "at_s": 1.5, "state": {"n": 0, "parts": [{"text": "a", "last": None}]}}
    owner.change(("+", ("parts", 0, "text"), "b"))
    assert [m["seq"] for m in owner.feed.take()] == [1, 2]


changes = st.one_of(
    st.just("part"),
    st.tuples(st.just("text"), st.integers(0, 3), st.text(max_size=3)),
    st.tuples(st.just("last"), st.integers(0, 3), st.integers(0, 9)),
    st.tuples(st.just("n"), st.just(0), st.integers(0, 9)),
    st.just("take"),
    st.just("snapshot"),
)


@given(st.lists(changes, max_size=40))
def test_batches_after_any_snapshot_lead_to_the_document(steps: list[Any]) -> None:
    """Whoever starts from any snapshot and applies the later batches ends with the document."""
    owner = Owner()
    starts: list[dict[str, Any]] = [owner.feed.snapshot()]
    sent: list[dict[str, Any]] = []
    for step in steps:
        count = len(owner.document["parts"])
        if step == "part":
            owner.change(new_part(count))
        elif step == "take":
            sent += owner.feed.take()
        elif step == "snapshot":
            starts.append(owner.feed.snapshot())
        elif step[0] == "n":
            owner.change(("=", ("n",), step[2]))
        elif step[1] < count:
            op = "+" if step[0] == "text" else "="
            owner.change((op, ("parts", step[1], step[0]), step[2]))
    sent += owner.feed.take()
    assert [m["seq"] for m in sent] == list(range(1, len(sent) + 1))
    for start in starts:
        for message in sent:
            if message["seq"] > start["seq"]:
                apply_ops(start["state"], message["ops"])
        assert start["state"] == owner.document
