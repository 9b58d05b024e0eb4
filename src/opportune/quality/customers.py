"""The faults of one customer as the profile has them: pure, a state in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opportune.catalog.formats import is_email, is_phone
from opportune.catalog.types import Catalog, Trait
from opportune.clock import DAY, MINUTE
from opportune.profiles.consent import REFUSED, covers
from opportune.profiles.fields import TYPED, dig, instant
from opportune.profiles.state import Said, State
from opportune.quality.checks import SHARED
from opportune.quality.finding import Finding
from opportune.quality.guard import IDENTIFY
from opportune.quality.roles import ROLES, plain
from opportune.quality.schema import Fault, compiled
from opportune.quality.weights import CONSENT, IDENTITY, SHARED_ADDRESS, Weights
from opportune.rules import Kind

OLDEST = 115 * 365.25 * DAY
"""Nobody whose birth date is right is older."""

AT_ONCE = MINUTE
"""A yes and a no that are no further apart contradict each other."""

SLACK = DAY
"""How far ahead a date may be: it may be of another time zone."""

MOST_DEVICES = 50
"""Devices of one customer beyond which the id is that of many people, such as of a shop's terminal."""

CONSENT_EVENT = "Consent Updated"


class CustomerChecks:
    """What is checked of every customer, under one catalog."""

    def __init__(self, catalog: Catalog, weights: Weights) -> None:
        self._weights = weights
        self._traits = tuple((trait, compiled(_schema(trait))) for trait in catalog.traits)
        self._dates = tuple((t.name, _role(t.name)) for t in catalog.traits if t.kind in (Kind.TIME, Kind.TEXT))
        self.addresses = _addresses(catalog)
        told = {trait.name for trait in catalog.traits if trait.required}
        self._channels = {channel.to: channel.name for channel in catalog.channels
                          if channel.to and channel.push and channel.to not in told}  # fmt: skip

    def findings(self, state: State, now: int, members: int = 0) -> Iterator[Finding]:
        """Yield what is found of a customer; `members` is how many other identities belong to them."""
        yield from self._values(state)
        yield from self._impossible(state, now)
        yield from self._consents(state)
        yield from self._identity(state, members)

    def _values(self, state: State) -> Iterator[Finding]:
        for trait, check in self._traits:
            value, at, number = _written(state, trait.name)
            weight = self._weights.trait(trait.name)
            if value is None:
                if trait.required and state.user:
                    yield Finding(IDENTIFY, trait.name, "completeness", weight, "missing")
                continue
            if trait.required and state.user:
                yield Finding(IDENTIFY, trait.name, "completeness", weight, "", number, at)
            faults: list[Fault] = []
            if TYPED[trait.kind](value) is None:
                faults.append(Fault(trait.name, "type", ""))
            else:
                check(value, faults)
            yield Finding(
                IDENTIFY, trait.name, "validity", weight, faults[0].kind if faults else "", number, at
            )

    def _impossible(self, state: State, now: int) -> Iterator[Finding]:
        for name, role in self._dates:
            if role is None:
                continue
            value, at, number = _written(state, name)
            when = instant(value) if isinstance(value, str) else None
            if when is None:
                continue
            what = "in the future" if when > now + SLACK else ""
            if role == "birth" and when < now - OLDEST:
                what = "older than anybody"
            yield Finding(IDENTIFY, name, "consistency", self._weights.trait(name), what, number, at)

    def _consents(self, state: State) -> Iterator[Finding]:
        words = list(state.consents.items())
        hidden = list(state.choices.refusals.items()) if state.choices else []
        refusals = [(key, word) for key, word in words if word.status in REFUSED] + hidden
        refusals += [(("marketing", name), word) for name, word in state.preferences.items() if word.status in REFUSED]
        for key, word in words:
            if word.status != "granted":
                continue
            proven = word.wording or word.proof or word.method == "double_opt_in"
            yield Finding(CONSENT_EVENT, _about(key), "consent", CONSENT, "" if proven else "no proof or wording",
                          word.seq, word.at)  # fmt: skip
            against = any(_contradicts(key, word, other, no) for other, no in refusals)
            yield Finding(CONSENT_EVENT, _about(key), "consent", CONSENT, "contradictory" if against else "",
                          word.seq, word.at)  # fmt: skip
        for name, channel in self._channels.items():
            grant = state.consents.get(("marketing", channel))
            if grant is not None and grant.status == "granted":
                missing = _written(state, name)[0] in (None, "")
                yield Finding(IDENTIFY, name, "completeness", self._weights.trait(name),
                              "consent without an address" if missing else "", grant.seq, grant.at)  # fmt: skip

    def _identity(self, state: State, members: int) -> Iterator[Finding]:
        what, at = "", state.last or 0
        if state.user and members > MOST_DEVICES:
            what = "an id of many devices"
        elif not state.user and any(_written(state, name)[0] for name in self.addresses):
            what = "an address but no user id"
        yield Finding(IDENTIFY, "userId" if state.user else "anonymousId", "identity", IDENTITY, what, state.seq, at)

    def shared(self, customers: Iterable[tuple[str, State]], share: float = 1.0) -> dict[str, list[Finding]]:
        """Return, by customer, whether others have the same address; each customer is (name, state).

        All but the first to have it are at fault; a phone number may be a family's, of 6. Only customers with a user id
        count. Where the customers are a random `share` of all, those found stand for more, since the others had to be
        drawn, too: one of two for 1 / share (unbiased for pairs), of m more for (m - share) / (m - 1), as if m / share
        had the address.
        """
        held: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        for name, state in customers:
            for trait, kind in self.addresses.items():
                value, at, number = _written(state, trait)
                if state.user and isinstance(value, str) and (address := _plain_address(value, kind)):
                    held.setdefault((trait, address), []).append((at, number, name))
        found: dict[str, list[Finding]] = {}
        for (trait, _), whose in held.items():
            weight = max(self._weights.trait(trait), SHARED_ADDRESS)
            family = SHARED if self.addresses[trait] == "phone" else 1
            many = len(whose)
            each = 1 / share if many == 2 else (many - share) / max(many - 1, 1)
            for place, (at, number, name) in enumerate(sorted(whose)):
                again = place > 0 and many > max(family * share, 1)
                what = "also of another customer" if again else ""
                one = Finding(IDENTIFY, trait, "uniqueness", weight, what, number, at, each if again else 1.0)
                found.setdefault(name, []).append(one)
        return found


def _schema(trait: Trait) -> Mapping[str, Any]:
    bounds = {"format": trait.format or None, "minimum": trait.least, "maximum": trait.most}
    found: dict[str, Any] = {key: value for key, value in bounds.items() if value is not None}
    format = trait.format or {"email": "email", "phone": "phone"}.get(_role(trait.name) or "", "")
    if format and trait.kind is Kind.TEXT:
        found["format"] = format
    return found | ({"enum": list(trait.values)} if trait.values else {})


def _addresses(catalog: Catalog) -> dict[str, str]:
    """Return the traits that hold an address, by name: email or phone."""
    found: dict[str, str] = {}
    for trait in catalog.traits:
        kind = trait.format if trait.format in ("email", "phone") else _role(trait.name)
        if trait.kind is Kind.TEXT and kind in ("email", "phone"):
            found[trait.name] = kind
    for channel in catalog.channels:
        if channel.to and channel.to not in found:
            found[channel.to] = "email" if channel.form == "email" else "phone" if channel.form == "sms" else "address"
    return {name: kind for name, kind in found.items() if kind != "address"}


def _role(name: str) -> str | None:
    """Return the role of a trait by its name (`roles`), of those that are looked at; None for any other."""
    words = plain(name)
    for role in ("email", "phone", "birth", "created", "updated", "closed", "consent_at", "unsubscribed_at"):
        if re.fullmatch(ROLES[role], words):
            return role
    return None


def _written(state: State, name: str) -> tuple[Any, int, int]:
    """Return (value, at, number of the event) of a trait; None and zeros where there is none."""
    held = state.traits.get(name)
    if held is None and "." in name:
        top, _, rest = name.partition(".")
        held = state.traits.get(top)
        if held is not None:
            return (dig(held[0], rest) if isinstance(held[0], dict) else None), held[1], held[2]
    return (None, 0, 0) if held is None else held


def _about(key: tuple[str, ...]) -> str:
    return " ".join(key)


def _contradicts(key: tuple[str, ...], grant: Said, other: tuple[str, ...], no: Said) -> bool:
    return abs(grant.at - no.at) <= AT_ONCE and (covers(other, key) or covers(key, other))


def _plain_address(value: str, kind: str) -> str:
    if kind == "phone":
        digits = "".join(character for character in value if character.isdigit())
        return digits if is_phone(value) else ""
    text = value.strip().casefold()
    return text if is_email(text) else ""

