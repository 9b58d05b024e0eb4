"""Attribution by a Markov chain: what would be lost without a channel, solved exactly.

People move from touch to touch and end in a conversion or in nothing. Without a channel whoever would come to it is
lost. A channel's removal effect is the share of conversions that goes with it; conversions are credited in proportion
(Anderl, Becker, von Wangenheim and Schumann 2016). States are the last `order` touches. The chance to convert from a
state is the solution of a linear system, not a simulation, so that rare channels are as exact as large ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from opportune.measure.attribution.paths import Counted, Doubles, Longs, Paths

ORDERS = (1, 2, 3)
"""The orders that `best_order` chooses from."""

DENSE = 512
"""Up to so many states, one dense inverse takes less time than a sparse solution for each channel."""


class Markov:
    """The chain over the states of some paths; the counts say how often each way was gone."""

    def __init__(self, paths: Paths, order: int = 1) -> None:
        states, self._latest = _states(paths, order)
        self._channels, self._n = len(paths.channels), len(self._latest)
        # every path goes from the start (state 0) through its states to its end
        begins = np.zeros(len(states), np.bool_)
        begins[paths.starts[:-1]] = True
        source = np.where(begins, 0, np.concatenate(([0], states[:-1])))
        moves, self._move = np.unique(source * self._n + states, return_inverse=True)
        self._source, self._target = np.divmod(moves, self._n)
        self._owner, self._last = paths.owner, states[paths.starts[1:] - 1]

    def credit(self, counted: Counted) -> Doubles:
        """Return what each channel gets (see `Model`)."""
        effects = self.removal(counted)
        whole = effects.sum(axis=0)
        sums = np.array([counted.conversions.sum(), counted.value.sum()])
        return np.asarray(effects * np.divide(sums, whole, out=np.zeros(2), where=whole != 0))

    def removal(self, counted: Counted) -> Doubles:
        """Return the share of conversions, and of value, that would be lost without each channel: channels x 2.

        >>> from opportune.measure.attribution.paths import paths_of
        >>> bryl = paths_of(["c1 > c2 > c3", "c1", "c2 > c3"], [1, 0, 0], nulls=[0, 1, 1])
        >>> Markov(bryl).removal(bryl.counted)[:, 0].round(9).tolist()
        [0.5, 1.0, 1.0]
        """
        moves, ends, _, _ = self._chances(counted)
        if self._n <= max(DENSE, self._channels + 1):
            return self._effects(moves, ends)
        whole = self._reached(moves, ends, -1)
        effects = np.zeros((self._channels, 2))
        for channel in range(self._channels):
            left = self._reached(moves, ends, channel)
            effects[channel] = 1 - np.divide(left, whole, out=np.ones(2), where=whole != 0)
        return effects

    def information(self, counted: Counted) -> float:
        """Return the Bayesian information criterion of the chain: less is better."""
        _, _, likelihood, free = self._chances(counted)
        return float(free * np.log(max(2.0, (counted.conversions + counted.nulls).sum())) - 2 * likelihood)

    def _chances(self, counted: Counted) -> tuple[Any, Doubles, float, int]:
        """Return the chances to move, the chance to convert next and its value, log likelihood, free parameters."""
        from scipy.sparse import csr_array

        n, often = self._n, counted.conversions + counted.nulls
        gone = np.bincount(self._move, often[self._owner], len(self._source))
        converted, value, lost = (np.bincount(self._last, each, n) for each in counted)
        left = np.bincount(self._source, gone, n) + converted + lost
        each = np.divide(1.0, left, out=np.zeros(n), where=left > 0)
        chance = gone * each[self._source]
        told = ((gone, chance), (converted, converted * each), (lost, lost * each))
        likelihood = sum(float((k * np.log(p, where=p > 0, out=np.zeros(len(p)))).sum()) for k, p in told)
        branches = np.bincount(self._source, gone > 0, n) + (converted > 0) + (lost > 0)
        free = int((branches[left > 0] - 1).sum())
        moves = csr_array((chance, (self._source, self._target)), shape=(n, n))
        return moves, np.stack((converted * each, value * each), axis=1), likelihood, free

    def _effects(self, moves: Any, ends: Doubles) -> Doubles:
        """Return the removal effects from how often states are met, F = (I - Q)^-1: one inverse for all channels.

        Of what is worth w from each state, the start loses f_S F_SS^-1 w_S with the states S of a channel, where f is
        how often each state is met from the start: whoever comes to S for the first time comes no further.
        """
        met = np.linalg.inv(np.eye(self._n) - moves.toarray())
        worth = met @ ends
        effects = np.zeros((self._channels, 2))
        for channel in range(self._channels):
            own = np.flatnonzero(self._latest == channel)
            lost = met[0, own] @ np.linalg.solve(met[np.ix_(own, own)], worth[own])
            effects[channel] = np.divide(lost, worth[0], out=np.zeros(2), where=worth[0] != 0)
        return effects

    def _reached(self, moves: Any, ends: Doubles, without: int) -> Doubles:
        """Return the chance to convert and the value expected from the start, when nobody gets past a channel."""
        from scipy.sparse import diags_array, eye_array
        from scipy.sparse.linalg import splu

        open_ = np.ones(self._n) if without < 0 else (self._latest != without).astype(np.float64)
        passing = diags_array(open_)
        system = (eye_array(self._n) - passing @ moves @ passing).tocsc()
        return np.asarray(splu(system).solve(ends * open_[:, None])[0], np.float64)


def best_order(paths: Paths) -> int:
    """Return the order with the least Bayesian information criterion: more memory only where the data call for it."""
    return min(ORDERS, key=lambda order: Markov(paths, order).information(paths.counted))


def _states(paths: Paths, order: int) -> tuple[Longs, Longs]:
    """Return the state of each touch, from 1 on, and the channel that each state stands on (0 is the start: -1)."""
    base = len(paths.channels) + 1
    code = paths.steps.astype(np.int64) + 1
    place = np.arange(len(code)) - np.repeat(paths.starts[:-1], paths.lengths)
    known = _numbered(code)
    for back in range(1, order):
        before = np.zeros(len(code), np.int64)
        before[back:] = code[:-back]
        before[place < back] = 0
        known = _numbered(known * base + before)  # at each step, so that a long memory does not overflow
    latest = np.full(int(known.max(initial=0)) + 1, -1, np.int64)
    latest[known] = paths.steps
    return known, latest


def _numbered(codes: Longs) -> Longs:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64) + 1
