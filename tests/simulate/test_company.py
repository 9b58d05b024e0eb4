"""The simulated company: repeatable, in order of time, and answering with the probabilities that it states."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from opportune.catalog.types import Action, Goal, Outcomes
from opportune.clock import DAY, HOUR, MINUTE, parse_instant
from opportune.errors import NotFound
from opportune.measure.summary import rate
from opportune.simulate.company import Company
from opportune.simulate.population import SEGMENTS

WINDOW = 7 * DAY


def actions() -> list[Action]:
    goal = Goal("Order Completed", 14 * DAY, "Order Refunded")
    plain = Outcomes(("accept", "click"), ("reject", "dismiss"), WINDOW)
    with_goal = Outcomes(("accept",), ("reject", "dismiss"), WINDOW, goal)
    read = Outcomes(("read",), (), WINDOW)
    return [
        Action("keep_bundle", "retain", "bundle", plain, ()),
        Action("more_data", "grow", "data", with_goal, ()),
        Action("tv_pack", "grow", "tv", plain, ()),
        Action("wifi_tips", "nurture", "comfort", plain, ()),
        Action("outage_notice", "service", "network", read, (), kind="service"),
        Action("ünbekannt ☂", "a strange issue", "x", plain, ()),
    ]


def company(seed: int = 1, customers: int = 200, **more: float) -> Company:
    return Company(seed, actions(), customers, **more)


def test_the_same_seed_tells_the_same_story() -> None:
    def story(seed: int) -> str:
        one = company(seed, 60)
        events = []
        for event in one.advance(one.start + 40 * DAY):
            at = parse_instant(event["timestamp"])
            answer = []
            if event["type"] in ("page", "screen") and "userId" in event:
                answer = one.respond(event["userId"], "more_data", "app", at)
            events.append((event, answer))
        return json.dumps(events)

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_advancing_in_steps_is_advancing_at_once() -> None:
    one, other = company(3, 50), company(3, 50)
    whole = list(one.advance(one.start + 20 * DAY))
    parts = [e for i in range(1, 41) for e in other.advance(other.start + i * DAY // 2)]
    assert [(e["timestamp"], e["type"], e.get("userId")) for e in whole] == [
        (e["timestamp"], e["type"], e.get("userId")) for e in parts
    ]


def test_events_are_segment_shaped_and_in_order_of_time() -> None:
    one = company(5, 300)
    events = list(one.advance(one.start + 90 * DAY))
    instants = [parse_instant(e["timestamp"]) for e in events]
    assert all(a <= b for a, b in pairwise(instants))
    assert one.start <= instants[0] <= instants[-1] <= one.start + 90 * DAY
    assert len({e["messageId"] for e in events}) == len(events)
    assert all(e.get("userId") or e.get("anonymousId") for e in events)
    names = Counter(e.get("event") or e.get("name") or e["type"] for e in events)
    tracked = ("Order Completed", "Consent Updated", "Complaint Opened", "Complaint Closed", "Data Used")
    episodes = ("Payment Failed", "Payment Completed", "Plan Kept", "Plan Cancelled")
    for name in ("identify", "home", "cancel", "phones", "account", *tracked, *episodes):
        assert names[name] > 0, name
    assert any(e["type"] == "identify" and e["traits"].get("outage_in_area") for e in events)
    assert all(e["properties"]["revenue"] > 0 for e in events if e.get("event") == "Order Completed")
    assert json.loads(json.dumps(events)) == events
    first = next(e for e in events if e["type"] == "identify")
    assert {"tenure_months", "plan", "lines", "has_tv", "autopay", "complaints_open"} <= first["traits"].keys()


def test_a_customer_is_known_before_anything_else_and_silent_after_leaving() -> None:
    one = company(6, 300)
    seen: set[str] = set()
    left: set[str] = set()
    for event in one.advance(one.start + 90 * DAY):
        name = event.get("userId")
        if name:
            assert name not in left
            assert name in seen or event["type"] == "identify"
            seen.add(name)
            if event.get("event") == "Plan Cancelled":
                left.add(name)
    assert len(seen) == 300
    assert left


@pytest.mark.parametrize("name", [a.name for a in actions()])
def test_answers_come_as_often_as_the_truth_says(name: str) -> None:
    """Over customers, hours and channels: observed positives against the sum of the stated probabilities."""
    one = company(7, 400)
    list(one.advance(one.start + 2 * HOUR))
    expected = variance = 0.0
    positive = 0
    wanted = one.actions[name].outcomes.positive
    for turn in range(15):
        for customer in one.customers:
            channel = ("app", "email", "agent")[turn % 3]
            at = one.start + turn * 9 * HOUR + 3 * HOUR
            p = one.probability(customer, name, at, channel)
            answers = one.respond(customer, name, channel, at)
            positive += any(outcome in wanted for outcome, _ in answers)
            expected, variance = expected + p, variance + p * (1 - p)
            assert all(0 <= delay < WINDOW for _, delay in answers)
    assert abs(positive - expected) < 3.5 * variance**0.5


def test_people_differ_by_segment_and_traits_in_a_way_that_can_be_learned() -> None:
    one = company(8, 600, season=0.0, drift=0.0)
    list(one.advance(one.start + 2 * HOUR))
    for name in ("more_data", "tv_pack", "ünbekannt ☂"):
        means = [
            np.mean([one.probability(c, name, one.start) for c in one.customers if one.people[c].segment == segment])
            for segment in SEGMENTS
        ]
        assert max(means) > 1.3 * min(means)
    flat = company(8, 600, season=0.0, drift=0.0, spread=0.0)
    assert len({flat.probability(c, "more_data", flat.start) for c in flat.customers}) == 1


def test_base_rates_are_sensible_by_issue() -> None:
    rates = {name: [] for name in ("keep_bundle", "more_data", "outage_notice")}
    for seed in range(12):
        one = company(seed, 100)
        for name, found in rates.items():
            found.append(np.mean([one.probability(c, name, one.start) for c in one.customers]))
    grow, retain, service = (np.median(rates[n]) for n in ("more_data", "keep_bundle", "outage_notice"))
    assert 0.02 < grow < retain < service < 0.7


def test_contacts_tire_and_rest_restores() -> None:
    one = company(9, 50)
    at, customer = one.start + 10 * DAY, one.customers[0]
    fresh = one.probability(customer, "tv_pack", at)
    for i in range(5):
        one.respond(customer, "tv_pack", "app", at - (5 - i) * HOUR)
    tired, other = one.probability(customer, "tv_pack", at), one.probability(customer, "more_data", at)
    rested = company(9, 50)
    assert tired < 0.4 * fresh
    assert 0.3 * rested.probability(customer, "more_data", at) < other < rested.probability(customer, "more_data", at)
    one.states[customer].contacts = [(then - 60 * DAY, what) for then, what in one.states[customer].contacts]
    assert one.probability(customer, "tv_pack", at) == pytest.approx(fresh, rel=1e-3)


def test_hours_and_months_matter() -> None:
    one = company(10, 20)
    customer = one.customers[0]
    hours = [one.probability(customer, "more_data", one.start + h * HOUR) for h in range(24)]
    months = [one.probability(customer, "more_data", one.start + m * 28 * DAY) for m in range(13)]
    assert max(hours) > 1.5 * min(hours)
    assert max(months) > 1.5 * min(months)


def test_problems_close_ears_to_offers_and_open_them_to_help() -> None:
    one = company(11, 20)
    customer, state = one.customers[0], one.states[one.customers[0]]
    names = ("more_data", "keep_bundle", "outage_notice")
    calm = [one.probability(customer, n, one.start) for n in names]
    state.complaints = 1
    upset = [one.probability(customer, n, one.start) for n in names]
    assert (one.situation(customer), upset[0] < 0.2 * calm[0], upset[2] > calm[2]) == ("complaint", True, True)
    state.complaints, state.leaving = 0, True
    assert one.situation(customer) == "leaving"
    assert one.probability(customer, "keep_bundle", one.start) > 1.5 * calm[1]


def test_late_answers_come_after_the_window() -> None:
    one = company(12, 300, late_share=0.3)
    list(one.advance(one.start + 2 * HOUR))
    waits = [w for c in one.customers for o, w in one.respond(c, "outage_notice", "app", one.start) if o == "read"]
    late = rate(sum(w > WINDOW for w in waits), len(waits))
    assert late.low < 0.3 < late.high
    assert max(waits) < 2 * WINDOW


def test_goals_follow_acceptance_within_their_time() -> None:
    one = company(13, 300)
    list(one.advance(one.start + 2 * HOUR))
    accepted = set()
    for customer in (c for c in one.customers if one.states[c].here):
        if any(o == "accept" for o, _ in one.respond(customer, "more_data", "agent", one.now)):
            accepted.add(customer)
    goals = [e for e in one.advance(one.start + 20 * DAY) if e.get("properties", {}).get("action") == "more_data"]
    reached = {e["userId"] for e in goals if e["event"] == "Order Completed"}
    assert reached <= accepted
    assert rate(len(reached), len(accepted)).high > 0.8 > rate(len(reached), len(accepted)).low


def test_new_actions_are_launched_later() -> None:
    many = [Action(f"a{i}", "grow", "x", Outcomes(("accept",), (), WINDOW), ()) for i in range(300)]
    dated = Action("dated", "grow", "x", Outcomes(("accept",), (), WINDOW), (), starts=parse_instant("2026-03-01"))
    one = Company(14, [*many, dated], 10)
    later = [a.name for a in many if one.launch(a.name) > one.start]
    share = rate(len(later), len(many))
    assert share.low < 0.15 < share.high
    assert all(10 * DAY <= one.launch(name) - one.start <= 60 * DAY for name in later)
    assert one.launch("dated") == parse_instant("2026-03-01")


def test_regret_is_zero_for_the_best_and_falls_with_better_choices() -> None:
    one = company(15, 100)
    at, names = one.start + 2 * HOUR, tuple(one.actions)
    list(one.advance(at))
    random = np.random.default_rng(0)
    for customer in one.customers:
        values = {n: one.probability(customer, n, at, "web") for n in names}
        best = max(values, key=values.__getitem__)
        assert one.regret(customer, best, at, names, "web") == 0
        assert one.regret(customer, None, at, names, "web") == pytest.approx(values[best])
        some = str(random.choice(names))
        assert one.regret(customer, some, at, names, "web") == pytest.approx(values[best] - values[some])
        assert one.regret(customer, some, at, names, "web", worth=lambda n: -1.0) >= 0


def test_what_the_company_does_not_know_is_named() -> None:
    one = company(16, 5)
    with pytest.raises(NotFound, match="'nobody'"):
        one.probability("nobody", "more_data", one.start)
    with pytest.raises(NotFound, match="'nothing'"):
        one.respond(one.customers[0], "nothing", "app", one.start)


def test_problems_end() -> None:
    one = company(17, 400)
    list(one.advance(one.start + 200 * DAY))
    open_now = Counter(one.situation(c) for c in one.customers)
    assert open_now[None] > 0.9 * 400
    assert all(s.complaints >= 0 and s.balance >= 0 for s in one.states.values())


def test_an_episode_of_leaving_shows_two_looks_within_minutes() -> None:
    one = company(18, 500)
    looks: dict[str, list[int]] = {}
    for event in one.advance(one.start + 30 * DAY):
        if event.get("name") == "cancel":
            looks.setdefault(event["userId"], []).append(parse_instant(event["timestamp"]))
    assert len(looks) > 10
    assert all(any(0 < b - a <= 12 * MINUTE for a, b in pairwise(times)) for times in looks.values())
