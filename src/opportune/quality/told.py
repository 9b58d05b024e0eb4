"""Scores and counts as they are told: the score by kind, source and day, the worst faults with their cure, and what of
the tracking plan comes. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opportune.catalog.tracking_types import HEARD, VISITS, EventPlan
from opportune.clock import DAY, format_instant
from opportune.quality.daily import DayScore, Row, score_of
from opportune.quality.guard import CAST, IDENTIFY, UNPLANNED
from opportune.quality.tally import OTHERS, SEEN, Counted

Named = Callable[[str], str | None]
"""Returns how a sample is known: the messageId of `event N`, the id of a customer; None where nobody may know."""

MOST = 50
"""Faults that are told."""

CURES: Mapping[str, str] = {
    "type": "send the planned type; `on_violation: cast` mends plain numbers at the door",
    "required": "send it with every such event, or take it out of `required`",
    "enum": "send one of the planned values, or plan the new one",
    "range": "send what is within the bounds, or widen them",
    "length": "send what is as long as planned",
    "pattern": "send what matches the pattern",
    "format": "check it where it is entered",
    "extra": "leave it out, or plan it",
    "schema": "send what the schema of the event says",
    "source": "send it from a planned source, or add this one to `sources`",
    "missing": "ask for it (`asks`), or import it",
    "consent without an address": "ask for the address together with the consent",
    "also of another customer": "join the accounts at the source, or correct the address of one of them",
    "late": "send at once, or say `sentAt` with each batch",
    "a clock that is ahead": "set the clock of the sender by NTP",
    "a time in the future": "write times with their offset; `timestamp` is when it happened",
    "silent": "look whether the sender still runs and its key is not revoked",
    "in the future": "check the date where it is entered",
    "older than anybody": "check the date where it is entered: a placeholder such as 1900-01-01 is none",
    "negative": "send returns as an event of their own, such as Order Refunded",
    "no currency": "send three letters of ISO 4217",
    "another currency in one sum": "convert before sending, or count each currency in a feature with `where`",
    "no proof or wording": "send `wording` (the text that was seen) or `proof` with the consent",
    "contradictory": "send one word per choice: two forms answer for the customer at once",
    "an id of many devices": "send no user id from terminals that many people use",
    "an address but no user id": "identify with the user id where the address is known",
    "of many people": "make the anonymous id anew at sign-out (`reset`)",
    "the anonymous id as user id": "send a userId only for customers who are known",
    "no_id": "send a userId or an anonymousId; then `opportune rejected`",
}

DOCUMENTED = "see `opportune rejected`"


def report(
    days: Sequence[DayScore], owners: Mapping[str, str], named: Named | None = None, most: int = MOST
) -> dict[str, Any]:
    """Return the score of the last of some days, by kind and source, of each day, and its worst faults.

    A fault's `cost` is its part of what the score lacks: weight times faults over all weighted checks. `first` and
    `last` are when it was seen in any of the days. Samples are told where `named` knows them (None: nobody may).
    """
    if not days:
        return {"score": None, "interval": None, "day": None, "at": None, "kinds": {}, "sources": {}, "days": [],
                "faults": [], "reason": "no day was scored yet; a server does it daily, `opportune quality --now` now"}
    last = days[-1]
    return {
        "score": last.score,
        "interval": None if last.interval is None else list(last.interval),
        "day": _day(last.day),
        "at": format_instant(last.at),
        "events": last.events,
        "eventsLookedAt": last.events_looked_at,
        "customers": last.customers,
        "customersLookedAt": last.customers_looked_at,
        "kinds": _by(last.rows, lambda row: row.kind),
        "sources": _by(last.rows, lambda row: row.source),
        "days": [{"day": _day(one.day), "score": one.score,
                  "interval": None if one.interval is None else list(one.interval)} for one in days],
        "faults": _faults(days, owners, named)[:most],
        "reason": None if last.rows else f"by the end of {_day(last.day)} nothing had come in; what came since "
        "is scored when its day is over, or now by `opportune quality --now`",
    }  # fmt: skip


def _by(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, Any]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {
        name: {"score": score_of(group), "checked": sum(row.checked for row in group),
               "faults": sum(row.faults for row in group)}
        for name, group in sorted(groups.items())
    }  # fmt: skip


def _faults(days: Sequence[DayScore], owners: Mapping[str, str], named: Named | None) -> list[dict[str, Any]]:
    seen: dict[tuple[str, ...], list[Row]] = {}
    for score in days:
        for row in score.rows:
            for what in row.what:
                seen.setdefault((row.source, row.event, row.field, row.kind, what), []).append(row)
    checks = sum(row.weight * row.checked for row in days[-1].rows) or 1.0
    found = [_fault(row, what, checks, seen[row.source, row.event, row.field, row.kind, what], owners, named)
             for row in days[-1].rows for what in row.what]  # fmt: skip
    return sorted(found, key=lambda one: (-one["cost"], one["source"], one["event"], one["field"], one["what"]))


def _fault(
    row: Row, what: str, checks: float, rows: Sequence[Row], owners: Mapping[str, str], named: Named | None
) -> dict[str, Any]:
    faults = row.what[what]
    when = [at for one in rows for at in (one.first, one.last) if at]
    known = [name for sample in row.samples if named and (name := named(sample)) is not None]
    return {
        "kind": row.kind, "what": what, "source": row.source, "event": row.event, "field": row.field,
        "checked": row.checked, "faults": faults, "share": faults / row.checked if row.checked else None,
        "weight": row.weight, "cost": row.weight * faults / checks,
        "first": format_instant(min(when)) if when else _day(min(one.day for one in rows)),
        "last": format_instant(max(when)) if when else _day(max(one.day for one in rows)),
        "owner": owners.get(row.event, ""), "cure": CURES.get(what, DOCUMENTED), "samples": known,
    }  # fmt: skip


def coverage(plans: Sequence[EventPlan], counts: Iterable[Counted], named: Named | None = None) -> dict[str, Any]:
    """Return what of the plan came in: planned and seen, planned and never seen, seen and not planned, and violations.

    `counts` are of the days that are looked at.
    """
    came: dict[str, dict[str, list[Counted]]] = {}
    wrong: dict[tuple[str, str, str, str], list[Counted]] = {}
    for one in counts:
        source, event, field, kind = one.key
        if kind == SEEN:
            came.setdefault(event, {}).setdefault(source, []).append(one)
        else:
            wrong.setdefault((source, event, field, kind), []).append(one)
    planned = {plan.name: plan for plan in plans}
    known = {*planned, *HEARD, *VISITS, IDENTIFY, OTHERS}
    return {
        "planned": [_planned(plan, came.get(plan.name, {})) for plan in plans],
        "neverSeen": [plan.name for plan in plans if plan.name not in came],
        "unplanned": [_seen(event, came[event]) for event in sorted(came) if event not in known and planned],
        "unplannedProperties": [_told(key, found, named) for key, found in sorted(wrong.items())
                                if key[3] == UNPLANNED and key[2]],
        "cast": [_told(key, found, named) for key, found in sorted(wrong.items()) if key[3] == CAST],
        "violations": [
            {**_told(key, found, named), "kind": key[3], "owner": planned[key[1]].owner if key[1] in planned else "",
             "cure": CURES.get(key[3], "")}
            for key, found in sorted(wrong.items()) if key[3] not in (CAST, UNPLANNED)
        ],
        "others": sum(one.counter.count for days in came.get(OTHERS, {}).values() for one in days),
    }  # fmt: skip


def _planned(plan: EventPlan, sources: Mapping[str, Sequence[Counted]]) -> dict[str, Any]:
    return {**_seen(plan.name, sources), "description": plan.description, "owner": plan.owner,
            "onViolation": plan.on_violation, "plannedSources": list(plan.sources),
            "since": None if plan.since is None else format_instant(plan.since)}  # fmt: skip


def _seen(event: str, sources: Mapping[str, Sequence[Counted]]) -> dict[str, Any]:
    every = [one.counter for counted in sources.values() for one in counted]
    return {
        "event": event,
        "seen": sum(one.count for one in every),
        "sources": {name: sum(one.counter.count for one in counted) for name, counted in sorted(sources.items())},
        "first": format_instant(min(one.first for one in every)) if every else None,
        "last": format_instant(max(one.last for one in every)) if every else None,
    }


def _told(key: tuple[str, str, str, str], found: Sequence[Counted], named: Named | None) -> dict[str, Any]:
    samples = [f"event {number}" for one in found for number in one.counter.samples][-3:]
    return {
        "source": key[0], "event": key[1], "field": key[2], "count": sum(one.counter.count for one in found),
        "first": format_instant(min(one.counter.first for one in found)),
        "last": format_instant(max(one.counter.last for one in found)),
        "samples": [name for sample in samples if named and (name := named(sample)) is not None],
    }  # fmt: skip


def _day(day: int) -> str:
    return format_instant(day * DAY)[:10]
