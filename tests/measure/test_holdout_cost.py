"""What a holdout costs and tells, against simulation and by turning it round."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opportune.errors import BadInput
from opportune.measure.effect import NotEnoughData
from opportune.measure.holdout_cost import SHARES, Program, holdout_cost, holdout_costs, share_for
from opportune.measure.reading import Sequential


def test_error_and_power_are_those_of_simulated_programs() -> None:
    program = Program(customers=2_000, variance=4.0, effect=0.35, periods=6, correlation=0.3)
    cost = holdout_cost(program, 0.1)
    random = np.random.default_rng(8)
    lasting = random.standard_normal((2_000, 2_000)) * math.sqrt(4 * 0.3)
    passing = random.standard_normal((2_000, 2_000)) * math.sqrt(4 * 0.7 / 6)
    values = lasting + passing
    found = values[:, 200:].mean(axis=1) + 0.35 - values[:, :200].mean(axis=1)
    assert cost.error == pytest.approx(found.std(), rel=0.05)
    assert cost.power == pytest.approx(np.mean(np.abs(found) > 1.96 * cost.error), abs=0.03)
    assert cost.forgone == pytest.approx(200 * 6 * 0.35)
    assert cost.customers == pytest.approx(200)


def test_all_the_rest_tells_more_than_a_sample_of_the_same_size() -> None:
    cost = holdout_cost(Program(100_000, 1.0, 0.01), 0.05)
    assert cost.error / math.sqrt(2 / 5_000) == pytest.approx(1 - 0.27, abs=0.005)


@given(st.floats(0.001, 0.499), st.integers(1, 52), st.floats(0, 1), st.floats(0.5, 0.99))
def test_share_and_smallest_effect_invert_each_other(share: float, periods: int, c: float, power: float) -> None:
    program = Program(50_000, 30.0, 0.2, periods, c)
    for reading in (None, Sequential(0.05, 50_000)):
        cost = holdout_cost(program, share, power=power, reading=reading)
        assume(cost.smallest > 0)
        assert share_for(program, cost.smallest, power=power, reading=reading) == pytest.approx(share, rel=1e-4)


def test_a_larger_share_tells_more_and_costs_more() -> None:
    rows = holdout_costs(Program(1_000_000, 400.0, 0.1, 12))
    assert [row.share for row in rows] == list(SHARES)
    assert [row.error for row in rows] == sorted((row.error for row in rows), reverse=True)
    assert [row.forgone for row in rows] == sorted(row.forgone for row in rows)
    assert [row.power for row in rows] == sorted(row.power for row in rows)


def test_periods_tell_more_the_less_of_a_customer_lasts() -> None:
    one, fickle, steady = (
        holdout_cost(Program(10_000, 1.0, 0.1, periods, c), 0.05).error for periods, c in ((1, 0), (12, 0), (12, 1))
    )
    assert fickle == pytest.approx(one / math.sqrt(12))
    assert steady == pytest.approx(one)


def test_too_few_customers_say_how_many_more() -> None:
    program = Program(1_000, 100.0, 0.1)
    few = share_for(program, 0.5)
    assert isinstance(few, NotEnoughData)
    assert few.more is not None
    enough = share_for(Program(1_000 + few.more, 100.0, 0.1), 0.5)
    assert enough == pytest.approx(0.5, abs=0.02)
    assert isinstance(share_for(Program(999 + few.more, 100.0, 0.1), 0.5), NotEnoughData)


def test_what_cannot_be_is_refused() -> None:
    program = Program(1_000, 1.0, 0.1)
    for share in (0, 1, -0.1):
        with pytest.raises(BadInput, match="a holdout of"):
            holdout_cost(program, share)
    with pytest.raises(BadInput, match="smallest effect"):
        share_for(program, 0)
    with pytest.raises(BadInput, match="customers and a variance"):
        Program(0, 1.0, 0.1)
    with pytest.raises(BadInput, match="correlation"):
        Program(10, 1.0, 0.1, 2, 1.5)
