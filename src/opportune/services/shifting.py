"""What another catalog would shift: the same customers asked twice, with the same seed, model and contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import sqrt

from msgspec.structs import replace

from opportune.catalog.diff import diff
from opportune.catalog.types import Cap, Catalog
from opportune.clock import format_span
from opportune.decide.pipeline import decide
from opportune.decide.plan import Plan
from opportune.decide.trials import underway
from opportune.decide.types import Answer, Chosen, Snapshot, hash64
from opportune.errors import Stale
from opportune.hub import Hub
from opportune.learn.brain import Brain
from opportune.ledger.record import inputs_of, keys_of
from opportune.profiles.history import scopes
from opportune.profiles.people import View
from opportune.services.sampled import pages
from opportune.snapshots import Snapshots
from opportune.wire.steering import ActionShift, Pressure, ShiftInfo

LEAST = 30
"""Customers from whom on an interval is told."""


def shift(hub: Hub, new: Plan, most: int) -> Iterator[ShiftInfo | None]:
    """Find what the catalog of a plan would shift for up to `most` customers; steps as in `sampled`."""
    found = _Shift(hub, new)
    for page in pages(hub, most, 2 * len(hub.plan.places)):
        for view in page:
            found.add(view)
        yield None
    yield found.told()


class _Shift:
    """What was counted so far."""

    def __init__(self, hub: Hub, then: Plan) -> None:
        new = then.catalog
        self._hub, self._new, self._plan = hub, new, hub.plan
        self._models = _models(hub.brain, new)
        self._then = Snapshots(then, hub.ledger, underway(new, hub.trials.all()))
        self._names = sorted(set(self._plan.places) & set(self._then.plan.places))
        self._actions = Counter[str](), Counter[str]()
        self._caps = Counter[str](), Counter[str]()
        self._silent, self._value = [0, 0], [0.0, 0.0]
        self._moved = self._changed = self._decisions = 0
        self._gains: list[float] = []

    def add(self, view: View) -> None:
        """Ask every placement about a customer, as it is and as it would be."""
        if self._hub.plan is not self._plan:
            raise Stale("another catalog went live in this moment; ask again")
        now, seed = self._hub.clock.now(), hash64("sample", view.customer)
        before, after = self._models or (self._hub.brain, self._hub.brain)
        moved, gain = 0, 0.0
        for name in self._names:
            sides = (self._hub.snapshots, before), (self._then, after)
            asked = [snapshots.of(view, brain, [name], now, seed) for snapshots, brain in sides]
            chose = list[tuple[str, ...]]()
            for side, (snapshot, request) in enumerate(asked):
                [answer] = decide(replace(request, probabilities=False), snapshot).answers
                chose.append(tuple(one.action for one in answer.chosen))
                worth = sum(one.propensity * self._value_of(one, asked[1][0]) for one in answer.chosen)
                self._value[side] += worth
                gain += worth if side else -worth
                self._silent[side] += not answer.chosen
                self._count(side, snapshot.plan, answer)
            moved += chose[0] != chose[1]
        self._moved, self._decisions = self._moved + moved, self._decisions + len(self._names)
        self._changed += moved > 0
        self._gains.append(gain / max(len(self._names), 1))

    def told(self) -> ShiftInfo:
        """Return what was found."""
        before, after = self._actions
        caps, catalog = self._caps, self._plan.catalog
        texts = {rule.name: _words(rule) for side in (catalog, self._new) for rule in side.contact
                 if isinstance(rule, Cap)}  # fmt: skip
        n = max(self._decisions, 1)
        mean, interval = _interval(self._gains)
        return ShiftInfo(
            changes=[str(change) for change in diff(catalog, self._new)],
            customers=len(self._gains), changed=self._changed, decisions=self._decisions, moved=self._moved,
            silent=(self._silent[0], self._silent[1]), value=(self._value[0] / n, self._value[1] / n),
            gained=mean, interval=interval, currency=catalog.currency,
            actions=sorted(
                (ActionShift(name, before[name], after[name]) for name in {**before, **after}),
                key=lambda one: (-abs(one.after - one.before), one.action),
            ),
            pressure=[Pressure(name, text, caps[0][name], caps[1][name]) for name, text in sorted(texts.items())],
        )  # fmt: skip

    def _value_of(self, one: Chosen, then: Snapshot) -> float:
        """Return V as the new catalog has it: what is compared are the choices, not two opinions of their value."""
        i = then.plan.position.get(one.action)
        if i is None or then.plan.actions[i].value == self._plan.action(one.action).value:
            return one.value
        return then.plan.value_of(i, then.row)

    def _count(self, side: int, plan: Plan, answer: Answer) -> None:
        for one in answer.chosen:
            action = plan.action(one.action)
            self._actions[side][one.action] += 1
            if action.kind != "marketing":
                continue
            own = scopes(action.issue, action.group, action.name, one.channel)
            for cap, level, scope in plan.contact.caps:
                self._caps[side][cap.name] += scope is None or own[level] == scope


def _models(brain: Brain, new: Catalog) -> tuple[Brain, Brain] | None:
    """Return the model as it is, and as it would begin with a catalog, both away from what is learned meanwhile.

    None where the live one serves both at each moment, and nobody need copy it.
    """
    if (brain.inputs, brain.actions) == (inputs_of(new), keys_of(new)):
        return None
    then = Brain.restore(data := brain.snapshot())
    then.align(inputs_of(new), keys_of(new))
    return Brain.restore(data), then


def _interval(gains: list[float]) -> tuple[float, tuple[float, float] | None]:
    """Return the mean and its normal 95 % interval, by customers."""
    n = len(gains)
    mean = sum(gains) / n if n else 0.0
    if n < LEAST:
        return mean, None
    half = 1.96 * sqrt(sum((x - mean) ** 2 for x in gains) / (n - 1) / n)
    return mean, (mean - half, mean + half)


def _words(cap: Cap) -> str:
    return f"at most {cap.at_most} in {format_span(cap.span)} on {cap.on}"
