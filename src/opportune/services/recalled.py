"""What was decided: decisions of the ledger, the latest first, that fit what somebody looks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opportune.catalog.types import Action
from opportune.clock import to_datetime
from opportune.decide.stages.assign import HOLDOUT, RANDOM
from opportune.errors import Forgotten
from opportune.events.types import DecisionMade
from opportune.hub import Hub
from opportune.ledger import record
from opportune.ledger.episodes import Episode
from opportune.ledger.record import Place, Record, unpack_leaders
from opportune.services.backwards import backwards
from opportune.services.lately import HUB, silence_kind
from opportune.wire.recalling import DecisionList, DecisionRow, PlaceSaid, Said

MOST_FACTS = 40_000
"""Facts that are looked at for one answer: some tenths of a second."""

DELIVERED, SEEN, RELEASED, GOAL = "delivered", "seen", "released", "goal"
UNANSWERED = {DELIVERED, SEEN, RELEASED, GOAL}
"""What can become of an action without an answer of the customer to it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody looks for; "" and None let everything through.

    `nodes` are the identities of one customer. `silence` is `any`, `none` or a kind of `wire.recalling.SILENCES`, and
    judged over the placements that fit: there is silence where none of them got anything, for the reason of the first.
    `arm` `hub` is everybody but the random arm, as in the figures of `lately`. `since` and `until` are instants.
    """

    placement: str = ""
    channel: str = ""
    action: str = ""
    campaign: str = ""
    issue: str = ""
    flow: str = ""
    arm: str = ""
    silence: str = ""
    answer: Literal["", "any", "yes", "no", "unseen"] = ""
    held_out: bool = False
    pushed: bool = False
    nodes: frozenset[str] | None = None
    since: int | None = None
    until: int | None = None

    def takes(self, kept: Record) -> bool:
        """Return whether the flow and the arm of a record fit."""
        if self.flow not in ("", kept.flow):
            return False
        if not self.arm:
            return True
        return kept.arm != RANDOM if self.arm == HUB else kept.arm == self.arm

    def named(self, action: Action) -> bool:
        """Return whether an action is one that is looked for."""
        return (
            self.action in ("", action.name)
            and self.campaign in ("", action.campaign)
            and self.issue in ("", action.issue)
        )

    @property
    def names(self) -> bool:
        """Whether certain actions are looked for."""
        return bool(self.action or self.campaign or self.issue)


def recalled(hub: Hub, wanted: Wanted, before: int | None, limit: int, most: int = MOST_FACTS) -> DecisionList:
    """Return at most `limit` decisions before a fact of the ledger (None: the last ones), the latest first.

    Ends after so many facts; the answer says where to go on. What is said of customers who were forgotten cannot be
    read by anybody, and their decisions are in no list. Reads only, may be asked from any thread, and holds up others
    for some milliseconds at most.
    """
    found: list[DecisionRow] = []
    at = min(hub.ledger.last() + 1, before or 1 << 62)
    if wanted.until is not None:
        at = min(at, hub.ledger.before(wanted.until) + 1)
    looked, back, end = 0, None, max(1, at - most)
    for number, fact in backwards(hub, at, most):
        if not isinstance(fact, DecisionMade):
            continue
        if wanted.since is not None and fact.at < wanted.since:
            return DecisionList(found, None, back, looked)
        looked, back = looked + 1, to_datetime(fact.at)
        if (row := _row(hub, fact, wanted)) is not None:
            found.append(row)
            if len(found) == limit:
                end = number
                break
    return DecisionList(found, end if end > 1 else None, back, looked)


def _row(hub: Hub, made: DecisionMade, wanted: Wanted) -> DecisionRow | None:
    if wanted.nodes is not None and made.subject not in wanted.nodes:
        return None
    if wanted.until is not None and made.at >= wanted.until:
        return None
    with suppress(Forgotten), hub.reading():
        kept = record.decode(hub.vault.open(made.subject, made.record))
        if not wanted.takes(kept):
            return None
        actions = hub.ledger.catalog(made.catalog).actions
        places = [place for place in kept.places if _fits(place, wanted)]
        if not places or not _silent(places, wanted.silence):
            return None
        places = [place for place in places if _says(place, wanted, actions)]
        if not places:
            return None
        became = hub.ledger.episodes(made.decision_id).each
        told = [_said(place, actions, became) for place in places]
        if wanted.answer and not any(_answered(one, wanted) for place in told for one in place.actions):
            return None
        return DecisionRow(made.decision_id, to_datetime(made.at), kept.customer, kept.arm, kept.flow, told)
    return None


def _fits(place: Place, wanted: Wanted) -> bool:
    return wanted.placement in ("", place.placement) and wanted.channel in ("", place.channel)


def _silent(places: Sequence[Place], silence: str) -> bool:
    """Return whether placements are as silent as is looked for."""
    if not silence:
        return True
    silent = all(place.silence for place in places)
    if silence in ("any", "none"):
        return silent == (silence == "any")
    return silent and silence_kind(places[0].silence or "") == silence


def _says(place: Place, wanted: Wanted, actions: Sequence[Action]) -> bool:
    """Return whether what a placement got is what is looked for."""
    if wanted.pushed and (not place.pushed or place.silence):
        return False
    if wanted.held_out:
        ghost = place.ghost
        return ghost is not None and ghost.reason == HOLDOUT and wanted.named(actions[ghost.action])
    return not wanted.names or any(wanted.named(actions[i]) for i in _chosen(place))


def _chosen(place: Place) -> Iterator[int]:
    return (leader.action for leader in unpack_leaders(place.leaders) if leader.rank)


def _answered(one: Said, wanted: Wanted) -> bool:
    wrong = wanted.names and not (
        wanted.action in ("", one.action) and wanted.campaign in ("", one.campaign) and wanted.issue in ("", one.issue)
    )
    if wrong or wanted.answer == "any":
        return not wrong and not {*one.heard} <= UNANSWERED
    return {"yes": one.yes is True, "no": one.yes is False, "unseen": one.yes is None}[wanted.answer]


def _said(place: Place, actions: Sequence[Action], became: Sequence[Episode]) -> PlaceSaid:
    """Return what a placement got, and what became of it."""
    told = []
    for leader in unpack_leaders(place.leaders):
        if leader.rank:
            action = actions[leader.action]
            mine = [one for one in became if one.action == action.name and not one.ghost]
            heard, last = _heard(mine[0]) if mine else ([], None)
            told.append(Said(
                action.name, action.issue, action.group, action.campaign, leader.rank, leader.propensity, leader.value,
                leader.priority, leader.probability, heard, last, mine[0].label if mine else None,
            ))  # fmt: skip
    would, withheld = (actions[place.ghost.action].name, place.ghost.reason) if place.ghost else (None, None)
    return PlaceSaid(place.placement, place.channel, told, place.silence, would, withheld, place.pushed)


def _heard(one: Episode) -> tuple[list[str], datetime | None]:
    """Return what is known to have become of an action, in order of time, and when the last of it was."""
    times = [(DELIVERED, one.delivered), (SEEN, one.seen), *one.outcomes.items()]
    known = sorted(((at, name) for name, at in times if at is not None), key=lambda pair: pair[0])
    names = [name for _, name in known] + [GOAL] * bool(one.credits) + [RELEASED] * bool(one.released)
    return names, to_datetime(known[-1][0]) if known else None
