"""The Bayesian view: the reference engine's figures, closed forms against draws, and what a prior does."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import pytest

from opportune.measure.bayes import Belief, belief, posterior, relative_belief
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums


def effect_of(log_ratio: float | None, log_error: float | None) -> Effect:
    return Effect((1, 1), 1.0, 1.0, 0.0, Interval(0, 0), 0.0, None, 1.0, 1.0, log_ratio, log_error)


def believed(*given: float) -> Belief:
    found = relative_belief(effect_of(*given[:2]), *given[2:])
    assert isinstance(found, Belief)
    return found


def test_the_reference_example() -> None:
    """49 of 100 against 51 of 100, relative to control, with a flat prior."""
    error = sqrt(0.51 * 0.49 / 100) * sqrt(1 / 0.49**2 + 0.51**2 / 0.49**4)
    found = belief(2 / 49, error)
    assert round(found.chance, 5) == 0.60918
    assert [round(end, 5) for end in found.interval] == [-0.24779, 0.32943]
    assert (round(found.control_risk, 4), round(found.arm_risk, 5)) == (0.0814, 0.04058)


@pytest.mark.parametrize(("mean", "error", "prior"), [(0.1, 0.2, inf), (-0.3, 0.4, 0.2), (0.5, 0.1, 0.3)])
def test_closed_forms_are_those_of_draws(mean: float, error: float, prior: float) -> None:
    found = believed(mean, error, 0.05, prior)
    middle, sd = posterior(mean, error, 0.05, prior)
    lifts = np.expm1(np.random.default_rng(1).normal(middle, sd, 400_000))
    assert found.chance == pytest.approx((lifts > 0).mean(), abs=0.004)
    assert found.mean == pytest.approx(lifts.mean(), abs=0.004)
    assert found.arm_risk == pytest.approx(np.maximum(-lifts, 0).mean(), abs=0.003)
    assert found.control_risk == pytest.approx(np.maximum(lifts, 0).mean(), abs=0.004)
    assert found.interval == pytest.approx(np.quantile(lifts, [0.025, 0.975]), abs=0.01)


def test_a_prior_pulls_and_a_certain_one_does_not_give_way() -> None:
    flat, held = believed(0.4, 0.2), believed(0.4, 0.2, 0.0, 0.1)
    assert flat.mean > held.mean > 0
    assert flat.chance > held.chance
    assert posterior(0.4, 0.2, 0.0, 0.1)[0] == pytest.approx(0.4 * 0.01 / 0.05)
    certain = believed(0.4, 0.2, log(1.1), 0.0)
    assert (certain.chance, certain.mean) == (1.0, pytest.approx(0.1))
    assert believed(0.4, 1e-9).interval == pytest.approx((np.expm1(0.4),) * 2, abs=1e-6)


def test_the_belief_is_calibrated_under_its_own_prior() -> None:
    rng, hits, chances = np.random.default_rng(2), 0, []
    for _ in range(2000):
        lift = np.exp(rng.normal(0.0, 0.2))
        control, arm = rng.binomial(3000, 0.04), rng.binomial(3000, 0.04 * lift)
        effect = compare("proportion", Sums.of_hits(int(control), 3000), Sums.of_hits(int(arm), 3000), Fixed(0.05))
        assert isinstance(effect, Effect)
        found = relative_belief(effect, 0.0, 0.2)
        assert isinstance(found, Belief)
        hits += lift - 1 in found.interval
        chances.append((found.chance, lift > 1))
    assert 0.935 < hits / 2000 < 0.965
    sure = [better for chance, better in chances if 0.7 < chance < 0.9]
    assert 0.74 < np.mean(sure) < 0.86


def test_no_ratio_no_belief() -> None:
    assert isinstance(relative_belief(effect_of(None, None)), NotEnoughData)
