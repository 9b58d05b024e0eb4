"""Evidence over flows: fair odds to the last digit, and never more often wrong than it says."""

from __future__ import annotations

from itertools import product
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.evidence import least_flows, log_evidence

sizes = st.floats(0, 3)
errors = st.floats(0.01, 2)


@given(st.lists(st.tuples(sizes, errors), min_size=1, max_size=7), st.floats(0.01, 1))
def test_the_odds_are_fair_whatever_the_sizes_and_errors(flows: list[tuple[float, float]], size: float) -> None:
    values, wrong = np.array(flows).T
    signs = np.array(list(product([-1.0, 1.0], repeat=len(values))))
    told = np.exp(log_evidence(signs * values, np.broadcast_to(wrong**2, signs.shape), size))
    assert told.mean(0) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.floats(-2, 2), errors), min_size=1, max_size=7), st.floats(0.01, 1), st.floats(0, 1))
def test_a_lower_effect_never_has_more_evidence(flows: list[tuple[float, float]], size: float, lower: float) -> None:
    values, wrong = np.array(flows).T
    higher = log_evidence(values, wrong**2, size)
    assert (log_evidence(values - lower, wrong**2, size) <= higher + 1e-9).all()
    assert log_evidence(values - lower, wrong**2, size, above=-lower) == pytest.approx(higher, abs=1e-6)
    assert (higher <= log(2) * np.arange(1, len(values) + 1) + 1e-9).all()


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.15, 0.25, 2.0])
@pytest.mark.parametrize("mean", [0.0, -0.05])
def test_without_an_effect_twenty_is_reached_at_most_once_in_twenty(mean: float, spread: float) -> None:
    rng = np.random.default_rng(5)
    wrong = rng.choice([0.03, 0.1, 0.16], (10_000, 40))
    told = log_evidence(rng.normal(mean, spread, wrong.shape) + wrong * rng.normal(size=wrong.shape), wrong**2, 0.14)
    ever = float((told.max(-1) >= log(20)).mean())
    assert ever <= 0.05
    assert ever >= 0.005 or mean < 0  # fair odds that are never won would be no evidence


def test_bets_with_an_estimated_spread_would_not_be_valid() -> None:
    """The usual normal factor exp(b z - b^2 / 2), which takes flows for alike, is the mistake that these bets avoid."""
    rng = np.random.default_rng(6)
    z = rng.normal(0, np.sqrt(0.155**2 + 0.25**2), (10_000, 12)) / 0.155
    plain = np.cumsum(0.9 * z - 0.9**2 / 2, -1)
    assert float((plain.max(-1) >= log(20)).mean()) > 0.10
    ours = log_evidence(z * 0.155, np.full_like(z, 0.155**2), 0.14)
    assert float((ours.max(-1) >= log(20)).mean()) <= 0.05


def test_an_effect_is_found_though_another_size_was_expected() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(0.14, 0.155, (4000, 25))
    found = {
        size: float((log_evidence(values, np.full_like(values, 0.155**2), size).max(-1) >= log(20)).mean())
        for size in (0.03, 0.14, 0.6)
    }
    assert found[0.14] > 0.95
    assert min(found.values()) > 0.72  # one stake alone finds two thirds


def test_five_flows_are_the_least_and_a_size_is_needed() -> None:
    values = np.full(5, 10.0)
    told = np.exp(log_evidence(values, np.ones(5), 0.5))
    assert told[3] < 20 < told[4]
    assert least_flows(20) == 5
    with pytest.raises(ValueError, match="above 0"):
        log_evidence(values, np.ones(5), 0.0)
