"""Scores: planted truth, a peer on real data, calibration, and columns of every kind."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.measure import scoring
from opportune.measure.discrimination import area, log_loss, parts
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import FloatArray
from opportune.measure.scoring import LEAST, Columns, Scores, scored


def company(n: int, seed: int) -> tuple[dict[str, Any], FloatArray, FloatArray]:
    """Return customers whose chance bends with age and differs by plan, and that chance."""
    draw = np.random.default_rng(seed)
    age = draw.uniform(18, 80, n)
    plan = draw.choice(np.array(["a", "b", "c"], object), n)
    odds = -1.5 + 2 * np.abs(age - 50) / 30 + np.where(plan == "c", 1.5, 0.0)
    truth = 1 / (1 + np.exp(-odds))
    plan[draw.random(n) < 0.05] = None
    with_holes = np.where(draw.random(n) < 0.1, np.nan, age)
    columns = {"age": with_holes, "plan": plan, "noise": draw.normal(0, 1, n), "same": np.ones(n)}
    return columns, (draw.random(n) < truth).astype(float), truth


def learned(columns: Columns, outcomes: FloatArray, **more: Any) -> Scores:
    found = scored(columns, outcomes, **more)
    assert isinstance(found, Scores), found
    return found


def test_the_area_is_that_of_all_pairs() -> None:
    draw = np.random.default_rng(1)
    scores, outcomes = np.round(draw.random(60), 1), (draw.random(60) < 0.4).astype(float)
    yes, no = scores[outcomes > 0][:, None], scores[outcomes == 0][None]
    assert area(scores, outcomes).value == pytest.approx(np.mean((yes > no) + 0.5 * (yes == no)))


def test_the_interval_of_the_area_covers() -> None:
    draw, held = np.random.default_rng(2), []
    truth = 0.7602  # of normal scores one standard deviation apart: the normal distribution at 1 / sqrt(2)
    for _ in range(200):
        outcomes = (draw.random(150) < 0.3).astype(float)
        held.append(truth in area(draw.normal(0, 1, 150) + outcomes, outcomes).interval)
    assert 0.91 <= np.mean(held) <= 0.99
    sure = area(np.arange(10.0), np.repeat([0.0, 1.0], 5))
    assert (sure.value, sure.interval.high) == (1, 1)
    assert sure.interval.low == pytest.approx(0.025 ** (1 / 5)), "ten customers do not make sure of it"
    never = area(-np.arange(10.0), np.repeat([0.0, 1.0], 5))
    assert (never.value, never.interval.low, never.interval.high) == (0, 0, pytest.approx(1 - 0.025 ** (1 / 5)))


def test_parts_hold_everybody_once() -> None:
    scores = np.random.default_rng(3).random(103)
    found = parts(scores, (scores > 0.5).astype(float))
    assert sum(part.customers for part in found) == 103
    assert [part.score for part in found] == sorted(part.score for part in found)
    assert found[0].interval.low == pytest.approx(0, abs=1e-9)
    assert found[0].interval.high > 0.1, "ten customers without one say little"
    assert log_loss(np.array([0.5, 0.5]), np.array([0.0, 1.0])) == pytest.approx(np.log(2))


def test_a_bent_truth_is_learned_and_scores_mean_what_they_say() -> None:
    columns, outcomes, truth = company(4000, 4)
    found = learned(columns, outcomes)
    best = area(truth, outcomes).value
    assert best - 0.035 < found.area.value < best + 0.01
    assert found.loss < found.loss_of_rate
    assert found.slope == pytest.approx(1, abs=0.15)
    assert {one.name for one in found.predictors[:2]} == {"age", "plan"}
    assert "same" not in {one.name for one in found.predictors}
    assert sum(part.score in part.interval for part in found.calibration) >= 8
    fresh, answers, real = company(3000, 5)
    again = found.of(fresh)
    assert float(np.corrcoef(again, real)[0, 1]) > 0.9
    assert float(again.mean()) == pytest.approx(float(answers.mean()), abs=0.03)


def test_noise_is_called_noise() -> None:
    draw = np.random.default_rng(6)
    outcomes = (draw.random(600) < 0.3).astype(float)
    columns = {f"x{i}": draw.normal(0, 1, 600) for i in range(8)}
    found = learned(columns, outcomes)
    assert 0.5 in found.area.interval
    assert found.loss == pytest.approx(found.loss_of_rate, rel=0.02)
    assert float(np.ptp(found.scores)) < 0.4


def test_nobody_is_scored_by_a_model_that_saw_them() -> None:
    columns, outcomes, _ = company(400, 7)
    memory = {**columns, "who": np.array([f"c{i}" for i in range(400)], object)}
    told = np.arange(400.0)
    assert learned(memory, outcomes).area.value < 0.85
    assert learned({**columns, "row": told}, outcomes).area.value < 0.85


def test_those_whose_outcome_is_not_known_are_scored_by_all_others() -> None:
    columns, outcomes, _ = company(1000, 8)
    open_ = outcomes.copy()
    open_[:300] = np.nan
    found = learned(columns, open_)
    assert np.isfinite(found.scores).all()
    assert found.scores[:300] == pytest.approx(found.of({k: v[:300] for k, v in columns.items()}))
    assert area(found.scores[:300], outcomes[:300]).value > 0.65
    assert sum(part.customers for part in found.calibration) == 700


def test_of_very_many_some_are_learned_from_and_all_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "LEARNED", 800)
    monkeypatch.setattr(scoring, "TOGETHER", 70)
    columns, outcomes, truth = company(2000, 10)
    found = learned(columns, outcomes)
    assert sum(part.customers for part in found.calibration) == 800
    assert float(np.corrcoef(found.scores, truth)[0, 1]) > 0.8


def test_too_little_is_no_number() -> None:
    columns, outcomes, _ = company(300, 9)
    few = np.where(np.cumsum(outcomes) < LEAST, outcomes, 0.0)
    found = scored(columns, few)
    assert isinstance(found, NotEnoughData)
    assert found.reason == "49 customers are known with the outcome, it takes 50"
    assert found.more == 1
    all_yes = scored(columns, np.ones(300))
    assert isinstance(all_yes, NotEnoughData)
    assert "without the outcome" in all_yes.reason
    blind = scored({"same": np.ones(300), "gone": np.full(300, np.nan)}, outcomes)
    assert isinstance(blind, NotEnoughData)
    assert blind.reason == "no predictor differs between customers"


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from(["number", "text", "both"]), st.floats(0, 0.9))
def test_whatever_the_columns_scores_are_chances(seed: int, kind: str, gone: float) -> None:
    draw = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    if kind != "text":
        columns["x"] = np.where(draw.random(200) < gone, np.nan, draw.standard_cauchy(200) * 1e6)
    if kind != "number":
        column = draw.choice(np.array(["a", "b", "", None], object), 200)
        columns["t"] = column
    outcomes = np.repeat([0.0, 1.0], 100)
    found = scored(columns, outcomes, folds=2)
    assert isinstance(found, Scores)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    other = {name: column[::-1] for name, column in columns.items()}
    if "t" in other:
        other["t"] = np.array(["new"] * 200, object)
    assert ((found.of(other) >= 0) & (found.of(other) <= 1)).all()


def test_telco_beside_scikit_learn(data_folder: Path) -> None:
    file = data_folder / "telco_churn.csv.gz"
    if not file.exists():
        pytest.skip(f"{file.name} is not in {data_folder}")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    numbers = {"tenure", "MonthlyCharges", "TotalCharges", "SeniorCitizen"}
    columns: dict[str, Any] = {}
    for name in rows[0].keys() - {"customerID", "Churn"}:
        texts = [row[name].strip() for row in rows]
        if name in numbers:
            columns[name] = np.array([float(text) if text else np.nan for text in texts])
        else:
            columns[name] = np.array(texts, object)
    outcomes = np.array([row["Churn"] == "Yes" for row in rows], float)
    found = learned(dict(sorted(columns.items())), outcomes)
    texts = sorted(columns.keys() - numbers)
    table = np.column_stack([np.nan_to_num(columns[name]) for name in sorted(numbers)]
                            + [columns[name] for name in texts]).astype(object)  # fmt: skip
    transform = make_column_transformer(
        (StandardScaler(), list(range(4))), (OneHotEncoder(), list(range(4, 4 + len(texts))))
    )
    peer = cross_val_predict(
        make_pipeline(transform, LogisticRegression(max_iter=2000)), table, outcomes, method="predict_proba",
        cv=StratifiedKFold(5, shuffle=True, random_state=7),
    )[:, 1]  # fmt: skip
    assert found.area.value > area(peer, outcomes).value > 0.84
    assert found.loss < log_loss(peer, outcomes)
    assert sum(part.score in part.interval for part in found.calibration) >= 8
