"""The till: where codes are redeemed and points are spent, with the customer told in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from opportune.errors import BadRequest, NotFound
from opportune.hub import Hub
from opportune.offers import told
from opportune.offers.coupon_book import CouponBook
from opportune.offers.coupon_rows import Ask, Done, Made, Shown
from opportune.offers.coupons import GUESSED, Item, Refusal, Totals, smallest
from opportune.offers.point_book import Entry, Moved, NotMoved, PointBook, Standing
from opportune.offers.tries import Tries
from opportune.profiles.people import View
from opportune.questions import named

AT_ONCE = 1_000
"""Events that earn in one go, which others wait for."""


class Wanted(msgspec.Struct, frozen=True):
    """Somebody wants to redeem a code: for which order, who it is, from where, what is bought."""

    code: str
    order: str
    user_id: str | None = None
    amount: float | None = None
    items: Sequence[Item] = ()
    ip: str | None = None


class Till:
    """The coupons and points of a hub. Each call is a transaction, or a part of the one around it (`Hub.group`)."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    @property
    def coupons(self) -> CouponBook:
        """The coupons as the live catalog has them; good for one call."""
        hub = self._hub
        if not hub.published:
            raise BadRequest("no catalog is live: publish one first")
        catalog = hub.plan.catalog
        return CouponBook(hub.store, hub.vault, catalog.coupons, smallest(catalog.currency))

    @property
    def points(self) -> PointBook:
        """The points as the live catalog has them; `NotFound` if it has none."""
        return self._hub.standings.book

    # --- coupons

    def redeem(self, wanted: Sequence[Wanted], key: str = "", dry: bool = False) -> list[Done | Refusal]:
        """Redeem codes in order, and tell of each as an event `Coupon Redeemed` of its customer.

        `key` is whoever asks; wrong codes of a key, an address or a customer are counted, `dry` ones too, and once
        there were too many nothing is looked at for a while. Raises `BadRequest` for what makes no sense.
        """
        hub = self._hub
        with hub.group():
            now, book, tries = hub.clock.now(), self.coupons, Tries(hub.store)
            done: list[Done | Refusal] = []
            asks: list[tuple[int, Ask]] = []
            for one in wanted:
                if wait := tries.wait(_who(one, key), now):
                    done.append(Refusal("tries", f"too many wrong codes came before; try again in {wait} s", wait))
                    continue
                asks.append((len(done), self._ask(book, one, now, dry)))
                done.append(NO_ANSWER)
            for (place, _), answer in zip(asks, book.redeem([ask for _, ask in asks], now, dry)):
                done[place] = answer
            news: list[dict[str, Any]] = []
            for one, answer in zip(wanted, done):
                if isinstance(answer, Refusal):
                    news += self._refused(book, tries, one, key, answer, now)
                elif not dry and not answer.again and (view := self._view(answer.subject)):
                    news += told.redeemed(view, answer, one.order, hub.plan.catalog.currency)
            self._tell(news)
        return done

    def release(self, code: str, order: str, kept: float | None, items: Sequence[Item]) -> Done | Refusal:
        """Take in that an order was returned, or only `kept` of it was kept, and tell its customer's profile."""
        hub = self._hub
        with hub.group():
            done = self.coupons.release(code, order, hub.clock.now(), kept, items)
            if isinstance(done, Done) and not done.again and (view := self._view(done.subject)):
                self._tell(told.redeemed(view, done, order, hub.plan.catalog.currency, returned=True))
        return done

    def issue(self, coupon: str, user_id: str, reference: str) -> Made | Refusal:
        """Make a code for a customer; the same reference has the same code."""
        hub, user = self._hub, named(user_id, "userId")
        with hub.group():
            view = hub.people.resolve(user, None, create=True)
            if view is None:
                raise BadRequest(f"{user_id!r} names nobody; give the id of a customer", "userId")
            return self.coupons.issue(coupon, view.subject, reference, hub.clock.now(), view.nodes)

    def print(self, coupon: str, count: int) -> list[str] | Refusal:
        """Make many codes for nobody in particular."""
        with self._hub.group():
            return self.coupons.print(coupon, count, self._hub.clock.now())

    def end(self, code: str) -> bool:
        """End a code that nobody may use any more; return whether it was open."""
        with self._hub.group():
            return self.coupons.end(code, self._hub.clock.now())

    def totals(self) -> dict[str, Totals]:
        """Return what is known of each coupon of the catalog."""
        book, now = self.coupons, self._hub.clock.now()
        return {name: book.totals(name, now) for name in book.coupons}

    def codes(self, customer: str) -> list[Shown]:
        """Return the codes that were made for a customer."""
        return self.coupons.of(self._known(customer).nodes, self._hub.clock.now())

    def _ask(self, book: CouponBook, one: Wanted, now: int, dry: bool) -> Ask:
        nodes: tuple[str, ...] = ()
        if one.user_id is not None:
            people, user = self._hub.people, named(one.user_id, "userId")
            view = people.resolve(user, None)
            if view is None and not dry:
                # a customer whom nobody knew is made for a code that is good, not for a guess
                [answer] = book.redeem([Ask(one.code, one.order, (_NOBODY,), one.amount, one.items)], now, dry=True)
                view = people.resolve(user, None, create=True) if isinstance(answer, Done) else None
            nodes = view.nodes if view else (_NOBODY,)
        return Ask(one.code, one.order, nodes, one.amount, one.items)

    def _refused(
        self, book: CouponBook, tries: Tries, one: Wanted, key: str, refusal: Refusal, now: int
    ) -> list[dict[str, Any]]:
        """Count a wrong code; return the events that too many of them are."""
        if refusal.reason not in GUESSED:
            return []
        news: list[dict[str, Any]] = []
        # a shop asks for all of its customers, of whom many come with a code that was good once
        guess = refusal.reason in ("unknown", "mistyped")
        for kind in tries.wrong(_who(one, key if guess else ""), now):
            book.suspect(kind, now)
            view = self._hub.people.resolve(one.user_id, None) if one.user_id else None
            news += told.suspected(view, kind) if view else []
        return news

    # --- points

    def standing(self, customer: str) -> Standing:
        """Return where a customer stands, once the events that wait have earned."""
        self.catch_up()
        return self.points.standing(self._known(customer).nodes, self._hub.clock.now())

    def statement(self, customer: str, after: int, most: int) -> list[tuple[int, Entry, int]]:
        """Return entries of a customer's account after a number, each with the balance after it."""
        self.catch_up()
        return self.points.statement(self._known(customer).nodes, after, most)

    def spend(self, user_id: str, points: int, id: str) -> Moved | NotMoved:
        """Spend points of a customer; the same id spends once."""
        self.catch_up()
        view = self._known(user_id)
        with self._hub.group():
            done = self.points.spend(view.nodes, points, id, self._hub.clock.now())
            self._tell_standing([view.subject])
        return done

    def reverse(
        self, user_id: str, what: Literal["spent", "earned"], of: str, id: str, points: int | None
    ) -> Moved | NotMoved:
        """Give points that were spent back, or take back points that were earned; the same id does so once."""
        self.catch_up()
        view = self._known(user_id)
        with self._hub.group():
            done = self.points.reverse(view.nodes, what, of, id, self._hub.clock.now(), points)
            self._tell_standing([view.subject])
        return done

    def catch_up(self, most: int = AT_ONCE) -> bool:
        """Let events that wait earn, end what has ended, and tell; return whether more waits. Nothing without points.

        Call it when time passes; where events are taken that earn, the hub does so. What it writes is durable together.
        """
        return self._hub.earn(most)

    def _tell_standing(self, nodes: Sequence[str]) -> None:
        self._tell(self._hub.standings.news(nodes, self._hub.clock.now()))

    # --- parts

    def _known(self, customer: str) -> View:
        view = self._hub.people.view(customer)
        if view is None:
            raise NotFound(f"there is no customer {customer!r}")
        return view

    def _view(self, subject: str) -> View | None:
        return self._hub.people.view(subject) if subject else None

    def _tell(self, news: list[dict[str, Any]]) -> None:
        if news:
            self._hub.ingest(news, source=told.SOURCE)


NO_ANSWER = Refusal("unknown", "")
_NOBODY = "-"
"""The pseudonym of nobody: of customers who are not known yet."""


def _who(one: Wanted, key: str) -> dict[str, str]:
    known = {"key": key, "ip": one.ip, "customer": one.user_id}
    return {kind: id for kind, id in known.items() if id}
