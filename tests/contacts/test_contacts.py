"""Caps, holds, pauses and counts, case by case."""

from __future__ import annotations

import msgspec
import pytest
from contact_catalogs import APP, EMAIL, SMS, action, catalog

from opportune.catalog.types import Cap, Channel, Pause, Quiet
from opportune.clock import DAY, HOUR, MINUTE
from opportune.profiles.contacts import BOUND, Contact, ContactPlan, Contacts, Reply, merge

T = 1_800_000_000_000_000  # 2027-01-15T08:00:00Z
UTC = "UTC"
BUNDLE, PLAN = action("keep_bundle"), action("bigger_plan", "grow", "plan")
BILL = action("bill_ready", "service", "bill", kind="service")
OUTAGE = action("outage", "service", "network", kind="service", urgent=True)


def sent(plan: ContactPlan, contacts: Contacts, *instants: int, action=BUNDLE, channel: Channel = EMAIL) -> None:
    for at in instants:
        assert plan.reserve(contacts, f"d{at}", action, channel, at, UTC) is None
        assert plan.confirm(contacts, f"d{at}", action, channel, at) is False


def test_a_cap_is_met_and_leaves_the_window_exactly_one_span_later() -> None:
    plan = ContactPlan.of(catalog(Cap("email_week", "channel/email", 3, 7 * DAY)))
    contacts = Contacts()
    sent(plan, contacts, T, T + DAY, T + 2 * DAY)
    refusal = plan.reserve(contacts, "next", BUNDLE, EMAIL, T + 3 * DAY, UTC)
    assert refusal is not None
    assert (refusal.rule, refusal.scope, refusal.until) == ("email_week", "channel/email", T + 7 * DAY)
    assert refusal.sentence == "3 of 3 e-mails in 7 days"
    assert plan.blocked(contacts, T + 3 * DAY) == [refusal]
    assert plan.why_not(contacts, BUNDLE, SMS, T + 3 * DAY, UTC) is None
    assert plan.why_not(contacts, BUNDLE, EMAIL, T + 7 * DAY - 1, UTC) is not None
    assert plan.why_not(contacts, BUNDLE, EMAIL, T + 7 * DAY, UTC) is None
    assert plan.blocked(contacts, T + 7 * DAY) == []


@pytest.mark.parametrize(
    ("on", "scope", "other"),
    [
        ("all", "all", None),
        ("channel", "channel/email", (BUNDLE, SMS)),
        ("channel/email", "channel/email", (BUNDLE, SMS)),
        ("issue", "retain", (PLAN, EMAIL)),
        ("retain", "retain", (PLAN, EMAIL)),
        ("group", "retain/bundle", (action("x", "retain", "other"), EMAIL)),
        ("retain/bundle", "retain/bundle", (action("x", "retain", "other"), EMAIL)),
        ("action", "action/keep_bundle", (action("x"), EMAIL)),
        ("action/keep_bundle", "action/keep_bundle", (action("x"), EMAIL)),
    ],
)
def test_every_scope_has_its_own_counter(on: str, scope: str, other) -> None:
    plan = ContactPlan.of(catalog(Cap("one", on, 1, DAY)))
    contacts = Contacts()
    sent(plan, contacts, T)
    assert [r.scope for r in plan.blocked(contacts, T + 1)] == [scope]
    assert plan.why_not(contacts, BUNDLE, EMAIL, T + 1, UTC) is not None
    assert other is None or plan.why_not(contacts, *other, T + 1, UTC) is None


def test_a_rule_on_one_value_leaves_the_others_alone() -> None:
    plan = ContactPlan.of(catalog(Cap("grow", "grow", 1, DAY)))
    contacts = Contacts()
    sent(plan, contacts, T, T + 1, T + 2)
    assert plan.blocked(contacts, T + 3) == []


def test_a_hold_takes_room_until_it_lapses_and_push_never_lapses() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "channel", 1, DAY)))
    pull, push = Contacts(), Contacts()
    assert plan.reserve(pull, "a", BUNDLE, APP, T, UTC) is None
    refusal = plan.why_not(pull, PLAN, APP, T + 1, UTC)
    assert refusal is not None
    assert refusal.until == T + 15 * MINUTE
    assert refusal.sentence == "1 of 1 contacts by app in 1 day, 1 of them reserved"
    assert plan.why_not(pull, PLAN, APP, T + 15 * MINUTE, UTC) is None
    assert plan.reserve(push, "a", BUNDLE, EMAIL, T, UTC) is None
    refusal = plan.why_not(push, PLAN, EMAIL, T + 100 * DAY, UTC)
    assert refusal is not None
    assert refusal.until is None
    assert plan.why_not(push, BUNDLE, EMAIL, T + 100 * DAY, UTC, decision_id="a") is None, "not in its own way"
    assert plan.release(push, "a", "keep_bundle")
    assert not plan.release(push, "a", "keep_bundle")
    assert plan.why_not(push, PLAN, EMAIL, T + 1, UTC) is None


def test_a_hold_confirmed_after_a_while_counts_from_then_on() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "all", 1, 10 * MINUTE)))
    contacts = Contacts()
    assert plan.reserve(contacts, "a", BUNDLE, APP, T, UTC) is None
    assert plan.reserve(contacts, "b", BUNDLE, APP, T + 12 * MINUTE, UTC) is not None, "a may be seen at 14 minutes"
    assert plan.confirm(contacts, "a", BUNDLE, APP, T + 14 * MINUTE) is False
    assert plan.why_not(contacts, BUNDLE, APP, T + 24 * MINUTE - 1, UTC) is not None
    assert plan.why_not(contacts, BUNDLE, APP, T + 24 * MINUTE, UTC) is None


def test_late_is_told_and_counts() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "all", 1, DAY)))
    contacts = Contacts()
    assert plan.reserve(contacts, "a", BUNDLE, APP, T, UTC) is None
    assert plan.confirm(contacts, "a", BUNDLE, APP, T + 15 * MINUTE) is True
    assert len(contacts.made) == 1
    other = Contacts()
    assert plan.reserve(other, "a", BUNDLE, APP, T, UTC) is None
    assert plan.reserve(other, "b", BUNDLE, APP, T + 20 * MINUTE, UTC) is None
    assert plan.confirm(other, "a", BUNDLE, APP, T + 14 * MINUTE) is True, "its room was given to b"
    assert plan.confirm(other, "a", BUNDLE, APP, T + 14 * MINUTE) is False, "told once"
    assert plan.confirm(other, "b", BUNDLE, APP, T + 21 * MINUTE) is False
    assert [(r.scope, r.sentence) for r in plan.excess(other, T + 21 * MINUTE)] == [("all", "2 of 1 contacts in 1 day")]
    assert plan.confirm(other, "never reserved", BUNDLE, APP, T) is True


def test_a_contact_is_never_before_its_hold_and_keeps_the_scopes_of_its_hold() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "issue", 1, DAY)))
    contacts = Contacts()
    plan.reserve(contacts, "a", BUNDLE, EMAIL, T, UTC)
    plan.confirm(contacts, "a", action("keep_bundle", issue="moved"), EMAIL, T - DAY)
    assert contacts.made == [Contact(T, "a", "keep_bundle", "retain", "bundle", "email")]


def test_reserving_and_confirming_twice_is_once() -> None:
    plan = ContactPlan.of(catalog(Cap("two", "all", 2, DAY)))
    contacts = Contacts()
    for _ in range(3):
        assert plan.reserve(contacts, "a", BUNDLE, EMAIL, T, UTC) is None
    assert len(contacts.holds) == 1
    for _ in range(3):
        assert plan.confirm(contacts, "a", BUNDLE, EMAIL, T + 1) is False
    assert plan.reserve(contacts, "a", BUNDLE, EMAIL, T, UTC) is None
    assert (len(contacts.holds), len(contacts.made)) == (0, 1)


def test_caps_and_pauses_leave_service_alone_and_do_not_count_it() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "all", 1, DAY), Pause("hurt", "all", "reject", 1, DAY, DAY)))
    contacts = Contacts()
    sent(plan, contacts, T, T + 1, T + 2, action=BILL)
    assert plan.why_not(contacts, BUNDLE, EMAIL, T + 3, UTC) is None
    sent(plan, contacts, T + 3)
    plan.answer(contacts, f"d{T + 3}", BUNDLE, EMAIL, "reject", T + 4)
    assert [r.rule for r in plan.blocked(contacts, T + 5)] == ["one", "hurt"]
    assert all(r.marketing_only for r in plan.blocked(contacts, T + 5))
    assert plan.why_not(contacts, BUNDLE, EMAIL, T + 5, UTC) is not None
    assert plan.why_not(contacts, BILL, EMAIL, T + 5, UTC) is None
    assert plan.reserve(contacts, "x", BILL, EMAIL, T + 5, UTC) is None


def test_quiet_hours_stop_all_but_urgent_service() -> None:
    night = T + 14 * HOUR  # 22:00 in UTC
    rules = (Quiet("night", "channel/email", 21 * 60, 8 * 60), Quiet("siesta", "issue", 13 * 60, 15 * 60))
    plan = ContactPlan.of(catalog(*rules))
    for one in (BUNDLE, BILL):
        refusal = plan.why_not(Contacts(), one, EMAIL, night, UTC)
        assert refusal is not None
        assert (refusal.scope, refusal.until, refusal.marketing_only) == ("channel/email", T + DAY, False)
        assert refusal.sentence == "quiet from 21:00 to 08:00, and it is 22:00 for the customer"
    assert plan.why_not(Contacts(), OUTAGE, EMAIL, night, UTC) is None
    assert plan.why_not(Contacts(), BUNDLE, SMS, night, UTC) is None
    assert plan.why_not(Contacts(), BUNDLE, EMAIL, night, "America/New_York") is None
    assert [r.scope for r in plan.quiet(EMAIL, night, UTC)] == ["channel/email"]
    assert plan.quiet(SMS, night, UTC) == []
    assert [r.scope for r in plan.quiet(SMS, T + 6 * HOUR, UTC)] == ["all"], "quiet hours on a level are of everything"


def test_pauses_after_outcomes_within_a_span() -> None:
    plan = ContactPlan.of(catalog(Pause("tired", "action", "reject", 2, 30 * DAY, 30 * DAY)))
    contacts = Contacts()
    plan.answer(contacts, "a", BUNDLE, EMAIL, "reject", T)
    plan.answer(contacts, "a", BUNDLE, EMAIL, "reject", T + DAY)
    plan.answer(contacts, "a", BUNDLE, EMAIL, "dismiss", T)
    assert plan.blocked(contacts, T + 2 * DAY) == [], "the same answer twice is one"
    plan.answer(contacts, "b", BUNDLE, APP, "reject", T + 10 * DAY)
    (refusal,) = plan.blocked(contacts, T + 10 * DAY)
    assert (refusal.scope, refusal.until) == ("action/keep_bundle", T + 40 * DAY)
    assert refusal.sentence == "2 x reject in 30 days: paused for 30 days"
    assert plan.why_not(contacts, BUNDLE, SMS, T + 40 * DAY - 1, UTC) == refusal
    assert plan.why_not(contacts, BUNDLE, SMS, T + 40 * DAY, UTC) is None
    assert plan.why_not(contacts, PLAN, SMS, T + 11 * DAY, UTC) is None
    assert plan.blocked(contacts, T + 10 * DAY - 1) == []


def test_two_outcomes_one_span_apart_are_not_within_it() -> None:
    plan = ContactPlan.of(catalog(Pause("tired", "all", "reject", 2, DAY, DAY)))
    contacts = Contacts()
    plan.answer(contacts, "b", BUNDLE, EMAIL, "reject", T + DAY)
    plan.answer(contacts, "a", BUNDLE, EMAIL, "reject", T)
    assert plan.blocked(contacts, T + DAY) == []
    plan.answer(contacts, "c", BUNDLE, EMAIL, "reject", T + 1)
    assert [r.until for r in plan.blocked(contacts, T + DAY)] == [T + 2 * DAY]


def test_the_longest_pause_wins_over_a_later_lonely_outcome() -> None:
    plan = ContactPlan.of(catalog(Pause("tired", "all", "reject", 2, DAY, 10 * DAY)))
    contacts = Contacts()
    for number, at in enumerate((T, T + HOUR, T + 5 * DAY)):
        plan.answer(contacts, str(number), BUNDLE, EMAIL, "reject", at)
    assert [r.until for r in plan.blocked(contacts, T + 6 * DAY)] == [T + HOUR + 10 * DAY]


def test_counts_and_when_they_change() -> None:
    names = ("contacts_email_7d", "contacts_app_1d", "contacts_all_30d", "contacts_fax_1d", "age")
    plan = ContactPlan.of(catalog(names=names))
    contacts = Contacts()
    nothing = {"contacts_email_7d": 0, "contacts_app_1d": 0, "contacts_all_30d": 0}
    assert plan.counts(contacts, T) == (nothing, None)
    sent(plan, contacts, T)
    sent(plan, contacts, T + DAY, action=BILL)
    sent(plan, contacts, T + 2 * DAY, channel=APP)
    plan.reserve(contacts, "held", BUNDLE, EMAIL, T + 2 * DAY, UTC)
    assert plan.counts(contacts, T - 1) == (nothing, T)
    assert plan.counts(contacts, T + 2 * DAY) == (
        {"contacts_email_7d": 2, "contacts_app_1d": 1, "contacts_all_30d": 3},
        T + 3 * DAY,
    )
    assert list(plan.counts(contacts, T + 7 * DAY)[0].values()) == [1, 0, 3]


def test_contacts_are_kept_for_the_rules_of_tomorrow_and_then_dropped() -> None:
    rules = (Cap("one", "channel/sms", 5, 10 * DAY), Pause("p", "all", "reject", 1, DAY, DAY))
    plan = ContactPlan.of(catalog(*rules, names=("contacts_app_7d",)))
    contacts = Contacts()
    sent(plan, contacts, T)
    assert [c.at for c in contacts.made] == [T], "no rule asks about e-mail today"
    stricter = ContactPlan.of(catalog(Cap("two", "channel/email", 1, 30 * DAY)))
    assert stricter.blocked(contacts, T + 29 * DAY)
    assert not stricter.blocked(contacts, T + 31 * DAY)
    plan.answer(contacts, "a", BUNDLE, SMS, "reject", T)
    plan.prune(contacts, T + 9 * DAY)
    assert contacts.replies == []
    plan.prune(contacts, T + 89 * DAY)
    assert [c.at for c in contacts.made] == [T]
    plan.prune(contacts, T + 92 * DAY)
    assert contacts.made == []


def test_bounds_are_reached_and_hold() -> None:
    plan = ContactPlan.of(catalog(Pause("p", "all", "reject", 1, DAY, DAY), names=("contacts_all_30d",)))
    contacts = Contacts(
        made=[Contact(T + i, str(i), "a", "b", "c", "email") for i in range(BOUND)],
        replies=[Reply(T + i, str(i), "a", "b", "c", "email", "reject") for i in range(BOUND)],
    )
    plan.confirm(contacts, "one more", BUNDLE, EMAIL, T + BOUND)
    plan.answer(contacts, "one more", BUNDLE, EMAIL, "reject", T + BOUND)
    assert [len(contacts.made), len(contacts.replies)] == [BOUND, BOUND]
    assert contacts.made[-1].at == contacts.replies[-1].at == T + BOUND
    for i in range(BOUND):
        plan.reserve(contacts, f"hold {i}", BUNDLE, EMAIL, T, UTC)
    refusal = plan.reserve(contacts, "too many", BUNDLE, EMAIL, T, UTC)
    assert refusal is not None
    assert refusal.sentence == f"{BOUND} reservations are open already"
    assert len(contacts.holds) == BOUND
    large = ContactPlan.of(catalog(Cap("many", "all", 5000, DAY)))
    assert large.bound == 5000, "a cap that allows more than the bound stays exact"


def test_merge_is_a_union_whatever_the_order() -> None:
    plan = ContactPlan.of(catalog(Cap("one", "all", 1, DAY), Pause("p", "all", "reject", 2, DAY, DAY)))
    phone, laptop = Contacts(), Contacts()
    sent(plan, phone, T)
    plan.answer(phone, "a", BUNDLE, EMAIL, "reject", T)
    plan.answer(laptop, "b", BUNDLE, EMAIL, "reject", T + 2)
    plan.reserve(laptop, "b", PLAN, EMAIL, T + 1, UTC)
    before = msgspec.msgpack.encode(phone)
    one = merge([phone, laptop])
    other = merge([laptop, phone, merge([phone, laptop]), Contacts()])
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)
    assert msgspec.msgpack.encode(phone) == before
    assert [r.rule for r in plan.blocked(one, T + 3)] == ["one", "p"]
    assert [r.sentence for r in plan.excess(one, T + 3)] == ["2 of 1 contacts in 1 day"]
    plan.confirm(laptop, "b", PLAN, EMAIL, T + 5)
    assert merge([one, laptop]).holds == [], "a contact ends its hold"


def test_contacts_survive_msgpack() -> None:
    plan = ContactPlan.of(catalog(Cap("two", "all", 3, DAY), Pause("p", "all", "reject", 2, DAY, DAY)))
    contacts = Contacts()
    sent(plan, contacts, T, T + 1)
    plan.reserve(contacts, "día ☀", PLAN, APP, T + 2, UTC)
    plan.answer(contacts, "a", BUNDLE, EMAIL, "reject", T)
    plan.blocked(contacts, T + 3)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(contacts), type=Contacts)
    assert again == contacts
    assert plan.blocked(again, T + 3) == plan.blocked(contacts, T + 3)


def test_reservations_stay_in_order_when_the_clock_goes_back() -> None:
    plan = ContactPlan.of(catalog(Cap("many", "all", 9, DAY)))
    contacts = Contacts()
    for at in (T + 2, T, T + 1, T + 1):
        assert plan.reserve(contacts, f"d{at}-{len(contacts.holds)}", BUNDLE, EMAIL, at, UTC) is None
    assert [h.at for h in contacts.holds] == [T, T + 1, T + 1, T + 2]
    assert merge([contacts, Contacts()]).holds == contacts.holds
