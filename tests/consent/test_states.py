"""The tables: complete, final where they say so, and drawn as they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from consentry.consent.states import (
    CLAIM,
    GRANT,
    REQUEST,
    ClaimEvent,
    ClaimState,
    GrantEvent,
    GrantState,
    IllegalTransition,
    RequestEvent,
    RequestState,
    after,
)

MACHINES = [
    (REQUEST, RequestState, RequestEvent, {RequestState.PENDING}),
    (GRANT, GrantState, GrantEvent, {GrantState.OPEN}),
    (CLAIM, ClaimState, ClaimEvent, {ClaimState.CLAIMED, ClaimState.UNKNOWN}),
]
IDS = ["request", "grant", "claim"]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("table", "states", "events", "open_states"), MACHINES, ids=IDS)
def test_final_states_take_no_event(table, states, events, open_states):
    for state in states:
        for event in events:
            if (state, event) in table:
                assert state in open_states
                assert after(table, state, event) is table[state, event]
            else:
                with pytest.raises(IllegalTransition, match=str(state)):
                    after(table, state, event)


@pytest.mark.parametrize(("table", "states", "events", "open_states"), MACHINES, ids=IDS)
def test_every_state_and_event_is_used(table, states, events, open_states):
    assert {event for _, event in table} == set(events)
    assert {state for state, _ in table} | set(table.values()) == set(states)


def test_the_diagrams_are_those_of_the_tables():
    path = ROOT / "docs" / "generate" / "states.py"
    spec = importlib.util.spec_from_file_location("generate_states", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "states.md").read_text() == module.render()
