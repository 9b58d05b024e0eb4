"""One look at an experiment: what each arm does to its metric and guardrails, whether it harms, whether it drifts.

Looks are kept one after the other: what a sequential test found once stays found (`best_p` is the smallest p so far on
the side that is wanted), and a test that is read once is read at the first look that has its customers, of whom those
count for whom the `within` of the metric is over. An arm that was stopped stays as the last look before that saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, isnan, sqrt

import msgspec

from opportune.catalog.lab_types import Change, Experiment, Metric
from opportune.lab.counting import Counted, Part
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, Interval, NotEnoughData, Reading
from opportune.measure.equivalence import verdict
from opportune.measure.reading import Fixed, Sequential
from opportune.measure.sample_ratio import SampleRatio, sample_ratio

Compare = Callable[[Metric, str, Part, Reading], Effect | NotEnoughData]
"""Gives the effect of an arm on a metric, of a part of the customers."""

DRIFTS = 4.0
"""Standard errors by which the last half of the customers must differ from the first for an experiment to be paused."""


class Finding(msgspec.Struct, frozen=True):
    """What an arm does to a metric, as of one look.

    `effect` is None where there is no number (`reason`, `more`): too few customers, or a test that is read once is not
    at its end. `verdict` is of this look; `best_p` the smallest p so far on the side that is wanted, `found` whether
    any look said better. `harm`: surely worse by more than the experiment's `harm`. `worst` is how much worse it may
    be, as a share. `drift` is by how many standard errors the last half of the customers lies on the better (above 0)
    or worse side of the first half, `last` the log ratio of the last half, above 0 where it is better.
    """

    metric: str
    arm: str
    guardrail: bool
    good: Change
    effect: Effect | None
    verdict: str
    best_p: float = 1.0
    found: bool = False
    harm: bool = False
    worst: float | None = None
    drift: float | None = None
    last: float | None = None
    reason: str = ""
    more: int | None = None


class Look(msgspec.Struct, frozen=True):
    """An experiment at an instant: customers by arm, how many met two (left out), the sample ratio, and findings.

    `since` is the first exposure; None where there is none. `plan` is the hash of how it was read (`book.plan_hash`).
    """

    experiment: str
    started: int
    at: int
    customers: dict[str, int]
    crossed: int
    ratio: SampleRatio
    findings: tuple[Finding, ...]
    since: int | None = None
    plan: str = ""

    def of(self, metric: str, arm: str) -> Finding | None:
        """Return the finding about a metric and an arm; None if there is none."""
        return next((f for f in self.findings if (f.metric, f.arm) == (metric, arm)), None)

    def harmed(self) -> dict[str, str]:
        """Return the arms that do harm, and to which metric."""
        return {f.arm: f.metric for f in self.findings if f.harm}

    def drifted(self, metric: str, stopped: Sequence[str] = ()) -> str:
        """Return an arm, none of those `stopped`, whose effect on the metric is surely not what it was at first; "" if
        there is none."""
        mine = (f for f in self.findings if f.metric == metric and f.arm not in stopped)
        return next((f.arm for f in mine if f.drift is not None and abs(f.drift) > DRIFTS), "")


def look_at(
    experiment: Experiment, metrics: Mapping[str, Metric], counted: Counted, smallest: float,
    started: int, at: int, before: Look | None = None, stopped: Sequence[str] = (), plan: str = "",
) -> Look:  # fmt: skip
    """Return the look at an experiment's customers. Pure.

    `metrics` are those of the catalog by name, `smallest` is the relative effect that would matter, `before` the look
    before this one of the same run and `plan`, and `stopped` the arms that were stopped: nobody comes into them any
    more, so the sample ratio is that of the others, and what they did is no longer seen.
    """

    def effect(metric: Metric, arm: str, part: Part, reading: Reading) -> Effect | NotEnoughData:
        control = counted.sums(metric.name, experiment.arms[0].name, part)
        return compare(metric.kind, control, counted.sums(metric.name, arm, part), reading)

    customers = {arm.name: 0 for arm in experiment.arms} | counted.customers()
    open_ = {arm.name: arm.weight for arm in experiment.arms if arm.name not in stopped}
    ratio = SampleRatio(1.0, False)
    if len(open_) > 1 and any(customers[arm] for arm in open_):
        ratio = sample_ratio({arm: customers[arm] for arm in open_}, open_)
    found = list[Finding]()
    for arm in experiment.arms[1:]:
        for name in measured_by(experiment):
            known, metric = before.of(name, arm.name) if before else None, metrics[name]
            if arm.name in stopped:
                found.append(known or _unseen(experiment, metric, arm.name))
            else:
                part: Part = "over" if experiment.inference == "fixed" else "all"
                units = counted.units(name, (experiment.arms[0].name, arm.name), part)
                found.append(finding(experiment, metric, arm.name, units, effect, smallest, known))
    return Look(experiment.name, started, at, customers, counted.crossed, ratio, tuple(found), counted.since, plan)


def measured_by(experiment: Experiment) -> tuple[str, ...]:
    """Return the metric of an experiment and its guardrails, by name."""
    return tuple(dict.fromkeys((experiment.metric, *experiment.guardrails)))


def reading_of(experiment: Experiment, arm: str) -> Reading:
    """Return how the comparison of an arm with control is read: its part of alpha, and of the customers planned."""
    alpha = experiment.alpha / (len(experiment.arms) - 1)
    return Fixed(alpha) if experiment.inference == "fixed" else Sequential(alpha, planned_for(experiment, arm))


def planned_for(experiment: Experiment, arm: str) -> float | None:
    """Return how many customers of control and an arm together are planned; None where nothing is."""
    if experiment.planned is None:
        return None
    weights = {one.name: one.weight for one in experiment.arms}
    return experiment.planned * (weights[experiment.arms[0].name] + weights[arm]) / sum(weights.values())


def unread(experiment: Experiment, arm: str, units: int) -> NotEnoughData | None:
    """Return why a test that is read once is not read yet, with so many customers of control and an arm for whom the
    `within` of a metric is over; None if it may be read."""
    planned = planned_for(experiment, arm)
    if experiment.inference != "fixed" or (planned is not None and units >= planned):
        return None
    if planned is None:
        return NotEnoughData("it is read once, at its end, and nothing is planned")
    why = "it is read at its end, when the `within` of its customers is over"
    return NotEnoughData(why, int(planned - units + 0.999))


def finding(
    experiment: Experiment, metric: Metric, arm: str, units: int, effect: Compare, smallest: float,
    before: Finding | None = None,
) -> Finding:  # fmt: skip
    """Return what an arm does to a metric.

    `units` are the customers of control and the arm; of a test that is read once those whose `within` is over.
    """
    effect = _finite(effect)
    guardrail, planned = metric.name != experiment.metric, planned_for(experiment, arm)
    reading = reading_of(experiment, arm)
    safe: Reading = Sequential(reading.alpha, planned)  # harm is looked for at any time, however the rest is read
    watched = effect(metric, arm, "all", safe)
    harm, worst = (False, None) if isinstance(watched, NotEnoughData) else _harm(watched, metric.good, experiment.harm)
    drift, last = _drift(effect, metric, arm)
    told = Finding(metric.name, arm, guardrail, metric.good, None, "undecided", harm=harm, worst=worst,
                   drift=drift, last=last)  # fmt: skip
    if experiment.inference == "fixed":
        if before is not None and before.effect is not None and not guardrail:
            return msgspec.structs.replace(before, harm=harm, worst=worst, drift=drift, last=last)
        if (why := unread(experiment, arm, units)) is not None:
            return msgspec.structs.replace(told, reason=why.reason, more=why.more)
    found = watched if reading == safe else effect(metric, arm, "over", reading)
    if isinstance(found, NotEnoughData):
        best, ever = (before.best_p, before.found) if before else (1.0, False)
        return msgspec.structs.replace(told, reason=found.reason, more=found.more, best_p=best, found=ever)
    said = verdict(found, smallest, metric.good)
    wanted = (found.difference > 0) == (metric.good == "up")
    best = min(before.best_p if before else 1.0, found.p if wanted else 1.0)
    ever = said == "better" or (before is not None and before.found)
    return msgspec.structs.replace(told, effect=found, verdict=said, best_p=best, found=ever)


def _unseen(experiment: Experiment, metric: Metric, arm: str) -> Finding:
    guardrail, why = metric.name != experiment.metric, "it was stopped before anybody looked at it"
    return Finding(metric.name, arm, guardrail, metric.good, None, "undecided", reason=why)


def _finite(effect: Compare) -> Compare:
    """Return what says "not enough data" where figures are too large to be numbers, so that they clear nothing."""

    def compared(metric: Metric, arm: str, part: Part, reading: Reading) -> Effect | NotEnoughData:
        try:
            found = effect(metric, arm, part, reading)
        except ArithmeticError:
            return _TOO_LARGE
        return found if isinstance(found, NotEnoughData) or _is_finite(found) else _TOO_LARGE

    return compared


_TOO_LARGE = NotEnoughData("values are too large for its figures to be numbers; cap them with `winsorize`")


def _is_finite(effect: Effect) -> bool:
    ends = (*effect.interval, *(effect.relative_interval or ()))
    figures = (effect.control, effect.value, effect.difference, effect.relative, effect.p, effect.error,
               effect.log_ratio, effect.log_error)  # fmt: skip
    return not any(map(isnan, ends)) and all(isfinite(figure) for figure in figures if figure is not None)


def _harm(effect: Effect, good: Change, ceiling: float) -> tuple[bool, float | None]:
    """Return whether an effect is surely worse by more than a ceiling, and how much worse it may be, as a share."""
    if effect.relative_interval is None:
        # what control hardly ever has can only be more of what nobody wants: no share says how much
        return good == "down" and effect.interval.low > 0, None
    low, high = effect.relative_interval
    return (high < -ceiling, max(0.0, -low)) if good == "up" else (low > ceiling, max(0.0, high))


def _drift(effect: Compare, metric: Metric, arm: str) -> tuple[float | None, float | None]:
    first, last = (effect(metric, arm, part, Fixed()) for part in ("first", "last"))
    sign = 1 if metric.good == "up" else -1
    if isinstance(first, NotEnoughData) or isinstance(last, NotEnoughData):
        return None, None
    if first.log_ratio is None or last.log_ratio is None or not first.log_error or not last.log_error:
        return None, None
    away = (last.log_ratio - first.log_ratio) / sqrt(first.log_error**2 + last.log_error**2)
    return sign * away, sign * last.log_ratio


BOUNDLESS = 100.0
"""A relative effect beyond which the end of an interval bounds nothing, and is told in words."""


def shown(finding: Finding) -> str:
    """Return a finding for people.

    >>> shown(Finding("orders", "bold", False, "up", None, "undecided", reason="too few", more=900))
    'orders, bold: undecided: too few (900 more customers)'
    """
    more = f" ({finding.more:,} more customers)" if finding.more else ""
    told = f"{finding.metric}, {finding.arm}: {finding.verdict}"
    if finding.effect is None:
        return f"{told}: {finding.reason}{more}"
    effect = finding.effect
    if effect.relative is None or effect.relative_interval is None:
        size = f"{effect.difference:+.4g} {_between(effect.interval, 1.0)}"
    else:
        size = f"{100 * effect.relative:+.1f} % {_between(effect.relative_interval, 100.0)}"
    harm = ", harm" if finding.harm else ""
    return f"{told}{harm}: {size}, p {effect.p:.3g}, {effect.control:.4g} -> {effect.value:.4g}"


def _between(interval: Interval, times: float) -> str:
    low, high = (f"{times * end:+.3g}" if abs(end) < inf else str(end) for end in interval)
    if times > 1 and interval.high > BOUNDLESS:
        high = "no bound yet"
        low = "no bound yet" if interval.low < -0.999 else low
    return f"[{low}, {high}]"
