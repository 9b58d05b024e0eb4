"""Where customers live, by what is known of them, and how often they want to hear from us."""

from __future__ import annotations

from typing import Any

import pytest
from contact_catalogs import APP, EMAIL, SMS, action, catalog
from hypothesis import given
from hypothesis import strategies as st

from opportune.catalog.types import Cap, Holidays
from opportune.clock import DAY, HOUR
from opportune.profiles.contacts import ContactPlan, Contacts
from opportune.profiles.state import Choices, Often, State
from opportune.profiles.terms import CHOSEN, Terms, caps_of, home_of
from opportune.profiles.zones import zones_of

HUB = "Europe/Vienna"


@pytest.mark.parametrize(
    ("traits", "zones"),
    [
        ({}, (HUB,)),
        ({"time_zone": "Asia/Tokyo", "country": "DE", "phone": "+14155550100"}, ("Asia/Tokyo",)),
        ({"time_zone": "the moon", "country": "DE"}, ("Europe/Berlin",)),
        ({"country": " jp "}, ("Asia/Tokyo",)),
        ({"address.country": "JP"}, ("Asia/Tokyo",)),
        ({"country": "uk"}, ("Europe/London",)),
        ({"country": "Germany"}, (HUB,)),
        ({"country": 49}, (HUB,)),
        ({"country": "DE", "phone": "+14155550100"}, ("Europe/Berlin",)),
        ({"phone": "+14155550100"}, ("America/Los_Angeles",)),
        ({"phone": "0170 1234567", "country": "DE"}, ("Europe/Berlin",)),
        ({"phone": "0170 1234567"}, (HUB,)),
        ({"phone": "+18005550100"}, (HUB,)),
        ({"phone": "not a number"}, (HUB,)),
        ({"phone": 49}, (HUB,)),
        ({"country": "US", "phone": "+4915112345678"}, None),
        ({"country": "US"}, None),
    ],
)
def test_the_zone_is_the_best_that_is_known(traits: dict[str, Any], zones: tuple[str, ...] | None) -> None:
    found = zones_of(traits.get, HUB)
    if zones is not None:
        assert found == zones
    else:
        assert len(found) >= 6, "the United States from Hawaii to New York"
        assert {"America/New_York", "Pacific/Honolulu"} & set(found)
        assert not {"Europe/Berlin", HUB} & set(found)


@pytest.mark.parametrize(
    ("traits", "home"),
    [
        ({}, Holidays("DE", "BE")),
        ({"country": "AT"}, Holidays("AT", "")),
        ({"country": "de"}, Holidays("DE", "BE")),
        ({"country": "DE", "region": "by"}, Holidays("DE", "BY")),
        ({"region": "DE-BY"}, Holidays("DE", "BY")),
        ({"country": "US", "address.state": "TX"}, Holidays("US", "TX")),
    ],
)
def test_the_customer_comes_before_the_catalog(traits: dict[str, Any], home: Holidays) -> None:
    assert home_of(traits.get, Holidays("DE", "BE")) == home


def test_chosen_frequencies_are_caps() -> None:
    often = {"email": [Often(1, 1, 2, DAY), Often(5, 2, 3, 7 * DAY)], "all": [Often(1, 3, None, 0)], "sms": []}
    assert caps_of(State(choices=Choices(frequency=often))) == (
        Cap(CHOSEN, "channel/email", 2, DAY), Cap(CHOSEN, "channel/email", 3, 7 * DAY),
    )  # fmt: skip
    assert caps_of(State()) == ()


ANY = ContactPlan.of(catalog(Cap("day", "channel/email", 3, DAY)))
OFFER, BILL = action("offer"), action("bill", kind="service")


def test_a_chosen_frequency_is_a_cap_and_never_loosens_one() -> None:
    contacts, once = Contacts(), Terms(caps=(Cap(CHOSEN, "channel/email", 1, 7 * DAY),))
    assert ANY.reserve(contacts, "d1", OFFER, EMAIL, 0, once) is None
    refusal = ANY.reserve(contacts, "d2", OFFER, EMAIL, HOUR, once)
    assert refusal is not None
    assert refusal.rule == CHOSEN
    assert refusal.sentence == "1 of 1 e-mails in 7 days, 1 of them reserved"
    ANY.confirm(contacts, "d1", OFFER, EMAIL, HOUR)
    assert ANY.why_not(contacts, OFFER, EMAIL, DAY, once).until == HOUR + 7 * DAY  # type: ignore[union-attr]
    assert [r.until for r in ANY.blocked(contacts, DAY, once)] == [HOUR + 7 * DAY]
    assert ANY.why_not(contacts, OFFER, EMAIL, DAY, "UTC") is None
    assert ANY.why_not(contacts, OFFER, SMS, DAY, once) is None
    assert ANY.why_not(contacts, BILL, EMAIL, DAY, once) is None
    assert ANY.why_not(contacts, OFFER, EMAIL, HOUR + 7 * DAY, once) is None
    loose = Terms(caps=(Cap(CHOSEN, "channel/email", 1000, DAY),))
    for number in range(2, 4):
        assert ANY.reserve(contacts, f"d{number}", OFFER, EMAIL, 2 * HOUR, loose) is None
    assert ANY.reserve(contacts, "d4", OFFER, EMAIL, 2 * HOUR, loose).rule == "day"  # type: ignore[union-attr]


def test_never_is_a_frequency() -> None:
    never = Terms(caps=(Cap(CHOSEN, "all", 0, DAY),))
    refusal = ANY.why_not(Contacts(), OFFER, APP, 0, never)
    assert refusal is not None
    assert (refusal.sentence, refusal.until) == ("0 of 0 contacts in 1 day", None)
    assert ANY.blocked(Contacts(), 0, never) == [refusal]


@given(
    st.lists(st.tuples(st.integers(0, 6 * HOUR), st.sampled_from([EMAIL, SMS]), st.booleans()), max_size=30),
    st.integers(1, 4), st.integers(HOUR, 9 * HOUR),
)  # fmt: skip
def test_no_window_ever_holds_more_than_was_chosen(steps: list[Any], most: int, span: int) -> None:
    contacts, at, made = Contacts(), 0, list[int]()
    terms = Terms(caps=(Cap(CHOSEN, "channel/email", most, span),))
    plan = ContactPlan.of(catalog())
    for number, (pause, channel, seen) in enumerate(steps):
        at += pause
        refusal = plan.reserve(contacts, f"d{number}", OFFER, channel, at, terms)
        assert (refusal is None) == (plan.why_not(contacts, OFFER, channel, at, terms, f"d{number}") is None)
        if refusal is None and not seen:
            plan.release(contacts, f"d{number}", OFFER.name)
        elif refusal is None:
            plan.confirm(contacts, f"d{number}", OFFER, channel, at)
            if channel is EMAIL:
                made.append(at)
        else:
            assert refusal.until is not None
            assert plan.why_not(contacts, OFFER, channel, refusal.until - 1, terms) is not None
            assert plan.why_not(contacts, OFFER, channel, refusal.until, terms) is None
    assert all(sum(end - span < t <= end for t in made) <= most for end in made)

