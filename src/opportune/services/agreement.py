"""What all customers agreed to: counted from their profiles now and then, and their words day by day as events come.

Nothing is counted while nobody asks. A count reads profiles page by page, and what is new in the log of events a few at
a time, in a thread beside the writer, which others wait for only some milliseconds at a time. The words of each day are
kept in the store with the number of the last event that they know, so that no event is read twice; they say how many,
and nothing of whom, so they stay when a customer is forgotten.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from opportune.batch.source import Source
from opportune.clock import DAY, to_datetime, ulid_share
from opportune.errors import Forgotten
from opportune.events import codec
from opportune.hub import Hub
from opportune.profiles.addresses import trait
from opportune.profiles.choices import SECOND_OPT_IN, wishes
from opportune.profiles.consent import Consent, Key, Wishes, ending, refusal, status_of
from opportune.profiles.consent_events import speaks, words
from opportune.profiles.merge import merge
from opportune.profiles.state import State, load
from opportune.services.inspection import write_rows
from opportune.wire.consenting import ChannelReach, ConsentDay, ConsentOrigin, ConsentOverview, ConsentStanding

PAGE, STEP = 200, 200
"""Customers, and events, that are read while others wait: some milliseconds."""

KEPT_EVERY = 5_000
"""Events after which the words of the days are written."""

LEAST_REST, REST = 5.0, 20.0
"""Seconds between two counts, at least, and how many times as long as the last one took."""

SOON = 30 * DAY
NAMED = 20
"""Customers with an unproven grant that are named."""

MOST_ORIGINS = 200
LAST = "last"
_BETWEEN = "\x1f"


class Agreement:
    """What the customers of one hub agreed to. `told` may be asked from any thread; `count` runs in one at a time."""

    def __init__(self, hub: Hub, stopped: Callable[[], bool] = lambda: False) -> None:
        """`stopped` says whether a count is to end early; what it had found is dropped."""
        self._hub, self._stopped, self._lock = hub, stopped, threading.Lock()
        self._table = hub.store.table("consent_days")
        self._last = int(self._table.get(LAST) or b"0")
        self._found: _Count | None = None
        self._done, self._ended, self._took = 1.0, float("-inf"), 0.0

    def due(self) -> bool:
        """Return whether what is known is old enough to be counted anew."""
        return time.monotonic() - self._ended > max(LEAST_REST, REST * self._took)

    def count(self) -> None:
        """Count what all customers agreed to, and read what was said since the last time."""
        with self._lock:
            began = time.monotonic()
            try:
                self._count_customers()
                self._read_events()
            finally:
                self._done, self._ended = 1.0, time.monotonic()
                self._took = self._ended - began

    def told(self, days: int) -> ConsentOverview:
        """Return what was counted last, and the words of the last days."""
        found, last = self._found, self._hub.events.last()
        history = self._last / last if last else 1.0
        said = self._days(days)
        if found is None:
            return ConsentOverview(None, self._done, 0, [], [], [], [], said, history)
        return found.told(self._done, said, history)

    def _count_customers(self) -> None:
        hub, source = self._hub, Source(self._hub.store, self._hub.vault)
        write_rows(hub)
        found, pages = _Count(hub), source.pages(PAGE)
        self._done = 0.0
        while not self._stopped():
            began = time.monotonic()
            with hub.reading():
                page = next(pages, None)
            if page is None:
                self._found = found
                return
            opened = source.open(page)
            for place, subject in enumerate(opened.subjects):
                state = load(opened.states[place])
                others = [load(part[0]) for part in opened.members.get(place, ()) if part[0] is not None]
                found.add(subject, merge([state, *others], hub.people.spec) if others else state)
            # pseudonyms are drawn evenly; to count them first keeps everybody from the store, seconds for a million
            self._done = ulid_share(page.states[-1][0])
            time.sleep(time.monotonic() - began)

    def _read_events(self) -> None:
        """Count the words of events that are new."""
        hub = self._hub
        zone, said, since = ZoneInfo(hub.plan.catalog.time_zone), Counter[str](), 0
        self._last = int(self._table.get(LAST) or b"0")  # a count that failed may have read more than it kept
        events = hub.events.read(self._last)  # one reader: to find the place in files of old events takes its time
        while not self._stopped():
            began = time.monotonic()
            with hub.reading():
                rows = [*islice(events, STEP)]
                opened = [(number, _opened(hub, node, payload)) for number, node, payload in rows]
            for number, payload in opened:
                event = codec.decode_event(payload) if payload else None
                for word in words(event, number) if event is not None and speaks(event) else ():
                    if word.kind == "consent":  # a preference is repeated with each call of a client
                        day = to_datetime(word.said.at).astimezone(zone).date().isoformat()
                        said[_BETWEEN.join((day, word.key[1], word.said.status))] += 1
            if not rows:
                break
            self._last, since = rows[-1][0], since + len(rows)
            if since >= KEPT_EVERY:
                self._keep(said)
                said, since = Counter(), 0
            time.sleep(time.monotonic() - began)
        if since and not self._stopped():
            self._keep(said)

    def _keep(self, said: Counter[str]) -> None:
        with self._hub.group():
            rows = [(key, str(int(self._table.get(key) or b"0") + count).encode()) for key, count in said.items()]
            self._table.put([*rows, (LAST, str(self._last).encode())])

    def _days(self, days: int) -> list[ConsentDay]:
        zone = ZoneInfo(self._hub.plan.catalog.time_zone)
        today = to_datetime(self._hub.clock.now()).astimezone(zone).date()
        found: dict[tuple[str, str], dict[str, int]] = {}
        with self._hub.reading():
            rows = [*self._table.scan(after=(today - timedelta(days=days)).isoformat() + "~")]
        for key, count in rows:
            if key != LAST:
                day, channel, status = key.split(_BETWEEN)
                found.setdefault((day, channel), {})[status] = int(count)
        return [ConsentDay(day, channel, said) for (day, channel), said in sorted(found.items())]


class _Count:
    """What was counted of customers so far."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._catalog, self._now = hub, hub.plan.catalog, hub.clock.now()
        self._customers = 0
        self._said: dict[Key, Counter[str]] = {}
        self._origins = Counter[tuple[str, str, str, str, str]]()
        self._proven = Counter[tuple[str, str, str, str, str]]()
        self._reach = {channel.name: [0, 0, 0] for channel in self._catalog.channels}
        self._unproven: list[str] = []

    def add(self, subject: str, state: State) -> None:
        """Count a customer."""
        self._customers += 1
        wished = wishes(state, self._catalog.channels)
        lacking = [self._word(key, word) for key, word in wished.consents.items()]
        if any(lacking) and len(self._unproven) < NAMED:
            self._unproven.append(subject)
        self._reached(state, wished)

    def told(self, done: float, days: list[ConsentDay], history: float) -> ConsentOverview:
        """Return what was counted."""
        standing = [self._standing(key, said) for key, said in sorted(self._said.items())]
        origins = [ConsentOrigin(*where, count, self._proven[where])
                   for where, count in self._origins.most_common(MOST_ORIGINS)]  # fmt: skip
        push = {channel.name: channel.push for channel in self._catalog.channels}
        reach = [ChannelReach(name, push[name], *counts) for name, counts in self._reach.items()]
        return ConsentOverview(
            to_datetime(self._now), done, self._customers, standing, reach, origins, [*self._names()], days, history
        )

    def _word(self, key: Key, word: Consent) -> bool:
        """Count a word; return whether it is a grant that cannot be shown."""
        rules, said = self._catalog.consent, self._said.setdefault(key, Counter())
        status = status_of(key, word, self._now, rules)
        said[status] += 1
        if status != "granted":
            return False
        ends = ending(word, rules)
        said["ending"] += ends is not None and ends < self._now + SOON
        shown = bool(word.wording or word.proof or word.method == SECOND_OPT_IN)
        said["unproven"] += not shown
        where = (key[1], word.wording, word.language, word.source, word.method)
        self._origins[where] += 1
        self._proven[where] += shown
        return not shown

    def _reached(self, state: State, wished: Wishes) -> None:
        rules, now = self._catalog.consent, self._now
        for channel in self._catalog.channels:
            counts = self._reach[channel.name]
            if refusal(wished, channel, "marketing", now, "", rules) is None:
                counts[0] += 1
                counts[1] += not channel.to or trait(state, channel.to)[1] not in (None, "")
            counts[2] += refusal(wished, channel, "service", now, "", rules) is None

    def _standing(self, key: Key, said: Counter[str]) -> ConsentStanding:
        counts = {name: count for name, count in said.items() if count and name not in ("unproven", "ending")}
        silent = self._customers - sum(counts.values())
        topic = key[2] if len(key) == 3 else ""
        return ConsentStanding(key[0], key[1], topic, "consent", counts, silent, said["unproven"], said["ending"])

    def _names(self) -> Iterator[str]:
        with self._hub.reading():
            for subject in self._unproven:
                view = self._hub.people.view(subject)
                if view is not None:
                    yield view.customer


def _opened(hub: Hub, node: str, payload: bytes) -> bytes:
    with suppress(Forgotten):
        return hub.vault.open(node, payload) if payload else b""
    return b""
