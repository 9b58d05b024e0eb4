"""Metrics against scikit-learn and against their own definitions, ties and edges included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sk_log_loss
from sklearn.metrics import roc_auc_score

from opportune.measure.metrics import (
    auc,
    auc_by_action,
    base_rate_log_loss,
    calibration_error,
    log_loss,
    mean_auc,
)

# Few distinct probabilities, so that ties are the rule.
ROWS = st.lists(st.tuples(st.sampled_from([0.01, 0.1, 0.1001, 0.5, 0.99]), st.booleans()), min_size=2, max_size=60)


@given(ROWS)
def test_auc_is_the_one_of_scikit_learn(rows) -> None:
    p, y = np.array(rows, float).T
    if len(set(y)) < 2:
        assert auc(p, y) is None
    else:
        assert auc(p, y) == pytest.approx(roc_auc_score(y, p), abs=1e-12)


@given(ROWS)
def test_log_loss_is_the_one_of_scikit_learn(rows) -> None:
    p, y = np.array(rows, float).T
    assert log_loss(p, y) == pytest.approx(sk_log_loss(y, p, labels=[0, 1]), rel=1e-12)


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, random) -> None:
    p, y = np.array(rows, float).T
    shuffled = list(rows)
    random.shuffle(shuffled)
    p2, y2 = np.array(shuffled, float).T
    assert calibration_error(p, y) == pytest.approx(calibration_error(p2, y2), abs=1e-12)
    assert auc(p, y) == auc(p2, y2)


def test_calibration_error_is_that_of_equal_bins() -> None:
    random = np.random.default_rng(3)
    p = random.permutation(np.linspace(0.01, 0.6, 1000))
    y = random.random(1000) < p * 0.8
    order = np.argsort(p)
    wanted = sum(len(rows) * abs(p[rows].mean() - y[rows].mean()) for rows in np.array_split(order, 10)) / 1000
    assert calibration_error(p, y) == pytest.approx(wanted, rel=1e-12)
    assert calibration_error(np.full(1000, 0.3), y) == pytest.approx(abs(0.3 - y.mean()))
    uneven = calibration_error(p[:997], y[:997])
    assert uneven == pytest.approx(wanted, abs=0.02)


def test_the_headline_auc_is_weighted_by_responses_and_never_pooled() -> None:
    random = np.random.default_rng(1)
    action = np.repeat(["rare", "popular", "never"], [1000, 3000, 50])
    base = np.repeat([0.02, 0.4, 0.1], [1000, 3000, 50])
    p = np.clip(base + random.normal(0, 0.01, len(base)), 0.001, 1)
    y = (random.random(len(base)) < base) & (action != "never")
    found = auc_by_action(p, y, action)
    assert list(found) == ["popular", "rare"], "an action without a positive has no AUC"
    for name, value in found.items():
        assert value == pytest.approx(roc_auc_score(y[action == name], p[action == name]))
    assert mean_auc(p, y, action) == pytest.approx((found["rare"] * 1000 + found["popular"] * 3000) / 4000)
    assert auc(p, y) > 0.65 > 0.55 > mean_auc(p, y, action), "knowing what is popular is not knowing who likes it"


def test_base_rate() -> None:
    y = [0, 1, 1, 0, 1]
    p = [0.5 / 1, 0.5 / 2, 1.5 / 3, 2.5 / 4, 2.5 / 5]
    assert base_rate_log_loss(y) == pytest.approx(sk_log_loss(y, p))


def test_nothing_gives_none_and_certainty_is_finite() -> None:
    assert log_loss([], []) is None
    assert base_rate_log_loss([]) is None
    assert calibration_error([], []) is None
    assert auc([], []) is None
    assert mean_auc([0.5], [True], ["a"]) is None
    assert log_loss([0.0, 1.0], [1, 0]) == pytest.approx(34.54, abs=0.01)
    assert log_loss([0.0, 1.0], [0, 1]) == pytest.approx(0, abs=1e-12)
    with pytest.raises(ValueError, match="one length"):
        auc([0.5], [0, 1])
