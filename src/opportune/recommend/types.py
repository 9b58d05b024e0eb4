"""What the parts of the recommender hand each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

NO_INTS, NO_FLOATS = np.empty(0, np.int32), np.empty(0, np.float32)


class Weighted(NamedTuple):
    """Items by number, the latest last, each once, and how much each says: negative for what was sent back."""

    items: Ints
    weights: Floats


NOTHING = Weighted(NO_INTS, NO_FLOATS)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a recommendation goes by: the lasting taste, the running session, and words that somebody said they like.

    >>> Asked().history.items.size
    0
    """

    history: Weighted = NOTHING
    session: Weighted = NOTHING
    likes: tuple[str, ...] = ()


class Scores(NamedTuple):
    """What a part thinks: a score for every item (0: nothing to say), and the items worth a look, in any order."""

    values: Floats
    reached: Ints


class Part(Protocol):
    """One way to score items. Made by learning from `Rows`; scoring changes nothing."""

    @property
    def name(self) -> str:
        """What the part is called in figures and reasons."""

    def scores(self, asked: Asked) -> Scores:
        """Return what this part thinks of the items."""

    def because(self, asked: Asked, item: int) -> int:
        """Return the item of the history or the session that speaks most for an item; -1 where none does."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Who had what: row r is items[starts[r]:starts[r + 1]], each item once, the latest last.

    `at` are instants, 0 where none is known; `n` is how many items there are.
    """

    starts: Longs
    items: Ints
    weights: Floats
    at: Longs
    n: int

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True, slots=True)
class Words:
    """What is known of items in words: item i has the words words[starts[i]:starts[i + 1]], each once.

    A word is the hash of `c:category`, `t:tag` or `w:word of the title`; `weights` say how much each counts.
    `added` are the instants from which items were on the shelf.
    """

    starts: Longs
    words: npt.NDArray[np.uint64]
    weights: Floats
    added: Longs = field(default_factory=lambda: np.empty(0, np.int64))
