"""What goes with what: the items that stand beside an item, as rows of numbers, learned in three ways."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from opportune.recommend import kernels
from opportune.recommend.types import Asked, Floats, Ints, Longs, Rows, Scores, Weighted

MOST, ROOM = 200, 20_000_000
"""Neighbors that are kept of each item, and of all items together."""

HEAD, WIDE = 3_000, 400
"""The most frequent items that `ease` goes by, and how many of its weights are kept of each."""

RIDGES, TRIED = (20.0, 200.0, 2_000.0), 1_200
"""Ridges of `ease` that are tried on held data, and on how many of the most frequent items."""

SUPPORT = 5.0
"""`companions` counts as if this many baskets with the first item had nothing else in them."""

FADE = 0.8
"""How much less each earlier item of a session says than the one after it."""


@dataclass(frozen=True, slots=True)
class Neighbors:
    """A part that adds up the neighbors of what a customer had: of the `history`, or of the `session`."""

    name: str
    starts: Longs
    items: Ints
    values: Floats
    of: Literal["history", "session"] = "history"

    def scores(self, asked: Asked) -> Scores:
        """Return the sum over the items had of weight x neighbor; in a session later ones count more."""
        had = self._had(asked)
        out = np.zeros(len(self.starts) - 1, np.float32)
        return Scores(out, kernels.add_up(self.starts, self.items, self.values, had.items, had.weights, out))

    def because(self, asked: Asked, item: int) -> int:
        """Return the item had that adds most to the score of an item; -1 where none adds to it."""
        had = self._had(asked)
        return int(kernels.speaker(self.starts, self.items, self.values, had.items, had.weights, item))

    def _had(self, asked: Asked) -> Weighted:
        if self.of == "history":
            return asked.history
        items, weights = asked.session
        return Weighted(items, weights * (FADE ** np.arange(len(items) - 1, -1, -1)).astype(np.float32))


def cosine(rows: Rows) -> Neighbors:
    """Return the item cosine: sum w_i w_j / (|w_i| |w_j|) over customers, of the history."""
    by, among, values = kernels.transpose(rows.starts, rows.items, rows.weights, rows.n)
    norm = np.sqrt(_sums(rows, rows.weights**2)) + np.float32(1e-9)
    made = kernels.together(
        rows.starts, rows.items, rows.weights, by, among, values, norm, norm, np.float32(0), _most(rows)
    )
    return Neighbors("neighbors", *made)


def in_session(neighbors: Neighbors) -> Neighbors:
    """Return the same neighbors, asked about the running session."""
    return replace(neighbors, name="session", of="session")


def companions(rows: Rows) -> Neighbors:
    """Return how often j was in the baskets with i: n_ij / (n_i + SUPPORT), the confidence of an association rule.

    What has little support is shrunk towards none (Agrawal, Imielinski and Swami 1993 for the rule).
    """
    ones = np.ones(len(rows.items), np.float32)
    by, among, values = kernels.transpose(rows.starts, rows.items, ones, rows.n)
    counts, flat = _sums(rows, ones), np.ones(rows.n, np.float32)
    starts, items, scores = kernels.together(
        rows.starts, rows.items, ones, by, among, values, counts, flat, np.float32(SUPPORT), _most(rows)
    )
    return Neighbors("companions", starts, items, scores, "session")


def ease(rows: Rows, ridge: float) -> Neighbors:
    """Return EASE (Steck 2019) over the `HEAD` most frequent items: B = I - P / diag(P), P = (X'X + ridge I)^-1.

    Closed form: the linear model that says each item of a customer best from the others. Memory is HEAD^2 numbers while
    it learns, and HEAD x WIDE afterwards; items outside of the head have no neighbors here.
    """
    return solved(*head(rows), ridge, rows.n)


def head(rows: Rows, most: int = HEAD) -> tuple[Ints, Ints, Floats]:
    """Return the head's items, the place of each item in it (-1: none), and X'X over it."""
    counts = np.bincount(rows.items, minlength=rows.n)
    names = np.sort(np.argsort(-counts, kind="stable")[:most]).astype(np.int32)
    names = names[counts[names] > 0]
    place = np.full(rows.n, -1, np.int32)
    place[names] = np.arange(len(names), dtype=np.int32)
    return names, place, kernels.gram(rows.starts, rows.items, rows.weights, place, len(names))


def solved(names: Ints, place: Ints, square: Floats, ridge: float, n: int) -> Neighbors:
    """Return EASE of a head at one ridge."""
    if not len(names):
        return Neighbors("ease", np.zeros(n + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    inverse = np.linalg.inv(square + np.float32(ridge) * np.eye(len(names), dtype=np.float32))
    weights = (-inverse / np.diag(inverse)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    starts, items, values = kernels.strongest(weights, names, WIDE)
    sizes = np.zeros(n, np.int64)
    sizes[names] = np.diff(starts)
    return Neighbors("ease", np.append(0, np.cumsum(sizes)), items, values)


def _most(rows: Rows) -> int:
    return max(10, min(MOST, ROOM // max(rows.n, 1)))


def _sums(rows: Rows, weights: Floats) -> Floats:
    return np.bincount(rows.items, weights, minlength=rows.n).astype(np.float32)
