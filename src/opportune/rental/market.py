"""What is in, who waits for it, and who gets it at an instant: reads the tables and changes nothing.

To know what one customer gets, they ask first; then those ask who are before the last one whom an item holds on to, and
so on until no such are left. Nobody else can change the outcome, because an item never lets go of those who waited
longer. Where that would be too many, a customer gets what is theirs whatever those before them ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import msgspec

from opportune.catalog.rental_types import RentalPlan, RentalTier
from opportune.recommend.item import Item
from opportune.rental.rows import Wish
from opportune.rental.rules import WhyNot, room, why_not_this
from opportune.rental.tables import Tables, wait_key
from opportune.rental.turns import Asking, Want

if TYPE_CHECKING:
    from opportune.store.base import Store

ASKED = 100
"""The first items of a list, which alone are asked for."""

MOST_LOOKED_AT = 100
"""Customers with room whose lists are read to know what one customer gets."""

MOST_MET = 2_000
"""Places of queues that are read for that."""

MOST_COUNTED = 200
"""Who waits longer is counted up to here."""

_LAST = 1 << 62
"""A place behind everybody."""


class Market:
    """The copies and the queues as the tables have them when this is made."""

    def __init__(
        self, store: Store, tables: Tables, plans: Mapping[str, RentalPlan], look: Callable[[str], Item | None],
        age: Callable[[str], float], month: int, now: int,
    ) -> None:  # fmt: skip
        self._tables, self._plans, self._look, self._age, self._month, self._now = tables, plans, look, age, month, now
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
        asking = Asking(self._count)
        met, looked, rooms = 0, 0, dict[str, int]()
        queues: dict[str, _Queue] = {}
        todo, rooms[key] = asking.add(key, want := self._want(key)), want.room
        while todo:
            item = todo.pop()
            queue = queues.setdefault(item, _Queue(self._waiting.scan(f"{item}\x1f")))
            while (who := queue.before(asking.last(item))) is not None:
                met += 1
                if who not in rooms:
                    want = self._want(who)
                    rooms[who] = want.room
                    looked += want.room > 0
                    todo |= asking.add(who, want)
                if met > MOST_MET or looked > MOST_LOOKED_AT:
                    return self._surely(key, {who for who, room in rooms.items() if not room})
        return asking.gets().get(key, [])

    def _surely(self, key: str, out: set[str]) -> list[str]:
        """Return the items that a customer gets whatever others ask for; those who are `out` cannot ask."""
        want, met, found = self._want(key), 0, list[str]()
        for item, number in want.items:
            free, before = self._count(item), 0
            queue = _Queue(self._waiting.scan(f"{item}\x1f"))
            while (who := queue.before(number)) is not None:
                met += 1
                before += who not in out
                if before >= free or met > MOST_MET:
                    break
            else:
                found.append(item)
            if len(found) == want.room or met > MOST_MET:
                break
        return found

    def everybody(self) -> dict[str, list[str]]:
        """Return the items that each customer gets now; those who get nothing are left out."""
        for key, _ in self._free.scan():
            item, free, copy = key.split("\x1f")
            if int(free, 16) <= self._now:
                self._in.setdefault(item, []).append(copy)
        asking, seen = Asking(self._count), set[str]()
        for item in [*self._in]:
            queue = _Queue(self._waiting.scan(f"{item}\x1f"))
            while (who := queue.before(asking.last(item) if asking.full(item) else _LAST)) is not None:
                if who not in seen:
                    seen.add(who)
                    asking.add(who, self._want(who))
        return asking.gets()

    def why_not(self, key: str, wish: Wish) -> WhyNot:
        """Return why a customer does not get an item of their list now."""
        plan, tier = self.terms(key)
        assert plan is not None
        assert tier is not None
        if (no := self._no(key, plan, tier, wish.item)) is not None:
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
        mine = wait_key(wish)
        rows = islice(self._waiting.scan(f"{wish.item}\x1f"), MOST_COUNTED + 1)
        return sum(1 for _ in takewhile(lambda row: row[0] < mine, rows))

    def _count(self, item: str) -> int:
        return len(self.copies(item))

    def _want(self, key: str) -> Want:
        member = self._tables.member(key)
        plan, tier = self.terms(key)
        many = room(member, tier, self._month, self._now)
        if not many or plan is None or tier is None:
            return Want(0, ())
        return Want(many, self._asks(key, plan, tier))

    def _asks(self, key: str, plan: RentalPlan, tier: RentalTier) -> Iterator[tuple[str, int]]:
        for wish in self._tables.wishes(key)[:ASKED]:
            if self.copies(wish.item) and self._no(key, plan, tier, wish.item) is None:
                yield wish.item, wish.number

    def _no(self, key: str, plan: RentalPlan, tier: RentalTier, item: str) -> WhyNot | None:
        member, found = self._tables.member(key), self._look(item)
        return why_not_this(plan, tier, member, item, found, lambda: self._age(key.partition("/")[0]), self._now)


class _Queue:
    """Who waits for an item, read only as far as anybody asked."""

    def __init__(self, rows: Iterator[tuple[str, bytes]]) -> None:
        self._rows = rows
        self._ahead = next(rows, None)

    def before(self, number: int) -> str | None:
        """Return the next one who waits and was not told yet, if their number is below; None if there is none."""
        if self._ahead is None or int(self._ahead[0].rpartition("\x1f")[2], 16) >= number:
            return None
        who = _text(self._ahead[1])
        self._ahead = next(self._rows, None)
        return who


_text = msgspec.msgpack.Decoder(str).decode
