"""An item: a thing that an action can carry, and how it is read from a file, a call or an event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from opportune.clock import DAY, parse_instant, parse_span, to_datetime
from opportune.errors import BadInput

MOST_WORDS = 20
"""Categories, and tags, of one item."""

LONGEST = 512
"""Characters of an id, a title, a category, a tag."""

LONGEST_URL = 2048

CONSUMED = 30 * DAY
"""After which span what is consumed is wanted again, where nobody says."""


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """A thing that an action can carry. None for what is not known; no stock known is enough stock.

    `every` is the usual interval, a span, of what is consumed (None: it is not). `learned`: it is known from events
    alone.
    """

    id: str
    title: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    price: float | None = None
    margin: float | None = None
    stock: float | None = None
    valid_from: int | None = None
    valid_until: int | None = None
    every: int | None = None
    min_age: int = 0
    image: str = ""
    url: str = ""
    added: int = 0
    learned: bool = False

    @property
    def name(self) -> str:
        """The title, or the id where there is none."""
        return self.title or self.id


def item_of(row: Mapping[str, Any], now: int, learned: bool = False) -> Item:
    """Return the item of a row of a file, a call or an event's product. Raises `BadInput`, naming the field.

    Also read are the names that Segment's spec has: `product_id` and `sku`, `name`, `category`, `image_url`. Several
    categories or tags in one text are parted by `|`. `consumable` is true or a span; texts are numbers where they must.

    >>> item_of({"product_id": 7, "name": "Dracula", "category": "horror|classics", "price": "9.90"}, 0).categories
    ('horror', 'classics')
    """
    name = id_in(row)
    if name is None:
        raise BadInput("an item has no id; give `id` (or product_id), a text of 1 to 512 characters")
    read = _Read(row, f"item {name[:60]!r}")
    return Item(
        id=name,
        title=read.text("title", "name"),
        categories=read.words("categories", "category"),
        tags=read.words("tags"),
        price=read.number("price"),
        margin=read.number("margin", low=-math.inf),
        stock=read.number("stock"),
        valid_from=read.instant("valid_from", "validFrom"),
        valid_until=read.instant("valid_until", "validUntil"),
        every=read.every(),
        min_age=int(read.number("min_age", "minAge") or 0),
        image=read.text("image", "image_url", most=LONGEST_URL),
        url=read.text("url", most=LONGEST_URL),
        added=read.instant("added") or now,
        learned=learned,
    )


def id_in(row: Mapping[str, Any], of: str = "") -> str | None:
    """Return the id of the item that a row or the properties of an event name; None where they name none."""
    for key in (of,) if of else ("id", "product_id", "productId", "item_id", "itemId", "sku"):
        value = row.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and 1 <= len(value) <= LONGEST and "\x1f" not in value:
            return value
    return None


def told(item: Item) -> dict[str, Any]:
    """Return what a channel gets of an item: JSON, without what is not known and without the margin."""
    plain = msgspec.to_builtins(item)
    for key in ("margin", "learned", "added", "stock", "valid_from", "valid_until", "every", "min_age"):
        plain.pop(key, None)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}


def whole(item: Item) -> dict[str, Any]:
    """Return everything about an item as JSON; `item_of` reads it back."""
    plain = told(item) | {"margin": item.margin, "stock": item.stock, "min_age": item.min_age or None}
    plain["consumable"] = None if item.every is None else f"{item.every // 1_000_000}s"
    for key in ("valid_from", "valid_until", "added"):
        at = getattr(item, key)
        plain[key] = None if at is None else to_datetime(at)
    return {key: value for key, value in plain.items() if value is not None}


class _Read:
    """The fields of one row."""

    def __init__(self, row: Mapping[str, Any], what: str) -> None:
        self._row, self._what = row, what

    def _value(self, *names: str) -> Any:
        found = (self._row.get(name) for name in names)
        return next((value for value in found if value is not None and value != ""), None)

    def _wrong(self, name: str, value: Any, must: str) -> BadInput:
        return BadInput(f"{self._what}: {name} is {str(value)[:60]!r}; it must be {must}")

    def text(self, *names: str, most: int = LONGEST) -> str:
        value = self._value(*names)
        if value is None:
            return ""
        if isinstance(value, Mapping | list) or len(str(value)) > most:
            raise self._wrong(names[0], value, f"a text of at most {most:,} characters")
        return str(value)

    def words(self, *names: str) -> tuple[str, ...]:
        value = self._value(*names)
        parts = value.split("|") if isinstance(value, str) else [] if value is None else value
        if not isinstance(parts, list | tuple) or not all(isinstance(one, str) for one in parts):
            raise self._wrong(names[0], value, "a list of texts, or texts parted by |")
        words = tuple(dict.fromkeys(one.strip() for one in parts if one.strip()))
        if len(words) > MOST_WORDS or any(len(one) > LONGEST for one in words):
            raise self._wrong(names[0], value, f"at most {MOST_WORDS} texts of at most {LONGEST} characters")
        return words

    def number(self, *names: str, low: float = 0.0) -> float | None:
        value = self._value(*names)
        if value is None:
            return None
        try:
            number = float(value) if not isinstance(value, bool | Mapping | list) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not (math.isfinite(number) and low <= number <= 1e12):
            raise self._wrong(names[0], value, "a number" + (" of 0 or more" if low == 0 else ""))
        return number

    def instant(self, *names: str) -> int | None:
        value = self._value(*names)
        if value is None:
            return None
        try:
            return parse_instant(value.isoformat() if hasattr(value, "isoformat") else str(value))
        except (BadInput, OverflowError):
            raise self._wrong(names[0], value, "a time in ISO 8601, such as 2026-01-31T12:00:00Z") from None

    def every(self) -> int | None:
        value = self._value("consumable")
        if value is None or value is False or str(value).lower() in ("false", "0", "no"):
            return None
        if value is True or str(value).lower() in ("true", "1", "yes"):
            return CONSUMED
        try:
            return parse_span(str(value))
        except BadInput:
            raise self._wrong("consumable", value, "true, false or a span such as 30d") from None
