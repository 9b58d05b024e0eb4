"""The reports of a hub: asked of its tables, and sent once per period and reader.

A report is a function of the tables, the catalog and the instant at which it ends: nothing in it is of now.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.fields import nearest
from opportune.catalog.report_types import ReportPlan
from opportune.catalog.types import Catalog
from opportune.clock import HOUR, MINUTE
from opportune.errors import NotFound
from opportune.reports.asked import Setting, made
from opportune.reports.mail import key
from opportune.reports.plans import Due, following, latest, midnight, named, plans, readers
from opportune.reports.report import Report

if TYPE_CHECKING:
    from opportune.hub import Hub

RETRIES = (5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR)
"""When a report that did not leave is tried again; after the last of them it is given up."""

State = Literal["sending", "sent", "waiting", "failed", "in doubt"]


class Sending(msgspec.Struct, frozen=True):
    """What became of a report for one reader in one period. `again` is when it is tried again; all are instants."""

    report: str
    period: str
    to: str
    state: State
    at: int
    tries: int = 0
    why: str = ""
    again: int | None = None
    reference: str = ""


class Reporting:
    """The reports of a hub. What writes is a transaction, or a part of the one around it (`Hub.group`).

    `report` only reads, takes as long as its queries, and may be called from any thread; all others are quick.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._sendings = hub, hub.store.table("report_sendings")
        self._known = hub.store.table("report_plans")

    @property
    def catalog(self) -> Catalog:
        """The live catalog."""
        return self._hub.plan.catalog

    def plans(self) -> tuple[ReportPlan, ...]:
        """Return the reports that there are: those of the catalog, or those that are built in."""
        return plans(self.catalog) if self._hub.published else ()

    def plan(self, name: str) -> ReportPlan:
        """Return a report by name. Raises `NotFound`, naming the nearest."""
        found = named(self.plans(), name)
        if found is None:
            raise NotFound(f"there is no report {name!r}; {nearest(name, [plan.name for plan in self.plans()])}")
        return found

    def report(self, plan: ReportPlan, folder: Path, as_of: int | None = None) -> Report:
        """Return a report of a folder of tables that ends at an instant (None: where the running day began)."""
        setting = setting_of(self.catalog)
        until = midnight(self._hub.clock.now(), setting.zone) if as_of is None else as_of
        return made(plan, folder, setting, until)

    def due(self) -> list[tuple[Due, str]]:
        """Return the reports that are to leave now, each with a reader; none twice in a period.

        What was due before the hub first knew of a report is not sent.
        """
        now, found = self._hub.clock.now(), list[tuple[Due, str]]()
        for plan in self.plans():
            due = latest(plan, now, ZoneInfo(self.catalog.time_zone))
            if self._since(plan, now) > due.at:
                continue
            for to in readers(plan, self.catalog):
                sending = self._sending(plan.name, due.period, to)
                if sending is None or (sending.state == "waiting" and (sending.again or 0) <= now):
                    found.append((due, to))
        return found

    def period(self, plan: ReportPlan) -> Due:
        """Return the last period in which a report was due, whether it was sent or not."""
        return latest(plan, self._hub.clock.now(), ZoneInfo(self.catalog.time_zone))

    def next(self, plan: ReportPlan) -> int:
        """Return when a report is due next."""
        return following(plan, self._hub.clock.now(), ZoneInfo(self.catalog.time_zone))

    def begin(self, report: str, period: str, to: str) -> Sending:
        """Note that a report is about to leave: whatever happens then, it does not leave again by itself."""
        before = self._sending(report, period, to)
        begun = Sending(report, period, to, "sending", self._hub.clock.now(), (before.tries if before else 0) + 1)
        self._keep(begun)
        return begun

    def settle(self, begun: Sending, state: State, why: str = "", reference: str = "") -> Sending:
        """Note what became of it. What waits is tried again some times, and then has failed."""
        again = begun.at + RETRIES[begun.tries - 1] if state == "waiting" and begun.tries <= len(RETRIES) else None
        if state == "waiting" and again is None:
            state = "failed"
        ended = Sending(begun.report, begun.period, begun.to, state, self._hub.clock.now(), begun.tries, why, again,
                        reference)  # fmt: skip
        self._keep(ended)
        return ended

    def recover(self) -> int:
        """Settle what was leaving when an earlier process ended: nobody knows whether it did. Return how many."""
        lost = [one for one in self.sendings() if one.state == "sending"]
        for one in lost:
            self.settle(one, "in doubt", "the hub stopped while it was leaving: ask the reader, and send it by hand")
        return len(lost)

    def sendings(self) -> list[Sending]:
        """Return what became of every report that was sent or tried, the newest first."""
        found = [_decode(value) for _, value in self._sendings.scan()]
        return sorted(found, key=lambda one: (one.at, one.report, one.to), reverse=True)

    def _since(self, plan: ReportPlan, now: int) -> int:
        """Return when the hub first knew of a report; notes it the first time."""
        row = self._known.get(plan.name)
        if row is None:
            self._known.put([(plan.name, str(now).encode())])
            return now
        return int(row)

    def _sending(self, report: str, period: str, to: str) -> Sending | None:
        row = self._sendings.get(key(report, period, to))
        return None if row is None else _decode(row)

    def _keep(self, sending: Sending) -> None:
        name = key(sending.report, sending.period, sending.to)
        self._sendings.put([(name, msgspec.msgpack.encode(sending))])


def setting_of(catalog: Catalog) -> Setting:
    """Return what reports take from a catalog."""
    zone = ZoneInfo(catalog.time_zone)
    return Setting(catalog.hash, catalog.targets, catalog.currency, zone, catalog.funnel.window)


_decode: Callable[[bytes], Sending] = msgspec.msgpack.Decoder(Sending).decode
