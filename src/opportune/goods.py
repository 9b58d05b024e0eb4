"""What decisions carry: items of the shelf and codes of coupons, chosen for the customer when a decision is made.

An action whose treatment finds nothing to carry is out, as one that finds no room in a contact limit is: the choice is
drawn anew without it, and the record says why. Codes are made and items noted in the transaction of the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from opportune.catalog.shelf_types import ItemsWanted
from opportune.catalog.types import Treatment
from opportune.clock import to_datetime
from opportune.decide.plan import Plan
from opportune.decide.stages.assign import HOLDOUT, standing_of
from opportune.decide.types import Chosen, Decision, hash01, hash64
from opportune.ledger.record import Carried
from opportune.offers.coupon_book import CouponBook
from opportune.offers.coupons import FOREVER, smallest
from opportune.profiles.allowed import statuses
from opportune.profiles.people import People, View
from opportune.recommend.feedback import Purpose
from opportune.recommend.item import told
from opportune.recommend.ranking import Recommended
from opportune.recommend.shelf import Customer, Shelf
from opportune.rules import Value
from opportune.wire import CarriedCoupon

if TYPE_CHECKING:
    from opportune.catalog.offer_types import Coupon
    from opportune.events.types import Event
    from opportune.ledger.episodes import Episodes
    from opportune.store.base import Rows, Store
    from opportune.store.vault import Vault

AT_ONCE = 500
"""Events of before that the shelf hears when a decision carries items: what it has not heard yet otherwise."""

MOST_LIKES, LONGEST_LIKE = 20, 200
"""Words by which the recipient of a gift is described, and characters of one."""

NOTHING_FITS = "nothing on the shelf fits this customer"
HELD_OUT = "this customer gets no recommendations, so that their effect can be known"
NO_CODE = "XXXX-XXXX-XXXX-XXXXX"
"""What a peek has in the place of a code: it leaves nothing behind, so there is none."""

Excluded = tuple[tuple[str, int, int], ...]
"""Actions that are out, in which placement by number, and from which rank on."""


class Full(NamedTuple):
    """What a decision carries, as it is recorded, and the items of it that were drawn to explore."""

    carried: Carried | None
    explored: tuple[str, ...] = ()


class Missing(NamedTuple):
    """Actions that find nothing to carry, and why.

    `held_out`: they would, but the customer is held out of recommendations. It counts once it is known that the contact
    limits have room for them, as they need it of everybody else.
    """

    excluded: Excluded
    why: str
    held_out: bool = False

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by action."""
        return {action: self.why for action, _, _ in self.excluded}


class Goods:
    """The shelf and the coupons of a hub. What writes joins the caller's transaction."""

    def __init__(self, store: Store, vault: Vault, people: People, log: Rows) -> None:
        self._store, self._vault, self._people, self._log = store, vault, people, log
        self._shelf: Shelf | None = None
        self._plan: Plan | None = None
        self._current = self._lost = False

    def adopt(self, plan: Plan) -> None:
        """Go on under a catalog."""
        self._plan, self._current = plan, False
        if self._shelf is not None:
            self._shelf.adopt(plan.catalog.shelf)

    def clear(self) -> None:
        """Read anew, when it is needed next, what a transaction that was rolled back may have left in memory."""
        self._lost, self._current = True, False

    @property
    def writes(self) -> int:
        """How often the shelf was written to: after a transaction in which it was and which failed, call `clear`."""
        return self._shelf.writes if self._shelf is not None else 0

    @property
    def shelf(self) -> Shelf:
        """The shelf, read when it is first asked for."""
        if self._shelf is None:
            identities = self._people.identities
            self._shelf = Shelf(self._store, self._vault, lambda node: identities.nodes(identities.root(node)))
            if self._plan is not None:
                self._shelf.adopt(self._plan.catalog.shelf)
        elif self._lost:
            self._shelf.clear()
        self._lost = False
        return self._shelf

    # --- hearing

    def heard(self, event: Event, node: str, sequence: int) -> None:
        """Let the shelf hear an event at once, if it has heard all that came before."""
        if self._current:
            self.shelf.note(event, node, sequence)

    def behind(self) -> bool:
        """Return whether decisions carry something and the shelf has not heard every event."""
        if self._current or self._plan is None or not self._plan.carries:
            return False
        self._current = not self.shelf.behind(self._log)
        return not self._current

    def catch_up(self, most: int = AT_ONCE) -> bool:
        """Let the shelf hear some of the events that it has not heard yet; return whether there are more."""
        more = self.shelf.catch_up(self._log, most)
        self._current = not more and self._plan is not None and self._plan.carries
        return more

    def hear_first(self, view: View, most: int = AT_ONCE) -> None:
        """Let the shelf hear the first events of a customer that it has not heard yet, before those of others."""
        self.shelf.hear_first(self._log, view.nodes, most)

    # --- choosing

    def fill(
        self, view: View, decision: Decision, context: Mapping[str, Value], missing: Mapping[str, str], plan: Plan
    ) -> Full | Missing:
        """Return what the actions of a decision carry, or the first that finds nothing, with all that want the same.

        Changes nothing. `missing` says why actions are out already. The same request on the same shelf gets the same
        items. Where customers who are held out get none, those are looked for nevertheless, so that both count alike.
        """
        purpose, likes = purpose_in(context), likes_in(context)
        items: dict[str, tuple[tuple[str, str], ...]] = {}
        used, explored = set[str](), list[str]()
        at = decision.request.at
        held, none = self.held_out(view), plan.catalog.shelf.instead == "none"
        withheld: Chosen | None = None
        for c in decision.chosen:
            treatment = plan.treatment(c.action, c.treatment)
            if treatment.coupon and (why := self._refused(treatment.coupon, view, at)):
                return Missing(_out(plan, decision, c, _gives(treatment.coupon)), why)
            if treatment.items:
                wish, personal = treatment.items, none or not held
                seed = hash64("items", str(decision.request.seed), c.placement, c.action)
                found = self.recommend(view, at, wish.n, purpose, likes, wish, used, seed, personal)
                if not found:
                    return Missing(_out(plan, decision, c, _wants(wish)), NOTHING_FITS)
                if held and none:
                    withheld = withheld or c
                items[c.action] = tuple((one.id, one.reason) for one in found)
                used.update(one.id for one in found)
                explored += [one.id for one in found if one.explored]
        if withheld:
            return Missing(_out(plan, decision, withheld, _wants(None)), HELD_OUT, held_out=True)
        if not items and not missing:
            return Full(None)
        taste = self.shelf.tastes.merged(view.nodes) if items and purpose is None and view.nodes else None
        purpose = purpose or (self.shelf.purpose(taste, at) if taste else "self")
        return Full(Carried(items, purpose, dict(missing)), tuple(explored))

    def recommend(
        self, view: View | None, now: int, n: int, purpose: Purpose | None = None, likes: Sequence[str] = (),
        wanted: ItemsWanted | None = None, without: Set[str] = frozenset(), seed: int = 0, personal: bool = True,
    ) -> list[Recommended]:  # fmt: skip
        """Return items for a customer; unless `personal`, what everybody likes. Changes nothing."""
        customer = self.customer(view, now)
        return self.shelf.recommend(customer, now, n, purpose, likes, wanted, without, seed, personal)

    def held_out(self, view: View) -> bool:
        """Return whether a customer is held out of recommendations: by a hash of their id, independent of all arms."""
        share = self._plan.catalog.shelf.holdout if self._plan else 0.0
        return share > 0 and hash01("opportune.shelf", view.customer) < share

    def control(self, view: View, now: int) -> bool:
        """Return whether a customer is held out of all marketing at an instant."""
        return self._plan is not None and standing_of(self._plan.catalog, view.customer, now)[0] == HOLDOUT

    def customer(self, view: View | None, now: int) -> Customer:
        """Return for whom a recommendation is: their identities, what conditions read of them, topics they allowed."""
        if view is None or self._plan is None:
            return Customer()
        values, topics = dict(view.values(now)), set[str]()
        if "age" not in values:
            values["age"] = view.look("age", now)
        if any(rule.consent for rule in self._plan.catalog.shelf.never):
            said = statuses(view.state, self._plan.catalog, now)
            topics = {key.split("/")[2] for key, status in said.items() if status == "granted" and key.count("/") == 2}
        return Customer(view.nodes, values, topics)

    # --- giving

    def give(self, view: View, decision: Decision, decision_id: str, full: Full, plan: Plan) -> None:
        """Make the codes that a decision gives, and take in what it recommends."""
        now = decision.request.at
        for coupon in coupons_of(plan, _made(decision)).values():
            # there was room a moment ago, in the same transaction
            self.book(plan).carried(coupon, view.subject, decision_id, now, view.nodes)
        carried = full.carried
        if carried is None:
            return
        if full.explored:
            self.shelf.shown(full.explored)
        if carried.items or HELD_OUT in carried.missing.values():
            self.recommended(view, [item for found in carried.items.values() for item, _ in found], now)

    def recommended(self, view: View, ids: Sequence[str], now: int) -> None:
        """Take in what was recommended to a customer, so that its revenue can be counted."""
        shelf = self.shelf
        shelf.writes += 1
        shelf.credits.recommended(view.nodes, () if self.held_out(view) else ids, now)

    def take_back(self, plan: Plan, rows: Episodes, decision_id: str, action: str, now: int) -> None:
        """End the code that an action gave which was not delivered, unless it was used or another action gives it."""
        coupons = coupons_of(plan, ((e.action, e.placement) for e in rows.each if not e.ghost))
        mine = coupons.get(action)
        others = (e.action for e in rows.each if not e.released and e.action != action)
        if mine and all(coupons.get(other) != mine for other in others):
            self.book(plan).withdraw(mine, decision_id, now)

    def codes(self, plan: Plan, decision: Decision, decision_id: str | None, now: int) -> dict[str, CarriedCoupon]:
        """Return the codes of a decision by action; of a peek what stands for them."""
        if not plan.carries:
            return {}
        found = {}
        for action, coupon in coupons_of(plan, _made(decision)).items():
            if (code := self.code(plan, coupon, decision_id, now)) is not None:
                found[action] = code
        return found

    def code(self, plan: Plan, coupon: str, decision_id: str | None, now: int) -> CarriedCoupon | None:
        """Return the code that a decision gave of a coupon; of a peek (None) what stands for it."""
        book = self.book(plan)
        if decision_id is None:
            return _shown(NO_CODE, book.coupons[coupon], FOREVER)
        given = book.given(coupon, decision_id, now)
        return given and _shown(given[0].text, given[1], given[0].expires)

    def good_code(self, plan: Plan, coupon: str, decision_id: str, now: int) -> CarriedCoupon | None:
        """Return the code that a decision gave of a coupon, if it can be redeemed now."""
        given = self.book(plan).given(coupon, decision_id, now)
        return self.code(plan, coupon, decision_id, now) if given and given[0].state == "open" else None

    def book(self, plan: Plan) -> CouponBook:
        """Return the coupons under a catalog; good for one call."""
        return CouponBook(self._store, self._vault, plan.catalog.coupons, smallest(plan.catalog.currency))

    # --- showing

    def items(self, found: Sequence[tuple[str, str]]) -> list[dict[str, object]]:
        """Return items with their reasons as templates read them; those that are gone are left out."""
        items = ((self.shelf.items.get(item), reason) for item, reason in found)
        return [{**told(item), "reason": reason} for item, reason in items if item is not None]

    def still(
        self, view: View, found: Sequence[tuple[str, str]], now: int, purpose: Purpose, wanted: ItemsWanted | None
    ) -> list[tuple[str, str]]:
        """Return those of some items that a customer may still have: there, in stock, not bought meanwhile."""
        ids = [item for item, _ in found]
        kept = set(self.shelf.still(self.customer(view, now), ids, now, purpose, wanted))
        return [(item, reason) for item, reason in found if item in kept]

    # --- parts

    @property
    def _live(self) -> Plan:
        assert self._plan is not None
        return self._plan

    def _refused(self, coupon: str, view: View, now: int) -> str:
        book = self.book(self._live)
        if book.has_open(coupon, view.nodes, now):
            return ""
        refusal = book.room(coupon, view.nodes, now)
        return refusal.detail if refusal else ""


def coupons_of(plan: Plan, made: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return by action the coupons of which a decision gives codes, by its actions and their placements.

    One code of each coupon, however many actions show it.
    """
    if not plan.carries:
        return {}
    found = {}
    for action, placement in made:
        position = plan.position[action]
        coupon = plan.actions[position].treatments[int(plan.places[placement].treatment[position])].coupon
        if coupon:
            found[action] = coupon
    return found


def _made(decision: Decision) -> Iterator[tuple[str, str]]:
    return ((c.action, c.placement) for c in decision.chosen)


def purpose_in(context: Mapping[str, Value]) -> Purpose | None:
    """Return for whom a visit is, where the context of a request says so.

    >>> purpose_in({"purpose": "gift"}), purpose_in({"purpose": "tea"})
    ('gift', None)
    """
    said = context.get("purpose")
    return "gift" if said == "gift" else "self" if said == "self" else None


def likes_in(context: Mapping[str, Value]) -> list[str]:
    """Return the words by which the context of a request describes the recipient of a gift, parted by `|`.

    >>> likes_in({"likes": "horror | classics"})
    ['horror', 'classics']
    """
    said = context.get("likes")
    words = (word.strip()[:LONGEST_LIKE] for word in said.split("|")) if isinstance(said, str) else ()
    return [word for word in words if word][:MOST_LIKES]


def _out(plan: Plan, decision: Decision, c: Chosen, same: Callable[[Treatment], bool]) -> Excluded:
    """Return an action that is out from its rank on, and all whose treatments from there on are the `same` in this.

    Those that are out there already are left out, and keep their reason.
    """
    places, rank = decision.request.placements, c.rank - 1
    number, out = places.index(c.placement), {c.action}
    rest = [plan.places[place].treatment for place in places[number:]]
    for position, action in enumerate(plan.actions):
        alike = [same(treatment) for treatment in action.treatments]
        if any(alike):
            mine = [alike[place[position]] for place in rest if place[position] >= 0]
            if mine and all(mine):
                out.add(action.name)
    out -= {name for name, *since in decision.request.excluded if since <= [number, rank]}
    return tuple((name, number, rank) for name in sorted(out))


def _gives(coupon: str) -> Callable[[Treatment], bool]:
    return lambda treatment: treatment.coupon == coupon


def _wants(wish: ItemsWanted | None) -> Callable[[Treatment], bool]:
    """Return whether a treatment wants items of the same kind as a wish; of any kind without one."""
    return lambda treatment: treatment.items is not None and (wish is None or treatment.items.of == wish.of)


def _shown(code: str, terms: Coupon, ends: int) -> CarriedCoupon:
    return CarriedCoupon(
        code=code,
        name=terms.name,
        ends=None if ends >= FOREVER else to_datetime(ends),
        value=terms.value or None,
        percent=terms.percent or None,
        up_to=terms.up_to,
        minimum=terms.minimum or None,
    )
