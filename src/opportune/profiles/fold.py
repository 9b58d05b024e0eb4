"""Events into state, and state into values: pure functions that know no clock and no store.

`fold` takes one event in; events come in the order of their sequence numbers, whatever their timestamps. `values` reads
what is held at an instant, which must not be before the `received_at` of an event already taken.

What events say about being contacted is in `consent_events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opportune.events.types import Event
from opportune.profiles.buckets import FOREVER
from opportune.profiles.choices import consents
from opportune.profiles.consent_events import check_consent, consent_status, hear, speaks
from opportune.profiles.facts import FACTS, heeded
from opportune.profiles.facts import hear as hear_fact
from opportune.profiles.features import Window
from opportune.profiles.fields import dig, event_name
from opportune.profiles.spec import Accumulator, ProfileSpec, Watch
from opportune.profiles.state import LARGEST_VALUE, MOST_TRAITS, State
from opportune.rules import Value

__all__ = ["check_consent", "consent_status", "consents", "fold", "values"]


def fold(state: State, event: Event, seq: int, spec: ProfileSpec) -> Sequence[Watch]:
    """Take an event into a node's state, in place; return what watched it. `seq` grows from event to event."""
    at = event.at
    state.seq = seq
    if event.received_at > state.received:
        state.received = event.received_at
    if state.first is None or at < state.first:
        state.first = at
    if state.last is None or at > state.last:
        state.last = at
    traits = event.context.get("traits")
    if isinstance(traits, dict):
        _take_traits(state, traits, at, seq, spec)
    if speaks(event):
        hear(state, event, seq, spec.addresses)
    if event.type == "identify":
        _take_traits(state, event.traits, at, seq, spec)
        return ()
    if event.event in FACTS and event.type == "track":
        hear_fact(state, event, seq, spec)
    name = event_name(event)
    if name is None:
        return ()
    watches = spec.index.get(name)
    if watches is None:
        return ()
    held = [watch for watch in watches if watch.holds(event)]
    for watch in held:
        _accumulate(state, event, seq, spec, watch.accumulators)
    return held


def _accumulate(
    state: State, event: Event, seq: int, spec: ProfileSpec, accumulators: Sequence[Accumulator]
) -> None:
    at, features = event.at, state.features
    for a in accumulators:
        value = 1 if a.read is None else a.typed(a.read(event))
        if value is None:
            continue
        clock = spec.clocks[a.clock]
        bucket = clock.of(at)
        held = features.get(a.fingerprint)
        if held is None:
            features[a.fingerprint] = a.aggregate.add(None, bucket, value, at, seq)
            continue
        now_held = a.aggregate.add(held, bucket, value, at, seq)
        if now_held is not held:
            features[a.fingerprint] = now_held
        elif len(held) > a.count:
            a.aggregate.prune(held, clock.of(state.received) - a.count, a.count)


def values(state: State, spec: ProfileSpec, now: int) -> tuple[dict[str, Value], int]:
    """Return every declared trait and feature at an instant, and the instant until which time alone changes none.

    Numbers are floats, times ints, and NULL is None. A trait whose value is not of its declared type is NULL.
    """
    found: dict[str, Value] = {}
    traits = state.traits
    for name, top, rest, typed in spec.reads:
        written = traits.get(name)
        if written is None and rest:
            written = traits.get(top)
            raw = dig(written[0], rest) if written is not None and isinstance(written[0], dict) else None
        else:
            raw = None if written is None else written[0]
        found[name] = None if raw is None else typed(raw)
    until = FOREVER
    clocks = spec.clocks
    running = [clock.of(now) for clock in clocks]
    windows: dict[tuple[int, int], Window] = {}
    features = state.features
    for a in spec.accumulators:
        held = features.get(a.fingerprint)
        if held is None:
            found[a.name] = a.aggregate.empty
            continue
        key = (a.clock, a.count)
        window = windows.get(key)
        if window is None:
            window = windows[key] = Window(running[a.clock] - a.count, a.count, clocks[a.clock])
        found[a.name], end = a.aggregate.read(held, window, now)
        if end < until:
            until = end
    return found, until


def _take_traits(state: State, new: Mapping[str, Any], at: int, seq: int, spec: ProfileSpec) -> None:
    traits = state.traits
    corrected = state.choices.corrected if state.choices else None
    for name, value in new.items():
        if corrected and name in corrected and not heeded(corrected, name, value, at, seq):
            continue
        held = traits.get(name)
        if held is None:
            if len(traits) >= MOST_TRAITS and name not in spec.declared:
                continue
        elif (at, seq) < (held[1], held[2]):
            continue
        if _fits(value) and _fits(name):
            traits[name] = (value, at, seq)


def _fits(value: Any) -> bool:
    """Return whether a value can be kept: not too large, and writable."""
    kind = type(value)
    if kind is float or kind is bool or value is None:
        return True
    if kind is str and len(value) < LARGEST_VALUE and value.isascii():
        return True
    try:
        return len(msgspec.msgpack.encode(value)) <= LARGEST_VALUE
    except (OverflowError, TypeError, ValueError, RecursionError):
        return False
