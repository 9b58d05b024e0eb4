"""Clicks, opens and what providers tell, through the door: events, answers, consent; and nothing from machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from opportune.clock import DAY, HOUR, SECOND, format_instant
from opportune.deliver.carriers.mime import message_id
from opportune.deliver.replies import Replies
from opportune.profiles.addresses import bounce_key
from page_house import House

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
PERSON = {"user-agent": CHROME, "accept-language": "de", "sec-fetch-mode": "navigate"}
SHOP = "https://acme.example/shop?a=1&b=ü#x"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def clicked(house: House, data: dict[str, str], url: str = SHOP, **more: Any) -> Any:
    return house.get(f"/c/{house.token({**data, 'u': url}, 'click')}", headers={**PERSON, **more})


def outcomes(house: House, data: dict[str, str]) -> set[str]:
    episode = house.hub.ledger.episodes(data["d"]).of(data["a"])
    assert episode
    return set(episode.outcomes)


def test_a_click_of_a_person_leads_on_and_is_an_answer(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    told = clicked(house, data)
    assert told.status_code == 302
    assert told.headers["location"] == "https://acme.example/shop?a=1&b=%C3%BC#x"
    assert told.headers["cache-control"].startswith("no-store")
    house.judged()
    (event,) = house.events(who)
    assert event.event == "Message Clicked"
    assert event.properties == {"decision": data["d"], "action": "more_data", "channel": "email", "url": SHOP,
                                "actor": "human"}  # fmt: skip
    assert outcomes(house, data) == {"click"}


def test_twice_within_moments_is_one_click(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    clicked(house, data)
    clicked(house, data)
    house.judged()
    assert len(house.events(who)) == 1


def test_a_scanner_follows_every_link_and_teaches_nothing(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    for number in range(3):
        assert clicked(house, data, f"https://acme.example/{number}").status_code == 302
    house.judged()
    assert [event.properties["actor"] for event in house.events(who)] == ["machine"] * 3
    assert outcomes(house, data) == set()


@pytest.mark.parametrize("more", [{"user-agent": "python-requests/2.32"}, {"user-agent": ""}, {"purpose": "prefetch"},
                                  {"accept-language": "de", "x-client-network": "hosting"}])  # fmt: skip
def test_what_is_no_person_teaches_nothing(house: House, more: dict[str, str]) -> None:
    who = house.customer()
    data = house.message(who)
    assert clicked(house, data, **more).status_code == 302
    house.judged()
    (event,) = house.events(who)
    assert event.properties["actor"] in ("machine", "unknown")
    assert outcomes(house, data) == set()


def test_a_click_before_anybody_can_have_read_it(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    house.clock.at -= 59_000_000  # a second after it left
    clicked(house, data)
    house.clock.at += 59_000_000
    house.judged()
    assert house.events(who)[0].properties["actor"] == "machine"


def test_nobody_is_sent_where_they_should_not_go(house: House) -> None:
    data = house.message(house.customer())
    for url in ("javascript:alert(1)", "data:text/html,x", "//evil.example", ""):
        assert clicked(house, data, url).status_code == 404
    token = house.token({**data, "u": SHOP}, "click")
    assert house.get(f"/c/{token[:-2]}xx?u=https://evil.example").status_code == 404
    assert house.get(f"/c/{house.token(data)}").status_code == 404, "a token for another purpose"
    assert house.get(f"/c/{house.token({**data, 'u': SHOP}, 'click', days=-1)}").status_code == 410
    told = clicked(house, data, "https://acme.example/\r\nSet-Cookie: a=b")
    assert "set-cookie" not in told.headers
    assert "\n" not in told.headers["location"]


def test_the_picture_of_an_open(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    told = house.get(f"/o/{house.token(data)}.gif", headers=PERSON)
    assert (told.status_code, told.headers["content-type"]) == (200, "image/gif")
    assert told.content.startswith(b"GIF89a")
    house.judged()
    assert [e.event for e in house.events(who)] == ["Message Opened"]
    assert outcomes(house, data) == set(), "an open is no answer"
    assert house.get("/o/nothing.gif").content == told.content, "a mail never shows a broken picture"


def test_a_flood_of_one_link_is_answered_and_not_counted(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    for number in range(200):
        assert clicked(house, data, f"https://acme.example/{number}").status_code == 302
    house.judged()
    assert 3 <= len(house.events(who)) <= 40
    assert {event.properties["actor"] for event in house.events(who)} == {"machine"}


def test_the_clicks_of_a_forgotten_customer_are_not_kept(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    house.hub.forget(who)
    assert clicked(house, data).status_code == 302
    house.judged()
    assert house.hub.people.resolve(who, None) is None


def fed(house: House, provider: str, body: Any, status: int = 200, key: str = "", **query: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    key = key or house.door.keys.new("server", house.clock.now())[0]
    told = house.post(f"/v1/feedback/{provider}", content=content, params={"key": key, **query})
    assert told.status_code == status, told.text
    return told.json()


def key_of(data: dict[str, str]) -> str:
    return f"{data['d']}:{data['a']}:{data['c']}"


def test_a_complaint_is_a_withdrawal_told_once(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    body = [{"event": "spamreport", "sg_event_id": "c1", "smtp-id": message_id(key_of(data), "acme.example")}]
    assert fed(house, "sendgrid", body) == {"taken": 1, "known": 0, "unknown": 0}
    assert fed(house, "sendgrid", body) == {"taken": 0, "known": 1, "unknown": 0}
    assert house.consents(who) == {"marketing/email": "withdrawn"}
    assert house.hub.outbox.counts()["", "email"]["complained"] == 1


def test_bounces_count_where_the_address_is_bad(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    before = house.hub.outbox.counts().get(("", "email"), {}).get("returned", 0)
    fed(house, "generic", {"event": "bounced", "kind": "soft", "key": key_of(data), "id": "1"})
    fed(house, "generic", {"event": "bounced", "kind": "hard", "key": key_of(data), "id": "2"})
    assert [(e.event, e.properties["kind"]) for e in house.events(who)] == [
        ("Message Bounced", "soft"), ("Message Bounced", "hard")]  # fmt: skip
    assert house.hub.outbox.counts()["", "email"]["returned"] == before + 1


def test_an_unsubscription_at_the_provider(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    fed(house, "postmark", {"RecordType": "SubscriptionChange", "SuppressSending": True, "Origin": "Recipient",
                            "MessageID": "m", "Metadata": {"opportune_key": key_of(data)}})  # fmt: skip
    assert house.consents(who) == {"marketing/email": "withdrawn"}
    assert house.events(who)[-1].source == "postmark"


def test_clicks_at_a_provider_are_judged_too(house: House) -> None:
    data = house.message(house.customer())
    said = {"event": "clicked", "key": key_of(data), "url": SHOP, "agent": CHROME}
    fed(house, "generic", {**said, "machine": True, "id": "a"})
    assert outcomes(house, data) == set()
    fed(house, "generic", {**said, "machine": False, "id": "b"})
    assert outcomes(house, data) == {"click"}


def test_what_is_not_ours_is_no_error(house: House) -> None:
    who = house.customer()
    data = house.message(who)
    unknown = [
        {"event": "bounced", "key": "01NOTHING:more_data:email"},
        {"event": "bounced", "messageId": "<x@other.example>"},
        {"event": "bounced", "key": f"{data['d']}:other:email"},
        {"event": "bounced", "key": f"{data['d']}:more_data:sms"},
    ]
    assert fed(house, "generic", unknown) == {"taken": 0, "known": 0, "unknown": 4}
    house.hub.forget(who)
    assert fed(house, "generic", {"event": "bounced", "key": key_of(data)})["unknown"] == 1
    assert "opportune_feedback_total" in house.get("/metrics").text


def test_who_may_tell(house: House) -> None:
    write = house.door.keys.new("write", house.clock.now())[0]
    body = {"event": "delivered", "key": "a:b:c"}
    fed(house, "generic", body, 401, "ops_wrong")
    fed(house, "generic", body, 403, write)
    assert house.post("/v1/feedback/generic", content=b"{}").status_code == 401
    fed(house, "nobody", body, 404)
    fed(house, "generic", b"not json", 400)
    admin = {"Authorization": f"Bearer {house.secret}"}
    told = house.post("/v1/feedback/generic", content=json.dumps(body), headers=admin)
    assert told.status_code == 200


def test_stop_help_and_start_by_sms() -> None:
    house = House(channels=[{"name": "sms", "push": True, "form": "sms"}, {"name": "email", "push": True},
                            {"name": "app", "push": False}, {"name": "ads", "push": True}])  # fmt: skip
    try:
        who = house.customer()
        view = house.hub.people.resolve(who, None)
        assert view
        with house.hub.group():
            Replies(house.hub.store).remember("sms", "+49 151 123-456 78", view.subject)

        def said(text: str, sid: str, sender: str = "%2B4915112345678") -> Any:
            return fed(house, "twilio", f"MessageSid={sid}&From={sender}&Body={text}".encode())

        assert said("Stop", "1")["taken"] == 1
        assert house.consents(who)["all/sms"] == "withdrawn"
        said("HELP", "2")
        assert house.events(who)[-1].event == "Help Asked"
        house.clock.advance(1_000_000)
        said("START", "3")
        assert house.consents(who)["all/sms"] == "granted"
        said("Is that so?", "4")
        assert house.events(who)[-1].properties["text"] == "Is that so?"
        count = len(house.events(who))
        said("Stop", "1")
        assert len(house.events(who)) == count, "told again"
        assert house.consents(who)["all/sms"] == "granted"
        assert said("Stop", "5", "%2B4917099999999")["unknown"] == 1
        with house.hub.group():
            Replies(house.hub.store).forget([view.subject])
        assert said("Stop", "6")["unknown"] == 1
        assert not list(house.hub.store.table("replies").scan())
    finally:
        house.close()


SMS = [{"name": "sms", "push": True, "form": "sms"}, {"name": "email", "push": True}, {"name": "app", "push": False},
       {"name": "ads", "push": True}]  # fmt: skip


def wrote(house: House, address: str, **traits: Any) -> str:
    """Return a customer to whom a message was sent at a number."""
    who = house.customer(**traits)
    view = house.hub.people.resolve(who, None)
    assert view
    with house.hub.group():
        Replies(house.hub.store).remember("sms", address, view.subject)
    return who


def said(house: House, text: str, sender: str, **more: Any) -> Any:
    return fed(house, "generic", {"event": "replied", "address": sender, "text": text, "id": f"{text}{sender}", **more})


def test_a_reply_is_about_the_number_it_came_from_and_no_other() -> None:
    house = House(channels=SMS, holidays={"country": "DE"})
    try:
        berlin, new_york = wrote(house, "0151 123-456 78"), wrote(house, "+1 (212) 555-1234")
        chicago, vienna = wrote(house, "+13125551234"), wrote(house, "0151 12345678", country="AT")
        plain, other = wrote(house, "4917612345678"), wrote(house, "0176 12345678", country="DE")
        said(house, "STOP", "+12125551234")
        said(house, "STOP", "+4915112345678")
        said(house, "STOP", "+4917612345678")
        said(house, "STOP", "+15112345678")
        stopped = [house.consents(who).get("all/sms") for who in (new_york, chicago, vienna, plain, other)]
        assert stopped == ["withdrawn", None, None, "withdrawn", "withdrawn"]
        assert house.consents(berlin)["all/sms"] == "withdrawn"
    finally:
        house.close()


def test_a_start_counts_only_for_whose_number_it_surely_is() -> None:
    house = House(channels=SMS)
    try:
        who = wrote(house, "0151 12345678")
        assert said(house, "START", "+4915112345678")["unknown"] == 1
        assert said(house, "STOP", "+4915112345678")["taken"] == 1
        assert house.consents(who)["all/sms"] == "withdrawn"
    finally:
        house.close()


def test_a_start_that_comes_late_lifts_no_stop() -> None:
    house = House(channels=SMS)
    try:
        who, early = wrote(house, "+4915112345678"), format_instant(house.clock.now() + SECOND)
        house.clock.advance(HOUR)
        said(house, "STOP", "+4915112345678", at="2020-01-01T00:00:00Z")
        house.clock.advance(HOUR)
        said(house, "START", "+4915112345678", at=early)
        assert house.consents(who)["all/sms"] == "withdrawn"
    finally:
        house.close()


@pytest.mark.parametrize(("event", "at"), [("complained", "2024-01-01T00:00:00Z"), ("unsubscribed", 1_000_000_000)])
def test_an_early_date_makes_no_withdrawal_void(house: House, event: str, at: Any) -> None:
    who = house.customer()
    data = house.message(who)
    fed(house, "generic", {"event": event, "key": key_of(data), "at": at})
    assert house.consents(who) == {"marketing/email": "withdrawn"}
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []


@pytest.mark.parametrize("at", [1e12, 253402300800, -1e18, 1e300, "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize("event", ["delivered", "opened", "unsubscribed", "bounced", "clicked"])
def test_no_time_is_an_error(house: House, event: str, at: Any) -> None:
    data = house.message(house.customer())
    told = {"event": event, "key": key_of(data), "at": at, "agent": CHROME, "url": SHOP}
    assert fed(house, "generic", [told])["taken"] == 1


def test_a_bad_item_is_counted_and_the_rest_is_taken(house: House) -> None:
    who = house.customer()
    key = key_of(house.message(who))
    body = [{"event": "spamreport", "opportune_key": key}, {"event": "delivered", "unique_args": [7]},
            {"event": "open", "opportune_key": "\ud800:a:b"}]  # fmt: skip
    assert fed(house, "sendgrid", body) == {"taken": 1, "known": 0, "unknown": 2}
    assert house.consents(who) == {"marketing/email": "withdrawn"}


def test_a_message_counts_once_however_often_it_is_told(house: House) -> None:
    data = house.message(house.customer())
    before = dict(house.hub.outbox.counts()["", "email"])
    for provider in ("generic", "mailgun"):
        for number in range(3):
            told = {"event": "complained", "key": key_of(data), "user-variables": {"opportune_key": key_of(data)}}
            fed(house, provider, {**told, "id": f"x{number}"})
    for number in range(3):
        fed(house, "generic", {"event": "bounced", "key": key_of(data), "id": f"x{number}"})
    after = house.hub.outbox.counts()["", "email"]
    grown = {name: after[name] - before.get(name, 0) for name in ("complained", "returned")}
    assert grown == {"complained": 1, "returned": 1}


def test_a_late_bounce_is_of_the_address_it_went_to(house: House) -> None:
    who = house.customer(email="old@example.com")
    data = house.message(who)
    told = {"event": "bounced", "key": key_of(data), "address": "Forwarded@example.com"}
    fed(house, "generic", {**told, "id": "1"})
    assert "addressKey" not in house.events(who)[-1].properties, "forwarded: it went to the one that is known"
    house.clock.advance(SECOND)
    house.hub.ingest({"type": "identify", "userId": who, "traits": {"email": "new@example.com"}})
    house.clock.advance(SECOND)
    fed(house, "generic", {**told, "id": "2", "address": "Old@example.com"})
    assert house.events(who)[-1].properties["addressKey"] == bounce_key("email", "old@example.com")


def test_what_a_visitor_refused_stays_theirs(house: House) -> None:
    """The join with somebody else is undone, and the withdrawal is still there."""
    for number, how in enumerate(("one-click", "provider", "page")):
        visitor = f"visitor-{how}"
        granted = {"purpose": "marketing", "channel": "email", "status": "granted"}
        house.hub.ingest([
            {"type": "identify", "anonymousId": visitor, "traits": {"plan": "gold", "lines": 2}},
            {"type": "track", "anonymousId": visitor, "event": "Consent Updated", "properties": granted},
        ])  # fmt: skip
        house.clock.advance(DAY)
        made = house.hub.decide(None, "email.weekly", anonymous=visitor)
        view = house.hub.people.resolve(None, visitor)
        assert view
        data = {"s": view.subject, "d": str(made.decision_id), "a": "more_data", "c": "email"}
        house.hub.ingest({"type": "identify", "userId": f"joined-{number}", "anonymousId": visitor})
        house.clock.advance(SECOND)
        if how == "one-click":
            house.post(f"/u/{house.token(data)}", {"List-Unsubscribe": "One-Click"})
        elif how == "page":
            house.post(f"/preferences/{house.token(data)}", {"do": "choices", "way-app": "on"})
        else:
            fed(house, "generic", {"event": "unsubscribed", "key": key_of(data)})
        assert house.consents(f"joined-{number}")["marketing/email"] == "withdrawn"
        house.clock.advance(SECOND)
        house.hub.unjoin(view.subject)
        assert house.consents(view.subject)["marketing/email"] == "withdrawn"


def test_a_link_to_what_is_no_address_leads_nowhere(house: House) -> None:
    data = house.message(house.customer())
    assert clicked(house, data, "https://[::1").status_code == 404
