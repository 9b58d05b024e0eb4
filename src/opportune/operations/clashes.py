"""Campaigns that get in each other's way: the same people in the same week, limits and placements they share. Pure.

Whom a campaign may speak to is asked of a sample of real profiles: `eligible`, `suitable` and `helps` of an action
hold, and the customer agreed to its channel. Whether it fits at the moment (`applicable`) is not asked: that is another
question each day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from opportune.catalog.types import Action, Cap, Catalog
from opportune.measure.summary import Rate, rate
from opportune.operations.calendar import Span


@dataclass(frozen=True, slots=True)
class Contested:
    """A cap that is too small for the actions of both: `wanted` is how many of them it is about."""

    cap: Cap
    wanted: int


@dataclass(frozen=True, slots=True)
class Clash:
    """Two campaigns and the weeks in which both are on, the customers in the sample whom both may speak to (and one of
    them), the caps that they would fight over and the placements that both want. `contacted` are, by past week, the
    customers to whom both spoke in it."""

    campaigns: tuple[str, str]
    weeks: tuple[int, ...]
    both: Rate
    either: int
    caps: tuple[Contested, ...]
    placements: tuple[str, ...]
    contacted: Mapping[int, int]


@dataclass(slots=True)
class Audiences:
    """Whom in a sample campaigns may speak to: told of one customer after the other."""

    asked: int = 0
    each: Counter[str] = field(default_factory=Counter)
    both: Counter[tuple[str, str]] = field(default_factory=Counter)

    def tell(self, campaigns: Iterable[str]) -> None:
        """Count a customer, to whom these campaigns may speak."""
        mine = sorted({*campaigns})
        self.asked += 1
        self.each.update(mine)
        self.both.update(combinations(mine, 2))


@dataclass(slots=True)
class Spoken:
    """To whom campaigns spoke in which week: the customers by week and campaign."""

    people: dict[tuple[int, str], set[str]] = field(default_factory=dict)

    def tell(self, week: int, campaign: str, subject: str) -> None:
        """Count a contact."""
        self.people.setdefault((week, campaign), set()).add(subject)

    def both(self, one: str, other: str) -> dict[int, int]:
        """Return by week to how many customers both spoke; weeks without any are left out."""
        weeks = sorted({week for week, campaign in self.people if campaign == one})
        found = {week: len(self.people[week, one] & self.people.get((week, other), set())) for week in weeks}
        return {week: many for week, many in found.items() if many}


def clashes(
    catalog: Catalog, actions: Mapping[str, Sequence[Action]], spans: Mapping[str, Span], weeks: Mapping[int, Span],
    audiences: Audiences, spoken: Spoken, places: Mapping[str, frozenset[str]],
) -> list[Clash]:  # fmt: skip
    """Return the pairs of campaigns that are on in one of the `weeks` or spoke to the same customers in a past one.

    `actions` and `spans` are by campaign, `places` the placements by action. Pairs that share no customer of the sample
    and spoke to none together are left out. The largest share comes first.
    """
    found = []
    for one, other in combinations(sorted(actions), 2):
        both = rate(audiences.both[one, other], audiences.asked)
        first, second = spans.get(one), spans.get(other)
        shared = [
            week for week, span in weeks.items() if first and second and first.meets(span) and second.meets(span)
        ]
        contacted = spoken.both(one, other)
        if not contacted and not (shared and both.positive):
            continue
        either = audiences.each[one] + audiences.each[other] - both.positive
        mine, theirs = actions[one], actions[other]
        same = {p for a in mine for p in places[a.name]} & {p for a in theirs for p in places[a.name]}
        caps = tuple(contested(catalog, mine, theirs)) if shared else ()
        found.append(Clash((one, other), tuple(shared), both, either, caps, tuple(sorted(same)), contacted))
    return sorted(found, key=lambda clash: (-clash.both.positive, -sum(clash.contacted.values()), clash.campaigns))


def contested(catalog: Catalog, mine: Sequence[Action], theirs: Sequence[Action]) -> list[Contested]:
    """Return the caps that have no room for one contact of each action of two campaigns, though it would have for one.

    Marketing alone is capped. A cap for each channel, issue or group is looked at for the one that is wanted most.
    """
    found = []
    for cap in catalog.contact:
        if not isinstance(cap, Cap):
            continue
        counts = [Counter(scope for a in actions for scope in _scopes(a, cap.on)) for actions in (mine, theirs)]
        wanted = max((counts[0][scope] + counts[1][scope] for scope in counts[0].keys() & counts[1].keys()), default=0)
        if wanted > cap.at_most:
            found.append(Contested(cap, wanted))
    return found


def _scopes(action: Action, on: str) -> set[str]:
    """Return what a cap counts an action under; nothing where it is not about it."""
    if action.kind != "marketing":
        return set()
    channels = {f"channel/{t.channel}" for t in action.treatments}
    group = f"{action.issue}/{action.group}"
    levels = {"all": {"all"}, "channel": channels, "issue": {action.issue}, "group": {group}}
    if on in levels:
        return levels[on]
    return {on} & {"all", *channels, action.issue, group, f"action/{action.name}"}
