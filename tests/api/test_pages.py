"""The customer's pages: what a link may do and may not, what each change becomes, and that nothing gets in or out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape, unescape
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.api.links import links_of
from opportune.api.pages.address import mark, mark_now
from opportune.api.pages.confirm import requested_url
from opportune.api.pages.form import fields
from opportune.api.pages.language import chosen, languages, words
from opportune.api.pages.markup import Html, tag
from opportune.api.problems import Refused
from opportune.catalog.types import ActionKind
from opportune.clock import DAY, HOUR, parse_instant
from opportune.deliver.outbox import Row
from opportune.deliver.types import Job, Send
from opportune.errors import BadInput
from opportune.profiles.addresses import bounce_key
from opportune.profiles.consent import why_not
from opportune.services.outgoing import Leaving
from opportune.settings import read
from page_house import CATALOG, House

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def reader(house: House, **traits: Any) -> tuple[str, dict[str, str], str]:
    """Return a customer, the data of a message that they got, and the token in it."""
    who = house.customer(**traits)
    data = house.message(who)
    return who, data, house.token(data)


# One click


@pytest.mark.parametrize("how", ["urlencoded", "multipart"])
def test_one_click(house: House, how: str) -> None:
    who, _, token = reader(house)
    body: Any = {"data": ONE_CLICK} if how == "urlencoded" else {"files": {"List-Unsubscribe": (None, "One-Click")}}
    told = house.call("POST", f"/u/{token}", headers={"Origin": "https://evil.example", "Cookie": "a=b"}, **body)
    assert told.status_code == 200
    assert "set-cookie" not in told.headers
    assert house.consents(who) == {"marketing/email": "withdrawn"}
    (event,) = house.events(who)
    assert event.event == "Consent Updated"
    said = event.properties
    assert {name: said[name] for name in ("purpose", "channel", "status", "source", "method", "wording")} == {
        "purpose": "marketing", "channel": "email", "status": "withdrawn", "source": "one-click", "method": "one-click",
        "wording": "unsubscribe-page/1",
    }  # fmt: skip
    assert house.call("POST", f"/u/{token}", **body).status_code == 200
    assert len(house.events(who)) == 1, "a second click says nothing new"
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []


def test_who_came_back_can_leave_again_by_the_same_link(house: House) -> None:
    who, _, token = reader(house)
    for expected in ("withdrawn", "granted", "withdrawn"):
        if expected == "granted":
            house.post(f"/preferences/{token}", {"do": "choices", "way-email": "on", "topic-offers": "on"})
        else:
            house.post(f"/u/{token}", ONE_CLICK)
        house.clock.advance(1_000_000)
        assert house.consents(who)["marketing/email"] == expected


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_to_look_changes_nothing(house: House, method: str) -> None:
    who, _, token = reader(house)
    for path in (f"/u/{token}?List-Unsubscribe=One-Click", f"/preferences/{token}?do=forget-now&sure=yes"):
        assert house.call(method, path).status_code in (200, 204)
    assert house.events(who) == []
    assert house.consents(who) == {"marketing/email": "granted"}


@pytest.mark.parametrize("body", [{}, {"stop": "everything"}, {"List-Unsubscribe": "Perhaps"}, {"do": "x"}])
def test_a_form_that_says_nothing_changes_nothing(house: House, body: dict[str, str]) -> None:
    who, _, token = reader(house)
    assert house.post(f"/u/{token}", body).status_code == 400
    assert house.consents(who) == {"marketing/email": "granted"}


def test_the_page_stops_a_channel_or_a_topic(house: House) -> None:
    who, _, token = reader(house)
    page = house.get(f"/u/{token}").text
    assert "Offers &lt;b&gt;" in page
    assert house.post(f"/u/{token}", {"stop": "topic"}).status_code == 200
    assert house.consents(who) == {"marketing/email": "granted", "marketing/all/offers": "withdrawn"}
    assert "E-mail" in house.post(f"/u/{token}", {"stop": "channel"}).text
    assert house.consents(who)["marketing/email"] == "withdrawn"


def test_links_that_are_bad_old_or_of_somebody_forgotten(house: House) -> None:
    who, data, token = reader(house)
    paths = ("/u/{}", "/preferences/{}")
    for bad in (token[:-1], token + "A", "x", house.token(data, "user"), house.token({**data, "u": "x"}, "click")):
        for path in paths:
            for told in (house.get(path.format(bad)), house.post(path.format(bad), ONE_CLICK)):
                assert told.status_code == 404
                assert "hello@acme.example" in told.text, "they can still write"
                assert told.headers["content-type"] == "text/html; charset=utf-8"
                assert who not in told.text
    old = house.token(data, days=-1)
    assert house.post(f"/u/{old}", ONE_CLICK).status_code == 410
    assert "too old" in house.get(f"/u/{old}").text
    house.hub.forget(who)
    for path in paths:
        for told in (house.get(path.format(token)), house.post(path.format(token), ONE_CLICK)):
            assert told.status_code == 410
            assert "know nothing about you" in told.text
    assert house.hub.people.resolve(who, None) is None


# The page


class Checked(HTMLParser):
    """What is in a page: labels, fields, forms, and whatever would load or run something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name in names]


def test_the_page_loads_and_runs_nothing(house: House) -> None:
    _, _, token = reader(house, first_name="<script>alert(1)</script>", plan="\"'><img src=x onerror=alert(1)>")
    told = house.get(f"/preferences/{token}?done=%3Cscript%3E&language=%22%3E%3Cscript%3E")
    page = Checked(told.text)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "svg", "video", "audio", "base"}
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on") or a == "style"]
    policy = told.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert told.headers["referrer-policy"] == "no-referrer"
    assert told.headers["cache-control"].startswith("no-store")
    assert told.headers["x-robots-tag"].startswith("noindex")
    assert "set-cookie" not in told.headers
    assert "&lt;img src=x" in told.text
    for attributes in page.of("a", "form"):
        assert not re.match("(?i)javascript|data", attributes.get("href") or attributes.get("action") or "")


def test_every_field_has_a_name_and_a_label(house: House) -> None:
    who, _, token = reader(house)
    house.hub.ingest({"type": "track", "userId": who, "event": "Complaint"})
    for code in languages():
        text = house.get(f"/preferences/{token}?language={code}").text
        house.clock.advance(DAY // 24)
        page = Checked(text)
        (html,) = page.of("html")
        assert (html["lang"], html["dir"]) == (code, "rtl" if code == "ar" else "ltr")
        labeled = {attributes.get("for") for attributes in page.of("label")}
        for attributes in page.of("select", "input"):
            if attributes.get("type") not in ("hidden", "checkbox"):
                assert attributes.get("id") in labeled or attributes.get("aria-label"), attributes
        ticks = re.findall(r"<label class=\"tick\"><input type=\"checkbox\"[^>]*>", text)
        assert len(ticks) == len([a for a in page.of("input") if a.get("type") == "checkbox"])
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for attributes in page.of("section"):
            assert attributes["aria-labelledby"] in ids
        assert len(page.of("h1")) == 1
        assert {name for name, _ in page.tags} >= {"header", "main", "footer", "fieldset", "legend", "h2", "title"}


def test_every_language_says_everything() -> None:
    tables = {code: words(code).table for code in languages()}
    assert len(tables) >= 9
    english = tables["en"]
    assert len(english) > 100
    for code, table in tables.items():
        assert table.keys() == english.keys()
        for key, text in table.items():
            assert text.strip(), (code, key)
            assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", english[key])), (code, key)
        same = [key for key in english if table[key] == english[key]]
        assert code == "en" or len(same) < 8, (code, same)
    sources = [file for file in files("opportune.api.pages").iterdir() if file.name.endswith(".py")]
    used = "".join(file.read_text("utf-8") for file in sources)
    dynamic = ("channel_", "source_", "broken", "old", "forgotten", "busy", "failed", "recent_", "language_name")
    unused = [key for key in english if f'"{key}"' not in used and not key.startswith(dynamic)]
    assert not unused


def test_which_language(house: House) -> None:
    _, _, token = reader(house, language="fr")
    assert 'lang="fr"' in house.get(f"/preferences/{token}", headers={"Accept-Language": "de"}).text
    assert 'lang="pl"' in house.get(f"/preferences/{token}?language=pl").text
    _, _, token = reader(house)
    assert 'lang="de"' in house.get(f"/u/{token}", headers={"Accept-Language": "xx, de-AT;q=0.8, en;q=0.5"}).text
    assert chosen(None, 7, "", "xx").language == "en"


def test_what_the_page_says_of_the_message(house: House) -> None:
    _, data, token = reader(house)
    text = unescape(re.sub("<[^>]+>", " ", house.get(f"/preferences/{token}").text))
    for sentence in ("More data", "We think that it helps you: No slow days", "You allowed offers this way on",
                     "source: Checkout", "Plan gold"):  # fmt: skip
        assert sentence.replace(" ", "") in text.replace(" ", ""), sentence
    for jargon in ("priority", "propensity", "arbitrate", "more_data", data["d"]):
        assert jargon not in text


# Changes


ON = ("way-email", "way-app", "topic-offers", "topic-news")
CHOICES = {"do": "choices", "language": "en", **dict.fromkeys(ON, "on")}


def changed(house: House, token: str, without: tuple[str, ...] = (), **form: str) -> str:
    """Post the form of choices as it stands but for some fields; return where it leads to."""
    told = house.post(f"/preferences/{token}", {k: v for k, v in {**CHOICES, **form}.items() if k not in without})
    assert told.status_code == 303, told.text
    house.clock.advance(1_000_000)
    return str(told.headers["location"])


def test_what_is_the_same_is_no_event(house: House) -> None:
    who, _, token = reader(house)
    assert changed(house, token) == "?done=same"
    assert house.events(who) == []


def test_channels(house: House) -> None:
    who, _, token = reader(house)
    assert changed(house, token, ("way-email", "way-app"), **{"way-sms": "on"}) == "?done=saved"
    (event,) = house.events(who)
    assert event.source == "preference-center"
    assert event.properties["wording"] == "preference-center/1"
    assert event.properties["language"] == "en"
    assert house.consents(who) == {
        "marketing/email": "withdrawn", "marketing/app": "withdrawn", "marketing/sms": "granted"}  # fmt: skip
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []
    assert house.hub.decide(who, "sms.now", peek=True).actions
    assert changed(house, token, **{"way-sms": "on"}) == "?done=saved"
    assert set(house.consents(who).values()) == {"granted"}


def test_ads_need_their_own_word(house: House) -> None:
    who, _, token = reader(house)
    changed(house, token, **{"way-ads": "on"})
    assert house.consents(who)["ads/ads"] == "granted"
    changed(house, token)
    assert house.consents(who)["ads/ads"] == "withdrawn"


def test_topics_go_and_come_back(house: House) -> None:
    who, _, token = reader(house)
    changed(house, token, ("topic-offers",))
    assert house.consents(who)["marketing/all/offers"] == "withdrawn"
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []
    changed(house, token)
    assert house.hub.decide(who, "email.weekly", peek=True).actions
    # refused in one channel elsewhere: the tick is gone, and ticking it again lifts that too
    told = {"purpose": "marketing", "channel": "email", "topic": "offers", "status": "withdrawn"}
    house.hub.ingest({"type": "track", "userId": who, "event": "Consent Updated", "properties": told})
    house.clock.advance(1_000_000)
    assert not re.search('name="topic-offers" value="on" checked', house.get(f"/preferences/{token}").text)
    changed(house, token)
    assert house.hub.decide(who, "email.weekly", peek=True).actions


def test_a_topic_opens_no_channel(house: House) -> None:
    who, _, token = reader(house)
    changed(house, token, ("way-email", "topic-offers"))
    changed(house, token, ("way-email",))
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []


def test_frequency(house: House) -> None:
    who, _, token = reader(house)
    changed(house, token, **{"often-email": "1/7"})
    event = house.events(who)[-1]
    assert (event.event, event.properties) == ("Frequency Chosen", {"channel": "email", "at_most": 1, "in": "7d"})
    assert '<option value="1/7" selected>' in house.get(f"/preferences/{token}").text
    changed(house, token, **{"often-email": ""})
    assert house.events(who)[-1].properties == {"channel": "email", "at_most": None}
    changed(house, token, **{"often-email": "9999999/1"})
    assert house.events(who)[-1].properties["at_most"] is None


def test_one_frequency_for_all_becomes_one_for_each(house: House) -> None:
    who, _, token = reader(house)
    every = {"channel": "all", "at_most": 2, "in": "7d"}
    house.hub.ingest({"type": "track", "userId": who, "event": "Frequency Chosen", "properties": every})
    assert '<option value="2/7" selected>At most 2 in 7 days' in house.get(f"/preferences/{token}").text
    changed(house, token, **{"often-email": "1/30", "often-sms": "2/7"})
    told = {event.properties["channel"]: event.properties["at_most"] for event in house.events(who)}
    assert told == {"all": None, "email": 1, "sms": 2}


def test_preferred_channel_and_language(house: House) -> None:
    who, _, token = reader(house)
    changed(house, token, preferred="email", language="de")
    assert [event.event or event.type for event in house.events(who)] == ["Channel Preferred", "identify"]
    assert house.hub.profile(who).values["language"] == "de"
    text = house.get(f"/preferences/{token}").text
    assert 'lang="de"' in text
    assert re.search('<option value="email" selected>', text)
    changed(house, token, preferred="pigeon", language="xx")
    assert len(house.events(who)) == 2


def test_a_break(house: House) -> None:
    who, _, token = reader(house)
    house.post(f"/preferences/{token}", {"do": "pause", "for": "7d"})
    assert "You are taking a break until" in house.get(f"/preferences/{token}").text
    assert house.hub.decide(who, "email.weekly", peek=True).actions == []
    assert changed(house, token) == "?done=same", "a break changes no choice"
    house.post(f"/preferences/{token}", {"do": "resume"})
    house.clock.advance(1_000_000)
    assert house.hub.decide(who, "email.weekly", peek=True).actions
    house.post(f"/preferences/{token}", {"do": "pause", "for": "7d"})
    house.clock.advance(8 * DAY)
    assert house.hub.decide(who, "email.weekly", peek=True).actions
    assert "taking a break until" not in house.get(f"/preferences/{token}").text


def test_a_break_of_one_channel_is_seen_and_ended(house: House) -> None:
    who, _, token = reader(house)
    for said in ({"channel": "email"}, {"channel": "app", "for": "7d"}, {"channel": "all", "topic": "news"}):
        house.hub.ingest({"type": "track", "userId": who, "event": "Contact Paused", "properties": said})
    house.clock.advance(1_000_000)
    text = house.get(f"/preferences/{token}").text
    assert text.count("You are taking a break") == 3, "two channels, and the way to end all"
    assert 'value="resume"' in text
    assert house.post(f"/preferences/{token}", {"do": "resume"}).headers["location"] == "?done=saved"
    house.clock.advance(1_000_000)
    resumed = [e.properties for e in house.events(who) if e.event == "Contact Resumed"]
    assert resumed == [{"channel": "email"}, {"channel": "app"}, {"channel": "all", "topic": "news"}]
    assert house.hub.decide(who, "email.weekly", peek=True).actions
    assert house.post(f"/preferences/{token}", {"do": "resume"}).headers["location"] == "?done=same"


def test_who_comes_back_after_stop_gets_service_too(house: House) -> None:
    who, _, token = reader(house)
    stop = {"purpose": "all", "channel": "sms", "status": "withdrawn", "method": "sms_keyword"}
    house.hub.ingest({"type": "track", "userId": who, "event": "Consent Updated", "properties": stop})
    house.clock.advance(1_000_000)
    changed(house, token, **{"way-sms": "on"})
    view, channel = house.hub.people.resolve(who, None), house.hub.plan.channels["sms"]
    assert view
    kinds: tuple[ActionKind, ...] = ("marketing", "service")
    for kind in kinds:
        assert why_not(view.consents(), channel, kind, house.clock.now()) is None


@pytest.mark.parametrize("often", ["9" * 5000 + "/7", "1/" + "9" * 5000, "²/7", "/"])
def test_a_frequency_that_is_none(house: House, often: str) -> None:
    who, _, token = reader(house)
    changed(house, token, **{"often-email": often})
    assert house.events(who)[-1].properties == {"channel": "email", "at_most": None}


def test_a_language_that_is_none_breaks_no_answer(house: House) -> None:
    _, _, token = reader(house)
    assert house.post(f"/preferences/{token}?language=日本", {"do": "pause", "for": "7d"}).status_code == 303


def test_dates_that_no_calendar_has() -> None:
    for at in (-(1 << 62), parse_instant("0001-01-01"), parse_instant("9999-12-31"), 1 << 62):
        for zone in ("America/New_York", "Pacific/Kiritimati"):
            assert words("en").day(at, zone)


def test_facts_are_corrected_where_they_may_be(house: House) -> None:
    who, _, token = reader(house)
    form = {"do": "facts", "fact-plan": "  silver ", "fact-lines": "3,5", "fact-has_tv": "no", "fact-language": "xx",
            "fact-email": "evil@example.com"}  # fmt: skip
    assert house.post(f"/preferences/{token}", form).status_code == 303
    assert [event.event for event in house.events(who)] == ["Fact Corrected"] * 3
    now = {"plan": "silver", "lines": 3.5, "has_tv": False}
    assert {name: house.hub.profile(who).values[name] for name in now} == now
    house.hub.ingest({"type": "identify", "userId": who, "traits": {"lines": 2}})
    house.clock.advance(1_000_000)
    assert house.post(f"/preferences/{token}", form).headers["location"] == "?done=same", "a sync changes nothing"
    unread = {"do": "facts", "fact-lines": "many", "fact-has_tv": "perhaps", "fact-plan": ""}
    house.post(f"/preferences/{token}", unread)
    assert house.events(who)[-1].properties == {"name": "plan", "was": "silver", "remove": True}
    assert house.hub.profile(who).values["plan"] is None


MORE_FACTS = [*CATALOG["traits"], {"name": "born", "type": "time", "correctable": True},
              {"name": "note", "type": "text", "correctable": True}]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de", "ar", "fr"])
def test_the_facts_as_they_were_shown_change_nothing(language: str) -> None:
    house = House(traits=MORE_FACTS)
    try:
        note = "  long\n" + "x" * 900
        who, _, token = reader(house, note=note, born="1980-05-06", lines=1234.5678, time_zone="America/New_York")
        path = f"/preferences/{token}?language={language}"
        form = shown_facts(house.get(path).text)
        assert form["fact-born"] == "1980-05-06"
        assert len(form["fact-note"].strip()) == len(note.strip())
        posted = {name: text.replace("\n", "\r\n") for name, text in form.items()}
        told = house.post(path, {"do": "facts", **posted})
        assert told.headers["location"].startswith("?done=same")
        house.post(path, {"do": "facts", **posted, "fact-has_tv": "yes"})
        assert [e.properties["name"] for e in house.events(who)] == ["has_tv"]
    finally:
        house.close()


def shown_facts(text: str) -> dict[str, str]:
    """Return the fields of the form of facts as a browser would post them."""
    found = dict(re.findall(r'name="(fact-\w+)"[^>]*? value="([^"]*)"', text))
    found |= dict(re.findall(r'<textarea name="(fact-\w+)"[^>]*>([^<]*)<', text))
    chosen = re.findall(r'<select name="(fact-\w+)".*?<option value="(\w*)" selected', text)
    return {name: unescape(value) for name, value in [*found.items(), *chosen]}


@pytest.mark.parametrize(("language", "text", "value"), [
    ("en", "1,000", 1000.0), ("de", "1.000", 1000.0), ("en", "3,5", 3.5), ("de", "3,5", 3.5), ("fr", "1 000,5", 1000.5),
    ("de", "1.5", 1.5), ("en", "-2", -2.0), ("en", "9" * 400, None), ("en", "1e999999999", None), ("en", "1,2,3", None),
])  # fmt: skip
def test_numbers_as_the_language_writes_them(house: House, language: str, text: str, value: float | None) -> None:
    who, _, token = reader(house, language=language, lines=7)
    told = house.post(f"/preferences/{token}", {"do": "facts", "fact-lines": text})
    assert told.headers["location"] == ("?done=unread" if value is None else "?done=saved")
    assert house.hub.profile(who).values["lines"] == (7.0 if value is None else value)


def test_a_fact_that_cannot_be_is_refused_and_said() -> None:
    house = House(traits=MORE_FACTS)
    try:
        who, _, token = reader(house)
        for name, text in (("note", "x" * 1001), ("born", "0001-01-01T00:00:00+14:00"), ("born", "9999-12-31"),
                           ("born", "May")):  # fmt: skip
            told = house.post(f"/preferences/{token}", {"do": "facts", f"fact-{name}": text})
            assert told.headers["location"] == "?done=unread"
        assert house.events(who) == []
        assert "could not be read" in house.get(f"/preferences/{token}?done=unread").text
        house.post(f"/preferences/{token}", {"do": "facts", "fact-born": "1981-01-01"})
        view = house.hub.people.view(who)
        assert view
        assert view.state.traits["born"][0] == "1981-01-01"
    finally:
        house.close()


def test_a_situation_that_is_not_so(house: House) -> None:
    who, _, token = reader(house)
    house.hub.ingest({"type": "track", "userId": who, "event": "Complaint"})
    assert "Open complaint, since" in house.get(f"/preferences/{token}").text
    told = house.post(f"/preferences/{token}", {"do": "situation", "situation": "open_complaint"})
    assert told.headers["location"] == "?done=noted"
    assert house.events(who)[-1].properties == {"situation": "open_complaint", "holds": False}
    house.post(f"/preferences/{token}", {"do": "situation", "situation": "made_up"})
    assert len(house.events(who)) == 1


def marked(house: House, address: str, channel: str = "email", **traits: Any) -> tuple[str, dict[str, str], str]:
    """Return a customer, the data of a message sent to an address, and the token in it, as links have it."""
    who, data, _ = reader(house, **traits)
    view = house.hub.people.resolve(who, None)
    assert view
    data |= {"c": channel, "k": mark(house.door, view, house.hub.plan.channels[channel], address)}
    return who, data, house.token(data)


def test_everything_that_is_kept(house: House) -> None:
    who, data, token = marked(house, "maya@example.com")
    step = house.post(f"/preferences/{token}", {"do": "download"})
    assert 'name="address"' in step.text
    assert who not in step.text
    told = house.post(f"/preferences/{token}", {"do": "download-now", "address": " Maya@Example.com "})
    assert told.headers["content-disposition"].startswith("attachment")
    assert told.headers["cache-control"].startswith("no-store")
    export = json.loads(told.content)
    assert export["profile"]["customerId"] == who
    assert data["d"] in told.text


def test_to_be_forgotten_takes_two_steps(house: House) -> None:
    who, _, token = marked(house, "maya@example.com")
    sure = {"do": "forget-now", "sure": "yes", "address": "maya@example.com"}
    assert "cannot be undone" in house.post(f"/preferences/{token}", {"do": "forget"}).text
    assert house.post(f"/preferences/{token}", {**sure, "sure": ""}).status_code == 400
    assert house.hub.people.resolve(who, None)
    assert house.post(f"/preferences/{token}", sure).status_code == 200
    assert house.hub.people.resolve(who, None) is None
    assert house.post(f"/preferences/{token}", {"do": "download"}).status_code == 410


@pytest.mark.parametrize("what", ["download-now", "forget-now"])
def test_a_message_that_was_passed_on_gives_nothing_away(house: House, what: str) -> None:
    who, _, token = marked(house, "maya@example.com", iban="DE999")
    form = {"do": what, "sure": "yes", "address": "else@example.com"}
    told = [house.post(f"/preferences/{token}", form) for _ in range(6)]
    assert [one.status_code for one in told] == [403] * 5 + [429]
    right = {**form, "address": "maya@example.com"}
    assert house.post(f"/preferences/{token}", right).status_code == 429
    assert all("DE999" not in one.text for one in told)
    assert house.hub.people.resolve(who, None)
    house.clock.advance(HOUR)
    assert house.post(f"/preferences/{token}", right).status_code == 200


def test_a_link_that_names_no_address_gives_nothing_away(house: House) -> None:
    who, data, token = reader(house, email="maya@example.com")
    pushed = house.token({**data, "c": "app", "k": "x" * 40})
    for link in (token, pushed):
        for what in ("download", "download-now", "forget", "forget-now"):
            told = house.post(f"/preferences/{link}", {"do": what, "sure": "yes", "address": "maya@example.com"})
            assert told.status_code == 403
            assert "write to us" in told.text
    assert house.hub.people.resolve(who, None)


def test_a_number_is_the_same_however_it_is_written() -> None:
    house = House(channels=[{"name": "email", "push": True}, {"name": "sms", "push": True, "form": "sms"},
                            {"name": "app", "push": False}, {"name": "ads", "push": True}],
                  holidays={"country": "DE"})  # fmt: skip
    try:
        _, _, token = marked(house, "+49 151 12345678", "sms")
        told = house.post(f"/preferences/{token}", {"do": "download-now", "address": "0151-123 456 78"})
        assert told.status_code == 200
    finally:
        house.close()


def test_the_links_of_a_message_carry_the_mark_of_its_address(house: House) -> None:
    who, data, _ = reader(house, email="maya@example.com")
    view = house.hub.people.resolve(who, None)
    assert view
    action, channel = house.hub.plan.actions[0], house.hub.plan.channels["email"]
    send = Send(data["d"], view.subject, action.name, "mail", "email", "email.weekly", "marketing", "bulk", 0)
    row = Row(send, "sending", 0, 0)
    leaving = Leaving(row, view, action, channel, "maya@example.com", Job(action.name, "mail", "en", {}), 0)
    token = links_of(house.door, leaving).known["preferences"].rpartition("/")[2]
    proof = house.door.signer.read("message", token, 0)["k"]
    assert proof == mark_now(house.door, view, channel)
    assert bounce_key("email", "maya@example.com").partition(":")[2] not in proof, "nobody can guess at it"


def test_the_page_of_a_visitor_who_never_said_who_they_are(house: House) -> None:
    known = {"type": "identify", "anonymousId": "visitor-9", "traits": {"plan": "gold", "lines": 1}}
    house.hub.ingest(known)
    view = house.hub.people.resolve(None, "visitor-9")
    assert view
    token = house.token({"s": view.subject, "d": "none", "a": "none", "c": "email"})
    assert "We no longer know more about this message" in house.get(f"/preferences/{token}").text
    assert changed(house, token, **{"way-sms": "on"}) == "?done=saved"
    assert house.hub.profile(view.subject).consents == {"marketing/email": "granted", "marketing/sms": "granted"}


def test_a_page_too_often(house: House) -> None:
    _, _, token = reader(house)
    statuses = [house.get(f"/preferences/{token}").status_code for _ in range(15)]
    assert set(statuses) == {200, 429}
    told = house.get(f"/preferences/{token}")
    assert told.headers["retry-after"]
    assert "try again" in told.text


# Global Privacy Control


def test_global_privacy_control(house: House) -> None:
    assert house.get("/.well-known/gpc.json").json()["gpc"] is True
    who, _, token = reader(house)
    changed(house, token, **{"way-ads": "on"})
    assert "Global Privacy Control" not in house.get(f"/preferences/{token}").text
    house.clock.advance(1_000_000)
    assert "Global Privacy Control" in house.get(f"/preferences/{token}", headers={"Sec-GPC": "1"}).text
    assert house.consents(who)["ads/all"] == "refused"
    assert house.events(who)[-1].context["gpc"] is True
    count = len(house.events(who))
    house.get(f"/preferences/{token}", headers={"Sec-GPC": "1"})
    assert len(house.events(who)) == count, "it is noted once"


# The second opt-in


def test_double_opt_in() -> None:
    house = House(consent={"double_opt_in": ["email", "sms"], "wording": {"version": "2026-01", "text": "We write."}})
    try:
        who = house.customer()
        assert house.hub.decide(who, "email.weekly", peek=True).actions == []
        server, write = (house.door.keys.new(kind, 0, scopes=scopes)[0]
                         for kind, scopes in (("server", ()), ("write", ("decide:anonymous",))))  # fmt: skip
        asked = {"userId": who, "channel": "email", "topic": "offers"}

        def ask(key: str, body: dict[str, Any]) -> Any:
            return house.post("/v1/consents", content=json.dumps(body), headers={"Authorization": f"Bearer {key}"})

        url = ask(server, asked).json()["confirmUrl"]
        assert url.startswith("https://hub.acme.example/confirm/")
        path = url.removeprefix("https://hub.acme.example")
        assert ask(write, asked).status_code == 403
        assert ask(write, {"anonymousId": "v", "channel": "email"}).json() == {"confirmUrl": None}
        assert ask(server, {**asked, "channel": "pigeon"}).status_code == 400
        assert ask(server, {**asked, "topic": "pigeons"}).status_code == 400
        assert ask(server, {"channel": "email"}).status_code == 400

        for _ in range(2):
            page = house.get(path)
            assert "We write." in page.text
            assert house.hub.decide(who, "email.weekly", peek=True).actions == [], "to look confirms nothing"
        assert house.post(path, {}).status_code == 400
        house.clock.advance(1_000_000)
        assert house.post(path, {"do": "confirm"}).status_code == 200
        said = house.events(who)[-1]
        assert said.properties["method"] == "double_opt_in"
        assert said.properties["wording"] == "2026-01"
        assert said.properties["topic"] == "offers"
        assert house.hub.decide(who, "email.weekly", peek=True).actions
        count = len(house.events(who))
        house.post(path, {"do": "confirm"})
        assert len(house.events(who)) == count, "once is enough"

        token = house.token(house.message(who))
        house.post(f"/preferences/{token}", {**CHOICES, "way-sms": "on"})
        assert house.hub.decide(who, "sms.now", peek=True).actions == [], "nobody has shown that the number is theirs"
        assert "waits for your confirmation" in house.get(f"/preferences/{token}").text
        house.clock.advance(31 * DAY)
        assert house.post(path, {"do": "confirm"}).status_code == 410
    finally:
        house.close()


def asked_for(house: House, who: str, channel: str = "email") -> str:
    """Return the path of the link that confirms what is asked for now."""
    server = house.door.keys.new("server", 0)[0]
    body = json.dumps({"userId": who, "channel": channel})
    told = house.post("/v1/consents", content=body, headers={"Authorization": f"Bearer {server}"})
    house.clock.advance(1_000_000)
    return str(told.json()["confirmUrl"]).removeprefix("https://hub.acme.example")


@pytest.fixture(scope="module")
def strict() -> Iterator[House]:
    made = House(consent={"double_opt_in": ["email"]})
    yield made
    made.close()


def test_a_confirmation_is_of_the_address_it_went_to(strict: House) -> None:
    who = strict.customer(email="mallory@evil.example")
    path = asked_for(strict, who)
    strict.hub.ingest({"type": "identify", "userId": who, "traits": {"email": "victim@example.com"}})
    strict.clock.advance(1_000_000)
    told = strict.post(path, {"do": "confirm"})
    assert told.status_code == 410
    assert "the address has changed" in told.text
    assert strict.hub.decide(who, "email.weekly", peek=True).actions == []
    assert strict.post(asked_for(strict, who), {"do": "confirm"}).status_code == 200
    assert strict.hub.decide(who, "email.weekly", peek=True).actions


@pytest.mark.parametrize("refused", [
    {"channel": "email"}, {"channel": "all"}, {"channel": "email", "purpose": "all"},
])  # fmt: skip
def test_a_confirmation_lifts_no_refusal_that_came_after_it_was_asked_for(
    strict: House, refused: dict[str, str]
) -> None:
    who = strict.customer(email="maya@example.com")
    path = asked_for(strict, who)
    assert strict.post(path, {"do": "confirm"}).status_code == 200
    strict.clock.advance(1_000_000)
    said = {"status": "withdrawn", **refused}
    strict.hub.ingest({"type": "track", "userId": who, "event": "Consent Updated", "properties": said})
    strict.clock.advance(1_000_000)
    assert strict.post(path, {"do": "confirm"}).status_code == 410
    assert strict.hub.decide(who, "email.weekly", peek=True).actions == []
    assert strict.post(asked_for(strict, who), {"do": "confirm"}).status_code == 200


def test_a_tick_proves_the_address_that_the_link_came_to(strict: House) -> None:
    who = strict.customer(email="maya@example.com")
    view = strict.hub.people.resolve(who, None)
    assert view
    proof = mark(strict.door, view, strict.hub.plan.channels["email"], "maya@example.com")
    token = strict.token({"s": view.subject, "d": "none", "a": "none", "c": "email", "k": proof})
    strict.clock.advance(1_000_000)
    strict.post(f"/preferences/{token}", CHOICES)
    strict.clock.advance(1_000_000)
    assert strict.hub.decide(who, "email.weekly", peek=True).actions
    strict.post(f"/u/{token}", ONE_CLICK)
    topic = {"channel": "all", "topic": "offers", "status": "withdrawn"}
    strict.hub.ingest({"type": "track", "userId": who, "event": "Consent Updated", "properties": topic})
    strict.hub.ingest({"type": "identify", "userId": who, "traits": {"email": "victim@example.com"}})
    strict.clock.advance(1_000_000)
    assert strict.post(f"/preferences/{token}", CHOICES).headers["location"] == "?done=moved"
    strict.clock.advance(1_000_000)
    assert strict.hub.decide(who, "email.weekly", peek=True).actions == []
    asked = strict.events(who)[-1].properties["consents"]
    assert {word["status"] for word in asked if word["channel"] == "email"} == {"requested"}
    assert "address has changed" in strict.get(f"/preferences/{token}?done=moved").text


def test_who_asked_for_every_channel_confirms_the_one_of_the_link(strict: House) -> None:
    who = strict.customer(email="maya@example.com")
    every = {"channel": "all", "status": "requested"}
    strict.hub.ingest({"type": "track", "userId": who, "event": "Consent Updated", "properties": every})
    view = strict.hub.people.resolve(who, None)
    assert view
    strict.clock.advance(1_000_000)
    path = requested_url(strict.door, view, "email").removeprefix("https://hub.acme.example")
    assert strict.post(path, {"do": "confirm"}).status_code == 200
    said = strict.events(who)[-1].properties
    assert (said["channel"], said["status"]) == ("email", "granted")


def test_a_wording_is_a_name(strict: House) -> None:
    server = strict.door.keys.new("server", 0)[0]
    body = json.dumps({"userId": "w", "channel": "email", "wording": "x" * 4000})
    assert strict.post("/v1/consents", content=body, headers={"Authorization": f"Bearer {server}"}).status_code == 400


# Small parts


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_text_gets_out_of_its_place(text: str, value: str) -> None:
    made = tag("p", text, title=value)
    page = Checked(made)
    assert [name for name, _ in page.tags] == ["p"]
    assert unescape(made.partition(">")[2].removesuffix("</p>")) == unescape(escape(text))
    assert isinstance(tag("p", made), Html)
    assert tag("p", made).count("<p") == 2


KINDS = ["", "text/plain", "multipart/form-data; boundary=x", "multipart/form-data"]


@given(st.binary(max_size=300), st.sampled_from(KINDS))
def test_noise_for_a_form(raw: bytes, kind: str) -> None:
    try:
        assert all(isinstance(text, str) for pair in fields(raw, kind).items() for text in pair)
    except Refused as why:
        if why.status != 400:
            raise


@pytest.mark.parametrize("url", ["hub.acme.example", "ftp://hub.acme.example", "https://", "https://a.example/?x=1"])
def test_a_public_address_that_no_browser_can_go_to(url: str) -> None:
    with pytest.raises(BadInput, match="public_url"):
        read({"public_url": url}, {})
    assert read({}, {"OPPORTUNE_PUBLIC_URL": "https://a.example/hub/"}).public_url == "https://a.example/hub"
