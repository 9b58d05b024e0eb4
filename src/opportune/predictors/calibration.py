"""Calibration: isotonic regression and the expected calibration error. P multiplies money, so P must be true."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from opportune.predictors.base import FloatArray


def isotonic(positives: npt.ArrayLike, totals: npt.ArrayLike) -> FloatArray:
    """Return the non-decreasing rates closest (weighted least squares) to positives / totals, in the given order.

    Pool adjacent violators (Ayer et al. 1955). A cell with total 0 takes the rate of the pool before it, or of the
    first pool where there is none before; all cells empty gives zeros.

    >>> isotonic([1, 0, 3], [2, 2, 4]).tolist()
    [0.25, 0.25, 0.75]
    """
    hits, weights = np.asarray(positives, np.float64), np.asarray(totals, np.float64)
    starts, rates = pools(hits, weights)
    return np.repeat(rates, np.diff([*starts, len(hits)]))


def pools(positives: FloatArray, totals: FloatArray) -> tuple[list[int], FloatArray]:
    """Return the first cell and the rate of each pool of `isotonic`; pools without any answer join a neighbor."""
    starts: list[int] = []
    hits: list[float] = []
    sizes: list[float] = []
    for i, (hit, size) in enumerate(zip(positives.tolist(), totals.tolist())):
        if starts and size == 0:
            continue
        starts.append(i)
        hits.append(hit)
        sizes.append(size)
        while len(starts) > 1 and hits[-2] * sizes[-1] >= hits[-1] * sizes[-2]:
            del starts[-1]
            hits[-2:], sizes[-2:] = [hits[-2] + hits[-1]], [sizes[-2] + sizes[-1]]
    return starts, np.array([hit / size if size > 0 else 0.0 for hit, size in zip(hits, sizes)])


def expected_calibration_error(p: npt.ArrayLike, outcomes: npt.ArrayLike, bins: int = 10) -> float:
    """Return the mean |rate - mean p| over `bins` bins of equal count, weighted by count; NaN without answers.

    Bins are cut by rank of p, ties in the given order; with fewer answers than bins each is a bin.

    >>> expected_calibration_error([0.25, 0.25, 0.75, 0.75], [0, 0, 1, 1], bins=2)
    0.25
    """
    scores, hits = np.asarray(p, np.float64), np.asarray(outcomes, np.float64)
    if len(scores) == 0:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [abs(hits[part].sum() - scores[part].sum()) for part in parts]
    return float(sum(gaps) / len(order))
