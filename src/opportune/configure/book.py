"""The configurations of a store: designs by their id, and a log of what was saved and ordered.

A design says what everybody may see. What is personal, and whose it is, lies sealed with the key of the designer beside
it and in the log, whose rows are those of a customer's identity. Call what writes inside of a transaction; nothing is
remembered between calls.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from opportune.catalog.product_types import Chosen
from opportune.configure.likely import Own
from opportune.errors import BadRequest, Forgotten
from opportune.store.base import Store
from opportune.store.vault import Vault

OTHERS = 5_000
"""Customers whose last design of a product is looked at for what is likely."""

REMEMBERED = 20
"""Configurations of a customer that are looked at."""

MOST_OF_ONE = 1_000
"""Designs that an identity may keep."""


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """What happened to a configuration: a customer `saved`, `ordered` or `removed` it, or was `credited` for it."""

    kind: Literal["saved", "ordered", "credited", "removed"]
    at: int
    id: str
    product: str
    choices: dict[str, Chosen] = {}
    price: float = 0.0
    points: int = 0


class Design(msgspec.Struct, frozen=True, array_like=True):
    """A saved configuration as everybody may see it; `designer` is the pseudonym of an identity, "" once forgotten."""

    product: str
    choices: dict[str, Chosen]
    saved: int
    designer: str
    personal: bytes = b""
    orders: int = 0


class Order(msgspec.Struct, frozen=True, array_like=True):
    """An order that was taken: of which configuration, for whom ("" once forgotten), and what came of it.

    `choices` are sealed.
    """

    id: str
    product: str
    node: str
    at: int
    price: float
    credited: bool
    points: int
    choices: bytes = b""


class ConfigurationBook:
    """The configurations of a store."""

    def __init__(
        self, store: Store, vault: Vault, entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        self._store, self._vault, self._entropy = store, vault, entropy
        self._log = store.log("configurations")
        self._designs, self._orders = store.table("designs"), store.table("design_orders")
        self._rows, self._slots = store.table("design_rows"), store.table("design_slots")
        self._marks = store.table("design_marks")

    def save(
        self, node: str, product: str, open: Mapping[str, Chosen], personal: Mapping[str, Chosen], at: int
    ) -> str:
        """Keep a configuration of an identity; return its id, which nobody can guess. `open` is what others may see.

        The same configuration of the same identity has the same id.
        """
        known = self.saved(node)
        for id, design in known:
            if (design.product, design.choices) == (product, dict(open)) and self._own(design) == dict(personal):
                return id
        if len(known) >= MOST_OF_ONE:
            cure = "take one back: DELETE /v1/configurations/ID?userId=..."
            raise BadRequest(f"there is no room: a customer keeps {MOST_OF_ONE:,} configurations at most; {cure}")
        id = base64.urlsafe_b64encode(self._entropy(16)).rstrip(b"=").decode()
        sealed = self._vault.seal(node, _encode(dict(personal))) if personal else b""
        self._designs.put([(id, _encode(Design(product, dict(open), at, node, sealed)))])
        self._slots.put([(f"of/{node}/{id}", b"")])
        self._tell(node, Fact("saved", at, id, product, {**open, **personal}))
        self._count(node, product, open)
        return id

    def get(self, id: str) -> Design | None:
        """Return a design; None if there is none of that id."""
        row = self._designs.get(id)
        return None if row is None else _design(row)

    def personal(self, id: str, nodes: Sequence[str]) -> dict[str, Chosen]:
        """Return what is personal of a design, to its designer alone."""
        design = self.get(id)
        return self._own(design) if design is not None and design.designer in nodes else {}

    def order(
        self, key: str, id: str, node: str, open: Mapping[str, Chosen], personal: Mapping[str, Chosen], price: float,
        points: int | None, at: int,
    ) -> None:  # fmt: skip
        """Take in that a design was ordered by an identity. `points` go to the designer; None: it is their own."""
        design = self.get(id)
        assert design is not None
        credited = points is not None and bool(design.designer)
        choices = {**open, **personal}
        sealed = self._vault.seal(node, _encode(choices))
        hash = self.hash(key)
        self._orders.put([(hash, _encode(Order(id, design.product, node, at, price, credited, points or 0, sealed)))])
        self._slots.put([(f"order/{node}/{hash}", b"")])
        self._designs.put([(id, _encode(msgspec.structs.replace(design, orders=design.orders + 1)))])
        self._tell(node, Fact("ordered", at, id, design.product, choices, price))
        if credited:
            self._tell(design.designer, Fact("credited", at, id, design.product, price=price, points=points or 0))
        self._count(node, design.product, open)

    def remove(self, id: str, at: int) -> None:
        """Let there be no design of that id any more; its orders stay."""
        design = self.get(id)
        assert design is not None
        self._designs.delete([id])
        self._slots.delete([f"of/{design.designer}/{id}"])
        self._tell(design.designer, Fact("removed", at, id, design.product))

    def ordered(self, key: str) -> Order | None:
        """Return what came of an order; None if it is not known."""
        row = self._orders.get(self.hash(key))
        return None if row is None else _order(row)

    def choices_of(self, order: Order) -> dict[str, Chosen]:
        """Return what was ordered. Raises `Forgotten`."""
        if not order.node:
            raise Forgotten("this order was of a customer who asked to be forgotten")
        return _choices(self._vault.open(order.node, order.choices))

    def own(self, nodes: Iterable[str], product: str) -> list[Own]:
        """Return the last configurations of a customer for a product, the newest first."""
        found: list[tuple[int, Own]] = []
        for node in nodes:
            last: deque[Fact] = deque(maxlen=REMEMBERED)
            for fact in self.facts(node):
                if fact.kind == "removed":
                    last = deque((one for one in last if (one.kind, one.id) != ("saved", fact.id)), REMEMBERED)
                elif fact.product == product and fact.kind != "credited":
                    last.append(fact)
            found += [(fact.at, Own(fact.choices, fact.kind == "ordered")) for fact in last]
        found.sort(key=lambda pair: pair[0])
        return [own for _, own in found[: -REMEMBERED - 1 : -1]]

    def saved(self, node: str) -> list[tuple[str, Design]]:
        """Return the designs that an identity saved, by id."""
        ids = [key.rpartition("/")[2] for key, _ in self._slots.scan(f"of/{node}/")]
        return [(id, design) for id in ids if (design := self.get(id)) is not None]

    def facts(self, node: str) -> Iterator[Fact]:
        """Yield what happened to the configurations of an identity, in order."""
        for _, _, payload in self._log.read(0, node):
            if payload:
                yield _fact(self._vault.open(node, payload))

    def others(self, product: str) -> tuple[int, list[dict[str, Chosen]]]:
        """Return the last design of each of the last customers, and a number that changes when these do."""
        version = int(self._marks.get(f"seen/{product}") or b"0")
        return version, [_row(row).choices for _, row in self._rows.scan(f"{product}/")]

    def version(self, product: str) -> int:
        """Return the number that changes when what `others` gives does."""
        return int(self._marks.get(f"seen/{product}") or b"0")

    def hash(self, text: str) -> str:
        """Return what stands for a text, the same in this store at all times, and from which nobody can tell it."""
        secret = self._marks.get("secret")
        if secret is None:
            with self._store.transaction():
                secret = self._marks.get("secret") or self._entropy(32)
                self._marks.put([("secret", secret)])
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=secret, digest_size=16).hexdigest()

    # --- parts

    def _own(self, design: Design) -> dict[str, Chosen]:
        if not design.personal:
            return {}
        try:
            return _choices(self._vault.open(design.designer, design.personal))
        except Forgotten:
            return {}

    def _tell(self, node: str, fact: Fact) -> None:
        self._log.append([(node, self._vault.seal(node, _encode(fact)))])

    def _count(self, node: str, product: str, open: Mapping[str, Chosen]) -> None:
        """Let an identity's last design of a product count, in the place of the one before, or of the oldest."""
        mine = f"slot/{node}/{product}"
        seen = int(self._marks.get(f"seen/{product}") or b"0") + 1
        known = self._slots.get(mine)
        if known is None:
            made = int(self._marks.get(f"made/{product}") or b"0")
            slot = f"{product}/{made % OTHERS:05d}"
            if (before := self._rows.get(slot)) is not None:
                self._slots.delete([f"slot/{_row(before).node}/{product}"])
            self._marks.put([(f"made/{product}", str(made + 1).encode())])
        else:
            slot = known.decode()
        self._slots.put([(mine, slot.encode())])
        self._rows.put([(slot, _encode(_Row(node, dict(open))))])
        self._marks.put([(f"seen/{product}", str(seen).encode())])


class _Row(msgspec.Struct, frozen=True, array_like=True):
    node: str
    choices: dict[str, Chosen]


def forget(store: Store, subjects: Iterable[str]) -> None:
    """Take some identities out of the configurations of a store.

    Designs that they shared stay, as nobody's, and so do their orders. What was personal cannot be read once their keys
    are destroyed.
    """
    designs, slots, rows = store.table("designs"), store.table("design_slots"), store.table("design_rows")
    orders = store.table("design_orders")
    for subject in subjects:
        for key, _ in list(slots.scan(f"of/{subject}/")):
            row = designs.get(key.rpartition("/")[2])
            if row is not None:
                nobodys = msgspec.structs.replace(_design(row), designer="", personal=b"")
                designs.put([(key.rpartition("/")[2], _encode(nobodys))])
            slots.delete([key])
        for key, _ in list(slots.scan(f"order/{subject}/")):
            hash = key.rpartition("/")[2]
            if (row := orders.get(hash)) is not None:
                orders.put([(hash, _encode(msgspec.structs.replace(_order(row), node="", choices=b"")))])
            slots.delete([key])
        for key, slot in list(slots.scan(f"slot/{subject}/")):
            row = rows.get(slot.decode())
            if row is not None:
                rows.put([(slot.decode(), _encode(msgspec.structs.replace(_row(row), node="")))])
            slots.delete([key])


_encode = msgspec.msgpack.Encoder().encode
_fact = msgspec.msgpack.Decoder(Fact).decode
_design = msgspec.msgpack.Decoder(Design).decode
_order = msgspec.msgpack.Decoder(Order).decode
_row = msgspec.msgpack.Decoder(_Row).decode
_choices = msgspec.msgpack.Decoder(dict[str, Chosen]).decode
