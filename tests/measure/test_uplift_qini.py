"""The Qini coefficient and its error, against brute force, Radcliffe's curve and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.uplift.qini import average, gains, qini, qini_of_folds
from opportune.measure.uplift.sample import FloatArray

FLAT = st.lists(st.tuples(st.integers(-4, 4), st.integers(-50, 50)), min_size=3, max_size=40)


def area(score: FloatArray, gain: FloatArray) -> float:
    """The area between curve and line, drawn: ties are contacted together."""
    n, share, gained, total = len(score), [0.0], [0.0], 0.0
    for value in sorted(set(score.tolist()), reverse=True):
        total += gain[score == value].sum()
        share.append(share[-1] + float((score == value).sum()) / n)
        gained.append(total / n)
    return 100 * (float(np.trapezoid(gained, share)) - gained[-1] / 2)


@given(FLAT)
def test_coefficient_is_the_area_between_curve_and_line(rows: list[tuple[int, int]]) -> None:
    score, gain = (np.array(column, np.float64) for column in zip(*rows))
    found = qini(score, gain)
    assert found.value == pytest.approx(area(score, gain), abs=1e-9)
    assert found.influence.mean() == pytest.approx(0, abs=1e-9)


@given(FLAT)
def test_only_the_order_counts(rows: list[tuple[int, int]]) -> None:
    score, gain = (np.array(column, np.float64) for column in zip(*rows))
    found = qini(score, gain)
    assert qini(np.exp(score), gain).value == pytest.approx(found.value, abs=1e-9)
    assert qini(-score, gain).value == pytest.approx(-found.value, abs=1e-9)
    assert qini(-score, gain).error == pytest.approx(found.error, abs=1e-9)
    assert qini(np.zeros(len(score)), gain).value == pytest.approx(0, abs=1e-9)
    assert qini(score, gain + 7).value == pytest.approx(found.value, abs=1e-9)


def test_it_is_radcliffes_where_arms_are_alike() -> None:
    random = np.random.default_rng(1)
    n = 60_000
    treated, score = random.random(n) < 0.3, np.round(random.random(n), 1)
    outcome = (random.random(n) < 0.1 + 0.1 * treated * score).astype(np.float64)
    order = np.argsort(-score, kind="stable")
    w, y, sorted_score = treated[order], outcome[order], score[order]
    last = np.append(np.flatnonzero(np.diff(sorted_score)), n - 1)
    w1, w0 = np.cumsum(w)[last], np.cumsum(~w)[last]
    curve = (np.cumsum(y * w)[last] - np.cumsum(y * ~w)[last] * w1 / w0) / w.sum()
    share = w1 / w.sum()
    classic = 100 * (np.trapezoid([0, *curve], [0, *share]) - curve[-1] / 2)
    found = qini(score, gains(treated, outcome, np.full(n, outcome.mean()), float(treated.mean())))
    assert found.value == pytest.approx(classic, abs=0.1 * found.error)


def test_error_is_that_of_the_bootstrap() -> None:
    random = np.random.default_rng(2)
    n = 1_500
    score, other = np.round(random.standard_normal(n), 1), random.standard_normal(n)
    gain = 1.0 + 2 * score + 0.5 * random.standard_normal(n)
    areas = []
    for _ in range(600):
        rows = random.integers(0, n, n)
        areas.append((qini(score[rows], gain[rows]).value, qini(other[rows], gain[rows]).value))
    drawn = np.array(areas)
    one, two = qini(score, gain), qini(other, gain)
    assert one.error == pytest.approx(drawn[:, 0].std(), rel=0.1)
    assert (one - two).error == pytest.approx((drawn[:, 0] - drawn[:, 1]).std(), rel=0.1)


def test_scores_are_compared_within_their_fold() -> None:
    random = np.random.default_rng(3)
    n, fold = 400, np.arange(400) % 4
    score, gain = random.standard_normal(n), random.standard_normal(n)
    found = qini_of_folds(score, gain, fold)
    assert qini_of_folds(score + 100.0 * fold, gain, fold).value == pytest.approx(found.value)
    assert found.value == pytest.approx(np.mean([qini(score[fold == k], gain[fold == k]).value for k in range(4)]))
    assert average([found, found]).error == pytest.approx(found.error)


def test_gains_are_unbiased_whatever_is_expected() -> None:
    random = np.random.default_rng(4)
    n = 200_000
    treated = np.arange(n) % 20 != 0
    outcome = 1.0 + 0.25 * treated + random.standard_normal(n)
    for expected in (np.zeros(n), outcome.mean() + random.standard_normal(n)):
        gain = gains(treated, outcome, expected, float(treated.mean()))
        assert gain.mean() == pytest.approx(0.25, abs=4 * gain.std() / n**0.5)
