"""The sections on what we know of a customer: traits, features, context, situations."""

from __future__ import annotations

import re
from typing import Any

from opportune.catalog.draft import Draft, entries, slim
from opportune.catalog.fields import Fields, nearest
from opportune.catalog.formats import FORMATS
from opportune.catalog.node import Node
from opportune.catalog.types import Catalog, Feature, Situation, Trait
from opportune.clock import DAY, format_span
from opportune.rules import Kind, Name

KINDS = tuple(kind.value for kind in Kind)
AGGREGATES = {  # name -> must it read a property?
    "count": False,
    "days_since": False,
    "distinct": True,
    "sum": True,
    "avg": True,
    "min": True,
    "max": True,
    "last": True,
}
MAX_BUCKETS = 1000
LEVER_BOUNDS = (-50.0, 100.0)

_CALL = re.compile(r"\s*([A-Za-z_]+)\s*(?:\(\s*(.*?)\s*\))?\s*", re.DOTALL)


def read_traits(draft: Draft, node: Node | None) -> tuple[Trait, ...]:
    traits = []
    for item in entries(node):
        fields, name = draft.named("traits", "trait", item, readable=True)
        kind = Kind(fields.choice("type", KINDS, "number", required=True))
        mutable, correctable = fields.flag("mutable"), fields.flag("correctable")
        traits.append(Trait(name, kind, mutable, correctable, *_like(fields, kind), fields.flag("required")))
        fields.close()
    return tuple(sorted(traits, key=lambda t: t.name))


def _like(fields: Fields, kind: Kind) -> tuple[str, float | None, float | None, tuple[str, ...]]:
    """Return the format, bounds and values of a trait."""
    format, values = fields.choice("format", sorted(FORMATS)), fields.words("values")
    bounds = {key: fields.number(key, 0.0) if fields.find(key) else None for key in ("least", "most")}
    for key in ("format", "values"):
        if fields.find(key) and kind is not Kind.TEXT:
            fields.report.error(fields.spot(key), f"`{key}` of {fields.what} is for texts", f"remove `{key}`")
    for key, bound in bounds.items():
        if bound is not None and kind is not Kind.NUMBER:
            fields.report.error(fields.spot(key), f"`{key}` of {fields.what} is for numbers", f"remove `{key}`")
    least, most = bounds["least"], bounds["most"]
    if least is not None and most is not None and least > most:
        fields.report.error(fields.spot("most"), f"`most` of {fields.what} is below `least`", "exchange them")
    return format, least, most, values


def write_traits(catalog: Catalog) -> Any:
    return [
        slim(name=t.name, type=t.kind.value, mutable=t.mutable or None, correctable=t.correctable or None,
             format=t.format, least=t.least, most=t.most, values=list(t.values), required=t.required or None)
        for t in catalog.traits
    ]  # fmt: skip


def read_context(draft: Draft, node: Node | None) -> tuple[Name, ...]:
    names = []
    for item in entries(node):
        fields, name = draft.named("context", "context value", item, readable=True)
        names.append(Name(name, Kind(fields.choice("type", KINDS, "number", required=True))))
        fields.close()
    return tuple(sorted(names, key=lambda n: n.name))


def write_context(catalog: Catalog) -> Any:
    return [{"name": n.name, "type": n.kind.value} for n in catalog.context]


def read_features(draft: Draft, node: Node | None) -> tuple[Feature, ...]:
    return tuple(sorted((_feature(draft, item) for item in entries(node)), key=lambda f: f.name))


def _feature(draft: Draft, item: Node) -> Feature:
    fields, name = draft.named("features", "feature", item, readable=True)
    event = fields.text("event", required=True)
    aggregate, of = _aggregate(fields)
    where = fields.find("where")
    condition = None if where is None else draft.conditions.read(where, anything=True)
    window, by = fields.span("window"), fields.span("by")
    kind = Kind(fields.choice("type", KINDS, "number"))
    if kind is not Kind.NUMBER and aggregate != "last":
        fields.report.error(fields.spot("type"), f"`{aggregate}` gives a number", "remove `type`; only `last` has one")
    if kind is Kind.TIME:
        fields.report.error(fields.spot("type"), "`last` reads a number, text or bool", "use days_since for a time")
    _buckets(fields, window, by)
    feature = Feature(name, event, aggregate, of, condition, window, by, kind, fields.flag("mutable"))
    fields.close()
    return feature


def _aggregate(fields: Fields) -> tuple[str, str | None]:
    node = fields.find("aggregate", required=True)
    if node is None:
        return "count", None
    call = _CALL.fullmatch(node.text)
    name, of = (call[1], call[2] or None) if call else (node.text, None)
    if name not in AGGREGATES:
        fields.report.error(node.spot, f"unknown aggregate `{name}` in {fields.what}", nearest(name, AGGREGATES))
        return "count", None
    if AGGREGATES[name] and not of:
        cure = f"write {name}(property), such as {name}(revenue)"
        fields.report.error(node.spot, f"`{name}` of {fields.what} reads no property", cure)
    elif of and not AGGREGATES[name]:
        fields.report.error(node.spot, f"`{name}` of {fields.what} takes no property", f"write {name}")
    return name, of


def _buckets(fields: Fields, window: int | None, by: int | None) -> None:
    """A window is counted in whole buckets: `by` must divide it, and must itself divide a day or be whole days."""
    error = fields.report.error
    if window is None and by is not None:
        error(fields.spot("by"), f"`by` of {fields.what} has no window", "add `window:`, or remove `by`")
    elif window is not None and by is None and "by" not in fields.values:
        cure = "add `by:`, the width of one bucket, such as by: 1h or by: 1d"
        error(fields.spot("window"), f"`window` of {fields.what} has no `by`", cure)
    elif window is not None and by is not None:
        if (DAY % by if by < DAY else by % DAY) != 0:
            cure = "use 1h, 6h, 1d, 7d or another part or multiple of a day"
            error(fields.spot("by"), f"a bucket of {format_span(by)} does not fit into days", cure)
        elif window % by:
            cure = f"use a multiple of {format_span(by)}, such as {format_span(max(1, round(window / by)) * by)}"
            what = f"the window of {format_span(window)} does not fit its bucket of {format_span(by)}"
            error(fields.spot("window"), what, cure)
        elif window // by > MAX_BUCKETS:
            what = f"{window // by:,} buckets; at most {MAX_BUCKETS:,} are kept per customer"
            error(fields.spot("by"), what, "use a wider `by`")


def write_features(catalog: Catalog) -> Any:
    return [
        slim(
            name=f.name,
            event=f.event,
            aggregate=f"{f.aggregate}({f.of})" if f.of else f.aggregate,
            where=f.where and f.where.canonical,
            window=f.window and format_span(f.window),
            by=f.by and format_span(f.by),
            type=None if f.kind is Kind.NUMBER else f.kind.value,
            mutable=f.mutable or None,
        )
        for f in catalog.features
        if not f.made
    ]


def read_situations(draft: Draft, node: Node | None) -> tuple[Situation, ...]:
    situations = []
    for item in entries(node):
        fields, name = draft.named("situations", "situation", item)
        when = fields.condition("when", draft.conditions, required=True)
        silences = tuple(sorted(fields.words("silences")))
        raises = {
            scope: fields.number_of(value, f"raises.{scope}", 0.0, *LEVER_BOUNDS)
            for scope, _, value in fields.pairs("raises")
        }
        if not silences and not raises:
            draft.report.warn(item.spot, f"{fields.what} changes nothing", "add `silences:` or `raises:`")
        if when is not None:
            situations.append(Situation(name, when, silences, dict(sorted(raises.items()))))
        fields.close()
    return tuple(sorted(situations, key=lambda s: s.name))


def write_situations(catalog: Catalog) -> Any:
    return [
        slim(name=s.name, when=s.when.canonical, silences=list(s.silences), raises=dict(s.raises))
        for s in catalog.situations
    ]
