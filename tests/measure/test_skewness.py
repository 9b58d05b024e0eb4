"""Curves that take skewness out: monotone, inverse to each other, and right to second order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from opportune.measure.skewness import (
    hall,
    hall_inverse,
    imbalance,
    normal_of_student,
    student_of_normal,
    wilson_hilferty,
)

ts = st.floats(-30, 30)
cumulants = st.floats(-0.9, 0.9)


@given(ts, cumulants, cumulants)
def test_hall_is_inverted(t: float, k1: float, k3: float) -> None:
    assert hall_inverse(hall(t, k1, k3), k1, k3) == pytest.approx(t, rel=1e-4, abs=1e-4)


@given(ts, st.floats(0.001, 5), cumulants, cumulants)
def test_curves_never_turn_back(t: float, step: float, k1: float, k3: float) -> None:
    assert hall(t + step, k1, k3) >= hall(t, k1, k3) - 1e-12
    assert wilson_hilferty(t + step, k1, k3) >= wilson_hilferty(t, k1, k3) - 1e-12


@pytest.mark.parametrize("curve", [hall, wilson_hilferty])
def test_curves_agree_with_the_second_order_expansion(curve) -> None:
    for t in (-2.0, 0.5, 2.0):
        for k1, k3 in ((0.01, 0.02), (-0.02, 0.01)):
            assert curve(t, k1, k3) == pytest.approx(t - k1 - k3 * (t * t - 1) / 6, abs=3e-4)


@pytest.mark.parametrize("shape", [10.0, 100.0])
def test_a_gamma_variable_becomes_normal(shape: float) -> None:
    for tail in (0.005, 0.025, 0.975, 0.995):
        t = (stats.gamma.ppf(tail, shape) - shape) / np.sqrt(shape)
        assert wilson_hilferty(t, 0.0, 2 / np.sqrt(shape)) == pytest.approx(stats.norm.ppf(tail), abs=0.02)


def test_studentized_skew_samples_have_even_tails() -> None:
    rng, n = np.random.default_rng(3), 60
    samples = rng.exponential(1.0, (20_000, n))
    t = (samples.mean(axis=1) - 1) / samples.std(axis=1, ddof=1) * np.sqrt(n)
    skew = 2 / np.sqrt(n)
    z = np.array([hall(normal_of_student(value, n - 1), -skew / 2, -2 * skew) for value in t])
    plain, taken_out = [((v < -1.96).mean(), (v > 1.96).mean()) for v in (t, z)]
    assert plain[0] > 0.05
    assert plain[1] < 0.012
    assert all(0.018 < tail < 0.035 for tail in taken_out)


@given(st.floats(-7.9, 7.9), st.floats(3, 1e6))
def test_student_and_normal_have_the_same_tails(z: float, freedom: float) -> None:
    t = student_of_normal(z, freedom)
    assert stats.t.sf(abs(t), freedom) == pytest.approx(stats.norm.sf(abs(z)), rel=1e-6)
    assert normal_of_student(t, freedom) == pytest.approx(z, rel=1e-6, abs=1e-9)


@given(st.floats(8.1, 600), st.floats(20, 1e7))
def test_far_tails_have_no_end(z: float, freedom: float) -> None:
    t = student_of_normal(z, freedom)
    assert t > student_of_normal(8.0, freedom) > 0
    if t < 1e100:
        assert normal_of_student(t, freedom) == pytest.approx(z, rel=1e-6)
        assert normal_of_student(-t, freedom) == pytest.approx(-z, rel=1e-6)


def test_imbalance_is_the_skewness_of_the_difference() -> None:
    rng = np.random.default_rng(4)
    control, arm = (rng.exponential(1.0, (100_000, n)).mean(axis=1) for n in (20, 10))
    assert stats.skew(arm - control) == pytest.approx(2 * imbalance(20, 10), abs=0.03)
    assert imbalance(10, 20) == -imbalance(20, 10)
