"""Topics, how consent is asked for, holidays, and the days of quiet hours: read, checked, written."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.catalog import from_data
from opportune.catalog.build import to_bytes, to_data
from opportune.catalog.types import ConsentRules, Holidays, Quiet, Topic
from opportune.clock import DAY, parse_instant
from opportune.errors import BadCatalog
from opportune.testing import tiny_action, tiny_catalog

FULL: dict[str, Any] = {
    "topics": [{"name": "offers", "title": {"en": "Offers", "de": "Angebote"}}, {"name": "news"}],
    "actions": [tiny_action("hello", topic="offers"), tiny_action("bill")],
    "consent": {
        "double_opt_in": ["email"], "since": "2026-01-01", "expires": "730d", "controller": "Acme",
        "wording": {"version": "2026-01", "text": {"en": "Yes, write to me", "de": "Ja, schreibt mir"}},
    },
    "holidays": {"country": "de", "region": "be"},
    "contact": [
        {"name": "night", "on": "all", "quiet": "21:00-08:00", "holidays": True},
        {"name": "sunday", "on": "all", "quiet": "00:00-24:00", "days": ["sun", "sat"]},
    ],
}  # fmt: skip


def test_everything_is_read_and_written() -> None:
    catalog = tiny_catalog(**FULL)
    assert catalog.topics == (Topic("news"), Topic("offers", {"en": "Offers", "de": "Angebote"}))
    assert {a.name: a.topic for a in catalog.actions} == {"hello": "offers", "bill": ""}
    assert catalog.consent == ConsentRules(
        frozenset({"email"}), parse_instant("2025-12-31T23:00:00Z"), 730 * DAY, "2026-01",
        {"en": "Yes, write to me", "de": "Ja, schreibt mir"}, "Acme",
    )  # fmt: skip
    assert catalog.holidays == Holidays("DE", "BE")
    assert catalog.contact == (
        Quiet("night", "all", 1260, 480, (), True), Quiet("sunday", "all", 0, 1440, ("sat", "sun")),
    )  # fmt: skip
    assert from_data(to_data(catalog)) == catalog


def test_one_text_stands_for_every_language() -> None:
    more = {"topics": [{"name": "news", "title": "News"}], "consent": {"wording": {"version": "1", "text": "Yes"}}}
    catalog = tiny_catalog(**more)
    assert catalog.topics[0].title == {"": "News"}
    assert to_data(catalog)["topics"] == more["topics"]
    assert from_data(to_data(catalog)) == catalog


def test_a_catalog_without_them_keeps_its_bytes() -> None:
    plain = tiny_catalog()
    assert (plain.topics, plain.consent, plain.holidays) == ((), ConsentRules(), Holidays())
    written = to_bytes(plain)
    for key in (b"topic", b"consent", b"holidays", b"days"):
        assert key not in written


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"actions": [tiny_action("hello", topic="ofers")], "topics": [{"name": "offers"}]}, "did you mean `offers`?"),
        ({"actions": [tiny_action("hello", topic="offers")]}, "unknown topic `offers`"),
        ({"topics": [{"name": "all"}]}, "`all` cannot name a topic"),
        ({"topics": [{"name": "News"}]}, "lower case"),
        ({"topics": [{"name": "news", "title": {"english": "News"}}]}, "`english` under `title` of topic `news`"),
        ({"topics": [{"name": "news"}, {"name": "news"}]}, "duplicate topic `news`"),
        ({"consent": {"double_opt_in": ["e-mail"]}}, "did you mean `email`?"),
        ({"consent": {"since": "2026-01-01"}}, "`since` of `consent` is about `double_opt_in`"),
        ({"consent": {"wording": {"version": "1"}}}, "has no `text`"),
        ({"consent": {"wording": {"text": "Yes"}}}, "has no `version`"),
        ({"consent": {"expires": "soon"}}, "a span"),
        ({"consent": {"doubel_opt_in": ["email"]}}, "did you mean `double_opt_in`?"),
        ({"holidays": {"country": "XX"}}, "no holidays are known of country `XX`"),
        ({"holidays": {"country": "DEU"}}, "two letters"),
        ({"holidays": {"country": "DE", "region": "TX"}}, "no holidays are known of region `TX`"),
        ({"holidays": {"region": "BE"}}, "has no `country`"),
        ({"contact": [{"name": "s", "on": "all", "quiet": "00:00-24:00"}]}, "a whole day needs `days`"),
        ({"contact": [{"name": "s", "on": "all", "quiet": "21:00-08:00", "days": ["sunday"]}]}, "did you mean `sun`?"),
        ({"contact": [{"name": "s", "on": "all", "quiet": "21:00-08:00", "holidays": "DE"}]}, "true or false"),
        ({"contact": [{"name": "s", "on": "all", "at_most": 1, "in": "7d", "days": ["sun"]}]}, "unknown key `days`"),
    ],
)
def test_mistakes_are_named_with_their_cure(more: dict[str, Any], what: str) -> None:
    with pytest.raises(BadCatalog) as caught:
        tiny_catalog(**more)
    assert what in str(caught.value)
