"""The guard at the door: every event is held against the tracking plan before it is taken.

What is not as planned is counted (`tally`) and, as the plan says, kept as it is, cast where that is safe (`cast`), or
set aside with the reason. Where nothing is planned, values of a type that a feature, a condition or a trait of the
catalog cannot read are counted all the same: profiles leave them out. Of a catalog that reads nothing, nothing is
looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from opportune.catalog.formats import FORMATS
from opportune.catalog.tracking_types import HEARD, STANDARD, VISITS, EventPlan
from opportune.catalog.types import Catalog, Feature, Trait
from opportune.errors import BadEvent
from opportune.events.types import Event
from opportune.profiles.features import AGGREGATES
from opportune.profiles.fields import TYPED, Field, dig, field
from opportune.quality.accept import Accepts, accepts
from opportune.quality.cast import cast
from opportune.quality.schema import Check, Fault, compiled
from opportune.quality.tally import Key, Tally
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

    `accepts` says yes to properties with which nothing is wrong (None: nobody can tell so quickly).
    """

    accepts: Accepts | None
    planned: Planned | None
    reads: tuple[Read, ...]


class Guard:
    """The plan of a catalog at work. `passed` is the whole of it; nothing in it depends on what came before."""

    def __init__(self, catalog: Catalog, tally: Tally) -> None:
        self._tally, self._seen = tally, tally.seen
        planned, reads = {plan.name: _planned(plan) for plan in catalog.events}, _reads(catalog)
        self._looks = {name: _look(planned.get(name), reads.get(name, ())) for name in {*planned, *reads}}
        self._any_plan = bool(planned)
        self._traits = tuple(_trait_check(trait) for trait in catalog.traits)
        self._active = bool(self._looks or self._traits)

    def passed(self, event: Event, number: int, counted: bool = True) -> Event:
        """Return the event as it is to be taken, under that number in the log.

        An event that was cast has what was written in `Event.written`. Raises `BadEvent` (`off_plan`) for one that is
        set aside. Unless `counted`, nothing is counted: it was, when it came first.
        """
        if not self._active:
            return event
        # this runs for every event: what is usual is looked at here, without a call
        kind, source = event.type, event.source
        name = event.event if kind != "identify" else IDENTIFY
        if name is None or kind == "group" or kind == "alias":
            return event
        if counted:
            counter, at = self._seen.get((source, name)), event.received_at
            if counter is None or at >= self._tally.until:
                if source.startswith(OWN):
                    return event
                counter = self._tally.came(source, name, at)
            counter.count += 1
            counter.last = at
        faults: list[Fault] = []
        if kind == "identify":
            if self._traits and event.traits:
                self._look_at_traits(event.traits, faults)
        else:
            look = self._looks.get(name)
            if look is None:
                if not self._any_plan:
                    return event
            elif look[0] is not None and look[0](event.properties):
                return event
            event, faults = self._looked_at(event, name, look, counted)
        if faults and counted:
            self._count(event, name, faults, number)
        return event

    def _looked_at(self, event: Event, name: str, look: Look | None, counted: bool) -> tuple[Event, list[Fault]]:
        """Return an event as it is to be taken, and what is wrong with it."""
        faults: list[Fault] = []
        for path, read, typed in look.reads if look else ():
            value = read(event)
            if value is not None and typed(value) is None:
                faults.append(Fault(path, "type", "is of a type that nobody can read"))
        planned = look.planned if look else None
        if planned is None:
            if self._any_plan and name not in HEARD and name not in VISITS:
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

    def _look_at_traits(self, traits: Mapping[str, Any], faults: list[Fault]) -> None:
        for name, top, check in self._traits:
            if top in traits or name in traits:
                value = dig(traits, name)
                if value is not None:
                    check(value, faults)

    def _count(self, event: Event, name: str, faults: list[Fault], number: int) -> None:
        for path, kind in dict.fromkeys((fault.path, fault.kind) for fault in faults):
            self._tally.add(Key(event.source, name, path, kind), event.received_at, number)


def sentence(plan: EventPlan, faults: list[Fault], source: str) -> str:
    """Return why an event was set aside, and what mends it; no value is told."""
    faults = list(dict.fromkeys(faults))
    told = "; ".join(f"`{fault.path}` {fault.what}" if fault.path else f"it {fault.what}" for fault in faults[:5])
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
        names = frozenset(schema["properties"]) | (STANDARD if plan.name in VISITS else frozenset())
    return Planned(plan, None if schema is None else compiled(schema), names, frozenset(plan.sources))


def _look(planned: Planned | None, reads: tuple[Read, ...]) -> Look:
    if planned is None:
        return Look(None, None, reads)
    schema = planned.plan.schema
    properties = (schema or {}).get("properties", {})
    reads = tuple(read for read in reads if not _is_readable(properties.get(read[0]), read[2]))
    quick = not (reads or planned.sources)
    return Look(accepts(schema or {}, planned.names) if quick else None, planned, reads)


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


def _trait_check(trait: Trait) -> tuple[str, str, Check]:
    """Return the name of a trait, the top of its path, and the check of a value that is not null."""
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

    return name, name.partition(".")[0], check


_INDEX = re.compile(r"\[\d+\]")
