"""Facts about a customer: what they tell and correct themselves, and of everything known its source and its age.

Track calls, about declared traits:

- `Fact Given` with `fact` and `value`: the answer to a question; with `decisionId` it is the outcome `answered` of the
  action that asked.
- `Fact Corrected` with `name` and `value`, or `remove: true`: what was known is wrong. `was` says what that was, `says`
  is the customer's own remark.
- `Fact Taken Back` with `fact`: it is not to be known any more, nor asked for within 90 days.

**Which word counts.** The latest, by its time; and what the customer corrected does not come back because a system goes
on saying it: a later call with the very value that was corrected (`was`, by default what was known then) changes
nothing. A later call with any other value is news, and ends this. So does another word of the customer.

Nothing is computed from the log: the source of a trait is the event that wrote it last, found by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from msgspec.structs import replace

from opportune.catalog.types import Catalog
from opportune.clock import to_datetime
from opportune.errors import BadEvent, Forgotten, NotFound
from opportune.events.types import Event
from opportune.profiles.choices import choices_of
from opportune.profiles.features import DaysSince, Last
from opportune.profiles.fields import TYPED, event_name
from opportune.profiles.spec import Accumulator, ProfileSpec
from opportune.profiles.state import Corrected, State
from opportune.rules import Kind, Value
from opportune.wire import KnownFact

GIVEN, CORRECTED, TAKEN_BACK = "Fact Given", "Fact Corrected", "Fact Taken Back"
FACTS = frozenset((GIVEN, CORRECTED, TAKEN_BACK))
ANSWERED = "answered"

LONGEST = 1000
"""Characters of a text that is given as a fact."""

Trait = tuple[Any, int, int]
"""The value of a trait with the instant and the sequence number of the event that wrote it."""


def check_fact(event: Event, catalog: Catalog) -> None:
    """Raise `BadEvent` if an event is about a fact and nothing can be learned from it."""
    if event.type != "track" or event.event not in FACTS:
        return
    name, value, gone = told(event)
    if why := why_wrong(catalog, name, None if gone else value, gone):
        raise BadEvent("bad_fact", f"{event.event}: {why}")
    ask = next((ask for ask in catalog.asks if ask.fact == name), None)
    if event.event == GIVEN and ask and ask.options and value not in [o.value for o in ask.options]:
        raise BadEvent("bad_fact", f"{event.event}: {value!r} is none of the answers to the question for {name!r}")


def why_wrong(catalog: Catalog, name: object, value: object, gone: bool = False) -> str:
    """Return why a value cannot be that of a trait, in words; "" if it can."""
    trait = next((t for t in catalog.traits if t.name == name), None)
    if trait is None:
        return f"{str(name)[:60]!r} is no trait that the catalog declares; only those can be given and corrected"
    if "." in trait.name:
        return f"{trait.name!r} is a part of {trait.name.partition('.')[0]!r}; say it with an identify call"
    if gone:
        return ""
    if TYPED[trait.kind](value) is None or (isinstance(value, str) and len(value) > LONGEST):
        shapes = {Kind.TIME: "a time as ISO 8601 text", Kind.TEXT: f"a text of up to {LONGEST} characters"}
        shape = shapes.get(trait.kind, f"a {trait.kind.value}")
        return f"{str(value)[:60]!r} is no value of {trait.name!r}, which is {shape}"
    return ""


def told(event: Event) -> tuple[object, object, bool]:
    """Return what an event says of a fact: its name, its value, and whether it is to be unknown."""
    get = event.properties.get
    gone = event.event == TAKEN_BACK or (event.event == CORRECTED and get("remove") is True)
    return get("name" if event.event == CORRECTED else "fact"), get("value"), gone


def answer_in(event: Event) -> tuple[object, object, object]:
    """Return (decision, action, outcome) of the answer that a track event carries."""
    get = event.properties.get
    if event.event == GIVEN:
        return get("decisionId"), f"ask_{get('fact')}", ANSWERED
    return get("decisionId"), get("action"), get("outcome")


def hear(state: State, event: Event, seq: int, spec: ProfileSpec) -> None:
    """Take a customer's word about a fact into a node's state, in place."""
    name, value, gone = told(event)
    if not isinstance(name, str) or name not in spec.declared:
        return
    when, held = (event.at, seq), state.traits.get(name)
    later = held is not None and held[1:] > when
    corrected = choices_of(state).corrected
    before = corrected.get(name)
    if before is None or (before.at, before.seq) <= when:
        was = event.properties["was"] if "was" in event.properties else None if held is None or later else held[0]
        was = was if was is None or isinstance(was, bool | int | float | str) else None
        corrected[name] = Corrected(was, *when)
        later = later and held is not None and not same(held[0], was)
    if not later:
        state.traits[name] = (None if gone else value, *when)


def heeded(corrected: MutableMapping[str, Corrected], name: str, value: Any, at: int, seq: int) -> bool:
    """Return whether a call that writes a trait counts beside what the customer corrected; what is news ends that."""
    word = corrected[name]
    if (at, seq) <= (word.at, word.seq):
        return True
    if same(value, word.was):
        return False
    del corrected[name]
    return True


def settle(traits: MutableMapping[str, Trait], states: Sequence[State]) -> None:
    """Let corrections of one identity count for what others of the same person wrote."""
    said = sorted(
        (word.at, word.seq, name, word.was)
        for state in states if state.choices
        for name, word in state.choices.corrected.items()
    )  # fmt: skip
    for name, (when, was) in {name: ((at, seq), was) for at, seq, name, was in said if name in traits}.items():
        written = [w for state in states if (w := state.traits.get(name)) is not None]
        counts = [w for w in written if w[1:] <= when or not same(w[0], was)]
        if counts:
            traits[name] = max(counts, key=lambda w: w[1:])


def same(one: Any, other: Any) -> bool:
    """Return whether two values of JSON are the same; true is not 1."""
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def facts(
    state: State, spec: ProfileSpec, values: Mapping[str, Value], now: int, situations: Mapping[str, tuple[int, str]],
    event: Callable[[str], Event],
) -> Iterator[tuple[str, KnownFact]]:  # fmt: skip
    """Yield (name, fact) of every declared trait and feature that is known, and of situations as `situation/NAME`.

    `situations` are those that hold, with since when and the cause; `event` gives the event of a cause (`event 12`).
    """
    said: dict[str, KnownFact] = {}

    def source(cause: str, at: int, kind: str) -> KnownFact:
        if cause not in said:
            said[cause] = _source(event, cause, at)
        return replace(said[cause], kind=kind)

    for name, top, _, _ in spec.reads:
        written = state.traits.get(name) or state.traits.get(top)
        if written is not None and (value := values.get(name)) is not None:
            yield name, replace(source(f"event {written[2]}", written[1], "trait"), value=value)
    for a in spec.accumulators:
        held = state.features.get(a.fingerprint)
        if held is not None and values.get(a.name) is not None:
            evidence, at = _behind(a, held, spec, now)
            when = None if at is None else to_datetime(at)
            yield a.name, KnownFact(values[a.name], "feature", a.feature.event, "", when, evidence)
    for name, (at, cause) in situations.items():
        yield f"situation/{name}", replace(source(cause, at, "situation"), value=True, at=to_datetime(at))


def _source(event: Callable[[str], Event], cause: str, at: int) -> KnownFact:
    """Return where the event that a cause names came from, as a fact without a value."""
    if not cause.startswith("event "):
        return KnownFact(None, "", cause, "", to_datetime(at))
    try:
        found = event(cause)
    except (NotFound, Forgotten):
        return KnownFact(None, "", "", "", to_datetime(at))
    says = found.properties.get("says")
    return KnownFact(
        None, "", event_name(found) or found.type, found.source, to_datetime(at), None,
        says if isinstance(says, str) else "",
    )  # fmt: skip


def _behind(a: Accumulator, held: Any, spec: ProfileSpec, now: int) -> tuple[int | None, int | None]:
    """Return how many events a feature rests on (None: not kept) and when the last of them was (None: unknown)."""
    if isinstance(a.aggregate, Last | DaysSince):
        return None, int(held[0])
    clock = spec.clocks[a.clock]
    first = clock.of(now) - a.count
    cells = dict.fromkeys(held.values(), 1) if a.feature.aggregate == "distinct" else held
    buckets: dict[int, Any] = {bucket: cell for bucket, cell in cells.items() if bucket > first}
    latest = clock.start(max(buckets)) if buckets and a.feature.window is not None else None
    match a.feature.aggregate:
        case "count":
            return sum(buckets.values()), latest
        case "avg":
            return sum(n for _, n in buckets.values()), latest
    return None, latest
