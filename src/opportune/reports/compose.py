"""A report put together: what is the matter, the figures, the other parts, and where all of it comes from. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from opportune.catalog.report_types import FIGURES, ReportPlan, Target
from opportune.clock import DAY, to_datetime
from opportune.figures.alerts import Known, alerts_of
from opportune.figures.answer import Answer
from opportune.figures.manifest import Manifest
from opportune.figures.ranges import status
from opportune.figures.words import between, range_in, shown
from opportune.reports import figure_part
from opportune.reports.figure_part import Story
from opportune.reports.parts import PARTS
from opportune.reports.queries import Found
from opportune.reports.report import Column, Number, Report, Section, Table, Text, cited

NEXT = (
    "There is nothing to report on yet. Send events (`opportune import`, or POST /v1/batch), ask for decisions "
    "(`opportune decide`, or POST /v1/decide) and tell what became of them (`opportune respond`); keep some customers "
    "held out (`holdouts:` in the catalog), so that what the hub adds can be known."
)


def figures_of(plan: ReportPlan) -> tuple[str, ...]:
    """Return the figures of a report, in their order."""
    return tuple(name for name in FIGURES if "figures" in plan.parts or name in plan.parts)


def others_of(plan: ReportPlan) -> tuple[str, ...]:
    """Return the other parts of a report, in the order of the catalog."""
    return tuple(name for name in plan.parts if name in PARTS)


def compose(
    plan: ReportPlan, stories: Sequence[Story], found: Mapping[str, Found], as_of: int, manifest: Manifest,
    catalog: str, currency: str, zone: ZoneInfo,
) -> Report:  # fmt: skip
    """Return a report of what was asked: the stories of its figures, and what the queries of its parts found."""
    sections = [_matter(stories, as_of, manifest, plan)] if stories else []
    sections += [figure_part.section(story) for story in stories]
    sections += [PARTS[name][1](found[name], currency) for name in others_of(plan)]
    if stories and all(story.now.value is None for story in stories):
        sections.insert(0, Section("start", "What to do next", following=NEXT))
    sources = [*(figure_part.source(story) for story in stories), *(found[name].source for name in others_of(plan))]
    return Report(
        plan.name, plan.title, period(plan, as_of, zone), as_of, manifest.version, catalog, tuple(sections),
        tuple({source.id: source for source in sources}.values()),
    )  # fmt: skip


def period(plan: ReportPlan, as_of: int, zone: ZoneInfo) -> str:
    """Return what a report looks at, in words.

    >>> period(ReportPlan("a", "A", "day", ()), 1_767_225_600_000_000, ZoneInfo("UTC"))
    'The 28 days to 31 December 2025'
    """
    last = to_datetime(as_of).astimezone(zone) - timedelta(microseconds=1)
    days = plan.over // DAY
    return f"{'The day' if days == 1 else f'The {days} days' if days else 'The hours'} to {last.day} {last:%B %Y}"


def _matter(stories: Sequence[Story], as_of: int, manifest: Manifest, plan: ReportPlan) -> Section:
    """Return the first section: what left its range or surely moved, and all figures at a glance."""
    told = [(alert.sentence, story.now.figure) for story in stories for alert in _alerts(story, as_of, manifest)]
    sentences = [cited(sentence, figure) for sentence, figure in told]
    known = [story for story in stories if story.now.value is not None]
    if not told and known:
        sentences.append(("No figure surely left its range, and none surely moved.",))
    if len(known) < len(stories):
        missing = [story.now.title for story in stories if story.now.value is None]
        sentences.append((f"Not known: {', '.join(missing)}. Each says below what it lacks.",))
    columns = (Column("Figure"), Column("Now"), Column("Before"), Column("Target"))
    rows = tuple(_row(story) for story in stories)
    caption = f"Figures now, and {plan.over // DAY or 1} days before"
    return Section("matter", "At a glance", tuple(sentences), (Table(caption, columns, rows),))


def _row(story: Story) -> tuple[Text, ...]:
    now, before, target = story.now, story.before, story.target
    cells = [_cell(now, story.currency), _cell(before, story.currency) if before else ("",)]
    found = status(now.value, now.interval, target)
    return (now.title,), *cells, (f"{found}: {range_in(target, now.unit, story.currency)}" if target else "",)


def _cell(answer: Answer, currency: str) -> Text:
    """Return a value and below it, where there is little room, how far it may be off."""
    if answer.value is None:
        return ("not known",)
    ends = between(answer.interval, answer.unit, currency)
    value = Number(shown(answer.value, answer.unit, currency), answer.figure)
    return (value, " (", Number(ends, answer.figure), ")") if ends else (value,)


def _alerts(story: Story, as_of: int, manifest: Manifest) -> Iterable[Any]:
    """Return what is the matter with a figure, as if nobody had been told before."""
    cause, before = figure_part.cause(story), story.before
    wholes: list[Target | None] = [target for target in story.targets if target.by is None]
    for target in wholes or [None]:
        told, _ = alerts_of(
            figure_part.subject(story, target), figure_part.reading(story.now),
            figure_part.reading(before) if before else None, cause, Known(), as_of, manifest.version,
        )  # fmt: skip
        yield from told

