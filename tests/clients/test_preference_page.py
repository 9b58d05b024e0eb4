"""The customer's pages in a real browser: without JavaScript, by keyboard, for screen readers, at every width.

With OPPORTUNE_PICTURES set to a folder, pictures of the pages are left there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from devtools import Chromium

from opportune.api.beside import beside
from opportune.api.pages.address import mark
from opportune.api.pages.language import languages
from opportune.api.serving import door_of, listen
from opportune.catalog import from_data
from opportune.client import Client
from opportune.clock import DAY
from opportune.hub import Hub
from page_house import CATALOG, SEND

WIDTHS = (320, 768, 1280)

CONTRAST = """(() => {
  const paint = text => { const c = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    c.fillStyle = text; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data] }
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = e => { for (; e; e = e.parentElement) {
    const c = paint(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c } return paint('Canvas') }
  const bad = []
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue
    const [a, b] = [light(paint(getComputedStyle(e).color)), light(behind(e))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) bad.push([e.tagName, walk.currentNode.data.trim().slice(0, 30), ratio])
  }
  return bad
})()"""
"""Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""

SMALL = """[...document.querySelectorAll('button, select, input:not([type=hidden])')]
  .filter(e => e.getBoundingClientRect().height < 24).map(e => e.outerHTML)"""
"""What is too small to be touched (WCAG 2.2, 2.5.8)."""


@dataclass
class Site:
    """A server with one customer, and the tokens of their messages."""

    address: str
    client: Client
    tokens: dict[str, str]

    def page(self, who: str, what: str = "preferences", query: str = "") -> str:
        return f"{self.address}/{what}/{self.tokens[who]}{query}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    hub, tokens = Hub.of(from_data(CATALOG)), dict[str, str]()
    door, _ = door_of(hub)
    for who in ("ana", "ben", "cem", "dia"):
        known = {"first_name": who.title(), "plan": "gold", "lines": 2, "email": f"{who}@example.com"}
        hub.ingest([
            {"type": "identify", "userId": who, "traits": known},
            {"type": "track", "userId": who, "event": "Consent Updated", "properties": SEND},
            {"type": "track", "userId": who, "event": "Complaint"},
        ])  # fmt: skip
        made = hub.decide(who, "email.weekly")
        hub.respond(str(made.decision_id), "more_data", "delivered")
        view = hub.people.resolve(who, None)
        assert view
        data = {"s": view.subject, "d": made.decision_id, "a": "more_data", "c": "email"}
        data["k"] = mark(door, view, hub.plan.channels["email"], known["email"])
        tokens[who] = door.signer.sign("message", data, hub.clock.now() + 400 * DAY)
    with beside(hub, listen("127.0.0.1", 0)) as (address, secret), Client(address, secret) as client:
        yield Site(address, client, tokens)
    hub.close()


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.mark.parametrize("javascript", [False, True], ids=["without scripts", "with scripts"])
def test_a_customer_chooses(site: Site, browser: Chromium, javascript: bool) -> None:
    who = "ana" if javascript else "ben"
    browser.width(1280)
    browser.open(site.page(who), javascript)
    assert browser.value("document.querySelector('h1').textContent") == "Your choices"
    browser.click("[name=way-email]", leads_on=False)
    browser.click("[name=way-sms]", leads_on=False)
    browser.click("[name=topic-news]", leads_on=False)
    browser.click("#choices button")
    assert browser.value("document.querySelector('[role=status]').textContent") == "Saved. It counts from now on."
    ticked = "[...document.querySelectorAll('input[type=checkbox]:checked')].map(box => box.name)"
    assert sorted(browser.value(ticked)) == ["topic-offers", "way-app", "way-sms"]
    consents = site.client.profile(who).consents
    assert consents["marketing/email"] == "withdrawn"
    assert consents["marketing/sms"] == "granted"
    assert consents["marketing/all/news"] == "withdrawn"
    browser.click("#pause button")
    assert "You are taking a break until" in browser.value("document.querySelector('#pause').textContent")
    browser.click("#pause button")
    browser.click("#situations button")
    assert "noted" in browser.value("document.querySelector('[role=status]').textContent")
    assert site.address in browser.value("location.href")


def test_unsubscribe_and_be_forgotten_without_scripts(site: Site, browser: Chromium) -> None:
    browser.open(site.page("cem", "u"), javascript=False)
    assert site.client.profile("cem").consents["marketing/email"] == "granted"
    browser.click("main button")
    assert browser.value("document.querySelector('h1').textContent") == "You are unsubscribed"
    assert site.client.profile("cem").consents["marketing/email"] == "withdrawn"
    browser.click("main a")
    browser.click("#data form:last-of-type button")
    assert browser.value("document.querySelector('h1').textContent") == "Delete everything?"
    browser.click("main button", leads_on=False)
    assert browser.value("document.querySelector('h1').textContent") == "Delete everything?", "the box has to be ticked"
    browser.click("[name=sure]", leads_on=False)
    gone = "We know nothing about you any more"
    for address, title in (("dia@example.com", "Delete everything?"), ("cem@example.com", gone)):
        browser.value(f"document.querySelector('[name=address]').value = '{address}'")
        if not browser.value("document.querySelector('[name=sure]').checked"):
            browser.click("[name=sure]", leads_on=False)
        browser.click("main button")
        assert browser.value("document.querySelector('h1').textContent") == title
    browser.open(site.page("cem"), javascript=False)
    assert browser.value("document.querySelector('h1').textContent") == "We know nothing about you any more"


def test_the_keyboard_alone(site: Site, browser: Chromium) -> None:
    browser.width(1280)
    browser.open(site.page("dia"), javascript=False)
    focused = "(e => e.name || e.className || e.textContent)(document.activeElement)"
    seen = []
    for _ in range(40):
        browser.press("Tab")
        seen.append(browser.value(focused))
        outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", seen[-1]
        if seen[-1] == "way-sms":
            browser.press(" ")
        if seen[-1] == "Save choices":
            break
    assert seen[0] == "skip"
    assert seen.index("way-email") < seen.index("often-email") < seen.index("way-sms") < seen.index("topic-news")
    browser.press("Enter", leads_on=True)
    assert site.client.profile("dia").consents["marketing/sms"] == "granted"


def test_what_a_screen_reader_is_told(site: Site, browser: Chromium) -> None:
    browser.open(site.page("dia"))
    nodes = [node for node in browser.accessible() if not node["ignored"]]
    roles = {node["role"] for node in nodes}
    assert {"banner", "main", "contentinfo", "heading", "group", "region", "table"} <= roles
    named = ("button", "checkbox", "combobox", "textbox", "link", "group", "region", "spinbutton")
    assert [node for node in nodes if node["role"] in named and not node["name"].strip()] == []
    names = {node["name"] for node in nodes}
    assert {"How may we reach you?", "How often: E-mail", "Why did you get this message?", "Save choices"} <= names


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(site: Site, browser: Chromium, scheme: str) -> None:
    browser.width(1280)
    for what in ("preferences", "u"):
        browser.open(site.page("dia", what, "?done=saved"), prefers_color_scheme=scheme)
        assert browser.value(CONTRAST) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_language_fits(site: Site, browser: Chromium, width: int) -> None:
    browser.width(width)
    for code in languages() if width == 320 else ("en", "de", "ar"):
        browser.open(site.page("dia", query=f"?language={code}&done=saved"))
        assert browser.value("document.documentElement.scrollWidth") <= width, code
        assert browser.value(SMALL) == [], code
        keep(browser, f"{code}-{width}")


def test_it_asks_nobody_else_for_anything(site: Site, browser: Chromium) -> None:
    browser.requests.clear()
    browser.problems.clear()
    browser.open(site.page("dia"))
    assert [url for url in browser.requests if not url.startswith(site.address)] == []
    assert len(browser.requests) == 1
    assert browser.problems == []
    assert browser.value("document.cookie") == ""
    assert browser.value("document.referrer") == ""


def test_global_privacy_control(site: Site, browser: Chromium) -> None:
    browser.headers(**{"Sec-GPC": "1"})
    try:
        browser.open(site.page("dia"))
        assert "Global Privacy Control" in browser.value("document.body.innerText")
        assert site.client.profile("dia").consents["ads/all"] == "refused"
    finally:
        browser.headers()


def keep(browser: Chromium, name: str) -> None:
    if folder := os.environ.get("OPPORTUNE_PICTURES"):
        browser.picture(Path(folder) / f"{name}.png")
