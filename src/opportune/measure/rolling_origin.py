"""How methods of forecasting fared: each told of what was known at moments of the past, and judged by what came."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from opportune.measure.effect import Interval
from opportune.measure.pooling import FloatArray

ORIGINS = 24
"""Moments of the past, at most, that forecasts are made at."""

NAIVE = "seasonal naive"
"""The method that others are set beside."""

ENOUGH = 12
"""Errors of one period ahead from which on they count for themselves, beside those of all periods."""

Method = Callable[[FloatArray, int, int], tuple[FloatArray, FloatArray]]
"""Takes values without gaps, the periods of a season (1 for none) and how many periods to foretell; gives these and
their standard errors. Pure."""


class Past(msgspec.Struct):
    """What a method said at each origin of each period ahead, less what came, and its standard errors; NaN where that
    is not known."""

    errors: FloatArray
    spreads: FloatArray


def moments(n: int, season: int) -> list[int]:
    """Return how many values were known at each moment of the past that forecasts are made at."""
    first = min(max(n // 2, 2 * season if season > 1 else 0, 6), n - 3)
    return sorted({int(at) for at in np.linspace(first, n - 1, ORIGINS)})


def past_of(method: Method, y: FloatArray, whole: FloatArray, origins: list[int], season: int, ahead: int) -> Past:
    """Return how a method fared at each origin: judged by values `y`, told of those without gaps."""
    errors, spreads = (np.full((len(origins), ahead), np.nan) for _ in range(2))
    for k, known in enumerate(origins):
        count = min(ahead, len(y) - known)
        mean, spread = method(whole[:known], season, count)
        errors[k, :count], spreads[k, :count] = mean - y[known : known + count], spread
    return Past(errors, spreads)


def loss(errors: FloatArray) -> float:
    """Return the mean over periods ahead of the mean over origins."""
    return float(np.mean([one[np.isfinite(one)].mean() for one in errors.T if np.isfinite(one).any()]))


def skill_of(past: dict[str, Past], origins: list[int], ahead: int) -> tuple[float | None, Interval | None]:
    """Return the skill of choosing by what was known, and its interval (Diebold and Mariano 1995, Student's t).

    The differences of neighboring origins go together as their periods overlap: their covariances count, by Bartlett's
    weights, as far as that.
    """
    from scipy.stats import t

    ours, naive = [], []
    for k, known in enumerate(origins):
        told = {name: np.abs(one.errors) for name, one in past.items()}
        before = [(i, min(ahead, known - at)) for i, at in enumerate(origins[:k])]
        means = {name: np.nanmean(np.concatenate([e[i, :h] for i, h in before])) if before else np.nan
                 for name, e in told.items()}  # fmt: skip
        if not before or not all(map(np.isfinite, means.values())) or not np.isfinite(told[NAIVE][k]).any():
            continue
        name = min(means, key=lambda each: means[each])
        ours.append(float(np.nanmean(told[name][k])))
        naive.append(float(np.nanmean(told[NAIVE][k])))
    n, base = len(naive), float(np.mean(naive)) if naive else 0.0
    if n < 4 or base <= 0:
        return None, None
    apart = (np.array(naive) - np.array(ours)) / base
    skill, about = float(apart.mean()), apart - apart.mean()
    step = max(1.0, (origins[-1] - origins[0]) / (len(origins) - 1))
    lags = min(int(np.ceil(ahead / step)), n // 2)
    variance = float(about @ about) / n
    variance += 2 * sum((1 - k / (lags + 1)) * float(about[k:] @ about[:-k]) / n for k in range(1, lags + 1))
    reach = float(t.ppf(0.95, n - 1) * np.sqrt(max(variance, 0.0) / (n - 1)))
    return skill, Interval(float(skill - reach), float(skill + reach))


def stretch(scores: FloatArray, level: float) -> FloatArray:
    """Return what to stretch each period's spread by, so that it holds the level's share of the past."""
    from scipy.stats import norm

    known = np.isfinite(scores)
    if not known.any():
        return np.full(scores.shape[1], float(norm.ppf((1 + level) / 2)))
    pooled = _quantile(scores[known], level, int(known.any(axis=1).sum()))
    own = [_quantile(one[told], level, int(told.sum())) if told.sum() >= ENOUGH else pooled
           for one, told in zip(scores.T, known.T)]  # fmt: skip
    return (np.array(own) + pooled) / 2


def held_of(scores: FloatArray, level: float, k: int) -> FloatArray:
    """Return which values after an origin their intervals held, which the other origins say how wide to make."""
    wide = stretch(np.delete(scores, k, axis=0), level)
    return np.where(np.isfinite(scores[k]), scores[k] <= wide, np.nan)


def _quantile(scores: FloatArray, level: float, origins: int) -> float:
    """Return the quantile that holds as many of new scores, of so many origins that are known."""
    return float(np.quantile(scores, min(np.ceil((origins + 1) * level) / origins, 1.0)))
