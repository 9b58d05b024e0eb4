"""Many states as one: what would be known had one node seen all of their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from opportune.profiles.choices import join, merged
from opportune.profiles.facts import settle
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import State


def merge(states: Iterable[State], spec: ProfileSpec) -> State:
    """Return the merged state of some nodes; `id` is that of the first, which is the person's root.

    Traits, consents and other choices: the last write by (at, seq); of frequencies each one holds. Features: as their
    aggregate says. Apart from `id` the order of the states does not matter, nor how they are grouped. A single state is
    returned as it is; otherwise none is changed and the result is not to be folded into. Features that the spec does
    not know are left out.
    """
    first, *others = states
    if not others:
        return first
    whole = State(
        first.id, first.user, first.seq, first.received, first.first, first.last, dict(first.traits),
        {a.fingerprint: first.features[a.fingerprint] for a in spec.accumulators if a.fingerprint in first.features},
        dict(first.consents), dict(first.preferences), merged([first, *others]),
    )  # fmt: skip
    for state in others:
        whole.seq = max(whole.seq, state.seq)
        whole.received = max(whole.received, state.received)
        whole.first = _of(min, whole.first, state.first)
        whole.last = _of(max, whole.last, state.last)
        for name, written in state.traits.items():
            held = whole.traits.get(name)
            if held is None or written[1:] >= held[1:]:
                whole.traits[name] = written
        join(whole.consents, state.consents)
        join(whole.preferences, state.preferences)
        _merge_features(whole.features, state.features, spec)
    settle(whole.traits, [first, *others])
    return whole


def narrow(states: Sequence[State], spec: ProfileSpec) -> State:
    """Return a state with what `merge` would know of the declared traits and the features of a spec, and no more."""
    if len(states) == 1:
        return states[0]
    found = State(traits={}, features={})
    for name in spec.declared:
        best = None
        for state in states:
            written = state.traits.get(name)
            if written is not None and (best is None or written[1:] >= best[1:]):
                best = written
        if best is not None:
            found.traits[name] = best
    settle(found.traits, states)
    for state in states:
        _merge_features(found.features, state.features, spec)
    return found


def _merge_features(into: dict[str, Any], other: dict[str, Any], spec: ProfileSpec) -> None:
    seen = set()
    for a in spec.accumulators:
        key = a.fingerprint
        held = other.get(key)
        if held is None or key in seen:
            continue
        seen.add(key)
        into[key] = a.aggregate.merge(into[key], held) if key in into else held


def _of(best: Any, one: int | None, other: int | None) -> int | None:
    return best((x for x in (one, other) if x is not None), default=None)  # type: ignore[no-any-return]
