"""What came in and what was wrong with it, counted per day, source, event, field and kind; kept behind.

Counts live in memory and are written with the rows of profiles, when time passes and when the hub closes: a process
that is killed may lose the counts of the last second, and never an event. A transaction that fails takes back what was
not written yet. Memory and table are bounded: `MOST` different counts a day, what is beyond is counted as of `OTHERS`,
and `DAYS` days.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from opportune.clock import DAY, SECOND
from opportune.store.base import Store

MOST = 2_000
"""Different counts of one day."""

DAYS = 400
"""Days that counts are kept."""

SAMPLES = 3
"""Events named per count."""

OTHERS = "(others)"

LONGEST = 200
"""Characters of a name."""

PAUSE = 5 * SECOND
"""Between two writings while much comes in."""

SEEN = "seen"
"""The kind of what counts events that came, faulty or not."""


class Counter(msgspec.Struct, array_like=True):
    """How often, the first and last instant, and numbers in the log of the first few events."""

    count: int = 0
    first: int = 0
    last: int = 0
    samples: list[int] = []


class Key(NamedTuple):
    """What is counted. `field` is "" for the event as such."""

    source: str
    event: str
    field: str
    kind: str


class Counted(NamedTuple):
    """A count of one day, which is in days since 1970 (UTC)."""

    day: int
    key: Key
    counter: Counter


class Tally:
    """The counts of a store."""

    def __init__(self, store: Store) -> None:
        self._store, self._table = store, store.table("tracking")
        self._lately: dict[str, dict[str, Counter]] = {}
        self.until = 0
        self._day = -1
        self._counters: dict[Key, Counter] = {}
        self._dirty: set[Key] = set()
        self._pruned = self._saved = 0

    def lately(self, event: str) -> dict[str, Counter]:
        """Return the counters of an event, by source, that were asked for since they were last written: always the
        same dictionary. Until `until`, whoever has another such event adds to what is there."""
        return self._lately.setdefault(event, {})

    def came(self, source: str, event: str, at: int) -> Counter:
        """Return the counter of events that come."""
        if at >= self.until:
            self._turn(at // DAY)
        key, counter = self._of(Key(source, event, "", SEEN), at)
        if event in self._lately:
            self._lately[event][source] = counter
        self._dirty.add(key)
        return counter

    def add(self, key: Key, at: int, number: int = 0, count: int = 1) -> None:
        """Count something; `number` is that of the event in the log, 0 for one that is not there."""
        if at >= self.until:
            self._turn(at // DAY)
        key, counter = self._of(key, at)
        counter.count += count
        counter.last = at
        if number and len(counter.samples) < SAMPLES:
            counter.samples.append(number)
        self._dirty.add(key)

    def save(self, now: int | None = None) -> None:
        """Write what changed since the last time; with `now` not more often than every `PAUSE`."""
        if not self._dirty or (now is not None and now - self._saved < PAUSE):
            return
        self._saved = now or self._saved
        self._table.put([(_name(self._day, key), _encode(self._counters[key])) for key in sorted(self._dirty)])
        self._dirty.clear()
        self._write_anew()
        if self._day > self._pruned:
            self._table.delete([name for name, _ in self._before(self._day - DAYS)])
            self._pruned = self._day

    def clear(self) -> None:
        """Forget what was not written: memory is what the store says."""
        self._day, self.until = -1, 0
        self._counters.clear()
        self._dirty.clear()
        self._write_anew()

    def since(self, day: int) -> Iterator[Counted]:
        """Yield the counts from a day on, in order of the days; those of memory too. Any thread may ask."""
        for name, value in self._table.scan(after=f"{day:06d}"):
            on, *parts = name.split(_BETWEEN)
            if int(on) != self._day:
                yield Counted(int(on), Key(*parts), _decode(value))
        if self._day >= day:
            for key, counter in sorted(self._counters.items()):  # a copy: others may count meanwhile
                yield Counted(self._day, key, counter)

    def _write_anew(self) -> None:
        """Have whoever counts ask again, so that it is known what to write."""
        for counters in self._lately.values():
            counters.clear()

    def _before(self, day: int) -> Iterator[tuple[str, bytes]]:
        for name, value in self._table.scan():
            if name >= f"{day:06d}":
                return
            yield name, value

    def _of(self, key: Key, at: int) -> tuple[Key, Counter]:
        counter = self._counters.get(key)
        if counter is None:
            key = Key(*(_cut(part) for part in key))
            if key not in self._counters and len(self._counters) >= MOST:
                key = Key(OTHERS, OTHERS, "", key.kind)
            counter = self._counters.get(key)
            if counter is None:
                counter = self._counters[key] = Counter(first=at)
        return key, counter

    def _turn(self, day: int) -> None:
        """Go on with another day."""
        if self._day >= 0:
            self.save()
        self._counters, self._day, self.until = {}, day, (day + 1) * DAY
        self._write_anew()
        for name, value in self._table.scan(f"{day:06d}{_BETWEEN}"):
            self._counters[Key(*name.split(_BETWEEN)[1:])] = _decode(value)


_BETWEEN = "\x1f"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Counter).decode


def _name(day: int, key: Key) -> str:
    return _BETWEEN.join((f"{day:06d}", *key))


def _cut(text: str) -> str:
    return text[:LONGEST].replace(_BETWEEN, " ").encode("utf-8", "replace").decode()
