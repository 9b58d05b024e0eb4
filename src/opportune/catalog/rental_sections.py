"""The section `rentals`: what customers can subscribe to, and how much each tier of it holds."""

from __future__ import annotations

from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Conditions, Fields
from opportune.catalog.node import Node
from opportune.catalog.rental_types import RentalPlan, RentalTier
from opportune.catalog.shelf_types import ITEM_NAMES
from opportune.catalog.types import Catalog
from opportune.clock import format_span
from opportune.rules import Expression

MOST_AT_ONCE = 100
"""Items that a tier may let a customer have at once."""


def read_rentals(draft: Draft, node: Node | None) -> tuple[RentalPlan, ...]:
    """Return the plans, by name."""
    return tuple(sorted((_plan(draft, item) for item in entries(node)), key=lambda plan: plan.name))


def _plan(draft: Draft, item: Node) -> RentalPlan:
    fields, name = draft.named("rentals", "rental plan", item)
    nodes = fields.items("tiers", required=True)
    plan = RentalPlan(
        name,
        tuple(_tier(draft, f"rentals.{name}", one) for one in nodes),
        _items(draft, fields),
        fields.span("keep"),
        fields.span("clean") or 0,
        fields.span("again"),
    )
    fields.close()
    if not nodes and fields.values.get("tiers") is not None:
        draft.report.error(fields.spot("tiers"), f"rental plan `{name}` has no tiers", "name one at least")
    return plan


def _tier(draft: Draft, section: str, node: Node) -> RentalTier:
    fields, name = draft.named(section, "tier", node)
    at_once = fields.whole("at_once", 1, 1, required=True)
    if at_once > MOST_AT_ONCE:
        fields.wrong(fields.values["at_once"], "at_once", f"at most {MOST_AT_ONCE}")
    tier = RentalTier(
        name,
        min(at_once, MOST_AT_ONCE),
        fields.whole("per_month", 1, 1) if fields.find("per_month") is not None else None,
        fields.number("most_value", 0.0, 0.0, 1e9) if fields.find("most_value") is not None else None,
        fields.number("price", 0.0, 0.0, 1e9),
    )
    fields.close()
    return tier


def _items(draft: Draft, fields: Fields) -> Expression | None:
    node = fields.find("items")
    if node is None:
        return None
    conditions = Conditions(draft.report)
    conditions.names = dict(ITEM_NAMES)
    return conditions.read(node)


def write_rentals(catalog: Catalog) -> Any:
    return [
        slim(
            name=plan.name,
            items=plan.items and plan.items.canonical,
            tiers=[
                slim(name=t.name, at_once=t.at_once, per_month=t.per_month, most_value=t.most_value,
                     price=t.price or None)
                for t in plan.tiers
            ],
            keep=plan.keep and format_span(plan.keep),
            clean=format_span(plan.clean) if plan.clean else None,
            again=plan.again and format_span(plan.again),
        )
        for plan in catalog.rentals
    ]  # fmt: skip
