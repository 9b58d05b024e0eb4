"""Clicks, opens and what providers tell, through the door: events, answers, consent; and nothing from machines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from opportune.deliver.carriers.mime import message_id
from opportune.deliver.replies import Replies
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
    began = time.perf_counter()
    for number in range(200):
        assert clicked(house, data, f"https://acme.example/{number}").status_code == 302
    assert time.perf_counter() - began < 5
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
    before = house.hub.outbox.counts().get(("", "email"), {}).get("bounced", 0)
    fed(house, "generic", {"event": "bounced", "kind": "soft", "key": key_of(data), "id": "1"})
    fed(house, "generic", {"event": "bounced", "kind": "hard", "key": key_of(data), "id": "2"})
    assert [(e.event, e.properties["kind"]) for e in house.events(who)] == [
        ("Message Bounced", "soft"), ("Message Bounced", "hard")]  # fmt: skip
    assert house.hub.outbox.counts()["", "email"]["bounced"] == before + 1


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
