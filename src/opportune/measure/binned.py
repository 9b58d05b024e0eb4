"""Predictors as columns of a regression: bins, and for numbers a straight line beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from opportune.measure.pooling import FloatArray

BINS, TEXTS, FREQUENT = 10, 40, 20
"""Bins of a number; values of a text, and customers that a value must have to count for itself."""

LINE = 0.2
"""The ridge of a number's line as a share of that of its bins: bins say where it bends."""

Columns = Mapping[str, npt.NDArray[Any]]
"""Predictors by name: floats with NaN for what is missing, or objects: texts and None."""


class Effectful(msgspec.Struct, frozen=True):
    """How much a predictor moves scores: the standard deviation of its part of the log odds."""

    name: str
    spread: float


class Design(msgspec.Struct, frozen=True):
    """How predictors become columns: `names` of the predictors, each with its edges (numbers) or values (texts), the
    ends between which a number counts, and the middle and the spread of its line."""

    names: tuple[str, ...]
    edges: dict[str, FloatArray]
    ends: dict[str, tuple[float, float]]
    values: dict[str, tuple[str, ...]]
    lines: dict[str, tuple[float, float]]

    @staticmethod
    def of(columns: Columns) -> Design:
        """Return the columns for some customers; a predictor that is the same for all has none."""
        edges: dict[str, FloatArray] = {}
        ends: dict[str, tuple[float, float]] = {}
        values: dict[str, tuple[str, ...]] = {}
        lines: dict[str, tuple[float, float]] = {}
        for name, column in columns.items():
            if column.dtype == object:
                there = Counter(value for value in column if value is not None)
                often = sorted(there.items(), key=lambda one: (-one[1], one[0]))[:TEXTS]
                told = tuple(value for value, count in often if count >= FREQUENT)
                if len(np.unique(_texts(column, told))) > 1:
                    values[name] = told
            else:
                some = column[np.isfinite(column)]
                if not len(some) or (some.min() == some.max() and len(some) == len(column)):
                    continue
                cuts = np.unique(np.quantile(some, np.arange(1, BINS) / BINS))
                edges[name] = cuts[cuts > some.min()]
                ends[name] = float(np.quantile(some, 0.01)), float(np.quantile(some, 0.99))
                within = np.clip(some, *ends[name])
                lines[name] = float(within.mean()), float(within.std()) or 1.0
        return Design(tuple(name for name in columns if name in edges or name in values), edges, ends, values, lines)

    def rows(self, columns: Columns) -> Any:
        """Return the columns of some customers as a sparse matrix: the line of a number first, 0 where it is missing,
        then its bins or those of a text."""
        from scipy.sparse import csr_matrix

        n = len(next(iter(columns.values())))
        entries, at = [], []
        for name, place in self._places().items():
            column = columns[name]
            if name in self.edges:
                there = np.isfinite(column)
                middle, spread = self.lines[name]
                entries.append(np.where(there, (np.clip(column, *self.ends[name]) - middle) / spread, 0.0))
                at.append(np.full(n, place[0]))
                bins = np.where(there, np.searchsorted(self.edges[name], column, "right") + 1, 0)
                at.append(place[1] + bins)
            else:
                at.append(place[0] + 1 + _texts(column, self.values[name]))
            entries.append(np.ones(n))
        width = sum(len(place) for place in self._places().values())
        starts = np.arange(n + 1) * len(entries)
        return csr_matrix((np.column_stack(entries).ravel(), np.column_stack(at).ravel(), starts), shape=(n, width))

    def ridges(self) -> FloatArray:
        """Return how much of the ridge each column takes."""
        found = np.ones(sum(len(place) for place in self._places().values()))
        for name, at in self._places().items():
            if name in self.edges:
                found[at[0]] = LINE
        return found

    def spreads(self, x: Any, weights: FloatArray) -> tuple[Effectful, ...]:
        """Return the predictors by how much they move scores, the strongest first."""
        told = [
            Effectful(name, float((x[:, at[0] : at[-1] + 1] @ weights[1 + at[0] : 2 + at[-1]]).std()))
            for name, at in self._places().items()
        ]
        return tuple(sorted(told, key=lambda one: (-one.spread, one.name)))

    def _places(self) -> dict[str, Sequence[int]]:
        """Return the columns of each predictor: the line of a number first."""
        found: dict[str, Sequence[int]] = {}
        start = 0
        for name in self.names:
            width = len(self.edges[name]) + 3 if name in self.edges else len(self.values[name]) + 2
            found[name] = range(start, start + width)
            start += width
        return found


def _texts(column: npt.NDArray[Any], values: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the place of each text: -1 for what is missing, behind the last for what is rare."""
    places = {value: i for i, value in enumerate(values)}
    rare = len(values)
    return np.fromiter((-1 if v is None else places.get(v, rare) for v in column), np.int64, len(column))
