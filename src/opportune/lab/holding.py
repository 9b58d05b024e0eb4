"""What customers who are held out show: the effect of all that we do, and whether the sum of wins agrees with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from opportune.catalog.lab_types import Holdout, Metric
from opportune.decide.holdouts import standing
from opportune.lab.counting import Counted
from opportune.lab.register import Told
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.pooling import Estimate
from opportune.measure.reading import Sequential
from opportune.measure.shrinkage import Reconciled, reconciled, shrunk

HELD, REST = "held", "rest"
"""The arms of a holdout: who is in it, and everybody else but those who have just left."""

LEAST_WINS = 1
"""Wins without which there is no sum."""


class Whole(msgspec.Struct, frozen=True):
    """The effect on a metric of what a holdout is kept from: all others against those in it, each since the first
    decision about them, of which `since` is the first.

    It may be looked at as often as one likes.
    """

    holdout: str
    metric: str
    since: int
    held: int
    rest: int
    effect: Effect | NotEnoughData


def groups(holdouts: Sequence[Holdout], customers: Mapping[str, str], at: int) -> dict[str, dict[str, str]]:
    """Return, by holdout, which group each customer (subject -> id) is in; whoever has just left is in `washout`."""
    words = {"in": HELD, "washout": "washout", "out": REST}
    return {
        one.name: {subject: words[standing(one, customer, at)] for subject, customer in customers.items()}
        for one in holdouts
    }


def since(holdout: Holdout, at: int, before: int) -> int:
    """Return from when on a holdout is looked at: the beginning of its period, or a span `before` where it has none."""
    return at - before if holdout.rotate is None else at // holdout.rotate * holdout.rotate


def undecided(holdout: Holdout, metric: Metric, began: int) -> Whole:
    """Return that nothing can be told since an instant, as no decision was made."""
    why = f"no decision was made with {holdout.name} in the catalog, so nobody was kept from anything"
    return Whole(holdout.name, metric.name, began, 0, 0, NotEnoughData(why))


def whole(holdout: Holdout, metric: Metric, counted: Counted) -> Whole:
    """Return the effect of what a holdout is kept from, on one metric. Raises `ValueError` where nobody was counted."""
    if counted.since is None:
        raise ValueError("nobody was counted")
    many = counted.customers()
    effect = compare(metric.kind, counted.sums(metric.name, HELD), counted.sums(metric.name, REST), Sequential(0.05))
    return Whole(holdout.name, metric.name, counted.since, many.get(HELD, 0), many.get(REST, 0), effect)


def sum_of_wins(metric: str, runs: Sequence[Told], shown: Whole) -> Reconciled | NotEnoughData:
    """Return the sum of what was rolled out, without its luck, beside what the universal control group shows.

    Log ratios: wins multiply. Every test on the metric says how much luck there is; those that were rolled out since
    the group is looked at count, for all customers.
    """
    estimates, won = list[Estimate](), set[str]()
    for run, look in runs:
        for arm in run.arms[1:]:
            finding = look.of(metric, arm) if look and run.metric == metric and run.over else None
            effect = finding.effect if finding else None
            if effect is None or effect.log_ratio is None or not effect.log_error:
                continue
            name = f"{run.experiment}, {arm}"
            estimates.append(Estimate(effect.log_ratio, effect.log_error, name, run.started))
            if run.outcome == "rolled out" and run.arm == arm:
                won.add(name)
    whole = shown.effect
    if isinstance(whole, NotEnoughData):
        return whole
    if whole.log_ratio is None or not whole.log_error:
        return NotEnoughData("the control group hardly has any, so no ratio can be told")
    if len(won) < LEAST_WINS:
        return NotEnoughData("nothing that a test on this metric found is rolled out")
    found = shrunk(estimates)
    if isinstance(found, NotEnoughData):
        return found
    return reconciled([one for one in found if one.name in won], whole.log_ratio, whole.log_error)
