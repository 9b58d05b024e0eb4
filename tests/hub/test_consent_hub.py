"""Consent in decisions of a hub: topics, pauses, frequency, addresses; seen at once, expiring by time, replayed."""

from __future__ import annotations

from typing import Any

import msgspec

from opportune.clock import DAY, HOUR, format_instant
from opportune.hub import Hub
from opportune.ledger.record import Record, decode, encode
from opportune.ledger.reserve import reserve
from opportune.profiles.consent_records import records
from opportune.testing import FakeClock, tiny_action, tiny_catalog

NUMBER = iter(range(10**9))


def mail(name: str, **more: Any) -> dict[str, Any]:
    forms = [
        {"name": channel, "channel": channel, "placements": ["*"], "content": {"title": name}}
        for channel in ("email", "app", "sms", "ads")
    ]
    return tiny_action(name, treatments=forms, **more)


CATALOG: dict[str, Any] = {
    "placements": [
        {"name": f"{channel}.home", "channel": channel, "price": 0} for channel in ("app", "email", "sms", "ads")
    ],
    "topics": [{"name": "news"}, {"name": "offers"}],
    "actions": [
        mail("letter", topic="news", value=30), mail("sale", topic="offers", value=20), mail("hello", value=10),
        mail("bill", kind="service", benefit="", value=1),
    ],
}  # fmt: skip


def shop(clock: FakeClock | None = None, **more: Any) -> Hub:
    return Hub.of(tiny_catalog(**{**CATALOG, **more}), "memory:", clock or FakeClock())


def track(hub: Hub, event: str, user: str = "maya", context: Any = None, **properties: Any) -> None:
    said = {"type": "track", "userId": user, "event": event, "properties": properties, "context": context or {}}
    taken = hub.ingest({**said, "messageId": f"m{next(NUMBER)}"})
    assert taken.rejected == 0


def granted(hub: Hub, *channels: str, **more: Any) -> None:
    for channel in channels:
        track(hub, "Consent Updated", channel=channel, status="granted", **more)


def would(hub: Hub, placement: str = "email.home", limit: int = 9) -> set[str]:
    return {offer.action for offer in hub.decide("maya", placement, limit=limit, peek=True).actions}


def why(hub: Hub, action: str, placement: str = "email.home") -> str:
    answer = hub.decide("maya", placement, peek=True, explain=True, limit=9)
    assert answer.explanation is not None
    return next(f"{lost.stage}: {lost.reason}" for lost in answer.explanation.lost if lost.action == action)


def test_a_topic_that_was_refused_stops_its_actions_and_no_other() -> None:
    clock = FakeClock()
    hub = shop(clock)
    granted(hub, "email")
    assert would(hub) == {"letter", "sale", "hello", "bill"}
    track(hub, "Consent Updated", topic="news", status="withdrawn")
    assert would(hub) == {"sale", "hello", "bill"}
    assert why(hub, "letter").startswith("consent: marketing about news in all channels was withdrawn on ")
    assert would(hub, "app.home") == {"sale", "hello", "bill"}
    granted(hub, "email")
    assert "letter" not in would(hub), "the channel alone does not bring it back"
    clock.advance(HOUR)  # of a refusal and a grant at one instant the refusal counts
    track(hub, "Consent Updated", topic="news", status="granted")
    assert would(hub) == {"letter", "sale", "hello", "bill"}


def test_a_topic_of_a_channel_opens_nothing_else() -> None:
    hub = shop()
    assert would(hub) == {"bill"}
    track(hub, "Consent Updated", channel="email", topic="news", status="granted")
    assert would(hub) == {"letter", "bill"}
    assert why(hub, "sale") == "consent: no grant for marketing by email"
    assert would(hub, "sms.home") == {"bill"}


def test_decisions_with_topics_are_replayed_to_the_bit() -> None:
    hub = shop()
    granted(hub, "email")
    track(hub, "Consent Updated", topic="news", status="withdrawn")
    answer = hub.decide("maya", "email.home")
    assert answer.actions[0].action == "sale"
    made = str(answer.decision_id)
    track(hub, "Consent Updated", topic="news", status="granted")
    assert hub.replay(made)
    assert "news" in hub.why(made, "letter").reason
    _, kept = hub.ledger.decision(made)
    assert set(kept.topics["email"]) == {"news"}
    assert kept.topics["email"]["news"][1] is None
    old = msgspec.msgpack.decode(encode(kept))[: Record.__struct_fields__.index("topics")]
    assert decode(msgspec.msgpack.encode(old)).topics == {}, "records without topics are still read"


def test_a_pause_ends_by_itself_in_the_very_next_decision() -> None:
    clock = FakeClock()
    hub = shop(clock)
    granted(hub, "email")
    track(hub, "Contact Paused", **{"for": "2d"})
    until = format_instant(clock.now() + 2 * DAY)[:10]
    assert would(hub) == would(hub, "app.home") == {"bill"}
    assert why(hub, "sale") == f"consent: paused by the customer until {until}"
    hub.decide("maya", "app.home")  # a reservation makes nothing last longer
    clock.advance(2 * DAY - HOUR)
    assert would(hub) == {"bill"}
    clock.advance(HOUR + 1)
    assert would(hub) == {"letter", "sale", "hello", "bill"}
    track(hub, "Contact Paused", channel="email")
    assert would(hub) == {"bill"}
    assert would(hub, "app.home") == {"letter", "sale", "hello", "bill"}
    clock.advance(HOUR)  # of a pause and a resumption at one instant the pause counts
    track(hub, "Contact Resumed")
    assert would(hub) == {"letter", "sale", "hello", "bill"}


def test_times_beyond_every_calendar_break_nothing() -> None:
    hub = shop(traits=[{"name": "plan", "type": "text"}, {"name": "born", "type": "time"}])
    granted(hub, "email", until="9999-12-31T23:59:59-14:00")
    track(hub, "Contact Paused", channel="email", **{"for": "3000000d"})
    track(hub, "Contact Paused", channel="app", until="9999-12-31T23:59:59Z")
    born = {"born": "0001-01-01T00:00:00+14:00", "time_zone": "Pacific/Kiritimati"}
    hub.ingest({"type": "identify", "userId": "maya", "traits": born, "messageId": "i"})
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", -(10**11) + 1):
        late = {"type": "track", "userId": "maya", "event": "Consent Updated", "timestamp": at,
                "properties": {"channel": "app", "status": "withdrawn"}, "messageId": f"late{at}"}  # fmt: skip
        assert hub.ingest(late).rejected == 1
        assert [letter.reason for _, letter in hub.dead_letters.letters()][-1] == "bad_time"
    assert why(hub, "sale") == why(hub, "sale", "app.home") == "consent: paused by the customer"
    assert hub.profile("maya").choices["pause/email"] == f"since {format_instant(hub.clock.now())}"


def test_a_grant_ends_at_its_end_and_when_the_catalog_says() -> None:
    clock = FakeClock()
    hub = shop(clock, consent={"expires": "30d"})
    granted(hub, "sms")
    granted(hub, "email", until=format_instant(clock.now() + DAY))
    assert "sale" in would(hub)
    clock.advance(DAY)
    assert would(hub) == {"bill"}
    assert "has expired" in why(hub, "sale")
    assert hub.profile("maya").consents == {"marketing/email": "expired", "marketing/sms": "granted"}
    clock.advance(29 * DAY - HOUR)
    assert "sale" in would(hub, "sms.home")
    clock.advance(2 * HOUR)
    assert would(hub, "sms.home") == {"bill"}


def test_double_opt_in_waits_for_its_confirmation() -> None:
    hub = shop(consent={"double_opt_in": ["email"]})
    granted(hub, "email", "sms", method="form")
    assert would(hub) == {"bill"}
    assert "waits for its confirmation" in why(hub, "sale")
    assert "sale" in would(hub, "sms.home")
    assert hub.profile("maya").consents["marketing/email"] == "requested"
    granted(hub, "email", method="double_opt_in")
    assert "sale" in would(hub)


def test_turning_double_opt_in_on_later_can_spare_earlier_grants() -> None:
    clock = FakeClock()
    hub = shop(clock)
    granted(hub, "email")
    clock.advance(DAY)
    data = {**CATALOG, "consent": {"double_opt_in": ["email"], "since": format_instant(clock.now())}}
    hub.publish(tiny_catalog(**data))
    assert "sale" in would(hub)
    hub.publish(tiny_catalog(**{**CATALOG, "consent": {"double_opt_in": ["email"]}}))
    assert would(hub) == {"bill"}


def test_a_preferred_channel_stops_the_other_ones_that_push() -> None:
    hub = shop()
    granted(hub, "email", "sms")
    hub.ingest({"type": "identify", "userId": "maya", "traits": {"preferred_channel": "sms"}, "messageId": "p"})
    assert would(hub) == {"bill"}
    assert "the customer prefers sms to email" in why(hub, "sale")
    assert "sale" in would(hub, "sms.home")
    assert "sale" in would(hub, "app.home")
    track(hub, "Channel Preferred", channel="sms", only=False)
    assert "sale" in would(hub)


def test_privacy_control_of_the_browser_stops_ads() -> None:
    hub = shop()
    granted(hub, "all")
    assert would(hub, "ads.home") == {"bill"}, "consent to marketing is none to ads"
    granted(hub, "ads")
    assert "sale" in would(hub, "ads.home")
    track(hub, "Page Read", context={"gpc": True})
    assert would(hub, "ads.home") == {"bill"}
    assert "use for ads in all channels was refused" in why(hub, "sale", "ads.home")
    assert "sale" in would(hub)


def test_the_customer_chooses_how_often() -> None:
    clock = FakeClock()
    hub = shop(clock)
    granted(hub, "email", "sms")
    track(hub, "Frequency Chosen", channel="email", at_most=1, **{"in": "7d"})
    made = str(hub.decide("maya", "email.home").decision_id)
    assert would(hub) == {"bill"}
    assert why(hub, "sale") == "contact: 1 of 1 e-mails in 7 days, 1 of them reserved"
    assert "sale" in would(hub, "sms.home")
    hub.respond(made, "letter", "delivered")
    clock.advance(7 * DAY - HOUR)
    assert would(hub) == {"bill"}
    clock.advance(HOUR)
    assert "sale" in would(hub)
    assert hub.replay(made)
    track(hub, "Frequency Chosen", at_most=0, **{"in": "7d"})
    assert would(hub) == would(hub, "app.home") == {"bill"}
    track(hub, "Frequency Chosen", at_most=None)
    assert "sale" in would(hub, "app.home")


def test_two_at_once_find_room_for_one() -> None:
    hub = shop()
    granted(hub, "email")
    track(hub, "Frequency Chosen", channel="email", at_most=1, **{"in": "7d"})
    view, now, email = hub.people.view("maya"), hub.clock.now(), hub.plan.channels["email"]
    assert view is not None
    wanted = [(hub.plan.action(name), email) for name in ("letter", "sale")]
    terms = hub.snapshots.terms(view, now)
    full = reserve(hub.ledger, hub.plan.contact, view.nodes, "d", wanted, [], now, terms)
    assert full is not None
    assert (full[0], full[1].rule) == (1, "chosen by the customer")
    assert not hub.ledger.relationship(view.subject).contacts.holds


VIA = {"channels": [{"name": "email", "via": "smtp", "options": {"host": "localhost"}}]}


def lookable(hub: Hub, action: str, decision_id: str | None = None) -> Any:
    view = hub.people.view("maya")
    assert view is not None
    known, email = hub.plan.action(action), hub.plan.channels["email"]
    return hub.snapshots.why_not(view, known, email, hub.clock.now(), decision_id)


def test_why_not_is_what_a_message_is_asked_when_it_leaves() -> None:
    clock = FakeClock()
    night = {"name": "night", "on": "channel/email", "quiet": "21:00-08:00"}
    hub = shop(clock, contact=[{"name": "once", "on": "all", "at_most": 1, "in": "7d"}, night])
    granted(hub, "email")
    while hub.snapshots.why_not(hub.people.view("maya"), *_sale(hub), hub.clock.now()):  # type: ignore[arg-type]
        clock.advance(HOUR)
    made = str(hub.decide("maya", "email.home").decision_id)
    assert lookable(hub, "letter", made) is None, "its own room is its own"
    assert lookable(hub, "sale").rule == "once"
    track(hub, "Contact Paused", **{"for": "3d"})
    paused = lookable(hub, "letter", made)
    assert (paused.rule, paused.until) == ("consent", clock.now() + 3 * DAY)
    assert lookable(hub, "bill") is None
    track(hub, "Contact Resumed")
    track(hub, "Consent Updated", topic="news", status="no")
    assert (lookable(hub, "letter", made).rule, lookable(hub, "letter", made).until) == ("consent", None)


def _sale(hub: Hub) -> tuple[Any, Any]:
    return hub.plan.action("sale"), hub.plan.channels["email"]


def test_who_has_no_address_is_not_written_to() -> None:
    hub = shop(**VIA)
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "i1", "traits": {"plan": "gold"}})
    granted(hub, "email")
    assert would(hub) == set()
    assert lookable(hub, "hello").sentence == lookable(hub, "bill").sentence == "no e-mail address is known"
    assert hub.profile("maya").choices == {"unreachable/email": "no e-mail address is known"}
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "i2", "traits": {"email": "maya@example.com"}})
    assert lookable(hub, "hello") is None
    track(hub, "Message Bounced", channel="email", kind="hard")
    assert lookable(hub, "hello").rule == "address"
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "i3", "traits": {"email": "maya@new.example"}})
    assert lookable(hub, "hello") is None
    track(hub, "Message Complained", channel="email")
    assert "withdrawn" in lookable(hub, "hello").sentence


def test_holidays_and_zones_are_the_customers() -> None:
    clock = FakeClock()
    rules = [{"name": "night", "on": "all", "quiet": "22:00-07:00", "holidays": True}]
    hub = shop(clock, contact=rules, holidays={"country": "DE"})
    clock.advance((1_798_192_800 * 1_000_000) - clock.now())  # 2026-12-25 10:00 UTC
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "z1", "traits": {"plan": "gold"}})
    assert would(hub, "app.home") == set()
    assert "Christmas Day" in why(hub, "sale", "app.home")
    hub.ingest({"type": "identify", "userId": "maya", "messageId": "z2", "traits": {"country": "JP"}})
    assert "letter" in would(hub, "app.home"), "19:00 in Tokyo, and no holiday"
    clock.advance(3 * HOUR)
    assert "it is 22:00 for the customer" in why(hub, "sale", "app.home")
    view = hub.people.view("maya")
    assert view is not None
    assert hub.snapshots.zone(view, clock.now()) == "Asia/Tokyo"


def test_everything_is_visible_in_the_profile() -> None:
    hub = shop()
    granted(hub, "email")
    track(hub, "Consent Updated", topic="news", status="no")
    track(hub, "Contact Paused", channel="email", until="2099-01-01")
    track(hub, "Frequency Chosen", channel="email", at_most=2, **{"in": "7d"})
    track(hub, "Channel Preferred", channel="email")
    found = hub.profile("maya")
    assert found.consents == {"marketing/email": "granted", "marketing/all/news": "refused"}
    now = format_instant(hub.clock.now())
    assert found.choices == {
        "pause/email": f"since {now} until 2099-01-01T00:00:00Z",
        "frequency/email": "2 in 7d",
        "preferred_channel": "email only",
    }


def test_records_come_from_the_log_of_a_hub() -> None:
    hub = shop()
    granted(hub, "email", wording="1")
    track(hub, "Consent Updated", topic="news", status="no")
    view = hub.people.view("maya")
    assert view is not None
    numbered = [(seq, hub.event(f"event {seq}")) for node in view.nodes for seq, _, _ in hub.events.read(0, node)]
    found = records(numbered, view.subject, hub.plan.catalog.consent, hub.clock.now())
    assert [(r.channel, r.topic, r.status) for r in found] == [("all", "news", "refused"), ("email", None, "granted")]


def test_what_nobody_understands_is_set_aside() -> None:
    hub = shop()
    for name, said, reason in (
        ("Consent Updated", {"consents": [{"status": "granted"}, {"status": "perhaps"}]}, "bad_consent"),
        ("Frequency Chosen", {"at_most": "two"}, "bad_frequency"),
    ):
        event = {"type": "track", "userId": "maya", "event": name, "properties": said, "messageId": name}
        assert hub.ingest(event).rejected == 1
        assert [letter.reason for _, letter in hub.dead_letters.letters()][-1] == reason


def test_a_grant_that_names_no_channel_is_set_aside_and_a_refusal_is_about_all_of_them() -> None:
    hub = shop()
    vague = {"type": "track", "userId": "maya", "event": "Consent Updated", "properties": {"status": "granted"}}
    assert hub.ingest(vague).rejected == 1
    assert [letter.message for _, letter in hub.dead_letters.letters()][-1].endswith("names its channel, or `all`")
    track(hub, "Consent Updated", status="withdrawn")
    assert hub.profile("maya").consents["marketing/all"] == "withdrawn"
