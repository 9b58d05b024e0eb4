"""What customers are asked, through the hub: the pulse under the same caps, facts with source and age, and one fact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.api.asked import corrected, questions
from opportune.batch.decide import decide_all
from opportune.catalog.types import Pulse
from opportune.clock import DAY, HOUR, MINUTE, SECOND
from opportune.decide.stages.assign import arm_of
from opportune.decide.stages.available import sampled
from opportune.errors import BadRequest
from opportune.events.types import Event, Labeled
from opportune.hub import Hub
from opportune.measure import care
from opportune.measure.summary import Difference
from opportune.profiles.fold import fold
from opportune.profiles.merge import merge, narrow
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import State
from opportune.testing import START, FakeClock, tiny_action, tiny_catalog

CARD = [{"name": "card", "channel": "app", "placements": ["*"], "content": {"title": "hi"}}]
MAIL = [{"name": "mail", "channel": "email", "placements": ["*"], "content": {"subject": "hi"}}]

PULSE: dict[str, Any] = {
    "question": {"en": "Did this help you?", "de": "Hat dir das geholfen?"},
    "placements": ["app.pulse", "email.pulse"],
    "share": 1.0,
}
ASK: dict[str, Any] = {
    "fact": "birthday_month", "question": {"en": "In which month were you born?"},
    "buys": {"en": "a present in your month"}, "options": [1, 2, 6, 12], "placements": ["app.home"],
    "when": "plan = 'gold'", "worth": 5,
}  # fmt: skip


def shop(**more: Any) -> Any:
    """A catalog with offers in every placement, a situation that silences all care, and both kinds of questions."""
    data: dict[str, Any] = {
        "traits": [{"name": "plan", "type": "text"}, {"name": "birthday_month", "type": "number"},
                   {"name": "has_tv", "type": "bool"}, {"name": "complaints_open", "type": "number"}],
        "features": [
            {"name": "complaints_90d", "event": "Complaint Opened", "aggregate": "count", "window": "90d", "by": "1d"},
            {"name": "days_since_complaint", "event": "Complaint Opened", "aggregate": "days_since"},
            {"name": "last_stars", "event": "Rating Given", "aggregate": "last(stars)"},
        ],
        "situations": [{"name": "open_complaint", "when": "complaints_open > 0", "silences": ["grow", "care"]}],
        "placements": [{"name": name, "channel": name.split(".")[0]}
                       for name in ("app.home", "app.pulse", "email.weekly", "email.pulse")],
        "actions": [tiny_action("offer", value=9, treatments=CARD + MAIL)],
        "pulse": PULSE,
        "asks": [ASK],
    }  # fmt: skip
    return tiny_catalog(**{**data, **more})


def identify(user: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": traits}


def track(user: str, event: str, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": event, "properties": properties}


def view_page(user: str) -> dict[str, Any]:
    return {"type": "page", "userId": user, "name": "home"}


def granted(user: str) -> dict[str, Any]:
    return track(user, "Consent Updated", channel="email", purpose="marketing", status="granted")


def asked(hub: Hub, user: str, placement: str = "app.pulse") -> str | None:
    """Ask in a placement; return the decision, None for silence."""
    answer = hub.decide(user, placement)
    assert answer.decision_id is not None
    assert [a.action for a in answer.actions] in (["pulse"], [])
    assert hub.replay(answer.decision_id)
    return answer.decision_id if answer.actions else None


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hub(clock: FakeClock) -> Hub:
    return Hub.of(shop(), "memory:", clock)


def test_the_question_comes_after_a_while_and_within_a_span_and_no_offer_takes_its_place(
    hub: Hub, clock: FakeClock
) -> None:
    assert asked(hub, "maya") is None  # nothing happened that could have helped
    hub.ingest(view_page("maya"))
    assert asked(hub, "maya") is None
    clock.advance(HOUR)
    decision = asked(hub, "maya")
    assert decision
    offer = hub.recorded(decision).actions[0]
    answers = [{"answer": "yes", "title": "Yes"}, {"answer": "no", "title": "No"}]
    assert offer.content == {"question": "Did this help you?", "answers": answers}
    hub.ingest(view_page("noor"))
    clock.advance(3 * DAY + HOUR)
    assert asked(hub, "noor") is None


def test_a_contact_is_asked_about_and_the_answer_belongs_to_it(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(granted("maya"))
    sent = hub.decide("maya", "email.weekly").decision_id
    assert sent
    hub.respond(sent, "offer", "delivered")
    clock.advance(2 * HOUR)
    decision = asked(hub, "maya")
    assert decision
    assert hub.respond(decision, "pulse", "yes")
    [(_, about, episode)] = questions(hub, 0, clock.now() + SECOND)
    assert (about.arm, about.action, about.issue, about.channel) == ("", "offer", "grow", "email")
    assert episode.outcomes.keys() == {"yes"}


def test_nobody_is_asked_twice_within_the_period_and_the_question_takes_room_in_every_cap(clock: FakeClock) -> None:
    hub = Hub.of(shop(contact=[{"name": "day", "on": "all", "at_most": 1, "in": "1d"}]), "memory:", clock)
    hub.ingest(view_page("maya"))
    clock.advance(2 * HOUR)
    first = asked(hub, "maya")
    assert first
    hub.respond(first, "pulse", "impression")
    assert hub.decide("maya", "app.home").actions == []  # the question was today's one contact
    for _ in range(29):
        clock.advance(DAY)
        hub.ingest(view_page("maya"))
        clock.advance(MINUTE)
        assert asked(hub, "maya") is None
    clock.advance(DAY)
    assert asked(hub, "maya")


def test_consent_quiet_hours_and_situations_hold_for_the_question(clock: FakeClock) -> None:
    quiet = [{"name": "night", "on": "channel/email", "quiet": "00:00-05:00"}]
    hub = Hub.of(shop(contact=quiet), "memory:", clock)  # it is one o'clock at night in Berlin
    hub.ingest([view_page("maya"), view_page("noor"), granted("maya"), identify("noor", complaints_open=1)])
    clock.advance(2 * HOUR)
    assert asked(hub, "maya", "email.pulse") is None
    clock.advance(3 * HOUR)
    assert asked(hub, "maya", "email.pulse")
    assert asked(hub, "noor", "email.pulse") is None  # no consent
    assert asked(hub, "noor") is None  # a complaint is open
    hub.ingest(identify("noor", complaints_open=0))
    assert asked(hub, "noor")


def test_a_question_that_is_about_the_situation_is_not_silenced_by_it(clock: FakeClock) -> None:
    hub = Hub.of(shop(pulse={**PULSE, "about": ["open_complaint"]}), "memory:", clock)
    hub.ingest([view_page("noor"), identify("noor", complaints_open=1)])
    clock.advance(2 * HOUR)
    assert asked(hub, "noor")


def test_the_sample_is_as_large_as_asked_for_another_one_each_period_and_explained(clock: FakeClock) -> None:
    pulse = shop(pulse={**PULSE, "share": 0.1}).pulse
    assert isinstance(pulse, Pulse)
    names = [f"c{i}" for i in range(4000)]
    now = {name for name in names if sampled(pulse, name, START)}
    later = {name for name in names if sampled(pulse, name, START + pulse.every)}
    assert 320 <= len(now) <= 480
    assert 15 <= len(now & later) <= 75
    model = shop(model={"holdout_share": 0.5}).model
    held = sum(arm_of(model, name) == "holdout" for name in now)
    assert 0.4 <= held / len(now) <= 0.6

    hub = Hub.of(shop(pulse={**PULSE, "share": 0.1}), "memory:", clock)
    others = [name for name in names if name not in now][:5]
    hub.ingest([view_page(name) for name in others])
    clock.advance(2 * HOUR)
    answer = hub.decide(others[0], "app.pulse", explain=True)
    assert answer.actions == []
    assert answer.explanation
    [reason] = [lost.reason for lost in answer.explanation.lost if lost.action == "pulse"]
    assert reason.startswith("0.1 of all are asked in 30d, this customer not before 2026-")


def test_who_is_held_out_is_asked_as_well_and_planted_truth_is_found(clock: FakeClock) -> None:
    """Half of the customers get no offers; of the others 85 % say yes, of these 55 %, and a third does not answer."""
    hub = Hub.of(shop(model={"holdout_share": 0.5, "random_share": 0.0}, pulse={**PULSE, "events": ["Page Viewed"]}),
                 "memory:", clock)  # fmt: skip
    names = [f"c{i}" for i in range(240)]
    hub.ingest([call for name in names for call in (granted(name), view_page(name))])
    for name in names:
        sent = hub.decide(name, "email.weekly")
        if sent.actions:
            hub.respond(str(sent.decision_id), "offer", "delivered")
    clock.advance(2 * HOUR)
    arms = {name: arm_of(hub.plan.catalog.model, name) for name in names}
    for number, name in enumerate(names):
        decision = asked(hub, name)
        assert decision, name
        hub.respond(decision, "pulse", "impression")
        if number % 3:
            yes = number % 20 < (11 if arms[name] == "holdout" else 17)
            hub.respond(decision, "pulse", "yes" if yes else "no")
    rows = list(questions(hub, 0, clock.now() + SECOND))
    whole = care.tally(rows)[""]
    held = sum(arm == "holdout" for arm in arms.values())
    assert (whole["hub"].asked, whole["holdout"].asked) == (240 - held, held)
    found = care.against(whole["hub"], whole["holdout"])
    assert isinstance(found, Difference)
    assert found.low < 0.3 < found.high
    assert found.low > 0
    # what was withheld counts as what would have been said
    by_action = care.tally(rows, "action")
    assert by_action.keys() == {"offer"}
    assert by_action["offer"] == whole


def test_what_was_withheld_in_an_app_counts_as_said_and_what_nobody_saw_does_not(clock: FakeClock) -> None:
    hub = Hub.of(shop(model={"holdout_share": 0.5, "random_share": 0.0}), "memory:", clock)
    names = [f"c{i}" for i in range(20)]
    hub.ingest([view_page(name) for name in names])
    for name in names:
        hub.decide(name, "app.home")  # of the others it was decided, and never seen
    clock.advance(2 * HOUR)
    for name in names:
        hub.respond(str(asked(hub, name)), "pulse", "yes")
    told = {(about.arm, about.action, about.channel) for _, about, _ in questions(hub, 0, clock.now() + SECOND)}
    assert told == {("holdout", "offer", "app"), ("", "", "")}


def test_a_run_to_everybody_asks_the_same_customers(clock: FakeClock) -> None:
    hub = Hub.of(shop(model={"holdout_share": 0.3}, pulse={**PULSE, "share": 0.5}), "memory:", clock)
    names = [f"c{i}" for i in range(60)]
    hub.ingest([view_page(name) for name in names])
    clock.advance(2 * HOUR)
    found: dict[str, bool] = {}
    for rows in decide_all(hub, "app.pulse", at=clock.now(), seed_of=lambda customer: 1):
        found |= {name: bool(position >= 0) for name, position in zip(rows.customers, rows.chosen[:, 0])}
    assert found == {name: bool(hub.decide(name, "app.pulse", peek=True).actions) for name in names}
    assert 15 <= sum(found.values()) <= 45


def test_answers_to_the_pulse_teach_nothing(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(view_page("maya"))
    clock.advance(2 * HOUR)
    decision = asked(hub, "maya")
    assert decision
    before = hub.brain.snapshot()
    assert hub.respond(decision, "pulse", "no")
    clock.advance(8 * DAY)
    hub.tick()
    assert hub.brain.snapshot() == before
    assert not [fact for _, fact in hub.ledger.read() if isinstance(fact, Labeled)]


def test_forgotten_customers_leave_their_counts_and_nothing_else(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(view_page("maya"))
    clock.advance(2 * HOUR)
    decision = asked(hub, "maya")
    assert decision
    hub.respond(decision, "pulse", "yes")
    hub.forget("maya")
    assert care.tally(questions(hub, 0, clock.now() + SECOND))[""]["hub"] == care.Answers(1, 1, 1)


# --- facts ---


def test_every_fact_has_its_source_and_its_age(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", plan="gold"), source="crm")
    clock.advance(DAY)
    hub.ingest([track("maya", "Complaint Opened"), track("maya", "Rating Given", stars=2)])
    clock.advance(2 * DAY)
    hub.ingest(track("maya", "Complaint Opened"))
    hub.ingest(track("maya", "Fact Given", fact="complaints_open", value=1, says="about the router"))
    facts = hub.profile("maya").facts
    plan, complaints, stars = facts["plan"], facts["complaints_90d"], facts["last_stars"]
    assert (plan.value, plan.kind, plan.event, plan.source) == ("gold", "trait", "identify", "crm")
    assert plan.at is not None
    assert plan.at.isoformat() == "2026-01-01T00:00:00+00:00"
    assert (complaints.value, complaints.event, complaints.evidence) == (2.0, "Complaint Opened", 2)
    assert complaints.at is not None
    assert complaints.at.isoformat() == "2026-01-03T23:00:00+00:00"
    assert (stars.value, stars.event) == (2.0, "Rating Given")
    assert stars.at is not None
    assert stars.at.isoformat() == "2026-01-02T00:00:00+00:00"
    told = facts["situation/open_complaint"]
    assert (told.value, told.kind, told.event, told.says) == (True, "situation", "Fact Given", "about the router")
    assert "birthday_month" not in facts
    assert "has_tv" not in facts


def test_a_correction_stands_against_what_a_system_goes_on_saying_and_yields_to_what_is_new(
    hub: Hub, clock: FakeClock
) -> None:
    def plan() -> Any:
        return hub.profile("maya").values["plan"]

    hub.ingest(identify("maya", plan="gold"))
    clock.advance(HOUR)
    corrected(hub, _view(hub, "maya"), "plan", "silver", says="I never had gold")
    assert plan() == "silver"
    fact = hub.profile("maya").facts["plan"]
    assert (fact.event, fact.source, fact.says) == ("Fact Corrected", "correction", "I never had gold")
    for _ in range(3):  # each night the same
        clock.advance(DAY)
        hub.ingest(identify("maya", plan="gold"))
        assert plan() == "silver"
    hub.ingest({**identify("maya", plan="bronze"), "timestamp": "2025-12-31T00:00:00Z"})  # older than the correction
    assert plan() == "silver"
    hub.ingest(identify("maya", plan="trial"))
    assert plan() == "trial"
    hub.ingest(identify("maya", plan="gold"))  # it has said something else since: gold is news
    assert plan() == "gold"


def test_what_is_removed_or_taken_back_is_unknown_and_no_condition_uses_it(hub: Hub, clock: FakeClock) -> None:
    hub.ingest([identify("maya", complaints_open=1, plan="gold")])
    assert hub.profile("maya").situations == ["open_complaint"]
    clock.advance(MINUTE)
    corrected(hub, _view(hub, "maya"), "complaints_open", None, remove=True)
    told = hub.profile("maya")
    assert (told.values["complaints_open"], told.situations, [*told.facts]) == (None, [], ["plan"])
    hub.ingest(identify("maya", complaints_open=1))
    assert hub.profile("maya").situations == []
    hub.ingest(track("maya", "Fact Taken Back", fact="plan"))
    assert hub.profile("maya").values["plan"] is None


def test_a_correction_holds_for_the_whole_person_and_ends_with_an_undone_join(hub: Hub, clock: FakeClock) -> None:
    known = {"plan": "gold", "complaints_open": 1}
    hub.ingest({"type": "identify", "anonymousId": "phone", "traits": known})
    clock.advance(HOUR)
    hub.ingest([track("maya", "Fact Corrected", name="plan", value="silver", was="gold"),
                track("maya", "Fact Corrected", name="complaints_open", value=0, was=1)])  # fmt: skip
    clock.advance(HOUR)
    hub.ingest({"type": "track", "anonymousId": "phone", "event": "x", "context": {"traits": known}})
    assert hub.profile("phone").situations == ["open_complaint"]
    hub.ingest({"type": "identify", "anonymousId": "phone", "traits": {"complaints_open": 1}})
    hub.ingest({"type": "identify", "userId": "maya", "anonymousId": "phone"})
    assert (hub.profile("maya").values["plan"], hub.profile("maya").situations) == ("silver", [])
    [node] = hub.profile("maya").nodes[1:]
    hub.unjoin(node)
    assert hub.profile(node).values["plan"] == "gold"


WORDS = st.tuples(
    st.integers(0, 1), st.sampled_from(["said", "Fact Given", "Fact Corrected", "Fact Taken Back"]),
    st.sampled_from(["gold", "silver", "trial"]), st.integers(0, 5),
)  # fmt: skip


@given(st.lists(WORDS, max_size=12))
def test_what_several_identities_said_merges_in_any_order_and_the_same_for_situations(words: list[Any]) -> None:
    spec = ProfileSpec.of(shop())
    states = [State(), State()]
    for seq, (node, event, value, at) in enumerate(words, 1):
        times: dict[str, Any] = {"message_id": str(seq), "at": at, "received_at": 5}
        if event == "said":
            fold(states[node], Event(type="identify", traits={"plan": value}, **times), seq, spec)
        else:
            said = {"name": "plan", "fact": "plan", "value": value}
            fold(states[node], Event(type="track", event=event, properties=said, **times), seq, spec)
    one, other = merge(states, spec), merge(states[::-1], spec)
    assert one.traits == other.traits == narrow(states, spec).traits
    assert one.choices == other.choices
    for state in states:
        assert len(state.choices.corrected if state.choices else ()) <= 1


def test_what_is_no_fact_is_set_aside_with_its_reason(hub: Hub) -> None:
    hub.ingest(identify("maya", plan="gold"))
    wrong = [
        track("maya", "Fact Given", fact="shoe_size", value=40),
        track("maya", "Fact Given", fact="birthday_month", value="June"),
        track("maya", "Fact Given", fact="birthday_month", value=7),  # none of the options
        track("maya", "Fact Corrected", name="has_tv", value=1),
        track("maya", "Fact Corrected", name="complaints_90d", value=0),
        track("maya", "Fact Corrected", name="plan", value="x" * 1001),
    ]
    assert hub.ingest(wrong).rejected == len(wrong)
    assert hub.profile("maya").values["plan"] == "gold"
    with pytest.raises(BadRequest, match="'has_tv', which is a bool"):
        corrected(hub, _view(hub, "maya"), "has_tv", "yes")


def test_facts_are_the_same_after_a_restart(tmp_path: Any, clock: FakeClock) -> None:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with Hub.of(shop(), url, clock) as hub:
        hub.ingest(identify("maya", plan="gold"))
        clock.advance(HOUR)
        corrected(hub, _view(hub, "maya"), "plan", "silver")
        before = hub.profile("maya")
    with Hub.of(shop(), url, clock) as hub:
        assert hub.profile("maya") == before
        clock.advance(HOUR)
        hub.ingest(identify("maya", plan="gold"))
        assert hub.profile("maya").values["plan"] == "silver"


# --- asking for one fact ---


def test_a_fact_is_asked_for_when_it_helps_and_never_while_it_is_known(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", plan="silver"))
    assert hub.decide("maya", "app.home", limit=5, peek=True).actions[0].action == "offer"
    hub.ingest(identify("maya", plan="gold"))
    answer = hub.decide("maya", "app.home", limit=5)
    ask = next(a for a in answer.actions if a.action == "ask_birthday_month")
    assert (ask.issue, ask.value) == ("care", 5.0)
    assert ask.content["buys"] == "a present in your month"
    assert ask.content["options"][2] == {"value": 6, "title": "6"}
    told = track("maya", "Fact Given", fact="birthday_month", value=6, decisionId=answer.decision_id)
    assert hub.ingest(told, source="app").taken == 1
    fact = hub.profile("maya").facts["birthday_month"]
    assert (fact.value, fact.event, fact.source) == (6.0, "Fact Given", "app")
    episode = hub.ledger.episodes(str(answer.decision_id)).of("ask_birthday_month")
    assert episode
    assert episode.outcomes.keys() == {"answered"}
    assert episode.label is True
    assert _actions(hub, "maya") == {"offer"}
    assert hub.replay(str(answer.decision_id))


def test_nobody_answers_for_another_customer(hub: Hub) -> None:
    hub.ingest([identify("maya", plan="gold"), identify("noor", plan="gold")])
    decision = hub.decide("maya", "app.home", limit=5).decision_id
    told = track("noor", "Fact Given", fact="birthday_month", value=6, decisionId=decision)
    assert hub.ingest(told).rejected == 1
    assert hub.profile("noor").values["birthday_month"] is None


def test_after_a_dismissal_nobody_asks_for_90_days(hub: Hub, clock: FakeClock) -> None:
    hub.ingest(identify("maya", plan="gold"))
    decision = str(hub.decide("maya", "app.home", limit=5).decision_id)
    hub.respond(decision, "ask_birthday_month", "dismiss")
    clock.advance(90 * DAY - MINUTE)
    assert _actions(hub, "maya") == {"offer"}
    clock.advance(MINUTE)
    assert _actions(hub, "maya") == {"offer", "ask_birthday_month"}


def test_what_was_taken_back_is_forgotten_by_decisions_and_not_asked_for_soon(hub: Hub, clock: FakeClock) -> None:
    hub.ingest([identify("maya", plan="gold"), track("maya", "Fact Given", fact="birthday_month", value=6)])
    clock.advance(DAY)
    hub.ingest(track("maya", "Fact Taken Back", fact="birthday_month"))
    assert hub.profile("maya").values["birthday_month"] is None
    clock.advance(90 * DAY - MINUTE)
    assert _actions(hub, "maya") == {"offer"}
    clock.advance(MINUTE)
    assert _actions(hub, "maya") == {"offer", "ask_birthday_month"}


def test_questions_for_facts_are_withheld_from_who_is_held_out(clock: FakeClock) -> None:
    hub = Hub.of(shop(model={"holdout_share": 1.0, "random_share": 0.0}), "memory:", clock)
    hub.ingest(identify("maya", plan="gold"))
    assert hub.decide("maya", "app.home", limit=5).actions == []


def _actions(hub: Hub, user: str) -> set[str]:
    return {a.action for a in hub.decide(user, "app.home", limit=5, peek=True).actions}


def _view(hub: Hub, user: str) -> Any:
    return hub.people.view(user)
