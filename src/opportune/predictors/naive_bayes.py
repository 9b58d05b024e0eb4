"""The published Pega ADM method: naive Bayes on binned predictors, calibrated by isotonic regression, per action.

Formulas as in pdstools' "ADM explained". With counts per bin i of n, and totals over the action:

    contribution = ln(Pos_i + 1/n) - ln(Neg_i + 1/n) - ln(1 + Pos) + ln(1 + Neg)
    score        = (ln(1 + Pos) - ln(1 + Neg) + sum of the active predictors' contributions) / (1 + active predictors)
    propensity   = (.5 + pos) / (1 + pos + neg) of the pool (isotonic over score bins) that the score falls into

n counts the bins of a predictor, missing and rest among them. A predictor is active for an action if its AUC there is
above `least_auc` and it is the best of those correlated with it. The posterior is Beta(p E, (1 - p) E) with E = 1 +
answers of the action: the spread depends on the action alone, not on the customer, which is the method's known limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.errors import BadInput
from opportune.predictors.base import ActionKey, Effect, FloatArray, Inputs, IntArray, Posterior, Values
from opportune.predictors.bins import Bins, Recut
from opportune.predictors.calibration import pools

FORMAT = 1
CELLS = 500
RECENT = 512
FIRST_SELECTION = 50


class NaiveBayes:
    """Pega-style naive Bayes; see the module's text, and `Predictor` for what each method returns.

    `least_auc` and `most_correlated` decide which predictors are active. A negative weight takes counts back exactly
    (as long as no bin was cut anew in between); the score bin is the nearest one that has the answer.
    """

    name = "naive_bayes"

    def __init__(
        self, least_auc: float = 0.52, most_correlated: float = 0.8, bins: int = 20, texts: int = 50, seen: int = 20
    ) -> None:
        if not (2 <= bins <= 250 and texts >= 1 and seen >= 1):
            raise BadInput("naive_bayes: bins must lie between 2 and 250, texts and seen from 1 up")
        self._least_auc, self._most_correlated = least_auc, most_correlated
        self._bins = Bins(Inputs((), ()), bins, texts, seen)
        self._actions: tuple[ActionKey, ...] = ()
        self._next_selection = FIRST_SELECTION
        self._allot()

    def align(self, inputs: Inputs, actions: Sequence[ActionKey]) -> None:
        if inputs == self._bins.inputs and tuple(actions) == self._actions:
            return
        counts, cells, propensity, active, names = (
            self._counts, self._cells, self._propensity, self._active, self._bins.inputs
        )  # fmt: skip
        was = {a.name: i for i, a in enumerate(self._actions)}
        places = {name: j for j, name in enumerate((*names.numbers, *names.texts))}
        self._bins, origin = self._bins.realign(inputs)
        self._actions = tuple(actions)
        self._allot()
        kept = [(i, was[a.name]) for i, a in enumerate(self._actions) if a.name in was]
        into, out_of = np.array(kept, np.int64).reshape(-1, 2).T
        rows = np.flatnonzero(origin >= 0)
        self._counts[np.ix_(np.arange(2), rows, into)] = counts[np.ix_(np.arange(2), origin[rows], out_of)]
        self._cells[into], self._propensity[into] = cells[out_of], propensity[out_of]
        for j, name in enumerate((*inputs.numbers, *inputs.texts)):
            if name in places:
                self._active[j, into] = active[places[name], out_of]

    def score(self, values: Values, actions: IntArray) -> Posterior:
        scores = self._scores(self._rows(values), np.asarray(actions))
        p = self._propensity[actions, _cell(scores)]
        evidence = 1 + self._counts[:, 0, actions].sum(0)
        return Posterior("beta", p, p * evidence, (1 - p) * evidence)

    def learn_one(
        self, values: Values, action: int, outcome: bool, weight: float = 1.0, at: int = 0, who: int = -1
    ) -> None:
        if weight == 0 or not math.isfinite(weight):
            return
        label = 0 if outcome else 1
        rows = self._rows(values)
        touched = np.array([0, *rows])
        if weight > 0:
            self._cells[action, label, self._cell_of(rows, action)] += weight
            self._counts[label, touched, action] += weight
            self._learned(values, rows, who)
        else:
            self._counts[label, touched, action] = np.maximum(self._counts[label, touched, action] + weight, 0.0)
            self._take(self._cells[action, label], self._cell_of(rows, action), -weight)
        self._calibrate(action)

    def positives(self) -> FloatArray:
        found: FloatArray = self._counts[0, 0].copy()
        return found

    def contributions(self, values: Values, action: int) -> list[tuple[str, str, float]]:
        """The contribution of each active predictor over 1 + active predictors; 0 for the others."""
        rows, one = self._rows(values), np.array([action])
        active = self._active[:, action]
        shares = self._contributions(rows, one)[:, 0] * active / (1 + active.sum())
        found = [(*self._bins.words(row), float(share)) for row, share in zip(rows.tolist(), shares)]
        return sorted(found, key=lambda share: -abs(share[2]))

    def describe(self) -> dict[str, Any]:
        """`bins` of each input with `answers`, `positives` and `propensity` over all actions, and `actives`: for how
        many actions the input is active."""
        inputs = []
        for (name, rows), active in zip(self._bins.rows_of().items(), self._active):
            pairs = self._counts[:, rows].sum(2).T.tolist()
            drawn = [
                {"bin": self._bins.words(row)[1], "answers": pos + neg, "positives": pos,
                 "propensity": (pos + 0.5) / (pos + neg + 1)}
                for row, (pos, neg) in zip(rows, pairs)
            ]  # fmt: skip
            kind = "number" if name in self._bins.inputs.numbers else "text"
            inputs.append({"input": name, "kind": kind, "bins": drawn, "actives": int(active.sum())})
        return {"predictor": self.name, "answers": self._bins.learned, "inputs": inputs}

    @property
    def bins(self) -> Bins:
        """The bins of the inputs."""
        return self._bins

    def effects(self, action: int) -> dict[str, list[Effect]]:
        """The contribution of a bin over 1 + active predictors, 0 where the predictor is not active. The method has no
        posterior of it, so there is no deviation."""
        total_pos, total_neg = self._counts[:, 0, action]
        active, found = self._active[:, action], dict[str, list[Effect]]()
        for (name, rows), on in zip(self._bins.rows_of().items(), active.tolist()):
            pos, neg = self._counts[:, rows, action]
            odds = np.log(pos + 1 / len(rows)) - np.log(neg + 1 / len(rows)) - np.log1p(total_pos) + np.log1p(total_neg)
            shares = (odds * on / (1 + active.sum())).tolist()
            found[name] = [Effect(self._bins.words(row)[1], share, None) for row, share in zip(rows, shares)]
        return found

    def snapshot(self) -> bytes:
        return msgspec.msgpack.encode({
            "format": FORMAT,
            "limits": [self._least_auc, self._most_correlated, self._next_selection],
            "bins": self._bins.state(),
            "actions": [(a.name, a.issue, a.group) for a in self._actions],
            "counts": self._counts.tobytes(),
            "cells": self._cells.tobytes(),
            "active": self._active.tobytes(),
            "recent": self._recent.tobytes(),
        })  # fmt: skip

    def restore(self, data: bytes) -> None:
        try:
            state = msgspec.msgpack.decode(data, strict=False)
            if state["format"] != FORMAT:
                raise BadInput(f"naive_bayes: snapshot format {state['format']}; this version reads {FORMAT}: rebuild")
            self._bins = Bins.of_state(state["bins"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"naive_bayes: this is not a snapshot of the predictor ({error}); rebuild it") from error
        self._actions = tuple(ActionKey(*a) for a in state["actions"])
        self._allot()
        self._least_auc, self._most_correlated, self._next_selection = state["limits"]
        for name in ("counts", "cells", "active", "recent"):
            array = getattr(self, f"_{name}")
            array[:] = np.frombuffer(state[name], array.dtype).reshape(array.shape)
        for action in range(len(self._actions)):
            self._calibrate(action)

    def _allot(self) -> None:
        actions, inputs = len(self._actions), len(self._bins.inputs.numbers) + len(self._bins.inputs.texts)
        self._counts = np.zeros((2, self._bins.rows, actions))
        self._cells = np.zeros((actions, 2, CELLS))
        self._propensity = np.full((actions, CELLS), 0.5)
        self._active = np.zeros((inputs, actions), bool)
        self._recent = np.zeros((RECENT, inputs), np.int32)

    def _rows(self, values: Values) -> IntArray:
        bins = self._bins
        numbers = bins.slots[np.arange(len(bins.slots)), bins.number_bins(values.numbers)]
        return np.concatenate([numbers, bins.text_rows(values.texts)])

    def _sizes(self) -> FloatArray:
        return np.array([len(rows) for rows in self._bins.rows_of().values()], np.float64)

    def _contributions(self, rows: IntArray, actions: npt.NDArray[Any]) -> FloatArray:
        """Contributions [rows, actions]."""
        pos, neg = self._counts[:, rows][:, :, actions]
        total_pos, total_neg = self._counts[:, 0, actions]
        spare = (1 / self._sizes())[:, None] if len(rows) else np.zeros((0, 1))
        found: FloatArray = np.log(pos + spare) - np.log(neg + spare) - np.log1p(total_pos) + np.log1p(total_neg)
        return found

    def _scores(self, rows: IntArray, actions: npt.NDArray[Any]) -> FloatArray:
        total_pos, total_neg = self._counts[:, 0, actions]
        active = self._active[:, actions]
        base = np.log1p(total_pos) - np.log1p(total_neg)
        found: FloatArray = (base + (self._contributions(rows, actions) * active).sum(0)) / (1 + active.sum(0))
        return found

    def _cell_of(self, rows: IntArray, action: int) -> int:
        return int(_cell(self._scores(rows, np.array([action])))[0])

    def _learned(self, values: Values, rows: IntArray, who: int) -> None:
        self._recent[self._bins.learned % RECENT] = rows
        self._bins.recent[rows] += 1
        changes = self._bins.observe(values, rows[len(values.numbers) :], who)
        if self._bins.rows > self._counts.shape[1]:
            more = self._bins.rows - self._counts.shape[1]
            self._counts = np.concatenate([self._counts, np.zeros((2, more, len(self._actions)))], axis=1)
        for recut in changes.recuts:
            self._recut(recut)
        self._counts[:, list(changes.fresh)] = 0
        if self._bins.learned >= self._next_selection:
            self._next_selection = self._next_selection * 5 // 4
            self._select()

    def _recut(self, recut: Recut) -> None:
        counts = self._counts[:, recut.old]
        self._counts[:, recut.old] = 0
        self._counts[:, recut.new] = np.einsum("ij,ljk->lik", recut.share / recut.share.sum(0), counts)

    def _select(self) -> None:
        """Choose the active predictors of each action."""
        auc = np.array([bin_auc(*self._counts[:, rows]) for rows in self._bins.rows_of().values()])
        auc = auc.reshape(self._active.shape)
        known = self._recent[: min(self._bins.learned, RECENT)]
        sizes = np.maximum(self._sizes(), 1)
        pos, neg = self._counts.sum(2)[:, known]
        odds = np.log(pos + 1 / sizes) - np.log(neg + 1 / sizes)
        odds -= odds.mean(0)
        norm = np.sqrt((odds**2).sum(0))
        correlated = np.abs(odds.T @ odds) > self._most_correlated * np.outer(norm, norm)
        self._active[:] = False
        for action in range(len(self._actions)):
            for j in np.argsort(-auc[:, action], kind="stable"):
                if auc[j, action] <= self._least_auc:
                    break
                self._active[j, action] = not (correlated[j] & self._active[:, action]).any()

    def _calibrate(self, action: int) -> None:
        """Pool the score bins of an action into non-decreasing propensities."""
        pos, neg = self._cells[action]
        used = np.flatnonzero(pos + neg > 0)
        if len(used) == 0:
            self._propensity[action] = 0.5
            return
        starts, _ = pools(pos[used], (pos + neg)[used])
        hits, misses = np.add.reduceat(pos[used], starts), np.add.reduceat(neg[used], starts)
        first = used[starts]
        edges = np.concatenate([[0], first[1:], [CELLS]])
        self._propensity[action] = np.repeat((0.5 + hits) / (1 + hits + misses), np.diff(edges))

    def _take(self, cells: FloatArray, near: int, weight: float) -> None:
        """Take answers out of the score bins nearest to one."""
        for i in np.argsort(np.abs(np.arange(CELLS) - near), kind="stable"):
            taken = min(float(cells[i]), weight)
            cells[i] -= taken
            weight -= taken
            if weight <= 0:
                return


def bin_auc(positives: FloatArray, negatives: FloatArray) -> FloatArray:
    """Return the AUC of a predictor from its bin counts [bins, ...], bins ordered by propensity; .5 without evidence.

    >>> bin_auc(np.array([1.0, 3.0]), np.array([3.0, 1.0])).item()
    0.75
    """
    rate = positives / np.maximum(positives + negatives, 1e-12)
    order = np.argsort(-rate, axis=0, kind="stable")
    pos, neg = np.take_along_axis(positives, order, 0), np.take_along_axis(negatives, order, 0)
    above = np.cumsum(pos, axis=0) - pos / 2
    pairs = positives.sum(0) * negatives.sum(0)
    return np.asarray(np.where(pairs > 0, (neg * above).sum(0) / np.where(pairs > 0, pairs, 1), 0.5))


def _cell(scores: FloatArray) -> IntArray:
    """The score bin: even steps of s / (1 + |s|), which is fine around 0 and never out of range."""
    cells: IntArray = np.minimum((scores / (1 + np.abs(scores)) + 1) / 2 * CELLS, CELLS - 1).astype(np.int32)
    return cells
