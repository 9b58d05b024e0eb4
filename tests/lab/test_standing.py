"""What is said of a hypothesis: each status where it belongs, in the direction of its metric, as often as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.bench import lab_flows
from opportune.catalog.lab_types import Hypothesis
from opportune.lab.standing import sizes, standing, verdicts
from opportune.measure.pooling import Estimate, arrays

BELIEF = Hypothesis("early", "An early reminder brings more orders", "", "orders", expected=0.15, smallest=0.05)
FEWER = Hypothesis("calm", "Fewer e-mails, fewer who leave", "", "leavers", expected=-0.15, smallest=0.05)


def told(values: list[float], error: float = 0.05) -> list[Estimate]:
    return [Estimate(value, error, str(number)) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "error", "status"),
    [
        ([0.14, 0.09, 0.19, 0.16, 0.12, 0.15], 0.05, "supported"),
        ([0.14, 0.09, 0.19, 0.16], 0.05, "inconclusive"),  # four flows cannot say it
        ([-0.14, -0.09, -0.19, -0.16, -0.12, -0.15], 0.05, "refuted"),
        ([-0.06, -0.04, -0.05, -0.08, -0.03, -0.06, -0.05], 0.02, "refuted"),
        ([0.005, -0.01, 0.0, 0.01, -0.005, 0.002, -0.003], 0.01, "none"),
        ([0.02, 0.018, 0.022, 0.021, 0.019, 0.02, 0.02], 0.004, "none"),  # surely above 0, surely too little
        ([0.3, -0.3, 0.25, -0.2, 0.35, -0.25], 0.05, "depends"),
        ([0.02, -0.01, 0.005, -0.02, 0.015, 0.01, -0.015], 0.004, "none"),  # flows differ by what does not matter
        ([0.3, 0.5, 0.2, 0.4, 0.6, 0.35, 0.25, 0.45], 0.05, "supported"),  # flows differ, and all gain
        ([0.1, -0.05, 0.1, 0.02], 0.1, "inconclusive"),
    ],
)
def test_each_status_where_it_belongs(values: list[float], error: float, status: str) -> None:
    found = standing(BELIEF, told(values, error))
    assert found.status == status
    assert found.sentence.startswith(f"{status}: ")
    assert found.flows == len(values)
    assert found.interval is not None
    assert found.effect in found.interval
    mirrored = standing(FEWER, told([-value for value in values], error), good="down")
    if status != "supported" or max(values) < 0.25:  # the size expected differs a little: log 1.15 is not -log .85
        assert mirrored.status == status
    assert (found.more is None) == (status != "inconclusive")


def test_nothing_is_known_before_the_first_flow_and_little_after_it() -> None:
    assert standing(BELIEF, []).status == "open"
    assert standing(BELIEF, []).effect is None
    first = standing(BELIEF, told([0.3], 0.01))
    assert first.status == "inconclusive"
    assert first.pooled is None
    assert first.next_flow is None
    assert "says nothing of others; about 4 more decide" in first.sentence
    assert "as if read once" in first.sentence
    assert first.effect == pytest.approx(np.expm1(0.3))


def test_words_say_what_the_figures_say() -> None:
    assert "evidence 64 to 1" in standing(BELIEF, told([0.14, 0.09, 0.19, 0.16, 0.12, 0.15])).sentence
    assert standing(BELIEF, told([-0.14, -0.09, -0.19, -0.16, -0.12, -0.15])).sentence.endswith("it does harm")
    harm = standing(FEWER, told([0.14, 0.09, 0.19, 0.16, 0.12, 0.15]), good="down")
    assert harm.sentence.endswith("it does harm")
    assert harm.effect is not None
    assert harm.effect > 0  # the metric's own direction
    weak = standing(BELIEF, told([0.01, -0.03, -0.01, -0.04, 0.0, -0.03, -0.02, -0.01, 0.01, -0.02], 0.03))
    assert weak.status == "none"
    assert weak.sentence.endswith("surely less than the 5 % that would matter")
    small = standing(BELIEF, told([-0.06, -0.02, -0.04, -0.05, -0.02, -0.05, -0.03, 0.01], 0.02))
    assert small.status == "refuted"
    assert small.sentence.endswith("it does harm")


def test_what_is_said_to_be_missing_is_about_what_it_takes() -> None:
    rng = np.random.default_rng(1)
    expected, smallest = sizes(BELIEF)
    first = standing(BELIEF, told([0.1], 0.155))
    assert first.more is not None
    flows = 1 + first.more
    values = rng.normal(expected, 0.155, (4000, flows))
    said = verdicts(values, np.full_like(values, 0.155**2), expected, smallest)
    assert 0.4 <= float((said == "supported").mean()) <= 0.8


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 0.5)), min_size=2, max_size=9))
def test_one_rule_reads_one_hypothesis_and_many(pairs: list[tuple[float, float]]) -> None:
    estimates = [Estimate(value, error) for value, error in pairs]
    values, variances = arrays(estimates)
    rows = verdicts(np.stack([values, -values]), np.stack([variances, variances]), *sizes(BELIEF))
    assert standing(BELIEF, estimates).status == rows[0]
    assert standing(BELIEF, [Estimate(-e.log_ratio, e.error) for e in estimates]).status == rows[1]
    assert not (rows == "supported").all()


def test_a_hypothesis_without_any_size_is_refused() -> None:
    nothing = Hypothesis("x", "", "", "orders", expected=0.0, smallest=0.0)
    with pytest.raises(ValueError, match="above 0"):
        standing(nothing, told([0.1, 0.2]))


@pytest.mark.parametrize("truth", [0.05, -0.05])
def test_what_would_matter_is_not_called_none(truth: float) -> None:
    """At the smallest effect that matters, and large flows, at every look: at most one in twenty."""
    rng = np.random.default_rng(2)
    values = rng.normal(np.log1p(abs(truth)) * np.sign(truth), 0.03, (4000, 12))
    looks = [verdicts(values[:, :k], np.full((4000, k), 0.03**2), *sizes(BELIEF)) for k in range(2, 13)]
    wrong = [(look == "none") | ((look == "refuted") & (truth > 0)) for look in looks]
    assert float(np.logical_or.reduce(wrong).mean()) <= 0.05
    without = verdicts(rng.normal(0, 0.03, (4000, 12)), np.full((4000, 12), 0.03**2), *sizes(BELIEF))
    assert float((without == "none").mean()) > 0.5


@pytest.mark.parametrize("runs", [1000, pytest.param(20_000, marks=pytest.mark.long)])
def test_twelve_flows_with_a_look_after_each(runs: int) -> None:
    for spread in lab_flows.SPREADS:
        without = lab_flows.cell(0.0, spread, runs=runs)
        assert without.ever["supported"] <= 0.05
        assert without.some_flow_won > 0.2  # what is done without the lab
        slack = 0.0 if runs > 5000 else 0.015
        assert 0.87 - slack <= without.next_covered <= 0.93 + slack
        assert 0.94 - slack <= without.mean_covered <= 0.96 + slack
        if spread == 0.25:
            assert without.at_end["depends"] >= 0.85
        if spread == 0:
            assert without.at_end["depends"] <= 0.055 + slack
    alike = lab_flows.cell(0.15, 0.0, runs=runs)
    assert alike.ever["supported"] >= 0.65
    assert alike.ever["supported"] >= alike.oracle - 0.06
    assert alike.ever["refuted"] + alike.ever["none"] <= 0.01
    assert len(lab_flows.lines([alike])) == 2
