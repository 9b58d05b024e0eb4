"""Experiments in the live decisions: who is exposed, in which arm, and that all of it can be replayed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from opportune.clock import DAY, HOUR
from opportune.decide import differences
from opportune.decide.trials import arm_of
from opportune.errors import BadRequest, Forgotten
from opportune.events.types import Exposed, Leaked, TrialChanged
from opportune.hub import Hub
from opportune.services.outgoing import Outgoing
from opportune.testing import FakeClock, tiny_action, tiny_catalog

NO_ARMS = {"random": 0, "propensity": 0, "no_levers": 0, "eligibility": 0, "random_propensity": 0}
CARD = {"name": "card", "channel": "app", "placements": ["app.*"], "content": {"title": "hello"}}
MAIL = {"name": "mail", "channel": "email", "placements": ["email.*"], "content": {"subject": "Hi", "text": "Tea"}}


def treatment(title: str, name: str = "hello") -> dict[str, Any]:
    return {"actions": [{"name": name, "treatments": [{"name": "card", "content": {"title": title}}]}]}


def experiment(changes: Any = None, name: str = "test", **more: Any) -> dict[str, Any]:
    arms = [{"name": "control"}, {"name": "bold", **({"changes": changes} if changes is not None else {})}]
    return {"name": name, "metric": "yes", "arms": arms, **more}


def shop(*experiments: dict[str, Any], **more: Any) -> Any:
    data: dict[str, Any] = {
        "traits": [{"name": "age", "type": "number"}, {"name": "plan", "type": "text"}],
        "actions": [
            tiny_action("hello", treatments=[CARD, MAIL]), tiny_action("other", value=1.02, issue="retain"),
            tiny_action("third", eligible="plan = 'gold'", value=1.05), tiny_action("new", value=9, off=True),
        ],
        "placements": [{"name": "app.home", "channel": "app", "price": 0.02},
                       {"name": "email.weekly", "channel": "email"}],
        "metrics": [{"name": "yes", "outcome": "accept"}],
        "experiments": list(experiments),
        "model": {"arms": NO_ARMS, "ramp": 0},
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


def running(catalog: Any, clock: FakeClock, store: str = "memory:", **more: Any) -> Hub:
    hub = Hub.of(catalog, store, clock)
    for one in hub.plan.catalog.experiments:
        hub.run_trial(hub.trials.begin(one, clock.now(), **more), "started", "ana")
    return hub


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def people(hub: Hub, count: int) -> list[str]:
    names = [f"c{k}" for k in range(count)]
    hub.ingest([
        {"type": "identify", "userId": name, "traits": {"age": k % 80, "plan": ["gold", "silver"][k % 3 == 0]}}
        for k, name in enumerate(names)
    ])  # fmt: skip
    return names


def arms_of(hub: Hub, customer: str) -> Any:
    view = hub.people.view(customer)
    assert view is not None
    return hub.snapshots.arms(view, hub.clock.now())


def exposed(hub: Hub, name: str = "test") -> dict[str, str]:
    """The arms of those who were exposed, by the id of the customer."""
    return {view.customer: e.arm for e in hub.exposed(name) if (view := hub.people.view(e.subject)) is not None}


def test_nobody_is_exposed_where_the_arms_are_the_same(clock: FakeClock) -> None:
    same = [experiment(treatment("hello")), experiment({"levers": {"retain": 0}}, "none"), experiment(name="empty")]
    hub = running(shop(*same), clock)
    for name in people(hub, 2_000):
        hub.decide(name, "app.home")
    assert all(not exposed(hub, name) for name in ("test", "none", "empty"))
    assert not any(isinstance(fact, Exposed) for _, fact in hub.ledger.read())


def test_content_exposes_those_alone_who_were_given_it(clock: FakeClock) -> None:
    hub = running(shop(experiment(treatment("Bold"))), clock)
    got = {}
    for name in people(hub, 600):
        answer = hub.decide(name, "app.home")
        got[name] = (answer.actions[0].action, answer.actions[0].content["title"]) if answer.actions else None
    arms = exposed(hub)
    assert {*arms} == {name for name, offer in got.items() if offer and offer[0] == "hello"}
    assert 60 < len(arms) < 500
    assert {(arms[name], got[name][1]) for name in arms} == {("control", "hello"), ("bold", "Bold")}  # type: ignore[index]
    assert 0.4 < Counter(arms.values())["bold"] / len(arms) < 0.6
    facts = [fact for _, fact in hub.ledger.read() if isinstance(fact, Exposed)]
    assert {(f.subject, f.arm, f.decision_id) for f in facts} == {
        (e.subject, e.arm, e.decision_id) for e in hub.exposed("test")
    }
    assert all(hub.ledger.decision(f.decision_id)[0].subject == f.subject for f in facts[:50])


def test_the_first_exposure_counts_and_a_peek_is_none(clock: FakeClock) -> None:
    hub = running(shop(experiment({"actions": [{"name": "new", "off": False}]})), clock)
    first = hub.decide("maya", "app.home", peek=True)
    assert not exposed(hub)
    answer = hub.decide("maya", "app.home")
    assert len(exposed(hub)) == 1
    [one] = hub.exposed("test")
    clock.advance(DAY)
    hub.decide("maya", "app.home")
    assert [*hub.exposed("test")] == [one]
    assert one.decision_id == answer.decision_id
    assert (first.actions[0].action == "new") == (one.arm == "bold")


CHANGES = st.sampled_from([
    treatment("Bold"), {"levers": {"retain": 60}}, {"actions": [{"name": "new", "off": False}]},
    {"actions": [{"name": "other", "eligible": "age < 30"}]}, {"actions": [{"name": "third", "value": 0.1}]},
    {"placements": [{"name": "app.home", "price": 0.07}]}, {"model": {"explore": "greedy"}},
    {"context_weights": [{"on": "grow", "when": "age > 40", "percent": 70}]}, {"decisions": "external"},
    {"actions": [{"name": "hello", "treatments": [{**CARD, "name": "fresh", "content": {"title": "Fresh"}}]}]},
    {"contact": [{"name": "one", "on": "channel/app", "at_most": 1, "in": "1d"}]}, {"blocks": {"bye": "Yours"}},
])  # fmt: skip


@given(changes=CHANGES, other=CHANGES, salt=st.integers(0, 10))
@settings(max_examples=12)
def test_who_is_exposed_does_not_depend_on_their_arm(changes: Any, other: Any, salt: int) -> None:
    """The same customers, all in one arm and then all in another, are exposed at the same decisions."""
    found = []
    for weights in ([1e6, 0.001, 0.001], [0.001, 1e6, 0.001], [0.001, 0.001, 1e6]):
        arms = [{"name": n, "weight": w} for n, w in zip(["control", "a", "b"], weights)]
        arms[1] |= {"changes": changes}
        arms[2] |= {"changes": other}
        clock = FakeClock(salt=salt)
        hub = running(shop({"name": "test", "metric": "yes", "arms": arms}), clock)
        for name in people(hub, 15):
            hub.decide(name, "app.home", limit=1 + salt % 2)
        told = exposed(hub)
        assert len({*told.values()}) <= 1
        found.append({*told})
    assert found[0] == found[1] == found[2]


def test_arms_of_layers_are_independent_and_stay(clock: FakeClock) -> None:
    one, two = experiment(treatment("Bold")), experiment({"levers": {"retain": 60}}, "two")
    hub = running(shop(one, two), clock)
    names = people(hub, 1_000)
    pairs = Counter(tuple(arm for _, arm in arms_of(hub, name)) for name in names)
    assert {*pairs} == {(a, b) for a in ("control", "bold") for b in ("control", "bold")}
    assert all(190 < count < 310 for count in pairs.values())


def test_those_of_one_layer_share_nobody(clock: FakeClock) -> None:
    one = experiment(treatment("Bold"), layer="home", share=0.5)
    two = experiment(treatment("Bolder"), "two", layer="home", share=0.4)
    hub = running(shop(one, two), clock)
    arms = [arms_of(hub, name) for name in people(hub, 1_000)]
    counts = Counter(tuple(name for name, _ in found) for found in arms)
    assert {*counts} == {("test",), ("two",), ()}
    assert 440 < counts["test",] < 560
    assert 340 < counts["two",] < 460


def test_a_growing_share_keeps_everybody_where_they_are(clock: FakeClock) -> None:
    hub = Hub.of(shop(experiment(treatment("Bold"), share=0.8)), clock=clock)
    [one] = hub.plan.catalog.experiments
    names, before = people(hub, 1_000), {}
    trial = hub.trials.begin(one, clock.now(), share=0.1)
    for share, least, most in ((0.1, 60, 140), (0.5, 440, 560), (0.8, 750, 850)):
        hub.run_trial(replace(trial, share=share), "share")
        arms = {name: found for name in names if (found := arms_of(hub, name))}
        assert least < len(arms) < most
        assert before.items() <= arms.items()
        before = arms
    with pytest.raises(BadRequest, match=r"at most 0\.8"):
        hub.trials.begin(dataclasses.replace(one, name="x"), 0, share=0.9)


def test_flows_of_a_hypothesis_give_a_customer_the_same_arm(clock: FakeClock) -> None:
    belief = {"name": "short", "claim": "c", "because": "b", "metric": "yes", "expected": 0.1}
    one = experiment(treatment("Short"), hypothesis="short")
    two = experiment(treatment("Short", "other"), "two", hypothesis="short")
    three = experiment(treatment("Short", "third"), "three")
    first, second, third = shop(one, two, three, hypotheses=[belief]).experiments
    by = {e.name: [arm_of(e, f"c{k}") for k in range(500)] for e in (first, second, third)}
    assert by["test"] == by["two"] != by["three"]


def test_every_decision_of_every_arm_replays_to_the_bit(clock: FakeClock) -> None:
    third = {"name": "third", "eligible": "plan IN ('silver', 'x')"}
    one = experiment({"actions": [{"name": "new", "off": False}, third], "model": {"explore": "greedy"}})
    two = experiment({"levers": {"retain": 60}, "placements": [{"name": "app.home", "price": 0.05}]}, "two")
    hub = running(shop(one, two), clock)
    made, arms = [], set()
    for name in people(hub, 16):
        clock.advance(HOUR)
        answer = hub.decide(name, "app.home", explain=True)
        made.append(answer)
        arms.add(hub.ledger.decision(str(answer.decision_id))[1].arms)
        for offer in answer.actions:
            hub.respond(str(answer.decision_id), offer.action, "accept" if offer.rank else "reject")
    assert len(arms) == 4
    for _ in range(2):
        for answer in made:
            assert hub.replay(str(answer.decision_id))
            assert hub.again(str(answer.decision_id)).actions == answer.actions
            hub.explain(str(answer.decision_id))
        # after the end of all experiments, under another catalog, as well
        for trial in hub.trials.all():
            hub.run_trial(replace(trial, status="stopped"), "stopped")
        hub.publish(shop(actions=[tiny_action("hello")]))
    assert "in experiment `test` this customer is in arm" in made[0].explanation.notes[0]  # type: ignore[union-attr]
    assert hub.why(str(made[0].decision_id), "hello")


def test_a_restart_keeps_exposures_and_the_arms_of_those_who_met(clock: FakeClock, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    hub = running(shop(experiment(treatment("Bold"))), clock, url)
    names = people(hub, 60)
    for name in names:
        hub.decide(name, "app.home")
    before, arms = [*hub.exposed("test")], exposed(hub)
    hub.store.close()  # as a process that was killed: nothing more is written
    again = Hub.of(shop(experiment(treatment("Bold"))), url, clock)
    assert [*again.exposed("test")] == before
    for name in names:
        clock.advance(DAY)
        again.decide(name, "app.home")
    assert arms.items() <= exposed(again).items()
    again.forget(next(iter(arms)))
    assert exposed(again).keys() & arms.keys() == arms.keys() - {next(iter(arms))}
    assert len([*again.exposed("test")]) == len(exposed(again))
    again.close()


def test_identities_that_meet_keep_the_earlier_arm_and_are_marked(clock: FakeClock) -> None:
    hub = running(shop(experiment({"actions": [{"name": "new", "off": False}]})), clock)
    [one] = hub.plan.catalog.experiments
    pairs = [(f"a{k}", f"c{k}") for k in range(40)]
    for anonymous, user in pairs:
        hub.decide(None, "app.home", anonymous=anonymous)
        clock.advance(HOUR)
        hub.decide(user, "app.home")
    assert len([*hub.exposed("test")]) == 80
    for anonymous, user in pairs:
        hub.ingest({"type": "identify", "userId": user, "anonymousId": anonymous})
    found = [*hub.exposed("test")]
    assert len(found) == 40
    crossed = {user for anonymous, user in pairs if arm_of(one, anonymous) != arm_of(one, user)}
    assert 8 < len(crossed) < 32
    for e in found:
        view = hub.people.view(e.subject)
        assert view is not None
        assert e.arm == arm_of(one, view.customer.replace("c", "a"))
        assert e.crossed == (view.customer in crossed)
        assert hub.snapshots.arms(view, clock.now()) == (("test", e.arm),)
        answer = hub.decide(view.customer, "app.home")
        assert (answer.actions[0].action == "new") == (e.arm == "bold")


def test_a_stopped_arm_gets_what_control_gets_and_a_winner_is_for_everybody(clock: FakeClock) -> None:
    hub = running(shop(experiment({"actions": [{"name": "new", "off": False}]})), clock)
    [one] = hub.plan.catalog.experiments
    names = people(hub, 40)
    bold = [name for name in names if arm_of(one, name) == "bold"]
    [trial] = hub.trials.all()
    hub.run_trial(replace(trial, stopped=("bold",)), "harm", "the lab", "bold")
    assert all(a.action != "new" for name in names for a in hub.decide(name, "app.home").actions)
    assert not exposed(hub).keys() & {*bold}
    hub.run_trial(replace(trial, status="paused"), "paused")
    assert hub.snapshots.underway == ()
    hub.run_trial(replace(trial, status="decided", winner="bold"), "decided", "ana")
    before = exposed(hub)
    clock.advance(DAY)
    assert all(hub.decide(name, "app.home").actions[0].action == "new" for name in names)
    assert exposed(hub) == before
    told = [(f.what, f.by) for _, f in hub.ledger.read() if isinstance(f, TrialChanged)]
    assert told == [("started", "ana"), ("harm", "the lab"), ("paused", ""), ("decided", "ana")]


def test_a_running_experiment_cannot_become_another_one(clock: FakeClock) -> None:
    hub = running(shop(experiment(treatment("Bold"))), clock)
    for other in (
        experiment(treatment("Bolder")), experiment(treatment("Bold"), layer="x"), experiment(treatment("Bold"), "b")
    ):  # fmt: skip
        with pytest.raises(BadRequest, match=r"top it first"):
            hub.publish(shop(other))
    assert hub.publish(shop(experiment(treatment("Bold"), alpha=0.1, owner="ana"), levers={"grow": 3}))
    [trial] = hub.trials.all()
    with pytest.raises(BadRequest, match="stop it before"):
        hub.trials.begin(hub.plan.catalog.experiments[0], clock.now())
    hub.run_trial(replace(trial, status="stopped"), "stopped")
    assert hub.publish(shop(experiment(treatment("Bolder"))))


def test_only_the_audience_takes_part_and_only_in_time(clock: FakeClock) -> None:
    hub = running(shop(experiment(treatment("Bold"), audience="plan = 'gold'", until="2026-01-03")), clock)
    for k, name in enumerate(people(hub, 60)):
        view = hub.people.view(name)
        assert view is not None
        assert bool(hub.snapshots.arms(view, clock.now())) == (k % 3 != 0)
    clock.advance(3 * DAY)
    assert not any(hub.snapshots.arms(view, clock.now()) for view in hub.people.everyone())


def test_another_tool_decides_for_an_arm(clock: FakeClock) -> None:
    sorry = tiny_action("sorry", kind="service", issue="care", eligible="age > 70")
    hub = running(shop(experiment({"decisions": "external"}), actions=[tiny_action("hello"), sorry]), clock)
    silent = Counter[Any]()
    for name in people(hub, 200):
        answer = hub.decide(name, "app.home", explain=True)
        arm = exposed(hub)[name]
        silent[arm, answer.silence] += 1
        assert all(arm == "control" or offer.action == "sorry" for offer in answer.actions)
        assert hub.replay(str(answer.decision_id))
    assert len(exposed(hub)) == 200
    assert silent["bold", "another tool decides for this customer"] > 60
    assert sum(count for (arm, why), count in silent.items() if arm == "bold" and not why) > 4


def test_what_an_arm_says_is_rendered_by_the_same_process(clock: FakeClock) -> None:
    german = {"de": {"title": "Hallo {{ customer.name }}"}}
    said = {"content": {"title": "Dear {{ customer.name }}"}, "languages": german}
    bold = {"actions": [{"name": "hello", "treatments": [{"name": "card", **said}]}]}
    picture = {"name": "card", "content": {"image": "i-{{ customer.name }}"}}
    image = {"actions": [{"name": "hello", "treatments": [picture]}]}
    catalog = shop(experiment(bold), experiment(image, "two"), actions=[tiny_action("hello", treatments=[CARD])],
                   traits=[{"name": "name", "type": "text"}, {"name": "language", "type": "text"}])  # fmt: skip
    hub = running(catalog, clock)
    found, pids = set(), set()
    for k in range(60):
        language = ["en", "de"][k % 2]
        hub.ingest({"type": "identify", "userId": f"c{k}", "traits": {"name": f"N{k}", "language": language}})
        answer = hub.decide(f"c{k}", "app.home")
        peek = hub.decide(f"c{k}", "app.home", peek=True)
        assert not answer.actions or not peek.actions or answer.actions[0].content == peek.actions[0].content
        arms = dict(hub.ledger.decision(str(answer.decision_id))[1].arms)
        for offer in answer.actions:
            word = {"en": "Dear", "de": "Hallo"}[language]
            content = {"title": f"{word} N{k}" if arms["test"] == "bold" else "hello"}
            content |= {"image": f"i-N{k}"} if arms["two"] == "bold" else {}
            assert offer.content == content
            found.add((*arms.values(), language))
        if (process := hub.personal.renderer._process) is not None:
            pids.add(process._popen.pid)
    assert len(found) == 8
    assert len(pids) == 1
    hub.close()


def mailing(*experiments: dict[str, Any], **more: Any) -> Any:
    channels = [{"name": "email", "via": "file", "options": {"folder": "/tmp/nowhere"}}]
    flow = [{"name": "cart", "on": "Cart Left", "wait": "1h", "placement": "email.weekly"}]
    return shop(*experiments, channels=channels, triggers=flow, **more)


def reachable(hub: Hub, count: int) -> list[str]:
    names = [f"c{k}" for k in range(count)]
    for name in names:
        hub.ingest([
            {"type": "identify", "userId": name, "traits": {"email": f"{name}@example.com"}},
            {"type": "track", "userId": name, "event": "Consent Updated",
             "properties": {"purpose": "marketing", "channel": "email", "status": "granted"}},
        ])  # fmt: skip
    return names


def test_a_trigger_waits_as_the_arm_says_and_exposes_when_it_hears(clock: FakeClock) -> None:
    hub = running(mailing(experiment({"triggers": [{"name": "cart", "wait": "3h"}]})), clock)
    names = reachable(hub, 40)
    for name in names:
        hub.ingest({"type": "track", "userId": name, "event": "Cart Left"})
    arms = exposed(hub)
    assert {*arms} == {*names}
    assert {*arms.values()} == {"control", "bold"}
    for hours, due in ((1, {"control"}), (2, {"control", "bold"})):
        clock.advance(hours * HOUR)
        while hub.tick():
            pass
        sent = {row.send.subject for row in hub.outbox.each("waiting")}
        assert {arms[hub.people.view(subject).customer] for subject in sent} == due  # type: ignore[union-attr]
        assert len(sent) == sum(arm in due for arm in arms.values())
    assert len([*hub.exposed("test")]) == 40


def test_a_message_leaves_as_the_arm_of_its_customer_says(clock: FakeClock) -> None:
    changes = {"actions": [{"name": "hello", "treatments": [{"name": "mail", "content": {"text": "Coffee"}}]}]}
    hub = running(mailing(experiment(changes), actions=[tiny_action("hello", treatments=[MAIL])]), clock)
    for name in reachable(hub, 20):
        hub.decide(name, "email.weekly")
    arms = exposed(hub)
    leaving, _ = Outgoing(hub).release({"email": 100}, 100)
    made = hub.personal.renderer.render([one.job for one in leaving])
    texts = {one.view.customer: str(message) for one, message in zip(leaving, made)}
    assert {*texts} == {*arms}
    assert all(("Coffee" in texts[name]) == (arm == "bold") for name, arm in arms.items())
    assert {*arms.values()} == {"control", "bold"}
    hub.close()


def test_every_leak_to_somebody_held_out_is_blocked_or_told(clock: FakeClock) -> None:
    hub = Hub.of(mailing(actions=[tiny_action("hello", treatments=[MAIL])]), clock=clock)
    for name in reachable(hub, 60):
        assert hub.decide(name, "email.weekly").actions
    control = {"name": "control", "on": ["all"], "share": 0.3}
    hub.publish(mailing(actions=[tiny_action("hello", treatments=[MAIL])], holdouts=[control]))
    held = {v.subject for v in hub.people.everyone() if hub.decide(v.customer, "app.home").silence
            and "held out" in str(hub.decide(v.customer, "email.weekly", peek=True).silence)}  # fmt: skip
    leaving, looked = Outgoing(hub).release({"email": 100}, 100)
    out = {view.subject for view in hub.people.everyone()} - {one.send.subject for one in leaving}
    assert looked == 60
    assert 8 < len(out) < 30
    assert hub.leaks.counts() == {("control", "email", "blocked"): len(out)}
    told = [f for _, f in hub.ledger.read() if isinstance(f, Leaked)]
    assert {f.subject for f in told} == out
    assert {f.what for f in told} == {"blocked: hello"}
    assert held <= out
    for view in [*hub.people.everyone()]:
        for event, more in (("Email Delivered", {}), ("Message Sent", {"channel": "sms"}), ("Tea Bought", {}),
                            ("Email Sent", {"kind": "transactional"})):  # fmt: skip
            hub.ingest({"type": "track", "userId": view.customer, "event": event, "properties": more})
    assert hub.leaks.counts() == {
        ("control", "email", "blocked"): len(out), ("control", "email", "reached"): len(out),
        ("control", "sms", "reached"): len(out),
    }  # fmt: skip


def test_nothing_is_compared_where_no_arm_can_differ(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Experiments on content, and on actions of other placements, cost no second decision."""
    asked = Counter[str]()
    decide = differences.decide
    monkeypatch.setattr(differences, "decide", lambda *a: (asked.update(["more"]), decide(*a))[1])
    far = experiment({"actions": [{"name": "mailed", "value": 50}, {"name": "barred", "value": 9}]}, "far")
    actions = [tiny_action("barred", eligible="age > 99"), tiny_action("hello", treatments=[CARD]),
               tiny_action("other"), tiny_action("mailed", treatments=[MAIL])]  # fmt: skip
    hub = running(shop(experiment(treatment("Bold")), far, actions=actions), clock)
    for name in people(hub, 50):
        hub.decide(name, "app.home")
    assert exposed(hub)
    assert not asked
    assert not exposed(hub, "far")


def test_forgotten_customers_leave_no_exposure(clock: FakeClock) -> None:
    hub = running(shop(experiment({"actions": [{"name": "new", "off": False}]})), clock)
    answer = hub.decide("maya", "app.home")
    assert len([*hub.exposed("test")]) == 1
    hub.forget("maya")
    assert [*hub.exposed("test")] == []
    with pytest.raises(Forgotten):
        hub.explain(str(answer.decision_id))


def test_holdouts_by_channel_and_by_hypothesis(clock: FakeClock) -> None:
    belief = {"name": "short", "claim": "c", "because": "b", "metric": "yes", "expected": 0.1}
    holdouts = [{"name": "no_mail", "on": ["channel/email"], "share": 0.4},
                {"name": "no_short", "on": ["hypothesis/short"], "share": 0.4}]  # fmt: skip
    one = experiment({"actions": [{"name": "new", "off": False}]}, hypothesis="short")
    hub = running(mailing(one, hypotheses=[belief], holdouts=holdouts), clock)
    [trial], both, names = hub.trials.all(), Counter[Any](), reachable(hub, 80)
    for name in names:
        mail, app = hub.decide(name, "email.weekly"), hub.decide(name, "app.home")
        held = "held out" in str(mail.silence)
        ghost = hub.ledger.episodes(str(mail.decision_id)).each[0]
        assert ghost.ghost == held
        assert hub.replay(str(mail.decision_id))
        both[held, bool(arms_of(hub, name))] += 1
        assert app.actions
    assert {*both} == {(a, b) for a in (True, False) for b in (True, False)}
    taking_part = {name for name in names if arms_of(hub, name)}
    assert {*exposed(hub)} == taking_part
    hub.run_trial(replace(trial, status="decided", winner="bold"), "decided")
    clock.advance(DAY)
    got = {name for name in names if hub.decide(name, "app.home").actions[0].action == "new"}
    assert got == taking_part
