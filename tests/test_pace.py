from __future__ import annotations

import pytest

from gemstream_widget._notebook.pacer import FLUSH_S, Pacer


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_card_flushes_every_33_ms() -> None:
    clock = Clock()
    pacer = Pacer(clock)
    assert pacer.wait_s(clock.now) == pytest.approx(FLUSH_S)
    clock.now += 1
    assert pacer.wait_s(clock.now - 1) == 0


def test_any_number_of_cards_stays_far_below_the_servers_limit() -> None:
    """The server drops messages above 1000 in 3 seconds."""
    clock = Clock()
    pacer = Pacer(clock)
    due = dict.fromkeys(range(300), clock.now)  # card: when its next flush is
    sent: list[float] = []
    while clock.now < 110:
        for card, at in due.items():
            if at <= clock.now:
                sent.append(clock.now)
                due[card] = clock.now + pacer.wait_s(clock.now)
        if pacer.may_hurry():
            sent.append(clock.now)
        clock.now += 0.001
    worst = max(sum(1 for t in sent if start <= t < start + 3) for start in (100.0, 102.0, 105.0))
    assert 300 < worst < 600 + 300  # the first moment lets every card send once
    assert sum(1 for t in sent if 104 <= t < 107) < 500


def test_urgent_flushes_come_in_bursts_and_then_wait() -> None:
    clock = Clock()
    pacer = Pacer(clock)
    assert sum(pacer.may_hurry() for _ in range(100)) == 40
    clock.now += 0.125
    assert sum(pacer.may_hurry() for _ in range(100)) == 5


def test_beats_get_rarer_with_many_runs() -> None:
    pacer = Pacer(Clock())
    assert pacer.beat_s() == 2.0
    for _ in range(200):
        pacer.begin()
    assert pacer.beat_s() == 10.0
