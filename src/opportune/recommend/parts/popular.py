"""What many want: over all time, and now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from opportune.clock import DAY
from opportune.recommend.types import Asked, Floats, Ints, Rows, Scores

TOP = 500
"""Items that are worth a look because many want them."""

HALF_LIFE = 14 * DAY
"""After this long, what somebody wanted counts half for `popular_now`."""


@dataclass(frozen=True, slots=True)
class Popular:
    """A part that scores every customer's items alike: log(1 + how many wanted it)."""

    name: str
    values: Floats
    top: Ints

    def scores(self, asked: Asked) -> Scores:
        """Return the same for everybody."""
        return Scores(self.values, self.top)

    def because(self, asked: Asked, item: int) -> int:
        """Return -1: nothing of the customer's own speaks for it."""
        return -1


def popular(rows: Rows) -> Popular:
    """Return how much each item was wanted, over all time."""
    return of("popular", np.bincount(rows.items, rows.weights, minlength=rows.n))


def popular_now(rows: Rows) -> Popular:
    """Return how much each item was wanted of late: with `HALF_LIFE`, as of the last instant of the rows."""
    last = rows.at.max() if len(rows.at) else 0
    fading = 0.5 ** ((last - rows.at) / HALF_LIFE)
    return of("popular_now", np.bincount(rows.items, rows.weights * fading, minlength=rows.n))


def of(name: str, wanted: npt.NDArray[Any]) -> Popular:
    """Return the part of numbers that say how much each item is wanted."""
    values = np.log1p(np.maximum(wanted, 0)).astype(np.float32)
    top = np.argpartition(-values, TOP)[:TOP] if len(values) > TOP else np.arange(len(values))
    return Popular(name, values, top[values[top] > 0].astype(np.int32))
