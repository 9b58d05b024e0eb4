"""What the shop sells: the rows of one file, to be looked through and put on the shelf of the hub."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHELVES = ("phones", "plans", "accessories", "books")
"""The categories that are for sale, in the order in which the shop shows them."""

RENTED = "gear"
"""The category that can be rented only."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product: what the hub knows of it, and what only its own page says."""

    id: str
    title: str
    by: str
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    price: float
    stock: int | None
    picture: str
    text: str

    @property
    def is_rented(self) -> bool:
        """Whether it can be rented and not bought."""
        return RENTED in self.categories

    def item(self) -> dict[str, Any]:
        """Return the item of the hub's shelf; plans are used up by the month, so they may be wanted again."""
        row: dict[str, Any] = {
            "id": self.id, "title": self.title, "categories": list(self.categories), "tags": list(self.tags),
            "price": self.price, "url": f"/product/{self.id}", "image": f"/picture/{self.id}.svg",
        }  # fmt: skip
        if self.stock is not None:
            row["stock"] = self.stock
        return row


class Goods:
    """All products, in the order of their file."""

    def __init__(self, products: Iterable[Product]) -> None:
        self.all = {product.id: product for product in products}

    @classmethod
    def read(cls, file: Path) -> Goods:
        """Return the products of a CSV file that has the fields of `Product`; categories and tags parted by `|`."""
        with file.open(encoding="utf-8", newline="") as lines:
            return cls(_product(row) for row in csv.DictReader(lines))

    def kinds(self, category: str) -> list[str]:
        """Return the categories within one, such as the kinds of books, each once."""
        return list(dict.fromkeys(word for one in self.of(category) for word in one.categories if word != category))

    def of(self, category: str) -> list[Product]:
        """Return the products of a category."""
        return [one for one in self.all.values() if category in one.categories]

    def found(self, words: str, category: str = "") -> list[Product]:
        """Return what has all of some words in title, maker, category or tags; of one category if it is named.

        Without words and category it is everything that is for sale.
        """
        within = self.of(category) if category else [one for one in self.all.values() if not one.is_rented]
        wanted = words.casefold().split()
        return [one for one in within if all(word in _said(one) for word in wanted)]


def _said(one: Product) -> str:
    return " ".join((one.title, one.by, *one.categories, *one.tags)).casefold()


def _product(row: dict[str, str]) -> Product:
    words = (tuple(row[key].split("|")) if row[key] else () for key in ("categories", "tags"))
    categories, tags = words
    stock = int(row["stock"]) if row["stock"] else None
    return Product(row["id"], row["title"], row["by"], categories, tags, float(row["price"]), stock, row["picture"],
                   row["text"])  # fmt: skip
