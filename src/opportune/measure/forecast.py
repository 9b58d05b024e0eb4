"""What comes next in a series: the method that was best at foretelling its own past, with intervals that were checked.

At up to 24 moments of the past each method sees what was known and foretells the rest. The one with the least
mean absolute error is taken, and is set beside the seasonal naive forecast (what was one season ago), whose errors the
`skill` is a share of. Intervals are conformal: the spread that the method itself gives is stretched so that it would
have held as many of the values at those moments as it should (Vovk, Gammerman and Shafer 2005).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from opportune.errors import BadInput
from opportune.measure.effect import Interval, NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.rolling_origin import NAIVE, Method, held_of, loss, moments, past_of, skill_of, stretch
from opportune.measure.smoothing import smoothing
from opportune.measure.theta import theta

LEAST = 10
"""Values below which nothing is foretold."""

LONGEST = 500
"""The last values that count: older ones say little."""

MISSING = 1 / 3
"""The share of values that may be missing."""

RARE = 0.5
"""The share of zeros from which on a series is intermittent."""


class Forecast(msgspec.Struct, frozen=True):
    """What comes in the next periods, and how good that is.

    `mean` and `intervals` (None where the past says nothing of errors) are by period ahead. `errors` are mean absolute
    errors of each method in the past, `skill` how much less that of the `method` is than that of the seasonal naive, as
    a share, and `skill_interval` its 90 % interval; both of choices made by what was known at each moment, not with
    hindsight, and None where the past is too short. `as_good` says that the seasonal naive is as good: the interval
    does not lie above 0. `covered` is the share of past values that their interval held, each moment's by what the
    others say. `remarks` say in words what a reader should know.
    """

    method: str
    mean: tuple[float, ...]
    intervals: tuple[Interval, ...] | None
    level: float
    errors: dict[str, float]
    skill: float | None
    skill_interval: Interval | None
    as_good: bool
    covered: float | None
    origins: int
    remarks: tuple[str, ...] = ()


def forecast(
    y: FloatArray, ahead: int, season: int = 1, level: float = 0.8, methods: Mapping[str, Method] | None = None
) -> Forecast | NotEnoughData:
    """Return what comes after the values `y`, one for each period; NaN is a gap.

    `season` is how many periods one has, 1 for none. `methods` are tried beside the seasonal naive one; default
    `METHODS`. `NotEnoughData` below `LEAST` values or where more than a third are missing. Raises `BadInput` for
    infinite values, and for a horizon, season or level that cannot be.

    >>> found = forecast(np.tile([3.0, 5.0, 9.0, 4.0], 8), 2, 4)
    >>> found.mean, found.remarks
    ((3.0, 5.0), ('each season was as the one before: nothing tells how far it may be off',))
    """
    y = np.asarray(y, float)
    _check(y, ahead, season, level)
    seen = np.flatnonzero(np.isfinite(y))
    y = y[seen[0] :] if len(seen) else y[:0]
    if len(seen) < LEAST:
        more = LEAST - len(seen)
        return NotEnoughData(f"{len(seen)} periods have values, it takes {LEAST}", more)
    gaps = int(np.isnan(y).sum())
    if gaps > MISSING * len(y):
        return NotEnoughData(f"{gaps} of {len(y)} periods have no value, a third may be missing")
    remarks = [f"{gaps} of {len(y)} periods have no value and are filled in from those around them"] if gaps else []
    if len(y) > LONGEST:
        remarks.append(f"only the last {LONGEST} periods count")
        y = y[-LONGEST:]
    if season > 1 and len(y) < 2 * season + 4:
        remarks.append(f"a season of {season} periods takes {2 * season + 4} of them, there are {len(y)}: none is seen")
        season = 1
    if np.mean(y == 0) > RARE:
        remarks.append(f"{np.mean(y == 0):.0%} of the periods are 0: look at sums of longer periods")
    whole = filled(y, season)
    return _chosen(y, whole, ahead, season, level, METHODS if methods is None else methods, remarks)


def seasonal_naive(y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    """Return the values of one season ago, and their standard errors: those of a random walk of seasons."""
    steps = np.arange(ahead)
    apart = y[season:] - y[:-season]
    error = float(np.sqrt(np.mean(apart**2))) if len(apart) else 0.0
    return y[len(y) - season + steps % season], error * np.sqrt(steps // season + 1)


def filled(y: FloatArray, season: int) -> FloatArray:
    """Return values without gaps: along a straight line between the neighbors, with the mean swing of the season."""
    gone = np.isnan(y)
    if not gone.any():
        return y
    place = np.arange(len(y))
    line = np.interp(place, place[~gone], y[~gone])
    if season > 1 and len(y) >= 2 * season:
        window = np.ones(season) / season
        flat = np.convolve(np.pad(line, (season // 2, season - 1 - season // 2), "edge"), window, "valid")
        off = np.where(gone, np.nan, y - flat)
        swings = np.array([
            np.nanmean(off[i::season]) if np.isfinite(off[i::season]).any() else 0.0 for i in range(season)
        ])  # fmt: skip
        line = np.where(gone, flat + swings[place % season], line)
    return line


def _dynamic(y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    return theta(y, season, ahead, dynamic=True)


def _logs(y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    return smoothing(y, season, ahead, logs=bool(y.min() > 0))


def _between(y: FloatArray, season: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    (one, about), (other, around) = _dynamic(y, season, ahead), _logs(y, season, ahead)
    return (one + other) / 2, (about + around) / 2


METHODS: Mapping[str, Method] = {
    "theta": theta,
    "dynamic theta": _dynamic,
    "smoothing": smoothing,
    "smoothing of logarithms": _logs,
    "theta and smoothing": _between,
}
"""The methods by name. That of logarithms is plain smoothing where values are not all above 0; the last is the mean of
dynamic theta and it."""


def _chosen(
    y: FloatArray, whole: FloatArray, ahead: int, season: int, level: float, methods: Mapping[str, Method],
    remarks: list[str],
) -> Forecast:  # fmt: skip
    everything = {NAIVE: seasonal_naive, **methods}
    mean, spread = seasonal_naive(whole, season, ahead)
    if not np.any(spread):
        what = "each season was as the one before" if season > 1 else "nothing ever changed"
        told = (*remarks, f"{what}: nothing tells how far it may be off")
        return Forecast(NAIVE, tuple(mean.tolist()), None, level, {}, None, None, True, None, 0, told)
    origins = moments(len(y), season)
    past = {name: past_of(method, y, whole, origins, season, ahead) for name, method in everything.items()}
    losses = {name: loss(np.abs(one.errors)) for name, one in past.items()}
    best = min(losses, key=lambda name: losses[name])
    skill, interval = skill_of(past, origins, ahead)
    as_good = best == NAIVE or interval is None or interval.low <= 0
    if as_good:
        naive = "seasonal naive is as good" if season > 1 else "the last value is as good a forecast"
        remarks.append("too little of the past to say whether a method is better" if interval is None else naive)
    mean, spread = everything[best](whole, season, ahead)
    least = 1e-9 * float(np.abs(whole).max())  # a perfect past would make the first error an infinite one
    scores = np.abs(past[best].errors) / np.maximum(past[best].spreads, least)
    reach = stretch(scores, level) * np.maximum(spread, least)
    low, high = mean - reach, mean + reach
    if np.nanmin(y) >= 0:
        low, high, mean = np.maximum(low, 0.0), np.maximum(high, 0.0), np.maximum(mean, 0.0)
    held = [held_of(scores, level, k) for k in range(len(origins))] if len(origins) > 3 else []
    return Forecast(
        method=best,
        mean=tuple(mean.tolist()),
        intervals=tuple(Interval(*map(float, ends)) for ends in zip(low, high)),
        level=level,
        errors=losses,
        skill=skill,
        skill_interval=interval,
        as_good=as_good,
        covered=float(np.nanmean(np.concatenate(held))) if held else None,
        origins=len(origins),
        remarks=tuple(remarks),
    )


def _check(y: FloatArray, ahead: int, season: int, level: float) -> None:
    if np.isinf(y).any():
        raise BadInput("a value is infinite; leave it out, a gap is filled in")
    if ahead < 1:
        raise BadInput(f"{ahead} periods ahead cannot be foretold; give 1 or more")
    if season < 1:
        raise BadInput(f"a season cannot have {season} periods; give 1 for none")
    if not 0 < level < 1:
        raise BadInput(f"an interval cannot hold a share of {level:g}; give one between 0 and 1, such as 0.8")
