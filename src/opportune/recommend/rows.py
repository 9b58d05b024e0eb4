"""From a log of touches to rows: per customer, or per basket."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

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


def by_content(rows: Rows, names: Longs, bought: Rows) -> Longs:
    """Return the numbers of the customers in an order that depends on what they had, and on nothing else of them.

    `names` are the items' own, which stay when items are numbered anew. Instants count only between customers who had
    the same: the same log at another time gives the same order. `bought` has no more customers than `rows`.
    """
    keys = zip(_digests(rows, names, len(rows)), _digests(bought, names, len(rows)),
               _instants(rows, len(rows)), _instants(bought, len(rows)))  # fmt: skip
    return np.array([number for _, number in sorted(zip(keys, range(len(rows))))], np.int64)


def arranged(rows: Rows, order: Longs) -> Rows:
    """Return the rows in another order, where `order[k]` comes k-th; those that `rows` does not reach are empty.

    >>> rows = Rows(np.array([0, 2, 3]), np.array([6, 5, 5]), np.ones(3), np.zeros(3), 7)
    >>> moved = arranged(rows, np.array([1, 2, 0]))
    >>> moved.starts.tolist(), moved.items.tolist()
    ([0, 1, 1, 3], [5, 6, 5])
    """
    begins, ends = _bounds(rows, len(order))
    sizes = (ends - begins)[order]
    starts = np.append(0, np.cumsum(sizes)).astype(np.int64)
    places = np.repeat(begins[order] - starts[:-1], sizes) + np.arange(starts[-1])
    return Rows(starts, rows.items[places], rows.weights[places], rows.at[places], rows.n)


def _digests(rows: Rows, names: Longs, count: int) -> Iterator[bytes]:
    """Yield 16 bytes for each of `count` customers: the same for the same items in the same order, as they weigh."""
    weights = rows.weights.astype(np.float32).view(np.int32)
    data = memoryview(np.stack([names[rows.items], weights], 1).astype("<i8").tobytes())
    for begin, end in zip(*(each.tolist() for each in _bounds(rows, count))):
        yield blake2b(data[begin * 16 : end * 16], digest_size=16).digest()


def _instants(rows: Rows, count: int) -> Iterator[bytes]:
    """Yield the instants of each of `count` customers such that earlier ones come first."""
    data = rows.at.astype(">i8").tobytes()
    for begin, end in zip(*(each.tolist() for each in _bounds(rows, count))):
        yield data[begin * 8 : end * 8]


def _bounds(rows: Rows, count: int) -> tuple[Longs, Longs]:
    """Return where the row of each of `count` customers begins and ends."""
    starts = np.append(rows.starts, np.full(count - len(rows), rows.starts[-1], np.int64)).astype(np.int64)
    return starts[:-1], starts[1:]
