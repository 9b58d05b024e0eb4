"""The inspection of a hub's data: each day scored from what came in and from the customers as they are.

Reading goes item by item and page by page beside the writer, in the thread that asks; what is large is drawn at random
(`daily`). Events of a day are drawn by their numbers in the log, with the day as the seed; customers as the rows after
a random pseudonym, which are random themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from opportune.batch.source import Opened, Source
from opportune.catalog.types import Catalog
from opportune.clock import DAY
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.events import codec
from opportune.events.dead_letters import Letter
from opportune.events.types import Event
from opportune.profiles.identity import Device
from opportune.profiles.merge import merge
from opportune.profiles.state import State, load
from opportune.quality import told
from opportune.quality.arrivals import ArrivalChecks
from opportune.quality.book import Book
from opportune.quality.customers import CustomerChecks
from opportune.quality.daily import USUAL, DayScore, Fields, Part, Row, at_door, scored, silent
from opportune.quality.finding import Finding
from opportune.quality.guard import IDENTIFY, OFF_PLAN, read_by
from opportune.quality.suggested import suggested
from opportune.quality.tally import SAMPLES
from opportune.quality.weights import IDENTITY, Weights

if TYPE_CHECKING:
    from opportune.hub import Hub

EVENTS, CUSTOMERS = 20_000, 20_000
"""Events of a day, and rows of customers, that are looked at; more are drawn from."""

PAGE = 500
"""Customers that are read while others wait: some milliseconds."""

STEP = 500
"""Events whose profiles are written while others wait."""

MANY_PEOPLE = 5
"""People that one anonymous id may have been: beyond, it is that of a terminal, or made wrongly."""


class Inspection:
    """Scores the days of a hub. `events` and `customers` bound how many are looked at."""

    def __init__(self, hub: Hub, events: int = EVENTS, customers: int = CUSTOMERS) -> None:
        self._hub, self._events, self._customers = hub, events, customers
        self.book = Book(hub.store)

    def due(self) -> int | None:
        """Return a day that is over and has no score of its end yet; None if there is none.

        That is yesterday, or one of the `USUAL` days before on which something came: nobody ran to score it then.
        """
        hub, yesterday = self._hub, self._hub.clock.now() // DAY - 1
        if not hub.published:
            return None
        for day in range(yesterday - USUAL + 1, yesterday + 1):
            known = self.book.get(day)
            if (known is None or known.at < (day + 1) * DAY) and (day == yesterday or len(self._numbers(day))):
                return day
        return None

    def score(self, day: int | None = None) -> DayScore:
        """Return the score of a day (default: that which is running), and keep it."""
        found = self.measured(day)
        self.keep(found)
        return found

    def keep(self, score: DayScore) -> None:
        """Keep the score of a day, in place of an earlier one of it."""
        with self._hub.group():
            self.book.put(score)

    def report(self, days: int = 30, samples: bool = False) -> dict[str, Any]:
        """Return the last score with its worst faults, and those of the `days` before (`quality.told.report`).

        With `samples`, events and customers at fault are named by their ids: for those who may know them.
        """
        today = self._hub.clock.now() // DAY
        plans = self._hub.plan.catalog.events if self._hub.published else ()
        owners = {plan.name: plan.owner for plan in plans}
        return told.report(list(self.book.since(today - days)), owners, self._named if samples else None)

    def coverage(self, days: int = 30, samples: bool = False) -> dict[str, Any]:
        """Return what of the tracking plan came in within some days, and what was not as planned."""
        hub, since = self._hub, self._hub.clock.now() // DAY - days
        plans = hub.plan.catalog.events if hub.published else ()
        found = told.coverage(plans, hub.tally.since(since), self._named if samples else None)
        if samples:
            self._name_letters(found["violations"])
        return found

    def suggestion(self, most: int = EVENTS) -> list[dict[str, Any]]:
        """Return a plan of the last events that came, at most so many, without what is planned already."""
        hub = self._hub
        planned = [plan.name for plan in hub.plan.catalog.events] if hub.published else []

        def events() -> Iterator[tuple[str, Event]]:
            for number, node, _ in hub.events.read(max(hub.events.last() - most, 0)):
                event = self._event(number)
                if event is not None:
                    yield node, event

        return suggested(events(), planned)

    def measured(self, day: int | None = None) -> DayScore:
        """Return the score of a day without keeping it. Call it from a thread beside the writer.

        Customers are looked at as they are now. Raises `BadRequest` before any catalog is live.
        """
        hub = self._hub
        if not hub.published:
            raise BadRequest("no catalog is live: publish one first")
        now, catalog = hub.clock.now(), hub.plan.catalog
        day = now // DAY if day is None else day
        weights = Weights(catalog)
        # traits are looked at in the profiles, which hold what decisions read
        counts = [one for one in hub.tally.since(day) if one.day == day and one.key.event != IDENTIFY]
        arrivals = self._arrivals(day, catalog, weights)
        door = [*at_door(counts, fields(catalog), weights), *self._refused(day), *self._devices(day)]
        quiet: list[Row] = []
        if day < now // DAY:  # a day that is not over may still hear from its sources
            before = [row for score in self.book.since(day - USUAL) for row in score.rows]
            quiet = silent(day, before, arrivals.rows())
        return scored(day, now, door, arrivals, self._people(day, now, catalog, weights), quiet)

    def _arrivals(self, day: int, catalog: Catalog, weights: Weights) -> Part:
        """Return what was found of the events of a day."""
        checks, numbers = ArrivalChecks(catalog, weights), self._numbers(day)
        part = Part(day, len(numbers))
        drawn = numbers if len(numbers) <= self._events else sorted(Random(day).sample(numbers, self._events))
        for number in drawn:
            event = self._event(number)
            if event is not None:
                part.add(((event.source, one) for one in checks.findings(event, number)), f"event {number}")
        return part

    def _numbers(self, day: int) -> range:
        """Return the numbers in the log of the events of a day."""
        first, last = (self._hub.events.before(at * DAY, self._received) for at in (day, day + 1))
        return range(first + 1, last + 1)

    def _refused(self, day: int) -> list[Row]:
        """Return rows of what was set aside on a day, but for what the plan set aside: that is counted at the door."""
        found: dict[tuple[str, str, str], list[Letter]] = {}
        for _, letter in self._hub.dead_letters.letters():
            if letter.received_at // DAY == day and letter.reason != OFF_PLAN:
                event = letter.raw.get("event") if isinstance(letter.raw, Mapping) else None
                key = (letter.source, event if isinstance(event, str) else "", letter.reason)
                found.setdefault(key, []).append(letter)
        return [
            Row(day, source, event, "userId" if reason == "no_id" else "",
                "identity" if reason == "no_id" else "validity", len(letters), len(letters), IDENTITY,
                {reason: len(letters)}, letters[0].received_at, letters[-1].received_at, [], len(letters))
            for (source, event, reason), letters in sorted(found.items())
        ]  # fmt: skip

    def _people(self, day: int, now: int, catalog: Catalog, weights: Weights) -> Part:
        """Return what was found of the customers as they are."""
        checks = CustomerChecks(catalog, weights)
        write_rows(self._hub)
        drawn, of, found = *self._drawn(), list[tuple[str, State, list[Finding]]]()
        rows = 0
        for page, read in self._pages(drawn):
            rows += read
            for place, subject in enumerate(page.subjects):
                state, members = self._state(page, place), len(page.members.get(place, ()))
                found.append((subject, state, list(checks.findings(state, now, members))))
        part = Part(day, round(len(found) * of / rows) if rows else 0)
        twice = checks.shared(((subject, state) for subject, state, _ in found), min(rows / of, 1.0) if of else 1.0)
        sources: dict[int, str] = {}
        for subject, _, findings in found:
            named = ((self._source_of(one.number, sources), one) for one in (*findings, *twice.get(subject, ())))
            part.add(named, subject)
        return part

    def _drawn(self) -> tuple[list[str] | None, int]:
        """Return the pseudonyms of the rows to look at (None: all of them), and how many rows there are."""
        table = self._hub.store.table("profiles")
        of = table.count()
        if of <= self._customers:
            return None, of
        start = "".join(Random(of).choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=10))
        return [key for key, _ in islice(chain(table.scan(after=start), table.scan()), self._customers)], of

    def _pages(self, drawn: list[str] | None) -> Iterator[tuple[Opened, int]]:
        source = Source(self._hub.store, self._hub.vault)
        pages = source.pages(PAGE, drawn)
        while True:
            with self._hub.reading():
                page = next(pages, None)
            if page is None:
                return
            yield source.open(page), len(page.states)

    def _state(self, page: Opened, place: int) -> State:
        state = load(page.states[place])
        others = [load(part[0]) for part in page.members.get(place, ()) if part[0] is not None]
        return merge([state, *others], self._hub.people.spec) if others else state

    def _devices(self, day: int) -> list[Row]:
        """Return the row of anonymous ids that were of many people."""
        table = self._hub.store.table("devices")
        of, looked = table.count(), list(islice(table.scan(), self._customers))
        many = sum(_device(data).epochs > MANY_PEOPLE for _, data in looked)
        if not looked:
            return []
        faults = round(many * of / len(looked))
        what = {"of many people": faults} if faults else {}
        return [Row(day, "", IDENTIFY, "anonymousId", "identity", of, faults, IDENTITY, what, looked=len(looked))]

    def _received(self, node: str, payload: bytes) -> int | None:
        try:
            return codec.decode_event(self._hub.vault.open(node, payload)).received_at if payload else None
        except (Forgotten, NotFound):
            return None

    def _event(self, number: int) -> Event | None:
        try:
            return self._hub.event(f"event {number}")
        except (Forgotten, NotFound):
            return None

    def _named(self, sample: str) -> str | None:
        """Return the messageId of `event N`, or the id of a customer named by a pseudonym; None if they are gone."""
        if sample.startswith("event "):
            event = self._event(int(sample.removeprefix("event ")))
            return event.message_id if event else None
        with self._hub.reading():
            view = self._hub.people.view(sample)
        return view.customer if view else None

    def _name_letters(self, violations: list[dict[str, Any]]) -> None:
        """Name events that were set aside, which are in no log."""
        waiting = [one for one in violations if not one["samples"]]
        for _, letter in self._hub.dead_letters.letters() if waiting else ():
            if letter.reason == OFF_PLAN and isinstance(letter.raw, Mapping):
                for one in waiting:
                    told_of = f"`{one['field']}`" in letter.message or not one["field"]
                    same = one["source"] == letter.source and one["event"] == letter.raw.get("event")
                    if same and told_of and len(one["samples"]) < SAMPLES:
                        one["samples"].append(str(letter.raw.get("messageId", "")))

    def _source_of(self, number: int, known: dict[int, str]) -> str:
        """Return the source of the event with a number; "" where nobody can say any more."""
        if number not in known:
            event = self._event(number) if number else None
            known[number] = event.source if event else ""
        return known[number]


_device = msgspec.msgpack.Decoder(Device).decode


def write_rows(hub: Hub) -> None:
    """Write the rows of profiles that memory is ahead of, a few at a time."""
    with hub.reading():
        last = hub.events.last()
    for until in [*range(max(last - 10 * STEP, 0), last, STEP), last]:
        with hub.reading():
            hub.people.save(until)


def fields(catalog: Catalog) -> Fields:
    """Return what the door holds against a catalog's plan, and what it reads where nothing is planned."""
    checked: dict[str, set[str]] = {}
    required: dict[str, frozenset[str]] = {}
    for event, path, _ in read_by(catalog):
        checked.setdefault(event, set()).add(path)
    for plan in catalog.events:
        schema = plan.schema or {}
        checked.setdefault(plan.name, set()).update(schema.get("properties", ()))
        required[plan.name] = frozenset(schema.get("required", ()))
    return Fields({event: frozenset(names) for event, names in checked.items()}, required)
