"""Holdouts against models: a false claim is rejected, a true one as rarely as promised, both together are nearer."""

from __future__ import annotations

import numpy as np
import pytest

from opportune.bench.attribution_truth import CHANNELS, Market, live, misallocated, told, truth
from opportune.errors import BadInput
from opportune.measure.attribution.models import Credit
from opportune.measure.attribution.tournament import Calibrated, Holdout, calibrated, judged, next_holdout
from opportune.measure.effect import Interval


def credit(conversions: float, error: float = 1.0) -> Credit:
    return Credit(conversions, 0.0, Interval(conversions - 2 * error, conversions + 2 * error), error)


def measured(added: float, draw: np.random.Generator, people: int = 20_000, share: float = 0.1) -> Holdout:
    """A holdout of a channel that adds so many conversions among those whom it can reach."""
    treated = int(people * (1 - share))
    held, base = people - treated, 0.1
    return Holdout(treated, draw.binomial(treated, base + added / treated), held, draw.binomial(held, base))


def test_what_a_holdout_says_is_a_difference_of_rates() -> None:
    held = Holdout(9000, 990, 1000, 100)
    assert held.added == pytest.approx(9000 * (990 / 9000 - 100 / 1000))
    # Var = n^2 (p (1 - p) / n + q (1 - q) / m)
    assert held.error == pytest.approx(9000 * np.sqrt(0.11 * 0.89 / 9000 + 0.1 * 0.9 / 1000), rel=0.01)
    with pytest.raises(BadInput, match="a holdout has 5 conversions of 4 customers"):
        Holdout(100, 10, 4, 5)


def test_a_true_claim_is_rejected_as_rarely_as_promised_and_a_false_one_almost_always() -> None:
    draw = np.random.default_rng(1)
    rejected = {"true": 0, "false": 0}
    for _ in range(400):
        holdouts = {name: measured(added, draw) for name, added in (("a", 500), ("b", 100), ("c", 0))}
        for claim, (a, b, c) in {"true": (500, 100, 0), "false": (100, 300, 800)}.items():
            found = judged({"a": credit(a), "b": credit(b), "c": credit(c), "other": credit(9)}, holdouts)
            assert found.channels == 3
            rejected[claim] += found.rejected
    assert 0.025 <= rejected["true"] / 400 <= 0.08
    assert rejected["false"] / 400 > 0.95


def test_chi_square_by_hand() -> None:
    held = Holdout(9000, 900, 1000, 80)
    found = judged({"mail": credit(400, 30.0)}, {"mail": held, "nobody": held})
    assert found.chi_square == pytest.approx((400 - 180) ** 2 / (held.error**2 + 30**2))
    assert found.channels == 1
    assert judged({"mail": credit(400)}, {}).p == 1.0


def test_models_that_know_shares_beat_holdouts_and_holdouts_correct_models_that_do_not() -> None:
    draw = np.random.default_rng(2)
    true = {"a": 900.0, "b": 300.0, "c": 150.0, "d": 50.0}
    off = {"right": [], "alone": [], "wrong": [], "claim": []}  # type: ignore[var-annotated]
    for _ in range(40):
        holdouts = {name: measured(added, draw) for name, added in true.items()}
        right = calibrated({"right": {name: credit(3 * added) for name, added in true.items()}}, holdouts)
        wrong = calibrated({"wrong": {n: credit(3 * a) for n, a in zip(true, reversed(true.values()))}}, holdouts)
        values = list(true.values())
        off["right"].append(misallocated([right[name].added for name in true], values))
        off["wrong"].append(misallocated([wrong[name].added for name in true], values))
        off["alone"].append(misallocated([holdouts[name].added for name in true], values))
        off["claim"].append(misallocated(values[::-1], values))
    mean = {name: float(np.mean(all_)) for name, all_ in off.items()}
    assert mean["right"] < 0.7 * mean["alone"]
    assert mean["wrong"] < 0.5 * mean["claim"]


def test_a_channel_without_a_holdout_has_what_the_models_say_by_then() -> None:
    holdouts = {"a": Holdout(90_000, 9900, 10_000, 1000), "b": Holdout(90_000, 9450, 10_000, 1000)}
    found = calibrated({"m": {"a": credit(1800), "b": credit(900), "c": credit(450)}}, holdouts)
    assert found["c"].weight == 0
    assert 100 < found["c"].added < 400
    widths = {name: one.interval.high - one.interval.low for name, one in found.items()}
    assert widths["c"] / found["c"].added > widths["a"] / found["a"].added
    assert calibrated({"m": {"a": credit(5)}}, {}) == {}


def test_the_next_holdout_is_where_most_money_hangs_on_what_is_not_known() -> None:
    def one(added: float, reach: float) -> Calibrated:
        return Calibrated(added, Interval(added - reach, added + reach), 0.5)

    found = {"a": one(100, 10), "b": one(100, 50), "c": one(100, 40)}
    assert next_holdout(found, {}) == "b"
    assert next_holdout(found, {"a": 10, "b": 10, "c": 100}) == "c"
    assert next_holdout(found, {"a": 1000, "b": 10, "c": 10}) == "a"
    assert next_holdout({}, {}) is None


def test_holdouts_of_a_market_measure_its_truth_and_calibration_beats_the_last_touch() -> None:
    off: dict[str, list[float]] = {"last": [], "both": []}
    gaps, inside = [], []
    for seed in (501, 502):
        market = Market.of(seed)
        lived, true = live(market, 20_000, seed), truth(market, 20_000, seed)
        said, holdouts = told(lived, ghosts=True)
        both = calibrated(said, holdouts)
        gaps += [(holdouts[c].added - t) / holdouts[c].error for c, t in zip(CHANNELS, true)]
        inside += [t in both[c].interval for c, t in zip(CHANNELS, true)]
        off["last"].append(misallocated([said["last"][c].conversions for c in CHANNELS], true))
        off["both"].append(misallocated([both[c].added for c in CHANNELS], true))
    assert np.abs(gaps).max() < 3.5
    assert np.mean(inside) > 0.6
    assert np.mean(off["both"]) < 0.7 * np.mean(off["last"])
