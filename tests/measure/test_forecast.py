"""Forecasts: a public series, planted truth, intervals that cover, and series that say little."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from opportune.errors import BadInput
from opportune.measure import statsforecast_methods
from opportune.measure.decomposition import NONE, season_of
from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast import LEAST, METHODS, Forecast, filled, forecast, seasonal_naive
from opportune.measure.pooling import FloatArray
from opportune.measure.rolling_origin import NAIVE, Past, skill_of
from opportune.measure.smoothing import smoothing
from opportune.measure.theta import theta

AIR = np.array([
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114,
    140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242, 209, 191,
    172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235, 227, 234, 264, 302, 293, 259,
    229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278, 284, 277, 317, 313, 318, 374, 413, 405,
    355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336, 340, 318, 362, 348, 363, 435, 491,
    505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535,
    622, 606, 508, 461, 390, 432,
], float)  # fmt: skip
"""Airline passengers by month, 1949 to 1960 (Box and Jenkins 1976)."""


def found(y: Any, ahead: int = 6, season: int = 1, level: float = 0.8) -> Forecast:
    told = forecast(np.asarray(y, float), ahead, season, level)
    assert isinstance(told, Forecast), told
    return told


def percent(mean: Any, truth: FloatArray) -> float:
    return float(100 * np.mean(np.abs(np.asarray(mean) - truth) / truth))


def test_air_passengers() -> None:
    known, truth = AIR[:-12], AIR[-12:]
    assert percent(seasonal_naive(known, 12, 12)[0], truth) == pytest.approx(9.99, abs=0.005), "as published"
    assert percent(theta(known, 12, 12)[0], truth) < 3.95
    assert percent(theta(known, 12, 12, dynamic=True)[0], truth) < 3.95
    assert percent(smoothing(known, 12, 12)[0], truth) < 5
    assert percent(smoothing(known, 12, 12, logs=True)[0], truth) < 5
    told = found(known, 12, 12)
    assert percent(told.mean, truth) < 2.4
    assert told.skill is not None
    assert told.skill_interval is not None
    assert told.skill_interval.low > 0
    assert not told.as_good
    assert told.intervals is not None
    assert sum(value in interval for value, interval in zip(truth, told.intervals)) >= 8
    assert told.errors[told.method] == min(told.errors.values()) < 0.7 * told.errors[NAIVE]


def test_theta_on_a_line_goes_on_along_it() -> None:
    line = 5 + 3 * np.arange(30.0)
    for dynamic in (False, True):
        mean, _ = theta(line, 1, 4, dynamic)
        assert mean == pytest.approx(5 + 3 * np.arange(30, 34), rel=0.02)
    assert smoothing(line, 1, 4)[0] == pytest.approx(5 + 3 * np.arange(30, 34), rel=1e-6)
    assert smoothing(np.exp(line / 30), 1, 4, logs=True)[0] == pytest.approx(np.exp((5 + 3 * np.arange(30, 34)) / 30))


def test_smoothing_without_a_trend_is_the_exponential_mean() -> None:
    y = 50 + np.random.default_rng(3).normal(0, 2, 60)
    mean, spread = smoothing(y, 1, 3)
    assert mean[0] == mean[1] == mean[2] == pytest.approx(50, abs=1.5)
    assert spread[0] == pytest.approx(2, rel=0.3)
    assert spread[0] < spread[1] < spread[2]


def test_the_season_is_seen_or_not_and_adds_or_multiplies() -> None:
    draw, t = np.random.default_rng(1), np.arange(96)
    wave = np.sin(2 * np.pi * t / 12)
    assert season_of(draw.normal(0, 1, 96), 12) is NONE
    assert season_of(np.full(96, 7.0), 12) is NONE
    adds = season_of(100 + t + 10 * wave + draw.normal(0, 1, 96), 12)
    assert not adds.multiplies
    assert adds.factors == pytest.approx(10 * wave[:12], abs=1.5)
    times = season_of(100 * np.exp(0.02 * t) * (1 + 0.3 * wave) + draw.normal(0, 1, 96), 12)
    assert times.multiplies
    assert times.factors == pytest.approx(1 + 0.3 * wave[:12], abs=0.05)
    assert not season_of(10 * wave, 12).multiplies, "nothing multiplies below 0"
    y = 100 + 10 * wave
    for rhythm in (adds, times):
        assert rhythm.onto(rhythm.without(y), 0) == pytest.approx(y)


def series(kind: str, n: int, draw: np.random.Generator) -> FloatArray:
    t, e = np.arange(n), draw.normal(0, 1, n)
    wave = np.sin(2 * np.pi * t / 12)
    made: FloatArray
    if kind == "walk":
        made = 100 + np.cumsum(2 * e)
    elif kind == "trend":
        made = 50 + 0.3 * t + 4 * e
    elif kind == "season":
        made = 100 + 10 * wave + 4 * e + 0.1 * t
    elif kind == "growth":
        made = 100 * np.exp(0.01 * t + 0.2 * wave + 0.05 * e + 0.02 * np.cumsum(draw.normal(0, 1, n)))
    elif kind == "smooth":
        made = 100 + 4 * e + 0.3 * np.concatenate([[0.0], np.cumsum(4 * e)[:-1]])
    else:
        made = 30 + np.convolve(3 * draw.normal(0, 1, n + 20), 0.7 ** np.arange(20), "full")[20 : n + 20]
    return made


KINDS = ("walk", "trend", "season", "growth", "smooth", "memory")


def covered(repeats: int, lengths: tuple[int, ...], seed: int) -> float:
    held = []
    for kind in KINDS:
        for n in lengths:
            for one in range(repeats):
                y = series(kind, n + 12, np.random.default_rng([seed, one, n, KINDS.index(kind)]))
                told = found(y[:n], 12, 12)
                assert told.intervals is not None
                held.append(np.mean([value in interval for value, interval in zip(y[n:], told.intervals)]))
    return float(np.mean(held))


@pytest.mark.parametrize(
    ("repeats", "lengths"), [(3, (40, 84)), pytest.param(50, (40, 72, 144), marks=pytest.mark.long)]
)
def test_intervals_of_80_percent_hold_75_to_85(repeats: int, lengths: tuple[int, ...]) -> None:
    assert 0.75 <= covered(repeats, lengths, 11) <= 0.85


def test_wider_levels_give_wider_intervals() -> None:
    y = series("season", 60, np.random.default_rng(4))
    wide, narrow = found(y, 6, 12, 0.95).intervals, found(y, 6, 12, 0.5).intervals
    assert wide is not None
    assert narrow is not None
    assert all(a.low < b.low < b.high < a.high for a, b in zip(wide, narrow))


def test_where_seasonal_naive_is_as_good_it_is_said() -> None:
    walks = [found(series("walk", 60, np.random.default_rng(seed)), 3) for seed in range(8)]
    said = [one for one in walks if one.as_good]
    assert len(said) >= 6, "nothing foretells a random walk better than its last value"
    assert all("the last value is as good a forecast" in one.remarks for one in said)
    y = found(series("season", 84, np.random.default_rng(1)), 6, 12)
    assert ("seasonal naive is as good" in y.remarks) == y.as_good


def test_skill_is_of_choices_without_hindsight() -> None:
    told = [found(series("walk", 40, np.random.default_rng([9, seed])), 1).skill for seed in range(12)]
    assert all(skill is not None for skill in told)
    assert float(np.mean([skill for skill in told if skill is not None])) < 0.01, "luck is no skill"


def test_a_choice_knows_what_had_come_by_then() -> None:
    origins, ahead = list(range(20, 40)), 6
    naive, other = np.ones((20, ahead)), np.empty((20, ahead))
    for k, known in enumerate(origins):
        for h in range(ahead):
            other[k, h] = 2.0 if known + h < 30 else 0.0
            if known + h >= 40:
                naive[k, h] = other[k, h] = np.nan
    gains = []
    for k, known in enumerate(origins[1:], 1):
        seen = [(i, h) for i in range(k) for h in range(ahead) if origins[i] + h < known]
        better = np.mean([other[i, h] for i, h in seen]) < np.mean([naive[i, h] for i, h in seen])
        gains.append(float(np.nanmean(naive[k]) - np.nanmean((other if better else naive)[k])))
    past = {NAIVE: Past(naive, naive), "other": Past(other, naive)}
    skill, interval = skill_of(past, origins, ahead)
    assert skill == pytest.approx(np.mean(gains))
    assert interval is not None
    assert skill in interval


def test_the_seasonal_naive_is_less_sure_with_each_season() -> None:
    mean, spread = seasonal_naive(np.array([1.0, 5, 2, 6, 4, 8]), 2, 5)
    assert mean.tolist() == [4, 8, 4, 8, 4]
    assert spread == pytest.approx(np.sqrt([2.5, 2.5, 5, 5, 7.5]))


def test_too_little_is_no_number() -> None:
    few = forecast(np.arange(LEAST - 2.0), 3)
    assert isinstance(few, NotEnoughData)
    assert few.more == 2
    assert "it takes 10" in few.reason
    assert isinstance(forecast(np.full(50, np.nan), 3), NotEnoughData)
    holes = np.where(np.arange(60) % 2 == 0, np.nan, 1.0)
    assert "30 of 60" not in str(forecast(holes, 3))
    assert isinstance(forecast(holes, 3), NotEnoughData)


def test_a_series_that_never_changes_has_no_interval() -> None:
    told = found(np.full(30, 7.0), 3, 7)
    assert told.mean == (7, 7, 7)
    assert told.intervals is None
    assert told.skill is None
    assert "each season was as the one before" in told.remarks[0]
    assert "nothing ever changed" in found(np.full(30, 7.0), 3).remarks[0]


def test_gaps_zeros_and_values_below_zero() -> None:
    draw = np.random.default_rng(5)
    y = series("season", 72, draw)
    holes = y.copy()
    holes[[5, 30, 31, 60]] = np.nan
    told = found(holes, 6, 12)
    assert "4 of 72 periods have no value" in told.remarks[0]
    assert told.mean == pytest.approx(found(y, 6, 12).mean, rel=0.1)
    assert filled(holes, 12)[30] == pytest.approx(y[30], abs=15), "the season is in what is filled in"
    rare = found(np.where(draw.random(60) < 0.2, 3.0, 0.0), 4)
    assert "of the periods are 0" in rare.remarks[0]
    assert rare.intervals is not None
    assert min(interval.low for interval in rare.intervals) >= 0, "counts are not below 0"
    below = found(y - 100, 6, 12)
    assert below.mean == pytest.approx(np.array(found(y, 6, 12).mean) - 100, abs=8)
    assert "a season of 52 periods takes 108 of them, there are 60: none is seen" in found(y[:60], 6, 52).remarks


def test_what_cannot_be_is_refused() -> None:
    for y, ahead, season, level, told in (
        (np.array([1, np.inf] * 10), 3, 1, 0.8, "infinite"), (AIR, 0, 1, 0.8, "ahead"), (AIR, 3, 0, 0.8, "season"),
        (AIR, 3, 1, 1.0, "share of 1"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=told):
            forecast(y, ahead, season, level)


finite = st.floats(-1e6, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, np.nan])


@settings(max_examples=30)
@given(arrays.arrays(np.float64, st.integers(10, 40), elements=finite), st.integers(1, 15), st.sampled_from([1, 4, 7]))
def test_whatever_the_values_the_answer_is_whole(y: FloatArray, ahead: int, season: int) -> None:
    told = forecast(y, ahead, season)
    if isinstance(told, NotEnoughData):
        return
    assert len(told.mean) == ahead
    assert np.isfinite(told.mean).all()
    if told.intervals is not None:
        assert all(low <= high and np.isfinite([low, high]).all() for low, high in told.intervals)


@settings(max_examples=8)
@given(st.floats(0.01, 1000), st.sampled_from(["season", "walk", "growth"]))
def test_the_unit_makes_no_difference(unit: float, kind: str) -> None:
    y = np.abs(series(kind, 36, np.random.default_rng(2))) + 1
    one, other = found(y, 4, 4), found(unit * y, 4, 4)
    assert one.method == other.method
    assert np.array(other.mean) == pytest.approx(unit * np.array(one.mean), rel=1e-6)


def test_statsforecast_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    with pytest.raises(BadInput, match=r"pip install 'opportune\[forecast\]'"):
        statsforecast_methods.methods()


def test_models_of_statsforecast_are_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    class Last:
        """What models of statsforecast look like: the last value, with an interval."""

        def __init__(self, season_length: int) -> None:
            self.season = season_length

        def forecast(self, y: FloatArray, h: int, level: list[float]) -> dict[str, FloatArray]:
            mean = np.full(h, y[-self.season])
            return {"mean": mean, f"lo-{level[0]}": mean - 2, f"hi-{level[0]}": mean + 2}

    fake = ModuleType("statsforecast.models")
    for name in statsforecast_methods.MODELS:
        setattr(fake, name, Last)
    monkeypatch.setitem(sys.modules, "statsforecast", ModuleType("statsforecast"))
    monkeypatch.setitem(sys.modules, "statsforecast.models", fake)
    methods = statsforecast_methods.methods()
    mean, spread = methods["AutoETS"](AIR, 12, 3)
    assert (mean.tolist(), spread.tolist()) == ([AIR[-12]] * 3, [2, 2, 2])
    told = forecast(AIR, 3, 12, methods=methods)
    assert isinstance(told, Forecast)
    assert set(told.errors) == {NAIVE, *statsforecast_methods.MODELS}
    assert not set(METHODS) & set(told.errors)
