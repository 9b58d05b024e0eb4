"""Calibration and metrics against scikit-learn and hand-computed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.predictors.calibration import expected_calibration_error, isotonic
from opportune.predictors.metrics import Metrics

cells = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40)


@given(cells)
def test_isotonic_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    sklearn = pytest.importorskip("sklearn.isotonic")
    positives = np.array([p for p, _ in pairs], float)
    totals = positives + [n for _, n in pairs]
    found = isotonic(positives, totals)
    assert (np.diff(found) >= 0).all()
    used = totals > 0
    if used.any():
        expected = sklearn.isotonic_regression(positives[used] / totals[used], sample_weight=totals[used])
        assert np.allclose(found[used], expected)


def test_isotonic_edges() -> None:
    assert isotonic([], []).tolist() == []
    assert isotonic([0, 0], [0, 0]).tolist() == [0, 0]
    assert isotonic([0, 1, 0], [0, 2, 0]).tolist() == [0.5, 0.5, 0.5]


def test_calibration_error() -> None:
    assert math.isnan(expected_calibration_error([], []))
    assert expected_calibration_error([0.5] * 4, [1, 1, 1, 1], bins=10) == 0.5
    assert expected_calibration_error([0.1, 0.9], [0, 1], bins=1) == 0.0
    rng = np.random.default_rng(1)
    p = rng.random(20_000)
    assert expected_calibration_error(p, rng.random(20_000) < p) < 0.015


def test_metrics_are_those_of_scikit_learn_and_survive_a_restart() -> None:
    skm = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    metrics, kept = Metrics(), {"a": [], "b": []}
    for _ in range(4000):
        name, p = ("a", rng.beta(2, 5)) if rng.random() < 0.7 else ("b", rng.beta(1, 50))
        outcome = bool(rng.random() < p)
        metrics.add(name, p, outcome)
        kept[name].append((p, outcome))
    aucs = {}
    for name, rows in kept.items():
        p, y = map(np.array, zip(*rows))
        aucs[name] = skm.roc_auc_score(y, p)
        assert metrics.auc(name) == pytest.approx(aucs[name], abs=2e-3)
        assert metrics.log_loss(name) == pytest.approx(skm.log_loss(y, p))
        assert metrics.calibration_error(name) == pytest.approx(expected_calibration_error(p, y), abs=0.01)
        assert sum(b.answers for b in metrics.calibration(name)) == pytest.approx(len(rows))
    weighted = sum(len(kept[n]) * auc for n, auc in aucs.items()) / 4000
    assert metrics.auc() == pytest.approx(weighted, abs=2e-3)
    other = Metrics()
    other.restore(metrics.snapshot())
    assert other.snapshot() == metrics.snapshot()
    assert other.auc() == metrics.auc()
    other.add("a", 0.3, True)
    other.add("a", 0.3, True, weight=-1.0)
    assert other.log_loss("a") == pytest.approx(metrics.log_loss("a"))


def test_metrics_without_answers_are_nan_not_numbers() -> None:
    metrics = Metrics()
    assert math.isnan(metrics.auc())
    assert math.isnan(metrics.log_loss())
    assert math.isnan(metrics.calibration_error())
    metrics.add("a", 0.2, True)
    assert math.isnan(metrics.auc("a"))
    assert metrics.actions() == ["a"]
