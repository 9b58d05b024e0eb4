"""The register of what data subjects ask for by law, each with the clock that runs.

A request must be answered within a month of its receipt, which may be extended once by two months (GDPR, Article
12(3)). Months are those of the calendar, and end with the day that has the same number, or the last of a shorter month,
in the time zone of the hub (Regulation 1182/71, Article 3(2)). That a term which ends on a weekend goes on to the next
working day (Article 3(4)) is left out: `due` is never too late.

The register outlives whom it tells of: it shows that an erasure was asked for and done. Who asked is sealed for them,
and can be read no longer once they are forgotten; their pseudonym, which then stands for nobody, stays.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, time
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from opportune.clock import parse_instant, to_datetime
from opportune.errors import BadRequest, NotFound, Stale
from opportune.hub import Hub
from opportune.wire.requesting import SubjectRequest, SubjectRequestEntry

KINDS = ("access", "rectification", "erasure", "restriction", "portability", "objection")
"""What may be asked for: Articles 15, 16, 17, 18, 20 and 21 of the GDPR."""

STEPS = ("done", "refused", "extended")
MONTHS, MORE_MONTHS = 1, 3
"""Calendar months from receipt within which a request is answered; once it was extended."""

LONGEST = 1_000
"""Characters of a reference or a reason."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A line of the history: what was done at an instant, by whom and why."""

    at: int
    step: str
    by: str
    why: bytes = b""


class Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of the register. `who` and each `why` are sealed for `subject`, where there is one."""

    kind: str
    received: int
    reference: str
    subject: str
    who: bytes
    history: tuple[Entry, ...]


class SubjectRequests:
    """The register of a hub. What writes is a transaction."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._table = hub, hub.store.table("subject_requests")

    def add(self, kind: str, by: str, customer: str, received: int | None, reference: str) -> SubjectRequest:
        """Note a request and return it. Raises `BadRequest`, and `NotFound` for a customer whom nobody knows."""
        hub, now = self._hub, self._hub.clock.now()
        if kind not in KINDS:
            raise BadRequest(f"kind is {kind[:40]!r}; it is one of {', '.join(KINDS)}", "kind")
        _check(by, "by", "say who notes it")
        if len(reference) > LONGEST:
            raise BadRequest(f"a reference has {LONGEST} characters at most", "reference")
        if not customer and not reference:
            raise BadRequest("say whose request it is: `userId`, or `reference` for who is not known here", "userId")
        received = now if received is None else received
        if received > now:
            raise BadRequest("a request cannot be received in the future", "received")
        view = hub.people.view(customer) if customer else None
        if customer and view is None:
            told = "tell them that nothing is kept, and note the request by a `reference` of yours"
            raise NotFound(f"there is no customer {customer!r}; {told}")
        subject = view.subject if view else ""
        who = hub.vault.seal(subject, customer.encode()) if subject else b""
        row, id = Kept(kind, received, reference, subject, who, (Entry(now, "noted", by),)), hub.clock.new_id()
        with hub.group():
            self._table.put([(id, msgspec.msgpack.encode(row))])
        return self._told(id, row)

    def step(self, id: str, step: str, by: str, why: str) -> SubjectRequest:
        """Say what became of a request, and return it.

        Raises `BadRequest`, `NotFound`, and `Stale` where it is over or was extended before.
        """
        if step not in STEPS:
            raise BadRequest(f"step is {step[:40]!r}; it is one of {', '.join(STEPS)}", "step")
        _check(by, "by", "say who does it")
        if step != "done":
            _check(why, "why", "the customer must be told why, so say it here, too")
        if len(why) > LONGEST:
            raise BadRequest(f"a reason has {LONGEST} characters at most", "why")
        with self._hub.group():
            row = self._row(id)
            if _state(row) != "open":
                raise Stale(f"this request is {_state(row)} already")
            if step == "extended" and _extended(row):
                raise Stale("this request was extended before; the law allows it once")
            now = self._hub.clock.now()
            if step == "extended" and now > self._due(row, MONTHS):
                raise Stale("the first month is over; an extension must be told within it")
            row = replace(row, history=(*row.history, Entry(now, step, by, self._sealed(row, why))))
            self._table.put([(id, msgspec.msgpack.encode(row))])
        return self._told(id, row)

    def each(self, state: str = "", after: str = "") -> Iterator[SubjectRequest]:
        """Yield the requests after that of an id, the oldest first; only those in a state, if one is named."""
        for id, data in self._table.scan(after=after):
            row = _decode(data)
            if not state or _state(row) == state:
                yield self._told(id, row)

    def _row(self, id: str) -> Kept:
        data = self._table.get(id)
        if data is None:
            raise NotFound(f"there is no request {id!r}")
        return _decode(data)

    def _told(self, id: str, row: Kept) -> SubjectRequest:
        customer, gone = self._opened(row, row.who)
        state, due = _state(row), self._due(row, MORE_MONTHS if _extended(row) else MONTHS)
        ended = row.history[-1].at if state != "open" else self._hub.clock.now()
        history = [
            SubjectRequestEntry(to_datetime(one.at), one.step, one.by, self._opened(row, one.why)[0])
            for one in row.history
        ]
        return SubjectRequest(
            id=id, kind=row.kind, state=state, customer_id=customer, subject=row.subject, forgotten=gone,
            reference=row.reference, received=to_datetime(row.received), due=to_datetime(due), extended=_extended(row),
            late=ended > due, history=history,
        )  # fmt: skip

    def _due(self, row: Kept, months: int) -> int:
        zone = ZoneInfo(self._hub.plan.catalog.time_zone if self._hub.published else "UTC")
        return parse_instant(end_of(to_datetime(row.received).astimezone(zone), months).isoformat())

    def _sealed(self, row: Kept, text: str) -> bytes:
        if not row.subject or not text:
            return text.encode()
        if self._hub.vault.destroyed(row.subject):
            return b""  # what is told of somebody who was forgotten is not kept
        return self._hub.vault.seal(row.subject, text.encode())

    def _opened(self, row: Kept, data: bytes) -> tuple[str, bool]:
        if not row.subject:
            return data.decode(), False
        if self._hub.vault.destroyed(row.subject):
            return "", True
        return (self._hub.vault.open(row.subject, data).decode() if data else ""), False


def end_of(received: datetime, months: int) -> datetime:
    """Return the last instant of a term of calendar months that begins with the day of `received`, in its zone.

    >>> end_of(datetime(2027, 1, 31, 9, 30), 1).isoformat(" ", "seconds")
    '2027-02-28 23:59:59'
    """
    year, month = divmod(received.year * 12 + received.month - 1 + months, 12)
    day = min(received.day, monthrange(year, month + 1)[1])
    return datetime.combine(received.replace(year=year, month=month + 1, day=day), time.max, received.tzinfo)


def _state(row: Kept) -> str:
    return last if (last := row.history[-1].step) in ("done", "refused") else "open"


def _extended(row: Kept) -> bool:
    return any(one.step == "extended" for one in row.history)


def _check(text: str, field: str, cure: str) -> None:
    if not text.strip() or len(text) > LONGEST:
        raise BadRequest(f"`{field}` is empty or too long; {cure}", field)


def _decode(data: bytes) -> Kept:
    return msgspec.msgpack.decode(data, type=Kept)
