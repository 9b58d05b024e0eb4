"""Test-then-train metrics per action, streaming and bounded.

The stored prediction is judged when its answer arrives. Per action: answers, positives, log loss, and a histogram of
1,000 score bins from which AUC and calibration follow. The headline AUC is the response-weighted mean over actions:
pooling all answers would reward knowing which action is popular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from opportune.predictors.base import FloatArray

STEPS = 1000
SPAN = 12.0


@dataclass(frozen=True, slots=True)
class Bin:
    """A calibration bin: answers, positives, and the mean of the predictions in it."""

    answers: float
    positives: float
    predicted: float


class _Counts(msgspec.Struct, array_like=True):
    sums: list[float]
    places: list[int]
    cells: list[list[float]]


class Metrics:
    """Metrics of the predictions of many actions, by name. About 24 kB per action that has answers.

    >>> metrics = Metrics()
    >>> for p, outcome in [(0.2, False), (0.8, True), (0.6, False), (0.4, False)]:
    ...     metrics.add("keep_bundle", p, outcome)
    >>> metrics.auc("keep_bundle"), metrics.answers("keep_bundle"), metrics.positives("keep_bundle")
    (1.0, 4.0, 1.0)
    """

    def __init__(self) -> None:
        self._sums: dict[str, FloatArray] = {}
        self._cells: dict[str, FloatArray] = {}

    def add(self, action: str, p: float, outcome: bool, weight: float = 1.0) -> None:
        """Take in the answer to a prediction; a negative weight takes it back."""
        if action not in self._sums:
            self._sums[action], self._cells[action] = np.zeros(3), np.zeros((3, STEPS))
        p = min(max(p, 1e-9), 1 - 1e-9)
        loss = -math.log(p if outcome else 1 - p)
        self._sums[action] += (weight, weight * outcome, weight * loss)
        cell = int((min(max(math.log(p / (1 - p)) / SPAN, -1), 1) + 1) / 2 * (STEPS - 1) + 0.5)
        self._cells[action][:, cell] += (weight, weight * outcome, weight * p)

    def actions(self) -> list[str]:
        """Return the names of the actions with answers, sorted."""
        return sorted(name for name, sums in self._sums.items() if sums[0] > 0)

    def answers(self, action: str) -> float:
        """Return the number of answers; 0 for an unknown action."""
        return float(self._sums[action][0]) if action in self._sums else 0.0

    def positives(self, action: str) -> float:
        """Return the number of positive answers; 0 for an unknown action."""
        return float(self._sums[action][1]) if action in self._sums else 0.0

    def log_loss(self, action: str | None = None) -> float:
        """Return the mean log loss of one action or of all; NaN without answers."""
        sums = self._sums.values() if action is None else [self._sums.get(action, np.zeros(3))]
        answers, _, loss = np.sum([np.zeros(3), *sums], axis=0)
        return float(loss / answers) if answers > 0 else math.nan

    def auc(self, action: str | None = None) -> float:
        """Return the AUC of one action, or the mean over actions weighted by answers.

        Predictions in one score bin (.024 of a logit) tie. NaN where there is no positive or no negative answer;
        such actions do not count in the mean.
        """
        if action is not None:
            return _auc(self._cells.get(action, np.zeros((3, STEPS))))
        found = [(self.answers(name), _auc(self._cells[name])) for name in self.actions()]
        known = [(n, auc) for n, auc in found if not math.isnan(auc)]
        return sum(n * auc for n, auc in known) / sum(n for n, _ in known) if known else math.nan

    def calibration(self, action: str | None = None, bins: int = 10) -> list[Bin]:
        """Return up to `bins` calibration bins of about equal count (whole score bins), from low to high."""
        chosen = self._cells.values() if action is None else [self._cells.get(action, np.zeros((3, STEPS)))]
        cells = np.sum([np.zeros((3, STEPS)), *chosen], axis=0)
        used = np.flatnonzero(cells[0] > 1e-9)
        if len(used) == 0:
            return []
        middle = np.cumsum(cells[0, used]) - cells[0, used] / 2
        part = np.minimum((middle / cells[0].sum() * bins).astype(int), bins - 1)
        parts = [cells[:, used[part == i]].sum(1) for i in np.unique(part)]
        return [Bin(float(n), float(k), float(p / n)) for n, k, p in parts]

    def calibration_error(self, action: str | None = None, bins: int = 10) -> float:
        """Return the expected calibration error over these bins; NaN without answers."""
        found = self.calibration(action, bins)
        gaps = sum(abs(b.positives - b.answers * b.predicted) for b in found)
        return gaps / sum(b.answers for b in found) if found else math.nan

    def snapshot(self) -> bytes:
        """Return everything as bytes; equal states give equal bytes."""
        packed = {}
        for name in sorted(self._sums):
            places = np.flatnonzero(self._cells[name].any(0))
            packed[name] = _Counts(self._sums[name].tolist(), places.tolist(), self._cells[name][:, places].tolist())
        return msgspec.msgpack.encode(packed)

    def restore(self, data: bytes) -> None:
        """Become exactly what `snapshot` described."""
        self._sums, self._cells = {}, {}
        for name, counts in msgspec.msgpack.decode(data, type=dict[str, _Counts]).items():
            self._sums[name] = np.array(counts.sums, np.float64)
            self._cells[name] = np.zeros((3, STEPS))
            self._cells[name][:, counts.places] = np.array(counts.cells, np.float64).reshape(3, -1)


def _auc(cells: FloatArray) -> float:
    """The Mann-Whitney statistic of the histogram, ties counting half."""
    pos, neg = cells[1], cells[0] - cells[1]
    pairs = pos.sum() * neg.sum()
    return float((pos * (np.cumsum(neg) - neg / 2)).sum() / pairs) if pairs > 0 else math.nan
