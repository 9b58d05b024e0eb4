"""Off-policy evaluation: cases computed by hand, planted truth, and what is not estimable."""

from __future__ import annotations

import json
import os
import time

import msgspec
import numpy as np
import pytest

from opportune.errors import BadInput
from opportune.measure.ope import Estimate, effective_size, evaluate


def test_four_rows_by_hand_hundredfold() -> None:
    """w = (2, 1, .5, 0): SNIPS = (2*10 + .5*4) / 3.5, DR = mean(q_pi + w (r - q)) of the four rows."""
    many = 100
    found = evaluate(
        outcome=np.tile([1, 0, 1, 1], many),
        reward=np.tile([10.0, 0.0, 4.0, 8.0], many),
        logged=np.tile([0.25, 0.5, 0.5, 0.5], many),
        target=np.tile([0.5, 0.5, 0.25, 0.0], many),
        q_logged=np.tile([6.0, 1.0, 2.0, 3.0], many),
        q_target=np.tile([5.0, 2.0, 2.0, 1.0], many),
        without_support=np.tile([0.0, 0.1, 0.1, 0.0], many),
    )
    assert found.value.snips == pytest.approx(22 / 3.5)
    assert found.value.dr == pytest.approx(((5 + 2 * 4) + (2 - 1) + (2 + 0.5 * 2) + 1) / 4)
    assert found.effective_sample_size == pytest.approx(many * 3.5**2 / 5.25)
    assert found.effective_positives == pytest.approx(many * 2.5**2 / 4.25)
    assert found.without_support == pytest.approx(0.05)
    assert found.reason is None


def test_the_json_is_that_of_the_contract() -> None:
    n = 200
    found = evaluate(outcome=np.ones(n), reward=np.ones(n), logged=np.ones(n), target=np.ones(n), q_logged=np.ones(n),
                     q_target=np.ones(n))
    assert json.loads(msgspec.json.encode(found)) == {
        "value": {"snips": 1.0, "dr": 1.0},
        "interval": {"snips": [1.0, 1.0], "dr": [1.0, 1.0]},
        "effective_sample_size": 200.0,
        "effective_positives": 200.0,
        "without_support": 0.0,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("n", "positives", "target", "reason"),
    [
        (99, 99, 0.5, "not estimable: effective sample 99, needs 100"),
        (1000, 9, 0.5, "not estimable: effective positives 9.0, needs 10"),
        (1000, 900, 0.0, "not estimable: effective sample 0, needs 100"),
        (0, 0, 0.5, "not estimable: effective sample 0, needs 100"),
    ],
)
def test_not_estimable_is_no_number(n: int, positives: int, target: float, reason: str) -> None:
    y = np.arange(n) < positives
    found = evaluate(outcome=y, reward=y, logged=np.full(n, 0.5), target=np.full(n, target), q_logged=np.zeros(n),
                     q_target=np.zeros(n))
    assert found.reason == reason
    assert msgspec.to_builtins(found.value) == msgspec.to_builtins(found.interval) == {"snips": None, "dr": None}


def test_one_heavy_row_is_seen_by_the_effective_sizes() -> None:
    assert effective_size(np.r_[np.ones(100), 1000.0]) < 1.3


@pytest.mark.parametrize(
    ("logged", "target"), [(0.0, 0.5), (np.nan, 0.5), (1.5, 0.5), (0.5, -0.1), (0.5, 1.1), (0.5, np.nan)]
)
def test_a_row_that_cannot_be_is_named(logged: float, target: float) -> None:
    b, pi = np.full(200, 0.5), np.full(200, 0.5)
    b[6], pi[6] = logged, target
    with pytest.raises(BadInput, match="row 7"):
        evaluate(outcome=b, reward=b, logged=b, target=pi, q_logged=b, q_target=b)


def log(random: np.random.Generator, customers: int, rows_each: int, noise: float) -> tuple[Estimate, float]:
    """Return the estimate of a policy on one simulated log, rows of a customer being alike, and its true value."""
    taste = np.repeat(random.normal(0, 0.8, customers), rows_each)
    x = random.random(len(taste))
    score = np.stack([-1.5 + 1.2 * x, -1.0 + 0.0 * x, -0.6 - 1.0 * x])
    # The truth averages over taste, which no policy sees.
    grid, weight = np.polynomial.hermite_e.hermegauss(21)
    truth = np.stack([(sigmoid(s[:, None] + 0.8 * grid) * weight).sum(1) / weight.sum() for s in score])
    behave = np.stack([0.5 + 0 * x, 0.3 + 0 * x, 0.2 + 0 * x])
    target = np.stack([0.1 + 0.8 * (x > 0.5), 0.1 + 0 * x, 0.8 - 0.8 * (x > 0.5)])
    action = (random.random(len(x))[:, None] > np.cumsum(behave, 0).T).sum(1)
    rows = np.arange(len(x))
    y = random.random(len(x)) < sigmoid(score[action, rows] + taste)
    value = np.array([3.0, 1.0, 2.0])
    q = value[:, None] * np.clip(truth + noise, 0, 1)
    estimate = evaluate(
        outcome=y,
        reward=value[action] * y,
        logged=behave[action, rows],
        target=target[action, rows],
        q_logged=q[action, rows],
        q_target=(target * q).sum(0),
        customer=np.repeat([f"c{i}" for i in range(customers)], rows_each),
        seed=int(random.integers(1 << 30)),
        draws=400,
    )
    u = (np.arange(4000) + 0.5) / 4000  # the expectation over x
    means = np.stack([-1.5 + 1.2 * u, -1.0 + 0.0 * u, -0.6 - 1.0 * u])
    exact = np.stack([(sigmoid(s[:, None] + 0.8 * grid) * weight).sum(1) / weight.sum() for s in means])
    pi = np.stack([0.1 + 0.8 * (u > 0.5), 0.1 + 0 * u, 0.8 - 0.8 * (u > 0.5)])
    return estimate, float((pi * value[:, None] * exact).sum(0).mean())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_intervals_cover_the_planted_truth() -> None:
    """93 to 97 % of the 95 % intervals hold the truth, with a wrong model q and rows that cluster by customer."""
    logs = 4000 if os.environ.get("OPPORTUNE_LONG") else 600
    random = np.random.default_rng(11)
    hits, values = np.zeros(2), []
    for _ in range(logs):
        found, truth = log(random, 200, 4, noise=0.1)
        for i, (low, high) in enumerate((found.interval.snips, found.interval.dr)):
            hits[i] += low <= truth <= high
        values.append((found.value.snips, found.value.dr))
    assert ((hits / logs >= 0.93) & (hits / logs <= 0.97)).all(), hits / logs
    error = np.mean(values, axis=0) / truth - 1
    assert (np.abs(error) < 0.01).all(), "both are unbiased"


def test_rows_that_repeat_a_customer_add_no_certainty() -> None:
    random = np.random.default_rng(2)
    y = random.random(500) < 0.3

    def width(copies: int, by_customer: bool) -> float:
        rows = np.tile(y, copies)
        half = np.full(len(rows), 0.5)
        found = evaluate(outcome=rows, reward=rows, logged=half, target=half, q_logged=half, q_target=half,
                         customer=np.tile(np.arange(500), copies) if by_customer else None)
        assert found.interval.snips is not None
        return found.interval.snips[1] - found.interval.snips[0]

    assert width(5, True) == pytest.approx(width(1, True), rel=1e-9)
    assert width(5, False) == pytest.approx(width(1, False) / 5**0.5, rel=0.15)
    wald = 2 * 1.96 * (y.mean() * (1 - y.mean()) / 500) ** 0.5
    assert width(1, False) == pytest.approx(wald, rel=0.1)


def test_the_same_seed_gives_the_same_interval() -> None:
    random = np.random.default_rng(4)
    y, pi = random.random(3000) < 0.1, random.random(3000)
    args = {"outcome": y, "reward": y, "logged": np.full(3000, 0.5), "target": pi, "q_logged": pi, "q_target": pi}
    assert evaluate(**args, seed=1) == evaluate(**args, seed=1)
    assert evaluate(**args, seed=1) != evaluate(**args, seed=2)


def test_fifty_thousand_rows_are_quick() -> None:
    random = np.random.default_rng(4)
    y, pi = random.random(50_000) < 0.1, random.random(50_000)
    began = time.process_time()
    evaluate(outcome=y, reward=y, logged=np.full(50_000, 0.5), target=pi, q_logged=pi, q_target=pi)
    print(f"{time.process_time() - began:.2f} s of processor time for 50,000 rows")
