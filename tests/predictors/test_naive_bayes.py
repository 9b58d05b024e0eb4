"""Pega-style naive Bayes against its published formulas, coded again from the text."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opportune.predictors.base import ActionKey, Inputs, Values
from opportune.predictors.calibration import isotonic
from opportune.predictors.contract import ACTIONS, EVERY, opened, stream
from opportune.predictors.naive_bayes import CELLS, NaiveBayes, _cell, bin_auc


def test_empty_is_one_half() -> None:
    assert opened(NaiveBayes).score(next(stream(1))[0], EVERY).p.tolist() == [0.5, 0.5, 0.5]


def test_scores_and_propensities_follow_the_formulas() -> None:
    model = opened(NaiveBayes, 1500)
    assert isinstance(model, NaiveBayes)
    assert model._active.any(), "no predictor became active"
    rows_of = list(model._bins.rows_of().values())
    for values, _, _ in stream(40, seed=2):
        rows = model._rows(values).tolist()
        found = model.score(values, EVERY)
        for action in range(3):
            pos, neg = model._counts[0, :, action], model._counts[1, :, action]
            total_pos, total_neg = pos[0], neg[0]
            contributions = []
            for j, row in enumerate(rows):
                if model._active[j, action]:
                    n = len(rows_of[j])
                    contributions.append(
                        math.log(pos[row] + 1 / n) - math.log(neg[row] + 1 / n)
                        - math.log(1 + total_pos) + math.log(1 + total_neg)
                    )  # fmt: skip
            score = (math.log(1 + total_pos) - math.log(1 + total_neg) + sum(contributions)) / (1 + len(contributions))
            assert model._scores(np.array(rows, np.int32), np.array([action]))[0] == pytest.approx(score)

            hits, misses = model._cells[action]
            used = np.flatnonzero(hits + misses > 0)
            rates = isotonic(hits[used], (hits + misses)[used])
            mine = np.searchsorted(used, int(_cell(np.array([score]))[0]), side="right") - 1
            pool = rates == rates[max(mine, 0)]
            k, n = hits[used][pool].sum(), (hits + misses)[used][pool].sum()
            assert found.p[action] == pytest.approx((0.5 + k) / (1 + n))
            assert found.a[action] + found.b[action] == pytest.approx(1 + total_pos + total_neg)


def test_counts_are_taken_back_exactly_in_any_order() -> None:
    rows = list(stream(200, seed=3))
    one, other = opened(NaiveBayes, 500), opened(NaiveBayes, 500)
    assert isinstance(one, NaiveBayes)
    assert isinstance(other, NaiveBayes)
    one._bins.learned = other._bins.learned = 10_001  # no cut in between
    for values, action, outcome in rows:
        one.learn_one(values, action, False)
        other.learn_one(values, action, outcome)
    for values, action, outcome in reversed(rows):
        if outcome:
            one.learn_one(values, action, False, -1.0)
            one.learn_one(values, action, True)
    shape = min(one._counts.shape[1], other._counts.shape[1])
    assert (one._counts[:, :shape].sum((1, 2)) == other._counts[:, :shape].sum((1, 2))).all()
    assert (one._counts[:, 0] == other._counts[:, 0]).all()
    assert one._cells.sum((0, 2)).tolist() == other._cells.sum((0, 2)).tolist()


def test_the_auc_of_bins_is_that_of_the_answers() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    bins, outcomes = rng.integers(0, 6, 500), rng.random(500) < 0.3
    pos = np.array([(outcomes & (bins == b)).sum() for b in range(6)], float)
    neg = np.array([(~outcomes & (bins == b)).sum() for b in range(6)], float)
    rate = pos / (pos + neg)
    assert bin_auc(pos, neg) == pytest.approx(metrics.roc_auc_score(outcomes, rate[bins]))


def test_only_one_of_two_copies_is_active_and_noise_is_not() -> None:
    model = NaiveBayes()
    model.align(Inputs(("x", "copy", "noise"), ()), [ActionKey("a", "all", "all")])
    rng = np.random.default_rng(5)
    for _ in range(4000):
        x = rng.normal()
        outcome = bool(rng.random() < 1 / (1 + math.exp(-2 * x)))
        model.learn_one(Values(np.array([x, x, rng.normal()], np.float32), []), 0, outcome)
    assert model._active[:2, 0].sum() == 1


def test_score_bins_cover_every_score() -> None:
    cells = _cell(np.array([-1e9, -1.0, 0.0, 1.0, 1e9]))
    assert cells[0] == 0
    assert cells[-1] == CELLS - 1
    assert (np.diff(cells) > 0).all()


def test_effects_are_the_contributions_of_each_bin() -> None:
    model = opened(NaiveBayes, 600)
    for action in range(len(ACTIONS)):
        effects = {(name, one.bin): one for name, found in model.effects(action).items() for one in found}
        for values, _, _ in stream(5, seed=3):
            for name, told, share in model.contributions(values, action):
                assert effects[name, told].moves == pytest.approx(share, abs=1e-12)
                assert effects[name, told].deviation is None
