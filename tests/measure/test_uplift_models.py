"""Regressions against scikit-learn, learners against planted effects, rules against the SQL that they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from opportune.measure.uplift.learners import LEARNERS, Known, expected, response
from opportune.measure.uplift.qini import gains
from opportune.measure.uplift.regression import drawn, linear, logistic
from opportune.measure.uplift.rules import best_rule
from opportune.measure.uplift.sample import FloatArray, Sample, mid_ranks


def test_logistic_is_that_of_sklearn() -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal((2_000, 4))
    y = (random.random(2_000) < 1 / (1 + np.exp(1.5 - x[:, 0] + 0.5 * x[:, 1]))).astype(np.float64)
    oracle = LogisticRegression(C=1 / 3.0, tol=1e-10, max_iter=1_000).fit(x, y)
    found = logistic(x, y, 3.0)
    assert found.weights == pytest.approx([*oracle.intercept_, *oracle.coef_[0]], abs=1e-5)
    assert found.predict(x) == pytest.approx(oracle.predict_proba(x)[:, 1], abs=1e-6)


def test_logistic_ends_where_nothing_or_everything_is_known() -> None:
    x = np.arange(-50, 50, dtype=np.float64)[:, None]
    apart = logistic(x, (x[:, 0] > 0).astype(np.float64), 1e-3)
    assert np.isfinite(apart.weights).all()
    assert apart.predict(x)[[0, -1]] == pytest.approx([0, 1], abs=1e-6)
    assert logistic(x, np.zeros(100)).predict(x).max() < 0.02


def test_linear_is_that_of_sklearn() -> None:
    random = np.random.default_rng(2)
    x, y, weight = random.standard_normal((500, 3)), random.standard_normal(500), random.random(500)
    oracle = Ridge(alpha=2.0).fit(x, y, sample_weight=weight)
    assert linear(x, y, 2.0, weight).weights == pytest.approx([oracle.intercept_, *oracle.coef_], abs=1e-8)


def test_drawn_follows_signal_and_not_noise() -> None:
    random = np.random.default_rng(3)
    x = random.standard_normal((4_000, 10))
    signal = x[:, 0] - 0.5 * x[:, 3]
    found = drawn(x, signal + random.standard_normal(4_000)).weights[1:]
    assert found == pytest.approx([1, 0, 0, -0.5, 0, 0, 0, 0, 0, 0], abs=0.06)
    noise = drawn(x, random.standard_normal(4_000)).weights[1:]
    assert float(noise @ noise) < 0.25 * 10 / 4_000


def planted(n: int, seed: int, binary: bool) -> tuple[Known, FloatArray, FloatArray]:
    """Customers who gain along column 0 and respond along column 1."""
    random = np.random.default_rng(seed)
    x, treated = random.standard_normal((n, 4)), random.random(n) < 0.5
    effect = 0.1 * np.tanh(x[:, 0])
    chance = 0.3 + 0.15 * np.tanh(x[:, 1]) + effect * treated
    outcome = (random.random(n) < chance).astype(np.float64) if binary else chance + random.standard_normal(n) * 0.3
    gain = gains(treated, outcome, np.full(n, outcome.mean()), float(treated.mean()))
    return Known(x, treated, outcome, gain, float(treated.mean()), binary), effect, chance


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("name", LEARNERS)
def test_learners_find_who_gains(name: str, binary: bool) -> None:
    known, effect, _ = planted(20_000, 4, binary)
    score = LEARNERS[name](known, known.x)
    assert np.corrcoef(mid_ranks(score), mid_ranks(effect))[0, 1] > 0.85
    assert score.mean() == pytest.approx(known.gain.mean(), abs=0.01)


def test_response_finds_who_responds() -> None:
    known, effect, chance = planted(20_000, 5, True)
    treated = chance - effect * known.treated + effect
    assert np.corrcoef(mid_ranks(response(known, known.x)), mid_ranks(treated))[0, 1] > 0.95


def test_expected_takes_noise_away() -> None:
    random = np.random.default_rng(6)
    n = 20_000
    x, treated = random.standard_normal((n, 2)), np.arange(n) % 20 != 0
    outcome = 2 * x[:, 0] * ~treated + 0.5 * treated + 0.5 * random.standard_normal(n)
    share = float(treated.mean())
    known = Known(x, treated, outcome, np.zeros(n), share, False)
    plain, less = (
        gains(treated, outcome, m, share).var() for m in (np.full(n, outcome.mean()), expected(known, x))
    )
    assert less < 0.35 * plain


def columns(n: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    number = random.standard_normal(n) * 1e5
    number[random.random(n) < 0.1] = np.nan
    texts = random.choice(np.array(["it's", "b", None, "Zürich \"x\""], object), n)
    return {"age in years": number, "and": texts, "flag": (random.random(n) < 0.3).astype(np.float64)}


def test_each_side_of_a_cut_is_what_its_sql_says() -> None:
    import duckdb

    from opportune.rules import Kind, parse

    n, predictors = 500, columns(500, 7)
    sample = Sample(np.arange(n) % 2 == 0, np.zeros(n), predictors)
    assert len(sample.cuts) > 12
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t (i INTEGER, "age in years" DOUBLE, "and" VARCHAR, flag DOUBLE)')
    given = zip(*(column.tolist() for column in predictors.values()))
    rows = [(i, None if np.isnan(age) else age, text, flag) for i, (age, text, flag) in enumerate(given)]
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    kinds = {name: Kind.TEXT if v.dtype == object else Kind.NUMBER for name, v in predictors.items()}
    for cut in sample.cuts:
        for sql, side in ((cut.sql, cut.inside), (cut.outside, ~cut.inside)):
            asked = f"SELECT i FROM t WHERE {parse(sql, kinds).sql('duckdb')} ORDER BY i"
            assert [i for (i,) in connection.execute(asked).fetchall()] == np.flatnonzero(side).tolist(), sql


@pytest.mark.parametrize(("better", "sql"), [(1, "flag > 0.5"), (-1, "flag <= 0.5")])
def test_the_best_rule_is_the_planted_one(better: int, sql: str) -> None:
    n, predictors = 4_000, columns(4_000, 8)
    gain = better * predictors["flag"] + np.random.default_rng(9).standard_normal(n)
    sample = Sample(np.arange(n) % 2 == 0, np.zeros(n), predictors)
    rule = best_rule(sample.cuts, gain, np.arange(n) % 5 != 0)
    assert rule is not None
    assert rule.sql == sql
    assert rule.score.tolist() == (predictors["flag"] == (better > 0)).tolist()


def test_nothing_to_cut_is_no_rule() -> None:
    ids = np.array([str(i) for i in range(500)], object)
    sample = Sample(np.arange(500) % 2 == 0, np.zeros(500), {"same": np.ones(500), "ids": ids})
    assert sample.cuts == ()
    assert sample.design.shape == (500, 0)
    assert best_rule((), np.ones(50), np.ones(50, np.bool_)) is None
