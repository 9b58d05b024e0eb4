"""Consent: what a customer allowed or refused, and what that means for one channel.

A consent is about a purpose (`marketing` or `all`) and a channel (its name or `all`). Marketing looks at four of them,
service at the two of purpose `all`. A refusal (refused or withdrawn) *stands* unless a grant lifts it; a grant lifts a
refusal if it was given later and is not about something wider:

| refusal is about    | a later grant lifts it if it is about                                |
|---------------------|----------------------------------------------------------------------|
| marketing, email    | marketing, email                                                     |
| marketing, all      | marketing, all; marketing, email; all, email                         |
| all, email          | all, email; marketing, email; marketing, all                         |
| all, all            | any of the four                                                      |

So the latest word counts, a wide grant never overrules a narrow refusal, a wide withdrawal ends narrow grants given
before it, and of two at the same instant the refusal counts.

| kind      | channel | may be contacted if                                                                      |
|-----------|---------|------------------------------------------------------------------------------------------|
| marketing | push    | some grant lifts every refusal (with no refusal: there is a grant)                       |
| marketing | pull    | every refusal is lifted by some grant (with no refusal: always)                          |
| service   | any     | every refusal of purpose `all` is lifted by a grant of purpose `all`: no channel opt-out |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from opportune.catalog.types import ActionKind, Channel
from opportune.clock import format_instant

Status = Literal["granted", "refused", "withdrawn"]
Key = tuple[str, str]


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One word of the customer: what they said, when, where we have it from, and the wording that they saw."""

    status: Status
    at: int
    source: str = ""
    wording: str = ""


def why_not(consents: Mapping[Key, Consent], channel: Channel, kind: ActionKind) -> str | None:
    """Return why a contact of this kind is not allowed in this channel; None if it is allowed.

    `consents` holds the latest word per (purpose, channel).

    >>> email, app = Channel("email", push=True), Channel("app", push=False)
    >>> why_not({}, email, "marketing"), why_not({}, app, "marketing"), why_not({}, email, "service")
    ('no grant for marketing by email', None, None)
    >>> why_not({("marketing", "all"): Consent("withdrawn", 0)}, app, "marketing")
    'marketing in all channels was withdrawn on 1970-01-01'
    """
    purposes = ("marketing", "all") if kind == "marketing" else ("all",)
    keys = [(purpose, name) for purpose in purposes for name in (channel.name, "all")]
    said = [(key, consents[key]) for key in keys if key in consents]
    grants = [word for word in said if word[1].status == "granted"]
    refusals = [word for word in said if word[1].status != "granted"]
    standing = [r for r in refusals if not any(_lifts(g, r) for g in grants)]
    needs_grant = channel.push and kind == "marketing"
    if not standing and needs_grant and not any(all(_lifts(g, r) for r in refusals) for g in grants):
        if not refusals:
            return f"no grant for marketing by {channel.name}"
        standing = refusals
    return _sentence(*max(standing, key=lambda r: r[1].at)) if standing else None


def _lifts(grant: tuple[Key, Consent], refusal: tuple[Key, Consent]) -> bool:
    return grant[1].at > refusal[1].at and not _narrower(refusal[0], grant[0])


def _narrower(key: Key, other: Key) -> bool:
    """Return whether `key` is about a strict part of what `other` is about."""
    return key != other and all(o in ("all", k) for k, o in zip(key, other))


def _sentence(key: Key, word: Consent) -> str:
    what = "marketing" if key[0] == "marketing" else "every contact"
    where = "in all channels" if key[1] == "all" else f"by {key[1]}"
    return f"{what} {where} was {word.status} on {format_instant(word.at)[:10]}"
