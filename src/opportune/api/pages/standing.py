"""What a customer chose so far, as their page shows it: channels, topics, how often, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opportune.catalog.types import Catalog, Channel, Trait
from opportune.clock import DAY
from opportune.hub import Hub
from opportune.profiles.addresses import trait as read_trait
from opportune.profiles.choices import PREFERRED_CHANNEL, preference, wishes
from opportune.profiles.consent import REFUSED, Key, Wishes, refusal, sells, status_of, why_not
from opportune.profiles.people import View
from opportune.profiles.state import Often
from opportune.rules import Kind, Value

OFTEN: Mapping[str, tuple[int, int] | None] = {"": None, "1/1": (1, 1), "1/7": (1, 7), "1/30": (1, 30)}
"""The frequencies that a page offers: contacts within days."""

OWN_PLACE = ("language", PREFERRED_CHANNEL)
"""Traits that have a place of their own on the page."""

MOST_FACTS = 20

NOWHERE = Channel("", push=False)
"""Stands for all channels: only what is about every one of them is about it."""


@dataclass(frozen=True, slots=True)
class Way:
    """A channel as a customer sees it.

    `status` is the last word about it and `at` when it was said, "" and None where nothing was. `often` is a key of
    `OFTEN`, or another `number/days`. `pause` is None, or when a break in it ends (0: never by itself). `shut`: even
    messages about the contract are refused here.
    """

    name: str
    push: bool
    ads: bool
    allowed: bool
    status: str
    at: int | None
    often: str
    pause: int | None
    shut: bool

    @property
    def purpose(self) -> str:
        """What a consent in this channel is about."""
        return "ads" if self.ads else "marketing"


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that a customer can change on their page, as it is now; `now` and instants in the zone `zone`.

    `topics` are (name, titles, wanted). `pause` is None, or when the break ends (0: never by itself). `situations` are
    (name, since). `often_all`: a frequency was chosen for all channels at once. `breaks` are the keys of consent of all
    breaks that are open. Of a fact that is a time, the value is the text that says it.
    """

    now: int
    zone: str
    name: str
    language: object
    ways: tuple[Way, ...]
    topics: tuple[tuple[str, Mapping[str, str], bool], ...]
    preferred: str
    pause: int | None
    facts: tuple[tuple[Trait, Value], ...]
    situations: tuple[tuple[str, int | None], ...]
    gpc: bool
    often_all: bool
    breaks: tuple[Key, ...]


def standing(hub: Hub, view: View) -> Standing:
    """Return what a customer chose so far. Call it where the hub is at rest."""
    catalog, now, state = hub.plan.catalog, hub.clock.now(), view.state
    said = wishes(state, catalog.channels)
    consented = Wishes(said.consents)
    values, mine = view.values(now), hub.ledger.relationship(view.subject)
    frequency = state.choices.frequency if state.choices else {}
    shown = shown_channels(catalog)
    pauses = Wishes(pauses=said.pauses)
    ways = tuple(_way(c, consented, pauses, frequency, catalog, now) for c in shown)
    open_ = [c for c, way in zip(shown, ways) if way.allowed and not way.ads]
    topics = tuple((t.name, t.title, _wanted(consented, open_, t.name, catalog, now)) for t in catalog.topics)
    paused = refusal(pauses, NOWHERE, "marketing", now)
    prefers = preference(state)
    facts = [(t, _known(view, t, values)) for t in catalog.traits if t.correctable and t.name not in OWN_PLACE]
    began = {turn.situation: turn.at for turn in mine.turns if turn.entered}
    gpc = said.consents.get(("ads", "all"))
    return Standing(
        now, hub.snapshots.zone(view, now), _name(view), state.traits.get("language", (None,))[0], ways, topics,
        prefers.channel if prefers else "", None if paused is None else paused.until or 0, tuple(facts[:MOST_FACTS]),
        tuple((name, began.get(name)) for name in mine.situations), bool(gpc and gpc.source == "gpc"),
        "all" in frequency, tuple(key for key in said.pauses if _open(pauses, key, now)),
    )  # fmt: skip


def shown_channels(catalog: Catalog) -> list[Channel]:
    """Return the channels that some marketing is made for, those that reach out first, ads last."""
    used = {t.channel for action in catalog.actions if action.kind == "marketing" for t in action.treatments}
    shown = [channel for channel in catalog.channels if channel.name in used]
    return sorted(shown, key=lambda c: (sells(c), not c.push, c.name != "email", c.name))


def _way(
    channel: Channel, said: Wishes, pauses: Wishes, frequency: Mapping[str, list[Often]], catalog: Catalog, now: int
) -> Way:
    ads = sells(channel)
    allowed = why_not(said, channel, "marketing", now, "", catalog.consent) is None
    keys = [(p, c) for p in ("marketing", "all", *(("ads",) if ads else ())) for c in (channel.name, "all")]
    words = [(key, said.consents[key]) for key in keys if key in said.consents]
    # what decides is the latest word of the kind that the verdict is
    found = [(key, word, status_of(key, word, now, catalog.consent, channel.name)) for key, word in words]
    fitting = [f for f in found if (f[2] == "granted") == allowed] or found
    last = max(fitting, key=lambda f: f[1].at, default=None)
    chosen = frequency.get(channel.name) or frequency.get("all") or []
    often = max(chosen, default=None)
    how = f"{often.at_most}/{max(1, often.span // DAY)}" if often and often.at_most is not None else ""
    paused = refusal(pauses, channel, "marketing", now)
    return Way(
        channel.name, channel.push, ads, allowed, last[2] if last else "", last[1].at if last else None, how,
        None if paused is None else paused.until or 0,
        why_not(said, channel, "service", now, "", catalog.consent) is not None,
    )  # fmt: skip


def _open(pauses: Wishes, key: Key, now: int) -> bool:
    """Return whether a break goes on."""
    word = pauses.pauses[key]
    if word.status not in REFUSED or (word.until is not None and word.until <= now):
        return False
    channel = NOWHERE if key[1] == "all" else Channel(key[1], push=False)
    return refusal(pauses, channel, "marketing", now, key[2] if len(key) == 3 else "") is not None


def _known(view: View, trait: Trait, values: Mapping[str, Value]) -> Value:
    value = values.get(trait.name)
    return value if value is None or trait.kind is not Kind.TIME else read_trait(view.state, trait.name)[1]


def _wanted(said: Wishes, channels: list[Channel], topic: str, catalog: Catalog, now: int) -> bool:
    """Return whether a topic is refused nowhere that offers may be made."""
    anywhere = channels or [Channel("", push=False)]
    return all(why_not(said, c, "marketing", now, topic, catalog.consent) is None for c in anywhere)


def _name(view: View) -> str:
    """Return what the customer is called: no more than the first name, because mails are passed on."""
    for trait in ("first_name", "firstName", "name"):
        value = view.state.traits.get(trait, (None,))[0]
        if isinstance(value, str) and value.strip():
            return value.strip() if trait != "name" else value.split()[0]
    return ""
