"""Budgets and response curves: global optima where the usual optimizer is lost, and curves from planted ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from opportune.bench.measure import TRAPS, gaps
from opportune.errors import BadInput
from opportune.measure.budget import Line, allocated
from opportune.measure.effect import NotEnoughData
from opportune.measure.response_curves import LEAST, Curve, Kind, fitted


def lines(*curves: Curve) -> list[Line]:
    return [Line(str(number), curve.result) for number, curve in enumerate(curves)]


@pytest.mark.parametrize("trap", range(len(TRAPS)))
def test_traps_of_s_curves_are_none(trap: int) -> None:
    ours, slsqp = gaps(*TRAPS[trap])
    assert ours < 0.001
    assert slsqp > 0.03, "an even split is a trap for who goes uphill"


@pytest.mark.parametrize("shapes", [(0.5, 0.5), (0.3, 0.6), (0.7, 0.2, 0.4), (0.5, 0.5, 0.5, 0.5)])
def test_concave_optima_have_equal_marginals(shapes: tuple[float, ...]) -> None:
    curves = [Curve("power", 10 + 3 * number, 1, shape) for number, shape in enumerate(shapes)]
    found = allocated(lines(*curves), 1000.0)
    assert sum(found.spend) == pytest.approx(1000)
    slopes = [curve.marginal(spend) for curve, spend in zip(curves, found.spend)]
    assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=0.01)
    assert found.result <= found.bound <= found.result * 1.002
    if shapes == (0.5, 0.5):  # s_i in proportion to scale^2
        assert found.spend[0] == pytest.approx(1000 * 100 / (100 + 169), rel=1e-3)


CURVES = st.one_of(
    st.builds(lambda scale, shape: Curve("power", scale, 1, shape), st.floats(0, 50), st.floats(0.05, 1)),
    st.builds(lambda a, b, c: Curve("hill", a, b, c), st.floats(0, 500), st.floats(5, 200), st.floats(0.3, 10)),
    st.builds(lambda a, b, c: Curve("logistic", a, b, c), st.floats(0, 500), st.floats(5, 200), st.floats(0.5, 30)),
)


@settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.tuples(CURVES, st.floats(0, 30), st.floats(0, 120)), min_size=1, max_size=3), st.floats(90, 150))
def test_nothing_on_a_grid_is_better_and_bounds_hold(given: list[tuple[Curve, float, float]], total: float) -> None:
    asked = [Line(str(n), curve.result, least, least + more) for n, (curve, least, more) in enumerate(given)]
    found = allocated(asked, total)
    for spend, line in zip(found.spend, asked):
        assert line.least - 1e-9 <= spend <= line.most + 1e-9
    assert sum(found.spend) == pytest.approx(min(total, sum(line.most for line in asked)), rel=1e-5)
    grids = [np.linspace(line.least, min(line.most, total), 25) for line in asked]
    results = [line.result(grid) for line, grid in zip(asked, grids)]
    money = sum(np.meshgrid(*grids), np.zeros(1))
    there = float(sum(np.meshgrid(*results), np.zeros(1))[money <= total].max())
    assert found.result >= there * (1 - 1e-3) - 1e-6
    assert found.bound >= there - 1e-6


def test_budgets_that_cannot_be() -> None:
    curve = Curve("power", 1, 1, 0.5)
    with pytest.raises(BadInput, match="raise the total"):
        allocated([Line("a", curve.result, 60), Line("b", curve.result, 50)], 100)
    with pytest.raises(BadInput, match="'a' gets at least 9 and at most 5"):
        allocated([Line("a", curve.result, 9, 5)], 100)
    assert allocated([Line("a", curve.result, 0, 5), Line("b", curve.result, 3, 7)], 100).spend == pytest.approx((5, 7))
    assert allocated([Line("a", curve.result, 9, 9)], 9).spend == (9,)


PLANTED = [
    Curve("power", 90, 1, 0.4),
    Curve("hill", 4000, 30000, 1),
    Curve("hill", 4000, 40000, 4),
    Curve("logistic", 900, 30000, 8),
]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda curve: f"{curve.kind} {curve.shape:g}")
def test_curves_are_found_and_their_intervals_hold(planted: Curve) -> None:
    held, draw = 0, np.random.default_rng(4)
    for _ in range(12):
        spend = draw.uniform(0, 80000, 60)
        noise = 0.05 * planted.result(np.array([80000.0]))[0]
        curve = fitted(spend, planted.result(spend) + noise * draw.normal(size=60), [planted.kind])
        assert isinstance(curve, Curve)
        for at in (20000.0, 60000.0):
            truth = float(planted.result(np.array([at]))[0])
            interval = curve.interval(at)
            assert interval is not None
            held += truth in interval
            assert interval.low < curve.result(np.array([at]))[0] < interval.high
            assert curve.result(np.array([at]))[0] == pytest.approx(truth, abs=4 * noise / np.sqrt(15))
    assert held >= 20


def test_the_kind_is_chosen_by_the_data() -> None:
    draw, spend = np.random.default_rng(1), np.linspace(1, 80000, 80)
    for planted in (PLANTED[0], PLANTED[2]):
        curve = fitted(spend, planted.result(spend) * (1 + 0.03 * draw.normal(size=80)))
        assert isinstance(curve, Curve)
        assert (curve.kind == "power") == (planted.kind == "power")
        assert curve.result(spend) == pytest.approx(planted.result(spend), rel=0.1, abs=100)
    money = fitted(spend / 1000, PLANTED[2].result(spend) / 7)
    assert isinstance(money, Curve)
    assert (money.scale, money.half, money.shape) == pytest.approx((4000 / 7, 40, 4), rel=1e-3), "in any unit"


@given(CURVES, st.lists(st.floats(0, 1e6), min_size=2, max_size=20))
def test_more_never_brings_less(curve: Curve, spends: list[float]) -> None:
    results = curve.result(np.sort(spends))
    assert np.isfinite(results).all()
    assert (results >= 0).all()
    assert (np.diff(results) >= -1e-9 * (1 + results[1:])).all()
    assert curve.result(np.zeros(1))[0] == pytest.approx(0, abs=1e-9)


def test_too_little_and_what_cannot_be() -> None:
    few = np.arange(1.0, LEAST)
    assert fitted(few, few) == NotEnoughData(f"{LEAST - 1} different spends, it takes {LEAST}", 1)
    many = np.arange(1.0, 30)
    assert fitted(many, many * 0) == NotEnoughData("nothing came of the spend")
    with pytest.raises(BadInput, match="negative or not finite"):
        fitted(-many, many)
    kinds: list[tuple[Kind, float]] = [("power", 1.5), ("hill", 0.1), ("logistic", 99)]
    for kind, shape in kinds:
        with pytest.raises(BadInput, match=r"cannot be; scale >= 0"):
            Curve(kind, 1, 1, shape)
