"""The sum of what comes next: its interval holds what it promises; what nobody can know is no number."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast_sum import SumAhead, sum_ahead


def drawn(seed: int, n: int) -> np.ndarray:
    """Return counts of days with a week in them."""
    return np.random.default_rng(seed).poisson(30 + 8 * np.sin(np.arange(n) * 2 * np.pi / 7)).astype(float)


def test_the_interval_of_a_sum_holds_the_share_of_sums_that_it_promises() -> None:
    held, wide = 0, []
    for seed in range(60):
        y = drawn(seed, 110)
        found = sum_ahead(y[:90], 20, "smoothing", 7)
        assert isinstance(found, SumAhead)
        held += found.low <= y[90:].sum() <= found.high
        wide.append(found.high - found.low)
    assert 0.68 <= held / 60 <= 0.97, held
    # errors of days cancel out in part: their ends added up would be some four times as far apart
    assert np.median(wide) < 0.5 * 20 * 2 * 1.28 * np.sqrt(30)


def test_a_sum_is_that_of_the_periods_and_never_below_nothing() -> None:
    y = np.array([5.0, 0.0, 1.0, 9.0, 0.0, 0.0, 7.0] * 6) + np.random.default_rng(3).poisson(1, 42)
    found = sum_ahead(y, 14, "seasonal naive", 7)
    assert isinstance(found, SumAhead)
    assert found.value == pytest.approx(2 * y[-7:].sum())
    assert 0 <= found.low <= found.value <= found.high
    assert 0 <= found.covered <= 1


@pytest.mark.parametrize(
    ("y", "ahead", "why"),
    [(np.ones(5), 3, "too few"), (np.tile([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 6), 7, "as the one before"),
     (drawn(1, 20), 60, "too few to judge")],
)  # fmt: skip
def test_what_the_past_cannot_judge_is_said(y: np.ndarray, ahead: int, why: str) -> None:
    found = sum_ahead(y, ahead, "seasonal naive", 7)
    assert isinstance(found, NotEnoughData)
    assert why in found.reason
