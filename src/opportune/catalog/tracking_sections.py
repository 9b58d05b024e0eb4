"""The section `events`: the tracking plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher, get_close_matches
from itertools import repeat
from typing import Any, cast, get_args

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields
from opportune.catalog.node import Node, Spot
from opportune.catalog.schemas import read_schema
from opportune.catalog.tracking_types import HEARD, LONGEST_NAME, VISITS, EventPlan, OnViolation
from opportune.catalog.types import Catalog
from opportune.clock import format_instant

KINDS: tuple[OnViolation, ...] = get_args(OnViolation)


def read_events(draft: Draft, node: Node | None) -> tuple[EventPlan, ...]:
    return tuple(sorted((_event(draft, item) for item in entries(node)), key=lambda e: e.name))


def _event(draft: Draft, item: Node) -> EventPlan:
    written = item.value.get("name") if isinstance(item.value, dict) else None
    fields = Fields(item, draft.report, f"event `{written.text}`" if written else "this event")
    name = fields.text("name", required=True)
    known = draft.nodes.setdefault("events", {})
    if len(name) > LONGEST_NAME:
        what = f"the name of {fields.what[:60]} is too long"
        draft.report.error(fields.spot("name"), what, f"at most {LONGEST_NAME} characters")
    elif name in known:
        first = known[name].get("name").spot
        draft.report.error(fields.spot("name"), f"duplicate event `{name}`, first at {first}", "keep one of them")
    elif name:
        known[name] = item
    plan = EventPlan(
        name, fields.text("description"), fields.text("owner"), fields.words("sources"), _schema(fields),
        cast(OnViolation, fields.choice("on_violation", KINDS, "keep")), fields.instant("since", draft.zone),
    )  # fmt: skip
    fields.close()
    return plan


def _schema(fields: Fields) -> Mapping[str, Any] | None:
    """Return the schema of the properties, with what `required` of the event says besides."""
    schema, required = read_schema(fields, "schema"), fields.words("required")
    of = (schema or {}).get("type", "object")
    if of != "object":
        cure = "write `type: object` and describe each property under `properties:`"
        fields.report.error(fields.spot("schema"), f"`schema` of {fields.what}: properties are an object", cure)
        return None
    if not required:
        return schema
    both = sorted({*(schema or {}).get("required", ()), *required})
    return {"type": "object", **(schema or {}), "required": both}


def write_events(catalog: Catalog) -> Any:
    return [
        slim(
            name=e.name, description=e.description, owner=e.owner, sources=list(e.sources),
            schema=None if e.schema is None else dict(e.schema),
            on_violation=None if e.on_violation == "keep" else e.on_violation,
            since=None if e.since is None else format_instant(e.since),
        )
        for e in catalog.events
    ]  # fmt: skip


def events_are_planned(draft: Draft) -> None:
    """Warn where something reads an event that the plan lacks: it may be a slip of the pen that counts nothing."""
    planned = {event.name for event in draft.parts["events"]}
    if not planned:
        return
    for name, what, spot in _read(draft):
        if name and name not in planned and name not in HEARD and name not in VISITS:
            draft.report.warn(spot, f"{what} reads the event `{name}`, which the plan under `events` lacks",
                              _cure(name, planned))  # fmt: skip


def _cure(name: str, planned: Iterable[str]) -> str:
    """Return the planned event that a name is a misspelling of, or what else to do.

    Names of events share words, so every word has to be alike.

    >>> _cure("Order Complted", ["Order Completed"]), _cure("Order Refunded", ["Order Completed"])
    ('did you mean `Order Completed`?', 'add it to the plan; it has Order Completed')
    """
    known = sorted(set(planned))

    def alike(one: str, other: str, least: float) -> bool:
        return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= least

    for other in get_close_matches(name, known, 3, 0.6):
        words, others = name.split(), other.split()
        if alike(name, other, 0.85) if len(words) != len(others) else all(map(alike, words, others, repeat(0.75))):
            return f"did you mean `{other}`?"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return f"add it to the plan; it has {', '.join(known[:12])}{more}"


def _read(draft: Draft) -> Iterator[tuple[str, str, Spot]]:
    """Yield (event, what reads it, where) for every name of an event in the catalog."""
    parts, spot = draft.parts, draft.spot
    for feature in parts["features"]:
        if not feature.made:
            yield feature.event, f"feature `{feature.name}`", spot("features", feature.name, "event")
    for action in parts["actions"]:
        goal = action.outcomes.goal
        for key in ("event", "undo") if goal else ():
            where = spot("actions", action.name, "outcomes", "goal", key)
            yield getattr(goal, key) or "", f"the goal of action `{action.name}`", where
    for trigger in parts["triggers"]:
        for name in (trigger.event, *trigger.unless):
            yield name, f"trigger `{trigger.name}`", spot("triggers", trigger.name, "event")
    for metric in parts["metrics"]:
        yield metric.event, f"metric `{metric.name}`", spot("metrics", metric.name, "event")
    funnel = draft.nodes.get("funnel", {}).get("")
    for key in ("lead", "stages", "handed_over", "accepted", "customer", "events") if funnel else ():
        node = funnel.get(key) if funnel else None
        inner = [] if node is None or node is funnel else node.value if isinstance(node.value, list) else [node]
        for one in inner:
            yield one.text, "the `funnel`", one.spot
