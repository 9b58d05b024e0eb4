"""Does a sequential reading keep its promises? Tables by simulation: false positives, power and coverage, all looks
together. Each returns shares of `n_simulations` tests; the standard error of a share of 5 % is .2 points at 10,000.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from opportune.measure.effect import Reading
from opportune.measure.group_sequential import bounds
from opportune.measure.reading import Fixed, Sequential

FloatArray = npt.NDArray[np.float64]

CELLS: dict[str, tuple[int, int, float]] = {
    "2,000/2,000 at 0.5 %": (2_000, 2_000, 0.005),
    "1,000/19,000 at 1 %": (1_000, 19_000, 0.01),
    "2,000/2,000 at 4 %": (2_000, 2_000, 0.04),
    "20,000/20,000 at 4 %": (20_000, 20_000, 0.04),
}
"""Tests as e-mail has them: customers of control and arm, and how many of them convert."""

NINETY = 1.959964 + 1.281552
"""The effect, in standard errors at the plan, that one fixed look finds in 90 % of tests."""


def found(
    reading: Reading,
    planned: float,
    *,
    n_simulations: int,
    looks: int = 52,
    until: float = 1.0,
    drift: float = 0.0,
    seed: int = 0,
) -> float:
    """Return how often a test of normal data finds an effect at any of so many looks, evenly up to `until` plans.

    `drift` is the true effect in standard errors at the plan: 0 gives false positives, `NINETY` power.
    """
    t = until * np.arange(1, looks + 1) / looks
    bound = np.array([reading.critical(planned * share) for share in t]) * np.sqrt(t)
    return _crossed(bound, t, n_simulations, drift, seed)


def found_on_schedule(*, n_simulations: int, looks: int = 52, drift: float = 0.0, seed: int = 0) -> float:
    """Return the same for looks that were scheduled before (O'Brien-Fleming): what a reading without one is up to."""
    t = np.arange(1, looks + 1) / looks
    bound = np.array(bounds([float(share) for share in t])) * np.sqrt(t)
    return _crossed(bound, t, n_simulations, drift, seed)


def found_in_rates(
    reading: Reading,
    cell: tuple[int, int, float],
    *,
    n_simulations: int,
    looks: int = 52,
    lift: float = 0.0,
    seed: int = 0,
) -> tuple[float, float]:
    """Return how often a test of rates finds the arm worse, and better, at any of so many looks by the score test.

    The test runs to the customers of the cell, whose rate the arm lifts (relative).
    """
    control, arm, rate = cell
    steps = np.arange(1, looks + 1) / looks
    n, m = np.floor(control * steps), np.floor(arm * steps)
    critical = np.array([reading.critical(units) for units in n + m])
    low = high = 0
    for random, many in _batches(n_simulations, 2 * looks, seed):
        x = np.cumsum(random.binomial(np.diff(n, prepend=0).astype(int), rate, (many, looks)), axis=1)
        y = np.cumsum(random.binomial(np.diff(m, prepend=0).astype(int), rate * (1 + lift), (many, looks)), axis=1)
        z = score(x, n, y, m)
        first = np.where(np.abs(z) > critical, np.sign(z), 0)
        sign = first[np.arange(many), (first != 0).argmax(axis=1)]
        low, high = low + int((sign < 0).sum()), high + int((sign > 0).sum())
    return low / n_simulations, high / n_simulations


def score(x: npt.ArrayLike, n: npt.ArrayLike, y: npt.ArrayLike, m: npt.ArrayLike) -> FloatArray:
    """Return the z of the score test that two rates are the same: x of n in control, y of m in the arm; 0 for none."""
    x, n, y, m = (np.asarray(a, np.float64) for a in (x, n, y, m))
    both = (x + y) / (n + m)
    error = np.sqrt(both * (1 - both) * (1 / n + 1 / m))
    return np.divide(y / m - x / n, error, out=np.zeros(np.broadcast(x, y).shape), where=error > 0)


def covered(
    reading: Reading, per_arm: int, *, n_simulations: int, looks: int = 52, effect: float = 0.1, seed: int = 0
) -> float:
    """Return how often the intervals of all looks cover a true difference of means, with variances as estimated.

    Control is standard normal, the arm has twice its variance.
    """
    step = per_arm // looks
    n = step * np.arange(1, looks + 1)
    critical = np.array([reading.critical(2.0 * int(units)) for units in n])
    kept = 0
    for random, many in _batches(n_simulations, 2 * looks * step, seed):
        means, variances = [], []
        for shift, spread in ((0.0, 1.0), (effect, math.sqrt(2))):
            values = shift + spread * random.standard_normal((many, looks, step))
            total = np.cumsum(values.sum(axis=2), axis=1)
            squares = np.cumsum((values * values).sum(axis=2), axis=1)
            means.append(total / n)
            variances.append((squares - total * total / n) / (n - 1))
        error = np.sqrt((variances[0] + variances[1]) / n)
        kept += int((np.abs(means[1] - means[0] - effect) <= critical * error).all(axis=1).sum())
    return kept / n_simulations


def tables(n_simulations: int, seed: int = 0) -> dict[str, float]:
    """Return every share by name: what `reading` promises, and the fixed test looked at as often beside it."""
    planned = 20_000.0
    reading = Sequential(0.05, planned)
    many = {"n_simulations": n_simulations, "seed": seed}
    few = {"n_simulations": max(1, n_simulations // 10), "seed": seed}
    rows = {
        "false positives, 52 looks": found(reading, planned, **many),
        "false positives, 52 looks, Fixed": found(Fixed(0.05), planned, **many),
        "false positives, 5,000 looks up to 5 plans": found(reading, planned, looks=5_000, until=5.0, **few),
        "false positives, 52 looks, no plan": found(Sequential(0.05), planned, **many),
        "power, one look of Fixed": found(Fixed(0.05), planned, looks=1, drift=NINETY, **many),
        "power, 52 looks": found(reading, planned, drift=NINETY, **many),
        "power, 52 looks on a schedule": found_on_schedule(drift=NINETY, **many),
        "power, 65 looks up to 1.25 plans": found(reading, planned, looks=65, until=1.25, drift=NINETY, **many),
        "power, 104 looks up to 2 plans": found(reading, planned, looks=104, until=2.0, drift=NINETY, **many),
        "power, 52 looks, no plan": found(Sequential(0.05), planned, drift=NINETY, **many),
        "all 52 intervals cover": covered(Sequential(0.05, 2_080), 1_040, **few),
    }
    for name, cell in CELLS.items():
        low, high = found_in_rates(Sequential(0.05, cell[0] + cell[1]), cell, **many)
        rows[f"worse, {name}"], rows[f"better, {name}"] = low, high
    return rows


def _crossed(bound: FloatArray, t: FloatArray, n_simulations: int, drift: float, seed: int) -> float:
    hits = 0
    for random, many in _batches(n_simulations, len(t), seed):
        path = np.cumsum(random.standard_normal((many, len(t))), axis=1) * math.sqrt(t[0]) + drift * t
        hits += int((np.abs(path) > bound).any(axis=1).sum())
    return hits / n_simulations


def _batches(n_simulations: int, numbers: int, seed: int) -> Iterator[tuple[np.random.Generator, int]]:
    """Yield a generator and how many simulations to make with it at once: some 16 MB of numbers each."""
    random = np.random.default_rng(seed)
    size = max(1, 2_000_000 // numbers)
    for first in range(0, n_simulations, size):
        yield random, min(size, n_simulations - first)
