"""The options of a product: what there is to choose, and what a profile says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from opportune.catalog.draft import Draft, slim
from opportune.catalog.fields import Conditions, Fields, nearest
from opportune.catalog.node import Node
from opportune.catalog.product_types import (
    Chosen,
    ProductOption,
    ProductValue,
    UnitPrice,
    exactly,
    position_of,
    written,
)
from opportune.clock import format_instant
from opportune.rules import Expression, Kind

MOST_OPTIONS, MOST_VALUES, MOST_STEPS = 100, 200, 1_000_000
"""Options of a product, values of a choice, and steps of a number."""

MOST_IN_ALL = 2_000
"""Values of all choices of a product."""

MONEY = 1e9
"""The most that anything costs."""

TYPES = ("choice", "number", "yes_no", "measure")


def read_options(draft: Draft, fields: Fields, product: str) -> tuple[ProductOption, ...]:
    """Return the options of a product; what values read of other options is read when all are known."""
    nodes = few(fields, "options", MOST_OPTIONS, required=True)
    if not nodes and fields.values.get("options") is not None:
        draft.report.error(fields.spot("options"), f"product `{product}` has no options", "name one at least")
    options = [_option(draft, f"products.{product}.options", node) for node in nodes]
    if (many := sum(len(option.values) for option in options)) > MOST_IN_ALL:
        what = f"the choices of product `{product}` have {many:,} values"
        draft.report.error(fields.spot("options"), what, f"at most {MOST_IN_ALL:,}")
    return tuple(options)


def _option(draft: Draft, section: str, node: Node) -> ProductOption:
    fields, name = draft.named(section, "option", node, readable=True)
    of = fields.choice("type", TYPES, "choice")
    shared: dict[str, Any] = {"name": name, "title": fields.text("title"), "personal": of == "measure"}
    if of == "choice":
        shared["values"] = _values(draft, fields, name)
    elif of == "yes_no":
        shared["price"] = fields.number("price", 0.0, -MONEY, MONEY)
    else:
        shared |= _number(fields, of == "number")
    if of != "measure":
        shared["personal"] = fields.flag("personal")
    option = ProductOption(type=of, **shared)  # type: ignore[arg-type]
    option = replace(option, default=_default(fields, option), fill=_fill(draft, fields, option))
    fields.close()
    return option


def _number(fields: Fields, priced: bool) -> dict[str, Any]:
    low = fields.number("min", 0.0, -1e9, 1e9, required=True)
    high = fields.number("max", low, -1e9, 1e9, required=True)
    step = fields.number("step", 1.0, 1e-6, 1e9)
    if fields.find("max") is not None and high <= low:
        fields.wrong(fields.values["max"], "max", f"more than `min`, {written(low)}")
        high = low
    steps = (exactly(high) - exactly(low)) / exactly(step)
    if steps.denominator != 1:
        last = float(exactly(low) + exactly(step) * (steps.numerator // steps.denominator))
        fields.wrong(fields.values["max"], "max", f"whole steps from `min`; the last one is {written(last)}")
        high = last
    elif steps > MOST_STEPS:
        what = f"{fields.what} has {int(steps):,} steps"
        fields.report.error(fields.spot("step"), what, f"at most {MOST_STEPS:,}: give a larger `step`")
        high = low + step
    found: dict[str, Any] = {"low": low, "high": high, "step": step, "unit": fields.text("unit")}
    if priced:
        price, tiers = fields.find("price"), fields.items("tiers")
        if price is not None and tiers:
            fields.report.error(fields.spot("tiers"), f"{fields.what} has both `price` and `tiers`", "keep one of them")
        each = fields.number("price", 0.0, -MONEY, MONEY)
        found["units"] = _tiers(fields, tiers) if tiers else (UnitPrice(each),) if each else ()
        if (tiers or each) and low < 0:
            fields.wrong(fields.values["min"], "min", "0 or more, as its units have a price")
    return found


def _tiers(of: Fields, nodes: list[Node]) -> tuple[UnitPrice, ...]:
    found: list[UnitPrice] = []
    for node in nodes:
        fields = Fields(node, of.report, f"a tier of {of.what}")
        to = fields.find("to")
        tier = UnitPrice(
            fields.number("price", 0.0, -MONEY, MONEY, required=True),
            None if to is None else fields.number_of(to, "to", 0.0, 0.0, 1e9),
        )
        fields.close()
        before = found[-1].to if found else 0.0
        if before is None or (tier.to is not None and tier.to <= before):
            cure = "order them by `to`; only the last has none"
            of.report.error(node.spot, f"the tiers of {of.what} do not rise", cure)
            continue
        found.append(tier)
    if found and found[-1].to is not None:
        of.report.error(nodes[-1].spot, f"the last tier of {of.what} ends", "leave its `to` out, so that all is priced")
    return tuple(found)


def _values(draft: Draft, option: Fields, name: str) -> tuple[ProductValue, ...]:
    nodes = few(option, "values", MOST_VALUES, required=True)
    if not nodes and option.values.get("values") is not None:
        draft.report.error(option.spot("values"), f"option `{name}` has no values", "name one at least")
    names = [value_name(node) for node in nodes]
    numbers = all(isinstance(one.value, int | float) and not isinstance(one.value, bool) for one in names)
    found: dict[str | float, ProductValue] = {}
    for node, named in zip(nodes, names):
        word: str | float = float(named.value) if numbers else named.text.strip()  # type: ignore[arg-type]
        if word in found or word == "":
            what = f"value `{word}` twice in option `{name}`" if word else f"a value of option `{name}` has no name"
            draft.report.error(named.spot, what, "keep one of them" if word else "add `name:`")
            continue
        if not isinstance(node.value, dict):
            found[word] = ProductValue(word)
            continue
        fields = Fields(node, draft.report, f"value `{named.text}` of option `{name}`")
        fields.find("name", required=True)
        fields.find("when")  # read when all options are known
        found[word] = ProductValue(
            word, fields.text("title"), fields.number("price", 0.0, -MONEY, MONEY), None, fields.text("because"),
            fields.text("item"), fields.instant("from", draft.zone), fields.instant("until", draft.zone),
        )  # fmt: skip
        fields.close()
        in_time(fields, found[word].starts, found[word].ends)
    return tuple(found.values())


def value_name(node: Node) -> Node:
    """Return the node that says the name of a value: the value itself, or its `name`."""
    inner = node.value.get("name") if isinstance(node.value, dict) else node
    return Node("", node.spot) if inner is None or isinstance(inner.value, dict | list) else inner


def _default(fields: Fields, option: ProductOption) -> Chosen | None:
    node = fields.find("default")
    if node is None:
        return None
    value: Any = node.value
    if option.kind is Kind.TEXT:
        value = node.text.strip()
    elif option.kind is Kind.NUMBER and isinstance(value, int | float) and not isinstance(value, bool):
        value = float(value)
    if position_of(option, value) is None:
        known = [written(v.name) for v in option.values] or (["true", "false"] if option.kind is Kind.BOOL else [])
        steps = f"write a step from {written(option.low)} to {written(option.high)}"
        cure = nearest(node.text, known) if known else steps
        fields.report.error(node.spot, f"`{node.text}` is no value of {fields.what}", cure)
        return None
    return value  # type: ignore[no-any-return]


def _fill(draft: Draft, fields: Fields, option: ProductOption) -> Expression | None:
    node = fields.find("fill")
    if node is None:
        return None
    about_customers = Conditions(draft.report)
    about_customers.names = {one.name: one.kind for key in ("traits", "features") for one in draft.parts[key]}
    return about_customers.read(node, option.kind)


def in_time(fields: Fields, starts: int | None, ends: int | None) -> None:
    """Report what ends before it starts."""
    if starts is not None and ends is not None and starts >= ends:
        fields.report.error(fields.spot("until"), f"{fields.what} ends before it starts", "end it after `from`")


def few(fields: Fields, key: str, most: int, required: bool = False) -> list[Node]:
    """Return the nodes of a list that may not have more; those beyond are reported."""
    nodes = fields.items(key, required)
    if len(nodes) > most:
        fields.report.error(fields.spot(key), f"{fields.what} has {len(nodes):,} {key}", f"at most {most:,}")
    return nodes[:most]


def written_option(o: ProductOption) -> Any:
    """Return an option as plain data."""
    is_number = o.type in ("number", "measure")
    flat = len(o.units) == 1
    tiers = [] if flat else [{"price": t.price, **({} if t.to is None else {"to": t.to})} for t in o.units]
    return slim(
        name=o.name, type=None if o.type == "choice" else o.type, title=o.title,
        values=[_written_value(value) for value in o.values],
        min=o.low if is_number else None, max=o.high if is_number else None,
        step=o.step if is_number and o.step != 1.0 else None, unit=o.unit,
        price=o.price or (o.units[0].price if flat else None), tiers=tiers, default=o.default,
        personal=True if o.personal and o.type != "measure" else None, fill=o.fill and o.fill.canonical,
    )  # fmt: skip


def _written_value(v: ProductValue) -> Any:
    said = slim(
        title=v.title, price=v.price or None, when=v.when and v.when.canonical, because=v.because, item=v.item,
        from_=None if v.starts is None else format_instant(v.starts),
        until=None if v.ends is None else format_instant(v.ends),
    )  # fmt: skip
    return {"name": v.name, **said} if said else v.name
