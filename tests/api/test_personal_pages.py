"""Every slot of a page in one decision, what of a visit matters, who may ask, and the script that fills the slots."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.api.visit import device_of, visit
from opportune.catalog import from_data
from opportune.client import Client
from opportune.errors import BadRequest, NotFound
from opportune.hub import Hub
from opportune.wire.pages import PageRequest
from page_shop import ADDRESS, BOOKS, CATALOG, HERO

SHOP = "https://shop.example"


@dataclass
class House:
    """A hub behind its door, and its keys."""

    http: httpx.Client
    client: Client
    write: str
    blind: str
    server: str
    _numbers: Iterator[int] = field(default_factory=count)

    def visitor(self) -> str:
        return f"visitor-{next(self._numbers)}"

    def get(self, page: str = "home", key: str | None = None, **query: str) -> httpx.Response:
        return self.http.get(f"/v1/pages/{page}", params=query, auth=(key or self.server, ""))

    def browse(self, page: str = "home", origin: str = SHOP, **body: Any) -> httpx.Response:
        """Ask as a page in a browser does."""
        headers = {"Origin": origin, "Content-Type": "text/plain"}
        return self.http.post(f"/v1/pages/{page}?writeKey={self.write}", content=json.dumps(body), headers=headers)

    def hero(self, **query: str) -> str:
        """Return the action of the hero of a new visitor."""
        asked = self.get(anonymousId=self.visitor(), **query)
        assert asked.status_code == 200, asked.text
        return str(asked.json()["slots"]["hero"][0]["action"])


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    hub = Hub.of(from_data(CATALOG))
    with (
        beside(hub, listen("127.0.0.1", 0)) as (address, secret),
        httpx.Client(base_url=address, timeout=20) as http,
        Client(address, secret) as client,
    ):

        def key(kind: str, **more: Any) -> str:
            made = http.post("/v1/keys", json={"kind": kind, "rate": 0, **more}, auth=(secret, ""))
            return str(made.json()["key"])

        scoped = key("write", scopes=["decide:anonymous"], origins=[SHOP])
        yield House(http, client, scoped, key("write"), key("server"))
    hub.close()


def test_all_slots_are_one_decision_each_with_its_limit(house: House) -> None:
    told = house.get(userId="ana").json()
    assert set(told) == {"page", "decisionId", "slots", "silence"}
    assert (told["page"], told["silence"]) == ("home", None)
    shown = {slot: [offer["action"] for offer in offers] for slot, offers in told["slots"].items()}
    assert shown == {"hero": ["welcome"], "tiles": ["tile_5", "tile_4", "tile_3"], "text": ["blurb"],
                     "native": ["native"]}  # fmt: skip
    assert list(told["slots"]) == ["hero", "tiles", "text", "native"]
    recorded = house.client.recorded(told["decisionId"])
    assert recorded.replayed, "a limit for each slot is part of the record"
    assert [(a.placement, a.rank) for a in recorded.actions].count(("web.home.tiles", 3)) == 1
    assert told["slots"]["hero"][0]["outcomes"] == ["click", "accept", "dismiss"]
    assert told["slots"]["hero"][0]["propensity"] > 0


def test_a_slot_that_gets_nothing_keeps_its_default(house: House) -> None:
    told = house.get(userId="ana", context='{"shelf": "back"}').json()
    assert told["slots"]["text"] == []
    assert told["slots"]["hero"]
    house.client.ingest({"type": "track", "userId": "ben", "event": "Consent Updated",
                         "properties": {"purpose": "marketing", "status": "refused"}})  # fmt: skip
    silent = house.client.page("product", "ben")
    assert silent.slots == {"hero": []}
    assert silent.silence
    assert silent.decision_id, "silence is a decision, too"


@pytest.mark.parametrize(
    ("query", "action"),
    [
        ({}, "welcome"),
        ({"referrer": "https://www.search.example/?q=books"}, "from_search"),
        ({"referrer_host": "search.example"}, "from_search"),
        ({"url": ADDRESS}, "halloween"),
        ({"url": "/books/horror?utm_campaign=halloween"}, "halloween"),
        ({"url": "https://shop.example/music?utm_campaign=halloween"}, "welcome"),
        ({"utm_campaign": "halloween", "page_path": "/books/x"}, "halloween"),
        ({"device": "mobile"}, "pocket"),
        ({"device": "mobile", "context": '{"device": "desktop"}'}, "welcome"),
        ({"context": '{"basket": 120.5}'}, "basket"),
        ({"url": "https://[half", "referrer": "::", "device": "é" * 2000, "language": "??"}, "welcome"),
    ],
)  # fmt: skip
def test_what_is_known_of_a_visit_matters(house: House, query: dict[str, str], action: str) -> None:
    assert house.hero(**query) == action


def test_a_page_says_what_the_request_does_not() -> None:
    home, *rest = CATALOG["pages"]
    says = {**home, "context": {"page_path": "/books/all", "utm_campaign": "halloween", "shelf": "front"}}
    hub = Hub.of(from_data({**CATALOG, "pages": [says, *rest]}))
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:

        def hero(url: str = "", context: dict[str, Any] | None = None) -> str:
            return client.page("home", "ana", url=url, context=context or {}).slots["hero"][0].action

        assert hero() == "halloween"
        assert hero("https://shop.example/music") == "welcome", "the request's own address counts more"
        assert hero("https://shop.example/music", {"page_path": "/books/x"}) == "halloween"
    hub.close()


def test_history_matters_at_once(house: House) -> None:
    visitor = house.visitor()
    house.client.ingest({"type": "page", "anonymousId": visitor, "name": "horror"})
    assert house.get(anonymousId=visitor).json()["slots"]["hero"][0]["action"] == "welcome"
    house.client.ingest({"type": "page", "anonymousId": visitor, "name": "horror"})
    assert house.get(anonymousId=visitor).json()["slots"]["hero"][0]["action"] == "ghosts"


def test_a_browser_gets_what_to_show_and_nothing_of_what_the_hub_thinks(house: House) -> None:
    visitor = house.visitor()
    asked = house.browse(anonymousId=visitor)
    told = asked.json()
    assert asked.headers["access-control-allow-origin"] == SHOP
    assert asked.headers["cache-control"] == "no-store"
    assert "etag" not in asked.headers
    assert set(told) == {"page", "decisionId", "slots"}
    offers = [offer for offers in told["slots"].values() for offer in offers]
    assert {name for offer in offers for name in offer} == {
        "action", "treatment", "placement", "rank", "content", "items", "outcomes",
    }  # fmt: skip
    answers = house.http.post(
        f"/v1/outcomes?writeKey={house.write}", headers={"Origin": SHOP},
        json=[{"decisionId": told["decisionId"], "action": offer["action"], "outcome": "impression",
               "anonymousId": visitor} for offer in offers],
    ).json()  # fmt: skip
    assert [answer["news"] for answer in answers] == [True] * 6


def test_a_browser_tells_its_device_language_and_that_it_opts_out_by_headers(house: House) -> None:
    def hero(context: str = "{}", **headers: str) -> str:
        asked = house.http.get(
            "/v1/pages/home", params={"anonymousId": house.visitor(), "writeKey": house.write, "context": context},
            headers={"Origin": SHOP, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )  # fmt: skip
        return str(asked.json()["slots"]["hero"][0]["action"])

    assert hero(User_Agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Mobile/15E148") == "pocket"
    assert hero(User_Agent="Mozilla/5.0 (X11; Linux x86_64) Chrome/140") == "welcome"
    assert hero(Sec_GPC="1") == "private"
    for context in ('{"gpc": false}', '{"gpc": true}'):
        assert hero(Sec_GPC="1", context=context) == "private", "nothing that a page says opts a browser in"
    told = visit(PageRequest(), {"user-agent": "python-httpx", "accept-language": "de"}, browser=False)
    assert told == {}, "a server has the browser of nobody"
    assert visit(PageRequest(), {"accept-language": "pt-BR,en;q=0.5"}, browser=True) == {"language": "pt"}


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140 Safari/537.36", "desktop"),
        ("Mozilla/5.0 (Linux; Android 15; SM-S921B) Chrome/140 Mobile Safari/537.36", "mobile"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X910) Chrome/140 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) Mobile/15E148", "tablet"),
        ("", ""),
    ],
)  # fmt: skip
def test_devices(agent: str, device: str) -> None:
    assert device_of({"user-agent": agent}) == device


def test_contents_come_in_the_language_of_the_page(house: House) -> None:
    def title(**query: str) -> str:
        return str(house.get(userId="lea", **query).json()["slots"]["hero"][0]["content"]["title"])

    house.client.ingest({"type": "identify", "userId": "lea", "traits": {"language": "de", "reads": "<b>horror</b>"}})
    assert title() == "Willkommen"
    assert title(language="en-GB") == "Welcome"
    assert title(language="de_AT") == "Willkommen"
    text = house.get(userId="lea").json()["slots"]["text"][0]["content"]["text"]
    assert text == "<b>horror</b>", "data: who shows it makes text of it"


def test_who_may_ask(house: House) -> None:
    def said(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["code"]

    visitor = house.visitor()
    assert said(house.http.get("/v1/pages/home")) == (401, "no-key")
    assert said(house.get(key=house.blind, anonymousId=visitor)) == (403, "wrong-key")
    assert said(house.browse(origin="https://evil.example", anonymousId=visitor)) == (403, "wrong-origin")
    assert said(house.browse(userId="ana")) == (403, "user-token-needed")
    assert said(house.browse()) == (400, "bad-request")
    secret = house.http.get("/v1/pages/home", params={"userId": "ana", "writeKey": house.server})
    assert said(secret) == (401, "key-in-address")
    house.client.ingest([{"type": "page", "anonymousId": visitor, "name": "horror"} for _ in "12"])
    house.client.ingest({"type": "identify", "userId": f"user-of-{visitor}", "anonymousId": visitor})
    assert said(house.browse(anonymousId=visitor)) == (403, "user-token-needed")
    token = house.client.user_token(f"user-of-{visitor}").user_token
    known = house.browse(userToken=token)
    assert known.json()["slots"]["hero"][0]["action"] == "ghosts", "what they looked at before they signed in counts"


def test_an_unknown_page_and_a_wrong_request_say_what_is_wrong(house: House) -> None:
    with pytest.raises(NotFound, match="there is no page 'hom': did you mean `home`"):
        house.client.page("hom", "ana")
    with pytest.raises(BadRequest, match="name a customer"):
        house.client.page("home")
    for name, value in (("refferer", "x"), ("context", "[1]"), ("context", "{")):
        told = house.get(userId="ana", **{name: value})
        assert (told.status_code, told.json()["field"]) == (400, name)
    assert "did you mean `referrer`" in house.get(userId="ana", refferer="x").json()["detail"]


def test_a_peek_leaves_nothing_and_a_retry_gets_the_first_answer(house: House) -> None:
    peek = house.client.page("home", anonymous="nobody-yet", peek=True)
    assert peek.decision_id is None
    assert house.get(anonymousId="nobody-yet", peek="true").json()["decisionId"] is None
    first = house.client.page("home", "ana", request_id="r1")
    assert house.client.page("home", "ana", url=ADDRESS, request_id="r1") == first
    assert house.client.page("home", "ana", request_id="r2").decision_id != first.decision_id


def test_what_is_released_makes_room_again() -> None:
    capped = {**CATALOG, "contact": [{"name": "once", "on": "action", "at_most": 1, "in": "1d"}]}
    hub = Hub.of(from_data(capped))
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:
        first = client.page("product", "ana")
        assert client.page("product", "ana").slots["hero"] == [], "the contact is reserved"
        assert client.respond(str(first.decision_id), "welcome", "released")
        assert [offer.action for offer in client.page("product", "ana").slots["hero"]] == ["welcome"]
    hub.close()


def test_items_come_with_what_is_known_of_them(house: House) -> None:
    house.client.put_items(BOOKS)
    visitor = house.visitor()
    told = house.browse("shelf", anonymousId=visitor).json()
    [offer] = told["slots"]["books"]
    assert len(offer["items"]) == 2
    assert set(told["items"]) == {item["id"] for item in offer["items"]}
    for item in told["items"].values():
        assert set(item) == {"id", "title", "url", "price", "categories"}, "and not the margin"
    assert "items" not in house.browse("home", anonymousId=visitor).json()


def test_a_placement_of_any_channel_that_customers_come_to_can_be_a_slot(house: House) -> None:
    offer = house.client.page("home", "ana").slots["native"][0]
    assert (offer.action, offer.placement) == ("native", "app.home.banner")
    alone = house.client.decide("ana", "app.home.banner")
    assert alone.actions[0].action == "native", "and it can be asked for by itself, as any placement"


def test_limits_are_one_for_all_or_one_for_each(house: House) -> None:
    hub = Hub.of(from_data(CATALOG))
    both = [HERO, "web.home.tiles"]
    assert len(hub.decide("ana", placements=both, limit=(1, 4)).actions) == 5
    assert len(hub.decide("ana", placements=both, limit=2).actions) == 3
    for wrong in ((1,), (1, 2, 3), (1, 0), (1, True)):
        with pytest.raises(BadRequest, match="limit"):
            hub.decide("ana", placements=both, limit=wrong)
    hub.close()


def test_the_script_is_small_and_kept_by_its_hash(house: House) -> None:
    plain = house.http.get("/v1/opportune.js", headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["access-control-allow-origin"] == "*"
    assert plain.headers["cache-control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert len(gzip.compress(plain.content, 9)) < 6 * 1024
    packed = house.http.get("/v1/opportune.js", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    tag = plain.headers["etag"]
    same = house.http.get("/v1/opportune.js", headers={"If-None-Match": f'W/"x", {tag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert "content-length" not in same.headers
    kept = house.http.get("/v1/opportune.js", params={"v": tag.strip('"')})
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    old = house.http.get("/v1/opportune.js", params={"v": "0" * 16})
    assert "immutable" not in old.headers["cache-control"], "the hash of another version says nothing of this one"


def test_the_script_needs_nothing_that_a_strict_page_forbids(house: House) -> None:
    text = house.http.get("/v1/opportune.js").text
    for word in ("eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                 "document.cookie", "sessionStorage", "setAttribute(\"style", "import("):  # fmt: skip
        assert word not in text, word
