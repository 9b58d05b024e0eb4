"""The default predictor: online Bayesian logistic regression on binned predictors, pooled global -> group -> action.

Each number and text is a bin (`bins`), each bin has a weight per action that is drawn to its group's and that to the
one all actions share (`kernels`). Nothing is tuned per data set: a few settings of the prior run side by side and are
weighted by how well each predicted so far (Bayesian model averaging; a small share of the weight always flows back,
Herbster and Warmuth 1998, so that the leader may change).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.errors import BadInput
from opportune.predictors import kernels
from opportune.predictors.base import ActionKey, Effect, FloatArray, Inputs, IntArray, Posterior, Values
from opportune.predictors.bins import Bins, Recut, Rows
from opportune.predictors.tree import Evidence, assemble, dismantle, messages

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Expert:
    """One setting of the prior: its weight at the start, and variances per level (global, group, action).

    `bins` and `line` are budgets, divided by the number of inputs: a weight per bin, and a slope over the bins of a
    number. `intercept` is each action's own level. `drift` is the forgetting per answer, as a share of the variance.
    """

    name: str
    start: float
    intercept: tuple[float, float, float]
    bins: tuple[float, float, float]
    line: tuple[float, float, float]
    drift: float = 0.0


EXPERTS = (
    Expert("steady", 0.3, (3.0, 0.15, 0.3), (0.15, 0.003, 0.003), (0.3, 0.03, 0.03)),
    Expert("drifting", 0.1, (3.0, 0.15, 0.3), (1.0, 0.2, 0.4), (1.0, 0.4, 0.0), drift=1e-4),
    Expert("shared", 0.1, (3.0, 0.15, 0.3), (1.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
    Expert("plain", 0.5, (3.0, 0.01, 0.02), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
)
FULL = sum(expert.bins[2] > 0 for expert in EXPERTS)
BACK = 5e-5


class Bayes:
    """Online Bayesian logistic regression; see the module's text, and `Predictor` for what each method returns.

    `start` is the probability believed before the first answer; `bins` the most bins of a number, `texts` the most
    values of a text that are kept, each after it was seen in `seen` answers. The defaults stand for all data.
    Memory: about 16 bytes per action and bin, of at most `bins` + 2 per number and `texts` + 2 per text.
    """

    name = "bayes"

    def __init__(self, start: float = 0.1, bins: int = 16, texts: int = 50, seen: int = 20) -> None:
        if not (0 < start < 1 and 2 <= bins <= 250 and texts >= 1 and seen >= 1):
            raise BadInput("bayes: start must lie between 0 and 1, bins between 2 and 250, texts and seen from 1 up")
        self._start = start
        self._bins = Bins(Inputs((), ()), bins, texts, seen)
        self._actions: tuple[ActionKey, ...] = ()
        self._mix = np.array([e.start for e in EXPERTS])
        self._drift = np.array([e.drift for e in EXPERTS])
        self._mixing = np.array([*(e.start for e in EXPERTS), BACK])
        self._allot((), ())
        self._seen = np.zeros((1, 2))
        self._positives = np.zeros(0)
        for e in range(len(EXPERTS)):
            self._assemble(e, None, self._nothing(e))

    def align(self, inputs: Inputs, actions: Sequence[ActionKey]) -> None:
        if inputs == self._bins.inputs and tuple(actions) == self._actions:
            return
        old = [self._dismantle(e, None) for e in range(len(EXPERTS))]
        known_rows = self._bins.rows
        told = [messages(self._leaves(e)[:known_rows], self._variances(e)[2]) for e in range(len(EXPERTS))]
        was, was_groups, was_column, seen = self._actions, self._groups, self._column, self._seen
        positives = dict(zip((a.name for a in was), self._positives))
        self._bins, origin = self._bins.realign(inputs)
        self._allot(tuple(actions), was_groups)
        self._seen = np.where(origin[:, None] >= 0, seen[origin], 0.0)
        self._positives = np.array([positives.get(a.name, 0.0) for a in self._actions])

        known = {a.name: (a, int(c)) for a, c in zip(was, was_column)}
        kept = [(int(c), known[a.name][1]) for a, c in zip(self._actions, self._column) if a.name in known]
        into, out_of = np.array(kept, np.int64).reshape(-1, 2).T
        here = {a.name for a in self._actions}
        gone = [(c, was_groups.index((a.issue, a.group))) for a, c in known.values() if a.name not in here]
        for e, (evidence, message) in enumerate(zip(old, told)):
            for column, g in gone:
                evidence.group[:, : message.shape[1], g] += message[:, :, column]
            fresh = self._nothing(e)
            rows = np.flatnonzero(origin >= 0)
            leaf_rows = rows[rows < fresh.leaf.shape[1]]
            both, groups = np.arange(2), np.arange(len(was_groups))
            fresh.leaf[np.ix_(both, leaf_rows, into)] = evidence.leaf[np.ix_(both, origin[leaf_rows], out_of)]
            fresh.group[np.ix_(both, rows, groups)] = evidence.group[:, origin[rows]]
            fresh.root[:, rows] = evidence.root[:, origin[rows]]
            self._assemble(e, None, fresh)

    def score(self, values: Values, actions: IntArray) -> Posterior:
        out = np.empty((3, len(actions)))
        rows = self._bins.text_rows(values.texts)
        kernels.score(values.numbers, rows, *self.weights(), self._column, actions, out)
        return Posterior("logit-normal", *out)

    @property
    def bins(self) -> Bins:
        """The bins of the inputs."""
        return self._bins

    @property
    def columns(self) -> npt.NDArray[np.int64]:
        """The column of each action."""
        return self._column

    def weights(self) -> tuple[npt.NDArray[Any], ...]:
        """Return what `kernels.score` takes between the inputs and the columns of actions."""
        bins = self._bins
        return (
            bins.edges, bins.slots, bins.codes, self._leaf, self._base, self._group, self._root, self._prior,
            self._mix, self._starts,
        )  # fmt: skip

    def learn_one(
        self, values: Values, action: int, outcome: bool, weight: float = 1.0, at: int = 0, who: int = -1
    ) -> None:
        if weight == 0 or not math.isfinite(weight):
            return
        bins = self._bins
        rows = bins.text_rows(values.texts)
        kernels.learn(
            values.numbers, rows, bins.edges, bins.slots, bins.codes, self._leaf, self._base, self._group, self._root,
            self._prior, self._drift, self._mix, self._mixing, self._seen, bins.recent,
            (*self._places[action], int(outcome)), float(weight),
        )  # fmt: skip
        if outcome:
            self._positives[action] = max(self._positives[action] + weight, 0.0)
        if weight > 0:
            changes = bins.observe(values, rows, who)
            if changes.recuts or changes.fresh:
                self._follow(changes.recuts, changes.fresh)

    def positives(self) -> FloatArray:
        return self._positives.copy()

    def contributions(self, values: Values, action: int) -> list[tuple[str, str, float]]:
        """The share of a bin is its weight less the mean over all answers learned, so that it says what this customer
        differs in; shares are the experts' mean and not moderated by the variance."""
        bins, column = self._bins, int(self._column[action])
        chosen = [*bins.slots[np.arange(len(values.numbers)), bins.number_bins(values.numbers)].tolist()]
        chosen += bins.text_rows(values.texts).tolist()
        weights, found = self._curve(column), []
        for (name, rows), row in zip(bins.rows_of().items(), chosen):
            answers = self._seen[rows, 0]
            usual = float(answers @ weights[rows] / answers.sum()) if answers.sum() > 0 else 0.0
            found.append((name, bins.words(row)[1], float(weights[row]) - usual))
        return sorted(found, key=lambda share: -abs(share[2]))

    def describe(self) -> dict[str, Any]:
        """`bins` of each input with `answers`, `positives`, `propensity` = (positives + .5) / (answers + 1) and the
        `weight` that all actions share; `experts` with their weights. A yes that was learned in one bin after its no in
        another, as texts get bins of their own, is left out of `positives` where they would be more than `answers`."""
        bins, inputs = self._bins, []
        weights = self._curve(None)
        kinds = dict.fromkeys(bins.inputs.numbers, "number") | dict.fromkeys(bins.inputs.texts, "text")
        for name, rows in bins.rows_of().items():
            drawn = [
                {"bin": bins.words(row)[1], "answers": n, "positives": k, "propensity": (k + 0.5) / (n + 1),
                 "weight": float(weights[row])}
                for row, n, k in ((row, n, min(k, n)) for row in rows for n, k in [self._seen[row].tolist()])
            ]  # fmt: skip
            inputs.append({"input": name, "kind": kinds[name], "bins": drawn})
        experts = [{"name": e.name, "weight": float(w)} for e, w in zip(EXPERTS, self._mix)]
        return {"predictor": self.name, "answers": bins.learned, "inputs": inputs, "experts": experts}

    def effects(self, action: int) -> dict[str, list[Effect]]:
        """What a bin adds is its global + group + action weight with its share of the number's line, and its deviation
        that of the experts' mixture: sqrt(sum of w (v + m^2) - (sum of w m)^2), rows taken as independent."""
        bins, column = self._bins, int(self._column[action])
        moves, squares = np.zeros(bins.rows), np.zeros(bins.rows)
        lines, slots, codes = bins.slots[:, -1], bins.slots[:, :-1], bins.codes
        used = slots > 0
        for e, share in enumerate(self._mix):
            mean, variance = self._beliefs(e, column)
            along = np.broadcast_to(lines[:, None], slots.shape)[used]
            mean[slots[used]] += codes[used] * mean[along]
            variance[slots[used]] += np.square(codes[used]) * variance[along]
            moves += share * mean
            squares += share * (variance + np.square(mean))
        deviation = np.sqrt(np.maximum(squares - np.square(moves), 0.0))
        return {
            name: [Effect(bins.words(row)[1], float(moves[row]), float(deviation[row])) for row in rows]
            for name, rows in bins.rows_of().items()
        }

    def snapshot(self) -> bytes:
        rows = self._bins.rows
        return msgspec.msgpack.encode({
            "format": FORMAT,
            "start": self._start,
            "bins": self._bins.state(),
            "actions": [(a.name, a.issue, a.group) for a in self._actions],
            "groups": self._groups,
            "mix": self._mix.tobytes(),
            "leaf": self._leaf[:, :rows].tobytes(),
            "base": self._base.tobytes(),
            "group": self._group[:, :rows].tobytes(),
            "root": self._root[:, :rows].tobytes(),
            "seen": self._seen[:rows].tobytes(),
            "positives": self._positives.tobytes(),
        })  # fmt: skip

    def restore(self, data: bytes) -> None:
        try:
            state = msgspec.msgpack.decode(data, strict=False)
            if state["format"] != FORMAT:
                raise BadInput(f"bayes: a snapshot of format {state['format']}; this version reads {FORMAT}: rebuild")
            bins = Bins.of_state(state["bins"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"bayes: this is not a snapshot of the predictor ({error}); rebuild the model") from error
        self._start, self._bins = state["start"], bins
        groups = tuple((issue, group) for issue, group in state["groups"])
        self._allot(tuple(ActionKey(*a) for a in state["actions"]), groups)
        for name in ("leaf", "base", "group", "root"):
            array = getattr(self, f"_{name}")
            rows = array.shape[1] if name == "base" else bins.rows
            kept = np.frombuffer(state[name], array.dtype)
            array[:, :rows] = kept.reshape(len(array), rows, *array.shape[2:])
        self._seen[: bins.rows] = np.frombuffer(state["seen"]).reshape(bins.rows, 2)
        self._mix, self._positives = np.frombuffer(state["mix"]).copy(), np.frombuffer(state["positives"]).copy()

    def _allot(self, actions: tuple[ActionKey, ...], groups: Sequence[tuple[str, str]]) -> None:
        """Lay out the columns, group by group (groups once known stay), and make room for all rows."""
        self._actions = actions
        self._groups = tuple(dict.fromkeys((*groups, *((a.issue, a.group) for a in actions))))
        place = {group: g for g, group in enumerate(self._groups)}
        of_action = np.array([place[a.issue, a.group] for a in actions], np.int64)
        order = np.argsort(of_action, kind="stable")
        self._column = np.empty(len(actions), np.int64)
        self._column[order] = np.arange(len(actions))
        self._group_of = of_action[order]
        self._places = list(zip(self._column.tolist(), of_action.tolist()))
        self._starts = np.searchsorted(self._group_of, np.arange(len(self._groups) + 1)).astype(np.int64)
        rows, others = self._bins.rows, len(EXPERTS) - FULL
        self._leaf = np.zeros((FULL, rows, 2, len(actions)), np.float32)
        self._base = np.zeros((others, 1, 2, len(actions)), np.float32)
        self._group = np.zeros((len(EXPERTS), rows, 2, len(self._groups)))
        self._root = np.zeros((len(EXPERTS), rows, 2))
        self._seen = np.zeros((rows, 2))
        share = 1 / max(len(self._bins.inputs.numbers) + len(self._bins.inputs.texts), 1)
        variances = np.array([
            np.array([e.intercept, np.multiply(e.bins, share), np.multiply(e.line, share)]).T for e in EXPERTS
        ])  # fmt: skip
        inverse = np.divide(1, variances, out=np.zeros_like(variances), where=variances > 0)
        self._prior = np.concatenate([variances, inverse], axis=1)

    def _follow(self, recuts: Sequence[Recut], fresh: Sequence[int]) -> None:
        """Let the weights follow the bins."""
        self._grow()
        for recut in recuts:
            for e in range(len(EXPERTS)):
                self._recut(e, recut)
            answers = self._seen[recut.old]
            self._seen[recut.old] = 0
            share = recut.share / np.maximum(recut.share.sum(0), 1e-9)
            self._seen[recut.new] = share @ answers
        for row in fresh:
            self._seen[row] = 0
            for e in range(len(EXPERTS)):
                rows = np.array([row])
                self._assemble(e, rows, self._nothing(e, rows))

    def _recut(self, e: int, recut: Recut) -> None:
        """Each new bin starts with the mean evidence of the old ones in it, and the curve of bins and line stays."""
        old = self._dismantle(e, recut.old)
        used = np.union1d(recut.old, recut.new)
        self._assemble(e, used, self._nothing(e, used))
        moved = recut.share @ recut.old_code - recut.new_code
        root, group, leaf = self._slopes(e, recut.line)
        follow = self._nothing(e, recut.new)
        for part, learned, slope in (
            (follow.leaf, old.leaf, leaf), (follow.group, old.group, group), (follow.root, old.root, root)
        ):  # fmt: skip
            if part.shape[1]:
                part[:] = np.tensordot(recut.share, learned, (1, 1)).swapaxes(0, 1)
                part[1] += part[0] * np.multiply.outer(moved, slope)
        self._assemble(e, recut.new, follow)

    def _slopes(self, e: int, row: int) -> tuple[float, FloatArray, FloatArray]:
        """The mean weight of a row at the root, per group and per action."""
        root = float(self._root[e, row, 1] / self._root[e, row, 0])
        group = self._group[e, row, 1] + (1 - self._group[e, row, 0]) * root
        leaf = group[self._group_of]
        if row < len(self._leaves(e)):
            u, a = self._leaves(e)[row].astype(np.float64)
            leaf = a + (1 - u) * leaf
        return root, group, leaf

    def _beliefs(self, e: int, column: int) -> tuple[FloatArray, FloatArray]:
        """Return the mean and variance of each row's weight for one action, from the root down."""
        v1, v2 = self._variances(e)[1:]
        root, g = self._root[e, : self._bins.rows], int(self._group_of[column])
        mean, variance = root[:, 1] / root[:, 0], 1 / root[:, 0]
        u, a = self._group[e, : self._bins.rows, :, g].T
        mean, variance = a + (1 - u) * mean, v1 * (1 - u) + np.square(1 - u) * variance
        leaves = self._leaves(e)[: self._bins.rows]
        n = len(leaves)
        u, a = leaves[:, :, column].astype(np.float64).T
        mean[:n], variance[:n] = a + (1 - u) * mean[:n], v2[:n] * (1 - u) + np.square(1 - u) * variance[:n]
        unused = self._prior[e][0, self._bins.kinds] == 0
        mean[unused] = variance[unused] = 0.0
        return mean, variance

    def _curve(self, column: int | None) -> FloatArray:
        """The experts' mean weight of each row, of one action or (None) of what all share, with its line added."""
        bins, found = self._bins, np.zeros(self._bins.rows)
        for e, share in enumerate(self._mix):
            root = self._root[e, : bins.rows]
            mean = root[:, 1] / root[:, 0]
            if column is not None:
                u, a = self._group[e, : bins.rows, :, self._group_of[column]].T
                mean = a + (1 - u) * mean
                u, a = self._leaves(e)[: bins.rows, :, column].astype(np.float64).T
                mean[: len(u)] = a + (1 - u) * mean[: len(u)]
            found += share * mean
        lines = bins.slots[:, -1]
        for b in range(bins.codes.shape[1]):
            used = bins.slots[:, b] > 0
            found[bins.slots[used, b]] += found[lines[used]] * bins.codes[used, b]
        return found

    def _leaves(self, e: int) -> npt.NDArray[np.float32]:
        leaves: npt.NDArray[np.float32] = self._leaf[e] if e < FULL else self._base[e - FULL]
        return leaves

    def _variances(self, e: int) -> FloatArray:
        """The prior variances [level, rows]; rows that an expert does not use stay at 0 with any variance."""
        found: FloatArray = self._prior[e][:3, self._bins.kinds]
        found[0] = np.where(found[0] > 0, found[0], 1)
        return found

    def _dismantle(self, e: int, rows: Rows | None) -> Evidence:
        chosen, leaf_rows, prior = self._which(e, rows)
        leaf, group, root = self._leaves(e)[leaf_rows], self._group[e, chosen], self._root[e, chosen]
        return dismantle(leaf, group, root, prior, self._group_of)

    def _assemble(self, e: int, rows: Rows | None, evidence: Evidence) -> None:
        chosen, leaf_rows, prior = self._which(e, rows)
        leaf, group, root = self._leaves(e)[leaf_rows], self._group[e, chosen], self._root[e, chosen]
        start = np.where(chosen == 0, self._first(e), 0.0)
        assemble(evidence, leaf, group, root, prior, self._group_of, start)
        self._leaves(e)[leaf_rows], self._group[e, chosen], self._root[e, chosen] = leaf, group, root

    def _nothing(self, e: int, rows: Rows | None = None) -> Evidence:
        chosen, leaf_rows, _ = self._which(e, rows)
        return Evidence(
            np.zeros((2, len(leaf_rows), len(self._actions))),
            np.zeros((2, len(chosen), len(self._groups))),
            np.zeros((2, len(chosen))),
        )

    def _which(self, e: int, rows: Rows | None) -> tuple[Rows, Rows, FloatArray]:
        """The rows (None is all), those with leaves, and the prior variances [level, rows]."""
        chosen = np.arange(self._bins.rows) if rows is None else rows
        return chosen, chosen[chosen < len(self._leaves(e))], self._variances(e)[:, chosen]

    def _first(self, e: int) -> float:
        """The mean of the intercept for which P itself starts at `start`."""
        v = sum(EXPERTS[e].intercept) + sum(EXPERTS[e].bins)
        return math.log(self._start / (1 - self._start)) * math.sqrt(1 + math.pi * v / 8)

    def _grow(self) -> None:
        """Make room for rows that the bins have added."""
        have, need = len(self._seen), self._bins.rows
        if need <= have:
            return
        more = max(need, have * 3 // 2) - have
        self._leaf, self._group, self._root = (
            np.concatenate([array, np.zeros((array.shape[0], more, *array.shape[2:]), array.dtype)], axis=1)
            for array in (self._leaf, self._group, self._root)
        )
        self._root[:, have:, 0] = 1
        self._seen = np.concatenate([self._seen, np.zeros((more, 2))])
        for e in range(len(EXPERTS)):
            rows = np.arange(have, need)
            self._assemble(e, rows, self._nothing(e, rows))
