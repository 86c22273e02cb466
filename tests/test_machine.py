from __future__ import annotations

import pytest

from gemstream_widget._stream.machine import CALL_TABLE, RUN_TABLE, Table, is_terminal, next_state
from gemstream_widget.errors import IllegalTransition

TABLES = {"run": RUN_TABLE, "call": CALL_TABLE}
EVENTS = {name: sorted({e for row in table.values() for e in row}) for name, table in TABLES.items()}
PAIRS = [(name, state, event) for name, table in TABLES.items() for state in table for event in EVENTS[name]]


@pytest.mark.parametrize(("name", "state", "event"), PAIRS)
def test_every_pair_follows_the_table_is_absorbed_or_is_illegal(name: str, state: str, event: str) -> None:
    table = TABLES[name]
    if is_terminal(table, state):
        assert next_state(table, state, event) == state
    elif event in table[state]:
        assert next_state(table, state, event) == table[state][event]
    else:
        with pytest.raises(IllegalTransition, match=f"{state!r} on {event!r}"):
            next_state(table, state, event)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_state_is_reached_and_leads_to_an_end(table: Table) -> None:
    def reached(start: str) -> set[str]:
        seen, todo = set(), [start]
        while todo:
            state = todo.pop()
            if state not in seen:
                seen.add(state)
                todo += table[state].values()
        return seen

    assert reached(next(iter(table))) == set(table)
    for state in table:
        assert any(is_terminal(table, end) for end in reached(state))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_stop_ends_every_open_state(table: Table) -> None:
    for state, row in table.items():
        if row:
            after = next_state(table, state, "stop")
            assert after == "cancelled" or table[after]["children_ended"] == "cancelled"
