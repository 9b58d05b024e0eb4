"""The population stability index: its value, how often chance alone raises it, and that it sees what has moved."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.effect import NotEnoughData
from opportune.measure.stability import Stability, stability

counts = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=30)


def told(before: list[int], lately: list[int]) -> Stability:
    found = stability(before, lately)
    assert isinstance(found, Stability)
    return found


def test_the_index_is_that_of_its_formula() -> None:
    p, q = (100.5 / 401, 300.5 / 401), (200.5 / 401, 200.5 / 401)
    assert told([100, 300], [200, 200]).psi == pytest.approx(
        sum((b - a) * log(b / a) for a, b in zip(p, q, strict=True))
    )


def test_few_customers_have_no_index() -> None:
    assert isinstance(stability([10, 5], [100, 100]), NotEnoughData)
    assert isinstance(stability([], []), NotEnoughData)


@given(counts)
def test_it_is_never_negative_and_does_not_mind_which_came_first(pairs: list[tuple[int, int]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found, back = stability(one, other), stability(other, one)
    if isinstance(found, Stability) and isinstance(back, Stability):
        assert found.psi >= -1e-12
        assert found.psi == pytest.approx(back.psi, abs=1e-12)
        assert found.verdict == back.verdict


@pytest.mark.parametrize("customers", [60, 400, 3000])
def test_what_has_not_moved_is_rarely_said_to_have_moved(customers: int) -> None:
    rng, shares = np.random.default_rng(3), np.full(16, 1 / 16)
    found = [told(*rng.multinomial(customers, shares, 2).tolist()).verdict for _ in range(400)]
    assert sum(one in ("moving", "moved") for one in found) / len(found) <= 0.025


def test_what_has_moved_is_seen() -> None:
    rng = np.random.default_rng(3)
    before = np.full(8, 1 / 8)
    lately = np.array([0.3, 0.2, 0.2, 0.1, 0.05, 0.05, 0.05, 0.05])
    found = [
        told(rng.multinomial(300, before).tolist(), rng.multinomial(300, lately).tolist()).verdict for _ in range(100)
    ]
    assert found.count("moved") >= 95
