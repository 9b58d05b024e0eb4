"""How much each part counts: learned on held data, and never worse there than the best part alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from opportune.recommend.types import Asked, Floats, Ints, Part, Scores, Weighted

SIDE = 60
"""Items of each part that are compared when the weights are learned."""

LATEST = 5
"""The last items of a row stand for the running session where a log does not say what that was."""

FADED = 0.05

STEPS = 30
"""Newton steps at most."""

ROUNDS, CHANGES = 6, (0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
"""How often each weight is looked at, and what it may be multiplied by."""

LEAST = 0.01
"""What each part counts at least beside the one that counts most: where others have nothing to say, it decides."""

BEFORE = 30
"""Cases that what is thought beforehand is worth: few say little of which part knows more."""

WORTH = 0.0005
"""Gain per case below which a change is taken for chance."""

Doubles = npt.NDArray[np.float64]


class Case(NamedTuple):
    """One customer of whom an item was held back."""

    asked: Asked
    seen: Ints
    held: int


class Compared(NamedTuple):
    """What parts think of the same items: `scores` [items, parts], and which of them was the one (-1: not there)."""

    scores: Doubles
    target: int


def asked_of(items: Ints, weights: Floats) -> Asked:
    """Return what is asked where a row is all that is known."""
    return Asked(scaled(items, weights), scaled(items[-LATEST:], weights[-LATEST:]))


def scaled(items: Ints, weights: Floats) -> Weighted:
    """Return items with weights such that the one that says most counts 1: who only ever looked is heard as well.

    What has nearly faded (below `FADED`) stays small.
    """
    most = float(np.abs(weights).max()) if len(weights) else 1.0
    return Weighted(items, weights / np.float32(max(most, FADED)))


def best(scores: Scores, most: int) -> Ints:
    """Return the reached items that a part likes most, in no order."""
    reached = scores.reached
    if len(reached) > most:
        reached = reached[np.argpartition(-scores.values[reached], most)[:most]]
    return reached


def candidates(scores: Sequence[Scores], most: int) -> Ints:
    """Return the items that any part likes most, each once, by number."""
    found = np.concatenate([best(one, most) for one in scores]) if scores else np.empty(0, np.int32)
    return np.unique(found).astype(np.int32)


def compared(parts: Sequence[Part], case: Case) -> Compared:
    """Return what the parts think of the items that any of them likes, without those that the customer had."""
    scores = [part.scores(case.asked) for part in parts]
    items = np.setdiff1d(candidates(scores, SIDE), case.seen)
    at = np.flatnonzero(items == case.held)
    return Compared(np.stack([s.values[items] for s in scores], 1).astype(np.float64), int(at[0]) if len(at) else -1)


def hits(cases: Sequence[Compared], weights: Doubles, n: int = 10) -> float:
    """Return the share of cases whose held item is among the first n; equal scores share their places."""
    found = 0.0
    for scores, target in cases:
        if target >= 0:
            total = scores @ weights
            found += placed(total, float(total[target]), n)
    return found / max(len(cases), 1)


def placed(total: npt.NDArray[np.floating], mine: float, n: int) -> float:
    """Return the chance that an item of that score, one of `total`, is among the first n: 0 or 1 where nothing ties.

    >>> placed(np.array([3.0, 2.0, 2.0, 1.0]), 2.0, 2)
    0.5
    """
    above, same = int((total > mine).sum()), int((total == mine).sum())
    return float(min(max((n - above) / max(same, 1), 0.0), 1.0))


def fitted(cases: Sequence[Compared], before: Doubles) -> Doubles:
    """Return the weights of the parts, none negative, that put the held items of the cases in front.

    `before` is what each part is thought to count where there are no cases, with all scores of one size.

    A conditional logit (McFadden 1974) gives a start: P(item) = exp(w . scores) / sum over the compared items. From
    there, or from the best part alone where that is better, one weight after the other is changed as long as the held
    items come nearer to the front: the gain is sum of 1 / (1 + exp((place - 10.5) / 3)), a hit rate with soft edges,
    and a change must be worth `WORTH` of a case. What n cases say is drawn towards `before` by the share
    `BEFORE` / (n + `BEFORE`), so that a few customers more or less change little; below 20, only `before` counts.
    """
    usable, parts = [case for case in cases if case.target >= 0], len(before)
    if len(usable) < 20:
        squares = [(case.scores**2).mean(0) for case in cases if len(case.scores)]
        none: Doubles = before / (np.sqrt(np.mean(squares, 0)) + 1e-2 if squares else 1.0)
        return none
    scores, mask = _stacked(usable, parts)
    spread = np.sqrt((scores**2).sum((0, 1)) / mask.sum()) + 1e-9
    scores /= spread
    targets = np.array([case.target for case in usable])
    starts = [_logit(scores, mask, targets), *np.eye(parts)]
    total = np.where(mask[..., None], scores @ np.stack(starts, 1), -np.inf)
    weights = starts[int(np.argmax([_gain(total[..., k], targets) for k in range(len(starts))]))]
    found: Doubles = _climbed(scores, mask, targets, weights / max(weights.max(), 1e-9))
    found = np.maximum(found / found.max(), LEAST) if found.any() else np.ones(parts)
    weighed: Doubles = (len(usable) * found + BEFORE * before) / (len(usable) + BEFORE) / spread
    return weighed


def _climbed(scores: Doubles, mask: npt.NDArray[np.bool_], targets: npt.NDArray[np.int64], weights: Doubles) -> Doubles:
    """Return weights from which no change of one of them gains more than `WORTH` of a case."""
    total = np.where(mask, scores @ weights, -np.inf)
    best, least = _gain(total, targets), WORTH * len(targets)
    for _ in range(ROUNDS):
        before = best
        for part in range(len(weights)):
            for size in CHANGES:
                moved = max(weights[part], 0.05) * size if size else 0.0
                change = (moved - weights[part]) * scores[:, :, part]
                if (gain := _gain(total + change, targets)) > best + least:
                    best, total = gain, total + change
                    weights = np.where(np.arange(len(weights)) == part, moved, weights)
        if best == before:
            break
    return weights


def _gain(total: Doubles, targets: npt.NDArray[np.int64]) -> float:
    mine = total[np.arange(len(targets)), targets][:, None]
    place = (total > mine).sum(1) + ((total == mine).sum(1) + 1) / 2
    return float((1 / (1 + np.exp((place - 10.5) / 3))).sum())


def _stacked(cases: Sequence[Compared], parts: int) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    most = max(len(case.scores) for case in cases)
    scores, mask = np.zeros((len(cases), most, parts)), np.zeros((len(cases), most), bool)
    for k, case in enumerate(cases):
        scores[k, : len(case.scores)], mask[k, : len(case.scores)] = case.scores, True
    return scores, mask


def _logit(scores: Doubles, mask: npt.NDArray[np.bool_], targets: npt.NDArray[np.int64]) -> Doubles:
    """Return the weights, none negative, that make the targets most likely, by projected Newton steps with a ridge."""
    parts = scores.shape[2]
    chosen = scores[np.arange(len(targets)), targets]
    weights, ridge = np.full(parts, 0.1), 1.0
    for _ in range(STEPS):
        total = np.where(mask, scores @ weights, -np.inf)
        p = np.exp(total - total.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        mean = np.einsum("km,kmp->kp", p, scores)
        slope = (chosen - mean).sum(0) - ridge * weights
        curve = np.einsum("km,kmp,kmq->pq", p, scores, scores, optimize=True) - mean.T @ mean + ridge * np.eye(parts)
        free = (weights > 0) | (slope > 0)
        step = np.zeros(parts)
        step[free] = np.linalg.solve(curve[np.ix_(free, free)], slope[free])
        size = float(np.abs(step).max())
        moved = np.maximum(weights + step * min(1.0, 2.0 / max(size, 1e-12)), 0.0)
        if np.abs(moved - weights).max() < 1e-6:
            break
        weights = moved
    return weights
