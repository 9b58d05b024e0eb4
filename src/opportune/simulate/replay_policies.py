"""What the policies of a replay would have done on each logged row, and what that would have been worth.

A policy is a matrix of probabilities, rows x actions, known before each row is learned. The model's q = P x V of each
action is the same for all of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from opportune.measure.ope import Estimate, evaluate

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

RARE = 10
"""An action that the log has fewer times than this has no support."""


class Judge:
    """Holds the policies `logged`, `uniform`, `best_single` and `hub` against a log, page by page.

    Per row of the log: the action (a position below `actions`), the outcome, the reward, and the probability that the
    logging policy gave to the action.
    """

    def __init__(
        self, action: Ints, outcome: npt.NDArray[np.bool_], reward: Floats, logged: Floats, actions: int
    ) -> None:
        self._action, self._outcome, self._reward, self._logged = action, outcome, reward, logged
        self._rare = np.bincount(action, minlength=actions) < RARE
        self._q = np.zeros(len(action))
        self._best = BestSingle(actions)
        self._policies = {name: _Policy(len(action)) for name in ("logged", "uniform", "best_single", "hub")}

    def note(self, first: int, q: Floats, hub: Floats) -> None:
        """Take in a page of rows from `first` on, in order: q and the hub's probabilities, both rows x actions."""
        page = slice(first, first + len(q))
        action, logged = self._action[page], self._logged[page]
        here = np.arange(len(q)), action
        self._q[page] = q[here]
        best = self._best.chances(action, self._reward[page], logged)
        uniform = np.full(q.shape, 1 / q.shape[1])
        for name, chances in (("uniform", uniform), ("best_single", best), ("hub", hub)):
            # what the chances lack to 1 is a choice that the log never made: worth nothing that we know of
            lost = np.clip(1 - chances.sum(axis=1), 0, 1)
            self._policies[name].put(
                page, np.minimum(chances[here], 1), (chances * q).sum(axis=1), chances @ self._rare + lost
            )
        # of the logging policy only the chance of what it did is known: its expected reward is taken as q of that
        self._policies["logged"].put(page, logged, q[here], self._rare[action])

    def estimates(self, customer: npt.NDArray[np.int64] | None, seed: int) -> dict[str, Estimate]:
        """Return what each policy would have earned per row, once every row was noted."""
        return {
            name: evaluate(
                outcome=self._outcome,
                reward=self._reward,
                logged=self._logged,
                target=policy.chance,
                q_logged=self._q,
                q_target=policy.expected,
                without_support=policy.unsupported,
                customer=customer,
                seed=seed,
            )
            for name, policy in self._policies.items()
        }


class _Policy:
    """Per row: the probability of the logged action, the expected reward over all actions, the mass without support."""

    def __init__(self, rows: int) -> None:
        self.chance, self.expected, self.unsupported = np.zeros(rows), np.zeros(rows), np.zeros(rows)

    def put(self, page: slice, chance: Floats, expected: Floats, unsupported: npt.NDArray[np.generic]) -> None:
        self.chance[page], self.expected[page], self.unsupported[page] = chance, expected, unsupported


class BestSingle:
    """Always the same action: the one with the highest SNIPS on the rows before.

    Equals share the probability. An action not seen yet has no estimate and is not chosen; in the first row no action
    has one, and all are equal.
    """

    def __init__(self, actions: int) -> None:
        self._reward, self._weight = np.zeros(actions), np.zeros(actions)

    def chances(self, action: Ints, reward: Floats, logged: Floats) -> Floats:
        """Return the probabilities before each of the next rows, rows x actions, and learn these rows.

        >>> BestSingle(2).chances(np.array([0, 1, 1]), np.array([0.0, 1.0, 0.0]), np.full(3, 0.5)).tolist()
        [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
        """
        done = np.zeros((2, len(action) + 1, len(self._weight)))
        done[0, 0], done[1, 0] = self._reward, self._weight
        done[0, np.arange(1, len(action) + 1), action] = reward / logged
        done[1, np.arange(1, len(action) + 1), action] = 1 / logged
        total, weight = np.cumsum(done, axis=1)
        self._reward, self._weight = total[-1], weight[-1]
        with np.errstate(invalid="ignore"):
            value = np.where(weight > 0, total / weight, -np.inf)[:-1]
        best = value == value.max(axis=1, keepdims=True)
        chances: Floats = best / best.sum(axis=1, keepdims=True)
        return chances


class Worth:
    """V of each action where the spec names a column: the running mean of its positive rows.

    Before its first one an action has the mean over all actions, and before any positive row V is 1.
    """

    def __init__(self, actions: int) -> None:
        self._total, self._count = np.zeros(actions), np.zeros(actions)

    def learn(self, action: int, value: float) -> None:
        """Learn what a positive row was worth."""
        self._total[action] += value
        self._count[action] += 1

    def each(self) -> Floats:
        """Return V of each action now."""
        positives = self._count.sum()
        pooled = self._total.sum() / positives if positives else 1.0
        return np.where(self._count > 0, self._total / np.maximum(self._count, 1), pooled)
