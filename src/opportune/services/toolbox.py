"""The toolbox: use of tools is told here, once each, and adoption, overlap, dates and trials are read from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from opportune.catalog.fields import nearest
from opportune.catalog.lab_types import Metric
from opportune.catalog.tool_types import Tool, ToolTrial
from opportune.errors import BadRequest, NotFound
from opportune.events.types import ToolUsed
from opportune.hub import Hub
from opportune.lab.look import shown
from opportune.ledger.exposures import Exposure
from opportune.measure.compare import compare
from opportune.measure.effect import NotEnoughData
from opportune.measure.reading import Fixed
from opportune.operations.stack import SOON, Date, Overlap, dates, overlaps
from opportune.operations.tool_book import Cell, ToolBook
from opportune.operations.tool_trials import LEAST_SPAN, Evidence, TrialStanding, before_and_after, standing
from opportune.operations.tool_use import Wrong, fault
from opportune.operations.tools import RECENT, SHOWN, Adoption, adoption
from opportune.operations.weeks import week_of
from opportune.services.laboratory import ASKED, Laboratory


class Told(NamedTuple):
    """What became of uses: how many are new, were told with another count, or known; and those refused, by position."""

    taken: int
    changed: int
    known: int
    refused: Mapping[int, Wrong]


class Toolbox:
    """The tools of a hub. What writes is a transaction, or a part of the one around it (`Hub.group`).

    All but `trials`, which may read as many events as there are, is quick.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        if not hub.published:
            raise BadRequest("no catalog is live: publish one first")
        catalog = hub.plan.catalog
        self.zone, self.tools = ZoneInfo(catalog.time_zone), {tool.name: tool for tool in catalog.tools}

    def use(self, uses: Sequence[ToolUsed], undated: Collection[int] = ()) -> Told:
        """Take uses in, each once by its `entry`; what has a fault is refused and holds up nothing else.

        `undated` are the positions of those whose instant nobody told for sure: it is the one told first.
        """
        hub, people = self._hub, frozenset(person.name for person in self._hub.plan.catalog.people)
        now = hub.clock.now()
        refused = {at: wrong for at, use in enumerate(uses) if (wrong := fault(use, self.tools, people, now))}
        with hub.group():
            kept = self._book.keep({at: use for at, use in enumerate(uses) if at not in refused}, undated)
            if kept.facts:
                hub.learner.learn(kept.facts)
        return Told(len(kept.facts) - kept.changed, kept.changed, kept.known, {**refused, **kept.refused})

    def tool(self, name: str) -> Tool:
        """Return a tool of the live catalog. Raises `NotFound`."""
        if name not in self.tools:
            raise NotFound(f"the live catalog has no tool {name[:60]!r}; {nearest(name[:200], self.tools)}")
        return self.tools[name]

    def adoption(self, name: str) -> Adoption | NotEnoughData:
        """Return how a tool is used by now. Raises `NotFound`."""
        tool, book, week = self.tool(name), self._book, self._week
        return adoption(tool, book.cells(name, week - SHOWN), week, book.first(name))

    def cells(self, name: str, weeks: int) -> list[Cell]:
        """Return who used what of a tool in the running week and so many before. Raises `NotFound`."""
        self.tool(name)
        return list(self._book.cells(name, max(self._week - weeks, 0)))

    def overlaps(self) -> list[Overlap]:
        """Return the pairs of tools that are for the same."""
        book, since, users = self._book, self._week - RECENT, dict[str, set[str]]()
        for name in self.tools:
            if book.first(name) is not None:
                users[name] = {cell.person for cell in book.cells(name, since) if cell.uses > 0}
        return overlaps([*self.tools.values()], users, self._hub.clock.now())

    def dates(self, ahead: int = SOON) -> list[Date]:
        """Return what is to be decided or ends soon, or should have been."""
        return dates([*self.tools.values()], self._hub.clock.now(), self.zone, ahead)

    def trials(self) -> list[TrialStanding]:
        """Return how every trial stands; those that a metric answers take as long as there are events. Writes nothing.

        May be called from any thread.
        """
        now, found = self._hub.clock.now(), list[TrialStanding]()
        for tool in self.tools.values():
            if tool.trial is not None:
                evidence = self._evidence(tool, tool.trial, now)
                found.append(standing(tool, tool.trial, evidence, now, self.zone))
        return sorted(found, key=lambda one: (bool(one.trial.decided), one.trial.decide_by, one.tool))

    # --- parts

    @property
    def _book(self) -> ToolBook:
        return ToolBook(self._hub.store, self.zone)

    @property
    def _week(self) -> int:
        return week_of(self._hub.clock.now(), self.zone)

    def _evidence(self, tool: Tool, trial: ToolTrial, now: int) -> Evidence:
        if trial.experiment:
            return self._experiment(trial.experiment)
        metric = next(m for m in self._hub.plan.catalog.metrics if m.name == trial.metric)
        if tool.starts is None:
            return Evidence("none", f"nobody knows when the trial began: give the contract of {tool.name} a `from`")
        span = min(now, trial.decide_by) - tool.starts
        if span < LEAST_SPAN:
            return Evidence("none", "less than a week has passed since the tool came: too early to compare")
        return self._before_and_after(metric, tool.starts, span)

    def _experiment(self, name: str) -> Evidence:
        lab = Laboratory(self._hub)
        with self._hub.reading():
            run = lab.book.run(name)
            look = lab.book.look(run) if run else None
        if run is None:
            return Evidence("none", f"experiment {name} was not started: opportune lab start {name}")
        findings = [f for f in look.findings if f.metric == run.metric and not f.guardrail] if look else []
        told = "; ".join(map(shown, findings)) or f"nobody looked at it yet: opportune lab look {name}"
        effect = findings[0].effect if len(findings) == 1 else None
        relative, interval = (effect.relative, effect.relative_interval) if effect else (None, None)
        return Evidence("experiment" if findings else "none", f"experiment {name} ({run.outcome}): {told}",
                        relative, interval)  # fmt: skip

    def _before_and_after(self, metric: Metric, starts: int, span: int) -> Evidence:
        """Compare the span since a start with one as long before it, among customers who were there all the time."""
        metric = replace(metric, within=span)
        subjects = self._customers_since(starts - span)
        lab, before, after = Laboratory(self._hub), starts - span, starts
        counted = lab.count([metric], [Exposure(s, "before", before) for s in subjects], before)
        then = lab.count([metric], [Exposure(s, "after", after) for s in subjects], after)
        sums = counted.sums(metric.name, "before"), then.sums(metric.name, "after")
        return before_and_after(metric.name, compare(metric.kind, *sums, Fixed(0.05)))

    def _customers_since(self, at: int) -> list[str]:
        """Return customers who were heard of before an instant."""
        hub, found = self._hub, list[str]()
        with hub.reading():
            for view in islice(hub.people.everyone(), ASKED):
                first = next(hub.events_of(view.subject), None)
                if first is not None and first[1].at < at:
                    found.append(view.subject)
        return found
