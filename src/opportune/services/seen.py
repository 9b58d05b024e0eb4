"""What the predictors say of one action, bin by bin, and how often customers of each bin said yes to it."""

from __future__ import annotations

import time
from contextlib import suppress
from math import sqrt

import numpy as np

from opportune.clock import to_datetime
from opportune.errors import Forgotten, NotFound, Stale
from opportune.events.types import Labeled
from opportune.hub import Hub
from opportune.learn.fold import seen_by
from opportune.measure.summary import rate
from opportune.predictors.base import Effect, Values
from opportune.predictors.bins import Bins
from opportune.services.backwards import onwards
from opportune.services.judged import MOST_FACTS
from opportune.wire.judging import ActionInputs, SeenBin, SeenInput

MOST = 3000
"""Answers that are looked at, the latest."""

OPENED = 20
"""Decisions that are opened while nothing else may change: some milliseconds."""


class Looked:
    """The bins of a hub's inputs as they are now, apart from the model, which goes on learning meanwhile.

    Make and ask it where nobody else works on the hub; others may in between.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._inputs = hub, hub.brain.inputs
        self.bins = Bins.of_state(hub.brain.model.bins.state())
        self.rows = self.bins.rows_of()
        self.kinds = dict.fromkeys(self._inputs.numbers, "number") | dict.fromkeys(self._inputs.texts, "text")

    def of(self, values: Values) -> list[int]:
        """Return the row that each input falls into."""
        slots = self.bins.slots[np.arange(len(values.numbers)), self.bins.number_bins(values.numbers)]
        return [*slots.tolist(), *self.bins.text_rows(values.texts).tolist()]

    def check(self) -> None:
        """Raise `Stale` if the model looks at something else by now."""
        if self._hub.brain.inputs != self._inputs:
            raise Stale("a catalog with other predictors went live in this moment; ask again")


def inputs(hub: Hub, action: str) -> ActionInputs:
    """Return what each predictor says of an action, and what its last answers said.

    Reads only, may be asked from any thread, and holds up others for some milliseconds at a time. Raises `BadRequest`
    where there is no such action, and `Stale` where the model began to look at something else meanwhile.
    """
    with hub.reading():
        looked = Looked(hub)
        effects = hub.brain.model.effects(hub.plan.position[hub.plan.action(action).name])
    labels: dict[str, Labeled] = {}
    for fact in onwards(hub, max(0, hub.ledger.last() - MOST_FACTS)):
        if isinstance(fact, Labeled) and fact.action == action and not fact.ghost:
            labels.pop(fact.decision_id, None)
            if fact.label is not None:
                labels[fact.decision_id] = fact
    answers, positives = (np.zeros(looked.bins.rows, np.int64) for _ in range(2))
    times, last = list[int](), [*labels.values()][-MOST:]
    for begin in range(0, len(last), OPENED):
        began = time.monotonic()
        with hub.reading():
            looked.check()
            for fact in last[begin : begin + OPENED]:
                with suppress(Forgotten, NotFound):
                    values, _, at, _ = seen_by(hub.ledger, hub.brain, fact)
                    rows = looked.of(values)
                    answers[rows] += 1
                    positives[rows] += fact.label is True
                    times.append(at)
        time.sleep(time.monotonic() - began)
    seen = [
        _input(name, looked.kinds[name], effects[name], answers[rows].tolist(), positives[rows].tolist())
        for name, rows in looked.rows.items()
    ]
    since = to_datetime(min(times)) if times else None
    return ActionInputs(action, since, len(times), sorted(seen, key=lambda one: (-one.spread, one.name)))


def _input(name: str, kind: str, effects: list[Effect], answers: list[int], positives: list[int]) -> SeenInput:
    bins = []
    for effect, n, good in zip(effects, answers, positives, strict=True):
        said = rate(good, n)
        interval = None if said.rate is None else (said.low, said.high)
        bins.append(SeenBin(effect.bin, n, good, said.rate, interval, effect.moves, effect.deviation))
    n = max(sum(answers), 1)
    mean = sum(one.answers * one.moves for one in bins) / n
    spread = sqrt(sum(one.answers * (one.moves - mean) ** 2 for one in bins) / n)
    return SeenInput(name, kind, spread, bins)
