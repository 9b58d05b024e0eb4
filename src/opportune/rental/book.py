"""The renting of a store: subscriptions, lists, copies, what is sent to whom, and what becomes of it.

Never more copies are out than there are, nor more with a customer than their tier holds, in whatever order calls come.
What is done under an id of the caller is done once; a rental ends once, however often it is returned. A customer is
named by a pseudonym, and what they have of a plan by `pseudonym/plan`.

Nothing is remembered between two calls. Call everything that writes inside of a transaction.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from opportune.catalog.rental_types import RentalPlan
from opportune.clock import format_instant, to_datetime
from opportune.errors import BadRequest, NotFound
from opportune.offers.coupon_book import secret_of
from opportune.recommend.item import Item
from opportune.rental.facts import (
    Answered,
    AnyMemberFact,
    Cancelled,
    CopyAdded,
    CopyBack,
    CopyGone,
    CopyRests,
    CopySent,
    Ended,
    Ending,
    Moved,
    Paused,
    Reminded,
    Sent,
    Subscribed,
    Unwished,
    Wished,
)
from opportune.rental.journal import Journal
from opportune.rental.market import Market
from opportune.rental.rows import Member, RentalRow, Wishes
from opportune.rental.rules import WhyNot, why_nothing
from opportune.rental.tables import number_key

if TYPE_CHECKING:
    from opportune.store.base import Store
    from opportune.store.vault import Vault

FOREVER = 1 << 62
"""An instant that never comes."""

MOST_PASSED = 20
"""Items of a list of which an answer says why they are not sent."""


class Rental(msgspec.Struct, frozen=True):
    """A rental by its number in the log; `again` if the call that gives it had been answered before."""

    number: int
    row: RentalRow
    again: bool = False


class Turn(msgspec.Struct, frozen=True):
    """The item that would be sent to a customer now, or why there is none; and why items before it would not be."""

    item: str | None
    why: WhyNot | None
    passed: tuple[tuple[str, WhyNot], ...] = ()


class Batch(msgspec.Struct, frozen=True):
    """Rentals that were sent together, the longest waiting first. `more`: there are others whose turn it is."""

    rentals: tuple[Rental, ...]
    more: bool = False
    again: bool = False


class Inside(msgspec.Struct, frozen=True):
    """The copies of an item: all there are, those out, those that can be sent now; and how many customers wait."""

    copies: int
    out: int
    free: int
    waiting: int


class RentalBook:
    """The renting of a store. `plans` are those of the catalog, `look` finds an item of the shelf by its id.

    `age` tells how old a customer is in years; 0 where it is not known.
    """

    def __init__(
        self, store: Store, vault: Vault, plans: Iterable[RentalPlan] = (),
        look: Callable[[str], Item | None] = lambda item: None, time_zone: str = "UTC",
        age: Callable[[str], float] = lambda subject: 0.0, entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:  # fmt: skip
        self._store, self._look, self._zone, self._age = store, look, ZoneInfo(time_zone), age
        self.plans = {plan.name: plan for plan in plans}
        self._secret = secret_of(store, entropy)
        self.journal = Journal(store, vault)

    # --- subscriptions

    def subscribe(self, subject: str, plan: str, tier: str, now: int) -> bool:
        """Give a customer a tier of a plan, or another one from now on; return whether that is news.

        What is out beyond a smaller tier stays out; nothing is sent until there is room. Raises `NotFound`.
        """
        terms = self.terms(plan)
        if terms.tier(tier) is None:
            known = ", ".join(one.name for one in terms.tiers)
            raise NotFound(f"rental plan {plan!r} has no tier {tier!r}; it has {known}")
        if self._member(subject, plan).tier == tier:
            return False
        return self._told(subject, Subscribed(now, plan, tier))

    def pause(self, subject: str, plan: str, now: int, until: int = FOREVER) -> bool | WhyNot:
        """Send nothing before an instant; return whether that is news. A customer keeps their place in every queue.

        Raises `BadRequest` where the instant is over.
        """
        if until <= now:
            over = format_instant(until)
            raise BadRequest(f"{over} is over: give a later instant, or call `resume` to end a pause", "until")
        return self._paused(subject, plan, now, until)

    def resume(self, subject: str, plan: str, now: int) -> bool | WhyNot:
        """Let a subscription that is paused go on; return whether it was."""
        return self._paused(subject, plan, now, 0)

    def _paused(self, subject: str, plan: str, now: int, until: int) -> bool | WhyNot:
        member = self._member(subject, plan)
        if not member.tier:
            return WhyNot("subscription", f"there is no subscription to {plan}")
        was = member.paused if member.paused > now else 0
        return was != until and self._told(subject, Paused(now, plan, until))

    def cancel(self, subject: str, plan: str, now: int) -> bool | WhyNot:
        """End a subscription; return whether there was one. Refused while anything is out. The list stays."""
        member = self._member(subject, plan)
        if member.out:
            items = ", ".join(out.item for out in member.out)
            return WhyNot("still_out", f"return what is out first: {items}")
        return bool(member.tier) and self._told(subject, Cancelled(now, plan))

    # --- lists

    def wishes(self, subject: str, plan: str) -> Wishes:
        """Return the list of a customer, in their order."""
        self.journal.begin()
        return self.journal.tables.wishes(f"{subject}/{plan}")

    def wish(self, subject: str, plan: str, items: Sequence[str], now: int, place: int | None = None) -> list[str]:
        """Put items on a list, at a place (0: the front; None: the end); return those that were not on it.

        An item that is on it moves where a place is named. Its place in the queue for its copies stays the same.
        """
        self.terms(plan)
        for item in items:
            self._known(item)
        before = [wish.item for wish in self.wishes(subject, plan)]
        wanted, there = list(dict.fromkeys(items)), {*before}
        new = [item for item in wanted if item not in there]
        at = len(before) if place is None else max(0, min(place, len(before)))
        if new:
            self.journal.tell_of(subject, Wished(now, plan, tuple(new), at))
        if place is not None:
            self._arrange(subject, plan, before, new, wanted, at, now)
        self.journal.write()
        return new

    def _arrange(
        self, subject: str, plan: str, before: Sequence[str], new: Sequence[str], wanted: Sequence[str], at: int,
        now: int,
    ) -> None:  # fmt: skip
        """Put the wanted items of a list one after the other, from a place on."""
        known = {*wanted}
        rest = [item for item in before if item not in known]
        order = (*rest[:at], *wanted, *rest[at:])
        if order == (*before[:at], *new, *before[at:]):
            return
        self.journal.tell_of(subject, Moved(now, plan, tuple(wanted), at))

    def unwish(self, subject: str, plan: str, items: Sequence[str], now: int) -> list[str]:
        """Take items off a list; return those that were on it."""
        there = {wish.item for wish in self.wishes(subject, plan)}
        gone = [item for item in dict.fromkeys(items) if item in there]
        if gone:
            self._told(subject, Unwished(now, plan, tuple(gone)))
        return gone

    def replace(self, subject: str, plan: str, items: Sequence[str], now: int) -> tuple[list[str], list[str]]:
        """Make a list these items in this order; return those that are new and those that are gone.

        Items that were on it before keep their places in the queues.
        """
        wanted = list(dict.fromkeys(items))
        gone = [wish.item for wish in self.wishes(subject, plan) if wish.item not in {*wanted}]
        self.unwish(subject, plan, gone, now)
        return self.wish(subject, plan, wanted, now, 0), gone

    # --- copies

    def add_copies(self, item: str, copies: Sequence[str], now: int) -> int:
        """Let there be copies of an item, named by the caller; return how many are new. All of them or none.

        A name stands for one thing for good: raises `NotFound` where it names a copy of another item.
        """
        self._known(item)
        self.journal.begin()
        new = []
        for name in dict.fromkeys(copies):
            row = self.journal.tables.copies.get(name)
            if row is not None and row.item != item:
                raise NotFound(f"{name!r} is a copy of {row.item!r}, not of {item!r}; give each copy its own name")
            if row is None:
                new.append(name)
        for name in new:
            self.journal.tell(CopyAdded(now, name, item))
        self.journal.write()
        return len(new)

    def retire(self, copy: str, now: int) -> bool | WhyNot:
        """Take a copy that is in away for good; return whether it was there. Refused while it is out."""
        self.journal.begin()
        row = self.journal.tables.copies.get(copy)
        if row is None:
            return WhyNot("unknown", f"there is no copy {copy!r}")
        if row.state == "out":
            return WhyNot("still_out", f"copy {copy!r} is out; say that it is returned, or lost, first")
        if row.state == "in":
            self.journal.tell(CopyGone(now, copy, "retired"))
            self.journal.write()
        return row.state == "in"

    def rest(self, copy: str, until: int, now: int) -> bool | WhyNot:
        """Do not send a copy that is in before an instant, as while it is repaired; return whether that is news."""
        self.journal.begin()
        row = self.journal.tables.copies.get(copy)
        if row is None or row.state != "in":
            return WhyNot("unknown", f"there is no copy {copy!r} that is in")
        if row.free != until:
            self.journal.tell(CopyRests(now, copy, until))
            self.journal.write()
        return row.free != until

    def inside(self, item: str, now: int) -> Inside:
        """Return how many copies of an item there are and where."""
        market = self._market(now)
        stock = self.journal.tables.stock(item)
        waiting = sum(1 for _ in self._store.table("rental_waiting").scan(f"{item}\x1f"))
        return Inside(stock.copies, stock.out, len(market.copies(item)), waiting)

    # --- sending

    def next(self, subject: str, plan: str, now: int) -> Turn:
        """Return what would be sent to a customer now: the first of their list whose turn it is. Writes nothing."""
        return self._turn(f"{subject}/{plan}", self._market(now), now)

    def send(self, subject: str, plan: str, id: str, now: int) -> Rental | Turn:
        """Send the next item to a customer; the same id sends once. Where there is none, it may be asked again."""
        self.terms(plan)
        key, market = self._hash("send", f"{subject}/{plan}/{id}"), self._market(now)
        if known := self._answered(key):
            return known[0]
        turn = self._turn(f"{subject}/{plan}", market, now)
        if turn.item is None:
            return turn
        rental = self._send(f"{subject}/{plan}", turn.item, market, now)
        self.journal.tell(Answered(now, key, (rental.number,)))
        self.journal.write()
        return rental

    def ship(self, batch: str, limit: int, now: int) -> Batch:
        """Send to everybody whose turn it is, the longest waiting first, `limit` items at most.

        The same batch is sent once: asked again, it is what it was.
        """
        key, market = self._hash("ship", batch), self._market(now)
        if (known := self._answered(key)) is not None:
            return Batch(tuple(known), again=True)
        turns = []
        for who, items in market.everybody().items():
            number = {wish.item: wish.number for wish in self.journal.tables.wishes(who)}
            turns += [(number[item], who, place, item) for place, item in enumerate(items)]
        turns.sort()
        rentals = tuple(self._send(who, item, market, now) for _, who, _, item in turns[:limit])
        self.journal.tell(Answered(now, key, tuple(one.number for one in rentals)))
        self.journal.write()
        return Batch(rentals, len(turns) > limit)

    def _turn(self, key: str, market: Market, now: int) -> Turn:
        tables = self.journal.tables
        plan, tier = market.terms(key)
        member, wishes = tables.member(key), tables.wishes(key)
        if plan is None or (why := why_nothing(member, tier, self.month(now), now)):
            return Turn(None, WhyNot("plan", "the catalog has no such plan") if plan is None else why)
        if not wishes:
            return Turn(None, WhyNot("empty", "the list is empty"))
        item = next(iter(market.of(key)), None)
        passed = []
        for wish in wishes[:MOST_PASSED]:
            if wish.item == item:
                break
            passed.append((wish.item, market.why_not(key, wish)))
        if item is None:
            first, no = passed[0]
            return Turn(None, WhyNot("waiting", f"{first}: {no.detail}"), tuple(passed))
        return Turn(item, None, tuple(passed))

    def _send(self, key: str, item: str, market: Market, now: int) -> Rental:
        subject, _, plan = key.partition("/")
        copy, terms = market.copies(item).pop(0), self.plans[plan]
        month = max(self.journal.tables.member(key).month, self.month(now))
        number = self.journal.tell(CopySent(now, copy, now + terms.keep if terms.keep else 0, terms.clean))
        self.journal.tell_of(subject, Sent(now, plan, number, copy, item, month))
        return self._rental(number)

    # --- what becomes of a rental

    def back(self, rental: int, now: int) -> Rental | WhyNot:
        """Take in that an item came back, also one that was lost; its copy can be sent again once it is clean."""
        self.journal.begin()
        done = self._back(rental, now)
        self.journal.write()
        return done

    def back_copy(self, copy: str, id: str, now: int) -> Rental | WhyNot:
        """Take in that a copy came back, whoever had it; the same id takes it in once, though it was sent again."""
        self.journal.begin()
        key = self._hash("back", f"{copy}\x1f{id}")
        if known := self._answered(key):
            return known[0]
        row = self.journal.tables.copies.get(copy)
        if row is None or not row.rental:
            return WhyNot("unknown", f"there is no copy {copy!r}" if row is None else f"copy {copy!r} was never sent")
        done = self._back(row.rental, now)
        if isinstance(done, Rental):
            self.journal.tell(Answered(now, key, (row.rental,)))
        self.journal.write()
        return done

    def lost(self, rental: int, now: int) -> Rental | WhyNot:
        """Take in that an item will not come back. It no longer counts as out; should it come back, it is returned."""
        return self._gone(rental, "lost", now)

    def keep(self, rental: int, now: int) -> Rental | WhyNot:
        """Take in that a customer keeps an item for good, as one that they bought."""
        return self._gone(rental, "kept", now)

    def swap(self, rental: int, now: int) -> tuple[Rental, Rental | Turn] | WhyNot:
        """Take an item back and send the next one to the same customer; once for each rental. It counts as sent."""
        self.journal.begin()
        key, row = self._hash("swap", str(rental)), self.journal.tables.rentals.get(number_key(rental))
        if (known := self._answered(key)) is not None:
            nothing = Turn(None, WhyNot("waiting", "it was swapped before, and nothing could be sent then"))
            return self._rental(rental, again=True), known[0] if known else nothing
        if row is None or not row.member or row.state != "out":
            return _not(rental, row)
        done = self._back(rental, now)
        assert isinstance(done, Rental)
        self.journal.tables.write()  # the queues are read from the store
        market = self._market(now, begin=False)
        turn = self._turn(row.member, market, now)
        sent = turn if turn.item is None else self._send(row.member, turn.item, market, now)
        self.journal.tell(Answered(now, key, (sent.number,) if isinstance(sent, Rental) else ()))
        self.journal.write()
        return done, sent

    def _back(self, rental: int, now: int) -> Rental | WhyNot:
        row = self.journal.tables.rentals.get(number_key(rental))
        if row is None or row.state == "kept":
            return _not(rental, row)
        if row.state == "returned":
            return Rental(rental, row, again=True)
        plan = self.plans.get(row.member.partition("/")[2])
        self.journal.tell(CopyBack(now, row.copy, rental, now + (plan.clean if plan else row.clean)))
        self._ended(rental, row, "returned", now + plan.again if plan and plan.again else 0, now)
        return self._rental(rental)

    def _gone(self, rental: int, how: Ending, now: int) -> Rental | WhyNot:
        assert how != "returned"
        self.journal.begin()
        row = self.journal.tables.rentals.get(number_key(rental))
        if row is not None and row.state == how:
            return Rental(rental, row, again=True)
        if row is None or row.state != "out":
            return _not(rental, row)
        self.journal.tell(CopyGone(now, row.copy, how, rental))
        self._ended(rental, row, how, 0, now)
        self.journal.write()
        return self._rental(rental)

    def _ended(self, rental: int, row: RentalRow, how: Ending, again: int, now: int) -> None:
        subject, _, plan = row.member.partition("/")
        if subject:
            self.journal.tell_of(subject, Ended(now, plan, rental, row.item, how, again))

    # --- time

    def due(self, now: int, most: int = 500) -> list[Rental]:
        """Return rentals of which customers are to be reminded now, each once."""
        self.journal.begin()
        found = []
        for key, _ in islice(self._store.table("rental_due").scan(), most):
            at, _, number = key.partition("/")
            if int(at, 16) > now:
                break
            found.append(self._rental(int(number, 16)))
        for one in found:
            self.journal.tell(Reminded(now, one.number))
        self.journal.write()
        return found

    # --- what is known

    def terms(self, name: str) -> RentalPlan:
        """Return a plan of the catalog. Raises `NotFound`."""
        found = self.plans.get(name)
        if found is None:
            known = ", ".join(self.plans) or "none"
            raise NotFound(f"the catalog that is live has no rental plan {name!r}; it has {known}")
        return found

    def member(self, subject: str, plan: str) -> Member:
        """Return what a customer has of a plan: tier, items, how many count for which month. Blank: nothing."""
        return self._member(subject, plan)

    def plans_of(self, subject: str) -> list[str]:
        """Return the plans of which a customer has something, or a list."""
        tables = (self._store.table(name) for name in ("rental_members", "rental_lists"))
        return sorted({key.partition("/")[2] for table in tables for key, _ in table.scan(f"{subject}/")})

    def rental(self, number: int) -> Rental | None:
        """Return a rental; None if there is none of that number."""
        self.journal.begin()
        return self._rental(number) if self.journal.tables.rentals.get(number_key(number)) else None

    def statement(self, subject: str, after: int = 0, most: int = 100) -> list[tuple[int, AnyMemberFact]]:
        """Return up to `most` numbered facts about a customer's subscriptions and rentals, the oldest first."""
        wishes = (Wished, Unwished, Moved)
        told = ((number, fact) for number, fact in self.journal.of(subject, after) if not isinstance(fact, wishes))
        return list(islice(told, most))

    def rebuild(self) -> int:
        """Fold the log into empty tables; return how many facts it has. What was there before comes out the same."""
        return self.journal.rebuild()

    def rows(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (table, key, opened bytes) of every row that the log is folded into, in order."""
        return self.journal.rows()

    def month(self, now: int) -> int:
        """Return the month of an instant in the hub's time zone: year x 12 + month - 1."""
        local = to_datetime(now).astimezone(self._zone)
        return local.year * 12 + local.month - 1

    # --- parts

    def _known(self, item: str) -> None:
        if self._look(item) is None:
            raise NotFound(f"there is no item {item[:60]!r} on the shelf; put it there first: opportune items import")

    def _member(self, subject: str, plan: str) -> Member:
        self.journal.begin()
        return self.journal.tables.member(f"{subject}/{plan}")

    def _told(self, subject: str, fact: AnyMemberFact) -> bool:
        self.journal.tell_of(subject, fact)
        self.journal.write()
        return True

    def _market(self, now: int, begin: bool = True) -> Market:
        if begin:
            self.journal.begin()
        return Market(self._store, self.journal.tables, self.plans, self._look, self._age, self.month(now), now)

    def _rental(self, number: int, again: bool = False) -> Rental:
        row = self.journal.tables.rentals.get(number_key(number))
        assert row is not None
        return Rental(number, row, again)

    def _answered(self, key: str) -> list[Rental] | None:
        known = self.journal.tables.answers.get(key)
        return None if known is None else [self._rental(number, again=True) for number in known]

    def _hash(self, kind: str, text: str) -> str:
        said = f"{kind}:{text}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, key=self._secret, digest_size=16).hexdigest()


def _not(rental: int, row: RentalRow | None) -> WhyNot:
    """Return why nothing can become of a rental any more."""
    if row is None:
        return WhyNot("unknown", f"there is no rental {rental}")
    match row.state:
        case "returned":
            return WhyNot("returned", f"rental {rental} came back before")
        case "lost":
            return WhyNot("lost", f"rental {rental} is lost; say that it is returned if it came back")
        case "kept":
            return WhyNot("kept", f"rental {rental} was kept for good")
        case _:
            return WhyNot("unknown", f"whoever has rental {rental} is not known any more")
