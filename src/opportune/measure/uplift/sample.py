"""Customers who were contacted at random, or not, and what was known of each before."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.predictors.bins import cut
from opportune.rules.tree import spell_name, spell_value

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

BINS = 10
"""Parts of a number between which a rule may cut."""

LEVELS = 12
"""Texts of a predictor that are told apart, the most frequent; the others are one."""

LEAST_SHARE = 0.01
"""A text, or a missing value, that fewer customers have is not looked at by itself."""


class Sample:
    """Customers of a test: who was `treated`, the `outcome` (a number per customer), and the predictors.

    A predictor is a float64 column with NaN where it is missing, or a column of texts with None. What is made of them
    here (ranks, parts of even count, frequent texts) looks at no outcome, so it may look at all customers.
    """

    def __init__(
        self, treated: npt.ArrayLike, outcome: npt.ArrayLike, predictors: Mapping[str, npt.NDArray[Any]]
    ) -> None:
        self.treated: BoolArray = np.asarray(treated, np.bool_)
        self.outcome: FloatArray = np.asarray(outcome, np.float64)
        self.predictors = predictors
        shapes = {self.treated.shape, self.outcome.shape, *(column.shape for column in predictors.values())}
        if len(shapes) > 1 or self.treated.ndim != 1:
            raise ValueError(f"columns of shapes {sorted(shapes)}: pass flat arrays of one length")
        if not np.isfinite(self.outcome).all():
            raise ValueError("an outcome is not finite: leave the customer out, or say what they count as")

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def share(self) -> float:
        """The share of customers who were treated."""
        return float(self.treated.mean())

    @cached_property
    def binary(self) -> bool:
        """Is each outcome 0 or 1?"""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    @cached_property
    def design(self) -> FloatArray:
        """What learners see: standardized columns, without those that are the same for all.

        A number is its rank, and a bend of it where it has more than two values, so that no outlier has a say; a
        missing one is in the middle, and told by a column of its own. A text is a column for each frequent value.
        """
        columns = [(column - column.mean()) / column.std() for _, column in self._columns]
        return np.column_stack(columns) if columns else np.zeros((len(self), 0))

    @property
    def names(self) -> list[str]:
        """The predictor that each column of the design was made of."""
        return [name for name, _ in self._columns]

    @cached_property
    def _columns(self) -> list[tuple[str, FloatArray]]:
        made = [(name, column) for name, values in self.predictors.items() for column in _columns(values)]
        return [(name, column) for name, column in made if column.std() > 1e-9]

    @cached_property
    def cuts(self) -> tuple[Cut, ...]:
        """Every way to part the customers in two by one predictor."""
        found: list[Cut] = []
        for name, values in self.predictors.items():
            found += _text_cuts(name, values) if values.dtype == object else _number_cuts(name, values)
        return tuple(found)


class Cut:
    """Customers parted in two by one predictor: `inside` are those for whom the condition `sql` holds.

    `outside` is the condition of all others. Both are SQL of the kind that a catalog takes.
    """

    def __init__(self, inside: BoolArray, sql: str, outside: str) -> None:
        self.inside, self.sql, self.outside = inside, sql, outside


def _columns(values: npt.NDArray[Any]) -> list[FloatArray]:
    if values.dtype == object:
        return [(values == level).astype(np.float64) for level in _levels(values)]
    missing = np.isnan(values)
    rank = np.zeros(len(values))
    rank[~missing] = 2 * mid_ranks(values[~missing]) - 1
    columns = [rank]
    if len(np.unique(values[~missing])) > 2:
        columns.append(np.where(missing, 0.0, rank**2 - 1 / 3))
    if missing.mean() >= LEAST_SHARE:
        columns.append(missing.astype(np.float64))
    return columns


def _number_cuts(name: str, values: FloatArray) -> list[Cut]:
    missing = np.isnan(values)
    word, some = spell_name(name), bool(missing.any())
    found = []
    for edge in cut(np.sort(values[~missing]).astype(np.float32), BINS).tolist() if not missing.all() else ():
        edge = float(f"{edge:.6g}")
        with np.errstate(invalid="ignore"):
            inside = values > edge
        below = f"{word} <= {spell_value(edge)}"
        found.append(Cut(inside, f"{word} > {spell_value(edge)}", f"({below} OR {word} IS NULL)" if some else below))
    return _worth(found) + _worth([Cut(missing, f"{word} IS NULL", f"{word} IS NOT NULL")])


def _text_cuts(name: str, values: npt.NDArray[Any]) -> list[Cut]:
    missing = np.array([value is None for value in values], np.bool_)
    word, some = spell_name(name), bool(missing.any())
    found = []
    for level in _levels(values):
        same, other = f"{word} = {spell_value(level)}", f"{word} <> {spell_value(level)}"
        found.append(Cut(values == level, same, f"({other} OR {word} IS NULL)" if some else other))
    return _worth(found) + _worth([Cut(missing, f"{word} IS NULL", f"{word} IS NOT NULL")])


def _worth(cuts: list[Cut]) -> list[Cut]:
    return [one for one in cuts if LEAST_SHARE <= one.inside.mean() <= 1 - LEAST_SHARE]


def _levels(values: npt.NDArray[Any]) -> list[str]:
    known, counts = np.unique(np.array([v for v in values if v is not None], np.str_), return_counts=True)
    order = sorted(range(len(known)), key=lambda i: (-counts[i], known[i]))[:LEVELS]
    return [str(known[i]) for i in order if counts[i] >= LEAST_SHARE * len(values)]


def mid_ranks(values: FloatArray) -> FloatArray:
    """Return, for each value, the share of values below it plus half of those equal to it.

    >>> mid_ranks(np.array([3.0, 1.0, 1.0, 2.0])).tolist()
    [0.875, 0.25, 0.25, 0.625]
    """
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: FloatArray = ((np.cumsum(counts) - counts / 2) / len(values))[which]
    return found
