"""What each customer had to do with items: the last touches of each identity, sealed with the customer's key.

A row belongs to a node, as profiles do: what a visitor looked at is part of the person they turn out to be from the
moment of the join, and no longer when that is undone. Gifts are kept apart touch by touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from opportune.catalog.shelf_types import ShelfRules
from opportune.errors import Forgotten, NotFound
from opportune.recommend.feedback import KINDS, Purpose
from opportune.store.base import Store
from opportune.store.vault import Vault


class Touch(msgspec.Struct, frozen=True, array_like=True):
    """One thing that a customer had to do with an item; `kind` is the number of one of `KINDS`."""

    item: str
    kind: int
    at: int
    gift: bool = False


class Taste(msgspec.Struct, frozen=True, array_like=True):
    """The last touches of an identity, by time; the purpose of its running visit, when that began and went on last.

    `seen` is the number of the last event that it reflects, so that none counts twice.
    """

    touches: tuple[Touch, ...] = ()
    purpose: Purpose = "self"
    began: int = 0
    last: int = 0
    seen: int = 0

    def visiting(self, at: int, rules: ShelfRules) -> bool:
        """Return whether the visit goes on at an instant."""
        return at - self.last <= rules.session


BLANK = Taste()


class Tastes:
    """The rows of a store. Call what writes inside of a transaction."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self._rows, self._vault = store.table("tastes"), vault

    def of(self, node: str) -> Taste:
        """Return the taste of a node; a blank one where it has none."""
        row = self._rows.get(node)
        return BLANK if row is None else _taste(self._vault.open(node, row))

    def put(self, node: str, taste: Taste) -> None:
        """Keep the taste of a node."""
        self._rows.put([(node, self._vault.seal(node, _encode(taste)))])

    def merged(self, nodes: Sequence[str]) -> Taste:
        """Return the taste of a person: the touches of all their identities, and the visit that went on last."""
        found = [self.of(node) for node in nodes]
        if len(found) == 1:
            return found[0]
        latest = max(found, key=lambda taste: taste.last, default=BLANK)
        touches = sorted((t for taste in found for t in taste.touches), key=lambda touch: touch.at)
        return Taste(tuple(touches), latest.purpose, latest.began, latest.last)

    def each(self, after: str = "") -> Iterator[tuple[str, Taste]]:
        """Yield the nodes with their tastes, by node; those of forgotten customers are left out."""
        for node, row in self._rows.scan(after=after):
            try:
                yield node, _taste(self._vault.open(node, row))
            except (Forgotten, NotFound):
                continue


def forget(store: Store, subjects: Iterable[str]) -> None:
    """Remove what is kept of some customers."""
    store.table("tastes").delete(list(subjects))


def touched(taste: Taste, more: Sequence[Touch], purpose: Purpose, at: int, seen: int, rules: ShelfRules) -> Taste:
    """Return the taste with more touches; of gifts and of one's own the last `history` are kept each."""
    going = taste.visiting(at, rules)
    touches = sorted((*taste.touches, *more), key=lambda touch: touch.at) if more else taste.touches
    if len(touches) > rules.history:
        own = [t for t in touches if not t.gift][-rules.history :]
        gifts = [t for t in touches if t.gift][-rules.history :]
        touches = sorted((*own, *gifts), key=lambda touch: touch.at)
    began = taste.began if going else at
    return Taste(tuple(touches), purpose, began, max(taste.last, at), max(seen, taste.seen))


NUMBER_OF = {kind: number for number, kind in enumerate(KINDS)}

_encode = msgspec.msgpack.Encoder().encode
_taste = msgspec.msgpack.Decoder(Taste).decode
