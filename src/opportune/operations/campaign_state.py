"""What is known of a campaign: the fold of the facts that were told of it, as of any instant. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from unicodedata import normalize

from opportune.catalog.campaign_types import Process
from opportune.events.types import CampaignStage, CampaignWork, Spent

CampaignFact = CampaignStage | CampaignWork | Spent

FIRST_DECISION, FIRST_OUTCOME = "first_decision", "first_outcome"
"""What the hub stamps of a campaign with a process."""

_STAMPED = {"live": FIRST_DECISION}
"""Stamps of campaigns without a process, by what they say of one that has got one."""


@dataclass(frozen=True, slots=True)
class CampaignState:
    """A campaign by its facts so far.

    `moves` are the stages that it was moved to, in order, `stamps` what came to pass by itself (name -> first instant).
    `approvals` are the last word of each person, `done` the tasks that are done, `entries` the money by entry and
    `hours` the hours by entry: of one entry the last fact counts.
    """

    moves: tuple[CampaignStage, ...] = ()
    stamps: Mapping[str, int] = field(default_factory=dict)
    approvals: Mapping[str, CampaignWork] = field(default_factory=dict)
    done: Mapping[str, CampaignWork] = field(default_factory=dict)
    entries: Mapping[str, Spent] = field(default_factory=dict)
    hours: Mapping[str, CampaignWork] = field(default_factory=dict)

    def stage(self, process: Process) -> str:
        """Return where a campaign is: the last stage that it was moved to and its process has, else the first."""
        stages = (move.stage for move in reversed(self.moves))
        return next((stage for stage in stages if process.position(stage) is not None), process.stages[0].name)

    def since(self, process: Process) -> int | None:
        """Return when it was moved to the stage in which it is; None if it never was."""
        stage = self.stage(process)
        return next((move.at for move in reversed(self.moves) if move.stage == stage), None)

    def approved(self, content: str) -> tuple[CampaignWork, ...]:
        """Return the approvals that stand of what has the hash `content`: any other content ends them."""
        return tuple(one for one in self.approvals.values() if not one.undone and one.content == content)


NOTHING = CampaignState()
"""What is known before anything was told."""


def folded(facts: Iterable[CampaignFact], until: int | None = None, begin: CampaignState = NOTHING) -> CampaignState:
    """Return what the facts say, those that happened after `until` left out, beside what was known to `begin` with.

    >>> folded([CampaignStage(7, "spring", "idea", "ana", moved=True)]).moves[-1].stage
    'idea'
    """
    moves, stamps, approvals = [*begin.moves], {**begin.stamps}, {**begin.approvals}
    done, entries, hours = {**begin.done}, {**begin.entries}, {**begin.hours}
    for fact in facts:
        if until is not None and fact.at > until:
            continue
        match fact:
            case CampaignStage(moved=True):
                moves.append(fact)
            case CampaignStage():
                name = _STAMPED.get(fact.stage, fact.stage)
                stamps[name] = min(fact.at, stamps.get(name, fact.at))
            case Spent():
                entries[fact.entry] = fact
            case CampaignWork(what="hours"):
                hours[fact.entry] = fact
            case CampaignWork(what="approval"):
                approvals[same_name(fact.by)] = fact
            case CampaignWork(undone=True):
                done.pop(fact.name, None)
            case CampaignWork():
                done[fact.name] = fact
    return CampaignState(tuple(moves), stamps, approvals, done, entries, hours)


def same_name(who: str) -> str:
    """Return a name as names are compared: an accent counts as the same, in one character with its letter or in two.

    >>> same_name(" Ana  Lind") == same_name("ana lind"), same_name("Zoe\u0308") == same_name("Zo\u00eb")
    (True, True)
    """
    return normalize("NFC", " ".join(who.split()).casefold())
