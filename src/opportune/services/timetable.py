"""The timetable of campaigns: what is on in which week, and where campaigns get in each other's way."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from opportune.batch.audience import Roll
from opportune.catalog.situated import situated
from opportune.catalog.types import Action, Catalog
from opportune.errors import BadRequest
from opportune.operations.calendar import MOST_WEEKS, Due, Span, Week, calendar, span_of, week_span
from opportune.operations.campaign_content import actions_of
from opportune.operations.clashes import Audiences, Clash, Spoken, clashes
from opportune.operations.weeks import week_of
from opportune.profiles.choices import wishes
from opportune.profiles.consent import refusal
from opportune.profiles.people import View
from opportune.rules import Expression, Row

if TYPE_CHECKING:
    from opportune.hub import Hub
    from opportune.services.office import Office, Standing

ASKED = 2_000
"""Customers of the sample, unless it is said otherwise."""

MOST_ASKED = 100_000

PAGE = 100
"""Customers who are looked at while others wait."""


def weeks(office: Office, first: int, count: int) -> list[Week]:
    """Return what is on in so many ISO weeks from one on. Raises `BadRequest`."""
    _count(count)
    standings = [one for one in office.all() if one.entry and not one.entry.template]
    due = [
        Due(one.name, task, task.name in one.state.done)
        for one in standings
        for task in (one.entry.tasks if one.entry else ())
    ]
    moves = [move for one in standings for move in one.state.moves]
    return calendar(first, count, office.zone, spans(office.catalog, standings), due, moves)


def clashing(hub: Hub, office: Office, first: int, count: int, customers: int = ASKED) -> tuple[list[Clash], int]:
    """Return the campaigns that clash in so many ISO weeks from one on, and how many customers were asked about.

    Whom campaigns may speak to in weeks to come is asked of a sample of the customers; of weeks that are over the
    contacts of the ledger are counted as well. Takes as long as there are decisions, if any week is over. Reads, may be
    called from any thread, and holds up others item by item. Raises `BadRequest`.
    """
    _count(count)
    if not 1 <= customers <= MOST_ASKED:
        raise BadRequest(f"customers is {customers}; ask about 1 to {MOST_ASKED:,}", "customers")
    catalog, now = office.catalog, hub.clock.now()
    standings = [one for one in office.all() if one.entry and not one.entry.template]
    actions = {one.name: actions_of(catalog, one.name) for one in standings}
    actions = {name: mine for name, mine in actions.items() if mine}
    numbers = range(first, first + count)
    audiences, spoken = Audiences(), Spoken()
    for speaking in _sample(hub, catalog, actions, customers, now):
        audiences.tell(speaking)
    if past := range(first, min(first + count, week_of(now, office.zone))):
        _contacts(hub, office, past, spoken)
    places = {action.name: places_of(catalog, action) for mine in actions.values() for action in mine}
    around = {number: week_span(number, office.zone) for number in numbers}
    found = clashes(catalog, actions, spans(catalog, standings), around, audiences, spoken, places)
    return found, audiences.asked


def spans(catalog: Catalog, standings: Sequence[Standing]) -> dict[str, Span]:
    """Return when campaigns are on, of those that say it."""
    found = {}
    for one in standings:
        span = span_of(one.entry, actions_of(catalog, one.name), _live(one)) if one.entry else None
        if span is not None:
            found[one.name] = span
    return found


def _live(one: Standing) -> int | None:
    """Return since when a campaign is live; None where it never was, or was moved back to a stage before that."""
    since, process = None, one.process
    live = process.position("live") if process else None
    if process is None or live is None:
        return None
    for move in one.state.moves:
        place = process.position(move.stage)
        if place is not None and place < live:
            since = None
        elif place == live and since is None:
            since = move.at
    return since


def places_of(catalog: Catalog, action: Action) -> frozenset[str]:
    """Return the placements in which an action can be said."""
    return frozenset(
        place.name
        for place in catalog.placements
        for treatment in action.treatments
        if treatment.channel == place.channel
        and any(fnmatch.fnmatchcase(place.name, glob) for glob in treatment.placements)
    )


def _sample(
    hub: Hub, catalog: Catalog, actions: dict[str, tuple[Action, ...]], customers: int, now: int
) -> Iterator[list[str]]:
    """Yield for customers, the same ones each time, the campaigns that may speak to each.

    Pseudonyms are random, so that those that come first are a random sample.
    """
    roll, cursor, left = Roll(hub.store, hub.people), "", customers
    with hub.group():
        _, mark = roll.begin()
    while left > 0:
        with hub.reading():
            if hub.plan.catalog.hash != catalog.hash:
                raise BadRequest("another catalog went live meanwhile: ask again")
            nodes = roll.after(cursor, PAGE)
            views = [view for node in nodes if (view := roll.met(node, mark)) is not None][:left]
            found = [[name for name, mine in actions.items() if _speaks(hub, view, mine, now)] for view in views]
        yield from found
        if not nodes:
            return
        cursor, left = nodes[-1], left - len(views)


def _speaks(hub: Hub, view: View, actions: Sequence[Action], now: int) -> bool:
    """Return whether any of some actions may be said to a customer."""
    snapshots, catalog = hub.snapshots, hub.plan.catalog
    layout, zone, row = snapshots.plan.layout, catalog.time_zone, snapshots.near(view, now).row
    said, channels = wishes(view.state, catalog.channels), {c.name: c for c in catalog.channels}

    def holds(expression: Expression | None, here: Row) -> bool:
        return expression is None or expression.evaluate({n: layout.get(here, n) for n in expression.names}) is True

    for action in actions:
        for treatment in action.treatments:
            channel = channels[treatment.channel]
            if refusal(said, channel, action.kind, now, action.topic, catalog.consent):
                continue
            here = situated(layout, row, {}, channel.name, "", now, zone)
            if all(holds(condition, here) for condition in (action.eligible, action.suitable, action.helps)):
                return True
    return False


def _contacts(hub: Hub, office: Office, numbers: range, spoken: Spoken) -> None:
    """Count the contacts of the ledger in some weeks."""
    start, end = week_span(numbers[0], office.zone).starts, week_span(numbers[-1], office.zone).ends
    campaigns = dict[int, dict[str, str]]()
    assert start is not None
    assert end is not None
    for _, rows in hub.ledger.joined():
        if rows.at >= end:
            return
        reached = [e for e in rows.each if e.reached is not None and not e.ghost and start <= e.reached < end]
        if not reached:
            continue
        with hub.reading():
            if rows.catalog not in campaigns:
                live = hub.ledger.catalog(rows.catalog)
                campaigns[rows.catalog] = {a.name: a.campaign for a in live.actions if a.campaign}
            person = hub.people.identities.root(rows.subject)
        for episode in reached:
            campaign = campaigns[rows.catalog].get(episode.action)
            if campaign is not None and episode.reached is not None:
                spoken.tell(week_of(episode.reached, office.zone), campaign, person)


def _count(count: int) -> None:
    if not 1 <= count <= MOST_WEEKS:
        raise BadRequest(f"weeks is {count}; ask for 1 to {MOST_WEEKS}", "weeks")
