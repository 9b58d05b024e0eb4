"""The gate: what is missing is said, and a bank of planted candidates is let through as it should be."""

from __future__ import annotations

from dataclasses import replace
from math import log1p
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.bench import lab_gate
from opportune.catalog.lab_types import Arm, Experiment, Metric
from opportune.clock import DAY
from opportune.lab.counting import Part
from opportune.lab.gate import Candidate, Passed, Refused, pass_or_refuse, promote_or_refuse
from opportune.lab.look import Look, finding, reading_of
from opportune.measure.compare import compare
from opportune.measure.effect import Effect, NotEnoughData, Reading
from opportune.measure.midway import missing
from opportune.measure.ope import Estimate, Intervals, Values
from opportune.measure.reading import Fixed, Sequential
from opportune.measure.sample_ratio import SampleRatio
from opportune.measure.sums import Sums

EXPERIMENT = Experiment(
    "test", (Arm("control"), Arm("bold")), metric="orders", guardrails=("calls",), planned=20_000, expires=100 * DAY,
    harm=0.1,
)  # fmt: skip
GOOD = Candidate(EXPERIMENT, "bold", "bo", "h", "h", 5, 9, 0.1, "ana")
ORDERS, CALLS = Metric("orders", event="Order Completed"), Metric("calls", event="Call Made", good="down")


def look(
    orders: tuple[int, int] = (1000, 1200), calls: tuple[int, int] = (4000, 4000), n: int = 10_000,
    late: tuple[int, int] | None = None, alarm: bool = False, experiment: Experiment = EXPERIMENT, before: Any = None,
) -> Look:  # fmt: skip
    """A look at two arms of `n` customers; `late` are the orders of the last half, half of all by default."""
    last = late or (orders[0] // 2, orders[1] // 2)
    hits = {"orders": orders, "calls": calls}

    def effect(metric: Metric, arm: str, part: Part, reading: Reading) -> Effect | NotEnoughData:
        all_ = hits[metric.name]
        tail = last if metric.name == "orders" else (all_[0] // 2, all_[1] // 2)
        many = {"all": all_, "last": tail, "first": (all_[0] - tail[0], all_[1] - tail[1])}[part]
        size = n if part == "all" else n // 2
        return compare("proportion", Sums.of_hits(many[0], size), Sums.of_hits(many[1], size), reading)

    found = tuple(finding(experiment, m, "bold", 2 * n, effect, 0.02, before) for m in (ORDERS, CALLS))
    return Look("test", 0, 0, {"control": n, "bold": n}, 0, SampleRatio(0.001 if alarm else 0.5, alarm), found)


def lacks(candidate: Candidate, seen: Look | None) -> list[str]:
    answer = pass_or_refuse(candidate, seen, 0)
    assert isinstance(answer, Refused)
    assert all(lack.what and lack.cure for lack in answer.missing)
    return [lack.what for lack in answer.missing]


def test_what_has_everything_passes_until_it_expires() -> None:
    passed = pass_or_refuse(GOOD, look(), 7)
    assert isinstance(passed, Passed)
    assert (passed.expires, passed.retest) == (7 + 100 * DAY, 7 + 90 * DAY)
    assert passed.evidence.startswith("orders, bold: better: +20.0 %")


@pytest.mark.parametrize(
    ("candidate", "seen", "what"),
    [
        (replace(GOOD, registered_at=None), look(), "nothing was laid down"),
        (replace(GOOD, exposed=4), look(), "after the first customer"),
        (replace(GOOD, current="other"), look(), "are others than were laid down"),
        (replace(GOOD, experiment=replace(EXPERIMENT, guardrails=())), look(), "no guardrail"),
        (replace(GOOD, experiment=replace(EXPERIMENT, expires=None)), look(), "no end"),
        (replace(GOOD, by="ana"), look(), "ana owns it"),
        (replace(GOOD, by=""), look(), "nobody approves"),
        (replace(GOOD, owner=""), look(), "nobody owns it"),
        (GOOD, None, "nobody has looked"),
        (GOOD, look(alarm=True), "did not get the customers"),
        (GOOD, look(calls=(4000, 4800)), "calls: it does harm"),
        (GOOD, look(calls=(400, 400)), "calls may be worse by"),
        (GOOD, look(late=(500, 480)), "contradicts the first"),
        (GOOD, look(orders=(1000, 1010)), "orders, bold: undecided"),
    ],
)
def test_each_thing_that_is_missing_is_said_alone(candidate: Candidate, seen: Look | None, what: str) -> None:
    [told] = lacks(candidate, seen)
    assert what in told


def test_what_is_worse_is_not_mended_by_more_customers() -> None:
    answer = pass_or_refuse(GOOD, look(orders=(1200, 1000)), 0)
    assert isinstance(answer, Refused)
    assert answer.missing[0].more is None
    assert "more customers will not change that" in answer.missing[0].cure


def test_the_number_of_customers_that_are_missing_is_enough() -> None:
    """With as many more, an effect as it is expected is found with the power of the experiment."""
    seen = look(orders=(300, 315), calls=(1200, 1200), n=3000)
    answer = pass_or_refuse(GOOD, seen, 0)
    assert isinstance(answer, Refused)
    [more] = [lack.more for lack in answer.missing if lack.what.startswith("orders, bold")]
    assert more is not None
    assert more >= 14_000  # the plan is run to its end
    effect = seen.findings[0].effect
    assert effect is not None
    assert effect.log_error is not None
    assert missing(effect.log_error, 6000, log1p(0.1), reading_of(EXPERIMENT, "bold")) <= more  # type: ignore[operator]


def test_what_a_sequential_test_found_stays_found_while_it_points_there() -> None:
    early = look()
    weak = look(orders=(2000, 2060), calls=(8000, 8000), n=20_000, before=early.findings[0])
    assert weak.findings[0].verdict == "undecided"
    assert weak.findings[0].found
    assert not any("orders, bold" in told for told in lacks(replace(GOOD, by=""), weak))
    turned = look(orders=(2000, 1990), calls=(8000, 8000), n=20_000, before=early.findings[0])
    assert any(told.startswith("orders, bold: undecided") for told in lacks(GOOD, turned))


def test_alpha_is_shared_by_the_arms_and_the_plan_by_their_weights() -> None:
    three = replace(EXPERIMENT, arms=(Arm("control", 2), Arm("a"), Arm("b")), planned=40_000)
    assert reading_of(three, "a") == Sequential(0.025, 30_000)
    assert reading_of(replace(three, inference="fixed"), "b") == Fixed(0.025)


@pytest.mark.parametrize("kind", lab_gate.KINDS)
def test_a_bank_of_candidates(kind: str) -> None:
    [found] = lab_gate.table(25, seed=3, kinds=[kind])
    assert found.actionable == 1
    assert found.passed >= 0.8 if kind == "good" else found.passed <= (0.2 if kind == "worn off" else 0.06)


def test_an_a_a_test_never_passes_by_being_looked_at() -> None:
    """At most one in forty by chance (half of alpha, the side that is wanted)."""
    [found] = lab_gate.table(60, seed=11, kinds=["null"])
    assert found.passed <= 0.025


@pytest.mark.long
def test_a_long_bank() -> None:
    cells = {cell.kind: cell for cell in lab_gate.table(1000)}
    assert cells["good"].passed >= 0.8
    bad = [cell.passed for kind, cell in cells.items() if kind != "good"]
    assert sum(bad) / len(bad) <= 0.05
    assert cells["null"].passed <= 0.025
    assert all(cell.actionable == 1 for cell in cells.values())


@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(0, 8000), st.integers(0, 8000))
@settings(max_examples=40)
def test_nothing_passes_that_may_harm_or_is_not_better(a: int, b: int, c: int, d: int) -> None:
    seen = look(orders=(a, b), calls=(c, d))
    if isinstance(pass_or_refuse(GOOD, seen, 0), Passed):
        assert b > a
        assert d < 1.1 * c
        assert seen.findings[0].verdict == "better"


def test_a_model_is_promoted_on_a_bound() -> None:
    def worth(low: float, without: float = 0.0, reason: str | None = None) -> Estimate:
        known = None if reason else (low, low + 0.1)
        return Estimate(Values(low, low), Intervals(known, known), 500.0, 50.0, without, reason)

    assert isinstance(promote_or_refuse(worth(0.2), 0.15, "bo", "ana"), Passed)
    for bad, live, by in ((worth(0.1), 0.15, "bo"), (worth(0.2, 0.3), 0.15, "bo"), (worth(0.2), 0.15, "ana"),
                          (worth(0.2, reason="not estimable: few"), 0.15, "bo")):  # fmt: skip
        answer = promote_or_refuse(bad, live, by, "ana")
        assert isinstance(answer, Refused)
        assert len(answer.missing) == 1
        assert answer.missing[0].cure
