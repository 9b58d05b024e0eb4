"""The tournament: every model predicts what each channel adds, and holdouts say whether that is so.

A model that credits a channel with conversions claims that these would not have been without it. A holdout, customers
whom the channel was kept from at random, measures that. What a model and the holdouts say together is better than
either: models know all channels from many people, holdouts know the truth from few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from opportune.errors import BadInput
from opportune.measure.attribution.models import Credit
from opportune.measure.effect import Interval

SCALES, SPREADS = 41, 31
"""Points at which the scale and the spread of a model's errors are looked at."""

WIDEST = 2.0
"""The largest relative spread of a model's errors over channels that is thought of."""


@dataclass(frozen=True, slots=True)
class Holdout:
    """Customers whom a channel could reach, and those whom it was kept from at random: how many, how many converted."""

    treated: float
    treated_conversions: float
    held: float
    held_conversions: float

    def __post_init__(self) -> None:
        for size, converted in ((self.treated, self.treated_conversions), (self.held, self.held_conversions)):
            if not (size > 1 and 0 <= converted <= size):
                raise BadInput(f"a holdout has {converted:g} conversions of {size:g} customers; give 2 or more of them")

    @property
    def added(self) -> float:
        """The conversions that the channel added among those whom it could reach."""
        return self.treated_conversions - self.treated * self.held_conversions / self.held

    @property
    def error(self) -> float:
        """The standard error of `added`: binomial rates, with half a conversion for who has none."""
        p, q = ((k + 0.5) / (n + 1) for n, k in ((self.treated, self.treated_conversions),
                                                (self.held, self.held_conversions)))  # fmt: skip
        return float(self.treated * np.sqrt(p * (1 - p) / self.treated + q * (1 - q) / self.held))


class Judged(NamedTuple):
    """A model against the holdouts: the statistic, which is chi-square of as many degrees of freedom as channels."""

    chi_square: float
    channels: int
    p: float
    rejected: bool


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a channel adds, by models and holdouts together; `weight` is how much its own holdout says of that."""

    added: float
    interval: Interval
    weight: float


def judged(credits: Mapping[str, Credit], holdouts: Mapping[str, Holdout], alpha: float = 0.05) -> Judged:
    """Return how far a model's claims lie from what the holdouts measured: sum of (claim - measured)^2 / variance.

    >>> from opportune.measure.effect import Interval
    >>> held = Holdout(9000, 900, 1000, 90)
    >>> judged({"mail": Credit(500, 0, Interval(450, 550), 25)}, {"mail": held}).rejected
    True
    """
    from scipy.special import chdtrc

    known = [name for name in holdouts if name in credits]
    gaps = [
        (credits[name].conversions - holdouts[name].added) ** 2 / (holdouts[name].error ** 2 + credits[name].error ** 2)
        for name in known
    ]
    statistic = float(sum(gaps))
    p = float(chdtrc(len(known), statistic)) if known else 1.0
    return Judged(statistic, len(known), p, p < alpha)


def calibrated(
    models: Mapping[str, Mapping[str, Credit]], holdouts: Mapping[str, Holdout], level: float = 0.9
) -> dict[str, Calibrated]:
    """Return what each channel adds, by models and holdouts together: an empirical-Bayes estimate.

    By a model a channel adds scale x credit, with an error that is normal with a standard deviation of spread x scale x
    the geometric mean of its credit and the mean credit. The scale is one for all channels, since part of the
    conversions would have come without any. Models, scales and spreads are averaged with weights from how well they fit
    the holdouts: flat in models and in the logarithm of the scale, spread x exp(-spread^2 / 2) in the spread, which no
    few holdouts then take for 0 (Chung, Rabe-Hesketh, Dorie, Gelman and Liu 2013). A channel without a holdout has what
    the models say by then. Empty without any holdout.
    """
    names = sorted({name for credit in models.values() for name in credit})
    known = [name for name in names if name in holdouts]
    if not known:
        return {}
    at = [names.index(name) for name in known]
    measured = np.array([holdouts[name].added for name in known])
    error = np.array([holdouts[name].error for name in known])
    scale, spread = np.geomspace(0.02, 3.0, SCALES)[:, None, None], np.linspace(0.01, WIDEST, SPREADS)[None, :, None]
    fits, means, variances, weights = [], [], [], []
    for credit in models.values():
        claim = np.array([max(credit[name].conversions if name in credit else 0.0, 1e-9) for name in names])
        mean = np.broadcast_to(scale * claim, (SCALES, SPREADS, len(names))).copy()
        deviation = spread * scale * np.sqrt(claim * claim.mean())
        variance = error**2 + deviation[:, :, at] ** 2
        misfit = (np.log(variance) + (measured - mean[:, :, at]) ** 2 / variance).sum(axis=2)
        fits.append(np.log(spread[:, :, 0]) - 0.5 * (spread[:, :, 0] ** 2 + misfit))
        own = np.zeros(mean.shape)
        own[:, :, at] = deviation[:, :, at] ** 2 / variance
        mean[:, :, at] += own[:, :, at] * (measured - mean[:, :, at])
        means.append(mean)
        variances.append(deviation**2 * (1 - own))
        weights.append(own)
    chance = np.exp(np.stack(fits) - np.max(fits))
    chance /= chance.sum()
    mean, variance, own = np.stack(means), np.stack(variances), np.stack(weights)
    return {
        name: Calibrated(
            float((chance * mean[..., i]).sum()),
            _between(chance, mean[..., i], variance[..., i], level),
            float((chance * own[..., i]).sum()),
        )
        for i, name in enumerate(names)
    }


def _between(weight: np.ndarray, mean: np.ndarray, variance: np.ndarray, level: float) -> Interval:
    """Return the central interval of a mixture of normal distributions, found by halving."""
    from scipy.special import ndtr

    deviation = np.sqrt(variance)
    ends = []
    for chance in ((1 - level) / 2, (1 + level) / 2):
        low, high = float((mean - 10 * deviation).min()), float((mean + 10 * deviation).max())
        for _ in range(60):
            middle = (low + high) / 2
            below = float((weight * ndtr((middle - mean) / deviation)).sum())
            low, high = (middle, high) if below < chance else (low, middle)
        ends.append((low + high) / 2)
    return Interval(*ends)


def next_holdout(
    found: Mapping[str, Calibrated], costs: Mapping[str, float], channels: Sequence[str] = ()
) -> str | None:
    """Return the channel whose holdout would tell most: the largest budget x relative width of what it may add.

    Without costs, the one whose effect is least known. None without channels.
    """
    names = [name for name in (channels or found) if name in found]
    if not names:
        return None

    def worth(name: str) -> float:
        one = found[name]
        width = one.interval.high - one.interval.low
        return width * (costs.get(name, 0.0) / max(abs(one.added), 1e-9) if costs else 1.0)

    return max(sorted(names), key=worth)
