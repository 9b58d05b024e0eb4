"""The best rule of one line: contact those on one side of one cut of one predictor."""

from __future__ import annotations

import numpy as np

from opportune.measure.uplift.sample import BoolArray, Cut, FloatArray


class Rule:
    """A cut and its better side: `score` of all customers is 1 there and 0 elsewhere, `sql` is its condition."""

    def __init__(self, cut: Cut, inside: bool) -> None:
        self.sql = cut.sql if inside else cut.outside
        self.score: FloatArray = (cut.inside == inside).astype(np.float64)


def best_rule(cuts: tuple[Cut, ...], gain: FloatArray, rows: BoolArray) -> Rule | None:
    """Return the rule whose two sides differ most, in standard errors, on some rows; None if there is nothing to cut.

    Standard errors are those where sides do not differ, of each side its own: a rare side does not win by luck.
    """
    best, found = -1.0, None
    centered = gain[rows] - gain[rows].mean()
    square = centered**2
    for cut in cuts:
        inside = cut.inside[rows]
        share = float(inside.mean())
        if not 0 < share < 1:
            continue
        difference = float(centered[inside].sum())
        spread = float(square[inside].sum()) * (1 - 2 * share) + share**2 * float(square.sum())
        strength = abs(difference) / np.sqrt(spread) if spread > 0 else 0.0
        if strength > best:
            best, found = strength, Rule(cut, difference > 0)
    return found
