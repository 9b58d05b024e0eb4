"""Consent: what a customer allowed or refused, and what that means for one channel and one topic.

A consent is about a purpose (`marketing`, `ads` or `all`), a channel (its name or `all`) and, where it says so, a topic
of the catalog. `all` holds every purpose and `marketing` holds `ads`. Marketing looks at `marketing` and `all`, in a
channel of ads also at `ads`, and service at `all` alone; at its own channel and `all`; and at its own topic and what
names none. A refusal (refused or withdrawn) *stands* unless a grant lifts it; a grant lifts a refusal if it was given
later, is not about something wider, and names the topic that the refusal names:

| refusal is about      | a later grant lifts it if it is about                                                      |
|-----------------------|--------------------------------------------------------------------------------------------|
| marketing, email      | marketing, email                                                                           |
| marketing, all        | marketing, all; marketing, email; all, email                                               |
| all, email            | all, email; marketing, email; marketing, all                                               |
| all, all              | any of the four                                                                            |
| one of these and news | the same as above, and names news                                                          |
| one of these          | the same as above; where that names news, the refusal is lifted for what is about news     |

So the latest word counts, a wide grant never overrules a narrow refusal, a wide withdrawal ends narrow grants given
before it, who unsubscribed from a topic does not get it again because they allowed a channel, and of two at the same
instant the refusal counts.

| kind      | channel | may be contacted if                                                                      |
|-----------|---------|------------------------------------------------------------------------------------------|
| marketing | push    | every refusal is lifted by some grant, and one grant for the channel lifts all that name |
|           |         | no topic (with none: there is a grant for the channel)                                   |
| marketing | pull    | every refusal is lifted by some grant (with no refusal: always)                          |
| service   | any     | every refusal of purpose `all` is lifted by a grant of purpose `all`: no channel opt-out |

A grant *for the channel* names no topic, or names both topic and channel: a topic chosen for all channels opens none.
In a channel of ads it must name ads, as its purpose or as its channel: consent to marketing in general is no consent to
be shown to an ad network, and neither is it while the browser sends Global Privacy Control (a refusal of `ads`).

A grant has ended (`expired`) at its `until`, or when the catalog's `consent.expires` has passed. In a channel of
`consent.double_opt_in` it is only `requested` until it is confirmed (`proven`: a grant of method `double_opt_in`, or
one of source `import` or `admin` with a `proof`, and no refusal of the same or of something wider since), unless it is
older than `consent.since`.
`requested` and `expired` neither allow nor refuse; a refusal that such a grant followed stands again. All of that is
looked at when it is asked, so a catalog can turn it on at any time: without `since`, grants that nobody confirmed stop
counting then.

A *pause* stops marketing (of purpose `all`: service too) in its channel and topic until it ends or any later resumption
that touches it. A *preference* for one push channel stops marketing in the other push channels, unless the customer
said that it is not the only one; a preference for a channel that does not push stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from opportune.catalog.types import ActionKind, Channel, ConsentRules
from opportune.clock import format_instant

Status = Literal["granted", "refused", "withdrawn", "requested", "expired"]

Key = tuple[str, ...]
"""(purpose, channel), or (purpose, channel, topic) where a word is about one topic."""

PURPOSES = ("marketing", "ads", "all")
REFUSED = frozenset(("refused", "withdrawn"))
NO_RULES = ConsentRules()
_HOLDS = {"all": ("all", "marketing", "ads"), "marketing": ("marketing", "ads")}


class Consent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One word of the customer: what they said, when, where we have it from, and the wording that they saw.

    `until` ends a grant or a pause. `proven`: the grant was confirmed, or `proof` says where it can be seen. `refused`
    is when the customer last refused the same before this grant.
    """

    status: Status
    at: int
    source: str = ""
    wording: str = ""
    language: str = ""
    method: str = ""
    until: int | None = None
    proof: str = ""
    proven: bool = False
    refused: int | None = None


class Preferred(NamedTuple):
    """The push channel that the customer prefers; `only`: marketing goes through no other."""

    channel: str
    at: int
    only: bool = True


class Wishes(msgspec.Struct, frozen=True):
    """Everything that a customer said about being contacted: the latest word on consent and the latest pause or
    resumption (a grant) by key, and the push channel that they prefer.
    """

    consents: Mapping[Key, Consent] = {}
    pauses: Mapping[Key, Consent] = {}
    preferred: Preferred | None = None

    @property
    def topics(self) -> frozenset[str]:
        """The topics that some word names."""
        return frozenset(key[2] for key in (*self.consents, *self.pauses) if len(key) == 3)


class No(NamedTuple):
    """Why a contact is not allowed, in words, and when that ends by itself (None: never)."""

    sentence: str
    until: int | None = None


def why_not(
    said: Wishes | Mapping[Key, Consent],
    channel: Channel,
    kind: ActionKind,
    at: int = 0,
    topic: str = "",
    rules: ConsentRules = NO_RULES,
) -> str | None:
    """Return in words why a contact of this kind about this topic is not allowed in this channel at an instant; None if
    it is allowed. Consents by key stand for wishes with nothing else.

    >>> email, app = Channel("email", push=True), Channel("app", push=False)
    >>> why_not({}, email, "marketing"), why_not({}, app, "marketing"), why_not({}, email, "service")
    ('no grant for marketing by email', None, None)
    >>> why_not({("marketing", "all"): Consent("withdrawn", 0)}, app, "marketing")
    'marketing in all channels was withdrawn on 1970-01-01'
    """
    found = refusal(said if isinstance(said, Wishes) else Wishes(said), channel, kind, at, topic, rules)
    return None if found is None else found.sentence


def refusal(
    wishes: Wishes, channel: Channel, kind: ActionKind, at: int, topic: str = "", rules: ConsentRules = NO_RULES
) -> No | None:
    """Return why a contact of this kind about this topic is not allowed in this channel at an instant; else None.

    >>> paused = Wishes(pauses={("marketing", "all"): Consent("refused", 0, until=24 * 3600 * 10**6)})
    >>> refusal(paused, Channel("app", push=False), "marketing", 5)
    No(sentence='paused by the customer until 1970-01-02', until=86400000000)
    """
    said = _words(wishes.consents, channel, kind, topic)
    found = [_weigh(key, word, channel, at, rules) for key, word in said]
    grants = [w for w in found if w.status == "granted"]
    refusals = [w for w in found if w.status in REFUSED]
    standing = [r for r in refusals if not any(_lifts(g, r) for g in grants)]
    if not standing and channel.push and kind == "marketing":
        opening = [g for g in grants if _opens(g.key, channel)]
        wide = [r for r in refusals if len(r.key) == 2]
        if not opening:
            return No(_missing(found, channel))
        standing = [] if any(all(_lifts(g, r) for r in wide) for g in opening) else wide
    if standing:
        latest = max(standing, key=lambda r: r.at)
        return No(_sentence(latest.key, latest.status, latest.at))
    preferred = wishes.preferred
    if preferred and preferred.only and kind == "marketing" and channel.push and channel.name != preferred.channel:
        return No(f"the customer prefers {preferred.channel} to {channel.name}, as said on {_day(preferred.at)}")
    return _paused([word for _, word in _words(wishes.pauses, channel, kind, topic)], at)


def status_of(key: Key, word: Consent, at: int, rules: ConsentRules = NO_RULES, channel: str = "") -> Status:
    """Return what a word amounts to at an instant in a channel (by default the one that it names)."""
    if word.status != "granted":
        return word.status
    ends = ending(word, rules)
    if ends is not None and ends <= at:
        return "expired"
    asked_twice = (channel or key[1]) in rules.double_opt_in and (rules.since is None or word.at >= rules.since)
    return "requested" if asked_twice and not word.proven else "granted"


def ending(word: Consent, rules: ConsentRules = NO_RULES) -> int | None:
    """Return when a word ends by itself; None if it does not."""
    ends = [] if word.until is None else [word.until]
    if rules.expires is not None and word.status == "granted":
        ends.append(word.at + rules.expires)
    return min(ends, default=None)


def turns(wishes: Wishes, at: int, rules: ConsentRules = NO_RULES) -> int | None:
    """Return the first instant after `at` at which time alone may change what is allowed; None if there is none."""
    ends = [ending(word, rules) for word in wishes.consents.values()]
    ends += [word.until for word in wishes.pauses.values() if word.status != "granted"]
    return min((end for end in ends if end is not None and end > at), default=None)


def covers(wider: Key, key: Key) -> bool:
    """Return whether a word about `wider` is about everything that one about `key` is.

    >>> covers(("all", "all"), ("marketing", "email", "news")), covers(("marketing", "email", "news"), ("all", "email"))
    (True, False)
    """
    held = key[0] in _HOLDS.get(wider[0], (wider[0],))
    return held and wider[1] in (key[1], "all") and wider[2:] in ((), key[2:])


def spelled(said: Any) -> Any:
    """Return a purpose, channel or status as the catalog writes it, and anything but text as it is.

    >>> spelled(" E-Mail"), spelled("Opted out"), spelled(7)
    ('email', 'opted_out', 7)
    """
    if not isinstance(said, str):
        return said
    word = said.strip().casefold().replace(" ", "_")
    return "email" if word in ("e-mail", "e_mail", "mail") else word


def sells(channel: Channel) -> bool:
    """Return whether a channel shows the customer to others: it is `ads`, or its messages are audiences."""
    return channel.name == "ads" or channel.form == "audience"


def allowed_by(integrations: Mapping[str, Any], channel: str) -> bool:
    """Return whether the `integrations` of an event let messages that it triggers go through a channel.

    As Segment has it: a destination's own word comes first (false stops it, true or options allow it), then that of
    `All`; without either it is allowed.

    >>> allowed_by({"All": False, "Email": True}, "email"), allowed_by({"All": False}, "sms"), allowed_by({}, "sms")
    (True, False, True)
    """
    said = {spelled(name): word for name, word in integrations.items()}
    return said.get(spelled(channel), said.get("all", True)) not in (False, None)


class _Word(NamedTuple):
    key: Key
    at: int
    status: Status


def _weigh(key: Key, word: Consent, channel: Channel, at: int, rules: ConsentRules) -> _Word:
    status = status_of(key, word, at, rules, channel.name)
    if status != word.status and word.refused is not None:
        return _Word(key, word.refused, "refused")
    return _Word(key, word.at, status)


def _words(
    words: Mapping[Key, Consent], channel: Channel, kind: ActionKind, topic: str
) -> Iterable[tuple[Key, Consent]]:
    """Yield the words that a contact looks at."""
    if not words:
        return
    purposes = ("all",) if kind == "service" else ("marketing", "all", *(("ads",) if sells(channel) else ()))
    for purpose in purposes:
        for name in (channel.name, "all"):
            for key in ((purpose, name), (purpose, name, topic)) if topic else ((purpose, name),):
                if key in words:
                    yield key, words[key]


def _lifts(grant: _Word, refusal: _Word) -> bool:
    if grant.at <= refusal.at or (len(refusal.key) == 3 and len(grant.key) == 2):
        return False
    (purpose, channel), (wider, everywhere) = refusal.key[:2], grant.key[:2]
    holds = purpose in _HOLDS.get(wider, (wider,)) and everywhere in (channel, "all")
    return not holds or (purpose, channel) == (wider, everywhere)


def _opens(key: Key, channel: Channel) -> bool:
    """Return whether a grant is one for the channel."""
    named = key[1] == channel.name
    return (len(key) == 2 or named) and (not sells(channel) or named or key[0] == "ads")


def _missing(found: Iterable[_Word], channel: Channel) -> str:
    waits = max((w for w in found if w.status in ("requested", "expired")), key=lambda w: w.at, default=None)
    where = f"marketing by {channel.name}"
    if waits is None:
        return f"no grant for {where}"
    if waits.status == "requested":
        return f"the grant for {where} of {_day(waits.at)} waits for its confirmation"
    return f"the grant for {where} of {_day(waits.at)} has expired"


def _paused(words: Iterable[Consent], at: int) -> No | None:
    said = list(words)
    resumed = max((word.at for word in said if word.status == "granted"), default=None)
    open_ = [w for w in said if w.status in REFUSED and (w.until is None or w.until > at)]
    ends = [word.until for word in open_ if resumed is None or word.at >= resumed]
    if not ends:
        return None
    until = None if None in ends else max(end for end in ends if end is not None)
    return No("paused by the customer" + ("" if until is None else f" until {_day(until)}"), until)


def _sentence(key: Key, status: Status, at: int) -> str:
    what = {"all": "every contact", "ads": "use for ads"}.get(key[0], key[0])
    about = f" about {key[2]}" if len(key) == 3 else ""
    where = "in all channels" if key[1] == "all" else f"by {key[1]}"
    return f"{what}{about} {where} was {status} on {_day(at)}"


def _day(at: int) -> str:
    return format_instant(at)[:10]
