"""Decisions looked up from the end of the ledger: what fits, all of it once, within bounds, and nobody forgotten."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from opportune.catalog.types import Catalog
from opportune.clock import HOUR, MINUTE, to_datetime
from opportune.errors import Forgotten, NotFound, Stale
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.ledger.record import encode
from opportune.services import backwards, redecided
from opportune.services.lately import Lately
from opportune.services.on_record import on_record
from opportune.services.recalled import Wanted, recalled
from opportune.testing import FakeClock, tiny_action, tiny_catalog
from opportune.wire import Recorded
from opportune.wire.recalling import SILENCES, DecisionRow

PLACES = ("app.home", "app.side", "email.weekly")


def catalog() -> Catalog:
    card = [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hi"}}]
    mail = [{"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "hi"}}]
    return tiny_catalog(
        traits=[{"name": "plan", "type": "text"}, {"name": "tenure", "type": "number"}],
        placements=[{"name": "app.home", "channel": "app", "price": 0},
                    {"name": "app.side", "channel": "app", "price": 9},
                    {"name": "email.weekly", "channel": "email", "price": 0}],
        actions=[
            tiny_action("keep", issue="retain", campaign="stay", value=20, treatments=card + mail),
            tiny_action("upgrade", value=30, eligible="tenure > 5", treatments=card),
            tiny_action("note", kind="service", issue="service", campaign="care", value=1, applicable="plan = 'gold'",
                        treatments=card),
        ],
        model={"random_share": 0.25, "holdout_share": 0.25},
    )  # fmt: skip


@pytest.fixture(scope="module")
def lived() -> Hub:
    """A hub in which some days were lived."""
    clock, draw = FakeClock(), random.Random(7)
    hub = Hub.of(catalog(), clock=clock)
    for number in range(40):
        plan = draw.choice(["gold", "silver"])
        hub.ingest({"type": "identify", "userId": f"c{number}", "traits": {"plan": plan, "tenure": draw.randrange(12)}})
    for _ in range(120):
        clock.advance(draw.randrange(MINUTE, HOUR))
        places = draw.choice([[name] for name in PLACES] + [["app.home", "app.side"]])
        made = hub.decide(f"c{draw.randrange(40)}", placements=places)
        for offer in made.actions:
            for outcome in draw.choice([(), ("impression",), ("impression", "reject"), ("impression", "accept")]):
                clock.advance(MINUTE)
                hub.respond(str(made.decision_id), offer.action, outcome)
    return hub


@cache
def told_of(hub: Hub, decision_id: str) -> Recorded:
    return hub.recorded(decision_id)


def by_hand(hub: Hub, wanted: Wanted) -> list[str]:
    """Return the ids that fit, the latest first, by going through everything there is."""
    found = []
    for _, fact in hub.ledger.read():
        if isinstance(fact, DecisionMade) and _fits(hub, fact, wanted):
            found.append(fact.decision_id)
    return found[::-1]


def _fits(hub: Hub, made: DecisionMade, wanted: Wanted) -> bool:
    told, became = told_of(hub, made.decision_id), hub.ledger.episodes(made.decision_id).each
    kept = hub.ledger.decision(made.decision_id)[1]
    places = {place.placement: place for place in kept.places}
    channels = {"app.home": "app", "app.side": "app", "email.weekly": "email"}
    near = [name for name in places if wanted.placement in ("", name) and wanted.channel in ("", channels[name])]
    chosen = {name: [one for one in told.actions if one.placement == name] for name in near}
    silent = not any(chosen.values())
    first = places[near[0]].silence or "" if near else ""
    kinds = {"no action": "nothing_left", "nothing is": "not_worth", "the custom": "held_out"}

    def named(action: str) -> bool:
        one = hub.plan.action(action)
        return (wanted.action in ("", action) and wanted.campaign in ("", one.campaign)
                and wanted.issue in ("", one.issue))  # fmt: skip

    def heard(action: str) -> bool:
        one = next(one for one in became if one.action == action and not one.ghost)
        return {"": True, "any": bool(one.outcomes), "yes": one.label is True, "no": one.label is False,
                "unseen": one.label is None}[wanted.answer]  # fmt: skip

    def place_fits(name: str) -> bool:
        ghost = places[name].ghost
        if wanted.pushed and not (places[name].pushed and chosen[name]):
            return False
        if wanted.held_out:
            return bool(ghost and ghost.reason == "holdout" and named(hub.plan.catalog.actions[ghost.action].name))
        return not wanted.names or any(named(one.action) for one in chosen[name])

    fitting = [name for name in near if place_fits(name)]
    answers = [one.action for name in fitting for one in chosen[name] if named(one.action) and heard(one.action)]
    return all((
        wanted.nodes is None or made.subject in wanted.nodes,
        wanted.since is None or made.at >= wanted.since,
        wanted.until is None or made.at < wanted.until,
        not wanted.arm or ((kept.arm != "random") if wanted.arm == "hub" else kept.arm == wanted.arm),
        bool(fitting), wanted.flow in ("", kept.flow),
        wanted.silence in ("", "any" if silent else "none") or (silent and kinds.get(first[:10]) == wanted.silence),
        not wanted.answer or bool(answers),
    ))  # fmt: skip


def pages(hub: Hub, wanted: Wanted, limit: int, most: int) -> Iterator[DecisionRow]:
    """Yield what all pages have, one after the other."""
    before: int | None = None
    while True:
        found = recalled(hub, wanted, before, limit, most)
        assert len(found.decisions) <= limit
        yield from found.decisions
        if found.before is None:
            return
        assert before is None or found.before < before
        before = found.before


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_fits_is_found_all_of_it_and_once(lived: Hub, data: st.DataObject) -> None:
    some = st.sampled_from
    first, last = lived.ledger.decision(by_hand(lived, Wanted())[-1])[0].at, lived.clock.now()
    instants = st.none() | st.integers(first, last)
    wanted = Wanted(
        placement=data.draw(some(["", "", *PLACES, "nowhere"])), channel=data.draw(some(["", "", "app", "email"])),
        action=data.draw(some(["", "", "keep", "upgrade", "note"])), campaign=data.draw(some(["", "", "stay"])),
        issue=data.draw(some(["", "", "retain", "grow"])), arm=data.draw(some(["", "", "hub", "random", "holdout"])),
        silence=data.draw(some(["", "", "any", "none", *SILENCES])),
        answer=data.draw(some(["", "", "any", "yes", "no", "unseen"])), held_out=data.draw(some([False, False, True])),
        pushed=data.draw(some([False, False, True])), flow=data.draw(some(["", "", "", "", "nosuch"])),
        since=data.draw(instants), until=data.draw(instants),
        nodes=data.draw(st.none() | some([frozenset(lived.profile("c3").nodes)])),
    )  # fmt: skip
    limit, most = data.draw(some([1, 3, 50])), data.draw(some([7, 100, 10_000]))
    assert [row.id for row in pages(lived, wanted, limit, most)] == by_hand(lived, wanted)


def test_a_row_says_what_was_said_and_what_became_of_it(lived: Hub) -> None:
    for row in recalled(lived, Wanted(answer="yes"), None, 20).decisions:
        told = lived.recorded(row.id)
        said = [one for place in row.places for one in place.actions]
        assert (row.customer_id, row.at) == (told.customer_id, told.at)
        assert [(one.action, one.rank) for one in said] == [(one.action, one.rank) for one in told.actions]
        assert [one.priority for one in said] == pytest.approx([one.priority for one in told.actions])
        assert any(one.heard == ["seen", "accept"] and one.yes for one in said)
    held = recalled(lived, Wanted(held_out=True), None, 20).decisions
    assert held
    assert all(row.arm == "holdout" and place.would for row in held for place in row.places)


def test_counts_of_lately_are_those_of_the_lists(lived: Hub) -> None:
    lately = Lately(lived)
    lately.catch_up()
    whole, every = lately.whole(), {"limit": 200, "before": None}

    def count(wanted: Wanted) -> int:
        return len(recalled(lived, wanted, **every).decisions)  # type: ignore[arg-type]

    assert whole.silences == count(Wanted(silence="any"))
    assert {SILENCES[kind]: count(Wanted(silence=kind)) for kind in SILENCES if count(Wanted(silence=kind))} == dict(
        whole.why_silent
    )
    assert whole.pushed == count(Wanted(pushed=True))


def test_looking_back_is_bounded_and_says_how_far_it_went(lived: Hub) -> None:
    found = recalled(lived, Wanted(action="nosuch"), None, 50, most=60)
    assert not found.decisions
    assert found.before == lived.ledger.last() + 1 - 60
    seen = [fact.at for _, fact in lived.ledger.read(found.before - 1) if isinstance(fact, DecisionMade)]
    assert (found.looked, found.looked_back_to) == (len(seen), to_datetime(min(seen)))
    assert recalled(lived, Wanted(), 1, 50).looked_back_to is None


def test_who_was_forgotten_is_in_no_list() -> None:
    hub = Hub.of(catalog(), clock=FakeClock())
    for who in ("ana", "bo"):
        hub.ingest({"type": "identify", "userId": who, "traits": {"plan": "gold", "tenure": 9}})
    gone = [str(hub.decide("ana", "app.home").decision_id) for _ in range(3)]
    stays = str(hub.decide("bo", "app.home").decision_id)
    assert len(recalled(hub, Wanted(), None, 50).decisions) == 4
    nodes = frozenset(hub.profile("ana").nodes)
    hub.forget("ana")
    assert [row.id for row in recalled(hub, Wanted(), None, 50).decisions] == [stays]
    assert not recalled(hub, Wanted(nodes=nodes), None, 50).decisions
    for one in gone:
        with pytest.raises(Forgotten):
            on_record(hub, one)
        with pytest.raises(Forgotten):
            redecided.redecided(hub, one)


def test_others_are_held_up_for_moments_only(lived: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants the hub meanwhile gets it between two pieces."""
    got = threading.Event()
    monkeypatch.setattr(backwards, "AT_ONCE", 5)

    def want() -> None:
        with lived.reading():
            got.set()

    real = time.sleep
    threads: list[threading.Thread] = []

    def rest(seconds: float) -> None:
        if not threads:
            threads.append(threading.Thread(target=want, daemon=True))
            threads[0].start()
            assert got.wait(5), "nobody holds the hub while it rests"
        real(0)

    monkeypatch.setattr("opportune.services.backwards.time.sleep", rest)
    recalled(lived, Wanted(action="nosuch"), None, 50)
    assert got.is_set()


def test_the_record_is_what_was_asked_decided_and_heard(lived: Hub) -> None:
    for row in recalled(lived, Wanted(answer="yes", placement="app.home"), None, 5).decisions:
        told, answer = on_record(lived, row.id), lived.recorded(row.id)
        made, kept = lived.ledger.decision(row.id)
        assert (told.customer_id, told.seed, told.model) == (row.customer_id, str(kept.seed), made.model)
        assert told.values["plan"] in ("gold", "silver")
        chosen = [one for place in told.places for one in place.leaders if one.rank]
        assert [one.action for one in chosen] == [one.action for one in answer.actions]
        assert sum(told.places[0].fell.values()) == 3
        assert any("accept" in one.outcomes and one.yes for one in told.became)
    with pytest.raises(NotFound):
        on_record(lived, "nosuch")


def test_every_decision_replays_to_the_bit_with_the_model_of_its_time(lived: Hub) -> None:
    ids = by_hand(lived, Wanted())
    for one in (ids[0], ids[60], ids[-1]):
        found = redecided.redecided(lived, one)
        assert (found.same, found.differs) == (True, [])
        assert found.explanation == lived.explain(one)


def test_what_differs_is_named(lived: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    one = by_hand(lived, Wanted(silence="none", arm="hub"))[0]
    made, kept = lived.ledger.decision(one)
    place = structs.replace(kept.places[0], price=kept.places[0].price + 1)
    other = structs.replace(kept, seed=kept.seed + 1, places=(place, *kept.places[1:]))
    assert encode(other) != encode(kept)
    assert redecided.differences(kept, other) == ["seed", f"price of {place.placement}"]
    real = lived.ledger.decision
    monkeypatch.setattr(lived.ledger, "decision", lambda asked: (made, other) if asked == one else real(asked))
    found = redecided.redecided(lived, one)
    assert not found.same
    assert f"price of {place.placement}" in found.differs


def test_a_model_too_far_from_a_checkpoint_is_not_waited_for(lived: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redecided, "MOST_FACTS", 1)
    with pytest.raises(Stale, match="opportune explain"):
        redecided.redecided(lived, by_hand(lived, Wanted())[20])
