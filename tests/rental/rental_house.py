"""A house that rents: a book of rentals on a store, a shelf of items, customers with pseudonyms, and a clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from opportune.catalog.rental_types import RentalPlan, RentalTier
from opportune.catalog.shelf_types import ITEM_NAMES
from opportune.clock import DAY
from opportune.recommend.item import Item
from opportune.rental.book import Rental, RentalBook
from opportune.rental.facts import CopyAdded, CopyBack, CopyGone, CopySent, Sent
from opportune.rental.rules import WhyNot
from opportune.rules import parse
from opportune.store import open_store
from opportune.store.base import Store
from opportune.store.vault import Vault
from opportune.testing import START

PLANS = (
    RentalPlan(
        "dresses",
        (RentalTier("small", 1, 2, 100.0, 9.9), RentalTier("large", 3, None, None, 39.0)),
        parse("category = 'dresses'", ITEM_NAMES), keep=30 * DAY, clean=DAY, again=20 * DAY,
    ),
    RentalPlan("films", (RentalTier("one", 1), RentalTier("two", 2, 5))),
)  # fmt: skip

ITEMS = {
    **{f"d{n}": Item(f"d{n}", categories=("dresses",), price=20.0 * n) for n in range(1, 9)},
    **{f"f{n}": Item(f"f{n}", categories=("films",)) for n in range(1, 31)},
}
"""d1 is worth 20, ... d8 160; films have no price."""


class House:
    """A book on a store. Each call is a transaction."""

    def __init__(self, store: Store | None = None, plans: Sequence[RentalPlan] = PLANS) -> None:
        self.store = store or open_store("memory:")
        self.vault = Vault(self.store)
        self.ages: dict[str, float] = {}
        self.book = RentalBook(
            self.store, self.vault, plans, ITEMS.get, "Europe/Berlin", lambda subject: self.ages.get(subject, 0.0)
        )
        self.at = START

    def who(self, name: str) -> str:
        return self.vault.subject(name)

    def do(self, call: str, *words: Any, **more: Any) -> Any:
        with self.store.transaction():
            return getattr(self.book, call)(*words, now=self.at, **more)

    def joins(self, name: str, tier: str = "one", plan: str = "films") -> None:
        self.do("subscribe", self.who(name), plan, tier)

    def wishes(self, name: str, *items: str, plan: str = "films", place: int | None = None) -> list[str]:
        found: list[str] = self.do("wish", self.who(name), plan, items, place=place)
        return found

    def stocks(self, item: str, count: int) -> None:
        self.do("add_copies", item, [f"{item}#{n}" for n in range(1, count + 1)])

    def sends(self, name: str, id: str, plan: str = "films") -> str | None:
        """Send the next item; return it, or None."""
        done = self.do("send", self.who(name), plan, id)
        return done.row.item if isinstance(done, Rental) else None

    def list(self, name: str, plan: str = "films") -> list[str]:
        return [wish.item for wish in self.book.wishes(self.who(name), plan)]

    def ships(self, batch: str = "b", limit: int = 1_000) -> dict[str, list[str]]:
        """Send to everybody; return the items by pseudonym and plan."""
        found: dict[str, list[str]] = {}
        for one in self.do("ship", batch, limit).rentals:
            found.setdefault(one.row.member, []).append(one.row.item)
        return found


class Steps:
    """Random calls of every kind upon a house, each drawn from the same seed each time."""

    CALLS = (
        *["wish", "back"] * 3, *["send", "subscribe", "time"] * 2, "ship", "pause", "resume", "cancel", "unwish",
        "replace", "lost", "keep", "swap", "retire", "rest", "add", "due",
    )  # fmt: skip

    def __init__(self, house: House, seed: int, customers: int = 40) -> None:
        self.house, self.dice = house, random.Random(seed)
        self.customers = [house.who(f"customer-{n}") for n in range(customers)]
        self.rentals: list[int] = []
        self.copies = 0
        self.refused = 0

    def step(self, number: int) -> None:
        """Do one thing."""
        dice, house, book = self.dice, self.house, self.house.book
        who, now = dice.choice(self.customers), house.at
        plan = dice.choice(PLANS)
        items = [item for item in ITEMS if item[0] == plan.name[0]]
        rental = self.rentals.pop(dice.randrange(len(self.rentals))) if self.rentals else 0
        if rental and (dice.random() < 0.6 or house.book.rental(rental).row.state == "out"):
            self.rentals.append(rental)  # those that ended are tried again now and then
        done: Any = None
        match dice.choice(self.CALLS):
            case "wish":
                some, place = dice.sample(items, dice.randrange(1, 4)), dice.choice((None, 0, 2))
                done = book.wish(who, plan.name, some, now, place)
            case "unwish":
                done = book.unwish(who, plan.name, dice.sample(items, 2), now)
            case "replace":
                done = book.replace(who, plan.name, dice.sample(items, dice.randrange(5)), now)
            case "subscribe":
                done = book.subscribe(who, plan.name, dice.choice(plan.tiers).name, now)
            case "pause":
                done = book.pause(who, plan.name, now, now + 1 + dice.randrange(3 * DAY))
            case "resume":
                done = book.resume(who, plan.name, now)
            case "cancel":
                done = book.cancel(who, plan.name, now) if dice.random() < 0.3 else None
            case "send":
                done = book.send(who, plan.name, str(number), now)
            case "ship":
                for one in book.ship(str(number), dice.randrange(1, 9), now).rentals:
                    self.rentals.append(one.number)
            case "back":
                done = book.back(rental, now)
            case "lost":
                done = book.lost(rental, now) if dice.random() < 0.3 else None
            case "keep":
                done = book.keep(rental, now) if dice.random() < 0.3 else None
            case "swap":
                done = book.swap(rental, now)
                if not isinstance(done, WhyNot) and isinstance(done[1], Rental):
                    self.rentals.append(done[1].number)
            case "retire":
                done = book.retire(f"c{dice.randrange(self.copies + 1)}", now) if dice.random() < 0.3 else None
            case "rest":
                done = book.rest(f"c{dice.randrange(self.copies + 1)}", now + DAY, now)
            case "add":
                done = book.add_copies(dice.choice([*ITEMS]), [f"c{self.copies}"], now)
                self.copies += 1
            case "due":
                book.due(now)
            case "time":  # forward, and now and then back, as clocks do
                house.at += dice.randrange(2 * DAY) if dice.random() < 0.9 else -dice.randrange(DAY)
        if isinstance(done, Rental):
            self.rentals.append(done.number)
        self.refused += isinstance(done, WhyNot)

    def run(self, count: int, together: int = 50) -> None:
        """Do so many things, some in each transaction."""
        for first in range(0, count, together):
            with self.house.store.transaction():
                for number in range(first, min(first + together, count)):
                    self.step(number)


def audit(book: RentalBook, plans: Sequence[RentalPlan] = PLANS) -> int:
    """Count anew, from the facts alone, that nothing was sent that was not there or not allowed; return what was sent.

    A tier is not in the fact of a sending, so it is followed as it was at each.
    """
    copies: dict[str, str] = {}
    out: dict[int, str] = {}
    has: dict[tuple[str, str], set[int]] = {}
    month: dict[tuple[str, str, int], int] = {}
    tiers: dict[tuple[str, str], str] = {}
    by_name = {(plan.name, tier.name): tier for plan in plans for tier in plan.tiers}
    sent = 0
    for number, subject, fact in book.journal.facts():
        match fact:
            case CopyAdded():
                copies[fact.copy] = "in"
            case CopySent():
                assert copies[fact.copy] == "in", f"copy {fact.copy} was sent, and it was {copies[fact.copy]}"
                copies[fact.copy], out[number], sent = "out", fact.copy, sent + 1
            case CopyBack():
                assert out.pop(fact.rental, fact.copy) == fact.copy
                assert copies[fact.copy] in ("out", "lost")
                copies[fact.copy] = "in"
            case CopyGone():
                assert copies[fact.copy] == ("in" if fact.why == "retired" else "out")
                copies[fact.copy] = fact.why
                out.pop(fact.rental, None)
            case Sent():
                mine, tier = (subject, fact.plan), by_name[fact.plan, tiers[subject, fact.plan]]
                has.setdefault(mine, set()).add(fact.rental)
                counted = (*mine, fact.month)
                month[counted] = month.get(counted, 0) + 1
                assert len(has[mine]) <= tier.at_once
                assert month[counted] <= (tier.per_month or month[counted])
                value = ITEMS[fact.item].price if fact.item in ITEMS else None
                assert tier.most_value is None or (value is not None and value <= tier.most_value)
            case _ if subject:
                mine = (subject, fact.plan)
                name = type(fact).__name__
                if name == "Subscribed":
                    tiers[mine] = fact.tier
                elif name == "Cancelled":
                    assert not has.get(mine), "somebody left with things that are not theirs"
                    del tiers[mine]
                elif name == "Ended":
                    has[mine].discard(fact.rental)
    return sent
