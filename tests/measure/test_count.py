"""Counts: the score test of single events where they are single, robust where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opportune.measure.count import _Test, count
from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.mean import mean
from opportune.measure.proportion import proportion
from opportune.measure.reading import Fixed
from opportune.measure.sums import Sums


def effect(control: Sums, arm: Sums, alpha: float = 0.05) -> Effect:
    found = count(control, arm, Fixed(alpha))
    assert isinstance(found, Effect)
    return found


def test_single_rare_events_are_the_score_test_of_a_proportion() -> None:
    for k0, k1 in ((10, 304), (4, 250), (20, 200)):
        control, arm = Sums.of_hits(k0, 1000), Sums.of_hits(k1, 19_000)
        found, score = effect(control, arm), proportion(control, arm, Fixed(0.05))
        assert isinstance(score, Effect)
        assert found.p == pytest.approx(score.p, rel=0.1)
        assert found.interval == pytest.approx(score.interval, rel=0.04)
        assert found.log_error == pytest.approx(score.log_error, rel=0.02)


clicks = st.tuples(st.integers(30, 400), st.floats(0.01, 2), st.integers(0, 99))


@given(clicks, clicks, st.sampled_from([0.01, 0.05, 0.3]))
def test_the_figures_never_disagree(control, arm, alpha: float) -> None:
    pair = [Sums.of(np.random.default_rng(seed).poisson(rate, n)) for n, rate, seed in (control, arm)]
    found = count(pair[0], pair[1], Fixed(alpha))
    assume(isinstance(found, Effect) and abs(found.p - alpha) > 1e-9)
    assert isinstance(found, Effect)
    assert (0 not in found.interval) == (found.p < alpha)
    assert found.difference in found.interval
    if found.relative_interval is not None:
        assert (0 not in found.relative_interval) == (found.p < alpha)
    back = count(pair[1], pair[0], Fixed(alpha))
    assert isinstance(back, Effect)
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low), rel=1e-6, abs=1e-9)


def test_customers_who_click_much_widen_it() -> None:
    rng = np.random.default_rng(1)
    even, uneven = rng.poisson(0.5, (2, 4000)), rng.poisson(rng.gamma(0.5, 1.0, (2, 4000)))
    assert effect(*map(Sums.of, uneven)).error == pytest.approx(
        np.sqrt(uneven.var(axis=1, ddof=1).sum() / 4000), rel=0.02
    )
    assert effect(*map(Sums.of, uneven)).error > 1.3 * effect(*map(Sums.of, even)).error


def test_a_count_that_few_make_is_compared_as_a_mean() -> None:
    rng = np.random.default_rng(2)
    pair = [Sums.of(np.where(rng.random(2000) < 0.01, rng.geometric(0.05, 2000), 0)) for _ in range(2)]
    assert count(pair[0], pair[1], Fixed(0.05)) == mean(pair[0], pair[1], Fixed(0.05))


def test_the_cumulants_are_those_of_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer in ten clicks, and then goes on clicking in seven of ten cases."""
    monkeypatch.setattr("opportune.measure.count.MOST_EXCESS", 1.0)
    rng, n, many = np.random.default_rng(3), (400, 7600), 12_000
    chances = np.array([0.9, *(0.1 * 0.3 * 0.7 ** np.arange(60))])
    powers = np.arange(61.0)[:, None] ** np.array([1, 2, 3])
    arms = [
        [
            Sums.from_powers(size, dict(zip(("x", "xx", "xxx"), row)))
            for row in rng.multinomial(size, chances, many) @ powers
        ]
        for size in n
    ]
    design = _Test.of(*(Sums.from_powers(size, dict(zip(("x", "xx", "xxx"), size * chances @ powers))) for size in n))
    assert design is not None
    monkeypatch.setattr("opportune.measure.count.wilson_hilferty", lambda t, k1, k3: t)
    tests = [_Test.of(*pair) for pair in zip(*arms)]
    t = np.array([test.difference(0.0) for test in tests if test is not None])
    assert len(t) == many
    assert design.k1 == pytest.approx(t.mean(), abs=0.03)
    assert design.k3 == pytest.approx(((t - t.mean()) ** 3).mean(), abs=0.11)


def test_nothing_counted_is_no_number_and_one_arm_without_is_one() -> None:
    none, some = Sums.of(np.zeros(500)), Sums.of_hits(9, 500)
    assert isinstance(count(none, none, Fixed(0.05)), NotEnoughData)
    assert isinstance(count(Sums(), some, Fixed(0.05)), NotEnoughData)
    found = effect(none, some)
    assert found.p < 0.01
    assert found.relative is None
    assert found.log_ratio is not None
    back = effect(some, none)
    assert back.relative == -1
    assert back.relative_interval is not None
    assert back.relative_interval.low == -1
    with pytest.raises(ValueError, match="compare a mean"):
        count(Sums.of(-np.ones(30)), some, Fixed(0.05))
