"""Differences between catalogs, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from opportune.catalog import load
from opportune.catalog.diff import diff

Shop = Callable[..., Path]


def test_equal_catalogs_do_not_differ(shop: Shop) -> None:
    catalog = load(shop())
    assert diff(catalog, load(shop(("tenure_months >= 6", "tenure_months>=6")))) == []


def test_each_field_is_one_change(shop: Shop) -> None:
    old = load(shop())
    new = load(
        shop(
            ("lever: 0", "lever: 20"),
            ("    suitable: plan <> 'trial'\n", ""),
            ("{title: Stay}", "{title: Please stay}"),
            ("at_most: 3", "at_most: 2"),
            ("explore: thompson", "explore: greedy"),
            ("name: more_data", "name: even_more"),
        )
    )
    changes = {c.path: c for c in diff(old, new)}
    assert [*changes] == sorted(changes)
    assert {path: c.kind for path, c in changes.items()} == {
        "actions.keep_bundle.lever": "changed",
        "actions.keep_bundle.suitable": "changed",
        "actions.keep_bundle.treatments.hero.content.title": "changed",
        "contact.email_week.at_most": "changed",
        "model.explore": "changed",
        "actions.more_data": "removed",
        "actions.even_more": "added",
    }
    assert str(changes["actions.keep_bundle.lever"]) == "actions.keep_bundle.lever: the default -> 20"
    assert str(changes["contact.email_week.at_most"]) == "contact.email_week.at_most: 3 -> 2"
    assert changes["actions.even_more"].before is None
    back = {c.path: (c.after, c.before) for c in diff(new, old)}
    assert back == {path: (c.before, c.after) for path, c in changes.items()}


def test_the_order_of_treatments_matters(shop: Shop) -> None:
    two = "[{name: hero, channel: app}, {name: second, channel: app}]"
    one = "[{name: second, channel: app}, {name: hero, channel: app}]"
    line = "[{name: hero, channel: app, placements: [app.home.*], content: {title: Stay}}]"
    (change,) = diff(load(shop((line, two))), load(shop((line, one))))
    assert change.path == "actions.keep_bundle.treatments.order"
