"""From a log of touches to rows: per customer, or per basket."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from opportune.clock import MINUTE
from opportune.recommend.types import Floats, Ints, Longs, Rows

BASKET = 30 * MINUTE
"""What one customer touches with smaller gaps in between belongs to one basket."""


def rows_of(who: Ints, items: Ints, weights: Floats, at: Longs, n: int, most: int) -> Rows:
    """Return one row per customer with the last `most` items, each once, with its strongest weight and last instant.

    Where all instants are equal, the order of the log counts. Customers are numbers from 0 up; those without items have
    empty rows.

    >>> log = np.array([0, 0, 1, 0]), np.array([5, 6, 5, 5]), np.ones(4), np.array([1, 2, 2, 3])
    >>> rows = rows_of(*log, n=7, most=10)
    >>> rows.starts.tolist(), rows.items.tolist()
    ([0, 2, 3], [6, 5, 5])
    """
    if not len(who):
        return Rows(np.zeros(1, np.int64), items.astype(np.int32), weights.astype(np.float32), at.astype(np.int64), n)
    order = np.lexsort((np.arange(len(at)), at, who))
    who, items, weights, at = who[order], items[order], weights[order], at[order]
    pair = who.astype(np.int64) * n + items
    by_pair = np.lexsort((np.arange(len(pair)), pair))
    ends = np.append(pair[by_pair][1:] != pair[by_pair][:-1], True)
    begins = np.flatnonzero(np.append(True, ends[:-1]))
    strongest = np.maximum.reduceat(weights[by_pair], begins)
    last = by_pair[ends]
    keep = np.argsort(last)
    last, strongest = last[keep], strongest[keep]
    who, items, at = who[last], items[last], at[last]
    ends_of = np.cumsum(np.bincount(who))
    recent = np.arange(len(who)) >= ends_of[who] - most
    who, items, at, strongest = who[recent], items[recent], at[recent], strongest[recent]
    starts = np.append(0, np.cumsum(np.bincount(who))).astype(np.int64)
    return Rows(starts, items.astype(np.int32), strongest.astype(np.float32), at.astype(np.int64), n)


def baskets(rows: Rows) -> Rows:
    """Return the rows cut where a customer paused for longer than `BASKET`; without instants, as they are."""
    if not len(rows.at) or rows.at.min() == rows.at.max():
        return rows
    new = np.append(True, np.diff(rows.at) > BASKET)
    new[rows.starts[:-1][rows.starts[:-1] < len(rows.at)]] = True
    starts = np.append(np.flatnonzero(new), len(rows.at)).astype(np.int64)
    return Rows(starts, rows.items, rows.weights, rows.at, rows.n)


def without(rows: Rows, held: npt.NDArray[np.int64]) -> Rows:
    """Return the rows without some places of `items`."""
    keep = np.ones(len(rows.items), bool)
    keep[held] = False
    starts = np.append(0, np.cumsum(keep))[rows.starts].astype(np.int64)
    return Rows(starts, rows.items[keep], rows.weights[keep], rows.at[keep], rows.n)
