"""The hub as its users see it: decide, respond, learn, replay, explain, forget."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from opportune.clock import DAY, HOUR, MINUTE
from opportune.errors import BadRequest, Forgotten, NotFound
from opportune.events.types import Credited, Labeled, SituationChanged, Uncredited, WindowClosed
from opportune.hub import Hub
from opportune.testing import FakeClock, tiny_action, tiny_catalog

PLANS = ("gold", "silver", "trial")


def shop(**more: Any) -> Any:
    """A catalog with several actions, conditions, features, situations, caps and a goal."""
    goal = {"event": "Plan Kept", "within": "14d", "undo": "Plan Cancelled"}
    outcomes = {"positive": ["accept"], "negative": ["reject", "dismiss"], "window": "7d"}
    mail = [{"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "hi"}}]
    card = [{"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hi"}}]
    data: dict[str, Any] = {
        "traits": [
            {"name": "plan", "type": "text"},
            {"name": "tenure_months", "type": "number", "mutable": True},
            {"name": "complaints_open", "type": "number"},
        ],
        "features": [
            {"name": "spend_90d", "event": "Order Completed", "aggregate": "sum(revenue)", "window": "90d", "by": "1d"},
            {"name": "views_1h", "event": "Page Viewed", "aggregate": "count", "window": "1h", "by": "1m"},
        ],
        "context": [{"name": "device", "type": "text"}],
        "situations": [{"name": "open_complaint", "when": "complaints_open > 0", "silences": ["grow"]}],
        "placements": [
            {"name": "app.home", "channel": "app", "price": 0},
            {"name": "app.side", "channel": "app", "price": 0},
            {"name": "email.weekly", "channel": "email", "price": 0},
        ],
        "actions": [
            tiny_action("keep", issue="retain", value=20, eligible="tenure_months >= 6", treatments=card + mail,
                        outcomes={**outcomes, "goal": goal}),
            tiny_action("upgrade", value=30, helps="spend_90d > 20", outcomes=outcomes, treatments=card + mail),
            tiny_action("tip", issue="nurture", value=2, outcomes=outcomes, treatments=card),
            tiny_action("sorry", issue="service", kind="service", value=1, applicable="complaints_open > 0",
                        outcomes=outcomes, treatments=card + mail),
        ],
        "contact": [
            {"name": "email_week", "on": "channel/email", "at_most": 2, "in": "7d"},
            {"name": "each", "on": "action", "at_most": 3, "in": "1d"},
            {"name": "tired", "on": "action", "after": "reject", "times": 1, "in": "30d", "pause": "30d"},
        ],
    }
    return tiny_catalog(**{**data, **more})


def identify(user: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": traits, "messageId": f"{user}-{sorted(traits.items())}"}


def track(user: str, event: str, message: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": event, "messageId": message, "properties": properties}


def consent(user: str) -> dict[str, Any]:
    return track(user, "Consent Updated", f"consent-{user}", channel="email", purpose="marketing", status="granted")


def busy(hub: Hub, clock: FakeClock, steps: int, seed: int = 0, pause: int = HOUR) -> list[tuple[str, str]]:
    """Let customers live for a while; return the (decision, action) pairs that were made."""
    rng = np.random.default_rng(seed)
    made = []
    for step in range(steps):
        clock.advance(pause)
        who = f"c{rng.integers(12)}"
        event = rng.integers(4)
        if event == 0:
            traits = {"plan": str(rng.choice(PLANS)), "tenure_months": int(rng.integers(30)),
                      "complaints_open": int(rng.random() < 0.1)}
            hub.ingest({**identify(who, **traits), "messageId": f"{seed}i{step}"})
        elif event == 1:
            hub.ingest(track(who, "Order Completed", f"{seed}o{step}", revenue=float(rng.integers(1, 80))))
        elif event == 2:
            hub.ingest(track(who, str(rng.choice(["Plan Kept", "Plan Cancelled"])), f"{seed}g{step}"))
        answer = hub.decide(who, str(rng.choice(["app.home", "app.side"])), limit=int(rng.integers(1, 3)))
        for offer in answer.actions:
            assert answer.decision_id
            made.append((answer.decision_id, offer.action))
            if rng.random() < 0.9:
                hub.respond(answer.decision_id, offer.action, "impression")
        if made and rng.random() < 0.4:
            hub.respond(*made[int(rng.integers(max(0, len(made) - 20), len(made)))],
                        str(rng.choice(["accept", "reject", "dismiss"], p=[0.3, 0.2, 0.5])))
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub.of(shop(), "memory:", clock)


def test_an_event_is_seen_by_the_very_next_decision(hub: Hub) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    assert hub.decide("maya", "app.home", limit=9, peek=True).actions[0].action in ("keep", "tip")
    hub.ingest(track("maya", "Order Completed", "m1", revenue=50))
    assert {a.action for a in hub.decide("maya", "app.home", limit=9, peek=True).actions} == {"keep", "tip", "upgrade"}


def test_a_peek_leaves_nothing_behind(hub: Hub) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    before = hub.ledger.last()
    first = hub.decide("maya", "app.home", peek=True)
    assert first.decision_id is None
    assert hub.decide("maya", "app.home", peek=True) == first
    assert hub.decide("nobody", "app.home", peek=True).customer_id == "nobody"
    assert hub.people.view("nobody") is None
    assert hub.ledger.last() == before


def test_every_decision_replays_to_the_bit(tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    hub = Hub.of(shop(), url, clock)
    made = [d for d, _ in busy(hub, clock, 120)]
    assert len(made) > 60
    assert all(hub.replay(d) for d in made[::7])
    hub.close()
    again = Hub.of(shop(), url, clock)
    assert all(again.replay(d) for d in made[::5])
    again.rebuild()
    busy(again, clock, 20, seed=5)
    again.publish(shop(currency="USD"))
    assert all(again.replay(d) for d in made[::5])
    again.close()


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    def life(url: str, restarts: bool) -> tuple[list[tuple[str, str]], bytes]:
        clock = FakeClock()
        hub, made = Hub.of(shop(), url, clock), []
        for part in range(6):
            made += busy(hub, clock, 25, seed=part)
            if restarts:
                hub.close()
                hub = Hub.of(shop(), url, clock)
        model = hub.brain.snapshot()
        hub.close()
        return made, model

    assert life(f"sqlite:///{tmp_path}/a.db", True) == life("memory:", False)


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    hub = Hub.of(shop(), url, clock)
    busy(hub, clock, 60)
    model, profile = hub.brain.snapshot(), hub.profile("c1")
    hub.store.close()  # no save, as if killed
    again = Hub.of(shop(), url, clock)
    assert again.brain.snapshot() == model
    assert again.profile("c1") == profile
    again.close()


def test_a_failure_in_a_call_changes_nothing(hub: Hub, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    busy(hub, clock, 40)
    before = hub.ledger.last(), hub.events.last(), hub.brain.snapshot(), hub.profile("c1")
    monkeypatch.setattr(hub.ledger, "commit", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hub.decide("c1", "app.home")
    monkeypatch.undo()
    assert (hub.ledger.last(), hub.events.last(), hub.brain.snapshot(), hub.profile("c1")) == before
    hub.decide("c1", "app.home")


def test_rebuild_is_the_same_from_any_order_of_answers(clock: FakeClock) -> None:
    def life(order: int) -> bytes:
        clock = FakeClock()
        hub = Hub.of(shop(), "memory:", clock)
        rng = np.random.default_rng(3)
        answers = []
        for k in range(60):
            clock.advance(HOUR)
            who = f"c{k % 9}"
            hub.ingest(identify(who, tenure_months=int(rng.integers(30)), plan=PLANS[k % 3]))
            answer = hub.decide(who, "app.home")
            for offer in answer.actions:
                made = str(answer.decision_id), offer.action
                answers.append((*made, "impression", clock.now() + MINUTE))
                answers.append((*made, str(rng.choice(["accept", "reject"])), clock.now() + HOUR))
                if k % 4 == 0:
                    answers.append((*made, "accept", clock.now() + 2 * DAY))
        clock.advance(30 * DAY)
        for k in np.random.default_rng(order).permutation(len(answers)):
            decision, action, outcome, at = answers[k]
            hub.respond(str(decision), action, outcome, at=at)
        clock.advance(30 * DAY)
        hub.tick()
        return hub.rebuild()

    # the decisions do not depend on the answers, which all come later
    first = life(0)
    assert [life(order) for order in (1, 2, 3)] == [first] * 3


def test_a_late_positive_undoes_the_negative_of_its_window(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    answer = hub.decide("maya", "app.home")
    offer = answer.actions[0]
    assert hub.respond(str(answer.decision_id), offer.action, "impression")
    clock.advance(8 * DAY)
    hub.tick()
    assert [f.action for _, f in hub.ledger.read() if isinstance(f, WindowClosed)] == [offer.action]
    assert [f.label for _, f in hub.ledger.read() if isinstance(f, Labeled)] == [False]
    assert hub.respond(str(answer.decision_id), offer.action, "accept")
    assert not hub.respond(str(answer.decision_id), offer.action, "accept")
    labels = [(f.before, f.label) for _, f in hub.ledger.read() if isinstance(f, Labeled)]
    assert labels == [(None, False), (False, True)]
    assert hub.brain.answers == 1
    assert hub.brain.model.positives().sum() == pytest.approx(1)


def test_what_is_seen_is_a_no_until_it_is_answered(hub: Hub, clock: FakeClock) -> None:
    """Were the no learned only when its window ends, P would be far too high for a window's length."""
    rng = np.random.default_rng(0)
    for k in range(400):
        clock.advance(10 * MINUTE)
        hub.ingest(identify(f"c{k}", tenure_months=12))
        answer = hub.decide(f"c{k}", "app.home")
        offer = answer.actions[0]
        hub.respond(str(answer.decision_id), offer.action, "impression")
        if rng.random() < 0.2:
            hub.respond(str(answer.decision_id), offer.action, "accept")
    believed = hub.decide("someone", "app.home", peek=True).actions[0].propensity
    assert 0.1 < believed < 0.3


def test_served_is_not_seen(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    hub.decide("maya", "app.home")
    clock.advance(30 * DAY)
    hub.tick()
    assert hub.brain.answers == 0


def test_a_goal_credits_the_last_impression_and_an_undo_takes_it_back(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    ids = []
    for _ in range(3):
        clock.advance(DAY)
        answer = hub.decide("maya", "app.home", limit=4)
        ids.append(str(answer.decision_id))
        assert "keep" in [a.action for a in answer.actions]
        if len(ids) < 3:
            hub.respond(ids[-1], "keep", "impression")
    clock.advance(DAY)
    hub.ingest(track("maya", "Plan Kept", "goal"))
    credited = [f for _, f in hub.ledger.read() if isinstance(f, Credited)]
    assert [(f.decision_id, f.action, f.rule) for f in credited] == [(ids[1], "keep", "last impression")]
    assert hub.ledger.episodes(ids[1]).of("keep").label is True
    # we hear only now that the third was seen before the goal
    hub.respond(ids[2], "keep", "impression", at=clock.now() - HOUR)
    assert hub.ledger.episodes(ids[1]).of("keep").label is False
    assert hub.ledger.episodes(ids[2]).of("keep").label is True
    hub.ingest(track("maya", "Plan Kept", "goal"))
    clock.advance(HOUR)
    hub.ingest(track("maya", "Plan Cancelled", "refund"))
    undone = [f for _, f in hub.ledger.read() if isinstance(f, Uncredited)][-1]
    assert (hub.event(undone.goal).message_id, hub.event(undone.cause).message_id) == ("goal", "refund")
    assert hub.ledger.episodes(ids[2]).of("keep").label is False


def test_nothing_is_sold_to_a_person_with_an_open_problem(hub: Hub) -> None:
    order = track("maya", "Order Completed", "m", revenue=90)
    hub.ingest([identify("maya", tenure_months=12, complaints_open=1), order])
    actions = {a.action for a in hub.decide("maya", "app.home", limit=9).actions}
    assert "sorry" in actions
    assert "upgrade" not in actions
    changed = [f for _, f in hub.ledger.read() if isinstance(f, SituationChanged)]
    assert [(f.situation, f.entered) for f in changed] == [("open_complaint", True)]
    told = hub.decide("maya", "app.home", limit=9, peek=True, explain=True).explanation
    assert any(x.action == "upgrade" and x.stage == "situation" and "open_complaint" in x.reason for x in told.lost)
    hub.ingest(identify("maya", complaints_open=0))
    assert "upgrade" in {a.action for a in hub.decide("maya", "app.home", limit=9).actions}
    left = [f for _, f in hub.ledger.read() if isinstance(f, SituationChanged)][-1]
    assert not left.entered
    assert hub.event(left.cause).message_id.startswith("maya-")


def test_marketing_by_email_needs_a_grant(hub: Hub) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    silent = hub.decide("maya", "email.weekly")
    assert silent.actions == []
    assert silent.silence
    hub.ingest(consent("maya"))
    assert hub.decide("maya", "email.weekly").actions[0].action == "keep"


def test_caps_hold_and_room_comes_back(hub: Hub, clock: FakeClock) -> None:
    hub.ingest([identify("maya", tenure_months=12), consent("maya")])
    first, second = hub.decide("maya", "email.weekly"), hub.decide("maya", "email.weekly")
    assert first.actions
    assert second.actions
    assert "e-mails in 7 days" in str(hub.decide("maya", "email.weekly", peek=True, explain=True).explanation)
    assert not hub.decide("maya", "email.weekly").actions
    hub.respond(str(first.decision_id), "keep", "released")
    third = hub.decide("maya", "email.weekly")
    assert third.actions
    for answer in (second, third):
        hub.respond(str(answer.decision_id), answer.actions[0].action, "delivered")
    clock.advance(7 * DAY - 1)
    assert not hub.decide("maya", "email.weekly").actions
    clock.advance(1)
    assert hub.decide("maya", "email.weekly").actions


def test_a_slate_never_takes_more_than_a_cap_leaves(clock: FakeClock) -> None:
    limits = [{"name": "app", "on": "channel/app", "at_most": 2, "in": "1d"},
              {"name": "grow", "on": "grow", "at_most": 1, "in": "1d"}]
    actions = [tiny_action(f"a{i}", issue="grow" if i < 4 else "nurture", value=10 - i) for i in range(8)]
    hub = Hub.of(tiny_catalog(actions=actions, contact=limits, model={"explore": "greedy"}), "memory:", clock)
    answer = hub.decide("maya", "app.home", limit=5)
    assert [a.action for a in answer.actions] == ["a0", "a4"]
    assert hub.replay(str(answer.decision_id))
    assert not hub.decide("maya", "app.home", limit=5).actions


def test_caps_hold_under_concurrent_decisions(tmp_path: Path) -> None:
    clock = FakeClock()
    hub = Hub.of(shop(), f"sqlite:///{tmp_path}/hub.db", clock)
    hub.ingest([event for k in range(4) for event in (identify(f"c{k}", tenure_months=12), consent(f"c{k}"))])
    made: list[str] = []

    def work() -> None:
        for k in range(12):
            answer = hub.decide(f"c{k % 4}", "email.weekly")
            made.extend(answer.customer_id for _ in answer.actions)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {who: made.count(who) for who in set(made)} == {f"c{k}": 2 for k in range(4)}
    hub.close()


def test_placements_of_one_request_get_different_actions(hub: Hub) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    answer = hub.decide("maya", placements=["app.home", "app.side"], limit=1)
    assert len({a.action for a in answer.actions}) == len(answer.actions) == 2


def test_a_request_id_gives_the_first_answer_again(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", tenure_months=12))
    first = hub.decide("maya", "app.home", request_id="r1")
    hub.ingest(track("maya", "Order Completed", "m1", revenue=500))
    assert hub.decide("maya", "app.home", request_id="r1") == first
    clock.advance(DAY)
    assert hub.decide("maya", "app.home", request_id="r1").decision_id != first.decision_id


def test_silence_has_a_price_and_a_reason(hub: Hub) -> None:
    dear = shop(placements=[{"name": "app.home", "channel": "app", "price": "1000 + coalesce(tenure_months, 0)"},
                            {"name": "email.weekly", "channel": "email", "price": 0}])
    hub.publish(dear)
    answer = hub.decide("maya", "app.home")
    assert not answer.actions
    hub.ingest(identify("maya", tenure_months=1))
    answer = hub.decide("maya", "app.home")
    assert "1001" in str(answer.silence)
    assert hub.ledger.episodes(str(answer.decision_id)).each[0].ghost


def test_held_out_customers_get_silence_and_leave_ghosts(clock: FakeClock) -> None:
    hub = Hub.of(shop(model={"holdout_share": 0.5, "random_share": 0.0}), "memory:", clock)
    silent = 0
    for k in range(200):
        hub.ingest(identify(f"c{k}", tenure_months=12))
        answer = hub.decide(f"c{k}", "app.home")
        if not answer.actions:
            silent += 1
            assert "held out" in str(answer.silence)
            ghost = hub.ledger.episodes(str(answer.decision_id)).each[0]
            assert ghost.ghost
            assert ghost.probability > 0
            hub.ingest(track(f"c{k}", "Plan Kept", f"goal{k}"))
    assert 70 < silent < 130
    assert hub.brain.answers == 0
    assert hub.brain.baseline_positives > 20


def test_a_random_customer_gets_any_action_with_equal_chance(clock: FakeClock) -> None:
    hub = Hub.of(shop(model={"random_share": 1.0}), "memory:", clock)
    hub.ingest(identify("maya", tenure_months=12))
    seen = [hub.decide("maya", "app.home", peek=True).actions[0] for _ in range(1)]
    assert seen[0].selection_probability == pytest.approx(1 / 2)


def test_the_smallest_change_is_verified(hub: Hub) -> None:
    hub.ingest([identify("maya", tenure_months=4), track("maya", "Order Completed", "m1", revenue=5)])
    answer = hub.decide("maya", "app.home")
    told = hub.why(str(answer.decision_id), "keep")
    assert told.stage == "eligible"
    assert told.reason == "tenure_months is 4, needs 6"
    assert told.change == {"tenure_months": 6}
    lost = hub.why(str(answer.decision_id), "upgrade")
    assert lost.stage == "suitable"
    assert lost.change is None
    hub.ingest(identify("maya", tenure_months=6))
    assert hub.decide("maya", "app.home").actions[0].action == "keep"


def test_a_lever_that_would_have_won_is_found(clock: FakeClock) -> None:
    actions = [tiny_action("first", value=10), tiny_action("second", value=8)]
    hub = Hub.of(tiny_catalog(actions=actions, model={"explore": "greedy", "random_share": 0}), "memory:", clock)
    answer = hub.decide("maya", "app.home")
    assert answer.actions[0].action == "first"
    told = hub.why(str(answer.decision_id), "second")
    assert 25 <= float(told.change["lever"]) <= 27


def test_a_factor_can_be_switched_off(clock: FakeClock) -> None:
    actions = [tiny_action("cheap", value=1, lever=100), tiny_action("dear", value=10, lever=-50)]
    base = {"actions": actions, "model": {"explore": "greedy", "random_share": 0}}
    assert Hub.of(tiny_catalog(**base), "memory:", clock).decide("x", "app.home").actions[0].action == "dear"
    base["model"] = {"explore": "greedy", "random_share": 0, "factors": ["P", "C", "L"]}
    assert Hub.of(tiny_catalog(**base), "memory:", clock).decide("x", "app.home").actions[0].action == "cheap"


def test_an_unknown_name_is_a_clear_error(hub: Hub) -> None:
    with pytest.raises(BadRequest, match=r"no placement 'app\.hom'"):
        hub.decide("maya", "app.hom")
    with pytest.raises(BadRequest, match="placement"):
        hub.decide("maya")
    with pytest.raises(NotFound):
        hub.respond("nope", "keep", "accept")
    hub.ingest(identify("maya", tenure_months=12))
    answer = hub.decide("maya", "app.home")
    with pytest.raises(BadRequest, match="no outcome 'acept'"):
        hub.respond(str(answer.decision_id), answer.actions[0].action, "acept")
    with pytest.raises(BadRequest, match="did not make 'sorry'"):
        hub.respond(str(answer.decision_id), "sorry", "accept")


def test_a_join_and_its_undoing_is_as_if_never_joined(hub: Hub, clock: FakeClock) -> None:
    hub.ingest({"type": "track", "anonymousId": "anon", "event": "Order Completed", "messageId": "1",
                "properties": {"revenue": 30}})
    hub.ingest(identify("maya", tenure_months=12))
    before = hub.profile("maya"), hub.profile("anon")
    hub.ingest({"type": "identify", "userId": "maya", "anonymousId": "anon", "messageId": "2"})
    joined = hub.profile("maya")
    assert joined.values["spend_90d"] == 30
    node = next(n for n in joined.nodes if n != joined.subject)
    hub.unjoin(node)
    after = hub.profile("maya"), hub.profile("anon")
    assert [p.values for p in after] == [p.values for p in before]


def test_a_forgotten_customers_canaries_are_in_no_file(tmp_path: Path, clock: FakeClock) -> None:
    canary = "canary-7f3a91"
    hub = Hub.of(shop(), f"sqlite:///{tmp_path}/hub.db", clock)
    busy(hub, clock, 30)
    hub.ingest([
        {
            **identify(canary, plan=f"{canary}-plan", tenure_months=12, email=f"{canary}@example.com"),
            "anonymousId": f"{canary}-anon",
        },
        track(canary, "Order Completed", f"{canary}-message", revenue=50, note=f"{canary}-note"),
        track(canary, "Plan Kept", f"{canary}-goal"),
        {"type": "track", "userId": canary, "messageId": "bad", "properties": {"x": f"{canary}-bad"}},
    ])
    answer = hub.decide(canary, "app.home", context={"device": f"{canary}-device"}, request_id=f"{canary}-request")
    hub.respond(str(answer.decision_id), answer.actions[0].action, "accept")
    kept = busy(hub, clock, 10, seed=9)
    hub.people.save()
    hub.forget(canary)
    with pytest.raises(Forgotten):
        hub.explain(str(answer.decision_id))
    with pytest.raises(NotFound):
        hub.profile(canary)
    later = busy(hub, clock, 10, seed=10)
    assert all(hub.replay(d) for d, _ in later)
    for d, _ in kept:
        with suppress(Forgotten):  # the model of that time knew an answer of theirs
            assert hub.replay(d)
    hub.rebuild()
    hub.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert canary.encode() not in data, path
            assert canary.encode("utf-16-le") not in data, path


def test_campaign_stages_are_stamped(hub: Hub, clock: FakeClock) -> None:
    from opportune.events.types import CampaignStage

    hub.ingest(identify("maya", tenure_months=12))
    answer = hub.decide("maya", "app.home")
    hub.respond(str(answer.decision_id), answer.actions[0].action, "accept")
    stages = [f.stage for _, f in hub.ledger.read() if isinstance(f, CampaignStage)]
    assert stages == ["proposed", "approved", "live", "first_outcome"]


def test_a_record_fits_a_kilobyte() -> None:
    from opportune.bench.engine import hub_of, measure

    hub = hub_of(1_000, customers=20)
    for k in range(20, 200):
        hub.people.resolve(f"c{k}", None, create=True)
    assert max(measure(hub, 10)[2]) <= 1024
