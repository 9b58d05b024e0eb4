"""Slots of a page in a real browser, filled by the script from a real hub that may be slow or away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from devtools import Chromium
from page_site import Site

from opportune.api.beside import beside
from opportune.api.serving import listen
from opportune.catalog import from_data
from opportune.client import Client
from opportune.hub import Hub
from page_shop import BOOKS, CATALOG

PATIENT = 'data-page="home" data-wait="20000"'
"""A page that waits longer than a busy machine takes."""

STATE = "document.querySelector('[data-opportune=%s]').dataset.opportuneState"
TEXT = "document.querySelector('[data-opportune=%s]').innerText.trim()"


class Served(NamedTuple):
    """A hub behind its door."""

    address: str
    client: Client


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    hub = Hub.of(from_data(CATALOG))
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:
        client.put_items(BOOKS)
        client.page("home", "warm-up", peek=True)
        yield Served(address, client)
    hub.close()


@pytest.fixture(scope="module")
def site(served: Served) -> Iterator[Site]:
    made = served.client.new_key("write", scopes=["decide:anonymous"], rate=0)
    with Site(served.address, str(made.key)) as site:
        yield site


@pytest.fixture(scope="module")
def started(chromium: str) -> Iterator[Chromium]:
    with Chromium() as browser:
        browser.width(1000, 700)
        yield browser


@pytest.fixture
def browser(started: Chromium, site: Site) -> Iterator[Chromium]:
    started.do("Storage.clearDataForOrigin", origin=site.address, storageTypes="all")
    started.problems.clear()
    yield started
    started.open("about:blank")
    time.sleep(0.1)  # what is told when a page is left belongs to this test
    thrown = [problem for problem in started.problems if "exceptionDetails" in problem or "Security Policy" in problem]
    assert not thrown, "nothing is thrown into the page, and nothing breaks its policy"


def until(true: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def settled(browser: Chromium, slot: str = "hero") -> str:
    """Return what became of a slot."""
    until(lambda: browser.value(STATE % slot) in ("filled", "default"))
    return str(browser.value(STATE % slot))


def test_slots_are_filled_in_one_decision_without_flicker(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT, delay=0.2))
    assert settled(browser) == "filled"
    assert browser.value(TEXT % "hero").split("\n") == ["Welcome", "", "Free returns"]
    assert browser.value("document.querySelector('[data-opportune=hero] a').pathname") == "/help"
    assert browser.value("document.querySelector('[data-opportune=hero] img').getAttribute('src')").endswith("/a.png")
    assert browser.value("[...document.querySelectorAll('article b')].map(b => b.textContent)") == [
        "tile_5", "tile_4", "tile_3",
    ]  # fmt: skip
    assert browser.value("document.querySelectorAll('article i').length") == 0, "what has no text is left out"
    assert settled(browser, "unknown") == "default"
    [asked] = site.told("/v1/pages/home")
    assert asked["url"].endswith("/?utm_source=news")
    assert asked["language"] == "en"
    frames = browser.value("frames")
    before = [frame for frame in frames if "default" in frame[4]]
    assert before
    assert {frame[1] for frame in before} == {"hidden"}, "what is replaced was never seen"
    assert len({(frame[2], frame[3]) for frame in before}) == 1, "the layout is kept"
    assert {frame[1] for frame in frames[len(before) :]} == {"visible"}


def test_a_hub_of_another_origin_under_a_strict_policy(served: Served, site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT, script=f"{served.address}/v1/opportune.js"))
    assert settled(browser) == "filled"
    assert site.asked == []


def test_what_looks_like_markup_is_text_and_no_address_runs_a_script(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT))
    assert settled(browser, "text") == "filled"
    assert browser.value(TEXT % "text").split("\n")[0] == "<img src=x onerror=boom()>"
    assert browser.value("document.querySelectorAll('[data-opportune=text] img').length") == 0
    assert browser.value("document.querySelector('[data-opportune=text] a').getAttribute('href')") is None


@pytest.mark.parametrize("how", ["closed", "an error", "no script"])
def test_the_default_stays_where_the_hub_is_away(site: Site, browser: Chromium, how: str) -> None:
    page, script = "nowhere" if how == "an error" else "home", "/v1/none.js" if how == "no script" else ""
    browser.open(site.again(f'data-page="{page}"', script, closed=how == "closed", hidden="0.2s"))
    until(lambda: browser.value(TEXT % "hero") == "The default hero")
    assert browser.value("getComputedStyle(document.querySelector('[data-opportune]')).visibility") == "visible"
    assert browser.value(STATE % "hero") == (None if how == "no script" else "default")


def test_what_was_seen_before_the_script_came_is_not_replaced(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT, hidden="0s"))
    assert settled(browser) == "default"
    until(lambda: browser.value("performance.getEntriesByType('resource').some(e => e.name.includes('/v1/pages/'))"))
    browser.open("about:blank")
    until(lambda: len(site.outcomes()) == 6)
    assert {outcome for _, outcome in site.outcomes()} == {"released"}


def test_a_slow_hub_costs_150_ms_and_changes_nothing_afterwards(site: Site, browser: Chromium) -> None:
    site.answers.clear()
    try:
        browser.open(site.again('data-page="home"'))
        assert settled(browser) == "default", "while the hub has not answered"
    finally:
        site.answers.set()
    turns = {(slot, state): at for slot, state, at in browser.value("turns")}
    assert turns["hero", "default"] - turns["hero", "waiting"] > 140
    until(lambda: site.outcomes())
    assert {outcome for _, outcome in site.outcomes()} == {"released"}, "nothing of it was seen"
    assert len(site.outcomes()) == 6
    assert browser.value(TEXT % "hero") == "The default hero"
    visible = [frame[1] for frame in browser.value("frames")]
    assert visible == sorted(visible), "hidden at first, visible from then on"


def test_nothing_is_stored_before_consent(served: Served, site: Site, browser: Chromium) -> None:
    stored = "[Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]"
    browser.open(site.again(f"{PATIENT} data-events"))
    settled(browser)
    assert browser.value(stored) == [[], [], ""]
    first = site.told("/v1/pages/home")[0]["anonymousId"]
    browser.open(f"{site.address}/")
    settled(browser)
    second = site.told("/v1/pages/home")[1]["anonymousId"]
    assert first != second, "two visits of nobody in particular"
    assert not site.told("/v1/page"), "no event without consent"
    browser.value("opportune.consent(true)")
    assert browser.value(stored) == [["opportune_anonymous_id"], [], ""]
    assert browser.do("Network.getCookies")["cookies"] == []
    until(lambda: site.told("/v1/page"))
    browser.open(f"{site.address}/")
    settled(browser)
    third = site.told("/v1/pages/home")[2]["anonymousId"]
    assert third == second, "now they are known again"
    known = served.client.user_token("maya").user_token
    browser.value(f"opportune.identify('maya', '{known}'); opportune.page('home')")
    until(lambda: len(site.told("/v1/pages/home")) == 4 and browser.value(STATE % "hero") == "filled")
    assert site.told("/v1/pages/home")[3]["userToken"] == known
    until(lambda: site.told("/v1/identify"))
    assert site.told("/v1/identify")[0]["anonymousId"] == third
    until(lambda: ("welcome", "impression") in site.outcomes())
    ids = [one["id"] for one in served.client.export("maya").ids]
    assert third in ids, "what they did before they signed in is theirs"
    browser.value("opportune.consent(false)")
    assert browser.value(stored) == [[], [], ""]


def test_who_has_not_agreed_may_leave_nothing_behind(served: Served, site: Site, browser: Chromium) -> None:
    before = served.client.status().facts
    browser.open(site.again(f"{PATIENT} data-peek"))
    assert settled(browser) == "filled"
    browser.click("[data-opportune=hero] strong")
    assert site.told("/v1/outcomes") == []
    assert served.client.status().facts == before
    browser.open(f"{site.address}/")
    assert settled(browser) == "filled", "two questions at once may arrive in any order"
    browser.value("opportune.consent(true), opportune.page()")
    until(lambda: [asked["peek"] for asked in site.told("/v1/pages/home")][-1:] == [False])


def test_a_visitor_of_somebody_known_becomes_a_new_one(served: Served, site: Site, browser: Chromium) -> None:
    browser.open(site.again(f'{PATIENT} data-consent="granted"'))
    settled(browser)
    mine = browser.value("localStorage.opportune_anonymous_id")
    served.client.ingest({"type": "identify", "userId": "somebody", "anonymousId": mine})
    browser.open(f"{site.address}/")
    assert settled(browser) == "default", "nobody reads what is meant for somebody else"
    assert browser.value("localStorage.opportune_anonymous_id") != mine
    browser.open(f"{site.address}/")
    assert settled(browser) == "filled"


def test_an_impression_is_what_was_really_seen_and_a_click_is_an_outcome(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT))
    assert settled(browser, "tiles") == "filled"
    until(lambda: len(site.outcomes()) == 2)
    told = "performance.getEntriesByType('resource').find(e => e.name.includes('/v1/outcomes'))?.startTime"
    until(lambda: browser.value(told))
    [shown] = [at for slot, state, at in browser.value("turns") if (slot, state) == ("hero", "filled")]
    assert browser.value(told) - shown > 990, "half of it for a second, not less"
    assert sorted(site.outcomes()) == [("blurb", "impression"), ("welcome", "impression")], "the tiles are far below"
    browser.value("document.querySelector('article').scrollIntoView()")
    until(lambda: len(site.outcomes()) == 5)
    assert {action for action, outcome in site.outcomes()[2:]} == {"tile_5", "tile_4", "tile_3"}
    browser.click("article:nth-of-type(2) button", leads_on=False)
    until(lambda: ("tile_4", "dismiss") in site.outcomes())
    browser.click("[data-opportune=hero] strong")
    assert browser.value("location.pathname") == "/help"
    until(lambda: ("welcome", "click") in site.outcomes())
    assert len(set(site.outcomes())) == len(site.outcomes()), "each is told once"


def test_less_than_half_of_it_is_not_seen(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT))
    assert settled(browser, "tiles") == "filled"
    browser.value("""(() => {
      const first = document.querySelector('article');
      first.style.cssText = 'display: block; height: 200px';
      const above = first.getBoundingClientRect().top + scrollY;
      scrollTo(0, above - innerHeight + 80);
    })()""")
    until(lambda: len(site.outcomes()) == 0 and browser.value("scrollY") > 1000)
    time.sleep(1.3)
    assert [action for action, _ in site.outcomes()] == [], "80 of 200 pixels"
    browser.value("scrollBy(0, 60)")
    until(lambda: ("tile_5", "impression") in site.outcomes())


def test_what_was_shown_before_a_sign_in_is_answered_after_it(served: Served, site: Site, browser: Chromium) -> None:
    browser.open(site.again(f'{PATIENT} data-events data-consent="granted"'))
    assert settled(browser) == "filled"
    token = served.client.user_token("nora").user_token
    browser.value(f"opportune.identify('nora', '{token}')")
    until(lambda: [path for path, _, _ in site.answered if path == "/v1/identify"])
    browser.click("article button", leads_on=False)
    until(lambda: {one["outcome"] for one in answers(site) if one["news"]} == {"impression", "dismiss"})


def answers(site: Site) -> list[dict[str, Any]]:
    """Return what was told of actions with what the hub made of it."""
    both = [(asked, told) for path, asked, told in site.answered if path == "/v1/outcomes"]
    return [{**one, **what} for asked, told in both for one, what in zip(asked, told)]


MANY = """(() => {
  window.sent = [];
  const offer = (n) => ({ action: `a${n}`, treatment: "t", rank: 1, content: {}, items: [], outcomes: [] });
  const answer = { decisionId: "d", slots: { nowhere: [...Array(%d).keys()].map(offer) } };
  window.fetch = async (url, { body, keepalive }) => {
    if (String(url).includes("/outcomes?")) sent.push([JSON.parse(body).map((one) => one.action), !!keepalive]);
    return Response.json(String(url).includes("/pages/") ? answer : []);
  };
  opportune.page();
})()"""
"""Answers to a page with so many offers for a slot that is not there, and notes what is told of them."""


@pytest.mark.parametrize(("count", "leave", "parts", "outlives"), [
    (650, "opportune.page()", [100] * 6 + [50], False),
    (650, "dispatchEvent(new Event('pagehide'))", [100] * 6 + [50], True),
    (100, "opportune.page()", [100], True),
])  # fmt: skip
def test_many_outcomes_are_told_in_parts(
    site: Site, browser: Chromium, count: int, leave: str, parts: list[int], outlives: bool
) -> None:
    browser.open(site.again(PATIENT))
    assert settled(browser) == "filled"
    browser.value(MANY % count)
    until(lambda: browser.value("document.querySelector('[data-opportune=hero]').innerText") == "The default hero")
    time.sleep(0.1)
    browser.value(f"sent.length = 0, {leave}")
    until(lambda: sum(len(told) for told, _ in browser.value("sent")) >= count)
    sent = browser.value("sent")
    assert [len(told) for told, _ in sent] == parts, "the hub takes up to 500 at once"
    assert [action for told, _ in sent for action in told] == [f"a{n}" for n in range(count)]
    assert {keepalive for _, keepalive in sent} == {outlives}


def test_a_page_that_changes_itself_is_filled_again(site: Site, browser: Chromium) -> None:
    browser.open(site.again(PATIENT))
    assert settled(browser, "tiles") == "filled"
    browser.value("opportune.page('product', {basket: 200})")
    until(lambda: browser.value(TEXT % "hero") == "basket")
    assert settled(browser, "tiles") == "default"
    assert "The default tiles" in browser.value(TEXT % "tiles")
    assert browser.value("document.querySelectorAll('[data-opportune=tiles] template').length") == 1
    browser.value("opportune.page('shelf')")
    until(lambda: browser.value("document.querySelectorAll('ol li').length") == 2)
    assert "<i>Book " in browser.value(TEXT % "books")
    assert "/books/" in browser.value("document.querySelector('li a').pathname")
    browser.value("opportune.page('home')")
    until(lambda: browser.value("document.querySelectorAll('article').length") == 3)
    browser.value("document.body.insertAdjacentHTML('beforeend', '<p data-opportune=\"native\">A late slot</p>')")
    until(lambda: browser.value(TEXT % "native") == "native")
    before = len(site.told("/v1/pages/home"))
    browser.value("opportune.page(), opportune.page(), opportune.identify(), opportune.consent()")
    browser.value("opportune.page('gone')")
    until(lambda: site.told("/v1/pages/gone"))
    assert settled(browser) == "default"
    assert before <= len(site.told("/v1/pages/home")) <= before + 2
