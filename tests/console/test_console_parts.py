"""What pages draw: texts of customers and catalogs never become markup, and bars are as long as their numbers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from opportune.console.pages import known, says, worth
from opportune.console.parts.feed import feed, story, veiled
from opportune.console.parts.figure import empty, figure
from opportune.console.parts.shown import once, worded
from opportune.console.words import Words
from opportune.watching import Happened
from opportune.wire import KnownFact, Lost, Mover, Profile, Won

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
        figure(text, text, text, text, (text, "/now")), empty(text, text, text), worded(text.replace("`", "")),
    ]  # fmt: skip


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
