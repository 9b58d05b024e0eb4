"""Pooling against published figures, statsmodels, its own likelihood, and planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import (
    Estimate,
    FloatArray,
    Pooled,
    arrays,
    half_width,
    hartung_knapp,
    moments,
    pool,
    predicted,
    random_effects,
    reach,
    restricted,
    weighted,
)

BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619], [33, 5036, 47, 5761],
        [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892], [29, 7470, 45, 7232],
        [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338], [27, 16886, 29, 17825],
    ], float,
)  # fmt: skip
"""Tuberculosis: ill and well of the vaccinated, ill and well of the others (Colditz et al. 1994)."""


def bcg() -> tuple[FloatArray, FloatArray]:
    ill, well, ill_without, well_without = BCG.T
    ratio = np.log(ill / (ill + well)) - np.log(ill_without / (ill_without + well_without))
    return ratio, 1 / ill - 1 / (ill + well) + 1 / ill_without - 1 / (ill_without + well_without)


def flows(rng: np.random.Generator, runs: int, count: int, spread: float) -> tuple[FloatArray, FloatArray]:
    control = rng.binomial(2000, 0.04, (runs, count)) + 0.5
    treated = rng.binomial(2000, 0.04 * np.exp(rng.normal(0, spread, (runs, count)))) + 0.5
    return np.log(treated / control), 1 / treated + 1 / control - 2 / 2000.5


def test_the_published_figures_of_the_vaccine_trials() -> None:
    values, variances = bcg()
    pooled = pool([Estimate(float(y), float(v**0.5)) for y, v in zip(values, variances)])
    assert isinstance(pooled, Pooled)
    assert pooled.log_ratio == pytest.approx(-0.7145, abs=5e-5)
    assert pooled.tau2 == pytest.approx(0.3132, abs=5e-5)
    assert pooled.q == pytest.approx(152.233, abs=5e-4)
    assert pooled.i2 == pytest.approx(0.9222, abs=5e-5)
    assert pooled.p < 1e-20
    assert weighted(values, variances, pooled.tau2)[1] == pytest.approx(0.1798, abs=5e-5)
    assert moments(values, variances) == pytest.approx(0.3088, abs=5e-5)
    assert weighted(values, variances, moments(values, variances)) == pytest.approx((-0.7141, 0.1787), abs=5e-5)
    assert weighted(values, variances) == pytest.approx((-0.4303, 0.0405), abs=5e-5)


@pytest.mark.parametrize("seed", range(2, 6))
def test_statsmodels_agrees(seed: int) -> None:
    rng = np.random.default_rng(seed)
    variances = rng.uniform(0.01, 0.1, 9)
    values = rng.normal(0.1, 0.5 * seed, 9)
    theirs = combine_effects(values, variances, method_re="dl")
    tau2 = moments(values, variances)
    assert theirs.tau2 > 0
    assert tau2 == pytest.approx(theirs.tau2, abs=1e-12)
    assert weighted(values, variances)[0] == pytest.approx(theirs.mean_effect_fe)
    assert random_effects(values, variances).q == pytest.approx(theirs.q)
    mean, error = hartung_knapp(values, variances, tau2)
    assert mean == pytest.approx(theirs.mean_effect_re)
    assert error**2 == pytest.approx(theirs.var_hksj_re)


def likelihood(values: FloatArray, variances: FloatArray, tau2: float) -> float:
    """The restricted likelihood as the density of all contrasts between flows, by linear algebra."""
    contrasts = np.eye(len(values))[1:] - 1 / len(values)
    spread = contrasts @ np.diag(variances + tau2) @ contrasts.T
    seen = contrasts @ values
    return float(-np.linalg.slogdet(spread)[1] / 2 - seen @ np.linalg.solve(spread, seen) / 2)


@given(
    st.lists(st.tuples(st.floats(-2, 2), st.floats(0.02, 1)), min_size=2, max_size=9),
    st.lists(st.floats(0, 8), min_size=1, max_size=5),
)
def test_no_spread_is_more_likely_than_the_one_found(pairs: list[tuple[float, float]], others: list[float]) -> None:
    values, errors = np.array(pairs).T
    tau2 = float(restricted(values, errors**2))
    best = likelihood(values, errors**2, tau2)
    assert 0 <= tau2 <= np.ptp(values) ** 2 + 1e-300
    for other in (0.0, *others, tau2 * 0.99, tau2 * 1.01 + 1e-9):
        assert best >= likelihood(values, errors**2, other) - 1e-7


def test_a_lower_hill_is_not_taken_for_the_top() -> None:
    values, errors = np.array([0.0, 0.02, 3.0, -3.0]), np.array([0.01, 0.01, 1.5, 1.5])
    tau2 = float(restricted(values, errors**2))
    every = [likelihood(values, errors**2, t) for t in np.geomspace(1e-8, 36, 4000)]
    assert likelihood(values, errors**2, tau2) >= max(every) - 1e-9


def test_rows_are_read_as_each_alone() -> None:
    values, variances = flows(np.random.default_rng(1), 20, 7, 0.2)
    together = random_effects(values, variances)
    for row in range(20):
        alone = random_effects(values[row], variances[row])
        assert [float(field[row]) for field in together] == pytest.approx([float(field) for field in alone])


def test_flows_that_happen_to_agree_do_not_say_everything() -> None:
    pooled = pool([Estimate(0.1, 0.05), Estimate(0.1, 0.05)])
    assert isinstance(pooled, Pooled)
    assert (pooled.tau2, pooled.error) == pytest.approx((0.0, 0.0))
    assert pooled.interval.high - pooled.log_ratio == pytest.approx(0.05 / 2**0.5)
    assert pooled.relative_interval.low == pytest.approx(np.expm1(pooled.interval.low))


def test_shares_have_no_bound_where_no_number_holds_it() -> None:
    pooled = pool([Estimate(-90.0, 1.0), Estimate(90.0, 1.0)])
    assert isinstance(pooled, Pooled)
    assert tuple(pooled.relative_interval) == (-1.0, float("inf"))


def test_one_flow_is_not_enough_and_nonsense_is_refused() -> None:
    assert isinstance(pool([Estimate(0.1, 0.1)]), NotEnoughData)
    assert isinstance(pool([]), NotEnoughData)
    for log_ratio, error in ((float("nan"), 1.0), (0.0, 0.0), (0.0, float("inf")), (0.0, -1.0)):
        with pytest.raises(ValueError, match="leave the flow out"):
            Estimate(log_ratio, error, "spring")


@pytest.mark.parametrize(("count", "spread"), [(3, 0.0), (5, 0.1), (12, 0.0), (12, 0.1)])
def test_the_interval_of_the_mean_leaves_the_truth_out_in_one_of_twenty(count: int, spread: float) -> None:
    values, variances = flows(np.random.default_rng(count), 20_000, count, spread)
    fit = random_effects(values, variances)
    out = float((np.abs(fit.mean) > half_width(fit, count, 0.05)).mean())
    assert (0.033 if count < 5 else 0.044) <= out <= 0.055
    fixed, error = weighted(values, variances)
    assert (float((np.abs(fixed) > 1.96 * error).mean()) > 0.08) == (spread > 0)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.15, 0.25])
def test_the_next_flow_falls_into_its_interval(spread: float) -> None:
    values, variances = flows(np.random.default_rng(2), 8000, 13, spread)
    fit = random_effects(values[:, :12], variances[:, :12])
    away = np.abs(values[:, 12] - fit.mean)
    assert 0.87 <= float((away <= reach(12, fit.error, fit.tau2, variances[:, 12], 0.1)).mean()) <= 0.93


def test_a_prediction_is_wider_for_a_smaller_flow() -> None:
    estimates = [Estimate(x, 0.05) for x in (0.1, 0.2, 0.0, 0.15)]
    pooled = pool(estimates)
    assert isinstance(pooled, Pooled)
    assert pooled.typical == pytest.approx(0.05)
    assert predicted(pooled) == predicted(pooled, 0.05)
    widths = [predicted(pooled, error).high - pooled.log_ratio for error in (0.0, 0.05, 0.2)]
    assert widths == sorted(widths)
    assert widths[0] > 0
    assert arrays(estimates)[1] == pytest.approx(0.0025)
