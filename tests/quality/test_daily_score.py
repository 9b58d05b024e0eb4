"""The score of a day: planted faults are found and nothing else, a drawn score's interval covers, weights are right."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_stream import Cell, Stream, catalog, found

from opportune.clock import DAY
from opportune.hub import Hub
from opportune.profiles.state import State
from opportune.quality import book
from opportune.quality.customers import CustomerChecks
from opportune.quality.daily import DayScore, Part, Row, score_of, scored, silent
from opportune.quality.finding import Finding
from opportune.quality.weights import CONSENT, Weights
from opportune.services.inspection import Inspection
from opportune.testing import FakeClock, tiny_action, tiny_catalog


def fed(stream: Stream, hub: Hub) -> None:
    for source, events in stream.events.items():
        told = hub.ingest(events, source)
        assert told.rejected == 0


def quality(planted: Counter[Cell], told: Counter[Cell]) -> tuple[float, float]:
    """Return recall and precision: faults planted and found in a cell, over those planted, and over those found."""
    both = sum((planted & told).values())
    return both / sum(planted.values()), both / sum(told.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_planted_faults_are_found_and_nothing_else(seed: int) -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        stream = Stream(seed, hub.clock.now())
        fed(stream, hub)
        score = Inspection(hub).score()
        recall, precision = quality(stream.planted, found(score))
        assert len({cell[3] for cell in stream.planted}) >= 15
        assert recall >= 0.99
        assert precision >= 0.99
        assert score.score is not None
        assert score.interval == (score.score, score.score)
        assert 0.9 < score.score < 1


def test_without_faults_there_are_none() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        fed(Stream(3, hub.clock.now(), customers=100, rate=0.0), hub)
        score = Inspection(hub).score()
        assert not found(score)
        assert score.score == 1


def test_a_drawn_score_is_near_the_whole_one(tmp_path: Path) -> None:
    with Hub.of(catalog(), f"sqlite:///{tmp_path / 'hub.db'}", FakeClock()) as hub:
        stream = Stream(4, hub.clock.now(), customers=600)
        fed(stream, hub)
        whole, drawn = Inspection(hub).score(), Inspection(hub, events=500, customers=200).score()
        assert whole.score is not None
        assert drawn.score is not None
        assert drawn.interval is not None
        assert drawn.customers_looked_at == 200
        assert drawn.events_looked_at == 500
        assert drawn.events == whole.events
        assert drawn.customers == 600
        low, high = drawn.interval
        assert low < drawn.score < high
        assert abs(whole.score - drawn.score) < 2 * (high - low)  # four standard errors and a half either side


def population(random: Random) -> list[list[Finding]]:
    """Return what would be found of each of many units; faults come together, as they do."""
    units = []
    for _ in range(800):
        careless = random.random() < 0.2
        units.append([
            Finding("Order", field, "validity", weight, "type" if random.random() < (0.4 if careless else 0.01) else "")
            for field, weight in (("revenue", 3.0), ("sku", 1.0), ("coupon", 2.0)) if random.random() < 0.8
        ])  # fmt: skip
    return units


def day_of(units: list[list[Finding]], of: int, door: list[Row]) -> DayScore:
    part = Part(0, of)
    for number, findings in enumerate(units):
        part.add((("web", one) for one in findings), f"event {number}")
    return scored(0, 0, door, part, Part(0), [])


def test_the_interval_of_a_drawn_score_covers() -> None:
    random = Random(5)
    units, door = population(random), [Row(0, "web", "Order", "revenue", "validity", 800, 40, 2.0)]
    true = day_of(units, 800, door)
    assert true.interval == (true.score, true.score)
    covered = 0
    for _ in range(400):
        drawn = day_of(random.sample(units, 120), 800, door)
        assert drawn.interval is not None
        assert true.score is not None
        covered += drawn.interval[0] <= true.score <= drawn.interval[1]
    assert 0.91 <= covered / 400 <= 0.99  # nominal .95; the standard error of 400 draws is .011


cells = st.tuples(st.sampled_from("ab"), st.integers(1, 50), st.integers(0, 50), st.sampled_from([1.0, 2.5, 10.0]))


@given(st.lists(cells, min_size=1, max_size=6))
def test_a_score_lies_between_0_and_1_and_is_that_of_its_rows(parts: list[tuple[str, int, int, float]]) -> None:
    rows = [Row(0, source, "e", "f", "validity", n, min(bad, n), w) for source, n, bad, w in parts]
    score = scored(0, 0, rows, Part(0), Part(0), [])
    assert score.score is not None
    assert 0 <= score.score <= 1
    assert score.score == pytest.approx(score_of(rows))
    assert scored(0, 0, [], Part(0), Part(0), []).score is None


def test_a_weight_is_what_an_error_costs_a_decision() -> None:
    features = [{"name": "spend", "event": "Order Completed", "aggregate": "sum(revenue)", "where": "kind = 'shop'"},
                {"name": "idle", "event": "Ping", "aggregate": "count"}]  # fmt: skip
    goal = {"positive": ["accept"], "negative": ["reject"], "window": "7d",
            "goal": {"event": "Plan Kept", "within": "14d"}}  # fmt: skip
    actions = [tiny_action("a", eligible="spend > 10"), tiny_action("b", helps="plan = 'gold'"),
               tiny_action("c", outcomes=goal), tiny_action("d")]  # fmt: skip
    situations = [{"name": "angry", "when": "shoe = 'x'", "silences": ["grow"]},
                  {"name": "old", "when": "age > 90", "silences": ["action/a"]}]  # fmt: skip
    traits = [{"name": "plan", "type": "text"}, {"name": "shoe", "type": "text"}, {"name": "age", "type": "number"}]
    made = tiny_catalog(traits=traits, features=features, actions=actions, model={"predictors": ["spend"]},
                        situations=situations)  # fmt: skip
    weights = Weights(made)
    assert weights.property("Order Completed", "revenue") == 1 + 4 / 4 + 1
    assert weights.property("Order Completed", "kind") == weights.event("Order Completed") == 3
    assert weights.property("Order Completed", "color") == weights.event("Ping") == 1
    assert weights.trait("plan") == 2
    assert weights.trait("shoe") == 5  # a situation that silences all
    assert weights.trait("age") == 2  # and one that silences a fourth of them
    assert weights.event("Plan Kept") == 1.5
    assert CONSENT > 1 + 4 + 1 + 2


def seen(day: int, count: int, source: str = "shop") -> Row:
    return Row(day, source, "Order", "timestamp", "timeliness", count, 0, 1.0)


def test_a_source_that_falls_silent_is_told_with_what_is_missing() -> None:
    before = [seen(day, 100) for day in range(1, 8)]
    assert [(row.source, row.checked, row.faults) for row in silent(8, before, [seen(8, 9)])] == [("shop", 100, 91)]
    assert [(row.faults, row.what) for row in silent(8, before, [seen(8, 10)])] == [(0, {})]
    assert silent(8, before[:4], []) == []  # not enough is known of it
    assert silent(8, [seen(day, 5) for day in range(1, 8)], []) == []  # so few may be none
    more = [seen(day, 1000, "web") for day in range(1, 8)]
    assert [row.faults for row in silent(8, [*before, *more], [])] == [100, 1000]


def order(user: str, number: int) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": "Order Completed", "messageId": f"{user}-{number}",
            "properties": {"revenue": "1", "order_id": str(number)}}  # fmt: skip


def test_days_are_kept_and_due_once_they_are_over() -> None:
    clock = FakeClock()
    with Hub.of(catalog(), "memory:", clock) as hub:
        inspection = Inspection(hub)
        for day in range(8):
            if day < 7:
                hub.ingest([order("maya", 100 * day + number) for number in range(30)], "shop")
            clock.advance(DAY)
            due = inspection.due()
            assert due == clock.now() // DAY - 1
            score = inspection.score(due)
            assert inspection.due() is None
        assert [row.faults for row in score.rows if "silent" in row.what] == [30]
        lines = book.rows(hub.store)
        assert len({line[0] for line in lines}) == 8
        assert lines[0][0] == "2026-01-01"
        late = {line[0] for line in book.rows(hub.store, clock.now() - 3 * DAY)}
        assert late == {"2026-01-06", "2026-01-07", "2026-01-08"}
        revenue = [line for line in lines if line[1:5] == ("shop", "Order Completed", "revenue", "validity")]
        assert len(revenue) == 7
        assert {line[5:7] for line in revenue} == {(30, 30)}


def test_days_that_ended_while_nobody_ran_are_due_if_something_came() -> None:
    clock = FakeClock()
    with Hub.of(catalog(), "memory:", clock) as hub:
        inspection, first = Inspection(hub), clock.now() // DAY
        hub.ingest(order("maya", 1), "shop")
        clock.advance(3 * DAY)
        assert inspection.due() == first
        assert inspection.score(first).events == 1
        assert inspection.due() == first + 2  # yesterday, though nothing came
        inspection.score(first + 2)
        assert inspection.due() is None


def test_a_report_says_who_mends_what_and_names_samples_only_for_those_who_may_know() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        hub.ingest([order("maya", 1), {"type": "identify", "userId": "maya", "traits": {"email": "x"}}], "shop")
        inspection = Inspection(hub)
        assert inspection.report()["score"] is None
        assert "opportune quality --now" in inspection.report()["reason"]
        inspection.score()
        told, open_ = inspection.report(), inspection.report(samples=True)
        [wrong] = [one for one in told["faults"] if one["field"] == "revenue"]
        assert wrong["owner"] == "ana"
        assert wrong["source"] == "shop"
        assert wrong["what"] == "type"
        assert wrong["cure"]
        assert all(not one["samples"] for one in told["faults"])
        assert {(one["field"], *one["samples"]) for one in open_["faults"] if one["samples"]} == {
            ("revenue", "maya-1"), ("email", "maya")}
        assert sum(one["cost"] for one in told["faults"]) == pytest.approx(1 - told["score"])
        hub.forget("maya")
        assert all(not one["samples"] for one in inspection.report(samples=True)["faults"])


def test_what_has_no_id_is_a_gap_of_its_source() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        hub.ingest([{"type": "track", "event": "Product Viewed", "userId": "null"}], "web")
        score = Inspection(hub).score()
        [gap] = [row for row in score.rows if "no_id" in row.what]
        assert (gap.source, gap.event, gap.kind, gap.faults) == ("web", "Product Viewed", "identity", 1)


def test_people_who_are_two_are_found_by_their_address() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        def known(user: str, **traits: Any) -> dict[str, Any]:
            return {"type": "identify", "userId": user, "traits": traits}

        family = [known(f"f{n}", email=f"f{n}@x.example", phone="+49 30 1234567") for n in range(6)]
        hub.ingest([known("a", email="Ana@X.example"), known("b", email="ana@x.example "), *family], "web")
        hub.ingest([{"type": "identify", "anonymousId": "v", "traits": {"email": "v@x.example"}}], "web")
        told = found(Inspection(hub).score())
        assert told["web", "Identify", "email", "also of another customer"] == 1
        assert told["web", "Identify", "phone", "also of another customer"] == 0
        assert told["web", "Identify", "anonymousId", "an address but no user id"] == 1
        hub.ingest(known("f7", email="f7@x.example", phone="(+49) 301234567"), "web")
        told = found(Inspection(hub).score())
        assert told["web", "Identify", "phone", "also of another customer"] == 6


def test_a_device_of_many_people_is_told() -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        hub.ingest([{"type": "identify", "userId": f"u{n}", "anonymousId": "kiosk"} for n in range(8)], "web")
        hub.ingest([{"type": "identify", "userId": "u1", "anonymousId": "phone"}], "web")
        assert found(Inspection(hub).score())["", "Identify", "anonymousId", "of many people"] == 1


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_addresses_in_a_drawn_part_stand_for_those_of_all(share: float) -> None:
    random = Random(6)
    checks = CustomerChecks(catalog(), Weights(catalog()))
    shared = [f"pair{n // 2}@x.example" for n in range(400)] + ["all@x.example"] * 300
    told = [f"own{n}@x.example" for n in range(300)] + shared
    people = [(str(n), State(user=True, traits={"email": (text, n, n)})) for n, text in enumerate(told)]
    totals = []
    for _ in range(100):
        drawn = random.sample(people, round(share * len(people)))
        findings = checks.shared(drawn, share)
        totals.append(sum(one.faults for each in findings.values() for one in each if one.what) / share)
    assert sum(totals) / 100 == pytest.approx(200 + 299, rel=0.03)


def test_a_day_is_scored_while_others_write(tmp_path: Path) -> None:
    with Hub.of(catalog(), f"sqlite:///{tmp_path / 'hub.db'}") as hub, ThreadPoolExecutor(1) as beside:
        hub.ingest([order(f"u{number}", 0) for number in range(300)], "shop")
        scored = beside.submit(lambda: [Inspection(hub).measured() for _ in range(3)])
        number = 0
        while not scored.done():
            number += 1
            new = {"type": "identify", "userId": f"new{number}", "traits": {"age": number, "email": "x"}}
            with hub.group():
                hub.ingest([order(f"u{number % 400}", number), new], "shop")
        assert all(score.score is not None and score.events >= 300 for score in scored.result())
        hub.tick()
    with Hub.of(catalog(), f"sqlite:///{tmp_path / 'hub.db'}") as hub:
        assert hub.events.last() == 300 + 2 * number
        assert sum(one.counter.count for one in hub.tally.since(0) if one.key.kind == "seen") == 300 + number


def test_what_the_plan_set_aside_is_at_fault_once() -> None:
    schema = {"properties": {"revenue": {"type": "number"}}}
    plan = {"name": "Order Completed", "on_violation": "set_aside", "schema": schema}
    with Hub.of(catalog(events=[plan]), "memory:", FakeClock()) as hub:
        assert hub.ingest(order("maya", 1), "shop").rejected == 1
        assert found(Inspection(hub).score()) == {("shop", "Order Completed", "revenue", "type"): 1}


@pytest.mark.parametrize("sent", [None, "2027-06-01T00:00:00Z"])
def test_a_time_ahead_is_a_fault_of_the_field_that_was_sent(sent: str | None) -> None:
    with Hub.of(catalog(), "memory:", FakeClock()) as hub:
        event = order("maya", 1) | {"timestamp": "2027-06-01T00:00:00Z"}
        hub.ingest(event | ({"sentAt": sent} if sent else {}), "shop")
        fields = {cell[2] for cell in found(Inspection(hub).score())}
        assert fields & {"timestamp", "sentAt"} == {"sentAt" if sent else "timestamp"}
