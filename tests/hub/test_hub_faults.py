"""What must hold when something goes wrong: bad input, failing writes, and facts in an unlucky order."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opportune.clock import DAY, HOUR
from opportune.errors import BadInput, BadRequest, Forgotten, OpportuneError
from opportune.events.types import CampaignStage, DecisionMade
from opportune.hub import Hub
from opportune.ledger.record import unpack_leaders
from opportune.store import open_store
from opportune.testing import FakeClock, tiny_action, tiny_catalog


def answer_of(hub: Hub, who: str, outcome: str = "accept") -> None:
    answer = hub.decide(who, "app.home")
    hub.respond(str(answer.decision_id), answer.actions[0].action, outcome)


@pytest.mark.parametrize("bad", ["", "undefined", "\ud800", 7, None, "x" * 600])
def test_an_id_that_is_none_is_refused(bad: Any) -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    with pytest.raises(BadRequest):
        hub.decide(bad, "app.home")
    if bad != "undefined":
        with pytest.raises(BadRequest):
            hub.decide("maya", "app.home", request_id=bad or 5)
    assert hub.people.view("maya") is None


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, 10_000])
def test_a_limit_out_of_bounds_is_refused(limit: Any) -> None:
    with pytest.raises(BadRequest, match="limit"):
        Hub.of(tiny_catalog(), "memory:", FakeClock()).decide("maya", "app.home", limit=limit)


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), 2**70, "x" * 2000, object()])
def test_a_context_that_is_no_plain_value_is_refused(value: Any) -> None:
    catalog = tiny_catalog(context=[{"name": "device", "type": "text"}])
    hub = Hub.of(catalog, "memory:", FakeClock())
    with pytest.raises(BadRequest, match=r"context\.device"):
        hub.decide("maya", "app.home", context={"device": value})
    assert hub.decide("maya", "app.home", context={"device": "phone", "unknown": value}).actions


@pytest.mark.parametrize(("name", "bad"), [("value", "12"), ("value", float("inf")), ("at", 1.5), ("at", True)])
def test_an_answer_with_a_bad_value_is_refused(name: str, bad: Any) -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    answer = hub.decide("maya", "app.home")
    with pytest.raises(BadRequest, match=name):
        hub.respond(str(answer.decision_id), "hello", "accept", **{name: bad})


@pytest.mark.parametrize("junk", [None, 5, "text", [None], [5], [[]], {"type": 5}])
def test_junk_in_place_of_events_is_set_aside_or_refused(junk: Any) -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    with suppress(OpportuneError):
        assert hub.ingest(junk).taken == 0
    assert hub.decide("maya", "app.home").actions


def test_a_store_without_a_catalog_says_so() -> None:
    hub = Hub(open_store("memory:"), FakeClock())
    for call in (lambda: hub.decide("maya", "app.home"), lambda: hub.ingest([])):
        with pytest.raises(BadRequest, match="publish"):
            call()


def test_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="opportune init"):
        Hub.open(tmp_path / "nowhere")


def test_delivered_is_for_push_channels() -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    answer = hub.decide("maya", "app.home")
    with pytest.raises(BadRequest, match="impression"):
        hub.respond(str(answer.decision_id), "hello", "delivered")


def test_an_answer_is_never_before_its_decision() -> None:
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(), "memory:", clock)
    answer = hub.decide("maya", "app.home")
    hub.respond(str(answer.decision_id), "hello", "impression", at=-5)
    episode = hub.ledger.episodes(str(answer.decision_id)).of("hello")
    assert episode is not None
    assert episode.seen == clock.now()


def test_a_request_id_is_the_customers_own() -> None:
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(), "memory:", clock)
    first = hub.decide("anna", "app.home", request_id="1")
    assert hub.decide("bob", "app.home", request_id="1").customer_id == "bob"
    assert hub.decide("anna", "app.home", request_id="1") == first
    clock.advance(3 * DAY)
    hub.decide("anna", "app.home")
    assert hub.store.table("requests").count() == 0


def test_events_of_one_batch_go_where_they_would_go_one_by_one() -> None:
    feature = {"name": "n", "event": "Seen", "aggregate": "count"}
    seen = {"type": "track", "event": "Seen", "anonymousId": "a", "messageId": "3"}
    batch = [
        {"type": "identify", "userId": "u1", "anonymousId": "a", "messageId": "1"},
        {"type": "identify", "userId": "u2", "anonymousId": "a", "messageId": "2"},
        seen,
        seen,
    ]
    found = []
    for parts in ([batch], [[event] for event in batch]):
        hub = Hub.of(tiny_catalog(features=[feature]), "memory:", FakeClock())
        told = [hub.ingest(part) for part in parts]
        assert sum(t.taken for t in told) == 3
        found.append([hub.profile(u).values["n"] for u in ("u1", "u2")])
        hub.people.reset(hub.events)
        assert [hub.profile(u).values["n"] for u in ("u1", "u2")] == found[-1]
    assert found[0] == found[1] == [0, 1]


def test_a_failing_commit_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(), f"sqlite:///{tmp_path / 'hub.db'}", clock)
    answer = hub.decide("maya", "app.home")
    before = hub.brain.snapshot()
    whole = type(hub.store).transaction

    def failing(store: Any) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def inner() -> Any:
            with whole(store):
                yield
                raise OSError("no space left on device")

        return inner()

    for _ in range(3):
        monkeypatch.setattr(type(hub.store), "transaction", failing)
        with pytest.raises(OSError, match="no space"):
            hub.respond(str(answer.decision_id), "hello", "accept")
        monkeypatch.undo()
    assert hub.brain.snapshot() == before
    assert hub.respond(str(answer.decision_id), "hello", "accept")
    assert hub.brain.answers == 1
    hub.close()


@pytest.mark.parametrize("step", range(1, 26))
def test_a_failing_write_anywhere_changes_nothing(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call of a short life fails at its k-th write, and is then repeated: as if it had never failed."""
    feature = {"name": "spend", "event": "Order Completed", "aggregate": "sum(revenue)", "window": "7d", "by": "1d"}
    catalog = tiny_catalog(features=[feature])
    other = tiny_catalog(features=[feature, {**feature, "name": "more", "window": "14d"}], currency="USD")

    def life(fail: bool) -> tuple[Any, ...]:
        clock = FakeClock()
        hub = Hub.of(catalog, "memory:", clock)

        def call(work: Any) -> Any:
            if fail:
                count = 0
                from opportune.store.memory import MemoryLog, MemoryTable

                for kind, name in ((MemoryLog, "append"), (MemoryTable, "put"), (MemoryTable, "delete")):
                    whole = getattr(kind, name)

                    def counted(self: Any, *args: Any, whole: Any = whole) -> Any:
                        nonlocal count
                        count += 1
                        if count == step:
                            raise OSError("disk")
                        return whole(self, *args)

                    monkeypatch.setattr(kind, name, counted)
                try:
                    done = work()
                except OSError:
                    monkeypatch.undo()
                else:
                    monkeypatch.undo()
                    return done
            return work()

        order = {"type": "track", "event": "Order Completed", "properties": {"revenue": 5}}
        for k in range(3):
            clock.advance(HOUR)
            call(lambda k=k: hub.ingest([{**order, "userId": f"c{k}", "messageId": f"m{k}"}]))
            answer = call(lambda k=k: hub.decide(f"c{k}", "app.home"))
            call(lambda answer=answer: hub.respond(str(answer.decision_id), "hello", "accept"))
        call(lambda: hub.publish(other))
        call(lambda: hub.forget("c0"))
        values = [hub.profile(f"c{k}").values for k in (1, 2)]
        stages = [f.stage for _, f in hub.ledger.read() if isinstance(f, CampaignStage)]
        return hub.brain.snapshot(), values, stages, hub.ledger.last(), hub.plan.catalog.hash

    assert life(True) == life(False)


def test_everybody_can_be_forgotten_and_the_hub_still_starts() -> None:
    clock = FakeClock()
    store = open_store("memory:")
    hub = Hub(store, clock)
    hub.publish(tiny_catalog())
    for who in ("a", "b", *["a"] * 80):
        clock.advance(HOUR)
        answer_of(hub, who, "accept" if who == "b" else "reject")
    for who in ("a", "b"):
        hub.forget(who)
    again = Hub(store, clock)
    assert again.brain.snapshot() == hub.brain.snapshot()
    assert len(list(store.blobs.names())) < 10
    hub.rebuild()
    assert hub.brain.answers == 0


def test_another_predictor_starts_from_what_the_ledger_knows() -> None:
    clock = FakeClock()
    hub = Hub.of(tiny_catalog(), "memory:", clock)
    ids = []
    for k in range(12):
        clock.advance(HOUR)
        answer = hub.decide(f"c{k}", "app.home")
        ids.append(str(answer.decision_id))
        hub.respond(ids[-1], "hello", "impression")
    hub.publish(tiny_catalog(model={"predictor": "naive_bayes"}))
    assert hub.brain.predictor == "naive_bayes"
    assert hub.brain.answers == 12
    for decision in ids[:6]:
        hub.respond(decision, "hello", "accept")
    assert (hub.brain.answers, hub.brain.model.positives().tolist()) == (12, [6.0])
    assert all(hub.replay(d) for d in ids)


def test_an_action_that_went_and_came_back_takes_nothing_back_that_it_never_learned() -> None:
    clock = FakeClock()
    both = [tiny_action("hello"), tiny_action("other")]
    hub = Hub.of(tiny_catalog(actions=both, model={"random_share": 1}), "memory:", clock)
    ids = []
    for k in range(20):
        answer = hub.decide(f"c{k}", "app.home")
        if answer.actions[0].action == "other":
            ids.append(str(answer.decision_id))
            hub.respond(ids[-1], "other", "impression")
    hub.publish(tiny_catalog())
    hub.publish(tiny_catalog(actions=both))
    for decision in ids:
        hub.respond(decision, "other", "accept")
    assert hub.brain.metrics.answers("other") >= len(ids)
    p = hub.brain.model.positives()[hub.plan.position["other"]]
    assert p == pytest.approx(len(ids))


@pytest.mark.parametrize("explore", ["thompson", "greedy", "epsilon", "squarecb"])
def test_the_first_rank_of_a_slate_is_drawn_as_recorded_whatever_has_no_room_later(explore: str) -> None:
    limits = [{"name": "grow", "on": "grow", "at_most": 1, "in": "1d"}]
    actions = [*(tiny_action(f"a{i}", value=1) for i in range(3)), tiny_action("other", issue="nurture", value=1)]
    model = {"explore": explore, "random_share": 0, "epsilon": 0.5, "width": 1}
    hub = Hub.of(tiny_catalog(actions=actions, contact=limits, model=model), "memory:", FakeClock())
    weights = []
    for k in range(300):
        answer = hub.decide(f"c{k}", "app.home", limit=3)
        # with SquareCB silence is one of the candidates
        assert len(answer.actions) == 2 or explore == "squarecb"
        first = answer.actions[0] if answer.actions else None
        weights.append((first and first.action == "other" and 1 / first.selection_probability) or 0)
        assert k % 50 or hub.replay(str(answer.decision_id))
    assert np.mean(weights) == pytest.approx(0 if explore == "greedy" else 1, abs=0.5)


def test_a_ghost_waits_for_one_goal_at_a_time_and_never_hides_a_real_one() -> None:
    clock = FakeClock()
    outcomes = {"positive": ["accept"], "negative": [], "window": "7d", "goal": {"event": "Kept", "within": "14d"}}
    dear = {"name": "app.side", "channel": "app", "price": 1000}
    home = {"name": "app.home", "channel": "app", "price": 0}
    hub = Hub.of(
        tiny_catalog(placements=[home, dear], actions=[tiny_action("hello", outcomes=outcomes)]), "memory:", clock
    )
    first = hub.decide("maya", "app.home")
    hub.respond(str(first.decision_id), "hello", "impression")
    for _ in range(600):
        clock.advance(60_000_000)
        assert not hub.decide("maya", "app.side").actions
    hub.ingest({"type": "track", "userId": "maya", "event": "Kept", "messageId": "goal"})
    episode = hub.ledger.episodes(str(first.decision_id)).of("hello")
    assert episode is not None
    assert episode.label is True


def test_what_was_recorded_is_what_was_chosen() -> None:
    hub = Hub.of(tiny_catalog(actions=[tiny_action(f"a{i}") for i in range(300)]), "memory:", FakeClock())
    answer = hub.decide("maya", "app.home", limit=280)
    made, record = hub.ledger.decision(str(answer.decision_id))
    assert isinstance(made, DecisionMade)
    leaders = unpack_leaders(record.places[0].leaders)
    won = [hub.plan.actions[leader.action].name for leader in leaders if leader.rank]
    assert won == [a.action for a in answer.actions]
    assert hub.replay(str(answer.decision_id))


def test_a_forgotten_customers_decision_says_so() -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    answer = hub.decide("maya", "app.home")
    hub.forget("maya")
    with pytest.raises(Forgotten):
        hub.explain(str(answer.decision_id))


@pytest.mark.parametrize("word", ["refused", "Denied", "opted out", False, "revoked", "WITHDRAWN"])
def test_a_refusal_counts_however_it_is_written(word: Any) -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    said = {"channel": "App", "purpose": "Marketing", "status": word}
    event = {"type": "track", "userId": "maya", "event": "Consent Updated", "properties": said}
    assert hub.ingest(event).taken == 1
    assert not hub.decide("maya", "app.home").actions


def test_a_consent_that_nobody_understands_is_set_aside_and_not_lost() -> None:
    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    event = {"type": "track", "userId": "maya", "event": "Consent Updated", "properties": {"status": "perhaps"}}
    assert hub.ingest(event).rejected == 1
    assert [letter.reason for _, letter in hub.dead_letters.letters()] == ["bad_consent"]


def test_the_blast_radius_knows_contact_limits() -> None:
    from opportune.services.radius import blast_radius

    hub = Hub.of(tiny_catalog(), "memory:", FakeClock())
    for who in ("a", "b"):
        answer = hub.decide(who, "app.home")
        hub.respond(str(answer.decision_id), "hello", "impression")
    hub.people.resolve("c", None, create=True)
    capped = tiny_catalog(contact=[{"name": "day", "on": "all", "at_most": 1, "in": "1d"}])
    assert blast_radius(hub, tiny_catalog()) == {"customers": 3, "changed": 0}
    assert blast_radius(hub, capped) == {"customers": 3, "changed": 2}
