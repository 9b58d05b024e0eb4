"""The section of a figure: what it is and was, whether that differs for sure, what the change comes from. Pure.

A sentence says no more than the table below it: that a figure rose or fell only where its interval does not touch that
of the period before, that it is in its range only where its whole interval is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from opportune.catalog.report_types import Target
from opportune.clock import format_span, parse_instant, to_datetime
from opportune.figures.alerts import Reading, Subject, named, state_of
from opportune.figures.answer import Answer, Between
from opportune.figures.causes import Causes, Part, causes
from opportune.figures.ranges import status
from opportune.figures.units import DAYS, beside_unit, days_in
from opportune.figures.words import NO_UNITS, SHARES, between, brief, range_in, shown, with_interval
from opportune.measure.effect import NotEnoughData
from opportune.reports.drawing import Drawing
from opportune.reports.plots import Point, forest, trend
from opportune.reports.report import Column, Number, Plot, Section, Source, Table, Text, cited

MOST_ROWS = 10
"""Parts of a figure that a table names."""


class Split(msgspec.Struct, frozen=True):
    """A figure by a dimension, now and in the period before."""

    now: Answer
    before: Answer | None = None


class Story(msgspec.Struct, frozen=True):
    """What is asked of a figure for a report: now, in the periods before (the latest last), and by dimensions.

    `span` is the time between one period and the next, `sql` the text of the query, `experiment` what is compared.
    """

    now: Answer
    past: tuple[Answer, ...] = ()
    splits: tuple[Split, ...] = ()
    targets: tuple[Target, ...] = ()
    span: int = 0
    currency: str = ""
    sql: str = ""
    experiment: str = ""

    @property
    def before(self) -> Answer | None:
        """The figure in the period before."""
        return self.past[-1] if self.past else None

    @property
    def target(self) -> Target | None:
        """The target of the figure as a whole."""
        return next((target for target in self.targets if target.by is None), None)


def section(story: Story) -> Section:
    """Return the section of a figure."""
    now = story.now
    says, name = partial(brief, unit=_short(now)), _named(now)
    if now.value is None:
        sentences: list[Text] = [(f"{now.title} is not known: {now.reason or 'there is nothing to count'}.",)]
    else:
        sentences = [_value(story), *_change(story)]
    sentences += [_beside(now, one, story.currency) for one in now.beside if one.value is not None]
    sentences += [_target(story, target) for target in story.targets]
    sentences += [(_sentence(warning),) for warning in now.warnings]
    if now.meaning:
        sentences.append((_sentence(f"What it is: {_lower(now.meaning)}"),))
    plots = []
    points = [_point(_day(answer.as_of), answer) for answer in (*story.past, now)]
    if len([point for point in points if point.value is not None]) > 1:
        low, high = (story.target.at_least, story.target.at_most) if story.target else (None, None)
        told = f"{name}, each point {_long(story.span)} after the one before; the band is its interval"
        spoken = f"{told}: {_spoken(points, says)}"
        plots.append(Plot(f"{told}.", spoken, _drawn(trend, points, now, says, low, high)))
    splits = [split for split in story.splits if any(row["value"] is not None for row in split.now.rows)]
    tables = [_table(split) for split in splits]
    for split in splits[:1]:
        shown_ = [Point(str(row["key"]), row["value"], _ends(row)) for row in _first(split.now.rows)]
        if len([point for point in shown_ if point.value is not None]) > 1:
            dashed = "" if now.value is None else "; the dashed line is the whole"
            told = f"{name} by {split.now.by}, with intervals{dashed}"
            spoken = f"{told}: {_spoken(shown_, says)}"
            plots.append(Plot(f"{told}.", spoken, _drawn(forest, shown_, now, says, now.value)))
    return Section(now.figure, now.title, tuple(sentences), tuple(tables), tuple(plots))


def source(story: Story) -> Source:
    """Return where the numbers of a figure come from, with everything that was asked of it."""
    now = story.now
    asked = [("This period", _asked(now)), *(("Before", _asked(answer)) for answer in reversed(story.past))]
    for split in story.splits:
        asked.append((f"By {split.now.by}", _asked(split.now)))
        asked += [(f"By {split.now.by}, before", _asked(split.before))] if split.before else []
    return Source(now.figure, now.title, now.query.file, now.query.sha256, story.sql, tuple(asked), now.data.version,
                  (now.data.begin, now.data.to), story.experiment)  # fmt: skip


def reading(answer: Answer) -> Reading:
    """Return what alerts look at of an answer."""
    return Reading(answer.value, answer.interval, answer.n)


def subject(story: Story, target: Target | None) -> Subject:
    """Return what an alert of a figure is about."""
    return Subject(story.now.figure, story.now.title, story.now.unit, story.currency, target)


def cause(story: Story) -> Causes | None:
    """Return what the change of a figure comes from, by the dimension of which one value explains the most."""
    before = story.before
    if before is None or before.value is None or story.now.value is None:
        return None
    change, found = story.now.value - before.value, list[Causes]()
    for split in story.splits:
        if split.before is None or split.now.by is None:
            continue
        told = causes(split.now.by, _parts(split.before), _parts(split.now), change)
        if not isinstance(told, NotEnoughData):
            found.append(told)
    most = [abs(one.contributions[0].total) - abs(one.rest) for one in found]
    return found[most.index(max(most))] if found else None


def _parts(answer: Answer) -> list[Part]:
    weights = [row["n"] if row.get("weight") is None else row["weight"] for row in answer.rows]
    return [Part(str(row["key"]), row["value"], float(weight or 0)) for row, weight in zip(answer.rows, weights)]


def _value(story: Story) -> Text:
    now, before = story.now, story.before
    told: list[str | Number] = [f"{now.title} is ", _number(story, now.value, now.interval)]
    if before is not None and before.value is not None:
        told += [", from ", _number(story, before.value, before.interval), f" {_long(story.span)} before"]
    elif before is not None:
        told.append(f"; {_long(story.span)} before it was not known")
    return (*told, ".")


def _change(story: Story) -> list[Text]:
    """Return what can be said of the change: for sure, or that chance does as much."""
    now, before = story.now, story.before
    if before is None or before.value is None or now.interval is None or before.interval is None:
        return []
    moved = state_of(reading(now), reading(before), None, "")
    if not moved:
        return [("Chance alone does as much as that: the two intervals overlap.",)] if now.value != before.value else []
    up = moved == "moved up"
    good = "for the better" if up == (now.direction == "up") else "for the worse"
    front = f"It surely {'rose' if up else 'fell'}, {good}: the two intervals do not touch"
    return [cited(f"{front}{named(cause(story), now.unit, story.currency)}.", now.figure)]


def _beside(now: Answer, one: Any, currency: str) -> Text:
    said = with_interval(one.value, one.interval, beside_unit(now.figure, one.name, now.unit), currency)
    return (f"{_upper(one.name)}: ", Number(said, now.figure), f", {_lower(one.meaning)}." if one.meaning else ".")


def _target(story: Story, target: Target) -> Text:
    now, about = story.now, "The target"
    value, interval = now.value, now.interval
    if target.by is not None:
        about = f"The target for {target.by[0]} {target.by[1]}"
        row = next((row for split in story.splits if split.now.by == target.by[0] for row in split.now.rows
                    if str(row["key"]) == target.by[1]), None)  # fmt: skip
        value, interval = (row["value"], _ends(row)) if row else (None, None)
    found = status(value, interval, target)
    whole = "" if interval is None else ", with its whole interval"
    unclear = "it is unclear" if value is None else "it is unclear, since its interval reaches over the edge"
    is_ = unclear if found == "unclear" else f"it is {found}{whole}"
    number = () if target.by is None else (" It is ", _number(story, value, interval), ".")
    range_ = range_in(target, now.unit, story.currency)
    return (f"{about} is {range_}: {is_} (owner {target.owner}; {target.reason}).", *number)


def _drawn(
    plot: Callable[..., Drawing], points: Sequence[Point], now: Answer, says: Callable[[float], str],
    *bounds: float | None,
) -> Drawing:  # fmt: skip
    """Return a plot; of days that are hours or seconds, in that unit, so that the ticks are round in it."""
    if now.unit != DAYS:
        return plot(points, says, *bounds)
    ends = [end for point in points for end in (point.value, *(point.interval or ())) if end is not None]
    factor, _ = days_in(max(map(abs, [*ends, *(bound for bound in bounds if bound is not None)])))

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * factor

    larger = [
        Point(one.label, scaled(one.value), one.interval and (scaled(one.interval[0]), scaled(one.interval[1])))
        for one in points
    ]
    return plot(larger, lambda value: says(value / factor), *map(scaled, bounds))


def _short(now: Answer) -> str:
    """Return the unit that plots and tables write at each value: there is room for percents and spans alone."""
    return now.unit if now.unit in (*SHARES, DAYS) else ""


def _named(now: Answer) -> str:
    """Return what stands above values without their unit."""
    return now.title if _short(now) or now.unit in NO_UNITS else f"{now.title} in {now.unit}"


def _table(split: Split) -> Table:
    now, rows, unit = split.now, _first(split.now.rows), _short(split.now)
    was = {str(row["key"]): row for row in split.before.rows} if split.before else {}
    columns = [Column(_upper(now.by or "")), Column(now.title, True), Column("between", True), Column("n", True)]
    columns += [Column("before", True)] * bool(was)
    made = []
    for row in rows:
        old, key = was.get(str(row["key"])), str(row["key"])
        ends = between(_ends(row), unit)
        cells: list[Text] = [
            (key or "(none)",), (Number(shown(row["value"], unit), now.figure),),
            (Number(ends, now.figure),) if ends else ("",), (Number(f"{row['n']:,}", now.figure),),
        ]  # fmt: skip
        if was:
            cells.append((Number(shown(old["value"], unit), now.figure),) if old else ("",))
        made.append(tuple(cells))
    left = len(now.rows) - len(rows)
    more = f" (and {left} more, which are smaller)" if left else ""
    return Table(f"{_named(now)} by {now.by}{more}", tuple(columns), tuple(made))


def _first(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that count the most."""
    return sorted(rows, key=lambda row: (-(row["n"] or 0), str(row["key"])))[:MOST_ROWS]


def _number(story: Story, value: float | None, interval: Between | None) -> Number:
    return Number(with_interval(value, interval, story.now.unit, story.currency), story.now.figure)


def _point(label: str, answer: Answer) -> Point:
    return Point(label, answer.value, answer.interval)


def _ends(row: dict[str, Any]) -> Between | None:
    found = row.get("interval")
    return None if found is None else (found[0], found[1])


def _spoken(points: Sequence[Point], says: Any) -> str:
    return "; ".join(f"{point.label} {says(point.value)}" for point in points)


def _asked(answer: Answer) -> str:
    by = f" by {answer.by}" if answer.by else ""
    return f"since {answer.since or 'the beginning'}, as of {answer.as_of}{by}"


def _day(instant: str) -> str:
    day = to_datetime(parse_instant(instant))
    return f"{day.day} {day:%b}"


def _long(span: int) -> str:
    """Return a span in words.

    >>> _long(28 * 86_400_000_000), _long(86_400_000_000)
    ('28 days', '1 day')
    """
    told = format_span(span) if span else "time"
    if told.endswith("d"):
        return "1 day" if told == "1d" else f"{told[:-1]} days"
    return told


def _sentence(text: str) -> str:
    return _upper(text).rstrip(".") + "."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
