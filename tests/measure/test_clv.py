"""Lifetime value: published parameters and predictions, planted truth, and whatever data one may meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyp2f1

from opportune.errors import BadInput
from opportune.measure.clv import LEAST, Purchases, Values, lifetime_value, purchases, values
from opportune.measure.contracts import Contracts, contracts
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray

CDNOW = Purchases(0.2426, 4.4136, 0.7929, 2.4259)
"""The published parameters of the tenth of CDNOW's customers."""


def company(truth: Purchases, customers: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return customers of a known truth over 30 to 60 weeks: x, t, T, and the purchases of the next 26."""
    draw = np.random.default_rng(seed)
    age = draw.uniform(30, 60, customers)
    rate = draw.gamma(truth.r, 1 / truth.alpha, customers)
    leave = draw.beta(truth.a, truth.b, customers)
    again, last, later = (np.zeros(customers) for _ in range(3))
    for one in range(customers):
        now = draw.exponential(1 / rate[one])
        while now <= age[one] + 26:
            if now <= age[one]:
                again[one], last[one] = again[one] + 1, now
            else:
                later[one] += 1
            if draw.random() < leave[one]:
                break
            now += draw.exponential(1 / rate[one])
    return again, last, age, later


def closed_form(model: Purchases, span: float, x: float, last: float, age: float) -> float:
    """The expectation as the paper has it, by the hypergeometric function."""
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    wide = alpha + age + span
    first = (a + b + x - 1) / (a - 1)
    grown = 1 - ((alpha + age) / wide) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, span / wide)
    stays = 1 + (x > 0) * a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x)
    return float(first * grown / stays)


def test_the_published_customer() -> None:
    told = CDNOW.expected(39, np.array([2.0]), np.array([30.43]), np.array([38.86]))
    assert told[0] == pytest.approx(1.226, abs=5e-4)
    assert CDNOW.alive(np.array([2.0, 0.0]), np.array([30.43, 0.0]), np.array([38.86, 38.86])) == pytest.approx(
        [0.7266, 1.0], abs=5e-5
    )


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.05, 5), st.floats(0.5, 50), st.floats(0.05, 4).filter(lambda a: abs(a - 1) > 0.01), st.floats(1.05, 8),
    st.integers(0, 25), st.floats(0.01, 1), st.floats(1, 200),
)  # fmt: skip
def test_expected_purchases_are_those_of_the_closed_form(
    r: float, alpha: float, a: float, b: float, x: int, part: float, span: float
) -> None:
    model = Purchases(r, alpha, a, b)
    last = 40 * part if x else 0.0
    told = model.expected(span, np.array([float(x)]), np.array([last]), np.array([40.0]))[0]
    assert told == pytest.approx(closed_form(model, span, x, last, 40), rel=1e-6, abs=1e-9)


def test_one_is_no_pole_and_huge_counts_are_finite() -> None:
    one, none = np.array([3.0]), np.array([20.0])
    near = [Purchases(0.3, 5, a, 2).expected(39, one, none, np.array([30.0]))[0] for a in (1 - 1e-7, 1.0, 1 + 1e-7)]
    assert near == pytest.approx([near[1]] * 3, rel=1e-5)
    many = Purchases(0.3, 5, 0.8, 2.4).expected(39, np.array([5000.0]), np.array([38.0]), np.array([38.0]))
    assert 0 < many[0] < 5000 * 2


def test_parameters_of_a_known_truth_lie_within_their_errors_and_what_comes_is_foretold() -> None:
    truth = Purchases(0.6, 8.0, 0.9, 2.5)
    again, last, age, later = company(truth, 6000, seed=3)
    model = purchases(again, last, age)
    assert isinstance(model, Purchases)
    assert model.errors is not None
    for name, error in zip(("r", "alpha", "a", "b"), model.errors):
        assert abs(getattr(model, name) - getattr(truth, name)) < 3 * error, name
        assert error < 0.6 * getattr(truth, name)
    told = model.expected(26, again, last, age)
    assert told.sum() == pytest.approx(later.sum(), rel=0.06)
    for few, most in ((0, 0), (1, 3), (4, 999)):  # and group by group
        who = (again >= few) & (again <= most)
        assert told[who].sum() == pytest.approx(later[who].sum(), rel=0.15)


def test_time_may_be_in_any_unit() -> None:
    again, last, age, _ = company(Purchases(0.6, 8.0, 0.9, 2.5), 1500, seed=5)
    weeks, days = purchases(again, last, age), purchases(again, last * 7, age * 7)
    assert isinstance(weeks, Purchases)
    assert isinstance(days, Purchases)
    assert (days.r, days.alpha, days.a, days.b) == pytest.approx((weeks.r, weeks.alpha * 7, weeks.a, weeks.b), rel=1e-3)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood - again.sum() * np.log(7), rel=1e-8)
    # the likelihood is that of the formula, not only of the same shape
    r, alpha, a, b = weeks.r, weeks.alpha, weeks.a, weeks.b
    from scipy.special import betaln, gammaln

    late = np.where(again > 0, a / np.maximum(b + again - 1, 1e-9) * (alpha + last) ** -(r + again), 0)
    told = (betaln(a, b + again) - betaln(a, b) + gammaln(r + again) - gammaln(r) + r * np.log(alpha)
            + np.log((alpha + age) ** -(r + again) + late))  # fmt: skip
    assert weeks.log_likelihood == pytest.approx(told.sum(), rel=1e-9)


def test_where_nobody_leaves_the_model_still_tells() -> None:
    draw = np.random.default_rng(1)
    age = np.full(800, 50.0)
    again = draw.poisson(draw.gamma(2, 0.05, 800) * 50).astype(float)
    last = np.where(again > 0, 50 * draw.beta(np.maximum(again, 1), 1), 0)  # the last of x evenly spread times
    model = purchases(again, last, age)
    assert isinstance(model, Purchases)
    assert model.alive(again, last, age).mean() > 0.95
    assert model.expected(50, again, last, age).sum() == pytest.approx(again.sum(), rel=0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-3, 1.0, 1e4]), st.sampled_from(["same", "heavy", "first day"]))
def test_whatever_the_data_there_is_a_model_or_a_reason(seed: int, unit: float, kind: str) -> None:
    draw = np.random.default_rng(seed)
    n = int(draw.integers(1, 120))
    heavy, usual = np.floor(draw.pareto(0.7, n)), draw.poisson(1.0, n).astype(float)
    again = np.minimum({"same": np.full(n, 3.0), "heavy": heavy, "first day": usual}[kind], 1e4)
    age = draw.uniform(1, 50, n) * unit
    last = np.where(again > 0, 0.0 if kind == "first day" else age * draw.random(n), 0.0)
    model = purchases(again, last, age)
    if isinstance(model, NotEnoughData):
        assert (again > 0).sum() < LEAST
        return
    told = model.expected(10 * unit, again, last, age)
    alive = model.alive(again, last, age)
    assert np.isfinite(told).all()
    assert (told >= 0).all()
    assert ((alive >= 0) & (alive <= 1)).all()
    assert (model.expected(20 * unit, again, last, age) >= told - 1e-12).all()


def test_values_of_a_known_truth() -> None:
    draw = np.random.default_rng(2)
    p, q, gamma = 6.25, 3.74, 15.44
    times = draw.integers(1, 8, 4000).astype(float)
    rate = draw.gamma(q, 1 / gamma, 4000)
    mean = draw.gamma(p * times, 1 / (rate * times))
    model = values(times, mean)
    assert isinstance(model, Values)
    assert model.errors is not None
    for name, true, error in zip(("p", "q", "gamma"), (p, q, gamma), model.errors):
        assert abs(np.log(getattr(model, name) / true)) < 3 * error / getattr(model, name), name
    told = model.expected(times, mean)
    ideal = Values(p, q, gamma).expected(times, mean)
    assert told.mean() == pytest.approx(ideal.mean(), rel=0.02)
    assert np.mean((told - p / rate) ** 2) < 1.03 * np.mean((ideal - p / rate) ** 2)
    assert np.mean((told - p / rate) ** 2) < np.mean((mean - p / rate) ** 2), "nearer to the truth than the plain mean"
    assert model.expected(np.zeros(1), np.array([np.nan]))[0] == pytest.approx(model.p * model.gamma / (model.q - 1))
    cents = values(times, mean * 100)
    assert isinstance(cents, Values)
    assert cents.gamma == pytest.approx(100 * model.gamma, rel=1e-3)


def test_lifetime_value_is_discounted_sums() -> None:
    x, last, age = np.array([2.0, 0.0]), np.array([30.43, 0.0]), np.array([38.86, 38.86])
    plain = lifetime_value(CDNOW, np.array([10.0, 20.0]), x, last, age, 39, 0.0)
    assert plain == pytest.approx(CDNOW.expected(39, x, last, age) * [10, 20])
    less = lifetime_value(CDNOW, np.array([10.0, 20.0]), x, last, age, 39, 0.01)
    assert (less < plain).all()
    assert (less > plain * np.exp(-0.39)).all()
    fine = np.linspace(0, 39, 2001)
    by = np.array([CDNOW.expected(float(t), x, last, age) for t in fine])
    exact = (np.diff(by, axis=0) * np.exp(-0.01 * (fine[1:] + fine[:-1]) / 2)[:, None]).sum(0) * [10, 20]
    assert less == pytest.approx(exact, rel=1e-4)


PUBLISHED = [
    ([1000, 869, 743, 653, 593, 551, 517, 491], 0.668, 3.806, 0.394),
    ([1000, 631, 468, 382, 326, 289, 262, 241], 0.704, 1.182, 0.173),
]
"""Contracts left after 0 to 7 years, of high-end and regular customers; alpha, beta; and the share that was seen to be
left after 12 years (Fader and Hardie 2007)."""


@pytest.mark.parametrize(("left", "alpha", "beta", "after_12"), PUBLISHED)
def test_contracts_as_published(left: list[int], alpha: float, beta: float, after_12: float) -> None:
    periods = np.array([1, 2, 3, 4, 5, 6, 7, 7.0])
    model = contracts(periods, np.array([1.0] * 7 + [0]), np.array([*-np.diff(left), left[-1]], float))
    assert isinstance(model, Contracts)
    assert (model.alpha, model.beta) == pytest.approx((alpha, beta), abs=6e-4)
    assert model.errors is not None
    assert model.surviving(np.array([12.0]))[0] == pytest.approx(after_12, abs=0.02)
    share = model.surviving(np.arange(1.0, 6))
    assert model.expected(5, np.zeros(1), 0.1)[0] == pytest.approx((share / 1.1 ** np.arange(1, 6)).sum())
    # what is left after 3 + k periods over what was left after 3
    later = model.surviving(np.array([4.0, 5.0])) / model.surviving(np.array([3.0]))
    assert model.expected(2, np.array([3.0]))[0] == pytest.approx(later.sum())
    ended = np.array([1.0] * (1000 - left[-1]) + [0.0] * left[-1])
    one_by_one = contracts(np.repeat(periods, [*-np.diff(left), left[-1]]), ended)
    assert isinstance(one_by_one, Contracts)
    assert (one_by_one.alpha, one_by_one.beta) == pytest.approx((model.alpha, model.beta), rel=1e-4)


def test_too_little_says_so_and_what_cannot_be_is_refused() -> None:
    none = np.zeros(50)
    assert purchases(none, none, none + 5) == NotEnoughData(f"0 customers bought again, it takes {LEAST}", LEAST)
    assert isinstance(purchases(none[:0], none[:0], none[:0]), NotEnoughData)
    assert isinstance(values(none, none), NotEnoughData)
    assert contracts(none + 3, none) == NotEnoughData(f"0 contracts ended, it takes {LEAST}", LEAST)
    for x, last, age in ((1, 9, 5), (0, 1, 5), (-1, 0, 5), (1, float("nan"), 5)):
        with pytest.raises(BadInput, match=r"; (count|leave)"):
            purchases(np.array([float(x)]), np.array([float(last)]), np.array([float(age)]))
    with pytest.raises(BadInput, match="a period or more"):
        contracts(np.zeros(1), np.ones(1))
