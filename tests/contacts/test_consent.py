"""Consent against its table: every combination of words on every key, in every order of time."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opportune.catalog.types import ActionKind, Channel, ConsentRules
from opportune.clock import DAY
from opportune.profiles.consent import Consent, Key, Preferred, Wishes, allowed_by, refusal, status_of, turns, why_not

EMAIL, APP, SMS = Channel("email", push=True), Channel("app", push=False), Channel("sms", push=True)
ADS = Channel("ads", push=True)
MARKETING: ActionKind = "marketing"


def test_every_combination_follows_the_table() -> None:
    """An independent reading of the table: what each refusal can be lifted by is written out as words."""
    seen = 0
    for channel in (EMAIL, APP):
        name = channel.name
        keys = (("marketing", name), ("marketing", "all"), ("all", name), ("all", "all"))
        lifted_by = {
            keys[0]: {keys[0]},
            keys[1]: {keys[0], keys[1], keys[2]},
            keys[2]: {keys[0], keys[1], keys[2]},
            keys[3]: set(keys),
        }
        orders = [*permutations(range(4)), (0, 0, 0, 0), (0, 0, 1, 1), (1, 0, 1, 0), (0, 1, 1, 0)]
        for words in product((None, "granted", "refused", "withdrawn"), repeat=4):
            for times in orders:
                said = {k: Consent(w, t) for k, w, t in zip(keys, words, times) if w}
                for kind, relevant in (("marketing", keys), ("service", keys[2:])):
                    refusals = [k for k in relevant if k in said and said[k].status != "granted"]
                    grants = [k for k in relevant if k in said and said[k].status == "granted"]
                    lifts = {(g, r): g in lifted_by[r] and said[g].at > said[r].at for g in grants for r in refusals}
                    if kind == "marketing" and channel.push:
                        allowed = any(all(lifts[g, r] for r in refusals) for g in grants)
                    else:
                        allowed = all(any(lifts[g, r] for g in grants) for r in refusals)
                    assert (why_not(said, channel, kind) is None) == allowed, (said, kind)
                    seen += 1
    assert seen > 10_000


PURPOSES = {"marketing": 1, "all": 2, "ads": 0}
KEYS = [
    (purpose, channel, *topic)
    for purpose in PURPOSES
    for channel in ("email", "all", "sms", "ads")
    for topic in ((), ("news",), ("offers",))
]


def oracle(said: dict[Key, Consent], channel: Channel, kind: str, topic: str) -> bool:
    """Return whether a contact is allowed, by the words of the docstring, one after the other."""
    sells = channel.name == "ads"

    def concerns(key: Key) -> bool:
        purposes = ["all"] if kind == "service" else ["all", "marketing"] + ["ads"] * sells
        about = key[2] if len(key) == 3 else None
        return key[0] in purposes and key[1] in (channel.name, "all") and about in (None, topic or None)

    grants = [(k, w.at) for k, w in said.items() if concerns(k) and w.status == "granted"]
    refusals = [(k, w.at) for k, w in said.items() if concerns(k) and w.status in ("refused", "withdrawn")]

    def lifts(grant: tuple[Key, int], refusal: tuple[Key, int]) -> bool:
        (g, granted), (r, refused) = grant, refusal
        later = granted > refused
        as_wide = PURPOSES[g[0]] >= PURPOSES[r[0]] and (g[1] == "all" or g[1] == r[1])
        wider = as_wide and g[:2] != r[:2]
        names_it = len(r) == 2 or g[2:] == r[2:]
        return later and not wider and names_it

    if any(not any(lifts(g, r) for g in grants) for r in refusals):
        return False
    if kind == "service" or not channel.push:
        return True
    opening = [g for g in grants if len(g[0]) == 2 or g[0][1] == channel.name]
    if sells:
        opening = [g for g in opening if "ads" in g[0][:2]]
    return any(all(lifts(g, r) for r in refusals if len(r[0]) == 2) for g in opening)


words = st.builds(Consent, st.sampled_from(["granted", "granted", "refused", "withdrawn"]), st.integers(0, 4))


@settings(max_examples=settings().max_examples * 5)
@given(
    st.dictionaries(st.sampled_from(KEYS), words, max_size=6),
    st.sampled_from([EMAIL, SMS, APP, ADS]),
    st.sampled_from(["marketing", "service"]),
    st.sampled_from(["", "news", "offers"]),
)
def test_three_dimensions_follow_the_words(said: dict[Key, Consent], channel: Channel, kind: Any, topic: str) -> None:
    assert (why_not(said, channel, kind, 9, topic) is None) == oracle(said, channel, kind, topic)


@given(st.dictionaries(st.sampled_from(KEYS), words, max_size=6), st.sampled_from(KEYS), st.sampled_from([EMAIL, ADS]))
def test_a_refusal_said_last_never_opens_anything(said: dict[Key, Consent], key: Key, channel: Channel) -> None:
    for topic in ("", "news", "offers"):
        for kind in ("marketing", "service"):
            before = why_not(said, channel, kind, 9, topic)  # type: ignore[arg-type]
            after = why_not({**said, key: Consent("withdrawn", 9)}, channel, kind, 9, topic)  # type: ignore[arg-type]
            assert before is None or after is not None


@pytest.mark.parametrize(
    ("said", "marketing", "service"),
    [
        ({}, False, True),
        ({("marketing", "email"): Consent("granted", 1)}, True, True),
        ({("marketing", "all"): Consent("granted", 1)}, True, True),
        ({("all", "all"): Consent("granted", 1)}, True, True),
        ({("marketing", "sms"): Consent("granted", 1)}, False, True),
        ({("marketing", "email"): Consent("refused", 1), ("all", "all"): Consent("granted", 2)}, False, True),
        ({("marketing", "email"): Consent("granted", 1), ("all", "all"): Consent("withdrawn", 2)}, False, False),
        ({("marketing", "email"): Consent("granted", 3), ("all", "all"): Consent("withdrawn", 2)}, True, False),
        ({("all", "email"): Consent("withdrawn", 2)}, False, False),
        ({("all", "email"): Consent("withdrawn", 2), ("all", "all"): Consent("granted", 3)}, False, False),
        ({("all", "sms"): Consent("withdrawn", 2)}, False, True),
        ({("marketing", "email"): Consent("granted", 2), ("marketing", "all"): Consent("refused", 2)}, False, True),
        ({("marketing", "email"): Consent("requested", 2)}, False, True),
        ({("marketing", "email"): Consent("expired", 2)}, False, True),
    ],
)
def test_cases_as_people_say_them(said: dict[Key, Consent], marketing: bool, service: bool) -> None:
    assert (why_not(said, EMAIL, "marketing") is None) == marketing
    assert (why_not(said, EMAIL, "service") is None) == service


def word(status: str, at: int) -> Consent:
    return Consent(status, at)  # type: ignore[arg-type]


MAIL, NEWS, MAIL_NEWS = ("marketing", "email"), ("marketing", "all", "news"), ("marketing", "email", "news")


@pytest.mark.parametrize(
    ("said", "news", "offers"),
    [
        ({MAIL: word("granted", 1), NEWS: word("refused", 2)}, False, True),
        # the channel, granted anew, brings no topic back; the topic, granted anew, does
        ({MAIL: word("granted", 3), NEWS: word("refused", 2)}, False, True),
        ({MAIL: word("granted", 1), NEWS: word("granted", 2)}, True, True),
        # a topic for all channels opens no channel, a topic of the channel does
        ({NEWS: word("granted", 2)}, False, False),
        ({MAIL_NEWS: word("granted", 2)}, True, False),
        ({MAIL: word("withdrawn", 1), NEWS: word("granted", 2)}, False, False),
        ({MAIL: word("withdrawn", 1), MAIL_NEWS: word("granted", 2)}, True, False),
        ({MAIL: word("withdrawn", 3), MAIL_NEWS: word("granted", 2)}, False, False),
    ],
)
def test_topics_as_people_say_them(said: dict[Key, Consent], news: bool, offers: bool) -> None:
    assert (why_not(said, EMAIL, "marketing", 9, "news") is None) == news
    assert (why_not(said, EMAIL, "marketing", 9, "offers") is None) == offers
    assert why_not(said, EMAIL, "service", 9, "news") is None


def test_a_topic_and_its_channel_may_be_granted_apart() -> None:
    said: dict[Key, Consent] = {MAIL: word("granted", 1), ("all", "all", "news"): word("refused", 2)}
    assert why_not(said, EMAIL, "marketing", 9, "news") is not None
    assert why_not({**said, NEWS: word("granted", 3)}, EMAIL, "marketing", 9, "news") is None
    assert why_not({**said, NEWS: word("granted", 3)}, EMAIL, "service", 9, "news") is not None


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({("marketing", "all"): Consent("granted", 1)}, False),
        ({("all", "all"): Consent("granted", 1)}, False),
        ({("marketing", "ads"): Consent("granted", 1)}, True),
        ({("ads", "all"): Consent("granted", 1)}, True),
        ({("marketing", "ads"): Consent("granted", 1), ("ads", "all"): Consent("refused", 2)}, False),
        ({("marketing", "ads"): Consent("granted", 3), ("ads", "all"): Consent("refused", 2)}, True),
        ({("ads", "ads"): Consent("granted", 1), ("marketing", "all"): Consent("withdrawn", 2)}, False),
    ],
)
def test_ads_need_a_grant_that_names_them(said: dict[Key, Consent], allowed: bool) -> None:
    assert (why_not(said, ADS, "marketing", 9) is None) == allowed
    assert (why_not(said, Channel("lists", True, form="audience"), "marketing", 9) is None) == (
        allowed and ("ads", "all") in said and said["ads", "all"].status == "granted"
    )


def test_the_reason_names_the_word_that_stands() -> None:
    said = {("all", "email"): Consent("withdrawn", 3 * DAY), ("marketing", "all"): Consent("refused", DAY)}
    assert why_not(said, EMAIL, "marketing") == "every contact by email was withdrawn on 1970-01-04"
    assert why_not(said, EMAIL, "service") == "every contact by email was withdrawn on 1970-01-04"
    assert why_not(said, APP, "marketing") == "marketing in all channels was refused on 1970-01-02"
    assert why_not(said, APP, "service") is None
    told = why_not({NEWS: word("withdrawn", DAY)}, APP, "marketing", 0, "news")
    assert told == "marketing about news in all channels was withdrawn on 1970-01-02"


GRANT = ("marketing", "email")
DOUBLE = ConsentRules(double_opt_in=frozenset({"email"}))


@pytest.mark.parametrize(
    ("word", "rules", "at", "status"),
    [
        (Consent("granted", 5), ConsentRules(), 9, "granted"),
        (Consent("granted", 5, until=9), ConsentRules(), 8, "granted"),
        (Consent("granted", 5, until=9), ConsentRules(), 9, "expired"),
        (Consent("granted", 5), ConsentRules(expires=4), 8, "granted"),
        (Consent("granted", 5), ConsentRules(expires=4), 9, "expired"),
        (Consent("withdrawn", 5), ConsentRules(expires=4), 9, "withdrawn"),
        (Consent("granted", 5), DOUBLE, 9, "requested"),
        (Consent("granted", 5, proven=True), DOUBLE, 9, "granted"),
        (Consent("granted", 5), ConsentRules(frozenset({"email"}), since=6), 9, "granted"),
        (Consent("granted", 6), ConsentRules(frozenset({"email"}), since=6), 9, "requested"),
        (Consent("granted", 5), ConsentRules(frozenset({"sms"})), 9, "granted"),
    ],
)
def test_what_a_word_amounts_to(word: Consent, rules: ConsentRules, at: int, status: str) -> None:
    assert status_of(GRANT, word, at, rules) == status
    assert (why_not({GRANT: word}, EMAIL, "marketing", at, "", rules) is None) == (status == "granted")


def test_a_wide_grant_is_asked_for_twice_where_the_channel_is() -> None:
    said: dict[Key, Consent] = {("marketing", "all"): Consent("granted", 5)}
    assert why_not(said, SMS, "marketing", 9, "", DOUBLE) is None
    told = why_not(said, EMAIL, "marketing", 9, "", DOUBLE)
    assert told == "the grant for marketing by email of 1970-01-01 waits for its confirmation"


def test_what_was_never_confirmed_lifts_no_refusal() -> None:
    """Who knows an address can ask for its grant again, but not undo that its owner unsubscribed."""
    asked = Consent("granted", 5, refused=3)
    said: dict[Key, Consent] = {("marketing", "all"): Consent("granted", 1, proven=True), GRANT: asked}
    assert why_not(said, EMAIL, "marketing", 9) is None
    assert why_not(said, EMAIL, "marketing", 9, "", DOUBLE) == "marketing by email was refused on 1970-01-01"
    ended: dict[Key, Consent] = {**said, GRANT: Consent("granted", 5, refused=3, until=7)}
    assert why_not(ended, EMAIL, "marketing", 6) is None
    assert why_not(ended, EMAIL, "marketing", 7) == "marketing by email was refused on 1970-01-01"


GRANTS: dict[Key, Consent] = {("marketing", "all"): Consent("granted", 0)}


def paused(*pauses: tuple[Key, Consent]) -> Wishes:
    return Wishes(GRANTS, dict(pauses))


def test_a_pause_stops_marketing_until_it_ends() -> None:
    wishes = paused((("marketing", "all"), Consent("refused", DAY, until=20 * DAY)))
    found = refusal(wishes, EMAIL, MARKETING, 5 * DAY)
    assert found == ("paused by the customer until 1970-01-21", 20 * DAY)
    assert refusal(wishes, EMAIL, "service", 5 * DAY) is None
    assert refusal(wishes, EMAIL, MARKETING, 20 * DAY - 1) is not None
    assert refusal(wishes, EMAIL, MARKETING, 20 * DAY) is None
    assert refusal(wishes, APP, MARKETING, 5 * DAY) == found
    endless = refusal(paused((("marketing", "email"), Consent("refused", 1))), EMAIL, MARKETING, 5)
    assert endless == ("paused by the customer", None)


@pytest.mark.parametrize(
    ("pauses", "email", "sms", "news"),
    [
        ([(("marketing", "email"), Consent("refused", 1, until=9))], False, True, False),
        ([(("marketing", "all", "news"), Consent("refused", 1, until=9))], True, True, False),
        # the longer of two counts, and so does the wider
        ([(("marketing", "email"), Consent("refused", 1, until=9)),
          (("marketing", "all"), Consent("refused", 2, until=4))], False, True, False),
        # a later resumption lifts what touches it, wider or narrower; an earlier one does not
        ([(("marketing", "all"), Consent("refused", 1, until=9)),
          (("marketing", "email"), Consent("granted", 2))], True, False, True),
        ([(("marketing", "email"), Consent("refused", 1, until=9)),
          (("marketing", "all"), Consent("granted", 2))], True, True, True),
        ([(("marketing", "email"), Consent("refused", 3, until=9)),
          (("marketing", "all"), Consent("granted", 2))], False, True, False),
        ([(("marketing", "email"), Consent("refused", 2, until=9)),
          (("marketing", "all"), Consent("granted", 2))], False, True, False),
    ],
)  # fmt: skip
def test_pauses_as_people_say_them(pauses: Any, email: bool, sms: bool, news: bool) -> None:
    wishes = paused(*pauses)
    assert (refusal(wishes, EMAIL, MARKETING, 5) is None) == email
    assert (refusal(wishes, SMS, MARKETING, 5) is None) == sms
    assert (refusal(wishes, EMAIL, MARKETING, 5, "news") is None) == news


def test_a_withdrawal_is_told_before_a_pause_that_ends_by_itself() -> None:
    said: dict[Key, Consent] = {("marketing", "email"): Consent("withdrawn", DAY)}
    wishes = Wishes(said, {("marketing", "all"): Consent("refused", DAY, until=9 * DAY)})
    assert refusal(wishes, EMAIL, MARKETING, 2 * DAY) == ("marketing by email was withdrawn on 1970-01-02", None)


def test_a_preferred_channel_is_the_only_one_that_sells() -> None:
    wishes = Wishes(GRANTS, preferred=Preferred("sms", DAY))
    assert why_not(wishes, EMAIL, "marketing") == "the customer prefers sms to email, as said on 1970-01-02"
    assert why_not(wishes, SMS, "marketing") is None
    assert why_not(wishes, APP, "marketing") is None
    assert why_not(wishes, EMAIL, "service") is None
    assert why_not(Wishes(GRANTS, preferred=Preferred("sms", DAY, only=False)), EMAIL, "marketing") is None


ends = st.one_of(st.none(), st.integers(1, 12))


ended = st.builds(Consent, st.sampled_from(["granted", "refused"]), st.integers(0, 5), until=ends)


@given(
    st.dictionaries(st.sampled_from(KEYS), ended, max_size=4),
    st.dictionaries(st.sampled_from(KEYS), ended, max_size=3),
    st.sampled_from([None, 2, 5]),
)
def test_nothing_changes_before_its_turn(consents: Any, pauses: Any, expires: int | None) -> None:
    """What `turns` says is no later than any change: a cache that waits for it is never wrong."""
    wishes, rules = Wishes(consents, pauses), ConsentRules(expires=expires)

    def verdicts(at: int) -> list[Any]:
        return [
            refusal(wishes, channel, kind, at, topic, rules)  # type: ignore[arg-type]
            for channel in (EMAIL, APP, ADS) for kind in ("marketing", "service") for topic in ("", "news")
        ]  # fmt: skip

    for at in range(5, 18):
        turn = turns(wishes, at, rules)
        for later in range(at, 18 if turn is None else turn):
            assert verdicts(later) == verdicts(at)


@pytest.mark.parametrize(
    ("integrations", "channel", "allowed"),
    [
        ({}, "email", True),
        ({"All": False}, "email", False),
        ({"All": False, "email": True}, "email", True),
        ({"All": False, "Email": {"template": 1}}, "email", True),
        ({"All": True, "email": False}, "email", False),
        ({"E-Mail": False}, "email", False),
        ({"E-Mail": False}, "sms", True),
        ({"all": None}, "sms", False),
    ],
)
def test_integrations_allow_and_deny_channels(integrations: dict[str, Any], channel: str, allowed: bool) -> None:
    assert allowed_by(integrations, channel) is allowed
