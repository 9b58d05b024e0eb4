"""Journeys: which channels somebody met, in order, and how that ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from opportune.errors import BadInput

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Paths, and how often each was gone; that one stands twice changes nothing.

    Path i meets the channels `steps[starts[i]:starts[i + 1]]`, by number, first first.

    `conversions` and `value` are how often it ended in one and what these were worth, `nulls` how often in none. Making
    them raises `BadInput` for value where nothing converted, which no model could share out.
    """

    channels: tuple[str, ...]
    steps: Ints
    starts: Longs
    conversions: Doubles
    value: Doubles
    nulls: Doubles

    def __post_init__(self) -> None:
        vain = (self.value > 0) & (self.conversions == 0)
        if vain.any():
            at = int(vain.argmax())
            text = " > ".join(self.channels[i] for i in self.steps[self.starts[at] : self.starts[at + 1]])
            raise BadInput(f"the path {text[:60]!r} has value and no conversion; give its conversions, or no value")

    def __len__(self) -> int:
        return len(self.conversions)

    @property
    def lengths(self) -> Longs:
        """How many touches each path has."""
        return np.diff(self.starts)

    @property
    def counted(self) -> Counted:
        """All that was counted."""
        return Counted(self.conversions, self.value, self.nulls)

    @property
    def owner(self) -> Longs:
        """The path that each touch belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)


class Counted(NamedTuple):
    """How often each path was gone, and what its conversions were worth: all of it, or a part, or a resample."""

    conversions: Doubles
    value: Doubles
    nulls: Doubles


class Model(Protocol):
    """One way to share out conversions. Made for some paths; the counts may be others."""

    def credit(self, counted: Counted) -> Doubles:
        """Return what each channel gets of the conversions and of the value: channels x 2; sums are those of all."""


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """A model that always shares a path out in the same way: `shares` (paths x channels, sparse), 1 over a path."""

    shares: Any

    @classmethod
    def of(cls, paths: Paths, weight: Doubles) -> Shares:
        """Return the model that shares a path over its touches by weight, which must be more than 0 in sum."""
        from scipy.sparse import csr_array

        whole = np.bincount(paths.owner, weight, len(paths))
        shape = len(paths), len(paths.channels)
        shared = csr_array((weight / whole[paths.owner], paths.steps, paths.starts), shape, copy=True)
        shared.sum_duplicates()
        return cls(shared)

    def credit(self, counted: Counted) -> Doubles:
        """Return what each channel gets (see `Model`)."""
        return np.asarray(self.shares.T @ np.stack((counted.conversions, counted.value), axis=1))


def paths_of(
    texts: Iterable[str], conversions: Sequence[float], value: Sequence[float] | None = None,
    nulls: Sequence[float] | None = None, separator: str = ">",
) -> Paths:  # fmt: skip
    """Return paths written as texts, channels between separators; the same path twice counts as one.

    Blanks around names do not count. `value` is 0 and `nulls` are 0 where they are not given. Raises `BadInput` for a
    path without a channel, for what is negative or not a number, and for value where nothing converted.

    >>> paths_of(["search > mail", "mail"], [2, 1]).channels
    ('mail', 'search')
    """
    found: dict[tuple[str, ...], int] = {}
    place: list[int] = []
    for row, text in enumerate(texts, 1):
        names = tuple(name for part in text.split(separator) if (name := part.strip()))
        if not names:
            raise BadInput(f"row {row}: {text[:60]!r} names no channel; leave the row out, or name one")
        place.append(found.setdefault(names, len(found)))
    rows = len(place)
    columns = [_column(name, given, rows) for name, given in
               (("conversions", conversions), ("value", value), ("nulls", nulls))]  # fmt: skip
    channels = tuple(sorted({name for names in found for name in names}))
    number = {name: i for i, name in enumerate(channels)}
    steps = np.fromiter((number[name] for names in found for name in names), np.int32)
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    starts = np.concatenate(([0], np.cumsum(lengths)))
    summed: list[Doubles] = [np.bincount(place, column, len(found)).astype(float) for column in columns]
    return Paths(channels, steps, starts, *summed)


def _column(name: str, given: Sequence[float] | None, rows: int) -> Doubles:
    if given is None:
        return np.zeros(rows)
    column = np.asarray(given, np.float64)
    if len(column) != rows:
        raise BadInput(f"there are {rows:,} paths and {len(column):,} values of {name}; give one for each")
    if not np.isfinite(column).all():
        row = int((~np.isfinite(column)).argmax())
        raise BadInput(f"row {row + 1}: {name} is {column[row]}; give a finite number")
    if rows and column.min() < 0:
        row = int(column.argmin())
        cure = "take what came back from the conversion it belongs to" if name == "value" else "a count is 0 or more"
        raise BadInput(f"row {row + 1}: {name} is {column[row]:g}; {cure}")
    return column
