"""Are the p and the intervals of `measure.compare` right where e-mail lives? A table by simulation.

Each design is drawn without an effect, and the share of tests that see one is told by side (nominal 2.5 % each at alpha
.05); and with one, and the share of intervals that hold it is told (nominal 95 %). Arms are drawn from the distribution
of their sums, so that a simulated test costs what `compare` costs. The standard error of a share of 2.5 % is .16 points
at 10,000 tests.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opportune.catalog.lab_types import MetricKind
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, Interval
from opportune.measure.quantile import Ranks
from opportune.measure.reading import Fixed
from opportune.measure.sums import SECOND, THIRD, VARIABLES, Sums

FloatArray = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float, int], Iterator[Sums | Ranks]]
"""(random, customers, lift, how many) -> that many arms; the lift is relative, 0 without an effect."""

LIFT = 0.2


@dataclass(frozen=True, slots=True)
class Design:
    """A test: customers of control and arm, what is measured, its true value in control, and how arms are drawn."""

    name: str
    control: int
    arm: int
    kind: MetricKind
    level: float
    draw: Draw


class Row(NamedTuple):
    """What a design gave, as shares of all its tests: the arm called worse and better without an effect; intervals of
    the difference and the ratio that hold the effect, of those that there are; tests that found the effect; tests that
    had an answer at all without an effect, and with it."""

    name: str
    worse: float
    better: float
    covered: float
    relative_covered: float
    found: float
    answered: float
    answered_with_effect: float


def row(design: Design, n_simulations: int, *, lift: float = LIFT, seed: int = 0) -> Row:
    """Return what so many tests without, and as many with an effect of a design give, all read once at alpha .05."""
    null = list(_effects(design, n_simulations, 0.0, seed))
    real = list(_effects(design, n_simulations, lift, seed + 1))
    truth = design.level * lift
    ratios = [e.relative_interval for e in real if e.relative_interval is not None]
    return Row(
        design.name,
        sum(e.interval.high < 0 for e in null) / n_simulations,
        sum(e.interval.low > 0 for e in null) / n_simulations,
        _share(truth, [e.interval for e in real]),
        _share(lift, ratios),
        sum(e.interval.low > 0 for e in real) / n_simulations,
        len(null) / n_simulations,
        len(real) / n_simulations,
    )


def _share(truth: float, intervals: Sequence[Interval]) -> float:
    return sum(truth in interval for interval in intervals) / len(intervals) if intervals else math.nan


def _effects(design: Design, many: int, lift: float, seed: int) -> Iterator[Effect]:
    random, reading = np.random.default_rng(seed), Fixed(0.05)
    controls, arms = design.draw(random, design.control, 0.0, many), design.draw(random, design.arm, lift, many)
    for control, arm in zip(controls, arms, strict=True):
        effect = compare(design.kind, control, arm, reading)
        if isinstance(effect, Effect):
            yield effect


def hits(rate: float) -> Draw:
    """Return arms whose customers convert at a rate."""

    def draw(random: np.random.Generator, n: int, lift: float, many: int) -> Iterator[Sums]:
        return (Sums.of_hits(k, n) for k in random.binomial(n, rate * (1 + lift), many).tolist())

    return draw


def spend(buyers: float, sigma: float) -> Draw:
    """Return arms of which a share buys, for a log-normal sum; the lift is in the share."""

    def draw(random: np.random.Generator, n: int, lift: float, many: int) -> Iterator[Sums]:
        for k in random.binomial(n, buyers * (1 + lift), many).tolist():
            money = np.exp(sigma * random.standard_normal(k))
            yield Sums.from_powers(n, {"x" * power: float((money**power).sum()) for power in (1, 2, 3)})

    return draw


def mean_spend(buyers: float, sigma: float) -> float:
    return buyers * math.exp(sigma * sigma / 2)


def tabled(customers: Callable[[float], Iterable[tuple[float, float, float, float]]], variables: str) -> Draw:
    """Return arms of customers who are of a few kinds: `customers` of a lift gives (x, d, c, chance) of each, and
    `variables` says which of the three are summed."""

    def draw(random: np.random.Generator, n: int, lift: float, many: int) -> Iterator[Sums]:
        table = np.array(list(customers(lift)))
        at = {name: table[:, position] for position, name in enumerate(VARIABLES) if name in variables}
        terms = [term for term in (*VARIABLES, *SECOND, *THIRD) if set(term) <= at.keys()]
        powers = np.stack([np.prod([at[v] for v in term], axis=0) for term in terms], axis=1)
        for sums in random.multinomial(n, table[:, 3] / table[:, 3].sum(), many) @ powers:
            yield Sums.from_powers(n, dict(zip(terms, sums.tolist())))

    return draw


def visitors(lift: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield customers by orders, visits, and orders of the time before: one in five orders often, the others rarely."""
    for (rate, kind), visits in product(((0.05, 0.8), (0.25, 0.2)), range(1, 13)):
        came = math.exp(-2.0) * 2.0 ** (visits - 1) / math.factorial(visits - 1)
        for orders, before in product(range(visits + 1), range(9)):
            chance = _binomial(visits, orders, rate * (1 + lift)) * _poisson(6 * rate, before)
            yield float(orders), float(visits), float(before), kind * came * chance


def clicks(lift: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield customers by clicks: one in fifty clicks at all, and then about twice."""
    for rate, kind in ((0.0, 0.98), (2.0 * (1 + lift), 0.02)):
        for clicked in range(16):
            yield float(clicked), 0.0, 0.0, kind * _poisson(rate, clicked)


def orders(sigma: float, quantile: float) -> Draw:
    """Return arms whose customers spend log-normally, each."""

    def draw(random: np.random.Generator, n: int, lift: float, many: int) -> Iterator[Ranks]:
        return (Ranks.of((1 + lift) * np.exp(sigma * random.standard_normal(n)), quantile) for _ in range(many))

    return draw


def _binomial(n: int, k: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def _poisson(mean: float, k: int) -> float:
    return math.exp(-mean) * mean**k / math.factorial(k)


def _mean_of(customers: Iterable[tuple[float, float, float, float]], *, per: bool = False) -> float:
    table = np.array(list(customers))
    return float(table[:, 0] @ table[:, 3] / (table[:, 1] @ table[:, 3] if per else table[:, 3].sum()))


def _designs() -> Iterator[Design]:
    for control, arm, rate in ((2_000, 2_000, 0.005), (1_000, 19_000, 0.01), (2_000, 2_000, 0.04), (2_000, 2_000, 0.1)):
        yield Design(f"converted {rate:.1%}, {control:,}/{arm:,}", control, arm, "proportion", rate, hits(rate))
    per_visit, per_customer = _mean_of(visitors(0.0), per=True), _mean_of(visitors(0.0))
    for control, arm in ((2_000, 2_000), (1_000, 19_000)):
        sizes = f"{control:,}/{arm:,}"
        yield Design(f"orders per visit, {sizes}", control, arm, "ratio", per_visit, tabled(visitors, "xd"))
        yield Design(f"the same with a covariate, {sizes}", control, arm, "ratio", per_visit, tabled(visitors, "xdc"))
        yield Design(f"orders with a covariate, {sizes}", control, arm, "mean", per_customer, tabled(visitors, "xc"))
        yield Design(f"clicks 2 % x 2, {sizes}", control, arm, "count", _mean_of(clicks(0.0)), tabled(clicks, "x"))
    for buyers, sigma, control, arm in (
        (0.01, 1.5, 20_000, 20_000),
        (0.01, 1.5, 1_000, 19_000),
        (0.01, 1.5, 20_000, 380_000),
        (0.1, 1.0, 1_000, 19_000),
        (0.04, 0.5, 1_000, 19_000),
        (0.04, 1.0, 2_000, 2_000),
    ):
        name = f"spend, {buyers:.0%} buy x lognormal({sigma}), {control:,}/{arm:,}"
        yield Design(name, control, arm, "mean", mean_spend(buyers, sigma), spend(buyers, sigma))
    for quantile, control, arm in ((0.5, 500, 500), (0.9, 500, 2_000)):
        name, level = f"quantile {quantile}, {control:,}/{arm:,}", math.exp(NormalDist().inv_cdf(quantile))
        yield Design(name, control, arm, "quantile", level, orders(1.0, quantile))


DESIGNS = tuple(_designs())
"""All cells of the table."""


def table(n_simulations: int, seed: int = 0, designs: Sequence[Design] = DESIGNS) -> list[Row]:
    """Return a row for each design."""
    return [row(design, n_simulations, seed=seed + 2 * number) for number, design in enumerate(designs)]


def figures() -> list[dict[str, Any]]:
    """Return the figures of the group: worst tails and coverage of each design, in per cent."""
    many = int(os.environ.get("BENCH_LAB_TESTS", "10000"))
    shown = []
    for found in table(many):
        spread = 100 * math.sqrt(0.025 * 0.975 / many)
        for what, share in found._asdict().items():
            if what != "name":
                name = f"lab_{what}: {found.name}"
                shown.append({"name": name, "value": 100 * share, "unit": "%", "spread": spread, "peer": None,
                              "peer_value": None, "ratio": None})  # fmt: skip
    return shown
