"""A bookshop for the tests of the shelf: books of some themes, customers who each like one, and a clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from opportune.catalog.shelf_types import ShelfRules
from opportune.clock import DAY, MINUTE
from opportune.events.types import Event
from opportune.recommend.learning import Gathering
from opportune.recommend.model import dump
from opportune.recommend.ranking import Recommended
from opportune.recommend.shelf import Customer, Shelf
from opportune.store import open_store
from opportune.store.base import Store
from opportune.store.vault import Vault
from opportune.testing import START

THEMES = ("horror", "travel", "art", "cooking")
EACH = 12


class House:
    """A shelf on a memory store; nodes of one customer are those that `join` said are."""

    def __init__(self, rules: ShelfRules | None = None, store: Store | None = None, books: bool = True) -> None:
        self.store = store or open_store("memory:")
        self.vault = Vault(self.store)
        self.joined: dict[str, list[str]] = {}
        self.rules = rules or ShelfRules(explore=0.0)
        self.at = START
        self.shelf = self.open()
        if books:
            self.put(*[book(theme, k) for theme in THEMES for k in range(EACH)])

    def open(self) -> Shelf:
        """Return the shelf of the store as a new process has it."""
        shelf = Shelf(self.store, self.vault, self.nodes)
        shelf.adopt(self.rules)
        return shelf

    def nodes(self, node: str) -> list[str]:
        return self.joined.get(node, [node])

    def node(self, name: str) -> str:
        return self.vault.subject(name)

    def join(self, *names: str) -> None:
        nodes = [self.node(name) for name in names]
        self.joined.update(dict.fromkeys(nodes, nodes))

    def put(self, *rows: dict[str, Any]) -> None:
        with self.store.transaction():
            self.shelf.put(rows, self.at)

    def hears(self, who: str, event: str, *items: str, at: int | None = None, **properties: Any) -> None:
        """Let the shelf hear a track event about items."""
        told = {"product_id": items[0]} if len(items) == 1 else {"products": [{"product_id": i} for i in items]}
        said = {**(told if items else {}), **properties}
        at = at or self.at
        self.note(who, Event(type="track", message_id="m", at=at, received_at=at, event=event, properties=said))

    def note(self, who: str, event: Event, sequence: int = 0) -> None:
        with self.store.transaction():
            self.shelf.note(event, self.node(who), sequence)

    def gets(self, who: str, n: int = 5, **more: Any) -> list[Recommended]:
        known = {key: more.pop(key) for key in ("values", "topics") if key in more}
        return self.shelf.recommend(Customer(self.nodes(self.node(who)), **known), self.at, n, **more)

    def populate(self, customers: int = 120, seed: int = 3) -> None:
        """Let customers buy books, mostly of one theme each, over some weeks; then train."""
        rng = np.random.default_rng(seed)
        for k in range(customers):
            theme = THEMES[k % len(THEMES)]
            for _ in range(5):
                mine = theme if rng.random() < 0.9 else THEMES[rng.integers(len(THEMES))]
                at = START - int(rng.integers(1, 30 * DAY // MINUTE)) * MINUTE
                self.hears(f"customer-{k}", "Order Completed", f"{mine}-{rng.integers(EACH)}", at=at)
        self.train()

    def train(self) -> None:
        gathering = Gathering(self.shelf.tastes, self.shelf.items, self.rules, self.at)
        while gathering.step():
            pass
        model = gathering.train()
        with self.store.transaction():
            self.shelf.learned.take(model, gathering.touches, dump(model))


def book(theme: str, k: int, **more: Any) -> dict[str, Any]:
    return {"id": f"{theme}-{k}", "title": f"The {theme} volume {k}", "categories": [theme], "price": 10 + k,
            "added": "2024-01-01", **more}  # fmt: skip


def themes(found: list[Recommended]) -> list[str]:
    return [one.id.partition("-")[0] for one in found]
