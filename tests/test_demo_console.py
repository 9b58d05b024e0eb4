"""The console of the demo as a newcomer sees it: every view has something to show, and the tour plays, twice."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

OPPORTUNE = str(Path(sys.executable).parent / "opportune")
WAIT = 60_000
"""Milliseconds that anything may take on a machine that is busy."""

expect.set_options(timeout=WAIT)


@dataclass
class Demo:
    """A demo that runs, and a browser that its link let in."""

    folder: Path
    address: str
    browser: Browser
    cookies: Any

    def page(self, path: str) -> Page:
        page = self.browser.new_context(storage_state=self.cookies, locale="en-GB").new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: pytest.fail(f"a script of the page threw: {error}"))
        page.goto(self.address + path)
        return page


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "company"
    words = OPPORTUNE, "demo", "--dir", str(folder), "--port", "0", "--customers", "60", "--seconds", "600"
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            link = next(m[0] for line in process.stdout if (m := re.search(r"http://[\d.:]+/welcome/[\w-]+", line)))
            page = browser.new_context(locale="en-GB").new_page()
            page.goto(link)
            page.wait_for_url("**/now")
            yield Demo(folder, link.partition("/welcome")[0], browser, page.context.storage_state())
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()  # type: ignore[union-attr]


WATCH = """() => { window.seen = []; setInterval(() => {
  const hero = document.querySelector('[data-place="app.home.hero"]')
  const steps = [...document.querySelectorAll('.told-steps li')]
  if (!steps.length) return  // it is being drawn
  const now = {hero: hero ? hero.dataset.action : '', step: steps.findIndex(li => li.className == 'strong') + 1,
               situations: [...document.querySelectorAll('.head .tag')].map(tag => tag.textContent.trim()).join(' ')}
  if (JSON.stringify(now) != JSON.stringify(window.seen[window.seen.length - 1])) window.seen.push(now)
}, 50) }"""
"""Keeps what is seen of the story, one after the other."""

VIEWS = {
    "/now": "Is it worth it?",
    "/customer?id=customer-00001": "What each channel would say now",
    "/messages": "newsletter",
    "/actions": "tv_pack",
    "/actions?view=changes": "tips bring people into the app",
    "/models": "tv_pack",
    "/data": "Events as they arrive",
    "/trust": "4 days left",
    "/operations": "Two under one roof",
    "/operations?campaign=spring": "the prices are right",
    "/operations?view=calendar": "care",
    "/operations?view=figures": "Marketing ROI",
    "/operations?view=health": "heatmaps",
    "/operations?view=tools": "segmenter",
    "/operations?view=reports": "Marketing this week",
    "/lab": "Titles in plain words are accepted more often",
    "/lab?view=tests": "tap_tv",
    "/lab?view=holdouts": "no_offers",
    "/lab?test=plain_tv": "look by look",
}
"""What is to be read in a view, beside its frame."""

SOME = "/now", "/messages", "/trust", "/operations", "/operations?view=tools", "/lab"
NOTHING = ("No campaign", "No hypothesis", "No experiment", "No tool", "Nobody is known", "No request")


@pytest.mark.parametrize("paths", [SOME, pytest.param(tuple(VIEWS), marks=pytest.mark.long)])
def test_every_view_has_content(demo: Demo, paths: tuple[str, ...]) -> None:
    page = demo.page("/now")
    for path in paths:
        page.goto(demo.address + path)
        expect(page.get_by_text(VIEWS[path]).first).to_be_visible(timeout=WAIT)
        told = page.locator(".stage").inner_text()
        assert not [words for words in NOTHING if words in told], (path, told)
    page.context.close()


def test_the_tour_plays_twice_in_a_row(demo: Demo) -> None:
    """Cancellation clicks arrive, what keeps her wins, she buys, and the reward takes its place."""
    page = demo.page("/now")
    people = set()
    for _ in range(2):
        page.click('[data-tour="play"]')
        page.wait_for_url("**/customer?id=maya*")
        people.add(page.url.partition("id=")[2].partition("&")[0])
        page.evaluate(WATCH)
        expect(page.locator(".told-steps li").nth(4)).to_have_class("strong")
        expect(page.get_by_role("button", name="Send her events to the hub")).to_be_visible()
        seen = page.evaluate("window.seen")
        kept = [at for at, one in enumerate(seen) if re.fullmatch("keep_bundle|keep_price|call_me_back", one["hero"])]
        assert kept, seen
        assert seen[kept[0]]["step"] >= 4, f"one look at the way out is no wish to leave: {seen}"
        assert kept == [*range(kept[0], kept[-1] + 1)], seen
        assert "leaving" in seen[kept[-1]]["situations"], seen
        assert seen[-1]["hero"] not in ("", *(seen[at]["hero"] for at in kept)), "who has bought is not to be kept"
        assert "leaving" not in seen[-1]["situations"], seen
        page.goto(demo.address + "/now")
    assert len(people) == 2, "whoever has bought today is not played with again"
    page.context.close()


def test_the_tour_is_put_away_and_comes_back(demo: Demo) -> None:
    page = demo.page("/now")
    expect(page.locator(".tour li")).to_have_count(5)
    page.click("text=Put away")
    expect(page.locator(".tour")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Show the tour again")).to_be_visible()
    expect(page.locator(".tour")).to_have_count(0)
    page.click("text=Start here")
    expect(page.locator(".tour li")).to_have_count(5)
    page.context.close()


def test_each_step_of_the_tour_leads_somewhere(demo: Demo) -> None:
    page = demo.page("/now")
    links = [str(link.get_attribute("href")) for link in page.locator(".tour li a").all()]
    assert len(links) == 5
    for link in links:
        page.goto(demo.address + link)
        expect(page.locator(".card h2").first).to_be_visible()
        assert "There is no" not in page.locator(".stage").inner_text(), link
    page.context.close()
