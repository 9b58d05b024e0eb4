"""Sample customers, on whom templates are tried before anybody gets them: what real profiles do to texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opportune.catalog.types import Action, Catalog
from opportune.deliver import person
from opportune.deliver.person import context
from opportune.rules import Kind

NOW = 1_767_258_000_000_000
"""2026-01-01T09:00:00Z"""

ADDRESS = {"street": "Long Street 12", "postalCode": "10115", "city": "Berlin", "country": "DE"}
"""Where sample customers live, unless the catalog declares a trait `address` of its own."""

COUPON = {"code": "XXXX-XXXX-XXXX-XXXXX", "name": "sample", "ends": "2026-12-31T23:00:00Z", "value": 10.0}
"""What sample customers get of an action that gives a code."""

ORDINARY = "an ordinary customer"

_LONG = "Maximiliana-" * 17
_SAMPLES: dict[str, tuple[dict[str, str], str, float]] = {
    ORDINARY: ({"first_name": "Maya", "last_name": "Kruse", "salutation": "Ms"}, "silver", 12.5),
    "a customer with names of 200 characters": ({"first_name": _LONG[:200], "last_name": _LONG[:200]}, _LONG[:200], 1),
    "a customer who writes from right to left": ({"first_name": "مايا", "last_name": "حداد"}, "فضّي", 3),
    "a customer whose name has quotes, markup and line breaks": (
        dict.fromkeys(("first_name", "last_name"), "O\"Neil' <script>alert(1)</script>\r\nBcc: all 👋🏽"),
        "<b>'\"&\n{{ traits }}",
        -1.005,
    ),
    "a customer whose numbers are zero": ({"name": "Maya Kruse"}, "", 0),
    "a customer whose numbers are huge": ({"name": "Maya Kruse"}, "silver", 999_999_999_999.99),
}
"""Name traits, what any other text trait holds, and what any number is."""


def links(action: Action) -> dict[str, str]:
    """Return the links that a message of an action has, leading nowhere."""
    return {name: f"https://example.com/{name}" for name in person.links_of(action)}


def samples(catalog: Catalog, action: Action, language: str, by_post: bool = False) -> dict[str, dict[str, Any]]:
    """Return a context for each kind of sample customer who reads a language, by what is special about them.

    `by_post`: all of them have an address, since nobody gets a letter without one.
    """
    known: dict[str, Any] = {"language": language, **({"address": ADDRESS} if by_post else {})}
    nobody = context(
        "sample", known, {}, catalog, NOW, catalog.time_zone, action, None, links=links(action)
    )
    people = {what: _person(catalog, action, language, what) for what in _SAMPLES}
    return {"a customer of whom nothing is known": nobody, **people}


def ordinary(catalog: Catalog, action: Action, language: str) -> dict[str, Any]:
    """Return the context of the sample customer with whom nothing is special."""
    return _person(catalog, action, language, ORDINARY)


def _person(catalog: Catalog, action: Action, language: str, what: str) -> dict[str, Any]:
    names, text, number = _SAMPLES[what]
    held: dict[Kind, Any] = {Kind.TEXT: text, Kind.NUMBER: number, Kind.BOOL: True, Kind.TIME: NOW}
    declared = {t.name: held[t.kind] for t in catalog.traits}
    traits = {"address": ADDRESS} | declared | names | {"language": language}
    values = {f.name: held[f.kind] for f in catalog.features}
    return context(
        "sample", traits, values, catalog, NOW, catalog.time_zone, action, number, "sample", _items(action, names),
        links(action), COUPON if any(t.coupon for t in action.treatments) else None,
    )


def _items(action: Action, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return as many items as a treatment of an action carries, titles as odd as the names of their customer."""
    wanted = max((t.items.n for t in action.treatments if t.items), default=0)
    title = names.get("last_name") or "Tea"
    return [
        {"id": f"sample-{k}", "title": f"{title} {k}", "price": 9.9 * k, "image": "https://example.com/image.png",
         "url": f"https://example.com/{k}", "categories": ["sample"], "tags": [], "reason": "popular"}
        for k in range(1, wanted + 1)
    ]  # fmt: skip
