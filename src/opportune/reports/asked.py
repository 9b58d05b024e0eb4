"""What a report asks of tables: its figures over this period and those before, by dimensions, and its other queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from opportune.catalog.report_types import ReportPlan, Target
from opportune.clock import DAY
from opportune.figures.answer import Answer
from opportune.figures.compute import figure
from opportune.figures.header import header
from opportune.figures.manifest import Manifest
from opportune.figures.tables import opened
from opportune.reports.compose import compose, figures_of, others_of
from opportune.reports.figure_part import Split, Story
from opportune.reports.parts import PARTS
from opportune.reports.queries import compared, query
from opportune.reports.report import Report

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PERIODS = 3
"""Periods before the running one that a plot shows."""

DIMENSIONS = 2
"""Dimensions of a figure that a report and the cause of an alert look at, apart from those that targets name."""


LONG = 180 * DAY
"""How far back campaigns may have begun that velocity looks at: in the time of a report most are still under way."""

COMPARED = "roi"
"""The figure that compares customers who are held out, or in control, with others."""

Ask = Callable[[str, int | None, int, str | None], Answer]
"""Gives a figure by name, from one instant (None: the beginning) to another, by a dimension or None."""


class Setting(msgspec.Struct, frozen=True):
    """What a report takes from the catalog: its hash, targets, currency and time zone, and a lead's `window`."""

    catalog: str = ""
    targets: tuple[Target, ...] = ()
    currency: str = ""
    zone: ZoneInfo = ZoneInfo("UTC")
    window: int = 90 * DAY


class Tables:
    """A folder of tables, as it was at any instant that is asked about."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._open: dict[int, tuple[DuckDBPyConnection, Manifest]] = {}

    def at(self, as_of: int) -> tuple[DuckDBPyConnection, Manifest]:
        """Return a connection to the tables as of an instant."""
        if as_of not in self._open:
            self._open[as_of] = self._stack.enter_context(opened(self._folder, as_of))
        return self._open[as_of]

    def figure(self, name: str, since: int | None, as_of: int, by: str | None) -> Answer:
        """Return a figure, as `Ask` says."""
        return figure(*self.at(as_of), name, as_of, since, by)


@contextmanager
def tables_in(folder: Path) -> Iterator[Tables]:
    """Open a folder of tables. Raises `BadInput` where there are none, when one is asked for."""
    with ExitStack() as stack:
        yield Tables(folder, stack)


def made(plan: ReportPlan, folder: Path, setting: Setting, as_of: int) -> Report:
    """Return a report of a folder of tables as they were at an instant; the same of the same, to the byte.

    Raises `BadInput` for a folder that has no tables.
    """
    since = as_of - plan.over
    with tables_in(folder) as tables:
        connection, manifest = tables.at(as_of)
        stories = [story(name, setting, plan.over, as_of, tables.figure) for name in figures_of(plan)]
        stories = [
            replace(one, experiment=compared(connection)) if one.now.figure == COMPARED else one for one in stories
        ]
        found = {name: query(name, PARTS[name][0], connection, manifest, since, as_of) for name in others_of(plan)}
    return compose(plan, stories, found, as_of, manifest, setting.catalog, setting.currency, setting.zone)


def story(name: str, setting: Setting, span: int, as_of: int, ask: Ask, periods: int = PERIODS) -> Story:
    """Return what is asked of one figure: now, periods before, and by its first dimensions at two of these times."""

    def at(back: int, by: str | None = None) -> Answer:
        until = as_of - back * span
        return ask(name, began(name, setting, span, until), until, by)

    targets = tuple(target for target in setting.targets if target.figure == name)
    now, known = at(0), header(name)
    past = tuple(at(back) for back in range(periods, 0, -1))
    wanted = [*known.dimensions[:DIMENSIONS], *(target.by[0] for target in targets if target.by)]
    splits = []
    for by in dict.fromkeys(one for one in wanted if one in known.dimensions):
        split = at(0, by)
        splits.append(Split(split, at(1, by) if split.rows else None))
    return Story(now, past, tuple(splits), targets, span, setting.currency, known.sql)


def began(name: str, setting: Setting, span: int, as_of: int) -> int | None:
    """Return since when a figure is looked at: what takes longer than a report's span is looked at for longer.

    Leads get their window, campaigns half a year; a budget is the whole plan until now.
    """
    if name == "budget":
        return None
    return as_of - {"conversion": setting.window + span, "velocity": max(LONG, span)}.get(name, span)
