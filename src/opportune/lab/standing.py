"""Where a hypothesis stands, after the flows that carried it so far.

    open          no flow has been read
    supported     the mean effect over flows is surely in the direction that is wanted
    refuted       it is surely smaller than what would matter
    none          it is surely smaller than what would matter, in both directions: no effect, which differs from no data
    depends       flows truly differ, and in some the effect goes the other way
    inconclusive  none of these yet

"Surely" takes two things at once: evidence of 20 to 1 that may be looked at after every flow (`measure.evidence`), and
an interval of the mean (`measure.pooling`). So at most one in twenty hypotheses without an effect is ever called
supported, however often one looks and however far flows differ. That flows differ is seen by Cochran's test, 5 % at
each look: of twelve looks at flows that are alike, one in seven or so says "depends" at some time, and one in twenty at
the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, expm1, log, log1p, sqrt
from typing import Literal, cast

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.catalog.lab_types import Change, Hypothesis
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.evidence import least_flows, log_evidence
from opportune.measure.pooling import (
    Estimate,
    FloatArray,
    Pooled,
    arrays,
    as_shares,
    half_width,
    pool,
    predicted,
    random_effects,
    reach,
)

Status = Literal["open", "supported", "refuted", "depends", "inconclusive", "none"]

ENOUGH = 20.0
"""Evidence that is enough: reached by chance, at any time, once in 20 at most."""

ALPHA = 0.05
"""How often the interval of the mean, and the look at whether flows differ, may be wrong."""


class Standing(msgspec.Struct, frozen=True):
    """Where a hypothesis stands. Effects are shares (.15 is 15 % more), in the metric's own direction.

    `interval` is that of the mean effect (95 %; of the one flow where there is but one), `next_flow` where the estimate
    of another flow of ordinary size will lie (90 %), `evidence` the odds for an effect in the direction that is wanted,
    `pooled` the figures behind them; None below two flows. `more` is about how many more flows of that size it takes to
    support what the hypothesis expects, where that is inconclusive.
    """

    status: Status
    sentence: str
    flows: int
    evidence: float = 1.0
    effect: float | None = None
    interval: Interval | None = None
    next_flow: Interval | None = None
    pooled: Pooled | None = None
    more: int | None = None


def standing(hypothesis: Hypothesis, estimates: Sequence[Estimate], good: Change = "up") -> Standing:
    """Return where a hypothesis stands, given the estimates of its flows in order of time.

    `good` is the direction of its metric that is wanted. Raise `ValueError` where the hypothesis expects, and would
    mind, no effect at all.

    >>> belief = Hypothesis("early", "An early reminder brings more orders", "", "orders", expected=.15, smallest=.05)
    >>> standing(belief, []).sentence
    'open: no flow has been read'
    >>> seen = standing(belief, [Estimate(x / 100, .05) for x in (14, 9, 19, 16, 12, 15)])
    >>> [part.strip() for part in seen.sentence.split(";")]  # doctest: +NORMALIZE_WHITESPACE
    ['supported: +15.2 % [+11.1, +19.4] on average over 6 flows, evidence 64 to 1',
     'the next flow shows +5.6 to +25.7 % in 9 cases of 10']
    """
    flows = len(estimates)
    if not flows:
        return Standing("open", "open: no flow has been read", 0)
    values, variances = arrays(estimates)
    values = values if good == "up" else -values
    expected, smallest = sizes(hypothesis)
    evidence = exp(min(float(log_evidence(values, variances, expected)[-1]), 700.0))
    pooled = pool(estimates, ALPHA)
    if isinstance(pooled, NotEnoughData):
        return _one(estimates[0], evidence, _more(1, estimates[0].error**2, expected))
    status = cast(Status, str(verdicts(values, variances, expected, smallest)))
    more = _more(flows, pooled.typical**2 + pooled.tau2, expected) if status == "inconclusive" else None
    return Standing(
        status=status,
        sentence=_sentence(status, pooled, evidence, smallest, good, more),
        flows=flows,
        evidence=evidence,
        effect=pooled.relative,
        interval=pooled.relative_interval,
        next_flow=as_shares(predicted(pooled)),
        pooled=pooled,
        more=more,
    )


def sizes(hypothesis: Hypothesis) -> tuple[float, float]:
    """Return the sizes, as log ratios above 0, of the effect that is expected and of the smallest that would matter."""
    expected, smallest = abs(log1p(hypothesis.expected)), log1p(abs(hypothesis.smallest))
    return expected or smallest, smallest


def verdicts(values: FloatArray, variances: FloatArray, expected: float, smallest: float) -> npt.NDArray[np.str_]:
    """Return the status of each row of at least two flows, of shape (...).

    `values` are log ratios of shape (..., flows), positive where the effect is wanted, `variances` the squares of their
    errors; `expected` and `smallest` are log ratios above 0.
    """
    flows, fit = values.shape[-1], random_effects(values, variances)
    half, wide = half_width(fit, flows, ALPHA), reach(flows, fit.error, fit.tau2, 0.0, 0.1)

    def sure(values: FloatArray, size: float, above: float) -> npt.NDArray[np.bool_]:
        return log_evidence(values, variances, size, above)[..., -1] >= log(ENOUGH)

    helps = sure(values, expected, 0.0) & (fit.mean - half > 0)
    small = sure(-values, smallest or expected, -smallest) & (fit.mean + half < smallest)
    harmless = sure(values, smallest or expected, -smallest) & (fit.mean - half > -smallest)
    both_ways = (np.abs(fit.mean) < wide) & (np.abs(fit.mean) + wide > smallest)
    cases = {
        "depends": (fit.p < ALPHA) & both_ways,
        "none": small & harmless,
        "refuted": small,
        "supported": helps,
    }
    return np.select(list(cases.values()), list(cases), "inconclusive")


def _more(flows: int, variance: float, expected: float) -> int:
    """Return about how many more flows it takes: evidence grows by some log(1 + expected^2 / variance) / 2 a flow."""
    growth = log1p(expected * expected / variance) / 2
    return max(ceil(log(ENOUGH) / growth), least_flows(ENOUGH), flows + 1) - flows


def _one(estimate: Estimate, evidence: float, more: int) -> Standing:
    interval = as_shares(Interval(*(estimate.log_ratio + side * 1.96 * estimate.error for side in (-1, 1))))
    effect = expm1(estimate.log_ratio)
    flow = "in one flow, as if read once, which says nothing of others"
    told = f"{shown(effect, interval)} {flow}; about {more} more decide"
    return Standing("inconclusive", f"inconclusive: {told}", 1, evidence, effect, interval, more=more)


def _sentence(
    status: Status, pooled: Pooled, evidence: float, smallest: float, good: Change, more: int | None
) -> str:
    mean = f"{status}: {shown(pooled.relative, pooled.relative_interval)} on average over {pooled.flows} flows"
    matters = f"{100 * expm1(smallest):.3g} %"
    low, high = as_shares(predicted(pooled))
    coming = f"the next flow shows {100 * low:+.1f} to {100 * high:+.1f} % in 9 cases of 10"
    if status == "supported":
        return f"{mean}, evidence {evidence:.0f} to 1; {coming}"
    if status == "depends":
        spread = f"{100 * expm1(sqrt(pooled.tau2)):.0f} %"
        return f"{mean}, but flows differ (by {spread}) and in some it goes the other way; {coming}"
    if status == "none":
        return f"{mean}: surely less than the {matters} that would matter"
    if status == "refuted":
        harm = pooled.interval.high < 0 if good == "up" else pooled.interval.low > 0
        return f"{mean}: " + ("it does harm" if harm else f"it surely does not help by the {matters} that would matter")
    return f"{mean}; about {more} more flows of this size decide, if the effect is what is expected"


def shown(effect: float, interval: Interval) -> str:
    """Return an effect for people.

    >>> shown(.152, Interval(.115, .191))
    '+15.2 % [+11.5, +19.1]'
    """
    return f"{100 * effect:+.1f} % [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"
