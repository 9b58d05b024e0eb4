"""Effects in regions: planted lifts, nothing where nothing was done, and refusals where the others do not tell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.measure.conformal import conformal
from opportune.measure.effect import NotEnoughData
from opportune.measure.geo import GeoEffect, detectable, geo
from opportune.measure.pooling import FloatArray
from opportune.measure.synthetic import counterfactual, weighted


def panel(
    seed: Any, lift: float = 0.0, memory: float = 0.3, periods: int = 75, regions: int = 18, treated: int = 2,
    known: int = 60,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Return regions of different sizes that share seasons, shocks and a random walk; the first of them are treated."""
    draw = np.random.default_rng(seed)
    t = np.arange(periods)
    shared = np.stack([np.sin(2 * np.pi * t / 7), np.cumsum(draw.normal(0, 0.3, periods)), draw.normal(0, 1, periods)])
    own = np.zeros((periods, regions))
    for i in range(periods):
        before = own[i - 1] if i else np.zeros(regions)
        own[i] = memory * before + np.sqrt(1 - memory**2) * draw.normal(0, 1, regions)
    loads = draw.uniform(0.2, 1.0, (3, regions))
    found = 100 * draw.lognormal(0, 0.4, regions) * (1 + 0.05 * shared.T @ loads + 0.03 * own)
    found[known:, :treated] *= 1 + lift
    return found[:, :treated], found[:, treated:]


def effect(treated: FloatArray, others: FloatArray, known: int = 60, **more: Any) -> GeoEffect:
    found = geo(treated, others, known, **more)
    assert isinstance(found, GeoEffect), found
    return found


def test_the_weights_are_those_planted() -> None:
    draw = np.random.default_rng(2)
    others = 100 + draw.normal(0, 5, (60, 4)).cumsum(axis=0)
    y = others @ np.array([0.5, 0.3, 0.2, 0.0])
    weights, intercept = weighted(y, others, intercept=False)
    assert weights == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)
    assert intercept == 0
    weights, intercept = weighted(y + 40, others, intercept=True)
    assert weights == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.01)
    assert intercept == pytest.approx(40, abs=1)
    assert counterfactual(y, others, 30, intercept=False) == pytest.approx(y, rel=0.01)


def test_twins_share_the_weight() -> None:
    draw = np.random.default_rng(3)
    one = 100 + draw.normal(0, 5, 40).cumsum()
    other = 100 + draw.normal(0, 5, 40).cumsum()
    weights, _ = weighted(one + draw.normal(0, 1, 40), np.column_stack([one, one, other]), intercept=True)
    assert weights[0] == pytest.approx(weights[1], abs=1e-6)
    assert weights[0] + weights[1] > 0.9


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.booleans(), st.floats(0.1, 50))
def test_weights_are_shares_whatever_the_unit(seed: int, intercept: bool, unit: float) -> None:
    treated, others = panel(seed)
    y = treated.mean(axis=1)
    weights, _ = weighted(y, others, intercept)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert weighted(unit * y, unit * others, intercept)[0] == pytest.approx(weights, abs=1e-6)


def test_a_planted_lift_is_found() -> None:
    found = effect(*panel(5, lift=0.1))
    assert found.lift == pytest.approx(0.1, abs=0.03)
    assert found.lift_interval is not None
    assert found.lift_interval.low > 0
    assert 1 / 75 <= found.p <= 0.05, "what came is one of the moves around the circle"
    assert found.effect in found.interval
    assert found.regions.p <= 0.1
    assert found.regions.interval is not None
    assert found.time.count == 4
    assert found.time.interval is None, "four stretches say nothing at 90 %"
    assert len(found.expected) == len(found.observed) == 75


def test_an_effect_moves_the_interval_as_far() -> None:
    treated, others = panel(6)
    y = treated.mean(axis=1)
    more = y.copy()
    more[60:] += 12.5
    one, other = (conformal(each, others, 60, 75, 0.1, True) for each in (y, more))
    assert other == pytest.approx((one.low + 12.5, one.high + 12.5), abs=1e-6)


def rates(runs: int, lift: float, memory: float) -> tuple[float, float, float]:
    """Return how often the treatment is called one by the interval and by regions, and how often it is covered."""
    all_found = [geo(*panel([one, 77], lift, memory), 60) for one in range(runs)]
    found = [one for one in all_found if isinstance(one, GeoEffect)]
    assert len(found) > 0.9 * runs, "others tell of nearly all, and who is refused depends on the past alone"
    called = float(np.mean([one.p <= 0.1 for one in found]))
    covered = [lift * float(np.mean(one.expected[60:])) in one.interval for one in found]
    return called, float(np.mean([one.regions.p <= 0.1 for one in found])), float(np.mean(covered))


@pytest.mark.parametrize(
    ("runs", "memory", "slack"),
    [(25, 0.3, 0.14), pytest.param(300, 0.0, 0.05, marks=pytest.mark.long),
     pytest.param(300, 0.5, 0.05, marks=pytest.mark.long)],
)  # fmt: skip
def test_nothing_is_found_where_nothing_was_done_but_at_the_level(runs: int, memory: float, slack: float) -> None:
    called, by_regions, covered = rates(runs, 0.0, memory)
    assert called <= 0.1 + slack
    assert by_regions <= 0.1 + slack
    assert covered >= 0.9 - slack
    called, _, covered = rates(runs, 0.08, memory)
    assert called >= 0.7, "a lift of 8 % is plain here"
    assert covered >= 0.9 - slack


def test_what_is_detectable_is_detected_four_times_of_five() -> None:
    treated, others = panel(9, periods=60)
    least = detectable(treated, others, 15)
    assert isinstance(least, float)
    assert 0.01 < least < 0.15
    y, hits = treated.mean(axis=1), []
    for start in range(0, 46, 3):
        more = y.copy()
        more[start : start + 15] += least * y.mean()
        hits.append(conformal(more, others, start, start + 15, 0.1, True).low > 0)
    assert 0.6 <= np.mean(hits) <= 1
    apart = detectable(treated, others, 7)
    assert isinstance(apart, NotEnoughData), "in too many other regions seven days look like a treatment"
    assert apart.reason.startswith("over 7 of 60 periods no effect can be told from chance at 90%")


def test_where_the_others_do_not_tell_there_is_no_effect() -> None:
    draw = np.random.default_rng(1)
    _, others = panel(1)
    noise = geo(draw.normal(100, 10, (75, 1)), others, 60)
    assert isinstance(noise, NotEnoughData)
    assert "no better than their own mean" in noise.reason
    away = others[:, :1] * np.linspace(1, 4, 75)[:, None]
    drifting = geo(away, others, 60)
    assert isinstance(drifting, NotEnoughData)
    assert "drift away" in drifting.reason
    flat = geo(np.full((75, 1), 5.0), others, 60)
    assert isinstance(flat, NotEnoughData)


def test_too_few_periods_or_regions_are_told() -> None:
    treated, others = panel(1)
    for few, told in (
        (geo(treated, others[:, :2], 60), "2 other regions have a value in every period, it takes 3"),
        (geo(treated[:20], others[:20], 11), "11 periods before the treatment, it takes 12"),
        (geo(treated, others, 30), "30 periods before the treatment are fewer than the 45 of it"),
        (detectable(treated, others, 70), "5 periods before the treatment, it takes 12"),
    ):
        assert isinstance(few, NotEnoughData)
        assert few.reason.startswith(told)
    wide = effect(treated, others, level=0.99)
    assert wide.interval == (-np.inf, np.inf), "75 periods cannot say what happens once in a hundred"
    assert isinstance(detectable(treated, others, 15, level=0.99), NotEnoughData)


def test_treated_above_every_mix_take_an_intercept() -> None:
    treated, others = panel(4, lift=0.1)
    high = treated + 3 * others.max()
    assert effect(high, others).effect == pytest.approx(effect(treated, others).effect, rel=1e-6)
    assert isinstance(geo(high, others, 60, intercept=False), NotEnoughData)
