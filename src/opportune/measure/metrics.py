"""How good are predicted probabilities? Every function takes them as they were *before* the outcome was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
_LEAST = 1e-15  # a probability of 0 or 1 costs at most this far from certainty, as in most libraries


def log_loss(p: npt.ArrayLike, outcome: npt.ArrayLike) -> float | None:
    """Return the mean of -log(probability given to what happened); None without rows. Probabilities are clipped to
    [1e-15, 1 - 1e-15].

    >>> log_loss([0.5, 0.5], [0, 1])
    0.6931471805599453
    """
    p, y = _pair(p, outcome)
    if not len(y):
        return None
    p = np.clip(p, _LEAST, 1 - _LEAST)
    return float(-np.where(y > 0, np.log(p), np.log1p(-p)).mean())


def base_rate_log_loss(outcome: npt.ArrayLike) -> float | None:
    """Return the log loss of the running base rate (s + .5) / (n + 1) of the n rows before, s of them positive; the
    order of the rows matters. None without rows.

    >>> base_rate_log_loss([1]) == log_loss([0.5], [1])
    True
    """
    y = np.asarray(outcome, np.float64)
    return log_loss((np.cumsum(y) - y + 0.5) / (np.arange(len(y)) + 1), y)


def auc(p: npt.ArrayLike, outcome: npt.ArrayLike) -> float | None:
    """Return the chance that a positive row has a higher probability than a negative one, ties half; None if either is
    missing. Computed from mid-ranks (Mann-Whitney), so exact whatever the ties.

    >>> auc([0.1, 0.4, 0.4, 0.8], [0, 0, 1, 1])
    0.875
    """
    p, y = _pair(p, outcome)
    positives = int((y > 0).sum())
    negatives = len(y) - positives
    if not positives or not negatives:
        return None
    above = _mid_ranks(p)[y > 0].sum() - positives * (positives + 1) / 2
    return float(above / positives / negatives)


def auc_by_action(p: npt.ArrayLike, outcome: npt.ArrayLike, action: Sequence[Any]) -> dict[Any, float]:
    """Return the AUC of each action that has both positive and negative rows, in order of name."""
    p, y = _pair(p, outcome)
    names, which = np.unique(np.asarray(action), return_inverse=True)
    order = np.argsort(which, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(which, minlength=len(names)))[:-1])
    found = {name: auc(p[rows], y[rows]) for name, rows in zip(names.tolist(), parts)}
    return {name: value for name, value in found.items() if value is not None}


def mean_auc(p: npt.ArrayLike, outcome: npt.ArrayLike, action: Sequence[Any]) -> float | None:
    """Return the mean of `auc_by_action`, weighted by rows per action; None if no action has an AUC.

    This is the headline: the pooled AUC also rewards knowing that one action is more popular than another.
    """
    found = auc_by_action(p, outcome, action)
    names, counts = np.unique(np.asarray(action), return_counts=True)
    rows = dict(zip(names.tolist(), counts.tolist()))
    total = sum(rows[name] for name in found)
    return sum(found[name] * rows[name] for name in found) / total if total else None


def calibration_error(p: npt.ArrayLike, outcome: npt.ArrayLike, bins: int = 10) -> float | None:
    """Return the mean distance between predicted and observed rate over `bins` bins of equal count, weighted by rows;
    None without rows. Equal probabilities share a bin (that of their mid-rank), so the order of rows does not matter.

    >>> round(calibration_error([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 1], bins=2), 6)
    0.2
    """
    p, y = _pair(p, outcome)
    if not len(y):
        return None
    which = np.minimum(((_mid_ranks(p) - 0.5) * bins / len(p)).astype(np.int64), bins - 1)
    gaps = np.bincount(which, weights=p - y, minlength=bins)
    return float(np.abs(gaps).sum() / len(y))


def _mid_ranks(values: FloatArray) -> FloatArray:
    """Return ranks from 1 on; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: FloatArray = (last - (counts - 1) / 2)[which]
    return ranks


def _pair(p: npt.ArrayLike, outcome: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, y = np.asarray(p, np.float64), np.asarray(outcome, np.float64)
    if p.shape != y.shape or p.ndim != 1:
        raise ValueError(f"{p.shape} probabilities for {y.shape} outcomes: pass two flat arrays of one length")
    return p, y
