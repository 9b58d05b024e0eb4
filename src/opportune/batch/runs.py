"""How far outbound runs are: rows of the store, written with the decisions that they made.

| state    | what it means                                                        | how it ends                       |
|----------|----------------------------------------------------------------------|-----------------------------------|
| running  | it decides, or waits for the time of those who are left              | paused, stopping, done            |
| paused   | nothing is decided, and nothing of it is sent                        | by a person: running, or stopping |
| stopping | what it made and did not leave yet is taken back                     | stopped, once nothing is leaving  |
| done     | everybody was looked at, and what could be said was decided          | while messages of it wait, by a   |
|          |                                                                      | person: paused, or stopping       |
| stopped  | by a person, or because it is no longer in the catalog               |                                   |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

import msgspec

from opportune.clock import to_datetime
from opportune.store.base import Store

State = Literal["running", "paused", "stopping", "done", "stopped"]
UNDER_WAY: tuple[State, ...] = ("running", "paused", "stopping")
REMEMBERED = 20
"""Runs of a name that are kept to be looked at."""


class RunState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run. `cursor` is the identity that was looked at last, `mark` tells those who came later (`audience.Roll`).

    `total` identities were there when it began, and `passed` of them were looked at; of customers, `outside` were not
    in the audience, `later` had to wait for their time, and `decided` got an answer: `made` something, `silent` by why.
    `hours` is when everybody is about, where the best time is asked for. `paced` is when the next message may leave.
    `model` is the fact of the ledger whose model decides: what is sent counts as a no until it is answered, and a run
    must not talk itself into silence before anybody had the time to answer.
    """

    id: str
    name: str
    started: int
    by: str
    mark: int
    total: int
    state: State = "running"
    engine: str = "hub"
    cursor: str = ""
    passed_all: bool = False
    passed: int = 0
    outside: int = 0
    later: int = 0
    decided: int = 0
    made: int = 0
    failed: int = 0
    silent: Mapping[str, int] = {}
    actions: Mapping[str, int] = {}
    hours: Mapping[str, int] = {}
    paced: int = 0
    ended: int = 0
    told: str = ""
    model: int | None = None


class RunTable:
    """The runs of a store. Call what writes inside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._runs, self._latest = store.table("runs"), store.table("runs_latest")
        self._under_way, self._later = store.table("runs_under_way"), store.table("runs_later")
        self._slots = store.table("runs_slots")

    def begin(self, state: RunState) -> None:
        """Add a run that begins, and let go of the oldest of its name."""
        self.put(state)
        self._latest.put([(state.name, state.id.encode())])
        known = [key for key, _ in self._runs.scan(f"{state.name}@")]
        self._runs.delete(known[:-REMEMBERED])

    def put(self, state: RunState) -> None:
        """Write a run as it is now."""
        self._runs.put([(state.id, msgspec.msgpack.encode(state))])
        if state.state in UNDER_WAY or next(self._later.scan(f"{state.id}\x1f"), None):
            self._under_way.put([(state.id, b"")])
        else:
            self._under_way.delete([state.id])

    def get(self, id: str) -> RunState | None:
        """Return the run of an id; None if there is none."""
        row = self._runs.get(id)
        return None if row is None else msgspec.msgpack.decode(row, type=RunState)

    def latest(self, name: str) -> RunState | None:
        """Return the last run of a name; None if there was none."""
        id = self._latest.get(name)
        return None if id is None else self.get(id.decode())

    def under_way(self) -> list[RunState]:
        """Return the runs that are not over, or still have something to clear away."""
        return [run for key, _ in self._under_way.scan() if (run := self.get(key))]

    def postpone(self, id: str, node: str, until: int) -> None:
        """Note that a customer's time in a run comes later."""
        self._later.put([(f"{id}\x1f{until:016x}\x1f{node}", b"")])

    def postponed(self, id: str, now: int, most: int) -> Iterator[tuple[str, str]]:
        """Yield (key, identity) of those whose time has come, up to a number, the first first."""
        for key, _ in list(islice(self._later.scan(f"{id}\x1f"), most)):
            _, until, node = key.split("\x1f")
            if int(until, 16) > now:
                return
            yield key, node

    def next_postponed(self, id: str) -> int | None:
        """Return when the time of the next one comes; None if nobody waits."""
        key = next((key for key, _ in self._later.scan(f"{id}\x1f")), None)
        return None if key is None else int(key.split("\x1f")[1], 16)

    def taken(self, key: str) -> None:
        """Take one off the list of those whose time comes later."""
        self._later.delete([key])

    def clear(self, id: str, most: int) -> bool:
        """Take up to a number off that list; return whether it is empty now."""
        keys = [key for key, _ in islice(self._later.scan(f"{id}\x1f"), most)]
        self._later.delete(keys)
        return len(keys) < most

    def slot(self, name: str, schedule: str) -> int | None:
        """Return until when a schedule of a run was seen to; None if it is new."""
        row = self._slots.get(f"{name}\x1f{schedule}")
        return None if row is None else int(row)

    def seen_to(self, name: str, schedule: str, until: int) -> None:
        """Note until when the schedule of a run was seen to; other schedules of it are new when they come back."""
        self._slots.delete([key for key, _ in self._slots.scan(f"{name}\x1f")])
        self._slots.put([(f"{name}\x1f{schedule}", str(until).encode())])


def run_id(name: str, started: int) -> str:
    """Return the id of a run: its name, and when it began; ids of a name sort by time.

    >>> run_id("weekly", 0)
    'weekly@1970-01-01T00:00:00.000000Z'
    """
    return f"{name}@{to_datetime(started):%Y-%m-%dT%H:%M:%S.%fZ}"
