"""A sample of customers, asked without a trace: where candidates fall, and what parts of a policy let through.

Each function yields None again and again while it is at work, and in the end what it found: call its steps where nobody
else works on the hub; others may between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from opportune.catalog.types import STAGED, Action
from opportune.clock import to_datetime
from opportune.decide.board import Board
from opportune.decide.pipeline import played
from opportune.decide.stages.arbitrate import NOTHING_LEFT
from opportune.decide.stages.available import ELSEWHERE
from opportune.decide.stages.withhold import HELD_OUT
from opportune.decide.types import Stage, hash64
from opportune.hub import Hub
from opportune.profiles.people import View
from opportune.rules.expression import Expression
from opportune.rules.python import Evaluate, compile_one
from opportune.rules.tree import And, canonical
from opportune.wire.steering import ConditionShare, Fallen, FunnelInfo, PlaceFunnel, Unserved

AT_ONCE = 10
"""Decisions of one step: a few milliseconds."""

MOST_DECISIONS = 20_000
"""Decisions of one sample; a catalog with many placements gets fewer customers."""

CHOICES = 10
"""Up to so many candidates are told apart."""

EXAMPLES = 8
RUN = (Stage.IN, Stage.ARBITRATE, Stage.WITHHOLD, Stage.TREAT, Stage.LIMIT)
"""The stages of what was a candidate until actions were compared."""

SILENCES = {
    NOTHING_LEFT: "nothing was left after policy, consent and contact limits",
    HELD_OUT: "held out, so that the effect of contacts can be known",
    ELSEWHERE: "another tool decides for this customer",
}
NOT_WORTH, OTHER = "nothing was worth the attention", "another reason"


def pages(hub: Hub, most: int, each: int) -> Iterator[list[View]]:
    """Yield up to `most` customers by pseudonym, in pages for which `each` decisions a customer are one step's work."""
    hub.people.save()
    most, page, cursor = min(most, max(MOST_DECISIONS // max(each, 1), 1)), max(AT_ONCE // max(each, 1), 1), ""
    while most > 0 and (found := [*islice(hub.people.after(cursor), min(page, most))]):
        cursor, most = found[-1].subject, most - len(found)
        yield found


def funnel(hub: Hub, most: int) -> Iterator[FunnelInfo | None]:
    """Find where the candidates of each placement fall, for up to `most` customers."""
    found = _Funnel(hub)
    for page in pages(hub, most, len(hub.plan.places)):
        for view in page:
            found.add(view)
        yield None
    yield found.told()


def policy(hub: Hub, name: str, most: int) -> Iterator[tuple[int, list[ConditionShare]] | None]:
    """Find how many customers were asked, and what each part of an action's policy lets through of them.

    Parts joined by AND are told one by one, in the order in which they are asked.
    """
    action = hub.plan.action(name)
    place = next((p.name for p in hub.plan.places.values() if p.treatment[hub.plan.position[name]] >= 0), None)
    parts = parts_of(action)
    alone, left, customers = [0] * len(parts), [0] * len(parts), 0
    for page in pages(hub, most, 1):
        now = hub.clock.now()
        for view in page:
            snapshot, request = hub.snapshots.of(view, hub.brain, [place] if place else [], now, _seed(view))
            row = Board.open(request, snapshot, place, 0).row if place else snapshot.row
            values = snapshot.plan.layout.values(row)
            still, customers = True, customers + 1
            for i, (_, _, asked) in enumerate(parts):
                holds = asked(values) is True
                still = still and holds
                alone[i] += holds
                left[i] += still
        yield None
    yield (
        customers,
        [ConditionShare(stage, text, customers, alone[i], left[i]) for i, (stage, text, _) in enumerate(parts)],
    )


def parts_of(action: Action) -> list[tuple[str, str, Evaluate]]:
    """Return (stage, text, evaluator) of each part of an action's policy."""
    found = []
    for stage in (*STAGED, "helps"):
        condition: Expression | None = getattr(action, stage)
        if condition is not None:
            trees = condition.tree.of if isinstance(condition.tree, And) else (condition.tree,)
            found += [(stage, canonical(tree), compile_one(tree)) for tree in trees]
    return found


class _Funnel:
    """What was counted so far."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._plan = hub, hub.plan
        self._names = sorted(hub.plan.places)
        self._fell = {name: [Counter[int]() for _ in self._plan.actions] for name in self._names}
        self._choices = {name: [0] * (CHOICES + 1) for name in self._names}
        self._silent = {name: Counter[str]() for name in self._names}
        self._chosen, self._reach = Counter[str](), Counter[str]()
        self._examples: list[Unserved] = []
        self._customers = self._unserved = 0

    def add(self, view: View) -> None:
        """Ask every placement about a customer, each as if it were alone."""
        hub, plan, now = self._hub, self._plan, self._hub.clock.now()
        reached, stages = set[int](), Counter[int]()
        for name in self._names:
            snapshot, request = hub.snapshots.of(view, hub.brain, [name], now, _seed(view))
            [board] = played(replace(request, probabilities=False), snapshot)
            fell = board.stage.tolist()
            chosen = {plan.position[one.action] for one in board.chosen}
            run = 0
            for i, stage in enumerate(fell):
                stage = Stage.IN if i in chosen else stage or Stage.ARBITRATE
                self._fell[name][i][stage] += 1
                if stage in RUN:
                    run += 1
                    reached.add(i)
                elif stage != Stage.AVAILABLE:
                    stages[stage] += 1
            self._choices[name][min(run, CHOICES)] += 1
            self._chosen[name] += bool(chosen)
            if not chosen:
                self._silent[name][_why(board.silence or "")] += 1
        self._customers += 1
        self._reach.update(plan.actions[i].name for i in reached)
        if not reached:
            self._unserved += 1
            if len(self._examples) < EXAMPLES:
                stage = Stage(stages.most_common(1)[0][0]) if stages else Stage.AVAILABLE
                self._examples.append(Unserved(view.customer, view.subject, stage.name.lower()))

    def told(self) -> FunnelInfo:
        """Return what was found."""
        places, actions = list[PlaceFunnel](), list[Fallen]()
        for name in self._names:
            channel, all_of_them = self._plan.places[name].channel.name, Counter[int]()
            for action, fell in zip(self._plan.actions, self._fell[name]):
                all_of_them.update(fell)
                if set(fell) - {int(Stage.AVAILABLE)}:
                    actions.append(Fallen(action.name, name, channel, _named(fell)))
            places.append(
                PlaceFunnel(name, channel, self._customers, self._chosen[name], _named(all_of_them),
                            self._choices[name], dict(self._silent[name].most_common()))
            )  # fmt: skip
        reach = {action.name: self._reach[action.name] for action in self._plan.actions}
        return FunnelInfo(
            to_datetime(self._hub.clock.now()), self._customers, places, actions, reach, self._unserved, self._examples
        )


def _named(fell: Counter[int]) -> dict[str, int]:
    return {Stage(stage).name.lower(): count for stage, count in sorted(fell.items()) if count}


def _seed(view: View) -> int:
    return hash64("sample", view.customer)


def _why(silence: str) -> str:
    return SILENCES.get(silence, NOT_WORTH if silence.startswith("nothing is worth") else OTHER)
