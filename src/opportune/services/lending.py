"""The lending desk: lists to rent from, what is sent and comes back, with the customer told in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opportune.errors import BadRequest, NotFound
from opportune.hub import Hub
from opportune.profiles.people import View
from opportune.questions import named
from opportune.recommend.item import Item
from opportune.recommend.ranking import Recommended
from opportune.rental import told
from opportune.rental.book import Batch, Inside, Rental, RentalBook, Turn
from opportune.rental.facts import AnyMemberFact
from opportune.rental.rows import Member, Wishes
from opportune.rental.rules import WhyNot
from opportune.services.shelves import recommend

AT_ONCE = 500
"""Reminders that are told in one go, which others wait for."""


class Lending:
    """The renting of a hub. Each call is a transaction, or a part of the one around it (`Hub.group`).

    A customer is named by a user id: who is not known has an empty list. `NotFound` tells of plans, tiers and items
    that there are not; what cannot be now is a `WhyNot`.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @property
    def book(self) -> RentalBook:
        """The renting as the live catalog has it; good for one call, inside of `Hub.group`."""
        hub = self._hub
        if not hub.published:
            raise BadRequest("no catalog is live: publish one first")
        catalog = hub.plan.catalog
        return RentalBook(hub.store, hub.vault, catalog.rentals, hub.goods.shelf.items.get, catalog.time_zone,
                          self._age)  # fmt: skip

    # --- subscriptions

    def subscribe(self, user_id: str, plan: str, tier: str) -> bool:
        """Give a customer a tier of a plan, or another one from now on; return whether that is news."""
        with self._hub.group():
            book, view = self.book, self._made(user_id)
            before = book.member(view.subject, plan).tier
            changed = book.subscribe(view.subject, plan, tier, self._now)
            if changed:
                terms = book.plans[plan].tier(tier)
                more = {"tier": tier, "tier_before": before or None, "price": terms.price if terms else 0.0}
                currency = self._hub.plan.catalog.currency
                self._tell(told.subscription(view, "Rental Subscribed", plan, **more, currency=currency))
        return changed

    def pause(self, user_id: str, plan: str, until: int | None = None) -> bool | WhyNot:
        """Send a customer nothing of a plan before an instant, or until it is resumed."""
        if until is None:
            return self._change(user_id, plan, "Rental Paused", lambda b, s: b.pause(s, plan, self._now))
        return self._change(user_id, plan, "Rental Paused", lambda b, s: b.pause(s, plan, self._now, until))

    def resume(self, user_id: str, plan: str) -> bool | WhyNot:
        """Let a subscription that is paused go on."""
        return self._change(user_id, plan, "Rental Resumed", lambda b, s: b.resume(s, plan, self._now))

    def cancel(self, user_id: str, plan: str) -> bool | WhyNot:
        """End a subscription; everything must have come back."""
        return self._change(user_id, plan, "Rental Cancelled", lambda b, s: b.cancel(s, plan, self._now))

    def _change(
        self, user_id: str, plan: str, event: str, work: Callable[[RentalBook, str], bool | WhyNot]
    ) -> bool | WhyNot:
        with self._hub.group():
            view = self._view(user_id)
            done = work(self.book, view.subject if view else "")
            if done is True and view:
                self._tell(told.subscription(view, event, plan))
        return done

    # --- lists

    def wishes(self, user_id: str, plan: str) -> Wishes:
        """Return the list of a customer, in their order."""
        with self._hub.group():
            book = self.book
            book.terms(plan)
            return book.wishes(self._subject(user_id), plan)

    def wish(
        self, user_id: str, plan: str, add: Sequence[str] = (), remove: Sequence[str] = (),
        put: Sequence[str] | None = None, place: int | None = None,
    ) -> tuple[list[str], list[str]]:  # fmt: skip
        """Change the list of a customer: replace it by `put`, then `remove`, then `add` at a place.

        Return the items that are new on it and those that are gone.
        """
        with self._hub.group():
            book = self.book
            book.terms(plan)
            view = self._made(user_id)
            before = {wish.item for wish in book.wishes(view.subject, plan)}
            if put is not None:
                book.replace(view.subject, plan, put, self._now)
            if remove:
                book.unwish(view.subject, plan, remove, self._now)
            if add:
                book.wish(view.subject, plan, add, self._now, place)
            after = [wish.item for wish in book.wishes(view.subject, plan)]
            added = [item for item in after if item not in before]
            removed = sorted(before.difference(after))
            items = [found for item in added if (found := self.item(item)) is not None]
            self._tell(told.wishes(view, plan, items, removed))
        return added, removed

    def suggest(self, user_id: str, plan: str, n: int) -> list[Recommended]:
        """Return items of the plan that the customer may like and has not wished; let the shelf hear events before."""
        with self._hub.group():
            book, subject = self.book, self._subject(user_id)
            terms, member = book.terms(plan), book.member(subject, plan)
            tier, known = terms.tier(member.tier), {out.item for out in member.out}
            of = [terms.items.canonical] if terms.items else []
            if tier is not None and tier.most_value is not None:
                of.append(f"price <= {tier.most_value:f}")
            known.update(wish.item for wish in book.wishes(subject, plan))
            condition = " AND ".join(f"({one})" for one in of)
            found = recommend(
                self._hub, user_id, None, n, of=condition, without=known, peek=True, most_without=len(known)
            )
            return found[1]

    # --- sending

    def next(self, user_id: str, plan: str) -> Turn:
        """Return what would be sent to a customer now, or why nothing."""
        with self._hub.group():
            book = self.book
            book.terms(plan)
            return book.next(self._subject(user_id), plan, self._now)

    def send(self, user_id: str, plan: str, id: str) -> Rental | Turn:
        """Send the next item to a customer; the same id sends once."""
        with self._hub.group():
            done = self.book.send(self._subject(user_id), plan, id, self._now)
            self._tell(self._about("Rental Sent", done))
        return done

    def ship(self, batch: str, limit: int) -> Batch:
        """Send to everybody whose turn it is, as one batch: all of it, or nothing where that fails."""
        with self._hub.group():
            done = self.book.ship(batch, limit, self._now)
            self._tell([event for one in done.rentals for event in self._about("Rental Sent", one)])
        return done

    # --- what becomes of a rental

    def back(self, rental: int) -> Rental | WhyNot:
        """Take in that an item came back; a second time changes nothing."""
        return self._became("Rental Returned", lambda book: book.back(rental, self._now))

    def back_copy(self, copy: str, id: str) -> Rental | WhyNot:
        """Take in that a copy came back, whoever had it; once for each id."""
        return self._became("Rental Returned", lambda book: book.back_copy(copy, id, self._now))

    def lost(self, rental: int) -> Rental | WhyNot:
        """Take in that an item will not come back."""
        return self._became("Rental Lost", lambda book: book.lost(rental, self._now))

    def swap(self, rental: int) -> tuple[Rental, Rental | Turn] | WhyNot:
        """Take an item back and send the next one in its place; once for each rental."""
        with self._hub.group():
            done = self.book.swap(rental, self._now)
            if not isinstance(done, WhyNot):
                self._tell(self._about("Rental Returned", done[0]) + self._about("Rental Sent", done[1]))
        return done

    def keep(self, rental: int, price: float | None = None) -> Rental | WhyNot:
        """Take in that a customer buys what they have, at its price on the shelf or at another one."""
        hub = self._hub
        with hub.group():
            done = self.book.keep(rental, self._now)
            if isinstance(done, Rental) and not done.again and (view := self._of(done)):
                item = self.item(done.row.item)
                amount = (item.price if item else None) if price is None else price
                self._tell(told.bought(view, done, item, amount or 0.0, hub.plan.catalog.currency))
        return done

    def _became(self, event: str, work: Callable[[RentalBook], Rental | WhyNot]) -> Rental | WhyNot:
        with self._hub.group():
            done = work(self.book)
            self._tell(self._about(event, done))
        return done

    # --- copies

    def copies(self, item: str, names: Sequence[str] = (), count: int = 0) -> Inside:
        """Let there be copies of an item: those named, and ITEM#1 to ITEM#count; return how many there are then."""
        with self._hub.group():
            book = self.book
            book.add_copies(item, [*names, *(f"{item}#{n}" for n in range(1, count + 1))], self._now)
            return book.inside(item, self._now)

    def inside(self, item: str) -> Inside:
        """Return how many copies of an item there are and where. Raises `NotFound` for what was never on the shelf."""
        with self._hub.group():
            found = self.book.inside(item, self._now)
            if self.item(item) is None and not (found.copies or found.waiting):
                raise NotFound(f"there is no item {item[:60]!r} on the shelf, and no copy of it; check its id")
            return found

    def retire(self, copy: str) -> bool | WhyNot:
        """Take a copy that is in away for good."""
        with self._hub.group():
            return self.book.retire(copy, self._now)

    def rest(self, copy: str, until: int) -> bool | WhyNot:
        """Do not send a copy that is in before an instant."""
        with self._hub.group():
            return self.book.rest(copy, until, self._now)

    # --- what is known

    def subscriptions(self, user_id: str) -> list[tuple[str, Member, list[Rental], int]]:
        """Return of each plan what a customer has: (plan, where they stand, what is out, how long their list is)."""
        with self._hub.group():
            book, subject = self.book, self._known(user_id)
            found = []
            for plan in book.plans_of(subject):
                member = book.member(subject, plan)
                out = [one for mine in member.out if (one := book.rental(mine.rental)) is not None]
                found.append((plan, member, out, len(book.wishes(subject, plan))))
            return found

    def statement(self, user_id: str, after: int, most: int) -> list[tuple[int, AnyMemberFact]]:
        """Return numbered facts about a customer's subscriptions and rentals after a number, the oldest first."""
        with self._hub.group():
            return self.book.statement(self._known(user_id), after, most)

    def item(self, item: str) -> Item | None:
        """Return an item of the shelf; None if there is none."""
        return self._hub.goods.shelf.items.get(item)

    def customer(self, one: Rental) -> str | None:
        """Return the id of whoever has, or had, a rental; None if nobody is known any more."""
        view = self._of(one)
        return view.customer if view else None

    def catch_up(self, most: int = AT_ONCE) -> bool:
        """Tell customers of what they have had for long; return whether more wait. Call it when time passes."""
        hub = self._hub
        if not hub.published or not hub.plan.catalog.rentals:
            return False
        with hub.group():
            due = self.book.due(self._now, most)
            self._tell([event for one in due for event in self._about("Rental Due", one)])
        return len(due) == most

    # --- parts

    @property
    def _now(self) -> int:
        return self._hub.clock.now()

    def _about(self, event: str, done: object) -> list[dict[str, Any]]:
        """Return the event of a rental to which something happened now."""
        if not isinstance(done, Rental) or done.again or (view := self._of(done)) is None:
            return []
        return told.rental(view, event, done, self.item(done.row.item), done.row.member.partition("/")[2])

    def _of(self, one: Rental) -> View | None:
        subject = one.row.member.partition("/")[0]
        return self._hub.people.view(subject) if subject else None

    def _age(self, subject: str) -> float:
        view = self._hub.people.view(subject)
        age = view.look("age", self._now) if view else None
        return age if isinstance(age, int | float) and not isinstance(age, bool) else 0.0

    def _view(self, user_id: str) -> View | None:
        return self._hub.people.resolve(named(user_id, "userId"), None)

    def _subject(self, user_id: str) -> str:
        view = self._view(user_id)
        return view.subject if view else ""

    def _known(self, user_id: str) -> str:
        subject = self._subject(user_id)
        if not subject:
            raise NotFound(f"there is no customer {user_id!r}")
        return subject

    def _made(self, user_id: str) -> View:
        view = self._hub.people.resolve(named(user_id, "userId"), None, create=True)
        if view is None:
            raise BadRequest(f"{user_id!r} names nobody; give the id of a customer", "userId")
        return view

    def _tell(self, news: list[dict[str, Any]]) -> None:
        if news:
            self._hub.ingest(news, source=told.SOURCE)
