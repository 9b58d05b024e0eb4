"""Intervals by inversion: exact ends, and 0 outside whenever the test rules it out."""

from __future__ import annotations

from math import inf, isinf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.effect import Interval
from opportune.measure.inversion import interval, root

ALL = Interval(-inf, inf)


@given(st.floats(-50, 50), st.floats(0.01, 30), st.floats(0.1, 8), st.floats(0.001, 100))
def test_a_line_is_inverted_exactly(estimate: float, error: float, critical: float, step: float) -> None:
    found = interval(
        lambda v: (estimate - v) / error, estimate=estimate, null=0.0, step=step, bounds=ALL, critical=critical
    )
    assert found.low == pytest.approx(estimate - critical * error, rel=1e-7, abs=1e-7)
    assert found.high == pytest.approx(estimate + critical * error, rel=1e-7, abs=1e-7)


@given(st.floats(0.5, 5), st.floats(0.1, 3))
def test_what_is_ruled_out_is_outside_though_the_test_turns_back(estimate: float, critical: float) -> None:
    def bent(value: float) -> float:
        """A statistic that is high at 0 alone."""
        return critical + 1 if value == 0 else (estimate - value) / 100

    found = interval(bent, estimate=estimate, null=0.0, step=1.0, bounds=ALL, critical=critical)
    assert found.low > 0


def test_bounds_end_the_search() -> None:
    found = interval(lambda v: 0.5 - v, estimate=0.5, null=0.0, step=0.1, bounds=Interval(-1.0, 1.0), critical=3.0)
    assert found == (-1.0, 1.0)
    flat = interval(lambda v: 0.0, estimate=0.5, null=0.0, step=0.1, bounds=ALL, critical=3.0)
    assert all(isinf(end) for end in flat)


def test_a_root_behind_a_wall_is_found() -> None:
    assert root(lambda x: -inf if x < 0.3 else x - 0.2, 0.0, 1.0) == pytest.approx(0.3, abs=1e-9)
    assert root(lambda x: x + 5, 0.0, 1.0) == 0.0
