"""The loops of the recommender: counting what goes with what, and adding up what a history points at.

Rows (customers, or baskets) are kept as `starts`, `items`, `weights`: row r holds items[starts[r]:starts[r + 1]].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

jit: Any = njit(cache=True, nogil=True, error_model="numpy")


@jit
def transpose(starts, items, weights, n):  # type: ignore[no-untyped-def]
    """Return the rows by item: starts [n + 1], and row numbers and weights of each item."""
    by = np.zeros(n + 1, np.int64)
    for k in range(len(items)):
        by[items[k] + 1] += 1
    for i in range(n):
        by[i + 1] += by[i]
    rows, values, at = np.empty(len(items), np.int32), np.empty(len(items), np.float32), by[:-1].copy()
    for r in range(len(starts) - 1):
        for k in range(starts[r], starts[r + 1]):
            rows[at[items[k]]] = r
            values[at[items[k]]] = weights[k]
            at[items[k]] += 1
    return by, rows, values


@jit
def together(starts, items, weights, by, rows, values, left, right, shrink, most):  # type: ignore[no-untyped-def]
    """Return the `most` best neighbors of each item: starts, items and scores.

    The score of j beside i is sum over rows of w_i w_j / (left_i right_j + shrink): with the norms of the items on both
    sides the cosine, with the count of i on the left and 1 on the right the share of the rows with i that have j too.
    """
    n = len(by) - 1
    total, touched = np.zeros(n, np.float32), np.empty(n, np.int32)
    out = np.zeros(n + 1, np.int64)
    room = 0
    for i in range(n):
        bound = 0
        for k in range(by[i], by[i + 1]):
            bound += starts[rows[k] + 1] - starts[rows[k]] - 1
            if bound >= most:
                bound = most
                break
        room += bound
    found, scores = np.empty(room, np.int32), np.empty(room, np.float32)
    at = 0
    for i in range(n):
        count = 0
        for k in range(by[i], by[i + 1]):
            r, w = rows[k], values[k]
            for m in range(starts[r], starts[r + 1]):
                j = items[m]
                if j != i:
                    if total[j] == 0:
                        touched[count] = j
                        count += 1
                    total[j] += w * weights[m]
        some = np.empty(count, np.float32)
        for m in range(count):
            j = touched[m]
            some[m] = total[j] / (left[i] * right[j] + shrink)
            total[j] = 0
        floor = np.float32(-1)
        if count > most:
            floor = np.partition(some, count - most)[count - most]
        kept = 0
        for m in range(count):
            if some[m] > floor:
                found[at + kept], scores[at + kept] = touched[m], some[m]
                kept += 1
        for m in range(count):
            if kept < most and some[m] == floor:
                found[at + kept], scores[at + kept] = touched[m], some[m]
                kept += 1
        at += kept
        out[i + 1] = at
    return out, found[:at], scores[:at]


@jit
def gram(starts, items, weights, place, n):  # type: ignore[no-untyped-def]
    """Return the sums of w_i w_j over rows of those items that have a place (>= 0) among n."""
    out = np.zeros((n, n), np.float32)
    for r in range(len(starts) - 1):
        for k in range(starts[r], starts[r + 1]):
            i = place[items[k]]
            if i >= 0:
                for m in range(starts[r], starts[r + 1]):
                    j = place[items[m]]
                    if j >= 0:
                        out[i, j] += weights[k] * weights[m]
    return out


@jit
def strongest(dense, names, most):  # type: ignore[no-untyped-def]
    """Return the `most` entries of each row of a matrix that are farthest from 0: starts, names of columns, values."""
    n = len(dense)
    most = min(most, n)
    starts, found, values = np.zeros(n + 1, np.int64), np.empty(n * most, np.int32), np.empty(n * most, np.float32)
    at = 0
    for i in range(n):
        size = np.abs(dense[i])
        floor = np.partition(size, n - most)[n - most]
        kept = 0
        for j in range(n):
            if kept < most and size[j] >= floor and size[j] > 0:
                found[at + kept], values[at + kept] = names[j], dense[i, j]
                kept += 1
        at += kept
        starts[i + 1] = at
    return starts, found[:at], values[:at]


@jit
def add_up(starts, items, scores, history, weights, out):  # type: ignore[no-untyped-def]
    """Add to `out` what the items of a history point at, times their weights; return the items that were reached."""
    room = 0
    for k in range(len(history)):
        room += starts[history[k] + 1] - starts[history[k]]
    reached = np.empty(min(room, len(out)), np.int32)
    count = 0
    for k in range(len(history)):
        for m in range(starts[history[k]], starts[history[k] + 1]):
            j = items[m]
            if out[j] == 0 and count < len(reached):
                reached[count] = j
                count += 1
            out[j] += scores[m] * weights[k]
    return reached[:count]


@jit
def speaker(starts, items, scores, history, weights, item):  # type: ignore[no-untyped-def]
    """Return the item of a history that adds most to the score of an item; -1 where none adds to it."""
    best, most = -1, np.float32(0)
    for k in range(len(history)):
        for m in range(starts[history[k]], starts[history[k] + 1]):
            if items[m] == item and scores[m] * weights[k] > most:
                best, most = history[k], scores[m] * weights[k]
    return best
