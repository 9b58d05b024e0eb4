"""Forecasts of a hub's own tables, where a campaign will end, and what its goal stands at, beside what was counted."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune.clock import DAY, HOUR, format_instant
from opportune.errors import BadRequest, NotFound
from opportune.hub import Hub
from opportune.measure.effect import NotEnoughData
from opportune.measure.forecast_sum import SumAhead
from opportune.services import aims, prospects
from opportune.services.endings import Aim, counted_at_end
from opportune.services.office import Money, Office
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire.foreseeing import ForecastInfo, Forecasts

DAYS = 42
START = 1_788_220_800_000_000 // DAY * DAY
ARMS = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}


def date(days: int) -> str:
    return datetime.fromtimestamp((START + days * DAY) / 1e6, UTC).date().isoformat()


def campaign(name: str, metric: str, target: float, **more: Any) -> dict[str, Any]:
    return {"name": name, "owner": "ana", "goal": {"metric": metric, "target": target}, "starts": date(0),
            "ends": date(DAYS + 14), "budget": {"planned": 900}, **more}  # fmt: skip


CATALOG = tiny_catalog(
    placements=[{"name": "app.home", "channel": "app", "price": 0}],
    actions=[tiny_action("hello", campaign="spring", cost=0.1)],
    model={"arms": ARMS, "ramp": 0},
    metrics=[{"name": "orders", "event": "Order Completed", "within": "2d"},
             {"name": "purchases", "event": "Order Completed", "within": "2d", "kind": "count"},
             {"name": "calls", "event": "Call Made", "within": "2d"}],
    funnel={"margin": 0.4, "window": "30d"},
    campaigns=[campaign("spring", "orders", 0.25), campaign("counted", "purchases", 10.0),
               campaign("deaf", "calls", 3.0), campaign("money", "roi", 0.2), {"name": "bare", "owner": "ana"}],
)  # fmt: skip


class Told:
    """What was done, to be counted by hand."""

    def __init__(self) -> None:
        self.contacts: list[tuple[int, str]] = []
        self.orders: list[tuple[int, str]] = []


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Told]]:
    clock, draw, told = FakeClock(START), random.Random(5), Told()
    folder = tmp_path_factory.mktemp("prospects")
    with Hub.of(CATALOG, f"sqlite:///{folder / 'hub.db'}", clock) as hub:
        with hub.store.transaction():
            for day in range(DAYS):
                clock.at = START + day * DAY + 9 * HOUR
                for _ in range(draw.randrange(3, 8) + 4 * (day % 7 < 5)):
                    _visit(hub, clock, draw, told)
        clock.at = START + DAYS * DAY + HOUR
        Office(hub).spend([Money("spring", "one", 300.0), Money("spring", "two", 50.0, "committed")], "ana")
        yield hub, told


def _visit(hub: Hub, clock: FakeClock, draw: random.Random, told: Told) -> None:
    who = f"c{draw.randrange(200)}"
    answer = hub.decide(who, "app.home")
    if answer.actions:
        hub.respond(str(answer.decision_id), "hello", "impression")
        told.contacts.append((clock.now(), who))
    if draw.random() < 0.3:
        at = clock.now() + draw.choice([HOUR, -HOUR])  # some ordered before they saw it
        hub.ingest({"type": "track", "userId": who, "event": "Order Completed", "timestamp": format_instant(at),
                    "properties": {"revenue": 20}})  # fmt: skip
        told.orders.append((at, who))
    clock.advance(1_000_000)


def one(found: Forecasts, name: str) -> ForecastInfo:
    return next(each for each in found.series if each.name == name)


def test_what_was_is_what_was_done_and_what_comes_has_an_interval(lived: tuple[Hub, Told]) -> None:
    hub, told = lived
    found = prospects.forecasts(hub, "spring")
    contacts = one(found, "contacts")
    by_day = [sum((at - START) // DAY == day for at, _ in told.contacts) for day in range(DAYS)]
    assert [each.value for each in contacts.known] == by_day
    assert contacts.known[0].at == datetime.fromtimestamp(START / 1e6, UTC)
    running = datetime.fromtimestamp((START + DAYS * DAY) / 1e6, UTC)
    assert contacts.coming[0].at == running, "the running day is foretold"
    assert len(contacts.coming) == 14, "up to the end of the campaign"
    assert all(each.low is not None and each.low <= each.value <= (each.high or 0) for each in contacts.coming)
    assert 3 < contacts.coming[0].value < 12
    assert contacts.covered is not None
    assert one(found, "reach").total == len({who for _, who in told.contacts})
    assert one(found, "spend").total == pytest.approx(300 + 0.1 * len(told.contacts))
    assert {each.name for each in prospects.forecasts(hub).series} >= {"events", "decisions", "conversions"}


def test_the_same_past_is_foretold_once(lived: tuple[Hub, Told]) -> None:
    hub, _ = lived
    first = prospects.forecasts(hub, "spring", "day")
    before = prospects._forecast.cache_info().misses
    again = prospects.forecasts(hub, "spring", "day")
    assert again.series == first.series
    assert prospects._forecast.cache_info().misses == before


def test_where_a_campaign_ends_is_told_beside_its_target_and_its_budget(lived: tuple[Hub, Told]) -> None:
    hub, told = lived
    goal = one(prospects.forecasts(hub, "counted"), "goal")
    assert goal.total == 0, "none of its contacts"
    found = prospects.forecasts(hub, "spring")
    end = one(found, "goal").end
    assert end is not None
    assert (end.wanted, end.value, end.ending) == (0.25, None, "unclear"), "no count says whether a share is reached"
    assert "share of the customers contacted" in end.reason
    spend = one(found, "spend").end
    assert spend is not None
    assert spend.value is not None
    assert spend.low is not None
    assert spend.low >= 350 + 0.1 * len(told.contacts) - 1e-9, "what is spent and committed is sure"
    assert spend.wanted == 900


def test_a_series_that_is_mostly_nothing_has_no_forecast(lived: tuple[Hub, Told]) -> None:
    hub, _ = lived
    spend = one(prospects.forecasts(hub, "spring", "hour"), "contacts")
    assert not spend.coming
    assert "most hours are 0" in spend.reason


def test_the_goal_counts_who_ordered_after_a_contact(lived: tuple[Hub, Told]) -> None:
    hub, told = lived
    entries = {entry.name: entry for entry in hub.plan.catalog.campaigns}
    after = {who for at, who in told.orders if any(w == who and c <= at <= c + 2 * DAY for c, w in told.contacts)}
    contacted = {who for _, who in told.contacts}
    found = aims.goal(hub, entries["spring"])
    assert found is not None
    assert found.value == pytest.approx(len(after) / len(contacted))
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]  # type: ignore[operator]
    assert found.state == ("reached" if found.interval[0] >= 0.25 else "unclear")  # type: ignore[operator]
    assert len(after) < len({who for _, who in told.orders}), "an order before the contact is none of it"


def test_an_answer_counts_once_for_each_customer_whether_as_a_number_or_as_a_share() -> None:
    clock = FakeClock(START)
    asked = tiny_catalog(
        placements=[{"name": "app.home", "channel": "app", "price": 0}],
        actions=[tiny_action("hello", campaign="spring")], model={"arms": ARMS, "ramp": 0},
        metrics=[{"name": "yes", "outcome": "accept"}], campaigns=[campaign("spring", "yes", 0.5)],
    )  # fmt: skip
    with Hub.of(asked, "memory:", clock) as hub:
        for who in ("a", "a", "b", "c", "d"):
            decision = str(hub.decide(who, "app.home").decision_id)
            hub.respond(decision, "hello", "impression")
            if who in "ab":
                hub.respond(decision, "hello", "accept")
            clock.advance(HOUR)
        entry = hub.plan.catalog.campaigns[0]
        share, number = aims.goal(hub, entry), aims.goal(hub, replace(entry, target=2.0))
    assert share is not None
    assert (share.value, share.unit, share.state) == (0.5, "share", "unclear"), "two of four, which is not sure"
    assert number is not None
    assert (number.value, number.state) == (2.0, "reached")


def test_what_a_goal_wants_less_of_is_reached_by_less() -> None:
    rest = SumAhead(20.0, 10.0, 30.0, 0.8, 8)
    less = [counted_at_end(START, Aim(target, "down"), 5.0, 6.0, rest).ending for target in (40.0, 20.0, 14.0)]
    assert less == ["within it", "unclear", "beyond it"]
    more = [counted_at_end(START, Aim(target), 5.0, 6.0, rest).ending for target in (40.0, 20.0, 14.0)]
    assert more == ["misses it", "unclear", "reaches it"]
    unknown = NotEnoughData("too short")
    aims_ = (Aim(5.0), Aim(9.0), Aim(5.0, "down"), None)
    known = [counted_at_end(START, aim, 5.0, 6.0, unknown).ending for aim in aims_]
    assert known == ["reaches it", "unclear", "beyond it", "nothing planned"]


def test_what_a_goal_cannot_be_told_by_is_said(lived: tuple[Hub, Told]) -> None:
    hub, _ = lived
    told = {entry.name: aims.goal(hub, entry) for entry in hub.plan.catalog.campaigns}
    assert told["bare"] is None
    deaf, money, counted = told["deaf"], told["money"], told["counted"]
    assert deaf is not None
    assert deaf.value is None
    assert "the tables have no `Call Made`" in deaf.reason
    assert money is not None
    assert (money.value, money.state) == (None, "not known")
    assert counted is not None
    assert "nobody was contacted" in counted.reason


def test_a_goal_is_reached_by_its_whole_interval() -> None:
    assert aims._state(0.3, (0.26, 0.34), 0.25, "up") == "reached"
    assert aims._state(0.3, (0.2, 0.4), 0.25, "up") == "unclear"
    assert aims._state(0.3, (None, 0.24), 0.25, "up") == "not reached"
    assert aims._state(8.0, None, 10.0, "down") == "reached"
    assert aims._state(12.0, (11.0, None), 10.0, "down") == "not reached"
    assert aims._state(None, None, 10.0, "up") == "not known"


def test_what_there_is_not_is_said(lived: tuple[Hub, Told]) -> None:
    hub, _ = lived
    with pytest.raises(NotFound, match="no campaign 'sprang'"):
        prospects.forecasts(hub, "sprang")
    with pytest.raises(BadRequest, match="hour, day, week"):
        prospects.forecasts(hub, every="month")
