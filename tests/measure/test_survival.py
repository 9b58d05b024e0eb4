"""Kaplan and Meier by hand, against statsmodels, and whether its intervals cover."""

from __future__ import annotations

from math import inf, isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.measure.effect import NotEnoughData
from opportune.measure.survival import Survival, kaplan_meier


def known(*args: object) -> Survival:
    found = kaplan_meier(*args)  # type: ignore[arg-type]
    assert isinstance(found, Survival)
    return found


def test_by_hand() -> None:
    # 6 begin: ends at 2 and 5, under way at 3, 5, 8 and 9; 5 at risk after 2, and 4 at 5
    found = known([2, 3, 5, 5, 8, 9], [True, False, True, False, False, False])
    assert found.part == pytest.approx((5 / 6, 5 / 6 * 3 / 4))
    assert found.greenwood == pytest.approx((1 / 30, 1 / 30 + 1 / 12))
    assert found.at(4.9) == pytest.approx(5 / 6)
    assert found.at(5) == pytest.approx(0.625)
    assert found.at(0) == 1
    assert isinstance(found.at(9.1), NotEnoughData)
    median = found.quantile(0.5)
    assert isinstance(median, NotEnoughData)
    assert "still under way" in median.reason
    assert (found.n, found.ended, found.longest) == (6, 2, 9)


def test_leaving_out_who_is_under_way_flatters() -> None:
    spans, ended = [1, 2, 10, 10, 10], [True, True, False, False, False]
    assert isinstance(known(spans, ended).quantile(0.5), NotEnoughData)
    assert known(spans[:2], ended[:2]).quantile(0.5) == 1


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.integers(1, 3)), min_size=2, max_size=40))
def test_it_is_what_statsmodels_says(rows: list[tuple[int, bool, int]]) -> None:
    survfunc = pytest.importorskip("statsmodels.duration.survfunc")
    times, ended, many = (list(column) for column in zip(*rows))
    if not any(ended):
        return
    found = known(times, ended, many)
    theirs = survfunc.SurvfuncRight(np.repeat(times, many), np.repeat(ended, many).astype(int))
    assert list(found.times) == theirs.surv_times.tolist()
    assert found.part == pytest.approx(theirs.surv_prob.tolist(), abs=1e-12)
    for time, part, error in zip(theirs.surv_times, theirs.surv_prob, theirs.surv_prob_se):
        if 0 < part < 1:
            place = found.times.index(time)
            assert part * np.sqrt(found.greenwood[place]) == pytest.approx(error)
    for share in (0.25, 0.5, 0.9):
        if any(abs(part - (1 - share)) < 1e-9 for part in found.part):
            continue  # statsmodels waits for the part to be below its level
        mine, other = found.quantile(share), theirs.quantile(share)
        assert (inf if isinstance(mine, NotEnoughData) else mine) == pytest.approx(inf if np.isnan(other) else other)
        if all(0 < part < 1 for part in found.part):
            low, high = theirs.quantile_ci(share, method="cloglog")
            got = found.quantile_interval(share)
            expected = [inf if np.isnan(end) else end for end in (low, high)]
            assert [end for end in got if isfinite(end)] == [end for end in expected if isfinite(end)]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=30), st.integers(0, 9))
def test_intervals_hold_the_estimate_and_stay_in_bounds(rows: list[tuple[int, bool]], time: int) -> None:
    found = known(*zip(*rows))
    part = found.at(time)
    low, high = found.interval(time)
    assert 0 <= low <= high <= 1
    if not isinstance(part, NotEnoughData):
        assert low - 1e-12 <= part <= high + 1e-12
    assert list(found.part) == sorted(found.part, reverse=True)


def test_intervals_cover() -> None:
    draw = np.random.default_rng(7)
    runs, inside, median = 600, 0, 0
    for _ in range(runs):
        spans, until = draw.exponential(10, 80), draw.uniform(0, 30, 80)
        found = known(np.minimum(spans, until), spans <= until)
        inside += float(np.exp(-0.8)) in found.interval(8.0)
        median += 10 * np.log(2) in found.quantile_interval(0.5)
    assert 0.925 <= inside / runs <= 0.975
    assert 0.92 <= median / runs <= 0.98


def test_nothing_and_nonsense() -> None:
    assert isinstance(kaplan_meier([], []), NotEnoughData)
    with pytest.raises(ValueError, match="negative"):
        kaplan_meier([-1.0], [True])
    all_over = known([1, 1], [True, True])
    assert all_over.at(99) == 0
    assert 0 < all_over.interval(1).high < 1  # two that ended do not prove that all end
