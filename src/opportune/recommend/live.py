"""What is learned at once, between two trainings: what many want now, and what was looked at together just now."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from opportune.clock import HOUR
from opportune.recommend.items import Items
from opportune.recommend.parts import popular
from opportune.recommend.parts.popular import Popular
from opportune.recommend.types import NO_INTS, Asked, Floats, Ints, Scores
from opportune.store.base import Store

PAIRS, BESIDE = 100_000, 5
"""Items whose latest companions are kept, and with how many items of the session before each is paired."""

MOST_BESIDE = 50
"""Latest companions of one item."""

NEWEST = 500
"""Items that are looked at as new."""


class Count(msgspec.Struct, array_like=True):
    """How much an item is wanted as of an instant (see `popular.HALF_LIFE`), and how often it was shown to explore."""

    wanted: float = 0.0
    at: int = 0
    shown: int = 0


class Wanted:
    """How much each item is wanted now. Rows say no more than a number per item, so they are about nobody."""

    def __init__(self, store: Store, items: Items) -> None:
        self._rows, self._items = store.table("item_counts"), items
        self._wanted, self._at, self._shown = np.empty(0, np.float64), np.empty(0, np.int64), np.empty(0, np.int32)
        self._part = Popular("popular_now", np.empty(0, np.float32), NO_INTS)
        self._fresh, self._as_of = NO_INTS, 0
        self._grow()
        for item_id, row in self._rows.scan():
            if (number := items.number(item_id)) >= 0:
                self._hold(number, _count(row))

    def note(self, number: int, weight: float, at: int) -> None:
        """Take in that somebody wanted an item."""
        self._change(number, lambda count: Count(fading(count, at) + weight, max(count.at, at), count.shown))

    def shown(self, numbers: Iterable[int]) -> None:
        """Take in that items were shown to explore."""
        for number in numbers:
            self._change(number, lambda count: Count(count.wanted, count.at, count.shown + 1))

    def part(self, now: int) -> Popular:
        """Return `popular_now` as of an instant, looked over once an hour and at each touch."""
        if len(self._part.values) != len(self._items) or not 0 <= now - self._as_of < HOUR:
            self._grow()
            fade = 0.5 ** (np.maximum(now - self._at, 0) / popular.HALF_LIFE)
            self._part, self._as_of = popular.of("popular_now", self._wanted * fade), now
            added = self._items.column("added")
            some = min(NEWEST, len(added))
            self._fresh = np.argpartition(-added, some - 1)[:some].astype(np.int32) if some else NO_INTS
        return self._part

    def newest(self, now: int, span: int) -> tuple[Ints, Floats]:
        """Return the newest items that were added within a span, by number, and how often each was shown."""
        self.part(now)
        added = self._items.column("added")[self._fresh]
        fresh = np.sort(self._fresh[(added > now - span) & (added <= now)])
        return fresh, self._shown[fresh].astype(np.float32)

    def reread(self, numbers: Iterable[int]) -> None:
        """Take some counts as the store has them, after a transaction failed."""
        self._grow()
        for number in numbers:
            row = self._rows.get(self._items.id(number))
            self._hold(number, _count(row) if row else Count())
        self._as_of = 0

    def _change(self, number: int, how) -> None:  # type: ignore[no-untyped-def]
        self._grow()
        count = how(Count(float(self._wanted[number]), int(self._at[number]), int(self._shown[number])))
        self._rows.put([(self._items.id(number), _encode(count))])
        self._hold(number, count)
        if number < len(self._part.values):
            values = self._part.values
            values[number] = np.log1p(max(fading(count, self._as_of), 0.0))
            if values[number] > 0 and number not in self._part.top:
                self._part = Popular("popular_now", values, np.append(self._part.top, np.int32(number)))

    def _hold(self, number: int, count: Count) -> None:
        self._wanted[number], self._at[number], self._shown[number] = count.wanted, count.at, count.shown

    def _grow(self) -> None:
        if (more := len(self._items) - len(self._wanted)) > 0:
            more = max(more, 1024)
            self._wanted = np.append(self._wanted, np.zeros(more))
            self._at, self._shown = np.append(self._at, np.zeros(more, np.int64)), np.append(
                self._shown, np.zeros(more, np.int32)
            )


def fading(count: Count, at: int) -> float:
    """Return how much an item is wanted at an instant."""
    return count.wanted * float(0.5 ** (max(at - count.at, 0) / popular.HALF_LIFE))


class Pairs:
    """A part: what was touched right after what, since the model was trained; it is gone after a restart.

    The score of j beside i is pairs / sqrt(touches of i x touches of j), as the cosine counts them.
    """

    name = "session"

    def __init__(self) -> None:
        self._beside: dict[int, dict[int, float]] = {}
        self._touched: dict[int, float] = {}
        self._size = 0

    def note(self, number: int, before: Iterable[int]) -> None:
        """Take in that an item was touched after others in one visit."""
        self._touched[number] = self._touched.get(number, 0.0) + 1.0
        for other in list(before)[-BESIDE:]:
            if other != number:
                for one, two in ((number, other), (other, number)):
                    row = self._beside.setdefault(one, {})
                    row[two] = row.pop(two, 0.0) + 1.0
                    if len(row) > MOST_BESIDE:
                        del row[next(iter(row))]
        while len(self._beside) > PAIRS:
            del self._beside[next(iter(self._beside))]
        while len(self._touched) > PAIRS:
            del self._touched[next(iter(self._touched))]

    def resized(self, size: int) -> Pairs:
        """Return this, for so many items."""
        self._size = size
        return self

    def scores(self, asked: Asked) -> Scores:
        """Return the sum over the session's items, later ones counting more."""
        out = np.zeros(self._size, np.float32)
        items = asked.session.items.tolist()
        reached: set[int] = set()
        for age, (one, weight) in enumerate(zip(reversed(items), reversed(asked.session.weights.tolist()))):
            for two, count in self._beside.get(one, {}).items():
                norm = (self._touched.get(one, 1.0) * self._touched.get(two, 1.0)) ** 0.5
                out[two] += weight * 0.8**age * count / norm
                reached.add(two)
        return Scores(out, np.fromiter(reached, np.int32, len(reached)))

    def because(self, asked: Asked, item: int) -> int:
        """Return the item of the session that it was touched with; -1 where there is none."""
        return next((one for one in reversed(asked.session.items.tolist()) if item in self._beside.get(one, {})), -1)


_encode = msgspec.msgpack.Encoder().encode
_count = msgspec.msgpack.Decoder(Count).decode
