"""Scheduled looks against published bounds and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from opportune.errors import BadInput
from opportune.measure.group_sequential import bounds, obrien_fleming, quadratic


def test_bounds_of_lan_and_demets() -> None:
    """Two-sided .05, O'Brien-Fleming spending: table of Lan & DeMets for equal steps."""
    assert bounds([0.25, 0.5, 0.75, 1.0]) == pytest.approx([4.3326, 2.9631, 2.3590, 2.0141], abs=2e-4)
    assert bounds([0.2, 0.4, 0.6, 0.8, 1.0]) == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)
    assert bounds([1.0], 0.05) == pytest.approx([1.95996], abs=1e-5)


def test_p_that_each_look_needs_with_quadratic_spending() -> None:
    """As the R package ldbounds has it for looks after 250, 450, 630 and 810 of 810 customers at alpha .01."""
    needed = [2 * norm.sf(z) for z in bounds([n / 810 for n in (250, 450, 630, 810)], 0.01, quadratic)]
    assert [round(p, 5) for p in needed] == [0.00095, 0.00241, 0.00410, 0.00636]


@pytest.mark.parametrize("spending", [obrien_fleming, quadratic])
def test_alpha_is_spent_and_no_more(spending) -> None:
    shares = np.array([0.1, 0.3, 0.35, 0.8, 1.0])
    found = np.array(bounds(shares.tolist(), 0.1, spending))
    steps = np.random.default_rng(2).standard_normal((200_000, 5)) * np.sqrt(np.diff(shares, prepend=0))
    z = np.cumsum(steps, axis=1) / np.sqrt(shares)
    assert (np.abs(z) > found).any(axis=1).mean() == pytest.approx(0.1, abs=0.003)


def test_what_cannot_be_is_refused() -> None:
    for shares in ([], [0.0, 1.0], [0.5, 0.5], [0.6, 0.4], [0.5, 1.1]):
        with pytest.raises(BadInput, match="shares"):
            bounds(shares)
