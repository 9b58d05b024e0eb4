"""Ratios: the delta method with the customer as the unit, and its second-order cumulants by simulation."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opportune.measure import cuped
from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.levels import _cumulants
from opportune.measure.mean import mean
from opportune.measure.ratio import _level, ratio
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums


def shop(n: int, seed: int, lift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    visits = 1.0 + rng.poisson(rng.gamma(1.0, 3.0, n))
    return rng.binomial(visits.astype(int), 0.2 * lift).astype(float), visits


def effect(control, arm, alpha: float = 0.05) -> Effect:
    found = ratio(Sums.of(*control), Sums.of(*arm), Fixed(alpha))
    assert isinstance(found, Effect)
    return found


def test_the_error_is_that_of_the_delta_method_and_of_a_bootstrap() -> None:
    control, arm = shop(4000, 1), shop(3000, 2, 1.2)
    found = effect(control, arm)
    variance, drawn = 0.0, []
    rng = np.random.default_rng(3)
    for x, d in (control, arm):
        r = x.sum() / d.sum()
        variance += ((x - r * d) / d.mean()).var(ddof=1) / len(x)
        rows = rng.integers(0, len(x), (400, len(x)))
        drawn.append(x[rows].sum(axis=1) / d[rows].sum(axis=1))
    assert found.difference == pytest.approx(arm[0].sum() / arm[1].sum() - control[0].sum() / control[1].sum())
    assert found.error == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert found.error == pytest.approx((drawn[1] - drawn[0]).std(), rel=0.12)


def test_a_ratio_to_one_each_is_a_mean() -> None:
    a, b = shop(500, 4)[0], shop(400, 5)[0]
    as_ratio, as_mean = effect((a, np.ones(500)), (b, np.ones(400))), mean(Sums.of(a), Sums.of(b), Fixed(0.05))
    assert isinstance(as_mean, Effect)
    for name in ("difference", "p", "error", "interval", "relative", "relative_interval", "log_ratio", "log_error"):
        assert getattr(as_ratio, name) == pytest.approx(getattr(as_mean, name))


@given(st.integers(30, 300), st.integers(30, 300), st.integers(0, 50), st.sampled_from([0.01, 0.3]))
def test_the_figures_never_disagree(n0: int, n1: int, seed: int, alpha: float) -> None:
    found = ratio(Sums.of(*shop(n0, seed)), Sums.of(*shop(n1, seed + 99, 1.3)), Fixed(alpha))
    assume(isinstance(found, Effect) and abs(found.p - alpha) > 1e-9)
    assert isinstance(found, Effect)
    assert (0 not in found.interval) == (found.p < alpha)
    if found.relative_interval is not None:
        assert (0 not in found.relative_interval) == (found.p < alpha)


def test_a_small_arm_has_even_tails() -> None:
    """A few customers with much of both: the delta method with Welch sees 4.9 % on one side and 1.7 % on the other."""
    rng, sides, plain = np.random.default_rng(6), [0, 0], [0, 0]
    many, n0, n1 = 2000, 200, 2000

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        d = rng.gamma(1.0, 1.0, n)
        return d * rng.gamma(1.0, 1.0, n), d

    for _ in range(many):
        control, arm = draw(n0), draw(n1)
        found = ratio(Sums.of(*control), Sums.of(*arm), Fixed(0.05))
        if isinstance(found, Effect):
            sides[0] += found.interval.high < 0
            sides[1] += found.interval.low > 0
            plain[0] += found.difference < -1.96 * found.error
            plain[1] += found.difference > 1.96 * found.error
    assert max(plain) > 0.042 * many > 2 * min(plain)
    assert all(0.018 * many < side < 0.033 * many for side in sides)


@pytest.mark.parametrize("covariate", [False, True])
def test_the_cumulants_are_those_of_draws(covariate: bool) -> None:
    """x about the root of d: the ratio is bent, and its bias goes against its skewness."""
    rng, n, many = np.random.default_rng(8), (60, 240), 10_000
    levels, variances = [], []
    for size in n:
        d, noise = rng.gamma(1.0, 1.0, (many, size)) + 0.1, rng.gamma(2.0, 1.0, (many, size))
        c = noise - 2.0 if covariate else np.zeros((1, 1))
        theta = float(np.sqrt(d).mean() / d.mean()) if covariate else 0.0
        x = np.sqrt(d) * noise
        r, size_mean = x.sum(axis=1) / d.sum(axis=1), d.mean(axis=1)
        left = (x - r[:, None] * d) / size_mean[:, None] - theta * (c - c.mean(axis=1, keepdims=True))
        levels.append(r - theta * c.mean(axis=1))
        variances.append(left.var(axis=1, ddof=1) / size)
    t = (levels[1] - levels[0]) / np.sqrt(variances[0] + variances[1])
    arms = []
    for size in n:  # the cumulants of the design, from many customers
        d, noise = rng.gamma(1.0, 1.0, 200_000) + 0.1, rng.gamma(2.0, 1.0, 200_000)
        sums = Sums.of(np.sqrt(d) * noise, d, noise if covariate else None)
        arms.append(
            _level(
                msgspec.structs.replace(
                    sums,
                    **{
                        "n": size,
                        **{name: tuple(s * size / sums.n for s in getattr(sums, name)) for name in ("second", "third")},
                    },
                )
            )
        )
    theta = cuped.slope(arms[0].sums, arms[1].sums, arms[0].score, arms[1].score)
    k1, k3, _ = _cumulants(arms[0], arms[1], theta)
    assert k1 == pytest.approx(t.mean(), abs=0.025)
    assert k3 == pytest.approx(((t - t.mean()) ** 3).mean(), abs=0.13)


def test_nothing_to_divide_by_is_no_number() -> None:
    nothing = Sums.of(np.ones(100), np.zeros(100))
    found = ratio(nothing, Sums.of(*shop(100, 1)), Fixed(0.05))
    assert isinstance(found, NotEnoughData)
    assert "denominator" in found.reason
