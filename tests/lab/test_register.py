"""The register: evidence of runs that are over, lineage, what is like what, and what comes next."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from opportune.catalog import from_data
from opportune.catalog.lab_types import Arm, Experiment, Holdout, Hypothesis, Metric
from opportune.clock import DAY
from opportune.events.types import Event, Outcome
from opportune.lab.book import Belief, Book, Run, plan_hash
from opportune.lab.counting import Counting
from opportune.lab.freedoms import FREEDOMS
from opportune.lab.holding import groups, since, sum_of_wins, whole
from opportune.lab.look import Finding, Look, look_at
from opportune.lab.parts import Made, parts
from opportune.lab.proposal import proposal, template
from opportune.lab.register import Flow, Told, entries, estimates_of, following, tried
from opportune.ledger.exposures import Exposure
from opportune.measure.effect import Effect, Interval, NotEnoughData
from opportune.measure.pooling import Estimate
from opportune.measure.sample_ratio import SampleRatio
from opportune.store.memory import MemoryStore
from opportune.testing import tiny_catalog


def belief(name: str, **more: Any) -> Hypothesis:
    told = {"claim": f"{name} brings orders", "because": "", "metric": "orders", "expected": 0.15, "smallest": 0.05}
    return Hypothesis(name, **{**told, **more})


def run(name: str, hypothesis: Hypothesis, log_ratio: float, at: int, outcome: Any = "control", **more: Any) -> Told:
    ends = Interval(log_ratio - 0.1, log_ratio + 0.1)
    value = 0.1 * exp(log_ratio)
    effect = Effect((5000, 5000), 0.1, value, 0.01, ends, log_ratio, ends, 0.04, 0.005, log_ratio, 0.05)
    found = Finding("orders", "bold", False, "up", effect, "better")
    look = Look(name, at, at + 1, {"control": 5000, "bold": 5000}, 0, SampleRatio(1.0, False), (found,))
    laid = Run(name, at, "h", ("control", "bold"), "orders", "up", "ana", 0, 0, hypothesis.name, Belief.of(hypothesis),
               outcome=outcome, **more)  # fmt: skip
    return laid, look


def test_what_runs_is_no_evidence_yet() -> None:
    early = belief("early")
    runs = [run(f"e{k}", early, 0.14, k) for k in range(5)]
    [entry] = entries([early], [*runs, run("now", early, -3.0, 9, "running")], {"orders": "up"})
    assert [flow.estimate is not None for flow in entry.flows] == [True] * 5 + [False]
    assert entry.standing.flows == 5
    assert entry.standing.effect == pytest.approx(np.expm1(0.14))


def test_what_the_files_forgot_is_known_all_the_same() -> None:
    late = belief("late", tags=("reminder",))
    runs = [run(f"l{k}", late, -0.02, k, reason="nobody cared") for k in range(3)]
    [entry] = entries([], runs, {})
    assert (entry.name, entry.standing.flows) == ("late", 3)
    assert "l0: nobody cared" in entry.learned
    [near] = tried(belief("early", tags=("reminder",)), [], runs)
    assert near.name == "late"
    assert near.times == 3


def test_the_loser_is_followed_by_what_is_expected_to_bring_most() -> None:
    lost, vague, known = belief("lost"), belief("vague", prior_sd=0.3), belief("known", prior_mean=-0.2, prior_sd=0.02)
    runs = [run(f"f{k}", lost, -0.1, k) for k in range(6)]
    found = following([lost, vague, known], runs, {"orders": "up"}, instead_of="lost")
    assert not isinstance(found, NotEnoughData)
    assert found.name == "vague"
    assert [name for name, _ in found.ranked] == ["vague", "known"]
    busy = [*runs, run("now", vague, 0.0, 9, "running"), run("then", known, 0.0, 9, "paused")]
    assert isinstance(following([lost, vague, known], busy, {"orders": "up"}, "lost"), NotEnoughData)


def test_a_proposal_and_a_template_can_be_published() -> None:
    import yaml

    arms = Arm("control"), Arm("bold", 2.0, {"levers": {"grow": 10}})
    last = Experiment("early", arms, "early", "calls", planned=900)
    told = yaml.safe_load(proposal(belief("early", owner='ana: "the" boss'), last, {"early", "early_1"}))
    [made] = told["experiments"]
    assert (made["name"], made["planned"], made["owner"]) == ("early_2", 900, 'ana: "the" boss')
    assert made["arms"][1] == {"name": "bold", "weight": 2, "changes": {"levers": {"grow": 10}}}
    [bare] = yaml.safe_load(proposal(belief("new"), None, ()))["experiments"]
    assert [arm["name"] for arm in bare["arms"]] == ["control", "new"]
    whole_file = yaml.safe_load(template("fresh", "ana"))
    catalog = tiny_catalog(**whole_file)
    assert catalog.experiments[0].metric == "fresh_orders"


def test_the_hash_of_a_plan_sees_metrics_and_how_they_are_read() -> None:
    metric = Metric("orders", event="Order Completed")
    test = Experiment("e", (Arm("control"), Arm("bold")), metric="orders")
    first = plan_hash(test, {"orders": metric}, None)
    others = [
        plan_hash(test, {"orders": Metric("orders", event="Order Completed", within=7)}, None),
        plan_hash(test, {"orders": Metric("orders", event="Order Completed", good="down")}, None),
        plan_hash(Experiment("e", test.arms, metric="orders", alpha=0.1), {"orders": metric}, None),
        plan_hash(Experiment("e", test.arms, metric="orders", harm=0.2), {"orders": metric}, None),
        plan_hash(test, {"orders": metric}, belief("b")),
    ]
    assert len({first, *others}) == 6
    assert first == plan_hash(Experiment("e", test.arms, metric="orders", owner="bo"), {"orders": metric}, None)


def test_the_book_keeps_runs_and_looks_in_order() -> None:
    book = Book(MemoryStore())
    (one, look), (two, _) = run("e", belief("b"), 0.1, 5), run("e", belief("b"), 0.1, 300)
    (other, _) = run("e2", belief("b"), 0.1, 7)
    for laid in (two, one, other):
        book.put(laid)
    assert look is not None
    for at in (20, 10, 30):
        book.add(replace(look, at=at))
    assert book.run("e") == two
    assert [r.started for r in book.runs()] == [5, 7, 300]
    assert [seen.at for seen in book.looks(one)] == [10, 20, 30]
    assert book.looks(two) == []
    assert book.look(one) is not None


def event(who: str, at: int, **properties: Any) -> tuple[str, Event]:
    return who, Event(
        type="track", message_id=f"{who}{at}", at=at, received_at=at, event="Order Completed", properties=properties
    )


def test_counting_is_by_customer_from_the_exposure_on() -> None:
    catalog = from_data({
        "currency": "EUR", "time_zone": "UTC", "placements": [{"name": "p", "channel": "app"}], "actions": [],
        "metrics": [
            {"name": "any", "event": "Order Completed", "where": "revenue > 5", "within": "1d"},
            {"name": "count", "kind": "count", "event": "Order Completed"},
            {"name": "per", "kind": "ratio", "event": "Order Completed", "of": "revenue", "per": "items"},
            {"name": "spend", "kind": "mean", "event": "Order Completed", "of": "revenue"},
        ],
    })  # fmt: skip
    roots = {"phone": "a"}
    exposures = [Exposure("b", "bold", 10), Exposure("a", "control", 10), Exposure("x", "bold", 5, crossed=True)]
    counting = Counting(catalog.metrics, exposures, lambda node: roots.get(node, node))
    for node, told in (
        event("a", 9, revenue=100, items=1), event("a", 10, revenue=9, items=2), event("phone", 11, revenue=3, items=1),
        event("b", 10 + DAY, revenue=50, items=5), event("x", 20, revenue=7), event("b", 12, revenue="free"),
    ):  # fmt: skip
        counting.event(node, told)
    counted = counting.counted()
    assert counted.customers() == {"bold": 1, "control": 1}
    assert counted.crossed == 1
    values = {name: (x.tolist(), d if d is None else d.tolist()) for name, (x, d) in counted.values.items()}
    assert values == {
        "any": ([1, 0], None), "count": ([2, 2], None), "per": ([12, 50], [3, 5]), "spend": ([12, 50], None),
    }  # fmt: skip
    assert counted.sums("count", "bold", "first").n == 0
    assert counted.sums("count", "bold", "last").n == 1


def test_answers_count_whatever_they_are_about() -> None:
    counting = Counting([Metric("yes", outcome="accept")], [Exposure("a", "bold", 10), Exposure("b", "bold", 10)])
    for at, subject, word in ((9, "a", "accept"), (11, "b", "accept"), (12, "b", "accept"), (13, "a", "reject")):
        counting.answer(subject, Outcome(at, "d", "hello", word))
    assert counting.counted().values["yes"][0].tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["proportion", "mean", "ratio", "count", "quantile"])
def test_a_look_at_any_kind_of_metric_can_be_kept(kind: Any) -> None:
    metric = Metric("orders", kind, event="Order Completed", of="revenue", per="items" if kind == "ratio" else "")
    test, people = Experiment("e", (Arm("control"), Arm("bold")), metric="orders"), range(400)
    counting = Counting([metric], [Exposure(f"s{k}", ("control", "bold")[k % 2], k) for k in people])
    for k in people:
        if k % 3:
            counting.event(f"s{k}", event(f"s{k}", k + 1, revenue=10 + k % 7 + k % 2, items=1 + k % 4)[1])
    seen = look_at(test, {"orders": metric}, counting.counted(), 0.01, 0, 1)
    assert seen.findings[0].effect is not None
    book = Book(MemoryStore())
    book.add(seen)
    laid = Run("e", 0, "h", ("control", "bold"), "orders", "up", "ana", 0, 0)
    assert book.look(laid) == seen


def test_a_look_at_nobody_says_so() -> None:
    test = Experiment("e", (Arm("control"), Arm("bold")), metric="orders")
    metric = Metric("orders", event="Order Completed")
    seen = look_at(test, {"orders": metric}, Counting([metric], []).counted(), 0.0, 0, 1)
    assert seen.customers == {"control": 0, "bold": 0}
    assert seen.findings[0].effect is None
    assert seen.findings[0].reason
    assert not seen.harmed()


def test_the_universal_control_group_against_all_the_rest() -> None:
    holdout, metric = Holdout("control", ("all",), 0.1, rotate=90 * DAY), Metric("orders", event="Order Completed")
    people = {f"s{k}": f"c{k}" for k in range(20_000)}
    at = 100 * DAY
    group = groups([holdout], people, at)["control"]
    assert sum(arm == "held" for arm in group.values()) / len(people) == pytest.approx(0.1, abs=0.01)
    assert since(holdout, at, DAY) == 90 * DAY
    counting = Counting([metric], [Exposure(s, arm, since(holdout, at, DAY)) for s, arm in group.items()])
    random = np.random.default_rng(1)
    for subject, arm in group.items():
        if random.random() < (0.1 if arm == "held" else 0.13):
            counting.event(subject, event(subject, at)[1])
    found = whole(holdout, metric, counting.counted())
    assert found.held + found.rest == 20_000
    assert isinstance(found.effect, Effect)
    assert found.effect.difference == pytest.approx(0.03, abs=0.015)
    bold = belief("bold")
    runs = [run(f"e{k}", bold, 0.01 * (k - 3), k) for k in range(6)]
    assert isinstance(sum_of_wins("orders", runs, found), NotEnoughData)
    won = [*runs, run("won", bold, 0.3, 9, "rolled out", arm="bold")]
    told = sum_of_wins("orders", won, found)
    assert not isinstance(told, NotEnoughData)
    assert told.agrees
    assert 0.05 < told.claimed < 0.3


def test_parts_of_the_brain_by_customer() -> None:
    random = np.random.default_rng(2)
    made = [
        Made(f"{arm}{k}", arm, float(yes := random.random() < rate), 10.0 * yes)
        for arm, many, rate in (("", 6000, 0.3), ("random", 600, 0.15), ("no_levers", 600, 0.3), ("other", 50, 0.5))
        for k in range(many)
        for _ in range(3)
    ]
    found = {part.arm: part for part in parts(made)}
    assert [*found] == ["random", "no_levers"]
    assert (found["random"].customers, found["random"].decisions) == (600, 1800)
    effect, worth = found["random"].acceptance, found["random"].value
    assert isinstance(effect, Effect)
    assert isinstance(worth, Effect)
    assert effect.difference == pytest.approx(0.15, abs=0.03)
    assert effect.interval.low > 0
    assert worth.difference == pytest.approx(10 * effect.difference)
    nothing = found["no_levers"].acceptance
    assert isinstance(nothing, Effect)
    assert 0 in nothing.interval


def test_the_table_of_freedoms_is_in_the_docs() -> None:
    said = (Path(__file__).parents[2] / "docs" / "lab.md").read_text("utf-8")
    for row in FREEDOMS:
        assert "| " + " | ".join(row) + " |" in said


def test_arms_that_share_a_control_are_one_piece_of_evidence() -> None:
    draw = np.random.default_rng(3)
    control = draw.normal(0, 0.03, 4000)
    arms = draw.normal(0, 0.03, (4000, 8)) - control[:, None]
    error = 0.03 * 2**0.5
    pooled = []
    for row in arms:
        told = [Estimate(float(x), error) for x in row]
        [one] = estimates_of([Flow("e", f"a{k}", 1, "over", "", "", x, (2000, 2000)) for k, x in enumerate(told)])
        pooled.append((one.log_ratio, one.error))
    values, errors = np.array(pooled).T
    assert np.std(values) == pytest.approx(errors[0], rel=0.05)
    assert errors[0] == pytest.approx(0.03 * (1 + 1 / 8) ** 0.5)
