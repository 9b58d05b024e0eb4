"""Drift: what has moved among customers is found, what has not is left in peace, and few customers are no evidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from opportune import Hub
from opportune.clock import DAY, HOUR
from opportune.services.drifting import drift
from opportune.services.judged import cuts
from opportune.testing import FakeClock, tiny_catalog
from opportune.wire.judging import DriftInfo

TRAITS = [{"name": "age", "type": "number"}, {"name": "plan", "type": "text"}]


def found(hub: Hub) -> DriftInfo:
    return drift(hub)


def lived(age: Callable[[int, Random], float], customers: int, days: int = 28) -> tuple[Hub, FakeClock]:
    """Return a hub that decided for each customer on every day, whose `age` is another one on each day."""
    clock, rng = FakeClock(), Random(5)
    hub = Hub.of(tiny_catalog(traits=TRAITS), clock=clock)
    for day in range(days):
        for number in range(customers):
            traits = {"age": age(day, rng), "plan": rng.choice(["gold", "silver"])}
            hub.ingest([{"type": "identify", "userId": f"c{number}", "traits": traits}])
            answer = hub.decide(f"c{number}", placement="app.home")
            if answer.decision_id and answer.actions:
                outcome = "accept" if rng.random() < 0.3 else "reject"
                hub.respond(answer.decision_id, answer.actions[0].action, outcome)
        clock.advance(DAY)
    clock.advance(-DAY)
    return hub, clock


def test_what_has_moved_is_found_and_what_has_not_is_not() -> None:
    hub, _ = lived(lambda day, rng: rng.gauss(60 if day >= 15 else 40, 8), 40, days=20)
    told = found(hub)
    verdicts = {one.name: one.verdict for one in told.inputs}
    assert verdicts["age"] == "moved"
    assert verdicts["plan"] in ("steady", "unclear")
    assert not {"hour", "weekday"} & {*verdicts}
    assert told.inputs[0].name == "age", "what has moved most comes first"
    assert (told.before, told.lately) == (40, 40), "each customer counts once on a side"
    for one in told.inputs:
        assert sum(b.before for b in one.bins) == told.before
        assert sum(b.lately for b in one.bins) == told.lately
    assert told.until is not None
    assert told.split is not None
    assert (told.until - told.split).total_seconds() <= 7 * 24 * 3600
    assert sum(one.answers for one in told.periods) == hub.brain.answers
    assert len(told.periods) == hub.brain.answers // 120, "three days of forty answers are a period"


def test_nothing_moves_where_nothing_has() -> None:
    hub, _ = lived(lambda day, rng: rng.gauss(40, 8), 60, days=16)
    assert {one.verdict for one in found(hub).inputs} <= {"steady", "unclear"}


def test_few_customers_are_no_evidence_and_a_new_hub_has_none() -> None:
    hub, clock = lived(lambda day, rng: 20.0 + day, 6, days=4)
    told = found(hub)
    assert {one.verdict for one in told.inputs} == {"unknown"}
    assert all("it takes 20 of each" in one.reason for one in told.inputs)
    fresh = found(Hub.of(tiny_catalog(traits=TRAITS), clock=clock))
    assert (fresh.since, fresh.before, fresh.inputs, fresh.periods, fresh.drift) == (None, 0, [], [], None)


@given(st.lists(st.integers(0, 30 * DAY), max_size=80).map(sorted), st.integers(1, 20))
def test_periods_are_whole_days_as_short_as_they_may_be(times: list[int], least: int) -> None:
    found = cuts(times, least)
    assert [one for begin, end in found for one in times[begin:end]] == times
    for (begin, end), after in zip(found, [*found[1:], None]):
        days = Counter(at // DAY for at in times[begin:end])
        assert len(found) == 1 or end - begin >= least
        if after:
            assert times[end] // DAY > max(days)
            assert end - begin - days[max(days)] < least, "it could have ended a day before"


def test_a_forgotten_customer_is_left_out() -> None:
    hub, clock = lived(lambda day, rng: rng.gauss(40, 8), 30, days=8)
    before = found(hub)
    hub.forget("c3")
    clock.advance(HOUR)
    after = found(hub)
    assert (after.before, after.lately) == (before.before - 1, before.lately - 1)
