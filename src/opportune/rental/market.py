"""What is in, who waits for it, and who gets it at an instant: reads the tables and changes nothing.

To know what one customer gets, only those are looked at who could be before them, and those before these: whoever is
reached through a queue asks for their own items, up to their own place. Nobody else can change the outcome, because an
item never lets go of those who waited longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from opportune.catalog.rental_types import RentalPlan, RentalTier
from opportune.recommend.item import Item
from opportune.rental.rows import Member, Wish
from opportune.rental.rules import WhyNot, room, why_not_this
from opportune.rental.tables import Tables, wait_key
from opportune.rental.turns import Want, matched

if TYPE_CHECKING:
    from opportune.store.base import Store

MOST_COUNTED = 1_000
"""Who waits longer is counted up to here."""

_LAST = 1 << 62
"""A place behind everybody."""


class Market:
    """The copies and the queues as the tables have them when this is made."""

    def __init__(
        self, store: Store, tables: Tables, plans: Mapping[str, RentalPlan], look: Callable[[str], Item | None],
        month: int, now: int,
    ) -> None:  # fmt: skip
        self._tables, self._plans, self._look, self._month, self._now = tables, plans, look, month, now
        self._free, self._waiting = store.table("rental_free"), store.table("rental_waiting")
        self._in: dict[str, list[str]] = {}

    def terms(self, key: str) -> tuple[RentalPlan | None, RentalTier | None]:
        """Return the plan and the tier of a customer as the catalog has them."""
        plan = self._plans.get(key.partition("/")[2])
        return plan, plan.tier(self._tables.member(key).tier) if plan else None

    def copies(self, item: str) -> list[str]:
        """Return the copies of an item that can be sent now, the one first that could be for the longest time."""
        found = self._in.get(item)
        if found is None:
            stock = self._tables.stock(item)
            found = self._in[item] = []
            if stock.copies > stock.out:
                for key, _ in self._free.scan(f"{item}\x1f"):
                    _, free, copy = key.split("\x1f")
                    if int(free, 16) > self._now:
                        break
                    found.append(copy)
        return found

    def of(self, key: str) -> list[str]:
        """Return the items that a customer gets now, in the order of their list."""
        want = self._want(key)
        return self._gets({key: want}, list(want.items)).get(key, [])

    def everybody(self) -> dict[str, list[str]]:
        """Return the items that each customer gets now; those who get nothing are left out."""
        for key, _ in self._free.scan():
            item, free, copy = key.split("\x1f")
            if int(free, 16) <= self._now:
                self._in.setdefault(item, []).append(copy)
        return self._gets({}, [(item, _LAST) for item in self._in])

    def why_not(self, key: str, wish: Wish) -> WhyNot:
        """Return why a customer does not get an item of their list now."""
        plan, tier = self.terms(key)
        assert plan is not None
        assert tier is not None
        no = why_not_this(plan, tier, self._tables.member(key), wish.item, self._look(wish.item), self._now)
        if no is not None:
            return no
        stock = self._tables.stock(wish.item)
        if not stock.copies:
            return WhyNot("copies", "there is no copy of it")
        before = self._before(wish)
        behind = f"{'more than ' * (before > MOST_COUNTED)}{min(before, MOST_COUNTED):,} before you"
        if copies := len(self.copies(wish.item)):
            return WhyNot("turn", f"{copies:,} in, for those who have waited longer; {behind}")
        rest = " or being cleaned" if stock.copies > stock.out else ""
        return WhyNot("out", f"all copies are out{rest}; {behind}")

    def _before(self, wish: Wish) -> int:
        first = f"{wish.item}\x1f"
        rows = islice(self._waiting.scan(first), MOST_COUNTED + 1)
        return sum(1 for key, _ in rows if key < wait_key(wish))

    def _gets(self, wants: dict[str, Want], todo: list[tuple[str, int]]) -> dict[str, list[str]]:
        queues: dict[str, _Queue] = {}
        while todo:
            item, until = todo.pop()
            queue = queues.get(item)
            if queue is None:
                queue = queues[item] = _Queue(self._waiting.scan(f"{item}\x1f") if self.copies(item) else iter(()))
            for who in queue.before(until):
                if who not in wants:
                    wants[who] = self._want(who)
                    todo += wants[who].items
        return matched(wants, {item: len(self.copies(item)) for item in queues})

    def _want(self, key: str) -> Want:
        member: Member = self._tables.member(key)
        plan, tier = self.terms(key)
        many = room(member, tier, self._month, self._now)
        if not many or plan is None or tier is None:
            return Want(0, ())
        found = [
            (wish.item, wish.number)
            for wish in self._tables.wishes(key)
            if self.copies(wish.item)
            and why_not_this(plan, tier, member, wish.item, self._look(wish.item), self._now) is None
        ]
        return Want(many, found)


class _Queue:
    """Who waits for an item, read only as far as anybody asked."""

    def __init__(self, rows: Iterator[tuple[str, bytes]]) -> None:
        self._rows = ((int(key.rpartition("\x1f")[2], 16), _text(row)) for key, row in rows)
        self._ahead = next(self._rows, None)

    def before(self, number: int) -> Iterator[str]:
        """Yield those before a number who were not told yet, the longest waiting first."""
        while self._ahead is not None and self._ahead[0] < number:
            who = self._ahead[1]
            self._ahead = next(self._rows, None)
            yield who


_text = msgspec.msgpack.Decoder(str).decode
