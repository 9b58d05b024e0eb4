"""Sums: the same from arrays, from a database, and from days that are merged."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from opportune.measure.sums import SECOND, THIRD, VARIABLES, Sums

columns = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=30).map(
    lambda shape: (3, shape[1])), elements=st.integers(-9, 9).map(float))  # fmt: skip


def close(one: Sums, other: Sums) -> bool:
    return one.n == other.n and all(
        np.allclose(a, b, rtol=1e-9, atol=1e-7)
        for a, b in zip((one.mean, one.second, one.third), (other.mean, other.second, other.third))
    )


@given(columns, columns, columns)
def test_days_add_up_in_any_order(a, b, c) -> None:
    whole = Sums.of(*np.concatenate([a, b, c], axis=1))
    days = [Sums.of(*part) for part in (a, b, c)]
    assert close(days[0] + days[1] + days[2], whole)
    assert close(days[2] + (days[0] + days[1]), whole)
    assert whole + Sums() == Sums() + whole == whole


@given(columns, st.tuples(*[st.integers(-4, 4).map(float)] * 3))
def test_a_form_has_the_moments_of_its_values(data, form) -> None:
    sums, values = Sums.of(*data), np.asarray(form) @ data
    off = values - values.mean()
    assert sums.product(form, form) == pytest.approx((off**2).sum(), abs=1e-6)
    assert sums.cube(form) == pytest.approx((off**3).sum(), rel=1e-9, abs=1e-5)
    other = (1.0, -2.0, 0.5)
    both = (off * (np.asarray(other) @ (data - data.mean(axis=1, keepdims=True)))).sum()
    assert sums.product(form, other) == pytest.approx(both, abs=1e-6)


@settings(max_examples=8, deadline=None)
@given(columns, st.tuples(*[st.integers(-3, 3).map(float)] * 3))
def test_a_database_sums_the_same_about_any_shift(data, shift) -> None:
    terms = (*VARIABLES, *SECOND, *THIRD)
    moved = dict(zip(VARIABLES, shift))
    select = ", ".join("sum(" + " * ".join(f"({v} - {moved[v]})" for v in term) + ")" for term in terms)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE customers (x DOUBLE, d DOUBLE, c DOUBLE)")
    connection.executemany("INSERT INTO customers VALUES (?, ?, ?)", data.T.tolist())
    found = connection.execute(f"SELECT {select} FROM customers").fetchone()
    assert found is not None
    assert close(Sums.from_powers(data.shape[1], dict(zip(terms, found)), moved), Sums.of(*data))


def test_a_shift_keeps_the_spread_of_large_figures() -> None:
    values = 1e9 + np.random.default_rng(1).gamma(2.0, 1.0, 100_000)
    found = Sums.of(values)
    assert found.second[0] / found.n == pytest.approx(values.var(), rel=1e-9)
    skew = found.third[0] / found.n / (found.second[0] / found.n) ** 1.5
    assert skew == pytest.approx(stats.skew(values), rel=1e-6)
    halves = Sums.of(values[:30_000]) + Sums.of(values[30_000:])
    assert halves.second[0] == pytest.approx(found.second[0], rel=1e-9)


def test_a_billion_customers_keep_the_variance_of_money() -> None:
    rng = np.random.default_rng(2)
    day = Sums.of(np.where(rng.random(1000) < 0.01, rng.lognormal(3, 1.5, 1000), 0.0))
    many = day
    for _ in range(20):
        many = many + many
    assert many.n == 1000 << 20
    assert many.second[0] / many.n == pytest.approx(day.second[0] / day.n, rel=1e-12)
    assert many.third[0] / many.n == pytest.approx(day.third[0] / day.n, rel=1e-12)


def test_what_cannot_be_summed_is_refused() -> None:
    assert Sums.of([]) == Sums() == Sums.from_powers(0, {})
    with pytest.raises(ValueError, match="not finite"):
        Sums.of([1.0, np.nan])
    with pytest.raises(ValueError, match="one length"):
        Sums.of([1.0, 2.0], [1.0])
