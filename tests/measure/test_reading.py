"""Fixed and sequential readings: their promises by simulation, and p in agreement with the critical value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from opportune.bench.lab_sequential import CELLS, NINETY, covered, found, found_in_rates, score, tables
from opportune.errors import BadInput
from opportune.measure.reading import Fixed, Sequential, _crossing, running

alphas = st.floats(1e-9, 0.5)
units = st.floats(1, 1e8)
plans = st.none() | st.floats(10, 1e7)
PLANNED = Sequential(0.05, 20_000)


@given(st.floats(0, 30), units, alphas)
def test_fixed_is_the_normal_test(z: float, n: float, alpha: float) -> None:
    assert Fixed(alpha).critical(n) == pytest.approx(norm.isf(alpha / 2), rel=1e-9)
    assert Fixed(alpha).p(-z, n) == pytest.approx(2 * norm.sf(z), rel=1e-9)


@given(st.floats(-30, 30), units, alphas, plans)
def test_p_agrees_with_the_critical_value(z: float, n: float, alpha: float, planned: float | None) -> None:
    for reading in (Fixed(alpha), Sequential(alpha, planned)):
        critical = reading.critical(n)
        if abs(abs(z) - critical) > 1e-9:
            assert (reading.p(z, n) < alpha) == (abs(z) > critical)


@given(units, alphas, plans)
def test_p_at_the_critical_value_is_alpha(n: float, alpha: float, planned: float | None) -> None:
    reading = Sequential(alpha, planned)
    assert reading.p(reading.critical(n), n) == pytest.approx(alpha, rel=1e-6)
    assert reading.p(-reading.critical(n), n) == reading.p(reading.critical(n), n)


@given(units, plans, st.floats(0, 20), st.floats(0, 20))
def test_more_evidence_never_raises_p(n: float, planned: float | None, a: float, b: float) -> None:
    reading = Sequential(0.05, planned)
    assert reading.p(max(a, b), n) <= reading.p(min(a, b), n) <= 1


@given(units, plans, alphas)
def test_asks_for_more_than_one_look_would(n: float, planned: float | None, alpha: float) -> None:
    assert Sequential(alpha, planned).critical(n) > Fixed(alpha).critical(n)


def test_before_the_first_customer_nothing_is_ruled_out() -> None:
    assert PLANNED.critical(0) == math.inf
    assert PLANNED.p(50, 0) == 1.0
    assert PLANNED.p(0, 20_000) == 1.0


def test_the_plan_counts_not_the_scale() -> None:
    assert Sequential(0.05, 100).critical(50) == Sequential(0.05, 1_000_000).critical(500_000)
    assert Sequential(0.05, 100).p(3, 130) == Sequential(0.05, 1_000_000).p(3, 1_300_000)


def test_overshooting_the_plan_costs_little_and_is_allowed_for_ever() -> None:
    at_plan = PLANNED.critical(20_000)
    assert at_plan == pytest.approx(2.329, abs=1e-3)
    assert PLANNED.critical(20_001) == pytest.approx(at_plan, abs=1e-3)
    assert PLANNED.critical(21_000) < 2.45
    half_widths = [PLANNED.critical(n) / math.sqrt(n) for n in (20_000, 60_000, 200_000, 2_000_000)]
    assert half_widths == sorted(half_widths, reverse=True)


@pytest.mark.parametrize("c", [0.5, 1.0, 2.0, 3.0])
def test_crossing_is_the_reflection_and_the_line_together(c: float) -> None:
    """2 Phi(-c) up to the plan, then the survivors' density times exp(-2 x slope x distance), by quadrature."""
    x = np.linspace(c - 40, c, 400_001)
    survivors = norm.pdf(x) - norm.pdf(2 * c - x)
    beyond = np.trapezoid(survivors * np.exp(-2 * 1.5 * c * (c - x)), x)
    assert _crossing(c) == pytest.approx(2 * (2 * norm.sf(c) + beyond), rel=1e-6)


@given(st.floats(0, 38), st.floats(0, 38))
def test_crossing_falls(a: float, b: float) -> None:
    assert _crossing(max(a, b)) <= _crossing(min(a, b))


def test_false_positives_over_52_looks_and_5000() -> None:
    assert 0.02 < found(PLANNED, 20_000, n_simulations=20_000) < 0.04
    assert found(Sequential(0.05), 20_000, n_simulations=20_000) < 0.05
    assert 0.03 < found(PLANNED, 20_000, looks=5_000, until=5, n_simulations=2_000) < 0.05
    assert found(Fixed(0.05), 20_000, n_simulations=2_000) > 0.25


def test_power_where_the_fixed_test_has_90_percent() -> None:
    assert found(Fixed(0.05), 20_000, looks=1, drift=NINETY, n_simulations=20_000) == pytest.approx(0.9, abs=0.01)
    assert found(PLANNED, 20_000, drift=NINETY, n_simulations=20_000) > 0.83
    assert found(PLANNED, 20_000, looks=65, until=1.25, drift=NINETY, n_simulations=20_000) > 0.87
    assert found(PLANNED, 20_000, looks=104, until=2, drift=-NINETY, n_simulations=20_000) > 0.91


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_rates_by_the_score_test_are_rarely_different_by_chance(cell: tuple[int, int, float]) -> None:
    low, high = found_in_rates(Sequential(0.05, cell[0] + cell[1]), cell, n_simulations=10_000)
    assert low + high < 0.04


def test_a_true_lift_of_rates_is_found_on_its_side() -> None:
    low, high = found_in_rates(Sequential(0.05, 40_000), CELLS["20,000/20,000 at 4 %"], lift=0.16, n_simulations=2_000)
    assert high > 0.8
    assert low < 0.005


def test_all_intervals_together_cover() -> None:
    assert covered(Sequential(0.05, 2_080), 1_040, n_simulations=1_000) > 0.95
    assert covered(Fixed(0.05), 1_040, n_simulations=500) < 0.8


@pytest.mark.long
def test_tables_in_full() -> None:
    rows = tables(100_000)
    assert rows["false positives, 52 looks"] < 0.05
    assert rows["power, 52 looks"] > 0.84
    assert rows["false positives, 5,000 looks up to 5 plans"] < 0.05 < rows["false positives, 52 looks, Fixed"]
    assert rows["all 52 intervals cover"] > 0.95
    for name in CELLS:
        assert rows[f"worse, {name}"] + rows[f"better, {name}"] < 0.05


def test_score_is_the_pooled_one() -> None:
    z = score(10, 100, 20, 100)
    assert z == pytest.approx(0.1 / math.sqrt(0.15 * 0.85 * 0.02))
    assert score(0, 100, 0, 100) == 0


def test_running_keeps_the_smallest() -> None:
    assert running([0.5, 0.2, 0.3, 0.01]) == [0.5, 0.2, 0.2, 0.01]
    assert running([]) == []


def test_what_cannot_be_is_refused() -> None:
    for alpha in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(BadInput, match="alpha"):
            Fixed(alpha)
        with pytest.raises(BadInput, match="alpha"):
            Sequential(alpha)
    for planned in (0, -5, math.nan):
        with pytest.raises(BadInput, match="planned"):
            Sequential(0.05, planned)
