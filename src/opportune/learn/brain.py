"""What the hub has learned: the model of P, the baseline of goals reached without contact, and their metrics."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from opportune.events.types import Labeled
from opportune.predictors import open_predictor
from opportune.predictors.base import ActionKey, Inputs, Values
from opportune.predictors.metrics import Metrics


class _State(msgspec.Struct, array_like=True, frozen=True):
    predictor: str
    model: bytes
    baseline: bytes
    metrics: bytes
    answers: int
    inputs: tuple[tuple[str, ...], tuple[str, ...]]
    actions: tuple[tuple[str, str, str], ...]
    held: tuple[tuple[str, bool, int], ...] = ()


class Brain:
    """Two predictors aligned to one catalog, and the metrics of what they said before they were told.

    `answers` is the number of labels learned, `baseline_positives` that of goals reached without a contact. All that
    changes it are `align` and `learn`: equal calls in equal order give equal bytes.
    """

    def __init__(self, predictor: str) -> None:
        self.predictor = predictor
        self.model = open_predictor(predictor)
        self.baseline = open_predictor(predictor)
        self.metrics = Metrics()
        self.answers = 0
        self.baseline_positives = 0.0
        self.inputs = Inputs((), ())
        self.actions: tuple[ActionKey, ...] = ()
        self._position: dict[str, int] = {}
        self._held: dict[tuple[str, bool], int] = {}

    def align(self, inputs: Inputs, actions: Sequence[ActionKey]) -> None:
        """Make room for the inputs and actions of a catalog; what was learned of those already known is kept."""
        if (inputs, tuple(actions)) == (self.inputs, self.actions):
            return
        self.inputs, self.actions = inputs, tuple(actions)
        self._position = {a.name: i for i, a in enumerate(actions)}
        self._held = {key: n for key, n in self._held.items() if key[0] in self._position}
        self.model.align(inputs, actions)
        self.baseline.align(inputs, actions)
        self._count()

    def learn(self, values: Values, fact: Labeled, decided: int, who: int = -1) -> None:
        """Learn a label, taking back the one that it replaces. An action that is no longer known is left out.

        `decided` is when the decision was made, `who` a number that stands for the customer.
        """
        action = self._position.get(fact.action)
        if action is None or fact.label == fact.before:
            return
        predictor = self.baseline if fact.ghost else self.model
        # what was learned of an action before it was taken out of the catalog is gone: it cannot be taken back
        held = self._held.get((fact.action, fact.ghost), 0)
        before = fact.before if held > 0 else None
        self._held[fact.action, fact.ghost] = held + (fact.label is not None) - (before is not None)
        if before is not None:
            predictor.learn_one(values, action, before, -1.0, decided)
            if not fact.ghost:
                self.metrics.add(fact.action, fact.propensity, before, -1)
        if fact.label is not None:
            predictor.learn_one(values, action, fact.label, 1.0, decided, who)
            if not fact.ghost:
                self.metrics.add(fact.action, fact.propensity, fact.label)
        if fact.ghost:
            self._count()
        else:
            self.answers += (fact.label is not None) - (before is not None)

    def snapshot(self) -> bytes:
        """Return everything learned as bytes; equal brains give equal bytes."""
        actions = tuple((a.name, a.issue, a.group) for a in self.actions)
        inputs = (self.inputs.numbers, self.inputs.texts)
        parts = (self.model.snapshot(), self.baseline.snapshot(), self.metrics.snapshot())
        held = tuple(sorted((*key, n) for key, n in self._held.items()))
        return msgspec.msgpack.encode(_State(self.predictor, *parts, self.answers, inputs, actions, held))

    @classmethod
    def restore(cls, data: bytes) -> Brain:
        """Return the brain that `snapshot` described."""
        state = msgspec.msgpack.decode(data, type=_State)
        brain = cls(state.predictor)
        brain.model.restore(state.model)
        brain.baseline.restore(state.baseline)
        brain.metrics.restore(state.metrics)
        brain.answers = state.answers
        brain.inputs = Inputs(*state.inputs)
        brain.actions = tuple(ActionKey(*a) for a in state.actions)
        brain._position = {a.name: i for i, a in enumerate(brain.actions)}
        brain._held = {(action, ghost): n for action, ghost, n in state.held}
        brain._count()
        return brain

    def _count(self) -> None:
        self.baseline_positives = float(self.baseline.positives().sum()) if self.actions else 0.0
