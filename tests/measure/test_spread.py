"""How far flows differ: a known reference, and intervals that cover."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate
from opportune.measure.spread import Spread, spread

BCG = (
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
)  # fmt: skip
"""Thirteen trials of the BCG vaccine: ill and well of the vaccinated, ill and well of the others (Colditz 1994)."""


def test_the_trials_of_bcg_are_as_in_metafor() -> None:
    estimates = [
        Estimate(log(a / (a + b)) - log(c / (c + d)), sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)))
        for a, b, c, d in BCG
    ]
    found = spread(estimates)
    assert isinstance(found, Spread)
    assert found.pooled.tau2 == pytest.approx(0.3132, abs=2e-4)
    assert found.tau2 == pytest.approx((0.1197, 1.1115), abs=2e-4)
    assert 100 * found.pooled.i2 == pytest.approx(92.22, abs=0.02)
    assert [100 * end for end in found.i2] == pytest.approx([81.92, 97.68], abs=0.02)


@pytest.mark.parametrize(("tau", "flows"), [(0.0, 6), (0.05, 5), (0.1, 12), (0.3, 20)])
def test_the_interval_of_the_spread_covers(tau: float, flows: int) -> None:
    rng, hits, rounds = np.random.default_rng(flows), 0, 500
    for _ in range(rounds):
        errors = rng.uniform(0.04, 0.2, flows)
        values = rng.normal(0.1, np.sqrt(errors**2 + tau**2))
        found = spread([Estimate(float(y), float(s)) for y, s in zip(values, errors)])
        assert isinstance(found, Spread)
        hits += found.tau2.low <= tau**2 <= found.tau2.high + 1e-15
    assert hits / rounds >= 0.925
    assert tau == 0 or hits / rounds <= 0.98, "0 lies at the edge, where it is covered more often"


def test_one_flow_says_nothing_of_spread_and_equal_ones_have_none() -> None:
    assert isinstance(spread([Estimate(0.1, 0.1)]), NotEnoughData)
    alike = spread([Estimate(0.1, 0.1)] * 5)
    assert isinstance(alike, Spread)
    assert alike.tau2 == (0.0, 0.0)
    assert alike.i2 == (0.0, 0.0)
