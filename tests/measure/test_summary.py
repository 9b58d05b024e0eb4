"""Intervals of rates against published cases, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from opportune.measure.summary import by_arm, difference, push_share, rate


@given(st.integers(1, 400), st.data())
def test_wilson_is_the_one_of_scipy(n: int, data) -> None:
    k = data.draw(st.integers(0, n))
    theirs = binomtest(k, n).proportion_ci(0.95, method="wilson")
    ours = rate(k, n)
    assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=1e-12), pytest.approx(theirs.high, abs=1e-12))


@pytest.mark.parametrize(
    ("a", "m", "b", "n", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (10, 10, 0, 10, 0.6075, 1.0000),
    ],
)
def test_difference_is_the_published_one(a: int, m: int, b: int, n: int, low: float, high: float) -> None:
    found = difference(rate(a, m), rate(b, n))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    back = difference(rate(b, n), rate(a, m))
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


def test_intervals_cover_the_truth() -> None:
    random = np.random.default_rng(5)
    hits = 0
    for a, b in zip(random.binomial(300, 0.1, 2000), random.binomial(200, 0.15, 2000)):
        found = difference(rate(int(a), 300), rate(int(b), 200))
        hits += found.low <= -0.05 <= found.high
    assert 0.935 <= hits / 2000 <= 0.965


def test_arms_and_push_share() -> None:
    arms = by_arm(["b", "a", "b", "b"], [True, False, False, True])
    assert list(arms) == ["a", "b"]
    assert (arms["a"].positive, arms["a"].n) == (0, 1)
    assert arms["b"].rate == pytest.approx(2 / 3)
    assert push_share([True, False, False, False]).rate == 0.25
    assert by_arm([], []) == {}


def test_nothing_yet_is_not_a_number() -> None:
    none = rate(0, 0)
    assert (none.rate, none.low, none.high, str(none)) == (None, 0.0, 1.0, "none yet")
    found = difference(none, rate(1, 2))
    assert (found.value, found.clear) == (None, False)
    assert difference(rate(90, 100), rate(10, 100)).clear
    with pytest.raises(ValueError, match="between"):
        rate(3, 2)
