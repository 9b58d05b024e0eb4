"""What is tested next: what a test is expected to bring, against simulation, and the two years that follow from it."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.bench.lab_program import compared, lines
from opportune.catalog.lab_types import Hypothesis
from opportune.lab.succession import (
    SPREAD,
    Belief,
    Candidate,
    Successor,
    believed,
    expected_use,
    successor,
    together,
    usual_spread,
)
from opportune.measure.effect import NotEnoughData
from opportune.measure.pooling import Estimate


@pytest.mark.parametrize(
    ("mean", "sd", "error"), [(0.0, 0.1, 0.05), (-0.05, 0.08, 0.1), (0.1, 0.05, 0.2), (0.02, 0.2, 0.01)]
)
def test_what_a_test_brings_is_what_simulation_says(mean: float, sd: float, error: float) -> None:
    rng = np.random.default_rng(1)
    effect = rng.normal(mean, sd, 400_000)
    seen = effect + rng.normal(0, error, 400_000)
    after = mean + sd**2 / (sd**2 + error**2) * (seen - mean)
    brought = float(np.where(after > 0, effect, 0.0).mean())
    assert expected_use(Belief(mean, sd), error) == pytest.approx(brought, abs=0.0006)


@given(st.floats(-0.5, 0.5), st.floats(0, 0.5), st.floats(0.01, 1), st.floats(1, 3))
def test_a_sharper_test_never_brings_less(mean: float, sd: float, error: float, blunter: float) -> None:
    belief = Belief(mean, sd)
    assert expected_use(belief, error) >= expected_use(belief, error * blunter) - 1e-12
    assert expected_use(belief, error) >= max(0.0, mean) - 1e-12


def test_the_vague_goes_before_the_dull_and_the_good_before_both() -> None:
    vague, dull, good = Belief(0.0, 0.1), Belief(0.0, 0.01), Belief(0.08, 0.03)
    found = successor([Candidate(name, belief, 0.05, 1e4) for name, belief in
                       (("dull", dull), ("vague", vague), ("good", good))])  # fmt: skip
    assert isinstance(found, Successor)
    assert [name for name, _ in found.ranked] == ["good", "vague", "dull"]
    assert found.reason.startswith("good: believed to bring +8.3 %, give or take 3.0; its test is worth")
    assert "that of vague" in found.reason


def test_what_is_supported_is_not_tested_for_what_it_brings_anyway() -> None:
    known, vague = Belief(0.1, 0.02), Belief(-0.01, 0.1)
    found = successor([Candidate("known", known, 0.05, 1e4, status="supported"), Candidate("vague", vague, 0.05, 1e4)])
    assert isinstance(found, Successor)
    assert (found.name, found.again) == ("vague", False)


@pytest.mark.parametrize("status", ["supported", "refuted", "none"])
def test_a_settled_one_is_never_tested_again_in_silence(status: str) -> None:
    found = successor([Candidate("old", Belief(0.0, 0.1), 0.05, 1e4, status=status)])  # type: ignore[arg-type]
    assert isinstance(found, Successor)
    assert found.again
    assert f"tested again though it is settled ({status})" in found.reason
    vague = Belief(0.0, 0.1)
    first = successor([Candidate("a", vague, 0.05, 1e4, status="refuted"), Candidate("b", vague, 0.05, 1e4)])
    assert isinstance(first, Successor)
    assert first.name == "b"


def test_nothing_is_tested_for_more_than_it_brings() -> None:
    told = successor([Candidate("dear", Belief(0.0, 0.1), 0.05, 1000, worth=1.0, cost=40)])
    assert isinstance(told, NotEnoughData)
    assert isinstance(successor([]), NotEnoughData)
    assert isinstance(successor([Candidate("cheap", Belief(0.0, 0.1), 0.05, 1000, worth=1.0, cost=30)]), Successor)


def test_the_order_of_the_candidates_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    means = rng.normal(0, 0.05, 20).round(2)
    many = [Candidate(f"h{n}", Belief(float(mean), 0.05), 0.1, 1e5) for n, mean in enumerate(means)]
    first = successor(many)
    for _ in range(5):
        assert successor([many[i] for i in rng.permutation(20)]) == first


def test_a_belief_moves_with_its_flows_in_the_direction_that_is_wanted() -> None:
    belief = Hypothesis("calm", "", "", "leavers", -0.1, 0.02, prior_mean=-0.05, prior_sd=0.1)
    assert believed(belief, [], good="down") == Belief(0.05, 0.1, SPREAD)
    after = believed(belief, [Estimate(-0.1, 0.03), Estimate(-0.14, 0.03)], good="down")
    assert 0.05 < after.mean < 0.12
    assert after.sd < 0.1
    assert after.of_a_flow().sd > after.sd
    assert believed(belief, [Estimate(0.1, 0.03)], good="down").mean < 0.05
    assert Belief(0.0, 0.1).after(0.2, 0.1).mean == pytest.approx(0.1)
    assert Belief(0.0, 0.1).after(0.2, 0.1).sd == pytest.approx(sqrt(0.005))


def test_one_flow_is_not_taken_for_all() -> None:
    _, error, spread = together([Estimate(0.1, 0.001)])
    assert (error, spread) == pytest.approx((SPREAD, SPREAD), rel=1e-3)
    _, _, apart = together([Estimate(x, 0.01) for x in (0.3, -0.3, 0.2, -0.2, 0.1, 0.0)])
    assert 0.1 < apart < 0.25


def test_how_far_flows_usually_differ_is_learned_from_all_hypotheses() -> None:
    rng = np.random.default_rng(3)
    for spread in (0.0, 0.03, 0.15):
        program = [
            [Estimate(float(rng.normal(mean, sqrt(spread**2 + 0.04**2))), 0.04) for _ in range(4)]
            for mean in rng.normal(0, 0.3, 60)
        ]
        assert usual_spread(program) == pytest.approx(spread, abs=0.013)
    assert usual_spread([]) == usual_spread([[Estimate(0.5, 0.1)]]) == SPREAD


@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.long)])
def test_two_years_bring_what_was_claimed_and_more_than_without(full: bool) -> None:
    found = compared(200) if full else compared(8, periods=16, flows=4, ideas=24)
    lab, fixed, thompson = found
    assert [way.way for way in found] == ["lab", "fixed", "thompson"]
    low, high = (0.9, 1.1) if full else (0.8, 1.25)
    assert low <= lab.ratio <= high
    assert fixed.ratio < 0.75  # picks that are claimed as they look
    assert thompson.ratio < 0.4
    assert lab.lift > 1.25 * max(fixed.lift, thompson.lift)
    assert len(lines(found)) == 4
