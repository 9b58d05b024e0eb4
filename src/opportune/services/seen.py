"""What the predictors say of one action, bin by bin, and how often customers of each bin said yes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
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
from opportune.services.judged import AT_ONCE, MOST_FACTS
from opportune.wire.judging import ActionInputs, SeenBin, SeenInput

MOST = 3000
"""Answers that are looked at, the latest."""

OPENED = 20
"""Decisions that are opened in one step: some milliseconds."""


class Looked:
    """The bins of a hub's inputs as they are now, apart from the model, which goes on learning meanwhile."""

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


def inputs(hub: Hub, action: str) -> Iterator[ActionInputs | None]:
    """Find what each predictor says of an action, and what its last answers said."""
    looked = Looked(hub)
    effects = hub.brain.model.effects(hub.plan.position[action])
    labels: dict[str, Labeled] = {}
    at = max(0, hub.ledger.last() - MOST_FACTS)
    while found := [*islice(hub.ledger.read(at), AT_ONCE)]:
        at = found[-1][0]
        for _, fact in found:
            if isinstance(fact, Labeled) and fact.action == action and not fact.ghost:
                labels.pop(fact.decision_id, None)
                if fact.label is not None:
                    labels[fact.decision_id] = fact
        yield None
    answers, positives = (np.zeros(looked.bins.rows, np.int64) for _ in range(2))
    times, last = list[int](), [*labels.values()][-MOST:]
    for begin in range(0, len(last), OPENED):
        looked.check()
        for fact in last[begin : begin + OPENED]:
            with suppress(Forgotten, NotFound):
                values, _, at, _ = seen_by(hub.ledger, hub.brain, fact)
                rows = looked.of(values)
                answers[rows] += 1
                positives[rows] += fact.label is True
                times.append(at)
        yield None
    seen = [
        _input(name, looked.kinds[name], effects[name], answers[rows].tolist(), positives[rows].tolist())
        for name, rows in looked.rows.items()
    ]
    since = to_datetime(min(times)) if times else None
    yield ActionInputs(action, since, len(times), sorted(seen, key=lambda one: (-one.spread, one.name)))


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
