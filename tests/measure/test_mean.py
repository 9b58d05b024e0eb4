"""Means: Welch to the digit where nothing is skewed, even tails for money, and a refusal where there can be none."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from opportune.measure.effect import Effect, NotEnoughData
from opportune.measure.levels import MOST_SKEW
from opportune.measure.mean import mean
from opportune.measure.proportion import proportion
from opportune.measure.reading import Fixed, Sequential
from opportune.measure.sums import THIRD, Sums


def effect(control: Sums, arm: Sums, reading=None) -> Effect:
    found = mean(control, arm, reading or Fixed(0.05))
    assert isinstance(found, Effect)
    return found


def straight(sums: Sums) -> Sums:
    """Return sums of customers who are not skewed."""
    return msgspec.structs.replace(sums, third=(0.0,) * len(THIRD))


def test_the_reference_example_of_welch() -> None:
    control = Sums.from_powers(3407, {"x": 1396.87, "xx": 52377.9767})
    arm = Sums.from_powers(3461, {"x": 2422.7, "xx": 134698.29})
    found = effect(straight(control), straight(arm))
    assert round(found.difference, 5) == 0.29
    assert [round(end, 5) for end in found.interval] == [0.04538, 0.53462]
    assert round(found.p, 5) == 0.02016


@pytest.mark.parametrize("n", [(20, 25), (40, 300), (3000, 2000)])
def test_it_is_welch_without_skewness(n: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(5, 2, n[0]), rng.normal(5.7, 1, n[1])
    theirs = CompareMeans(DescrStatsW(b), DescrStatsW(a))
    found = effect(straight(Sums.of(a)), straight(Sums.of(b)), Fixed(0.01))
    assert found.p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-9)
    assert found.interval == pytest.approx(theirs.tconfint_diff(0.01, usevar="unequal"), rel=1e-9)


def test_the_relative_interval_is_that_of_fieller() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(5, 2, 4000), rng.normal(5.7, 1, 3000)
    found = effect(straight(Sums.of(a)), straight(Sums.of(b)))
    assert found.relative_interval is not None
    for rho, sign in zip(found.relative_interval, (1, -1)):
        ratio = 1 + rho
        z = (b.mean() - ratio * a.mean()) / np.sqrt(b.var(ddof=1) / 3000 + ratio**2 * a.var(ddof=1) / 4000)
        assert z == pytest.approx(sign * 1.96, abs=2e-3)


money = st.tuples(st.integers(25, 400), st.floats(0.05, 1), st.floats(0, 1), st.integers(0, 99))


def customers(kind) -> np.ndarray:
    n, share, sigma, seed = kind
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < share, rng.lognormal(1, sigma, n), 0.0)


@given(money, money, st.sampled_from([0.001, 0.05, 0.4]), st.booleans())
def test_the_figures_never_disagree(control, arm, alpha: float, covariate: bool) -> None:
    pair = []
    for kind in (control, arm):
        x = customers(kind)
        before = x * 0.5 + np.random.default_rng(kind[3] + 7).normal(0, 1, len(x)) if covariate else None
        pair.append(Sums.of(x, before=before))
    found = mean(pair[0], pair[1], Fixed(alpha))
    assume(isinstance(found, Effect) and abs(found.p - alpha) > 1e-9)
    assert isinstance(found, Effect)
    assert (0 not in found.interval) == (found.p < alpha)
    if found.relative_interval is not None:
        assert (0 not in found.relative_interval) == (found.p < alpha)
        assert found.relative == pytest.approx(found.value / found.control - 1)
        assert found.interval.low < found.difference < found.interval.high
    back = mean(pair[1], pair[0], Fixed(alpha))
    assert isinstance(back, Effect)
    assert back.p == pytest.approx(found.p, rel=1e-6)
    assert back.interval == pytest.approx((-found.interval.high, -found.interval.low), rel=1e-6, abs=1e-9)


def test_a_scale_changes_nothing_but_the_unit() -> None:
    a, b = customers((300, 0.3, 0.5, 1)), customers((200, 0.4, 0.5, 2))
    one, hundred = effect(Sums.of(a), Sums.of(b)), effect(Sums.of(100 * a), Sums.of(100 * b))
    assert hundred.p == pytest.approx(one.p)
    assert hundred.interval == pytest.approx([100 * end for end in one.interval])
    assert hundred.relative_interval == pytest.approx(one.relative_interval)


def test_too_skewed_for_a_small_arm_is_no_number_but_how_many_more() -> None:
    rng = np.random.default_rng(3)

    def spend(n: int) -> Sums:
        return Sums.of(np.where(rng.random(n) < 0.01, rng.lognormal(0, 1.5, n), 0.0))

    found = mean(spend(1000), spend(19_000), Fixed(0.05))
    assert isinstance(found, NotEnoughData)
    assert "few customers make most" in found.reason
    assert found.more is not None
    assert found.more > 20_000
    assert isinstance(mean(spend(10_000), spend(10_000), Fixed(0.05)), Effect)


def test_the_refusal_asks_for_as_many_as_it_takes() -> None:
    def zeros_and_ones(n: int) -> Sums:
        return Sums.from_powers(n, dict.fromkeys(("x", "xx", "xxx"), 0.004 * n))

    refused = mean(zeros_and_ones(1000), zeros_and_ones(19_000), Fixed(0.05))
    assert isinstance(refused, NotEnoughData)
    assert refused.more is not None
    size = 20_000 + refused.more
    assert isinstance(mean(zeros_and_ones(size // 20 + 1), zeros_and_ones(size * 19 // 20 + 1), Fixed(0.05)), Effect)
    fewer = size * 95 // 100
    assert isinstance(mean(zeros_and_ones(fewer // 20), zeros_and_ones(fewer * 19 // 20), Fixed(0.05)), NotEnoughData)
    assert MOST_SKEW == 0.4


def test_a_rare_event_read_as_a_mean_agrees_with_the_score_test() -> None:
    control, arm = Sums.of_hits(15, 1000), Sums.of_hits(450, 19_000)
    as_mean, as_share = effect(control, arm), proportion(control, arm, Fixed(0.05))
    assert isinstance(as_share, Effect)
    assert as_mean.p == pytest.approx(as_share.p, rel=0.1)
    assert as_mean.interval.low == pytest.approx(as_share.interval.low, rel=0.1)


def test_the_log_of_a_small_mean_is_without_bias() -> None:
    """Without the correction it would be .01 on average."""
    rng, many = np.random.default_rng(6), 6000
    found = [mean(*(Sums.of(rng.gamma(2.0, 1.0, n)) for n in (20, 100)), Fixed(0.2)) for _ in range(many)]
    logs = [effect.log_ratio for effect in found if isinstance(effect, Effect) and effect.log_ratio is not None]
    assert len(logs) > 0.98 * many
    assert abs(np.mean(logs)) < 3 * np.std(logs) / np.sqrt(many) < 0.0075


def test_what_has_no_spread_or_no_customers_has_no_number() -> None:
    same = Sums.of(np.full(50, 3.0))
    assert isinstance(mean(same, same, Fixed(0.05)), NotEnoughData)
    few = mean(Sums.of([1.0, 2.0]), Sums.of(np.arange(100.0)), Fixed(0.05))
    assert isinstance(few, NotEnoughData)
    assert few.more == 18 * 102 // 2
    assert isinstance(mean(Sums(), same, Fixed(0.05)), NotEnoughData)


def test_control_that_may_be_zero_has_no_relative_effect() -> None:
    rng = np.random.default_rng(4)
    found = effect(Sums.of(rng.normal(0.05, 1, 100)), Sums.of(rng.normal(0.5, 1, 100)))
    assert (found.relative, found.relative_interval, found.log_ratio) == (None, None, None)
    assert found.p < 0.05


def test_a_sequential_reading_far_from_its_plan_is_wide_but_ends() -> None:
    a, b = customers((200, 0.5, 0.5, 1)), customers((200, 0.5, 0.5, 2))
    found = effect(Sums.of(a), Sums.of(b), Sequential(0.05, planned=10_000_000))
    assert np.isfinite(found.interval).all()
    assert found.interval.high - found.interval.low > 100 * found.error
    assert found.p > 0.5


def test_hillstrom(data_folder: Path) -> None:
    """The published effects of the women's mail on 42,693 real customers."""
    with gzip.open(data_folder / "hillstrom_womens.csv.gz", "rt") as lines:
        names, *rows = csv.reader(lines)
    at = {name: np.array([row[position] for row in rows]) for position, name in enumerate(names)}
    treated = at["segment"] != "No E-Mail"

    def arms(column: str, before: str | None = None) -> tuple[Sums, Sums]:
        return tuple(
            Sums.of(at[column][who].astype(float), before=at[before][who].astype(float) if before else None)
            for who in (~treated, treated)
        )  # type: ignore[return-value]

    visit = proportion(*arms("visit"), Fixed(0.05))
    conversion = proportion(*arms("conversion"), Fixed(0.05))
    assert isinstance(visit, Effect)
    assert isinstance(conversion, Effect)
    assert round(100 * visit.difference, 3) == 4.523
    assert round(100 * conversion.difference, 3) == 0.311
    assert conversion.p == pytest.approx(1.6e-4, abs=5e-6)
    spend = effect(*arms("spend"))
    assert (round(spend.difference, 3), round(spend.error, 3)) == (0.424, 0.13)
    adjusted = effect(*arms("spend", "history"))
    assert round(adjusted.variance_saved, 4) == 0.0004
