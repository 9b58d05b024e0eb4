"""Consent against its table: every combination of words on every key, in every order of time."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from opportune.catalog.types import Channel
from opportune.profiles.consent import Consent, why_not

EMAIL, APP = Channel("email", push=True), Channel("app", push=False)


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
    ],
)
def test_cases_as_people_say_them(said: dict[tuple[str, str], Consent], marketing: bool, service: bool) -> None:
    assert (why_not(said, EMAIL, "marketing") is None) == marketing
    assert (why_not(said, EMAIL, "service") is None) == service


def test_the_reason_names_the_word_that_stands() -> None:
    day = 86_400_000_000
    said = {("all", "email"): Consent("withdrawn", 3 * day), ("marketing", "all"): Consent("refused", day)}
    assert why_not(said, EMAIL, "marketing") == "every contact by email was withdrawn on 1970-01-04"
    assert why_not(said, EMAIL, "service") == "every contact by email was withdrawn on 1970-01-04"
    assert why_not(said, APP, "marketing") == "marketing in all channels was refused on 1970-01-02"
    assert why_not(said, APP, "service") is None
