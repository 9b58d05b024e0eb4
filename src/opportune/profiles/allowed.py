"""What may be said to a customer in a channel at all: consent, pauses, preference, and whether they can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from opportune.catalog.types import ActionKind, Catalog, Channel
from opportune.clock import format_instant, format_span
from opportune.profiles.addresses import unreachable
from opportune.profiles.choices import consents, preference, wishes
from opportune.profiles.consent import REFUSED, refusal, status_of, turns
from opportune.profiles.state import Choices, State
from opportune.profiles.terms import caps_of

Verdict = tuple[str | None, str | None]
"""Why marketing and why service may not be said; None where it may."""


class Allowed(NamedTuple):
    """The verdict of a channel, and of the topics about which it is another one; good until the instant `until`
    (None: until the customer says something).
    """

    verdict: Verdict
    topics: Mapping[str, Verdict]
    until: int | None


def allowed(state: State, catalog: Catalog, channels: Iterable[Channel], at: int) -> dict[str, Allowed]:
    """Return what may be said to a customer at an instant, by name of the channel."""
    said, rules = wishes(state, catalog.channels), catalog.consent
    until = turns(said, at, rules)
    topics = sorted(said.topics & {action.topic for action in catalog.actions}) if said.topics else []

    def verdict(channel: Channel, topic: str) -> Verdict:
        kinds: tuple[ActionKind, ...] = ("marketing", "service")
        found = [refusal(said, channel, kind, at, topic, rules) for kind in kinds]
        return found[0] and found[0].sentence, found[1] and found[1].sentence

    allowances = {}
    for channel in channels:
        if lost := unreachable(state, channel):
            allowances[channel.name] = Allowed((lost, lost), {}, until)
            continue
        plain = verdict(channel, "")
        about = {topic: verdict(channel, topic) for topic in topics}
        other = {topic: found for topic, found in about.items() if found != plain}
        allowances[channel.name] = Allowed(plain, other, until)
    return allowances


def statuses(state: State, catalog: Catalog, at: int) -> dict[str, str]:
    """Return what each word on consent amounts to, by purpose/channel or purpose/channel/topic."""
    return {"/".join(key): status_of(key, said, at, catalog.consent) for key, said in sorted(consents(state).items())}


def chosen(state: State, catalog: Catalog, at: int) -> dict[str, str]:
    """Return in words what a customer chose beside consent, and in which channels no message can reach them."""
    found = {}
    choices = state.choices or Choices()
    for key, said in sorted(choices.pauses.items()):
        if said.status in REFUSED and (said.until is None or said.until > at):
            end = "" if said.until is None else f" until {format_instant(said.until)}"
            found["/".join(("pause", *key[1:]))] = f"since {format_instant(said.at)}{end}"
    for cap in caps_of(state):
        name = cap.on.removeprefix("channel/")
        told = f"{cap.at_most} in {format_span(cap.span)}"
        found[f"frequency/{name}"] = " and ".join(filter(None, (found.get(f"frequency/{name}"), told)))
    prefers = preference(state)
    if prefers is not None and prefers.channel:
        found["preferred_channel"] = f"{prefers.channel} only" if prefers.only else prefers.channel
    lost = {f"unreachable/{c.name}": unreachable(state, c) for c in catalog.channels}
    return found | {name: why for name, why in lost.items() if why is not None}
