"""What events say about being contacted, as words of consent and other choices; `hear` folds them into a state.

All are about `marketing` where no purpose is named, and about every topic where none is. Track calls:

- `Consent Updated` with `channel` (its name or `all`), `purpose` (`marketing`, `ads`, `all`), `topic`, `status`
  (granted, refused, withdrawn, requested, expired) and optionally `source`, `wording` (the version that the customer
  saw, up to 200 characters), `language`, `method` (`double_opt_in`, `form`, `phone` ...), `proof` (where a grant given
  elsewhere can be seen) and `until` (the end of a grant; a refusal with an end is a pause). Several at once are in
  `consents`, each with what differs from the rest. Without a channel, a refusal or a topic is about all channels and a
  grant is left out. What comes with a write key proves nothing (`unproven`).
- `Contact Paused` with `channel` (all), `topic`, and `until` (a time; a date begins at midnight UTC) or `for` (a span
  as `30d`); without a readable end it lasts until `Contact Resumed` with `channel` (all) and `topic`.
- `Frequency Chosen` with `channel` (all), `at_most` and `in` (a span up to 90 days): never more marketing than that,
  whatever the catalog allows. `at_most: null` takes it back. Where identities with different choices are joined, each
  of the choices holds.
- `Channel Preferred` with `channel` (null: none any more) and `only` (true); see `consent` for what it means. The trait
  `preferred_channel`, a text or an object with these two, says the same.
- `Message Bounced` with `channel`, `kind` (hard, soft) and the address: `addressKey` (`addresses.bounce_key` of it) or
  `address`, by default what the customer's trait says. An address that bounced hard is not used again until the trait
  has another one.
- `Message Complained` with `channel`: a withdrawal in that channel, of source `complaint`.

And the context of any call:

- `context.consent.categoryPreferences`, channel -> true (granted) or false (refused). Clients repeat it from a cookie,
  so a true is left out while a `Consent Updated` that covers it stands as a refusal.
- `context.gpc` true, as a browser with Global Privacy Control makes it: a refusal of purpose `ads`, each time anew.

No refusal is lost. A word for a status that means nothing sets its event aside (`check_consent`), unless the same event
refuses something, which must count at once: then the word counts as a refusal too. A refusal whose purpose, channel,
topic or end cannot be read is one of marketing, of all channels, of all topics, without an end; so is one of a purpose
that is none of the three. A refusal of a channel or topic that the catalog does not have sets its event aside, too,
until it has: nobody knows what was meant. An end not after the word itself is none to a refusal and leaves nothing of a
grant; one in the year 9000 or later is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from msgspec.structs import replace

from opportune.catalog.types import Catalog
from opportune.clock import DAY, SECOND, parse_span
from opportune.errors import BadEvent, BadInput
from opportune.events.segment import written_instant
from opportune.events.types import Event
from opportune.profiles.addresses import bounce_key, is_bounce_key, trait
from opportune.profiles.choices import PROVEN_SOURCES, SECOND_OPT_IN, choices_of, keep, keep_often
from opportune.profiles.consent import PURPOSES, REFUSED, Key, Status, spelled
from opportune.profiles.contacts import BOUND
from opportune.profiles.fields import dig
from opportune.profiles.state import MOST_ADDRESSES, MOST_CONSENTS, Often, Prefers, Said, State

CONSENT_UPDATED = "Consent Updated"
PREFERENCES = "consent.categoryPreferences"
PAUSED, RESUMED = "Contact Paused", "Contact Resumed"
FREQUENCY, PREFERRED = "Frequency Chosen", "Channel Preferred"
BOUNCED, COMPLAINED = "Message Bounced", "Message Complained"

SPOKEN = frozenset((CONSENT_UPDATED, PAUSED, RESUMED, FREQUENCY, PREFERRED, BOUNCED, COMPLAINED))

LONGEST_FREQUENCY = 90 * DAY
"""The longest span of a frequency: contacts are kept that long, whatever the catalog says."""

NEVER = 221_845_392_000 * SECOND
"""The year 9000: what ends no earlier has no end."""

LONGEST_WORDING = 200
"""Characters of the version of a wording; a longer one is left out."""

_LONGEST_NAME = 64
_LONGEST_PROOF = 1024

Kind = Literal["consent", "pause", "preference"]


class Word(NamedTuple):
    """One word of an event: a consent, a pause (or with `granted` its end), or a category preference."""

    kind: Kind
    key: Key
    said: Said


def speaks(event: Event) -> bool:
    """Return whether an event may say anything about being contacted."""
    context = event.context
    if "consent" in context or "gpc" in context or PREFERENCES in context:
        return True
    return event.event in SPOKEN and event.type == "track"


def hear(state: State, event: Event, seq: int, addresses: Mapping[str, str]) -> None:
    """Take what an event says into a node's state; `addresses` names the trait with the address of each channel."""
    for kind, key, said in words(event, seq):
        keep(state, kind, key, said)
    if event.type != "track":
        return
    get = event.properties.get
    if event.event == FREQUENCY:
        often = _often(event, seq)
        if often is not None:
            keep_often(state, _name(get("channel")) or "all", often)
    elif event.event == PREFERRED:
        prefers = Prefers(event.at, seq, _name(get("channel")) or "", get("only") is not False)
        choices = choices_of(state)
        choices.prefers = max(choices.prefers or prefers, prefers)
    elif event.event == BOUNCED and spelled(get("kind")) in ("hard", "permanent"):
        channel = _name(get("channel"))
        if channel:
            _bounce(state, channel, event, addresses.get(channel, ""), (event.at, seq))


def words(event: Event, seq: int) -> Iterator[Word]:
    """Yield the words of an event, in the order in which they are told; of no other event than those above."""
    preferences = dig(event.context, PREFERENCES)
    if isinstance(preferences, dict):
        for channel, allowed in preferences.items():
            if type(allowed) is bool and _named(channel):
                status: Status = "granted" if allowed else "refused"
                key: Key = ("marketing", spelled(channel))
                yield Word("preference", key, Said(status, event.at, seq, "categoryPreferences"))
    if event.context.get("gpc") is True:
        yield Word("consent", ("ads", "all"), Said("refused", event.at, seq, "gpc"))
    if event.type != "track":
        return
    if event.event == CONSENT_UPDATED:
        items = _items(event)
        refuses = len(items) > 1 and any(consent_status(item.get("status")) in REFUSED for item in items)
        for item in items[:MOST_CONSENTS]:
            found = consent_status(item.get("status")) or ("refused" if refuses else None)
            word = found and _consent(event, seq, item, found)
            if word:
                yield word
    elif event.event in (PAUSED, RESUMED):
        about = _key(event.properties, "marketing", wide=True)
        stops = event.event == PAUSED
        until = _pause_end(event) if stops else None
        if about:
            status = "refused" if stops else "granted"
            yield Word("pause", about, Said(status, event.at, seq, _source(event, event.properties), until=until))
    elif event.event == COMPLAINED:
        channel = _name(event.properties.get("channel")) or "all"
        yield Word("consent", ("marketing", channel), Said("withdrawn", event.at, seq, "complaint"))


def consent_status(said: Any) -> Status | None:
    """Return what a word for a consent means, in any case; None if it means none of them.

    >>> consent_status("Granted"), consent_status("denied"), consent_status("opted-out"), consent_status("perhaps")
    ('granted', 'refused', 'withdrawn', None)
    """
    if isinstance(said, str):
        return _STATUSES.get(spelled(said).replace("-", "_"))
    return _STATUSES.get(said) if isinstance(said, bool) else None


def unproven(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a `Consent Updated` without what would count as proof that a customer confirmed.

    Whoever sees a page can read its write key: what comes with one may say that somebody asked, and never that they
    confirmed, or where we have it from.

    >>> unproven({"channel": "email", "status": "granted", "method": "Double Opt-In", "proof": "x", "source": "shop"})
    {'channel': 'email', 'status': 'granted', 'source': 'shop'}
    """
    told = {name: value for name, value in properties.items() if not _proves(name, value)}
    if isinstance(several := told.get("consents"), list):
        told["consents"] = [unproven(item) if isinstance(item, dict) else item for item in several]
    return told


def check_consent(event: Event, catalog: Catalog | None = None) -> None:
    """Raise `BadEvent` for words that mean nothing, with a catalog also for refusals of what it does not have: what a
    customer chose must never be lost in silence.
    """
    if event.type != "track" or event.event not in SPOKEN:
        return
    if catalog is not None:
        _check_known(event, catalog)
    if event.event not in (CONSENT_UPDATED, FREQUENCY):
        return
    if event.event == FREQUENCY:
        if _often(event, 0) is None:
            said = {name: event.properties.get(name) for name in ("at_most", "in")}
            cure = f"write a whole number up to {BOUND} or null, and a span up to 90d"
            raise BadEvent("bad_frequency", f"a frequency of {str(said)[:80]}; {cure}")
        return
    items = _items(event)
    statuses = [consent_status(item.get("status")) for item in items]
    several = event.properties.get("consents")
    if several is not None and (not isinstance(several, list) or len(several) > MOST_CONSENTS):
        raise BadEvent("bad_consent", f"`consents` is a list of up to {MOST_CONSENTS} objects; send several events")
    if len(items) > 1 and any(status in REFUSED for status in statuses):
        return
    for item, status in zip(items, statuses):
        if status is None:
            shown = str(item.get("status"))[:40]
            raise BadEvent("bad_consent", f"consent status is {shown!r}; write granted, refused or withdrawn")
        if status == "granted" and _key(item, item.get("purpose", "marketing"), wide=False) is None:
            what = {name: item[name] for name in ("purpose", "channel", "topic") if name in item}
            cure = "a grant names its channel, or `all`"
            raise BadEvent("bad_consent", f"nobody can say what is granted by {str(what)[:80]}: {cure}")
        if status == "granted" and item.get("until") is not None and _instant(item["until"]) is None:
            cure = "write ISO 8601, such as 2026-01-31T12:00:00Z"
            raise BadEvent("bad_consent", f"a grant ends {str(item['until'])[:40]!r}; {cure}")


def _check_known(event: Event, catalog: Catalog) -> None:
    """Raise `BadEvent` if an event refuses nothing but channels and topics that the catalog does not have."""
    channels = {"all", *(channel.name for channel in catalog.channels)}
    topics = {topic.name.casefold() for topic in catalog.topics}
    # the context says nothing of its own here: it comes with any call, and its names are those of cookies
    own = replace(event, context={})
    about = [word.key for word in words(own, 0) if word.said.status in REFUSED]
    if event.event == FREQUENCY:
        about = [("marketing", _name(event.properties.get("channel")) or "all")]
    unknown = [key for key in about if key[1] not in channels or not topics.issuperset(key[2:])]
    if unknown and len(unknown) == len(about):
        key = unknown[0]
        if key[1] in channels:
            what, name, known = "topic", key[2], topics
        else:
            what, name, known = "channel", key[1], channels
        cure = f"the catalog has {', '.join(sorted(known)) or 'none'}"
        raise BadEvent("bad_consent", f"{event.event} is about the {what} {name!r}, and {cure}")


def _items(event: Event) -> list[Mapping[str, Any]]:
    """Return the properties of each word of a `Consent Updated`; what cannot be one is empty."""
    several = event.properties.get("consents")
    if not isinstance(several, list):
        return [event.properties]
    return [{**event.properties, **item} if isinstance(item, dict) else {} for item in several]


def _consent(event: Event, seq: int, item: Mapping[str, Any], status: Status) -> Word | None:
    key, get = _key(item, item.get("purpose", "marketing"), wide=status in REFUSED), item.get
    until = _instant(get("until"))
    if key is None or (status == "granted" and until is None and get("until") is not None):
        return None
    until = _end(until, event.at) if status in REFUSED or until is None or until > event.at else event.at
    wording, proof = get("wording"), get("proof")
    said = Said(
        status,
        event.at,
        seq,
        _source(event, item),
        wording if type(wording) is str and len(wording) <= LONGEST_WORDING else "",
        _short(get("language")),
        _method(get("method")),
        until,
        proof if type(proof) is str and len(proof) <= _LONGEST_PROOF else "",
    )
    return Word("pause" if status in REFUSED and until is not None else "consent", key, said)


def _key(item: Mapping[str, Any], purpose: Any, wide: bool) -> Key | None:
    """Return what a word is about; None if that cannot be read. Then, with `wide`, it is about everything instead."""
    purpose, channel, topic = spelled(purpose), spelled(item.get("channel")), item.get("topic")
    about = topic.strip().casefold() if isinstance(topic, str) else topic
    if about in (None, "", "all"):
        about = None
    elif not _named(about):
        if not wide:
            return None
        about = None
    elif channel is None:
        channel = "all"
    if wide:
        purpose = purpose if purpose in PURPOSES else "marketing"
        channel = channel if _named(channel) else "all"
    if not _named(purpose) or not _named(channel):
        return None
    return (purpose, channel) if about is None else (purpose, channel, about)


def _pause_end(event: Event) -> int | None:
    """Return when a pause ends; None if it says nothing that can be read."""
    until, span = _instant(event.properties.get("until")), event.properties.get("for")
    if until is None and isinstance(span, str):
        try:
            until = event.at + parse_span(span)
        except BadInput:
            return None
    return _end(until, event.at)


def _end(until: int | None, at: int) -> int | None:
    """Return an end if it is one: after the word, and before everybody has forgotten it."""
    return until if until is not None and at < until < NEVER else None


def _often(event: Event, seq: int) -> Often | None:
    at_most, span = event.properties.get("at_most"), event.properties.get("in")
    if at_most is None and "at_most" in event.properties:
        return Often(event.at, seq, None, 0)
    if type(at_most) is not int or not 0 <= at_most <= BOUND or not isinstance(span, str):
        return None
    try:
        length = parse_span(span)
    except BadInput:
        return None
    return Often(event.at, seq, at_most, length) if length <= LONGEST_FREQUENCY else None


def _bounce(state: State, channel: str, event: Event, name: str, when: tuple[int, int]) -> None:
    bounced, key = choices_of(state).bounced, event.properties.get("addressKey")
    if not is_bounce_key(key, channel):
        key = bounce_key(channel, event.properties.get("address") or trait(state, name)[1])
    bounced[key] = max(bounced.get(key, when), when)
    if len(bounced) > MOST_ADDRESSES:
        del bounced[min(bounced, key=lambda k: bounced[k])]


def _source(event: Event, item: Mapping[str, Any]) -> str:
    source = item.get("source")
    return str(source) if _named(source) else event.source


def _proves(name: str, value: Any) -> bool:
    known = value in PROVEN_SOURCES if isinstance(value, str) else False
    return name == "proof" or (name == "source" and known) or (name == "method" and _method(value) == SECOND_OPT_IN)


def _method(value: Any) -> str:
    return _short(spelled(value)).replace("-", "_")


def _instant(value: Any) -> int | None:
    try:
        return None if value is None else written_instant(value)
    except (ValueError, OverflowError):
        return None


def _named(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= _LONGEST_NAME


def _name(value: Any) -> str | None:
    word = spelled(value)
    return word if _named(word) else None


def _short(value: Any) -> str:
    return value if _named(value) else ""


_STATUSES: dict[Any, Status] = {
    True: "granted", "granted": "granted", "accepted": "granted", "opted_in": "granted", "yes": "granted",
    "opt_in": "granted", "true": "granted", "subscribed": "granted", "confirmed": "granted",
    False: "refused", "refused": "refused", "denied": "refused", "rejected": "refused", "no": "refused",
    "false": "refused", "declined": "refused", "deny": "refused", "refuse": "refused",
    "withdrawn": "withdrawn", "revoked": "withdrawn", "opted_out": "withdrawn", "unsubscribed": "withdrawn",
    "opt_out": "withdrawn", "unsubscribe": "withdrawn", "optout": "withdrawn", "withdraw": "withdrawn",
    "revoke": "withdrawn", "stop": "withdrawn",
    "requested": "requested", "pending": "requested", "expired": "expired",
}  # fmt: skip
