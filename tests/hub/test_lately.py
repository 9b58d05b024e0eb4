"""What happened lately: counted from the ledger as it grows, the same whenever it is counted."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.hub import Hub
from opportune.services.lately import HUB, Lately, Tally
from opportune.testing import tiny_catalog

PLACE = "app.home"


@pytest.fixture
def hub() -> Hub:
    return Hub.of(tiny_catalog(), store="memory:")


def test_counting_along_and_counting_at_the_end_are_the_same(hub: Hub) -> None:
    along = Lately(hub)
    along.catch_up()
    for number in range(40):
        who = f"c{number}"
        hub.ingest({"type": "identify", "userId": who})
        made = hub.decide(who, PLACE)
        for offer in made.actions:
            hub.respond(str(made.decision_id), offer.action, "impression")
            if number % 3 == 0:
                hub.respond(str(made.decision_id), offer.action, hub.plan.action(offer.action).outcomes.positive[0])
        if number % 7 == 0:
            along.catch_up()
    while along.catch_up(10):
        pass
    later = Lately(hub)
    later.catch_up()
    assert along.today() == later.today()
    events, tally = later.today()
    assert (events, tally.decisions) == (40, 40)
    assert later.counted == 1.0
    arms = [later.whole().answers(arm) for arm in (HUB, "random")]
    seen = tally.decisions - tally.silences
    assert sum(whole for _, whole in arms) == seen
    assert 0 < sum(yes for yes, _ in arms) <= seen
    view = hub.people.view("c3")
    assert view is not None
    assert len(later.decisions_of(view.nodes)) == 1


def test_who_keeps_others_from_the_hub_may_ask_while_somebody_counts(hub: Hub) -> None:
    hub.ingest({"type": "identify", "userId": "c1"})
    hub.decide("c1", PLACE)
    lately, answered = Lately(hub), threading.Event()

    def asks() -> None:
        with hub.reading():
            counting = threading.Thread(target=lately.catch_up, daemon=True)
            counting.start()
            counting.join(0.2)
            assert counting.is_alive(), "it counts, and waits for the hub"
            lately.decisions_of(("c1",))
            answered.set()

    threading.Thread(target=asks, daemon=True).start()
    assert answered.wait(5), "one has the hub and waits for the counts, the other has them and waits for the hub"


def test_what_was_taken_back_counts_no_more(hub: Hub) -> None:
    lately = Lately(hub)
    before, after = Tally(decisions=1), Tally()
    before.seen[HUB], before.yes[HUB] = 2, 2
    after.yes[HUB] = -1
    for days in ((before, after), (after, before)):
        whole = Tally()
        for day in days:
            whole += day
        assert whole.answers(HUB) == (1, 2), "in whatever order days are added"
    assert lately.whole().answers(HUB) == (0, 0)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5))))
def test_there_is_never_more_yes_than_was_seen(days: list[tuple[int, int]]) -> None:
    whole = Tally()
    for yes, seen in days:
        whole += Tally(yes=Counter({HUB: yes}), seen=Counter({HUB: seen}))
    yes, seen = whole.answers(HUB)
    assert 0 <= yes <= seen
