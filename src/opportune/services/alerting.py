"""The alerts of a hub: its figures are looked at once a day, and what is new of them is told and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.report_sections import OVER
from opportune.catalog.report_types import FIGURES, Target
from opportune.events.types import Published
from opportune.figures.alerts import Alert, Known, Reading, alerts_of
from opportune.reports.asked import story, tables_in
from opportune.reports.figure_part import Story, cause, reading, subject
from opportune.reports.plans import midnight
from opportune.services.reporting import setting_of

if TYPE_CHECKING:
    from opportune.hub import Hub

KEPT = 1_000
"""The most alerts that are kept."""


class Judged(NamedTuple):
    """What is new of a figure, or of the part of one that a target names, and what is to be remembered."""

    about: str
    alerts: tuple[Alert, ...]
    known: Known


class TargetChange(NamedTuple):
    """A target as it was set when a catalog went live; None of one that was taken away."""

    at: int
    by: str
    about: str
    target: Target | None


class Alerting:
    """The alerts of a hub. `judge` only reads and may be called from any thread; all others are quick."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._states = hub, hub.store.table("figure_states")
        self._alerts = hub.store.table("figure_alerts")

    def due(self) -> bool:
        """Return whether the figures of the running day are still to be looked at; the first day of a hub is not."""
        if not self._hub.published:
            return False
        row, today = self._states.get(_LOOKED), str(self._today()).encode()
        if row is None:
            self._states.put([(_LOOKED, today)])
        return row is not None and row != today

    def judge(self, folder: Path, as_of: int | None = None) -> list[Judged]:
        """Return what is new of each figure and target, over 28 days beside the 28 before. Writes nothing.

        The 28 days end at an instant (None: where the running day began).
        """
        setting, as_of = setting_of(self._hub.plan.catalog), self._today() if as_of is None else as_of
        with tables_in(folder) as tables:
            version = tables.at(as_of)[1].version
            stories = [story(figure, setting, OVER, as_of, tables.figure, periods=1) for figure in FIGURES]
        found = []
        for told in stories:
            wholes: list[Target | None] = [target for target in told.targets if target.by is None]
            parts = [target for target in told.targets if target.by is not None]
            found += [self._judged(told, target, version) for target in (*(wholes or [None]), *parts)]
        return found

    def note(self, judged: Sequence[Judged]) -> list[Alert]:
        """Keep what is new, and that the figures of the day were looked at; return the alerts."""
        told = [alert for one in judged for alert in one.alerts]
        with self._hub.store.transaction():
            self._states.put([(one.about, msgspec.msgpack.encode(one.known)) for one in judged])
            self._states.put([(_LOOKED, str(self._today()).encode())])
            self._alerts.put([(f"{one.at:020d}/{one.about}/{one.kind}", msgspec.msgpack.encode(one)) for one in told])
            self._alerts.delete([key for key, _ in self._alerts.scan()][:-KEPT])
        return told

    def alerts(self) -> list[Alert]:
        """Return the alerts that were told, the newest first."""
        return [_alert(value) for _, value in self._alerts.scan()][::-1]

    def told_to(self, alerts: Sequence[Alert]) -> dict[str, list[Alert]]:
        """Return the alerts by the e-mail address of their owner; those whose owner has none are left out."""
        known, found = {one.name: one.email for one in self._hub.plan.catalog.people}, dict[str, list[Alert]]()
        for alert in alerts:
            address = alert.owner if "@" in alert.owner else known.get(alert.owner, "")
            if address:
                found.setdefault(address, []).append(alert)
        return found

    def targets(self) -> list[TargetChange]:
        """Return every change of a target, in the order in which catalogs went live. Reads the whole ledger."""
        before, found = dict[str, Target](), list[TargetChange]()
        for sequence, fact in self._hub.ledger.read():
            if isinstance(fact, Published):
                now = {target.key: target for target in self._hub.ledger.catalog(sequence).targets}
                for about in sorted({*before, *now}):
                    if before.get(about) != now.get(about):
                        found.append(TargetChange(fact.at, fact.author, about, now.get(about)))
                before = now
        return found

    def _judged(self, told: Story, target: Target | None, version: str) -> Judged:
        about = subject(told, target)
        row = self._states.get(about.about)
        known = Known() if row is None else _known(row)
        before: Reading | None
        if target is None or target.by is None:
            now, before, why = reading(told.now), reading(told.before) if told.before else None, cause(told)
        else:
            now, before, why = _part(told, target.by, 0), _part(told, target.by, 1), None
        alerts, known = alerts_of(about, now, before, why, known, self._hub.clock.now(), version)
        return Judged(about.about, alerts, known)

    def _today(self) -> int:
        return midnight(self._hub.clock.now(), ZoneInfo(self._hub.plan.catalog.time_zone))


def _part(told: Story, by: tuple[str, str], back: int) -> Reading:
    """Return what one value of a dimension is, now (0) or in the period before (1)."""
    for split in told.splits:
        answer = split.before if back else split.now
        for row in answer.rows if answer is not None and split.now.by == by[0] else ():
            if str(row["key"]) == by[1]:
                ends = row.get("interval")
                return Reading(row["value"], None if ends is None else (ends[0], ends[1]), int(row["n"] or 0))
    return Reading(None, None)


_LOOKED = "/looked"
"""The key of the last day that was looked at; no figure is named so."""

_alert: Callable[[bytes], Alert] = msgspec.msgpack.Decoder(Alert).decode
_known: Callable[[bytes], Known] = msgspec.msgpack.Decoder(Known).decode
