"""Messages that wait to leave, and those that could not: rows of the store, written with the decision that made them.

A message that left has no row any more: its `Impression` fact says so. A row is in one of five states:

| state      | what it means                                         | how it ends                              |
|------------|-------------------------------------------------------|------------------------------------------|
| waiting    | it leaves when it is due                              | sending, suppressed                      |
| sending    | it may be leaving at this moment                      | sent, waiting, dead, in_doubt            |
| in_doubt   | nobody knows whether it left                          | by a person: sent, or waiting once more  |
| dead       | it could not be sent, and trying again would not help | by a person: waiting once more           |
| suppressed | it was no longer right when it should have left       | kept for a while to be seen              |

A row becomes `sending` in a commit of its own before anything leaves, so after a crash whatever may have left is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import msgspec
from msgspec.structs import replace

from opportune.clock import DAY
from opportune.deliver.types import Lane, Send
from opportune.store.base import Store

State = Literal["waiting", "sending", "in_doubt", "dead", "suppressed"]
LANES: tuple[Lane, ...] = ("service", "triggered", "bulk")
SHOWN = 30 * DAY
"""How long a suppressed message stays to be seen; the ledger says it for good."""
ANY = "*"
"""Every flow of a channel."""

DOMAINS, OTHERS = 500, "others"
"""Domains of addresses that are told apart."""

RARE = 5
"""Messages below which a domain is not told by name: it may be that of one person."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A message in the outbox: due when, tried how often, what was last told of it, in this state since when.

    `asked` is when a person asked that it be tried again (0: nobody did), `counted` whether it is a contact already.
    """

    send: Send
    state: State
    due: int
    since: int
    attempts: int = 0
    told: str = ""
    asked: int = 0
    counted: bool = False

    @property
    def patience(self) -> int:
        """The instant from which on it waits."""
        return self.asked or self.send.due


class Pause(msgspec.Struct, frozen=True, array_like=True):
    """Why a flow, or every flow of a channel, does not send, since when."""

    at: int
    why: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits in one lane for one channel on behalf of one flow."""

    lane: Lane
    channel: str
    flow: str

    @property
    def key(self) -> str:
        return f"{LANES.index(self.lane)}\x1f{self.channel}\x1f{self.flow}\x1f"


class Outbox:
    """The outbox of a store. Call what writes inside of a transaction."""

    def __init__(self, store: Store) -> None:
        self._rows, self._due = store.table("outbox"), store.table("outbox_due")
        self._states, self._of = store.table("outbox_states"), store.table("outbox_of")
        self._counts, self._paused = store.table("outbox_counts"), store.table("outbox_paused")
        self._domains = store.table("outbox_domains")
        self.noted: Callable[[], None] = lambda: None
        """Called when a message was put in, before that is durable; from the thread that did."""

    def put(self, sends: Sequence[Send], now: int) -> None:
        """Add messages; one whose key is known already is the same message and changes nothing."""
        known = self._rows.known([send.key for send in sends])
        for send in sends:
            if send.key not in known:
                self._keep(Row(send, "waiting", send.due, now))
                self._of.put([(f"{send.subject}\x1f{send.key}", b"")])
                self.count(send.flow, send.channel, {"made": 1})
        self.noted()

    def get(self, key: str) -> Row | None:
        """Return the row of a send key; None if it left or never was."""
        row = self._rows.get(key)
        return None if row is None else _decode(row)

    def queues(self) -> list[Queue]:
        """Return the queues in which something waits, in the order of their lanes."""
        found, after = [], ""
        while key := next((key for key, _ in self._due.scan("", after)), None):
            lane, channel, flow, _, _ = key.split("\x1f")
            found.append(Queue(LANES[int(lane)], channel, flow))
            after = found[-1].key + "~"  # sorts after every instant of this queue
        return found

    def due(self, queue: Queue, now: int, most: int) -> list[Row]:
        """Return up to `most` messages of a queue that are due, those due first."""
        keys: list[str] = []
        for key, _ in self._due.scan(queue.key):
            due, send = key[len(queue.key) :].split("\x1f")
            if int(due, 16) > now or len(keys) == most:
                break
            keys.append(send)
        return [row for row in map(self.get, keys) if row]

    def next_due(self) -> int | None:
        """Return when the next message of any queue is due; None if nothing waits."""
        firsts = (next(iter(self._due.scan(queue.key)), None) for queue in self.queues())
        return min((int(key.split("\x1f")[3], 16) for key, _ in filter(None, firsts)), default=None)

    def move(self, row: Row, state: State, now: int, told: str = "", due: int | None = None) -> Row:
        """Put a row into another state; from waiting to sending it counts as an attempt."""
        attempts = row.attempts + (state == "sending")
        self._leave(row)
        due = row.due if due is None else due
        changed = replace(row, state=state, due=due, since=now, attempts=attempts, told=told or row.told)
        self._keep(changed)
        return changed

    def again(self, row: Row, now: int, counted: bool = False) -> Row:
        """Let a message that is dead or in doubt wait once more, as if it had never been tried."""
        self._leave(row)
        changed = Row(row.send, "waiting", now, now, asked=now, counted=counted)
        self._keep(changed)
        return changed

    def drop(self, row: Row) -> None:
        """Remove a message: it left."""
        self._leave(row)
        self._rows.delete([row.send.key])
        self._of.delete([f"{row.send.subject}\x1f{row.send.key}"])

    def each(self, state: State, after: str = "") -> Iterator[Row]:
        """Yield the messages in a state after one key: those that wait as they leave, others in order of their keys."""
        if state == "waiting":
            last = self.get(after) if after else None
            start = _place(last) if last and last.state == "waiting" else ""
            keys = (key.rpartition("\x1f")[2] for key, _ in self._due.scan("", start))
        else:
            start = f"{state}\x1f{after}" if after else ""
            keys = (key.partition("\x1f")[2] for key, _ in self._states.scan(f"{state}\x1f", start))
        for key in keys:
            if (row := self.get(key)) is not None:
                yield row

    def of(self, subject: str) -> list[Row]:
        """Return what waits for a customer, or could not be sent."""
        keys = (key.partition("\x1f")[2] for key, _ in self._of.scan(f"{subject}\x1f"))
        return [row for row in map(self.get, keys) if row]

    def forget(self, subjects: Sequence[str]) -> None:
        """Remove every message of some customers."""
        for subject in subjects:
            for row in self.of(subject):
                self.drop(row)

    def prune(self, now: int) -> None:
        """Remove what was suppressed long ago."""
        for row in [row for row in self.each("suppressed") if row.since < now - SHOWN]:
            self.drop(row)

    def count(self, flow: str, channel: str, more: Mapping[str, int]) -> dict[str, int]:
        """Add to what is counted of a flow in a channel; return the counts."""
        key = f"{flow}\x1f{channel}"
        row = self._counts.get(key)
        counts: dict[str, int] = msgspec.msgpack.decode(row, type=dict[str, int]) if row else {}
        for name, number in more.items():
            counts[name] = counts.get(name, 0) + number
        self._counts.put([(key, msgspec.msgpack.encode(counts))])
        return counts

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return what was counted per (flow, channel): `made`, and what became of it."""
        rows = ((key.split("\x1f"), value) for key, value in self._counts.scan())
        return {(flow, channel): msgspec.msgpack.decode(value, type=dict[str, int]) for (flow, channel), value in rows}

    def count_domain(self, channel: str, address: str, what: str) -> None:
        """Count what became of a message to an address by the domain of that; one without a domain is not counted.

        When `DOMAINS` domains are known, others are counted as `OTHERS`.
        """
        domain = address.rpartition("@")[2].strip(" >").casefold() if "@" in address else ""
        if not domain or len(domain) > 253 or "\x1f" in domain:
            return
        key = f"{channel}\x1f{domain}"
        row = self._domains.get(key)
        if row is None and self._domains.count() >= DOMAINS:
            key = f"{channel}\x1f{OTHERS}"
            row = self._domains.get(key)
        counts: dict[str, int] = msgspec.msgpack.decode(row, type=dict[str, int]) if row else {}
        counts[what] = counts.get(what, 0) + 1
        self._domains.put([(key, msgspec.msgpack.encode(counts))])

    def domains(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return what was counted per (channel, domain), rare ones as `OTHERS`: a person may have one of their own."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for key, value in self._domains.scan():
            channel, domain = key.split("\x1f")
            counts = msgspec.msgpack.decode(value, type=dict[str, int])
            rare = counts.get("sent", 0) + counts.get("bounced", 0) < RARE
            into = found.setdefault((channel, OTHERS if rare else domain), {})
            for name, number in counts.items():
                into[name] = into.get(name, 0) + number
        return found

    def waiting(self, flow: str, most: int) -> int:
        """Return how many messages of a flow wait, counting up to `most`."""
        queues = [queue for queue in self.queues() if queue.flow == flow]
        return sum(1 for queue in queues for _ in islice(self._due.scan(queue.key), most))

    def pause(self, flow: str, channel: str, pause: Pause | None) -> None:
        """Stop a flow in a channel (`ANY`: every flow of it) from sending; None lets it go on."""
        key = f"{flow}\x1f{channel}"
        if pause is None:
            self._paused.delete([key])
        else:
            self._paused.put([(key, msgspec.msgpack.encode(pause))])

    def pauses(self) -> dict[tuple[str, str], Pause]:
        """Return what is paused, per (flow, channel)."""
        rows = ((key.split("\x1f"), value) for key, value in self._paused.scan())
        return {(flow, channel): msgspec.msgpack.decode(value, type=Pause) for (flow, channel), value in rows}

    def _keep(self, row: Row) -> None:
        send = row.send
        self._rows.put([(send.key, _encode(row))])
        if row.state == "waiting":
            self._due.put([(_place(row), b"")])
        else:
            self._states.put([(f"{row.state}\x1f{send.key}", b"")])

    def _leave(self, row: Row) -> None:
        if row.state == "waiting":
            self._due.delete([_place(row)])
        else:
            self._states.delete([f"{row.state}\x1f{row.send.key}"])


def _place(row: Row) -> str:
    send = row.send
    return f"{Queue(send.lane, send.channel, send.flow).key}{row.due:016x}\x1f{send.key}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode
