"""What events say about being contacted: folded, merged, bounded, kept as bytes, and told as records."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Any

import msgspec
import pytest
from door import event
from hypothesis import given
from hypothesis import strategies as st
from streams import SPEC

from opportune.catalog.types import Channel, ConsentRules
from opportune.clock import DAY, HOUR, format_instant
from opportune.errors import BadEvent
from opportune.events.types import Event
from opportune.profiles.addresses import bounce_key, unreachable
from opportune.profiles.choices import consents, wishes
from opportune.profiles.consent import Consent, Key, Preferred, status_of, why_not
from opportune.profiles.consent_events import check_consent, unproven
from opportune.profiles.consent_records import canonical, receipt, records
from opportune.profiles.fold import fold
from opportune.profiles.merge import merge
from opportune.profiles.spec import ProfileSpec
from opportune.profiles.state import MOST_ADDRESSES, MOST_CONSENTS, Said, State, dump, load
from opportune.testing import tiny_catalog

T = 1_790_000_000_000_000
EMAIL, SMS, APP = Channel("email", push=True), Channel("sms", push=True), Channel("app", push=False)
CHANNELS = (EMAIL, SMS, APP)
MAIL = Channel("email", push=True, via="smtp", to="email")
REACHED = ProfileSpec.of(tiny_catalog())
RULES = ConsentRules(frozenset({"email"}), wording="2", texts={"en": "Yes, write to me"}, controller="Acme")


def track(seq: int, name: str, **properties: Any) -> Event:
    return event(seq, "ana", at=T + seq, event=name, properties=properties)


def said(seq: int, **properties: Any) -> Event:
    return track(seq, "Consent Updated", **properties)


def folded(*calls: Event, spec: ProfileSpec = SPEC) -> State:
    state = State()
    for seq, call in enumerate(calls, 1):
        fold(state, call, seq, spec)
    return state


def heard(*calls: Event) -> dict[Key, str]:
    return {key: word.status for key, word in consents(folded(*calls)).items()}


def test_a_word_keeps_all_that_was_said_with_it() -> None:
    state = folded(said(1, channel="E-Mail", topic=" News", status="Opted-In", wording="2", language="de",
                        method="double opt-in", source="shop", until="2030-01-01"))  # fmt: skip
    assert consents(state) == {
        ("marketing", "email", "news"): Consent(
            "granted", T + 1, "shop", "2", "de", "double_opt_in", until=1_893_456_000_000_000, proven=True
        )
    }


def test_several_at_once() -> None:
    both = [{"channel": "email", "status": "granted"}, {"topic": "news", "status": "refused"}]
    assert heard(said(1, source="center", consents=both)) == {
        ("marketing", "email"): "granted", ("marketing", "all", "news"): "refused"}  # fmt: skip
    assert heard(said(1, channel="sms", status="granted", consents=[{}, {"purpose": "all"}])) == {
        ("marketing", "sms"): "granted", ("all", "sms"): "granted"}  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "key"),
    [
        ({}, ("marketing", "all")),
        ({"channel": 7}, ("marketing", "all")),
        ({"channel": "x" * 65, "purpose": None}, ("marketing", "all")),
        ({"channel": "email", "topic": ["news"]}, ("marketing", "email")),
        ({"channel": "email", "topic": "all"}, ("marketing", "email")),
        ({"topic": "news"}, ("marketing", "all", "news")),
    ],
)
def test_no_refusal_is_lost(properties: dict[str, Any], key: Key) -> None:
    assert heard(said(1, status="withdrawn", **properties)) == {key: "withdrawn"}


def test_an_unreadable_word_beside_a_refusal_refuses() -> None:
    unreadable = {"channel": "sms", "status": "perhaps"}
    mixed = said(1, consents=[{"channel": "email", "status": "no"}, unreadable, "junk"])
    check_consent(mixed)
    assert heard(mixed) == {
        ("marketing", "email"): "refused", ("marketing", "sms"): "refused", ("marketing", "all"): "refused"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("Consent Updated", {"status": "perhaps"}, "bad_consent"),
        ("Consent Updated", {}, "bad_consent"),
        ("Consent Updated", {"consents": "all"}, "bad_consent"),
        ("Consent Updated", {"consents": [{"status": "granted"}, {"status": "perhaps"}]}, "bad_consent"),
        ("Consent Updated", {"consents": [{"status": "granted", "channel": "email"}, 7]}, "bad_consent"),
        ("Consent Updated", {"consents": [{"status": "no"}] * (MOST_CONSENTS + 1)}, "bad_consent"),
        ("Consent Updated", {"status": "granted", "until": "soon"}, "bad_consent"),
        ("Frequency Chosen", {"at_most": 2}, "bad_frequency"),
        ("Frequency Chosen", {"at_most": 2, "in": "91d"}, "bad_frequency"),
        ("Frequency Chosen", {"at_most": -1, "in": "7d"}, "bad_frequency"),
        ("Frequency Chosen", {"at_most": True, "in": "7d"}, "bad_frequency"),
        ("Frequency Chosen", {"in": "7d"}, "bad_frequency"),
    ],
)
def test_what_nobody_understands_is_set_aside(name: str, properties: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadEvent) as caught:
        check_consent(track(1, name, **properties))
    assert caught.value.reason == reason
    folded(track(1, name, **properties))  # what an older version has taken folds all the same


def test_what_is_understood_is_taken() -> None:
    for good in (
        said(1, status="no", until="soon"),
        said(1, status=False, consents=None),
        track(1, "Frequency Chosen", at_most=None),
        track(1, "Frequency Chosen", at_most=0, **{"in": "90d"}),
        track(1, "Contact Paused", until="soon"),
    ):
        check_consent(good)


@pytest.mark.parametrize(
    ("calls", "proven"),
    [
        ([said(1, channel="email", status="granted", method="form")], False),
        ([said(1, channel="email", status="granted", method="double_opt_in")], True),
        ([said(1, channel="email", status="granted", source="import")], False),
        ([said(1, channel="email", status="granted", source="import", proof="crm/7")], True),
        ([said(1, channel="email", status="granted", source="shop", proof="crm/7")], False),
        # a confirmed grant stays confirmed when a form says it again, and not after a refusal
        ([said(1, channel="email", status="granted", method="double_opt_in"),
          said(2, channel="email", status="granted", method="form")], True),
        ([said(1, channel="email", status="granted", method="double_opt_in"), said(2, channel="email", status="no"),
          said(3, channel="email", status="granted", method="form")], False),
        ([said(3, channel="email", status="granted", method="form"), said(2, channel="email", status="no"),
          said(1, channel="email", status="granted", method="double_opt_in")], False),
        # whatever covers it takes the confirmation away, too
        ([said(1, channel="email", status="granted", method="double_opt_in"), said(2, channel="all", status="no"),
          said(3, channel="email", status="granted", method="form")], False),
        ([said(1, channel="email", status="granted", method="double_opt_in"), track(2, "Message Complained"),
          said(3, channel="email", status="granted", method="form")], False),
        ([said(2, purpose="all", channel="email", status="no"), said(3, channel="email", status="granted"),
          said(1, channel="email", status="granted", method="double_opt_in")], False),
        ([said(1, channel="all", status="no"), said(2, channel="email", status="granted", method="double_opt_in"),
          said(3, channel="email", status="granted", method="form")], True),
        # and what does not cover it takes nothing
        ([said(1, channel="email", status="granted", method="double_opt_in"), said(2, channel="sms", status="no"),
          said(3, channel="email", topic="news", status="no"), said(4, purpose="ads", channel="all", status="no"),
          said(5, channel="email", status="granted", method="form")], True),
        # a request hides nothing
        ([said(1, channel="email", status="granted", method="double_opt_in"),
          said(2, channel="email", status="requested")], True),
    ],
)  # fmt: skip
def test_double_opt_in(calls: list[Event], proven: bool) -> None:
    state = folded(*calls)
    assert consents(state)["marketing", "email"].proven is proven
    assert (why_not(consents(state), EMAIL, "marketing", T + HOUR, "", RULES) is None) == proven
    assert why_not(consents(state), EMAIL, "marketing", T + HOUR) is None


@pytest.mark.parametrize("claim", [
    {"method": "double_opt_in"}, {"method": "Double Opt-In"}, {"source": "import", "proof": "crm/7"},
    {"source": "admin", "proof": "x"}, {"consents": [{"method": "double_opt_in"}]},
    {"method": "double_opt_in", "consents": [{}]}, {"source": "import", "consents": [{"proof": "x"}]},
    {"proof": "x", "consents": [{"source": "admin"}, 7]},
])  # fmt: skip
def test_what_anybody_may_send_proves_nothing(claim: dict[str, Any]) -> None:
    claimed = {"channel": "email", "status": "granted", "wording": "2", **claim}
    assert consents(folded(said(1, **claimed)))["marketing", "email"].proven
    left = consents(folded(said(1, **unproven(claimed))))["marketing", "email"]
    assert (left.status, left.wording, left.proven) == ("granted", "2", False)
    honest = {"channel": "email", "status": "granted", "method": "form", "source": "checkout", "consents": [{}, "?"]}
    assert unproven(honest) == honest


def test_a_request_never_undoes_an_unsubscription() -> None:
    unsubscribed = [said(1, channel="all", status="granted", method="double_opt_in"),
                    said(2, channel="email", status="unsubscribe")]  # fmt: skip
    for again in (said(3, channel="email", status="requested"), said(3, channel="email", status="granted")):
        words = consents(folded(*unsubscribed, again))
        assert why_not(words, EMAIL, "marketing", T + HOUR, "", RULES) is not None
    assert heard(said(3, channel="email", status="requested")) == {("marketing", "email"): "requested"}


def test_a_refusal_with_an_end_is_a_pause_and_the_grant_comes_back() -> None:
    granted = said(1, channel="email", status="granted")
    for pause in (
        said(2, channel="email", status="no", until="2030-01-01T00:00:00Z"),
        track(2, "Contact Paused", channel="email", until="2030-01-01"),
        track(2, "Contact Paused", until=1_893_456_000),
    ):
        found = wishes(folded(granted, pause), CHANNELS)
        assert why_not(found, EMAIL, "marketing", T + DAY) == "paused by the customer until 2030-01-01"
        assert why_not(found, EMAIL, "marketing", 1_893_456_000_000_000) is None
        resumed = wishes(folded(granted, pause, track(3, "Contact Resumed")), CHANNELS)
        assert why_not(resumed, EMAIL, "marketing", T + DAY) is None
    spanned = wishes(folded(granted, track(2, "Contact Paused", **{"for": "30d"})), CHANNELS)
    assert why_not(spanned, APP, "marketing", T + 29 * DAY) is not None
    assert why_not(spanned, APP, "marketing", T + 2 + 30 * DAY) is None
    endless = wishes(folded(granted, track(2, "Contact Paused", until="soon")), CHANNELS)
    assert why_not(endless, EMAIL, "marketing", T + 9999 * DAY) == "paused by the customer"


@pytest.mark.parametrize("end", [
    {"for": "3000000d"}, {"for": "40000000d"}, {"until": "9999-12-31T23:59:59-14:00"}, {"until": 1e15 / 1e3 - 1},
    {"until": "0001-01-01T00:00:00+14:00"}, {"until": "2026-01-01"}, {"until": T / 1e6},
])  # fmt: skip
def test_an_end_that_never_comes_or_is_over_is_none(end: dict[str, Any]) -> None:
    paused = wishes(folded(track(1, "Contact Paused", **end)), CHANNELS)
    assert paused.pauses["marketing", "all"].until is None
    assert why_not(paused, APP, "marketing", T + 99 * DAY) == "paused by the customer"
    if "until" in end:
        words = folded(said(1, channel="email", status="granted"), said(2, channel="email", status="withdrawn", **end))
        assert consents(words)["marketing", "email"].status == "withdrawn"
        assert words.choices is not None
        assert not words.choices.pauses


def test_a_grant_that_is_over_when_it_is_given_is_none_and_one_without_end_has_none() -> None:
    for until in ("2026-01-01", "0001-01-01T00:00:00+14:00", -(10**13)):
        over = consents(folded(said(1, channel="email", status="granted", until=until)))
        assert over["marketing", "email"].until == T + 1
        assert "has expired" in str(why_not(over, EMAIL, "marketing", T + 1))
    for until in ("9999-12-31", "9999-12-31T23:59:59-14:00", "9000-01-01"):
        word = said(1, channel="email", status="granted", until=until)
        check_consent(word)
        assert consents(folded(word))["marketing", "email"].until is None


def test_what_an_older_version_took_can_be_told() -> None:
    state = State(consents={("marketing", "email"): Said("granted", -(1 << 60), 1, until=1 << 61)})
    assert why_not(consents(state), EMAIL, "service") is None
    state.consents["all", "all"] = Said("withdrawn", -(1 << 60), 1)
    assert "0001" in str(why_not(consents(state), EMAIL, "service"))
    [record] = records([(1, event(1, "ana", at=-(1 << 60), event="Contact Paused"))], "S1", RULES, T)
    assert record.since.startswith("0001")


def test_a_wording_is_no_essay() -> None:
    word = said(1, channel="email", status="requested", wording="w" * 201)
    assert consents(folded(word))["marketing", "email"].wording == ""
    word = said(1, channel="email", status="requested", wording="w" * 200)
    assert consents(folded(word))["marketing", "email"].wording == "w" * 200


@pytest.mark.parametrize("name", ["Email", "E-Mail", " e_mail", "email"])
def test_a_cookie_may_spell_a_channel_as_it_likes(name: str) -> None:
    browser = event(2, "ana", at=T + 2, context={"consent": {"categoryPreferences": {name: False}}})
    assert heard(said(1, channel="email", status="granted"), browser) == {("marketing", "email"): "refused"}


def test_a_purpose_that_nobody_knows_is_marketing_to_a_refusal_and_nothing_to_a_grant() -> None:
    assert heard(said(1, channel="email", purpose="newsletter", status="no")) == {("marketing", "email"): "refused"}
    granted = consents(folded(said(1, channel="email", purpose="newsletter", status="granted")))
    assert why_not(granted, EMAIL, "marketing", T + DAY) is not None


KNOWN = tiny_catalog(channels=[{"name": "email"}, {"name": "app"}], topics=[{"name": "news"}])


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("Consent Updated", {"channel": "newsletter", "status": "withdrawn"}),
        ("Consent Updated", {"channel": "email", "topic": "gossip", "status": "no"}),
        ("Consent Updated", {"consents": [{"channel": "fax", "status": "no"}, {"channel": "email", "status": "yes"}]}),
        ("Contact Paused", {"channel": "fax", "for": "7d"}),
        ("Contact Paused", {"topic": "gossip"}),
        ("Message Complained", {"channel": "fax"}),
        ("Frequency Chosen", {"channel": "fax", "at_most": 1, "in": "7d"}),
    ],
)
def test_a_refusal_of_what_the_catalog_does_not_have_is_set_aside(name: str, properties: dict[str, Any]) -> None:
    call = track(1, name, **properties)
    with pytest.raises(BadEvent, match=r"'(newsletter|gossip|fax)', and the catalog has "):
        check_consent(call, KNOWN)
    check_consent(call)


def test_what_the_catalog_has_or_does_no_harm_is_taken() -> None:
    for good in (
        said(1, channel="E-Mail", topic="News", status="no"),
        said(1, status="withdrawn"),
        said(1, channel="fax", status="granted"),
        said(1, consents=[{"channel": "fax", "status": "no"}, {"channel": "email", "status": "no"}]),
        track(1, "Contact Resumed", channel="fax"),
        track(1, "Contact Paused", channel=["email"]),
        track(1, "Order Completed", channel="fax", status="no"),
        event(1, "ana", at=T, event="Order Completed",
              context={"gpc": True, "consent": {"categoryPreferences": {"analytics": False}}}),
    ):  # fmt: skip
        check_consent(good, KNOWN)
    cookie = {"gpc": True, "consent": {"categoryPreferences": {"email": False}}}
    with pytest.raises(BadEvent):
        check_consent(event(1, "ana", at=T, event="Consent Updated", context=cookie,
                            properties={"channel": "fax", "status": "no"}), KNOWN)  # fmt: skip


def test_of_two_words_of_one_instant_the_refusal_counts() -> None:
    def at(seq: int, name: str, **properties: Any) -> Event:
        return event(seq, "ana", at=T, event=name, properties={"channel": "email", **properties})

    for yes, no in (
        (at(2, "Consent Updated", status="granted"), at(1, "Consent Updated", status="no")),
        (at(2, "Consent Updated", status="granted", method="double_opt_in"), at(1, "Message Complained")),
        (at(2, "Contact Resumed"), at(1, "Contact Paused")),
    ):
        one, other = folded(no, yes), folded(yes, no)
        later = folded(no)
        fold(later, yes, 9, SPEC)
        for state in (one, other, later, merge([folded(yes), folded(no)], SPEC)):
            found = wishes(state, CHANNELS)
            assert {w.status for w in (*found.consents.values(), *found.pauses.values())} <= {"refused", "withdrawn"}
    both = [{"channel": "email", "status": "no"}, {"channel": "email", "status": "granted"}]
    assert heard(said(1, consents=both)) == {("marketing", "email"): "refused"}
    cookies = {"consent": {"categoryPreferences": {"email": False, "Email": True}}}
    assert heard(event(1, "ana", at=T, context=cookies)) == {("marketing", "email"): "refused"}


def test_a_complaint_withdraws_and_privacy_control_refuses_ads() -> None:
    assert heard(track(1, "Message Complained", channel="email")) == {("marketing", "email"): "withdrawn"}
    assert heard(track(1, "Message Complained")) == {("marketing", "all"): "withdrawn"}
    browser = event(2, "ana", at=T + 2, kind="page", context={"gpc": True})
    assert heard(said(1, channel="ads", status="granted"), browser) == {
        ("marketing", "ads"): "granted", ("ads", "all"): "refused"}  # fmt: skip
    assert heard(event(2, "ana", at=T + 2, context={"gpc": "true"})) == {}


@pytest.mark.parametrize(
    ("calls", "preferred"),
    [
        ([track(1, "Channel Preferred", channel="SMS")], Preferred("sms", T + 1)),
        ([track(1, "Channel Preferred", channel="sms", only=False)], Preferred("sms", T + 1, False)),
        ([track(1, "Channel Preferred", channel="sms"), track(2, "Channel Preferred", channel=None)], None),
        ([track(1, "Channel Preferred", channel="app")], None),
        ([track(1, "Channel Preferred", channel="fax")], None),
        ([event(1, "ana", kind="identify", at=T, traits={"preferred_channel": "e-mail"})], Preferred("email", T)),
        ([event(1, "ana", kind="identify", at=T, traits={"preferred_channel": {"channel": "sms", "only": False}})],
         Preferred("sms", T, False)),
        ([event(1, "ana", kind="identify", at=T, traits={"preferred_channel": "email"}),
          track(2, "Channel Preferred", channel="sms")], Preferred("sms", T + 2)),
        ([track(1, "Channel Preferred", channel="sms"),
          event(2, "ana", kind="identify", at=T + 2, traits={"preferred_channel": "email"})],
         Preferred("email", T + 2)),
    ],
)  # fmt: skip
def test_the_preferred_channel_is_the_last_that_was_said(calls: list[Event], preferred: Preferred | None) -> None:
    assert wishes(folded(*calls), CHANNELS).preferred == preferred


def frequencies(state: State) -> Any:
    assert state.choices is not None
    return {name: [(o.at_most, o.span) for o in often] for name, often in state.choices.frequency.items()}


def test_of_two_frequencies_each_holds_when_people_join() -> None:
    first = folded(track(1, "Frequency Chosen", channel="email", at_most=2, **{"in": "7d"}),
                   track(2, "Frequency Chosen", channel="Email", at_most=1, **{"in": "7d"}))  # fmt: skip
    assert frequencies(first) == {"email": [(1, 7 * DAY)]}
    other = folded(track(3, "Frequency Chosen", channel="email", at_most=3, **{"in": "30d"}))
    assert sorted(frequencies(merge([first, other], SPEC))["email"]) == [(1, 7 * DAY), (3, 30 * DAY)]
    gone = folded(track(4, "Frequency Chosen", channel="email", at_most=1, **{"in": "1d"}),
                  track(5, "Frequency Chosen", channel="email", at_most=None))  # fmt: skip
    assert frequencies(gone) == {"email": [(None, 0)]}


def identify(seq: int, **traits: Any) -> Event:
    return event(seq, "ana", kind="identify", at=T + seq, traits=traits)


def test_an_address_that_bounced_is_used_no_more_until_there_is_another() -> None:
    known = identify(1, email="Ana@Example.com")
    assert unreachable(folded(), MAIL) == "no e-mail address is known"
    assert unreachable(folded(identify(1, email=" ")), MAIL) == "no e-mail address is known"
    assert unreachable(folded(known), MAIL) is None
    soft = track(2, "Message Bounced", channel="email", kind="soft")
    assert unreachable(folded(known, soft, spec=REACHED), MAIL) is None
    for hard in (
        track(2, "Message Bounced", channel="email", kind="hard"),
        track(2, "Message Bounced", channel="e-mail", kind="Hard", address="ana@example.com"),
    ):
        lost = folded(known, hard, spec=REACHED)
        told = unreachable(lost, MAIL)
        assert told == "the e-mail address is not used any more: a message to it bounced on 2026-09-21"
        fold(lost, identify(3, email="ana@example.com"), 3, REACHED)
        assert unreachable(lost, MAIL) == told, "the same address once more"
        fold(lost, identify(4, email="ana@new.example"), 4, REACHED)
        assert unreachable(lost, MAIL) is None
        assert b"example" not in b"".join(k.encode() for k in lost.choices.bounced)  # type: ignore[union-attr]
    unnamed = folded(known, track(2, "Message Bounced", channel="email", kind="hard"))  # no catalog names the trait
    assert unreachable(unnamed, MAIL) is not None
    assert unreachable(folded(), EMAIL) is None, "nothing is sent there by the hub"


def test_a_late_bounce_is_about_the_address_that_was_written_to() -> None:
    old = track(3, "Message Bounced", channel="email", kind="hard",
                addressKey=bounce_key("email", "Ana@example.com"))  # fmt: skip
    moved = folded(identify(1, email="ana@example.com"), identify(2, email="ana@new.example"), old, spec=REACHED)
    assert unreachable(moved, MAIL) is None
    back = folded(identify(1, email="ana@new.example"), old, identify(4, email="ana@example.com"), spec=REACHED)
    assert unreachable(back, MAIL) is not None
    for unreadable in (7, "email:", "sms:" + "0" * 32, "email:" + "g" * 32, bounce_key("email", "b") + "0"):
        lost = track(3, "Message Bounced", channel="email", kind="hard", addressKey=unreadable)
        assert unreachable(folded(identify(1, email="ana@example.com"), lost, spec=REACHED), MAIL) is not None


@pytest.mark.parametrize("channel", [7, ["email"], {"email": 1}, "x" * 65, None, ""])
def test_how_often_in_a_channel_that_is_none_is_in_all(channel: Any) -> None:
    state = folded(track(1, "Frequency Chosen", channel=channel, at_most=1, **{"in": "7d"}))
    assert frequencies(load(dump(state))) == {"all": [(1, 7 * DAY)]}


def test_a_refusal_without_room_still_takes_what_was_confirmed() -> None:
    cookies = {"consent": {"categoryPreferences": {f"c{i}": False for i in range(MOST_CONSENTS)}}}
    full = event(1, "ana", at=T + 1, context=cookies)
    confirmed = said(2, channel="email", status="granted", method="double_opt_in")
    no, form = said(3, channel="email", status="no"), said(4, channel="email", status="granted", method="form")
    assert consents(folded(full, confirmed, form))["marketing", "email"].proven
    for order in ((full, confirmed, no, form), (full, no, form, confirmed)):
        assert not consents(folded(*order))["marketing", "email"].proven


def test_bounds() -> None:
    noise = [said(i, channel=f"c{i}", status="no") for i in range(1, 2 * MOST_CONSENTS)]
    words = consents(folded(*noise, said(900, channel="email", status="withdrawn")))
    assert len(words) == MOST_CONSENTS + 1
    assert words["marketing", "all"].status == "withdrawn", "a refusal without room is one of all channels"
    assert why_not(words, EMAIL, "marketing") is not None
    bounced = [track(i, "Message Bounced", channel="email", kind="hard", address=f"a{i}") for i in range(60)]
    found = folded(*bounced).choices
    assert found is not None
    assert len(found.bounced) == MOST_ADDRESSES
    assert bounce_key("email", "a59") in found.bounced
    often = [track(i, "Frequency Chosen", channel=f"c{i}", at_most=1, **{"in": "1d"}) for i in range(300)]
    assert len(frequencies(folded(*often))) == MOST_CONSENTS


def test_states_of_the_first_version_are_read() -> None:
    """What the version before this one wrote: keys of two, words of five, no choices."""
    old = (
        "ana", True, 3, T, T, T, {"plan": ("gold", T, 1)}, {},
        {("marketing", "email"): ("granted", T, 2, "shop", "1"), ("all", "all"): ("withdrawn", T - 5, 1, "", "")},
        {"sms": ("refused", T, 3, "categoryPreferences", "")},
    )  # fmt: skip
    state = load(msgspec.msgpack.encode(old))
    assert state.choices is None
    assert consents(state) == {
        ("marketing", "email"): Consent("granted", T, "shop", "1"),
        ("all", "all"): Consent("withdrawn", T - 5),
        ("marketing", "sms"): Consent("refused", T, "categoryPreferences"),
    }
    fold(state, said(9, channel="all", purpose="all", status="granted"), 9, SPEC)
    assert state.choices is not None
    assert state.choices.refusals == {("all", "all"): Said("withdrawn", T - 5, 1)}


def call(random: Random, seq: int) -> Event:
    """Return some event about being contacted, often late."""
    at = T + random.randint(0, 6)
    where = {"channel": random.choice(["email", "sms", "all"]), "topic": random.choice([None, "news"])}
    name, properties = random.choice([
        ("Consent Updated", {"status": random.choice(["granted", "refused", "withdrawn", "requested", "expired"]),
                             "method": random.choice(["form", "double_opt_in"]),
                             "until": random.choice([None, None, 1_893_456_000]),
                             "purpose": random.choice(["marketing", "all", "ads"])}),
        ("Contact Paused", {"for": "3d"}),
        ("Contact Resumed", {}),
        ("Frequency Chosen", {"at_most": random.choice([None, 1]), "in": "7d"}),
        ("Channel Preferred", {"only": random.random() < 0.5}),
        ("Message Bounced", {"kind": "hard", "address": random.choice(["a", "b", None])}),
        ("Message Complained", {}),
    ])  # fmt: skip
    cookie = {"consent": {"categoryPreferences": {"email": random.random() < 0.5}}}
    seen = random.choice([{}, {}, {"gpc": True}, cookie])
    return event(seq, "ana", at=at, event=name, properties={**properties, **where}, context=seen)


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_merged_nodes_know_what_one_node_would(seed: int, nodes: int) -> None:
    random = Random(seed)
    calls = [(seq, call(random, seq)) for seq in range(1, 25)]
    one, parts = State("ana"), [State(f"n{i}") for i in range(nodes)]
    for seq, heard_now in calls:
        fold(one, heard_now, seq, SPEC)
        fold(parts[random.randrange(nodes)], heard_now, seq, SPEC)
    before = [dump(part) for part in parts]
    random.shuffle(parts)
    whole = merge([merge(parts[:2], SPEC), *parts[2:]], SPEC)
    assert wishes(whole, CHANNELS) == wishes(one, CHANNELS)
    assert whole.choices is not None
    assert one.choices is not None
    assert whole.choices.bounced == one.choices.bounced
    for channel, [often] in one.choices.frequency.items():
        assert often in whole.choices.frequency[channel]
    assert sorted(before) == sorted(dump(part) for part in parts)
    assert wishes(load(dump(one)), CHANNELS) == wishes(one, CHANNELS)


@given(st.integers(0, 2**32))
def test_records_say_what_the_profile_says(seed: int) -> None:
    random = Random(seed)
    calls = [(seq, call(random, seq)) for seq in range(1, 25)]
    state = State()
    for seq, heard_now in calls:
        fold(state, heard_now, seq, SPEC)
    found = {
        (r.purpose, r.channel, *([r.topic] if r.topic else [])): r
        for r in records(random.sample(calls, len(calls)), "S1", RULES, T + DAY)
    }
    words = consents(state)
    assert words.keys() <= found.keys()
    for key, record in found.items():
        if key in words:
            assert record.status == status_of(key, words[key], T + DAY, RULES)
            assert record.since == format_instant(words[key].at)
        else:
            assert record.status == "none"
    for earlier in records(calls[:20], "S1", RULES, T + DAY):
        now = next(r for r in found.values() if r.record_id == earlier.record_id)
        assert now.history[: len(earlier.history)] == earlier.history, "records only grow"


def test_a_record_has_every_field_of_the_standard() -> None:
    asked = said(1, channel="email", topic="news", status="granted", wording="2", language="en", method="form")
    confirmed = said(2, channel="email", topic="news", status="granted", wording="2", language="en",
                     method="double_opt_in")  # fmt: skip
    calls = [(7, asked), (8, confirmed), (9, said(3, channel="email", topic="news", status="withdrawn"))]
    [record] = records(calls[:2], "S1", RULES, T + DAY)
    assert (record.status, record.controller, record.purpose, record.channel, record.topic) == (
        "granted", "Acme", "marketing", "email", "news")  # fmt: skip
    assert record.notice_hash == sha256(b"Yes, write to me").hexdigest()
    assert [(e.event, e.status, e.method) for e in record.history] == [
        (7, "granted", "form"), (8, "granted", "double_opt_in")]  # fmt: skip
    assert "ana" not in msgspec.json.encode(record).decode()
    [after] = records(calls, "S1", RULES, T + DAY)
    assert (after.record_id, after.status, len(after.history)) == (record.record_id, "withdrawn", 3)
    [waiting] = records(calls[:1], "S1", RULES, T + DAY)
    assert waiting.status == "requested"
    [ended] = records(calls[:2], "S1", ConsentRules(expires=HOUR), T + DAY)
    assert (ended.status, ended.expires) == ("expired", format_instant(T + 2 + HOUR))


def test_a_category_preference_that_is_repeated_is_told_once() -> None:
    calls = [(seq, event(seq, "ana", at=T + seq, context={"consent": {"categoryPreferences": {"email": seq < 5}}}))
             for seq in range(1, 9)]  # fmt: skip
    [record] = records(calls, "S1", RULES, T + DAY)
    assert [(e.event, e.status) for e in record.history] == [(1, "granted"), (5, "refused")]


def test_a_receipt_is_signed_over_all_that_it_says() -> None:
    [record] = records([(1, said(1, channel="email", status="granted"))], "S1", RULES, T)
    seen: list[bytes] = []
    told = receipt(record, T, lambda data: seen.append(data) or "sig")  # type: ignore[func-returns-value]
    assert told["signature"] == "sig"
    assert seen == [canonical(told)]
    assert canonical(msgspec.json.decode(msgspec.json.encode(told))) == seen[0]
    altered = {**told, "record": {**told["record"], "status": "withdrawn"}}
    assert canonical(altered) != seen[0]
