"""CUPED: it saves what the covariate foretells, no more, and never moves the effect."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.measure.effect import Effect
from opportune.measure.mean import mean
from opportune.measure.ratio import ratio
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums


def arms(foretold: float, seed: int = 1, n: tuple[int, int] = (3000, 5000), gap: float = 0.0):
    """Return control and arm whose value correlates so much with what was before; `gap` moves the covariate."""
    rng = np.random.default_rng(seed)
    found = []
    for size, shift, effect in zip(n, (0.0, gap), (0.0, 0.1)):
        before = rng.normal(3, 2, size) + shift
        value = 10 + effect + foretold * (before - 3) / 2 + np.sqrt(1 - foretold**2) * rng.normal(0, 1, size)
        found.append((value, before))
    return found


def effect(pair, covariate: bool = True) -> Effect:
    control, arm = (Sums.of(x, before=c if covariate else None) for x, c in pair)
    found = mean(control, arm, Fixed(0.05))
    assert isinstance(found, Effect)
    return found


@pytest.mark.parametrize("foretold", [0.0, 0.3, 0.9])
def test_it_saves_the_square_of_the_correlation(foretold: float) -> None:
    plain, adjusted = effect(arms(foretold), False), effect(arms(foretold))
    assert plain.variance_saved == 0
    assert adjusted.variance_saved == pytest.approx(foretold**2, abs=0.02)
    assert (adjusted.error / plain.error) ** 2 == pytest.approx(1 - adjusted.variance_saved, rel=1e-9)


def test_it_is_the_regression_on_arm_and_covariate() -> None:
    pair = arms(0.8)
    x, c = (np.concatenate([arm[at] for arm in pair]) for at in (0, 1))
    which = np.repeat([0.0, 1.0], [len(pair[0][0]), len(pair[1][0])])
    slopes = np.linalg.lstsq(np.stack([np.ones_like(x), which, c], axis=1), x, rcond=None)[0]
    found = effect(pair)
    assert found.difference == pytest.approx(slopes[1], rel=1e-9)
    assert found.value - found.control == pytest.approx(found.difference, rel=1e-9)
    middle = slopes[0] + slopes[2] * c.mean()
    assert found.control == pytest.approx(middle, rel=1e-9)


def test_an_uneven_start_is_evened_out() -> None:
    uneven = arms(0.9, gap=0.5)
    assert effect(uneven, False).difference > 0.25
    assert abs(effect(uneven).difference - 0.1) < 4 * effect(uneven).error


def test_the_unit_and_origin_of_the_covariate_do_not_matter() -> None:
    pair = arms(0.7)
    moved = [(x, 1000 - 30 * c) for x, c in pair]
    one, other = effect(pair), effect(moved)
    assert one.relative_interval is not None
    for name in ("difference", "p", "interval", "relative_interval", "variance_saved"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6)


def test_a_covariate_that_is_the_same_for_all_changes_nothing() -> None:
    pair = [(x, np.full_like(x, 7.0)) for x, _ in arms(0.5)]
    assert effect(pair) == effect(pair, False)


def test_the_relative_interval_knows_that_the_covariates_mean_was_drawn() -> None:
    """Where the arm has many times the value of control, c's mean matters: its noise is part of the ratio's."""
    rng, held, many = np.random.default_rng(8), 0, 1500
    for _ in range(many):
        pair = []
        for factor in (1.0, 3.0):
            before = rng.normal(5, 1, 100)
            pair.append((factor * before + rng.normal(0, 0.3, 100), before))
        found = effect(pair)
        assert found.relative_interval is not None
        held += 2.0 in found.relative_interval
    assert 0.935 < held / many < 0.967


def test_a_ratio_is_helped_too() -> None:
    rng, pair = np.random.default_rng(9), []
    for _ in range(2):
        d = 1.0 + rng.poisson(3, 4000)
        kind = rng.normal(1, 0.3, 4000)
        pair.append((d * kind + rng.normal(0, 0.2, 4000), d, kind + rng.normal(0, 0.1, 4000)))
    plain, adjusted = (ratio(*(Sums.of(*arm[:columns]) for arm in pair), Fixed(0.05)) for columns in (2, 3))
    assert isinstance(plain, Effect)
    assert isinstance(adjusted, Effect)
    assert adjusted.variance_saved > 0.6
    assert (adjusted.error / plain.error) ** 2 == pytest.approx(1 - adjusted.variance_saved)
    assert abs(adjusted.difference) < 4 * adjusted.error
