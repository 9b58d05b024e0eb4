"""A tracking plan suggested from events that came: the types, what is always there, and values of which there are few.

What is suggested describes what came, faults included: read it before you paste it. A value is told only where at least
`PEOPLE` customers had it, so that no plan holds what one person wrote.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opportune.catalog.formats import FORMATS
from opportune.catalog.tracking_types import HEARD, LONGEST_NAME, STANDARD, VISITS
from opportune.events.types import Event
from opportune.profiles.fields import event_name
from opportune.quality.guard import OWN

ALWAYS = 0.995
"""The share of events with a property from which on it is suggested as required."""

USUAL = 0.95
"""The share of values of the most frequent types from which on the others are taken for faults."""

FEW, PEOPLE, ENOUGH = 12, 20, 100
"""Values of an enum at most, customers who had each, and events with it at least."""

MOST_PROPERTIES, MOST_EVENTS = 200, 500
TELLING = ("date-time", "date", "email", "uuid", "uri")
"""Formats that are looked for; others, such as currency, many texts have by chance."""


@dataclass(slots=True)
class _Seen:
    """What was seen of a property."""

    count: int = 0
    types: dict[str, int] = field(default_factory=dict)
    values: dict[str, set[str]] | None = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    least: float = math.inf


@dataclass(slots=True)
class _Event:
    count: int = 0
    properties: dict[str, _Seen] = field(default_factory=dict)


def suggested(events: Iterable[tuple[str, Event]], planned: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return a plan in the shape of the section `events`, of events with the pseudonym of whose they are.

    Events that are `planned`, and those that the hub tells or hears by itself, are left out.
    """
    seen: dict[str, _Event] = {}
    left_out = {*planned, *HEARD}
    for subject, event in events:
        name = event_name(event)
        if name is None or name in left_out or len(name) > LONGEST_NAME or event.source.startswith(OWN):
            continue
        if name in seen or len(seen) < MOST_EVENTS:
            _look(seen.setdefault(name, _Event()), subject, event, name)
    return [_plan(name, one) for name, one in sorted(seen.items())]


def as_yaml(plan: list[dict[str, Any]]) -> str:
    """Return a plan as YAML to paste into a file of the catalog."""
    import yaml

    if not plan:
        return "events: []\n"
    text: str = yaml.safe_dump({"events": plan}, sort_keys=False, allow_unicode=True, width=120)
    return text


def _look(held: _Event, subject: str, event: Event, name: str) -> None:
    held.count += 1
    for key, value in event.properties.items():
        if name in VISITS and key in STANDARD:
            continue
        if key not in held.properties and len(held.properties) >= MOST_PROPERTIES:
            continue
        one = held.properties.setdefault(key, _Seen())
        one.count += 1
        kind = _type(value)
        one.types[kind] = one.types.get(kind, 0) + 1
        if isinstance(value, str):
            _text(one, value, subject)
        elif kind in ("number", "integer"):
            one.least = min(one.least, value)


def _text(one: _Seen, value: str, subject: str) -> None:
    for format in TELLING:
        if FORMATS[format](value):
            one.formats[format] = one.formats.get(format, 0) + 1
            break
    if one.values is not None:
        people = one.values.setdefault(value, set())
        if len(people) < PEOPLE:
            people.add(subject)
        if len(one.values) > FEW or len(value) > 64:
            one.values = None


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _plan(name: str, seen: _Event) -> dict[str, Any]:
    required = [key for key, one in sorted(seen.properties.items()) if one.count >= ALWAYS * seen.count]
    properties = {key: _property(one) for key, one in sorted(seen.properties.items())}
    schema: dict[str, Any] = {"type": "object"}
    if properties:
        schema["properties"] = properties
    plan: dict[str, Any] = {"name": name, "description": f"seen {seen.count:,} times", "owner": "", "schema": schema}
    return plan | ({"required": required} if required else {})


def _property(one: _Seen) -> dict[str, Any]:
    counts = dict(one.types)
    if "number" in counts:  # JavaScript writes 12.0 as 12
        counts["number"] += counts.pop("integer", 0)
    kinds, covered = list[str](), 0
    for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered < USUAL * one.count:
            kinds.append(kind)
            covered += count
    found: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else sorted(kinds)}
    if kinds == ["string"]:
        format, many = max(one.formats.items(), key=lambda item: item[1], default=("", 0))
        values = one.values or {}
        if many >= USUAL * one.count:
            found["format"] = format
        elif one.count >= ENOUGH and values and all(len(people) >= PEOPLE for people in values.values()):
            found["enum"] = sorted(values)
    if kinds in (["number"], ["integer"]) and one.least >= 0 and one.count >= ENOUGH:
        found["minimum"] = 0
    return found
