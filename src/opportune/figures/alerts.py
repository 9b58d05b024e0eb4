"""What people are told of a figure by itself: that it left its range, that it moved, that its target is due. Pure.

Nothing is told of noise: a figure is out of its range only if its whole interval is, and has moved only if its interval
and that of the period before do not touch. Nothing is told twice: a figure has a `state`, an alert comes with a change
of it, and what is not sure leaves it as it was.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from opportune.catalog.report_types import Target
from opportune.figures.answer import Between
from opportune.figures.causes import Causes
from opportune.figures.ranges import reach, side
from opportune.figures.words import difference, range_in, with_interval

State = Literal["", "below", "above", "moved up", "moved down"]
"""What is the matter with a figure; "": nothing."""

EXACT = ("budget",)
"""Figures that are counted, with no chance in them."""

CAUSES = 3
"""Parts of a change that an alert names, at most."""


class Reading(msgspec.Struct, frozen=True):
    """A figure over one period: its value, between what it lies, and over how many it was counted."""

    value: float | None
    interval: Between | None
    n: int = 0


class Known(msgspec.Struct, frozen=True):
    """What is remembered of a figure between two looks: its state, and the review that its owner was reminded of."""

    state: State = ""
    reminded: int | None = None


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """What somebody is told of a figure: what is the matter, and in one sentence what it is and what it comes from.

    `about` is the figure and the part of it, such as `roi by campaign=spring`. `owner` is "" where nobody answers for
    it. `at` and `review` are instants in microseconds; `version` is that of the data.
    """

    at: int
    about: str
    kind: Literal["range", "moved", "review"]
    state: str
    owner: str
    sentence: str
    version: str = ""


class Subject(msgspec.Struct, frozen=True):
    """What alerts are about: a figure by name and title, its unit, and the target that it has, if any."""

    figure: str
    title: str
    unit: str = ""
    currency: str = ""
    target: Target | None = None

    @property
    def about(self) -> str:
        """The figure and the part of it."""
        return self.target.key if self.target else self.figure


def state_of(now: Reading, before: Reading | None, target: Target | None, known: State) -> State:
    """Return the state of a figure, given the one that it was in: it leaves that only when it surely does.

    Out of its range counts before moved. A figure is back in its range when its value is, which is half of the way that
    an alert takes, so that one near the edge does not come and go.
    """
    found = reach(now.value, now.interval)
    if found is None or now.value is None:
        return known
    if target is not None:
        out = side(found, target)
        if out:
            return out
        if known in ("below", "above") and side((now.value, now.value), target):
            return known
    moved = _moved(now, before)
    if moved:
        return moved
    if known in ("moved up", "moved down") and before is not None and not _near(now.value, before):
        return known
    return ""


def _moved(now: Reading, before: Reading | None) -> State:
    """Return how a figure surely moved. What has no interval is never said to have moved: who knows how noisy it is."""
    if before is None or now.interval is None or before.interval is None:
        return ""
    is_, was = reach(now.value, now.interval), reach(before.value, before.interval)
    if is_ is None or was is None:
        return ""
    if is_[0] > was[1]:
        return "moved up"
    return "moved down" if is_[1] < was[0] else ""


def _near(value: float, before: Reading) -> bool:
    was = reach(before.value, before.interval)
    return was is None or was[0] <= value <= was[1]


def alerts_of(
    subject: Subject, now: Reading, before: Reading | None, cause: Causes | None, known: Known, at: int, version: str
) -> tuple[tuple[Alert, ...], Known]:
    """Return what is new of a figure, and what is to be remembered for the next look."""
    target, told = subject.target, list[Alert]()
    state = state_of(now, before, target, known.state)
    owner = target.owner if target else ""
    if state and state != known.state:
        kind: Literal["range", "moved"] = "range" if state in ("below", "above") else "moved"
        sure = bool(_moved(now, before)) or subject.figure in EXACT
        said = _sentence(subject, now, before, state, cause if sure else None)
        told.append(Alert(at, subject.about, kind, state, owner, said, version))
    reminded = known.reminded
    if target is not None and target.review is not None and target.review <= at and reminded != target.review:
        range_ = range_in(target, subject.unit, subject.currency)
        said = (f"The target of {subject.about} ({range_}, because: {target.reason}) is due for its review: keep it "
                "with a new `review`, or change it with a new `reason`.")  # fmt: skip
        told.append(Alert(at, subject.about, "review", "review", owner, said, version))
        reminded = target.review
    return tuple(told), Known(state, reminded)


def _sentence(subject: Subject, now: Reading, before: Reading | None, state: State, cause: Causes | None) -> str:
    name = subject.title if subject.target is None or subject.target.by is None else (
        f"{subject.title} ({subject.target.by[0]} {subject.target.by[1]})")  # fmt: skip
    is_ = with_interval(now.value, now.interval, subject.unit, subject.currency)
    was = ""
    if before is not None and before.value is not None:
        was = f", from {with_interval(before.value, before.interval, subject.unit, subject.currency)} a period before"
    if state in ("below", "above") and subject.target is not None:
        range_ = range_in(subject.target, subject.unit, subject.currency)
        front = f"{name} is {is_}, surely {state} its range ({range_}){was}"
    else:
        front = f"{name} {state} to {is_}{was}"
    return f"{front}{named(cause, subject.unit, subject.currency)}."


def named(cause: Causes | None, unit: str = "", currency: str = "") -> str:
    """Return the likely cause as the end of a sentence: the parts that pull the way of the change, largest first."""
    if cause is None or not cause.change or len(cause.contributions) < 2:
        return ""
    way = 1 if cause.change > 0 else -1
    pulling = [one for one in cause.contributions if one.total * way > 0][:CAUSES]
    if not pulling or abs(float(pulling[0].total)) <= abs(float(cause.rest)):
        return ""
    parts = []
    for one in pulling:
        total, rate, mix = (difference(float(part), unit, currency) for part in (one.total, one.rate, one.mix))
        both = f"{rate} by its own value and {mix} by its share of the whole"
        if not one.rate or not one.mix:
            both = "by its own value" if one.rate else "by its share of the whole"
        parts.append(f"{one.key} {total} ({both})")
    whole = difference(float(cause.change), unit, currency)
    return f"; of the change of {whole} the likely cause by {cause.dimension}: {', '.join(parts)}"

