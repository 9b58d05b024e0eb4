"""Folding: equal to DuckDB, mergeable, expiring by time alone."""

from __future__ import annotations

from typing import Any

import streams
from hypothesis import given
from hypothesis import strategies as st
from streams import SPEC, Taken, few, instants

from opportune.clock import DAY
from opportune.profiles.duck import backfill, compute
from opportune.profiles.fold import consents, fold, values
from opportune.profiles.merge import merge, narrow
from opportune.profiles.state import State, dump, load
from opportune.rules import Value


def folded(stream: list[Taken]) -> dict[str, State]:
    states: dict[str, State] = {}
    for taken in stream:
        fold(states.setdefault(taken.node, State(taken.node)), taken.event, taken.seq, SPEC)
    return states


def bits(found: dict[str, Value]) -> dict[str, Any]:
    """Make of each value something that is equal only if it is the same to the bit."""
    return {name: (type(value), value.hex() if isinstance(value, float) else value) for name, value in found.items()}


def known(state: State, now: int) -> Any:
    found, _ = values(state, SPEC, now)
    seen = (state.first, state.last, state.received, state.seq)
    return bits(found), state.traits, consents(state), seen


def after(stream: list[Taken], now: int) -> int:
    return max([now, *(taken.event.received_at for taken in stream)])


rows = streams.streams()
FEATURES = [a.name for a in SPEC.accumulators]


@few
@given(streams.streams(nodes=4, most=80), instants)
def test_online_features_are_those_of_duckdb_to_the_bit(stream: list[Taken], moment: int) -> None:
    for now in (moment, after(stream, moment)):
        seen = [taken for taken in stream if taken.event.received_at <= now]
        states = folded(seen)
        duck = compute(((t.node, t.seq, t.event) for t in stream), SPEC, now)
        for node, found in duck.items():
            online, _ = values(states.get(node, State()), SPEC, now)
            assert bits({name: online[name] for name in FEATURES}) == bits(found)


@given(rows, instants)
def test_merged_nodes_are_one_node_that_saw_all(stream: list[Taken], now: int) -> None:
    now = after(stream, now)
    one = State("n1")
    for taken in stream:
        fold(one, taken.event, taken.seq, SPEC)
    states = list(folded(stream).values())
    if not states:
        return
    a, *rest = states
    assert bits(values(narrow(states, SPEC), SPEC, now)[0]) == bits(values(one, SPEC, now)[0])
    assert known(merge(states, SPEC), now) == known(one, now)
    assert known(merge(reversed(states), SPEC), now) == known(one, now)
    assert known(merge([a, merge(rest or [State()], SPEC)], SPEC), now) == known(one, now)


@given(rows)
def test_merging_changes_no_state(stream: list[Taken]) -> None:
    states = list(folded(stream).values())
    before = [dump(state) for state in states]
    if states:
        merge(states, SPEC)
    assert [dump(state) for state in states] == before


@given(rows, instants, st.integers(0, 30 * DAY))
def test_values_stay_until_they_say(stream: list[Taken], now: int, later: int) -> None:
    now = after(stream, now)
    for state in folded(stream).values():
        found, until = values(state, SPEC, now)
        assert until > now
        for moment in (min(now + later, until - 1), until - 1):
            assert bits(values(state, SPEC, moment)[0]) == bits(found)


@given(rows, instants)
def test_a_state_is_what_its_bytes_say(stream: list[Taken], now: int) -> None:
    now = after(stream, now)
    for state in folded(stream).values():
        again = load(dump(state))
        assert dump(again) == dump(state)
        assert known(again, now) == known(state, now)


@few
@given(rows, instants)
def test_backfilled_features_are_folded_ones(stream: list[Taken], now: int) -> None:
    now = after(stream, now)
    filled = dict(backfill(((t.node, t.seq, t.event) for t in stream), SPEC, SPEC.fingerprints))
    for node, state in folded(stream).items():
        other = load(dump(state))
        other.features = filled.get(node, {})
        assert known(load(dump(other)), now) == known(state, now)
        for fingerprint, held in other.features.items():
            assert type(held) is type(state.features[fingerprint])
