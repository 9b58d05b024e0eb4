"""Quantiles from order statistics: the same from numpy and DuckDB, near a bootstrap, and with even tails."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom

from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.quantile import Ranks, levels, quantile
from opportune.measure.reading import Fixed, Sequential


def effect(control: np.ndarray, arm: np.ndarray, tau: float = 0.5, alpha: float = 0.05) -> Effect:
    found = quantile(Ranks.of(control, tau), Ranks.of(arm, tau), Fixed(alpha))
    assert isinstance(found, Effect)
    return found


def test_a_database_gives_the_same_ranks() -> None:
    values = np.random.default_rng(1).lognormal(0, 1, 777)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE customers (x DOUBLE)")
    connection.executemany("INSERT INTO customers VALUES (?)", values[:, None].tolist())
    asked = levels(777, 0.9)
    found = connection.execute(f"SELECT quantile_cont(x, {asked}) FROM customers").fetchone()
    assert found is not None
    ours = Ranks.of(values, 0.9)
    assert ours.values == pytest.approx(found[0])
    assert asked == sorted(asked)
    assert asked[0] >= 0
    assert asked[-1] <= 1


def test_against_a_control_that_is_known_it_is_the_interval_of_woodruff() -> None:
    """With a huge control the ends are the order statistics between which a binomial has 95 %."""
    rng = np.random.default_rng(2)
    arm = np.sort(rng.lognormal(0, 1, 500))
    control = 1 + 1e-9 * rng.standard_normal(200_000)
    found = effect(control, arm, 0.7)
    low, high = (arm[int(binom.ppf(tail, 500, 0.7)) - 1] for tail in (0.025, 0.975))
    off = 0.03 * (high - low)
    assert (found.interval.low + 1, found.interval.high + 1) == (
        pytest.approx(low, abs=off),
        pytest.approx(high, abs=off),
    )


def test_the_kth_of_n_stands_for_the_middle_of_its_share() -> None:
    assert effect(np.arange(1.0, 101.0), np.arange(1.0, 101.0), 0.9).value == pytest.approx(90.5)


def test_it_is_near_a_bootstrap() -> None:
    rng = np.random.default_rng(3)
    control, arm = rng.lognormal(0, 1, 4000), 1.2 * rng.lognormal(0, 1, 2000)
    drawn = np.array([
        np.quantile(rng.choice(arm, 2000), 0.5) - np.quantile(rng.choice(control, 4000), 0.5) for _ in range(600)
    ])  # fmt: skip
    found = effect(control, arm)
    assert found.error == pytest.approx(drawn.std(), rel=0.15)
    assert found.interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.35 * found.error)
    assert found.log_error == pytest.approx(found.error / found.value, rel=0.25)


sample = st.tuples(st.integers(25, 300), st.floats(0.5, 2.0), st.integers(0, 99))


@given(sample, sample, st.sampled_from([0.01, 0.05, 0.3]), st.sampled_from([0.5, 0.6]))
def test_the_figures_never_disagree(control, arm, alpha: float, tau: float) -> None:
    pair = [scale * np.random.default_rng(seed).lognormal(0, 1, n) for n, scale, seed in (control, arm)]
    found = quantile(Ranks.of(pair[0], tau), Ranks.of(pair[1], tau), Fixed(alpha))
    assume(isinstance(found, Effect) and abs(found.p - alpha) > 1e-9)
    assert isinstance(found, Effect)
    assert (0 not in found.interval) == (found.p < alpha)
    assert found.difference in found.interval
    if found.relative_interval is not None:
        assert (0 not in found.relative_interval) == (found.p < alpha)
        assert found.relative in found.relative_interval
    back = quantile(Ranks.of(pair[1], tau), Ranks.of(pair[0], tau), Fixed(alpha))
    assert isinstance(back, Effect)
    assert back.p == pytest.approx(found.p, rel=1e-6)
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low), abs=1e-9)


def test_a_scale_changes_the_ratio_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    control, arm = rng.lognormal(0, 1, 300), rng.lognormal(0, 1, 400)
    one, five = effect(control, arm).relative_interval, effect(control, 5 * arm).relative_interval
    assert one is not None
    assert five is not None
    assert [(1 + end) / 5 for end in five] == pytest.approx([1 + end for end in one], rel=1e-9)
    assert effect(5 * control, 5 * arm).p == pytest.approx(effect(control, arm).p)


def test_what_lies_beyond_the_customers_has_no_bound() -> None:
    values = np.random.default_rng(4).lognormal(0, 1, 40)
    found = quantile(Ranks.of(values), Ranks.of(2 * values), Sequential(0.05, planned=1_000_000))
    assert isinstance(found, Effect)
    assert found.interval == (-np.inf, np.inf)
    assert found.relative is None


def test_a_huge_effect_is_beyond_what_is_known_and_still_found() -> None:
    found = effect(np.random.default_rng(5).normal(10, 1, 5000), np.random.default_rng(6).normal(100, 1, 5000))
    assert found.p < 1e-14
    assert found.interval.low > 89


def test_where_there_is_nothing_to_see_there_is_no_number() -> None:
    few = quantile(Ranks.of(np.arange(50.0), 0.9), Ranks.of(np.arange(500.0), 0.9), Fixed(0.05))
    assert isinstance(few, NotEnoughData)
    assert few.more == 551
    zeros = Ranks.of(np.where(np.arange(1000) < 900, 0.0, 5.0))
    nobody = quantile(zeros, zeros, Fixed(0.05))
    assert isinstance(nobody, NotEnoughData)
    assert "all have the value 0" in nobody.reason
    assert isinstance(quantile(Ranks.of([]), Ranks.of([]), Fixed(0.05)), NotEnoughData)
    with pytest.raises(ValueError, match="same one"):
        quantile(Ranks.of(np.arange(50.0), 0.5), Ranks.of(np.arange(50.0), 0.6), Fixed(0.05))
    with pytest.raises(ValueError, match="between 0 and 1"):
        levels(100, 1.0)
    with pytest.raises(ValueError, match="one for each of `levels`"):
        quantile(Ranks(100, 0.5, (1.0, 2.0)), Ranks(100, 0.5, (1.0, 2.0)), Fixed(0.05))
