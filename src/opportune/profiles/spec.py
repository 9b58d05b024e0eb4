"""The declared traits and features of a catalog, made ready to fold events and to read values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import msgspec

from opportune.catalog.types import Catalog, Feature, Trait
from opportune.errors import BadInput
from opportune.events.types import Event
from opportune.profiles.buckets import Buckets, buckets
from opportune.profiles.features import AGGREGATES, Aggregate
from opportune.profiles.fields import TYPED, Field, field
from opportune.rules import Expression


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A feature made ready: where it finds its values, and the buckets that it counts.

    `fingerprint` is made of all that the meaning of what is held depends on, so that a changed feature starts blank.
    `clock` is the place of its buckets in `ProfileSpec.clocks`; a window has `count` of them. `read` and `typed` give
    its value of an event; `read` is None where the aggregate looks at no field.
    """

    feature: Feature
    name: str
    fingerprint: str
    aggregate: Aggregate
    read: Field | None
    typed: Callable[[Any], Any]
    clock: int
    count: int


@dataclass(frozen=True, slots=True)
class Watch:
    """The features that watch one event under one condition, which is evaluated once for all of them."""

    holds: Callable[[Event], bool]
    """Return whether the condition is true of an event; neither false nor NULL."""
    accumulators: tuple[Accumulator, ...]


class ProfileSpec:
    """What profiles keep and decide by: declared traits, and features indexed by the event that they watch."""

    def __init__(
        self,
        traits: Iterable[Trait],
        features: Iterable[Feature],
        time_zone: str,
        addresses: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`addresses` names the trait with a customer's address by channel.

        Raise `BadInput` for an unknown aggregate or time zone, or a window that does not fit its bucket.
        """
        self.traits = tuple(traits)
        self.reads = tuple((t.name, *t.name.partition(".")[::2], TYPED[t.kind]) for t in self.traits)
        self.features = tuple(features)
        self.time_zone = time_zone
        self.addresses = addresses
        self.declared = frozenset(t.name.partition(".")[0] for t in self.traits) | {t.name for t in self.traits}
        clocks: dict[tuple[str, int], tuple[int, Buckets]] = {}
        self.accumulators = tuple(_accumulator(feature, time_zone, clocks) for feature in self.features)
        self.clocks = tuple(clock for _, clock in clocks.values())
        self.fingerprints = frozenset(a.fingerprint for a in self.accumulators)
        self.index = _index(self.accumulators)

    @classmethod
    def of(cls, catalog: Catalog) -> ProfileSpec:
        """Return the spec of a catalog."""
        addresses = {c.name: c.to for c in catalog.channels if c.to}
        return cls(catalog.traits, catalog.features, catalog.time_zone, addresses)


def _accumulator(
    feature: Feature, time_zone: str, clocks: dict[tuple[str, int], tuple[int, Buckets]]
) -> Accumulator:
    aggregate = AGGREGATES.get(feature.aggregate)
    if aggregate is None:
        raise BadInput(
            f"feature {feature.name}: unknown aggregate {feature.aggregate!r}; choose one of {', '.join(AGGREGATES)}"
        )
    if feature.of is None and feature.aggregate not in ("count", "days_since"):
        raise BadInput(f"feature {feature.name}: {feature.aggregate} of what? write {feature.aggregate}(property)")
    try:
        cut, count = buckets(feature.window, feature.by, time_zone)
    except BadInput as why:
        raise BadInput(f"feature {feature.name}: {why}") from None
    step = (type(cut).__name__, getattr(cut, "span", getattr(cut, "days", 0)))
    clock, _ = clocks.setdefault(step, (len(clocks), cut))
    meaning = (
        feature.event, feature.aggregate, feature.of, feature.kind.value, feature.where and feature.where.canonical,
        count, *step, time_zone if step[0] == "Days" else "",
    )  # fmt: skip
    return Accumulator(
        feature,
        feature.name,
        sha256(msgspec.json.encode(meaning)).hexdigest()[:16],
        aggregate,
        None if feature.of is None else field(feature.of),
        aggregate.typed(feature.kind),
        clock,
        count,
    )


def _index(accumulators: tuple[Accumulator, ...]) -> dict[str, tuple[Watch, ...]]:
    """Return the watches by event name; features that mean the same are fed once."""
    groups: dict[tuple[str, str | None], dict[str, Accumulator]] = {}
    for a in accumulators:
        where = a.feature.where
        groups.setdefault((a.feature.event, where.canonical if where else None), {}).setdefault(a.fingerprint, a)
    index: dict[str, tuple[Watch, ...]] = {}
    for (event, _), group in groups.items():
        members = tuple(group.values())
        index[event] = (*index.get(event, ()), Watch(_holding(members[0].feature.where), members))
    return index


def _holding(where: Expression | None) -> Callable[[Event], bool]:
    """Return the function that tells whether a condition is true of an event; this runs for every event."""
    if where is None:
        return lambda event: True
    evaluate = where.evaluate
    reads = tuple((name, field(name), TYPED[kind]) for name, kind in where.names.items())
    if len(reads) == 1:
        [(only, read, typed)] = reads
        return lambda event: evaluate({only: typed(read(event))}) is True
    return lambda event: evaluate({name: typed(read(event)) for name, read, typed in reads}) is True
