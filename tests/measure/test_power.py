"""Power before a test against published calculators, statsmodels and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower

from opportune.bench.lab_sequential import score
from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData
from opportune.measure.power import Design, days, error, needed, power, smallest
from opportune.measure.reading import Sequential

GROWTHBOOK = {"shares": (1, 1, 1), "comparisons": 1, "of": "relative"}


def test_g_power() -> None:
    assert needed(Design("mean", 10, 100, inference="fixed"), 0.03, 0.85) == 39_906
    assert needed(Design("proportion", 0.34, inference="fixed"), 0.003 / 0.34, 0.85) == 897_348


def test_growthbook_fixed() -> None:
    design = Design("mean", 10, 3910, inference="fixed", **GROWTHBOOK)
    assert round(power(design, 0.05, 400_000), 5) == 0.52144
    assert round(smallest(design, 400_000), 5) == 0.07027
    rate = Design("mean", 0.1, 0.09, inference="fixed", **GROWTHBOOK)
    revenue = Design("mean", 0.1, 0.5, inference="fixed", **GROWTHBOOK)
    weeks = [4_500 * week for week in (1, 5, 9)]
    assert [round(power(rate, 0.05, n), 5) for n in weeks] == [0.073, 0.16895, 0.26666]
    assert [round(power(revenue, 0.3, n), 5) for n in weeks] == [0.17053, 0.61037, 0.85213]
    assert [round(smallest(rate, n), 5) for n in weeks] == [0.36767, 0.14774, 0.10796]
    assert [round(smallest(revenue, n), 5) for n in weeks] == [1.26769, 0.39208, 0.27647]


def test_growthbook_sequential_is_the_same_boundary_misread() -> None:
    """It multiplies the standard error by c / 1.96: .20596 and .12821. The chance to cross that boundary is .072."""
    design = Design("mean", 10, 3910, inference="open", **GROWTHBOOK)
    arm = 400_000 / 3
    misread = Sequential(0.05).critical(2 * arm) / 1.959964
    fixed = Design("mean", 10, 3910 * misread**2, inference="fixed", **GROWTHBOOK)
    assert round(power(fixed, 0.05, 400_000), 5) == 0.20596
    assert round(smallest(fixed, 400_000), 5) == 0.12821
    worth = 0.05 * 10 / error(design, 0.05, arm, arm)
    z = np.random.default_rng(3).standard_normal(200_000) + worth
    crossed = np.mean(np.abs(z) > Sequential(0.05).critical(2 * arm))
    assert power(design, 0.05, 400_000) == pytest.approx(crossed, abs=0.002)
    assert power(design, 0.05, 400_000) == pytest.approx(0.0721, abs=1e-4)
    assert power(design, smallest(design, 400_000), 400_000) == pytest.approx(0.8)


@given(st.integers(20, 5_000), st.floats(0.02, 0.6), st.floats(0.2, 5), st.floats(0.001, 0.2))
def test_means_are_those_of_statsmodels(n: int, size: float, ratio: float, alpha: float) -> None:
    theirs = TTestIndPower().power(size, n, alpha, ratio)
    assume(math.isfinite(theirs))  # it gives nan for some powers next to 1
    design = Design("mean", 1.0, 1.0, (1, ratio), alpha, "fixed")
    assert power(design, size, n * (1 + ratio)) == pytest.approx(theirs, abs=0.003)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.2, 0.8), (0.9, 0.1)])
@pytest.mark.parametrize(("rate", "effect"), [(0.04, 0.2), (0.4, -0.05)])
def test_proportions_as_the_score_test_finds_them(shares: tuple[float, ...], rate: float, effect: float) -> None:
    for inference in ("fixed", "sequential"):
        design = Design("proportion", rate, shares=shares, inference=inference)
        total = needed(design, effect)
        n, m = round(total * shares[0]), round(total * shares[1])
        random = np.random.default_rng(6)
        z = score(random.binomial(n, rate, 40_000), n, random.binomial(m, rate * (1 + effect), 40_000), m)
        critical = design.reading(n + m).critical(n + m)
        assert np.mean(np.abs(z) > critical) == pytest.approx(0.8, abs=0.015)


def test_counts_and_ratios() -> None:
    poisson, wide = Design("count", 2.0), Design("count", 2.0, 6.0)
    assert error(poisson, 0.5, 100, 100) == pytest.approx(math.sqrt(0.02 + 0.03))
    assert error(wide, 0.5, 100, 100) == pytest.approx(math.sqrt(0.06 + 0.09))
    assert needed(wide, 0.1) == pytest.approx(3 * needed(poisson, 0.1), abs=3)
    assert needed(Design("ratio", 2.0, 6.0), 0.1) == needed(Design("mean", 2.0, 6.0), 0.1)


designs = st.builds(
    Design,
    st.just("proportion"),
    st.floats(0.001, 0.6),
    shares=st.sampled_from([(1, 1), (1, 19), (2, 1, 1), (1, 1, 1, 1)]),
    inference=st.sampled_from(["fixed", "sequential", "open"]),
) | st.builds(
    Design,
    st.sampled_from(["mean", "ratio", "count"]),
    st.floats(0.5, 50),
    st.floats(0.1, 500),
    st.sampled_from([(1, 1), (1, 19), (2, 1, 1)]),
    inference=st.sampled_from(["fixed", "sequential", "open"]),
)


@given(designs, st.floats(-0.5, 0.5), st.floats(0.3, 0.99))
def test_customers_effect_and_power_invert_each_other(design: Design, effect: float, chance: float) -> None:
    assume(abs(effect) > 0.01)
    total = needed(design, effect, chance)
    assert isinstance(total, int)
    found = power(design, effect, total)
    assert found >= chance - 1e-9
    if total > 2_000:
        assert found == pytest.approx(chance, abs=0.01)
        size = smallest(design, total, chance, "up" if effect > 0 else "down")
        assert size == pytest.approx(effect, rel=0.02)


@given(designs, st.floats(0.01, 0.4), st.floats(0.01, 0.4), st.integers(10, 10**7), st.integers(10, 10**7))
def test_power_grows(design: Design, a: float, b: float, n: int, m: int) -> None:
    a, b, n, m = min(a, b), max(a, b), min(n, m), max(n, m)
    if design.of == "difference" and design.kind != "count" and design.kind != "proportion":
        assert power(design, a, n) <= power(design, b, n) + 1e-12
    assert 0 <= power(design, b, n) <= 1
    if power(design, b, n) > 0.2:
        assert power(design, b, n) <= power(design, b, m) + 1e-12


def test_more_arms_take_more() -> None:
    two, three = Design("proportion", 0.04), Design("proportion", 0.04, shares=(1, 1, 1))
    per_arm = needed(two, 0.1) / 2
    assert needed(three, 0.1) / 3 > 1.1 * per_arm
    assert needed(Design("proportion", 0.04, shares=(1, 1, 1), comparisons=1), 0.1) / 3 == pytest.approx(per_arm, abs=1)


def test_the_smallest_arm_decides() -> None:
    uneven = Design("proportion", 0.04, shares=(2, 1, 5), comparisons=1)
    pair = Design("proportion", 0.04, shares=(2, 1))
    assert power(uneven, 0.1, 80_000) == pytest.approx(power(pair, 0.1, 30_000))
    assert needed(uneven, 0.1) == pytest.approx(needed(pair, 0.1) * 8 / 3, abs=4)


def test_duration() -> None:
    design = Design("proportion", 0.04)
    total = needed(design, 0.1)
    assert days(design, 0.1, 10_000) == math.ceil(total / 10_000)
    assert days(design, 0.1, 10_000, wait=7) == math.ceil(total / 10_000 + 7)
    come = [200_000 * (1 - 0.95**day) for day in range(40)]
    assert days(design, 0.1, 10_000, population=200_000) == next(d for d, n in enumerate(come) if n >= total)
    assert days(design, 0.1, 10_000, population=1e12) == days(design, 0.1, 10_000)
    assert days(design, 0.1, 300_000, population=200_000) == 1
    few = days(design, 0.1, 10_000, population=50_000)
    assert isinstance(few, NotEnoughData)
    assert few.more == total - 50_000


def test_what_no_number_finds_says_so() -> None:
    assert isinstance(needed(Design("proportion", 0.04), 1e-9), NotEnoughData)
    assert isinstance(smallest(Design("proportion", 0.04), 4), NotEnoughData)
    assert isinstance(smallest(Design("proportion", 0.004), 100, direction="down"), NotEnoughData)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Design("proportion", 1.2), "between 0 and 1"),
        (lambda: Design("mean", 0, 1), "above 0"),
        (lambda: Design("mean", 1), "variance"),
        (lambda: Design("mean", 1, 0), "variance"),
        (lambda: Design("mean", 1, 1, (1,)), "two arms"),
        (lambda: Design("mean", 1, 1, (1, 0)), "two arms"),
        (lambda: Design("mean", 1, 1, comparisons=0), "comparisons"),
        (lambda: needed(Design("mean", 1, 1), 0), "effect of 0"),
        (lambda: needed(Design("mean", 1, 1), 0.1, 1.0), "power of 1"),
        (lambda: power(Design("mean", 1, 1), 0.1, 0), "more than 0"),
        (lambda: power(Design("proportion", 0.5), 2, 100), "cannot be"),
        (lambda: days(Design("mean", 1, 1), 0.1, 0), "have to come"),
    ],
)
def test_what_cannot_be_is_refused(make, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        make()
