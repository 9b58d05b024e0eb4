"""The guard at the door: every event is held against the tracking plan before it is taken.

What is not as planned is counted (`tally`) and, as the plan says, kept as it is, cast where that is safe (`cast`), or
set aside with the reason. Where nothing is planned, values of a type that a feature, a condition or a trait of the
catalog cannot read are counted all the same: profiles leave them out. Events that nobody plans or reads cost a look at
their name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from opportune.catalog.formats import FORMATS
from opportune.catalog.tracking_types import HEARD, LONGEST_NAME, STANDARD, VISITS, EventPlan
from opportune.catalog.types import Catalog, Feature, Trait
from opportune.errors import BadEvent
from opportune.events.types import Event
from opportune.profiles import fields
from opportune.profiles.features import AGGREGATES
from opportune.profiles.fields import LARGEST_SUMMAND, LONGEST_TEXT, TYPED, Field, dig, field
from opportune.quality.accept import Accepts, accepts
from opportune.quality.cast import cast
from opportune.quality.schema import Check, Fault, compiled
from opportune.quality.tally import Counter, Key, Tally
from opportune.rules import Expression, Kind

IDENTIFY = "Identify"
"""The name under which traits are counted."""

UNPLANNED, WRONG_SOURCE, CAST = "unplanned", "source", "cast"
"""Kinds of counts beside those of `schema.Fault`: `cast` counts what was mended at the door."""

NOT_PLANNED = Fault("", UNPLANNED, "is not planned")

OFF_PLAN = "off_plan"
"""Why an event was set aside."""

OWN = "hub/"
"""How the sources of the hub's own events begin."""


class Planned(NamedTuple):
    """An event of the plan made ready: its check, and the names of its properties (None: any name will do)."""

    plan: EventPlan
    check: Check | None
    names: frozenset[str] | None
    sources: frozenset[str]


Read = tuple[str, Field, Callable[[Any], Any]]
"""A property that somebody reads: its path, how it is found in an event, and how its value is read."""


class Look(NamedTuple):
    """What is looked at of an event: what is planned of it, and what is read of it besides.

    `accepts` says yes to properties with which nothing is wrong (None: nobody can tell so quickly), if the event comes
    from one of `sources` (none: from anywhere). `seen` are the counters of it by source (`Tally.lately`).
    """

    accepts: Accepts | None
    sources: frozenset[str]
    planned: Planned | None
    reads: tuple[Read, ...]
    seen: Mapping[str, Counter]


NOTHING = Look(None, frozenset(), None, (), {})
"""What is looked at of an event that the plan lacks and nobody reads: its name."""


class Guard:
    """The plan of a catalog at work. `passed` is the whole of it; nothing in it depends on what came before."""

    def __init__(self, catalog: Catalog, tally: Tally) -> None:
        self._tally = tally
        planned, reads = {plan.name: _planned(plan) for plan in catalog.events}, _reads(catalog)
        self._looks: dict[str | None, Look] = {
            name: _look(planned.get(name), reads.get(name, ()), tally.lately(name)) for name in {*planned, *reads}
        }
        self._other = NOTHING if planned else None
        self._traits = _trait_checks(catalog.traits)

    def passed(self, event: Event, number: int, counted: bool = True) -> Event:
        """Return the event as it is to be taken, under that number in the log.

        An event that was cast has what was written in `Event.written`. Raises `BadEvent` (`off_plan`) for one that is
        set aside. Unless `counted`, nothing is counted: it was, when it came first.
        """
        # this runs for every event: what is usual is looked at here, with a call at most
        kind = event.type
        if kind == "identify":
            if self._traits and counted:
                self._look_at_traits(event, number)
            return event
        name = event.event
        look = self._looks.get(name, self._other)
        if look is None or name is None or kind == "group" or kind == "alias":
            return event
        source = event.source
        accepts, sources, _, _, seen = look
        if counted:
            counter, at = seen.get(source), event.received_at
            if counter is None or at >= self._tally.until:
                if source.startswith(OWN):
                    return event
                counter = self._tally.came(source, name, at)
            counter.count += 1
            counter.last = at
        if accepts is not None and (not sources or source in sources) and accepts(event.properties):
            return event
        event, faults = self._looked_at(event, name, look, counted)
        if faults and counted:
            self._count(event, name, faults, number)
        return event

    def faults(self, event: Event) -> list[Fault]:
        """Return what of an event that was taken is not as planned; what was cast at the door is told, too.

        Nothing is counted. A plan that changed since it came may find other faults than it did then.
        """
        name, found = event.event, [Fault(path, CAST, "was cast") for path in event.written or ()]
        if event.source.startswith(OWN):
            return []
        if event.type == "identify":
            return self._faults_of_traits(event.traits)
        look = self._looks.get(name, self._other)
        if look is None or name is None or event.type in ("group", "alias"):
            return []
        try:
            return found + self._looked_at(event, name, look, counted=False)[1]
        except BadEvent as error:
            return [*found, Fault("", OFF_PLAN, f"is not as planned now: {error}")]

    def _looked_at(self, event: Event, name: str, look: Look, counted: bool) -> tuple[Event, list[Fault]]:
        """Return an event as it is to be taken, and what is wrong with it."""
        faults: list[Fault] = []
        for path, read, typed in look.reads:
            value = read(event)
            if value is not None and typed(value) is None:
                faults.append(Fault(path, "type", "is of a type that nobody can read"))
        planned = look.planned
        if planned is None:
            if self._other is not None and name not in HEARD and name not in VISITS:
                faults.append(NOT_PLANNED)
            return event, faults
        properties = event.properties
        if planned.check is not None:
            planned.check(properties, faults)
        if planned.sources and event.source not in planned.sources:
            faults.append(Fault("", WRONG_SOURCE, f"may not come from `{event.source}`"))
        if faults:
            event, faults = self._violated(event, planned, faults, counted)
        if planned.names is not None:
            unplanned = sorted(properties.keys() - planned.names)
            faults += [Fault(path, UNPLANNED, "is not planned") for path in unplanned]
        return event, faults

    def _violated(
        self, event: Event, planned: Planned, faults: list[Fault], counted: bool
    ) -> tuple[Event, list[Fault]]:
        """Return what becomes of an event with faults, and those that are left."""
        plan = planned.plan
        if plan.since is not None and event.at < plan.since:
            return event, faults
        if plan.on_violation == "set_aside":
            if counted:
                self._count(event, plan.name, faults, 0)
            raise BadEvent(OFF_PLAN, sentence(plan, faults, event.source))
        if plan.on_violation == "cast" and plan.schema is not None:
            properties, written = cast(event.properties, plan.schema)
            if written:
                event = replace(event, properties=properties, written=written)
                faults = [fault for fault in faults if fault.kind == WRONG_SOURCE]
                if planned.check is not None:
                    planned.check(properties, faults)
                mended = sorted({_INDEX.sub("[]", path) for path in written})
                faults += [Fault(path, CAST, "was cast") for path in mended]
        return event, faults

    def _faults_of_traits(self, traits: Mapping[str, Any]) -> list[Fault]:
        faults = list[Fault]()
        for key in self._traits.keys() & traits.keys():
            for name, check in self._traits[key]:
                value = dig(traits, name)
                if value is not None:
                    check(value, faults)
        return faults

    def _look_at_traits(self, event: Event, number: int) -> None:
        faults = self._faults_of_traits(event.traits)
        if faults and not event.source.startswith(OWN):
            self._count(event, IDENTIFY, faults, number)

    def _count(self, event: Event, name: str, faults: list[Fault], number: int) -> None:
        for path, kind in dict.fromkeys((fault.path, fault.kind) for fault in faults):
            self._tally.add(Key(event.source, name, path, kind), event.received_at, number)


def sentence(plan: EventPlan, faults: list[Fault], source: str) -> str:
    """Return why an event was set aside, and what mends it; no value is told."""
    faults = list(dict.fromkeys(faults))
    told = "; ".join(f"`{one.path[:LONGEST_NAME]}` {one.what}" if one.path else f"it {one.what}" for one in faults[:5])
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    who = f", ask {plan.owner}" if plan.owner else ""
    return (
        f"{plan.name} is not as planned: {told}{more}. Mend what `{source}` sends, or the event under `events`{who}; "
        "then `opportune rejected --replay` takes it in"
    )


def _planned(plan: EventPlan) -> Planned:
    schema, names = plan.schema, None
    closed = schema is None or "patternProperties" in schema or schema.get("additionalProperties", True) is not True
    if schema is not None and not closed and "properties" in schema:
        names = frozenset((*schema["properties"], *schema.get("required", ())))
        names |= STANDARD if plan.name in VISITS else frozenset()
    return Planned(plan, None if schema is None else compiled(schema), names, frozenset(plan.sources))


def _look(planned: Planned | None, reads: tuple[Read, ...], seen: Mapping[str, Counter]) -> Look:
    if planned is None:
        return Look(_readable(reads), frozenset(), None, reads, seen)
    schema = planned.plan.schema or {}
    properties = schema.get("properties", {})
    reads = tuple(read for read in reads if not _is_readable(properties.get(read[0]), read[2]))
    fits, readable = accepts(schema, planned.names), _readable(reads)
    quick = _both(fits, readable) if reads else fits
    return Look(quick, planned.sources, planned, reads, seen)


def _both(one: Accepts | None, other: Accepts | None) -> Accepts | None:
    if one is None or other is None:
        return None
    return lambda properties: one(properties) and other(properties)


_SURELY: Mapping[Callable[[Any], Any], Mapping[str, Any]] = {
    fields.number: {"type": "number", "minimum": -LARGEST_SUMMAND, "maximum": LARGEST_SUMMAND},
    fields.millionths: {"type": "number", "minimum": -LARGEST_SUMMAND, "maximum": LARGEST_SUMMAND},
    fields.text: {"type": "string"},
    fields.short_text: {"type": "string", "maxLength": LONGEST_TEXT},
    fields.truth: {"type": "boolean"},
    fields.instant: {"type": "string", "format": "date-time"},
    fields.scalar: {"type": "string"},
}
"""Schemas of values that surely can be read, by what reads them; others may be readable, too."""


def _readable(reads: tuple[Read, ...]) -> Accepts | None:
    """Return the function that says yes to properties which all that read them surely can; None if nobody can tell."""
    properties: dict[str, Mapping[str, Any]] = {}
    for path, read, typed in reads:
        if typed in _SURELY:
            surely = _SURELY[typed]
            if "." in path or read is field(path) or properties.setdefault(path, surely) != surely:
                return None  # it lies deeper, or may be a field of the call itself, or is read in several ways
        elif typed is not fields.present:
            return None
    return accepts({"properties": properties})


def _reads(catalog: Catalog) -> dict[str, tuple[Read, ...]]:
    found: dict[str, dict[tuple[str, Any], Read]] = {}
    for event, path, typed in read_by(catalog):
        found.setdefault(event, {})[path, typed] = (path, field(path), typed)
    return {event: tuple(reads.values()) for event, reads in found.items()}


_EXAMPLES = {"number": 1.5, "integer": 1, "string": "a", "boolean": True}


def _is_readable(schema: Any, typed: Callable[[Any], Any]) -> bool:
    """Whether whatever fits the schema of a property has the type that somebody reads: then the plan says it all."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return isinstance(kind, str) and kind in _EXAMPLES and typed(_EXAMPLES[kind]) is not None


def read_by(catalog: Catalog) -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    """Yield (event, property, how its value is read) of the features, triggers and metrics of a catalog."""
    for feature in catalog.features:
        if feature.of is not None:
            yield feature.event, feature.of, _typed(feature)
        yield from ((feature.event, name, typed) for name, typed in _asked(feature.where))
    for trigger in catalog.triggers:
        yield from ((trigger.event, name, typed) for name, typed in _asked(trigger.where) if trigger.event)
    for metric in catalog.metrics:
        yield from ((metric.event, name, typed) for name, typed in _asked(metric.where) if metric.event)
        if metric.event and metric.of:
            yield metric.event, metric.of, TYPED[Kind.NUMBER]


def _typed(feature: Feature) -> Callable[[Any], Any]:
    return AGGREGATES[feature.aggregate].typed(feature.kind)


def _asked(where: Expression | None) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    for name, kind in where.names.items() if where else ():
        if kind is not None:
            yield name, TYPED[kind]


def _trait_checks(traits: Iterable[Trait]) -> Mapping[str, list[tuple[str, Check]]]:
    """Return names and checks of traits by the keys under which an event may have them: the name and its first part."""
    found: dict[str, list[tuple[str, Check]]] = {}
    for trait in traits:
        check = _trait_check(trait)
        for key in {trait.name, trait.name.partition(".")[0]}:
            found.setdefault(key, []).append((trait.name, check))
    return found


def _trait_check(trait: Trait) -> Check:
    """Return the check of a value of a trait that is not null."""
    typed, tests = TYPED[trait.kind], list[tuple[Callable[[Any], bool], Fault]]()
    name, least, most = trait.name, trait.least, trait.most
    wrong = Fault(name, "type", f"is not of type {trait.kind.value}")
    if trait.format:
        tests.append((FORMATS[trait.format], Fault(name, "format", f"does not look like {trait.format}")))
    if trait.values:
        tests.append((frozenset(trait.values).__contains__, Fault(name, "enum", "is none of `values`")))
    if least is not None:
        tests.append((lambda value: value >= least, Fault(name, "range", "is below `least`")))
    if most is not None:
        tests.append((lambda value: value <= most, Fault(name, "range", "is above `most`")))

    def check(value: Any, faults: list[Fault]) -> None:
        if typed(value) is None:
            faults.append(wrong)
        else:
            faults += [fault for test, fault in tests if not test(value)]

    return check


_INDEX = re.compile(r"\[\d+\]")
