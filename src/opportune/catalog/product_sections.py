"""The section `products`: what customers put together themselves, and what fits with what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Conditions, Fields
from opportune.catalog.node import Node
from opportune.catalog.product_conditions import check_condition
from opportune.catalog.product_options import MONEY, few, in_time, read_options, value_name, written_option
from opportune.catalog.product_types import PricePart, Product, ProductOption, ProductRule
from opportune.catalog.types import Catalog
from opportune.clock import format_instant
from opportune.rules import Expression, Kind, parse

MOST_RULES = 500
"""Rules, and parts of the price, of a product."""


def read_products(draft: Draft, node: Node | None) -> tuple[Product, ...]:
    """Return the products, by name."""
    return tuple(sorted((_product(draft, item) for item in entries(node)), key=lambda product: product.name))


def _product(draft: Draft, item: Node) -> Product:
    fields, name = draft.named("products", "product", item)
    options = read_options(draft, fields, name)
    names = Conditions(draft.report)
    names.names = {option.name: option.kind for option in options}
    about = _About(draft, fields, name, names, options)
    options = tuple(about.with_conditions(option) for option in options)
    product = Product(
        name,
        options,
        fields.text("title"),
        fields.number("base", 0.0, -MONEY, MONEY),
        tuple(about.rule(place, one) for place, one in enumerate(few(fields, "rules", MOST_RULES), 1)),
        tuple(about.part(place, one) for place, one in enumerate(few(fields, "prices", MOST_RULES), 1)),
        fields.instant("from", draft.zone),
        fields.instant("until", draft.zone),
        fields.whole("designer_points", 0),
    )
    fields.close()
    if product.designer_points and draft.parts["loyalty"] is None:
        what = f"product `{name}` gives `designer_points`, and the catalog has no points"
        draft.report.error(fields.spot("designer_points"), what, "add `loyalty:`, or remove it")
    in_time(fields, product.starts, product.ends)
    return product


# --- conditions


class _About:
    """Reads what is said about the options of one product."""

    def __init__(
        self, draft: Draft, fields: Fields, product: str, names: Conditions, options: tuple[ProductOption, ...]
    ) -> None:
        self._draft, self._fields, self._names = draft, fields, names
        self._section = f"products.{product}"
        self._options = {option.name: option for option in options}

    def condition(self, fields: Fields, key: str, required: bool = False) -> Expression | None:
        node = fields.find(key, required)
        return None if node is None else self._read(node, Kind.BOOL)

    def _read(self, node: Node, kind: Kind) -> Expression | None:
        found = self._names.read(node, kind)
        return found if found is None or check_condition(self._draft.report, node, found, self._options) else None

    def with_conditions(self, option: ProductOption) -> ProductOption:
        """Return an option whose values know when they can be chosen."""
        if option.type != "choice":
            return option
        known = self._draft.nodes.get(f"{self._section}.options", {}).get(option.name)
        nodes = known.get("values").value if known is not None else None
        changed: dict[str | float, Expression] = {}
        for node in nodes if isinstance(nodes, list) else ():
            if isinstance(node.value, dict) and "when" in node.value and node.value["when"].value is not None:
                found, named = self._read(node.value["when"], Kind.BOOL), value_name(node)
                word = named.text.strip() if option.kind is Kind.TEXT else named.value
                if found is not None:
                    changed[word] = found  # type: ignore[index]
        return replace(option, values=tuple(replace(v, when=changed.get(v.name)) for v in option.values))

    def rule(self, place: int, node: Node) -> ProductRule:
        """Return a rule: a condition alone, or a mapping with `then`."""
        if not isinstance(node.value, dict):
            return ProductRule(f"rule {place}", self._read(node, Kind.BOOL) or _ANY)
        fields = self._named("rules", "rule", node, place)
        rule = ProductRule(
            fields.text("name") or f"rule {place}", self.condition(fields, "then", required=True) or _ANY,
            self.condition(fields, "when"), fields.text("because"),
        )  # fmt: skip
        fields.close()
        return rule

    def part(self, place: int, node: Node) -> PricePart:
        """Return a part of the price."""
        fields = self._named("prices", "part of the price", node, place)
        amount, percent = fields.find("amount"), fields.find("percent")
        if isinstance(node.value, dict) and (amount is None) == (percent is None):
            what = f"{fields.what} needs one of `amount` and `percent`"
            cure = "amount: -5 is money off, percent: -10 a tenth of what comes before"
            self._draft.report.error(node.spot, what, cure)
        found: float | Expression = 0.0
        if amount is not None:
            if isinstance(amount.value, int | float) and not isinstance(amount.value, bool):
                found = fields.number_of(amount, "amount", 0.0, -MONEY, MONEY)
            else:
                found = self._read(amount, Kind.NUMBER) or 0.0
        part = PricePart(
            fields.text("name") or f"part {place}", fields.text("title"), self.condition(fields, "when"), found,
            0.0 if percent is None else fields.number_of(percent, "percent", 0.0, -100.0, 1000.0),
        )  # fmt: skip
        fields.close()
        return part

    def _named(self, key: str, one: str, node: Node, place: int) -> Fields:
        has_name = isinstance(node.value, dict) and "name" in node.value
        if has_name:
            return self._draft.named(f"{self._section}.{key}", one, node)[0]
        fields = Fields(node, self._draft.report, f"{one} {place} of {self._fields.what}")
        fields.find("name")
        return fields


_ANY = parse("TRUE", {})
"""What stands for a condition after a mistake."""


# --- written back


def write_products(catalog: Catalog) -> Any:
    return [
        slim(
            name=p.name,
            title=p.title,
            base=p.base or None,
            options=[written_option(option) for option in p.options],
            rules=[_written_rule(place, rule) for place, rule in enumerate(p.rules, 1)],
            prices=[_written_part(place, part) for place, part in enumerate(p.prices, 1)],
            from_=None if p.starts is None else format_instant(p.starts),
            until=None if p.ends is None else format_instant(p.ends),
            designer_points=p.designer_points or None,
        )
        for p in catalog.products
    ]


def _written_rule(place: int, r: ProductRule) -> Any:
    name = "" if r.name == f"rule {place}" else r.name
    said = slim(name=name, when=r.when and r.when.canonical, because=r.because)
    return {**said, "then": r.then.canonical} if said else r.then.canonical


def _written_part(place: int, p: PricePart) -> Any:
    amount = p.amount.canonical if isinstance(p.amount, Expression) else p.amount
    said = slim(name="" if p.name == f"part {place}" else p.name, title=p.title, when=p.when and p.when.canonical)
    return {**said, **({"percent": p.percent} if p.percent else {"amount": amount})}
