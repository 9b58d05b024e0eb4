"""How numbers and texts become bins, streaming, bounded and without keeping rare texts.

A number falls into one of at most `bins` intervals (each value its own while there are few), a text into one of the
most frequent values or the shared rest; missing is a bin of its own. Each bin has a *row*: an index into whatever
a predictor keeps per bin. Row 0 is the intercept. Edges are cut anew only when the number of learned answers has
doubled; a `Recut` says how the rows follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opportune.predictors.base import FloatArray, Inputs, IntArray, Values

FIRST_CUT = 30
SAMPLE = 512
CANDIDATES = 200
COOLING = 10_000

INTERCEPT, BIN, LINE = 0, 1, 2


Rows = npt.NDArray[np.int64]


MOST_BITS = 40
"""Customers that are told apart by 64 bits with little waiting; a higher `seen` asks for no more bits."""


class Vocabulary(dict[str | None, int]):
    """The row of each kept text; None is missing, any other text is the shared rest."""

    def __init__(self, rest: int, missing: int) -> None:
        super().__init__({None: missing})
        self.rest = rest
        self.candidates: dict[int, tuple[int, int]] = {}

    def __missing__(self, text: str | None) -> int:
        return self.rest


_look_up = dict.__getitem__
"""Calls `__missing__` as well; half the time of the bracket in a loop."""


class Recut(NamedTuple):
    """A number was cut anew: row `new[i]` takes the share `share[i, k]` of what row `old[k]` learned.

    `old_code` and `new_code` are the places of these bins on the line; `line` is the row of its slope.
    """

    old: Rows
    new: Rows
    share: FloatArray
    old_code: FloatArray
    new_code: FloatArray
    line: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one learned answer changed: numbers cut anew, and rows that start again as another text."""

    recuts: Sequence[Recut] = ()
    fresh: Sequence[int] = ()


NOTHING = Changes()


class Bins:
    """The bins of some inputs; `rows` is how many rows they use, `kinds[r]` is INTERCEPT, BIN or LINE.

    `edges[j]` are the upper edges of number j, padded with infinity; `slots[j]` the rows of its bins, then of missing,
    then of its line; `codes[j]` the place of each bin on the line, from -1.7 to 1.7, 0 for missing.
    """

    def __init__(self, inputs: Inputs, bins: int, texts: int, seen: int) -> None:
        self.inputs, self.bins, self.texts, self.seen = inputs, bins, texts, seen
        n = len(inputs.numbers)
        self.kinds = [INTERCEPT]
        self.recent = np.zeros(1)
        self.edges = np.full((n, bins - 1), np.inf, np.float32)
        self.sizes = [1] * n
        self.slots = np.zeros((n, bins + 2), np.int32)
        self.codes = np.zeros((n, bins + 1), np.float32)
        self.learned = 0
        self.sample = np.empty((SAMPLE, n), np.float32)
        self.filled, self.level = 0, 0
        for j in range(n):
            self.slots[j, [0, bins, bins + 1]] = self._row(BIN), self._row(BIN), self._row(LINE)
        self.vocabularies = [Vocabulary(self._row(BIN), self._row(BIN)) for _ in inputs.texts]
        self.rests = np.array([v.rest for v in self.vocabularies], np.int32)

    @property
    def rows(self) -> int:
        return len(self.kinds)

    def text_rows(self, texts: Sequence[str | None]) -> IntArray:
        """Return the row of each text."""
        return np.fromiter(map(_look_up, self.vocabularies, texts), np.int32, len(self.vocabularies))

    def number_bins(self, numbers: npt.NDArray[np.float32]) -> IntArray:
        """Return the bin of each number; `bins` is missing, and so are NaN and the infinities."""
        inside = (self.edges < numbers[:, None]).sum(1)
        return np.where(np.isfinite(numbers), inside, self.bins).astype(np.int32)

    def observe(self, values: Values, rows: IntArray, who: int = -1) -> Changes:
        """Take one learned answer into account; `rows` are those of its texts, counted in `recent` by the caller."""
        self.learned += 1
        who = self.learned if who < 0 else who
        if _picked(self.learned, self.level):
            self._keep(values.numbers)
        fresh: list[int] = []
        for j in (rows == self.rests).nonzero()[0].tolist():
            text = values.texts[j]
            if text is not None:
                fresh += self._count(self.vocabularies[j], text, who)
        if self.learned % COOLING == 0:
            self.recent *= 0.5
            for vocabulary in self.vocabularies:
                vocabulary.candidates = {h: (c // 2, w) for h, (c, w) in vocabulary.candidates.items() if c > 1}
        doublings, left = divmod(self.learned, FIRST_CUT)
        recuts = self._cut() if left == 0 and doublings & (doublings - 1) == 0 else ()
        return Changes(recuts, fresh) if recuts or fresh else NOTHING

    def words(self, row: int) -> tuple[str, str]:
        """Return (input, bin in words) of the row of a bin."""
        for j, b in np.argwhere(self.slots[:, : self.bins + 1] == row).tolist():
            if b == self.bins:
                return self.inputs.numbers[j], "missing"
            if b < self.sizes[j]:
                return self.inputs.numbers[j], self._interval(j, b)
        for name, vocabulary in zip(self.inputs.texts, self.vocabularies):
            if row == vocabulary.rest:
                return name, "(rest)"
            for text, kept in vocabulary.items():
                if row == kept:
                    return name, "missing" if text is None else text
        raise IndexError(row)

    def rows_of(self) -> dict[str, list[int]]:
        """Return the rows of the bins of each input, in order, missing last."""
        numbers = {
            name: [*self.slots[j, : self.sizes[j]].tolist(), int(self.slots[j, self.bins])]
            for j, name in enumerate(self.inputs.numbers)
        }
        texts = {
            name: [*(row for text, row in v.items() if text is not None), v.rest, v[None]]
            for name, v in zip(self.inputs.texts, self.vocabularies)
        }
        return numbers | texts

    def realign(self, inputs: Inputs) -> tuple[Bins, Rows]:
        """Return the bins of other inputs and, for each of its rows, the row here that it goes on from, or -1."""
        fresh = Bins(inputs, self.bins, self.texts, self.seen)
        fresh.learned, fresh.filled, fresh.level = self.learned, self.filled, self.level
        fresh.sample[: self.filled] = np.nan
        origin = {0: 0}
        here = {name: j for j, name in enumerate(self.inputs.numbers)}
        for j, name in enumerate(inputs.numbers):
            if name in here:
                i = here[name]
                fresh.edges[j], fresh.codes[j], fresh.sizes[j] = self.edges[i], self.codes[i], self.sizes[i]
                fresh.sample[: self.filled, j] = self.sample[: self.filled, i]
                for b in range(1, self._used(i)):
                    fresh.slots[j, b] = fresh._row(BIN)
                for b in (*range(self._used(i)), self.bins, self.bins + 1):
                    origin[int(fresh.slots[j, b])] = int(self.slots[i, b])
        there = dict(zip(self.inputs.texts, self.vocabularies))
        for name, vocabulary in zip(inputs.texts, fresh.vocabularies):
            if name in there:
                known = there[name]
                vocabulary.candidates = dict(known.candidates)
                origin[vocabulary.rest], origin[vocabulary[None]] = known.rest, known[None]
                for text, row in known.items():
                    if text is not None:
                        vocabulary[text] = fresh._row(BIN)
                        origin[vocabulary[text]] = row
        rows = np.array([origin.get(r, -1) for r in range(fresh.rows)])
        fresh.recent[: fresh.rows] = np.where(rows >= 0, self.recent[rows], 0.0)
        return fresh, rows

    def state(self) -> dict[str, Any]:
        """Return everything as plain values in a fixed order."""
        return {
            "inputs": [self.inputs.numbers, self.inputs.texts],
            "limits": [self.bins, self.texts, self.seen],
            "kinds": self.kinds,
            "edges": self.edges.tobytes(),
            "sizes": self.sizes,
            "slots": self.slots.tobytes(),
            "codes": self.codes.tobytes(),
            "learned": [self.learned, self.filled, self.level],
            "recent": self.recent[: self.rows].tobytes(),
            "sample": self.sample[: self.filled].tobytes(),
            "texts": [
                [v.rest, v[None], [[_bytes(t), r] for t, r in v.items() if t is not None], list(v.candidates.items())]
                for v in self.vocabularies
            ],
        }

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> Bins:
        """Return the bins that `state` described."""
        numbers, texts = state["inputs"]
        self = cls(Inputs(tuple(numbers), tuple(texts)), *state["limits"])
        n = len(numbers)
        self.kinds, self.sizes = list(state["kinds"]), list(state["sizes"])
        self.recent = np.frombuffer(state["recent"]).copy()
        self.edges = np.frombuffer(state["edges"], np.float32).reshape(n, self.bins - 1).copy()
        self.slots = np.frombuffer(state["slots"], np.int32).reshape(n, self.bins + 2).copy()
        self.codes = np.frombuffer(state["codes"], np.float32).reshape(n, self.bins + 1).copy()
        self.learned, self.filled, self.level = state["learned"]
        self.sample[: self.filled] = np.frombuffer(state["sample"], np.float32).reshape(self.filled, n)
        self.vocabularies = []
        for rest, missing, kept, candidates in state["texts"]:
            vocabulary = Vocabulary(rest, missing)
            vocabulary.update((text.decode("utf-8", "surrogatepass"), row) for text, row in kept)
            vocabulary.candidates = {h: (c, w) for h, (c, w) in candidates}
            self.vocabularies.append(vocabulary)
        self.rests = np.array([v.rest for v in self.vocabularies], np.int32)
        return self

    def _row(self, kind: int) -> int:
        self.kinds.append(kind)
        if len(self.kinds) > len(self.recent):
            self.recent = np.concatenate([self.recent, np.zeros(len(self.kinds))])
        return len(self.kinds) - 1

    def _used(self, j: int) -> int:
        """The number of bin rows that number j has ever had; fewer may be in use."""
        return int((self.slots[j, : self.bins] != 0).sum())

    def _interval(self, j: int, b: int) -> str:
        edges = self.edges[j, : self.sizes[j] - 1].tolist()
        if not edges:
            return "any"
        low = f"> {edges[b - 1]:.6g}" if b > 0 else ""
        high = f"<= {edges[b]:.6g}" if b < len(edges) else ""
        return " and ".join(filter(None, (low, high)))

    def _keep(self, numbers: npt.NDArray[np.float32]) -> None:
        self.sample[self.filled] = np.where(np.isfinite(numbers), numbers, np.nan)
        self.filled += 1
        if self.filled == SAMPLE:
            self.sample.sort(axis=0)
            self.filled //= 2
            self.sample[: self.filled] = self.sample[self.level % 2 :: 2].copy()
            self.level += 1

    def _count(self, vocabulary: Vocabulary, text: str, who: int) -> list[int]:
        """Count a text that has no row; return its row once it was seen often enough (Misra and Gries 1982).

        Counts are kept under a hash and never exceed the truth, so no text is kept before it was seen `seen` times, nor
        of fewer than `seen` customers: each sets one of 64 bits, so bits never exceed customers either (Whang 1990).
        """
        candidates, key = vocabulary.candidates, _hash(text)
        if key not in candidates and len(candidates) >= CANDIDATES:
            vocabulary.candidates = {h: (c - 1, w) for h, (c, w) in candidates.items() if c > 1}
            return []
        count, bits = candidates.get(key, (0, 0))
        count, bits = count + 1, bits | 1 << who % 64
        candidates[key] = count, bits
        if count < self.seen or bits.bit_count() < min(self.seen, MOST_BITS):
            return []
        if len(vocabulary) <= self.texts:
            row = self._row(BIN)
        else:
            least = min((t for t in vocabulary if t is not None), key=lambda t: self.recent[vocabulary[t]])
            if count < 2 * self.recent[vocabulary[least]]:
                return []
            row = vocabulary.pop(least)
        self.recent[row] = candidates.pop(key)[0]
        vocabulary[text] = row
        return [row]

    def _cut(self) -> list[Recut]:
        recuts = []
        for j in range(len(self.inputs.numbers)):
            column = np.sort(self.sample[: self.filled, j])
            column = column[: int(np.count_nonzero(~np.isnan(column)))]
            edges = cut(column, self.bins)
            old_edges = self.edges[j, : self.sizes[j] - 1]
            if column.size == 0 or np.array_equal(edges, old_edges):
                continue
            was, now = np.searchsorted(old_edges, column), np.searchsorted(edges, column)
            size, old_size = len(edges) + 1, self.sizes[j]
            share = np.zeros((size, old_size))
            np.add.at(share, (now, was), 1.0)
            share /= np.maximum(share.sum(1, keepdims=True), 1.0)
            old, old_code = self.slots[j, :old_size].astype(np.int64), self.codes[j, :old_size].astype(np.float64)
            for b in range(self._used(j), size):
                self.slots[j, b] = self._row(BIN)
            self.edges[j] = np.inf
            self.edges[j, : size - 1] = edges
            self.sizes[j] = size
            self.codes[j] = 0
            self.codes[j, :size] = (2 * (np.arange(size) + 0.5) / size - 1) * 1.7 if size > 1 else 0
            new_code = self.codes[j, :size].astype(np.float64)
            line = int(self.slots[j, self.bins + 1])
            recuts.append(Recut(old, self.slots[j, :size].astype(np.int64), share, old_code, new_code, line))
        return recuts


def cut(column: npt.NDArray[np.float32], bins: int) -> npt.NDArray[np.float32]:
    """Return the upper edges (at most `bins` - 1, ascending) that cut a sorted sample into even parts.

    With `bins` distinct values or fewer each has its own bin; a value with more than its share is set apart. Edges
    lie between two neighboring values.

    >>> cut(np.array([0, 0, 0, 1, 1, 5], np.float32), 4).tolist()
    [0.5, 3.0]
    """
    values, counts = np.unique(column, return_counts=True)
    if len(values) <= bins:
        last = np.arange(len(values) - 1)
    else:
        upto = np.cumsum(counts)
        even = np.searchsorted(upto, np.arange(1, bins) / bins * upto[-1])
        heavy = np.flatnonzero(counts * bins >= upto[-1])
        apart = np.unique(np.concatenate([even, heavy, heavy - 1]))
        apart = apart[(apart >= 0) & (apart < len(values) - 1)]
        last = apart if len(apart) < bins else np.unique(even[even < len(values) - 1])
    middle = ((values[last].astype(np.float64) + values[last + 1]) / 2).astype(np.float32)
    return np.where(middle < values[last + 1], middle, values[last])


def _picked(count: int, level: int) -> bool:
    """Whether the count-th answer belongs to a sample of one in 2**level: by a hash, so that no rhythm matters."""
    return level == 0 or ((count * 0x9E3779B97F4A7C15) & (2**64 - 1)) >> (64 - level) == 0


def _hash(text: str) -> int:
    data = _bytes(text)
    return zlib.crc32(data) << 32 | zlib.adler32(data)



def _bytes(text: str) -> bytes:
    """Half a surrogate pair is a text like any other here."""
    return text.encode("utf-8", "surrogatepass")
