"""The race on planted truth: who gains is found, and nobody is told whom to contact where nobody differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opportune.errors import BadInput
from opportune.lab.uplift_spec import UpliftSpec
from opportune.lab.uplift_table import read
from opportune.measure.effect import NotEnoughData
from opportune.measure.uplift.differences import balance, differences
from opportune.measure.uplift.learners import Known, expected
from opportune.measure.uplift.race import Race, race
from opportune.measure.uplift.sample import FloatArray, Sample
from opportune.measure.uplift.words import sentences, verdict


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.measure.uplift.differences.DRAWS", range(199, 200))


def customers(n: int, seed: int) -> tuple[np.random.Generator, dict[str, Any]]:
    random = np.random.default_rng(seed)
    town = random.choice(np.array(["x", "y", "z", None], object), n, p=[0.5, 0.3, 0.15, 0.05])
    spent = np.where(random.random(n) < 0.1, np.nan, random.exponential(size=n))
    bought = (random.random(n) < 0.5).astype(np.float64)
    return random, {"age": random.standard_normal(n), "spent": spent, "bought": bought, "town": town}


def campaign(n: int, seed: int, effect: Any, share: float = 0.5, base: float = 0.15) -> tuple[Any, Any, dict[str, Any]]:
    """Customers who respond with a chance `base` along age, and `effect` of their predictors where they are treated."""
    random, predictors = customers(n, seed)
    treated = random.permutation(n) < share * n
    chance = base * (1 + 0.5 * np.tanh(predictors["age"])) + treated * effect(predictors)
    return treated, (random.random(n) < chance).astype(np.float64), predictors


def told(*given: Any, **more: Any) -> Race:
    found = race(*given, **{"seed": 7, "repeats": 1, **more})
    assert isinstance(found, Race)
    return found


def test_a_rule_that_holds_is_found_and_preferred() -> None:
    found = told(*campaign(8_000, 1, lambda p: 0.14 * p["bought"]), repeats=2)
    assert verdict(found) == "target by rule"
    assert (found.rule, found.rule_agrees) == ("bought > 0.5", 1.0)
    rule = next(model for model in found.models if model.name == "rule")
    assert 100 * 0.14 / 8 in rule.interval
    assert [part.name for part in found.parts] == ["where the rule holds", "elsewhere"]
    assert 0.14 in found.parts[0].interval
    assert 0.0 in found.parts[1].interval
    random = next(model for model in found.models if model.name == "random")
    assert not random.finds
    assert any("bought > 0.5" in line for line in sentences(found))


def test_a_learner_is_chosen_where_a_rule_is_not_enough() -> None:
    def effect(p: dict[str, Any]) -> FloatArray:
        made: FloatArray = 0.1 * (p["bought"] - np.tanh(p["age"]) - (p["town"] == "x"))
        return made

    found = told(*campaign(6_000, 2, effect, base=0.4))
    assert found.chosen in ("S-learner", "T-learner", "DR-learner")
    assert len(found.parts) == 5
    assert found.parts[0].effect > found.parts[-1].effect + 0.1


def test_who_responds_is_not_who_gains() -> None:
    found = told(*campaign(8_000, 3, lambda p: -0.12 * np.tanh(p["age"]), base=0.25))
    ahead = {model.name: model.ahead_interval.low for model in found.models}
    assert all(ahead[name] > 0 for name in ("S-learner", "T-learner", "DR-learner", "rule"))
    assert found.send == "by model"
    response = next(model for model in found.models if model.name == "response")
    assert not response.finds


def test_where_response_ranks_as_well_it_is_said() -> None:
    found = told(*campaign(8_000, 4, lambda p: 0.12 * (1 + np.tanh(p["age"])), base=0.25))
    assert found.differ.p < 0.01
    assert any("No learner orders customers surely better than an order by response" in s for s in sentences(found))


def test_everybody_alike() -> None:
    for effect, said in ((0.06, "no targetable difference: send to all"), (0.0, "no targetable difference"),
                         (-0.05, "no targetable difference: send to none")):  # fmt: skip
        found = told(*campaign(4_000, 5, lambda p, effect=effect: effect))
        assert verdict(found) == said
        assert found.parts == ()
        assert "Nothing shows that customers differ" in sentences(found)[0]


def test_what_a_contact_costs_says_how_far_to_go() -> None:
    given = campaign(5_000, 6, lambda p: 0.10 + 0.20 * p["bought"])
    assert verdict(told(*given)) == "target by rule"
    assert verdict(told(*given, cost=0.02)) == "send to all"
    assert verdict(told(*given, cost=0.20)) == "target by rule"
    assert verdict(told(*given, cost=0.50)) == "send to none"
    assert verdict(told(*campaign(4_000, 6, lambda p: 0.06), cost=0.2)) == "no targetable difference: send to none"


def test_money_and_a_small_control_group() -> None:
    random, predictors = customers(12_000, 7)
    treated = np.arange(12_000) % 20 != 0
    spend = np.maximum(random.normal(20, 5, 12_000) + treated * predictors["bought"] * 4, 0)
    found = told(treated, spend, predictors)
    assert verdict(found) == "target by rule"
    assert 100 * 4 / 8 in next(model for model in found.models if model.name == "rule").interval


def test_too_few_are_not_raced() -> None:
    _, predictors = customers(2_000, 8)
    treated, outcome = np.arange(2_000) % 2 == 0, np.zeros(2_000)
    few = race(treated, outcome, predictors, seed=1)
    assert isinstance(few, NotEnoughData)
    outcome[:20] = 1
    assert not isinstance(race(treated, outcome, predictors, seed=1, repeats=1), NotEnoughData)
    outcome[0] = 0
    few = race(treated, outcome, predictors, seed=1)
    assert few == NotEnoughData("9 customers of treated whose outcome is not 0, needs 10", 223)
    few = race(np.arange(2_000) >= 1_950, np.ones(2_000) * (np.arange(2_000) % 2), predictors, seed=1)
    assert few == NotEnoughData("50 customers in treated, needs 100", 2_000)
    assert isinstance(race([], [], {}, seed=1), NotEnoughData)
    with pytest.raises(BadInput, match="at least 2 folds"):
        race(treated, outcome, predictors, seed=1, folds=1)
    with pytest.raises(ValueError, match="not finite"):
        race(treated, np.full(2_000, np.nan), predictors, seed=1)


def test_without_predictors_nobody_differs() -> None:
    treated, outcome, _ = campaign(2_000, 9, lambda p: 0.1)
    for predictors in ({}, {"same": np.ones(2_000)}):
        assert verdict(told(treated, outcome, predictors)) == "no targetable difference: send to all"


def test_arms_that_were_not_alike_are_called_out() -> None:
    random, predictors = customers(6_000, 10)
    treated = random.random(6_000) < 0.4 + 0.2 * predictors["bought"]
    found = told(treated, (random.random(6_000) < 0.2).astype(np.float64), predictors)
    assert found.uneven.p < 0.01
    assert "were customers contacted at random?" in sentences(found)[0]
    assert balance(Sample(np.arange(6_000) % 2 == 0, np.zeros(6_000), predictors), 1).p > 0.01


def test_nobody_is_scored_by_a_model_that_has_seen_them() -> None:
    random = np.random.default_rng(12)
    noise = {f"p{i}": random.standard_normal(600) for i in range(10)}
    found = told(random.permutation(600) < 300, (random.random(600) < 0.3).astype(np.float64), noise)
    assert found.differ.p > 0.05
    for model in found.models:
        assert 0.0 in model.interval, model


def test_intervals_are_wider_where_differences_are_not_established(monkeypatch: pytest.MonkeyPatch) -> None:
    given = campaign(1_000, 13, lambda p: 0.0)
    alike = told(*given)
    monkeypatch.setattr("opportune.measure.uplift.race.ALPHA", 0.9999)
    believed = told(*given)
    assert 0.05 < alike.differ.p == believed.differ.p < 0.9999
    for wide, narrow in zip(alike.models, believed.models):
        assert wide.interval.high - wide.qini == pytest.approx(2**0.5 * (narrow.interval.high - narrow.qini))


def test_a_large_effect_on_all_does_not_hide_who_gains_more() -> None:
    random, predictors = customers(3_000, 14)
    treated = random.permutation(3_000) < 1_500
    outcome = random.standard_normal(3_000) + treated * (10 + 0.5 * predictors["bought"])
    found = told(treated, outcome, predictors)
    assert found.differ.p < 0.01
    assert found.differ.strongest.startswith("bought")


def test_same_seed_same_race() -> None:
    given = campaign(1_500, 11, lambda p: 0.1 * p["bought"])
    assert told(*given) == told(*given)
    assert told(*given) != told(*given, seed=8)


def null_p(n: int, share: float, chance: float, effect: float, money: bool, seed: int) -> float:
    treated, outcome, predictors = campaign(n, seed, lambda p: effect, share, chance)
    if money:
        outcome *= np.random.default_rng(seed).lognormal(3, 1, n)
    sample = Sample(treated, outcome, predictors)
    middle, fold = np.zeros(n), np.arange(n) % 5
    for k in range(5):
        rows = fold != k
        known = Known(sample.design[rows], treated[rows], outcome[rows], outcome[rows], sample.share, sample.binary)
        middle[~rows] = expected(known, sample.design[~rows])
    return differences(sample, middle, seed).p


NULLS = [(1_500, 0.5, 0.2, 0.05, False), (6_000, 0.95, 0.03, 0.01, False), (2_000, 0.5, 0.05, 0.0, True)]


@pytest.mark.parametrize("design", NULLS)
def test_differences_are_not_seen_where_there_are_none(design: Any) -> None:
    found = [null_p(*design, seed) for seed in range(20)]
    assert np.mean(np.array(found) < 0.05) <= 0.2


@pytest.mark.long
@pytest.mark.parametrize("design", NULLS)
def test_differences_are_calibrated(design: Any) -> None:
    found = [null_p(*design, seed) for seed in range(1_000)]
    assert np.mean(np.array(found) < 0.05) <= 0.067


@pytest.mark.long
def test_few_are_targeted_where_nobody_differs() -> None:
    said = [verdict(told(*campaign(2_000, seed, lambda p: 0.05), seed=seed)) for seed in range(400)]
    assert np.mean([word.startswith("no targetable") for word in said]) >= 0.93


def hillstrom(data_folder: Path, outcome: str, repeats: int) -> Race:
    spec = UpliftSpec(
        data=str(data_folder / "hillstrom_womens.csv.gz"), arm="segment", control="No E-Mail", outcome=outcome,
        predictors=("recency", "history", "mens", "womens", "zip_code", "newbie", "channel"),
    )  # fmt: skip
    given = read(spec)
    return told(given.treated, given.outcome, given.predictors, repeats=repeats)


def test_hillstrom(data_folder: Path) -> None:
    found = hillstrom(data_folder, "visit", 1)
    assert verdict(found) == "target by rule"
    assert found.rule == "womens > 0.5"
    model = {one.name: one for one in found.models}
    assert model["rule"].qini > 0.75
    assert model["rule"].qini == pytest.approx(0.79, abs=0.12)
    assert model["T-learner"].qini == pytest.approx(0.794, abs=0.104)
    assert model["response"].qini == pytest.approx(0.404, abs=0.1)
    assert 0.0 in model["random"].interval
    assert model["response"].behind_interval.low > 0
    assert found.effect.difference == pytest.approx(0.0452331, abs=1e-6)
    assert [part.effect for part in found.parts] == pytest.approx([0.0731, 0.0111], abs=0.002)
    assert found.uneven.p > 0.05
