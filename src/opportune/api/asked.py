"""What customers were asked and what they say of themselves: the care score, and corrections of what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast, get_args

from opportune.api.door import Door
from opportune.api.endpoint import Call, Endpoint, Parameter
from opportune.api.heard import naming
from opportune.api.problems import Refused
from opportune.catalog.asked_sections import PULSE
from opportune.clock import DAY, SECOND, to_datetime
from opportune.errors import BadRequest, NotFound
from opportune.events.segment import instant_of
from opportune.events.types import Properties
from opportune.hub import Hub
from opportune.ledger.asked import About
from opportune.ledger.episodes import Episode
from opportune.measure import care
from opportune.measure.effect import NotEnoughData
from opportune.measure.summary import Rate
from opportune.profiles.facts import CORRECTED, why_wrong
from opportune.profiles.people import View
from opportune.wire import Profile, Value
from opportune.wire.caring import CareCompared, CareDifference, CareReport, CareScore, CorrectionRequest

MILLISECOND = SECOND // 1000
LATELY = 90 * DAY
"""How far back the care score looks if nobody says how far."""

SOURCE = "correction"
"""The source of corrections that a server sends for a customer."""


async def care_score(door: Door, call: Call) -> CareReport:
    """Return the care score of the questions asked in a span of time, of all and by what they were about."""
    until = _instant(call, "until", door.hub.clock.now() + MILLISECOND)
    since = _instant(call, "since", until - LATELY)
    by = call.query.get("by", "")
    if by and by not in get_args(care.By):
        raise Refused(400, "bad-request", f"by is {by[:40]!r}; it is one of {', '.join(get_args(care.By))}", "by")

    def work() -> CareReport:
        nothing = {care.HUB: care.Answers(), care.HOLDOUT: care.Answers()}
        whole = care.tally(questions(door.hub, since, until)).get("", nothing)
        parts = care.tally(questions(door.hub, since, until), cast(care.By, by)) if by else {}
        groups = [compared(name or None, arms) for name, arms in parts.items()]
        return CareReport(to_datetime(since), to_datetime(until), compared(None, whole), groups)

    return await asyncio.to_thread(work)


async def correct(door: Door, call: Call) -> Profile:
    """Take a customer's word that something known of them is wrong; return what is known then."""
    told: CorrectionRequest = call.body

    def work() -> Profile:
        view = door.hub.people.view(call.parameters["id"])
        if view is None:
            raise NotFound(f"there is no customer {call.parameters['id']!r}")
        corrected(door.hub, view, told.name, told.value, told.remove, told.says)
        return door.hub.profile(view.subject)

    return await door.writer.do(work)


def corrected(
    hub: Hub, view: View, name: str, value: Value, remove: bool = False, says: str = "", source: str = SOURCE
) -> None:
    """Record that a customer says that a trait is another one, or (`remove`) that what is known of it is wrong.

    Raises `BadRequest` for a trait that is not declared, and for a value that is not of its type.
    """
    if why := why_wrong(hub.plan.catalog, name, value, remove):
        raise BadRequest(f"{why}; give the right `value`, or `remove: true`", "value")
    was = view.state.traits.get(name, (None,))[0]
    said: Properties = {"name": name, **({"remove": True} if remove else {"value": value}), "was": was}
    said |= {"says": says} if says else {}
    hub.ingest({"type": "track", "event": CORRECTED, **naming(view), "properties": said}, source=source)


def questions(hub: Hub, since: int, until: int) -> Iterator[tuple[str, About, Episode]]:
    """Yield the questions of the pulse that were asked in [since, until): of whom, about what, what became of them."""
    for decision_id, about in hub.asked.read(since, until):
        rows = hub.ledger.episodes(decision_id)
        if (episode := rows.of(PULSE)) is not None:
            yield rows.subject, about, episode


def compared(name: str | None, arms: care.Compared) -> CareCompared:
    hub, holdout = arms[care.HUB], arms[care.HOLDOUT]
    found = care.against(hub, holdout)
    difference = (
        CareDifference(None, None, found.reason)
        if isinstance(found, NotEnoughData)
        else CareDifference(found.value, (found.low, found.high), None)
    )
    return CareCompared(name, _scored(hub), _scored(holdout), difference, care.remarks(hub, holdout))


def _scored(answers: care.Answers) -> CareScore:
    found, counts = care.score(answers), (answers.asked, answers.answered, answers.yes)
    if isinstance(found, Rate):
        return CareScore(*counts, found.rate, (found.low, found.high), None)
    return CareScore(*counts, None, None, found.reason)


def _instant(call: Call, name: str, default: int) -> int:
    text = call.query.get(name)
    if not text:
        return default
    try:
        return instant_of(text)
    except (ValueError, OverflowError):
        raise Refused(400, "bad-request", f"{name} is {text[:40]!r}; write it as 2026-01-31", name) from None


_CARE = (
    Parameter("since", str, "From when on questions count (default: 90 days before `until`)"),
    Parameter("until", str, "Up to when (default: now)"),
    Parameter("by", str, "channel, action or issue: what the questions were about"),
)

ENDPOINTS = (
    Endpoint("GET", "/v1/care", "server", care_score, "The care score, hub against holdout", gives=CareReport,
             query=_CARE, problems=(400, 401, 403, 429)),
    Endpoint("POST", "/v1/customers/{id}/corrections", "server", correct, "A customer corrects what is known",
             CorrectionRequest, Profile, problems=(400, 401, 403, 404, 410, 413, 429)),
)  # fmt: skip
