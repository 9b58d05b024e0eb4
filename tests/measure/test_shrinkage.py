"""Winners without their luck, segments, and the whole beside the sum: against planted truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate, FloatArray, moments, weighted
from opportune.measure.shrinkage import (
    _MEANS,
    _SCALES,
    _SHAPES,
    LEAST_TESTS,
    Reconciled,
    Segments,
    Shrunk,
    reconciled,
    segments,
    shrunk,
    usual,
)

TRUTHS: dict[str, Callable[[np.random.Generator, int], FloatArray]] = {
    "heavy": lambda rng, n: 0.04 * rng.standard_t(3, n) - 0.01,
    "normal": lambda rng, n: rng.normal(-0.01, 0.06, n),
    "few": lambda rng, n: np.where(rng.random(n) < 0.15, rng.normal(0.05, 0.15, n), rng.normal(0, 0.01, n)),
}


def drawn(values: FloatArray, errors: FloatArray) -> list[Shrunk]:
    found = shrunk([Estimate(float(y), float(s)) for y, s in zip(values, errors)])
    assert not isinstance(found, NotEnoughData)
    return found


@pytest.mark.parametrize("tests", [12, 40])
@pytest.mark.parametrize("truth", TRUTHS)
def test_winners_bring_what_is_claimed_of_them(truth: str, tests: int) -> None:
    rng = np.random.default_rng(tests)
    sums = dict.fromkeys(("claimed", "brought", "raw", "raw brought", "normal", "normal brought"), 0.0)
    covered: list[bool] = []
    for _ in range(400 if tests == 12 else 120):
        effects, errors = TRUTHS[truth](rng, tests), rng.choice([0.04, 0.07, 0.12], tests)
        values = effects + errors * rng.normal(size=tests)
        for told, effect in zip(drawn(values, errors), effects):
            covered.append(told.interval.low <= effect <= told.interval.high)
            if told.value > 0:
                sums["claimed"] += told.value
                sums["brought"] += effect
        sums["raw"] += values[values > 0].sum()
        sums["raw brought"] += effects[values > 0].sum()
        tau2 = moments(values, errors**2)
        fitted = weighted(values, errors**2, tau2)[0]
        fitted = fitted + tau2 / (tau2 + errors**2) * (values - fitted)
        sums["normal"] += fitted[fitted > 0].sum()
        sums["normal brought"] += effects[fitted > 0].sum()
    assert 0.8 <= sums["brought"] / sums["claimed"] <= 1.2
    assert sums["raw brought"] / sums["raw"] < 0.45
    if tests == 12:
        assert sums["normal brought"] / sums["normal"] < sums["brought"] / sums["claimed"] - 0.1
    assert 0.83 <= np.mean(covered) <= 0.98


def test_the_posterior_is_the_average_over_all_that_may_be_usual() -> None:
    values, errors = np.array([0.1, -0.02, 0.3, 0.05, -0.08, 0.0]), np.array([0.05, 0.1, 0.08, 0.05, 0.06, 0.2])
    w = errors**-2.0
    ordinary = np.sqrt(5 * w.sum() / (w.sum() ** 2 - (w * w).sum()))
    at = np.linspace(-4, 4, 8001)
    total, sums = 0.0, np.zeros(6)
    for shape in _SHAPES:
        for scale in _SCALES * ordinary:
            for mean in _MEANS * scale:
                wide = [(share, times * scale) for share, times in shape]
                prior = sum(share * np.exp(-(((at - mean) / sd) ** 2) / 2) / sd for share, sd in wide)
                joint = prior * np.exp(-(((values[:, None] - at) / errors[:, None]) ** 2) / 2)
                weight = joint.sum(1).prod() * np.exp(-((mean / (scale / 2)) ** 2) / 2)
                total += weight
                sums += weight * (joint @ at) / joint.sum(1)
    assert [told.value for told in drawn(values, errors)] == pytest.approx((sums / total).tolist(), abs=2e-4)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0.02, 0.3)), min_size=LEAST_TESTS, max_size=12))
def test_good_and_bad_are_treated_alike(pairs: list[tuple[float, float]]) -> None:
    values, errors = np.array(pairs).T
    there, back = drawn(values, errors), drawn(-values, errors)
    assert [told.value for told in there] == pytest.approx([-told.value for told in back], abs=1e-9)
    assert all(told.error <= 10 for told in there)


def test_what_is_usual_is_learned_from_all_tests() -> None:
    rng = np.random.default_rng(3)
    for sd in (0.03, 0.1):
        effects = rng.normal(0.02, sd, 200)
        found = usual([Estimate(float(e + 0.05 * rng.normal()), 0.05) for e in effects])
        assert not isinstance(found, NotEnoughData)
        assert found == pytest.approx((0.02, sd), abs=0.02)
    assert isinstance(usual([Estimate(0.1, 0.1)] * 5), NotEnoughData)
    assert isinstance(shrunk([Estimate(0.1, 0.1)] * 5), NotEnoughData)


def test_segments_that_are_alike_have_one_effect() -> None:
    found = segments([Estimate(0.1, 0.05, "new"), Estimate(0.08, 0.05, "old"), Estimate(0.15, 0.05, "gone")])
    assert isinstance(found, Segments)
    assert not found.differ
    assert len({(effect.value, effect.error) for effect in found.effects}) == 1
    assert found.effects[0].sure
    assert isinstance(segments([Estimate(0.1, 0.1)]), NotEnoughData)


def test_segments_that_differ_are_named_and_drawn_together() -> None:
    found = segments([Estimate(0.3, 0.05, "new"), Estimate(0.0, 0.05, "old"), Estimate(0.05, 0.1, "gone")])
    assert isinstance(found, Segments)
    assert found.differ
    assert "most in 'new', least in 'old'" in found.sentence
    values = {effect.name: effect.value for effect in found.effects}
    assert 0.2 < values["new"] < 0.3
    assert 0.0 < values["old"] < 0.05


def test_segments_differ_by_chance_in_one_of_twenty_and_cover_where_they_do() -> None:
    rng = np.random.default_rng(4)
    alike = [segments([Estimate(float(x), 0.1) for x in rng.normal(0.1, 0.1, 6)]) for _ in range(2000)]
    assert 0.035 <= np.mean([found.differ for found in alike if isinstance(found, Segments)]) <= 0.065
    covered = []
    for _ in range(400):
        effects = rng.normal(0.1, 0.2, 8)
        found = segments([Estimate(float(e + 0.1 * rng.normal()), 0.1) for e in effects])
        assert isinstance(found, Segments)
        if found.differ:
            covered += [told.interval.low <= e <= told.interval.high for told, e in zip(found.effects, effects)]
    assert 0.92 <= np.mean(covered) <= 0.97


def test_the_sum_of_wins_agrees_with_the_whole_where_it_is_true() -> None:
    rng = np.random.default_rng(5)
    agree, covered = [], []
    for _ in range(2000):
        effects = rng.normal(0.02, 0.01, 7)
        wins = [Shrunk("", float(e + 0.01 * rng.normal()), 0.01) for e in effects]
        told = reconciled(wins, float(effects.sum() + 0.03 * rng.normal()), 0.03)
        agree.append(told.agrees)
        covered.append(told.claimed_interval.low <= effects.sum() <= told.claimed_interval.high)
    assert 0.935 <= np.mean(agree) <= 0.965
    assert 0.935 <= np.mean(covered) <= 0.965


def test_wins_that_the_whole_does_not_show_are_called_out() -> None:
    told = reconciled([Shrunk("a", 0.03, 0.01), Shrunk("b", 0.04, 0.01)], 0.01, 0.01)
    assert isinstance(told, Reconciled)
    assert told.claimed == pytest.approx(0.07)
    assert told.gap == pytest.approx(0.06)
    assert not told.agrees
    assert told.measured_interval == pytest.approx((0.01 - 0.0196, 0.01 + 0.0196), abs=1e-4)
