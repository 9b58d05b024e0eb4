"""What a treatment of some regions did: synthetic control, judged by placebos over time and regions.

The effect is what came in the treated regions less what a mix of the others says (`measure.synthetic`). Its interval
is conformal (Chernozhukov, Wuthrich and Zhu 2021): an effect is in it unless the residuals of the treated periods, once
it is taken away and the mix fitted to all periods, are more unusual than those of the same number of periods anywhere
else, moved around in a circle. Where regions drift, the last periods are unusual without any treatment: so the same is
done to groups of other regions, and the level is lowered until no more of them are called an effect than should be.
Beside it stand the plain placebos: effects on regions that were not treated, and at times before the treatment.
"""

from __future__ import annotations

from itertools import combinations
from math import ceil, comb

import msgspec
import numpy as np

from opportune.measure.conformal import conformal, unusual
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.synthetic import counterfactual, weighted

FEWEST_PERIODS, FEWEST_OTHERS = 12, 3

PLACEBOS = 200
"""Groups of other regions, at most, that are taken for treated."""

WINDOWS = 24
"""Stretches of the past, at most, that the smallest detectable lift comes from."""

DRIFTS = 0.5
"""The share of what the others leave unexplained before the treatment that may be a straight line in time."""


CLOSE = 0.9
"""The share of the variance of periods left out from which on a drift in the rest makes no difference."""


class Placebo(msgspec.Struct, frozen=True):
    """What was seen where nothing was done: an interval of the effect (None where there are too few placebos for the
    level), the share of placebos, and the effect itself, that are as far off, and how many there are."""

    interval: Interval | None
    p: float
    count: int


class Fit(msgspec.Struct, frozen=True):
    """How well others foretell the treated where nothing was done: the share of the variance that they explain in the
    periods fitted and in periods left out, the typical error as a share of the level, and the share of what is left
    that is a straight line in time."""

    explained: float
    foretold: float
    error: float
    drift: float


class GeoEffect(msgspec.Struct, frozen=True):
    """What the treatment did, per period and region in the unit of the metric, and as a share of what would have been.

    `lift` and its interval are None where nothing would have been. `interval` and `p` are conformal; ends are infinite
    where the level asks for more periods than there are. `weights` are those of the other regions, `expected` what
    would have been in each period, `observed` what was.
    """

    effect: float
    interval: Interval
    p: float
    lift: float | None
    lift_interval: Interval | None
    regions: Placebo
    time: Placebo
    fit: Fit
    weights: tuple[float, ...]
    intercept: float
    expected: tuple[float, ...]
    observed: tuple[float, ...]


def geo(
    treated: FloatArray, others: FloatArray, known: int, level: float = 0.9, intercept: bool = True, seed: int = 7
) -> GeoEffect | NotEnoughData:
    """Return what was done to the `treated` regions from period `known` on (both: periods x regions).

    `NotEnoughData` below `FEWEST_PERIODS` periods before, or fewer of them than after, below `FEWEST_OTHERS` others, or
    where the others do not foretell the treated (`refused`). `seed` draws placebo groups where there are many.
    """
    few = _few(len(treated), known, others.shape[1])
    if few:
        return NotEnoughData(few)
    y = treated.mean(axis=1)
    expected = counterfactual(y, others, known, intercept)
    gaps = y - expected
    before = _time_placebos(y[:known], others[:known], len(y) - known, intercept)
    fit = _fit(y[:known], gaps[:known], before)
    bad = refused(fit)
    if bad:
        return NotEnoughData(bad)
    effect, alpha = float(gaps[known:].mean()), 1 - level
    error = float(np.sqrt(np.mean(gaps[:known] ** 2)))
    ratios, chances = _region_placebos(others, treated.shape[1], known, intercept, seed)
    interval = conformal(y, others, known, len(y), _lowered(alpha, chances), intercept)
    p = unusual(y, others, known, len(y), 0.0, intercept)
    level_of_none = float(expected[known:].mean())
    share = level_of_none if level_of_none > 0 else None
    weights, about = weighted(y[:known], others[:known], intercept)
    return GeoEffect(
        effect=effect,
        interval=interval,
        p=max(p, float(np.mean(chances <= p))) if len(chances) else p,
        lift=None if share is None else effect / share,
        lift_interval=None if share is None else Interval(interval.low / share, interval.high / share),
        regions=_placebo(effect, error, ratios, alpha),
        time=_placebo(effect, 1.0, before.mean(axis=1), alpha),
        fit=fit,
        weights=tuple(weights.tolist()),
        intercept=about,
        expected=tuple(expected.tolist()),
        observed=tuple(y.tolist()),
    )


def detectable(
    treated: FloatArray, others: FloatArray, length: int, level: float = 0.9, power: float = 0.8,
    intercept: bool = True, seed: int = 7,
) -> float | NotEnoughData:  # fmt: skip
    """Return the smallest lift that a test of that many periods would find, as a share, by a past without treatment.

    A lift is found where the interval lies above 0. Adding an effect moves the interval as far, so that of a stretch
    where nothing was done says which effects it would have shown: the answer is the one that is found in the share
    `power` of stretches. `NotEnoughData` as `geo` has it, or where no lift is found at this level.
    """
    few = _few(len(treated), len(treated) - length, others.shape[1])
    if few:
        return NotEnoughData(few)
    y = treated.mean(axis=1)
    n = len(y)
    before = _time_placebos(y, others, length, intercept)
    bad = refused(_fit(y, y - counterfactual(y, others, n, intercept), before))
    if bad:
        return NotEnoughData(bad)
    starts = sorted({int(at) for at in np.linspace(0, n - length, WINDOWS)})
    _, chances = _region_placebos(others, treated.shape[1], n - length, intercept, seed)
    alpha = _lowered(1 - level, chances)
    needed = [-conformal(y, others, at, at + length, alpha, intercept).low for at in starts]
    found = float(np.quantile(needed, power, method="higher"))
    if not np.isfinite(found) or y.mean() <= 0:
        what = f"over {length} of {n} periods no effect can be told from chance at {level:.0%}"
        return NotEnoughData(f"{what}: give more of the past, or a lower level")
    return max(found, 0.0) / float(y.mean())


def refused(fit: Fit) -> str:
    """Return why the effect is not told, "" where the others foretell the treated well enough."""
    if fit.drift > DRIFTS and fit.foretold < CLOSE:
        return (f"before the treatment the treated regions drift away from every mix of the others ({fit.drift:.0%} of "
                "what is left is a straight line): take others, or allow an `intercept`")  # fmt: skip
    if fit.foretold <= 0:
        return ("before the treatment the others foretell the treated regions no better than their own mean does: take "
                "others, longer periods, or more of the past")  # fmt: skip
    return ""


def _few(n: int, known: int, others: int) -> str:
    if others < FEWEST_OTHERS:
        return f"{others} other regions have a value in every period, it takes {FEWEST_OTHERS}"
    if known < FEWEST_PERIODS:
        return f"{known} periods before the treatment, it takes {FEWEST_PERIODS}"
    if known < n - known:
        return f"{known} periods before the treatment are fewer than the {n - known} of it: give more of the past"
    return ""


def _time_placebos(y: FloatArray, others: FloatArray, length: int, intercept: bool) -> FloatArray:
    """Return the gaps of each stretch of that many periods, counted back from the last, by weights of all others.

    Stretches do not overlap: neighbors that did would be counted as evidence twice.
    """
    length = min(length, len(y) // 2)
    found = []
    for start in range(len(y) % length, len(y) - length + 1, length):
        rest = np.delete(np.arange(len(y)), np.arange(start, start + length))
        weights, about = weighted(y[rest], others[rest], intercept)
        found.append((y - about - others @ weights)[start : start + length])
    return np.array(found)


def _lowered(alpha: float, chances: FloatArray) -> float:
    """Return the largest level, `alpha` at most, at which no more than `alpha` of the placebos are called an effect."""
    if not len(chances):
        return alpha
    each = np.unique(chances)
    too_many = each[np.array([np.mean(chances <= one) for one in each]) > alpha]
    return alpha if not len(too_many) or too_many[0] > alpha else float(too_many[0]) * (1 - 1e-9)


def _region_placebos(
    others: FloatArray, together: int, known: int, intercept: bool, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Return the effects on groups of untreated regions, each in units of its own error before, and their p."""
    count = others.shape[1]
    if count - together < FEWEST_OTHERS:
        return np.zeros(0), np.zeros(0)
    if comb(count, together) <= PLACEBOS:
        groups = list(combinations(range(count), together))
    else:
        draw = np.random.default_rng(seed)
        groups = [tuple(draw.choice(count, together, replace=False).tolist()) for _ in range(PLACEBOS)]
    found, chances = [], []
    for group in groups:
        y, rest = others[:, list(group)].mean(axis=1), np.delete(others, list(group), axis=1)
        gaps = y - counterfactual(y, rest, known, intercept)
        found.append(gaps[known:].mean() / max(np.sqrt(np.mean(gaps[:known] ** 2)), 1e-300))
        chances.append(unusual(y, rest, known, len(y), 0.0, intercept))
    return np.array(found), np.array(chances)


def _placebo(effect: float, unit: float, seen: FloatArray, alpha: float) -> Placebo:
    far = np.sort(np.abs(seen)) * unit
    rank = ceil((1 - alpha) * (len(far) + 1))
    interval = None
    if 0 < rank <= len(far):
        interval = Interval(effect - float(far[rank - 1]), effect + float(far[rank - 1]))
    return Placebo(interval, float((1 + (far >= abs(effect)).sum()) / (1 + len(far))), len(far))


def _fit(y: FloatArray, gaps: FloatArray, before: FloatArray) -> Fit:
    spread = float(y.var())
    if spread <= 1e-18 * max(1.0, float(y @ y)):
        return Fit(0.0, 0.0, 0.0, 0.0)
    t = np.arange(len(y)) - (len(y) - 1) / 2
    left = gaps - gaps.mean()
    line = float(t @ left) ** 2 / float(t @ t)
    error = float(np.sqrt(np.mean(before**2)))
    return Fit(
        explained=1 - float(np.mean(gaps**2)) / spread,
        foretold=1 - error**2 / spread,
        error=error / abs(float(y.mean())) if y.mean() else float("inf"),
        drift=line / max(float(left @ left), 1e-300),
    )
