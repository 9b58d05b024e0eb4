"""How long things take when some are still under way: the survival function by Kaplan and Meier (1958).

Whoever is still under way counts as at risk for as long as they are known, and as an end never. Leaving them out makes
everything look faster than it is, the more the younger they are. Intervals are Greenwood's variance on the scale of
log(-log S), which keeps them between 0 and 1 (Kalbfleisch and Prentice 1980); that of a quantile is where the interval
of S holds the quantile's level (Brookmeyer and Crowley 1982).
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.measure.effect import Interval, NotEnoughData

FloatArray = npt.NDArray[np.float64]


class Survival(msgspec.Struct, frozen=True):
    """The part that is not over, after each of the `times` at which something ended, with Greenwood's sum of
    d / (n (n - d)); of `n` things, `ended` ended. `longest` is for how long anything is known."""

    times: tuple[float, ...]
    part: tuple[float, ...]
    greenwood: tuple[float, ...]
    n: int
    ended: int
    longest: float

    def at(self, time: float) -> float | NotEnoughData:
        """Return the part that is not over after a time. `NotEnoughData` beyond what is known of anything."""
        if time > self.longest and not (self.part and self.part[-1] == 0):
            return NotEnoughData(f"nothing is known for longer than {self.longest:.6g}, and {time:.6g} was asked for")
        return self._part(time)[0]

    def interval(self, time: float, level: float = 0.95) -> Interval:
        """Return the interval of the part that is not over after a time.

        Where nothing ended by then, or everything did, it is the exact one of as many customers as were at risk:
        Greenwood's variance is 0 there, and would claim to know for certain.
        """
        part, noise = self._part(time)
        if part in (0.0, 1.0):
            edge = ((1 - level) / 2) ** (1 / max(self.n, 1))
            return Interval(edge, 1.0) if part else Interval(0.0, 1 - edge)
        z = NormalDist().inv_cdf((1 + level) / 2)
        half = z * sqrt(noise) / abs(log(part))
        return Interval(part ** exp(half), part ** exp(-half))

    def quantile(self, share: float) -> float | NotEnoughData:
        """Return the time after which a share is over. `NotEnoughData` while too many are under way to know."""
        found = next((time for time, part in zip(self.times, self.part) if part <= 1 - share + 1e-12), None)
        if found is None:
            over = 1 - (self.part[-1] if self.part else 1.0)
            return NotEnoughData(f"{over:.0%} are over, and {share:.0%} must be: the rest are still under way")
        return found

    def quantile_interval(self, share: float, level: float = 0.95) -> Interval:
        """Return the interval of that time; infinite above where it cannot be known yet."""
        z, ends = NormalDist().inv_cdf((1 + level) / 2), [inf, inf]
        for time, part, noise in zip(self.times, self.part, self.greenwood):
            low, high = (0.0, 1 - ((1 - level) / 2) ** (1 / self.n)) if part == 0 else _around(part, noise, z)
            for side, edge in enumerate((low, high)):
                if edge <= 1 - share + 1e-12 and ends[side] == inf:
                    ends[side] = time
        return Interval(ends[0], ends[1])

    def _part(self, time: float) -> tuple[float, float]:
        place = int(np.searchsorted(np.array(self.times), time, side="right")) - 1
        return (1.0, 0.0) if place < 0 else (self.part[place], self.greenwood[place])


def kaplan_meier(
    times: npt.ArrayLike, ended: npt.ArrayLike, count: npt.ArrayLike | None = None
) -> Survival | NotEnoughData:
    """Return how things last: for each row a time, whether it ended then (else it was under way), how many rows it is.

    What ended and what was last known at the same time: the latter were still at risk. `NotEnoughData` without rows;
    `ValueError` for a time that is negative or not finite.

    >>> found = kaplan_meier([1, 2, 2, 3], [True, True, False, True])
    >>> [round(part, 4) for part in found.part], found.quantile(0.5)
    ([0.75, 0.5, 0.0], 2.0)
    """
    spans, over = np.asarray(times, np.float64), np.asarray(ended, bool)
    many = np.ones(len(spans)) if count is None else np.asarray(count, np.float64)
    if not many.sum():
        return NotEnoughData("nothing has begun")
    if not np.isfinite(spans).all() or (spans < 0).any():
        raise ValueError("a time is negative or not finite")
    instants, place = np.unique(spans, return_inverse=True)
    gone = np.bincount(place, many, len(instants))
    ends = np.bincount(place, many * over, len(instants))
    risk = many.sum() - np.concatenate([[0.0], np.cumsum(gone)[:-1]])
    here = ends > 0
    ends, risk = ends[here], risk[here]
    part = np.cumprod(1 - ends / risk)
    part[risk == ends] = 0.0
    noise = np.cumsum(np.divide(ends, risk * (risk - ends), out=np.full(len(ends), inf), where=risk > ends))
    return Survival(
        tuple(instants[here].tolist()), tuple(part.tolist()), tuple(noise.tolist()), round(float(many.sum())),
        round(float(ends.sum())), float(spans.max()),
    )  # fmt: skip


def _around(part: float, noise: float, z: float) -> tuple[float, float]:
    half = z * sqrt(noise) / abs(log(part)) if part < 1 else 0.0
    return part ** exp(half), part ** exp(-half)
