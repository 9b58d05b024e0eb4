"""What pages draw: texts of customers and catalogs never become markup, and bars are as long as their numbers."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from msgspec.structs import replace

from opportune.api.asked import compared
from opportune.clock import DAY, SECOND
from opportune.console.pages import decided as decision_told
from opportune.console.pages import decisions, known, says, worth
from opportune.console.parts.feed import feed, story, veiled
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.points import Point
from opportune.console.parts.points import _options as points_options
from opportune.console.parts.share import share, share_figure
from opportune.console.parts.shown import once, worded
from opportune.console.serving import nowhere
from opportune.console.words import Words
from opportune.events.types import Event
from opportune.measure import care
from opportune.measure.summary import rate
from opportune.services.happened import event_told
from opportune.wire import Explanation, KnownFact, Lost, Mover, Profile, Won
from opportune.wire.recalling import (
    Became,
    CatalogUsed,
    ConsentRead,
    DecisionRecord,
    DecisionRow,
    LeaderTold,
    LimitMet,
    PlaceRecord,
    PlaceSaid,
    Redecided,
    Said,
    Withheld,
)
from opportune.wire.trying import HeldEffect
from opportune.wire.watching import Added, Counts, Happened, HubHealth, NowInfo, Share

AT = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
WORDS = Words.of("en-GB", "Europe/Berlin")


class Tags(HTMLParser):
    """The tags of some markup with the names of their attributes, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(text: str) -> list[Markup]:
    """Return everything that is drawn from texts that are not ours, with one text in every place."""
    won = Won(text, text, text, text, 1, 0.25, 0.0, 1.0, 60.0, 1.5, 22.5, None, 0.98, [Mover(text, text, 0.5)], text)
    happened = Happened(AT, "event", text, text, text, text)
    profile = Profile(text, text, [text], {text: text}, {text: 1}, {text: text}, [text], [], {text: text},
                      {text: KnownFact(text, "trait", text, text, AT, 2, text)})  # fmt: skip
    return [
        says.waterfall(won, WORDS), says.moved(won.moved_by, WORDS), says.lost([Lost(text, text, text, text)]),
        feed((happened,), WORDS, True), feed((happened,), WORDS, False), story([happened], WORDS),
        known.facts(profile, WORDS), known.consents(profile), known.situations(profile),
        figure(text, text, text, text, (text, "/now")), empty(text, text.replace("`", ""), text),
        worded(text.replace("`", "")), *decided(text),
    ]  # fmt: skip


def decided(text: str) -> list[Markup]:
    """Return what the pages of decisions draw."""
    said = Said(text, text, text, text, 1, 0.1, 1.0, 0.1, 0.5, [text], AT, True)
    place = PlaceSaid(text, text, [said], text, text, text, True)
    won = Won(text, text, text, text, 1, 0.25, 0.0, 1.0, 60.0, 1.5, 22.5, 3.0, 0.98, [Mover(text, text, 0.5)], text)
    leader = LeaderTold(text, 1, 0.1, 0.0, 1.0, 1.0, 1.0, 0.1, None, None)
    kept = PlaceRecord(text, text, 0.0, 1, text, 0.1, True, Withheld(text, 0.1, None, text), [leader], {text: 1})
    record = DecisionRecord(
        text, 1, AT, text, [text], [1], {text: text}, text, text, {text: text}, text, CatalogUsed(1, text, AT, text), 1,
        1, {text: text}, [ConsentRead(text, text, text, text)], [LimitMet(text, text, text, True)], [kept],
        [Became(text, text, text, False, AT, AT, text, {text: AT}, [text], True, True)],
    )  # fmt: skip
    lost = Lost(text, text, "available", text.replace("`", ""))
    return [
        decisions.drawn([DecisionRow(text, AT, text, text, text, [place])], WORDS), decision_told.asked(record, WORDS),
        decision_told.answered(kept, [won], WORDS), decision_told.lost([lost]), decision_told.became(record, WORDS),
        decision_told.limits(record), decision_told.values(record, WORDS), decision_told.versions(record, WORDS),
        decision_told.proved(Redecided(False, [text], Explanation([], [], None, [], False))),
    ]


@given(st.one_of(st.text(min_size=1), st.sampled_from(["<script>x</script>", '"><img src=x onerror=y>', "{0} {} {x}"])))
def test_a_text_that_is_not_ours_never_becomes_markup(text: str) -> None:
    for usual, hostile in zip(drawn("plain"), drawn(text), strict=True):
        assert Tags(hostile).found == Tags(usual).found


def test_a_waterfall_falls_from_value_to_priority() -> None:
    won = Won("a", "t", "p", "c", 1, 0.25, 0.0, 0.8, 60.0, 1.5, 18.0, None, 1.0, [], "")
    bars = [(float(left), float(width)) for left, width in
            re.findall(r"left:([\d.]+)%;width:([\d.]+)%", says.waterfall(won, WORDS))]  # fmt: skip
    ends = [(left, left + width) for left, width in bars]
    assert ends[0] == (0, 100)
    for (low, high), (wanted_low, wanted_high) in zip(ends[1:], ((25, 100), (20, 25), (20, 30), (0, 30)), strict=True):
        assert low == pytest.approx(wanted_low, abs=0.02)
        assert high == pytest.approx(wanted_high, abs=0.02)


def test_what_was_imported_is_told_with_the_day_it_happened_and_when_it_was_received() -> None:
    at = int(AT.timestamp()) * SECOND
    order = Event(type="track", message_id="m", at=at, received_at=at, event="Order Completed")
    assert event_told(order, "maya").received is None
    late = event_told(replace(order, at=order.at - 30 * DAY), "maya")
    assert (late.at, late.received) == (AT - timedelta(days=30), AT)
    for drawing in (feed((late,), WORDS, True), story([late], WORDS)):
        assert "23/10/2026, 14:30" in drawing
        assert "received 22 Nov 2026, 13:30:00 CET" in drawing
    assert "received" not in feed((event_told(order, "maya"),), WORDS, True)
    assert "Nothing new has happened" in feed((), WORDS, True)


def quiet(counted: float) -> NowInfo:
    """Return a hub in which nothing has happened."""
    none = Share(0, 0, None, None)
    asked = compared(None, {care.HUB: care.Answers(), care.HOLDOUT: care.Answers()})
    health = HubHealth(0, 0.0, 0, None, None, 0, 0)
    return NowInfo(
        AT, "UTC", "EUR", Counts(), Counts(), [], AT, counted, {"hub": none, "random": none},
        Added(None, None, "no action of the hub was seen yet"), none, [], asked, [], None, "soon", health, [],
    )  # fmt: skip


def test_while_it_is_counted_nothing_is_said_to_be_missing() -> None:
    told = str(worth.worth(quiet(0.01), WORDS))
    assert told.count("being counted") == 4
    assert "seen yet" not in told
    assert "Yes to the hub" in told
    assert "Pushed" in told
    assert "seen yet" in worth.worth(quiet(1.0), WORDS)


def test_tables_become_lists_on_a_phone() -> None:
    profile = Profile("s", "c", [], {"plan": "plus"}, {"email": 2}, {}, [], [], {},
                      {"plan": KnownFact("plan", "trait", "Plan Chosen", "web", AT, 2, "plus")})  # fmt: skip
    drawn = str(known.facts(profile, WORDS))
    assert "stacks" in drawn
    assert 'data-head="since, and from"' in drawn
    assert "Plan Chosen (web), 2 events" in drawn
    effect = HeldEffect("orders", AT, 1, 2, 0.1, 0.2, None, None, None, "too few")
    told = worth.worth(replace(quiet(1.0), value=[effect]), WORDS)
    assert 'data-head="may be contacted"' in told
    assert "stacks" in told


def test_an_address_that_leads_nowhere_says_so_in_words() -> None:
    app = FastAPI()
    nowhere(app)

    async def asked(path: str, accept: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as door:
            return await door.get(path, headers={"accept": accept})

    page = asyncio.run(asked("/opertions", "text/html,*/*"))
    assert page.status_code == 404
    assert "There is no page at this address" in page.text
    assert "HTTPException" not in page.text
    assert asyncio.run(asked("/x.js", "*/*")).json() == {"detail": "Not Found"}


def test_who_may_not_see_customers_reads_no_name_and_no_property() -> None:
    happened = (Happened(AT, "event", "maya", "Identified", "phone 0123"),
                Happened(AT, "decision", "maya", "keep_bundle", "in app.home.hero: P 3 %"))  # fmt: skip
    text = Tags(feed(happened, WORDS, False)).text + str(feed(happened, WORDS, False))
    assert "maya" not in text
    assert "0123" not in text
    assert "app.home.hero" in text, "what the hub decided is no secret"
    assert veiled(happened[0]).detail == ""


def test_a_drawing_is_shared_as_long_as_its_value_is_the_same() -> None:
    calls = []

    @once
    def draw(value: list[int], how: str) -> int:
        calls.append(how)
        return sum(value)

    one, equal = [1, 2], [1, 2]
    assert [draw(one, "a"), draw(one, "a"), draw(one, "b"), draw(equal, "a")] == [3, 3, 3, 3]
    assert calls == ["a", "b", "a"]
    for number in range(100):
        assert draw([number], "a") == number


def test_what_is_not_known_is_said_in_words() -> None:
    assert "has too few answers" in says.moved([Mover("x", "any", 0.0)], WORDS)
    assert worth.__doc__
    assert WORDS.points(None) == "–"


def test_a_share_of_few_is_told_as_its_counts_and_of_many_with_its_interval() -> None:
    few, many = rate(0, 1), rate(90, 1000)
    assert "79%" in share(0, 1, (few.low, few.high), WORDS)
    assert share(0, 1, (few.low, few.high), WORDS).striptags() == "0 of 1"
    assert share(90, 1000, (many.low, many.high), WORDS).striptags() == "9% 7% to 11%, of 1,000"
    assert share(0, 0, None, WORDS).striptags() == "no answer yet"
    drawn = share_figure("Said yes", 2, 9, (0.06, 0.55), "what it means", WORDS)
    assert ">2 of 9</dd>" in drawn
    assert "too few to tell a share: 6% to 55%" in drawn
    assert ">9%</dd>" in share_figure("Said yes", 90, 1000, (many.low, many.high), "what it means", WORDS)


def test_names_are_written_where_nothing_is_in_their_way() -> None:
    def drawn(*found: Point) -> dict[str, bool]:
        data = next(one["data"] for one in points_options(("x", "y"), found, False, None)["series"] if "label" in one)
        return {one["name"]: one["label"]["show"] for one in data}

    apart = drawn(Point("left", 0.2, 0.5, 9, ""), Point("middle", 0.5, 0.5, 4, ""), Point("right", 0.8, 0.4, 1, ""))
    assert sum(apart.values()) >= 2
    alike = drawn(*(Point(f"action_{i}", 0.5 + i / 1000, 0.5, 10 - i, "") for i in range(10)), Point("x", 0, 0, 1, ""))
    assert sum(alike.values()) <= 3, "names lie over each other"
