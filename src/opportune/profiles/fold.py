"""Events into state, and state into values: pure functions that know no clock and no store.

`fold` takes one event in; events come in the order of their sequence numbers, whatever their timestamps. `values` reads
what is held at an instant, which must not be before the `received_at` of an event already taken.

Consents come in two ways, both about `marketing` where no purpose is named:

- a track call `Consent Updated` with the properties `channel` (its name or `all`), `purpose` (`marketing`, `all`, ...),
  `status` (granted, refused, withdrawn), and optionally `source` and `wording`. Without a channel, a refusal is about
  all channels and a grant is left out;
- `context.consent.categoryPreferences`, channel -> true (granted) or false (refused), on any call. Clients repeat it
  from a cookie, so a true is left out while a `Consent Updated` that covers it stands as a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from opportune.errors import BadEvent
from opportune.events.types import Event
from opportune.profiles.buckets import FOREVER
from opportune.profiles.consent import Consent, Key, Status
from opportune.profiles.features import Window
from opportune.profiles.fields import dig, event_name
from opportune.profiles.spec import Accumulator, ProfileSpec, Watch
from opportune.profiles.state import LARGEST_VALUE, MOST_CONSENTS, MOST_TRAITS, Said, State
from opportune.rules import Value

CONSENT_UPDATED = "Consent Updated"
PREFERENCES = "consent.categoryPreferences"


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
    context = event.context
    if "traits" in context or "consent" in context or PREFERENCES in context:
        _take_context(state, event, seq, spec)
    if event.type == "identify":
        _take_traits(state, event.traits, at, seq, spec)
        return ()
    name = event_name(event)
    if name is None:
        return ()
    if name == CONSENT_UPDATED and event.type == "track":
        _take_consent(state, event, seq)
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


def consents(state: State) -> dict[Key, Consent]:
    """Return the last word per (purpose, channel), the category preferences among them (see above)."""
    latest = dict(state.consents)
    for channel, preference in state.preferences.items():
        key = ("marketing", channel)
        said = latest.get(key)
        if preference.status == "granted" and _refused(state, channel):
            continue
        if said is None or (preference.at, preference.seq) >= (said.at, said.seq):
            latest[key] = preference
    return {key: Consent(said.status, said.at, said.source, said.wording) for key, said in latest.items()}


def _refused(state: State, channel: str) -> bool:
    covering = [(purpose, name) for purpose in ("marketing", "all") for name in (channel, "all")]
    return any(key in state.consents and state.consents[key].status != "granted" for key in covering)


def _take_traits(state: State, new: Mapping[str, Any], at: int, seq: int, spec: ProfileSpec) -> None:
    traits = state.traits
    for name, value in new.items():
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


def _take_context(state: State, event: Event, seq: int, spec: ProfileSpec) -> None:
    traits = event.context.get("traits")
    if isinstance(traits, dict):
        _take_traits(state, traits, event.at, seq, spec)
    preferences = dig(event.context, PREFERENCES)
    if isinstance(preferences, dict):
        for channel, allowed in preferences.items():
            if type(allowed) is bool and _named(channel):
                said = Said("granted" if allowed else "refused", event.at, seq, "categoryPreferences")
                _say(state.preferences, channel, said)


def _take_consent(state: State, event: Event, seq: int) -> None:
    get = event.properties.get
    status, purpose, channel = consent_status(get("status")), _word(get("purpose", "marketing")), _word(get("channel"))
    if status is None:
        return
    if channel is None and status != "granted":
        channel = "all"
    if _named(channel) and _named(purpose):
        source, wording = get("source"), get("wording")
        word = Said(
            status,
            event.at,
            seq,
            str(source) if _named(source) else event.source,
            wording if type(wording) is str and len(wording) <= LARGEST_VALUE else "",
        )
        _say(state.consents, (purpose, channel), word)


def _say(said: dict[Any, Said], key: Any, word: Said) -> None:
    held = said.get(key)
    if held is None and len(said) >= MOST_CONSENTS:
        grants = [k for k, w in said.items() if w.status == "granted"]
        if word.status == "granted" or not grants:
            return
        del said[min(grants, key=lambda k: (said[k].at, said[k].seq))]
    if held is None or (word.at, word.seq) >= (held.at, held.seq):
        said[key] = word


def _named(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= 64


def consent_status(said: Any) -> Status | None:
    """Return what a word for a consent means, in any case; None if it means none of the three.

    >>> consent_status("Granted"), consent_status("denied"), consent_status("opted_out"), consent_status("perhaps")
    ('granted', 'refused', 'withdrawn', None)
    """
    return _STATUSES.get(_word(said) if isinstance(said, str) else said if isinstance(said, bool) else None)


def check_consent(event: Event) -> None:
    """Raise `BadEvent` for a consent whose status means nothing: a refusal must never be lost in silence."""
    if event.event == "Consent Updated" and consent_status(event.properties.get("status")) is None:
        status = str(event.properties.get("status"))[:40]
        raise BadEvent("bad_consent", f"consent status is {status!r}; write granted, refused or withdrawn")


def _word(said: Any) -> Any:
    """Return a purpose, channel or status as the catalog writes it."""
    if not isinstance(said, str):
        return said
    word = said.strip().casefold().replace(" ", "_")
    return "email" if word in ("e-mail", "e_mail", "mail") else word


_STATUSES: dict[Any, Status] = {
    True: "granted", "granted": "granted", "accepted": "granted", "opted_in": "granted", "yes": "granted",
    "opt_in": "granted", "true": "granted", "subscribed": "granted", "opt_out": "withdrawn", "false": "refused",
    False: "refused", "refused": "refused", "denied": "refused", "rejected": "refused", "no": "refused",
    "withdrawn": "withdrawn", "revoked": "withdrawn", "opted_out": "withdrawn", "unsubscribed": "withdrawn",
}  # fmt: skip
