"""The shelf: items, what customers had to do with them, and what is recommended to whom.

Everything personal is in `Tastes`, sealed. What is in memory besides can be made anew from the store: the items'
arrays, the counts, the trained model; the pairs of the last hours are the one thing that a restart forgets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from typing import Any

import numpy as np

from opportune.catalog.shelf_types import ItemsWanted, ShelfRules
from opportune.errors import BadInput, Forgotten
from opportune.events import codec
from opportune.events.types import Event
from opportune.profiles.fields import event_name
from opportune.recommend import ranking
from opportune.recommend.blend import scaled
from opportune.recommend.conditions import Conditions
from opportune.recommend.credits import ORDER, Credits
from opportune.recommend.feedback import KINDS, Purpose, Said, purpose_of, said_by
from opportune.recommend.item import Item, item_of
from opportune.recommend.items import Items
from opportune.recommend.learning import Learned
from opportune.recommend.live import Pairs, Wanted
from opportune.recommend.ranking import Recommended
from opportune.recommend.tastes import NUMBER_OF, Taste, Tastes, Touch, touched
from opportune.recommend.types import NOTHING, Asked, Weighted
from opportune.rules import Value
from opportune.store.base import Rows, Store
from opportune.store.vault import Vault

MARK_EVERY = 200
"""Events after which it is written up to which one the log was heard: those after the mark are heard once more."""

REMEMBERED = 20_000
"""Items changed lately that are read anew after a transaction failed."""


@dataclass(frozen=True, slots=True)
class Customer:
    """For whom: their identities, what the catalog's names say of them, and the topics that they allowed."""

    nodes: Sequence[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    topics: Set[str] = frozenset()


class Shelf:
    """The items of one store. Call what writes (`note`, `put`, `take`) inside of a transaction."""

    def __init__(self, store: Store, vault: Vault, nodes: Callable[[str], Sequence[str]]) -> None:
        """`nodes` gives all identities of the customer to whom one belongs, itself included."""
        self._store, self._vault, self._nodes = store, vault, nodes
        self.rules = ShelfRules()
        self.tastes = Tastes(store, vault)
        self.items = Items(store)
        self.wanted = Wanted(store, self.items)
        self.conditions = Conditions(self.items)
        self.pairs = Pairs()
        self.learned = Learned(store, self.items)
        self._marks = store.table("shelf_marks")
        self._heard = self._mark()
        self._changed: dict[int, None] = {}
        self.credits = Credits(store, vault)
        self.writes = 0
        """How often something was written: what `clear` has to be called for, should it be taken back."""

    def adopt(self, rules: ShelfRules) -> None:
        """Go on with the rules of a catalog."""
        self.rules = rules

    def put(self, rows: Sequence[Mapping[str, Any]], now: int) -> int:
        """Add or replace items, given as `item_of` reads them; return how many. `BadInput` names the first wrong one.

        An item that was there keeps the instant at which it came.
        """
        items = []
        self.writes += 1
        for row in rows:
            item = item_of(row, now)
            known = self.items.number(item.id)
            if known >= 0 and row.get("added") is None:
                item = item_of({**row, "added": None}, int(self.items.column("added")[known]))
            items.append(item)
        self._hold(items)
        return len(items)

    def remove(self, ids: Sequence[str]) -> int:
        """Take items off the shelf; return how many there were."""
        self.writes += 1
        count = self.items.remove(ids)
        self._look_anew()
        return count

    def note(self, event: Event, node: str, sequence: int = 0) -> bool:
        """Take in an event of a node; return whether it says something of items or the purpose of the visit.

        `sequence` is its number in the log of events: one that comes twice counts once. The next `recommend` sees it.
        """
        if sequence:
            self._heard = max(self._heard, sequence)
            if sequence % MARK_EVERY == 0:
                self._marks.put([("heard", str(self._heard).encode())])
        return self._note(event, node, sequence)

    def _note(self, event: Event, node: str, sequence: int) -> bool:
        self.writes += 1
        if event_name(event) == ORDER:
            self.credits.bought(self._of(node), event, sequence, self.rules)
        said, marked = said_by(event, self.rules), purpose_of(event)
        if not said and marked is None and event.type != "identify":
            return False
        mine = self.tastes.of(node)
        if sequence and sequence <= mine.seen:
            return False
        whole = self.tastes.merged(self._of(node))
        going = whole.visiting(event.at, self.rules)
        if event.type == "identify" and marked is None and not (going and whole.purpose == "gift"):
            return False
        # who signs in looks for themselves from then on, unless the page says otherwise
        purpose: Purpose = marked or ("self" if event.type == "identify" or not going else whole.purpose)
        gifts = {t.item for t in whole.touches if t.gift and t.at >= whole.began} if going else set()
        touches = []
        for one in said:
            self._learn_item(one, event.at)
            if one.kind:
                gift = (one.purpose or ("gift" if one.item in gifts else purpose)) == "gift"
                touches.append(Touch(one.item, NUMBER_OF[one.kind], event.at, gift))
        self._count(touches, whole if going else Taste(), event.at)
        self.tastes.put(node, touched(mine, touches, purpose, event.at, sequence, self.rules))
        return True

    def behind(self, log: Rows) -> bool:
        """Return whether the log has events that were not heard yet."""
        return log.last() > self._heard

    def catch_up(self, log: Rows, most: int = 5_000) -> bool:
        """Take in up to `most` events of the log that were not heard yet; return whether there are more."""
        if not self.behind(log):
            return False
        left = most
        self.writes += 1
        for sequence, node, payload in log.read(self._heard):
            if left == 0:
                return True
            left -= 1
            self._heard = sequence
            if payload:
                try:
                    self.note(codec.decode_event(self._vault.open(node, payload)), node, sequence)
                except Forgotten:
                    continue
        self._marks.put([("heard", str(self._heard).encode())])
        return False

    def hear_first(self, log: Rows, nodes: Sequence[str], most: int) -> None:
        """Take in up to `most` events of some nodes, the first of those that were not heard yet, before others' turn.

        When `catch_up` comes to them, they do not count again.
        """
        own = merge(*(log.read(self._heard, node) for node in nodes))
        for sequence, node, payload in islice(own, most):
            if payload:
                try:
                    self._note(codec.decode_event(self._vault.open(node, payload)), node, sequence)
                except Forgotten:
                    continue

    def recommend(
        self, customer: Customer, now: int, n: int = 10, purpose: Purpose | None = None, likes: Sequence[str] = (),
        wanted: ItemsWanted | None = None, without: Set[str] = frozenset(), seed: int = 0, personal: bool = True,
    ) -> list[Recommended]:  # fmt: skip
        """Return up to n items for a customer, the best first, each with its reason. Changes nothing.

        For a `gift` (the purpose of the running visit where none is named) the lasting taste does not count: the gifts
        that were looked at in this visit do, and what the recipient `likes`, in words. `wanted` narrows the items;
        `without` are ids that are not wanted. Fewer come back where the rules of the shelf leave fewer. Unless
        `personal`, it is what everybody likes, under the same rules.
        """
        taste = self.tastes.merged(customer.nodes) if customer.nodes else Taste()
        purpose = purpose or self.purpose(taste, now)
        asked = self.asked(taste, purpose, now, tuple(likes)) if personal else Asked()
        question = ranking.Question(customer.values, customer.topics, purpose, n, seed, wanted.of if wanted else None)
        return ranking.ranked(self, asked, taste, question, now, self._out(taste, purpose, now, without))

    def purpose(self, taste: Taste, now: int) -> Purpose:
        """Return the purpose of the visit that goes on at an instant; `self` where none does."""
        return taste.purpose if taste.visiting(now, self.rules) else "self"

    def still(
        self, customer: Customer, ids: Sequence[str], now: int, purpose: Purpose, wanted: ItemsWanted | None = None
    ) -> list[str]:
        """Return those of some items that the rules of the shelf leave a customer now, in the same order."""
        taste = self.tastes.merged(customer.nodes) if customer.nodes else Taste()
        question = ranking.Question(customer.values, customer.topics, purpose, 0, 0, wanted.of if wanted else None)
        found = [(item, number) for item in ids if (number := self.items.number(item)) >= 0]
        numbers = np.array([number for _, number in found], np.int32)
        keep = ranking.left_by_rules(self, numbers, question, now, self._out(taste, purpose, now, frozenset()))
        return [item for (item, _), kept in zip(found, keep.tolist()) if kept]

    def asked(self, taste: Taste, purpose: Purpose, now: int, likes: tuple[str, ...] = ()) -> Asked:
        """Return what a recommendation goes by: touches of one purpose, weighted by kind and time."""
        gift = purpose == "gift"
        mine = [touch for touch in taste.touches if touch.gift == gift]
        began = taste.began if taste.visiting(now, self.rules) else now + 1
        session = self.weighted([touch for touch in mine if touch.at >= began], now)
        return Asked(NOTHING if gift else self.weighted(mine, now), session, likes)

    def weighted(self, touches: Sequence[Touch], now: int) -> Weighted:
        """Return items with the sums of what their touches say at an instant, the latest last, scaled to -1 to 1."""
        total: dict[int, float] = {}
        said = [self.rules.feedback[kind] for kind in KINDS]
        for touch in touches:
            number = self.items.number(touch.item)
            if number >= 0:
                one = said[touch.kind]
                weight = one.weight * 0.5 ** (max(now - touch.at, 0) / one.half_life)
                total[number] = min(max(total.pop(number, 0.0) + weight, -1.0), 1.0)
        return scaled(np.array(list(total), np.int32), np.array(list(total.values()), np.float32))

    def shown(self, ids: Sequence[str]) -> None:
        """Take in that items were shown to explore: the others are explored sooner then."""
        self.writes += 1
        self.wanted.shown(number for number in map(self.items.number, ids) if number >= 0)

    def clear(self) -> None:
        """Take what changed lately as the store has it, after a transaction failed."""
        self.items.reread(self._changed)
        self.wanted.reread(self._changed)
        self.conditions.changed(self._changed)
        self._heard = self._mark()

    def _of(self, node: str) -> list[str]:
        return list(dict.fromkeys([node, *self._nodes(node)]))

    def _out(self, taste: Taste, purpose: Purpose, now: int, without: Set[str]) -> set[int]:
        """Return the items that are not to be recommended now because of what the customer had to do with them."""
        out = {self.items.number(item) for item in without}
        every = self.items.column("every")
        for touch in taste.touches:
            kind, number = KINDS[touch.kind], self.items.number(touch.item)
            if number < 0 or touch.gift != (purpose == "gift"):
                continue
            if kind == "bought":
                span = int(every[number]) or self.rules.again
                (out.add if now - touch.at < span else out.discard)(number)
            elif kind in ("dismissed", "returned") and now - touch.at < self.rules.again:
                out.add(number)
        return out - {-1}

    def _count(self, touches: Sequence[Touch], visit: Taste, at: int) -> None:
        """Let touches change what is popular, and what goes with what, at once."""
        before = [self.items.number(t.item) for t in visit.touches if t.at >= visit.began]
        before = [number for number in before if number >= 0]
        for touch in touches:
            number = self.items.number(touch.item)
            weight = self.rules.feedback[KINDS[touch.kind]].weight
            if number >= 0 and weight > 0:
                self.wanted.note(number, weight, at)
                self._remember(number)
                self.pairs.note(number, before)
                before.append(number)

    def _learn_item(self, said: Said, at: int) -> None:
        """Put a product that only events know on the shelf, or refresh it; what a file or a call said stays."""
        known = self.items.get(said.item)
        if not self.rules.learn_items or (known is not None and not known.learned):
            return
        try:
            item = item_of({**said.product, "id": said.item, "added": None}, known.added if known else at, learned=True)
            if known is not None:  # an event that says less takes nothing away
                item = _fuller(known, item)
            if item != known:
                self._hold([item])
        except BadInput:
            return

    def _hold(self, items: Sequence[Item]) -> None:
        self.items.put(items)
        self._look_anew()

    def _look_anew(self) -> None:
        changed = self.items.changed()
        self.conditions.changed(changed)
        for number in changed:
            self._remember(number)

    def _remember(self, number: int) -> None:
        self._changed[number] = None
        if len(self._changed) > REMEMBERED:
            del self._changed[next(iter(self._changed))]

    def _mark(self) -> int:
        return int(self._marks.get("heard") or b"0")


def _fuller(known: Item, item: Item) -> Item:
    """Return an item with what is known of it where a new word of it says nothing."""
    from msgspec.structs import asdict

    blank = asdict(Item(""))
    return Item(**{k: getattr(known, k) if v == blank[k] else v for k, v in asdict(item).items()})
