"""Questions through the door: the answer page, the care score, corrections, and the command `care`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opportune.api.pages.language import languages
from opportune.cli.asked import _told
from opportune.clock import HOUR
from opportune.decide.stages.assign import arm_of
from opportune.wire.caring import CareCompared, CareReport
from page_house import CATALOG, House

PULSE = {"question": {"en": "Did <this> help?", "de": "Hat das geholfen?"}, "placements": ["email.pulse"], "share": 1.0,
         "events": ["Page Viewed"]}  # fmt: skip
ASKS: list[dict[str, Any]] = [
    {"fact": "born_in", "question": "In which month were you born?", "buys": "a present then",
     "options": [{"value": 6, "title": {"en": "June", "de": "Juni"}}, 7], "placements": ["email.month"]},
    {"fact": "nickname", "question": "What do friends call you?", "buys": "your name", "placements": ["email.name"]},
    {"fact": "has_tv", "question": "Do you have a TV?", "buys": "fewer offers", "placements": ["email.tv"]},
]  # fmt: skip
MORE: dict[str, Any] = {
    "traits": [*CATALOG["traits"], {"name": "born_in", "type": "number"}, {"name": "nickname", "type": "text"}],
    "placements": [*CATALOG["placements"], *({"name": f"email.{n}", "channel": "email"}
                                             for n in ("pulse", "month", "name", "tv"))],
    "actions": [{**CATALOG["actions"][0], "treatments": [
        {**t, "placements": ["email.weekly"]} if t["channel"] == "email" else t
        for t in CATALOG["actions"][0]["treatments"]]}],
    "pulse": PULSE, "asks": ASKS,
    "model": {**CATALOG["model"], "holdout_share": 0.5},
}  # fmt: skip


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = House(**MORE)
    yield made
    made.close()


def test_a_question_is_answered_with_a_button_and_not_by_looking(house: House) -> None:
    _who, token, decision = asked(house)
    for method in ("GET", "HEAD"):
        seen = house.call(method, f"/a/{token}?answer=yes")
        assert seen.status_code == 200
    assert "Did &lt;this&gt; help?" in house.get(f"/a/{token}").text
    assert outcomes(house, decision, "pulse") == set()
    assert house.post(f"/a/{token}", {"answer": "perhaps"}).status_code == 400
    told = house.post(f"/a/{token}", {"answer": "yes"})
    assert told.status_code == 200
    assert "Thank you" in told.text
    assert outcomes(house, decision, "pulse") == {"yes"}


def test_the_page_speaks_the_language_of_the_customer_and_marks_the_answer_of_the_link(house: House) -> None:
    _, token, _ = asked(house, language="de")
    page = house.get(f"/a/{token}?answer=no").text
    assert "Hat das geholfen?" in page
    assert 'lang="de"' in page
    buttons = re.findall(r'<button type="submit"( class="quiet")? name="answer" value="(\w+)">(\w+)<', page)
    assert buttons == [(' class="quiet"', "yes", "Ja"), ("", "no", "Nein")]


@pytest.mark.parametrize("language", ["en", "ar", "pl"])
def test_the_page_is_whole_in_every_language(house: House, language: str) -> None:
    assert language in languages()
    _, token, _ = asked(house, language=language)
    assert house.get(f"/a/{token}").status_code == house.post(f"/a/{token}", {"answer": "no"}).status_code == 200


@pytest.mark.parametrize(
    ("place", "fact", "wrong", "given", "value"),
    [("month", "born_in", "8", "6", 6.0), ("name", "nickname", " ", "Mo", "Mo"), ("tv", "has_tv", "1", "no", False)],
)
def test_a_fact_is_given_on_the_page(
    house: House, place: str, fact: str, wrong: str, given: str, value: object
) -> None:
    who = spoken_to(house)
    data = house.message(who, f"email.{place}")
    token = house.token(data)
    page = house.get(f"/a/{token}").text
    assert "Why we ask: " + next(a["buys"] for a in ASKS if a["fact"] == fact) in page
    assert ("June" in page) == (fact == "born_in")
    assert house.post(f"/a/{token}", {"answer": wrong}).status_code == 400
    assert house.hub.profile(who).values[fact] is None
    assert house.post(f"/a/{token}", {"answer": given}).status_code == 200
    known = house.hub.profile(who).facts[fact]
    assert (known.value, known.event, known.source) == (value, "Fact Given", "answer-page")
    assert outcomes(house, data["d"], data["a"]) == {"answered"}


def test_a_question_that_is_no_longer_asked_says_so(house: House) -> None:
    who = spoken_to(house)
    data = house.message(who, "email.tv")
    token = house.token({**data, "a": "more_data"})
    assert house.get(f"/a/{token}").status_code == 410
    assert house.post(f"/a/{token}", {"answer": "yes"}).status_code == 410
    assert house.get("/a/nothing").status_code == 404


def test_a_message_leads_to_its_answer_page(tmp_path: Path) -> None:
    mail = {"name": "email", "push": True, "via": "file", "options": {"folder": str(tmp_path)}}
    house = House(**{**MORE, "channels": [mail, *CATALOG["channels"][1:]]})
    try:
        spoken_to(house, email="maya@example.com", name="maya")
        house.clock.advance(2 * HOUR)
        assert house.hub.decide("maya", "email.pulse").actions
        sent = house.post("/v1/outbox/send", headers={"Authorization": f"Bearer {house.secret}"})
        assert sent.status_code == 200, sent.text
        [file] = tmp_path.rglob("*.json")
        content = json.loads(file.read_text("utf-8"))["content"]
        assert content["subject"] == "Did <this> help?"
        [link] = set(re.findall(r'href="https://hub\.acme\.example(/a/[\w.-]+)\?answer=yes"', content["html"]))
        assert house.post(link, {"answer": "no"}).status_code == 200
    finally:
        house.close()


def test_the_care_score_is_shown_when_there_is_enough_and_compared(house: House) -> None:
    house = House(**MORE)
    try:
        key = {"Authorization": f"Bearer {house.secret}"}
        empty = house.get("/v1/care", headers=key).json()
        assert empty["all"]["hub"] == {"asked": 0, "answered": 0, "yes": 0, "score": None, "interval": None,
                                       "reason": "0 answers of 0 asked; a score needs 20"}  # fmt: skip
        for number in range(120):
            who, _, decision = asked(house, name=f"c{number}", weekly=number < 60)
            held = arm_of(house.hub.plan.catalog.model, who) == "holdout"
            house.hub.respond(decision, "pulse", "delivered")
            if number % 4:
                house.hub.respond(decision, "pulse", "no" if number % 5 < (3 if held else 1) else "yes")
        found = house.get("/v1/care?by=channel&since=2026-01-01", headers=key).json()
        assert house.get("/v1/care", headers=key).json()["all"]["hub"]["asked"] < 90  # of the last 90 days
        whole = found["all"]
        assert whole["hub"]["asked"] + whole["holdout"]["asked"] == 120
        assert whole["hub"]["answered"] + whole["holdout"]["answered"] == 90
        low, high = whole["difference"]["interval"]
        assert 0 < low < whole["difference"]["value"] < high
        assert whole["difference"]["reason"] is None
        assert {group["name"] for group in found["groups"]} == {"email", None}
        assert sum(group["hub"]["asked"] for group in found["groups"]) == whole["hub"]["asked"]
        assert house.get("/v1/care?until=2026-01-02", headers=key).json()["all"]["hub"]["asked"] == 0
        for wrong in ("by=color", "since=soon"):
            assert house.get(f"/v1/care?{wrong}", headers=key).status_code == 400
        assert house.get("/v1/care").status_code == 401
        report = msgspec.convert(found, CareReport)
        lines = "\n".join(_told(report.all, "all"))
        assert "hub - holdout +" in lines
        assert "asked" in lines
    finally:
        house.close()


def test_without_answers_the_command_says_why(house: House) -> None:
    told = msgspec.convert(house.get("/v1/care?until=2025-01-01", headers=_key(house)).json()["all"], CareCompared)
    assert "no difference to show: hub: 0 answers of 0 asked; a score needs 20" in "\n".join(_told(told, "all"))


def test_a_server_corrects_for_a_customer(house: House) -> None:
    who = house.customer()
    path, key = f"/v1/customers/{who}/corrections", _key(house)
    told = house.call("POST", path, headers=key, json={"name": "plan", "value": "silver", "says": "by phone"})
    assert told.status_code == 200
    plan = told.json()["facts"]["plan"]
    assert (plan["value"], plan["event"], plan["source"], plan["says"]) == (
        "silver", "Fact Corrected", "correction", "by phone",
    )  # fmt: skip
    event = house.hub.event(f"event {house.hub.events.last()}")
    assert event.properties == {"name": "plan", "value": "silver", "was": "gold", "says": "by phone"}
    told = house.call("POST", path, headers=key, json={"name": "lines", "remove": True})
    assert told.json()["values"]["lines"] is None
    for wrong in ({"name": "lines", "value": "two"}, {"name": "shoes", "value": 1}, {"name": "lines"}, {"value": 1}):
        assert house.call("POST", path, headers=key, json=wrong).status_code == 400
    assert house.call("POST", "/v1/customers/nobody/corrections", headers=key,
                      json={"name": "lines", "value": 1}).status_code == 404  # fmt: skip
    assert house.call("POST", path, json={"name": "lines", "value": 1}).status_code == 401


def spoken_to(house: House, name: str = "", **traits: Any) -> str:
    """Return a customer of the hub's arm (unless named) who looked at a page."""
    for _ in range(50):
        who = house.customer(name, **traits)
        if name or arm_of(house.hub.plan.catalog.model, who) != "holdout":
            break
    house.hub.ingest({"type": "page", "userId": who, "name": "home"})
    return who


def asked(house: House, name: str = "", weekly: bool = False, **traits: Any) -> tuple[str, str, str]:
    """Return a customer who was asked by mail, the token in it and the decision."""
    who = spoken_to(house, name, **traits)
    if weekly and (made := house.hub.decide(who, "email.weekly")).actions:
        house.hub.respond(str(made.decision_id), "more_data", "delivered")
    data = house.message(who, "email.pulse", delivered=False)
    assert data["a"] == "pulse"
    return who, house.token(data), str(data["d"])


def outcomes(house: House, decision: str, action: str) -> set[str]:
    episode = house.hub.ledger.episodes(decision).of(action)
    assert episode
    return set(episode.outcomes)


def _key(house: House) -> dict[str, str]:
    return {"Authorization": f"Bearer {house.secret}"}
